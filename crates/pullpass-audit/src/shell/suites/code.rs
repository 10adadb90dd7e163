//! Tests whose own code runs a container client or speaks to an engine: fixtures in `conftest.py`, helpers beside tests of
//! JavaScript. They are not followed; the step that runs them is unknown.

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;

use super::super::{Arg, other_languages};
use super::{NOT_OURS, go};
use crate::context::Context;
use crate::effect::By;
use crate::run::JobRun;
use crate::source::{RepoPath, Span};

/// Folders and files of one project that are looked at.
const MAX_FOLDERS: usize = 100;
const MAX_FILES: usize = 150;

/// How deep below the project tests stand.
const MAX_DEPTH: usize = 5;

/// A language of tests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    Python,
    Javascript,
    Go,
}

/// Where the tests of a language run a client in folders or files, and how.
pub(crate) type Known = HashMap<(Vec<RepoPath>, Language), Option<(RepoPath, String)>>;

/// Folders whose code is for tests.
const OF_TESTS: [&str; 10] = [
    "test/",
    "tests/",
    "__tests__/",
    "spec/",
    "e2e/",
    "integration/",
    "it/",
    "test-utils/",
    "testing/",
    "testutils/",
];

/// Folders that hold neither tests nor what they use.
const NO_CODE: [&str; 6] = [
    "venv/",
    "site-packages/",
    "fixtures/",
    "__snapshots__/",
    "testdata/",
    "docs/",
];

/// What these tests do with containers, which is not read.
pub(super) fn tests(
    run: &mut JobRun<'_>,
    name: &str,
    folder: &RepoPath,
    args: &[Arg],
    language: Language,
    span: Span,
) {
    if language == Language::Go {
        return go::code::tests(run, name, folder, args, span);
    }
    // They run what their own configurations say.
    if matches!(name, "tox" | "nox") {
        return;
    }
    let path = |arg: &Arg| {
        let text = arg.as_str().split("::").next().unwrap_or_default();
        if text.starts_with('-') || text.is_empty() {
            return None;
        }
        let path = folder.join(text)?;
        let is_here = run.cx.sources.exists(&path) || !run.cx.sources.tree().list(&path).is_empty();
        is_here.then_some(path)
    };
    let mut places: Vec<RepoPath> = args.iter().filter_map(path).take(16).collect();
    if places.is_empty() {
        places.push(folder.clone());
    }
    let key = (places, language);
    let known = run.cx.test_code.borrow().get(&key).cloned();
    let found = known.unwrap_or_else(|| {
        let found = look(run.cx, folder, &key.0, language);
        run.cx.test_code.borrow_mut().insert(key, found.clone());
        found
    });
    if let Some((path, how)) = found {
        let why = format!("their code {how} in `{path}`, and is not read further");
        run.opaque(span, "the tests", why, By::Run);
    }
}

fn look(
    cx: &Context<'_>,
    folder: &RepoPath,
    places: &[RepoPath],
    language: Language,
) -> Option<(RepoPath, String)> {
    let mut files: Vec<RepoPath> = Vec::new();
    let mut open: Vec<(RepoPath, usize, bool)> = Vec::new();
    for place in places {
        if !place.is_root() && cx.sources.tree().list(place).is_empty() {
            files.push(place.clone());
        } else {
            let named = format!("{}/", place.name());
            open.push((place.clone(), 0, OF_TESTS.contains(&named.as_str())));
        }
        // Fixtures above are those of the tests, too.
        if language == Language::Python {
            let mut above = place.parent();
            while place != folder && above.as_str().starts_with(folder.as_str()) {
                files.extend(above.join("conftest.py"));
                if above == *folder || above.is_root() {
                    break;
                }
                above = above.parent();
            }
        }
    }
    let mut folders = MAX_FOLDERS;
    while let Some((at, depth, of_tests)) = open.pop() {
        folders = folders.checked_sub(1)?;
        for name in cx.sources.tree().list(&at).iter() {
            let Some(path) = at.join(name) else {
                continue;
            };
            if name.ends_with('/') {
                let skipped = name.starts_with('.')
                    || NOT_OURS.contains(&name.as_str())
                    || NO_CODE.contains(&name.as_str());
                if !skipped && depth < MAX_DEPTH {
                    let of_tests = of_tests || OF_TESTS.contains(&name.as_str());
                    open.push((path, depth + 1, of_tests));
                }
            } else if language.is_of_tests(name, of_tests) && files.len() < MAX_FILES {
                files.push(path);
            }
        }
    }
    let given = files.len();
    let mut seen: HashSet<RepoPath> = files.iter().cloned().collect();
    let mut at = 0;
    while let Some(path) = files.get(at).cloned().filter(|_| cx.spend()) {
        at += 1;
        let Ok(source) = cx.sources.load(&path) else {
            continue;
        };
        let only_expects = language.only_expects(path.name());
        if let Some(how) = other_languages::client_in_tests(&source.text, only_expects) {
            return Some((path, how));
        }
        // What they share may stand beside their folder.
        if language == Language::Javascript && at <= given {
            for import in other_languages::imports_of(cx, &path, &source.text) {
                let is_of_tests = is_below_tests(&import) && !seen.contains(&import);
                if is_of_tests && files.len() < MAX_FILES {
                    seen.insert(import.clone());
                    files.push(import);
                }
            }
        }
    }
    None
}

/// Whether a file stands in a folder whose code is for tests.
pub(super) fn is_below_tests(path: &RepoPath) -> bool {
    let mut folders = path.as_str().split_inclusive('/');
    folders.any(|folder| OF_TESTS.contains(&folder))
}

impl Language {
    /// Whether a file is of tests whose commands are often those that they only expect: a module of Python's, beside its fixtures.
    fn only_expects(self, name: &str) -> bool {
        self == Self::Python && (name.starts_with("test_") || name.ends_with("_test.py"))
    }

    /// Whether a file is code for tests, which may start something.
    fn is_of_tests(self, name: &str, in_tests: bool) -> bool {
        match self {
            Self::Python => {
                name == "conftest.py" || in_tests && name.ends_with(".py") && name != "__init__.py"
            }
            Self::Go => false,
            Self::Javascript => {
                let is_code = [".js", ".ts", ".mjs", ".cjs", ".mts", ".cts", ".tsx", ".jsx"]
                    .iter()
                    .any(|ending| name.ends_with(ending));
                // `vitest.setup.ts`, `setupTests.js`
                let sets_up = || {
                    let name = name.to_ascii_lowercase();
                    let of_tests = ["test", "jest", "global"];
                    name.contains("setup") && of_tests.iter().any(|word| name.contains(word))
                };
                is_code
                    && (in_tests || name.contains(".test.") || name.contains(".spec.") || sets_up())
            }
        }
    }
}
