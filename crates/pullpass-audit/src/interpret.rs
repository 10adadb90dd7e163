//! The interpreter: walks a job's effects in order and says of each pull as whom it is made.
//!
//! The state is small: which logins are in force (and under which conditions), and which images
//! are already there. A verdict is computed from that state alone, never from what the text looks
//! like, so a new front end gets every verdict for nothing.

use std::rc::Rc;

use ecow::EcoString;

use crate::archive::{Archives, FromArchive};
use crate::context::{Context, Named};
use crate::effect::{By, Declared, Effect, Freshness, Guard, Job, Kind, Puller, Store};
use crate::implied::{excludes, implies};
use crate::reference::{
    DOCKER_HUB, Image, REGISTRY_1, Reference, canonical_registry, other_name_of_hub,
};
use crate::source::Span;
use crate::text::{Hole, HoleKind, Holes, Text, has_hole, is_hole, may_be};
use crate::verdict::{Auth, Cause};

/// A credential as the files give it; may carry unknown parts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RawCredential {
    /// User name.
    pub username: Option<Text>,
    /// Password or token.
    pub password: Option<Text>,
}

/// A pull with its verdict, places still as spans.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Where it is written.
    pub span: Span,
    /// The effect it comes from, in the job's order.
    pub effect: usize,
    /// What caused it.
    pub by: By,
    /// The image as written; `None` when not even that is known.
    pub image: Option<Text>,
    /// What is known of its name.
    pub reference: Option<Reference>,
    /// As whom.
    pub auth: Auth,
    /// Why, for rules.
    pub cause: Cause,
    /// Why, for people.
    pub reason: String,
    /// The login or credential that decided.
    pub decided_by: Option<Span>,
    /// With what.
    pub credential: Option<RawCredential>,
    /// Made by the CI system before any step.
    pub by_host: bool,
}

/// A login with what came of it.
#[derive(Clone, Debug)]
pub struct LoginSeen {
    /// The effect it comes from, in the job's order.
    pub effect: usize,
    /// Canonical registry; `None` when it cannot be known.
    pub registry: Option<String>,
    /// Whether a pull or push of the job can have used it.
    pub used: bool,
    /// Whether a push of the job can have used it.
    pub pushed: bool,
}

/// What the interpreter says of one job.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Its pulls, in order.
    pub pulls: Vec<Judged>,
    /// Its logins, in order.
    pub logins: Vec<LoginSeen>,
}

/// What a login is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Pull,
    Push,
}

struct Active<'j> {
    effect: &'j Effect,
    seen: usize,
    registry: Option<String>,
    /// The name of Docker Hub that it signs in to, where that is not the usual one.
    other_name: Option<&'static str>,
    store: &'j Store,
    credential: RawCredential,
    how: &'j str,
    broken: Option<&'j str>,
    logged_out: Option<Span>,
}

impl Active<'_> {
    /// Whether it signs in to Docker Hub by this name.
    fn is_to_hub(&self, other_name: Option<&str>) -> bool {
        self.registry.as_deref() == Some(DOCKER_HUB) && self.other_name == other_name
    }

    /// Whether a client that pulls an image so named finds its credential.
    fn is_found_by(&self, client: Client, other_name: Option<&str>) -> bool {
        let of_requests = Some(REGISTRY_1);
        self.is_to_hub(client.looks_for(other_name))
            || client == Client::Other
                && other_name.is_none_or(|name| name == REGISTRY_1)
                && (self.is_to_hub(None) || self.is_to_hub(of_requests))
    }
}

/// Whose rules decide under which name of Docker Hub a credential is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Docker,
    BuildKit,
    /// Podman, Helm and others take the names of Docker Hub that end in `docker.io` for one.
    Other,
}

impl Client {
    fn of(by: By, stores: &[Store]) -> Self {
        match (stores, by) {
            ([Store::Docker(_)], By::Dockerfile) => Self::BuildKit,
            ([Store::Docker(_)], _) => Self::Docker,
            _ => Self::Other,
        }
    }

    /// The name under which it looks for the credential of an image that names Docker Hub so.
    fn looks_for(self, other_name: Option<&str>) -> Option<&str> {
        other_name.filter(|name| self == Self::Docker || *name != REGISTRY_1)
    }
}

