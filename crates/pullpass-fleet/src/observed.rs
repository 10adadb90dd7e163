//! What the live systems say of one project. They are the only state there is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::desired::Target;
use crate::label::{Attempt, Generation, Label};
use crate::name::DockerId;

/// A token's own id, which Docker Hub gives it: a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TokenId(pub u128);

/// A point in the history of one project's record in the store. A write names the revision that it
/// was decided on, and is refused when that is no longer the newest: compare and swap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision(pub u64);

impl Revision {
    /// The one after it where a store counts: a count above, and below it bits that nobody else has
    /// drawn, so that two who write the same record at once do not write the same revision.
    pub fn next(self, drawn: u32) -> Self {
        let count = (self.0 >> 32).saturating_add(1);
        Self(count << 32 | u64::from(drawn))
    }

    /// Whether, where a store counts, the record was written once.
    pub fn is_first(self) -> bool {
        self.0 >> 32 == 1
    }
}

/// What the store says of one version of a project's credential. Never the secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kept {
    /// How many have gone before it.
    pub generation: Generation,
    /// The attempt that made it: its name among versions.
    pub attempt: Attempt,
    /// The token on Docker Hub.
    pub token: TokenId,
    /// When it was minted, by Docker Hub's clock.
    pub minted_at: Timestamp,
    /// When it became the current one, by the store's clock; `None` while it is pending.
    pub current_since: Option<Timestamp>,
}

/// A project's record in the store, without secrets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stored {
    /// What a write must name.
    pub revision: Revision,
    /// The Docker ID whose password and e-mail address are kept; only for service IDs.
    pub account: Option<DockerId>,
    /// Whether nothing was written since the account was kept. A record is written before its first
    /// token is minted, so there is none.
    pub untouched: bool,
    /// What builds should use.
    pub current: Option<Kept>,
    /// What is being brought to the targets.
    pub pending: Option<Kept>,
}

impl Stored {
    /// A project that the store has not heard of.
    pub fn nothing() -> Self {
        Self {
            revision: Revision(0),
            account: None,
            untouched: false,
            current: None,
            pending: None,
        }
    }

    /// Whether the record names this token.
    pub fn names(&self, token: TokenId) -> bool {
        [self.current, self.pending]
            .iter()
            .flatten()
            .any(|kept| kept.token == token)
    }
}

/// What a target hands to builds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Holding {
    /// The variables do not exist.
    Missing,
    /// The word that the runbook seeds a secret with, `default`.
    Placeholder,
    /// This version, as far as the system shows: CircleCI the last four characters, GitHub the
    /// moment of the last write, which the receipt holds too.
    Version {
        /// Which.
        attempt: Attempt,
        /// When the target was last written, by its own clock: a build may have begun just before
        /// with whatever stood there.
        since: Timestamp,
    },
    /// The wanted connection's id, which anybody may read.
    Connection,
    /// Something else: what was there before us, or what somebody wrote after us.
    Other,
}

/// A token as Docker Hub lists it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What its label says, if it is one of this project's.
    pub label: Option<Label>,
    /// Whether it can be used.
    pub active: bool,
    /// When it was minted.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

impl Token {
    /// Whether it works at that moment.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.active && self.expires_at.is_none_or(|end| end > now)
    }
}

/// How a service ID stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Account {
    /// No one has looked.
    Unseen,
    /// Docker Hub knows no such ID.
    Absent,
    /// It exists, and its e-mail address has not been confirmed.
    Unconfirmed,
    /// It exists, and the stored password does not open it: somebody else's, or changed.
    Foreign,
    /// It exists and is ours.
    Ready,
}

/// How an identity stands in the organisation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Membership {
    /// Neither a member nor invited.
    None,
    /// Invited, and a person has to accept.
    Invited,
    /// The invitation ended before anybody accepted.
    Expired,
    /// A member.
    Member {
        /// Whether the role is plain Member.
        plain: bool,
        /// Whether it is in the team it should be in.
        in_team: bool,
    },
}

/// How many tokens the organisation has room for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slots {
    /// At most.
    pub limit: u32,
    /// In use; expired and deactivated tokens count until they are deleted.
    pub used: u32,
}

/// One project, as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// How its Docker ID stands; meaningless for other identities.
    pub account: Account,
    /// How its Docker ID stands in the organisation; likewise.
    pub membership: Membership,
    /// What the store says.
    pub stored: Stored,
    /// What each target holds.
    pub targets: BTreeMap<Target, Holding>,
    /// The tokens of the identity; `None` when nobody has looked.
    pub tokens: Option<Vec<Token>>,
    /// Room for another token; `None` where there is no such limit.
    pub slots: Option<Slots>,
    /// What this run has learnt; another run begins without it.
    pub learnt: Learnt,
}

/// What one run has learnt by doing, and what stays true whatever others do.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Learnt {
    /// Versions that the registry has accepted.
    pub proven: BTreeSet<Attempt>,
    /// Versions that the registry has refused.
    pub refuted: BTreeSet<Attempt>,
    /// Tokens that the store can never come to name: they were listed before a write of ours
    /// succeeded, so every write that was decided on before is refused.
    pub fenced: BTreeSet<TokenId>,
}

impl Learnt {
    /// Takes note that a token is gone: a version that the store still names works no more, which
    /// nobody has to ask the registry.
    pub fn is_deleted(&mut self, id: TokenId, stored: &Stored) {
        let named = [stored.current, stored.pending];
        let gone = named.into_iter().flatten().filter(|kept| kept.token == id);
        self.refuted.extend(gone.map(|kept| kept.attempt));
    }
}
