//! `task e2e` hides what it pulls behind a task of a Taskfile (<https://taskfile.dev>); this module
//! says which scripts it runs, in Task's order.

mod functions;
mod reader;
mod template;
mod variables;

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::HashSet;

use super::{Call, Failure, Recipe, place, quoted, relative};
use crate::compose::env::variables_of;
use crate::effect::Guard;
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{Mapped, Text, has_hole, is_hole, may_be};
use crate::yaml::Node;

use reader::{Does, Files, Model, Step, Task};
use template::{Fuel, Lookup, MAX_ITEMS, Value};
use variables::{Layer, Scope, Variable};

/// The names that Task looks for, the first one first.
const NAMES: [&str; 8] = [
    "Taskfile.yml",
    "taskfile.yml",
    "Taskfile.yaml",
    "taskfile.yaml",
    "Taskfile.dist.yml",
    "taskfile.dist.yml",
    "Taskfile.dist.yaml",
    "taskfile.dist.yaml",
];

/// How deep tasks may call each other.
const MAX_CHAIN: usize = 40;

/// Scripts that one call may run.
const MAX_RECIPES: usize = 2_000;

/// Bytes that all scripts of one call may have together.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Steps that the templates and calls of one call may take.
const FUEL: u32 = 400_000;

/// Times that one loop goes round; only hostile input does more often.
const MAX_ROUNDS: usize = 500;

/// Tasks that are tried for a name of which a part is unknown.
const MAX_FITTING: usize = 100;

/// What stands for the repository's root in a path until it is known where the path is used.
const ROOT: &str = "\u{f8f0}";

pub(super) fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let (path, root) = taskfile(run, call)?;
    let files = files(run, &path)
        .ok_or_else(|| format!("`{path}` could not be read, or is no Taskfile"))?;
    let model = files.merged();
    if model.has_more {
        run.cx.note_limit_of(&path, super::MANY);
    }
    let mut order = Order::new(run, call, &model, path, root);
    if call.targets.is_empty() {
        order.named("default", &[])?;
    }
    for target in &call.targets {
        order.target(target)?;
    }
    Ok(order.out)
}

/// Whether the Taskfiles that a call leads to have one of these words.
pub(super) fn mention(run: &JobRun<'_>, call: &Call, words: &[&str]) -> bool {
    let files = taskfile(run, call)
        .ok()
        .and_then(|(path, _)| files(run, &path));
    files.is_some_and(|files| files.iter().any(|file| file.has(words)))
}

/// The Taskfile of a call, and the folder that its tasks run in.
fn taskfile(run: &JobRun<'_>, call: &Call) -> Result<(RepoPath, RepoPath), Failure> {
    if let Some(given) = &call.file {
        if reader::is_remote(given.as_str()) {
            let why = format!(
                "the Taskfile `{}` is not in this repository",
                run.show(given)
            );
            return Err(Failure::Elsewhere(why));
        }
        // `--taskfile` is looked for from where Task is called, whatever `--dir` says.
        let found = run.resolve(given).and_then(|path| reader::at(run, &path));
        let path = found.ok_or_else(|| {
            let shown = run.show(given);
            format!("`{shown}` is not in this repository, or not known before the build runs")
        })?;
        let root = match &call.directory {
            Some(_) => super::directory(run, call)?,
            None => path.parent(),
        };
        return Ok((path, root));
    }
    let folder = super::directory(run, call)?;
    let mut at = folder.clone();
    loop {
        let found = NAMES.iter().filter_map(|name| at.join(name));
        if let Some(path) = found.into_iter().find(|p| run.cx.sources.exists(p)) {
            return Ok((path, at));
        }
        if at.is_root() || !run.cx.spend() {
            let why = format!("no Taskfile in {} or a folder above it", place(&folder));
            return Err(Failure::Unresolved(why));
        }
        at = at.parent();
    }
}

