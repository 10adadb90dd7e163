//! What is said of a pull: as whom it is made, why, and where that is written.

use std::sync::Arc;

use crate::effect::{By, Effect, Forks, Kind, Provider, Puller, Runner, Store};
use crate::finding::Fixable;

/// As whom a pull is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Auth {
    /// With a credential of the project's.
    Authenticated,
    /// With one on some paths only.
    Conditional,
    /// With the CI vendor's own credential.
    Platform,
    /// With none.
    Anonymous,
    /// With none, and there is no syntax to give one.
    Impossible,
    /// Not from Docker Hub.
    NotApplicable,
    /// Cannot be known; the reason says what could not be resolved.
    Unknown,
}

impl Auth {
    /// Every verdict, in the order in which they are counted.
    pub const ALL: [Self; 7] = [
        Self::Anonymous,
        Self::Impossible,
        Self::Conditional,
        Self::Platform,
        Self::Authenticated,
        Self::NotApplicable,
        Self::Unknown,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::Conditional => "conditional",
            Self::Platform => "platform",
            Self::Anonymous => "anonymous",
            Self::Impossible => "impossible",
            Self::NotApplicable => "not-applicable",
            Self::Unknown => "unknown",
        }
    }
}

/// A place as a person reads it, with the line it is in. All numbers but the bytes are 1-based;
/// columns count characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Path in the repository.
    pub file: Arc<str>,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// One past the last column.
    pub end_column: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The first line's text, for excerpts; cut to 400 characters.
    pub text: Arc<str>,
}

/// One step of the story of a pull.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceStep {
    /// Where.
    pub place: Place,
    /// What.
    pub note: Arc<str>,
}

/// What authenticates a pull, in the words of the file. A literal secret is never kept here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// User name as written, such as `$DOCKER_USER`.
    pub username: Option<String>,
    /// Password as written when it names a variable or a secret; [`Credential::REDACTED`] when it is literal.
    pub password: Option<String>,
}

impl Credential {
    /// What stands for a password that is written in the file itself.
    pub const REDACTED: &'static str = "<literal, redacted>";
}

/// What helped, or would have: the reason behind the verdict, as a value that rules can read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// Nothing authenticates it and nothing tries to.
    NoLogin,
    /// The image has a place for a credential, and it is not filled.
    NoCredential,
    /// A login stands after the pull.
    LoginLater,
    /// A login stands before the pull, under a condition that the pull does not have.
    LoginConditional,
    /// A login stands before the pull and cannot work.
    LoginBroken,
    /// A login to another registry stands before the pull.
    OtherRegistry,
    /// A logout stands between the login and the pull.
    LoggedOut,
    /// A login wrote to a place that this client does not read.
    OtherStore,
    /// It names Docker Hub by a host that the logins before it are not for.
    OtherName,
    /// The credential is empty in some runs.
    SometimesEmpty,
    /// The vendor's own credential.
    Vendor,
    /// There is no syntax for one.
    NoSyntax,
    /// A registry that is not Docker Hub.
    OtherHost,
    /// A copy of Docker Hub.
    Mirror,
    /// Something could not be resolved.
    Unresolved,
    /// It is authenticated.
    Fine,
}

/// Which logins the program that pulls can find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Those of the job's steps.
    Job,
    /// Those that are made under `sudo`.
    Root,
    /// None of the job's: it keeps credentials of its own.
    Own,
}

impl Reach {
    /// Of a pull.
    #[must_use]
    pub fn of(effect: &Effect) -> Self {
        let Kind::Pull {
            puller: Puller::Client(stores),
            ..
        } = &effect.kind
        else {
            return Self::Job;
        };
        if stores.iter().any(Store::is_of_root) {
            Self::Root
        } else if stores.contains(&Store::docker()) {
            Self::Job
        } else {
            Self::Own
        }
    }
}

/// One pull and its verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pull {
    /// Where the image, or the command that pulls it, is written.
    pub place: Place,
    /// The CI system.
    pub provider: Provider,
    /// The file that defines the job.
    pub job_file: Arc<str>,
    /// The job.
    pub job: Arc<str>,
    /// The step; empty when it happens before the first.
    pub step: Arc<str>,
    /// What causes it.
    pub by: By,
    /// The image as written, after what can be resolved has been; `None` when not even that is known.
    pub image: Option<String>,
    /// Its canonical form, when it can be known.
    pub reference: Option<String>,
    /// Its registry, when it can be known.
    pub registry: Option<String>,
    /// As whom.
    pub auth: Auth,
    /// Why, for rules.
    pub cause: Cause,
    /// The login, `auth:` or `credentials:` that decided the verdict, for or against.
    pub decided_by: Option<Place>,
    /// With what, when something authenticates it.
    pub credential: Option<Credential>,
    /// Why, for people.
    pub reason: String,
    /// How it came about, oldest first.
    pub trace: Vec<TraceStep>,
    /// Whose machine pulls.
    pub runner: Runner,
    /// Whether the pull is made by the CI system before any step, not by the job.
    pub by_host: bool,
    /// Whether the repository has a place where a credential for it can be written beside the image;
    /// for one that an orb chooses there is none.
    pub has_slot: bool,
    /// How far an edit of the repository can authenticate it, as its step and its job tell.
    pub edit: Fixable,
    /// Whether it happens under no condition.
    pub certain: bool,
    /// It shows that `docker` is there.
    pub proves_docker: bool,
    /// Which logins help, where it is the job that pulls.
    pub reach: Reach,
    /// Whether a fork's pull request can start the job.
    pub forks: Forks,
    /// Whether CI makes this pull at all: false for what is declared and never run.
    pub reached: bool,
}

/// One login and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Where.
    pub place: Place,
    /// The CI system.
    pub provider: Provider,
    /// The file that defines the job.
    pub job_file: Arc<str>,
    /// The job.
    pub job: Arc<str>,
    /// The registry, canonical; `None` when it cannot be known.
    pub registry: Option<String>,
    /// What signs in.
    pub how: Arc<str>,
    /// With what.
    pub credential: Credential,
    /// Whether the password is written in the file itself.
    pub literal: bool,
    /// Whether a pull or a push of the job used it.
    pub used: bool,
    /// Whether a push of the job can have used it.
    pub pushed: bool,
    /// Why it cannot work, when it cannot.
    pub broken: Option<Arc<str>>,
    /// Whether a fork's pull request can start the job, and so the login gets no secret.
    pub forks: Forks,
    /// Whether it happens under a condition.
    pub conditional: bool,
    /// Whether its conditions ask for nothing but what started the run.
    pub by_event: bool,
    /// Whether its credential comes from the CI system's secrets, which forks do not get.
    pub secret: bool,
}
