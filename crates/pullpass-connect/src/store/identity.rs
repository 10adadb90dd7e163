//! A person's own age key, for stores that no passphrase opens.

use age::x25519::Identity;
use pullpass_fleet::failure::{Failure, FailureKind};
use secrecy::{ExposeSecret, SecretString};

/// A new key: its recipient (`age1…`), and the text of its identity file.
pub fn new_identity() -> (String, SecretString) {
    let identity = Identity::generate();
    let recipient = identity.to_public().to_string();
    let text = format!(
        "# public key: {recipient}\n{}\n",
        identity.to_string().expose_secret()
    );
    (recipient, SecretString::from(text))
}

/// The recipient of the first key of an identity file's text.
///
/// # Errors
///
/// Of kind `Configuration` where there is no X25519 key in it.
pub fn recipient_of(text: &SecretString) -> Result<String, Failure> {
    text.expose_secret()
        .lines()
        .find_map(|line| line.trim().parse::<Identity>().ok())
        .map(|identity| identity.to_public().to_string())
        .ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                "read the key for the store",
                "there is no age key in the file",
                "a line `AGE-SECRET-KEY-1…` is needed, as `age-keygen` writes it",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back() {
        let (recipient, text) = new_identity();
        assert!(recipient.starts_with("age1"));
        assert_eq!(recipient_of(&text).unwrap(), recipient);
        let empty = SecretString::from("# nothing\n".to_owned());
        assert!(recipient_of(&empty).is_err());
    }
}
