//! Rules ask what a word is, not how it was written; the answer has to be "not
//! known" as soon as any piece is decided only when the script runs.

use std::borrow::Cow;

use super::ast::{HereDoc, ParamOp, Part, PartKind, Span, Word};

impl HereDoc {
    /// The body, if nothing in it depends on the run.
    #[must_use]
    pub fn literal(&self) -> Option<Cow<'_, str>> {
        constant(&self.body, false)
    }
}

impl Word {
    /// The word's value, if nothing in it depends on the run. Template holes
    /// are ordinary characters here: the caller who made them looks for them.
    #[must_use]
    pub fn literal(&self) -> Option<Cow<'_, str>> {
        constant(&self.parts, false)
    }

    /// Like [`Word::literal`], with file-name patterns and `~` taken as
    /// written: a URL with an unquoted `?` is nearly always meant literally.
    #[must_use]
    pub fn literal_or_glob(&self) -> Option<Cow<'_, str>> {
        constant(&self.parts, true)
    }

    /// Whether nothing happens when the word is expanded: no command runs, no variable is set.
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.parts.iter().all(is_inert)
    }

    /// Whether any of the word is quoted or escaped.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(
                part.kind,
                PartKind::Escaped(_)
                    | PartKind::SingleQuoted(_)
                    | PartKind::AnsiQuoted(_)
                    | PartKind::DoubleQuoted(_)
            )
        })
    }

    /// The word as written in the text that was parsed.
    #[must_use]
    pub fn source<'a>(&self, text: &'a str) -> &'a str {
        self.span.of(text)
    }

    /// Splits `NAME=value` as an argument of `declare` and its kin (or
    /// `env`) into the name and the parts of the value.
    #[must_use]
    pub fn assignment(&self) -> Option<(&str, Cow<'_, [Part]>)> {
        let (first, rest) = self.parts.split_first()?;
        let PartKind::Literal(text) = &first.kind else {
            return None;
        };
        let (name, value) = text.split_once('=')?;
        let name = name.strip_suffix('+').unwrap_or(name);
        let name_ok = name.chars().enumerate().all(|(i, c)| {
            c == '_' || c.is_ascii_alphabetic() || is_hole(c) || (i > 0 && c.is_ascii_digit())
        });
        if name.is_empty() || !name_ok {
            return None;
        }
        if value.is_empty() {
            return Some((name, Cow::Borrowed(rest)));
        }
        let length = u32::try_from(value.len()).unwrap_or(0);
        let mut parts = vec![Part {
            kind: PartKind::Literal(value.into()),
            span: Span {
                start: first.span.end.saturating_sub(length).max(first.span.start),
                end: first.span.end,
            },
        }];
        parts.extend_from_slice(rest);
        Some((name, Cow::Owned(parts)))
    }
}

/// Template holes are written as characters of plane 15.
pub(super) fn is_hole(c: char) -> bool {
    ('\u{F0000}'..='\u{FFFFD}').contains(&c)
}

fn is_inert(part: &Part) -> bool {
    match &part.kind {
        PartKind::Literal(_)
        | PartKind::Escaped(_)
        | PartKind::SingleQuoted(_)
        | PartKind::AnsiQuoted(_)
        | PartKind::Glob(_)
        | PartKind::ExtGlob(_)
        | PartKind::Tilde(_) => true,
        PartKind::DoubleQuoted(inner) => inner.iter().all(is_inert),
        PartKind::Param(param) => param.op == ParamOp::None && param.index.is_none(),
        _ => false,
    }
}

fn constant(parts: &[Part], lenient: bool) -> Option<Cow<'_, str>> {
    match parts {
        [] => return Some(Cow::Borrowed("")),
        [only] => match &only.kind {
            PartKind::Literal(text) | PartKind::SingleQuoted(text) | PartKind::AnsiQuoted(text) => {
                return Some(Cow::Borrowed(text));
            }
            _ => {}
        },
        _ => {}
    }
    let mut out = String::new();
    for part in parts {
        match &part.kind {
            PartKind::Literal(text) | PartKind::SingleQuoted(text) | PartKind::AnsiQuoted(text) => {
                out.push_str(text);
            }
            PartKind::Escaped(c) => out.push(*c),
            PartKind::DoubleQuoted(inner) => out.push_str(&constant(inner, lenient)?),
            PartKind::Glob(c) if lenient => out.push(*c),
            PartKind::ExtGlob(text) if lenient => out.push_str(text),
            PartKind::Tilde(user) if lenient => {
                out.push('~');
                out.push_str(user);
            }
            _ => return None,
        }
    }
    Some(Cow::Owned(out))
}
