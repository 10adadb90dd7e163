//! The fleet file, `pullpass.toml`: who pulls as whom, and where that is kept and handed out.
//!
//! ```text
//! text ─► Draft (as written, with places) ─► Fleet (defaults filled in, names made, clashes refused)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use crate::desired::{Desired, Identity, Leak, Target};
use crate::name::{DockerId, Organization, ProjectName, Team};
use crate::reader::{FileError, Key, Reader, Result, Value};

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

const IDENTITIES: [(&str, IdentityKind); 3] = [
    ("service-id", IdentityKind::ServiceId),
    ("organization-token", IdentityKind::OrganizationToken),
    ("oidc", IdentityKind::Oidc),
];
const STORES: [(&str, StoreKind); 3] = [
    ("file", StoreKind::File),
    ("aws", StoreKind::Aws),
    ("vault", StoreKind::Vault),
];

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
}

impl Project {
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
    let root = reader.root()?;
    let mut draft = Draft::default();
    for (key, value) in root.get_ref() {
        match key.get_ref().as_ref() {
            "hub" => draft.hub = Some(hub(reader, value)?),
            "defaults" => draft.defaults = Some(Settings::read(reader, value, true)?),
            "project" => {
                for item in reader.tables(value, "project")? {
                    let settings = Settings::read(reader, item, false)?;
                    draft.projects.push((settings, item.span()));
                }
            }
            "store" => draft.store = Some(store(reader, value)?),
            "limits" => draft.limits = Some(limits(reader, value)?),
            other if OTHER_TABLES.contains(&other) => {}
            _ => return Err(reader.unknown(key, "table", &TABLES)),
        }
    }
    draft.finish(reader)
}

#[derive(Default)]
struct Draft {
    hub: Option<(HubSettings, Templates)>,
    defaults: Option<Settings>,
    projects: Vec<(Settings, Range<usize>)>,
    store: Option<StoreSettings>,
    limits: Option<Limits>,
}

/// What names are made of.
#[derive(Clone)]
struct Templates {
    docker_id: String,
    email: Option<String>,
}

/// A text and where it is written.
type Text = (String, Range<usize>);

/// What may stand in `[defaults]` and in `[[project]]`.
#[derive(Clone, Default)]
struct Settings {
    name: Option<(ProjectName, Range<usize>)>,
    repository: Option<Text>,
    circleci: Option<Text>,
    github: Option<Text>,
    docker_id: Option<Text>,
    email: Option<Text>,
    identity: Option<IdentityKind>,
    connection: Option<Text>,
    targets: Option<(BTreeSet<Target>, Range<usize>)>,
    store: Option<StoreKind>,
    user_var: Option<String>,
    token_var: Option<String>,
    rotate_after: Option<SignedDuration>,
    expires_after: Option<SignedDuration>,
    grace: Option<SignedDuration>,
    settle: Option<SignedDuration>,
    patience: Option<SignedDuration>,
    delivery: Option<(DeliveryKind, Range<usize>)>,
    pipeline: Option<Text>,
    branch: Option<String>,
}

#[derive(Clone, Copy)]
enum DeliveryKind {
    Direct,
    Terraform,
}

/// Keys of `[defaults]`, which `[[project]]` has too.
const DEFAULTS: [&str; 14] = [
    "identity",
    "targets",
    "store",
    "connection",
    "user_var",
    "token_var",
    "rotate_after",
    "expires_after",
    "grace",
    "settle",
    "patience",
    "delivery",
    "pipeline",
    "branch",
];
/// Keys of `[[project]]` alone.
const OWN: [&str; 6] = [
    "name",
    "repository",
    "circleci",
    "github",
    "docker_id",
    "email",
];

impl Settings {
    fn read(reader: Reader<'_>, value: &Value<'_>, is_defaults: bool) -> Result<Self> {
        let mut settings = Self::default();
        let table = if is_defaults { "defaults" } else { "project" };
        for (key, value) in reader.table(value, table)? {
            let name = key.get_ref().as_ref();
            let is_own = OWN.contains(&name);
            if !(DEFAULTS.contains(&name) || is_own && !is_defaults) {
                let known: Vec<&str> = match is_defaults {
                    true => DEFAULTS.to_vec(),
                    false => OWN.iter().chain(&DEFAULTS).copied().collect(),
                };
                return Err(reader.unknown(key, "key", &known));
            }
            settings.set(reader, name, key, value)?;
        }
        Ok(settings)
    }

