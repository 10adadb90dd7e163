//! A here-document's body stands away from its redirection, on the lines after
//! the next line end. Bodies are therefore kept aside while parsing and put
//! into the tree at the end; read as commands they would be false findings.

use std::borrow::Cow;
use std::rc::Rc;

use super::ast::{
    AndOr, AssignValue, Command, CommandKind, HereDoc, List, ParamExpansion, ParamOp, Part,
    PartKind, Redirect, RedirectTarget, Span, Word,
};
use super::cursor::{Parser, is_meta};
use super::word::unix_lines;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Read,
    /// Belongs to a finished sub-parser; going back does not reopen it.
    Closed,
}

/// A here-document whose redirection has been seen.
pub(super) struct Slot {
    delimiter: String,
    quoted: bool,
    strip_tabs: bool,
    state: State,
    body: Vec<Part>,
    body_span: Span,
    terminated: bool,
}

impl Slot {
    pub(crate) fn reopen(&mut self) {
        if self.state == State::Read {
            self.state = State::Waiting;
            self.body = Vec::new();
            self.terminated = false;
        }
    }
}

impl Parser<'_> {
    /// The delimiter behind `<<` or `<<-`. Until the end of parsing,
    /// `body_span.start` of the result is the number of its slot.
    pub(crate) fn heredoc_start(&mut self, strip_tabs: bool) -> HereDoc {
        self.skip_blanks();
        let start = self.pos;
        let mut delimiter = String::new();
        let mut quoted = false;
        while let Some(byte) = self.peek() {
            if is_meta(byte) || self.newline_len(self.pos) > 0 {
                break;
            }
            match byte {
                b'\\' if self.continuation_len(self.pos) > 0 => {
                    self.pos += self.continuation_len(self.pos);
                    continue;
                }
                b'\\' => {
                    quoted = true;
                    self.pos += 1;
                    let escaped = self.pos;
                    if escaped < self.end {
                        self.bump();
                    }
                    delimiter.push_str(self.slice(escaped, self.pos));
                }
                b'\'' | b'"' => {
                    quoted = true;
                    self.pos += 1;
                    let inside = self.pos;
                    while let Some(b) = self.peek() {
                        if b == byte || self.newline_len(self.pos) > 0 {
                            break;
                        }
                        self.pos += 1;
                    }
                    delimiter.push_str(self.slice(inside, self.pos));
                    if self.peek() == Some(byte) {
                        self.pos += 1;
                    }
                }
                _ => {
                    let from = self.pos;
                    self.bump();
                    delimiter.push_str(self.slice(from, self.pos));
                }
            }
        }
        let id = u32::try_from(self.shared.docs.len()).unwrap_or(u32::MAX);
        let missing = self.pos == start;
        if missing {
            self.error(start, start, "missing here-document delimiter");
        }
        self.shared.docs.push(Slot {
            delimiter: delimiter.clone(),
            quoted,
            strip_tabs,
            // Without a delimiter there is nothing to wait for.
            state: if missing {
                State::Closed
            } else {
                State::Waiting
            },
            body: Vec::new(),
            body_span: self.span(start, start),
            terminated: false,
        });
        HereDoc {
            delimiter,
            quoted,
            body: Vec::new(),
            body_span: Span { start: id, end: id },
            terminated: false,
        }
    }

    /// Reads the bodies that start at the cursor, just behind a line end.
    pub(crate) fn read_heredocs(&mut self) {
        let first = self.next_doc;
        let last = self.shared.docs.len();
        if first >= last {
            return;
        }
        // All bodies are located before any is taken apart, so that a
        // here-document inside one cannot claim the lines of the next.
        let mut ranges = Vec::new();
        for id in first..last {
            let Some(slot) = self.shared.docs.get_mut(id) else {
                break;
            };
            if slot.state != State::Waiting {
                continue;
            }
            slot.state = State::Read;
            let delimiter = slot.delimiter.clone();
            let strip_tabs = slot.strip_tabs;
            let start = self.pos;
            let (end, found) = self.find_delimiter(&delimiter, strip_tabs);
            let body_span = self.span(start, end);
            if !found {
                self.error(start, start, "unterminated here-document");
            }
            if let Some(slot) = self.shared.docs.get_mut(id) {
                slot.terminated = found;
                slot.body_span = body_span;
            }
            ranges.push((id, start, end));
        }
        self.next_doc = last;
        let resume = self.pos;
        for (id, start, end) in ranges {
            let body = self.heredoc_body(id, start, end);
            if let Some(slot) = self.shared.docs.get_mut(id) {
                slot.body = body;
            }
        }
        self.pos = resume;
    }

    fn heredoc_body(&mut self, id: usize, start: usize, end: usize) -> Vec<Part> {
        if start >= end {
            return Vec::new();
        }
        let Some((quoted, strip_tabs)) = self
            .shared
            .docs
            .get(id)
            .map(|slot| (slot.quoted, slot.strip_tabs))
        else {
            return Vec::new();
        };
        if !quoted {
            let inner = self.shared.docs.len();
            let parts = self.nested(|p| {
                let parts = p.within(start, end, |p| p.quoted_parts(false, strip_tabs));
                p.close_heredocs(inner);
                parts
            });
            if let Some(parts) = parts {
                return parts;
            }
        }
        let raw = unix_lines(self.slice(start, end));
        let text = if strip_tabs {
            let mut text = String::with_capacity(raw.len());
            for line in raw.split_inclusive('\n') {
                text.push_str(line.trim_start_matches('\t'));
            }
            Cow::Owned(text)
        } else {
            raw
        };
        let kind = if quoted {
            PartKind::Literal(text.as_ref().into())
        } else {
            let why = "nested too deeply";
            let text = text.into_owned();
            PartKind::Opaque { text, why }
        };
        let span = self.span(start, end);
        vec![Part { kind, span }]
    }

    /// Gives up waiting for the here-documents from `first` on.
    pub(crate) fn close_heredocs(&mut self, first: usize) {
        for slot in self.shared.docs.iter_mut().skip(first) {
            slot.state = State::Closed;
        }
        self.next_doc = self.shared.docs.len();
    }

    /// Moves behind the delimiter line; returns where the body ends, and
    /// whether there was such a line.
    fn find_delimiter(&mut self, delimiter: &str, strip_tabs: bool) -> (usize, bool) {
        let mut glued = None;
        let mut line = self.pos;
        while line < self.end {
            let line_end = self.line_end(line);
            let mut text = self.slice(line, line_end);
            if strip_tabs {
                text = text.trim_start_matches('\t');
            }
            if text == delimiter {
                // The line end stays: it separates commands, and must not
                // be mistaken for the one that starts here-documents.
                self.pos = line_end + self.newline_len(line_end);
                return (line, true);
            }
            if glued.is_none()
                && self.open.paren
                && let Some(rest) = text.strip_prefix(delimiter)
                && rest.starts_with(')')
            {
                glued = Some((line, line_end - rest.len()));
            }
            // Behind `EOF)` the search is for a better end, and that text is read again as commands.
            if glued.is_some() && !self.spend(line_end - line + 1) {
                break;
            }
            line = line_end + self.newline_len(line_end).max(1);
        }
        // `EOF)` closes both for the shells that people tested with.
        if let Some((body_end, resume)) = glued {
            self.pos = resume;
            return (body_end, true);
        }
        self.pos = self.end;
        (self.end, false)
    }

    /// Puts the bodies into the tree.
    pub(crate) fn fill_heredocs(&mut self, items: &mut [AndOr]) {
        let mut docs = std::mem::take(&mut self.shared.docs);
        if !docs.is_empty() {
            Filler { docs: &mut docs }.items(items);
        }
    }
}

