//! The shell's arithmetic: `$((…))`, `((…))`, `let`, indices of arrays. What counts of it are counters.
//! <https://www.gnu.org/software/bash/manual/html_node/Shell-Arithmetic.html>

use super::Shell;
use crate::run::JobRun;
use crate::text::Text;

/// Bytes of an expression that is worked out, at most.
const MAX_LENGTH: usize = 256;

/// How deep expressions may stand in each other, those that variables hold included.
const MAX_DEPTH: usize = 16;

/// The operators that take two values, the looser ones first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Operators that set what stands before them, the longest first.
const ASSIGNS: [&str; 11] = [
    "<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "=",
];

impl Shell {
    /// What an expression comes to, where that is known. What it sets is not set.
    pub(super) fn arithmetic(&self, run: &JobRun<'_>, text: &str) -> Option<i64> {
        if let Ok(number) = text.trim().parse::<u32>()
            && !text.trim().starts_with('0')
        {
            return Some(number.into());
        }
        Reader::new(self, run, text)?.whole()
    }

    /// The same, and what it sets is set: `((i++))`.
    pub(super) fn calculate(&mut self, run: &mut JobRun<'_>, text: &str) -> Option<i64> {
        let mut reader = Reader::new(self, run, text)?;
        let value = reader.whole();
        let understood = reader.understood;
        for (name, value) in std::mem::take(&mut reader.sets) {
            let value = match value.filter(|_| understood) {
                Some(value) => Text::from(value.to_string()),
                None => run.cx.holes.variable(&name),
            };
            self.set(run, &name, value);
        }
        value
    }
}

struct Reader<'a, 'c> {
    shell: &'a Shell,
    run: &'a JobRun<'c>,
    rest: &'a str,
    depth: usize,
    /// Variables that are set, and to what.
    sets: Vec<(String, Option<i64>)>,
    /// It is an expression to the end.
    understood: bool,
    /// What is read now is not evaluated: the other side of a `&&`.
    skips: bool,
}

impl<'a, 'c> Reader<'a, 'c> {
    fn new(shell: &'a Shell, run: &'a JobRun<'c>, text: &'a str) -> Option<Self> {
        (text.len() <= MAX_LENGTH).then_some(Self {
            shell,
            run,
            rest: text,
            depth: 0,
            sets: Vec::new(),
            understood: true,
            skips: false,
        })
    }

    fn whole(&mut self) -> Option<i64> {
        let value = self.list();
        self.blanks();
        self.understood &= self.rest.is_empty();
        value.filter(|_| self.understood)
    }

    /// `a, b`: the last one counts.
    fn list(&mut self) -> Option<i64> {
        let mut value = self.assignment();
        while self.takes(",") {
            value = self.assignment();
        }
        value
    }

    fn assignment(&mut self) -> Option<i64> {
        if self.depth >= MAX_DEPTH {
            self.understood = false;
            return None;
        }
        self.depth += 1;
        let value = self.assigned();
        self.depth -= 1;
        value
    }

    fn assigned(&mut self) -> Option<i64> {
        let start = self.rest;
        if let Some(name) = self.name() {
            let sets = !self.rest.trim_start().starts_with("==");
            let operator = ASSIGNS.iter().find(|op| sets && self.takes(op));
            if let Some(operator) = operator {
                let right = self.assignment();
                let value = match operator.trim_end_matches('=') {
                    "" => right,
                    operator => {
                        let left = self.variable(name);
                        left.zip(right).and_then(|(a, b)| apply(operator, a, b))
                    }
                };
                return self.set(name, value);
            }
        }
        self.rest = start;
        self.choice()
    }

    /// `a ? b : c`
    fn choice(&mut self) -> Option<i64> {
        let condition = self.level(0);
        if !self.takes("?") {
            return condition;
        }
        let yes = self.unless(condition == Some(0), Self::assignment);
        if !self.takes(":") {
            self.understood = false;
            return None;
        }
        let no = self.unless(condition.is_some_and(|c| c != 0), Self::assignment);
        match condition? {
            0 => no,
            _ => yes,
        }
    }

