//! A configuration as an editor sees it: which list each step is an item of, and in which scope that
//! list's names are looked up. An inline orb sees only what is declared inside itself, so a step
//! that is put into one of its jobs can call only what the orb has.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use pullpass_audit::source::Span;
use pullpass_audit::yaml::{Document, Node};

use crate::put::walk;

/// Name of the orb that signs in.
const DOCKER_ORB: &str = "circleci/docker";

/// The file, or an inline orb.
pub(super) struct Scope<'d> {
    /// The mapping with `commands`, `jobs`, `orbs`.
    pub(super) root: Node<'d>,
    /// It is the file, not an orb in it.
    pub(super) is_file: bool,
}

impl<'d> Scope<'d> {
    /// The name under which the `circleci/docker` orb is imported, and its version.
    pub(super) fn docker_orb(&self) -> Option<(&'d str, &'d str)> {
        let orbs = self.root.get("orbs")?;
        orbs.entries().into_iter().find_map(|entry| {
            let (name, version) = entry.value.as_str()?.split_once('@')?;
            Some((entry.key.as_str()?, version)).filter(|_| name.trim() == DOCKER_ORB)
        })
    }

    /// The definition of a command.
    pub(super) fn command(&self, name: &str) -> Option<Node<'d>> {
        self.root.get("commands")?.get(name)
    }

    /// Whether the orb's name is taken.
    pub(super) fn declares_orb(&self, name: &str) -> bool {
        self.root.get("orbs").is_some_and(|o| o.get(name).is_some())
    }
}

/// Where every step of a file is.
pub(super) struct Outline<'d> {
    items: HashMap<u32, (Node<'d>, usize)>,
    /// Lists of steps by their node, with their scope.
    lists: HashMap<u32, usize>,
    /// The file first, then its inline orbs.
    pub(super) scopes: Vec<Scope<'d>>,
}

impl<'d> Outline<'d> {
    pub(super) fn of(document: &'d Document) -> Option<Self> {
        let root = document.root()?;
        let mut outline = Self {
            items: HashMap::new(),
            lists: HashMap::new(),
            scopes: Vec::new(),
        };
        walk(root, 0, &mut |node| {
            for (index, item) in node.items().enumerate() {
                outline.items.insert(item.use_span().start, (node, index));
            }
        });
        outline.scope(root, true, 0);
        Some(outline)
    }

    fn scope(&mut self, root: Node<'d>, is_file: bool, depth: usize) {
        let number = self.scopes.len();
        // Orbs in orbs in orbs: nobody writes deeper ones.
        if depth > 8 || number > 200 {
            return;
        }
        self.scopes.push(Scope { root, is_file });
        for section in ["jobs", "commands"] {
            let Some(section) = root.get(section) else {
                continue;
            };
            for entry in section.entries() {
                if let Some(steps) = entry.value.get("steps") {
                    self.own(steps, number, 0);
                }
            }
        }
        for entry in root.get("orbs").map(Node::entries).unwrap_or_default() {
            if entry.value.is_mapping() {
                self.scope(entry.value, false, depth + 1);
            }
        }
    }

    /// A list of steps, and the lists in its items, are looked up in this scope.
    fn own(&mut self, list: Node<'d>, scope: usize, depth: usize) {
        if depth > 32 || self.lists.contains_key(&list.identity()) {
            return;
        }
        if list.is_sequence() {
            self.lists.insert(list.identity(), scope);
        }
        for item in list.items() {
            self.own(item, scope, depth + 1);
            for (_, arguments) in item.pairs() {
                for (_, value) in arguments.pairs() {
                    if value.is_sequence() {
                        self.own(value, scope, depth + 1);
                    }
                }
            }
        }
    }

    /// The list that the item written at `span` is in, and its number there.
    pub(super) fn item(&self, span: Span) -> Option<(Node<'d>, usize)> {
        self.items.get(&span.start).copied()
    }

    /// Where the items of this scope stand that call a step by this name.
    pub(super) fn calls(&self, scope: usize, name: &str) -> BTreeSet<u32> {
        self.items
            .values()
            .filter(|(list, index)| *index == 0 && self.scope_of(*list) == scope)
            .flat_map(|(list, _)| list.items())
            .filter(|item| step_name(*item) == Some(name))
            .map(|item| item.use_span().start)
            .collect()
    }

