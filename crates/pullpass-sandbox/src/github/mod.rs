//! GitHub's REST API, as far as secrets, variables and workflow runs go.

use serde_json::{Value, json};

use crate::http::{Page, Place, Request, Response, number, time};
use crate::world::World;
use crate::world::github::{GhPerson, GhRepository};
use crate::world::secret::Secret;

mod runs;
mod secrets;
mod variables;

type Reply = Result<Response, Response>;

struct Call<'c> {
    world: &'c mut World,
    request: &'c Request,
    place: &'c Place,
    person: GhPerson,
}

/// Answers one request.
pub(crate) fn answer(world: &mut World, request: &Request, place: &Place) -> Response {
    let Some(person) = person(world, request).cloned() else {
        let text = if request.header("authorization").is_some() {
            "Bad credentials"
        } else {
            "Requires authentication"
        };
        return message(401, text);
    };
    let scopes = person.scopes;
    let mut call = Call {
        world,
        request,
        place,
        person,
    };
    route(&mut call)
        .unwrap_or_else(|refusal| refusal)
        .with("x-oauth-scopes", scopes)
}

/// Who asks, for the journal and the limits.
pub(crate) fn identify(world: &World, request: &Request, _: &Place) -> Option<String> {
    person(world, request).map(|person| person.login.clone())
}

fn person<'w>(world: &'w World, request: &Request) -> Option<&'w GhPerson> {
    let given = request
        .bearer()
        .or_else(|| request.authorization("token").map(Secret::new))
        .or_else(|| Some(request.basic().ok()??.1))?;
    world
        .github
        .people
        .iter()
        .find(|person| person.token.matches(&given))
}

