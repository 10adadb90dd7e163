//! `make test` in a CI step hides what it pulls behind a target; this module says which scripts it
//! runs, in make's order.

mod expand;
mod reader;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Call, Failure, Recipe};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{Mapped, Text, is_hole};

use expand::{Scope, Variables, reference, stem};
use reader::{Makefile, Rule, assigned};

/// The names that GNU make looks for, the first one first.
const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// How deep targets may need each other.
const MAX_CHAIN: usize = 64;

/// Scripts that one call may run.
const MAX_RECIPES: usize = 2_000;

pub(super) fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let cwd = super::directory(run, call)?;
    let path = super::file(run, call, &cwd, &NAMES, false)?;
    let source = run.cx.sources.load(&path).map_err(|e| e.message)?;
    let mut scope = Scope::new(run, cwd.clone(), &call.variables);
    let mut makefile = Makefile::default();
    let goals: Vec<String> = call.targets.iter().map(|t| t.as_str().to_owned()).collect();
    let fixed = [
        ("MAKEFILE_LIST", path.name().to_owned()),
        ("MAKECMDGOALS", goals.join(" ")),
    ];
    for (name, value) in fixed {
        let variable = expand::Variable {
            value,
            recursive: false,
        };
        scope.variables.insert(name.to_owned(), variable);
    }
    makefile.read(&source, &mut scope, 0);
    let index = Index::of(&makefile);
    let env = environment(&makefile, &scope, call);
    let mut order = Order {
        makefile: &makefile,
        index,
        scope: &scope,
        cwd,
        env,
        done: HashSet::new(),
        out: Vec::new(),
        goal: String::new(),
        file: path.clone(),
    };
    let goals = if goals.is_empty() {
        order.default_goal().into_iter().collect()
    } else {
        goals
    };
    if goals.is_empty() {
        return Err(Failure::Unresolved(format!("`{path}` has no target")));
    }
    for goal in goals {
        let known = Text::new(goal.as_str()).is_known();
        if !known {
            return Err(Failure::Unresolved(format!(
                "which target `make {}` means is known only when the build runs",
                run.cx.holes.show(&goal)
            )));
        }
        order.goal.clone_from(&goal);
        if !order.target(&goal, 0) {
            let maybe = if makefile.evals {
                " (it makes some by `$(eval)`, which is not followed)"
            } else {
                ""
            };
            let why = format!("no target `{goal}` in `{path}`{maybe}");
            return Err(Failure::NoSuchName(why));
        }
    }
    Ok(order.out)
}

/// What recipes find in their environment: the command line's variables, and those exported.
fn environment(makefile: &Makefile, scope: &Scope<'_, '_>, call: &Call) -> Vec<(String, Text)> {
    let mut env: BTreeMap<String, Text> = BTreeMap::new();
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let all = scope.variables.keys().filter(|_| makefile.exports_all);
    for name in makefile.exported.iter().chain(all).take(1_000) {
        if is_name(name) && scope.variables.contains_key(name) && scope.run.cx.spend() {
            let value = scope.expand(&format!("$({name})"));
            env.insert(name.clone(), Text::new(value));
        }
    }
    env.extend(call.variables.iter().cloned());
    env.into_iter().collect()
}

/// Rules by target.
struct Index<'m> {
    explicit: HashMap<&'m str, Vec<&'m Rule>>,
    patterns: Vec<(&'m str, &'m Rule)>,
}

impl<'m> Index<'m> {
    fn of(makefile: &'m Makefile) -> Self {
        let mut index = Self {
            explicit: HashMap::new(),
            patterns: Vec::new(),
        };
        for rule in &makefile.rules {
            for target in &rule.targets {
                if target.contains('%') {
                    index.patterns.push((target, rule));
                } else {
                    index.explicit.entry(target).or_default().push(rule);
                }
            }
        }
        index
    }
}

struct Order<'m, 'r, 'c> {
    makefile: &'m Makefile,
    index: Index<'m>,
    scope: &'m Scope<'r, 'c>,
    cwd: RepoPath,
    env: Vec<(String, Text)>,
    done: HashSet<String>,
    out: Vec<Recipe>,
    /// The goal that is being made, for the story.
    goal: String,
    file: RepoPath,
}

impl<'m> Order<'m, '_, '_> {
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

