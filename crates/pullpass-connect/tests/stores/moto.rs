//! Secrets Manager as `moto` implements it, with the rules in front
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

use std::sync::{Arc, Mutex};

use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use crate::moto_server::Server;
use crate::server::{Answer, answer, serve};

/// A server of `moto`, which ends with the test.
pub(crate) struct Moto(Server);

/// The way to it, behind the rules.
struct Way {
    client: reqwest::Client,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
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
    /// Starts a server, where one is installed.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Server::start(test).map(Self)
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// The address of the service, behind its rules and what is to go wrong.
    pub(crate) fn wired(&self) -> (String, Arc<Mutex<Wire>>) {
        let wire = Arc::new(Mutex::new(Wire::default()));
        let shared = Arc::clone(&wire);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let way = Arc::new(Way {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: self.0.url.clone(),
            log: Arc::clone(&self.0.log),
        });
        // One request at a time, so that what a rule has seen is so when the request is done.
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        let address = serve(move |parts, body| {
            let (way, shared, turn) = (Arc::clone(&way), Arc::clone(&shared), Arc::clone(&turn));
            async move {
                let _turn = turn.lock().await;
                pass(&way, &shared, &parts, body).await
            }
        });
        (address, wire)
    }
}

async fn pass(way: &Way, wire: &Mutex<Wire>, parts: &Parts, body: Bytes) -> Answer {
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
    if let Some(refused) = broken_rule(way, parts, &operation, &body).await {
        return refused;
    }
    let (status, body) = ask(way, parts, &operation, body).await;
    match lost {
        true => refusal(500, "InternalServiceError", "something went wrong"),
        false => answer(status, body),
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "__type": code, "Message": message });
    answer(status, body.to_string())
}

async fn ask(way: &Way, parts: &Parts, operation: &str, body: Bytes) -> (u16, Bytes) {
    let mut request = way.client.post(&way.url).body(body);
    for name in ["authorization", "content-type", "x-amz-date"] {
        if let Some(value) = parts.headers.get(name) {
            request = request.header(name, value.as_bytes());
        }
    }
    let target = format!("secretsmanager.{operation}");
    let answer = request.header("x-amz-target", target).send().await;
    let answer = answer.unwrap_or_else(|error| {
        panic!("{error:?}; moto says {:#?}", way.log.lock().unwrap());
    });
    let status = answer.status().as_u16();
    (status, answer.bytes().await.unwrap())
}

async fn broken_rule(way: &Way, parts: &Parts, operation: &str, body: &Bytes) -> Option<Answer> {
    let request: Value = serde_json::from_slice(body).unwrap();
    let text = |name: &str| request[name].as_str().map(str::to_owned);
    match operation {
        "UpdateSecretVersionStage" => {
            let described = json!({ "SecretId": request["SecretId"] }).to_string();
            let (_, described) = ask(way, parts, "DescribeSecret", described.into()).await;
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
            let (status, there) =
                ask(way, parts, "GetSecretValue", wanted.to_string().into()).await;
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
