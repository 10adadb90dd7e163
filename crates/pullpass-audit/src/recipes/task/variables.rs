//! The variables of a Taskfile, in the order in which Task sets them: the environment, the special
//! ones, `env` and `vars` of the files, what includes give, what a call gives, the task's own
//! (<https://taskfile.dev/docs/guide#variables>).
//!
//! Each may name those that are set before it and no other, so none can name itself.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use super::reader::scalar;
use super::template::{self, Fuel, Lookup, MAX_ITEMS, Platform, Value};
use super::{Place, ROOT, system};
use crate::run::{Cwd, JobRun};
use crate::shell::is_set_by_ci;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text};
use crate::yaml::Node;

/// Longest command whose output is shown as `$(command)`, in characters.
const MAX_SHOWN: usize = 100;

/// What a variable is set to.
#[derive(Clone)]
pub(super) enum Variable<'f> {
    /// A value of a Taskfile, not yet evaluated.
    Written(Node<'f>),
    /// A value.
    Known(Value),
}

/// Variables that are set together, in order; each name once.
#[derive(Clone, Default)]
pub(super) struct Layer<'f> {
    all: Vec<(String, Variable<'f>)>,
    by_name: HashMap<String, usize>,
}

impl<'f> Layer<'f> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Sets a variable: one that is there keeps its place.
    pub(super) fn set(&mut self, name: &str, variable: Variable<'f>) {
        match self.by_name.get(name).and_then(|&at| self.all.get_mut(at)) {
            Some((_, slot)) => *slot = variable,
            None => {
                self.by_name.insert(name.to_owned(), self.all.len());
                self.all.push((name.to_owned(), variable));
            }
        }
    }

    /// Sets all of another.
    pub(super) fn merge(&mut self, other: &Self) {
        for (name, variable) in &other.all {
            self.set(name, variable.clone());
        }
    }

    /// These variables first, and then the others.
    pub(super) fn before(mut self, others: &Self) -> Self {
        self.merge(others);
        self
    }

    /// The values that are known as they stand.
    pub(super) fn known(&self) -> Vec<(String, Value)> {
        let known = self
            .all
            .iter()
            .filter_map(|(name, variable)| match variable {
                Variable::Known(value) => Some((name.clone(), value.clone())),
                Variable::Written(_) => None,
            });
        known.collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
}

/// A command of a variable (`sh:`), which Task runs to know its value.
pub(super) struct Asked {
    pub(super) script: Mapped,
    pub(super) span: Span,
    pub(super) name: String,
    /// It runs in the task's folder; else in the root Taskfile's.
    pub(super) is_own: bool,
}

/// What one task's templates are evaluated over.
pub(super) struct Scope<'s, 'f, 'c> {
    pub(super) run: &'s JobRun<'c>,
    pub(super) fuel: &'s Fuel,
    pub(super) place: Place,
    /// The weakest first.
    pub(super) layers: Vec<Rc<Layer<'f>>>,
    /// Variables that must be set: where nobody does, they are set outside of the repository.
    pub(super) required: Vec<String>,
    /// `ITEM` and `KEY` of a loop, stronger than all others.
    pub(super) of_loop: Vec<(String, Value)>,
    /// A loop has more rounds than are followed.
    pub(super) has_more: bool,
    /// Values by layer and place in it.
    pub(super) known: RefCell<HashMap<(usize, usize), Value>>,
    /// The commands that were met in variables.
    pub(super) asked: RefCell<Vec<Asked>>,
    /// The layer and the place in it before which a variable must be set to be seen.
    pub(super) until: std::cell::Cell<(usize, usize)>,
}

