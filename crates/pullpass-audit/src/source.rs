//! Where the bytes come from, and how a place in them is named.
//!
//! The auditor never opens a file: it asks a [`Tree`], so that a checkout, a commit, an archive or
//! a table in a test can all be audited. Everything that it later says about a file is said with a
//! [`Span`] of bytes; lines and columns are computed only when something is shown.

use std::borrow::Borrow;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

/// Largest file that is read, in bytes. CI files are a few kilobytes; CircleCI refuses a compiled
/// configuration above 3 MB (CircleCI's configuration reference), so nothing real is lost.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Lines are counted from one place that is asked for to the next, if no more bytes stand between them. Where every
/// line begins is kept of files in which they are further apart.
const MAX_COUNTED: usize = 8 * 1024;

/// Bytes of a line that most lines have more of.
const USUAL_LINE: usize = 20;

/// A path inside the repository: `/`-separated, no `.`, no `..`, no leading slash. The root is `""`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct RepoPath(Arc<str>);

/// It compares and hashes as its text does.
impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl RepoPath {
    /// The repository's root folder.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads a path as written in a file, relative to the root. `None` when it would leave the
    /// repository.
    #[must_use]
    pub fn new(path: &str) -> Option<Self> {
        if path.is_empty() {
            return Some(Self::root());
        }
        Self::root().join(path)
    }

    /// `self/relative`, normalised. `None` when the result would leave the repository, or when
    /// `relative` is absolute, contains a NUL or is longer than any file system allows.
    #[must_use]
    pub fn join(&self, relative: &str) -> Option<Self> {
        if relative.starts_with('/') || relative.contains('\0') || relative.len() > 4096 {
            return None;
        }
        // Most are a name, or names, and need no more than a slash before them.
        if is_tidy(relative) {
            return Some(if self.is_root() {
                Self(relative.into())
            } else {
                Self([&self.0, "/", relative].concat().into())
            });
        }
        let mut parts: Vec<&str> = self.0.split('/').filter(|p| !p.is_empty()).collect();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                other => parts.push(other),
            }
        }
        Some(Self(parts.join("/").into()))
    }

    /// The folder that holds this file; the root for a name at the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.rfind('/') {
            Some(at) => Self(self.0[..at].into()),
            None => Self::root(),
        }
    }

    /// The last part of the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The repository `owner/name` that the path leads into, when it is not this one: see
    /// [`Tree::repository`].
    #[must_use]
    pub fn elsewhere(&self) -> Option<&str> {
        let rest = self.0.strip_prefix(ELSEWHERE)?.strip_prefix('/')?;
        let name = rest.find('/')? + 1;
        let end = rest
            .get(name..)?
            .find('/')
            .map_or(rest.len(), |at| name + at);
        rest.get(..end)
    }

    /// Whether this is the repository's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a path is names with single slashes between them, none of which is `.` or `..`.
