//! `pullpass explain`

use std::fmt::Write as _;

use anstyle::Style;
use clap::Args;
use pullpass_audit::rules::{self, Rule};

use pullpass_fleet::reader::did_you_mean;

use super::Format;
use super::rules::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Explain a rule: what it finds, why it matters, how to mend it.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// Id of the rule, as in the output of `audit` and `rules`.
    rule: String,

    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

impl Explain {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let rule = find(rules::ALL, &self.rule)?;
        match self.format {
            Format::Human => super::print(text(rule, terminal.colors_stdout()).as_bytes()),
            Format::Json => super::print_json(&Entry::from(rule)),
        }
    }
}

fn find<'r>(rules: &'r [Rule], id: &str) -> Result<&'r Rule> {
    rules.iter().find(|rule| rule.id == id).ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("explain `{id}`"),
            "there is no such rule",
            did_you_mean(
                id,
                rules.iter().map(|rule| rule.id),
                "`pullpass rules` lists them",
            ),
        )
    })
}

fn text(rule: &Rule, color: bool) -> String {
    let paint = |style: Style, text: &str| {
        if color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    };
    let bold = Style::new().bold();
    let mut out = format!(
        "{} ({}): {}\n\n{}\n",
        paint(bold, rule.id),
        rule.severity.name(),
        rule.summary,
        rule.explanation.trim()
    );
    for (title, example) in [("Before", rule.before), ("After", rule.after)] {
        let _ = writeln!(out, "\n{}\n", paint(bold, title));
        for line in example.trim_end().lines() {
            let _ = writeln!(out, "{}", format!("    {line}").trim_end());
        }
    }
    let _ = writeln!(
        out,
        "\nTo silence one finding, write `# pullpass: ignore[{id}] reason` on its line or the line above. To change the\n\
         rule for the whole project, write in pullpass.toml:\n\n    [audit.rules]\n    {id} = \"off\"   # or info, warning, error",
        id = rule.id
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_explained_and_is_explained_in_full() {
        for rule in rules::ALL {
            let text = text(find(rules::ALL, rule.id).unwrap(), false);
            assert!(
                text.contains(rule.summary) && text.contains("Before") && text.contains("After")
            );
        }
    }

    #[test]
    fn an_unknown_rule_is_answered_with_the_nearest() {
        let error = find(rules::ALL, "anonymous-pulls").unwrap_err();
        assert!(error.to_string().contains("did you mean `anonymous-pull`?"));
        assert_eq!(error.kind, ErrorKind::Usage);
    }
}
