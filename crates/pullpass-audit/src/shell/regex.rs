//! Regular expressions as `grep`, `sed` and `awk` are given them in a CI, in the words of the crate that finds them.
//! Where one says more than that, what the filter prints is not known.

use std::iter::Peekable;
use std::str::Chars;

use regex_lite::{Captures, RegexBuilder, escape};

use super::pattern::Match;
use crate::text::{has_hole, is_hole};

/// Longer expressions, in bytes, are not understood.
const MAX_PATTERN: usize = 256;

/// What one may take once it is compiled, in bytes: a repetition of repetitions takes more.
const MAX_COMPILED: usize = 1 << 16;

/// Longer lines, in bytes, are not compared.
const MAX_LENGTH: usize = 2048;

/// The group of what a match keeps, where more than that is compared.
const KEPT: &str = "kept";

#[derive(Clone, Debug)]
pub(super) struct Regex {
    compiled: regex_lite::Regex,
    /// What each match begins with, at the start of the line; nothing where it may begin with anything.
    head: String,
    /// Whether what stands behind a match has a say.
    looks_on: bool,
}

/// Where one is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `grep`, `sed`
    Basic,
    /// `grep -E`, `sed -E`, `awk`
    Extended,
    /// `grep -P`
    Perl,
    /// `grep -F`
    Fixed,
}

impl Regex {
    /// `None` when it is not understood.
    pub(super) fn parse(text: &str, dialect: Dialect, ignores_case: bool) -> Option<Self> {
        if text.len() > MAX_PATTERN || has_hole(text) {
            return None;
        }
        let written = match dialect {
            Dialect::Fixed => Written::fixed(text),
            dialect => Written::of(text, dialect)?,
        };
        let mut builder = RegexBuilder::new(&written.text);
        builder
            .case_insensitive(ignores_case)
            .size_limit(MAX_COMPILED);
        Some(Self {
            compiled: builder.build().ok()?,
            head: written.head.filter(|_| !ignores_case).unwrap_or_default(),
            looks_on: written.looks_on,
        })
    }

    /// All places in a line where it matches, one after the other. `None`: that is not known.
    pub(super) fn all<'l>(&self, line: &'l str) -> Option<impl Iterator<Item = Captures<'l>>> {
        let is_known = line.len() <= MAX_LENGTH && !has_hole(line);
        is_known.then(|| self.compiled.captures_iter(line))
    }

    /// What it matches of a line, without what is empty. `None`: that is not known.
    pub(super) fn pieces<'l>(&self, line: &'l str) -> Option<impl Iterator<Item = &'l str>> {
        let all = self.all(line)?;
        let pieces = all
            .filter_map(|found| found.name(KEPT).or_else(|| found.get(0)))
            .map(|piece| piece.as_str());
        Some(pieces.filter(|piece| !piece.is_empty()))
    }

    /// Whether it matches somewhere in a line. `None`: that is not known.
    pub(super) fn finds(&self, line: &str) -> Option<bool> {
        Some(self.all(line)?.next().is_some())
    }

    /// Whether it matches somewhere in a line, of which a part may be unknown.
    pub(super) fn matches(&self, line: &str) -> Match {
        if line.len() > MAX_LENGTH {
            return Match::Maybe;
        }
        let known = line.split(is_hole).next().unwrap_or("");
        let found = || self.compiled.is_match(known);
        if known.len() == line.len() {
            return match found() {
                true => Match::Yes,
                false => Match::No,
            };
        }
        // What stands before the unknown part may decide.
        if !self.looks_on && found() {
            return Match::Yes;
        }
        match known.bytes().zip(self.head.bytes()).any(|(a, b)| a != b) {
            true => Match::No,
            false => Match::Maybe,
        }
    }
}

/// An expression in the words of the crate.
struct Written {
    text: String,
    head: Option<String>,
    looks_on: bool,
}

impl Written {
    fn fixed(text: &str) -> Self {
        Self {
            text: escape(text),
            head: None,
            looks_on: false,
        }
    }

