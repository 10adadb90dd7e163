//! CircleCI: a configuration to jobs.
//!
//! What a job pulls is rarely written in the job: its image is an executor's, chosen by a
//! parameter that a workflow's matrix gives; its login is a command of an inline orb; half of its
//! steps are an alias. So a job is lowered from where it is *called*, with every name looked up in
//! the scope it was written in.
//!
//! ```text
//! workflow.rs   which jobs run, with which values ─┐
//! parameters.rs values, and the names in force     │
//! scope.rs      file, inline orbs, table.rs's orbs ├─► JobRun ─► effect::Job
//! executor.rs   what CircleCI pulls for the job    │
//! steps.rs      what its steps do (condition.rs,   │
//!               orb.rs)                           ─┘
//! unreached.rs  what none of these jobs has reached
//! ```

mod condition;
mod executor;
mod orb;
mod parameters;
mod scope;
mod steps;
mod table;
#[cfg(test)]
mod tests;
mod unreached;
mod workflow;

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use crate::context::Context;
use crate::effect::{Effect, Job};
use crate::source::{RepoPath, Span};
use crate::yaml::{Document, Node};

use parameters::{Frame, Resolver};
pub use scope::is_of_an_orb;
use scope::{Part, Scope, Shelf};
use workflow::Done;

/// One configuration while its jobs are lowered.
struct Lowering<'c, 'd> {
    cx: &'c Context<'c>,
    shelf: &'d Shelf,
    resolver: Resolver<'c, 'd>,
    /// The root's jobs by name, for the places of their names.
    job_keys: OnceCell<HashMap<&'d str, Node<'d>>>,
    /// The commands that were called, by the places of their definitions.
    called: RefCell<HashSet<Span>>,
}

impl<'c, 'd> Lowering<'c, 'd> {
    fn of(
        cx: &'c Context<'c>,
        shelf: &'d Shelf,
        own: Part<'d>,
        merged: Vec<Part<'d>>,
        packed: Option<RepoPath>,
    ) -> Self {
        let scope = Scope::of_files(own, merged, packed);
        Self {
            cx,
            shelf,
            resolver: Resolver {
                cx,
                root: Rc::new(Frame::of(&scope, None)),
            },
            job_keys: OnceCell::new(),
            called: RefCell::default(),
        }
    }
}

/// What a configuration, or a part of one, has at its top.
const OWN_KEYS: [&str; 13] = [
    "jobs",
    "workflows",
    "job-groups",
    "commands",
    "executors",
    "orbs",
    "setup",
    "parameters",
    "steps",
    "docker",
    "machine",
    "executor",
    "job",
];

impl<'c, 'd> Lowering<'c, 'd> {
    /// The workflows of a folder that is packed, a file for each. Whether there are some.
    fn packed_workflows(&self, folder: &RepoPath, done: &mut Done) -> bool {
        let Some(folder) = folder.join("workflows") else {
            return false;
        };
        let mut found = false;
        let listed = self.cx.sources.tree().list(&folder);
        let mut names: Vec<&String> = listed.iter().collect();
        names.sort();
        let more = "more workflows in files of their own than are read";
        for name in self.cx.first(&names, MAX_WORKFLOWS, more) {
            let ending = [".yml", ".yaml"].iter().find(|e| name.ends_with(**e));
            let (Some(ending), Some(path)) = (ending, folder.join(name)) else {
                continue;
            };
            let document = self.cx.yaml(&path).and_then(|d| self.shelf.put(self.cx, d));
            let Some(root) = document.and_then(Document::root).filter(|r| r.is_mapping()) else {
                continue;
            };
            found = true;
            match name.starts_with('@') {
                true => self.workflows(root, done),
                false => self.workflow(name.trim_end_matches(ending), root, done),
            }
        }
        found
    }
}

/// Workflows of one configuration that stand in files of their own; only hostile input has more.
const MAX_WORKFLOWS: usize = 256;

/// What is in what a part of a configuration defines: in its jobs, executors, commands, workflows.
const PART_KEYS: [&str; 6] = ["docker", "machine", "macos", "executor", "steps", "jobs"];

/// Whether a file stands in a folder below `.circleci/`. CircleCI reads none of those by itself.
fn is_below(path: &RepoPath) -> bool {
    path.as_str()
        .strip_prefix(".circleci/")
        .is_some_and(|rest| rest.contains('/'))
}

/// Whether a file is CircleCI's: people keep Compose files and settings of other tools beside the
/// configuration, and there is nothing to be said of those.
fn is_a_configuration(path: &RepoPath, root: Node<'_>) -> bool {
    let has = |node: Node<'_>, keys: &[&str]| keys.iter().any(|key| node.get(key).is_some());
    path.name().starts_with("config.") && !is_below(path)
        || has(root, &OWN_KEYS)
        || root
            .entries()
            .iter()
            .any(|entry| has(entry.value, &PART_KEYS))
}

/// Whether whoever starts a pipeline may choose an image of another registry: it begins with a parameter of the pipeline.
/// What stands before a tag's parameter says which registry it is.
#[must_use]
pub fn may_be_of_another_registry(image: &str) -> bool {
    let before = image.split("<<").next().unwrap_or("");
    image.contains("pipeline.parameters") && !before.contains(['/', ':', '@'])
}

