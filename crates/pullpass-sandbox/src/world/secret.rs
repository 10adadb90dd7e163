//! What must be kept to be checked, and must never be shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A password, a token, the value of a variable. It has no `Display`, its `Debug` says nothing, and
/// its memory is wiped when it goes.
#[derive(Clone)]
pub(crate) struct Secret(SecretString);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Whether `given` is it.
    pub(crate) fn matches(&self, given: &Self) -> bool {
        self.expose() == given.expose()
    }

    /// The text itself, for the two places that must have it: the answer that shows a new token
    /// once, and the runner that signs in with it.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("not-a-real-one")), "[secret]");
    }
}
