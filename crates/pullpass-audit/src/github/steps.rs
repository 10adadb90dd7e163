//! The steps of a job or of a composite action, in order: what each runs, with the variables, the
//! folder and the condition in force.

use std::rc::Rc;

use hashbrown::HashSet;

use crate::effect::{By, Declared, Effect, Freshness, Guard, Kind, Puller};
use crate::run::{Cwd, JobRun, below};
use crate::shell;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, MAX_VALUE, Mapped, Text};
use crate::variables::Variables;
use crate::yaml::Node;

use super::action;
use super::condition::Condition;
use super::elsewhere;
use super::evaluate::{Frame, Inputs, Scope, Starter, says_something};
use super::expression::{begins, pieces};
use super::known;
use super::table::{self, Known};

/// Longest name of a step that has none of its own.
const MAX_NAME: usize = 80;

/// What the steps of one job share.
#[derive(Clone)]
pub(super) struct Steps {
    /// What expressions see.
    pub(super) frame: Frame,
    /// Conditions on the whole job: under them a step's same condition is none.
    job_guards: Rc<[Guard]>,
    shell: Option<Rc<str>>,
    folder: Option<Text>,
    /// Where checkouts put this repository, relative to the workspace; empty: at its root.
    own: Vec<String>,
    /// Where checkouts put other repositories.
    others: Vec<String>,
    /// The steps are those of a composite action.
    pub(super) composite: bool,
    /// Local actions that these steps are part of, the outermost first, and what each was given.
    pub(super) inside: Vec<(RepoPath, Rc<Inputs>)>,
    /// Something reads what a step gives away.
    pub(super) reads_outputs: bool,
}

/// Steps that were begun with `background: true`, and sign in: that counts from where they are waited for.
/// Until then nobody knows how far they have come.
#[derive(Default)]
struct Background(Vec<(String, Vec<Effect>)>);

impl Background {
    /// A step has been followed, and its effects are those from there on.
    fn after(&mut self, run: &mut JobRun<'_>, step: Node<'_>, from: usize) {
        let is_on = |node: Node<'_>| node.as_bool() == Some(true);
        if step.get("background").is_some_and(is_on) {
            let id = step.get("id").and_then(Node::as_str).unwrap_or_default();
            if run.effects().get(from..).is_some_and(signs_in) {
                self.0.push((id.to_owned(), run.take_effects(from)));
            }
        }
        // Nearly all jobs have none.
        if self.0.is_empty() {
            return;
        }
        if step.get("wait-all").is_some() {
            return self.end(run);
        }
        let named = step.get("wait").map(Node::one_or_many).unwrap_or_default();
        for id in named.into_iter().filter_map(Node::as_str) {
            let (done, left) = self.0.drain(..).partition(|(known, _)| known == id);
            self.0 = left;
            let done: Vec<(String, Vec<Effect>)> = done;
            for (_, effects) in done {
                run.put_effects(effects);
            }
        }
    }

    /// All of them are waited for, at the latest where the job ends.
    fn end(&mut self, run: &mut JobRun<'_>) {
        for (_, effects) in self.0.drain(..) {
            run.put_effects(effects);
        }
    }
}

fn signs_in(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|effect| matches!(effect.kind, Kind::Login { .. }))
}

