//! Where things are put into a text: an item into a list, a key into a mapping, in the place and the
//! form that somebody who writes this file by hand would choose.

use std::rc::Rc;

use pullpass_audit::yaml::{Node, Style as Written};

use crate::Part;
use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::style::{self, Style, Yaml};

/// Which of a mapping's keys a new one is put beside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside<'k> {
    /// Right after this key and its value; at the end where there is no such key.
    After(&'k str),
    /// Right before this key and the comments that belong to it; at the end where there is no such key.
    Before(&'k str),
    /// At the end.
    End,
}

/// Calls `see` for every node as it is written, aliases not looked through.
pub fn walk<'d>(node: Node<'d>, depth: usize, see: &mut dyn FnMut(Node<'d>)) {
    // The parser refuses deeper files.
    if node.is_alias() || depth > 300 {
        return;
    }
    see(node);
    for item in node.items() {
        walk(item, depth + 1, see);
    }
    for (key, value) in node.pairs() {
        walk(key, depth + 1, see);
        walk(value, depth + 1, see);
    }
}

/// A node's own text.
#[must_use]
pub fn text_of<'t>(text: &'t str, node: Node<'_>) -> &'t str {
    let start = node.use_span().start as usize;
    text.get(start..style::value_end(text, node)).unwrap_or("")
}

/// Where lines go that are put in front of a key; none when the key is not first on its line.
#[must_use]
pub fn own_line(text: &str, key: Node<'_>) -> Option<usize> {
    let at = key.use_span().start as usize;
    let start = style::line_start(text, at);
    text.get(start..at)?
        .bytes()
        .all(|b| b == b' ')
        .then(|| style::above(text, at))
}

/// Whether the line before the one that begins at `at` is blank.
#[must_use]
pub fn blank_before(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or("");
    let line = before.strip_suffix('\n').unwrap_or(before);
    line.rsplit('\n')
        .next()
        .is_some_and(|l| l.trim().is_empty())
        && !line.is_empty()
}

/// Whether the line after the one that ends at `end` is blank, and not the last.
#[must_use]
pub fn blank_after(text: &str, end: usize) -> bool {
    let after = text.get(end..).unwrap_or("");
    let mut lines = after.split('\n').skip(1);
    lines.next().is_some_and(|l| l.trim().is_empty()) && lines.next().is_some()
}

/// The lines of a list's item, as they are, at another column.
#[must_use]
pub fn copied(text: &str, node: Node<'_>, indent: usize) -> Option<Vec<String>> {
    let mut lines = text_of(text, node).lines();
    let mut out = vec![format!(
        "{}- {}",
        " ".repeat(indent),
        lines.next()?.trim_end()
    )];
    let from = match style::dash(text, node) {
        Some(dash) => style::column(text, dash),
        None => 0,
    };
    for line in lines {
        let rest = line
            .get(from..)
            .filter(|_| line.bytes().take(from).all(|b| b == b' '));
        match rest {
            Some(rest) => out.push(format!(
                "{}{}",
                " ".repeat(indent),
                rest.trim_end_matches('\r')
            )),
            None if line.trim().is_empty() => out.push(String::new()),
            None => return None,
        }
    }
    Some(out)
}

/// A step to be put in.
pub enum Step<'d> {
    /// One that the file has, letter for letter.
    Copy(Node<'d>),
    /// A new one.
    New(Yaml),
}

impl Step<'_> {
    /// What it means when it is written in this style.
    #[must_use]
    pub fn meaning(&self, style: &Style<'_>) -> Rc<Value> {
        match self {
            Self::Copy(node) => Value::of(*node),
            Self::New(yaml) => yaml.meaning(style),
        }
    }
}

