//! The module of the runbook: two secrets a project, and what carries them to the CI systems.
//!
//! ```text
//! pullpass ─► AWS Secrets Manager ─► data source ─► variables of CircleCI, secrets of GitHub
//! ```
//!
//! Resources and how they are imported:
//! <https://registry.terraform.io/providers/CircleCI-Public/circleci/latest/docs/resources/project_environment_variable>,
//! <https://registry.terraform.io/providers/integrations/github/latest/docs/resources/actions_secret>,
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/secretsmanager_secret_version>

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use pullpass_fleet::desired::{Identity, Target};
use pullpass_fleet::file::{AwsSettings, Delivery, Fleet, IdentityKind, Project, StoreKind};

use super::Export;
use super::hcl::{Body, label, string};
use crate::commands::fleet::load;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// What a secret holds until there is a credential.
const SEED: &str = pullpass_engine::picture::PLACEHOLDER;

/// As many names are shown of what is left out.
const MOST_NAMES: usize = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Ci {
    /// Variables of CircleCI projects.
    Circleci,
    /// Secrets of GitHub repositories.
    Github,
}

impl Ci {
    fn has(self, target: &Target) -> bool {
        (self == Self::Circleci) == (*target == Target::CircleCi)
    }
}

/// The two halves of a credential.
const HALVES: [Half; 2] = [
    Half {
        label: "user",
        what: "The Docker ID",
    },
    Half {
        label: "token",
        what: "The token",
    },
];

struct Half {
    /// Ends the names of its resources.
    label: &'static str,
    what: &'static str,
}

/// A project, its label, and the targets that are printed.
struct Entry<'f> {
    project: &'f Project,
    label: String,
    targets: Vec<&'f Target>,
}

/// Why Terraform has nothing to carry for a project. A module for it would write the seed over variables
/// that work.
fn not_carried(project: &Project) -> Option<&'static str> {
    if project.identity_kind() == IdentityKind::Oidc {
        Some("`identity = \"oidc\"` has no credential")
    } else if project.store != StoreKind::Aws {
        Some("the credential is not kept in AWS: that is `store = \"aws\"`")
    } else if project.delivery == Delivery::Direct {
        Some(
            "pullpass itself writes the variables: `delivery = \"terraform\"` with `pipeline` leaves that to Terraform",
        )
    } else {
        None
    }
}

impl Export {
    pub(super) fn run(&self, terminal: Terminal) -> Result<ExitCode> {
        let (fleet, _) = load::fleet(self.config.as_deref())?;
        load::check_names(&fleet, self.config.as_deref(), &self.projects)?;
        let entries = self.entries(&fleet);
        let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for project in fleet.projects.iter().filter(|p| self.names(p)) {
            if let Some(why) = not_carried(project) {
                left.entry(why).or_default().push(project.name.as_str());
            }
        }
        if entries.is_empty() {
            let next = match left.keys().copied().collect::<Vec<_>>() {
                why if why.is_empty() => {
                    "--ci leaves out what goes to the other CI system".to_owned()
                }
                why => why.join("; "),
            };
            return Err(Error::new(
                ErrorKind::Usage,
                "print a module",
                "none of the projects has a credential that Terraform could carry",
                next,
            ));
        }
        for (why, names) in left {
            terminal.note(&format!("left out: {}. {why}", some_of(&names)));
        }
        let owners = owners(&entries);
        let mut file = head(&fleet, &entries, &owners, self.import);
        for entry in &entries {
            file = file.append(module(&fleet, entry, &owners));
            if self.import {
                file = file.append(imports(&fleet, entry));
            }
        }
        self.format.print_text("terraform export", &file.text(0))
    }

    fn entries<'f>(&self, fleet: &'f Fleet) -> Vec<Entry<'f>> {
        let mut labels = BTreeSet::new();
        fleet
            .projects
            .iter()
            // Labels do not depend on what is printed, or a later export would rename resources.
            .map(|project| (project, unique(&label(project.name.as_str()), &mut labels)))
            .filter(|(project, _)| self.names(project) && not_carried(project).is_none())
            .map(|(project, label)| Entry {
                project,
                label,
                targets: project
                    .targets
                    .iter()
                    .filter(|target| self.ci.is_none_or(|ci| ci.has(target)))
                    .collect(),
            })
            .filter(|entry| !entry.targets.is_empty())
            .collect()
    }

    /// Whether the project was asked for.
    fn names(&self, project: &Project) -> bool {
        self.projects.is_empty() || self.projects.iter().any(|n| n == project.name.as_str())
    }
}

