//! `pullpass.toml`: what a project says about its audit.
//!
//! It is read by hand over the parsed table, key by key, so that a key that means nothing can be
//! answered with its line and the key that was probably meant. Tables of other commands are theirs
//! to read.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use pullpass_audit::finding::{Accept, Ignore, Policy, Severity};
use pullpass_audit::rules;
use schemars::JsonSchema;
use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, ErrorKind, Result, did_you_mean};

/// The name of the file.
pub(crate) const FILE_NAME: &str = "pullpass.toml";

/// Top-level tables: `audit`, and those that other commands read.
const TABLES: [&str; 9] = [
    "audit", "hub", "defaults", "project", "store", "circleci", "github", "limits", "fix",
];

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
        let reader = Reader { text, name };
        let root = DeTable::parse(text).map_err(|error| {
            reader.wrong(
                error.span().unwrap_or(0..0),
                format!("not TOML: {}", error.message()),
                "see https://toml.io for how it is written",
            )
        })?;
        let mut config = Self::default();
        for (key, value) in root.get_ref() {
            match key.get_ref().as_ref() {
                "audit" => reader.audit(value, &mut config)?,
                known if TABLES.contains(&known) => {}
                _ => return Err(reader.unknown(key, "table", &TABLES)),
            }
        }
        Ok(config)
    }
}

type Key<'t> = Spanned<std::borrow::Cow<'t, str>>;
type Value<'t> = Spanned<DeValue<'t>>;

struct Reader<'t> {
    text: &'t str,
    name: &'t str,
}

impl Reader<'_> {
    fn wrong(&self, at: Range<usize>, happened: String, next: impl Into<String>) -> Error {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        let column = before.get(start..).unwrap_or("").chars().count() + 1;
        Error::new(
            ErrorKind::Configuration,
            "read the configuration",
            format!("{}:{line}:{column}: {happened}", self.name),
            next,
        )
    }

    fn unknown(&self, key: &Key<'_>, what: &str, known: &[&str]) -> Error {
        self.wrong(
            key.span(),
            format!("unknown {what} `{}`", key.get_ref()),
            did_you_mean(
                key.get_ref(),
                known.iter().copied(),
                &format!("known here: {}", known.join(", ")),
            ),
        )
    }

    fn table<'v, 't>(&self, value: &'v Value<'t>, key: &str) -> Result<&'v DeTable<'t>> {
        value.get_ref().as_table().ok_or_else(|| {
            self.wrong(
                value.span(),
                format!(
                    "`{key}` is a table, not {}",
                    with_article(value.get_ref().type_str())
                ),
                format!("write it as `[{key}]`"),
            )
        })
    }

    fn string<'v>(&self, key: &Key<'_>, value: &'v Value<'_>) -> Result<&'v str> {
        value.get_ref().as_str().ok_or_else(|| {
            self.wrong(
                value.span(),
                format!(
                    "`{}` is a string, not {}",
                    key.get_ref(),
                    with_article(value.get_ref().type_str())
                ),
                "put it in quotes",
            )
        })
    }

    /// One of a few words.
    fn word<T: Copy>(&self, key: &Key<'_>, value: &Value<'_>, words: &[(&str, T)]) -> Result<T> {
        let written = self.string(key, value)?;
        match words.iter().find(|(word, _)| *word == written) {
            Some((_, meaning)) => Ok(*meaning),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(self.wrong(
                    value.span(),
                    format!("`{}` cannot be `{written}`", key.get_ref()),
                    did_you_mean(
                        written,
                        known.iter().copied(),
                        &format!("it is one of {}", known.join(", ")),
                    ),
                ))
            }
        }
    }

    fn audit(&self, value: &Value<'_>, config: &mut Config) -> Result<()> {
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

    fn ignore(&self, value: &Value<'_>) -> Result<Ignore> {
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

    fn rule(&self, id: &str, at: Range<usize>) -> Result<String> {
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

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
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

    /// What holds for the repository at `root`: the file there, or the nearest one above it.
    pub(crate) fn of(&self, root: Option<&Path>) -> Result<Arc<Config>> {
        if let Some(given) = &self.given {
            return Ok(Arc::clone(given));
        }
        let Some(root) = root else {
            return Ok(Arc::default());
        };
        Ok(self.nearest(root)?.unwrap_or_default())
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
            match above(folder) {
                Some(parent) => self.nearest(&parent)?,
                None => None,
            }
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(folder.to_owned(), found.clone());
        Ok(found)
    }
}

/// The folder above, also where the path as written does not show it.
fn above(folder: &Path) -> Option<PathBuf> {
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
        hub: Option<serde_json::Map<String, serde_json::Value>>,
        /// What holds for every project that does not say otherwise.
        defaults: Option<serde_json::Map<String, serde_json::Value>>,
        /// The projects, each with its identity.
        project: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
        /// Where secrets are kept.
        store: Option<serde_json::Map<String, serde_json::Value>>,
        /// CircleCI.
        circleci: Option<serde_json::Map<String, serde_json::Value>>,
        /// GitHub.
        github: Option<serde_json::Map<String, serde_json::Value>>,
        /// How much may be changed in one run.
        limits: Option<serde_json::Map<String, serde_json::Value>>,
        /// What `pullpass fix` writes.
        fix: Option<serde_json::Map<String, serde_json::Value>>,
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
        let text = "[hub]\norganization = \"o\"\n[defaults]\nstore = \"file\"\n[[project]]\nname = \"p\"\n";
        assert_eq!(
            Config::parse(text, "pullpass.toml").unwrap(),
            Config::default()
        );
    }

    #[test]
    fn an_unknown_key_is_answered_with_its_place_and_the_nearest_one() {
        insta::assert_snapshot!(error("[audit]\npolcy = \"own-credential\"\n"), @r"
        cannot read the configuration: pullpass.toml:2:1: unknown key `polcy`
          help: did you mean `policy`? known here: policy, fail_on, rules, ignore
        ");
        insta::assert_snapshot!(error("[audits]\n"), @r"
        cannot read the configuration: pullpass.toml:1:2: unknown table `audits`
          help: did you mean `audit`? known here: audit, hub, defaults, project, store, circleci, github, limits, fix
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
        assert_eq!(configs.of(Some(&a)).unwrap().fail_on, Some(FailOn::Never));
        assert_eq!(configs.of(Some(&b)).unwrap().fail_on, Some(FailOn::Info));
    }
}
