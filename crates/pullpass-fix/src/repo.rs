//! A surveyed repository as a front end of `fix` sees it: its jobs with their effects, and for each
//! effect the verdict that the audit gave it.

use std::rc::Rc;

use hashbrown::HashMap;
use pullpass_audit::Survey;
use pullpass_audit::effect::{Effect, Job, Kind};
use pullpass_audit::finding::Audit;
use pullpass_audit::source::{RepoPath, Span};
use pullpass_audit::verdict::Reach;
use pullpass_audit::yaml::Document;

use crate::At;

/// Rules whose findings an edit can mend.
const MENDED: [&str; 7] = [
    "anonymous-pull",
    "login-after-pull",
    "login-cannot-work",
    "login-conditional",
    "orb-version-mismatch",
    "platform-credential",
    "service-without-credentials",
];

/// Why a login may fail where nothing is pulled.
pub(crate) const NO_DOCKER: &str =
    "everything it is for happens under a condition, so `docker` may not always be there";

/// Why it may fail where what pulls goes to the registry itself.
pub(crate) const OTHER_CLIENT: &str =
    "what pulls there does without `docker`, which may not be there to sign in with";

/// Jobs that findings are about, by place.
type Found<'a> = HashMap<(&'a str, u32, u32), Vec<&'a [String]>>;

/// The job, who pulls, the place, the image. By the file's path: one that a step writes is read anew
/// by each command, and has no text of its own on disk.
type Key = (String, &'static str, RepoPath, u32, u32, Option<String>);

/// A repository, its verdicts, and which of them are to be mended.
pub struct Repo<'s, 't> {
    /// What was read.
    pub survey: &'s Survey<'t>,
    /// What was said of it.
    pub audit: &'s Audit,
    wanted: Vec<bool>,
    stuck: Vec<bool>,
    index: HashMap<Key, usize>,
}

impl<'s, 't> Repo<'s, 't> {
    /// Puts effects and verdicts together.
    #[must_use]
    pub fn new(survey: &'s Survey<'t>, audit: &'s Audit) -> Self {
        // A pull is to be mended when a finding says so: policy and ignore comments have had their say.
        let mut found: Found<'_> = HashMap::new();
        let mut without: Found<'_> = HashMap::new();
        for finding in audit.findings.iter().chain(&audit.latent) {
            let of_rule = if MENDED.contains(&finding.rule) {
                &mut found
            } else if finding.rule == "cannot-authenticate" {
                &mut without
            } else {
                continue;
            };
            let place = &finding.place;
            of_rule
                .entry((&place.file, place.start, place.end))
                .or_default()
                .push(&finding.jobs);
        }
        let mut wanted = Vec::with_capacity(audit.pulls.len());
        let mut stuck = Vec::with_capacity(audit.pulls.len());
        let mut index = HashMap::new();
        for (number, pull) in audit.pulls.iter().enumerate() {
            use pullpass_audit::verdict::Auth::{Anonymous, Conditional, Platform};
            let bad = matches!(pull.auth, Anonymous | Conditional | Platform);
            let place = (&*pull.place.file, pull.place.start, pull.place.end);
            let named = |jobs: &&[String]| jobs.iter().any(|job| **job == *pull.job);
            wanted.push(bad && found.get(&place).is_some_and(|f| f.iter().any(named)));
            stuck.push(
                pull.auth == pullpass_audit::verdict::Auth::Impossible
                    && without.get(&place).is_some_and(|f| f.iter().any(named)),
            );
            if let Some(path) = RepoPath::new(&pull.place.file) {
                let job = format!("{}\n{}", pull.job_file, pull.job);
                let (start, end) = (pull.place.start, pull.place.end);
                let key = (job, pull.by.name(), path, start, end, pull.image.clone());
                index.insert(key, number);
            }
        }
        Self {
            survey,
            audit,
            wanted,
            stuck,
            index,
        }
    }

    /// Whether nothing is to be mended and nothing to be said.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        !self.wanted.contains(&true) && !self.stuck.contains(&true)
    }

    /// Whether this pull is anonymous, and no syntax could make it otherwise.
    #[must_use]
    pub fn stuck(&self, pull: usize) -> bool {
        self.stuck.get(pull).copied().unwrap_or(false)
    }

    /// Whether this pull is to be mended.
    #[must_use]
    pub fn wanted(&self, pull: usize) -> bool {
        self.wanted.get(pull).copied().unwrap_or(false)
    }

    /// The number of the verdict that this effect of the job was given; none for what is no pull
    /// after all (the image was built in the job) and for what is no pull at all.
    #[must_use]
    pub fn pull(&self, job: &Job, effect: &Effect) -> Option<usize> {
        let cx = &self.survey.cx;
        let (by, image) = match &effect.kind {
            Kind::Pull { by, image, .. } => (by, Some(cx.holes.show(image.as_str()))),
            Kind::Opaque { by, .. } => (by, None),
            _ => return None,
        };
        let file = cx.sources.get(job.file);
        let job = format!("{}\n{}", file.path, job.name);
        let span = effect.span;
        let path = cx.sources.get(span.file).path.clone();
        let key = (job, by.name(), path, span.start, span.end, image);
        self.index.get(&key).copied()
    }

    /// The file that this job is written in, parsed.
    #[must_use]
    pub fn document(&self, job: &Job) -> Option<Rc<Document>> {
        let source = self.survey.cx.sources.get(job.file);
        self.survey.cx.yaml(&source.path)
    }

    /// A place for the person.
    #[must_use]
    pub fn at(&self, span: Span) -> At {
        let source = self.survey.cx.sources.get(span.file);
        At {
            file: source.path.as_str().to_owned(),
            line: source.position(span.start).line,
        }
    }
}

/// Whether a client pulls that looks for the superuser's credentials.
pub(crate) fn is_as_root(effect: &Effect) -> bool {
    Reach::of(effect) == Reach::Root
}
