//! Regular expressions as `grep`, `sed` and `awk` are given them in a CI: letters, sets, repetitions, groups and
//! alternatives. Where one goes beyond that, what the filter prints is not known.

use std::cell::Cell;

use super::pattern::Match;
use crate::text::{has_hole, is_hole};

/// Longer expressions are not understood: each of their letters takes room on the stack.
const MAX_PATTERN: usize = 256;

/// Longer lines are not compared.
const MAX_LENGTH: usize = 2048;

/// Steps that all comparisons with one expression may take: only hostile ones need more.
const MAX_STEPS: usize = 100_000;

/// What one character is compared with.
#[derive(Clone, PartialEq, Debug)]
enum Atom {
    Char(char),
    Any,
    /// Whether it is all but these.
    Set(bool, Vec<(char, char)>),
}

impl Atom {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::Any => true,
            Self::Set(not, ranges) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Part {
    One {
        atom: Atom,
        /// It may be missing.
        optional: bool,
        /// It may be there more than once.
        many: bool,
    },
    Open(usize),
    Close(usize),
}

/// One of the alternatives.
#[derive(Clone, Debug, Default)]
struct Sequence {
    parts: Vec<Part>,
    at_start: bool,
    at_end: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Regex {
    alternatives: Vec<Sequence>,
    /// Steps that are left.
    left: Cell<usize>,
}

/// Where a line matches: all of it, and its groups.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) groups: [(usize, usize); 9],
}

/// Sets by their letters: `\s`, `\w`, `\d`.
fn class(c: char) -> Option<Atom> {
    let ranges = match c.to_ascii_lowercase() {
        's' => vec![(' ', ' '), ('\t', '\r')],
        'w' => vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
        'd' => vec![('0', '9')],
        _ => return None,
    };
    Some(Atom::Set(c.is_ascii_uppercase(), ranges))
}

impl Regex {
    fn of(alternatives: Vec<Sequence>) -> Self {
        Self {
            alternatives,
            left: Cell::new(MAX_STEPS),
        }
    }

    /// Text that stands for itself.
    pub(super) fn literal(text: &str) -> Option<Self> {
        (text.len() <= MAX_PATTERN && !has_hole(text)).then(|| {
            let one = |c| Part::One {
                atom: Atom::Char(c),
                optional: false,
                many: false,
            };
            Self::of(vec![Sequence {
                parts: text.chars().map(one).collect(),
                ..Sequence::default()
            }])
        })
    }

    /// A basic or an extended one; `None` when it is not understood.
    pub(super) fn parse(text: &str, extended: bool) -> Option<Self> {
        if text.len() > MAX_PATTERN || has_hole(text) {
            return None;
        }
        let mut all = vec![Sequence::default()];
        let mut open = Vec::new();
        let mut groups = 0;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let (c, escaped) = match c {
                '\\' => (chars.next()?, true),
                c => (c, false),
            };
            // What is a sign in one kind is a letter in the other.
            let is_sign = escaped != extended;
            let sequence = all.last_mut()?;
            let atom = match c {
                '(' if is_sign => {
                    sequence.parts.push(Part::Open(groups));
                    open.push(groups);
                    groups += 1;
                    continue;
                }
                ')' if is_sign => {
                    sequence.parts.push(Part::Close(open.pop()?));
                    continue;
                }
                '|' if is_sign && open.is_empty() => {
                    all.push(Sequence::default());
                    continue;
                }
                '|' | '{' | '}' if is_sign => return None,
                '+' | '?' if is_sign => {
                    repeat(sequence, c)?;
                    continue;
                }
                '*' if !escaped && !sequence.parts.is_empty() => {
                    repeat(sequence, c)?;
                    continue;
                }
                '^' if !escaped && sequence.parts.is_empty() => {
                    sequence.at_start = true;
                    continue;
                }
                '$' if !escaped && matches!(chars.peek(), None | Some('|')) => {
                    sequence.at_end = true;
                    continue;
                }
                '^' | '$' if !escaped && extended => return None,
                // It may stand before the end of a group, or of an alternative.
                '$' if !escaped && chars.peek() == Some(&'\\') => return None,
                '^' if !escaped && matches!(sequence.parts.last(), Some(Part::Open(_))) => {
                    return None;
                }
                '.' if !escaped => Atom::Any,
                '[' if !escaped => set(&mut chars)?,
                't' if escaped => Atom::Char('\t'),
                'n' if escaped => Atom::Char('\n'),
                c if escaped && c.is_ascii_alphanumeric() => class(c)?,
                '<' | '>' if escaped => return None,
                c => Atom::Char(c),
            };
            if sequence.at_end {
                return None;
            }
            sequence.parts.push(Part::One {
                atom,
                optional: false,
                many: false,
            });
        }
        (open.is_empty() && groups <= 9).then(|| Self::of(all))
    }

