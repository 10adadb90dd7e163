//! Taskfiles as a model: the files that include each other, their tasks by the names that a call
//! uses, and their variables in the order in which Task sets them.

use std::rc::Rc;

use hashbrown::HashMap;

use super::template::Value;
use super::variables::{Layer, Variable};
use super::{NAMES, Place};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::yaml::{Document, Node};

/// Files that includes may bring in, in all.
const MAX_FILES: usize = 200;

/// How deep files may include each other.
const MAX_DEPTH: usize = 12;

/// Tasks and variables of one call, with all that is included; only hostile input has more.
const MAX_ITEMS: usize = 10_000;

/// Includes of one file.
const MAX_INCLUDES: usize = 200;

/// One Taskfile.
pub(super) struct File {
    document: Rc<Document>,
    pub(super) path: RepoPath,
    includes: Vec<Include>,
}

impl File {
    fn root(&self) -> Option<Node<'_>> {
        self.document.root()
    }

    /// Whether its text has one of these words.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        let text = &self.document.source().text;
        words.iter().any(|word| text.contains(word))
    }
}

/// What an `includes:` entry leads to.
enum Target {
    /// The file with this number.
    File(usize),
    /// It is optional and not there.
    Nothing,
    /// It stands outside of the repository, or cannot be found: why.
    Unseen(String),
}

struct Include {
    namespace: String,
    target: Target,
    /// The folder that its tasks run in. The short form has none: they run in the root Taskfile's.
    folder: Option<RepoPath>,
    flatten: bool,
    internal: bool,
    aliases: Vec<String>,
    excludes: Vec<String>,
}

impl Include {
    fn excludes(&self, name: &str) -> bool {
        self.excludes
            .iter()
            .any(|excluded| match excluded.strip_suffix(":*") {
                Some(space) => {
                    let inside = name.strip_prefix(space).filter(|_| !space.is_empty());
                    inside.is_some_and(|rest| rest.starts_with(':'))
                }
                None => name == excluded,
            })
    }
}

/// Evaluates a text with the variables of one file; `None` when only the build run knows what it is.
pub(super) type Evaluate<'e> = dyn Fn(&Rc<Layer<'_>>, &Place, &str) -> Option<String> + 'e;

/// A Taskfile with all that it includes.
pub(super) struct Files {
    all: Vec<File>,
}

impl Files {
    /// Reads a Taskfile and what it includes. `None` when it is no YAML mapping.
    pub(super) fn read(run: &JobRun<'_>, path: &RepoPath, evaluate: &Evaluate<'_>) -> Option<Self> {
        let mut files = Self { all: Vec::new() };
        let mut numbers = HashMap::new();
        files.load(run, path, 0, &mut numbers, evaluate)?;
        Some(files)
    }

