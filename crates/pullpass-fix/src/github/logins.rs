//! A login before the first step that pulls, in each job that pulls.
//!
//! Where everything that a job pulls is pulled by one local action, the login goes into that action and the
//! credential comes through its inputs. A login that is there already and does not help is mended
//! ([`super::mend`]); else a step of the repository's own kind is put in.

use std::collections::{BTreeMap, BTreeSet};

use pullpass_audit::effect::{
    Effect, Guard, Job, Kind, Provider, Puller, Runner, Store, is_of_a_library, proves_docker,
};
use pullpass_audit::source::RepoPath;
use pullpass_audit::verdict::{Auth, Cause, Reach};
use pullpass_audit::yaml::Node;

use crate::meaning::Intent;
use crate::put::{self, Step};
use crate::repo::{NO_DOCKER, OTHER_CLIENT, Repo, is_as_root};
use crate::style::Yaml;
use crate::{At, Change, Claim, FixOptions, Identity, Left, Needs, Proposal, Safety};

use super::files::{File, Files, JobNode};
use super::guard::{self, Without};
use super::mend::{self, Found};
use super::names::{LOGIN_ACTION, Names, is_plain_login, own_way, uses};
use super::oidc;
use super::pass::{self, Parts};
use super::pin::{self, Pin};

/// Why a login may fail where tests talk to the engine by themselves.
const NO_CLIENT: &str = "it is for tests that talk to the engine by themselves, so `docker` may not be there to sign in with";

/// What everything here works with.
pub(super) struct Desk<'a, 't, 'd> {
    pub(super) repo: &'a Repo<'a, 't>,
    pub(super) wishes: &'a FixOptions,
    pub(super) files: &'a Files<'d>,
    pub(super) names: &'a Names,
}

/// A place for a login, and what it is for.
pub(super) struct Need<'a, 'd> {
    pub(super) file: &'a File<'d>,
    pub(super) list: Node<'d>,
    /// How many lists of steps stand around this one: 0 for a job's own steps.
    pub(super) depth: usize,
    /// The first item that pulls.
    pub(super) index: usize,
    /// All of them.
    items: BTreeSet<usize>,
    pub(super) pulls: BTreeSet<usize>,
    /// The runs of the jobs: one for each combination of a matrix and each caller.
    pub(super) runs: Vec<&'a Job>,
    /// The steps that use the action, where the list is an action's.
    calls: Vec<(&'a File<'d>, Node<'d>)>,
    /// `docker` is there before any step runs.
    pub(super) has_docker: bool,
    /// Tests pull, by a library.
    by_library: bool,
    /// Some pull shows that `docker` is there.
    proves_docker: bool,
    /// Some pull happens whenever the login does, so that `docker` is surely there.
    certain: bool,
    /// So it is where a new login takes over the condition that all of its steps have.
    certain_under_condition: bool,
}

impl<'d> Need<'_, 'd> {
    pub(super) fn is_action(&self) -> bool {
        self.depth > 0
    }

