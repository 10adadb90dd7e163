//! AWS Secrets Manager, as `moto` implements it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::thread;

use pullpass_sandbox::client;
use serde_json::Value;

use crate::support::Fleet;

/// A process that ends with the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of `moto`.
pub(crate) struct Moto {
    pub(crate) url: String,
    _process: Ended,
}

impl Moto {
    /// Starts one, where it is installed: `$PULLPASS_TEST_MOTO` or in the path.
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
        let process = Ended(child);
        let url = loop {
            let Some(Ok(line)) = lines.next() else {
                println!("skipped: {test}: moto_server does not start");
                return None;
            };
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].trim().to_owned();
            }
        };
        // Read to the end, so that its log does not fill up the pipe.
        thread::spawn(move || lines.for_each(drop));
        Some(Self {
            url,
            _process: process,
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
