//! Bake files: what `docker buildx bake` builds, and so pulls.

use crate::effect::By;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::Text;

/// A bake, as a command or an action asks for it.
#[derive(Clone, Debug)]
pub struct Bake {
    /// Where it is asked for.
    pub span: Span,
    /// `-f` files in order; empty: the default names.
    pub files: Vec<Text>,
    /// Targets and groups; empty: `default`.
    pub targets: Vec<Text>,
    /// `--set target.key=value`.
    pub set: Vec<Text>,
    /// `--pull`.
    pub pull: bool,
    /// `--load`.
    pub load: bool,
    /// Whether the builder is a container.
    pub container_builder: bool,
}

/// Adds what the bake pulls and provides.
pub fn bake(run: &mut JobRun<'_>, bake: &Bake) {
    run.opaque(
        bake.span,
        "docker buildx bake",
        "not yet read",
        By::Dockerfile,
    );
}
