//! Findings: what a person should act on, and how policy and silencing change them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::context::{Unlisted, Unread};
use crate::masked;
use crate::source::RepoPath;
use crate::verdict::{Login, Place, Pull};

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be mended.
    Warning,
    /// Builds fail because of it, or a secret is out.
    Error,
}

impl Severity {
    /// Its name in reports and in `pullpass.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Whether `pullpass fix` can mend it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fixable {
    /// No build that passed before can fail because of the edit.
    Safe,
    /// It can be mended by an edit that a person should look at.
    Review,
    /// It cannot be mended by an edit.
    None,
}

impl Fixable {
    /// What is true of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Review, _) | (_, Self::Review) => Self::Review,
            (Self::Safe, Self::Safe) => Self::Safe,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Review => "review",
            Self::None => "none",
        }
    }
}

/// Something to act on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Id of the rule.
    pub rule: &'static str,
    /// How much it matters, after policy.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The jobs it is about, each once, in the order of the file.
    pub jobs: Vec<String>,
    /// The image it is about, canonical where it can be known.
    pub image: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do.
    pub help: Cow<'static, str>,
    /// Whether `fix` can mend it.
    pub fix: Fixable,
    /// Whether CI runs what it is about.
    pub reached: bool,
    /// Other places that belong to the story, oldest first.
    pub related: Vec<(Place, Arc<str>)>,
    /// Stable across edits elsewhere in the file: 16 hexadecimal digits.
    pub fingerprint: String,
}

impl Finding {
    /// The place to show it at for a service that has this repository's files and no others: where it
    /// is, or, when that is in a file of another repository, where this one leads there.
    #[must_use]
    pub fn place_here(&self) -> &Place {
        let is_here = |place: &Place| {
            RepoPath::new(&place.file).is_none_or(|path| path.elsewhere().is_none())
        };
        if is_here(&self.place) {
            return &self.place;
        }
        let related = self.related.iter().map(|(place, _)| place);
        related
            .rev()
            .find(|place| is_here(place))
            .unwrap_or(&self.place)
    }
}

/// A password that stands in the files, kept so that it can be left out of what is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Literal(String);

impl Literal {
    /// What was written.
    #[must_use]
    pub fn new(written: &str) -> Self {
        Self(written.to_owned())
    }

    /// A text without any of these; `None` when there is none in it.
    #[must_use]
    pub fn hidden(literals: &[Self], text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        for Self(literal) in literals {
            let at = out.as_deref().unwrap_or(text);
            if let Cow::Owned(hidden) = masked::without(at, literal) {
                out = Some(hidden);
            }
        }
        out
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Everything that is said of one repository.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// CI files that were read.
    pub files: usize,
    /// The pulls, in the order of the files.
    pub pulls: Vec<Pull>,
    /// The logins, in the order of the files.
    pub logins: Vec<Login>,
    /// What to act on.
    pub findings: Vec<Finding>,
    /// The same of what CI never runs: nothing fails because of it, and `fix` mends it with the rest.
    pub latent: Vec<Finding>,
    /// Findings that an ignore comment or `pullpass.toml` silenced.
    pub silenced: usize,
    /// What could not be understood.
    pub unread: Vec<Unread>,
    /// Actions that no table knows.
    pub unlisted: Vec<Unlisted>,
    /// Passwords that stand in the files; none of the texts above has one.
    pub literals: Vec<Literal>,
}

/// Which credential satisfies the policy for images that the CI vendor pulls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Accept {
    /// Only the project's own: the vendor's credential is a warning.
    #[default]
    OwnCredential,
    /// Any, the vendor's included.
    AnyCredential,
}

/// One `[[audit.ignore]]` of `pullpass.toml`. Every condition that is given must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ignore {
    /// Rule id.
    pub rule: Option<String>,
    /// Glob (`*`, `**`, `?`) over the file's path in the repository.
    pub file: Option<String>,
    /// The job's name.
    pub job: Option<String>,
    /// Glob over the image as written or canonical.
    pub image: Option<String>,
}

/// The `[audit]` table of `pullpass.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// `policy = "own-credential" | "any-credential"`.
    pub accept: Accept,
    /// `[audit.rules]`: rule id to severity; `None` is `off`.
    pub severities: Vec<(String, Option<Severity>)>,
    /// `[[audit.ignore]]`.
    pub ignores: Vec<Ignore>,
}
