//! How the file at hand is written, so that what is added looks as if its author had added it: line
//! endings, indentation of mappings and of lists, quotes, spaces inside of braces.

use std::rc::Rc;

use hashbrown::HashMap;
use pullpass_audit::yaml::{Document, Node, Style as Written};

use crate::meaning::Value;

/// YAML to be written, in the order in which it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Yaml {
    /// A scalar; it gets quotes where it needs them, or where the file would give it some.
    Text(String),
    /// A scalar with what stands behind it on its line, from the blank before `#` on. In flow style it
    /// is left out.
    Noted(String, String),
    /// A scalar that never gets quotes: a boolean, or nothing at all.
    Bare(String),
    /// A mapping.
    Map(Vec<(String, Yaml)>),
    /// A list.
    List(Vec<Yaml>),
}

impl Yaml {
    /// A scalar.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A mapping.
    #[must_use]
    pub fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect(),
        )
    }

    /// What it means when it is written in this style.
    #[must_use]
    pub fn meaning(&self, style: &Style<'_>) -> Rc<Value> {
        Rc::new(match self {
            Self::Bare(text) => Value::Scalar {
                text: text.clone(),
                plain: true,
            },
            Self::Text(text) | Self::Noted(text, _) => Value::Scalar {
                text: text.clone(),
                plain: style.quote_for(text).is_none(),
            },
            Self::List(items) => Value::List(items.iter().map(|i| i.meaning(style)).collect()),
            Self::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(k, v)| (k.clone(), v.meaning(style)))
                    .collect(),
            ),
        })
    }
}

/// How a file is written.
#[derive(Clone, Debug)]
pub struct Style<'t> {
    /// The file.
    pub text: &'t str,
    /// Its line ending.
    pub eol: &'static str,
    /// Columns from a key to the keys of the mapping below it.
    pub step: usize,
    /// Columns from a key to the `-` of the list below it.
    pub dash: usize,
    /// Spaces inside of braces: `{ a: b }`.
    pub padded: bool,
    /// Quotes around a value like `$NAME` or `${{ name }}`, where the file gives such values any.
    pub quote: Option<char>,
    /// Quotes around keys and plain texts, where the file gives them to nearly all.
    pub all_quoted: Option<char>,
    /// Keys of flow mappings are quoted too.
    pub json: bool,
    /// What is written stands inside of brackets or braces, where more must be quoted.
    pub in_flow: bool,
}

impl<'t> Style<'t> {
    /// The style of a parsed file.
    #[must_use]
    pub fn of(document: &'t Document) -> Self {
        let text: &str = &document.source().text;
        let mut habits = Habits {
            text,
            steps: HashMap::new(),
            dashes: HashMap::new(),
            padded: 0,
            quotes: HashMap::new(),
            keys: HashMap::new(),
        };
        for root in document.roots() {
            habits.look(root, 0);
        }
        let most = |counts: &HashMap<usize, usize>, or: usize| {
            counts
                .iter()
                .max_by_key(|(columns, count)| (**count, usize::MAX - **columns))
                .map_or(or, |(columns, _)| *columns)
        };
        let step = most(&habits.steps, 2).clamp(1, 8);
        Self {
            text,
            eol: eol(text),
            step,
            dash: most(&habits.dashes, 2).min(8),
            padded: habits.padded > 0,
            quote: habits
                .quotes
                .iter()
                .max_by_key(|(quote, count)| (**count, std::cmp::Reverse(**quote)))
                .and_then(|(quote, _)| *quote),
            all_quoted: habits.quoted_keys(),
            json: false,
            in_flow: false,
        }
    }

    /// The style of what is put inside of this list or mapping.
    #[must_use]
    pub fn inside(&self, node: Node<'_>) -> Self {
        Self {
            in_flow: self.in_flow || node.style() == Written::Flow,
            ..self.clone()
        }
    }

    /// The same style in a place that has its own indentation.
    #[must_use]
    pub fn with_step(&self, step: Option<usize>) -> Self {
        Self {
            step: step.filter(|s| (1..=8).contains(s)).unwrap_or(self.step),
            ..self.clone()
        }
    }

    fn quote_for(&self, text: &str) -> Option<char> {
        let needed = needs_quotes(text) || self.in_flow && text.contains(['{', '}', '[', ']', ',']);
        let double = text.contains('\'') || self.all_quoted == Some('"');
        let other = if double { '"' } else { '\'' };
        match self.quote {
            Some('\'') if text.starts_with('$') && !text.contains(['"', '\\']) => Some(other),
            Some(quote) if text.starts_with('$') => Some(quote),
            _ if needed || self.all_quoted.is_some() => Some(other),
            _ => None,
        }
    }

