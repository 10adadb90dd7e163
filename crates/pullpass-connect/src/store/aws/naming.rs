//! Ids of versions whose value is a name that is no secret.

use pullpass_fleet::failure::Failure;

use super::IdSecret;
use super::labels::{CURRENT, Labels};
use crate::store::random;

/// The id of a version whose value is a name that is no secret: `id.acmedigideps.` and random
/// digits. A name that is longer than an id has room for is cut.
pub(super) fn naming(name: &str) -> Result<String, Failure> {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let random = u128::from_be_bytes(random::bytes()?);
    Ok(format!("id.{name}.{:028x}", random >> 16))
}

const LONGEST_NAME: usize = 32;

/// The name in such an id, if it is whole.
pub(super) fn named_in(id: &str) -> Option<&str> {
    let (name, digits) = id.strip_prefix("id.")?.rsplit_once('.')?;
    (digits.len() == 28 && name.len() < LONGEST_NAME).then_some(name)
}

/// What consumers read in the secret with the Docker ID.
pub(super) fn id_secret(labels: &Labels) -> IdSecret {
    let name = labels.holder(CURRENT).and_then(named_in);
    IdSecret::Holds(name.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_whole_is_read_in_an_id() {
        for name in ["acme", "acmedigideps", &"a".repeat(30)] {
            let id = naming(name).unwrap();
            assert!((32..=64).contains(&id.len()), "{id}");
            assert_eq!(named_in(&id), Some(name));
        }
        let long = naming(&"a".repeat(200)).unwrap();
        assert!(long.len() <= 64);
        assert_eq!(named_in(&long), None);
        assert_eq!(named_in("4f1c0a52-7f0c-4a57-8f0f-6a2f5b0d9c11"), None);
    }
}
