//! `/v2/auth/token`, `/v2/users/...`: signing in, and whether a Docker ID exists.

use serde_json::json;

use super::errors::{Shape, refuse};
use super::{Call, Reply, show, text};
use crate::http::Response;
use crate::world::Refusal;
use crate::world::secret::Secret;

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let body = call.body(Shape::Info)?;
    let secret = Secret::new(text(&body, "secret"));
    let session = call
        .world
        .sign_in(text(&body, "identifier"), &secret, call.place.now)
        .map_err(|r| refuse(Shape::Info, &r))?;
    if call.world.needs_second_factor(&session) {
        let refusal =
            Refusal::Unauthorised("second factor required: use /v2/users/login".to_owned());
        return Err(refuse(Shape::Info, &refusal));
    }
    let bearer = call.world.bearer(&session, call.place.now);
    Ok(Response::json(
        200,
        &json!({"access_token": bearer.expose()}),
    ))
}

pub(super) fn log_in(call: &mut Call<'_>) -> Reply {
    let body = call.body(Shape::Detail)?;
    let secret = Secret::new(text(&body, "password"));
    let session = call
        .world
        .sign_in(text(&body, "username"), &secret, call.place.now)
        // An organisation has no user name to sign in with here.
        .and_then(|session| match session.is_organisation() {
            true => Err(Refusal::Unauthorised(
                "incorrect authentication credentials".to_owned(),
            )),
            false => Ok(session),
        })
        .map_err(|r| refuse(Shape::Detail, &r))?;
    if call.world.needs_second_factor(&session) {
        let half_way = call.world.half_way(&session.name, call.place.now);
        let body = json!({
            "detail": "Require secondary authentication on MFA enabled account",
            "login_2fa_token": half_way.expose(),
        });
        return Err(Response::json(401, &body));
    }
    let bearer = call.world.bearer(&session, call.place.now);
    Ok(Response::json(200, &json!({"token": bearer.expose()})))
}

pub(super) fn second_factor(call: &mut Call<'_>) -> Reply {
    let body = call.body(Shape::Detail)?;
    let half_way = Secret::new(text(&body, "login_2fa_token"));
    let code = Secret::new(text(&body, "code"));
    let session = call
        .world
        .second_half(&half_way, &code, call.place.now)
        .map_err(|r| refuse(Shape::Detail, &r))?;
    let bearer = call.world.bearer(&session, call.place.now);
    Ok(Response::json(200, &json!({"token": bearer.expose()})))
}

/// Undocumented and widely used: whether a Docker ID exists.
pub(super) fn user(call: &mut Call<'_>, name: &str) -> Reply {
    let account = call
        .world
        .accounts
        .get(name)
        .ok_or_else(|| refuse(Shape::Info, &Refusal::NotFound("User not found".to_owned())))?;
    Ok(Response::json(200, &show::account(name, account)))
}

pub(super) fn own_user(call: &mut Call<'_>) -> Reply {
    let session = call.session(Shape::Info)?;
    user(call, &session.name)
}
