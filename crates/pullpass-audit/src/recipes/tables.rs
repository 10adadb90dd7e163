//! Runners whose tasks are lines of shell under names, in a table of a TOML or JSON file: mise, Composer, Deno, cargo-make and
//! the runners of Python's packages. One reader for all: what differs is in which file the table stands, and under which
//! keys.

use std::rc::Rc;

use hashbrown::HashSet;
use toml::de::{DeTable, DeValue};

use super::{Call, Failure, Recipe, npm, quoted};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
use crate::text::{HoleKind, Mapped, Text};
use crate::yaml::{Node, Style};

/// How deep tasks may need each other, and how many scripts one call may run.
const MAX_CHAIN: usize = 32;
const MAX_RECIPES: usize = 500;

/// How deep the tables of a file are read.
const MAX_NESTING: usize = 32;

/// Which of these runners.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tables {
    /// <https://mise.jdx.dev/tasks/task-configuration.html>
    Mise,
    /// <https://getcomposer.org/doc/articles/scripts.md>
    Composer,
    /// <https://docs.deno.com/runtime/reference/cli/task/>
    Deno,
    /// <https://github.com/sagiegurari/cargo-make>
    CargoMake,
    /// <https://pixi.sh/latest/workspace/advanced_tasks/>
    Pixi,
    /// <https://poethepoet.natn.io/tasks/index.html>
    Poe,
    /// <https://hatch.pypa.io/latest/config/environment/overview/#scripts>
    Hatch,
    /// <https://pdm-project.org/latest/usage/scripts/>
    Pdm,
    /// <https://pipenv.pypa.io/en/latest/scripts.html>
    Pipenv,
    /// <https://www.jetify.com/docs/devbox/configuration/#scripts>
    Devbox,
    /// <https://rye.astral.sh/guide/pyproject/#toolryescripts>
    Rye,
}

/// Stands for the name of an environment among keys.
const ENVIRONMENT: &str = "*";

type Files = &'static [(&'static str, &'static [&'static str])];

impl Tables {
    /// The files in which its tasks may stand, and under which keys.
    fn files(self) -> Files {
        match self {
            Self::Mise => &[
                ("mise.toml", &["tasks"]),
                (".mise.toml", &["tasks"]),
                ("mise/config.toml", &["tasks"]),
                (".mise/config.toml", &["tasks"]),
                (".config/mise.toml", &["tasks"]),
                (".config/mise/config.toml", &["tasks"]),
            ],
            Self::Composer => &[("composer.json", &["scripts"])],
            Self::Deno => &[
                ("deno.json", &["tasks"]),
                ("deno.jsonc", &["tasks"]),
                ("package.json", &["scripts"]),
            ],
            Self::CargoMake => &[("Makefile.toml", &["tasks"])],
            Self::Pixi => &[
                ("pixi.toml", &["tasks"]),
                ("pyproject.toml", &["tool", "pixi", "tasks"]),
            ],
            Self::Poe => &[
                ("pyproject.toml", &["tool", "poe", "tasks"]),
                ("poe_tasks.toml", &["tool", "poe", "tasks"]),
                ("poe_tasks.toml", &["tasks"]),
            ],
            Self::Hatch => &[
                ("hatch.toml", &["envs", ENVIRONMENT, "scripts"]),
                (
                    "pyproject.toml",
                    &["tool", "hatch", "envs", ENVIRONMENT, "scripts"],
                ),
            ],
            Self::Pdm => &[("pyproject.toml", &["tool", "pdm", "scripts"])],
            Self::Pipenv => &[("Pipfile", &["scripts"])],
            Self::Devbox => &[("devbox.json", &["shell", "scripts"])],
            Self::Rye => &[("pyproject.toml", &["tool", "rye", "scripts"])],
        }
    }

    /// Whether a line may begin with the name of another task.
    fn names_tasks(self, in_list: bool) -> bool {
        match self {
            Self::Hatch => true,
            Self::Pdm | Self::Poe | Self::Rye => in_list,
            _ => false,
        }
    }

    /// Whether the arguments of a call go to the end of the line.
    fn hands_on(self) -> bool {
        !matches!(self, Self::Hatch | Self::CargoMake | Self::Devbox)
    }
}

