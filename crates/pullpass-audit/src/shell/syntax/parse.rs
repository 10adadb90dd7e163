//! Lists, pipelines and simple commands. The rule that keeps damage small: a
//! token that fits nowhere is reported and stepped over on its own, and the
//! next command starts right behind it.

use super::ast::{
    AndOr, AndOrOp, AssignValue, Assignment, Command, CommandKind, Fd, List, PartKind, Pieces,
    Pipeline, Redirect, RedirectOp, RedirectTarget, Script, Word,
};
pub use super::cursor::MAX_DEPTH;
use super::cursor::{Parser, Shared, is_meta};
use super::word::{Parts, WordPlace, demote_brackets};

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "if" | "then"
            | "elif"
            | "else"
            | "fi"
            | "while"
            | "until"
            | "for"
            | "select"
            | "do"
            | "done"
            | "case"
            | "esac"
            | "function"
            | "time"
            | "coproc"
            | "{"
            | "}"
            | "!"
            | "[["
            | "]]"
            | "in"
    )
}

/// Parses shell text. Never fails: what could not be understood is listed in
/// `errors` or stands in the tree as `Opaque`.
#[must_use]
pub fn parse(text: &str) -> Script {
    if u32::try_from(text.len()).is_err() {
        return Script {
            items: Vec::new(),
            errors: vec![super::ast::ParseError {
                span: super::ast::Span::default(),
                message: "text too large",
            }],
            too_deep: false,
        };
    }
    let shared = Shared {
        // Enough for any honest script, and a fixed multiple of the text.
        fuel: text.len().saturating_mul(8).saturating_add(64 * 1024),
        ..Shared::default()
    };
    let mut parser = Parser::new(text, None, shared);
    let mut items = parser.list().items;
    parser.fill_heredocs(&mut items);
    Script {
        items,
        errors: parser.shared.errors,
        too_deep: parser.shared.too_deep,
    }
}

/// A token that ends an enclosing construct.
enum Closer {
    No,
    /// It belongs to something open.
    Open,
    /// It belongs to nothing; its length.
    Stray(usize),
}

