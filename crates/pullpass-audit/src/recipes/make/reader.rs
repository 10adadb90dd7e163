//! The syntax of makefiles: lines to rules and variables.
//!
//! Ours rather than `makefile-lossless`: a recipe must be expanded, keep the place of each byte and
//! be read within bounds, which leaves a syntax tree little to do.

use crate::source::{RepoPath, Source, Span};
use crate::text::{Mapped, is_hole};

use super::expand::{Scope, Variable, arguments};

/// Rules that all files of one call may have; only hostile input has more.
const MAX_RULES: usize = 20_000;

/// Files that may be included, in all.
const MAX_INCLUDES: usize = 200;

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) targets: Vec<String>,
    pub(super) needs: Vec<String>,
    /// `targets: pattern: prerequisites`.
    pub(super) pattern: Option<String>,
    /// Logical lines, not yet expanded.
    pub(super) lines: Vec<Mapped>,
    pub(super) span: Span,
    /// It adds to what stands before it (`::`, or a branch that cannot be decided).
    pub(super) adds: bool,
}

/// Everything that the makefiles say.
#[derive(Default)]
pub(super) struct Makefile {
    pub(super) rules: Vec<Rule>,
    /// Variables of one target: target, name, operator, value.
    pub(super) target_variables: Vec<(String, Assignment)>,
    pub(super) exported: Vec<String>,
    pub(super) exports_all: bool,
    pub(super) one_shell: bool,
    /// Rules are made by `$(eval …)`, so some may not be seen.
    pub(super) evals: bool,
    included: usize,
    /// The rule that recipe lines now belong to.
    open: Option<usize>,
    conditions: Vec<Condition>,
}

/// `NAME op value`.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) operator: &'static str,
    pub(super) value: String,
}

struct Condition {
    /// Whether the lines here count; `None`: cannot be decided.
    now: Option<bool>,
    /// A branch before this one surely counted.
    taken: bool,
}

impl Makefile {
    /// Reads one file and what it includes.
    pub(super) fn read(&mut self, source: &Source, scope: &mut Scope<'_, '_>, depth: usize) {
        let text: &str = &source.text;
        let outer = std::mem::take(&mut self.conditions);
        self.open = None;
        let mut at = 0;
        while at < text.len() && scope.run.cx.spend() {
            let start = at;
            at = logical_end(text, start);
            let raw = text.get(start..at).unwrap_or("");
            let prefix = recipe_prefix(scope);
            if raw.starts_with(prefix) && self.open.is_some() {
                if self.counts() {
                    self.recipe_line(source, start, raw, prefix);
                }
                continue;
            }
            let line = joined(raw);
            let line = without_comment(&line);
            let trimmed = line.trim();
            if trimmed.is_empty() {
                continue;
            }
            let (word, rest) = first_word(trimmed);
            if self.condition(word, rest.trim(), scope) || !self.counts() {
                continue;
            }
            if word == "define" {
                at = self.define(text, at, rest, scope);
                continue;
            }
            self.open = None;
            let span = Span::new(source.id, start, start + raw.trim_end().len());
            self.line(trimmed, span, source, start, scope, depth);
        }
        self.conditions = outer;
    }

    fn counts(&self) -> bool {
        self.conditions.iter().all(|c| c.now != Some(false))
    }

    fn undecided(&self) -> bool {
        self.conditions.iter().any(|c| c.now.is_none())
    }

    /// `ifeq`, `ifdef`, `else`, `endif`. `false` when the line is none of these.
    fn condition(&mut self, word: &str, rest: &str, scope: &Scope<'_, '_>) -> bool {
        match word {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => {
                let now = if self.counts() {
                    decide(word, rest, scope)
                } else {
                    Some(false)
                };
                if self.conditions.len() < 1000 {
                    self.conditions.push(Condition {
                        now,
                        taken: now == Some(true),
                    });
                }
            }
            "else" => {
                let Some(last) = self.conditions.pop() else {
                    return true;
                };
                let (word, rest) = first_word(rest);
                let now = if last.taken || !self.counts() {
                    Some(false)
                } else if word.starts_with("if") {
                    decide(word, rest, scope)
                } else {
                    last.now.map(|_| true)
                };
                self.conditions.push(Condition {
                    now,
                    taken: last.taken || now == Some(true),
                });
            }
            "endif" => {
                self.conditions.pop();
            }
            _ => return false,
        }
        true
    }

    fn recipe_line(&mut self, source: &Source, start: usize, raw: &str, prefix: char) {
        let mut mapped = Mapped::empty(source.id);
        let mut at = start;
        for piece in raw.split_inclusive('\n') {
            let from = if piece.starts_with(prefix) {
                prefix.len_utf8()
            } else {
                0
            };
            let text = piece.get(from..).unwrap_or("");
            let offset = u32::try_from(at + from).unwrap_or(u32::MAX);
            mapped.push(text, offset, true);
            at += piece.len();
        }
        self.add_line(mapped);
    }

