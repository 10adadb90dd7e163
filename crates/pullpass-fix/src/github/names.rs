//! Which secrets hold the credential, and what a login step looks like here. A repository that
//! already signs in to Docker Hub somewhere gets no second set of names and no second form.

use std::collections::{BTreeMap, BTreeSet};

use pullpass_audit::editable::environment;
use pullpass_audit::effect::{Effect, Job, Kind, Provider};
use pullpass_audit::reference::{DOCKER_HUB, canonical_registry, other_name_of_hub};
use pullpass_audit::verdict::Credential;
use pullpass_audit::yaml::Node;

use crate::names;
use crate::put;
use crate::repo::Repo;
use crate::script;
use crate::{FixOptions, Needs};

use super::files::{File, Files, JobNode, expression, named};
use super::pin::{self, Pin};

/// The action that signs in.
pub(super) const LOGIN_ACTION: &str = "docker/login-action";

/// Where the user name comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum User {
    /// `secrets.NAME`
    Secret(String),
    /// `vars.NAME`
    Variable(String),
    /// Written out, or an expression that is neither.
    Written(String),
}

impl User {
    fn of(text: &str) -> Option<Self> {
        if let Some(name) = named(text, "secrets") {
            return Some(Self::Secret(name.to_owned()));
        }
        if let Some(name) = named(text, "vars") {
            return Some(Self::Variable(name.to_owned()));
        }
        // What only one workflow knows is no name for the others.
        let fine = match expression(text) {
            Some(inner) => inner.starts_with("github."),
            None => !text.is_empty() && !text.contains(['\n', '$']),
        };
        fine.then(|| Self::Written(text.to_owned()))
    }

    /// As a workflow writes it.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Secret(name) => format!("${{{{ secrets.{name} }}}}"),
            Self::Variable(name) => format!("${{{{ vars.{name} }}}}"),
            Self::Written(text) => text.clone(),
        }
    }

    fn needs(&self, known: bool) -> Option<Needs> {
        let (name, variable) = match self {
            Self::Secret(name) => (name, false),
            Self::Variable(name) => (name, true),
            Self::Written(_) => return None,
        };
        Some(Needs {
            provider: Provider::GitHub,
            name: name.clone(),
            known,
            variable,
        })
    }
}

/// A step that signs in to Docker Hub, in a file of the repository.
#[derive(Clone, Copy)]
pub(super) struct Known<'f, 'd> {
    pub(super) file: &'f File<'d>,
    pub(super) item: Node<'d>,
}

/// How this repository signs in.
pub(super) struct Names {
    pub(super) user: User,
    /// The secret that holds the token.
    pub(super) token: String,
    /// The repository already uses both.
    pub(super) known: bool,
    /// What a login step is called here.
    pub(super) title: String,
    /// The repository's own pin of the login action, if it has one.
    pub(super) pin: Option<Pin>,
    /// `registry: docker.io` and the like, where its logins say so.
    pub(super) registry: Option<String>,
    /// The environments that hold the secrets, as far as can be told: every job that uses them today
    /// runs in one of these. Empty when some job has them without.
    keepers: BTreeSet<String>,
}

impl Names {
    pub(super) fn find(repo: &Repo<'_, '_>, files: &Files<'_>, wishes: &FixOptions) -> Self {
        let own = own_pair(repo).or_else(|| written_pair(files));
        let known = own.is_some();
        let (user, token) = own.unwrap_or_else(|| {
            (
                User::Secret(names::USER.to_owned()),
                names::TOKEN.to_owned(),
            )
        });
        let wished = wishes.user_var.as_ref().map(|name| match &user {
            User::Variable(_) => User::Variable(name.clone()),
            _ => User::Secret(name.clone()),
        });
        let same = wished.as_ref().is_none_or(|u| *u == user)
            && wishes.token_var.as_ref().is_none_or(|t| *t == token);
        let mut names = Self {
            user: wished.unwrap_or(user),
            token: wishes.token_var.clone().unwrap_or(token),
            known: known && same,
            title: "Log in to Docker Hub".to_owned(),
            pin: None,
            registry: None,
            keepers: BTreeSet::new(),
        };
        names.learn_form(repo, files);
        if names.known {
            names.keepers = names.keepers(repo, files);
        }
        names
    }

