//! CircleCI: a configuration to jobs.

use crate::context::Context;
use crate::effect::Job;
use crate::source::RepoPath;

/// The jobs of one configuration file.
#[must_use]
pub fn lower<'c>(cx: &'c Context<'c>, path: &RepoPath) -> Vec<Job> {
    let _ = (cx, path);
    Vec::new()
}