/// A few names, and how many more.
fn some_of(names: &[&str]) -> String {
    let (shown, more) = names.split_at(names.len().min(MOST_NAMES));
    match more.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn unique(label: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number: u32| format!("{label}_{number}"));
    let name = std::iter::once(label.to_owned())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_default();
    taken.insert(name.clone());
    name
}

/// The owner and the name of a repository at GitHub.
fn repository(project: &Project) -> (&str, &str) {
    project
        .github
        .as_deref()
        .and_then(|path| path.rsplit_once('/'))
        .unwrap_or_default()
}

/// Owners of repositories, each with the alias of its provider where there are several: the provider
/// of GitHub serves one.
fn owners<'f>(entries: &[Entry<'f>]) -> BTreeMap<&'f str, Option<String>> {
    let names: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.targets.iter().any(|t| **t != Target::CircleCi))
        .map(|entry| repository(entry.project).0)
        .collect();
    let many = names.len() > 1;
    names
        .into_iter()
        .map(|name| (name, many.then(|| label(name))))
        .collect()
}

fn head(
    fleet: &Fleet,
    entries: &[Entry<'_>],
    owners: &BTreeMap<&str, Option<String>>,
    import: bool,
) -> Body {
    let source = |name: &str, version: &str| {
        Body::default()
            .argument("source", string(name))
            .argument("version", string(version))
    };
    let on_circleci = entries
        .iter()
        .any(|entry| entry.targets.contains(&&Target::CircleCi));
    // The first of GitHub's with `value`, and with these ids for imports.
    let mut providers = Body::default().block("aws =", source("hashicorp/aws", ">= 5.0"));
    if on_circleci {
        let circleci = source("CircleCI-Public/circleci", ">= 0.3");
        providers = providers.block("circleci =", circleci);
    }
    if !owners.is_empty() {
        providers = providers.block("github =", source("integrations/github", ">= 6.12"));
    }
    // An `import` whose id is read from a data source needs 1.7.
    let version = if import { ">= 1.7" } else { ">= 1.3" };
    let terraform = Body::default()
        .argument("required_version", string(version))
        .block("required_providers", providers);
    let AwsSettings {
        region, profile, ..
    } = &fleet.store.aws;
    let aws = Body::default()
        .optional("region", region.as_deref().map(string))
        .optional("profile", profile.as_deref().map(string));
    let mut file = Body::default()
        .comment(
            "As `pullpass terraform export` prints it. pullpass writes the secrets' values; Terraform's next run\ncarries them to the CI systems. They are in Terraform's state: keep that as you keep secrets.",
        )
        .block("terraform", terraform)
        .block("provider \"aws\"", aws);
    if on_circleci {
        file = file
            .comment("Reads CIRCLE_TOKEN.")
            .block("provider \"circleci\"", Body::default());
    }
    for (owner, alias) in owners {
        let github = Body::default()
            .optional("alias", alias.as_deref().map(string))
            .argument("owner", string(owner));
        file = file
            .comment("Reads GITHUB_TOKEN.")
            .block("provider \"github\"", github);
    }
    file
}

/// What the secret is called that holds this half.
fn secret_name(fleet: &Fleet, project: &Project, half: &Half) -> String {
    let aws = &fleet.store.aws;
    let template = match half.label {
        "user" => &aws.id_name,
        _ => &aws.token_name,
    };
    let id = match &project.identity {
        Identity::ServiceId { id, .. } => id.as_str(),
        Identity::OrganizationToken | Identity::Oidc { .. } => fleet.hub.organization.as_str(),
    };
    template
        .replace("{project}", project.name.as_str())
        .replace("{docker_id}", id)
        .replace("{organization}", fleet.hub.organization.as_str())
}

fn variable<'p>(project: &'p Project, half: &Half) -> &'p str {
    match half.label {
        "user" => &project.user_var,
        _ => &project.token_var,
    }
}

