//! The fleet file, `pullpass.toml`: who pulls as whom, and where that is kept and handed out.
//!
//! ```text
//! text ─► Draft (as written, with places) ─► Fleet (defaults filled in, names made, clashes refused)
//! ```

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::desired::{Desired, Identity, Leak, Target};
use crate::label::Generation;
use crate::name::{Organization, ProjectName, Team};
use crate::observed::{Kept, Stored};
use crate::reader::{Reader, Result};
use finish::finish;
use written::Draft;

mod finish;
mod written;

/// The tables that only other commands read.
pub const OTHER_TABLES: [&str; 2] = ["audit", "fix"];
/// Every table of the file.
pub const TABLES: [&str; 7] = [
    "audit", "hub", "defaults", "project", "store", "limits", "fix",
];

/// A whole fleet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fleet {
    /// Docker Hub.
    pub hub: HubSettings,
    /// Where secrets are kept.
    pub store: StoreSettings,
    /// How much one run may change.
    pub limits: Limits,
    /// The projects, in the order of the file.
    pub projects: Vec<Project>,
}

/// `[hub]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HubSettings {
    /// The organisation.
    pub organization: Organization,
    /// The team that service IDs belong to.
    pub team: Option<Team>,
    /// What a project's token may pull.
    pub pull: Pull,
    /// How many access tokens the organisation may have: 10 (Team) or 100 (Business). Expired and
    /// deactivated ones count (docs.docker.com, "Organization access tokens").
    pub token_slots: u32,
    /// What an organisation's access token may pull: repositories, `org/*`, `*/*/public`.
    pub token_resources: Vec<String>,
    /// The image whose manifest is asked for when a token is proven: nothing is pulled.
    pub probe: String,
}

/// What a project's token may pull.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pull {
    /// Public images, and the private ones that its team may read.
    Private,
    /// Public images alone.
    Public,
}

/// A kind of store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StoreKind {
    /// An encrypted file.
    File,
    /// AWS Secrets Manager.
    Aws,
    /// Vault or OpenBao, KV version 2.
    Vault,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Aws => "aws",
            Self::Vault => "vault",
        })
    }
}

/// `[store]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreSettings {
    /// The encrypted file, relative to the fleet file.
    pub file: String,
    /// `[store.aws]`
    pub aws: AwsSettings,
    /// `[store.vault]`
    pub vault: VaultSettings,
}

/// `[store.aws]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsSettings {
    /// The region; the usual chain decides without it.
    pub region: Option<String>,
    /// A profile of the shared configuration.
    pub profile: Option<String>,
    /// What a project's secret with the Docker ID is called.
    pub id_name: String,
    /// What the one with the token is called.
    pub token_name: String,
    /// What the one with the account (Docker ID, e-mail, password) is called.
    pub account_name: String,
    /// The key that new secrets are encrypted with; the account's default without it.
    pub kms_key: Option<String>,
}

/// `[store.vault]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VaultSettings {
    /// Where the KV engine is mounted.
    pub mount: String,
    /// A project's path below it.
    pub path: String,
}

/// `[limits]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The share of the fleet, in percent, that one run may change without `--allow-large`.
    pub max_change: u32,
    /// Fleets up to this many projects are not held to it.
    pub free: u32,
}

/// How a credential reaches the CI systems.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// pullpass writes the variables.
    Direct,
    /// Terraform reads the store and writes them; its pipeline is triggered.
    Terraform {
        /// The CircleCI project or GitHub repository whose pipeline runs Terraform.
        pipeline: String,
        /// The branch.
        branch: String,
    },
}

/// The kinds of identity, as the file names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdentityKind {
    /// A Docker ID of its own.
    ServiceId,
    /// An access token of the organisation.
    OrganizationToken,
    /// GitHub's OIDC.
    Oidc,
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceId => "service-id",
            Self::OrganizationToken => "organization-token",
            Self::Oidc => "oidc",
        })
    }
}

