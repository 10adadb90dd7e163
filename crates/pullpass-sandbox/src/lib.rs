//! A whole organisation on loopback: Docker Hub's API, a registry with its token service, CircleCI,
//! GitHub, a sign-up page and an inbox, and CI runners that really pull. It has the paths, shapes,
//! errors, pages, masks and limits of the real systems, and faults on demand.
//!
//! ```text
//! server     a connection, on its way through misfortune and limits …
//! vendor     … to one of the rooms: hub, registry, circleci, github, people
//! world      what exists, as a value; a room reads it or changes it, at a time that it is given
//! runner     builds: HTTP clients of the registry, with what the project's variables hold
//! control    /_sandbox/…: state, journal, faults, clock, builds
//! ```
//!
//! A room is a function of the world, a request and the time: no room waits, locks or looks at the
//! machine's clock, and every draw is from the seed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;

pub use faults::Fault;
pub use http::Urls;
pub use population::{Image, Person, Plan, Population, PopulationError, Project};

pub mod client;

mod circleci;
mod control;
mod faults;
mod github;
mod http;
mod hub;
mod journal;
mod limits;
mod people;
mod population;
mod registry;
mod runner;
mod server;
mod shared;
mod vendor;
mod world;

use faults::Faults;
use shared::Shared;
use vendor::Vendor;
use world::World;

/// How the sandbox is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who and what exists.
    pub population: Population,
    /// Everything random comes from it.
    pub seed: u64,
    /// What every request waits.
    pub latency: Duration,
    /// The share of requests that a fault strikes: 0 to 1.
    pub fault_rate: f64,
    /// The faults that the dice choose from.
    pub faults: Vec<Fault>,
    /// Whether limits refuse anybody. They are counted in any case.
    pub limits: Limits,
}

/// Whether limits refuse anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Limits {
    /// As the real systems do.
    #[default]
    Real,
    /// Never.
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            population: Population::default(),
            seed: 1,
            latency: Duration::ZERO,
            fault_rate: 0.0,
            faults: Fault::USUAL.to_vec(),
            limits: Limits::Real,
        }
    }
}

/// What the operator signs in with.
#[derive(Clone, Debug)]
pub struct Operator {
    /// An owner's Docker ID.
    pub hub_user: String,
    /// Its password.
    pub hub_secret: SecretString,
    /// A personal token of CircleCI.
    pub circleci_token: SecretString,
    /// A token of GitHub.
    pub github_token: SecretString,
}

/// A sandbox that listens. It ends when it is dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    operator: Operator,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts it, on ports of 127.0.0.1 that the system chooses.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub async fn start(options: Options) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut urls = Urls::default();
        for (vendor, url) in [
            (Vendor::Hub, &mut urls.hub),
            (Vendor::Registry, &mut urls.registry),
            (Vendor::CircleCi, &mut urls.circleci),
            (Vendor::GitHub, &mut urls.github),
            (Vendor::People, &mut urls.sandbox),
        ] {
            let (listener, bound) = server::bind().await?;
            listeners.push((vendor, listener));
            *url = bound;
        }
        let world = World::new(&options.population, options.seed, Timestamp::now());
        let operator = operator(&world, &options.population);
        let shared = Arc::new(Shared::new(
            world,
            Faults::new(options.seed, options.fault_rate, options.faults),
            urls,
            options.latency,
            options.limits == Limits::Real,
        ));
        let tasks = listeners
            .into_iter()
            .map(|(vendor, listener)| server::serve(Arc::clone(&shared), vendor, listener))
            .collect();
        Ok(Self {
            shared,
            operator,
            tasks,
        })
    }

    /// Where everything listens.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.shared.urls
    }

    /// What the operator signs in with.
    #[must_use]
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// What exists, without secrets: the answer of `GET /_sandbox/state`.
    #[must_use]
    pub fn state(&self) -> serde_json::Value {
        control::state::shown(&self.shared)
    }

    /// `KEY=value` lines that a shell can source: addresses and the operator's credentials.
    #[must_use]
    pub fn environment(&self) -> SecretString {
        let (urls, operator) = (self.urls(), &self.operator);
        let lines = [
            ("PULLPASS_HUB_URL", urls.hub.as_str()),
            ("PULLPASS_REGISTRY_URL", &urls.registry),
            ("PULLPASS_CIRCLECI_URL", &urls.circleci),
            ("PULLPASS_GITHUB_URL", &urls.github),
            ("PULLPASS_REGISTRY_HOST", urls.registry_host()),
            ("PULLPASS_SANDBOX_URL", &urls.sandbox),
            ("PULLPASS_HUB_USER", &operator.hub_user),
            ("PULLPASS_HUB_SECRET", operator.hub_secret.expose_secret()),
            ("CIRCLECI_TOKEN", operator.circleci_token.expose_secret()),
            ("GITHUB_TOKEN", operator.github_token.expose_secret()),
        ];
        let text: String = lines
            .iter()
            .map(|(name, value)| format!("{name}={}\n", quoted(value)))
            .collect();
        SecretString::from(text)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A word of the shell: quoted where it is not plain.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:@%+=".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn operator(world: &World, population: &Population) -> Operator {
    let owner = population
        .people
        .iter()
        .find(|person| person.role.as_deref() == Some("owner"))
        .map(|person| person.name.clone())
        .unwrap_or_default();
    let secret = |secret: Option<&world::secret::Secret>| {
        SecretString::from(secret.map_or("", |s| s.expose()).to_owned())
    };
    Operator {
        hub_secret: secret(world.accounts.get(&owner).map(|a| &a.password)),
        hub_user: owner,
        circleci_token: secret(world.circleci.people.first().map(|p| &p.token)),
        github_token: secret(world.github.people.first().map(|p| &p.token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell_where_they_must_be() {
        assert_eq!(quoted("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(quoted("a b$c"), "'a b$c'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
