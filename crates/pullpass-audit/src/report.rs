//! From jobs to the audit of a repository: judged pulls get their places, the runs of one job are
//! put together, rules look at the result, policy and silencing are applied, secrets are masked.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::archive::Archives;
use crate::context::Context;
use crate::editable;
use crate::effect::{Effect, Job, Kind, Trace, proves_docker};
use crate::finding::{Audit, Finding, Fixable, Literal, Policy};
use crate::interpret::{Judged, RawCredential, interpret};
use crate::masked;
use crate::rules::{self, Seen};
use crate::silence;
use crate::source::{FileId, RepoPath, Span};
use crate::text::Text;
use crate::verdict::{Auth, Cause, Credential, Login, Place, Pull, Reach, TraceStep};

/// Characters of a line that are kept for an excerpt.
const EXCERPT: usize = 400;

/// Pulls that there is room for from the beginning, at most.
const USUAL: usize = 256;

/// Builds the audit of one repository.
#[must_use]
pub fn report(cx: &Context<'_>, jobs: &[Job], files: usize, policy: &Policy) -> Audit {
    let archives = Archives::of(jobs);
    let is_pull = |effect: &&Effect| matches!(effect.kind, Kind::Pull { .. } | Kind::Opaque { .. });
    let effects = jobs.iter().flat_map(|job| &job.effects);
    let room = effects.filter(is_pull).count().min(USUAL);
    let mut build = Build {
        archives: &archives,
        places: Places {
            cx,
            names: HashMap::new(),
            known: HashMap::with_capacity(room),
            notes: HashMap::new(),
        },
        pulls: Vec::with_capacity(room),
        origins: Vec::with_capacity(room),
        known: HashTable::with_capacity(room),
        hasher: DefaultHashBuilder::default(),
        runs: 0,
        logins: Vec::new(),
        literals: Vec::new(),
    };
    for job in jobs {
        build.job(job);
    }
    let Build {
        mut places,
        mut pulls,
        mut logins,
        literals,
        ..
    } = build;
    editable::judge(cx, jobs, &mut pulls, &logins);
    let unused = cx.take_unused().into_iter();
    let mut unused: Vec<_> = unused.map(|(span, name)| (places.of(span), name)).collect();
    // No literal secret leaves the crate: not in an excerpt, not in the name of a step. What rules say is made of
    // these. Names of images are left to them as they are, since a password may be part of one by chance.
    let mut mask = Mask::new(&literals, places.known.len() + places.notes.len());
    for pull in &mut pulls {
        mask.story(pull);
    }
    let of_logins = logins.iter_mut().map(|login| &mut login.place);
    for place in of_logins.chain(unused.iter_mut().map(|(place, _)| place)) {
        mask.arc(&mut place.text);
    }
    let seen = Seen {
        pulls: &pulls,
        logins: &logins,
        unused,
        policy,
    };
    let mut found = rules::check(&seen, |image| mask.hidden(image));
    let latent: Vec<Finding> = found.extract_if(.., |f| !f.reached).collect();
    let (mut findings, silenced) = silence::apply(cx, found, policy);
    let (mut latent, _) = silence::apply(cx, latent, policy);
    let (mut unread, unlisted) = cx.take_notes();
    for finding in findings.iter_mut().chain(&mut latent) {
        mask.finding(finding);
    }
    for pull in &mut pulls {
        let names = [&mut pull.image, &mut pull.reference].into_iter().flatten();
        names.for_each(|name| mask.string(name));
    }
    for unread in &mut unread {
        mask.string(&mut unread.message);
    }
    let mut audit = Audit {
        files,
        pulls,
        logins,
        findings,
        latent,
        silenced,
        unread,
        unlisted,
        literals,
    };
    // After masking: half of a secret would not be recognised.
    shorten(&mut audit);
    audit
}

struct Places<'c> {
    cx: &'c Context<'c>,
    names: HashMap<FileId, Arc<str>>,
    /// The places so far: the pulls of a job have most of their stories in common.
    known: HashMap<Span, Place>,
    /// What is said of their steps, by where that is in memory, which the jobs keep.
    notes: HashMap<usize, Arc<str>>,
}