pub(crate) fn message(status: u16, text: &str) -> Response {
    let body = json!({
        "message": text,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Response::json(status, &body)
}

fn not_found() -> Response {
    message(404, "Not Found")
}

/// 422, with which field is wrong.
fn unprocessable(field: &str, text: &str) -> Response {
    let body = json!({
        "message": text,
        "errors": [{"resource": "Secret", "field": field, "code": "invalid"}],
        "documentation_url": "https://docs.github.com/rest",
        "status": "422",
    });
    Response::json(422, &body)
}

fn route(call: &mut Call<'_>) -> Reply {
    let request = call.request;
    let parts = request.parts();
    let method = request.method.as_str();
    match (method, parts.as_slice()) {
        ("GET", ["user"]) => Ok(user(call)),
        ("GET", ["rate_limit"]) => Ok(Response::json(200, &json!({"resources": {}, "rate": {}}))),
        (_, ["orgs", org, "actions", "secrets", rest @ ..]) => {
            secrets::route(call, &secrets::Scope::Organisation((*org).to_owned()), rest)
        }
        (_, ["orgs", org, "dependabot", "secrets", rest @ ..]) => {
            let scope = secrets::Scope::OrganisationDependabot((*org).to_owned());
            secrets::route(call, &scope, rest)
        }
        (_, ["orgs", org, "actions", "variables", rest @ ..]) => {
            let scope = variables::Scope::Organisation((*org).to_owned());
            variables::route(call, &scope, rest)
        }
        (_, ["repos", owner, name, rest @ ..]) => {
            let full = format!("{owner}/{name}");
            if !call.world.github.repositories.contains_key(&full) {
                return Err(not_found());
            }
            repository(call, method, &full, rest)
        }
        _ => Err(not_found()),
    }
}

fn repository(call: &mut Call<'_>, method: &str, full: &str, rest: &[&str]) -> Reply {
    let name = full.to_owned();
    match (method, rest) {
        ("GET", []) => {
            let found = call.world.github.repositories.get(full);
            Ok(Response::json(
                200,
                &found.map_or(Value::Null, |r| shown(call, full, r)),
            ))
        }
        (_, ["actions", "secrets", rest @ ..]) => {
            secrets::route(call, &secrets::Scope::Repository(name), rest)
        }
        (_, ["dependabot", "secrets", rest @ ..]) => {
            secrets::route(call, &secrets::Scope::Dependabot(name), rest)
        }
        (_, ["environments", environment, "secrets", rest @ ..]) => {
            let scope = secrets::Scope::Environment(name, (*environment).to_owned());
            secrets::route(call, &scope, rest)
        }
        (_, ["environments", environment, "variables", rest @ ..]) => {
            let scope = variables::Scope::Environment(name, (*environment).to_owned());
            variables::route(call, &scope, rest)
        }
        (_, ["actions", "variables", rest @ ..]) => {
            variables::route(call, &variables::Scope::Repository(name), rest)
        }
        ("GET", ["environments"]) => runs::environments(call, full),
        ("GET", ["actions", "workflows"]) => runs::workflows(call, full),
        ("POST", ["actions", "workflows", workflow, "dispatches"]) => {
            runs::dispatch(call, full, workflow)
        }
        ("GET", ["actions", "runs"]) => runs::list(call, full, None),
        ("GET", ["actions", "workflows", workflow, "runs"]) => {
            runs::list(call, full, Some(workflow))
        }
        ("GET", ["actions", "runs", id]) => runs::get(call, full, id),
        ("GET", ["actions", "runs", id, "jobs"]) => runs::jobs(call, full, id),
        _ => Err(not_found()),
    }
}

fn body(call: &Call<'_>) -> Result<Value, Response> {
    call.request
        .json()
        .filter(Value::is_object)
        .ok_or_else(|| message(400, "Problems parsing JSON"))
}

/// A list in pages, under `name`, with `Link` to the others.
fn pages<T>(
    call: &Call<'_>,
    name: &str,
    all: impl IntoIterator<Item = T>,
    default_size: usize,
    show: impl Fn(T) -> Value,
) -> Response {
    let page = Page::of(
        all,
        number(call.request, "page", 1),
        number(call.request, "per_page", default_size).min(100),
    );
    let link = |to: usize, relation: &str| {
        format!(
            "<{}{}?per_page={}&page={to}>; rel=\"{relation}\"",
            call.place.urls.github, call.request.path, page.size
        )
    };
    let mut links = Vec::new();
    if page.number > 1 {
        links.push(link(page.number - 1, "prev"));
    }
    if page.has_next() {
        links.push(link(page.number + 1, "next"));
        links.push(link(page.last(), "last"));
    }
    if page.number > 1 {
        links.push(link(1, "first"));
    }
    let items: Vec<Value> = page.items.into_iter().map(show).collect();
    let response = Response::json(200, &json!({"total_count": page.total, name: items}));
    if links.is_empty() {
        response
    } else {
        response.with("link", links.join(", "))
    }
}

fn person_shown(login: &str, id: u64) -> Value {
    let url = format!("https://api.github.com/users/{login}");
    json!({
        "login": login,
        "id": id,
        "node_id": format!("U_{id}"),
        "avatar_url": "",
        "gravatar_id": "",
        "url": url,
        "html_url": format!("https://github.com/{login}"),
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": "User",
        "site_admin": false,
    })
}

fn user(call: &Call<'_>) -> Response {
    let person = &call.person;
    let mut shown = person_shown(&person.login, person.id);
    let more = json!({
        "name": person.name, "company": null, "blog": "", "location": null, "email": null,
        "hireable": null, "bio": null, "public_repos": 0, "public_gists": 0, "followers": 0,
        "following": 0, "created_at": time::seconds(call.place.now),
        "updated_at": time::seconds(call.place.now),
    });
    if let (Some(shown), Some(more)) = (shown.as_object_mut(), more.as_object()) {
        shown.extend(more.clone());
    }
    Response::json(200, &shown)
}

/// A repository as other objects carry it.
fn minimal(call: &Call<'_>, full: &str, repository: &GhRepository) -> Value {
    let (owner, name) = full.split_once('/').unwrap_or(("", full));
    let id = call
        .world
        .github
        .organisations
        .get(owner)
        .map_or(0, |o| o.id);
    let url = format!("https://api.github.com/repos/{full}");
    let mut shown = json!({
        "id": repository.id,
        "node_id": format!("R_{}", repository.id),
        "name": name,
        "full_name": full,
        "private": repository.private,
        "owner": person_shown(owner, id),
        "html_url": format!("https://github.com/{full}"),
        "description": null,
        "fork": false,
        "url": url,
    });
    for (field, path) in REPOSITORY_URLS {
        shown[field] = format!("{url}{path}").into();
    }
    shown
}

/// Addresses that every repository names.
const REPOSITORY_URLS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("tarball_url", "/tarball"),
];

fn shown(call: &Call<'_>, full: &str, repository: &GhRepository) -> Value {
    let mut shown = minimal(call, full, repository);
    let created = time::seconds(repository.created);
    let more = json!({
        "git_url": format!("git://github.com/{full}.git"),
        "ssh_url": format!("git@github.com:{full}.git"),
        "clone_url": format!("https://github.com/{full}.git"),
        "svn_url": format!("https://github.com/{full}"),
        "mirror_url": null, "homepage": null, "language": null, "license": null,
        "forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0,
        "size": 0, "open_issues_count": 0, "open_issues": 0, "default_branch": "main",
        "is_template": false, "topics": [], "has_issues": true, "has_projects": true,
        "has_wiki": true, "has_pages": false, "has_downloads": true, "has_discussions": false,
        "archived": false, "disabled": false, "visibility": if repository.private {"private"} else {"public"},
        "pushed_at": created, "created_at": created, "updated_at": created,
        "permissions": {"admin": true, "maintain": true, "push": true, "triage": true, "pull": true},
        "network_count": 0, "subscribers_count": 0,
    });
    if let (Some(shown), Some(more)) = (shown.as_object_mut(), more.as_object()) {
        shown.extend(more.clone());
    }
    shown
}
