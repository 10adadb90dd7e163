//! An operator's own credentials: kept once, and used by every command in place of the environment.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use pullpass_sandbox::{Limits, Options};
use serde_json::Value;

use crate::kv;
use crate::support::{Fleet, population};

const NAMES: [&str; 4] = [
    "PULLPASS_HUB_USER",
    "PULLPASS_HUB_SECRET",
    "CIRCLECI_TOKEN",
    "GITHUB_TOKEN",
];

/// Below the folder that is the program's home here.
const FILE: &str = ".config/pullpass/credentials.toml";

fn fleet(settings: &str) -> Fleet {
    let options = Options {
        population: population(2),
        limits: Limits::None,
        ..Options::default()
    };
    Fleet::new(1, settings, options)
}

fn service_id() -> Fleet {
    fleet("identity = \"service-id\"\ntargets = [\"circleci\", \"github\"]\n")
}

fn value(fleet: &Fleet, name: &str) -> String {
    let mut environment = fleet.environment.iter();
    let (_, value) = environment.find(|(known, _)| known == name).unwrap();
    value.clone()
}

/// The program without credentials in its environment.
fn bare(fleet: &Fleet, arguments: &[&str]) -> Command {
    let mut command = fleet.command(arguments);
    for name in NAMES {
        command.env_remove(name);
    }
    command
}

/// What it wrote, exit code first.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    (status.code(), text)
}

/// Gives it something to read.
fn fed(command: &mut Command, input: &str) -> (Option<i32>, String) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // What refuses its arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

fn set(fleet: &Fleet, name: &str, value: &str) {
    let (code, said) = fed(&mut bare(fleet, &["credentials", "set", name]), value);
    assert_eq!(code, Some(0), "{said}");
}

fn set_all(fleet: &Fleet) {
    for name in NAMES {
        set(fleet, name, &format!("{}\n", value(fleet, name)));
    }
}

#[test]
fn every_command_takes_what_is_kept_where_the_environment_has_nothing() {
    let fleet = service_id();
    fleet.everybody_is_here();
    let with_environment = fleet.run(&["plan"]);
    assert_eq!(with_environment.0, Some(0), "{}", with_environment.1);
    let (code, text) = said(&mut bare(&fleet, &["plan"]));
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("`pullpass credentials set PULLPASS_HUB_USER`"),
        "{text}"
    );
    set_all(&fleet);
    assert_eq!(said(&mut bare(&fleet, &["plan"])), with_environment);
    for (arguments, words) in [
        (&["onboard", "p1", "--no-wait"][..], "the current one"),
        (&["apply", "--yes"], "1 as they should be"),
        (&["verify"], "1 as they should be"),
        (&["doctor"], "nothing is lacking"),
        (&["plan"], "1 as they should be"),
    ] {
        let (code, text) = said(&mut bare(&fleet, arguments));
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    assert_eq!(fleet.holds(), Ok(()));
    for arguments in [["rotate", "p1", "--yes"], ["revoke", "p1", "--yes"]] {
        let (code, text) = said(&mut bare(&fleet, &arguments));
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        assert!(text.contains("the current one"), "{arguments:?}: {text}");
    }
}

