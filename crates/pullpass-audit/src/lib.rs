//! What does this CI pull, and as whom?
//!
//! ```text
//! bytes ─► yaml::Document ─► circleci │ github ─► effect::Job ─► interpret ─► report ─► rules ─► Finding
//!          (source, text)       │ shell, recipes, dockerfile, compose, bake add effects ▲
//! ```
//!
//! The crate is pure: files come in through [`source::Tree`], nothing else comes in at all.

pub mod archive;
pub mod bake;
pub mod circleci;
pub mod compose;
pub mod context;
pub mod dockerfile;
pub mod editable;
pub mod effect;
pub mod finding;
pub mod folders;
pub mod github;
mod implied;
pub mod interpret;
mod masked;
mod memory;
pub mod recipes;
pub mod reference;
pub mod report;
pub mod rules;
pub mod run;
pub mod shell;
pub mod silence;
pub mod source;
pub mod text;
pub mod variables;
pub mod verdict;
pub mod yaml;

use context::{Context, Options};
use effect::Job;
use finding::{Audit, Policy};
use source::{RepoPath, Tree};

/// How deep folders under `.circleci/` are searched for configurations.
const CIRCLECI_DEPTH: usize = 4;

/// Configurations of one repository that others go on with, outside of `.circleci/`; only hostile input has more.
const MAX_CONTINUATIONS: usize = 100;

/// A repository that has been read: its jobs, and the files they came from.
pub struct Survey<'t> {
    /// The files, and what could not be known of them.
    pub cx: Context<'t>,
    /// What CI runs, in the order of the files.
    pub jobs: Vec<Job>,
    /// CI files that were looked at.
    pub files: usize,
}

impl<'t> Survey<'t> {
    /// Reads every file under `.circleci/` that is a configuration, those that they go on with wherever these stand,
    /// and every workflow under `.github/workflows/`, with whatever they run, build or bring up.
    #[must_use]
    pub fn of_repository(tree: &'t dyn Tree, options: &'t Options) -> Self {
        let mut circleci = Vec::new();
        let mut workflows = Vec::new();
        if let Some(folder) = RepoPath::new(".circleci") {
            configurations(tree, &folder, CIRCLECI_DEPTH, &mut circleci);
        }
        if let Some(folder) = RepoPath::new(".github/workflows") {
            configurations(tree, &folder, 0, &mut workflows);
        }
        Self::of_paths(tree, &circleci, &workflows, MAX_CONTINUATIONS, options)
    }

    /// Reads one CI file on its own. `tree` may hold the repository around it, or nothing but the
    /// file. What has `jobs` with `steps` under `on:` is a workflow, anything else a CircleCI
    /// configuration; a path under `.github` or `.circleci` decides first.
    #[must_use]
    pub fn of_file(tree: &'t dyn Tree, path: &RepoPath, options: &'t Options) -> Self {
        let paths = [path.clone()];
        if is_workflow(tree, path) {
            Self::of_paths(tree, &[], &paths, 0, options)
        } else {
            Self::of_paths(tree, &paths, &[], 0, options)
        }
    }

    fn of_paths(
        tree: &'t dyn Tree,
        circleci: &[RepoPath],
        workflows: &[RepoPath],
        more: usize,
        options: &'t Options,
    ) -> Self {
        let cx = Context::new(tree, options);
        let mut jobs: Vec<Job> = Vec::new();
        let mut configurations = circleci.to_vec();
        // It says which of the others are merged.
        let is_first = |path: &RepoPath| {
            matches!(
                path.as_str(),
                ".circleci/config.yml" | ".circleci/config.yaml"
            )
        };
        let first = configurations.iter().position(is_first);
        let mut of_first = first.and_then(|at| configurations.get(at)).map(|path| {
            cx.begin(path);
            circleci::lower(&cx, path)
        });
        let mut at = 0;
        while let Some(path) = configurations.get(at).cloned() {
            if first == Some(at) {
                jobs.extend(of_first.take().unwrap_or_default());
            } else {
                cx.begin(&path);
                jobs.extend(circleci::lower(&cx, &path));
            }
            for next in cx.take_continuations() {
                if configurations.contains(&next) {
                    continue;
                }
                if configurations.len() < circleci.len() + more {
                    configurations.push(next);
                } else if more > 0 {
                    cx.note_limit("more configurations that it goes on with than are read");
                }
            }
            at += 1;
        }
        for path in workflows {
            cx.begin(path);
            jobs.extend(github::lower(&cx, path));
        }
        Self {
            cx,
            jobs,
            files: configurations.len() + workflows.len(),
        }
    }

    /// Judges what was read. What could not be read is handed over, and so is listed once.
    #[must_use]
    pub fn audit(&self, policy: &Policy) -> Audit {
        report::report(&self.cx, &self.jobs, self.files, policy)
    }
}

/// Audits one repository ([`Survey::of_repository`]).
#[must_use]
pub fn audit(tree: &dyn Tree, options: &Options, policy: &Policy) -> Audit {
    Survey::of_repository(tree, options).audit(policy)
}

/// Audits one CI file on its own ([`Survey::of_file`]).
#[must_use]
pub fn audit_file(tree: &dyn Tree, path: &RepoPath, options: &Options, policy: &Policy) -> Audit {
    Survey::of_file(tree, path, options).audit(policy)
}

fn is_workflow(tree: &dyn Tree, path: &RepoPath) -> bool {
    if path.as_str().contains(".circleci/") {
        return false;
    }
    if path.as_str().contains(".github/") {
        return true;
    }
    let text = tree.read(path).unwrap_or_default();
    // Only a workflow says at the left margin what starts it; `runs-on` is in every job of one.
    text.split(|&b| b == b'\n').any(|line| {
        line.starts_with(b"on:") || line.starts_with(b"\"on\":") || line.starts_with(b"'on':")
    }) || memchr::memmem::find(&text, b"runs-on:").is_some()
}

fn configurations(tree: &dyn Tree, folder: &RepoPath, depth: usize, out: &mut Vec<RepoPath>) {
    for name in tree.list(folder).iter() {
        let Some(path) = folder.join(name) else {
            continue;
        };
        if !name.ends_with('/') {
            if report::is_yaml(&path) {
                out.push(path);
            }
        } else if depth > 0 {
            configurations(tree, &path, depth - 1, out);
        }
    }
}
