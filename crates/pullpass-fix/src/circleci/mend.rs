//! Logins that are there and cannot work, because the parameters are spelled as another version of the
//! docker orb spells them, or hold a variable's value where its name belongs.

use pullpass_audit::effect::{Effect, Job, Kind};
use pullpass_audit::source::RepoPath;
use pullpass_audit::verdict::{Auth, Cause};
use pullpass_audit::yaml::Node;

use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::repo::Repo;
use crate::style::Style;
use crate::{Change, Claim, Part, Proposal, Safety};

use super::file::variable;
use super::outline::{Outline, arguments, step_name, underscores};

/// Mends what of `wanted` is anonymous because of such a login, and takes it out of the list.
pub(super) fn misspelt(
    repo: &Repo<'_, '_>,
    job: &Job,
    outline: &Outline<'_>,
    style: &Style<'_>,
    path: &RepoPath,
    wanted: &mut Vec<(&Effect, usize)>,
    out: &mut Proposal,
) {
    let broken: Vec<usize> = wanted
        .iter()
        .map(|&(_, number)| number)
        .filter(|&n| {
            repo.audit
                .pulls
                .get(n)
                .is_some_and(|p| p.cause == Cause::LoginBroken)
        })
        .collect();
    if broken.is_empty() {
        return;
    }
    let login = job.effects.iter().find_map(|effect| {
        let Kind::Login {
            broken: Some(_), ..
        } = &effect.kind
        else {
            return None;
        };
        // The deepest item that is written in the repository is the call of the orb.
        let (list, index) = outline.item(*effect.within.last()?)?;
        let item = list.items().nth(index)?;
        let part = respell(item, outline, list, style, path)?;
        Some((effect.span, part))
    });
    let Some((span, part)) = login else {
        return;
    };
    out.changes.push(Change {
        summary: format!("mend the login of job `{}`", job.name),
        at: repo.at(span),
        // CircleCI refuses the whole file as it is, so no build passed before.
        safety: Safety::Safe,
        why: String::new(),
        parts: vec![part],
        claims: broken
            .iter()
            .map(|&pull| Claim {
                pull,
                auth: Auth::Authenticated,
            })
            .collect(),
        note: String::new(),
        needs: Vec::new(),
        contexts: Vec::new(),
    });
    wanted.retain(|(_, number)| !broken.contains(number));
}

fn respell<'d>(
    item: Node<'d>,
    outline: &Outline<'d>,
    list: Node<'d>,
    style: &Style<'_>,
    path: &RepoPath,
) -> Option<Part> {
    let name = step_name(item)?;
    let given = arguments(item).filter(|a| a.is_mapping() && !a.is_alias())?;
    let scope = outline.scopes.get(outline.scope_of(list))?;
    let (orb, version) = scope.docker_orb()?;
    if !name.strip_prefix(orb)?.starts_with('/') {
        return None;
    }
    let mut part = Part {
        path: path.clone(),
        edits: Vec::new(),
        intents: Vec::new(),
    };
    for (key, value) in given.pairs() {
        let written = key.as_str()?;
        let right = if underscores(version) {
            written.replace('-', "_")
        } else {
            written.replace('_', "-")
        };
        if right != written {
            let span = key.use_span();
            let text = style.text.get(span.start as usize..span.end as usize)?;
            part.edits.push(Edit::replace(
                span.start as usize,
                span.end as usize,
                text.replace(written, &right),
            ));
            part.intents.push(Intent::RenameKey {
                at: given.span().start,
                from: written.to_owned(),
                to: right,
            });
        }
        if let Some(reference) = value.as_str().filter(|text| text.starts_with('$')) {
            let name = variable(reference).filter(|_| !value.is_alias())?;
            let start = value.span().start as usize;
            let at = start + style.text.get(start..)?.find(reference)?;
            part.edits
                .push(Edit::replace(at, at + reference.len(), name));
            let plain = value.style() == pullpass_audit::yaml::Style::Plain;
            part.intents.push(Intent::Replace {
                at: value.span().start,
                value: std::rc::Rc::new(Value::Scalar {
                    text: name.to_owned(),
                    plain,
                }),
            });
        }
    }
    (!part.edits.is_empty()).then_some(part)
}
