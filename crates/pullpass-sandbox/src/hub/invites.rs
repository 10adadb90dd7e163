//! `/v2/invites`: an invitation is open until a person accepts it.

use serde_json::{Value, json};

use super::errors::{Shape, bad_request, refuse};
use super::pats::strings;
use super::{Call, Reply, show, text};
use crate::http::Response;
use crate::world::organisation::{Invited, NewInvitation, Role, Want};

const SHAPE: Shape = Shape::Info;

pub(super) fn list(call: &mut Call<'_>, org: &str) -> Reply {
    let session = call.session(SHAPE)?;
    let invitations = call
        .world
        .organisation(&session, org, Want::Change)
        .map_err(|r| refuse(SHAPE, &r))?
        .invitations
        .clone();
    let shown: Vec<Value> = invitations
        .iter()
        .map(|invitation| show::invitation(org, invitation))
        .collect();
    Ok(Response::json(200, &json!({"data": shown})))
}

pub(super) fn bulk(call: &mut Call<'_>) -> Reply {
    let session = call.session(SHAPE)?;
    let body = call.body(SHAPE)?;
    let org = text(&body, "org").to_owned();
    let role = match text(&body, "role") {
        "" => Role::Member,
        role => {
            Role::sent(role).ok_or_else(|| bad_request(SHAPE, "role is owner, editor or member"))?
        }
    };
    let team = Some(text(&body, "team")).filter(|team| !team.is_empty());
    let invitees = strings(&body["invitees"]);
    if invitees.is_empty() {
        return Err(bad_request(SHAPE, "invitees has at least one"));
    }
    let dry_run = body["dry_run"].as_bool().unwrap_or(false);
    let mut shown = Vec::new();
    for invitee in invitees {
        let wanted = NewInvitation {
            invitee: &invitee,
            team,
            role,
        };
        let invited = call
            .world
            .invite(&session, &org, &wanted, dry_run, call.place.now)
            .map_err(|r| refuse(SHAPE, &r))?;
        shown.push(match invited {
            Invited::Yes(invitation) if dry_run => {
                json!({"invitee": invitation.invitee, "status": "invited"})
            }
            Invited::Yes(invitation) => json!({
                "invitee": invitee,
                "status": "invited",
                "invite": show::invitation(&org, &invitation),
            }),
            Invited::IsMember => json!({"invitee": invitee, "status": "existing_org_member"}),
            Invited::Unknown => {
                json!({"invitee": invitee, "status": "invalid_email_or_docker_id"})
            }
        });
    }
    Ok(Response::json(202, &json!({"invitees": shown})))
}

pub(super) fn resend(call: &mut Call<'_>, id: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .resend(&session, id, call.place.now)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(204))
}

pub(super) fn cancel(call: &mut Call<'_>, id: &str) -> Reply {
    let session = call.session(SHAPE)?;
    call.world
        .cancel(&session, id)
        .map_err(|r| refuse(SHAPE, &r))?;
    Ok(Response::empty(204))
}