    fn of(text: &str, dialect: Dialect) -> Option<Self> {
        let perl = dialect == Dialect::Perl;
        let extended = dialect != Dialect::Basic;
        let mut out = Self {
            text: String::new(),
            head: None,
            looks_on: false,
        };
        if perl && let Some((before, kept, after)) = around(text)? {
            let [before, kept, after] = [before, kept, after].map(|part| Self::of(part, dialect));
            let (before, kept, after) = (before?.text, kept?.text, after?.text);
            out.text = format!("(?:{before})(?P<{KEPT}>{kept})(?:{after})");
            out.looks_on = true;
            return Some(out);
        }
        let mut chars = text.chars().peekable();
        // Nothing stands before it that could be repeated.
        let mut begins = true;
        let mut repeated = false;
        while let Some(c) = chars.next() {
            let (c, escaped) = match c {
                '\\' => (chars.next()?, true),
                c => (c, false),
            };
            // What is a sign in one kind is a letter in the other.
            let is_sign = escaped != extended;
            let began = std::mem::replace(&mut begins, false);
            let repeats = match c {
                '*' => !escaped && !began,
                '+' | '?' | '{' => is_sign,
                _ => false,
            };
            // `a+?` means something else to the crate.
            if repeats && repeated {
                if !(perl && c == '?') {
                    return None;
                }
                out.text.push(c);
                repeated = false;
                continue;
            }
            repeated = repeats;
            match c {
                '(' | '|' if is_sign => {
                    out.text.push(c);
                    begins = true;
                }
                ')' if is_sign => out.text.push(c),
                '{' if is_sign => out.repetition(&mut chars, extended)?,
                _ if repeats => out.text.push(c),
                '^' if !escaped && (extended || began) => {
                    out.text.push(c);
                    begins = true;
                }
                '$' if !escaped && (extended || ends(&chars)) => {
                    out.text.push(c);
                    out.looks_on = true;
                }
                '.' if !escaped => out.text.push(c),
                '[' if !escaped => out.set(&mut chars, perl)?,
                'b' | 'B' if escaped => {
                    out.text.extend(['\\', c]);
                    out.looks_on = true;
                }
                's' | 'S' | 'w' | 'W' | 'd' | 'D' | 't' | 'n' if escaped => {
                    out.text.extend(['\\', c]);
                }
                // Others are groups once more, and where words end.
                c if escaped && (c.is_ascii_alphanumeric() || matches!(c, '<' | '>')) => {
                    return None;
                }
                c => out.letter(c),
            }
        }
        out.head = head(&out.text);
        Some(out)
    }

    fn letter(&mut self, c: char) {
        self.text.push_str(&escape(c.encode_utf8(&mut [0; 4])));
    }

    /// The rest of `{2,3}` or `\{2,3\}`.
    fn repetition(&mut self, chars: &mut Peekable<Chars<'_>>, extended: bool) -> Option<()> {
        self.text.push('{');
        while let Some(c) = chars.next_if(|c| c.is_ascii_digit() || *c == ',') {
            self.text.push(c);
        }
        if !extended {
            chars.next_if_eq(&'\\')?;
        }
        chars.next_if_eq(&'}')?;
        self.text.push('}');
        Some(())
    }