    fn load(
        &mut self,
        run: &JobRun<'_>,
        path: &RepoPath,
        depth: usize,
        numbers: &mut HashMap<RepoPath, usize>,
        evaluate: &Evaluate<'_>,
    ) -> Option<usize> {
        if let Some(&number) = numbers.get(path) {
            return Some(number);
        }
        if depth > MAX_DEPTH || self.all.len() >= MAX_FILES {
            run.cx.note_limit_of(path, super::super::FILES);
            return None;
        }
        if !run.cx.spend() {
            return None;
        }
        let document = run.cx.yaml(path)?;
        document.root().filter(|root| root.is_mapping())?;
        let number = self.all.len();
        numbers.insert(path.clone(), number);
        self.all.push(File {
            document: Rc::clone(&document),
            path: path.clone(),
            includes: Vec::new(),
        });
        let root = document.root()?;
        let Some(listed) = root.get("includes") else {
            return Some(number);
        };
        let mut variables = Layer::default();
        add_variables(&mut variables, root.get("vars"));
        let variables = Rc::new(variables);
        let place = Place {
            root: path.parent(),
            taskfile: path.clone(),
            ..Place::default()
        };
        let mut includes = Vec::new();
        let listed = listed.entries();
        if listed.len() > MAX_INCLUDES {
            run.cx.note_limit_of(path, super::super::FILES);
        }
        for entry in listed.iter().take(MAX_INCLUDES) {
            let Some(namespace) = entry.key.as_str() else {
                continue;
            };
            let (node, is_long) = (entry.value, entry.value.is_mapping());
            let field = |name: &str| node.get(name).filter(|_| is_long);
            let is_on = |name: &str| field(name).and_then(Node::as_bool) == Some(true);
            let file = if is_long {
                field("taskfile")
            } else {
                Some(node)
            };
            let file = file.and_then(Node::as_str).unwrap_or("");
            let given = |text: &str| evaluate(&variables, &place, text);
            let folder = field("dir").and_then(Node::as_str).unwrap_or("");
            let written = if file.is_empty() { folder } else { file };
            let target = match given(written).map(|text| (find(run, path, &text), text)) {
                Some((Some(found), _)) => {
                    match self.load(run, &found, depth + 1, numbers, evaluate) {
                        Some(number) => Target::File(number),
                        None => Target::Unseen(format!("`{found}` could not be read")),
                    }
                }
                Some((None, text)) if is_on("optional") && !is_remote(&text) => Target::Nothing,
                Some((None, text)) => {
                    Target::Unseen(format!("its Taskfile `{text}` is not in this repository"))
                }
                None => Target::Unseen(format!(
                    "which Taskfile `{written}` means is known only when the build runs"
                )),
            };
            let texts = |name: &str| -> Vec<String> {
                let all = field(name).map(Node::one_or_many).unwrap_or_default();
                let texts = all.into_iter().filter_map(Node::as_str).take(100);
                texts.map(str::to_owned).collect()
            };
            let inside = given(folder).and_then(|text| path.parent().join(&text));
            includes.push(Include {
                namespace: namespace.to_owned(),
                target,
                folder: is_long.then(|| inside.unwrap_or_else(|| path.parent())),
                flatten: is_on("flatten"),
                internal: is_on("internal"),
                aliases: texts("aliases"),
                excludes: texts("excludes"),
            });
        }
        if let Some(file) = self.all.get_mut(number) {
            file.includes = includes;
        }
        Some(number)
    }

    /// The root Taskfile and what it includes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &File> {
        self.all.iter()
    }

    /// All of them as Task merges them.
    pub(super) fn merged(&self) -> Model<'_> {
        let mut left = MAX_ITEMS;
        let mut model = self.merge(0, &mut Vec::new(), &mut left);
        model.index();
        model
    }

    fn merge<'f>(&'f self, number: usize, open: &mut Vec<usize>, left: &mut usize) -> Model<'f> {
        let mut model = Model::default();
        let Some((file, root)) = self.all.get(number).and_then(|f| Some((f, f.root()?))) else {
            return model;
        };
        add_variables(&mut model.variables, root.get("vars"));
        add_variables(&mut model.environment, root.get("env"));
        model.dotenv = root.get("dotenv");
        for entry in root.get("tasks").map(Node::entries).unwrap_or_default() {
            let Some(name) = entry.key.as_str() else {
                continue;
            };
            if *left == 0 {
                model.has_more = true;
                break;
            }
            *left -= 1;
            model.tasks.push(Task {
                name: name.to_owned(),
                aliases: strings(field(entry.value, "aliases")),
                internal: field(entry.value, "internal").and_then(Node::as_bool) == Some(true),
                node: entry.value,
                span: entry.key.span(),
                file,
                spaces: Vec::new(),
                folder: None,
                layers: Vec::new(),
            });
        }
        open.push(number);
        for include in &file.includes {
            // Each takes a copy of the variables, and may come to nothing but further includes.
            *left = left.saturating_sub(1 + model.variables.len() / 16);
            match &include.target {
                Target::File(other) if !open.contains(other) && *left > 0 => {
                    let inner = self.merge(*other, open, left);
                    model.has_more |= inner.has_more;
                    let node = root.get("includes").and_then(|i| i.get(&include.namespace));
                    model.take_in(inner, include, node);
                }
                Target::File(_) => model.has_more |= *left == 0,
                Target::Nothing => {}
                Target::Unseen(why) => {
                    let names = if include.flatten {
                        vec![String::new()]
                    } else {
                        let aliases = include.aliases.iter().cloned();
                        aliases.chain([include.namespace.clone()]).collect()
                    };
                    let why: Rc<str> = why.as_str().into();
                    let unseen = names.into_iter().map(|name| (name, Rc::clone(&why)));
                    model.unseen.extend(unseen);
                }
            }
        }
        open.pop();
        model
    }
}

fn field<'d>(task: Node<'d>, name: &str) -> Option<Node<'d>> {
    task.get(name).filter(|_| task.is_mapping())
}

