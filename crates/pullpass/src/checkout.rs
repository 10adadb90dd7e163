//! A folder as a [`Tree`]: the one place where the auditor's questions reach a disk.
//!
//! What a repository holds is chosen by whoever wrote it, and the paths that are asked for come out
//! of its files. So a path is followed only while it stays inside of the repository, whatever
//! symbolic links say; only regular files are opened, so that nothing blocks; and none that is
//! larger than a CI file can be. The usual path, without a link on it, costs one `lstat` per file, and less
//! where the folder has been listed.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use hashbrown::HashMap;
use pullpass_audit::context::Unread;
use pullpass_audit::source::{ELSEWHERE, MAX_FILE_BYTES, ReadError, RepoPath, Tree};

use crate::error::in_words;
use crate::listing::{Kind, Listing};
use crate::neighbours::Neighbours;
use crate::remote::Remote;

/// Folders of which is kept what their names are, at most.
const MANY: usize = 1000;

/// Names that are kept for the next who asks, at most, and the folders that they are in.
const MANY_NAMES: usize = 100_000;

/// A repository on disk.
pub(crate) struct Checkout<'n> {
    root: PathBuf,
    /// Where it comes from; found out when a repository is asked for.
    remote: OnceCell<Option<Remote>>,
    /// What else there is.
    neighbours: Option<&'n Neighbours>,
    /// The repositories that were asked for, by their names in small letters, and where they are.
    repositories: RefCell<HashMap<String, Option<RepoPath>>>,
    /// Those that are not this one, by the folder below which their files are.
    elsewhere: RefCell<HashMap<RepoPath, Rc<Checkout<'static>>>>,
    /// The root without symbolic links; found out when the first link is met.
    real_root: RefCell<Option<PathBuf>>,
    /// Folders that were looked at, by the real folder they are.
    folders: RefCell<HashMap<RepoPath, Result<PathBuf, ReadError>>>,
    /// The names in the folders that were listed.
    listed: RefCell<HashMap<RepoPath, Rc<[String]>>>,
    /// How many these are, each folder counted as one.
    kept: Cell<usize>,
    /// What these names are, and those at the root where they are known.
    listings: RefCell<HashMap<RepoPath, Listing>>,
    /// Folders that exist and could not be listed.
    unlisted: RefCell<Vec<Unread>>,
}

