//! `auth` beside each Docker Hub image of a docker executor.
//!
//! The image's entry is edited where it is written: behind an alias that is the anchor, once for all
//! its users; where the `image` comes in by a merge key it is the mapping that is merged, when all
//! who merge it pull from Docker Hub, and else the entry itself.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use pullpass_audit::circleci::{is_of_an_orb, may_be_of_another_registry};
use pullpass_audit::effect::{Declared, Kind, Provider};
use pullpass_audit::source::FileId;
use pullpass_audit::verdict::Auth;
use pullpass_audit::yaml::{Document, Node, Style as Written};

use crate::edit::Edit;
use crate::meaning::Intent;
use crate::names::Names;
use crate::put::walk;
use crate::repo::Repo;
use crate::style::{self, Style, Yaml};
use crate::{Change, Claim, FixOptions, Left, Part, Proposal, Safety};

use super::file::{Files, Runs, runs_of};

/// One place for a credential, and the pulls that it would serve.
#[derive(Default)]
struct Slot {
    wanted: BTreeSet<usize>,
    jobs: BTreeSet<String>,
    runs: Runs,
    /// Why it cannot get one.
    refuse: Option<String>,
}

pub(super) fn propose(
    repo: &Repo<'_, '_>,
    wishes: &FixOptions,
    names: &Names,
    files: &Files,
    out: &mut Proposal,
) {
    let mut slots: BTreeMap<(FileId, u32), Slot> = BTreeMap::new();
    for job in &repo.survey.jobs {
        if job.provider != Provider::CircleCi {
            continue;
        }
        for effect in &job.effects {
            let Kind::Pull { declared, .. } = &effect.kind else {
                continue;
            };
            let Some(number) = repo.pull(job, effect) else {
                continue;
            };
            let Some(pull) = repo.audit.pulls.get(number).filter(|p| p.by_host) else {
                continue;
            };
            let Some(span) = effect.slot else {
                if repo.wanted(number) {
                    let reason = "the image belongs to a published orb, which has no place for a credential; use an executor of this repository".to_owned();
                    out.left.push(Left {
                        pull: number,
                        reason,
                    });
                }
                continue;
            };
            let slot = slots.entry((span.file, span.start)).or_default();
            // What no workflow runs is named in none, and so gets no context there.
            if job.reached {
                slot.jobs.insert(job.name.to_string());
                slot.runs.extend(runs_of(job));
            }
            if repo.wanted(number) {
                slot.wanted.insert(number);
            }
            let image = pull.image.as_deref().unwrap_or("");
            match pull.auth {
                Auth::NotApplicable => {
                    slot.refuse.get_or_insert_with(|| format!("the same entry also stands for `{image}`, which is not on Docker Hub, and would be pulled with the wrong credential; give each its own entry"));
                }
                Auth::Unknown => {
                    slot.refuse.get_or_insert_with(|| format!("the same entry also stands for `{image}`, of which the registry cannot be known"));
                }
                _ => {}
            }
            match declared {
                Declared::Aws(_) => slot.refuse = Some("`aws_auth` stands beside this image, and it is on Docker Hub: replace it by `auth`".to_owned()),
                Declared::Credential { .. } if repo.wanted(number) => slot.refuse = Some(format!("there is an `auth`, and it cannot work: {}", pull.reason)),
                _ => {}
            }
        }
    }
    let mut by_file: BTreeMap<FileId, BTreeMap<u32, Slot>> = BTreeMap::new();
    for ((file, start), slot) in slots {
        by_file.entry(file).or_default().insert(start, slot);
    }
    for (id, slots) in by_file {
        let source = repo.survey.cx.sources.get(id);
        let Some(document) = repo.survey.cx.yaml(&source.path) else {
            continue;
        };
        let entries = Entries::of(&document);
        let writer = Writer {
            repo,
            document: &document,
            style: Style::of(&document),
            names,
            entries: &entries,
        };
        writer.slots(slots, files, wishes, out);
    }
}

