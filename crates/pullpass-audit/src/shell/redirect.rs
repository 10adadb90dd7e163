//! Redirections: what a command reads, and the few files whose writing matters here: the
//! environment of later steps, and the files in which clients keep credentials.

use std::rc::Rc;

use super::syntax::{Fd, Redirect, RedirectOp, RedirectTarget};
use super::{Function, Handed, Input, Shell};
use crate::effect::{Kind, Store};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, is_hole};

/// What the redirections of one command do.
#[derive(Default)]
pub(super) struct Redirection {
    pub(super) input: Option<Input>,
    pub(super) output: Option<Target>,
    /// What is printed goes where nobody reads it.
    pub(super) silent: bool,
}

/// A file that is written.
pub(super) struct Target {
    pub(super) path: Text,
    pub(super) append: bool,
}

impl Target {
    pub(super) fn new(path: Text, append: bool) -> Self {
        Self { path, append }
    }
}

/// Functions of `$BASH_ENV` that are kept.
const MAX_STARTUP: usize = 256;

impl Shell {
    pub(super) fn redirection(
        &mut self,
        run: &mut JobRun<'_>,
        redirects: &[Redirect],
    ) -> Redirection {
        let mut out = Redirection::default();
        for redirect in redirects {
            match (&redirect.op, &redirect.target) {
                (
                    RedirectOp::HereDoc | RedirectOp::HereDocDash,
                    RedirectTarget::HereDoc(document),
                ) => {
                    let text = self.mapped_parts(run, &document.body, &mut None);
                    out.input = Some(Input::Known(Rc::new(text)));
                }
                (RedirectOp::HereString, RedirectTarget::Word(word)) => {
                    let text = self.mapped_parts(run, &word.parts, &mut None);
                    out.input = Some(Input::Known(Rc::new(text)));
                }
                (RedirectOp::In | RedirectOp::ReadWrite, RedirectTarget::Word(word)) => {
                    let path = self.value(run, word);
                    out.input = Some(match self.processes.get(&path) {
                        Some(printed) => printed.clone(),
                        None => match self.read(run, &path) {
                            Some(text) => Input::Known(text),
                            None => Input::Unknown,
                        },
                    });
                }
                (
                    RedirectOp::Out
                    | RedirectOp::Append
                    | RedirectOp::Clobber
                    | RedirectOp::OutErr
                    | RedirectOp::AppendErr,
                    RedirectTarget::Word(word),
                ) => {
                    let path = self.value(run, word);
                    if !matches!(redirect.fd, None | Some(Fd::Number(1))) {
                        continue;
                    }
                    if path.as_str().starts_with("/dev/") {
                        out.silent = true;
                    } else {
                        out.output = Some(Target {
                            path,
                            append: matches!(
                                redirect.op,
                                RedirectOp::Append | RedirectOp::AppendErr
                            ),
                        });
                    }
                }
                (RedirectOp::DupOut, RedirectTarget::Word(_)) => {
                    out.silent |= matches!(redirect.fd, None | Some(Fd::Number(1)));
                }
                _ => {}
            }
        }
        out
    }

    /// The place in the repository that a path means, absolute ones included.
    pub(super) fn locate(&self, run: &JobRun<'_>, path: &Text) -> Option<RepoPath> {
        match below_root(run, path) {
            Some(rest) if rest.chars().all(|c| !crate::text::is_hole(c)) => RepoPath::new(&rest),
            Some(_) => None,
            None => run.resolve(path),
        }
    }

    /// A path from the root of the repository, where a part of it is known only when the job runs.
    pub(super) fn partly(&self, run: &JobRun<'_>, path: &Text) -> Option<Text> {
        match below_root(run, path) {
            Some(rest) => Some(Text::from(rest)).filter(|rest| !rest.is_known()),
            None => run.partly(path),
        }
    }

