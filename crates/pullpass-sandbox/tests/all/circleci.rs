//! CircleCI.

use crate::support::{Bench, System};
use pullpass_sandbox::{Options, Population, Project};
use serde_json::{Value, json};

/// Waits until a build has ended: it is a task of this thread, and each request lets it go on.
async fn settled(bench: &Bench, path: &str) -> Value {
    for _ in 0..1000 {
        let workflow = bench.circleci("GET", path, None).await.json();
        if workflow["status"] != "running" {
            return workflow;
        }
    }
    panic!("the build did not end");
}

#[tokio::test]
async fn a_variable_is_written_over_masked_and_deleted() {
    let bench = Bench::new().await;
    let path = "/project/gh/acme/shop/envvar";
    let body = json!({"name": "DOCKER_ACCESS_TOKEN", "value": "not-a-real-token-1234"});
    let made = bench.circleci("POST", path, Some(&body)).await;
    assert_eq!(
        (made.status, &made.json()["value"]),
        (201, &json!("xxxx1234"))
    );
    let body = json!({"name": "DOCKER_ACCESS_TOKEN", "value": "not-a-real-token-5678"});
    assert_eq!(bench.circleci("POST", path, Some(&body)).await.status, 201);
    let list = bench.circleci("GET", path, None).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["value"], "xxxx5678");
    assert_eq!(list["next_page_token"], Value::Null);
    let one = format!("{path}/DOCKER_ACCESS_TOKEN");
    assert_eq!(
        bench.circleci("GET", &one, None).await.json()["value"],
        "xxxx5678"
    );
    assert_eq!(bench.circleci("DELETE", &one, None).await.status, 200);
    assert_eq!(bench.circleci("DELETE", &one, None).await.status, 404);
    let wrong = json!({"name": "not a name", "value": "x"});
    assert_eq!(bench.circleci("POST", path, Some(&wrong)).await.status, 400);
}