    /// Secrets among the two, by name.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let user = match &self.user {
            User::Secret(name) => Some(name.as_str()),
            _ => None,
        };
        user.into_iter().chain([self.token.as_str()]).collect()
    }

    /// What must exist for a login with these to work.
    pub(super) fn needs(&self) -> Vec<Needs> {
        let token = Needs {
            provider: Provider::GitHub,
            name: self.token.clone(),
            known: self.known,
            variable: false,
        };
        self.user
            .needs(self.known)
            .into_iter()
            .chain([token])
            .collect()
    }

    /// Why a job may not have the secrets that the repository uses elsewhere.
    pub(super) fn without_secrets(&self, jobs: &[JobNode<'_>]) -> Option<String> {
        if self.keepers.is_empty() {
            return None;
        }
        let job = jobs
            .iter()
            .find(|job| environment(job.node).is_none_or(|e| !self.keepers.contains(&e)))?;
        let keepers: Vec<&str> = self.keepers.iter().map(String::as_str).collect();
        Some(format!(
            "the jobs that use these secrets today run in the environment `{}`, which may be what holds them, and job `{}` does not",
            keepers.join("` or `"),
            job.name()
        ))
    }

    fn learn_form(&mut self, repo: &Repo<'_, '_>, files: &Files<'_>) {
        let mut titles: BTreeMap<&str, usize> = BTreeMap::new();
        let mut logins = hub_logins(repo, files);
        if logins.is_empty() {
            logins = written_logins(files);
        }
        for known in logins {
            if let Some(title) = known.item.get("name").and_then(Node::as_str)
                && !title.contains("${{")
            {
                *titles.entry(title).or_default() += 1;
            }
            let registry = known.item.get("with").and_then(|w| w.get("registry"));
            if let Some(written) = registry.and_then(Node::as_str) {
                // By another name of Docker Hub it would sign in for that name alone.
                let plain = !written.contains("${{") && other_name_of_hub(written).is_none();
                self.registry = self
                    .registry
                    .take()
                    .or_else(|| plain.then(|| written.to_owned()));
            }
        }
        // What is named for a purpose of its own is no name for the others.
        let plain = |title: &str| is_plain(title);
        let most = titles.into_iter().max_by(|(a, n), (b, m)| {
            let by_count = n.cmp(m).then_with(|| b.cmp(a));
            plain(a).cmp(&plain(b)).then(by_count)
        });
        if let Some((title, _)) = most {
            self.title = title.to_owned();
        }
        self.pin = pin::of_repository(files, LOGIN_ACTION);
    }

    fn keepers(&self, repo: &Repo<'_, '_>, files: &Files<'_>) -> BTreeSet<String> {
        let uses = |credential: &Credential| {
            let password = credential.password.as_deref();
            password.and_then(|p| named(p, "secrets")) == Some(self.token.as_str())
        };
        let by_image = repo
            .audit
            .pulls
            .iter()
            .filter(|p| p.by_host && p.credential.as_ref().is_some_and(uses))
            .map(|p| (&*p.job_file, &*p.job));
        let by_login = repo
            .audit
            .logins
            .iter()
            .filter(|l| uses(&l.credential))
            .map(|l| (&*l.job_file, &*l.job));
        let mut keepers = BTreeSet::new();
        for (path, name) in by_image.chain(by_login) {
            let file = pullpass_audit::source::RepoPath::new(path).and_then(|p| files.get(&p));
            // A called workflow's job is named after its caller: `call / job`.
            let id = name.rsplit(" / ").next().unwrap_or(name);
            let job = file.and_then(|f| f.jobs().into_iter().find(|j| j.name() == id));
            match job.and_then(|job| environment(job.node)) {
                Some(environment) => keepers.insert(environment),
                None => return BTreeSet::new(),
            };
        }
        keepers
    }
}

/// Whether the title of a login says that it signs in to Docker Hub, and nothing else.
fn is_plain(title: &str) -> bool {
    let words = [
        "authenticate",
        "authentication",
        "auth",
        "container",
        "credentials",
        "docker",
        "dockerhub",
        "hub",
        "image",
        "images",
        "in",
        "into",
        "io",
        "log",
        "logging",
        "login",
        "on",
        "onto",
        "registry",
        "sign",
        "signin",
        "the",
        "to",
        "with",
    ];
    let title = title.to_ascii_lowercase();
    title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.is_ascii() && !word.is_empty())
        .all(|word| words.contains(&word))
}

