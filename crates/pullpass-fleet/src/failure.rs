//! What went wrong outside, for the person who has to act on it and for the run that goes on.

use std::fmt;

/// What may be done about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureKind {
    /// The person's own files or credentials: nothing was sent, or nothing that could be right.
    Configuration,
    /// The other side says no (rights, a wrong credential, a rule): it would say so again.
    Refused,
    /// The other side is as it is, and what then is to be done only a person can decide.
    ForAPerson,
    /// The other side does not know the thing that was asked for.
    NotFound,
    /// Nothing happened: unreachable, broken, or over its limits for longer than we wait.
    Unavailable,
    /// It may have happened: the answer was lost. Look before it is done again.
    Unknown,
}

/// A request to an outside system that did not succeed.
///
/// It reads "cannot {doing}: {happened}", and `next` says what to do. None of the three holds a
/// secret: they are made of names, paths, status codes and the words of the other side, which are
/// shortened and never those of a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Failure {
    /// What may be done about it.
    pub kind: FailureKind,
    /// What was being done; completes "cannot …".
    pub doing: String,
    /// What happened.
    pub happened: String,
    /// What to do next; may be empty.
    pub next: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(
        kind: FailureKind,
        doing: impl Into<String>,
        happened: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            doing: doing.into(),
            happened: happened.into(),
            next: next.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.happened)?;
        if !self.next.is_empty() {
            write!(f, "\n  help: {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_to_do() {
        let failure = Failure::new(
            FailureKind::Refused,
            "list the tokens of `acmeshop`",
            "Docker Hub answered 403: token issued from personal access token is not allowed",
            "sign in with the password",
        );
        assert_eq!(
            failure.to_string(),
            "cannot list the tokens of `acmeshop`: Docker Hub answered 403: token issued from personal \
             access token is not allowed\n  help: sign in with the password"
        );
        let bare = Failure {
            next: String::new(),
            ..failure
        };
        assert!(!bare.to_string().contains("help"));
    }
}
