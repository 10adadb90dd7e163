//! `make test` in a CI step hides what it pulls behind a target; this module says which scripts it
//! runs, in make's order.

mod expand;
mod reader;

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::{Call, Failure, Recipe};
use crate::effect::Guard;
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{Mapped, Text, is_hole, may_be};

use expand::{Scope, Variables, reference, stem};
use reader::{Line, Makefile, Rule, TargetVariable, assigned};

/// The names that GNU make looks for, the first one first.
const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// How deep targets may need each other.
const MAX_CHAIN: usize = 64;

/// Scripts that one call may run.
const MAX_RECIPES: usize = 2_000;

/// Bytes that all scripts of one call may have together.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Pattern rules that are tried for a target; real makefiles have a few.
const MAX_PATTERNS: usize = 200;

/// Targets that are tried for a goal of which a part is unknown.
const MAX_FITTING: usize = 100;

/// Lines of one rule above which they are run as one script.
const MANY_LINES: usize = 200;

pub(super) fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let cwd = super::directory(run, call)?;
    let path = super::file(run, call, &cwd, &NAMES, false)?;
    let source = run.cx.sources.load(&path).map_err(|e| e.message)?;
    let mut scope = Scope::new(run, cwd.clone(), &call.variables);
    let mut makefile = Makefile::default();
    let goals: Vec<String> = call.targets.iter().map(|t| t.as_str().to_owned()).collect();
    scope.variables.insert(
        "MAKECMDGOALS".to_owned(),
        expand::Variable {
            value: goals.join(" "),
            recursive: false,
        },
    );
    let given = call.file.as_ref().and_then(Text::known);
    scope.note_file(given.unwrap_or(path.name()));
    makefile.read(&source, &mut scope, 0);
    let mut order = Order::new(&makefile, &scope, call, &path);
    let goals = if goals.is_empty() {
        order.default_goal().into_iter().collect()
    } else {
        goals
    };
    // PostgreSQL's own rules bring targets along: `make`, `make install`.
    let brings_rules = makefile.brings_rules && makefile.unseen.is_none();
    if goals.is_empty() && !brings_rules {
        return Err(Failure::Unresolved(format!("`{path}` has no target")));
    }
    for goal in goals {
        let known = Text::new(goal.as_str()).is_known();
        if !known {
            let shown = run.cx.holes.show(&goal);
            if !order.one_of(&goal, &shown) {
                return Err(Failure::Unresolved(format!(
                    "which target `make {shown}` means is known only when the build runs"
                )));
            }
            continue;
        }
        order.goal.clone_from(&goal);
        if !order.target(&goal, &[], 0) && !order.is_there(&goal) && !brings_rules {
            let maybe = makefile
                .unseen
                .map_or(String::new(), |why| format!(" ({why})"));
            let why = format!("no target `{goal}` in `{path}`{maybe}");
            return Err(Failure::NoSuchName(why));
        }
    }
    Ok(order.out)
}

/// Rules and variables by target.
struct Index<'m> {
    explicit: HashMap<&'m str, Vec<&'m Rule>>,
    patterns: Vec<(&'m str, &'m Rule)>,
    phony: HashSet<&'m str>,
    variables: HashMap<&'m str, Vec<&'m TargetVariable>>,
    pattern_variables: Vec<&'m TargetVariable>,
}

impl<'m> Index<'m> {
    fn of(makefile: &'m Makefile) -> Self {
        let mut index = Self {
            explicit: HashMap::new(),
            patterns: Vec::new(),
            phony: HashSet::new(),
            variables: HashMap::new(),
            pattern_variables: Vec::new(),
        };
        for rule in &makefile.rules {
            for target in rule.targets.iter().map(|target| plain(target)) {
                if target == ".PHONY" {
                    index
                        .phony
                        .extend(rule.needs.iter().map(|need| plain(need)));
                } else if !target.contains('%') {
                    index.explicit.entry(target).or_default().push(rule);
                } else if index.patterns.len() < MAX_PATTERNS && !rule.lines.is_empty() {
                    index.patterns.push((target, rule));
                }
            }
        }
        for variable in &makefile.target_variables {
            if !variable.target.contains('%') {
                let of = index.variables.entry(&variable.target).or_default();
                of.push(variable);
            } else if index.pattern_variables.len() < MAX_PATTERNS {
                index.pattern_variables.push(variable);
            }
        }
        index
    }
}

