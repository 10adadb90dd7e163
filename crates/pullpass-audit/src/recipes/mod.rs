//! CI steps like `make test` or `npm run e2e` pull images that no CI file mentions: the recipes of
//! task runners (`make`, `just`, `task`, `npm` and its kin) stand elsewhere in the same repository.
//!
//! Each reader turns a call into the scripts that it would run, in order; the shell follows them.

mod just;
mod make;
mod npm;
mod nx;
mod tables;
mod task;

pub(crate) use make::{Readings, Templates, Texts};
pub use tables::Tables;
pub(crate) use tables::place as place_in_toml;

use std::fmt;
use std::rc::Rc;

use crate::effect::Guard;
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{Holes, Mapped, Text, is_hole};

/// One script that a task runner runs.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The script, with the runner's own variables put in.
    pub script: Mapped,
    /// The folder it runs in.
    pub cwd: RepoPath,
    /// Variables it adds to the environment.
    pub env: Rc<[(String, Text)]>,
    /// Conditions of the runner's own file (`ifdef CI`) under which it runs.
    pub guards: Rc<[Guard]>,
    /// Where the rule or entry is written.
    pub span: Span,
    /// For the story: "`make test` runs this recipe".
    pub note: Rc<str>,
}

impl Recipe {
    /// Does something in the state that the recipe runs in, and leaves that state again: what a
    /// recipe sets ends with it.
    pub fn enter<R>(&self, run: &mut JobRun<'_>, act: impl FnOnce(&mut JobRun<'_>) -> R) -> R {
        let cwd = std::mem::replace(&mut run.cwd, Cwd::Inside(self.cwd.clone()));
        let env = run.variables();
        run.env.extend(self.env.iter().cloned());
        let result = run.traced(self.span, Rc::clone(&self.note), |run| {
            under(run, &self.guards, Box::new(act))
        });
        run.env = env;
        run.cwd = cwd;
        result
    }
}

fn under<R>(
    run: &mut JobRun<'_>,
    guards: &[Guard],
    act: Box<dyn FnOnce(&mut JobRun<'_>) -> R + '_>,
) -> R {
    match guards.split_first() {
        Some((guard, rest)) => run.guarded(guard.clone(), |run| under(run, rest, act)),
        None => act(run),
    }
}

/// Which task runner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Runner {
    /// GNU make.
    Make,
    /// just.
    Just,
    /// Task, whose file is a Taskfile.
    Task,
    /// npm, yarn, pnpm, bun: `package.json`'s scripts.
    Npm,
    /// `node --run`: the same scripts, without those that run before and after.
    Node,
    /// What an installation of the dependencies runs of the same scripts.
    Install,
    /// Nx: targets of `project.json`, and `package.json`'s scripts.
    Nx,
    /// One whose tasks are lines under names, in a table of a TOML or JSON file.
    Table(Tables),
}

/// A call of a task runner.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which.
    pub runner: Runner,
    /// Where the call is written.
    pub span: Span,
    /// `-C`, `--prefix`, `--cwd`, `--working-directory`, `--dir`: relative to the working folder.
    pub directory: Option<Text>,
    /// `-f`, `--justfile`, `--taskfile`.
    pub file: Option<Text>,
    /// `--workspace`, `--filter`, `yarn workspace`: a package's name, its folder (`./packages/app`),
    /// or a pattern of names (`@acme/*`; `*` means all). Npm only.
    pub workspace: Option<Text>,
    /// Targets, recipes (for just also their parameters: which words are which, the justfile says), or
    /// the one script's name or pattern (`build:*`, pnpm's `/^build:/`), in order; empty: the default.
    pub targets: Vec<Text>,
    /// `NAME=value` on the command line.
    pub variables: Vec<(String, Text)>,
    /// Further arguments for the script (`npm run x -- …`, `task x -- …`, a `just` recipe's parameters).
    pub arguments: Vec<Text>,
}

/// Why no recipes can be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The runner's file is known, and nothing in it has this name. What that means depends on how the
    /// name was given: `yarn eslint` and `pnpm eslint` then run a program of a dependency, so the
    /// caller looks at that command instead; after `npm run` or `make` it is a mistake.
    NoSuchName(String),
    /// Something could not be found or resolved.
    Unresolved(String),
    /// It stands in a file outside of the repository that is named, so it may do anything.
    Elsewhere(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName(why) | Self::Unresolved(why) | Self::Elsewhere(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Unresolved(why)
    }
}

