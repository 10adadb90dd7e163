//! Whether what was handed out still holds: checks that change nothing.

use futures_util::stream::{self, StreamExt as _};
use pullpass_connect::hub::{Owner, Role, SignIn};
use pullpass_connect::registry::Proof;
use pullpass_fleet::decide::{fate, overtaken};
use pullpass_fleet::desired::Identity;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{Fleet, HubSettings, Project, Wish};
use pullpass_fleet::label::Attempt;
use pullpass_fleet::observed::{Holding, Kept, Token};
use pullpass_fleet::step::{Blocked, Step, Why};
use pullpass_fleet::store::Store as _;
use secrecy::{ExposeSecret, SecretString};

use crate::drift::{self, Moved};
use crate::event::{Event, Status, Summary};
use crate::outside::Outside;
use crate::picture::{self, Picture};
use crate::strays::{UNNAMED_TARGET, not_in_file};
use crate::words;

/// Projects that are checked at the same time.
const AT_ONCE: usize = 8;

/// One thing that was checked.
struct Check {
    name: &'static str,
    status: Status,
    detail: String,
}

fn good(name: &'static str, detail: impl Into<String>) -> Check {
    Check {
        name,
        status: Status::Done,
        detail: detail.into(),
    }
}

fn bad(name: &'static str, detail: impl Into<String>) -> Check {
    Check {
        name,
        status: Status::Failed,
        detail: detail.into(),
    }
}

/// What a token is recognised by without being kept: two projects that hold the same one are found
/// in one run. The key is drawn anew each time, so the value says nothing to anybody.
pub type Fingerprint = u64;

/// How a project's checks ended.
struct Outcome {
    checks: Vec<Check>,
    fingerprint: Option<Fingerprint>,
    /// Why it could not be looked at.
    failed: Option<FailureKind>,
}

