//! Dockerfiles: what a build pulls.

use crate::effect::By;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{Mapped, Text};

/// A build, as a command, a Compose file or a Bake file asks for it.
#[derive(Clone, Debug)]
pub struct Build {
    /// Where it is asked for.
    pub span: Span,
    /// The context folder as written (may be `.`, a URL, `-`), relative to the working folder.
    pub context: Text,
    /// The Dockerfile as written, relative to the working folder; `None`: `Dockerfile` in the context.
    pub dockerfile: Option<Text>,
    /// A Dockerfile that is written in place (`dockerfile_inline`, a here-document on standard input).
    pub inline: Option<Mapped>,
    /// Build arguments; `None`: taken from the environment.
    pub args: Vec<(String, Option<Text>)>,
    /// The stage to build; `None`: the last.
    pub target: Option<Text>,
    /// Names given to the result.
    pub tags: Vec<Text>,
    /// Named contexts (`--build-context name=docker-image://alpine`).
    pub contexts: Vec<(String, Text)>,
    /// Whether base images are asked for even when they are there (`--pull`).
    pub pull: bool,
    /// Whether the result is an image in the local store.
    pub load: bool,
    /// Whether it is built in a BuildKit container of its own, which does not see local images.
    pub container_builder: bool,
}

impl Build {
    /// A build of `context` asked for at `span`, everything else as `docker build` has it.
    #[must_use]
    pub fn of(span: Span, context: Text) -> Self {
        Self {
            span,
            context,
            dockerfile: None,
            inline: None,
            args: Vec::new(),
            target: None,
            tags: Vec::new(),
            contexts: Vec::new(),
            pull: false,
            load: true,
            container_builder: false,
        }
    }
}

/// Adds what the build pulls and provides.
pub fn build(run: &mut JobRun<'_>, build: &Build) {
    run.opaque(build.span, "docker build", "not yet read", By::Dockerfile);
}