    fn level(&mut self, at: usize) -> Option<i64> {
        let Some(operators) = LEVELS.get(at) else {
            return self.power();
        };
        let mut left = self.level(at + 1);
        while let Some(operator) = operators.iter().find(|op| self.takes_operator(op)) {
            // Of `0 && x` and `1 || x` the right side does not happen.
            let decided = match (*operator, left) {
                ("&&", Some(0)) => Some(0),
                ("||", Some(value)) if value != 0 => Some(1),
                _ => None,
            };
            let right = self.unless(decided.is_some(), |reader| reader.level(at + 1));
            left = decided.or_else(|| left.zip(right).and_then(|(a, b)| apply(operator, a, b)));
        }
        left
    }

    fn power(&mut self) -> Option<i64> {
        let base = self.unary();
        if !self.takes("**") {
            return base;
        }
        if self.depth >= MAX_DEPTH {
            self.understood = false;
            return None;
        }
        self.depth += 1;
        let exponent = self.power();
        self.depth -= 1;
        base?.checked_pow(u32::try_from(exponent?).ok()?)
    }

    fn unary(&mut self) -> Option<i64> {
        if self.depth >= MAX_DEPTH {
            self.understood = false;
            return None;
        }
        self.depth += 1;
        let value = self.signed();
        self.depth -= 1;
        value
    }

    fn signed(&mut self) -> Option<i64> {
        for (sign, by) in [("++", 1), ("--", -1)] {
            let start = self.rest;
            if self.takes(sign) {
                if let Some(name) = self.name() {
                    let value = self.variable(name).and_then(|v| v.checked_add(by));
                    return self.set(name, value);
                }
                self.rest = start;
            }
        }
        if self.takes("!") {
            return self.unary().map(|value| i64::from(value == 0));
        }
        if self.takes("~") {
            return self.unary().map(|value| !value);
        }
        if self.takes("-") {
            return self.unary()?.checked_neg();
        }
        if self.takes("+") {
            return self.unary();
        }
        self.primary()
    }

    fn primary(&mut self) -> Option<i64> {
        if self.takes("(") {
            let value = self.list();
            self.understood &= self.takes(")");
            return value;
        }
        self.blanks();
        if self.rest.starts_with('$') {
            return self.expansion();
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let end = self
                .rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
            let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            self.rest = rest;
            let value = number_of(number);
            self.understood &= value.is_some();
            return value;
        }
        let Some(name) = self.name() else {
            self.understood = false;
            return None;
        };
        if self.rest.starts_with('[') {
            return self.element(name);
        }
        for (sign, by) in [("++", 1), ("--", -1)] {
            if self.takes(sign) {
                let value = self.variable(name);
                self.set(name, value.and_then(|v| v.checked_add(by)));
                return value;
            }
        }
        self.variable(name)
    }

    /// `$x`, `${x}`, `${x[0]}`, `${#x[@]}`, `$#`
    fn expansion(&mut self) -> Option<i64> {
        let after = self.rest.strip_prefix('$')?;
        if let Some(rest) = after.strip_prefix("((") {
            self.rest = rest;
            let value = self.list();
            self.understood &= self.takes("))");
            return value;
        }
        if let Some(rest) = after.strip_prefix('#') {
            self.rest = rest;
            return self.value_of("#");
        }
        if let Some(rest) = after.strip_prefix('{') {
            self.rest = rest;
            let counts = self.takes("#");
            let Some(name) = self.name() else {
                self.understood = false;
                return None;
            };
            let all = ["[@]", "[*]"].iter().any(|all| self.takes(all));
            let value = match (counts, all) {
                (true, true) => {
                    let all = self.shell.arrays.get(name);
                    let all = all.filter(|all| !self.shell.is_open(self.run, all));
                    all.and_then(|all| i64::try_from(all.len()).ok())
                }
                (false, false) if self.rest.starts_with('[') => self.element(name),
                (false, false) => self.variable(name),
                (true, false) => {
                    let value = self.shell.lookup(self.run, name);
                    let value = value.as_ref().and_then(Text::known);
                    value.and_then(|value| i64::try_from(value.chars().count()).ok())
                }
                (false, true) => None,
            };
            self.understood &= self.takes("}");
            return value;
        }
        let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let (name, rest) = after.split_at(end.unwrap_or(after.len()));
        self.rest = rest;
        self.understood &= !name.is_empty();
        self.value_of(name)
    }

