//! The YAML that CI files are mostly written in, read ten times faster than YAML in general.
//!
//! Half of an audit's time went into a parser that is ready for everything: tags, complex keys, scalars
//! that go on for lines. Next to all lines are `key: value`, `- item`, with an anchor or alias now and then,
//! and the lines of a script.
//! This reader takes files that hold nothing else and *refuses* the others, which then go to
//! `granit-parser`. It decides nothing by itself: whatever it takes it must take exactly as
//! `granit-parser` does, bytes of every node included, which a test compares over many thousands of texts.
//!
//! `None` always means "not mine", never "wrong".

use granit_parser::StructureStyle;
use hashbrown::HashMap;

use super::{Builder, Data, Style, narrow};
use crate::source::Source;

/// How deep collections nest here; deeper ones are not common.
const MAX_DEPTH: usize = 48;

/// The longest key, in bytes.
const MAX_KEY: usize = 512;

pub(super) struct Reader<'b, 's> {
    out: &'b mut Builder<'s>,
    text: &'s [u8],
    /// Where the next line begins, or, as long as the line in hand is not `over`, how far that one has been read.
    next: usize,
    over: bool,
    /// First byte of the content in hand, and its column; `None` at the end of the file.
    here: Option<Place>,
    depth: usize,
    /// The nodes that anchors name.
    anchors: HashMap<&'s [u8], u32>,
    /// The anchor of the node that is added next.
    anchor: Option<Name<'s>>,
    /// The key that begins at the place in hand, where it has been read already.
    key: Option<Scalar>,
}

/// `&name` or `*name`.
#[derive(Clone, Copy)]
struct Name<'s> {
    name: &'s [u8],
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Place {
    at: usize,
    column: usize,
}

/// A plain or quoted scalar, with its quotes.
#[derive(Clone, Copy)]
struct Scalar {
    style: Style,
    start: usize,
    end: usize,
    /// There are escapes in it.
    escapes: bool,
}

/// Bytes that a plain scalar goes on with whatever stands around them.
static GOES_ON: [bool; 256] = {
    let mut table = [true; 256];
    let others = b"\n\t #:,[]{}";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = false;
        at += 1;
    }
    table
};

/// Reads a whole text into `out`; `None` when it is not common, with `out` half filled.
pub(super) fn read<'s>(out: &mut Builder<'s>) -> Option<()> {
    let source: &'s Source = out.source;
    let text = source.text.as_bytes();
    if !is_ordinary(text) {
        return None;
    }
    let mut reader = Reader {
        out,
        text,
        next: 0,
        over: true,
        here: None,
        depth: 0,
        anchors: HashMap::new(),
        anchor: None,
        key: None,
    };
    let marked = text.starts_with(b"---\n");
    if marked {
        reader.next = 4;
    }
    reader.advance()?;
    match reader.here {
        None => (!marked).then_some(()),
        Some(place) if place.column == 0 => {
            reader.block()?;
            reader.here.is_none().then_some(())
        }
        Some(_) => None,
    }
}

/// Whether a text holds lines of printable characters and nothing else.
fn is_ordinary(text: &[u8]) -> bool {
    let strange = |pair: &[u8]| match pair {
        [first, second, ..] => {
            // C1 controls; byte order marks and what is no character.
            *first == 0xC2 && *second < 0xA0 || *first == 0xEF
        }
        _ => true,
    };
    text.last().is_none_or(|&last| last == b'\n')
        // Without an early end, which the compiler turns into comparisons of many bytes at once.
        && !text.iter().fold(false, |control, &b| {
            control | (b < 0x20 && b != b'\n' && b != b'\t') | (b == 0x7F)
        })
        && !memchr::memchr2_iter(0xC2, 0xEF, text)
            .any(|at| strange(text.get(at..).unwrap_or_default()))
}

