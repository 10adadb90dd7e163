//! From proposed changes to a plan: edits are put together, checked, and whatever does not pass is
//! dropped with its reason.
//!
//! Three checks, on every run, before anything is offered:
//!
//! 1. the edited file means what the old one means with the intended additions, and nothing else;
//! 2. a second `fix` of the edited repository has nothing to do;
//! 3. a second audit finds every pull that was claimed as it was claimed, and no pull worse.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hashbrown::HashMap;
use pullpass_audit::Survey;
use pullpass_audit::context::{Options, Unread};
use pullpass_audit::finding::{Audit, Literal, Policy};
use pullpass_audit::source::{MemoryTree, ReadError, RepoPath, Sources, Tree};
use pullpass_audit::verdict::{Auth, Pull};
use pullpass_audit::yaml::Document;

use crate::edit::Edits;
use crate::generated;
use crate::meaning::{self, Intent};
use crate::repo::Repo;
use crate::{At, Change, FixOptions, Left, Needs, Proposal, Safety, circleci, github};

/// What of a repository is fixed.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'p> {
    /// All of its CI files.
    Repository,
    /// One file, with the repository around it.
    File(&'p RepoPath),
}

/// A file before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEdit {
    /// The file.
    pub path: RepoPath,
    /// Its text as it is.
    pub before: String,
    /// Its text as it would be.
    pub after: String,
}

/// A pull in a report.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mended {
    /// Where the image, or the command that pulls it, is written.
    pub at: At,
    /// The job.
    pub job: String,
    /// The image; empty when not even that is known.
    pub image: String,
    /// As whom it was pulled, in the words of the audit.
    pub was: &'static str,
}

/// A change, for reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// What it does.
    pub summary: String,
    /// Where.
    pub at: At,
    /// Whether it can fail a build.
    pub safety: Safety,
    /// Why a person should look at it.
    pub why: String,
    /// What a build does that gets no secrets; empty when there is none.
    pub note: String,
    /// The pulls it mends.
    pub pulls: Vec<Mended>,
}

/// A pull that is not mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotMended {
    /// The pull.
    pub pull: Mended,
    /// Why, and what a person can do.
    pub reason: String,
}

/// A check that failed; nothing is changed in these files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The files.
    pub files: Vec<String>,
    /// The check, in a few words.
    pub check: &'static str,
    /// What it found.
    pub why: String,
}

/// What `fix` would do to one repository.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// The files that change: all of them together, or none.
    pub files: Vec<FileEdit>,
    /// The changes that are in them.
    pub done: Vec<Done>,
    /// Changes that a person should look at, and that were not asked for.
    pub withheld: Vec<Done>,
    /// Pulls that no change mends.
    pub left: Vec<NotMended>,
    /// What was dropped because a check failed.
    pub refused: Vec<Refused>,
    /// Variables and secrets that must exist first.
    pub needs: Vec<Needs>,
    /// CircleCI contexts that are named.
    pub contexts: Vec<String>,
    /// Files that could not be understood.
    pub unread: Vec<Unread>,
    /// Passwords that stand in the files, which no text that is shown may have.
    pub literals: Vec<Literal>,
}