    fn element(&mut self, name: &str) -> Option<i64> {
        self.understood &= self.takes("[");
        let index = self.list();
        self.understood &= self.takes("]");
        let all = self.shell.arrays.get(name)?;
        let at = place(all.len(), index?)?;
        let up_to = all.get(..=at)?;
        if self.shell.is_open(self.run, up_to) {
            return None;
        }
        self.number_in(up_to.last()?.known()?)
    }

    /// A variable's value, as what was set before it in this expression leaves it.
    fn variable(&self, name: &str) -> Option<i64> {
        let set = self.sets.iter().rev().find(|(known, _)| known == name);
        match set {
            Some((_, value)) => *value,
            None => self.value_of(name),
        }
    }

    fn value_of(&self, name: &str) -> Option<i64> {
        let value = self.shell.lookup(self.run, name);
        self.number_in(value?.known()?)
    }

    /// The value of a variable is an expression, too.
    fn number_in(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        if text.is_empty() {
            return Some(0);
        }
        if let Ok(number) = text.parse() {
            return Some(number);
        }
        if self.depth >= MAX_DEPTH || text.len() > MAX_LENGTH || text.contains(['=', '+', '-']) {
            return None;
        }
        let mut inner = Reader::new(self.shell, self.run, text)?;
        inner.depth = self.depth + 1;
        inner.whole()
    }

    fn set(&mut self, name: &str, value: Option<i64>) -> Option<i64> {
        if !self.skips {
            self.sets.push((name.to_owned(), value));
        }
        value
    }

    fn unless<R>(&mut self, skips: bool, act: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.skips;
        self.skips |= skips;
        let result = act(self);
        self.skips = outer;
        result
    }

    fn name(&mut self) -> Option<&'a str> {
        self.blanks();
        let is_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        let end = self.rest.find(|c| !is_of_name(c));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let is_one = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
        is_one.then(|| {
            self.rest = rest;
            name
        })
    }

    fn takes(&mut self, token: &str) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Whether an operator comes next that is no part of a longer one.
    fn takes_operator(&mut self, operator: &str) -> bool {
        self.blanks();
        let Some(rest) = self.rest.strip_prefix(operator) else {
            return false;
        };
        let goes_on = match operator {
            "|" | "&" | "<" | ">" => {
                rest.starts_with([operator.chars().next().unwrap_or(' '), '='])
            }
            "==" | "!=" | "<=" | ">=" | "&&" | "||" => false,
            "*" => rest.starts_with(['*', '=']),
            _ => rest.starts_with('='),
        };
        if !goes_on {
            self.rest = rest;
        }
        !goes_on
    }

    fn blanks(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches([' ', '\t', '\n', '\r', '"', '\\']);
    }
}

/// The place in a list of this length that an index means: from the end, where it is less than zero.
pub(super) fn place(length: usize, index: i64) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.checked_neg()?).ok()?),
    }
}

/// `10`, `0x1f`, `017`, `2#101`
fn number_of(text: &str) -> Option<i64> {
    if let Some((base, digits)) = text.split_once('#') {
        let base = base.parse().ok().filter(|base| (2..=36).contains(base))?;
        return i64::from_str_radix(digits, base).ok();
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => i64::from_str_radix(digits, 8).ok(),
        _ => text.parse().ok(),
    }
}