    fn set(
        &mut self,
        reader: Reader<'_>,
        name: &str,
        key: &Key<'_>,
        value: &Value<'_>,
    ) -> Result<()> {
        let text = || Ok(Some((filled(reader, key, value)?.to_owned(), value.span())));
        match name {
            "name" => {
                let name = ProjectName::new(filled(reader, key, value)?)
                    .map_err(|e| reader.wrong(value.span(), e, "give it another name"))?;
                self.name = Some((name, value.span()));
            }
            "repository" => self.repository = text()?,
            "circleci" => self.circleci = text()?,
            "github" => self.github = text()?,
            "docker_id" => self.docker_id = text()?,
            "email" => self.email = text()?,
            "connection" => self.connection = text()?,
            "pipeline" => self.pipeline = text()?,
            "branch" => self.branch = Some(filled(reader, key, value)?.to_owned()),
            "identity" => self.identity = Some(reader.word(key, value, &IDENTITIES)?),
            "store" => self.store = Some(reader.word(key, value, &STORES)?),
            "targets" => self.targets = Some((targets(reader, key, value)?, value.span())),
            "user_var" => self.user_var = Some(variable(reader, key, value)?),
            "token_var" => self.token_var = Some(variable(reader, key, value)?),
            "rotate_after" => self.rotate_after = Some(duration(reader, key, value)?),
            "expires_after" => self.expires_after = Some(duration(reader, key, value)?),
            "grace" => self.grace = Some(duration(reader, key, value)?),
            "settle" => self.settle = Some(duration(reader, key, value)?),
            "patience" => self.patience = Some(duration(reader, key, value)?),
            "delivery" => {
                let kind = reader.word(
                    key,
                    value,
                    &[
                        ("direct", DeliveryKind::Direct),
                        ("terraform", DeliveryKind::Terraform),
                    ],
                )?;
                self.delivery = Some((kind, value.span()));
            }
            _ => {}
        }
        Ok(())
    }

    /// What is said here, else what is said there.
    fn or(self, defaults: &Self) -> Self {
        let d = defaults.clone();
        Self {
            identity: self.identity.or(d.identity),
            connection: self.connection.or(d.connection),
            targets: self.targets.or(d.targets),
            store: self.store.or(d.store),
            user_var: self.user_var.or(d.user_var),
            token_var: self.token_var.or(d.token_var),
            rotate_after: self.rotate_after.or(d.rotate_after),
            expires_after: self.expires_after.or(d.expires_after),
            grace: self.grace.or(d.grace),
            settle: self.settle.or(d.settle),
            patience: self.patience.or(d.patience),
            delivery: self.delivery.or(d.delivery),
            pipeline: self.pipeline.or(d.pipeline),
            branch: self.branch.or(d.branch),
            ..self
        }
    }
}

fn filled<'v>(reader: Reader<'_>, key: &Key<'_>, value: &'v Value<'_>) -> Result<&'v str> {
    let text = reader.string(key, value)?;
    match text.trim().is_empty() {
        false => Ok(text),
        true => Err(reader.wrong(
            value.span(),
            format!("`{}` is empty", key.get_ref()),
            "give it a value, or leave the line out",
        )),
    }
}

/// A name that both CircleCI and GitHub take for a variable.
fn variable(reader: Reader<'_>, key: &Key<'_>, value: &Value<'_>) -> Result<String> {
    let text = filled(reader, key, value)?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !text.bytes().all(is_plain)
        || text.starts_with(|c: char| c.is_ascii_digit())
        || text.to_ascii_uppercase().starts_with("GITHUB_")
    {
        return Err(reader.wrong(
            value.span(),
            format!("`{text}` is no name of a variable"),
            "letters, digits and `_`, not beginning with a digit or GITHUB_",
        ));
    }
    Ok(text.to_owned())
}

