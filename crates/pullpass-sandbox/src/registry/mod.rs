//! The registry (the OCI distribution specification, v1.1) and its token service.
//!
//! The token service answers 200 even where it grants nothing: what was granted stands in the
//! token's `access`. A manifest's `GET` is a pull, its `HEAD` is free.

use serde_json::{Value, json};

use crate::http::{Place, Request, Response};
use crate::world::image::{DOCKER_LIST, OCI_INDEX};
use crate::world::registry::{Meter, Puller};
use crate::world::secret::Secret;
use crate::world::{World, keys};

mod token;

/// The name under which the registry is known to its token service.
pub(crate) const SERVICE: &str = "registry.docker.io";

/// Answers one request.
pub(crate) fn answer(world: &mut World, request: &Request, place: &Place) -> Response {
    let parts = request.parts();
    let answered = match (request.method.as_str(), parts.as_slice()) {
        ("GET" | "POST", ["token"]) => return token::answer(world, request, place),
        ("GET" | "HEAD", ["v2"]) => version(world, request, place),
        (_, ["v2", rest @ ..]) => Target::of(rest)
            .ok_or_else(|| error(404, "NAME_UNKNOWN", "repository name not known to registry"))
            .and_then(|target| content(world, request, place, &target)),
        _ => Err(error(404, "NAME_UNKNOWN", "not found")),
    };
    answered
        .unwrap_or_else(|refusal| refusal)
        .with("docker-distribution-api-version", "registry/2.0")
}

/// Who asks, for the journal.
pub(crate) fn identify(world: &World, request: &Request, place: &Place) -> Option<String> {
    match request.basic() {
        // Not whatever was typed: it could be a secret.
        Ok(Some((user, _))) => world.is_known(&user).then_some(user),
        _ => {
            let token = Access::of(world, &request.bearer()?, place)?;
            Some(token.puller.name().to_owned())
        }
    }
}

/// What a path under `/v2/` names.
struct Target {
    repository: String,
    kind: Kind,
    reference: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manifest,
    Blob,
    Tags,
    Upload,
}

impl Target {
    fn of(parts: &[&str]) -> Option<Self> {
        let (kind, name, reference) = match parts {
            [name @ .., "manifests", reference] => (Kind::Manifest, name, *reference),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", _] => {
                (Kind::Upload, name, "")
            }
            [name @ .., "blobs", digest] => (Kind::Blob, name, *digest),
            [name @ .., "tags", "list"] => (Kind::Tags, name, ""),
            _ => return None,
        };
        (!name.is_empty()).then(|| Self {
            repository: name.join("/"),
            kind,
            reference: reference.to_owned(),
        })
    }
}

/// What a bearer token of the token service grants.
struct Access {
    puller: Puller,
    granted: Value,
}

impl Access {
    fn of(world: &World, token: &Secret, place: &Place) -> Option<Self> {
        let claims = world.keys.verify(token, place.now.as_second())?;
        (claims["aud"] == SERVICE).then(|| Self {
            puller: match claims["sub"].as_str() {
                None | Some("") => Puller::Anonymous,
                Some(name) => Puller::Named(name.to_owned()),
            },
            granted: claims["access"].clone(),
        })
    }

    fn grants(&self, repository: &str, action: &str) -> bool {
        let entries = self
            .granted
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        entries.iter().any(|entry| {
            entry["name"] == repository
                && entry["actions"]
                    .as_array()
                    .is_some_and(|actions| actions.iter().any(|a| a == action))
        })
    }
}

fn version(world: &World, request: &Request, place: &Place) -> Result<Response, Response> {
    let signed_in = request
        .bearer()
        .and_then(|token| Access::of(world, &token, place))
        .is_some();
    if signed_in {
        Ok(Response::json(200, &json!({})))
    } else {
        Err(challenge(place, None, None))
    }
}

/// 401, with where to get a token and for what.
fn challenge(place: &Place, scope: Option<(&str, &str)>, problem: Option<&str>) -> Response {
    let mut header = format!(
        "Bearer realm=\"{}/token\",service=\"{SERVICE}\"",
        place.urls.registry
    );
    let mut detail = Value::Null;
    if let Some((repository, actions)) = scope {
        header.push_str(&format!(",scope=\"repository:{repository}:{actions}\""));
        detail =
            json!([{"Type": "repository", "Class": "", "Name": repository, "Action": actions}]);
    }
    if let Some(problem) = problem {
        header.push_str(&format!(",error=\"{problem}\""));
    }
    let body = json!({"errors": [{
        "code": "UNAUTHORIZED",
        "message": "authentication required",
        "detail": detail,
    }]});
    Response::json(401, &body).with("www-authenticate", header)
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(
        status,
        &json!({"errors": [{"code": code, "message": message}]}),
    )
}

