//! The one next thing to do.

use jiff::Timestamp;

use crate::desired::Target;
use crate::label::{Attempt, Generation};
use crate::observed::TokenId;

/// The next safe step of one project.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// Look at the Docker ID: does it exist, and is it ours?
    LookAtAccount,
    /// List the identity's tokens.
    LookAtTokens,
    /// Write the record of an account that has no token yet, so that whoever comes next looks for one.
    Claim,
    /// Choose and store a Docker ID, a password and an e-mail address.
    Invent,
    /// A person fills the sign-up form; there is no API for it.
    AwaitSignUp,
    /// A person opens the link in the e-mail.
    AwaitConfirmation,
    /// Invite the ID into the organisation and its team.
    Invite,
    /// A person accepts the invitation.
    AwaitInvitation,
    /// Make the member a plain Member.
    Demote,
    /// Put the member into the team.
    JoinTeam,
    /// Mint a token and store it: as pending, compared with the revision that was seen.
    Mint(Generation),
    /// Ask the registry whether a version may pull.
    Prove(Attempt),
    /// Write a version into a target.
    Deliver(Target, Attempt),
    /// Make the pending version the current one.
    Promote(Attempt),
    /// Forget the pending version, whose token is dead.
    DropPending(Attempt),
    /// Write the store's record once more, unchanged, so that every write that was decided on
    /// before is refused.
    Fence,
    /// Make a token unusable, which can be undone.
    Deactivate(TokenId),
    /// Delete a token, which cannot.
    Delete(TokenId),
    /// Write the connection's id, which is no secret, into a target.
    WriteConnection(Target),
    /// Nothing to do before this moment.
    Wait(Timestamp, Why),
    /// A person has to decide.
    Blocked(Blocked),
    /// Everything is as it should be.
    Converged,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Why {
    /// Builds that began with the old token are still allowed to run.
    BuildsInFlight,
    /// A token was minted a moment ago, and whoever did it may be about to store it.
    AnotherOperator,
    /// A deactivated token is kept for a while, in case it is missed.
    Settling,
    /// An old token was used at that moment, when no target and no build could still hold it:
    /// something else does.
    StillUsed(Timestamp),
}

/// Why nothing can be done without a person.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Blocked {
    /// Somebody else has the Docker ID, or its password was changed.
    ForeignAccount,
    /// The organisation has no slot left for a token.
    NoSlot,
    /// The registry refuses a token that Docker Hub lists as alive.
    TokenRefused(Attempt),
    /// A token of this generation works and was used then, and the store, which has an older one, has never heard of
    /// it: another copy of the store has gone on.
    Overtaken(Generation, Timestamp),
    /// A target that the identity cannot serve: OIDC outside GitHub.
    CannotServe(Target),
    /// The Docker ID is there already, and no password of it is kept.
    Taken,
    /// The Docker ID is in these teams too, where nobody of ours has put it.
    OtherTeams(Vec<String>),
}

impl Step {
    /// Its name, as events have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LookAtAccount => "look-at-account",
            Self::LookAtTokens => "look-at-tokens",
            Self::Claim => "claim",
            Self::Invent => "invent-account",
            Self::AwaitSignUp => "await-sign-up",
            Self::AwaitConfirmation => "await-confirmation",
            Self::Invite => "invite",
            Self::AwaitInvitation => "await-invitation",
            Self::Demote => "demote",
            Self::JoinTeam => "join-team",
            Self::Mint(_) => "mint",
            Self::Prove(_) => "prove",
            Self::Deliver(..) => "deliver",
            Self::Promote(_) => "promote",
            Self::DropPending(_) => "drop-pending",
            Self::Fence => "fence",
            Self::Deactivate(_) => "deactivate",
            Self::Delete(_) => "delete",
            Self::WriteConnection(_) => "write-connection",
            Self::Wait(..) => "wait",
            Self::Blocked(_) => "blocked",
            Self::Converged => "converged",
        }
    }

    /// Whether it waits for a person to do something.
    pub fn awaits_a_person(&self) -> bool {
        matches!(
            self,
            Self::AwaitSignUp | Self::AwaitConfirmation | Self::AwaitInvitation | Self::Blocked(_)
        )
    }

    /// Whether performing it changes something outside.
    pub fn changes(&self) -> bool {
        match self {
            Self::Claim
            | Self::Invent
            | Self::Invite
            | Self::Demote
            | Self::JoinTeam
            | Self::Mint(_)
            | Self::Deliver(..)
            | Self::Promote(_)
            | Self::DropPending(_)
            | Self::Fence
            | Self::Deactivate(_)
            | Self::Delete(_)
            | Self::WriteConnection(_) => true,
            Self::LookAtAccount
            | Self::LookAtTokens
            | Self::AwaitSignUp
            | Self::AwaitConfirmation
            | Self::AwaitInvitation
            | Self::Prove(_)
            | Self::Wait(..)
            | Self::Blocked(_)
            | Self::Converged => false,
        }
    }

    /// Whether a run ends with it: nothing is left that it could do by itself.
    pub fn ends_a_run(&self) -> bool {
        matches!(
            self,
            Self::AwaitSignUp
                | Self::AwaitConfirmation
                | Self::AwaitInvitation
                | Self::Wait(..)
                | Self::Blocked(_)
                | Self::Converged
        )
    }
}