/// Plans the edit of one repository. Writes nothing.
#[must_use]
pub fn fix(
    tree: &dyn Tree,
    scope: Scope<'_>,
    options: &Options,
    policy: &Policy,
    wishes: &FixOptions,
) -> Plan {
    let survey = look(tree, scope, options);
    let audit = survey.audit(policy);
    let repo = Repo::new(&survey, &audit);
    let mut plan = Plan {
        unread: audit.unread.clone(),
        literals: audit.literals.clone(),
        ..Plan::default()
    };
    if repo.is_fine() {
        return plan;
    }
    let proposal = propose(&repo, scope, wishes);
    let (mut chosen, withheld): (Vec<Change>, Vec<Change>) = proposal
        .changes
        .into_iter()
        .partition(|change| wishes.review || change.safety == Safety::Safe);

    let mut reasons: HashMap<usize, String> = HashMap::new();
    for left in proposal.left {
        reasons.entry(left.pull).or_insert(left.reason);
    }
    let checks = Checks {
        tree,
        scope,
        options,
        policy,
        wishes,
        repo: &repo,
    };
    let files = checks.settle(&mut chosen, &mut reasons, &mut plan.refused);
    plan.files = files;
    for change in &chosen {
        plan.needs.extend(change.needs.iter().cloned());
        plan.contexts.extend(change.contexts.iter().cloned());
    }
    plan.needs.sort();
    plan.needs.dedup();
    plan.contexts.sort();
    plan.contexts.dedup();
    let claimed: BTreeSet<usize> = chosen
        .iter()
        .chain(&withheld)
        .flat_map(|c| c.claims.iter().map(|claim| claim.pull))
        .collect();
    plan.done = chosen.iter().map(|c| done(&audit, c)).collect();
    plan.withheld = withheld.iter().map(|c| done(&audit, c)).collect();
    for (number, pull) in audit.pulls.iter().enumerate() {
        if (repo.wanted(number) || repo.stuck(number)) && !claimed.contains(&number) {
            let reason = reasons.remove(&number).unwrap_or_else(|| {
                format!(
                    "no edit is known that would authenticate it: {}",
                    pull.reason
                )
            });
            plan.left.push(NotMended {
                pull: mended(pull),
                reason,
            });
        }
    }
    plan
}

fn look<'t>(tree: &'t dyn Tree, scope: Scope<'_>, options: &'t Options) -> Survey<'t> {
    match scope {
        Scope::Repository => Survey::of_repository(tree, options),
        Scope::File(path) => Survey::of_file(tree, path, options),
    }
}

fn propose(repo: &Repo<'_, '_>, scope: Scope<'_>, wishes: &FixOptions) -> Proposal {
    let mut all = circleci::propose(repo, wishes);
    let more = github::propose(repo, wishes);
    all.changes.extend(more.changes);
    all.left.extend(more.left);
    leave(&mut all, |path| {
        let other = path.elsewhere()?;
        Some(format!("it takes an edit of `{other}`: run this there"))
    });
    generated::hold(repo, &mut all);
    if let Scope::File(file) = scope {
        leave(&mut all, |path| {
            let other = (path != file).then_some(path)?;
            Some(format!(
                "it takes an edit of `{other}` too: run this on the repository"
            ))
        });
    }
    all
}

/// Leaves the changes that would edit a file which is not to be edited for some reason.
fn leave(proposal: &mut Proposal, why_not: impl Fn(&RepoPath) -> Option<String>) {
    for change in std::mem::take(&mut proposal.changes) {
        let Some(reason) = change.parts.iter().find_map(|part| why_not(&part.path)) else {
            proposal.changes.push(change);
            continue;
        };
        for claim in &change.claims {
            proposal.left.push(Left {
                pull: claim.pull,
                reason: reason.clone(),
            });
        }
    }
}

fn mended(pull: &Pull) -> Mended {
    Mended {
        at: At {
            file: pull.place.file.to_string(),
            line: pull.place.line,
        },
        job: pull.job.to_string(),
        image: pull.image.clone().unwrap_or_default(),
        was: pull.auth.name(),
    }
}

fn done(audit: &Audit, change: &Change) -> Done {
    let mut pulls: Vec<Mended> = change
        .claims
        .iter()
        .filter_map(|claim| audit.pulls.get(claim.pull))
        .map(mended)
        .collect();
    pulls.sort();
    pulls.dedup();
    Done {
        summary: change.summary.clone(),
        at: change.at.clone(),
        safety: change.safety,
        why: change.why.clone(),
        note: change.note.clone(),
        pulls,
    }
}

enum Blame {
    Change(usize),
    Files(BTreeSet<RepoPath>),
}

