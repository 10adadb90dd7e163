//! YAML documents with the place of every node, read once and never copied.
//!
//! `granit-parser` turns the text into events; this module keeps them as one flat arena in which
//! an alias stays an alias (so a bomb of aliases costs nothing until somebody walks it, and an
//! edit can find the anchor), merge keys are looked through on access, and a scalar that stands
//! in the text as it is read is a slice of that text. Files that hold nothing but what CI files mostly
//! hold are read by [`common`] instead, several times faster and to the same arena.

mod align;
mod colons;
mod common;

use std::rc::Rc;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle};
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::source::{Source, Span};
use crate::text::Mapped;

/// Names that are compared one by one rather than hashed.
const FEW_NAMES: usize = 16;

/// How deep merge keys are followed through each other.
const MAX_MERGES: usize = 24;

/// Mappings of one merge key.
const MAX_MERGED: usize = 64;

/// Mappings that one look for a key goes through.
const MAX_MAPPINGS: usize = 2_000;

/// Keys that a mapping has for whoever asks for all, those that are merged in counted each time.
const MAX_KEYS: usize = 20_000;

/// Why a text cannot be read as YAML.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct YamlError {
    /// What is wrong with it, in full words.
    pub message: String,
    /// Byte offset of the place.
    pub offset: u32,
}

/// How a node is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// A scalar without quotes.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
    /// A list or mapping by indentation.
    Block,
    /// `[…]` or `{…}`
    Flow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Data {
    /// A scalar that stands in the source as it is read: a range of it, without quotes.
    Written(u32, u32),
    /// Any other scalar: a range of [`Document::made`].
    Made(u32, u32),
    /// Children at `pool[first..first + count]`.
    Sequence {
        first: u32,
        count: u32,
    },
    /// Keys and values in turn at `pool[first..first + 2 * count]`.
    Mapping {
        first: u32,
        count: u32,
        /// Whether one of the keys is `<<`.
        merges: bool,
    },
    Alias(u32),
}

/// A document has thousands of these, so they are small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Raw {
    data: Data,
    style: Style,
    start: u32,
    end: u32,
}

/// A key written twice in one mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Where it stands the second time.
    pub span: Span,
}

/// One parsed file.
#[derive(Debug)]
pub struct Document {
    source: Rc<Source>,
    nodes: Vec<Raw>,
    /// The values of scalars that do not stand in the source as they are read, one after the other.
    made: String,
    /// Byte ranges of `&name`, by the node that is anchored.
    anchors: HashMap<u32, (u32, u32)>,
    pool: Vec<u32>,
    roots: Vec<u32>,
    /// Keys that were written twice; the last one counts, as in CircleCI and Compose.
    pub duplicates: Vec<DuplicateKey>,
    /// The first key that is a list or a mapping. No CI system has such keys: `{{ name }}:` is a
    /// template that happens to be YAML.
    pub strange_key: Option<Span>,
    /// The first mapping that has more keys, or merge keys that lead further, than is looked at.
    pub unseen: Option<Span>,
}

/// A node of a [`Document`]; aliases are looked through.
#[derive(Clone, Copy)]
pub struct Node<'d> {
    doc: &'d Document,
    /// The node with its value.
    id: u32,
    /// The node as written at this place: the alias where there is one.
    written: u32,
}

/// A key of a mapping and its value.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'d> {
    /// The key.
    pub key: Node<'d>,
    /// The value.
    pub value: Node<'d>,
    /// The entry comes in by a merge key (`<<`).
    pub merged: bool,
}

/// The entries of a mapping. Most have a handful.
pub type Entries<'d> = SmallVec<[Entry<'d>; 5]>;

impl Document {
    /// Parses a whole file.
    ///
    /// # Errors
    /// When it is not YAML, with the byte offset of the place. Nesting deeper than 255 is refused.
    pub fn parse(source: &Rc<Source>) -> Result<Self, YamlError> {
        let mut builder = Builder::new(source);
        if common::read(&mut builder).is_some() {
            debug_assert!(
                Self::parse_any(source).is_ok_and(|other| other.is_same(&builder.doc)),
                "the readers differ on {:?}",
                source.text
            );
            return Ok(builder.doc);
        }
        Self::parse_any(source)
    }

