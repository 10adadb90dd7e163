//! What is known of a configuration beside its jobs: the workflow entries that a context can be
//! named on, and the scopes that its names live in.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hashbrown::HashMap;
use pullpass_audit::circleci;
use pullpass_audit::effect::{Declared, Effect, Job, Kind, Provider};
use pullpass_audit::reference::{DOCKER_HUB, canonical_registry};
use pullpass_audit::source::RepoPath;
use pullpass_audit::text::Text;
use pullpass_audit::yaml::{Document, Node, Style as Written};

use crate::edit::Edit;
use crate::meaning::{Intent, Value};
use crate::names::Names;
use crate::put;
use crate::repo::Repo;
use crate::style::{self, Style, Yaml};
use crate::{FixOptions, Part};

use super::outline::Outline;

/// The name in `$NAME` and `${NAME}`.
pub(crate) fn variable(reference: &str) -> Option<&str> {
    let rest = reference.strip_prefix('$')?;
    let name = rest
        .strip_prefix('{')
        .and_then(|r| r.strip_suffix('}'))
        .unwrap_or(rest);
    let fine = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fine.then_some(name)
}

/// The contexts of one workflow entry that runs a job.
pub(super) type Contexts = BTreeSet<String>;

/// The jobs that an edit is for, with the contexts of each entry that runs one.
pub(super) type Runs = BTreeSet<(String, Contexts)>;

/// The contexts of the entries that run a job in this way.
fn calls_of(job: &Job) -> impl Iterator<Item = Contexts> {
    let calls = job.own_contexts.iter();
    calls.map(|call| call.iter().cloned().collect())
}

/// The same with the job's name.
pub(super) fn runs_of(job: &Job) -> impl Iterator<Item = (String, Contexts)> {
    calls_of(job).map(|call| (job.name.to_string(), call))
}

/// The configurations of a repository.
pub(super) struct Files {
    documents: HashMap<RepoPath, Rc<Document>>,
    /// The contexts of each workflow entry that has the credential today. Empty when one of them has it
    /// without a context, or none has it.
    holders: BTreeSet<Contexts>,
    /// The name of the token that they hold.
    token: String,
}

impl Files {
    pub(super) fn of(repo: &Repo<'_, '_>, names: &Names) -> Self {
        let mut documents = HashMap::new();
        for job in repo
            .survey
            .jobs
            .iter()
            .filter(|j| j.provider == Provider::CircleCi)
        {
            let source = repo.survey.cx.sources.get(job.file);
            if !documents.contains_key(&source.path)
                && let Some(document) = repo.survey.cx.yaml(&source.path)
            {
                documents.insert(source.path.clone(), document);
            }
        }
        let mut files = Self {
            documents,
            holders: BTreeSet::new(),
            token: names.token.clone(),
        };
        if names.known {
            files.holders = Self::holders(repo, names);
        }
        files
    }

