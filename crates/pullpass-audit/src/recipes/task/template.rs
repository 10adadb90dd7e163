//! Go's text/template, as far as Taskfiles use it: `{{.TAG | default "latest"}}` becomes text.
//!
//! A template is parsed once it is used and evaluated over what a [`Lookup`] knows. What only the
//! build run knows becomes a hole in the words of the file, and so does what this reader does not
//! understand, so that the rest of a command can still be read.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use super::functions::call;
use crate::text::{has_hole, is_hole};

/// Bytes that one value may have: a variable that names another twice doubles at each step.
pub(super) const MAX_VALUE: usize = 64 * 1024;

/// How deep blocks, parentheses and variables may stand in each other, all together.
const MAX_DEPTH: u32 = 120;

/// How deep blocks and parentheses of one template may stand in each other.
const MAX_NESTING: usize = 32;

/// Items that a list may have; only hostile input has more.
pub(super) const MAX_ITEMS: usize = 2_000;

/// What a variable holds.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    /// Text, with holes where a part is unknown.
    Text(Rc<str>),
    List(Rc<[Value]>),
    /// In the order of the file.
    Map(Rc<[(String, Value)]>),
    /// All variables: the `.` that a template begins with.
    Root,
}

impl Value {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Texts as a list; `None` of more than a list may have.
    pub(super) fn texts(mut texts: impl Iterator<Item = impl Into<Rc<str>>>) -> Option<Self> {
        let list = texts.by_ref().take(MAX_ITEMS).map(Self::text).collect();
        texts.next().is_none().then_some(Self::List(list))
    }

    /// Whether a part of it is known only when the build runs.
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::Text(text) => has_hole(text),
            Self::List(items) => items.iter().any(Self::is_unknown),
            Self::Map(entries) => entries.iter().any(|(_, value)| value.is_unknown()),
            _ => false,
        }
    }

    /// What a condition makes of it; `None` when only the build run knows.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Text(text) if !text.is_empty() && text.chars().all(is_hole) => return None,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::Root => true,
        })
    }

    /// Appends what is printed of it; Task prints nothing for a name that nobody sets.
    pub(super) fn print(&self, out: &mut String) {
        if out.len() > MAX_VALUE {
            return;
        }
        match self {
            Self::Nil | Self::Root => {}
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Text(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    item.print(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                // Go prints the entries of a map in the order of their keys.
                let mut sorted: Vec<&(String, Self)> = entries.iter().collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                out.push_str("map[");
                for (i, (key, value)) in sorted.into_iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    out.push_str(key);
                    out.push(':');
                    value.print(out);
                }
                out.push(']');
            }
        }
    }

    /// The same as a text of its own.
    pub(super) fn printed(&self) -> Rc<str> {
        match self {
            Self::Text(text) => Rc::clone(text),
            other => {
                let mut out = String::new();
                other.print(&mut out);
                out.into()
            }
        }
    }
}

/// What a template is evaluated over.
pub(super) trait Lookup {
    /// The value of a variable; `Nil` when nobody sets it.
    fn variable(&self, name: &str) -> Value;

    /// The value of a variable of the environment, as the function `env` gives it.
    fn environment(&self, name: &str) -> Value;

    /// The system that the job runs on, in Go's words; `None` when that is not known.
    fn platform(&self, what: Platform) -> Option<&'static str>;

    /// The folder that Task was called in, as a special variable holds it.
    fn called_in(&self) -> Option<Rc<str>>;

    /// The hole of what cannot be computed, in the words of the file.
    fn unknown(&self, written: &str) -> Rc<str>;

    /// What is left to be spent.
    fn fuel(&self) -> &Fuel;
}

/// A part of the platform.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Platform {
    System,
    Processor,
}

/// Steps that the templates of one call may take, and how deep they are in each other.
pub(super) struct Fuel {
    left: Cell<u32>,
    depth: Cell<u32>,
}

