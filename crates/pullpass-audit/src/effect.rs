//! The intermediate form: what a job does that matters to its pulls.
//!
//! Every CI front end lowers its files to [`Job`]s, each an ordered list of [`Effect`]s. Nothing
//! after this module knows CircleCI from GitHub Actions: the interpreter walks the effects and
//! gives each pull its verdict.
//!
//! ```text
//! .circleci/config.yml ─┐                       ┌─ verdicts ─ findings
//! workflows/*.yml ──────┼─► Job { effects } ────┤
//! scripts, Dockerfiles ─┘   Pull Login Provide  └─ edits
//! ```

use std::rc::Rc;

use crate::source::{FileId, Span};
use crate::text::Text;

/// The CI system.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Provider {
    /// CircleCI.
    CircleCi,
    /// GitHub Actions.
    GitHub,
}

impl Provider {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CircleCi => "circleci",
            Self::GitHub => "github",
        }
    }
}

/// Whose machine a job runs on. Decides how bad an anonymous pull is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Runner {
    /// A machine of the CI vendor, whose IP address is shared with strangers.
    Hosted,
    /// A machine of the user's own.
    SelfHosted,
    /// Cannot be known.
    Unknown,
}

/// What caused a pull: the field `by` of the report.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum By {
    /// First image of a CircleCI docker executor.
    Executor,
    /// Any later image of one; a GitHub service container.
    Service,
    /// A GitHub job container.
    Container,
    /// `uses: docker://`, a Docker action, or an image that an action is known to pull.
    Action,
    /// A shell command.
    Run,
    /// A Compose file that a step brings up.
    Compose,
    /// A Dockerfile that a step builds.
    Dockerfile,
    /// A command or job of an orb.
    Orb,
}

impl By {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Service => "service",
            Self::Container => "container",
            Self::Action => "action",
            Self::Run => "run",
            Self::Compose => "compose",
            Self::Dockerfile => "dockerfile",
            Self::Orb => "orb",
        }
    }
}

/// One step of the story of how an effect came about; newest first.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Rc<TraceNode>>);

#[derive(Debug)]
struct TraceNode {
    span: Span,
    note: Rc<str>,
    before: Trace,
}

impl Trace {
    /// The same story with one more step.
    #[must_use]
    pub fn then(&self, span: Span, note: impl Into<Rc<str>>) -> Self {
        Self(Some(Rc::new(TraceNode {
            span,
            note: note.into(),
            before: self.clone(),
        })))
    }

    /// The steps, oldest first.
    #[must_use]
    pub fn steps(&self) -> Vec<(Span, Rc<str>)> {
        let back = self.back().map(|(span, note)| (span, Rc::clone(note)));
        let mut out: Vec<_> = back.collect();
        out.reverse();
        out
    }

    /// The steps, newest first.
    pub fn back(&self) -> impl Iterator<Item = (Span, &Rc<str>)> {
        let nodes = std::iter::successors(self.0.as_deref(), |node| node.before.0.as_deref());
        nodes.map(|node| (node.span, &node.note))
    }
}

/// Whether an image is one that the library Testcontainers asks the engine for by itself: a job in a container may pull
/// it and have no client to sign in with.
#[must_use]
pub fn is_of_a_library(image: &str) -> bool {
    image.starts_with("testcontainers/")
}

/// A condition under which an effect happens. Two guards with the same text are the same condition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Guard {
    /// The condition in the words of the file, for comparison and for the person.
    pub text: Rc<str>,
    /// Whether it must hold, or must not.
    pub holds: bool,
    /// It holds in every run that gets the secrets of CI: what it leaves out (a fork's pull request)
    /// could not sign in anyway.
    pub with_secrets: bool,
}

impl Guard {
    /// The condition `text` holds.
    #[must_use]
    pub fn when(text: impl Into<Rc<str>>) -> Self {
        Self {
            text: text.into(),
            holds: true,
            with_secrets: false,
        }
    }

    /// The opposite condition.
    #[must_use]
    pub fn not(&self) -> Self {
        Self {
            text: Rc::clone(&self.text),
            holds: !self.holds,
            with_secrets: false,
        }
    }
}

/// Where Docker's client keeps the superuser's credentials.
pub const ROOTS_DOCKER: &str = "/root/.docker";

/// Where credentials are kept between a login and a pull.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Store {
    /// Docker's `config.json`, of the folder `DOCKER_CONFIG` names (empty: the home folder).
    Docker(Text),
    /// `containers/auth.json`, of podman, buildah and skopeo.
    Containers,
}

impl Store {
    /// Docker's own default.
    #[must_use]
    pub fn docker() -> Self {
        Self::Docker(Text::default())
    }

    /// The same for a client under `sudo`, which has the superuser's home folder.
    #[must_use]
    pub fn docker_of_root() -> Self {
        Self::Docker(Text::from(ROOTS_DOCKER))
    }

    /// Whether it is that one.
    #[must_use]
    pub fn is_of_root(&self) -> bool {
        matches!(self, Self::Docker(folder) if folder.as_str() == ROOTS_DOCKER)
    }
}

/// Which program pulls, and so which credentials it finds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Puller {
    /// The CI system itself, before any step runs. No login of the job can help it.
    Host,
    /// A client in the job that reads these stores, the first one first.
    Client(Vec<Store>),
}

/// Whether an effect shows that `docker` is there: it asks an engine for an image, and no client that goes to the registry
/// itself (`skopeo`, `crane`, `trivy`, `helm`) or does without (`podman`).
#[must_use]
pub fn proves_docker(effect: &Effect) -> bool {
    match &effect.kind {
        Kind::Pull {
            freshness,
            puller: Puller::Client(stores),
            ..
        } => freshness.leaves_it() && !matches!(stores.first(), Some(Store::Containers)),
        Kind::Pull { .. } => false,
        _ => true,
    }
}

