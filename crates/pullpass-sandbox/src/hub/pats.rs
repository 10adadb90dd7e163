//! `/v2/access-tokens`: personal access tokens.

use super::errors::{Shape, bad_request, refuse};
use super::{Call, Reply, show, text};
use crate::http::Response;
use crate::world::account::NewPat;

const SHAPE: Shape = Shape::Plain;

/// The agent that a token remembers is no longer than this.
const AGENT_LENGTH: usize = 120;

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let session = call.session(SHAPE)?;
    // Who may not make tokens is told so whatever else is wrong.
    call.world
        .token_owner(&session)
        .map_err(|r| refuse(SHAPE, &r))?;
    let body = call.body(SHAPE)?;
    let new = NewPat {
        label: text(&body, "token_label").to_owned(),
        scopes: strings(&body["scopes"]),
        expires: expiry(&body)?,
        agent: call
            .request
            .header("user-agent")
            .unwrap_or_default()
            .chars()
            .take(AGENT_LENGTH)
            .collect(),
    };
    let token = call
        .world
        .mint(&session, new, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    let shown = show::pat(&token, Some(token.secret.expose()));
    Ok(Response::json(201, &shown))
}

pub(super) fn list(call: &mut Call<'_>) -> Reply {
    let session = call.session(SHAPE)?;
    let tokens = call
        .world
        .token_owner(&session)
        .map_err(|r| refuse(SHAPE, &r))?
        .tokens
        .clone();
    let active = tokens.iter().filter(|t| t.active).count();
    // The newest first, as the console lists them.
    let newest_first = tokens.iter().rev();
    let mut page = show::pages(call, newest_first, 10, "count", |token| {
        show::pat(token, None)
    });
    page["active_count"] = active.into();
    Ok(Response::json(200, &page))
}

pub(super) fn get(call: &mut Call<'_>, uuid: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let token = call
        .world
        .pat(&session, uuid)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::json(200, &show::pat(token, None)))
}

pub(super) fn update(call: &mut Call<'_>, uuid: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let token = call
        .world
        .pat(&session, uuid)
        .map_err(|r| refuse(SHAPE, &r))?;
    if let Some(label) = body["token_label"].as_str() {
        if !(1..=100).contains(&label.chars().count()) {
            return Err(bad_request(SHAPE, "token_label has 1 to 100 characters"));
        }
        token.label = label.to_owned();
    }
    if let Some(active) = body["is_active"].as_bool() {
        token.active = active;
    }
    Ok(Response::json(200, &show::pat(token, None)))
}

pub(super) fn delete(call: &mut Call<'_>, uuid: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .delete_pat(&session, uuid)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(204))
}

pub(super) fn strings(value: &serde_json::Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// `expires_at`, when it is given.
pub(super) fn expiry(body: &serde_json::Value) -> Result<Option<jiff::Timestamp>, Response> {
    match &body["expires_at"] {
        serde_json::Value::Null => Ok(None),
        value => value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(|text| {
                text.parse()
                    .map_err(|_| bad_request(SHAPE, "expires_at is not a time of RFC 3339"))
            })
            .transpose(),
    }
}
