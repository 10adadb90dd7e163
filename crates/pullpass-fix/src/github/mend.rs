//! Logins that are there already and do not help: after the pull, under a condition that the pull does
//! not have, or without what they sign in with.

use std::rc::Rc;

use pullpass_audit::effect::{Effect, Guard, Job, Kind};
use pullpass_audit::reference::{DOCKER_HUB, canonical_registry, other_name_of_hub};
use pullpass_audit::yaml::{Node, Style as Written};

use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::put;
use crate::repo::NO_DOCKER;
use crate::style::{self, Yaml};

use super::files::named;
use super::guard;
use super::logins::{Desk, Draft, Need, hand_over, is_checked_out, question};
use super::names::{
    LOGIN_ACTION, is_hub_login, is_plain_login, needs_checkout, signs_in_only, stands_alone, uses,
};
use super::pass;

/// A login among the steps that the pulls are in.
pub(super) struct Login<'d> {
    item: Node<'d>,
    index: usize,
    /// It has no user name or no password.
    broken: bool,
    /// Names of the action's inputs that it signs in with.
    inputs: Option<(&'d str, &'d str)>,
}

/// What stands in a list of steps.
pub(super) enum Found<'d> {
    /// Nothing that signs in to Docker Hub, or nothing that could be changed without a person.
    None,
    /// A login that can be mended.
    Mendable(Login<'d>),
    /// A login that a person must mend; why.
    Stuck(String),
}

/// Looks for a login that was meant for these pulls.
pub(super) fn existing<'d>(desk: &Desk<'_, '_, 'd>, need: &Need<'_, 'd>) -> Found<'d> {
    let renamed = desk.wishes.user_var.is_some() || desk.wishes.token_var.is_some();
    if let Some(login) = by_inputs(need) {
        return Found::Mendable(login);
    }
    let mut before: Option<Login<'d>> = None;
    let mut after: Option<Login<'d>> = None;
    let mut broken_after: Option<&str> = None;
    let mut in_script = false;
    for run in &need.runs {
        for effect in run.effects.iter().filter(|e| is_plain_login(e)) {
            let Some(span) = effect.within.get(need.depth) else {
                continue;
            };
            let Some((list, index)) = need.file.item(*span) else {
                continue;
            };
            let same_file = desk
                .files
                .at(desk.repo, span.file)
                .is_some_and(|f| f.path == need.file.path);
            if !same_file || list.identity() != need.list.identity() {
                continue;
            }
            let Some(item) = list.items().nth(index) else {
                continue;
            };
            let broken = match &effect.kind {
                Kind::Login { broken, .. } => broken.as_deref(),
                _ => None,
            };
            let login = Login {
                item,
                index,
                broken: broken.is_some(),
                inputs: None,
            };
            let is_step = effect.within.len() == need.depth + 1;
            if index < need.index {
                // The condition of a script is a person's to understand.
                if item.get("if").is_none() && !login.broken {
                    in_script |= is_step;
                } else if is_step {
                    before = Some(login);
                }
            } else if index > need.index
                && signs_in_only(run, item)
                && moves(item)
                && (!needs_checkout(desk.repo, effect, item) || is_checked_out(need))
            {
                if broken.is_some() {
                    broken_after = broken_after.or(broken);
                } else if after.as_ref().is_none_or(|a| index < a.index) {
                    after = Some(login);
                }
            }
        }
    }
    match (before, after, broken_after) {
        (Some(login), ..) if login.broken || !renamed => Found::Mendable(login),
        (None, Some(login), _) if !renamed => Found::Mendable(login),
        (None, None, Some(why)) if !renamed => Found::Stuck(format!(
            "a login stands only after it and cannot work: {why}"
        )),
        _ if in_script && !renamed => Found::Stuck(
            "a login stands before it and signs in under a condition of its own: see whether the condition is needed".to_owned(),
        ),
        _ => Found::None,
    }
}

/// A login step of a local action that takes its credential from inputs, which the callers do not give.
fn by_inputs<'d>(need: &Need<'_, 'd>) -> Option<Login<'d>> {
    if !need.is_action() {
        return None;
    }
    need.list.items().enumerate().find_map(|(index, item)| {
        if uses(item) != Some(LOGIN_ACTION) {
            return None;
        }
        let with = item.get("with")?;
        let registry = with.get("registry").and_then(Node::as_str).unwrap_or("");
        let is_hub =
            canonical_registry(registry) == DOCKER_HUB && other_name_of_hub(registry).is_none();
        let input = |key: &str| named(with.get(key)?.as_str()?, "inputs");
        let inputs = Some((input("username")?, input("password")?));
        (is_hub && index < need.index).then_some(Login {
            item,
            index,
            broken: false,
            inputs,
        })
    })
}