/// The pair that most of the repository's pulls and logins use.
fn own_pair(repo: &Repo<'_, '_>) -> Option<(User, String)> {
    let pair = |credential: &Credential| -> Option<(User, String)> {
        let token = named(credential.password.as_deref()?, "secrets")?;
        if token.eq_ignore_ascii_case("GITHUB_TOKEN") {
            return None;
        }
        Some((User::of(credential.username.as_deref()?)?, token.to_owned()))
    };
    let mut counted: BTreeMap<(User, String), usize> = BTreeMap::new();
    let of_github = |provider: Provider| provider == Provider::GitHub;
    for pull in repo.audit.pulls.iter().filter(|p| of_github(p.provider)) {
        let hub = pull.registry.as_deref() == Some(DOCKER_HUB);
        if let Some(pair) = pull.credential.as_ref().filter(|_| hub).and_then(pair) {
            *counted.entry(pair).or_default() += 1000;
        }
    }
    for login in repo.audit.logins.iter().filter(|l| of_github(l.provider)) {
        let hub = login.registry.as_deref() == Some(DOCKER_HUB);
        if hub && let Some(pair) = pair(&login.credential) {
            *counted.entry(pair).or_default() += 1;
        }
    }
    counted
        .into_iter()
        .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)))
        .map(|(pair, _)| pair)
}

/// The pair that most of the written logins name, also those that no run makes.
fn written_pair(files: &Files<'_>) -> Option<(User, String)> {
    let mut counted: BTreeMap<(User, String), usize> = BTreeMap::new();
    for known in written_logins(files) {
        let text = |key: &str| known.item.get("with")?.get(key)?.as_str();
        let pair = || {
            let token = named(text("password")?, "secrets")?;
            let plain = !token.eq_ignore_ascii_case("GITHUB_TOKEN");
            plain.then_some((User::of(text("username")?)?, token.to_owned()))
        };
        if let Some(pair) = pair() {
            *counted.entry(pair).or_default() += 1;
        }
    }
    counted
        .into_iter()
        .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)))
        .map(|(pair, _)| pair)
}

/// The steps of workflows that sign in to Docker Hub by the login action, whether they are ever run or not.
fn written_logins<'f, 'd>(files: &'f Files<'d>) -> Vec<Known<'f, 'd>> {
    let mut out = Vec::new();
    for file in files.all() {
        for job in file.jobs() {
            let steps = job.node.get("steps").into_iter().flat_map(Node::items);
            out.extend(
                steps
                    .filter(|item| uses(*item) == Some(LOGIN_ACTION))
                    .filter(|item| {
                        let registry = item.get("with").and_then(|with| with.get("registry"));
                        let registry = registry.and_then(Node::as_str).unwrap_or("");
                        canonical_registry(registry) == DOCKER_HUB
                    })
                    .map(|item| Known { file, item }),
            );
        }
    }
    out
}

/// Whether an effect signs in to Docker Hub, under whatever condition and however well.
pub(super) fn is_hub_login(effect: &Effect) -> bool {
    matches!(&effect.kind, Kind::Login { registry, .. }
        if canonical_registry(registry.as_str()) == DOCKER_HUB)
}

/// Whether it does by the name that images have which name no host.
pub(super) fn is_plain_login(effect: &Effect) -> bool {
    is_hub_login(effect)
        && matches!(&effect.kind, Kind::Login { registry, .. }
            if other_name_of_hub(registry.as_str()).is_none())
}

/// The steps of the repository that sign in to Docker Hub by the login action.
fn hub_logins<'f, 'd>(repo: &Repo<'_, '_>, files: &'f Files<'d>) -> Vec<Known<'f, 'd>> {
    let mut out: Vec<Known<'f, 'd>> = Vec::new();
    let of_github = |job: &&Job| job.provider == Provider::GitHub;
    for job in repo.survey.jobs.iter().filter(of_github) {
        for effect in job.effects.iter().filter(|e| is_hub_login(e)) {
            let Some(span) = effect.within.last() else {
                continue;
            };
            let Some(file) = files.at(repo, span.file) else {
                continue;
            };
            let Some((list, index)) = file.item(*span) else {
                continue;
            };
            let Some(item) = list.items().nth(index) else {
                continue;
            };
            let known =
                |k: &Known<'_, '_>| k.file.path == file.path && k.item.span() == item.span();
            if uses(item).is_some_and(|name| name == LOGIN_ACTION) && !out.iter().any(known) {
                out.push(Known { file, item });
            }
        }
    }
    out
}

/// The action of a step, without its version.
pub(super) fn uses<'d>(item: Node<'d>) -> Option<&'d str> {
    let uses = item.get("uses")?.as_str()?;
    uses.split('@').next()
}

