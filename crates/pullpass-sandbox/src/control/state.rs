//! What exists, without secrets: where two are the same, their fingerprints are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::time;
use crate::shared::{Shared, lock};
use crate::world::World;
use crate::world::account::{Account, valid_at};
use crate::world::build::{Build, BuildState};
use crate::world::github::Store;
use crate::world::organisation::Organisation;

/// The whole state.
pub(crate) fn shown(shared: &Shared) -> Value {
    let requests = lock(&shared.journal).counts();
    let faults = lock(&shared.faults).shown();
    shared.read(|world, now| {
        let viewer = Viewer { world, now };
        json!({
            "schema": "pullpass.sandbox.state/1",
            "now": time::micros(now),
            "users": world.accounts.iter().map(|(name, a)| viewer.account(name, a)).collect::<Vec<_>>(),
            "organizations": world.organisations.iter().map(|(name, o)| viewer.organisation(name, o)).collect::<Vec<_>>(),
            "circleci": viewer.circleci(),
            "github": viewer.github(),
            "pulls": {
                "by_identity": world.registry.pulls,
                "refused": world.registry.refused,
                "total": world.registry.pulls.values().sum::<u64>(),
            },
            "builds": {
                "total": world.builds.all.len(),
                "failed": world.builds.all.iter().filter(|b| matches!(b.state, BuildState::Failed(_))).count(),
                "running": world.builds.all.iter().filter(|b| b.state == BuildState::Running).count(),
            },
            "faults": faults,
            "requests": requests,
        })
    })
}

struct Viewer<'w> {
    world: &'w World,
    now: jiff::Timestamp,
}

impl Viewer<'_> {
    fn account(&self, name: &str, account: &Account) -> Value {
        let tokens: Vec<Value> = account
            .tokens
            .iter()
            .map(|t| {
                json!({
                    "uuid": t.uuid,
                    "label": t.label,
                    "scopes": t.scopes,
                    "is_active": t.active,
                    "live": valid_at(t.active, t.expires, self.now),
                    "created_at": time::micros(t.created),
                    "last_used": t.last_used.map(time::micros),
                    "expires_at": t.expires.map(time::micros),
                    "fingerprint": self.world.keys.fingerprint(t.secret.expose()),
                })
            })
            .collect();
        json!({
            "name": name,
            "uuid": account.uuid,
            "email": account.email,
            "confirmed": account.confirmed,
            "two_factor": account.second_factor,
            "plan": account.plan.name(),
            "tokens": tokens,
        })
    }

    fn organisation(&self, name: &str, organisation: &Organisation) -> Value {
        let members: Vec<Value> = organisation
            .members
            .iter()
            .map(|(name, member)| {
                json!({"name": name, "role": member.role.shown(), "teams": organisation.teams_of(name)})
            })
            .collect();
        let invitations: Vec<Value> = organisation
            .invitations
            .iter()
            .map(|i| {
                json!({"id": i.id, "invitee": i.invitee, "team": i.team, "role": i.role.shown()})
            })
            .collect();
        let tokens: Vec<Value> = organisation
            .tokens
            .iter()
            .map(|t| {
                json!({
                    "id": t.id,
                    "label": t.label,
                    "is_active": t.active,
                    "live": valid_at(t.active, t.expires, self.now),
                    "fingerprint": self.world.keys.fingerprint(t.secret.expose()),
                })
            })
            .collect();
        json!({
            "name": name,
            "plan": organisation.plan.name(),
            "sso": organisation.sso,
            "teams": organisation.groups.keys().collect::<Vec<_>>(),
            "members": members,
            "invitations": invitations,
            "tokens": tokens,
            "token_slots": organisation.token_slots(),
        })
    }

    fn store(&self, store: &Store) -> Value {
        let variables = store.iter().map(|(name, variable)| {
            let value = json!({
                "fingerprint": self.world.keys.fingerprint(variable.value.expose()),
                "created_at": time::micros(variable.created),
                "updated_at": time::micros(variable.updated),
            });
            (name.clone(), value)
        });
        Value::Object(variables.collect())
    }

    fn circleci(&self) -> Value {
        let projects: Vec<Value> = self
            .world
            .circleci
            .projects
            .iter()
            .map(|(slug, project)| {
                json!({
                    "slug": slug,
                    "id": project.id,
                    "followed": project.followed,
                    "contexts": project.contexts,
                    "variables": self.store(&project.variables),
                })
            })
            .collect();
        let contexts: Vec<Value> = self
            .world
            .circleci
            .contexts
            .iter()
            .map(|c| json!({"id": c.id, "name": c.name, "variables": self.store(&c.variables)}))
            .collect();
        json!({"projects": projects, "contexts": contexts})
    }

    fn github(&self) -> Value {
        let github = &self.world.github;
        let repositories: Vec<Value> = github
            .repositories
            .iter()
            .map(|(name, repository)| {
                let environments = repository.environments.iter().map(|(name, environment)| {
                    let stores = json!({
                        "secrets": self.store(&environment.secrets),
                        "variables": self.store(&environment.variables),
                    });
                    (name.clone(), stores)
                });
                json!({
                    "name": name,
                    "secrets": self.store(&repository.secrets),
                    "dependabot": self.store(&repository.dependabot),
                    "variables": self.store(&repository.variables),
                    "environments": Value::Object(environments.collect()),
                })
            })
            .collect();
        let organizations: Vec<Value> = github
            .organisations
            .iter()
            .map(|(name, organisation)| {
                json!({
                    "name": name,
                    "secrets": self.store(&organisation.secrets),
                    "dependabot": self.store(&organisation.dependabot),
                    "variables": self.store(&organisation.variables),
                })
            })
            .collect();
        json!({"repositories": repositories, "organizations": organizations})
    }
}

fn build(number: usize, build: &Build) -> Value {
    let (state, why) = match &build.state {
        BuildState::Running => ("running", None),
        BuildState::Success => ("success", None),
        BuildState::Failed(why) => ("failed", Some(why)),
    };
    let pulls: Vec<Value> = build
        .pulls
        .iter()
        .map(|p| {
            json!({"image": p.image, "identity": p.identity, "source": p.source, "status": p.status})
        })
        .collect();
    json!({
        "number": number,
        "project": build.project,
        "ci": build.ci.name(),
        "state": state,
        "why": why,
        "started_at": time::micros(build.started),
        "ended_at": build.ended.map(time::micros),
        "pulls": pulls,
    })
}

/// Every build.
pub(crate) fn builds(world: &World) -> Value {
    let all = world.builds.all.iter().enumerate();
    json!({"builds": all.map(|(number, b)| build(number, b)).collect::<Vec<_>>()})
}

/// What came of these builds.
pub(crate) fn outcome(world: &World, numbers: &[usize]) -> Value {
    let these: Vec<(usize, &Build)> = numbers
        .iter()
        .filter_map(|number| Some((*number, world.builds.all.get(*number)?)))
        .collect();
    let failed = these
        .iter()
        .filter(|(_, b)| matches!(b.state, BuildState::Failed(_)))
        .count();
    let mut identities: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, build) in &these {
        for pull in build.pulls.iter().filter(|pull| pull.status == 200) {
            *identities.entry(&pull.identity).or_default() += 1;
        }
    }
    json!({
        "total": these.len(),
        "failed": failed,
        "pulls_by_identity": identities,
        "builds": these.iter().map(|(number, b)| build(*number, b)).collect::<Vec<_>>(),
    })
}
