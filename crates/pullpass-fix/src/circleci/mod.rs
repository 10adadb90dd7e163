//! CircleCI: `auth` beside images, a login before what a job pulls itself.

mod file;
mod images;
mod logins;
mod mend;
mod outline;
#[cfg(test)]
mod tests;

use crate::repo::Repo;
use crate::{FixOptions, Proposal};

/// What would mend the CircleCI pulls of a repository.
#[must_use]
pub fn propose(repo: &Repo<'_, '_>, wishes: &FixOptions) -> Proposal {
    let mut proposal = Proposal::default();
    let files = file::Files::of(repo);
    images::propose(repo, wishes, &files, &mut proposal);
    logins::propose(repo, wishes, &files, &mut proposal);
    proposal
}
