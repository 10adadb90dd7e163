//! Everything that is spoken to, and the time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::Timestamp;
use pullpass_connect::circleci::{CircleCi, Slug};
use pullpass_connect::github::{GitHub, Repository};
use pullpass_connect::http::Clock;
use pullpass_connect::hub::{Hub, Invitation, Member, Owner};
use pullpass_connect::registry::Registry;
use pullpass_connect::store::AnyStore;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{Fleet, Project, StoreKind};
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::observed::Token;
use tokio::sync::Mutex;

use crate::event::Calls;

/// Everything that is spoken to.
pub struct Outside {
    /// Docker Hub.
    pub hub: Hub,
    /// Its registry.
    pub registry: Registry,
    /// CircleCI, where the operator has a token for it.
    pub circleci: Option<CircleCi>,
    /// GitHub, likewise.
    pub github: Option<GitHub>,
    /// The stores that the fleet uses.
    pub stores: BTreeMap<StoreKind, AnyStore>,
    /// The time.
    pub clock: Rc<dyn Clock>,
    /// What is the same for every project, looked up once.
    pub shared: Shared,
}

/// What one look shows of every project at once.
#[derive(Default)]
pub struct Shared {
    members: Mutex<Option<Rc<Members>>>,
    invited: Mutex<Option<Rc<Invited>>>,
    /// The organisation's tokens, and when they were listed.
    tokens: Mutex<Option<(Timestamp, Rc<Vec<Token>>)>>,
    /// Deactivated, deleted or lost since by this run.
    changed: Cell<bool>,
    room: Room,
    pub(crate) pipelines: crate::pipeline::Pipelines,
}

/// Members by their Docker ID.
pub type Members = BTreeMap<String, Member>;
/// Open invitations by whom they are for.
pub type Invited = BTreeMap<String, Invitation>;

/// How many tokens the organisation has, as far as a run of many projects knows: each of them
/// decides on a list that is older than the others' minting.
#[derive(Default)]
struct Room {
    /// As many were listed.
    listed: Cell<u32>,
    /// Mints that were begun, and those of them that had ended when that list was asked for.
    begun: Cell<u32>,
    ended: Cell<u32>,
    ended_before: Cell<u32>,
    /// The same of those that renew: each makes an old token of the one before it.
    renewals_begun: Cell<u32>,
    renewals_ended: Cell<u32>,
    renewals_ended_before: Cell<u32>,
}

/// How long the list of the organisation's tokens is good for, in seconds: it is one list for all
/// projects, and every one of them would have it read again.
const TOKENS_ARE_FRESH: i64 = 30;

impl Outside {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Requests made so far.
    pub fn calls(&self) -> Calls {
        use pullpass_fleet::store::Store as _;
        Calls {
            hub: self.hub.calls() + self.registry.calls(),
            circleci: self.circleci.as_ref().map_or(0, CircleCi::calls),
            github: self.github.as_ref().map_or(0, GitHub::calls),
            store: self.stores.values().map(|store| store.calls()).sum(),
        }
    }