/// `[[project]]`, with the defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// Its name.
    pub name: ProjectName,
    /// `github.com/owner/name`, as the file gives it.
    pub repository: Option<String>,
    /// Who it pulls as.
    pub identity: Identity,
    /// The e-mail address of its service ID.
    pub email: Option<String>,
    /// Where builds get the credential from.
    pub targets: BTreeSet<Target>,
    /// The project's slug at CircleCI.
    pub circleci: Option<String>,
    /// `owner/name` at GitHub.
    pub github: Option<String>,
    /// The variable that holds the user name.
    pub user_var: String,
    /// The variable that holds the token.
    pub token_var: String,
    /// Where its secrets are kept.
    pub store: StoreKind,
    /// How old a token may become.
    pub rotate_after: SignedDuration,
    /// When a token ends by itself, counted from its minting; never without it.
    pub expires_after: Option<SignedDuration>,
    /// See [`Desired::grace`].
    pub grace: SignedDuration,
    /// See [`Desired::settle`].
    pub settle: SignedDuration,
    /// See [`Desired::patience`].
    pub patience: SignedDuration,
    /// How the credential reaches the CI systems.
    pub delivery: Delivery,
}

/// What the person asked for in this run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// Renew what was minted before this moment, however young the fleet file lets it be.
    pub renew_minted_before: Option<Timestamp>,
    /// Answer a leak.
    pub leak: Option<Leak>,
    /// Look for tokens that nobody holds.
    pub thorough: bool,
    /// What was renewed so lately that builds may still hold the token before it is renewed enough: an
    /// earlier run of the same wish did it.
    pub goes_on: bool,
}

impl Project {
    /// The same, where the store says this of it: what an earlier run has begun is finished, and is the
    /// renewal that was asked for.
    pub fn desired_from(&self, wish: Wish, stored: &Stored, now: Timestamp) -> Desired {
        let mut desired = self.desired(wish, now);
        if wish.leak.is_some() {
            return desired;
        }
        let oldest = self.desired(Wish::default(), now).renew_minted_before;
        let lately = stored
            .current
            .filter(|_| self.is_renewed(wish, stored, now));
        for kept in stored.pending.iter().chain(&lately) {
            let wanted = desired.renew_minted_before.min(kept.minted_at);
            desired.renew_minted_before = wanted.max(oldest);
        }
        desired
    }

    /// Whether it was renewed so lately that this wish is fulfilled.
    pub fn is_renewed(&self, wish: Wish, stored: &Stored, now: Timestamp) -> bool {
        let in_grace = |kept: &Kept| {
            let since = kept.current_since.unwrap_or(kept.minted_at);
            kept.generation > Generation(1) && now.duration_since(since) < self.grace
        };
        wish.goes_on && stored.pending.is_none() && stored.current.as_ref().is_some_and(in_grace)
    }

    /// What its credential should be, now.
    pub fn desired(&self, wish: Wish, now: Timestamp) -> Desired {
        let oldest = now
            .saturating_sub(self.rotate_after)
            .unwrap_or(Timestamp::MIN);
        Desired {
            project: self.name.clone(),
            identity: self.identity.clone(),
            targets: self.targets.clone(),
            from_store: matches!(self.delivery, Delivery::Terraform { .. }),
            renew_minted_before: wish.renew_minted_before.unwrap_or(oldest).max(oldest),
            // A tenth of its life is time enough to notice that it was not renewed.
            expiry_margin: self
                .expires_after
                .map_or(SignedDuration::from_hours(7 * 24), |life| life / 10),
            grace: self.grace,
            settle: self.settle,
            patience: self.patience,
            thorough: wish.thorough,
            leak: wish.leak,
        }
    }

    /// The user name that builds sign in with.
    pub fn user(&self, hub: &HubSettings) -> String {
        match &self.identity {
            Identity::ServiceId { id, .. } => id.to_string(),
            Identity::OrganizationToken | Identity::Oidc { .. } => hub.organization.to_string(),
        }
    }

    /// Which kind of identity it has.
    pub fn identity_kind(&self) -> IdentityKind {
        match self.identity {
            Identity::ServiceId { .. } => IdentityKind::ServiceId,
            Identity::OrganizationToken => IdentityKind::OrganizationToken,
            Identity::Oidc { .. } => IdentityKind::Oidc,
        }
    }
}

/// Reads a fleet file; `name` is for errors.
///
/// # Errors
///
/// The first thing that is wrong, with its place and a cure.
pub fn parse(text: &str, name: &str) -> Result<Fleet> {
    let reader = Reader::new(text, name);
    finish(Draft::read(reader)?, reader)
}