impl Fuel {
    pub(super) fn new(steps: u32) -> Self {
        Self {
            left: Cell::new(steps),
            depth: Cell::new(0),
        }
    }

    /// Takes steps. `false` when there are none left.
    pub(super) fn spend(&self, steps: usize) -> bool {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let left = self.left.get();
        self.left.set(left.saturating_sub(steps));
        left > steps
    }

    /// Goes one level deeper; `None` when that is too deep.
    pub(super) fn deeper<R>(&self, act: impl FnOnce() -> R) -> Option<R> {
        let depth = self.depth.get();
        if depth >= MAX_DEPTH || !self.spend(1) {
            return None;
        }
        self.depth.set(depth + 1);
        let result = act();
        self.depth.set(depth);
        Some(result)
    }
}

/// A part of what a template comes to.
pub(super) enum Piece {
    /// These bytes of the template.
    Written(Range<usize>),
    /// What stands for these bytes of the template.
    Made(Range<usize>, Rc<str>),
}

/// Evaluates a script. Without a `{{` it stays what it is. Commands under a condition that only the
/// build run knows are put under a condition of the shell.
pub(super) fn script(text: &str, over: &dyn Lookup) -> Vec<Piece> {
    pieces(text, over, true)
}

fn pieces(text: &str, over: &dyn Lookup, is_script: bool) -> Vec<Piece> {
    let whole = 0..text.len();
    if !text.contains("{{") {
        return vec![Piece::Written(whole)];
    }
    if !over.fuel().spend(1 + text.len() / 64) {
        return vec![Piece::Made(whole.clone(), over.unknown(text))];
    }
    let nodes = parse(text);
    let mut evaluation = Evaluation {
        text,
        over,
        is_script,
        dot: Value::Root,
        variables: Vec::new(),
        out: Vec::new(),
        bytes: 0,
    };
    if evaluation.all(&nodes).is_none() {
        return vec![Piece::Made(whole.clone(), over.unknown(text))];
    }
    evaluation.out
}

/// The same as one text.
pub(super) fn text(text: &str, over: &dyn Lookup) -> Rc<str> {
    if !text.contains("{{") {
        return text.into();
    }
    let mut out = String::new();
    for piece in pieces(text, over, false) {
        match piece {
            Piece::Written(range) => out.push_str(text.get(range).unwrap_or("")),
            Piece::Made(_, value) => out.push_str(&value),
        }
        if out.len() > MAX_VALUE {
            return over.unknown(text);
        }
    }
    if over.fuel().spend(out.len() / 64) {
        out.into()
    } else {
        over.unknown(text)
    }
}

/// The value of an expression without braces, as a `ref:` has it.
pub(super) fn reference(text: &str, over: &dyn Lookup) -> Value {
    let unknown = || Value::Text(over.unknown(&format!("{{{{{}}}}}", text.trim())));
    let Some(pipe) = Parser::new(text).whole() else {
        return unknown();
    };
    let mut evaluation = Evaluation {
        text,
        over,
        is_script: false,
        dot: Value::Root,
        variables: Vec::new(),
        out: Vec::new(),
        bytes: 0,
    };
    match evaluation.pipe(&pipe) {
        Some(Value::Root) | None => unknown(),
        Some(value) => value,
    }
}

enum Node {
    Text(Range<usize>),
    /// `{{ … }}`
    Action(Range<usize>, Pipe),
    /// `{{if}}`, `{{with}}`: the first arm whose condition holds, or what stands behind `{{else}}`.
    Choice(Range<usize>, Vec<Arm>, Vec<Node>),
    /// `{{range}}`
    Range(Range<usize>, Pipe, Vec<Node>, Vec<Node>),
    /// What is not understood.
    Unknown(Range<usize>),
}

struct Arm {
    /// `with`: the dot is what the condition comes to.
    is_with: bool,
    /// The condition as it is written.
    written: String,
    condition: Pipe,
    body: Vec<Node>,
}