impl Steps {
    /// The steps of a job. `defaults` are the `defaults.run` of the job and of the workflow.
    pub(super) fn of_job(
        run: &JobRun<'_>,
        frame: Frame,
        guards: &Rc<[Guard]>,
        defaults: [Option<Node<'_>>; 2],
    ) -> Self {
        let mut steps = Self {
            frame,
            job_guards: Rc::clone(guards),
            shell: None,
            folder: None,
            own: Vec::new(),
            others: Vec::new(),
            composite: false,
            inside: Vec::new(),
            reads_outputs: false,
        };
        let find = |key: &str| defaults.iter().flatten().find_map(|d| d.get(key));
        let shell = find("shell").map(|n| steps.scope(run).text(n));
        let folder = find("working-directory").map(|n| steps.scope(run).text(n));
        steps.shell = shell.map(|s| s.as_str().into());
        steps.folder = folder;
        steps
    }

    /// The same for the steps of a composite action, which has no defaults.
    pub(super) fn of_action(&self, folder: &RepoPath, frame: Frame) -> Self {
        let mut inside = self.inside.clone();
        inside.push((folder.clone(), Rc::clone(&frame.inputs)));
        // It sees neither the job's other steps nor the jobs before it.
        let frame = Frame {
            steps: Rc::default(),
            needs: Rc::default(),
            ..frame
        };
        Self {
            frame,
            inside,
            shell: None,
            folder: None,
            composite: true,
            ..self.clone()
        }
    }

    /// What an expression of a step sees.
    pub(super) fn scope<'s>(&'s self, run: &'s JobRun<'_>) -> Scope<'s> {
        Scope {
            cx: run.cx,
            frame: &self.frame,
            env: &run.env,
            starter: Starter::Anyone,
            looked_again: 0,
            deciding: false,
        }
    }

    /// Follows a list of steps.
    pub(super) fn follow(&mut self, run: &mut JobRun<'_>, list: Node<'_>) {
        let asked = self.composite && run.wants_outputs();
        if self.composite {
            self.reads_outputs = reads_outputs(&list.document().source().text);
        }
        let mut running = Background::default();
        for step in list.items() {
            if !run.cx.spend() {
                return;
            }
            if step.is_mapping() {
                let from = run.effects().len();
                run.inside(step.use_span(), |run| self.step(run, step));
                running.after(run, step, from);
            }
        }
        running.end(run);
        if asked {
            self.give(run, list);
        }
    }

    /// What a composite action gives to the step that uses it.
    fn give(&self, run: &mut JobRun<'_>, list: Node<'_>) {
        let declared = list.document().root().and_then(|root| root.get("outputs"));
        let entries = declared.map(Node::entries).unwrap_or_default();
        let all = entries.iter().map(|e| (e.key, e.value.get("value")));
        let outputs = self.scope(run).outputs(all);
        run.begin_outputs(true);
        for (name, value) in outputs {
            run.output(&name, value, true);
        }
    }

    fn step(&mut self, run: &mut JobRun<'_>, step: Node<'_>) {
        let [uses, condition, env, script, name] =
            step.get_all(["uses", "if", "env", "run", "name"]);
        let uses = uses.and_then(|n| Some((n, n.as_str()?)));
        // Most steps check something out or set up a language: nothing about them matters.
        if let Some((_, name)) = uses
            && table::is_quiet(table::name_and_version(name).0)
        {
            if name.starts_with("actions/checkout@") {
                self.check_out(run, step);
            }
            return;
        }
        let guards = match condition.and_then(Node::as_str) {
            None => Vec::new(),
            Some(text) => match self.step_scope(run, env, |scope| scope.condition(text)) {
                Condition::Always => Vec::new(),
                Condition::Never => return,
                Condition::When(guards) => guards,
            },
        };
        let guards: Vec<Guard> = guards
            .into_iter()
            .filter(|g| !self.job_guards.contains(g))
            .collect();
        let scalar = |node: &Node<'_>| node.as_str().is_some();
        let name = name.filter(scalar);
        let shown = name
            .or(uses.map(|(node, _)| node))
            .or(script.filter(scalar))
            .or_else(|| step.get("id"));
        let name = name_of(shown, name.is_some());
        let outer_name = self.composite.then(|| Rc::clone(&run.step));
        if outer_name.is_none() {
            run.step = name;
        }
        let outer_env = run.variables();
        if let Some(env) = env {
            run.env = super::workflow::add_env(run.cx, &self.frame, &outer_env, Some(env));
        }
        let id = step.get("id").filter(|_| self.reads_outputs);
        // A step that may be left out gives nothing then.
        let id = id.and_then(Node::as_str).filter(|_| guards.is_empty());
        run.begin_outputs(id.is_some());
        run.guarded_by(&guards, |run| {
            if let Some((node, uses)) = uses {
                self.uses(run, step, node, uses);
            } else if let Some(script) = script {
                self.run(run, step, script);
            } else if let Some(group) = step.get("parallel") {
                self.at_once(run, group);
            }
        });
        run.env = outer_env;
        // What a script wrote to `GITHUB_ENV` is there for all later steps.
        let exported = std::mem::take(&mut run.exported);
        if self.composite {
            run.exported = exported.clone();
        }
        run.env.extend(exported);
        if let Some(id) = id {
            self.keep_outputs(id, run.end_outputs());
        }
        if let Some(name) = outer_name {
            run.step = name;
        }
    }

    /// `parallel:`, steps that run at the same time: a login of one of them is there for what comes after the group,
    /// and for none of the others. <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>
    fn at_once(&mut self, run: &mut JobRun<'_>, group: Node<'_>) {
        let from = run.effects().len();
        let mut members = Vec::new();
        // A group has no groups in it.
        for step in group.items().filter(|step| step.is_mapping()) {
            if !run.cx.spend() {
                return;
            }
            if let Some(inner) = step.get("parallel") {
                run.cx.note_unread(
                    inner.document().source(),
                    inner.use_span().start,
                    "a group of parallel steps has no such groups in it, so this one was not read",
                );
                continue;
            }
            let name = Rc::clone(&run.step);
            self.step(run, step);
            run.step = name;
            members.push(run.take_effects(from));
        }
        // Those that only sign in come last, after those that sign in for themselves.
        let pulls = |effects: &[Effect]| {
            effects
                .iter()
                .any(|e| !matches!(e.kind, Kind::Login { .. }))
        };
        members.sort_by_key(|effects| (signs_in(effects), !pulls(effects)));
        for effects in members {
            run.put_effects(effects);
        }
    }

    fn keep_outputs(&mut self, id: &str, outputs: Variables) {
        let mut kept = Variables::default();
        kept.extend(
            outputs
                .into_iter()
                .filter(|(_, value)| says_something(value)),
        );
        if !kept.is_empty() {
            Rc::make_mut(&mut self.frame.steps).insert(id.to_ascii_lowercase(), kept);
        }
    }

    /// A step's `if` and `with` see its own `env`.
    fn step_scope<R>(
        &self,
        run: &JobRun<'_>,
        env: Option<Node<'_>>,
        act: impl FnOnce(&Scope<'_>) -> R,
    ) -> R {
        match env {
            None => act(&self.scope(run)),
            Some(env) => {
                let env = super::workflow::add_env(run.cx, &self.frame, &run.env, Some(env));
                act(&Scope {
                    env: &env,
                    ..self.scope(run)
                })
            }
        }
    }

    fn uses(&mut self, run: &mut JobRun<'_>, step: Node<'_>, node: Node<'_>, uses: &str) {
        let span = node.value_span();
        if uses.starts_with("docker://") {
            // Pulled before the first step: see `prepare`.
            return;
        }
        if uses == "." || uses.starts_with("./") || uses.starts_with("../") {
            action::local(run, self, step, span, uses);
            return;
        }
        let (name, version) = table::name_and_version(uses);
        match table::look_up(name) {
            Known::Does(row) => known::follow(
                run,
                self,
                row,
                &known::Use {
                    step,
                    span,
                    name,
                    version,
                },
            ),
            Known::Quiet => {}
            Known::Unlisted => {
                let source = node.document().source();
                if let Some(folder) = elsewhere::find(run.cx, source, uses) {
                    let used = action::Use {
                        step,
                        uses,
                        span,
                        folder: &folder,
                    };
                    action::follow(run, self, &used);
                    return;
                }
                run.cx.note_unlisted(name, source, node.span().start);
                self.may_sign_in(run, step, span, name);
                run.emit(span, Kind::Unlisted);
            }
        }
    }

    /// An action that nobody has listed and that is given a credential for Docker: it may sign in with
    /// it, and to say that nothing does would be a guess.
    fn may_sign_in(&self, run: &mut JobRun<'_>, step: Node<'_>, span: Span, name: &str) {
        let inputs = step.get("with").map(Node::entries).unwrap_or_default();
        let given = inputs.into_iter().find_map(|entry| {
            let value = self.scope(run).text(entry.value);
            let words = format!("{} {}", entry.key.as_str()?, run.show(&value));
            names_docker_secret(&words).then_some(value)
        });
        let Some(password) = given else {
            return;
        };
        // Where a secret is kept, or what it is to be called, is no secret.
        let is_name = |text: &str| names_docker_secret(text) || text.contains(char::is_whitespace);
        let is_secret = !password.known().is_some_and(is_name);
        let registry = format!("the registry of {name}");
        let registry = run.cx.holes.of(&registry, HoleKind::Expression);
        let store = run.docker_store();
        run.emit(
            span,
            Kind::Login {
                registry,
                username: None,
                password: is_secret.then_some(password),
                store,
                how: format!("`{name}` (which is given a credential for Docker)").into(),
                broken: None,
            },
        );
    }

    fn check_out(&mut self, run: &mut JobRun<'_>, step: Node<'_>) {
        let with = step.get("with");
        let get = |key: &str| with.and_then(|w| w.get(key));
        let path = get("path")
            .map(|n| self.scope(run).text(n))
            .unwrap_or_default();
        let Some(path) = path.known().map(tidy) else {
            return;
        };
        // A repository named by an expression is as a rule this one, or a fork of it.
        let is_this = |name: &str| {
            let found = run.cx.sources.tree().repository(name);
            let by_expression = begins(name).is_some() && !is_another_of_its_owner(name);
            name.is_empty() || by_expression || found.is_some_and(|at| at.is_root())
        };
        let foreign = get("repository")
            .and_then(Node::as_str)
            .is_some_and(|name| !is_this(name.trim()));
        if !foreign {
            self.own.push(path);
        } else {
            self.others.push(path);
        }
        run.checkout = self.checkout().into();
    }

    /// The folder of the workspace that this repository was checked out to; empty: the workspace, or
    /// several.
    fn checkout(&self) -> &str {
        match self.own.as_slice() {
            [only] => only,
            _ => "",
        }
    }

    /// Where a path that is relative to the workspace is in the repository; `None` when it is not.
    pub(super) fn in_repository(&self, path: &str) -> Option<RepoPath> {
        // One of the machine is not relative to anything.
        if path.starts_with('/') {
            return None;
        }
        let path = tidy(path);
        // Nearly every job checks out this repository alone, and at its root.
        if self.others.is_empty() && self.own.iter().all(String::is_empty) {
            return RepoPath::new(&path);
        }
        let inside = |folder: &str| match path.strip_prefix(folder) {
            Some(rest) if folder.is_empty() || rest.is_empty() => Some(rest.to_owned()),
            Some(rest) => rest.strip_prefix('/').map(str::to_owned),
            None => None,
        };
        let longest = |folders: &[String]| {
            folders
                .iter()
                .filter_map(|folder| inside(folder).map(|rest| (folder.len(), rest)))
                .max()
        };
        let own = if self.own.is_empty() && !self.others.iter().any(String::is_empty) {
            Some((0, path.clone()))
        } else {
            longest(&self.own)
        };
        match (own, longest(&self.others)) {
            (Some((own, _)), Some((other, _))) if other > own => None,
            (Some((_, rest)), _) => RepoPath::new(&rest),
            (None, _) => None,
        }
    }

    /// The same for a text, as the folder a command runs in.
    pub(super) fn folder(&self, path: &Text) -> Cwd {
        let Some(path) = path.known() else {
            // Nearly every job checks out this repository alone, and at its root.
            let at_root = self.others.is_empty() && self.own.iter().all(String::is_empty);
            return match path.as_str().starts_with('/') {
                false if at_root => Cwd::Partly(path.clone()),
                _ => Cwd::Elsewhere,
            };
        };
        if let Some(inside) = self.in_repository(path) {
            return Cwd::Inside(inside);
        }
        if path.starts_with('/') {
            return Cwd::Elsewhere;
        }
        let path = tidy(path);
        match self.checkout() {
            "" => Cwd::Elsewhere,
            at if path.is_empty() => Cwd::Above(at.into()),
            at => below(at, &path).map_or(Cwd::Elsewhere, |rest| Cwd::Above(rest.into())),
        }
    }

    fn run(&mut self, run: &mut JobRun<'_>, step: Node<'_>, script: Node<'_>) {
        let [shell, folder] = step.get_all(["shell", "working-directory"]);
        let shell: Option<Rc<str>> = match shell {
            Some(node) => Some(self.scope(run).text(node).as_str().into()),
            None => self.shell.clone(),
        };
        if shell.as_deref().is_some_and(|shell| {
            let program = shell.split([' ', '/']).next().unwrap_or("");
            ["python", "perl", "ruby", "node", "julia", "Rscript"]
                .iter()
                .any(|other| program.starts_with(other))
        }) {
            if let Some(program) = self.script(run, script) {
                shell::program_here(run, &program);
            }
            return;
        }
        let folder = match folder {
            Some(node) => self.scope(run).text(node),
            None => self.folder.clone().unwrap_or_else(|| ".".into()),
        };
        let before = std::mem::replace(&mut run.cwd, self.folder(&folder));
        // A script may change its folder before it uses the path.
        let root = run.cx.holes.of("$GITHUB_WORKSPACE", HoleKind::Variable);
        let workspace = std::mem::replace(&mut self.frame.workspace, root.as_str().into());
        let node = script;
        if let Some(script) = self.script(run, node) {
            let whole = Text::from(script.text.trim());
            if whole.is_one_hole() {
                let why = "what it runs is known only when the job does";
                run.opaque(node.value_span(), run.show(&whole), why, By::Run);
            } else {
                let windows = self.is_of_windows(shell.as_deref());
                let script = if windows {
                    shell::of_windows(script)
                } else {
                    script
                };
                shell::run_script(run, script);
                if windows {
                    run.begin_outputs(false);
                }
            }
        }
        self.frame.workspace = workspace;
        run.cwd = before;
    }

    /// Whether a script is written for another shell, of which no more is understood than its plain
    /// commands.
    fn is_of_windows(&self, shell: Option<&str>) -> bool {
        match shell {
            None => self.frame.os == Some("Windows"),
            Some(shell) => shell::is_of_windows(shell),
        }
    }

    /// A script with its expressions replaced by their values.
    pub(super) fn script(&self, run: &JobRun<'_>, node: Node<'_>) -> Option<Mapped> {
        let script = node.mapped()?;
        if begins(&script.text).is_none() {
            return Some(script);
        }
        let scope = self.scope(run);
        let mut left = MAX_VALUE;
        let edits: Vec<(usize, usize, Text)> = pieces(&script.text)
            .into_iter()
            .map(|piece| {
                let value = scope.placed_within(&script.text, &piece, &mut left);
                (piece.start, piece.end, value)
            })
            .collect();
        Some(script.replace(&edits))
    }
}

