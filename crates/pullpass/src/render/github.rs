//! Workflow annotations: what GitHub Actions shows beside the lines of a pull request.
//!
//! The runner reads them from the log, so a text that could end one and begin another command is
//! escaped as `actions/toolkit` does, after everything a terminal would obey has been taken out.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use pullpass_audit::finding::{Finding, Severity};

use super::held::Held;
use super::{Fragment, Render, Repository, Totals, clean};

/// The renderer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Github;

impl Render for Github {
    fn open(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn fragment(&self, repository: &Repository<'_>) -> Fragment {
        let prefix = repository.prefix_for_tools();
        let mut now = String::new();
        for finding in &repository.audit.findings {
            let place = finding.place_here();
            let command = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "notice",
            };
            let file = property(&format!("{prefix}{}", place.file));
            let _ = write!(
                now,
                "::{command} file={file},line={},endLine={},",
                place.line, place.end_line
            );
            // GitHub wants columns only when they are of one line.
            if place.line == place.end_line {
                let _ = write!(now, "col={},endColumn={},", place.column, place.end_column);
            }
            let _ = writeln!(
                now,
                "title={}::{}%0A{}",
                property(&format!("pullpass: {}", finding.rule)),
                data(&message(finding)),
                data(&finding.help)
            );
        }
        for unread in &repository.audit.unread {
            let _ = writeln!(
                now,
                "::warning file={},line={},title=pullpass%3A unread::{}",
                property(&format!("{prefix}{}", unread.file)),
                unread.line,
                data(&unread.message)
            );
        }
        Fragment {
            now,
            ..Fragment::default()
        }
    }

    fn close(&self, _: &mut dyn Write, _: &mut [Held; 3], _: &Totals) -> io::Result<()> {
        Ok(())
    }
}

/// What is wrong, and where, when the annotation cannot stand there.
fn message(finding: &Finding) -> Cow<'_, str> {
    let at = &finding.place;
    if std::ptr::eq(at, finding.place_here()) {
        return finding.message.as_str().into();
    }
    format!("{} ({}:{})", finding.message, at.file, at.line).into()
}

fn data(text: &str) -> String {
    clean(text).replace('%', "%25")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_annotation() {
        assert_eq!(data("a%0A\n::error::b"), "a%250A ::error::b");
        assert_eq!(property("a,line=9::b"), "a%2Cline=9%3A%3Ab");
    }
}
