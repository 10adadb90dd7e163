//! Repositories and their tags. The older half of it refuses organisation access tokens.

use std::sync::Arc;

use serde_json::{Value, json};

use super::errors::{Shape, bad_request, refuse};
use super::{Call, Reply, show, text};
use crate::http::Response;
use crate::world::Refusal;
use crate::world::image::Repository;
use crate::world::organisation::Want;
use crate::world::session::Session;

const SHAPE: Shape = Shape::Plain;

/// The repository, when whoever asks can see it.
fn visible(call: &Call<'_>, namespace: &str, name: &str) -> Result<Arc<Repository>, Response> {
    let session = session(call)?;
    let full = format!("{namespace}/{name}");
    let missing = || refuse(SHAPE, &Refusal::NotFound("object not found".to_owned()));
    if call.world.access(session.as_ref(), &full).is_empty() {
        return Err(missing());
    }
    call.world
        .registry
        .repositories
        .get(&full)
        .cloned()
        .ok_or_else(missing)
}

/// Nobody needs to be signed in; who is, is with something that holds.
fn session(call: &Call<'_>) -> Result<Option<Session>, Response> {
    if call.request.header("authorization").is_none() {
        return Ok(None);
    }
    let session = call.session(SHAPE)?;
    let older = call.request.parts().get(1) == Some(&"repositories");
    if older && session.is_organisation() {
        let text = "token issued from organization access token is not allowed".to_owned();
        return Err(refuse(SHAPE, &Refusal::Forbidden(text)));
    }
    Ok(Some(session))
}

fn shown(namespace: &str, name: &str, repository: &Repository) -> Value {
    json!({
        "user": namespace,
        "name": name,
        "namespace": namespace,
        "repository_type": "image",
        "status": 1,
        "status_description": "active",
        "description": "",
        "is_private": repository.private,
        "star_count": 0,
        "pull_count": 0,
    })
}

pub(super) fn list(call: &mut Call<'_>, namespace: &str) -> Reply {
    let session = session(call)?;
    let within: Vec<(String, Arc<Repository>)> = call
        .world
        .registry
        .repositories
        .iter()
        .filter(|(full, _)| full.split('/').next() == Some(namespace))
        .filter(|(full, _)| !call.world.access(session.as_ref(), full).is_empty())
        .map(|(full, repository)| (full.clone(), Arc::clone(repository)))
        .collect();
    let page = show::pages(call, within, 10, "count", |(full, repository)| {
        let name = full.split_once('/').map_or("", |(_, name)| name);
        shown(namespace, name, &repository)
    });
    Ok(Response::json(200, &page))
}

pub(super) fn get(call: &mut Call<'_>, namespace: &str, name: &str) -> Reply {
    let repository = visible(call, namespace, name)?;
    Ok(Response::json(200, &shown(namespace, name, &repository)))
}

fn shown_tag(repository: &Repository, tag: &str, digest: &str) -> Value {
    let size: usize = repository.blobs.values().map(Vec::len).sum();
    json!({
        "id": 1,
        "images": [{
            "architecture": "amd64", "features": "", "variant": "", "digest": digest, "os": "linux",
            "os_features": "", "os_version": "", "size": size, "status": "active",
            "last_pulled": null, "last_pushed": null,
        }],
        "creator": 1,
        "last_updated": null,
        "last_updater": 1,
        "last_updater_username": "",
        "name": tag,
        "repository": 1,
        "full_size": size,
        "v2": "true",
        "status": "active",
        "tag_last_pulled": null,
        "tag_last_pushed": null,
    })
}

pub(super) fn tags(call: &mut Call<'_>, namespace: &str, name: &str) -> Reply {
    let repository = visible(call, namespace, name)?;
    let page = show::pages(call, &repository.tags, 10, "count", |(tag, digest)| {
        shown_tag(&repository, tag, digest)
    });
    Ok(Response::json(200, &page))
}

pub(super) fn tag(call: &mut Call<'_>, namespace: &str, name: &str, tag: &str) -> Reply {
    let repository = visible(call, namespace, name)?;
    let digest = repository
        .tags
        .get(tag)
        .ok_or_else(|| refuse(SHAPE, &Refusal::NotFound("tag not found".to_owned())))?;
    Ok(Response::json(200, &shown_tag(&repository, tag, digest)))
}

/// Gives a team access to a repository.
pub(super) fn add_group(call: &mut Call<'_>, namespace: &str, name: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let group = body["group_id"].as_u64();
    let organisation = call
        .world
        .organisation(&session, namespace, Want::Change)
        .map_err(|r| refuse(SHAPE, &r))?;
    let team = organisation
        .groups
        .iter()
        .find(|(_, g)| Some(g.id) == group)
        .map(|(name, _)| name.clone())
        .ok_or_else(|| refuse(SHAPE, &Refusal::NotFound("group not found".to_owned())))?;
    let permission = ["read", "write", "admin"]
        .into_iter()
        .find(|known| *known == text(&body, "permission"))
        .ok_or_else(|| bad_request(SHAPE, "permission is read, write or admin"))?;
    let repository = call
        .world
        .registry
        .repositories
        .get_mut(&format!("{namespace}/{name}"))
        .ok_or_else(|| refuse(SHAPE, &Refusal::NotFound("object not found".to_owned())))?;
    Arc::make_mut(repository)
        .teams
        .insert(team.clone(), permission);
    let body = json!({"group_name": team, "permission": permission, "group_id": group});
    Ok(Response::json(200, &body))
}