    /// A key of a mapping in block style.
    #[must_use]
    pub fn key(&self, key: &str) -> String {
        match self.all_quoted {
            Some(quote) => format!("{quote}{key}{quote}"),
            None => key.to_owned(),
        }
    }

    fn scalar(&self, text: &str) -> String {
        match self.quote_for(text) {
            None => text.to_owned(),
            Some('\'') => format!("'{}'", text.replace('\'', "''")),
            Some(_) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }

    /// An entry of a mapping in flow style.
    #[must_use]
    pub fn flow_entry(&self, key: &str, value: &Yaml) -> String {
        if self.json {
            format!("\"{key}\": {}", self.flow(value))
        } else {
            format!("{key}: {}", self.flow(value))
        }
    }

    /// In flow style, on one line.
    #[must_use]
    pub fn flow(&self, yaml: &Yaml) -> String {
        let pad = if self.padded { " " } else { "" };
        match yaml {
            Yaml::Text(text) | Yaml::Noted(text, _) => self.scalar(text),
            Yaml::Bare(text) => text.clone(),
            Yaml::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(k, v)| self.flow_entry(k, v)).collect();
                format!("{{{pad}{}{pad}}}", entries.join(", "))
            }
            Yaml::List(items) => {
                let items: Vec<String> = items.iter().map(|i| self.flow(i)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// The lines of a mapping's entry in block style, from column `indent`.
    #[must_use]
    pub fn entry(&self, indent: usize, key: &str, value: &Yaml) -> Vec<String> {
        let spaces = " ".repeat(indent);
        let key = self.key(key);
        match value {
            Yaml::Text(text) => vec![format!("{spaces}{key}: {}", self.scalar(text))],
            Yaml::Bare(text) if text.is_empty() => vec![format!("{spaces}{key}:")],
            Yaml::Bare(text) => vec![format!("{spaces}{key}: {text}")],
            Yaml::Noted(text, note) => vec![format!("{spaces}{key}: {}{note}", self.scalar(text))],
            Yaml::Map(entries) => {
                let mut lines = vec![format!("{spaces}{key}:")];
                for (k, v) in entries {
                    lines.extend(self.entry(indent + self.step, k, v));
                }
                lines
            }
            Yaml::List(items) => {
                let mut lines = vec![format!("{spaces}{key}:")];
                for item in items {
                    lines.extend(self.item(indent + self.dash, item));
                }
                lines
            }
        }
    }

    /// The lines of a list's item in block style, its `-` at column `indent`.
    #[must_use]
    pub fn item(&self, indent: usize, value: &Yaml) -> Vec<String> {
        let spaces = " ".repeat(indent);
        let mut lines = match value {
            Yaml::Text(text) | Yaml::Noted(text, _) => {
                return vec![format!("{spaces}- {}", self.scalar(text))];
            }
            Yaml::Bare(text) => return vec![format!("{spaces}- {text}")],
            Yaml::Map(entries) => entries
                .iter()
                .flat_map(|(k, v)| self.entry(indent + 2, k, v))
                .collect(),
            Yaml::List(items) => items
                .iter()
                .flat_map(|item| self.item(indent + 2, item))
                .collect::<Vec<_>>(),
        };
        if let Some(first) = lines.first_mut() {
            *first = format!("{spaces}- {}", first.trim_start());
        }
        lines
    }

    /// Lines as one text, each with its ending.
    #[must_use]
    pub fn lines(&self, lines: &[String]) -> String {
        lines
            .iter()
            .map(|line| format!("{line}{}", self.eol))
            .collect()
    }

    /// Lines as one text, each with the line ending before it.
    #[must_use]
    pub fn lines_after(&self, lines: &[String]) -> String {
        lines
            .iter()
            .map(|line| format!("{}{line}", self.eol))
            .collect()
    }
}

struct Habits<'t> {
    text: &'t str,
    steps: HashMap<usize, usize>,
    dashes: HashMap<usize, usize>,
    padded: i32,
    quotes: HashMap<Option<char>, usize>,
    keys: HashMap<Option<char>, usize>,
}

/// The quotes of a scalar; `None` when it is written in another way, such as on many lines.
fn quotes_of(node: Node<'_>) -> Option<Option<char>> {
    match node.style() {
        Written::Plain => Some(None),
        Written::Single => Some(Some('\'')),
        Written::Double => Some(Some('"')),
        _ => None,
    }
}

impl Habits<'_> {
    /// The quotes that nine of ten keys have.
    fn quoted_keys(&self) -> Option<char> {
        let all: usize = self.keys.values().sum();
        let (quote, count) = self.keys.iter().max_by_key(|(_, count)| **count)?;
        quote.filter(|_| count * 10 >= all * 9)
    }

    fn look(&mut self, node: Node<'_>, depth: usize) {
        // Deeper than any real file: what is above it says enough.
        if node.is_alias() || depth > 64 {
            return;
        }
        for item in node.items() {
            self.look(item, depth + 1);
        }
        let span = node.span();
        if node.is_mapping() && node.style() == Written::Flow {
            match self
                .text
                .get(span.start as usize + 1..)
                .map(|t| t.as_bytes().first())
            {
                Some(Some(b' ')) => self.padded += 1,
                Some(Some(b'}')) | None => {}
                _ => self.padded -= 1,
            }
        }
        for (key, value) in node.pairs() {
            if node.style() == Written::Block
                && let Some(quote) = quotes_of(key)
            {
                *self.keys.entry(quote).or_default() += 1;
            }
            let below = !value.is_alias() && value.style() == Written::Block;
            if below && node.style() == Written::Block {
                let (counts, to) = if value.is_sequence() {
                    let first = value.items().next();
                    let dash = first.and_then(|item| dash(self.text, item));
                    (&mut self.dashes, dash.map(|at| column(self.text, at)))
                } else {
                    let first = value.pairs().next();
                    let at = first.map(|(key, _)| key.use_span().start as usize);
                    (&mut self.steps, at.map(|at| column(self.text, at)))
                };
                // Only where it is asked for: a line in flow style may have all keys of the file.
                let from = column(self.text, key.span().start as usize);
                if let Some(difference) = to.and_then(|to| to.checked_sub(from)) {
                    *counts.entry(difference).or_default() += 1;
                }
            }
            if !value.is_alias()
                && value.as_str().is_some_and(is_variable)
                && let Some(quote) = quotes_of(value)
            {
                *self.quotes.entry(quote).or_default() += 1;
            }
            self.look(value, depth + 1);
        }
    }
}

/// `$NAME`, or `${{ expression }}`, and nothing else.
fn is_variable(text: &str) -> bool {
    if text.starts_with("${{") && text.ends_with("}}") {
        return text.matches("${{").count() == 1;
    }
    text.strip_prefix('$').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

fn eol(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|t| t.ends_with('\r')) => "\r\n",
        _ => "\n",
    }
}

