//! The repository's own way of signing in, where the scope has one.

use pullpass_audit::circleci;
use pullpass_audit::effect::{Effect, Kind};
use pullpass_audit::yaml::Node;

use super::made::is_for_bash;
use super::place::is_login_command;
use super::{Need, ORB_VERSION, Writer, is_hub_login};
use crate::Login;
use crate::circleci::file::variable;
use crate::circleci::outline::step_name;
use crate::names::Names;
use crate::put::Step;
use crate::script;
use crate::style::Yaml;

impl<'a> Writer<'a, '_> {
    /// The step by which this scope already signs in, if it has one.
    pub(super) fn own_way(&self, scope: usize, need: &Need<'a>, names: &Names) -> Option<Step<'a>> {
        if self.wishes.login.is_some() && self.repo.audit.logins.is_empty() {
            return None;
        }
        let mut found: Option<Node<'a>> = None;
        for job in self.jobs {
            for effect in job.effects.iter().filter(|e| is_hub_login(e)) {
                for &span in effect.within.iter() {
                    let Some((list, index)) = self.outline.item(span) else {
                        continue;
                    };
                    let Some(item) = list.items().nth(index) else {
                        continue;
                    };
                    let shorter =
                        found.is_none_or(|f| self.text_of(item).len() < self.text_of(f).len());
                    // An alias works only below its anchor.
                    let above = !item.is_alias() || self.is_above(item, need);
                    if shorter
                        && above
                        && self.outline.scope_of(list) == scope
                        && self.uses_names(effect, names)
                        && self.is_wished(item)
                        && !self.is_inside_login_command(list)
                        && self.signs_in_only(job, item)
                        && self.works_there(effect, need, names)
                    {
                        found = Some(item);
                    }
                }
            }
        }
        if let Some(item) = found {
            return Some(Step::Copy(item));
        }
        // A command that signs in and that nobody calls yet.
        let root = self.outline.scopes.get(scope)?;
        let commands = root.root.get("commands")?;
        commands.entries().into_iter().find_map(|entry| {
            let name = entry.key.as_str()?;
            let required = entry
                .value
                .get("parameters")
                .is_some_and(|p| p.entries().iter().any(|p| p.value.get("default").is_none()));
            let fits = !required
                && is_login_command(entry.value)
                && self.signs_in(entry.value, need, names);
            fits.then(|| Step::New(Yaml::text(name)))
        })
    }

    /// Whether a command signs in to Docker Hub with the names that are to be used, in the form that was
    /// asked for.
    pub(super) fn signs_in(&self, definition: Node<'a>, need: &Need<'a>, names: &Names) -> bool {
        let cx = &self.repo.survey.cx;
        let effects = circleci::command(cx, &self.path, definition.use_span());
        effects.iter().filter(|e| is_hub_login(e)).any(|effect| {
            let item = effect
                .within
                .last()
                .and_then(|&span| self.outline.item(span))
                .and_then(|(list, index)| list.items().nth(index));
            self.uses_names(effect, names)
                && item.is_some_and(|item| self.is_wished(item))
                && self.works_there(effect, need, names)
        })
    }

    /// Whether a login of another job works before the first pull of this one. Where it is a program of the
    /// repository, that must be there by then, and so must every variable that it reads.
    pub(super) fn works_there(&self, effect: &Effect, need: &Need<'a>, names: &Names) -> bool {
        let Some(file) = self.jobs.first().map(|job| job.file) else {
            return false;
        };
        if need.lacks_bash()
            && let Kind::Login { how, .. } = &effect.kind
            && how.starts_with("docker/")
            && is_for_bash(self.outline.docker_version().unwrap_or(ORB_VERSION))
        {
            return false;
        }
        let files = script::others(self.repo, effect, file);
        if files.is_empty() {
            return true;
        }
        let is_checked_out = need
            .list
            .items()
            .take(need.index)
            .any(|item| step_name(item) == Some("checkout"));
        // What one job or one step is given, another has not.
        let set = self.set_in_steps();
        let is_carried = |name: &str| {
            name == names.user
                || name == names.token
                || !set.contains(&name) && !self.style.text.contains("BASH_ENV")
        };
        is_checked_out && script::sign_in_anywhere(&files, is_carried, &set)
    }

    /// Whether a login is of the form that was asked for, if one was.
    pub(super) fn is_wished(&self, item: Node<'a>) -> bool {
        match self.wishes.login {
            None => true,
            Some(Login::Run) => !step_name(item).is_some_and(|n| n.contains('/')),
            Some(Login::Orb) => step_name(item) != Some("run"),
        }
    }

    pub(super) fn is_above(&self, item: Node<'a>, need: &Need<'a>) -> bool {
        let place = need
            .list
            .items()
            .nth(need.index)
            .map(|i| i.use_span().start);
        place.is_some_and(|place| item.span().end <= place)
    }

    pub(super) fn is_inside_login_command(&self, list: Node<'a>) -> bool {
        self.outline.scopes.iter().any(|scope| {
            let commands = scope
                .root
                .get("commands")
                .map(Node::entries)
                .unwrap_or_default();
            commands.iter().any(|c| {
                c.value
                    .get("steps")
                    .is_some_and(|s| s.identity() == list.identity())
                    && is_login_command(c.value)
            })
        })
    }

    pub(super) fn uses_names(&self, effect: &Effect, names: &Names) -> bool {
        let Kind::Login {
            username, password, ..
        } = &effect.kind
        else {
            return false;
        };
        let cx = &self.repo.survey.cx;
        let is = |text: &Option<pullpass_audit::text::Text>, name: &str| {
            text.as_ref()
                .map(|t| cx.holes.show(t.as_str()))
                .is_some_and(|t| variable(&t) == Some(name))
        };
        is(username, &names.user) && is(password, &names.token)
    }
}
