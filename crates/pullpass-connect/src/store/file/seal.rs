//! Secrets of the file: sealed for whoever has the file's key, and bound to their place.

use std::io::Read;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::x25519::{Identity, Recipient};
use pullpass_fleet::label::Attempt;
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::store::Account;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// The first line of every sealed text.
const FORM: &str = "pullpass.secret/1";

/// Where a secret belongs. It is sealed together with the secret: a ciphertext that was moved
/// elsewhere in the file is noticed.
pub(super) enum Place<'a> {
    Token(&'a ProjectName, Attempt),
    Account(&'a ProjectName),
}

impl Place<'_> {
    /// Lines before the secret. A project's name holds no line end.
    fn head(&self) -> String {
        match self {
            Self::Token(project, attempt) => format!("{FORM}\n{project}\ntoken {attempt}\n"),
            Self::Account(project) => format!("{FORM}\n{project}\naccount\n"),
        }
    }
}

/// Why a ciphertext gives no secret.
pub(super) enum Unsealed {
    /// It was sealed for another place: the text is that place's.
    Elsewhere,
    /// It cannot be opened, or holds something else.
    Broken,
}

/// Seals a secret. ASCII armour, line ends included.
pub(super) fn seal(
    key: &Recipient,
    place: &Place<'_>,
    secret: &str,
) -> Result<String, age::EncryptError> {
    let head = place.head();
    let mut plain = Zeroizing::new(String::with_capacity(head.len() + secret.len()));
    plain.push_str(&head);
    plain.push_str(secret);
    age::encrypt_and_armor(key, plain.as_bytes())
}

/// Opens a sealed secret.
pub(super) fn open(
    key: &Identity,
    place: &Place<'_>,
    sealed: &str,
) -> Result<SecretString, Unsealed> {
    let plain = age::decrypt(key, sealed.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| Unsealed::Broken)?;
    let plain = std::str::from_utf8(&plain).map_err(|_| Unsealed::Broken)?;
    match plain.strip_prefix(&place.head()) {
        Some(secret) => Ok(SecretString::from(secret)),
        None if plain.starts_with(FORM) => Err(Unsealed::Elsewhere),
        None => Err(Unsealed::Broken),
    }
}

/// An account in one text: its parts hold no line ends but for the password, which is last.
pub(super) fn account_text(account: &Account) -> Zeroizing<String> {
    let password = account.password.expose_secret();
    let mut text = Zeroizing::new(String::with_capacity(
        account.id.as_str().len() + account.email.len() + password.len() + 2,
    ));
    for part in [account.id.as_str(), "\n", &account.email, "\n", password] {
        text.push_str(part);
    }
    text
}

/// Reads [`account_text`].
pub(super) fn account_of(text: &SecretString) -> Option<Account> {
    let mut parts = text.expose_secret().splitn(3, '\n');
    Some(Account {
        id: DockerId::new(parts.next()?).ok()?,
        email: parts.next()?.to_owned(),
        password: SecretString::from(parts.next()?),
    })
}

/// Seals the file's key for the people who may open it.
pub(super) fn seal_key(
    key: &Identity,
    people: &[&dyn age::Recipient],
) -> Result<String, age::EncryptError> {
    let mut sealed = Vec::new();
    let armour = ArmoredWriter::wrap_output(&mut sealed, Format::AsciiArmor)?;
    let mut writer =
        age::Encryptor::with_recipients(people.iter().copied())?.wrap_output(armour)?;
    std::io::Write::write_all(&mut writer, key.to_string().expose_secret().as_bytes())?;
    writer.finish()?.finish()?;
    // Armour is ASCII.
    Ok(String::from_utf8_lossy(&sealed).into_owned())
}

/// Whether a passphrase opens the file's key. `None` where it is no such thing at all.
pub(super) fn wants_passphrase(sealed: &str) -> Option<bool> {
    age::Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes()))
        .ok()
        .map(|decryptor| decryptor.is_scrypt())
}

/// Opens the file's key.
pub(super) fn open_key<'a>(
    sealed: &str,
    people: impl Iterator<Item = &'a dyn age::Identity>,
) -> Result<Identity, age::DecryptError> {
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes()))?;
    let mut plain = Zeroizing::new(String::new());
    decryptor.decrypt(people)?.read_to_string(&mut plain)?;
    plain.parse().map_err(|_| age::DecryptError::InvalidHeader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_where_it_was_put() {
        let key = Identity::generate();
        let [one, two] = ["digideps", "use-an-lpa"].map(|name| ProjectName::new(name).unwrap());
        let sealed = seal(
            &key.to_public(),
            &Place::Token(&one, Attempt(1)),
            "not-a-token",
        )
        .unwrap();
        let opened = open(&key, &Place::Token(&one, Attempt(1)), &sealed);
        assert_eq!(opened.ok().unwrap().expose_secret(), "not-a-token");
        for other in [
            Place::Token(&two, Attempt(1)),
            Place::Token(&one, Attempt(2)),
            Place::Account(&one),
        ] {
            assert!(matches!(
                open(&key, &other, &sealed),
                Err(Unsealed::Elsewhere)
            ));
        }
        let stranger = Identity::generate();
        let opened = open(&stranger, &Place::Token(&one, Attempt(1)), &sealed);
        assert!(matches!(opened, Err(Unsealed::Broken)));
    }

    #[test]
    fn an_account_is_read_back() {
        let account = Account {
            id: DockerId::new("acmedigideps").unwrap(),
            email: "ci@acme.example".into(),
            password: SecretString::from("two\nlines"),
        };
        let text = SecretString::from(account_text(&account).as_str());
        let read = account_of(&text).unwrap();
        assert_eq!((&read.id, &read.email), (&account.id, &account.email));
        assert_eq!(read.password.expose_secret(), "two\nlines");
    }
}
