//! Real clients: `skopeo` and the `docker` command, where they are installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::Bench;
use serde_json::Value;

/// Runs a program beside the sandbox, with this on its standard input.
async fn run(mut command: Command, input: String) -> (bool, String) {
    tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    })
    .await
    .unwrap()
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

#[tokio::test]
async fn skopeo_copies_an_image_signed_in_and_anonymously() {
    if !is_installed("skopeo") {
        return;
    }
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (token, _) = bench.token("acmeshop", "shop").await;
    let host = bench.sandbox.urls().registry_host().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let copy = async |image: &str, extra: &[&str]| {
        let to = tempfile::tempdir_in(folder.path()).unwrap();
        let mut command = Command::new("skopeo");
        command
            .args(["copy", "--src-tls-verify=false"])
            .args(extra)
            .arg(format!("docker://{host}/{image}"))
            .arg(format!("dir:{}", to.path().display()))
            .env("HOME", folder.path())
            .env("XDG_RUNTIME_DIR", folder.path());
        let (good, text) = run(command, String::new()).await;
        assert!(good, "{image}: {text}");
        let manifest = std::fs::read(to.path().join("manifest.json")).unwrap();
        serde_json::from_slice::<Value>(&manifest).unwrap()
    };
    let manifest = copy("library/alpine:3.20", &[]).await;
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let login = format!("--src-creds=acmeshop:{token}");
    copy("cimg/base:current", &["--multi-arch=all", &login]).await;
    let pulls = bench.sandbox.state()["pulls"]["by_identity"].clone();
    assert_eq!(pulls["anonymous"], 1);
    assert_eq!(pulls["acmeshop"], 2, "one for each platform");
}

#[tokio::test]
async fn docker_login_takes_what_holds_and_refuses_what_does_not() {
    if !is_installed("docker") {
        return;
    }
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (token, _) = bench.token("acmeshop", "shop").await;
    let host = bench.sandbox.urls().registry_host().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let login = async |secret: &str| {
        let mut command = Command::new("docker");
        command
            .arg("--config")
            .arg(folder.path())
            .args(["login", "--username", "acmeshop", "--password-stdin", &host])
            .env("HOME", folder.path());
        run(command, secret.to_owned()).await
    };
    let (good, text) = login(&token).await;
    assert!(good && text.contains("Login Succeeded"), "{text}");
    let (good, text) = login("not-the-token").await;
    assert!(
        !good && text.contains("incorrect username or password"),
        "{text}"
    );
}
