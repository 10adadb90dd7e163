//! Secrets Manager as `moto` implements it (`pip install 'moto[server]'`), with the rules in front
//! that the service has and `moto` 5.2 does not:
//!
//! - a label that a version has is only moved by a request that names that version
//!   (`UpdateSecretVersionStage`); `moto` holds this of AWSCURRENT alone, and gives others twice;
//! - a `ClientRequestToken` that was used for another value is refused; `moto` takes it while the
//!   version has AWSPENDING.
//!
//! Not known to `moto`, and so not shown by these tests: limits of any kind, what is shown late,
//! the removal of versions without labels, who may do what, KMS. It also shows versions without
//! labels where the service does not; the store takes no notice of those.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::server::{Answer, answer, serve};

/// A server of `moto`, which ends with the test.
pub(crate) struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What goes wrong between the store and the service.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Fault {
    /// From the n-th request of that operation on (the first is 0), everything is refused, as if
    /// whoever asks had died.
    Dies(&'static str, usize),
    /// The first request of that operation is done and its answer lost.
    Loses(&'static str),
}

/// What came by, and what is to go wrong.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) fault: Option<Fault>,
    pub(crate) seen: Vec<String>,
}

impl Moto {
    /// Starts a server, where `moto_server` is installed: `$PULLPASS_TEST_MOTO` or in the path.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let program = std::env::var("PULLPASS_TEST_MOTO").unwrap_or("moto_server".into());
        let started = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            println!("skipped: {test}: moto_server is not installed");
            return None;
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.wait();
                println!("skipped: {test}: moto_server does not start");
                return None;
            };
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].trim().to_owned();
            }
        };
        // Its log must not fill up the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address of the service, behind its rules and what is to go wrong.
    pub(crate) fn wired(&self) -> (String, Arc<Mutex<Wire>>) {
        let wire = Arc::new(Mutex::new(Wire::default()));
        let shared = Arc::clone(&wire);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = self.url.clone();
        // One request at a time, so that what a rule has seen is so when the request is done.
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        let address = serve(move |parts, body| {
            let (client, url, shared) = (client.clone(), url.clone(), Arc::clone(&shared));
            let turn = Arc::clone(&turn);
            async move {
                let _turn = turn.lock().await;
                pass(&client, &url, &shared, &parts, body).await
            }
        });
        (address, wire)
    }
}

async fn pass(
    client: &reqwest::Client,
    url: &str,
    wire: &Mutex<Wire>,
    parts: &Parts,
    body: Bytes,
) -> Answer {
    let target = parts.headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    let mut lost = false;
    {
        let mut wire = wire.lock().unwrap();
        let before = wire.seen.iter().filter(|seen| **seen == operation).count();
        wire.seen.push(operation.clone());
        match wire.fault.clone() {
            Some(Fault::Dies(fatal, nth)) if fatal == operation && before >= nth => {
                // Nothing gets through any more.
                wire.fault = Some(Fault::Dies("", 0));
                return refusal(400, "AccessDeniedException", "it has died");
            }
            Some(Fault::Dies("", _)) => {
                return refusal(400, "AccessDeniedException", "it has died");
            }
            Some(Fault::Loses(fatal)) if fatal == operation => {
                wire.fault = None;
                lost = true;
            }
            _ => {}
        }
    }
    if let Some(refused) = broken_rule(client, url, parts, &operation, &body).await {
        return refused;
    }
    let (status, body) = ask(client, url, parts, &operation, body).await;
    match lost {
        true => refusal(500, "InternalServiceError", "something went wrong"),
        false => answer(status, body),
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "__type": code, "Message": message });
    answer(status, body.to_string())
}

async fn ask(
    client: &reqwest::Client,
    url: &str,
    parts: &Parts,
    operation: &str,
    body: Bytes,
) -> (u16, Bytes) {
    let mut request = client.post(url).body(body);
    for name in ["authorization", "content-type", "x-amz-date"] {
        if let Some(value) = parts.headers.get(name) {
            request = request.header(name, value.as_bytes());
        }
    }
    let target = format!("secretsmanager.{operation}");
    let answer = request.header("x-amz-target", target).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.bytes().await.unwrap())
}

async fn broken_rule(
    client: &reqwest::Client,
    url: &str,
    parts: &Parts,
    operation: &str,
    body: &Bytes,
) -> Option<Answer> {
    let request: Value = serde_json::from_slice(body).unwrap();
    let text = |name: &str| request[name].as_str().map(str::to_owned);
    match operation {
        "UpdateSecretVersionStage" => {
            let described = json!({ "SecretId": request["SecretId"] }).to_string();
            let (_, described) = ask(client, url, parts, "DescribeSecret", described.into()).await;
            let described: Value = serde_json::from_slice(&described).unwrap();
            let holder = described["VersionIdsToStages"]
                .as_object()?
                .iter()
                .find(|(_, labels)| {
                    let mut labels = labels.as_array().into_iter().flatten();
                    labels.any(|label| *label == request["VersionStage"])
                })
                .map(|(id, _)| id.clone());
            let from = text("RemoveFromVersionId");
            let moved = holder.is_some() && holder != text("MoveToVersionId");
            (moved && from != holder).then(|| {
                let message = "Staging label is currently attached to another version";
                refusal(400, "InvalidParameterException", message)
            })
        }
        "PutSecretValue" => {
            // Without labels, AWSCURRENT would move.
            assert!(request["VersionStages"].is_array(), "no labels are named");
            let wanted = json!({
                "SecretId": request["SecretId"],
                "VersionId": request["ClientRequestToken"],
            });
            let (status, there) = ask(
                client,
                url,
                parts,
                "GetSecretValue",
                wanted.to_string().into(),
            )
            .await;
            let there: Value = serde_json::from_slice(&there).unwrap();
            let taken = status == 200 && there["SecretString"] != request["SecretString"];
            taken.then(|| {
                let message = "You can't use that ClientRequestToken: it is in use";
                refusal(400, "ResourceExistsException", message)
            })
        }
        "GetSecretValue" => {
            let names = ["VersionId", "VersionStage"].map(|name| request[name].is_string());
            assert!(names.contains(&true), "a read names a version or a label");
            None
        }
        _ => None,
    }
}
