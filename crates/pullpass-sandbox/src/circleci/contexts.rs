//! Contexts: variables that several projects share, and who may use them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Call, Reply, body, message, not_found, pages};
use crate::http::{Response, time};
use crate::world::circleci::{Context, Restriction, Variable, is_variable_name, write};
use crate::world::secret::Secret;

fn shown(context: &Context) -> Value {
    json!({"id": context.id, "name": context.name, "created_at": time::millis(context.created)})
}

fn shown_variable(context: &Context, name: &str, variable: &Variable) -> Value {
    json!({
        "variable": name,
        "context_id": context.id,
        "created_at": time::millis(variable.created),
        "updated_at": time::millis(variable.updated),
    })
}

fn context<'c>(call: &'c mut Call<'_>, id: &str) -> Result<&'c mut Context, Response> {
    call.world
        .circleci
        .contexts
        .iter_mut()
        .find(|context| context.id == id)
        .ok_or_else(|| not_found("Context"))
}

/// Whether this names the organisation.
fn is_owner(call: &Call<'_>, id: Option<&str>, slug: Option<&str>) -> bool {
    let circleci = &call.world.circleci;
    let slugs =
        ["gh", "github", "bb", "bitbucket"].map(|vcs| format!("{vcs}/{}", circleci.organisation));
    match (id, slug) {
        (Some(id), _) => id == circleci.organisation_id,
        (None, Some(slug)) => {
            slugs.iter().any(|known| known == slug)
                || slug == format!("circleci/{}", circleci.organisation_id)
        }
        (None, None) => false,
    }
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    let (id, slug) = (
        call.request.query("owner-id"),
        call.request.query("owner-slug"),
    );
    if id.is_none() && slug.is_none() {
        return Err(message(400, "owner-id or owner-slug is required."));
    }
    if !is_owner(call, id, slug) {
        return Err(not_found("Owner"));
    }
    pages(call, &call.world.circleci.contexts, shown)
}

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let body = body(call)?;
    let owner = &body["owner"];
    if !is_owner(call, owner["id"].as_str(), owner["slug"].as_str()) {
        return Err(not_found("Owner"));
    }
    let name = body["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(message(400, "name is required."));
    }
    if call.world.circleci.contexts.iter().any(|c| c.name == name) {
        return Err(message(409, "A context of this name exists."));
    }
    let made = Context {
        id: call.world.dice.uuid(),
        name: name.to_owned(),
        created: call.place.now,
        variables: BTreeMap::new(),
        restrictions: Vec::new(),
    };
    let response = Response::json(200, &shown(&made));
    call.world.circleci.contexts.push(made);
    Ok(response)
}

pub(super) fn get(call: &mut Call<'_>, id: &str) -> Reply {
    let context = context(call, id)?;
    Ok(Response::json(200, &shown(context)))
}

pub(super) fn delete(call: &mut Call<'_>, id: &str) -> Reply {
    context(call, id)?;
    call.world.circleci.contexts.retain(|c| c.id != id);
    Ok(message(200, "Context deleted."))
}

pub(super) fn variables(call: &mut Call<'_>, id: &str) -> Reply {
    let context = context(call, id)?.clone();
    pages(call, &context.variables, |(name, variable)| {
        shown_variable(&context, name, variable)
    })
}

pub(super) fn write_variable(call: &mut Call<'_>, id: &str, name: &str) -> Reply {
    let now = call.place.now;
    let body = body(call)?;
    let value = body["value"]
        .as_str()
        .map(Secret::new)
        .ok_or_else(|| message(400, "value is required."))?;
    if !is_variable_name(name) {
        return Err(message(400, "This is not the name of a variable."));
    }
    let context = context(call, id)?;
    write(&mut context.variables, name, value, now);
    let shown = context
        .variables
        .get(name)
        .map(|variable| shown_variable(context, name, variable));
    Ok(Response::json(200, &shown.unwrap_or_default()))
}

/// Deleting what is not there is no error.
pub(super) fn delete_variable(call: &mut Call<'_>, id: &str, name: &str) -> Reply {
    context(call, id)?.variables.remove(name);
    Ok(message(200, "Environment variable deleted."))
}

fn shown_restriction(call: &Call<'_>, context: &str, restriction: &Restriction) -> Value {
    let project = call
        .world
        .circleci
        .projects
        .values()
        .find(|p| p.id == restriction.value);
    let mut shown = json!({
        "context_id": context,
        "id": restriction.id,
        "restriction_type": restriction.kind,
        "restriction_value": restriction.value,
    });
    if let Some(project) = project {
        shown["project_id"] = project.id.clone().into();
        shown["name"] = project.name.clone().into();
    }
    shown
}

pub(super) fn restrictions(call: &mut Call<'_>, id: &str) -> Reply {
    let context = context(call, id)?.clone();
    pages(call, &context.restrictions, |restriction| {
        shown_restriction(call, id, restriction)
    })
}

pub(super) fn restrict(call: &mut Call<'_>, id: &str) -> Reply {
    let body = body(call)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let kind = match text("restriction_type").as_str() {
        "" => "project".to_owned(),
        _ => text("restriction_type"),
    };
    let value = match text("restriction_value").as_str() {
        "" => text("project_id"),
        _ => text("restriction_value"),
    };
    if !matches!(kind.as_str(), "project" | "expression") || value.is_empty() {
        return Err(message(
            400,
            "restriction_type or restriction_value is wrong.",
        ));
    }
    let known = call.world.circleci.projects.values().any(|p| p.id == value);
    if kind == "project" && !known {
        return Err(not_found("Project"));
    }
    let restriction = Restriction {
        id: call.world.dice.uuid(),
        kind,
        value,
    };
    context(call, id)?.restrictions.push(restriction.clone());
    let mut shown = shown_restriction(call, id, &restriction);
    if let Some(shown) = shown.as_object_mut() {
        shown.remove("context_id");
    }
    Ok(Response::json(201, &shown))
}

pub(super) fn unrestrict(call: &mut Call<'_>, id: &str, restriction: &str) -> Reply {
    let context = context(call, id)?;
    let before = context.restrictions.len();
    context.restrictions.retain(|r| r.id != restriction);
    if context.restrictions.len() == before {
        return Err(not_found("Restriction"));
    }
    Ok(message(200, "Context restriction deleted."))
}
