//! A leak of something that the store has never heard of: what is there all the same.

use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::failure::Failure;
use pullpass_fleet::file::{HubSettings, Project};
use pullpass_fleet::observed::Holding;

use crate::outside::Outside;
use crate::run::Ahead;

/// What was found of a project of which no credential is kept, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unkept {
    /// Nothing that could leak.
    Nothing(String),
    /// Something that only a person can end.
    ForAPerson(String),
}

/// Looks for what bears the project's name; `None` where there is something to revoke as usual.
pub(crate) async fn look(
    outside: &Outside,
    hub: &HubSettings,
    ahead: &Ahead<'_>,
) -> Result<Option<Unkept>, Failure> {
    let Some(picture) = ahead.picture().filter(|_| !ahead.has_credential()) else {
        return Ok(None);
    };
    let project = ahead.project;
    let held: Vec<&Target> = picture
        .observed
        .targets
        .iter()
        .filter(|(_, holding)| !matches!(holding, Holding::Missing | Holding::Placeholder))
        .map(|(target, _)| target)
        .collect();
    let stored = &picture.observed.stored;
    let what = match &project.identity {
        Identity::Oidc { .. } => {
            return Ok(Some(Unkept::Nothing(format!(
                "there is no token to revoke: `{}` pulls with GitHub's own identity, and the id of its connection is no secret. To keep it out, take its repository out of the connection's rulesets in Docker Hub's console, or deactivate the connection there",
                project.name
            ))));
        }
        Identity::OrganizationToken => {
            let tokens = outside.organization_tokens().await?;
            let is_its = |label: &pullpass_fleet::label::Label| label.project == project.name;
            if tokens.iter().any(|t| t.label.as_ref().is_some_and(is_its)) {
                return Ok(None);
            }
            format!("`{}` has no token of its name", hub.organization)
        }
        Identity::ServiceId { id, .. } => match (outside.hub.exists(id).await?, &stored.account) {
            (true, Some(_)) if !stored.untouched => return Ok(None),
            (true, Some(_)) => format!("no token of the Docker ID `{id}` was minted"),
            (true, None) => {
                return Ok(Some(Unkept::ForAPerson(format!(
                    "the Docker ID `{id}` exists, and the {store} store does not keep its password: deactivate its tokens in Docker's console now; to have pullpass do it from here on, keep the password with `pullpass onboard {name} --password`",
                    store = project.store,
                    name = project.name
                ))));
            }
            (false, _) => format!("Docker Hub knows no Docker ID `{id}`"),
        },
    };
    Ok(Some(nothing(project, &what, &held)))
}

fn nothing(project: &Project, what: &str, held: &[&Target]) -> Unkept {
    let looked = format!(
        "no credential of it is kept in the {} store, and {what}",
        project.store
    );
    if held.is_empty() {
        return Unkept::Nothing(format!(
            "there is nothing to revoke: {looked}, and its targets hold nothing of it"
        ));
    }
    let held: Vec<String> = held.iter().map(ToString::to_string).collect();
    Unkept::ForAPerson(format!(
        "pullpass has nothing to revoke: {looked}. What stands at {} was written by somebody else: end it where it was made",
        held.join(", ")
    ))
}
