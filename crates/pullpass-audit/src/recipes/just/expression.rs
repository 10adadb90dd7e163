//! The expressions of a justfile: what stands in `{{ … }}`, behind `:=` and in a dependency's
//! arguments.
//!
//! They are evaluated as they are read. What only the build run knows (backticks, the environment)
//! becomes a hole, and so does what this reader does not understand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::super::relative;
use super::reader::Module;
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{HoleKind, Text, is_hole};

/// Bytes that one value may have: `a := b + b` doubles at each step.
const MAX_VALUE: usize = 64 * 1024;

/// How deep expressions may stand in each other.
const MAX_NESTING: usize = 48;

/// What an expression is evaluated in: one recipe of one module.
pub(super) struct Scope<'r, 'c> {
    pub(super) run: &'r JobRun<'c>,
    pub(super) module: &'r Module,
    /// The folder of the justfile that was called.
    pub(super) root: &'r RepoPath,
    /// The folder that the recipe runs in, which paths are relative to.
    pub(super) cwd: RepoPath,
    /// `NAME=value` of the command line.
    pub(super) given: &'r BTreeMap<String, Text>,
    pub(super) dotenv: &'r BTreeMap<String, Text>,
    /// The recipe's parameters.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) known: RefCell<HashMap<String, String>>,
    pub(super) open: RefCell<Vec<String>>,
    /// Steps that one call of just may take, in all its scopes.
    pub(super) fuel: &'r Cell<u32>,
}

impl Scope<'_, '_> {
    /// The value of one expression.
    pub(super) fn value(&self, text: &str) -> String {
        self.evaluated(text, 0)
    }

    /// The values of expressions that stand side by side, as in `(build "x" y)`.
    pub(super) fn values(&self, text: &str) -> Vec<String> {
        let mut cursor = Cursor::new(self, text, 0);
        let mut out = Vec::new();
        loop {
            cursor.blank();
            let before = cursor.at;
            if cursor.rest().is_empty() || out.len() >= 1_000 {
                return out;
            }
            match cursor.expression() {
                Some(value) if cursor.at > before => out.push(value),
                _ => {
                    out.push(self.unknown(text));
                    return out;
                }
            }
        }
    }

    fn evaluated(&self, text: &str, depth: usize) -> String {
        let mut cursor = Cursor::new(self, text, depth);
        match cursor.expression() {
            Some(value) if cursor.ended() => value,
            _ => self.unknown(text),
        }
    }

    /// The hole of what cannot be computed, in the words of the file.
    fn unknown(&self, written: &str) -> String {
        let written: String = written.trim().chars().take(500).collect();
        let holes = &self.run.cx.holes;
        let hole = holes.of(&format!("{{{{{written}}}}}"), HoleKind::Output);
        hole.as_str().to_owned()
    }

    fn spend(&self) -> bool {
        let left = self.fuel.get();
        self.fuel.set(left.saturating_sub(1));
        left > 0
    }

    /// A variable of the environment, where it is known to be set.
    fn environment(&self, name: &str) -> Option<&Text> {
        self.run.env.get(name).or_else(|| self.dotenv.get(name))
    }

    /// A name's value.
    pub(super) fn named(&self, name: &str, depth: usize) -> String {
        if let Some((_, value)) = self.parameters.iter().find(|(n, _)| n == name) {
            return value.clone();
        }
        if let Some(value) = self.given.get(name) {
            return value.as_str().to_owned();
        }
        if let Some(value) = self.known.borrow().get(name) {
            return value.clone();
        }
        let Some(assignment) = self.module.assignments.get(name) else {
            return match name {
                "HEX" | "HEXLOWER" => "0123456789abcdef".to_owned(),
                "HEXUPPER" => "0123456789ABCDEF".to_owned(),
                "PATH_SEP" => "/".to_owned(),
                "PATH_VAR_SEP" => ":".to_owned(),
                // The other constants colour what a terminal shows.
                _ if !name.contains(|c: char| c.is_ascii_lowercase()) && is_colour(name) => {
                    String::new()
                }
                _ => self.unknown(name),
            };
        };
        if self.open.borrow().iter().any(|n| n == name) {
            return self.unknown(name);
        }
        self.open.borrow_mut().push(name.to_owned());
        let value = self.evaluated(assignment.value(), depth + 1);
        self.open.borrow_mut().pop();
        self.known
            .borrow_mut()
            .insert(name.to_owned(), value.clone());
        value
    }

