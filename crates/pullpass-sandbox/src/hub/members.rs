//! `/v2/orgs/{org}/members`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::errors::{Shape, bad_request, refuse};
use super::{Call, Reply, show, text};
use crate::http::{Response, time};
use crate::world::World;
use crate::world::organisation::{Organisation, Role, Want};

const SHAPE: Shape = Shape::Info;

/// A row of the list: a member, or somebody who is invited.
struct Row {
    name: String,
    email: String,
    role: &'static str,
    teams: Vec<String>,
    joined: Option<jiff::Timestamp>,
    shown: Value,
}

fn rows(world: &World, organisation: &Organisation) -> Vec<Row> {
    let members = organisation.members.iter().filter_map(|(name, member)| {
        let account = world.accounts.get(name)?;
        let teams: Vec<String> = organisation
            .teams_of(name)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut shown = show::account(name, account);
        shown["email"] = account.email.clone().into();
        shown["role"] = member.role.shown().into();
        shown["groups"] = json!(teams);
        shown["is_guest"] = false.into();
        shown["primary_email"] = account.email.clone().into();
        Some(Row {
            name: name.clone(),
            email: account.email.clone(),
            role: member.role.shown(),
            teams,
            joined: Some(member.joined),
            shown,
        })
    });
    let invited = organisation.invitations.iter().map(|invitation| {
        let account = world.accounts.get(&invitation.invitee);
        let email = account.map_or(&invitation.invitee, |a| &a.email).clone();
        let name = account.map_or("", |_| invitation.invitee.as_str());
        let teams: Vec<String> = invitation.team.iter().cloned().collect();
        Row {
            name: name.to_owned(),
            role: "Invitee",
            joined: None,
            shown: json!({
                "id": "",
                "username": name,
                "email": email,
                "role": "Invitee",
                "groups": teams,
                "is_guest": false,
                "primary_email": email,
                "type": "User",
                "full_name": "",
            }),
            email,
            teams,
        }
    });
    members.chain(invited).collect()
}

pub(super) fn list(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let organisation = call
        .world
        .organisation(&session, org, Want::Read)
        .map_err(|r| refuse(SHAPE, &r))?
        .clone();
    let asked = |name: &str| call.request.query(name).filter(|text| !text.is_empty());
    let kind = match (asked("type"), asked("invites")) {
        (Some(kind), _) => kind,
        (None, Some("true")) => "all",
        _ => "member",
    };
    if !matches!(kind, "all" | "invitee" | "member") {
        return Err(bad_request(SHAPE, "type is all, invitee or member"));
    }
    let role = match asked("role") {
        None => None,
        Some(role) => {
            let wrong = || bad_request(SHAPE, "role is owner, editor or member");
            Some(Role::sent(role).ok_or_else(wrong)?.shown())
        }
    };
    let rows = rows(call.world, &organisation)
        .into_iter()
        .filter(|row| match kind {
            "all" => true,
            "invitee" => row.role == "Invitee",
            _ => row.role != "Invitee",
        })
        .filter(|row| role.is_none_or(|role| role == row.role))
        .filter(|row| {
            asked("search").is_none_or(|term| row.name.contains(term) || row.email.contains(term))
        });
    let page = show::pages(call, rows, 10, "count", |row| row.shown);
    Ok(Response::json(200, &page))
}

/// Everybody with their teams, in one call.
pub(super) fn export(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let organisation = call
        .world
        .organisation(&session, org, Want::Read)
        .map_err(|r| refuse(SHAPE, &r))?
        .clone();
    let mut csv = String::from("Name,Username,Email,Type,Role,Teams,Date Joined\r\n");
    for row in rows(call.world, &organisation) {
        let (kind, role) = match row.role {
            "Invitee" => ("Invitee", "Member"),
            role => ("User", role),
        };
        let joined = row.joined.map_or_else(String::new, |at| {
            // As Go prints a time.
            format!(
                "{} +0000 UTC",
                time::micros(at).replace('T', " ").trim_end_matches('Z')
            )
        });
        let cells = [
            "",
            &row.name,
            &row.email,
            kind,
            role,
            &row.teams.join(", "),
            &joined,
        ];
        let cells: Vec<String> = cells.into_iter().map(cell).collect();
        let _ = write!(csv, "{}\r\n", cells.join(","));
    }
    let name = format!(
        "attachment;filename=\"{org}-members-{}.csv\"",
        call.place.now.as_second()
    );
    Ok(Response::bytes(200, "text/csv", csv.into_bytes()).with("content-disposition", name))
}

/// RFC 4180.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

pub(super) fn change_role(call: &mut Call<'_>, org: &str, user: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let wrong = || bad_request(SHAPE, "role is owner, editor or member");
    let role = Role::sent(text(&body, "role")).ok_or_else(wrong)?;
    call.world
        .change_role(&session, org, user, role, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    let organisation = call
        .world
        .organisation(&session, org, Want::Read)
        .map_err(|r| refuse(SHAPE, &r))?
        .clone();
    let row = rows(call.world, &organisation)
        .into_iter()
        .find(|row| row.name == user);
    Ok(Response::json(
        200,
        &row.map_or(Value::Null, |row| row.shown),
    ))
}

pub(super) fn remove(call: &mut Call<'_>, org: &str, user: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .remove_member(&session, org, user, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(204))
}