/// Whether a step can stand further up: it uses nothing that a step before it makes.
fn moves(item: Node<'_>) -> bool {
    if item.get("uses").is_none() {
        return stands_alone(item);
    }
    let mut moves = !item.is_alias() && item.anchor().is_none();
    put::walk(item, 0, &mut |node| {
        moves &= !node.as_str().is_some_and(|text| text.contains("steps."));
        moves &= node.anchor().is_none();
    });
    moves && uses(item) == Some(LOGIN_ACTION)
}

/// Mends a login in its place, or puts it before the first pull.
pub(super) fn mend(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    login: &Login<'_>,
    draft: &mut Draft,
) -> Result<(), String> {
    if let Some((user, token)) = login.inputs {
        draft.summary = "give the local action the credential that it takes";
        return hand_over(desk, need, user, token, draft);
    }
    if login.broken {
        return complete(desk, need, login, draft);
    }
    let written = login.item.get("if").and_then(Node::as_str);
    let token = token_of(desk, need, login);
    let condition = match written {
        // What the step asks for is what there is to ask for, when it stands too late and asks nothing.
        None => None,
        Some(text) => match wanted_condition(desk, need, text, &token, draft)? {
            Some(same) if same == text => None,
            other => Some(other),
        },
    };
    if let (Some(text), Some(_)) = (written, &condition)
        && !guard::is_about_events(text)
    {
        draft
            .review
            .get_or_insert_with(|| format!("the login was to happen only when `{}`", text.trim()));
    }
    // Without its own condition, a step that was moved keeps what it had.
    if login.index > need.index {
        draft.summary = "move the login before the first pull";
        if uses(login.item).is_none() {
            draft.review.get_or_insert_with(|| {
                "the login moves up: what it needs must be there by then".to_owned()
            });
        }
        return move_up(need, login, condition, draft);
    }
    draft.summary = "sign in before the first pull whenever there is a credential, for the sake";
    let Some(condition) = condition else {
        return Err("the login before it asks for the secrets already".to_owned());
    };
    let new = rewritten(need, login.item, &condition)
        .ok_or("its condition is written in a way that is not edited")?;
    let part = draft.parts.of(need.file.path);
    part.edits.push(new.edit);
    let at = need.list.span().start;
    part.intents.push(Intent::RemoveItem {
        at,
        index: login.index,
    });
    part.intents.push(Intent::InsertItem {
        at,
        index: login.index,
        value: new.value,
    });
    Ok(())
}

/// The condition that a login with the condition `text` should have: that there is something to sign in
/// with, or none at all. The pulls' own would be too narrow: it may serve others, too.
fn wanted_condition(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    text: &str,
    token: &str,
    draft: &mut Draft,
) -> Result<Option<String>, String> {
    let of_pulls = need.condition();
    // It is the pulls' own, or asks for secrets and nothing else.
    if of_pulls.is_some_and(|c| c.trim() == text.trim()) || asks_for_secrets_only(need, text) {
        return Ok(Some(text.to_owned()));
    }
    if need.is_action() {
        return Err(format!(
            "a login of the action signs in only when `{}`",
            text.trim()
        ));
    }
    let asked = question(desk, need, token, draft)?;
    if of_pulls.is_some() && !need.has_docker {
        draft.review.get_or_insert_with(|| NO_DOCKER.to_owned());
    }
    Ok(asked.map(|asked| guard::written(need.file, &asked)))
}

/// The logins to Docker Hub of one run that happen in items of the list, with the items.
fn hub_logins<'r, 'd>(
    need: &'r Need<'_, 'd>,
    run: &'r Job,
) -> impl Iterator<Item = (&'r Effect, Node<'d>)> {
    let logins = run.effects.iter().filter(|effect| is_hub_login(effect));
    logins.filter_map(|effect| {
        let span = effect.within.get(need.depth)?;
        let (list, index) = need.file.item(*span)?;
        let item = list.items().nth(index)?;
        (list.identity() == need.list.identity()).then_some((effect, item))
    })
}

