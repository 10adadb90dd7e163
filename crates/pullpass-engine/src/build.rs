//! A build that is asked for, and whether it pulled with what the project was given.

use jiff::Timestamp;
use pullpass_connect::hub::{Owner, SignIn};
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::Project;
use pullpass_fleet::observed::Kept;
use pullpass_fleet::store::Store as _;

use crate::outside::Outside;

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The branch.
    pub branch: &'a str,
    /// The workflow's file, for GitHub: one that has `workflow_dispatch`.
    pub workflow: Option<&'a str>,
}

/// A build that ended well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
    /// The pipeline, as `delivery` names one.
    pub pipeline: String,
    /// Whether the project's current token was used meanwhile, by Docker Hub's own word. `None`
    /// where there is no token to ask about.
    pub used: Option<bool>,
}

/// Builds a project on each CI system that it is on, one after the other, and follows each build to
/// its end.
///
/// # Errors
///
/// When a build cannot be started or fails, or Docker Hub cannot be asked.
pub async fn build(
    outside: &Outside,
    project: &Project,
    wanted: Wanted<'_>,
) -> Result<Vec<Built>, Failure> {
    let mut built = Vec::new();
    for pipeline in pipelines(project, wanted)? {
        let before = last_used(outside, project).await?;
        let now = outside.now();
        outside.run_pipeline(&pipeline, wanted.branch, now).await?;
        let used = match before {
            Some(before) => last_used(outside, project)
                .await?
                .map(|after| after > before),
            None => None,
        };
        built.push(Built { pipeline, used });
    }
    Ok(built)
}

fn pipelines(project: &Project, wanted: Wanted<'_>) -> Result<Vec<String>, Failure> {
    let mut pipelines = Vec::new();
    if project.targets.contains(&Target::CircleCi) {
        pipelines.extend(project.circleci.clone());
    }
    let is_github = project.targets.iter().any(|t| *t != Target::CircleCi);
    match (&project.github, wanted.workflow) {
        (Some(repository), Some(workflow)) if is_github => {
            pipelines.push(format!("{repository}:{workflow}"));
        }
        _ => {}
    }
    match pipelines.is_empty() {
        false => Ok(pipelines),
        true => Err(Failure::new(
            FailureKind::Configuration,
            format!("build `{}`", project.name),
            "it is on GitHub alone, and no workflow is named",
            "name one that has `workflow_dispatch`: --workflow ci.yml",
        )),
    }
}

/// When the current token was last used; `Some(None)` where it never was.
#[allow(
    clippy::option_option,
    reason = "no token, and one that was never used, are two things"
)]
async fn last_used(
    outside: &Outside,
    project: &Project,
) -> Result<Option<Option<Timestamp>>, Failure> {
    let owner = match project.identity {
        Identity::Oidc { .. } => return Ok(None),
        Identity::OrganizationToken => Owner::Organization,
        Identity::ServiceId { .. } => {
            let account = outside.store(project)?.account(&project.name).await?;
            match outside.hub.sign_in(&account.id, &account.password).await? {
                SignIn::Ready => Owner::Account(account.id),
                _ => return Ok(None),
            }
        }
    };
    let record = outside.store(project)?.look(&project.name).await?;
    let Some(Kept { token, .. }) = record.stored.current else {
        return Ok(None);
    };
    let tokens = outside.hub.tokens(&owner).await?;
    Ok(tokens
        .iter()
        .find(|listed| listed.id == token)
        .map(|listed| listed.last_used))
}
