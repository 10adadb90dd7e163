//! Text of which a part may be unknown, and where each part of a text was written.
//!
//! CI files are full of values that exist only when the build runs: `${{ github.sha }}`,
//! `$CIRCLE_SHA1`, `$(git describe)`. While a text is resolved each such value is one *hole*: a
//! single character of Unicode's plane 15 that stands for the expression. A hole is an ordinary
//! character to every parser downstream, the same expression is always the same hole (so a build
//! of `app:$TAG` and a later run of `app:$TAG` are the same image), and it is turned back into the
//! words of the file when something is shown.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::{Equivalent, HashMap};
use smallvec::{SmallVec, smallvec};

use crate::effect::Guard;
use crate::source::{FileId, Span};

const FIRST_HOLE: u32 = 0xF_0000;
const MAX_HOLES: u32 = 0xFFFD;

/// What every hole begins with in UTF-8, and next to nothing else does.
const FIRST_BYTE: u8 = 0xF3;

fn hole_index(c: char) -> Option<usize> {
    let index = (c as u32).checked_sub(FIRST_HOLE)?;
    (index < MAX_HOLES).then_some(index as usize)
}

/// Whether `c` stands for an unknown value.
#[must_use]
pub fn is_hole(c: char) -> bool {
    hole_index(c).is_some()
}

/// Whether a part of `text` is unknown. Almost every text of a CI is known, and is asked many times.
#[must_use]
pub fn has_hole(text: &str) -> bool {
    // Most texts are short, and nothing else in them is no ASCII: that takes less than to look for one byte.
    !text.is_ascii() && text.contains(is_hole)
}

/// What kind of thing an unknown value is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HoleKind {
    /// A variable whose value is set outside of the repository: `$NAME`.
    Variable,
    /// A secret of the CI system: `${{ secrets.NAME }}`.
    Secret,
    /// Any other expression of the CI system.
    Expression,
    /// What a command prints: `$(...)`.
    Output,
    /// A variable that holds a container client on some paths, and on others something else.
    Client,
    /// The name of the folder that the checkout is in: one part of a path, never empty.
    Folder,
}

/// An unknown value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hole {
    /// The words of the file, such as `$TAG`.
    pub written: Rc<str>,
    /// Its kind.
    pub kind: HoleKind,
    /// What it is on the paths that lead to it, where a script sets it on each of them.
    pub(crate) ways: Option<Rc<[Way]>>,
}

/// A value that a variable has on one path.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Way {
    /// The value; the words of an array.
    pub(crate) words: Vec<Text>,
    /// They are the words of an array, none of which comes apart.
    pub(crate) is_list: bool,
    /// The conditions under which that path is taken.
    pub(crate) guards: Vec<Guard>,
}

impl Hole {
    /// Whether it is a secret that a pull request from a fork does not get: all but the job's own token
    /// (<https://docs.github.com/en/actions/concepts/security/github_token>).
    #[must_use]
    pub fn is_kept_from_forks(&self) -> bool {
        let own = |name: &str| {
            let written = self.written.to_ascii_lowercase();
            written.contains(name)
        };
        self.kind == HoleKind::Secret && !own("secrets.github_token") && !own("github.token")
    }
}

/// The words of a hole, and what it is on each path.
type Ways = (Rc<str>, Rc<[Way]>);

/// The unknown values met in one repository.
#[derive(Default)]
pub struct Holes {
    all: RefCell<Vec<Hole>>,
    by_words: RefCell<HashMap<(Rc<str>, HoleKind), u32>>,
    by_ways: RefCell<HashMap<Ways, Text>>,
    /// Where words are put together before they are looked up: most are known already.
    room: RefCell<String>,
}

/// What [`Holes`] are looked up by, without a copy of the words.
#[derive(Hash)]
struct Words<'w>(&'w str, HoleKind);

impl Equivalent<(Rc<str>, HoleKind)> for Words<'_> {
    fn equivalent(&self, (words, kind): &(Rc<str>, HoleKind)) -> bool {
        *self.0 == **words && self.1 == *kind
    }
}

