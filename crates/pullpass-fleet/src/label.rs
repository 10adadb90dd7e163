//! The label of a token on Docker Hub: it carries the project, the generation and the attempt, so
//! that a token says whose it is without a state file.

use std::fmt;

use crate::name::ProjectName;

/// How often a project's credential has been renewed; the first is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Generation(pub u32);

impl Generation {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// One attempt to mint a token. Two operators may each mint generation 7; the store says which of
/// the two attempts counts. Random, and never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Attempt(pub u64);

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the label of one of our tokens says. At most 100 characters fit (Docker Hub's API
/// description, `token_label`); a project's name is at most 60.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    /// Whose token it is.
    pub project: ProjectName,
    /// The generation it was minted for.
    pub generation: Generation,
    /// The attempt that minted it.
    pub attempt: Attempt,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pullpass {} {} {}",
            self.project, self.generation, self.attempt
        )
    }
}

impl Label {
    /// Reads a label; `None` where it is not one of ours, to the letter.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("pullpass ")?.split(' ');
        let project = ProjectName::new(words.next()?).ok()?;
        let generation = words.next()?.strip_prefix('g')?.parse().ok()?;
        let attempt = u64::from_str_radix(words.next()?, 16).ok()?;
        let label = Self {
            project,
            generation: Generation(generation),
            attempt: Attempt(attempt),
        };
        (words.next().is_none() && label.to_string() == text).then_some(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_back_and_fits() {
        let label = Label {
            project: ProjectName::new("p".repeat(60)).unwrap(),
            generation: Generation(u32::MAX),
            attempt: Attempt(u64::MAX),
        };
        assert!(label.to_string().len() <= 100, "{label}");
        assert_eq!(Label::parse(&label.to_string()), Some(label));
        assert_eq!(Generation(u32::MAX).next(), Generation(u32::MAX));
        assert_eq!(Generation(1).next(), Generation(2));
    }

    #[test]
    fn other_peoples_labels_are_not_ours() {
        for other in [
            "",
            "my laptop",
            "pullpass",
            "pullpass digideps",
            "pullpass digideps g1",
            "pullpass digideps g1 00000000000000ff x",
            "pullpass digideps g1 ff",
            "pullpass digideps g01 00000000000000ff",
            "pullpass digideps 1 00000000000000ff",
            "pullpass Digideps g1 00000000000000ff",
            "pullpass  digideps g1 00000000000000ff",
        ] {
            assert_eq!(Label::parse(other), None, "{other}");
        }
        assert!(Label::parse("pullpass digideps g1 00000000000000ff").is_some());
    }
}
