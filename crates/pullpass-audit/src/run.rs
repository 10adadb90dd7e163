//! One job as it runs: the variables, the folder and the conditions in force, and the effects so
//! far. Front ends drive it; the shell, Dockerfile, Compose and Bake readers add to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::{HashMap, HashSet};

use crate::context::Context;
use crate::effect::{By, Declared, Effect, Freshness, Guard, Kind, Puller, Store, Trace};
use crate::folders::Folders;
use crate::shell::{Function, Handed, Unfinished};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, has_hole, is_hole};
use crate::variables::Variables;

/// How deep scripts, make targets, compose includes and the like may call each other.
pub const MAX_DEPTH: usize = 24;

/// Effects that one job may have; only hostile input has more.
const MAX_EFFECTS: usize = 20_000;

/// Longest name of an image, in bytes: a host, a repository of 255 letters, a tag of 128 and a digest have fewer.
const MAX_IMAGE: usize = 1024;

/// Copies that one job may make; only hostile input makes more.
const MAX_COPIES: usize = 256;

/// Longest text of a file that parts are put together to, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// Longest word that is put in, and longest text that words are replaced in, in bytes.
const MAX_WORD: usize = 512;

/// Files that one job may write; only hostile input writes more.
const MAX_MADE: usize = 256;

/// What is said of a job that makes more of them.
const MORE_FILES: &str = "more files that they make than are looked at";

/// Texts of one file that are kept.
const MAX_TEXTS: usize = 8;

/// A text that the job has written to a file.
#[derive(Clone)]
pub(crate) struct Made {
    /// Under which conditions; all of those that were in force.
    pub(crate) guards: Vec<Guard>,
    /// `None`: what was written cannot be known.
    pub(crate) text: Option<Rc<Mapped>>,
}

/// `sed -i s/word/by/ file`.
struct Replaced {
    file: RepoPath,
    word: String,
    by: Text,
}

/// The working folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cwd {
    /// A folder of the repository.
    Inside(RepoPath),
    /// A folder whose path from the root of the repository is known in part until the job runs.
    Partly(Text),
    /// A folder in which the repository stands further down, at this path.
    Above(Rc<str>),
    /// A folder that is not of the repository, or cannot be known.
    Elsewhere,
}

impl Cwd {
    /// The folder of the repository, where that is known.
    #[must_use]
    pub fn inside(&self) -> Option<&RepoPath> {
        match self {
            Self::Inside(folder) => Some(folder),
            Self::Partly(_) | Self::Above(_) | Self::Elsewhere => None,
        }
    }
}

/// A path from the root of the repository, of which a part may be unknown, with what is relative to it. `None` when that
/// is absolute or may leave the repository.
fn joined(folder: &str, path: &Text) -> Option<Text> {
    if path.as_str().starts_with(['/', '~']) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.as_str().split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                // An unknown beginning may be an absolute path.
                let last = parts.pop()?;
                if parts.is_empty() && last.starts_with(is_hole) {
                    return None;
                }
            }
            part => parts.push(part),
        }
    }
    Some(Text::from(parts.join("/")))
}

/// A text behind another, with the places of both where they stand in one file.
pub(crate) fn together(before: &Rc<Mapped>, text: &Mapped, span: Span) -> Rc<Mapped> {
    if before.file() == text.file() {
        let mut whole = Mapped::clone(before);
        whole.append(text);
        return Rc::new(whole);
    }
    Rc::new(Mapped::at(span, format!("{}{}", before.text, text.text)))
}

/// The rest of a path behind a folder.
pub(crate) fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let path = path.trim_start_matches("./");
    let rest = path.strip_prefix(folder.trim_start_matches("./").trim_end_matches('/'))?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// What a step writes to `$GITHUB_OUTPUT`.
#[derive(Default)]
struct Outputs {
    /// Whether something reads them.
    wanted: bool,
    /// How many conditions were in force when the step began.
    conditions: usize,
    /// Values by name; `None`: written under a condition, or as one thing and then as another.
    values: BTreeMap<String, Option<Text>>,
    /// One of which more is to come; the same of a variable.
    unfinished: Option<Unfinished>,
    unfinished_variable: Option<Unfinished>,
}

