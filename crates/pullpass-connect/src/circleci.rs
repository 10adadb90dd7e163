//! CircleCI: variables of projects, contexts, pipelines.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use pullpass_fleet::failure::{Failure, FailureKind};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::RunState;
use crate::http::{Answer, Ask, Http, Options, Repeat};

/// Where CircleCI is.
pub const URL: &str = "https://circleci.com";

/// Which project: `gh/org/repo`, `bb/org/repo`, or `circleci/<organisation id>/<project id>` for
/// projects of the GitHub App and of GitLab.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slug([String; 3]);

/// Why a text is no slug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlugError(String);

impl fmt::Display for SlugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a project of CircleCI: `gh/org/repo`, `bb/org/repo` or \
             `circleci/<organisation id>/<project id>`",
            self.0
        )
    }
}

impl std::error::Error for SlugError {}

impl Slug {
    /// Reads a slug; `github` and `bitbucket` are taken for `gh` and `bb`.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let wrong = || SlugError(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        let [vcs, owner, name] = parts.as_slice() else {
            return Err(wrong());
        };
        let vcs = match *vcs {
            "gh" | "github" => "gh",
            "bb" | "bitbucket" => "bb",
            "circleci" => "circleci",
            _ => return Err(wrong()),
        };
        let is_name = |part: &str| {
            !part.is_empty()
                && !matches!(part, "." | "..")
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match is_name(owner) && is_name(name) {
            true => Ok(Self([vcs, owner, name].map(str::to_owned))),
            false => Err(wrong()),
        }
    }

    /// The slug of the organisation that the project belongs to.
    pub fn owner(&self) -> String {
        let [vcs, owner, _] = &self.0;
        format!("{vcs}/{owner}")
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// What CircleCI shows of a variable's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Masked {
    /// `xxxx` and the last four characters; fewer where the value is short.
    pub shown: String,
}

/// A context: variables that several projects share.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Context {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A pipeline.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunId(pub String);

