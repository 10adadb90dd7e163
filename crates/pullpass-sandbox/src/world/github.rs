//! GitHub: repositories, their secrets and variables, workflow runs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::circleci::Variable;
use super::secret::Secret;

pub(crate) type Store = BTreeMap<String, Variable>;

#[derive(Clone, Default)]
pub(crate) struct GitHub {
    pub(crate) people: Vec<GhPerson>,
    /// By name.
    pub(crate) organisations: BTreeMap<String, GhOrganisation>,
    /// By `owner/name`.
    pub(crate) repositories: BTreeMap<String, GhRepository>,
    pub(crate) runs: Vec<Run>,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(crate) struct GhPerson {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) name: String,
    pub(crate) token: Secret,
    /// Of a classic token.
    pub(crate) scopes: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct GhOrganisation {
    pub(crate) id: u64,
    pub(crate) secrets: Store,
    /// `all`, `private` or `selected`, by the name of a secret.
    pub(crate) visibility: BTreeMap<String, String>,
    /// Ids of repositories that a `selected` secret is for.
    pub(crate) selected: BTreeMap<String, Vec<u64>>,
    pub(crate) dependabot: Store,
    pub(crate) variables: Store,
}

#[derive(Clone, Debug)]
pub(crate) struct GhRepository {
    pub(crate) id: u64,
    pub(crate) private: bool,
    pub(crate) created: Timestamp,
    pub(crate) secrets: Store,
    pub(crate) dependabot: Store,
    pub(crate) variables: Store,
    pub(crate) environments: BTreeMap<String, Environment>,
    pub(crate) workflow: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) id: u64,
    pub(crate) created: Timestamp,
    pub(crate) secrets: Store,
    pub(crate) variables: Store,
}

/// A run of a workflow: the build of the same number.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) repository: String,
    pub(crate) branch: String,
    pub(crate) event: &'static str,
    pub(crate) build: usize,
    pub(crate) actor: String,
    pub(crate) created: Timestamp,
}

impl GitHub {
    /// What a workflow of the repository sees under this name, be it a secret or a variable.
    pub(crate) fn value(&self, repository: &str, name: &str) -> Option<Secret> {
        let found = self.repositories.get(repository)?;
        let owner = repository.split('/').next().unwrap_or_default();
        let organisation = self.organisations.get(owner);
        let shared = || {
            let organisation = organisation?;
            let seen = match organisation.visibility.get(name).map(String::as_str) {
                Some("private") => found.private,
                Some("selected") => organisation
                    .selected
                    .get(name)
                    .is_some_and(|ids| ids.contains(&found.id)),
                _ => true,
            };
            organisation.secrets.get(name).filter(|_| seen)
        };
        found
            .secrets
            .get(name)
            .or_else(shared)
            .or_else(|| found.variables.get(name))
            .or_else(|| organisation.and_then(|o| o.variables.get(name)))
            .map(|variable| variable.value.clone())
    }
}

/// Whether GitHub takes it as the name of a secret or a variable.
pub(crate) fn is_name(name: &str) -> bool {
    super::circleci::is_variable_name(name) && !name.to_ascii_uppercase().starts_with("GITHUB_")
}
