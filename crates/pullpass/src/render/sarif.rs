//! SARIF 2.1.0, for code scanning services. Only what they read: `serde-sarif` generates the whole
//! of the standard's types, of which this needs one part in twenty.
//!
//! GitHub matches results across commits by the fingerprint `primaryLocationLineHash` alone. Its
//! upload action computes that one from the files, and warns about every result that brings another
//! value (`github/codeql-action`, `src/fingerprints.ts`); so it is left to the action, and ours stands
//! beside it under a name of its own.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use pullpass_audit::finding::{Finding, Severity};
use pullpass_audit::rules::{self, Rule};
use pullpass_audit::verdict::Place;
use serde::Serialize;

use super::held::Held;
use super::json::lines;
use super::{Fragment, Render, Repository, Totals};

/// Names the folder that paths start from; services put the repository's root in its place.
const BASE: &str = "%SRCROOT%";

#[derive(Serialize)]
struct Text<'a> {
    text: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<&'a str>,
}

fn text<'a>(text: impl Into<Cow<'a, str>>) -> Text<'a> {
    Text {
        text: text.into(),
        markdown: None,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportingDescriptor<'a> {
    id: &'a str,
    name: String,
    short_description: Text<'a>,
    full_description: Text<'a>,
    help: Text<'a>,
    help_uri: String,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    rule_index: Option<usize>,
    level: &'static str,
    message: Text<'a>,
    locations: [Location<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    partial_fingerprints: Fingerprints<'a>,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Fingerprints<'a> {
    #[serde(rename = "pullpass/v1")]
    v1: &'a str,
}

#[derive(Serialize)]
struct Properties<'a> {
    fix: &'static str,
    jobs: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
}

/// Something that could not be read: about the run, not about the code.
#[derive(Serialize)]
struct Notification<'a> {
    level: &'static str,
    message: Text<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Location<'a>>,
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A path as a URI reference: everything that is not unreserved is escaped.
fn uri(prefix: &str, file: &str) -> String {
    let mut out = String::new();
    for byte in prefix.bytes().chain(file.bytes()) {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn physical(prefix: &str, file: &str, region: Region) -> PhysicalLocation {
    PhysicalLocation {
        artifact_location: ArtifactLocation {
            uri: uri(prefix, file),
            uri_base_id: BASE,
        },
        region,
    }
}

fn location<'a>(
    prefix: &str,
    place: &Place,
    id: Option<usize>,
    note: Option<&'a str>,
) -> Location<'a> {
    Location {
        id,
        physical_location: physical(
            prefix,
            &place.file,
            Region {
                start_line: place.line,
                start_column: Some(place.column),
                end_line: Some(place.end_line),
                end_column: Some(place.end_column),
            },
        ),
        message: note.map(text),
    }
}

fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map(|first| first.to_uppercase().chain(rest).collect())
        .unwrap_or_default()
}

fn descriptor(rule: &Rule) -> ReportingDescriptor<'_> {
    ReportingDescriptor {
        id: rule.id,
        name: rule.id.split('-').map(capitalised).collect(),
        short_description: text(format!("{}.", capitalised(rule.summary))),
        // GitHub cuts at 1024 characters; the first paragraph says what there is to say.
        full_description: text(rule.explanation.split("\n\n").next().unwrap_or_default()),
        help: Text {
            text: rule.explanation.into(),
            markdown: Some(rule.explanation),
        },
        help_uri: format!(
            "{}/blob/main/docs/rules.md#{}",
            env!("CARGO_PKG_REPOSITORY"),
            rule.id
        ),
        default_configuration: Configuration {
            level: level(rule.severity),
        },
    }
}

fn outcome<'a>(prefix: &str, finding: &'a Finding, message: &'a str) -> Outcome<'a> {
    // A service shows the main location, and has no file of another repository.
    let place = finding.place_here();
    let there = (!std::ptr::eq(place, &finding.place))
        .then_some((&finding.place, "what it is about stands here"));
    let related = finding.related.iter().map(|(place, note)| (place, &**note));
    let related = related.chain(there);
    Outcome {
        rule_id: finding.rule,
        rule_index: rules::ALL.iter().position(|r| r.id == finding.rule),
        level: level(finding.severity),
        message: text(message),
        locations: [location(prefix, place, None, None)],
        related_locations: related
            .enumerate()
            .map(|(at, (place, note))| location(prefix, place, Some(at + 1), Some(note)))
            .collect(),
        partial_fingerprints: Fingerprints {
            v1: &finding.fingerprint,
        },
        properties: Properties {
            fix: finding.fix.name(),
            jobs: &finding.jobs,
            image: finding.image.as_deref(),
        },
    }
}

/// The renderer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sarif;

impl Render for Sarif {
    fn separator(&self) -> &'static str {
        ",\n        "
    }

    fn open(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(
            out,
            "{{\n  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n  \"version\": \"2.1.0\",\n  \
             \"runs\": [\n    {{\n      \"tool\": {{\"driver\": {{\"name\": \"pullpass\", \"version\": \"{}\", \
             \"semanticVersion\": \"{}\", \"informationUri\": \"{}\", \"rules\": [\n        {}\n      ]}}}},\n      \
             \"columnKind\": \"unicodeCodePoints\",\n      \"results\": [\n        ",
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_REPOSITORY"),
            lines(rules::ALL.iter().map(descriptor), self.separator()),
        )
    }

    fn fragment(&self, repository: &Repository<'_>) -> Fragment {
        let prefix = repository.prefix_for_tools();
        let mut now = String::new();
        for finding in &repository.audit.findings {
            let message = format!("{}\n\n{}", finding.message, finding.help);
            if !now.is_empty() {
                now.push_str(self.separator());
            }
            now.push_str(&lines(
                std::iter::once(outcome(prefix, finding, &message)),
                self.separator(),
            ));
        }
        let unread = repository.audit.unread.iter().map(|unread| Notification {
            level: "warning",
            message: text(unread.message.as_str()),
            locations: (!unread.file.is_empty())
                .then(|| Location {
                    id: None,
                    physical_location: physical(
                        prefix,
                        &unread.file,
                        Region {
                            start_line: unread.line,
                            start_column: None,
                            end_line: None,
                            end_column: None,
                        },
                    ),
                    message: None,
                })
                .into_iter()
                .collect(),
        });
        Fragment {
            now,
            later: [
                lines(unread, self.separator()),
                String::new(),
                String::new(),
            ],
            totals: Totals::default(),
        }
    }

    fn close(&self, out: &mut dyn Write, later: &mut [Held; 3], _: &Totals) -> io::Result<()> {
        let [unread, _, _] = later;
        write!(
            out,
            "\n      ],\n      \"invocations\": [{{\"executionSuccessful\": true, \"toolExecutionNotifications\": [\n        "
        )?;
        unread.write_to(out)?;
        write!(out, "\n      ]}}]\n    }}\n  ]\n}}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(uri("", ".circleci/a b#?.yml"), ".circleci/a%20b%23%3F.yml");
        assert_eq!(uri("x/", "é"), "x/%C3%A9");
    }
}
