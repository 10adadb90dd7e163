//! Functions of Python that a runner calls by name: sessions of nox, tasks of invoke. Their code is not followed; of a session it
//! is asked which programs it runs, as far as these stand there in so many words
//! (<https://nox.thea.codes/en/stable/config.html>).

use super::{Arg, commands, tools};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::Text;

/// Flags of nox behind which sessions stand.
const SESSIONS: [&str; 4] = ["-s", "-e", "--session", "--sessions"];

/// How a session runs a program.
const RUNS: [&str; 3] = [".run(", ".run_always(", ".run_install("];

/// Sub-commands of managers of packages that run nothing.
const INSTALLS: [&str; 8] = [
    "sync", "pip", "install", "lock", "export", "add", "build", "venv",
];

/// How often a session is handed on that this is followed.
const MAX_CALLS: usize = 32;

/// Whether sessions are named, and none of them runs tests. `checks`: names of what runs none, where the code does not tell.
pub(super) fn only_check(
    run: &JobRun<'_>,
    folder: &RepoPath,
    args: &[Arg],
    checks: &[&str],
) -> bool {
    let file = args
        .iter()
        .enumerate()
        .find_map(|(at, arg)| match arg.as_str() {
            "-f" | "--noxfile" => args.get(at + 1).and_then(|arg| run.resolve(&arg.text)),
            text => run.resolve(&Text::from(text.strip_prefix("--noxfile=")?)),
        });
    let file = file.or_else(|| folder.join("noxfile.py"));
    let source = file.and_then(|file| run.cx.sources.load(&file).ok());
    let runs_none = |name: &str| {
        let told = source.as_ref().and_then(|source| {
            let text = &source.text;
            let body = function(text, name).filter(|_| run.cx.spend_shell(text.len()))?;
            let mut left = MAX_CALLS;
            runs_tests(text, body, &mut left)
        });
        told.map_or_else(|| checks.contains(&name), |runs| !runs)
    };
    let mut names = named(args).into_iter().peekable();
    names.peek().is_some() && names.all(runs_none)
}

/// The sessions that a command line names: `-s a b`, `-rs a`, `--session=a`.
fn named(args: &[Arg]) -> Vec<&str> {
    let mut names = Vec::new();
    let mut are_names = false;
    for text in args.iter().map(Arg::as_str) {
        if text == "--" {
            break;
        }
        if !text.starts_with('-') {
            names.extend(are_names.then_some(text));
            continue;
        }
        let short = text.strip_prefix('-').filter(|text| !text.starts_with('-'));
        are_names = SESSIONS.contains(&text)
            || short.is_some_and(|flags| flags.len() < 4 && flags.ends_with(['s', 'e']));
        if let Some((flag, name)) = text.split_once('=')
            && SESSIONS.contains(&flag)
        {
            names.push(name);
        }
    }
    names
}

/// The function that is called by this name, from `def` to the next one. `tests-3.13` and `tests(x='1')` are sessions of `tests`.
pub(super) fn function<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let version = name.find("-3").or_else(|| name.find('('));
    let plain = name.get(..version.unwrap_or(name.len()))?;
    let mut found = None;
    // What stands before a function, and where it begins.
    let (mut above, mut begin) = (0, 0);
    let mut is_it = false;
    for line in text.split_inclusive('\n') {
        let start = begin;
        begin += line.len();
        let is_def = line.starts_with("def ") || line.starts_with("async def ");
        if line.starts_with('@') || line.starts_with("class ") || is_def {
            if let Some(from) = found {
                return text.get(from..start);
            }
            if line.starts_with('@') && !is_it {
                above = start;
                is_it = true;
            }
        }
        if is_def {
            let decorators = text.get(above..start).filter(|_| is_it).unwrap_or_default();
            let own = line.split("def ").nth(1)?.split('(').next()?.trim();
            let called = named_in(decorators).unwrap_or(own);
            let is_called = |name: &str| called == name || called == name.replace('-', "_");
            if is_called(plain) || is_called(name) {
                found = Some(start);
            }
            is_it = false;
        }
    }
    text.get(found?..)
}

/// `x` of `@nox.session(name="x")`.
fn named_in(decorators: &str) -> Option<&str> {
    let mut all = decorators.match_indices("name");
    all.find_map(|(at, key)| {
        let before = decorators.get(..at)?;
        let value = decorators.get(at + key.len()..)?.trim_start();
        let value = value.strip_prefix('=')?.trim_start();
        let is_key = before.ends_with(|c: char| matches!(c, '(' | ',') || c.is_whitespace());
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value.get(1..)?.split(quote).next().filter(|_| is_key)
    })
}