    fn parse_any(source: &Rc<Source>) -> Result<Self, YamlError> {
        match Self::parse_whole(source) {
            Err(error) => {
                let mut document = colons::read(source, error)?;
                document.source = Rc::clone(source);
                Ok(document)
            }
            done => done,
        }
    }

    fn parse_whole(source: &Rc<Source>) -> Result<Self, YamlError> {
        let mut options = Options::default();
        options.emit_anchor_events = true;
        options.emit_comments = false;
        // CI systems use Go's and Java's parsers, which do not mind long keys.
        options.simple_key_max_lookahead = 16 * 1024;
        Builder::new(source).run(Parser::new_from_str_with_options(&source.text, options))
    }

    /// Whether two readings of one text came to the same, places included.
    fn is_same(&self, other: &Self) -> bool {
        let same_value = |(mine, theirs): (&Raw, &Raw)| {
            (mine.style, mine.start, mine.end) == (theirs.style, theirs.start, theirs.end)
                && match (self.value(mine), other.value(theirs)) {
                    (None, None) => mine.data == theirs.data,
                    (mine, theirs) => mine == theirs,
                }
        };
        self.nodes.len() == other.nodes.len()
            && self.nodes.iter().zip(&other.nodes).all(same_value)
            && self.anchors == other.anchors
            && self.pool == other.pool
            && self.roots == other.roots
            && self.duplicates == other.duplicates
            && self.strange_key == other.strange_key
            && self.unseen == other.unseen
    }

    /// The value of the first document in the file; `None` when the file is empty.
    #[must_use]
    pub fn root(&self) -> Option<Node<'_>> {
        self.roots.first().map(|&id| self.node(id))
    }

    /// The values of all documents in the file.
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> {
        self.roots.iter().map(|&id| self.node(id))
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &Rc<Source> {
        &self.source
    }

    fn raw(&self, id: u32) -> Option<&Raw> {
        self.nodes.get(id as usize)
    }

    /// Whether a node is the scalar `text`. Mappings are searched by this, so the lengths are compared
    /// first.
    fn is_text(&self, id: u32, text: &str) -> bool {
        let Some(raw) = self.raw(id) else {
            return false;
        };
        let (of, start, end) = match raw.data {
            Data::Written(start, end) => (&*self.source.text, start as usize, end as usize),
            Data::Made(start, end) => (self.made.as_str(), start as usize, end as usize),
            Data::Alias(_) => return self.node(id).as_str() == Some(text),
            Data::Sequence { .. } | Data::Mapping { .. } => return false,
        };
        end - start == text.len() && of.as_bytes().get(start..end) == Some(text.as_bytes())
    }

    /// The value of a scalar.
    fn value(&self, raw: &Raw) -> Option<&str> {
        match raw.data {
            Data::Written(start, end) => Some(self.source.slice(start, end)),
            Data::Made(start, end) => {
                Some(self.made.get(start as usize..end as usize).unwrap_or(""))
            }
            _ => None,
        }
    }

    fn node(&self, written: u32) -> Node<'_> {
        // An alias points at an earlier node, never at an alias, so one look is enough.
        let id = match self.raw(written) {
            Some(Raw {
                data: Data::Alias(target),
                ..
            }) => *target,
            _ => written,
        };
        Node {
            doc: self,
            id,
            written,
        }
    }
}

struct Builder<'s> {
    doc: Document,
    source: &'s Source,
    /// Children of the containers that are still open, the innermost last.
    scratch: Vec<u32>,
    /// Open containers: node, and where its children begin in `scratch`.
    open: Vec<(u32, usize)>,
    anchors: HashMap<usize, u32>,
    /// What there is to see in the mappings with merge keys.
    reaches: HashMap<u32, Reach>,
}

/// How far the merge keys of a mapping lead. Most have none.
#[derive(Clone, Copy, Default)]
struct Reach {
    depth: usize,
    /// Those that are met several times are counted each time, as in a search.
    mappings: usize,
    keys: usize,
}

