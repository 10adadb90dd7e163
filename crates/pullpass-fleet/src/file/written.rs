//! A fleet file as it is written, each value with its place.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::SignedDuration;

use super::{
    HubSettings, IdentityKind, Limits, OTHER_TABLES, Pull, StoreKind, StoreSettings, TABLES,
    parse_duration,
};
use crate::desired::Target;
use crate::name::{Organization, ProjectName, Team};
use crate::reader::{Key, Reader, Result, Value};

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

/// The whole file.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) hub: Option<(HubSettings, Templates)>,
    pub(super) defaults: Option<Settings>,
    pub(super) projects: Vec<(Settings, Range<usize>)>,
    pub(super) store: Option<StoreSettings>,
    pub(super) limits: Option<Limits>,
}

impl Draft {
    pub(super) fn read(reader: Reader<'_>) -> Result<Self> {
        let root = reader.root()?;
        let mut draft = Self::default();
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
        Ok(draft)
    }
}

/// What names are made of.
#[derive(Clone)]
pub(super) struct Templates {
    pub(super) docker_id: String,
    pub(super) email: Option<String>,
}

/// A text and where it is written.
pub(super) type Text = (String, Range<usize>);
/// The same of a length of time.
pub(super) type Time = (SignedDuration, Range<usize>);

/// What may stand in `[defaults]` and in `[[project]]`.
#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) name: Option<(ProjectName, Range<usize>)>,
    pub(super) repository: Option<Text>,
    pub(super) circleci: Option<Text>,
    pub(super) github: Option<Text>,
    pub(super) docker_id: Option<Text>,
    pub(super) email: Option<Text>,
    pub(super) identity: Option<IdentityKind>,
    pub(super) connection: Option<Text>,
    pub(super) targets: Option<(BTreeSet<Target>, Range<usize>)>,
    pub(super) store: Option<StoreKind>,
    pub(super) user_var: Option<Text>,
    pub(super) token_var: Option<Text>,
    pub(super) rotate_after: Option<Time>,
    pub(super) expires_after: Option<SignedDuration>,
    pub(super) grace: Option<Time>,
    pub(super) settle: Option<SignedDuration>,
    pub(super) patience: Option<SignedDuration>,
    pub(super) delivery: Option<(DeliveryKind, Range<usize>)>,
    pub(super) pipeline: Option<Text>,
    pub(super) branch: Option<String>,
}

/// What the templates of a store may have in them.
const PROJECT: &[&str] = &["project"];

