//! Where each byte of a scalar's value is written: what `|`, `>`, quotes and folding made of the text,
//! laid beside the text again.
//!
//! What stands letter for letter is mapped letter for letter. What was made (a line break that folding
//! left, the character of an escape) counts as written where the text before it ends.

use super::narrow;
use crate::source::Span;
use crate::text::Mapped;

/// Maps the value of a `|` or `>` block, written as `written` at `span`.
pub(super) fn block(span: Span, written: &str, value: &str) -> Mapped {
    let header = header(written);
    let usual = usual(span, written, header, value);
    debug_assert!(
        usual
            .as_ref()
            .is_none_or(|usual| *usual == lines(span, written, header, value)),
        "the alignments differ on {written:?}"
    );
    usual.unwrap_or_else(|| lines(span, written, header, value))
}

/// How many bytes the line of the indicator has. A block's span may begin at the indicator or at the
/// content: only the former has one.
fn header(written: &str) -> usize {
    memchr::memchr(b'\n', written.as_bytes())
        .filter(|_| written.starts_with(['|', '>']))
        .map_or(0, |at| at + 1)
}

/// Appends what was made, after text that ends at byte `at` of `written`. The line break that a parser
/// puts behind a file without one at its end is left out: it was made of nothing.
fn made(out: &mut Mapped, piece: &str, span: Span, written: &str, at: usize) {
    if piece.is_empty() || (piece == "\n" && at >= written.len()) {
        return;
    }
    let at = at.min(written.len().saturating_sub(1));
    let kept = usize::from(piece.starts_with('\n') && written.as_bytes().get(at) == Some(&b'\n'));
    let (as_written, rest) = piece.split_at(kept);
    let src = span.start + narrow(at);
    out.push(as_written, src, true);
    out.push(rest, src, false);
}

/// Maps a value to the source line by line: each line of the source, trimmed, is looked for where
/// the value goes on. Exact for block scalars; the start of the line where a line holds escapes.
pub(super) fn lines(span: Span, written: &str, header: usize, value: &str) -> Mapped {
    let mut out = Mapped::empty(span.file);
    let mut at = 0; // in `value`
    let mut offset = header;
    let mut done = header; // where what is mapped ends
    for line in written.get(header..).unwrap_or("").split_inclusive('\n') {
        let rest = value.get(at..).unwrap_or("");
        let body = line.trim_end_matches(['\n', '\r']);
        // The longest suffix of the line that the value goes on with, after line breaks folding made.
        let gap = rest.len() - rest.trim_start_matches(['\n', ' ', '\t']).len();
        // A quote at either end may be the scalar's own, or belong to what it says.
        let whole = body.trim_start_matches([' ', '\t']);
        let inside = body.trim_start_matches([' ', '\t', '\'', '"']);
        let found = [whole, inside].into_iter().find_map(|text| {
            let indent = body.len() - text.len();
            let shorter = text.trim_end_matches(['\'', '"', ' ', '\t']);
            let goes_on = rest.get(gap..)?;
            let fits = |t: &&str| !t.is_empty() && goes_on.starts_with(*t);
            let text = [text, shorter].into_iter().find(fits)?;
            Some((indent, text.len()))
        });
        if let Some((indent, len)) = found {
            // Leading blanks that belong to the value stand right before the text.
            let own = rest
                .get(..gap)
                .map_or(0, |g| g.len() - g.trim_end_matches([' ', '\t']).len())
                .min(indent);
            let start = offset + indent - own;
            let (before, text) = (rest.get(..gap - own), rest.get(gap - own..gap + len));
            made(&mut out, before.unwrap_or(""), span, written, done);
            out.push(text.unwrap_or(""), span.start + narrow(start), true);
            at += gap + len;
            done = offset + indent + len;
        }
        offset += line.len();
    }
    made(&mut out, value.get(at..).unwrap_or(""), span, written, done);
    out
}

