//! The organisation as a value.
//!
//! No clock, no network, no threads: what happens is a method that takes the time as an argument, so
//! a test can hold two worlds side by side, and a stale read is a read of an older clone.
//!
//! ```text
//! accounts ── personal tokens ─┐                      ┌─ CircleCI: projects, contexts, pipelines
//! organisation ── members,     ├─► session ─► registry│
//!   teams, invitations, tokens ┘      pulls ◄─ builds ┴─ GitHub: repositories, secrets, runs
//! ```

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::population::Population;

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod build;
pub(crate) mod circleci;
pub(crate) mod dice;
pub(crate) mod github;
pub(crate) mod image;
pub(crate) mod keys;
pub(crate) mod mail;
pub(crate) mod organisation;
pub(crate) mod registry;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod settle;

use account::Account;
use audit::AuditLog;
use build::Builds;
use circleci::CircleCi;
use dice::Dice;
use github::GitHub;
use keys::Keys;
use mail::Mail;
use organisation::Organisation;
use registry::Registry;

/// Everything that exists.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) keys: Keys,
    /// Docker IDs, by name.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// By name. They share their names with Docker IDs.
    pub(crate) organisations: BTreeMap<String, Organisation>,
    pub(crate) mail: Vec<Mail>,
    pub(crate) registry: Registry,
    pub(crate) circleci: CircleCi,
    pub(crate) github: GitHub,
    pub(crate) builds: Builds,
    pub(crate) audit: AuditLog,
}

impl World {
    /// The world of this population, as it is at `now`.
    pub(crate) fn new(population: &Population, seed: u64, now: Timestamp) -> Self {
        settle::world(population, seed, now)
    }

    /// Whether this names a Docker ID or an organisation.
    pub(crate) fn is_known(&self, name: &str) -> bool {
        self.accounts.contains_key(name) || self.organisations.contains_key(name)
    }
}

/// Why something was not done, before a vendor's room words it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Nobody is signed in, or with something that does not hold.
    Unauthorised(String),
    /// Somebody is, and may not.
    Forbidden(String),
    NotFound(String),
    /// A field of the request is wrong.
    Invalid {
        field: &'static str,
        text: String,
    },
}

pub(crate) type Outcome<T> = Result<T, Refusal>;

/// The time in so many seconds.
pub(crate) fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}