impl Places<'_> {
    fn name(&mut self, file: FileId) -> Arc<str> {
        let cx = self.cx;
        Arc::clone(
            self.names
                .entry(file)
                .or_insert_with(|| cx.sources.get(file).path.as_str().into()),
        )
    }

    fn of(&mut self, span: Span) -> Place {
        if let Some(known) = self.known.get(&span) {
            return known.clone();
        }
        let place = self.find(span);
        self.known.insert(span, place.clone());
        place
    }

    /// What is said of a step.
    fn note(&mut self, note: &Rc<str>) -> Arc<str> {
        let cx = self.cx;
        let known = self.notes.entry(Rc::as_ptr(note).addr());
        Arc::clone(known.or_insert_with(|| cx.holes.shown(note).into()))
    }

    /// A story, oldest step first.
    fn story(&mut self, trace: &Trace) -> Vec<TraceStep> {
        let mut steps = Vec::with_capacity(trace.back().count());
        for (span, note) in trace.back() {
            let (place, note) = (self.of(span), self.note(note));
            steps.push(TraceStep { place, note });
        }
        steps.reverse();
        steps
    }

    fn find(&mut self, span: Span) -> Place {
        let source = self.cx.sources.get(span.file);
        let (from, to, line) = source.seen(span);
        // A line of fewer bytes has fewer characters.
        let cut = (line.len() > EXCERPT)
            .then(|| line.char_indices().nth(EXCERPT))
            .flatten();
        let text: Arc<str> = match cut {
            Some((cut, _)) => line.get(..cut).unwrap_or("").into(),
            None => line.into(),
        };
        Place {
            file: self.name(span.file),
            line: from.line,
            column: from.column,
            end_line: to.line,
            end_column: to.column,
            start: span.start,
            end: span.end,
            text,
        }
    }
}

/// Where a pull comes from, and which run of a job was the last to make it.
struct Origin {
    job_file: FileId,
    span: Span,
    run: usize,
}

struct Build<'c> {
    places: Places<'c>,
    archives: &'c Archives,
    pulls: Vec<Pull>,
    /// Of each of `pulls`.
    origins: Vec<Origin>,
    /// Numbers of pulls, by what makes two of them the same entry: the place, the job and the image.
    known: HashTable<usize>,
    hasher: DefaultHashBuilder,
    /// Jobs so far.
    runs: usize,
    logins: Vec<Login>,
    literals: Vec<Literal>,
}

impl Build<'_> {
    fn job(&mut self, job: &Job) {
        let cx = self.places.cx;
        let judgement = interpret(cx, job, self.archives);
        let name: Arc<str> = job.name.as_ref().into();
        let job_file = self.places.name(job.file);
        // Two entries of one run at the same place (a loop, a script called twice) are one pull; two
        // runs of the job may disagree, and then the truth is "sometimes".
        self.runs += 1;
        for judged in judgement.pulls {
            let image = judged.image.as_ref().map(|i| cx.holes.show(i.as_str()));
            let span = judged.span;
            let hash = self
                .hasher
                .hash_one((job.file, &*name, span, image.as_deref()));
            let (origins, pulls) = (&self.origins, &self.pulls);
            let is_it = |&at: &usize| match (origins.get(at), pulls.get(at)) {
                (Some(origin), Some(pull)) => {
                    (origin.job_file, origin.span) == (job.file, span)
                        && pull.job == name
                        && pull.image == image
                }
                _ => false,
            };
            if let Some(&at) = self.known.find(hash, is_it) {
                let origin = self.origins.get_mut(at);
                let last = origin.map(|origin| std::mem::replace(&mut origin.run, self.runs));
                if last != Some(self.runs)
                    && let Some(pull) = self.pulls.get_mut(at)
                {
                    let other =
                        self.places
                            .pull(job, &job_file, &name, judged, image, &mut self.literals);
                    combine(pull, other);
                }
            } else {
                self.origins.push(Origin {
                    job_file: job.file,
                    span,
                    run: self.runs,
                });
                let (origins, pulls, hasher) = (&self.origins, &self.pulls, &self.hasher);
                self.known.insert_unique(hash, pulls.len(), |&at| {
                    let (origin, pull) = (origins.get(at), pulls.get(at));
                    let key = origin.zip(pull).map(|(origin, pull)| {
                        let image = pull.image.as_deref();
                        (origin.job_file, &*pull.job, origin.span, image)
                    });
                    key.map_or(0, |key| hasher.hash_one(key))
                });
                let pull =
                    self.places
                        .pull(job, &job_file, &name, judged, image, &mut self.literals);
                self.pulls.push(pull);
            }
        }
        for seen in judgement.logins {
            let Some(effect) = job.effects.get(seen.effect) else {
                continue;
            };
            let Kind::Login {
                username,
                password,
                how,
                broken,
                ..
            } = &effect.kind
            else {
                continue;
            };
            let raw = RawCredential {
                username: username.clone(),
                password: password.clone(),
            };
            let (credential, literal) = credential(cx, &raw, &mut self.literals);
            let secret = password
                .iter()
                .chain(username)
                .flat_map(|t| t.holes(&cx.holes))
                .any(|h| h.is_kept_from_forks());
            let login = Login {
                place: self.places.of(effect.span),
                provider: job.provider,
                job_file: Arc::clone(&job_file),
                job: Arc::clone(&name),
                registry: seen.registry.map(|r| cx.holes.show(&r)),
                how: how.as_ref().into(),
                credential,
                literal,
                used: seen.used,
                pushed: seen.pushed,
                broken: broken.as_deref().map(Into::into),
                forks: job.forks,
                conditional: !effect.guards.is_empty(),
                by_event: editable::is_about_events(&effect.guards),
                secret,
            };
            match self.logins.iter_mut().rev().find(|l| {
                l.place == login.place && l.job == login.job && l.job_file == login.job_file
            }) {
                Some(known) => {
                    known.used |= login.used;
                    known.pushed |= login.pushed;
                }
                None => self.logins.push(login),
            }
        }
    }
}

