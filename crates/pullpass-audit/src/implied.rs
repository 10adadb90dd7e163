//! What conditions say of each other: a login under `event_name != 'pull_request'` is made wherever a pull
//! under `event_name == 'push'` is, and one under `a || b` wherever one under `b && c` is.
//!
//! The conditions are GitHub's, as `github::condition` spells them; a condition of another kind says
//! something of one with the same words, and of no other.

use crate::effect::Guard;

/// Longest condition that is looked into, in bytes, and how many conditions at once. Only hostile input has more.
const MAX_TEXT: usize = 512;
const MAX_GUARDS: usize = 16;

/// How deep conditions are looked into.
const MAX_DEPTH: usize = 6;

/// A condition taken apart.
enum Condition<'t> {
    One(&'t str),
    Not(Box<Condition<'t>>),
    All(Vec<Condition<'t>>),
    Any(Vec<Condition<'t>>),
}

/// What is known to hold, or not to.
type Facts<'t> = Vec<(&'t str, bool)>;

/// Whether `wanted` holds wherever all of `given` do.
pub(crate) fn implies(given: &[Guard], wanted: &Guard) -> bool {
    if given.contains(wanted) {
        return true;
    }
    // Nearly all conditions have nothing in common.
    let compared = |guard: &Guard| guard.text.contains(['|', '&', '=', '(', '!']);
    let short = |guard: &Guard| guard.text.len() <= MAX_TEXT;
    if given.is_empty()
        || given.len() > MAX_GUARDS
        || !short(wanted)
        || !given.iter().all(short)
        || !compared(wanted) && !given.iter().any(compared)
    {
        return false;
    }
    let wanted = (Condition::read(&wanted.text, MAX_DEPTH), wanted.holds);
    let given: Vec<(Condition<'_>, bool)> = given
        .iter()
        .map(|guard| (Condition::read(&guard.text, MAX_DEPTH), guard.holds))
        .collect();
    let mut facts = Facts::new();
    let mut open = Vec::new();
    for (condition, holds) in &given {
        condition.tell(*holds, &mut facts, &mut open);
    }
    if wanted.0.follows(wanted.1, &facts) {
        return true;
    }
    // Of `a || b` one holds: it follows when it follows from each.
    open.iter().any(|(alternatives, holds)| {
        alternatives.iter().all(|one| {
            let mut facts = facts.clone();
            one.tell(*holds, &mut facts, &mut Vec::new());
            wanted.0.follows(wanted.1, &facts)
        })
    })
}

/// Whether no run has all conditions of both.
pub(crate) fn excludes(a: &[Guard], b: &[Guard]) -> bool {
    a.iter().any(|guard| implies(b, &guard.not()))
}

impl<'t> Condition<'t> {
    fn read(text: &'t str, depth: usize) -> Self {
        let text = text.trim();
        let Some(deeper) = depth.checked_sub(1) else {
            return Self::One(text);
        };
        let read = |part: &&'t str| Self::read(part, deeper);
        match parts(text, "||").as_slice() {
            [_] => {}
            several => return Self::Any(several.iter().map(read).collect()),
        }
        match parts(text, "&&").as_slice() {
            [_] => {}
            several => return Self::All(several.iter().map(read).collect()),
        }
        if let Some(inner) = in_parentheses(text) {
            return Self::read(inner, deeper);
        }
        if let Some(rest) = text.strip_prefix('!').filter(|rest| !rest.starts_with('=')) {
            return Self::Not(Box::new(Self::read(rest, deeper)));
        }
        Self::One(text)
    }

    /// What follows from it, when it holds or does not.
    fn tell<'c>(&'c self, holds: bool, facts: &mut Facts<'t>, open: &mut Vec<(&'c [Self], bool)>)
    where
        't: 'c,
    {
        match (self, holds) {
            (Self::One(text), _) => facts.push((text, holds)),
            (Self::Not(of), _) => of.tell(!holds, facts, open),
            (Self::All(all), true) | (Self::Any(all), false) => {
                for one in all {
                    one.tell(holds, facts, open);
                }
            }
            (Self::All(all), false) | (Self::Any(all), true) => open.push((all, holds)),
        }
    }

    /// Whether it is certain that it holds, or does not, by what is known.
    fn follows(&self, holds: bool, facts: &Facts<'_>) -> bool {
        match (self, holds) {
            (Self::One(text), _) => facts.iter().any(|fact| says(*fact, text, holds)),
            (Self::Not(of), _) => of.follows(!holds, facts),
            (Self::All(all), true) | (Self::Any(all), false) => {
                all.iter().all(|one| one.follows(holds, facts))
            }
            (Self::All(all), false) | (Self::Any(all), true) => {
                all.iter().any(|one| one.follows(holds, facts))
            }
        }
    }
}

/// Whether a fact says that a condition holds, or does not.
fn says((fact, is): (&str, bool), text: &str, holds: bool) -> bool {
    if fact == text {
        return is == holds;
    }
    // One thing has one value.
    let (Some((of, value)), true, false) = (equation(text), is, holds) else {
        return false;
    };
    if let Some((same, other)) = equation(fact)
        && same.eq_ignore_ascii_case(of)
    {
        // GitHub compares texts without regard to case.
        return !other.eq_ignore_ascii_case(value);
    }
    // The ref of a pull request is `refs/pull/…`.
    // https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request
    of == "github.event_name" && value == "pull_request" && is_a_branch_or_tag(fact)
}

/// `github.ref == 'refs/heads/main'`, `startsWith(github.ref, 'refs/tags/')`, `github.ref_type == 'tag'`.
fn is_a_branch_or_tag(fact: &str) -> bool {
    let named = |value: &str| value.starts_with("refs/heads/") || value.starts_with("refs/tags/");
    match equation(fact) {
        Some(("github.ref", value)) => named(value),
        Some(("github.ref_type", value)) => value == "tag",
        Some(_) => false,
        None => {
            let arguments = fact.strip_prefix("startsWith(github.ref, '");
            let value = arguments.and_then(|rest| rest.strip_suffix("')"));
            value.is_some_and(named)
        }
    }
}

/// The name and the text of `name == 'text'`.
fn equation(text: &str) -> Option<(&str, &str)> {
    let (of, value) = text.split_once(" == ")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    (of.chars().all(is_name) && !value.contains('\'')).then_some((of, value))
}

/// What stands between the operators of one kind, outside of parentheses and texts.
fn parts<'t>(text: &'t str, operator: &str) -> Vec<&'t str> {
    let mut out = Vec::new();
    let (mut depth, mut quoted, mut start) = (0usize, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ if depth == 0
                && at >= start
                && text
                    .get(at..)
                    .is_some_and(|rest| rest.starts_with(operator)) =>
            {
                out.extend(text.get(start..at));
                start = at + operator.len();
            }
            _ => {}
        }
    }
    out.extend(text.get(start..));
    out
}