/// Whether the audit found that this condition leaves out only what has no secrets.
fn asks_for_secrets_only(need: &Need<'_, '_>, text: &str) -> bool {
    let at = |item: Node<'_>| item.get("if").and_then(Node::as_str) == Some(text);
    let mut seen = false;
    let mut only = true;
    for run in &need.runs {
        for (effect, _) in hub_logins(need, run).filter(|(_, item)| at(*item)) {
            seen = true;
            only &= !effect.guards.is_empty() && effect.guards.iter().all(|g| g.with_secrets);
        }
    }
    seen && only
}

/// Whether the login happens in every run in which one of the pulls does and there are secrets.
fn precedes_all(desk: &Desk<'_, '_, '_>, need: &Need<'_, '_>, login: &Login<'_>) -> bool {
    need.runs.iter().all(|run| {
        let logins: Vec<&Effect> = hub_logins(need, run)
            .filter(|(_, item)| item.use_span() == login.item.use_span())
            .map(|(effect, _)| effect)
            .collect();
        let numbered = |effect: &&Effect| {
            let number = desk.repo.pull(run, effect);
            number.is_some_and(|number| need.pulls.contains(&number))
        };
        run.effects.iter().filter(numbered).all(|pull| {
            let leaves_out = |g: &Guard| !g.with_secrets && !pull.guards.contains(g);
            logins
                .iter()
                .any(|login| !login.guards.iter().any(leaves_out))
        })
    })
}

/// The secret that a login signs in with, as this file names it.
fn token_of(desk: &Desk<'_, '_, '_>, need: &Need<'_, '_>, login: &Login<'_>) -> String {
    let password = login.item.get("with").and_then(|w| w.get("password"));
    password
        .and_then(Node::as_str)
        .and_then(|text| named(text, "secrets"))
        .map_or_else(|| pass::local(desk, need.file).token_name, str::to_owned)
}

/// A login action without a user name or a password: what is missing is put in, and what a caller does
/// not pass is passed.
fn complete(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    login: &Login<'_>,
    draft: &mut Draft,
) -> Result<(), String> {
    let stuck = || "a login stands before it and cannot work".to_owned();
    draft.summary = "mend the login before the first pull";
    if need.is_action() || uses(login.item) != Some(LOGIN_ACTION) {
        return Err(stuck());
    }
    // With all that it signs in with, it still would not happen before every pull.
    if !precedes_all(desk, need, login) {
        return Err(match login.item.get("if").and_then(Node::as_str) {
            Some(text) => format!("{}, and is for `{}` only", stuck(), text.trim()),
            None => stuck(),
        });
    }
    let local = pass::local(desk, need.file);
    let with = login.item.get("with");
    let text = |key: &str| with.and_then(|w| w.get(key)).and_then(Node::as_str);
    let known = |key: &str| text(key).and_then(|t| named(t, "secrets"));
    let mut missing = Vec::new();
    for (key, value) in [("username", &local.user), ("password", &local.token)] {
        if text(key).is_none() {
            missing.push((key, value.clone()));
        }
    }
    let (user, password) = (known("username"), known("password"));
    let names: Vec<&str> = user.into_iter().chain(password).collect();
    if missing.is_empty() && (names.is_empty() || !need.file.is_called()) {
        return Err(stuck());
    }
    draft.needs = desk.names.needs();
    if !missing.is_empty() {
        draft.review.get_or_insert_with(|| {
            "the login had no user name or no password until now".to_owned()
        });
        let given: Vec<(&str, String)> = missing;
        if !pass::give(need.file, login.item, &given, &mut draft.parts) {
            return Err(stuck());
        }
    }
    let mut all = desk.names.secrets();
    all.extend(names);
    all.sort_unstable();
    all.dedup();
    // Of a secret that the step names itself, only that one has to get there.
    let all: Vec<&str> = match (user, password) {
        (Some(user), Some(password)) => vec![user, password],
        _ => all,
    };
    pass::secrets(desk, need.file, &all, &mut draft.parts)
}

/// A step with another condition.
struct Rewritten {
    edit: Edit,
    value: Rc<Value>,
}