/// Text, or what stands between braces.
enum Lexeme<'t> {
    Text(Range<usize>),
    /// All of it, and what is inside.
    Action(Range<usize>, &'t str),
}

fn parse(text: &str) -> Vec<Node> {
    let lexemes = lexemes(text);
    let mut at = 0;
    match block(text, &lexemes, &mut at, 0) {
        Some((nodes, Stop::Text)) => nodes,
        // A block that is not closed, or closed twice: Task refuses it. What stands around is text.
        _ => lexemes
            .into_iter()
            .map(|lexeme| match lexeme {
                Lexeme::Text(range) => Node::Text(range),
                Lexeme::Action(range, _) => Node::Unknown(range),
            })
            .collect(),
    }
}

fn lexemes(text: &str) -> Vec<Lexeme<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + found;
        let Some((inside, end)) = action(text, start + 2) else {
            break;
        };
        let mut before = at..start;
        let mut written = text.get(inside).unwrap_or("");
        if let Some(rest) = written
            .strip_prefix('-')
            .filter(|r| r.starts_with(char::is_whitespace))
        {
            written = rest;
            let kept = text.get(before.clone()).unwrap_or("").trim_end().len();
            before.end = before.start + kept;
        }
        let mut next = end;
        if let Some(rest) = written
            .strip_suffix('-')
            .filter(|r| r.ends_with(char::is_whitespace))
        {
            written = rest;
            let after = text.get(end..).unwrap_or("");
            next = end + after.len() - after.trim_start().len();
        }
        out.push(Lexeme::Text(before));
        let written = written.trim();
        if !written.starts_with("/*") {
            out.push(Lexeme::Action(start..end, written));
        }
        at = next;
    }
    out.push(Lexeme::Text(at..text.len()));
    out
}

/// What stands between braces from `start` on, and where it ends behind them.
fn action(text: &str, start: usize) -> Option<(Range<usize>, usize)> {
    let mut at = start;
    let body = text.get(start..)?;
    let comment = body.trim_start_matches('-').trim_start();
    if comment.starts_with("/*") {
        let close = body.find("*/")? + 2;
        let end = body.get(close..)?.find("}}")? + close;
        return Some((start..start + end, start + end + 2));
    }
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with("}}") {
            return Some((start..at, at + 2));
        }
        let c = rest.chars().next()?;
        at += match c {
            '"' | '`' | '\'' => quoted(rest)?,
            _ => c.len_utf8(),
        };
    }
}

/// Bytes of the quoted text that `text` begins with.
fn quoted(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    let (_, mark) = chars.next()?;
    while let Some((at, c)) = chars.next() {
        if c == mark {
            return Some(at + 1);
        }
        if c == '\\' && mark != '`' {
            chars.next()?;
        }
    }
    None
}

/// What ends a block.
enum Stop {
    /// The text does.
    Text,
    /// `{{end}}`, one past which byte.
    End(usize),
    /// `{{else …}}`, with what stands behind the word.
    Else(String),
}

