//! Exit codes are an interface: scripts branch on them, so they are a type and not numbers.

/// What the process says when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, and there is nothing to act on.
    Done = 0,
    /// Done, and there is something to act on: a finding at or above `--fail-on`.
    ToActOn = 1,
    /// Wrong usage or configuration: nothing was done, and the same call will never work.
    Usage = 2,
    /// A system outside of pullpass refused or failed (a full disk, an unreadable folder): a later
    /// call can work.
    Outside = 3,
    /// Interrupted by the person.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code.
    pub const ALL: [Self; 5] = [
        Self::Done,
        Self::ToActOn,
        Self::Usage,
        Self::Outside,
        Self::Interrupted,
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for `--help` and the manual.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, nothing to act on",
            Self::ToActOn => "done, and there is something to act on",
            Self::Usage => "wrong usage or configuration",
            Self::Outside => "something outside of pullpass failed; a later run can work",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}
