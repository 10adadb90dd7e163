//! The grammar of `${{ }}`, because whether a pull happens, and of what, is often said in it.
//!
//! ```text
//! "python:${{ matrix.v || '3' }}" ─► pieces ─► Expr ─► evaluate::Scope ─► value, or a hole
//! ```
//!
//! The grammar is that of GitHub's "Evaluate expressions in workflows and actions": strings in
//! single quotes, `!` before comparison before equality before `&&` before `||`.

use smallvec::SmallVec;
use std::cell::RefCell;
use std::rc::Rc;

use crate::memory::Memory;

/// How deep parentheses, calls and indexes may nest. GitHub itself refuses more than 50.
const MAX_NESTING: usize = 50;

/// Parts that one expression may have: a chain of `&&` is a tree as deep as it is long.
const MAX_PARTS: usize = 600;

/// One expression.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Expr {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `12.5`
    Number(f64),
    /// `'text'`
    Str(String),
    /// A context: `matrix`, `github`.
    Name(String),
    /// `x.y`, `x['y']`, `x[0]`
    Key(Box<Expr>, Box<Expr>),
    /// `x.*`
    Star(Box<Expr>),
    /// `format('{0}', x)`
    Call(String, Vec<Expr>),
    /// `!x`
    Not(Box<Expr>),
    /// `x == y`
    Binary(Op, Box<Expr>, Box<Expr>),
}

/// An operator between two expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Eq | Self::Ne => 3,
            Self::Lt | Self::Le | Self::Gt | Self::Ge => 4,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

thread_local! {
    /// Expressions that were read before: every workflow asks for the same few.
    static KNOWN: RefCell<Memory<Option<Expr>>> = RefCell::default();
}

/// An expression without the `${{` and `}}`; what is in it is `None` when GitHub would refuse it.
pub(super) fn read(text: &str) -> Rc<Option<Expr>> {
    KNOWN.with_borrow_mut(|memory| memory.get(text, Expr::parse))
}

impl Expr {
    /// Reads one expression, without the `${{` and `}}`. `None` when GitHub would refuse it. [`read`]
    /// does not read it twice.
    fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser {
            rest: text,
            left: MAX_PARTS,
        };
        let expr = parser.binary(1, 0)?;
        parser.blanks();
        parser.rest.is_empty().then_some(expr)
    }

    /// Appends the expression as it is spelled inside of an operator of strength `around`.
    pub(super) fn write(&self, out: &mut String, around: u8) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Number(n) => out.push_str(&n.to_string()),
            Self::Str(s) => {
                out.push('\'');
                out.push_str(&s.replace('\'', "''"));
                out.push('\'');
            }
            Self::Name(name) => out.push_str(name),
            Self::Key(of, key) => {
                of.write(out, 9);
                match &**key {
                    Self::Str(name) if is_name(name) => {
                        out.push('.');
                        out.push_str(name);
                    }
                    other => {
                        out.push('[');
                        other.write(out, 0);
                        out.push(']');
                    }
                }
            }
            Self::Star(of) => {
                of.write(out, 9);
                out.push_str(".*");
            }
            Self::Call(name, args) => {
                out.push_str(name);
                out.push('(');
                for (i, arg) in args.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    arg.write(out, 0);
                }
                out.push(')');
            }
            Self::Not(of) => {
                out.push('!');
                of.write(out, 8);
            }
            Self::Binary(op, left, right) => {
                let own = op.strength();
                let open = own < around;
                if open {
                    out.push('(');
                }
                left.write(out, own);
                out.push(' ');
                out.push_str(op.words());
                out.push(' ');
                right.write(out, own + 1);
                if open {
                    out.push(')');
                }
            }
        }
    }

    /// One spelling for all ways to write the same expression: two conditions that differ in blanks or
    /// needless parentheses are the same condition.
    pub(super) fn spelled(&self) -> String {
        let mut out = String::with_capacity(64);
        self.write(&mut out, 0);
        out
    }

    /// `["matrix", "python"]` for `matrix.python`; `None` when it is no plain path.
    pub(super) fn path(&self) -> Option<Path<'_>> {
        let mut parts = Path::new();
        let mut at = self;
        loop {
            match at {
                Self::Name(name) => {
                    parts.push(name.as_str());
                    parts.reverse();
                    return Some(parts);
                }
                Self::Key(of, key) => {
                    let Self::Str(name) = &**key else { return None };
                    parts.push(name.as_str());
                    at = of;
                }
                _ => return None,
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

struct Parser<'t> {
    rest: &'t str,
    /// Parts that may still come.
    left: usize,
}

impl<'t> Parser<'t> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn operator(&mut self) -> Option<Op> {
        self.blanks();
        [
            Op::Or,
            Op::And,
            Op::Eq,
            Op::Ne,
            Op::Le,
            Op::Ge,
            Op::Lt,
            Op::Gt,
        ]
        .into_iter()
        .find(|op| self.rest.starts_with(op.words()))
    }

    fn binary(&mut self, weakest: u8, depth: usize) -> Option<Expr> {
        let mut left = self.unary(depth)?;
        while let Some(op) = self.operator().filter(|op| op.strength() >= weakest) {
            self.eat(op.words());
            let right = self.binary(op.strength() + 1, depth + 1)?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
        Some(left)
    }

    fn unary(&mut self, depth: usize) -> Option<Expr> {
        self.left = self.left.checked_sub(1).filter(|_| depth <= MAX_NESTING)?;
        if self.eat("!") {
            return Some(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        let mut at = self.primary(depth)?;
        for _ in 0..MAX_NESTING {
            if self.eat(".") {
                at = if self.eat("*") {
                    Expr::Star(Box::new(at))
                } else {
                    let name = self.name()?;
                    Expr::Key(Box::new(at), Box::new(Expr::Str(name.to_owned())))
                };
            } else if self.eat("[") {
                at = if self.eat("*") {
                    Expr::Star(Box::new(at))
                } else {
                    let key = self.binary(1, depth + 1)?;
                    Expr::Key(Box::new(at), Box::new(key))
                };
                if !self.eat("]") {
                    return None;
                }
            } else {
                return Some(at);
            }
        }
        None
    }

    fn name(&mut self) -> Option<&'t str> {
        self.blanks();
        let end = self
            .rest
            .find(|c| !is_name_char(c))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn primary(&mut self, depth: usize) -> Option<Expr> {
        self.blanks();
        let first = self.rest.chars().next()?;
        match first {
            '(' => {
                self.eat("(");
                let inner = self.binary(1, depth + 1)?;
                self.eat(")").then_some(inner)
            }
            '\'' => self.string(),
            '0'..='9' | '-' | '+' | '.' => self.number(),
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let name = self.name()?;
                if self.eat("(") {
                    return self.call(name, depth);
                }
                Some(match name {
                    "null" => Expr::Null,
                    "true" => Expr::Bool(true),
                    "false" => Expr::Bool(false),
                    _ => Expr::Name(name.to_owned()),
                })
            }
            _ => None,
        }
    }

    fn call(&mut self, name: &str, depth: usize) -> Option<Expr> {
        let mut args = Vec::new();
        if !self.eat(")") {
            loop {
                args.push(self.binary(1, depth + 1)?);
                if self.eat(")") {
                    break;
                }
                if !self.eat(",") {
                    return None;
                }
            }
        }
        Some(Expr::Call(name.to_owned(), args))
    }

    fn string(&mut self) -> Option<Expr> {
        let mut out = String::new();
        let mut rest = self.rest.strip_prefix('\'')?;
        loop {
            let end = rest.find('\'')?;
            out.push_str(rest.get(..end)?);
            rest = rest.get(end + 1..)?;
            // A doubled quote stands for one.
            match rest.strip_prefix('\'') {
                Some(more) => {
                    out.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        self.rest = rest;
        Some(Expr::Str(out))
    }

    fn number(&mut self) -> Option<Expr> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')))
            .unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end)?;
        let number = parse_number(text)?;
        self.rest = rest;
        Some(Expr::Number(number))
    }
}

/// A number as GitHub reads it: decimal, `0x`, `0o`; never Rust's `inf` and `nan`.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let radix = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().map(f64::from);
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok()
}

/// The names of a path. Most have two or three.
pub(super) type Path<'e> = SmallVec<[&'e str; 4]>;

/// The pieces of a text. Most have one or two.
pub(super) type Pieces<'t> = SmallVec<[Piece<'t>; 2]>;

