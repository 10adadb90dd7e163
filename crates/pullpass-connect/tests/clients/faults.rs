//! What becomes of a request when things go wrong.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use pullpass_connect::circleci::{CircleCi, Slug};
use pullpass_connect::github::{GitHub, Repository, Scope};
use pullpass_connect::http::Limits;
use pullpass_connect::hub::{Owner, Pull};
use pullpass_fleet::failure::FailureKind;
use pullpass_fleet::observed::TokenId;
use secrecy::SecretString;
use serde_json::{Map, json};

use crate::support::{Bench, alone, canned, id, label, password};

fn shop() -> Slug {
    Slug::parse("gh/acme/shop").unwrap()
}

fn secret() -> SecretString {
    SecretString::from("not-a-real-token")
}

#[tokio::test]
async fn docker_hub_names_a_time_and_is_left_alone_until_then() {
    let bench = Bench::new().await;
    // The clocks differ by an hour: only the answer's own date can tell how long that is.
    bench.advance_sandbox(3600).await;
    bench.arm(json!({"fault": "429", "vendor": "hub"})).await;
    let hub = bench.hub();
    assert!(hub.exists(&id("acmedev")).await.unwrap());
    assert_eq!(hub.calls(), 2);
    assert_eq!(bench.slept(), [1.0]);
}

#[tokio::test]
async fn the_others_name_a_number_of_seconds() {
    let bench = Bench::new().await;
    bench
        .arm(json!({"fault": "429", "vendor": "circleci"}))
        .await;
    bench.arm(json!({"fault": "429", "vendor": "github"})).await;
    bench.circleci().me().await.unwrap();
    // GitHub says it with a 403.
    bench.github().me().await.unwrap();
    assert_eq!(bench.slept(), [1.0, 1.0]);
}

#[tokio::test]
async fn whoever_is_told_to_wait_waits_for_all_requests_to_that_system() {
    let mut bench = Bench::new().await;
    bench.limits.patience = Duration::ZERO;
    let circleci = bench.circleci();
    bench
        .arm(json!({"fault": "429", "vendor": "circleci"}))
        .await;
    let failure = circleci.me().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.happened.contains("wants us back in"), "{failure}");
    assert_eq!(circleci.calls(), 1);
    let failure = circleci.variables(&shop()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(circleci.calls(), 1, "nothing is sent before the time");
    bench.advance(2).await;
    circleci.variables(&shop()).await.unwrap();
}

