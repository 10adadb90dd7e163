//! The text of the file. One record is one block of lines, in the order of the projects' names, so
//! that two branches that change different projects merge, and a review shows what changed.
//!
//! ```toml
//! schema = "pullpass.store/1"
//!
//! [key]
//! recipient = "age1…"
//! identity = '''
//! -----BEGIN AGE ENCRYPTED FILE-----
//! …
//! '''
//!
//! [project."digideps"]
//! revision = "0000000200c0ffee"
//!
//! [project."digideps".account]
//! id = "acmedigideps"
//! secret = '''…'''
//!
//! [project."digideps".current]
//! generation = 1
//! attempt = "00000000000000ff"
//! token = "9f3c2a11-…"
//! minted_at = "2026-01-05T10:00:00Z"
//! current_since = "2026-01-05T10:01:00Z"
//! tail = "abc1"
//! secret = '''…'''
//!
//! [project."digideps".receipt]
//! "circleci" = { attempt = "00000000000000ff", written_at = "2026-01-05T10:00:30Z" }
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use pullpass_fleet::desired::Target;
use pullpass_fleet::label::{Attempt, Generation};
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::observed::{Kept, Revision, Stored, TokenId};
use pullpass_fleet::store::{Receipt, Record, Tail};
use serde::Deserialize;
use toml::Spanned;

use crate::sealed::key::Key;
use crate::sealed::text::{self, RawKey, Reader, Unreadable, What, block, quoted};
use crate::store::uuid;

const SCHEMA: &str = "pullpass.store/1";

/// The whole file.
pub(super) struct Document {
    pub(super) key: Key,
    /// Lines before the first record, as they are written.
    pub(super) head: String,
    pub(super) entries: BTreeMap<ProjectName, Entry>,
}

/// One project.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) secrets: Secrets,
    /// Its lines, as they are written: a change of one project writes the others' as they are.
    pub(super) text: String,
}

/// The sealed secrets of one project.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    pub(super) account: Option<String>,
    pub(super) tokens: BTreeMap<Attempt, String>,
}

impl Entry {
    pub(super) fn new(project: &ProjectName, record: Record, mut secrets: Secrets) -> Self {
        secrets
            .tokens
            .retain(|attempt, _| record.version(*attempt).is_some());
        let text = written(project, &record, &secrets);
        Self {
            record,
            secrets,
            text,
        }
    }
}

impl Document {
    pub(super) fn new(key: Key) -> Self {
        let comment = "Written by pullpass. Safe to commit: every secret in it is encrypted.";
        let head = text::head(comment, SCHEMA, &key);
        Self {
            key,
            head,
            entries: BTreeMap::new(),
        }
    }
}

