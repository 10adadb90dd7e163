//! Things of the world, as Docker Hub's API shows them.

use serde_json::{Value, json};

use super::Call;
use crate::http::{Page, number, time};
use crate::world::account::{Account, Pat};
use crate::world::organisation::{Group, Invitation, Oat, Resource};

/// A list in pages, with links to the next and the previous one.
pub(super) fn pages<T>(
    call: &Call<'_>,
    all: impl IntoIterator<Item = T>,
    default_size: usize,
    count: &str,
    show: impl Fn(T) -> Value,
) -> Value {
    let page = Page::of(
        all,
        number(call.request, "page", 1),
        number(call.request, "page_size", default_size).min(100),
    );
    let link = |to: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, value) in &call.request.query {
            if key != "page" && key != "page_size" {
                query.append_pair(key, value);
            }
        }
        query.append_pair("page", &to.to_string());
        query.append_pair("page_size", &page.size.to_string());
        let path = call.request.path.as_str();
        format!("{}{path}?{}", call.place.urls.hub, query.finish())
    };
    let next = page.has_next().then(|| link(page.number + 1));
    let previous = (page.number > 1).then(|| link(page.number - 1));
    json!({
        count: page.total,
        "next": next,
        "previous": previous,
        "results": page.items.into_iter().map(show).collect::<Vec<_>>(),
    })
}

pub(super) fn account(name: &str, account: &Account) -> Value {
    json!({
        "id": account.uuid.replace('-', ""),
        "uuid": account.uuid,
        "username": name,
        "full_name": account.full_name,
        "location": "",
        "company": "",
        "profile_url": "",
        "date_joined": time::micros(account.joined),
        "gravatar_url": "",
        "gravatar_email": "",
        "type": "User",
    })
}

/// A personal access token. Its secret is shown where it was just made, and nowhere else.
pub(super) fn pat(token: &Pat, secret: Option<&str>) -> Value {
    json!({
        "uuid": token.uuid,
        "client_id": "HUB",
        "creator_ip": "127.0.0.1",
        "creator_ua": token.agent,
        "created_at": time::micros(token.created),
        "last_used": token.last_used.map(time::micros),
        "generated_by": "manual",
        "is_active": token.active,
        "token": secret.unwrap_or_default(),
        "token_label": token.label,
        "scopes": token.scopes,
        "expires_at": token.expires.map(time::micros),
    })
}

/// An organisation's access token as lists show it.
pub(super) fn oat(token: &Oat) -> Value {
    json!({
        "id": token.id,
        "label": token.label,
        "description": token.description,
        "created_by": token.creator,
        "is_active": token.active,
        "created_at": time::micros(token.created),
        "expires_at": token.expires.map(time::micros),
        "last_used_at": token.last_used.map(time::micros),
    })
}

/// The same with what it reaches.
pub(super) fn oat_with_resources(token: &Oat) -> Value {
    let mut shown = oat(token);
    shown["resources"] = resources(&token.resources);
    shown
}

fn resources(resources: &[Resource]) -> Value {
    let shown = resources
        .iter()
        .map(|r| json!({"type": r.kind, "path": r.path, "scopes": r.scopes}));
    Value::Array(shown.collect())
}

pub(super) fn group(name: &str, group: &Group) -> Value {
    json!({
        "id": group.id,
        "uuid": group.uuid,
        "name": name,
        "description": group.description,
        "member_count": group.members.len(),
    })
}

pub(super) fn invitation(organisation: &str, invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id,
        "inviter_username": invitation.inviter,
        "invitee": invitation.invitee,
        "org": organisation,
        "team": invitation.team.as_deref().unwrap_or_default(),
        "created_at": time::micros(invitation.created),
    })
}