/// Whether a text may read what steps give away.
pub(super) fn reads_outputs(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), b"steps.").is_some()
}

/// Whether the name of an input, or of the secret in it, says that it is a password for Docker.
fn names_docker_secret(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let secret = ["token", "password", "passwd", "secret_key"];
    // `dockerfile_path` is none.
    let mut parts = words.split(|c: char| !c.is_ascii_alphanumeric());
    words.contains("docker")
        && (secret.iter().any(|word| words.contains(word)) || parts.any(|part| part == "pat"))
}

/// `./a//b/` as `a/b`.
fn tidy(path: &str) -> String {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect::<Vec<_>>()
        .join("/")
}

/// What the runner shows as a step's name: as written, since the values in it change nothing.
fn name_of(shown: Option<Node<'_>>, given: bool) -> Rc<str> {
    let text = shown.and_then(Node::as_str).unwrap_or("").trim();
    if given {
        return text.into();
    }
    let line = text.lines().next().unwrap_or("");
    // A line of fewer bytes has fewer characters.
    if line.len() <= MAX_NAME {
        return line.into();
    }
    match line.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or("")).into(),
        None => line.into(),
    }
}

/// A version as the tag of the action's image: a commit does not say which one that is.
pub(super) fn of_version(run: &JobRun<'_>, version: &str) -> String {
    if version.len() == 40 && version.bytes().all(|b| b.is_ascii_hexdigit()) {
        let unknown = run.cx.holes.of("?", HoleKind::Expression);
        return unknown.as_str().to_owned();
    }
    version.to_owned()
}