/// The nodes from `at` on until something ends the block.
fn block(
    text: &str,
    lexemes: &[Lexeme<'_>],
    at: &mut usize,
    depth: usize,
) -> Option<(Vec<Node>, Stop)> {
    if depth > MAX_NESTING {
        return None;
    }
    let mut nodes = Vec::new();
    while let Some(lexeme) = lexemes.get(*at) {
        *at += 1;
        let (range, inside) = match lexeme {
            Lexeme::Text(range) => {
                nodes.push(Node::Text(range.clone()));
                continue;
            }
            Lexeme::Action(range, inside) => (range, *inside),
        };
        let word = word(inside);
        let rest = inside.get(word.len()..).unwrap_or("").trim();
        match word {
            "end" if rest.is_empty() => return Some((nodes, Stop::End(range.end))),
            "else" => return Some((nodes, Stop::Else(rest.to_owned()))),
            "if" | "with" => nodes.push(choice(
                text,
                lexemes,
                at,
                depth,
                range.start,
                (word == "with", rest),
            )?),
            "range" => {
                let pipe = Parser::new(rest).whole();
                let (body, end) = block(text, lexemes, at, depth + 1)?;
                let (otherwise, end) = match end {
                    Stop::Else(rest) if rest.is_empty() => block(text, lexemes, at, depth + 1)?,
                    end => (Vec::new(), end),
                };
                let Stop::End(end) = end else { return None };
                nodes.push(match pipe {
                    Some(pipe) => Node::Range(range.start..end, pipe, body, otherwise),
                    None => Node::Unknown(range.start..end),
                });
            }
            "define" | "block" | "template" | "break" | "continue" => return None,
            _ => nodes.push(match Parser::new(inside).whole() {
                Some(pipe) => Node::Action(range.clone(), pipe),
                None => Node::Unknown(range.clone()),
            }),
        }
    }
    Some((nodes, Stop::Text))
}

/// `{{if …}} … {{else if …}} … {{else}} … {{end}}`, after its first action.
fn choice(
    text: &str,
    lexemes: &[Lexeme<'_>],
    at: &mut usize,
    depth: usize,
    start: usize,
    first: (bool, &str),
) -> Option<Node> {
    let mut arms = Vec::new();
    let mut unread = false;
    let (mut is_with, mut condition) = (first.0, first.1.to_owned());
    loop {
        let pipe = Parser::new(&condition).whole();
        let (body, end) = block(text, lexemes, at, depth + 1)?;
        match pipe {
            Some(pipe) => arms.push(Arm {
                is_with,
                written: condition.clone(),
                condition: pipe,
                body,
            }),
            None => unread = true,
        }
        let (otherwise, end) = match end {
            Stop::Else(rest) if rest.is_empty() => block(text, lexemes, at, depth + 1)?,
            Stop::Else(rest) => {
                let word = word(&rest);
                if word != "if" && word != "with" {
                    return None;
                }
                is_with = word == "with";
                condition = rest.get(word.len()..).unwrap_or("").trim().to_owned();
                continue;
            }
            end => (Vec::new(), end),
        };
        let Stop::End(end) = end else { return None };
        return Some(if unread {
            Node::Unknown(start..end)
        } else {
            Node::Choice(start..end, arms, otherwise)
        });
    }
}

/// The name that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    text.get(..end.unwrap_or(text.len())).unwrap_or("")
}

/// `$x := a | b | c`
struct Pipe {
    declares: Vec<String>,
    commands: Vec<Command>,
}

/// A function with its arguments, or one operand.
struct Command {
    function: Option<String>,
    operands: Vec<Operand>,
}

enum Operand {
    /// `.`
    Dot,
    /// `$x`; an empty name is `$`.
    Variable(String),
    Value(Value),
    /// A function without arguments among the arguments of another.
    Function(String),
    /// `( … )`
    Inner(Pipe),
    /// `.NAME` of something.
    Field(Box<Operand>, String),
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    fn whole(mut self) -> Option<Pipe> {
        let pipe = self.pipe()?;
        self.blank();
        (self.at == self.text.len() && !pipe.commands.is_empty()).then_some(pipe)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len();
        }
        found
    }

    fn word(&mut self) -> &'t str {
        let word = word(self.rest());
        self.at += word.len();
        word
    }

    fn pipe(&mut self) -> Option<Pipe> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let mut pipe = Pipe {
            declares: Vec::new(),
            commands: Vec::new(),
        };
        let start = self.at;
        loop {
            self.blank();
            if !self.take("$") {
                break;
            }
            pipe.declares.push(self.word().to_owned());
            self.blank();
            if !self.take(",") {
                break;
            }
        }
        if pipe.declares.is_empty() || !(self.take(":=") || self.take("=")) {
            pipe.declares.clear();
            self.at = start;
        }
        loop {
            pipe.commands.push(self.command()?);
            self.blank();
            if !self.take("|") {
                break;
            }
        }
        self.depth -= 1;
        Some(pipe)
    }

    fn command(&mut self) -> Option<Command> {
        let mut command = Command {
            function: None,
            operands: Vec::new(),
        };
        let mut first = true;
        loop {
            self.blank();
            let rest = self.rest();
            if rest.is_empty() || rest.starts_with(['|', ')']) {
                let empty = command.function.is_none() && command.operands.is_empty();
                return (!empty).then_some(command);
            }
            match self.operand()? {
                Operand::Function(name) if first => command.function = Some(name),
                operand => command.operands.push(operand),
            }
            first = false;
        }
    }

    fn operand(&mut self) -> Option<Operand> {
        let rest = self.rest();
        let c = rest.chars().next()?;
        let mut operand = match c {
            '.' => {
                let name = word(rest.get(1..)?);
                if name.is_empty() {
                    self.at += 1;
                }
                Operand::Dot
            }
            '$' => {
                self.at += 1;
                Operand::Variable(self.word().to_owned())
            }
            '(' => {
                self.at += 1;
                let pipe = self.pipe()?;
                self.blank();
                if !self.take(")") {
                    return None;
                }
                Operand::Inner(pipe)
            }
            '"' | '`' => {
                let end = quoted(rest)?;
                self.at += end;
                let inside = rest.get(1..end - 1)?;
                Operand::Value(if c == '`' {
                    Value::text(inside)
                } else {
                    Value::text(unescaped(inside)?)
                })
            }
            '\'' => {
                let end = quoted(rest)?;
                self.at += end;
                let mut inside = unescaped(rest.get(1..end - 1)?)?
                    .chars()
                    .collect::<Vec<_>>();
                let c = inside.pop().filter(|_| inside.is_empty())?;
                Operand::Value(Value::Int(i64::from(u32::from(c))))
            }
            '-' | '+' | '0'..='9' => {
                let end = rest
                    .get(1..)?
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_')
                    .map_or(rest.len(), |at| at + 1);
                self.at += end;
                let number = rest.get(..end)?;
                Operand::Value(match number.parse::<i64>() {
                    Ok(number) => Value::Int(number),
                    Err(_) => Value::text(number.parse::<f64>().ok()?.to_string()),
                })
            }
            _ => match self.word() {
                "" => return None,
                "true" => Operand::Value(Value::Bool(true)),
                "false" => Operand::Value(Value::Bool(false)),
                "nil" => Operand::Value(Value::Nil),
                name => Operand::Function(name.to_owned()),
            },
        };
        let mut fields = 0;
        while self.rest().starts_with('.') && !matches!(operand, Operand::Function(_)) {
            self.at += 1;
            let name = self.word();
            fields += 1;
            if name.is_empty() || fields > MAX_NESTING {
                return None;
            }
            operand = Operand::Field(Box::new(operand), name.to_owned());
        }
        let after = self.rest();
        let ended = after.is_empty() || after.starts_with(char::is_whitespace);
        (ended || after.starts_with(['|', ')', ','])).then_some(operand)
    }
}