impl Holes {
    /// The hole that stands for `written`; the same words give the same hole.
    #[must_use]
    pub fn of(&self, written: &str, kind: HoleKind) -> Text {
        let written = self.shown(written);
        let mut by_words = self.by_words.borrow_mut();
        let mut all = self.all.borrow_mut();
        let next = u32::try_from(all.len()).unwrap_or(MAX_HOLES);
        let index = match by_words.get(&Words(&written, kind)) {
            Some(&index) => index,
            // Past the limit all further unknowns are one: an honest loss, in absurd input only.
            None if next >= MAX_HOLES => MAX_HOLES - 1,
            None => {
                let written: Rc<str> = (*written).into();
                all.push(Hole {
                    written: Rc::clone(&written),
                    kind,
                    ways: None,
                });
                by_words.insert((written, kind), next);
                next
            }
        };
        let hole = char::from_u32(FIRST_HOLE + index);
        Text(hole.map_or_else(EcoString::new, |hole| {
            EcoString::from(&*hole.encode_utf8(&mut [0; 4]))
        }))
    }

    /// The hole that is written so, and has one of these values; the same words and values give the same hole.
    pub(crate) fn one_of(&self, written: &str, kind: HoleKind, ways: Vec<Way>) -> Text {
        let key: Ways = (written.into(), ways.into());
        if let Some(known) = self.by_ways.borrow().get(&key) {
            return known.clone();
        }
        let index = {
            let mut all = self.all.borrow_mut();
            let next = u32::try_from(all.len()).unwrap_or(MAX_HOLES);
            if next >= MAX_HOLES {
                drop(all);
                return self.of(written, kind);
            }
            all.push(Hole {
                written: Rc::clone(&key.0),
                kind,
                ways: Some(Rc::clone(&key.1)),
            });
            next
        };
        let hole = Text(
            char::from_u32(FIRST_HOLE + index).map_or_else(EcoString::new, |hole| {
                EcoString::from(&*hole.encode_utf8(&mut [0; 4]))
            }),
        );
        self.by_ways.borrow_mut().insert(key, hole.clone());
        hole
    }

    /// The hole that stands for what `write` writes.
    #[must_use]
    pub fn written(&self, kind: HoleKind, write: impl FnOnce(&mut String)) -> Text {
        let mut words = self.room.take();
        words.clear();
        write(&mut words);
        let hole = self.of(&words, kind);
        self.room.replace(words);
        hole
    }

    /// The hole that stands for a variable: `$NAME`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Text {
        self.written(HoleKind::Variable, |words| {
            words.push('$');
            words.push_str(name);
        })
    }

    /// The unknown value that `c` stands for.
    #[must_use]
    pub fn get(&self, c: char) -> Option<Hole> {
        self.all.borrow().get(hole_index(c)?).cloned()
    }

    /// A text as the file has it: every hole back in its own words.
    #[must_use]
    pub fn show(&self, text: &str) -> String {
        self.shown(text).into_owned()
    }

    /// The same, without a copy of a text that is known.
    #[must_use]
    pub fn shown<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !has_hole(text) {
            return Cow::Borrowed(text);
        }
        let all = self.all.borrow();
        let mut out = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some((before, found)) =
            memchr::memchr(FIRST_BYTE, rest.as_bytes()).and_then(|at| rest.split_at_checked(at))
        {
            out.push_str(before);
            let mut chars = found.chars();
            let Some(c) = chars.next() else {
                break;
            };
            match hole_index(c).and_then(|i| all.get(i)) {
                Some(hole) => out.push_str(&hole.written),
                None => out.push(c),
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

/// Text of which a part may be unknown. A copy costs next to nothing: short texts have no memory of
/// their own, and copies of a longer one share it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Text(EcoString);

impl Text {
    /// Text that is known to the last character (or that already carries holes).
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        // In one go; a conversion would copy byte by byte.
        let mut out = EcoString::with_capacity(text.len());
        out.push_str(text);
        Self(out)
    }

    /// Whether nothing in it is unknown.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !has_hole(&self.0)
    }

    /// The text when nothing in it is unknown.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        self.is_known().then_some(self.0.as_str())
    }

    /// The characters, holes included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it, not even an unknown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends.
    pub fn push(&mut self, other: &str) {
        self.0.push_str(other);
    }

    /// The unknown values in it, in order.
    pub fn holes<'a>(&'a self, holes: &'a Holes) -> impl Iterator<Item = Hole> + 'a {
        self.0.chars().filter_map(|c| holes.get(c))
    }

    /// Whether it is one unknown value and nothing else.
    #[must_use]
    pub fn is_one_hole(&self) -> bool {
        let mut chars = self.0.chars();
        chars.next().is_some_and(is_hole) && chars.next().is_none()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<EcoString> for Text {
    fn from(text: EcoString) -> Self {
        Self(text)
    }
}

impl From<Text> for EcoString {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str().replace(is_hole, "\u{25a1}"))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Segment {
    out: u32,
    src: u32,
    /// Whether later bytes of the segment map to later bytes of the source. False where a value
    /// was substituted: all of it was "written" at the expression.
    linear: bool,
    /// The end of what such a value was written as.
    end: u32,
}

/// A text taken out of a file, that still knows where each of its bytes was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// The text, decoded and with values substituted; may contain holes.
    pub text: String,
    file: FileId,
    /// Most texts stand in one piece.
    segments: SmallVec<[Segment; 2]>,
}

