//! Secrets of our own making.

use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::label::Attempt;
use secrecy::SecretString;
use secrecy::zeroize::Zeroize;

/// What passwords are made of. Docker Hub takes any character; these survive every form, and the
/// ones that people confuse when they type are left out.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Characters of a password: over 180 bits.
const LENGTH: usize = 32;

fn fill(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        Failure::new(
            FailureKind::Unavailable,
            "draw a random number",
            format!("the operating system has none: {error}"),
            "",
        )
    })
}

/// A number that nobody else has drawn.
pub(crate) fn attempt() -> Result<Attempt, Failure> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(Attempt(u64::from_be_bytes(bytes)))
}

/// A strong password.
pub(crate) fn password() -> Result<SecretString, Failure> {
    let mut text = String::with_capacity(LENGTH);
    let mut byte = [0];
    while text.len() < LENGTH {
        fill(&mut byte)?;
        // Only whole runs of the alphabet, so that each letter is as likely as any other.
        let runs = 256 / LETTERS.len() * LETTERS.len();
        let drawn = usize::from(byte[0]);
        if drawn < runs
            && let Some(letter) = LETTERS.get(drawn % LETTERS.len())
        {
            text.push(char::from(*letter));
        }
    }
    byte.zeroize();
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn passwords_are_long_plain_and_never_the_same() {
        let drawn: BTreeSet<String> = (0..100)
            .map(|_| password().unwrap().expose_secret().to_owned())
            .collect();
        assert_eq!(drawn.len(), 100);
        let letters: BTreeSet<char> = drawn.iter().flat_map(|text| text.chars()).collect();
        assert!(drawn.iter().all(|text| text.len() == LENGTH));
        assert_eq!(letters.len(), LETTERS.len(), "every letter comes up");
    }

    #[test]
    fn attempts_differ() {
        assert_ne!(attempt().unwrap(), attempt().unwrap());
    }
}
