//! The registry.

use std::time::Duration;

use pullpass_connect::hub::{Owner, Pull};
use pullpass_connect::registry::{Metered, PROBE, Proof, Registry};
use pullpass_fleet::failure::FailureKind;
use pullpass_sandbox::client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::support::{Bench, PASSWORD, alone, canned, label, password};

#[tokio::test]
async fn a_token_of_a_member_pulls_unmetered_and_cannot_push() {
    let bench = Bench::new().await;
    let shop = bench.member("acmeshop").await;
    let hub = bench.hub();
    hub.sign_in(&shop, &password()).await.unwrap();
    let owner = Owner::Account(shop);
    let minted = hub
        .mint(&owner, &label(1), &Pull::PrivateToo, None)
        .await
        .unwrap();
    let registry = bench.registry();
    for image in [PROBE, "alpine:3.20", "docker.io/library/alpine"] {
        let proof = registry
            .prove("acmeshop", &minted.secret, image)
            .await
            .unwrap();
        let Proof::Accepted {
            account,
            metered,
            may_push,
        } = proof
        else {
            panic!("refused");
        };
        assert!(account.is_some_and(|account| account.len() == 36));
        assert_eq!((metered, may_push), (None, false));
    }
    assert_eq!(registry.calls(), 7, "where tokens are is asked once");
    // What is granted stands in the token.
    for (image, calls) in [("alpine", 8), (PROBE, 9)] {
        let granted = registry.prove_granted("acmeshop", &minted.secret, image);
        assert!(matches!(
            granted.await,
            Ok(Proof::Accepted {
                account: None,
                metered: None,
                may_push: false
            })
        ));
        assert_eq!(registry.calls(), calls);
    }
    let total = &bench.sandbox.state()["pulls"]["total"];
    assert_eq!(total, &json!(0), "nothing was pulled");
    hub.set_active(&owner, minted.token.id, false)
        .await
        .unwrap();
    let proof = registry
        .prove("acmeshop", &minted.secret, PROBE)
        .await
        .unwrap();
    assert_eq!(proof, Proof::Refused);
}

#[tokio::test]
async fn whoever_pays_nothing_is_metered() {
    let bench = Bench::new().await;
    bench.person("somebody", true).await;
    let proof = bench
        .registry()
        .prove("somebody", &password(), PROBE)
        .await
        .unwrap();
    let Proof::Accepted { metered, .. } = proof else {
        panic!("refused");
    };
    let six_hours = Duration::from_secs(6 * 3600);
    let expected = Metered {
        limit: 200,
        remaining: 200,
        window: six_hours,
    };
    assert_eq!(metered, Some(expected));
}

#[tokio::test]
async fn a_credential_that_could_push_is_seen() {
    let bench = Bench::new().await;
    bench.member("acmeshop").await;
    let login = json!({"identifier": "acmeshop", "secret": PASSWORD});
    let hub = bench.sandbox.urls().hub.clone();
    let post = async |path: &str, bearer: &str, body: &Value| {
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer),
        ];
        let from = std::net::Ipv4Addr::LOCALHOST;
        let body = body.to_string();
        let answer = client::send(&hub, from, "POST", path, &headers, body).await;
        answer.unwrap().json()
    };
    let session = post("/v2/auth/token", "", &login).await;
    let bearer = format!("Bearer {}", session["access_token"].as_str().unwrap());
    for (scope, pushes) in [("repo:read", false), ("repo:write", true)] {
        let body = json!({"token_label": "too much", "scopes": [scope]});
        let token = post("/v2/access-tokens", &bearer, &body).await["token"].clone();
        let token = SecretString::from(token.as_str().unwrap().to_owned());
        let proof = bench
            .registry()
            .prove("acmeshop", &token, PROBE)
            .await
            .unwrap();
        let Proof::Accepted { may_push, .. } = proof else {
            panic!("refused");
        };
        assert_eq!(may_push, pushes, "{scope}");
    }
}

#[tokio::test]
async fn an_accepted_credential_without_rights_is_no_refused_one() {
    let bench = Bench::new().await;
    bench.person("somebody", true).await;
    let registry = bench.registry();
    let prove = async |image| registry.prove("somebody", &password(), image).await;
    let failure = prove("acme/base").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(
        failure.next.contains("`somebody` may not pull"),
        "{failure}"
    );
    let somebody = password();
    let granted = registry.prove_granted("somebody", &somebody, "acme/base");
    assert_eq!(granted.await.unwrap_err(), failure);
    let failure = prove("alpine:none").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[tokio::test]
async fn trouble_is_no_refusal() {
    let bench = Bench::new().await;
    bench
        .arm(json!({"fault": "503", "vendor": "registry", "times": 4}))
        .await;
    let registry = bench.registry();
    let prove = async || registry.prove("acmedev", &password(), PROBE).await;
    let failure = prove().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(prove().await.unwrap(), Proof::Refused);
}

#[tokio::test]
async fn a_password_is_not_sent_to_a_strange_place() {
    let challenge = "401 Unauthorized\nwww-authenticate: Bearer realm=\"http://127.0.0.1:1/token\",service=\"x\"\n\n";
    let (url, serving) = canned(vec![challenge.into()]);
    let registry = Registry::new(&alone(Default::default()), &url).unwrap();
    let failure = registry
        .prove("acmedev", &password(), PROBE)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    let requests = serving.join().unwrap();
    assert!(!requests[0].to_ascii_lowercase().contains("authorization"));
    assert!(password().expose_secret() == PASSWORD && !requests[0].contains(PASSWORD));
}
