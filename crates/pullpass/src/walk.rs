//! Which repositories the paths on the command line mean.
//!
//! ```text
//! PATH ─┬─ a file ────────────► that file, with the repository around it
//!       ├─ a repository ──────► it
//!       ├─ a folder of many ──► each, found in parallel; none is looked into
//!       └─ inside of one ─────► the repository around it
//! ```
//!
//! The order of the result is that of the paths and, below a path, of the names: two runs over the
//! same files say the same thing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use pullpass_audit::source::{MAX_FILE_BYTES, RepoPath};
use rayon::prelude::*;

use crate::error::{Error, ErrorKind, Result};
use crate::listing::Listing;

/// How deep repositories are searched for. A fleet sorted by host, owner and group needs four.
const MAX_DEPTH: usize = 32;

/// What of a repository is audited.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scope {
    /// All of its CI files.
    Whole,
    /// One file.
    File(RepoPath),
    /// One text in the place of a file.
    Text(RepoPath, Vec<u8>),
}

/// One repository to audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// Its folder; `None` for a text with nothing around it.
    pub(crate) root: Option<PathBuf>,
    /// Its name in reports.
    pub(crate) name: String,
    /// What of it.
    pub(crate) scope: Scope,
    /// The names at its root, where these were looked at to find it.
    pub(crate) names: Option<Listing>,
}

impl Target {
    /// Where the repository is, as seen from the current folder: empty, or ending in `/`.
    pub(crate) fn prefix(&self) -> String {
        let Some(root) = &self.root else {
            return String::new();
        };
        let text = shown(root);
        match text.as_str() {
            "" | "." => String::new(),
            "/" => text,
            _ => format!("{text}/"),
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Found {
    /// The repositories, in order, each once.
    pub(crate) targets: Vec<Target>,
    /// Folders that hold no repository.
    pub(crate) empty: Vec<PathBuf>,
    /// Folders that could not be listed, and why.
    pub(crate) unlisted: Vec<(PathBuf, String)>,
}

/// Finds the repositories that `paths` mean. `-` is standard input, named `stdin_name`.
pub(crate) fn find(paths: &[PathBuf], stdin_name: Option<&Path>) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        if path == Path::new("-") {
            found.targets.push(standard_input(stdin_name)?);
            continue;
        }
        let metadata = fs::metadata(path).map_err(|e| Error::unreadable("path", path, &e))?;
        if metadata.is_dir() {
            folder(path, &mut found);
        } else if metadata.is_file() {
            found.targets.push(file(path)?);
        } else {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("audit `{}`", path.display()),
                "it is neither a file nor a folder",
                "to audit what a command prints, pipe it into `pullpass audit -`",
            ));
        }
    }
    // Below one path nothing is found twice, for links are not followed.
    if paths.len() > 1 {
        let mut seen = HashSet::new();
        found.targets.retain(|target| {
            let real = target.root.as_deref().map(real);
            seen.insert((real, target.scope.clone()))
        });
    }
    tell_apart(&mut found.targets);
    Ok(found)
}

/// Two repositories with one name are told apart by their paths.
fn tell_apart(targets: &mut [Target]) {
    let mut uses: HashMap<String, usize> = HashMap::new();
    for target in &*targets {
        if target.scope == Scope::Whole {
            *uses.entry(target.name.clone()).or_default() += 1;
        }
    }
    for target in targets {
        if uses.get(&target.name).is_some_and(|&n| n > 1)
            && let Some(root) = &target.root
        {
            target.name = shown(root);
        }
    }
}

fn standard_input(name: Option<&Path>) -> Result<Target> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::unreadable("file", Path::new("standard input"), &e))?;
    let Some(name) = name else {
        return Ok(Target {
            root: None,
            name: "stdin".to_owned(),
            scope: Scope::Text(repo_path("stdin.yml", Path::new("-"))?, bytes),
            names: None,
        });
    };
    let mut target = file(name)?;
    if let Scope::File(path) = target.scope {
        target.scope = Scope::Text(path, bytes);
    }
    Ok(target)
}

/// A CI file, with the repository around it or else its folder.
fn file(path: &Path) -> Result<Target> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let root = around(parent).unwrap_or_else(|| parent.to_owned());
    let inside = real(parent);
    let inside = inside
        .strip_prefix(real(&root))
        .unwrap_or(Path::new(""))
        .join(path.file_name().unwrap_or_default());
    let text = inside
        .components()
        .map(|c| c.as_os_str().to_str())
        .collect::<Option<Vec<_>>>()
        .map(|parts| parts.join("/"))
        .unwrap_or_default();
    Ok(Target {
        name: name_of(&root),
        root: Some(root),
        scope: Scope::File(repo_path(&text, path)?),
        names: None,
    })
}

fn repo_path(text: &str, path: &Path) -> Result<RepoPath> {
    RepoPath::new(text).filter(|p| !p.is_root()).ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("audit `{}`", path.display()),
            "its name is not UTF-8",
            "rename it, or pipe it into `pullpass audit -`",
        )
    })
}

