//! What stands behind the `@` of an action that is put in: the repository's own pin of it, else a commit
//! where the file pins by commit, else the major version.

use std::sync::LazyLock;

use serde::Deserialize;

use pullpass_audit::yaml::Node;

use crate::put::walk;
use crate::style;

use super::files::{File, Files};

/// Released versions, each with its commit.
const TEXT: &str = include_str!("../../data/actions.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    action: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    version: String,
    commit: String,
    /// Pages on which the pair was seen.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever checks the row"))]
    seen: Vec<String>,
}

static TABLE: LazyLock<Vec<Row>> =
    LazyLock::new(|| toml::from_str::<Table>(TEXT).map_or_else(|_| Vec::new(), |t| t.action));

/// How one use of an action is pinned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pin {
    /// Behind the `@`.
    pub(super) reference: String,
    /// Behind the value on its line, from the first blank on: ` # v4.5.2`.
    pub(super) note: String,
}

/// How a file writes its pins.
struct Habit {
    /// It pins by commit.
    by_commit: bool,
    /// Between the commit and the version in its comments; none when it has no such comment.
    comment: Option<String>,
}

/// How the repository pins this action, most often.
pub(super) fn of_repository(files: &Files<'_>, action: &str) -> Option<Pin> {
    let mut counted: Vec<(Pin, usize)> = Vec::new();
    for file in files.all() {
        each_use(file, &mut |name, reference, note| {
            if !name.eq_ignore_ascii_case(action) || reference.contains("${{") {
                return;
            }
            let pin = Pin {
                reference: reference.to_owned(),
                note: note.to_owned(),
            };
            match counted.iter_mut().find(|(known, _)| *known == pin) {
                Some((_, count)) => *count += 1,
                None => counted.push((pin, 1)),
            }
        });
    }
    // Of two that are as frequent, the first in the order of the files.
    counted
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map(|(pin, _)| pin)
}

/// A pin of an action that the repository does not use yet, in the manner of this file, or of its other
/// files where it uses no action.
pub(super) fn fresh(files: &Files<'_>, file: &File<'_>, action: &str) -> Option<Pin> {
    let row = TABLE.iter().find(|row| row.name == action)?;
    let habit = habit(std::iter::once(file)).or_else(|| habit(files.all()));
    let major = row.version.split('.').next().unwrap_or(&row.version);
    Some(match habit {
        Some(Habit {
            by_commit: true,
            comment,
        }) => Pin {
            reference: row.commit.clone(),
            note: comment.map_or_else(
                || format!(" # {}", row.version),
                |between| format!("{between}{}", row.version),
            ),
        },
        _ => Pin {
            reference: major.to_owned(),
            note: String::new(),
        },
    })
}

/// Whether this pin is of a version from `first` on, as far as can be told; a commit without a version
/// beside it is not.
pub(super) fn is_from(pin: &Pin, first: (u32, u32)) -> bool {
    let version = if is_commit(&pin.reference) {
        pin.note.rsplit([' ', '#', '=', '@']).next().unwrap_or("")
    } else {
        &pin.reference
    };
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        // `v4` moves along with the newest release of its line.
        (Some(major), None) => major >= first.0 && !is_commit(&pin.reference),
        (Some(major), Some(minor)) => (major, minor) >= first,
        (None, _) => false,
    }
}

fn is_commit(reference: &str) -> bool {
    reference.len() == 40 && reference.bytes().all(|b| b.is_ascii_hexdigit())
}

fn habit<'f, 'd: 'f>(files: impl Iterator<Item = &'f File<'d>>) -> Option<Habit> {
    let (mut commits, mut all) = (0, 0);
    let mut comment = None;
    for file in files {
        each_use(file, &mut |_, reference, note| {
            all += 1;
            if !is_commit(reference) {
                return;
            }
            commits += 1;
            let version = note
                .char_indices()
                .find(|(at, c)| {
                    let next = note.get(at + 1..).and_then(|n| n.chars().next());
                    *c == 'v' && next.is_some_and(|n| n.is_ascii_digit())
                })
                .map(|(at, _)| at);
            // `# ratchet:owner/name@v4` names the action, so it is no manner for another.
            if let Some(between) = version.and_then(|at| note.get(..at))
                && !between.contains(['@', '/'])
            {
                comment.get_or_insert_with(|| between.to_owned());
            }
        });
    }
    (all > 0).then_some(Habit {
        by_commit: commits * 2 > all,
        comment,
    })
}

/// Every use of an action of another repository: its name, what stands behind `@`, and the rest of the line.
fn each_use(file: &File<'_>, see: &mut dyn FnMut(&str, &str, &str)) {
    let text = file.style.text;
    walk(file.root, 0, &mut |node| {
        let Some(value) = own(node, "uses") else {
            return;
        };
        let Some((name, reference)) = value.as_str().and_then(|v| v.split_once('@')) else {
            return;
        };
        if name.starts_with(['.', '$']) || name.starts_with("docker:") {
            return;
        }
        let end = style::value_end(text, value);
        let note = text.get(end..style::line_end(text, end)).unwrap_or("");
        let note = if note.trim_start().starts_with('#') {
            note.trim_end()
        } else {
            ""
        };
        see(name, reference, note);
    });
}

fn own<'d>(mapping: Node<'d>, key: &str) -> Option<Node<'d>> {
    let mut pairs = mapping.pairs();
    pairs
        .find(|(k, _)| k.as_str() == Some(key))
        .map(|(_, value)| value)
        .filter(|value| !value.is_alias())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_commit_that_unrelated_repositories_pin() {
        let table: Table = toml::from_str(TEXT).unwrap();
        for row in table.action {
            assert!(is_commit(&row.commit), "{}", row.name);
            let owner = |page: &String| page.split('/').nth(3).map(str::to_owned);
            let mut owners: Vec<_> = row.seen.iter().map(owner).collect();
            owners.sort();
            owners.dedup();
            assert!(owners.len() >= 2, "{}", row.name);
        }
    }

    #[test]
    fn a_version_is_read_from_a_tag_or_from_the_comment_beside_a_commit() {
        let commit = "0".repeat(40);
        for (reference, note, expected) in [
            ("v4", "", true),
            ("v4.5.0", "", true),
            ("v4.4.9", "", false),
            ("v3", "", false),
            ("main", "", false),
            (commit.as_str(), " # v4.6.0", true),
            (commit.as_str(), " # tag=v4.4.0", false),
            (commit.as_str(), " # v4", false),
            (commit.as_str(), "", false),
        ] {
            let pin = Pin {
                reference: reference.to_owned(),
                note: note.to_owned(),
            };
            assert_eq!(is_from(&pin, (4, 5)), expected, "{pin:?}");
        }
    }
}
