//! A pipeline that is started and followed to its end: Terraform's, which brings the store's current
//! version to the CI systems, once for all projects that wait for it; or a project's own.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pullpass_connect::RunState;
use pullpass_connect::circleci::{RunId, Slug};
use pullpass_connect::github::{Dispatched, Repository};
use pullpass_fleet::failure::{Failure, FailureKind};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;

use crate::outside::Outside;

/// How often it is looked at.
const POLL: Duration = Duration::from_secs(5);
/// How long it may take.
const PATIENCE: SignedDuration = SignedDuration::from_mins(60);

/// When each pipeline that ended well was started.
#[derive(Default)]
pub(crate) struct Pipelines {
    started: Mutex<BTreeMap<String, Rc<Mutex<Option<Timestamp>>>>>,
}

/// A pipeline, as the fleet file names it: `gh/owner/name` is a project of CircleCI,
/// `owner/name:workflow.yml` a workflow of GitHub.
enum Pipeline {
    CircleCi(Slug),
    GitHub(Repository, String),
}

enum Started {
    CircleCi(RunId),
    GitHub(Repository, Dispatched),
}

fn wrong(doing: &str, happened: impl Into<String>) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        doing,
        happened,
        "set `pipeline` to `gh/owner/name` (CircleCI) or `owner/name:workflow.yml` (GitHub)",
    )
}

impl Pipeline {
    fn parse(text: &str, doing: &str) -> Result<Self, Failure> {
        if let Some((repository, workflow)) = text.split_once(':') {
            let repository =
                Repository::parse(repository).map_err(|e| wrong(doing, e.to_string()))?;
            return Ok(Self::GitHub(repository, workflow.to_owned()));
        }
        Slug::parse(text)
            .map(Self::CircleCi)
            .map_err(|e| wrong(doing, e.to_string()))
    }
}

impl Outside {
    /// Has the pipeline run, from a moment that is not before `since`, and waits until it has ended
    /// well. One run serves everybody who asks before it starts.
    pub(crate) async fn run_pipeline(
        &self,
        pipeline: &str,
        branch: &str,
        since: Timestamp,
    ) -> Result<(), Failure> {
        let known = {
            let mut started = self.shared.pipelines.started.lock().await;
            Rc::clone(started.entry(format!("{pipeline} {branch}")).or_default())
        };
        let mut last = known.lock().await;
        if last.is_some_and(|last| last >= since) {
            return Ok(());
        }
        let doing = format!("run the pipeline `{pipeline}`");
        let moment = self.now();
        let run = self
            .start(&Pipeline::parse(pipeline, &doing)?, branch, &doing)
            .await?;
        loop {
            match self.state(&run, &doing).await? {
                RunState::Succeeded => {
                    *last = Some(moment);
                    return Ok(());
                }
                RunState::Failed(place) => {
                    return Err(Failure::new(
                        FailureKind::Refused,
                        doing,
                        format!("it failed: {place}"),
                        "mend it there, then run the command again",
                    ));
                }
                RunState::Running if self.now().duration_since(moment) > PATIENCE => {
                    return Err(Failure::new(
                        FailureKind::Unavailable,
                        doing,
                        "it has not ended within an hour",
                        "look at it, approve what waits there, then run the command again",
                    ));
                }
                RunState::Running => self.clock.sleep(POLL).await,
            }
        }
    }

    async fn start(
        &self,
        pipeline: &Pipeline,
        branch: &str,
        doing: &str,
    ) -> Result<Started, Failure> {
        let nothing = serde_json::Map::new();
        match pipeline {
            Pipeline::CircleCi(slug) => {
                let client = self
                    .circleci
                    .as_ref()
                    .ok_or_else(|| missing(doing, "CIRCLECI_TOKEN"))?;
                let run = match slug.to_string().starts_with("circleci/") {
                    true => client.trigger_definition(slug, branch, &nothing).await?,
                    false => client.trigger(slug, branch, &nothing).await?,
                };
                Ok(Started::CircleCi(run))
            }
            Pipeline::GitHub(repository, workflow) => {
                let client = self
                    .github
                    .as_ref()
                    .ok_or_else(|| missing(doing, "GITHUB_TOKEN"))?;
                let run = client
                    .dispatch(repository, workflow, branch, &nothing)
                    .await?;
                Ok(Started::GitHub(repository.clone(), run))
            }
        }
    }

    async fn state(&self, run: &Started, doing: &str) -> Result<RunState, Failure> {
        match (run, &self.circleci, &self.github) {
            (Started::CircleCi(run), Some(client), _) => client.run(run).await,
            (Started::GitHub(repository, run), _, Some(client)) => {
                client.run(repository, run).await
            }
            (Started::CircleCi(_), ..) => Err(missing(doing, "CIRCLECI_TOKEN")),
            (Started::GitHub(..), ..) => Err(missing(doing, "GITHUB_TOKEN")),
        }
    }
}

fn missing(doing: &str, what: &str) -> Failure {
    Failure::new(
        FailureKind::Configuration,
        doing,
        format!("`{what}` is not set, and not among the kept credentials"),
        format!(
            "set it to a token that may start the pipeline, or keep it with `pullpass credentials set {what}`"
        ),
    )
}

/// What a target that Terraform writes must show for a version to be there.
pub(crate) fn shows(masked: &str, token: &secrecy::SecretString) -> bool {
    let tail = pullpass_fleet::store::Tail::of(token.expose_secret());
    masked.strip_prefix("xxxx").unwrap_or(masked) == tail.as_str()
}
