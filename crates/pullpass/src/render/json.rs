//! The document `pullpass.audit/1`: an interface that scripts rely on, so its types are its own and
//! the auditor's can change without it.
//!
//! One entry is one line: `grep` and `diff` work on it, and a fleet is written as it is audited.
//! For the same reason `summary`, which is known last, stands last.

use std::collections::BTreeMap;
use std::io::{self, Write};

use pullpass_audit::effect::{By, Provider};
use pullpass_audit::finding::{Finding, Fixable, Severity};
use pullpass_audit::verdict::{self, Auth, Place};
use schemars::JsonSchema;
use serde::Serialize;

use super::held::Held;
use super::line::{self, Line, Object};
use super::{Fragment, Render, Repository, Totals};

/// The name of the document.
pub(crate) const SCHEMA: &str = "pullpass.audit/1";

/// What `pullpass audit --format json` prints.
#[allow(
    dead_code,
    reason = "the document is written piece by piece; this is its JSON Schema"
)]
#[derive(Serialize, JsonSchema)]
#[schemars(title = "pullpass.audit/1")]
pub(crate) struct Document<'a> {
    /// The name of this shape.
    #[schemars(extend("const" = "pullpass.audit/1"))]
    schema: &'a str,
    /// The pulls, in the order of repositories and files: one for each place that is written down
    /// and each job that reaches it.
    pulls: Vec<Pull<'a>>,
    /// What to act on.
    findings: Vec<FindingEntry<'a>>,
    /// What could not be understood.
    unread: Vec<Unread<'a>>,
    /// Third-party actions that no table knows. If one runs in a container, its pull is not listed.
    unlisted: Vec<Unlisted<'a>>,
    /// What it comes to.
    summary: Summary<'a>,
}

#[derive(Serialize, JsonSchema)]
struct Summary<'a> {
    /// Repositories that were audited.
    repositories: usize,
    /// CI files that were read.
    files: usize,
    /// Entries of `pulls`.
    pulls: usize,
    /// Pulls by `auth`; every name is there.
    by_auth: BTreeMap<&'a str, usize>,
    /// How many of the pulls are not `reached`.
    unreached: usize,
    /// Entries of `findings`.
    findings: usize,
    /// Findings by `severity`; every name is there.
    by_severity: BTreeMap<&'a str, usize>,
    /// Findings by `rule`.
    by_rule: &'a BTreeMap<&'a str, usize>,
    /// Findings that an ignore comment or `pullpass.toml` silenced.
    silenced: usize,
    /// Findings that the baseline holds.
    baselined: usize,
}

/// One container-image pull.
#[derive(Serialize, JsonSchema)]
struct Pull<'a> {
    /// Name of the repository's folder; its path below the folder given when there are many.
    repository: &'a str,
    /// Path in the repository.
    file: &'a str,
    /// 1-based line of the image as written, or of the command that pulls it.
    line: u32,
    /// 1-based column, in characters.
    column: u32,
    /// The CI system.
    provider: ProviderName,
    /// The job.
    job: &'a str,
    /// The step; empty when the pull is made before the first.
    step: &'a str,
    /// What causes it.
    by: ByName,
    /// The image as written, after what can be resolved has been.
    image: Option<&'a str>,
    /// Its canonical form, when it can be known.
    reference: Option<&'a str>,
    /// Its registry, when it can be known.
    registry: Option<&'a str>,
    /// As whom.
    auth: AuthName,
    /// What authenticates it, in the words of the file.
    credential: Option<Credential<'a>>,
    /// Why, in one sentence.
    reason: &'a str,
    /// Whether CI makes this pull. False for the image of a job that no workflow runs and of an
    /// executor that no such job uses (`job` is then `executor NAME`); no finding is about these.
    reached: bool,
    /// How it came about, oldest first.
    trace: Vec<Step<'a>>,
}

/// What authenticates a pull. A literal secret is never here.
#[derive(Serialize, JsonSchema)]
struct Credential<'a> {
    /// User name as written.
    username: Option<&'a str>,
    /// The variable or secret that holds the password.
    password: Option<&'a str>,
}