impl Reach {
    fn is_seen(self) -> bool {
        self.depth <= MAX_MERGES && self.mappings <= MAX_MAPPINGS && self.keys <= MAX_KEYS
    }
}

impl<'s> Builder<'s> {
    fn new(source: &'s Rc<Source>) -> Self {
        let guess = source.text.len() / 16;
        Self {
            doc: Document {
                source: Rc::clone(source),
                nodes: Vec::with_capacity(guess),
                made: String::new(),
                anchors: HashMap::new(),
                pool: Vec::with_capacity(guess),
                roots: Vec::new(),
                duplicates: Vec::new(),
                strange_key: None,
                unseen: None,
            },
            source,
            scratch: Vec::with_capacity(64),
            open: Vec::with_capacity(16),
            anchors: HashMap::new(),
            reaches: HashMap::new(),
        }
    }

    fn run<'i>(
        mut self,
        parser: impl Iterator<Item = Result<(Event<'i>, granit_parser::Span), granit_parser::ScanError>>,
    ) -> Result<Document, YamlError> {
        for item in parser {
            let (event, span) = item.map_err(|error| YamlError {
                message: match error.info() {
                    limit if limit.contains("recursion limit") => {
                        "nested more than 255 deep".to_owned()
                    }
                    other => format!("not YAML: {other}"),
                },
                offset: narrow(error.marker().byte_offset().unwrap_or(0)),
            })?;
            let range = span.byte_range().unwrap_or(0..0);
            let (start, end) = (narrow(range.start), narrow(range.end));
            match event {
                Event::Scalar(value, style, anchor, _) => {
                    let style = match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::SingleQuoted => Style::Single,
                        ScalarStyle::DoubleQuoted => Style::Double,
                        ScalarStyle::Literal => Style::Literal,
                        ScalarStyle::Folded => Style::Folded,
                    };
                    // Quotes stand around next to all values that have any.
                    let quote = u32::from(matches!(style, Style::Single | Style::Double));
                    let (from, to) = (start + quote, end.saturating_sub(quote));
                    let data = if self.source.slice(from, to) == value {
                        Data::Written(from, to)
                    } else {
                        self.make(&value)
                    };
                    self.add(data, style, start, end, anchor);
                }
                Event::SequenceStart(style, anchor, _) => {
                    self.begin(common::EMPTY_SEQUENCE, style, start, end, anchor);
                }
                Event::MappingStart(style, anchor, _) => {
                    self.begin(common::EMPTY_MAPPING, style, start, end, anchor);
                }
                Event::SequenceEnd | Event::MappingEnd => self.finish(end),
                Event::Alias(anchor) => {
                    let data = match self.anchors.get(&anchor) {
                        Some(&target) => Data::Alias(target),
                        None => self.make(""),
                    };
                    self.add(data, Style::Plain, start, end, 0);
                }
                Event::Anchor(id, _) => {
                    if let Some(&node) = self.anchors.get(&id) {
                        self.doc.anchors.insert(node, (start, end));
                    }
                }
                _ => {}
            }
        }
        Ok(self.doc)
    }

    /// Keeps a value that does not stand in the source.
    fn make(&mut self, value: &str) -> Data {
        let start = narrow(self.doc.made.len());
        self.doc.made.push_str(value);
        Data::Made(start, narrow(self.doc.made.len()))
    }

    fn add(&mut self, data: Data, style: Style, start: u32, end: u32, anchor: usize) -> u32 {
        let id = narrow(self.doc.nodes.len());
        self.doc.nodes.push(Raw {
            data,
            style,
            start,
            end,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        if self.open.is_empty() {
            self.doc.roots.push(id)
        } else {
            self.scratch.push(id)
        }
        id
    }

    fn begin(
        &mut self,
        data: Data,
        style: StructureStyle,
        start: u32,
        end: u32,
        anchor: usize,
    ) -> u32 {
        let style = if style == StructureStyle::Flow {
            Style::Flow
        } else {
            Style::Block
        };
        let id = self.add(data, style, start, end, anchor);
        self.open.push((id, self.scratch.len()));
        id
    }

    fn finish(&mut self, end: u32) {
        let Some((id, from)) = self.open.pop() else {
            return;
        };
        let from = from.min(self.scratch.len());
        let first = narrow(self.doc.pool.len());
        let children = narrow(self.scratch.len() - from);
        // A block collection is closed by what comes after it; its own text ends with its last child.
        let last = self
            .scratch
            .last()
            .filter(|_| children > 0)
            .and_then(|&c| self.doc.raw(c))
            .map(|c| c.end);
        self.doc.pool.extend(self.scratch.drain(from..));
        let Some(raw) = self.doc.nodes.get_mut(id as usize) else {
            return;
        };
        raw.end = match (raw.style, last) {
            (Style::Flow, _) => end,
            (_, Some(last)) => last.max(raw.start),
            _ => raw.start,
        };
        match &mut raw.data {
            Data::Sequence { first: f, count: c } => (*f, *c) = (first, children),
            Data::Mapping {
                first: f, count: c, ..
            } => {
                (*f, *c) = (first, children / 2);
                let merges = self.note_keys(id);
                if let Some(Raw {
                    data: Data::Mapping { merges: noted, .. },
                    ..
                }) = self.doc.nodes.get_mut(id as usize)
                {
                    *noted = merges;
                }
                if merges || children as usize / 2 > MAX_KEYS {
                    self.note_reach(id);
                }
            }
            _ => {}
        }
    }

    /// Notes how far the merge keys of a mapping lead, and one of which not everything is looked at.
    fn note_reach(&mut self, id: u32) {
        let mapping = self.doc.node(id);
        let mut reach = Reach {
            depth: 0,
            mappings: 1,
            keys: mapping.pool().len(),
        };
        let lists = mapping
            .pairs()
            .filter(|(key, _)| key.as_str() == Some("<<"));
        let mut is_seen = lists.fold(true, |all, (_, value)| {
            all && value.items().nth(MAX_MERGED).is_none()
        });
        for merged in mapping.merged() {
            let inner = match self.reaches.get(&merged.id) {
                Some(known) => *known,
                // One without merge keys, or around this one.
                None => Reach {
                    depth: 0,
                    mappings: 1,
                    keys: merged.pool().len(),
                },
            };
            reach.depth = reach.depth.max(inner.depth + 1);
            reach.mappings = reach.mappings.saturating_add(inner.mappings);
            reach.keys = reach.keys.saturating_add(inner.keys);
        }
        is_seen &= reach.is_seen();
        let span = mapping.use_span();
        if !is_seen && self.doc.unseen.is_none() {
            self.doc.unseen = Some(span);
        }
        self.reaches.insert(id, reach);
    }

    /// Notes keys that are written twice or are none; whether one is a merge key.
    fn note_keys(&mut self, id: u32) -> bool {
        let mapping = self.doc.node(id);
        if has_different_keys(mapping) {
            return false;
        }
        let mut seen = Names::default();
        let mut found = Vec::new();
        let mut strange = None;
        let mut merges = false;
        for (key, _) in mapping.pairs() {
            let Some(name) = key.as_str() else {
                strange = strange.or(Some(key.use_span()));
                continue;
            };
            // Two `<<` in one mapping are common in the wild and harmless: both are merged.
            if name == "<<" {
                merges = true;
                continue;
            }
            if seen.insert(name).is_err() {
                found.push(DuplicateKey {
                    key: name.to_owned(),
                    span: key.span(),
                });
            }
        }
        drop(seen);
        self.doc.duplicates.extend(found);
        self.doc.strange_key = self.doc.strange_key.or(strange);
        merges
    }
}

/// Whether a mapping has few keys, each of them a text that is no merge key and cannot be that of another. Nearly
/// all are such, and this is asked of every mapping.
fn has_different_keys(mapping: Node<'_>) -> bool {
    let mut known = [0; FEW_NAMES];
    for (number, (key, _)) in mapping.pairs().enumerate() {
        let Some(name) = key.as_str().map(str::as_bytes) else {
            return false;
        };
        // How long a name is, and what it begins and ends with.
        let ends = match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
            }
            _ => name.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)),
        };
        let mark = ends ^ (name.len() as u64).rotate_right(8);
        let (before, rest) = known.split_at_mut(number.min(FEW_NAMES));
        let Some(free) = rest.first_mut().filter(|_| name != b"<<") else {
            return false;
        };
        if before.contains(&mark) {
            return false;
        }
        *free = mark;
    }
    true
}