fn files(run: &JobRun<'_>, path: &RepoPath) -> Option<Files> {
    let fuel = Fuel::new(FUEL / 8);
    Files::read(run, path, &|variables, place, text| {
        let layers = vec![Rc::clone(variables)];
        let scope = Scope::new(run, &fuel, place.clone(), layers);
        let text = scope.text(text);
        // Paths of an include are relative to the file that it stands in.
        let text = place.here(&text);
        (!has_hole(&text)).then_some(text)
    })
}

/// The system that the job runs on, in Go's words. Nearly all containers run on Linux.
fn system(run: &JobRun<'_>) -> &'static str {
    match run.env.get("RUNNER_OS").and_then(Text::known) {
        Some("macOS") => "darwin",
        Some("Windows") => "windows",
        _ => "linux",
    }
}

/// Where a task stands and runs.
#[derive(Clone, Default)]
struct Place {
    /// The folder of the Taskfile that was called.
    root: RepoPath,
    root_taskfile: RepoPath,
    /// The Taskfile that the task stands in.
    taskfile: RepoPath,
    /// The folder that the task runs in.
    folder: RepoPath,
    task: String,
    /// The name that it was called by.
    called: String,
}

impl Place {
    /// The folders that stand in a text as they are written in the task's own folder.
    fn folders(&self, text: &str) -> Vec<(usize, usize, Text)> {
        let mut out = Vec::new();
        for (at, _) in text.match_indices(ROOT) {
            let rest = text.get(at + ROOT.len()..).unwrap_or("");
            let is_path = |c: char| c.is_alphanumeric() || "/._-".contains(c);
            let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
            let path = rest
                .get(..end)
                .filter(|path| path.is_empty() || path.starts_with('/'));
            let inside = path.and_then(|path| RepoPath::root().join(path.trim_start_matches('/')));
            let (length, shown) = match (path, inside) {
                (Some(path), Some(inside)) => {
                    let slash = if path.ends_with('/') { "/" } else { "" };
                    (
                        path.len(),
                        format!("{}{slash}", relative(&self.folder, &inside)),
                    )
                }
                _ => (0, relative(&self.folder, &RepoPath::root())),
            };
            out.push((at, at + ROOT.len() + length, Text::from(shown)));
        }
        out
    }

    /// A text with its folders written as from the task's own folder.
    fn here(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end, shown) in self.folders(text) {
            out.push_str(text.get(done..start).unwrap_or(""));
            out.push_str(shown.as_str());
            done = end;
        }
        out.push_str(text.get(done..).unwrap_or(""));
        out
    }

    /// The same for a script, each byte with its place.
    fn script(&self, script: Mapped) -> Mapped {
        if !script.text.contains(ROOT) {
            return script;
        }
        script.replace(&self.folders(&script.text))
    }
}

/// What a task is called with.
#[derive(Default)]
struct Given<'f> {
    variables: Layer<'f>,
    /// Conditions under which the call is made: the command that decides, and where it runs.
    conditions: Vec<Condition>,
    guards: Vec<Guard>,
}

/// An `if:`.
#[derive(Clone)]
struct Condition {
    command: Mapped,
    folder: RepoPath,
}

struct Order<'m, 'f, 'c> {
    run: &'m JobRun<'c>,
    model: &'m Model<'f>,
    root: RepoPath,
    path: RepoPath,
    /// What all tasks find set: `env` and `.env` files, and `vars` with those of the command line.
    environment: Rc<Layer<'f>>,
    variables: Rc<Layer<'f>>,
    fuel: Rc<Fuel>,
    /// Tasks that are running now, with what they were called with.
    open: Vec<(usize, Vec<(String, Value)>)>,
    /// Commands of variables that have run.
    asked: HashSet<String>,
    /// The words of the command line, for the story.
    goal: String,
    bytes: usize,
    out: Vec<Recipe>,
}