fn targets(reader: Reader<'_>, key: &Key<'_>, value: &Value<'_>) -> Result<BTreeSet<Target>> {
    reader
        .strings(key, value)?
        .into_iter()
        .map(|(text, at)| {
            Target::parse(text).ok_or_else(|| {
                let known = ["circleci", "github", "github:dependabot"];
                let what =
                    "it is one of circleci, github, github:dependabot, github:environment:NAME";
                reader.wrong(
                    at,
                    format!("`{text}` is no target"),
                    crate::reader::did_you_mean(text, known, what),
                )
            })
        })
        .collect()
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

fn duration(reader: Reader<'_>, key: &Key<'_>, value: &Value<'_>) -> Result<SignedDuration> {
    let text = filled(reader, key, value)?;
    parse_duration(text)
        .map_err(|e| reader.wrong(value.span(), e, "write it as 90d, 6h, 15m or 30s"))
}

fn hub(reader: Reader<'_>, value: &Value<'_>) -> Result<(HubSettings, Templates)> {
    let mut organization = None;
    let mut team = None;
    let mut pull = Pull::Private;
    let mut token_slots = 10;
    let mut token_resources = None;
    let mut probe = "ratelimitpreview/test:latest".to_owned();
    let mut templates = Templates {
        docker_id: "{organization}{project}".to_owned(),
        email: None,
    };
    for (key, entry) in reader.table(value, "hub")? {
        let named = |error: crate::name::NameError| {
            reader.wrong(entry.span(), error, "see Docker Hub for how it is spelled")
        };
        match key.get_ref().as_ref() {
            "organization" => {
                let text = filled(reader, key, entry)?;
                organization = Some(Organization::new(text).map_err(named)?);
            }
            "team" => team = Some(Team::new(filled(reader, key, entry)?).map_err(named)?),
            "docker_id" => templates.docker_id = template(reader, key, entry)?,
            "email" => templates.email = Some(template(reader, key, entry)?),
            "pull" => {
                let words = [("private", Pull::Private), ("public", Pull::Public)];
                pull = reader.word(key, entry, &words)?;
            }
            "token_slots" => token_slots = reader.number(key, entry)?,
            "token_resources" => {
                let list = reader.strings(key, entry)?;
                token_resources = Some(list.into_iter().map(|(text, _)| text.to_owned()).collect());
            }
            "probe" => probe = filled(reader, key, entry)?.to_owned(),
            _ => {
                let known = [
                    "organization",
                    "team",
                    "docker_id",
                    "email",
                    "pull",
                    "token_slots",
                    "token_resources",
                    "probe",
                ];
                return Err(reader.unknown(key, "key", &known));
            }
        }
    }
    let organization = organization.ok_or_else(|| {
        reader.wrong(
            value.span(),
            "`[hub]` names no organization",
            "add `organization = \"…\"`",
        )
    })?;
    let token_resources = token_resources.unwrap_or_else(|| match pull {
        Pull::Private => vec![format!("{organization}/*"), "*/*/public".to_owned()],
        Pull::Public => vec!["*/*/public".to_owned()],
    });
    let hub = HubSettings {
        organization,
        team,
        pull,
        token_slots,
        token_resources,
        probe,
    };
    Ok((hub, templates))
}

/// A template names the project, or all projects would get the same name.
fn template(reader: Reader<'_>, key: &Key<'_>, value: &Value<'_>) -> Result<String> {
    let text = filled(reader, key, value)?;
    if !text.contains("{project}") && !text.contains("{docker_id}") {
        return Err(reader.wrong(
            value.span(),
            format!("`{}` is the same for every project", key.get_ref()),
            "put {project} into it",
        ));
    }
    Ok(text.to_owned())
}

fn store(reader: Reader<'_>, value: &Value<'_>) -> Result<StoreSettings> {
    let mut settings = StoreSettings::default();
    for (key, value) in reader.table(value, "store")? {
        match key.get_ref().as_ref() {
            "file" => settings.file = filled(reader, key, value)?.to_owned(),
            "aws" => {
                let aws = &mut settings.aws;
                for (key, value) in reader.table(value, "store.aws")? {
                    let text = || Ok(Some(filled(reader, key, value)?.to_owned()));
                    match key.get_ref().as_ref() {
                        "region" => aws.region = text()?,
                        "profile" => aws.profile = text()?,
                        "kms_key" => aws.kms_key = text()?,
                        "id_name" => aws.id_name = template(reader, key, value)?,
                        "token_name" => aws.token_name = template(reader, key, value)?,
                        "account_name" => aws.account_name = template(reader, key, value)?,
                        _ => {
                            let known = [
                                "region",
                                "profile",
                                "kms_key",
                                "id_name",
                                "token_name",
                                "account_name",
                            ];
                            return Err(reader.unknown(key, "key", &known));
                        }
                    }
                }
            }
            "vault" => {
                for (key, value) in reader.table(value, "store.vault")? {
                    match key.get_ref().as_ref() {
                        "mount" => {
                            settings.vault.mount = filled(reader, key, value)?.to_owned();
                        }
                        "path" => settings.vault.path = template(reader, key, value)?,
                        _ => return Err(reader.unknown(key, "key", &["mount", "path"])),
                    }
                }
            }
            _ => return Err(reader.unknown(key, "key", &["file", "aws", "vault"])),
        }
    }
    Ok(settings)
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

fn limits(reader: Reader<'_>, value: &Value<'_>) -> Result<Limits> {
    let mut limits = Limits::default();
    for (key, value) in reader.table(value, "limits")? {
        match key.get_ref().as_ref() {
            "max_change" => {
                let text = reader.string(key, value)?;
                limits.max_change = text
                    .strip_suffix('%')
                    .and_then(|number| number.parse().ok())
                    .filter(|share| *share <= 100)
                    .ok_or_else(|| {
                        reader.wrong(
                            value.span(),
                            format!("`{text}` is no share of the fleet"),
                            "write it as \"25%\"",
                        )
                    })?;
            }
            "free" => limits.free = reader.number(key, value)?,
            _ => return Err(reader.unknown(key, "key", &["max_change", "free"])),
        }
    }
    Ok(limits)
}

impl Draft {
    fn finish(self, reader: Reader<'_>) -> Result<Fleet> {
        let Some((hub, templates)) = self.hub else {
            return Err(reader.wrong(
                0..0,
                "there is no table `[hub]`",
                "add `[hub]` with `organization = \"…\"`, or let `pullpass init` write the file",
            ));
        };
        if self.projects.is_empty() {
            return Err(reader.wrong(
                0..0,
                "there is no project",
                "add a `[[project]]`, or let `pullpass init` write them from your repositories",
            ));
        }
        let defaults = self.defaults.unwrap_or_default();
        let mut projects = Vec::new();
        let mut clashes = Clashes::default();
        for (settings, at) in self.projects {
            let project = finish_project(reader, settings.or(&defaults), &at, &hub, &templates)?;
            clashes.check(reader, &project, &at)?;
            projects.push(project);
        }
        Ok(Fleet {
            hub,
            store: self.store.unwrap_or_default(),
            limits: self.limits.unwrap_or_default(),
            projects,
        })
    }
}

/// What two projects must not share: a credential that is in two places leaks from two places.
#[derive(Default)]
struct Clashes {
    seen: BTreeMap<String, ProjectName>,
}

impl Clashes {
    fn check(&mut self, reader: Reader<'_>, project: &Project, at: &Range<usize>) -> Result<()> {
        let mut shared = vec![format!("the name `{}`", project.name)];
        if let Identity::ServiceId { id, .. } = &project.identity {
            shared.push(format!("the Docker ID `{id}`"));
        }
        for target in &project.targets {
            let place = match target {
                Target::CircleCi => &project.circleci,
                _ => &project.github,
            };
            let place = place.as_deref().unwrap_or_default();
            shared.push(format!(
                "the variable `{}` of `{place}` ({target})",
                project.token_var
            ));
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
    let hours = SignedDuration::from_hours;
    Ok(Project {
        name,
        repository: settings.repository.map(|(text, _)| text),
        identity,
        email,
        targets,
        circleci,
        github,
        user_var: settings
            .user_var
            .unwrap_or_else(|| "DOCKER_USER".to_owned()),
        token_var: settings
            .token_var
            .unwrap_or_else(|| "DOCKER_ACCESS_TOKEN".to_owned()),
        store: settings.store.unwrap_or(StoreKind::File),
        rotate_after: settings.rotate_after.unwrap_or(hours(90 * 24)),
        expires_after: settings.expires_after,
        // GitHub ends a job after six hours, CircleCI after five.
        grace: settings.grace.unwrap_or(hours(7)),
        settle: settings.settle.unwrap_or(hours(24)),
        patience: settings.patience.unwrap_or(SignedDuration::from_mins(15)),
        delivery,
    })
}

/// `owner/name` of `github.com/owner/name`, of a URL, or of itself.
fn owner_and_name(text: &str) -> Option<String> {
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
            assert_eq!(owner_and_name(text).as_deref(), Some("acme/shop"), "{text}");
        }
        for wrong in ["", "shop", "a/b/c/d", "github.com//shop", "acme/shop?x"] {
            assert_eq!(owner_and_name(wrong), None, "{wrong}");
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
}
