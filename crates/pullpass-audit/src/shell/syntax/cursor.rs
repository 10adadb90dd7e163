//! The cursor keeps the two promises everything else relies on: it never
//! looks outside the text, and every step back is paid for from a budget that
//! is proportional to the text, so hostile input cannot buy quadratic time.

use super::ast::{ParseError, Span};
use super::heredoc::Slot;

/// Constructs nested deeper than this become opaque.
pub const MAX_DEPTH: u32 = 64;

/// More errors than this tell a reader nothing new.
const MAX_ERRORS: usize = 256;

/// Which closing tokens belong to something that is still open. A closer that
/// belongs to nothing is stepped over; one that belongs to an outer construct
/// ends the inner ones, so one missing `done` does not swallow the script.
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    pub paren: bool,
    pub ifs: u32,
    pub loops: u32,
    pub cases: u32,
    pub braces: u32,
}

/// State shared with the sub-parser of a backtick substitution.
#[derive(Default)]
pub(super) struct Shared {
    pub errors: Vec<ParseError>,
    pub docs: Vec<Slot>,
    pub fuel: usize,
    pub depth: u32,
    pub too_deep: bool,
}

pub(super) struct Parser<'t> {
    pub text: &'t str,
    /// Original offset of every byte when `text` is an unescaped copy.
    pub map: Option<Vec<u32>>,
    pub pos: usize,
    pub end: usize,
    pub open: Open,
    /// Here-documents before this one have been read.
    pub next_doc: usize,
    pub shared: Shared,
}

/// A place to come back to.
pub(super) struct Mark {
    pos: usize,
    errors: usize,
    docs: usize,
    next_doc: usize,
}

impl<'t> Parser<'t> {
    pub(crate) fn new(text: &'t str, map: Option<Vec<u32>>, shared: Shared) -> Self {
        Parser {
            text,
            map,
            pos: 0,
            end: text.len(),
            open: Open::default(),
            next_doc: shared.docs.len(),
            shared,
        }
    }

    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        if at < self.end {
            self.text.as_bytes().get(at).copied()
        } else {
            None
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.byte(self.pos)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.byte(self.pos + ahead)
    }

    pub(crate) fn at_end(&self) -> bool {
        self.pos >= self.end
    }

