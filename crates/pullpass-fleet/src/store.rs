//! The secret store, as the fleet needs it: one record a project, changed by compare and swap.
//!
//! A store keeps, for each project: the account of its service ID, the versions of its credential of
//! which one may be current and one pending, and a receipt of what was delivered where. What a record
//! shows is never secret; secrets are asked for one at a time.
//!
//! Every change but a receipt names the record that it was decided on, and is refused when that is
//! no longer the newest. Nothing else settles who goes first.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::desired::Target;
use crate::failure::Failure;
use crate::label::Attempt;
use crate::name::{DockerId, ProjectName};
use crate::observed::{Kept, Stored};

/// The last four characters of a token: as much as CircleCI shows of a variable, and what a version
/// is recognised by there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tail(String);

impl Tail {
    /// How many characters CircleCI shows (CircleCI's API description, "List all environment
    /// variables": four `x` characters and the last four of the value).
    pub const LENGTH: usize = 4;

    /// That of a secret; all of it when it is shorter.
    pub fn of(secret: &str) -> Self {
        let skipped = secret.chars().count().saturating_sub(Self::LENGTH);
        Self(secret.chars().skip(skipped).collect())
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not much of a secret, and no reason to print it.
impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tail(…)")
    }
}

/// That a target was written, as its own clock has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Receipt {
    /// Which version was delivered.
    pub attempt: Attempt,
    /// When the target answered, by the `Date` of its answer: to the second.
    pub written_at: Timestamp,
}

/// What a store says of one project. Never a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The versions, and what a change compares with.
    pub stored: Stored,
    /// The tails of the versions that the record names.
    pub tails: BTreeMap<Attempt, Tail>,
    /// What was delivered where, the last time that somebody noted it.
    pub receipts: BTreeMap<Target, Receipt>,
}

impl Record {
    /// A project that the store has not heard of.
    pub fn nothing() -> Self {
        Self {
            stored: Stored::nothing(),
            tails: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// The version of that attempt.
    pub fn version(&self, attempt: Attempt) -> Option<Kept> {
        [self.stored.current, self.stored.pending]
            .into_iter()
            .flatten()
            .find(|kept| kept.attempt == attempt)
    }
}

/// A service ID and what opens it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The Docker ID.
    pub id: DockerId,
    /// Its e-mail address.
    pub email: String,
    /// Its password.
    pub password: SecretString,
}

/// A change of a record.
#[derive(Clone, Debug)]
pub enum Update {
    /// Keep an account, where none is kept.
    Account(Account),
    /// Keep a new version as the pending one, in place of whichever was pending.
    Pending(Kept, SecretString),
    /// Make the pending version, which is this one, the current one, since that moment.
    Promote(Attempt, Timestamp),
    /// Forget the pending version.
    DropPending,
    /// Change nothing, so that whatever was decided on the record before is refused.
    Fence,
}

/// How a change went.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives for a moment")]
pub enum Written {
    /// It is made, and this is the record now.
    Done(Record),
    /// Somebody else was first: nothing was changed.
    Conflict,
}

/// A secret store.
///
/// Errors: [`Failure`], of kind `Unknown` where a change may have been made all the same. A store
/// that is asked again after such a failure shows whether it was.
#[allow(async_fn_in_trait, reason = "runs are not moved between threads")]
pub trait Store {
    /// The records of these projects; those that the store has not heard of are left out. As few
    /// calls as the store allows, and no secret is read.
    async fn list(
        &self,
        projects: &[ProjectName],
    ) -> Result<BTreeMap<ProjectName, Record>, Failure>;

    /// One record, as fresh as the store can show it. No secret is read.
    async fn look(&self, project: &ProjectName) -> Result<Record, Failure>;

    /// Changes a record that is still as it was seen.
    async fn change(
        &self,
        project: &ProjectName,
        seen: &Record,
        update: &Update,
    ) -> Result<Written, Failure>;

    /// Notes what was delivered where. Not compared: a receipt that is overtaken agrees with no
    /// target, and the target is written again.
    async fn note(
        &self,
        project: &ProjectName,
        receipts: &BTreeMap<Target, Receipt>,
    ) -> Result<(), Failure>;

    /// The token of a version that the record names.
    async fn token(&self, project: &ProjectName, attempt: Attempt)
    -> Result<SecretString, Failure>;

    /// The account of a project's service ID.
    async fn account(&self, project: &ProjectName) -> Result<Account, Failure>;

    /// How many calls it has made: to the service, or writes and reads of its file.
    fn calls(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_four_characters_and_not_shown() {
        let tail = Tail::of("dckr_pat_not-a-real-token-äbc1");
        assert_eq!(tail.as_str(), "äbc1");
        assert_eq!(Tail::of("abc").as_str(), "abc");
        assert_eq!(format!("{tail:?}"), "Tail(…)");
    }
}
