//! `pullpass.toml`: what a project says about its audit.
//!
//! It is read by hand over the parsed table, key by key, so that a key that means nothing can be
//! answered with its line and the key that was probably meant. Tables of other commands are theirs
//! to read.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use pullpass_audit::finding::{Accept, Ignore, Policy, Severity};
use pullpass_audit::rules;
use pullpass_fix::names::Names;
use pullpass_fix::{Identity, Login};
use pullpass_fleet::file::{Fleet, Project, TABLES};
use pullpass_fleet::reader::{self, Reader, Value, did_you_mean};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::listing::Listing;

/// The name of the file.
pub(crate) const FILE_NAME: &str = "pullpass.toml";

/// The least severity that makes the exit code 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailOn {
    /// Any finding.
    Info,
    /// A warning or an error.
    #[default]
    Warning,
    /// An error.
    Error,
    /// None.
    Never,
}

impl FailOn {
    /// Whether a finding of this severity makes the exit code 1.
    pub(crate) fn is_reached_by(self, severity: Severity) -> bool {
        match self {
            Self::Info => true,
            Self::Warning => severity >= Severity::Warning,
            Self::Error => severity >= Severity::Error,
            Self::Never => false,
        }
    }
}

/// What the file says, as far as `audit` reads it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Config {
    /// `[audit]`.
    pub(crate) policy: Policy,
    /// `fail_on`.
    pub(crate) fail_on: Option<FailOn>,
    /// `[fix]`.
    pub(crate) fix: Wishes,
}

/// What `[fix]` says; an argument of the command goes before each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) user_var: Option<String>,
    pub(crate) token_var: Option<String>,
    pub(crate) login: Option<Login>,
    pub(crate) identity: Option<Identity>,
    pub(crate) contexts: Vec<String>,
}

impl Wishes {
    /// The names that the fleet's credentials are delivered under, where it says which and they are the same for
    /// all: what signs in with others would find nothing there.
    fn as_delivered(&mut self, fleet: &Fleet) {
        let names = |project: &Project| (project.user_var.clone(), project.token_var.clone());
        let all: BTreeSet<_> = fleet.projects.iter().map(names).collect();
        if let (1, Some(pair)) = (all.len(), all.into_iter().next())
            && pair != Names::usual()
            && self.user_var.is_none()
            && self.token_var.is_none()
        {
            self.user_var = Some(pair.0);
            self.token_var = Some(pair.1);
        }
    }
}

/// Whether a shell and CI take this for the name of a variable: it is written into scripts.
pub(crate) fn is_variable(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Config {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).map_err(|e| Error::unreadable("configuration", path, &e))?;
        Self::parse(&text, &path.to_string_lossy())
    }

    /// Reads its text; `name` is for errors.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Self> {
        let reader = AuditReader(Reader::new(text, name));
        let root = reader.root()?;
        let mut config = Self::default();
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "audit" => reader.audit(value, &mut config)?,
                "fix" => reader.fix(value, &mut config.fix)?,
                known if TABLES.contains(&known) => {}
                _ => return Err(reader.unknown(key, "table", &TABLES).into()),
            }
        }
        // A fleet file is read as a whole: what is misspelt in it means nothing to anybody.
        if root.get_ref().keys().any(|key| key.get_ref() == "hub") {
            let fleet = pullpass_fleet::file::parse(text, name)?;
            config.fix.as_delivered(&fleet);
        }
        Ok(config)
    }
}

/// Reads the tables of `audit` and `fix`.
struct AuditReader<'t>(Reader<'t>);

impl<'t> std::ops::Deref for AuditReader<'t> {
    type Target = Reader<'t>;

    fn deref(&self) -> &Reader<'t> {
        &self.0
    }
}