/// The lines of a record; never fails, for it writes to memory.
fn written(project: &ProjectName, record: &Record, secrets: &Secrets) -> String {
    let mut out = String::new();
    let name = quoted(project.as_str());
    let stored = &record.stored;
    let _ = writeln!(
        out,
        "\n[project.{name}]\nrevision = \"{:016x}\"",
        stored.revision.0
    );
    if let (Some(id), Some(secret)) = (&stored.account, &secrets.account) {
        let _ = writeln!(
            out,
            "\n[project.{name}.account]\nid = {}\nsecret = {}",
            quoted(id.as_str()),
            block(secret),
        );
    }
    for (which, kept) in [("current", stored.current), ("pending", stored.pending)] {
        let Some(kept) = kept else { continue };
        let _ = writeln!(
            out,
            "\n[project.{name}.{which}]\ngeneration = {}\nattempt = \"{}\"\ntoken = \"{}\"\nminted_at = \"{}\"",
            kept.generation.0,
            kept.attempt,
            uuid::text(kept.token),
            kept.minted_at,
        );
        if let Some(since) = kept.current_since {
            let _ = writeln!(out, "current_since = \"{since}\"");
        }
        if let Some(tail) = record.tails.get(&kept.attempt) {
            let _ = writeln!(out, "tail = {}", quoted(tail.as_str()));
        }
        if let Some(secret) = secrets.tokens.get(&kept.attempt) {
            let _ = writeln!(out, "secret = {}", block(secret));
        }
    }
    if !record.receipts.is_empty() {
        let _ = writeln!(out, "\n[project.{name}.receipt]");
    }
    for (target, receipt) in &record.receipts {
        let _ = writeln!(
            out,
            "{} = {{ attempt = \"{}\", written_at = \"{}\" }}",
            quoted(&target.to_string()),
            receipt.attempt,
            receipt.written_at,
        );
    }
    out
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    schema: Spanned<String>,
    key: RawKey,
    #[serde(default)]
    project: BTreeMap<Spanned<String>, RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    revision: Spanned<String>,
    account: Option<RawAccount>,
    current: Option<RawVersion>,
    pending: Option<RawVersion>,
    #[serde(default)]
    receipt: BTreeMap<Spanned<String>, RawReceipt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    id: Spanned<String>,
    secret: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVersion {
    generation: u32,
    attempt: Spanned<String>,
    token: Spanned<String>,
    minted_at: Spanned<String>,
    current_since: Option<Spanned<String>>,
    tail: String,
    secret: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReceipt {
    attempt: Spanned<String>,
    written_at: Spanned<String>,
}

/// Reads the file.
pub(super) fn parse(text: &str) -> Result<Document, Unreadable> {
    let reader = Reader::new(text)?;
    let raw: RawDocument = reader.raw()?;
    reader.schema(&raw.schema, SCHEMA)?;
    let mut document = Document::new(reader.key(&raw.key)?);
    for (name, entry) in &raw.project {
        let project = reader.value(name, |text| ProjectName::new(text).ok())?;
        let entry = reader.entry(&project, name, entry)?;
        document.entries.insert(project, entry);
    }
    Ok(document)
}

impl Reader<'_> {
    fn time(&self, text: &Spanned<String>) -> Result<Timestamp, Unreadable> {
        self.value(text, |text| text.parse().ok())
    }

    fn attempt(&self, text: &Spanned<String>) -> Result<Attempt, Unreadable> {
        self.value(text, |text| u64::from_str_radix(text, 16).ok().map(Attempt))
    }

    fn entry(
        &self,
        project: &ProjectName,
        name: &Spanned<String>,
        raw: &RawEntry,
    ) -> Result<Entry, Unreadable> {
        let mut secrets = Secrets::default();
        let mut tails = BTreeMap::new();
        let mut account = None;
        if let Some(raw) = &raw.account {
            account = Some(self.value(&raw.id, |text| DockerId::new(text).ok())?);
            secrets.account = Some(self.armour(&raw.secret)?);
        }
        let mut version = |raw: &RawVersion, is_current: bool| {
            let attempt = self.attempt(&raw.attempt)?;
            tails.insert(attempt, Tail::of(&raw.tail));
            let sealed = self.armour(&raw.secret)?;
            let since = raw.current_since.as_ref();
            let twice = secrets.tokens.insert(attempt, sealed).is_some();
            if twice || since.is_some() != is_current {
                return Err(self.at(raw.attempt.span(), What::Malformed));
            }
            Ok(Kept {
                generation: Generation(raw.generation),
                attempt,
                token: self.value(&raw.token, |text| uuid::parse(text).map(TokenId))?,
                minted_at: self.time(&raw.minted_at)?,
                current_since: since.map(|since| self.time(since)).transpose()?,
            })
        };
        let current = raw.current.as_ref();
        let current = current.map(|raw| version(raw, true)).transpose()?;
        let pending = raw.pending.as_ref();
        let pending = pending.map(|raw| version(raw, false)).transpose()?;
        let revision = self.value(&raw.revision, |text| {
            u64::from_str_radix(text, 16).ok().map(Revision)
        })?;
        if revision == Revision(0) {
            return Err(self.at(name.span(), What::Malformed));
        }
        let mut receipts = BTreeMap::new();
        for (target, receipt) in &raw.receipt {
            receipts.insert(
                self.value(target, Target::noted)?,
                Receipt {
                    attempt: self.attempt(&receipt.attempt)?,
                    written_at: self.time(&receipt.written_at)?,
                },
            );
        }
        let stored = Stored {
            revision,
            untouched: account.is_some() && revision.is_first(),
            account,
            current,
            pending,
        };
        let record = Record {
            stored,
            tails,
            receipts,
        };
        Ok(Entry::new(project, record, secrets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARMOUR: &str =
        "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n";

    fn document() -> String {
        let key = age::x25519::Identity::generate();
        let document = Document::new(Key {
            recipient: key.to_public(),
            identity: ARMOUR.into(),
        });
        let at = Timestamp::from_second(1_767_607_200).unwrap();
        let kept = |attempt, current_since| Kept {
            generation: Generation(2),
            attempt: Attempt(attempt),
            token: TokenId(0x9f3c_2a11_0000_4000_8000_0000_0000_0001),
            minted_at: at,
            current_since,
        };
        let record = Record {
            stored: Stored {
                revision: Revision(0x2_00c0_ffee),
                untouched: false,
                account: DockerId::new("acmedigideps").ok(),
                current: Some(kept(1, Some(at))),
                pending: Some(kept(2, None)),
            },
            tails: [
                (Attempt(1), Tail::of("a\"\\\u{7}")),
                (Attempt(2), Tail::of("abc1")),
            ]
            .into(),
            receipts: [
                Target::CircleCi,
                Target::GitHubEnvironment("a \"b\"".into()),
            ]
            .map(|target| {
                let receipt = Receipt {
                    attempt: Attempt(1),
                    written_at: at,
                };
                (target, receipt)
            })
            .into(),
        };
        let secrets = Secrets {
            account: Some(ARMOUR.into()),
            tokens: [(Attempt(1), ARMOUR.into()), (Attempt(2), ARMOUR.into())].into(),
        };
        let mut text = document.head;
        for name in ["a.b", "digideps"] {
            let project = ProjectName::new(name).unwrap();
            text += &Entry::new(&project, record.clone(), secrets.clone()).text;
        }
        text
    }

    fn again(text: &str) -> String {
        let document = parse(text).unwrap();
        let mut out = document.head;
        out.extend(document.entries.into_values().map(|entry| entry.text));
        out
    }

    #[test]
    fn what_is_written_is_read_and_written_again_to_the_letter() {
        let text = document();
        assert_eq!(again(&text), text);
        assert_eq!(again(&text.replace('\n', "\r\n")), text);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let text = document();
        let line = |needle: &str| 1 + text.lines().position(|line| line.contains(needle)).unwrap();
        let wrong = |from: &str, to: &str| parse(&text.replacen(from, to, 1)).err().unwrap();
        for (from, to, what) in [
            (
                "[project.\"digideps\"]",
                "<<<<<<< HEAD\n[project.\"digideps\"]",
                What::Conflict,
            ),
            ("pullpass.store/1", "pullpass.store/9", What::Schema),
            ("revision = ", "revison = ", What::Malformed),
            ("generation = 2", "generation = two", What::Malformed),
            ("minted_at = \"2026", "minted_at = \"soon", What::Malformed),
            ("tail = ", "tail = 4 # ", What::Malformed),
        ] {
            let expected = Unreadable {
                line: line(from),
                what,
            };
            assert_eq!(wrong(from, to), expected, "{from}");
        }
        assert_eq!(parse("").err().unwrap().line, 1);
    }
}