    fn add_line(&mut self, line: Mapped) {
        let rule = self.open.and_then(|i| self.rules.get_mut(i));
        if let Some(rule) = rule.filter(|r| r.lines.len() < 5_000) {
            rule.lines.push(line);
        }
    }

    fn define(
        &mut self,
        text: &str,
        from: usize,
        header: &str,
        scope: &mut Scope<'_, '_>,
    ) -> usize {
        let header = header.trim();
        let (name, operator) = match split_assignment(header) {
            Some(a) => (a.name, a.operator),
            None => (header.to_owned(), "="),
        };
        let mut at = from;
        let mut nested = 0_usize;
        let mut body_end = text.len();
        while at < text.len() {
            let end = text
                .get(at..)
                .and_then(|t| t.find('\n'))
                .map_or(text.len(), |n| at + n + 1);
            let line = text.get(at..end).unwrap_or("").trim();
            if line == "endef" || line.starts_with("endef ") {
                if nested == 0 {
                    body_end = at;
                    at = end;
                    break;
                }
                nested -= 1;
            } else if line.starts_with("define ") {
                nested += 1;
            }
            at = end;
        }
        let body = text.get(from..body_end).unwrap_or("");
        let value = body.trim_end_matches(['\n', '\r']).to_owned();
        let assignment = Assignment {
            name: scope.expand(&name),
            operator,
            value,
        };
        set(scope, &assignment);
        at
    }

    fn line(
        &mut self,
        line: &str,
        span: Span,
        source: &Source,
        start: usize,
        scope: &mut Scope<'_, '_>,
        depth: usize,
    ) {
        let mut line = line;
        let mut exported = false;
        let mut overrides = false;
        loop {
            let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            match word {
                "export" if split_assignment(line).is_none_or(|a| a.name.contains(' ')) => {
                    exported = true;
                }
                "override" | "private" => overrides |= word == "override",
                "include" | "-include" | "sinclude" => {
                    let names = scope.expand(rest);
                    self.include(&names, scope, depth);
                    return;
                }
                "unexport" | "undefine" | "vpath" => return,
                _ => break,
            }
            line = rest.trim();
        }
        if let Some(assignment) = split_assignment(line) {
            let name = scope.expand(&assignment.name);
            if name.contains(char::is_whitespace) {
                return;
            }
            if exported {
                self.exported.push(name.clone());
            }
            if overrides {
                scope.overridden.insert(name.clone());
            }
            let assignment = Assignment { name, ..assignment };
            set(scope, &assignment);
            return;
        }
        if exported {
            self.exports_all |= line.is_empty();
            let names = scope.expand(line);
            self.exported
                .extend(names.split_whitespace().map(str::to_owned));
            return;
        }
        if line.starts_with("$(eval") || line.starts_with("$(foreach") || line.starts_with("${eval")
        {
            self.evals = true;
            return;
        }
        self.rule(line, span, source, start, scope);
    }

    fn rule(
        &mut self,
        line: &str,
        span: Span,
        source: &Source,
        start: usize,
        scope: &Scope<'_, '_>,
    ) {
        let Some(colon) = outside_references(line, ":") else {
            return;
        };
        let targets = scope.expand(line.get(..colon).unwrap_or(""));
        let targets: Vec<String> = targets.split_whitespace().map(str::to_owned).collect();
        let rest = line.get(colon + 1..).unwrap_or("");
        let double = rest.starts_with(':');
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if let Some(assignment) = split_assignment(rest.trim())
            .filter(|a| !a.name.trim_start_matches("export ").contains(' '))
        {
            let name = assignment.name.trim_start_matches("export ").to_owned();
            for target in targets.into_iter().take(1000) {
                let assignment = Assignment {
                    name: name.clone(),
                    ..assignment.clone()
                };
                if self.target_variables.len() < MAX_RULES {
                    self.target_variables.push((target, assignment));
                }
            }
            return;
        }
        let semicolon = outside_references(rest, ";");
        let needs = rest.get(..semicolon.unwrap_or(rest.len())).unwrap_or("");
        let (pattern, needs) = match outside_references(needs, ":") {
            Some(at) => (
                needs.get(..at).map(|p| scope.expand(p).trim().to_owned()),
                needs.get(at + 1..).unwrap_or(""),
            ),
            None => (None, needs),
        };
        // What comes after `|` is needed too, only its age does not count.
        let needs = scope.expand(needs).replace('|', " ");
        self.one_shell |= targets.iter().any(|t| t == ".ONESHELL");
        self.exports_all |= targets.iter().any(|t| t == ".EXPORT_ALL_VARIABLES");
        if self.rules.len() >= MAX_RULES {
            return;
        }
        self.rules.push(Rule {
            targets,
            needs: needs.split_whitespace().map(str::to_owned).collect(),
            pattern,
            lines: Vec::new(),
            span,
            adds: double || self.undecided(),
        });
        self.open = Some(self.rules.len() - 1);
        if let Some(at) = semicolon {
            let recipe = rest.get(at + 1..).unwrap_or("").trim_start();
            // The line as read may have lost continuations; its words stand in the source as they are.
            let written = source.text.get(start..).unwrap_or("");
            let offset = written.find(recipe).map_or(start, |n| start + n);
            let from = Span::new(source.id, offset, offset + recipe.len());
            self.add_line(Mapped::verbatim(from, recipe));
        }
    }

