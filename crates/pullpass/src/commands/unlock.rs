//! What opens the files that are encrypted: the fleet's store, and an operator's own credentials.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pullpass_connect::store::file::{Protection, Unlock, Wanted};
use pullpass_connect::store::{FileStore, identity};
use pullpass_fleet::failure::{Failure, FailureKind};
use secrecy::{ExposeSecret as _, SecretString};

use super::fleet::outside_failed;
use crate::atomic;
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// What opens an encrypted file.
const PASSPHRASE: &str = "PULLPASS_STORE_PASSPHRASE";
/// A file with age identities that open it.
const IDENTITY: &str = "PULLPASS_STORE_IDENTITY";

/// Which file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sealed {
    /// The fleet's.
    Store,
    /// The operator's own.
    Credentials,
}

impl Sealed {
    fn name(self) -> &'static str {
        match self {
            Self::Store => "the store",
            Self::Credentials => "your credentials",
        }
    }
}

/// A variable that is there and not empty.
pub(super) fn filled(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The same, where it is a secret.
pub(super) fn secret(name: &str) -> Option<SecretString> {
    let text = secrecy::zeroize::Zeroizing::new(filled(name)?);
    // What was read from a file or pasted has the end of its line still; no secret of ours has one.
    let text = text.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| SecretString::from(text))
}

/// Who may open a new file: whoever knows a passphrase, where there is one or somebody to ask, else
/// whoever has a key that is kept beside the person's other settings.
pub(super) fn protection(of: Sealed, terminal: Terminal) -> Result<Protection> {
    if let Some(passphrase) = secret(PASSPHRASE) {
        return Ok(Protection::Passphrase {
            passphrase,
            work_factor: None,
        });
    }
    if io::stdin().is_terminal() && filled(IDENTITY).is_none() {
        let question = match of {
            Sealed::Store => "Passphrase for the new store: ",
            Sealed::Credentials => "Passphrase for the new file of your credentials: ",
        };
        let passphrase = prompt(question).map_err(outside_failed)?;
        let again = prompt("The same once more: ").map_err(outside_failed)?;
        if !same(&passphrase, &again) {
            return Err(Error::new(
                ErrorKind::Usage,
                match of {
                    Sealed::Store => "make the store",
                    Sealed::Credentials => "keep your credentials",
                },
                "the two passphrases differ",
                "run the command again",
            ));
        }
        return Ok(Protection::Passphrase {
            passphrase,
            work_factor: None,
        });
    }
    let recipient = own_key(of, &identity_path(of)?, terminal)?;
    Ok(Protection::Recipients(vec![recipient]))
}

fn same(a: &SecretString, b: &SecretString) -> bool {
    a.expose_secret() == b.expose_secret()
}

/// The recipient of the key in that file, which is made where there is none.
fn own_key(of: Sealed, path: &Path, terminal: Terminal) -> Result<String> {
    let what = of.name();
    if !path.exists() {
        let (recipient, text) = identity::new_identity();
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| atomic::write_private(path, text.expose_secret().as_bytes()));
        written.map_err(|error| {
            Error::new(
                ErrorKind::Outside,
                format!("keep a key for {what} in `{}`", path.display()),
                in_words(&error),
                format!("set {PASSPHRASE}, or {IDENTITY} to a file that can be written"),
            )
        })?;
        terminal.note(&format!(
            "made a key for {what}: {}. Keep a copy: without it {what} cannot be read",
            path.display()
        ));
        return Ok(recipient);
    }
    let text = fs::read_to_string(path).map_err(|e| Error::unreadable("key", path, &e))?;
    identity::recipient_of(&SecretString::from(text)).map_err(outside_failed)
}

/// Where a person's settings are, if they have a place for them.
pub(super) fn settings() -> Option<PathBuf> {
    let folder = filled("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| filled("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("pullpass"))
}