fn is_tidy(path: &str) -> bool {
    // The part in hand: its length, and whether it is nothing but dots.
    let (mut len, mut dots) = (0, true);
    let is_name = |len: usize, dots: bool| len > 2 || len > 0 && !dots;
    for byte in path.bytes() {
        if byte == b'/' {
            if !is_name(len, dots) {
                return false;
            }
            (len, dots) = (0, true);
        } else {
            len += 1;
            dots &= byte == b'.';
        }
    }
    is_name(len, dots)
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a file could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// No such file.
    NotFound,
    /// The path, or a symbolic link on it, leads out of the repository or in a circle.
    Outside,
    /// Larger than [`MAX_FILE_BYTES`].
    TooLarge(u64),
    /// It is a folder, a device or a socket.
    NotAFile,
    /// Anything else, in the words of the operating system.
    Failed(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file in this repository"),
            Self::Outside => {
                f.write_str("leads out of the repository (or in a circle), so it is not followed")
            }
            Self::TooLarge(bytes) => write!(
                f,
                "{bytes} bytes is more than a CI file can be (limit {MAX_FILE_BYTES}), so it was not read"
            ),
            Self::NotAFile => f.write_str("not a regular file"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// The files of one repository.
pub trait Tree {
    /// The bytes of the file at `path`.
    ///
    /// # Errors
    /// As [`ReadError`] says. An implementation must not follow a symbolic link out of the
    /// repository and must not read more than [`MAX_FILE_BYTES`].
    fn read(&self, path: &RepoPath) -> Result<Vec<u8>, ReadError>;

    /// Names directly inside `folder`, sorted; a folder's name ends in `/`. Empty when there is no
    /// such folder.
    fn list(&self, folder: &RepoPath) -> Rc<[String]>;

    /// Where the files of the GitHub repository `owner/name` are to be found here: at the root when it
    /// is this one, below [`ELSEWHERE`] when its files can be had, and nowhere otherwise. Small and
    /// capital letters are the same to GitHub.
    fn repository(&self, name: &str) -> Option<RepoPath> {
        let _ = name;
        None
    }
}

/// The folder below which the files of other repositories stand: where a runner keeps the actions that
/// it downloads.
pub const ELSEWHERE: &str = "_actions";

/// A [`Tree`] held in memory: for tests, standard input and benchmarks.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: std::collections::BTreeMap<String, Vec<u8>>,
    name: Option<String>,
}

impl MemoryTree {
    /// An empty repository.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), bytes.into());
        self
    }

    /// Says which repository of GitHub it is: `owner/name`.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }
}

impl Tree for MemoryTree {
    fn read(&self, path: &RepoPath) -> Result<Vec<u8>, ReadError> {
        match self.files.get(path.as_str()) {
            Some(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => {
                Err(ReadError::TooLarge(bytes.len() as u64))
            }
            Some(bytes) => Ok(bytes.clone()),
            None => Err(ReadError::NotFound),
        }
    }

    fn list(&self, folder: &RepoPath) -> Rc<[String]> {
        let prefix = if folder.is_root() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut names: Vec<String> = self
            .files
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .filter_map(|(path, _)| path.get(prefix.len()..))
            .map(|rest| match rest.find('/') {
                Some(at) => rest[..=at].to_owned(),
                None => rest.to_owned(),
            })
            .collect();
        names.dedup();
        names.into()
    }

    fn repository(&self, name: &str) -> Option<RepoPath> {
        if (self.name.as_deref()).is_some_and(|own| own.eq_ignore_ascii_case(name)) {
            return Some(RepoPath::root());
        }
        let folder = RepoPath::new(&format!("{ELSEWHERE}/{name}"))?;
        (!self.list(&folder).is_empty()).then_some(folder)
    }
}

/// Names one loaded file of a repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(u32);

/// A range of bytes in a loaded file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from byte offsets. Offsets fit: files are at most [`MAX_FILE_BYTES`].
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            file,
            start: clamp(start),
            end: clamp(end.max(start)),
        }
    }
}

/// A place as a person reads it: 1-based line, and 1-based column counted in characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Position {
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
}

/// One loaded text file.
#[derive(Debug)]
pub struct Source {
    /// Its name among the loaded files.
    pub id: FileId,
    /// Where it is in the repository.
    pub path: RepoPath,
    /// Its text, byte for byte as stored. It is never changed, and no box, which would be a copy.
    pub text: String,
    lines: OnceCell<Vec<u32>>,
    /// The line that was asked for last.
    asked: Cell<Option<Line>>,
    /// The byte that was asked for last, and its column.
    column: Cell<(usize, usize)>,
}

/// A line of a text.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// From 1.
    number: usize,
    /// Its first byte.
    start: usize,
    /// Where it ends: its line break, or the end of the text.
    end: usize,
}

impl Source {
    /// The same file with another text.
    pub(crate) fn with_text(&self, text: String) -> Self {
        Self {
            id: self.id,
            path: self.path.clone(),
            text,
            lines: OnceCell::new(),
            asked: Cell::new(None),
            column: Cell::new((0, 1)),
        }
    }