/// The jobs of one configuration file.
#[must_use]
pub fn lower<'c>(cx: &'c Context<'c>, path: &RepoPath) -> Vec<Job> {
    let packed = cx.packed_around(path);
    let group = match &packed {
        Some(folder) => cx.packed_files(folder),
        None => cx.merged_with(path),
    };
    // The first of them is all of them.
    if group.first().is_some_and(|first| first != path) {
        return Vec::new();
    }
    let Some(document) = cx.yaml(path) else {
        return Vec::new();
    };
    let Some(root) = document.root().filter(|r| !r.is_null()) else {
        return Vec::new();
    };
    let others: Vec<Rc<Document>> = group
        .iter()
        .skip(1)
        .filter_map(|path| cx.yaml(path))
        .collect();
    let merged = others.iter().filter_map(|document| document.root());
    let merged = merged.filter(|root| root.is_mapping());
    let merged: Vec<Part<'_>> = merged.map(Part::of).collect();
    let note = |node: Node<'_>, message: &str| {
        cx.note_unread(document.source(), node.use_span().start, message);
    };
    if !root.is_mapping() {
        note(
            root,
            "a CircleCI configuration is a mapping, and this is not",
        );
        return Vec::new();
    }
    let stands_alone = merged.is_empty() && packed.is_none();
    if stands_alone && !is_a_configuration(path, root) {
        return Vec::new();
    }
    // What `circleci config pack` makes a configuration of stands in a folder of its own, and the body of a
    // workflow has a list of jobs.
    let is_part = stands_alone
        && root.get("version").is_none()
        && (is_below(path) || root.get("jobs").is_none_or(Node::is_sequence));
    match root.get("version") {
        None if is_part && root.get("jobs").is_some() => note(
            root,
            "it has no `version`, so it is a part of which `circleci config pack` or a script makes a configuration; only the images of its jobs and executors were read",
        ),
        None if is_part => note(
            root,
            "it has no `version` and no `jobs`, so it is a part of which a script makes a configuration, or is for CircleCI 1.0, which no longer runs; only the images of its jobs and executors were read",
        ),
        None if !stands_alone => {}
        None => note(
            root,
            "no `version`: CircleCI takes this for its version 1.0; it was read as 2.1",
        ),
        Some(version) => match version.as_str() {
            Some("2" | "2.0" | "2.1") => {}
            Some("1" | "1.0") => {
                note(
                    version,
                    "CircleCI 1.0 no longer runs; this file was not read",
                );
                return Vec::new();
            }
            _ => note(
                version,
                "this version of the language is not known; it was read as 2.1",
            ),
        },
    }
    let shelf = Shelf::default();
    let mut done = Done::default();
    if is_part {
        Lowering::of(cx, &shelf, Part::whole(root), merged, None).part(&mut done);
        return done.into_jobs();
    }
    // Of each file the names mean what is in it, and then what is in the others: which of two stands depends on
    // what is changed.
    let own = match merged.is_empty() {
        true => Part::whole(root),
        false => Part::of(root),
    };
    let all: Vec<Part<'_>> = std::iter::once(own).chain(merged).collect();
    let of_file = |at: usize| {
        let others = all.iter().enumerate().filter(|(other, _)| *other != at);
        let others = others.map(|(_, part)| *part).collect();
        Some(Lowering::of(
            cx,
            &shelf,
            *all.get(at)?,
            others,
            packed.clone(),
        ))
    };
    let lowerings: Vec<Lowering<'_, '_>> = (0..all.len()).filter_map(of_file).collect();
    let mut has_workflows = false;
    if let (Some(folder), Some(lowering)) = (&packed, lowerings.first()) {
        has_workflows = lowering.packed_workflows(folder, &mut done);
    }
    for (lowering, part) in lowerings.iter().zip(&all) {
        let workflows = part.get("workflows");
        if let Some(workflows) =
            workflows.filter(|w| w.entries().iter().any(|e| e.value.is_mapping()))
        {
            has_workflows = true;
            lowering.workflows(workflows, &mut done);
        }
    }
    for (lowering, part) in lowerings.iter().zip(&all).filter(|_| !has_workflows) {
        if let Some(jobs) = part.get("jobs").filter(|j| j.is_mapping()) {
            lowering.without_workflows(jobs, &mut done);
        }
    }
    if let Some(lowering) = lowerings.first() {
        if all.len() == 1 {
            lowering.note_unused_logins();
        }
        lowering.unreached(&mut done);
    }
    done.into_jobs()
}

/// What a step does that is a command's name and nothing else, on a machine of which nothing is known. The
/// command is the one that is defined at `definition`, in the file or in an inline orb; there are no effects
/// where there is no such command, or its name cannot be called.
#[must_use]
pub fn command<'c>(cx: &'c Context<'c>, path: &RepoPath, definition: Span) -> Vec<Effect> {
    let Some(document) = cx.yaml(path) else {
        return Vec::new();
    };
    let Some(root) = document.root() else {
        return Vec::new();
    };
    cx.begin(path);
    let shelf = Shelf::default();
    let lowering = Lowering::of(cx, &shelf, Part::whole(root), Vec::new(), None);
    lowering.command_at(&lowering.resolver.root.scope, definition, 0)
}
