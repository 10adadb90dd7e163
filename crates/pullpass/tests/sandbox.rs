//! `pullpass sandbox` as a program.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A sandbox that is running; ended with the test.
struct Running {
    child: Child,
    told: Value,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pullpass"))
            .args(["sandbox", "--format", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            child,
            told: serde_json::from_str(&line).unwrap(),
        }
    }

    /// Sends a signal and waits for the end.
    fn end(mut self, signal: &str) -> i32 {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a shell has after sourcing the file.
fn sourced(file: &Path) -> BTreeMap<String, String> {
    let output = Command::new("sh")
        .args(["-c", "set -a; . \"$0\"; env"])
        .arg(file)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A request over HTTP/1.0; the whole answer.
fn ask(url: &str, method: &str, path: &str, header: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\n{header}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_ready_file_has_addresses_and_credentials_that_work() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.env");
    // One from an earlier run says nothing of this one.
    fs::write(&file, "PULLPASS_HUB_URL=http://127.0.0.1:1\n").unwrap();
    let running = Running::start(&["--ready-file", file.to_str().unwrap()]);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let environment = sourced(&file);
    let value = |name: &str| environment[name].as_str();
    for (name, told) in [
        ("PULLPASS_HUB_URL", &running.told["urls"]["hub"]),
        ("PULLPASS_REGISTRY_URL", &running.told["urls"]["registry"]),
        ("PULLPASS_CIRCLECI_URL", &running.told["urls"]["circleci"]),
        ("PULLPASS_GITHUB_URL", &running.told["urls"]["github"]),
        ("PULLPASS_SANDBOX_URL", &running.told["urls"]["sandbox"]),
        ("PULLPASS_REGISTRY_HOST", &running.told["registry_host"]),
    ] {
        assert_eq!(told, value(name), "{name}");
        assert!(value(name).contains("127.0.0.1:"), "{name}");
    }
    let body = format!(
        r#"{{"identifier": "{}", "secret": "{}"}}"#,
        value("PULLPASS_HUB_USER"),
        value("PULLPASS_HUB_SECRET")
    );
    let hub = ask(
        value("PULLPASS_HUB_URL"),
        "POST",
        "/v2/auth/token",
        "",
        &body,
    );
    assert!(
        hub.contains(" 200 ") && hub.contains("access_token"),
        "{hub}"
    );
    let header = format!("Circle-Token: {}\r\n", value("CIRCLECI_TOKEN"));
    let circleci = ask(
        value("PULLPASS_CIRCLECI_URL"),
        "GET",
        "/api/v2/me",
        &header,
        "",
    );
    assert!(circleci.contains("acme-operator"), "{circleci}");
    let header = format!("Authorization: Bearer {}\r\n", value("GITHUB_TOKEN"));
    let github = ask(value("PULLPASS_GITHUB_URL"), "GET", "/user", &header, "");
    assert!(github.contains("acme-operator"), "{github}");
    let journal = ask(
        value("PULLPASS_HUB_URL"),
        "GET",
        "/_sandbox/journal",
        "",
        "",
    );
    assert!(journal.contains("/v2/auth/token"), "{journal}");
    assert!(!journal.contains(value("PULLPASS_HUB_SECRET")), "{journal}");
    assert_eq!(running.end("-INT"), 130);
    assert!(!file.exists());
}

#[test]
fn a_program_ends_it_with_a_signal_and_code_0() {
    assert_eq!(Running::start(&[]).end("-TERM"), 0);
}

#[test]
fn the_organisation_can_be_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("org.toml");
    fs::write(
        &file,
        "[organization]\nname = \"globex\"\n[generate]\nprojects = 5\n",
    )
    .unwrap();
    let running = Running::start(&["--org", file.to_str().unwrap(), "--limits", "none"]);
    let state = ask(
        running.told["urls"]["sandbox"].as_str().unwrap(),
        "GET",
        "/_sandbox/state",
        "",
        "",
    );
    assert!(state.contains("gh/globex/project00004"), "{state}");
}

#[test]
fn wrong_usage_is_answered_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("org.toml");
    fs::write(&file, "[[project]]\nname = \"x\"\nimage = \"alpine\"\n").unwrap();
    for (arguments, words) in [
        (
            &["--faults", "lost-responce"][..],
            "did you mean `lost-response`?",
        ),
        (&["--fault-rate", "5"], "a number from 0 to 1"),
        (&["--latency", "80"], "write it as 80ms or 1.5s"),
        (&["--org", file.to_str().unwrap()], "did you mean `images`?"),
        (&["--org", "/nowhere/org.toml"], "there is no such file"),
    ] {
        let output = support::pullpass()
            .arg("sandbox")
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
