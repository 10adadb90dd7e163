//! The rules: small functions over verdicts. One file per rule; this one is their list.

use crate::finding::Severity;

/// What a rule is, for `pullpass rules`, `pullpass explain` and SARIF.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its id, as in ignore comments and reports.
    pub id: &'static str,
    /// One line.
    pub summary: &'static str,
    /// How much it matters when nothing else is said (some rules say more by platform).
    pub severity: Severity,
    /// Markdown: what it finds, why it matters, what to do.
    pub explanation: &'static str,
    /// An example that it finds something in.
    pub before: &'static str,
    /// The same, mended.
    pub after: &'static str,
}

/// Every rule, by id.
pub const ALL: &[Rule] = &[];
