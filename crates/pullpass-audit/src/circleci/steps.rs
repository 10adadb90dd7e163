//! The steps of a job in order: scripts go to the shell's reader, commands are followed wherever
//! they are declared, and conditions become guards.

use std::rc::Rc;

use crate::effect::{By, Effect, Guard, Kind};
use crate::reference::{DOCKER_HUB, canonical_registry};
use crate::run::JobRun;
use crate::shell;
use crate::source::Span;
use crate::text::Text;
use crate::yaml::{Document, Node};

use super::Lowering;
use super::orb;
use super::parameters::{Frame, Value};
use super::scope::{Found, Origin, Scope};
use super::unreached::MAX_DEPTH;

/// Steps of CircleCI itself that pull nothing.
const HARMLESS: [&str; 11] = [
    "save_cache",
    "restore_cache",
    "store_artifacts",
    "store_test_results",
    "persist_to_workspace",
    "attach_workspace",
    "add_ssh_keys",
    "add-ssh-keys",
    "add_known_hosts",
    "unless_matched",
    "restore-cache",
];

/// Shells that run something other than shell commands.
const OTHER_LANGUAGES: [&str; 5] = ["python", "node", "ruby", "perl", "php"];

/// Whether a step that nothing declares was meant to sign in to Docker Hub: `dockerhub_login`, `docker/check`.
fn is_meant_to_sign_in(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let signs_in = name.contains("login") || name.ends_with("/check");
    name.contains("docker") && signs_in
}

/// What the steps of one job share beside the run itself.
pub(super) struct Walk {
    /// The job's `shell`.
    pub(super) shell: Text,
    /// The commands that are being followed.
    pub(super) open: Vec<Open>,
}

/// A command that is being followed.
pub(super) struct Open {
    /// Only compared, never looked through.
    document: *const Document,
    node: u32,
    span: Span,
}

impl Open {
    fn of(node: Node<'_>) -> Self {
        Self {
            document: std::ptr::from_ref(node.document()),
            node: node.identity(),
            span: node.span(),
        }
    }

    /// Whether a step is written in it, and not only handed to it.
    fn has(&self, step: Node<'_>) -> bool {
        let at = step.use_span();
        std::ptr::eq(self.document, step.document())
            && (self.span.start..self.span.end).contains(&at.start)
    }
}

impl Walk {
    /// Of steps that no job has.
    fn alone() -> Self {
        Self {
            shell: Text::default(),
            open: Vec::new(),
        }
    }
}

