//! The syntax of makefiles: lines to rules and variables.
//!
//! Ours rather than `makefile-lossless`: a recipe must be expanded, keep the place of each byte and
//! be read within bounds, which leaves a syntax tree little to do.

use std::rc::Rc;

use ecow::EcoString;

use crate::effect::Guard;
use crate::source::{FileId, RepoPath, Source, Span};
use crate::text::{HoleKind, Mapped, is_hole};

use super::expand::{Scope, Variable};
use super::lines::{
    Assignment, Definition, Kind, Lines, Names, RuleKind, RuleLine, Says, Statement,
};
use super::lines::{first_word, names};
use super::template::arguments;

/// Rules that all files of one call may have; only hostile input has more.
const MAX_RULES: usize = 20_000;

/// Files that may be included, in all.
const MAX_INCLUDES: usize = 200;

/// How deep files may include each other.
const MAX_DEPTH: usize = 16;

/// How deep `$(eval …)` may make text that has `$(eval …)` in it.
const MAX_EVALS: usize = 16;

/// A line of a recipe, not yet expanded.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: Rc<Mapped>,
    /// The conditions around it that cannot be decided.
    pub(super) guards: Rc<[Guard]>,
}

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) targets: Rc<[EcoString]>,
    pub(super) needs: Rc<[EcoString]>,
    /// `targets: pattern: prerequisites`.
    pub(super) pattern: Option<EcoString>,
    pub(super) lines: Vec<Line>,
    pub(super) span: Span,
    /// It adds to what stands before it (`::`, or a branch that cannot be decided).
    pub(super) adds: bool,
    /// The conditions around it that cannot be decided.
    pub(super) guards: Rc<[Guard]>,
}

/// A variable that is set for some targets only.
pub(super) struct TargetVariable {
    pub(super) target: EcoString,
    pub(super) assignment: Assignment,
    pub(super) exported: bool,
}

