//! One workflow: what starts it, its jobs, and what GitHub pulls for each before the first step.

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::context::Context;
use crate::effect::{By, Declared, Effect, Forks, Freshness, Guard, Job, Kind, Provider, Puller};
use crate::effect::{Runner, Trace};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text};
use crate::variables::Variables;
use crate::yaml::{Document, Node};

use super::action;
use super::condition::Condition;
use super::elsewhere;
use super::evaluate::{Frame, Given, Inputs, Scope, Secrets, Starter, Value};
use super::event::Event;
use super::known;
use super::matrix::{self, Used};
use super::reusable;
use super::steps::{self, Steps};
use super::table::{self, in_lower_case};

/// Keys of a job that decide nothing about its pulls.
const IDLE_KEYS: [&str; 10] = [
    "strategy",
    "runs-on",
    "name",
    "timeout-minutes",
    "continue-on-error",
    "concurrency",
    "outputs",
    "permissions",
    "environment",
    "needs",
];

/// Keys of a step that decide nothing about its pulls.
const IDLE_STEP_KEYS: [&str; 4] = ["name", "id", "timeout-minutes", "continue-on-error"];

/// How many jobs that need each other are looked at before their turn.
const MAX_NEEDS: usize = 16;

/// How a workflow comes to run: by an event, or by the job of another workflow.
pub(super) struct Call {
    /// Events that start it (or its caller); empty: unknown.
    pub(super) events: Rc<[Event]>,
    /// Its inputs.
    pub(super) inputs: Rc<Inputs>,
    /// Its secrets.
    pub(super) secrets: Rc<Secrets>,
    /// Put before the names of its jobs: `caller / `.
    pub(super) prefix: String,
    /// The caller's conditions.
    pub(super) guards: Vec<Guard>,
    /// The caller's story.
    pub(super) trace: Trace,
    /// Who can start it.
    pub(super) forks: Forks,
    /// How many workflows have called each other.
    pub(super) depth: usize,
}

/// The jobs of one workflow file.
pub(super) fn lower<'c>(cx: &'c Context<'c>, path: &RepoPath) -> Vec<Job> {
    let Some(document) = cx.yaml(path) else {
        return Vec::new();
    };
    let Some(root) = read(cx, &document) else {
        return Vec::new();
    };
    let events = Event::all(root);
    let called_only = events.iter().all(|e| e.name == "workflow_call") && !events.is_empty();
    if called_only && reusable::has_caller(cx, path) {
        return Vec::new();
    }
    let strangers = events.iter().any(|e| {
        matches!(
            e.name.as_str(),
            "pull_request" | "pull_request_review" | "pull_request_review_comment"
        )
    });
    let call = Call {
        inputs: Rc::new(own_inputs(cx, root)),
        // Whoever calls a workflow brings the event along, and none is known when nobody does.
        events: if events.iter().any(|e| e.name == "workflow_call") {
            Rc::from([])
        } else {
            events.into()
        },
        secrets: Rc::new(Secrets::All),
        prefix: String::new(),
        guards: Vec::new(),
        trace: Trace::default(),
        forks: if strangers {
            Forks::WithoutSecrets
        } else {
            Forks::No
        },
        depth: 0,
    };
    let mut jobs = Vec::new();
    let _ = lower_called(cx, root, &call, &mut jobs);
    jobs
}

/// The root of a workflow; notes why when the document is none.
pub(super) fn read<'d>(cx: &Context<'_>, document: &'d Document) -> Option<Node<'d>> {
    let source = document.source();
    let Some(root) = document.root().filter(|root| !root.is_null()) else {
        cx.note_unread(source, 0, "the file is empty, so it is no workflow");
        return None;
    };
    let missing = if !root.is_mapping() {
        "its top level is not a mapping"
    } else if root.get("on").is_none() && root.get("true").is_none() {
        "it has no `on`, so nothing starts it"
    } else if !root.get("jobs").is_some_and(Node::is_mapping) {
        "it has no mapping `jobs`"
    } else {
        return Some(root);
    };
    cx.note_unread(
        source,
        root.span().start,
        format!("not a GitHub workflow: {missing}"),
    );
    None
}