impl<'n> Checkout<'n> {
    /// The repository at `root`, by itself.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            remote: OnceCell::new(),
            neighbours: None,
            repositories: RefCell::default(),
            elsewhere: RefCell::default(),
            real_root: RefCell::default(),
            folders: RefCell::default(),
            listed: RefCell::default(),
            kept: Cell::default(),
            listings: RefCell::default(),
            unlisted: RefCell::default(),
        }
    }

    /// The repository at `root`, and those beside it.
    pub(crate) fn among(root: &Path, neighbours: &'n Neighbours) -> Self {
        Self {
            neighbours: Some(neighbours),
            ..Self::new(root)
        }
    }

    /// The same, with what is known of the names at the root.
    pub(crate) fn with_root(self, names: Option<&Listing>) -> Self {
        if let Some(names) = names.filter(|names| names.is_whole()) {
            self.listings
                .borrow_mut()
                .insert(RepoPath::root(), names.clone());
        }
        self
    }

    /// The other repository that a path leads into, and the path in it.
    fn other(&self, path: &RepoPath) -> Option<(Rc<Checkout<'static>>, RepoPath)> {
        // Few repositories name another one whose files can be had.
        if self.elsewhere.borrow().is_empty() {
            return None;
        }
        let name = path.elsewhere()?;
        let folder = RepoPath::new(&format!("{ELSEWHERE}/{name}"))?;
        let other = Rc::clone(self.elsewhere.borrow().get(&folder)?);
        let rest = path.as_str().get(folder.as_str().len()..)?;
        Some((other, RepoPath::new(rest.trim_start_matches('/'))?))
    }

    /// Folders that exist and could not be listed: what stands in them is missing from the audit.
    pub(crate) fn take_unlisted(&self) -> Vec<Unread> {
        self.unlisted.take()
    }

    /// The real folder that `path` names, inside of the repository.
    fn folder(&self, path: &RepoPath) -> Result<PathBuf, ReadError> {
        if path.is_root() {
            return Ok(self.root.clone());
        }
        if let Some(known) = self.folders.borrow().get(path) {
            return known.clone();
        }
        let (folder, name) = (path.parent(), path.name());
        let found =
            self.folder(&folder)
                .and_then(|parent| match self.step(&folder, &parent, name)? {
                    (real, Found::Folder) => Ok(real),
                    _ => Err(ReadError::NotFound),
                });
        self.folders
            .borrow_mut()
            .insert(path.clone(), found.clone());
        found
    }

    /// One name inside of `folder`, which is really at `real`; a symbolic link is looked through.
    fn step(
        &self,
        folder: &RepoPath,
        real: &Path,
        name: &str,
    ) -> Result<(PathBuf, Found), ReadError> {
        // Elsewhere than on Unix, `join` would take these for a new root or for more than one step.
        if cfg!(not(unix)) && name.contains(['\\', ':']) {
            return Err(ReadError::Outside);
        }
        let known = self.known(folder, name);
        if known == Some(None) {
            return Err(ReadError::NotFound);
        }
        // In one piece of memory.
        let mut path = PathBuf::with_capacity(real.as_os_str().len() + 1 + name.len());
        path.push(real);
        path.push(name);
        match known.flatten() {
            Some(Kind::Folder) => return Ok((path, Found::Folder)),
            Some(Kind::File) => return Ok((path, Found::File(None))),
            Some(Kind::Other) | None => {}
        }
        let metadata = fs::symlink_metadata(&path).map_err(|e| refused(&e))?;
        if !metadata.is_symlink() {
            return Ok((path, Found::of(&metadata)));
        }
        let real = fs::canonicalize(&path).map_err(|e| refused(&e))?;
        if !real.starts_with(self.real_root()?) {
            return Err(ReadError::Outside);
        }
        let metadata = fs::symlink_metadata(&real).map_err(|e| refused(&e))?;
        Ok((real, Found::of(&metadata)))
    }

    /// What a name is, where the folder has been listed; `Some(None)` when nothing is called so there.
    fn known(&self, folder: &RepoPath, name: &str) -> Option<Option<Kind>> {
        let listings = self.listings.borrow();
        let listing = listings.get(folder)?;
        // Some file systems give out other letters than were asked for.
        name.is_ascii().then(|| listing.kind(name))
    }

    fn real_root(&self) -> Result<PathBuf, ReadError> {
        let mut known = self.real_root.borrow_mut();
        if let Some(root) = &*known {
            return Ok(root.clone());
        }
        let root = fs::canonicalize(&self.root).map_err(|e| refused(&e))?;
        Ok(known.insert(root).clone())
    }
}

impl Tree for Checkout<'_> {
    fn read(&self, path: &RepoPath) -> Result<Vec<u8>, ReadError> {
        if let Some((other, path)) = self.other(path) {
            return other.read(&path);
        }
        if path.is_root() {
            return Err(ReadError::NotAFile);
        }
        let folder = path.parent();
        match self.step(&folder, &self.folder(&folder)?, path.name())? {
            (real, Found::File(size)) => read_regular(&real, size),
            _ => Err(ReadError::NotAFile),
        }
    }

    fn list(&self, folder: &RepoPath) -> Rc<[String]> {
        if let Some(known) = self.listed.borrow().get(folder) {
            return Rc::clone(known);
        }
        let names = match self.other(folder) {
            Some((other, folder)) => other.names(&folder),
            None => self.names(folder),
        };
        let names: Rc<[String]> = names.into();
        let kept = self.kept.get() + 1 + names.len();
        if kept <= MANY_NAMES {
            self.kept.set(kept);
            let mut listed = self.listed.borrow_mut();
            listed.insert(folder.clone(), Rc::clone(&names));
        }
        names
    }

    fn repository(&self, name: &str) -> Option<RepoPath> {
        let key = name.to_ascii_lowercase();
        if let Some(known) = self.repositories.borrow().get(&key) {
            return known.clone();
        }
        let own = self.remote.get_or_init(|| Remote::of(&self.root));
        let found = if own.as_ref().is_some_and(|own| own.is(name)) {
            Some(RepoPath::root())
        } else {
            self.neighbours
                .and_then(|all| all.find(name))
                .and_then(|root| {
                    let folder = RepoPath::new(&format!("{ELSEWHERE}/{name}"))?;
                    let other = Rc::new(Checkout::new(root));
                    self.elsewhere.borrow_mut().insert(folder.clone(), other);
                    Some(folder)
                })
        };
        self.repositories.borrow_mut().insert(key, found.clone());
        found
    }
}