    /// The variables that most of the commands that sign in to Docker Hub do it with, whether they are called or not.
    pub(super) fn declared_pair(&self, repo: &Repo<'_, '_>) -> Option<(String, String)> {
        let cx = &repo.survey.cx;
        let mut counted: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (path, document) in &self.documents {
            let Some(outline) = Outline::of(document) else {
                continue;
            };
            let commands = outline.scopes.iter().filter_map(|s| s.root.get("commands"));
            for command in commands.flat_map(Node::entries) {
                let text = put::text_of(Style::of(document).text, command.value);
                if !text.contains("login") && !text.contains("/check") {
                    continue;
                }
                for effect in circleci::command(cx, path, command.value.use_span()) {
                    let Kind::Login {
                        registry,
                        username: Some(user),
                        password: Some(token),
                        broken: None,
                        ..
                    } = &effect.kind
                    else {
                        continue;
                    };
                    let (user, token) =
                        (cx.holes.show(user.as_str()), cx.holes.show(token.as_str()));
                    if canonical_registry(registry.as_str()) == DOCKER_HUB
                        && let (Some(user), Some(token)) = (variable(&user), variable(&token))
                    {
                        let pair = (user.to_owned(), token.to_owned());
                        *counted.entry(pair).or_default() += 1;
                    }
                }
            }
        }
        counted
            .into_iter()
            .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)))
            .map(|(pair, _)| pair)
    }

    fn holders(repo: &Repo<'_, '_>, names: &Names) -> BTreeSet<Contexts> {
        let cx = &repo.survey.cx;
        let is_token = |text: &Text| variable(&cx.holes.show(text.as_str())) == Some(&names.token);
        let uses = |effect: &Effect| match &effect.kind {
            Kind::Pull {
                declared: Declared::Credential { password, .. },
                ..
            } => is_token(password),
            Kind::Login { password, .. } => password.as_ref().is_some_and(is_token),
            _ => false,
        };
        let mut holders = BTreeSet::new();
        for job in &repo.survey.jobs {
            let is_ours = job.provider == Provider::CircleCi && job.reached;
            if is_ours && job.effects.iter().any(uses) {
                holders.extend(calls_of(job));
            }
        }
        if holders.iter().any(BTreeSet::is_empty) {
            return BTreeSet::new();
        }
        holders
    }

    /// Why a job may not have the credential that the repository uses elsewhere. It surely has it with the contexts
    /// that all have who use it, or with all of those that one of them has.
    fn without_credential(
        &self,
        runs: &Runs,
        names: &Names,
        wishes: &FixOptions,
    ) -> Option<String> {
        // Whoever names a context says that it holds the variables.
        let is_said = !wishes.contexts.is_empty();
        if is_said || names.token != self.token {
            return None;
        }
        let common = self
            .holders
            .iter()
            .cloned()
            .reduce(|common, more| &common & &more)?;
        let is_sure = |call: &Contexts| {
            let by_common = !common.is_empty() && common.is_subset(call);
            by_common || self.holders.iter().any(|held| held.is_subset(call))
        };
        let (job, _) = runs.iter().find(|(_, call)| !is_sure(call))?;
        let list = |names: &Contexts, or: &str| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.join(&format!("` {or} `"))
        };
        Some(if common.is_empty() {
            let all: Contexts = self.holders.iter().flatten().cloned().collect();
            format!(
                "the jobs that use the credential today have it from the context `{}`, and which of them job `{job}` would have it from cannot be told; name it with `--context`",
                list(&all, "or")
            )
        } else {
            let contexts = if common.len() == 1 {
                "context"
            } else {
                "contexts"
            };
            format!(
                "the jobs that use the credential today have it from the {contexts} `{}`, which job `{job}` does not have; name it with `--context`",
                list(&common, "and")
            )
        })
    }

    /// Names the wished contexts on every workflow entry that runs one of these jobs. Gives the contexts
    /// that are named, and says under `review` where one could not be.
    pub(super) fn contexts(
        &self,
        path: &RepoPath,
        runs: &Runs,
        names: &Names,
        wishes: &FixOptions,
        parts: &mut Vec<Part>,
        review: &mut Option<String>,
    ) -> Vec<String> {
        if let Some(why) = self.without_credential(runs, names, wishes) {
            review.get_or_insert(why);
        }
        let Some(document) = self
            .documents
            .get(path)
            .filter(|_| !wishes.contexts.is_empty())
        else {
            return Vec::new();
        };
        let style = Style::of(document);
        let lists = ["workflows", "job-groups"]
            .into_iter()
            .filter_map(|section| document.root()?.get(section))
            .flat_map(Node::entries)
            .filter_map(|entry| entry.value.get("jobs"));
        let mut part = Part {
            path: path.clone(),
            edits: Vec::new(),
            intents: Vec::new(),
        };
        for list in lists {
            for (index, item) in list.items().enumerate() {
                let call = Call::of(list, index, item);
                if !call
                    .names()
                    .any(|name| runs.iter().any(|(job, _)| job == name))
                {
                    continue;
                }
                if call
                    .name_contexts(&wishes.contexts, &style, &mut part)
                    .is_none()
                {
                    review.get_or_insert_with(|| {
                        "a workflow names its contexts in a way that is not edited; name the new one there".to_owned()
                    });
                }
            }
        }
        if !part.edits.is_empty() {
            parts.push(part);
        }
        wishes.contexts.clone()
    }
}

/// One item of a workflow's `jobs`.
struct Call<'d> {
    list: Node<'d>,
    index: usize,
    item: Node<'d>,
}

impl<'d> Call<'d> {
    fn of(list: Node<'d>, index: usize, item: Node<'d>) -> Self {
        Self { list, index, item }
    }

