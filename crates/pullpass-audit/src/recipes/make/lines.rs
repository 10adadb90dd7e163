//! The lines of a makefile, and what each says by itself: a text is taken apart once, however many calls of make
//! read it, each with variables of its own.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::HashMap;

use crate::source::FileId;
use crate::text::Mapped;

/// Bytes that the lines which are kept for the next call of make may take, about.
const MAX_KEPT: usize = 8 * 1024 * 1024;

/// Bytes that a line takes besides its text, about.
const LINE: usize = 300;

/// `NAME op value`.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) name: EcoString,
    pub(super) operator: &'static str,
    pub(super) value: EcoString,
}

/// A logical line.
#[derive(Debug)]
pub(super) struct Logical {
    /// Where the next one begins.
    pub(super) end: usize,
    pub(super) says: Says,
    /// The line as one of a recipe, where it was one.
    pub(super) recipe: OnceCell<Rc<Mapped>>,
}

#[derive(Debug)]
pub(super) enum Says {
    Nothing,
    /// `ifeq`, `ifneq`, `ifdef`, `ifndef`, `else` or `endif`, and the rest of the line.
    Condition(&'static str, EcoString),
    Definition(Definition),
    Statement(Statement),
}

/// `define … endef`.
#[derive(Debug)]
pub(super) struct Definition {
    /// The name is not unfolded yet, and the operator is `=` where none stands there.
    pub(super) assignment: Assignment,
    pub(super) exported: bool,
    /// Where the line after it begins.
    pub(super) end: usize,
}

/// Any other line.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) exported: bool,
    pub(super) overrides: bool,
    pub(super) kind: Kind,
    /// Where its text ends.
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Nothing,
    Include(EcoString),
    Unexport(EcoString),
    Undefine(EcoString),
    Assignment(Assignment),
    /// `export` with names, or with none: all.
    Export(EcoString),
    Rule(RuleLine),
    /// What it says is known when the references in it are unfolded.
    Unfolds(EcoString),
}

/// `targets: prerequisites`.
#[derive(Debug)]
pub(super) struct RuleLine {
    pub(super) targets: Names,
    /// `::`.
    pub(super) double: bool,
    pub(super) what: RuleKind,
}

#[derive(Debug)]
pub(super) enum RuleKind {
    /// A variable of the targets, and whether recipes find it in their environment.
    Variable(Assignment, bool),
    Needs {
        /// `targets: pattern: prerequisites`.
        pattern: Option<EcoString>,
        needs: Names,
        /// The first line of the recipe, behind a semicolon: where it begins in the line.
        recipe: Option<(usize, EcoString)>,
    },
}

/// Names with blanks between them.
#[derive(Debug)]
pub(super) enum Names {
    /// There is no reference in them.
    Known(Rc<[EcoString]>),
    Written(EcoString),
}

impl Names {
    fn of(text: &str) -> Self {
        if text.contains('$') {
            Self::Written(text.into())
        } else {
            Self::Known(names(text))
        }
    }
}

/// The names of a text; what comes after `|` is needed too, only its age does not count.
pub(super) fn names(text: &str) -> Rc<[EcoString]> {
    text.split_whitespace().map(EcoString::from).collect()
}

/// A text, and those of its lines that were come to.
#[derive(Debug)]
pub(super) struct Lines {
    text: Rc<str>,
    /// `None` where they are not kept.
    known: Option<RefCell<HashMap<usize, Rc<Logical>>>>,
}

impl Lines {
    fn new(text: &str, are_kept: bool) -> Self {
        Self {
            text: text.into(),
            known: are_kept.then(RefCell::default),
        }
    }

    pub(super) fn text(&self) -> &Rc<str> {
        &self.text
    }

    /// The line that begins at `start`.
    pub(super) fn at(&self, start: usize) -> Rc<Logical> {
        let read = || Rc::new(Logical::read(&self.text, start));
        let Some(known) = &self.known else {
            return read();
        };
        let mut known = known.borrow_mut();
        Rc::clone(known.entry(start).or_insert_with(read))
    }
}

