//! GitHub.

use pullpass_connect::RunState;
use pullpass_connect::github::{GitHub, Repository, Scope};
use pullpass_fleet::failure::FailureKind;
use pullpass_sandbox::{Options, Population};
use secrecy::SecretString;
use serde_json::{Map, json};

use crate::support::{Bench, alone, canned};

fn shop() -> Repository {
    Repository::parse("github.com/acme/shop").unwrap()
}

#[tokio::test]
async fn a_secret_is_sealed_for_its_place_and_opened_there() {
    let bench = Bench::new().await;
    let github = bench.github();
    let value = "not-a-real-token é";
    let fingerprint = json!({"value": value});
    let fingerprint = bench
        .control("POST", "/fingerprint", Some(&fingerprint))
        .await;
    let production = Scope::Environment("production".into());
    for (scope, place) in [
        (Scope::Actions, "/secrets"),
        (Scope::Dependabot, "/dependabot"),
        (production, "/environments/production/secrets"),
    ] {
        let at = github
            .set_secret(
                &shop(),
                &scope,
                "DOCKER_ACCESS_TOKEN",
                &SecretString::from(value),
            )
            .await
            .unwrap();
        let state = bench.sandbox.state();
        let repositories = state["github"]["repositories"].as_array().unwrap();
        let repository = repositories
            .iter()
            .find(|r| r["name"] == "acme/shop")
            .unwrap();
        let held = &repository.pointer(place).unwrap()["DOCKER_ACCESS_TOKEN"];
        assert_eq!(held["fingerprint"], fingerprint["fingerprint"], "{scope}");
        let secrets = github.secrets(&shop(), &scope).await.unwrap();
        let updated = secrets["DOCKER_ACCESS_TOKEN"];
        assert!(
            at.duration_since(updated).abs().as_secs() <= 1,
            "{at} {updated}"
        );
    }
}

#[tokio::test]
async fn the_key_of_a_place_is_fetched_once() {
    let bench = Bench::new().await;
    let github = bench.github();
    for name in ["DOCKER_USER", "DOCKER_ACCESS_TOKEN"] {
        let value = SecretString::from("not-a-real-token");
        github
            .set_secret(&shop(), &Scope::Actions, name, &value)
            .await
            .unwrap();
    }
    assert_eq!(github.calls(), 3);
}

#[tokio::test]
async fn a_key_that_was_replaced_is_fetched_again_once() {
    const KEY: &str =
        "200 OK\n\n{\"key_id\": \"1\", \"key\": \"2Sg8iYjAxxmI2LvUXpJjkYrMxURPc8r+dB7TJyvvcCU=\"}";
    const OLD: &str = "422 Unprocessable Entity\n\n{\"message\": \"Bad request - key_id is old\"}";
    let (url, serving) = canned(vec![
        KEY.into(),
        "201 Created\n\n{}".into(),
        OLD.into(),
        KEY.into(),
        "204 No Content\n\n".into(),
        OLD.into(),
        KEY.into(),
        OLD.into(),
    ]);
    let github = GitHub::new(&alone(Default::default()), &url, SecretString::from("x")).unwrap();
    let value = SecretString::from("not-a-real-token");
    let set = async || {
        github
            .set_secret(&shop(), &Scope::Actions, "X", &value)
            .await
    };
    set().await.unwrap();
    set().await.unwrap();
    let failure = set().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(serving.join().unwrap().len(), 8);
}

#[tokio::test]
async fn secrets_of_all_pages_are_listed() {
    let mut population = Population::default();
    for number in 0..130 {
        population.projects[2]
            .variables
            .insert(format!("V{number}"), "not-a-secret".into());
    }
    let bench = Bench::with(Options {
        population,
        ..Options::default()
    })
    .await;
    let github = bench.github();
    let secrets = github.secrets(&shop(), &Scope::Actions).await.unwrap();
    assert_eq!((secrets.len(), github.calls()), (130, 2));
}

#[tokio::test]
async fn a_variable_is_made_changed_and_read() {
    let bench = Bench::new().await;
    let github = bench.github();
    let production = Scope::Environment("production".into());
    for scope in [Scope::Actions, production] {
        for value in ["acmeshop", "acmeshop2"] {
            github
                .set_variable(&shop(), &scope, "DOCKER_USER", value)
                .await
                .unwrap();
            let variables = github.variables(&shop(), &scope).await.unwrap();
            assert_eq!(variables["DOCKER_USER"], value);
        }
    }
    let failure = github
        .variables(&shop(), &Scope::Dependabot)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
}

#[tokio::test]
async fn a_dispatched_run_is_found_among_others() {
    let bench = Bench::new().await;
    let github = bench.github();
    let dispatch = async || {
        github
            .dispatch(&shop(), "ci.yml", "main", &Map::new())
            .await
            .unwrap()
    };
    let first = dispatch().await;
    let ended = async |dispatched| loop {
        match github.run(&shop(), dispatched).await.unwrap() {
            RunState::Running => tokio::task::yield_now().await,
            state => return state,
        }
    };
    assert_eq!(ended(&first).await, RunState::Succeeded);
    for name in ["DOCKER_USER", "DOCKER_ACCESS_TOKEN"] {
        let wrong = SecretString::from("default");
        github
            .set_secret(&shop(), &Scope::Actions, name, &wrong)
            .await
            .unwrap();
    }
    let second = dispatch().await;
    let RunState::Failed(url) = ended(&second).await else {
        panic!("it succeeded");
    };
    assert!(url.contains("/acme/shop/actions/runs/"), "{url}");
    assert_eq!(ended(&first).await, RunState::Succeeded);
}

#[tokio::test]
async fn who_a_token_belongs_to_and_what_it_may_do_is_known() {
    let bench = Bench::new().await;
    let me = bench.github().me().await.unwrap();
    assert!(!me.login.is_empty());
    assert!(me.scopes.unwrap().contains(&"repo".to_owned()));
    let url = &bench.sandbox.urls().github;
    let wrong = SecretString::from("not-a-real-token");
    let github = GitHub::new(&bench.options(), url, wrong).unwrap();
    let failure = github.me().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(failure.happened, "GitHub answered 401: Bad credentials");
    let none = Repository::parse("acme/none").unwrap();
    let failure = bench
        .github()
        .secrets(&none, &Scope::Actions)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}