/// Folders in which mise has tasks that are files of their own.
const FOLDERS: [&str; 5] = [
    "mise-tasks",
    ".mise-tasks",
    "mise/tasks",
    ".mise/tasks",
    ".config/mise/tasks",
];

/// Keys of a task under which others stand that run before it.
const NEEDS: [&str; 6] = [
    "depends",
    "depends-on",
    "depends_on",
    "dependencies",
    "deps",
    "pre",
];

/// Keys under which stands what it runs.
const RUNS: [&str; 9] = [
    "run",
    "cmd",
    "command",
    "shell",
    "script",
    "composite",
    "sequence",
    "chain",
    "task",
];

/// A value of TOML or JSON.
enum Value {
    Text(Mapped),
    List(Vec<Value>),
    Table(Vec<(String, Value)>),
    Other,
}

impl Value {
    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The texts of a list, or the one text.
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            one => one.text().into_iter().collect(),
        }
    }

    fn of_json(node: Node<'_>, depth: usize) -> Self {
        if depth > MAX_NESTING {
            return Self::Other;
        }
        if node.is_mapping() {
            let entries = node.entries();
            let entries = entries.iter().filter_map(|entry| {
                let key = entry.key.as_str()?.to_owned();
                Some((key, Self::of_json(entry.value, depth + 1)))
            });
            return Self::Table(entries.collect());
        }
        match node.mapped() {
            Some(text) if node.style() == Style::Double => Self::Text(text),
            Some(_) => Self::Other,
            None => Self::List(node.items().map(|n| Self::of_json(n, depth + 1)).collect()),
        }
    }

    fn of_table(source: &Source, table: &DeTable<'_>, depth: usize) -> Self {
        let entries = table.iter().map(|(key, value)| {
            let value = Self::of_toml(source, value.get_ref(), value.span(), depth + 1);
            (key.get_ref().to_string(), value)
        });
        Self::Table(entries.collect())
    }

    fn of_toml(
        source: &Source,
        value: &DeValue<'_>,
        span: std::ops::Range<usize>,
        depth: usize,
    ) -> Self {
        match value {
            _ if depth > MAX_NESTING => Self::Other,
            DeValue::String(text) => {
                let place = place(source, span, text);
                let written = source.slice(place.start, place.end);
                Self::Text(match written == &**text {
                    true => Mapped::verbatim(place, &**text),
                    false => Mapped::at(place, &**text),
                })
            }
            DeValue::Array(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::of_toml(source, item.get_ref(), item.span(), depth + 1))
                    .collect(),
            ),
            DeValue::Table(table) => Self::of_table(source, table, depth),
            _ => Self::Other,
        }
    }
}

/// Where a text of a TOML file is written, without its quotes; with an escape in it, all of it.
pub(crate) fn place(source: &Source, span: std::ops::Range<usize>, text: &str) -> Span {
    let written = source.text.get(span.clone()).unwrap_or_default();
    let inner = written
        .find(text)
        .map(|at| span.start + at..span.start + at + text.len());
    let found = inner.unwrap_or(span);
    Span::new(source.id, found.start, found.end)
}

/// What a file says, if it is there.
fn read(run: &JobRun<'_>, path: &RepoPath) -> Option<Value> {
    if !run.cx.sources.exists(path) {
        return None;
    }
    if path.name().contains(".json") {
        let document = run.cx.yaml(path)?;
        return Some(Value::of_json(document.root()?, 0));
    }
    let source = run.cx.sources.load(path).ok()?;
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if let Some(error) = errors.first() {
        let at = error.span().map_or(0, |span| span.start);
        let at = u32::try_from(at).unwrap_or_default();
        run.cx.note_unread(&source, at, error.message());
    }
    Some(Value::of_table(&source, table.get_ref(), 0))
}

/// The tasks of one folder.
struct Reader<'r, 'c> {
    run: &'r JobRun<'c>,
    kind: Tables,
    folder: RepoPath,
    files: Vec<(RepoPath, &'static [&'static str], Value)>,
    /// The environment whose tasks are meant.
    environment: &'r str,
}