/// A target's name as make compares it: `./out/x` is `out/x`.
fn plain(name: &str) -> &str {
    match name.strip_prefix("./") {
        Some(rest) if !rest.is_empty() => rest,
        _ => name,
    }
}

/// How one target is made.
struct Plan<'m> {
    /// Prerequisites with the conditions under which they are needed.
    needs: Vec<(String, Rc<[Guard]>)>,
    /// Rules with a recipe.
    rules: Vec<&'m Rule>,
    /// What `%` stands for.
    stem: String,
    /// The pattern rule among them, and how many prerequisites stand before its own.
    implicit: Option<(Span, usize)>,
}

struct Order<'m, 'r, 'c> {
    makefile: &'m Makefile,
    index: Index<'m>,
    scope: &'m Scope<'r, 'c>,
    given: &'m [(String, Text)],
    /// The environment of a recipe that has no variables of its own.
    env: Rc<[(String, Text)]>,
    /// Targets that have been made, and under which conditions.
    done: HashSet<(String, Vec<Guard>)>,
    bytes: usize,
    out: Vec<Recipe>,
    /// Pattern rules that are in use: none is used twice in one chain.
    open: Vec<Span>,
    /// The goal that is being made, for the story.
    goal: String,
    file: &'m RepoPath,
}

impl<'m, 'r, 'c> Order<'m, 'r, 'c> {
    fn new(
        makefile: &'m Makefile,
        scope: &'m Scope<'r, 'c>,
        call: &'m Call,
        file: &'m RepoPath,
    ) -> Self {
        let mut order = Self {
            makefile,
            index: Index::of(makefile),
            scope,
            given: &call.variables,
            env: Rc::from([]),
            done: HashSet::new(),
            bytes: 0,
            out: Vec::new(),
            open: Vec::new(),
            goal: String::new(),
            file,
        };
        order.env = order.environment(&[]);
        order
    }

    /// What recipes find in their environment: the command line's variables, those exported, and those
    /// that came from there and that the makefile changes.
    fn environment(&self, also: &[&str]) -> Rc<[(String, Text)]> {
        let (makefile, scope) = (self.makefile, self.scope);
        let mut env: BTreeMap<String, Text> = BTreeMap::new();
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let from_outside =
            |name: &&String| makefile.exports_all || scope.run.env.contains_key(*name);
        let own = scope.variables.keys().filter(from_outside);
        let names = makefile.exported.iter().chain(own).map(String::as_str);
        for name in names.chain(also.iter().copied()).take(1_000) {
            let hidden = makefile.not_exported.iter().any(|n| n == name);
            let set = scope.variables.contains_key(name) || also.contains(&name);
            if is_name(name) && set && !hidden && !env.contains_key(name) && scope.run.cx.spend() {
                let value = scope.expand(&format!("$({name})"));
                env.insert(name.to_owned(), Text::new(value));
            }
        }
        env.extend(self.given.iter().cloned());
        env.into_iter().collect()
    }

    /// Makes each target that a goal with an unknown part may be, on the condition that it is this one.
    /// `false` when it may be anything.
    fn one_of(&mut self, goal: &str, shown: &str) -> bool {
        let mut fitting: Vec<&str> = self.index.explicit.keys().copied().collect();
        fitting.retain(|name| may_be(goal, name));
        fitting.sort_unstable();
        if fitting.is_empty() {
            let patterns = self.index.patterns.iter();
            let fits = |pattern: &str| pattern != "%" && stem(pattern, goal).is_some();
            if !patterns.map(|(pattern, _)| *pattern).any(fits) {
                return false;
            }
            shown.clone_into(&mut self.goal);
            return self.target(goal, &[], 0);
        }
        for name in fitting.into_iter().take(MAX_FITTING) {
            let guard = Guard::when(format!("`make {shown}` is `make {name}`"));
            name.clone_into(&mut self.goal);
            self.target(name, &[guard], 0);
        }
        true
    }