/// Whether a scalar means something else, or nothing, without quotes. Says yes too often rather than
/// too rarely.
fn needs_quotes(text: &str) -> bool {
    let special_start = text.is_empty()
        || text.starts_with([
            '!', '&', '*', '-', '?', ':', ',', '[', ']', '{', '}', '#', '|', '>', '@', '`', '"',
            '\'', '%', ' ', '~', '=',
        ]) && !text.starts_with("<<");
    let special = text.contains(": ")
        || text.contains(" #")
        || text.ends_with([':', ' '])
        || text.contains(['\n', '\t']);
    let typed = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    ) || text.parse::<f64>().is_ok();
    special_start || special || typed
}

/// Where the line that holds `at` begins.
#[must_use]
pub fn line_start(text: &str, at: usize) -> usize {
    text.get(..at)
        .and_then(|t| t.rfind('\n'))
        .map_or(if text.starts_with('\u{FEFF}') { 3 } else { 0 }, |n| n + 1)
}

/// Where the line that holds `at` ends: before its line ending, or at the end of the text.
#[must_use]
pub fn line_end(text: &str, at: usize) -> usize {
    let end = text
        .get(at..)
        .and_then(|t| t.find('\n'))
        .map_or(text.len(), |n| at + n);
    match text.get(at..end) {
        Some(line) if line.ends_with('\r') => end - 1,
        _ => end,
    }
}

/// The column of `at`, in characters from 0: what YAML counts as indentation.
#[must_use]
pub fn column(text: &str, at: usize) -> usize {
    text.get(line_start(text, at)..at)
        .map_or(0, |t| t.chars().count())
}

/// The column of a key of a block mapping, from 0. A tag or an anchor that stands before it is part of it.
#[must_use]
pub fn column_of_key(text: &str, key: Node<'_>) -> usize {
    let at = key.use_span().start as usize;
    let line = text.get(line_start(text, at)..at).unwrap_or("");
    let mut own = line;
    loop {
        let rest = own.trim_start_matches(' ');
        match rest.strip_prefix("- ") {
            Some(inside) => own = inside,
            None if rest.starts_with(['!', '&']) => {
                return column(text, at) - rest.chars().count();
            }
            None => return column(text, at),
        }
    }
}

/// Where a node's own text ends; the blanks and line endings after a block scalar are not counted.
#[must_use]
pub fn value_end(text: &str, node: Node<'_>) -> usize {
    let span = node.use_span();
    let written = text
        .get(span.start as usize..span.end as usize)
        .unwrap_or("");
    span.start as usize + written.trim_end().len()
}

