//! Calls a task runner over files held in memory and shows what it would run as plain lines, for the
//! tests of each reader.

use super::{Call, Recipe, Runner, recipes};
use crate::context::{Context, Options};
use crate::run::JobRun;
use crate::source::{MemoryTree, RepoPath, Span};
use crate::text::Text;

/// The repository of one test.
pub(super) fn tree(files: &[(&str, &str)]) -> MemoryTree {
    files.iter().fold(MemoryTree::new(), |tree, (path, text)| {
        tree.with(path, *text)
    })
}

/// A call as words: `-C FOLDER`, `-f FILE`, `-w WORKSPACE`, `NAME=value`, targets, and further
/// arguments after `--`. A `$` in a word makes it an unknown value.
fn call(run: &JobRun<'_>, runner: Runner, words: &str) -> Call {
    let span = Span::new(run.cx.sources.add(RepoPath::root(), String::new()).id, 0, 0);
    let mut call = Call {
        runner,
        span,
        directory: None,
        file: None,
        workspace: None,
        targets: Vec::new(),
        variables: Vec::new(),
        arguments: Vec::new(),
    };
    let text = |word: &str| match word.split_once('$') {
        Some((before, name)) if name.starts_with(char::is_alphabetic) => {
            Text::new(format!("{before}{}", run.variable(name).as_str()))
        }
        _ => Text::from(word),
    };
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "-C" => call.directory = words.next().map(text),
            "-f" => call.file = words.next().map(text),
            "-w" => call.workspace = words.next().map(text),
            "--" => call.arguments = words.by_ref().map(text).collect(),
            _ => match word.split_once('=') {
                Some((name, value)) => call.variables.push((name.to_owned(), text(value))),
                None => call.targets.push(text(word)),
            },
        }
    }
    call
}

/// The recipes of a call.
pub(super) fn called(
    run: &JobRun<'_>,
    runner: Runner,
    words: &str,
) -> Result<Vec<Recipe>, super::Failure> {
    let all = recipes(run, &call(run, runner, words), |_, _| true)?;
    Ok(all.to_vec())
}

/// Gives the recipes of a call, or what is said instead, to `look`.
pub(super) fn with<R>(
    tree: &MemoryTree,
    runner: Runner,
    words: &str,
    set: impl FnOnce(&mut JobRun<'_>),
    look: impl FnOnce(&JobRun<'_>, Result<Vec<Recipe>, super::Failure>) -> R,
) -> R {
    let options = Options::default();
    let cx = Context::new(tree, &options);
    let mut run = JobRun::new(&cx);
    set(&mut run);
    let found = called(&run, runner, words);
    look(&run, found)
}

/// What a call runs, one line for each line of a script; `FOLDER$ ` before it when that is not the
/// root, `[if …] ` when it is under a condition. A failure is a line that begins with `! `.
pub(super) fn runs(files: &[(&str, &str)], runner: Runner, words: &str) -> String {
    with(
        &tree(files),
        runner,
        words,
        |_| {},
        |run, found| shown(run, &found),
    )
}

pub(super) fn shown(run: &JobRun<'_>, found: &Result<Vec<Recipe>, super::Failure>) -> String {
    match found {
        Err(super::Failure::NoSuchName(why)) => format!("!name {}", run.cx.holes.show(why)),
        Err(why) => format!("! {}", run.cx.holes.show(&why.to_string())),
        Ok(recipes) => {
            let lines = recipes.iter().map(|recipe| {
                let folder = match recipe.cwd.as_str() {
                    "" => String::new(),
                    folder => format!("{folder}$ "),
                };
                let guards: String = recipe
                    .guards
                    .iter()
                    .map(|g| {
                        let sense = if g.holds { "if" } else { "unless" };
                        format!("[{sense} {}] ", run.cx.holes.show(&g.text))
                    })
                    .collect();
                let script = run.cx.holes.show(&recipe.script.text);
                format!("{folder}{guards}{}", script.trim_end())
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// The source text that `word` of the scripts is said to be written as, with its file and line.
pub(super) fn written(files: &[(&str, &str)], runner: Runner, words: &str, word: &str) -> String {
    with(
        &tree(files),
        runner,
        words,
        |_| {},
        |run, found| {
            for recipe in found.unwrap() {
                if let Some(at) = recipe.script.text.find(word) {
                    let span = recipe.script.span(at, at + word.len());
                    let source = run.cx.sources.get(span.file);
                    let line = source.position(span.start).line;
                    let text = source.slice(span.start, span.end);
                    return format!("{}:{line}: {text}", source.path);
                }
            }
            panic!("no `{word}` in the scripts");
        },
    )
}

/// A call's environment: `NAME=value` of the last recipe, sorted.
pub(super) fn environment(files: &[(&str, &str)], runner: Runner, words: &str) -> Vec<String> {
    with(
        &tree(files),
        runner,
        words,
        |_| {},
        |run, found| {
            let found = found.unwrap();
            let env = found.last().map(|r| r.env.clone()).unwrap_or_default();
            let mut all: Vec<String> = env
                .iter()
                .map(|(name, value)| format!("{name}={}", run.show(value)))
                .collect();
            all.sort();
            all
        },
    )
}
