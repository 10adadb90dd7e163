//! Audits in the shapes that people and programs read.
//!
//! A fleet does not fit in memory as values, and need not: each repository is rendered where it
//! was audited, in parallel, and only the text is handed on. What a format puts first is written at
//! once; what it puts later is held until then.
//!
//! ```text
//! Audit ─► Render::fragment ─► Fragment { now, later, totals } ─► Stream ─► stdout
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::ValueEnum;
use pullpass_audit::effect::Runner;
use pullpass_audit::finding::{Audit, Severity};
use pullpass_audit::verdict::Auth;

use crate::config::FailOn;

mod clean;
mod excerpt;
pub(crate) mod fix;
mod github;
mod held;
mod human;
pub(crate) mod json;
mod line;
#[cfg(test)]
pub(crate) mod samples;
mod sarif;
#[cfg(test)]
mod tests;

pub(crate) use clean::clean;
pub(crate) use human::Human;

use held::Held;

/// How the result is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs: one document, `pullpass.audit/1` (see `pullpass schema audit`).
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitHub Actions workflow annotations.
    Github,
}

impl Format {
    /// What writes it.
    pub(crate) fn render(self, human: Human) -> Box<dyn Render> {
        match self {
            Self::Human => Box::new(human),
            Self::Json => Box::new(json::Json),
            Self::Sarif => Box::new(sarif::Sarif),
            Self::Github => Box::new(github::Github),
        }
    }
}

/// One audited repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repository<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Where it is from the current folder: empty, or ending in `/`.
    pub(crate) prefix: &'a str,
    /// Whether others are audited with it.
    pub(crate) among_many: bool,
    /// What is said of it.
    pub(crate) audit: &'a Audit,
    /// Findings that a baseline took out.
    pub(crate) baselined: usize,
    /// The least severity that makes the exit code 1.
    pub(crate) fail_on: FailOn,
}

impl Repository<'_> {
    /// The prefix of paths for programs that read them from the repository's root, or from the
    /// current folder when there are many.
    pub(crate) fn prefix_for_tools(&self) -> &str {
        if self.among_many { self.prefix } else { "" }
    }
}

/// What is written of one repository.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fragment {
    /// Written at once.
    pub(crate) now: String,
    /// Held for the end, in up to three sections.
    pub(crate) later: [String; 3],
    /// What it adds to the totals.
    pub(crate) totals: Totals,
}

/// A format.
pub(crate) trait Render: Sync {
    /// What stands between the texts of two repositories.
    fn separator(&self) -> &'static str {
        ""
    }

    /// What stands before everything.
    fn open(&self, out: &mut dyn Write) -> io::Result<()>;

    /// What is written of one repository; the totals are filled in by the caller.
    fn fragment(&self, repository: &Repository<'_>) -> Fragment;

    /// What stands at the end.
    fn close(&self, out: &mut dyn Write, later: &mut [Held; 3], totals: &Totals) -> io::Result<()>;
}

/// What all audits come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) repositories: usize,
    /// Repositories with a finding.
    pub(crate) with_findings: usize,
    pub(crate) files: usize,
    pub(crate) pulls: usize,
    /// Pulls that CI makes, in the order of [`Auth::ALL`].
    pub(crate) by_auth: [usize; Auth::ALL.len()],
    /// What is declared and never run, in the same order.
    pub(crate) unreached: [usize; Auth::ALL.len()],
    /// Anonymous pulls from machines whose address strangers use too.
    pub(crate) anonymous_on_hosted: usize,
    pub(crate) infos: usize,
    pub(crate) warnings: usize,
    pub(crate) errors: usize,
    pub(crate) by_rule: BTreeMap<&'static str, usize>,
    /// The gravest finding of each rule.
    pub(crate) severities: BTreeMap<&'static str, Severity>,
    /// Findings that a comment or the configuration silenced.
    pub(crate) silenced: usize,
    /// Findings that the baseline holds.
    pub(crate) baselined: usize,
    /// Findings that make the exit code 1.
    pub(crate) failing: usize,
    pub(crate) unread: usize,
    /// Actions that no table knows: how many repositories use each.
    pub(crate) unlisted: BTreeMap<String, usize>,
}