/// The scripts that a call runs, dependencies first, of those that matter. None when what is called has no
/// such script. What is found is kept for calls like this one, so it has to be the same that matters to
/// all of them.
///
/// # Errors
/// [`Failure`], whose words say what could not be found or resolved.
pub fn recipes(run: &JobRun<'_>, call: &Call, matters: Filter) -> Result<Rc<[Recipe]>, Failure> {
    // The runner's files are read anew for each.
    if call.runner != Runner::Make && !run.cx.spend_several(CALL) {
        return Ok(Rc::from([]));
    }
    let mut all = match call.runner {
        // Programs of a thousand files are compiled by make, a recipe for each.
        Runner::Make => return make::recipes(run, call, matters),
        Runner::Just => just::recipes(run, call),
        Runner::Task => task::recipes(run, call),
        Runner::Npm | Runner::Node => npm::recipes(run, call),
        Runner::Install => npm::of_install(run, call),
        Runner::Nx => nx::recipes(run, call),
        Runner::Table(kind) => tables::recipes(run, call, kind),
    }?;
    all.retain(|recipe| matters(&run.cx.holes, &recipe.script.text));
    Ok(all.into())
}

/// Steps of work that one call is worth.
const CALL: usize = 100;

/// What is said of a file of tasks with more than is looked at.
const DEEP: &str = "tasks that need each other deeper than is followed";
const MANY: &str = "more tasks, or longer ones, than are followed";
const LONG: &str = "longer values than are looked at";
const FILES: &str = "more files that bring in each other, or deeper, than are followed";

/// Whether a script, of which a part may be unknown, is worth following.
pub type Filter = fn(&Holes, &str) -> bool;

/// Whether the Taskfiles of a call of Task have one of these words.
pub fn taskfiles_mention(run: &JobRun<'_>, call: &Call, words: &[&str]) -> bool {
    task::mention(run, call, words)
}

/// The folder that the call works in.
fn directory(run: &JobRun<'_>, call: &Call) -> Result<RepoPath, String> {
    match (&call.directory, &run.cwd) {
        // Those look further up.
        (None, Cwd::Inside(cwd)) if call.runner != Runner::Make && !run.has_folder(cwd) => {
            Err(run.why_not_there(cwd))
        }
        (None, Cwd::Inside(cwd)) => Ok(cwd.clone()),
        (None, _) | (Some(_), Cwd::Elsewhere) => Err(run.why_elsewhere()),
        (Some(given), _) => run.resolve(given).ok_or_else(|| {
            let shown = run.show(given);
            format!(
                "the folder `{shown}` is not in this repository, or not known before the build runs"
            )
        }),
    }
}

/// The runner's file: the one given, or the first of `names` in `folder` (or, `upwards`, above it).
fn file(
    run: &JobRun<'_>,
    call: &Call,
    folder: &RepoPath,
    names: &[&str],
    upwards: bool,
) -> Result<RepoPath, String> {
    if let Some(given) = &call.file {
        let path = given.known().and_then(|name| folder.join(name));
        return path
            .filter(|path| run.cx.sources.exists(path))
            .ok_or_else(|| {
                let shown = run.show(given);
                format!("`{shown}` is not in this repository, or not known before the build runs")
            });
    }
    let mut at = folder.clone();
    loop {
        let found = names.iter().filter_map(|name| at.join(name));
        if let Some(path) = found.into_iter().find(|p| run.cx.sources.exists(p)) {
            return Ok(path);
        }
        if !upwards || at.is_root() || !run.cx.spend() {
            break;
        }
        at = at.parent();
    }
    let above = if upwards && !folder.is_root() {
        " or a folder above it"
    } else {
        ""
    };
    Err(format!(
        "no {} in {}{above}",
        names.join(" or "),
        place(folder)
    ))
}

/// `to` as it is written in `from`.
fn relative(from: &RepoPath, to: &RepoPath) -> String {
    let parts = |path: &RepoPath| -> Vec<String> {
        let parts = path.as_str().split('/').filter(|p| !p.is_empty());
        parts.map(str::to_owned).collect()
    };
    let (from, to) = (parts(from), parts(to));
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut out: Vec<&str> = from.iter().skip(same).map(|_| "..").collect();
    out.extend(to.iter().skip(same).map(String::as_str));
    if out.is_empty() {
        ".".to_owned()
    } else {
        out.join("/")
    }
}

/// Whether the job is known to run on something else than Linux, where nearly all containers run.
fn on_other_system(run: &JobRun<'_>) -> bool {
    let system = run.env.get("RUNNER_OS").and_then(Text::known);
    system.is_some_and(|system| system != "Linux")
}

/// A folder, for a sentence.
fn place(folder: &RepoPath) -> String {
    if folder.is_root() {
        "the repository's root".to_owned()
    } else {
        format!("`{folder}`")
    }
}

/// Adds a line to a script.
fn join(script: &mut Mapped, line: &Mapped) {
    if !script.text.ends_with('\n') {
        script.push("\n", line.whole().start, false);
    }
    script.append(line);
}

/// A word as the shell has to be given it.
fn quoted(word: &Text) -> String {
    let plain = |c: char| c.is_alphanumeric() || is_hole(c) || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.as_str().chars().all(plain) {
        word.as_str().to_owned()
    } else {
        format!("'{}'", word.as_str().replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod testing;
