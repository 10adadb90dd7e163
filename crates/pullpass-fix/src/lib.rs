//! Verdicts to text edits, and the checks on an edit.
//!
//! ```text
//! pullpass_audit::Survey ─► repo::Repo      which pulls are to be mended, and by which effects
//!                              │
//!               ┌──────────────┴──────────────┐
//!               ▼                             ▼
//!           circleci                       github      propose: Change { parts, claims, safety }
//!               └──────────────┬──────────────┘
//!                              ▼
//!                   plan   edit + meaning + a second audit: what does not pass is dropped
//!                              ▼
//!                            Plan
//! ```
//!
//! A front end only proposes: it says which bytes change ([`edit::Edit`]), which difference of meaning
//! that is ([`meaning::Intent`]) and which pulls it authenticates ([`Claim`]). It never has to be
//! believed: [`fix`] offers nothing that does not pass every check of [`plan`].
//!
//! **To add a CI system**: write `propose(&Repo, &FixOptions) -> Proposal` in a module of its own and
//! call it in [`plan`]. For each pull that is wanted ([`repo::Repo::wanted`]) it makes a change that claims it,
//! or says why it is left. What several changes need (an import, a shared command) each of them brings: the
//! same edit is made once. Texts are written with [`style`], never by hand.
//!
//! The crate is pure: files come in through `source::Tree`, edited texts go out in a [`Plan`].

pub mod circleci;
pub mod edit;
mod generated;
pub mod github;
pub mod meaning;
pub mod names;
pub mod plan;
pub mod put;
pub mod repo;
mod script;
pub mod style;

use pullpass_audit::effect::Provider;
use pullpass_audit::source::RepoPath;
use pullpass_audit::verdict::Auth;

pub use plan::{Plan, Scope, fix};

/// How a CircleCI job signs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Login {
    /// A `dockerhub_login` command that calls `docker/check` of the `circleci/docker` orb.
    Orb,
    /// A step that runs `docker login`.
    Run,
}

/// As whom a GitHub job signs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Identity {
    /// With a user name and a token from secrets.
    #[default]
    Secret,
    /// With GitHub's own identity, through an OIDC connection of the organisation.
    Oidc,
}

/// What the person asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FixOptions {
    /// Changes that a person should look at are made too.
    pub review: bool,
    /// Name of the variable that holds the user name; else the repository's own, else
    /// [`names::USER`].
    pub user_var: Option<String>,
    /// Name of the variable that holds the token; else the repository's own, else [`names::TOKEN`].
    pub token_var: Option<String>,
    /// How CircleCI jobs sign in; else the repository's own way, else [`Login::Orb`].
    pub login: Option<Login>,
    /// As whom GitHub jobs sign in.
    pub identity: Identity,
    /// CircleCI contexts that hold the variables: named on each workflow job that needs them.
    pub contexts: Vec<String>,
}

/// Whether a change can fail a build.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Safety {
    /// No build that passed before can fail because of it, once the variables exist.
    Safe,
    /// A person should look at it.
    Review,
}

impl Safety {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Review => "review",
        }
    }
}

/// What changes in one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The file.
    pub path: RepoPath,
    /// Which bytes.
    pub edits: Vec<edit::Edit>,
    /// What that means.
    pub intents: Vec<meaning::Intent>,
}

/// A pull that a change mends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Its number among the audit's pulls.
    pub pull: usize,
    /// What a second audit must say of it.
    pub auth: Auth,
}

/// Where a change or a pull is written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct At {
    /// Path in the repository.
    pub file: String,
    /// 1-based line, before any edit.
    pub line: u32,
}

/// A variable or secret that must exist for a change to work.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Needs {
    /// Whose: CircleCI's environment variables, GitHub's secrets.
    pub provider: Provider,
    /// Its name.
    pub name: String,
    /// The repository already uses it.
    pub known: bool,
    /// It is no secret (a GitHub variable).
    pub variable: bool,
}

/// Edits that make sense together only, and what they are for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What it does, in the words of a commit message: "give `postgres:16` its `auth`".
    pub summary: String,
    /// Where.
    pub at: At,
    /// Whether it can fail a build.
    pub safety: Safety,
    /// Why a person should look at it; empty when it is safe.
    pub why: String,
    /// The files it changes.
    pub parts: Vec<Part>,
    /// The pulls it mends.
    pub claims: Vec<Claim>,
    /// What a build does that gets no secrets (a fork's pull request); empty when there is none.
    pub note: String,
    /// What must exist first.
    pub needs: Vec<Needs>,
    /// CircleCI contexts that it names.
    pub contexts: Vec<String>,
}

/// A pull that no change mends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// Its number among the audit's pulls.
    pub pull: usize,
    /// Why, and what a person can do.
    pub reason: String,
}

/// What a front end would do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Proposal {
    /// The changes, in the order of the files.
    pub changes: Vec<Change>,
    /// The pulls that it cannot mend. One that is neither claimed nor left is left all the same.
    pub left: Vec<Left>,
}