fn folder(path: &Path, found: &mut Found) {
    let Look {
        kind,
        folders,
        names,
        unlisted,
    } = look(path);
    found.unlisted.extend(unlisted);
    if kind == Kind::Repository {
        found.targets.push(whole(path, name_of(path), Some(names)));
        return;
    }
    // A repository without CI of its own may hold others (submodules, a folder of clones that is
    // itself under version control); inside of it only what has a `.git` is one.
    let below = Below {
        only_git: kind == Kind::GitOnly,
        depth: MAX_DEPTH,
    };
    let mut roots = Vec::new();
    descend(folders, below, &mut roots, &mut found.unlisted);
    if kind == Kind::GitOnly {
        found.targets.push(whole(path, name_of(path), Some(names)));
    }
    if roots.is_empty() {
        if kind != Kind::GitOnly {
            match around(path) {
                Some(root) => found.targets.push(whole(&root, name_of(&root), None)),
                None => found.empty.push(path.to_owned()),
            }
        }
        return;
    }
    roots.sort_by(|(a, _), (b, _)| a.cmp(b));
    found.targets.extend(roots.into_iter().map(|(root, names)| {
        let name = shown(root.strip_prefix(path).unwrap_or(&root));
        whole(&root, name, Some(names))
    }));
}

fn whole(root: &Path, name: String, names: Option<Listing>) -> Target {
    Target {
        root: Some(root.to_owned()),
        name,
        scope: Scope::Whole,
        names,
    }
}

#[derive(Clone, Copy)]
struct Below {
    only_git: bool,
    depth: usize,
}

fn descend(
    folders: Vec<PathBuf>,
    below: Below,
    roots: &mut Vec<(PathBuf, Listing)>,
    unlisted: &mut Vec<(PathBuf, String)>,
) {
    let visit = |folder: PathBuf| {
        let mut roots = Vec::new();
        let Look {
            kind,
            folders,
            names,
            unlisted,
        } = look(&folder);
        let mut unlisted: Vec<_> = unlisted.into_iter().collect();
        let hidden = folder.file_name().is_some_and(is_hidden);
        if kind == Kind::GitOnly
            || kind == Kind::Repository && (!below.only_git || has_git(&folder))
        {
            roots.push((folder, names));
        } else if !hidden && below.depth > 0 {
            let below = Below {
                depth: below.depth - 1,
                ..below
            };
            descend(folders, below, &mut roots, &mut unlisted);
        }
        (roots, unlisted)
    };
    // Starting threads costs more than a few folders do.
    let results: Vec<_> = if folders.len() < 16 {
        folders.into_iter().map(visit).collect()
    } else {
        folders.into_par_iter().map(visit).collect()
    };
    for (more, failed) in results {
        roots.extend(more);
        unlisted.extend(failed);
    }
}

/// What a folder is, by the names in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A repository with CI files.
    Repository,
    /// A repository without.
    GitOnly,
    /// Neither.
    Plain,
}

/// What one listing of a folder tells.
struct Look {
    /// What it is.
    kind: Kind,
    /// The folders in it that may hold repositories.
    folders: Vec<PathBuf>,
    /// The names in it.
    names: Listing,
    /// Why it could not be listed, if so.
    unlisted: Option<(PathBuf, String)>,
}

fn look(path: &Path) -> Look {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            let why = crate::error::in_words(&error);
            return Look {
                kind: Kind::Plain,
                folders: Vec::new(),
                names: Listing::default(),
                unlisted: Some((path.to_owned(), why)),
            };
        }
    };
    let (mut git, mut ci) = (false, false);
    let mut folders = Vec::new();
    let mut names = Listing::default();
    for entry in entries.filter_map(std::result::Result::ok) {
        let name = entry.file_name();
        if let Some(name) = name.to_str() {
            names.add(name, entry.file_type().ok());
        }
        match name.to_str() {
            Some(".git") => git = true,
            Some(".circleci") => {
                ci |= match entry.file_type() {
                    Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                    _ => path.join(&name).is_dir(),
                }
            }
            Some(".github") => {
                let github = path.join(&name);
                // A clone of an organisation's repository `.github` is a neighbour, not our CI.
                if has_git(&github) {
                    folders.push(github);
                } else {
                    ci |= github.join("workflows").is_dir();
                }
            }
            Some("node_modules") => {}
            // Symbolic links to folders are not followed: what they lead to is found where it is.
            _ if entry.file_type().is_ok_and(|t| t.is_dir()) => folders.push(path.join(&name)),
            _ => {}
        }
    }
    let kind = match (ci, git) {
        (true, _) => Kind::Repository,
        (false, true) => Kind::GitOnly,
        (false, false) => Kind::Plain,
    };
    Look {
        kind,
        folders,
        names,
        unlisted: None,
    }
}

