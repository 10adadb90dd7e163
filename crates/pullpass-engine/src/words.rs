//! Steps in words, for people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pullpass_fleet::desired::Target;
use pullpass_fleet::file::{Delivery, Project, StoreKind};
use pullpass_fleet::label::Generation;
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::observed::{Holding, Observed, TokenId};
use pullpass_fleet::step::{Blocked, Step, Why};

/// A target that has the current token and that the file does not name.
pub(crate) fn unnamed_target(target: &Target, project: &Project) -> String {
    format!(
        "{target} has the current token, and the fleet file does not name it for this project: it is not renewed there. Delete the variables `{}` and `{}` there, or name it in `targets` again",
        project.user_var, project.token_var
    )
}

/// What there is to do about a target that the file does not name, and that still has the token before the
/// current one.
pub(crate) fn left_behind(target: &Target, project: &Project) -> String {
    format!(
        "{target} still has the token before this one, and the fleet file does not name it for this project: what pulls with it there fails when that token ends. Delete the variables `{}` and `{}` there, or name it in `targets` again",
        project.user_var, project.token_var
    )
}

/// What there is to do about a Docker ID that exists and that nothing is kept of.
pub(crate) fn taken(id: &str, project: &Project) -> String {
    format!(
        "the Docker ID `{id}` is taken: give the project another one with `docker_id = \"…\"`; if this one is yours, keep its password with `pullpass onboard {} --password`",
        project.name
    )
}

/// Which one, as Docker Hub's console labels it; a plan lists none, and does not know.
fn old_token(id: TokenId, observed: &Observed, user: &str) -> String {
    let listed = observed.tokens.iter().flatten();
    let mut labels = listed
        .filter(|token| token.id == id)
        .filter_map(|token| token.label.as_ref());
    match labels.next() {
        Some(label) => format!(
            "token {} of `{user}`, an old one (`{label}`)",
            label.generation
        ),
        None => format!("an old token of `{user}`"),
    }
}

/// What there is to do about slots that are full. Most often rotations have filled them, and the tokens from before
/// go by themselves: to delete by hand is to risk one that builds use.
fn no_slot(observed: &Observed) -> String {
    let tokens = observed.tokens.as_deref().unwrap_or_default();
    let labels = tokens.iter().filter_map(|token| token.label.as_ref());
    let mut newest: BTreeMap<&ProjectName, Generation> = BTreeMap::new();
    let mut ours = 0_usize;
    for label in labels {
        ours += 1;
        let known = newest.entry(&label.project).or_insert(label.generation);
        *known = label.generation.max(*known);
    }
    let raise = "raise `token_slots` in `[hub]` if the plan allows more";
    match ours.saturating_sub(newest.len()) {
        0 => format!(
            "the organisation has no room for another access token: delete one that nobody needs in Docker Hub's console, or {raise}"
        ),
        older => format!(
            "the organisation has no room for another access token: {older} of its {} are older ones of this fleet, which `pullpass apply` deletes when `grace` and `settle` are over. Run it again then, or {raise}",
            tokens.len()
        ),
    }
}

/// What there is to do where another copy of the store knows more.
pub(crate) fn overtaken(
    generation: Generation,
    used: Timestamp,
    project: &Project,
    observed: &Observed,
) -> String {
    let stored = &observed.stored;
    let known = [stored.current, stored.pending].into_iter().flatten();
    let known = known.map(|kept| kept.generation).max();
    let known = known.map_or_else(|| "none".to_owned(), |known| known.to_string());
    format!(
        "token {generation} of it works and was used at {used:.0}, and the {store} store, which knows {known}, has never heard of it: somebody has gone on with another copy of the store, and nothing is undone that was done there. Bring the newest copy here, then run again; if there is none any more, `pullpass revoke {name} --keep-builds-running` goes on from this one and ends that token",
        store = project.store,
        name = project.name
    )
}