/// The inputs of a workflow that is not called: the defaults of both of its forms.
fn own_inputs(cx: &Context<'_>, root: Node<'_>) -> Inputs {
    let mut values = BTreeMap::new();
    for event in ["workflow_call", "workflow_dispatch"] {
        let declared = root
            .get("on")
            .and_then(|on| on.get(event))
            .and_then(|on| on.get("inputs"));
        for entry in declared.map(Node::entries).unwrap_or_default() {
            if let (Some(name), Some(default)) = (entry.key.as_str(), entry.value.get("default")) {
                let value = plain_scope(cx, &bare_frame(), |scope| scope.value(default));
                values.insert(name.to_ascii_lowercase(), value);
            }
        }
    }
    Inputs {
        values,
        certain: false,
    }
}

/// A frame in which nothing of a job is known yet.
pub(super) fn bare_frame() -> Frame {
    Frame {
        events: Rc::from([]),
        matrix: Value::Null,
        inputs: Rc::new(Inputs::default()),
        secrets: Rc::new(Secrets::All),
        os: None,
        workspace: ".".into(),
        job: None,
        action: None,
        steps: Rc::default(),
        needs: Rc::default(),
    }
}

/// Evaluates without any variables.
pub(super) fn plain_scope<R>(
    cx: &Context<'_>,
    frame: &Frame,
    act: impl FnOnce(&Scope<'_>) -> R,
) -> R {
    let env = Variables::default();
    act(&Scope {
        cx,
        frame,
        env: &env,
        starter: Starter::Anyone,
        looked_again: 0,
        deciding: false,
    })
}

/// Lowers the jobs of a workflow as one call runs them. Gives the outputs of a workflow that is called.
pub(super) fn lower_called<'c>(
    cx: &'c Context<'c>,
    root: Node<'_>,
    call: &Call,
    out: &mut Vec<Job>,
) -> Variables {
    let Some(jobs) = root.get("jobs") else {
        return Variables::default();
    };
    let frame = Frame {
        events: Rc::clone(&call.events),
        inputs: Rc::clone(&call.inputs),
        secrets: Rc::clone(&call.secrets),
        ..bare_frame()
    };
    let mut workflow = Workflow {
        cx,
        root,
        jobs,
        call,
        frame,
        env: Variables::default(),
        reached: HashMap::new(),
        no_contexts: Rc::from([]),
        reads_outputs: memchr::memmem::find(root.document().source().text.as_bytes(), b".outputs")
            .is_some(),
        given: HashMap::new(),
        early: HashMap::new(),
    };
    // What the runner sets; all jobs share the one mapping until they add to it.
    let of_runner = ["CI", "GITHUB_ACTIONS"].map(|name| (name.to_owned(), "true".into()));
    workflow.env.extend(of_runner);
    workflow.env = add_env(cx, &workflow.frame, &workflow.env, root.get("env"));
    for entry in jobs.entries() {
        if !cx.spend() {
            return Variables::default();
        }
        let early = entry.key.as_str().and_then(|id| workflow.early.remove(id));
        match early {
            Some(jobs) => out.extend(jobs),
            None => workflow.job(entry.key, entry.value, 0, out),
        }
    }
    workflow.outputs()
}

/// `outer` with the variables of an `env:` mapping.
pub(super) fn add_env(
    cx: &Context<'_>,
    frame: &Frame,
    outer: &Variables,
    node: Option<Node<'_>>,
) -> Variables {
    let mut env = outer.clone();
    let scope = Scope {
        cx,
        frame,
        env: outer,
        starter: Starter::Anyone,
        looked_again: 0,
        deciding: false,
    };
    for entry in node.map(Node::entries).unwrap_or_default() {
        if let Some(name) = entry.key.as_str() {
            env.insert(name.to_owned(), scope.text(entry.value));
        }
    }
    // `env: ${{ matrix.env }}`
    if let Some(Value::Map(entries)) = node
        .filter(|node| node.as_str().is_some())
        .map(|node| scope.value(node))
    {
        for (name, value) in entries.iter() {
            env.insert(name.clone(), value.as_text());
        }
    }
    env
}

