//! Who may pull what, and what of it counts.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::account::SCOPES;
use super::image::Repository;
use super::organisation::Role;
use super::session::{By, Session};

/// Six hours.
const WINDOW: i64 = 6 * 3600;

#[derive(Clone, Default)]
pub(crate) struct Registry {
    /// By name. Shared between clones of the world: only the few fields that change are copied.
    pub(crate) repositories: BTreeMap<String, Arc<Repository>>,
    /// When who pulled, in the window that is limited, by source.
    recent: BTreeMap<String, VecDeque<Timestamp>>,
    /// Pulls ever, by who made them.
    pub(crate) pulls: BTreeMap<String, u64>,
    /// Pulls ever refused for the limit.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// Who pulls, as the registry's access token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Puller {
    Anonymous,
    /// A Docker ID or an organisation.
    Named(String),
}

impl Puller {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Named(name) => name,
        }
    }
}

/// How a pull is metered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meter {
    /// What `docker-ratelimit-source` says: an address, or the id of an account.
    pub(crate) source: String,
    /// How many pulls in how many seconds; unmetered when absent.
    pub(crate) limit: Option<(usize, i64)>,
}

impl World {
    /// How pulls of this puller are metered.
    pub(crate) fn meter(&self, puller: &Puller, from: IpAddr) -> Meter {
        let Puller::Named(name) = puller else {
            return Meter {
                source: source_of(from),
                limit: Some((100, WINDOW)),
            };
        };
        let (uuid, own_plan) = self
            .accounts
            .get(name)
            .map(|a| (a.uuid.as_str(), a.plan))
            .or_else(|| {
                self.organisations
                    .get(name)
                    .map(|o| (o.uuid.as_str(), o.plan))
            })
            .unwrap_or((name, super::account::Plan::Personal));
        // A seat in a paying organisation pays for its member.
        let seated = self
            .organisations
            .values()
            .any(|o| o.plan.is_paid() && o.members.contains_key(name));
        Meter {
            source: uuid.to_owned(),
            limit: (!own_plan.is_paid() && !seated).then_some((200, WINDOW)),
        }
    }

    /// What of its limit a source has left.
    pub(crate) fn remaining(&mut self, meter: &Meter, now: Timestamp) -> Option<usize> {
        let (limit, window) = meter.limit?;
        let recent = self
            .registry
            .recent
            .entry(meter.source.clone())
            .or_default();
        while recent
            .front()
            .is_some_and(|at| now.as_second() - at.as_second() >= window)
        {
            recent.pop_front();
        }
        Some(limit.saturating_sub(recent.len()))
    }

    /// One pull happens.
    pub(crate) fn count_pull(&mut self, puller: &Puller, meter: &Meter, now: Timestamp) {
        if meter.limit.is_some() {
            self.registry
                .recent
                .entry(meter.source.clone())
                .or_default()
                .push_back(now);
        }
        *self
            .registry
            .pulls
            .entry(puller.name().to_owned())
            .or_default() += 1;
    }

    /// What a session, or nobody, may do with a repository: none, `pull`, `pull` and `push`.
    pub(crate) fn access(&self, session: Option<&Session>, repository: &str) -> Vec<&'static str> {
        let namespace = repository.split('/').next().unwrap_or_default();
        // One that does not exist looks like one that is private, but to whoever may make it: a
        // push into the own namespace does.
        let found = self.registry.repositories.get(repository);
        let private = found.is_none_or(|found| found.private);
        let Some(session) = session else {
            return if private { vec![] } else { vec!["pull"] };
        };
        match (&session.by, found) {
            (By::Oat(id), Some(_)) => self.access_of_oat(session, id, repository, private),
            (By::Oat(_), None) => Vec::new(),
            (By::Pat(uuid), found) => {
                let pat = self
                    .accounts
                    .get(&session.name)
                    .and_then(|a| a.tokens.iter().find(|t| t.uuid == *uuid));
                let Some(pat) = pat else {
                    return Vec::new();
                };
                let most = SCOPES
                    .iter()
                    .position(|scope| pat.scopes.iter().any(|s| s == scope))
                    .unwrap_or(SCOPES.len());
                let own = self.access_of_account(&session.name, namespace, found);
                own.into_iter()
                    .filter(|action| match (*action, private) {
                        ("push", _) => most <= 1,
                        (_, true) => most <= 2,
                        _ => most <= 3,
                    })
                    .collect()
            }
            (By::Password, found) => self.access_of_account(&session.name, namespace, found),
        }
    }

    fn access_of_account(
        &self,
        name: &str,
        namespace: &str,
        repository: Option<&Arc<Repository>>,
    ) -> Vec<&'static str> {
        if name == namespace {
            return vec!["pull", "push"];
        }
        let Some(repository) = repository else {
            return Vec::new();
        };
        let role = self
            .organisations
            .get(namespace)
            .and_then(|o| o.members.get(name).map(|m| (o, m.role)));
        match role {
            Some((_, Role::Owner | Role::Editor)) => vec!["pull", "push"],
            Some((organisation, Role::Member)) => {
                let teams = organisation.teams_of(name);
                let granted = repository
                    .teams
                    .iter()
                    .filter(|(team, _)| teams.contains(&team.as_str()));
                let write = granted.clone().any(|(_, permission)| *permission != "read");
                if write {
                    vec!["pull", "push"]
                } else if !repository.private || granted.count() > 0 {
                    vec!["pull"]
                } else {
                    vec![]
                }
            }
            None if repository.private => vec![],
            None => vec!["pull"],
        }
    }

    fn access_of_oat(
        &self,
        session: &Session,
        id: &str,
        repository: &str,
        private: bool,
    ) -> Vec<&'static str> {
        let token = self
            .organisations
            .get(&session.name)
            .and_then(|o| o.tokens.iter().find(|t| t.id == id));
        let Some(token) = token else {
            return Vec::new();
        };
        let of_organisation = repository
            .strip_prefix(session.name.as_str())
            .is_some_and(|rest| rest.starts_with('/'));
        let reaches = |path: &str| match path {
            "*/*/public" => !private,
            _ if path == format!("{}/*", session.name) => of_organisation,
            _ => path == repository && of_organisation,
        };
        let may = |scope: &str| {
            token.resources.iter().any(|r| {
                r.kind == "TYPE_REPO" && reaches(&r.path) && r.scopes.iter().any(|s| s == scope)
            })
        };
        [("pull", "scope-image-pull"), ("push", "scope-image-push")]
            .into_iter()
            .filter(|(_, scope)| may(scope))
            .map(|(action, _)| action)
            .collect()
    }
}

/// What an address is metered as: an IPv4 address, or an IPv6 network of 64 bits.
fn source_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let s = v6.segments();
            format!("{:x}:{:x}:{:x}:{:x}::", s[0], s[1], s[2], s[3])
        }
    }
}