/// A place, and what it has to do with the matter.
#[derive(Serialize, JsonSchema)]
struct Step<'a> {
    /// Path in the repository.
    file: &'a str,
    /// 1-based line.
    line: u32,
    /// 1-based column, in characters.
    column: u32,
    /// What happens there.
    note: &'a str,
}

/// Something to act on.
#[derive(Serialize, JsonSchema)]
struct FindingEntry<'a> {
    /// Id of the rule: see `pullpass explain`.
    rule: &'a str,
    /// How much it matters, after policy.
    severity: SeverityName,
    /// Name of the repository, as in `pulls`.
    repository: &'a str,
    /// Path in the repository.
    file: &'a str,
    /// 1-based line.
    line: u32,
    /// 1-based column, in characters.
    column: u32,
    /// 1-based last line.
    end_line: u32,
    /// One past the last column.
    end_column: u32,
    /// The jobs it is about.
    jobs: &'a [String],
    /// The image it is about, canonical where it can be known.
    image: Option<&'a str>,
    /// What is wrong.
    message: &'a str,
    /// What to do.
    help: &'a str,
    /// Whether an edit can mend it.
    fix: FixName,
    /// Stable across edits elsewhere in the file.
    fingerprint: &'a str,
    /// Other places that belong to it, oldest first.
    related: Vec<Step<'a>>,
}

/// A file, or a part of one, that could not be understood.
#[derive(Serialize, JsonSchema)]
struct Unread<'a> {
    /// Name of the repository, as in `pulls`.
    repository: &'a str,
    /// Path in the repository; empty when all of it is meant.
    file: &'a str,
    /// 1-based line.
    line: u32,
    /// Why.
    message: &'a str,
}

/// A third-party action that no table knows.
#[derive(Serialize, JsonSchema)]
struct Unlisted<'a> {
    /// `owner/name`.
    name: &'a str,
    /// How many of the repositories use it.
    repositories: usize,
}

/// Declares the published name of each value of one of the auditor's types.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident of $source:ident { $($(#[$case_doc:meta])* $case:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Serialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        enum $name { $($(#[$case_doc])* $case),* }

        impl From<$source> for $name {
            fn from(value: $source) -> Self {
                match value { $($source::$case => Self::$case),* }
            }
        }

        impl $name {
            fn name(self) -> &'static str {
                match self { $(Self::$case => $source::$case.name()),* }
            }
        }
    };
}

names! {
    /// What causes a pull.
    ByName of By {
        /// First image of a CircleCI docker executor.
        Executor,
        /// Any later image of one; a GitHub service container.
        Service,
        /// A GitHub job container.
        Container,
        /// `docker://`, a Docker action, or an image that an action is known to pull.
        Action,
        /// A shell command.
        Run,
        /// A Compose file.
        Compose,
        /// A Dockerfile.
        Dockerfile,
        /// A command or job of an orb.
        Orb,
    }
}
names! {
    /// As whom a pull is made.
    AuthName of Auth {
        /// With a credential of the project's.
        Authenticated,
        /// With one on some paths only.
        Conditional,
        /// With the CI vendor's own credential.
        Platform,
        /// With none.
        Anonymous,
        /// With none, and there is no syntax to give one.
        Impossible,
        /// Not from Docker Hub.
        NotApplicable,
        /// Cannot be known.
        Unknown,
    }
}
names! {
    /// How much a finding matters.
    SeverityName of Severity {
        /// Worth knowing.
        Info,
        /// Should be mended.
        Warning,
        /// Builds fail because of it, or a secret is out.
        Error,
    }
}
names! {
    /// Whether an edit can mend a finding.
    FixName of Fixable {
        /// No build that passed before can fail because of the edit.
        Safe,
        /// A person should look at the edit.
        Review,
        /// No edit can.
        None,
    }
}

/// The CI system.
#[derive(Clone, Copy, Serialize, JsonSchema)]
enum ProviderName {
    #[serde(rename = "circleci")]
    CircleCi,
    #[serde(rename = "github")]
    GitHub,
}