struct Workflow<'a, 'c, 'd> {
    cx: &'c Context<'c>,
    root: Node<'d>,
    jobs: Node<'d>,
    call: &'a Call,
    frame: Frame,
    env: Variables,
    /// Jobs already asked whether a stranger's pull request gets to them.
    reached: HashMap<String, bool>,
    /// Workflows name no contexts.
    no_contexts: Rc<[Vec<String>]>,
    /// Something in the file may read what steps and jobs give away.
    reads_outputs: bool,
    /// What the jobs so far have given away, those in hand included.
    given: HashMap<String, Variables>,
    /// Jobs that were lowered before their turn, because one that stands above needs their outputs.
    early: HashMap<String, Vec<Job>>,
}

impl<'c, 'd> Workflow<'_, 'c, 'd> {
    fn scope<'s>(&'s self, frame: &'s Frame, env: &'s Variables) -> Scope<'s> {
        Scope {
            cx: self.cx,
            frame,
            env,
            starter: Starter::Anyone,
            looked_again: 0,
            deciding: false,
        }
    }

    /// The outputs of the jobs that a job needs and asks for outputs. One that stands further down is
    /// lowered now.
    fn needs_of(&mut self, job: Node<'d>, depth: usize) -> Rc<Given> {
        let mut out = Given::new();
        let source = job.document().source();
        let text = source.slice(job.span().start, job.span().end);
        let asks = |word: &[u8]| memchr::memmem::find(text.as_bytes(), word).is_some();
        if !self.reads_outputs || !asks(b"needs.") && !asks(b"needs[") {
            return Rc::default();
        }
        let needs = job.get("needs").map(Node::one_or_many).unwrap_or_default();
        for name in needs.into_iter().filter_map(Node::as_str) {
            if !self.given.contains_key(name) && depth < MAX_NEEDS {
                let entries = self.jobs.entries();
                let entry = entries.iter().find(|e| e.key.as_str() == Some(name));
                if let Some(entry) = entry {
                    let mut early = Vec::new();
                    self.job(entry.key, entry.value, depth + 1, &mut early);
                    self.early.insert(name.to_owned(), early);
                }
            }
            if let Some(given) = self.given.get(name).filter(|given| !given.is_empty()) {
                out.insert(name.to_ascii_lowercase(), given.clone());
            }
        }
        Rc::new(out)
    }

    /// A job has given this away in one of its combinations; what they do not agree on is not known.
    fn give(&mut self, id: &str, outputs: Variables, first: bool) {
        let given = self.given.entry(id.to_owned()).or_default();
        if first {
            *given = outputs;
        } else {
            let differ: Vec<String> = given
                .iter()
                .filter(|(name, value)| outputs.get(*name) != Some(value))
                .map(|(name, _)| name.clone())
                .collect();
            for name in differ {
                given.remove(&name);
            }
        }
    }

    /// What a called workflow gives to its caller.
    fn outputs(&self) -> Variables {
        let declared = self
            .root
            .get("on")
            .or_else(|| self.root.get("true"))
            .and_then(|on| on.get("workflow_call"))
            .and_then(|call| call.get("outputs"));
        let Some(declared) = declared.filter(|_| self.call.depth > 0) else {
            return Variables::default();
        };
        let given = self.given.iter();
        let frame = Frame {
            needs: Rc::new(
                given
                    .map(|(id, outputs)| (id.to_ascii_lowercase(), outputs.clone()))
                    .collect(),
            ),
            ..self.frame.clone()
        };
        let entries = declared.entries();
        let all = entries.iter().map(|e| (e.key, e.value.get("value")));
        self.scope(&frame, &self.env).outputs(all)
    }

    fn job(&mut self, key: Node<'d>, job: Node<'d>, depth: usize, out: &mut Vec<Job>) {
        let Some(id) = key.as_str() else { return };
        if !job.is_mapping() {
            if !job.is_null() {
                let message = format!("job `{id}` is not a mapping");
                self.cx
                    .note_unread(self.root.document().source(), key.span().start, message);
            }
            return;
        }
        let [condition, strategy, uses, runs_on] =
            job.get_all(["if", "strategy", "uses", "runs-on"]);
        if self.reads_outputs {
            // Jobs that need each other in a circle end here.
            self.given.insert(id.to_owned(), Variables::default());
        }
        let outer = Frame {
            needs: self.needs_of(job, depth),
            job: Some(id.into()),
            ..self.frame.clone()
        };
        let mut guards = self.call.guards.clone();
        if let Some(text) = condition.and_then(Node::as_str) {
            match self.scope(&self.frame, &self.env).condition(text) {
                Condition::Always => {}
                Condition::Never => return,
                Condition::When(own) => {
                    guards.extend(own.into_iter().filter(|g| !self.call.guards.contains(g)));
                }
            }
        }
        let forks = if self.call.forks == Forks::WithoutSecrets && self.stranger_reaches(id, 0) {
            Forks::WithoutSecrets
        } else {
            Forks::No
        };
        // All of it may come out of another job: `strategy: ${{ fromJson(needs.x.outputs.strategy) }}`.
        let strategy = strategy.and_then(|s| match s.is_mapping() {
            true => s.get("matrix"),
            false => Some(s),
        });
        let scope = self.scope(&outer, &self.env);
        let combinations = matrix::expand(&scope, strategy);
        let used = match combinations.len() {
            0 | 1 => Used::Everything,
            _ => used(self.cx, job),
        };
        if let Some(uses) = uses {
            let mut done: Vec<Value> = Vec::new();
            for (index, combination) in combinations.into_iter().enumerate() {
                if done.iter().any(|other| used.agree(other, &combination)) {
                    continue;
                }
                done.push(combination.clone());
                let frame = with_matrix(&outer, combination);
                if let Some(row) = reusable::of_table(self.cx, uses) {
                    let shared: Rc<[Guard]> = guards.as_slice().into();
                    let effects = self.effects_of_known(row, job, uses, frame, &shared);
                    out.push(self.made(key, id, (Runner::Hosted, None), forks, &shared, effects));
                    continue;
                }
                let caller = reusable::Caller {
                    id,
                    job,
                    uses,
                    guards: &guards,
                    forks,
                };
                let outputs = reusable::lower(self.cx, self.call, &frame, &self.env, &caller, out);
                if self.reads_outputs {
                    self.give(id, outputs, index == 0);
                }
            }
            return;
        }
        let shared: Rc<[Guard]> = guards.as_slice().into();
        let first = out.len();
        let mut done = Vec::new();
        for (index, combination) in combinations.into_iter().enumerate() {
            if !self.cx.spend() {
                return;
            }
            let mut frame = with_matrix(&outer, combination.clone());
            let (runner, os) = runner(&self.scope(&frame, &self.env), runs_on);
            let same =
                |(other, on): &(Value, _)| *on == (runner, os) && used.agree(other, &combination);
            if done.iter().any(same) {
                continue;
            }
            done.push((combination, (runner, os)));
            frame.os = os;
            let (effects, outputs) = self.effects(job, id, frame, runner, &shared);
            if self.reads_outputs {
                self.give(id, outputs, index == 0);
            }
            let same =
                |other: &Job| other.runner == runner && same_effects(&other.effects, &effects);
            let of_job = out.get_mut(first..).unwrap_or_default();
            if let Some(known) = of_job.iter_mut().find(|other| same(other)) {
                known.os = known.os.filter(|known| Some(*known) == os);
                continue;
            }
            out.push(self.made(key, id, (runner, os), forks, &shared, effects));
        }
    }

    /// A job of this workflow, of what it does.
    fn made(
        &self,
        key: Node<'d>,
        id: &str,
        (runner, os): (Runner, Option<&'static str>),
        forks: Forks,
        guards: &Rc<[Guard]>,
        effects: Vec<Effect>,
    ) -> Job {
        Job {
            provider: Provider::GitHub,
            file: key.span().file,
            name: match self.call.prefix.as_str() {
                "" => id.into(),
                prefix => format!("{prefix}{id}").into(),
            },
            span: key.span(),
            runner,
            forks,
            platform_credential: false,
            os,
            guards: Rc::clone(guards),
            effects,
            contexts: Rc::clone(&self.no_contexts),
            own_contexts: Rc::clone(&self.no_contexts),
            reached: true,
        }
    }

    /// What a job does that calls a workflow which the table knows.
    fn effects_of_known(
        &self,
        row: &table::Row,
        job: Node<'d>,
        uses: Node<'d>,
        frame: Frame,
        guards: &Rc<[Guard]>,
    ) -> Vec<Effect> {
        let (name, version) = table::name_and_version(uses.as_str().unwrap_or_default());
        let mut run = JobRun::new(self.cx);
        run.trace = self
            .call
            .trace
            .then(uses.span(), format!("the job calls the workflow `{name}`"));
        let mut steps = Steps::of_job(&run, frame, guards, [None, None]);
        let used = known::Use {
            step: job,
            span: uses.span(),
            name,
            version,
        };
        known::follow_workflow(&mut run, &mut steps, row, &used);
        run.finish()
    }

    /// Whether a pull request from a fork starts this job: its own condition allows it, and so do
    /// those of the jobs that it needs.
    fn stranger_reaches(&mut self, id: &str, depth: usize) -> bool {
        if let Some(&known) = self.reached.get(id) {
            return known;
        }
        // Jobs cannot need each other in a circle; this only ends a file in which they do.
        self.reached.insert(id.to_owned(), true);
        let Some(job) = self.jobs.get(id) else {
            return true;
        };
        let [condition, needs] = job.get_all(["if", "needs"]);
        let written = condition.and_then(Node::as_str).unwrap_or("");
        let scope = Scope {
            starter: Starter::Fork,
            ..self.scope(&self.frame, &self.env)
        };
        let mut reached = scope.condition(written) != Condition::Never;
        let regardless = ["always(", "failure(", "cancelled("];
        if depth < 32 && !regardless.iter().any(|word| written.contains(word)) {
            for need in needs.map(Node::one_or_many).unwrap_or_default() {
                if !reached {
                    break;
                }
                if let Some(name) = need.as_str() {
                    reached = self.stranger_reaches(name, depth + 1);
                }
            }
        }
        self.reached.insert(id.to_owned(), reached);
        reached
    }

    /// What a job does, and what it gives to the jobs that need it.
    fn effects(
        &self,
        job: Node<'d>,
        id: &str,
        frame: Frame,
        runner: Runner,
        guards: &Rc<[Guard]>,
    ) -> (Vec<Effect>, Variables) {
        let [env, container, services, list, defaults, declared] = job.get_all([
            "env",
            "container",
            "services",
            "steps",
            "defaults",
            "outputs",
        ]);
        let mut outputs = Variables::default();
        let mut run = JobRun::new(self.cx);
        run.trace = self.call.trace.clone();
        run.env = add_env(self.cx, &frame, &self.env, env);
        if let Some(os) = frame.os {
            run.env.insert("RUNNER_OS".to_owned(), os.into());
            // GitHub's own machines with macOS have no Docker, those with Windows run images of Windows.
            run.has_engine = os == "Linux" || runner != Runner::Hosted;
        }
        containers(&mut run, &frame, container, services);
        if let Some(list) = list {
            let defaults =
                [defaults, self.root.get("defaults")].map(|d| d.and_then(|d| d.get("run")));
            let mut steps = Steps::of_job(&run, frame, guards, defaults);
            let source = job.document().source();
            steps.reads_outputs = self.reads_outputs
                && steps::reads_outputs(source.slice(job.span().start, job.span().end));
            self.cx.share(id, || {
                steps::prepare(&mut run, &steps, list);
                steps.follow(&mut run, list);
            });
            if let Some(declared) = declared.filter(|_| self.reads_outputs) {
                let mut frame = steps.frame;
                if frame.matrix != Value::Null {
                    // Which combination is the last to end, nobody knows.
                    let scope = self.scope(&self.frame, &self.env);
                    let unknown = scope.unknown("matrix", HoleKind::Expression);
                    frame.matrix = unknown;
                }
                let entries = declared.entries();
                let all = entries.iter().map(|e| (e.key, Some(e.value)));
                outputs = self.scope(&frame, &run.env).outputs(all);
            }
        }
        (run.finish(), outputs)
    }
}