/// What a call runs.
struct Walk<'w, 'r, 'c> {
    reader: &'w Reader<'r, 'c>,
    /// Tasks that were begun; each runs once.
    seen: HashSet<String>,
    depth: usize,
    out: Vec<Recipe>,
}

/// In what state a task runs.
struct State {
    cwd: RepoPath,
    env: Rc<[(String, Text)]>,
    note: Rc<str>,
}

pub(super) fn recipes(run: &JobRun<'_>, call: &Call, kind: Tables) -> Result<Vec<Recipe>, Failure> {
    let none = |why: String| Failure::NoSuchName(why);
    let mut folder = super::directory(run, call).map_err(none)?;
    let Some(target) = call.targets.first() else {
        return Ok(Vec::new());
    };
    let name = target.as_str();
    // `lint:check` of Hatch's is one of an environment.
    let (environment, name) = match name.split_once(':') {
        Some((environment, name)) if kind == Tables::Hatch => (environment, name),
        _ => ("default", name),
    };
    loop {
        let reader = Reader {
            run,
            kind,
            files: files_in(run, call, kind, &folder),
            folder: folder.clone(),
            environment,
        };
        if !target.is_known() && reader.mentions_client() {
            return Err(Failure::Unresolved(format!(
                "which task `{}` means is known only when the build runs",
                run.show(target)
            )));
        }
        let mut walk = Walk {
            reader: &reader,
            seen: HashSet::new(),
            depth: 0,
            out: Vec::new(),
        };
        if walk.task(name, call.span) {
            let mut out = walk.out;
            if let Some(last) = out.last_mut().filter(|_| kind.hands_on()) {
                npm::add_arguments(&mut last.script, &call.arguments);
            }
            return Ok(out);
        }
        if folder.is_root() || call.file.is_some() || !run.cx.spend() {
            return Err(none(format!("no task `{}`", run.show(target))));
        }
        folder = folder.parent();
    }
}

fn files_in(
    run: &JobRun<'_>,
    call: &Call,
    kind: Tables,
    folder: &RepoPath,
) -> Vec<(RepoPath, &'static [&'static str], Value)> {
    let mut out = Vec::new();
    for (name, keys) in kind.files() {
        let path = match &call.file {
            Some(given) => given.known().and_then(|given| folder.join(given)),
            None => folder.join(name),
        };
        if let Some(path) = path
            && let Some(value) = read(run, &path)
        {
            out.push((path, *keys, value));
        }
    }
    out
}

impl Reader<'_, '_> {
    /// Whether one of the files speaks of a container client.
    fn mentions_client(&self) -> bool {
        self.files.iter().any(|(path, ..)| {
            let source = self.run.cx.sources.load(path);
            source.is_ok_and(|source| ["docker", "podman"].iter().any(|c| source.text.contains(c)))
        })
    }