/// What a step does to a project; it completes "would …" as well as "did: …". A version that the
/// store names is called by its generation.
pub fn describe(step: &Step, project: &Project, observed: &Observed, user: &str) -> String {
    let stored = &observed.stored;
    let version = |attempt: &pullpass_fleet::label::Attempt| {
        [stored.pending, stored.current]
            .into_iter()
            .flatten()
            .find(|kept| kept.attempt == *attempt)
            .map_or_else(
                || "the new token".to_owned(),
                |kept| format!("token {}", kept.generation),
            )
    };
    match step {
        Step::LookAtAccount => format!("look whether the Docker ID `{user}` exists and is ours"),
        Step::LookAtTokens => format!("list the tokens of `{user}`"),
        Step::Claim => format!(
            "note in the {} store that a first token of `{user}` is about to be minted",
            project.store
        ),
        Step::Invent => format!(
            "choose a password for the Docker ID `{user}` and keep it in the {} store",
            project.store
        ),
        Step::AwaitSignUp => format!(
            "a person signs up as `{user}` (there is no API for it): pullpass onboard {}",
            project.name
        ),
        Step::AwaitConfirmation => {
            format!("a person opens the link in the e-mail that Docker sent to `{user}`")
        }
        Step::Invite => format!("invite `{user}` into the organisation and its team"),
        Step::AwaitInvitation => {
            format!("a person accepts the invitation that Docker sent to `{user}`")
        }
        Step::Demote => format!("make `{user}` a plain Member"),
        Step::JoinTeam => format!("put `{user}` into the team"),
        Step::Mint(generation) => format!(
            "mint token {generation} of `{user}` and keep it in the {} store as pending",
            project.store
        ),
        Step::Prove(attempt) => format!("prove with the registry that {} pulls", version(attempt)),
        Step::Deliver(target, attempt) => match &project.delivery {
            Delivery::Direct => {
                // Said before it is done: what builds push with may stand there.
                let over = match observed.targets.get(target) {
                    Some(Holding::Other)
                        if stored.current.is_some()
                            && observed.tokens.is_none()
                            && project.store == StoreKind::File =>
                    {
                        ", over what somebody else wrote there, unless that was another copy of the store"
                    }
                    Some(Holding::Other) => ", over what somebody else wrote there",
                    Some(Holding::Placeholder) => ", over the placeholder",
                    _ => "",
                };
                format!("deliver {} to {target}{over}", version(attempt))
            }
            Delivery::Terraform { pipeline, .. } => format!(
                "have Terraform's pipeline `{pipeline}` bring {} to {target}",
                version(attempt)
            ),
        },
        Step::Promote(attempt) => format!("make {} the current one", version(attempt)),
        Step::DropPending(attempt) => format!("forget {}, which does not work", version(attempt)),
        Step::Fence => "write the record once more, so that no other run can keep a token that it minted before".to_owned(),
        Step::Deactivate(id) => format!("deactivate {}", old_token(*id, observed, user)),
        Step::Delete(id) => format!("delete {}", old_token(*id, observed, user)),
        Step::WriteConnection(target) => format!("write the id of the OIDC connection to {target}"),
        Step::Wait(until, why) => {
            let why = match why {
                Why::BuildsInFlight => "builds that began with the old token may still run".to_owned(),
                Why::AnotherOperator => {
                    "another run may be about to keep a token that it minted".to_owned()
                }
                Why::Settling => {
                    "a deactivated token is kept for a while, in case it is missed".to_owned()
                }
                Why::StillUsed(last) => format!(
                    "an old token was used at {last:.0}, when no build could still hold it, so something else has it (a CircleCI context, another project, a laptop): give that its own, or cut it off now with `pullpass revoke {}`",
                    project.name
                ),
            };
            format!("nothing before {until:.0}: {why}")
        }
        Step::Blocked(blocked) => match blocked {
            Blocked::ForeignAccount => format!(
                "the Docker ID `{user}` exists and the stored password does not open it: if it is yours, reset its password in Docker's console to the stored one, which `pullpass onboard {name} --show-password` prints; if it is not, take the project out of the store and give it another `docker_id`",
                name = project.name
            ),
            Blocked::NoSlot => no_slot(observed),
            Blocked::Overtaken(generation, used) => overtaken(*generation, *used, project, observed),
            Blocked::TokenRefused(attempt) => format!(
                "the registry refuses {}, which Docker Hub lists as alive: look at the account in Docker Hub's console, then run again",
                version(attempt)
            ),
            Blocked::Taken => taken(user, project),
            Blocked::OtherTeams(teams) => format!(
                "`{user}` is also in {}, and may read what they may: take it out in Docker Hub's console",
                teams.join(", ")
            ),
            Blocked::CannotServe(target) => format!(
                "OIDC cannot serve {target}: GitHub is the only issuer that Docker Hub takes; give the project another `identity`"
            ),
        },
        Step::Converged => "everything is as it should be".to_owned(),
    }
}