/// `90d`, `6h`, `15m`, `30s`, `2w`: a whole number and a unit.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_duration(text: &str) -> std::result::Result<SignedDuration, String> {
    let wrong = || format!("`{text}` is no length of time");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .filter(|total| *total <= 3_660 * 86_400)
        .map(SignedDuration::from_secs)
        .ok_or_else(|| format!("`{text}` is longer than ten years"))
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            file: "pullpass.secrets.toml".to_owned(),
            aws: AwsSettings {
                region: None,
                profile: None,
                id_name: "{project}-dockerhub_id".to_owned(),
                token_name: "{project}-dockerhub_token".to_owned(),
                account_name: "{project}-dockerhub_account".to_owned(),
                kms_key: None,
            },
            vault: VaultSettings {
                mount: "secret".to_owned(),
                path: "pullpass/{project}".to_owned(),
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_change: 25,
            free: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = r#"
[hub]
organization = "ministryofjustice"
team = "opgdockerhubusers"

[defaults]
identity = "service-id"
store = "file"
rotate_after = "90d"

[[project]]
name = "digideps"
repository = "github.com/ministryofjustice/opg-digideps"
targets = ["circleci", "github"]
docker_id = "opgdigideps"
"#;

    fn error(text: &str) -> String {
        parse(text, "pullpass.toml").unwrap_err().to_string()
    }

    fn with(line: &str) -> String {
        format!("{SMALLEST}{line}\n")
    }

    #[test]
    fn the_smallest_file_is_filled_in() {
        let fleet = parse(SMALLEST, "pullpass.toml").unwrap();
        let project = &fleet.projects[0];
        assert_eq!(
            project.circleci.as_deref(),
            Some("gh/ministryofjustice/opg-digideps")
        );
        assert_eq!(
            project.github.as_deref(),
            Some("ministryofjustice/opg-digideps")
        );
        assert_eq!(project.user(&fleet.hub), "opgdigideps");
        assert_eq!(project.user_var, "DOCKER_USER");
        assert_eq!(project.rotate_after, SignedDuration::from_hours(2160));
        assert_eq!(fleet.store.aws.token_name, "{project}-dockerhub_token");
        assert_eq!(
            fleet.hub.token_resources,
            ["ministryofjustice/*", "*/*/public"]
        );
    }

    #[test]
    fn names_are_made_from_templates() {
        let text = SMALLEST
            .replace("docker_id = \"opgdigideps\"\n", "")
            .replace("\"ministryofjustice\"", "\"acme\"")
            .replace("team =", "email = \"ops+{docker_id}@acme.example\"\nteam =");
        let fleet = parse(&text, "pullpass.toml").unwrap();
        assert_eq!(fleet.projects[0].user(&fleet.hub), "acmedigideps");
        assert_eq!(
            fleet.projects[0].email.as_deref(),
            Some("ops+acmedigideps@acme.example")
        );
        let long = text.replace("\"acme\"", "\"ministryofjusticeandpeace\"");
        assert!(
            error(&long).contains("give project `digideps` a `docker_id"),
            "{}",
            error(&long)
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_a_cure() {
        assert_eq!(
            error(&with("targts = []")),
            "pullpass.toml:16:1: unknown key `targts`\n  help: did you mean `targets`? known here: name, repository, \
             circleci, github, docker_id, email, identity, targets, store, connection, user_var, token_var, \
             rotate_after, expires_after, grace, settle, patience, delivery, pipeline, branch"
        );
        for (line, place, cure) in [
            ("grace = \"6 hours\"", "16:9", "6h"),
            (
                "identity = \"service\"",
                "16:12",
                "did you mean `service-id`?",
            ),
            ("user_var = \"GITHUB_USER\"", "16:12", "GITHUB_"),
            ("delivery = \"terraform\"", "16:12", "store = \"aws\""),
            (
                "store = \"aws\"\ndelivery = \"terraform\"",
                "17:12",
                "pipeline",
            ),
            ("identity = \"oidc\"", "11:1", "console"),
            ("store = 3", "16:9", "quotes"),
        ] {
            let said = error(&with(line));
            assert!(
                said.starts_with(&format!("pullpass.toml:{place}:")),
                "{said}"
            );
            assert!(said.contains(cure), "{said}");
        }
        for (text, cure) in [
            ("", "pullpass init"),
            ("[hub]\n", "organization"),
            ("[hub]\norganization = \"acme\"\n", "[[project]]"),
            ("[hbu]\n", "did you mean `hub`?"),
            ("[hub]\norganization = \"Acme\"\n", "spelled"),
            ("[limits]\nmax_change = \"300%\"\n", "25%"),
            ("[store]\naws = { nam = \"x\" }\n", "known here: region"),
        ] {
            assert!(error(text).contains(cure), "{text}: {}", error(text));
        }
    }

    /// No system outside has to be asked for it, and a run that began could never end well.
    #[test]
    fn what_could_never_work_is_refused_where_it_stands() {
        for (line, place, said) in [
            ("circleci = \"acme/shop\"", "16:12", "gh/owner/name"),
            ("github = \"acme\"", "16:10", "owner/name"),
            ("email = \"ops\"", "16:9", "name@example.org"),
            ("grace = \"0s\"", "16:9", "longest build"),
            ("rotate_after = \"0d\"", "16:16", "by every run"),
            ("grace = \"90d\"", "16:9", "no old token would ever end"),
            ("rotate_after = \"7h\"", "16:16", "(`rotate_after` is 7h)"),
            (
                "rotate_after = \"8h\"\ngrace = \"1w\"",
                "17:9",
                "make `grace` shorter",
            ),
            (
                "user_var = \"X\"\ntoken_var = \"x\"",
                "17:13",
                "are the same",
            ),
        ] {
            let error = error(&with(line));
            assert!(
                error.starts_with(&format!("pullpass.toml:{place}:")),
                "{error}"
            );
            assert!(error.contains(said), "{error}");
        }
        for (host, refused) in [("gitlab.com", true), ("github.acme.example", false)] {
            let text = SMALLEST.replace("github.com/", &format!("{host}/"));
            match parse(&text, "pullpass.toml") {
                Ok(_) => assert!(!refused, "{host}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        refused && error.starts_with("pullpass.toml:13:14:"),
                        "{error}"
                    );
                }
            }
        }
        for (hub, said) in [
            (
                "docker_id = \"{organisation}{project}\"",
                "did you mean `{organization}`?",
            ),
            (
                "docker_id = \"{docker_id}{project}\"",
                "unknown placeholder `{docker_id}`",
            ),
            (
                "email = \"ops+{docker_id}{x}@acme.example\"",
                "unknown placeholder `{x}`",
            ),
            ("email = \"ops+{docker_id\"", "without a `}`"),
            ("email = \"ops+{docker_id}-at-acme\"", "no e-mail address"),
            ("probe = \"ghcr.io/x/y\"", "no image of Docker Hub"),
            ("probe = \"BAD IMG\"", "no image of Docker Hub"),
            ("token_slots = -1", "not negative"),
            ("token_slots = 0", "without room"),
            ("token_slots = \"9\"", "without quotes"),
        ] {
            let error = error(&SMALLEST.replace("[defaults]", &format!("{hub}\n[defaults]")));
            assert!(
                error.starts_with("pullpass.toml:6:") && error.contains(said),
                "{error}"
            );
        }
        let aws = "[store.aws]\nid_name = \"{project}\"\ntoken_name = \"{project}\"\n";
        assert!(
            error(&format!("{aws}{SMALLEST}")).contains("`id_name` and `token_name` are the same")
        );
        for probe in [
            "alpine",
            "library/alpine:3.20",
            "docker.io/acme/x@sha256:00",
        ] {
            let probe = format!("probe = \"{probe}\"\n[defaults]");
            parse(&SMALLEST.replace("[defaults]", &probe), "pullpass.toml").unwrap();
        }
    }

    /// The name beside a token is written over as well, unless it is the same in both.
    #[test]
    fn two_projects_of_one_repository_have_their_own_pair() {
        let second = "[[project]]\nname = \"b\"\nrepository = \"github.com/ministryofjustice/opg-digideps\"\n\
                      targets = [\"github\"]\ndocker_id = \"opgother\"\ntoken_var = \"OTHER\"\n";
        let said = error(&format!("{SMALLEST}\n{second}"));
        assert!(said.contains("share the variable `DOCKER_USER`"), "{said}");
        let own = format!("{SMALLEST}\n{second}user_var = \"OTHER_USER\"\n");
        parse(&own, "pullpass.toml").unwrap();
        let same = format!("{SMALLEST}\n{second}").replace("service-id", "organization-token");
        parse(&same, "pullpass.toml").unwrap();
        let crossed = format!("{SMALLEST}\n{second}user_var = \"DOCKER_ACCESS_TOKEN\"\n");
        assert!(error(&crossed).contains("share the variable `DOCKER_ACCESS_TOKEN`"));
    }

    #[test]
    fn two_projects_share_nothing() {
        let second = |lines: &str| format!("{SMALLEST}\n[[project]]\n{lines}");
        let target = "repository = \"github.com/acme/b\"\ntargets = [\"github\"]\n";
        let said = error(&second(&format!(
            "name = \"digideps\"\n{target}docker_id = \"opgother\"\n"
        )));
        assert!(said.contains("share the name `digideps`"), "{said}");
        let said = error(&second(&format!(
            "name = \"b\"\n{target}docker_id = \"opgdigideps\"\n"
        )));
        assert!(said.contains("share the Docker ID `opgdigideps`"), "{said}");
        let same = target.replace("acme/b", "ministryofjustice/opg-digideps");
        let said = error(&second(&format!(
            "name = \"b\"\n{same}docker_id = \"opgother\"\n"
        )));
        assert!(
            said.contains("share the variable `DOCKER_ACCESS_TOKEN`"),
            "{said}"
        );
        let said = error(&second(&format!(
            "name = \"b\"\n{}docker_id = \"opgother\"\n",
            same.replace("opg-digideps", "OPG-Digideps")
        )));
        assert!(said.contains("share the variable"), "{said}");
        let apart = format!("name = \"b\"\n{target}docker_id = \"opgother\"\n");
        assert!(parse(&second(&apart), "x").is_ok());
    }

    #[test]
    fn a_repository_is_written_in_several_ways() {
        for text in [
            "github.com/acme/shop",
            "https://github.com/acme/shop.git",
            "git@github.com:acme/shop.git",
            "acme/shop",
        ] {
            assert_eq!(
                finish::owner_and_name(text).as_deref(),
                Some("acme/shop"),
                "{text}"
            );
        }
        for wrong in ["", "shop", "a/b/c/d", "github.com//shop", "acme/shop?x"] {
            assert_eq!(finish::owner_and_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time_have_units() {
        assert_eq!(parse_duration("90d"), Ok(SignedDuration::from_hours(2160)));
        assert_eq!(parse_duration("0s"), Ok(SignedDuration::ZERO));
        for wrong in ["90", "d", "-1d", "1y", "99999999999w", "1.5h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wish_renews_what_the_file_would_leave() {
        let fleet = parse(SMALLEST, "x").unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let plain = fleet.projects[0].desired(Wish::default(), now);
        assert_eq!(
            plain.renew_minted_before,
            now - SignedDuration::from_hours(2160)
        );
        let wish = Wish {
            renew_minted_before: Some(now),
            ..Wish::default()
        };
        assert_eq!(
            fleet.projects[0].desired(wish, now).renew_minted_before,
            now
        );
    }

    #[test]
    fn what_an_earlier_run_renewed_is_not_renewed_again() {
        let fleet = parse(SMALLEST, "x").unwrap();
        let project = &fleet.projects[0];
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let before = |hours: i64| now - SignedDuration::from_hours(hours);
        let kept = |hours, generation| Kept {
            generation: Generation(generation),
            attempt: crate::label::Attempt(1),
            token: crate::observed::TokenId(1),
            minted_at: before(hours),
            current_since: Some(before(hours)),
        };
        let named = Wish {
            renew_minted_before: Some(now),
            ..Wish::default()
        };
        let all = Wish {
            goes_on: true,
            ..named
        };
        let renews = |wish, stored: &Stored, minted_at| {
            minted_at < project.desired_from(wish, stored, now).renew_minted_before
        };
        let with = |current, pending| Stored {
            current,
            pending,
            ..Stored::nothing()
        };
        // Pending: it is what was asked for, unless it is too old by the fleet file.
        let begun = with(Some(kept(50, 1)), Some(kept(1, 2)));
        assert!(!renews(named, &begun, before(1)));
        assert!(renews(named, &begun, before(50)));
        let old = with(None, Some(kept(100 * 24, 2)));
        assert!(renews(named, &old, before(100 * 24)));
        // Renewed within its grace of seven hours: `--all` leaves it, a name does not.
        let lately = with(Some(kept(6, 2)), None);
        assert!(!renews(all, &lately, before(6)));
        assert!(renews(named, &lately, before(6)));
        for (hours, generation) in [(8, 2), (6, 1)] {
            let stored = with(Some(kept(hours, generation)), None);
            assert!(renews(all, &stored, before(hours)), "{hours} {generation}");
        }
        // A leak is answered whatever was done a moment ago.
        let leak = Wish {
            leak: Some(Leak {
                minted_before: now,
                keep_builds_running: true,
            }),
            ..all
        };
        assert!(renews(leak, &begun, before(1)));
    }
}