/// The text of a string in double quotes.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            c @ ('\\' | '"' | '\'') => out.push(c),
            _ => return None,
        }
    }
    Some(out)
}

/// A template as it is evaluated.
struct Evaluation<'t, 'l> {
    text: &'t str,
    over: &'l dyn Lookup,
    is_script: bool,
    dot: Value,
    variables: Vec<(String, Value)>,
    out: Vec<Piece>,
    bytes: usize,
}

impl Evaluation<'_, '_> {
    /// Puts out what nodes come to. `None` when that is too much.
    fn all(&mut self, nodes: &[Node]) -> Option<()> {
        let fuel = self.over.fuel();
        fuel.deeper(|| nodes.iter().try_for_each(|node| self.node(node)))?
    }

    fn node(&mut self, node: &Node) -> Option<()> {
        if !self.over.fuel().spend(1) {
            return None;
        }
        match node {
            Node::Text(range) => self.put(Piece::Written(range.clone())),
            Node::Unknown(range) => self.unknown(range),
            Node::Action(range, pipe) => match self.pipe(pipe) {
                Some(_) if !pipe.declares.is_empty() => Some(()),
                Some(Value::Root) | None => self.unknown(range),
                Some(value) => self.put(Piece::Made(range.clone(), value.printed())),
            },
            Node::Choice(range, arms, otherwise) => {
                let outer = self.variables.len();
                for (at, arm) in arms.iter().enumerate() {
                    let value = self.pipe(&arm.condition);
                    match value.as_ref().and_then(Value::truth) {
                        Some(true) => {
                            let before = self.dot.clone();
                            if let Some(value) = value.filter(|_| arm.is_with) {
                                self.dot = value;
                            }
                            let done = self.all(&arm.body);
                            self.dot = before;
                            self.variables.truncate(outer);
                            return done;
                        }
                        Some(false) => {}
                        None => {
                            self.variables.truncate(outer);
                            let arms = arms.get(at..).unwrap_or_default();
                            return self.undecided(range, arms, otherwise);
                        }
                    }
                }
                let done = self.all(otherwise);
                self.variables.truncate(outer);
                done
            }
            Node::Range(range, pipe, body, otherwise) => {
                let outer = self.variables.len();
                let value = self.commands(&pipe.commands);
                let items: Vec<(Value, Value)> = match value {
                    Some(Value::List(items)) => (0..)
                        .zip(items.iter())
                        .map(|(i, item)| (Value::Int(i), item.clone()))
                        .collect(),
                    Some(Value::Map(entries)) => {
                        let mut sorted: Vec<_> = entries.iter().collect();
                        sorted.sort_by(|a, b| a.0.cmp(&b.0));
                        let pair = |(key, value): &(String, Value)| {
                            (Value::text(key.as_str()), value.clone())
                        };
                        sorted.into_iter().map(pair).collect()
                    }
                    Some(Value::Nil) => Vec::new(),
                    _ => return self.unknown(range),
                };
                if items.is_empty() {
                    return self.all(otherwise);
                }
                let before = self.dot.clone();
                for (key, item) in items {
                    match pipe.declares.as_slice() {
                        [] => {}
                        [one] => self.variables.push((one.clone(), item.clone())),
                        [first, second, ..] => {
                            self.variables.push((first.clone(), key));
                            self.variables.push((second.clone(), item.clone()));
                        }
                    }
                    self.dot = item;
                    let done = self.all(body);
                    self.variables.truncate(outer);
                    if done.is_none() {
                        self.dot = before;
                        return None;
                    }
                }
                self.dot = before;
                Some(())
            }
        }
    }

