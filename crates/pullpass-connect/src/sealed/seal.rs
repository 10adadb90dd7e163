//! Secrets of a file: sealed for whoever has the file's key, and bound to their place.
//!
//! A place is a few lines that say where in the file a secret belongs. It is sealed together with the
//! secret: a ciphertext that was moved elsewhere in the file is noticed.

use std::io::Read;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::x25519::{Identity, Recipient};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// The first line of every sealed text.
const FORM: &str = "pullpass.secret/1\n";

/// Why a ciphertext gives no secret.
pub(crate) enum Unsealed {
    /// It was sealed for another place: the text is that place's.
    Elsewhere,
    /// It cannot be opened, or holds something else.
    Broken,
}

/// Seals a secret. ASCII armour, line ends included.
pub(crate) fn seal(
    key: &Recipient,
    place: &str,
    secret: &str,
) -> Result<String, age::EncryptError> {
    let parts = [FORM, place, secret];
    let mut plain = Zeroizing::new(String::with_capacity(parts.iter().map(|p| p.len()).sum()));
    for part in parts {
        plain.push_str(part);
    }
    age::encrypt_and_armor(key, plain.as_bytes())
}

/// Opens a sealed secret.
pub(crate) fn open(key: &Identity, place: &str, sealed: &str) -> Result<SecretString, Unsealed> {
    let plain = age::decrypt(key, sealed.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| Unsealed::Broken)?;
    let plain = std::str::from_utf8(&plain).map_err(|_| Unsealed::Broken)?;
    let rest = plain.strip_prefix(FORM).ok_or(Unsealed::Broken)?;
    match rest.strip_prefix(place) {
        Some(secret) => Ok(SecretString::from(secret)),
        None => Err(Unsealed::Elsewhere),
    }
}

/// Seals the file's key for the people who may open it.
pub(crate) fn seal_key(
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
pub(crate) fn wants_passphrase(sealed: &str) -> Option<bool> {
    age::Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes()))
        .ok()
        .map(|decryptor| decryptor.is_scrypt())
}

/// Opens the file's key.
pub(crate) fn open_key<'a>(
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
        let sealed = seal(&key.to_public(), "one\n", "not-a-token").unwrap();
        let opened = open(&key, "one\n", &sealed);
        assert_eq!(opened.ok().unwrap().expose_secret(), "not-a-token");
        let opened = open(&key, "two\n", &sealed);
        assert!(matches!(opened, Err(Unsealed::Elsewhere)));
        let stranger = Identity::generate();
        let opened = open(&stranger, "one\n", &sealed);
        assert!(matches!(opened, Err(Unsealed::Broken)));
    }
}
