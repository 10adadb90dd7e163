//! What it would take to do what lies ahead: calls, and how long the systems' own limits make it.

use jiff::SignedDuration;
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::file::{Project, StoreKind};
use pullpass_fleet::observed::{Holding, Observed};
use pullpass_fleet::step::Step;

use crate::event::Calls;

/// Requests a minute that Docker Hub's `X-RateLimit-Limit` has been seen to allow; Docker publishes
/// no number. Its registry limits pulls, and not what is asked here.
const HUB_A_MINUTE: u64 = 180;
/// Requests that make content, a minute and an hour. CircleCI publishes no limit.
/// <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>
const GITHUB_A_MINUTE: u64 = 80;
const GITHUB_AN_HOUR: u64 = 500;
/// Writes a second, of a whole AWS account (AWS, "Secrets Manager quotas").
const AWS_A_SECOND: u64 = 50;

/// What a plan would ask of the systems, if all goes well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Estimate {
    /// Requests, about.
    pub calls: Calls,
    /// Of those, the ones that Docker Hub's API counts for one and the same.
    hub_api: u64,
    /// Of those at GitHub, the ones that make content.
    github_writes: u64,
    /// Of those at the store, the ones to AWS.
    aws: u64,
}

impl Estimate {
    /// Adds one step of a project.
    pub(crate) fn add(&mut self, step: &Step, project: &Project, observed: &Observed) {
        match step {
            Step::Invent => {
                self.hub(1);
                self.store(project, 1, 1);
            }
            Step::AwaitSignUp => self.calls.hub += 2,
            Step::Invite | Step::Demote | Step::JoinTeam => self.hub(1),
            Step::Mint(_) => {
                match project.identity {
                    // Signing in counts for whoever does it from here; what the account then asks,
                    // its list and the mint, counts for the account. Where there is no account yet,
                    // there will be nothing to list.
                    Identity::ServiceId { .. } => {
                        let stored = &observed.stored;
                        let is_first = stored.untouched || stored.account.is_none();
                        self.hub(1);
                        self.calls.hub += if is_first { 1 } else { 2 };
                        if is_first {
                            self.store(project, 1, 2);
                        }
                    }
                    // The organisation's list is one for all.
                    _ => self.hub(1),
                }
                // The proof: the token service.
                self.calls.hub += 1;
                self.store(project, 1, 2);
            }
            Step::Deliver(target, _) => self.deliver(target, observed),
            // The receipts go with it.
            Step::Promote(_) => self.store(project, 2, 4),
            Step::DropPending(_) | Step::Fence => self.store(project, 1, 2),
            Step::Deactivate(_) | Step::Delete(_) => self.hub(1),
            Step::WriteConnection(_) => self.github(0, 1),
            Step::LookAtAccount
            | Step::LookAtTokens
            | Step::Claim
            | Step::AwaitConfirmation
            | Step::AwaitInvitation
            | Step::Prove(_)
            | Step::Wait(..)
            | Step::Blocked(_)
            | Step::Converged => {}
        }
    }

    fn hub(&mut self, calls: u64) {
        self.calls.hub += calls;
        self.hub_api += calls;
    }

    fn deliver(&mut self, target: &Target, observed: &Observed) {
        let held = observed.targets.get(target);
        let is_renewal = matches!(held, Some(Holding::Version { .. }));
        let variables = if is_renewal { 1 } else { 2 };
        match target {
            Target::CircleCi => self.calls.circleci += variables,
            _ => self.github(1, variables),
        }
    }

    fn github(&mut self, reads: u64, writes: u64) {
        self.calls.github += reads + writes;
        self.github_writes += writes;
    }

    fn store(&mut self, project: &Project, elsewhere: u64, aws: u64) {
        let is_aws = project.store == StoreKind::Aws;
        self.calls.store += if is_aws { aws } else { elsewhere };
        self.aws += if is_aws { aws } else { 0 };
    }

    /// How long the systems' limits make it take at least; each lets as many through at once as in
    /// one of its windows.
    pub fn at_least(&self) -> SignedDuration {
        let full = |calls: u64, in_one: u64, window: i64| {
            let windows = calls.saturating_sub(1) / in_one;
            window.saturating_mul(i64::try_from(windows).unwrap_or(i64::MAX))
        };
        let seconds = [
            full(self.hub_api, HUB_A_MINUTE, 60),
            full(self.github_writes, GITHUB_A_MINUTE, 60),
            full(self.github_writes, GITHUB_AN_HOUR, 3600),
            full(self.aws, AWS_A_SECOND, 1),
        ];
        SignedDuration::from_secs(seconds.into_iter().max().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_decides() {
        let none = Estimate::default();
        assert_eq!(none.at_least(), SignedDuration::ZERO);
        let hub = Estimate {
            hub_api: 181,
            ..none
        };
        assert_eq!(hub.at_least(), SignedDuration::from_mins(1));
        let github = Estimate {
            github_writes: 500,
            ..hub
        };
        assert_eq!(github.at_least(), SignedDuration::from_mins(6));
        let github = Estimate {
            github_writes: 501,
            ..hub
        };
        assert_eq!(github.at_least(), SignedDuration::from_hours(1));
        let aws = Estimate { aws: 7_001, ..none };
        assert_eq!(aws.at_least(), SignedDuration::from_secs(140));
    }
}