impl<'m, 'f, 'c> Order<'m, 'f, 'c> {
    fn new(
        run: &'m JobRun<'c>,
        call: &Call,
        model: &'m Model<'f>,
        path: RepoPath,
        root: RepoPath,
    ) -> Self {
        let mut order = Self {
            run,
            model,
            root,
            path,
            environment: Rc::default(),
            variables: Rc::default(),
            fuel: Rc::new(Fuel::new(FUEL)),
            open: Vec::new(),
            asked: HashSet::new(),
            goal: String::new(),
            bytes: 0,
            out: Vec::new(),
        };
        let mut given = model.variables.clone();
        for (name, value) in &call.variables {
            given.set(name, Variable::Known(Value::text(value.as_str())));
        }
        let mut special = Layer::default();
        let words: Vec<String> = call.arguments.iter().map(quoted).collect();
        let list = order.list(call.arguments.iter().map(Text::as_str));
        for (name, value) in [
            ("CLI_ARGS", Value::text(words.join(" "))),
            ("CLI_ARGS_LIST", list),
            ("CLI_FORCE", Value::Bool(false)),
            ("CLI_SILENT", Value::Bool(false)),
            ("CLI_VERBOSE", Value::Bool(false)),
            ("CLI_OFFLINE", Value::Bool(false)),
            ("CLI_ASSUME_YES", Value::Bool(false)),
        ] {
            special.set(name, Variable::Known(value));
        }
        order.environment = Rc::new(model.environment.clone());
        order.variables = Rc::new(special.before(&given));
        order.environment = Rc::new(order.with_dotenv());
        order
    }