impl Checkout<'_> {
    /// The names in a folder, as [`Tree::list`] gives them.
    fn names(&self, folder: &RepoPath) -> Vec<String> {
        let entries = match self.folder(folder) {
            Ok(real) => match fs::read_dir(real) {
                Ok(entries) => entries,
                Err(error) => {
                    self.note(folder, &refused(&error));
                    return Vec::new();
                }
            },
            Err(error) => {
                self.note(folder, &error);
                return Vec::new();
            }
        };
        let mut listing = Listing::default();
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let mut name = match entry.file_name().into_string() {
                    Ok(name) => name,
                    Err(name) => {
                        self.note_name(folder, &name.to_string_lossy());
                        return None;
                    }
                };
                let kind = entry.file_type().ok();
                listing.add(&name, kind);
                let kind = kind?;
                let is_folder = if kind.is_symlink() {
                    // A link that leads out stays a name: reading it says why it is not followed.
                    folder
                        .join(&name)
                        .is_some_and(|path| self.folder(&path).is_ok())
                } else {
                    kind.is_dir()
                };
                if is_folder {
                    name.push('/');
                }
                Some(name)
            })
            .collect();
        names.sort_unstable();
        let mut listings = self.listings.borrow_mut();
        if listing.is_whole() && listings.len() < MANY {
            listings.insert(folder.clone(), listing);
        }
        names
    }

    /// Notes a CI file that no path in the report could name.
    fn note_name(&self, folder: &RepoPath, shown: &str) {
        let of_ci = [".github", ".circleci"]
            .iter()
            .any(|ci| folder.as_str().starts_with(ci));
        if of_ci && (shown.ends_with(".yml") || shown.ends_with(".yaml")) {
            self.unlisted.borrow_mut().push(Unread {
                file: format!("{folder}/{shown}"),
                line: 1,
                message: "the file's name is not UTF-8, so it was not read; give it a name that is"
                    .to_owned(),
            });
        }
    }

    fn note(&self, folder: &RepoPath, error: &ReadError) {
        if *error != ReadError::NotFound {
            self.unlisted.borrow_mut().push(Unread {
                file: folder.as_str().to_owned(),
                line: 1,
                message: format!("the folder could not be listed: {error}"),
            });
        }
    }
}

/// What stands at a path.
enum Found {
    Folder,
    /// A regular file, with its size in bytes where that is known.
    File(Option<u64>),
    Other,
}

impl Found {
    fn of(metadata: &fs::Metadata) -> Self {
        if metadata.is_dir() {
            Self::Folder
        } else if metadata.is_file() {
            Self::File(Some(metadata.len()))
        } else {
            Self::Other
        }
    }
}

/// Reads a file that is known to be a regular one.
fn read_regular(path: &Path, size: Option<u64>) -> Result<Vec<u8>, ReadError> {
    let mut file = File::open(path).map_err(|e| refused(&e))?;
    let size = match size {
        Some(size) => size,
        None => file.metadata().map_err(|e| refused(&e))?.len(),
    };
    if size > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge(size));
    }
    // One byte more than there should be, so that one call reads it all and sees the end.
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0) + 1];
    let read = match file.read(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
        other => other.map_err(|e| refused(&e))?,
    };
    bytes.truncate(read);
    if read == 0 || read as u64 != size {
        // It has changed since it was looked at, or comes in pieces.
        file.take(MAX_FILE_BYTES + 1 - read as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| refused(&e))?;
    }
    match bytes.len() as u64 {
        read if read > MAX_FILE_BYTES => Err(ReadError::TooLarge(read)),
        _ => Ok(bytes),
    }
}

fn refused(error: &io::Error) -> ReadError {
    match error.kind() {
        // A name that no file system accepts names nothing.
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => ReadError::NotFound,
        // A circle of symbolic links; its kind is not stable in the standard library yet.
        _ if error.to_string().contains("symbolic link") => ReadError::Outside,
        _ => ReadError::Failed(in_words(error)),
    }
}