impl AuditReader<'_> {
    fn audit(&self, value: &Value<'_>, config: &mut Config) -> reader::Result<()> {
        for (key, value) in self.table(value, "audit")? {
            match key.get_ref().as_ref() {
                "policy" => {
                    config.policy.accept = self.word(
                        key,
                        value,
                        &[
                            ("own-credential", Accept::OwnCredential),
                            ("any-credential", Accept::AnyCredential),
                            ("runbook", Accept::OwnCredential),
                        ],
                    )?;
                }
                "fail_on" => {
                    config.fail_on = Some(self.word(
                        key,
                        value,
                        &[
                            ("info", FailOn::Info),
                            ("warning", FailOn::Warning),
                            ("error", FailOn::Error),
                            ("never", FailOn::Never),
                        ],
                    )?);
                }
                "rules" => {
                    for (key, value) in self.table(value, "audit.rules")? {
                        let rule = self.rule(key.get_ref(), key.span())?;
                        let severity = self.word(
                            key,
                            value,
                            &[
                                ("off", None),
                                ("info", Some(Severity::Info)),
                                ("warning", Some(Severity::Warning)),
                                ("error", Some(Severity::Error)),
                            ],
                        )?;
                        config.policy.severities.push((rule, severity));
                    }
                }
                "ignore" => {
                    let items = value.get_ref().as_array().ok_or_else(|| {
                        self.wrong(
                            value.span(),
                            "`ignore` is a list of tables".to_owned(),
                            "write each as `[[audit.ignore]]`",
                        )
                    })?;
                    for item in items {
                        config.policy.ignores.push(self.ignore(item)?);
                    }
                }
                _ => {
                    let known = ["policy", "fail_on", "rules", "ignore"];
                    return Err(self.unknown(key, "key", &known));
                }
            }
        }
        Ok(())
    }

    fn fix(&self, value: &Value<'_>, wishes: &mut Wishes) -> reader::Result<()> {
        for (key, entry) in self.table(value, "fix")? {
            let variable = || {
                let name = self.string(key, entry)?;
                if is_variable(name) {
                    return Ok(Some(name.to_owned()));
                }
                Err(self.wrong(
                    entry.span(),
                    format!("`{name}` is no name of a variable"),
                    "it has letters, digits and `_` only, and no `$`",
                ))
            };
            match key.get_ref().as_ref() {
                "user_var" => wishes.user_var = variable()?,
                "token_var" => wishes.token_var = variable()?,
                "login" => {
                    let forms = [("orb", Login::Orb), ("run", Login::Run)];
                    wishes.login = Some(self.word(key, entry, &forms)?);
                }
                "identity" => {
                    let kinds = [("secret", Identity::Secret), ("oidc", Identity::Oidc)];
                    wishes.identity = Some(self.word(key, entry, &kinds)?);
                }
                "context" => {
                    wishes.contexts = match entry.get_ref().as_array() {
                        Some(items) => items
                            .iter()
                            .map(|item| self.string(key, item).map(str::to_owned))
                            .collect::<reader::Result<_>>()?,
                        None => vec![self.string(key, entry)?.to_owned()],
                    };
                }
                _ => {
                    let known = ["user_var", "token_var", "login", "identity", "context"];
                    return Err(self.unknown(key, "key", &known));
                }
            }
        }
        Ok(())
    }

    fn ignore(&self, value: &Value<'_>) -> reader::Result<Ignore> {
        let mut ignore = Ignore::default();
        for (key, entry) in self.table(value, "audit.ignore")? {
            let text = || self.string(key, entry).map(str::to_owned);
            match key.get_ref().as_ref() {
                "rule" => ignore.rule = Some(self.rule(&text()?, entry.span())?),
                "file" => ignore.file = Some(text()?),
                "job" => ignore.job = Some(text()?),
                "image" => ignore.image = Some(text()?),
                "reason" => drop(text()?),
                _ => {
                    let known = ["rule", "file", "job", "image", "reason"];
                    return Err(self.unknown(key, "key", &known));
                }
            }
        }
        if ignore == Ignore::default() {
            return Err(self.wrong(
                value.span(),
                "this `[[audit.ignore]]` would silence everything".to_owned(),
                "give at least one of rule, file, job, image",
            ));
        }
        Ok(ignore)
    }

    fn rule(&self, id: &str, at: Range<usize>) -> reader::Result<String> {
        if rules::ALL.iter().any(|rule| rule.id == id) {
            return Ok(id.to_owned());
        }
        Err(self.wrong(
            at,
            format!("there is no rule `{id}`"),
            did_you_mean(
                id,
                rules::ALL.iter().map(|rule| rule.id),
                "`pullpass rules` lists them",
            ),
        ))
    }
}

/// The configurations of many repositories; each file is read once.
#[derive(Debug)]
pub(crate) struct Configs {
    /// `--config`: serves every repository.
    given: Option<Arc<Config>>,
    /// By folder: what holds there.
    known: Mutex<HashMap<PathBuf, Option<Arc<Config>>>>,
}