/// What the effects of one place have in common. Most steps have none.
#[derive(Default)]
struct Shared {
    guards: Option<Rc<[Guard]>>,
    within: Option<Rc<[Span]>>,
}

/// The state of one job while its steps are followed.
pub struct JobRun<'c> {
    /// The repository.
    pub cx: &'c Context<'c>,
    /// Variables of the environment (and, within one script, of the shell), with the values that
    /// are known. A name that is absent is set outside of the repository, if at all.
    pub env: Variables,
    /// Variables that the step hands on to later steps (`$BASH_ENV`, `$GITHUB_ENV`). The shell fills
    /// it; the front end merges it into `env` when the step ends.
    pub exported: Variables,
    /// Functions that a step has written to `$BASH_ENV`, by name: each later step has them.
    pub(crate) startup: Vec<(String, Function)>,
    /// What the step in hand gives away under its `id`.
    outputs: Outputs,
    /// The working folder.
    pub cwd: Cwd,
    /// Where in the workspace the repository was checked out; empty: it is the workspace.
    pub checkout: Rc<str>,
    /// Where it is on the job's machine, where that is known.
    pub folders: Option<Folders>,
    /// Name of the step.
    pub step: Rc<str>,
    /// How we came here.
    pub trace: Trace,
    /// The programs of a step reach a container engine that runs beside them.
    pub has_engine: bool,
    /// `docker buildx` builds with a builder in a container, which does not see local images.
    pub container_builder: bool,
    /// Where the client in hand looks for credentials before it looks where Docker keeps them.
    pub first_stores: Vec<Store>,
    /// How deep scripts have called each other.
    pub depth: usize,
    /// What is followed is only tried: it may not happen at all.
    pub(crate) is_tried: bool,
    /// Why no credential can be given for what is pulled now, when none can.
    pub no_credential: Option<&'static str>,
    /// Files that stand elsewhere in the repository before the job runs: where to, where from.
    copies: HashMap<RepoPath, RepoPath>,
    /// Words that are replaced in a file before the job reads it.
    replaced: Vec<Replaced>,
    /// Files that are put together of several of the repository.
    parts: HashMap<RepoPath, Vec<RepoPath>>,
    /// The job is one of a configuration that another one is made in.
    pub(crate) is_setup: bool,
    /// The job has asked for a container engine on another machine, which costs it time: something of it uses one.
    pub(crate) has_asked_for_engine: bool,
    /// Files that builds wrote the ids of their images to, as they are written.
    pub(crate) image_ids: Vec<String>,
    /// Dockerfiles that the job has written itself, by their paths: those of the repository from its root, others as they
    /// are written. Each text goes over those before it where its conditions hold.
    made: HashMap<EcoString, Vec<Made>>,
    /// Variables that the script in hand sets on every path, to values that differ.
    set_by_script: RefCell<HashSet<String>>,
    guards: Vec<Guard>,
    within: Vec<Span>,
    /// The guards and step items in force as effects share them; made when there is an effect.
    shared: Shared,
    effects: Vec<Effect>,
    /// What could not be known, and why: each is said once.
    said: HashSet<(Rc<str>, Rc<str>)>,
}

impl<'c> JobRun<'c> {
    /// A job about to start at the root of the repository.
    #[must_use]
    pub fn new(cx: &'c Context<'c>) -> Self {
        Self {
            cx,
            env: Variables::default(),
            exported: Variables::default(),
            startup: Vec::new(),
            outputs: Outputs::default(),
            cwd: Cwd::Inside(RepoPath::root()),
            checkout: "".into(),
            folders: None,
            step: "".into(),
            trace: Trace::default(),
            has_engine: true,
            container_builder: false,
            first_stores: Vec::new(),
            depth: 0,
            is_tried: false,
            no_credential: None,
            copies: HashMap::new(),
            replaced: Vec::new(),
            parts: HashMap::new(),
            is_setup: false,
            has_asked_for_engine: false,
            image_ids: Vec::new(),
            made: HashMap::new(),
            set_by_script: RefCell::default(),
            guards: Vec::new(),
            within: Vec::new(),
            shared: Shared::default(),
            effects: Vec::new(),
            said: HashSet::new(),
        }
    }