/// Puts a step before item `index` of a list.
#[must_use]
pub fn item(style: &Style<'_>, list: Node<'_>, index: usize, step: &Step<'_>) -> Option<Edit> {
    let style = &style.inside(list);
    let text = style.text;
    let item = list.items().nth(index)?;
    if list.style() == Written::Flow {
        let flow = match step {
            Step::New(yaml) => style.flow(yaml),
            Step::Copy(node) => text_of(text, *node).to_owned(),
        };
        let start = item.use_span().start as usize;
        let line = style::line_start(text, start);
        let alone = text.get(line..start)?.bytes().all(|b| b == b' ');
        let after = if alone {
            format!("{}{}", style.eol, " ".repeat(start - line))
        } else {
            " ".to_owned()
        };
        return (!flow.contains('\n')).then(|| Edit::insert(start, format!("{flow},{after}")));
    }
    let dash = style::dash(text, item)?;
    let line = style::line_start(text, dash);
    if !text.get(line..dash)?.bytes().all(|b| b == b' ') {
        return None;
    }
    let indent = dash - line;
    let mut lines = match step {
        Step::New(yaml) => style.item(indent, yaml),
        Step::Copy(node) => copied(text, *node, indent)?,
    };
    let start = item.use_span().start as usize;
    if style::line_start(text, start) != line {
        dash_alone(&mut lines, indent, style::column(text, start));
    }
    let at = style::above(text, dash);
    // Steps that stand apart from each other stay apart; the first has nothing before it to tell.
    let apart = if index > 0 {
        blank_before(text, at)
    } else {
        list.items()
            .nth(1)
            .and_then(|second| style::dash(text, second))
            .is_some_and(|dash| blank_before(text, style::above(text, dash)))
    };
    if apart {
        lines.push(String::new());
    }
    Some(Edit::insert(at, style.lines(&lines)))
}

/// Puts the `-` of an item on a line of its own, as Docker's own examples have it.
fn dash_alone(lines: &mut Vec<String>, indent: usize, inner: usize) {
    let Some(first) = lines.first_mut() else {
        return;
    };
    let text = first.trim_start().trim_start_matches('-').trim_start();
    *first = format!("{}{text}", " ".repeat(inner));
    for line in lines.iter_mut().skip(1).filter(|line| !line.is_empty()) {
        // What was written two columns from the dash goes with the first line.
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let column = (blanks + inner).saturating_sub(indent + 2);
        *line = format!("{}{}", " ".repeat(column), line.trim_start_matches(' '));
    }
    lines.insert(0, format!("{}-", " ".repeat(indent)));
}

/// Puts a key into a mapping that does not have it. False, and nothing is put, where the mapping is
/// written in a way that is not edited.
#[must_use]
pub fn key(
    style: &Style<'_>,
    mapping: Node<'_>,
    beside: Beside<'_>,
    key: &str,
    value: &Yaml,
    part: &mut Part,
) -> bool {
    let style = &style.inside(mapping);
    match key_edit(style, mapping, beside, key, value) {
        Some(edit) => {
            part.edits.push(edit);
            part.intents.push(Intent::AddKey {
                at: mapping.span().start,
                key: key.to_owned(),
                value: value.meaning(style),
            });
            true
        }
        None => false,
    }
}

fn key_edit(
    style: &Style<'_>,
    mapping: Node<'_>,
    beside: Beside<'_>,
    key: &str,
    value: &Yaml,
) -> Option<Edit> {
    let text = style.text;
    if !mapping.is_mapping() {
        return None;
    }
    let pairs: Vec<_> = mapping.pairs().collect();
    if pairs.iter().any(|(k, _)| k.as_str() == Some(key)) {
        return None;
    }
    if pairs.is_empty() && mapping.style() == Written::Flow {
        let start = mapping.use_span().start as usize;
        let end = style::value_end(text, mapping);
        let inner = text.get(start..end)?.strip_prefix('{')?.strip_suffix('}')?;
        let flow = style.flow_entry(key, value);
        return inner
            .trim()
            .is_empty()
            .then(|| Edit::replace(start + 1, end - 1, flow));
    }
    let named = |name: &str| pairs.iter().position(|(k, _)| k.as_str() == Some(name));
    let (index, before) = match beside {
        Beside::After(name) => (named(name), false),
        Beside::Before(name) => (named(name), true),
        Beside::End => (None, false),
    };
    let before = before && index.is_some();
    let (first, value_there) = *match index {
        Some(index) => pairs.get(index)?,
        None => pairs.last()?,
    };
    if mapping.style() == Written::Flow {
        let flow = style.flow_entry(key, value);
        if before {
            return Some(Edit::insert(
                first.use_span().start as usize,
                format!("{flow}, "),
            ));
        }
        let end = if value_there.is_null() {
            first.use_span().end as usize
        } else {
            style::value_end(text, value_there)
        };
        return Some(Edit::insert(end, format!(", {flow}")));
    }
    let indent = style::column_of_key(text, first);
    // The step of a mapping beside it counts more than the file's.
    let step = pairs.iter().find_map(|(key, value)| {
        let below = value
            .pairs()
            .next()
            .filter(|_| !value.is_alias() && value.style() == Written::Block)?;
        let column = style::column(text, below.0.use_span().start as usize);
        column.checked_sub(style::column(text, key.use_span().start as usize))
    });
    let style = style.with_step(step);
    let mut lines = style.entry(indent, key, value);
    if before {
        let at = own_line(text, first)?;
        if blank_before(text, at) && index != Some(0) {
            lines.push(String::new());
        }
        return Some(Edit::insert(at, style.lines(&lines)));
    }
    let end = if value_there.is_null() && !value_there.is_alias() {
        first.use_span().end as usize
    } else {
        style::value_end(text, value_there)
    };
    Some(Edit::insert(
        style::line_end(text, end),
        style.lines_after(&lines),
    ))
}