    /// The environment with the `.env` files that the root Taskfile names.
    fn with_dotenv(&self) -> Layer<'f> {
        let mut environment = (*self.environment).clone();
        let scope = self.scope(Place {
            root: self.root.clone(),
            root_taskfile: self.path.clone(),
            taskfile: self.path.clone(),
            folder: self.root.clone(),
            ..Place::default()
        });
        for (name, value) in dotenv(&scope, self.model.dotenv) {
            if !environment.has(&name) {
                environment.set(&name, Variable::Known(Value::text(value.as_str())));
            }
        }
        environment
    }

    fn scope(&self, place: Place) -> Scope<'_, 'f, 'c> {
        let layers = vec![Rc::clone(&self.environment), Rc::clone(&self.variables)];
        Scope::new(self.run, &self.fuel, place, layers)
    }

    /// Runs what one word of the command line means.
    fn target(&mut self, target: &Text) -> Result<(), Failure> {
        if let Some(name) = target.known() {
            return self.named(name, &[]);
        }
        let shown = self.run.show(target);
        let mut fitting: Vec<&str> = self.model.tasks.iter().map(|t| t.name.as_str()).collect();
        fitting.retain(|name| !name.contains('*') && may_be(target.as_str(), name));
        if fitting.is_empty() {
            // The unknown part may be what a star stands for.
            if self.model.find(target.as_str()).is_some() {
                return self.named(target.as_str(), &[]);
            }
            return Err(Failure::Unresolved(format!(
                "which task `task {shown}` means is known only when the build runs"
            )));
        }
        if fitting.len() > MAX_FITTING {
            self.limit(super::MANY);
        }
        for name in fitting.into_iter().take(MAX_FITTING) {
            let guard = Guard::when(format!("`task {shown}` is `task {name}`"));
            // Names that cannot be called from here are none that it may be.
            let _ = self.named(name, &[guard]);
        }
        Ok(())
    }

    fn named(&mut self, name: &str, guards: &[Guard]) -> Result<(), Failure> {
        let path = &self.path;
        let Some((number, stars)) = self.model.find(name) else {
            let shown = self.run.cx.holes.show(name);
            let why = format!("no task `{shown}` in `{path}`");
            return Err(match self.model.unseen(name) {
                Some(unseen) => Failure::Elsewhere(format!("{why}: {unseen}")),
                None => Failure::NoSuchName(why),
            });
        };
        if self.model.tasks.get(number).is_some_and(|t| t.internal) {
            return Err(Failure::NoSuchName(format!(
                "the task `{name}` of `{path}` is internal: only other tasks may call it"
            )));
        }
        self.goal = match name {
            "default" => "task".to_owned(),
            name => format!("task {}", self.run.cx.holes.show(name)),
        };
        let given = Given {
            guards: guards.to_vec(),
            ..Given::default()
        };
        self.task(number, name, stars, given);
        Ok(())
    }

    /// Runs a task, after what it needs.
    fn task(&mut self, number: usize, called: &str, stars: Vec<String>, mut given: Given<'f>) {
        let Some(task) = self.model.tasks.get(number) else {
            return;
        };
        if self.open.len() > MAX_CHAIN {
            return self.limit(super::DEEP);
        }
        if self.out.len() >= MAX_RECIPES || !self.fuel.spend(20 + given.variables.len()) {
            return self.limit(super::MANY);
        }
        if !self.run.cx.spend() || !reader::is_for(task.field("platforms"), system(self.run)) {
            return;
        }
        let stars = self.list(stars.into_iter());
        given.variables.set("MATCH", Variable::Known(stars));
        let key = (number, given.variables.known());
        // A task that calls itself with what it was called with never ends.
        if self.open.contains(&key) {
            return;
        }
        self.open.push(key);
        self.run_task(task, called, given);
        self.open.pop();
    }

    fn run_task(&mut self, task: &'m Task<'f>, called: &str, given: Given<'f>) {
        let mut own = Layer::default();
        reader::add_variables(&mut own, task.field("vars"));
        if !self.fuel.spend(own.len() / 4) {
            return self.limit(super::MANY);
        }
        let mut layers = vec![Rc::clone(&self.environment), Rc::clone(&self.variables)];
        layers.extend(task.layers.iter().cloned());
        layers.extend([Rc::new(given.variables), Rc::new(own)]);
        let base = task.folder.clone().unwrap_or_else(|| self.root.clone());
        let place = Place {
            root: self.root.clone(),
            root_taskfile: self.path.clone(),
            taskfile: task.file.path.clone(),
            folder: base.clone(),
            task: task.name.clone(),
            called: called.to_owned(),
        };
        let fuel = Rc::clone(&self.fuel);
        let mut scope = Scope::new(self.run, &fuel, place, layers);
        scope.required = required(task.field("requires"));
        if let Some(written) = task.field("dir").and_then(Node::as_str) {
            let folder = scope.place.here(&scope.text(written));
            if let Some(folder) = base.join(&folder).filter(|_| !has_hole(&folder)) {
                scope.place.folder = folder;
            }
        }
        let env = self.environment_of(&scope, task);
        let mut conditions = given.conditions;
        if let Some(condition) = condition(&scope, task.field("if")) {
            conditions.push(condition);
        }
        let about = About {
            task,
            env: env.into(),
            conditions,
            guards: given.guards.into(),
        };
        let before = reader::dependencies(task.node);
        let steps = reader::commands(task.node);
        let planned = before.iter().chain(&steps);
        let planned: Vec<Planned<'_, 'f>> = planned
            .flat_map(|step| plan(&mut scope, step))
            .take(MAX_ROUNDS * 4 + 1)
            .collect();
        let has_more = planned.len() > MAX_ROUNDS * 4 || scope.has_more;
        let asked = scope.asked.take();
        let place = scope.place;
        for asked in asked {
            self.ask(asked, &place, &about);
        }
        if has_more {
            self.limit(super::MANY);
        }
        for planned in planned.into_iter().take(MAX_ROUNDS * 4) {
            self.step(planned, &place, &about);
        }
    }

    /// What the task's commands find in their environment.
    fn environment_of(&self, scope: &Scope<'_, 'f, 'c>, task: &Task<'f>) -> Vec<(String, Text)> {
        let mut env: BTreeMap<String, Text> =
            scope.environment(&self.environment).into_iter().collect();
        for (name, value) in dotenv(scope, task.field("dotenv")) {
            if !self.run.env.contains_key(&name) {
                env.insert(name, value);
            }
        }
        let mut own = Layer::default();
        reader::add_variables(&mut own, task.field("env"));
        env.extend(scope.environment(&own));
        env.into_iter().collect()
    }

    /// Runs the command of a variable. Only those that start containers say anything.
    fn ask(&mut self, asked: variables::Asked, place: &Place, about: &About<'_, 'f>) {
        let clients = ["docker", "podman", "nerdctl"];
        let starts = clients.iter().any(|name| asked.script.text.contains(name));
        if !starts || !self.asked.insert(asked.script.text.clone()) {
            return;
        }
        let mut place = place.clone();
        if !asked.is_own {
            place.folder = place.root.clone();
        }
        let note = format!(
            "`{}` runs this for the variable `{}`",
            self.goal, asked.name
        );
        self.push(Recipe {
            script: place.script(asked.script),
            cwd: place.folder,
            env: Rc::clone(&about.env),
            guards: Rc::clone(&about.guards),
            span: asked.span,
            note: note.into(),
        });
    }

    fn push(&mut self, recipe: Recipe) {
        self.bytes += recipe.script.text.len();
        if self.out.len() < MAX_RECIPES && self.bytes < MAX_BYTES {
            self.out.push(recipe);
        } else {
            self.limit(super::MANY);
        }
    }

    fn limit(&self, more: &str) {
        self.run.cx.note_limit_of(&self.path, more);
    }

    /// Texts as a list, and nothing where they are too many.
    fn list(&self, texts: impl Iterator<Item = impl Into<Rc<str>>>) -> Value {
        Value::texts(texts).unwrap_or_else(|| {
            self.limit(super::MANY);
            Value::Nil
        })
    }

    fn step(&mut self, planned: Planned<'_, 'f>, place: &Place, about: &About<'_, 'f>) {
        let mut conditions = about.conditions.clone();
        conditions.extend(planned.condition);
        match planned.does {
            Runs::Command(script) => self.script(script, conditions, place, about),
            Runs::Task(node, name, variables) => {
                let name = about.task.called(&name);
                let given = Given {
                    variables,
                    conditions: conditions.clone(),
                    guards: about.guards.to_vec(),
                };
                if let Some((number, stars)) = self.model.find(&name) {
                    self.task(number, &name, stars, given);
                } else if self.model.unseen(&name).is_some() {
                    self.unseen(node, &name, conditions, place, about);
                }
            }
        }
    }

    /// A task that is not seen: the call stays a call, about which the shell says why.
    fn unseen(
        &mut self,
        node: Node<'_>,
        name: &str,
        conditions: Vec<Condition>,
        place: &Place,
        about: &About<'_, 'f>,
    ) {
        let file = Text::from(relative(&place.folder, &self.path));
        let call = format!("task -t {} {}", quoted(&file), quoted(&Text::from(name)));
        let script = Mapped::at(node.use_span(), call);
        self.script(script, conditions, place, about);
    }

    fn script(
        &mut self,
        script: Mapped,
        conditions: Vec<Condition>,
        place: &Place,
        about: &About<'_, 'f>,
    ) {
        let mut script = place.script(script);
        if script.text.trim().is_empty() {
            return;
        }
        let mut guards = about.guards.to_vec();
        for condition in conditions.into_iter().rev() {
            if condition.folder == place.folder {
                script = under(&condition.command, script);
            } else {
                // Where it runs is another folder, so it cannot stand in the script itself.
                let text = condition.command.text.trim();
                guards.insert(0, Guard::when(self.run.cx.holes.show(text)));
            }
        }
        let task = about.task;
        let note = if self.open.len() == 1 {
            format!("`{}` runs this task of `{}`", self.goal, task.file.path)
        } else {
            format!("`{}` runs `{}`, too", self.goal, task.name)
        };
        self.push(Recipe {
            script,
            cwd: place.folder.clone(),
            env: Rc::clone(&about.env),
            guards: guards.into(),
            span: task.span,
            note: note.into(),
        });
    }
}

