//! Operators' credentials: which there are, and where each comes from.
//!
//! ```text
//!   environment  ──►  the operator's own encrypted file, opened when something is needed that only it has
//!   a function's secret  ──►  environment                                       (`pullpass lambda`)
//! ```

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use pullpass_connect::credentials::Credentials;
use secrecy::{ExposeSecret as _, SecretString};

use super::fleet::outside_failed;
use super::unlock::{self, Typed, filled};
use crate::error::{Error, ErrorKind, Result};
use crate::terminal::Terminal;

/// Names another file than the usual one.
const FILE: &str = "PULLPASS_CREDENTIALS";

/// A credential that can be kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Name {
    HubUser,
    HubSecret,
    CircleCi,
    GitHub,
    Vault,
}

impl Name {
    pub(super) const ALL: [Self; 5] = [
        Self::HubUser,
        Self::HubSecret,
        Self::CircleCi,
        Self::GitHub,
        Self::Vault,
    ];

    /// What it is called in the environment, and kept as.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::HubUser => "PULLPASS_HUB_USER",
            Self::HubSecret => "PULLPASS_HUB_SECRET",
            Self::CircleCi => "CIRCLECI_TOKEN",
            Self::GitHub => "GITHUB_TOKEN",
            Self::Vault => "VAULT_TOKEN",
        }
    }

    /// All that it is called in the environment; the first goes before the others.
    pub(super) fn variables(self) -> &'static [&'static str] {
        match self {
            Self::HubUser => &["PULLPASS_HUB_USER"],
            Self::HubSecret => &["PULLPASS_HUB_SECRET"],
            Self::CircleCi => &["CIRCLECI_TOKEN"],
            Self::GitHub => &["GITHUB_TOKEN", "GH_TOKEN"],
            Self::Vault => &["VAULT_TOKEN"],
        }
    }

    /// What it is, for a person.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::HubUser => "an owner of the organisation at Docker Hub",
            Self::HubSecret => "the owner's password",
            Self::CircleCi => "a personal API token of CircleCI",
            Self::GitHub => {
                "a token of GitHub that may write secrets; `GH_TOKEN` is kept as this too"
            }
            Self::Vault => "a token of Vault, where the store is there",
        }
    }

    /// The variable of the environment that gives it.
    pub(super) fn set(self) -> Option<&'static str> {
        let is_set = |name: &&&str| filled(name).is_some();
        self.variables().iter().find(is_set).copied()
    }
}

