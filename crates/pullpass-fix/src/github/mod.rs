//! GitHub Actions: a login before the first step that pulls, `credentials` on what the runner pulls.
//!
//! ```text
//! Repo ─► files   every workflow and action, who calls whom, which step list is whose
//!         names   the repository's own two secrets, and its own form of the login step
//!           ├─► images   `credentials` of `container` and `services`
//!           └─► logins   where a login goes ─► mend    one that is there is moved or freed
//!                                            ├ guard   what a run without secrets does
//!                                            ├ pass    secrets to called workflows, inputs to actions
//!                                            └ oidc    `id-token: write` beside what was granted
//! ```

mod files;
mod guard;
mod images;
mod logins;
mod mend;
mod names;
mod oidc;
mod pass;
mod pin;
#[cfg(test)]
mod tests;

pub(crate) use files::named;

use crate::repo::Repo;
use crate::{FixOptions, Proposal};

/// What would mend the GitHub pulls of a repository.
#[must_use]
pub fn propose(repo: &Repo<'_, '_>, wishes: &FixOptions) -> Proposal {
    let mut proposal = Proposal::default();
    let texts = files::Texts::of(repo);
    if texts.is_empty() {
        return proposal;
    }
    let files = files::Files::of(&texts);
    let names = names::Names::find(repo, &files, wishes);
    let desk = logins::Desk {
        repo,
        wishes,
        files: &files,
        names: &names,
    };
    images::propose(&desk, &mut proposal);
    logins::propose(&desk, &mut proposal);
    proposal
}
