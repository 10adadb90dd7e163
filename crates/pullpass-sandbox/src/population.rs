//! Who and what exists when the sandbox starts.

use std::collections::BTreeMap;

pub use crate::world::account::Plan;
pub use file::PopulationError;

mod file;

/// Who and what exists. [`Population::default`] is the organisation `acme`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Population {
    /// The organisation's name, on Docker Hub, CircleCI and GitHub alike.
    pub organization: String,
    /// What it pays Docker for: [`Plan::Team`] or [`Plan::Business`] for access tokens.
    pub plan: Plan,
    /// Single sign-on is enforced: passwords of members are refused.
    pub sso: bool,
    /// Teams, beside the owners'.
    pub teams: Vec<String>,
    /// Docker IDs. The first owner is the operator.
    pub people: Vec<Person>,
    /// Projects that are built.
    pub projects: Vec<Project>,
    /// CircleCI contexts, with their variables.
    pub contexts: BTreeMap<String, BTreeMap<String, String>>,
    /// Images, beside those that projects pull.
    pub images: Vec<Image>,
}

/// A Docker ID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The Docker ID.
    pub name: String,
    /// The e-mail address; `NAME@acme.example` when empty.
    pub email: String,
    /// The password; made from the seed when absent.
    pub password: Option<String>,
    /// The role in the organisation; no member when absent.
    pub role: Option<String>,
    /// Teams.
    pub teams: Vec<String>,
    /// A password alone does not sign in.
    pub two_factor: bool,
    /// The e-mail address is confirmed.
    pub confirmed: bool,
    /// The person's own plan.
    pub plan: Plan,
}

/// A project that is built.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Its CircleCI slug, when it is built there: `gh/acme/shop`, or `circleci` for a project of the
    /// GitHub App, whose ids are made from the seed.
    pub circleci: Option<String>,
    /// Its GitHub repository, when it is built there.
    pub github: Option<String>,
    /// Whether the repository is private.
    pub private: bool,
    /// Images that a build pulls.
    pub images: Vec<String>,
    /// CircleCI contexts that its workflows use.
    pub contexts: Vec<String>,
    /// GitHub environments of its repository.
    pub environments: Vec<String>,
    /// Variables that it has from the start, on CircleCI and as GitHub secrets.
    pub variables: BTreeMap<String, String>,
    /// The variable that holds the user name.
    pub user_var: String,
    /// The variable that holds the token.
    pub token_var: String,
}

/// An image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Its repository: `library/alpine`.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether only the organisation can pull it.
    pub private: bool,
}

impl Person {
    /// A confirmed Docker ID that is in no organisation.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            email: String::new(),
            password: None,
            role: None,
            teams: Vec::new(),
            two_factor: false,
            confirmed: true,
            plan: Plan::Personal,
        }
    }

    fn with_role(name: &str, role: &str) -> Self {
        Self {
            role: Some(role.to_owned()),
            ..Self::new(name)
        }
    }
}

impl Project {
    /// A project that is built nowhere yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            circleci: None,
            github: None,
            private: true,
            images: vec!["alpine:3.20".to_owned()],
            contexts: Vec::new(),
            environments: Vec::new(),
            variables: BTreeMap::new(),
            user_var: "DOCKER_USER".to_owned(),
            token_var: "DOCKER_ACCESS_TOKEN".to_owned(),
        }
    }

    fn on_circleci(self, slug: &str) -> Self {
        Self {
            circleci: Some(slug.to_owned()),
            ..self
        }
    }

    fn on_github(self, repository: &str) -> Self {
        Self {
            github: Some(repository.to_owned()),
            ..self
        }
    }
}

impl Image {
    /// A public image.
    #[must_use]
    pub fn new(name: &str, tags: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            private: false,
        }
    }
}

impl Default for Population {
    fn default() -> Self {
        let mut shop = Project::new("shop")
            .on_circleci("gh/acme/shop")
            .on_github("acme/shop");
        shop.environments = vec!["production".to_owned()];
        Self {
            projects: vec![
                Project::new("billing").on_circleci("gh/acme/billing"),
                Project::new("website").on_github("acme/website"),
                shop,
            ],
            ..Self::bare("acme")
        }
    }
}

impl Population {
    /// An organisation with people and images, and no projects.
    #[must_use]
    pub fn bare(organization: &str) -> Self {
        Self {
            organization: organization.to_owned(),
            plan: Plan::Team,
            sso: false,
            teams: vec!["ci-pullers".to_owned()],
            people: vec![
                Person::with_role(&format!("{organization}owner"), "owner"),
                Person::with_role(&format!("{organization}dev"), "member"),
            ],
            projects: Vec::new(),
            contexts: BTreeMap::from([("docker-hub".to_owned(), BTreeMap::new())]),
            images: vec![
                Image::new("library/alpine", &["3.20", "latest"]),
                Image::new("library/busybox", &["latest"]),
                Image::new("library/postgres", &["16"]),
                Image::new("library/python", &["3.13-slim"]),
                Image::new("cimg/base", &["current"]),
                Image::new("ratelimitpreview/test", &["latest"]),
                Image {
                    private: true,
                    ..Image::new(&format!("{organization}/base"), &["latest"])
                },
            ],
        }
    }

    /// Adds so many projects, each built on CircleCI, on GitHub or on both.
    pub fn generate(&mut self, projects: usize) {
        for number in 1..=projects {
            let name = format!("project{number:05}");
            let repository = format!("{}/{name}", self.organization);
            let slug = format!("gh/{repository}");
            let project = Project::new(&name);
            self.projects.push(match number % 3 {
                0 => project.on_circleci(&slug).on_github(&repository),
                1 => project.on_circleci(&slug),
                _ => project.on_github(&repository),
            });
        }
    }

    /// Reads what `--org` names; `name` is for errors.
    ///
    /// # Errors
    ///
    /// With the place, what is wrong, and for an unknown key the one that was probably meant.
    pub fn parse(text: &str, name: &str) -> Result<Self, PopulationError> {
        file::parse(text, name)
    }
}