/// The texts of a list, or the one text.
pub(super) fn strings(node: Option<Node<'_>>) -> Vec<String> {
    let all = node.map(Node::one_or_many).unwrap_or_default();
    let texts = all.into_iter().filter_map(Node::as_str).take(100);
    texts.map(str::to_owned).collect()
}

/// Adds what a `vars:` or `env:` sets.
pub(super) fn add_variables<'d>(layer: &mut Layer<'d>, node: Option<Node<'d>>) {
    for entry in node.map(Node::entries).unwrap_or_default() {
        if let Some(name) = entry.key.as_str().filter(|_| layer.len() < MAX_ITEMS) {
            layer.set(name, Variable::Written(entry.value));
        }
    }
}

/// Whether a path leads to a Taskfile of another machine, which Task downloads.
pub(super) fn is_remote(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.contains(".git//")
}

/// The Taskfile that an include means: a file, or the one in a folder.
fn find(run: &JobRun<'_>, from: &RepoPath, written: &str) -> Option<RepoPath> {
    if is_remote(written) || written.contains('$') {
        return None;
    }
    at(run, &from.parent().join(written)?)
}

/// The Taskfile at a path: the file, or the one in the folder.
pub(super) fn at(run: &JobRun<'_>, path: &RepoPath) -> Option<RepoPath> {
    let sources = &run.cx.sources;
    if !path.is_root() && sources.load(path).is_ok() {
        return Some(path.clone());
    }
    let inside = NAMES.iter().filter_map(|name| path.join(name));
    inside.into_iter().find(|path| sources.exists(path))
}

/// One task, with the name that it has in the file that includes it.
pub(super) struct Task<'f> {
    pub(super) name: String,
    aliases: Vec<String>,
    pub(super) internal: bool,
    pub(super) node: Node<'f>,
    pub(super) span: Span,
    pub(super) file: &'f File,
    /// The namespaces that it came in by, the innermost first.
    spaces: Vec<&'f str>,
    /// The folder that its `dir` is relative to, when that is not the root Taskfile's.
    pub(super) folder: Option<RepoPath>,
    /// What the includes that it came in by set: first what is given to them, then what stands there.
    pub(super) layers: Vec<Rc<Layer<'f>>>,
}

impl<'f> Task<'f> {
    /// The name of a task that this one calls, as the root Taskfile has it.
    pub(super) fn called(&self, name: &str) -> String {
        let name = self.spaces.iter().fold(name.to_owned(), |name, space| {
            match name.strip_prefix(':') {
                Some(outer) => outer.to_owned(),
                None => format!("{space}:{name}"),
            }
        });
        match name.strip_prefix(':') {
            Some(outer) => outer.to_owned(),
            None => name,
        }
    }

    /// A field of the long form.
    pub(super) fn field(&self, name: &str) -> Option<Node<'f>> {
        field(self.node, name)
    }
}

/// All tasks and variables that one call can reach.
#[derive(Default)]
pub(super) struct Model<'f> {
    pub(super) tasks: Vec<Task<'f>>,
    by_name: HashMap<String, usize>,
    /// Tasks with a star in one of their names.
    patterns: Vec<usize>,
    pub(super) variables: Layer<'f>,
    pub(super) environment: Layer<'f>,
    /// `dotenv` of the file itself; included ones have none.
    pub(super) dotenv: Option<Node<'f>>,
    /// Namespaces whose Taskfile is not seen (empty: any name may be there), and why.
    unseen: Vec<(String, Rc<str>)>,
    /// There are more tasks than are read.
    pub(super) has_more: bool,
}

