//! The sandbox itself: builds, faults, the journal, the clock, people.

use std::net::Ipv4Addr;

use crate::support::{Bench, PASSWORD, System, conformity};
use pullpass_sandbox::client::{self, Answer};
use pullpass_sandbox::{Fault, Options, Population};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

async fn deliver(bench: &Bench, user: &str, token: &str) {
    for (name, value) in [("DOCKER_USER", user), ("DOCKER_ACCESS_TOKEN", token)] {
        let body = json!({"name": name, "value": value});
        let path = "/project/gh/acme/shop/envvar";
        assert_eq!(bench.circleci("POST", path, Some(&body)).await.status, 201);
    }
}

async fn build(bench: &Bench, project: &str, count: u64) -> Value {
    let body = json!({"project": project, "count": count});
    let answer = bench.control("POST", "/builds", Some(&body)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

async fn arm(bench: &Bench, order: Value) {
    let answer = bench.control("POST", "/faults", Some(&order)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
}

#[test]
fn the_vendors_descriptions_are_at_hand() {
    conformity::say();
}

#[tokio::test]
async fn builds_pull_as_nobody_until_their_variables_hold_something() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let before = build(&bench, "shop", 3).await;
    assert_eq!(before["pulls_by_identity"], json!({"anonymous": 3}));
    let (token, uuid) = bench.token("acmeshop", "shop").await;
    deliver(&bench, "acmeshop", &token).await;
    let after = build(&bench, "shop", 3).await;
    assert_eq!(after["pulls_by_identity"], json!({"acmeshop": 3}));
    assert_eq!(after["failed"], 0);
    let session = bench.session("acmeshop", PASSWORD).await;
    let path = format!("/v2/access-tokens/{uuid}");
    bench.hub(&session, "DELETE", &path, None).await;
    let deleted = build(&bench, "shop", 1).await;
    assert_eq!(deleted["failed"], 1);
    let why = deleted["builds"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("docker login as acmeshop: 401"), "{why}");
}

#[tokio::test]
async fn the_word_default_in_a_variable_fails_the_build() {
    let bench = Bench::new().await;
    deliver(&bench, "default", "default").await;
    let built = build(&bench, "shop", 1).await;
    assert_eq!(built["failed"], 1);
    let why = built["builds"][0]["why"].as_str().unwrap();
    assert!(why.contains("an unknown Docker ID"), "{why}");
}

#[tokio::test]
async fn shared_runners_use_up_the_anonymous_limit_of_their_addresses() {
    let bench = Bench::new().await;
    let built = build(&bench, "billing", 401).await;
    let failed = built["failed"].as_u64().unwrap();
    // Four shared addresses where this system has them, one elsewhere.
    assert!(failed == 1 || failed == 301, "{failed}");
    let all = built["builds"].as_array().unwrap();
    let refused = all.iter().find(|b| b["state"] == "failed").unwrap();
    assert!(
        refused["why"]
            .as_str()
            .unwrap()
            .contains("429 toomanyrequests"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_state_tells_by_fingerprints_that_a_token_was_delivered() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (token, _) = bench.token("acmeshop", "shop").await;
    deliver(&bench, "acmeshop", &token).await;
    let state = bench.sandbox.state();
    let users = state["users"].as_array().unwrap();
    let shop = users.iter().find(|u| u["name"] == "acmeshop").unwrap();
    let projects = state["circleci"]["projects"].as_array().unwrap();
    let project = projects
        .iter()
        .find(|p| p["slug"] == "gh/acme/shop")
        .unwrap();
    let delivered = &project["variables"]["DOCKER_ACCESS_TOKEN"]["fingerprint"];
    assert_eq!(&shop["tokens"][0]["fingerprint"], delivered);
    assert_eq!(shop["tokens"][0]["live"], true);
    let members = state["organizations"][0]["members"].as_array().unwrap();
    let member = members.iter().find(|m| m["name"] == "acmeshop").unwrap();
    assert_eq!(
        (&member["role"], &member["teams"]),
        (&json!("Member"), &json!(["ci-pullers"]))
    );
}

#[tokio::test]
async fn a_lost_response_has_its_effect_and_a_lost_request_has_none() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let session = bench.session("acmeshop", PASSWORD).await;
    let bearer = format!("Bearer {session}");
    let headers = [("authorization", bearer.as_str())];
    let body = json!({"token_label": "shop", "scopes": ["repo:read"]});
    let live = || {
        let state = bench.sandbox.state();
        let users = state["users"].as_array().unwrap();
        let shop = users.iter().find(|u| u["name"] == "acmeshop").unwrap();
        shop["tokens"].as_array().unwrap().len()
    };
    let post = async || {
        bench
            .try_send(
                System::Hub,
                "POST",
                "/v2/access-tokens",
                &headers,
                Some(&body),
            )
            .await
    };
    let order = |fault| json!({"fault": fault, "vendor": "hub", "method": "POST", "path": "/v2/access-tokens"});
    arm(&bench, order("lost-request")).await;
    assert!(post().await.is_err());
    assert_eq!(live(), 0);
    arm(&bench, order("lost-response")).await;
    assert!(post().await.is_err());
    assert_eq!(live(), 1);
    assert_eq!(post().await.unwrap().status, 201);
}

#[tokio::test]
async fn refusals_on_demand_have_their_vendors_form() {
    let bench = Bench::new().await;
    let session = bench.owner().await;
    let once = |fault, vendor| json!({"fault": fault, "vendor": vendor});
    arm(&bench, once("429", "hub")).await;
    let hub = bench
        .hub(&session, "GET", "/v2/orgs/acme/groups", None)
        .await;
    assert_eq!(hub.status, 429);
    let now = bench.control("GET", "/clock", None).await.json()["unix"]
        .as_i64()
        .unwrap();
    let until: i64 = hub.header("x-retry-after").unwrap().parse().unwrap();
    assert!((now - 5..now + 5).contains(&until));
    arm(&bench, once("429", "circleci")).await;
    let circleci = bench.circleci("GET", "/me", None).await;
    assert_eq!(
        (circleci.status, circleci.header("retry-after")),
        (429, Some("1"))
    );
    arm(&bench, once("429", "github")).await;
    let github = bench.github("GET", "/user", None).await;
    assert_eq!(
        (github.status, github.header("retry-after")),
        (403, Some("1"))
    );
    arm(&bench, once("503", "hub")).await;
    let proxy = bench
        .hub(&session, "GET", "/v2/orgs/acme/groups", None)
        .await;
    assert_eq!(
        (proxy.status, proxy.header("content-type")),
        (503, Some("text/html"))
    );
    arm(&bench, once("500", "github")).await;
    assert_eq!(bench.github("GET", "/user", None).await.status, 500);
}

#[tokio::test]
async fn a_stale_read_shows_how_it_was_before_the_last_change() {
    let bench = Bench::new().await;
    arm(
        &bench,
        json!({"fault": "stale-read", "vendor": "circleci", "path": "*/envvar", "nth": 1}),
    )
    .await;
    deliver(&bench, "acmeshop", "not-a-real-token").await;
    let names = async || {
        let list = bench
            .circleci("GET", "/project/gh/acme/shop/envvar", None)
            .await
            .json();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(names().await, 1, "the token was the last change");
    assert_eq!(names().await, 2);
}

#[tokio::test]
async fn after_a_crash_the_service_is_away_and_the_effect_stays() {
    let bench = Bench::new().await;
    arm(
        &bench,
        json!({"fault": "crash", "vendor": "circleci", "method": "POST"}),
    )
    .await;
    let token = bench.sandbox.operator().circleci_token.clone();
    let headers = [("circle-token", token.expose_secret())];
    let body = json!({"name": "DOCKER_USER", "value": "acmeshop"});
    let path = "/api/v2/project/gh/acme/shop/envvar";
    let post = bench
        .try_send(System::CircleCi, "POST", path, &headers, Some(&body))
        .await;
    assert!(post.is_err());
    for _ in 0..3 {
        let get = bench
            .try_send(System::CircleCi, "GET", path, &headers, None)
            .await;
        assert!(get.is_err(), "it is down");
    }
    let state = bench.sandbox.state();
    let projects = state["circleci"]["projects"].as_array().unwrap();
    let shop = projects
        .iter()
        .find(|p| p["slug"] == "gh/acme/shop")
        .unwrap();
    assert!(shop["variables"]["DOCKER_USER"].is_object());
    assert_eq!(
        bench.github("GET", "/user", None).await.status,
        200,
        "the others are not"
    );
    let after = bench
        .circleci("GET", "/project/gh/acme/shop/envvar", None)
        .await;
    assert_eq!(
        after.json()["items"][0]["name"],
        "DOCKER_USER",
        "it is back"
    );
}

#[tokio::test]
async fn a_hanging_answer_never_comes_and_the_journal_says_so() {
    let bench = Bench::new().await;
    arm(&bench, json!({"fault": "hang", "vendor": "github"})).await;
    let base = bench.sandbox.urls().github.clone();
    let waiting = tokio::spawn(async move {
        client::send(&base, Ipv4Addr::LOCALHOST, "GET", "/user", &[], "").await
    });
    loop {
        let journal = bench
            .control("GET", "/journal?vendor=github", None)
            .await
            .json();
        if let Some(entry) = journal["entries"].get(0) {
            assert_eq!(
                (&entry["fault"], &entry["status"]),
                (&json!("hang"), &Value::Null)
            );
            break;
        }
    }
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn with_faults_by_the_dice_a_client_that_retries_gets_there() {
    let options = Options {
        fault_rate: 0.3,
        faults: vec![
            Fault::InternalError,
            Fault::LostResponse,
            Fault::LostRequest,
            Fault::StaleRead,
        ],
        ..Options::default()
    };
    let bench = Bench::with(options).await;
    let token = bench.sandbox.operator().circleci_token.clone();
    let headers = [("circle-token", token.expose_secret())];
    let mut failures = 0;
    let mut answers = 0;
    while answers < 50 {
        let sent = bench
            .try_send(System::CircleCi, "GET", "/api/v2/me", &headers, None)
            .await;
        match sent {
            Ok(answer) if answer.status == 200 => answers += 1,
            _ => failures += 1,
        }
    }
    assert!(failures > 3, "{failures}");
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world() {
    let secrets = async |seed| {
        let options = Options {
            seed,
            ..Options::default()
        };
        let bench = Bench::with(options).await;
        let operator = bench.sandbox.operator().clone();
        operator.hub_secret.expose_secret().to_owned()
    };
    assert_eq!(secrets(7).await, secrets(7).await);
    assert_ne!(secrets(7).await, secrets(8).await);
}

#[tokio::test]
async fn no_secret_is_in_the_journal_or_the_state() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let (token, _) = bench.token("acmeshop", "shop").await;
    deliver(&bench, "acmeshop", &token).await;
    build(&bench, "shop", 2).await;
    let form = "email=person@acme.example&username=acmenew&password=not-a-real-password";
    browse(&bench, "POST", "/signup", form).await;
    let mail = messages(&bench, "person@acme.example").await;
    let link = mail[0]["link"].as_str().unwrap().to_owned();
    browse(
        &bench,
        "GET",
        link.strip_prefix(&bench.sandbox.urls().sandbox).unwrap(),
        "",
    )
    .await;
    let operator = bench.sandbox.operator().clone();
    let code = link.split_once("code=").unwrap().1.to_owned();
    let secrets = [
        token,
        code,
        PASSWORD.to_owned(),
        operator.hub_secret.expose_secret().to_owned(),
        operator.circleci_token.expose_secret().to_owned(),
        operator.github_token.expose_secret().to_owned(),
    ];
    let journal = bench.control("GET", "/journal", None).await;
    let texts = [
        String::from_utf8(journal.body.to_vec()).unwrap(),
        bench.sandbox.state().to_string(),
        bench
            .control("GET", "/builds", None)
            .await
            .json()
            .to_string(),
    ];
    assert!(
        texts[0].contains("\"who\":\"acme-operator\""),
        "{}",
        texts[0]
    );
    for text in &texts {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
    }
}

#[tokio::test]
async fn the_journal_counts_requests_and_goes_on_from_an_entry() {
    let bench = Bench::new().await;
    bench.circleci("GET", "/me", None).await;
    bench.github("GET", "/user", None).await;
    let all = bench.control("GET", "/journal", None).await.json();
    assert_eq!(all["requests"], json!({"circleci": 1, "github": 1}));
    let first = all["entries"][0]["number"].as_u64().unwrap();
    let rest = bench
        .control("GET", &format!("/journal?since={first}"), None)
        .await
        .json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    assert_eq!(rest["entries"][0]["path"], "/user");
}

#[tokio::test]
async fn a_clock_can_be_moved_and_stopped() {
    let bench = Bench::new().await;
    let set = json!({"set": "2030-01-01T00:00:00Z", "stopped": true});
    let now = bench.control("POST", "/clock", Some(&set)).await.json()["now"].clone();
    assert_eq!(
        bench.control("GET", "/clock", None).await.json()["now"],
        now
    );
    assert!(
        now.as_str().unwrap().starts_with("2030-01-01T00:00:0"),
        "{now}"
    );
    let answer = bench
        .send(System::Hub, "GET", "/v2/users/acmedev", &[], None)
        .await;
    assert_eq!(
        answer.header("date"),
        Some("Tue, 01 Jan 2030 00:00:00 GMT"),
        "answers are dated by the world's clock"
    );
    let wrong = json!({"sett": "2030-01-01T00:00:00Z"});
    assert_eq!(
        bench.control("POST", "/clock", Some(&wrong)).await.status,
        400
    );
}

async fn browse(bench: &Bench, method: &str, path: &str, form: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let base = &bench.sandbox.urls().sandbox;
    client::send(
        base,
        Ipv4Addr::LOCALHOST,
        method,
        path,
        &headers,
        form.to_owned(),
    )
    .await
    .unwrap()
}

async fn messages(bench: &Bench, to: &str) -> Vec<Value> {
    let headers = [("accept", "application/json")];
    let path = format!("/inbox?to={to}");
    let inbox = bench
        .send(System::Sandbox, "GET", &path, &headers, None)
        .await
        .json();
    inbox["messages"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_person_signs_up_confirms_is_invited_and_accepts() {
    let bench = Bench::new().await;
    let page = browse(&bench, "GET", "/signup", "").await;
    assert!(String::from_utf8_lossy(&page.body).contains("<label>Username"));
    let wrong = browse(
        &bench,
        "POST",
        "/signup",
        "email=x&username=A&password=short",
    )
    .await;
    assert_eq!(wrong.status, 422);
    assert!(String::from_utf8_lossy(&wrong.body).contains("role=\"alert\""));
    let form = format!("email=ci%2Bshop@acme.example&username=acmeshop&password={PASSWORD}");
    assert_eq!(browse(&bench, "POST", "/signup", &form).await.status, 201);
    let login = Some(("acmeshop", PASSWORD));
    assert_eq!(
        bench.registry_token(login, "library/alpine").await.status,
        401
    );
    let link = |mail: &Value| {
        let link = mail["link"].as_str().unwrap();
        link.strip_prefix(&bench.sandbox.urls().sandbox)
            .unwrap()
            .to_owned()
    };
    let mail = messages(&bench, "ci%2Bshop@acme.example").await;
    assert_eq!(browse(&bench, "GET", &link(&mail[0]), "").await.status, 200);
    assert_eq!(
        bench.registry_token(login, "library/alpine").await.status,
        200
    );
    let owner = bench.owner().await;
    let invite = json!({"org": "acme", "team": "ci-pullers", "invitees": ["acmeshop"]});
    bench
        .hub(&owner, "POST", "/v2/invites/bulk", Some(&invite))
        .await;
    let mail = messages(&bench, "ci%2Bshop@acme.example").await;
    let link = link(&mail[0]);
    let page = browse(&bench, "GET", &link, "").await;
    assert!(String::from_utf8_lossy(&page.body).contains("Sign in and accept"));
    let refused = browse(&bench, "POST", &link, "username=acmeshop&password=wrong").await;
    assert_eq!(refused.status, 422);
    let form = format!("username=acmeshop&password={PASSWORD}");
    assert_eq!(browse(&bench, "POST", &link, &form).await.status, 200);
    let path = "/v2/orgs/acme/members?role=member&search=acmeshop";
    let member = bench.hub(&owner, "GET", path, None).await.json();
    assert_eq!(member["results"][0]["groups"], json!(["ci-pullers"]));
}

#[tokio::test]
async fn a_thousand_projects_are_generated_and_can_be_built() {
    let mut population = Population::bare("acme");
    population.generate(1000);
    let options = Options {
        population,
        ..Options::default()
    };
    let bench = Bench::with(options).await;
    let built = build(&bench, "project00999", 1).await;
    assert_eq!(built["failed"], 0);
    let state = bench.sandbox.state();
    let projects = state["circleci"]["projects"].as_array().unwrap().len();
    let repositories = state["github"]["repositories"].as_array().unwrap().len();
    assert_eq!((projects, repositories), (667, 666));
}