struct Failed {
    check: &'static str,
    why: String,
    blame: Blame,
}

struct Checks<'a, 't> {
    tree: &'a dyn Tree,
    scope: Scope<'a>,
    options: &'a Options,
    policy: &'a Policy,
    wishes: &'a FixOptions,
    repo: &'a Repo<'a, 't>,
}

impl Checks<'_, '_> {
    /// Drops changes until the rest pass every check together. Gives the edited files; says of each dropped change what
    /// was found, and for each of its pulls why it is left.
    fn settle(
        &self,
        chosen: &mut Vec<Change>,
        reasons: &mut HashMap<usize, String>,
        refused: &mut Vec<Refused>,
    ) -> Vec<FileEdit> {
        let mut given_up: BTreeSet<usize> = BTreeSet::new();
        // Each round drops at least one change, so it ends.
        loop {
            let failed = match self.run(chosen, &given_up) {
                Ok(files) => return files,
                Err(failed) => failed,
            };
            let touched = |number: usize, change: &Change| match &failed.blame {
                Blame::Change(blamed) => number == *blamed,
                Blame::Files(files) => change.parts.iter().any(|p| files.contains(&p.path)),
            };
            let (mut dropped, mut kept) = (Vec::new(), Vec::new());
            for (number, change) in std::mem::take(chosen).into_iter().enumerate() {
                if touched(number, &change) {
                    dropped.push(change);
                } else {
                    kept.push(change);
                }
            }
            // Nobody is to blame: nothing can be offered.
            if dropped.is_empty() {
                dropped.append(&mut kept);
            }
            *chosen = kept;
            for claim in dropped.iter().flat_map(|c| &c.claims) {
                let reason = format!("the edit was dropped: {}", failed.why);
                reasons.insert(claim.pull, reason);
                given_up.insert(claim.pull);
            }
            let files: BTreeSet<String> = dropped
                .iter()
                .flat_map(|c| &c.parts)
                .map(|p| p.path.as_str().to_owned())
                .collect();
            refused.push(Refused {
                files: files.into_iter().collect(),
                check: failed.check,
                why: failed.why,
            });
        }
    }