    fn default_goal(&self) -> Option<String> {
        if self.scope.variables.contains_key(".DEFAULT_GOAL") {
            let goal = self.scope.expand("$(.DEFAULT_GOAL)");
            let goal = goal.split_whitespace().next().map(str::to_owned);
            if goal.is_some() {
                return goal;
            }
        }
        let mut targets = self.makefile.rules.iter().flat_map(|r| &r.targets);
        targets
            .find(|t| !t.contains('%') && (!t.starts_with('.') || t.contains('/')))
            .cloned()
    }

    /// What is said of a target; `None` when nothing is.
    fn plan(&self, name: &str, is_goal: bool) -> Option<Plan<'m>> {
        let name = plain(name);
        let mut plan = Plan {
            needs: Vec::new(),
            rules: Vec::new(),
            stem: String::new(),
            implicit: None,
        };
        let explicit = self.index.explicit.get(name);
        for rule in explicit.into_iter().flatten().copied() {
            let stem = rule.pattern.as_deref().and_then(|p| stem(p, name));
            self.add_needs(&mut plan, rule, stem);
            if !rule.lines.is_empty() {
                // Of two recipes for one target the later one counts, `::` and undecided branches aside.
                if !rule.adds {
                    plan.rules.clear();
                }
                plan.rules.push(rule);
                plan.stem = stem.unwrap_or(&plan.stem).to_owned();
            }
        }
        // A phony target without a recipe is done; `%:` would catch each of them.
        if !plan.rules.is_empty() || self.index.phony.contains(name) {
            return Some(plan);
        }
        // A file of the repository is as new as what it is made from.
        if !is_goal && explicit.is_none() && self.is_file(name) {
            return None;
        }
        // The shortest stem is the closest match, if what the rule needs can be had.
        let patterns = self.index.patterns.iter();
        let mut fitting: Vec<(&'m Rule, &str)> = patterns
            .filter(|(_, rule)| !self.open.contains(&rule.span))
            .filter_map(|(pattern, rule)| Some((*rule, stem(pattern, name)?)))
            .collect();
        // `%` is for what no other pattern fits.
        if fitting.iter().any(|(_, stem)| stem.len() < name.len()) {
            fitting.retain(|(_, stem)| stem.len() < name.len());
        }
        fitting.sort_by_key(|(_, stem)| stem.len());
        let first = fitting.first().copied();
        let best = fitting.into_iter().find(|(rule, stem)| {
            let mut needs = rule.needs.iter().map(|n| with_stem(n, Some(stem)));
            needs.all(|need| self.can_be_had(&need))
        });
        // For what is asked for by name a rule that fits is likelier than a failing build.
        if let Some((rule, stem)) = best.or(first.filter(|_| is_goal)) {
            plan.implicit = Some((rule.span, plan.needs.len()));
            self.add_needs(&mut plan, rule, Some(stem));
            plan.rules.push(rule);
            plan.stem = stem.to_owned();
            return Some(plan);
        }
        if explicit.is_some() {
            return Some(plan);
        }
        let default = self.index.explicit.get(".DEFAULT").filter(|_| is_goal)?;
        plan.rules.push(default.last()?);
        Some(plan)
    }

    fn add_needs(&self, plan: &mut Plan<'m>, rule: &Rule, stem: Option<&str>) {
        let mut own = Vec::new();
        for need in &rule.needs {
            if plan.needs.len() + own.len() >= MAX_RECIPES || !self.scope.run.cx.spend() {
                break;
            }
            own.push((with_stem(need, stem), Rc::clone(&rule.guards)));
        }
        // Make puts the prerequisites of the rule with the recipe before those of other rules.
        let at = if rule.lines.is_empty() || rule.targets.iter().any(|t| t.contains('%')) {
            plan.needs.len()
        } else {
            0
        };
        plan.needs.splice(at..at, own);
    }

    fn can_be_had(&self, name: &str) -> bool {
        let name = plain(name);
        let named = self.index.explicit.contains_key(name) || self.index.phony.contains(name);
        let made = || {
            self.index
                .patterns
                .iter()
                .any(|(p, _)| *p != "%" && stem(p, name).is_some())
        };
        named || made() || self.is_file(name)
    }

    fn is_file(&self, name: &str) -> bool {
        let path = self.scope.cwd.join(name);
        path.is_some_and(|path| self.scope.run.cx.sources.exists(&path))
    }