    pub(crate) fn store(&self, project: &Project) -> Result<&AnyStore, Failure> {
        self.stores.get(&project.store).ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                format!("open the store of `{}`", project.name),
                format!("there is no store `{}`", project.store),
                "see `[store]` of the fleet file",
            )
        })
    }

    pub(crate) fn circleci(&self, project: &Project) -> Result<(&CircleCi, Slug), Failure> {
        let doing = format!("reach the CircleCI project of `{}`", project.name);
        let client = self.circleci.as_ref().ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                doing.clone(),
                "no token for CircleCI is given",
                "set `CIRCLECI_TOKEN` to a personal API token of somebody who may change the project's variables, or keep it with `pullpass credentials set CIRCLECI_TOKEN`",
            )
        })?;
        let slug = Slug::parse(project.circleci.as_deref().unwrap_or_default()).map_err(|e| {
            Failure::new(
                FailureKind::Configuration,
                doing,
                e.to_string(),
                "set `circleci` of the project in the fleet file",
            )
        })?;
        Ok((client, slug))
    }

    pub(crate) fn github(&self, project: &Project) -> Result<(&GitHub, Repository), Failure> {
        let doing = format!("reach the GitHub repository of `{}`", project.name);
        let client = self.github.as_ref().ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                doing.clone(),
                "no token for GitHub is given",
                "set `GITHUB_TOKEN` or `GH_TOKEN` to a token that may write the repository's secrets, or keep it with `pullpass credentials set GITHUB_TOKEN`",
            )
        })?;
        let repository =
            Repository::parse(project.github.as_deref().unwrap_or_default()).map_err(|e| {
                Failure::new(
                    FailureKind::Configuration,
                    doing,
                    e.to_string(),
                    "set `github` of the project in the fleet file",
                )
            })?;
        Ok((client, repository))
    }

    /// Who is in the organisation: one call, for all projects.
    pub(crate) async fn members(&self) -> Result<Rc<Members>, Failure> {
        let mut known = self.shared.members.lock().await;
        if let Some(known) = &*known {
            return Ok(Rc::clone(known));
        }
        let members = self.hub.members().await?;
        let members: Members = members.into_iter().map(|m| (m.id.clone(), m)).collect();
        Ok(Rc::clone(known.insert(Rc::new(members))))
    }

    /// Who is invited: one call, for all projects, and only where somebody is no member.
    pub(crate) async fn invited(&self) -> Result<Rc<Invited>, Failure> {
        let mut known = self.shared.invited.lock().await;
        if let Some(known) = &*known {
            return Ok(Rc::clone(known));
        }
        let invited = self.hub.invitations().await?;
        let invited: Invited = invited
            .into_iter()
            .map(|i| (i.invitee.clone(), i))
            .collect();
        Ok(Rc::clone(known.insert(Rc::new(invited))))
    }

    /// Forgets who is in the organisation: somebody may have come.
    pub async fn forget_people(&self) {
        *self.shared.members.lock().await = None;
        *self.shared.invited.lock().await = None;
    }

    /// The organisation's tokens, read again when they are old or were changed by this run. What it
    /// has minted need not be in the list: whoever minted it knows.
    pub(crate) async fn organization_tokens(&self) -> Result<Rc<Vec<Token>>, Failure> {
        let mut known = self.shared.tokens.lock().await;
        if let Some((at, tokens)) = &*known
            && !self.shared.changed.replace(false)
            && self.now().as_second() - at.as_second() <= TOKENS_ARE_FRESH
        {
            return Ok(Rc::clone(tokens));
        }
        let room = &self.shared.room;
        let (at, ended) = (self.now(), room.ended.get());
        let renewals_ended = room.renewals_ended.get();
        let tokens = Rc::new(self.hub.tokens(&Owner::Organization).await?);
        room.ended_before.set(ended);
        room.renewals_ended_before.set(renewals_ended);
        room.listed
            .set(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
        *known = Some((at, Rc::clone(&tokens)));
        Ok(tokens)
    }

    /// Makes the next one who asks for the organisation's tokens read them again.
    pub(crate) fn forget_tokens(&self) {
        self.shared.changed.set(true);
    }

    /// How many tokens the organisation has: those listed, and those that this run has begun to
    /// mint since.
    pub(crate) fn slots_used(&self) -> u32 {
        let room = &self.shared.room;
        let since = room.begun.get().saturating_sub(room.ended_before.get());
        room.listed.get().saturating_add(since)
    }

    pub(crate) fn slot_is_free(&self) {
        let listed = &self.shared.room.listed;
        listed.set(listed.get().saturating_sub(1));
    }

    /// How many of the organisation's tokens are old ones of these projects: each has one that is newer.
    pub(crate) async fn old_tokens(&self, fleet: &Fleet) -> Result<u32, Failure> {
        let tokens = self.organization_tokens().await?;
        let labels = tokens.iter().filter_map(|token| token.label.as_ref());
        let is_ours = |name: &ProjectName| fleet.projects.iter().any(|p| p.name == *name);
        let ours: Vec<&ProjectName> = labels
            .map(|label| &label.project)
            .filter(|name| is_ours(name))
            .collect();
        let projects: BTreeSet<&ProjectName> = ours.iter().copied().collect();
        let listed = u32::try_from(ours.len() - projects.len()).unwrap_or(u32::MAX);
        let room = &self.shared.room;
        let since = room.renewals_begun.get();
        let since = since.saturating_sub(room.renewals_ended_before.get());
        Ok(listed.saturating_add(since))
    }

    pub(crate) fn mint_begins(&self, renews: bool) {
        let room = &self.shared.room;
        room.begun.set(room.begun.get().saturating_add(1));
        let renewals = room.renewals_begun.get();
        room.renewals_begun
            .set(renewals.saturating_add(renews.into()));
    }

    pub(crate) fn mint_ends(&self, renews: bool) {
        let room = &self.shared.room;
        room.ended.set(room.ended.get().saturating_add(1));
        let renewals = room.renewals_ended.get();
        room.renewals_ended
            .set(renewals.saturating_add(renews.into()));
    }
}