    fn line_starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let mut starts = Vec::with_capacity(1 + self.text.len() / USUAL_LINE);
            starts.push(0);
            starts.extend(
                memchr::memchr_iter(b'\n', self.text.as_bytes())
                    .map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX)),
            );
            starts
        })
    }

    /// The line that a byte is in.
    fn line_of(&self, offset: usize) -> Line {
        let offset = offset.min(self.text.len());
        let asked = self.asked.get();
        if let Some(line) = asked.filter(|line| (line.start..=line.end).contains(&offset)) {
            return line;
        }
        let bytes = self.text.as_bytes();
        let (before, number) = asked.map_or((0, 1), |line| (line.start, line.number));
        let between = before.min(offset)..before.max(offset);
        let (number, start) = if self.lines.get().is_none() && between.len() <= MAX_COUNTED {
            let breaks = memchr::memchr_iter(b'\n', bytes.get(between).unwrap_or_default()).count();
            let number = if before <= offset {
                number + breaks
            } else {
                number - breaks
            };
            let before = bytes.get(..offset).unwrap_or_default();
            let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
            (number, start)
        } else {
            let starts = self.line_starts();
            let number = starts.partition_point(|&s| s as usize <= offset).max(1);
            (number, starts.get(number - 1).map_or(0, |&s| s as usize))
        };
        let rest = bytes.get(offset..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(bytes.len(), |at| offset + at);
        let line = Line { number, start, end };
        self.asked.set(Some(line));
        line
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    #[must_use]
    pub fn position(&self, offset: u32) -> Position {
        self.in_line(self.line_of(offset as usize), offset as usize)
    }

    /// Line and column of a byte of a line.
    fn in_line(&self, line: Line, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        // Characters, not bytes: continuation bytes do not begin one.
        let count = |from: usize, to: usize| {
            let bytes = self.text.as_bytes().get(from..to).unwrap_or_default();
            bytes.iter().filter(|&&b| b & 0xC0 != 0x80).count()
        };
        // Whoever asks for many places of one line asks for them one after the other.
        let (at, column) = self.column.get();
        let column = if at < line.start || at > line.end {
            count(line.start, offset) + 1
        } else if at <= offset {
            column + count(at, offset)
        } else {
            column - count(offset, at)
        };
        self.column.set((offset, column));
        Position {
            line: u32::try_from(line.number).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// The text of a 1-based line, without its line ending.
    #[must_use]
    pub fn line(&self, line: u32) -> &str {
        let starts = self.line_starts();
        let at = (line as usize).saturating_sub(1);
        let Some(&start) = starts.get(at) else {
            return "";
        };
        let end = starts.get(at + 1).map_or(self.text.len(), |&s| s as usize);
        self.text
            .get(start as usize..end)
            .unwrap_or("")
            .trim_end_matches(['\n', '\r'])
    }

    /// Where a span begins and ends, and the text of the line that it begins in, without its line ending.
    #[must_use]
    pub(crate) fn seen(&self, span: Span) -> (Position, Position, &str) {
        let line = self.line_of(span.start as usize);
        let from = self.in_line(line, span.start as usize);
        let to = self.position(span.end.max(span.start));
        let text = self.text.get(line.start..line.end).unwrap_or("");
        (from, to, text.trim_end_matches('\r'))
    }

    /// The bytes of a span as text; empty when the span is not of this text.
    #[must_use]
    pub fn slice(&self, start: u32, end: u32) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// A span over the whole file.
    #[must_use]
    pub fn whole(&self) -> Span {
        Span::new(self.id, 0, self.text.len())
    }
}

/// Why a file that exists is no text that can be audited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadError {
    /// What the person reads.
    pub message: String,
    /// The reading failed because nothing is there.
    pub missing: bool,
    /// 1-based line, when one is to blame.
    pub line: Option<u32>,
}

/// The files loaded so far from one [`Tree`]; each is read at most once.
pub struct Sources<'t> {
    tree: &'t dyn Tree,
    loaded: RefCell<Vec<Rc<Source>>>,
    by_path: RefCell<HashMap<RepoPath, Result<FileId, LoadError>>>,
}

impl<'t> Sources<'t> {
    /// Nothing loaded yet.
    #[must_use]
    pub fn new(tree: &'t dyn Tree) -> Self {
        Self {
            tree,
            loaded: RefCell::default(),
            by_path: RefCell::default(),
        }
    }

    /// The tree itself, to list folders.
    #[must_use]
    pub fn tree(&self) -> &'t dyn Tree {
        self.tree
    }

    /// Loads a file, or gives it again.
    ///
    /// # Errors
    /// When it cannot be read, or is not UTF-8 text.
    pub fn load(&self, path: &RepoPath) -> Result<Rc<Source>, LoadError> {
        let known = self.by_path.borrow().get(path).cloned();
        match known {
            Some(Ok(id)) => Ok(self.get(id)),
            Some(Err(error)) => Err(error),
            None => {
                let read = self.tree.read(path).map_err(|error| LoadError {
                    missing: error == ReadError::NotFound,
                    message: error.to_string(),
                    line: None,
                });
                match read.and_then(into_text) {
                    Ok(text) => {
                        let source = self.add(path.clone(), text);
                        self.by_path
                            .borrow_mut()
                            .insert(path.clone(), Ok(source.id));
                        Ok(source)
                    }
                    Err(error) => {
                        self.by_path
                            .borrow_mut()
                            .insert(path.clone(), Err(error.clone()));
                        Err(error)
                    }
                }
            }
        }
    }

    /// Whether a file is there, without keeping its text.
    #[must_use]
    pub fn exists(&self, path: &RepoPath) -> bool {
        !matches!(self.load(path), Err(LoadError { missing: true, .. }))
    }

    /// Adds a text that is not in the tree (standard input, `--orb NAME=FILE`).
    pub fn add(&self, path: RepoPath, text: String) -> Rc<Source> {
        let mut loaded = self.loaded.borrow_mut();
        let id = FileId(u32::try_from(loaded.len()).unwrap_or(u32::MAX));
        let source = Rc::new(Source {
            id,
            path,
            text,
            lines: OnceCell::new(),
            asked: Cell::new(None),
            column: Cell::new((0, 1)),
        });
        loaded.push(Rc::clone(&source));
        source
    }

    /// A loaded file.
    ///
    /// # Panics
    /// Never for an id that these `Sources` gave out.
    #[must_use]
    #[expect(clippy::expect_used, reason = "ids come only from `add`")]
    pub fn get(&self, id: FileId) -> Rc<Source> {
        Rc::clone(
            self.loaded
                .borrow()
                .get(id.0 as usize)
                .expect("an id from these sources"),
        )
    }
}

