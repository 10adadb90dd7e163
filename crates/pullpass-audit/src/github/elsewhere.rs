//! Actions and workflows that are named by their repository, `owner/name/path@version` or `$/path`, where
//! the files of the repository can be had: it is this one, or one whose folder was given or is audited too.
//!
//! Whatever the version, the files are read as they stand there.

use crate::context::Context;
use crate::source::{RepoPath, Source};

use super::table;

/// How a `uses` begins that means the repository which it is written in, at the commit that runs. The
/// runner brings those files along, as it does with any action that is named by its repository
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>).
pub(super) const SELF: &str = "$/";

/// The folder of the action, or the file of the workflow, that `uses` names; `source` is where it does.
pub(super) fn find(cx: &Context<'_>, source: &Source, uses: &str) -> Option<RepoPath> {
    if let Some(path) = uses.strip_prefix(SELF) {
        return root_of(cx, source).join(path);
    }
    let (name, _) = table::name_and_version(uses);
    let (repository, path) = split(name)?;
    cx.sources.tree().repository(repository)?.join(path)
}

/// `owner/name/path` as `owner/name` and `path`.
fn split(name: &str) -> Option<(&str, &str)> {
    let owner = name.find('/')?;
    let rest = name.get(owner + 1..)?;
    match rest.find('/') {
        Some(end) => Some((name.get(..owner + 1 + end)?, rest.get(end + 1..)?)),
        None => Some((name, "")),
    }
}

/// The root of the repository that a file is of.
pub(super) fn root_of(cx: &Context<'_>, source: &Source) -> RepoPath {
    let name = source.path.elsewhere();
    name.and_then(|name| cx.sources.tree().repository(name))
        .unwrap_or_default()
}
