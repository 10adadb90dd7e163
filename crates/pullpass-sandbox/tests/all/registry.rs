//! The registry and its token service.

use crate::support::{Bench, PASSWORD, System, claims};
use pullpass_sandbox::client::Answer;
use pullpass_sandbox::{Limits, Options, Person, Plan, Population};
use serde_json::json;

const INDEXES: &str = "application/vnd.oci.image.index.v1+json, \
                       application/vnd.docker.distribution.manifest.list.v2+json, \
                       application/vnd.oci.image.manifest.v1+json";

fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_registry_says_where_to_get_a_token() {
    let bench = Bench::new().await;
    let answer = bench.send(System::Registry, "GET", "/v2/", &[], None).await;
    assert_eq!(answer.status, 401);
    let expected = format!(
        "Bearer realm=\"{}/token\",service=\"registry.docker.io\"",
        bench.sandbox.urls().registry
    );
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
    let path = "/v2/library/alpine/manifests/3.20";
    let answer = bench.send(System::Registry, "GET", path, &[], None).await;
    let header = answer.header("www-authenticate").unwrap();
    assert!(
        header.ends_with("scope=\"repository:library/alpine:pull\""),
        "{header}"
    );
    assert_eq!(answer.json()["errors"][0]["code"], "UNAUTHORIZED");
}

#[tokio::test]
async fn the_token_service_answers_200_where_it_grants_nothing() {
    let bench = Bench::new().await;
    let answer = bench.registry_token(None, "acme/base").await;
    assert_eq!(answer.status, 200);
    let token = text(&answer, "token");
    assert_eq!(claims(&token)["access"], json!([]));
    assert_eq!(claims(&token)["sub"], "");
    let path = "/v2/acme/base/manifests/latest";
    let answer = bench
        .bearing(System::Registry, &token, "GET", path, None)
        .await;
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .contains("insufficient_scope")
    );
}

#[tokio::test]
async fn a_wrong_password_is_refused_by_the_token_service() {
    let bench = Bench::new().await;
    let login = Some(("acmeowner", "not-the-password"));
    let answer = bench.registry_token(login, "library/alpine").await;
    assert_eq!(answer.status, 401);
    assert_eq!(text(&answer, "details"), "incorrect username or password");
}

#[tokio::test]
async fn the_token_service_takes_the_oauth_form_too() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let form = format!(
        "grant_type=password&username=acmeshop&password={PASSWORD}&service=registry.docker.io\
         &client_id=test&scope=repository%3Aacme%2Fbase%3Apull"
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let base = &bench.sandbox.urls().registry;
    let from = std::net::Ipv4Addr::LOCALHOST;
    let answer = pullpass_sandbox::client::send(base, from, "POST", "/token", &headers, form)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(claims(&text(&answer, "access_token"))["sub"], "acmeshop");
}

