//! Everything outside, from the environment and the fleet file.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pullpass_connect::circleci::{self, CircleCi};
use pullpass_connect::github::{self, GitHub};
use pullpass_connect::http::Options;
use pullpass_connect::hub::{self, Hub};
use pullpass_connect::registry::{self, Registry};
use pullpass_connect::store::file::{FileStore, Protection, Wanted};
use pullpass_connect::store::{AnyStore, AwsStore, VaultStore, aws, vault};
use pullpass_engine::outside::{Outside, Shared};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{Fleet, IdentityKind, StoreKind};
use secrecy::{ExposeSecret as _, SecretString};

use super::outside_failed;
use crate::atomic;
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::terminal::Terminal;

/// What opens an encrypted file.
const PASSPHRASE: &str = "PULLPASS_STORE_PASSPHRASE";
/// A file with age identities that open it.
const IDENTITY: &str = "PULLPASS_STORE_IDENTITY";

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

/// A variable that is there and not empty.
fn filled(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn secret(name: &str) -> Option<SecretString> {
    filled(name).map(SecretString::from)
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
            let store = FileStore::open(path, Box::new(unlock)).or_absent();
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
        true => create(&path, terminal),
        false => Ok(()),
    }
}

/// Makes the encrypted file: for a passphrase where there is one or somebody to ask, else for a key
/// that is kept beside the person's other settings.
fn create(path: &Path, terminal: Terminal) -> Result<()> {
    let protection = if let Some(passphrase) = secret(PASSPHRASE) {
        Protection::Passphrase {
            passphrase,
            work_factor: None,
        }
    } else if io::stdin().is_terminal() && filled(IDENTITY).is_none() {
        let passphrase = prompt("Passphrase for the new store: ").map_err(outside_failed)?;
        let again = prompt("The same once more: ").map_err(outside_failed)?;
        if !same(&passphrase, &again) {
            return Err(Error::new(
                ErrorKind::Usage,
                "make the store",
                "the two passphrases differ",
                "run the command again",
            ));
        }
        Protection::Passphrase {
            passphrase,
            work_factor: None,
        }
    } else {
        let key = identity_path()?;
        let recipient = own_key(&key, terminal)?;
        Protection::Recipients(vec![recipient])
    };
    FileStore::create(path, &protection).map_err(outside_failed)
}

fn same(a: &SecretString, b: &SecretString) -> bool {
    a.expose_secret() == b.expose_secret()
}

/// The recipient of the key in that file, which is made where there is none.
fn own_key(path: &Path, terminal: Terminal) -> Result<String> {
    if !path.exists() {
        let (recipient, text) = pullpass_connect::store::identity::new_identity();
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| atomic::write_private(path, text.expose_secret().as_bytes()));
        written.map_err(|error| {
            Error::new(
                ErrorKind::Outside,
                format!("keep a key for the store in `{}`", path.display()),
                in_words(&error),
                format!("set {PASSPHRASE}, or {IDENTITY} to a file that can be written"),
            )
        })?;
        terminal.note(&format!(
            "made a key for the store: {}. Keep a copy: without it the store cannot be read",
            path.display()
        ));
        return Ok(recipient);
    }
    let text = fs::read_to_string(path).map_err(|e| Error::unreadable("key", path, &e))?;
    pullpass_connect::store::identity::recipient_of(&SecretString::from(text))
        .map_err(outside_failed)
}

/// Where the person's own key is, unless they name another; `None` where they have no folder for it.
fn identity_file() -> Option<PathBuf> {
    if let Some(path) = filled(IDENTITY) {
        return Some(PathBuf::from(path));
    }
    let folder = filled("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| filled("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("pullpass").join("identity.txt"))
}

/// The same, for a store that is to be made.
fn identity_path() -> Result<PathBuf> {
    identity_file().ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            "find a key for the store",
            format!("{PASSPHRASE} is not set, and there is nobody to ask"),
            format!("set {PASSPHRASE}, or {IDENTITY} to a file with an age identity"),
        )
    })
}

fn unlock(wanted: Wanted) -> std::result::Result<SecretString, Failure> {
    match wanted {
        Wanted::Passphrase => match secret(PASSPHRASE) {
            Some(passphrase) => Ok(passphrase),
            None if io::stdin().is_terminal() => prompt("Passphrase of the store: "),
            None => Err(Failure::new(
                FailureKind::Configuration,
                "open the store",
                format!("{PASSPHRASE} is not set, and there is nobody to ask"),
                format!("set {PASSPHRASE}"),
            )),
        },
        Wanted::Identities => {
            let failed = |error: String| {
                Failure::new(
                    FailureKind::Configuration,
                    "open the store",
                    error,
                    format!("set {IDENTITY} to the file with the age identity that opens it"),
                )
            };
            let Some(path) = identity_file() else {
                return Err(failed(format!("neither {IDENTITY} nor HOME is set")));
            };
            let text = fs::read_to_string(&path)
                .map_err(|e| failed(format!("`{}`: {}", path.display(), in_words(&e))))?;
            Ok(SecretString::from(text))
        }
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

/// Asks without showing what is typed.
pub(super) fn prompt(question: &str) -> std::result::Result<SecretString, Failure> {
    rpassword::prompt_password(question)
        .map(SecretString::from)
        .map_err(|error| {
            Failure::new(
                FailureKind::Configuration,
                "ask on the terminal",
                in_words(&error),
                "",
            )
        })
}
