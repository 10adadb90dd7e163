//! Docker Hub's API, as its published description has it.
//!
//! A session that began with a token may not manage tokens, errors come in three shapes, roles are
//! sent in lower case and come back with a capital letter: none of that is tidied up.

use crate::http::{Place, Request, Response};
use crate::world::World;
use crate::world::session::Session;

mod errors;
mod groups;
mod invites;
mod members;
mod oats;
mod organisation;
mod pats;
mod repositories;
mod sessions;
mod show;

use errors::Shape;

/// What a route gives: both sides are responses, so that `?` ends a refusal.
type Reply = Result<Response, Response>;

/// Everything that a route works with.
struct Call<'c> {
    world: &'c mut World,
    request: &'c Request,
    place: &'c Place,
}

/// Answers one request.
pub(crate) fn answer(world: &mut World, request: &Request, place: &Place) -> Response {
    let mut call = Call {
        world,
        request,
        place,
    };
    route(&mut call).unwrap_or_else(|refusal| refusal)
}

/// Who asks, for the journal and the limits.
pub(crate) fn identify(world: &World, request: &Request, place: &Place) -> Option<String> {
    let session = world.session(&request.bearer()?, place.now)?;
    Some(session.name)
}

fn route(call: &mut Call<'_>) -> Reply {
    let request = call.request;
    let parts = request.parts();
    let Some(("v2", rest)) = parts.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(not_found());
    };
    // A HEAD is a GET whose body nobody writes.
    let method = match request.method.as_str() {
        "HEAD" => "GET",
        other => other,
    };
    match (method, rest) {
        ("POST", ["auth", "token"]) => sessions::create(call),
        ("POST", ["users", "login"]) => sessions::log_in(call),
        ("POST", ["users", "2fa-login"]) => sessions::second_factor(call),
        ("GET", ["users", name]) => sessions::user(call, name),
        ("GET", ["user"]) => sessions::own_user(call),

        ("POST", ["access-tokens"]) => pats::create(call),
        ("GET", ["access-tokens"]) => pats::list(call),
        ("GET", ["access-tokens", uuid]) => pats::get(call, uuid),
        ("PATCH", ["access-tokens", uuid]) => pats::update(call, uuid),
        ("DELETE", ["access-tokens", uuid]) => pats::delete(call, uuid),

        ("POST", ["orgs", org, "access-tokens"]) => oats::create(call, org),
        ("GET", ["orgs", org, "access-tokens"]) => oats::list(call, org),
        ("GET", ["orgs", org, "access-tokens", id]) => oats::get(call, org, id),
        ("PATCH", ["orgs", org, "access-tokens", id]) => oats::update(call, org, id),
        ("DELETE", ["orgs", org, "access-tokens", id]) => oats::delete(call, org, id),

        ("GET", ["orgs", org, "settings"]) => organisation::settings(call, org),
        ("PUT", ["orgs", org, "settings"]) => organisation::change_settings(call, org),
        ("GET", ["auditlogs", account]) => organisation::log(call, account),
        ("GET", ["auditlogs", account, "actions"]) => organisation::log_actions(call, account),

        ("GET", ["orgs", org, "members"]) => members::list(call, org),
        ("GET", ["orgs", org, "members", "export"]) => members::export(call, org),
        ("PUT", ["orgs", org, "members", user]) => members::change_role(call, org, user),
        ("DELETE", ["orgs", org, "members", user]) => members::remove(call, org, user),

        ("GET", ["orgs", org, "groups"]) => groups::list(call, org),
        ("POST", ["orgs", org, "groups"]) => groups::create(call, org),
        ("GET", ["orgs", org, "groups", group]) => groups::get(call, org, group),
        ("PUT" | "PATCH", ["orgs", org, "groups", group]) => groups::update(call, org, group),
        ("DELETE", ["orgs", org, "groups", group]) => groups::delete(call, org, group),
        ("GET", ["orgs", org, "groups", group, "members"]) => groups::members(call, org, group),
        ("POST", ["orgs", org, "groups", group, "members"]) => groups::add(call, org, group),
        ("DELETE", ["orgs", org, "groups", group, "members", user]) => {
            groups::remove(call, org, group, user)
        }

        ("GET", ["orgs", org, "invites"]) => invites::list(call, org),
        ("POST", ["invites", "bulk"]) => invites::bulk(call),
        ("PATCH", ["invites", id, "resend"]) => invites::resend(call, id),
        ("DELETE", ["invites", id]) => invites::cancel(call, id),

        ("GET", ["repositories", namespace]) => repositories::list(call, namespace),
        (
            "GET",
            ["repositories", namespace, name] | ["namespaces", namespace, "repositories", name],
        ) => repositories::get(call, namespace, name),
        ("GET", ["namespaces", namespace, "repositories", name, "tags"]) => {
            repositories::tags(call, namespace, name)
        }
        ("GET", ["namespaces", namespace, "repositories", name, "tags", tag]) => {
            repositories::tag(call, namespace, name, tag)
        }
        ("POST", ["repositories", namespace, name, "groups"]) => {
            repositories::add_group(call, namespace, name)
        }
        _ => Err(not_found()),
    }
}

fn not_found() -> Response {
    errors::refuse(
        Shape::Info,
        &crate::world::Refusal::NotFound("object not found".to_owned()),
    )
}

impl Call<'_> {
    /// Who is signed in. Errors have the shape of the route.
    fn session(&self, shape: Shape) -> Result<Session, Response> {
        let unauthorised = |text: &str| {
            errors::refuse(shape, &crate::world::Refusal::Unauthorised(text.to_owned()))
        };
        let bearer = self
            .request
            .bearer()
            .ok_or_else(|| unauthorised("authentication required"))?;
        self.world
            .session(&bearer, self.place.now)
            .ok_or_else(|| unauthorised("the token is invalid or has expired"))
    }

    /// The body as an object.
    fn body(&self, shape: Shape) -> Result<serde_json::Value, Response> {
        self.request
            .json()
            .filter(serde_json::Value::is_object)
            .ok_or_else(|| errors::bad_request(shape, "the body is not a JSON object"))
    }
}

/// A text of a JSON object; empty when there is none.
fn text<'v>(body: &'v serde_json::Value, name: &str) -> &'v str {
    body[name].as_str().unwrap_or_default()
}