impl<'c, 'd> Lowering<'c, 'd> {
    /// A job about to start.
    pub(super) fn run(&self) -> JobRun<'c> {
        let mut run = JobRun::new(self.cx);
        run.is_setup = self.is_setup();
        run.works_in("");
        run
    }

    /// Follows a list of steps, or a parameter that is one.
    pub(super) fn steps(&self, run: &mut JobRun<'c>, walk: &mut Walk, steps: &Value<'d>) {
        let (steps, _) = self.resolver.follow(steps);
        if !steps.node.is_sequence() {
            return;
        }
        // Counted as a call: a list may hold an alias of itself.
        run.deeper(|run| {
            for item in steps.node.items() {
                if !self.cx.spend() {
                    return;
                }
                let item = steps.at(item);
                if item.frame.pin.is_some() {
                    self.step(run, walk, &item);
                } else {
                    let span = item.node.use_span();
                    run.inside(span, |run| self.step(run, walk, &item));
                }
            }
        });
    }

    fn step(&self, run: &mut JobRun<'c>, walk: &mut Walk, step: &Value<'d>) {
        if step.node.as_str().is_some() {
            let (at, _) = self.resolver.follow(step);
            if at.node.as_str().is_some() {
                self.call(run, walk, &at, None);
            } else {
                self.steps(run, walk, &at);
            }
            return;
        }
        if step.node.is_sequence() {
            self.steps(run, walk, step);
            return;
        }
        for entry in step.node.entries() {
            let arguments = step.at(entry.value);
            self.call(run, walk, &step.at(entry.key), Some(&arguments));
        }
    }

    /// One step: its name, and what is given to it.
    fn call(
        &self,
        run: &mut JobRun<'c>,
        walk: &mut Walk,
        named: &Value<'d>,
        arguments: Option<&Value<'d>>,
    ) {
        let name = self.resolver.text(named);
        let name = name.as_str().trim();
        match (name, arguments) {
            ("run" | "deploy", Some(arguments)) => self.run_step(run, walk, arguments),
            ("checkout", Some(arguments)) => {
                if let (Some(path), Some(folders)) = (arguments.get("path"), &mut run.folders) {
                    folders.check_out_at(self.resolver.text(&path).as_str());
                }
            }
            ("checkout", None) => {}
            ("setup_remote_docker", _) => run.has_asked_for_engine = true,
            ("when", Some(arguments)) => self.when(run, walk, arguments, true),
            ("unless", Some(arguments)) => self.when(run, walk, arguments, false),
            ("steps", Some(arguments)) => self.steps(run, walk, arguments),
            _ if HARMLESS.contains(&name) => {}
            _ => {
                if let (Origin::Table(_), Some(arguments)) = (named.frame.scope.origin, arguments)
                    && orb::effect(self, run, name, arguments)
                {
                    return;
                }
                self.command(run, walk, named, name, arguments);
            }
        }
    }

    fn when(&self, run: &mut JobRun<'c>, walk: &mut Walk, arguments: &Value<'d>, holds: bool) {
        let Some(steps) = arguments.get("steps") else {
            return;
        };
        let Some(condition) = arguments.get("condition") else {
            return self.steps(run, walk, &steps);
        };
        let condition = self.resolver.condition(&condition);
        let condition = if holds { condition } else { condition.not() };
        match condition.guard() {
            Ok(guard) => run.guarded(guard, |run| self.steps(run, walk, &steps)),
            Err(true) => self.steps(run, walk, &steps),
            Err(false) => {}
        }
    }

    fn command(
        &self,
        run: &mut JobRun<'c>,
        walk: &mut Walk,
        named: &Value<'d>,
        name: &str,
        arguments: Option<&Value<'d>>,
    ) {
        let shown = self.cx.holes.show(name);
        let found = named
            .frame
            .scope
            .find(self.cx, self.shelf, "commands", name);
        match found {
            Found::Here(node, scope) => {
                if matches!(scope.origin, Origin::Written) {
                    self.called.borrow_mut().insert(node.use_span());
                }
                let span = named.use_span();
                let command = Open::of(node);
                let is_it =
                    |open: &Open| open.document == command.document && open.node == command.node;
                let outer = walk.open.iter().position(is_it);
                let since = outer.and_then(|outer| walk.open.get(outer..));
                // The steps that a command is given may call it, too.
                if since.is_some_and(|since| since.iter().any(|open| open.has(named.node))) {
                    self.cx.note_unread(
                        named.node.document().source(),
                        span.start,
                        format!("the command `{shown}` calls itself, so it is not followed again"),
                    );
                    return;
                }
                let pin = scope.pin(span);
                let mut frame = self.resolver.bind(node, &scope, arguments, &[], pin);
                if let Origin::Table(row) = scope.origin {
                    frame.label = Some(match name.split_once('/') {
                        Some((_, inner)) => row.label(inner),
                        None => row.label(name),
                    });
                    frame.misspelt = orb::misspelt(node, arguments, &row.name)
                        .or_else(|| named.frame.misspelt.clone());
                }
                let body = Value::new(node, &Rc::new(frame));
                let note = format!("command `{shown}`");
                let Some(steps) = body.get("steps") else {
                    return;
                };
                walk.open.push(command);
                run.traced(span, note, |run| self.steps(run, walk, &steps));
                walk.open.pop();
            }
            Found::Unlisted(_) => self.given_steps(run, walk, arguments),
            Found::Unknown { import, span } => {
                self.unknown_orb(run, &import, span);
                self.given_steps(run, walk, arguments);
            }
            Found::Undeclared => {
                self.undeclared(named, "command", &shown);
                if is_meant_to_sign_in(&shown) && named.frame.pin.is_none() {
                    let (kind, what) = match shown.split_once('/') {
                        Some((orb, _)) if !named.frame.scope.declares_orb(orb) => ("orb", orb),
                        _ => ("command", shown.as_str()),
                    };
                    let kind = Kind::Login {
                        registry: Text::default(),
                        username: None,
                        password: None,
                        store: run.docker_store(),
                        how: format!("`{shown}`").into(),
                        broken: Some(
                            format!("the {kind} `{what}` is not declared where it is called")
                                .into(),
                        ),
                    };
                    run.emit(named.use_span(), kind);
                }
                self.given_steps(run, walk, arguments);
            }
        }
    }

    /// The steps that are handed to a command or job of which nothing else is known. Only a
    /// parameter of steps takes a list, so every list is steps.
    pub(super) fn given_steps(
        &self,
        run: &mut JobRun<'c>,
        walk: &mut Walk,
        arguments: Option<&Value<'d>>,
    ) {
        let Some(arguments) = arguments else { return };
        for entry in arguments.node.entries() {
            let reserved = [
                "requires",
                "context",
                "pre-steps",
                "post-steps",
                "filters",
                "matrix",
            ];
            if entry.value.is_sequence()
                && !entry.key.as_str().is_some_and(|k| reserved.contains(&k))
            {
                self.steps(run, walk, &arguments.at(entry.value));
            }
        }
    }

    /// Says once that nothing is known of an orb.
    pub(super) fn unknown_orb(&self, run: &mut JobRun<'c>, import: &str, span: Span) {
        let name = import.split('@').next().unwrap_or(import);
        if !self.cx.first_time(&format!("orb {name}")) {
            return;
        }
        let import = self.cx.holes.show(import);
        let why =
            format!("what this orb pulls is not known; give its source with `--orb {name}=FILE`");
        run.opaque(span, format!("orb `{import}`"), why, By::Orb);
    }

    fn run_step(&self, run: &mut JobRun<'c>, walk: &mut Walk, step: &Value<'d>) {
        let (step, _) = self.resolver.follow(step);
        let command = if step.node.is_mapping() {
            step.get("command")
        } else {
            Some(step.clone())
        };
        let Some(script) = command.and_then(|c| self.resolver.script(&c)) else {
            return;
        };
        let shell = step.get("shell").map(|s| self.resolver.text(&s));
        let shell = shell.as_ref().unwrap_or(&walk.shell).as_str();
        let is_program = OTHER_LANGUAGES.iter().any(|l| shell.contains(l))
            || shell::is_of_another_language(&script.text);
        let first_line = || script.text.trim().lines().next().unwrap_or("").to_owned();
        let name = match step.get("name").map(|n| self.resolver.text(&n)) {
            Some(name) if !name.is_empty() => name.as_str().to_owned(),
            _ => first_line(),
        };
        let name: Rc<str> = match &step.frame.label {
            // The table's own words are nothing that a person has written.
            Some(label) => Rc::clone(label),
            None => self.cx.holes.show(&name).into(),
        };
        let script = if shell::is_of_windows(shell) && !is_program {
            shell::of_windows(script)
        } else {
            script
        };
        let folder = step
            .get("working_directory")
            .map(|w| self.resolver.text(&w));
        let folder = folder.as_ref().map_or("", Text::as_str);
        let failed = step.get("when").map(|w| self.resolver.text(&w));

        let before = run.variables();
        let own = run.folders.as_ref().map(|folders| folders.of_step(folder));
        let own = own.unwrap_or_else(|| run.cwd.clone());
        let cwd = std::mem::replace(&mut run.cwd, own);
        let step_before = std::mem::replace(&mut run.step, name);
        self.environment(run, step.get("environment").as_ref());
        let act = |run: &mut JobRun<'c>| match is_program {
            true => shell::program_here(run, &script),
            false => shell::run_script(run, script),
        };
        if failed.is_some_and(|w| w.as_str() == "on_fail") {
            let guard = Guard::when("an earlier step has failed");
            run.guarded(guard, act);
        } else {
            act(run);
        }
        run.step = step_before;
        run.cwd = cwd;
        run.env = before;
        run.env.extend(std::mem::take(&mut run.exported));
    }

    /// Notes a name that means nothing where it stands, once per file.
    pub(super) fn undeclared(&self, value: &Value<'d>, kind: &str, name: &str) {
        // What is written in the table is ours to mend, not the reader's.
        if value.frame.pin.is_some() {
            return;
        }
        let (kind, name) = match name.split_once('/') {
            Some((orb, _)) if !value.frame.scope.declares_orb(orb) => ("orb", orb),
            _ => (kind, name),
        };
        let source = value.node.document().source();
        let root = Rc::ptr_eq(&value.frame.scope, &self.resolver.root.scope);
        let note = if root {
            format!("the {kind} `{name}` is not declared in this file")
        } else {
            format!(
                "the {kind} `{name}` is not declared here: an inline orb sees only what is declared inside itself"
            )
        };
        if self.cx.first_time(&format!("{} {note}", source.path)) {
            self.cx
                .note_unread(source, value.node.use_span().start, note);
        }
    }

    /// Notes the commands that sign in to Docker Hub and that nothing calls: of the file, and of its inline orbs.
    pub(super) fn note_unused_logins(&self) {
        self.note_unused_in(&self.resolver.root.scope, "", 0);
    }

    fn note_unused_in(&self, scope: &Rc<Scope<'d>>, prefix: &str, depth: usize) {
        let section = |name: &'static str| scope.sections(name).flat_map(Node::entries);
        for entry in section("commands") {
            let Some(name) = entry.key.as_str() else {
                continue;
            };
            let is_called = self.called.borrow().contains(&entry.value.use_span());
            if is_called || !entry.value.is_mapping() || !self.cx.spend() {
                continue;
            }
            let frame = self.resolver.bind(entry.value, scope, None, &[], None);
            let body = Value::new(entry.value, &Rc::new(frame));
            let Some(steps) = body.get("steps") else {
                continue;
            };
            let mut run = self.run();
            self.steps(&mut run, &mut Walk::alone(), &steps);
            let signs_in = run.effects().iter().any(|effect| {
                matches!(&effect.kind, Kind::Login { registry, broken: None, .. }
                    if registry.known().is_some_and(|r| canonical_registry(r) == DOCKER_HUB))
            });
            if signs_in {
                let name = format!("{prefix}{name}");
                self.cx.note_unused(entry.key.use_span(), &name);
            }
        }
        for entry in section("orbs") {
            if depth < MAX_DEPTH
                && entry.value.is_mapping()
                && let Some(name) = entry.key.as_str()
                && let Some(inner) = scope.written_orb(self.cx, self.shelf, name)
            {
                self.note_unused_in(&inner, &format!("{prefix}{name}/"), depth + 1);
            }
        }
    }

    /// What the command that is defined at `definition`, in this scope or in an inline orb of it, does when a
    /// step is its name and nothing else.
    pub(super) fn command_at(
        &self,
        scope: &Rc<Scope<'d>>,
        definition: Span,
        depth: usize,
    ) -> Vec<Effect> {
        let section = |name: &str| scope.root.get(name).map(Node::entries).unwrap_or_default();
        let command = section("commands")
            .into_iter()
            .find(|entry| entry.value.use_span() == definition);
        if let Some(entry) = command {
            let mut run = self.run();
            let named = Value::new(entry.key, &Rc::new(Frame::of(scope, None)));
            self.call(&mut run, &mut Walk::alone(), &named, None);
            return run.finish();
        }
        section("orbs")
            .into_iter()
            .filter(|entry| depth < MAX_DEPTH && entry.value.is_mapping())
            .filter_map(|entry| scope.written_orb(self.cx, self.shelf, entry.key.as_str()?))
            .map(|orb| self.command_at(&orb, definition, depth + 1))
            .find(|effects| !effects.is_empty())
            .unwrap_or_default()
    }

    /// A frame of the root, for what is written in a workflow.
    pub(super) fn frame_with(&self, matrix: Vec<(&'d str, Value<'d>)>) -> Rc<Frame<'d>> {
        if matrix.is_empty() {
            return Rc::clone(&self.resolver.root);
        }
        let mut frame = Frame::of(&self.resolver.root.scope, None);
        frame.matrix = matrix;
        Rc::new(frame)
    }
}