    /// The rest of a `[…]`, in which `\` is a letter, or one for a letter that has no other sign; in Perl's a letter
    /// behind it stands for itself.
    fn set(&mut self, chars: &mut Peekable<Chars<'_>>, perl: bool) -> Option<()> {
        self.text.push('[');
        self.text.extend(chars.next_if_eq(&'^'));
        let mut is_first = true;
        loop {
            match chars.next()? {
                ']' if !is_first => break,
                '[' if chars.peek() == Some(&':') => {
                    chars.next();
                    let name: String =
                        std::iter::from_fn(|| chars.next_if(char::is_ascii_lowercase)).collect();
                    chars.next_if_eq(&':')?;
                    chars.next_if_eq(&']')?;
                    self.text.push_str(&format!("[:{name}:]"));
                }
                '[' if matches!(chars.peek(), Some('.' | '=')) => return None,
                '\\' if matches!(chars.peek(), Some('n' | 't' | 's' | 'w' | 'd')) => {
                    self.text.push('\\');
                    self.text.extend(chars.next());
                }
                '\\' if perl && chars.peek().is_some_and(char::is_ascii_punctuation) => {
                    self.letter_of_set(chars.next()?);
                }
                c => self.letter_of_set(c),
            }
            is_first = false;
            let mut ahead = chars.clone();
            if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
                chars.next();
                self.text.push('-');
                let to = chars.next()?;
                self.letter_of_set(to);
            }
        }
        self.text.push(']');
        Some(())
    }

    fn letter_of_set(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.text.push('\\');
        }
        self.text.push(c);
    }
}

/// What must stand before, what is kept of a match, and what must stand behind it: `(?<=before)kept(?=behind)` or
/// `before\Kkept`, as they are written to print a part of a line. `None`: neither is understood.
#[expect(
    clippy::option_option,
    reason = "not understood, nothing around it, this around it"
)]
fn around(text: &str) -> Option<Option<(&str, &str, &str)>> {
    let (before, rest) = match text.strip_prefix("(?<=") {
        Some(rest) => {
            let end = closing(rest)?;
            (rest.get(..end)?, rest.get(end + 1..)?)
        }
        None => text.split_once("\\K").unwrap_or(("", text)),
    };
    let (kept, after) = match rest.rfind("(?=") {
        Some(at) => {
            let inner = rest.get(at + 3..)?;
            let is_last = closing(inner)? + 1 == inner.len();
            (rest.get(..at)?, is_last.then(|| inner.strip_suffix(')'))??)
        }
        None => (rest, ""),
    };
    let looks = |part: &str| {
        ["(?<", "(?=", "(?!", "\\K"]
            .iter()
            .any(|sign| part.contains(sign))
    };
    if [before, kept, after].into_iter().any(looks) {
        return None;
    }
    Some((kept.len() < text.len()).then_some((before, kept, after)))
}

/// Where the group ends that a text is the rest of.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut in_set, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                continue;
            }
            '\\' => escaped = true,
            '[' => in_set = true,
            ']' => in_set = false,
            '(' if !in_set => depth += 1,
            ')' if !in_set && depth == 0 => return Some(at),
            ')' if !in_set => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Whether nothing of a group or of an alternative follows.
fn ends(chars: &Peekable<Chars<'_>>) -> bool {
    let mut chars = chars.clone();
    match chars.next() {
        None => true,
        Some('\\') => matches!(chars.next(), Some(')' | '|')),
        Some(_) => false,
    }
}