    /// Whether a step gives arguments to something of an orb by this name.
    pub(super) fn gives_to_orb(&self, orb: &str) -> bool {
        let lists = self.items.values().filter(|(_, index)| *index == 0);
        let mut items = lists.flat_map(|(list, _)| list.items());
        items.any(|item| {
            let name = step_name(item).filter(|_| item.is_mapping());
            name.and_then(|name| name.split_once('/'))
                .is_some_and(|(of, _)| of == orb)
        })
    }

    /// The scope of a list of steps; that of the file where a workflow gives it.
    pub(super) fn scope_of(&self, list: Node<'d>) -> usize {
        self.lists.get(&list.identity()).copied().unwrap_or(0)
    }

    /// What says how a job runs, nearest first: the job, what it says of its executor, and that executor.
    fn of_job(&self, job: &str) -> Vec<Node<'d>> {
        let Some(root) = self.scopes.first().map(|scope| scope.root) else {
            return Vec::new();
        };
        let Some(job) = root.get("jobs").and_then(|jobs| jobs.get(job)) else {
            return Vec::new();
        };
        let executor = job.get("executor");
        let name = executor.and_then(|e| e.as_str().or_else(|| e.get("name")?.as_str()));
        let declared = name.and_then(|name| root.get("executors")?.get(name));
        [Some(job), executor, declared]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The resource class of a job, as written.
    pub(super) fn resource_class(&self, job: &str) -> Option<&'d str> {
        self.of_job(job).into_iter().find_map(|node| {
            let of_machine = || node.get("machine")?.get("resource_class");
            node.get("resource_class").or_else(of_machine)?.as_str()
        })
    }

    /// Whether the steps of this job run in PowerShell or `cmd`, as they do on Windows where nothing says otherwise.
    pub(super) fn is_powershell(&self, job: &str) -> bool {
        let all = self.of_job(job);
        let nodes = || all.iter().copied();
        let shell = nodes().find_map(|node| {
            let of_machine = || node.get("machine")?.get("shell");
            node.get("shell").or_else(of_machine)?.as_str()
        });
        if let Some(shell) = shell {
            let shell = shell.to_ascii_lowercase();
            return shell.contains("powershell")
                || shell.contains("pwsh")
                || shell.starts_with("cmd");
        }
        let image = nodes().find_map(|node| node.get("machine")?.get("image")?.as_str());
        let orb = self.scopes.first().and_then(|scope| {
            let executor = all.first()?.get("executor")?;
            let name = executor
                .as_str()
                .or_else(|| executor.get("name")?.as_str())?;
            scope
                .root
                .get("orbs")?
                .get(name.split_once('/')?.0)?
                .as_str()
        });
        image.is_some_and(|image| image.starts_with("windows-"))
            || orb.is_some_and(|orb| orb.starts_with("circleci/windows@"))
    }

    /// The version of the docker orb that some scope of the file imports.
    pub(super) fn docker_version(&self) -> Option<&'d str> {
        self.scopes
            .iter()
            .find_map(|s| s.docker_orb())
            .map(|(_, version)| version)
    }
}

/// What a step is called: `checkout`, `run`, `docker/check`.
pub(super) fn step_name(item: Node<'_>) -> Option<&str> {
    match item.as_str() {
        Some(name) => Some(name),
        None => item.pairs().next()?.0.as_str(),
    }
}

/// The arguments of a step that is a mapping of one pair.
pub(super) fn arguments(item: Node<'_>) -> Option<Node<'_>> {
    item.pairs().next().map(|(_, value)| value)
}

/// The script of a `run` step.
pub(super) fn script(item: Node<'_>) -> Option<&str> {
    let run = arguments(item).filter(|_| step_name(item) == Some("run"))?;
    run.as_str().or_else(|| run.get("command")?.as_str())
}

/// Whether this version of the docker orb spells its parameters and commands with underscores:
/// from 3.0.0 on, and whatever has no number (the newest).
pub(super) fn underscores(version: &str) -> bool {
    version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
        .is_none_or(|major| major >= 3)
}
