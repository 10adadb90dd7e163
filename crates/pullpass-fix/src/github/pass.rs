//! How secrets get to where they are used. A workflow that is called sees those that its callers pass, a
//! composite action none but what its inputs are given.

use std::collections::BTreeMap;

use pullpass_audit::source::RepoPath;
use pullpass_audit::yaml::{Node, Style as Written};

use crate::Part;
use crate::edit::Edit;
use crate::meaning::Intent;
use crate::put::{self, Beside};
use crate::style::{self, Yaml};

use super::files::{Caller, File, Files, expression, named};
use super::logins::{Desk, Need};
use super::names::User;

/// How many workflows may call each other; GitHub's own limit is ten.
const MAX_CALLS: usize = 10;

/// What a change does to several files.
#[derive(Default)]
pub(super) struct Parts(BTreeMap<RepoPath, Part>);

impl Parts {
    /// What it does to this file.
    pub(super) fn of(&mut self, path: &RepoPath) -> &mut Part {
        self.0
            .entry(path.clone())
            .or_insert_with(|| put::nothing(path))
    }

    pub(super) fn into_vec(self) -> Vec<Part> {
        let changes = |part: &Part| !part.edits.is_empty();
        self.0.into_values().filter(changes).collect()
    }
}

/// The credential as one file writes it.
pub(super) struct Local {
    pub(super) user: String,
    pub(super) token: String,
    /// Name of the token's secret.
    pub(super) token_name: String,
}

/// How this file writes the credential: a called workflow may know the secrets by names of its own.
pub(super) fn local(desk: &Desk<'_, '_, '_>, file: &File<'_>) -> Local {
    let token_name = local_name(desk.files, file, &desk.names.token);
    let user = match &desk.names.user {
        User::Secret(name) => User::Secret(local_name(desk.files, file, name)).written(),
        other => other.written(),
    };
    Local {
        user,
        token: format!("${{{{ secrets.{token_name} }}}}"),
        token_name,
    }
}

fn declared<'d>(file: &File<'d>) -> Option<Node<'d>> {
    file.on()?.get("workflow_call")?.get("secrets")
}

/// The key that is this name to GitHub, for which `Docker_User` and `DOCKER_USER` are one.
fn in_any_case<'d>(mapping: Node<'d>, name: &str) -> Option<&'d str> {
    let keys = mapping.entries();
    let mut keys = keys.iter().filter_map(|entry| entry.key.as_str());
    keys.find(|key| key.eq_ignore_ascii_case(name))
}

/// Under which name this file knows a secret of the repository.
fn local_name(files: &Files<'_>, file: &File<'_>, name: &str) -> String {
    let Some(declared) = declared(file) else {
        return name.to_owned();
    };
    if let Some(own) = in_any_case(declared, name) {
        return own.to_owned();
    }
    let callers = files.callers(file.path);
    let other = declared.entries().into_iter().find_map(|entry| {
        let own = entry.key.as_str()?;
        let passes = callers.iter().all(|caller| {
            let passed = caller.job.node.get("secrets").and_then(|s| s.get(own));
            passed
                .and_then(Node::as_str)
                .and_then(|value| named(value, "secrets"))
                == Some(name)
        });
        (passes && !callers.is_empty()).then_some(own)
    });
    other.unwrap_or(name).to_owned()
}

/// Makes a secret of the repository mean something in this file.
///
/// # Errors
/// Why it cannot be passed there.
pub(super) fn secrets(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    names: &[&str],
    parts: &mut Parts,
) -> Result<(), String> {
    secrets_at(desk, file, names, &|_| true, parts, 0)
}

