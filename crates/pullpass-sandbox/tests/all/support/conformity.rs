//! What the sandbox takes and gives, held against the vendors' published descriptions.
//!
//! They are not a part of the project. Where they stand beside it (`../shared/specs`, or the folder
//! that `PULLPASS_SPECS` names), every request and answer of every test is checked; elsewhere the
//! test `the_vendors_descriptions_are_at_hand` says that nothing was.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pullpass_sandbox::client::Answer;
use serde_json::Value;

use super::{System, schema, yaml};

/// One vendor's description.
struct Description {
    document: Value,
    /// What stands before its paths.
    prefix: &'static str,
}

/// Where reality, as the vendors' clients meet it, is not what the description says: operation,
/// place in the answer, why.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    (
        "",
        "/images",
        "a list, of which the description forgets to say so",
    ),
    (
        "",
        "/next_page_token",
        "null on the last page, and described as a string",
    ),
    (
        "",
        "/stopped_at",
        "null while it runs, and described as a string",
    ),
    (
        "GET /v2/orgs/{org_name}/groups",
        "/next",
        "null on the last page, and described as a string",
    ),
    (
        "GET /v2/orgs/{org_name}/groups",
        "/previous",
        "null on the first page, and described as a string",
    ),
];

static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let given = std::env::var_os("PULLPASS_SPECS").map(PathBuf::from);
    let near = || {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("shared/specs"))
            .find(|folder| folder.is_dir())
    };
    given.or_else(near)
});

static HUB: LazyLock<Option<Description>> =
    LazyLock::new(|| Description::read("dockerhub.openapi.yaml", ""));
static CIRCLECI: LazyLock<Option<Description>> =
    LazyLock::new(|| Description::read("circleci.openapi.yaml", "/api/v2"));
static GITHUB: LazyLock<Option<Description>> =
    LazyLock::new(|| Description::read("github.openapi.json", ""));

impl Description {
    fn read(name: &str, prefix: &'static str) -> Option<Self> {
        let text = std::fs::read_to_string(FOLDER.as_ref()?.join(name)).ok()?;
        let document = if name.ends_with(".json") {
            serde_json::from_str(&text).unwrap()
        } else {
            yaml::parse(&text)
        };
        Some(Self { document, prefix })
    }

    /// The path's template and what is said of the method there.
    fn operation(&self, method: &str, path: &str) -> Option<(String, &Value)> {
        let path = path.strip_prefix(self.prefix)?;
        let path = path.split('?').next()?;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let method = match method {
            "HEAD" => "get".to_owned(),
            _ => method.to_ascii_lowercase(),
        };
        let paths = self.document["paths"].as_object()?;
        paths
            .iter()
            .filter(|(template, _)| matches(template, &parts))
            // Where several match, the one with the fewest holes is meant.
            .min_by_key(|(template, _)| template.matches('{').count())
            .and_then(|(template, item)| Some((template.clone(), item.get(&method)?)))
    }

    /// A reference's target, or the thing itself.
    fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(reference) => self
                .document
                .pointer(reference.trim_start_matches('#'))
                .unwrap_or(value),
            None => value,
        }
    }
}

/// A project slug is one hole and three parts.
fn matches(template: &str, parts: &[&str]) -> bool {
    let mut rest = parts;
    for hole in template.split('/').filter(|part| !part.is_empty()) {
        let takes = if hole == "{project-slug}" { 3 } else { 1 };
        let Some((taken, after)) = rest.split_at_checked(takes) else {
            return false;
        };
        if !hole.starts_with('{') && taken != [hole] {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// Checks one exchange; what is not described is not checked.
pub(crate) fn check(
    system: System,
    method: &str,
    path: &str,
    sent: Option<&Value>,
    answer: &Answer,
) {
    let description = match system {
        System::Hub => &*HUB,
        System::CircleCi => &*CIRCLECI,
        System::GitHub => &*GITHUB,
        System::Registry | System::Sandbox => return,
    };
    let Some(description) = description else {
        return;
    };
    let Some((template, operation)) = description.operation(method, path) else {
        return;
    };
    let name = format!(
        "{} {template}",
        if method == "HEAD" { "GET" } else { method }
    );
    let status = answer.status.to_string();
    let responses = &operation["responses"];
    let response = match responses.get(&status).or_else(|| responses.get("default")) {
        Some(response) => description.resolved(response),
        // Every vendor's server answers these, whether or not it says so of this operation.
        None if matches!(
            answer.status,
            400 | 401 | 403 | 404 | 409 | 422 | 429 | 500..
        ) =>
        {
            return;
        }
        None => panic!("{name}: the status {status} is not described"),
    };
    if answer.status < 300 {
        let request = description.resolved(&operation["requestBody"]);
        let schema = &request["content"]["application/json"]["schema"];
        if let (Some(sent), true) = (sent, schema.is_object()) {
            hold(description, schema, sent, &format!("{name}, the request"));
        }
    }
    let schema = &response["content"]["application/json"]["schema"];
    if method == "HEAD" || !schema.is_object() {
        return;
    }
    hold(
        description,
        schema,
        &answer.json(),
        &format!("{name}, the answer {status}"),
    );
}

fn hold(description: &Description, schema: &Value, given: &Value, what: &str) {
    let wrong: Vec<String> = schema::wrong(&description.document, schema, given)
        .into_iter()
        .filter(|(place, _)| {
            !EXCEPTIONS
                .iter()
                .any(|(operation, end, _)| what.starts_with(operation) && place.ends_with(end))
        })
        .map(|(place, error)| format!("{place}: {error}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "{what} is not as described:\n{}\n{given}",
        wrong.join("\n")
    );
}

/// Says whether there is anything to check against. A folder without the descriptions that are
/// looked for in it is a mistake.
pub(crate) fn say() {
    let Some(folder) = &*FOLDER else {
        println!("skipped: the vendors' descriptions (shared/specs) are not at hand");
        return;
    };
    println!("checked against the descriptions in {}", folder.display());
    for (description, path) in [
        (&*HUB, "/v2/orgs/acme/members"),
        (&*CIRCLECI, "/api/v2/project/gh/acme/shop/envvar"),
    ] {
        let known = description
            .as_ref()
            .and_then(|d| d.operation("GET", path))
            .is_some();
        assert!(known, "{path} is described");
    }
    if GITHUB.is_none() {
        println!("skipped: GitHub's description (github.openapi.json) is not among them");
    }
}
