//! Whether a credential works, found out as a container engine would, without a pull: the `HEAD` of
//! a manifest is free.
//!
//! The token service answers 200 even where it grants nothing, so its answer proves only that the
//! credential was accepted. What it grants stands in the token; the manifest shows whose pulls are
//! counted, and how many are left
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pullpass_fleet::failure::{Failure, FailureKind};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::http::{Answer, Ask, Http, Options};

/// Docker Hub's registry.
pub const URL: &str = "https://registry-1.docker.io";

/// A public image that Docker made for looking at one's limits.
/// <https://docs.docker.com/docker-hub/usage/pulls/>
pub const PROBE: &str = "ratelimitpreview/test:latest";

/// What manifests are, for a client that knows all of them.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A name in the namespace of whoever is signed in, to ask whether they could push there. Nothing
/// is pushed.
const OWN: &str = "pullpass-probe";

/// What the registry says to a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// It works.
    Accepted {
        /// The id of the account that pulls are counted for (`docker-ratelimit-source`); `None`
        /// where the registry was not asked, does not say, or names an IP address, as it does to
        /// nobody.
        account: Option<String>,
        /// The limit that pulls count against; `None` when they are unmetered, or not asked for.
        metered: Option<Metered>,
        /// Whether the token service grants pushing, to this image or into the own namespace.
        may_push: bool,
    },
    /// The token service does not know it: wrong, deactivated, deleted or expired.
    Refused,
}

/// How many pulls are left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metered {
    /// At most so many.
    pub limit: u64,
    /// So many are left.
    pub remaining: u64,
    /// In so long a time.
    pub window: Duration,
}

/// Where tokens are to be had, as a registry says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

#[derive(Deserialize)]
struct Issued {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    access: Vec<Granted>,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    actions: Vec<String>,
}

impl Granted {
    fn may_pull(&self, repository: &str) -> bool {
        self.kind == "repository"
            && self.name == repository
            && self.actions.iter().any(|a| a == "pull" || a == "*")
    }

    fn may_push(&self) -> bool {
        let pushes = |action: &String| matches!(action.as_str(), "push" | "*" | "delete");
        self.actions.iter().any(pushes)
    }
}

/// A registry, and the token service that it names.
pub struct Registry {
    http: Http,
    options: Options,
    /// What it said to somebody without a token, which is the same for everybody.
    challenge: OnceCell<Challenge>,
    services: RefCell<BTreeMap<String, Rc<Http>>>,
}

impl Registry {
    /// A client of the registry at this address.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Configuration`] when `url` is no address.
    pub fn new(options: &Options, url: &str) -> Result<Self, Failure> {
        Ok(Self {
            http: Http::new(options, "the registry", "the credential", url)?,
            options: options.clone(),
            challenge: OnceCell::new(),
            services: RefCell::default(),
        })
    }

    /// Requests that were sent, to the registry and to its token service.
    pub fn calls(&self) -> u64 {
        let services = self.services.borrow();
        self.http.calls() + services.values().map(|http| http.calls()).sum::<u64>()
    }

    /// Sees that the registry is there, and says where tokens are to be had.
    ///
    /// # Errors
    ///
    /// When it does not answer like a registry.
    pub async fn reach(&self, image: &str) -> Result<(), Failure> {
        let (repository, reference) = split(image);
        self.challenge("reach the registry", &repository, &reference)
            .await
            .map(drop)
    }

    /// Finds out whether a credential may pull an image (`name`, `owner/name`, with a tag or
    /// without; [`PROBE`] is there for everybody), as whom, and how many pulls are left.
    ///
    /// # Errors
    ///
    /// When the registry cannot be asked, the image does not exist, or the credential is accepted
    /// and may not pull this image.
    pub async fn prove(
        &self,
        user: &str,
        secret: &SecretString,
        image: &str,
    ) -> Result<Proof, Failure> {
        self.proof(user, secret, image, true).await
    }

    /// The same in one call where the token service says that it grants pulling; the account and
    /// the limits are then not known.
    ///
    /// # Errors
    ///
    /// As [`Registry::prove`].
    pub async fn prove_granted(
        &self,
        user: &str,
        secret: &SecretString,
        image: &str,
    ) -> Result<Proof, Failure> {
        self.proof(user, secret, image, false).await
    }