    /// The jobs whose steps these are.
    pub(super) fn jobs(&self) -> Vec<JobNode<'d>> {
        self.file.jobs_of(self.list)
    }

    /// The condition that all of its steps have in common.
    pub(super) fn condition(&self) -> Option<&'d str> {
        let mut conditions = self
            .list
            .items()
            .enumerate()
            .filter(|(index, _)| self.items.contains(index))
            .map(|(_, item)| item.get("if").and_then(Node::as_str));
        let first = conditions.next()??;
        conditions.all(|c| c == Some(first)).then_some(first)
    }

    fn is_in_no_container(&self) -> bool {
        let jobs = self.jobs();
        jobs.iter().all(|job| job.node.get("container").is_none())
    }

    /// The condition that keeps a login to Linux, where the jobs run on other systems too and pull on none of them.
    fn of_linux(&self) -> Option<&'static str> {
        // It is asked for already.
        let asks = |text: &str| ["runner.os", "matrix."].iter().any(|of| text.contains(of));
        if self.condition().is_some_and(asks) {
            return None;
        }
        let on_linux = |run: &&Job| run.os == Some("Linux");
        let is_other = |label: &str| label.starts_with("macos-") || label.starts_with("windows-");
        let jobs = self.jobs();
        let mut labels = jobs.iter().flat_map(labels);
        (labels.any(|label| label.as_str().is_some_and(is_other)) && self.runs.iter().all(on_linux))
            .then_some("runner.os == 'Linux'")
    }

    fn names(&self) -> String {
        let names: BTreeSet<&str> = self.runs.iter().map(|run| &*run.name).collect();
        let mut names = names.into_iter();
        match (names.next(), names.next(), names.count()) {
            (Some(one), None, _) => format!("job `{one}`"),
            (Some(one), Some(two), 0) => format!("jobs `{one}` and `{two}`"),
            (Some(one), Some(two), more) => format!("jobs `{one}`, `{two}` and {more} more"),
            (None, ..) => "no job".to_owned(),
        }
    }
}

/// What is done about one need, while it is made up.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) parts: Parts,
    pub(super) summary: &'static str,
    pub(super) review: Option<String>,
    pub(super) note: String,
    pub(super) needs: Vec<Needs>,
}

type Wanted<'j> = Vec<(&'j Effect, usize)>;

pub(super) fn propose(desk: &Desk<'_, '_, '_>, out: &mut Proposal) {
    let mut needs: BTreeMap<(&RepoPath, u32), Need<'_, '_>> = BTreeMap::new();
    let pullers = Pullers::of(desk);
    for job in &desk.repo.survey.jobs {
        if job.provider == Provider::GitHub {
            let wanted = wanted(desk, job, out);
            if !wanted.is_empty() {
                place(desk, &pullers, job, &wanted, &mut needs, out);
            }
        }
    }
    for need in needs.values() {
        match offer(desk, need) {
            Ok(change) => out.changes.push(change),
            Err(reason) => out.left.extend(need.pulls.iter().map(|&pull| Left {
                pull,
                reason: reason.clone(),
            })),
        }
    }
}

