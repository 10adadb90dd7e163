//! Actions whose files can be had: those of the same repository (`uses: ./path`), and of others that
//! were given. Composite ones have steps of their own. Docker ones are built or pulled when their step
//! runs; those that are named by their repository, before the first step of the job.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::context::Context;
use crate::dockerfile::{self, Build};
use crate::effect::{By, Freshness};
use crate::run::{Cwd, JobRun};
use crate::shell::client_of_action;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text};
use crate::yaml::{Document, Node};

use super::elsewhere::SELF;
use super::evaluate::{Frame, Inputs, Secrets, Value};
use super::steps::{self, Preparation, Steps};

/// How often a local action is followed inside of itself.
const MAX_AGAIN: usize = 8;

/// Steps of work that one use of an action is worth: its inputs, conditions and story are put together anew.
const USE: usize = 100;

/// A step that uses an action, and where the action's files stand.
pub(super) struct Use<'a, 'd> {
    /// The step.
    pub(super) step: Node<'d>,
    /// Its `uses`, and where that is written.
    pub(super) uses: &'a str,
    pub(super) span: Span,
    /// The folder of the action.
    pub(super) folder: &'a RepoPath,
}

impl Use<'_, '_> {
    /// It is named by its path in the repository, so it is there once that has been checked out.
    fn is_local(&self) -> bool {
        self.uses.starts_with('.')
    }

    fn name(&self) -> String {
        let local = if self.is_local() { "local " } else { "" };
        ["the ", local, "action `", self.uses, "`"].concat()
    }

    /// How a story goes on when it is used.
    fn story(&self) -> String {
        ["the step uses ", &self.name()].concat()
    }

    fn note(&self, run: &JobRun<'_>, message: &str) {
        let message = format!("{} {message}", self.name().replacen("local ", "", 1));
        run.cx
            .note_unread(self.step.document().source(), self.span.start, message);
    }
}

/// Follows a step that uses a local action.
pub(super) fn local(
    run: &mut JobRun<'_>,
    steps: &mut Steps,
    step: Node<'_>,
    span: Span,
    uses: &str,
) {
    let folder = steps.in_repository(uses);
    let root = RepoPath::root();
    let used = Use {
        step,
        uses,
        span,
        folder: folder.as_ref().unwrap_or(&root),
    };
    if folder.is_none() {
        used.note(
            run,
            "is in another repository's checkout, so what it pulls is not listed",
        );
        return;
    }
    follow(run, steps, &used);
}

/// Follows a step that uses an action whose files can be had.
pub(super) fn follow(run: &mut JobRun<'_>, steps: &mut Steps, used: &Use<'_, '_>) {
    let again = steps.inside.iter();
    let again = again.filter(|(folder, _)| folder == used.folder).count();
    if again > 0 && !used.is_local() {
        used.note(run, "uses itself, which GitHub refuses");
        return;
    }
    if again > MAX_AGAIN {
        used.note(run, "uses itself too often to be followed");
        return;
    }
    if !run.cx.spend_several(USE) {
        return;
    }
    let found = run.deeper(|run| match definition(run.cx, used.folder) {
        Some(document) => {
            defined(run, steps, used, &document);
            true
        }
        None => {
            let there = has_dockerfile(run, used.folder);
            if there && used.is_local() {
                build(run, used, "Dockerfile");
            }
            there
        }
    });
    match found {
        Some(true) => {}
        Some(false) if has_definition(run.cx, used.folder) => used.note(
            run,
            "is described in a file that could not be read, so what it pulls is not listed",
        ),
        Some(false) if used.is_local() => {
            used.note(
                run,
                "has no `action.yml` in this repository, so what it pulls is not listed",
            );
        }
        Some(false) if used.uses.starts_with(SELF) => used.note(
            run,
            "has no `action.yml` in this repository, so what it pulls is not listed",
        ),
        Some(false) => used.note(
            run,
            "has no `action.yml` in its repository's folder, so what it pulls is not listed",
        ),
        None => run.opaque(
            used.span,
            format!("uses: {}", used.uses),
            "actions use each other too deep here to be followed",
            By::Action,
        ),
    }
}