/// A piece of a text with expressions in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece<'t> {
    /// Byte range of `${{ … }}` in the text.
    pub(super) start: usize,
    /// One past its last byte.
    pub(super) end: usize,
    /// What stands between the braces.
    pub(super) inner: &'t str,
}

/// Where the first `${{` of a text stands.
pub(super) fn begins(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'$', bytes)
        .find(|&at| matches!(bytes.get(at + 1..), Some([b'{', b'{', ..])))
}

/// The `${{ }}` of a text, in order.
pub(super) fn pieces(text: &str) -> Pieces<'_> {
    let mut out = Pieces::new();
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(begins).map(|at| at + from) {
        let Some(inner) = text.get(start + 3..) else {
            break;
        };
        let Some(len) = closing(inner) else { break };
        let end = start + 3 + len + 2;
        out.push(Piece {
            start,
            end,
            inner: inner.get(..len).unwrap_or("").trim(),
        });
        from = end;
    }
    out
}

/// Where the `}}` stands that closes an expression: one inside of a string does not.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_all_ways_to_write_an_expression() {
        for (written, spelled) in [
            ("a==b", "a == b"),
            ("(a && (b))", "a && b"),
            ("(a||b)&&c", "(a || b) && c"),
            ("a || b && c", "a || b && c"),
            ("!(a == 'x''y')", "!(a == 'x''y')"),
            ("a['b'].c", "a.b.c"),
            ("a['b c'][0]", "a['b c'][0]"),
            ("a.*.b", "a.*.b"),
            (
                "startsWith( github.ref,'refs/tags/' )",
                "startsWith(github.ref, 'refs/tags/')",
            ),
            ("a < 0x10", "a < 16"),
            ("a - b", ""),
            ("a &&", ""),
            ("'open", ""),
        ] {
            let spelled_now = Expr::parse(written).map(|e| e.spelled());
            assert_eq!(spelled_now.unwrap_or_default(), spelled, "{written}");
        }
    }

    #[test]
    fn braces_inside_of_a_string_do_not_close_an_expression() {
        let text = "x-${{ format('{0}}}', a) }}-${{ b }}";
        let inner: Vec<_> = pieces(text).iter().map(|p| p.inner).collect();
        assert_eq!(inner, ["format('{0}}}', a)", "b"]);
        assert_eq!(pieces("${{ open").len(), 0);
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert_eq!(Expr::parse(&"(".repeat(100_000)), None);
        assert_eq!(Expr::parse(&"!".repeat(100_000)), None);
        assert_eq!(Expr::parse(&format!("a{}", "[a".repeat(100_000))), None);
        assert_eq!(Expr::parse(&format!("a{}", " && a".repeat(100_000))), None);
    }
}