    /// A path as other readers want it: relative to the working folder where it lies in the
    /// repository.
    pub(super) fn path(&self, run: &JobRun<'_>, path: &Text) -> Text {
        match &run.cwd {
            Cwd::Inside(cwd) => self.path_from(run, path, cwd),
            Cwd::Above(at) => match below_root(run, path) {
                Some(rest) => Text::from(format!("{at}/{rest}")),
                None => path.clone(),
            },
            Cwd::Partly(_) | Cwd::Elsewhere => path.clone(),
        }
    }

    /// Goes to the root of the repository where a command elsewhere is given these paths, all of which lie below it:
    /// `cd /tmp; docker build $GITHUB_WORKSPACE/app`. The folder that it came from.
    pub(super) fn go_to_root<'p>(
        &self,
        run: &mut JobRun<'_>,
        mut paths: impl Iterator<Item = &'p Text>,
    ) -> Option<Cwd> {
        let elsewhere = matches!(run.cwd, Cwd::Elsewhere | Cwd::Partly(_));
        let goes = elsewhere && paths.all(|path| below_root(run, path).is_some());
        goes.then(|| std::mem::replace(&mut run.cwd, Cwd::Inside(RepoPath::root())))
    }

    /// A path as other readers want it, relative to a folder.
    pub(super) fn path_from(&self, run: &JobRun<'_>, path: &Text, folder: &RepoPath) -> Text {
        let Some(rest) = below_root(run, path) else {
            return path.clone();
        };
        let up = folder.as_str().split('/').filter(|p| !p.is_empty()).count();
        let rest = format!("{}{rest}", "../".repeat(up));
        let rest = rest.trim_end_matches('/');
        Text::from(if rest.is_empty() { "." } else { rest })
    }

    /// The text of a file: one that the script wrote, or one of the repository.
    pub(super) fn read(&self, run: &JobRun<'_>, path: &Text) -> Option<Rc<Mapped>> {
        let path = self.locate(run, path)?;
        self.read_at(run, &path)
    }

    pub(super) fn read_at(&self, run: &JobRun<'_>, path: &RepoPath) -> Option<Rc<Mapped>> {
        if let Some(text) = self.written.borrow().get(path) {
            return Some(Rc::clone(text));
        }
        if path.is_root() {
            return None;
        }
        let source = run.cx.sources.load(path).ok()?;
        Some(Rc::new(Mapped::verbatim(source.whole(), &*source.text)))
    }

    /// A command's output goes into a file.
    pub(super) fn write(
        &mut self,
        run: &mut JobRun<'_>,
        target: &Target,
        printed: &Input,
        span: Span,
    ) {
        let shown = run.cx.holes.shown(target.path.as_str());
        if shown.contains("GITHUB_OUTPUT") {
            self.hand_on(run, Handed::Output, printed);
            return;
        }
        let special =
            shown.contains("_ENV") || shown.ends_with(".json") || shown.contains("_AUTH_FILE");
        if !special {
            self.keep(run, target, printed, span);
        } else if shown.contains("GITHUB_ENV") {
            self.hand_on(run, Handed::Variable, printed);
        } else if shown.contains("BASH_ENV") {
            if let Some(text) = printed.known() {
                self.export_script(run, text);
            }
        } else if shown.ends_with(".docker/config.json")
            || shown.contains("DOCKER_CONFIG") && shown.ends_with("config.json")
        {
            let store = self.store_of(run, &target.path);
            self.credentials(run, printed, store, span);
        } else if shown.ends_with("containers/auth.json") || shown.contains("REGISTRY_AUTH_FILE") {
            self.credentials(run, printed, Store::Containers, span);
        } else {
            self.keep(run, target, printed, span);
        }
    }

    /// What a command prints is kept as the text of a file, for whatever reads it.
    fn keep(&self, run: &mut JobRun<'_>, target: &Target, printed: &Input, span: Span) {
        let path = self.path(run, &target.path);
        run.make(&path, printed.known(), target.append, span);
        let (Some(path), Some(text)) = (self.locate(run, &target.path), printed.known()) else {
            return;
        };
        let mut written = self.written.borrow_mut();
        if target.append
            && let Some(before) = written.get_mut(&path)
        {
            if before.text.len() + text.text.len() > super::MAX_VALUE {
                // It counts as it was.
            } else if before.file() == text.file() {
                Rc::make_mut(before).append(text);
            } else {
                let whole = format!("{}{}", before.text, text.text);
                *before = Rc::new(Mapped::at(span, whole));
            }
        } else if target.append && run.cx.sources.exists(&path) {
            // What stands there counts, and not what comes behind it.
        } else if written.len() < 256 && !path.is_root() {
            written.insert(path, Rc::clone(text));
        }
    }

    fn store_of(&self, run: &JobRun<'_>, path: &Text) -> Store {
        let folder = path
            .as_str()
            .strip_suffix("config.json")
            .unwrap_or("")
            .trim_end_matches('/');
        match run.env.get("DOCKER_CONFIG") {
            Some(configured) if configured.as_str().trim_end_matches('/') == folder => {
                run.docker_store()
            }
            None if run.show(path).contains("DOCKER_CONFIG") => run.docker_store(),
            _ => Store::docker(),
        }
    }

    /// A credential file is written: it signs in to every registry that it names.
    pub(super) fn credentials(
        &mut self,
        run: &mut JobRun<'_>,
        printed: &Input,
        store: Store,
        span: Span,
    ) {
        let how = "writing the client's configuration";
        let registries: Vec<Text> = match printed.known() {
            Some(text) => {
                let hosts = hosts(&text.text);
                let unknown = text.text.contains(is_hole) || text.text.is_empty();
                if hosts.is_empty() && unknown {
                    vec![Text::from(text.text.trim().to_owned())]
                } else {
                    hosts.into_iter().map(Text::from).collect()
                }
            }
            None => vec![run.cx.holes.of("$DOCKER_AUTH_CONFIG", HoleKind::Variable)],
        };
        let password = printed.known().and_then(|text| written_out(&text.text));
        for registry in registries {
            let registry = if registry.is_empty() {
                run.cx.holes.of("$DOCKER_AUTH_CONFIG", HoleKind::Variable)
            } else {
                registry
            };
            run.emit(
                span,
                Kind::Login {
                    registry,
                    username: None,
                    password: password.clone(),
                    store: store.clone(),
                    how: how.into(),
                    broken: None,
                },
            );
        }
    }

    /// Shell text is appended to `$BASH_ENV`: later steps execute it before their own.
    fn export_script(&mut self, run: &mut JobRun<'_>, text: &Rc<Mapped>) {
        let before = self.state(run);
        let functions = self.functions.clone();
        self.nested_text(run, Rc::clone(text));
        let with_new = std::mem::replace(&mut self.functions, functions);
        for (name, function) in with_new {
            let same = |old: &Function| Rc::ptr_eq(&old.body, &function.body);
            if !self.functions.get(&name).is_some_and(same) && run.startup.len() < MAX_STARTUP {
                run.startup.push((name, function));
            }
        }
        let changed: Vec<(String, Text)> = run
            .env
            .iter()
            .filter(|(name, value)| before.env.get(*name) != Some(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        // Said again with the same value it is still handed on.
        let again: Vec<(String, Text)> = text
            .text
            .lines()
            .filter_map(|line| {
                let line = line.trim();
                // A Bash that begins reads what is not exported, too.
                let line = line.strip_prefix("export ").unwrap_or(line);
                let name = line.split('=').next()?;
                Some((name.to_owned(), run.env.get(name)?.clone()))
            })
            .collect();
        self.restore(run, before);
        run.exported.extend(again.into_iter().chain(changed));
    }
}

/// Variables of folders of the job's machine.
const OF_MACHINE: [&str; 2] = ["$CIRCLE_WORKING_DIRECTORY", "$HOME"];

/// The rest of an absolute path that begins at the root of the repository.
pub(super) fn below_root(run: &JobRun<'_>, path: &Text) -> Option<String> {
    let path = path.as_str();
    let first = path.chars().next()?;
    let mut rest = None;
    let hole = run.cx.holes.get(first);
    if let Some(folders) = &run.folders
        && hole
            .as_ref()
            .is_none_or(|hole| OF_MACHINE.contains(&&*hole.written))
    {
        return match hole {
            Some(hole) => {
                let rest = path.get(first.len_utf8()..).unwrap_or("");
                folders.inside(&format!("{}{rest}", hole.written))
            }
            None => folders.inside(path),
        };
    }
    if let Some(hole) = hole {
        let root = matches!(
            hole.written.as_ref(),
            "$PWD"
                | "$GITHUB_WORKSPACE"
                | "$CIRCLE_WORKING_DIRECTORY"
                | "$CI_PROJECT_DIR"
                | "${{ github.workspace }}"
                | "${{github.workspace}}"
        );
        rest = path.get(first.len_utf8()..).filter(|_| root);
        // The checkout may be a folder of the workspace.
        if !run.checkout.is_empty() && hole.written.as_ref() != "$PWD" {
            let inside = rest.and_then(|rest| rest.strip_prefix('/'));
            let inside = inside.and_then(|rest| crate::run::below(rest, &run.checkout))?;
            return Some(inside.to_owned());
        }
    } else {
        let configured = run
            .env
            .get("CIRCLE_WORKING_DIRECTORY")
            .and_then(Text::known)
            .filter(|folder| !folder.is_empty());
        // CircleCI's default working directory, in the homes of its images.
        for root in [
            "~/project",
            "/home/circleci/project",
            "/root/project",
            "/home/runner/project",
        ]
        .into_iter()
        .chain(configured)
        {
            rest = rest.or_else(|| path.strip_prefix(root));
        }
    }
    let rest = rest?;
    if rest.is_empty() {
        return Some(String::new());
    }
    rest.strip_prefix('/')
        .map(|rest| rest.trim_start_matches('/').to_owned())
}

/// Whether a text can be a variable's name.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// The credential that the JSON of a client's configuration has in it, where it is no variable's.
fn written_out(text: &str) -> Option<Text> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("\"auth\"") {
        rest = after;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let value = value.strip_prefix('"')?.split('"').next()?;
        if !value.is_empty() && !value.contains(is_hole) {
            return Some(Text::from(value));
        }
    }
    None
}

