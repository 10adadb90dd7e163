//! `/v2/orgs/{org}/access-tokens`: organisation access tokens. Their list says `total`, not `count`.

use super::errors::{Shape, refuse};
use super::pats::{expiry, strings};
use super::{Call, Reply, show, text};
use crate::http::Response;
use crate::world::organisation::{Oat, Resource, Want, check_oat};
use crate::world::secret::Secret;

const SHAPE: Shape = Shape::Plain;

pub(super) fn create(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .organisation(&session, org, Want::Tokens)
        .map_err(|r| refuse(SHAPE, &r))?;
    let body = call.body(SHAPE)?;
    let new = Oat {
        id: call.world.dice.uuid(),
        label: text(&body, "label").to_owned(),
        description: text(&body, "description").to_owned(),
        creator: session.name.clone(),
        resources: resources(&body["resources"]),
        secret: Secret::new(call.world.dice.token("dckr_oat_", 32)),
        active: true,
        created: call.place.now,
        expires: expiry(&body)?,
        last_used: None,
    };
    let token = call
        .world
        .create_oat(&session, org, new, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    let mut shown = show::oat_with_resources(&token);
    shown["token"] = token.secret.expose().into();
    Ok(Response::json(201, &shown))
}

pub(super) fn list(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let tokens = call
        .world
        .organisation(&session, org, Want::Tokens)
        .map_err(|r| refuse(SHAPE, &r))?
        .tokens
        .clone();
    let page = show::pages(call, tokens.iter().rev(), 10, "total", show::oat);
    Ok(Response::json(200, &page))
}

pub(super) fn get(call: &mut Call<'_>, org: &str, id: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let token = call
        .world
        .oat(&session, org, id)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::json(200, &show::oat_with_resources(token)))
}

/// Everything but the expiry can be changed.
pub(super) fn update(call: &mut Call<'_>, org: &str, id: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let token = call
        .world
        .oat(&session, org, id)
        .map_err(|r| refuse(SHAPE, &r))?;
    let mut changed = token.clone();
    if let Some(label) = body["label"].as_str() {
        changed.label = label.to_owned();
    }
    if let Some(description) = body["description"].as_str() {
        changed.description = description.to_owned();
    }
    if let Some(active) = body["is_active"].as_bool() {
        changed.active = active;
    }
    if body["resources"].is_array() {
        changed.resources = resources(&body["resources"]);
    }
    // An expiry that is over is no reason to refuse a change of something else.
    let unexpiring = Oat {
        expires: None,
        ..changed.clone()
    };
    check_oat(&unexpiring, call.place.now).map_err(|r| refuse(SHAPE, &r))?;
    *token = changed;
    Ok(Response::json(200, &show::oat_with_resources(token)))
}

pub(super) fn delete(call: &mut Call<'_>, org: &str, id: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .delete_oat(&session, org, id, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(204))
}

fn resources(value: &serde_json::Value) -> Vec<Resource> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| Resource {
            kind: text(item, "type").to_owned(),
            path: text(item, "path").to_owned(),
            scopes: strings(&item["scopes"]),
        })
        .collect()
}
