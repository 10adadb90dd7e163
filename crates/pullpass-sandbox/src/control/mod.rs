//! `/_sandbox/…`: what controls the sandbox. It is on every port, and no fault or limit touches it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Request, Response, time};
use crate::runner;
use crate::shared::{Shared, lock};
use crate::vendor::Vendor;
use crate::world::account::SignUp;
use crate::world::build::Ci;
use crate::world::organisation::Role;
use crate::world::secret::Secret;

pub(crate) mod state;

/// Builds that run at the same time.
const RUNNERS: usize = 16;

type Reply = Result<Response, Response>;

/// Answers one request.
pub(crate) async fn answer(shared: &Arc<Shared>, request: &Request) -> Response {
    route(shared, request)
        .await
        .unwrap_or_else(|refusal| refusal)
}

fn wrong(text: &str) -> Response {
    Response::json(400, &json!({"error": text}))
}

fn body(request: &Request, known: &[&str]) -> Result<Value, Response> {
    let body = request
        .json()
        .filter(Value::is_object)
        .ok_or_else(|| wrong("the body is not a JSON object"))?;
    let unknown = body
        .as_object()
        .and_then(|fields| fields.keys().find(|key| !known.contains(&key.as_str())));
    match unknown {
        Some(unknown) => Err(wrong(&format!(
            "unknown field `{unknown}`; known: {}",
            known.join(", ")
        ))),
        None => Ok(body),
    }
}

async fn route(shared: &Arc<Shared>, request: &Request) -> Reply {
    let parts = request.parts();
    let rest = parts.get(1..).unwrap_or_default();
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(index(shared)),
        ("GET", ["state"]) => Ok(Response::json(200, &state::shown(shared))),
        ("GET", ["journal"]) => journal(shared, request),
        ("DELETE", ["journal"]) => {
            lock(&shared.journal).clear();
            Ok(Response::empty(204))
        }
        ("GET", ["faults"]) => Ok(Response::json(200, &lock(&shared.faults).shown())),
        ("POST", ["faults"]) => {
            let order = request
                .json()
                .ok_or_else(|| wrong("the body is not JSON"))?;
            let armed = lock(&shared.faults).arm(&order);
            armed
                .map(|armed| Response::json(201, &armed))
                .map_err(|text| wrong(&text))
        }
        ("DELETE", ["faults"]) => {
            lock(&shared.faults).disarm(None);
            Ok(Response::empty(204))
        }
        ("DELETE", ["faults", id]) => {
            let id = id.parse().map_err(|_| wrong("a fault's id is a number"))?;
            lock(&shared.faults).disarm(Some(id));
            Ok(Response::empty(204))
        }
        ("GET", ["clock"]) => Ok(clock_shown(shared.now())),
        ("POST", ["clock"]) => clock(shared, request),
        ("GET", ["builds"]) => Ok(Response::json(
            200,
            &shared.read(|world, _| state::builds(world)),
        )),
        ("POST", ["builds"]) => builds(shared, request).await,
        ("POST", ["people"]) => people(shared, request),
        ("POST", ["invitations", "accept"]) => accept(shared, request),
        ("GET", ["authenticator"]) => authenticator(shared, request),
        ("POST", ["fingerprint"]) => {
            let body = body(request, &["value"])?;
            let value = body["value"]
                .as_str()
                .ok_or_else(|| wrong("`value` is a text"))?;
            let fingerprint = shared.read(|world, _| world.keys.fingerprint(value));
            Ok(Response::json(200, &json!({"fingerprint": fingerprint})))
        }
        _ => Err(Response::json(
            404,
            &json!({"error": "there is no such thing here; GET /_sandbox lists what there is"}),
        )),
    }
}