/// The resource type of a target, and the label of its resource for this half.
fn resource(entry: &Entry<'_>, target: &Target, half: &Half) -> (&'static str, String) {
    let plain = format!("{}_{}", entry.label, half.label);
    match target {
        Target::CircleCi => ("circleci_project_environment_variable", plain),
        // Of a record alone: no project has it for a target.
        Target::GitHub | Target::OlderTokens => ("github_actions_secret", plain),
        Target::GitHubDependabot => ("github_dependabot_secret", plain),
        Target::GitHubEnvironment(name) => (
            "github_actions_environment_secret",
            format!("{}_{}_{}", entry.label, label(name), half.label),
        ),
    }
}

/// One project's part.
fn module(fleet: &Fleet, entry: &Entry<'_>, owners: &BTreeMap<&str, Option<String>>) -> Body {
    let Entry {
        project, targets, ..
    } = entry;
    let mut file = Body::default();
    for half in &HALVES {
        let name = format!("{}_{}", entry.label, half.label);
        let secret = Body::default()
            .argument("name", string(&secret_name(fleet, project, half)))
            .argument(
                "description",
                string(&format!("{} that {} pulls with.", half.what, project.name)),
            )
            .optional("kms_key_id", fleet.store.aws.kms_key.as_deref().map(string));
        let kept = Body::default().argument("ignore_changes", "[secret_string]");
        let version = Body::default()
            .argument("secret_id", format!("aws_secretsmanager_secret.{name}.id"))
            .argument("secret_string", string(SEED))
            .block("lifecycle", kept);
        let read = Body::default().argument(
            "secret_id",
            format!("aws_secretsmanager_secret_version.{name}.secret_id"),
        );
        file = file
            .block(
                format!("resource \"aws_secretsmanager_secret\" \"{name}\""),
                secret,
            )
            .block(
                format!("resource \"aws_secretsmanager_secret_version\" \"{name}\""),
                version,
            )
            .block(
                format!("data \"aws_secretsmanager_secret_version\" \"{name}\""),
                read,
            );
    }
    for target in targets {
        for half in &HALVES {
            let value = format!(
                "data.aws_secretsmanager_secret_version.{}_{}.secret_string",
                entry.label, half.label
            );
            let variable = string(variable(project, half));
            let (owner, repository) = repository(project);
            let alias = owners.get(owner).cloned().flatten();
            let body = match target {
                Target::CircleCi => {
                    let slug = project.circleci.as_deref().unwrap_or_default();
                    Body::default()
                        .argument("project_slug", string(slug))
                        .argument("name", variable)
                        .argument("value", value)
                }
                _ => {
                    let environment = match target {
                        Target::GitHubEnvironment(name) => Some(string(name)),
                        _ => None,
                    };
                    Body::default()
                        .optional("provider", alias.map(|alias| format!("github.{alias}")))
                        .argument("repository", string(repository))
                        .optional("environment", environment)
                        .argument("secret_name", variable)
                        .argument("value", value)
                }
            };
            let (kind, name) = resource(entry, target, half);
            file = file.block(format!("resource \"{kind}\" \"{name}\""), body);
        }
    }
    file
}

/// Blocks that take over what exists. An ARN ends in characters that nobody chose, so it is looked up.
fn imports(fleet: &Fleet, entry: &Entry<'_>) -> Body {
    let project = entry.project;
    let mut file = Body::default();
    for half in &HALVES {
        let name = format!("{}_{}", entry.label, half.label);
        let found = Body::default().argument("name", string(&secret_name(fleet, project, half)));
        let import = Body::default()
            .argument("to", format!("aws_secretsmanager_secret.{name}"))
            .argument("id", format!("data.aws_secretsmanager_secret.{name}.arn"));
        file = file
            .block(
                format!("data \"aws_secretsmanager_secret\" \"{name}\""),
                found,
            )
            .block("import", import);
    }
    for target in &entry.targets {
        for half in &HALVES {
            let (kind, name) = resource(entry, target, half);
            let variable = variable(project, half);
            let repository = repository(project).1;
            let id = match target {
                Target::CircleCi => {
                    format!(
                        "{}/{variable}",
                        project.circleci.as_deref().unwrap_or_default()
                    )
                }
                Target::GitHubEnvironment(environment) => {
                    let environment = environment.replace(':', "??");
                    format!("{repository}:{environment}:{variable}")
                }
                _ => format!("{repository}:{variable}"),
            };
            let import = Body::default()
                .argument("to", format!("{kind}.{name}"))
                .argument("id", string(&id));
            file = file.block("import", import);
        }
    }
    file
}
