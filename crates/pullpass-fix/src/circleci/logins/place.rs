//! Where a login goes, and whether one that stands there already can go there.

use std::collections::{BTreeMap, BTreeSet};

use pullpass_audit::editable::is_machine_of_circleci;
use pullpass_audit::effect::{By, Effect, Job, Kind, Runner, proves_docker};
use pullpass_audit::verdict::Cause;
use pullpass_audit::yaml::Node;

use super::{Need, Wanted, Writer, is_hub_login};
use crate::circleci::file::{Runs, runs_of, variable};
use crate::circleci::outline::{script as script_of, step_name};
use crate::put;
use crate::script::{self, is_one_command, only_signs_in};
use crate::{Left, Proposal};

impl<'a> Writer<'a, '_> {
    /// Commands, by their lists of steps, in which one login serves all that call them: several do,
    /// and the first thing that each is to be signed in for is pulled there.
    pub(super) fn shared(&self, all: &[(&Job, Wanted<'_>)]) -> BTreeSet<u32> {
        let mut calls: BTreeMap<u32, (usize, &str, BTreeSet<u32>)> = BTreeMap::new();
        let mut paths: Vec<Vec<u32>> = Vec::new();
        for (first, _) in all.iter().filter_map(|(_, wanted)| wanted.first()) {
            let mut path = Vec::new();
            for (&call, &step) in first.within.iter().zip(first.within.iter().skip(1)) {
                let (Some((list, index)), Some((command, _))) =
                    (self.outline.item(call), self.outline.item(step))
                else {
                    break;
                };
                let name = list.items().nth(index).and_then(step_name);
                let scope = self.outline.scope_of(list);
                let declared = |name: &&str| {
                    let scope = self.outline.scopes.get(scope);
                    scope.is_some_and(|scope| scope.command(name).is_some())
                };
                let Some(name) = name.filter(declared) else {
                    break;
                };
                let known = calls.entry(command.identity());
                let (_, _, from) = known.or_insert_with(|| (scope, name, BTreeSet::new()));
                from.insert(call.start);
                path.push(command.identity());
            }
            paths.push(path);
        }
        // A call that no job is signed in for pulls nothing, or is signed in already.
        let mut shared: BTreeSet<u32> = calls
            .into_iter()
            .filter(|(_, (scope, name, from))| {
                from.len() > 1 && self.outline.calls(*scope, name) == *from
            })
            .map(|(command, _)| command)
            .collect();
        loop {
            let before = shared.len();
            for path in &paths {
                let above = path.iter().take_while(|c| shared.contains(c)).count();
                for below in path.iter().skip(above) {
                    shared.remove(below);
                }
            }
            if shared.len() == before {
                return shared;
            }
        }
    }

    /// Where a login that covers all of `wanted` goes.
    pub(super) fn place(
        &self,
        job: &Job,
        wanted: &Wanted<'_>,
        shared: &BTreeSet<u32>,
        needs: &mut BTreeMap<u32, Need<'a>>,
        out: &mut Proposal,
    ) {
        let Some((first, _)) = wanted.first() else {
            return;
        };
        let mut depth = 0;
        let mut conditions = 0;
        // Where `docker` is set up among the steps of this job, as far as the way to the first pull shows it.
        let sets_up = |(list, index): (Node<'a>, usize)| {
            list.items()
                .take(index)
                .any(|item| step_name(item) == Some("setup_remote_docker"))
        };
        let on_the_way = |depth: usize| {
            let span = first.within.get(depth)?;
            self.outline.item(*span)
        };
        let mut is_set_up = false;
        let (list, index) = loop {
            let Some((list, index)) = first
                .within
                .get(depth)
                .and_then(|&span| self.outline.item(span))
            else {
                let reason = "the steps of this job are those of a published orb; give it `pre-steps` that sign in, or use a job of this repository";
                for &(_, pull) in wanted {
                    out.left.push(Left {
                        pull,
                        reason: reason.to_owned(),
                    });
                }
                return;
            };
            let together = wanted
                .iter()
                .all(|(e, _)| e.within.get(depth) == first.within.get(depth));
            let inner = first
                .within
                .get(depth + 1)
                .and_then(|&span| self.outline.item(span));
            let item = list.items().nth(index);
            let is_when = item
                .and_then(step_name)
                .is_some_and(|name| matches!(name, "when" | "unless"));
            is_set_up |= sets_up((list, index));
            let brings_docker = inner.is_some_and(sets_up);
            // Where what is pulled elsewhere too finds the command's login; it finds none of a `when` that is not run.
            let first_to_bring = brings_docker && !is_when && !is_set_up;
            let is_shared = inner.is_some_and(|(list, _)| shared.contains(&list.identity()));
            if inner.is_some()
                && (is_shared || first_to_bring || together && (is_when || brings_docker))
            {
                depth += 1;
                conditions += usize::from(is_when);
                continue;
            }
            break (list, index);
        };
        let only_later = !is_set_up
            && (depth + 1..first.within.len())
                .filter_map(on_the_way)
                .any(sets_up);
        let host = job.effects.iter().find_map(|e| match &e.kind {
            Kind::Pull {
                by: By::Executor,
                image,
                ..
            } => Some(self.repo.survey.cx.holes.show(image.as_str())),
            _ => None,
        });
        let need = needs.entry(list.identity()).or_insert_with(|| Need {
            list,
            index,
            pulls: BTreeSet::new(),
            jobs: BTreeSet::new(),
            runs: Runs::new(),
            hosts: BTreeSet::new(),
            powershell: BTreeSet::new(),
            certain: false,
            proves_docker: false,
            review: None,
            broken: None,
            later: None,
        });
        need.index = need.index.min(index);
        need.pulls.extend(wanted.iter().map(|&(_, pull)| pull));
        need.jobs.insert(job.name.to_string());
        need.runs.extend(runs_of(job));
        need.hosts.insert(host);
        need.powershell
            .insert(self.outline.is_powershell(&job.name));
        let is_machine = is_machine_of_circleci(job);
        need.certain |= wanted
            .iter()
            .any(|(e, _)| e.guards.len() <= conditions && (is_machine || proves_docker(e)));
        need.proves_docker |= is_machine || wanted.iter().any(|(e, _)| proves_docker(e));
        if job.runner == Runner::SelfHosted {
            need.review.get_or_insert_with(|| {
                "it runs on a machine of your own, which may be signed in already: the login takes the place of that, and stays there".to_owned()
            });
        }
        if only_later {
            need.review.get_or_insert_with(|| {
                "`setup_remote_docker` comes after it, so `docker` may not be there yet".to_owned()
            });
        }
        for &(_, number) in wanted {
            let Some(pull) = self.repo.audit.pulls.get(number) else {
                continue;
            };
            match pull.cause {
                Cause::LoginLater => {
                    need.later = need.later.or_else(|| self.later(job, list, index, depth))
                }
                Cause::LoginConditional => {
                    need.review.get_or_insert_with(|| format!("a login is there already and depends on a condition, perhaps for builds that have no credential: {}", pull.reason));
                }
                Cause::LoginBroken => {
                    need.broken.get_or_insert_with(|| {
                        format!("a login is there already and cannot work: {}", pull.reason)
                    });
                }
                _ => {}
            }
        }
    }

    /// An item after `index` in the same list that signs in to Docker Hub and does nothing else; and whether all that
    /// it needs is there from the beginning of the job.
    pub(super) fn later(
        &self,
        job: &Job,
        list: Node<'a>,
        index: usize,
        depth: usize,
    ) -> Option<(usize, bool)> {
        job.effects.iter().find_map(|effect| {
            let span = *effect.within.get(depth).filter(|_| is_hub_login(effect))?;
            let (of, number) = self.outline.item(span)?;
            let item = of.items().nth(number)?;
            (of.identity() == list.identity() && number > index && self.signs_in_only(job, item))
                .then(|| (number, self.needs_no_step(job, effect)))
        })
    }

    /// Whether a login needs nothing that another step makes: it is written in this file, and signs in with what the
    /// project or a context holds.
    pub(super) fn needs_no_step(&self, job: &Job, effect: &Effect) -> bool {
        let Kind::Login {
            username, password, ..
        } = &effect.kind
        else {
            return false;
        };
        let cx = &self.repo.survey.cx;
        let set = self.set_in_steps();
        let is_held = |text: &pullpass_audit::text::Text| {
            let shown = cx.holes.show(text.as_str());
            match variable(&shown) {
                Some(name) => !set.contains(&name),
                None => !shown.contains(['$', '<', '`']),
            }
        };
        password.as_ref().is_some_and(is_held)
            && username.as_ref().is_none_or(is_held)
            && script::others(self.repo, effect, job.file).is_empty()
            && !self.style.text.contains("BASH_ENV")
    }

    /// The variables that the file gives to some job, image or step.
    pub(super) fn set_in_steps(&self) -> Vec<&'a str> {
        let mut set = Vec::new();
        if let Some(root) = self.outline.scopes.first().map(|scope| scope.root) {
            put::walk(root, 0, &mut |node| {
                let given = node.get("environment").map(Node::entries);
                let keys = given.unwrap_or_default().into_iter();
                set.extend(keys.filter_map(|entry| entry.key.as_str()));
            });
        }
        set
    }

    /// Whether all that an item does in this job is to sign in to Docker Hub.
    pub(super) fn signs_in_only(&self, job: &Job, item: Node<'a>) -> bool {
        let at = item.use_span();
        let mut signs_in = false;
        for effect in job.effects.iter().filter(|e| e.within.contains(&at)) {
            if !is_hub_login(effect) {
                return false;
            }
            signs_in = true;
        }
        signs_in && self.does_nothing_else(item)
    }

    /// What effects do not show: other steps of a command, other commands of a script.
    pub(super) fn does_nothing_else(&self, item: Node<'a>) -> bool {
        let text = self.text_of(item);
        if text.contains(['&']) && item.anchor().is_some()
            || ["<< parameters", "<<parameters", "<< matrix", "<<matrix"]
                .iter()
                .any(|tag| text.contains(tag))
        {
            return false;
        }
        if let Some(script) = script_of(item) {
            return is_one_command(script) || only_signs_in(script);
        }
        let Some(name) = step_name(item) else {
            return false;
        };
        if matches!(name, "when" | "unless" | "run" | "steps") {
            return false;
        }
        let scope = self
            .outline
            .item(item.use_span())
            .map(|(list, _)| self.outline.scope_of(list));
        let Some(scope) = scope.and_then(|s| self.outline.scopes.get(s)) else {
            return false;
        };
        let definition = match name.split_once('/') {
            None => scope.command(name),
            Some((orb, inner)) => scope
                .root
                .get("orbs")
                .and_then(|o| o.get(orb))
                .filter(|o| o.is_mapping())
                .and_then(|o| o.get("commands")?.get(inner)),
        };
        match definition {
            Some(definition) => is_login_command(definition),
            // A published orb's: `docker/check`.
            None => name.contains('/'),
        }
    }
}

/// A command whose steps sign in, or install what keeps the credential.
pub(super) fn is_login_command(definition: Node<'_>) -> bool {
    let Some(steps) = definition.get("steps").filter(|s| s.is_sequence()) else {
        return false;
    };
    let mut signs_in = false;
    for item in steps.items() {
        let name = step_name(item).unwrap_or("").replace('_', "-");
        let login = script_of(item).map_or(name.ends_with("/check"), |s| {
            s.contains("login") && (is_one_command(s) || only_signs_in(s))
        });
        if !login && !name.ends_with("/install-docker-credential-helper") {
            return false;
        }
        signs_in |= login;
    }
    signs_in
}
