//! Compound commands. Each of them copes with a missing keyword by ending, or
//! by going on without it, because a template may well have supplied it.

use std::rc::Rc;

use smallvec::smallvec;

use super::ast::{CaseArm, Command, CommandKind, IfBranch, List, Part, PartKind, Word};
use super::cursor::Parser;
use super::word::WordPlace;

impl Parser<'_> {
    /// One command of any sort, with its redirections.
    pub(crate) fn command(&mut self) -> Command {
        let start = self.pos;
        let keyword = self.keyword();
        let compound = match self.peek() {
            Some(b'(') => true,
            _ => matches!(
                keyword,
                Some(
                    "if" | "while"
                        | "until"
                        | "for"
                        | "select"
                        | "case"
                        | "function"
                        | "coproc"
                        | "{"
                        | "[["
                )
            ),
        };
        if !compound {
            return self.simple();
        }
        let keyword = keyword.unwrap_or("(");
        match self.nested(|p| p.compound(start, keyword)) {
            Some(kind) => self.with_redirects(start, kind),
            None => self.too_deep(start, keyword),
        }
    }

    fn with_redirects(&mut self, start: usize, kind: CommandKind) -> Command {
        let mut redirects = Vec::new();
        let mut end = self.pos;
        loop {
            self.skip_blanks();
            match self.redirect() {
                Some(redirect) => redirects.push(redirect),
                None => break,
            }
            end = self.pos;
        }
        self.pos = end;
        Command {
            kind,
            redirects,
            span: self.span(start, end),
        }
    }

    fn too_deep(&mut self, start: usize, keyword: &str) -> Command {
        let why = "nested too deeply";
        self.pos += keyword.len();
        let text = if keyword == "(" {
            self.skip_parens(start)
        } else {
            while let Some(b) = self.peek() {
                if matches!(b, b';' | b'\n' | b')') {
                    break;
                }
                self.pos += 1;
            }
            self.error(start, self.pos, why);
            self.slice(start, self.pos).to_owned()
        };
        Command {
            kind: CommandKind::Opaque { text, why },
            redirects: Vec::new(),
            span: self.span(start, self.pos),
        }
    }

    fn compound(&mut self, start: usize, keyword: &str) -> CommandKind {
        if keyword == "(" {
            return self.parenthesis(start);
        }
        self.pos += keyword.len();
        match keyword {
            "if" => self.if_command(start),
            "while" | "until" => {
                let outer = self.open;
                self.open.loops += 1;
                let cond = self.list();
                let body = self.loop_body(start);
                self.open = outer;
                CommandKind::While {
                    until: keyword == "until",
                    cond,
                    body,
                }
            }
            "for" | "select" => self.for_command(start, keyword == "select"),
            "case" => self.case_command(start),
            "function" => self.function_command(start),
            "coproc" => self.coproc(),
            "[[" => self.test_command(start),
            _ => {
                let outer = self.open;
                self.open.braces += 1;
                let list = self.list();
                self.open = outer;
                if !self.eat_keyword("}") {
                    self.error(start, start + 1, "missing }");
                }
                CommandKind::Group(list)
            }
        }
    }

    fn parenthesis(&mut self, start: usize) -> CommandKind {
        if self.peek_at(1) == Some(b'(')
            && let Some(end) = self.arith_end(start + 2)
        {
            let (text, parts) = self.arith_inside(start + 2, end);
            return CommandKind::Arith { text, parts };
        }
        self.pos = start + 1;
        match self.paren_list(start) {
            Some(list) => CommandKind::Subshell(list),
            None => CommandKind::Opaque {
                text: self.skip_parens(start),
                why: "nested too deeply",
            },
        }
    }

    fn empty_list(&self) -> List {
        List {
            items: Vec::new(),
            span: self.span(self.pos, self.pos),
        }
    }

    fn if_command(&mut self, start: usize) -> CommandKind {
        let outer = self.open;
        self.open.ifs += 1;
        let mut branches = vec![self.if_branch(start)];
        let mut otherwise: Option<List> = None;
        loop {
            let at = self.pos;
            match self.keyword() {
                Some("elif") => {
                    self.pos += 4;
                    let branch = self.if_branch(at);
                    branches.push(branch);
                }
                Some(word @ ("else" | "then")) => {
                    self.pos += 4;
                    if word == "then" || otherwise.is_some() {
                        self.error(at, self.pos, "repeated keyword");
                    }
                    let more = self.list();
                    let target = if word == "else" || otherwise.is_some() {
                        otherwise.get_or_insert_with(List::default)
                    } else {
                        match branches.last_mut() {
                            Some(branch) => &mut branch.body,
                            None => otherwise.get_or_insert_with(List::default),
                        }
                    };
                    join(target, more);
                }
                Some("fi") => {
                    self.pos += 2;
                    break;
                }
                _ => {
                    self.error(start, start + 2, "missing fi");
                    break;
                }
            }
        }
        self.open = outer;
        CommandKind::If {
            branches,
            otherwise,
        }
    }

    fn if_branch(&mut self, start: usize) -> IfBranch {
        let cond = self.list();
        let body = if self.eat_keyword("then") {
            self.list()
        } else {
            self.error(start, start + 2, "missing then");
            self.empty_list()
        };
        IfBranch { cond, body }
    }

    /// `do ... done`, or the braces that bash also accepts after `for`.
    fn loop_body(&mut self, start: usize) -> List {
        let mut body = if self.eat_keyword("do") {
            self.list()
        } else {
            self.error(start, start + 3, "missing do");
            self.empty_list()
        };
        loop {
            let at = self.pos;
            match self.keyword() {
                Some("done") => {
                    self.pos += 4;
                    return body;
                }
                Some("do") => {
                    self.pos += 2;
                    self.error(at, self.pos, "repeated keyword");
                    let more = self.list();
                    join(&mut body, more);
                }
                _ => {
                    self.error(start, start + 3, "missing done");
                    return body;
                }
            }
        }
    }

    fn for_body(&mut self, start: usize) -> List {
        let outer = self.open;
        let body = if self.keyword() == Some("{") {
            self.pos += 1;
            self.open.braces += 1;
            let list = self.list();
            if !self.eat_keyword("}") {
                self.error(start, start + 3, "missing }");
            }
            list
        } else {
            self.open.loops += 1;
            // Commands between the words and `do` can only be template
            // lines; they are kept in front of the body.
            let early = self.list();
            let body = self.loop_body(start);
            if early.items.is_empty() {
                body
            } else {
                let mut all = early;
                join(&mut all, body);
                all
            }
        };
        self.open = outer;
        body
    }

    fn for_command(&mut self, start: usize, select: bool) -> CommandKind {
        self.skip_blanks();
        if !select
            && self.starts_with("((")
            && let Some(end) = self.arith_end(self.pos + 2)
        {
            let text = self.slice(self.pos + 2, end).to_owned();
            self.pos = end + 2;
            self.skip_separator();
            let body = self.for_body(start);
            return CommandKind::ForArith { text, body };
        }
        let name_at = self.pos;
        let name = self.word(WordPlace::Argument);
        if name.parts.is_empty() {
            self.error(start, self.pos, "missing variable name");
        }
        let var = self.slice(name_at, self.pos).to_owned();
        self.linebreak();
        let words = if self.eat_keyword("in") {
            let mut words = Vec::new();
            loop {
                self.skip_blanks();
                let before = self.pos;
                match self.peek() {
                    None | Some(b';' | b'\n' | b'#' | b')') => break,
                    Some(b'\r') if self.newline_len(before) > 0 => break,
                    _ => {}
                }
                let word = self.word(WordPlace::Argument);
                if self.pos > before {
                    words.push(word);
                } else {
                    self.bump();
                    self.error(before, self.pos, "unexpected operator");
                }
            }
            Some(words)
        } else {
            None
        };
        self.skip_separator();
        let body = self.for_body(start);
        if select {
            CommandKind::Select { var, words, body }
        } else {
            CommandKind::For { var, words, body }
        }
    }

    fn skip_separator(&mut self) {
        self.skip_blanks();
        if self.peek() == Some(b';') && self.case_end_len() == 0 {
            self.pos += 1;
        }
        self.linebreak();
    }

    fn case_command(&mut self, start: usize) -> CommandKind {
        self.skip_blanks();
        let word = self.word(WordPlace::Argument);
        self.linebreak();
        if !self.eat_keyword("in") {
            self.error(start, start + 4, "missing in");
        }
        let outer = self.open;
        self.open.cases += 1;
        let mut arms = Vec::new();
        loop {
            self.linebreak();
            let at = self.pos;
            if self.at_end() {
                self.error(start, start + 4, "missing esac");
                break;
            }
            match self.case_end_len() {
                0 => {}
                n => {
                    self.pos += n;
                    continue;
                }
            }
            match self.keyword() {
                Some("esac") => {
                    self.pos += 4;
                    break;
                }
                // These close something around the case, unless they are
                // patterns.
                Some("fi" | "done" | "}" | "else" | "elif")
                    if (outer.ifs > 0 || outer.loops > 0 || outer.braces > 0)
                        && !self.looks_like_pattern() =>
                {
                    self.error(start, start + 4, "missing esac");
                    break;
                }
                _ => {}
            }
            if self.peek() == Some(b')') {
                if outer.paren {
                    self.error(start, start + 4, "missing esac");
                    break;
                }
                self.pos += 1;
                self.error(at, self.pos, "unexpected operator");
                continue;
            }
            let arm = self.case_arm();
            arms.push(arm);
            if self.pos <= at {
                self.bump();
                self.error(at, self.pos, "unexpected character");
            }
        }
        self.open = outer;
        CommandKind::Case { word, arms }
    }

    fn looks_like_pattern(&self) -> bool {
        let len = self.keyword().map_or(0, str::len);
        let mut at = self.pos + len;
        while matches!(self.byte(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        matches!(self.byte(at), Some(b')' | b'|'))
    }

    fn case_arm(&mut self) -> CaseArm {
        let start = self.pos;
        let mark = self.mark();
        if self.peek() == Some(b'(') {
            self.pos += 1;
        }
        let mut patterns = Vec::new();
        let closed = loop {
            self.skip_blanks();
            let pattern = self.word(WordPlace::Argument);
            if !pattern.parts.is_empty() {
                patterns.push(pattern);
            }
            self.skip_blanks();
            match self.peek() {
                Some(b'|') => self.pos += 1,
                Some(b')') => {
                    self.pos += 1;
                    break true;
                }
                _ => break false,
            }
        };
        if !closed && self.rewind(&mark) {
            // Not a pattern: a template line, or what follows a missing
            // `esac`. The commands matter more than the structure.
            self.error(start, start + 1, "expected a pattern");
            let item = self.and_or();
            self.skip_separator();
            let items = if self.pos > start {
                vec![item]
            } else {
                Vec::new()
            };
            let span = self.span(start, self.pos);
            return CaseArm {
                patterns: Vec::new(),
                body: List { items, span },
                span,
            };
        }
        if !closed {
            self.error(start, self.pos, "expected a pattern");
        }
        let body = self.list();
        self.pos += self.case_end_len();
        CaseArm {
            patterns,
            body,
            span: self.span(start, self.pos),
        }
    }

    fn function_command(&mut self, start: usize) -> CommandKind {
        self.skip_blanks();
        let at = self.pos;
        self.word(WordPlace::Argument);
        let name = self.slice(at, self.pos).to_owned();
        self.skip_blanks();
        if self.peek() == Some(b'(')
            && let Some(behind) = self.empty_parens()
        {
            self.pos = behind;
        }
        if name.is_empty() {
            self.error(start, self.pos, "missing function name");
        }
        self.linebreak();
        let body = Rc::new(self.body_command());
        CommandKind::Function { name, body }
    }

    /// The rest of `name()`, with the cursor behind the parentheses.
    pub(crate) fn function_body(&mut self, start: usize, name: String) -> Command {
        let kind = self.nested(|p| {
            p.linebreak();
            Rc::new(p.body_command())
        });
        let kind = match kind {
            Some(body) => CommandKind::Function { name, body },
            None => {
                let why = "nested too deeply";
                self.error(start, self.pos, why);
                let text = self.slice(start, self.pos).to_owned();
                CommandKind::Opaque { text, why }
            }
        };
        Command {
            kind,
            redirects: Vec::new(),
            span: self.span(start, self.pos),
        }
    }

    fn body_command(&mut self) -> Command {
        let at = self.pos;
        let command = self.command();
        if matches!(command.kind, CommandKind::Simple { .. }) {
            self.error(at, at + 1, "function without a body");
        }
        command
    }

    fn coproc(&mut self) -> CommandKind {
        self.skip_blanks();
        let at = self.pos;
        let mut name = None;
        if self.keyword().is_none() && self.peek() != Some(b'(') {
            let mut end = at;
            while self
                .byte(end)
                .is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric())
            {
                end += 1;
            }
            self.pos = end;
            self.skip_blanks();
            if end > at && matches!(self.peek(), Some(b'{' | b'(')) && self.pos > end {
                name = Some(self.slice(at, end).to_owned());
            } else {
                self.pos = at;
            }
        }
        let body = Box::new(self.command());
        CommandKind::Coproc { name, body }
    }

    fn test_command(&mut self, start: usize) -> CommandKind {
        let mut words: Vec<Word> = Vec::new();
        let mut after_operator = true;
        let mut regex = false;
        loop {
            self.skip_blanks();
            let at = self.pos;
            let Some(byte) = self.peek() else { break };
            if self.newline_len(at) > 0 || byte == b'#' {
                if after_operator || self.next_line_continues_test() {
                    self.linebreak();
                    continue;
                }
                break;
            }
            if self.eat_keyword("]]") {
                return CommandKind::Test(words);
            }
            let operator = match byte {
                b'&' if self.starts_with("&&") => 2,
                b'|' if self.starts_with("||") => 2,
                b'(' | b')' | b'<' | b'>' if !regex => 1,
                b'!' if self.keyword() == Some("!") => 1,
                b';' | b'&' | b'|' => break,
                _ => 0,
            };
            if operator > 0 {
                self.pos += operator;
                let span = self.span(at, self.pos);
                let kind = PartKind::Literal(self.slice(at, self.pos).into());
                words.push(Word {
                    parts: smallvec![Part { kind, span }],
                    span,
                });
                after_operator = byte != b')';
                continue;
            }
            let place = if regex {
                WordPlace::Regex
            } else {
                WordPlace::Argument
            };
            let word = self.word(place);
            if self.pos <= at {
                break;
            }
            regex = word.literal().as_deref() == Some("=~") && !word.is_quoted();
            after_operator = false;
            words.push(word);
        }
        self.error(start, start + 2, "missing ]]");
        CommandKind::Test(words)
    }

    /// Whether a `[[` that is still open at a line end goes on behind it. A
    /// waiting here-document would stand in between, so then it does not.
    fn next_line_continues_test(&mut self) -> bool {
        if self.next_doc < self.shared.docs.len() {
            return false;
        }
        let back = self.pos;
        self.linebreak();
        let goes_on = self.starts_with("&&")
            || self.starts_with("||")
            || self.peek() == Some(b')')
            || self.keyword() == Some("]]");
        let cost = self.pos - back;
        self.pos = back;
        self.spend(cost) && goes_on
    }
}

fn join(list: &mut List, mut more: List) {
    if list.items.is_empty() && list.span.start == list.span.end {
        list.span.start = more.span.start;
    }
    list.items.append(&mut more.items);
    list.span.end = more.span.end.max(list.span.start);
}