/// Where the `-` of a block list's item stands: before it on its line, or alone on a line above.
#[must_use]
pub fn dash(text: &str, item: Node<'_>) -> Option<usize> {
    let start = item.use_span().start as usize;
    let mut before = text.get(line_start(text, start)..start)?;
    // The item's anchor or tag, when its span begins after it.
    while let Some(word) = before.split(' ').rfind(|w| !w.is_empty()) {
        if !word.starts_with(['&', '!']) {
            break;
        }
        before = before.get(..before.rfind(word)?)?;
    }
    let trimmed = before.trim_end_matches(' ');
    if trimmed.is_empty() {
        return dash_above(text, line_start(text, start));
    }
    let alone = trimmed.strip_suffix('-')?;
    (alone.is_empty() || alone.ends_with(' ') || alone == "\u{FEFF}")
        .then(|| line_start(text, start) + alone.len())
}

/// A `-` on a line of its own, blank lines and comments below it.
fn dash_above(text: &str, mut line: usize) -> Option<usize> {
    loop {
        let previous = line_start(text, line.checked_sub(1)?);
        let body = text.get(previous..line)?;
        let word = body.trim();
        if word == "-" || word.starts_with("- #") {
            return Some(previous + body.find('-')?);
        }
        if !(word.is_empty() || word.starts_with('#')) || previous >= line {
            return None;
        }
        line = previous;
    }
}

/// Where lines can be put in front of what begins on the line of `at`: above the comments that stand
/// right over it, at the same column, which belong to it.
#[must_use]
pub fn above(text: &str, at: usize) -> usize {
    let mut start = line_start(text, at);
    let indent = text
        .get(start..)
        .map_or(0, |t| t.len() - t.trim_start_matches(' ').len());
    while let Some(before) = start.checked_sub(1).filter(|_| start > 0) {
        let previous = line_start(text, before);
        let line = text.get(previous..before).unwrap_or("");
        // A deeper comment may be a line of a script.
        let is_comment = line
            .get(..indent)
            .is_some_and(|s| s.bytes().all(|b| b == b' '))
            && line.get(indent..).is_some_and(|s| s.starts_with('#'));
        if !is_comment || previous >= start {
            break;
        }
        start = previous;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullpass_audit::source::{MemoryTree, RepoPath, Sources};

    fn document(text: &str) -> Document {
        let tree = MemoryTree::new().with("f", text);
        let source = Sources::new(&tree)
            .load(&RepoPath::new("f").unwrap())
            .unwrap();
        Document::parse(&source).unwrap()
    }

    #[test]
    fn habits_are_those_of_the_majority() {
        let four = document("a:\n    b:\n        c: 1\n    d:\n    - x\n");
        let style = Style::of(&four);
        assert_eq!((style.step, style.dash, style.eol), (4, 0, "\n"));
        let docker = document("a:\n  -\n    name: x\n  -\n    # y\n    name: z\n");
        assert_eq!(Style::of(&docker).dash, 2);
        let windows = document("a:\r\n  - x: { b: \"$C\" }\r\n");
        let style = Style::of(&windows);
        assert_eq!((style.dash, style.eol, style.padded), (2, "\r\n", true));
        assert_eq!(style.quote, Some('"'));
    }

    #[test]
    fn what_is_written_is_read_as_what_was_meant() {
        let document = document("a:\n  b: 1\n");
        let style = Style::of(&document);
        let yaml = Yaml::map([
            ("plain", Yaml::text("$DOCKER_USER")),
            ("odd", Yaml::text("- it's: #1, [a]")),
            ("number", Yaml::text("17")),
            (
                "list",
                Yaml::List(vec![Yaml::text("a"), Yaml::map([("b", Yaml::text("c"))])]),
            ),
        ]);
        let block = style.lines(&style.entry(0, "k", &yaml));
        let flow = format!("k: {}", style.flow(&yaml));
        for text in [block, flow] {
            let parsed = self::document(&text);
            let root = parsed.root().unwrap().get("k").unwrap();
            assert_eq!(Value::of(root), yaml.meaning(&style), "{text}");
        }
    }

    #[test]
    fn comments_at_the_same_column_belong_to_what_follows() {
        let text = "a:\n  - x: |\n      # script\n  # about y\n  - y\n";
        let at = above(text, text.find("- y").unwrap());
        assert_eq!(text.get(at..), Some("  # about y\n  - y\n"));
        let text = "  - x: |\n      # script\n  - y\n";
        assert_eq!(
            text.get(above(text, text.find("- y").unwrap())..),
            Some("  - y\n")
        );
    }
}