fn content(
    world: &mut World,
    request: &Request,
    place: &Place,
    target: &Target,
) -> Result<Response, Response> {
    let repository = target.repository.as_str();
    let (action, asked) = if request.is_read() {
        ("pull", "pull")
    } else {
        ("push", "pull,push")
    };
    let scope = Some((repository, asked));
    let token = request
        .bearer()
        .ok_or_else(|| challenge(place, scope, None))?;
    let access = Access::of(world, &token, place)
        .ok_or_else(|| challenge(place, scope, Some("invalid_token")))?;
    if !access.grants(repository, action) {
        return Err(challenge(place, scope, Some("insufficient_scope")));
    }
    if !request.is_read() || target.kind == Kind::Upload {
        return Err(error(
            405,
            "UNSUPPORTED",
            "the sandbox's registry takes no pushes",
        ));
    }
    let found = world
        .registry
        .repositories
        .get(repository)
        .cloned()
        .ok_or_else(|| error(404, "NAME_UNKNOWN", "repository name not known to registry"))?;
    match target.kind {
        Kind::Manifest => {
            let unknown = || error(404, "MANIFEST_UNKNOWN", "manifest unknown");
            let (digest, manifest) = found.manifest(&target.reference).ok_or_else(unknown)?;
            // A client that does not know indexes gets the image for amd64.
            let (digest, manifest) = match &manifest.first {
                Some(first) if !takes_indexes(request) => {
                    found.manifest(first).ok_or_else(unknown)?
                }
                _ => (digest, manifest),
            };
            let counts = request.method == "GET" && !manifest.is_index();
            let limits = meter(world, request, place, &access.puller, counts)?;
            let mut response = Response::bytes(200, manifest.media_type, manifest.bytes.clone())
                .with("docker-content-digest", digest)
                .with("etag", format!("\"{digest}\""));
            response.headers.extend(limits);
            Ok(response)
        }
        Kind::Blob => {
            let blob = found
                .blobs
                .get(&target.reference)
                .ok_or_else(|| error(404, "BLOB_UNKNOWN", "blob unknown to registry"))?;
            debug_assert_eq!(keys::digest(blob), target.reference);
            Ok(
                Response::bytes(200, "application/octet-stream", blob.clone())
                    .with("docker-content-digest", target.reference.as_str()),
            )
        }
        Kind::Tags | Kind::Upload => {
            let tags: Vec<&String> = found.tags.keys().collect();
            Ok(Response::json(
                200,
                &json!({"name": repository, "tags": tags}),
            ))
        }
    }
}

fn takes_indexes(request: &Request) -> bool {
    request
        .headers
        .get_all("accept")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|accept| accept.contains(OCI_INDEX) || accept.contains(DOCKER_LIST))
}

/// Counts a pull, or refuses it; gives the headers that say what is left. Whoever is unmetered gets
/// none but the source.
fn meter(
    world: &mut World,
    request: &Request,
    place: &Place,
    puller: &Puller,
    counts: bool,
) -> Result<Vec<(&'static str, String)>, Response> {
    let meter = world.meter(puller, request.from);
    let left = world.remaining(&meter, place.now);
    if counts && left == Some(0) && place.limited {
        let name = puller.name().to_owned();
        *world.registry.refused.entry(name).or_default() += 1;
        let mut refusal = too_many(puller);
        refusal.headers.extend(headers(&meter, left));
        return Err(refusal);
    }
    if counts {
        world.count_pull(puller, &meter, place.now);
    }
    let left = world.remaining(&meter, place.now);
    Ok(headers(&meter, left))
}

fn headers(meter: &Meter, left: Option<usize>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("docker-ratelimit-source", meter.source.clone())];
    if let (Some((limit, window)), Some(left)) = (meter.limit, left) {
        headers.push(("ratelimit-limit", format!("{limit};w={window}")));
        headers.push(("ratelimit-remaining", format!("{left};w={window}")));
    }
    headers
}

/// 429, as who pulls too much gets it.
pub(crate) fn too_many(puller: &Puller) -> Response {
    let whose = match puller {
        Puller::Anonymous => "your unauthenticated pull rate limit",
        Puller::Named(_) => "your pull rate limit",
    };
    error(
        429,
        "TOOMANYREQUESTS",
        &format!("You have reached {whose}. https://www.docker.com/increase-rate-limit"),
    )
}