fn rewritten(need: &Need<'_, '_>, item: Node<'_>, condition: &Option<String>) -> Option<Rewritten> {
    let style = &need.file.style.inside(item);
    let text = style.text;
    let pairs: Vec<_> = item.pairs().collect();
    let at = pairs
        .iter()
        .position(|(key, _)| key.as_str() == Some("if"))?;
    let (key, value) = *pairs.get(at)?;
    if item.is_alias() || value.is_alias() || value.anchor().is_some() {
        return None;
    }
    let Value::Map(mut entries) = Value::of(item).as_ref().clone() else {
        return None;
    };
    let edit = match condition {
        Some(condition) => {
            let written = Yaml::text(condition);
            entries.insert("if".to_owned(), written.meaning(style));
            // Block scalars go as a whole; what their span leaves out is the indicator.
            let colon = key.use_span().end as usize;
            let from = colon + text.get(colon..)?.find(':')? + 1;
            let line = style.entry(0, "if", &written);
            let new = line.first()?.strip_prefix("if:")?.to_owned();
            Edit::replace(from, style::value_end(text, value), new)
        }
        None => {
            entries.remove("if");
            if item.style() == Written::Flow {
                return None;
            }
            match pairs.get(at + 1) {
                Some((next, _)) => Edit::replace(
                    key.use_span().start as usize,
                    next.use_span().start as usize,
                    "",
                ),
                None => {
                    let start = style::line_start(text, key.use_span().start as usize);
                    let before = text.get(..start)?.trim_end_matches(['\n', '\r']).len();
                    Edit::replace(
                        before,
                        style::line_end(text, style::value_end(text, value)),
                        "",
                    )
                }
            }
        }
    };
    Some(Rewritten {
        edit,
        value: Rc::new(Value::Map(entries)),
    })
}

/// Takes the login out of its place and puts it before the first pull, with another condition where one is
/// given.
fn move_up(
    need: &Need<'_, '_>,
    login: &Login<'_>,
    condition: Option<Option<String>>,
    draft: &mut Draft,
) -> Result<(), String> {
    let moved = moved(need, login, condition)
        .ok_or("the login after it is written in a way that is not edited")?;
    let at = need.list.span().start;
    let part = draft.parts.of(need.file.path);
    part.edits.extend(moved.edits);
    part.intents.push(Intent::RemoveItem {
        at,
        index: login.index,
    });
    part.intents.push(Intent::InsertItem {
        at,
        index: need.index,
        value: moved.value,
    });
    Ok(())
}

struct Moved {
    edits: [Edit; 2],
    value: Rc<Value>,
}

fn moved(
    need: &Need<'_, '_>,
    login: &Login<'_>,
    condition: Option<Option<String>>,
) -> Option<Moved> {
    let style = &need.file.style;
    let text = style.text;
    if need.list.style() != Written::Block {
        return None;
    }
    let first = need.list.items().nth(need.index)?;
    let (dash, target) = (style::dash(text, login.item)?, style::dash(text, first)?);
    let alone = |dash: usize| {
        text.get(style::line_start(text, dash)..dash)
            .is_some_and(|t| t.bytes().all(|b| b == b' '))
    };
    if !alone(dash) || !alone(target) {
        return None;
    }
    let from = style::above(text, dash);
    let end = style::line_end(text, style::value_end(text, login.item));
    let (value, rewritten) = match &condition {
        None => (Value::of(login.item), None),
        Some(condition) => {
            let new = rewritten(need, login.item, condition)?;
            (new.value, Some(new.edit))
        }
    };
    let mut lines = match rewritten {
        None => text.get(from..end)?.to_owned(),
        Some(edit) => format!(
            "{}{}{}",
            text.get(from..edit.start)?,
            edit.text,
            text.get(edit.end..end)?
        ),
    };
    lines.push_str(style.eol);
    let at = style::above(text, target);
    // Where steps stand apart, the blank line before the login goes with it.
    let apart = put::blank_before(text, from);
    let mut start = from;
    if apart {
        start = style::line_start(text, from.checked_sub(1)?);
        if need.index > 0 && put::blank_before(text, at) || need.index == 0 {
            lines.push_str(style.eol);
        }
    }
    let rest = text.get(end..)?;
    let stop = match rest.find('\n') {
        Some(newline) => end + newline + 1,
        None => {
            // It is the last line, and that has no ending: the one before it loses its own.
            start = text.get(..start)?.trim_end_matches(['\n', '\r']).len();
            end
        }
    };
    Some(Moved {
        edits: [Edit::insert(at, lines), Edit::replace(start, stop, "")],
        value,
    })
}