/// The same for a login that asks whether there are any: only the callers in whose runs it is for something pass
/// them, and the others do not sign in.
///
/// # Errors
/// Why they cannot be passed there.
pub(super) fn secrets_for(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    need: &Need<'_, '_>,
    parts: &mut Parts,
) -> Result<(), String> {
    let mut places = Vec::new();
    for run in &need.runs {
        for effect in &run.effects {
            let ours = desk.repo.pull(run, effect);
            if ours.is_some_and(|number| need.pulls.contains(&number)) {
                places.extend(effect.trace.steps().into_iter().map(|(span, _)| span));
            }
        }
    }
    places.sort_unstable_by_key(|span| (span.file, span.start));
    places.dedup();
    let calls = |caller: &Caller<'_, '_>| {
        let (from, to) = (
            caller.job.key.use_span().start,
            caller.job.node.use_span().end,
        );
        places.iter().any(|span| {
            let inside = from <= span.start && span.start < to;
            inside
                && desk
                    .files
                    .at(desk.repo, span.file)
                    .is_some_and(|file| file.path == caller.file.path)
        })
    };
    // Where the story of a pull does not name its caller, every one may be it.
    let known = desk.files.callers(file.path).iter().any(calls);
    let concerned = |caller: &Caller<'_, '_>| !known || calls(caller);
    secrets_at(desk, file, &desk.names.secrets(), &concerned, parts, 0)
}

fn secrets_at(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    names: &[&str],
    concerned: &dyn Fn(&Caller<'_, '_>) -> bool,
    parts: &mut Parts,
    depth: usize,
) -> Result<(), String> {
    if depth >= MAX_CALLS || !file.is_called() {
        return Ok(());
    }
    let takes = |name: &str| {
        let own = local_name(desk.files, file, name);
        declared(file).is_some_and(|all| in_any_case(all, &own).is_some())
    };
    if let Some(uses) = desk.files.called_at_a_version(file.path)
        && !names.iter().all(|name| takes(name))
    {
        // GitHub refuses a call that passes what the called version does not declare.
        return Err(format!(
            "a job calls this workflow as `{uses}`, and that version does not take the secrets yet: declare them here first, and pass them there when it does"
        ));
    }
    let callers = desk.files.callers(file.path);
    let inherits = |job: Node<'_>| job.get("secrets").and_then(Node::as_str) == Some("inherit");
    let explicit = callers.iter().any(|c| !inherits(c.job.node));
    // Whoever inherits passes what is not declared, too.
    if explicit || callers.is_empty() || declared(file).is_some() {
        declare(desk.files, file, names, parts)?;
    }
    for caller in callers.into_iter().filter(concerned) {
        if !inherits(caller.job.node) {
            let job = caller.job;
            let mut entries = Vec::new();
            let passed = job.node.entry("secrets");
            for name in names {
                let own = local_name(desk.files, file, name);
                if passed.is_some_and(|p| in_any_case(p.value, &own).is_some()) {
                    continue;
                }
                let theirs = local_name(desk.files, caller.file, name);
                entries.push((own, Yaml::text(format!("${{{{ secrets.{theirs} }}}}"))));
            }
            let style = &caller.file.style;
            let part = parts.of(caller.file.path);
            let done = match passed {
                _ if entries.is_empty() => true,
                Some(passed) if passed.merged || passed.value.is_alias() => false,
                Some(passed) => entries
                    .iter()
                    .all(|(k, v)| put::key(style, passed.value, Beside::End, k, v, part)),
                None => {
                    let beside = if job.node.get("with").is_some() {
                        Beside::After("with")
                    } else {
                        Beside::After("uses")
                    };
                    put::key(
                        style,
                        job.node,
                        beside,
                        "secrets",
                        &Yaml::Map(entries),
                        part,
                    )
                }
            };
            if !done {
                return Err(format!(
                    "job `{}` of `{}` passes its secrets in a way that is not edited",
                    job.name(),
                    caller.file.path
                ));
            }
        }
        secrets_at(desk, caller.file, names, concerned, parts, depth + 1)?;
    }
    Ok(())
}