    /// Whether there is a file or a folder of this name: "Nothing to be done for it".
    fn is_there(&self, name: &str) -> bool {
        let path = self.scope.cwd.join(name);
        let listed = |path| !self.scope.run.cx.sources.tree().list(&path).is_empty();
        self.is_file(name) || path.is_some_and(listed)
    }

    /// Makes a target, what it needs first. `false` when nothing says how.
    fn target(&mut self, name: &str, under: &[Guard], depth: usize) -> bool {
        let key = (name.to_owned(), under.to_vec());
        if self.done.contains(&key) || self.done.contains(&(key.0.clone(), Vec::new())) {
            return true;
        }
        if depth > MAX_CHAIN || self.out.len() >= MAX_RECIPES || !self.scope.run.cx.spend() {
            return true;
        }
        let Some(plan) = self.plan(name, depth == 0) else {
            return false;
        };
        self.done.insert(key);
        let (own, exported) = self.variables_of(name);
        self.scope.inner.borrow_mut().push(own);
        let open = self.open.len();
        for (index, (need, guards)) in plan.needs.iter().enumerate() {
            let own = plan.implicit.filter(|(_, before)| *before == index);
            self.open.extend(own.map(|(rule, _)| rule));
            self.target(need, &joined(under, guards), depth + 1);
        }
        self.open.truncate(open);
        let mut names: Vec<&str> = plan.needs.iter().map(|(need, _)| need.as_str()).collect();
        let first = names.first().copied().unwrap_or("");
        let every = names.join(" ");
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        let once = names.join(" ");
        let automatic = [
            ("@", name),
            ("<", first),
            ("^", once.as_str()),
            ("+", every.as_str()),
            ("?", once.as_str()),
            ("*", plan.stem.as_str()),
            ("@D", folder_of(name)),
            ("@F", name.rsplit('/').next().unwrap_or("")),
            ("<F", first.rsplit('/').next().unwrap_or("")),
            ("<D", folder_of(first)),
        ];
        let env = if exported.is_empty() {
            Rc::clone(&self.env)
        } else {
            self.environment(&exported)
        };
        let scope = self.scope;
        for rule in plan.rules {
            scope.with(&automatic, || self.run_rule(name, rule, under, &env));
        }
        self.scope.inner.borrow_mut().pop();
        true
    }

    /// A target's own variables, and which of them recipes find in their environment.
    fn variables_of(&self, target: &str) -> (Variables, Vec<&'m str>) {
        let mut own = Variables::new();
        let mut exported = Vec::new();
        let named = self.index.variables.get(target).into_iter().flatten();
        let fits = |v: &&&'m TargetVariable| stem(&v.target, target).is_some();
        let patterns = self.index.pattern_variables.iter().filter(fits);
        for variable in patterns.chain(named) {
            let assignment = &variable.assignment;
            let name = &assignment.name;
            // The command line is stronger.
            if self.scope.given.contains_key(name) || !self.scope.run.cx.spend() {
                continue;
            }
            let outer = || {
                self.scope
                    .inner
                    .borrow()
                    .iter()
                    .rev()
                    .find_map(|v| v.get(name).cloned())
            };
            let old = own.get(name).cloned().or_else(outer);
            let old = old.or_else(|| self.scope.variables.get(name).cloned());
            if let Some(new) = assigned(self.scope, old.as_ref(), assignment) {
                own.insert(name.clone(), new);
            }
            let everywhere = self.makefile.exports_all || self.makefile.exported.contains(name);
            if variable.exported || everywhere || self.scope.run.env.contains_key(name) {
                exported.push(name.as_str());
            }
        }
        (own, exported)
    }

