//! What one project's credential should be.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::name::{DockerId, ProjectName, Team};

/// Who a project pulls as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// A Docker ID of its own, a plain Member of one team, and a personal access token that may
    /// pull and no more. Personal access tokens cannot be limited to a repository, so one ID
    /// serves one project.
    ServiceId {
        /// What the ID is to be called; the store's record goes before it once one is kept.
        id: DockerId,
        /// The one team that it belongs to.
        team: Team,
    },
    /// An access token of the organisation, limited to pulling. Slots are few: 10 or 100.
    OrganizationToken,
    /// GitHub's own identity, no stored secret: the connection's id is a plain variable.
    Oidc {
        /// The id of the connection, made in Docker Hub's console.
        connection: String,
    },
}

/// A place that hands a credential to builds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// The variables of a CircleCI project.
    CircleCi,
    /// The secrets of a GitHub repository.
    GitHub,
    /// The secrets that Dependabot's runs see.
    GitHubDependabot,
    /// The secrets of one environment of a GitHub repository.
    GitHubEnvironment(String),
    /// No place that builds read, and never one of a project's: under it a record notes from when on
    /// there is something to do about the tokens before the current one.
    OlderTokens,
}

/// What [`Target::OlderTokens`] is noted as.
const OLDER_TOKENS: &str = "older-tokens";

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CircleCi => f.write_str("circleci"),
            Self::GitHub => f.write_str("github"),
            Self::GitHubDependabot => f.write_str("github:dependabot"),
            Self::GitHubEnvironment(name) => write!(f, "github:environment:{name}"),
            Self::OlderTokens => f.write_str(OLDER_TOKENS),
        }
    }
}

impl Target {
    /// Reads what the fleet file writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "circleci" => Some(Self::CircleCi),
            "github" => Some(Self::GitHub),
            "github:dependabot" => Some(Self::GitHubDependabot),
            other => {
                let name = other.strip_prefix("github:environment:")?;
                (!name.is_empty()).then(|| Self::GitHubEnvironment(name.to_owned()))
            }
        }
    }

    /// Reads what a record notes: a target, or what is left of older tokens.
    pub fn noted(text: &str) -> Option<Self> {
        match text {
            OLDER_TOKENS => Some(Self::OlderTokens),
            other => Self::parse(other),
        }
    }
}

/// A credential that may be in the wrong hands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leak {
    /// Every token minted before this moment is suspect.
    pub minted_before: Timestamp,
    /// Whether builds go on with the suspect credential until they have the new one. Without it
    /// the harm is stopped first, and builds fail until the new one is delivered.
    pub keep_builds_running: bool,
}

/// What one project's credential should be, now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Desired {
    /// Whose it is.
    pub project: ProjectName,
    /// Who the project pulls as.
    pub identity: Identity,
    /// Where builds get it from.
    pub targets: BTreeSet<Target>,
    /// Whether somebody else brings the store's current version to the targets (Terraform does), so
    /// that it is made the current one before any target holds it.
    pub from_store: bool,
    /// A credential minted before this moment is due to be renewed: the present less the age that
    /// the fleet file allows, or the moment at which somebody asked for a rotation.
    pub renew_minted_before: Timestamp,
    /// A token that ends by itself within this time is due too.
    pub expiry_margin: SignedDuration,
    /// How long the old token stays alive after the new one is promoted: longer than the longest
    /// build, which may have begun with the old one.
    pub grace: SignedDuration,
    /// How long a deactivated token is kept before it is deleted. Deactivation can be undone.
    ///
    /// An old token that something other than a build of ours goes on using is deactivated when it
    /// was not used for so long.
    pub settle: SignedDuration,
    /// How long a token that the store does not name is left to whoever may have minted it.
    pub patience: SignedDuration,
    /// Whether tokens are listed even where store and targets say that all is well, so that one
    /// that nobody holds is found. `plan` does without: it would have to read every password.
    pub thorough: bool,
    /// A leak that is being answered.
    pub leak: Option<Leak>,
}

impl Desired {
    /// Whether a token minted at that moment must not be used any longer than can be helped.
    pub(crate) fn suspects(&self, minted_at: Timestamp) -> bool {
        self.leak.is_some_and(|leak| minted_at < leak.minted_before)
    }

    /// The time between the promotion of a token and the end of the one before it.
    pub(crate) fn grace_of(&self, minted_at: Timestamp) -> SignedDuration {
        match self.suspects(minted_at) {
            true => SignedDuration::ZERO,
            false => self.grace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_back() {
        for target in [
            Target::CircleCi,
            Target::GitHub,
            Target::GitHubDependabot,
            Target::GitHubEnvironment("production".into()),
        ] {
            assert_eq!(Target::parse(&target.to_string()), Some(target));
        }
        let older = Target::OlderTokens;
        assert_eq!(Target::noted(&older.to_string()), Some(older.clone()));
        let wrong = ["", "gitlab", "github:", "github:environment:"];
        for wrong in wrong.into_iter().chain([older.to_string().as_str()]) {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }
}
