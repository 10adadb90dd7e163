//! `credentials` beside each Docker Hub image that the runner pulls before the first step.
//!
//! Unlike a login step these cannot be left out in a run without secrets: with an empty user name the
//! job fails before its first step. Where such runs are possible a person has to decide.

use std::collections::{BTreeMap, BTreeSet};

use pullpass_audit::effect::{Declared, Job, Kind, Provider};
use pullpass_audit::source::FileId;
use pullpass_audit::verdict::Auth;
use pullpass_audit::yaml::{Node, Style as Written};

use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::put::{self, Beside};
use crate::style::{self, Style, Yaml};
use crate::{Change, Claim, Identity, Left, Part, Proposal, Safety};

use super::files::{File, JobNode};
use super::guard::Without;
use super::logins::Desk;
use super::pass::{self, Parts};

/// One place for a credential, and the pulls that it would serve.
#[derive(Default)]
struct Slot<'j> {
    wanted: BTreeSet<usize>,
    jobs: Vec<&'j Job>,
    /// Why it cannot get one.
    refuse: Option<String>,
    /// What is the matter with the `credentials` that are there.
    given: Option<String>,
}

pub(super) fn propose(desk: &Desk<'_, '_, '_>, out: &mut Proposal) {
    let repo = desk.repo;
    let mut slots: BTreeMap<(FileId, u32), Slot<'_>> = BTreeMap::new();
    for job in &repo.survey.jobs {
        if job.provider != Provider::GitHub {
            continue;
        }
        for effect in &job.effects {
            let Kind::Pull { declared, .. } = &effect.kind else {
                continue;
            };
            let Some(number) = repo.pull(job, effect) else {
                continue;
            };
            let Some(pull) = repo.audit.pulls.get(number).filter(|p| p.by_host) else {
                continue;
            };
            if repo.stuck(number) {
                out.left.push(Left {
                    pull: number,
                    reason: format!(
                        "{}: run the image in a step of your own after a login, or take it from another registry",
                        pull.reason
                    ),
                });
            }
            let Some(span) = effect.slot else {
                if repo.wanted(number) {
                    out.left.push(Left {
                        pull: number,
                        reason: "an expression makes up the whole container, and its credential belongs there".to_owned(),
                    });
                }
                continue;
            };
            let slot = slots.entry((span.file, span.start)).or_default();
            slot.jobs.push(job);
            if repo.wanted(number) {
                slot.wanted.insert(number);
            }
            let image = pull.image.as_deref().unwrap_or("");
            match pull.auth {
                Auth::NotApplicable => {
                    slot.refuse.get_or_insert_with(|| format!("the same place also stands for `{image}`, which is not on Docker Hub, and would be pulled with the wrong credential; give each its own job"));
                }
                Auth::Unknown => {
                    slot.refuse.get_or_insert_with(|| format!("the same place also stands for `{image}`, of which the registry cannot be known"));
                }
                _ => {}
            }
            if !matches!(declared, Declared::None) && repo.wanted(number) {
                slot.given = Some(format!(
                    "there are `credentials`, and they do not always work: {}",
                    pull.reason
                ));
            }
        }
    }
    for ((file, start), slot) in slots {
        if slot.wanted.is_empty() {
            continue;
        }
        let offered = match &slot.refuse {
            Some(reason) => Err(reason.clone()),
            None => match desk.files.at(repo, file) {
                Some(file) => offer(desk, file, start, &slot),
                None => continue,
            },
        };
        match offered {
            Ok(change) => out.changes.push(change),
            Err(reason) => out.left.extend(slot.wanted.iter().map(|&pull| Left {
                pull,
                reason: reason.clone(),
            })),
        }
    }
}

fn offer(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    start: u32,
    slot: &Slot<'_>,
) -> Result<Change, String> {
    let named = desk.wishes.user_var.is_some() || desk.wishes.token_var.is_some();
    if desk.wishes.identity == Identity::Oidc && !desk.names.known && !named {
        return Err("the runner pulls it before any step, so OIDC cannot cover it; name a secret for it with --user-var and --token-var".to_owned());
    }
    let not_edited = || "it is written in a way that is not edited".to_owned();
    let local = pass::local(desk, file);
    let credentials = Yaml::map([
        ("username", Yaml::text(&local.user)),
        ("password", Yaml::text(&local.token)),
    ]);
    let mut parts = Parts::default();
    pass::secrets(desk, file, &desk.names.secrets(), &mut parts)?;
    let part = parts.of(file.path);
    let (place, image) = match (file.mapping(start), &slot.given) {
        (Some(mapping), Some(why)) => {
            let half = mapping
                .get("credentials")
                .filter(|half| is_half(*half, &local.user))
                .ok_or_else(|| why.clone())?;
            put::key(
                &file.style,
                half,
                Beside::After("username"),
                "password",
                &Yaml::text(&local.token),
                part,
            )
            .then_some(())
            .ok_or_else(not_edited)?;
            (mapping, mapping.get("image"))
        }
        (None, Some(why)) => return Err(why.clone()),
        (Some(mapping), None) => {
            put::key(
                &file.style,
                mapping,
                Beside::After("image"),
                "credentials",
                &credentials,
                part,
            )
            .then_some(())
            .ok_or_else(not_edited)?;
            (mapping, mapping.get("image"))
        }
        (None, None) => {
            let (around, key, scalar) = file.value(start).ok_or_else(not_edited)?;
            let style = file.style.inside(around);
            // In braces all of it is: a mapping in block style cannot stand there.
            let flow = Style {
                in_flow: true,
                ..style.clone()
            };
            let block = stands_alone(&style, key);
            wrap(
                if block { &style } else { &flow },
                key,
                scalar,
                &credentials,
                part,
            )
            .ok_or_else(not_edited)?;
            (scalar, Some(scalar))
        }
    };
    let nodes: Vec<JobNode<'_>> = file
        .jobs()
        .into_iter()
        .filter(|job| slot.jobs.iter().any(|j| j.span == job.key.span()))
        .collect();
    let without = Without::of(desk.files, file, &slot.jobs, &nodes);
    let mut review = None;
    if without.any() {
        review = Some(format!(
            "{}, and with empty `credentials` the job then fails before its first step; keep such runs out of the job, or give them one without `credentials`",
            without.words()
        ));
    }
    let chosen = image
        .and_then(Node::as_str)
        .is_some_and(|text| text.contains("${{"));
    if chosen && review.is_none() && !nodes.iter().all(|job| always_an_image(job.node, image)) {
        review = Some(
            "an expression chooses the image; where it chooses none, check that the job still runs without a container".to_owned(),
        );
    }
    if review.is_none() {
        review = desk.names.without_secrets(&nodes);
    }
    let image = slot
        .wanted
        .iter()
        .find_map(|n| desk.repo.audit.pulls.get(*n)?.image.clone())
        .unwrap_or_default();
    Ok(Change {
        summary: format!("give `{image}` its `credentials`"),
        at: desk.repo.at(place.use_span()),
        safety: if review.is_some() {
            Safety::Review
        } else {
            Safety::Safe
        },
        why: review.unwrap_or_default(),
        parts: parts.into_vec(),
        claims: slot
            .wanted
            .iter()
            .map(|&pull| Claim {
                pull,
                auth: Auth::Authenticated,
            })
            .collect(),
        note: String::new(),
        needs: desk.names.needs(),
        contexts: Vec::new(),
    })
}

