//! An operator's own credentials, in an encrypted file of theirs.
//!
//! Not in the fleet's store: that one is for everybody who looks after the fleet, and who may open it reads
//! all of it. A personal token is nobody else's.
//!
//! The names are in clear, so that they can be listed, and a run knows whether it has to open the file at
//! all. Each value is sealed for the file's own key and bound to its name, as in [`sealed`](crate::sealed).
//!
//! ```toml
//! schema = "pullpass.credentials/1"
//!
//! [key]
//! recipient = "age1…"
//! identity = '''…'''
//!
//! [credentials]
//! CIRCLECI_TOKEN = '''…'''
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pullpass_fleet::failure::{Failure, FailureKind};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use toml::Spanned;

use crate::sealed::about::{About, Words};
use crate::sealed::key::{Key, Opened};
use crate::sealed::replace::{self, Broken, Lock};
use crate::sealed::seal::{self, Unsealed};
use crate::sealed::text::{self, RawKey, Reader, Unreadable, block};

pub use crate::sealed::{Protection, Unlock, Wanted};

const SCHEMA: &str = "pullpass.credentials/1";

const WORDS: Words = Words {
    what: "your credentials in",
    make: "keep",
    absent: "`pullpass credentials set` makes it",
    conflict: "take the one or the other side whole: what it lacks is set again with `pullpass credentials set`",
    malformed: |_| {
        "undo what was changed there; or remove the file, and set its credentials again with \
         `pullpass credentials set`"
            .to_owned()
    },
    damaged: "remove the file, and set its credentials again with `pullpass credentials set`",
    replaced: "find out who, and renew what was set since; then remove the file, and set its credentials again",
};

/// Credentials in one file.
pub struct Credentials {
    path: PathBuf,
    unlock: Unlock,
    opened: Opened,
}

/// The whole file.
struct Document {
    key: Key,
    /// Sealed values by their names.
    sealed: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    schema: Spanned<String>,
    key: RawKey,
    #[serde(default)]
    credentials: BTreeMap<Spanned<String>, Spanned<String>>,
}

impl Document {
    fn parse(text: &str) -> Result<Self, Unreadable> {
        let reader = Reader::new(text)?;
        let raw: RawDocument = reader.raw()?;
        reader.schema(&raw.schema, SCHEMA)?;
        let mut sealed = BTreeMap::new();
        for (name, value) in &raw.credentials {
            let name = reader.value(name, |name| is_name(name).then(|| name.to_owned()))?;
            sealed.insert(name, reader.armour(value)?);
        }
        Ok(Self {
            key: reader.key(&raw.key)?,
            sealed,
        })
    }

    fn text(&self) -> String {
        let comment = "Written by pullpass: credentials of your own, each encrypted.";
        let mut text = text::head(comment, SCHEMA, &self.key);
        text.push_str("\n[credentials]\n");
        for (name, sealed) in &self.sealed {
            let _ = writeln!(text, "{name} = {}", block(sealed));
        }
        text
    }
}

/// Whether a name can be one of the environment, as this file writes them.
fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.chars().all(is_part)
}

/// Where a value belongs, as it is sealed with it.
fn place(name: &str) -> String {
    format!("credential\n{name}\n")
}

impl Credentials {
    /// Those in that file, which is not read yet, and need not be there.
    pub fn open(path: impl Into<PathBuf>, unlock: Unlock) -> Self {
        Self {
            path: path.into(),
            unlock,
            opened: Opened::default(),
        }
    }

