//! What `apply` has done, as programs see it that are not ours: `gh`, `aws`, `docker` and `skopeo`,
//! each where it is installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use pullpass_sandbox::{Limits, Options};

use crate::moto::Moto;
use crate::support::{Fleet, population};

/// What a program wrote, given this; `None` where it is not installed.
fn run(fleet: &Fleet, program: &str, arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("HOME", fleet.folder.path())
        .env("XDG_RUNTIME_DIR", fleet.folder.path())
        .envs(fleet.environment.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: what {program} sees: it is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Some((output.status.success(), text))
}

fn fleet() -> Fleet {
    let options = Options {
        population: population(1),
        limits: Limits::None,
        ..Options::default()
    };
    let settings = "identity = \"organization-token\"\ntargets = [\"circleci\", \"github\"]\n";
    Fleet::new(1, settings, options)
}

fn apply(fleet: &Fleet) {
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn gh_lists_what_was_delivered() {
    let mut fleet = fleet();
    apply(&fleet);
    let token = fleet
        .environment
        .iter()
        .find(|(name, _)| name == "GITHUB_TOKEN");
    let token = token.unwrap().1.clone();
    // `gh` speaks plain HTTP to this host alone, and a proxy is asked for every name.
    for (name, value) in [
        ("GH_TOKEN", token),
        ("GH_HOST", "github.localhost".to_owned()),
        ("http_proxy", fleet.urls.github.clone()),
    ] {
        fleet.environment.push((name.to_owned(), value));
    }
    let arguments = ["secret", "list", "--repo", "acme/p1"];
    let Some((good, text)) = run(&fleet, "gh", &arguments, "") else {
        return;
    };
    assert!(good, "{text}");
    for name in ["DOCKER_USER", "DOCKER_ACCESS_TOKEN"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn docker_and_skopeo_pull_with_what_was_delivered() {
    let fleet = fleet();
    apply(&fleet);
    let token = fleet.current("p1").unwrap();
    let host = fleet.urls.registry_host().to_owned();
    let config = fleet.path("docker");
    let config = config.to_str().unwrap();
    let login = [
        "--config",
        config,
        "login",
        "-u",
        "acme",
        "--password-stdin",
        &host,
    ];
    if let Some((good, text)) = run(&fleet, "docker", &login, &token) {
        assert!(good && text.contains("Login Succeeded"), "{text}");
    }
    // As CI would: signed in by an earlier step, then a pull that names no credential.
    let auth = fleet.path("auth.json");
    let authfile = format!("--authfile={}", auth.display());
    let login = [
        "login",
        "--tls-verify=false",
        "-u",
        "acme",
        "--password-stdin",
        &authfile,
        &host,
    ];
    let Some((good, text)) = run(&fleet, "skopeo", &login, &token) else {
        return;
    };
    assert!(good, "{text}");
    let image = format!("docker://{host}/library/alpine:3.20");
    let to = format!("dir:{}", fleet.path("image").display());
    let copy = ["copy", "--src-tls-verify=false", &authfile, &image, &to];
    let (good, text) = run(&fleet, "skopeo", &copy, "").unwrap();
    assert!(good, "{text}");
    let state = fleet.control("GET", "/state", None);
    let pulls = &state["pulls"]["by_identity"];
    assert!(pulls["acme"].as_u64() > Some(0), "{pulls}");
    assert!(
        pulls["anonymous"].is_null() || pulls["anonymous"] == 0,
        "{pulls}"
    );
}

#[test]
fn aws_reads_what_was_delivered() {
    let Some(moto) = Moto::start("what aws sees") else {
        return;
    };
    let mut fleet = fleet();
    moto.keeps(&mut fleet);
    apply(&fleet);
    let program = std::env::var("PULLPASS_TEST_AWS").unwrap_or("aws".into());
    let read = |secret: &str| {
        let arguments = [
            "--region",
            "eu-west-1",
            "--endpoint-url",
            &moto.url,
            "secretsmanager",
            "get-secret-value",
            "--secret-id",
            secret,
            // Without it `moto` reads the version that was made first.
            "--version-stage",
            "AWSCURRENT",
            "--query",
            "SecretString",
            "--output",
            "text",
        ];
        let (good, text) = run(&fleet, &program, &arguments, "")?;
        assert!(good, "{text}");
        Some(text.trim().to_owned())
    };
    let Some(token) = read("p1-dockerhub_token") else {
        return;
    };
    assert_eq!(read("p1-dockerhub_id").as_deref(), Some("acme"));
    let state = fleet.control("GET", "/state", None);
    let body = serde_json::json!({"value": token});
    let fingerprint = &fleet.control("POST", "/fingerprint", Some(&body))["fingerprint"];
    let held = &state["circleci"]["projects"][0]["variables"]["DOCKER_ACCESS_TOKEN"];
    assert_eq!(held["fingerprint"], *fingerprint);
}