/// What is pulled before the steps of a job, or of a local composite action, begin: the images of
/// `docker://` and of Docker actions of other repositories.
///
/// For a job this happens in "Set up job", whatever the steps' conditions, and no step can help. A
/// local action is only there once the repository has been checked out, so the runner prepares its
/// steps when it gets to it: with whatever `docker login` has been done by then (`ActionRunner` in
/// the sources of the runner).
pub(super) fn prepare(run: &mut JobRun<'_>, steps: &Steps, list: Node<'_>) {
    let in_container = |effect: &Effect| {
        let by_container = matches!(
            &effect.kind,
            Kind::Pull {
                by: By::Container,
                ..
            }
        );
        by_container && effect.guards.is_empty()
    };
    let mut preparation = Preparation {
        composite: steps.composite,
        in_container: run.effects().iter().any(in_container),
        ..Preparation::default()
    };
    prepare_list(run, list, &mut preparation);
    if !steps.composite {
        run.step = "".into();
    }
}

/// What was prepared of the steps of a job, or of a local composite action.
#[derive(Default)]
pub(super) struct Preparation {
    /// They are those of a local composite action.
    composite: bool,
    /// The job's steps run in a container, and what they sign in to is not what the runner on the host sees.
    in_container: bool,
    /// The list in hand is that of steps that run at the same time.
    in_group: bool,
    /// How many actions the list in hand is part of.
    pub(super) nested: usize,
    /// The images that were pulled.
    images: Vec<Text>,
    /// The folders of the actions that were set up.
    pub(super) actions: HashSet<RepoPath>,
}

