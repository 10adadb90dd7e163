//! TOML, key by key, so that whatever is wrong is answered with its place and a cure.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key, with where it is written.
pub type Key<'t> = Spanned<Cow<'t, str>>;
/// A value, with where it is written.
pub type Value<'t> = Spanned<DeValue<'t>>;

/// What is wrong with a file, where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileError {
    /// `file:line:column: what is wrong`.
    pub happened: String,
    /// What to do.
    pub next: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.happened, self.next)
    }
}

impl std::error::Error for FileError {}

/// A result with a [`FileError`].
pub type Result<T> = std::result::Result<T, FileError>;

/// Reads one file.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'t> {
    text: &'t str,
    name: &'t str,
}

impl<'t> Reader<'t> {
    /// Of a text; `name` is for errors.
    pub fn new(text: &'t str, name: &'t str) -> Self {
        Self { text, name }
    }

    /// The whole file.
    pub fn root(&self) -> Result<Spanned<DeTable<'t>>> {
        DeTable::parse(self.text).map_err(|error| {
            self.wrong(
                error.span().unwrap_or(0..0),
                format!("not TOML: {}", error.message()),
                "see https://toml.io for how it is written",
            )
        })
    }

    /// An error at that place.
    pub fn wrong(
        &self,
        at: Range<usize>,
        happened: impl fmt::Display,
        next: impl Into<String>,
    ) -> FileError {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        let column = before.get(start..).unwrap_or("").chars().count() + 1;
        let happened = without_controls(&happened.to_string());
        FileError {
            happened: format!("{}:{line}:{column}: {happened}", self.name),
            next: next.into(),
        }
    }

    /// A key that means nothing here.
    pub fn unknown(&self, key: &Key<'_>, what: &str, known: &[&str]) -> FileError {
        self.wrong(
            key.span(),
            format!("unknown {what} `{}`", key.get_ref()),
            did_you_mean(
                key.get_ref(),
                known.iter().copied(),
                &format!("known here: {}", known.join(", ")),
            ),
        )
    }

    /// A table.
    pub fn table<'v>(&self, value: &'v Value<'t>, key: &str) -> Result<&'v DeTable<'t>> {
        value.get_ref().as_table().ok_or_else(|| {
            self.wrong(
                value.span(),
                format!("`{key}` is a table, not {}", kind_of(value)),
                format!("write it as `[{key}]`"),
            )
        })
    }

    /// A list of tables.
    pub fn tables<'v>(
        &self,
        value: &'v Value<'t>,
        key: &str,
    ) -> Result<impl Iterator<Item = &'v Value<'t>>> {
        let items = value.get_ref().as_array().ok_or_else(|| {
            self.wrong(
                value.span(),
                format!("`{key}` is a list of tables"),
                format!("write each as `[[{key}]]`"),
            )
        })?;
        Ok(items.iter())
    }

    /// A text.
    pub fn string<'v>(&self, key: &Key<'_>, value: &'v Value<'_>) -> Result<&'v str> {
        value.get_ref().as_str().ok_or_else(|| {
            self.wrong(
                value.span(),
                format!(
                    "`{}` must be a string, and is {}",
                    key.get_ref(),
                    kind_of(value)
                ),
                "put it in quotes",
            )
        })
    }

    /// A list of texts, each with its place.
    pub fn strings<'v>(
        &self,
        key: &Key<'_>,
        value: &'v Value<'_>,
    ) -> Result<Vec<(&'v str, Range<usize>)>> {
        let wrong = || {
            self.wrong(
                value.span(),
                format!("`{}` is a list of strings", key.get_ref()),
                format!("write it as `{} = [\"…\"]`", key.get_ref()),
            )
        };
        let items = value.get_ref().as_array().ok_or_else(wrong)?;
        items
            .iter()
            .map(|item| Ok((item.get_ref().as_str().ok_or_else(wrong)?, item.span())))
            .collect()
    }

    /// A number that is not negative.
    pub fn number(&self, key: &Key<'_>, value: &Value<'_>) -> Result<u32> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => integer.to_string().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| {
            let next = match value.get_ref() {
                DeValue::Integer(_) => "write one that is not negative and not too large",
                DeValue::String(_) => "write it without quotes",
                _ => "write it with digits alone",
            };
            let happened = format!("`{}` must be a whole number, from 0 on", key.get_ref());
            self.wrong(value.span(), happened, next)
        })
    }

    /// Yes or no.
    pub fn boolean(&self, key: &Key<'_>, value: &Value<'_>) -> Result<bool> {
        match value.get_ref() {
            DeValue::Boolean(yes) => Ok(*yes),
            _ => Err(self.wrong(
                value.span(),
                format!("`{}` is true or false", key.get_ref()),
                "write it without quotes",
            )),
        }
    }

    /// One of a few words.
    pub fn word<T: Copy>(
        &self,
        key: &Key<'_>,
        value: &Value<'_>,
        words: &[(&str, T)],
    ) -> Result<T> {
        let written = self.string(key, value)?;
        match words.iter().find(|(word, _)| *word == written) {
            Some((_, meaning)) => Ok(*meaning),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(self.wrong(
                    value.span(),
                    format!("`{}` cannot be `{written}`", key.get_ref()),
                    did_you_mean(
                        written,
                        known.iter().copied(),
                        &format!("it is one of {}", known.join(", ")),
                    ),
                ))
            }
        }
    }
}