    /// A choice that only the build run makes.
    fn undecided(&mut self, range: &Range<usize>, arms: &[Arm], otherwise: &[Node]) -> Option<()> {
        let first = |nodes: &[Node]| -> String {
            let texts = nodes.iter().filter_map(|node| match node {
                Node::Text(range) => self.text.get(range.clone()).map(str::trim_start),
                _ => None,
            });
            texts.take(1).collect()
        };
        let is_flag = |nodes: &[Node]| nodes.is_empty() || first(nodes).starts_with('-');
        let is_with = arms.iter().any(|arm| arm.is_with);
        if !is_with && arms.iter().all(|arm| is_flag(&arm.body)) && is_flag(otherwise) {
            // Flags that may be there change little, and hide nothing when they are.
            let body = arms.first().map(|arm| arm.body.as_slice());
            return self.all(body.unwrap_or_default());
        }
        if !self.is_script || is_with || !self.is_of_lines(range) {
            return self.unknown(range);
        }
        let at = range.clone();
        let put = |this: &mut Self, text: &str| this.put(Piece::Made(at.clone(), text.into()));
        put(self, "\n")?;
        for (number, arm) in arms.iter().enumerate() {
            let condition = self.over.unknown(&format!("{{{{{}}}}}", arm.written));
            let word = if number == 0 { "if" } else { "elif" };
            put(self, &format!("{word} [ \"{condition}\" ]\nthen :\n"))?;
            self.all(&arm.body)?;
            put(self, "\n")?;
        }
        put(self, "else :\n")?;
        self.all(otherwise)?;
        put(self, "\nfi\n")
    }

