//! The syntax of makefiles: lines to rules and variables.
//!
//! Ours rather than `makefile-lossless`: a recipe must be expanded, keep the place of each byte and
//! be read within bounds, which leaves a syntax tree little to do.

use std::borrow::Cow;
use std::rc::Rc;

use crate::effect::Guard;
use crate::source::{FileId, RepoPath, Source, Span};
use crate::text::{HoleKind, Mapped, is_hole};

use super::expand::{Scope, Variable, arguments};

/// Rules that all files of one call may have; only hostile input has more.
const MAX_RULES: usize = 20_000;

/// Files that may be included, in all.
const MAX_INCLUDES: usize = 200;

/// How deep `$(eval …)` may make text that has `$(eval …)` in it.
const MAX_EVALS: usize = 16;

/// A line of a recipe, not yet expanded.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: Mapped,
    /// The conditions around it that cannot be decided.
    pub(super) guards: Rc<[Guard]>,
}

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) targets: Vec<String>,
    pub(super) needs: Vec<String>,
    /// `targets: pattern: prerequisites`.
    pub(super) pattern: Option<String>,
    pub(super) lines: Vec<Line>,
    pub(super) span: Span,
    /// It adds to what stands before it (`::`, or a branch that cannot be decided).
    pub(super) adds: bool,
    /// The conditions around it that cannot be decided.
    pub(super) guards: Rc<[Guard]>,
}

/// A variable that is set for some targets only.
pub(super) struct TargetVariable {
    pub(super) target: String,
    pub(super) assignment: Assignment,
    pub(super) exported: bool,
}

/// Everything that the makefiles say.
#[derive(Default)]
pub(super) struct Makefile {
    pub(super) rules: Vec<Rule>,
    pub(super) target_variables: Vec<TargetVariable>,
    pub(super) exported: Vec<String>,
    pub(super) not_exported: Vec<String>,
    pub(super) exports_all: bool,
    pub(super) one_shell: bool,
    /// Why a target may be there though it is not seen.
    pub(super) unseen: Option<&'static str>,
    /// It includes rules that a program on the machine brings along, which pull nothing.
    pub(super) brings_rules: bool,
    included: usize,
    /// Files that are being read: an include in a circle ends here.
    reading: Vec<FileId>,
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
    /// No branch after this one counts.
    taken: bool,
    /// What this branch stands under, when that cannot be decided.
    guards: Vec<Guard>,
    /// That no branch before the next one is taken, as far as that cannot be decided.
    passed: Vec<Guard>,
    /// Whether the lines here count where what nobody sets is empty, as it is for make.
    likely: Option<bool>,
    /// Whether the next branch is come to then.
    likely_passed: Option<bool>,
    /// `ifndef NAME`: what is set inside is a default.
    default_of: Option<String>,
}

/// Where a text is written.
#[derive(Clone, Copy)]
enum Origin<'s> {
    File(&'s Source),
    /// `$(eval …)` made it; all of it counts as written there.
    Made(Span),
}