impl<'f> Model<'f> {
    /// Merges what an include brings in, as Task does.
    fn take_in(&mut self, inner: Self, include: &'f Include, node: Option<Node<'f>>) {
        self.variables.merge(&inner.variables);
        self.environment.merge(&inner.environment);
        let mut given = Layer::default();
        add_variables(&mut given, node.and_then(|n| field(n, "vars")));
        let given = Rc::new(given);
        // What the including file sets, with what this file sets over it: Task's included variables.
        let own = Rc::new(self.variables.clone());
        let mut known: Vec<(Rc<Layer<'f>>, Rc<Layer<'f>>)> = Vec::new();
        let space = include.namespace.as_str();
        for mut task in inner.tasks {
            if include.excludes(&task.name) {
                continue;
            }
            task.internal |= include.internal;
            if !include.flatten {
                let below = |space: &str, name: &str| match name.strip_prefix(':') {
                    Some(outer) => outer.to_owned(),
                    None => format!("{space}:{name}"),
                };
                let plain: Vec<String> = std::mem::take(&mut task.aliases);
                let name = std::mem::take(&mut task.name);
                let names = plain.iter().chain([&name]);
                let by_alias = include.aliases.iter().flat_map(|space| {
                    let names = names.clone();
                    names.map(move |name| below(space, name))
                });
                task.aliases = plain.iter().map(|name| below(space, name)).collect();
                task.aliases.extend(by_alias.take(100));
                task.name = below(space, &name);
                task.spaces.push(space);
            }
            if let Some(folder) = &include.folder {
                task.folder.get_or_insert_with(|| folder.clone());
                // What an outer include gives is stronger; what the outer file sets comes last.
                let given = match task.layers.first() {
                    None => Rc::clone(&given),
                    Some(inner) => {
                        let same = known.iter().find(|(of, _)| Rc::ptr_eq(of, inner));
                        let both = same.map(|(_, both)| Rc::clone(both)).unwrap_or_else(|| {
                            let mut both = (**inner).clone();
                            both.merge(&given);
                            Rc::new(both)
                        });
                        if same.is_none() {
                            known.push((Rc::clone(inner), Rc::clone(&both)));
                        }
                        both
                    }
                };
                task.layers = vec![given, Rc::clone(&own)];
            }
            self.tasks.push(task);
        }
        if !include.flatten {
            let default = format!("{space}:default");
            let taken = self.tasks.iter().any(|task| task.name == space);
            let task = self.tasks.iter_mut().find(|task| task.name == default);
            if let Some(task) = task.filter(|_| !taken) {
                task.aliases.push(space.to_owned());
                task.aliases.extend(include.aliases.iter().cloned());
            }
        }
        let unseen = inner.unseen.into_iter().flat_map(|(name, why)| {
            let spaces = include.aliases.iter().map(String::as_str).chain([space]);
            let spaces: Vec<&str> = if include.flatten {
                vec![""]
            } else {
                spaces.collect()
            };
            spaces.into_iter().map(move |space| {
                let name = match (space, name.as_str()) {
                    (space, "") => space.to_owned(),
                    ("", name) => name.to_owned(),
                    (space, name) => format!("{space}:{name}"),
                };
                (name, Rc::clone(&why))
            })
        });
        self.unseen.extend(unseen.take(MAX_INCLUDES));
    }

    fn index(&mut self) {
        for (number, task) in self.tasks.iter().enumerate() {
            self.by_name.entry(task.name.clone()).or_insert(number);
        }
        // A task's own name is stronger than another one's alias.
        for (number, task) in self.tasks.iter().enumerate() {
            for alias in &task.aliases {
                self.by_name.entry(alias.clone()).or_insert(number);
            }
            if task
                .aliases
                .iter()
                .chain([&task.name])
                .any(|name| name.contains('*'))
            {
                self.patterns.push(number);
            }
        }
    }

    /// The task of a name, and what the stars of its own name stand for.
    pub(super) fn find(&self, name: &str) -> Option<(usize, Vec<String>)> {
        if let Some(&number) = self.by_name.get(name) {
            return Some((number, Vec::new()));
        }
        let mut fuel = 20_000;
        self.patterns.iter().find_map(|&number| {
            let task = self.tasks.get(number)?;
            let mut names = task.aliases.iter().chain([&task.name]);
            let stars = names.find_map(|pattern| stars(pattern, name, &mut fuel))?;
            Some((number, stars))
        })
    }

