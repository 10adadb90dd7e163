//! `<< parameters.image >>` may stand at any place of any text, and its value may be a text, a
//! number, a list of steps or an executor that was written in another scope, with parameters of
//! its own. So a value is kept as it was written together with the frame it was written in, and
//! is looked at only when something needs it.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::context::Context;
use crate::source::Span;
use crate::text::{HoleKind, Mapped, Text, is_hole};
use crate::yaml::{Node, Style};

use super::scope::Scope;

/// How deep parameters may pass on parameters.
const MAX_DEPTH: usize = 32;

/// Longest text that substitution makes; only hostile input makes a longer one.
const MAX_TEXT: usize = 256 * 1024;

/// The names in force at a place of the configuration.
pub(super) struct Frame<'d> {
    /// Commands, executors, jobs and orbs.
    pub(super) scope: Rc<Scope<'d>>,
    /// `<< parameters.x >>`.
    pub(super) parameters: Vec<(&'d str, Value<'d>)>,
    /// `<< matrix.x >>`.
    pub(super) matrix: Vec<(&'d str, Value<'d>)>,
    /// What is written here is of the table: whatever comes of it stands at this place of the
    /// repository.
    pub(super) pin: Option<Span>,
    /// The thing of an orb that this is, such as `docker/check`.
    pub(super) label: Option<Rc<str>>,
    /// A parameter that this version of the orb spells otherwise: why it cannot work.
    pub(super) misspelt: Option<Rc<str>>,
}

impl<'d> Frame<'d> {
    /// A frame of a scope, with nothing but its names.
    pub(super) fn of(scope: &Rc<Scope<'d>>, pin: Option<Span>) -> Self {
        Self {
            scope: Rc::clone(scope),
            parameters: Vec::new(),
            matrix: Vec::new(),
            pin,
            label: None,
            misspelt: None,
        }
    }
}

/// A value as it was written, and the names that were in force there.
#[derive(Clone)]
pub(super) struct Value<'d> {
    /// What is written.
    pub(super) node: Node<'d>,
    /// Where.
    pub(super) frame: Rc<Frame<'d>>,
    /// It is the value of a parameter of `type: boolean`.
    is_boolean: bool,
}

impl<'d> Value<'d> {
    /// A value written in a frame.
    pub(super) fn new(node: Node<'d>, frame: &Rc<Frame<'d>>) -> Self {
        Self {
            node,
            frame: Rc::clone(frame),
            is_boolean: false,
        }
    }

    /// A value of a parameter that is declared so.
    fn declared(mut self, parameter: Node<'_>) -> Self {
        let kind = parameter.get("type").and_then(Node::as_str);
        self.is_boolean = kind == Some("boolean");
        self
    }

    /// What a boolean is put in as, however it is written: `true`, `false`
    /// (<https://circleci.com/docs/reference/reusing-config/#boolean>).
    pub(super) fn as_boolean(&self) -> Option<&'static str> {
        let plain = self.is_boolean && self.node.style() == Style::Plain;
        match self.node.as_str().filter(|_| plain)? {
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                Some("true")
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off"
            | "OFF" => Some("false"),
            _ => None,
        }
    }

    /// A value inside this one.
    pub(super) fn at(&self, node: Node<'d>) -> Self {
        Self::new(node, &self.frame)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        self.node.get(key).map(|node| self.at(node))
    }

    /// Where it is written, or where the orb is used that says it.
    pub(super) fn span(&self) -> Span {
        self.frame.pin.unwrap_or_else(|| self.node.span())
    }

    /// Where this use of it is written: the `*alias` where there is one.
    pub(super) fn use_span(&self) -> Span {
        self.frame.pin.unwrap_or_else(|| self.node.use_span())
    }
}

/// A text after substitution.
pub(super) struct Resolved {
    /// With every value put in that is known.
    pub(super) text: Text,
    /// With only those values put in that nobody outside can change, when there are others: a
    /// pipeline's parameter has a default, but whoever starts the pipeline may give another.
    pub(super) words: Option<String>,
}

impl Resolved {
    fn certain(text: impl Into<Text>) -> Self {
        Self {
            text: text.into(),
            words: None,
        }
    }
}