struct Present {
    image: EcoString,
    guards: Rc<[Guard]>,
    /// The job makes it, and does not only pull it.
    made: bool,
    /// A build has pulled it: BuildKit keeps it to itself, and the engine asks for it again.
    of_build: bool,
    /// `image` is only the end of the name: it begins with the name of the checkout's folder.
    end_only: bool,
}

impl Present {
    fn is(&self, image: &str) -> bool {
        if !self.end_only {
            return self.image == image;
        }
        image
            .strip_prefix(OWN_NAMESPACE)
            .and_then(|name| name.strip_suffix(self.image.as_str()))
            .is_some_and(|folder| !folder.is_empty())
    }
}

/// How the canonical form of a name without a host or a namespace begins.
const OWN_NAMESPACE: &str = "docker.io/library/";

/// What is known of an image that is named after the checkout's folder: how its canonical form ends.
fn after_folder(holes: &Holes, image: &Text) -> Option<EcoString> {
    let mut chars = image.as_str().chars();
    let first = chars.next()?;
    let rest = chars.as_str();
    let plain = !rest.is_empty() && !rest.contains(['/', ':', '@']) && !has_hole(rest);
    let named = plain && holes.get(first)?.kind == HoleKind::Folder;
    named.then(|| EcoString::from(rest) + ":latest")
}

/// Why two different canonical names may turn out to be one: a part of either is unknown. `None` when
/// they surely are two.
fn may_be_one(a: &str, b: &str) -> Option<&'static str> {
    if !has_hole(a) && !has_hole(b) {
        return None;
    }
    let (name, tag) = a.rsplit_once(':')?;
    let (other_name, other_tag) = b.rsplit_once(':')?;
    if a.contains('@') || b.contains('@') || !may_be_same(tag, other_tag) {
        return None;
    }
    if name == other_name {
        return Some(
            "this job makes the image under a tag that cannot be known, and this may be it",
        );
    }
    let depth = |name: &str| name.bytes().filter(|b| *b == b'/').count();
    (depth(name) == depth(other_name) && may_be_same(name, other_name)).then_some(
        "this job makes an image under a name of which a part cannot be known, and this may be it",
    )
}

/// Whether two texts are the same, or may turn out to be.
fn may_be_same(a: &str, b: &str) -> bool {
    let known = |text: &str| {
        let mut pieces = text.split(is_hole);
        let first = pieces.next().unwrap_or_default().to_owned();
        let last = pieces.next_back().map(str::to_owned);
        (first, last)
    };
    if a == b {
        return true;
    }
    let ((first, last), (other_first, other_last)) = (known(a), known(b));
    let one_begins = first.starts_with(&other_first) || other_first.starts_with(&first);
    let one_ends = |a: &str, b: &str| a.ends_with(b) || b.ends_with(a);
    match (last, other_last) {
        (None, None) => false,
        (Some(_), None) => a.chars().all(is_hole) || may_be(a, b),
        (None, Some(_)) => b.chars().all(is_hole) || may_be(b, a),
        (Some(last), Some(other)) => one_begins && one_ends(&last, &other),
    }
}

/// Judges every pull of a job. `archives` is what the jobs of the repository hand to each other.
#[must_use]
pub fn interpret(cx: &Context<'_>, job: &Job, archives: &Archives) -> Judgement {
    let mut walk = Walk {
        cx,
        job,
        archives,
        active: Vec::new(),
        present: Vec::new(),
        loaded: false,
        unnamed: false,
        unnamed_word: false,
        logins_left: job.effects.iter().filter(|effect| is_login(effect)).count(),
        out: Judgement::default(),
    };
    let is_pull = |effect: &&Effect| matches!(effect.kind, Kind::Pull { .. } | Kind::Opaque { .. });
    walk.out
        .pulls
        .reserve(job.effects.iter().filter(is_pull).count());
    for (index, effect) in job.effects.iter().enumerate() {
        walk.step(index, effect);
    }
    walk.out
}

/// How an image comes to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The job makes it.
    Made,
    /// An engine pulls it.
    Pulled,
    /// A builder pulls it.
    Built,
}

struct Walk<'a, 'j> {
    cx: &'a Context<'a>,
    job: &'j Job,
    archives: &'a Archives,
    active: Vec<Active<'j>>,
    present: Vec<Present>,
    /// Images came out of an archive.
    loaded: bool,
    /// An image was made of whose name nothing is known.
    unnamed: bool,
    /// The same, and it is a word alone: no namespace, no tag.
    unnamed_word: bool,
    /// Logins that are still to come.
    logins_left: usize,
    out: Judgement,
}

