//! A sandbox for one test, and its clients.
//!
//! Every answer that a test gets is held against the vendors' own descriptions, where these stand
//! beside the project (`conformity`).

use std::net::Ipv4Addr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pullpass_sandbox::client::{self, Answer, NoAnswer};
use pullpass_sandbox::{Options, Sandbox};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

pub(crate) mod conformity;
mod schema;
mod yaml;

/// A password of people whom tests make.
pub(crate) const PASSWORD: &str = "not-a-real-password";

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
}

/// One of the systems.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum System {
    Hub,
    Registry,
    CircleCi,
    GitHub,
    Sandbox,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
        }
    }

    pub(crate) fn url(&self, system: System) -> &str {
        let urls = self.sandbox.urls();
        match system {
            System::Hub => &urls.hub,
            System::Registry => &urls.registry,
            System::CircleCi => &urls.circleci,
            System::GitHub => &urls.github,
            System::Sandbox => &urls.sandbox,
        }
    }

    /// Sends one request; `None` when the connection was closed without an answer.
    pub(crate) async fn try_send(
        &self,
        system: System,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, NoAnswer> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let base = self.url(system);
        let answer = client::send(base, Ipv4Addr::LOCALHOST, method, path, &headers, text).await?;
        conformity::check(system, method, path, body, &answer);
        Ok(answer)
    }

    pub(crate) async fn send(
        &self,
        system: System,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        self.try_send(system, method, path, headers, body)
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// As somebody with a bearer token.
    pub(crate) async fn bearing(
        &self,
        system: System,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(system, method, path, &[("authorization", &bearer)], body)
            .await
    }

    /// On Docker Hub, as somebody with a bearer token.
    pub(crate) async fn hub(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        self.bearing(System::Hub, token, method, path, body).await
    }

    /// On CircleCI, as the operator.
    pub(crate) async fn circleci(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let token = self.sandbox.operator().circleci_token.clone();
        let path = format!("/api/v2{path}");
        let headers = [("circle-token", token.expose_secret())];
        self.send(System::CircleCi, method, &path, &headers, body)
            .await
    }

    /// On GitHub, as the operator.
    pub(crate) async fn github(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let token = self.sandbox.operator().github_token.clone();
        self.bearing(System::GitHub, token.expose_secret(), method, path, body)
            .await
    }

    /// At the sandbox's own controls.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/_sandbox{path}");
        self.send(System::Sandbox, method, &path, &[], body).await
    }

    /// A bearer token of Docker Hub for somebody.
    pub(crate) async fn session(&self, identifier: &str, secret: &str) -> String {
        let body = json!({"identifier": identifier, "secret": secret});
        let answer = self
            .send(System::Hub, "POST", "/v2/auth/token", &[], Some(&body))
            .await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// One for the operator, who signs in with a password.
    pub(crate) async fn owner(&self) -> String {
        let operator = self.sandbox.operator().clone();
        self.session(&operator.hub_user, operator.hub_secret.expose_secret())
            .await
    }

    /// Makes a confirmed Docker ID that is a member of `acme`, in the team that pulls.
    pub(crate) async fn member(&self, name: &str) {
        let body = json!({
            "people": [{"name": name, "email": format!("{name}@acme.example"), "password": PASSWORD}],
            "organization": "acme",
            "team": "ci-pullers",
        });
        let answer = self.control("POST", "/people", Some(&body)).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
    }

    /// Makes a token for such a Docker ID: its secret and its uuid.
    pub(crate) async fn token(&self, name: &str, label: &str) -> (String, String) {
        let session = self.session(name, PASSWORD).await;
        let body = json!({"token_label": label, "scopes": ["repo:read"]});
        let answer = self
            .hub(&session, "POST", "/v2/access-tokens", Some(&body))
            .await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        let shown = answer.json();
        let text = |name: &str| shown[name].as_str().unwrap().to_owned();
        (text("token"), text("uuid"))
    }

    /// A token of the registry's token service.
    pub(crate) async fn registry_token(
        &self,
        login: Option<(&str, &str)>,
        repository: &str,
    ) -> Answer {
        let path = format!("/token?service=registry.docker.io&scope=repository:{repository}:pull");
        let basic = login.map(|(user, secret)| {
            format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{user}:{secret}"))
            )
        });
        let headers: Vec<(&str, &str)> = basic
            .iter()
            .map(|basic| ("authorization", basic.as_str()))
            .collect();
        self.send(System::Registry, "GET", &path, &headers, None)
            .await
    }

    /// Asks for a manifest, as somebody or nobody.
    pub(crate) async fn manifest(
        &self,
        method: &str,
        login: Option<(&str, &str)>,
        repository: &str,
        reference: &str,
    ) -> Answer {
        let token = self.registry_token(login, repository).await;
        assert_eq!(token.status, 200, "{:?}", token.body);
        let token = token.json()["token"].as_str().unwrap().to_owned();
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.bearing(System::Registry, &token, method, &path, None)
            .await
    }
}

/// The claims of a token, which nobody here checks the signature of.
pub(crate) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