fn index(shared: &Shared) -> Response {
    let body = json!({
        "schema": "pullpass.sandbox/1",
        "urls": {
            "hub": shared.urls.hub,
            "registry": shared.urls.registry,
            "circleci": shared.urls.circleci,
            "github": shared.urls.github,
            "sandbox": shared.urls.sandbox,
        },
        "endpoints": [
            "GET /_sandbox/state",
            "GET /_sandbox/journal?since=&vendor=", "DELETE /_sandbox/journal",
            "GET /_sandbox/faults", "POST /_sandbox/faults", "DELETE /_sandbox/faults/{id}",
            "GET /_sandbox/clock", "POST /_sandbox/clock",
            "GET /_sandbox/builds", "POST /_sandbox/builds",
            "POST /_sandbox/people", "POST /_sandbox/invitations/accept",
            "GET /_sandbox/authenticator?user=", "POST /_sandbox/fingerprint",
        ],
    });
    Response::json(200, &body)
}

fn journal(shared: &Shared, request: &Request) -> Reply {
    let since = match request.query("since") {
        None | Some("") => 0,
        Some(text) => text
            .parse()
            .map_err(|_| wrong("`since` is the number of an entry"))?,
    };
    let vendor = match request.query("vendor") {
        None | Some("") => None,
        Some(name) => {
            let names = Vendor::ALL.map(Vendor::name).join(", ");
            let unknown = || wrong(&format!("`vendor` is one of {names}"));
            Some(Vendor::named(name).ok_or_else(unknown)?)
        }
    };
    let shown = lock(&shared.journal).shown(since, vendor);
    Ok(Response::json(200, &shown))
}

fn clock_shown(now: Timestamp) -> Response {
    Response::json(
        200,
        &json!({"now": time::micros(now), "unix": now.as_second()}),
    )
}

/// Moves, sets or stops the world's clock.
fn clock(shared: &Shared, request: &Request) -> Reply {
    let body = body(request, &["advance_seconds", "set", "stopped"])?;
    let set = match &body["set"] {
        Value::Null => None,
        value => Some(
            value
                .as_str()
                .and_then(|text| text.parse::<Timestamp>().ok())
                .ok_or_else(|| wrong("`set` is a time of RFC 3339"))?,
        ),
    };
    let advance = match &body["advance_seconds"] {
        Value::Null => 0,
        value => value
            .as_i64()
            .filter(|seconds| seconds.abs() < 100 * 366 * 86_400)
            .ok_or_else(|| wrong("`advance_seconds` is a whole number, under a century"))?,
    };
    let now = shared.set_clock(|clock| {
        if let Some(set) = set {
            clock.moved = set.duration_since(clock.stopped.unwrap_or_else(Timestamp::now));
        }
        clock.moved = clock
            .moved
            .saturating_add(SignedDuration::from_secs(advance));
        match body["stopped"].as_bool() {
            Some(true) if clock.stopped.is_none() => clock.stopped = Some(Timestamp::now()),
            Some(false) => {
                if let Some(since) = clock.stopped.take() {
                    // It goes on from where it stopped.
                    let pause = Timestamp::now().duration_since(since);
                    clock.moved = clock.moved.saturating_sub(pause);
                }
            }
            _ => {}
        }
    });
    Ok(clock_shown(now))
}