    /// For small and capital letters alike, where the line is given in small ones. `None` for one with a set of letters.
    pub(super) fn in_small_letters(mut self) -> Option<Self> {
        for part in self.alternatives.iter_mut().flat_map(|s| &mut s.parts) {
            match part {
                Part::One {
                    atom: Atom::Char(c),
                    ..
                } => *c = c.to_ascii_lowercase(),
                Part::One {
                    atom: Atom::Set(..),
                    ..
                } => return None,
                _ => {}
            }
        }
        Some(self)
    }

    /// The first place at or behind `from` where it matches, the longest there. The outer `None`: that would take too
    /// long.
    #[expect(clippy::option_option, reason = "not known, not found, found")]
    pub(super) fn find(&self, line: &[char], from: usize) -> Option<Option<Found>> {
        if line.len() > MAX_LENGTH {
            return None;
        }
        let mut steps = self.left.get();
        let found = self.search(line, from, &mut steps);
        self.left.set(steps);
        (steps > 0).then_some(found)
    }

    fn search(&self, line: &[char], from: usize, steps: &mut usize) -> Option<Found> {
        let anchored = self.alternatives.iter().all(|sequence| sequence.at_start);
        for start in from..=line.len() {
            let mut best: Option<Found> = None;
            for sequence in &self.alternatives {
                // Most lines have nowhere what most expressions begin with.
                let begins = match sequence.parts.first() {
                    Some(Part::One {
                        atom,
                        optional: false,
                        ..
                    }) => line.get(start).is_some_and(|c| atom.matches(*c)),
                    _ => true,
                };
                if sequence.at_start && start > 0 || !begins {
                    continue;
                }
                let mut groups = [(0, 0); 9];
                let end = sequence.end(0, line, start, &mut groups, steps);
                if let Some(end) = end
                    && best.as_ref().is_none_or(|best| best.end < end)
                {
                    best = Some(Found { start, end, groups });
                }
            }
            if best.is_some() || anchored || *steps == 0 {
                return best;
            }
        }
        None
    }

    /// Whether it matches somewhere in a line, of which a part may be unknown.
    pub(super) fn matches(&self, line: &str) -> Match {
        let known: Vec<char> = line.chars().take_while(|c| !is_hole(*c)).collect();
        if !has_hole(line) {
            return match self.find(&known, 0) {
                Some(Some(_)) => Match::Yes,
                Some(None) => Match::No,
                None => Match::Maybe,
            };
        }
        // What is before the unknown part may decide.
        let without_end = self.alternatives.iter().filter(|s| !s.at_end).cloned();
        let found = Self::of(without_end.collect()).find(&known, 0);
        if matches!(found, Some(Some(_))) {
            return Match::Yes;
        }
        let begins_otherwise = |sequence: &Sequence| {
            let simple = sequence.parts.iter().map_while(|part| match part {
                Part::One {
                    atom,
                    optional: false,
                    many: false,
                } => Some(atom),
                _ => None,
            });
            sequence.at_start && simple.zip(&known).any(|(atom, c)| !atom.matches(*c))
        };
        match self.alternatives.iter().all(begins_otherwise) {
            true => Match::No,
            false => Match::Maybe,
        }
    }
}