/// The same for a block whose lines stand in the source one by one behind the same blanks, as those of
/// `|` nearly always do. `None` for any other.
fn usual(span: Span, written: &str, header: usize, value: &str) -> Option<Mapped> {
    let line_from = |text: &'_ str, from: usize| -> Option<usize> {
        let rest = text.as_bytes().get(from..)?;
        Some(from + memchr::memchr(b'\n', rest).unwrap_or(rest.len()))
    };
    let blank = |text: &str| text.bytes().all(|b| b == b' ');
    let mut out = Mapped::with_room(span.file, value.len());
    let mut indent = None;
    // Where the line begins in `value` and in `written`, and where what is mapped ends in both. The line break that
    // stands there is mapped with its line, unless it is made of something else.
    let (mut at, mut offset) = (0, header);
    let mut done = (0, header);
    let mut is_broken = false;
    let made = |out: &mut Mapped, piece: &str, is_broken: bool, at: usize| match is_broken {
        true => out.push(piece, span.start + narrow(at), false),
        false => made(out, piece, span, written, at),
    };
    while at < value.len() {
        let end = line_from(value, at)?;
        let text = value.get(at..end)?;
        let next = line_from(written, offset)?;
        let body = written.get(offset..next)?;
        let body = body.strip_suffix('\r').unwrap_or(body);
        if text.is_empty() {
            if !blank(body) {
                return None;
            }
        } else {
            let before = body.len().checked_sub(text.len())?;
            let indent = if at == 0 && header == 0 {
                // The span begins with the first letter of the content.
                before
            } else {
                *indent.get_or_insert(before)
            };
            let own = text.len() - text.trim_start_matches([' ', '\t']).len();
            let same = body.get(indent..) == Some(text) && blank(body.get(..indent)?);
            if !same || own == text.len() {
                return None;
            }
            made(&mut out, value.get(done.0..at)?, is_broken, done.1);
            let written_end = offset + body.len();
            is_broken = written.as_bytes().get(written_end) == Some(&b'\n');
            let line = value.get(at..end + usize::from(is_broken));
            is_broken &= line.is_some();
            let text = line.unwrap_or(text);
            out.push(text, span.start + narrow(offset + indent), true);
            done = (at + text.len(), written_end);
        }
        at = end + 1;
        offset = next + 1;
    }
    let rest = written.get(offset.min(written.len())..)?;
    if !rest.trim_start_matches(['\n', '\r', ' ', '\t']).is_empty() {
        return None;
    }
    made(&mut out, value.get(done.0..)?, is_broken, done.1);
    Some(out)
}