    /// The effects, in order.
    #[must_use]
    pub fn finish(self) -> Vec<Effect> {
        self.effects
    }

    /// The effects so far.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Adds an effect.
    pub fn emit(&mut self, span: Span, kind: Kind) {
        self.emit_at(span, kind, None);
    }

    /// Adds an effect that needs a secret: a condition that only asks whether it is there, as `asks`
    /// says, leaves out no run in which the effect could have been.
    pub fn emit_with_secrets(
        &mut self,
        span: Span,
        kind: Kind,
        asks: impl Fn(&Self, &Guard) -> bool,
    ) {
        let asked: Vec<bool> = self.guards.iter().map(|guard| asks(self, guard)).collect();
        if !asked.contains(&true) {
            return self.emit(span, kind);
        }
        let (guards, shared) = (self.guards.clone(), self.shared.guards.take());
        for (guard, asked) in self.guards.iter_mut().zip(asked) {
            guard.with_secrets |= asked;
        }
        self.emit(span, kind);
        self.guards = guards;
        self.shared.guards = shared;
    }

    /// Adds a pull by the CI system, with the place where its credential is written.
    pub fn emit_at(&mut self, span: Span, mut kind: Kind, slot: Option<Span>) {
        if self.effects.len() < MAX_EFFECTS {
            if let Kind::Pull { image, .. }
            | Kind::Provide { image }
            | Kind::Save { image }
            | Kind::Push { image, .. } = &mut kind
                && image.as_str().len() > MAX_IMAGE
            {
                // No registry takes it, and each of many would be kept.
                let shown: String = image.as_str().chars().take(64).collect();
                *image = self.cx.holes.of(&format!("{shown}…"), HoleKind::Expression);
            }
            if let (Some(why), Kind::Pull { declared, .. }) = (self.no_credential, &mut kind)
                && *declared == Declared::None
            {
                *declared = Declared::NoSyntax(why);
            }
            let guards = self
                .shared
                .guards
                .get_or_insert_with(|| self.guards.as_slice().into());
            let within = self
                .shared
                .within
                .get_or_insert_with(|| self.within.as_slice().into());
            self.effects.push(Effect {
                kind,
                span,
                guards: Rc::clone(guards),
                step: Rc::clone(&self.step),
                trace: self.trace.clone(),
                within: Rc::clone(within),
                slot,
            });
        } else {
            self.cx
                .note_limit("more pulls, logins and images than are listed");
        }
    }

    /// Takes away the effects from that one on, for [`Self::put_effects`].
    pub(crate) fn take_effects(&mut self, from: usize) -> Vec<Effect> {
        self.effects.split_off(from.min(self.effects.len()))
    }

    /// Puts effects behind those that are there.
    pub(crate) fn put_effects(&mut self, effects: Vec<Effect>) {
        self.effects.extend(effects);
    }

    /// What happened on several paths, one of which is taken: what happened on all of them is under none of their
    /// conditions. Of each path, its effects and its conditions.
    pub(crate) fn put_ways(&mut self, ways: Vec<(Vec<Effect>, Vec<Guard>)>) {
        let under = |effect: &Effect, of_way: &[Guard]| -> Vec<Guard> {
            let other = effect.guards.iter().filter(|guard| !of_way.contains(guard));
            other.cloned().collect()
        };
        let mut ways = ways.into_iter();
        let Some((mut first, of_first)) = ways.next() else {
            return;
        };
        let mut others: Vec<_> = ways.collect();
        let several = !others.is_empty();
        for effect in first.iter_mut().filter(|_| several) {
            let rest = under(effect, &of_first);
            let same = |other: &Effect, of_way: &[Guard]| {
                other.span == effect.span
                    && other.kind == effect.kind
                    && other.slot == effect.slot
                    && under(other, of_way) == rest
            };
            let places: Option<Vec<usize>> = others
                .iter()
                .map(|(effects, of_way)| effects.iter().position(|other| same(other, of_way)))
                .collect();
            let Some(places) = places else {
                continue;
            };
            for ((effects, _), place) in others.iter_mut().zip(places) {
                effects.remove(place);
            }
            effect.guards = rest.into();
        }
        self.effects.append(&mut first);
        for (mut effects, _) in others {
            self.effects.append(&mut effects);
        }
    }