/// Every mapping of a file, by where it begins.
struct Entries<'d>(BTreeMap<u32, Node<'d>>);

impl<'d> Entries<'d> {
    fn of(document: &'d Document) -> Self {
        let mut all = BTreeMap::new();
        for root in document.roots() {
            walk(root, 0, &mut |node| {
                if node.is_mapping() {
                    all.entry(node.span().start).or_insert(node);
                }
            });
        }
        Self(all)
    }
}

/// The mapping that the `image` of an entry is written in: the entry, or one that is merged into it.
fn owner<'d>(entry: Node<'d>, depth: usize) -> Option<Node<'d>> {
    if depth > 24 {
        return None;
    }
    let own = entry.pairs().any(|(key, _)| key.as_str() == Some("image"));
    if own {
        return Some(entry);
    }
    let merges = entry.pairs().filter(|(key, _)| key.as_str() == Some("<<"));
    for (_, merged) in merges {
        let many: Vec<Node<'d>> = if merged.is_sequence() {
            merged.items().collect()
        } else {
            vec![merged]
        };
        if let Some(found) = many.into_iter().find_map(|m| owner(m, depth + 1)) {
            return Some(found);
        }
    }
    None
}

struct Writer<'a, 't> {
    repo: &'a Repo<'a, 't>,
    document: &'a Rc<Document>,
    style: Style<'a>,
    names: &'a Names,
    entries: &'a Entries<'a>,
}

impl Writer<'_, '_> {
    fn slots(
        &self,
        slots: BTreeMap<u32, Slot>,
        files: &Files,
        wishes: &FixOptions,
        out: &mut Proposal,
    ) {
        // Which mapping each slot's image is written in, and whether all who share it agree.
        let mut shared: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &start in slots.keys() {
            if let Some(owner) = self.entries.0.get(&start).and_then(|e| owner(*e, 0)) {
                shared.entry(owner.span().start).or_default().push(start);
            }
        }
        for (at, users) in shared {
            let of = |start: &u32| slots.get(start);
            let agree = users
                .iter()
                .filter_map(of)
                .all(|s| s.refuse.is_none() && !s.wanted.is_empty());
            let own_auth = |start: &u32| {
                self.entries
                    .0
                    .get(start)
                    .is_some_and(|e| e.get("auth").is_some_and(|a| !a.is_null()))
            };
            if agree && !users.iter().any(own_auth) {
                let all: Vec<&Slot> = users.iter().filter_map(of).collect();
                self.offer(at, &all, files, wishes, out);
            } else {
                for start in &users {
                    let Some(slot) = of(start).filter(|s| !s.wanted.is_empty()) else {
                        continue;
                    };
                    match &slot.refuse {
                        Some(reason) => leave(slot, reason, out),
                        None => self.offer(*start, &[slot], files, wishes, out),
                    }
                }
            }
        }
    }

