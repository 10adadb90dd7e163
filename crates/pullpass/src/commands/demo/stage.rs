//! Where the story plays: a folder that goes with it, the sandbox, and the clients that the commands
//! would have made from the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pullpass_audit::finding::{Audit, Policy};
use pullpass_audit::reference::DOCKER_HUB;
use pullpass_connect::circleci::CircleCi;
use pullpass_connect::github::GitHub;
use pullpass_connect::http::Options;
use pullpass_connect::hub::Hub;
use pullpass_connect::registry::Registry;
use pullpass_connect::store::AnyStore;
use pullpass_connect::store::file::{FileStore, Protection};
use pullpass_connect::store::identity::new_identity;
use pullpass_engine::outside::{Outside, Shared};
use pullpass_fleet::failure::Failure;
use pullpass_fleet::file::{self, Fleet, Project, StoreKind};
use pullpass_sandbox::client::{Answer, send};
use pullpass_sandbox::{Population, Project as Built, Sandbox};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::projects::{REPOSITORIES, fleet_file};
use super::{astray, failed};
use crate::atomic;
use crate::checkout::Checkout;
use crate::commands::fleet::outside_failed;
use crate::config::FILE_NAME;
use crate::error::Result;

/// Whoever else uses the CI vendors' machines.
pub(super) const STRANGERS: &str = "strangers";

/// What a stranger's build pulls, so often.
const STRANGERS_IMAGES: usize = 10;

/// Everything that the acts need.
pub(super) struct Stage {
    pub(super) fleet: Fleet,
    sandbox: Sandbox,
    /// Opens the store.
    identity: SecretString,
    folder: TempDir,
}

/// What came of some builds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Builds {
    pub(super) total: u64,
    pub(super) failed: u64,
    /// Pulls that were served, by whose they were: a Docker ID, or `anonymous`.
    pub(super) pulls: BTreeMap<String, u64>,
    /// Why the first one failed.
    pub(super) why: Option<String>,
}

impl Builds {
    pub(super) fn add(&mut self, other: Self) {
        self.total += other.total;
        self.failed += other.failed;
        for (name, count) in other.pulls {
            *self.pulls.entry(name).or_default() += count;
        }
        self.why = self.why.take().or(other.why);
    }

    pub(super) fn passed(&self) -> u64 {
        self.total - self.failed
    }
}

impl Stage {
    /// Writes the folder and starts the sandbox.
    pub(super) async fn set() -> Result<Self> {
        let folder = private_folder().map_err(|e| failed("make a temporary folder", &e))?;
        let repositories = folder.path().join("src");
        for repository in &REPOSITORIES {
            repository
                .write(&repositories)
                .map_err(|e| failed("write the example repositories", &e))?;
        }
        let text = fleet_file();
        fs::write(folder.path().join(FILE_NAME), &text)
            .map_err(|e| failed("write the fleet file", &e))?;
        let fleet = file::parse(&text, FILE_NAME)?;
        let (recipient, identity) = new_identity();
        let protection = Protection::Recipients(vec![recipient]);
        FileStore::create(&folder.path().join(&fleet.store.file), &protection)
            .map_err(outside_failed)?;
        let sandbox = Sandbox::start(pullpass_sandbox::Options {
            population: population(&repositories),
            ..pullpass_sandbox::Options::default()
        })
        .await
        .map_err(|e| failed("listen on 127.0.0.1", &e))?;
        Ok(Self {
            fleet,
            sandbox,
            identity,
            folder,
        })
    }

    /// Where everything is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A repository's folder.
    pub(super) fn repository(&self, name: &str) -> PathBuf {
        self.folder().join("src").join(name)
    }

    /// Everything that is spoken to, as a command of its own would find it.
    pub(super) fn outside(&self) -> Result<Outside> {
        self.clients().map_err(outside_failed)
    }

    fn clients(&self) -> std::result::Result<Outside, Failure> {
        let options = Options::default();
        let (urls, operator) = (self.sandbox.urls(), self.sandbox.operator());
        let signed_in = (operator.hub_user.clone(), operator.hub_secret.clone());
        let organization = self.fleet.hub.organization.clone();
        let identity = self.identity.clone();
        let store = FileStore::open(
            self.folder().join(&self.fleet.store.file),
            Box::new(move |_| Ok(identity.clone())),
        );
        Ok(Outside {
            hub: Hub::new(&options, &urls.hub, organization, Some(signed_in))?,
            registry: Registry::new(&options, &urls.registry)?,
            circleci: Some(CircleCi::new(
                &options,
                &urls.circleci,
                operator.circleci_token.clone(),
            )?),
            github: Some(GitHub::new(
                &options,
                &urls.github,
                operator.github_token.clone(),
            )?),
            stores: BTreeMap::from([(StoreKind::File, AnyStore::File(store))]),
            clock: Rc::clone(&options.clock),
            shared: Shared::default(),
        })
    }

