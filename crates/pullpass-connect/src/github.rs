//! GitHub: secrets and variables of repositories, and workflow runs.
//!
//! Secrets are written as sealed boxes and never read: GitHub shows when each was last written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use jiff::Timestamp;
use pullpass_fleet::failure::{Failure, FailureKind};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::RunState;
use crate::http::{Answer, Ask, Http, Options, Repeat};

/// Where GitHub's API is. A server of one's own has it at `https://host/api/v3`.
pub const URL: &str = "https://api.github.com";

/// The version of the API that is spoken here.
const VERSION: (&str, &str) = ("x-github-api-version", "2022-11-28");

/// Entries of a page: the most that GitHub gives.
const PAGE: usize = 100;

/// A repository.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Repository {
    /// The organisation, or the person.
    pub owner: String,
    /// The name.
    pub name: String,
}

/// Why a text is no repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepositoryError(String);

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a repository of GitHub: `owner/name` or `github.com/owner/name`",
            self.0
        )
    }
}

impl std::error::Error for RepositoryError {}

impl Repository {
    /// Reads `owner/name`, or an address that ends so.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        let wrong = || RepositoryError(text.to_owned());
        let rest = text.strip_prefix("https://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let rest = rest.strip_suffix(".git").unwrap_or(rest);
        let parts: Vec<&str> = rest.split('/').collect();
        let (owner, name) = match parts.as_slice() {
            [owner, name] => (*owner, *name),
            [host, owner, name] if host.contains('.') => (*owner, *name),
            _ => return Err(wrong()),
        };
        let is_name = |part: &str| {
            !part.is_empty()
                && !matches!(part, "." | "..")
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match is_name(owner) && is_name(name) {
            true => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            }),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Which runs see a secret or a variable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Those of the repository.
    Actions,
    /// Those that Dependabot starts. They have no variables.
    Dependabot,
    /// Those of jobs in this environment.
    Environment(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actions => f.write_str("actions"),
            Self::Dependabot => f.write_str("dependabot"),
            Self::Environment(name) => write!(f, "the environment `{name}`"),
        }
    }
}

/// A dispatched workflow. GitHub does not say which run it became: it is the first dispatched run
/// of that workflow and branch that is newer than `after`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispatched {
    workflow: String,
    branch: String,
    after: u64,
}

/// Who the operator is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Me {
    /// The name that they sign in with.
    pub login: String,
    /// What a classic token may do; `None` for the other kinds, which do not say.
    pub scopes: Option<Vec<String>>,
}

#[derive(Clone, Deserialize)]
struct Key {
    key_id: String,
    key: String,
}