fn apply(operator: &str, a: i64, b: i64) -> Option<i64> {
    match operator {
        "||" => Some((a != 0 || b != 0).into()),
        "&&" => Some((a != 0 && b != 0).into()),
        "|" => Some(a | b),
        "^" => Some(a ^ b),
        "&" => Some(a & b),
        "==" => Some((a == b).into()),
        "!=" => Some((a != b).into()),
        "<=" => Some((a <= b).into()),
        ">=" => Some((a >= b).into()),
        "<" => Some((a < b).into()),
        ">" => Some((a > b).into()),
        "<<" => a.checked_shl(u32::try_from(b).ok()?),
        ">>" => a.checked_shr(u32::try_from(b).ok()?),
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div(b),
        "%" => a.checked_rem(b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::context::{Context, Options};
    use crate::source::{MemoryTree, RepoPath};
    use crate::text::{HoleKind, Mapped};

    #[test]
    fn an_expression_comes_to_what_bash_says() {
        let tree = MemoryTree::new().with("x", "");
        let options = Options::default();
        let cx = Context::new(&tree, &options);
        let mut run = JobRun::new(&cx);
        let source = cx.sources.load(&RepoPath::new("x").unwrap()).unwrap();
        let mut shell = Shell::new(Rc::new(Mapped::empty(source.id)));
        for (name, value) in [("i", "3"), ("e", ""), ("x", "i"), ("word", "abc")] {
            run.env.insert(name.to_owned(), Text::from(value));
        }
        let unknown = cx.holes.of("$u", HoleKind::Variable);
        run.env.insert("u".to_owned(), unknown);
        let words = ["10", "20", "30"].map(Text::from).to_vec();
        shell.arrays.insert("a".to_owned(), words);
        for (text, expected) in [
            ("", None),
            ("7", Some(7)),
            ("1 + 2 * 3", Some(7)),
            ("(1 + 2) * 3", Some(9)),
            ("10 - 2 - 3", Some(5)),
            ("7 / 2", Some(3)),
            ("-7 % 4", Some(-3)),
            ("1 / 0", None),
            ("2 ** 3 ** 2", Some(512)),
            ("0x1f + 010 + 2#11", Some(42)),
            ("08", None),
            ("i", Some(3)),
            ("$i - 1", Some(2)),
            ("${i}-1", Some(2)),
            ("x + 1", Some(4)),
            ("e", Some(0)),
            ("none", None),
            ("u + 1", None),
            ("i < 4", Some(1)),
            ("i <= 2 || i > 2 && !0", Some(1)),
            ("1 == 1 != 0", Some(1)),
            ("0 && u", Some(0)),
            ("1 || u", Some(1)),
            ("u && 1", None),
            ("i > 2 ? 5 : u", Some(5)),
            ("1 << 4 | 3 & 2 ^ 1", Some(19)),
            ("~0", Some(-1)),
            ("a[1] + ${a[-1]}", Some(50)),
            ("${#a[@]} - 1", Some(2)),
            ("a[9]", None),
            ("${#word}", Some(3)),
            ("\"$i\" + 1", Some(4)),
            ("1 +", None),
            ("1 2", None),
            ("9223372036854775807 + 1", None),
            ("i++ + i", Some(7)),
            ("--i", Some(2)),
            ("j = 2, j + 1", Some(3)),
            ("i += 2", Some(5)),
            ("$((i + 1)) * 2", Some(8)),
            ("$(date)", None),
        ] {
            assert_eq!(shell.arithmetic(&run, text), expected, "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(100), ")".repeat(100));
        assert_eq!(shell.arithmetic(&run, &deep), None);
        for (text, name, expected) in [
            ("i++", "i", "4"),
            ("i -= 2", "i", "2"),
            ("0 && (i = 9)", "i", "2"),
            ("n = m = 5", "m", "5"),
            ("i = u", "i", "$i"),
            ("m = $(date)", "m", "$m"),
        ] {
            shell.calculate(&mut run, text);
            let found = run.env.get(name).map(|value| run.show(value));
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
    }
}