/// What the runner does when it downloads an action that is named by its repository: it builds or pulls
/// the image of a Docker action, and does the same for the actions that a composite one uses.
pub(super) fn set_up(run: &mut JobRun<'_>, used: &Use<'_, '_>, preparation: &mut Preparation) {
    if used.is_local() || !preparation.actions.insert(used.folder.clone()) {
        return;
    }
    run.deeper(|run| {
        let Some(document) = definition(run.cx, used.folder) else {
            if has_dockerfile(run, used.folder) {
                build(run, used, "Dockerfile");
            }
            return;
        };
        let (runs, using) = how(&document);
        match (runs, using.as_str()) {
            (Some(runs), "docker") => docker(run, used, runs),
            (Some(runs), "composite") => {
                if let Some(list) = runs.get("steps") {
                    preparation.nested += 1;
                    run.traced(used.span, used.story(), |run| {
                        steps::prepare_list(run, list, preparation);
                    });
                    preparation.nested -= 1;
                }
            }
            _ => {}
        }
    });
}

fn has_dockerfile(run: &JobRun<'_>, folder: &RepoPath) -> bool {
    let dockerfile = folder.join("Dockerfile");
    dockerfile.is_some_and(|path| run.cx.sources.exists(&path))
}

/// Whether there is a file that describes an action, readable or not.
fn has_definition(cx: &Context<'_>, folder: &RepoPath) -> bool {
    let mut names = ["action.yml", "action.yaml"].into_iter();
    names.any(|name| {
        let path = folder.join(name);
        path.is_some_and(|path| cx.sources.exists(&path))
    })
}

/// The file that describes an action.
pub(super) fn definition(cx: &Context<'_>, folder: &RepoPath) -> Option<Rc<Document>> {
    ["action.yml", "action.yaml"]
        .iter()
        .find_map(|name| cx.yaml(&folder.join(name)?))
}

/// The folder of a local action, below whichever folder the repository is checked out to.
pub(super) fn wherever_checked_out(cx: &Context<'_>, uses: &str) -> Option<RepoPath> {
    let mut path = uses.trim_start_matches("./");
    loop {
        let folder = RepoPath::new(path)?;
        if has_definition(cx, &folder) {
            return Some(folder);
        }
        path = path.split_once('/')?.1;
    }
}

/// The `runs` of an action, and its `using`.
fn how(document: &Document) -> (Option<Node<'_>>, String) {
    let runs = document.root().and_then(|root| root.get("runs"));
    let using = runs
        .and_then(|r| r.get("using"))
        .and_then(Node::as_str)
        .unwrap_or("")
        .to_ascii_lowercase();
    (runs, using)
}

fn defined(run: &mut JobRun<'_>, steps: &mut Steps, used: &Use<'_, '_>, document: &Document) {
    let (runs, using) = how(document);
    match (runs, using.as_str()) {
        (Some(runs), "composite") => {
            let frame = frame(run, steps, used, document);
            // A local action is prepared when its step runs, so one may come to itself under a condition.
            if steps
                .inside
                .iter()
                .any(|(folder, inputs)| folder == used.folder && *inputs == frame.inputs)
            {
                used.note(run, "uses itself with the same inputs, which has no end");
                return;
            }
            let mut inner = steps.of_action(used.folder, frame);
            let root = run.cx.holes.of("$PWD", HoleKind::Variable);
            let path = format!("{}/{}", root.as_str(), slashed(used.folder).as_str());
            run.env.insert("GITHUB_ACTION_PATH".to_owned(), path.into());
            run.traced(used.span, used.story(), |run| {
                if let Some(list) = runs.get("steps") {
                    if used.is_local() {
                        steps::prepare(run, &inner, list);
                    }
                    inner.follow(run, list);
                }
            });
        }
        (Some(runs), "docker") if used.is_local() => docker(run, used, runs),
        (Some(_), "docker") => {}
        (Some(runs), using) if using.starts_with("node") => {
            let programs = ["pre", "main", "post"].into_iter();
            let programs = programs.filter_map(|key| used.folder.join(runs.get(key)?.as_str()?));
            let programs: Vec<RepoPath> = programs.collect();
            let found = client_of_action(run.cx, used.folder, &programs);
            if let Some(how) = found {
                let why = format!("the action's code {how}, and is not read further");
                run.opaque(used.span, used.name(), why, By::Action);
            }
        }
        _ => run.cx.note_unread(
            document.source(),
            0,
            "not an action: it has no `runs.using` of `composite`, `docker` or `node…`",
        ),
    }
}

