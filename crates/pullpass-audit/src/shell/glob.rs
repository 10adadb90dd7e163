//! `docker build -f cmd/*/Dockerfile .`: the names that a shell, or make, puts in for a pattern are those of
//! the repository.

use super::Shell;
use super::pattern::{Match, Pattern, matches};
use super::redirect::below_root;
use crate::run::{Cwd, JobRun};
use crate::source::RepoPath;
use crate::text::Text;

/// Names that one pattern may stand for; a list that is longer is treated as one that is not known.
const MAX_NAMES: usize = 64;

/// Bytes of a pattern.
const MAX_PATTERN: usize = 256;

/// Folders that `**` may stand for.
const MAX_FOLDERS: usize = 1_000;

impl Shell {
    /// The paths that a pattern stands for, in order. `None` when there is none in the repository, or when it
    /// cannot be told.
    pub(super) fn names_for(&self, run: &JobRun<'_>, pattern: &Text) -> Option<Vec<Text>> {
        let Cwd::Inside(cwd) = &run.cwd else {
            return None;
        };
        // `shopt -s globstar`
        let deep = pattern.as_str().contains("**") && self.text.text.contains("globstar");
        let names = unfolded(run, cwd, pattern, MAX_NAMES, deep)?;
        Some(names.into_iter().map(Text::from).collect())
            .filter(|names: &Vec<Text>| !names.is_empty())
    }
}

/// The paths that a pattern stands for in a folder of the repository, in order. `None` when it cannot be told,
/// or when there are more of them than `most`.
pub(crate) fn paths(
    run: &JobRun<'_>,
    cwd: &RepoPath,
    pattern: &Text,
    most: usize,
) -> Option<Vec<String>> {
    unfolded(run, cwd, pattern, most, false)
}

/// The same; `deep`: `**` stands for any number of folders. What is found is kept.
fn unfolded(
    run: &JobRun<'_>,
    cwd: &RepoPath,
    pattern: &Text,
    most: usize,
    deep: bool,
) -> Option<Vec<String>> {
    // What an absolute path means, the run says.
    if pattern.as_str().starts_with(['/', '~']) || !pattern.is_known() {
        return look_up(run, cwd, pattern, most, deep);
    }
    let written = pattern.as_str();
    let key = (cwd.clone(), format!("{most} {deep} {written}"));
    if let Some(known) = run.cx.unfolded.borrow().get(&key) {
        return known.as_deref().map(<[String]>::to_vec);
    }
    let found = look_up(run, cwd, pattern, most, deep);
    // Where the work is used up, nothing was found out.
    if found.is_some() || run.cx.spend() {
        let kept = found.as_deref().map(Into::into);
        run.cx.unfolded.borrow_mut().insert(key, kept);
    }
    found
}

fn look_up(
    run: &JobRun<'_>,
    cwd: &RepoPath,
    pattern: &Text,
    most: usize,
    deep: bool,
) -> Option<Vec<String>> {
    // An absolute path may lead into the repository; the names begin as it does.
    let inside = below_root(run, pattern);
    let (begins, rest, from) = match &inside {
        Some(rest) => {
            let length = pattern.as_str().len().checked_sub(rest.len())?;
            (
                pattern.as_str().get(..length)?,
                rest.as_str(),
                RepoPath::root(),
            )
        }
        None => ("", pattern.as_str(), cwd.clone()),
    };
    if !Text::from(rest).is_known()
        || rest.starts_with(['/', '~'])
        || rest.contains('[')
        || rest.len() > MAX_PATTERN
    {
        return None;
    }
    let folders_only = rest.ends_with('/');
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let mut found = vec![(begins.to_owned(), from)];
    for (index, part) in parts.iter().enumerate() {
        let goes_on = folders_only || index + 1 < parts.len();
        if deep && *part == "**" && goes_on {
            found = with_folders(run, found)?;
            continue;
        }
        let mut next = Vec::new();
        for (written, folder) in &found {
            for name in names_in(run, folder, part, goes_on) {
                let Some(path) = folder.join(&name) else {
                    continue;
                };
                let slash = if goes_on { "/" } else { "" };
                next.push((format!("{written}{name}{slash}"), path));
            }
            if next.len() > most || !run.cx.spend() {
                return None;
            }
        }
        found = next;
    }
    Some(found.into_iter().map(|(written, _)| written).collect())
}

/// Folders, and all that are below them; `None` where there are too many.
fn with_folders(
    run: &JobRun<'_>,
    begins: Vec<(String, RepoPath)>,
) -> Option<Vec<(String, RepoPath)>> {
    let mut all = begins;
    let mut at = 0;
    while let Some((written, folder)) = all.get(at).cloned() {
        at += 1;
        if all.len() > MAX_FOLDERS || !run.cx.spend() {
            return None;
        }
        for name in names_in(run, &folder, "*", true) {
            let inside = folder
                .join(&name)
                .map(|path| (format!("{written}{name}/"), path));
            all.extend(inside);
        }
    }
    all.sort();
    all.dedup();
    Some(all)
}

/// What one part of a pattern stands for inside of a folder.
fn names_in(run: &JobRun<'_>, folder: &RepoPath, part: &str, goes_on: bool) -> Vec<String> {
    let tree = run.cx.sources.tree();
    if !part.contains(['*', '?']) {
        let there = |path: &RepoPath| {
            path.is_root() || !tree.list(path).is_empty() || !goes_on && run.cx.sources.exists(path)
        };
        return match folder.join(part).filter(there) {
            Some(_) => vec![part.to_owned()],
            None => Vec::new(),
        };
    }
    let pattern = Pattern::parse(part);
    let mut names = Vec::new();
    for listed in tree.list(folder).iter() {
        // A long one takes longer to compare.
        if !(0..=part.len() / 32).all(|_| run.cx.spend()) {
            break;
        }
        let (name, is_folder) = match listed.strip_suffix('/') {
            Some(name) => (name, true),
            None => (listed.as_str(), false),
        };
        let hidden = name.starts_with('.') && !part.starts_with('.');
        if !hidden && (is_folder || !goes_on) && matches(&pattern, name) == Match::Yes {
            names.push(name.to_owned());
        }
    }
    names
}