#[derive(Clone, Copy)]
pub(super) enum DeliveryKind {
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
            "circleci" => {
                self.circleci = text()?;
                place(
                    reader,
                    &self.circleci,
                    is_slug,
                    ("is no project of CircleCI", "write it as gh/owner/name"),
                )?;
            }
            "github" => {
                self.github = text()?;
                place(
                    reader,
                    &self.github,
                    is_path,
                    ("is no repository of GitHub", "write it as owner/name"),
                )?;
            }
            "docker_id" => self.docker_id = text()?,
            "email" => {
                self.email = text()?;
                place(
                    reader,
                    &self.email,
                    is_address,
                    ("is no e-mail address", "write it as name@example.org"),
                )?;
            }
            "connection" => self.connection = text()?,
            "pipeline" => self.pipeline = text()?,
            "branch" => self.branch = Some(filled(reader, key, value)?.to_owned()),
            "identity" => self.identity = Some(reader.word(key, value, &IDENTITIES)?),
            "store" => self.store = Some(reader.word(key, value, &STORES)?),
            "targets" => self.targets = Some((targets(reader, key, value)?, value.span())),
            "user_var" => self.user_var = Some((variable(reader, key, value)?, value.span())),
            "token_var" => self.token_var = Some((variable(reader, key, value)?, value.span())),
            "rotate_after" => {
                let age = duration(reader, key, value)?;
                if age.is_zero() {
                    return Err(reader.wrong(
                        value.span(),
                        "a token that is to be renewed at once would be renewed by every run",
                        "say how old it may become, or leave the line out: 90d",
                    ));
                }
                self.rotate_after = Some((age, value.span()));
            }
            "expires_after" => self.expires_after = Some(duration(reader, key, value)?),
            "grace" => {
                let grace = duration(reader, key, value)?;
                if grace.is_zero() {
                    return Err(reader.wrong(
                        value.span(),
                        "a grace of no time would end tokens that builds still use",
                        "make it longer than the longest build, or leave the line out: 7h",
                    ));
                }
                self.grace = Some((grace, value.span()));
            }
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
    pub(super) fn or(self, defaults: &Self) -> Self {
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

/// Refuses a place that is none: no system needs to be asked to know it.
fn place(
    reader: Reader<'_>,
    text: &Option<Text>,
    is_one: fn(&str) -> bool,
    (what, next): (&str, &str),
) -> Result<()> {
    match text {
        Some((text, at)) if !is_one(text) => {
            Err(reader.wrong(at.clone(), format!("`{text}` {what}"), next))
        }
        _ => Ok(()),
    }
}

fn is_name(part: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !matches!(part, "" | "." | "..") && part.chars().all(is_plain)
}

/// A project of CircleCI: `gh/owner/name`, `circleci/id/id`.
fn is_slug(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let systems = ["gh", "github", "bb", "bitbucket", "circleci"];
    matches!(parts.as_slice(), [vcs, owner, name] if systems.contains(vcs) && is_name(owner) && is_name(name))
}

/// A repository of GitHub: `owner/name`, or its address.
fn is_path(text: &str) -> bool {
    let rest = text.strip_prefix("https://").unwrap_or(text);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        [host, owner, name] => host.contains('.') && is_name(owner) && is_name(name),
        [owner, name] => is_name(owner) && is_name(name),
        _ => false,
    }
}

fn is_address(text: &str) -> bool {
    let apart = text.split_once('@');
    apart.is_some_and(|(who, host)| {
        !who.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text.contains(char::is_whitespace)
    })
}

/// An image of Docker Hub, which is what can be asked for there: `name`, `owner/name`, with a tag or a digest.
fn is_on_hub(text: &str) -> bool {
    let name = text.split('@').next().unwrap_or(text);
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    let is_host = !first.is_empty() && (first.contains(['.', ':']) || first == "localhost");
    if is_host && !matches!(first, "docker.io" | "index.docker.io") {
        return false;
    }
    let (path, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
    let is_part = |part: &str| {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        !part.is_empty() && part.bytes().all(is_plain)
    };
    let of_tag = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (is_host || first.is_empty() || is_part(first))
        && path.split('/').all(is_part)
        && !tag.is_empty()
        && tag.bytes().all(of_tag)
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
            "docker_id" => {
                templates.docker_id = template(reader, key, entry, &["project", "organization"])?;
            }
            "email" => {
                let known = ["docker_id", "project", "organization"];
                let text = template(reader, key, entry, &known)?;
                if !is_address(&text) {
                    let next = "write it as \"platform+{docker_id}@example.org\"";
                    let happened = format!("`{text}` makes no e-mail address");
                    return Err(reader.wrong(entry.span(), happened, next));
                }
                templates.email = Some(text);
            }
            "pull" => {
                let words = [("private", Pull::Private), ("public", Pull::Public)];
                pull = reader.word(key, entry, &words)?;
            }
            "token_slots" => {
                token_slots = reader.number(key, entry)?;
                if token_slots == 0 {
                    return Err(reader.wrong(
                        entry.span(),
                        "an organisation without room for a token could have none",
                        "say how many Docker's plan has, or leave the line out: 10",
                    ));
                }
            }
            "token_resources" => {
                let list = reader.strings(key, entry)?;
                token_resources = Some(list.into_iter().map(|(text, _)| text.to_owned()).collect());
            }
            "probe" => {
                probe = filled(reader, key, entry)?.to_owned();
                if !is_on_hub(&probe) {
                    return Err(reader.wrong(
                        entry.span(),
                        format!("`{probe}` is no image of Docker Hub, which is asked for it"),
                        "write it as owner/name:tag",
                    ));
                }
            }
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

fn braced(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{{{name}}}")).collect();
    names.join(", ")
}

/// A template names the project, or all projects would get the same name.
fn template(
    reader: Reader<'_>,
    key: &Key<'_>,
    value: &Value<'_>,
    known: &[&str],
) -> Result<String> {
    let text = filled(reader, key, value)?;
    for part in text.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else {
            let happened = format!("`{}` has a `{{` without a `}}`", key.get_ref());
            let next = format!("known here: {}", braced(known));
            return Err(reader.wrong(value.span(), happened, next));
        };
        if !known.contains(&name) {
            let next = crate::reader::nearest(name, known.iter().copied());
            let next = next.map_or_else(String::new, |name| format!("did you mean `{{{name}}}`? "));
            return Err(reader.wrong(
                value.span(),
                format!("unknown placeholder `{{{name}}}`"),
                format!("{next}known here: {}", braced(known)),
            ));
        }
    }
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
                        "id_name" => aws.id_name = template(reader, key, value, PROJECT)?,
                        "token_name" => aws.token_name = template(reader, key, value, PROJECT)?,
                        "account_name" => {
                            aws.account_name = template(reader, key, value, PROJECT)?;
                        }
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
                let names = [
                    ("id_name", &aws.id_name),
                    ("token_name", &aws.token_name),
                    ("account_name", &aws.account_name),
                ];
                for (at, (one, name)) in names.iter().enumerate() {
                    let rest = names.iter().skip(at + 1);
                    if let Some((other, _)) = rest.into_iter().find(|(_, n)| n == name) {
                        return Err(reader.wrong(
                            value.span(),
                            format!("`{one}` and `{other}` are the same"),
                            "give each of the three secrets a name of its own",
                        ));
                    }
                }
            }
            "vault" => {
                for (key, value) in reader.table(value, "store.vault")? {
                    match key.get_ref().as_ref() {
                        "mount" => {
                            settings.vault.mount = filled(reader, key, value)?.to_owned();
                        }
                        "path" => settings.vault.path = template(reader, key, value, PROJECT)?,
                        _ => return Err(reader.unknown(key, "key", &["mount", "path"])),
                    }
                }
            }
            _ => return Err(reader.unknown(key, "key", &["file", "aws", "vault"])),
        }
    }
    Ok(settings)
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
