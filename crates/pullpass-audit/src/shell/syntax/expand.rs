//! `$` and backticks are the doors through which text becomes commands, and
//! the only places where words contain whole scripts; every door counts
//! towards the nesting limit.

use super::ast::{Anchor, List, ParamExpansion, ParamOp, Part, PartKind, Pieces, SubstStyle, Word};
use super::cursor::{Open, Parser};
use super::value::is_hole;
use super::word::{Parts, WordPlace, demote_brackets};

impl Parser<'_> {
    /// Whatever starts with the `$` at the cursor.
    pub(crate) fn dollar(&mut self, quoted: bool, parts: &mut Parts) {
        let start = self.pos;
        match self.peek_at(1) {
            Some(b'(') => self.dollar_paren(parts),
            Some(b'{') => self.braced(quoted, parts),
            Some(b'\'') if !quoted => self.ansi_quote(parts),
            Some(b'"') if !quoted => {
                self.pos += 1;
                self.double_quote(parts);
            }
            Some(b) if b == b'_' || b.is_ascii_alphabetic() => {
                let mut at = start + 2;
                while self
                    .byte(at)
                    .is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric())
                {
                    at += 1;
                }
                self.plain_param(at, parts);
            }
            Some(b) if b.is_ascii_digit() || is_special_param(b) => {
                self.plain_param(start + 2, parts);
            }
            _ => {
                self.pos += 1;
                parts.text(start, self.pos, "$");
            }
        }
    }

    fn plain_param(&mut self, end: usize, parts: &mut Parts) {
        let start = self.pos;
        self.pos = end;
        let name = self.slice(start + 1, end).to_owned();
        let param = ParamExpansion {
            name,
            index: None,
            indirect: false,
            op: ParamOp::None,
        };
        parts.part(self, start, PartKind::Param(Box::new(param)));
    }

    fn dollar_paren(&mut self, parts: &mut Parts) {
        let start = self.pos;
        if self.peek_at(2) == Some(b'(')
            && let Some(end) = self.arith_end(start + 3)
        {
            let (text, inner) = self.arith_inside(start + 3, end);
            let kind = PartKind::Arith { text, parts: inner };
            parts.part(self, start, kind);
            return;
        }
        self.pos += 2;
        let kind = match self.paren_list(start) {
            Some(list) => PartKind::Command {
                list,
                style: SubstStyle::Dollar,
            },
            None => PartKind::Opaque {
                text: self.skip_parens(start),
                why: "nested too deeply",
            },
        };
        parts.part(self, start, kind);
    }

    /// Takes an arithmetic expression apart and moves behind its `))`.
    pub(crate) fn arith_inside(&mut self, start: usize, end: usize) -> (String, Vec<Part>) {
        let text = self.slice(start, end).to_owned();
        let parts = self
            .nested(|p| p.within(start, end, |p| p.quoted_parts(false, false)))
            .unwrap_or_default();
        self.pos = end + 2;
        (text, parts)
    }

    pub(crate) fn backtick(&mut self, in_quotes: bool, parts: &mut Parts) {
        let start = self.pos;
        let mut at = start + 1;
        let mut escapes = false;
        loop {
            match self.byte(at) {
                Some(b'`') => break,
                Some(b'\\') => {
                    escapes = escapes
                        || match self.byte(at + 1) {
                            Some(b'`' | b'\\' | b'$') => true,
                            Some(b'"') => in_quotes,
                            _ => false,
                        };
                    at += 2;
                }
                Some(_) => at += 1,
                None => {
                    let why = "unterminated backtick";
                    if self.spend(at.saturating_sub(start)) {
                        return self.opaque_line(start, why, parts);
                    }
                    self.pos = self.end;
                    self.error(start, start + 1, why);
                    let text = self.slice(start, self.pos).to_owned();
                    return parts.part(self, start, PartKind::Opaque { text, why });
                }
            }
        }
        let list = self.nested(|p| {
            if escapes {
                p.unescaped_list(start + 1, at, in_quotes)
            } else {
                p.within(start + 1, at, |p| p.list())
            }
        });
        self.pos = at + 1;
        let kind = match list {
            Some(list) => PartKind::Command {
                list,
                style: SubstStyle::Backtick,
            },
            None => {
                self.error(start, self.pos, "nested too deeply");
                PartKind::Opaque {
                    text: self.slice(start, self.pos).to_owned(),
                    why: "nested too deeply",
                }
            }
        };
        parts.part(self, start, kind);
    }

    /// Parses the inside of backticks, one level of backslashes removed, and
    /// maps every span back to the original text.
    fn unescaped_list(&mut self, start: usize, end: usize, in_quotes: bool) -> List {
        let mut text = String::with_capacity(end - start);
        let mut map = Vec::with_capacity(end - start + 1);
        let mut at = start;
        while at < end {
            if self.byte(at) == Some(b'\\')
                && at + 1 < end
                && match self.byte(at + 1) {
                    Some(b'`' | b'\\' | b'$') => true,
                    Some(b'"') => in_quotes,
                    _ => false,
                }
            {
                at += 1;
            }
            let Some(c) = self.char_at(at) else { break };
            text.push(c);
            for _ in 0..c.len_utf8() {
                map.push(self.original(at));
                at += 1;
            }
        }
        map.push(self.original(end));
        let shared = std::mem::take(&mut self.shared);
        let outer_docs = shared.docs.len();
        let mut sub = Parser::new(&text, Some(map), shared);
        let list = sub.list();
        sub.close_heredocs(outer_docs);
        self.shared = sub.shared;
        list
    }

    /// `${...}`
    fn braced(&mut self, quoted: bool, parts: &mut Parts) {
        let start = self.pos;
        if self.peek_at(2) == Some(b'{')
            && let Some(end) = self.template_end(start + 3)
        {
            self.pos = end;
            let text = self.slice(start + 2, end - 1).to_owned();
            let param = ParamExpansion {
                name: String::new(),
                index: None,
                indirect: false,
                op: ParamOp::Other(text),
            };
            return parts.part(self, start, PartKind::Param(Box::new(param)));
        }
        let mark = self.mark();
        self.pos += 2;
        match self.nested(|p| p.braced_inside(quoted)) {
            Some(Some(param)) => {
                parts.part(self, start, PartKind::Param(Box::new(param)));
            }
            Some(None) => {
                let why = "unterminated ${";
                let reached = self.pos;
                if self.rewind(&mark) {
                    self.skip_to_blank();
                } else {
                    self.pos = reached;
                }
                self.opaque_from(start, why, parts);
            }
            None => {
                self.skip_to_blank();
                self.opaque_from(start, "nested too deeply", parts);
            }
        }
    }

    fn opaque_from(&mut self, start: usize, why: &'static str, parts: &mut Parts) {
        self.error(start, self.pos, why);
        let text = self.slice(start, self.pos).to_owned();
        parts.part(self, start, PartKind::Opaque { text, why });
    }

    /// Moves to the next blank, line end, quote or parenthesis, where an
    /// unclosed `${` is most likely to have been meant to end.
    fn skip_to_blank(&mut self) {
        self.pos = self.end.min(self.pos + 2);
        while let Some(b) = self.peek() {
            if matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b')' | b'`') {
                break;
            }
            self.pos += 1;
        }
    }

    /// Offset behind the `}}` of a `${{ ... }}` that nobody substituted.
    fn template_end(&mut self, from: usize) -> Option<usize> {
        let mut at = from;
        let limit = self.end.min(from.saturating_add(self.shared.fuel));
        while at < limit && self.newline_len(at) == 0 {
            if self.byte(at) == Some(b'}') && self.byte(at + 1) == Some(b'}') {
                return Some(at + 2);
            }
            at += 1;
        }
        self.spend(at.saturating_sub(from));
        None
    }

    /// Between `${` and `}`; moves behind the `}`. `None` when it never comes.
    fn braced_inside(&mut self, quoted: bool) -> Option<ParamExpansion> {
        let begin = self.pos;
        let mut length = false;
        let mut indirect = false;
        // `${#}`, `${#-x}` and `${#?x}` are about `$#`, not lengths.
        let prefix = self.peek();
        let named = self.param_name_len(begin + 1) > 0;
        match (prefix, self.peek_at(1)) {
            (Some(b'#'), Some(b'-' | b'?' | b'#')) if self.peek_at(2) != Some(b'}') => {}
            (Some(b'!'), Some(b'-' | b'?')) => {}
            (Some(b'#'), Some(_)) if named => length = true,
            (Some(b'!'), Some(_)) if named => indirect = true,
            _ => {}
        }
        if length || indirect {
            self.pos += 1;
        }
        let name_len = self.param_name_len(self.pos);
        let name = self.slice(self.pos, self.pos + name_len).to_owned();
        self.pos += name_len;
        let index = if self.peek() == Some(b'[') && name_len > 0 {
            self.pos += 1;
            let word = self.operand(false, b"]");
            if self.peek() != Some(b']') {
                return None;
            }
            self.pos += 1;
            Some(word)
        } else {
            None
        };
        let op = if name_len == 0 {
            self.other_op(false)?
        } else if length {
            if self.peek() != Some(b'}') {
                self.other_op(true)?
            } else {
                self.pos += 1;
                ParamOp::Length
            }
        } else {
            self.param_op(quoted)?
        };
        Some(ParamExpansion {
            name,
            index,
            indirect,
            op,
        })
    }

    fn param_name_len(&self, at: usize) -> usize {
        match self.char_at(at) {
            Some(c) if c == '_' || c.is_ascii_alphabetic() || is_hole(c) => {
                let mut end = at;
                while let Some(c) = self.char_at(end) {
                    if c == '_' || c.is_ascii_alphanumeric() || is_hole(c) {
                        end += c.len_utf8();
                    } else {
                        break;
                    }
                }
                end - at
            }
            Some(c) if c.is_ascii_digit() => {
                let mut end = at;
                while self.byte(end).is_some_and(|b| b.is_ascii_digit()) {
                    end += 1;
                }
                end - at
            }
            Some(c) if c.is_ascii() && u8::try_from(c).is_ok_and(is_special_param) => 1,
            _ => 0,
        }
    }

    fn param_op(&mut self, quoted: bool) -> Option<ParamOp> {
        let colon = self.peek() == Some(b':');
        let at = if colon { self.pos + 1 } else { self.pos };
        let next = self.byte(at)?;
        let doubled = self.byte(at + 1) == Some(next);
        let op = match next {
            b'}' if !colon => {
                self.pos += 1;
                return Some(ParamOp::None);
            }
            b'-' | b'=' | b'?' | b'+' => {
                self.pos = at + 1;
                let word = self.operand(quoted, b"}");
                match next {
                    b'-' => ParamOp::Default { colon, word },
                    b'=' => ParamOp::AssignDefault { colon, word },
                    b'?' => ParamOp::Error { colon, word },
                    _ => ParamOp::Alternative { colon, word },
                }
            }
            _ if colon => {
                self.pos = at;
                let offset = self.operand(false, b":}");
                let length = if self.peek() == Some(b':') {
                    self.pos += 1;
                    Some(self.operand(false, b"}"))
                } else {
                    None
                };
                ParamOp::Substring { offset, length }
            }
            b'#' | b'%' => {
                self.pos += if doubled { 2 } else { 1 };
                let pattern = self.operand(false, b"}");
                if next == b'#' {
                    ParamOp::RemovePrefix {
                        longest: doubled,
                        pattern,
                    }
                } else {
                    ParamOp::RemoveSuffix {
                        longest: doubled,
                        pattern,
                    }
                }
            }
            b'/' => self.replace_op(doubled),
            b'^' | b',' | b'~' => {
                self.pos += if doubled { 2 } else { 1 };
                ParamOp::Case {
                    op: char::from(next),
                    all: doubled,
                    pattern: self.operand(false, b"}"),
                }
            }
            _ => return self.other_op(true),
        };
        if self.peek() != Some(b'}') {
            return None;
        }
        self.pos += 1;
        Some(op)
    }

    fn replace_op(&mut self, doubled: bool) -> ParamOp {
        self.pos += if doubled { 2 } else { 1 };
        let anchor = match self.peek() {
            Some(b'#') if !doubled => Anchor::Start,
            Some(b'%') if !doubled => Anchor::End,
            _ => Anchor::None,
        };
        if anchor != Anchor::None {
            self.pos += 1;
        }
        let pattern = self.operand(false, b"/}");
        let with = if self.peek() == Some(b'/') {
            self.pos += 1;
            self.operand(false, b"}")
        } else {
            Word {
                parts: Pieces::new(),
                span: self.span(self.pos, self.pos),
            }
        };
        ParamOp::Replace {
            all: doubled,
            anchor,
            pattern,
            with,
        }
    }

    /// Whatever stands before the `}`. It must come on this line, and a known
    /// name must not be followed by a quote: `"${x"` is a missing brace.
    fn other_op(&mut self, named: bool) -> Option<ParamOp> {
        let start = self.pos;
        while let Some(b) = self.peek() {
            match b {
                b'}' => {
                    let text = self.slice(start, self.pos).to_owned();
                    self.pos += 1;
                    return Some(ParamOp::Other(text));
                }
                b'\n' => return None,
                b'"' | b'\'' | b' ' | b'`' if named => return None,
                _ => self.pos += 1,
            }
        }
        None
    }

    /// The operand of `${...}`, up to one of `stops` or the end of the text.
    fn operand(&mut self, quoted: bool, stops: &[u8]) -> Word {
        let begin = self.pos;
        let mut parts = Parts::default();
        while let Some(byte) = self.peek() {
            let start = self.pos;
            match byte {
                b if stops.contains(&b) => break,
                // A slip such as `${a[0}` must not run through the script.
                b'}' if stops == b"]" => break,
                b'\\' => self.escape(&mut parts),
                b'\'' if !quoted => self.single_quote(&mut parts),
                b'"' => self.double_quote(&mut parts),
                b'`' => self.backtick(false, &mut parts),
                b'$' => self.dollar(quoted, &mut parts),
                b'*' | b'?' | b'[' if !quoted => {
                    self.pos += 1;
                    parts.part(self, start, PartKind::Glob(char::from(byte)));
                }
                b'~' if !quoted && start == begin => {
                    self.pos += 1;
                    parts.part(self, start, PartKind::Tilde(String::new()));
                }
                b'\r' if self.newline_len(start) == 2 => {
                    self.pos += 2;
                    parts.text(start, self.pos, "\n");
                }
                _ => {
                    self.bump();
                    parts.text(start, self.pos, self.slice(start, self.pos));
                }
            }
            if self.pos <= start {
                self.bump();
            }
        }
        let mut parts = parts.finish(self);
        demote_brackets(&mut parts);
        Word {
            parts,
            span: self.span(begin, self.pos),
        }
    }

    /// `[index]` of an assignment, with the cursor at the `[`, if an `=` or
    /// `+=` follows it on the same line.
    pub(crate) fn assignment_index(&mut self) -> Option<Word> {
        let start = self.pos;
        let mut at = start + 1;
        let mut depth = 0usize;
        loop {
            match self.byte(at) {
                None | Some(b'\n') => break,
                Some(b'\\') => at += 1,
                Some(b'[') => depth += 1,
                Some(b']') if depth == 0 => break,
                Some(b']') => depth -= 1,
                _ => {}
            }
            at += 1;
            if at - start > 1024 {
                break;
            }
        }
        if !self.spend(at - start) || self.byte(at) != Some(b']') {
            return None;
        }
        match (self.byte(at + 1), self.byte(at + 2)) {
            (Some(b'='), _) | (Some(b'+'), Some(b'=')) => {}
            _ => return None,
        }
        let index = self.nested(|p| p.within(start + 1, at, |p| p.operand(false, b"")))?;
        self.pos = at + 1;
        Some(index)
    }

    /// `( ... )` after `NAME=`, with the cursor at the parenthesis.
    pub(crate) fn array(&mut self) -> Vec<Word> {
        let start = self.pos;
        let mark = self.mark();
        self.pos += 1;
        let outer = self.open;
        self.open = Open {
            paren: true,
            ..Open::default()
        };
        let words = self.nested(Self::array_words);
        self.open = outer;
        match words {
            Some(words) if self.peek() == Some(b')') => {
                self.pos += 1;
                words
            }
            Some(words) => {
                let words = if self.rewind(&mark) {
                    let end = self.line_end(start);
                    self.within(start + 1, end, Self::array_words)
                } else {
                    words
                };
                self.error(start, self.pos, "unterminated array");
                words
            }
            None => {
                self.skip_parens(start);
                Vec::new()
            }
        }
    }

    fn array_words(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        loop {
            self.linebreak();
            match self.peek() {
                None | Some(b')') => return words,
                _ => {}
            }
            let before = self.pos;
            let word = self.word(WordPlace::Argument);
            if self.pos > before {
                words.push(word);
            } else {
                self.error(before, before + 1, "unexpected operator in array");
                self.bump();
            }
        }
    }
}

fn is_special_param(byte: u8) -> bool {
    matches!(byte, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
}