/// A person sees why nothing happens.
#[tokio::test]
async fn a_wait_is_told_of_once_for_all_requests_that_wait() {
    let bench = Bench::new().await;
    let hub = bench.hub();
    hub.members().await.unwrap();
    bench.arm(json!({"fault": "429", "vendor": "hub"})).await;
    let (members, invitations) = tokio::join!(hub.members(), hub.invitations());
    members.unwrap();
    invitations.unwrap();
    {
        let told = bench.told.borrow();
        let slept = bench.clock.slept.borrow();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "Docker Hub");
        assert!(slept.contains(&told[0].1), "{told:?} {slept:?}");
    }
    bench.arm(json!({"fault": "429", "vendor": "hub"})).await;
    hub.members().await.unwrap();
    assert_eq!(bench.told.borrow().len(), 2, "a later one is another");
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_at_once() {
    let mut bench = Bench::new().await;
    bench.limits.at_once = 2;
    let circleci = bench.circleci();
    tokio::select! {
        biased;
        _ = circleci.me() => panic!("answered already"),
        _ = circleci.me() => panic!("answered already"),
        _ = circleci.me() => panic!("answered already"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(circleci.calls(), 2);
    circleci.me().await.unwrap();
}

#[tokio::test]
async fn a_limit_that_is_used_up_refuses_no_request() {
    let bench = Bench::new().await;
    let hub = bench.hub();
    // 180 are let through in a minute.
    for _ in 0..400 {
        assert!(hub.exists(&id("acmedev")).await.unwrap());
    }
    assert_eq!(hub.calls(), 400, "no request is sent to be refused");
    let slept = bench.slept();
    assert_eq!(slept.len(), 2, "{slept:?}");
    assert!(slept.iter().all(|wait| *wait <= 60.0), "{slept:?}");
}

#[tokio::test]
async fn a_request_that_may_be_repeated_gets_over_what_breaks() {
    let bench = Bench::new().await;
    let (circleci, github) = (bench.circleci(), bench.github());
    let repository = Repository::parse("acme/shop").unwrap();
    for fault in ["500", "503", "lost-request", "lost-response"] {
        let order = |vendor: &str| json!({"fault": fault, "vendor": vendor, "times": 3});
        bench.arm(order("circleci")).await;
        let written = circleci
            .set_variable(&shop(), "DOCKER_USER", &secret())
            .await;
        assert!(written.is_ok(), "{fault}: {written:?}");
        bench.arm(order("github")).await;
        let written = github
            .set_secret(&repository, &Scope::Actions, "DOCKER_USER", &secret())
            .await;
        assert!(written.is_ok(), "{fault}: {written:?}");
        let written = github
            .set_variable(&repository, &Scope::Actions, "X", fault)
            .await;
        assert!(written.is_ok(), "{fault}: {written:?}");
    }
}

#[tokio::test]
async fn attempts_wait_twice_as_long_each_time_and_end() {
    let bench = Bench::new().await;
    let circleci = bench.circleci();
    bench
        .arm(json!({"fault": "503", "vendor": "circleci", "times": 8}))
        .await;
    let failure = circleci.me().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(failure.happened, "CircleCI answered 503 (4 attempts)");
    assert_eq!(bench.slept(), [0.5, 1.0, 2.0]);
    let failure = circleci
        .set_variable(&shop(), "DOCKER_USER", &secret())
        .await
        .unwrap_err();
    assert_eq!(
        failure.kind,
        FailureKind::Unknown,
        "a write may have happened"
    );
    assert_eq!(circleci.calls(), 8);
}

#[tokio::test]
async fn a_token_is_minted_once_whatever_becomes_of_the_answer() {
    for (fault, tokens) in [
        ("lost-response", 1),
        ("lost-request", 0),
        ("500", 0),
        ("503", 0),
    ] {
        let bench = Bench::new().await;
        let shop = bench.member("acmeshop").await;
        let hub = bench.hub();
        hub.sign_in(&shop, &password()).await.unwrap();
        let calls = hub.calls();
        let order =
            json!({"fault": fault, "vendor": "hub", "method": "POST", "path": "/v2/access-tokens"});
        bench.arm(order).await;
        let owner = Owner::Account(shop);
        let failure = hub
            .mint(&owner, &label(1), &Pull::PrivateToo, None)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unknown, "{fault}: {failure}");
        assert_eq!(hub.calls() - calls, 1, "{fault}");
        assert_eq!(bench.tokens_of("acmeshop").len(), tokens, "{fault}");
        assert_eq!(hub.tokens(&owner).await.unwrap().len(), tokens, "{fault}");
    }
}

#[tokio::test]
async fn minting_is_repeated_when_it_was_refused_for_a_limit() {
    let bench = Bench::new().await;
    let shop = bench.member("acmeshop").await;
    let hub = bench.hub();
    hub.sign_in(&shop, &password()).await.unwrap();
    let order =
        json!({"fault": "429", "vendor": "hub", "method": "POST", "path": "/v2/access-tokens"});
    bench.arm(order).await;
    hub.mint(&Owner::Account(shop), &label(1), &Pull::PrivateToo, None)
        .await
        .unwrap();
    assert_eq!(bench.tokens_of("acmeshop").len(), 1);
}

#[tokio::test]
async fn deleting_succeeds_when_the_answer_was_lost_and_not_when_nothing_was_there() {
    let bench = Bench::new().await;
    let shop = bench.member("acmeshop").await;
    let hub = bench.hub();
    hub.sign_in(&shop, &password()).await.unwrap();
    let owner = Owner::Account(shop);
    let minted = hub
        .mint(&owner, &label(1), &Pull::PrivateToo, None)
        .await
        .unwrap();
    bench
        .arm(json!({"fault": "lost-response", "vendor": "hub", "method": "DELETE"}))
        .await;
    hub.delete(&owner, minted.token.id).await.unwrap();
    assert_eq!(bench.tokens_of("acmeshop").len(), 0);
    let failure = hub.delete(&owner, TokenId(7)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[tokio::test]
async fn a_pipeline_whose_start_is_never_answered_is_not_started_twice() {
    let mut bench = Bench::new().await;
    bench.limits.request = Duration::from_millis(50);
    bench
        .arm(json!({"fault": "hang", "vendor": "circleci", "method": "POST"}))
        .await;
    let circleci = bench.circleci();
    let failure = circleci
        .trigger(&shop(), "main", &Map::new())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unknown);
    assert!(failure.happened.contains("no answer in time"), "{failure}");
    assert_eq!(circleci.calls(), 1);
    let builds = bench.control("GET", "/builds", None).await;
    assert_eq!(builds["builds"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_happened_where_nobody_listens() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let circleci = CircleCi::new(&alone(Limits::default()), &url, secret()).unwrap();
    let failure = circleci
        .trigger(&shop(), "main", &Map::new())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
    assert_eq!(circleci.calls(), 4, "what was never sent is sent again");
}

#[tokio::test]
async fn a_system_that_went_down_is_there_again_later() {
    let mut bench = Bench::new().await;
    bench.limits.attempts = 6;
    let circleci = bench.circleci();
    bench
        .arm(json!({"fault": "crash", "vendor": "circleci"}))
        .await;
    circleci.me().await.unwrap();
}

#[tokio::test]
async fn a_date_is_a_time_to_come_back_at() {
    let (url, serving) = canned(vec![
        "429 Too Many Requests\ndate: Thu, 26 Nov 2026 10:00:00 GMT\nretry-after: Thu, 26 Nov 2026 10:00:40 GMT\n\n".into(),
        "403 Forbidden\n\n{\"message\": \"You have exceeded a secondary rate limit.\"}".into(),
        "200 OK\n\n{\"login\": \"acmebot\"}".into(),
    ]);
    let options = alone(Limits {
        patience: Duration::from_secs(100),
        ..Limits::default()
    });
    let github = GitHub::new(&options, &url, secret()).unwrap();
    // 40 seconds, then the minute that GitHub wants where it names no time.
    assert_eq!(github.me().await.unwrap().login, "acmebot");
    assert_eq!(serving.join().unwrap().len(), 3);
}

#[tokio::test]
async fn waiting_ends_when_patience_does() {
    let refusal = "429 Too Many Requests\nretry-after: 40\n\n";
    let (url, serving) = canned(vec![refusal.into(); 3]);
    let options = alone(Limits {
        patience: Duration::from_secs(100),
        ..Limits::default()
    });
    let github = GitHub::new(&options, &url, secret()).unwrap();
    let failure = github.me().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(serving.join().unwrap().len(), 3, "40 s, 40 s, and no more");
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let (elsewhere, _listening) = canned(vec!["200 OK\n\n{\"login\": \"thief\"}".into()]);
    let (url, serving) = canned(vec![format!("302 Found\nlocation: {elsewhere}/user\n\n")]);
    let github = GitHub::new(&alone(Limits::default()), &url, secret()).unwrap();
    let failure = github.me().await.unwrap_err();
    assert!(failure.happened.contains("302"), "{failure}");
    assert_eq!(serving.join().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repository_that_moved_on_the_same_host_is_found() {
    let (url, serving) = canned(vec![
        "301 Moved Permanently\nlocation: /repositories/7/actions/secrets\n\n".into(),
        "200 OK\n\n{\"total_count\": 0, \"secrets\": []}".into(),
        "301 Moved Permanently\nlocation: /repositories/7/actions/variables/X\n\n".into(),
    ]);
    let url = format!("{url}/api/v3/");
    let github = GitHub::new(&alone(Limits::default()), &url, secret()).unwrap();
    let repository = Repository::parse("acme/old").unwrap();
    github.secrets(&repository, &Scope::Actions).await.unwrap();
    // A write that became a read would look like a success.
    let failure = github
        .set_variable(&repository, &Scope::Actions, "X", "1")
        .await
        .unwrap_err();
    assert!(failure.happened.contains("301"), "{failure}");
    let requests = serving.join().unwrap();
    assert!(
        requests[0].starts_with("GET /api/v3/repos/acme/old/actions/secrets?per_page=100&page=1 ")
    );
    assert!(requests[1].starts_with("GET /repositories/7/actions/secrets "));
    assert!(requests[0].contains(concat!("user-agent: pullpass/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn an_answer_that_is_something_else_is_said_so() {
    let (url, _serving) = canned(vec!["200 OK\n\n<html>Welcome</html>".into()]);
    let circleci = CircleCi::new(&alone(Limits::default()), &url, secret()).unwrap();
    let failure = circleci.me().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.next.contains("is this the address"), "{failure}");
}

#[test]
fn an_address_that_is_none_is_refused_and_its_password_not_shown() {
    for wrong in [
        "",
        "hub.docker.com",
        "ftp://host",
        "https://a:not-real@host",
        "https://a:not-real@ho st",
    ] {
        let failure = CircleCi::new(&alone(Limits::default()), wrong, secret())
            .err()
            .unwrap();
        assert_eq!(failure.kind, FailureKind::Configuration, "{wrong}");
        assert!(!failure.to_string().contains("not-real"), "{failure}");
    }
}