fn is_login(effect: &Effect) -> bool {
    matches!(effect.kind, Kind::Login { .. })
}

/// What a login says about its registry: none means "cannot be known".
fn registry_of(written: &Text) -> Option<String> {
    if written.is_one_hole() {
        return None;
    }
    let canonical = canonical_registry(written.as_str());
    // A host of which the end is known is known well enough not to be Docker Hub.
    match canonical.rfind(is_hole) {
        Some(at) if !canonical.get(at..).is_some_and(|end| end.contains('.')) => None,
        _ => Some(canonical),
    }
}

/// Whether an unknown value comes about while the job runs: what a command prints, and what a step or
/// a job gives away.
fn is_made_by_the_run(hole: &Hole) -> bool {
    hole.kind == HoleKind::Output || hole.written.contains(".outputs.")
}

fn includes(guards: &[Guard], all: &[Guard]) -> bool {
    all.iter().all(|g| implies(guards, g))
}

/// Whether a login happens wherever this pull does and there is a secret to sign in with.
fn covers(login: &[Guard], pull: &[Guard]) -> bool {
    login.iter().all(|g| g.with_secrets || implies(pull, g))
}

/// Cases that are looked at together; a real job has a few.
const MAX_CASES: usize = 64;

/// Whether the conditions, taken together, leave no case out: `{a}` and `{not a}` do.
fn exhaustive(mut cases: Vec<Vec<Guard>>) -> bool {
    if cases.iter().any(Vec::is_empty) {
        return true;
    }
    // The nearest ones: each pair is compared, for every pull.
    cases.drain(..cases.len().saturating_sub(MAX_CASES));
    // Each round merges two cases that differ in one condition's sense only. There are few.
    for _ in 0..32 {
        if cases.iter().any(Vec::is_empty) {
            return true;
        }
        let merged = cases.iter().enumerate().find_map(|(i, a)| {
            cases.iter().enumerate().skip(i + 1).find_map(|(j, b)| {
                let opposite: Vec<&Guard> = a.iter().filter(|g| b.contains(&g.not())).collect();
                let &[one] = opposite.as_slice() else {
                    return None;
                };
                let rest: Vec<Guard> = a.iter().filter(|g| *g != one).cloned().collect();
                let same = rest.len() + 1 == b.len() && rest.iter().all(|g| b.contains(g));
                same.then_some((i, j, rest))
            })
        });
        let Some((i, j, rest)) = merged else {
            return false;
        };
        cases.swap_remove(j);
        cases.swap_remove(i);
        cases.push(rest);
    }
    false
}

