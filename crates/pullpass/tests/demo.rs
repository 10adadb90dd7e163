//! `pullpass demo` as a program.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Every command that the story shows.
const ACTS: [&str; 7] = [
    "audit", "fix", "onboard", "apply", "rotate", "revoke", "verify",
];

/// What no secret of the demo is without: tokens, and the key of the store.
const SECRETS: [&str; 3] = ["dckr_", "AGE-SECRET-KEY", "HUB_SECRET="];

fn demo(arguments: &[&str], folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pullpass"))
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", folder)
        .env("HOME", folder)
        .env("NO_COLOR", "1")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// An act by its name.
fn act<'a>(acts: &'a [Value], name: &str) -> &'a Value {
    acts.iter()
        .find(|act| act["act"] == name)
        .map(|act| &act["figures"])
        .unwrap_or_else(|| panic!("no act {name}: {acts:?}"))
}

fn interrupt(child: &mut Child, signal: &str) -> i32 {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    child.wait().unwrap().code().unwrap()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn it_goes_as_told_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&[], folder.path()).wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let mut at = 0;
    for (number, name) in ACTS.iter().enumerate() {
        let heading = format!("\n{}. ", number + 1);
        let command = format!("\n   $ pullpass {name}");
        let found = stdout[at..]
            .find(&heading)
            .and_then(|from| Some(from + stdout[at + from..].find(&command)?))
            .unwrap_or_else(|| panic!("no act {name} after byte {at}: {stdout}"));
        at += found;
    }
    assert!(stdout.contains("429 toomanyrequests"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");
    // Builds went on all the while.
    assert!(!stdout.contains("no use of the new one"), "{stdout}");
    for secret in SECRETS {
        assert!(!stdout.contains(secret) && !stderr.contains(secret));
    }
    assert_eq!(stderr, "");
    assert!(is_empty(folder.path()));
}

#[test]
fn what_is_kept_can_be_used_and_its_figures_hold_until_it_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(&["--keep", "--format", "json"], folder.path());
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut acts: Vec<Value> = Vec::new();
    let mut text = String::new();
    let kept = loop {
        let mut line = String::new();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "{acts:?}");
        text.push_str(&line);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["schema"], "pullpass.demo/1");
        if value["act"] == "kept" {
            break value;
        }
        acts.push(value);
    };
    let names: Vec<&str> = acts.iter().map(|a| a["act"].as_str().unwrap()).collect();
    assert_eq!(names, ACTS);
    // Before: nobody is signed in, and strangers use up what the machines' addresses may pull.
    assert_eq!(act(&acts, "audit")["anonymous"], 6);
    assert_eq!(act(&acts, "audit")["failed"], 24);
    // After: everybody is.
    assert_eq!(act(&acts, "fix")["authenticated"], 10);
    assert_eq!(act(&acts, "apply")["builds"], 24);
    assert_eq!(act(&acts, "apply")["failed"], 0);
    assert_eq!(act(&acts, "apply")["changes_of_a_second_apply"], 0);
    assert!(act(&acts, "rotate")["builds"].as_u64().unwrap() > 0);
    assert_eq!(act(&acts, "rotate")["failed"], 0);
    assert_eq!(act(&acts, "revoke")["leaked_token_works"], false);
    let checks = act(&acts, "verify");
    assert_eq!(checks["held"], checks["checks"]);

    let place = Path::new(kept["folder"].as_str().unwrap());
    let ready = Path::new(kept["ready_file"].as_str().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(place), mode(ready)), (0o700, 0o600));
    let verified = Command::new("sh")
        .args(["-c", "set -a; . \"$0\"; set +a; exec \"$1\" verify"])
        .arg(ready)
        .arg(env!("CARGO_BIN_EXE_pullpass"))
        .current_dir(place)
        .output()
        .unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    // What the shell has is what nobody else was told.
    let environment = fs::read_to_string(ready).unwrap();
    for line in environment.lines() {
        let (name, value) = line.split_once('=').unwrap();
        if name.ends_with("_SECRET") || name.ends_with("_TOKEN") {
            assert!(value.len() > 8 && !text.contains(value), "{name}");
        }
    }
    for secret in SECRETS {
        assert!(!text.contains(secret));
    }
    assert_eq!(interrupt(&mut child, "-INT"), 130);
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(stderr, "");
    assert!(is_empty(folder.path()));
}

#[test]
fn an_interrupt_in_the_middle_leaves_nothing_behind() {
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = demo(&[], folder.path());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("2. ") {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0);
        }
        assert!(!is_empty(folder.path()));
        assert_eq!(interrupt(&mut child, signal), 130);
        assert!(is_empty(folder.path()));
    }
}

#[test]
fn a_story_that_cannot_begin_is_an_error_with_a_cure() {
    let output = demo(&[], Path::new("/nowhere/at/all"))
        .wait_with_output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("make a temporary folder") && stderr.contains("help:"),
        "{stderr}"
    );
}