    /// The task of a name; `None` when there is none.
    fn find(&self, name: &str) -> Option<(&RepoPath, &Value)> {
        self.files.iter().find_map(|(path, keys, root)| {
            let in_environment = |environment: &str| {
                let key = |key: &&'static str| match *key {
                    ENVIRONMENT => environment.to_owned(),
                    key => key.to_owned(),
                };
                let mut keys = keys.iter().map(key);
                let table = keys.try_fold(root, |at, key| at.get(&key))?;
                table.get(name)
            };
            let found = in_environment(self.environment).or_else(|| in_environment("default"))?;
            Some((path, found))
        })
    }

    /// A task of mise's that is a file of its own.
    fn file_task(&self, name: &str, at: Span) -> Option<Recipe> {
        if self.kind != Tables::Mise {
            return None;
        }
        let file = name.replace(':', "/");
        let path = FOLDERS.iter().find_map(|folder| {
            let names = ["", ".sh", ".bash"].map(|ending| format!("{folder}/{file}{ending}"));
            names.into_iter().find(|path| {
                let path = self.folder.join(path);
                path.is_some_and(|path| self.run.cx.sources.load(&path).is_ok())
            })
        })?;
        Some(Recipe {
            script: Mapped::at(at, format!("./{path}")),
            cwd: self.folder.clone(),
            env: Rc::from([]),
            guards: Rc::from([]),
            span: at,
            note: format!("the task `{name}` is the file `{path}`").into(),
        })
    }

    fn state(&self, path: &RepoPath, name: &str, task: &Value) -> State {
        let folders = ["dir", "cwd", "working_dir", "working-directory"];
        let folder = folders.iter().find_map(|key| task.get(key)?.text());
        let folder = folder.map(|folder| {
            let at_root = folder.trim_start().starts_with("{{");
            self.folder.join(if at_root { "" } else { folder })
        });
        let env = match task.get("env") {
            Some(Value::Table(entries)) => {
                let entries = entries.iter().take(100);
                let texts = entries
                    .filter_map(|(name, value)| Some((name.clone(), self.line(value.text()?))));
                texts.collect()
            }
            _ => Rc::from([]),
        };
        State {
            cwd: folder.flatten().unwrap_or_else(|| self.folder.clone()),
            env,
            note: format!("the task `{name}` of `{path}`").into(),
        }
    }

    /// A text of mise's with its templates as what is not known.
    fn line(&self, text: &str) -> Text {
        let mut out = Text::default();
        let mut from = 0;
        for (start, end, by) in self.templates(text) {
            out.push(text.get(from..start).unwrap_or_default());
            out.push(by.as_str());
            from = end;
        }
        out.push(text.get(from..).unwrap_or_default());
        out
    }

    fn templates(&self, text: &str) -> Vec<(usize, usize, Text)> {
        let mut out = Vec::new();
        if self.kind != Tables::Mise {
            return out;
        }
        let mut from = 0;
        while let Some(start) = text.get(from..).and_then(|rest| rest.find("{{")) {
            let start = from + start;
            let Some(length) = text.get(start..).and_then(|rest| rest.find("}}")) else {
                break;
            };
            let end = start + length + 2;
            let written = text.get(start..end).unwrap_or_default();
            let by = match written.trim_matches(['{', '}', ' ']) {
                "config_root" | "cwd" => Text::from("."),
                _ => self.run.cx.holes.of(written, HoleKind::Expression),
            };
            out.push((start, end, by));
            from = end;
        }
        out
    }

    /// What a task runs, in order.
    fn steps(&self, name: &str, value: &Value, in_list: bool, depth: usize, out: &mut Vec<Step>) {
        if depth > MAX_NESTING || out.len() >= MAX_RECIPES {
            return;
        }
        match value {
            Value::Text(line) => out.extend(self.step(name, line, in_list)),
            Value::List(items) => {
                for item in items {
                    self.steps(name, item, true, depth + 1, out);
                }
            }
            Value::Table(_) => {
                let needed = NEEDS.iter().filter_map(|key| value.get(key));
                for needed in needed {
                    let tables = match needed {
                        Value::List(items) => items.as_slice(),
                        one => std::slice::from_ref(one),
                    };
                    for needed in tables {
                        let name = needed.text().or_else(|| {
                            let keys = ["task", "name", "ref"];
                            keys.iter().find_map(|key| needed.get(key)?.text())
                        });
                        let name = name.and_then(|name| name.split_whitespace().next());
                        out.extend(name.map(|name| Step::Task(name.to_owned())));
                    }
                }
                for key in ["run_task", "ref", "tasks"] {
                    let Some(named) = value.get(key) else {
                        continue;
                    };
                    let named = named.get("name").unwrap_or(named);
                    for name in named.texts() {
                        let first = name.split_whitespace().next().unwrap_or(name);
                        out.push(Step::Task(first.to_owned()));
                    }
                }
                self.runs(name, value, depth, out);
            }
            Value::Other => {}
        }
    }

    fn runs(&self, name: &str, task: &Value, depth: usize, out: &mut Vec<Step>) {
        if let Some(file) = task.get("file").filter(|_| self.kind == Tables::Mise)
            && let Value::Text(file) = file
            && !file.text.contains(':')
        {
            let mut script = Mapped::empty(file.file());
            script.push("./", file.whole().start, false);
            script.append(file);
            out.push(Step::Line(script));
        }
        let found = RUNS.iter().find_map(|key| Some((*key, task.get(key)?)));
        let Some((key, value)) = found else { return };
        match (key, value) {
            ("task", Value::Text(other)) => out.push(Step::Task(other.text.clone())),
            // One command in words.
            ("cmd" | "command", Value::List(words)) => {
                let texts = words.iter().filter_map(|word| match word {
                    Value::Text(text) => Some(text),
                    _ => None,
                });
                out.extend(one_line(texts).map(Step::Line));
            }
            ("command", Value::Text(command)) => {
                let arguments = match task.get("args") {
                    Some(Value::List(items)) => items.as_slice(),
                    _ => &[],
                };
                let arguments = arguments.iter().filter_map(|word| match word {
                    Value::Text(text) => Some(text),
                    _ => None,
                });
                if self.kind == Tables::CargoMake {
                    let words = std::iter::once(command).chain(arguments);
                    out.extend(one_line(words).map(Step::Line));
                } else {
                    out.push(Step::Line(command.clone()));
                }
            }
            // `script = { file = "x.sh" }`
            ("script", Value::Table(_)) => {
                if let Some(Value::Text(file)) = value.get("file") {
                    let mut script = Mapped::empty(file.file());
                    script.push("./", file.whole().start, false);
                    script.append(file);
                    out.push(Step::Line(script));
                }
            }
            (_, value) => self.steps(name, value, false, depth + 1, out),
        }
    }

    /// One line, or the other task that it names.
    fn step(&self, name: &str, line: &Mapped, in_list: bool) -> Option<Step> {
        let text = line.text.trim_start();
        let first = text.split_whitespace().next()?;
        if self.kind == Tables::Composer {
            if let Some(name) = first.strip_prefix('@') {
                if self.find(name).is_some() {
                    return Some(Step::Task(name.to_owned()));
                }
                // `@composer x`, `@php x`
                let start = line.text.len() - text.len() + 1;
                return Some(Step::Line(line.part(start, line.text.len())));
            }
            // A function of PHP's.
            if text.contains("::") && !text.contains(' ') {
                return None;
            }
        }
        if self.kind.names_tasks(in_list) && first != name && self.find(first).is_some() {
            return Some(Step::Task(first.to_owned()));
        }
        Some(Step::Line(line.replace(&self.templates(&line.text))))
    }
}