impl<'s> Reader<'_, 's> {
    fn byte(&self, at: usize) -> u8 {
        // The last byte of a text is a line's end, and so is what is behind it.
        self.text.get(at).copied().unwrap_or(b'\n')
    }

    fn line_end(&self, from: usize) -> usize {
        // Where a value has been read, its line mostly ends.
        if self.byte(from) == b'\n' {
            return from;
        }
        memchr::memchr(b'\n', self.text.get(from..).unwrap_or_default())
            .map_or(self.text.len(), |at| from + at)
    }

    fn skip_spaces(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|&&b| b == b' ').count()
    }

    /// Goes to the next line that is neither blank nor a comment.
    fn advance(&mut self) -> Option<()> {
        self.here = None;
        if !self.over {
            self.next = self.line_end(self.next) + 1;
            self.over = true;
        }
        while self.next < self.text.len() {
            let start = self.next;
            let at = self.skip_spaces(start);
            match self.byte(at) {
                b'\n' => self.next = at + 1,
                b'#' => self.next = self.line_end(at) + 1,
                b'\t' => return None,
                first => {
                    if at == start && (first == b'%' || self.is_marker(at)) {
                        return None;
                    }
                    self.next = at;
                    self.over = false;
                    self.here = Some(Place {
                        at,
                        column: at - start,
                    });
                    return Some(());
                }
            }
        }
        Some(())
    }

    fn is_marker(&self, at: usize) -> bool {
        matches!(self.text.get(at..at + 3), Some(b"---" | b"..."))
    }

    /// Whether an item of a sequence begins here.
    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == b'-' && matches!(self.byte(at + 1), b' ' | b'\n')
    }

    /// The collection that begins at the place in hand.
    fn block(&mut self) -> Option<()> {
        let place = self.here?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        if self.is_dash(place.at) {
            self.sequence(place.column, place.at)?;
        } else {
            self.mapping(place.column)?;
        }
        self.depth -= 1;
        Some(())
    }

    fn begin(&mut self, data: Data, style: StructureStyle, start: usize, end: usize) {
        let id = self.out.begin(data, style, narrow(start), narrow(end), 0);
        self.keep_anchor(id);
    }

    fn add(&mut self, scalar: Scalar) {
        let Scalar {
            style,
            start,
            end,
            escapes,
        } = scalar;
        let quote = usize::from(style != Style::Plain);
        let (from, to) = (start + quote, end - quote);
        let data = if escapes {
            let inner = self.out.source.text.get(from..to).unwrap_or_default();
            if style == Style::Single {
                self.out.make(&inner.replace("''", "'"))
            } else {
                self.out.make(&unescaped(inner))
            }
        } else {
            Data::Written(narrow(from), narrow(to))
        };
        self.add_value(data, style, start, end);
    }

    fn add_value(&mut self, data: Data, style: Style, start: usize, end: usize) {
        let id = self.out.add(data, style, narrow(start), narrow(end), 0);
        self.keep_anchor(id);
    }

    /// Gives the anchor in hand to the node that it stands before.
    fn keep_anchor(&mut self, id: u32) {
        // Next to no node has one.
        if self.anchor.is_some() {
            self.keep_this_anchor(id);
        }
    }

    #[cold]
    fn keep_this_anchor(&mut self, id: u32) {
        if let Some(Name { name, start, end }) = self.anchor.take() {
            self.anchors.insert(name, id);
            let range = (narrow(start), narrow(end));
            self.out.doc.anchors.insert(id, range);
        }
    }

    /// The `&name` or `*name` that begins here.
    fn name(&self, start: usize) -> Option<Name<'s>> {
        let rest = self.text.get(start + 1..)?;
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let len = rest.iter().take_while(|b| is_part(b)).count();
        let end = start + 1 + len;
        // More characters can be a part of a name than are common in one.
        (len > 0 && matches!(self.byte(end), b' ' | b'\n')).then_some(Name {
            name: rest.get(..len)?,
            start,
            end,
        })
    }

    /// Takes the anchor that may stand before a value; where the value begins.
    fn take_anchor(&mut self, at: usize) -> Option<usize> {
        if self.byte(at) != b'&' {
            return Some(at);
        }
        let anchor = self.name(at)?;
        self.anchor = Some(anchor);
        Some(self.skip_spaces(anchor.end))
    }

    /// `*name` as the whole of a value.
    fn alias(&mut self, at: usize) -> Option<()> {
        let Name { name, start, end } = self.name(at)?;
        let target = *self.anchors.get(name)?;
        // An alias has no anchor.
        if self.anchor.is_some() || !self.ends_at(self.skip_spaces(end)) {
            return None;
        }
        self.out.add(
            Data::Alias(target),
            Style::Plain,
            narrow(start),
            narrow(end),
            0,
        );
        Some(())
    }

    fn add_nothing(&mut self, at: usize) {
        let data = self.out.make("~");
        self.add_value(data, Style::Plain, at, at);
    }

    fn sequence(&mut self, column: usize, start: usize) -> Option<()> {
        self.begin(EMPTY_SEQUENCE, StructureStyle::Block, start, start);
        while let Some(place) = self.here.filter(|p| p.column == column) {
            if !self.is_dash(place.at) {
                break;
            }
            let inner = self.skip_spaces(place.at + 1);
            let inner = self.take_anchor(inner)?;
            if self.ends_at(inner) {
                self.advance()?;
                match self.here {
                    Some(deeper) if deeper.column > column => self.block()?,
                    _ if self.anchor.is_some() => return None,
                    _ if self.byte(place.at + 1) == b'\n' => self.add_nothing(place.at + 1),
                    _ => return None,
                }
            } else {
                let inner = Place {
                    at: inner,
                    column: column + inner - place.at,
                };
                let scalar = self.scalar(inner.at);
                let key = scalar.filter(|scalar| self.is_key(scalar));
                if self.is_dash(inner.at) || key.is_some() {
                    // It would be the anchor of the first key.
                    if self.anchor.is_some() {
                        return None;
                    }
                    self.here = Some(inner);
                    self.key = key;
                    self.block()?;
                } else {
                    self.value(inner.at, column, scalar)?;
                    self.advance()?;
                }
            }
        }
        self.close(column)
    }

    fn mapping(&mut self, column: usize) -> Option<()> {
        let start = self.here?.at;
        self.begin(EMPTY_MAPPING, StructureStyle::Block, start, start);
        while let Some(place) = self.here.filter(|p| p.column == column) {
            if self.is_dash(place.at) {
                break;
            }
            let key = match self.key.take() {
                Some(known) => known,
                None => self.scalar(place.at).filter(|scalar| self.is_key(scalar))?,
            };
            let colon = key.end;
            self.add(key);
            let inner = self.skip_spaces(colon + 1);
            self.next = inner;
            let inner = self.take_anchor(inner)?;
            if !self.ends_at(inner) {
                self.value(inner, column, None)?;
                self.advance()?;
                // A sequence cannot follow a value.
                if self
                    .here
                    .is_some_and(|p| p.column == column && self.is_dash(p.at))
                {
                    return None;
                }
                continue;
            }
            self.advance()?;
            match self.here {
                Some(deeper) if deeper.column > column => self.block()?,
                // A sequence may stand right below its key. Its place is that of its first item.
                Some(below) if below.column == column && self.is_dash(below.at) => {
                    let item = self.skip_spaces(below.at + 1);
                    if self.ends_at(item) {
                        return None;
                    }
                    self.sequence(column, item)?;
                }
                _ if self.anchor.is_some() => return None,
                _ => self.add_nothing(colon),
            }
        }
        self.close(column)
    }

    /// The end of a collection: what follows belongs to one further out, or the text is not common.
    fn close(&mut self, column: usize) -> Option<()> {
        self.out.finish(0);
        self.here.is_none_or(|p| p.column <= column).then_some(())
    }

    /// Whether nothing but a comment stands between here and the end of the line. A comment has a
    /// blank before it.
    fn ends_at(&self, at: usize) -> bool {
        match self.byte(at) {
            b'\n' => true,
            b'#' => at == 0 || matches!(self.byte(at - 1), b' ' | b'\n'),
            _ => false,
        }
    }

    /// The plain or quoted scalar that begins here, if one does.
    fn scalar(&self, at: usize) -> Option<Scalar> {
        match self.byte(at) {
            b'\'' | b'"' => self.quoted(at),
            _ => self.plain(at, false),
        }
    }

    /// Whether a scalar is a key: its end is the place of the colon.
    fn is_key(&self, scalar: &Scalar) -> bool {
        self.byte(scalar.end) == b':'
            && matches!(self.byte(scalar.end + 1), b' ' | b'\n')
            && scalar.end - scalar.start <= MAX_KEY
    }

    /// A value that begins on the line of its key or dash, which stands in `column`. `known` is the
    /// scalar that begins there, where it has been read already.
    fn value(&mut self, at: usize, column: usize, known: Option<Scalar>) -> Option<()> {
        match self.byte(at) {
            b'|' | b'>' => return self.lines(at, column),
            b'*' => return self.alias(at),
            b'[' | b'{' => {
                let end = self.flow(at, 0)?;
                return self.ends_at(self.skip_spaces(end)).then_some(());
            }
            _ => {}
        }
        let scalar = match known {
            Some(known) => known,
            None => self.scalar(at)?,
        };
        if !self.ends_at(self.skip_spaces(scalar.end)) {
            return None;
        }
        self.next = scalar.end;
        self.add(scalar);
        Some(())
    }

    /// A plain scalar: up to a comment, a colon with a blank behind it or the end of the line, and in a
    /// flow collection also up to what divides it.
    fn plain(&self, start: usize, in_flow: bool) -> Option<Scalar> {
        match self.byte(start) {
            b'-' if !matches!(
                self.byte(start + 1),
                b' ' | b'\n' | b'\t' | b',' | b'[' | b']' | b'{' | b'}'
            ) => {}
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!'
            | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' | b'\n' | b'\t' | b' ' => {
                return None;
            }
            _ => {}
        }
        let mut at = start;
        // One past the last byte that is no blank.
        let mut end = start;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let goes_on = |b: &&u8| GOES_ON.get(usize::from(**b)) == Some(&true);
            let run = rest.iter().take_while(goes_on).count();
            if run > 0 {
                at += run;
                end = at;
            }
            match self.byte(at) {
                b'\n' => break,
                b'\t' => return None,
                b' ' => {}
                b'#' if end < at => break,
                b':' if matches!(self.byte(at + 1), b' ' | b'\n') => {
                    // `a : b`
                    if end < at {
                        return None;
                    }
                    break;
                }
                b',' | b']' | b'}' if in_flow => break,
                b'[' | b'{' | b'#' if in_flow => return None,
                b':' if in_flow
                    && matches!(self.byte(at + 1), b',' | b'[' | b']' | b'{' | b'}') =>
                {
                    return None;
                }
                _ => end = at + 1,
            }
            at += 1;
        }
        Some(Scalar {
            style: Style::Plain,
            start,
            end,
            escapes: false,
        })
    }

    /// A quoted scalar on one line.
    fn quoted(&self, start: usize) -> Option<Scalar> {
        let quote = self.byte(start);
        let mut close = start + 1;
        let mut escapes = false;
        loop {
            match (self.byte(close), self.byte(close + 1)) {
                (b'\n' | b'\t', _) => return None,
                (b'\'', b'\'') if quote == b'\'' => {}
                (b'\\', b'"' | b'\\' | b'n') if quote == b'"' => {}
                (b'\\', _) if quote == b'"' => return None,
                (byte, _) if byte == quote => break,
                _ => {
                    close += 1;
                    continue;
                }
            }
            escapes = true;
            close += 2;
        }
        Some(Scalar {
            style: if quote == b'"' {
                Style::Double
            } else {
                Style::Single
            },
            start,
            end: close + 1,
            escapes,
        })
    }

    /// A flow collection on one line; one past its end.
    fn flow(&mut self, start: usize, depth: usize) -> Option<usize> {
        if depth > 8 {
            return None;
        }
        let is_mapping = self.byte(start) == b'{';
        let (empty, closing) = if is_mapping {
            (EMPTY_MAPPING, b'}')
        } else {
            (EMPTY_SEQUENCE, b']')
        };
        self.begin(empty, StructureStyle::Flow, start, start + 1);
        let mut at = self.skip_spaces(start + 1);
        if self.byte(at) != closing {
            loop {
                if is_mapping {
                    let key = self.flow_scalar(at)?;
                    let colon = key.end;
                    self.add(key);
                    if self.byte(colon) != b':' || self.byte(colon + 1) != b' ' {
                        return None;
                    }
                    at = self.skip_spaces(colon + 1);
                }
                if matches!(self.byte(at), b'[' | b'{') {
                    at = self.flow(at, depth + 1)?;
                } else {
                    let item = self.flow_scalar(at)?;
                    at = item.end;
                    self.add(item);
                }
                at = self.skip_spaces(at);
                match self.byte(at) {
                    b',' => at = self.skip_spaces(at + 1),
                    byte if byte == closing => break,
                    _ => return None,
                }
            }
        }
        self.out.finish(narrow(at + 1));
        Some(at + 1)
    }

    fn flow_scalar(&self, at: usize) -> Option<Scalar> {
        match self.byte(at) {
            b'\'' | b'"' => self.quoted(at),
            _ => self.plain(at, true),
        }
    }

    /// A `|` or `>` block, whose lines stand further in than `column`.
    fn lines(&mut self, header: usize, column: usize) -> Option<()> {
        let (keeps, after) = match self.byte(header + 1) {
            b'-' => (Keeps::Nothing, header + 2),
            b'+' => (Keeps::All, header + 2),
            _ => (Keeps::One, header + 1),
        };
        if self.byte(after) != b'\n' {
            return None;
        }
        let first_line = after + 1;
        let mut block = Block {
            indent: 0,
            start: 0,
            last_end: 0,
            end: self.text.len(),
        };
        let mut longest_blank = 0;
        let mut line = first_line;
        while line < self.text.len() {
            let at = self.skip_spaces(line);
            let spaces = at - line;
            if self.byte(at) == b'\n' {
                longest_blank = longest_blank.max(spaces);
                line = at + 1;
                continue;
            }
            if block.indent == 0 {
                if spaces <= column || self.byte(at) == b'\t' {
                    return None;
                }
                block.indent = spaces;
                block.start = at;
            } else if spaces < block.indent {
                if spaces > column || self.byte(at) == b'\t' {
                    return None;
                }
                block.end = at;
                break;
            }
            block.last_end = self.line_end(at);
            line = block.last_end + 1;
        }
        // Blanks beyond the indentation are a part of the script, or an error before it.
        if block.indent == 0 || longest_blank > block.indent {
            return None;
        }
        self.next = line;
        self.over = true;
        let folded = self.byte(header) == b'>';
        let made = self.out.doc.made.len();
        if folded {
            self.folded(first_line, &block)?;
        } else {
            self.literal(first_line, &block)?;
        }
        let value = &mut self.out.doc.made;
        match keeps {
            Keeps::Nothing => {}
            Keeps::One => value.push('\n'),
            Keeps::All => {
                let rest = self.text.get(block.last_end..block.end)?;
                let ends = memchr::memchr_iter(b'\n', rest).count();
                value.extend(std::iter::repeat_n('\n', ends));
            }
        }
        let written = self.out.source.text.get(block.start..block.end)?;
        let data = if value.get(made..) == Some(written) {
            value.truncate(made);
            Data::Written(narrow(block.start), narrow(block.end))
        } else {
            Data::Made(narrow(made), narrow(value.len()))
        };
        let style = if folded {
            Style::Folded
        } else {
            Style::Literal
        };
        self.add_value(data, style, block.start, block.end);
        Some(())
    }

    /// Makes the lines as they are.
    fn literal(&mut self, first_line: usize, block: &Block) -> Option<()> {
        let text = self.out.source.text.get(first_line..block.last_end)?;
        let value = &mut self.out.doc.made;
        value.reserve(text.len() + 1);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
            value.push_str(text.get(start + block.indent..end).unwrap_or(""));
            value.push('\n');
            start = end + 1;
        }
        value.push_str(text.get(start + block.indent..).unwrap_or(""));
        Some(())
    }

    /// Makes the lines joined by blanks, and by line ends where lines are blank. Lines that stand further in
    /// than the first are kept as they are, and are not common.
    fn folded(&mut self, first_line: usize, block: &Block) -> Option<()> {
        let text = self.out.source.text.get(first_line..block.last_end)?;
        let value = &mut self.out.doc.made;
        let mut in_paragraph = false;
        for line in text.split('\n') {
            let line = line.get(block.indent..).unwrap_or("");
            if line.is_empty() {
                value.push('\n');
            } else if line.starts_with([' ', '\t']) {
                return None;
            } else if in_paragraph {
                value.push(' ');
            }
            value.push_str(line);
            in_paragraph = !line.is_empty();
        }
        Some(())
    }
}

