//! Stands in for Vault: a KV engine of version 2, as much of it as the store asks for, written from
//! its API description ("KV secrets engine - version 2 (API)") because no Vault or OpenBao can be
//! installed where these tests run. It has check-and-set (`options.cas`, 0 only where there is no
//! version), versions, deletion of the newest one, `subkeys`, custom metadata, tokens and
//! namespaces. It shows that the store keeps to the description, not that Vault does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hyper::Method;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::server::{Answer, answer, serve};

/// The token that opens it.
pub(crate) const TOKEN: &str = "hvs.not-a-real-token";

#[derive(Default)]
struct Secret {
    /// `None` for a version that was deleted.
    versions: Vec<Option<Value>>,
    custom: Value,
}

/// What is in the engine, and what is to go wrong.
#[derive(Default)]
pub(crate) struct Kv {
    secrets: BTreeMap<String, Secret>,
    /// The next write is done, and its answer lost.
    pub(crate) loses: bool,
    /// The next write is lost on its way.
    pub(crate) drops: bool,
    /// `GET data`, `POST data`, …
    pub(crate) seen: Vec<String>,
}

impl Kv {
    /// What somebody else writes.
    pub(crate) fn put(&mut self, path: &str, data: Value) {
        let secret = self.secrets.entry(path.to_owned()).or_default();
        secret.versions.push(Some(data));
    }

    /// The newest version.
    pub(crate) fn newest(&self, path: &str) -> Value {
        let secret = self.secrets.get(path);
        let newest = secret.and_then(|secret| secret.versions.last().cloned());
        newest.flatten().unwrap_or_default()
    }

    pub(crate) fn delete_newest(&mut self, path: &str) {
        *self
            .secrets
            .get_mut(path)
            .unwrap()
            .versions
            .last_mut()
            .unwrap() = None;
    }

    pub(crate) fn set_custom(&mut self, path: &str, custom: Value) {
        self.secrets.get_mut(path).unwrap().custom = custom;
    }

    pub(crate) fn custom(&self, path: &str) -> Value {
        self.secrets[path].custom.clone()
    }
}

/// Serves an engine that is mounted at `secret`, in the namespace `team` too.
pub(crate) fn start() -> (String, Arc<Mutex<Kv>>) {
    let kv = Arc::new(Mutex::new(Kv::default()));
    let shared = Arc::clone(&kv);
    let url = serve(move |parts, body| {
        let answer = reply(&mut shared.lock().unwrap(), &parts, &body);
        async move { answer }
    });
    (url, kv)
}

fn errors(status: u16, messages: &[&str]) -> Answer {
    answer(status, json!({ "errors": messages }).to_string())
}

fn reply(kv: &mut Kv, parts: &Parts, body: &Bytes) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let signed = parts
        .headers
        .get("authorization")
        .is_some_and(|value| *value == *bearer);
    if !signed {
        return errors(403, &["permission denied"]);
    }
    let path = parts.uri.path();
    let engine = path
        .strip_prefix("/v1/team/secret/")
        .or(path.strip_prefix("/v1/secret/"));
    let Some((endpoint, path)) = engine.and_then(|rest| rest.split_once('/')) else {
        return errors(
            404,
            &[&format!(
                "no handler for route \"{path}\". route entry not found."
            )],
        );
    };
    kv.seen.push(format!("{} {endpoint}", parts.method));
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    match (&parts.method, endpoint) {
        (&Method::GET, "data" | "subkeys") => read(kv, endpoint, path),
        (&Method::POST, "data") => {
            if std::mem::take(&mut kv.drops) {
                return errors(502, &["bad gateway"]);
            }
            let written = write(kv, path, &request);
            match std::mem::take(&mut kv.loses) {
                true => errors(502, &["bad gateway"]),
                false => written,
            }
        }
        (&Method::POST, "metadata") => {
            let secret = kv.secrets.entry(path.to_owned()).or_default();
            secret.custom = request["custom_metadata"].clone();
            let custom = secret.custom.as_object().unwrap();
            assert!(custom.len() <= 64, "the engine takes 64 keys");
            assert!(
                custom.iter().all(|(key, value)| {
                    key.len() <= 128 && value.as_str().unwrap().len() <= 512
                })
            );
            answer(204, "")
        }
        _ => errors(405, &["unsupported operation"]),
    }
}

fn read(kv: &Kv, endpoint: &str, path: &str) -> Answer {
    let Some(secret) = kv
        .secrets
        .get(path)
        .filter(|secret| !secret.versions.is_empty())
    else {
        return errors(404, &[]);
    };
    let newest = secret.versions.last().unwrap();
    let shown = match endpoint {
        "subkeys" => newest.as_ref().map(names),
        _ => newest.clone(),
    };
    let deleted = if newest.is_some() {
        ""
    } else {
        "2026-01-05T10:00:00Z"
    };
    let body = json!({
        "data": {
            endpoint: shown,
            "metadata": {
                "created_time": "2026-01-05T09:00:00Z",
                "custom_metadata": secret.custom,
                "deletion_time": deleted,
                "destroyed": false,
                "version": secret.versions.len(),
            },
        },
    });
    answer(if newest.is_some() { 200 } else { 404 }, body.to_string())
}

fn write(kv: &mut Kv, path: &str, request: &Value) -> Answer {
    let secret = kv.secrets.entry(path.to_owned()).or_default();
    let cas = request["options"]["cas"].as_u64();
    if cas != u64::try_from(secret.versions.len()).ok() {
        return errors(
            400,
            &["check-and-set parameter did not match the current version"],
        );
    }
    secret.versions.push(Some(request["data"].clone()));
    answer(
        200,
        json!({ "data": { "version": secret.versions.len() } }).to_string(),
    )
}

/// Keys, without their values.
fn names(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), names(value)))
            .collect(),
        _ => Value::Null,
    }
}
