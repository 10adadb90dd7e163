//! What does this CI pull, and as whom?
//!
//! ```text
//! bytes ─► yaml::Document ─► circleci │ github ─► effect::Job ─► interpret ─► verdict::Pull ─► rules ─► Finding
//!          (source, text)       │ shell, recipes, dockerfile, compose, bake add effects ▲
//! ```
//!
//! The crate is pure: files come in through [`source::Tree`], nothing else comes in at all.

pub mod bake;
pub mod circleci;
pub mod compose;
pub mod context;
pub mod dockerfile;
pub mod effect;
pub mod finding;
pub mod github;
pub mod interpret;
pub mod recipes;
pub mod reference;
pub mod rules;
pub mod run;
pub mod shell;
pub mod source;
pub mod text;
pub mod verdict;
pub mod yaml;

use context::Options;
use finding::{Audit, Policy};
use source::Tree;

/// Audits one repository: every file under `.circleci/` that is a configuration, and every workflow
/// under `.github/workflows/`, with whatever they run, build or bring up.
#[must_use]
pub fn audit(tree: &dyn Tree, options: &Options, policy: &Policy) -> Audit {
    let _ = (tree, options, policy);
    Audit::default()
}

/// Audits one CI file on its own (`pullpass audit FILE`, or standard input). `tree` may hold the
/// repository around it, or nothing but the file.
#[must_use]
pub fn audit_file(
    tree: &dyn Tree,
    path: &source::RepoPath,
    options: &Options,
    policy: &Policy,
) -> Audit {
    let _ = path;
    audit(tree, options, policy)
}
