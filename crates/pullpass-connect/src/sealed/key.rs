//! A file's own key: what its secrets are sealed for, and itself sealed for the people who may open it.

use std::cell::RefCell;

use age::x25519::{Identity, Recipient};
use pullpass_fleet::failure::Failure;
use secrecy::ExposeSecret;

use super::about::About;
use super::{Protection, Unlock, Wanted, seal};

/// How often a passphrase is asked for.
const TRIES: u32 = 3;

/// The file's own key.
#[derive(Clone)]
pub(crate) struct Key {
    /// What secrets are sealed for.
    pub(crate) recipient: Recipient,
    /// What opens them, itself sealed.
    pub(crate) identity: String,
}

impl Key {
    /// A new one.
    ///
    /// Errors: of kind `Configuration` where nobody could open it.
    pub(crate) fn new(protection: &Protection, about: About<'_>) -> Result<Self, Failure> {
        let refused =
            |happened: String, next: &str| about.refused(about.words.make, happened, next);
        let key = Identity::generate();
        let sealed = match protection {
            Protection::Passphrase {
                passphrase,
                work_factor,
            } => {
                if passphrase.expose_secret().is_empty() {
                    return Err(refused("the passphrase is empty".into(), "give one"));
                }
                let mut person = age::scrypt::Recipient::new(passphrase.clone());
                if let Some(work) = work_factor {
                    if !(1..64).contains(work) {
                        return Err(refused(
                            format!("a work factor of {work} cannot be"),
                            "leave it to the default",
                        ));
                    }
                    person.set_work_factor(*work);
                }
                seal::seal_key(&key, &[&person])
            }
            Protection::Recipients(people) => {
                let people = people
                    .iter()
                    .map(|person| {
                        person.parse::<Recipient>().map_err(|_| {
                            refused(
                                format!("`{person}` is no recipient"),
                                "a recipient begins with `age1`; `age-keygen -y` shows that of an identity",
                            )
                        })
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let people: Vec<&dyn age::Recipient> = people.iter().map(|p| p as _).collect();
                seal::seal_key(&key, &people)
            }
        };
        let identity = sealed.map_err(|error| refused(error.to_string(), "name a recipient"))?;
        Ok(Self {
            recipient: key.to_public(),
            identity,
        })
    }

    /// Asks for the passphrase, and for another where it is not the right one, as often as a person mistypes.
    fn open_with_passphrase(
        &self,
        unlock: &Unlock,
    ) -> Result<Result<Identity, age::DecryptError>, Failure> {
        let mut given = unlock(Wanted::Passphrase)?;
        for attempt in 1.. {
            let person = age::scrypt::Identity::new(given);
            let opened = seal::open_key(&self.identity, std::iter::once(&person as _));
            let is_wrong = matches!(
                opened,
                Err(age::DecryptError::KeyDecryptionFailed | age::DecryptError::DecryptionFailed)
            );
            given = match is_wrong && attempt < TRIES {
                false => return Ok(opened),
                true => match unlock(Wanted::Another) {
                    Ok(another) => another,
                    Err(_) => return Ok(opened),
                },
            };
        }
        Ok(Err(age::DecryptError::KeyDecryptionFailed))
    }

    fn open(&self, unlock: &Unlock, about: About<'_>) -> Result<Identity, Failure> {
        let refused = |happened: &str, next: &str| about.refused("open", happened, next);
        let key = match seal::wants_passphrase(&self.identity) {
            None => Err(age::DecryptError::InvalidHeader),
            Some(true) => self.open_with_passphrase(unlock)?,
            Some(false) => {
                let text = unlock(Wanted::Identities)?;
                let people = age::IdentityFile::from_buffer(text.expose_secret().as_bytes())
                    .ok()
                    .and_then(|file| file.into_identities().ok())
                    .ok_or_else(|| {
                        refused(
                            "what was given is no age identity",
                            "give an identity file as `age-keygen` makes it: `AGE-SECRET-KEY-1…`",
                        )
                    })?;
                seal::open_key(
                    &self.identity,
                    people.iter().map(|person| person.as_ref() as _),
                )
            }
        };
        let key = key.map_err(|error| match error {
            age::DecryptError::KeyDecryptionFailed | age::DecryptError::DecryptionFailed => {
                refused(
                    "the passphrase is not the one it was made with",
                    "try again; where `PULLPASS_STORE_PASSPHRASE` is set, that is what was tried",
                )
            }
            age::DecryptError::NoMatchingKeys => refused(
                "it was made for other people than the given identity",
                "give the identity of one of its recipients: `PULLPASS_STORE_IDENTITY` names the file",
            ),
            age::DecryptError::ExcessiveWork { required, target } => refused(
                &format!(
                    "its passphrase costs 2^{required} steps, and 2^{target} take a second here"
                ),
                "open it on a faster machine, or make it anew",
            ),
            _ => refused("its key is damaged", about.words.damaged),
        })?;
        match key.to_public().to_string() == self.recipient.to_string() {
            true => Ok(key),
            false => Err(refused(
                "the recipient under `[key]` is not that of the key: somebody has put another there",
                about.words.replaced,
            )),
        }
    }
}

/// The opened key of a file: whoever opens it is asked once, also where what they give does not open it. Each
/// project of a fleet would ask again.
#[derive(Default)]
pub(crate) struct Opened {
    /// With what it is the key of.
    known: RefCell<Option<(String, Result<Identity, Failure>)>>,
}

impl Opened {
    /// Works with the opened key.
    pub(crate) fn with<T>(
        &self,
        key: &Key,
        unlock: &Unlock,
        about: About<'_>,
        f: impl FnOnce(&Identity) -> T,
    ) -> Result<T, Failure> {
        let recipient = key.recipient.to_string();
        let mut known = self.known.borrow_mut();
        let (_, opened) = match known.take() {
            Some((of, opened)) if of == recipient => known.insert((of, opened)),
            _ => known.insert((recipient, key.open(unlock, about))),
        };
        opened.as_ref().map(f).map_err(Failure::clone)
    }
}
