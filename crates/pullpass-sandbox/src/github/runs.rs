//! Workflows and their runs. Dispatching one makes a simulated runner build the repository.

use serde_json::{Value, json};

use super::{Call, Reply, body, message, minimal, not_found, pages, person_shown, unprocessable};
use crate::http::{Response, time};
use crate::world::build::{Build, BuildState, Ci};
use crate::world::github::{GhRepository, Run};
use crate::world::keys::digest;

/// The one workflow of every repository.
const FILE: &str = "ci.yml";

fn found<'c>(call: &'c Call<'_>, full: &str) -> Result<&'c GhRepository, Response> {
    call.world
        .github
        .repositories
        .get(full)
        .ok_or_else(not_found)
}

/// Whether this names the repository's workflow: by its number or its file.
fn is_workflow(repository: &GhRepository, workflow: &str) -> bool {
    workflow == FILE || workflow == repository.workflow.to_string()
}

pub(super) fn environments(call: &Call<'_>, full: &str) -> Reply {
    let repository = found(call, full)?;
    Ok(pages(
        call,
        "environments",
        &repository.environments,
        30,
        |(name, environment)| {
            json!({
                "id": environment.id,
                "node_id": format!("EN_{}", environment.id),
                "name": name,
                "url": format!("https://api.github.com/repos/{full}/environments/{name}"),
                "html_url": format!("https://github.com/{full}/deployments/activity_log?environments_filter={name}"),
                "created_at": time::seconds(environment.created),
                "updated_at": time::seconds(environment.created),
                "protection_rules": [],
                "deployment_branch_policy": null,
            })
        },
    ))
}

pub(super) fn workflows(call: &Call<'_>, full: &str) -> Reply {
    let repository = found(call, full)?;
    Ok(pages(call, "workflows", [repository], 30, |repository| {
        let id = repository.workflow;
        json!({
            "id": id,
            "node_id": format!("W_{id}"),
            "name": "ci",
            "path": format!(".github/workflows/{FILE}"),
            "state": "active",
            "created_at": time::seconds(repository.created),
            "updated_at": time::seconds(repository.created),
            "url": format!("https://api.github.com/repos/{full}/actions/workflows/{id}"),
            "html_url": format!("https://github.com/{full}/blob/main/.github/workflows/{FILE}"),
            "badge_url": format!("https://github.com/{full}/workflows/ci/badge.svg"),
        })
    }))
}

/// 204 and no word of which run it is.
pub(super) fn dispatch(call: &mut Call<'_>, full: &str, workflow: &str) -> Reply {
    if !is_workflow(found(call, full)?, workflow) {
        return Err(not_found());
    }
    let body = body(call)?;
    let branch = body["ref"]
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| unprocessable("ref", "ref is required"))?
        .trim_start_matches("refs/heads/")
        .to_owned();
    let project = call
        .world
        .project_of_repository(full)
        .ok_or_else(|| message(422, "The workflow has no workflow_dispatch trigger"))?;
    let now = call.place.now;
    let number = call
        .world
        .github
        .runs
        .iter()
        .filter(|run| run.repository == full)
        .count() as u64
        + 1;
    let run = Run {
        id: 9_000_000_000 + call.world.github.runs.len() as u64,
        number,
        repository: full.to_owned(),
        branch,
        event: "workflow_dispatch",
        build: call.world.start_build(&project, Ci::GitHub, now),
        actor: call.person.login.clone(),
        created: now,
    };
    call.world.github.runs.push(run);
    Ok(Response::empty(204))
}

fn status(build: Option<&Build>) -> (&'static str, Option<&'static str>) {
    match build.map(|b| &b.state) {
        Some(BuildState::Success) => ("completed", Some("success")),
        Some(BuildState::Failed(_)) => ("completed", Some("failure")),
        Some(BuildState::Running) | None => ("in_progress", None),
    }
}

fn sha(run: &Run) -> String {
    digest(run.id.to_string().as_bytes())
        .get(7..47)
        .unwrap_or_default()
        .to_owned()
}

