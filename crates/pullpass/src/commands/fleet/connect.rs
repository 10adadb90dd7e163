//! Everything outside, from the environment and the fleet file.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::rc::Rc;

use pullpass_connect::circleci::{self, CircleCi};
use pullpass_connect::github::{self, GitHub};
use pullpass_connect::http::Options;
use pullpass_connect::hub::{self, Hub};
use pullpass_connect::registry::{self, Registry};
use pullpass_connect::store::{AnyStore, AwsStore, FileStore, VaultStore, aws, vault};
use pullpass_engine::outside::{Outside, Shared};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{Fleet, IdentityKind, StoreKind};
use secrecy::{ExposeSecret as _, SecretString};

use super::outside_failed;
use crate::commands::unlock::{Sealed, filled, prompt, protection, secret, unlock};
use crate::error::{Error, ErrorKind, Result};
use crate::terminal::Terminal;

/// Operators' credentials: those of the environment, and others in their place.
#[derive(Default)]
pub(super) struct Given {
    others: BTreeMap<String, SecretString>,
}

impl Given {
    /// With these, by the names that they have in the environment.
    pub(super) fn with(others: BTreeMap<String, SecretString>) -> Self {
        Self { others }
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        self.others.get(name).cloned().or_else(|| secret(name))
    }
}

/// Everything that the fleet needs.
pub(super) async fn outside(fleet: &Fleet, folder: &Path, given: &Given) -> Result<Outside> {
    let options = Options::default();
    let url = |name: &str, usual: &str| filled(name).unwrap_or_else(|| usual.to_owned());
    let operator = match (
        given.secret("PULLPASS_HUB_USER"),
        given.secret("PULLPASS_HUB_SECRET"),
    ) {
        (Some(user), Some(secret)) => Some((user.expose_secret().to_owned(), secret)),
        _ => None,
    };
    let hub = Hub::new(
        &options,
        &url("PULLPASS_HUB_URL", hub::URL),
        fleet.hub.organization.clone(),
        operator,
    )
    .map_err(outside_failed)?
    .with_second_factor(Box::new(second_factor));
    let registry = Registry::new(&options, &url("PULLPASS_REGISTRY_URL", registry::URL))
        .map_err(outside_failed)?;
    let circleci = given
        .secret("CIRCLECI_TOKEN")
        .map(|token| {
            CircleCi::new(
                &options,
                &url("PULLPASS_CIRCLECI_URL", circleci::URL),
                token,
            )
        })
        .transpose()
        .map_err(outside_failed)?;
    let github = given
        .secret("GITHUB_TOKEN")
        .or_else(|| given.secret("GH_TOKEN"))
        .map(|token| GitHub::new(&options, &url("PULLPASS_GITHUB_URL", github::URL), token))
        .transpose()
        .map_err(outside_failed)?;
    let mut stores = BTreeMap::new();
    for project in &fleet.projects {
        if let std::collections::btree_map::Entry::Vacant(entry) = stores.entry(project.store) {
            entry.insert(store(fleet, project.store, folder, &options, given).await?);
        }
    }
    Ok(Outside {
        hub,
        registry,
        circleci,
        github,
        stores,
        clock: Rc::clone(&options.clock),
        shared: Shared::default(),
    })
}

/// Which of the variables for Docker Hub are not set.
pub(super) fn missing_of_hub() -> Vec<&'static str> {
    let both = ["PULLPASS_HUB_USER", "PULLPASS_HUB_SECRET"];
    both.into_iter()
        .filter(|name| filled(name).is_none())
        .collect()
}

async fn store(
    fleet: &Fleet,
    kind: StoreKind,
    folder: &Path,
    options: &Options,
    given: &Given,
) -> Result<AnyStore> {
    match kind {
        StoreKind::File => {
            // It is made when something is to be kept in it: looking makes no files.
            let path = folder.join(&fleet.store.file);
            let store = FileStore::open(path, unlock(Sealed::Store)).or_absent();
            Ok(AnyStore::File(store))
        }
        StoreKind::Aws => Ok(AnyStore::Aws(Box::new(aws_store(fleet).await?))),
        StoreKind::Vault => {
            let missing = |name: &str| {
                Error::new(
                    ErrorKind::Configuration,
                    "open the Vault store",
                    format!("{name} is not set"),
                    "set it as for the `vault` command",
                )
            };
            let settings = vault::Settings {
                address: filled("VAULT_ADDR").ok_or_else(|| missing("VAULT_ADDR"))?,
                token: given
                    .secret("VAULT_TOKEN")
                    .ok_or_else(|| missing("VAULT_TOKEN"))?,
                namespace: filled("VAULT_NAMESPACE"),
                mount: fleet.store.vault.mount.clone(),
                path: fleet.store.vault.path.clone(),
                organization: Some(fleet.hub.organization.to_string()),
            };
            let store = VaultStore::new(options, settings).map_err(outside_failed)?;
            Ok(AnyStore::Vault(store))
        }
    }
}

/// The store in AWS, as the fleet file has it.
pub(super) async fn aws_store(fleet: &Fleet) -> Result<AwsStore> {
    let wanted = &fleet.store.aws;
    let settings = aws::Settings {
        id: wanted.id_name.clone(),
        token: wanted.token_name.clone(),
        account: wanted.account_name.clone(),
        kms_key: wanted.kms_key.clone(),
        tags: BTreeMap::new(),
        organization: Some(fleet.hub.organization.to_string()),
    };
    let (profile, region) = (wanted.profile.as_deref(), wanted.region.as_deref());
    let store = AwsStore::connect(settings, profile, region).await;
    store.map_err(outside_failed)
}

/// Makes the stores that are ours to make, where they are not there yet.
pub(super) fn make_stores(fleet: &Fleet, folder: &Path, terminal: Terminal) -> Result<()> {
    let path = folder.join(&fleet.store.file);
    let is_used = fleet
        .projects
        .iter()
        .any(|p| p.store == StoreKind::File && p.identity_kind() != IdentityKind::Oidc);
    match is_used && !path.exists() {
        true => {
            FileStore::create(&path, &protection(Sealed::Store, terminal)?).map_err(outside_failed)
        }
        false => Ok(()),
    }
}

fn second_factor() -> std::result::Result<SecretString, Failure> {
    if let Some(code) = secret("PULLPASS_HUB_CODE") {
        return Ok(code);
    }
    match io::stdin().is_terminal() {
        true => prompt("Code of your authenticator for Docker Hub: "),
        false => Err(Failure::new(
            FailureKind::Configuration,
            "sign in to Docker Hub",
            "the account has a second factor, and there is nobody to ask",
            "set `PULLPASS_HUB_CODE`, or run the command on a terminal",
        )),
    }
}