#[test]
fn the_environment_goes_before_the_file() {
    let fleet = service_id();
    set_all(&fleet);
    set(&fleet, "CIRCLECI_TOKEN", "not-the-right-token");
    let (code, text) = said(&mut bare(&fleet, &["doctor"]));
    assert_ne!(code, Some(0), "{text}");
    let (code, text) =
        said(bare(&fleet, &["doctor"]).env("CIRCLECI_TOKEN", value(&fleet, "CIRCLECI_TOKEN")));
    assert_eq!(code, Some(0), "{text}");
    let file = fleet.path(FILE).display().to_string();
    let line = text.lines().find(|line| line.contains("credentials: "));
    let line = line.unwrap();
    assert!(
        line.contains("`CIRCLECI_TOKEN` from the environment") && line.contains(&file),
        "{line}"
    );

    let listed = |command: &mut Command| {
        let (code, text) = said(command.args(["--format", "json"]));
        assert_eq!(code, Some(0), "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let of = |document: &Value, name: &str| {
        let mut all = document["credentials"].as_array().unwrap().iter();
        all.find(|entry| entry["name"] == name).unwrap().clone()
    };
    let mut list = bare(&fleet, &["credentials", "list"]);
    let document = listed(list.env("GH_TOKEN", "another"));
    assert_eq!(document["schema"], "pullpass.credentials-list/1");
    assert_eq!(document["file"], file);
    let github = of(&document, "GITHUB_TOKEN");
    assert_eq!(github["from"], "environment");
    assert_eq!(
        (&github["variable"], &github["kept"]),
        (&"GH_TOKEN".into(), &true.into())
    );
    assert_eq!(of(&document, "CIRCLECI_TOKEN")["from"], "file");
    assert_eq!(of(&document, "VAULT_TOKEN")["from"], Value::Null);
    // So does the other name of GitHub's.
    let (code, text) = said(bare(&fleet, &["plan"]).env("GH_TOKEN", "not-the-right-token"));
    assert_ne!(code, Some(0), "{text}");
}

#[test]
fn the_file_is_read_only_for_what_is_needed_and_not_given() {
    let fleet = fleet("identity = \"organization-token\"\ntargets = [\"circleci\"]\n");
    set(&fleet, "GITHUB_TOKEN", "not-needed");
    // What would open it is gone, and nothing that is in it is needed.
    let mut plan = bare(&fleet, &["plan"]);
    plan.env("CIRCLECI_TOKEN", value(&fleet, "CIRCLECI_TOKEN"))
        .env("PULLPASS_STORE_IDENTITY", "/nowhere");
    let (code, text) = said(&mut plan);
    assert_eq!(code, Some(0), "{text}");
    // Nothing is lacking: it is not even read.
    fs::write(fleet.path(FILE), "spoilt").unwrap();
    for command in [&["plan"][..], &["apply", "--yes"], &["verify"], &["doctor"]] {
        let (code, text) = fleet.run(command);
        assert_eq!(code, Some(0), "{command:?}: {text}");
    }
    let (code, text) = said(&mut bare(&fleet, &["plan"]));
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("line 1 is not as pullpass writes it"),
        "{text}"
    );
    assert!(
        text.contains(&fleet.path(FILE).display().to_string()),
        "{text}"
    );
}

/// Only where a project that is worked on keeps its secrets there.
#[test]
fn the_token_of_vault_can_be_kept_and_is_wanted_where_it_is_used() {
    let fleet = service_id();
    let config = fleet.path("pullpass.toml");
    let text = fs::read_to_string(&config).unwrap();
    let other =
        "[[project]]\nname = \"p2\"\nstore = \"vault\"\nrepository = \"github.com/acme/p2\"\n";
    fs::write(&config, text + other).unwrap();
    let (url, _kv) = kv::start();
    let plan = |project: &str| {
        let mut command = fleet.command(&["plan", project]);
        said(command.env("VAULT_ADDR", &url))
    };
    let (code, text) = plan("p1");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = plan("p2");
    assert_eq!(code, Some(2), "{text}");
    for words in [
        "VAULT_TOKEN is not set",
        "`pullpass credentials set VAULT_TOKEN`",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    set(&fleet, "VAULT_TOKEN", kv::TOKEN);
    let (_, text) = plan("p2");
    assert!(text.contains("choose a password"), "{text}");
}

#[test]
fn what_does_not_open_it_is_a_matter_of_configuration() {
    let fleet = service_id();
    let with = |arguments: &[&str], passphrase: Option<&str>| {
        let mut command = bare(&fleet, arguments);
        command.env_remove("PULLPASS_STORE_IDENTITY");
        command.envs(passphrase.map(|text| ("PULLPASS_STORE_PASSPHRASE", text)));
        command
    };
    for name in NAMES {
        let mut set = with(&["credentials", "set", name], Some("not-a-real-passphrase"));
        let (code, text) = fed(&mut set, &value(&fleet, name));
        assert_eq!(code, Some(0), "{text}");
    }
    let (code, text) = said(&mut with(&["plan"], Some("not-a-real-passphrase")));
    assert_eq!(code, Some(0), "{text}");
    for (passphrase, words) in [
        (Some("another"), "the passphrase is not the one"),
        (
            None,
            "PULLPASS_STORE_PASSPHRASE is not set, and there is nobody to ask",
        ),
    ] {
        let (code, text) = said(&mut with(&["plan"], passphrase));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(words) && text.contains("help: "), "{text}");
        let (code, text) = said(&mut with(&["credentials", "list"], passphrase));
        assert_eq!(code, Some(0), "{text}");
    }
}