/// Whether a session of a file runs tests; `None` where its code does not say so in so many words.
fn runs_tests(text: &str, body: &str, left: &mut usize) -> Option<bool> {
    let (_, code) = body.split_once('(')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let session = code.trim_start().split(|c| !is_name(c)).next()?;
    if session.is_empty() {
        return None;
    }
    let mut runs = Some(false);
    // The first is the parameter itself.
    for (at, _) in code.match_indices(session).skip(1) {
        let before = code.get(..at)?;
        let after = code.get(at + session.len()..)?;
        let is_argument = before.trim_end().ends_with(['(', ',']) && after.starts_with([',', ')']);
        if !is_argument {
            continue;
        }
        *left = left.checked_sub(1)?;
        let line = before.rsplit('\n').next()?.trim_start();
        if line.starts_with('#') {
            continue;
        }
        let before = before.trim_end();
        // `_sync(session)`: a function of the file's own goes on with it.
        let name = before.strip_suffix('(').and_then(|before| {
            let name = before.rsplit(|c| !is_name(c)).next()?;
            (!before.ends_with(&format!(".{name}"))).then_some(name)
        });
        let other = name.and_then(|name| function(text, name));
        match other.and_then(|other| runs_tests(text, other, left)) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => runs = None,
        }
    }
    for (at, _) in body.match_indices('.') {
        let call = body.get(at..)?;
        let Some(arguments) = RUNS.iter().find_map(|verb| call.strip_prefix(verb)) else {
            continue;
        };
        match tests_by(arguments) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => runs = None,
        }
    }
    if body.contains(".notify(") {
        runs = None;
    }
    runs
}

/// The same of the arguments of one call: `"python", "-m", "pytest", *session.posargs)`.
fn tests_by(arguments: &str) -> Option<bool> {
    let mut words = Vec::new();
    let mut rest = arguments.trim_start();
    while let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\''))
        && words.len() < 64
    {
        let (word, after) = rest.get(1..)?.split_once(quote)?;
        words.push(word);
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    let key = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let are_all = rest.starts_with(')') || key.trim_start().starts_with('=');
    let mut words = words.as_slice();
    loop {
        let (first, others) = words.split_first()?;
        let name = commands::without_version(first);
        if tools::suites(name).next().is_some() {
            return Some(true);
        }
        if commands::runs_other(name) {
            return None;
        }
        let mut wrappers = tools::wrappers(name).peekable();
        if wrappers.peek().is_none() {
            return Some(false);
        }
        let of_module = others.iter().position(|word| *word == "-m");
        let of_verb = || {
            others
                .iter()
                .position(|word| matches!(*word, "run" | "exec"))
        };
        words = match of_module.or_else(of_verb) {
            Some(at) => others.get(at + 1..)?,
            // `coverage report`, `uv sync`, `poetry --version`
            None if name == "coverage" || others.iter().any(|word| INSTALLS.contains(word)) => {
                return Some(false);
            }
            None if are_all && wrappers.all(|wrapper| wrapper.words.is_some()) => {
                return Some(false);
            }
            None => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_says_which_programs_it_runs() {
        let file = r#"import nox
from x import session

@nox.session(python=["3.12"])
@nox.parametrize("x", ["1"])
def tests(session, x):
    session.run("python", "-m", "pytest", *session.posargs)

@nox.session(
    name="docs-build",
    venv_backend="uv",
)
def docs(
    s: nox.Session,
) -> None:
    s.install(".[test]")
    s.run_install("uv", "sync", external=True)
    s.run("sphinx-build", *s.posargs)

@session
def coverage(session):
    args = session.posargs or ["report"]
    session.run("coverage", "combine")
    session.run("coverage", *args)

@session
def measured(session):
    session.run('coverage', 'run', '-m', 'unittest')

def _all(session):
    session.run("pytest")

@session
def handed(session):
    _all(
        session,
        "x",
    )

@session
def synced(session):
    _sync(session, "--group", "docs")
    other.lint(session)

def _sync(s, *args):
    s.run_install("uv", "--quiet", "sync", f"--python={s}", *args)

@session
def looped(session):
    looped(session)

@session
def notes(session):
    session.notify("tests")

@session
def any_of_them(session):
    session.run(*session.posargs)

@session
def made(session):
    session.run("make", "check")

@session
def poetry(session):
    session.run("poetry", "run", "pytest", external=True)

@session(name = 'lint')
def checks(session):
    # _all(session)
    session.run("python", "-m", "mypy", "tests")
    session.run("pre-commit", "run", "--all-files")
"#;
        for (name, expected) in [
            ("tests", Some(true)),
            ("tests-3.12", Some(true)),
            ("tests(x='1')", Some(true)),
            ("docs-build", Some(false)),
            ("coverage", Some(false)),
            ("measured", Some(true)),
            ("handed", Some(true)),
            ("synced", None),
            ("_sync", Some(false)),
            ("looped", None),
            ("notes", None),
            ("any-of-them", None),
            ("made", None),
            ("poetry", Some(true)),
            ("lint", Some(false)),
        ] {
            let body = function(file, name).unwrap();
            assert_eq!(runs_tests(file, body, &mut 32), expected, "{name}: {body}");
        }
        for name in ["docs", "checks", "_al", "none"] {
            assert_eq!(function(file, name), None, "{name}");
        }
    }
}