    fn call(&self, name: &str, arguments: &[String], written: &str) -> String {
        let unknown = || self.unknown(written);
        let argument = |i: usize| arguments.get(i).map_or("", String::as_str);
        let first = argument(0);
        let variable = |name: &str| {
            let value = self.environment(name).cloned();
            value
                .unwrap_or_else(|| self.run.variable(name))
                .as_str()
                .to_owned()
        };
        match name {
            "env" | "env_var" if arguments.len() == 1 => return variable(first),
            "env" | "env_var_or_default" => {
                // As with a default in the shell: what nobody sets is not set.
                let value = self.environment(first).map(Text::as_str);
                return value.unwrap_or_else(|| argument(1)).to_owned();
            }
            "os" if !super::super::on_other_system(self.run) => return "linux".to_owned(),
            "os_family" => return "unix".to_owned(),
            "justfile_directory" | "justfile_dir" => return relative(&self.cwd, self.root),
            "justfile" => return join(&relative(&self.cwd, self.root), "justfile"),
            "source_directory" | "source_dir" | "module_directory" | "module_dir" => {
                return relative(&self.cwd, &self.module.folder);
            }
            "source_file" | "module_file" => {
                let folder = relative(&self.cwd, &self.module.folder);
                return join(&folder, self.module.path.name());
            }
            "invocation_directory" | "invocation_dir" | "invocation_directory_native" => {
                let from = self.run.cwd.inside();
                return from.map_or_else(unknown, |from| relative(&self.cwd, from));
            }
            "just_executable" => return "just".to_owned(),
            "require" | "which" | "absolute_path" | "canonicalize" => return first.to_owned(),
            "style" => return String::new(),
            _ => {}
        }
        // What is left computes with letters, which an unknown value does not show; joining is free.
        if arguments.iter().any(|a| a.contains(is_hole)) && !matches!(name, "join" | "quote") {
            return unknown();
        }
        let each = |act: &dyn Fn(&str) -> String| {
            let words: Vec<String> = argument(1).split_whitespace().map(act).collect();
            words.join(" ")
        };
        let name_of = |path: &str| path.rsplit('/').next().unwrap_or("").to_owned();
        match name {
            "quote" => super::super::quoted(&Text::from(first)),
            "replace" if first.len() < MAX_VALUE && !argument(1).is_empty() => {
                let longer = argument(2).len() / argument(1).len().max(1) + 1;
                if first.len() * longer > MAX_VALUE {
                    return unknown();
                }
                first.replace(argument(1), argument(2))
            }
            "trim" => first.trim().to_owned(),
            "trim_start" => first.trim_start().to_owned(),
            "trim_end" => first.trim_end().to_owned(),
            "trim_start_match" => first.strip_prefix(argument(1)).unwrap_or(first).to_owned(),
            "trim_end_match" => first.strip_suffix(argument(1)).unwrap_or(first).to_owned(),
            "trim_start_matches" if !argument(1).is_empty() => {
                first.trim_start_matches(argument(1)).to_owned()
            }
            "trim_end_matches" if !argument(1).is_empty() => {
                first.trim_end_matches(argument(1)).to_owned()
            }
            "uppercase" => first.to_uppercase(),
            "lowercase" => first.to_lowercase(),
            "kebabcase" | "snakecase" if first.chars().all(|c| !c.is_uppercase()) => {
                let with = if name == "kebabcase" { "-" } else { "_" };
                first.replace(['-', '_', ' '], with)
            }
            "prepend" => each(&|word| format!("{first}{word}")),
            "append" => each(&|word| format!("{word}{first}")),
            "join" => {
                let mut parts = arguments.iter();
                let start = parts.next().cloned().unwrap_or_default();
                parts.fold(start, |path, part| join(&path, part))
            }
            "clean" => RepoPath::new(first).map_or_else(unknown, |p| p.as_str().to_owned()),
            "file_name" => name_of(first),
            "file_stem" => {
                let file = name_of(first);
                let at = file.rfind('.').filter(|&at| at > 0);
                at.and_then(|at| file.get(..at)).unwrap_or(&file).to_owned()
            }
            "extension" => {
                let file = name_of(first);
                file.rsplit_once('.')
                    .map_or_else(unknown, |(_, e)| e.to_owned())
            }
            "without_extension" => {
                let at = first
                    .rfind('.')
                    .filter(|&at| !first.get(at..).unwrap_or("").contains('/'));
                at.and_then(|at| first.get(..at))
                    .unwrap_or(first)
                    .to_owned()
            }
            "parent_directory" | "parent_dir" => match first {
                "" | "." => "..".to_owned(),
                _ if first.ends_with("..") => format!("{first}/.."),
                _ => first
                    .rsplit_once('/')
                    .map_or(".", |(folder, _)| folder)
                    .to_owned(),
            },
            "path_exists" => {
                let path = self.cwd.join(first);
                path.map_or_else(unknown, |path| {
                    let sources = &self.run.cx.sources;
                    let there = sources.exists(&path) || !sources.tree().list(&path).is_empty();
                    there.to_string()
                })
            }
            _ => unknown(),
        }
    }
}