fn into_text(bytes: Vec<u8>) -> Result<String, LoadError> {
    let refuse = |message: &str, at: usize, bytes: &[u8]| LoadError {
        message: message.to_owned(),
        missing: false,
        line: Some(
            u32::try_from(
                memchr::memchr_iter(b'\n', bytes.get(..at).unwrap_or_default()).count() + 1,
            )
            .unwrap_or(u32::MAX),
        ),
    };
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(refuse("the file is UTF-16; save it as UTF-8", 0, &bytes));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refuse("the file is not UTF-8 from here on", at, error.as_bytes())
    })?;
    // Plane 15 is where unknown values are kept while a text is resolved (see `text`), so a text
    // that brings such characters itself could pretend to be one.
    if let Some(at) = memchr::memchr(0xF3, text.as_bytes()).filter(|_| {
        text.chars()
            .any(|c| ('\u{F0000}'..='\u{FFFFF}').contains(&c))
    }) {
        return Err(refuse(
            "the file contains private-use characters (U+F0000 to U+FFFFF)",
            at,
            text.as_bytes(),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leaves_the_repository() {
        let at = RepoPath::new("a/b").unwrap();
        assert_eq!(at.join("../c").unwrap().as_str(), "a/c");
        assert_eq!(at.join("./x//y/").unwrap().as_str(), "a/b/x/y");
        assert_eq!(at.join("../../../etc/passwd"), None);
        assert_eq!(at.join("/etc/passwd"), None);
        assert_eq!(at.parent().as_str(), "a");
    }

    #[test]
    fn columns_count_characters() {
        let tree = MemoryTree::new().with("f", "é: x\r\nab\n");
        let sources = Sources::new(&tree);
        let source = sources.load(&RepoPath::new("f").unwrap()).unwrap();
        assert_eq!(source.position(4), Position { line: 1, column: 4 });
        assert_eq!(source.position(8), Position { line: 2, column: 2 });
        assert_eq!(source.line(1), "é: x");
        assert_eq!(source.position(900).line, 3);
    }

    #[test]
    fn places_are_the_same_in_whatever_order_they_are_asked_for() {
        let long = "é, x; ".repeat(2 * MAX_COUNTED / 6);
        for text in [format!("a\n\n{long}\r\nüb\n{long}\nc"), String::new()] {
            let tree = MemoryTree::new().with("f", &*text);
            let sources = Sources::new(&tree);
            let source = sources.load(&RepoPath::new("f").unwrap()).unwrap();
            // Places near and far, forwards and backwards.
            let mut offset = 0;
            for step in (1..400).map(|n| n * n * 31) {
                offset = (offset + step) % (text.len() + 3);
                for offset in [offset, offset + 7, offset.saturating_sub(3)] {
                    let before = &text.as_bytes()[..offset.min(text.len())];
                    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
                    let start = before.iter().rposition(|&b| b == b'\n');
                    let start = start.map_or(0, |at| at + 1);
                    let begins = |b: &&u8| **b & 0xC0 != 0x80;
                    let column = before[start..].iter().filter(begins).count() + 1;
                    let position = source.position(u32::try_from(offset).unwrap());
                    let (line, column) = (line as u32, column as u32);
                    assert_eq!(position, Position { line, column }, "{offset}");
                }
            }
        }
    }

    #[test]
    fn text_that_is_not_utf8_says_where() {
        let tree = MemoryTree::new().with("f", b"ok\n\xff\n".to_vec());
        let error = Sources::new(&tree)
            .load(&RepoPath::new("f").unwrap())
            .unwrap_err();
        assert_eq!(error.line, Some(2));
    }

    #[test]
    fn a_folder_lists_its_own_names_only() {
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", "")
            .with(".circleci/x/y.yml", "")
            .with("z", "");
        assert_eq!(
            tree.list(&RepoPath::new(".circleci").unwrap())[..],
            ["config.yml", "x/"]
        );
    }
}