    /// The edited files, when the changes pass every check together. For the pulls that were given up a second run
    /// proposes the same once more: that is no reason against the others.
    fn run(&self, changes: &[Change], given_up: &BTreeSet<usize>) -> Result<Vec<FileEdit>, Failed> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut edits: BTreeMap<RepoPath, (Edits, Vec<Intent>)> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            for part in &change.parts {
                let (of_file, intents) = edits.entry(part.path.clone()).or_default();
                of_file.add(&part.edits).map_err(|_| Failed {
                    check: "no two edits change the same bytes",
                    why: "another edit changes the same place".to_owned(),
                    blame: Blame::Change(number),
                })?;
                intents.extend(part.intents.iter().cloned());
            }
        }
        let mut files = Vec::new();
        for (path, (edits, intents)) in &edits {
            let file = self.meaning(path, edits, intents).map_err(|why| Failed {
                check: "the edited file means what was intended and nothing else",
                why,
                blame: Blame::Files([path.clone()].into()),
            })?;
            files.push(file);
        }
        let edited = Edited {
            tree: self.tree,
            before: &self.repo.survey.cx.sources,
            files: files
                .iter()
                .map(|f| (f.path.clone(), f.after.as_str()))
                .collect(),
        };
        let survey = look(&edited, self.scope, self.options);
        let audit = survey.audit(self.policy);
        let before = self.verdicts(changes, &audit)?;
        let again = Repo::new(&survey, &audit);
        if !again.is_fine() {
            let refused = |now: usize| before.get(&now).is_some_and(|b| given_up.contains(b));
            self.nothing_more(&again, &refused)?;
        }
        Ok(files)
    }

    fn meaning(
        &self,
        path: &RepoPath,
        edits: &Edits,
        intents: &[Intent],
    ) -> Result<FileEdit, String> {
        let cx = &self.repo.survey.cx;
        let source = cx.sources.load(path).map_err(|e| e.message)?;
        let before = cx
            .yaml(path)
            .ok_or_else(|| "the file is not YAML".to_owned())?;
        let after = edits
            .apply(&source.text)
            .ok_or_else(|| "an edit is not of this text".to_owned())?;
        let alone = MemoryTree::new().with(path.as_str(), after.as_bytes());
        let parsed = Sources::new(&alone)
            .load(path)
            .map_err(|e| e.message)
            .and_then(|s| {
                Document::parse(&s).map_err(|e| format!("not YAML any more: {}", e.message))
            })?;
        meaning::compare(&before, &parsed, intents)?;
        Ok(FileEdit {
            path: path.clone(),
            before: source.text.to_string(),
            after,
        })
    }

    /// Gives for each pull of the second audit its number in the first.
    fn verdicts(&self, changes: &[Change], after: &Audit) -> Result<HashMap<usize, usize>, Failed> {
        // Places move with the text; the order of a job's pulls of one image stays.
        let mut found: HashMap<Key<'_>, Vec<(usize, &Pull)>> = HashMap::new();
        for (number, pull) in after.pulls.iter().enumerate() {
            found.entry(key(pull)).or_default().push((number, pull));
        }
        for pulls in found.values_mut() {
            pulls.sort_by_key(|(_, p)| std::cmp::Reverse(p.place.start));
        }
        let mut numbers: HashMap<usize, usize> = HashMap::new();
        let mut claims: HashMap<usize, (usize, Auth)> = HashMap::new();
        for (number, change) in changes.iter().enumerate() {
            for claim in &change.claims {
                claims.insert(claim.pull, (number, claim.auth));
            }
        }
        let failed = |pull: &Pull, why: String, change: Option<usize>| {
            // A change that does not do what it claims is to blame alone. What makes another pull worse
            // is in the files of that pull's job, and more is not known.
            let job_file = || RepoPath::new(&pull.job_file).into_iter().collect();
            Failed {
                check: "a second audit finds the pulls as claimed and none worse",
                why,
                blame: change.map_or_else(|| Blame::Files(job_file()), Blame::Change),
            }
        };
        let mut before: Vec<(usize, &Pull)> = self.repo.audit.pulls.iter().enumerate().collect();
        before.sort_by_key(|(_, p)| p.place.start);
        for (number, pull) in before {
            let now = found.get_mut(&key(pull)).and_then(Vec::pop);
            let image = pull.image.as_deref().unwrap_or("an image");
            let claim = claims.get(&number).copied();
            let Some((now_number, now)) = now else {
                let why = format!("`{image}` in job `{}` would no longer be pulled", pull.job);
                return Err(failed(pull, why, claim.map(|(change, _)| change)));
            };
            numbers.insert(now_number, number);
            let (limit, becomes) = match claim {
                Some((_, auth)) => (auth, "would still be"),
                None => (pull.auth, "would become"),
            };
            if rank(now.auth) > rank(limit) {
                let why = format!(
                    "`{image}` in job `{}` {becomes} {}: {}",
                    pull.job,
                    now.auth.name(),
                    now.reason
                );
                return Err(failed(pull, why, claim.map(|(change, _)| change)));
            }
        }
        let new = found.into_values().flatten();
        if let Some((_, pull)) = new
            .into_iter()
            .find(|(_, p)| rank(p.auth) > rank(Auth::Authenticated))
        {
            let image = pull.image.as_deref().unwrap_or("an image");
            let why = format!("`{image}` would be pulled in job `{}`", pull.job);
            return Err(failed(pull, why, None));
        }
        Ok(numbers)
    }

    fn nothing_more(
        &self,
        again: &Repo<'_, '_>,
        refused: &dyn Fn(usize) -> bool,
    ) -> Result<(), Failed> {
        let second = propose(again, self.scope, self.wishes);
        let more = second
            .changes
            .into_iter()
            .filter(|c| !c.claims.iter().any(|claim| refused(claim.pull)))
            .find(|c| self.wishes.review || c.safety == Safety::Safe);
        match more {
            None => Ok(()),
            Some(change) => Err(Failed {
                check: "a second fix has nothing to do",
                why: format!("a second run would {}", change.summary),
                blame: Blame::Files(change.parts.iter().map(|p| p.path.clone()).collect()),
            }),
        }
    }
}