fn with_matrix(outer: &Frame, matrix: Value) -> Frame {
    Frame {
        matrix,
        ..outer.clone()
    }
}

fn same_effects(a: &[Effect], b: &[Effect]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            a.span == b.span && a.step == b.step && a.kind == b.kind && a.guards == b.guards
        })
}

/// What of the matrix decides about a job's pulls. Composite actions see it, too.
pub(super) fn used(cx: &Context<'_>, job: Node<'_>) -> Used {
    let mut used = Used::nothing();
    if has_aliases(job) {
        return Used::Everything;
    }
    let mut actions = Vec::new();
    for entry in job.entries() {
        match entry.key.as_str() {
            Some(key) if IDLE_KEYS.contains(&key) => {}
            Some("steps") => used_by_steps(cx, entry.value, &mut used, &mut actions),
            _ => used.note(slice(entry.value)),
        }
    }
    let mut next = 0;
    while let Some(folder) = actions.get(next).cloned() {
        next += 1;
        let document = action::definition(cx, &folder);
        let Some(runs) = document.as_ref().and_then(|d| d.root()?.get("runs")) else {
            continue;
        };
        if has_aliases(runs) || !cx.spend() {
            return Used::Everything;
        }
        if let Some(steps) = runs.get("steps") {
            used_by_steps(cx, steps, &mut used, &mut actions);
        }
    }
    used
}

