//! CircleCI.

use pullpass_connect::RunState;
use pullpass_connect::circleci::{CircleCi, Masked, Slug};
use pullpass_fleet::failure::FailureKind;
use pullpass_sandbox::{Options, Population, Project};
use secrecy::SecretString;
use serde_json::{Map, json};

use crate::support::Bench;

fn shop() -> Slug {
    Slug::parse("gh/acme/shop").unwrap()
}

async fn ended(circleci: &CircleCi, run: &pullpass_connect::circleci::RunId) -> RunState {
    loop {
        match circleci.run(run).await.unwrap() {
            RunState::Running => tokio::task::yield_now().await,
            state => return state,
        }
    }
}

#[tokio::test]
async fn a_variable_is_written_over_and_shown_by_its_end() {
    let bench = Bench::new().await;
    let circleci = bench.circleci();
    bench.advance_sandbox(86_400).await;
    for (value, shown) in [
        ("default", "xxxxault"),
        ("dckr_pat_notareal1234", "xxxx1234"),
    ] {
        let value = SecretString::from(value);
        let at = circleci
            .set_variable(&shop(), "DOCKER_ACCESS_TOKEN", &value)
            .await
            .unwrap();
        let ahead = at.duration_since(jiff::Timestamp::now());
        assert!(
            (86_000..=86_400).contains(&ahead.as_secs()),
            "by CircleCI's clock: {ahead}"
        );
        let variables = circleci.variables(&shop()).await.unwrap();
        let shown = Masked {
            shown: shown.into(),
        };
        assert_eq!(variables["DOCKER_ACCESS_TOKEN"], shown);
    }
}

#[tokio::test]
async fn variables_of_all_pages_are_listed() {
    let mut population = Population::default();
    for number in 0..47 {
        population.projects[2]
            .variables
            .insert(format!("V{number}"), "not-a-secret".into());
    }
    let bench = Bench::with(Options {
        population,
        ..Options::default()
    })
    .await;
    let circleci = bench.circleci();
    assert_eq!(circleci.variables(&shop()).await.unwrap().len(), 47);
    assert_eq!(circleci.calls(), 3);
}

#[tokio::test]
async fn a_project_that_is_not_there_is_said_so() {
    let bench = Bench::new().await;
    let none = Slug::parse("gh/acme/none").unwrap();
    let failure = bench.circleci().variables(&none).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(
        failure.to_string(),
        "cannot list the variables of `gh/acme/none`: CircleCI answered 404: Project not found\n  \
         help: check the name, and that `CIRCLECI_TOKEN` may see it"
    );
}

#[tokio::test]
async fn a_pipeline_runs_to_its_end_well_or_not() {
    let bench = Bench::new().await;
    let circleci = bench.circleci();
    circleci.follow(&shop()).await.unwrap();
    let run = circleci
        .trigger(&shop(), "main", &Map::new())
        .await
        .unwrap();
    assert_eq!(ended(&circleci, &run).await, RunState::Succeeded);
    let wrong = SecretString::from("default");
    for name in ["DOCKER_USER", "DOCKER_ACCESS_TOKEN"] {
        circleci.set_variable(&shop(), name, &wrong).await.unwrap();
    }
    let parameters = json!({"deploy": false}).as_object().unwrap().clone();
    let run = circleci
        .trigger(&shop(), "main", &parameters)
        .await
        .unwrap();
    let RunState::Failed(url) = ended(&circleci, &run).await else {
        panic!("it succeeded");
    };
    assert!(url.starts_with("https://app.circleci.com/pipelines/workflows/"));
}

#[tokio::test]
async fn a_project_of_the_github_app_is_built_by_its_definition() {
    let mut population = Population::bare("acme");
    let mut project = Project::new("app");
    project.circleci = Some("circleci".into());
    population.projects.push(project);
    let bench = Bench::with(Options {
        population,
        ..Options::default()
    })
    .await;
    let state = bench.sandbox.state();
    let slug = state["circleci"]["projects"][0]["slug"].as_str().unwrap();
    let slug = Slug::parse(slug).unwrap();
    let circleci = bench.circleci();
    let failure = circleci
        .trigger(&slug, "main", &Map::new())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    let run = circleci
        .trigger_definition(&slug, "main", &Map::new())
        .await
        .unwrap();
    assert_eq!(ended(&circleci, &run).await, RunState::Succeeded);
    circleci
        .set_variable(&slug, "DOCKER_USER", &SecretString::from("acmeapp"))
        .await
        .unwrap();
    assert_eq!(circleci.variables(&slug).await.unwrap().len(), 1);
}

#[tokio::test]
async fn contexts_are_listed_with_what_they_hold() {
    let mut population = Population::default();
    let variables = population.contexts.get_mut("docker-hub").unwrap();
    variables.insert("DOCKERHUB_TOKEN".into(), "not-a-real-token".into());
    let bench = Bench::with(Options {
        population,
        ..Options::default()
    })
    .await;
    let circleci = bench.circleci();
    let contexts = circleci.contexts(&shop().owner()).await.unwrap();
    assert_eq!(contexts[0].name, "docker-hub");
    let variables = circleci.context_variables(&contexts[0]).await.unwrap();
    assert!(variables.contains_key("DOCKERHUB_TOKEN"));
}

#[tokio::test]
async fn who_a_token_belongs_to_is_known_and_a_wrong_one_refused() {
    let bench = Bench::new().await;
    assert!(!bench.circleci().me().await.unwrap().login.is_empty());
    let url = &bench.sandbox.urls().circleci;
    let wrong = SecretString::from("not-a-real-token");
    let circleci = CircleCi::new(&bench.options(), url, wrong).unwrap();
    let failure = circleci.me().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(failure.next, "check `CIRCLECI_TOKEN`");
}