fn has_git(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(".git")).is_ok()
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The repository that `folder` stands in.
fn around(folder: &Path) -> Option<PathBuf> {
    let is_repository = |at: &Path| {
        has_git(at)
            || at.join(".circleci").is_dir()
            || at.join(".github/workflows").is_dir() && !has_git(&at.join(".github"))
    };
    // The path as it was given is nicer to read than the real one, as long as it leads up.
    let plain = !folder
        .components()
        .any(|c| matches!(c, Component::ParentDir | Component::CurDir));
    if plain
        && let Some(at) = folder
            .ancestors()
            .take_while(|a| !a.as_os_str().is_empty())
            .find(|a| is_repository(a))
    {
        return Some(at.to_owned());
    }
    let current = std::env::current_dir().unwrap_or_default();
    let real = real(folder);
    let at = real.ancestors().find(|a| is_repository(a))?;
    Some(match real.strip_prefix(&current) {
        _ if at == current => PathBuf::from("."),
        Ok(_) => at.strip_prefix(&current).unwrap_or(at).to_owned(),
        Err(_) => at.to_owned(),
    })
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A path for people, and for reports on every system: `/` between its parts, no `./` in front.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.into_owned()
    };
    let mut text = text.as_str();
    while let Some(rest) = text.strip_prefix("./") {
        text = rest.trim_start_matches('/');
    }
    match text.trim_end_matches('/') {
        "" if text.starts_with('/') => "/".to_owned(),
        text => text.to_owned(),
    }
}

/// The name of a repository: that of its folder.
fn name_of(root: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    match root.components().next_back() {
        Some(Component::Normal(_)) => name(root),
        _ => name(&real(root)),
    }
    .unwrap_or_else(|| shown(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(folders: &[&str]) -> tempfile::TempDir {
        let fleet = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(fleet.path().join(folder)).unwrap();
        }
        fleet
    }

    fn names(fleet: &tempfile::TempDir, path: &str) -> Vec<String> {
        let path = fleet.path().join(path);
        let found = find(&[path], None).unwrap();
        found.targets.into_iter().map(|t| t.name).collect()
    }

    #[test]
    fn a_folder_of_many_gives_each_by_its_path_in_order() {
        let fleet = fleet(&[
            "b/.git",
            "a/.circleci",
            "team/c/.github/workflows",
            "team/d/.github",
            "node_modules/e/.git",
            ".cache/f/.git",
        ]);
        assert_eq!(names(&fleet, ""), ["a", "b", "team/c"]);
    }

    #[test]
    fn a_found_repository_is_not_looked_into() {
        let fleet = fleet(&["a/.circleci", "a/vendor/b/.circleci", "a/vendor/c/.git"]);
        assert_eq!(names(&fleet, ""), ["a"]);
        assert_eq!(names(&fleet, "a"), ["a"]);
    }

    #[test]
    fn a_repository_without_ci_may_hold_others_that_have_git() {
        let fleet = fleet(&["all/.git", "all/x/.git", "all/template/.github/workflows"]);
        assert_eq!(names(&fleet, "all"), ["all", "x"]);
    }

    #[test]
    fn an_organisations_dot_github_repository_is_one_of_many() {
        let fleet = fleet(&["a/.git", ".github/.git", ".github/workflows"]);
        assert_eq!(names(&fleet, ""), [".github", "a"]);
    }

    #[test]
    fn a_folder_inside_of_a_repository_means_the_repository() {
        let fleet = fleet(&["a/.git", "a/.circleci", "a/src/deep"]);
        assert_eq!(names(&fleet, "a/src/deep"), ["a"]);
        assert_eq!(names(&fleet, "a/.circleci"), ["a"]);
    }

    #[test]
    fn a_file_is_audited_in_the_repository_around_it() {
        let fleet = fleet(&["a/.git", "a/.circleci"]);
        let path = fleet.path().join("a/.circleci/config.yml");
        fs::write(&path, "").unwrap();
        let found = find(&[path], None).unwrap();
        let path = RepoPath::new(".circleci/config.yml").unwrap();
        assert_eq!(found.targets[0].scope, Scope::File(path));
        assert_eq!(found.targets[0].name, "a");
    }

    #[test]
    fn a_repository_named_twice_is_audited_once() {
        let fleet = fleet(&["a/.git"]);
        let paths = [fleet.path().join("a"), fleet.path().to_owned()];
        assert_eq!(find(&paths, None).unwrap().targets.len(), 1);
    }

    #[test]
    fn namesakes_are_told_apart() {
        let fleet = fleet(&["x/app/.git", "y/app/.git"]);
        let paths = [fleet.path().join("x/app"), fleet.path().join("y/app")];
        let found = find(&paths, None).unwrap();
        assert_ne!(found.targets[0].name, found.targets[1].name);
    }

    #[test]
    fn an_empty_folder_is_said_to_be_empty() {
        let fleet = fleet(&["nothing/here"]);
        let found = find(&[fleet.path().to_owned()], None).unwrap();
        assert!(found.targets.is_empty());
        assert_eq!(found.empty.len(), 1);
    }

    #[test]
    fn paths_are_shown_without_noise() {
        for (path, expected) in [("./a/", "a"), (".", "."), ("/", "/"), ("../a", "../a")] {
            assert_eq!(shown(Path::new(path)), expected);
        }
    }
}