    /// The job that it calls, and the one of an orb that may run in its place.
    fn names(&self) -> impl Iterator<Item = &'d str> {
        let pair = self.item.pairs().next();
        let called = match self.item.as_str() {
            Some(name) => Some(name),
            None => pair.and_then(|(key, _)| key.as_str()),
        };
        let other = pair.and_then(|(_, given)| given.get("override-with")?.as_str());
        called.into_iter().chain(other)
    }

    /// Adds the edit; `None` when the entry is written in a way that is not edited.
    fn name_contexts(&self, names: &[String], style: &Style<'_>, part: &mut Part) -> Option<()> {
        let text = style.text;
        let value = match names {
            [one] => Yaml::text(one),
            many => Yaml::List(many.iter().map(Yaml::text).collect()),
        };
        if self.item.is_alias() {
            return None;
        }
        if let Some(name) = self.item.as_str() {
            let end = style::value_end(text, self.item);
            if self.list.style() == Written::Flow {
                part.edits.push(Edit::insert(
                    end,
                    format!(": {}", style.flow(&Yaml::map([("context", value.clone())]))),
                ));
            } else {
                let start = self.item.use_span().start as usize;
                let lines = style.entry(style::column(text, start) + style.step, "context", &value);
                part.edits.push(Edit::insert(end, ":"));
                part.edits.push(Edit::insert(
                    style::line_end(text, end),
                    style.lines_after(&lines),
                ));
            }
            let call = Yaml::map([(name, Yaml::map([("context", value)]))]);
            part.intents.push(Intent::RemoveItem {
                at: self.list.span().start,
                index: self.index,
            });
            part.intents.push(Intent::InsertItem {
                at: self.list.span().start,
                index: self.index,
                value: call.meaning(style),
            });
            return Some(());
        }
        let mut pairs = self.item.pairs();
        let (key, given) = pairs.next().filter(|_| self.item.is_mapping())?;
        if pairs.next().is_some() || given.is_alias() {
            return None;
        }
        if given.is_null() {
            let colon =
                text.get(key.span().end as usize..)?.find(':')? + key.span().end as usize + 1;
            let indent = style::column(text, key.span().start as usize) + style.step;
            let lines = style.entry(indent, "context", &value);
            part.edits.push(Edit::insert(
                style::line_end(text, colon),
                style.lines_after(&lines),
            ));
            part.intents.push(Intent::Replace {
                at: given.span().start,
                value: Yaml::map([("context", value)]).meaning(style),
            });
            return Some(());
        }
        if !given.is_mapping() {
            return None;
        }
        match given.get("context") {
            None => {
                let at = given.span().start;
                if given.style() == Written::Flow {
                    let entry = format!("context: {}, ", style.flow(&value));
                    let first = given.pairs().next()?.0.span().start as usize;
                    part.edits.push(Edit::insert(first, entry));
                } else {
                    let first = given.pairs().next()?.0.use_span().start as usize;
                    let start = style::line_start(text, first);
                    if !text.get(start..first)?.bytes().all(|b| b == b' ') {
                        return None;
                    }
                    let lines = style.entry(first - start, "context", &value);
                    part.edits.push(Edit::insert(start, style.lines(&lines)));
                }
                part.intents.push(Intent::AddKey {
                    at,
                    key: "context".to_owned(),
                    value: value.meaning(style),
                });
            }
            Some(known) => self.more_contexts(known, given, names, style, part)?,
        }
        Some(())
    }

    fn more_contexts(
        &self,
        known: Node<'d>,
        given: Node<'d>,
        names: &[String],
        style: &Style<'_>,
        part: &mut Part,
    ) -> Option<()> {
        let text = style.text;
        let there: Vec<&str> = known
            .one_or_many()
            .into_iter()
            .filter_map(Node::as_str)
            .collect();
        let new: Vec<&String> = names
            .iter()
            .filter(|n| !there.contains(&n.as_str()))
            .collect();
        if new.is_empty() {
            return Some(());
        }
        let own = given
            .pairs()
            .any(|(key, _)| key.as_str() == Some("context"));
        if !own
            || known.is_alias()
            || known.anchor().is_some()
            || there.iter().any(|n| n.contains("<<"))
        {
            return None;
        }
        let scalar = |name: &String| Yaml::text(name).meaning(style);
        if known.is_sequence() {
            let last = known.items().last()?;
            let at = known.span().start;
            let end = style::value_end(text, last);
            for name in &new {
                if known.style() == Written::Flow {
                    part.edits.push(Edit::insert(end, format!(", {name}")));
                } else {
                    let dash = style::column(text, style::dash(text, last)?);
                    let lines = style.item(dash, &Yaml::text(*name));
                    part.edits.push(Edit::insert(
                        style::line_end(text, end),
                        style.lines_after(&lines),
                    ));
                }
                part.intents.push(Intent::InsertItem {
                    at,
                    index: known.items().count(),
                    value: scalar(name),
                });
            }
            return Some(());
        }
        let end = style::value_end(text, known);
        let more: String = new.iter().map(|n| format!(", {n}")).collect();
        part.edits
            .push(Edit::insert(known.span().start as usize, "["));
        part.edits.push(Edit::insert(end, format!("{more}]")));
        let mut list = vec![Value::of(known)];
        list.extend(new.into_iter().map(scalar));
        part.intents.push(Intent::Replace {
            at: known.span().start,
            value: Rc::new(Value::List(list)),
        });
        Some(())
    }
}