/// Everything that the makefiles say.
#[derive(Default)]
pub(super) struct Makefile {
    pub(super) rules: Vec<Rule>,
    pub(super) target_variables: Vec<TargetVariable>,
    pub(super) exported: Vec<EcoString>,
    pub(super) not_exported: Vec<EcoString>,
    pub(super) exports_all: bool,
    pub(super) one_shell: bool,
    /// Why a target may be there though it is not seen.
    pub(super) unseen: Option<&'static str>,
    /// It includes rules that a program on the machine brings along, which pull nothing.
    pub(super) brings_rules: bool,
    /// There are more rules than are read.
    pub(super) has_more: bool,
    /// They include more files, or deeper, than are read.
    pub(super) includes_more: bool,
    included: usize,
    /// Files that are being read: an include in a circle ends here.
    reading: Vec<FileId>,
    /// The rule that recipe lines now belong to.
    open: Option<usize>,
    conditions: Vec<Condition>,
    /// The conditions that cannot be decided, until one of them begins or ends.
    guards: Option<Rc<[Guard]>>,
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
        self.guards = None;
        let lines = &scope.run.cx.make_lines;
        let lines = lines.borrow_mut().of_file(source.id, &source.text);
        self.lines(&lines, Origin::File(source), scope, depth);
        self.reading.pop();
        self.conditions = outer;
        self.guards = None;
    }

    fn lines(
        &mut self,
        lines: &Lines,
        origin: Origin<'_>,
        scope: &mut Scope<'_, '_>,
        depth: usize,
    ) {
        self.open = None;
        let text = lines.text();
        let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        while at < text.len() && scope.run.cx.spend() {
            let start = at;
            let line = lines.at(start);
            at = line.end;
            let raw = text.get(start..at).unwrap_or("");
            let prefix = recipe_prefix(scope);
            if self.open.is_some() && raw.starts_with(prefix) {
                if self.counts() {
                    let mapped = || Rc::new(origin.mapped(start, raw, prefix));
                    // In another text the same line stands elsewhere.
                    let recipe = match origin {
                        Origin::File(_) if prefix == '\t' => {
                            Rc::clone(line.recipe.get_or_init(mapped))
                        }
                        _ => mapped(),
                    };
                    self.add_line(recipe);
                }
                continue;
            }
            match &line.says {
                Says::Nothing => {}
                Says::Condition(word, rest) => self.condition(word, rest, scope),
                Says::Definition(definition) => {
                    if self.counts() {
                        self.define(definition, scope);
                    }
                    at = definition.end;
                    self.open = None;
                }
                Says::Statement(_) if !self.counts() => {}
                Says::Statement(statement) => {
                    self.open = None;
                    let span = origin.span(start, statement.end);
                    self.statement(statement, start, origin, scope, depth);
                    self.made(span, scope, depth);
                }
            }
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
                let lines = &scope.run.cx.make_lines;
                let lines = lines.borrow_mut().of_made(&text);
                self.lines(&lines, Origin::Made(span), scope, depth + 1);
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

    fn guards(&mut self) -> Rc<[Guard]> {
        let conditions = &self.conditions;
        let guards = self.guards.get_or_insert_with(|| {
            let all = conditions.iter().filter(|c| c.now.is_none());
            all.flat_map(|c| c.guards.iter().cloned()).collect()
        });
        Rc::clone(guards)
    }

    /// `ifeq`, `ifdef`, `else`, `endif`.
    fn condition(&mut self, word: &str, rest: &str, scope: &Scope<'_, '_>) {
        self.guards = None;
        let (word, rest, mut passed, taken, likely_passed) = match word {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => (word, rest, Vec::new(), false, Some(true)),
            "else" => {
                let Some(last) = self.conditions.pop() else {
                    return;
                };
                let (word, rest) = first_word(rest);
                (word, rest, last.passed, last.taken, last.likely_passed)
            }
            "endif" => {
                self.conditions.pop();
                return;
            }
            _ => return,
        };
        // Deeper nesting is in hostile input only; the pops then end too many, which loses lines.
        if self.conditions.len() >= 1000 {
            return;
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
    }

    fn add_line(&mut self, text: Rc<Mapped>) {
        let guards = self.guards();
        let rule = self.open.and_then(|i| self.rules.get_mut(i));
        if let Some(rule) = rule.filter(|r| r.lines.len() < 5_000) {
            rule.lines.push(Line { text, guards });
        }
    }

    fn define(&mut self, definition: &Definition, scope: &mut Scope<'_, '_>) {
        let assignment = &definition.assignment;
        let name = scope.expand(&assignment.name);
        if definition.exported {
            self.exported.push(name.clone());
        }
        self.set(scope, &name, assignment);
    }

    fn statement(
        &mut self,
        statement: &Statement,
        start: usize,
        origin: Origin<'_>,
        scope: &mut Scope<'_, '_>,
        depth: usize,
    ) {
        match &statement.kind {
            Kind::Nothing => {}
            Kind::Include(written) => {
                let names = scope.expand(written);
                self.include(&names, scope, depth);
            }
            Kind::Unexport(written) => {
                let names = scope.expand(written);
                let names = names.split_whitespace().take(1_000);
                self.not_exported.extend(names.map(EcoString::from));
            }
            Kind::Undefine(written) => {
                let name = scope.expand(written);
                scope.variables_mut().remove(&*name);
            }
            Kind::Assignment(assignment) => {
                let name = scope.expand(&assignment.name);
                if name.contains(char::is_whitespace) {
                    return;
                }
                if statement.exported {
                    self.exported.push(name.clone());
                }
                if statement.overrides {
                    scope.override_with(&name);
                }
                self.set(scope, &name, assignment);
            }
            Kind::Export(written) => {
                self.exports_all |= written.is_empty();
                let names = scope.expand(written);
                let names = names.split_whitespace().take(1_000);
                self.exported.extend(names.map(EcoString::from));
            }
            Kind::Rule(rule) => {
                let span = origin.span(start, statement.end);
                self.rule(rule, start, span, origin, scope);
            }
            Kind::Unfolds(line) => {
                // `$(call …)` may give a rule, and `$(eval …)` is called in such a line.
                let expanded = scope.expand(line).replace("$", "$$");
                let rule = (!expanded.contains('\n')).then(|| RuleLine::of(&expanded, ""));
                if let Some(rule) = rule.flatten() {
                    let span = origin.span(start, statement.end);
                    self.rule(&rule, start, span, origin, scope);
                }
            }
        }
    }

    fn rule(
        &mut self,
        rule: &RuleLine,
        start: usize,
        span: Span,
        origin: Origin<'_>,
        scope: &Scope<'_, '_>,
    ) {
        let targets = match &rule.targets {
            Names::Known(targets) => Rc::clone(targets),
            Names::Written(written) => names(&scope.expand(written)),
        };
        let (pattern, needs, recipe) = match &rule.what {
            RuleKind::Variable(assignment, exported) => {
                for target in targets.iter() {
                    if self.target_variables.len() >= MAX_RULES {
                        self.has_more = true;
                        return;
                    }
                    self.target_variables.push(TargetVariable {
                        target: target.clone(),
                        assignment: assignment.clone(),
                        exported: *exported,
                    });
                }
                return;
            }
            RuleKind::Needs {
                pattern,
                needs,
                recipe,
            } => (pattern, needs, recipe),
        };
        let pattern = pattern.as_deref();
        let pattern = pattern.map(|pattern| EcoString::from(scope.expand(pattern).trim()));
        let needs = match needs {
            Names::Known(needs) => Rc::clone(needs),
            // What comes after `|` is needed too, only its age does not count.
            Names::Written(written) => names(&scope.expand(written).replace("|", " ")),
        };
        self.one_shell |= targets.iter().any(|t| t == ".ONESHELL");
        self.exports_all |= targets.iter().any(|t| t == ".EXPORT_ALL_VARIABLES");
        if self.rules.len() >= MAX_RULES {
            self.has_more = true;
            return;
        }
        let guards = self.guards();
        self.rules.push(Rule {
            targets,
            needs,
            pattern,
            lines: Vec::new(),
            span,
            adds: rule.double || self.undecided(),
            guards,
        });
        self.open = Some(self.rules.len() - 1);
        if let Some((at, recipe)) = recipe {
            let recipe = origin.mapped(start + at, recipe, recipe_prefix(scope));
            self.add_line(Rc::new(recipe));
        }
    }

    fn include(&mut self, names: &str, scope: &mut Scope<'_, '_>, depth: usize) {
        for name in names.split_whitespace() {
            if is_of_a_program(&scope.run.cx.holes.shown(name)) {
                self.brings_rules = true;
                continue;
            }
            if depth >= MAX_DEPTH {
                self.includes_more = true;
                self.unseen = Some("its files include each other deeper than is followed");
                continue;
            }
            if name.contains(is_hole) {
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
                    self.includes_more = true;
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
    fn set(&self, scope: &mut Scope<'_, '_>, name: &EcoString, assignment: &Assignment) {
        let old = scope.variables().get(name);
        let Some(mut new) = assigned(scope, name, old, assignment) else {
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
pub(super) fn either(
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
            value: EcoString::new(),
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
        value: hole.into(),
        recursive: false,
    }
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
    name: &str,
    old: Option<&Variable>,
    a: &Assignment,
) -> Option<Variable> {
    let expanded = |value: &str| Variable {
        value: scope.expand(value),
        recursive: false,
    };
    Some(match (a.operator, old) {
        ("?=", old) if old.is_some() || scope.is_set(name) => return None,
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

/// Whether the lines after a condition count; `None` when that depends on the build run. For `likely`
/// variables that nobody sets are empty: there may be none, but a test for one mostly asks for a switch.
fn decide(word: &str, rest: &str, scope: &Scope<'_, '_>, likely: bool) -> Option<bool> {
    let expand = |text: &str| {
        let value = scope.expand(text);
        match likely {
            true => scope.without_unset(value),
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
        let part = |at: usize| inside.get(parts.get(at)?.clone());
        let right = part(1)?.trim();
        let right = right.strip_suffix(')').unwrap_or(right);
        (part(0)?.trim().to_owned(), right.trim().to_owned())
    };
    let (left, right) = (expand(&left), expand(&right));
    if left != right && (left.contains(is_hole) || right.contains(is_hole)) {
        return None;
    }
    Some((left == right) == (word == "ifeq"))
}

fn recipe_prefix(scope: &Scope<'_, '_>) -> char {
    let set = scope.variables().get(".RECIPEPREFIX");
    set.and_then(|v| v.value.chars().next()).unwrap_or('\t')
}