/// The hosts that the JSON of a client's configuration names: the keys in `auths` and `credHelpers`
/// whose value is an object or a helper. The text may be cut or carry holes, so it is scanned.
fn hosts(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for section in ["auths", "credHelpers"] {
        let Some((_, rest)) = text.split_once(section) else {
            continue;
        };
        let mut depth = 0;
        let mut pieces = rest.split('"');
        // Outside and inside of strings take turns, beginning after the section's closing quote.
        let mut outside = pieces.next().unwrap_or("");
        if outside.is_empty() {
            outside = pieces.next().unwrap_or("");
        }
        depth = step(depth, outside);
        while let Some(inside) = pieces.next() {
            let after = pieces.next().unwrap_or("");
            let is_key = after.trim_start().starts_with(':');
            if depth == 1 && is_key {
                let host = inside.trim_end_matches('\\');
                if !host.is_empty() && out.len() < 64 {
                    out.push(host.to_owned());
                }
            }
            depth = step(depth, after);
            if depth <= 0 {
                break;
            }
        }
    }
    out
}

fn step(depth: i32, text: &str) -> i32 {
    text.chars().fold(depth, |depth, c| match c {
        '{' => depth.saturating_add(1),
        '}' => depth.saturating_sub(1),
        _ => depth,
    })
}
