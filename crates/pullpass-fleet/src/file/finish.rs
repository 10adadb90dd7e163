//! A fleet file with the defaults filled in and names made; what clashes is refused.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::SignedDuration;

use super::written::{DeliveryKind, Draft, Settings, Templates};
use super::{Delivery, Fleet, HubSettings, IdentityKind, Project, StoreKind};
use crate::desired::{Identity, Target};
use crate::name::{DockerId, ProjectName};
use crate::reader::{FileError, Reader, Result};

/// Fills in the defaults, makes names, and refuses what clashes.
pub(super) fn finish(draft: Draft, reader: Reader<'_>) -> Result<Fleet> {
    let Some((hub, templates)) = draft.hub else {
        return Err(reader.wrong(
            0..0,
            "there is no table `[hub]`",
            "add `[hub]` with `organization = \"…\"`, or let `pullpass init` write the file",
        ));
    };
    if draft.projects.is_empty() {
        return Err(reader.wrong(
            0..0,
            "there is no project",
            "add a `[[project]]`, or let `pullpass init` write them from your repositories",
        ));
    }
    let defaults = draft.defaults.unwrap_or_default();
    let mut projects = Vec::new();
    let mut clashes = Clashes::default();
    for (settings, at) in draft.projects {
        let project = finish_project(reader, settings.or(&defaults), &at, &hub, &templates)?;
        clashes.check(reader, &project, &hub, &at)?;
        projects.push(project);
    }
    Ok(Fleet {
        hub,
        store: draft.store.unwrap_or_default(),
        limits: draft.limits.unwrap_or_default(),
        projects,
    })
}

/// What two projects must not share: a credential that is in two places leaks from two places.
#[derive(Default)]
struct Clashes {
    seen: BTreeMap<String, ProjectName>,
    /// Whose a variable is, and what is written there if it is no secret.
    variables: BTreeMap<String, (ProjectName, Option<String>)>,
}

impl Clashes {
    fn check(
        &mut self,
        reader: Reader<'_>,
        project: &Project,
        hub: &HubSettings,
        at: &Range<usize>,
    ) -> Result<()> {
        let mut shared = vec![format!("the name `{}`", project.name)];
        if let Identity::ServiceId { id, .. } = &project.identity {
            shared.push(format!("the Docker ID `{id}`"));
        }
        for what in shared {
            if let Some(other) = self.seen.insert(what.clone(), project.name.clone()) {
                return Err(reader.wrong(
                    at.clone(),
                    format!("projects `{other}` and `{}` share {what}", project.name),
                    "every project has its own, so that a leak stays in one of them",
                ));
            }
        }
        for target in &project.targets {
            let place = match target {
                Target::CircleCi => &project.circleci,
                _ => &project.github,
            };
            let place = place.as_deref().unwrap_or_default();
            // A repository is the same however its name is written; the ids in other slugs are not.
            let same = match place.starts_with("circleci/") {
                true => place.to_owned(),
                false => place.to_ascii_lowercase(),
            };
            // GitHub keeps names in upper case.
            for name in [&project.token_var, &project.user_var] {
                let key = format!("{} {same} {target}", name.to_ascii_uppercase());
                let value = (name == &project.user_var).then(|| project.user(hub));
                let entry = (project.name.clone(), value);
                let Some((other, before)) = self.variables.insert(key, entry.clone()) else {
                    continue;
                };
                // The organisation's own name is the same in both.
                if before.is_none() || before != entry.1 {
                    return Err(reader.wrong(
                        at.clone(),
                        format!(
                            "projects `{other}` and `{}` share the variable `{name}` of `{place}` ({target})",
                            project.name
                        ),
                        "every project has its own, so that a leak stays in one of them",
                    ));
                }
            }
        }
        Ok(())
    }
}