impl Places<'_> {
    fn pull(
        &mut self,
        job: &Job,
        job_file: &Arc<str>,
        name: &Arc<str>,
        judged: Judged,
        image: Option<String>,
        literals: &mut Vec<Literal>,
    ) -> Pull {
        let cx = self.cx;
        let effect = job.effects.get(judged.effect);
        let show = |text: &str| cx.holes.show(text);
        Pull {
            place: self.of(judged.span),
            provider: job.provider,
            job_file: Arc::clone(job_file),
            job: Arc::clone(name),
            step: effect.map_or_else(Default::default, |e| self.note(&e.step)),
            by: judged.by,
            image,
            reference: judged
                .reference
                .as_ref()
                .and_then(crate::reference::Reference::canonical),
            registry: judged.reference.as_ref().map(|r| show(&r.registry)),
            auth: judged.auth,
            cause: judged.cause,
            decided_by: judged.decided_by.map(|span| self.of(span)),
            credential: judged
                .credential
                .map(|raw| credential(cx, &raw, literals).0),
            reason: judged.reason,
            trace: effect.map_or_else(Vec::new, |e| self.story(&e.trace)),
            runner: job.runner,
            by_host: judged.by_host,
            has_slot: effect.is_some_and(|e| e.slot.is_some()),
            edit: match effect {
                Some(effect) if judged.by_host => editable::of_host(cx, effect),
                Some(effect) => editable::of_effect(cx, job, effect),
                None => Fixable::Safe,
            },
            certain: effect.is_some_and(editable::is_certain),
            proves_docker: effect.is_some_and(proves_docker),
            reach: effect.map_or(Reach::Job, Reach::of),
            forks: job.forks,
            reached: job.reached,
        }
    }
}

/// The credential in the words of the file, and whether its password is written there.
fn credential(
    cx: &Context<'_>,
    raw: &RawCredential,
    literals: &mut Vec<Literal>,
) -> (Credential, bool) {
    let show = |text: &Text| cx.holes.show(text.as_str());
    let mut literal = false;
    let password = raw
        .password
        .as_ref()
        .filter(|p| !p.is_empty())
        .map(|password| {
            if password.is_one_hole() {
                return show(password);
            }
            // Whatever of it is written out is secret, also when a part comes from elsewhere.
            literal = password.is_known();
            literals.extend(
                password
                    .as_str()
                    .split(crate::text::is_hole)
                    .filter(|part| part.len() > 2)
                    .map(Literal::new),
            );
            Credential::REDACTED.to_owned()
        });
    (
        Credential {
            username: raw.username.as_ref().map(show).filter(|u| !u.is_empty()),
            password,
        },
        literal,
    )
}

/// Puts together what two runs of one job say of the same pull.
fn combine(pull: &mut Pull, other: Pull) {
    let edit = pull.edit.and(other.edit);
    combine_verdicts(pull, other);
    pull.edit = edit;
}

fn combine_verdicts(pull: &mut Pull, other: Pull) {
    if pull.auth == other.auth {
        return;
    }
    let good = |a: Auth| matches!(a, Auth::Authenticated | Auth::Platform);
    let bad = |a: Auth| matches!(a, Auth::Anonymous | Auth::Conditional);
    if good(pull.auth) && bad(other.auth) || bad(pull.auth) && good(other.auth) {
        let (fine, poor) = if good(pull.auth) {
            (&*pull, &other)
        } else {
            (&other, &*pull)
        };
        let mut merged = poor.clone();
        merged.auth = Auth::Conditional;
        if poor.auth == Auth::Anonymous {
            merged.cause = Cause::LoginConditional;
            merged.reason = format!(
                "authenticated in some runs of this job only; in the others {}",
                poor.reason
            );
        }
        merged.credential.clone_from(&fine.credential);
        merged.decided_by = fine.decided_by.clone().or(merged.decided_by);
        *pull = merged;
    } else if worse(other.auth) > worse(pull.auth) {
        *pull = other;
    }
}

