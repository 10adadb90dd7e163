//! Logins that are there and wrong: after the pull, with a name that calls nothing, or of an orb that is not declared.

use pullpass_audit::effect::Kind;
use pullpass_audit::yaml::{Node, Style as Written};

use super::{Need, ORB_VERSION, Writer};
use crate::Part;
use crate::circleci::outline::{Scope, arguments, step_name, underscores};
use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::put::{self, Step};
use crate::style::{self, Style};

/// The last version whose parameters are spelled with hyphens.
const HYPHENS_VERSION: &str = "2.8.2";

impl<'a> Writer<'a, '_> {
    /// A step before the pull that was meant to sign in and calls nothing: its name is mistyped, or
    /// is declared outside of the inline orb that it stands in. CircleCI refuses the file as it is.
    pub(super) fn stray(&self, need: &Need<'a>, scope: &Scope<'a>) -> Option<(usize, Node<'a>)> {
        let items = need.list.items().enumerate().take(need.index);
        items
            .filter(|(_, item)| !item.is_alias())
            .find(|(_, item)| {
                let Some(name) = item.as_str().filter(|n| !n.contains("<<")) else {
                    return false;
                };
                let declared = match name.split_once('/') {
                    None => scope.command(name).is_some(),
                    Some((orb, _)) => scope.declares_orb(orb),
                };
                let name = name.to_ascii_lowercase();
                let signs_in = name.contains("login") || name.ends_with("/check");
                let meant = name.contains("docker") && signs_in;
                meant && !declared && self.calls_nothing(*item)
            })
    }

    /// Whether a step of this name was seen to call nothing: what this file does not declare, another one may that it
    /// is put together with.
    fn calls_nothing(&self, name: Node<'_>) -> bool {
        let mut effects = self.jobs.iter().flat_map(|job| &job.effects);
        effects.any(|effect| {
            let is_broken = matches!(&effect.kind, Kind::Login { broken, .. } if broken.is_some());
            is_broken && effect.span == name.use_span()
        })
    }

    /// The orb of a step before the pull that signs in with arguments, as `docker/check` does, where the orb is not
    /// declared; and the version of the docker orb that has such parameters, if there can be one here.
    pub(super) fn undeclared_call(
        &self,
        need: &Need<'a>,
        scope: &Scope<'a>,
    ) -> Option<(&'a str, Option<&'a str>)> {
        need.list.items().take(need.index).find_map(|item| {
            let (orb, inner) = step_name(item)
                .filter(|_| item.is_mapping())?
                .split_once('/')?;
            let meant = orb.to_ascii_lowercase().contains("docker") && inner == "check";
            let named = item.entries().first().map(|entry| entry.key);
            if !meant
                || scope.declares_orb(orb)
                || !named.is_some_and(|named| self.calls_nothing(named))
            {
                return None;
            }
            let given = arguments(item).map(Node::entries).unwrap_or_default();
            let has = |sign: char| {
                let mut keys = given.iter().filter_map(|entry| entry.key.as_str());
                keys.any(|key| key.contains(sign))
            };
            let fits = |version: &str| !has(if underscores(version) { '-' } else { '_' });
            let known = scope.docker_orb().map(|(_, version)| version);
            let known = known.or_else(|| self.outline.docker_version());
            let version = match known {
                Some(version) => Some(version).filter(|v| fits(v)),
                None => [ORB_VERSION, HYPHENS_VERSION].into_iter().find(|v| fits(v)),
            };
            Some((orb, version))
        })
    }

    /// Takes the login at `later` out and puts it, as it is, before item `need.index`.
    pub(super) fn move_up(&self, need: &Need<'a>, later: usize) -> Option<Part> {
        let text = self.style.text;
        if need.list.style() != Written::Block {
            return None;
        }
        let login = need.list.items().nth(later)?;
        let first = need.list.items().nth(need.index)?;
        let (dash, target) = (style::dash(text, login)?, style::dash(text, first)?);
        let alone = |dash: usize| {
            text.get(style::line_start(text, dash)..dash)
                .is_some_and(|t| t.bytes().all(|b| b == b' '))
        };
        if !alone(dash) || !alone(target) || login.is_alias() && !self.is_above(login, need) {
            return None;
        }
        let from = put::above_login(text, dash, need.list.items().count() == later + 1);
        let end = style::line_end(text, style::value_end(text, login));
        let to = end + text.get(end..)?.find('\n')? + 1;
        let moved = text.get(from..to)?;
        let at = style::above(text, target);
        let list = need.list.span().start;
        Some(Part {
            path: self.path.clone(),
            edits: vec![Edit::insert(at, moved), Edit::replace(from, to, "")],
            intents: vec![
                Intent::RemoveItem {
                    at: list,
                    index: later,
                },
                Intent::InsertItem {
                    at: list,
                    index: need.index,
                    value: Value::of(login),
                },
            ],
        })
    }
}

/// Puts a step in the place of one that is a name and nothing else.
pub(super) fn replace(style: &Style<'_>, item: Node<'_>, step: &Step<'_>) -> Option<Edit> {
    let flow = match step {
        Step::New(yaml) => style.flow(yaml),
        Step::Copy(node) => put::text_of(style.text, *node).to_owned(),
    };
    let start = item.use_span().start as usize;
    let end = style::value_end(style.text, item);
    (!flow.contains('\n')).then(|| Edit::replace(start, end, flow))
}
