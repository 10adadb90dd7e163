//! `make test` in a CI step hides what it pulls behind a target; this module says which scripts it
//! runs, in make's order.

mod expand;
mod functions;
mod lines;
mod reader;
mod template;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::{HashMap, HashSet};

use super::{Call, Failure, Filter, Recipe};
use crate::effect::Guard;
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, is_hole, may_be};

use expand::{Asked, Bounds, Layer, Scope, Variables};
use functions::stem;
pub(crate) use lines::Texts;
use lines::split_assignment;
use reader::{Makefile, Rule, TargetVariable, assigned, either};
pub(crate) use template::Templates;
use template::reference;

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

/// What was read for one call.
struct Reading {
    asked: Asked,
    bounds: Bounds,
    makefile: Makefile,
    index: Index,
    variables: Rc<Variables>,
    overridden: Rc<HashSet<EcoString>>,
    made: RefCell<Vec<Made>>,
}

/// What one of the calls that took over a reading came to.
struct Made {
    goals: Vec<String>,
    asked: Asked,
    recipes: Rc<[Recipe]>,
}

/// What the calls before this one read, by folder, file and the name that it is called by. Jobs and
/// recipes call make again and again, and hardly ever in an environment that makes another makefile of
/// the same files.
#[derive(Default)]
pub(crate) struct Readings {
    by_file: HashMap<(RepoPath, RepoPath, String), Vec<Rc<Reading>>>,
    /// Rules that all of them have together.
    rules: usize,
    /// Bytes of all scripts that calls came to.
    bytes: usize,
}

/// Rules that all readings which are kept may have; then all are forgotten.
const MAX_KEPT: usize = 20_000;

/// Bytes that all scripts which are kept may have; no more are kept then.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

fn read(scope: &mut Scope<'_, '_>, path: &RepoPath, name: &str) -> Result<Rc<Reading>, Failure> {
    let cx = scope.run.cx;
    let source = cx.sources.load(path).map_err(|e| e.message)?;
    let key = (scope.cwd.clone(), path.clone(), name.to_owned());
    if let Some(known) = cx.makefiles.borrow().by_file.get(&key) {
        for known in known {
            let Reading { asked, bounds, .. } = &**known;
            if scope.take_over(asked, bounds, &known.variables, &known.overridden) {
                return Ok(Rc::clone(known));
            }
        }
    }
    if !cx.spend_on_makefiles(0) {
        let why = "the makefiles that this CI file calls come to more work than is followed";
        return Err(Failure::Unresolved(why.to_owned()));
    }
    let mut makefile = Makefile::default();
    scope.begin_with(source.id);
    scope.note_file(name);
    makefile.read(&source, scope, 0);
    let (asked, bounds) = scope.end_reading();
    let index = Index::of(&makefile);
    if makefile.has_more || index.has_more {
        cx.note_limit_of(path, super::MANY);
    }
    if makefile.includes_more {
        cx.note_limit_of(path, super::FILES);
    }
    cx.spend_on_makefiles(u64::from(bounds.unfolded()) + 4 * makefile.rules.len() as u64);
    let reading = Rc::new(Reading {
        asked,
        bounds,
        index,
        makefile,
        variables: Rc::clone(scope.variables()),
        overridden: Rc::clone(scope.overridden()),
        made: RefCell::default(),
    });
    // Where the share of work ended, the rest was not read; the next CI file has a share of its own.
    if !cx.spend() {
        return Ok(reading);
    }
    let mut all = cx.makefiles.borrow_mut();
    all.rules += reading.makefile.rules.len().max(1);
    if all.rules > MAX_KEPT {
        *all = Readings::default();
    }
    let of_file = all.by_file.entry(key).or_default();
    of_file.push(Rc::clone(&reading));
    Ok(reading)
}

