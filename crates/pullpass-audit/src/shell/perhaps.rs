//! Scripts and makefiles in a folder that is known in part: those of the repository that may be meant are
//! tried, and where one of them pulls, the call is `unknown` in place of nothing.

use std::rc::Rc;

use super::follow::is_shell;
use super::{Arg, Shell, suites, trigger};
use crate::effect::{Effect, Kind};
use crate::recipes::{self, Failure, Runner};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{Text, is_hole, may_be};

/// Folders that are looked at for one of which a part is unknown, and how deep they may stand in each other.
const MAX_FOLDERS: usize = 256;
const MAX_FOLDERS_DEEP: usize = 4;

/// What stands in the names of targets that make images.
const IMAGES: [&str; 3] = ["docker", "image", "container"];

/// How many of them are tried.
const MAX_TRIED: usize = 8;

impl Shell {
    /// The path of a script that is known in part, if one of the repository's that it may be pulls something.
    pub(super) fn one_of_scripts(
        &self,
        run: &JobRun<'_>,
        args: &[Arg],
        span: Span,
    ) -> Option<Text> {
        let (file, _) = args.split_first()?;
        let which = self.partly(run, &file.text).filter(|_| !run.is_tried)?;
        let mut scripts = files_that_may_be(run, &which);
        scripts.retain(|path| {
            let text = self.read_at(run, path);
            text.is_some_and(|text| {
                is_shell(path, &text.text) && trigger::may_matter(&run.cx.holes, &text.text)
            })
        });
        let pulls = |path: RepoPath| {
            let folder = match &run.cwd {
                Cwd::Partly(_) => {
                    let written = file
                        .as_str()
                        .split('/')
                        .filter(|part| !matches!(*part, "" | "."));
                    Cwd::Inside(written.fold(path.clone(), |folder, _| folder.parent()))
                }
                cwd => cwd.clone(),
            };
            let name = Text::from(format!("{}/{path}", self.root(run).as_str()));
            let args: Vec<Arg> = std::iter::once(Arg::new(name, span))
                .chain(args.iter().skip(1).cloned())
                .collect();
            self.tried(run, folder, |shell, run| {
                shell.script_file(run, &args, span);
            })
        };
        let found = scripts.len() > MAX_TRIED || scripts.into_iter().any(pulls);
        found.then_some(which)
    }

    /// Whether something would be pulled if that were done in a folder. Nothing of it stays.
    fn tried(
        &self,
        run: &JobRun<'_>,
        folder: Cwd,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>),
    ) -> bool {
        let mut trial = JobRun::new(run.cx);
        trial.is_tried = true;
        trial.env = run.variables();
        trial.cwd = folder;
        trial.folders.clone_from(&run.folders);
        trial.checkout = Rc::clone(&run.checkout);
        trial.has_engine = run.has_engine;
        trial.depth = run.depth;
        let mut shell = Self::new(Rc::clone(&self.text));
        shell.nesting = self.nesting;
        act(&mut shell, &mut trial);
        let counts =
            |effect: &Effect| matches!(effect.kind, Kind::Pull { .. } | Kind::Opaque { .. });
        trial.effects().iter().any(counts)
    }

    /// Whether what is asked for in a folder of which a part is unknown pulls something in one of the folders of the
    /// repository that it may be.
    pub(super) fn may_pull_in_a_folder(&self, run: &JobRun<'_>, request: &recipes::Call) -> bool {
        let names: &[&str] = match request.runner {
            Runner::Make => &MAKEFILES,
            Runner::Just => &JUSTFILES,
            Runner::Npm | Runner::Node | Runner::Install => &["package.json"],
            Runner::Task | Runner::Nx | Runner::Table(_) => return false,
        };
        let here = Text::from(".");
        let unknown = run.partly(request.directory.as_ref().unwrap_or(&here));
        let Some(unknown) = unknown.filter(|_| !run.is_tried) else {
            return false;
        };
        let mut folders = folders_that_may_be(run, &unknown);
        folders.retain(|folder| mentions_clients_in(run, request, names, folder));
        folders.len() > MAX_TRIED
            || folders
                .into_iter()
                .any(|folder| self.pulls_in(run, request, folder))
    }

    /// Whether a task runner would pull something if it were called in a folder. Nothing of it stays.
    fn pulls_in(&self, run: &JobRun<'_>, request: &recipes::Call, folder: RepoPath) -> bool {
        let request = recipes::Call {
            directory: None,
            ..request.clone()
        };
        let mut failed = false;
        let pulls = self.tried(
            run,
            Cwd::Inside(folder),
            |shell, trial| match recipes::recipes(trial, &request, trigger::may_matter) {
                Ok(found) => {
                    for recipe in &*found {
                        let script = Rc::new(recipe.script.clone());
                        recipe.enter(trial, |run| shell.process(run, script, |_| {}));
                    }
                }
                Err(why) => failed = !matches!(why, Failure::NoSuchName(_)),
            },
        );
        pulls || failed
    }
}

const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
const JUSTFILES: [&str; 3] = ["justfile", "Justfile", ".justfile"];

/// Whether the file of a task runner that could not be followed says anything of containers. A
/// Makefile that compiles is nobody's worry.
pub(super) fn mentions_clients(run: &JobRun<'_>, request: &recipes::Call) -> bool {
    let names: &[&str] = match request.runner {
        Runner::Make => &MAKEFILES,
        Runner::Just => &JUSTFILES,
        Runner::Task => return recipes::taskfiles_mention(run, request, &["docker", "podman"]),
        // A name that no package has is a mistake.
        Runner::Npm | Runner::Node if !request.targets.iter().all(Text::is_known) => {
            &["package.json"]
        }
        Runner::Npm | Runner::Node | Runner::Install | Runner::Nx => return false,
        // It was asked where the name is not known.
        Runner::Table(_) => return !request.targets.iter().all(Text::is_known),
    };
    let folder = match &request.directory {
        Some(folder) => run.resolve(folder),
        None => run.cwd.inside().cloned(),
    };
    folder.is_some_and(|folder| mentions_clients_in(run, request, names, &folder))
}