fn is_colour(name: &str) -> bool {
    let name = name.strip_prefix("BG_").unwrap_or(name);
    [
        "CLEAR",
        "NORMAL",
        "BOLD",
        "ITALIC",
        "UNDERLINE",
        "INVERT",
        "HIDE",
        "STRIKETHROUGH",
        "BLACK",
        "RED",
        "GREEN",
        "YELLOW",
        "BLUE",
        "MAGENTA",
        "CYAN",
        "WHITE",
    ]
    .contains(&name)
}

fn join(path: &str, part: &str) -> String {
    if part.starts_with('/') || path.is_empty() {
        part.to_owned()
    } else {
        format!("{}/{part}", path.trim_end_matches('/'))
    }
}

struct Cursor<'s, 'r, 'c, 't> {
    scope: &'s Scope<'r, 'c>,
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'s, 'r, 'c, 't> Cursor<'s, 'r, 'c, 't> {
    fn new(scope: &'s Scope<'r, 'c>, text: &'t str, depth: usize) -> Self {
        Self {
            scope,
            text,
            at: 0,
            depth,
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let next = rest.trim_start();
            self.at += rest.len() - next.len();
            if let Some(after) = next.strip_prefix("\\\n") {
                self.at += next.len() - after.len();
            } else if next.starts_with('#') {
                self.at += next.find('\n').unwrap_or(next.len());
            } else {
                return;
            }
        }
    }

    fn ended(&mut self) -> bool {
        self.blank();
        self.rest().is_empty()
    }

    fn take(&mut self, mark: &str) -> bool {
        self.blank();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len();
        }
        found
    }

