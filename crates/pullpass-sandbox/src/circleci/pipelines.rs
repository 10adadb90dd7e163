//! Pipelines. Triggering one makes a simulated runner build the project.

use serde_json::{Value, json};

use super::{Call, Reply, body, message, not_found, pages};
use crate::http::{Response, time};
use crate::world::build::{Build, BuildState, Ci};
use crate::world::circleci::Pipeline;

/// `POST /project/{slug}/pipeline`, which projects of the GitHub App do not have.
pub(super) fn trigger(call: &mut Call<'_>, slug: &str) -> Reply {
    if slug.starts_with("circleci/") {
        return Err(message(
            400,
            "This endpoint is not available to projects that use the GitHub App: use pipeline/run.",
        ));
    }
    let body = if call.request.body.is_empty() {
        Value::Null
    } else {
        body(call)?
    };
    let branch = body["branch"].as_str().unwrap_or("main").to_owned();
    start(call, slug, branch)
}

/// `POST /project/{slug}/pipeline/run`.
pub(super) fn run(call: &mut Call<'_>, slug: &str) -> Reply {
    let body = body(call)?;
    let known = call
        .world
        .circleci
        .projects
        .get(slug)
        .is_some_and(|p| body["definition_id"] == p.definition.as_str());
    if !known {
        return Err(message(
            400,
            "definition_id names no pipeline definition of the project.",
        ));
    }
    let branch = body["checkout"]["branch"]
        .as_str()
        .or_else(|| body["config"]["branch"].as_str())
        .unwrap_or("main")
        .to_owned();
    start(call, slug, branch)
}

fn start(call: &mut Call<'_>, slug: &str, branch: String) -> Reply {
    let followed = call
        .world
        .circleci
        .projects
        .get(slug)
        .is_some_and(|p| p.followed);
    let project = call.world.project_of_slug(slug).filter(|_| followed);
    let project = project.ok_or_else(|| not_found("Project"))?;
    let now = call.place.now;
    let number = call
        .world
        .circleci
        .pipelines
        .iter()
        .filter(|p| p.slug == slug)
        .count() as u64
        + 1;
    let pipeline = Pipeline {
        id: call.world.dice.uuid(),
        number,
        slug: slug.to_owned(),
        branch,
        workflow: call.world.dice.uuid(),
        job: call.world.dice.uuid(),
        build: call.world.start_build(&project, Ci::CircleCi, now),
        actor: call.person.id.clone(),
        created: now,
    };
    let shown = json!({
        "id": pipeline.id,
        "state": "pending",
        "number": number,
        "created_at": time::millis(now),
    });
    call.world.circleci.pipelines.push(pipeline);
    Ok(Response::json(201, &shown))
}

fn shown(call: &Call<'_>, pipeline: &Pipeline) -> Value {
    let login = call
        .world
        .circleci
        .people
        .iter()
        .find(|p| p.id == pipeline.actor)
        .map_or("", |p| p.login.as_str());
    let name = pipeline.slug.rsplit('/').next().unwrap_or_default();
    let url = format!(
        "https://github.com/{}/{name}",
        call.world.circleci.organisation
    );
    json!({
        "id": pipeline.id,
        "errors": [],
        "project_slug": pipeline.slug,
        "updated_at": time::millis(pipeline.created),
        "number": pipeline.number,
        "state": "created",
        "created_at": time::millis(pipeline.created),
        "trigger": {
            "type": "api",
            "received_at": time::millis(pipeline.created),
            "actor": {"login": login, "avatar_url": ""},
        },
        "vcs": {
            "provider_name": "GitHub",
            "origin_repository_url": url,
            "target_repository_url": url,
            "revision": crate::world::keys::digest(pipeline.id.as_bytes()).get(7..47),
            "branch": pipeline.branch,
        },
    })
}

pub(super) fn list(call: &Call<'_>, slug: &str) -> Reply {
    let branch = call.request.query("branch").filter(|b| !b.is_empty());
    let pipelines = call
        .world
        .circleci
        .pipelines
        .iter()
        .rev()
        .filter(|p| p.slug == slug && branch.is_none_or(|branch| branch == p.branch));
    pages(call, pipelines, |pipeline| shown(call, pipeline))
}

pub(super) fn get(call: &Call<'_>, id: &str) -> Reply {
    let pipeline = call
        .world
        .circleci
        .pipelines
        .iter()
        .find(|p| p.id == id)
        .ok_or_else(|| not_found("Pipeline"))?;
    Ok(Response::json(200, &shown(call, pipeline)))
}

fn status(build: Option<&Build>) -> &'static str {
    match build.map(|b| &b.state) {
        Some(BuildState::Success) => "success",
        Some(BuildState::Failed(_)) => "failed",
        Some(BuildState::Running) | None => "running",
    }
}

fn shown_workflow(call: &Call<'_>, pipeline: &Pipeline) -> Value {
    let build = call.world.builds.all.get(pipeline.build);
    json!({
        "id": pipeline.workflow,
        "name": "build",
        "pipeline_id": pipeline.id,
        "pipeline_number": pipeline.number,
        "project_slug": pipeline.slug,
        "status": status(build),
        "started_by": pipeline.actor,
        "created_at": time::millis(pipeline.created),
        "stopped_at": build.and_then(|b| b.ended).map(time::millis),
    })
}

pub(super) fn workflows(call: &Call<'_>, id: &str) -> Reply {
    let pipelines: Vec<&Pipeline> = call
        .world
        .circleci
        .pipelines
        .iter()
        .filter(|p| p.id == id)
        .collect();
    if pipelines.is_empty() {
        return Err(not_found("Pipeline"));
    }
    pages(call, pipelines, |pipeline| shown_workflow(call, pipeline))
}

fn by_workflow<'c>(call: &'c Call<'_>, id: &str) -> Result<&'c Pipeline, Response> {
    call.world
        .circleci
        .pipelines
        .iter()
        .find(|p| p.workflow == id)
        .ok_or_else(|| not_found("Workflow"))
}

pub(super) fn workflow(call: &Call<'_>, id: &str) -> Reply {
    let pipeline = by_workflow(call, id)?;
    Ok(Response::json(200, &shown_workflow(call, pipeline)))
}

pub(super) fn jobs(call: &Call<'_>, id: &str) -> Reply {
    let pipeline = by_workflow(call, id)?;
    let build = call.world.builds.all.get(pipeline.build);
    pages(call, [pipeline], |pipeline| {
        let mut job = json!({
            "id": pipeline.job,
            "name": "build",
            "job_number": pipeline.build + 1,
            "project_slug": pipeline.slug,
            "dependencies": [],
            "type": "build",
            "status": status(build),
            "started_at": time::millis(pipeline.created),
        });
        if let Some(ended) = build.and_then(|b| b.ended) {
            job["stopped_at"] = time::millis(ended).into();
        }
        job
    })
}

/// What `pipeline/run` needs to know of a project of the GitHub App.
pub(super) fn definitions(call: &Call<'_>, id: &str) -> Reply {
    let (slug, project) = call
        .world
        .circleci
        .projects
        .iter()
        .find(|(_, p)| p.id == id)
        .ok_or_else(|| not_found("Project"))?;
    let provider = if slug.starts_with("circleci/") {
        "github_app"
    } else {
        "github_oauth"
    };
    let source = json!({"provider": provider, "file_path": ".circleci/config.yml"});
    let definition = json!({
        "id": project.definition,
        "name": "build-and-test",
        "description": "",
        "config_source": source,
        "checkout_source": {"provider": provider},
    });
    Ok(Response::json(200, &json!({"items": [definition]})))
}
