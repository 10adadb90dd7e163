//! Files that the program writes itself, and the output that the documents show: committed, so that
//! they can be read without it, and checked here, so that they stay true.
//!
//! With `PULLPASS_GENERATE=1` they are written (`scripts/generated` does that).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Stands above a fenced block that holds what a command prints.
const PRINTED: &str = "<!-- printed by: ";

/// The same, cut: an audit to its first error and the summary, the demo to the acts in which nothing
/// depends on the machine's speed.
const SHORTENED: &str = "<!-- printed, shortened, by: ";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn printed_by(command: &str) -> String {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("pullpass"), "{command}");
    let output = support::pullpass()
        .args(words)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn holds(path: &str, expected: &str) {
    let file = root().join(path);
    if env::var_os("PULLPASS_GENERATE").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, expected).unwrap();
        return;
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == expected,
        "{path} is stale: run scripts/generated and commit what it changes"
    );
}

#[test]
fn the_schema_of_an_audit_is_what_the_program_prints() {
    holds(
        "schemas/audit.schema.json",
        &printed_by("pullpass schema audit"),
    );
}

#[test]
fn the_schema_of_the_configuration_is_what_the_program_prints() {
    holds(
        "schemas/config.schema.json",
        &printed_by("pullpass schema config"),
    );
}

#[test]
fn the_page_of_the_rules_is_what_the_program_prints() {
    holds(
        "docs/rules.md",
        &printed_by("pullpass rules --format markdown"),
    );
}

/// What stands under a marker for a shortened block.
fn shortened(command: &str) -> String {
    let output = printed_by(command);
    match command.split_whitespace().nth(1) {
        Some("demo") => shortened_demo(&output),
        _ => shortened_audit(&output),
    }
}

/// Of acts that tell times and counts of their moment, the heading and the command.
fn shortened_demo(output: &str) -> String {
    let blocks = output.trim_end().split("\n\n").filter_map(|block| {
        let number = block
            .split_once(". ")
            .and_then(|(n, _)| n.parse::<u32>().ok());
        match number {
            Some(1 | 2 | 4 | 7) => Some(block.to_owned()),
            Some(_) => {
                let lines: Vec<&str> = block.lines().take(2).collect();
                Some(format!("{}\n   […]", lines.join("\n")))
            }
            None => (!block.starts_with("All of this")).then(|| block.to_owned()),
        }
    });
    blocks.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The first error, and what stands after the findings.
fn shortened_audit(output: &str) -> String {
    let parts: Vec<&str> = output.trim_end().split("\n\n").collect();
    let first = parts.iter().position(|p| p.starts_with("error[")).unwrap();
    let summary = parts
        .iter()
        .position(|p| p.contains("from Docker Hub in"))
        .unwrap();
    let cut = |needed: bool| if needed { "[…]\n\n" } else { "" };
    format!(
        "{}{}\n\n{}{}\n",
        cut(first > 0),
        parts[first],
        cut(summary > first + 1),
        parts[summary..].join("\n\n")
    )
}

/// A document with each printed block as it should be.
fn with_output(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find("<!-- printed") {
        let (before, marked) = rest.split_at(at);
        let (marker, after) = marked
            .split_once(" -->\n")
            .expect("the marker ends its line");
        let output = match marker.strip_prefix(SHORTENED) {
            Some(command) => shortened(command),
            None => printed_by(marker.strip_prefix(PRINTED).unwrap()),
        };
        let (fence, block) = after.split_once('\n').unwrap();
        assert!(fence.starts_with("```"), "a fenced block follows {marker}");
        let (_, after) = block.split_once("```\n").expect("the block ends");
        out.push_str(&format!("{before}{marker} -->\n{fence}\n{output}```\n"));
        rest = after;
    }
    out + rest
}

fn documents() -> Vec<String> {
    let mut names: Vec<String> = ["README.md", "CONTRIBUTING.md"].map(str::to_owned).into();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") && name != "rules.md" {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    names
}

#[test]
fn documents_show_what_the_program_prints() {
    for name in documents() {
        let page = fs::read_to_string(root().join(&name)).unwrap();
        holds(&name, &with_output(&page));
    }
}

/// GitHub's anchor of a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let names = documents();
    for name in names
        .iter()
        .map(String::as_str)
        .chain(["docs/rules.md", "ARCHITECTURE.md"])
    {
        let page = fs::read_to_string(root().join(name)).unwrap();
        for link in page.split("](").skip(1).filter_map(|l| l.split_once(')')) {
            let (path, part) = link.0.split_once('#').unwrap_or((link.0, ""));
            if path.contains("://") {
                continue;
            }
            let file = match path {
                "" => root().join(name),
                _ => root().join(name).parent().unwrap().join(path),
            };
            assert!(file.exists(), "{name}: {path} does not exist");
            if !part.is_empty() {
                let target = fs::read_to_string(&file).unwrap();
                let known = target
                    .lines()
                    .filter(|l| l.starts_with('#'))
                    .any(|l| anchor(l.trim_start_matches('#').trim()) == part);
                assert!(known, "{name}: {path} has no heading #{part}");
            }
        }
    }
}

#[test]
fn every_command_has_a_page_with_its_help() {
    let help = printed_by("pullpass help");
    let commands = help
        .lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .map_while(|l| l.split_whitespace().next())
        .filter(|c| *c != "help");
    for command in commands {
        let marker = format!("{PRINTED}pullpass {command} --help");
        assert!(
            documents()
                .iter()
                .any(|name| fs::read_to_string(root().join(name))
                    .unwrap()
                    .contains(&marker)),
            "no page shows `pullpass {command} --help`"
        );
    }
}