    /// The conditions in force.
    pub(crate) fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// A command that an action runs is the action's doing: so are its effects from this one on.
    pub(crate) fn by_action(&mut self, from: usize) {
        for effect in self.effects.iter_mut().skip(from) {
            if let Kind::Pull { by, .. } | Kind::Opaque { by, .. } = &mut effect.kind
                && *by == By::Run
            {
                *by = By::Action;
            }
        }
    }

    /// A pull by a client in the job that reads Docker's credentials.
    pub fn docker_pull(&mut self, span: Span, image: Text, by: By, freshness: Freshness) {
        let mut stores = self.first_stores.clone();
        stores.push(self.docker_store());
        let puller = Puller::Client(stores);
        self.emit(
            span,
            Kind::Pull {
                image,
                by,
                puller,
                declared: Declared::None,
                freshness,
            },
        );
    }

    /// Something that may pull, of which nothing more can be said. Once in a job is enough: to read
    /// the same fifty times helps nobody.
    pub fn opaque(
        &mut self,
        span: Span,
        what: impl Into<Rc<str>>,
        why: impl Into<Rc<str>>,
        by: By,
    ) {
        let (what, why): (Rc<str>, Rc<str>) = (what.into(), why.into());
        let said = (Rc::clone(&what), Rc::clone(&why));
        let kind = Kind::Opaque { what, why, by };
        if self.said.insert(said) {
            self.emit(span, kind);
        }
    }

    /// Where the Docker client keeps credentials now: as `DOCKER_CONFIG` says.
    #[must_use]
    pub fn docker_store(&self) -> Store {
        Store::Docker(self.env.get("DOCKER_CONFIG").cloned().unwrap_or_default())
    }