#[tokio::test]
async fn a_project_has_its_slug_in_three_forms() {
    let mut population = Population::default();
    let mut app = Project::new("app");
    app.circleci = Some("circleci".to_owned());
    let mut bucket = Project::new("bucket");
    bucket.circleci = Some("bb/acme/bucket".to_owned());
    population.projects.extend([app, bucket]);
    let options = Options {
        population,
        ..Options::default()
    };
    let bench = Bench::with(options).await;
    let state = bench.sandbox.state();
    let slugs: Vec<&str> = state["circleci"]["projects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["slug"].as_str().unwrap())
        .collect();
    let app = *slugs.iter().find(|s| s.starts_with("circleci/")).unwrap();
    for slug in [
        "gh/acme/shop",
        "github/acme/shop",
        "gh%2Facme%2Fshop",
        "bb/acme/bucket",
        app,
    ] {
        let answer = bench
            .circleci("GET", &format!("/project/{slug}"), None)
            .await;
        assert_eq!(answer.status, 200, "{slug}");
    }
    let trigger = bench
        .circleci(
            "POST",
            &format!("/project/{app}/pipeline"),
            Some(&json!({})),
        )
        .await;
    assert_eq!(trigger.status, 400);
    let id = app.rsplit('/').next().unwrap();
    let definitions = bench
        .circleci("GET", &format!("/projects/{id}/pipeline-definitions"), None)
        .await;
    let definition = definitions.json()["items"][0]["id"].clone();
    let run = json!({"definition_id": definition, "config": {"branch": "main"}, "checkout": {"branch": "main"}});
    let answer = bench
        .circleci("POST", &format!("/project/{app}/pipeline/run"), Some(&run))
        .await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn variables_come_in_pages() {
    let bench = Bench::new().await;
    let path = "/project/gh/acme/shop/envvar";
    for number in 0..25 {
        let body = json!({"name": format!("V{number:02}"), "value": "value"});
        bench.circleci("POST", path, Some(&body)).await;
    }
    let first = bench.circleci("GET", path, None).await.json();
    let token = first["next_page_token"].as_str().unwrap();
    let second = bench
        .circleci("GET", &format!("{path}?page-token={token}"), None)
        .await
        .json();
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!(count(&first) + count(&second), 25);
    assert_eq!(second["next_page_token"], Value::Null);
}

#[tokio::test]
async fn nobody_and_somebody_unknown_are_told_to_log_in() {
    let bench = Bench::new().await;
    for headers in [&[][..], &[("circle-token", "nobodys")][..]] {
        let answer = bench
            .send(System::CircleCi, "GET", "/api/v2/me", headers, None)
            .await;
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (401, &json!("You must log in first."))
        );
    }
    let me = bench.circleci("GET", "/me", None).await;
    assert_eq!(me.json()["login"], "acme-operator");
    assert_eq!(
        bench
            .circleci("GET", "/me/collaborations", None)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn contexts_share_variables_and_can_be_restricted() {
    let bench = Bench::new().await;
    let list = bench
        .circleci("GET", "/context?owner-slug=gh/acme", None)
        .await
        .json();
    assert_eq!(list["items"][0]["name"], "docker-hub");
    let id = list["items"][0]["id"].as_str().unwrap();
    let path = format!("/context/{id}/environment-variable");
    let body = json!({"value": "not-a-real-token"});
    let one = format!("{path}/DOCKER_ACCESS_TOKEN");
    let put = bench.circleci("PUT", &one, Some(&body)).await;
    assert_eq!(put.json()["variable"], "DOCKER_ACCESS_TOKEN");
    assert!(put.json().get("value").is_none());
    let variables = bench.circleci("GET", &path, None).await.json();
    assert_eq!(variables["items"].as_array().unwrap().len(), 1);
    let project = bench
        .circleci("GET", "/project/gh/acme/shop", None)
        .await
        .json();
    let restrictions = format!("/context/{id}/restrictions");
    let body = json!({"restriction_type": "project", "restriction_value": project["id"]});
    assert_eq!(
        bench
            .circleci("POST", &restrictions, Some(&body))
            .await
            .status,
        201
    );
    let shown = bench.circleci("GET", &restrictions, None).await.json();
    assert_eq!(shown["items"][0]["name"], "shop");
    assert_eq!(bench.circleci("DELETE", &one, None).await.status, 200);
    assert_eq!(bench.circleci("GET", "/context", None).await.status, 400);
    let owner = json!({"name": "deploy", "owner": {"slug": "gh/acme", "type": "organization"}});
    assert_eq!(
        bench
            .circleci("POST", "/context", Some(&owner))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_pipeline_builds_with_what_the_variables_hold() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (token, _) = bench.token("acmeshop", "shop").await;
    let path = "/project/gh/acme/shop/envvar";
    for (name, value) in [("DOCKER_USER", "acmeshop"), ("DOCKER_ACCESS_TOKEN", &token)] {
        let body = json!({"name": name, "value": value});
        bench.circleci("POST", path, Some(&body)).await;
    }
    let pipelines = "/project/gh/acme/shop/pipeline";
    let made = bench
        .circleci("POST", pipelines, Some(&json!({"branch": "main"})))
        .await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(
        bench
            .circleci("GET", &format!("/pipeline/{id}"), None)
            .await
            .status,
        200
    );
    let workflows = bench
        .circleci("GET", &format!("/pipeline/{id}/workflow"), None)
        .await
        .json();
    let workflow = workflows["items"][0]["id"].as_str().unwrap();
    let ended = settled(&bench, &format!("/workflow/{workflow}")).await;
    assert_eq!(ended["status"], "success");
    let jobs = bench
        .circleci("GET", &format!("/workflow/{workflow}/job"), None)
        .await;
    assert_eq!(jobs.json()["items"][0]["status"], "success");
    let all = bench.circleci("GET", pipelines, None).await;
    assert_eq!(all.json()["items"][0]["number"], 1);
    assert_eq!(
        bench.sandbox.state()["pulls"]["by_identity"],
        json!({"acmeshop": 1})
    );
}

#[tokio::test]
async fn a_project_is_followed_by_the_older_api() {
    let bench = Bench::new().await;
    let token = bench.sandbox.operator().circleci_token.clone();
    let headers = [("circle-token", secrecy::ExposeSecret::expose_secret(&token))];
    let path = "/api/v1.1/project/github/acme/shop/follow";
    let answer = bench
        .send(System::CircleCi, "POST", path, &headers, None)
        .await;
    assert_eq!(answer.json()["following"], true);
}
