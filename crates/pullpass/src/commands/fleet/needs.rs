//! What the projects of a run need, and whether it is given.

use std::collections::BTreeSet;

use pullpass_engine::outside::Outside;
use pullpass_fleet::desired::Target;
use pullpass_fleet::file::{Delivery, IdentityKind, Project, StoreKind};

use crate::commands::given::{Given, Name};
use crate::error::{Error, ErrorKind, Result};

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To look.
    Look,
    /// To do, or to check all of it.
    Work,
    /// To find out what there is: whatever is lacking is a finding.
    Examine,
}

/// What some projects need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Needs {
    /// The operator of Docker Hub.
    pub(super) hub: bool,
    /// The tokens of CI systems on which the projects are.
    circleci: bool,
    github: bool,
    /// Those of CI systems that deliver for them, which need not be asked to.
    delivers: (bool, bool),
    pub(super) stores: BTreeSet<StoreKind>,
}

impl Needs {
    pub(super) fn of(projects: &[&Project], purpose: Purpose) -> Self {
        let is_circleci = |target: &Target| *target == Target::CircleCi;
        let any_target = |wanted: &dyn Fn(&Target) -> bool| {
            projects.iter().any(|p| p.targets.iter().any(wanted))
        };
        let any_identity = |kind| projects.iter().any(|p| p.identity_kind() == kind);
        // A workflow of GitHub is named with its file.
        let any_pipeline = |at_github: bool| {
            projects.iter().any(|project| match &project.delivery {
                Delivery::Terraform { pipeline, .. } => pipeline.contains(':') == at_github,
                Delivery::Direct => false,
            })
        };
        let looks = purpose == Purpose::Look;
        Self {
            hub: purpose == Purpose::Examine
                || any_identity(IdentityKind::ServiceId)
                || !looks && any_identity(IdentityKind::OrganizationToken),
            circleci: any_target(&is_circleci),
            github: any_target(&|target| !is_circleci(target)),
            delivers: (!looks && any_pipeline(false), !looks && any_pipeline(true)),
            stores: projects.iter().map(|project| project.store).collect(),
        }
    }

    /// Whether CircleCI may be asked for something.
    pub(super) fn any_circleci(&self) -> bool {
        self.circleci || self.delivers.0
    }

    /// Whether GitHub may be.
    pub(super) fn any_github(&self) -> bool {
        self.github || self.delivers.1
    }

    /// Whether every credential is given; nothing is sent without it.
    pub(super) fn check(&self, outside: &Outside, given: &Given) -> Result<()> {
        let (hub_lacks, of_hub) = hub_lacks(given);
        let missing = [
            (
                self.hub && !outside.hub.has_operator(),
                hub_lacks,
                of_hub,
                "an owner of the organisation, with the password",
            ),
            (
                self.circleci && outside.circleci.is_none(),
                "`CIRCLECI_TOKEN` is",
                Name::CircleCi,
                "a personal API token",
            ),
            (
                self.github && outside.github.is_none(),
                "`GITHUB_TOKEN` or `GH_TOKEN` is",
                Name::GitHub,
                "a token that may write secrets",
            ),
        ];
        match missing.into_iter().find(|(is_missing, ..)| *is_missing) {
            None => Ok(()),
            Some((_, what, name, which)) => Err(Error::new(
                ErrorKind::Configuration,
                "work on these projects",
                format!("{what} {}", given.lack()),
                format!(
                    "{}: {which}; `pullpass doctor` tells what else there should be",
                    cure(what, given, name)
                ),
            )),
        }
    }
}

/// How to give what is lacking, one or both of a pair.
pub(super) fn cure(what: &str, given: &Given, name: Name) -> String {
    match what.contains(" and ") {
        true => given.cure_of_both(),
        false => given.cure(name),
    }
}

/// What of the operator of Docker Hub is not given, with its verb, and the first of it.
pub(super) fn hub_lacks(given: &Given) -> (&'static str, Name) {
    match [Name::HubUser, Name::HubSecret].map(|name| given.has(name)) {
        [false, false] => (
            "`PULLPASS_HUB_USER` and `PULLPASS_HUB_SECRET` are",
            Name::HubUser,
        ),
        [false, true] => ("`PULLPASS_HUB_USER` is", Name::HubUser),
        [true, _] => ("`PULLPASS_HUB_SECRET` is", Name::HubSecret),
    }
}