impl Totals {
    /// What one repository adds.
    pub(crate) fn of(repository: &Repository<'_>) -> Self {
        let audit = repository.audit;
        let mut totals = Self {
            repositories: 1,
            with_findings: usize::from(!audit.findings.is_empty()),
            files: audit.files,
            pulls: audit.pulls.len(),
            silenced: audit.silenced,
            baselined: repository.baselined,
            unread: audit.unread.len(),
            ..Self::default()
        };
        for pull in &audit.pulls {
            let counts = match pull.reached {
                true => &mut totals.by_auth,
                false => &mut totals.unreached,
            };
            if let Some(count) = of(counts, pull.auth) {
                *count += 1;
            }
            if !pull.reached {
                continue;
            }
            let anonymous = matches!(pull.auth, Auth::Anonymous | Auth::Impossible);
            totals.anonymous_on_hosted += usize::from(anonymous && pull.runner == Runner::Hosted);
        }
        for finding in &audit.findings {
            match finding.severity {
                Severity::Info => totals.infos += 1,
                Severity::Warning => totals.warnings += 1,
                Severity::Error => totals.errors += 1,
            }
            *totals.by_rule.entry(finding.rule).or_default() += 1;
            totals.note_severity(finding.rule, finding.severity);
            totals.failing += usize::from(repository.fail_on.is_reached_by(finding.severity));
        }
        for action in &audit.unlisted {
            totals.unlisted.insert(action.name.clone(), 1);
        }
        totals
    }

    /// How many pulls CI makes as `auth`.
    pub(crate) fn auth(&self, auth: Auth) -> usize {
        of(&mut self.by_auth.clone(), auth).map_or(0, |count| *count)
    }

    /// How many pulls would be made as `auth` if what is declared were run.
    pub(crate) fn unreached(&self, auth: Auth) -> usize {
        of(&mut self.unreached.clone(), auth).map_or(0, |count| *count)
    }

    fn note_severity(&mut self, rule: &'static str, severity: Severity) {
        let known = self.severities.entry(rule).or_insert(severity);
        *known = severity.max(*known);
    }

    /// The rule to read about first: the one with the gravest finding, of several the commonest.
    pub(crate) fn gravest(&self) -> Option<&'static str> {
        let weight = |(rule, severity): &(&&'static str, &Severity)| {
            let count = self.by_rule.get(**rule).copied().unwrap_or_default();
            (**severity, count, std::cmp::Reverse(**rule))
        };
        self.severities
            .iter()
            .max_by_key(weight)
            .map(|(rule, _)| *rule)
    }

    /// Findings of all severities.
    pub(crate) fn findings(&self) -> usize {
        self.infos + self.warnings + self.errors
    }

    /// Adds what another repository does.
    pub(crate) fn add(&mut self, other: Self) {
        self.repositories += other.repositories;
        self.with_findings += other.with_findings;
        self.files += other.files;
        self.pulls += other.pulls;
        let counts = self.by_auth.iter_mut().chain(&mut self.unreached);
        for (count, more) in counts.zip(other.by_auth.into_iter().chain(other.unreached)) {
            *count += more;
        }
        self.anonymous_on_hosted += other.anonymous_on_hosted;
        self.infos += other.infos;
        self.warnings += other.warnings;
        self.errors += other.errors;
        self.silenced += other.silenced;
        self.baselined += other.baselined;
        self.failing += other.failing;
        self.unread += other.unread;
        for (rule, count) in other.by_rule {
            *self.by_rule.entry(rule).or_default() += count;
        }
        for (rule, severity) in other.severities {
            self.note_severity(rule, severity);
        }
        for (name, count) in other.unlisted {
            *self.unlisted.entry(name).or_default() += count;
        }
    }
}

/// The count of one verdict.
fn of(counts: &mut [usize; Auth::ALL.len()], auth: Auth) -> Option<&mut usize> {
    let at = Auth::ALL.iter().position(|a| *a == auth)?;
    counts.get_mut(at)
}

/// Fragments on their way out.
pub(crate) struct Stream<'w> {
    render: &'w dyn Render,
    out: &'w mut (dyn Write + Send),
    later: [Held; 3],
    totals: Totals,
    written: bool,
}

impl<'w> Stream<'w> {
    /// Begins to write.
    pub(crate) fn open(
        render: &'w dyn Render,
        out: &'w mut (dyn Write + Send),
    ) -> io::Result<Self> {
        render.open(out)?;
        Ok(Self {
            render,
            out,
            later: Default::default(),
            totals: Totals::default(),
            written: false,
        })
    }

    /// Adds a repository.
    pub(crate) fn push(&mut self, fragment: Fragment) -> io::Result<()> {
        let separator = self.render.separator();
        if !fragment.now.is_empty() {
            if self.written {
                self.out.write_all(separator.as_bytes())?;
            }
            self.written = true;
            self.out.write_all(fragment.now.as_bytes())?;
        }
        for (held, more) in self.later.iter_mut().zip(&fragment.later) {
            if !held.is_empty() && !more.is_empty() {
                held.push(separator);
            }
            held.push(more);
        }
        self.totals.add(fragment.totals);
        Ok(())
    }

    /// Writes the end.
    pub(crate) fn close(mut self) -> io::Result<Totals> {
        self.render.close(self.out, &mut self.later, &self.totals)?;
        self.out.flush()?;
        Ok(self.totals)
    }
}