/// The image of a Docker action: pulled, or built.
fn docker(run: &mut JobRun<'_>, used: &Use<'_, '_>, runs: Node<'_>) {
    let image = runs.get("image").and_then(Node::as_str).unwrap_or("");
    let pulled = match image.strip_prefix("docker://") {
        Some(name) => Some(name),
        None if names_a_dockerfile(run.cx, used.folder, image) => None,
        // Of a local action the runner hands it on to `docker run` as it stands.
        None if used.is_local() => Some(image),
        None => {
            used.note(
                run,
                "is refused by the runner: its `image` is neither a Dockerfile nor `docker://` with an image",
            );
            return;
        }
    };
    match pulled {
        Some(name) => {
            let at = runs.get("image").map_or(used.span, Node::span);
            run.traced(used.span, used.story(), |run| {
                run.docker_pull(at, Text::from(name), By::Action, Freshness::Missing);
            });
        }
        None => build(run, used, image),
    }
}

/// Whether the `image` of a Docker action is a file to build, by the names that the runner goes by
/// (<https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/ContainerActionHandler.cs>).
fn names_a_dockerfile(cx: &Context<'_>, folder: &RepoPath, image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or("").to_ascii_lowercase();
    let is_there = || {
        let path = folder.join(image);
        path.is_some_and(|path| cx.sources.exists(&path))
    };
    image.is_empty() || name.starts_with("dockerfile") || name.ends_with("dockerfile") || is_there()
}

/// What the expressions of a composite action see: its own inputs, and no secrets.
fn frame(run: &JobRun<'_>, steps: &Steps, used: &Use<'_, '_>, document: &Document) -> Frame {
    let scope = steps.scope(run);
    let mut values = BTreeMap::new();
    let declared = document.root().and_then(|root| root.get("inputs"));
    for entry in declared.map(Node::entries).unwrap_or_default() {
        if let Some(name) = entry.key.as_str() {
            let default = entry.value.get("default").map(|d| scope.text(d));
            let value = Value::Text(default.unwrap_or_default());
            values.insert(name.to_ascii_lowercase(), value);
        }
    }
    for entry in used.step.get("with").map(Node::entries).unwrap_or_default() {
        if let Some(name) = entry.key.as_str() {
            // An action gets all of its inputs as text.
            let value = Value::Text(scope.text(entry.value));
            values.insert(name.to_ascii_lowercase(), value);
        }
    }
    Frame {
        inputs: Rc::new(Inputs {
            values,
            certain: true,
        }),
        secrets: Rc::new(Secrets::Passed(BTreeMap::new())),
        action: Some(used.folder.as_str().into()),
        ..steps.frame.clone()
    }
}

fn build(run: &mut JobRun<'_>, used: &Use<'_, '_>, file: &str) {
    let file = if file.is_empty() { "Dockerfile" } else { file };
    let Some(file) = used.folder.join(file) else {
        return;
    };
    // The runner builds in the folder that holds the Dockerfile, with the plain builder.
    let mut build = Build::of(used.span, slashed(&file.parent()));
    build.dockerfile = Some(slashed(&file));
    let before = std::mem::replace(&mut run.cwd, Cwd::Inside(RepoPath::root()));
    run.traced(
        used.span,
        format!("the runner builds {}", used.name()),
        |run| {
            dockerfile::build(run, &build);
        },
    );
    run.cwd = before;
}

fn slashed(path: &RepoPath) -> Text {
    if path.is_root() {
        ".".into()
    } else {
        path.as_str().into()
    }
}