fn shown(call: &Call<'_>, run: &Run) -> Value {
    let build = call.world.builds.all.get(run.build);
    let (state, conclusion) = status(build);
    let ended = build.and_then(|b| b.ended).unwrap_or(run.created);
    let full = run.repository.as_str();
    let url = format!(
        "https://api.github.com/repos/{full}/actions/runs/{}",
        run.id
    );
    let id = call
        .world
        .github
        .people
        .iter()
        .find(|p| p.login == run.actor)
        .map_or(0, |p| p.id);
    let repository = call.world.github.repositories.get(full);
    let workflow = repository.map_or(0, |r| r.workflow);
    let minimal = repository.map_or(Value::Null, |r| minimal(call, full, r));
    json!({
        "id": run.id,
        "name": "ci",
        "node_id": format!("WFR_{}", run.id),
        "check_suite_id": run.id + 1,
        "check_suite_node_id": format!("CS_{}", run.id + 1),
        "head_branch": run.branch,
        "head_sha": sha(run),
        "path": format!(".github/workflows/{FILE}"),
        "display_title": "ci",
        "run_number": run.number,
        "run_attempt": 1,
        "event": run.event,
        "status": state,
        "conclusion": conclusion,
        "workflow_id": workflow,
        "url": url,
        "html_url": format!("https://github.com/{full}/actions/runs/{}", run.id),
        "pull_requests": [],
        "created_at": time::seconds(run.created),
        "updated_at": time::seconds(ended),
        "run_started_at": time::seconds(run.created),
        "actor": person_shown(&run.actor, id),
        "triggering_actor": person_shown(&run.actor, id),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("https://api.github.com/repos/{full}/check-suites/{}", run.id + 1),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": format!("https://api.github.com/repos/{full}/actions/workflows/{workflow}"),
        "head_commit": {
            "id": sha(run),
            "tree_id": sha(run),
            "message": "Build",
            "timestamp": time::seconds(run.created),
            "author": {"name": run.actor, "email": format!("{}@users.noreply.github.com", run.actor)},
            "committer": {"name": "GitHub", "email": "noreply@github.com"},
        },
        "repository": minimal,
        "head_repository": minimal,
    })
}

pub(super) fn list(call: &Call<'_>, full: &str, workflow: Option<&str>) -> Reply {
    let repository = found(call, full)?;
    if workflow.is_some_and(|workflow| !is_workflow(repository, workflow)) {
        return Err(not_found());
    }
    let asked = |name: &str| call.request.query(name).filter(|text| !text.is_empty());
    let runs = call
        .world
        .github
        .runs
        .iter()
        .rev()
        .filter(|run| run.repository == full)
        .filter(|run| asked("event").is_none_or(|event| event == run.event))
        .filter(|run| asked("branch").is_none_or(|branch| branch == run.branch))
        .filter(|run| asked("actor").is_none_or(|actor| actor == run.actor));
    Ok(pages(call, "workflow_runs", runs, 30, |run| {
        shown(call, run)
    }))
}

fn run<'c>(call: &'c Call<'_>, full: &str, id: &str) -> Result<&'c Run, Response> {
    call.world
        .github
        .runs
        .iter()
        .find(|run| run.repository == full && run.id.to_string() == id)
        .ok_or_else(not_found)
}

pub(super) fn get(call: &Call<'_>, full: &str, id: &str) -> Reply {
    let run = run(call, full, id)?;
    Ok(Response::json(200, &shown(call, run)))
}

pub(super) fn jobs(call: &Call<'_>, full: &str, id: &str) -> Reply {
    let run = run(call, full, id)?;
    let build = call.world.builds.all.get(run.build);
    let (state, conclusion) = status(build);
    let url = format!(
        "https://api.github.com/repos/{full}/actions/jobs/{}",
        run.id + 2
    );
    Ok(pages(call, "jobs", [run], 30, |run| {
        json!({
            "id": run.id + 2,
            "run_id": run.id,
            "run_url": format!("https://api.github.com/repos/{full}/actions/runs/{}", run.id),
            "node_id": format!("CR_{}", run.id + 2),
            "head_sha": sha(run),
            "head_branch": run.branch,
            "workflow_name": "ci",
            "url": url,
            "html_url": format!("https://github.com/{full}/actions/runs/{}/job/{}", run.id, run.id + 2),
            "status": state,
            "conclusion": conclusion,
            "created_at": time::seconds(run.created),
            "started_at": time::seconds(run.created),
            "completed_at": build.and_then(|b| b.ended).map(time::seconds),
            "name": "build",
            "check_run_url": format!("https://api.github.com/repos/{full}/check-runs/{}", run.id + 2),
            "labels": ["ubuntu-latest"],
            "runner_id": 1,
            "runner_name": "sandbox",
            "runner_group_id": 1,
            "runner_group_name": "sandbox",
        })
    }))
}