/// What stands between `<<` and `>>`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag<'t> {
    Name(&'t str),
    /// `<<# parameters.x >>` … `<</ parameters.x >>`; false: `<<^ … >>`.
    Open(&'t str, bool),
    Close(&'t str),
    /// `<< pipeline.git.branch == "main" and "a" or "b" >>`: all that is between.
    Expression(&'t str),
    /// `\<<`: two plain characters.
    Escaped,
}

/// The next tag at or after `from`: its range and what it is. Other uses of `<<`, such as a
/// here-document's in a version 2.0 file, are no tags.
fn next_tag(text: &str, from: usize) -> Option<(usize, usize, Tag<'_>)> {
    let mut at = from;
    loop {
        let start = at + text.get(at..)?.find("<<")?;
        let escaped = start
            .checked_sub(1)
            .filter(|&before| before >= from && text.as_bytes().get(before) == Some(&b'\\'));
        if let Some(before) = escaped {
            return Some((before, start + 2, Tag::Escaped));
        }
        let inner_from = start + 2;
        let rest = text.get(inner_from..)?;
        // No tag has another `<` in it. Looking no further keeps hostile texts linear.
        let rest = rest.split('<').next().unwrap_or(rest);
        if let Some(length) = rest.find(">>") {
            let inner = rest.get(..length)?.trim();
            let (mark, name) = match inner.as_bytes().first() {
                Some(mark @ (b'#' | b'^' | b'/')) => (*mark, inner.get(1..)?.trim()),
                _ => (0, inner),
            };
            let is_value = ["parameters.", "pipeline.", "matrix."]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            if mark == 0 && is_expression(inner, is_value) {
                return Some((start, inner_from + length + 2, Tag::Expression(inner)));
            }
            if is_value && !name.contains(char::is_whitespace) {
                let tag = match mark {
                    b'#' => Tag::Open(name, true),
                    b'^' => Tag::Open(name, false),
                    b'/' => Tag::Close(name),
                    _ => Tag::Name(name),
                };
                return Some((start, inner_from + length + 2, tag));
            }
        }
        at = start + 2;
    }
}

/// Whether what stands in a tag is an expression: values, texts and operators between them
/// (<https://circleci.com/docs/guides/orchestrate/config-templating/>).
fn is_expression(inner: &str, begins_with_value: bool) -> bool {
    let begins =
        begins_with_value || inner.starts_with(['(', '"', '\'']) || inner.starts_with("not ");
    let operators = ["==", "!=", "=~", "starts-with", "and", "or", "not"];
    begins
        && !inner.contains('\n')
        && inner.contains("pipeline.")
        && inner
            .split_whitespace()
            .any(|word| operators.contains(&word))
}

/// The name when the text is one tag and nothing else.
fn whole_tag(text: &str) -> Option<&str> {
    let text = text.trim();
    match text.starts_with("<<").then(|| next_tag(text, 0))?? {
        (0, end, Tag::Name(name)) if end == text.len() => Some(name),
        _ => None,
    }
}

/// Substitution, with the pipeline's own parameters.
pub(super) struct Resolver<'c, 'd> {
    /// The repository.
    pub(super) cx: &'c Context<'c>,
    /// The root of the file, that declares the pipeline's parameters.
    pub(super) root: Rc<Frame<'d>>,
}

impl<'c, 'd> Resolver<'c, 'd> {
    fn lookup(&self, name: &str, frame: &Frame<'d>) -> Option<Value<'d>> {
        let of = |list: &[(&'d str, Value<'d>)], key: &str| {
            list.iter().find(|(n, _)| *n == key).map(|(_, v)| v.clone())
        };
        if let Some(key) = name.strip_prefix("parameters.") {
            of(&frame.parameters, key)
        } else if let Some(key) = name.strip_prefix("matrix.") {
            of(&frame.matrix, key)
        } else {
            let key = name.strip_prefix("pipeline.parameters.")?;
            let declared = self.root.scope.entry("parameters", key)?;
            declared
                .get("default")
                .map(|node| Value::new(node, &self.root).declared(declared))
        }
    }

    /// The value behind a value that is one parameter and nothing else, and whether somebody
    /// outside may choose another.
    pub(super) fn follow(&self, value: &Value<'d>) -> (Value<'d>, bool) {
        let mut at = value.clone();
        let mut outside = false;
        for _ in 0..MAX_DEPTH {
            let Some(name) = at.node.as_str().and_then(whole_tag) else {
                break;
            };
            outside |= name.starts_with("pipeline.");
            let Some(next) = self.lookup(name, &at.frame) else {
                break;
            };
            at = next;
        }
        (at, outside)
    }

    /// The text of a scalar; `None` for anything else.
    pub(super) fn resolve(&self, value: &Value<'d>) -> Option<Resolved> {
        self.resolve_at(value, 0)
    }

    /// The text of a scalar, empty for anything else.
    pub(super) fn text(&self, value: &Value<'d>) -> Text {
        self.resolve(value).map(|r| r.text).unwrap_or_default()
    }

    /// The same, in which also the environment's variables stand: `$NAME`, `${NAME}`.
    pub(super) fn with_variables(&self, value: &Value<'d>) -> Text {
        variables(self.cx, self.text(value))
    }

    fn resolve_at(&self, value: &Value<'d>, depth: usize) -> Option<Resolved> {
        let written = value.node.as_str()?;
        if let Some(boolean) = value.as_boolean() {
            return Some(Resolved::certain(boolean));
        }
        if value.node.is_null() {
            return Some(Resolved::certain(""));
        }
        // Next to no value has one.
        let first = memchr::memchr(b'<', written.as_bytes());
        if first.is_none() || !written.contains("<<") {
            return Some(Resolved::certain(written));
        }
        let mut text = String::new();
        let mut words = String::new();
        let mut outside = false;
        let mut done = 0;
        for (start, end, resolved) in self.edits(written, &value.frame, depth) {
            for out in [&mut text, &mut words] {
                out.push_str(written.get(done..start).unwrap_or(""));
            }
            text.push_str(resolved.text.as_str());
            match &resolved.words {
                Some(w) => {
                    outside = true;
                    words.push_str(w);
                }
                None => words.push_str(resolved.text.as_str()),
            }
            done = end;
        }
        for out in [&mut text, &mut words] {
            out.push_str(written.get(done..).unwrap_or(""));
        }
        Some(Resolved {
            text: text.into(),
            words: outside.then_some(words),
        })
    }

    /// What is to be put in place of each tag of a text, in order.
    fn edits(
        &self,
        written: &str,
        frame: &Frame<'d>,
        depth: usize,
    ) -> Vec<(usize, usize, Resolved)> {
        let mut edits: Vec<(usize, usize, Resolved)> = Vec::new();
        let mut at = 0;
        let mut made = 0;
        let mut sections = None;
        while let Some((start, end, tag)) = next_tag(written, at) {
            at = end;
            let resolved = match tag {
                Tag::Escaped => Resolved::certain("<<"),
                Tag::Close(_) => Resolved::certain(""),
                Tag::Name(name) => self.named(name, frame, depth),
                Tag::Expression(inner) => {
                    let written = format!("<< {inner} >>");
                    Resolved {
                        text: self.cx.holes.of(&written, HoleKind::Expression),
                        words: Some(written),
                    }
                }
                Tag::Open(name, wanted) => {
                    let value = self.named(name, frame, depth);
                    let text = value.text.as_str();
                    // A value that cannot be known is taken to be there: what it may pull is listed.
                    let holds = !matches!(text, "" | "false" | "0" | "null");
                    if value.text.is_known() && holds != wanted {
                        let ends = sections.get_or_insert_with(|| sections_of(written, start));
                        at = ends.get(&end).copied().unwrap_or(end);
                    }
                    edits.push((start, at, Resolved::certain("")));
                    continue;
                }
            };
            made += resolved.text.as_str().len();
            if made > MAX_TEXT || !self.cx.spend() {
                break;
            }
            edits.push((start, end, resolved));
        }
        edits
    }

    fn named(&self, name: &str, frame: &Frame<'d>, depth: usize) -> Resolved {
        let hole = || {
            let written = format!("<< {name} >>");
            self.cx.holes.of(&written, HoleKind::Expression)
        };
        let value = if depth < MAX_DEPTH {
            self.lookup(name, frame)
                .and_then(|value| self.resolve_at(&value, depth + 1))
        } else {
            None
        };
        let outside = name.starts_with("pipeline.");
        match value {
            Some(resolved) if outside => Resolved {
                text: resolved.text,
                words: Some(format!("<< {name} >>")),
            },
            Some(resolved) => resolved,
            None => Resolved {
                text: hole(),
                words: outside.then(|| format!("<< {name} >>")),
            },
        }
    }

    /// A script, with places. One that is a parameter and nothing else is where its value is written.
    pub(super) fn script(&self, value: &Value<'d>) -> Option<Mapped> {
        let (value, _) = self.follow(value);
        let written = value.node.as_str()?;
        if let Some(file) = value.frame.scope.included(self.cx, written) {
            return Some(Mapped::verbatim(file.whole(), &*file.text));
        }
        let mapped = match value.frame.pin {
            Some(pin) => Mapped::at(pin, written),
            None => value.node.mapped()?,
        };
        if !written.contains("<<") {
            return Some(mapped);
        }
        let edits: Vec<(usize, usize, Text)> = self
            .edits(written, &value.frame, 0)
            .into_iter()
            .map(|(start, end, resolved)| (start, end, resolved.text))
            .collect();
        if edits.is_empty() {
            return Some(mapped);
        }
        Some(mapped.replace(&edits))
    }

    /// The frame in which a definition's body stands: its parameters bound to the arguments given
    /// and, where none is, to their defaults.
    pub(super) fn bind(
        &self,
        definition: Node<'d>,
        scope: &Rc<Scope<'d>>,
        arguments: Option<&Value<'d>>,
        more: &[(&'d str, Value<'d>)],
        pin: Option<Span>,
    ) -> Frame<'d> {
        let mut frame = Frame::of(scope, pin);
        let Some(declared) = definition.get("parameters").filter(|d| d.is_mapping()) else {
            return frame;
        };
        let base = Rc::new(Frame::of(scope, pin));
        for entry in declared.entries() {
            let Some(name) = entry.key.as_str() else {
                continue;
            };
            let given = more
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.clone())
                .or_else(|| arguments.and_then(|a| a.get(name)));
            let value = given.or_else(|| {
                let default = entry.value.get("default")?;
                Some(Value::new(default, &base))
            });
            if let Some(value) = value {
                frame.parameters.push((name, value.declared(entry.value)));
            }
        }
        frame
    }
}

/// Where each section from `from` on ends, its closing tag included, by where its opening tag ends.
fn sections_of(text: &str, from: usize) -> HashMap<usize, usize> {
    let mut ends = HashMap::new();
    let mut open: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut at = from;
    while let Some((_, end, tag)) = next_tag(text, at) {
        match tag {
            Tag::Open(name, _) => open.entry(name).or_default().push(end),
            Tag::Close(name) => {
                if let Some(opened) = open.get_mut(name).and_then(Vec::pop) {
                    ends.insert(opened, end);
                }
            }
            Tag::Name(_) | Tag::Expression(_) | Tag::Escaped => {}
        }
        at = end;
    }
    ends
}

/// Puts the unknown value in place of each `$NAME` and `${NAME}`.
pub(super) fn variables(cx: &Context<'_>, text: Text) -> Text {
    if !text.as_str().contains('$') {
        return text;
    }
    let written = text.as_str();
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    // Where the last `}` stands: nothing is looked for behind it, again and again.
    let last = written.rfind('}').unwrap_or(0);
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let after = rest.get(at + 1..).unwrap_or("");
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, length) = match after.strip_prefix('{') {
            // `${NAME:-default}` too: what it is cannot be known here.
            Some(braced) => match (written.len() - braced.len() <= last)
                .then(|| braced.find('}'))
                .flatten()
            {
                Some(end) => (braced.get(..end).unwrap_or(""), end + 2),
                None => ("", 0),
            },
            None => {
                let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                (after.get(..end).unwrap_or(""), end)
            }
        };
        if name.is_empty() || name.contains(is_hole) {
            out.push('$');
            rest = after;
            continue;
        }
        let shown = if name.chars().all(is_name) {
            format!("${name}")
        } else {
            format!("${{{name}}}")
        };
        out.push_str(cx.holes.of(&shown, HoleKind::Variable).as_str());
        rest = after.get(length..).unwrap_or("");
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Options;
    use crate::source::MemoryTree;

    #[test]
    fn a_tag_is_told_from_other_uses_of_two_angles() {
        for (text, expected) in [
            ("<< parameters.x >>", Some("parameters.x")),
            ("<<parameters.x>>", Some("parameters.x")),
            (" <<  pipeline.git.branch>> ", Some("pipeline.git.branch")),
            ("<< parameters.x >>:<< parameters.y >>", None),
            ("cat <<EOF >>file", None),
            ("<<", None),
            ("<<>>", None),
            ("<< parameters.x", None),
            ("\\<< parameters.x >>", None),
        ] {
            assert_eq!(whole_tag(text), expected, "{text}");
        }
    }

    #[test]
    fn variables_are_unknown_and_keep_their_words() {
        let tree = MemoryTree::new();
        let options = Options::default();
        let cx = Context::new(&tree, &options);
        for (written, shown) in [
            ("$A", "$A"),
            ("${A}", "$A"),
            ("x/$A_B:${C}-d", "x/$A_B:$C-d"),
            ("${A:-b}", "${A:-b}"),
            ("$", "$"),
            ("a$", "a$"),
            ("${", "${"),
            ("$$A", "$$A"),
            ("pa$-word", "pa$-word"),
        ] {
            let text = variables(&cx, written.into());
            assert_eq!(cx.holes.show(text.as_str()), shown, "{written}");
        }
        assert!(variables(&cx, "$A".into()).is_one_hole());
    }
}
