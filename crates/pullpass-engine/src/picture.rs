//! What one project is like: what was seen, and what this run has learnt.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use pullpass_connect::circleci::Masked;
use pullpass_connect::github::Scope;
use pullpass_connect::hub::{Member, Role};
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{HubSettings, Project, StoreKind};
use pullpass_fleet::observed::{Account, Holding, Learnt, Membership, Observed, Slots};
use pullpass_fleet::step::{Blocked, Step};
use pullpass_fleet::store::{Receipt, Record, Store as _, Tail};

use crate::outside::Outside;

/// The word that the runbook seeds a secret with.
pub const PLACEHOLDER: &str = "default";

/// The variable that `docker/login-action` reads the connection from.
/// <https://github.com/docker/login-action#docker-hub>
pub const CONNECTION: &str = "DOCKERHUB_OIDC_CONNECTIONID";

/// How far GitHub's time of a write may lie before the `Date` of its answer.
const BEFORE: SignedDuration = SignedDuration::from_secs(10);
/// … and after it, since both are cut to the second.
const AFTER: SignedDuration = SignedDuration::from_secs(1);

/// A project as it was seen.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What the store says.
    pub record: Record,
    /// What the decision is made on.
    pub observed: Observed,
    /// Teams that its Docker ID is in, beside its own.
    pub other_teams: Vec<String>,
    /// When it was taken.
    pub taken_at: Timestamp,
}

impl Picture {
    /// Targets that were delivered the current token, and that the file does not name. What an earlier one
    /// left anywhere is dead.
    pub(crate) fn unnamed_targets(&self, project: &Project) -> Vec<Target> {
        let current = self.record.stored.current.map(|kept| kept.attempt);
        let receipts = self.record.receipts.iter();
        receipts
            .filter(|(target, receipt)| {
                **target != Target::OlderTokens
                    && !project.targets.contains(target)
                    && Some(receipt.attempt) == current
            })
            .map(|(target, _)| target.clone())
            .collect()
    }

    /// What a person has to decide where a Docker ID is in more teams than its own.
    pub(crate) fn in_other_teams(&self) -> Option<Step> {
        let teams = &self.other_teams;
        (!teams.is_empty()).then(|| Step::Blocked(Blocked::OtherTeams(teams.clone())))
    }

    /// From when on there is something to do about the tokens before the current one, as the last run that
    /// listed them has noted; `None` where none has since it is the current one.
    pub(crate) fn older_are_due(&self) -> Option<Timestamp> {
        let current = self.record.stored.current?;
        let noted = receipt(&self.record, &Target::OlderTokens)?;
        (noted.attempt == current.attempt).then_some(noted.written_at)
    }
}

/// Takes a picture. `record` is given where the store has just shown it.
pub(crate) async fn take(
    outside: &Outside,
    hub: &HubSettings,
    project: &Project,
    record: Option<Record>,
) -> Result<Picture, Failure> {
    let taken_at = outside.now();
    let record = match (record, &project.identity) {
        (Some(record), _) => record,
        // A connection's id is no secret, and is kept nowhere; what is left of a token is a look into a file away.
        (None, Identity::Oidc { .. }) if project.store != StoreKind::File => Record::nothing(),
        (None, _) => outside.store(project)?.look(&project.name).await?,
    };
    if !matches!(project.identity, Identity::Oidc { .. })
        && let Some(failure) = outside.store(project)?.in_recovery(&project.name)
    {
        return Err(failure);
    }
    same_identity(project, &record)?;
    let mut targets = BTreeMap::new();
    for target in &project.targets {
        let holding = look_at_target(outside, hub, project, target, &record).await?;
        targets.insert(target.clone(), holding);
    }
    let (mut membership, mut other_teams) = (Membership::None, Vec::new());
    if let Identity::ServiceId { id, team } = &project.identity {
        // Without an account there is nobody who could be anywhere.
        if record.stored.account.is_some() {
            (membership, other_teams) = membership_of(outside, id.as_str(), team.as_str()).await?;
        }
    }
    let slots = match project.identity {
        Identity::OrganizationToken => Some(Slots {
            limit: hub.token_slots,
            used: 0,
        }),
        _ => None,
    };
    let observed = Observed {
        account: Account::Unseen,
        membership,
        stored: record.stored.clone(),
        targets,
        tokens: None,
        slots,
        learnt: Learnt::default(),
    };
    Ok(Picture {
        record,
        observed,
        other_teams,
        taken_at,
    })
}

