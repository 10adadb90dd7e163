//! What happened, for whoever watches: a person, a monitor, a test.

use pullpass_fleet::failure::FailureKind;
use pullpass_fleet::name::ProjectName;

use crate::estimate::Estimate;

/// How a step stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It would be done.
    Planned,
    /// It was done, or found to be so.
    Done,
    /// It was left: there is something to wait for.
    Skipped,
    /// It could not be done.
    Failed,
}

impl Status {
    /// Its word in `pullpass.event/1`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Whose; `None` for what concerns the whole fleet.
    pub project: Option<ProjectName>,
    /// The step: [`pullpass_fleet::step::Step::name`], or a check's name.
    pub step: &'static str,
    /// How it stands.
    pub status: Status,
    /// In words. Never a secret.
    pub detail: String,
}

/// Requests that were made of each system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Calls {
    /// Docker Hub and its registry.
    pub hub: u64,
    /// CircleCI.
    pub circleci: u64,
    /// GitHub.
    pub github: u64,
    /// The stores.
    pub store: u64,
}

impl Summary {
    /// Counts a project that failed in this way.
    pub(crate) fn failed_with(&mut self, kind: FailureKind) {
        self.failed += 1;
        match kind {
            FailureKind::Configuration => self.misconfigured += 1,
            FailureKind::ForAPerson => self.blocked += 1,
            _ => {}
        }
    }

    /// Of the failed, those for which something outside has failed: a later run can work.
    pub fn failed_outside(&self) -> usize {
        self.failed
            .saturating_sub(self.blocked)
            .saturating_sub(self.misconfigured)
    }
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Projects that were looked at.
    pub projects: usize,
    /// As they should be.
    pub converged: usize,
    /// There is more to do: planned, waited for, or up to a person.
    pub pending: usize,
    /// Of those, the ones that wait for a person.
    pub for_a_person: usize,
    /// Something went wrong.
    pub failed: usize,
    /// Of those, the ones that only a person can put right: nothing outside has failed, and to run again
    /// will not help.
    pub blocked: usize,
    /// Of the failed, the ones for which the person's own files or credentials are wrong.
    pub misconfigured: usize,
    /// Of the converged, the ones for which time has to pass before something is to do.
    pub waiting: usize,
    /// Of the pending, the ones that an interrupted run has not begun.
    pub not_begun: usize,
    /// Requests made.
    pub calls: Calls,
    /// What a plan would take to do.
    pub ahead: Option<Estimate>,
}