impl Sequence {
    /// Where it ends if it begins to match at `t` with its part `p`.
    fn end(
        &self,
        p: usize,
        line: &[char],
        t: usize,
        groups: &mut [(usize, usize); 9],
        steps: &mut usize,
    ) -> Option<usize> {
        *steps = steps.checked_sub(1).unwrap_or_default();
        if *steps == 0 {
            return None;
        }
        let Some(part) = self.parts.get(p) else {
            return (!self.at_end || t == line.len()).then_some(t);
        };
        match part {
            Part::Open(number) => {
                let end = self.end(p + 1, line, t, groups, steps)?;
                if let Some(group) = groups.get_mut(*number) {
                    group.0 = t;
                }
                Some(end)
            }
            Part::Close(number) => {
                let end = self.end(p + 1, line, t, groups, steps)?;
                if let Some(group) = groups.get_mut(*number) {
                    group.1 = t;
                }
                Some(end)
            }
            Part::One {
                atom,
                optional,
                many,
            } => {
                let rest = line.get(t..).unwrap_or_default();
                let most = if *many { rest.len() } else { 1 };
                let run = rest.iter().take(most).take_while(|c| atom.matches(**c));
                let run = run.count();
                let least = usize::from(!optional);
                (least..=run)
                    .rev()
                    .find_map(|count| self.end(p + 1, line, t + count, groups, steps))
            }
        }
    }
}

/// What a sign of repetition says of the part before it; `None` when that is a group.
fn repeat(sequence: &mut Sequence, sign: char) -> Option<()> {
    match sequence.parts.last_mut()? {
        Part::One { optional, many, .. } => {
            *optional |= sign != '+';
            *many |= sign != '?';
            Some(())
        }
        Part::Open(_) | Part::Close(_) => None,
    }
}

/// The rest of a `[…]`.
fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Atom> {
    let not = chars.next_if_eq(&'^').is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    loop {
        let c = chars.next()?;
        match c {
            ']' if !ranges.is_empty() => return Some(Atom::Set(not, ranges)),
            '[' if chars.peek() == Some(&':') => {
                let name: String = chars.by_ref().skip(1).take_while(|c| *c != ':').collect();
                chars.next_if_eq(&']')?;
                ranges.extend_from_slice(match name.as_str() {
                    "space" => &[(' ', ' '), ('\t', '\r')],
                    "blank" => &[(' ', ' '), ('\t', '\t')],
                    "digit" => &[('0', '9')],
                    "alpha" => &[('a', 'z'), ('A', 'Z')],
                    "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
                    "lower" => &[('a', 'z')],
                    "upper" => &[('A', 'Z')],
                    _ => return None,
                });
            }
            '\\' if matches!(chars.peek(), Some('n' | 't')) => {
                let letter = if chars.next()? == 'n' { '\n' } else { '\t' };
                ranges.push((letter, letter));
            }
            from => {
                let mut ahead = chars.clone();
                let to = (ahead.next() == Some('-'))
                    .then(|| ahead.next())
                    .flatten()
                    .filter(|to| *to != ']');
                if to.is_some() {
                    *chars = ahead;
                }
                ranges.push((from, to.unwrap_or(from)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, extended: bool, line: &str) -> Option<String> {
        let regex = Regex::parse(pattern, extended)?;
        let line: Vec<char> = line.chars().collect();
        let found = regex.find(&line, 0)??;
        Some(line[found.start..found.end].iter().collect())
    }

    #[test]
    fn expressions_match_what_the_tools_match() {
        for (pattern, extended, line, expected) in [
            ("^A=", false, "A=b", Some("A=")),
            ("^A=", false, "BA=b", None),
            ("a.*c", false, "xabcbcx", Some("abcbc")),
            ("a+", false, "aa+", Some("a+")),
            ("a+", true, "baa", Some("aa")),
            ("[^ ]*$", false, "a bc", Some("bc")),
            ("[a-c]\\+", false, "xabz", Some("ab")),
            ("a|bc", true, "bca", Some("bc")),
            ("(a)(b?)c", true, "ac", Some("ac")),
            ("[[:space:]]+x", true, "a \tx", Some(" \tx")),
            ("a\\.b", false, "acb a.b", Some("a.b")),
            ("(a|b)c", true, "ac", None),
            ("x{2}", true, "xx", None),
            ("[]]", false, "a]", Some("]")),
        ] {
            assert_eq!(
                found(pattern, extended, line).as_deref(),
                expected,
                "{pattern} {line}"
            );
        }
    }

    #[test]
    fn what_would_take_too_long_is_not_known() {
        let regex = Regex::parse(&"a*".repeat(64), false).unwrap();
        let mut line = vec!['a'; 1000];
        line.push('b');
        let mut with_end = regex.clone();
        with_end.alternatives[0].at_end = true;
        assert!(with_end.find(&line, 0).is_none());
    }
}