/// What the steps of one task have in common.
struct About<'m, 'f> {
    task: &'m Task<'f>,
    env: Rc<[(String, Text)]>,
    conditions: Vec<Condition>,
    guards: Rc<[Guard]>,
}

/// A step with its templates evaluated, once for each round of its loop.
struct Planned<'s, 'f> {
    condition: Option<Condition>,
    does: Runs<'s, 'f>,
}

enum Runs<'s, 'f> {
    Command(Mapped),
    /// Where the call is written, the name, and what it gives.
    Task(Node<'s>, String, Layer<'f>),
}

fn plan<'s, 'f>(scope: &mut Scope<'_, 'f, '_>, step: &Step<'s>) -> Vec<Planned<'s, 'f>> {
    if !reader::is_for(step.platforms, system(scope.run)) {
        return Vec::new();
    }
    let Some(over) = step.over else {
        return planned(scope, step).into_iter().collect();
    };
    let name = over
        .get("as")
        .filter(|_| over.is_mapping())
        .and_then(Node::as_str);
    let name = name.unwrap_or("ITEM").to_owned();
    let rounds = rounds(scope, over, &name);
    scope.has_more |= rounds.len() > MAX_ROUNDS;
    let mut out = Vec::new();
    for (key, item) in rounds.into_iter().take(MAX_ROUNDS) {
        scope.of_loop = vec![(name.clone(), item)];
        scope.of_loop.extend(key.map(|key| ("KEY".to_owned(), key)));
        out.extend(planned(scope, step));
    }
    scope.of_loop.clear();
    out
}

