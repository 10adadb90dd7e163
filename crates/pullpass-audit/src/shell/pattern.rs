//! File-name patterns as `case`, `[[ == ]]` and `${X%...}` use them, on text of which a part may be
//! unknown: then a match may be `Maybe`.

use crate::text::{MAX_VALUE, has_hole, is_hole};

/// One piece of a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Piece {
    Char(char),
    AnyChar,
    AnyText,
    /// A set, a nested pattern or an unknown value: what it matches is not looked into.
    Unclear,
}

/// A pattern that is taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Pattern(Vec<Piece>);

/// Whether a text matches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Match {
    No,
    Maybe,
    Yes,
}

/// Longer texts and patterns are not compared: the comparison takes the product of both.
const MAX_LENGTH: usize = 2048;

impl Pattern {
    /// A pattern in which nothing is quoted.
    pub(super) fn parse(text: &str) -> Self {
        let mut out = Self::default();
        for c in text.chars() {
            match c {
                '*' | '?' | '[' => out.glob(c),
                c => out.literal_char(c),
            }
        }
        out
    }

    /// Whether it matches this text and nothing else.
    pub(super) fn is(&self, text: &str) -> bool {
        let chars = text.chars().map(Piece::Char);
        self.0.iter().copied().eq(chars)
    }

    pub(super) fn glob(&mut self, c: char) {
        self.0.push(match c {
            '*' => Piece::AnyText,
            '?' => Piece::AnyChar,
            _ => Piece::Unclear,
        });
    }

    pub(super) fn unclear(&mut self) {
        self.0.push(Piece::Unclear);
    }

    pub(super) fn literal(&mut self, text: &str) {
        for c in text.chars() {
            self.literal_char(c);
        }
    }

    fn literal_char(&mut self, c: char) {
        self.0.push(if is_hole(c) {
            Piece::Unclear
        } else {
            Piece::Char(c)
        });
    }

    fn is_clear(&self) -> bool {
        !self.0.contains(&Piece::Unclear) && self.0.len() <= MAX_LENGTH
    }
}

/// Whether all of `text` matches.
pub(super) fn matches(pattern: &Pattern, text: &str) -> Match {
    if pattern.0.iter().all(|piece| *piece == Piece::AnyText) && !pattern.0.is_empty() {
        return Match::Yes;
    }
    if !pattern.is_clear() || text.len() > MAX_LENGTH {
        return Match::Maybe;
    }
    // `*.yml` and `test_*` do not match most names, which their first or last characters say.
    if !has_hole(text) {
        let differs = |piece: Option<&Piece>, c: Option<char>| matches!(piece, Some(Piece::Char(want)) if c != Some(*want));
        let first = differs(pattern.0.first(), text.chars().next());
        if first || differs(pattern.0.last(), text.chars().next_back()) {
            return Match::No;
        }
    }
    let chars: Vec<char> = text.chars().collect();
    if chars.iter().any(|c| is_hole(*c)) {
        // `v*` surely does not match `x$TAG`: what is known before the first hole decides.
        let prefix = chars.iter().take_while(|c| !is_hole(**c));
        for (have, want) in prefix.zip(&pattern.0) {
            match want {
                Piece::Char(c) if c == have => {}
                Piece::Char(_) => return Match::No,
                _ => return Match::Maybe,
            }
        }
        return Match::Maybe;
    }
    if whole(&pattern.0, &chars) {
        Match::Yes
    } else {
        Match::No
    }
}

fn whole(pattern: &[Piece], text: &[char]) -> bool {
    // The classic two-pointer walk: on a mismatch the last `*` takes one character more.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), text.get(t)) {
            (Some(Piece::AnyText), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(Piece::AnyChar), _) => {
                p += 1;
                t += 1;
            }
            (Some(Piece::Char(want)), Some(have)) if want == have => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|piece| *piece == Piece::AnyText)
}

/// What is left of `text` without the part at its start (or end) that matches. `None` when it
/// cannot be known.
pub(super) fn without(
    pattern: &Pattern,
    text: &str,
    from_end: bool,
    longest: bool,
) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    if !pattern.is_clear() || chars.len() > MAX_LENGTH {
        return None;
    }
    if pattern.0.is_empty() {
        return Some(text.to_owned());
    }
    let mut lengths: Vec<usize> = (0..=chars.len()).collect();
    if longest {
        lengths.reverse();
    }
    // A match longer than a short text is impossible; cubic work on a long one is refused above
    // by the limit and here by looking at no more than is plausible.
    if chars.len() * chars.len() * pattern.0.len() > 4_000_000 {
        return None;
    }
    for length in lengths {
        let (part, rest) = if from_end {
            let at = chars.len() - length;
            (chars.get(at..)?, chars.get(..at)?)
        } else {
            (chars.get(..length)?, chars.get(length..)?)
        };
        let holes = part.iter().any(|c| is_hole(*c));
        if whole(&pattern.0, part) {
            // `*` over an unknown value: `${X##*/}` on `$A/b` is `b` all the same, as long as
            // what stands around it is known to match.
            let inside_unknown = holes && !longest;
            if inside_unknown {
                return None;
            }
            return Some(rest.iter().collect());
        }
        if holes && !longest {
            return None;
        }
    }
    // Nothing matched; a hole could have.
    chars.iter().all(|c| !is_hole(*c)).then(|| text.to_owned())
}

/// `text` with matches replaced. `None` when it cannot be known.
pub(super) fn replaced(pattern: &Pattern, text: &str, with: &str, all: bool) -> Option<String> {
    if !pattern.is_clear() || text.len() > MAX_LENGTH || text.contains(is_hole) {
        // A literal without holes in the pattern can still be replaced around holes.
        let literal: Option<String> = pattern
            .0
            .iter()
            .map(|piece| match piece {
                Piece::Char(c) => Some(*c),
                _ => None,
            })
            .collect();
        let literal = literal.filter(|l| !l.is_empty() && text.contains(l.as_str()))?;
        let times = if all {
            text.matches(literal.as_str()).count()
        } else {
            1
        };
        if with.len().saturating_mul(times) > MAX_VALUE {
            return None;
        }
        return Some(text.replacen(&literal, with, times));
    }
    let chars: Vec<char> = text.chars().collect();
    if chars.len() * chars.len() * pattern.0.len().max(1) > 4_000_000 {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut done = false;
    while at < chars.len() {
        let found = (!done && !pattern.0.is_empty())
            .then(|| {
                (at + 1..=chars.len())
                    .rev()
                    .find(|&end| whole(&pattern.0, chars.get(at..end).unwrap_or_default()))
            })
            .flatten();
        match found {
            Some(end) => {
                out.push_str(with);
                if out.len() > MAX_VALUE {
                    return None;
                }
                at = end;
                done = !all;
            }
            None => {
                out.extend(chars.get(at));
                at += 1;
            }
        }
    }
    Some(out)
}
