//! `onboard` as far as a build that is seen to pull with the new token, and what `doctor` finds.

use std::collections::BTreeMap;

use pullpass_sandbox::{Limits, Options, Population};
use serde_json::json;

use crate::support::{Fleet, population};

fn fleet(settings: &str, population: Population) -> Fleet {
    let options = Options {
        population,
        limits: Limits::None,
        ..Options::default()
    };
    Fleet::new(1, settings, options)
}

const TOKEN: &str = "identity = \"organization-token\"\ntargets = [\"circleci\", \"github\"]\n";

#[test]
fn a_build_is_followed_and_seen_to_pull_with_the_new_token() {
    let fleet = fleet(TOKEN, population(1));
    let build = ["onboard", "p1", "--build", "main"];
    let (code, said) = fleet.run(&build);
    assert_eq!(code, Some(0), "{said}");
    let used = "`gh/acme/p1` built `main`, and the project's token was used";
    assert!(said.contains(used), "{said}");
    // The second time there is nothing to onboard, and another build.
    let (code, said) = fleet.run(&[&build[..], &["--workflow", "ci.yml"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let used = "`acme/p1:ci.yml` built `main`, and the project's token was used";
    assert!(said.contains(used) && !said.contains("mint"), "{said}");
}

#[test]
fn nobody_is_looked_for_all_the_time() {
    let fleet = fleet(TOKEN, population(1));
    for poll in ["0s", "0m"] {
        let (code, said) = fleet.run(&["onboard", "p1", "--poll", poll]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("once a second (1s) is the most"), "{said}");
    }
    let (code, said) = fleet.run(&["onboard", "p1", "--poll", "1s"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_build_that_pulls_as_nobody_is_told_of() {
    let mut people = population(1);
    // Its CI files name other variables.
    people.projects[0].user_var = "DOCKER_LOGIN".to_owned();
    people.projects[0].token_var = "DOCKER_PASS".to_owned();
    let fleet = fleet(TOKEN, people);
    let (code, said) = fleet.run(&["onboard", "p1", "--build", "main"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the project's token was not used"), "{said}");
}

#[test]
fn a_build_that_fails_is_told_of() {
    let mut people = population(1);
    people.projects[0].token_var = "DOCKER_PASS".to_owned();
    people.projects[0].images = vec!["acme/base:1".to_owned()];
    people.images.push(pullpass_sandbox::Image {
        name: "acme/base".to_owned(),
        tags: vec!["1".to_owned()],
        private: true,
    });
    let fleet = fleet(TOKEN, people);
    let (code, said) = fleet.run(&["onboard", "p1", "--build", "main"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("run the pipeline `gh/acme/p1`"), "{said}");
    // The pass was given all the same.
    assert!(said.contains("1 as they should be"), "{said}");
}

#[test]
fn a_ruleset_is_told_where_there_is_no_secret() {
    let settings = "identity = \"oidc\"\ntargets = [\"github\", \"github:environment:live\"]\n\
                    connection = \"00000000-0000-0000-0000-00000000c0de\"\n";
    let mut people = population(1);
    people.projects[0].environments = vec!["live".to_owned()];
    let fleet = fleet(settings, people);
    let (code, said) = fleet.run(&["onboard", "p1"]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "00000000-0000-0000-0000-00000000c0de",
        "repo:acme/p1:*",
        "repo:acme/p1:environment:live",
        "does not cover `container:`",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn the_doctor_finds_contexts_and_clocks_that_are_in_the_way() {
    let healthy = fleet(TOKEN, population(1));
    let (code, said) = healthy.run(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "clock: agrees",
        "registry: answers",
        "contexts: none of `gh/acme`",
        "without a second factor",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    healthy.control("POST", "/clock", Some(&json!({"advance_seconds": 7200})));
    let (code, said) = healthy.run(&["doctor"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("behind Docker Hub's: set it"), "{said}");

    let mut people = population(1);
    let variables = [("DOCKER_USER", "somebody"), ("OTHER", "x")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let context = ("docker-hub".to_owned(), BTreeMap::from(variables));
    people.contexts = BTreeMap::from([context]);
    let hidden = fleet(TOKEN, people);
    let (code, said) = hidden.run(&["doctor"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`DOCKER_USER` of `docker-hub`"), "{said}");
}

/// What is kept is not replaced, so a slip of the fingers is found before.
#[test]
fn a_password_that_opens_nothing_is_not_kept() {
    let settings = "identity = \"service-id\"\ntargets = [\"circleci\"]\n";
    let fleet = fleet(settings, population(1));
    let onboard = |typed: &str| {
        let command = fleet.command(&["onboard", "p1", "--password", "--no-wait"]);
        let mut command = assert_cmd::Command::from_std(command);
        let output = command.write_stdin(typed.to_owned()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = onboard("not-a-real-password\n");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("knows no Docker ID `acmep1`"), "{said}");
    let people = json!({"people": [
        {"name": "acmep1", "email": "one@acme.example", "password": "not-a-real-password"},
    ]});
    fleet.control("POST", "/people", Some(&people));
    let (code, said) = onboard("not-the-real-one\n");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("does not open"), "{said}");
    assert!(!said.contains("not-the-real-one"), "{said}");
    let (_, said) = onboard("not-a-real-password\n");
    assert!(said.contains("invite"), "{said}");
}