/// What stands in the parentheses that are around all of a text.
fn in_parentheses(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let (mut depth, mut quoted) = (0i32, false);
    for byte in inner.bytes() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::{excludes, implies};
    use crate::effect::Guard;

    /// `-x` is a condition that must not hold.
    fn guards(written: &str) -> Vec<Guard> {
        let one = |text: &str| match text.strip_prefix('-') {
            Some(text) => Guard::when(text).not(),
            None => Guard::when(text),
        };
        written
            .split(", ")
            .filter(|t| !t.is_empty())
            .map(one)
            .collect()
    }

    #[test]
    fn a_condition_follows_from_others() {
        let main = "github.ref == 'refs/heads/main'";
        for (given, wanted, follows) in [
            ("a", "a", true),
            ("a", "-a", false),
            ("a", "a || b", true),
            ("b, c", "a || b", true),
            ("c", "a || b", false),
            ("a || b", "a", false),
            ("a || b", "b || a || c", true),
            ("a && b", "a", true),
            ("-a || b", "-a", true),
            ("-a && b", "-a", false),
            ("a", "-!a", true),
            ("!(a || b)", "-a", true),
            ("a, b", "(a || x) && (b || y)", true),
            ("a", "(a || x) && (b || y)", false),
            ("a", "a && b || c", false),
            ("c", "a && b || c", true),
            ("x == 'push'", "-x == 'pull_request'", true),
            ("x == 'push'", "-x == 'PUSH'", false),
            ("x == 'push'", "-y == 'pull_request'", false),
            ("-x == 'push'", "-x == 'pull_request'", false),
            ("x == 'push'", "x == 'pull_request'", false),
            (
                "x == 'push' || x == 'schedule'",
                "-x == 'pull_request'",
                true,
            ),
            ("x == 'push' || y", "-x == 'pull_request'", false),
            (main, "-github.event_name == 'pull_request'", true),
            (main, "-github.event_name == 'pull_request_target'", false),
            (
                "github.ref_type == 'tag'",
                "-github.event_name == 'pull_request'",
                true,
            ),
            (
                "github.ref_type == 'branch'",
                "-github.event_name == 'pull_request'",
                false,
            ),
            ("x == 'a || b'", "x == 'a", false),
            // In the shell's words.
            ("[ \"$A\" = x ]", "[ \"$A\" = x ] || [ \"$B\" = y ]", true),
            ("[[ $A == x || $B == y ]]", "[[ $A == x", false),
            ("(a) || (b)", "a", false),
            ("(a) && (b)", "a", true),
        ] {
            let guard = &guards(wanted)[0];
            assert_eq!(
                implies(&guards(given), guard),
                follows,
                "{given} => {wanted}"
            );
        }
        let tag = vec![Guard::when("startsWith(github.ref, 'refs/tags/')")];
        assert!(implies(
            &tag,
            &Guard::when("github.event_name == 'pull_request'").not()
        ));
    }

    #[test]
    fn two_values_exclude_each_other() {
        for (a, b, excluded) in [
            ("x == 'a'", "x == 'b'", true),
            ("x == 'a'", "y == 'b'", false),
            ("a", "-a", true),
            ("a || b", "-a, -b", true),
            ("a || b", "-a", false),
            ("", "-a", false),
        ] {
            assert_eq!(excludes(&guards(a), &guards(b)), excluded, "{a} / {b}");
        }
    }

    #[test]
    fn hostile_conditions_are_not_looked_into() {
        let deep = format!("{}a{}", "(".repeat(400), ")".repeat(100));
        assert!(!implies(&guards(&deep), &Guard::when("a")));
        let wide = "a || ".repeat(100_000);
        assert!(!implies(&guards("a"), &Guard::when(wide.as_str())));
    }
}
