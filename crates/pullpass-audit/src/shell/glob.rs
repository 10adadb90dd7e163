//! `for d in services/*/; do docker build "$d"; done`: the names that a shell puts in for a pattern
//! are those of the repository.

use super::Shell;
use super::pattern::{Match, Pattern, matches};
use crate::run::{Cwd, JobRun};
use crate::source::RepoPath;
use crate::text::Text;

/// Names that one pattern may stand for; a list that is longer is treated as one that is not known.
const MAX_NAMES: usize = 64;

impl Shell {
    /// The paths that a pattern without unknown parts stands for, in order. `None` when there is
    /// none in the repository, or when it cannot be told.
    pub(super) fn names_for(&self, run: &JobRun<'_>, pattern: &str) -> Option<Vec<Text>> {
        let Cwd::Inside(cwd) = &run.cwd else {
            return None;
        };
        if pattern.starts_with(['/', '~']) || pattern.contains('[') {
            return None;
        }
        let folders_only = pattern.ends_with('/');
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        let mut found = vec![(String::new(), cwd.clone())];
        for (index, part) in parts.iter().enumerate() {
            let goes_on = folders_only || index + 1 < parts.len();
            let mut next = Vec::new();
            for (written, folder) in &found {
                for name in names_in(run, folder, part, goes_on) {
                    let Some(path) = folder.join(&name) else {
                        continue;
                    };
                    let slash = if goes_on { "/" } else { "" };
                    next.push((format!("{written}{name}{slash}"), path));
                }
                if next.len() > MAX_NAMES || !run.cx.spend() {
                    return None;
                }
            }
            found = next;
        }
        let names = found.into_iter().map(|(written, _)| Text::from(written));
        Some(names.collect()).filter(|names: &Vec<Text>| !names.is_empty())
    }
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
    for listed in tree.list(folder) {
        if !run.cx.spend() {
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
