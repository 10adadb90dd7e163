//! Secrets: written as sealed boxes, which are opened here as GitHub does, and never read again.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{Call, Reply, body, message, not_found, pages, unprocessable};
use crate::http::{Response, time};
use crate::world::circleci::{Variable, write};
use crate::world::github::{Store, is_name};
use crate::world::secret::Secret;

/// Whose secrets.
pub(super) enum Scope {
    Repository(String),
    Dependabot(String),
    Environment(String, String),
    Organisation(String),
    OrganisationDependabot(String),
}

impl Scope {
    /// What the key pair is made for: each scope has its own.
    fn key(&self) -> String {
        match self {
            Self::Repository(name) => format!("actions {name}"),
            Self::Dependabot(name) => format!("dependabot {name}"),
            Self::Environment(name, environment) => format!("environment {name} {environment}"),
            Self::Organisation(name) => format!("organisation {name}"),
            Self::OrganisationDependabot(name) => format!("organisation dependabot {name}"),
        }
    }

    fn is_organisation(&self) -> bool {
        matches!(
            self,
            Self::Organisation(_) | Self::OrganisationDependabot(_)
        )
    }
}

fn store<'c>(call: &'c mut Call<'_>, scope: &Scope) -> Result<&'c mut Store, Response> {
    let github = &mut call.world.github;
    match scope {
        Scope::Repository(name) => github.repositories.get_mut(name).map(|r| &mut r.secrets),
        Scope::Dependabot(name) => github.repositories.get_mut(name).map(|r| &mut r.dependabot),
        Scope::Environment(name, environment) => github
            .repositories
            .get_mut(name)
            .and_then(|r| r.environments.get_mut(environment))
            .map(|e| &mut e.secrets),
        Scope::Organisation(name) => github.organisations.get_mut(name).map(|o| &mut o.secrets),
        Scope::OrganisationDependabot(name) => github
            .organisations
            .get_mut(name)
            .map(|o| &mut o.dependabot),
    }
    .ok_or_else(not_found)
}

pub(super) fn route(call: &mut Call<'_>, scope: &Scope, rest: &[&str]) -> Reply {
    store(call, scope)?;
    match (call.request.method.as_str(), rest) {
        ("GET", []) => list(call, scope),
        ("GET", ["public-key"]) => Ok(public_key(call, scope)),
        ("GET", [name]) => get(call, scope, name),
        ("PUT", [name]) => put(call, scope, name),
        ("DELETE", [name]) => delete(call, scope, name),
        _ => Err(not_found()),
    }
}

fn shown(call: &Call<'_>, scope: &Scope, name: &str, secret: &Variable) -> Value {
    let mut shown = json!({
        "name": name,
        "created_at": time::seconds(secret.created),
        "updated_at": time::seconds(secret.updated),
    });
    if let Scope::Organisation(org) | Scope::OrganisationDependabot(org) = scope {
        let visibility = call
            .world
            .github
            .organisations
            .get(org)
            .and_then(|o| o.visibility.get(name))
            .map_or("all", String::as_str);
        shown["visibility"] = visibility.into();
        if visibility == "selected" {
            let path = format!("{}/{name}/repositories", call.request.path);
            shown["selected_repositories_url"] = format!("{}{path}", call.place.urls.github).into();
        }
    }
    shown
}

fn list(call: &mut Call<'_>, scope: &Scope) -> Reply {
    let secrets = store(call, scope)?.clone();
    Ok(pages(call, "secrets", &secrets, 30, |(name, secret)| {
        shown(call, scope, name, secret)
    }))
}

fn public_key(call: &Call<'_>, scope: &Scope) -> Response {
    let key = call.world.keys.sealing_key(&scope.key()).public_key();
    let body = json!({
        "key_id": call.world.keys.sealing_key_id(&scope.key()),
        "key": BASE64_STANDARD.encode(key.as_bytes()),
    });
    Response::json(200, &body)
}

fn get(call: &mut Call<'_>, scope: &Scope, name: &str) -> Reply {
    let name = name.to_ascii_uppercase();
    let secret = store(call, scope)?
        .get(&name)
        .cloned()
        .ok_or_else(not_found)?;
    Ok(Response::json(200, &shown(call, scope, &name, &secret)))
}

/// 201 for a new secret, 204 for one that was there.
fn put(call: &mut Call<'_>, scope: &Scope, name: &str) -> Reply {
    // Names are kept in upper case, whatever was sent.
    let name = name.to_ascii_uppercase();
    if !is_name(&name) {
        return Err(unprocessable(
            "name",
            "Secret names can only contain alphanumeric characters and underscores, and not begin with a digit or GITHUB_",
        ));
    }
    let body = body(call)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    if text("key_id") != call.world.keys.sealing_key_id(&scope.key()) {
        return Err(unprocessable(
            "key_id",
            "The key_id is not that of the current public key",
        ));
    }
    let value = BASE64_STANDARD
        .decode(text("encrypted_value"))
        .ok()
        .and_then(|sealed| {
            call.world
                .keys
                .sealing_key(&scope.key())
                .unseal(&sealed)
                .ok()
        })
        .and_then(|opened| String::from_utf8(opened).ok())
        .ok_or_else(|| {
            unprocessable(
                "encrypted_value",
                "The encrypted_value is not a sealed box of the current public key",
            )
        })?;
    if scope.is_organisation() {
        set_visibility(call, scope, &name, &body)?;
    }
    let now = call.place.now;
    let store = store(call, scope)?;
    let is_new = !store.contains_key(&name);
    write(store, &name, Secret::new(value), now);
    Ok(if is_new {
        Response::json(201, &json!({}))
    } else {
        Response::empty(204)
    })
}

fn set_visibility(
    call: &mut Call<'_>,
    scope: &Scope,
    name: &str,
    body: &Value,
) -> Result<(), Response> {
    let (Scope::Organisation(org) | Scope::OrganisationDependabot(org)) = scope else {
        return Ok(());
    };
    let visibility = body["visibility"].as_str().unwrap_or_default();
    if !matches!(visibility, "all" | "private" | "selected") {
        return Err(message(422, "visibility is all, private or selected"));
    }
    let organisation = call
        .world
        .github
        .organisations
        .get_mut(org)
        .ok_or_else(not_found)?;
    organisation
        .visibility
        .insert(name.to_owned(), visibility.to_owned());
    let ids = body["selected_repository_ids"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    organisation.selected.insert(
        name.to_owned(),
        ids.iter().filter_map(Value::as_u64).collect(),
    );
    Ok(())
}

fn delete(call: &mut Call<'_>, scope: &Scope, name: &str) -> Reply {
    store(call, scope)?
        .remove(&name.to_ascii_uppercase())
        .ok_or_else(not_found)?;
    Ok(Response::empty(204))
}