    /// Makes a new file, which its owner alone may read, and the folders that it stands in.
    ///
    /// # Errors
    ///
    /// Of kind `Configuration` where there is one already, it cannot be written, or nobody could open
    /// it.
    pub fn create(path: &Path, protection: &Protection) -> Result<(), Failure> {
        let about = about(path);
        let document = Document {
            key: Key::new(protection, about)?,
            sealed: BTreeMap::new(),
        };
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.map_err(|error| about.io(WORDS.make, &error))?;
        replace::make(path, &[&document.text()]).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => about.unmade(&error),
            _ => about.io(WORDS.make, &error),
        })
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is there, whatever it holds.
    ///
    /// # Errors
    ///
    /// When that cannot be seen.
    pub fn is_there(&self) -> Result<bool, Failure> {
        match fs::metadata(&self.path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.about().io("read", &error)),
        }
    }

    /// Whether anybody but its owner may read or write the file. Where the system has no such rights,
    /// nobody is said to.
    pub fn is_open_to_others(&self) -> bool {
        #[cfg(unix)]
        let open = fs::metadata(&self.path).is_ok_and(|metadata| {
            std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
        });
        #[cfg(not(unix))]
        let open = false;
        open
    }

    /// The names of those that are kept; nobody is asked for what opens them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read. One that is not there keeps nothing.
    pub fn names(&self) -> Result<BTreeSet<String>, Failure> {
        let document = self.read()?;
        Ok(document.map_or_else(BTreeSet::new, |document| {
            document.sealed.into_keys().collect()
        }))
    }

    /// The one of that name, if it is kept.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or opened, or was changed by somebody else.
    pub fn secret(&self, name: &str) -> Result<Option<SecretString>, Failure> {
        let Some(document) = self.read()? else {
            return Ok(None);
        };
        let Some(sealed) = document.sealed.get(name) else {
            return Ok(None);
        };
        let about = self.about();
        let opened = self
            .opened
            .with(&document.key, &self.unlock, about, |key| {
                seal::open(key, &place(name), sealed)
            })?;
        opened.map(Some).map_err(|wrong| {
            let happened = match wrong {
                Unsealed::Elsewhere => {
                    format!("what stands at `{name}` was sealed under another name")
                }
                Unsealed::Broken => {
                    format!("what stands at `{name}` is damaged, or sealed for another key")
                }
            };
            let next = format!("set it again: `pullpass credentials set {name}`");
            about.refused("read a secret from", happened, next)
        })
    }

    /// Keeps one, in place of what was kept under that name. The file has to be there, and nobody is
    /// asked for what opens it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or replaced; it is as it was then.
    pub fn set(&self, name: &str, secret: &SecretString) -> Result<(), Failure> {
        let about = self.about();
        if !is_name(name) {
            let next = "a name is one of the environment, such as `CIRCLECI_TOKEN`";
            return Err(about.refused(WORDS.make, format!("`{name}` is no name"), next));
        }
        self.change(|document| {
            let recipient = &document.key.recipient;
            let sealed = seal::seal(recipient, &place(name), secret.expose_secret())
                .map_err(|error| about.refused("seal a secret for", error.to_string(), ""))?;
            document.sealed.insert(name.to_owned(), sealed);
            Ok(true)
        })
        .map(drop)
    }

    /// Forgets one; whether it was kept.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or replaced; it is as it was then.
    pub fn remove(&self, name: &str) -> Result<bool, Failure> {
        match self.is_there()? {
            true => self.change(|document| Ok(document.sealed.remove(name).is_some())),
            false => Ok(false),
        }
    }

    fn about(&self) -> About<'_> {
        about(&self.path)
    }

    fn read(&self) -> Result<Option<Document>, Failure> {
        match self.is_there()? {
            true => self.read_at(&self.path).map(Some),
            false => Ok(None),
        }
    }

    fn read_at(&self, path: &Path) -> Result<Document, Failure> {
        let about = self.about();
        let (_, text) = replace::read(path).map_err(|error| about.io("read", &error))?;
        Document::parse(&text).map_err(|wrong| about.unreadable(&wrong))
    }

    /// Changes what is kept, if `change` says that it did.
    fn change(
        &self,
        change: impl FnOnce(&mut Document) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let about = self.about();
        // Through a symbolic link, for the link is to stay one.
        let path = fs::canonicalize(&self.path).map_err(|error| about.io("write", &error))?;
        // What cannot be read is said before anything is made beside it.
        self.read_at(&path)?;
        let _lock = Lock::of(&path).map_err(|error| about.io("write", &error))?;
        replace::sweep(&path);
        let mut document = self.read_at(&path)?;
        let changes = change(&mut document)?;
        if changes {
            replace::replace(&path, &[&document.text()]).map_err(|broken| match broken {
                Broken::Before(error) => about.io("write", &error),
                Broken::After(error) => about.failure(
                    FailureKind::Unknown,
                    "write",
                    format!("it may be written, or not for good: {error}"),
                    "`pullpass credentials list` shows what is kept",
                ),
            })?;
        }
        Ok(changes)
    }
}

fn about(path: &Path) -> About<'_> {
    About {
        words: &WORDS,
        path,
    }
}