    pub(crate) fn slice(&self, start: usize, end: usize) -> &'t str {
        self.text.get(start..end.min(self.end)).unwrap_or("")
    }

    pub(crate) fn starts_with(&self, token: &str) -> bool {
        self.text
            .as_bytes()
            .get(self.pos..self.end)
            .is_some_and(|rest| rest.starts_with(token.as_bytes()))
    }

    pub(crate) fn char_at(&self, at: usize) -> Option<char> {
        if at >= self.end {
            return None;
        }
        self.text.get(at..self.end)?.chars().next()
    }

    /// Steps over one character, so that no loop can stand still.
    pub(crate) fn bump(&mut self) {
        self.pos += self.char_at(self.pos).map_or(1, char::len_utf8);
    }

    pub(crate) fn original(&self, at: usize) -> u32 {
        match &self.map {
            Some(map) => map.get(at).or(map.last()).copied().unwrap_or(0),
            None => u32::try_from(at).unwrap_or(u32::MAX),
        }
    }

    /// A span of the original text, widened to whole characters: reports
    /// slice by it.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let (mut start, mut end) = (start.min(self.end), end.min(self.end));
        while !self.text.is_char_boundary(start) {
            start = start.saturating_sub(1);
        }
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Span {
            start: self.original(start),
            end: self.original(end.max(start)),
        }
    }

    pub(crate) fn error(&mut self, start: usize, end: usize, message: &'static str) {
        if self.shared.errors.len() < MAX_ERRORS {
            let span = self.span(start, end);
            self.shared.errors.push(ParseError { span, message });
        }
    }

    /// Length of the line end at `at`; 0 when there is none. A `\r` that ends
    /// the text counts, as what followed it may have been cut off.
    pub(crate) fn newline_len(&self, at: usize) -> usize {
        match self.byte(at) {
            Some(b'\n') => 1,
            Some(b'\r') => match self.byte(at + 1) {
                Some(b'\n') => 2,
                None => 1,
                _ => 0,
            },
            _ => 0,
        }
    }

    /// Offset of the line end at or after `at`, or the end of the text.
    pub(crate) fn line_end(&self, at: usize) -> usize {
        let mut at = at;
        while at < self.end && self.newline_len(at) == 0 {
            at += 1;
        }
        at
    }

    /// Length of a backslash-newline at `at`; 0 when there is none.
    pub(crate) fn continuation_len(&self, at: usize) -> usize {
        if self.byte(at) == Some(b'\\') {
            match self.newline_len(at + 1) {
                0 => 0,
                n => n + 1,
            }
        } else {
            0
        }
    }

    pub(crate) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.pos += 1,
                Some(b'\\') => match self.continuation_len(self.pos) {
                    0 => return,
                    n => self.pos += n,
                },
                _ => return,
            }
        }
    }

    /// Skips a comment up to its line end. Only valid where a word may start.
    pub(crate) fn skip_comment(&mut self) {
        if self.peek() == Some(b'#') {
            self.pos = self.line_end(self.pos);
        }
    }

    /// Skips one line end and the here-documents that follow it.
    pub(crate) fn newline(&mut self) -> bool {
        match self.newline_len(self.pos) {
            0 => false,
            n => {
                self.pos += n;
                self.read_heredocs();
                true
            }
        }
    }

    /// Skips blanks, comments and line ends.
    pub(crate) fn linebreak(&mut self) {
        loop {
            self.skip_blanks();
            self.skip_comment();
            if !self.newline() {
                return;
            }
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            pos: self.pos,
            errors: self.shared.errors.len(),
            docs: self.shared.docs.len(),
            next_doc: self.next_doc,
        }
    }

    /// Takes `cost` from the budget for looking at text twice.
    pub(crate) fn spend(&mut self, cost: usize) -> bool {
        if cost <= self.shared.fuel {
            self.shared.fuel -= cost;
            true
        } else {
            false
        }
    }

    /// Goes back to `mark`, unless the budget is used up.
    pub(crate) fn rewind(&mut self, mark: &Mark) -> bool {
        let reread = self.shared.docs.len().saturating_sub(mark.next_doc);
        if !self.spend(self.pos.saturating_sub(mark.pos) + reread + 1) {
            return false;
        }
        self.pos = mark.pos;
        self.shared.errors.truncate(mark.errors);
        self.shared.docs.truncate(mark.docs);
        self.next_doc = mark.next_doc;
        for slot in self.shared.docs.iter_mut().skip(mark.next_doc) {
            slot.reopen();
        }
        true
    }

    /// Runs `inner` one level deeper, or not at all at the limit.
    pub(crate) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.shared.depth >= MAX_DEPTH {
            self.shared.too_deep = true;
            return None;
        }
        self.shared.depth += 1;
        let result = inner(self);
        self.shared.depth -= 1;
        Some(result)
    }

    /// Runs `inner` on `start..end` only, and leaves the cursor behind it.
    pub(crate) fn within<T>(
        &mut self,
        start: usize,
        end: usize,
        inner: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let outer_end = self.end;
        let outer_open = std::mem::take(&mut self.open);
        self.pos = start;
        self.end = end.min(outer_end);
        let result = inner(self);
        self.pos = self.end;
        self.end = outer_end;
        self.open = outer_open;
        result
    }

    /// Offset behind the `)` that matches one already passed, without
    /// recursion. `None` when there is none or the budget is used up.
    pub(crate) fn balanced(&mut self, from: usize) -> Option<usize> {
        self.flat_scan(from, |_, _| true)
    }

    /// Offset of the `))` that closes an arithmetic expression; `None` when
    /// the parentheses turn out to be subshells.
    pub(crate) fn arith_end(&mut self, from: usize) -> Option<usize> {
        let end = self.flat_scan(from, |parser, at| parser.byte(at + 1) == Some(b')'))?;
        Some(end - 1)
    }

    fn flat_scan(&mut self, from: usize, accept: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let mut at = from;
        let mut depth = 0usize;
        let mut found = None;
        let limit = self.end.min(from.saturating_add(self.shared.fuel));
        while at < limit {
            match self.byte(at) {
                Some(b'\\') => at += 1,
                Some(quote @ (b'\'' | b'"')) => {
                    if let Some(close) = self.find_quote(at + 1, quote, limit) {
                        at = close;
                    }
                }
                Some(b'(') => depth += 1,
                Some(b')') => {
                    if depth == 0 {
                        if accept(self, at) {
                            found = Some(at + 1);
                        }
                        break;
                    }
                    depth -= 1;
                }
                _ => {}
            }
            at += 1;
        }
        let cost = at.min(limit).saturating_sub(from) + 1;
        self.shared.fuel = self.shared.fuel.saturating_sub(cost);
        found
    }

    fn find_quote(&self, from: usize, quote: u8, limit: usize) -> Option<usize> {
        let mut at = from;
        while at < limit {
            match self.byte(at) {
                Some(b'\\') if quote == b'"' => at += 1,
                Some(b) if b == quote => return Some(at),
                _ => {}
            }
            at += 1;
        }
        None
    }
}

/// Characters that end an unquoted word.
pub(super) const fn is_meta(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}
