//! CircleCI's API v2, as its published description has it, and the `follow` of v1.1.

use serde_json::{Value, json};

use crate::http::{Page, Place, Request, Response, time};
use crate::world::World;
use crate::world::circleci::{Person, is_variable_name, masked, write};
use crate::world::secret::Secret;

mod contexts;
mod pipelines;

/// Entries of a page, where CircleCI documents none.
const PAGE: usize = 20;

type Reply = Result<Response, Response>;

struct Call<'c> {
    world: &'c mut World,
    request: &'c Request,
    place: &'c Place,
    person: Person,
}

/// Answers one request.
pub(crate) fn answer(world: &mut World, request: &Request, place: &Place) -> Response {
    let Some(person) = person(world, request).cloned() else {
        return message(401, "You must log in first.");
    };
    let mut call = Call {
        world,
        request,
        place,
        person,
    };
    route(&mut call).unwrap_or_else(|refusal| refusal)
}

/// Who asks, for the journal and the limits.
pub(crate) fn identify(world: &World, request: &Request, _: &Place) -> Option<String> {
    person(world, request).map(|person| person.login.clone())
}

fn person<'w>(world: &'w World, request: &Request) -> Option<&'w Person> {
    let given = request
        .header("circle-token")
        .map(Secret::new)
        .or_else(|| request.bearer())
        // The older form: the token is the user name, and there is no password.
        .or_else(|| {
            let (user, _) = request.basic().ok()??;
            Some(Secret::new(user))
        })?;
    world
        .circleci
        .people
        .iter()
        .find(|person| person.token.matches(&given))
}

pub(crate) fn message(status: u16, text: &str) -> Response {
    Response::json(status, &json!({"message": text}))
}

fn not_found(what: &str) -> Response {
    message(404, &format!("{what} not found"))
}

fn route(call: &mut Call<'_>) -> Reply {
    let request = call.request;
    let parts = request.parts();
    let method = request.method.as_str();
    match (method, parts.as_slice()) {
        ("GET", ["api", "v2", "me"]) => Ok(me(call)),
        ("GET", ["api", "v2", "me", "collaborations"]) => Ok(collaborations(call)),

        ("GET", ["api", "v2", "context"]) => contexts::list(call),
        ("POST", ["api", "v2", "context"]) => contexts::create(call),
        ("GET", ["api", "v2", "context", id]) => contexts::get(call, id),
        ("DELETE", ["api", "v2", "context", id]) => contexts::delete(call, id),
        ("GET", ["api", "v2", "context", id, "environment-variable"]) => {
            contexts::variables(call, id)
        }
        ("PUT", ["api", "v2", "context", id, "environment-variable", name]) => {
            contexts::write_variable(call, id, name)
        }
        ("DELETE", ["api", "v2", "context", id, "environment-variable", name]) => {
            contexts::delete_variable(call, id, name)
        }
        ("GET", ["api", "v2", "context", id, "restrictions"]) => contexts::restrictions(call, id),
        ("POST", ["api", "v2", "context", id, "restrictions"]) => contexts::restrict(call, id),
        ("DELETE", ["api", "v2", "context", id, "restrictions", restriction]) => {
            contexts::unrestrict(call, id, restriction)
        }

        ("GET", ["api", "v2", "pipeline", id]) => pipelines::get(call, id),
        ("GET", ["api", "v2", "pipeline", id, "workflow"]) => pipelines::workflows(call, id),
        ("GET", ["api", "v2", "workflow", id]) => pipelines::workflow(call, id),
        ("GET", ["api", "v2", "workflow", id, "job"]) => pipelines::jobs(call, id),
        ("GET", ["api", "v2", "projects", id, "pipeline-definitions"]) => {
            pipelines::definitions(call, id)
        }

        ("POST", ["api", "v1.1", "project", vcs, org, name, "follow"]) => {
            let slug = slug(call, [vcs, org, name])?;
            if let Some(project) = call.world.circleci.projects.get_mut(&slug) {
                project.followed = true;
            }
            Ok(Response::json(
                200,
                &json!({"following": true, "workflow": false, "first_build": null}),
            ))
        }
        (_, ["api", "v2", "project", vcs, org, name, rest @ ..]) => {
            let slug = slug(call, [vcs, org, name])?;
            match (method, rest) {
                ("GET", []) => Ok(project(call, &slug)),
                ("GET", ["envvar"]) => variables(call, &slug),
                ("POST", ["envvar"]) => write_variable(call, &slug),
                ("GET", ["envvar", name]) => variable(call, &slug, name),
                ("DELETE", ["envvar", name]) => delete_variable(call, &slug, name),
                ("GET", ["pipeline"]) => pipelines::list(call, &slug),
                ("POST", ["pipeline"]) => pipelines::trigger(call, &slug),
                ("POST", ["pipeline", "run"]) => pipelines::run(call, &slug),
                _ => Err(message(404, "Not found")),
            }
        }
        _ => Err(message(404, "Not found")),
    }
}