impl Walk<'_, '_, '_> {
    /// Adds what a task runs; `false` when there is none of that name.
    fn task(&mut self, name: &str, at: Span) -> bool {
        let reader = self.reader;
        if self.seen.contains(name) || !reader.run.cx.spend() {
            return true;
        }
        if self.depth >= MAX_CHAIN {
            reader.run.cx.note_limit(super::DEEP);
            return true;
        }
        if self.out.len() >= MAX_RECIPES {
            reader.run.cx.note_limit(super::MANY);
            return true;
        }
        let Some((path, value)) = reader.find(name) else {
            let file = reader.file_task(name, at);
            let found = file.is_some();
            self.out.extend(file);
            return found;
        };
        self.seen.insert(name.to_owned());
        let state = reader.state(path, name, value);
        let mut steps = Vec::new();
        reader.steps(name, value, false, 0, &mut steps);
        self.depth += 1;
        for step in steps {
            match step {
                Step::Task(needed) => {
                    self.task(&needed, at);
                }
                Step::Line(script) if self.out.len() < MAX_RECIPES => {
                    self.out.push(Recipe {
                        span: script.whole(),
                        script,
                        cwd: state.cwd.clone(),
                        env: Rc::clone(&state.env),
                        guards: Rc::from([]),
                        note: Rc::clone(&state.note),
                    });
                }
                Step::Line(_) => reader.run.cx.note_limit(super::MANY),
            }
        }
        self.depth -= 1;
        true
    }
}

enum Step {
    Line(Mapped),
    Task(String),
}

/// A command whose words are given apart.
fn one_line<'w>(mut words: impl Iterator<Item = &'w Mapped>) -> Option<Mapped> {
    let mut out = words.next()?.clone();
    for word in words.take(256) {
        let quoted = quoted(&Text::from(word.text.as_str()));
        out.push(" ", word.whole().start, false);
        if quoted == word.text {
            out.append(word);
        } else {
            out.push(&quoted, word.whole().start, false);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