impl<'s, 'f, 'c> Scope<'s, 'f, 'c> {
    pub(super) fn new(
        run: &'s JobRun<'c>,
        fuel: &'s Fuel,
        place: Place,
        layers: Vec<Rc<Layer<'f>>>,
    ) -> Self {
        Self {
            run,
            fuel,
            place,
            until: std::cell::Cell::new((layers.len(), 0)),
            layers,
            required: Vec::new(),
            of_loop: Vec::new(),
            has_more: false,
            known: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// A text with its templates evaluated.
    pub(super) fn text(&self, text: &str) -> String {
        template::text(text, self).to_string()
    }

    /// A command or condition with its templates evaluated, each byte with its place.
    pub(super) fn mapped(&self, node: Node<'_>) -> Option<Mapped> {
        let written = node.mapped()?;
        if !written.text.contains("{{") {
            return Some(written);
        }
        let mut out = Mapped::empty(written.file());
        for piece in template::script(&written.text, self) {
            match piece {
                template::Piece::Written(range) => {
                    out.append(&written.part(range.start, range.end));
                }
                template::Piece::Made(range, value) => {
                    let at = written.span(range.start, range.end).start;
                    out.push(&value, at, false);
                }
            }
        }
        Some(out)
    }

    /// The value of a variable as it is written.
    pub(super) fn value(&self, name: &str, node: Node<'_>) -> Value {
        if node.is_mapping() {
            let [sh, reference, map, value] = node.get_all(["sh", "ref", "map", "value"]);
            if let Some(sh) = sh {
                return self.output(name, sh);
            }
            if let Some(reference) = reference.and_then(Node::as_str) {
                return template::reference(reference, self);
            }
            if let Some(inner) = map.or(value) {
                return self.data(inner);
            }
        }
        self.data(node)
    }

    /// As many as are looked at.
    fn first<T>(&self, all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let more = "longer lists in Taskfiles than are looked at";
        self.run.cx.first(all, MAX_ITEMS, more).into_iter()
    }

    /// Data of YAML with the templates in its texts evaluated.
    fn data(&self, node: Node<'_>) -> Value {
        let evaluate = || {
            if let Some(text) = node.as_str() {
                return if text.contains("{{") {
                    Value::Text(template::text(text, self))
                } else {
                    scalar(node, text)
                };
            }
            if node.is_sequence() {
                let items = self.first(node.items());
                return Value::List(items.map(|item| self.data(item)).collect());
            }
            let entries = self
                .first(node.entries())
                .filter_map(|entry| Some((entry.key.as_str()?.to_owned(), self.data(entry.value))));
            Value::Map(entries.collect())
        };
        self.fuel.deeper(evaluate).unwrap_or(Value::Nil)
    }

    /// What a command prints is known only when the build runs.
    fn output(&self, name: &str, sh: Node<'_>) -> Value {
        let Some(script) = self.mapped(sh) else {
            return Value::Nil;
        };
        let command = script.text.trim();
        if command.is_empty() {
            return Value::text("");
        }
        let short = command.chars().count() <= MAX_SHOWN && !command.contains('\n');
        let shown = if short {
            format!("$({command})")
        } else {
            format!("{{{{.{name}}}}}")
        };
        let hole = self.run.cx.holes.of(&shown, HoleKind::Output);
        let mut asked = self.asked.borrow_mut();
        if asked.len() < MAX_ITEMS && !asked.iter().any(|a| a.script.text == script.text) {
            asked.push(Asked {
                script,
                span: sh.span(),
                name: name.to_owned(),
                is_own: self.until.get().0 + 1 >= self.layers.len(),
            });
        }
        Value::text(hole.as_str())
    }

    /// The value that a name has where the layer and the place in it are reached.
    fn set(&self, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.of_loop.iter().rev().find(|(n, _)| n == name) {
            return Some(value.clone());
        }
        let (layer, place) = self.until.get();
        let before = self.layers.iter().enumerate().take(layer + 1).rev();
        for (number, vars) in before {
            let Some(&at) = vars.by_name.get(name) else {
                continue;
            };
            if number == layer && at >= place {
                continue;
            }
            if let Some(value) = self.known.borrow().get(&(number, at)) {
                return Some(value.clone());
            }
            let value = match vars.all.get(at).map(|(_, variable)| variable)? {
                Variable::Known(value) => value.clone(),
                Variable::Written(node) => {
                    let outer = self.until.replace((number, at));
                    let value = self.fuel.deeper(|| self.value(name, *node));
                    self.until.set(outer);
                    value.unwrap_or_else(|| Value::Text(self.unknown(&format!("{{{{.{name}}}}}"))))
                }
            };
            self.known.borrow_mut().insert((number, at), value.clone());
            return Some(value);
        }
        None
    }

    /// One of the variables that Task itself sets.
    fn special(&self, name: &str) -> Option<Value> {
        let place = &self.place;
        let path = |path: &RepoPath| {
            Some(Value::text(if path.is_root() {
                ROOT.to_owned()
            } else {
                format!("{ROOT}/{path}")
            }))
        };
        match name {
            "TASK" => Some(Value::text(place.task.as_str())),
            "ALIAS" => Some(Value::text(place.called.as_str())),
            "TASK_EXE" => Some(Value::text("task")),
            "ROOT_DIR" => path(&place.root),
            "ROOT_TASKFILE" => path(&place.root_taskfile),
            "TASKFILE" => path(&place.taskfile),
            "TASKFILE_DIR" => path(&place.taskfile.parent()),
            "TASK_DIR" => path(&place.folder),
            "USER_WORKING_DIR" => self.called_in().map(Value::Text),
            "PATH_LIST_SEPARATOR" => Some(Value::text(":")),
            "FILE_PATH_SEPARATOR" => Some(Value::text("/")),
            "TASK_VERSION" => Some(Value::Text(self.unknown("{{.TASK_VERSION}}"))),
            _ => None,
        }
    }

    /// What a script finds in its environment: what the system sets is stronger than a Taskfile.
    pub(super) fn environment(&self, layer: &Layer<'_>) -> Vec<(String, Text)> {
        let free = |name: &&(String, Variable<'_>)| !self.run.env.contains_key(&name.0);
        let mut out = Vec::new();
        for (name, variable) in layer.all.iter().filter(free) {
            if !self.fuel.spend(1) {
                break;
            }
            let value = match variable {
                Variable::Known(value) => value.clone(),
                Variable::Written(node) => self.value(name, *node),
            };
            if matches!(value, Value::Text(_) | Value::Bool(_) | Value::Int(_)) {
                let text = self.place.here(&value.printed());
                out.push((name.clone(), Text::from(text)));
            }
        }
        out
    }
}

impl Lookup for Scope<'_, '_, '_> {
    fn variable(&self, name: &str) -> Value {
        if let Some(value) = self.set(name).or_else(|| self.special(name)) {
            return value;
        }
        match self.run.env.get(name) {
            Some(value) => Value::text(value.as_str()),
            // What nobody sets is empty, as in Task itself.
            None if is_set_by_ci(name) || self.required.iter().any(|r| r == name) => {
                Value::text(self.run.variable(name).as_str())
            }
            None => Value::Nil,
        }
    }

    fn environment(&self, name: &str) -> Value {
        Value::text(self.run.variable(name).as_str())
    }

    fn platform(&self, what: Platform) -> Option<&'static str> {
        match what {
            Platform::System => Some(system(self.run)),
            Platform::Processor => match self.run.env.get("RUNNER_ARCH").and_then(Text::known)? {
                "X64" => Some("amd64"),
                "ARM64" => Some("arm64"),
                _ => None,
            },
        }
    }

    fn called_in(&self) -> Option<Rc<str>> {
        match &self.run.cwd {
            Cwd::Inside(path) if path.is_root() => Some(ROOT.into()),
            Cwd::Inside(path) => Some(format!("{ROOT}/{path}").into()),
            Cwd::Partly(_) | Cwd::Above(_) | Cwd::Elsewhere => None,
        }
    }

    fn unknown(&self, written: &str) -> Rc<str> {
        let words: Vec<&str> = written.split_whitespace().collect();
        let shown: String = words.join(" ").chars().take(500).collect();
        let hole = self.run.cx.holes.of(&shown, HoleKind::Output);
        hole.as_str().into()
    }

    fn fuel(&self) -> &Fuel {
        self.fuel
    }
}
