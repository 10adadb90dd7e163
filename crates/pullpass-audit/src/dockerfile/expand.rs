//! Variables in the words of a Dockerfile (and of a Compose file, which has the same syntax): `$X`,
//! `${X:-default}` and their kin, with values that may be partly unknown.
//!
//! Work and size are bounded, for `ARG B=$A$A` repeated doubles each time: what grows past any real
//! image name becomes one unknown value that stands for the words as written.

use crate::text::{HoleKind, Holes, Text, is_hole};

/// Longest word that is expanded, and longest value that comes out, in characters.
const MAX_CHARS: usize = 4096;

/// Longest value that a pattern is matched against: matching is quadratic.
const MAX_PATTERN_CHARS: usize = 256;

/// How deep `${A:-${B:-…}}` may nest.
const MAX_NESTING: usize = 24;

/// How words are written in the file at hand.
#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    /// Dockerfile: quotes group and vanish; the escape character is given.
    Dockerfile(char),
    /// Compose: quotes are ordinary characters, `$$` is a dollar.
    Compose,
}

/// Where a variable's value comes from.
pub(crate) enum Value {
    /// It has this value.
    Set(Text),
    /// It has none.
    Unset,
}

/// `word` with every variable replaced. `lookup` is asked once per use. A variable without a value
/// and without a default is empty, or, with `unset_as_hole`, unknown.
pub(crate) fn expand(
    word: &str,
    dialect: Dialect,
    holes: &Holes,
    unset_as_hole: bool,
    lookup: &mut dyn FnMut(&str) -> Value,
) -> Text {
    if !word.contains(['$', '"', '\'', '\\', '`']) {
        return Text::new(word);
    }
    let whole = || {
        holes.of(
            word.get(..word.len().min(200)).unwrap_or("$…"),
            HoleKind::Expression,
        )
    };
    let chars: Vec<char> = word.chars().take(MAX_CHARS + 1).collect();
    if chars.len() > MAX_CHARS {
        return whole();
    }
    let mut expander = Expander {
        chars: &chars,
        at: 0,
        dialect,
        holes,
        unset_as_hole,
        lookup,
        overflow: false,
    };
    let out = expander.word(None, 0);
    if expander.overflow {
        whole()
    } else {
        Text::new(out)
    }
}

struct Expander<'a> {
    chars: &'a [char],
    at: usize,
    dialect: Dialect,
    holes: &'a Holes,
    unset_as_hole: bool,
    lookup: &'a mut dyn FnMut(&str) -> Value,
    overflow: bool,
}

impl Expander<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn written(&self, from: usize) -> String {
        self.chars
            .get(from..self.at)
            .unwrap_or_default()
            .iter()
            .collect()
    }

    /// Up to `stop` (which is taken) or the end.
    fn word(&mut self, stop: Option<char>, depth: usize) -> String {
        let mut out = String::new();
        let mut quoted = false;
        if depth > MAX_NESTING {
            self.overflow = true;
        }
        while let Some(c) = self.next() {
            if self.overflow || out.len() > MAX_CHARS * 4 {
                self.overflow = true;
                break;
            }
            if Some(c) == stop && !quoted {
                break;
            }
            match (self.dialect, c) {
                (Dialect::Compose, '$') if self.peek() == Some('$') => {
                    self.at += 1;
                    out.push('$');
                }
                (_, '$') => out.push_str(&self.dollar(depth)),
                (Dialect::Compose, _) => out.push(c),
                (Dialect::Dockerfile(escape), _) if c == escape => match self.next() {
                    // Inside of quotes the escape character escapes little.
                    Some(n) if quoted && n != '"' && n != '$' && n != escape => out.extend([c, n]),
                    Some(n) => out.push(n),
                    None => out.push(c),
                },
                (Dialect::Dockerfile(_), '\'') if !quoted => {
                    while let Some(n) = self.next().filter(|&n| n != '\'') {
                        out.push(n);
                    }
                }
                (Dialect::Dockerfile(_), '"') => quoted = !quoted,
                (Dialect::Dockerfile(_), _) => out.push(c),
            }
        }
        out
    }

    fn name(&mut self) -> String {
        let from = self.at;
        while self
            .peek()
            .is_some_and(|c| c == '_' || c.is_ascii_alphanumeric())
        {
            self.at += 1;
        }
        self.written(from)
    }

    fn unknown(&self, from: usize) -> String {
        self.holes
            .of(&self.written(from), HoleKind::Variable)
            .as_str()
            .to_owned()
    }

    /// What follows a `$`.
    fn dollar(&mut self, depth: usize) -> String {
        let from = self.at - 1;
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return "$".to_owned();
            }
            return match (self.lookup)(&name) {
                Value::Set(value) => value.as_str().to_owned(),
                Value::Unset if self.unset_as_hole => self.unknown(from),
                Value::Unset => String::new(),
            };
        }
        self.at += 1;
        let name = self.name();
        let value = match (self.lookup)(&name) {
            Value::Set(value) => Some(value.as_str().to_owned()),
            Value::Unset => None,
        };
        let Some(mut operator) = self.next() else {
            return self.unknown(from);
        };
        // With the colon an empty value counts as none.
        let mut present = value.clone();
        if operator == ':' {
            present = present.filter(|v| !v.is_empty());
            operator = self.next().unwrap_or('}');
        }
        match operator {
            '}' => match value {
                Some(value) => value,
                None if self.unset_as_hole => self
                    .holes
                    .of(&format!("${name}"), HoleKind::Variable)
                    .as_str()
                    .to_owned(),
                None => String::new(),
            },
            '-' => {
                let default = self.word(Some('}'), depth + 1);
                present.unwrap_or(default)
            }
            '+' => {
                let other = self.word(Some('}'), depth + 1);
                if present.is_some() {
                    other
                } else {
                    String::new()
                }
            }
            '?' => {
                let _ = self.word(Some('}'), depth + 1);
                // Without a value docker refuses the file, so there is one that we do not see.
                present.unwrap_or_else(|| {
                    self.holes
                        .of(&format!("${name}"), HoleKind::Variable)
                        .as_str()
                        .to_owned()
                })
            }
            '#' | '%' => {
                let longest = self.peek() == Some(operator);
                self.at += usize::from(longest);
                let pattern = self.word(Some('}'), depth + 1);
                let value = value.unwrap_or_default();
                cut(&value, &pattern, operator == '#', longest)
                    .unwrap_or_else(|| self.unknown(from))
            }
            '/' => {
                let all = self.peek() == Some('/');
                self.at += usize::from(all);
                let rest = self.word(Some('}'), depth + 1);
                let (pattern, with) = rest.split_once('/').unwrap_or((&rest, ""));
                let value = value.unwrap_or_default();
                if value.contains(is_hole)
                    || pattern.is_empty()
                    || pattern.contains(['*', '?', '['])
                {
                    self.unknown(from)
                } else if all {
                    value.replace(pattern, with)
                } else {
                    value.replacen(pattern, with, 1)
                }
            }
            _ => {
                let _ = self.word(Some('}'), depth + 1);
                self.unknown(from)
            }
        }
    }
}

