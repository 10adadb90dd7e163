//! `pullpass rules`

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use pullpass_audit::rules::{self, Rule};
use serde::Serialize;

use crate::error::Result;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// List the rules.
#[derive(Args, Debug)]
pub(crate) struct Rules {
    /// How to write the list.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// A table.
    #[default]
    Human,
    /// A list of objects.
    Json,
    /// A page with all that `pullpass explain` says.
    Markdown,
}

impl Rules {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let text = match self.format {
            Format::Human => table(rules::ALL, terminal.colors_stdout()),
            Format::Json => json(rules::ALL),
            Format::Markdown => markdown(rules::ALL),
        };
        super::print(text.as_bytes())
    }
}

fn table(rules: &[Rule], color: bool) -> String {
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let bold = anstyle::Style::new().bold();
    let mut out = String::new();
    for rule in rules {
        let id = format!("{:width$}", rule.id);
        let id = if color {
            format!("{bold}{id}{bold:#}")
        } else {
            id
        };
        let _ = writeln!(out, "{id}  {:7}  {}", rule.severity.name(), rule.summary);
    }
    out.push_str("\n`pullpass explain RULE` says more of one.\n");
    out
}

/// A rule in JSON.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    id: &'a str,
    severity: &'a str,
    summary: &'a str,
    explanation: &'a str,
    before: &'a str,
    after: &'a str,
}

impl<'a> From<&'a Rule> for Entry<'a> {
    fn from(rule: &'a Rule) -> Self {
        Self {
            id: rule.id,
            severity: rule.severity.name(),
            summary: rule.summary,
            explanation: rule.explanation,
            before: rule.before,
            after: rule.after,
        }
    }
}

fn json(rules: &[Rule]) -> String {
    let entries: Vec<Entry<'_>> = rules.iter().map(Entry::from).collect();
    let mut text = serde_json::to_string_pretty(&entries).unwrap_or_default();
    text.push('\n');
    text
}

fn markdown(rules: &[Rule]) -> String {
    let mut out = String::from(
        "# Rules\n\n<!-- Written by `pullpass rules --format markdown`; run scripts/generated after a change. -->\n\n\
         Each rule can be given another severity, or turned off, in [`pullpass.toml`](config.md); a single finding is\n\
         silenced where it stands with `# pullpass: ignore[rule] reason`.\n\n\
         | rule | severity | finds |\n|---|---|---|\n",
    );
    for rule in rules {
        let _ = writeln!(
            out,
            "| [`{}`](#{}) | {} | {} |",
            rule.id,
            rule.id,
            rule.severity.name(),
            rule.summary
        );
    }
    for rule in rules {
        let _ = write!(
            out,
            "\n## {}\n\n*{}* ({})\n\n{}\n\nBefore:\n\n{}\nAfter:\n\n{}",
            rule.id,
            rule.summary,
            rule.severity.name(),
            rule.explanation.trim(),
            block(rule.before),
            block(rule.after)
        );
    }
    out
}

fn block(example: &str) -> String {
    format!("```yaml\n{}\n```\n", example.trim_end())
}
