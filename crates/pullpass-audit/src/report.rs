//! From jobs to the audit of a repository: judged pulls get their places, the runs of one job are
//! put together, rules look at the result, policy and silencing are applied, secrets are masked.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::archive::Archives;
use crate::context::Context;
use crate::editable;
use crate::effect::{Effect, Job, Kind};
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
        logins,
        literals,
        ..
    } = build;
    editable::judge(cx, jobs, &mut pulls, &logins);
    let unused = cx
        .take_unused()
        .into_iter()
        .map(|(span, name)| (places.of(span), name))
        .collect();
    let seen = Seen {
        pulls: &pulls,
        logins: &logins,
        unused,
        policy,
    };
    let mut found = rules::check(&seen);
    let latent: Vec<Finding> = found.extract_if(.., |f| !f.reached).collect();
    let (findings, silenced) = silence::apply(cx, found, policy);
    let (latent, _) = silence::apply(cx, latent, policy);
    let (unread, unlisted) = cx.take_notes();
    let mut audit = Audit {
        files,
        pulls,
        logins,
        findings,
        latent,
        silenced,
        unread,
        unlisted,
        literals: Vec::new(),
    };
    mask(&mut audit, &literals);
    audit.literals = literals;
    // After masking: half of a secret would not be recognised.
    shorten(&mut audit);
    audit
}

struct Places<'c> {
    cx: &'c Context<'c>,
    names: HashMap<FileId, Arc<str>>,
    /// The places so far: the pulls of a job have most of their stories in common.
    known: HashMap<Span, Place>,
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

    fn find(&mut self, span: Span) -> Place {
        let source = self.cx.sources.get(span.file);
        let from = source.position(span.start);
        let to = source.position(span.end.max(span.start));
        let line = source.line_at(span.start);
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
        let trace = effect.map(|e| e.trace.steps()).unwrap_or_default();
        let show = |text: &str| cx.holes.show(text);
        Pull {
            place: self.of(judged.span),
            provider: job.provider,
            job_file: Arc::clone(job_file),
            job: Arc::clone(name),
            step: effect.map_or_else(Default::default, |e| cx.holes.shown(&e.step).into()),
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
            trace: trace
                .into_iter()
                .map(|(span, note)| TraceStep {
                    place: self.of(span),
                    note: cx.holes.shown(&note).into(),
                })
                .collect(),
            runner: job.runner,
            by_host: judged.by_host,
            has_slot: effect.is_some_and(|e| e.slot.is_some()),
            edit: match effect {
                Some(effect) if !judged.by_host => editable::of_effect(cx, job, effect),
                _ => Fixable::Safe,
            },
            certain: effect.is_some_and(editable::is_certain),
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

/// No literal secret leaves the crate: not in an excerpt, not in the name of a step.
fn mask(audit: &mut Audit, literals: &[Literal]) {
    let hide = |text: &str| {
        let hidden = Literal::hidden(literals, text);
        match masked::in_usual_places(hidden.as_deref().unwrap_or(text)) {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => hidden,
        }
    };
    let arc = |text: &mut Arc<str>| {
        if let Some(hidden) = hide(text) {
            *text = hidden.into();
        }
    };
    let string = |text: &mut String| {
        if let Some(hidden) = hide(text) {
            *text = hidden;
        }
    };
    for pull in &mut audit.pulls {
        arc(&mut pull.place.text);
        arc(&mut pull.step);
        string(&mut pull.reason);
        pull.decided_by.iter_mut().for_each(|p| arc(&mut p.text));
        for step in &mut pull.trace {
            arc(&mut step.place.text);
            arc(&mut step.note);
        }
        for part in [&mut pull.image, &mut pull.reference].into_iter().flatten() {
            string(part);
        }
    }
    for login in &mut audit.logins {
        arc(&mut login.place.text);
    }
    for Finding {
        place,
        message,
        help,
        related,
        ..
    } in audit.findings.iter_mut().chain(&mut audit.latent)
    {
        arc(&mut place.text);
        string(message);
        if let Some(hidden) = hide(help) {
            *help = hidden.into();
        }
        for (place, note) in related {
            arc(&mut place.text);
            arc(note);
        }
    }
    for unread in &mut audit.unread {
        string(&mut unread.message);
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