    /// The value of a variable: what is known, or the hole `$NAME`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Text {
        self.env
            .get(name)
            .cloned()
            .unwrap_or_else(|| self.cx.holes.variable(name))
    }

    /// Two paths come together of which both set `name`, or only one does. In the second case its value may still be
    /// the one that the environment has.
    pub(crate) fn paths_meet(&self, name: &str, a: Option<&Text>, b: Option<&Text>) {
        let own = self.cx.holes.variable(name);
        let mut set_by_script = self.set_by_script.borrow_mut();
        let sets = |value: Option<&Text>| {
            value.is_some_and(|value| *value != own || set_by_script.contains(name))
        };
        if sets(a) && sets(b) {
            set_by_script.insert(name.to_owned());
        } else {
            set_by_script.remove(name);
        }
    }

    /// The value of a credential: `text`, but for a variable that the script sets on every path, to what cannot be
    /// known. No variable of the project's has that name.
    pub(crate) fn of_credential(&self, text: Text) -> Text {
        let shown = self.show(&text);
        let is_set = shown.strip_prefix('$').is_some_and(|name| {
            self.env.get(name) == Some(&text) && self.set_by_script.borrow().contains(name)
        });
        if is_set {
            let written = format!("{shown} (set by the script)");
            return self.cx.holes.of(&written, HoleKind::Output);
        }
        text
    }

    /// A copy of the variables, to go back to. It is made when either is changed, and that is work
    /// too: thousands of steps and branches with thousands of variables must add up.
    #[must_use]
    pub fn variables(&self) -> Variables {
        self.copied(&self.env)
    }

    /// The same of the variables that are handed on.
    #[must_use]
    pub fn handed_on(&self) -> Variables {
        self.copied(&self.exported)
    }

    fn copied(&self, variables: &Variables) -> Variables {
        for _ in 0..variables.len() / 16 {
            if !self.cx.spend() {
                break;
            }
        }
        variables.clone()
    }

    /// A step begins whose outputs something reads, or nothing does.
    pub fn begin_outputs(&mut self, wanted: bool) {
        self.outputs.wanted = wanted;
        self.outputs.conditions = self.guards.len();
        self.outputs.values.clear();
        self.outputs.unfinished = None;
        self.outputs.unfinished_variable = None;
    }

    /// The value of several lines that the step in hand has not ended yet.
    pub(crate) fn unfinished(&mut self, file: Handed) -> &mut Option<Unfinished> {
        match file {
            Handed::Output => &mut self.outputs.unfinished,
            Handed::Variable => &mut self.outputs.unfinished_variable,
        }
    }

    /// Whether something reads the outputs of the step in hand.
    #[must_use]
    pub fn wants_outputs(&self) -> bool {
        self.outputs.wanted
    }

    /// The step writes an output. One that is not written for `sure`, or twice with different values, is
    /// not known.
    pub fn output(&mut self, name: &str, value: Text, sure: bool) {
        if !self.outputs.wanted {
            return;
        }
        let value = (sure && self.guards.len() <= self.outputs.conditions).then_some(value);
        self.outputs
            .values
            .entry(name.to_ascii_lowercase())
            .and_modify(|before| {
                if *before != value {
                    *before = None;
                }
            })
            .or_insert(value);
    }

    /// The step ends: its outputs whose value is known in every run, by their lower-case names.
    pub fn end_outputs(&mut self) -> Variables {
        let mut out = Variables::default();
        let values = std::mem::take(&mut self.outputs.values);
        out.extend(
            values
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        out
    }

    /// Does something under one more condition.
    pub fn guarded<R>(&mut self, guard: Guard, act: impl FnOnce(&mut Self) -> R) -> R {
        if self.guards.contains(&guard) {
            return act(self);
        }
        self.guards.push(guard);
        let before = self.shared.guards.take();
        let result = act(self);
        self.guards.pop();
        self.shared.guards = before;
        result
    }

    /// Does something under several conditions.
    pub(crate) fn guarded_by<R>(
        &mut self,
        guards: &[Guard],
        act: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let more = guards.iter().filter(|guard| !self.guards.contains(guard));
        let more: Vec<Guard> = more.cloned().collect();
        if more.is_empty() {
            return act(self);
        }
        let outer = self.guards.len();
        self.guards.extend(more);
        let before = self.shared.guards.take();
        let result = act(self);
        self.guards.truncate(outer);
        self.shared.guards = before;
        result
    }

    /// Does something that came about by what stands at `span`.
    pub fn traced<R>(
        &mut self,
        span: Span,
        note: impl Into<Rc<str>>,
        act: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let trace = self.trace.then(span, note);
        let before = std::mem::replace(&mut self.trace, trace);
        let result = act(self);
        self.trace = before;
        result
    }

    /// Does something inside of the item of a step list that is written at `span`.
    pub fn inside<R>(&mut self, span: Span, act: impl FnOnce(&mut Self) -> R) -> R {
        self.within.push(span);
        let before = self.shared.within.take();
        let result = act(self);
        self.within.pop();
        self.shared.within = before;
        result
    }

    /// Goes one call deeper; `None` when that is too deep or the work is used up.
    pub fn deeper<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.depth >= MAX_DEPTH {
            self.cx.note_limit("calls that go deeper than is followed");
            return None;
        }
        if !self.cx.spend() {
            return None;
        }
        self.depth += 1;
        let result = act(self);
        self.depth -= 1;
        Some(result)
    }

    /// The file that `path`, as written in a command, means. `None` when it is not in the
    /// repository or not known.
    #[must_use]
    pub fn resolve(&self, path: &Text) -> Option<RepoPath> {
        let path = path.known()?;
        let found = match &self.cwd {
            Cwd::Inside(cwd) => cwd.join(path),
            Cwd::Above(at) => below(path, at).and_then(RepoPath::new),
            Cwd::Partly(folder) => {
                RepoPath::new(joined(folder.as_str(), &Text::from(path))?.known()?)
            }
            Cwd::Elsewhere => None,
        };
        // It may go round by the folders that the repository is in.
        found.or_else(|| match self.folders.as_ref()?.from(&self.cwd, path) {
            Cwd::Inside(path) => Some(path),
            _ => None,
        })
    }

    /// A path from the root of the repository, where a part of it is known only when the job runs.
    #[must_use]
    pub fn partly(&self, path: &Text) -> Option<Text> {
        let whole = match &self.cwd {
            // Where it begins is not known.
            _ if path.as_str().starts_with(is_hole) => Some(path.clone()),
            Cwd::Inside(folder) => joined(folder.as_str(), path),
            Cwd::Partly(folder) => joined(folder.as_str(), path),
            Cwd::Above(_) | Cwd::Elsewhere => None,
        };
        whole.filter(|whole| !whole.is_known())
    }

    /// The job's `working_directory` on CircleCI: the repository is checked out there.
    pub fn works_in(&mut self, working_directory: &str) {
        let folders = Folders::new(working_directory);
        self.cwd = folders.of_step("");
        self.folders = Some(folders);
    }

    /// Whether the repository has this folder. In one that is made while the job runs, and that may be another
    /// repository, nothing is looked for further up.
    #[must_use]
    pub fn has_folder(&self, folder: &RepoPath) -> bool {
        folder.is_root() || !self.cx.sources.tree().list(folder).is_empty()
    }

    /// Why nothing is looked for in a folder that the repository does not have.
    #[must_use]
    pub fn why_not_there(&self, folder: &RepoPath) -> String {
        format!(
            "it runs in `{folder}`, which is no folder of this repository; it may be made while the job runs"
        )
    }

    /// Why nothing is known of the files where a command runs.
    #[must_use]
    pub fn why_elsewhere(&self) -> String {
        match &self.cwd {
            Cwd::Partly(folder) => {
                let shown = self.show(folder);
                format!(
                    "it runs in `{shown}`, and which folder that is, is known only when the job runs"
                )
            }
            _ => "it runs in a folder that is not of this repository, or not known".to_owned(),
        }
    }

    /// The working folder after a `cd` to this path.
    #[must_use]
    pub fn folder(&self, path: &Text) -> Cwd {
        if let Some(inside) = self.resolve(path) {
            return Cwd::Inside(inside);
        }
        match (&self.cwd, path.known(), &self.folders) {
            (cwd, Some(path), Some(folders)) => folders.from(cwd, path),
            (Cwd::Above(at), Some(path), None) => {
                below(at, path).map_or(Cwd::Elsewhere, |rest| Cwd::Above(rest.into()))
            }
            _ => Cwd::Elsewhere,
        }
    }

    /// A file of the repository is copied to another place of it.
    pub fn copy(&mut self, from: &RepoPath, to: RepoPath) {
        if *from == to {
            return;
        }
        if self.copies.len() >= MAX_COPIES {
            return self.cx.note_limit(MORE_FILES);
        }
        self.copies.insert(to, self.original(from));
    }

    /// A file is put together of several of the repository, or these are put behind what it is made of.
    pub(crate) fn put_together(&mut self, to: RepoPath, files: Vec<RepoPath>, append: bool) {
        let mut all = match append {
            true => self.merged(&to).unwrap_or_else(|| {
                let before = self.original(&to);
                let exists = self.cx.sources.exists(&before);
                exists.then_some(before).into_iter().collect()
            }),
            false => Vec::new(),
        };
        all.extend(files);
        if self.parts.len() >= MAX_COPIES || all.len() > MAX_COPIES {
            self.cx.note_limit(MORE_FILES);
        }
        all.truncate(MAX_COPIES);
        if self.parts.len() < MAX_COPIES {
            self.parts.insert(to, all);
        }
    }

    /// What a file was put together of.
    pub(crate) fn merged(&self, path: &RepoPath) -> Option<Vec<RepoPath>> {
        self.parts.get(path).cloned()
    }

    /// The file that stands at `path` by now: the one that was copied there, or its own.
    #[must_use]
    pub fn original(&self, path: &RepoPath) -> RepoPath {
        self.copies.get(path).unwrap_or(path).clone()
    }

    /// A word of a file is replaced.
    pub fn replace(&mut self, file: RepoPath, word: &str, by: Text) {
        if word.is_empty() {
            return;
        }
        if by.as_str().len() > MAX_WORD || self.replaced.len() >= MAX_COPIES {
            return self
                .cx
                .note_limit("more words that are replaced than are looked at");
        }
        let word = word.to_owned();
        self.replaced.push(Replaced { file, word, by });
    }

    /// A text of a file with the words that were replaced in it.
    #[must_use]
    pub fn after_replacing(&self, file: &RepoPath, text: Text) -> Text {
        let mut text = text;
        for one in self.replaced.iter().filter(|one| one.file == *file) {
            // Longer than any image's name: only hostile input makes a word grow with each time.
            let short = text.as_str().len() <= MAX_WORD;
            if short && text.as_str().contains(&one.word) {
                text = Text::from(text.as_str().replace(&one.word, one.by.as_str()));
            }
        }
        text
    }

    /// How a file is called that may be written by the job; `None` where it cannot be found again.
    fn name_of_made(&self, path: &Text) -> Option<EcoString> {
        if let Some(inside) = self.resolve(path) {
            return Some(inside.as_str().into());
        }
        let path = path.as_str();
        let is_absolute = path.starts_with(['/', '~']) || path.starts_with(is_hole);
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        let path = parts.fold(EcoString::new(), |path, part| path + "/" + part);
        is_absolute.then_some(path)
    }

    /// The job writes a text to a file, in place of what was there or, with `append`, behind it.
    pub(crate) fn make(
        &mut self,
        path: &Text,
        text: Option<&Rc<Mapped>>,
        append: bool,
        span: Span,
    ) {
        let Some(name) = self.name_of_made(path) else {
            return;
        };
        let is_known = self.made.contains_key(&name);
        let is_dockerfile = || {
            let lines = text.map_or("", |text| text.text.as_str()).lines();
            let mut words = lines.filter_map(|line| line.split_whitespace().next());
            words.any(|word| word.eq_ignore_ascii_case("FROM"))
        };
        // A release is made as this says, and services are brought up, wherever it comes from.
        let file = name.rsplit('/').next().unwrap_or(&name);
        let is_configuration = ["goreleaser", "compose", ".ko."]
            .iter()
            .any(|tool| file.contains(tool))
            && file.ends_with("ml");
        if !is_known && !is_configuration && !is_dockerfile() {
            return;
        }
        if !is_known && self.made.len() >= MAX_MADE {
            return self.cx.note_limit(MORE_FILES);
        }
        if append
            && !is_known
            && self
                .resolve(path)
                .is_some_and(|p| self.cx.sources.exists(&p))
        {
            // What stands there counts, and not what comes behind it.
            return;
        }
        let all = self.made.entry(name).or_default();
        if append && let Some(last) = all.last_mut() {
            last.text = match (last.text.take(), text) {
                (Some(before), Some(text)) if before.text.len() + text.text.len() <= MAX_TEXT => {
                    Some(together(&before, text, span))
                }
                // It counts as it was.
                (Some(before), Some(_)) => Some(before),
                _ => None,
            };
            return;
        }
        // What is written where these conditions hold, too, is gone.
        all.retain(|made| !self.guards.iter().all(|guard| made.guards.contains(guard)));
        if all.len() >= MAX_TEXTS {
            all.remove(0);
        }
        all.push(Made {
            guards: self.guards.clone(),
            text: text.cloned(),
        });
    }

    /// What the job may have written to a file by now, the last first. Whether it is one of them for sure.
    pub(crate) fn made(&self, path: &Text) -> (Vec<Made>, bool) {
        let all = self
            .name_of_made(path)
            .and_then(|name| self.made.get(&name));
        let mut found = Vec::new();
        for made in all.into_iter().flatten().rev() {
            found.push(made.clone());
            if made.guards.iter().all(|guard| self.guards.contains(guard)) {
                return (found, true);
            }
        }
        (found, false)
    }

    /// What the job has surely written to a file of the repository's, where all of it is known.
    pub(crate) fn surely_made(&self, path: &RepoPath) -> Option<Rc<Mapped>> {
        let last = self.made.get(path.as_str())?.last()?;
        let is_sure = last.guards.iter().all(|guard| self.guards.contains(guard));
        let text = last.text.clone().filter(|_| is_sure)?;
        (!has_hole(&text.text)).then_some(text)
    }

    /// A text in the words of the file.
    #[must_use]
    pub fn show(&self, text: &Text) -> String {
        self.cx.holes.show(text.as_str())
    }
}
