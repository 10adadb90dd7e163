//! CircleCI: `auth` beside images, a login before what a job pulls itself.

mod file;
mod images;
mod logins;
mod mend;
mod outline;
#[cfg(test)]
mod tests;

use pullpass_audit::effect::Provider;

pub(crate) use file::variable;

use crate::names::Names;
use crate::repo::Repo;
use crate::{FixOptions, Proposal};

/// What would mend the CircleCI pulls of a repository.
#[must_use]
pub fn propose(repo: &Repo<'_, '_>, wishes: &FixOptions) -> Proposal {
    let mut proposal = Proposal::default();
    let mut names = Names::find(repo.audit, Provider::CircleCi, wishes, variable);
    let mut files = file::Files::of(repo, &names);
    // What a command signs in with that no job calls says which variables there are.
    let is_said = wishes.user_var.is_some() || wishes.token_var.is_some();
    if !names.known
        && !is_said
        && let Some((user, token)) = files.declared_pair(repo)
    {
        names = Names {
            user,
            token,
            known: true,
            ..names
        };
        files = file::Files::of(repo, &names);
    }
    images::propose(repo, wishes, &names, &files, &mut proposal);
    logins::propose(repo, wishes, &names, &files, &mut proposal);
    proposal
}