impl Configs {
    /// With the file that the person named, if any.
    pub(crate) fn new(given: Option<&Path>) -> Result<Self> {
        Ok(Self {
            given: given.map(Config::read).transpose()?.map(Arc::new),
            known: Mutex::default(),
        })
    }

    /// What holds for the repository at `root`: the file there, or the nearest one above it. `names` are
    /// those at the root, where they are known.
    pub(crate) fn of(&self, root: Option<&Path>, names: Option<&Listing>) -> Result<Arc<Config>> {
        if let Some(given) = &self.given {
            return Ok(Arc::clone(given));
        }
        let Some(root) = root else {
            return Ok(Arc::default());
        };
        let is_missing = |names: &Listing| names.is_whole() && names.kind(FILE_NAME).is_none();
        let found = if names.is_some_and(is_missing) {
            self.nearest_above(root)?
        } else {
            is_of(root)?;
            self.nearest(root)?
        };
        Ok(found.unwrap_or_default())
    }

    fn nearest_above(&self, folder: &Path) -> Result<Option<Arc<Config>>> {
        match above(folder) {
            Some(parent) => self.nearest(&parent),
            None => Ok(None),
        }
    }

    fn nearest(&self, folder: &Path) -> Result<Option<Arc<Config>>> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get(folder) {
                return Ok(known.clone());
            }
        }
        let path = folder.join(FILE_NAME);
        let found = if path.is_file() {
            Some(Arc::new(Config::read(&path)?))
        } else {
            self.nearest_above(folder)?
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(folder.to_owned(), found.clone());
        Ok(found)
    }
}

/// Refuses a repository's own file that is a symbolic link out of it: who wrote the repository chose where it leads.
fn is_of(root: &Path) -> Result<()> {
    let path = root.join(FILE_NAME);
    if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(());
    }
    let leads_out = match (fs::canonicalize(&path), fs::canonicalize(root)) {
        (Ok(real), Ok(root)) => !real.starts_with(root),
        // It leads nowhere.
        _ => false,
    };
    if !leads_out {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!("read the configuration `{}`", path.display()),
        "it is a symbolic link that leads out of the repository, so it is not followed",
        "put the file itself in its place, or name the file that is meant with --config",
    ))
}

/// The folder above, also where the path as written does not show it.
pub(crate) fn above(folder: &Path) -> Option<PathBuf> {
    match folder.parent() {
        Some(parent) if folder.file_name().is_some() => Some(if parent.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            parent.to_owned()
        }),
        _ => fs::canonicalize(folder)
            .ok()
            .and_then(|real| real.parent().map(Path::to_owned)),
    }
}

/// The file as a JSON Schema describes it; [`Reader`] is what reads it.
pub(crate) mod schema {
    #![allow(dead_code, reason = "types that exist for their JSON Schema")]

    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Serialize;

    use super::FailOn;

    /// The configuration of pullpass.
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[schemars(title = "pullpass.toml")]
    pub(crate) struct File {
        /// What `pullpass audit` reports, and how.
        audit: Option<Audit>,
        /// Docker Hub: the organisation and its team.
        hub: Option<Hub>,
        /// What holds for every project that does not say otherwise.
        defaults: Option<Defaults>,
        /// The projects, each with its identity.
        project: Option<Vec<Project>>,
        /// Where secrets are kept.
        store: Option<Store>,
        /// How much may be changed in one run.
        limits: Option<Limits>,
        /// What `pullpass fix` writes.
        fix: Option<Fix>,
    }