    fn include(&mut self, names: &str, scope: &mut Scope<'_, '_>, depth: usize) {
        for name in names.split_whitespace() {
            if name.contains(is_hole) || depth >= 16 {
                continue;
            }
            for file in scope.glob(name) {
                self.included += 1;
                if self.included > MAX_INCLUDES {
                    return;
                }
                let path: Option<RepoPath> = scope.cwd.join(&file);
                let source = path.and_then(|p| scope.run.cx.sources.load(&p).ok());
                if let Some(source) = source {
                    self.read(&source, scope, depth + 1);
                }
            }
        }
        self.open = None;
    }
}

fn set(scope: &mut Scope<'_, '_>, assignment: &Assignment) {
    let old = scope.variables.get(&assignment.name);
    if let Some(new) = assigned(scope, old, assignment) {
        scope.variables.insert(assignment.name.clone(), new);
    }
}

/// What a variable is after an assignment; `None` when it stays as it is.
pub(super) fn assigned(
    scope: &Scope<'_, '_>,
    old: Option<&Variable>,
    a: &Assignment,
) -> Option<Variable> {
    let expanded = |value: &str| Variable {
        value: scope.expand(value),
        recursive: false,
    };
    Some(match (a.operator, old) {
        ("?=", old) if old.is_some() || scope.is_set(&a.name) => return None,
        (":=", _) => expanded(&a.value),
        ("!=", _) => expanded(&format!("$(shell {})", a.value)),
        ("+=", Some(old)) => {
            let more = if old.recursive {
                a.value.clone()
            } else {
                scope.expand(&a.value)
            };
            let mut value = old.value.clone();
            // Appending in a circle of includes must not grow for ever.
            if value.len() + more.len() < 64 * 1024 {
                value.push(' ');
                value.push_str(&more);
            }
            Variable {
                value,
                recursive: old.recursive,
            }
        }
        _ => Variable {
            value: a.value.clone(),
            recursive: true,
        },
    })
}

/// The word that a line begins with, and the rest; a parenthesis belongs to the rest.
fn first_word(line: &str) -> (&str, &str) {
    let end = line.find([' ', '\t', '(']).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim())
}

/// Whether the lines after a condition count; `None` when that depends on the build run.
fn decide(word: &str, rest: &str, scope: &Scope<'_, '_>) -> Option<bool> {
    if word == "ifdef" || word == "ifndef" {
        let name = scope.expand(rest.trim());
        if !scope.is_set(&name) {
            return None;
        }
        let value = scope.expand(&format!("$({name})"));
        return Some(value.is_empty() != (word == "ifdef"));
    }
    let rest = rest.trim();
    let inside = rest.strip_prefix('(').unwrap_or(rest);
    let (left, right) = if rest.starts_with(['"', '\'']) {
        let mut parts = rest.split(['"', '\'']).map(str::to_owned);
        (parts.nth(1)?, parts.nth(1)?)
    } else {
        let parts = arguments(inside);
        let right = parts.get(1)?.trim();
        let right = right.strip_suffix(')').unwrap_or(right);
        (parts.first()?.trim().to_owned(), right.trim().to_owned())
    };
    let (left, right) = (scope.expand(&left), scope.expand(&right));
    if left != right && (left.contains(is_hole) || right.contains(is_hole)) {
        return None;
    }
    Some((left == right) == (word == "ifeq"))
}

/// `NAME op value`, when the line is an assignment and no rule.
pub(super) fn split_assignment(line: &str) -> Option<Assignment> {
    let at = outside_references(line, ":=")?;
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
        name: name.to_owned(),
        operator,
        value: value.to_owned(),
    })
}

/// Where any of `marks` stands outside of references: the first place only.
fn outside_references(line: &str, marks: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut dollar = false;
    for (at, c) in line.char_indices() {
        match c {
            '(' | '{' if dollar || depth > 0 => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && marks.contains(c) => return Some(at),
            _ => {}
        }
        dollar = c == '$';
    }
    None
}

fn recipe_prefix(scope: &Scope<'_, '_>) -> char {
    let set = scope.variables.get(".RECIPEPREFIX");
    set.and_then(|v| v.value.chars().next()).unwrap_or('\t')
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
fn joined(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut lines = raw.trim_end_matches(['\n', '\r']).split('\n').peekable();
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
    out
}

fn without_comment(line: &str) -> String {
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
    out
}