/// The pulls that a job makes itself and that a login can mend; says why of the others.
fn wanted<'j>(desk: &Desk<'_, '_, '_>, job: &'j Job, out: &mut Proposal) -> Wanted<'j> {
    let repo = desk.repo;
    let mut wanted = Vec::new();
    for effect in &job.effects {
        let Some(number) = repo.pull(job, effect).filter(|&n| repo.wanted(n)) else {
            continue;
        };
        let Some(pull) = repo.audit.pulls.get(number).filter(|p| !p.by_host) else {
            continue;
        };
        let reason = match pull.cause {
            Cause::LoggedOut => "a logout stands between the login and this pull",
            Cause::OtherStore => {
                "the login before it keeps its credential where this program does not look"
            }
            Cause::OtherName => {
                "it names Docker Hub by a host that a login is not for; name the image without it"
            }
            _ if guard::is_for_forks(effect) => {
                "it happens in pull requests from forks only, which get no secrets to sign in with"
            }
            _ if is_as_root(effect) => {
                "it is pulled under `sudo`, which does not see who signed in without it"
            }
            _ if has_a_folder(effect) => {
                "its `DOCKER_CONFIG` names a folder of its own, where only a login that has it too is kept"
            }
            _ if Reach::of(effect) == Reach::Own => {
                "it is pulled by a client of its own, which does not see the logins of the job"
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
    wanted
}

/// Finds the list and the item that a login for all of `wanted` goes before.
fn place<'a, 'd>(
    desk: &Desk<'a, '_, 'd>,
    pullers: &Pullers<'d>,
    job: &'a Job,
    wanted: &Wanted<'_>,
    needs: &mut BTreeMap<(&'a RepoPath, u32), Need<'a, 'd>>,
    out: &mut Proposal,
) {
    let item = |effect: &Effect, depth: usize| {
        let span = *effect.within.get(depth)?;
        let file = desk.files.at(desk.repo, span.file)?;
        let (list, index) = file.item(span)?;
        Some((file, list, index))
    };
    let first = wanted
        .first()
        .and_then(|(effect, _)| Some((effect, item(effect, 0)?)));
    let Some((first, (file, list, index))) = first else {
        out.left.extend(wanted.iter().map(|&(_, pull)| Left {
            pull,
            reason: "it happens in no step of this repository".to_owned(),
        }));
        return;
    };
    let together = wanted
        .iter()
        .all(|(e, _)| e.within.first() == first.within.first() && e.within.len() > 1);
    let call = list.items().nth(index);
    // Who has a login among its own steps keeps it there.
    let signs_in_itself = job
        .effects
        .iter()
        .any(|e| is_plain_login(e) && e.within.len() == 1);
    let inner = item(first, 1).filter(|(action, ..)| {
        together
            && !signs_in_itself
            && desk.wishes.identity == Identity::Secret
            && call.and_then(uses).is_some_and(|name| pullers.always(name))
            && action.is_action()
    });
    let (depth, (file, list)) = match &inner {
        Some((action, steps, _)) => (1, (*action, *steps)),
        None => (0, (file, list)),
    };
    let need = needs
        .entry((file.path, list.identity()))
        .or_insert_with(|| Need {
            file,
            list,
            depth,
            index: usize::MAX,
            items: BTreeSet::new(),
            pulls: BTreeSet::new(),
            runs: Vec::new(),
            calls: Vec::new(),
            has_docker: depth == 0 && has_docker(&file.jobs_of(list)),
            by_library: false,
            proves_docker: false,
            certain: false,
            certain_under_condition: false,
        });
    for (effect, number) in wanted {
        let Some((_, _, index)) = item(effect, depth) else {
            continue;
        };
        need.index = need.index.min(index);
        need.items.insert(index);
        need.pulls.insert(*number);
        let step = need.list.items().nth(index);
        let conditional = step.is_some_and(|step| step.get("if").is_some());
        let is_action = step.is_some_and(|step| step.get("uses").is_some());
        let by_library =
            matches!(&effect.kind, Kind::Pull { image, .. } if is_of_a_library(image.as_str()));
        let proves = proves_docker(effect) && !by_library;
        let unguarded = effect.guards.iter().all(|guard| guard.with_secrets);
        need.by_library |= by_library;
        need.proves_docker |= proves;
        need.certain |= need.has_docker
            || !conditional && unguarded && proves
            || conditional && is_action && proves;
        // The conditions of the steps on the way, which are the login's as well.
        let on_the_way: Vec<String> = (0..=depth)
            .filter_map(|depth| item(effect, depth))
            .filter_map(|(_, list, index)| list.items().nth(index)?.get("if")?.as_str())
            .map(one_line)
            .collect();
        let is_the_logins_own = |guard: &Guard| {
            let text = one_line(&guard.text);
            guard.with_secrets
                || on_the_way
                    .iter()
                    .any(|on_the_way| on_the_way.contains(&text))
        };
        if effect.guards.iter().all(is_the_logins_own) && proves {
            need.certain |= !conditional;
            need.certain_under_condition = true;
        }
    }
    need.runs.push(job);
    if depth > 0
        && let Some(call) = call
        && let Some((outer, ..)) = item(first, 0)
    {
        let known = |(f, c): &(&File<'_>, Node<'_>)| {
            f.path == outer.path && c.use_span() == call.use_span()
        };
        if !need.calls.iter().any(known) {
            need.calls.push((outer, call));
        }
    }
}

/// A text without what its lines are made of.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The local actions that pull wherever they are used. One that pulls in some places only (it runs what it
/// is told to) is no place for a login.
struct Pullers<'d>(BTreeMap<&'d str, bool>);

impl<'d> Pullers<'d> {
    fn of(desk: &Desk<'_, '_, 'd>) -> Self {
        let mut pulling: BTreeSet<(&str, u32)> = BTreeSet::new();
        for job in &desk.repo.survey.jobs {
            for effect in job.effects.iter().filter(|e| e.within.len() > 1) {
                let is_pull = matches!(effect.kind, Kind::Pull { .. });
                let call = effect.within.first().filter(|_| is_pull);
                if let Some((span, file)) =
                    call.and_then(|span| Some((span, desk.files.at(desk.repo, span.file)?)))
                {
                    pulling.insert((file.path.as_str(), span.start));
                }
            }
        }
        let mut all: BTreeMap<&'d str, bool> = BTreeMap::new();
        for file in desk.files.all() {
            for job in file.jobs() {
                for step in job.node.get("steps").into_iter().flat_map(Node::items) {
                    if let Some(name) = uses(step).filter(|name| is_own_action(name)) {
                        let pulls = pulling.contains(&(file.path.as_str(), step.use_span().start));
                        *all.entry(name).or_insert(true) &= pulls;
                    }
                }
            }
        }
        Self(all)
    }

    fn always(&self, name: &str) -> bool {
        self.0.get(name).copied().unwrap_or(false)
    }
}

/// An action for this repository's own use, not one that it offers to others.
fn is_own_action(uses: &str) -> bool {
    let own = ["./", "$/"]
        .iter()
        .find_map(|prefix| uses.strip_prefix(prefix));
    let folder = own.unwrap_or("").trim_start_matches("./");
    let folder = folder.trim_end_matches('/');
    !folder.is_empty() && folder != "."
}

/// Whether `docker` is there before any step runs: on GitHub's own Ubuntu machines, outside of a container.
fn has_docker(jobs: &[JobNode<'_>]) -> bool {
    let ubuntu = |label: Node<'_>| label.as_str().is_some_and(|l| l.starts_with("ubuntu-"));
    jobs.iter().all(|job| {
        let labels = labels(job);
        job.node.get("container").is_none() && !labels.is_empty() && labels.into_iter().all(ubuntu)
    }) && !jobs.is_empty()
}

/// The labels of the machines that a job may run on, those of a matrix included.
fn labels<'d>(job: &JobNode<'d>) -> Vec<Node<'d>> {
    let Some(runs_on) = job.node.get("runs-on") else {
        return Vec::new();
    };
    let matrix = job.node.get("strategy").and_then(|s| s.get("matrix"));
    let key = runs_on
        .as_str()
        .and_then(|text| super::files::named(text, "matrix"));
    let Some((matrix, key)) = matrix.zip(key) else {
        return runs_on.one_or_many();
    };
    let included = matrix.get("include").into_iter().flat_map(Node::items);
    let included = included.filter_map(|entry| entry.get(key));
    let axis = matrix.get(key).map(Node::one_or_many).unwrap_or_default();
    let all: Vec<Node<'d>> = axis.into_iter().chain(included).collect();
    match all.is_empty() {
        true => vec![runs_on],
        false => all,
    }
}

fn offer(desk: &Desk<'_, '_, '_>, need: &Need<'_, '_>) -> Result<Change, String> {
    let mut draft = Draft::default();
    let mut certain = need.certain;
    match mend::existing(desk, need) {
        Found::Mendable(login) => mend::mend(desk, need, &login, &mut draft)?,
        Found::Stuck(reason) => return Err(reason),
        Found::None => {
            certain |= need.certain_under_condition && need.condition().is_some();
            certain |= !need.is_action() && need.of_linux().is_some() && need.is_in_no_container();
            if need.is_action() {
                into_action(desk, need, &mut draft)?;
            } else {
                into_job(desk, need, &mut draft)?;
            }
        }
    }
    if !certain {
        let why = match need.proves_docker {
            true => NO_DOCKER,
            false if need.by_library => NO_CLIENT,
            false => OTHER_CLIENT,
        };
        draft.review.get_or_insert_with(|| why.to_owned());
    }
    if need.runs.iter().any(|run| run.runner == Runner::SelfHosted) {
        draft.review.get_or_insert_with(|| {
            "it runs on a machine of your own, which may be signed in already: the login takes the place of that, and ends with the job".to_owned()
        });
    }
    let at: At = need
        .list
        .items()
        .nth(need.index)
        .map_or(desk.repo.at(need.list.span()), |item| {
            desk.repo.at(item.use_span())
        });
    Ok(Change {
        summary: format!("{} of {}", draft.summary, need.names()),
        at,
        safety: if draft.review.is_some() {
            Safety::Review
        } else {
            Safety::Safe
        },
        why: draft.review.unwrap_or_default(),
        parts: draft.parts.into_vec(),
        claims: need
            .pulls
            .iter()
            .map(|&pull| Claim {
                pull,
                auth: Auth::Authenticated,
            })
            .collect(),
        note: draft.note,
        needs: draft.needs,
        contexts: Vec::new(),
    })
}

/// What a login in this job's steps has to ask before it signs in, and what it takes to ask that.
pub(super) fn question(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    token: &str,
    draft: &mut Draft,
) -> Result<Option<String>, String> {
    let jobs = need.jobs();
    let without = Without::of(desk.files, need.file, &need.runs, &jobs);
    if !without.any() {
        return Ok(None);
    }
    if desk.wishes.identity == Identity::Oidc {
        let no_dependabot = "github.actor != 'dependabot[bot]'";
        let asked: Vec<&str> = [
            (without.forks, guard::NO_FORK),
            (without.dependabot, no_dependabot),
        ]
        .into_iter()
        .filter_map(|(holds, condition)| holds.then_some(condition))
        .collect();
        if !asked.is_empty() {
            draft.note = skips(without.words_of_identity());
        }
        return Ok(guard::and(&asked));
    }
    if !without.words().is_empty() {
        draft.note = skips(without.words());
    }
    let asked = guard::there_is(need.file, &jobs, token, draft.parts.of(need.file.path));
    match asked {
        Some(asked) => Ok(Some(asked)),
        None if without.forks && !without.dependabot && !without.callers => {
            Ok(Some(guard::NO_FORK.to_owned()))
        }
        None => Err(format!(
            "{}, and the job's `env` is written in a way that is not edited, so the login could not ask whether there are any",
            without.words()
        )),
    }
}

/// Whether it is pulled with the credentials of a folder that only some of the job's programs know.
fn has_a_folder(effect: &Effect) -> bool {
    let Kind::Pull {
        puller: Puller::Client(stores),
        ..
    } = &effect.kind
    else {
        return false;
    };
    let own = |store: &Store| matches!(store, Store::Docker(folder) if !folder.as_str().is_empty());
    Reach::of(effect) == Reach::Own && stores.iter().any(own)
}

/// What a run does that the login asks for what it has not.
fn skips(words: &str) -> String {
    format!("{words}: such a run skips the login and pulls anonymously, as it does now")
}

fn into_job(desk: &Desk<'_, '_, '_>, need: &Need<'_, '_>, draft: &mut Draft) -> Result<(), String> {
    let file = need.file;
    draft.summary = "sign in to Docker Hub before the first pull";
    let by_secret = desk.wishes.identity == Identity::Secret;
    draft.review = draft.review.take().or_else(|| {
        desk.names
            .without_secrets(&need.jobs())
            .filter(|_| by_secret)
    });
    if by_secret && pass::is_for_others(desk.files, file) {
        draft.review.get_or_insert_with(|| {
            "only other repositories call this workflow: they must pass the secrets".to_owned()
        });
    }
    let local = pass::local(desk, file);
    let asked = question(desk, need, &local.token_name, draft)?;
    let conditions: Vec<&str> = need
        .condition()
        .into_iter()
        .chain(need.of_linux())
        .chain(asked.as_deref())
        .collect();
    let condition = guard::and(&conditions);
    if condition.is_none() && !conditions.is_empty() {
        return Err("the condition of the step that pulls cannot be taken over".to_owned());
    }
    if desk.wishes.identity == Identity::Oidc {
        return by_oidc(desk, need, condition, draft);
    }
    draft.needs = desk.names.needs();
    pass::secrets_for(desk, file, need, &mut draft.parts)?;
    let copy = own_way(
        desk.repo,
        desk.files,
        file,
        desk.names,
        is_checked_out(need),
    )
    .filter(|item| {
        condition.is_none() && {
            // An alias or a copy of what stands further down reads as well as one of what stands above.
            !item.is_alias()
        }
    });
    let step = match copy {
        Some(item) => Step::Copy(item),
        None => Step::New(login_step(
            desk,
            file,
            need.list,
            condition,
            &local.user,
            &local.token,
        )?),
    };
    insert(need, &step, draft)
}

/// Whether the repository itself is checked out before the place, where its scripts are looked for.
pub(super) fn is_checked_out(need: &Need<'_, '_>) -> bool {
    let elsewhere = |item: Node<'_>| {
        let given = |key: &str| item.get("with").is_some_and(|w| w.get(key).is_some());
        item.get("if").is_some() || given("repository") || given("path")
    };
    let jobs = need.jobs();
    jobs.iter().all(|job| job.node.get("defaults").is_none())
        && need
            .list
            .items()
            .take(need.index)
            .any(|item| uses(item) == Some("actions/checkout") && !elsewhere(item))
}

pub(super) fn insert(
    need: &Need<'_, '_>,
    step: &Step<'_>,
    draft: &mut Draft,
) -> Result<(), String> {
    let style = &need.file.style;
    let Some(edit) = put::item(style, need.list, need.index, step) else {
        return Err("the list of steps is written in a way that is not edited".to_owned());
    };
    let part = draft.parts.of(need.file.path);
    part.edits.push(edit);
    part.intents.push(Intent::InsertItem {
        at: need.list.span().start,
        index: need.index,
        value: step.meaning(&style.inside(need.list)),
    });
    Ok(())
}

fn pin(desk: &Desk<'_, '_, '_>, file: &File<'_>) -> Result<Pin, String> {
    let own = desk.names.pin.clone();
    own.or_else(|| pin::fresh(desk.files, file, LOGIN_ACTION))
        .ok_or_else(|| "no version of the login action is known".to_owned())
}

/// The login step, in the manner of the steps around it.
fn login_step(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    list: Node<'_>,
    condition: Option<String>,
    user: &str,
    token: &str,
) -> Result<Yaml, String> {
    let mut with = Vec::new();
    if let Some(registry) = &desk.names.registry {
        with.push(("registry".to_owned(), Yaml::text(registry)));
    }
    with.push(("username".to_owned(), Yaml::text(user)));
    with.push(("password".to_owned(), Yaml::text(token)));
    let pin = pin(desk, file)?;
    let mut step = beginning(desk, file, list, condition, &pin);
    step.push(("with".to_owned(), Yaml::Map(with)));
    Ok(Yaml::Map(step))
}

fn beginning(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    list: Node<'_>,
    condition: Option<String>,
    pin: &Pin,
) -> Vec<(String, Yaml)> {
    let mut step = Vec::new();
    let named = list.items().filter(|i| i.get("name").is_some()).count();
    if named * 2 >= list.items().count() {
        step.push(("name".to_owned(), Yaml::text(&desk.names.title)));
    }
    let action = format!("{LOGIN_ACTION}@{}", pin.reference);
    let uses = ("uses".to_owned(), Yaml::Noted(action, pin.note.clone()));
    let condition = condition.map(|c| ("if".to_owned(), Yaml::text(guard::written(file, &c))));
    // A step without a name is known by what it uses.
    if step.is_empty() {
        step.push(uses);
        step.extend(condition);
    } else {
        step.extend(condition);
        step.push(uses);
    }
    step
}

fn by_oidc(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    condition: Option<String>,
    draft: &mut Draft,
) -> Result<(), String> {
    let file = need.file;
    for job in need.jobs() {
        let review = oidc::allow(desk, file, job, &mut draft.parts, 0)?;
        draft.review = draft.review.take().or(review);
    }
    let own = desk.names.pin.clone();
    let pin = own
        .filter(|pin| pin::is_from(pin, oidc::FIRST))
        .or_else(|| pin::fresh(desk.files, file, LOGIN_ACTION))
        .ok_or("no version of the login action is known")?;
    let organization = desk
        .wishes
        .user_var
        .clone()
        .unwrap_or_else(|| oidc::ORGANIZATION.to_owned());
    let variable = |name: &str| Yaml::text(format!("${{{{ vars.{name} }}}}"));
    let mut step = beginning(desk, file, need.list, condition, &pin);
    step.push((
        "env".to_owned(),
        Yaml::Map(vec![(
            oidc::CONNECTION.to_owned(),
            variable(oidc::CONNECTION),
        )]),
    ));
    step.push((
        "with".to_owned(),
        Yaml::Map(vec![("username".to_owned(), variable(&organization))]),
    ));
    draft.needs = [organization, oidc::CONNECTION.to_owned()]
        .into_iter()
        .map(|name| Needs {
            provider: Provider::GitHub,
            name,
            known: false,
            variable: true,
        })
        .collect();
    insert(need, &Step::New(Yaml::Map(step)), draft)
}

/// The login as a step of a local action, the credential through its inputs.
fn into_action(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    draft: &mut Draft,
) -> Result<(), String> {
    draft.summary = "sign in to Docker Hub before the first pull of a local action, through its inputs, for the sake";
    let (user, token) = pass::input_names(desk, need.file, &need.calls);
    if !pass::declare_inputs(need.file, [&user, &token], &mut draft.parts) {
        return Err("the inputs of the action are written in a way that is not edited".to_owned());
    }
    let input = |name: &str| format!("${{{{ inputs.{name} }}}}");
    let asked = format!("inputs.{token} != ''");
    let conditions: Vec<&str> = need
        .condition()
        .into_iter()
        .chain([asked.as_str()])
        .collect();
    let Some(condition) = guard::and(&conditions) else {
        return Err("the condition of the step that pulls cannot be taken over".to_owned());
    };
    let step = login_step(
        desk,
        need.file,
        need.list,
        Some(condition),
        &input(&user),
        &input(&token),
    )?;
    insert(need, &Step::New(step), draft)?;
    hand_over(desk, need, &user, &token, draft)
}

/// Gives every step that uses the action the two inputs.
pub(super) fn hand_over(
    desk: &Desk<'_, '_, '_>,
    need: &Need<'_, '_>,
    user: &str,
    token: &str,
    draft: &mut Draft,
) -> Result<(), String> {
    draft.needs = desk.names.needs();
    let mut without = Without::default();
    for (file, step) in &need.calls {
        let jobs: Vec<JobNode<'_>> = file
            .item(step.use_span())
            .map(|(list, _)| file.jobs_of(list))
            .unwrap_or_default();
        let here = Without::of(desk.files, file, &need.runs, &jobs);
        without.forks |= here.forks;
        without.dependabot |= here.dependabot;
        draft.review = draft
            .review
            .take()
            .or_else(|| desk.names.without_secrets(&jobs));
        let local = pass::local(desk, file);
        pass::secrets(desk, file, &desk.names.secrets(), &mut draft.parts)?;
        let given = [(user, local.user), (token, local.token)];
        if !pass::give(file, *step, &given, &mut draft.parts) {
            return Err(
                "a step that uses the action is written in a way that is not edited".to_owned(),
            );
        }
    }
    if !without.words().is_empty() {
        draft.note = skips(without.words());
    }
    Ok(())
}