/// The same of a list of steps. Of the actions that they use, adds those whose files can be had.
fn used_by_steps(cx: &Context<'_>, steps: Node<'_>, used: &mut Used, actions: &mut Vec<RepoPath>) {
    let source = steps.document().source();
    for step in steps.items().filter(|step| !is_quiet(*step)) {
        for part in step.entries() {
            let key = part.key.as_str();
            if !key.is_some_and(|k| IDLE_STEP_KEYS.contains(&k)) {
                used.note(slice(part.value));
            }
            if key == Some("parallel") {
                used_by_steps(cx, part.value, used, actions);
            }
        }
        let uses = step.get("uses").and_then(Node::as_str);
        let folder = uses.and_then(|uses| match uses.starts_with('.') {
            true => action::wherever_checked_out(cx, uses),
            false => elsewhere::find(cx, source, uses),
        });
        actions.extend(folder.filter(|folder| !actions.contains(folder)));
    }
}

fn slice(node: Node<'_>) -> &str {
    let source = node.document().source();
    source.slice(node.span().start, node.span().end)
}

/// Whether a part of it may stand elsewhere in its file.
fn has_aliases(node: Node<'_>) -> bool {
    memchr::memmem::find(slice(node).as_bytes(), b": *").is_some()
}

/// Whether a step is one of an action that nothing comes of.
fn is_quiet(step: Node<'_>) -> bool {
    let uses = step.get("uses").and_then(Node::as_str);
    // Where a checkout puts the repository counts.
    uses.map(|uses| table::name_and_version(uses).0)
        .is_some_and(|name| name != "actions/checkout" && table::is_quiet(name))
}