/// Whether a target that is named after images is called in a folder that the repository does not have: the job fetched it,
/// most often with `git clone`.
pub(super) fn makes_images_elsewhere(run: &JobRun<'_>, request: &recipes::Call) -> bool {
    if !matches!(request.runner, Runner::Make | Runner::Just) || request.file.is_some() {
        return false;
    }
    let named = |target: &Text| IMAGES.iter().any(|word| target.as_str().contains(word));
    let folder = match &request.directory {
        Some(folder) => run.resolve(folder),
        None => run.cwd.inside().cloned(),
    };
    request.targets.iter().any(named)
        && folder.is_some_and(|folder| {
            !folder.is_root() && run.cx.sources.tree().list(&folder).is_empty()
        })
}

/// Whether a script that is named after images stands in such a folder.
pub(super) fn is_script_of_images_elsewhere(run: &JobRun<'_>, path: &RepoPath) -> bool {
    let folder = path.parent();
    IMAGES.iter().any(|word| path.as_str().contains(word))
        && !folder.is_root()
        && run.cx.sources.tree().list(&folder).is_empty()
}

fn mentions_clients_in(
    run: &JobRun<'_>,
    request: &recipes::Call,
    names: &[&str],
    folder: &RepoPath,
) -> bool {
    let given = request.file.as_ref().and_then(Text::known);
    let names: Vec<&str> = match given {
        Some(file) => vec![file],
        None => names.to_vec(),
    };
    names.iter().any(|name| {
        folder
            .join(name)
            .and_then(|path: RepoPath| run.cx.sources.load(&path).ok())
            .is_some_and(|source| {
                let names = |text: &str| text.contains("docker") || text.contains("podman");
                let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '(' | ')');
                let mut words = source.text.split(ends).filter(|word| word.ends_with(".sh"));
                let is_run = |word: &str| {
                    let script = folder.join(word)?;
                    Some(names(&run.cx.sources.load(&script).ok()?.text))
                };
                // `%/publish: ; ./build.sh $(@D)`
                names(&source.text)
                    || words
                        .by_ref()
                        .take(64)
                        .any(|word| is_run(word) == Some(true))
            })
    })
}

/// The files of the repository that one of which a part is unknown may be, as far as they are looked for.
fn files_that_may_be(run: &JobRun<'_>, given: &Text) -> Vec<RepoPath> {
    let (folder, name) = match given.as_str().rsplit_once('/') {
        Some((folder, name)) => (Text::from(folder), name),
        None => (Text::default(), given.as_str()),
    };
    // Any file may be it.
    if name.chars().all(is_hole) {
        return Vec::new();
    }
    let folders = match folder.known() {
        Some(folder) => RepoPath::new(folder).into_iter().collect(),
        None => folders_that_may_be(run, &folder),
    };
    let mut found = Vec::new();
    for folder in folders {
        if name.contains(is_hole) {
            let listed = run.cx.sources.tree().list(&folder);
            let fits = listed.iter().filter(|listed| may_be(name, listed));
            found.extend(fits.filter_map(|name| folder.join(name)));
        } else if let Some(path) = folder.join(name).filter(|path| run.cx.sources.exists(path)) {
            found.push(path);
        }
    }
    found
}

/// The folders of the repository that one of which a part is unknown may be, as far as they are looked for; the path is
/// one from its root. What has to do with the machine's own folders is none of them.
pub(super) fn folders_that_may_be(run: &JobRun<'_>, given: &Text) -> Vec<RepoPath> {
    let shown = run.show(given);
    if ["mktemp", "TEMP", "TMP", "HOME"]
        .iter()
        .any(|of| shown.contains(of))
    {
        return Vec::new();
    }
    let text = given
        .as_str()
        .trim_start_matches("./")
        .trim_end_matches('/');
    let known = text.find(is_hole).and_then(|at| text.get(..at));
    let known = known.unwrap_or_default();
    // What stands before the unknown part, and below which folder that is.
    let (before, start) = match known.rfind('/') {
        _ if known.is_empty() => ("/", Some(RepoPath::root())),
        Some(at) => {
            let before = known.get(..=at).unwrap_or_default();
            (before, RepoPath::new(before))
        }
        None => ("", Some(RepoPath::root())),
    };
    let fits = |name: &str| text.chars().all(is_hole) || may_be(text, name);
    let mut found = Vec::new();
    let mut level: Vec<(RepoPath, String)> = start
        .into_iter()
        .map(|folder| (folder, before.to_owned()))
        .collect();
    let mut left = MAX_FOLDERS;
    for _ in 0..=MAX_FOLDERS_DEEP {
        let mut below = Vec::new();
        for (folder, name) in level {
            let Some(less) = left.checked_sub(1) else {
                return found;
            };
            left = less;
            for inner in run.cx.sources.tree().list(&folder).iter() {
                if inner.ends_with('/')
                    && !inner.starts_with('.')
                    && !suites::NOT_OURS.contains(&inner.as_str())
                    && let Some(path) = folder.join(inner)
                {
                    below.push((path, [name.as_str(), inner].concat()));
                }
            }
            if fits(name.trim_end_matches('/')) {
                found.push(folder);
            }
        }
        level = below;
    }
    found
}