/// Who the operator is.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Me {
    /// The name that they sign in with.
    pub login: String,
    /// The name that they go by.
    #[serde(default)]
    pub name: String,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct ContextVariable {
    variable: String,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct Triggered {
    id: String,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

#[derive(Deserialize)]
struct Definition {
    id: String,
}

#[derive(Deserialize)]
struct Pipeline {
    state: String,
    #[serde(default)]
    project_slug: String,
    #[serde(default)]
    number: u64,
}

#[derive(Deserialize)]
struct Workflow {
    id: String,
    status: String,
}

/// CircleCI, as the owner of a personal token.
pub struct CircleCi {
    http: Http,
    token: SecretString,
}

impl CircleCi {
    /// A client of CircleCI at this address.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Configuration`] when `url` is no address.
    pub fn new(options: &Options, url: &str, token: SecretString) -> Result<Self, Failure> {
        Ok(Self {
            http: Http::new(options, "CircleCI", "`CIRCLECI_TOKEN`", url)?.with_one_credential(),
            token,
        })
    }

    /// Requests that were sent, repetitions included.
    pub fn calls(&self) -> u64 {
        self.http.calls()
    }

    /// Who the token belongs to.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub async fn me(&self) -> Result<Me, Failure> {
        self.read(Ask::get("sign in to CircleCI", &["api", "v2", "me"]))
            .await
    }

    /// The variables of a project, masked.
    ///
    /// # Errors
    ///
    /// When the project is not there for this token.
    pub async fn variables(&self, project: &Slug) -> Result<BTreeMap<String, Masked>, Failure> {
        let doing = format!("list the variables of `{project}`");
        let variables: Vec<Variable> = self.pages(&doing, &of(project, &["envvar"]), &[]).await?;
        let masked = |v: Variable| (v.name, Masked { shown: v.value });
        Ok(variables.into_iter().map(masked).collect())
    }

    /// Writes a variable, over what it was. Gives the time of CircleCI's answer.
    ///
    /// # Errors
    ///
    /// When CircleCI does not take it. Written twice is as good as once.
    pub async fn set_variable(
        &self,
        project: &Slug,
        name: &str,
        value: &SecretString,
    ) -> Result<Timestamp, Failure> {
        let doing = format!("write the variable `{name}` of `{project}`");
        let ask = Ask::new(Method::POST, doing, &of(project, &["envvar"]))
            .json(&json!({"name": name, "value": value.expose_secret()}))
            .holding(value)
            .repeat(Repeat::Always);
        Ok(self.done(ask).await?.1.at)
    }

    /// Follows a project, so that it is built at all.
    ///
    /// # Errors
    ///
    /// When CircleCI does not do so. Projects of the GitHub App are set up in the console only.
    pub async fn follow(&self, project: &Slug) -> Result<(), Failure> {
        let [vcs, owner, name] = &project.0;
        // Only version 1.1 has it.
        let path = ["api", "v1.1", "project", vcs, owner, name, "follow"];
        let ask =
            Ask::new(Method::POST, format!("follow `{project}`"), &path).repeat(Repeat::Always);
        self.done(ask).await.map(|_| ())
    }

    /// The contexts of an organisation: `gh/org`, or [`Slug::owner`].
    ///
    /// # Errors
    ///
    /// When the token may not see them.
    pub async fn contexts(&self, owner: &str) -> Result<Vec<Context>, Failure> {
        let doing = format!("list the contexts of `{owner}`");
        self.pages(&doing, &["api", "v2", "context"], &[("owner-slug", owner)])
            .await
    }

    /// The variables of a context, and when each was last written.
    ///
    /// # Errors
    ///
    /// When the token may not see them.
    pub async fn context_variables(
        &self,
        context: &Context,
    ) -> Result<BTreeMap<String, Timestamp>, Failure> {
        let doing = format!("list the variables of the context `{}`", context.name);
        let path = ["api", "v2", "context", &context.id, "environment-variable"];
        let variables: Vec<ContextVariable> = self.pages(&doing, &path, &[]).await?;
        Ok(variables
            .into_iter()
            .map(|v| (v.variable, v.updated_at))
            .collect())
    }

    /// Builds a branch of a project.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unknown`] when the answer was lost: it may be building.
    pub async fn trigger(
        &self,
        project: &Slug,
        branch: &str,
        parameters: &Map<String, Value>,
    ) -> Result<RunId, Failure> {
        let mut body = json!({"branch": branch});
        if !parameters.is_empty() {
            body["parameters"] = Value::Object(parameters.clone());
        }
        self.start(project, &["pipeline"], &body).await
    }

    /// Builds a branch of a project of the GitHub App (`circleci/…`), by its first pipeline
    /// definition.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unknown`] when the answer was lost: it may be building.
    pub async fn trigger_definition(
        &self,
        project: &Slug,
        branch: &str,
        parameters: &Map<String, Value>,
    ) -> Result<RunId, Failure> {
        let doing = format!("list the pipeline definitions of `{project}`");
        let known: Project = self.read(Ask::get(&*doing, &of(project, &[]))).await?;
        let path = ["api", "v2", "projects", &known.id, "pipeline-definitions"];
        let definitions: Vec<Definition> = self.pages(&doing, &path, &[]).await?;
        let definition = definitions.first().ok_or_else(|| {
            let next = "set one up in CircleCI's console";
            Failure::new(FailureKind::NotFound, doing, "the project has none", next)
        })?;
        let mut body = json!({
            "definition_id": definition.id,
            "config": {"branch": branch},
            "checkout": {"branch": branch},
        });
        if !parameters.is_empty() {
            body["parameters"] = Value::Object(parameters.clone());
        }
        self.start(project, &["pipeline", "run"], &body).await
    }

    async fn start(&self, project: &Slug, rest: &[&str], body: &Value) -> Result<RunId, Failure> {
        let doing = format!("start a pipeline of `{project}`");
        let ask = Ask::new(Method::POST, doing, &of(project, rest)).json(body);
        let triggered: Triggered = self.read(ask).await?;
        Ok(RunId(triggered.id))
    }

    /// How a pipeline stands: well when all of its workflows have ended well.
    ///
    /// # Errors
    ///
    /// When the token may not see it.
    pub async fn run(&self, run: &RunId) -> Result<RunState, Failure> {
        let doing = format!("look at the pipeline `{}`", run.0);
        let path = ["api", "v2", "pipeline", &run.0];
        let pipeline: Pipeline = self.read(Ask::get(&*doing, &path)).await?;
        let path = ["api", "v2", "pipeline", &run.0, "workflow"];
        let workflows: Vec<Workflow> = self.pages(&doing, &path, &[]).await?;
        Ok(state(&pipeline, &workflows))
    }

    async fn done(&self, ask: Ask) -> Result<(Ask, Answer), Failure> {
        let ask = ask.bearer(&self.token);
        let answer = self.http.done(&ask).await?;
        Ok((ask, answer))
    }

    async fn read<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Failure> {
        let (ask, answer) = self.done(ask).await?;
        self.http.read(&ask, &answer)
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        doing: &str,
        path: &[&str],
        query: &[(&'static str, &str)],
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut ask = Ask::get(doing, path);
            for (name, value) in query {
                ask = ask.query(name, *value);
            }
            if let Some(token) = &token {
                ask = ask.query("page-token", token);
            }
            let page: Page<T> = self.read(ask).await?;
            all.extend(page.items);
            let next = page.next_page_token.filter(|next| !next.is_empty());
            if next.is_none() || next == token {
                return Ok(all);
            }
            token = next;
        }
    }
}

/// A path of a project; the slashes of its slug stay what they are.
fn of<'p>(project: &'p Slug, rest: &[&'p str]) -> Vec<&'p str> {
    let mut path = vec!["api", "v2", "project"];
    path.extend(project.0.iter().map(String::as_str));
    path.extend(rest);
    path
}

/// Pipelines: `created, errored, setup-pending, setup, pending`. Workflows: `success, running,
/// not_run, failed, error, failing, on_hold, canceled, unauthorized` (CircleCI's description of its
/// API, v2).
fn state(pipeline: &Pipeline, workflows: &[Workflow]) -> RunState {
    let bad = |w: &&Workflow| {
        matches!(
            w.status.as_str(),
            "failed" | "error" | "failing" | "canceled" | "unauthorized"
        )
    };
    if let Some(workflow) = workflows.iter().find(bad) {
        let url = format!(
            "https://app.circleci.com/pipelines/workflows/{}",
            workflow.id
        );
        return RunState::Failed(url);
    }
    if pipeline.state == "errored" {
        let url = format!(
            "https://app.circleci.com/pipelines/{}/{}",
            pipeline.project_slug, pipeline.number
        );
        return RunState::Failed(url);
    }
    let ended = |w: &Workflow| matches!(w.status.as_str(), "success" | "not_run");
    match pipeline.state == "created" && !workflows.is_empty() && workflows.iter().all(ended) {
        true => RunState::Succeeded,
        false => RunState::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_read_and_anything_else_is_not() {
        for (text, slug) in [
            ("gh/acme/shop", "gh/acme/shop"),
            ("github/acme/shop.js", "gh/acme/shop.js"),
            ("bitbucket/acme/shop", "bb/acme/shop"),
            ("circleci/8e4z1Akd/9f5a2Bke", "circleci/8e4z1Akd/9f5a2Bke"),
        ] {
            assert_eq!(Slug::parse(text).unwrap().to_string(), slug);
        }
        for wrong in [
            "",
            "gh",
            "gh/acme",
            "gh/acme/shop/x",
            "gl/acme/shop",
            "gh//shop",
            "gh/acme/..",
            "gh/acme/a b",
            "gh/acme/a%2fb",
            "gh/acme/a?b",
            "acme/shop",
        ] {
            let error = Slug::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("gh/org/repo"), "{error}");
        }
        assert_eq!(Slug::parse("gh/acme/shop").unwrap().owner(), "gh/acme");
    }

    #[test]
    fn a_pipeline_has_ended_when_all_of_it_has() {
        let pipeline = |state: &str| Pipeline {
            state: state.into(),
            project_slug: "gh/acme/shop".into(),
            number: 7,
        };
        let workflows = |statuses: &[&str]| -> Vec<Workflow> {
            let of = |status: &&str| Workflow {
                id: (*status).into(),
                status: (*status).into(),
            };
            statuses.iter().map(of).collect()
        };
        let state = |name: &str, statuses: &[&str]| state(&pipeline(name), &workflows(statuses));
        assert_eq!(
            state("created", &["success", "success"]),
            RunState::Succeeded
        );
        assert_eq!(state("created", &["success", "on_hold"]), RunState::Running);
        assert_eq!(state("created", &[]), RunState::Running);
        assert_eq!(state("setup", &["success"]), RunState::Running);
        let url = "https://app.circleci.com/pipelines/workflows/canceled".to_owned();
        assert_eq!(
            state("created", &["running", "canceled"]),
            RunState::Failed(url)
        );
        let url = "https://app.circleci.com/pipelines/gh/acme/shop/7".to_owned();
        assert_eq!(state("errored", &[]), RunState::Failed(url));
    }
}