    async fn proof(
        &self,
        user: &str,
        secret: &SecretString,
        image: &str,
        shows_limits: bool,
    ) -> Result<Proof, Failure> {
        let (repository, reference) = split(image);
        let doing = format!("find out whether `{user}` may pull `{repository}:{reference}`");
        let challenge = self.challenge(&doing, &repository, &reference).await?;
        let issued = self
            .token(&doing, &challenge, user, secret, &repository)
            .await?;
        let Some(token) = issued else {
            return Ok(Proof::Refused);
        };
        let granted = granted(&token);
        let may_push = granted.iter().flatten().any(Granted::may_push);
        let is_granted = || granted.iter().flatten().any(|g| g.may_pull(&repository));
        if !shows_limits && is_granted() {
            return Ok(Proof::Accepted {
                account: None,
                metered: None,
                may_push,
            });
        }
        let ask = head(&doing, &repository, &reference).bearer(&token);
        let answer = self.http.send(&ask).await?;
        match answer.status {
            200..=299 => Ok(Proof::Accepted {
                account: answer
                    .header("docker-ratelimit-source")
                    .filter(|source| source.parse::<IpAddr>().is_err())
                    .map(str::to_owned),
                metered: metered(&answer),
                may_push,
            }),
            401 | 403 => Err(Failure {
                kind: FailureKind::Refused,
                next: format!(
                    "the credential is accepted, and `{user}` may not pull this image: see that \
                     its team may read the repository"
                ),
                ..self.http.refusal(&ask, &answer)
            }),
            _ => Err(self.http.refusal(&ask, &answer)),
        }
    }

    /// Where tokens are to be had. It is asked once, however many come at the same time.
    async fn challenge(
        &self,
        doing: &str,
        repository: &str,
        reference: &str,
    ) -> Result<Challenge, Failure> {
        let ask = head(doing, repository, reference);
        let asked = async || {
            let answer = self.http.send(&ask).await?;
            match answer.status {
                401 => answer.header("www-authenticate").and_then(read_challenge),
                _ => None,
            }
            .ok_or_else(|| self.http.unreadable(&ask, "where to get a token"))
        };
        self.challenge.get_or_try_init(asked).await.cloned()
    }

    /// A token for pulling, if the credential is accepted; pushing is asked for too, to see that it
    /// is not granted.
    async fn token(
        &self,
        doing: &str,
        challenge: &Challenge,
        user: &str,
        secret: &SecretString,
        repository: &str,
    ) -> Result<Option<SecretString>, Failure> {
        let http = self.service(doing, &challenge.realm)?;
        let mut ask = Ask::get(doing, &[]).basic(user, secret);
        if let Some(service) = &challenge.service {
            ask = ask.query("service", service);
        }
        ask = ask
            .query("scope", format!("repository:{repository}:pull,push"))
            .query("scope", format!("repository:{user}/{OWN}:pull,push"));
        let answer = http.send(&ask).await?;
        if answer.status == 401 {
            return Ok(None);
        }
        let issued: Issued = http.read(&ask, &answer)?;
        let token = issued
            .token
            .or(issued.access_token)
            .ok_or_else(|| http.unreadable(&ask, "a token"))?;
        Ok(Some(SecretString::from(token)))
    }

    /// The token service. What it gets is a password, so it must be the registry itself or be
    /// reached without anybody listening.
    fn service(&self, doing: &str, realm: &str) -> Result<Rc<Http>, Failure> {
        if let Some(http) = self.services.borrow().get(realm) {
            return Ok(Rc::clone(http));
        }
        let url = Url::parse(realm).ok();
        let is_safe = url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https" || self.http.is_at(url));
        if !is_safe {
            return Err(Failure::new(
                FailureKind::Refused,
                doing,
                "the registry sends us for a token to a place that is not its own and not encrypted",
                "check the address of the registry",
            ));
        }
        let http = Http::new(&self.options, "the token service", "the credential", realm)?;
        let http = Rc::new(http);
        let mut services = self.services.borrow_mut();
        services.insert(realm.to_owned(), Rc::clone(&http));
        Ok(http)
    }
}

