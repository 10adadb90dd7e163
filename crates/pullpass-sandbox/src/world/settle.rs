//! A population becomes a world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::account::Account;
use super::audit::AuditLog;
use super::build::{Builds, BuiltProject};
use super::circleci::{self, CiProject, CircleCi, Context};
use super::dice::Dice;
use super::github::{Environment, GhOrganisation, GhPerson, GhRepository, GitHub};
use super::image::Repository;
use super::keys::Keys;
use super::organisation::{Group, OWNERS, Organisation, Role};
use super::registry::Registry;
use super::secret::Secret;
use super::{World, circleci::Person as CiPerson};
use crate::population::{Population, Project};

pub(super) fn world(population: &Population, seed: u64, now: Timestamp) -> World {
    let mut dice = Dice::new(seed, "world");
    let keys = Keys::new(&mut dice);
    let mut world = World {
        keys,
        accounts: BTreeMap::new(),
        organisations: BTreeMap::new(),
        mail: Vec::new(),
        registry: Registry::default(),
        circleci: CircleCi {
            organisation: population.organization.clone(),
            organisation_id: dice.uuid(),
            ..CircleCi::default()
        },
        github: GitHub::default(),
        builds: Builds::default(),
        audit: AuditLog::default(),
        dice,
    };
    found(&mut world, population, now);
    settle_people(&mut world, population, now);
    hire_operator(&mut world, population);
    for (name, variables) in &population.contexts {
        let mut context = Context {
            id: world.dice.uuid(),
            name: name.clone(),
            created: now,
            variables: BTreeMap::new(),
            restrictions: Vec::new(),
        };
        for (name, value) in variables {
            circleci::write(
                &mut context.variables,
                name,
                Secret::new(value.as_str()),
                now,
            );
        }
        world.circleci.contexts.push(context);
    }
    for image in &population.images {
        for tag in &image.tags {
            push(&mut world, &image.name, tag, image.private);
        }
    }
    for project in &population.projects {
        settle_project(&mut world, project, now);
    }
    world
}

fn found(world: &mut World, population: &Population, now: Timestamp) {
    let mut groups = BTreeMap::new();
    for (id, team) in std::iter::once(OWNERS)
        .chain(population.teams.iter().map(String::as_str))
        .enumerate()
    {
        let group = Group {
            id: 100 + id as u64,
            uuid: world.dice.uuid(),
            description: String::new(),
            members: BTreeSet::new(),
        };
        groups.insert(team.to_owned(), group);
    }
    let organisation = Organisation {
        uuid: world.dice.uuid(),
        plan: population.plan,
        sso: population.sso,
        members: BTreeMap::new(),
        groups,
        invitations: Vec::new(),
        tokens: Vec::new(),
        restricted_images: [false, true, true],
    };
    let name = population.organization.as_str();
    world.organisations.insert(name.to_owned(), organisation);
    world.audit.add(name, "org.create", name, "", &[], now);
}

fn settle_people(world: &mut World, population: &Population, now: Timestamp) {
    for person in &population.people {
        let email = if person.email.is_empty() {
            format!("{}@{}.example", person.name, population.organization)
        } else {
            person.email.clone()
        };
        let password = person
            .password
            .clone()
            .unwrap_or_else(|| world.dice.token("", 24));
        let account = Account {
            uuid: world.dice.uuid(),
            email,
            full_name: String::new(),
            password: Secret::new(password),
            second_factor: person.two_factor,
            confirmed: person.confirmed,
            confirmation: Secret::new(world.dice.token("", 40)),
            plan: person.plan,
            joined: now,
            tokens: Vec::new(),
        };
        world.accounts.insert(person.name.clone(), account);
        let role = person.role.as_deref().and_then(Role::sent);
        if let (Some(role), Some(organisation)) =
            (role, world.organisations.get_mut(&population.organization))
        {
            organisation.set_role(&person.name, role, now);
            for team in &person.teams {
                if let Some(group) = organisation.groups.get_mut(team) {
                    group.members.insert(person.name.clone());
                }
            }
        }
    }
}

/// The operator's accounts on CircleCI and GitHub.
fn hire_operator(world: &mut World, population: &Population) {
    let login = format!("{}-operator", population.organization);
    let person = CiPerson {
        id: world.dice.uuid(),
        login: login.clone(),
        name: "Sandbox Operator".to_owned(),
        token: Secret::new(world.dice.token("CCIPAT_", 40)),
    };
    world.circleci.people.push(person);
    let person = GhPerson {
        id: 1001,
        login,
        name: "Sandbox Operator".to_owned(),
        token: Secret::new(world.dice.token("ghp_", 36)),
        scopes: "admin:org, repo, workflow",
    };
    world.github.people.push(person);
}

/// Makes an image, if it is not there.
fn push(world: &mut World, name: &str, tag: &str, private: bool) {
    let repository = world
        .registry
        .repositories
        .entry(name.to_owned())
        .or_insert_with(|| Arc::new(Repository::default()));
    if !repository.tags.contains_key(tag) {
        let repository = Arc::make_mut(repository);
        repository.push(name, tag);
        repository.private |= private;
    }
}

fn settle_project(world: &mut World, project: &Project, now: Timestamp) {
    for image in &project.images {
        let (name, tag) = parts(image);
        push(world, &name, &tag, false);
    }
    let mut variables = BTreeMap::new();
    for (name, value) in &project.variables {
        circleci::write(&mut variables, name, Secret::new(value.as_str()), now);
    }
    let circleci = project.circleci.as_ref().map(|slug| {
        let id = world.dice.uuid();
        let slug = match slug.as_str() {
            "circleci" => format!("circleci/{}/{id}", world.circleci.organisation_id),
            _ => slug.clone(),
        };
        let settled = CiProject {
            id,
            name: project.name.clone(),
            definition: world.dice.uuid(),
            followed: true,
            variables: variables.clone(),
            contexts: project.contexts.clone(),
        };
        world.circleci.projects.insert(slug.clone(), settled);
        slug
    });
    if let Some(name) = &project.github {
        let number = world.github.repositories.len() as u64;
        let environments = project.environments.iter().zip(1..).map(|(name, nth)| {
            let environment = Environment {
                id: 300_000 + number * 100 + nth,
                created: now,
                secrets: BTreeMap::new(),
                variables: BTreeMap::new(),
            };
            (name.clone(), environment)
        });
        let repository = GhRepository {
            id: 700_000 + number,
            private: project.private,
            created: now,
            secrets: variables,
            dependabot: BTreeMap::new(),
            variables: BTreeMap::new(),
            environments: environments.collect(),
            workflow: 900_000 + number,
        };
        world.github.repositories.insert(name.clone(), repository);
        let owner = name.split('/').next().unwrap_or_default();
        let number = world.github.organisations.len() as u64;
        world
            .github
            .organisations
            .entry(owner.to_owned())
            .or_insert_with(|| GhOrganisation {
                id: 2001 + number,
                ..GhOrganisation::default()
            });
    }
    let built = BuiltProject {
        circleci,
        github: project.github.clone(),
        images: project.images.clone(),
        user_variable: project.user_var.clone(),
        token_variable: project.token_var.clone(),
    };
    world.builds.projects.insert(project.name.clone(), built);
}

/// The repository and the tag that an image names.
pub(crate) fn parts(image: &str) -> (String, String) {
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    };
    let name = if name.contains('/') {
        name.to_owned()
    } else {
        format!("library/{name}")
    };
    (name, tag.to_owned())
}