/// The letters that a match begins with, at the start of the line, of an expression in the words of the crate.
fn head(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('^')?.chars().peekable();
    if text.contains('|') {
        return None;
    }
    let mut out = String::new();
    loop {
        let letter = match chars.next() {
            Some('\\') => chars.next().filter(char::is_ascii_punctuation),
            Some('.' | '[' | '(' | '^' | '$') | None => None,
            letter => letter,
        };
        // One that may be missing is none.
        match (letter, chars.peek()) {
            (Some(letter), next) if !matches!(next, Some('*' | '?' | '{')) => out.push(letter),
            _ => return Some(out),
        }
        chars.next_if_eq(&'+');
        if out.len() > MAX_PATTERN {
            return Some(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: Dialect = Dialect::Basic;
    const E: Dialect = Dialect::Extended;
    const P: Dialect = Dialect::Perl;

    #[test]
    fn expressions_match_what_the_tools_match() {
        for (pattern, dialect, line, expected) in [
            ("^A=", B, "A=b", Some("A=")),
            ("^A=", B, "BA=b", None),
            ("a.*c", B, "xabcbcx", Some("abcbc")),
            ("a+", B, "aa+", Some("a+")),
            ("*a", B, "b*a", Some("*a")),
            ("a^b$c", B, "a^b$c", Some("a^b$c")),
            ("\\(^a\\|c$\\)", B, "bc", Some("c")),
            ("a+", E, "baa", Some("aa")),
            ("[^ ]*$", B, "a bc", Some("bc")),
            ("[a-c]\\+", B, "xabz", Some("ab")),
            ("[a&&b~~-]*", B, "a&b~-c", Some("a&b~-")),
            ("[\\.]", B, "a\\", Some("\\")),
            ("a|bc", E, "bca", Some("bc")),
            ("(a|b)+c", E, "xabac", Some("abac")),
            ("(a)(b?)c", E, "ac", Some("ac")),
            ("[[:space:]]+x", E, "a \tx", Some(" \tx")),
            ("a\\.b", B, "acb a.b", Some("a.b")),
            ("x{2}", E, "xxx", Some("xx")),
            ("x\\{2,\\}", B, "xxx", Some("xxx")),
            ("x{2}", B, "xx{2}", Some("x{2}")),
            ("[]]", B, "a]", Some("]")),
            ("a.b", Dialect::Fixed, "acb a.b", Some("a.b")),
            ("a+?", P, "aa", Some("a")),
            (
                "(?<=^FROM )\\S*web\\S*",
                P,
                "FROM me/web:1 AS x",
                Some("me/web:1"),
            ),
            ("FROM \\K[^ ]+", P, "FROM me/web:1 AS x", Some("me/web:1")),
            (
                "(?<=version = \")[^\"]+(?=\")",
                P,
                "version = \"1.2\"",
                Some("1.2"),
            ),
            ("\\d+(?=-alpine)", P, "18-slim 20-alpine", Some("20")),
            ("(?<=[(]v)[\\d\\.]+", P, "x (v1.2)", Some("1.2")),
            ("(?:a|b)c", P, "abc", Some("bc")),
        ] {
            let regex = Regex::parse(pattern, dialect, false).unwrap();
            let found = regex.pieces(line).unwrap().next();
            assert_eq!(found, expected, "{pattern} {line}");
        }
    }

    #[test]
    fn what_is_beyond_the_crate_is_not_understood() {
        for (pattern, dialect) in [
            ("\\(a\\)\\1", B),
            ("\\<a", B),
            ("[[.a.]]", B),
            ("[[:vowel:]]", B),
            ("(a", E),
            ("[a", E),
            ("a{2", E),
            ("+a", E),
            ("a+?", E),
            ("a++", P),
            ("(?<!a)b", P),
            ("a(?=b)c", P),
            ("(?<=a", P),
            ("a**", B),
            ("((((a{99}){99}){99}){99})", E),
        ] {
            assert!(Regex::parse(pattern, dialect, false).is_none(), "{pattern}");
        }
        assert!(Regex::parse(&"a".repeat(MAX_PATTERN + 1), B, false).is_none());
    }

    #[test]
    fn what_stands_before_an_unknown_part_may_decide() {
        let holes = crate::text::Holes::default();
        let hole = holes.of("$X", crate::text::HoleKind::Variable);
        for (pattern, line, expected) in [
            ("^A=", "A=", Match::Yes),
            ("^A=", "B=", Match::No),
            ("^A=1", "A=", Match::Maybe),
            ("^A*B", "B", Match::Yes),
            ("^A*B", "C", Match::Maybe),
            ("A$", "A", Match::Maybe),
            ("^A$", "B", Match::No),
            ("^A|B", "C", Match::Maybe),
        ] {
            let regex = Regex::parse(pattern, E, false).unwrap();
            let line = format!("{line}{}", hole.as_str());
            assert_eq!(regex.matches(&line), expected, "{pattern} {line}");
        }
        let regex = Regex::parse("^a", B, true).unwrap();
        assert_eq!(regex.matches("A"), Match::Yes);
    }
}
