//! Everything outside, from the operator's credentials and the fleet file.

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
use secrecy::SecretString;

use super::needs::Needs;
use super::outside_failed;
use super::tell::Teller;
use crate::commands::given::{Given, Name};
use crate::commands::unlock::{self, Sealed, filled, prompt, protection, secret};
use crate::error::{Error, ErrorKind, Result};
use crate::terminal::Terminal;

/// Everything that the projects with these needs need.
pub(super) async fn outside(
    fleet: &Fleet,
    folder: &Path,
    given: &Given,
    needs: &Needs,
    teller: &Rc<Teller>,
) -> Result<Outside> {
    let options = Options {
        waits: Rc::clone(teller).told_of_waits(),
        ..Options::default()
    };
    let url = |name: &str, usual: &str| filled(name).unwrap_or_else(|| usual.to_owned());
    let hub = Hub::new(
        &options,
        &url("PULLPASS_HUB_URL", hub::URL),
        fleet.hub.organization.clone(),
        given.hub(needs.hub)?,
    )
    .map_err(outside_failed)?
    .with_second_factor(Box::new(second_factor));
    let registry = Registry::new(&options, &url("PULLPASS_REGISTRY_URL", registry::URL))
        .map_err(outside_failed)?;
    let circleci = given
        .secret(Name::CircleCi, needs.any_circleci())?
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
        .secret(Name::GitHub, needs.any_github())?
        .map(|token| GitHub::new(&options, &url("PULLPASS_GITHUB_URL", github::URL), token))
        .transpose()
        .map_err(outside_failed)?;
    let mut stores = BTreeMap::new();
    for &kind in &needs.stores {
        stores.insert(kind, store(fleet, kind, folder, &options, given).await?);
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
            let unlock = unlock::store(&path, given.typed());
            let store = FileStore::open(path, unlock).or_absent();
            Ok(AnyStore::File(store))
        }
        StoreKind::Aws => Ok(AnyStore::Aws(Box::new(aws_store(fleet).await?))),
        StoreKind::Vault => {
            let missing = |happened: String, next: String| {
                Error::new(
                    ErrorKind::Configuration,
                    "open the Vault store",
                    happened,
                    format!("{next}, as for the `vault` command"),
                )
            };
            let settings = vault::Settings {
                address: filled("VAULT_ADDR")
                    .ok_or_else(|| missing("VAULT_ADDR is not set".into(), "set it".into()))?,
                token: given.secret(Name::Vault, true)?.ok_or_else(|| {
                    missing(
                        format!("VAULT_TOKEN is {}", given.lack()),
                        given.cure(Name::Vault),
                    )
                })?,
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

/// Says where secrets would go over a network in clear. Systems of one's own may have reasons.
pub(super) fn warn_of_clear_text(terminal: Terminal) {
    for system in ["HUB", "REGISTRY", "CIRCLECI", "GITHUB"] {
        let name = format!("PULLPASS_{system}_URL");
        let Some(url) = filled(&name) else { continue };
        let Some(rest) = url.strip_prefix("http://") else {
            continue;
        };
        let host = rest.split('/').next().unwrap_or_default();
        let is_here = host.starts_with("127.")
            || host.starts_with("[::1]")
            || host.split(':').next() == Some("localhost");
        if !is_here {
            terminal.note(&format!(
                "`{name}` begins with http: passwords and tokens go to that host in clear; https keeps them secret"
            ));
        }
    }
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