/// Builds a project so many times, and waits for it.
async fn builds(shared: &Arc<Shared>, request: &Request) -> Reply {
    let body = body(request, &["project", "count", "ci"])?;
    let name = body["project"].as_str().unwrap_or_default();
    let count = body["count"].as_u64().unwrap_or(1);
    if !(1..=100_000).contains(&count) {
        return Err(wrong("`count` is a number from 1 to 100000"));
    }
    let project = shared
        .read(|world, _| world.builds.projects.get(name).cloned())
        .ok_or_else(|| wrong("`project` names no project of the sandbox"))?;
    let ci = match body["ci"].as_str() {
        Some("circleci") if project.circleci.is_some() => Ci::CircleCi,
        Some("github") if project.github.is_some() => Ci::GitHub,
        Some(_) => {
            return Err(wrong(
                "`ci` is circleci or github, where the project is built",
            ));
        }
        None if project.circleci.is_some() => Ci::CircleCi,
        None if project.github.is_some() => Ci::GitHub,
        None => return Err(wrong("this project is built nowhere")),
    };
    let mut running = JoinSet::new();
    let mut started = Vec::new();
    for _ in 0..count {
        if running.len() == RUNNERS {
            running.join_next().await;
        }
        let build = shared.change(|world, now| {
            let build = world.start_build(name, ci, now);
            world.builds.waiting.retain(|waiting| *waiting != build);
            build
        });
        started.push(build);
        running.spawn(runner::run(Arc::clone(shared), build));
    }
    while running.join_next().await.is_some() {}
    Ok(Response::json(
        200,
        &shared.read(|world, _| state::outcome(world, &started)),
    ))
}

/// Makes Docker IDs, as so many people who sign up and confirm would: `{"people": [{"name": …,
/// "email": …, "password": …}], "confirmed": true, "organization": …, "team": …}`.
fn people(shared: &Shared, request: &Request) -> Reply {
    let body = body(request, &["people", "confirmed", "organization", "team"])?;
    let list = body["people"]
        .as_array()
        .ok_or_else(|| wrong("`people` is a list"))?;
    let confirmed = body["confirmed"].as_bool().unwrap_or(true);
    let organization = body["organization"].as_str();
    shared.change(|world, now| {
        for person in list {
            let text = |name: &str| person[name].as_str().unwrap_or_default().to_owned();
            let name = text("name");
            let new = SignUp {
                name: name.clone(),
                email: text("email"),
                password: Secret::new(text("password")),
            };
            world
                .sign_up(new, now)
                .map_err(|problems| wrong(&format!("`{name}`: {}", problems.join(" "))))?;
            if let Some(account) = world.accounts.get_mut(&name) {
                account.confirmed = confirmed;
            }
            let Some(organization) = organization else {
                continue;
            };
            let organisation = world
                .organisations
                .get_mut(organization)
                .ok_or_else(|| wrong("`organization` names none"))?;
            organisation.set_role(&name, Role::Member, now);
            if let Some(team) = body["team"].as_str() {
                organisation
                    .groups
                    .get_mut(team)
                    .ok_or_else(|| wrong("`team` names none"))?
                    .members
                    .insert(name);
            }
        }
        Ok(Response::json(201, &json!({"made": list.len()})))
    })
}

/// The person with this Docker ID accepts every invitation that is open for them.
fn accept(shared: &Shared, request: &Request) -> Reply {
    let body = body(request, &["user"])?;
    let user = body["user"].as_str().unwrap_or_default();
    shared.change(|world, now| {
        let email = world
            .accounts
            .get(user)
            .ok_or_else(|| wrong("`user` names no Docker ID"))?
            .email
            .clone();
        let codes: Vec<Secret> = world
            .organisations
            .values()
            .flat_map(|o| &o.invitations)
            .filter(|i| i.invitee == user || i.invitee.eq_ignore_ascii_case(&email))
            .map(|i| i.code.clone())
            .collect();
        let accepted = codes
            .iter()
            .filter(|code| world.accept(code, user, now).is_ok())
            .count();
        Ok(Response::json(200, &json!({"accepted": accepted})))
    })
}

/// What the person's authenticator shows now.
fn authenticator(shared: &Shared, request: &Request) -> Reply {
    let user = request.query("user").unwrap_or_default();
    let code = shared.read(|world, now| {
        world
            .accounts
            .get(user)
            .filter(|account| account.second_factor)
            .map(|_| world.keys.second_factor(user, now.as_second()))
    });
    let code = code.ok_or_else(|| wrong("`user` names nobody with a second factor"))?;
    Ok(Response::json(200, &json!({"code": code.expose()})))
}
