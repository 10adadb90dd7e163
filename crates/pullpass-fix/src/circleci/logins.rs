//! A login before the first pull that a job makes itself: by the repository's own way of signing in
//! where its scope has one, else by a `dockerhub_login` command over the docker orb, else by a
//! plain step.
//!
//! The step is put right before the first one that pulls: after `setup_remote_docker`, after
//! whatever brings the `docker` command, and only where something is pulled. When all that a job pulls
//! is pulled under one `when`, or in a command that sets up its own docker, the login goes there; so it does when
//! several jobs call the command that pulls, and none of them is signed in by then.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use pullpass_audit::circleci;
use pullpass_audit::effect::{By, Effect, Job, Kind, Provider};
use pullpass_audit::reference::{DOCKER_HUB, canonical_registry, other_name_of_hub};
use pullpass_audit::source::RepoPath;
use pullpass_audit::verdict::{Auth, Cause};
use pullpass_audit::yaml::{Node, Style as Written};

use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::names::Names;
use crate::put::{self, Step};
use crate::repo::{Repo, is_as_root};
use crate::script::{self, is_one_command, only_signs_in};
use crate::style::{self, Style, Yaml};
use crate::{Change, Claim, FixOptions, Left, Login, Part, Proposal, Safety};

use super::file::{Files, Runs, runs_of, variable};
use super::mend;
use super::outline::{Outline, Scope, arguments, script as script_of, step_name, underscores};

/// The version that is imported where no orb of the file says another.
const ORB_VERSION: &str = "4.0.1";

/// The last version whose parameters are spelled with hyphens.
const HYPHENS_VERSION: &str = "2.8.2";

/// From how many places on the same plain step is a command that each of them calls.
const WORTH_A_COMMAND: usize = 3;

/// A place for a login, and what it is for.
struct Need<'d> {
    list: Node<'d>,
    index: usize,
    pulls: BTreeSet<usize>,
    jobs: BTreeSet<String>,
    runs: Runs,
    /// The first images of the docker executors; none for a machine.
    hosts: BTreeSet<Option<String>>,
    /// Whether the steps run in PowerShell or `cmd`: both, when jobs of both kinds call them.
    powershell: BTreeSet<bool>,
    /// Some pull happens whenever the login does, so that `docker` is surely there.
    certain: bool,
    review: Option<String>,
    /// A login stands before it and cannot work; why a person should look.
    broken: Option<String>,
    /// A login that stands after the pull, as an item of the same list; whether it can surely stand before.
    later: Option<(usize, bool)>,
}

impl Need<'_> {
    /// Whether one of the jobs that it is for runs in an image without `bash`.
    fn lacks_bash(&self) -> bool {
        self.hosts.iter().flatten().any(|host| lacks_bash(host))
    }
}

pub(super) fn propose(
    repo: &Repo<'_, '_>,
    wishes: &FixOptions,
    names: &Names,
    files: &Files,
    out: &mut Proposal,
) {
    let mut by_file: BTreeMap<RepoPath, Vec<&Job>> = BTreeMap::new();
    for job in &repo.survey.jobs {
        if job.provider == Provider::CircleCi && job.reached {
            let source = repo.survey.cx.sources.get(job.file);
            by_file.entry(source.path.clone()).or_default().push(job);
        }
    }
    for (path, jobs) in by_file {
        let Some(document) = repo.survey.cx.yaml(&path) else {
            continue;
        };
        let Some(outline) = Outline::of(&document) else {
            continue;
        };
        let writer = Writer {
            repo,
            path,
            outline: &outline,
            style: Style::of(&document),
            names,
            wishes,
            files,
            jobs: &jobs,
            ways: RefCell::default(),
        };
        writer.propose(out);
    }
}

/// The pulls that a job makes itself and that are to be mended, with their effects.
type Wanted<'j> = Vec<(&'j Effect, usize)>;

/// A new step, and what it needs elsewhere in the file.
type Way = (Yaml, Part);

struct Writer<'a, 't> {
    repo: &'a Repo<'a, 't>,
    path: RepoPath,
    outline: &'a Outline<'a>,
    style: Style<'a>,
    names: &'a Names,
    wishes: &'a FixOptions,
    files: &'a Files,
    jobs: &'a [&'a Job],
    /// The new steps so far, with what they need elsewhere in the file, by their scope and names: jobs of one file
    /// mostly get the same.
    ways: RefCell<HashMap<(usize, String, String), Option<Way>>>,
}