/// A step of the repository that signs in in a way of its own (a script, a local action) with the
/// names that are to be used, where it has no login action: it is put in letter for letter.
pub(super) fn own_way<'d>(
    repo: &Repo<'_, '_>,
    files: &Files<'d>,
    file: &File<'d>,
    names: &Names,
    checked_out: bool,
) -> Option<Node<'d>> {
    if !names.known || !hub_logins(repo, files).is_empty() {
        return None;
    }
    let of_github = |job: &&Job| job.provider == Provider::GitHub;
    let mut found: Option<Node<'d>> = None;
    for job in repo.survey.jobs.iter().filter(of_github) {
        for effect in job.effects.iter().filter(|e| is_plain_login(e)) {
            let Kind::Login {
                password: Some(password),
                broken: None,
                ..
            } = &effect.kind
            else {
                continue;
            };
            let password = repo.survey.cx.holes.show(password.as_str());
            if named(&password, "secrets") != Some(names.token.as_str()) {
                continue;
            }
            let Some((list, index)) = effect.within.first().and_then(|&span| {
                let same = files.at(repo, span.file)?.path == file.path;
                file.item(span).filter(|_| same)
            }) else {
                continue;
            };
            let Some(item) = list.items().nth(index) else {
                continue;
            };
            let text = put::text_of(file.style.text, item);
            let shorter = found.is_none_or(|f| text.len() < put::text_of(file.style.text, f).len());
            if shorter
                && item.get("if").is_none()
                && signs_in_only(job, item)
                && stands_alone(item)
                && (!needs_checkout(repo, effect, item)
                    || checked_out && is_carried(repo, effect, file, list, item, names))
            {
                found = Some(item);
            }
        }
    }
    found
}

/// Whether a step signs in by what stands in another file of the repository.
pub(super) fn needs_checkout(repo: &Repo<'_, '_>, effect: &Effect, item: Node<'_>) -> bool {
    !script::others(repo, effect, item.use_span().file).is_empty()
}

/// Whether a step that runs a program of the repository brings along all that this signs in with, and all else
/// that it reads.
fn is_carried(
    repo: &Repo<'_, '_>,
    effect: &Effect,
    file: &File<'_>,
    list: Node<'_>,
    item: Node<'_>,
    names: &Names,
) -> bool {
    let of_file = file.root.get("env");
    let written = put::text_of(file.style.text, item);
    let is_given = |secret: &str| {
        let by_file = of_file.map(Node::entries).unwrap_or_default();
        written.contains(secret)
            || by_file
                .iter()
                .any(|e| e.value.as_str().is_some_and(|v| v.contains(secret)))
    };
    let user = match &names.user {
        User::Secret(name) | User::Variable(name) => is_given(name),
        User::Written(_) => true,
    };
    let files = script::others(repo, effect, item.use_span().file);
    let jobs = file.jobs_of(list);
    let set_here: Vec<&str> = jobs
        .iter()
        .filter_map(|job| job.node.get("env"))
        .flat_map(Node::entries)
        .filter_map(|entry| entry.key.as_str())
        .collect();
    let own = item.get("env");
    let is_carried = |name: &str| {
        let has = |env: Option<Node<'_>>| env.is_some_and(|env| env.get(name).is_some());
        has(own)
            || has(of_file) && !set_here.contains(&name)
            || ["GITHUB_", "RUNNER_"].iter().any(|p| name.starts_with(p))
            || matches!(name, "HOME" | "PATH" | "PWD" | "USER")
    };
    user && is_given(&names.token)
        && jobs.iter().all(|job| job.node.get("defaults").is_none())
        && script::sign_in_anywhere(&files, is_carried, &set_here)
}

/// Whether all that an item does in this job is to sign in.
pub(super) fn signs_in_only(job: &Job, item: Node<'_>) -> bool {
    let at = item.use_span();
    let mut effects = job
        .effects
        .iter()
        .filter(|e| e.within.contains(&at))
        .peekable();
    effects.peek().is_some()
        && effects.all(|e| matches!(e.kind, Kind::Login { .. }))
        && item
            .get("run")
            .and_then(Node::as_str)
            .is_none_or(script::is_one_command)
}

/// Whether a step means the same wherever it stands: it uses no step before it, and no variable that it
/// does not set itself.
pub(super) fn stands_alone(item: Node<'_>) -> bool {
    if item.is_alias() || item.anchor().is_some() || item.get("id").is_some() {
        return false;
    }
    let mut alone = true;
    put::walk(item, 0, &mut |node| {
        let text = node.as_str().unwrap_or("");
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("${{") {
            let (inner, tail) = after.split_once("}}").unwrap_or((after, ""));
            let far = [
                "steps.",
                "needs.",
                "matrix.",
                "env.",
                "inputs.",
                "job.",
                "strategy.",
            ];
            alone &= !far.iter().any(|context| inner.contains(context));
            rest = tail;
        }
        alone &= node.anchor().is_none();
    });
    let own = item.get("env");
    let script = item.get("run").and_then(Node::as_str).unwrap_or("");
    let mut rest = script;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        let name: String = after
            .trim_start_matches('{')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        let expression = after.starts_with("{{");
        alone &= expression || own.is_some_and(|env| env.get(&name).is_some());
    }
    alone
}