#[test]
fn a_kept_password_is_not_tried_for_another_user() {
    let fleet = service_id();
    set_all(&fleet);
    let (code, text) = said(bare(&fleet, &["plan"]).env("PULLPASS_HUB_USER", "somebody"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("that of another"), "{text}");
    let user = value(&fleet, "PULLPASS_HUB_USER").to_uppercase();
    let (code, text) = said(bare(&fleet, &["plan"]).env("PULLPASS_HUB_USER", user));
    assert!(!text.contains("that of another"), "{code:?} {text}");
}

#[test]
fn what_cannot_be_kept_is_refused_and_makes_nothing() {
    let fleet = service_id();
    let secret = "not-a-real-token-91c3";
    let long = "x".repeat(70_000);
    for (arguments, input, words) in [
        (&["GITHUB_TOKEN"][..], "", "the value is empty"),
        (&["GITHUB_TOKEN"], "\n", "the value is empty"),
        (&["GITHUB_TOKEN"], "a\nb\n", "several lines"),
        (&["GITHUB_TOKEN"], &long, "more than any credential"),
        (&["GITHUB_TOKN"], secret, "did you mean `GITHUB_TOKEN`?"),
        (
            &["AWS_SECRET_ACCESS_KEY"],
            secret,
            "there is no credential of that name",
        ),
        (&["GITHUB_TOKEN", secret], "", "given as an argument"),
        (
            &["GITHUB_TOKEN=not-a-real-token-91c3"],
            "",
            "given as an argument",
        ),
        (&[secret], "", "there is no credential of that name"),
    ] {
        let with = [&["credentials", "set"], arguments].concat();
        let (code, text) = fed(&mut bare(&fleet, &with), input);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
        assert!(!text.contains(secret), "{arguments:?}: {text}");
    }
    assert!(!fleet.path(".config").exists());
    let mut homeless = bare(&fleet, &["credentials", "set", "VAULT_TOKEN"]);
    homeless.env_remove("HOME");
    let (code, text) = fed(&mut homeless, secret);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("PULLPASS_CREDENTIALS"), "{text}");
    // In place of the file, or of its folder.
    for (folder, file) in [(FILE, FILE), ("x", ".config")] {
        fs::create_dir_all(fleet.path(folder)).unwrap();
        let _ = fs::write(fleet.path(file), "");
        let (code, text) = fed(
            &mut bare(&fleet, &["credentials", "set", "VAULT_TOKEN"]),
            secret,
        );
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(FILE) && text.contains("folder"), "{text}");
        let config = fleet.path(".config");
        let removed = fs::remove_file(&config).or_else(|_| fs::remove_dir_all(&config));
        removed.unwrap();
    }
}

#[test]
fn one_trailing_newline_is_cut_and_a_kept_one_is_forgotten() {
    let fleet = service_id();
    let named = fleet.path("elsewhere/mine.toml");
    let run = |arguments: &[&str], input: &str| {
        let mut command = bare(&fleet, arguments);
        let (code, text) = fed(command.env("PULLPASS_CREDENTIALS", &named), input);
        assert_eq!(code, Some(0), "{text}");
        text
    };
    let user = value(&fleet, "PULLPASS_HUB_USER");
    run(
        &["credentials", "set", "PULLPASS_HUB_USER"],
        &format!("{user}\r\n"),
    );
    run(
        &["credentials", "set", "PULLPASS_HUB_SECRET"],
        &value(&fleet, "PULLPASS_HUB_SECRET"),
    );
    let told = run(
        &["credentials", "set", "GH_TOKEN", "--format", "json"],
        &value(&fleet, "GITHUB_TOKEN"),
    );
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["name"], &told["status"]),
        (&"GITHUB_TOKEN".into(), &"kept".into())
    );
    run(
        &["credentials", "set", "circleci_token"],
        &value(&fleet, "CIRCLECI_TOKEN"),
    );
    let said = run(&["doctor"], "");
    assert!(said.contains("nothing is lacking"), "{said}");
    assert!(!fleet.path(".config").exists());
    let said = run(&["credentials", "remove", "GH_TOKEN"], "");
    assert!(said.contains("`GITHUB_TOKEN` is removed"), "{said}");
    let said = run(&["credentials", "remove", "GH_TOKEN"], "");
    assert!(said.contains("nothing to remove"), "{said}");
    let said = run(&["credentials", "list"], "");
    assert!(said.contains("GITHUB_TOKEN         not given"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_used_and_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let fleet = service_id();
    set_all(&fleet);
    let file = fleet.path(FILE);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    for command in [&["plan"][..], &["credentials", "list"]] {
        let (code, text) = said(&mut bare(&fleet, command));
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(text.matches("chmod 600").count(), 1, "{text}");
    }
}