impl Logical {
    fn read(text: &str, start: usize) -> Self {
        let end = logical_end(text, start);
        let raw = text.get(start..end).unwrap_or("");
        Self {
            end,
            says: Says::of(text, start, raw),
            recipe: OnceCell::new(),
        }
    }
}

impl Says {
    fn of(text: &str, start: usize, raw: &str) -> Self {
        let line = joined(raw);
        let line = without_comment(&line);
        let trimmed = line.trim();
        if trimmed.is_empty() {
            return Self::Nothing;
        }
        let (word, rest) = first_word(trimmed);
        let conditions = ["ifeq", "ifneq", "ifdef", "ifndef", "else", "endif"];
        if let Some(word) = conditions.into_iter().find(|own| *own == word) {
            return Self::Condition(word, rest.into());
        }
        if let Some(header) = definition(trimmed) {
            let (body, end) = definition_end(text, start + raw.len());
            let body = text.get(start + raw.len()..body).unwrap_or("");
            let body = body.replace("\r\n", "\n");
            let (name, operator) = match split_assignment(header) {
                Some(assignment) => (assignment.name, assignment.operator),
                None => (header.into(), "="),
            };
            return Self::Definition(Definition {
                assignment: Assignment {
                    name: name.trim().into(),
                    operator,
                    value: body.strip_suffix('\n').unwrap_or(&body).into(),
                },
                exported: trimmed.starts_with("export"),
                end,
            });
        }
        Self::Statement(Statement::of(trimmed, start, raw))
    }
}

impl Statement {
    fn of(line: &str, start: usize, raw: &str) -> Self {
        let mut line = line;
        let mut statement = Self {
            exported: false,
            overrides: false,
            kind: Kind::Nothing,
            end: start + raw.trim_end().len(),
        };
        loop {
            let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            match word {
                "export" if split_assignment(line).is_none_or(|a| a.name.contains(' ')) => {
                    statement.exported = true;
                }
                "override" | "private" => statement.overrides |= word == "override",
                "include" | "-include" | "sinclude" => {
                    statement.kind = Kind::Include(rest.into());
                    return statement;
                }
                "unexport" => {
                    statement.kind = Kind::Unexport(rest.into());
                    return statement;
                }
                "undefine" => {
                    statement.kind = Kind::Undefine(rest.trim().into());
                    return statement;
                }
                "vpath" => return statement,
                _ => break,
            }
            line = rest.trim();
        }
        statement.kind = if let Some(assignment) = split_assignment(line) {
            Kind::Assignment(assignment)
        } else if statement.exported {
            Kind::Export(line.into())
        } else if let Some(rule) = RuleLine::of(line, raw) {
            Kind::Rule(rule)
        } else if line.contains('$') {
            Kind::Unfolds(line.into())
        } else {
            Kind::Nothing
        };
        statement
    }
}

impl RuleLine {
    /// `raw`: the line as it is written, with its comment.
    pub(super) fn of(line: &str, raw: &str) -> Option<Self> {
        let colon = outside_references(line, b":")?;
        let targets = line.get(..colon).unwrap_or("");
        // `a b &: c` makes both at once.
        let targets = targets.strip_suffix('&').unwrap_or(targets);
        let rest = line.get(colon + 1..).unwrap_or("");
        let double = rest.starts_with(':');
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let what = match target_assignment(rest) {
            Some((assignment, exported)) => RuleKind::Variable(assignment, exported),
            None => {
                let semicolon = outside_references(rest, b";");
                let needs = rest.get(..semicolon.unwrap_or(rest.len())).unwrap_or("");
                let (pattern, needs) = match outside_references(needs, b":") {
                    Some(at) => (needs.get(..at), needs.get(at + 1..).unwrap_or("")),
                    None => (None, needs),
                };
                let at = semicolon.and_then(|_| outside_references(raw, b";#"));
                let recipe = at.map(|at| {
                    let recipe = raw.get(at + 1..).unwrap_or("");
                    let blank = recipe.len() - recipe.trim_start().len();
                    (at + 1 + blank, recipe.trim().into())
                });
                let needs = match needs.contains('$') {
                    true => Names::Written(needs.into()),
                    false => Names::Known(names(&needs.replace('|', " "))),
                };
                RuleKind::Needs {
                    pattern: pattern.map(EcoString::from),
                    needs,
                    recipe,
                }
            }
        };
        Some(Self {
            targets: Names::of(targets),
            double,
            what,
        })
    }
}