impl ProviderName {
    fn name(self) -> &'static str {
        match self {
            Self::CircleCi => Provider::CircleCi.name(),
            Self::GitHub => Provider::GitHub.name(),
        }
    }
}

impl Line for Pull<'_> {
    fn fields(&self, object: &mut Object<'_>) {
        object.text("repository", self.repository);
        object.text("file", self.file);
        object.number("line", self.line);
        object.number("column", self.column);
        object.text("provider", self.provider.name());
        object.text("job", self.job);
        object.text("step", self.step);
        object.text("by", self.by.name());
        object.optional("image", self.image);
        object.optional("reference", self.reference);
        object.optional("registry", self.registry);
        object.text("auth", self.auth.name());
        match &self.credential {
            Some(credential) => object.object("credential", credential),
            None => object.null("credential"),
        }
        object.text("reason", self.reason);
        object.flag("reached", self.reached);
        object.objects("trace", &self.trace);
    }
}

impl Line for Credential<'_> {
    fn fields(&self, object: &mut Object<'_>) {
        object.optional("username", self.username);
        object.optional("password", self.password);
    }
}

impl Line for Step<'_> {
    fn fields(&self, object: &mut Object<'_>) {
        object.text("file", self.file);
        object.number("line", self.line);
        object.number("column", self.column);
        object.text("note", self.note);
    }
}

impl Line for FindingEntry<'_> {
    fn fields(&self, object: &mut Object<'_>) {
        object.text("rule", self.rule);
        object.text("severity", self.severity.name());
        object.text("repository", self.repository);
        object.text("file", self.file);
        object.number("line", self.line);
        object.number("column", self.column);
        object.number("end_line", self.end_line);
        object.number("end_column", self.end_column);
        object.texts("jobs", self.jobs);
        object.optional("image", self.image);
        object.text("message", self.message);
        object.text("help", self.help);
        object.text("fix", self.fix.name());
        object.text("fingerprint", self.fingerprint);
        object.objects("related", &self.related);
    }
}

fn step<'a>(place: &'a Place, note: &'a str) -> Step<'a> {
    Step {
        file: &place.file,
        line: place.line,
        column: place.column,
        note,
    }
}

fn pull<'a>(repository: &'a str, pull: &'a verdict::Pull) -> Pull<'a> {
    Pull {
        repository,
        file: &pull.place.file,
        line: pull.place.line,
        column: pull.place.column,
        provider: match pull.provider {
            Provider::CircleCi => ProviderName::CircleCi,
            Provider::GitHub => ProviderName::GitHub,
        },
        job: &pull.job,
        step: &pull.step,
        by: pull.by.into(),
        image: pull.image.as_deref(),
        reference: pull.reference.as_deref(),
        registry: pull.registry.as_deref(),
        auth: pull.auth.into(),
        credential: pull.credential.as_ref().map(|c| Credential {
            username: c.username.as_deref(),
            password: c.password.as_deref(),
        }),
        reason: &pull.reason,
        reached: pull.reached,
        trace: pull.trace.iter().map(|s| step(&s.place, &s.note)).collect(),
    }
}

fn finding<'a>(repository: &'a str, finding: &'a Finding) -> FindingEntry<'a> {
    let place = &finding.place;
    FindingEntry {
        rule: finding.rule,
        severity: finding.severity.into(),
        repository,
        file: &place.file,
        line: place.line,
        column: place.column,
        end_line: place.end_line,
        end_column: place.end_column,
        jobs: &finding.jobs,
        image: finding.image.as_deref(),
        message: &finding.message,
        help: &finding.help,
        fix: finding.fix.into(),
        fingerprint: &finding.fingerprint,
        related: finding.related.iter().map(|(p, n)| step(p, n)).collect(),
    }
}

/// Entries one per line. Values of these types cannot fail to be written.
pub(super) fn lines<T: Serialize>(entries: impl Iterator<Item = T>, separator: &str) -> String {
    let mut out = Vec::new();
    for entry in entries {
        if !out.is_empty() {
            out.extend_from_slice(separator.as_bytes());
        }
        let _ = serde_json::to_writer(&mut out, &entry);
    }
    String::from_utf8(out).unwrap_or_default()
}