fn worse(auth: Auth) -> u8 {
    match auth {
        Auth::NotApplicable => 0,
        Auth::Authenticated => 1,
        Auth::Platform => 2,
        Auth::Unknown => 3,
        Auth::Conditional => 4,
        Auth::Impossible => 5,
        Auth::Anonymous => 6,
    }
}

/// Leaves secrets out of texts. Lines and notes belong to many pulls, and each is looked through once.
struct Mask<'l> {
    literals: &'l [Literal],
    /// Texts by where they are in memory, which is theirs while they are kept here, with what is shown of them.
    known: HashMap<usize, (Arc<str>, Arc<str>)>,
}

impl<'l> Mask<'l> {
    fn new(literals: &'l [Literal], room: usize) -> Self {
        Self {
            literals,
            known: HashMap::with_capacity(room),
        }
    }

    fn hidden(&self, text: &str) -> Option<String> {
        let hidden = Literal::hidden(self.literals, text);
        match masked::in_usual_places(hidden.as_deref().unwrap_or(text)) {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => hidden,
        }
    }

    fn string(&self, text: &mut String) {
        if let Some(hidden) = self.hidden(text) {
            *text = hidden;
        }
    }

    fn arc(&mut self, text: &mut Arc<str>) {
        let at = Arc::as_ptr(text).addr();
        if !self.known.contains_key(&at) {
            let hidden = self.hidden(text);
            let shown = hidden.map_or_else(|| Arc::clone(text), Arc::from);
            self.known.insert(at, (Arc::clone(text), shown));
        }
        if let Some((_, shown)) = self.known.get(&at)
            && !Arc::ptr_eq(shown, text)
        {
            *text = Arc::clone(shown);
        }
    }

    /// The story of a pull.
    fn story(&mut self, pull: &mut Pull) {
        self.arc(&mut pull.place.text);
        self.arc(&mut pull.step);
        self.string(&mut pull.reason);
        if let Some(place) = &mut pull.decided_by {
            self.arc(&mut place.text);
        }
        for step in &mut pull.trace {
            self.arc(&mut step.place.text);
            self.arc(&mut step.note);
        }
    }

    /// What a rule says; the places that it names were looked through before.
    fn finding(&mut self, finding: &mut Finding) {
        self.string(&mut finding.message);
        finding
            .image
            .iter_mut()
            .for_each(|image| self.string(image));
        // The others are the same in every repository.
        if let Cow::Owned(help) = &mut finding.help {
            self.string(help);
        }
        for (_, note) in &mut finding.related {
            self.arc(note);
        }
    }
}

/// Characters of one text that are shown: an expression can be as long as a file, and a person reads
/// its beginning at most.
const LONGEST: usize = 1000;

fn shorten(audit: &mut Audit) {
    let string = |text: &mut String| {
        // A text of fewer bytes has fewer characters.
        if text.len() > LONGEST
            && let Some((end, _)) = text.char_indices().nth(LONGEST)
        {
            text.truncate(end);
            text.push('…');
        }
    };
    let arc = |text: &mut Arc<str>| {
        if text.len() > LONGEST {
            let mut shorter = text.to_string();
            string(&mut shorter);
            *text = shorter.into();
        }
    };
    for pull in &mut audit.pulls {
        pull.image.iter_mut().for_each(string);
        string(&mut pull.reason);
        arc(&mut pull.step);
    }
    for finding in audit.findings.iter_mut().chain(&mut audit.latent) {
        string(&mut finding.message);
        finding.image.iter_mut().for_each(string);
        finding.related.iter_mut().for_each(|(_, note)| arc(note));
    }
    for unread in &mut audit.unread {
        string(&mut unread.message);
    }
}

/// Whether a path under `.circleci/` or `.github/workflows/` can be a CI file, by its name.
#[must_use]
pub fn is_yaml(path: &RepoPath) -> bool {
    let name = path.name().as_bytes();
    let ends = |end: &[u8]| {
        name.len() > end.len()
            && name
                .get(name.len() - end.len()..)
                .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    ends(b".yml") || ends(b".yaml")
}