fn head(doing: &str, repository: &str, reference: &str) -> Ask {
    let mut path = vec!["v2"];
    path.extend(repository.split('/'));
    path.extend(["manifests", reference]);
    Ask::new(Method::HEAD, doing, &path).accept(MANIFESTS)
}

/// The repository and the tag or digest of an image on Docker Hub.
fn split(image: &str) -> (String, String) {
    let image = image
        .strip_prefix("docker.io/")
        .or_else(|| image.strip_prefix("index.docker.io/"))
        .unwrap_or(image);
    let (name, reference) = match image.split_once('@') {
        Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
        None => image.rsplit_once(':').unwrap_or((image, "latest")),
    };
    let name = match name.contains('/') {
        true => name.to_owned(),
        false => format!("library/{name}"),
    };
    (name, reference.to_owned())
}

/// Reads `Bearer realm="…",service="…"` (RFC 9110, section 11.6.1).
fn read_challenge(header: &str) -> Option<Challenge> {
    let (scheme, mut rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    while let Some((name, after)) = rest.split_once('=') {
        let value;
        let after = after.trim_start();
        if let Some(quoted) = after.strip_prefix('"') {
            let (inside, left) = quoted.split_once('"')?;
            value = inside;
            rest = left;
        } else {
            let end = after.find(',').unwrap_or(after.len());
            value = after.get(..end)?.trim();
            rest = after.get(end..)?;
        }
        match name
            .trim_matches([',', ' ', '\t'])
            .to_ascii_lowercase()
            .as_str()
        {
            "realm" => realm = Some(value.to_owned()),
            "service" => service = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(Challenge {
        realm: realm?,
        service,
    })
}

/// What a token grants; `None` when it cannot be read, which is nobody's duty to allow.
fn granted(token: &SecretString) -> Option<Vec<Granted>> {
    let claims = token.expose_secret().split('.').nth(1)?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(claims.access)
}

/// Reads `ratelimit-limit: 100;w=21600` and its like.
fn metered(answer: &Answer) -> Option<Metered> {
    let (limit, window) = read_limit(answer.header("ratelimit-limit")?)?;
    let (remaining, _) = read_limit(answer.header("ratelimit-remaining")?)?;
    Some(Metered {
        limit,
        remaining,
        window,
    })
}

fn read_limit(text: &str) -> Option<(u64, Duration)> {
    let mut parts = text.split(';');
    let number = parts.next()?.trim().parse().ok()?;
    let window = parts
        .find_map(|part| part.trim().strip_prefix("w=")?.parse().ok())
        .unwrap_or(0);
    Some((number, Duration::from_secs(window)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_any_order() {
        let expected = Challenge {
            realm: "https://auth.docker.io/token".into(),
            service: Some("registry.docker.io".into()),
        };
        for header in [
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
            r#"bearer scope="repository:a/b:pull,push", service=registry.docker.io, realm="https://auth.docker.io/token""#,
        ] {
            assert_eq!(read_challenge(header), Some(expected.clone()), "{header}");
        }
        for wrong in [
            "",
            "Basic realm=\"x\"",
            "Bearer",
            "Bearer service=\"x\"",
            "Bearer realm=\"x",
        ] {
            assert_eq!(read_challenge(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_image_is_a_repository_and_a_reference() {
        for (image, repository, reference) in [
            ("alpine", "library/alpine", "latest"),
            ("alpine:3.20", "library/alpine", "3.20"),
            ("docker.io/acme/base", "acme/base", "latest"),
            ("acme/base:1@sha256:abc", "acme/base", "sha256:abc"),
            (PROBE, "ratelimitpreview/test", "latest"),
        ] {
            let expected = (repository.to_owned(), reference.to_owned());
            assert_eq!(split(image), expected, "{image}");
        }
    }

    #[test]
    fn a_limit_has_a_number_and_a_window() {
        let window = Duration::from_secs(21600);
        assert_eq!(read_limit("100;w=21600"), Some((100, window)));
        assert_eq!(read_limit("100"), Some((100, Duration::ZERO)));
        assert_eq!(read_limit("unlimited"), None);
    }
}
