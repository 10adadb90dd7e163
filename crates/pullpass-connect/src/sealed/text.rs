//! The text of such a file: TOML, of which only what pullpass writes is read.

use std::fmt::Write;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::key::Key;

/// The lines above everything else: what the file is, and its key.
pub(crate) fn head(comment: &str, schema: &str, key: &Key) -> String {
    format!(
        "# {comment}\nschema = \"{schema}\"\n\n[key]\nrecipient = {}\nidentity = {}\n",
        quoted(&key.recipient.to_string()),
        block(&key.identity),
    )
}

/// A basic string of TOML.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A literal string of several lines. Armour holds no quotes.
pub(crate) fn block(armour: &str) -> String {
    format!("'''\n{armour}'''")
}

/// Why a text is not such a file. It never quotes the text, which may hold anything by now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// 1-based.
    pub(crate) line: usize,
    pub(crate) what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A merge that has a conflict.
    Conflict,
    /// Another version of the format.
    Schema,
    /// Anything else.
    Malformed,
}

/// The key, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKey {
    recipient: Spanned<String>,
    identity: Spanned<String>,
}

/// Reads one text.
pub(crate) struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    /// Of a text without marks of a merge.
    pub(crate) fn new(text: &'a str) -> Result<Self, Unreadable> {
        let marks = ["<<<<<<< ", "||||||| ", "=======", ">>>>>>> "];
        let is_mark = |line: &str| marks.iter().any(|mark| line.starts_with(mark));
        match text.lines().position(is_mark) {
            None => Ok(Self { text }),
            Some(line) => Err(Unreadable {
                line: line + 1,
                what: What::Conflict,
            }),
        }
    }

    /// All of it.
    pub(crate) fn raw<T: Deserialize<'a>>(&self) -> Result<T, Unreadable> {
        toml::from_str(self.text)
            .map_err(|error| self.at(error.span().unwrap_or(0..0), What::Malformed))
    }

    pub(crate) fn at(&self, span: Range<usize>, what: What) -> Unreadable {
        let before = self.text.as_bytes().iter().take(span.start);
        Unreadable {
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            what,
        }
    }

    /// That the format is this one.
    pub(crate) fn schema(
        &self,
        written: &Spanned<String>,
        expected: &str,
    ) -> Result<(), Unreadable> {
        match written.get_ref() == expected {
            true => Ok(()),
            false => Err(self.at(written.span(), What::Schema)),
        }
    }

    pub(crate) fn value<T>(
        &self,
        text: &Spanned<String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Unreadable> {
        read(text.get_ref()).ok_or_else(|| self.at(text.span(), What::Malformed))
    }

    pub(crate) fn key(&self, raw: &RawKey) -> Result<Key, Unreadable> {
        Ok(Key {
            recipient: self.value(&raw.recipient, |text| text.parse().ok())?,
            identity: self.armour(&raw.identity)?,
        })
    }

    /// Armour, with the line ends that it was written with: a checkout may have made them CRLF.
    pub(crate) fn armour(&self, text: &Spanned<String>) -> Result<String, Unreadable> {
        self.value(text, |text| {
            let text = text.replace('\r', "");
            let whole = text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n")
                && text.ends_with("\n-----END AGE ENCRYPTED FILE-----\n")
                && !text.contains('\'');
            whole.then_some(text)
        })
    }
}