/// Why a login of the job does not help.
const BEFORE_THE_JOB: &str = "the runner pulls a Docker action's image before the first step, and there is no place for a credential";

/// The same in a local action, whose image the runner pulls when it gets there.
const BESIDE_THE_CONTAINER: &str = "the runner pulls a Docker action's image on the host, which does not see the logins of a job in a container, and there is no place for a credential";

/// The same for a list of steps that some action has.
pub(super) fn prepare_list(run: &mut JobRun<'_>, list: Node<'_>, preparation: &mut Preparation) {
    for step in list.items() {
        let Some(node) = step.get("uses") else {
            // A group has no groups in it.
            if !preparation.in_group
                && let Some(group) = step.get("parallel").filter(|group| group.is_sequence())
            {
                preparation.in_group = true;
                prepare_list(run, group, preparation);
                preparation.in_group = false;
            }
            continue;
        };
        let Some(uses) = node.as_str() else { continue };
        let span = node.value_span();
        let composite = preparation.composite;
        let nested = preparation.nested > 0;
        let named = |run: &mut JobRun<'_>| {
            if !composite && !nested {
                let name = step.get("name").filter(|name| name.as_str().is_some());
                run.step = name_of(name.or(Some(node)), name.is_some());
            }
        };
        if let Some(image) = uses.strip_prefix("docker://") {
            let at = Span {
                start: span.start.saturating_add(9).min(span.end),
                ..span
            };
            named(run);
            preparation.pull(
                run,
                at,
                image.trim().into(),
                "`uses: docker://` has no place for a credential",
            );
            continue;
        }
        let (name, version) = table::name_and_version(uses);
        match table::look_up(name) {
            Known::Does(row) => {
                if row
                    .setup_until
                    .as_ref()
                    .is_some_and(|until| !table::older(version, until))
                {
                    continue;
                }
                for pattern in &row.setup {
                    let path = name.rsplit('/').next().unwrap_or("");
                    let reference = of_version(run, version);
                    let image = known::with_unknown(run, pattern).replace("{@ref}", &reference);
                    let image = image.replace("{@path}", path);
                    named(run);
                    preparation.pull(run, span, image.into(), BEFORE_THE_JOB);
                }
            }
            Known::Quiet => {}
            Known::Unlisted => {
                let source = step.document().source();
                let Some(folder) = elsewhere::find(run.cx, source, uses) else {
                    continue;
                };
                let used = action::Use {
                    step,
                    uses,
                    span,
                    folder: &folder,
                };
                named(run);
                let before = run.no_credential;
                run.no_credential = match composite {
                    false => Some(BEFORE_THE_JOB),
                    true => preparation.in_container.then_some(BESIDE_THE_CONTAINER),
                };
                action::set_up(run, &used, preparation);
                run.no_credential = before;
            }
        }
    }
}

/// `${{ github.repository_owner }}/other`: another repository, but where the owner is that of a fork.
fn is_another_of_its_owner(name: &str) -> bool {
    let pieces = pieces(name);
    let [owner] = pieces.as_slice() else {
        return false;
    };
    let rest = name.get(owner.end..).unwrap_or_default();
    owner.start == 0 && rest.starts_with('/') && !owner.inner.contains("head")
}

impl Preparation {
    fn pull(&mut self, run: &mut JobRun<'_>, span: Span, image: Text, why: &'static str) {
        if image.is_empty() || self.images.contains(&image) {
            return;
        }
        self.images.push(image.clone());
        let why = match (self.composite, self.in_container) {
            (true, false) => {
                run.docker_pull(span, image, By::Action, Freshness::Always);
                return;
            }
            (true, true) => BESIDE_THE_CONTAINER,
            (false, _) => why,
        };
        run.emit(
            span,
            Kind::Pull {
                image,
                by: By::Action,
                puller: Puller::Host,
                declared: Declared::NoSyntax(why),
                freshness: Freshness::Always,
            },
        );
    }
}