    fn offer(
        &self,
        at: u32,
        slots: &[&Slot],
        files: &Files,
        wishes: &FixOptions,
        out: &mut Proposal,
    ) {
        let Some(entry) = self.entries.0.get(&at).copied() else {
            return;
        };
        let wanted: BTreeSet<usize> = slots
            .iter()
            .flat_map(|s| s.wanted.iter().copied())
            .collect();
        let jobs: BTreeSet<String> = slots.iter().flat_map(|s| s.jobs.iter().cloned()).collect();
        let path = self.document.source().path.clone();
        let (names, guess) =
            self.names
                .of_jobs(self.repo.audit, Provider::CircleCi, path.as_str(), &jobs);
        let Some(edits) = self.add_auth(entry, &names) else {
            for slot in slots {
                leave(
                    slot,
                    "its entry is written in a way that is not edited",
                    out,
                );
            }
            return;
        };
        let added = auth(&names);
        let mut parts = vec![Part {
            path: path.clone(),
            edits,
            intents: vec![Intent::AddKey {
                at,
                key: "auth".to_owned(),
                value: added.meaning(&self.style_of(entry)),
            }],
        }];
        let mut review = guess;
        if entry
            .get("image")
            .and_then(Node::as_str)
            .is_some_and(may_be_of_another_registry)
        {
            review.get_or_insert_with(|| {
                "whoever starts a pipeline can give an image of another registry".to_owned()
            });
        }
        if is_of_an_orb(path.as_str()) {
            review.get_or_insert_with(|| {
                "it is a part of an orb: the projects that use it need variables of these names, too".to_owned()
            });
        }
        let runs: Runs = slots.iter().flat_map(|s| s.runs.iter().cloned()).collect();
        let contexts = files.contexts(&path, &runs, &names, wishes, &mut parts, &mut review);
        let image = wanted
            .iter()
            .find_map(|n| self.repo.audit.pulls.get(*n)?.image.clone())
            .unwrap_or_default();
        let mut needs = names.needs(Provider::CircleCi);
        needs.dedup();
        out.changes.push(Change {
            summary: format!("give `{image}` an `auth`"),
            at: self.repo.at(entry.span()),
            safety: if review.is_some() {
                Safety::Review
            } else {
                Safety::Safe
            },
            why: review.unwrap_or_default(),
            parts,
            claims: wanted
                .into_iter()
                .map(|pull| Claim {
                    pull,
                    auth: Auth::Authenticated,
                })
                .collect(),
            note: String::new(),
            needs,
            contexts,
        });
    }

    /// The file's style, or that of JSON where the entry is written so.
    fn style_of(&self, entry: Node<'_>) -> Style<'_> {
        let is_json = entry.style() == Written::Flow
            && entry
                .pairs()
                .next()
                .is_some_and(|(key, _)| key.style() == Written::Double);
        Style {
            quote: if is_json { Some('"') } else { self.style.quote },
            json: is_json,
            ..self.style.clone()
        }
    }

    fn add_auth(&self, entry: Node<'_>, names: &Names) -> Option<Vec<Edit>> {
        let text = self.style.text;
        let pairs: Vec<_> = entry.pairs().collect();
        // An empty `auth:` is somebody's unfinished work.
        if pairs.iter().any(|(key, _)| key.as_str() == Some("auth")) {
            return None;
        }
        let (key, value) = *pairs
            .iter()
            .find(|(key, _)| key.as_str() == Some("image"))
            .or_else(|| pairs.last())?;
        let end = style::value_end(text, value);
        if entry.style() == Written::Flow {
            let flow = self.style_of(entry).flow_entry("auth", &auth(names));
            let start = entry.span().start as usize;
            // `[image: x]`: a mapping of one pair without braces.
            if text.get(start..)?.starts_with('{') {
                return Some(vec![Edit::insert(end, format!(", {flow}"))]);
            }
            let pad = if self.style.padded { " " } else { "" };
            return Some(vec![
                Edit::insert(key.span().start as usize, format!("{{{pad}")),
                Edit::insert(end, format!(", {flow}{pad}}}")),
            ]);
        }
        let indent = style::column_of_key(text, key);
        // The step of a mapping beside it counts more than the file's.
        let step = pairs.iter().find_map(|(key, value)| {
            let first = value
                .pairs()
                .next()
                .filter(|_| !value.is_alias() && value.style() == Written::Block)?;
            let below = style::column(text, first.0.span().start as usize);
            below.checked_sub(style::column(text, key.span().start as usize))
        });
        let style = self.style.with_step(step);
        let lines = style.entry(indent, "auth", &auth(names));
        Some(vec![Edit::insert(
            style::line_end(text, end),
            style.lines_after(&lines),
        )])
    }
}

fn auth(names: &Names) -> Yaml {
    Yaml::map([
        ("username", Yaml::text(format!("${}", names.user))),
        ("password", Yaml::text(format!("${}", names.token))),
    ])
}

fn leave(slot: &Slot, reason: &str, out: &mut Proposal) {
    for &pull in &slot.wanted {
        out.left.push(Left {
            pull,
            reason: reason.to_owned(),
        });
    }
}