/// The credential that the file gives with the image itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Declared {
    /// None, though the syntax has a place for one.
    None,
    /// `auth:`, `credentials:`.
    Credential {
        /// User name; empty text when missing.
        username: Text,
        /// Password or token; empty text when missing.
        password: Text,
        /// Where it is written.
        span: Span,
        /// A condition under which it is empty (`${{ x && secrets.y || '' }}`), in words.
        sometimes_empty: bool,
    },
    /// `aws_auth:`.
    Aws(Span),
    /// There is no syntax to give one (`uses: docker://`).
    NoSyntax(&'static str),
    /// An expression decides, and it cannot be known.
    Unknown(String),
}

/// When a client asks the registry for an image that it already has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Freshness {
    /// Always (`docker pull`, `--pull`).
    Always,
    /// Only when it is not there (`docker run`).
    Missing,
    /// Always, and what is asked for stays with nobody (`docker manifest inspect`).
    Read,
    /// Only when it is not there, and otherwise the same (`trivy image`).
    ReadIfMissing,
}

impl Freshness {
    /// Whether it does without the registry where the image is there.
    #[must_use]
    pub fn takes_what_is_there(self) -> bool {
        matches!(self, Self::Missing | Self::ReadIfMissing)
    }

    /// Whether the image is there afterwards.
    #[must_use]
    pub fn leaves_it(self) -> bool {
        matches!(self, Self::Always | Self::Missing)
    }
}

/// What a step does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Asks a registry for an image.
    Pull {
        /// The image as written, after everything that can be resolved has been.
        image: Text,
        /// What caused it.
        by: By,
        /// Who asks.
        puller: Puller,
        /// The credential given with the image.
        declared: Declared,
        /// Whether a local image makes it unnecessary.
        freshness: Freshness,
    },
    /// Signs in to a registry.
    Login {
        /// The registry as written; empty is Docker Hub.
        registry: Text,
        /// User name, when the command says it.
        username: Option<Text>,
        /// Password, when the command says it.
        password: Option<Text>,
        /// Where the credential is kept.
        store: Store,
        /// What signs in, for the person: `docker login`, `docker/login-action`, `docker/check`.
        how: Rc<str>,
        /// Why it cannot work, when it cannot.
        broken: Option<Rc<str>>,
    },
    /// Signs out.
    Logout {
        /// The registry as written; empty is Docker Hub.
        registry: Text,
        /// The store it clears.
        store: Store,
    },
    /// Makes an image locally: built, tagged, loaded, pulled.
    Provide {
        /// The image as written.
        image: Text,
    },
    /// Brings images out of an archive, which does not say which.
    Load,
    /// Puts an image into an archive, for another job to load.
    Save {
        /// The image as written.
        image: Text,
    },
    /// Sends an image to a registry: what a login may be there for, when nothing is pulled.
    Push {
        /// The image as written.
        image: Text,
    },
    /// Something that may pull, of which nothing more can be said.
    Opaque {
        /// What it is, in the words of the file.
        what: Rc<str>,
        /// What could not be resolved.
        why: Rc<str>,
        /// What it would have been.
        by: By,
    },
    /// Something of which nothing is known at all. It may be what a login is for.
    Unlisted,
}

/// One effect of one step.
#[derive(Clone, Debug)]
pub struct Effect {
    /// What happens.
    pub kind: Kind,
    /// Where it is written.
    pub span: Span,
    /// The conditions under which it happens; all of them must hold.
    pub guards: Rc<[Guard]>,
    /// Name of the step it happens in; empty before the first.
    pub step: Rc<str>,
    /// How it came about.
    pub trace: Trace,
    /// The items of step lists that it happens in, the outermost first: where a file can be given
    /// another step before it. Only those that are written in the repository.
    pub within: Rc<[Span]>,
    /// For a pull by the CI system: the mapping that a credential is written in, or the image itself
    /// where it stands alone (`container: x`). None where the files have no such place.
    pub slot: Option<Span>,
}

/// Who can start a job, as far as secrets are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Forks {
    /// A fork's pull request starts it, and it then gets no secrets.
    WithoutSecrets,
    /// Nobody outside starts it, or it gets its secrets all the same.
    No,
}

/// Everything that one job does.
#[derive(Clone, Debug)]
pub struct Job {
    /// The CI system.
    pub provider: Provider,
    /// The file that defines it.
    pub file: FileId,
    /// Its name.
    pub name: Rc<str>,
    /// Where its name is written.
    pub span: Span,
    /// Whose machine it runs on.
    pub runner: Runner,
    /// Who can start it.
    pub forks: Forks,
    /// The vendor pulls images of the job itself with a credential of its own.
    pub platform_credential: bool,
    /// `Linux`, `macOS` or `Windows`, where that is known. The Macs of both CI systems have no Docker of their own.
    pub os: Option<&'static str>,
    /// Conditions on the whole job.
    pub guards: Rc<[Guard]>,
    /// The CircleCI contexts that its variables may come from: those of each workflow entry that runs
    /// it, sorted. Empty where there are no contexts, or nothing runs it.
    pub contexts: Rc<[Vec<String>]>,
    /// The same of those entries only that run it in the way that is told here, with these parameters.
    pub own_contexts: Rc<[Vec<String>]>,
    /// Whether CI runs it. What is declared and not run (a job that no workflow names, an executor
    /// that no job uses) is listed too, for it is what gets used next.
    pub reached: bool,
    /// What happens, in order.
    pub effects: Vec<Effect>,
}
