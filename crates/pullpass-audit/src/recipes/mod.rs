//! CI steps like `make test` or `npm run e2e` pull images that no CI file mentions: the recipes of
//! task runners (`make`, `just`, `npm` and its kin) stand elsewhere in the same repository.
//!
//! Each reader turns a call into the scripts that it would run, in order; the shell follows them.

mod just;
mod make;
mod npm;

use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{Mapped, Text};

/// One script that a task runner runs.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The script, with the runner's own variables put in.
    pub script: Mapped,
    /// The folder it runs in.
    pub cwd: RepoPath,
    /// Variables it adds to the environment.
    pub env: Vec<(String, Text)>,
    /// Where the rule or entry is written.
    pub span: Span,
    /// For the story: "`make test` runs this recipe".
    pub note: String,
}

/// Which task runner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Runner {
    /// GNU make.
    Make,
    /// just.
    Just,
    /// npm, yarn, pnpm, bun: `package.json`'s scripts.
    Npm,
}

/// A call of a task runner.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub runner: Runner,
    /// Where the call is written.
    pub span: Span,
    /// `-C`, `--prefix`, `--cwd`, `--working-directory`: relative to the working folder.
    pub directory: Option<Text>,
    /// `-f`, `--justfile`.
    pub file: Option<Text>,
    /// Targets, recipes or the one script's name, in order; empty: the default.
    pub targets: Vec<Text>,
    /// `NAME=value` on the command line.
    pub variables: Vec<(String, Text)>,
    /// Further arguments for the script (`npm run x -- …`, a `just` recipe's parameters).
    pub arguments: Vec<Text>,
}

/// The scripts that a call runs, dependencies first.
///
/// # Errors
/// A sentence that says what could not be found or resolved.
pub fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, String> {
    match call.runner {
        Runner::Make => make::recipes(run, call),
        Runner::Just => just::recipes(run, call),
        Runner::Npm => npm::recipes(run, call),
    }
}

/// The folder that the call works in.
fn directory(run: &JobRun<'_>, call: &Call) -> Result<RepoPath, String> {
    let Cwd::Inside(cwd) = &run.cwd else {
        return Err("it runs in a folder that is not of this repository, or not known".to_owned());
    };
    match &call.directory {
        None => Ok(cwd.clone()),
        Some(given) => run.resolve(given).ok_or_else(|| {
            let shown = run.show(given);
            format!("the folder `{shown}` is not in this repository, or not known before the build runs")
        }),
    }
}

/// The runner's file: the one given, or the first of `names` in `folder` (or, `upwards`, above it).
fn file(
    run: &JobRun<'_>,
    call: &Call,
    folder: &RepoPath,
    names: &[&str],
    upwards: bool,
) -> Result<RepoPath, String> {
    if let Some(given) = &call.file {
        let path = given.known().and_then(|name| folder.join(name));
        return path
            .filter(|path| run.cx.sources.exists(path))
            .ok_or_else(|| {
                let shown = run.show(given);
                format!("`{shown}` is not in this repository, or not known before the build runs")
            });
    }
    let mut at = folder.clone();
    loop {
        let found = names.iter().filter_map(|name| at.join(name));
        if let Some(path) = found.into_iter().find(|p| run.cx.sources.exists(p)) {
            return Ok(path);
        }
        if !upwards || at.is_root() || !run.cx.spend() {
            break;
        }
        at = at.parent();
    }
    let place = if folder.is_root() {
        "the repository's root".to_owned()
    } else {
        format!("`{folder}`")
    };
    Err(format!("no {} in {place}", names.join(" or ")))
}