/// The lines of one repository's makefiles.
#[derive(Default)]
pub(crate) struct Texts {
    files: HashMap<FileId, Rc<Lines>>,
    made: HashMap<Rc<str>, Rc<Lines>>,
    /// Bytes that both take, about.
    size: usize,
}

impl Texts {
    /// The lines of a file.
    pub(super) fn of_file(&mut self, file: FileId, text: &str) -> Rc<Lines> {
        if let Some(known) = self.files.get(&file) {
            return Rc::clone(known);
        }
        let is_kept = self.has_room(text);
        let lines = Rc::new(Lines::new(text, is_kept));
        if is_kept {
            self.files.insert(file, Rc::clone(&lines));
        }
        lines
    }

    /// The lines of a text that `$(eval …)` made.
    pub(super) fn of_made(&mut self, text: &str) -> Rc<Lines> {
        if let Some(known) = self.made.get(text) {
            return Rc::clone(known);
        }
        let is_kept = self.has_room(text);
        let lines = Rc::new(Lines::new(text, is_kept));
        if is_kept {
            self.made.insert(Rc::clone(lines.text()), Rc::clone(&lines));
        }
        lines
    }

    /// Makes room for a text. When there is none left, all of them are forgotten.
    fn has_room(&mut self, text: &str) -> bool {
        // A text is kept twice: as it is, and in what its lines say.
        let size =
            2 * text.len() + LINE * (1 + memchr::memchr_iter(b'\n', text.as_bytes()).count());
        if size > MAX_KEPT / 4 {
            return false;
        }
        self.size += size;
        if self.size > MAX_KEPT {
            *self = Self {
                size,
                ..Self::default()
            };
        }
        true
    }
}

/// What `define` defines: the rest of its line.
fn definition(line: &str) -> Option<&str> {
    let mut line = line;
    loop {
        let (word, rest) = line.split_once([' ', '\t'])?;
        line = rest.trim();
        match word {
            "define" => return Some(line),
            "export" | "override" | "private" => {}
            _ => return None,
        }
    }
}

/// Where the body of a `define` ends, and where the lines after it begin.
fn definition_end(text: &str, from: usize) -> (usize, usize) {
    let mut at = from;
    let mut nested = 0_usize;
    while at < text.len() {
        let start = at;
        let end = text.get(at..).and_then(|t| t.find('\n'));
        at = end.map_or(text.len(), |n| start + n + 1);
        let line = text.get(start..at).unwrap_or("").trim();
        let is = |word: &str| {
            let rest = line.strip_prefix(word);
            rest.is_some_and(|r| r.is_empty() || r.starts_with([' ', '\t', '#']))
        };
        if is("endef") {
            if nested == 0 {
                return (start, at);
            }
            nested -= 1;
        } else if is("define") {
            nested += 1;
        }
    }
    (text.len(), text.len())
}

/// `NAME = value` behind a target's colon, and whether it is exported.
fn target_assignment(rest: &str) -> Option<(Assignment, bool)> {
    let mut assignment = split_assignment(rest.trim())?;
    let mut exported = false;
    while let Some((word, name)) = assignment.name.split_once([' ', '\t']) {
        match word {
            "export" => exported = true,
            "override" | "private" => {}
            _ => return None,
        }
        assignment.name = EcoString::from(name.trim());
    }
    (!assignment.name.contains([';', '|'])).then_some((assignment, exported))
}

/// The word that a line begins with, and the rest; a parenthesis belongs to the rest.
pub(super) fn first_word(line: &str) -> (&str, &str) {
    let end = line.find([' ', '\t', '(']).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim())
}