/// Where a credential came from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Source {
    /// The secret that a function was told to read.
    Secret,
    /// That variable of the environment.
    Environment(&'static str),
    /// The operator's own file.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => f.write_str("the secret of --credentials"),
            Self::Environment(_) => f.write_str("the environment"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Beside the environment.
enum Beside {
    /// The operator's own file, where there is a place for one.
    File(Option<Credentials>),
    /// Values by their names, which go before the environment.
    Values(BTreeMap<String, SecretString>),
}

/// The credentials of one run.
pub(super) struct Given {
    beside: Beside,
    terminal: Terminal,
    typed: Typed,
    /// The names in the file, once it was read.
    kept: OnceCell<BTreeSet<String>>,
    taken: RefCell<BTreeMap<Name, Source>>,
}

impl Given {
    fn new(beside: Beside, terminal: Terminal, typed: Typed) -> Self {
        Self {
            beside,
            terminal,
            typed,
            kept: OnceCell::new(),
            taken: RefCell::default(),
        }
    }

    /// Those of a person: the environment, and their file.
    pub(super) fn to_person(terminal: Terminal) -> Self {
        let typed = Typed::default();
        Self::new(Beside::File(file(&typed)), terminal, typed)
    }

    /// Those of a function that nobody sits at: these values, and the environment.
    pub(super) fn to_function(values: BTreeMap<String, SecretString>, terminal: Terminal) -> Self {
        Self::new(Beside::Values(values), terminal, Typed::default())
    }

    /// The credential, if it is given; `needed` asks for it in the file too.
    pub(super) fn secret(&self, name: Name, needed: bool) -> Result<Option<SecretString>> {
        let Some((secret, source)) = self.find(name, needed)? else {
            return Ok(None);
        };
        self.taken.borrow_mut().insert(name, source);
        Ok(Some(secret))
    }

    fn find(&self, name: Name, needed: bool) -> Result<Option<(SecretString, Source)>> {
        for &variable in name.variables() {
            if let Beside::Values(values) = &self.beside
                && let Some(value) = values.get(variable)
            {
                return Ok(Some((value.clone(), Source::Secret)));
            }
            if let Some(value) = unlock::secret(variable) {
                return Ok(Some((value, Source::Environment(variable))));
            }
        }
        match (&self.beside, needed) {
            (Beside::File(Some(file)), true) if self.keeps(file, name)? => {
                let secret = file.secret(name.text()).map_err(outside_failed)?;
                Ok(secret.map(|secret| (secret, Source::File(file.path().to_owned()))))
            }
            _ => Ok(None),
        }
    }

    fn keeps(&self, file: &Credentials, name: Name) -> Result<bool> {
        let names = match self.kept.get() {
            Some(names) => names,
            None => {
                let names = file.names().map_err(outside_failed)?;
                warn_of_others(file, self.terminal);
                self.kept.get_or_init(|| names)
            }
        };
        Ok(names.contains(name.text()))
    }

    /// The operator of Docker Hub. A kept password is that of the kept user: it is not tried for
    /// another.
    pub(super) fn hub(&self, needed: bool) -> Result<Option<(String, SecretString)>> {
        let user = self.secret(Name::HubUser, needed)?;
        let secret = self.secret(Name::HubSecret, needed)?;
        let (Some(user), Some(secret)) = (user, secret) else {
            return Ok(None);
        };
        let user = user.expose_secret().to_owned();
        let is_mixed = {
            let taken = self.taken.borrow();
            matches!(taken.get(&Name::HubUser), Some(Source::Environment(_)))
                && matches!(taken.get(&Name::HubSecret), Some(Source::File(_)))
        };
        if let (true, Beside::File(Some(file))) = (is_mixed, &self.beside) {
            let kept = file.secret(Name::HubUser.text()).map_err(outside_failed)?;
            if kept.is_some_and(|kept| !kept.expose_secret().eq_ignore_ascii_case(&user)) {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "sign in to Docker Hub",
                    format!(
                        "`PULLPASS_HUB_USER` is set to `{user}`, and the kept `PULLPASS_HUB_SECRET` is that of another"
                    ),
                    "unset it, or set `PULLPASS_HUB_SECRET` too",
                ));
            }
        }
        Ok(Some((user, secret)))
    }

    /// The passphrase that was typed to open the file, if it was.
    pub(super) fn typed(&self) -> &Typed {
        &self.typed
    }

    /// Whether it was asked for and given.
    pub(super) fn has(&self, name: Name) -> bool {
        self.taken.borrow().contains_key(&name)
    }

    /// Where everything that was asked for and given came from.
    pub(super) fn sources(&self) -> BTreeMap<Name, Source> {
        self.taken.borrow().clone()
    }

    /// That something is not given; completes "`NAME` is".
    pub(super) fn lack(&self) -> &'static str {
        match self.beside {
            Beside::File(_) => "not set, and not among your kept credentials",
            Beside::Values(_) => "not set",
        }
    }

    /// What to do where both of Docker Hub's are not given.
    pub(super) fn cure_of_both(&self) -> String {
        match self.beside {
            Beside::File(_) => {
                "set both, or keep each of them with `pullpass credentials set NAME`".to_owned()
            }
            Beside::Values(_) => {
                "set both for the function, or put them into the secret of --credentials".to_owned()
            }
        }
    }

    /// What to do then.
    pub(super) fn cure(&self, name: Name) -> String {
        match self.beside {
            Beside::File(_) => format!(
                "set it, or keep it with `pullpass credentials set {}`",
                name.text()
            ),
            Beside::Values(_) => {
                "set it for the function, or put it into the secret of --credentials".to_owned()
            }
        }
    }
}

/// The operator's own file, where there is a place for one.
pub(super) fn kept() -> Option<Credentials> {
    file(&Typed::default())
}

fn file(typed: &Typed) -> Option<Credentials> {
    let path = match filled(FILE) {
        Some(path) => PathBuf::from(path),
        None => unlock::settings()?.join("credentials.toml"),
    };
    let unlock = unlock::credentials(&path, typed);
    Some(Credentials::open(path, unlock))
}

/// Says that others may read or write the file. What is in it is encrypted, so it is used all the same.
pub(super) fn warn_of_others(file: &Credentials, terminal: Terminal) {
    if file.is_open_to_others() {
        let path = file.path().display();
        terminal.note(&format!(
            "others than you may read or write {path}: chmod 600 {path}"
        ));
    }
}

/// Where nothing can be kept, because there is no place for it.
pub(super) fn no_place() -> Error {
    Error::new(
        ErrorKind::Usage,
        "find the file of your credentials",
        format!("none of {FILE}, XDG_CONFIG_HOME and HOME is set"),
        format!("set {FILE} to the file"),
    )
}