    /// Why a name that is not here may be a task all the same.
    pub(super) fn unseen(&self, name: &str) -> Option<&Rc<str>> {
        let below = |space: &str| {
            let rest = name.strip_prefix(space);
            space.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let found = self.unseen.iter().find(|(space, _)| below(space));
        found.map(|(_, why)| why)
    }
}

/// What the stars of a pattern stand for in a name, the first one as much as it can.
fn stars(pattern: &str, name: &str, fuel: &mut usize) -> Option<Vec<String>> {
    let (before, after) = pattern.split_once('*')?;
    let rest = name.strip_prefix(before)?;
    let mut ends: Vec<usize> = rest.char_indices().map(|(at, _)| at).collect();
    ends.push(rest.len());
    for end in ends.into_iter().rev() {
        *fuel = fuel.checked_sub(1)?;
        let (taken, left) = rest.split_at_checked(end)?;
        if !after.contains('*') {
            if left == after {
                return Some(vec![taken.to_owned()]);
            }
        } else if let Some(mut more) = stars(after, left, fuel) {
            more.insert(0, taken.to_owned());
            return Some(more);
        }
    }
    None
}

/// Which system a `platforms:` asks for. `true` when the job may run there.
pub(super) fn is_for(node: Option<Node<'_>>, system: &str) -> bool {
    const SYSTEMS: [&str; 15] = [
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "illumos",
        "ios",
        "js",
        "linux",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "windows",
        "wasip1",
    ];
    let mut wanted = strings(node).into_iter().peekable();
    wanted.peek().is_none()
        || wanted.any(|platform| {
            let first = platform.split('/').next().unwrap_or("");
            // A processor alone decides nothing here: which one the job has is mostly not said.
            first == system || !SYSTEMS.contains(&first)
        })
}

/// One entry of `cmds` or `deps`.
pub(super) struct Step<'f> {
    pub(super) does: Does<'f>,
    /// `for:`
    pub(super) over: Option<Node<'f>>,
    pub(super) condition: Option<Node<'f>>,
    pub(super) platforms: Option<Node<'f>>,
    pub(super) is_deferred: bool,
}

/// What a step does.
pub(super) enum Does<'f> {
    /// Runs a command.
    Command(Node<'f>),
    /// Calls a task, with `vars`.
    Task(Node<'f>, Option<Node<'f>>),
}

impl<'f> Step<'f> {
    fn of(node: Node<'f>, is_dependency: bool) -> Option<Self> {
        let mut step = Self {
            does: Does::Command(node),
            over: None,
            condition: None,
            platforms: None,
            is_deferred: false,
        };
        if node.as_str().is_some() {
            if is_dependency {
                step.does = Does::Task(node, None);
            }
            return (!node.is_null()).then_some(step);
        }
        let [deferred, task, command, over, condition, platforms] =
            node.get_all(["defer", "task", "cmd", "for", "if", "platforms"]);
        step.condition = condition;
        if let Some(deferred) = deferred.filter(|d| !d.is_null()) {
            let inner = Self::of(deferred, false)?;
            return Some(Self {
                is_deferred: true,
                condition: step.condition,
                ..inner
            });
        }
        step.over = over;
        step.platforms = platforms.filter(|_| task.is_none());
        step.does = match (task, command) {
            (Some(task), _) => Does::Task(task, node.get("vars")),
            (None, command) => Does::Command(command?),
        };
        Some(step)
    }
}

/// The commands of a task, in the order in which they run.
pub(super) fn commands<'f>(task: Node<'f>) -> Vec<Step<'f>> {
    let listed = if task.is_mapping() {
        task.get("cmds").or_else(|| task.get("cmd"))
    } else {
        Some(task)
    };
    let nodes = listed.map(|node| {
        if node.is_sequence() {
            node.items().take(MAX_ITEMS).collect()
        } else {
            vec![node]
        }
    });
    let steps = nodes.unwrap_or_default();
    let steps = steps.into_iter().filter_map(|node| Step::of(node, false));
    let (last, mut steps): (Vec<_>, Vec<_>) = steps.partition(|step: &Step<'_>| step.is_deferred);
    // What is deferred runs when the rest is done, the last one first.
    steps.extend(last.into_iter().rev());
    steps
}

/// What a task needs to have run before it.
pub(super) fn dependencies<'f>(task: Node<'f>) -> Vec<Step<'f>> {
    let listed = field(task, "deps").map(Node::one_or_many);
    let nodes = listed.unwrap_or_default().into_iter().take(MAX_ITEMS);
    nodes.filter_map(|node| Step::of(node, true)).collect()
}

/// A plain value as Go's YAML reads it.
pub(super) fn scalar(node: Node<'_>, text: &str) -> Value {
    use crate::yaml::Style;
    if node.style() != Style::Plain {
        return Value::text(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Nil,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0') || digits.starts_with("0."));
    if !is_number {
        return Value::text(text);
    }
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(number), _) => Value::Int(number),
        // `3.10` is the number 3.1, and is printed as that.
        (_, Ok(number)) if digits.len() < 15 => Value::text(number.to_string()),
        _ => Value::text(text),
    }
}