#[derive(Deserialize)]
struct Secret {
    name: String,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct Secrets {
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Variables {
    variables: Vec<Variable>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    status: Option<String>,
    conclusion: Option<String>,
    html_url: String,
}

/// GitHub, as the owner of a token.
pub struct GitHub {
    http: Http,
    token: SecretString,
    keys: RefCell<BTreeMap<(Repository, Scope), Key>>,
}

impl GitHub {
    /// A client of GitHub's API at this address.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Configuration`] when `url` is no address.
    pub fn new(options: &Options, url: &str, token: SecretString) -> Result<Self, Failure> {
        Ok(Self {
            http: Http::new(options, "GitHub", "`GITHUB_TOKEN` or `GH_TOKEN`", url)?
                .with_one_credential(),
            token,
            keys: RefCell::default(),
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
    /// When it is none, or one of an app, which is nobody.
    pub async fn me(&self) -> Result<Me, Failure> {
        let (ask, answer) = self.done(Ask::get("sign in to GitHub", &["user"])).await?;
        let user: User = self.http.read(&ask, &answer)?;
        let scopes = answer.header("x-oauth-scopes").map(|scopes| {
            let scopes = scopes.split(',').map(str::trim);
            scopes
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect()
        });
        Ok(Me {
            login: user.login,
            scopes,
        })
    }

    /// The names of the secrets, and when each was last written.
    ///
    /// # Errors
    ///
    /// When the repository or environment is not there for this token.
    pub async fn secrets(
        &self,
        repository: &Repository,
        scope: &Scope,
    ) -> Result<BTreeMap<String, Timestamp>, Failure> {
        let doing = format!("list the secrets of `{repository}` ({scope})");
        let path = secrets(repository, scope, &[]);
        let pages = self
            .pages(&doing, &path, |page: Secrets| page.secrets)
            .await
            .map_err(|failure| explained(failure, scope))?;
        Ok(pages.into_iter().map(|s| (s.name, s.updated_at)).collect())
    }

    /// Writes a secret, over what it was. Gives the time of GitHub's answer.
    ///
    /// # Errors
    ///
    /// When GitHub does not take it. Written twice is as good as once.
    pub async fn set_secret(
        &self,
        repository: &Repository,
        scope: &Scope,
        name: &str,
        value: &SecretString,
    ) -> Result<Timestamp, Failure> {
        let doing = format!("write the secret `{name}` of `{repository}` ({scope})");
        let place = (repository.clone(), scope.clone());
        let known = self.keys.borrow().get(&place).cloned();
        let was_known = known.is_some();
        let key = match known {
            Some(key) => key,
            None => self.key(&doing, &place).await?,
        };
        let (ask, answer) = self.put(&doing, &place, name, value, &key).await?;
        if answer.status != 422 || !was_known {
            return self.written(&ask, &answer);
        }
        // Keys are replaced now and then, and ours is an old one.
        let key = self.key(&doing, &place).await?;
        let (ask, answer) = self.put(&doing, &place, name, value, &key).await?;
        self.written(&ask, &answer)
    }

    fn written(&self, ask: &Ask, answer: &Answer) -> Result<Timestamp, Failure> {
        match answer.is_success() {
            true => Ok(answer.at),
            false => Err(self.http.refusal(ask, answer)),
        }
    }

    async fn put(
        &self,
        doing: &str,
        (repository, scope): &(Repository, Scope),
        name: &str,
        value: &SecretString,
        key: &Key,
    ) -> Result<(Ask, Answer), Failure> {
        let sealed = seal(key, value).ok_or_else(|| {
            Failure::new(
                FailureKind::Unavailable,
                doing,
                "GitHub gave a public key that is none",
                "run the command again",
            )
        })?;
        let body = json!({"encrypted_value": sealed, "key_id": key.key_id});
        let ask = Ask::new(Method::PUT, doing, &secrets(repository, scope, &[name]))
            .json(&body)
            .holding(value);
        let ask = self.signed(ask);
        let answer = self.http.send(&ask).await?;
        Ok((ask, answer))
    }

    /// What secrets of this place are sealed for.
    async fn key(&self, doing: &str, place: &(Repository, Scope)) -> Result<Key, Failure> {
        let (repository, scope) = place;
        let path = secrets(repository, scope, &["public-key"]);
        let key: Key = self.read(Ask::get(doing, &path)).await?;
        self.keys.borrow_mut().insert(place.clone(), key.clone());
        Ok(key)
    }

    /// The variables, which anybody who builds may read. Dependabot has none.
    ///
    /// # Errors
    ///
    /// When the repository or environment is not there for this token.
    pub async fn variables(
        &self,
        repository: &Repository,
        scope: &Scope,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let doing = format!("list the variables of `{repository}` ({scope})");
        let path = variables(&doing, repository, scope, &[])?;
        let pages = self
            .pages(&doing, &path, |page: Variables| page.variables)
            .await?;
        Ok(pages.into_iter().map(|v| (v.name, v.value)).collect())
    }

    /// Writes a variable, over what it was. Gives the time of GitHub's answer.
    ///
    /// # Errors
    ///
    /// When GitHub does not take it.
    pub async fn set_variable(
        &self,
        repository: &Repository,
        scope: &Scope,
        name: &str,
        value: &str,
    ) -> Result<Timestamp, Failure> {
        let doing = format!("write the variable `{name}` of `{repository}` ({scope})");
        let change = variables(&doing, repository, scope, &[name])?;
        let change =
            Ask::new(Method::PATCH, &*doing, &change).json(&json!({"name": name, "value": value}));
        let change = self.signed(change);
        let answer = self.http.send(&change).await?;
        if answer.status != 404 {
            return self.written(&change, &answer);
        }
        let make = variables(&doing, repository, scope, &[])?;
        let make = Ask::new(Method::POST, &*doing, &make)
            .json(&json!({"name": name, "value": value}))
            .repeat(Repeat::Always);
        let make = self.signed(make);
        let answer = self.http.send(&make).await?;
        if answer.status != 409 {
            return self.written(&make, &answer);
        }
        // Somebody has made it since, or a lost attempt of ours.
        let answer = self.http.send(&change).await?;
        self.written(&change, &answer)
    }

    /// Starts a workflow (its file's name) on a branch.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unknown`] when the answer was lost: it may be running.
    pub async fn dispatch(
        &self,
        repository: &Repository,
        workflow: &str,
        branch: &str,
        inputs: &Map<String, Value>,
    ) -> Result<Dispatched, Failure> {
        let doing = format!("start the workflow `{workflow}` of `{repository}`");
        let newest = self
            .dispatched(&doing, repository, workflow, branch)
            .await?;
        let mut body = json!({"ref": branch});
        if !inputs.is_empty() {
            body["inputs"] = Value::Object(inputs.clone());
        }
        let rest = ["actions", "workflows", workflow, "dispatches"];
        let ask = Ask::new(Method::POST, doing, &of(repository, &rest)).json(&body);
        self.done(ask).await?;
        Ok(Dispatched {
            workflow: workflow.to_owned(),
            branch: branch.to_owned(),
            after: newest.iter().map(|run| run.id).max().unwrap_or(0),
        })
    }

    /// How a dispatched workflow stands. A run that GitHub has not made yet is one that waits.
    ///
    /// # Errors
    ///
    /// When the token may not see it.
    pub async fn run(
        &self,
        repository: &Repository,
        dispatched: &Dispatched,
    ) -> Result<RunState, Failure> {
        let Dispatched {
            workflow,
            branch,
            after,
        } = dispatched;
        let doing = format!("look at the workflow `{workflow}` of `{repository}`");
        let runs = self
            .dispatched(&doing, repository, workflow, branch)
            .await?;
        let run = runs
            .into_iter()
            .filter(|run| run.id > *after)
            .min_by_key(|run| run.id);
        Ok(match run {
            Some(run) if run.status.as_deref() == Some("completed") => {
                match run.conclusion.as_deref() {
                    Some("success" | "neutral" | "skipped") => RunState::Succeeded,
                    _ => RunState::Failed(run.html_url),
                }
            }
            _ => RunState::Running,
        })
    }

    /// The newest dispatched runs of a workflow on a branch.
    async fn dispatched(
        &self,
        doing: &str,
        repository: &Repository,
        workflow: &str,
        branch: &str,
    ) -> Result<Vec<Run>, Failure> {
        let rest = ["actions", "workflows", workflow, "runs"];
        let ask = Ask::get(doing, &of(repository, &rest))
            .query("event", "workflow_dispatch")
            .query("branch", branch)
            .query("per_page", PAGE.to_string());
        let runs: Runs = self.read(ask).await?;
        Ok(runs.workflow_runs)
    }

    fn signed(&self, ask: Ask) -> Ask {
        ask.bearer(&self.token)
            .accept("application/vnd.github+json")
            .header(VERSION.0, VERSION.1)
    }

    async fn done(&self, ask: Ask) -> Result<(Ask, Answer), Failure> {
        let ask = self.signed(ask);
        let answer = self.http.done(&ask).await?;
        Ok((ask, answer))
    }

    async fn read<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, Failure> {
        let (ask, answer) = self.done(ask).await?;
        self.http.read(&ask, &answer)
    }

    async fn pages<P: DeserializeOwned, T>(
        &self,
        doing: &str,
        path: &[&str],
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        for number in 1_usize.. {
            let ask = Ask::get(doing, path)
                .query("per_page", PAGE.to_string())
                .query("page", number.to_string());
            let (ask, answer) = self.done(ask).await?;
            all.extend(items(self.http.read(&ask, &answer)?));
            // The link that says so is an address on a host that we need not trust.
            let has_next = answer
                .header("link")
                .is_some_and(|links| links.contains("rel=\"next\""));
            if !has_next {
                break;
            }
        }
        Ok(all)
    }
}

fn of<'p>(repository: &'p Repository, rest: &[&'p str]) -> Vec<&'p str> {
    let mut path = vec!["repos", &*repository.owner, &*repository.name];
    path.extend(rest);
    path
}

/// An environment that nobody has made is not found, and nothing makes it by writing to it.
fn explained(failure: Failure, scope: &Scope) -> Failure {
    match (failure.kind, scope) {
        (FailureKind::NotFound, Scope::Environment(name)) => Failure {
            next: format!(
                "make the environment `{name}` in the repository's settings, if there is none; else {}",
                failure.next
            ),
            ..failure
        },
        _ => failure,
    }
}

fn secrets<'p>(repository: &'p Repository, scope: &'p Scope, rest: &[&'p str]) -> Vec<&'p str> {
    let mut path = match scope {
        Scope::Actions => of(repository, &["actions", "secrets"]),
        Scope::Dependabot => of(repository, &["dependabot", "secrets"]),
        Scope::Environment(name) => of(repository, &["environments", name, "secrets"]),
    };
    path.extend(rest);
    path
}

fn variables<'p>(
    doing: &str,
    repository: &'p Repository,
    scope: &'p Scope,
    rest: &[&'p str],
) -> Result<Vec<&'p str>, Failure> {
    let mut path = match scope {
        Scope::Actions => of(repository, &["actions", "variables"]),
        Scope::Environment(name) => of(repository, &["environments", name, "variables"]),
        Scope::Dependabot => {
            return Err(Failure::new(
                FailureKind::Configuration,
                doing,
                "Dependabot has secrets and no variables",
                "use a secret",
            ));
        }
    };
    path.extend(rest);
    Ok(path)
}

/// A sealed box of libsodium, as GitHub takes secrets.
fn seal(key: &Key, value: &SecretString) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(&key.key).ok()?;
    let key = PublicKey::from(<[u8; 32]>::try_from(bytes).ok()?);
    let sealed = key
        .seal(&mut OsRng, value.expose_secret().as_bytes())
        .ok()?;
    Some(BASE64_STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_read_and_anything_else_is_not() {
        for text in [
            "acme/shop",
            "github.com/acme/shop",
            "https://github.com/acme/shop",
            "https://github.example.com/acme/shop.git/",
        ] {
            let shop = Repository::parse(text).unwrap();
            assert_eq!(shop.to_string(), "acme/shop", "{text}");
        }
        for wrong in [
            "",
            "acme",
            "acme/",
            "/shop",
            "a/b/c",
            "acme/..",
            "acme/a b",
            "x.y/a/b/c",
        ] {
            assert!(Repository::parse(wrong).is_err(), "{wrong}");
        }
    }
}