    fn word(&self) -> &'t str {
        word(self.rest())
    }

    /// `a + b`, `a / b`, `a || b`, `a && b`, all from the left.
    fn expression(&mut self) -> Option<String> {
        self.depth += 1;
        let value = self.sum();
        self.depth -= 1;
        value
    }

    fn sum(&mut self) -> Option<String> {
        let mut left = if self.take("/") {
            format!("/{}", self.operand()?)
        } else {
            self.operand()?
        };
        loop {
            if self.take("+") {
                let right = self.operand()?;
                left = self.sized(left, &right)?;
            } else if self.take("||") {
                let right = self.operand()?;
                left = either(left, right);
            } else if self.take("&&") {
                let right = self.operand()?;
                left = if left.is_empty() { left } else { right };
            } else if self.take("/") {
                let right = self.operand()?;
                left = self.sized(left, "/")?;
                left = self.sized(left, &right)?;
            } else {
                return Some(left);
            }
        }
    }

    fn sized(&self, mut left: String, right: &str) -> Option<String> {
        if left.len() + right.len() > MAX_VALUE {
            return None;
        }
        left.push_str(right);
        Some(left)
    }

    fn operand(&mut self) -> Option<String> {
        if self.depth > MAX_NESTING || !self.scope.spend() {
            return None;
        }
        self.blank();
        let start = self.at;
        let rest = self.rest();
        if self.take("(") {
            let value = self.expression()?;
            return self.take(")").then_some(value);
        }
        if let Some(end) = string(rest) {
            self.at += end;
            let written = rest.get(..end)?;
            return Some(self.literal(written));
        }
        let name = self.word();
        if name.is_empty() {
            return None;
        }
        self.at += name.len();
        match name {
            "if" => return self.choice(),
            "assert" if self.rest().starts_with('(') => {
                self.at += 1;
                self.condition()?;
                self.take(",");
                self.expression()?;
                return self.take(")").then(String::new);
            }
            _ => {}
        }
        if self.rest().starts_with('(') {
            self.at += 1;
            let mut arguments = Vec::new();
            while !self.take(")") {
                arguments.push(self.expression()?);
                if !self.take(",") && !self.rest().starts_with(')') {
                    return None;
                }
            }
            let written = self.text.get(start..self.at).unwrap_or(name);
            return Some(self.scope.call(name, &arguments, written));
        }
        Some(self.scope.named(name, self.depth))
    }

    /// `if a == b { … } else if … { … } else { … }`, after its `if`.
    fn choice(&mut self) -> Option<String> {
        let start = self.at;
        let decided = self.condition()?;
        let yes = self.braced()?;
        self.blank();
        if self.word() != "else" {
            return None;
        }
        self.at += "else".len();
        self.blank();
        let no = if self.word() == "if" {
            self.at += "if".len();
            self.depth += 1;
            let value = (self.depth <= MAX_NESTING).then(|| self.choice())?;
            self.depth -= 1;
            value?
        } else {
            self.braced()?
        };
        Some(match decided {
            Some(true) => yes,
            Some(false) => no,
            None if yes == no => yes,
            None => {
                let written = self.text.get(start..self.at).unwrap_or("");
                self.scope.unknown(&format!("if{written}"))
            }
        })
    }

    fn braced(&mut self) -> Option<String> {
        if !self.take("{") {
            return None;
        }
        let value = self.expression()?;
        self.take("}").then_some(value)
    }

    /// Whether a condition holds; inside, `None` when only the build run knows.
    #[expect(
        clippy::option_option,
        reason = "unreadable and undecided are two things"
    )]
    fn condition(&mut self) -> Option<Option<bool>> {
        self.blank();
        let left = self.expression()?;
        let operators = ["==", "!=", "=~", "!~"];
        let operator = operators.into_iter().find(|o| self.take(o))?;
        let right = self.expression()?;
        let unknown = left.contains(is_hole) || right.contains(is_hole);
        Some(match operator {
            "==" | "!=" if left == right => Some(operator == "=="),
            "==" | "!=" if !unknown => Some(operator == "!="),
            _ => None,
        })
    }

    fn literal(&self, written: &str) -> String {
        let Some(quote) = written.find(['\'', '"', '`']) else {
            return self.scope.unknown(written);
        };
        let (prefix, body) = written.split_at(quote);
        let mark = body.get(..1).unwrap_or("");
        let long = mark.repeat(3);
        let indented = body.len() >= 6 && body.starts_with(&long);
        let skipped = if indented { 3 } else { 1 };
        let inner = body
            .get(skipped..body.len().saturating_sub(skipped))
            .unwrap_or("");
        if mark == "`" {
            return self.scope.unknown(written);
        }
        let mut value = if indented {
            unindented(inner)
        } else {
            inner.to_owned()
        };
        if mark == "\"" {
            value = unescaped(&value);
        }
        match prefix {
            "x" => self.shell_expanded(&value),
            // Interpolations inside of a string are rare: what they give is not known.
            "f" if value.contains("{{") => self.scope.unknown(written),
            _ => value,
        }
    }

    /// `x'…'`: `$NAME`, `${NAME}`, `${NAME:-default}`.
    fn shell_expanded(&self, value: &str) -> String {
        let mut out = String::new();
        let mut rest = value;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            let from = from.get(1..).unwrap_or("");
            let (name, default, after) = match from.strip_prefix('{') {
                Some(inner) => {
                    let (inner, after) = inner.split_once('}').unwrap_or((inner, ""));
                    let (name, default) = match inner.split_once(":-") {
                        Some((name, default)) => (name, Some(default)),
                        None => (inner, None),
                    };
                    (name, default, after)
                }
                None => {
                    let name = word(from);
                    (name, None, from.get(name.len()..).unwrap_or(""))
                }
            };
            match (self.scope.environment(name), default) {
                (Some(value), _) => out.push_str(value.as_str()),
                (None, Some(default)) => out.push_str(default),
                (None, None) => out.push_str(self.scope.run.variable(name).as_str()),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// `a || b`: an unknown left side may be empty, and then the right side counts.
fn either(left: String, right: String) -> String {
    if left.is_empty() || left.chars().all(is_hole) {
        right
    } else {
        left
    }
}

/// The name that a text begins with.
pub(super) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    let word = text.get(..end.unwrap_or(text.len())).unwrap_or("");
    if word.starts_with(|c: char| c.is_numeric() || c == '-') {
        ""
    } else {
        word
    }
}

/// Bytes of the string or backtick that a text begins with, its prefix (`x`, `f`) included.
pub(super) fn string(text: &str) -> Option<usize> {
    let body = text.trim_start_matches(['x', 'f']);
    let prefix = text.len() - body.len();
    let mark = body.chars().next().filter(|c| "'\"`".contains(*c))?;
    if prefix > 1 || prefix == 1 && mark == '`' {
        return None;
    }
    let long = mark.to_string().repeat(3);
    let close = if body.starts_with(&long) {
        long
    } else {
        mark.to_string()
    };
    let mut at = close.len();
    loop {
        let rest = body.get(at..)?;
        if rest.is_empty() {
            return None;
        }
        if rest.starts_with(&close) {
            return Some(prefix + at + close.len());
        }
        let mut chars = rest.chars();
        let c = chars.next()?;
        at += c.len_utf8();
        if c == '\\' && mark == '"' {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
}

fn unindented(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let blank = |line: &&str| !line.trim().is_empty();
    let margin = text
        .lines()
        .filter(blank)
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0);
    let lines = text
        .split('\n')
        .map(|line| line.get(margin..).unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('\n') | None => {}
            Some('u') => {
                let rest = chars.as_str();
                let code = rest.strip_prefix('{').and_then(|r| r.split_once('}'));
                if let Some((digits, after)) = code {
                    let c = u32::from_str_radix(digits, 16).ok();
                    let c = c.and_then(char::from_u32).filter(|c| !is_hole(*c));
                    out.extend(c);
                    chars = after.chars();
                }
            }
            Some(other) => out.push(other),
        }
    }
    out
}
