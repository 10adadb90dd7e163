//! Names with meaning: a Docker ID is not a project's name, and neither is any string.

use std::fmt;

/// Why a text is not a name of its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameError {
    /// What happened, for a person.
    pub message: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $valid:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $type(String);

        impl $type {
            /// Takes a text that is such a name; the error says what it must be.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                match valid(&text) {
                    true => Ok(Self(text)),
                    false => Err(NameError {
                        message: format!(concat!("`{}` is not ", $rule), text),
                    }),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a project, as the fleet file gives it. It becomes part of Docker IDs, of secret
    /// names and of token labels, so it has no spaces and none of their separators.
    ProjectName,
    |text| (1..=60).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_' || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_alphanumeric()),
    "a project's name: 1 to 60 lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
);

name!(
    /// A Docker ID: 4 to 30 lower-case letters and digits (docs.docker.com, "Create a Docker ID").
    DockerId,
    |text| (4..=30).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
    "a Docker ID: 4 to 30 lower-case letters and digits"
);

name!(
    /// An organisation of Docker Hub, which is its namespace too.
    Organization,
    |text| (2..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_' || b == b'.'),
    "an organisation of Docker Hub: 2 to 255 lower-case letters, digits, `-`, `_` and `.`"
);

name!(
    /// A team (the API says group) of an organisation.
    Team,
    |text| (2..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.'),
    "a team of Docker Hub: 2 to 255 letters, digits, `-`, `_` and `.`"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_must_be() {
        assert!(ProjectName::new("use-an-lpa").is_ok());
        assert!(ProjectName::new("a").is_ok() && ProjectName::new("a".repeat(60)).is_ok());
        for wrong in ["", "-a", "a b", "a/b", "A", &"a".repeat(61)] {
            assert!(ProjectName::new(wrong).is_err(), "{wrong}");
        }
        assert!(DockerId::new("acmedigideps").is_ok());
        for wrong in ["abc", "acme-digideps", "Acme1", &"a".repeat(31)] {
            assert!(DockerId::new(wrong).is_err(), "{wrong}");
        }
        assert!(Organization::new("my-org").is_ok() && Organization::new("x").is_err());
        assert!(Team::new("opgDockerHub").is_ok() && Team::new("a b").is_err());
        let too_short = [
            Team::new("t").unwrap_err().to_string(),
            Organization::new("o").unwrap_err().to_string(),
        ];
        for error in too_short {
            assert!(error.contains(": 2 to 255 "), "{error}");
        }
        let error = DockerId::new("x").unwrap_err().to_string();
        assert!(
            error.starts_with("`x` is not a Docker ID: 4 to 30"),
            "{error}"
        );
    }
}
