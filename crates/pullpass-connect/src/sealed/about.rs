//! What went wrong with a file, in words that name it and its cure.

use std::io;
use std::path::Path;

use pullpass_fleet::failure::{Failure, FailureKind};

use super::text::{Unreadable, What};

/// What is said of one kind of file.
pub(crate) struct Words {
    /// What it is; completes "read …", and the path follows.
    pub(crate) what: &'static str,
    /// What is done to it at first; completes "cannot …".
    pub(crate) make: &'static str,
    /// What to do where it is not there.
    pub(crate) absent: &'static str,
    /// What to do about a merge that has a conflict.
    pub(crate) conflict: &'static str,
    /// What to do about a line that is not as it was written.
    pub(crate) malformed: fn(&Path) -> String,
    /// What to do about a key that is damaged.
    pub(crate) damaged: &'static str,
    /// What to do about a key that is another than the one secrets are sealed for.
    pub(crate) replaced: &'static str,
}

/// What the system says, without its number, and without the name of a temporary file that is gone.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").or_else(|| text.find(" at path"));
    end.and_then(|end| text.get(..end))
        .unwrap_or(&text)
        .to_owned()
}

/// One file.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) words: &'static Words,
    pub(crate) path: &'a Path,
}

impl About<'_> {
    pub(crate) fn failure(
        self,
        kind: FailureKind,
        doing: &str,
        happened: impl Into<String>,
        next: impl Into<String>,
    ) -> Failure {
        let doing = format!("{doing} {} {}", self.words.what, self.path.display());
        Failure::new(kind, doing, happened, next)
    }

    /// What only its person can mend.
    pub(crate) fn refused(
        self,
        doing: &str,
        happened: impl Into<String>,
        next: impl Into<String>,
    ) -> Failure {
        self.failure(FailureKind::Configuration, doing, happened, next)
    }

    /// What the operating system says.
    pub(crate) fn io(self, doing: &str, error: &io::Error) -> Failure {
        let (happened, next) = match error.kind() {
            io::ErrorKind::NotFound => ("there is no such file", self.words.absent),
            io::ErrorKind::PermissionDenied => (
                "permission denied",
                "give yourself the right to write the file and its folder",
            ),
            io::ErrorKind::ReadOnlyFilesystem => (
                "its file system can only be read",
                "make it writable, or name another place",
            ),
            io::ErrorKind::IsADirectory => (
                "it is a folder, not a file",
                "move the folder away, or name another file",
            ),
            io::ErrorKind::NotADirectory => (
                "a part of its path is a file, not a folder",
                "move that file away, or name another place",
            ),
            io::ErrorKind::InvalidData => {
                let next = (self.words.malformed)(self.path);
                return self.refused(doing, "it is not UTF-8 text", next);
            }
            io::ErrorKind::InvalidInput => {
                return self.refused(doing, error.to_string(), "name a file");
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let happened = "no space is left on its disk";
                let next = "free some, then run the command again: it goes on";
                return self.failure(FailureKind::Unavailable, doing, happened, next);
            }
            _ => {
                let next = "run the command again when that is mended";
                return self.failure(FailureKind::Unavailable, doing, said(error), next);
            }
        };
        self.refused(doing, happened, next)
    }

    /// Why it cannot be made.
    pub(crate) fn unmade(self, error: &io::Error) -> Failure {
        let (happened, next) = match error.kind() {
            io::ErrorKind::AlreadyExists => (
                "there is a file of that name".to_owned(),
                "use it, or name another",
            ),
            io::ErrorKind::NotFound => (
                "its folder is not there".to_owned(),
                "make the folder, or name another place with `[store] file`",
            ),
            _ => (
                said(error),
                "see that its folder is there and yours to write",
            ),
        };
        self.refused(self.words.make, happened, next)
    }

    /// Why its text cannot be read.
    pub(crate) fn unreadable(self, wrong: &Unreadable) -> Failure {
        let line = wrong.line;
        let (happened, next) = match wrong.what {
            What::Conflict => (
                format!("line {line} is a mark of a merge that has a conflict"),
                self.words.conflict.to_owned(),
            ),
            What::Schema => (
                format!("line {line} names a format that this version does not know"),
                "use the version of pullpass that wrote the file, or a newer one".to_owned(),
            ),
            What::Malformed => (
                format!("line {line} is not as pullpass writes it"),
                (self.words.malformed)(self.path),
            ),
        };
        self.refused("read", happened, next)
    }
}