    fn run_rule(&mut self, target: &str, rule: &Rule, under: &[Guard], env: &Rc<[(String, Text)]>) {
        let mut lines: Vec<Line> = Vec::new();
        // Each line is a shell of its own: what one changes in it, or leaves open, ends with the line.
        let together = self.makefile.one_shell || rule.lines.len() > MANY_LINES;
        for line in &rule.lines {
            let text = self.expanded(&line.text);
            self.bytes += text.text.len();
            if self.bytes > MAX_BYTES {
                return;
            }
            let texts = if together { vec![text] } else { shells(&text) };
            for text in texts {
                if text.text.trim().is_empty() {
                    continue;
                }
                match lines
                    .last_mut()
                    .filter(|last| together && last.guards == line.guards)
                {
                    Some(last) => super::join(&mut last.text, &text),
                    None => lines.push(Line {
                        text,
                        guards: Rc::clone(&line.guards),
                    }),
                }
            }
        }
        let note: Rc<str> = if target == self.goal {
            format!("`make {target}` runs this recipe of `{}`", self.file).into()
        } else {
            format!("`make {}` makes `{target}` first", self.goal).into()
        };
        for line in lines {
            if self.out.len() >= MAX_RECIPES {
                return;
            }
            self.out.push(Recipe {
                script: line.text,
                cwd: self.scope.cwd.clone(),
                env: Rc::clone(env),
                guards: joined(under, &line.guards).into(),
                span: rule.span,
                note: Rc::clone(&note),
            });
        }
    }

    /// A recipe line with references put in and make's own prefixes taken off.
    fn expanded(&self, line: &Mapped) -> Mapped {
        let text = &line.text;
        let mut edits: Vec<(usize, usize, Text)> = Vec::new();
        let skipped = prefix(text);
        if skipped > 0 {
            edits.push((0, skipped, Text::default()));
        }
        let mut at = skipped;
        while let Some(found) = text.get(at..).and_then(|t| t.find('$')) {
            let start = at + found;
            let end = start + reference(text.get(start..).unwrap_or("")).max(1);
            let written = text.get(start..end).unwrap_or("");
            // Continuations inside a reference are make's, those outside are the shell's.
            let written = written.replace("\\\n", " ");
            let mut value = self.scope.value(&written, 0);
            let leads = edits.iter().all(|e| e.1 <= start) && start == skipped;
            let glued = text
                .get(end..)
                .is_some_and(|t| t.starts_with(char::is_alphanumeric));
            if leads && glued && !value.is_empty() && value.chars().all(is_hole) {
                // `$(Q)docker …`: a switch for silence that nobody sets.
                value.clear();
            }
            if leads || value.contains('\n') {
                value = without_prefixes(&value);
            }
            edits.push((start, end, Text::new(value)));
            at = end.max(start + 1);
        }
        let out = if edits.is_empty() {
            line.clone()
        } else {
            line.replace(&edits)
        };
        // A variable may bring a prefix of its own (`$(Q)`), in front of one that is written.
        let again = prefix(&out.text);
        if again > 0 {
            out.replace(&[(0, again, Text::default())])
        } else {
            out
        }
    }
}

fn folder_of(target: &str) -> &str {
    match target.rfind('/') {
        Some(at) => target.get(..at).unwrap_or("."),
        None => ".",
    }
}

fn with_stem(need: &str, stem: Option<&str>) -> String {
    match stem {
        Some(stem) => need.replacen('%', stem, 1),
        None => need.to_owned(),
    }
}

/// Bytes of white space and of `@`, `-`, `+` at the start of a recipe line.
fn prefix(line: &str) -> usize {
    line.find(|c| !matches!(c, ' ' | '\t' | '@' | '-' | '+'))
        .unwrap_or(line.len())
}

/// The lines of an expanded line, continuations not cut: a `define` may have brought several.
fn shells(text: &Mapped) -> Vec<Mapped> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.text.split_inclusive('\n') {
        at += line.len();
        if !line.trim_end_matches(['\n', '\r']).ends_with('\\') {
            out.push(text.part(start, at));
            start = at;
        }
    }
    out.push(text.part(start, text.text.len()));
    out
}

/// The lines of a value (a `define` has several) without their prefixes.
fn without_prefixes(value: &str) -> String {
    let mut goes_on = false;
    let lines = value.split('\n').map(|line| {
        // In a continuation `-` begins an option, not a prefix.
        let skipped = if goes_on { 0 } else { prefix(line) };
        goes_on = line.ends_with('\\');
        line.get(skipped..).unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The conditions of both, each once.
fn joined(a: &[Guard], b: &[Guard]) -> Vec<Guard> {
    let mut all = a.to_vec();
    for guard in b {
        if !all.contains(guard) {
            all.push(guard.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests;
