//! Actions of the same repository (`uses: ./path`): composite ones have steps of their own, Docker
//! ones are built or pulled when their step runs.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::dockerfile::{self, Build};
use crate::effect::{By, Freshness};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::Text;
use crate::yaml::{Document, Node};

use super::evaluate::{Frame, Inputs, Secrets, Value};
use super::steps::{self, Steps};

/// Follows a step that uses a local action.
pub(super) fn local(
    run: &mut JobRun<'_>,
    steps: &mut Steps,
    step: Node<'_>,
    span: Span,
    uses: &str,
) {
    let source = step.document().source();
    let Some(folder) = steps.in_repository(uses) else {
        let message = format!(
            "the action `{uses}` is in another repository's checkout, so what it pulls is not listed"
        );
        run.cx.note_unread(source, span.start, message);
        return;
    };
    if steps.inside.contains(&folder) {
        let message = format!("the action `{uses}` uses itself, which GitHub refuses");
        run.cx.note_unread(source, span.start, message);
        return;
    }
    let found = run.deeper(|run| match definition(run, &folder) {
        Some(document) => {
            defined(run, steps, step, span, uses, &folder, &document);
            true
        }
        None => {
            let dockerfile = folder.join("Dockerfile");
            let there = dockerfile.is_some_and(|path| run.cx.sources.exists(&path));
            if there {
                build(run, span, uses, &folder, "Dockerfile");
            }
            there
        }
    });
    match found {
        Some(true) => {}
        Some(false) => {
            let message = format!(
                "the action `{uses}` has no `action.yml` in this repository, so what it pulls is not listed"
            );
            run.cx.note_unread(source, span.start, message);
        }
        None => run.opaque(
            span,
            format!("uses: {uses}"),
            "actions use each other too deep here to be followed",
            By::Action,
        ),
    }
}

fn definition(run: &JobRun<'_>, folder: &RepoPath) -> Option<Rc<Document>> {
    ["action.yml", "action.yaml"]
        .iter()
        .find_map(|name| run.cx.yaml(&folder.join(name)?))
}

fn defined(
    run: &mut JobRun<'_>,
    steps: &mut Steps,
    step: Node<'_>,
    span: Span,
    uses: &str,
    folder: &RepoPath,
    document: &Document,
) {
    let runs = document.root().and_then(|root| root.get("runs"));
    let using = runs
        .and_then(|r| r.get("using"))
        .and_then(Node::as_str)
        .unwrap_or("")
        .to_ascii_lowercase();
    match (runs, using.as_str()) {
        (Some(runs), "composite") => {
            let frame = frame(run, steps, step, folder, document);
            let mut inner = steps.of_action(folder, frame);
            run.traced(
                span,
                format!("the step uses the local action `{uses}`"),
                |run| {
                    if let Some(list) = runs.get("steps") {
                        steps::prepare(run, &inner, list);
                        inner.follow(run, list);
                    }
                },
            );
        }
        (Some(runs), "docker") => {
            let image = runs.get("image").and_then(Node::as_str).unwrap_or("");
            match image.strip_prefix("docker://") {
                Some(name) => {
                    let at = runs.get("image").map_or(span, Node::span);
                    run.traced(
                        span,
                        format!("the step uses the local action `{uses}`"),
                        |run| {
                            run.docker_pull(at, Text::from(name), By::Action, Freshness::Missing);
                        },
                    );
                }
                None => build(run, span, uses, folder, image),
            }
        }
        (_, using) if using.starts_with("node") => {}
        _ => run.cx.note_unread(
            document.source(),
            0,
            "not an action: it has no `runs.using` of `composite`, `docker` or `node…`",
        ),
    }
}

/// What the expressions of a composite action see: its own inputs, and no secrets.
fn frame(
    run: &JobRun<'_>,
    steps: &Steps,
    step: Node<'_>,
    folder: &RepoPath,
    document: &Document,
) -> Frame {
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
    for entry in step.get("with").map(Node::entries).unwrap_or_default() {
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
        action: Some(folder.as_str().into()),
        ..steps.frame.clone()
    }
}

fn build(run: &mut JobRun<'_>, span: Span, uses: &str, folder: &RepoPath, file: &str) {
    let file = folder.join(if file.is_empty() { "Dockerfile" } else { file });
    let Some(file) = file else { return };
    // The runner builds in the folder that holds the Dockerfile, with the plain builder.
    let mut build = Build::of(span, slashed(&file.parent()));
    build.dockerfile = Some(slashed(&file));
    let before = std::mem::replace(&mut run.cwd, Cwd::Inside(RepoPath::root()));
    run.traced(
        span,
        format!("the runner builds the local action `{uses}`"),
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