/// What the store keeps is of the identity that the fleet file gives the project. Tokens of another one are
/// not in the list that is asked for: they would live on, and `revoke` would end none of them.
fn same_identity(project: &Project, record: &Record) -> Result<(), Failure> {
    let stored = &record.stored;
    let has_token = stored.current.is_some() || stored.pending.is_some();
    let of_organization = "a token of the organisation";
    let (given, kept, back) = match (&project.identity, &stored.account) {
        (Identity::ServiceId { id, .. }, Some(kept)) if kept != id => (
            format!("the Docker ID `{id}`"),
            format!("the password of `{kept}`"),
            format!("`docker_id = \"{kept}\"`"),
        ),
        (Identity::ServiceId { id, .. }, None) if has_token => (
            format!("the Docker ID `{id}`"),
            format!("{of_organization}, or lacks the password of that ID"),
            "`identity = \"organization-token\"`".to_owned(),
        ),
        (Identity::OrganizationToken, Some(kept)) => (
            of_organization.to_owned(),
            format!("the password of `{kept}`"),
            "`identity = \"service-id\"`".to_owned(),
        ),
        (Identity::Oidc { .. }, Some(kept)) => (
            "a connection".to_owned(),
            format!("the password of `{kept}`"),
            "`identity = \"service-id\"`".to_owned(),
        ),
        (Identity::Oidc { .. }, None) if has_token => (
            "a connection".to_owned(),
            of_organization.to_owned(),
            "`identity = \"organization-token\"`".to_owned(),
        ),
        _ => return Ok(()),
    };
    Err(Failure::new(
        FailureKind::Configuration,
        format!("work on `{}`", project.name),
        format!(
            "the fleet file gives it {given}, and the store keeps {kept}, whose tokens would live on"
        ),
        format!(
            "put {back} back; or, to begin anew, end what there is and take it out of the store first: \"Changing the identity\" in docs/config.md says how"
        ),
    ))
}

/// How somebody stands in the organisation, and in which other teams than this one.
pub(crate) async fn membership_of(
    outside: &Outside,
    id: &str,
    team: &str,
) -> Result<(Membership, Vec<String>), Failure> {
    if let Some(member) = outside.members().await?.get(id) {
        let membership = Membership::Member {
            plain: member.role == Role::Member,
            in_team: member.teams.contains(team),
        };
        return Ok((membership, other_teams(member, team)));
    }
    let membership = match outside.invited().await?.contains_key(id) {
        true => Membership::Invited,
        false => Membership::None,
    };
    Ok((membership, Vec::new()))
}

/// The teams of a member beside this one.
pub(crate) fn other_teams(member: &Member, team: &str) -> Vec<String> {
    // Whoever is an owner is in that team, and leaves it when made a plain Member.
    let by_role = |name: &str| member.role == Role::Owner && name == "owners";
    let others = member.teams.iter();
    let others = others.filter(|name| *name != team && !by_role(name));
    others.cloned().collect()
}

async fn look_at_target(
    outside: &Outside,
    hub: &HubSettings,
    project: &Project,
    target: &Target,
    record: &Record,
) -> Result<Holding, Failure> {
    if *target == Target::CircleCi {
        let (client, slug) = outside.circleci(project)?;
        let variables = client.variables(&slug).await?;
        let holding = at_circleci(hub, project, record, &variables);
        return Ok(holding);
    }
    let (client, repository) = outside.github(project)?;
    if let Identity::Oidc { connection } = &project.identity {
        let variables = client.variables(&repository, &scope_of(target)).await?;
        return Ok(match variables.get(CONNECTION) {
            Some(value) if value == connection => Holding::Connection,
            Some(_) => Holding::Other,
            None => Holding::Missing,
        });
    }
    let scope = scope_of(target);
    let secrets = client.secrets(&repository, &scope).await?;
    Ok(at_github(project, target, record, &secrets))
}