/// The renderer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json;

impl Render for Json {
    fn separator(&self) -> &'static str {
        ",\n    "
    }

    fn open(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{{\n  \"schema\": \"{SCHEMA}\",\n  \"pulls\": [\n    ")
    }

    fn fragment(&self, repository: &Repository<'_>) -> Fragment {
        let (audit, name) = (repository.audit, repository.name);
        let separator = self.separator();
        Fragment {
            now: line::lines(audit.pulls.iter().map(|p| pull(name, p)), separator),
            later: [
                line::lines(audit.findings.iter().map(|f| finding(name, f)), separator),
                lines(
                    audit.unread.iter().map(|u| Unread {
                        repository: name,
                        file: &u.file,
                        line: u.line,
                        message: &u.message,
                    }),
                    separator,
                ),
                String::new(),
            ],
            totals: Totals::default(),
        }
    }

    fn close(&self, out: &mut dyn Write, later: &mut [Held; 3], totals: &Totals) -> io::Result<()> {
        let unlisted = lines(
            totals.unlisted.iter().map(|(name, &n)| Unlisted {
                name,
                repositories: n,
            }),
            self.separator(),
        );
        let summary = Summary {
            repositories: totals.repositories,
            files: totals.files,
            pulls: totals.pulls,
            by_auth: Auth::ALL
                .iter()
                .map(|&auth| (auth.name(), totals.auth(auth) + totals.unreached(auth)))
                .collect(),
            unreached: totals.unreached.iter().sum(),
            findings: totals.findings(),
            by_severity: [
                (Severity::Error.name(), totals.errors),
                (Severity::Warning.name(), totals.warnings),
                (Severity::Info.name(), totals.infos),
            ]
            .into(),
            by_rule: &totals.by_rule,
            silenced: totals.silenced,
            baselined: totals.baselined,
        };
        let [findings, unread, _] = later;
        write!(out, "\n  ],\n  \"findings\": [\n    ")?;
        findings.write_to(out)?;
        write!(out, "\n  ],\n  \"unread\": [\n    ")?;
        unread.write_to(out)?;
        write!(
            out,
            "\n  ],\n  \"unlisted\": [\n    {unlisted}\n  ],\n  \"summary\": {}\n}}\n",
            serde_json::to_string(&summary)?
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn what_is_written_is_what_the_schema_describes() {
        for audit in [samples::audit(), samples::hostile()] {
            let pulls = || audit.pulls.iter().map(|p| pull("a \"b\"", p));
            assert_eq!(line::lines(pulls(), "\n"), lines(pulls(), "\n"));
            let findings = || audit.findings.iter().map(|f| finding("a", f));
            assert_eq!(line::lines(findings(), "\n"), lines(findings(), "\n"));
        }
        for by in [
            By::Executor,
            By::Service,
            By::Container,
            By::Action,
            By::Run,
            By::Compose,
            By::Dockerfile,
            By::Orb,
        ] {
            assert_eq!(serde_json::to_value(ByName::from(by)).unwrap(), by.name());
        }
        for auth in Auth::ALL {
            assert_eq!(
                serde_json::to_value(AuthName::from(auth)).unwrap(),
                auth.name()
            );
        }
        for severity in [Severity::Info, Severity::Warning, Severity::Error] {
            assert_eq!(
                serde_json::to_value(SeverityName::from(severity)).unwrap(),
                severity.name()
            );
        }
        for fix in [Fixable::Safe, Fixable::Review, Fixable::None] {
            assert_eq!(
                serde_json::to_value(FixName::from(fix)).unwrap(),
                fix.name()
            );
        }
        for (name, provider) in [
            (ProviderName::CircleCi, Provider::CircleCi),
            (ProviderName::GitHub, Provider::GitHub),
        ] {
            assert_eq!(serde_json::to_value(name).unwrap(), provider.name());
        }
    }
}
