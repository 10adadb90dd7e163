//! Compose files: what a command on one pulls.

use crate::effect::By;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::Text;

/// The sub-command, as far as pulling is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// `up`, `create`, `start` of what is not there: missing images are pulled or built.
    Up,
    /// `run SERVICE`: the service and what it depends on.
    Run,
    /// `pull`: every image without a `build`, or all.
    Pull,
    /// `build`: what has a `build`.
    Build,
}

/// A Compose command.
#[derive(Clone, Debug)]
pub struct Compose {
    /// Where it is written.
    pub span: Span,
    /// `-f` files in order; empty: the default names, or `COMPOSE_FILE`.
    pub files: Vec<Text>,
    /// `--project-directory`.
    pub project_directory: Option<Text>,
    /// `--env-file`.
    pub env_files: Vec<Text>,
    /// `--profile`.
    pub profiles: Vec<Text>,
    /// The sub-command.
    pub verb: Verb,
    /// Services named; empty: all.
    pub services: Vec<Text>,
    /// `--no-deps`.
    pub no_deps: bool,
    /// `--build`: what has a `build` is built although its image is there.
    pub build: bool,
    /// `--no-build`.
    pub no_build: bool,
    /// `--pull` given to `up` or `build` (`always`, or a bare flag of `build`).
    pub pull: bool,
    /// `--pull never`.
    pub never_pull: bool,
    /// `--build-arg` of `build`.
    pub args: Vec<(String, Option<Text>)>,
}

/// Adds what the command pulls, builds and provides.
pub fn compose(run: &mut JobRun<'_>, compose: &Compose) {
    run.opaque(compose.span, "docker compose", "not yet read", By::Compose);
}