/// Whether a target is there for the operator's tokens.
///
/// # Errors
///
/// What the CI system says, where it is not.
pub async fn can_see(outside: &Outside, project: &Project, target: &Target) -> Result<(), Failure> {
    if *target == Target::CircleCi {
        let (client, slug) = outside.circleci(project)?;
        client.variables(&slug).await.map(drop)
    } else {
        let (client, repository) = outside.github(project)?;
        client
            .secrets(&repository, &scope_of(target))
            .await
            .map(drop)
    }
}

/// Where at GitHub a target is. CircleCI is not asked here.
pub(crate) fn scope_of(target: &Target) -> Scope {
    match target {
        Target::CircleCi | Target::GitHub | Target::OlderTokens => Scope::Actions,
        Target::GitHubDependabot => Scope::Dependabot,
        Target::GitHubEnvironment(name) => Scope::Environment(name.clone()),
    }
}

/// CircleCI shows the last four characters of each variable.
pub(crate) fn at_circleci(
    hub: &HubSettings,
    project: &Project,
    record: &Record,
    variables: &BTreeMap<String, Masked>,
) -> Holding {
    let shown = |name: &str| variables.get(name).map(|masked| shown_of(&masked.shown));
    let Some(token) = shown(&project.token_var) else {
        return Holding::Missing;
    };
    let user = project.user(hub);
    if shown(&project.user_var) != Some(Tail::of(&user).as_str()) {
        return match token == Tail::of(PLACEHOLDER).as_str() {
            true => Holding::Placeholder,
            false => Holding::Other,
        };
    }
    let version = record.tails.iter().find(|(attempt, tail)| {
        tail.as_str() == token
            && receipt(record, &Target::CircleCi).is_some_and(|r| r.attempt == **attempt)
    });
    match (version, receipt(record, &Target::CircleCi)) {
        (Some((attempt, _)), Some(receipt)) => Holding::Version {
            attempt: *attempt,
            since: receipt.written_at,
        },
        _ if token == Tail::of(PLACEHOLDER).as_str() => Holding::Placeholder,
        _ => Holding::Other,
    }
}

/// What CircleCI shows of a value, without the mask before it.
fn shown_of(masked: &str) -> &str {
    masked.strip_prefix("xxxx").unwrap_or(masked)
}

/// GitHub shows when each secret was written; a receipt says when we did.
pub(crate) fn at_github(
    project: &Project,
    target: &Target,
    record: &Record,
    secrets: &BTreeMap<String, Timestamp>,
) -> Holding {
    // GitHub keeps names in upper case.
    let written = |name: &str| secrets.get(&name.to_ascii_uppercase());
    let Some(token) = written(&project.token_var) else {
        return Holding::Missing;
    };
    let Some(receipt) = receipt(record, target) else {
        return Holding::Other;
    };
    let is_ours = |moment: Timestamp| {
        moment >= receipt.written_at - BEFORE && moment <= receipt.written_at + AFTER
    };
    // The name is written before the token, in the same run or in an earlier one.
    let user_is_ours =
        written(&project.user_var).is_some_and(|moment| *moment <= receipt.written_at + AFTER);
    match is_ours(*token) && user_is_ours && record.version(receipt.attempt).is_some() {
        true => Holding::Version {
            attempt: receipt.attempt,
            since: receipt.written_at,
        },
        false => Holding::Other,
    }
}

pub(crate) fn receipt(record: &Record, target: &Target) -> Option<Receipt> {
    record.receipts.get(target).copied()
}