/// A text in which a terminal obeys nothing: what a file holds is shown and not done.
pub fn without_controls(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && c != '\n' {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    plain
}

/// What a value is, with its article.
fn kind_of(value: &Value<'_>) -> String {
    let kind = value.get_ref().type_str();
    let article = match kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    };
    format!("{article} {kind}")
}

/// The known name that `written` was most likely meant to be.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Words in the wrong order (`pull-anonymous`) are far apart letter by letter.
    let sorted = |name: &str| {
        let mut words: Vec<&str> = name.split(['-', '_', ' ']).collect();
        words.sort_unstable();
        words.join("-")
    };
    let written = written.to_lowercase();
    let by_words = sorted(&written);
    known
        .into_iter()
        .map(|name| {
            let near = strsim::jaro_winkler(&written, name)
                .max(strsim::jaro_winkler(&by_words, &sorted(name)));
            // One slip in a short name is a large part of it.
            let slip = strsim::osa_distance(&written, name) == 1;
            (if slip { near.max(0.8) } else { near }, name)
        })
        .filter(|(near, _)| *near > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// "did you mean …?", and what to do otherwise.
pub fn did_you_mean<'k>(
    written: &str,
    known: impl IntoIterator<Item = &'k str>,
    otherwise: &str,
) -> String {
    nearest(written, known).map_or_else(
        || otherwise.to_owned(),
        |name| format!("did you mean `{name}`? {otherwise}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_through_typos_and_word_order() {
        let known = ["anonymous-pull", "login-after-pull", "policy"];
        assert_eq!(nearest("anonimous-pull", known), Some("anonymous-pull"));
        assert_eq!(nearest("pull_anonymous", known), Some("anonymous-pull"));
        assert_eq!(nearest("polcy", known), Some("policy"));
        assert_eq!(nearest("zzz", known), None);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let reader = Reader::new("", "f.toml");
        let said = reader.wrong(0..0, "`a\u{1b}[31mred\u{9b}`", "").happened;
        assert_eq!(said, r"f.toml:1:1: `a\u{1b}[31mred\u{9b}`");
    }

    #[test]
    fn a_place_is_a_line_and_a_column() {
        let reader = Reader::new("a = 1\nä = \"x\"\n", "f.toml");
        let error = reader.wrong(12..13, "odd", "mend it");
        assert_eq!(error.happened, "f.toml:2:6: odd");
        assert!(reader.root().is_err(), "ä is no bare key");
    }
}
