//! No secret comes out of a failure, whatever the other side says.

use pullpass_connect::circleci::{CircleCi, Slug};
use pullpass_connect::github::{GitHub, Repository, Scope};
use pullpass_connect::http::Limits;
use pullpass_connect::hub::Hub;
use pullpass_connect::registry::{PROBE, Registry};
use pullpass_fleet::failure::Failure;
use secrecy::SecretString;

use crate::support::{acme, alone, canned, id};

/// In every place where it stands, it has characters that JSON writes otherwise.
const CANARY: &str = "canary\"not\\a-real-secret";

/// A server that repeats all that it is sent, header and body, as its own words.
const REPEATS: &str = "400 Bad Request\n\n{\"message\": ECHO}";

fn canary() -> SecretString {
    SecretString::from(CANARY)
}

fn assert_silent(failure: &Failure) {
    for text in [failure.to_string(), format!("{failure:?}")] {
        // "not\a-real" is what is left of it in JSON.
        for part in ["canary", "a-real-secret", "Y2FuYXJ5", "bm90"] {
            assert!(!text.contains(part), "{text}");
        }
        assert!(text.contains("answered 400"), "{text}");
    }
}

fn repeating(times: usize) -> String {
    canned(vec![REPEATS.into(); times]).0
}

#[tokio::test]
async fn docker_hub_repeats_a_password() {
    let url = repeating(2);
    let options = alone(Limits::default());
    let operator = Some(("acmeowner".to_owned(), canary()));
    let hub = Hub::new(&options, &url, acme(), operator).unwrap();
    assert_silent(&hub.sign_in(&id("acmeshop"), &canary()).await.unwrap_err());
    assert_silent(&hub.members().await.unwrap_err());
}

#[tokio::test]
async fn circleci_repeats_a_token_and_a_value() {
    let circleci = CircleCi::new(&alone(Limits::default()), &repeating(2), canary()).unwrap();
    let slug = Slug::parse("gh/acme/shop").unwrap();
    assert_silent(&circleci.me().await.unwrap_err());
    let written = circleci.set_variable(&slug, "X", &canary()).await;
    assert_silent(&written.unwrap_err());
}

#[tokio::test]
async fn github_repeats_a_token() {
    let github = GitHub::new(&alone(Limits::default()), &repeating(2), canary()).unwrap();
    let repository = Repository::parse("acme/shop").unwrap();
    assert_silent(&github.me().await.unwrap_err());
    let written = github
        .set_secret(&repository, &Scope::Actions, "X", &canary())
        .await;
    assert_silent(&written.unwrap_err());
}

#[tokio::test]
async fn a_token_service_repeats_a_password() {
    let challenge = "401 Unauthorized\nwww-authenticate: Bearer realm=\"SELF/token\"\n\n";
    let (url, _serving) = canned(vec![challenge.into(), REPEATS.into()]);
    let registry = Registry::new(&alone(Limits::default()), &url).unwrap();
    let proof = registry.prove("acmeshop", &canary(), PROBE).await;
    assert_silent(&proof.unwrap_err());
}
