//! Settings and the activity log.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::errors::{Shape, refuse};
use super::{Call, Reply};
use crate::http::{Page, Response, number, time};
use crate::world::audit::ACTIONS;
use crate::world::organisation::Want;

const SETTINGS: [&str; 3] = [
    "enabled",
    "allow_official_images",
    "allow_verified_publishers",
];

pub(super) fn settings(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(Shape::Plain)?;
    let organisation = call
        .world
        .organisation(&session, org, Want::Read)
        .map_err(|r| refuse(Shape::Plain, &r))?;
    Ok(shown(organisation.restricted_images))
}

pub(super) fn change_settings(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(Shape::Plain)?;
    let body = call.body(Shape::Plain)?;
    let organisation = call
        .world
        .organisation(&session, org, Want::Change)
        .map_err(|r| refuse(Shape::Plain, &r))?;
    for (name, setting) in SETTINGS.iter().zip(&mut organisation.restricted_images) {
        if let Some(given) = body["restricted_images"][name].as_bool() {
            *setting = given;
        }
    }
    Ok(shown(organisation.restricted_images))
}

fn shown(settings: [bool; 3]) -> Response {
    let [enabled, official, publishers] = settings;
    let body = json!({"restricted_images": {
        "enabled": enabled,
        "allow_official_images": official,
        "allow_verified_publishers": publishers,
    }});
    Response::json(200, &body)
}

pub(super) fn log(call: &mut Call<'_>, account: &str) -> Reply {
    let session = call.session(Shape::Rpc)?;
    call.world
        .organisation(&session, account, Want::Read)
        .map_err(|r| refuse(Shape::Rpc, &r))?;
    let asked = |name: &str| call.request.query(name).filter(|text| !text.is_empty());
    let time_of = |name: &str| asked(name).and_then(|text| text.parse::<Timestamp>().ok());
    let (from, to) = (time_of("from"), time_of("to"));
    let events = call
        .world
        .audit
        .events
        .iter()
        .rev()
        .filter(|e| e.organisation == account)
        .filter(|e| asked("action").is_none_or(|action| action == e.action))
        .filter(|e| asked("name").is_none_or(|name| name == e.name))
        .filter(|e| asked("actor").is_none_or(|actor| actor == e.actor))
        .filter(|e| from.is_none_or(|from| e.at >= from) && to.is_none_or(|to| e.at <= to));
    let page = Page::of(
        events,
        number(call.request, "page", 1),
        number(call.request, "page_size", 25).min(100),
    );
    let description = |action: &str| {
        ACTIONS
            .iter()
            .find(|(name, ..)| *name == action)
            .map_or("", |(_, _, description)| *description)
    };
    let logs: Vec<Value> = page
        .items
        .into_iter()
        .map(|e| {
            json!({
                "account": e.organisation,
                "action": e.action,
                "name": e.name,
                "actor": e.actor,
                "data": e.data,
                "timestamp": time::micros(e.at),
                "action_description": description(e.action),
            })
        })
        .collect();
    Ok(Response::json(200, &json!({"logs": logs})))
}

pub(super) fn log_actions(call: &mut Call<'_>, account: &str) -> Reply {
    let session = call.session(Shape::Rpc)?;
    call.world
        .organisation(&session, account, Want::Read)
        .map_err(|r| refuse(Shape::Rpc, &r))?;
    let actions: Vec<Value> = ACTIONS
        .iter()
        .map(|(name, label, description)| {
            let name = name.strip_prefix("org.").unwrap_or(name);
            json!({"name": name, "label": label, "description": description})
        })
        .collect();
    let body = json!({"actions": {"org": {"label": "Organization", "actions": actions}}});
    Ok(Response::json(200, &body))
}
