//! Reads the few instructions of a Dockerfile that decide what is pulled, each with its place.
//!
//! Why not a crate: only `FROM`, `ARG`, `COPY`, `ADD`, `RUN` and `ONBUILD` can name an image, and of
//! those only the flags and the first words matter. The one kept parser, `parse-dockerfile`, gives up
//! the whole file at its first fault, takes the lines of a here-document that does not open the
//! command (`RUN cat <<EOF >/etc/x`) for instructions, and refuses `ENTRYPOINT []`: of 1,690 public
//! Dockerfiles, 5 that docker builds. A reader that stands in for it there would have to be right
//! about everything, so it is the only one; on all the others the two agree. Its rules are those of
//! BuildKit (`frontend/dockerfile/parser`): one line after another, nothing nested, so hostile input
//! has nothing to recurse into.
//!
//! ```text
//! text ─► logical line (continuations joined, comments between dropped, places kept)
//!      ─► words ─► FROM, ARG, --from, --mount=…,from=…
//! ```

/// Here-documents without an end that one file may have before the rest is read without any:
/// each costs a look through the rest of the file.
const MAX_UNCLOSED: usize = 8;

/// Faults that one file is told of.
const MAX_FAULTS: usize = 5;

/// A word as written (quotes and variables still in it; continuations joined) and its bytes in the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Word {
    pub(crate) raw: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// `ARG name=default` before the first `FROM`.
#[derive(Clone, Debug)]
pub(crate) struct Arg {
    pub(crate) name: String,
    pub(crate) default: Option<Word>,
}

/// One stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    /// What it is built from.
    pub(crate) from: Word,
    /// Its name in lower case, as names are compared.
    pub(crate) name: Option<String>,
    /// Images and stages that it copies or mounts from.
    pub(crate) uses: Vec<Word>,
    /// The same, for stages that are built from this one (`ONBUILD`).
    pub(crate) onbuild: Vec<Word>,
}

/// Something that docker would refuse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// What a Dockerfile says of images.
#[derive(Clone, Debug)]
pub(crate) struct Dockerfile {
    /// `# syntax=`.
    pub(crate) syntax: Option<Word>,
    /// The escape character.
    pub(crate) escape: char,
    /// Arguments that `FROM` may use.
    pub(crate) args: Vec<Arg>,
    /// Stages, in order.
    pub(crate) stages: Vec<Stage>,
    /// Faults, in order.
    pub(crate) faults: Vec<Fault>,
}

/// Reads a whole Dockerfile. Never fails: what cannot be read is told in `faults`.
pub(crate) fn read(text: &str) -> Dockerfile {
    let mut reader = Reader {
        text,
        at: if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        },
        unclosed: 0,
        before_first: false,
        file: Dockerfile {
            syntax: None,
            escape: '\\',
            args: Vec::new(),
            stages: Vec::new(),
            faults: Vec::new(),
        },
    };
    reader.directives();
    while let Some(line) = reader.logical_line() {
        reader.instruction(&line);
    }
    reader.file
}

/// Continuations joined; every byte still knows its place.
struct Line {
    text: String,
    /// (byte of `text`, byte of the file), where each piece begins.
    pieces: Vec<(usize, usize)>,
}

impl Line {
    fn place(&self, at: usize) -> usize {
        let index = self.pieces.partition_point(|&(joined, _)| joined <= at);
        self.pieces
            .get(index.wrapping_sub(1))
            .map_or(0, |&(joined, source)| source + (at - joined))
    }

    fn word(&self, start: usize, end: usize) -> Word {
        Word {
            raw: self.text.get(start..end).unwrap_or("").to_owned(),
            start: self.place(start),
            // The last byte is mapped, not the one after it: that may belong to the next piece.
            end: if end > start {
                self.place(end - 1) + 1
            } else {
                self.place(start)
            },
        }
    }
}