/// Checks every project. `limits` adds the head-room of every identity.
pub async fn verify(
    fleet: &Fleet,
    outside: &Outside,
    projects: &[&Project],
    limits: bool,
    watch: &dyn Fn(&Event),
) -> Summary {
    let keyed = std::hash::RandomState::new();
    let keyed = &keyed;
    let outcomes: Vec<(usize, &Project, Outcome)> = stream::iter(projects.iter().enumerate())
        .map(|(number, project)| async move {
            let mut outcome = Outcome {
                checks: Vec::new(),
                fingerprint: None,
                failed: None,
            };
            let checked = check(fleet, outside, project, limits, keyed, &mut outcome).await;
            if let Err(failure) = checked {
                outcome.failed = Some(failure.kind);
                outcome.checks.push(bad("look", failure.to_string()));
            }
            (number, *project, outcome)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut outcomes = outcomes;
    outcomes.sort_by_key(|(number, ..)| *number);

    let mut summary = Summary::default();
    for (number, project, outcome) in &outcomes {
        let shared = outcomes.iter().find(|(other, _, o)| {
            other != number && o.fingerprint.is_some() && o.fingerprint == outcome.fingerprint
        });
        let shared = outcome.fingerprint.map(|_| match shared {
            Some((_, other, _)) => bad(
                "not-shared",
                format!("its token is that of `{}` too: rotate both", other.name),
            ),
            None => good("not-shared", "no other project here has its token"),
        });
        let mut all_good = true;
        for check in outcome.checks.iter().chain(&shared) {
            all_good &= check.status != Status::Failed;
            watch(&Event {
                project: Some(project.name.clone()),
                step: check.name,
                status: check.status,
                detail: check.detail.clone(),
            });
        }
        summary.projects += 1;
        match (outcome.failed, all_good) {
            (Some(kind), _) => summary.failed_with(kind),
            (None, true) => {
                summary.converged += 1;
                let waits = |check: &Check| check.status == Status::Skipped;
                summary.waiting += usize::from(outcome.checks.iter().any(waits));
            }
            // What events call failed, the summary does too: a person has to act.
            (None, false) => {
                summary.failed += 1;
                summary.blocked += 1;
            }
        }
    }
    if projects.len() == fleet.projects.len() {
        for event in not_in_file(fleet, outside) {
            watch(&event);
        }
    }
    summary.calls = outside.calls();
    summary
}

async fn check(
    fleet: &Fleet,
    outside: &Outside,
    project: &Project,
    limits: bool,
    keyed: &std::hash::RandomState,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let hub = &fleet.hub;
    let picture = picture::take(outside, hub, project, None).await?;
    for target in picture.unnamed_targets(project) {
        outcome.checks.push(Check {
            name: UNNAMED_TARGET,
            status: Status::Skipped,
            detail: words::unnamed_target(&target, project),
        });
    }
    targets(project, &picture, &mut outcome.checks);
    if let Identity::Oidc { .. } = project.identity {
        return Ok(());
    }
    let checks = &mut outcome.checks;
    let Some(current) = picture.record.stored.current else {
        checks.push(bad(
            "stored",
            match project.identity {
                Identity::ServiceId { .. } => {
                    format!("no credential is stored: pullpass onboard {}", project.name)
                }
                _ => format!("no credential is stored: pullpass apply {}", project.name),
            },
        ));
        return Ok(());
    };
    if let Some(pending) = picture.record.stored.pending {
        checks.push(bad(
            "stored",
            format!(
                "token {} was begun and never finished: pullpass apply {}",
                pending.generation, project.name
            ),
        ));
    }
    let token = outside
        .store(project)?
        .token(&project.name, current.attempt)
        .await?;
    outcome.fingerprint = Some(fingerprint(keyed, &token));
    let user = project.user(hub);
    if token.expose_secret() == picture::PLACEHOLDER {
        checks.push(bad(
            "stored",
            format!("the store holds the placeholder `{}`", picture::PLACEHOLDER),
        ));
        return Ok(());
    }
    checks.push(good(
        "stored",
        format!(
            "token {} in the {} store",
            current.generation, project.store
        ),
    ));
    registry(outside, hub, project, &token, limits, checks).await?;
    let owner = match &project.identity {
        Identity::ServiceId { id, team } => {
            membership(outside, project, id.as_str(), team.as_str(), checks).await?;
            let account = outside.store(project)?.account(&project.name).await?;
            match outside.hub.sign_in(&account.id, &account.password).await? {
                SignIn::Ready => checks.push(good("signs-in", format!("as `{user}`"))),
                _ => {
                    checks.push(bad(
                        "signs-in",
                        format!("the stored password does not open `{user}`, so its token cannot be renewed: reset it in Docker's console to the stored one, which `pullpass onboard {} --show-password` prints", project.name),
                    ));
                    return Ok(());
                }
            }
            Owner::Account(account.id)
        }
        _ => Owner::Organization,
    };
    let all = match owner {
        Owner::Organization => outside.organization_tokens().await?.to_vec(),
        Owner::Account(_) => outside.hub.tokens(&owner).await?,
    };
    tokens(outside, project, &picture, current, &all, checks);
    let now = outside.now();
    let desired = project.desired(Wish::default(), now);
    if let Some(Blocked::Overtaken(generation, used)) =
        overtaken(&desired, &picture.observed, &all, now)
    {
        // What another run has made since the record was read is none of another store's.
        let stored = outside.store(project)?.look(&project.name).await?.stored;
        if stored == picture.record.stored {
            let said = words::overtaken(generation, used, project, &picture.observed);
            checks.push(bad("another-store", said));
        }
    }
    Ok(())
}

fn fingerprint(keyed: &std::hash::RandomState, token: &SecretString) -> Fingerprint {
    use std::hash::BuildHasher as _;
    keyed.hash_one(token.expose_secret())
}

/// Each target holds the current version.
fn targets(project: &Project, picture: &Picture, checks: &mut Vec<Check>) {
    let current = picture.record.stored.current.map(|kept| kept.attempt);
    for (target, holding) in &picture.observed.targets {
        let apply = format!("pullpass apply {}", project.name);
        checks.push(match holding {
            Holding::Version { attempt, since } if Some(*attempt) == current => {
                good("delivered", format!("{target}, since {since:.0}"))
            }
            Holding::Connection => good("delivered", format!("{target}: the id of the connection")),
            Holding::Version { .. } => bad(
                "delivered",
                format!("{target} holds another token than the store's current one: {apply}"),
            ),
            // That there is nothing to deliver is said once.
            Holding::Missing if current.is_none() => continue,
            Holding::Missing => bad("delivered", format!("{target} has no variables: {apply}")),
            Holding::Placeholder => bad(
                "delivered",
                format!(
                    "{target} still holds the placeholder `{}`: {apply}",
                    picture::PLACEHOLDER
                ),
            ),
            Holding::Other => bad(
                "delivered",
                format!("{target} was written by somebody else since: {apply}"),
            ),
        });
    }
}

async fn registry(
    outside: &Outside,
    hub: &HubSettings,
    project: &Project,
    token: &SecretString,
    limits: bool,
    checks: &mut Vec<Check>,
) -> Result<(), Failure> {
    let (user, project) = (project.user(hub), &project.name);
    match outside.registry.prove(&user, token, &hub.probe).await {
        Ok(Proof::Accepted {
            account,
            metered,
            may_push,
        }) => {
            let whose = account.map_or_else(String::new, |account| format!(" (account {account})"));
            checks.push(good("pulls", format!("as `{user}`{whose}")));
            checks.push(match may_push {
                false => good("only-pulls", "it may not push"),
                true => bad("only-pulls", "it may push: rotate it, and look who made it"),
            });
            if limits {
                checks.push(good(
                    "limits",
                    metered.map_or_else(
                        || "unmetered".to_owned(),
                        |m| {
                            let hours = m.window.as_secs() / 3600;
                            format!("{} of {} pulls left in {hours} h", m.remaining, m.limit)
                        },
                    ),
                ));
            }
        }
        Ok(Proof::Refused) => checks.push(bad(
            "pulls",
            format!("the registry refuses it: pullpass apply {project} mints another, if it was deactivated or deleted"),
        )),
        Err(failure) if failure.kind == FailureKind::Refused => {
            checks.push(bad("pulls", failure.to_string()));
        }
        Err(failure) => return Err(failure),
    }
    Ok(())
}

async fn membership(
    outside: &Outside,
    project: &Project,
    id: &str,
    team: &str,
    checks: &mut Vec<Check>,
) -> Result<(), Failure> {
    let who = async |moved| {
        let who = drift::who(outside, project, moved).await;
        who.map(|who| format!(" ({who})")).unwrap_or_default()
    };
    let members = outside.members().await?;
    let Some(member) = members.get(id) else {
        let who = who(Moved::Organization).await;
        checks.push(bad(
            "member",
            format!("`{id}` is not in the organisation{who}: pullpass apply invites it"),
        ));
        return Ok(());
    };
    checks.push(match &member.role {
        Role::Member => good("member", format!("`{id}` is a plain Member")),
        role => {
            let who = who(Moved::Role).await;
            bad(
                "member",
                format!("`{id}` is {role:?}, and should be a plain Member{who}: pullpass apply"),
            )
        }
    });
    let others = picture::other_teams(member, team);
    checks.push(match (member.teams.contains(team), others.is_empty()) {
        (true, true) => good("one-team", format!("in `{team}` alone")),
        (false, _) => {
            let who = who(Moved::Team).await;
            bad(
                "one-team",
                format!("`{id}` is not in `{team}`{who}: pullpass apply"),
            )
        }
        (true, false) => bad(
            "one-team",
            format!(
                "`{id}` is also in {}: take it out in Docker Hub's console",
                others.join(", ")
            ),
        ),
    });
    Ok(())
}

fn tokens(
    outside: &Outside,
    project: &Project,
    picture: &Picture,
    current: Kept,
    all: &[Token],
    checks: &mut Vec<Check>,
) {
    let now = outside.now();
    let desired = project.desired(Wish::default(), now);
    match all.iter().find(|token| token.id == current.token) {
        None => checks.push(bad(
            "alive",
            "Docker Hub does not list the current token: pullpass apply",
        )),
        Some(token) if !token.is_alive(now) => checks.push(bad(
            "alive",
            "the current token is deactivated or has ended: pullpass apply mints another",
        )),
        Some(token) => {
            let ends = token
                .expires_at
                .filter(|end| end.duration_since(now) <= desired.expiry_margin);
            let age = now.duration_since(current.minted_at).as_hours() / 24;
            // Before this command used it.
            let used = token.last_used;
            let used = used.map_or_else(String::new, |at| format!(", last used {at:.0}"));
            checks.push(
                match (ends, current.minted_at < desired.renew_minted_before) {
                    (Some(end), _) => bad("alive", format!("it ends at {end:.0}: pullpass rotate")),
                    (None, true) => bad("alive", format!("it is {age} days old: pullpass rotate")),
                    (None, false) => good("alive", format!("{age} days old{used}")),
                },
            );
        }
    }
    let is_known = |attempt: Attempt| picture.record.version(attempt).is_some();
    let ours = |token: &&Token| {
        token
            .label
            .as_ref()
            .is_some_and(|label| label.project == project.name)
    };
    let lost = all
        .iter()
        .filter(ours)
        .filter(|t| t.label.as_ref().is_some_and(|l| !is_known(l.attempt)))
        .filter(|t| t.is_alive(now));
    let (mut overdue, mut waiting) = (0, Vec::new());
    for token in lost {
        match fate(&desired, &picture.observed, token, now) {
            Some(Step::Wait(until, Why::BuildsInFlight | Why::AnotherOperator)) => {
                waiting.push(until);
            }
            _ => overdue += 1,
        }
    }
    let foreign = match project.identity {
        Identity::ServiceId { .. } => all
            .iter()
            .filter(|t| t.label.is_none() && t.is_alive(now))
            .count(),
        _ => 0,
    };
    checks.push(match (overdue, foreign, waiting.iter().max()) {
        (0, 0, None) => good("one-token", "no other token of it is alive"),
        (0, 0, Some(until)) => Check {
            name: "one-token",
            status: Status::Skipped,
            detail: format!(
                "{} older alive until {until:.0}, for builds that began with it: pullpass apply retires it then",
                waiting.len()
            ),
        },
        (0, foreign, _) => bad(
            "one-token",
            format!("{foreign} more alive, made outside of pullpass: delete what nobody needs in Docker Hub's console"),
        ),
        (overdue, ..) => bad(
            "one-token",
            format!("{overdue} older still alive, and their time has come: pullpass apply retires them, or says what still uses them"),
        ),
    });
}
