//! Compose takes values from `.env` files beside the environment, so an image's tag may stand in a
//! file that no other tool looks at.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::interpolate::{Variables, interpolate};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{HoleKind, Text};

/// Variables that one project's files may bring; only hostile input has more.
const MAX_VARIABLES: usize = 10_000;

/// Bytes that their values may have together.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The variables of one project: the environment, then its `.env` files.
#[derive(Clone)]
pub(super) struct Environment<'r, 'c> {
    run: &'r JobRun<'c>,
    files: BTreeMap<String, Text>,
    /// Bytes that values of the project may still unfold to.
    left: Rc<Cell<usize>>,
}

impl<'r, 'c> Environment<'r, 'c> {
    pub(super) fn new(run: &'r JobRun<'c>) -> Self {
        Self {
            run,
            files: BTreeMap::new(),
            left: Rc::new(Cell::new(MAX_BYTES)),
        }
    }

    /// A text of the project with its variables put in. Each of thousands may have the same long value.
    pub(super) fn put_in(&self, written: &str) -> Text {
        if !written.contains('$') {
            return Text::new(written);
        }
        let text = interpolate(written, self);
        match self.left.get().checked_sub(text.as_str().len()) {
            Some(left) => {
                self.left.set(left);
                text
            }
            None => {
                self.run.cx.note_limit("longer values than are looked at");
                self.run.cx.holes.of(written, HoleKind::Variable)
            }
        }
    }

    /// The first ones of what only hostile input has many of.
    pub(super) fn first<T>(&self, all: impl IntoIterator<Item = T>, most: usize) -> Vec<T> {
        let more = "longer lists in Compose files than are looked at";
        self.run.cx.first(all, most, more)
    }

    /// Adds a `.env` file of the repository; what is known already stays.
    pub(super) fn add(&mut self, path: &RepoPath) {
        let before = self.files.clone();
        self.read(path);
        self.files.extend(before);
    }

    /// Adds a `.env` file whose values replace those of files before it, as `--env-file` given
    /// twice does.
    pub(super) fn read(&mut self, path: &RepoPath) {
        let Ok(source) = self.run.cx.sources.load(&self.run.original(path)) else {
            return;
        };
        let mut rest: &str = &source.text;
        let mut bytes = 0;
        while !rest.is_empty()
            && bytes < MAX_BYTES
            && self.files.len() < MAX_VARIABLES
            && self.run.cx.spend()
        {
            let (name, value, after) = next_assignment(rest);
            rest = after;
            let Some(name) = name else { continue };
            let value = match value {
                Value::Literal(text) => Text::new(text),
                Value::Expanded(text) => interpolate(&text, self),
            };
            bytes += value.as_str().len();
            self.files.insert(name.to_owned(), value);
        }
    }

    /// A variable that is set neither outside nor in a file: `None`.
    pub(super) fn get(&self, name: &str) -> Option<Text> {
        self.value(name)
    }

    /// Sets what no file sets.
    pub(super) fn default(&mut self, name: &str, value: Text) {
        self.files.entry(name.to_owned()).or_insert(value);
    }
}

/// What a `.env` file of the repository sets: other tools read such files, too.
pub(crate) fn variables_of(run: &JobRun<'_>, path: &RepoPath) -> BTreeMap<String, Text> {
    let mut environment = Environment::new(run);
    environment.read(path);
    environment.files
}

impl Variables for Environment<'_, '_> {
    fn value(&self, name: &str) -> Option<Text> {
        self.run
            .env
            .get(name)
            .or_else(|| self.files.get(name))
            .cloned()
    }

    fn unknown(&self, name: &str) -> Text {
        self.run.variable(name)
    }
}

enum Value {
    /// In single quotes: taken as it stands.
    Literal(String),
    /// Variables are put in.
    Expanded(String),
}

/// The next `NAME=value` of a `.env` file, and what comes after it.
fn next_assignment(text: &str) -> (Option<&str>, Value, &str) {
    let line_end = text.find('\n').map_or(text.len(), |at| at + 1);
    let (line, after) = text.split_at(line_end);
    let trimmed = line.trim();
    let nothing = Value::Literal(String::new());
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return (None, nothing, after);
    }
    let Some(equals) = line.find('=') else {
        return (None, nothing, after);
    };
    let (name, value) = line.split_at(equals);
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if !is_name {
        return (None, nothing, after);
    }
    let value = value.get(1..).unwrap_or("");
    let skipped = value.len() - value.trim_start_matches([' ', '\t']).len();
    let start = equals + 1 + skipped;
    // A quoted value may go on over several lines.
    for quote in ['\'', '"'] {
        let Some(inside) = text.get(start..).and_then(|v| v.strip_prefix(quote)) else {
            continue;
        };
        let Some(end) = closing_quote(inside, quote) else {
            break;
        };
        let content = inside.get(..end).unwrap_or("");
        let rest = inside.get(end + 1..).unwrap_or("");
        let rest = rest.find('\n').and_then(|at| rest.get(at + 1..));
        let value = if quote == '\'' {
            Value::Literal(content.to_owned())
        } else {
            Value::Expanded(unescape(content))
        };
        return (Some(name), value, rest.unwrap_or(""));
    }
    let value = [" #", "\t#"]
        .iter()
        .filter_map(|comment| value.find(comment))
        .min()
        .and_then(|at| value.get(..at))
        .unwrap_or(value)
        .trim();
    (Some(name), Value::Expanded(value.to_owned()), after)
}

fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            _ => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('$') => out.push_str("$$"),
                Some(other @ ('"' | '\\')) => out.push(other),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Context, Options};
    use crate::source::MemoryTree;

    fn values(text: &str, names: &[&str]) -> Vec<String> {
        let tree = MemoryTree::new().with(".env", text);
        let options = Options::default();
        let cx = Context::new(&tree, &options);
        let mut run = JobRun::new(&cx);
        run.env.insert("OUTSIDE".into(), "set".into());
        let mut env = Environment::new(&run);
        env.add(&RepoPath::new(".env").unwrap());
        names
            .iter()
            .map(|n| env.get(n).map_or("-".into(), |v| run.show(&v)))
            .collect()
    }

    #[test]
    fn dotenv_files_in_their_odd_cases() {
        let text = "# note\nA=1\nexport B = two # comment\nC='$A'\nD=\"$A \\\"x\\\" \\$A\"\nE=$A-${NONE:-d}\nF=\n\
                    G=\"two\nlines\"\nH=http://x#y\nOUTSIDE=inside\nnot a line\nI=$UNKNOWN\r\nK=\"open\n";
        let names = ["A", "B", "C", "D", "E", "F", "G", "H", "OUTSIDE", "I", "K"];
        assert_eq!(
            values(text, &names),
            [
                "1",
                "two",
                "$A",
                "1 \"x\" $A",
                "1-d",
                "",
                "two\nlines",
                "http://x#y",
                "set",
                "$UNKNOWN",
                "\"open"
            ]
        );
    }

    #[test]
    fn doubling_values_stay_small() {
        let mut text = String::from("A0=xxxxxxxxxxxxxxxx\n");
        for i in 1..200 {
            text.push_str(&format!("A{i}=$A{0}$A{0}\n", i - 1));
        }
        assert!(
            values(&text, &["A199"])
                .iter()
                .all(|v| v.len() <= 64 * 1024)
        );
    }
}