/// The canonical slug of a project that whoever asks can see.
fn slug(call: &Call<'_>, parts: [&str; 3]) -> Result<String, Response> {
    call.world
        .circleci
        .slug(parts)
        .ok_or_else(|| not_found("Project"))
}

fn body(call: &Call<'_>) -> Result<Value, Response> {
    call.request
        .json()
        .filter(Value::is_object)
        .ok_or_else(|| message(400, "Request body is not a JSON object."))
}

/// A list in pages. The token of the next page is opaque to clients; here it is the page's number.
fn pages<T>(
    call: &Call<'_>,
    all: impl IntoIterator<Item = T>,
    show: impl Fn(T) -> Value,
) -> Result<Response, Response> {
    let number = match call.request.query("page-token") {
        None | Some("") => 1,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| message(400, "Invalid page token."))?,
    };
    let page = Page::of(all, number, PAGE);
    let next = page.has_next().then(|| format!("page-{}", page.number + 1));
    let items: Vec<Value> = page.items.into_iter().map(show).collect();
    Ok(Response::json(
        200,
        &json!({"items": items, "next_page_token": next}),
    ))
}

fn me(call: &Call<'_>) -> Response {
    let person = &call.person;
    Response::json(
        200,
        &json!({"id": person.id, "login": person.login, "name": person.name}),
    )
}

fn collaborations(call: &Call<'_>) -> Response {
    let circleci = &call.world.circleci;
    let shown = |vcs: &str, slug: String| {
        json!({
            "id": circleci.organisation_id,
            "vcs-type": vcs,
            "name": circleci.organisation,
            "avatar_url": "",
            "slug": slug,
        })
    };
    let body = json!([
        shown("github", format!("gh/{}", circleci.organisation)),
        shown("circleci", format!("circleci/{}", circleci.organisation_id)),
    ]);
    Response::json(200, &body)
}

fn project(call: &Call<'_>, slug: &str) -> Response {
    let circleci = &call.world.circleci;
    let Some(project) = circleci.projects.get(slug) else {
        return not_found("Project");
    };
    let mut parts = slug.split('/');
    let (vcs, org) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let (provider, url) = match vcs {
        "gh" => (
            "GitHub",
            format!("https://github.com/{org}/{}", project.name),
        ),
        "bb" => (
            "Bitbucket",
            format!("https://bitbucket.org/{org}/{}", project.name),
        ),
        _ => ("CircleCI", format!("//circleci.com/{org}/{}", project.id)),
    };
    let body = json!({
        "slug": slug,
        "name": project.name,
        "id": project.id,
        "organization_name": circleci.organisation,
        "organization_slug": format!("{vcs}/{org}"),
        "organization_id": circleci.organisation_id,
        "vcs_info": {"vcs_url": url, "provider": provider, "default_branch": "main"},
    });
    Response::json(200, &body)
}

fn variables(call: &Call<'_>, slug: &str) -> Reply {
    let project = call.world.circleci.projects.get(slug);
    let variables = project.into_iter().flat_map(|p| &p.variables);
    pages(call, variables, |(name, variable)| {
        json!({
            "name": name,
            "value": masked(&variable.value),
            "created-at": time::millis(variable.created),
        })
    })
}

/// Makes a variable, or writes over it: 201 both times.
fn write_variable(call: &mut Call<'_>, slug: &str) -> Reply {
    let body = body(call)?;
    let (Some(name), Some(value)) = (body["name"].as_str(), body["value"].as_str()) else {
        return Err(message(400, "name and value are required."));
    };
    if !is_variable_name(name) {
        return Err(message(
            400,
            "Name must be alphanumeric and underscore, and not begin with a digit.",
        ));
    }
    let value = Secret::new(value);
    let shown = json!({
        "name": name,
        "value": masked(&value),
        "created-at": time::millis(call.place.now),
    });
    let project = call
        .world
        .circleci
        .projects
        .get_mut(slug)
        .ok_or_else(|| not_found("Project"))?;
    write(&mut project.variables, name, value, call.place.now);
    Ok(Response::json(201, &shown))
}

fn variable(call: &Call<'_>, slug: &str, name: &str) -> Reply {
    let variable = call
        .world
        .circleci
        .projects
        .get(slug)
        .and_then(|project| project.variables.get(name))
        .ok_or_else(|| not_found("Environment variable"))?;
    let shown = json!({
        "name": name,
        "value": masked(&variable.value),
        "created-at": time::millis(variable.created),
    });
    Ok(Response::json(200, &shown))
}

fn delete_variable(call: &mut Call<'_>, slug: &str, name: &str) -> Reply {
    call.world
        .circleci
        .projects
        .get_mut(slug)
        .and_then(|project| project.variables.remove(name))
        .ok_or_else(|| not_found("Environment variable"))?;
    Ok(message(200, "Environment variable deleted."))
}