/// Declares secrets that callers may pass.
fn declare(
    files: &Files<'_>,
    file: &File<'_>,
    names: &[&str],
    parts: &mut Parts,
) -> Result<(), String> {
    let refused = || {
        Err(format!(
            "`{}` says that it can be called in a way that is not edited",
            file.path
        ))
    };
    let (style, part) = (&file.style, parts.of(file.path));
    let optional = || Yaml::map([("required", Yaml::Bare("false".to_owned()))]);
    let Some(call) = file.on().and_then(|on| on.entry("workflow_call")) else {
        let names = names.iter().map(|name| local_name(files, file, name));
        let secrets = names.map(|name| (name, optional())).collect();
        return spell_out(file, Yaml::Map(secrets), part).map_or_else(refused, Ok);
    };
    let known = call.value.entry("secrets");
    let missing: Vec<(String, Yaml)> = names
        .iter()
        .map(|name| local_name(files, file, name))
        .filter(|name| known.is_none_or(|k| k.value.get(name).is_none()))
        .map(|name| (name, optional()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let done = match known {
        Some(known) if known.value.is_null() => {
            put::below(style, known.key, known.value, &Yaml::Map(missing), part)
        }
        Some(known) => missing
            .iter()
            .all(|(k, v)| put::key(style, known.value, Beside::End, k, v, part)),
        None if call.value.pairs().next().is_none() => {
            let secrets = Yaml::Map(missing);
            let all = Yaml::Map(vec![("secrets".to_owned(), secrets.clone())]);
            let in_block = file.on().is_some_and(|on| on.style() == Written::Block);
            (in_block || call.value.is_null())
                && put::below(style, call.key, call.value, &all, part)
                || put::key(style, call.value, Beside::End, "secrets", &secrets, part)
        }
        None => put::key(
            style,
            call.value,
            Beside::End,
            "secrets",
            &Yaml::Map(missing),
            part,
        ),
    };
    if done { Ok(()) } else { refused() }
}

/// Makes a mapping of `on: [push, workflow_call]`, for a list has no place for secrets.
fn spell_out(file: &File<'_>, secrets: Yaml, part: &mut Part) -> Option<()> {
    let style = &file.style;
    let text = style.text;
    let (key, value) = file
        .root
        .pairs()
        .find(|(key, _)| key.as_str() == Some("on"))?;
    let events: Vec<(String, Yaml)> = file
        .events()
        .map(|(name, _)| {
            let details = if name == "workflow_call" {
                Yaml::Map(vec![("secrets".to_owned(), secrets.clone())])
            } else {
                Yaml::Bare(String::new())
            };
            (name.to_owned(), details)
        })
        .collect();
    let colon = key.use_span().end as usize;
    let colon = colon + text.get(colon..)?.find(':')? + 1;
    let end = style::value_end(text, value);
    let plain =
        file.root.style() == Written::Block && !value.is_alias() && value.anchor().is_none();
    if !plain || text.get(colon..end)?.contains('#') {
        return None;
    }
    let lines: Vec<String> = events
        .iter()
        .flat_map(|(name, details)| style.entry(style.step, name, details))
        .collect();
    part.edits
        .push(Edit::replace(colon, end, style.lines_after(&lines)));
    part.intents.push(Intent::SetKey {
        at: file.root.span().start,
        key: "on".to_owned(),
        value: Yaml::Map(events).meaning(style),
    });
    Some(())
}

/// The names of a composite action's two inputs: those through which all that use it hand the credential over
/// already, or new ones in the manner of those that it has.
pub(super) fn input_names(
    desk: &Desk<'_, '_, '_>,
    action: &File<'_>,
    calls: &[(&File<'_>, Node<'_>)],
) -> (String, String) {
    let inputs = action
        .root
        .get("inputs")
        .map(Node::entries)
        .unwrap_or_default();
    let names: Vec<&str> = inputs.iter().filter_map(|e| e.key.as_str()).collect();
    let given = |wanted: fn(Local) -> String| {
        let hands_over = |name: &&&str| {
            !calls.is_empty()
                && calls.iter().all(|(file, step)| {
                    let value = step.get("with").and_then(|with| with.get(name));
                    let value = value.and_then(Node::as_str).unwrap_or("");
                    let wanted = wanted(local(desk, file));
                    let same = (expression(value), expression(&wanted));
                    matches!(same, (Some(value), Some(wanted)) if value == wanted)
                })
        };
        names.iter().find(hands_over).map(|name| (*name).to_owned())
    };
    if let (Some(user), Some(token)) = (given(|l| l.user), given(|l| l.token)) {
        return (user, token);
    }
    let snake = names.iter().any(|n| n.contains('_')) && !names.iter().any(|n| n.contains('-'));
    let between = if snake { "_" } else { "-" };
    let shouts = !names.is_empty() && names.iter().all(|n| *n == n.to_ascii_uppercase());
    let in_style = |prefix: &str| {
        let pair = (
            format!("{prefix}{between}username"),
            format!("{prefix}{between}token"),
        );
        if shouts {
            (pair.0.to_ascii_uppercase(), pair.1.to_ascii_uppercase())
        } else {
            pair
        }
    };
    // To GitHub `Hub_Token` and `hub_token` are one input.
    let free = |name: &str| {
        let other = |n: &&str| *n != name && n.eq_ignore_ascii_case(name);
        !names.iter().any(other)
    };
    ["dockerhub", "docker", "hub"]
        .into_iter()
        .map(in_style)
        .find(|(user, token)| free(user) && free(token))
        .unwrap_or_else(|| in_style("dockerhub"))
}

/// Declares the two inputs of an action.
pub(super) fn declare_inputs(action: &File<'_>, names: [&str; 2], parts: &mut Parts) -> bool {
    let style = &action.style;
    let part = parts.of(action.path);
    let known = action.root.entry("inputs");
    let described = [
        "User name for Docker Hub (without one images are pulled anonymously)",
        "Access token for Docker Hub",
    ];
    let missing: Vec<(String, Yaml)> = names
        .into_iter()
        .zip(described)
        .filter(|(name, _)| known.is_none_or(|k| k.value.get(name).is_none()))
        .map(|(name, description)| {
            let input = Yaml::Map(vec![
                ("description".to_owned(), Yaml::text(description)),
                ("required".to_owned(), Yaml::Bare("false".to_owned())),
            ]);
            (name.to_owned(), input)
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    match known {
        Some(known) if known.value.is_null() => {
            put::below(style, known.key, known.value, &Yaml::Map(missing), part)
        }
        Some(known) => missing
            .iter()
            .all(|(k, v)| put::key(style, known.value, Beside::End, k, v, part)),
        None => put::key(
            style,
            action.root,
            Beside::Before("runs"),
            "inputs",
            &Yaml::Map(missing),
            part,
        ),
    }
}

/// Gives a step that uses an action these inputs, where it does not give them yet.
pub(super) fn give(
    file: &File<'_>,
    step: Node<'_>,
    inputs: &[(&str, String)],
    parts: &mut Parts,
) -> bool {
    let style = &file.style;
    let part = parts.of(file.path);
    let with = step.entry("with");
    let missing: Vec<(String, Yaml)> = inputs
        .iter()
        .filter(|(name, _)| with.is_none_or(|w| w.value.get(name).is_none()))
        .map(|(name, value)| ((*name).to_owned(), Yaml::text(value)))
        .collect();
    match with {
        _ if missing.is_empty() => true,
        _ if step.is_alias() => false,
        Some(with) if with.merged || with.value.is_alias() => false,
        Some(with) if with.value.is_null() => {
            put::below(style, with.key, with.value, &Yaml::Map(missing), part)
        }
        Some(with) => missing
            .iter()
            .all(|(k, v)| put::key(style, with.value, Beside::End, k, v, part)),
        None => put::key(
            style,
            step,
            Beside::After("uses"),
            "with",
            &Yaml::Map(missing),
            part,
        ),
    }
}

/// Whether some job of the repository runs this workflow's jobs only when another repository calls it.
pub(super) fn is_for_others(files: &Files<'_>, file: &File<'_>) -> bool {
    file.events().all(|(name, _)| name == "workflow_call")
        && files.callers(file.path).is_empty()
        && !files.is_given_all(file.path)
}