/// The next word at or after `at`: blanks end it unless they are quoted or escaped.
fn next_word(text: &str, at: usize, escape: char) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let start = at + (rest.len() - rest.trim_start().len());
    let mut quote = None;
    let mut chars = text.get(start..)?.char_indices();
    while let Some((offset, c)) = chars.next() {
        match quote {
            Some('\'') if c != '\'' => {}
            _ if c == escape => {
                chars.next();
            }
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() => return Some((start, start + offset)),
            None => {}
        }
    }
    (start < text.len()).then_some((start, text.len()))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    unclosed: usize,
    /// Something stood before the first `FROM`.
    before_first: bool,
    file: Dockerfile,
}

impl<'t> Reader<'t> {
    fn fault(&mut self, at: usize, message: impl Into<String>) {
        if self.file.faults.len() < MAX_FAULTS {
            self.file.faults.push(Fault {
                at,
                message: message.into(),
            });
        }
    }

    /// The next line of the file without its ending, and where it begins.
    fn line(&mut self) -> Option<(usize, &'t str)> {
        let start = self.at;
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty())?;
        let len = rest.find('\n').map_or(rest.len(), |at| at + 1);
        self.at = start + len;
        Some((start, rest.get(..len)?.trim_end_matches(['\n', '\r'])))
    }

    /// `# key=value` lines at the very top; the first line that is none ends them.
    fn directives(&mut self) {
        loop {
            let before = self.at;
            let Some((start, line)) = self.line() else {
                return;
            };
            if start == 0 && line.starts_with("#!") {
                continue;
            }
            let directive = line
                .trim_start()
                .strip_prefix('#')
                .and_then(|d| d.split_once('='));
            let Some((key, value)) = directive else {
                self.at = before;
                return;
            };
            let written = value.trim_start();
            let word = written.split_whitespace().next().unwrap_or("");
            let start = start + line.len() - written.len();
            match key.trim().to_ascii_lowercase().as_str() {
                "syntax" if !word.is_empty() => {
                    self.file.syntax = Some(Word {
                        raw: word.to_owned(),
                        start,
                        end: start + word.len(),
                    });
                }
                "escape" if word == "`" => self.file.escape = '`',
                "escape" | "check" => {}
                _ => {
                    self.at = before;
                    return;
                }
            }
        }
    }

    /// What the line says, and whether it goes on in the next.
    fn continues(&self, line: &'t str) -> (&'t str, bool) {
        let end = line.trim_end_matches([' ', '\t', '\r']);
        match end.strip_suffix(self.file.escape) {
            // Two of them are one escaped character and no continuation.
            Some(body) if !body.ends_with(self.file.escape) => (body, true),
            _ => (line, false),
        }
    }

    fn logical_line(&mut self) -> Option<Line> {
        let mut out = Line {
            text: String::new(),
            pieces: Vec::new(),
        };
        while let Some((start, line)) = self.line() {
            let trimmed = line.trim_start();
            // Also between continued lines comments and empty lines are as if they were not there.
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let (body, more) = self.continues(if out.pieces.is_empty() { trimmed } else { line });
            let from = if out.pieces.is_empty() {
                start + line.len() - trimmed.len()
            } else {
                start
            };
            out.pieces.push((out.text.len(), from));
            out.text.push_str(body);
            if !more {
                return Some(out);
            }
        }
        (!out.pieces.is_empty()).then_some(out)
    }

    fn instruction(&mut self, line: &Line) {
        let Some((start, end)) = next_word(&line.text, 0, self.file.escape) else {
            return;
        };
        let keyword = line.text.get(start..end).unwrap_or("").to_ascii_uppercase();
        match keyword.as_str() {
            "FROM" => self.from(line, end),
            "ARG" => self.arg(line, end),
            "COPY" | "ADD" | "RUN" => {
                let uses = self.uses(line, end);
                self.here_documents(line, end);
                match self.file.stages.last_mut() {
                    Some(stage) => stage.uses.extend(uses),
                    // Of a file without one, which a step may add, it is said once.
                    None if !std::mem::replace(&mut self.before_first, true) => self.fault(
                        line.place(start),
                        format!("`{keyword}` stands before the first `FROM`"),
                    ),
                    None => {}
                }
            }
            "ONBUILD" => {
                let uses = self.uses_of_trigger(line, end);
                self.here_documents(line, end);
                if let Some(stage) = self.file.stages.last_mut() {
                    stage.onbuild.extend(uses);
                }
            }
            "CMD" | "ENTRYPOINT" | "ENV" | "EXPOSE" | "HEALTHCHECK" | "LABEL" | "MAINTAINER"
            | "SHELL" | "STOPSIGNAL" | "USER" | "VOLUME" | "WORKDIR" => {}
            _ => {
                let mut shown: String = keyword.chars().take(40).collect();
                if shown.len() < keyword.len() {
                    shown.push('…');
                }
                self.fault(
                    line.place(start),
                    format!("`{shown}` is no Dockerfile instruction; docker refuses the file"),
                );
            }
        }
    }

    fn from(&mut self, line: &Line, mut at: usize) {
        let mut words: Vec<(usize, usize)> = Vec::new();
        while let Some((start, end)) = next_word(&line.text, at, self.file.escape) {
            at = end;
            let flag = words.is_empty()
                && line
                    .text
                    .get(start..end)
                    .is_some_and(|w| w.starts_with("--"));
            if !flag {
                words.push((start, end));
            }
            if words.len() > 3 {
                break;
            }
        }
        let Some(&(start, end)) = words.first() else {
            self.fault(line.place(0), "`FROM` names no image");
            // A stage all the same: the numbers of those after it depend on it.
            self.file.stages.push(Stage::default());
            return;
        };
        let word = |(start, end): (usize, usize)| line.text.get(start..end).unwrap_or("");
        let name = match words.get(1..).unwrap_or_default() {
            [] => None,
            &[as_, name] if word(as_).eq_ignore_ascii_case("as") => {
                Some(word(name).to_ascii_lowercase())
            }
            _ => {
                self.fault(
                    line.place(start),
                    "`FROM` takes an image and `AS name`; docker refuses this line",
                );
                None
            }
        };
        self.file.stages.push(Stage {
            from: line.word(start, end),
            name,
            ..Stage::default()
        });
    }

    fn arg(&mut self, line: &Line, mut at: usize) {
        // An `ARG` inside of a stage is not seen by any `FROM`, and nothing else that names an image
        // may have a variable in it.
        if !self.file.stages.is_empty() {
            return;
        }
        while let Some((start, end)) = next_word(&line.text, at, self.file.escape) {
            at = end;
            let word = line.text.get(start..end).unwrap_or("");
            let (name, default) = match word.find('=') {
                Some(equals) => (
                    word.get(..equals).unwrap_or(""),
                    Some(line.word(start + equals + 1, end)),
                ),
                None => (word, None),
            };
            self.file.args.push(Arg {
                name: name.to_owned(),
                default,
            });
        }
    }

    /// The `--from=` and `--mount=…,from=…` of `COPY`, `ADD` and `RUN`.
    fn uses(&self, line: &Line, mut at: usize) -> Vec<Word> {
        let mut out = Vec::new();
        while let Some((start, end)) = next_word(&line.text, at, self.file.escape) {
            at = end;
            let flag = line.text.get(start..end).unwrap_or("");
            if !flag.starts_with("--") || flag == "--" {
                break;
            }
            if flag.starts_with("--from=") {
                out.push(unquoted(line, start + "--from=".len(), end));
            } else if flag.starts_with("--mount=") {
                let mut part = start + "--mount=".len();
                for field in line.text.get(part..end).unwrap_or("").split(',') {
                    let inner = field.trim_start_matches(['"', '\'']);
                    if inner.starts_with("from=") {
                        let from = part + (field.len() - inner.len()) + "from=".len();
                        out.push(unquoted(line, from, part + field.len()));
                    }
                    part += field.len() + 1;
                }
            }
        }
        out.retain(|word| !word.raw.is_empty());
        out
    }

    fn uses_of_trigger(&self, line: &Line, at: usize) -> Vec<Word> {
        match next_word(&line.text, at, self.file.escape) {
            Some((start, end))
                if line.text.get(start..end).is_some_and(|w| {
                    ["COPY", "ADD", "RUN"]
                        .iter()
                        .any(|k| w.eq_ignore_ascii_case(k))
                }) =>
            {
                self.uses(line, end)
            }
            _ => Vec::new(),
        }
    }

    /// Skips the here-documents that the line opens: they are data, whatever their lines look like.
    fn here_documents(&mut self, line: &Line, mut at: usize) {
        if !line.text.get(at..).is_some_and(|rest| rest.contains("<<")) {
            return;
        }
        while let Some((start, end)) = next_word(&line.text, at, self.file.escape) {
            at = end;
            let word = line.text.get(start..end).unwrap_or("");
            let Some(rest) = word
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .strip_prefix("<<")
            else {
                continue;
            };
            let (tabs, rest) = match rest.strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            // Docker wants blanks after the name; people write `<<EOF>file`, and shells allow it.
            let name: String = rest
                .chars()
                .take_while(|c| !"<>;|&()".contains(*c))
                .filter(|c| !"'\"".contains(*c) && *c != self.file.escape)
                .collect();
            if name.is_empty() || rest.starts_with('<') || self.unclosed >= MAX_UNCLOSED {
                continue;
            }
            let before = self.at;
            let closed = loop {
                match self.line() {
                    Some((_, line))
                        if (if tabs {
                            line.trim_start_matches('\t')
                        } else {
                            line
                        }) == name =>
                    {
                        break true;
                    }
                    Some(_) => {}
                    None => break false,
                }
            };
            if !closed {
                // More likely a shift (`1<<2`) than a document: what follows is read as instructions.
                self.at = before;
                self.unclosed += 1;
            }
        }
    }
}