    /// `[fix]`: an argument of the command goes before each.
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Fix {
        /// The variable or secret that holds the user name [default: the repository's own, or `DOCKER_USER`].
        user_var: Option<String>,
        /// The variable or secret that holds the token [default: the repository's own, or `DOCKER_ACCESS_TOKEN`].
        token_var: Option<String>,
        /// How CircleCI jobs sign in [default: the repository's own way, or orb].
        login: Option<LoginForm>,
        /// As whom GitHub jobs sign in [default: secret].
        identity: Option<FixIdentity>,
        /// The CircleCI contexts that hold the variables: named on each workflow job that needs them.
        context: Option<Contexts>,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum LoginForm {
        /// `docker/check` of the circleci/docker orb.
        Orb,
        /// A step that runs `docker login`.
        Run,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum FixIdentity {
        /// A user name and a token from secrets.
        Secret,
        /// GitHub's own identity, through an OIDC connection.
        Oidc,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(untagged)]
    enum Contexts {
        /// One.
        One(String),
        /// Several.
        Several(Vec<String>),
    }

    /// `[hub]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Hub {
        /// The organisation.
        organization: String,
        /// The one team that service IDs belong to.
        team: Option<String>,
        /// How a project's Docker ID is made; `{organization}` and `{project}` are filled in, and all but letters and digits left out [default: `{organization}{project}`].
        docker_id: Option<String>,
        /// How its e-mail address is made, with `{docker_id}`, `{project}`, `{organization}`: `platform+{docker_id}@example.org`.
        email: Option<String>,
        /// What a project's token may pull [default: private].
        pull: Option<Pull>,
        /// How many access tokens the organisation may have: 10 in a Team plan, 100 in a Business one [default: 10].
        token_slots: Option<u32>,
        /// What an organisation's access token may pull: repositories, `org/*`, `*/*/public`.
        token_resources: Option<Vec<String>>,
        /// The image whose manifest is asked for when a token is proven [default: `ratelimitpreview/test:latest`].
        probe: Option<String>,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Pull {
        /// Public images, and the private ones that the team may read.
        Private,
        /// Public images alone.
        Public,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Identity {
        /// A Docker ID of its own.
        ServiceId,
        /// An access token of the organisation.
        OrganizationToken,
        /// GitHub's OIDC: no stored secret.
        Oidc,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum StoreKind {
        /// An encrypted file.
        File,
        /// AWS Secrets Manager.
        Aws,
        /// Vault or OpenBao, KV version 2.
        Vault,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Delivery {
        /// pullpass writes the variables.
        Direct,
        /// Terraform reads the store and writes them; its pipeline is triggered.
        Terraform,
    }

    /// What may stand in `[defaults]` and in `[[project]]`.
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Defaults {
        #[serde(flatten)]
        common: Common,
    }

    #[derive(Serialize, JsonSchema)]
    struct Common {
        /// Who a project pulls as [default: service-id].
        identity: Option<Identity>,
        /// The id of the OIDC connection.
        connection: Option<String>,
        /// Where builds get the credential from: `circleci`, `github`, `github:dependabot`, `github:environment:NAME`.
        targets: Option<Vec<String>>,
        /// Where secrets are kept [default: file].
        store: Option<StoreKind>,
        /// The variable that holds the user name [default: `DOCKER_USER`].
        user_var: Option<String>,
        /// The variable that holds the token [default: `DOCKER_ACCESS_TOKEN`].
        token_var: Option<String>,
        /// How old a token may become: `90d`, `6h`, `15m` [default: 90d].
        rotate_after: Option<String>,
        /// When a token ends by itself, from its minting; never without it.
        expires_after: Option<String>,
        /// How long an old token stays alive after the new one is delivered: longer than the longest build [default: 7h].
        grace: Option<String>,
        /// How long a deactivated token is kept before it is deleted [default: 24h].
        settle: Option<String>,
        /// How long a token that the store does not name is left to whoever may have minted it [default: 15m].
        patience: Option<String>,
        /// How the credential reaches the CI systems [default: direct].
        delivery: Option<Delivery>,
        /// The project whose pipeline runs Terraform: `gh/owner/infrastructure`.
        pipeline: Option<String>,
        /// Its branch [default: main].
        branch: Option<String>,
    }

    /// `[[project]]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Project {
        /// Its name: lower-case letters, digits, `-`, `_`, `.`.
        name: String,
        /// `github.com/owner/name`.
        repository: Option<String>,
        /// Its slug at CircleCI, where it is not `gh/owner/name`.
        circleci: Option<String>,
        /// `owner/name` at GitHub, where it is not that of the repository.
        github: Option<String>,
        /// Its Docker ID, where it is not what the template makes.
        docker_id: Option<String>,
        /// The e-mail address of its Docker ID, likewise.
        email: Option<String>,
        #[serde(flatten)]
        common: Common,
    }

    /// `[store]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Store {
        /// The encrypted file, relative to this one [default: `pullpass.secrets.toml`].
        file: Option<String>,
        /// AWS Secrets Manager.
        aws: Option<Aws>,
        /// Vault or OpenBao.
        vault: Option<Vault>,
    }

    /// `[store.aws]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Aws {
        /// The region; the usual chain decides without it.
        region: Option<String>,
        /// A profile of the shared configuration.
        profile: Option<String>,
        /// The key that new secrets are encrypted with.
        kms_key: Option<String>,
        /// The secret with the Docker ID [default: `{project}-dockerhub_id`].
        id_name: Option<String>,
        /// The secret with the token [default: `{project}-dockerhub_token`].
        token_name: Option<String>,
        /// The secret with the account [default: `{project}-dockerhub_account`].
        account_name: Option<String>,
    }

    /// `[store.vault]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Vault {
        /// Where the KV engine is mounted [default: secret].
        mount: Option<String>,
        /// A project's path below it [default: `pullpass/{project}`].
        path: Option<String>,
    }

    /// `[limits]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        /// The share of the fleet that one run may change without `--allow-large` [default: 25%].
        max_change: Option<String>,
        /// Fleets up to this many projects are not held to it [default: 10].
        free: Option<u32>,
    }