/// `NAME op value`, when the line is an assignment and no rule.
pub(super) fn split_assignment(line: &str) -> Option<Assignment> {
    let at = outside_references(line, b":=")?;
    let from = line.get(at..)?;
    let (name, operator, length) = if from.starts_with(":::=") {
        (line.get(..at)?, ":=", 4)
    } else if from.starts_with("::=") {
        (line.get(..at)?, ":=", 3)
    } else if from.starts_with(":=") {
        (line.get(..at)?, ":=", 2)
    } else if from.starts_with(':') {
        return None;
    } else {
        let before = line.get(..at)?;
        let (name, operator) = match before.as_bytes().last() {
            Some(b'?') => (before.strip_suffix('?')?, "?="),
            Some(b'+') => (before.strip_suffix('+')?, "+="),
            Some(b'!') => (before.strip_suffix('!')?, "!="),
            _ => (before, "="),
        };
        (name, operator, 1)
    };
    let name = name.trim();
    let value = line.get(at + length..)?.trim_start();
    (!name.is_empty()).then(|| Assignment {
        name: name.into(),
        operator,
        value: value.into(),
    })
}

/// Where any of `marks` stands outside of references: the first place only.
fn outside_references(line: &str, marks: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut dollar = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'(' | b'{' if dollar || depth > 0 => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && marks.contains(&byte) => return Some(at),
            _ => {}
        }
        dollar = byte == b'$';
    }
    None
}

/// One past the line that begins at `start`, continuations included.
fn logical_end(text: &str, start: usize) -> usize {
    let mut at = start;
    loop {
        let Some(newline) = text.get(at..).and_then(|t| t.find('\n')) else {
            return text.len();
        };
        let end = at + newline;
        let line = text.get(at..end).unwrap_or("");
        let line = line.strip_suffix('\r').unwrap_or(line);
        let slashes = line.bytes().rev().take_while(|&b| b == b'\\').count();
        at = end + 1;
        if slashes % 2 == 0 {
            return at;
        }
    }
}

/// A logical line with each continuation made one space.
fn joined(raw: &str) -> Cow<'_, str> {
    let raw = raw.trim_end_matches(['\n', '\r']);
    if !raw.contains('\n') {
        return raw.into();
    }
    let mut out = String::with_capacity(raw.len());
    let mut lines = raw.split('\n').peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if lines.peek().is_some() {
            let line = line.strip_suffix('\\').unwrap_or(line);
            out.push_str(line.trim_end());
            out.push(' ');
        } else {
            out.push_str(if out.is_empty() {
                line
            } else {
                line.trim_start()
            });
        }
    }
    out.into()
}

fn without_comment(line: &str) -> Cow<'_, str> {
    if !line.contains('#') {
        return line.into();
    }
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'#') => {
                chars.next();
                out.push('#');
            }
            '#' => break,
            _ => out.push(c),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_once() {
        let mut texts = Texts::default();
        let lines = texts.of_made("A = 1\nb: c | d # e\n");
        let line = lines.at(6);
        assert!(Rc::ptr_eq(
            &line,
            &texts.of_made("A = 1\nb: c | d # e\n").at(6)
        ));
        let Says::Statement(Statement {
            kind: Kind::Rule(rule),
            ..
        }) = &line.says
        else {
            unreachable!("{line:?}");
        };
        let RuleKind::Needs {
            needs: Names::Known(needs),
            ..
        } = &rule.what
        else {
            unreachable!("{rule:?}");
        };
        assert_eq!(**needs, ["c", "d"]);
    }

    #[test]
    fn lines_are_kept_within_bounds() {
        let mut texts = Texts::default();
        let many = "\n".repeat(MAX_KEPT / LINE / 8);
        for number in 0..20 {
            texts.of_made(&format!("{number}{many}")).at(0);
            assert!(texts.size <= MAX_KEPT, "{}", texts.size);
        }
        assert!(texts.made.len() < 10, "{}", texts.made.len());
        // One that is too long for it is read all the same, and not kept.
        let long = "\n".repeat(MAX_KEPT / LINE);
        let lines = texts.of_made(&long);
        assert_eq!(lines.at(0).end, 1);
        assert!(!texts.made.contains_key(&*long));
        assert!(lines.known.is_none());
    }
}