fn finish_project(
    reader: Reader<'_>,
    settings: Settings,
    at: &Range<usize>,
    hub: &HubSettings,
    templates: &Templates,
) -> Result<Project> {
    let Some((name, _)) = settings.name else {
        return Err(reader.wrong(at.clone(), "this project has no name", "add `name = \"…\"`"));
    };
    let wrong = |place: &Range<usize>, happened: String, next: &str| -> FileError {
        reader.wrong(place.clone(), happened, next)
    };

    let repository = settings.repository.as_ref();
    let path = repository
        .map(|(text, place)| {
            owner_and_name(text).ok_or_else(|| {
                wrong(
                    place,
                    format!("`{text}` is no repository"),
                    "write it as github.com/owner/name",
                )
            })
        })
        .transpose()?;
    if let Some((text, place)) = repository
        && let Some(host) = other_host(text)
        && (settings.circleci.is_none() || settings.github.is_none())
    {
        return Err(wrong(
            place,
            format!("`{text}` is at {host}, and not at GitHub"),
            "write it as github.com/owner/name; for a repository elsewhere that CircleCI builds, leave it out and say `circleci = \"bb/owner/name\"`",
        ));
    }
    let targets = match settings.targets {
        Some((targets, _)) if !targets.is_empty() => targets,
        Some((_, place)) => {
            return Err(wrong(
                &place,
                format!("project `{name}` has no target"),
                "name circleci, github or both",
            ));
        }
        None => {
            return Err(wrong(
                at,
                format!("project `{name}` names no targets"),
                "add `targets = [\"circleci\"]`, `[\"github\"]` or both",
            ));
        }
    };
    let circleci = settings
        .circleci
        .map(|(text, _)| text)
        .or_else(|| path.as_ref().map(|path| format!("gh/{path}")));
    let github = settings.github.map(|(text, _)| text).or(path);
    for target in &targets {
        let (place, key) = match target {
            Target::CircleCi => (&circleci, "circleci = \"gh/owner/name\""),
            _ => (&github, "github = \"owner/name\""),
        };
        if place.is_none() {
            return Err(wrong(
                at,
                format!("project `{name}` does not say where its target {target} is"),
                &format!("add `repository = \"github.com/owner/name\"` or `{key}`"),
            ));
        }
    }

    let kind = settings.identity.unwrap_or(IdentityKind::ServiceId);
    let mut email = None;
    let identity = match kind {
        IdentityKind::OrganizationToken => Identity::OrganizationToken,
        IdentityKind::Oidc => match settings.connection {
            Some((connection, _)) => Identity::Oidc { connection },
            None => {
                return Err(wrong(
                    at,
                    format!("project `{name}` uses OIDC and names no connection"),
                    "make a connection in Docker Hub's console, then add `connection = \"…\"`",
                ));
            }
        },
        IdentityKind::ServiceId => {
            let Some(team) = hub.team.clone() else {
                return Err(wrong(
                    at,
                    format!("project `{name}` has a service ID, and `[hub]` names no team"),
                    "add `team = \"…\"` to `[hub]`",
                ));
            };
            let (text, place) = settings.docker_id.unwrap_or_else(|| {
                let filled = templates
                    .docker_id
                    .replace("{organization}", hub.organization.as_str())
                    .replace("{project}", name.as_str());
                let plain = filled
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .map(|c| c.to_ascii_lowercase());
                (plain.collect(), at.clone())
            });
            let id = DockerId::new(text).map_err(|error| {
                wrong(
                    &place,
                    error.to_string(),
                    &format!("give project `{name}` a `docker_id = \"…\"` of its own"),
                )
            })?;
            email = settings.email.map(|(text, _)| text).or_else(|| {
                templates.email.as_ref().map(|template| {
                    template
                        .replace("{docker_id}", id.as_str())
                        .replace("{project}", name.as_str())
                        .replace("{organization}", hub.organization.as_str())
                })
            });
            Identity::ServiceId { id, team }
        }
    };

    let delivery = match settings.delivery {
        None | Some((DeliveryKind::Direct, _)) => Delivery::Direct,
        Some((DeliveryKind::Terraform, place))
            if matches!(settings.store, None | Some(StoreKind::File))
                || kind == IdentityKind::Oidc =>
        {
            return Err(wrong(
                &place,
                format!("project `{name}` keeps nothing where Terraform could read it"),
                "set `store = \"aws\"`, and an identity with a token",
            ));
        }
        Some((DeliveryKind::Terraform, place)) => match settings.pipeline {
            Some((pipeline, _)) => Delivery::Terraform {
                pipeline,
                branch: settings.branch.unwrap_or_else(|| "main".to_owned()),
            },
            None => {
                return Err(wrong(
                    &place,
                    "Terraform's pipeline is not named".to_owned(),
                    "add `pipeline = \"gh/owner/infrastructure\"`",
                ));
            }
        },
    };
    let ((user_var, _), (token_var, token_place)) = (
        settings
            .user_var
            .unwrap_or_else(|| ("DOCKER_USER".to_owned(), at.clone())),
        settings
            .token_var
            .unwrap_or_else(|| ("DOCKER_ACCESS_TOKEN".to_owned(), at.clone())),
    );
    if user_var.eq_ignore_ascii_case(&token_var) {
        return Err(wrong(
            &token_place,
            format!("`user_var` and `token_var` of project `{name}` are the same"),
            "give them two names: the one would be written over the other",
        ));
    }
    let hours = SignedDuration::from_hours;
    let (grace, rotate_after) = (&settings.grace, &settings.rotate_after);
    let written = grace.as_ref().or(rotate_after.as_ref());
    let place = written.map_or(at, |(_, place)| place);
    // GitHub ends a job after six hours, CircleCI after five.
    let grace = grace.as_ref().map_or(hours(7), |(time, _)| *time);
    let rotate_after = rotate_after
        .as_ref()
        .map_or(hours(90 * 24), |(time, _)| *time);
    if grace >= rotate_after {
        return Err(wrong(
            place,
            format!(
                "the `grace` of project `{name}` ({grace:#}) is not over when its token is due again (`rotate_after` is {rotate_after:#}), so no old token would ever end"
            ),
            "make `grace` shorter, but longer than the longest build, or `rotate_after` longer",
        ));
    }
    Ok(Project {
        name,
        repository: settings.repository.map(|(text, _)| text),
        identity,
        email,
        targets,
        circleci,
        github,
        user_var,
        token_var,
        store: settings.store.unwrap_or(StoreKind::File),
        rotate_after,
        expires_after: settings.expires_after,
        grace,
        settle: settings.settle.unwrap_or(hours(24)),
        patience: settings.patience.unwrap_or(SignedDuration::from_mins(15)),
        delivery,
    })
}

/// The host of an address, where it is one of those that are surely not GitHub's. Others may be GitHub's on a
/// machine of one's own.
fn other_host(text: &str) -> Option<&'static str> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split_once('@').map_or(text, |(_, rest)| rest);
    let host = text.split(['/', ':']).next()?;
    [
        "gitlab.com",
        "bitbucket.org",
        "codeberg.org",
        "gitea.com",
        "dev.azure.com",
        "sr.ht",
        "git.sr.ht",
    ]
    .into_iter()
    .find(|known| host.eq_ignore_ascii_case(known))
}

/// `owner/name` of `github.com/owner/name`, of a URL, or of itself.
pub(super) fn owner_and_name(text: &str) -> Option<String> {
    let text = text
        .trim_start_matches("https://")
        .trim_start_matches("ssh://git@")
        .trim_start_matches("git@")
        .trim_end_matches('/')
        .trim_end_matches(".git")
        .replace(':', "/");
    let mut parts: Vec<&str> = text.split('/').collect();
    if parts.len() == 3 {
        parts.remove(0);
    }
    let is_plain =
        |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b'?');
    (parts.len() == 2 && parts.iter().all(is_plain)).then(|| parts.join("/"))
}
