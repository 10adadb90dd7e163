//! Task runners whose recipes stand in the same repository: `make`, `just`, `npm` and its kin.
//!
//! Each reader turns a call into the scripts that it would run, in order; the shell follows them.

use crate::run::JobRun;
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
    let _ = (run, call);
    Err("not yet read".to_owned())
}