/// Whose machine the labels mean, and its `runner.os`.
fn runner(scope: &Scope<'_>, node: Option<Node<'_>>) -> (Runner, Option<&'static str>) {
    let Some(node) = node else {
        return (Runner::Unknown, None);
    };
    let value = match node.get("labels") {
        Some(labels) => scope.value(labels),
        None => scope.value(node),
    };
    let labels = match &value {
        Value::List(items) => items.as_slice(),
        Value::Map(_) => &[],
        one => std::slice::from_ref(one),
    };
    let mut runner = Runner::Unknown;
    let mut os = None;
    for label in labels.iter().map(Value::as_text) {
        let label = in_lower_case(label.as_str());
        if label == "self-hosted" {
            runner = Runner::SelfHosted;
        }
        for (start, name) in [
            ("ubuntu-", "Linux"),
            ("windows-", "Windows"),
            ("macos-", "macOS"),
        ] {
            if label.starts_with(start) {
                os = Some(name);
                if runner == Runner::Unknown {
                    runner = Runner::Hosted;
                }
            }
        }
    }
    (runner, os)
}

/// `container:` and `services:`, which the runner pulls before the first step.
fn containers(
    run: &mut JobRun<'_>,
    frame: &Frame,
    container: Option<Node<'_>>,
    services: Option<Node<'_>>,
) {
    let services = services.filter(|s| !s.is_null());
    if container.is_none() && services.is_none() {
        return;
    }
    let env = run.variables();
    let cx = run.cx;
    let scope = Scope {
        cx,
        frame,
        env: &env,
        starter: Starter::Anyone,
        looked_again: 0,
        deciding: false,
    };
    if let Some(container) = container {
        place(run, &scope, container, By::Container);
    }
    let Some(services) = services else { return };
    if services.is_mapping() {
        for entry in services.entries() {
            place(run, &scope, entry.value, By::Service);
        }
    } else if let Value::Map(entries) = scope.value(services) {
        for (_, value) in entries.iter() {
            place_value(run, &scope, services.span(), value, None, By::Service, None);
        }
    } else {
        let what = run.show(&scope.text(services));
        let why = "the services are an expression that cannot be resolved";
        run.opaque(services.span(), what, why, By::Service);
    }
}

