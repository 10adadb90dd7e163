//! GitHub Actions: workflows to jobs.
//!
//! ```text
//! workflow ─► job × matrix × caller ─► container, services, Docker actions   (pulled by the runner)
//!                                   └► steps ─► run: shell
//!                                             └ uses: local action, or a row of `data/actions.toml`
//! ```
//!
//! The order of the effects is the order of the runner: what it pulls on its own comes before the
//! first step, where no login of the job can help.

mod action;
mod condition;
mod elsewhere;
mod evaluate;
mod event;
mod expression;
mod known;
mod matrix;
mod reusable;
mod ros;
mod steps;
mod table;
mod workflow;

#[cfg(test)]
mod tests;

use crate::context::Context;
use crate::effect::Job;
use crate::source::RepoPath;

/// The jobs of one workflow file. A file that only other workflows call gives its jobs to them.
#[must_use]
pub fn lower<'c>(cx: &'c Context<'c>, path: &RepoPath) -> Vec<Job> {
    workflow::lower(cx, path)
}