impl<'a> Writer<'a, '_> {
    fn propose(&self, out: &mut Proposal) {
        let mut needs: BTreeMap<u32, Need<'a>> = BTreeMap::new();
        let mut all: Vec<(&Job, Wanted<'_>)> = Vec::new();
        for job in self.jobs {
            let mut wanted: Wanted<'_> = Vec::new();
            for effect in &job.effects {
                let Some(number) = self.repo.pull(job, effect).filter(|&n| self.repo.wanted(n))
                else {
                    continue;
                };
                let Some(pull) = self.repo.audit.pulls.get(number).filter(|p| !p.by_host) else {
                    continue;
                };
                let reason = match pull.cause {
                    Cause::LoggedOut => "a `docker logout` stands between the login and this pull",
                    Cause::OtherStore => {
                        "the login before it keeps its credential where this program does not look"
                    }
                    Cause::OtherName => {
                        "it names Docker Hub by a host that a login is not for; name the image without it"
                    }
                    _ if job.is_mac => {
                        "CircleCI's Macs have no Docker; sign in after what brings it"
                    }
                    _ if is_as_root(effect) => {
                        "it is pulled under `sudo`, which does not see who signed in without it"
                    }
                    _ => {
                        wanted.push((effect, number));
                        continue;
                    }
                };
                out.left.push(Left {
                    pull: number,
                    reason: format!("{reason}: {}", pull.reason),
                });
            }
            mend::misspelt(
                self.repo,
                job,
                self.outline,
                &self.style,
                &self.path,
                &mut wanted,
                out,
            );
            if !wanted.is_empty() {
                all.push((*job, wanted));
            }
        }
        let shared = self.shared(&all);
        for (job, wanted) in &all {
            self.place(job, wanted, &shared, &mut needs, out);
        }
        let needs: Vec<Need<'a>> = needs.into_values().collect();
        for need in &needs {
            self.offer(need, &needs, out);
        }
    }

    /// Commands, by their lists of steps, in which one login serves all that call them: several do,
    /// and the first thing that each is to be signed in for is pulled there.
    fn shared(&self, all: &[(&Job, Wanted<'_>)]) -> BTreeSet<u32> {
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
    fn place(
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
        need.certain |= wanted.iter().any(|(e, _)| e.guards.len() <= conditions);
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
    fn later(
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
    fn needs_no_step(&self, job: &Job, effect: &Effect) -> bool {
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
    fn set_in_steps(&self) -> Vec<&'a str> {
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
    fn signs_in_only(&self, job: &Job, item: Node<'a>) -> bool {
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
    fn does_nothing_else(&self, item: Node<'a>) -> bool {
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

    fn text_of(&self, item: Node<'a>) -> &'a str {
        put::text_of(self.style.text, item)
    }

    fn offer(&self, need: &Need<'a>, all: &[Need<'a>], out: &mut Proposal) {
        let leave = |reason: &str, out: &mut Proposal| {
            for &pull in &need.pulls {
                out.left.push(Left {
                    pull,
                    reason: reason.to_owned(),
                });
            }
        };
        let number = self.outline.scope_of(need.list);
        let Some(scope) = self.outline.scopes.get(number) else {
            return;
        };
        let mut part = Part {
            path: self.path.clone(),
            edits: Vec::new(),
            intents: Vec::new(),
        };
        let mut review = need.review.clone();
        let mut summary = "sign in to Docker Hub before the first pull";
        let (names, guess) = self.names.of_jobs(
            self.repo.audit,
            Provider::CircleCi,
            self.path.as_str(),
            &need.jobs,
        );
        let mut credential = names.needs(Provider::CircleCi);
        let moved = need
            .later
            .filter(|_| self.wishes.user_var.is_none() && self.wishes.token_var.is_none())
            .and_then(|(later, sure)| Some((self.move_up(need, later)?, sure)));
        let call = self.undeclared_call(need, scope);
        let stray = self.stray(need, scope);
        if stray.is_none() {
            review = review.or_else(|| need.broken.clone());
        }
        if let Some((orb, version)) = call {
            let Some(version) = version else {
                return leave(
                    &format!(
                        "a step before it calls the orb `{orb}`, which is not declared, with parameters that the version of the docker orb here does not have: declare it at a version that has them"
                    ),
                    out,
                );
            };
            let import = Yaml::text(format!("circleci/docker@{version}"));
            if self
                .add_to_section(scope, "orbs", orb, &import, &mut part)
                .is_none()
            {
                return leave("the orbs are written in a way that is not edited", out);
            }
            summary = "declare the orb of the login before the first pull";
            credential.clear();
            review = Some(format!(
                "the orb `{orb}` is called and not declared; that `circleci/docker@{version}` is meant is a guess"
            ));
        } else if let Some((moved, sure)) = moved {
            part = moved;
            summary = "move the login before the first pull";
            credential.clear();
            if !sure {
                review.get_or_insert_with(|| {
                    "the login moves up: what it needs must be there by then".to_owned()
                });
            }
        } else {
            review = review.or(guess);
            let step = if !need.powershell.contains(&true) {
                self.own_way(number, need, &names).or_else(|| {
                    let key = (number, names.user.clone(), names.token.clone());
                    let mut ways = self.ways.borrow_mut();
                    let way = ways.entry(key).or_insert_with(|| {
                        let mut more = part.clone();
                        let step = self.new_way(scope, number, all, &names, &mut more)?;
                        Some((step, more))
                    });
                    let (step, more) = way.clone()?;
                    part = more;
                    Some(Step::New(step))
                })
            } else if need.powershell.len() == 1 {
                Some(Step::New(self.plain_step(&names, Some("bash.exe"))))
            } else {
                return leave(
                    "jobs run these steps in PowerShell and others in a shell, and no one login is for both; sign in in each job",
                    out,
                );
            };
            let Some(step) = step else {
                return leave("the file is written in a way that is not edited", out);
            };
            let place = stray.map_or(need.index, |(index, _)| index);
            let style = self.style.inside(need.list);
            let edit = match stray {
                Some((_, item)) => replace(&style, item, &step),
                None => put::item(&style, need.list, place, &step),
            };
            let Some(edit) = edit else {
                return leave(
                    "the list of steps is written in a way that is not edited",
                    out,
                );
            };
            part.edits.push(edit);
            let at = need.list.span().start;
            if stray.is_some() {
                summary = "mend the login before the first pull";
                part.intents.push(Intent::RemoveItem { at, index: place });
            }
            part.intents.push(Intent::InsertItem {
                at,
                index: place,
                value: step.meaning(&style),
            });
        }
        if !need.certain {
            review.get_or_insert_with(|| {
                "everything it is for happens under a condition, so `docker` may not always be there".to_owned()
            });
        }
        let mut parts = vec![part];
        let contexts = self.files.contexts(
            &self.path,
            &need.runs,
            &names,
            self.wishes,
            &mut parts,
            &mut review,
        );
        let at = need
            .list
            .items()
            .nth(need.index)
            .map_or(need.list.span(), |item| item.use_span());
        out.changes.push(Change {
            summary: format!("{summary} of {}", jobs(&need.jobs)),
            at: self.repo.at(at),
            safety: if review.is_some() {
                Safety::Review
            } else {
                Safety::Safe
            },
            why: review.unwrap_or_default(),
            parts,
            claims: need
                .pulls
                .iter()
                .map(|&pull| Claim {
                    pull,
                    auth: Auth::Authenticated,
                })
                .collect(),
            note: String::new(),
            needs: credential,
            contexts,
        });
    }

    /// The step by which this scope already signs in, if it has one.
    fn own_way(&self, scope: usize, need: &Need<'a>, names: &Names) -> Option<Step<'a>> {
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
    fn signs_in(&self, definition: Node<'a>, need: &Need<'a>, names: &Names) -> bool {
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
    fn works_there(&self, effect: &Effect, need: &Need<'a>, names: &Names) -> bool {
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
    fn is_wished(&self, item: Node<'a>) -> bool {
        match self.wishes.login {
            None => true,
            Some(Login::Run) => !step_name(item).is_some_and(|n| n.contains('/')),
            Some(Login::Orb) => step_name(item) != Some("run"),
        }
    }

    fn is_above(&self, item: Node<'a>, need: &Need<'a>) -> bool {
        let place = need
            .list
            .items()
            .nth(need.index)
            .map(|i| i.use_span().start);
        place.is_some_and(|place| item.span().end <= place)
    }

    fn is_inside_login_command(&self, list: Node<'a>) -> bool {
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

    fn uses_names(&self, effect: &Effect, names: &Names) -> bool {
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

    /// A way of signing in for a scope that has none.
    fn new_way(
        &self,
        scope: &Scope<'a>,
        number: usize,
        all: &[Need<'a>],
        names: &Names,
        part: &mut Part,
    ) -> Option<Yaml> {
        // A command is for the names that the file uses most.
        if (&names.user, &names.token) != (&self.names.user, &self.names.token) {
            return Some(self.plain_step(names, None));
        }
        let root = self.outline.scopes.first()?;
        let orbs = root.root.get("version").and_then(Node::as_str) == Some("2.1");
        let version = scope.docker_orb().map(|(_, version)| version);
        let version = version.or_else(|| self.outline.docker_version());
        let by_sh = is_for_bash(version.unwrap_or(ORB_VERSION))
            && all
                .iter()
                .filter(|n| self.outline.scope_of(n.list) == number)
                .any(Need::lacks_bash);
        let form = self.wishes.login.unwrap_or_else(|| {
            if by_sh {
                return Login::Run;
            }
            let by_hand = self.repo.audit.logins.iter().any(|l| {
                l.provider == Provider::CircleCi
                    && l.registry.as_deref() == Some(DOCKER_HUB)
                    && l.broken.is_none()
            });
            if by_hand && self.outline.docker_version().is_none() {
                Login::Run
            } else {
                Login::Orb
            }
        });
        if form == Login::Orb && orbs {
            let mut more = part.clone();
            if let Some(name) = self.declare(scope, number, all, &mut more) {
                *part = more;
                return Some(Yaml::text(name));
            }
        }
        let here = all
            .iter()
            .filter(|n| self.outline.scope_of(n.list) == number);
        if orbs && here.count() >= WORTH_A_COMMAND {
            let mut more = part.clone();
            if let Some(name) = self.declare_plain(scope, &mut more) {
                *part = more;
                return Some(Yaml::text(name));
            }
        }
        Some(self.plain_step(names, None))
    }

    /// A step that runs `docker login`, in another shell than the job's where one is given. It asks whether there is
    /// what to sign in with where the file's own logins do.
    fn plain_step(&self, names: &Names, shell: Option<&str>) -> Yaml {
        let logins = self
            .jobs
            .iter()
            .flat_map(|job| &job.effects)
            .filter(|effect| is_hub_login(effect) && self.uses_names(effect, names));
        let asks = |effect: &Effect| effect.guards.iter().any(|guard| guard.with_secrets);
        let mut all = logins.map(asks).peekable();
        let asks = all.peek().is_some() && all.all(|asks| asks);
        plain_step(names, shell, asks)
    }

    /// Declares a command of that one step. Gives its name.
    fn declare_plain(&self, scope: &Scope<'a>, part: &mut Part) -> Option<String> {
        let name = free_command(scope)?;
        let definition =
            Yaml::map([("steps", Yaml::List(vec![self.plain_step(self.names, None)]))]);
        self.add_to_section(scope, "commands", name, &definition, part)?;
        Some(name.to_owned())
    }

    /// Imports the docker orb and declares the command, where the scope has them not. Gives the
    /// command's name.
    fn declare(
        &self,
        scope: &Scope<'a>,
        number: usize,
        all: &[Need<'a>],
        part: &mut Part,
    ) -> Option<String> {
        let known = scope.docker_orb();
        let version = known
            .map(|(_, version)| version)
            .or_else(|| self.outline.docker_version())
            .unwrap_or(ORB_VERSION);
        let orb = match known {
            Some((orb, _)) => orb.to_owned(),
            None => {
                let free = ["docker", "circleci-docker", "docker-orb"]
                    .into_iter()
                    .find(|name| !scope.declares_orb(name) && !self.outline.gives_to_orb(name))?;
                let import = Yaml::text(format!("circleci/docker@{version}"));
                self.add_to_section(scope, "orbs", free, &import, part)?;
                free.to_owned()
            }
        };
        let name = free_command(scope)?;
        let spell = |word: &str| {
            if underscores(version) {
                word.replace('-', "_")
            } else {
                word.to_owned()
            }
        };
        let mut steps = Vec::new();
        let here = all
            .iter()
            .filter(|n| self.outline.scope_of(n.list) == number);
        let mut needs = here.peekable();
        let of_need = |need: &Need<'a>| {
            let runs = |job: &String| is_usual_machine(self.outline.resource_class(job));
            need.hosts
                .iter()
                .all(|host| can_have_helper(host.as_deref()))
                && need.jobs.iter().all(runs)
        };
        if needs.peek().is_some() && needs.all(of_need) {
            let install = spell("install-docker-credential-helper");
            steps.push(Yaml::text(format!("{orb}/{install}")));
        }
        let arguments = Yaml::Map(vec![
            (spell("docker-username"), Yaml::text(&self.names.user)),
            (spell("docker-password"), Yaml::text(&self.names.token)),
        ]);
        steps.push(Yaml::Map(vec![(format!("{orb}/check"), arguments)]));
        let definition = Yaml::map([("steps", Yaml::List(steps))]);
        self.add_to_section(scope, "commands", name, &definition, part)?;
        Some(name.to_owned())
    }

    /// Adds an entry to `orbs` or `commands` of a scope, and the section where there is none.
    fn add_to_section(
        &self,
        scope: &Scope<'a>,
        section: &str,
        name: &str,
        value: &Yaml,
        part: &mut Part,
    ) -> Option<()> {
        let text = self.style.text;
        if scope.root.style() != Written::Block {
            return None;
        }
        if let Some(known) = scope.root.get(section) {
            let (first, second) = {
                let mut pairs = known.pairs().map(|(key, _)| key);
                (pairs.next()?, pairs.next())
            };
            if known.style() != Written::Block || known.is_alias() {
                return None;
            }
            let start = put::own_line(text, first)?;
            let indent = style::column(text, first.use_span().start as usize);
            let mut lines = self.style.entry(indent, name, value);
            let apart = second
                .and_then(|key| put::own_line(text, key))
                .is_some_and(|at| put::blank_before(text, at));
            if apart {
                lines.push(String::new());
            }
            part.edits
                .push(Edit::insert(start, self.style.lines(&lines)));
            part.intents.push(Intent::AddKey {
                at: known.span().start,
                key: name.to_owned(),
                value: value.meaning(&self.style),
            });
            return Some(());
        }
        let entry = Yaml::map([(name, value.clone())]);
        let first = scope.root.pairs().next()?.0;
        let indent = style::column(text, first.use_span().start as usize);
        let version = scope
            .root
            .pairs()
            .find(|(key, _)| key.as_str() == Some("version"));
        let mut lines = self.style.entry(indent, section, &entry);
        let edit = match version {
            Some((_, version)) if section == "orbs" && scope.is_file => {
                let end = style::line_end(text, style::value_end(text, version));
                if put::blank_after(text, end) {
                    lines.insert(0, String::new());
                }
                Edit::insert(end, self.style.lines_after(&lines))
            }
            _ => {
                let keys = || scope.root.pairs().map(|(key, _)| key);
                let named = |name: &str| keys().find(|key| key.as_str() == Some(name));
                let before = if section == "orbs" && !scope.is_file {
                    keys().next()?
                } else {
                    named("jobs").or_else(|| named("workflows"))?
                };
                let start = put::own_line(text, before)?;
                if put::blank_before(text, start) {
                    lines.push(String::new());
                }
                Edit::insert(start, self.style.lines(&lines))
            }
        };
        part.edits.push(edit);
        part.intents.push(Intent::AddKey {
            at: scope.root.span().start,
            key: section.to_owned(),
            value: entry.meaning(&self.style),
        });
        Some(())
    }

    /// A step before the pull that was meant to sign in and calls nothing: its name is mistyped, or
    /// is declared outside of the inline orb that it stands in. CircleCI refuses the file as it is.
    fn stray(&self, need: &Need<'a>, scope: &Scope<'a>) -> Option<(usize, Node<'a>)> {
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
                meant && !declared
            })
    }

    /// The orb of a step before the pull that signs in with arguments, as `docker/check` does, where the orb is not
    /// declared; and the version of the docker orb that has such parameters, if there can be one here.
    fn undeclared_call(
        &self,
        need: &Need<'a>,
        scope: &Scope<'a>,
    ) -> Option<(&'a str, Option<&'a str>)> {
        need.list.items().take(need.index).find_map(|item| {
            let (orb, inner) = step_name(item)
                .filter(|_| item.is_mapping())?
                .split_once('/')?;
            let meant = orb.to_ascii_lowercase().contains("docker") && inner == "check";
            if !meant || scope.declares_orb(orb) {
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
    fn move_up(&self, need: &Need<'a>, later: usize) -> Option<Part> {
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

fn plain_step(names: &Names, shell: Option<&str>, asks: bool) -> Yaml {
    let mut command = format!(
        "printf '%s' \"${}\" | docker login --username \"${}\" --password-stdin",
        names.token, names.user
    );
    if asks {
        command = format!("if [ -n \"${}\" ]; then {command}; fi", names.token);
    }
    let shell = shell.map(|shell| ("shell".to_owned(), Yaml::text(shell)));
    let name = ("name".to_owned(), Yaml::text("Sign in to Docker Hub"));
    let command = ("command".to_owned(), Yaml::text(command));
    let run = [Some(name), shell, Some(command)].into_iter().flatten();
    Yaml::map([("run", Yaml::Map(run.collect()))])
}

/// A name for a command that signs in, which this scope has not given to another.
fn free_command(scope: &Scope<'_>) -> Option<&'static str> {
    ["dockerhub_login", "docker_hub_login", "dockerhub_sign_in"]
        .into_iter()
        .find(|name| scope.command(name).is_none())
}

/// Puts a step in the place of one that is a name and nothing else.
fn replace(style: &Style<'_>, item: Node<'_>, step: &Step<'_>) -> Option<Edit> {
    let flow = match step {
        Step::New(yaml) => style.flow(yaml),
        Step::Copy(node) => put::text_of(style.text, *node).to_owned(),
    };
    let start = item.use_span().start as usize;
    let end = style::value_end(style.text, item);
    (!flow.contains('\n')).then(|| Edit::replace(start, end, flow))
}

fn is_hub_login(effect: &Effect) -> bool {
    match &effect.kind {
        Kind::Login {
            registry, broken, ..
        } => {
            broken.is_none()
                && effect.guards.iter().all(|guard| guard.with_secrets)
                && canonical_registry(registry.as_str()) == DOCKER_HUB
                // Clients look for a credential of another name only where an image is named so.
                && other_name_of_hub(registry.as_str()).is_none()
        }
        _ => false,
    }
}

/// A command whose steps sign in, or install what keeps the credential.
fn is_login_command(definition: Node<'_>) -> bool {
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

/// Whether a resource class is one of CircleCI's own with an amd64 processor: what the orb's helper is made for, where
/// nothing else is asked for. A runner of one's own may have another system, and keeps what is installed.
fn is_usual_machine(class: Option<&str>) -> bool {
    class.is_none_or(|class| !class.contains("arm") && !class.contains(['/', '<']))
}

/// Whether an image surely or probably has no `bash`, which scripts of the docker orb need since its version 2: then
/// CircleCI runs steps by `/bin/sh` (<https://circleci.com/docs/configuration-reference/#default-shell-options>).
fn lacks_bash(host: &str) -> bool {
    let of_circleci = host.starts_with("cimg/") || host.starts_with("circleci/");
    let (name, _) = host.split_once('@').unwrap_or((host, ""));
    let last = name.rsplit('/').next().unwrap_or(name);
    let program = last.split(':').next().unwrap_or(last);
    !of_circleci && (matches!(program, "docker" | "busybox") || name.contains("alpine"))
}

/// Whether scripts of the docker orb at a version are for `bash` only.
fn is_for_bash(version: &str) -> bool {
    !version.starts_with("0.") && !version.starts_with("1.") && version != "0" && version != "1"
}

/// Whether the docker orb's credential helper can be installed: it needs Debian's packages and `sudo`.
fn can_have_helper(host: Option<&str>) -> bool {
    match host {
        // A machine; CircleCI's are Ubuntu.
        None => true,
        Some(image) => {
            (image.starts_with("cimg/") || image.starts_with("circleci/"))
                && !image.contains("alpine")
        }
    }
}

fn jobs(names: &BTreeSet<String>) -> String {
    let mut names = names.iter();
    match (names.next(), names.next(), names.count()) {
        (Some(one), None, _) => format!("job `{one}`"),
        (Some(one), Some(two), 0) => format!("jobs `{one}` and `{two}`"),
        (Some(one), Some(two), more) => format!("jobs `{one}`, `{two}` and {more} more"),
        (None, ..) => "no job".to_owned(),
    }
}