    /// Makes a target, what it needs first. `false` when nothing says how.
    fn target(&mut self, name: &str, depth: usize) -> bool {
        if self.done.contains(name) {
            return true;
        }
        if depth > MAX_CHAIN || self.out.len() >= MAX_RECIPES || !self.scope.run.cx.spend() {
            return true;
        }
        let explicit = self.index.explicit.get(name).cloned().unwrap_or_default();
        let mut needs: Vec<String> = Vec::new();
        let mut chosen: Vec<&'m Rule> = Vec::new();
        let mut matched = "";
        for rule in &explicit {
            let stem = rule.pattern.as_deref().and_then(|p| stem(p, name));
            needs.extend(rule.needs.iter().map(|n| with_stem(n, stem)));
            if !rule.lines.is_empty() {
                // Of two recipes for one target the later one counts, `::` and undecided branches aside.
                if !rule.adds {
                    chosen.clear();
                }
                chosen.push(rule);
                matched = stem.unwrap_or(matched);
            }
        }
        if chosen.is_empty() {
            let implicit = self.index.patterns.iter().find_map(|(pattern, rule)| {
                let stem = stem(pattern, name).filter(|_| !rule.lines.is_empty())?;
                Some((*rule, stem))
            });
            // A phony target without a recipe is done; `%:` would catch each of them.
            if let Some((rule, stem)) = implicit.filter(|_| explicit.is_empty() || depth == 0) {
                needs.extend(rule.needs.iter().map(|n| with_stem(n, Some(stem))));
                chosen.push(rule);
                matched = stem;
            } else if explicit.is_empty() {
                let default = self.index.explicit.get(".DEFAULT");
                match default
                    .and_then(|rules| rules.last())
                    .filter(|_| depth == 0)
                {
                    Some(rule) => chosen.push(rule),
                    None => return false,
                }
            }
        }
        self.done.insert(name.to_owned());
        let own = self.variables_of(name);
        self.scope.inner.borrow_mut().push(own);
        for need in needs.iter().take(MAX_RECIPES) {
            self.target(need, depth + 1);
        }
        let first = needs.first().cloned().unwrap_or_default();
        let all = needs.join(" ");
        let automatic = [
            ("@", name),
            ("<", first.as_str()),
            ("^", all.as_str()),
            ("+", all.as_str()),
            ("?", all.as_str()),
            ("*", matched),
            ("@D", folder_of(name)),
            ("@F", name.rsplit('/').next().unwrap_or("")),
        ];
        let scope = self.scope;
        for rule in chosen {
            scope.with(&automatic, || self.run_rule(name, rule));
        }
        self.scope.inner.borrow_mut().pop();
        true
    }

    fn variables_of(&self, target: &str) -> Variables {
        let mut own = Variables::new();
        for (of, assignment) in &self.makefile.target_variables {
            let applies = of == target || of.contains('%') && stem(of, target).is_some();
            if !applies || !self.scope.run.cx.spend() {
                continue;
            }
            let old = own
                .get(&assignment.name)
                .or_else(|| self.scope.variables.get(&assignment.name));
            if let Some(new) = assigned(self.scope, old, assignment) {
                own.insert(assignment.name.clone(), new);
            }
        }
        own
    }

    fn run_rule(&mut self, target: &str, rule: &Rule) {
        let lines: Vec<Mapped> = rule
            .lines
            .iter()
            .map(|line| self.expanded(line))
            .filter(|line| !line.text.trim().is_empty())
            .collect();
        // Each line is a shell of its own, so what changes the shell's state ends with its line.
        let apart = !self.makefile.one_shell
            && lines.len() > 1
            && lines.iter().any(|l| {
                ["cd ", "pushd ", "export ", "exit", "unset ", "set "]
                    .iter()
                    .any(|word| l.text.contains(word))
            });
        let note = if target == self.goal {
            format!("`make {target}` runs this recipe of `{}`", self.file)
        } else {
            format!("`make {}` makes `{target}` first", self.goal)
        };
        let scripts = if apart {
            lines
        } else {
            lines.into_iter().reduce(super::join).into_iter().collect()
        };
        for script in scripts {
            if self.out.len() >= MAX_RECIPES {
                return;
            }
            self.out.push(Recipe {
                script,
                cwd: self.cwd.clone(),
                env: self.env.clone().into(),
                guards: std::rc::Rc::from([]),
                span: rule.span,
                note: note.clone().into(),
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

fn without_prefixes(value: &str) -> String {
    let lines: Vec<&str> = value
        .split('\n')
        .map(|l| l.get(prefix(l)..).unwrap_or(l))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