/// Gives a key that has nothing behind its colon, or `~` or `{}`, a mapping. False, and nothing is put, where that is
/// not how it is written.
#[must_use]
pub fn below(
    style: &Style<'_>,
    key: Node<'_>,
    null: Node<'_>,
    value: &Yaml,
    part: &mut Part,
) -> bool {
    let text = style.text;
    let Yaml::Map(entries) = value else {
        return false;
    };
    let end = key.use_span().end as usize;
    if let Some(edit) = below_in_flow(style, key, null, value) {
        part.edits.push(edit);
        part.intents.push(Intent::Replace {
            at: null.span().start,
            value: value.meaning(style),
        });
        return true;
    }
    let Some(colon) = text
        .get(end..)
        .and_then(|t| t.find(':'))
        .map(|n| end + n + 1)
    else {
        return false;
    };
    let line_end = style::line_end(text, colon);
    let empty = null.is_mapping() && null.pairs().next().is_none();
    let written = text_of(text, null);
    let rest = text.get(colon..line_end).unwrap_or("").trim_start();
    let rest = rest.strip_prefix(written).unwrap_or(rest).trim_start();
    let plain = (null.is_null() || empty) && !null.is_alias();
    if !plain || !(rest.is_empty() || rest.starts_with('#')) {
        return false;
    }
    if !written.is_empty() {
        let end = style::value_end(text, null);
        part.edits.push(Edit::replace(colon, end, ""));
    }
    let indent = style::column(text, key.use_span().start as usize) + style.step;
    let lines: Vec<String> = entries
        .iter()
        .flat_map(|(k, v)| style.entry(indent, k, v))
        .collect();
    part.edits
        .push(Edit::insert(line_end, style.lines_after(&lines)));
    if empty {
        let added = entries.iter().map(|(key, value)| Intent::AddKey {
            at: null.span().start,
            key: key.clone(),
            value: value.meaning(style),
        });
        part.intents.extend(added);
    } else {
        part.intents.push(Intent::Replace {
            at: null.span().start,
            value: value.meaning(style),
        });
    }
    true
}

/// `{key, other: x}` and `{key: , other: x}`.
fn below_in_flow(style: &Style<'_>, key: Node<'_>, null: Node<'_>, value: &Yaml) -> Option<Edit> {
    if !null.is_null() || null.is_alias() {
        return None;
    }
    let end = key.use_span().end as usize;
    let after = style.text.get(end..)?.trim_start();
    let rest = after.strip_prefix(':').unwrap_or(after).trim_start();
    let rest = match text_of(style.text, null) {
        written @ ("~" | "null") => rest.strip_prefix(written)?.trim_start(),
        _ => rest,
    };
    if !rest.starts_with([',', '}']) {
        return None;
    }
    let inside = Style {
        in_flow: true,
        json: is_quoted(style.text, key),
        ..style.clone()
    };
    let to = style.text.len() - rest.len();
    Some(Edit::replace(end, to, format!(": {}", inside.flow(value))))
}

fn is_quoted(text: &str, key: Node<'_>) -> bool {
    let start = key.use_span().start as usize;
    text.get(start..).is_some_and(|t| t.starts_with('"'))
}

/// A part that changes nothing yet.
#[must_use]
pub fn nothing(path: &pullpass_audit::source::RepoPath) -> Part {
    Part {
        path: path.clone(),
        edits: Vec::new(),
        intents: Vec::new(),
    }
}

/// Where a login begins that is moved: with the comments above it that are about it. Others are about what comes
/// after it as well, and stay, unless it is the last of its list.
#[must_use]
pub fn above_login(text: &str, dash: usize, is_last: bool) -> usize {
    let (above, line) = (style::above(text, dash), style::line_start(text, dash));
    let comments = text.get(above..line).unwrap_or("").to_ascii_lowercase();
    let about = [
        "log in",
        "login",
        "logs in",
        "logged in",
        "logging in",
        "sign",
        "auth",
        "credential",
        "limit",
    ];
    if is_last || about.iter().any(|word| comments.contains(word)) {
        above
    } else {
        line
    }
}