impl Origin<'_> {
    fn span(self, start: usize, end: usize) -> Span {
        match self {
            Self::File(source) => Span::new(source.id, start, end),
            Self::Made(span) => span,
        }
    }

    /// A part of the text with its places; `prefix` is taken off each continuation line.
    fn mapped(self, start: usize, raw: &str, prefix: char) -> Mapped {
        let mut out = Mapped::empty(self.span(start, start).file);
        let mut at = start;
        for piece in raw.split_inclusive('\n') {
            let from = if piece.starts_with(prefix) {
                prefix.len_utf8()
            } else {
                0
            };
            let text = piece.get(from..).unwrap_or("");
            let line = text.trim_end_matches(['\r', '\n']);
            let offset = self.span(at + from, at + from).start;
            let linear = matches!(self, Self::File(_));
            out.push(line, offset, linear);
            if text.ends_with('\n') {
                out.push("\n", offset.saturating_add(narrow(line.len())), linear);
            }
            at += piece.len();
        }
        out
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Makefile {
    /// Reads one file and what it includes.
    pub(super) fn read(&mut self, source: &Source, scope: &mut Scope<'_, '_>, depth: usize) {
        if self.reading.contains(&source.id) {
            return;
        }
        self.reading.push(source.id);
        let outer = std::mem::take(&mut self.conditions);
        self.lines(&source.text, Origin::File(source), scope, depth);
        self.reading.pop();
        self.conditions = outer;
    }

    fn lines(&mut self, text: &str, origin: Origin<'_>, scope: &mut Scope<'_, '_>, depth: usize) {
        self.open = None;
        let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        while at < text.len() && scope.run.cx.spend() {
            let start = at;
            at = logical_end(text, start);
            let raw = text.get(start..at).unwrap_or("");
            let prefix = recipe_prefix(scope);
            if raw.starts_with(prefix) && self.open.is_some() {
                if self.counts() {
                    self.add_line(origin.mapped(start, raw, prefix));
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
            if self.condition(word, rest.trim(), scope) {
                continue;
            }
            if let Some(header) = definition(trimmed) {
                let end = definition_end(text, at);
                if self.counts() {
                    let body = text.get(at..end.0).unwrap_or("");
                    self.define(header, body, trimmed.starts_with("export"), scope);
                }
                at = end.1;
                self.open = None;
                continue;
            }
            if !self.counts() {
                continue;
            }
            self.open = None;
            let end = start + raw.trim_end().len();
            self.line(trimmed, raw, start..end, origin, scope, depth);
            self.made(origin.span(start, end), scope, depth);
        }
    }

    /// Reads what `$(eval …)` made in the line that was just read.
    fn made(&mut self, span: Span, scope: &mut Scope<'_, '_>, depth: usize) {
        let made = scope.evaluated.take();
        if made.is_empty() {
            return;
        }
        let open = self.open;
        for text in made {
            if text.contains(is_hole) || depth >= MAX_EVALS {
                self.unseen = Some("it makes some by `$(eval)` of what only the build run knows");
            }
            if depth < MAX_EVALS {
                self.lines(&text, Origin::Made(span), scope, depth + 1);
            }
        }
        self.open = open;
    }

    fn counts(&self) -> bool {
        self.conditions.iter().all(|c| c.now != Some(false))
    }

    fn undecided(&self) -> bool {
        self.conditions.iter().any(|c| c.now.is_none())
    }

    /// Whether what stands here counts where what nobody sets is empty.
    fn likely(&self) -> Option<bool> {
        let mut all = Some(true);
        for open in self.conditions.iter().filter(|c| c.now.is_none()) {
            all = both(all, open.likely);
        }
        all
    }

    fn guards(&self) -> Rc<[Guard]> {
        let all = self.conditions.iter().filter(|c| c.now.is_none());
        all.flat_map(|c| c.guards.iter().cloned()).collect()
    }

    /// `ifeq`, `ifdef`, `else`, `endif`. `false` when the line is none of these.
    fn condition(&mut self, word: &str, rest: &str, scope: &Scope<'_, '_>) -> bool {
        let (word, rest, mut passed, taken, likely_passed) = match word {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => (word, rest, Vec::new(), false, Some(true)),
            "else" => {
                let Some(last) = self.conditions.pop() else {
                    return true;
                };
                let (word, rest) = first_word(rest);
                (word, rest, last.passed, last.taken, last.likely_passed)
            }
            "endif" => {
                self.conditions.pop();
                return true;
            }
            _ => return false,
        };
        // Deeper nesting is in hostile input only; the pops then end too many, which loses lines.
        if self.conditions.len() >= 1000 {
            return true;
        }
        let mut condition = Condition {
            now: Some(false),
            taken: true,
            guards: Vec::new(),
            passed: Vec::new(),
            likely: Some(false),
            likely_passed: Some(false),
            default_of: None,
        };
        if !taken && self.counts() {
            let (decided, likely) = if word.starts_with("if") {
                let decided = decide(word, rest, scope, false);
                (decided, decided.or_else(|| decide(word, rest, scope, true)))
            } else {
                (Some(true), Some(true))
            };
            condition.likely = both(likely_passed, likely);
            condition.likely_passed = both(likely_passed, likely.map(|likely| !likely));
            condition.now = decided;
            condition.taken = decided == Some(true);
            condition.guards.clone_from(&passed);
            if decided == Some(true) && !passed.is_empty() {
                condition.now = None;
            }
            if decided.is_none() {
                let guard = guard(word, rest, scope);
                passed.push(guard.not());
                condition.guards.push(guard);
                condition.default_of = (word == "ifndef").then(|| rest.trim().to_owned());
            }
            condition.passed = passed;
        }
        self.conditions.push(condition);
        true
    }

    fn add_line(&mut self, text: Mapped) {
        let guards = self.guards();
        let rule = self.open.and_then(|i| self.rules.get_mut(i));
        if let Some(rule) = rule.filter(|r| r.lines.len() < 5_000) {
            rule.lines.push(Line { text, guards });
        }
    }

    fn define(&mut self, header: &str, body: &str, exported: bool, scope: &mut Scope<'_, '_>) {
        let (name, operator) = match split_assignment(header) {
            Some(a) => (a.name, a.operator),
            None => (header.to_owned(), "="),
        };
        let body = body.replace("\r\n", "\n");
        let assignment = Assignment {
            name: scope.expand(name.trim()),
            operator,
            value: body.strip_suffix('\n').unwrap_or(&body).to_owned(),
        };
        if exported {
            self.exported.push(assignment.name.clone());
        }
        self.set(scope, &assignment);
    }

    fn line(
        &mut self,
        line: &str,
        raw: &str,
        range: std::ops::Range<usize>,
        origin: Origin<'_>,
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
                "unexport" => {
                    let names = scope.expand(rest);
                    let names = names.split_whitespace().take(1_000);
                    self.not_exported.extend(names.map(str::to_owned));
                    return;
                }
                "undefine" => {
                    let name = scope.expand(rest.trim());
                    scope.variables_mut().remove(&name);
                    return;
                }
                "vpath" => return,
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
                scope.override_with(&name);
            }
            let assignment = Assignment { name, ..assignment };
            self.set(scope, &assignment);
            return;
        }
        if exported {
            self.exports_all |= line.is_empty();
            let names = scope.expand(line);
            let names = names.split_whitespace().take(1_000);
            self.exported.extend(names.map(str::to_owned));
            return;
        }
        if outside_references(line, b":").is_some() {
            self.rule(line, raw, range, origin, scope);
        } else if line.contains('$') {
            // `$(call …)` may give a rule, and `$(eval …)` is called in such a line.
            let expanded = scope.expand(line).replace('$', "$$");
            if outside_references(&expanded, b":").is_some() && !expanded.contains('\n') {
                self.rule(&expanded, "", range, origin, scope);
            }
        }
    }

    fn rule(
        &mut self,
        line: &str,
        raw: &str,
        range: std::ops::Range<usize>,
        origin: Origin<'_>,
        scope: &Scope<'_, '_>,
    ) {
        let Some(colon) = outside_references(line, b":") else {
            return;
        };
        let targets = line.get(..colon).unwrap_or("");
        // `a b &: c` makes both at once.
        let targets = scope.expand(targets.strip_suffix('&').unwrap_or(targets));
        let targets: Vec<String> = targets.split_whitespace().map(str::to_owned).collect();
        let rest = line.get(colon + 1..).unwrap_or("");
        let double = rest.starts_with(':');
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if let Some((assignment, exported)) = target_assignment(rest) {
            for target in targets.into_iter().take(1000) {
                if self.target_variables.len() < MAX_RULES {
                    self.target_variables.push(TargetVariable {
                        target,
                        assignment: assignment.clone(),
                        exported,
                    });
                }
            }
            return;
        }
        let semicolon = outside_references(rest, b";");
        let needs = rest.get(..semicolon.unwrap_or(rest.len())).unwrap_or("");
        let (pattern, needs) = match outside_references(needs, b":") {
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
            span: origin.span(range.start, range.end),
            adds: double || self.undecided(),
            guards: self.guards(),
        });
        self.open = Some(self.rules.len() - 1);
        if semicolon.is_some()
            && let Some(at) = outside_references(raw, b";#")
        {
            let recipe = raw.get(at + 1..).unwrap_or("");
            let blank = recipe.len() - recipe.trim_start().len();
            let start = range.start + at + 1 + blank;
            let recipe = recipe.trim();
            self.add_line(origin.mapped(start, recipe, recipe_prefix(scope)));
        }
    }

    fn include(&mut self, names: &str, scope: &mut Scope<'_, '_>, depth: usize) {
        for name in names.split_whitespace() {
            if is_of_a_program(&scope.run.cx.holes.shown(name)) {
                self.brings_rules = true;
                continue;
            }
            if name.contains(is_hole) || depth >= 16 {
                self.unseen = Some("it includes files that only the build run knows");
                continue;
            }
            let files = scope.glob(name).unwrap_or_default();
            if files.is_empty() && !name.contains('*') {
                self.unseen = Some("it includes files that are not in this repository");
            }
            for file in files {
                self.included += 1;
                if self.included > MAX_INCLUDES {
                    return;
                }
                let path: Option<RepoPath> = scope.cwd.join(&file);
                let source = path.and_then(|p| scope.run.cx.sources.load(&p).ok());
                if let Some(source) = source {
                    scope.note_file(&file);
                    self.read(&source, scope, depth + 1);
                }
            }
        }
        self.open = None;
    }

    /// Sets a variable. Under a condition that cannot be decided it has either of two values.
    fn set(&self, scope: &mut Scope<'_, '_>, assignment: &Assignment) {
        let name = &assignment.name;
        let old = scope.variables().get(name);
        let Some(mut new) = assigned(scope, old, assignment) else {
            return;
        };
        let is_default = |c: &Condition| c.default_of.as_deref() == Some(name.as_str());
        if let Some(old) = old
            && assignment.operator != "+="
            && self.undecided()
            && !self.conditions.iter().any(is_default)
            && (old.value != new.value || old.recursive != new.recursive)
        {
            new = either(scope, name, old, new, self.likely());
        }
        scope.variables_mut().insert(name.clone(), new);
    }
}

