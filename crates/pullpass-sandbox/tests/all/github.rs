//! GitHub.

use crate::support::{Bench, System};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crypto_box::PublicKey;
use serde_json::{Value, json};

/// A secret, sealed as GitHub's clients do.
async fn sealed(bench: &Bench, scope: &str, value: &str) -> Value {
    let key = bench
        .github("GET", &format!("{scope}/public-key"), None)
        .await
        .json();
    let bytes = BASE64_STANDARD
        .decode(key["key"].as_str().unwrap())
        .unwrap();
    let public = PublicKey::from(<[u8; 32]>::try_from(bytes.as_slice()).unwrap());
    let sealed = public
        .seal(&mut crypto_box::aead::OsRng, value.as_bytes())
        .unwrap();
    json!({"encrypted_value": BASE64_STANDARD.encode(sealed), "key_id": key["key_id"]})
}

async fn fingerprint(bench: &Bench, value: &str) -> Value {
    let body = json!({"value": value});
    bench
        .control("POST", "/fingerprint", Some(&body))
        .await
        .json()["fingerprint"]
        .clone()
}

#[tokio::test]
async fn a_sealed_secret_is_opened_and_never_shown() {
    let bench = Bench::new().await;
    let scope = "/repos/acme/shop/actions/secrets";
    let body = sealed(&bench, scope, "not-a-real-token").await;
    let path = format!("{scope}/docker_access_token");
    assert_eq!(bench.github("PUT", &path, Some(&body)).await.status, 201);
    assert_eq!(bench.github("PUT", &path, Some(&body)).await.status, 204);
    let list = bench.github("GET", scope, None).await.json();
    assert_eq!(list["total_count"], 1);
    assert_eq!(list["secrets"][0]["name"], "DOCKER_ACCESS_TOKEN");
    assert!(!list.to_string().contains("not-a-real-token"));
    let state = bench.sandbox.state();
    let repositories = state["github"]["repositories"].as_array().unwrap();
    let shop = repositories
        .iter()
        .find(|r| r["name"] == "acme/shop")
        .unwrap();
    assert_eq!(
        shop["secrets"]["DOCKER_ACCESS_TOKEN"]["fingerprint"],
        fingerprint(&bench, "not-a-real-token").await
    );
    assert_eq!(bench.github("GET", &path, None).await.status, 200);
    assert_eq!(bench.github("DELETE", &path, None).await.status, 204);
    assert_eq!(bench.github("GET", &path, None).await.status, 404);
}

#[tokio::test]
async fn each_scope_has_its_own_key_and_takes_no_box_for_another() {
    let bench = Bench::new().await;
    let scopes = [
        "/repos/acme/shop/actions/secrets",
        "/repos/acme/shop/dependabot/secrets",
        "/repos/acme/shop/environments/production/secrets",
        "/repos/acme/website/actions/secrets",
    ];
    let foreign = sealed(&bench, "/orgs/acme/actions/secrets", "x").await;
    for scope in scopes {
        let path = format!("{scope}/TOKEN");
        assert_eq!(
            bench.github("PUT", &path, Some(&foreign)).await.status,
            422,
            "{scope}"
        );
        let own = sealed(&bench, scope, "x").await;
        assert_eq!(
            bench.github("PUT", &path, Some(&own)).await.status,
            201,
            "{scope}"
        );
        let mut broken = own;
        broken["encrypted_value"] = BASE64_STANDARD.encode([7; 64]).into();
        assert_eq!(
            bench.github("PUT", &path, Some(&broken)).await.status,
            422,
            "{scope}"
        );
    }
    let missing = "/repos/acme/shop/environments/none/secrets";
    assert_eq!(bench.github("GET", missing, None).await.status, 404);
}

#[tokio::test]
async fn an_organisations_secret_says_who_sees_it() {
    let bench = Bench::new().await;
    let scope = "/orgs/acme/actions/secrets";
    let mut body = sealed(&bench, scope, "x").await;
    let path = format!("{scope}/TOKEN");
    assert_eq!(bench.github("PUT", &path, Some(&body)).await.status, 422);
    body["visibility"] = "private".into();
    assert_eq!(bench.github("PUT", &path, Some(&body)).await.status, 201);
    let shown = bench.github("GET", &path, None).await.json();
    assert_eq!(shown["visibility"], "private");
}