fn planned<'s, 'f>(scope: &Scope<'_, 'f, '_>, step: &Step<'s>) -> Option<Planned<'s, 'f>> {
    if !scope.fuel.spend(4) {
        return None;
    }
    let condition = condition(scope, step.condition);
    let does = match &step.does {
        Does::Command(node) => Runs::Command(scope.mapped(*node)?),
        Does::Task(node, variables) => {
            let mut given = Layer::default();
            for entry in variables.map(Node::entries).unwrap_or_default() {
                let Some(name) = entry.key.as_str().filter(|_| given.len() < MAX_ITEMS) else {
                    continue;
                };
                let value = scope.value(name, entry.value);
                given.set(name, Variable::Known(value));
            }
            Runs::Task(*node, scope.text(node.as_str()?), given)
        }
    };
    Some(Planned { condition, does })
}

fn condition(scope: &Scope<'_, '_, '_>, node: Option<Node<'_>>) -> Option<Condition> {
    let command = scope.mapped(node?)?;
    let command = scope.place.script(command);
    let folder = scope.place.folder.clone();
    (!command.text.trim().is_empty()).then_some(Condition { command, folder })
}

/// `if COMMAND; then SCRIPT; fi`
fn under(condition: &Mapped, script: Mapped) -> Mapped {
    let start = script.whole().start;
    let mut out = Mapped::empty(script.file());
    out.push("if ", start, false);
    if condition.file() == script.file() {
        out.append(condition);
    } else {
        out.push(&condition.text, start, false);
    }
    out.push("\nthen\n", start, false);
    out.append(&script);
    out.push("\nfi\n", start, false);
    out
}