pub(super) fn recipes(
    run: &JobRun<'_>,
    call: &Call,
    matters: Filter,
) -> Result<Rc<[Recipe]>, Failure> {
    let cwd = super::directory(run, call)?;
    let path = super::file(run, call, &cwd, &NAMES, false)?;
    let goals: Vec<String> = call.targets.iter().map(|t| t.as_str().to_owned()).collect();
    let mut scope = Scope::new(run, cwd, &call.variables, goals.join(" "));
    let name = call.file.as_ref().and_then(Text::known);
    let name = name.unwrap_or(path.name());
    let reading = read(&mut scope, &path, name)?;
    let same = |made: &&Made| made.goals == goals && scope.answers(&made.asked);
    if let Some(made) = reading.made.borrow().iter().find(same) {
        return Ok(Rc::clone(&made.recipes));
    }
    let recipes: Rc<[Recipe]> = ordered(&scope, &reading, &path, &goals, matters)?.into();
    let bytes: usize = recipes.iter().map(|recipe| recipe.script.text.len()).sum();
    let mut all = run.cx.makefiles.borrow_mut();
    if all.bytes + bytes <= MAX_KEPT_BYTES && run.cx.spend() {
        all.bytes += bytes;
        reading.made.borrow_mut().push(Made {
            goals,
            asked: scope.end_asking(),
            recipes: Rc::clone(&recipes),
        });
    }
    Ok(recipes)
}

/// What a makefile's goals run, in make's order.
fn ordered(
    scope: &Scope<'_, '_>,
    reading: &Reading,
    path: &RepoPath,
    goals: &[String],
    matters: Filter,
) -> Result<Vec<Recipe>, Failure> {
    let (run, makefile) = (scope.run, &reading.makefile);
    let mut order = Order::new(reading, scope, path, matters);
    let default;
    let goals = if goals.is_empty() {
        default = order.default_goal();
        default.as_slice()
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
            let shown = run.cx.holes.show(goal);
            if !order.one_of(goal, &shown) {
                return Err(Failure::Unresolved(format!(
                    "which target `make {shown}` means is known only when the build runs"
                )));
            }
            continue;
        }
        order.goal.clone_from(goal);
        if !order.target(goal, &[], 0) && !order.is_there(goal) && !brings_rules {
            let maybe = makefile
                .unseen
                .map_or(String::new(), |why| format!(" ({why})"));
            let why = format!("no target `{goal}` in `{path}`{maybe}");
            return Err(Failure::NoSuchName(why));
        }
    }
    Ok(order.out)
}

/// Rules and variables by target, as places in the makefile's lists.
struct Index {
    explicit: HashMap<EcoString, Vec<usize>>,
    patterns: Vec<(EcoString, usize)>,
    phony: HashSet<EcoString>,
    variables: HashMap<EcoString, Vec<usize>>,
    pattern_variables: Vec<usize>,
    /// More patterns than are tried.
    has_more: bool,
}

impl Index {
    fn of(makefile: &Makefile) -> Self {
        let mut index = Self {
            explicit: HashMap::new(),
            patterns: Vec::new(),
            phony: HashSet::new(),
            variables: HashMap::new(),
            pattern_variables: Vec::new(),
            has_more: false,
        };
        for (at, rule) in makefile.rules.iter().enumerate() {
            for target in rule.targets.iter().map(|target| plain(target)) {
                if target == ".PHONY" {
                    let needs = rule.needs.iter().map(|need| plain(need).into());
                    index.phony.extend(needs);
                } else if !target.contains('%') {
                    index.explicit.entry(target.into()).or_default().push(at);
                } else if !rule.lines.is_empty() {
                    index.patterns.push((target.into(), at));
                }
            }
        }
        for (at, variable) in makefile.target_variables.iter().enumerate() {
            if !variable.target.contains('%') {
                let of = index.variables.entry(variable.target.clone());
                of.or_default().push(at);
            } else {
                index.pattern_variables.push(at);
            }
        }
        index.has_more = index.patterns.len().max(index.pattern_variables.len()) > MAX_PATTERNS;
        index.patterns.truncate(MAX_PATTERNS);
        index.pattern_variables.truncate(MAX_PATTERNS);
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
    index: &'m Index,
    scope: &'m Scope<'r, 'c>,
    /// The environment of a recipe that has no variables of its own; many a call has no recipe that needs it.
    env: OnceCell<Rc<[(String, Text)]>>,
    /// Targets that have been made, and under which conditions.
    done: HashSet<(String, Vec<Guard>)>,
    bytes: usize,
    out: Vec<Recipe>,
    /// Pattern rules that are in use: none is used twice in one chain.
    open: Vec<Span>,
    /// The goal that is being made, for the story.
    goal: String,
    file: &'m RepoPath,
    matters: Filter,
}

impl<'m, 'r, 'c> Order<'m, 'r, 'c> {
    fn new(
        reading: &'m Reading,
        scope: &'m Scope<'r, 'c>,
        file: &'m RepoPath,
        matters: Filter,
    ) -> Self {
        Self {
            makefile: &reading.makefile,
            index: &reading.index,
            scope,
            env: OnceCell::new(),
            done: HashSet::new(),
            bytes: 0,
            out: Vec::new(),
            open: Vec::new(),
            goal: String::new(),
            file,
            matters,
        }
    }