/// One container: a name, a mapping with an image, or an expression for either.
fn place(run: &mut JobRun<'_>, scope: &Scope<'_>, node: Node<'_>, by: By) {
    let [image, credentials] = if node.is_mapping() {
        node.get_all(["image", "credentials"])
    } else {
        [Some(node), None]
    };
    let Some(image) = image else { return };
    let span = image.value_span();
    let Some(written) = image.as_str().filter(|_| !image.is_null()) else {
        return;
    };
    let declared = credentials.map(|c| credential(scope, c));
    for (guards, value) in scope.choices(written) {
        run.guarded_by(&guards, |run| {
            place_value(
                run,
                scope,
                span,
                &value,
                declared.clone(),
                by,
                Some(node.span()),
            );
        });
    }
}

fn place_value(
    run: &mut JobRun<'_>,
    scope: &Scope<'_>,
    span: Span,
    value: &Value,
    declared: Option<Declared>,
    by: By,
    slot: Option<Span>,
) {
    // `container: ${{ matrix.container }}` may stand for a whole mapping.
    let (image, declared, slot) = match value {
        Value::Map(_) => {
            let part = |name: &str| {
                value
                    .get("credentials")
                    .and_then(|c| c.get(name))
                    .map(Value::as_text)
                    .unwrap_or_default()
            };
            let own = value.get("credentials").map(|_| {
                let (username, password) = (part("username"), part("password"));
                Declared::Credential {
                    sometimes_empty: scope.sometimes_empty(&username)
                        || scope.sometimes_empty(&password),
                    username,
                    password,
                    span,
                }
            });
            let image = value.get("image").map(Value::as_text).unwrap_or_default();
            (image, own, None)
        }
        other => (other.as_text(), declared, slot),
    };
    let mut image = image.as_str().trim();
    while let Some(rest) = image.strip_prefix("docker://") {
        image = rest;
    }
    let image = Text::new(image);
    if image.is_empty() {
        return;
    }
    run.emit_at(
        span,
        Kind::Pull {
            image,
            by,
            puller: Puller::Host,
            declared: declared.unwrap_or(Declared::None),
            freshness: Freshness::Always,
        },
        slot,
    );
}

fn credential(scope: &Scope<'_>, node: Node<'_>) -> Declared {
    let (username, password) = if node.is_mapping() {
        let part = |name: &str| node.get(name).map(|n| scope.text(n)).unwrap_or_default();
        (part("username"), part("password"))
    } else {
        match scope.value(node) {
            Value::Null => return Declared::None,
            value @ Value::Map(_) => {
                let part = |name: &str| value.get(name).map(Value::as_text).unwrap_or_default();
                (part("username"), part("password"))
            }
            value => return Declared::Unknown(scope.cx.holes.show(value.as_text().as_str())),
        }
    };
    Declared::Credential {
        sometimes_empty: scope.sometimes_empty(&username) || scope.sometimes_empty(&password),
        username,
        password,
        span: node.span(),
    }
}