    /// `[audit]`
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Audit {
        /// Which credential satisfies the policy for images that the CI vendor pulls.
        policy: Option<Policy>,
        /// The least severity that makes the exit code 1. `--fail-on` overrides it.
        fail_on: Option<FailOn>,
        /// The severity of a rule, by its id.
        rules: Option<BTreeMap<String, RuleSeverity>>,
        /// What is not reported.
        ignore: Option<Vec<Ignore>>,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Policy {
        /// Only the project's own credential: a pull with the vendor's is a warning.
        OwnCredential,
        /// Any credential, the vendor's included.
        AnyCredential,
        /// The same as `own-credential`.
        Runbook,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum RuleSeverity {
        /// Not reported.
        Off,
        /// Worth knowing.
        Info,
        /// Should be mended.
        Warning,
        /// Must be mended.
        Error,
    }

    /// `[[audit.ignore]]`: every condition that is given must hold.
    #[derive(Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Ignore {
        /// Id of a rule.
        rule: Option<String>,
        /// A glob over the file's path in the repository.
        file: Option<String>,
        /// The name of a job.
        job: Option<String>,
        /// A glob over the image, as written or canonical.
        image: Option<String>,
        /// Why, for whoever reads the file next.
        reason: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text, "pullpass.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_audit_table_becomes_a_policy() {
        let config = Config::parse(
            r#"
[audit]
policy = "any-credential"
fail_on = "error"

[audit.rules]
anonymous-pull = "warning"
mirror-bypass = "off"

[[audit.ignore]]
rule = "anonymous-pull"
file = "ci/**"
reason = "builds on a machine with its own mirror"
"#,
            "pullpass.toml",
        )
        .unwrap();
        assert_eq!(config.policy.accept, Accept::AnyCredential);
        assert_eq!(config.fail_on, Some(FailOn::Error));
        assert_eq!(
            config.policy.severities,
            [
                ("anonymous-pull".to_owned(), Some(Severity::Warning)),
                ("mirror-bypass".to_owned(), None)
            ]
        );
        assert_eq!(config.policy.ignores.len(), 1);
    }

    #[test]
    fn tables_of_other_commands_are_theirs_to_read() {
        let text = "[hub]\norganization = \"acme\"\nteam = \"ci-pullers\"\n[defaults]\nstore = \"file\"\n[[project]]\nname = \"shop\"\nrepository = \"github.com/acme/shop\"\ntargets = [\"github\"]\n";
        assert_eq!(
            Config::parse(text, "pullpass.toml").unwrap(),
            Config::default()
        );
    }

    #[test]
    fn the_fix_table_says_what_arguments_would() {
        let text = "[fix]\nuser_var = \"HUB_USER\"\ntoken_var = \"HUB_TOKEN\"\nlogin = \"run\"\nidentity = \"oidc\"\ncontext = [\"a\", \"b\"]\n";
        let wishes = Config::parse(text, "pullpass.toml").unwrap().fix;
        assert_eq!(wishes.user_var.as_deref(), Some("HUB_USER"));
        assert_eq!(wishes.token_var.as_deref(), Some("HUB_TOKEN"));
        assert_eq!(wishes.login, Some(Login::Run));
        assert_eq!(wishes.identity, Some(Identity::Oidc));
        assert_eq!(wishes.contexts, ["a", "b"]);
        let fleet = |more: &str| {
            let all = format!(
                "[hub]\norganization = \"acme\"\nteam = \"pullers\"\n[[project]]\nname = \"shop\"\nrepository = \"github.com/acme/shop\"\ntargets = [\"github\"]\n{more}"
            );
            let wishes = Config::parse(&all, "pullpass.toml").unwrap().fix;
            (wishes.user_var, wishes.token_var)
        };
        let pair = |user: &str, token: &str| (Some(user.to_owned()), Some(token.to_owned()));
        assert_eq!(fleet(""), (None, None));
        assert_eq!(
            fleet("user_var = \"U\"\n"),
            pair("U", "DOCKER_ACCESS_TOKEN")
        );
        let said = "user_var = \"U\"\n[fix]\nuser_var = \"A\"\ntoken_var = \"B\"\n";
        assert_eq!(fleet(said), pair("A", "B"));
        insta::assert_snapshot!(error("[fix]\nuser_varr = \"X\"\n"), @r"
        cannot read the configuration: pullpass.toml:2:1: unknown key `user_varr`
          help: did you mean `user_var`? known here: user_var, token_var, login, identity, context
        ");
        assert!(error("[fix]\nuser_var = \"$X\"\n").contains("`$X` is no name of a variable"));
    }

    #[test]
    fn a_fleet_file_is_read_as_a_whole() {
        let misspelt = "[hub]\norganisation = \"o\"\n";
        assert!(error(misspelt).contains("did you mean `organization`?"));
    }

    #[test]
    fn an_unknown_key_is_answered_with_its_place_and_the_nearest_one() {
        insta::assert_snapshot!(error("[audit]\npolcy = \"own-credential\"\n"), @r"
        cannot read the configuration: pullpass.toml:2:1: unknown key `polcy`
          help: did you mean `policy`? known here: policy, fail_on, rules, ignore
        ");
        insta::assert_snapshot!(error("[audits]\n"), @r"
        cannot read the configuration: pullpass.toml:1:2: unknown table `audits`
          help: did you mean `audit`? known here: audit, hub, defaults, project, store, limits, fix
        ");
        insta::assert_snapshot!(error("[audit.rules]\nanonimous-pull = \"off\"\n"), @r"
        cannot read the configuration: pullpass.toml:2:1: there is no rule `anonimous-pull`
          help: did you mean `anonymous-pull`? `pullpass rules` lists them
        ");
    }

    #[test]
    fn a_wrong_value_is_answered_with_the_right_ones() {
        insta::assert_snapshot!(error("[audit]\nfail_on = \"warn\"\n"), @r"
        cannot read the configuration: pullpass.toml:2:11: `fail_on` cannot be `warn`
          help: did you mean `warning`? it is one of info, warning, error, never
        ");
        insta::assert_snapshot!(error("audit = 3\n"), @r"
        cannot read the configuration: pullpass.toml:1:9: `audit` is a table, not an integer
          help: write it as `[audit]`
        ");
        insta::assert_snapshot!(error("[[audit.ignore]]\nreason = \"x\"\n"), @r"
        cannot read the configuration: pullpass.toml:1:1: this `[[audit.ignore]]` would silence everything
          help: give at least one of rule, file, job, image
        ");
        assert!(error("[audit\n").contains("pullpass.toml:1:7: not TOML"));
    }

    #[test]
    fn the_schema_knows_the_tables_that_the_reader_knows() {
        let schema = serde_json::to_value(schemars::schema_for!(schema::File)).unwrap();
        let mut properties: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut tables = TABLES.to_vec();
        properties.sort_unstable();
        tables.sort_unstable();
        assert_eq!(properties, tables);
    }

    #[test]
    fn the_nearest_file_above_holds_and_the_repositorys_own_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("x/b"));
        fs::create_dir_all(&a).unwrap();
        fs::create_dir_all(&b).unwrap();
        fs::write(
            folder.path().join(FILE_NAME),
            "[audit]\nfail_on = \"info\"\n",
        )
        .unwrap();
        fs::write(a.join(FILE_NAME), "[audit]\nfail_on = \"never\"\n").unwrap();
        let configs = Configs::new(None).unwrap();
        assert_eq!(
            configs.of(Some(&a), None).unwrap().fail_on,
            Some(FailOn::Never)
        );
        assert_eq!(
            configs.of(Some(&b), None).unwrap().fail_on,
            Some(FailOn::Info)
        );
    }
}