/// What makes two pulls, before and after, pulls of the same kind.
type Key<'a> = (&'a str, &'a str, &'a str, &'static str, Option<&'a str>);

fn key(pull: &Pull) -> Key<'_> {
    let (file, job) = (&*pull.job_file, &*pull.job);
    let by = pull.by.name();
    (file, job, &pull.place.file, by, pull.image.as_deref())
}

/// How bad a verdict is.
fn rank(auth: Auth) -> u8 {
    match auth {
        Auth::Authenticated | Auth::NotApplicable => 0,
        Auth::Platform => 1,
        Auth::Unknown => 2,
        Auth::Conditional => 3,
        Auth::Impossible => 4,
        Auth::Anonymous => 5,
    }
}

/// A tree in which some files are already edited.
struct Edited<'t> {
    tree: &'t dyn Tree,
    /// What the first audit has read: the second reads mostly the same.
    before: &'t Sources<'t>,
    files: BTreeMap<RepoPath, &'t str>,
}

impl Tree for Edited<'_> {
    fn read(&self, path: &RepoPath) -> Result<Vec<u8>, ReadError> {
        match self.files.get(path) {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => match self.before.load(path) {
                Ok(known) => Ok(known.text.as_bytes().to_vec()),
                Err(_) => self.tree.read(path),
            },
        }
    }

    fn list(&self, folder: &RepoPath) -> Rc<[String]> {
        self.tree.list(folder)
    }

    fn repository(&self, name: &str) -> Option<RepoPath> {
        self.tree.repository(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_a_check_refuses_takes_no_other_with_it() {
        let job = "runs-on: ubuntu-latest\n    steps:\n      - run: docker pull alpine:3.20\n";
        let workflow = format!("on: push\njobs:\n  j:\n    {job}");
        let tree = MemoryTree::new()
            .with(
                ".circleci/config.yml",
                "version: 2.1\njobs:\n  j:\n    docker: [{image: cimg/go:1.22}]\n    steps: [checkout]\nworkflows: {w: {jobs: [j]}}\n",
            )
            .with(".github/workflows/a.yml", workflow.as_str())
            .with(".github/workflows/b.yml", workflow.as_str());
        let (options, policy, wishes) = <(Options, Policy, FixOptions)>::default();
        let survey = look(&tree, Scope::Repository, &options);
        let audit = survey.audit(&policy);
        let repo = Repo::new(&survey, &audit);
        let mut chosen = propose(&repo, Scope::Repository, &wishes).changes;
        assert_eq!(chosen.len(), 3, "{chosen:#?}");
        for part in chosen.iter_mut().flat_map(|c| &mut c.parts) {
            if part.path.as_str().ends_with("a.yml") {
                part.intents.clear();
            }
        }
        let checks = Checks {
            tree: &tree,
            scope: Scope::Repository,
            options: &options,
            policy: &policy,
            wishes: &wishes,
            repo: &repo,
        };
        let (mut reasons, mut refused) = (HashMap::new(), Vec::new());
        let files = checks.settle(&mut chosen, &mut reasons, &mut refused);
        let files: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(files, [".circleci/config.yml", ".github/workflows/b.yml"]);
        assert_eq!((chosen.len(), reasons.len()), (2, 1));
        let of: Vec<_> = refused.iter().flat_map(|r| &r.files).collect();
        assert_eq!(of, [".github/workflows/a.yml"]);
    }
}