/// Whether `credentials` are those of the repository, but for a password that was forgotten.
fn is_half(credentials: Node<'_>, user: &str) -> bool {
    let given = credentials.get("username").and_then(Node::as_str);
    credentials.is_mapping()
        && !credentials.is_alias()
        && credentials.get("password").is_none()
        && given == Some(user)
}

/// Whether an image that an expression chooses is one in every run: it is a list of the matrix, and none
/// of its values is empty.
fn always_an_image(job: Node<'_>, image: Option<Node<'_>>) -> bool {
    let text = image.and_then(Node::as_str).unwrap_or("");
    // A name with an unknown tag is a name.
    if !text.trim_start().starts_with("${{") {
        return true;
    }
    let path = super::files::expression(text).and_then(|inner| inner.strip_prefix("matrix."));
    let Some(path) = path else {
        return false;
    };
    let (key, inside) = path.split_once('.').unwrap_or((path, ""));
    let Some(matrix) = job.get("strategy").and_then(|s| s.get("matrix")) else {
        return false;
    };
    // `matrix.builder.image`: the values are mappings.
    let full = |value: Node<'_>| {
        let keys = inside.split('.').filter(|key| !key.is_empty());
        let value = keys
            .into_iter()
            .try_fold(value, |value, key| value.get(key));
        let image = value.and_then(Node::as_str);
        image.is_some_and(|image| !image.trim().is_empty())
    };
    let list = matrix.get(key).filter(|values| values.is_sequence());
    match (list, matrix.get("include")) {
        (Some(values), None) => values.items().all(full),
        (None, Some(include)) => include.items().all(|one| one.get(key).is_some_and(full)),
        _ => false,
    }
}

/// Whether a key is the first thing on its line, and no brace is around it.
fn stands_alone(style: &Style<'_>, key: Node<'_>) -> bool {
    let start = key.use_span().start as usize;
    let before = style.text.get(style::line_start(style.text, start)..start);
    !style.in_flow && before.is_some_and(|text| text.bytes().all(|b| b == b' '))
}

/// `container: x` as a mapping: the text of `x` stays where it can.
fn wrap(
    style: &Style<'_>,
    key: Node<'_>,
    scalar: Node<'_>,
    credentials: &Yaml,
    part: &mut Part,
) -> Option<()> {
    let text = style.text;
    let one_line = matches!(
        scalar.style(),
        Written::Plain | Written::Single | Written::Double
    );
    if scalar.is_alias() || !one_line {
        return None;
    }
    let (start, end) = (
        scalar.use_span().start as usize,
        style::value_end(text, scalar),
    );
    if text.get(start..end)?.contains('\n') {
        return None;
    }
    if !style.in_flow {
        let indent = style::column(text, key.use_span().start as usize) + style.step;
        // The anchor, if there is one, stays on the line of the key.
        let before = text.get(key.use_span().end as usize..start)?;
        if before.contains('\n') {
            return None;
        }
        let blanks = before.len() - before.trim_end().len();
        part.edits.push(Edit::replace(
            start - blanks,
            start,
            format!(
                "{}{}{}: ",
                style.eol,
                " ".repeat(indent),
                style.key("image")
            ),
        ));
        let lines = style.entry(indent, "credentials", credentials);
        part.edits.push(Edit::insert(
            style::line_end(text, end),
            style.lines_after(&lines),
        ));
    } else {
        let pad = if style.padded { " " } else { "" };
        part.edits
            .push(Edit::insert(start, format!("{{{pad}image: ")));
        let flow = style.flow_entry("credentials", credentials);
        part.edits
            .push(Edit::insert(end, format!(", {flow}{pad}}}")));
    }
    let whole = Value::Map(
        [
            ("image".to_owned(), Value::of(scalar)),
            ("credentials".to_owned(), credentials.meaning(style)),
        ]
        .into(),
    );
    part.intents.push(Intent::Replace {
        at: scalar.span().start,
        value: whole.into(),
    });
    Some(())
}