    /// All projects.
    pub(super) fn projects(&self) -> Vec<&Project> {
        self.fleet.projects.iter().collect()
    }

    /// One of them.
    pub(super) fn project(&self, name: &str) -> Result<&Project> {
        self.fleet
            .projects
            .iter()
            .find(|project| project.name.as_str() == name)
            .ok_or_else(|| astray("find a project", format!("there is no `{name}`")))
    }

    /// Asks the sandbox, from this machine's usual address.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Answer> {
        let base = &self.sandbox.urls().sandbox;
        // An address of a link is whole.
        let path = path.strip_prefix(base.as_str()).unwrap_or(path);
        send(base, Ipv4Addr::LOCALHOST, method, path, headers, body)
            .await
            .map_err(|error| astray("ask the sandbox", error.to_string()))
    }

    /// Builds a project so often, on that CI system, and waits for it.
    pub(super) async fn build(&self, project: &str, ci: &str, count: usize) -> Result<Builds> {
        let order = json!({"project": project, "ci": ci, "count": count});
        let answer = self
            .ask("POST", "/_sandbox/builds", &[], order.to_string())
            .await?;
        let outcome = answer.json();
        let pulls = outcome["pulls_by_identity"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)))
            .collect();
        let why = outcome["builds"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|build| build["why"].as_str())
            .map(str::to_owned);
        match (outcome["total"].as_u64(), outcome["failed"].as_u64()) {
            (Some(total), Some(failed)) => Ok(Builds {
                total,
                failed,
                pulls,
                why,
            }),
            _ => Err(astray("run builds", problem(&outcome))),
        }
    }

    /// Builds every project so often, wherever it is built.
    pub(super) async fn build_all(&self, count: usize) -> Result<Builds> {
        let mut all = Builds::default();
        for repository in &REPOSITORIES {
            for ci in repository.targets {
                all.add(self.build(repository.name, ci, count).await?);
            }
        }
        Ok(all)
    }

    /// Strangers pull on the same machines, until nothing is left of what Docker Hub gives to their
    /// addresses. Gives how many pulls that took.
    pub(super) async fn strangers_pull(&self) -> Result<u64> {
        let mut served = 0;
        for ci in ["circleci", "github"] {
            loop {
                let builds = self.build(STRANGERS, ci, 2 * STRANGERS_IMAGES).await?;
                let anonymous: u64 = builds.pulls.values().sum();
                served += anonymous;
                if anonymous == 0 {
                    break;
                }
            }
        }
        Ok(served)
    }

    /// Writes addresses and credentials for a shell to source, and the key of the store beside them,
    /// for the folder's owner alone.
    pub(super) fn write_ready_file(&self) -> Result<()> {
        let key = self.folder().join("identity.txt");
        let lines = format!(
            "{}PULLPASS_STORE_IDENTITY='{}'\n",
            self.sandbox.environment().expose_secret(),
            key.display().to_string().replace('\'', r"'\''")
        );
        let lines = SecretString::from(lines);
        for (path, text) in [(&key, &self.identity), (&self.ready_file(), &lines)] {
            atomic::write_private(path, text.expose_secret().as_bytes())
                .map_err(|e| failed(&format!("write `{}`", path.display()), &e))?;
        }
        Ok(())
    }

    pub(super) fn ready_file(&self) -> PathBuf {
        self.folder().join("sandbox.env")
    }

    /// Its sign-up page, inbox and journal.
    pub(super) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.urls().sandbox)
    }
}

/// What the sandbox says is wrong.
fn problem(answer: &Value) -> String {
    match answer["error"].as_str() {
        Some(error) => error.to_owned(),
        None => "the sandbox gave no result".to_owned(),
    }
}

/// A folder that nobody else can look into, removed when it is dropped.
fn private_folder() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("pullpass-demo-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir()
}

/// The organisation `acme`, whose projects pull what an audit of their repositories finds, and the
/// strangers.
fn population(repositories: &Path) -> Population {
    let mut population = Population::default();
    for project in &mut population.projects {
        let audit = audit(&repositories.join(&project.name));
        let images: BTreeSet<String> = audit
            .pulls
            .iter()
            .filter(|pull| pull.registry.as_deref() == Some(DOCKER_HUB))
            .filter_map(|pull| pull.reference.as_deref())
            .map(|reference| reference.trim_start_matches("docker.io/").to_owned())
            .collect();
        project.images = images.into_iter().collect();
    }
    let mut strangers = Built::new(STRANGERS);
    strangers.circleci = Some("gh/elsewhere/strangers".to_owned());
    strangers.github = Some("elsewhere/strangers".to_owned());
    strangers.images = vec!["library/busybox:latest".to_owned(); STRANGERS_IMAGES];
    population.projects.push(strangers);
    population
}

/// What `pullpass audit` finds there.
pub(super) fn audit(root: &Path) -> Audit {
    let options = pullpass_audit::context::Options::default();
    pullpass_audit::audit(&Checkout::new(root), &options, &Policy::default())
}