impl Mapped {
    /// A text all of which was written at `span`.
    #[must_use]
    pub fn at(span: Span, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            file: span.file,
            segments: smallvec![Segment {
                out: 0,
                src: span.start,
                linear: false,
                end: span.end,
            }],
        }
    }

    /// A text that stands letter for letter at `span.start`.
    #[must_use]
    pub fn verbatim(span: Span, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            file: span.file,
            segments: smallvec![Segment {
                out: 0,
                src: span.start,
                linear: true,
                end: span.start,
            }],
        }
    }

    /// An empty text of `file`, to be filled with [`Mapped::push`].
    #[must_use]
    pub fn empty(file: FileId) -> Self {
        Self {
            text: String::new(),
            file,
            segments: SmallVec::new(),
        }
    }

    /// The same with room for so many bytes.
    #[must_use]
    pub fn with_room(file: FileId, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ..Self::empty(file)
        }
    }

    /// Appends a piece that stands letter for letter at byte `src` (`linear`), or that was made from
    /// what is written there.
    pub fn push(&mut self, piece: &str, src: u32, linear: bool) {
        self.push_for(piece, src, src.saturating_add(1), linear);
    }

    /// The same of what is written up to `end`.
    fn push_for(&mut self, piece: &str, src: u32, end: u32, linear: bool) {
        if piece.is_empty() {
            return;
        }
        let out = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let continues = self.segments.last().is_some_and(|s| {
            s.linear && linear && s.src.wrapping_add(out.wrapping_sub(s.out)) == src
        });
        if !continues {
            self.segments.push(Segment {
                out,
                src,
                linear,
                end,
            });
        }
        self.text.push_str(piece);
    }

    /// The file it was written in.
    #[must_use]
    pub fn file(&self) -> FileId {
        self.file
    }

    /// How many segments begin at or before a byte.
    fn segments_until(&self, at: u32) -> usize {
        self.segments.partition_point(|s| s.out <= at)
    }

    /// Where a byte was written that is in the last of the first `count` segments.
    fn offset_in(&self, count: usize, at: u32) -> u32 {
        match count.checked_sub(1).and_then(|i| self.segments.get(i)) {
            Some(s) if s.linear => s.src.saturating_add(at - s.out),
            Some(s) => s.src,
            None => 0,
        }
    }

    /// Where bytes `start..end` of the text were written.
    #[must_use]
    pub fn span(&self, start: usize, end: usize) -> Span {
        let at = u32::try_from(start).unwrap_or(u32::MAX);
        let mut count = self.segments_until(at);
        let from = self.offset_in(count, at);
        // The last byte is mapped, not the one after it: that may belong to another line.
        let to = if end > start {
            let last = u32::try_from(end - 1).unwrap_or(u32::MAX);
            // Most spans end in the segment that they begin in.
            if self.segments.get(count).is_some_and(|s| s.out <= last) {
                count = self.segments_until(last);
            }
            let last = self.offset_in(count, last).saturating_add(1);
            match count.checked_sub(1).and_then(|i| self.segments.get(i)) {
                Some(s) if !s.linear => s.end.max(last),
                _ => last,
            }
        } else {
            from
        };
        Span {
            file: self.file,
            start: from,
            end: to.max(from),
        }
    }

    /// Where all of it was written.
    #[must_use]
    pub fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    /// A part of it, with its places. Empty when the range is not of this text.
    #[must_use]
    pub fn part(&self, start: usize, end: usize) -> Self {
        let mut out = Self::empty(self.file);
        let Some(text) = self.text.get(start..end) else {
            return out;
        };
        out.text = text.to_owned();
        let from = u32::try_from(start).unwrap_or(u32::MAX);
        let first = self
            .segments
            .partition_point(|s| s.out <= from)
            .saturating_sub(1);
        for s in self.segments.get(first..).unwrap_or_default() {
            if s.out as usize >= end && s.out > from {
                break;
            }
            let skipped = from.saturating_sub(s.out);
            out.segments.push(Segment {
                out: s.out.saturating_sub(from),
                src: if s.linear { s.src + skipped } else { s.src },
                linear: s.linear,
                end: s.end,
            });
        }
        out
    }

    /// The same text with each `(start, end)` range replaced. Ranges are in order and do not
    /// overlap; what is put in counts as written where the range is.
    #[must_use]
    pub fn replace(&self, edits: &[(usize, usize, Text)]) -> Self {
        let mut out = Self::empty(self.file);
        let mut done = 0;
        for (start, end, with) in edits {
            out.append(&self.part(done, *start));
            let written = self.span(*start, *end);
            out.push_for(with.as_str(), written.start, written.end, false);
            done = *end;
        }
        out.append(&self.part(done, self.text.len()));
        out
    }

    /// Appends another text of the same file, with its places.
    pub fn append(&mut self, other: &Self) {
        let base = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(&other.text);
        if !other.text.is_empty() {
            self.segments.extend(other.segments.iter().map(|s| Segment {
                out: s.out.saturating_add(base),
                ..*s
            }));
        }
    }
}

