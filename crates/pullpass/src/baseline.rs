//! What was already there when somebody began to look: findings that a baseline file holds are
//! counted and not reported, so that a gate can be put up before the old ones are mended.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use pullpass_audit::finding::{Audit, Finding};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::error::{Error, ErrorKind, Result, in_words};

const SCHEMA: &str = "pullpass.baseline/1";

/// One finding, by what does not change when other lines do.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    file: String,
    rule: String,
    fingerprint: String,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    findings: Vec<Entry>,
}

/// A baseline file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Baseline {
    entries: HashSet<Entry>,
}

impl Baseline {
    /// Reads one.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|e| Error::unreadable("baseline", path, &e))?;
        let wrong = |happened: String| {
            Error::new(
                ErrorKind::Configuration,
                format!("read the baseline `{}`", path.display()),
                happened,
                "write it anew with `pullpass audit --write-baseline FILE`",
            )
        };
        let document: Document =
            serde_json::from_str(&text).map_err(|e| wrong(format!("not a baseline: {e}")))?;
        if document.schema != SCHEMA {
            return Err(wrong(format!(
                "its schema is `{}`, and this version reads `{SCHEMA}`",
                document.schema
            )));
        }
        Ok(Self {
            entries: document.findings.into_iter().collect(),
        })
    }

    /// Takes the findings that the baseline holds out of the audit of `repository`; how many.
    pub(crate) fn silence(&self, repository: &str, audit: &mut Audit) -> usize {
        if self.entries.is_empty() {
            return 0;
        }
        let before = audit.findings.len();
        audit.findings.retain(|finding| {
            // A baseline of one repository serves when that repository is audited among many.
            !self.entries.contains(&entry("", finding))
                && !self.entries.contains(&entry(repository, finding))
        });
        before - audit.findings.len()
    }
}

fn entry(repository: &str, finding: &Finding) -> Entry {
    let file = match repository {
        "" => finding.place.file.to_string(),
        _ => format!("{repository}/{}", finding.place.file),
    };
    Entry {
        file,
        rule: finding.rule.to_owned(),
        fingerprint: finding.fingerprint.clone(),
    }
}

/// The entries that stand for the findings of an audit. `repository` is empty when there is but one.
pub(crate) fn entries(repository: &str, audit: &Audit) -> Vec<Entry> {
    audit
        .findings
        .iter()
        .map(|finding| entry(repository, finding))
        .collect()
}

/// Writes a baseline: sorted, so that two runs write the same bytes.
pub(crate) fn write(path: &Path, entries: BTreeSet<Entry>) -> Result<()> {
    let document = Document {
        schema: SCHEMA.to_owned(),
        findings: entries.into_iter().collect(),
    };
    let failed = |happened: String| {
        Error::new(
            ErrorKind::Outside,
            format!("write the baseline `{}`", path.display()),
            happened,
            "check that its folder exists and can be written to",
        )
    };
    let mut text =
        serde_json::to_string_pretty(&document).map_err(|error| failed(error.to_string()))?;
    text.push('\n');
    atomic::write(path, text.as_bytes()).map_err(|error| failed(in_words(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn what_was_written_is_silenced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        let audit = samples::audit();
        let one = Audit {
            findings: audit.findings[..1].to_vec(),
            ..Audit::default()
        };
        write(&path, entries("", &one).into_iter().collect()).unwrap();
        let baseline = Baseline::read(&path).unwrap();
        let mut again = audit.clone();
        assert_eq!(baseline.silence("repo", &mut again), 1);
        assert_eq!(again.findings, audit.findings[1..]);
    }

    #[test]
    fn among_many_a_finding_is_silenced_in_its_own_repository_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        let audit = samples::audit();
        write(&path, entries("a", &audit).into_iter().collect()).unwrap();
        let baseline = Baseline::read(&path).unwrap();
        assert_eq!(baseline.silence("b", &mut audit.clone()), 0);
        assert_eq!(
            baseline.silence("a", &mut audit.clone()),
            audit.findings.len()
        );
    }

    #[test]
    fn a_file_that_is_no_baseline_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        for text in ["", "[]", r#"{"schema":"other/1","findings":[]}"#] {
            fs::write(&path, text).unwrap();
            let error = Baseline::read(&path).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Configuration, "{text}");
            assert!(error.to_string().contains("--write-baseline"));
        }
    }
}