/// One text in the place of a file of the repository, or of no repository at all.
pub(crate) struct Overlay<'t> {
    /// What is around it.
    pub(crate) around: Option<&'t Checkout<'t>>,
    /// Its path.
    pub(crate) path: &'t RepoPath,
    /// Its bytes.
    pub(crate) bytes: &'t [u8],
}

impl Tree for Overlay<'_> {
    fn read(&self, path: &RepoPath) -> Result<Vec<u8>, ReadError> {
        if path == self.path {
            return match self.bytes.len() as u64 {
                size if size > MAX_FILE_BYTES => Err(ReadError::TooLarge(size)),
                _ => Ok(self.bytes.to_vec()),
            };
        }
        self.around
            .map_or(Err(ReadError::NotFound), |tree| tree.read(path))
    }

    fn list(&self, folder: &RepoPath) -> Rc<[String]> {
        self.around
            .map_or_else(|| Rc::from([]), |tree| tree.list(folder))
    }

    fn repository(&self, name: &str) -> Option<RepoPath> {
        self.around.and_then(|tree| tree.repository(name))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn at(path: &str) -> RepoPath {
        RepoPath::new(path).unwrap()
    }

    #[test]
    fn a_ci_file_whose_name_no_report_can_have_is_said() {
        use std::os::unix::ffi::OsStrExt as _;
        let (_folder, root) = repository();
        let workflows = root.join(".github/workflows");
        fs::create_dir_all(&workflows).unwrap();
        for name in [&b"a\xfe.yml"[..], b"b\xfe.txt", b"c.yml"] {
            fs::write(workflows.join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let tree = Checkout::new(&root);
        assert_eq!(tree.list(&at(".github/workflows"))[..], ["c.yml"]);
        let said = tree.take_unlisted();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].file, ".github/workflows/a\u{fffd}.yml");
    }

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repo");
        fs::create_dir_all(root.join("ci/deep")).unwrap();
        fs::write(root.join("ci/a.yml"), "inside").unwrap();
        fs::write(folder.path().join("secret"), "outside").unwrap();
        (folder, root)
    }

    #[test]
    fn links_inside_are_followed_and_links_out_are_not() {
        let (folder, root) = repository();
        symlink("a.yml", root.join("ci/b.yml")).unwrap();
        symlink("../../secret", root.join("ci/c.yml")).unwrap();
        symlink(folder.path().join("secret"), root.join("ci/d.yml")).unwrap();
        symlink("../..", root.join("ci/up")).unwrap();
        symlink("ci", root.join("also")).unwrap();
        let tree = Checkout::new(&root);
        assert_eq!(tree.read(&at("ci/b.yml")).unwrap(), b"inside");
        assert_eq!(tree.read(&at("also/a.yml")).unwrap(), b"inside");
        for outside in ["ci/c.yml", "ci/d.yml", "ci/up/secret"] {
            assert_eq!(
                tree.read(&at(outside)),
                Err(ReadError::Outside),
                "{outside}"
            );
        }
        assert_eq!(
            tree.list(&at("ci"))[..],
            ["a.yml", "b.yml", "c.yml", "d.yml", "deep/", "up"]
        );
        assert_eq!(tree.list(&at("also/deep"))[..], [""; 0]);
        assert!(tree.list(&at("ci/up")).is_empty());
        assert_eq!(tree.take_unlisted().len(), 1);
    }

    #[test]
    fn what_is_known_of_a_listed_folder_answers_the_same() {
        let (folder, root) = repository();
        symlink("a.yml", root.join("ci/b.yml")).unwrap();
        symlink(folder.path().join("secret"), root.join("ci/c.yml")).unwrap();
        symlink("deep", root.join("ci/e")).unwrap();
        fs::write(root.join("ci/deep/f"), "deep").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("ci/s.yml")).unwrap();
        let (listed, unlisted) = (Checkout::new(&root), Checkout::new(&root));
        listed.list(&at("ci"));
        for path in [
            "ci/a.yml",
            "ci/b.yml",
            "ci/c.yml",
            "ci/s.yml",
            "ci/none",
            "ci/deep",
            "ci/deep/f",
            "ci/e/f",
            "ci/none/f",
            "ci/a.yml/f",
        ] {
            assert_eq!(listed.read(&at(path)), unlisted.read(&at(path)), "{path}");
        }
        assert_eq!(listed.known(&at("ci"), "none"), Some(None));
        assert_eq!(listed.known(&at("ci"), "nöne"), None);
        let mut names = Listing::default();
        names.add("also", None);
        let tree = Checkout::new(&root).with_root(Some(&names));
        assert_eq!(tree.read(&at("ci/a.yml")), Err(ReadError::NotFound));
    }

    #[test]
    fn a_circle_of_links_is_refused() {
        let (_folder, root) = repository();
        symlink("y", root.join("x")).unwrap();
        symlink("x", root.join("y")).unwrap();
        let tree = Checkout::new(&root);
        assert_eq!(tree.read(&at("x")), Err(ReadError::Outside));
        assert_eq!(tree.read(&at("x/z")), Err(ReadError::Outside));
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let (_folder, root) = repository();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("ci/s.yml")).unwrap();
        let tree = Checkout::new(&root);
        assert_eq!(tree.read(&at("ci/s.yml")), Err(ReadError::NotAFile));
        assert_eq!(tree.read(&at("ci")), Err(ReadError::NotAFile));
        assert_eq!(tree.read(&RepoPath::root()), Err(ReadError::NotAFile));
        assert_eq!(tree.read(&at("ci/a.yml/x")), Err(ReadError::NotFound));
        assert_eq!(tree.read(&at("none/x")), Err(ReadError::NotFound));
        assert_eq!(tree.read(&at(&"n".repeat(300))), Err(ReadError::NotFound));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let (_folder, root) = repository();
        fs::File::create(root.join("big.yml"))
            .unwrap()
            .set_len(200 * 1024 * 1024)
            .unwrap();
        assert_eq!(
            Checkout::new(&root).read(&at("big.yml")),
            Err(ReadError::TooLarge(200 * 1024 * 1024))
        );
    }

    #[test]
    fn repositories_that_can_be_had_are_part_of_the_tree() {
        let fleet = tempfile::tempdir().unwrap();
        for name in ["shop", "ci"] {
            let git = fleet.path().join(name).join(".git");
            fs::create_dir_all(&git).unwrap();
            let text = format!("[remote \"origin\"]\nurl = git@github.com:acme/{name}\n");
            fs::write(git.join("config"), text).unwrap();
        }
        fs::create_dir(fleet.path().join("ci/act")).unwrap();
        fs::write(fleet.path().join("ci/act/action.yml"), "theirs").unwrap();
        symlink(
            "../../shop/.git/config",
            fleet.path().join("ci/act/out.yml"),
        )
        .unwrap();
        let found = crate::walk::find(&[fleet.path().to_owned()], None).unwrap();
        let neighbours = Neighbours::new(&[], &found.targets).unwrap();
        let shop = fleet.path().join("shop");
        let tree = Checkout::among(&shop, &neighbours);
        assert_eq!(
            tree.read(&at("_actions/acme/ci/act/action.yml")),
            Err(ReadError::NotFound)
        );
        assert_eq!(tree.repository("ACME/Shop"), Some(RepoPath::root()));
        assert_eq!(tree.repository("acme/none"), None);
        let ci = tree.repository("acme/ci").unwrap();
        assert_eq!(
            tree.read(&ci.join("act/action.yml").unwrap()).unwrap(),
            b"theirs"
        );
        assert_eq!(
            tree.read(&ci.join("act/out.yml").unwrap()),
            Err(ReadError::Outside)
        );
        assert_eq!(tree.list(&ci)[..], [".git/", "act/"]);
        assert_eq!(
            tree.list(&ci.join("act").unwrap())[..],
            ["action.yml", "out.yml"]
        );
        assert_eq!(Checkout::new(&shop).repository("acme/ci"), None);
    }

    #[test]
    fn names_that_are_not_utf8_are_passed_over() {
        use std::os::unix::ffi::OsStrExt;
        let (_folder, root) = repository();
        let name = std::ffi::OsStr::from_bytes(b"ci/\xff.yml");
        fs::write(root.join(name), "x").unwrap();
        assert_eq!(Checkout::new(&root).list(&at("ci"))[..], ["a.yml", "deep/"]);
    }
}
