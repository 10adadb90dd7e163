//! The token service: `GET /token?service=…&scope=…` with Basic, and its OAuth 2 form, a `POST`.

use serde_json::{Value, json};

use super::SERVICE;
use crate::http::{Place, Request, Response, time};
use crate::world::World;
use crate::world::registry::Puller;
use crate::world::secret::Secret;
use crate::world::session::Session;

/// Seconds that a token is good for.
const LIFETIME: i64 = 300;

struct Ask {
    service: String,
    scopes: Vec<String>,
    login: Option<(String, Secret)>,
}

pub(super) fn answer(world: &mut World, request: &Request, place: &Place) -> Response {
    let Ok(ask) = read(request) else {
        return refusal(401, "malformed authorization header");
    };
    let session = match &ask.login {
        None => None,
        Some((user, secret)) => match world.sign_in(user, secret, place.now) {
            Ok(session) => Some(session),
            Err(_) => return refusal(401, "incorrect username or password"),
        },
    };
    if ask.service != SERVICE {
        return refusal(400, "unknown service");
    }
    grant(world, request, place, session.as_ref(), &ask.scopes)
}

fn read(request: &Request) -> Result<Ask, ()> {
    let form = match request.method.as_str() {
        "POST" => request.form(),
        _ => request.query.clone(),
    };
    let value = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let login = match (request.method.as_str(), value("grant_type")) {
        ("POST", Some("password")) => {
            let user = value("username").ok_or(())?.to_owned();
            Some((user, Secret::new(value("password").ok_or(())?)))
        }
        ("POST", _) => return Err(()),
        _ => request.basic()?,
    };
    Ok(Ask {
        service: value("service").unwrap_or_default().to_owned(),
        scopes: form
            .iter()
            .filter(|(key, _)| key == "scope")
            .flat_map(|(_, scopes)| scopes.split_whitespace().map(str::to_owned))
            .collect(),
        login,
    })
}

fn refusal(status: u16, details: &str) -> Response {
    Response::json(status, &json!({"details": details}))
}

fn grant(
    world: &mut World,
    request: &Request,
    place: &Place,
    session: Option<&Session>,
    scopes: &[String],
) -> Response {
    let puller = session.map_or(Puller::Anonymous, |s| Puller::Named(s.name.clone()));
    let meter = world.meter(&puller, request.from);
    let parameters = meter.limit.map_or(json!({}), |(limit, window)| {
        json!({"pull_limit": limit.to_string(), "pull_limit_interval": window.to_string()})
    });
    let access: Vec<Value> = scopes
        .iter()
        .filter_map(|scope| {
            let rest = scope.strip_prefix("repository:")?;
            let (name, asked) = rest.rsplit_once(':')?;
            let granted: Vec<&str> = world
                .access(session, name)
                .into_iter()
                .filter(|action| asked.split(',').any(|a| a == *action))
                .collect();
            // Where nothing is granted there is no entry, and the answer is 200 all the same.
            (!granted.is_empty()).then(|| {
                json!({"type": "repository", "name": name, "actions": granted, "parameters": parameters})
            })
        })
        .collect();
    let issued = place.now.as_second();
    let claims = json!({
        "access": access,
        "aud": SERVICE,
        "exp": issued + LIFETIME,
        "iat": issued,
        "iss": "auth.docker.io",
        "jti": world.dice.token("dckr_jti_", 24),
        "nbf": issued,
        "sub": session.map_or("", |s| s.name.as_str()),
    });
    let token = world.keys.sign(&claims);
    let body = json!({
        "token": token.expose(),
        "access_token": token.expose(),
        "expires_in": LIFETIME,
        "issued_at": time::micros(place.now),
    });
    Response::json(200, &body)
}
