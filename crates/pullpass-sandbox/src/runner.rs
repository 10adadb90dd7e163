//! Simulated CI runners. They pull as Docker does, over HTTP, with what the project's variables hold
//! at the time, and write down as whom the registry saw them.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::client::{Answer, send};
use crate::registry::SERVICE;
use crate::shared::Shared;
use crate::world::build::{BuildState, Job, Login, Pull};
use crate::world::image::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::world::keys::digest;
use crate::world::settle::parts;

/// As often as `docker pull` tries again when there is no answer, or one of a broken server.
const TRIES: usize = 5;

/// Runs one build to its end.
pub(crate) async fn run(shared: Arc<Shared>, build: usize) {
    let Some(job) = shared.read(|world, _| world.job(build)) else {
        return;
    };
    let runner = Runner {
        shared: &shared,
        job: &job,
    };
    let mut pulls = Vec::new();
    let state = match runner.work(&mut pulls).await {
        Ok(()) => BuildState::Success,
        Err(why) => BuildState::Failed(why),
    };
    shared.change(|world, now| {
        if let Some(build) = world.builds.all.get_mut(job.build) {
            build.pulls = pulls;
            build.state = state;
            build.ended = Some(now);
        }
    });
}

struct Runner<'r> {
    shared: &'r Shared,
    job: &'r Job,
}

impl Runner<'_> {
    async fn work(&self, pulls: &mut Vec<Pull>) -> Result<(), String> {
        let login = match &self.job.login {
            Login::None => None,
            Login::Incomplete(variable) => {
                return Err(format!("docker login: the variable {variable} is empty"));
            }
            Login::With(user, secret) => {
                let plain = format!("{user}:{}", secret.expose());
                Some(format!("Basic {}", BASE64_STANDARD.encode(plain)))
            }
        };
        if let (Some(login), Login::With(user, _)) = (&login, &self.job.login) {
            let answer = self
                .get(
                    &format!("/token?service={SERVICE}"),
                    &[("authorization", login)],
                )
                .await?;
            if answer.status != 200 {
                // Not whatever the variable holds: it could be a secret.
                let known = self.shared.read(|world, _| world.is_known(user));
                let whom = if known { user } else { "an unknown Docker ID" };
                return Err(format!(
                    "docker login as {whom}: {} incorrect username or password",
                    answer.status
                ));
            }
        }
        for image in &self.job.images {
            self.pull(image, login.as_deref(), pulls).await?;
        }
        Ok(())
    }

    async fn pull(
        &self,
        image: &str,
        login: Option<&str>,
        pulls: &mut Vec<Pull>,
    ) -> Result<(), String> {
        let (name, tag) = parts(image);
        let path = format!("/token?service={SERVICE}&scope=repository:{name}:pull");
        let headers: Vec<(&str, &str)> = login
            .iter()
            .map(|login| ("authorization", *login))
            .collect();
        let answer = self.get(&path, &headers).await?;
        let token = answer.json()["token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let identity = subject(&token).unwrap_or_else(|| "anonymous".to_owned());
        let bearer = format!("Bearer {token}");
        let mut manifest = self.manifest(&name, &tag, &bearer).await?;
        if manifest.status == 200 && manifest.json()["manifests"].is_array() {
            let first = manifest.json()["manifests"][0]["digest"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            manifest = self.manifest(&name, &first, &bearer).await?;
        }
        pulls.push(Pull {
            image: image.to_owned(),
            identity,
            source: manifest
                .header("docker-ratelimit-source")
                .map(str::to_owned),
            status: manifest.status,
        });
        if manifest.status != 200 {
            let code = manifest.json()["errors"][0]["code"]
                .as_str()
                .unwrap_or("no reason given")
                .to_ascii_lowercase();
            return Err(format!("docker pull {image}: {} {code}", manifest.status));
        }
        let manifest = manifest.json();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        for part in std::iter::once(&manifest["config"]).chain(&layers) {
            let wanted = part["digest"].as_str().unwrap_or_default();
            let path = format!("/v2/{name}/blobs/{wanted}");
            let blob = self.get(&path, &[("authorization", &bearer)]).await?;
            if digest(&blob.body) != wanted {
                return Err(format!("docker pull {image}: a blob has not its digest"));
            }
        }
        Ok(())
    }

    async fn manifest(&self, name: &str, reference: &str, bearer: &str) -> Result<Answer, String> {
        let accept = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(", ");
        let headers = [("authorization", bearer), ("accept", accept.as_str())];
        self.get(&format!("/v2/{name}/manifests/{reference}"), &headers)
            .await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let base = &self.shared.urls.registry;
            match send(base, self.job.address, "GET", path, headers, "").await {
                // Of a used-up limit nobody says when to come back: that one is final.
                Ok(answer) if answer.status == 429 && answer.header("retry-after").is_some() => {
                    last = "the registry answered 429".to_owned();
                }
                Ok(answer) if answer.status < 500 => return Ok(answer),
                Ok(answer) => last = format!("the registry answered {}", answer.status),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}

/// Whom a token of the token service is for; nobody when it is anonymous.
fn subject(token: &str) -> Option<String> {
    let claims = BASE64_URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1)?)
        .ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"]
        .as_str()
        .filter(|subject| !subject.is_empty())
        .map(str::to_owned)
}