#[tokio::test]
async fn variables_are_made_read_changed_and_deleted() {
    let bench = Bench::new().await;
    let scope = "/repos/acme/shop/actions/variables";
    let body = json!({"name": "docker_user", "value": "acmeshop"});
    assert_eq!(bench.github("POST", scope, Some(&body)).await.status, 201);
    assert_eq!(bench.github("POST", scope, Some(&body)).await.status, 409);
    let path = format!("{scope}/DOCKER_USER");
    assert_eq!(
        bench.github("GET", &path, None).await.json()["value"],
        "acmeshop"
    );
    let body = json!({"name": "DOCKER_USER", "value": "another"});
    assert_eq!(bench.github("PATCH", &path, Some(&body)).await.status, 204);
    let list = bench.github("GET", scope, None).await.json();
    assert_eq!(list["variables"][0]["value"], "another");
    assert_eq!(bench.github("DELETE", &path, None).await.status, 204);
}

#[tokio::test]
async fn a_dispatched_workflow_pulls_with_the_repositorys_secrets() {
    let bench = Bench::new().await;
    bench.member("acmewebsite").await;
    let (token, _) = bench.token("acmewebsite", "website").await;
    let scope = "/repos/acme/website/actions/secrets";
    let body = sealed(&bench, scope, &token).await;
    bench
        .github("PUT", &format!("{scope}/DOCKER_ACCESS_TOKEN"), Some(&body))
        .await;
    // The user name is no secret.
    let variable = json!({"name": "DOCKER_USER", "value": "acmewebsite"});
    bench
        .github(
            "POST",
            "/repos/acme/website/actions/variables",
            Some(&variable),
        )
        .await;
    let path = "/repos/acme/website/actions/workflows/ci.yml/dispatches";
    let body = json!({"ref": "main"});
    assert_eq!(bench.github("POST", path, Some(&body)).await.status, 204);
    let runs = "/repos/acme/website/actions/runs";
    for _ in 0..1000 {
        let run = bench.github("GET", runs, None).await.json()["workflow_runs"][0].clone();
        if run["status"] == "completed" {
            assert_eq!(run["conclusion"], "success");
            let jobs = format!("{runs}/{}/jobs", run["id"]);
            assert_eq!(
                bench.github("GET", &jobs, None).await.json()["total_count"],
                1
            );
            let state = bench.sandbox.state();
            assert_eq!(state["pulls"]["by_identity"], json!({"acmewebsite": 1}));
            return;
        }
    }
    panic!("the run did not end");
}

#[tokio::test]
async fn who_is_not_signed_in_is_refused_and_what_is_not_there_is_not_found() {
    let bench = Bench::new().await;
    let answer = bench
        .bearing(System::GitHub, "nobodys", "GET", "/user", None)
        .await;
    assert_eq!(
        (answer.status, &answer.json()["message"]),
        (401, &json!("Bad credentials"))
    );
    assert_eq!(
        bench.github("GET", "/user", None).await.json()["login"],
        "acme-operator"
    );
    let repository = bench.github("GET", "/repos/acme/shop", None).await;
    assert_eq!(repository.json()["full_name"], "acme/shop");
    assert!(repository.header("x-ratelimit-remaining").is_some());
    assert_eq!(
        bench.github("GET", "/repos/acme/none", None).await.status,
        404
    );
    assert_eq!(
        bench
            .github("GET", "/repos/acme/shop/environments", None)
            .await
            .json()["total_count"],
        1
    );
    assert_eq!(
        bench
            .github("GET", "/repos/acme/shop/actions/workflows", None)
            .await
            .json()["total_count"],
        1
    );
}

#[tokio::test]
async fn a_long_list_links_to_its_next_page() {
    let bench = Bench::new().await;
    let scope = "/repos/acme/shop/actions/variables";
    for number in 0..3 {
        let body = json!({"name": format!("V{number}"), "value": "x"});
        bench.github("POST", scope, Some(&body)).await;
    }
    let first = bench
        .github("GET", &format!("{scope}?per_page=2"), None)
        .await;
    let link = first.header("link").unwrap();
    assert!(link.contains("page=2>; rel=\"next\""), "{link}");
}
