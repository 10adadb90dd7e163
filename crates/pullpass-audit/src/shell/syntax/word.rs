//! Words are where a wrong guess turns data into commands or hides commands in
//! data, so quoting is followed exactly and an unclosed quote is confined to
//! its line instead of swallowing the rest of the script.

use std::borrow::Cow;

use ecow::EcoString;

use super::ast::{Part, PartKind, Pieces, ProcessDir, Word};
use super::cursor::{Open, Parser, is_meta};

/// What may be more than itself in a word, or ends it.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] = is_meta(byte as u8)
            || matches!(
                byte as u8,
                b'\\'
                    | b'\''
                    | b'"'
                    | b'`'
                    | b'$'
                    | b'*'
                    | b'?'
                    | b'['
                    | b'+'
                    | b'@'
                    | b'!'
                    | b':'
                    | b'\r'
            );
        byte += 1;
    }
    special
};

/// Collects the parts of a word, merging runs of plain text.
#[derive(Default)]
pub(super) struct Parts {
    done: Pieces,
    text: EcoString,
    start: usize,
    end: usize,
}

impl Parts {
    pub(crate) fn text(&mut self, start: usize, end: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.text.is_empty() {
            self.start = start;
        }
        self.text.push_str(text);
        self.end = end;
    }

    pub(crate) fn flush(&mut self, parser: &Parser<'_>) {
        if !self.text.is_empty() {
            let kind = PartKind::Literal(std::mem::take(&mut self.text));
            let span = parser.span(self.start, self.end);
            self.done.push(Part { kind, span });
        }
    }

    /// Adds a part that began at `start` and ends at the cursor.
    pub(crate) fn part(&mut self, parser: &Parser<'_>, start: usize, kind: PartKind) {
        self.flush(parser);
        let span = parser.span(start, parser.pos);
        self.done.push(Part { kind, span });
    }

    pub(crate) fn finish(mut self, parser: &Parser<'_>) -> Pieces {
        self.flush(parser);
        self.done
    }
}

/// Where an unquoted word stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WordPlace {
    /// The first word of a command, where `!(` is a negated subshell.
    Command,
    /// An argument, pattern, or redirection target.
    Argument,
    /// The value of an assignment: `~` also follows `:`.
    Value,
    /// Right of `=~`: parentheses and `|` belong to the word.
    Regex,
}

