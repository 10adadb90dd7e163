//! Builds: what the simulated runners do, and what came of it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::World;
use super::secret::Secret;

/// Addresses that the runners of all customers share, as those of a CI vendor do.
const SHARED_ADDRESSES: usize = 4;

#[derive(Clone, Default)]
pub(crate) struct Builds {
    /// By the project's name.
    pub(crate) projects: BTreeMap<String, BuiltProject>,
    pub(crate) all: Vec<Build>,
    /// Builds that no runner has taken yet, by their place in `all`.
    pub(crate) waiting: Vec<usize>,
}

/// What the sandbox knows of a project: where it is built, and what that pulls.
#[derive(Clone, Debug)]
pub(crate) struct BuiltProject {
    pub(crate) circleci: Option<String>,
    pub(crate) github: Option<String>,
    pub(crate) images: Vec<String>,
    /// Names of the variables that its CI signs in with.
    pub(crate) user_variable: String,
    pub(crate) token_variable: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ci {
    CircleCi,
    GitHub,
}

impl Ci {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CircleCi => "circleci",
            Self::GitHub => "github",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) project: String,
    pub(crate) ci: Ci,
    pub(crate) state: BuildState,
    pub(crate) pulls: Vec<Pull>,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BuildState {
    Running,
    Success,
    /// With why.
    Failed(String),
}

/// One pull of a build, as the registry answered it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pull {
    pub(crate) image: String,
    /// A Docker ID, an organisation, or `anonymous`.
    pub(crate) identity: String,
    /// `docker-ratelimit-source`.
    pub(crate) source: Option<String>,
    pub(crate) status: u16,
}

/// What a runner needs to know to run a build.
pub(crate) struct Job {
    pub(crate) build: usize,
    pub(crate) images: Vec<String>,
    pub(crate) login: Login,
    /// The runner's own.
    pub(crate) address: Ipv4Addr,
}

/// How the job signs in, as far as its variables say.
#[derive(Debug)]
pub(crate) enum Login {
    /// Neither variable has a value.
    None,
    With(String, Secret),
    /// One of them has none: named here.
    Incomplete(String),
}

impl World {
    /// Starts a build; a runner takes it from `waiting`.
    pub(crate) fn start_build(&mut self, project: &str, ci: Ci, now: Timestamp) -> usize {
        let build = self.builds.all.len();
        self.builds.all.push(Build {
            project: project.to_owned(),
            ci,
            state: BuildState::Running,
            pulls: Vec::new(),
            started: now,
            ended: None,
        });
        self.builds.waiting.push(build);
        build
    }

    /// What a waiting build is to do, with the variables as they are now.
    pub(crate) fn job(&self, build: usize) -> Option<Job> {
        let found = self.builds.all.get(build)?;
        let project = self.builds.projects.get(&found.project)?;
        let value = |name: &str| {
            match found.ci {
                Ci::CircleCi => self.circleci.value(project.circleci.as_deref()?, name),
                Ci::GitHub => self.github.value(project.github.as_deref()?, name),
            }
            .filter(|value| !value.is_empty())
        };
        let login = match (
            value(&project.user_variable),
            value(&project.token_variable),
        ) {
            (None, None) => Login::None,
            (Some(user), Some(token)) => Login::With(user.expose().to_owned(), token),
            (None, Some(_)) => Login::Incomplete(project.user_variable.clone()),
            (Some(_), None) => Login::Incomplete(project.token_variable.clone()),
        };
        let machine = u8::try_from(build % SHARED_ADDRESSES).unwrap_or(0);
        let pool = match found.ci {
            Ci::CircleCi => 10,
            Ci::GitHub => 20,
        };
        Some(Job {
            build,
            images: project.images.clone(),
            login,
            address: Ipv4Addr::new(127, pool, 0, machine + 1),
        })
    }

    /// The project that CircleCI knows by this slug.
    pub(crate) fn project_of_slug(&self, slug: &str) -> Option<String> {
        self.builds
            .projects
            .iter()
            .find(|(_, p)| p.circleci.as_deref() == Some(slug))
            .map(|(name, _)| name.clone())
    }

    /// The project that GitHub knows by this repository.
    pub(crate) fn project_of_repository(&self, repository: &str) -> Option<String> {
        self.builds
            .projects
            .iter()
            .find(|(_, p)| p.github.as_deref() == Some(repository))
            .map(|(name, _)| name.clone())
    }
}
