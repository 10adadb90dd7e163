//! Workflows that call workflows: the called one's jobs run as part of the caller, with the
//! caller's event, and with only those inputs and secrets that it passes.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::context::Context;
use crate::effect::{Forks, Guard, Job};
use crate::source::RepoPath;
use crate::variables::Variables;
use crate::yaml::Node;

use super::elsewhere;
use super::evaluate::{Frame, Inputs, Scope, Secrets, Starter, Value};
use super::table;
use super::workflow::{self, Call};

/// How many workflows may call each other; GitHub's own limit is ten.
const MAX_CALLS: usize = 10;

/// Steps of work that one call is worth: all jobs of the called workflow are read anew.
const CALL: usize = 1_000;

/// Where workflows are kept.
const FOLDER: &str = ".github/workflows";

/// The job that calls.
pub(super) struct Caller<'a, 'd> {
    /// Its key.
    pub(super) id: &'a str,
    /// Its mapping.
    pub(super) job: Node<'d>,
    /// Its `uses`.
    pub(super) uses: Node<'d>,
    /// Its conditions, those of its own callers included.
    pub(super) guards: &'a [Guard],
    /// Who can start it.
    pub(super) forks: Forks,
}

/// What the table says of the workflow of another repository that a job calls, where its files cannot be had.
pub(super) fn of_table(cx: &Context<'_>, uses: Node<'_>) -> Option<&'static table::Row> {
    let written = uses.as_str().filter(|uses| !uses.starts_with("./"))?;
    let table::Known::Does(row) = table::look_up(table::name_and_version(written).0) else {
        return None;
    };
    let source = uses.document().source();
    elsewhere::find(cx, source, written)
        .is_none()
        .then_some(row)
}

/// Lowers the jobs of the workflow that a job calls, and gives its outputs.
pub(super) fn lower<'c>(
    cx: &'c Context<'c>,
    outer: &Call,
    frame: &Frame,
    env: &Variables,
    caller: &Caller<'_, '_>,
    out: &mut Vec<Job>,
) -> Variables {
    let Some(uses) = caller.uses.as_str() else {
        return Variables::default();
    };
    let source = caller.uses.document().source();
    let at = caller.uses.span().start;
    let path = match uses.strip_prefix("./") {
        Some(local) => elsewhere::root_of(cx, source).join(local),
        None => {
            let name = table::name_and_version(uses).0;
            if table::is_quiet(name) {
                return Variables::default();
            }
            let path = elsewhere::find(cx, source, uses);
            if path.is_none() {
                cx.note_unlisted(name, source, at);
                return Variables::default();
            }
            path
        }
    };
    if !cx.spend_several(CALL) {
        return Variables::default();
    }
    if outer.depth >= MAX_CALLS {
        cx.note_unread(source, at, "workflows call each other more than ten deep here; GitHub refuses that, so it is not followed");
        return Variables::default();
    }
    let document = path.and_then(|path| cx.yaml(&path));
    let Some(document) = document else {
        let place = if uses.starts_with("./") || uses.starts_with(elsewhere::SELF) {
            "this repository"
        } else {
            "its repository's folder"
        };
        let message = format!(
            "the workflow `{uses}` is not in {place} or is not YAML, so its jobs are not listed"
        );
        cx.note_unread(source, at, message);
        return Variables::default();
    };
    let Some(root) = workflow::read(cx, &document) else {
        return Variables::default();
    };
    let scope = Scope {
        cx,
        frame,
        env,
        starter: Starter::Anyone,
        looked_again: 0,
        deciding: false,
    };
    let declared = root.get("on").and_then(|on| on.get("workflow_call"));
    let call = Call {
        events: Rc::clone(&outer.events),
        inputs: Rc::new(inputs(&scope, declared, caller.job.get("with"))),
        secrets: Rc::new(secrets(&scope, caller.job.get("secrets"))),
        prefix: format!("{}{} / ", outer.prefix, caller.id),
        guards: caller.guards.to_vec(),
        trace: outer.trace.then(
            caller.uses.span(),
            format!(
                "job `{}` calls the workflow `{}`",
                caller.id,
                uses.strip_prefix("./").unwrap_or(uses)
            ),
        ),
        forks: caller.forks,
        depth: outer.depth + 1,
    };
    workflow::lower_called(cx, root, &call, out)
}

fn inputs(scope: &Scope<'_>, declared: Option<Node<'_>>, with: Option<Node<'_>>) -> Inputs {
    let mut values = BTreeMap::new();
    let mut texts = Vec::new();
    let declared = declared.and_then(|d| d.get("inputs"));
    for entry in declared.map(Node::entries).unwrap_or_default() {
        let Some(name) = entry.key.as_str() else {
            continue;
        };
        let kind = entry.value.get("type").and_then(Node::as_str);
        let value = match (entry.value.get("default"), kind) {
            (Some(default), _) => scope.value(default),
            (None, Some("boolean")) => Value::Bool(false),
            (None, Some("number")) => Value::Number(0.0),
            (None, _) => Value::text(""),
        };
        let name = name.to_ascii_lowercase();
        if kind == Some("string") {
            texts.push(name.clone());
        }
        values.insert(name, value);
    }
    for entry in with.map(Node::entries).unwrap_or_default() {
        if let Some(name) = entry.key.as_str() {
            values.insert(name.to_ascii_lowercase(), scope.value(entry.value));
        }
    }
    // GitHub makes a value what it is declared to be, and refuses whatever is no text and is to
    // become something else.
    for name in texts {
        if let Some(value) = values.get_mut(&name) {
            *value = Value::Text(value.as_text());
        }
    }
    Inputs {
        values,
        certain: true,
    }
}

fn secrets(scope: &Scope<'_>, node: Option<Node<'_>>) -> Secrets {
    let Some(node) = node else {
        return Secrets::Passed(BTreeMap::new());
    };
    if node.as_str() == Some("inherit") {
        return (*scope.frame.secrets).clone();
    }
    let passed = node.entries().into_iter().filter_map(|entry| {
        let name = entry.key.as_str()?.to_ascii_uppercase();
        Some((name, scope.value(entry.value)))
    });
    Secrets::Passed(passed.collect())
}

/// Whether another workflow of the repository calls this one.
pub(super) fn has_caller(cx: &Context<'_>, path: &RepoPath) -> bool {
    let Some(folder) = RepoPath::new(FOLDER) else {
        return false;
    };
    cx.sources.tree().list(&folder).iter().any(|name| {
        let Some(other) = folder.join(name).filter(|p| p != path) else {
            return false;
        };
        let yaml = name.ends_with(".yml") || name.ends_with(".yaml");
        // Most workflows call none: their text says so without a look at their structure.
        let mentions = yaml
            && cx
                .sources
                .load(&other)
                .is_ok_and(|source| source.text.contains(path.as_str()));
        mentions
            && cx.yaml(&other).is_some_and(|document| {
                let jobs = document.root().and_then(|root| root.get("jobs"));
                jobs.map(Node::entries)
                    .unwrap_or_default()
                    .iter()
                    .any(|job| {
                        let uses = job.value.get("uses").and_then(Node::as_str);
                        let called = uses.and_then(|uses| match uses.strip_prefix("./") {
                            Some(local) => RepoPath::new(local),
                            None => elsewhere::find(cx, document.source(), uses),
                        });
                        called.is_some_and(|called| called == *path)
                    })
            })
    })
}