/// Where the person's own key is, unless they name another; `None` where they have no folder for it.
fn identity_file() -> Option<PathBuf> {
    match filled(IDENTITY) {
        Some(path) => Some(PathBuf::from(path)),
        None => Some(settings()?.join("identity.txt")),
    }
}

/// The same, for a file that is to be made.
fn identity_path(of: Sealed) -> Result<PathBuf> {
    identity_file().ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("find a key for {}", of.name()),
            format!("{PASSPHRASE} is not set, and there is nobody to ask"),
            format!("set {PASSPHRASE}, or {IDENTITY} to a file with an age identity"),
        )
    })
}

/// The passphrase that was typed for one file, if one was: the other is often opened by the same.
#[derive(Clone, Default)]
pub(super) struct Typed(Rc<RefCell<Option<SecretString>>>);

/// Opens the operator's own credentials with what there is, or asks.
pub(super) fn credentials(path: &Path, typed: &Typed) -> Unlock {
    let doing = format!("open your credentials in {}", path.display());
    let typed = typed.clone();
    Box::new(move |wanted| match wanted {
        Wanted::Passphrase => {
            let asked = || {
                let passphrase = prompt("Passphrase of your credentials: ")?;
                typed.0.replace(Some(passphrase.clone()));
                Ok(passphrase)
            };
            passphrase(&doing, asked)
        }
        Wanted::Another => another(&doing).inspect(|right| {
            typed.0.replace(Some(right.clone()));
        }),
        Wanted::Identities => identities(&doing),
    })
}

/// The same for the fleet's store.
pub(super) fn store(path: &Path, typed: &Typed) -> Unlock {
    let doing = format!("open the store {}", path.display());
    let (path, typed) = (path.to_owned(), typed.clone());
    Box::new(move |wanted| match wanted {
        Wanted::Passphrase => {
            let asked = || match typed.0.take() {
                Some(known) if FileStore::is_opened_by(&path, &known) => Ok(known),
                _ => prompt("Passphrase of the store: "),
            };
            passphrase(&doing, asked)
        }
        Wanted::Another => another(&doing),
        Wanted::Identities => identities(&doing),
    })
}

/// Asks once more, where the passphrase was typed and was not the right one.
fn another(doing: &str) -> std::result::Result<SecretString, Failure> {
    match secret(PASSPHRASE).is_none() && io::stdin().is_terminal() {
        true => prompt("That is not it. Passphrase: "),
        false => Err(Failure::new(
            FailureKind::Configuration,
            doing,
            "there is nobody to ask",
            format!("set {PASSPHRASE}"),
        )),
    }
}

fn passphrase(
    doing: &str,
    asked: impl FnOnce() -> std::result::Result<SecretString, Failure>,
) -> std::result::Result<SecretString, Failure> {
    match secret(PASSPHRASE) {
        Some(passphrase) => Ok(passphrase),
        None if io::stdin().is_terminal() => asked(),
        None => Err(Failure::new(
            FailureKind::Configuration,
            doing,
            format!("{PASSPHRASE} is not set, and there is nobody to ask"),
            format!("set {PASSPHRASE}"),
        )),
    }
}

fn identities(doing: &str) -> std::result::Result<SecretString, Failure> {
    let failed = |error: String| {
        Failure::new(
            FailureKind::Configuration,
            doing,
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

/// Asks without showing what is typed.
pub(super) fn prompt(question: &str) -> std::result::Result<SecretString, Failure> {
    rpassword::prompt_password(question)
        .map(SecretString::from)
        .map_err(|error| {
            // The person wants it to end, and not to be told that something failed. A run that is killed
            // at any point is continued by the next.
            if error.kind() == io::ErrorKind::Interrupted {
                std::process::exit(i32::from(ExitCode::Interrupted.code()));
            }
            Failure::new(
                FailureKind::Configuration,
                "ask on the terminal",
                in_words(&error),
                "run the command on a terminal, or give it in the environment",
            )
        })
}