/// Longest value that is put together of others, in bytes: real ones have a line or two, and one that is made of
/// itself twice, over and over, would fill the memory.
pub const MAX_VALUE: usize = 64 * 1024;

/// Whether `name` is what a text with unknown parts may turn out to be. Where nothing is known of it,
/// it may be anything, and that is no answer.
#[must_use]
pub fn may_be(text: &str, name: &str) -> bool {
    let Some((first, after)) = text.split_once(is_hole) else {
        return text == name;
    };
    // Of many names, this one thing tells almost all apart.
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let (between, last) = match after.rsplit_once(is_hole) {
        Some((between, last)) => (Some(between), last),
        None => (None, after),
    };
    for piece in between.into_iter().flat_map(|text| text.split(is_hole)) {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = rest.get(at + piece.len()..).unwrap_or("");
    }
    rest.ends_with(last) && text.chars().any(|c| !is_hole(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{MemoryTree, RepoPath, Sources};

    fn file() -> FileId {
        let tree = MemoryTree::new().with("f", "");
        Sources::new(&tree)
            .load(&RepoPath::new("f").unwrap())
            .unwrap()
            .id
    }

    #[test]
    fn the_same_words_are_the_same_hole() {
        let holes = Holes::default();
        let tag = holes.of("$TAG", HoleKind::Variable);
        assert_eq!(tag, holes.of("$TAG", HoleKind::Variable));
        assert_ne!(tag, holes.of("$OTHER", HoleKind::Variable));
        assert!(!tag.is_known());
        assert_eq!(holes.show(&format!("app:{}", tag.as_str())), "app:$TAG");
    }

    #[test]
    fn a_replaced_range_points_at_where_it_was_written() {
        let mapped = Mapped::verbatim(Span::new(file(), 100, 120), "docker pull << p >> now");
        let replaced = mapped.replace(&[(12, 19, Text::new("alpine:3.20"))]);
        assert_eq!(replaced.text, "docker pull alpine:3.20 now");
        assert_eq!(replaced.span(12, 23).start, 112);
        assert_eq!(
            replaced.span(24, 27),
            Span {
                file: mapped.file(),
                start: 120,
                end: 123
            }
        );
        assert_eq!(replaced.part(7, 11).span(0, 4).start, 107);
    }

    #[test]
    fn what_an_unknown_part_may_be() {
        let holes = Holes::default();
        let hole = holes.of("$X", HoleKind::Variable);
        let hole = hole.as_str();
        for (text, name, expected) in [
            (format!("base-{hole}"), "base-arm64", true),
            (format!("base-{hole}"), "base", false),
            (format!("{hole}-{hole}-end"), "a-b-end", true),
            (format!("{hole}-{hole}-end"), "a-end", false),
            (format!("a{hole}a"), "a", false),
            (hole.to_owned(), "anything", false),
            ("same".to_owned(), "same", true),
        ] {
            assert_eq!(may_be(&text, name), expected, "{text} {name}");
        }
    }
}