fn unquoted(line: &Line, start: usize, end: usize) -> Word {
    let text = line.text.get(start..end).unwrap_or("");
    let inner = text.trim_start_matches(['"', '\'']);
    let from = start + (text.len() - inner.len());
    let inner = inner.trim_end_matches(['"', '\'']);
    line.word(from, from + inner.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `image[ as name][ <- used, used]` for each stage.
    fn stages(text: &str) -> Vec<String> {
        let file = read(text);
        file.stages
            .iter()
            .map(|stage| {
                // Every word that stands on one line is a slice of the file.
                let slice = text.get(stage.from.start..stage.from.end).unwrap();
                assert!(slice == stage.from.raw || slice.contains('\n'), "{slice:?}");
                let mut out = stage.from.raw.clone();
                if let Some(name) = &stage.name {
                    out += &format!(" as {name}");
                }
                if !stage.uses.is_empty() {
                    let uses: Vec<_> = stage.uses.iter().map(|u| u.raw.as_str()).collect();
                    out += &format!(" <- {}", uses.join(", "));
                }
                out
            })
            .collect()
    }

    #[test]
    fn every_way_to_write_a_stage_is_read() {
        for (text, expected) in [
            ("FROM alpine", vec!["alpine"]),
            ("from alpine as Build\n", vec!["alpine as build"]),
            ("\u{feff}FROM alpine\r\nRUN x\r\n", vec!["alpine"]),
            ("  FROM\talpine:3   AS  b  ", vec!["alpine:3 as b"]),
            (
                "FROM --platform=$BUILDPLATFORM alpine AS b",
                vec!["alpine as b"],
            ),
            ("FROM --platform=\"a b\" alpine", vec!["alpine"]),
            (
                "FROM \\\n  # why\n\n  alpine \\\n  AS b\n",
                vec!["alpine as b"],
            ),
            ("FROM al\\\npine\n", vec!["alpine"]),
            (
                "# escape=`\nFROM alpine `\n  AS b\nRUN dir c:\\\nFROM x",
                vec!["alpine as b", "x"],
            ),
            (
                "#comment\n# escape=`\nFROM a\nRUN x `\nFROM b",
                vec!["a", "b"],
            ),
            ("FROM a\nRUN echo \\\\\nFROM b", vec!["a", "b"]),
            ("FROM a\nRUN echo \\  \nFROM b", vec!["a"]),
            ("FROM alpine # not a comment\n", vec!["alpine"]),
            ("FROM a\nONBUILD COPY --from=x . .\n", vec!["a"]),
            ("FROM\nFROM b\n", vec!["", "b"]),
        ] {
            assert_eq!(stages(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_a_stage_copies_and_mounts_from_is_read() {
        for (text, expected) in [
            ("FROM a\nCOPY --from=b --chown=x:y / /", "a <- b"),
            ("FROM a\ncopy --chown=x --from=\"b:1\" / /", "a <- b:1"),
            ("FROM a\nADD --from=0 / /", "a <- 0"),
            (
                "FROM a\nRUN --mount=type=bind,from=b,source=/x --mount=type=cache,target=/c,from=c make",
                "a <- b, c",
            ),
            (
                "FROM a\nRUN --mount=type=bind \\\n --mount='type=bind,from=b' \\\n make",
                "a <- b",
            ),
            ("FROM a\nRUN make --from=b", "a"),
            ("FROM a\nRUN [\"x\", \"--mount=from=b\"]", "a"),
        ] {
            assert_eq!(stages(text), [expected], "{text:?}");
        }
    }

    #[test]
    fn a_here_document_is_no_instruction() {
        for text in [
            "FROM a\nRUN <<EOF\nFROM no\nEOF\nFROM b",
            "FROM a\nRUN cat <<'EOF' > x && y\nFROM no\nEOF\nFROM b",
            "FROM a\nRUN cat <<-\"E\" >x\nFROM no\n\t\tE\nFROM b",
            "FROM a\nCOPY <<one <<two /\nFROM no\none\nFROM no\ntwo\nFROM b",
            "FROM a\r\nRUN python3 <<EOF\r\nFROM no\r\nEOF\r\nFROM b",
            "FROM a\nRUN cat <<EOF>x\nFROM no\nEOF\nFROM b",
            "FROM a\nRUN sh -c 'cat <<EOF'\nFROM b",
            "FROM a\nRUN echo $((1 << 2)) $((1<<2)) 1<<2\nFROM b",
            "FROM a\nRUN cat <<< here\nFROM b",
            "FROM a\nONBUILD RUN <<EOF\nFROM no\nEOF\nFROM b",
        ] {
            assert_eq!(stages(text), ["a", "b"], "{text:?}");
        }
    }

    #[test]
    fn directives_stand_at_the_top_only() {
        let syntax = |text: &str| read(text).syntax.map(|w| w.raw);
        assert_eq!(
            syntax("# syntax=docker/dockerfile:1\nFROM a").as_deref(),
            Some("docker/dockerfile:1")
        );
        assert_eq!(
            syntax("#Syntax = x/y:1  z \r\nFROM a").as_deref(),
            Some("x/y:1")
        );
        assert_eq!(
            syntax("# escape=\\\n# syntax=x\nFROM a").as_deref(),
            Some("x")
        );
        assert_eq!(syntax("# hello\n# syntax=x\nFROM a"), None);
        assert_eq!(syntax("\n# syntax=x\nFROM a"), None);
        assert_eq!(syntax("# a=b\n# syntax=x\nFROM a"), None);
    }

    #[test]
    fn what_docker_would_refuse_is_told_and_the_rest_is_read() {
        let file = read("{% if x %}\nFROM a\nBOGUS x\nFROM b c\nRUN y");
        let told: Vec<_> = file.faults.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(file.stages.len(), 2);
        assert_eq!(read("").stages.len(), 0);
        // A file without `FROM` is one thing to tell.
        let file = read("RUN a\nCOPY b c\nRUN d\n");
        assert_eq!(file.faults.len(), 1);
    }

    #[test]
    fn hostile_input_ends() {
        for text in [
            "RUN <<E\n".repeat(100_000),
            "\\\n".repeat(200_000),
            "FROM \"".repeat(100_000),
            format!("FROM a\nRUN {}", "<<E ".repeat(100_000)),
            format!("FROM {}", "é\\".repeat(100_000)),
            "FROM a\n".repeat(100_000),
            "ARG A='\n".repeat(100_000),
        ] {
            let _ = read(&text);
        }
    }
}
