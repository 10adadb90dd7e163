//! AWS Secrets Manager, as `moto` implements it.

use std::fs;
use std::net::Ipv4Addr;

use pullpass_sandbox::client;
use serde_json::Value;

use crate::moto_server::Server;
use crate::support::Fleet;

/// A server of `moto`.
pub(crate) struct Moto {
    pub(crate) url: String,
    _server: Server,
}

impl Moto {
    /// Starts one, where it is installed.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let server = Server::start(test)?;
        Some(Self {
            url: server.url.clone(),
            _server: server,
        })
    }

    /// Has the fleet keep its secrets here.
    pub(crate) fn keeps(&self, fleet: &mut Fleet) {
        Self::keeps_behind(&self.url, fleet);
    }

    /// The same, where the way here is another.
    pub(crate) fn keeps_behind(url: &str, fleet: &mut Fleet) {
        let path = fleet.path("pullpass.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("store = \"file\"", "store = \"aws\"");
        fs::write(path, text).unwrap();
        for (name, value) in [
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "not-a-real-secret"),
            ("AWS_REGION", "eu-west-1"),
        ] {
            fleet.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    /// One request to Secrets Manager, as nobody in particular.
    pub(crate) fn ask(&self, fleet: &Fleet, operation: &str, body: &Value) -> Value {
        let target = format!("secretsmanager.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/secretsmanager/aws4_request, \
                 SignedHeaders=host, Signature=0",
            ),
        ];
        let body = body.to_string();
        let sent = client::send(&self.url, Ipv4Addr::LOCALHOST, "POST", "/", &headers, body);
        let answer = fleet.block_on(sent).unwrap();
        assert!(answer.status < 300, "{operation}: {:?}", answer.body);
        answer.json()
    }
}