    /// Whether what stands at a range are lines of their own.
    fn is_of_lines(&self, range: &Range<usize>) -> bool {
        let before = self.text.get(..range.start).unwrap_or("");
        let before = before.trim_end_matches([' ', '\t', '\r']);
        let after = self.text.get(range.end..).unwrap_or("");
        let after = after.trim_start_matches([' ', '\t', '\r']);
        let goes_on = |line: &str| line.trim_end().ends_with(['\\', '|', '(']);
        (before.is_empty() || before.ends_with('\n') && !goes_on(before))
            && (after.is_empty() || after.starts_with('\n'))
    }

    fn put(&mut self, piece: Piece) -> Option<()> {
        self.bytes += match &piece {
            Piece::Written(range) => range.len(),
            Piece::Made(_, text) => text.len(),
        };
        self.out.push(piece);
        (self.bytes <= 4 * MAX_VALUE).then_some(())
    }

    fn unknown(&mut self, range: &Range<usize>) -> Option<()> {
        let written = self.text.get(range.clone()).unwrap_or("");
        let hole = self.over.unknown(written);
        self.put(Piece::Made(range.clone(), hole))
    }

    /// The value of a pipeline; `None` when it is not understood.
    fn pipe(&mut self, pipe: &Pipe) -> Option<Value> {
        let value = self.commands(&pipe.commands)?;
        if let Some(name) = pipe.declares.first() {
            if self.variables.len() > MAX_ITEMS {
                return None;
            }
            let known = self.variables.iter_mut().rev().find(|(n, _)| n == name);
            match known {
                Some((_, slot)) => *slot = value.clone(),
                None => self.variables.push((name.clone(), value.clone())),
            }
        }
        Some(value)
    }

    fn commands(&mut self, commands: &[Command]) -> Option<Value> {
        let mut piped: Option<Value> = None;
        for command in commands {
            let mut arguments = Vec::new();
            for operand in &command.operands {
                arguments.push(self.operand(operand)?);
            }
            arguments.extend(piped.take());
            piped = Some(match &command.function {
                Some(name) => self.function(name, &arguments)?,
                None if arguments.len() == 1 => arguments.pop()?,
                None => return None,
            });
        }
        piped
    }

    fn function(&self, name: &str, arguments: &[Value]) -> Option<Value> {
        let value = call(self.over, name, arguments)?;
        // What a function makes of long texts is long, too.
        let length = match &value {
            Value::Text(text) => text.len(),
            Value::List(items) => items.len() * 16,
            _ => 0,
        };
        (length <= MAX_VALUE && self.over.fuel().spend(1 + length / 64)).then_some(value)
    }

    fn operand(&mut self, operand: &Operand) -> Option<Value> {
        match operand {
            Operand::Dot => Some(self.dot.clone()),
            Operand::Variable(name) if name.is_empty() => Some(Value::Root),
            Operand::Variable(name) => {
                let known = self.variables.iter().rev().find(|(n, _)| n == name);
                known.map(|(_, value)| value.clone())
            }
            Operand::Value(value) => Some(value.clone()),
            Operand::Function(name) => self.function(name, &[]),
            Operand::Inner(pipe) => {
                let fuel = self.over.fuel();
                fuel.deeper(|| self.pipe(pipe))?
            }
            Operand::Field(of, name) => match self.operand(of)? {
                Value::Root => Some(self.over.variable(name)),
                Value::Map(entries) => {
                    let found = entries.iter().find(|(key, _)| key == name);
                    Some(found.map_or(Value::Nil, |(_, value)| value.clone()))
                }
                Value::Nil => Some(Value::Nil),
                _ => None,
            },
        }
    }
}