impl<'t> Parser<'t> {
    /// The reserved word at the cursor, if there is one.
    pub(crate) fn keyword(&self) -> Option<&'t str> {
        let start = self.pos;
        // How reserved words begin. Most words are none.
        if !matches!(
            self.byte(start)?,
            b'c'..=b'f' | b'i' | b's'..=b'u' | b'w' | b'{' | b'}' | b'!' | b'[' | b']'
        ) {
            return None;
        }
        let mut at = start;
        loop {
            match self.byte(at) {
                None => break,
                Some(b) if is_meta(b) || self.newline_len(at) > 0 => break,
                // `do\` and a line end: a keyword only if the word ends too.
                Some(b'\\') if self.continuation_len(at) > 0 => {
                    match self.byte(at + self.continuation_len(at)) {
                        Some(b) if !is_meta(b) => return None,
                        _ => break,
                    }
                }
                _ => at += 1,
            }
            if at - start > 8 {
                return None;
            }
        }
        let token = self.slice(start, at);
        is_keyword(token).then_some(token)
    }

    pub(crate) fn eat_keyword(&mut self, keyword: &str) -> bool {
        if self.keyword() == Some(keyword) {
            self.pos += keyword.len();
            true
        } else {
            false
        }
    }

    /// Length of `;;`, `;&` or `;;&` at the cursor.
    pub(crate) fn case_end_len(&self) -> usize {
        if self.starts_with(";;&") {
            3
        } else if self.starts_with(";;") || self.starts_with(";&") {
            2
        } else {
            0
        }
    }

    fn closer(&self) -> Closer {
        let (open, len) = match self.peek() {
            Some(b')') => (self.open.paren, 1),
            Some(b';') => match self.case_end_len() {
                0 => return Closer::No,
                n => (self.open.cases > 0, n),
            },
            Some(b'a'..=b'z' | b'}') => match self.keyword() {
                Some(word @ ("then" | "elif" | "else" | "fi")) => (self.open.ifs > 0, word.len()),
                Some(word @ ("do" | "done")) => (self.open.loops > 0, word.len()),
                Some("esac") => (self.open.cases > 0, 4),
                Some("}") => (self.open.braces > 0, 1),
                _ => return Closer::No,
            },
            _ => return Closer::No,
        };
        if open {
            Closer::Open
        } else {
            Closer::Stray(len)
        }
    }

    /// Commands up to a token that closes something open, or the end.
    pub(crate) fn list(&mut self) -> List {
        let start = self.pos;
        let mut items: Vec<AndOr> = Vec::new();
        let mut separated = true;
        loop {
            self.skip_blanks();
            self.skip_comment();
            if self.newline() {
                separated = true;
                continue;
            }
            let at = self.pos;
            let Some(byte) = self.peek() else { break };
            match self.closer() {
                Closer::Open => break,
                Closer::Stray(len) => {
                    self.pos += len;
                    self.error(at, self.pos, "nothing to close here");
                    separated = true;
                    continue;
                }
                Closer::No => {}
            }
            if byte == b';' || byte == b'|' || (byte == b'&' && self.peek_at(1) != Some(b'>')) {
                self.pos += 1;
                while self.peek() == Some(byte) && byte != b';' {
                    self.pos += 1;
                }
                self.error(at, self.pos, "unexpected operator");
                separated = true;
                continue;
            }
            if !separated {
                self.error(at, at + 1, "expected a separator");
            }
            let mut item = self.and_or();
            if self.pos <= at {
                self.bump();
                self.error(at, self.pos, "unexpected character");
                separated = true;
                continue;
            }
            separated = false;
            self.skip_blanks();
            match self.peek() {
                Some(b';') if self.case_end_len() == 0 => {
                    self.pos += 1;
                    separated = true;
                }
                Some(b'&') if !matches!(self.peek_at(1), Some(b'&' | b'>')) => {
                    self.pos += 1;
                    item.background = true;
                    separated = true;
                }
                _ => {}
            }
            items.push(item);
        }
        items.shrink_to_fit();
        List {
            items,
            span: self.span(start, self.pos),
        }
    }

    pub(crate) fn and_or(&mut self) -> AndOr {
        let start = self.pos;
        let first = self.pipeline();
        let mut rest = Vec::new();
        let mut end = self.pos;
        loop {
            self.skip_blanks();
            let op = if self.starts_with("&&") {
                AndOrOp::And
            } else if self.starts_with("||") {
                AndOrOp::Or
            } else {
                break;
            };
            let at = self.pos;
            self.pos += 2;
            self.linebreak();
            if !self.command_follows() {
                self.error(at, at + 2, "nothing after the operator");
                break;
            }
            let before = self.pos;
            let pipeline = self.pipeline();
            if self.pos <= before {
                break;
            }
            end = self.pos;
            rest.push((op, pipeline));
        }
        AndOr {
            first,
            rest,
            background: false,
            span: self.span(start, end),
        }
    }

    fn command_follows(&self) -> bool {
        match self.peek() {
            None | Some(b';' | b'|' | b')') => false,
            Some(b'&') => self.peek_at(1) == Some(b'>'),
            _ => matches!(self.closer(), Closer::No),
        }
    }

    fn pipeline(&mut self) -> Pipeline {
        let start = self.pos;
        let mut negated = false;
        let mut timed = false;
        let mut end = self.pos;
        loop {
            match self.keyword() {
                Some("!") => {
                    negated = !negated;
                    self.pos += 1;
                }
                Some("time") => {
                    timed = true;
                    self.pos += 4;
                    self.skip_blanks();
                    for option in ["-p", "--"] {
                        if self.starts_with(option) && self.byte(self.pos + 2).is_none_or(is_meta) {
                            self.pos += 2;
                            self.skip_blanks();
                        }
                    }
                }
                _ => break,
            }
            end = self.pos;
            self.skip_blanks();
        }
        let mut commands = Vec::new();
        while self.command_follows() && self.newline_len(self.pos) == 0 {
            let before = self.pos;
            let command = self.command();
            if self.pos <= before {
                break;
            }
            end = self.pos;
            if commands.is_empty() {
                commands.reserve_exact(1);
            }
            commands.push(command);
            self.skip_blanks();
            let at = self.pos;
            if self.starts_with("||") || self.peek() != Some(b'|') {
                break;
            }
            self.pos += if self.peek_at(1) == Some(b'&') { 2 } else { 1 };
            self.linebreak();
            if !self.command_follows() {
                self.error(at, at + 1, "nothing after the operator");
            }
        }
        Pipeline {
            negated,
            timed,
            commands,
            span: self.span(start, end),
        }
    }

    /// A simple command, or the definition of a function.
    pub(crate) fn simple(&mut self) -> Command {
        let start = self.pos;
        let mut end = start;
        let mut assignments = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirects = Vec::new();
        let mut declares = false;
        loop {
            self.skip_blanks();
            let at = self.pos;
            let Some(byte) = self.peek() else { break };
            if self.newline_len(at) > 0 || byte == b'#' {
                break;
            }
            if let Some(redirect) = self.redirect() {
                redirects.push(redirect);
                end = self.pos;
                continue;
            }
            match byte {
                b'<' | b'>' => {}
                b'(' => {
                    if words.len() == 1
                        && assignments.is_empty()
                        && redirects.is_empty()
                        && let Some(behind) = self.empty_parens()
                    {
                        let name = self.slice(start, end).to_owned();
                        self.pos = behind;
                        return self.function_body(start, name);
                    }
                    break;
                }
                b if is_meta(b) => break,
                _ => {}
            }
            if words.is_empty() {
                if let Some(assignment) = self.assignment() {
                    assignments.push(assignment);
                    end = self.pos;
                    continue;
                }
                words.reserve_exact(1);
            }
            let word = if declares {
                self.declared_word()
            } else if words.is_empty() {
                self.word(WordPlace::Command)
            } else {
                self.word(WordPlace::Argument)
            };
            if self.pos <= at {
                break;
            }
            end = self.pos;
            if !declares && words.len() < 2 {
                declares = is_declaration(&word) && words.iter().all(is_prefix);
            }
            words.push(word);
        }
        self.pos = end.max(start);
        Command {
            kind: CommandKind::Simple { assignments, words },
            redirects,
            span: self.span(start, end),
        }
    }

    /// Offset behind `( )` at the cursor.
    pub(crate) fn empty_parens(&self) -> Option<usize> {
        let mut at = self.pos + 1;
        while matches!(self.byte(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        (self.byte(at) == Some(b')')).then_some(at + 1)
    }

    /// Length of the variable name at the cursor.
    fn name_len(&self) -> usize {
        let start = self.pos;
        let mut at = start;
        while let Some(c) = self.char_at(at) {
            let ok = c == '_'
                || c.is_ascii_alphabetic()
                || super::value::is_hole(c)
                || (at > start && c.is_ascii_digit());
            if !ok {
                break;
            }
            at += c.len_utf8();
        }
        at - start
    }

    /// `NAME=`, `NAME+=` or `NAME[index]=` at the cursor; moves behind it.
    fn assignment_head(&mut self) -> Option<(String, Option<Word>, bool)> {
        let start = self.pos;
        let len = self.name_len();
        if len == 0 {
            return None;
        }
        self.pos += len;
        let index = if self.peek() == Some(b'[') {
            let index = self.assignment_index();
            if index.is_none() {
                self.pos = start;
                return None;
            }
            index
        } else {
            None
        };
        let append = self.starts_with("+=");
        if append {
            self.pos += 2;
        } else if self.peek() == Some(b'=') {
            self.pos += 1;
        } else {
            self.pos = start;
            return None;
        }
        // Every word is tried, and few are assignments.
        let name = self.slice(start, start + len).to_owned();
        Some((name, index, append))
    }

    fn assignment(&mut self) -> Option<Assignment> {
        let start = self.pos;
        let (name, index, append) = self.assignment_head()?;
        let value = if self.peek() == Some(b'(') {
            AssignValue::Array(self.array())
        } else {
            AssignValue::Scalar(self.word(WordPlace::Value))
        };
        Some(Assignment {
            name,
            index,
            append,
            value,
            span: self.span(start, self.pos),
        })
    }

    /// An argument of `declare` and its kin: `NAME=` is a part of its own.
    fn declared_word(&mut self) -> Word {
        let start = self.pos;
        if self.assignment_head().is_none() {
            return self.word(WordPlace::Argument);
        }
        let head = self.slice(start, self.pos).into();
        let mut parts = Parts::default();
        parts.part(self, start, PartKind::Literal(head));
        if self.peek() == Some(b'(') {
            let open = self.pos;
            let words = self.array();
            parts.part(self, open, PartKind::Array(words));
        } else {
            self.word_parts(WordPlace::Value, &mut parts);
        }
        let mut parts = parts.finish(self);
        let mut value: Pieces = parts.drain(1.min(parts.len())..).collect();
        demote_brackets(&mut value);
        parts.append(&mut value);
        Word {
            parts,
            span: self.span(start, self.pos),
        }
    }

    /// A redirection at the cursor, its descriptor included.
    pub(crate) fn redirect(&mut self) -> Option<Redirect> {
        let start = self.pos;
        let (fd, op_at) = self.redirect_fd();
        let (op, len) = self.redirect_op(op_at)?;
        self.pos = op_at + len;
        let target = match op {
            RedirectOp::HereDoc | RedirectOp::HereDocDash => {
                RedirectTarget::HereDoc(self.heredoc_start(op == RedirectOp::HereDocDash))
            }
            _ => {
                self.skip_blanks();
                let word = self.word(WordPlace::Argument);
                if word.parts.is_empty() {
                    self.error(start, self.pos, "missing redirection target");
                }
                RedirectTarget::Word(word)
            }
        };
        Some(Redirect {
            fd,
            op,
            target,
            span: self.span(start, self.pos),
        })
    }

    fn redirect_fd(&self) -> (Option<Fd>, usize) {
        let start = self.pos;
        let mut at = start;
        match self.byte(at) {
            Some(b'0'..=b'9') => {
                // Nobody has more descriptors than ten digits can number.
                while at - start < 10 && self.byte(at).is_some_and(|b| b.is_ascii_digit()) {
                    at += 1;
                }
                if matches!(self.byte(at), Some(b'<' | b'>'))
                    && let Ok(number) = self.slice(start, at).parse()
                {
                    return (Some(Fd::Number(number)), at);
                }
            }
            Some(b'{') => {
                at += 1;
                while at - start < 64
                    && self
                        .byte(at)
                        .is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric())
                {
                    at += 1;
                }
                if at > start + 1
                    && self.byte(at) == Some(b'}')
                    && matches!(self.byte(at + 1), Some(b'<' | b'>'))
                {
                    let name = self.slice(start + 1, at).to_owned();
                    return (Some(Fd::Variable(name)), at + 1);
                }
            }
            _ => {}
        }
        (None, start)
    }

    fn redirect_op(&self, at: usize) -> Option<(RedirectOp, usize)> {
        let next = self.byte(at + 1);
        let third = self.byte(at + 2);
        Some(match (self.byte(at)?, next, third) {
            (b'<' | b'>', Some(b'('), _) => return None,
            (b'<', Some(b'<'), Some(b'<')) => (RedirectOp::HereString, 3),
            (b'<', Some(b'<'), Some(b'-')) => (RedirectOp::HereDocDash, 3),
            (b'<', Some(b'<'), _) => (RedirectOp::HereDoc, 2),
            (b'<', Some(b'&'), _) => (RedirectOp::DupIn, 2),
            (b'<', Some(b'>'), _) => (RedirectOp::ReadWrite, 2),
            (b'<', _, _) => (RedirectOp::In, 1),
            (b'>', Some(b'>'), _) => (RedirectOp::Append, 2),
            (b'>', Some(b'|'), _) => (RedirectOp::Clobber, 2),
            (b'>', Some(b'&'), _) => (RedirectOp::DupOut, 2),
            (b'>', _, _) => (RedirectOp::Out, 1),
            (b'&', Some(b'>'), Some(b'>')) => (RedirectOp::AppendErr, 3),
            (b'&', Some(b'>'), _) => (RedirectOp::OutErr, 2),
            _ => return None,
        })
    }
}

/// Whether a command's arguments are assignments where they look so.
pub(crate) fn declares(words: &[Word]) -> bool {
    let command = words.iter().find(|word| !is_prefix(word));
    command.is_some_and(is_declaration)
}

fn is_prefix(word: &Word) -> bool {
    matches!(word.literal().as_deref(), Some("command" | "builtin"))
}

fn is_declaration(word: &Word) -> bool {
    matches!(
        word.literal().as_deref(),
        Some("declare" | "typeset" | "local" | "export" | "readonly")
    )
}