/// `value` without the shortest or longest start or end that the pattern matches; `None` when that
/// cannot be known.
fn cut(value: &str, pattern: &str, start: bool, longest: bool) -> Option<String> {
    if value.contains(is_hole)
        || pattern.contains(is_hole)
        || value.len() > MAX_PATTERN_CHARS
        || pattern.len() > MAX_PATTERN_CHARS
        || pattern.contains('[')
    {
        return None;
    }
    let chars: Vec<char> = value.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let lengths = 0..=chars.len();
    let cut_of = |len: usize| {
        if start {
            (chars.get(..len), chars.get(len..))
        } else {
            let at = chars.len() - len;
            (chars.get(at..), chars.get(..at))
        }
    };
    let fits = |len: &usize| cut_of(*len).0.is_some_and(|part| glob(&pattern, part));
    let found = if longest {
        lengths.rev().find(fits)
    } else {
        lengths.into_iter().find(fits)
    };
    Some(match found.and_then(|len| cut_of(len).1) {
        Some(rest) => rest.iter().collect(),
        None => value.to_owned(),
    })
}

/// Whether a pattern of `*`, `?` and letters matches all of `text`. Never recurses.
pub(crate) fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(word: &str, dialect: Dialect, unset_as_hole: bool) -> String {
        let holes = Holes::default();
        let tag = holes.of("$TAG", HoleKind::Variable);
        let out = expand(
            word,
            dialect,
            &holes,
            unset_as_hole,
            &mut |name| match name {
                "V" => Value::Set("3.20".into()),
                "E" => Value::Set(Text::default()),
                "T" => Value::Set(tag.clone()),
                _ => Value::Unset,
            },
        );
        holes.show(out.as_str())
    }

    #[test]
    fn every_form_of_a_variable_is_expanded() {
        for (word, expected) in [
            ("alpine:$V", "alpine:3.20"),
            ("alpine:${V}-x", "alpine:3.20-x"),
            ("\"alpine:${V}\"", "alpine:3.20"),
            ("'alpine:${V}'", "alpine:${V}"),
            ("alpine:\\$V", "alpine:$V"),
            ("${N:-node}:1", "node:1"),
            ("${E:-node}:1", "node:1"),
            ("${E-node}:1", ":1"),
            ("${V:-node}", "3.20"),
            ("a${V:+-x}", "a-x"),
            ("a${N:+-x}", "a"),
            ("a${E:+-x}${E+-y}", "a-y"),
            ("${N:-${M:-b}}:1", "b:1"),
            ("${N:-\"a}b\"}:1", "a}b:1"),
            ("${V%.*}", "3"),
            ("${V#*.}", "20"),
            ("${V%%0}", "3.2"),
            ("${V/./-}", "3-20"),
            ("${V//0/1}", "3.21"),
            ("${V:?why}", "3.20"),
            ("${N:?why}", "$N"),
            ("alpine:$T", "alpine:$TAG"),
            ("${T:-x}", "$TAG"),
            ("${T%.*}", "${T%.*}"),
            ("a$", "a$"),
            ("a:$N", "a:"),
            ("${N", "${N"),
        ] {
            assert_eq!(
                show(word, Dialect::Dockerfile('\\'), false),
                expected,
                "{word}"
            );
        }
        assert_eq!(show("a:${N}", Dialect::Dockerfile('\\'), true), "a:$N");
        assert_eq!(show("$$V '$V'", Dialect::Compose, true), "$V '3.20'");
    }

    #[test]
    fn absurd_words_become_one_unknown() {
        let deep = format!("{}x", "${N:-".repeat(1_000));
        assert!(show(&deep, Dialect::Dockerfile('\\'), false).starts_with("${N:-"));
        let long = "$V".repeat(4_000);
        assert!(show(&long, Dialect::Dockerfile('\\'), false).starts_with("$V$V"));
    }
}
