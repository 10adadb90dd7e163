//! Published orbs hide what they pull: their sources are on CircleCI's servers, not in the
//! repository. This is the reader of `data/orbs.toml`, which says for the well-known ones, version
//! by version, what their executors, jobs and commands pull and log in to.
//!
//! A row's definition is written in CircleCI's own language, reduced to what matters to pulls, so
//! that parameters, conditions and executors need no second reader. It is data of ours and never
//! shown: whatever comes out of a row is said to stand where the orb is used.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

use hashbrown::HashMap;
use serde::Deserialize;

use crate::source::{MemoryTree, RepoPath, Sources};
use crate::yaml::Document;

/// A version, or the start of one: a part that is not given is the newest there is.
pub(super) type Version = (u32, u32, u32);

/// The newest version there could be.
const NEWEST: Version = (u32::MAX, u32::MAX, u32::MAX);

/// One orb in one range of versions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// `namespace/orb`.
    pub(super) name: String,
    /// First version it describes; none: the first ever.
    from: Option<String>,
    /// First version that it no longer describes; none: the newest is described.
    until: Option<String>,
    /// Where the orb's source can be read.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the person who mends a row")
    )]
    source: String,
    /// What it pulls and logs in to: an orb in CircleCI's language, with the steps of `orb.rs`.
    definition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    orb: Vec<Row>,
}

const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/orbs.json"));

static TABLE: LazyLock<HashMap<String, Vec<Row>>> = LazyLock::new(|| {
    // A test keeps the table readable; at run time a broken one only makes orbs unknown.
    let table: Table = serde_json::from_str(TEXT).unwrap_or_default();
    let mut by_name: HashMap<String, Vec<Row>> = HashMap::new();
    for row in table.orb {
        by_name.entry(row.name.clone()).or_default().push(row);
    }
    by_name
});

thread_local! {
    /// Definitions parsed so far. They belong to no repository, so that an audit of a thousand
    /// parses each once per thread.
    static PARSED: RefCell<HashMap<*const Row, Option<Rc<Document>>>> = RefCell::default();
}

/// Reads a version as an import writes it: `3`, `3.0`, `3.0.1`. What is no number (`volatile`,
/// `dev:first`, a parameter) is the newest.
fn version(written: &str) -> Version {
    let mut parts = written.split('.').map(|part| part.parse().ok());
    let mut next = |open: u32| match parts.next() {
        Some(Some(number)) => number,
        _ => open,
    };
    match next(u32::MAX) {
        u32::MAX => NEWEST,
        major => {
            let minor = next(u32::MAX);
            (major, minor, next(u32::MAX))
        }
    }
}

impl Row {
    fn describes(&self, wanted: Version) -> bool {
        let bound = |text: &Option<String>, or: Version| {
            text.as_deref().map_or(or, |t| {
                let (major, minor, patch) = version(t);
                let zero = |n: u32| if n == u32::MAX { 0 } else { n };
                (zero(major), zero(minor), zero(patch))
            })
        };
        let from = bound(&self.from, (0, 0, 0));
        from <= wanted
            && self
                .until
                .as_ref()
                .is_none_or(|_| wanted < bound(&self.until, NEWEST))
    }

    /// What a thing of this orb is called: `docker/check`.
    pub(super) fn label(&self, thing: &str) -> Rc<str> {
        let orb = self.name.split('/').next_back().unwrap_or(&self.name);
        format!("{orb}/{thing}").into()
    }

    /// The definition, parsed.
    pub(super) fn document(&'static self) -> Option<Rc<Document>> {
        PARSED.with(|parsed| {
            parsed
                .borrow_mut()
                .entry(std::ptr::from_ref(self))
                .or_insert_with(|| {
                    let nothing = MemoryTree::new();
                    let path = RepoPath::new(&self.name).unwrap_or_default();
                    // An orb that pulls nothing has nothing in its row.
                    let text = match self.definition.trim() {
                        "" => "{}".to_owned(),
                        _ => self.definition.clone(),
                    };
                    let source = Sources::new(&nothing).add(path, text);
                    Document::parse(&source).ok().map(Rc::new)
                })
                .clone()
        })
    }
}

/// The row that describes an orb in the version that an import names.
pub(super) fn find(name: &str, written: &str) -> Option<&'static Row> {
    let wanted = version(written);
    TABLE.get(name)?.iter().find(|row| row.describes(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let table: Table = serde_json::from_str(TEXT).unwrap();
        table.orb
    }

    #[test]
    fn every_row_is_an_orb_with_a_source() {
        for row in rows() {
            assert!(row.source.starts_with("https://"), "{}", row.name);
            assert_eq!(row.name.split('/').count(), 2, "{}", row.name);
            let sources = MemoryTree::new();
            let source = Sources::new(&sources).add(RepoPath::root(), row.definition.clone());
            let document = Document::parse(&source)
                .unwrap_or_else(|e| panic!("{}: {} at {}", row.name, e.message, e.offset));
            assert!(
                document.duplicates.is_empty(),
                "{}: {:?}",
                row.name,
                document.duplicates
            );
            let Some(root) = document.root().filter(|r| !r.is_null()) else {
                continue;
            };
            for entry in root.entries() {
                let key = entry.key.as_str().unwrap();
                assert!(
                    ["orbs", "executors", "jobs", "commands"].contains(&key),
                    "{}: {key}",
                    row.name
                );
                assert!(entry.value.is_mapping(), "{}: {key}", row.name);
            }
        }
    }

    #[test]
    fn versions_of_one_orb_do_not_overlap() {
        let rows = rows();
        for (i, a) in rows.iter().enumerate() {
            for b in rows.iter().skip(i + 1).filter(|b| b.name == a.name) {
                let start = |r: &Row| r.from.as_deref().map_or((0, 0, 0), version);
                let (lower, upper) = if start(a) <= start(b) { (a, b) } else { (b, a) };
                let from = upper.from.as_deref().unwrap();
                let (major, minor, patch) = version(from);
                let zero = |n| if n == u32::MAX { 0 } else { n };
                let first = (zero(major), zero(minor), zero(patch));
                assert!(!lower.describes(first), "{} {from}", a.name);
            }
        }
    }

    #[test]
    fn there_are_enough_orbs_to_be_of_use() {
        let mut names: Vec<String> = rows().into_iter().map(|r| r.name).collect();
        names.sort();
        names.dedup();
        assert!(names.len() >= 60, "{}", names.len());
    }

    #[test]
    fn a_short_version_is_the_newest_of_its_kind() {
        assert_eq!(version("3"), (3, u32::MAX, u32::MAX));
        assert_eq!(version("3.1"), (3, 1, u32::MAX));
        assert_eq!(version("2.8.2"), (2, 8, 2));
        assert_eq!(version("volatile"), NEWEST);
        assert_eq!(version("dev:first"), NEWEST);
        assert_eq!(version(""), NEWEST);
    }
}
