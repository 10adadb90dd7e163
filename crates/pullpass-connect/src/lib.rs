//! What speaks to the systems outside: clients of Docker Hub, the registry, CircleCI and GitHub, and
//! the stores that secrets are kept in.
//!
//! ```text
//! http       one system: how many requests at once, waiting when told to, what is repeated
//!   hub        people, teams and tokens of an organisation
//!   registry   whether a credential works, without a pull
//!   circleci   variables of projects, pipelines
//!   github     secrets and variables of repositories, workflow runs
//!
//! sealed     files whose secrets are encrypted, each by itself
//!   store::file  the fleet's
//!   credentials  an operator's own
//! ```
//!
//! Everything runs on one thread. A client is shared by reference between the tasks of a run, and
//! counts the requests that it sends.

pub mod circleci;
pub mod credentials;
pub mod github;
pub mod http;
pub mod hub;
pub mod registry;
mod sealed;
pub mod store;

/// How a build that was started stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunState {
    /// It waits, or runs.
    Running,
    /// It ended well.
    Succeeded,
    /// It did not; where a person sees why.
    Failed(String),
}