/// Maps a double-quoted scalar: runs without a backslash or line break stand as they are.
pub(super) fn escapes(span: Span, written: &str, value: &str) -> Mapped {
    let inner = written
        .strip_prefix('"')
        .and_then(|w| w.strip_suffix('"'))
        .unwrap_or(written);
    if inner == value {
        return Mapped::verbatim(
            Span {
                start: span.start + 1,
                ..span
            },
            value,
        );
    }
    let mut out = Mapped::empty(span.file);
    let mut at = 0; // in `value`
    let mut offset = 1;
    let mut done = 1; // where what is mapped ends
    for piece in inner.split_inclusive(['\\', '\n']) {
        let run = piece.trim_end_matches(['\\', '\n', '\r']);
        let run = if out.text.is_empty() {
            run
        } else {
            run.trim_start()
        };
        let start = offset + piece.find(run).unwrap_or(0);
        // After an escape the run begins with the escape's own letters: find where the value goes on.
        for skip in 0..run.len().min(10) {
            let Some(tail) = run.get(skip..).filter(|t| !t.is_empty()) else {
                continue;
            };
            let rest = value.get(at..).unwrap_or("");
            let Some(gap) = (0..=2.min(rest.len()))
                .find(|&g| rest.get(g..).is_some_and(|r| r.starts_with(tail)))
            else {
                continue;
            };
            let before = rest.get(..gap).unwrap_or("");
            made(&mut out, before, span, written, done);
            out.push(tail, span.start + narrow(start + skip), true);
            at += gap + tail.len();
            done = start + run.len();
            break;
        }
        offset += piece.len();
    }
    made(&mut out, value.get(at..).unwrap_or(""), span, written, done);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::tests::{slice_of, with};

    #[test]
    fn lines_of_a_block_that_begin_with_a_quote_keep_their_places() {
        let text = "a: |\n  awk '\n    x\n  ' \"$f\"\n  \"b\" c\n  d\n";
        with(text, |doc| {
            let value = doc.root().and_then(|r| r.get("a")).unwrap();
            let mapped = value.mapped().unwrap();
            for word in ["awk", "' \"$f\"", "\"b\"", "d"] {
                let at = mapped.text.find(word).unwrap();
                let span = mapped.span(at, at + word.len());
                assert_eq!(slice_of(doc, span), word);
            }
        });
    }

    #[test]
    fn every_byte_of_a_block_scalar_knows_its_place() {
        let text = "run: |\r\n  cd x\r\n    docker pull alpine\r\n\r\n  é docker\r\nnext: 1\r\n";
        with(text, |doc| {
            let mapped = doc.root().unwrap().get("run").unwrap().mapped().unwrap();
            assert_eq!(mapped.text, "cd x\n  docker pull alpine\n\né docker\n");
            for word in ["cd", "docker pull", "alpine", "é"] {
                let at = mapped.text.find(word).unwrap();
                assert_eq!(slice_of(doc, mapped.span(at, at + word.len())), word);
            }
            let last = mapped.text.rfind("docker").unwrap();
            assert_eq!(
                mapped.span(last, last + 6).start as usize,
                text.rfind("docker").unwrap()
            );
        });
    }

    #[test]
    fn usual_blocks_are_mapped_the_short_way() {
        for (text, short_way) in [
            ("run: |\n  cd x\n    docker pull a\n\n  é\n", true),
            ("run: |-\r\n  a\r\n\r\n  b\r\n", true),
            ("run: |+\n  a\n\n\nnext: 1\n", true),
            ("- |2\n    a\n   b\n", true),
            ("run: >\n  a\n  b\n", false),
            ("run: |\n  a\n     \n  b\n", false),
        ] {
            with(text, |doc| {
                let root = doc.root().unwrap();
                let value = root.get("run").or_else(|| root.items().next()).unwrap();
                let span = value.span();
                let written = doc.source().slice(span.start, span.end);
                let header = header(written);
                let value = value.as_str().unwrap();
                let short = usual(span, written, header, value);
                assert_eq!(short.is_some(), short_way, "{text:?}");
                if let Some(short) = short {
                    assert_eq!(short, lines(span, written, header, value), "{text:?}");
                }
            });
        }
    }

    #[test]
    fn a_tab_at_the_start_of_a_line_does_not_lose_the_lines_after_it() {
        let text = "run: |\n  cat <<-X\n  \ta\n  X\n  docker pull alpine\n";
        with(text, |doc| {
            let mapped = doc.root().unwrap().get("run").unwrap().mapped().unwrap();
            for word in ["\ta", "alpine"] {
                let at = mapped.text.find(word).unwrap();
                assert_eq!(slice_of(doc, mapped.span(at, at + word.len())), word);
            }
        });
    }

    #[test]
    fn folded_and_quoted_scalars_know_their_places_too() {
        for text in [
            "run: >-\n  docker pull\n  alpine:3\n",
            "run: \"a\\tb docker pull\n  alpine:3\"\n",
            "run: 'x docker pull\n  alpine:3'\n",
            "run: docker pull\n  alpine:3\n",
        ] {
            with(text, |doc| {
                let mapped = doc.root().unwrap().get("run").unwrap().mapped().unwrap();
                for word in ["docker pull", "alpine:3"] {
                    let at = mapped.text.find(word).unwrap();
                    assert_eq!(
                        slice_of(doc, mapped.span(at, at + word.len())),
                        word,
                        "{text}"
                    );
                }
            });
        }
    }

    #[test]
    fn what_was_made_stands_where_the_text_before_it_ends() {
        for (text, ends) in [
            ("run: |\n  a\n\n", "run: |\n  a\n"),
            ("run: |\n  a\n\n# é\n", "run: |\n  a\n"),
            ("run: |+\n  a\n\né: 1\n", "run: |+\n  a\n"),
            ("run: |\r\n  a\r\n\r\n", "run: |\r\n  a\r"),
            ("run: |\n  é", "run: |\n  é"),
            ("run: |\n  a\n   \n  \n", "run: |\n  a\n"),
            ("run: >\n  a\n  b\n\n\n", "run: >\n  a\n  b\n"),
            ("run: >\n  a\n\n\n  é\n\n", "run: >\n  a\n\n\n  é\n"),
            ("run: \"a\\n\"\n", "run: \"a\\"),
            ("run: \"a\\té\"", "run: \"a\\té"),
            ("run: 'a\n\n  é'", "run: 'a\n\n  é"),
        ] {
            with(text, |doc| {
                let mapped = doc.root().unwrap().get("run").unwrap().mapped().unwrap();
                assert_eq!(text.get(..mapped.whole().end as usize), Some(ends));
                for (at, c) in mapped.text.char_indices() {
                    let span = mapped.span(at, at + c.len_utf8());
                    let written = text.get(span.start as usize..span.end as usize);
                    assert!(written.is_some(), "{c:?} of {text:?}: {span:?}");
                    assert!(c.is_whitespace() || written == Some(&c.to_string()));
                }
            });
        }
    }

    #[test]
    fn a_line_break_belongs_to_the_line_before_it() {
        let text = "run: |\n  docker pull a\n\n  docker pull b\n";
        with(text, |doc| {
            let mapped = doc.root().unwrap().get("run").unwrap().mapped().unwrap();
            let end = mapped.text.find('b').unwrap() - "docker pull ".len();
            assert_eq!(slice_of(doc, mapped.span(0, end - 1)), "docker pull a\n");
            assert_eq!(slice_of(doc, mapped.span(0, end)), "docker pull a\n");
        });
    }
}
