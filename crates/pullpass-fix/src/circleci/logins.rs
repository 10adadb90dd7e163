//! A login before the first pull that a job makes itself: by the repository's own way of signing in
//! where its scope has one, else by a `dockerhub_login` command over the docker orb, else by a
//! plain step.
//!
//! The step is put right before the first one that pulls: after `setup_remote_docker`, after
//! whatever brings the `docker` command, and only where something is pulled. When all that a job pulls
//! is pulled under one `when`, or in a command that sets up its own docker, the login goes there; so it does when
//! several jobs call the command that pulls, and none of them is signed in by then.

mod made;
mod own;
mod place;
mod wrong;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use pullpass_audit::editable::is_mac_of_circleci;
use pullpass_audit::effect::{Effect, Job, Kind, Provider};
use pullpass_audit::reference::{DOCKER_HUB, canonical_registry, other_name_of_hub};
use pullpass_audit::source::RepoPath;
use pullpass_audit::verdict::{Auth, Cause};
use pullpass_audit::yaml::Node;

use crate::meaning::Intent;
use crate::names::Names;
use crate::put::{self, Step};
use crate::repo::{NO_DOCKER, OTHER_CLIENT, Repo, is_as_root};
use crate::style::{Style, Yaml};
use crate::{Change, Claim, FixOptions, Left, Part, Proposal, Safety};

use super::file::{Files, Runs};
use super::mend;
use super::outline::Outline;
use made::lacks_bash;
use wrong::replace;

/// The version that is imported where no orb of the file says another.
const ORB_VERSION: &str = "4.0.1";

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
    /// Some pull shows that `docker` is there, or the machine does.
    proves_docker: bool,
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
                    _ if is_mac_of_circleci(job) => {
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
            let why = if need.proves_docker {
                NO_DOCKER
            } else {
                OTHER_CLIENT
            };
            review.get_or_insert_with(|| why.to_owned());
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

fn jobs(names: &BTreeSet<String>) -> String {
    let mut names = names.iter();
    match (names.next(), names.next(), names.count()) {
        (Some(one), None, _) => format!("job `{one}`"),
        (Some(one), Some(two), 0) => format!("jobs `{one}` and `{two}`"),
        (Some(one), Some(two), more) => format!("jobs `{one}`, `{two}` and {more} more"),
        (None, ..) => "no job".to_owned(),
    }
}
