//! Variables, which can be read.

use serde_json::{Value, json};

use super::{Call, Reply, body, message, not_found, pages, unprocessable};
use crate::http::{Response, time};
use crate::world::circleci::{Variable, write};
use crate::world::github::{Store, is_name};
use crate::world::secret::Secret;

/// Whose variables.
pub(super) enum Scope {
    Repository(String),
    Environment(String, String),
    Organisation(String),
}

fn store<'c>(call: &'c mut Call<'_>, scope: &Scope) -> Result<&'c mut Store, Response> {
    let github = &mut call.world.github;
    match scope {
        Scope::Repository(name) => github.repositories.get_mut(name).map(|r| &mut r.variables),
        Scope::Environment(name, environment) => github
            .repositories
            .get_mut(name)
            .and_then(|r| r.environments.get_mut(environment))
            .map(|e| &mut e.variables),
        Scope::Organisation(name) => github.organisations.get_mut(name).map(|o| &mut o.variables),
    }
    .ok_or_else(not_found)
}

pub(super) fn route(call: &mut Call<'_>, scope: &Scope, rest: &[&str]) -> Reply {
    store(call, scope)?;
    match (call.request.method.as_str(), rest) {
        ("GET", []) => {
            let variables = store(call, scope)?.clone();
            Ok(pages(
                call,
                "variables",
                &variables,
                10,
                |(name, variable)| shown(scope, name, variable),
            ))
        }
        ("GET", [name]) => {
            let name = name.to_ascii_uppercase();
            let variable = store(call, scope)?.get(&name).ok_or_else(not_found)?;
            Ok(Response::json(200, &shown(scope, &name, variable)))
        }
        ("POST", []) => create(call, scope),
        ("PATCH", [name]) => update(call, scope, name),
        ("DELETE", [name]) => {
            store(call, scope)?
                .remove(&name.to_ascii_uppercase())
                .ok_or_else(not_found)?;
            Ok(Response::empty(204))
        }
        _ => Err(not_found()),
    }
}

fn shown(scope: &Scope, name: &str, variable: &Variable) -> Value {
    let mut shown = json!({
        "name": name,
        // Not a secret: GitHub shows it to whoever can read the repository's settings.
        "value": variable.value.expose(),
        "created_at": time::seconds(variable.created),
        "updated_at": time::seconds(variable.updated),
    });
    if matches!(scope, Scope::Organisation(_)) {
        shown["visibility"] = "all".into();
    }
    shown
}

fn create(call: &mut Call<'_>, scope: &Scope) -> Reply {
    let body = body(call)?;
    let name = body["name"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let value = body["value"]
        .as_str()
        .ok_or_else(|| unprocessable("value", "value is required"))?;
    if !is_name(&name) {
        return Err(unprocessable("name", "This is not the name of a variable"));
    }
    let now = call.place.now;
    let store = store(call, scope)?;
    if store.contains_key(&name) {
        return Err(message(409, "Already exists - Variable already exists"));
    }
    write(store, &name, Secret::new(value), now);
    Ok(Response::json(201, &json!({})))
}

fn update(call: &mut Call<'_>, scope: &Scope, name: &str) -> Reply {
    let body = body(call)?;
    let name = name.to_ascii_uppercase();
    let now = call.place.now;
    let store = store(call, scope)?;
    if !store.contains_key(&name) {
        return Err(not_found());
    }
    if let Some(value) = body["value"].as_str() {
        write(store, &name, Secret::new(value), now);
    }
    Ok(Response::empty(204))
}