#[tokio::test]
async fn an_index_leads_to_manifests_and_these_to_blobs() {
    let bench = Bench::new().await;
    let token = text(&bench.registry_token(None, "library/alpine").await, "token");
    let bearer = format!("Bearer {token}");
    let get = async |path: &str, accept: &str| {
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        bench
            .send(System::Registry, "GET", path, &headers, None)
            .await
    };
    let index = get("/v2/library/alpine/manifests/3.20", INDEXES).await;
    assert_eq!(
        index.header("content-type"),
        Some("application/vnd.oci.image.index.v1+json")
    );
    let first = index.json()["manifests"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let manifest = get(&format!("/v2/library/alpine/manifests/{first}"), INDEXES).await;
    assert_eq!(
        manifest.header("docker-content-digest"),
        Some(first.as_str())
    );
    let config = manifest.json()["config"]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let blob = get(&format!("/v2/library/alpine/blobs/{config}"), "*/*").await;
    assert_eq!(blob.json()["architecture"], "amd64");
    // A client that knows no indexes gets the image for amd64.
    let old = get(
        "/v2/library/alpine/manifests/3.20",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
    .await;
    assert_eq!(old.header("docker-content-digest"), Some(first.as_str()));
    let tags = get("/v2/library/alpine/tags/list", "*/*").await;
    assert_eq!(tags.json()["tags"], json!(["3.20", "latest"]));
    let unknown = get("/v2/library/alpine/manifests/9", INDEXES).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["errors"][0]["code"], "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_head_is_free_and_a_get_counts() {
    let bench = Bench::new().await;
    let left = |answer: &Answer| answer.header("ratelimit-remaining").unwrap().to_owned();
    let head = bench
        .manifest("HEAD", None, "ratelimitpreview/test", "latest")
        .await;
    assert_eq!(head.header("ratelimit-limit"), Some("100;w=21600"));
    assert_eq!(left(&head), "100;w=21600");
    assert_eq!(head.header("docker-ratelimit-source"), Some("127.0.0.1"));
    assert!(head.body.is_empty());
    let get = bench
        .manifest("GET", None, "ratelimitpreview/test", "latest")
        .await;
    assert_eq!(left(&get), "99;w=21600");
    let head = bench
        .manifest("HEAD", None, "ratelimitpreview/test", "latest")
        .await;
    assert_eq!(left(&head), "99;w=21600");
}

#[tokio::test]
async fn the_hundred_and_first_anonymous_pull_of_an_address_is_refused_for_six_hours() {
    let bench = Bench::new().await;
    for _ in 0..100 {
        let pull = bench.manifest("GET", None, "library/alpine", "3.20").await;
        assert_eq!(pull.status, 200);
    }
    let refused = bench.manifest("GET", None, "library/alpine", "3.20").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    let head = bench.manifest("HEAD", None, "library/alpine", "3.20").await;
    assert_eq!(head.status, 200);
    let wait = json!({"advance_seconds": 6 * 3600 + 1});
    bench.control("POST", "/clock", Some(&wait)).await;
    let pull = bench.manifest("GET", None, "library/alpine", "3.20").await;
    assert_eq!(pull.status, 200);
}

#[tokio::test]
async fn without_limits_pulls_are_counted_and_not_refused() {
    let options = Options {
        limits: Limits::None,
        ..Options::default()
    };
    let bench = Bench::with(options).await;
    for _ in 0..101 {
        let pull = bench.manifest("GET", None, "library/alpine", "3.20").await;
        assert_eq!(pull.status, 200);
    }
    let head = bench.manifest("HEAD", None, "library/alpine", "3.20").await;
    assert_eq!(head.header("ratelimit-remaining"), Some("0;w=21600"));
    assert_eq!(
        bench.sandbox.state()["pulls"]["by_identity"]["anonymous"],
        101
    );
}

#[tokio::test]
async fn a_member_of_a_paying_organisation_is_unmetered() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (token, _) = bench.token("acmeshop", "shop").await;
    let login = Some(("acmeshop", token.as_str()));
    let pull = bench.manifest("GET", login, "library/alpine", "3.20").await;
    assert_eq!(pull.status, 200);
    assert_eq!(pull.header("ratelimit-limit"), None);
    assert_eq!(pull.header("ratelimit-remaining"), None);
    let state = bench.sandbox.state();
    let users = state["users"].as_array().unwrap();
    let shop = users.iter().find(|u| u["name"] == "acmeshop").unwrap();
    assert_eq!(
        pull.header("docker-ratelimit-source"),
        shop["uuid"].as_str()
    );
    assert!(shop["tokens"][0]["last_used"].is_string());
    assert_eq!(state["pulls"]["by_identity"]["acmeshop"], 1);
}

#[tokio::test]
async fn a_personal_account_is_metered_and_its_source_is_its_id() {
    let mut population = Population::default();
    let mut loner = Person::new("loner");
    loner.password = Some(PASSWORD.to_owned());
    let mut payer = loner.clone();
    payer.name = "payer".to_owned();
    payer.plan = Plan::Pro;
    population.people.extend([loner, payer]);
    let options = Options {
        population,
        ..Options::default()
    };
    let bench = Bench::with(options).await;
    let pull = async |user| {
        let login = Some((user, PASSWORD));
        bench.manifest("GET", login, "library/alpine", "3.20").await
    };
    assert_eq!(
        pull("loner").await.header("ratelimit-limit"),
        Some("200;w=21600")
    );
    assert_eq!(pull("payer").await.header("ratelimit-limit"), None);
}

#[tokio::test]
async fn a_token_for_public_images_does_not_reach_private_ones() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let owner = bench.owner().await;
    let groups = bench
        .hub(&owner, "GET", "/v2/orgs/acme/groups/ci-pullers", None)
        .await;
    let id = groups.json()["id"].clone();
    let grant = json!({"group_id": id, "permission": "read"});
    let path = "/v2/repositories/acme/base/groups";
    assert_eq!(
        bench.hub(&owner, "POST", path, Some(&grant)).await.status,
        200
    );
    let session = bench.session("acmeshop", PASSWORD).await;
    let mint = async |scope: &str| {
        let body = json!({"token_label": scope, "scopes": [scope]});
        let made = bench
            .hub(&session, "POST", "/v2/access-tokens", Some(&body))
            .await;
        text(&made, "token")
    };
    let public = mint("repo:public_read").await;
    let private = mint("repo:read").await;
    let reaches = async |secret: &str, repository: &str| {
        let login = Some(("acmeshop", secret));
        bench
            .manifest("HEAD", login, repository, "latest")
            .await
            .status
            == 200
    };
    assert!(reaches(&public, "library/alpine").await);
    assert!(!reaches(&public, "acme/base").await);
    assert!(reaches(&private, "acme/base").await);
}

#[tokio::test]
async fn nobody_pushes() {
    let bench = Bench::new().await;
    let token = text(&bench.registry_token(None, "library/alpine").await, "token");
    let path = "/v2/library/alpine/blobs/uploads/";
    let answer = bench
        .bearing(System::Registry, &token, "POST", path, None)
        .await;
    assert_eq!(answer.status, 401);
}