/// Different names, numbered in the order in which they came. Most mappings have a handful of keys,
/// which are compared faster than hashed.
#[derive(Default)]
struct Names<'d> {
    few: SmallVec<[&'d str; FEW_NAMES]>,
    /// All of them, once there are more.
    many: Option<HashMap<&'d str, usize>>,
}

impl<'d> Names<'d> {
    /// Adds a name; the number of the one that is there already.
    fn insert(&mut self, name: &'d str) -> Result<(), usize> {
        if self.many.is_none() {
            if let Some(known) = self.few.iter().position(|&n| n == name) {
                return Err(known);
            }
            if self.few.len() < FEW_NAMES {
                self.few.push(name);
                return Ok(());
            }
        }
        let few = &self.few;
        let many = self
            .many
            .get_or_insert_with(|| few.iter().copied().zip(0..).collect());
        let next = many.len();
        match *many.entry(name).or_insert(next) {
            number if number == next => Ok(()),
            known => Err(known),
        }
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Node({:?})",
            self.doc.source.slice(self.span().start, self.span().end)
        )
    }
}

impl<'d> Node<'d> {
    fn raw(self) -> Option<&'d Raw> {
        self.doc.raw(self.id)
    }

    /// The document.
    #[must_use]
    pub fn document(self) -> &'d Document {
        self.doc
    }

    /// A number that is the same for two nodes of one document exactly when they are the same node
    /// (aliases looked through). For loop detection.
    #[must_use]
    pub fn identity(self) -> u32 {
        self.id
    }

    /// Where the value is written: for an alias, at its anchor.
    #[must_use]
    pub fn span(self) -> Span {
        self.span_of(self.id)
    }

    /// Where this use is written: for an alias, the `*name`.
    #[must_use]
    pub fn use_span(self) -> Span {
        self.span_of(self.written)
    }

    fn span_of(self, id: u32) -> Span {
        let (start, end) = self.doc.raw(id).map_or((0, 0), |r| (r.start, r.end));
        Span {
            file: self.doc.source.id,
            start,
            end,
        }
    }

    /// Whether this use is an alias.
    #[must_use]
    pub fn is_alias(self) -> bool {
        self.id != self.written
    }

    /// Where the anchor (`&name`) of the value is written, if it has one.
    #[must_use]
    pub fn anchor(self) -> Option<Span> {
        let &(start, end) = self.doc.anchors.get(&self.id)?;
        Some(Span {
            file: self.doc.source.id,
            start,
            end,
        })
    }

    /// How the value is written.
    #[must_use]
    pub fn style(self) -> Style {
        self.raw().map_or(Style::Plain, |r| r.style)
    }

    /// The value of a scalar.
    #[must_use]
    pub fn as_str(self) -> Option<&'d str> {
        self.doc.value(self.raw()?)
    }

    /// Whether it is `null`, `~` or nothing at all.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.style() == Style::Plain
            && matches!(self.as_str(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// A plain YAML 1.2 (or `yes`/`on` of 1.1) boolean.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.as_str()? {
            "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
            "false" | "False" | "FALSE" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// Whether it is a mapping.
    #[must_use]
    pub fn is_mapping(self) -> bool {
        matches!(
            self.raw(),
            Some(Raw {
                data: Data::Mapping { .. },
                ..
            })
        )
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_sequence(self) -> bool {
        matches!(
            self.raw(),
            Some(Raw {
                data: Data::Sequence { .. },
                ..
            })
        )
    }

    fn children(self, first: u32, count: u32) -> impl Iterator<Item = Node<'d>> {
        let doc = self.doc;
        let range = first as usize..first as usize + count as usize;
        doc.pool
            .get(range)
            .unwrap_or_default()
            .iter()
            .map(move |&id| doc.node(id))
    }

    /// The items of a list; nothing for anything else.
    pub fn items(self) -> impl Iterator<Item = Node<'d>> {
        let (first, count) = match self.raw() {
            Some(Raw {
                data: Data::Sequence { first, count },
                ..
            }) => (*first, *count),
            _ => (0, 0),
        };
        self.children(first, count)
    }

    /// The items of a list, or the node itself when it is a scalar: CI files often allow both.
    #[must_use]
    pub fn one_or_many(self) -> Vec<Node<'d>> {
        if self.is_sequence() {
            self.items().collect()
        } else if self.is_null() {
            Vec::new()
        } else {
            vec![self]
        }
    }

    /// Keys and values as written: merge keys among them, keys that are written twice both there.
    pub fn pairs(self) -> impl Iterator<Item = (Node<'d>, Node<'d>)> {
        let doc = self.doc;
        self.pool()
            .iter()
            .map(move |&[key, value]| (doc.node(key), doc.node(value)))
    }

    /// Whether it is a mapping with a merge key.
    fn merges(self) -> bool {
        matches!(
            self.raw(),
            Some(Raw {
                data: Data::Mapping { merges: true, .. },
                ..
            })
        )
    }

    /// The numbers of the keys and values of a mapping; nothing for anything else.
    fn pool(self) -> &'d [[u32; 2]] {
        let (first, count) = match self.raw() {
            Some(Raw {
                data: Data::Mapping { first, count, .. },
                ..
            }) => (*first, *count),
            _ => (0, 0),
        };
        let range = first as usize..first as usize + 2 * count as usize;
        let pairs = self.doc.pool.get(range).unwrap_or_default();
        pairs.as_chunks().0
    }

    /// The value of a key. Of a key written twice the last; a key of the mapping before one that is
    /// merged in.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Node<'d>> {
        let mut budget = MAX_MAPPINGS;
        self.get_at(key, 0, &mut budget)
    }

    fn get_at(self, key: &str, depth: usize, budget: &mut usize) -> Option<Node<'d>> {
        *budget = budget.checked_sub(1).filter(|_| depth <= MAX_MERGES)?;
        let is_it = |&&[k, _]: &&[u32; 2]| self.doc.is_text(k, key);
        if let Some(&[_, value]) = self.pool().iter().rev().find(is_it) {
            return Some(self.doc.node(value));
        }
        if !self.merges() {
            return None;
        }
        self.merged().find_map(|m| m.get_at(key, depth + 1, budget))
    }

    /// The values of several keys, each as [`Node::get`] finds it, in one look at the mapping.
    #[must_use]
    pub fn get_all<const N: usize>(self, keys: [&str; N]) -> [Option<Node<'d>>; N] {
        if self.merges() {
            return keys.map(|key| self.get(key));
        }
        let mut values = [None; N];
        for &[key, value] in self.pool() {
            let name = self.doc.node(key).as_str();
            let at = keys.iter().position(|&key| name == Some(key));
            if let Some(slot) = at.and_then(|at| values.get_mut(at)) {
                *slot = Some(self.doc.node(value));
            }
        }
        values
    }

    /// The mappings that are merged into this one by `<<`, the strongest first.
    fn merged(self) -> impl Iterator<Item = Node<'d>> {
        self.pairs()
            .filter(|(k, _)| k.as_str() == Some("<<"))
            .flat_map(|(_, value)| {
                let many: Vec<Node<'d>> = if value.is_sequence() {
                    value.items().take(MAX_MERGED).collect()
                } else {
                    vec![value]
                };
                many
            })
    }

    /// The key's own node and its value, as [`Node::get`] finds them.
    #[must_use]
    pub fn entry(self, key: &str) -> Option<Entry<'d>> {
        self.entries()
            .into_iter()
            .find(|e| e.key.as_str() == Some(key))
    }

    /// All entries, those that are merged in included, in the order of the file.
    #[must_use]
    pub fn entries(self) -> Entries<'d> {
        let mut out = Entries::with_capacity(self.pool().len());
        let mut names = Names::default();
        let mut budget = MAX_KEYS;
        self.collect(&mut out, &mut names, 0, &mut budget);
        out
    }

    fn collect(
        self,
        out: &mut Entries<'d>,
        names: &mut Names<'d>,
        depth: usize,
        budget: &mut usize,
    ) {
        if depth > MAX_MERGES {
            return;
        }
        let merged = depth > 0;
        // Entries from here on are this mapping's own.
        let own = out.len();
        for (key, value) in self.pairs() {
            let Some(left) = budget.checked_sub(1) else {
                return;
            };
            *budget = left;
            let Some(name) = key.as_str() else { continue };
            if name == "<<" {
                continue;
            }
            match names.insert(name) {
                Err(known) if !merged || known >= own => {
                    if let Some(slot) = out.get_mut(known) {
                        *slot = Entry { key, value, merged };
                    }
                }
                Err(_) => {}
                Ok(()) => out.push(Entry { key, value, merged }),
            }
        }
        if !self.merges() {
            return;
        }
        for merged in self.merged() {
            if *budget == 0 {
                return;
            }
            merged.collect(out, names, depth + 1, budget);
        }
    }

    /// Where the value of a scalar stands, without the quotes or the header around it.
    #[must_use]
    pub fn value_span(self) -> Span {
        match self.style() {
            // As it is written: see `mapped`.
            Style::Plain
                if matches!(
                    self.raw(),
                    Some(Raw {
                        data: Data::Written(..),
                        ..
                    })
                ) =>
            {
                self.span()
            }
            _ => self.mapped().map_or(self.span(), |mapped| mapped.whole()),
        }
    }

    /// A scalar's value that knows where each of its bytes is written: what a shell script in a
    /// block scalar is parsed from.
    #[must_use]
    pub fn mapped(self) -> Option<Mapped> {
        let value = self.as_str()?;
        let raw = self.raw()?;
        let source = &self.doc.source;
        let written = source.slice(raw.start, raw.end);
        Some(match raw.style {
            Style::Plain if written == value => Mapped::verbatim(self.span(), value),
            Style::Single if written.len() == value.len() + 2 => {
                let span = self.span();
                Mapped::verbatim(
                    Span {
                        start: span.start + 1,
                        ..span
                    },
                    value,
                )
            }
            Style::Double => align::escapes(self.span(), written, value),
            Style::Literal | Style::Folded => align::block(self.span(), written, value),
            _ => align::lines(self.span(), written, 0, value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{MemoryTree, RepoPath, Sources};

    pub(super) fn with<R>(text: &str, look: impl FnOnce(&Document) -> R) -> R {
        let tree = MemoryTree::new().with("f.yml", text);
        let sources = Sources::new(&tree);
        let source = sources.load(&RepoPath::new("f.yml").unwrap()).unwrap();
        look(&Document::parse(&source).unwrap())
    }

    pub(super) fn slice_of(doc: &Document, span: Span) -> String {
        doc.source().slice(span.start, span.end).to_owned()
    }

    /// A colon before a bracket ends a key: PyYAML, SnakeYAML and libyaml read these so.
    #[test]
    fn a_bracket_may_follow_the_colon_of_a_key() {
        let text = "a: {b:{c:[x, y]}, d: 1}\ne: [{f:[z]}] # {no:[1]}\ng: 'h:[1]'\n";
        let tree = MemoryTree::new().with("f.yml", text);
        let sources = Sources::new(&tree);
        let source = sources.load(&RepoPath::new("f.yml").unwrap()).unwrap();
        let document = Document::parse(&source).unwrap();
        let root = document.root().unwrap();
        let list = root.get("a").and_then(|a| a.get("b")?.get("c")).unwrap();
        let items: Vec<&str> = list.items().filter_map(Node::as_str).collect();
        assert_eq!(items, ["x", "y"]);
        let of = |node: Node<'_>| &text[node.span().start as usize..node.span().end as usize];
        assert_eq!(of(list), "[x, y]");
        assert_eq!(of(root.get("a").unwrap()), "{b:{c:[x, y]}, d: 1}");
        let last = root
            .get("e")
            .and_then(|e| e.items().next()?.get("f")?.items().next());
        assert_eq!(last.map(of), Some("z"));
        assert_eq!(root.get("g").map(of), Some("'h:[1]'"));
    }

    #[test]
    fn what_is_wrong_besides_a_colon_is_still_said() {
        for text in [
            "a: {b:{c}\n".to_owned(),
            format!("a: {{{}}}\n", "b:{c: 1}, ".repeat(100)),
        ] {
            let tree = MemoryTree::new().with("f.yml", &*text);
            let sources = Sources::new(&tree);
            let source = sources.load(&RepoPath::new("f.yml").unwrap()).unwrap();
            assert!(Document::parse(&source).is_err(), "{text}");
        }
        let text = "a: {b:{c: 1}}\nd: [\n";
        let tree = MemoryTree::new().with("f.yml", text);
        let sources = Sources::new(&tree);
        let source = sources.load(&RepoPath::new("f.yml").unwrap()).unwrap();
        let error = Document::parse(&source).unwrap_err();
        assert!(!error.message.contains("may not precede"), "{error:?}");
        assert!(error.offset as usize <= text.len(), "{error:?}");
    }

    #[test]
    fn an_alias_is_looked_through_and_still_known_as_written() {
        with("a: &x cimg/go:1\nb: *x\n", |doc| {
            let b = doc.root().unwrap().get("b").unwrap();
            assert_eq!(b.as_str(), Some("cimg/go:1"));
            assert!(b.is_alias());
            assert_eq!(slice_of(doc, b.use_span()), "*x");
            assert_eq!(slice_of(doc, b.span()), "cimg/go:1");
            assert_eq!(slice_of(doc, b.anchor().unwrap()), "&x");
        });
    }

    #[test]
    fn own_keys_win_over_merged_ones_and_the_first_merged_mapping_wins() {
        with(
            "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 9\n",
            |doc| {
                let z = doc.root().unwrap().get("z").unwrap();
                let seen: Vec<_> = z
                    .entries()
                    .iter()
                    .map(|e| (e.key.as_str().unwrap(), e.value.as_str().unwrap(), e.merged))
                    .collect();
                assert_eq!(
                    seen,
                    [("a", "9", false), ("b", "1", true), ("c", "2", true)]
                );
                assert_eq!(z.get("c").unwrap().as_str(), Some("2"));
            },
        );
    }

    #[test]
    fn a_key_written_twice_is_noted_and_the_last_counts() {
        with("a: 1\na: 2\n", |doc| {
            assert_eq!(doc.root().unwrap().get("a").unwrap().as_str(), Some("2"));
            assert_eq!(doc.duplicates.len(), 1);
        });
    }

    #[test]
    fn several_keys_are_found_as_each_is() {
        with(
            "x: &x {c: 0, d: 3}\ny: {a: 1, b: 2, a: 4}\nz: {<<: *x, c: 5}\n",
            |doc| {
                let root = doc.root().unwrap();
                for name in ["y", "z"] {
                    let node = root.get(name).unwrap();
                    let keys = ["a", "b", "c", "d", "e"];
                    let found = node.get_all(keys).map(|n| n.and_then(Node::as_str));
                    assert_eq!(found, keys.map(|key| node.get(key).and_then(Node::as_str)));
                }
            },
        );
    }

    #[test]
    fn a_block_collection_ends_with_its_last_value() {
        with("a:\n  - x\n  - y\n\n# later\nb: 1\n", |doc| {
            assert_eq!(
                slice_of(doc, doc.root().unwrap().get("a").unwrap().span()),
                "- x\n  - y"
            );
        });
    }

    #[test]
    fn deep_nesting_is_refused_not_overflowed() {
        let tree = MemoryTree::new().with("f", "[".repeat(100_000));
        let sources = Sources::new(&tree);
        let source = sources.load(&RepoPath::new("f").unwrap()).unwrap();
        assert!(Document::parse(&source).is_err());
    }

    #[test]
    fn an_alias_bomb_costs_nothing_until_it_is_walked() {
        let mut text = String::from("a0: &a0 {k: v}\n");
        for i in 1..60 {
            text.push_str(&format!(
                "a{i}: &a{i} {{<<: [*a{p}, *a{p}, *a{p}], x{i}: [*a{p}, *a{p}]}}\n",
                p = i - 1
            ));
        }
        with(&text, |doc| {
            let last = doc.root().unwrap().get("a59").unwrap();
            assert!(last.entries().len() < 100);
            assert!(last.get("not there").is_none());
        });
    }
}