    /// The environment of a recipe that has no variables of its own.
    fn env(&self) -> Rc<[(String, Text)]> {
        let env = self.env.get_or_init(|| {
            // Whichever target is the first to ask.
            let inner = self.scope.inner.take();
            let env = self.environment(&[]);
            self.scope.inner.replace(inner);
            env
        });
        Rc::clone(env)
    }

    /// What recipes find in their environment: the command line's variables, those exported, and those
    /// that came from there and that the makefile changes.
    fn environment(&self, also: &[&str]) -> Rc<[(String, Text)]> {
        let (makefile, scope) = (self.makefile, self.scope);
        let mut env: BTreeMap<String, Text> = BTreeMap::new();
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let from_outside = |name: &&str| makefile.exports_all || scope.is_in_environment(name);
        let own = scope.variables().keys().map(EcoString::as_str);
        let mut own: Vec<&str> = own.filter(from_outside).collect();
        own.sort_unstable();
        let names = makefile.exported.iter().map(EcoString::as_str).chain(own);
        for name in names.chain(also.iter().copied()).take(1_000) {
            let hidden = makefile.not_exported.iter().any(|n| n == name);
            let set = scope.variables().contains_key(name) || also.contains(&name);
            if is_name(name) && set && !hidden && !env.contains_key(name) && scope.run.cx.spend() {
                let value = scope.expand(&format!("$({name})"));
                env.insert(name.to_owned(), Text::new(value));
            }
        }
        let given = self.scope.all_given();
        env.extend(
            given
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        env.into_iter().collect()
    }

    /// Makes each target that a goal with an unknown part may be, on the condition that it is this one.
    /// `false` when it may be anything.
    fn one_of(&mut self, goal: &str, shown: &str) -> bool {
        let fitting = self.fitting(goal);
        if fitting.is_empty() {
            let patterns = self.index.patterns.iter();
            let fits = |pattern: &str| pattern != "%" && stem(pattern, goal).is_some();
            if !patterns.map(|(pattern, _)| pattern.as_str()).any(fits) {
                return false;
            }
            shown.clone_into(&mut self.goal);
            return self.target(goal, &[], 0);
        }
        for name in fitting {
            let guard = Guard::when(format!("`make {shown}` is `make {name}`"));
            name.clone_into(&mut self.goal);
            self.target(name, &[guard], 0);
        }
        true
    }

    fn default_goal(&self) -> Option<String> {
        if self.scope.variables().contains_key(".DEFAULT_GOAL") {
            let goal = self.scope.expand("$(.DEFAULT_GOAL)");
            let goal = goal.split_whitespace().next().map(str::to_owned);
            if goal.is_some() {
                return goal;
            }
        }
        let mut targets = self.makefile.rules.iter().flat_map(|r| r.targets.iter());
        targets
            .find(|t| !t.contains('%') && (!t.starts_with('.') || t.contains('/')))
            .map(|target| target.as_str().into())
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
        let unknown = self.scope.unknown_stem();
        for rule in self.rules(explicit) {
            let part = |pattern| {
                let unknown = || self.scope.printed_by(name).map(|_| unknown.as_str());
                stem(pattern, name).or_else(unknown)
            };
            let stem = rule.pattern.as_deref().and_then(part);
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
            .filter_map(|(pattern, at)| Some((stem(pattern, name)?, at)))
            .filter_map(|(stem, at)| Some((self.makefile.rules.get(*at)?, stem)))
            .filter(|(rule, _)| !self.open.contains(&rule.span))
            .collect();
        // `%` is for what no other pattern fits, and says nothing of a name that is not known.
        let is_known = Text::new(name).is_known();
        if !is_known || fitting.iter().any(|(_, stem)| stem.len() < name.len()) {
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
        plan.rules.push(self.makefile.rules.get(*default.last()?)?);
        Some(plan)
    }

    fn rules(&self, places: Option<&'m Vec<usize>>) -> impl Iterator<Item = &'m Rule> + use<'m> {
        let makefile = self.makefile;
        let places = places.into_iter().flatten();
        places.filter_map(|at| makefile.rules.get(*at))
    }

    fn add_needs(&self, plan: &mut Plan<'m>, rule: &Rule, stem: Option<&str>) {
        let mut own = Vec::new();
        for need in rule.needs.iter() {
            if plan.needs.len() + own.len() >= MAX_RECIPES {
                self.limit(super::MANY);
                break;
            }
            if !self.scope.run.cx.spend() {
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
                .any(|(p, _)| p != "%" && stem(p, name).is_some())
        };
        // What is not known may be there.
        named || made() || !Text::new(name).is_known() || self.is_file(name)
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

    /// Whether no more recipes are listed, which is then said.
    fn is_full(&self) -> bool {
        let is_full = self.out.len() >= MAX_RECIPES;
        if is_full {
            self.limit(super::MANY);
        }
        is_full
    }

    fn limit(&self, more: &str) {
        self.scope.run.cx.note_limit_of(self.file, more);
    }

    /// Makes a target, what it needs first. `false` when nothing says how.
    fn target(&mut self, name: &str, under: &[Guard], depth: usize) -> bool {
        let key = (name.to_owned(), under.to_vec());
        if self.done.contains(&key) || self.done.contains(&(key.0.clone(), Vec::new())) {
            return true;
        }
        if depth > MAX_CHAIN {
            self.limit(super::DEEP);
            return true;
        }
        if self.is_full() || !self.scope.run.cx.spend() {
            return true;
        }
        let Some(plan) = self.plan(name, depth == 0) else {
            return false;
        };
        self.done.insert(key);
        let meant = self.meant(name, &plan);
        let name = meant.as_deref().unwrap_or(name);
        let (own, exported) = self.variables_of(name);
        let has_own = !own.is_empty();
        if has_own {
            self.scope.inner.borrow_mut().push(Layer::Own(own));
        }
        let open = self.open.len();
        for (index, (need, guards)) in plan.needs.iter().enumerate() {
            let own = plan.implicit.filter(|(_, before)| *before == index);
            self.open.extend(own.map(|(rule, _)| rule));
            self.need(need, &joined(under, guards), depth + 1);
        }
        self.open.truncate(open);
        let mut names: Vec<&str> = plan.needs.iter().map(|(need, _)| need.as_str()).collect();
        let first = names.first().copied().unwrap_or("");
        let every = names.join(" ");
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        let once = names.join(" ");
        let folder_of = |path: &str, written: &str| match path.rfind('/') {
            Some(at) => path.get(..at).unwrap_or(".").to_owned(),
            None if !Text::new(path).is_known() => {
                let hole = self.scope.run.cx.holes.of(written, HoleKind::Output);
                hole.as_str().to_owned()
            }
            None => ".".to_owned(),
        };
        let (of_target, of_first) = (folder_of(name, "$(@D)"), folder_of(first, "$(<D)"));
        let automatic = [
            ("@", name),
            ("<", first),
            ("^", once.as_str()),
            ("+", every.as_str()),
            ("?", once.as_str()),
            ("*", plan.stem.as_str()),
            ("@D", of_target.as_str()),
            ("@F", name.rsplit('/').next().unwrap_or("")),
            ("<F", first.rsplit('/').next().unwrap_or("")),
            ("<D", of_first.as_str()),
        ];
        let env = (!exported.is_empty()).then(|| self.environment(&exported));
        let scope = self.scope;
        for rule in plan.rules {
            scope.in_recipe(&automatic, || {
                self.run_rule(name, rule, under, env.as_ref())
            });
        }
        if has_own {
            self.scope.inner.borrow_mut().pop();
        }
        true
    }

    /// How the names look that a target is one of which nothing is known: `%/.done: %/Dockerfile`, or what they are
    /// changed to.
    fn meant(&self, name: &str, plan: &Plan<'_>) -> Option<String> {
        self.scope.printed_by(name)?;
        let mut patterns = plan.rules.iter().filter_map(|rule| rule.pattern.clone());
        let shape = match patterns.next_back() {
            Some(pattern) => pattern,
            None => self.scope.shape(name)?,
        };
        let stem = self.scope.unknown_stem();
        shape
            .contains('%')
            .then(|| with_stem(&shape, Some(stem.as_str())))
    }

    /// Makes what a target needs; where a part of its name is unknown, each target that it may be.
    fn need(&mut self, need: &str, under: &[Guard], depth: usize) {
        if Text::new(need).is_known() || self.index.explicit.contains_key(plain(need)) {
            if !self.target(need, under, depth) {
                self.unseen(need, under);
            }
            return;
        }
        let stem = self.scope.unknown_stem();
        let shape = self.scope.shape(need);
        let shaped = shape.map(|shape| with_stem(&shape, Some(stem.as_str())));
        let name = shaped.as_deref().unwrap_or(need);
        let shown = self.scope.run.cx.holes.show(need);
        let fitting = self.fitting(name);
        let named = !fitting.is_empty();
        for name in fitting {
            let guard = Guard::when(format!("`{shown}` is `{name}`"));
            self.target(name, &joined(under, &[guard]), depth);
        }
        let is_any = shaped.is_none() && self.scope.printed_by(need).is_some();
        // Of one that may be anything nothing is said: it may be a file, of which nothing is to be done.
        if !is_any && (shaped.is_some() || !named) {
            self.target(name, under, depth);
        }
    }

    /// A target that only a file can declare that is not here: who asks make for it is told so.
    fn unseen(&mut self, need: &str, under: &[Guard]) {
        let is_word = need
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let is_usual = NAMES.contains(&self.file.name());
        if self.makefile.unseen.is_none() || !is_word || !is_usual || self.is_there(need) {
            return;
        }
        let span = self.makefile.rules.last().map(|rule| rule.span);
        let first = self.done.insert((format!("{need} (unseen)"), Vec::new()));
        if let Some(span) = span.filter(|_| first && !self.is_full()) {
            self.out.push(Recipe {
                script: Mapped::at(span, format!("make {need}")),
                cwd: self.scope.cwd.clone(),
                env: self.env(),
                guards: under.into(),
                span,
                note: format!("`make {}` makes `{need}` first", self.goal).into(),
            });
        }
    }

    /// The targets that a name with an unknown part may be.
    fn fitting(&self, name: &str) -> Vec<&'m str> {
        // A hostile makefile has thousands of either.
        let share = 0..=self.index.explicit.len() / 64;
        if !share.into_iter().all(|_| self.scope.run.cx.spend()) {
            return Vec::new();
        }
        let mut fitting: Vec<&str> = self.index.explicit.keys().map(EcoString::as_str).collect();
        fitting.retain(|target| may_be(name, target));
        fitting.sort_unstable();
        if fitting.len() > MAX_FITTING {
            self.limit(super::MANY);
        }
        fitting.truncate(MAX_FITTING);
        fitting
    }

    /// A target's own variables, and which of them recipes find in their environment.
    fn variables_of(&self, target: &str) -> (Variables, Vec<&'m str>) {
        let mut own = Variables::new();
        let mut exported = Vec::new();
        let named = self.index.variables.get(target).into_iter().flatten();
        let at = |at: &usize| self.makefile.target_variables.get(*at);
        let fits = |v: &&'m TargetVariable| stem(&v.target, target).is_some();
        let patterns = self.index.pattern_variables.iter();
        let patterns = patterns.filter_map(at).filter(fits);
        for variable in patterns.chain(named.filter_map(at)) {
            let assignment = &variable.assignment;
            let name = &assignment.name;
            // The command line is stronger.
            if self.scope.given(name).is_some() || !self.scope.run.cx.spend() {
                continue;
            }
            let outer = || self.scope.inner(name);
            let old = own.get(name).cloned().or_else(outer);
            let old = old.or_else(|| self.scope.variables().get(name).cloned());
            if let Some(new) = assigned(self.scope, name, old.as_ref(), assignment) {
                own.insert(name.clone(), new);
            }
            let exported_by_name = self.makefile.exported.iter().any(|n| n == name);
            let everywhere = self.makefile.exports_all || exported_by_name;
            if variable.exported || everywhere || self.scope.is_in_environment(name) {
                exported.push(name.as_str());
            }
        }
        (own, exported)
    }

    fn run_rule(
        &mut self,
        target: &str,
        rule: &Rule,
        under: &[Guard],
        env: Option<&Rc<[(String, Text)]>>,
    ) {
        let mut lines: Vec<(Mapped, &Rc<[Guard]>)> = Vec::new();
        // Each line is a shell of its own: what one changes in it, or leaves open, ends with the line.
        let together = self.makefile.one_shell || rule.lines.len() > MANY_LINES;
        for line in &rule.lines {
            let text = self.expanded(&line.text);
            self.evaluate(!under.is_empty() || !line.guards.is_empty());
            self.bytes += text.text.len();
            if self.bytes > MAX_BYTES {
                self.limit(super::MANY);
                return;
            }
            let texts = if together { vec![text] } else { shells(&text) };
            for text in texts {
                if text.text.trim().is_empty() {
                    continue;
                }
                match lines
                    .last_mut()
                    .filter(|(_, guards)| together && **guards == line.guards)
                {
                    Some((last, _)) => super::join(last, &text),
                    None => lines.push((text, &line.guards)),
                }
            }
        }
        let note: Rc<str> = if target == self.goal {
            format!("`make {target}` runs this recipe of `{}`", self.file).into()
        } else {
            format!("`make {}` makes `{target}` first", self.goal).into()
        };
        let holes = &self.scope.run.cx.holes;
        lines.retain(|(text, _)| (self.matters)(holes, &text.text));
        if lines.is_empty() {
            return;
        }
        let env = env.map_or_else(|| self.env(), Rc::clone);
        for (script, guards) in lines {
            if self.is_full() {
                return;
            }
            self.out.push(Recipe {
                script,
                cwd: self.scope.cwd.clone(),
                env: Rc::clone(&env),
                guards: joined(under, guards).into(),
                span: rule.span,
                note: Rc::clone(&note),
            });
        }
    }

    /// Sets what the line that was just expanded sets by `$(eval NAME := …)`: make expands all lines of a recipe in
    /// order before it runs the first. On one of several paths it is perhaps what it was.
    fn evaluate(&self, perhaps: bool) {
        let scope = self.scope;
        let made = scope.evaluated.take();
        for line in made.iter().flat_map(|text| text.lines()) {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some(assignment) = split_assignment(line) else {
                continue;
            };
            let name = &assignment.name;
            // The command line is stronger.
            if scope.given(name).is_some() || !scope.run.cx.spend() {
                continue;
            }
            let old = scope.inner(name);
            let old = old.or_else(|| scope.variables().get(name).cloned());
            let Some(mut new) = assigned(scope, name, old.as_ref(), &assignment) else {
                continue;
            };
            if let Some(old) = old.filter(|old| perhaps && old.value != new.value) {
                new = either(scope, name, &old, new, None);
            }
            scope.set_in_recipe(name.clone(), new);
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
            let mut value = self.scope.value(&written);
            let leads = edits.iter().all(|e| e.1 <= start) && start == skipped;
            let glued = text
                .get(end..)
                .is_some_and(|t| t.starts_with(char::is_alphanumeric));
            if leads && glued && !value.is_empty() && value.chars().all(is_hole) {
                // `$(Q)docker …`: a switch for silence that nobody sets.
                value.clear();
            }
            if leads || value.contains('\n') {
                value = without_prefixes(&value).into();
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