/// What the rounds of a loop find in `ITEM` and `KEY`. One whose list is known only when the build
/// runs has one round, with an unknown item.
fn rounds(scope: &Scope<'_, '_, '_>, over: Node<'_>, name: &str) -> Vec<(Option<Value>, Value)> {
    let unknown = || {
        let item = Value::Text(scope.unknown(&format!("{{{{.{name}}}}}")));
        vec![(None, item)]
    };
    let plain = |items: &[Value]| items.iter().map(|item| (None, item.clone())).collect();
    if over.is_sequence() {
        let items = over.items().take(MAX_ROUNDS + 1);
        let raw = |item: Node<'_>| match item.as_str() {
            Some(text) => reader::scalar(item, text),
            None => scope.value(name, item),
        };
        return items.map(|item| (None, raw(item))).collect();
    }
    if !over.is_mapping() {
        return unknown();
    }
    if let Some(matrix) = over.get("matrix") {
        return match product(scope, matrix) {
            Some(items) => items.into_iter().map(|item| (None, item)).collect(),
            None => unknown(),
        };
    }
    let Some(of) = over.get("var").and_then(Node::as_str) else {
        return Vec::new();
    };
    match scope.variable(of) {
        Value::List(items) => plain(&items),
        Value::Map(entries) => {
            let round =
                |(key, value): &(String, Value)| (Some(Value::text(key.as_str())), value.clone());
            entries.iter().map(round).collect()
        }
        Value::Text(text) if !text.is_empty() && text.chars().all(is_hole) => unknown(),
        Value::Text(text) => {
            let split = over.get("split").and_then(Node::as_str).unwrap_or("");
            let items = match split {
                "" => Value::texts(text.split_whitespace()),
                by => Value::texts(text.split(by)),
            };
            match items {
                Some(Value::List(items)) => plain(&items),
                _ => unknown(),
            }
        }
        _ => Vec::new(),
    }
}

/// All combinations of a matrix; `None` when a list of it is known only when the build runs.
fn product(scope: &Scope<'_, '_, '_>, matrix: Node<'_>) -> Option<Vec<Value>> {
    let mut all: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    for entry in matrix.entries() {
        let name = entry.key.as_str().unwrap_or("");
        let row = match entry.value.get("ref").filter(|_| entry.value.is_mapping()) {
            Some(reference) => template::reference(reference.as_str()?, scope),
            None => scope.value(name, entry.value),
        };
        let Value::List(items) = row else { return None };
        let mut next = Vec::new();
        for combination in &all {
            for item in items.iter() {
                if next.len() > MAX_ROUNDS || !scope.fuel.spend(1 + combination.len()) {
                    break;
                }
                let mut longer = combination.clone();
                longer.push((name.to_owned(), item.clone()));
                next.push(longer);
            }
        }
        all = next;
    }
    Some(all.into_iter().map(|c| Value::Map(c.into())).collect())
}

/// The variables that a `requires:` names.
fn required(node: Option<Node<'_>>) -> Vec<String> {
    let listed = node.and_then(|node| node.get("vars"));
    let names = listed.map(Node::one_or_many).unwrap_or_default();
    let names = names.into_iter().take(100).filter_map(|node| {
        let name = if node.is_mapping() {
            node.get("name")?
        } else {
            node
        };
        name.as_str().map(str::to_owned)
    });
    names.collect()
}

/// The variables of the `.env` files that a `dotenv:` names; what the first one sets stays.
fn dotenv(scope: &Scope<'_, '_, '_>, node: Option<Node<'_>>) -> BTreeMap<String, Text> {
    let mut out = BTreeMap::new();
    for written in reader::strings(node) {
        let path = scope.place.here(&scope.text(&written));
        let path = scope.place.folder.join(&path).filter(|_| !path.is_empty());
        let Some(path) = path.filter(|path| scope.run.cx.sources.exists(path)) else {
            continue;
        };
        for (name, value) in variables_of(scope.run, &path) {
            out.entry(name).or_insert(value);
        }
    }
    out
}

#[cfg(test)]
mod tests;