impl<'j> Walk<'_, 'j> {
    fn step(&mut self, index: usize, effect: &'j Effect) {
        self.logins_left -= usize::from(is_login(effect));
        match &effect.kind {
            Kind::Login {
                registry,
                username,
                password,
                store,
                how,
                broken,
            } => {
                let other_name = other_name_of_hub(registry.as_str());
                let registry = registry_of(registry);
                self.out.logins.push(LoginSeen {
                    effect: index,
                    registry: registry.clone(),
                    used: false,
                    pushed: false,
                });
                self.active.push(Active {
                    effect,
                    seen: self.out.logins.len() - 1,
                    registry,
                    other_name,
                    store,
                    credential: RawCredential {
                        username: username.clone(),
                        password: password.clone(),
                    },
                    how,
                    broken: broken.as_deref(),
                    logged_out: None,
                });
            }
            Kind::Logout { registry, store } => {
                let registry = registry_of(registry);
                for login in &mut self.active {
                    let same = login.registry == registry && login.store == store;
                    if same && includes(&login.effect.guards, &effect.guards) {
                        login.logged_out = Some(effect.span);
                    }
                }
            }
            Kind::Provide { image } => match &*self.cx.image(image) {
                Named {
                    image: Image::Named(_),
                    canonical,
                } => self.make_present(canonical.clone(), &effect.guards, How::Made),
                Named {
                    image: Image::Unknown,
                    ..
                } => {
                    // The name of the checkout's folder is one word, which Compose takes for its project.
                    let mut holes = image.holes(&self.cx.holes);
                    let of_folder = holes.any(|hole| hole.kind == HoleKind::Folder);
                    self.unnamed |= image.is_one_hole() && !of_folder;
                    self.unnamed_word |= image.is_one_hole() && of_folder;
                    if let Some(image) = after_folder(&self.cx.holes, image) {
                        self.present.push(Present {
                            image,
                            guards: Rc::clone(&effect.guards),
                            made: true,
                            of_build: false,
                            end_only: true,
                        });
                    }
                    self.make_present(image.as_str().into(), &effect.guards, How::Made);
                }
                _ => {}
            },
            Kind::Load => self.loaded = true,
            Kind::Save { .. } => {}
            Kind::Push { image } => {
                if let Image::Named(reference) = &self.cx.image(image).image {
                    self.use_logins(&reference.registry, Use::Push);
                } else {
                    self.use_all_logins(Use::Push);
                }
            }
            Kind::Opaque { what, why, by } => {
                // It may push, too.
                self.use_all_logins(Use::Push);
                let mut judged = Judged {
                    span: effect.span,
                    effect: index,
                    by: *by,
                    image: None,
                    reference: None,
                    auth: Auth::Unknown,
                    cause: Cause::Unresolved,
                    reason: format!("{what}: {why}"),
                    decided_by: None,
                    credential: None,
                    by_host: false,
                };
                self.judge_unknown(&mut judged, effect, None);
                self.out.pulls.push(judged);
            }
            Kind::Unlisted => self.use_all_logins(Use::Push),
            Kind::Pull {
                image,
                by,
                puller,
                declared,
                freshness,
            } => {
                self.pull(index, effect, image, *by, puller, declared, *freshness);
            }
        }
    }

    fn make_present(&mut self, image: EcoString, guards: &Rc<[Guard]>, how: How) {
        self.present.push(Present {
            image,
            guards: Rc::clone(guards),
            made: how == How::Made,
            of_build: how == How::Built,
            end_only: false,
        });
    }

    /// Whether the job makes an image on some path that the pull may be on, too.
    fn is_made_sometimes(&self, image: &str, guards: &[Guard]) -> bool {
        self.present
            .iter()
            .any(|p| p.made && p.is(image) && !excludes(&p.guards, guards))
    }

    /// Why an image may turn out to be one that the job makes.
    fn may_be_made(&self, image: &str, guards: &[Guard]) -> Option<&'static str> {
        let made = |p: &&Present| p.made && !p.end_only && !excludes(&p.guards, guards);
        let mut made = self.present.iter().filter(made);
        made.find_map(|p| may_be_one(&p.image, image))
    }

    /// Whether an image is there for whoever asks for it now.
    fn is_present(&self, image: &str, guards: &[Guard], asks: How) -> bool {
        let is_there = |p: &&Present| p.is(image) && (!p.of_build || asks == How::Built);
        self.present
            .iter()
            .any(|p| is_there(&p) && includes(guards, &p.guards))
            || exhaustive(
                self.present
                    .iter()
                    .filter(is_there)
                    .map(|p| p.guards.to_vec())
                    .collect(),
            )
    }

    fn use_logins(&mut self, registry: &str, to: Use) {
        for login in &self.active {
            if login.registry.as_deref().is_none_or(|r| r == registry)
                && let Some(seen) = self.out.logins.get_mut(login.seen)
            {
                seen.used = true;
                seen.pushed |= to == Use::Push;
            }
        }
    }

    /// What it is about is not known, so it can be any of them.
    fn use_all_logins(&mut self, to: Use) {
        for login in &mut self.out.logins {
            login.used = true;
            login.pushed |= to == Use::Push;
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one variant, taken apart"
    )]
    fn pull(
        &mut self,
        index: usize,
        effect: &'j Effect,
        image: &Text,
        by: By,
        puller: &Puller,
        declared: &'j Declared,
        freshness: Freshness,
    ) {
        let by_host = *puller == Puller::Host;
        let how = match puller {
            // podman has one store for both.
            Puller::Client(stores) if by == By::Dockerfile && stores.len() == 1 => How::Built,
            _ => How::Pulled,
        };
        let mut judged = Judged {
            span: effect.span,
            effect: index,
            by,
            image: Some(image.clone()),
            reference: None,
            auth: Auth::Unknown,
            cause: Cause::Unresolved,
            reason: String::new(),
            decided_by: None,
            credential: None,
            by_host,
        };
        let named = self.cx.image(image);
        match &named.image {
            Image::Nothing => return,
            Image::Invalid(why) => {
                judged.reason = format!(
                    "`{}` is no image name: {why}",
                    self.cx.holes.show(image.as_str())
                )
            }
            Image::Unknown => {
                if !by_host && self.is_present(image.as_str(), &effect.guards, how) {
                    return;
                }
                self.use_all_logins(Use::Pull);
                judged.reason = self.unresolved(image);
                if let Puller::Client(stores) = puller
                    && *declared == Declared::None
                {
                    self.judge_unknown(&mut judged, effect, Some(stores));
                }
                if let Declared::Aws(span) = declared {
                    judged.auth = Auth::NotApplicable;
                    judged.cause = Cause::OtherHost;
                    "`aws_auth` takes it from Amazon ECR".clone_into(&mut judged.reason);
                    judged.decided_by = Some(*span);
                }
                if !by_host && freshness.leaves_it() {
                    self.make_present(image.as_str().into(), &effect.guards, how);
                }
            }
            Image::Named(reference) => {
                let name = &named.canonical;
                let mut doubt = None;
                if !by_host {
                    if freshness.takes_what_is_there() {
                        if self.is_present(name, &effect.guards, how) {
                            return;
                        }
                        let word =
                            self.unnamed_word && reference.repository.starts_with("library/");
                        if (self.unnamed || word) && !reference.is_everybodys() {
                            doubt = Some(
                                "an image was made before under a name that cannot be known, and this may be it",
                            );
                        }
                        if let Some(why) = self.may_be_made(name, &effect.guards) {
                            doubt = Some(why);
                        }
                        if self.is_made_sometimes(name, &effect.guards) {
                            doubt = Some(
                                "this job makes the image itself on some paths, and whether it is pulled on the others cannot be known",
                            );
                        }
                        if self.loaded {
                            match self.archives.hold(reference) {
                                FromArchive::Yes => return,
                                FromArchive::No => {}
                                FromArchive::Unknown => {
                                    doubt = Some(
                                        "an archive was loaded before, and whether this image came out of it cannot be known",
                                    )
                                }
                            }
                        }
                    }
                    if freshness.leaves_it() {
                        self.make_present(name.clone(), &effect.guards, how);
                    }
                }
                if !reference.is_hub() {
                    self.use_logins(&reference.registry, Use::Pull);
                    judged.auth = Auth::NotApplicable;
                    // Whose password stands in the file does not matter: it is out.
                    if by_host
                        && let Declared::Credential {
                            username,
                            password,
                            span,
                            ..
                        } = declared
                        && password.is_known()
                        && !password.is_empty()
                    {
                        judged.decided_by = Some(*span);
                        judged.credential = Some(RawCredential {
                            username: Some(username.clone()),
                            password: Some(password.clone()),
                        });
                    }
                    (judged.cause, judged.reason) = if reference.mirror {
                        (
                            Cause::Mirror,
                            format!(
                                "`{}` serves a copy of Docker Hub",
                                self.cx.holes.show(&reference.registry)
                            ),
                        )
                    } else {
                        (
                            Cause::OtherHost,
                            format!(
                                "`{}` is not Docker Hub",
                                self.cx.holes.show(&reference.registry)
                            ),
                        )
                    };
                } else {
                    match puller {
                        Puller::Host => self.judge_declared(&mut judged, declared),
                        Puller::Client(stores) => {
                            let client = Client::of(by, stores);
                            let name = reference.other_name;
                            self.judge_client(&mut judged, effect, declared, stores, (client, name))
                        }
                    }
                    if let Some(doubt) = doubt {
                        self.use_all_logins(Use::Pull);
                        // Where it is signed in to Docker Hub, it does not matter whether it is pulled.
                        if judged.auth != Auth::Authenticated {
                            judged.auth = Auth::Unknown;
                            judged.cause = Cause::Unresolved;
                            doubt.clone_into(&mut judged.reason);
                            judged.decided_by = None;
                            judged.credential = None;
                        }
                    }
                }
                judged.reference = Some(reference.clone());
            }
        }
        if judged.auth == Auth::Authenticated
            && let Some(credential) = &judged.credential
            && let Some(needs) = self.needs(credential)
        {
            judged.reason.push_str(&needs);
        }
        self.out.pulls.push(judged);
    }

    /// Where the values of a credential's variables must come from: what is in a context, or in the
    /// project, nobody sees from here.
    fn needs(&self, credential: &RawCredential) -> Option<String> {
        let mut names: Vec<String> = [&credential.username, &credential.password]
            .into_iter()
            .flatten()
            .flat_map(|text| text.holes(&self.cx.holes))
            .filter(|hole| hole.kind == HoleKind::Variable)
            .map(|hole| format!("`{}`", hole.written))
            .collect();
        names.dedup();
        if names.is_empty() {
            return None;
        }
        let named = |contexts: &[String]| match contexts {
            [one] => format!("the context `{one}`"),
            many => format!("the contexts `{}`", many.join("`, `")),
        };
        let is = if names.len() == 1 {
            "is a variable"
        } else {
            "are variables"
        };
        let names = names.join(" and ");
        Some(match self.job.contexts.as_ref() {
            [] => return None,
            [only] if only.is_empty() => {
                format!("; it works if {names} {is} of the project: the job has no context")
            }
            [only] => format!(
                "; it works if {names} {is} of {} or of the project",
                named(only)
            ),
            several => {
                let all: Vec<String> = several
                    .iter()
                    .map(|contexts| match contexts.as_slice() {
                        [] => "no context".to_owned(),
                        contexts => named(contexts),
                    })
                    .collect();
                format!(
                    "; it works if {names} {is} of the project or of what each workflow gives the job: {}",
                    all.join("; ")
                )
            }
        })
    }

    fn unresolved(&self, image: &Text) -> String {
        let (mut of_run, mut outside): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for hole in image.holes(&self.cx.holes) {
            let names = if is_made_by_the_run(&hole) {
                &mut of_run
            } else {
                &mut outside
            };
            let name = format!("`{}`", hole.written);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let is_or_are = |names: &[String]| if names.len() == 1 { "is" } else { "are" };
        let of_run = (!of_run.is_empty()).then(|| {
            let are = is_or_are(&of_run);
            let names = of_run.join(" and ");
            format!("{names}, which {are} known only when the job runs")
        });
        let outside = (!outside.is_empty()).then(|| {
            let (are, s) = (
                is_or_are(&outside),
                if outside.len() == 1 { "" } else { "s" },
            );
            let names = outside.join(" and ");
            format!("{names}, whose value{s} {are} not in this repository")
        });
        match (outside, of_run) {
            (None, None) => "the image cannot be known".to_owned(),
            (Some(one), None) | (None, Some(one)) => format!("the image depends on {one}"),
            (Some(one), Some(other)) => format!("the image depends on {one}, and on {other}"),
        }
    }

    fn judge_declared(&self, judged: &mut Judged, declared: &Declared) {
        match declared {
            Declared::Credential {
                username,
                password,
                span,
                sometimes_empty,
            } => {
                judged.decided_by = Some(*span);
                if username.is_empty() || password.is_empty() {
                    let missing = if username.is_empty() {
                        "user name"
                    } else {
                        "password"
                    };
                    judged.auth = Auth::Anonymous;
                    judged.cause = Cause::NoCredential;
                    judged.reason =
                        format!("the credential given with this image has no {missing}");
                    return;
                }
                judged.credential = Some(RawCredential {
                    username: Some(username.clone()),
                    password: Some(password.clone()),
                });
                if *sometimes_empty {
                    judged.auth = Auth::Conditional;
                    judged.cause = Cause::SometimesEmpty;
                    "the credential given with this image is empty in some runs"
                        .clone_into(&mut judged.reason);
                } else {
                    judged.auth = Auth::Authenticated;
                    judged.cause = Cause::Fine;
                    "a credential is given with this image".clone_into(&mut judged.reason);
                }
            }
            Declared::Aws(span) => {
                judged.decided_by = Some(*span);
                judged.auth = Auth::Anonymous;
                judged.cause = Cause::OtherRegistry;
                "`aws_auth` signs in to Amazon ECR, and this image is on Docker Hub"
                    .clone_into(&mut judged.reason);
            }
            Declared::NoSyntax(why) => {
                judged.auth = Auth::Impossible;
                judged.cause = Cause::NoSyntax;
                (*why).clone_into(&mut judged.reason);
            }
            Declared::Unknown(why) => judged.reason.clone_from(why),
            Declared::None if self.job.platform_credential => {
                judged.auth = Auth::Platform;
                judged.cause = Cause::Vendor;
                "no `auth` on this image, so CircleCI pulls it with a credential of its own"
                    .clone_into(&mut judged.reason);
            }
            Declared::None => {
                judged.auth = Auth::Anonymous;
                judged.cause = Cause::NoCredential;
                let key = if self.job.provider == crate::effect::Provider::GitHub {
                    "credentials"
                } else {
                    "auth"
                };
                judged.reason = format!(
                    "no `{key}` on this image, and it is pulled before any step could sign in"
                );
            }
        }
    }

    /// What is pulled cannot be known; as whom, if it comes from Docker Hub, can be where a login stands
    /// before it.
    fn judge_unknown(&self, judged: &mut Judged, effect: &Effect, stores: Option<&[Store]>) {
        let login = self.active.iter().rev().find(|l| {
            l.is_to_hub(None)
                && l.logged_out.is_none()
                && l.broken.is_none()
                && stores.is_none_or(|stores| stores.contains(l.store))
                && covers(&l.effect.guards, &effect.guards)
        });
        if let Some(login) = login {
            judged.cause = Cause::Fine;
            judged.reason.push_str("; ");
            judged.reason.push_str(login.how);
            judged
                .reason
                .push_str(" signs in to Docker Hub before it, whatever it is");
            judged.decided_by = Some(login.effect.span);
            judged.credential = Some(login.credential.clone());
        }
    }

    fn judge_client(
        &mut self,
        judged: &mut Judged,
        effect: &'j Effect,
        declared: &Declared,
        stores: &[Store],
        (client, name): (Client, Option<&'static str>),
    ) {
        if *declared != Declared::None {
            self.judge_declared(judged, declared);
            return;
        }
        let guards = &effect.guards;
        let readable = |l: &Active<'_>| stores.contains(l.store);
        let hub = |l: &Active<'_>| l.is_found_by(client, name);
        let in_force: Vec<&Active<'j>> = self
            .active
            .iter()
            .filter(|l| {
                l.logged_out.is_none() && !excludes(&l.effect.guards, guards) && readable(l)
            })
            .collect();
        let good: Vec<&Active<'j>> = in_force
            .iter()
            .copied()
            .filter(|l| hub(l) && l.broken.is_none())
            .collect();
        let cases = good.iter().map(|l| {
            l.effect
                .guards
                .iter()
                .filter(|g| !g.with_secrets && !implies(guards, g))
                .cloned()
                .collect()
        });
        let used: Vec<usize> = in_force
            .iter()
            .filter(|l| l.registry.is_none() || hub(l))
            .map(|l| l.seen)
            .collect();

        if let Some(login) = good
            .iter()
            .rev()
            .find(|l| covers(&l.effect.guards, guards))
            .or_else(|| good.last().filter(|_| exhaustive(cases.collect())))
        {
            judged.auth = Auth::Authenticated;
            judged.cause = Cause::Fine;
            let where_it_can = login
                .effect
                .guards
                .iter()
                .any(|g| g.with_secrets && !implies(guards, g));
            let rest = if where_it_can {
                ", in every run that gets the secrets"
            } else {
                ""
            };
            judged.reason = [login.how, " signs in to Docker Hub before it", rest].concat();
            judged.decided_by = Some(login.effect.span);
            judged.credential = Some(login.credential.clone());
        } else if let Some(login) = in_force
            .iter()
            .rev()
            .find(|l| l.registry.is_none() && covers(&l.effect.guards, guards))
        {
            judged.reason = format!(
                "{} signs in before it, and whether to Docker Hub cannot be known",
                login.how
            );
            judged.decided_by = Some(login.effect.span);
        } else if let Some(login) = good.last() {
            judged.auth = Auth::Conditional;
            judged.cause = Cause::LoginConditional;
            let condition = login
                .effect
                .guards
                .iter()
                .find(|g| !g.with_secrets && !implies(guards, g));
            judged.reason = match condition {
                Some(g) if g.holds => format!(
                    "{} signs in only when `{}`",
                    login.how,
                    self.cx.holes.show(&g.text)
                ),
                Some(g) => format!(
                    "{} signs in only when not `{}`",
                    login.how,
                    self.cx.holes.show(&g.text)
                ),
                None => format!("{} signs in on some paths only", login.how),
            };
            judged.decided_by = Some(login.effect.span);
            judged.credential = Some(login.credential.clone());
        } else {
            judged.auth = Auth::Anonymous;
            match client.looks_for(name) {
                None => self.explain_anonymous(judged, effect, stores),
                Some(name) => {
                    judged.cause = Cause::OtherName;
                    judged.reason = format!(
                        "the client looks for a credential of `{name}`, and nothing signs in to Docker Hub by that name"
                    );
                }
            }
        }
        for seen in used {
            if let Some(seen) = self.out.logins.get_mut(seen) {
                seen.used = true;
            }
        }
    }

    /// Nothing authenticates the pull: says what came nearest to it.
    fn explain_anonymous(&self, judged: &mut Judged, effect: &Effect, stores: &[Store]) {
        let hub = |l: &&Active<'_>| l.is_to_hub(None);
        let readable = |l: &&Active<'_>| stores.contains(l.store);
        let compatible = |l: &&Active<'_>| !excludes(&l.effect.guards, &effect.guards);
        let near =
            |found: Option<&Active<'_>>, cause: Cause, say: &dyn Fn(&Active<'_>) -> String| {
                found.map(|l| (cause, say(l), Some(l.logged_out.unwrap_or(l.effect.span))))
            };
        let found = near(
            self.active
                .iter()
                .filter(hub)
                .filter(readable)
                .filter(compatible)
                .rfind(|l| l.broken.is_some() && l.logged_out.is_none()),
            Cause::LoginBroken,
            &|l| {
                format!(
                    "{} stands before it and cannot work: {}",
                    l.how,
                    l.broken.unwrap_or_default()
                )
            },
        )
        .or_else(|| {
            near(
                self.active
                    .iter()
                    .filter(hub)
                    .filter(readable)
                    .rfind(|l| l.logged_out.is_some()),
                Cause::LoggedOut,
                &|l| {
                    format!(
                        "{} signed in to Docker Hub, and a logout followed before this pull",
                        l.how
                    )
                },
            )
        })
        .or_else(|| self.later_login(effect, stores))
        .or_else(|| {
            near(
                self.active
                    .iter()
                    .filter(hub)
                    .filter(compatible)
                    .rfind(|l| !readable(l)),
                Cause::OtherStore,
                &|l| {
                    format!(
                        "{} signs in, and keeps the credential where this command does not look",
                        l.how
                    )
                },
            )
        })
        .or_else(|| {
            near(
                self.active
                    .iter()
                    .filter(readable)
                    .filter(compatible)
                    .rfind(|l| l.registry.is_some() && !hub(l)),
                Cause::OtherRegistry,
                &|l| {
                    if let Some(name) = l.other_name {
                        return format!(
                            "{} signs in to `{name}`, and a client looks for that only where an image is named so",
                            l.how
                        );
                    }
                    let registry = l.registry.as_deref().unwrap_or_default();
                    let registry = self.cx.holes.show(registry);
                    // What is told in words is no name of a host.
                    let registry = match registry.split_once("'s .") {
                        Some((whose, host)) => format!("{whose}'s registry at `{host}`"),
                        None => format!("`{registry}`"),
                    };
                    format!("{} signs in to {registry}, not to Docker Hub", l.how)
                },
            )
        });
        (judged.cause, judged.reason, judged.decided_by) = found.unwrap_or_else(|| {
            (
                Cause::NoLogin,
                "nothing signs in to Docker Hub before it in this job".to_owned(),
                None,
            )
        });
    }

    fn later_login(
        &self,
        effect: &Effect,
        stores: &[Store],
    ) -> Option<(Cause, String, Option<Span>)> {
        if self.logins_left == 0 {
            return None;
        }
        let here = self
            .job
            .effects
            .iter()
            .position(|e| std::ptr::eq(e, effect))?;
        let login = self.job.effects.get(here..)?.iter().find(|e| {
            matches!(&e.kind, Kind::Login { registry, store, broken: None, .. }
                if registry_of(registry).as_deref() == Some(DOCKER_HUB)
                    && other_name_of_hub(registry.as_str()).is_none()
                    && stores.contains(store))
        })?;
        let Kind::Login { how, .. } = &login.kind else {
            return None;
        };
        Some((
            Cause::LoginLater,
            format!("{how} signs in to Docker Hub only after it"),
            Some(login.span),
        ))
    }
}

#[cfg(test)]
mod tests;