/// Whether a file that is included comes with a program: PostgreSQL's rules for its extensions
/// (<https://www.postgresql.org/docs/current/extend-pgxs.html>), which `pg_config --pgxs` names.
fn is_of_a_program(shown: &str) -> bool {
    matches!(shown, "$PGXS" | "$(PGXS)")
        || shown.starts_with("$(shell ") && shown.trim_end_matches(')').ends_with(" --pgxs")
}

/// Whether both hold, as far as that is known.
fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// One of two values; `likely`: whether it is the new one where what nobody sets is empty.
fn either(
    scope: &Scope<'_, '_>,
    name: &str,
    old: &Variable,
    new: Variable,
    likely: Option<bool>,
) -> Variable {
    // `@`, `sudo` and the like stand in front of a command, and do not change what it pulls.
    let harmless = |v: &Variable| matches!(v.value.trim(), "" | "@" | "sudo" | "sudo -E" | "time");
    // By which client containers are run does not change it either.
    let client = |v: &Variable| {
        let mut words = v.value.split_whitespace().filter(|w| *w != "sudo");
        words.next().is_some_and(|w| w.starts_with("docker"))
    };
    if harmless(old) && harmless(&new) {
        return Variable {
            value: String::new(),
            recursive: false,
        };
    }
    if let Some(kept) = scope.likelier(&old.value, &new.value) {
        return if kept == new.value { new } else { old.clone() };
    }
    if client(&new) {
        return new;
    }
    if client(old) {
        return old.clone();
    }
    match likely {
        Some(true) => return new,
        Some(false) => return old.clone(),
        None => {}
    }
    // An option that is given or not (`--pull`) is likelier to do no harm than a word that nobody knows.
    let option = |v: &Variable| v.value.trim_start().starts_with('-');
    if option(&new) && old.value.trim().is_empty() {
        return new;
    }
    if option(old) && new.value.trim().is_empty() {
        return old.clone();
    }
    let hole = scope
        .run
        .cx
        .holes
        .of(&format!("$({name})"), HoleKind::Variable);
    Variable {
        value: hole.as_str().to_owned(),
        recursive: false,
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
        assignment.name = name.trim().to_owned();
    }
    (!assignment.name.contains([';', '|'])).then_some((assignment, exported))
}

