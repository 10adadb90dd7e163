//! `/v2/orgs/{org}/groups`: teams.

use super::errors::{Shape, bad_request, refuse};
use super::{Call, Reply, show, text};
use crate::http::Response;
use crate::world::organisation::{OWNERS, Want};

const SHAPE: Shape = Shape::Info;

pub(super) fn list(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let groups = call
        .world
        .organisation(&session, org, Want::Read)
        .map_err(|r| refuse(SHAPE, &r))?
        .groups
        .clone();
    let asked = |name: &str| call.request.query(name).filter(|text| !text.is_empty());
    let groups = groups
        .iter()
        .filter(|(_, g)| asked("username").is_none_or(|user| g.members.contains(user)))
        .filter(|(name, _)| asked("search").is_none_or(|term| name.contains(term)));
    let page = show::pages(call, groups, 10, "count", |(name, group)| {
        show::group(name, group)
    });
    Ok(Response::json(200, &page))
}

pub(super) fn create(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let (name, description) = (text(&body, "name"), text(&body, "description"));
    let group = call
        .world
        .create_group(&session, org, name, description, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::json(201, &show::group(name, &group)))
}

pub(super) fn get(call: &mut Call<'_>, org: &str, group: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let found = call
        .world
        .group(&session, org, group, Want::Read)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::json(200, &show::group(group, found)))
}

pub(super) fn update(call: &mut Call<'_>, org: &str, group: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let mut changed = call
        .world
        .group(&session, org, group, Want::Change)
        .map_err(|r| refuse(SHAPE, &r))?
        .clone();
    if let Some(description) = body["description"].as_str() {
        changed.description = description.to_owned();
    }
    let name = body["name"].as_str().unwrap_or(group).to_owned();
    let groups = &mut call
        .world
        .organisation(&session, org, Want::Change)
        .map_err(|r| refuse(SHAPE, &r))?
        .groups;
    if name != group && (name.is_empty() || group == OWNERS || groups.contains_key(&name)) {
        return Err(bad_request(SHAPE, "the group cannot have this name"));
    }
    groups.remove(group);
    let shown = show::group(&name, &changed);
    groups.insert(name, changed);
    Ok(Response::json(200, &shown))
}

pub(super) fn delete(call: &mut Call<'_>, org: &str, group: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .group(&session, org, group, Want::Change)
        .map_err(|r| refuse(SHAPE, &r))?;
    if group == OWNERS {
        return Err(bad_request(SHAPE, "the owners' group cannot be deleted"));
    }
    call.world
        .organisation(&session, org, Want::Change)
        .map_err(|r| refuse(SHAPE, &r))?
        .groups
        .remove(group);
    call.world.audit.add(
        org,
        "org.team.delete",
        group,
        &session.name,
        &[],
        call.place.now,
    );
    Ok(Response::empty(204))
}

pub(super) fn members(call: &mut Call<'_>, org: &str, group: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let names = call
        .world
        .group(&session, org, group, Want::Read)
        .map_err(|r| refuse(SHAPE, &r))?
        .members
        .clone();
    let term = call.request.query("search").unwrap_or_default();
    let members = names.iter().filter_map(|name| {
        let account = call.world.accounts.get(name)?;
        (name.contains(term) || account.email.contains(term)).then_some((name, account))
    });
    let page = show::pages(call, members, 10, "count", |(name, account)| {
        let mut shown = show::account(name, account);
        shown["email"] = account.email.clone().into();
        shown
    });
    Ok(Response::json(200, &page))
}

pub(super) fn add(call: &mut Call<'_>, org: &str, group: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    call.world
        .add_to_group(&session, org, group, text(&body, "member"), call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(200))
}

pub(super) fn remove(call: &mut Call<'_>, org: &str, group: &str, user: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .remove_from_group(&session, org, group, user, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(204))
}