impl Parser<'_> {
    /// An unquoted word at the cursor; it has no parts if none starts here.
    pub(crate) fn word(&mut self, place: WordPlace) -> Word {
        let start = self.pos;
        let mut parts = Parts::default();
        self.word_parts(place, &mut parts);
        let mut parts = parts.finish(self);
        demote_brackets(&mut parts);
        let end = self.pos;
        Word {
            parts,
            span: self.span(start, end),
        }
    }

    pub(crate) fn word_parts(&mut self, place: WordPlace, parts: &mut Parts) {
        let word_start = self.pos;
        let mut tilde_ok = true;
        let mut regex_depth = 0u32;
        while let Some(byte) = self.peek() {
            let start = self.pos;
            let tilde_here = std::mem::replace(&mut tilde_ok, false);
            match byte {
                b'\\' => self.escape(parts),
                b'\'' => self.single_quote(parts),
                b'"' => self.double_quote(parts),
                b'`' => self.backtick(false, parts),
                b'$' => self.dollar(false, parts),
                b'<' | b'>' if self.peek_at(1) == Some(b'(') && place != WordPlace::Regex => {
                    self.process_subst(byte, parts);
                }
                b'(' | b')' | b'|' | b'<' | b'>' | b'&' | b';' if place == WordPlace::Regex => {
                    if byte == b'(' {
                        regex_depth += 1;
                    } else if byte == b')' {
                        regex_depth = match regex_depth.checked_sub(1) {
                            Some(depth) => depth,
                            None => return,
                        };
                    } else if regex_depth == 0 && matches!(byte, b'&' | b';' | b'<' | b'>') {
                        return;
                    }
                    self.plain(1, parts);
                }
                b' ' | b'\t' if place == WordPlace::Regex && regex_depth > 0 => {
                    self.plain(1, parts);
                }
                b if is_meta(b) => return,
                b'\r' if self.newline_len(start) > 0 => return,
                b'?' | b'*' | b'+' | b'@' | b'!'
                    if self.peek_at(1) == Some(b'(')
                        && place != WordPlace::Regex
                        && !(place == WordPlace::Command && start == word_start) =>
                {
                    if !self.ext_glob(parts) {
                        self.glob_or_plain(byte, parts);
                    }
                }
                b'*' | b'?' | b'[' if place != WordPlace::Regex => self.glob_or_plain(byte, parts),
                b'~' if tilde_here => self.tilde(parts),
                b':' if place == WordPlace::Value => {
                    self.plain(1, parts);
                    tilde_ok = true;
                }
                _ => self.plain_run(parts),
            }
            // A guard, not a branch that is expected to be taken.
            if self.pos <= start {
                self.bump();
            }
        }
    }

    fn plain(&mut self, len: usize, parts: &mut Parts) {
        let start = self.pos;
        self.pos += len;
        parts.text(start, self.pos, self.slice(start, self.pos));
    }

    fn plain_run(&mut self, parts: &mut Parts) {
        let start = self.pos;
        self.bump();
        let rest = self.text.as_bytes().get(self.pos..self.end);
        let plain = |&byte: &u8| !SPECIAL.get(byte as usize).is_some_and(|&special| special);
        let rest = rest.unwrap_or_default();
        self.pos += rest
            .iter()
            .position(|byte| !plain(byte))
            .unwrap_or(rest.len());
        parts.text(start, self.pos, self.slice(start, self.pos));
    }

    fn glob_or_plain(&mut self, byte: u8, parts: &mut Parts) {
        if matches!(byte, b'*' | b'?' | b'[') {
            let start = self.pos;
            self.pos += 1;
            parts.part(self, start, PartKind::Glob(char::from(byte)));
        } else {
            self.plain(1, parts);
        }
    }

    fn ext_glob(&mut self, parts: &mut Parts) -> bool {
        let start = self.pos;
        let Some(end) = self.balanced(start + 2) else {
            return false;
        };
        // An unclosed pattern must not run on to some later parenthesis.
        if !self.breaks_at_bars(start, end) {
            return false;
        }
        self.pos = end;
        let text = self.slice(start, end).into();
        parts.part(self, start, PartKind::ExtGlob(text));
        true
    }

    /// Whether every line end in `start..end` stands next to a `|` or a
    /// parenthesis, as in a long pattern that somebody wrapped.
    fn breaks_at_bars(&self, start: usize, end: usize) -> bool {
        let mut lines = self.slice(start, end).split('\n').peekable();
        while let Some(line) = lines.next() {
            let Some(next) = lines.peek() else { break };
            if !line.trim_end().ends_with(['|', '(']) && !next.trim_start().starts_with(['|', ')'])
            {
                return false;
            }
        }
        true
    }

    fn tilde(&mut self, parts: &mut Parts) {
        let start = self.pos;
        let mut at = start + 1;
        while let Some(b) = self.byte(at) {
            if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'.') {
                at += 1;
            } else {
                break;
            }
        }
        let ends = match self.byte(at) {
            None | Some(b'/' | b':') => true,
            Some(b) => is_meta(b) || self.newline_len(at) > 0,
        };
        if ends {
            self.pos = at;
            let user = self.slice(start + 1, at).to_owned();
            parts.part(self, start, PartKind::Tilde(user));
        } else {
            self.plain_run(parts);
        }
    }

    pub(crate) fn escape(&mut self, parts: &mut Parts) {
        let start = self.pos;
        match self.continuation_len(start) {
            0 => match self.char_at(start + 1) {
                Some(c) => {
                    self.pos = start + 1 + c.len_utf8();
                    parts.part(self, start, PartKind::Escaped(c));
                }
                None => self.plain(1, parts),
            },
            n => self.pos = start + n,
        }
    }

    /// Makes the rest of the line opaque, because what started at `start`
    /// never ends.
    pub(crate) fn opaque_line(&mut self, start: usize, why: &'static str, parts: &mut Parts) {
        self.pos = self.line_end(start);
        self.error(start, self.pos, why);
        let text = self.slice(start, self.pos).to_owned();
        parts.part(self, start, PartKind::Opaque { text, why });
    }

    pub(crate) fn single_quote(&mut self, parts: &mut Parts) {
        let start = self.pos;
        let mut at = start + 1;
        loop {
            match self.byte(at) {
                Some(b'\'') => break,
                Some(_) => at += 1,
                // No later quote can exist either, so this happens only once
                // for a given end of text.
                None => return self.opaque_line(start, "unterminated single quote", parts),
            }
        }
        self.pos = at + 1;
        let text = unix_lines(self.slice(start + 1, at));
        parts.part(self, start, PartKind::SingleQuoted(text.into()));
    }

    pub(crate) fn double_quote(&mut self, parts: &mut Parts) {
        let start = self.pos;
        let mark = self.mark();
        self.pos += 1;
        let inner = self.quoted_parts(true, false);
        if self.peek() == Some(b'"') {
            self.pos += 1;
        } else if self.rewind(&mark) {
            return self.opaque_line(start, "unterminated double quote", parts);
        } else {
            self.error(start, start + 1, "unterminated double quote");
        }
        parts.part(self, start, PartKind::DoubleQuoted(inner));
    }

    /// Text in which only `\`, `$` and backticks are special: up to the
    /// closing `"` if `quote`, else to the end (here-documents, arithmetic).
    pub(crate) fn quoted_parts(&mut self, quote: bool, strip_tabs: bool) -> Vec<Part> {
        let mut parts = Parts::default();
        if strip_tabs {
            self.skip_tabs();
        }
        while let Some(byte) = self.peek() {
            let start = self.pos;
            match byte {
                b'"' if quote => break,
                b'\\' => {
                    let continuation = self.continuation_len(start);
                    if continuation > 0 {
                        self.pos += continuation;
                        if strip_tabs {
                            self.skip_tabs();
                        }
                    } else {
                        match self.byte(start + 1) {
                            Some(b @ (b'$' | b'`' | b'\\')) => self.unescaped(b, &mut parts),
                            Some(b'"') if quote => self.unescaped(b'"', &mut parts),
                            _ => self.plain(1, &mut parts),
                        }
                    }
                }
                b'$' => self.dollar(true, &mut parts),
                b'`' => self.backtick(quote, &mut parts),
                b'\r' | b'\n' if self.newline_len(start) > 0 => {
                    self.pos += self.newline_len(start);
                    parts.text(start, self.pos, "\n");
                    if strip_tabs {
                        self.skip_tabs();
                    }
                }
                _ => {
                    self.bump();
                    while let Some(b) = self.peek() {
                        if matches!(b, b'"' | b'\\' | b'$' | b'`' | b'\r' | b'\n') {
                            break;
                        }
                        self.pos += 1;
                    }
                    parts.text(start, self.pos, self.slice(start, self.pos));
                }
            }
            if self.pos <= start {
                self.bump();
            }
        }
        parts.finish(self).into_vec()
    }

    fn skip_tabs(&mut self) {
        while self.peek() == Some(b'\t') {
            self.pos += 1;
        }
    }

    fn unescaped(&mut self, byte: u8, parts: &mut Parts) {
        let start = self.pos;
        self.pos += 2;
        let mut buffer = [0u8; 4];
        parts.text(start, self.pos, char::from(byte).encode_utf8(&mut buffer));
    }

    /// The list inside `$(`, `<(` or `(`, with the cursor behind the opening
    /// parenthesis. `None` at the nesting limit.
    pub(crate) fn paren_list(&mut self, opened: usize) -> Option<super::ast::List> {
        self.nested(|p| {
            let outer = std::mem::take(&mut p.open);
            p.open = Open {
                paren: true,
                ..Open::default()
            };
            let list = p.list();
            p.open = outer;
            if p.peek() == Some(b')') {
                p.pos += 1;
            } else {
                p.error(opened, p.pos.min(opened + 2), "unterminated parenthesis");
            }
            list
        })
    }

    /// Steps over a too deeply nested construct that began at `start`, with
    /// the cursor behind its opening parenthesis.
    pub(crate) fn skip_parens(&mut self, start: usize) -> String {
        let inside = self.pos;
        self.pos = match self.balanced(inside) {
            Some(end) => end,
            None => self.line_end(inside),
        };
        self.error(start, self.pos, "nested too deeply");
        self.slice(start, self.pos).to_owned()
    }

    fn process_subst(&mut self, byte: u8, parts: &mut Parts) {
        let start = self.pos;
        self.pos += 2;
        let dir = if byte == b'<' {
            ProcessDir::In
        } else {
            ProcessDir::Out
        };
        let kind = match self.paren_list(start) {
            Some(list) => PartKind::ProcessSubst { dir, list },
            None => PartKind::Opaque {
                text: self.skip_parens(start),
                why: "nested too deeply",
            },
        };
        parts.part(self, start, kind);
    }
}

/// `\r\n` becomes `\n` in text that keeps its line ends.
pub(super) fn unix_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A `[` that no `]` follows is not a pattern: it is the test command, or text.
pub(super) fn demote_brackets(parts: &mut Pieces) {
    if !parts.iter().any(|part| part.kind == PartKind::Glob('[')) {
        return;
    }
    let mut closed = false;
    for part in parts.iter_mut().rev() {
        match &part.kind {
            PartKind::Literal(text) if text.contains(']') => closed = true,
            PartKind::Glob('[') if !closed => part.kind = PartKind::Literal("[".into()),
            _ => {}
        }
    }
    let mut merged = Pieces::with_capacity(parts.len());
    for part in parts.drain(..) {
        if let PartKind::Literal(text) = &part.kind
            && let Some(last) = merged.last_mut()
            && let PartKind::Literal(before) = &mut last.kind
            && last.span.end == part.span.start
        {
            before.push_str(text);
            last.span.end = part.span.end;
        } else {
            merged.push(part);
        }
    }
    *parts = merged;
}
