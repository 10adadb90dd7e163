//! Errors for the person who reads them: what was being done, what happened, what to do next.

use std::fmt;
use std::io;
use std::path::Path;

use pullpass_fleet::reader::FileError;

use crate::exit::ExitCode;

/// Whose turn it is to mend an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ErrorKind {
    /// The person's: an argument.
    Usage,
    /// The person's: a file that configures pullpass.
    Configuration,
    /// The machine's: reading or writing failed.
    Outside,
    /// Nobody's: the person ended it.
    Interrupted,
    /// Nobody's: whoever read our output has gone. Said to no one.
    ReaderGone,
}

/// Something that ended the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Error {
    pub(crate) kind: ErrorKind,
    doing: String,
    happened: String,
    next: String,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// `doing` completes "cannot …".
    pub(crate) fn new(
        kind: ErrorKind,
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

    /// A file that the person named could not be read.
    pub(crate) fn unreadable(what: &str, path: &Path, error: &io::Error) -> Self {
        let (kind, next) = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                (ErrorKind::Usage, "check the path")
            }
            io::ErrorKind::IsADirectory => (ErrorKind::Usage, "name the file in it"),
            io::ErrorKind::InvalidData => (ErrorKind::Usage, "save it as UTF-8"),
            _ => (
                ErrorKind::Outside,
                "check its permissions, then run the command again",
            ),
        };
        Self::new(
            kind,
            format!("read the {what} `{}`", path.display()),
            in_words(error),
            next,
        )
    }

    /// Writing to standard output failed.
    pub(crate) fn output(error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => ErrorKind::ReaderGone,
            _ => ErrorKind::Outside,
        };
        Self::new(
            kind,
            "write the output",
            in_words(error),
            "free some space, or write it somewhere else",
        )
    }

    /// How the process ends because of it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.kind {
            ErrorKind::Usage | ErrorKind::Configuration => ExitCode::Usage,
            ErrorKind::Outside => ExitCode::Outside,
            ErrorKind::Interrupted => ExitCode::Interrupted,
            ErrorKind::ReaderGone => ExitCode::Done,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names and paths are other people's: a terminal is not to obey them.
        let plain = pullpass_fleet::reader::without_controls;
        write!(
            f,
            "cannot {}: {}",
            plain(&self.doing),
            plain(&self.happened)
        )?;
        if !self.next.is_empty() {
            write!(f, "\n  help: {}", plain(&self.next))?;
        }
        Ok(())
    }
}

/// What the operating system says, without its number.
pub(crate) fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder, not a file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
                None => text,
            }
        }
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::new(
            ErrorKind::Configuration,
            "read the configuration",
            error.happened,
            error.next,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_being_done_what_happened_and_what_to_do() {
        let error = Error::unreadable(
            "baseline",
            Path::new("b.json"),
            &io::Error::from(io::ErrorKind::NotFound),
        );
        assert_eq!(
            error.to_string(),
            "cannot read the baseline `b.json`: there is no such file or folder\n  help: check the path"
        );
        assert_eq!(error.exit_code(), ExitCode::Usage);
    }
}