/// A condition that cannot be decided, in the words of the file.
fn guard(word: &str, rest: &str, scope: &Scope<'_, '_>) -> Guard {
    let (word, holds) = match word {
        "ifneq" => ("ifeq", false),
        "ifndef" => ("ifdef", false),
        _ => (word, true),
    };
    let text = scope.run.cx.holes.show(rest.trim());
    let text: String = text.chars().take(300).collect();
    let guard = Guard::when(format!("{word} {text}"));
    if holds { guard } else { guard.not() }
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

/// Whether the lines after a condition count; `None` when that depends on the build run. For `likely`
/// variables that nobody sets are empty: there may be none, but a test for one mostly asks for a switch.
fn decide(word: &str, rest: &str, scope: &Scope<'_, '_>, likely: bool) -> Option<bool> {
    let expand = |text: &str| {
        let value = scope.expand(text);
        match likely {
            true => scope.without_unset(&value),
            false => value,
        }
    };
    if word == "ifdef" || word == "ifndef" {
        let name = scope.expand(rest.trim());
        if !scope.is_set(&name) && !likely {
            return None;
        }
        let value = expand(&format!("$({name})"));
        // A value that only the build run knows may be empty.
        let decided = value.is_empty() || !value.chars().all(is_hole);
        return decided.then(|| value.is_empty() != (word == "ifdef"));
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
    let (left, right) = (expand(&left), expand(&right));
    if left != right && (left.contains(is_hole) || right.contains(is_hole)) {
        return None;
    }
    Some((left == right) == (word == "ifeq"))
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
        name: name.to_owned(),
        operator,
        value: value.to_owned(),
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

fn recipe_prefix(scope: &Scope<'_, '_>) -> char {
    let set = scope.variables().get(".RECIPEPREFIX");
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