/// A text with `\"`, `\\` and `\n` in it as what they stand for.
fn unescaped(text: &str) -> Box<str> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        out.push(match c {
            '\\' => match characters.next() {
                Some('n') => '\n',
                other => other.unwrap_or(c),
            },
            _ => c,
        });
    }
    out.into()
}

/// The lines of a `|` or `>` block.
struct Block {
    indent: usize,
    /// First byte that is no indentation.
    start: usize,
    /// The end of the last line that is not blank.
    last_end: usize,
    /// Where the parser has seen that it is over: the first byte of what follows.
    end: usize,
}

/// Line ends that a block keeps at its end.
#[derive(Clone, Copy)]
enum Keeps {
    Nothing,
    One,
    All,
}

pub(super) const EMPTY_SEQUENCE: Data = Data::Sequence { first: 0, count: 0 };
pub(super) const EMPTY_MAPPING: Data = Data::Mapping {
    first: 0,
    count: 0,
    merges: false,
};

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::super::Document;
    use super::*;
    use crate::source::{MemoryTree, RepoPath, Sources};

    /// Texts that are common, in which every branch of the reader has its turn.
    const TEXTS: [&str; 15] = [
        "",
        "# nothing\n\n",
        "---\na: b\n",
        "a: b\nc:\nd:   # x\n  e: 'f'\n  g: \"h\"\n\n# c\ni:\n- 1\n- x: y\n  z: w\n-\n- - q\n  - r\nj:\n  - k\n  -   l: m\n      n:\n",
        "o: |\n  text\n   more\n\n  end\n\n# after\np:\n  - run: |-\n      make: x # y\n\n\n      end\n  - |+\n    kept\n\n\n  - q\n",
        "q: [a, 'b', {c: d, e: [f]}]\nr: {}\ns: [] # none\nt: a b # c\nu: a#b\nv: http://x:8/[y]{z}\nw: -1\nx-y.z: ${{ a.b }}\n",
        "- a: 1\n\n  b: 2\n- c\n- 'it''s'\n- \"x # y: z\"\n- [ x , y ]\n",
        "name: ci\non:\n  push:\n    branches: [main]\n  pull_request:\njobs:\n  build:\n    runs-on: ubuntu-latest\n    container:\n      image: node:20\n    steps:\n      - uses: actions/checkout@v4\n      - name: Test\n        run: |\n          docker pull alpine:3\n\n          if true; then\n            make\n          fi\n        env:\n          A: 'b'\n          A: c\n",
        "version: 2.1\njobs:\n  build:\n    docker:\n    - image: cimg/go:1.22\n      auth:\n        username: $DOCKER_USER\n    steps:\n    - checkout\n    - run: go test ./...\n    - run:\n        name: é — “x”\n        command: |\n          a\n           b\n",
        "'k': v\n\"k2\": v\n12: x\n-z: y\n:a: b\n",
        "a: |\n\n\n  x\n\ty\n  z\t1\nb: c\n",
        "a: >\n  b c\n  d\n\n\n  e\nf:\n  - >-\n    g\n    h\n\n  - \"i \\\"j\\\" \\\\ \\n\"\n  - [{k: l:1}, \"m, n\"]\n  - >+\n\n    o\n\np: q\n",
        "x:\n  - - a: b\n      c: [d]\n    -\n      e: f\n  -\n    - g\n",
        "x-env: &env # c\n  A: &a 1\n  B: *a\njobs:\n  c: &c-1\n    <<: *env\n    d: &d [e, f]\n    g: &g |\n      h\n  i:\n    <<: [j]\n    k: &k 'l'\nm: *c-1\nn: *g # c\n",
        "a: &a\n- b\n- &b c\n- *b\n- &c\n  d: &b e\n- &e\n  - *b\n  - *a\nf: &f\n  - *c\ng:\n- &h {i: j}\n- &k \"l\"\n- *h\n",
    ];

    fn source(text: &str) -> Rc<Source> {
        Sources::new(&MemoryTree::new()).add(RepoPath::root(), text.to_owned())
    }

    fn as_common(source: &Rc<Source>) -> Option<Document> {
        let mut builder = Builder::new(source);
        read(&mut builder)?;
        assert!(builder.open.is_empty() && builder.scratch.is_empty());
        Some(builder.doc)
    }

    /// Whether the text is taken as common; if so, it must be read as the other reader reads it.
    fn is_taken(text: &str) -> bool {
        let source = source(text);
        let Some(document) = as_common(&source) else {
            return false;
        };
        let other = Document::parse_any(&source);
        assert!(
            other.as_ref().is_ok_and(|other| other.is_same(&document)),
            "{text:?}\n{document:?}\n{other:?}"
        );
        true
    }

    #[test]
    fn common_texts_are_taken_and_read_as_any_text_is() {
        let refused: Vec<&str> = TEXTS.into_iter().filter(|text| !is_taken(text)).collect();
        // A key may begin with a colon, and a tab may stand in front of a script's line: both are left
        // to the other reader.
        assert_eq!(refused, [TEXTS[9], TEXTS[10]]);
    }

    #[test]
    fn what_is_not_common_is_left_to_the_other_reader() {
        for text in [
            "a: *x\n",
            "a: &x\n",
            "a: &x\nb: c\n",
            "- &x a: b\n",
            "- &x - b\n",
            "- &x\n- b\n",
            "&x a: b\n",
            "a: &x b\n*x : c\n",
            "a: &x b\nc: &y *x\n",
            "a: &x b\nc: [*x]\n",
            "a: &x b\nc: *x d\n",
            "a: &é b\n",
            "a: !!str b\n",
            "a: >\n  b\n   c\n",
            "? a\n",
            "a: b\n  c\n",
            "a: 'b\n  c'\n",
            "a: \"b\\t\"\n",
            "a: [b,\n  c]\n",
            "a: b",
            "a: b\r\n",
            "a:\tb\n",
            "a: b\n---\nc: d\n",
            "%YAML 1.2\n",
            "a: |2\n  b\n",
            "a: |\n  b\n c\n",
            "a: b: c\n",
            "[a]\n",
            "a\n",
            "a: b\n- c\n",
            "- a\nb: c\n",
            " a: b\n",
            "\u{feff}a: b\n",
            "a: @b\n",
            "a: {b: c, d}\n",
            "a: [b: c]\n",
            "a: [-]\n",
            "{{ a }}: b\n",
        ] {
            assert!(!is_taken(text), "{text:?}");
        }
    }

    /// Changes texts at random, from a fixed beginning, and compares whatever is still taken.
    #[test]
    fn changed_texts_are_refused_or_read_as_any_text_is() {
        const PIECES: [&str; 40] = [
            "\n", " ", "  ", "    ", "\n  ", "\n    ", "- ", "-", ": ", ":", "#", " # c", "|",
            "|-\n", "|+\n", ">\n", "'", "\"", "''", "[", "]", "{", "}", ", ", ",", "&a ", "*a",
            "!t ", "<<: ", "? ", "\t", "\\", "é", "\u{2028}", "---\n", "a: b\n", "- x\n", "~", "%",
            "@",
        ];
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below.max(1)
        };
        let mut taken = 0;
        for round in 0..12_000 {
            let mut text = TEXTS[round % TEXTS.len()].to_owned();
            for _ in 0..=draw(3) {
                let boundaries: Vec<usize> = (0..=text.len())
                    .filter(|&i| text.is_char_boundary(i))
                    .collect();
                let from = draw(boundaries.len());
                let to = (from + draw(4)).min(boundaries.len() - 1);
                text.replace_range(boundaries[from]..boundaries[to], PIECES[draw(PIECES.len())]);
            }
            taken += usize::from(is_taken(&text));
        }
        assert!(taken > 1_000, "{taken}");
    }
}