struct Filler<'d> {
    docs: &'d mut [Slot],
}

impl Filler<'_> {
    fn list(&mut self, list: &mut List) {
        self.items(&mut list.items);
    }

    fn items(&mut self, items: &mut [AndOr]) {
        for item in items {
            let rest = item.rest.iter_mut().map(|(_, pipeline)| pipeline);
            for pipeline in std::iter::once(&mut item.first).chain(rest) {
                for command in &mut pipeline.commands {
                    self.command(command);
                }
            }
        }
    }

    fn command(&mut self, command: &mut Command) {
        match &mut command.kind {
            CommandKind::Simple { assignments, words } => {
                for assignment in assignments {
                    if let Some(index) = &mut assignment.index {
                        self.word(index);
                    }
                    match &mut assignment.value {
                        AssignValue::Scalar(word) => self.word(word),
                        AssignValue::Array(words) => self.words(words),
                    }
                }
                self.words(words);
            }
            CommandKind::Subshell(list) | CommandKind::Group(list) => self.list(list),
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for branch in branches {
                    self.list(&mut branch.cond);
                    self.list(&mut branch.body);
                }
                if let Some(list) = otherwise {
                    self.list(list);
                }
            }
            CommandKind::While { cond, body, .. } => {
                self.list(cond);
                self.list(body);
            }
            CommandKind::For { words, body, .. } | CommandKind::Select { words, body, .. } => {
                if let Some(words) = words {
                    self.words(words);
                }
                self.list(body);
            }
            CommandKind::ForArith { body, .. } => self.list(body),
            CommandKind::Case { word, arms } => {
                self.word(word);
                for arm in arms {
                    self.words(&mut arm.patterns);
                    self.list(&mut arm.body);
                }
            }
            CommandKind::Function { body, .. } => self.command(Rc::make_mut(body)),
            CommandKind::Coproc { body, .. } => self.command(body),
            CommandKind::Test(words) => self.words(words),
            CommandKind::Arith { parts, .. } => self.parts(parts),
            CommandKind::Opaque { .. } => {}
        }
        for redirect in &mut command.redirects {
            self.redirect(redirect);
        }
    }

    fn redirect(&mut self, redirect: &mut Redirect) {
        match &mut redirect.target {
            RedirectTarget::Word(word) => self.word(word),
            RedirectTarget::HereDoc(doc) => {
                let id = doc.body_span.start as usize;
                let Some(slot) = self.docs.get_mut(id) else {
                    doc.body_span = redirect.span;
                    return;
                };
                doc.body = std::mem::take(&mut slot.body);
                doc.body_span = slot.body_span;
                doc.terminated = slot.terminated;
                self.parts(&mut doc.body);
            }
        }
    }

    fn words(&mut self, words: &mut [Word]) {
        for word in words {
            self.word(word);
        }
    }

    fn word(&mut self, word: &mut Word) {
        self.parts(&mut word.parts);
    }

    fn parts(&mut self, parts: &mut [Part]) {
        for part in parts {
            match &mut part.kind {
                PartKind::DoubleQuoted(parts) | PartKind::Arith { parts, .. } => self.parts(parts),
                PartKind::Param(param) => self.param(param),
                PartKind::Command { list, .. } | PartKind::ProcessSubst { list, .. } => {
                    self.list(list);
                }
                PartKind::Array(words) => self.words(words),
                PartKind::Literal(_)
                | PartKind::Escaped(_)
                | PartKind::SingleQuoted(_)
                | PartKind::AnsiQuoted(_)
                | PartKind::Glob(_)
                | PartKind::ExtGlob(_)
                | PartKind::Tilde(_)
                | PartKind::Opaque { .. } => {}
            }
        }
    }

    fn param(&mut self, param: &mut ParamExpansion) {
        if let Some(index) = &mut param.index {
            self.word(index);
        }
        match &mut param.op {
            ParamOp::Default { word, .. }
            | ParamOp::AssignDefault { word, .. }
            | ParamOp::Error { word, .. }
            | ParamOp::Alternative { word, .. } => self.word(word),
            ParamOp::RemovePrefix { pattern, .. }
            | ParamOp::RemoveSuffix { pattern, .. }
            | ParamOp::Case { pattern, .. } => self.word(pattern),
            ParamOp::Replace { pattern, with, .. } => {
                self.word(pattern);
                self.word(with);
            }
            ParamOp::Substring { offset, length } => {
                self.word(offset);
                if let Some(length) = length {
                    self.word(length);
                }
            }
            ParamOp::None | ParamOp::Length | ParamOp::Other(_) => {}
        }
    }
}
