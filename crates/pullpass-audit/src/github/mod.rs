//! GitHub Actions: workflows to jobs.

use crate::context::Context;
use crate::effect::Job;
use crate::source::RepoPath;

/// The jobs of one workflow file. A file that only other workflows call gives its jobs to them.
#[must_use]
pub fn lower<'c>(cx: &'c Context<'c>, path: &RepoPath) -> Vec<Job> {
    let _ = (cx, path);
    Vec::new()
}
