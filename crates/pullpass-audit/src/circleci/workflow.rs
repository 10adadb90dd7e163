//! Workflows decide which jobs run, and with which values: one job run for each way a workflow
//! calls it, and for each combination of a matrix.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::effect::{Effect, Forks, Job, Provider};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::Text;
use crate::yaml::Node;

use super::Lowering;
use super::orb;
use super::parameters::Value;
use super::scope::{Found, Origin, Scope};
use super::steps::Walk;

/// Combinations of one matrix; CircleCI refuses more.
const MAX_COMBINATIONS: usize = 128;

/// How deep lists of jobs, and groups of them, may stand in each other.
const MAX_DEPTH: usize = 8;

/// What is said of those that stand deeper.
const DEEP: &str = "jobs that stand deeper in groups than is followed";

/// Values of a matrix's parameters, one combination.
type Combination<'d> = Vec<(&'d str, Value<'d>)>;

/// The jobs lowered so far.
#[derive(Default)]
pub(super) struct Done {
    jobs: Vec<Job>,
    /// What makes two runs of a job the same, with the number of the first of them and the contexts of all.
    seen: HashMap<String, (usize, BTreeSet<Vec<String>>)>,
    /// The contexts of each entry that calls a job, by its name.
    contexts: HashMap<Rc<str>, BTreeSet<Vec<String>>>,
}

impl Done {
    pub(super) fn into_jobs(mut self) -> Vec<Job> {
        for job in self.jobs.iter_mut().filter(|job| job.reached) {
            if let Some(contexts) = self.contexts.get(&job.name) {
                job.contexts = contexts.iter().cloned().collect();
                job.own_contexts = Rc::clone(&job.contexts);
            }
        }
        for (number, contexts) in self.seen.into_values() {
            if let Some(job) = self.jobs.get_mut(number) {
                job.own_contexts = contexts.into_iter().collect();
            }
        }
        self.jobs
    }

    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// What the jobs so far do.
    pub(super) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.jobs.iter().flat_map(|job| &job.effects)
    }
}

/// How a list of jobs was come to.
#[derive(Clone)]
struct Way<'d> {
    /// The workflow, and the groups in it, for the story.
    through: String,
    depth: usize,
    /// The groups that are open.
    groups: Vec<&'d str>,
}

/// One call of a job.
struct Call<'d> {
    /// The name as called: `build`, `node/test`.
    named: Value<'d>,
    /// What is given: parameters, `pre-steps`, `context`, …
    given: Option<Value<'d>>,
    /// Where and how, for the story.
    note: String,
    matrix: Combination<'d>,
    /// The contexts it has, sorted.
    contexts: Vec<String>,
}

impl<'c, 'd> Lowering<'c, 'd> {
    /// The jobs that the workflows call.
    pub(super) fn workflows(&self, workflows: Node<'d>, done: &mut Done) {
        for workflow in workflows.entries() {
            if let Some(name) = workflow.key.as_str() {
                self.workflow(name, workflow.value, done);
            }
        }
    }

    /// One workflow.
    pub(super) fn workflow(&self, name: &str, workflow: Node<'d>, done: &mut Done) {
        let jobs = workflow.get("jobs").filter(|_| workflow.is_mapping());
        let Some(jobs) = jobs.filter(|_| !self.never_runs(workflow)) else {
            return;
        };
        let way = Way {
            through: name.to_owned(),
            depth: 0,
            groups: Vec::new(),
        };
        self.calls(&way, jobs, done);
    }

    /// Whether the configuration is one that another one is made in.
    pub(super) fn is_setup(&self) -> bool {
        let setup = self.resolver.root.scope.root.get("setup");
        setup.and_then(Node::as_str) == Some("true")
    }

    /// Whether what is written in the repository alone keeps a workflow from running: `when: false`.
    fn never_runs(&self, workflow: Node<'d>) -> bool {
        let known = |key: &str| {
            let condition = Value::new(workflow.get(key)?, &self.resolver.root);
            self.resolver.condition(&condition).guard().err()
        };
        known("when") == Some(false) || known("unless") == Some(true)
    }

    fn calls(&self, way: &Way<'d>, jobs: Node<'d>, done: &mut Done) {
        for entry in jobs.entries() {
            self.entry(way, entry.key, Some(entry.value), done);
        }
        for item in jobs.items() {
            if !self.cx.spend() {
                return;
            }
            if item.as_str().is_some() {
                self.entry(way, item, None, done);
            } else if item.is_sequence() && way.depth >= MAX_DEPTH {
                self.cx.note_limit(DEEP);
            } else if item.is_sequence() {
                let way = Way {
                    depth: way.depth + 1,
                    ..way.clone()
                };
                self.calls(&way, item, done);
            } else {
                for entry in item.entries() {
                    self.entry(way, entry.key, Some(entry.value), done);
                }
            }
        }
    }

    /// An entry of a workflow: a job, or a group of them. A group that is open is not gone into again: CircleCI
    /// refuses one that needs itself.
    fn entry(&self, way: &Way<'d>, key: Node<'d>, given: Option<Node<'d>>, done: &mut Done) {
        let root = &self.resolver.root.scope;
        let named = |section: &str| root.entry(section, key.as_str()?);
        let Some(group) = named("job-groups").filter(|_| named("jobs").is_none()) else {
            self.call_job(&way.through, key, given, done);
            return;
        };
        let name = key.as_str().unwrap_or_default();
        if way.groups.contains(&name) {
            return;
        }
        if way.depth >= MAX_DEPTH {
            return self.cx.note_limit(DEEP);
        }
        if let Some(jobs) = group.get("jobs") {
            let mut groups = way.groups.clone();
            groups.push(name);
            let way = Way {
                through: format!("{}` by its group `{name}", way.through),
                depth: way.depth + 1,
                groups,
            };
            self.calls(&way, jobs, done);
        }
    }

    fn call_job(&self, workflow: &str, key: Node<'d>, given: Option<Node<'d>>, done: &mut Done) {
        let root = &self.resolver.root;
        let given = given.filter(|g| g.is_mapping());
        if given.and_then(|g| g.get("type")).is_some_and(waits) {
            return;
        }
        let combinations = given
            .and_then(|g| g.get("matrix"))
            .map(|matrix| self.combinations(matrix))
            .unwrap_or_else(|| vec![Vec::new()]);
        for matrix in combinations {
            let frame = self.frame_with(matrix.clone());
            let given = given.map(|node| Value::new(node, &frame));
            let mut note = format!("workflow `{workflow}` runs it");
            for (n, (name, value)) in matrix.iter().enumerate() {
                let text = self.cx.holes.show(self.resolver.text(value).as_str());
                let _ = write!(note, "{} {name}={text}", if n == 0 { " with" } else { "," });
            }
            let contexts = given.as_ref().map_or_else(Vec::new, |g| self.contexts(g));
            if !contexts.is_empty() {
                let _ = write!(note, " in the context `{}`", contexts.join("`, `"));
            }
            let named = Value::new(key, root);
            self.run_job(
                Call {
                    named,
                    given,
                    note,
                    matrix,
                    contexts,
                },
                done,
            );
        }
    }

    /// The contexts that a workflow's entry names.
    fn contexts(&self, given: &Value<'d>) -> Vec<String> {
        let Some(named) = given.get("context") else {
            return Vec::new();
        };
        let (named, _) = self.resolver.follow(&named);
        let mut names: Vec<String> = named
            .node
            .one_or_many()
            .into_iter()
            .map(|name| self.resolver.text(&named.at(name)))
            .filter(|name| !name.is_empty())
            .map(|name| self.cx.holes.show(name.as_str()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Every combination of a matrix that is not excluded.
    fn combinations(&self, matrix: Node<'d>) -> Vec<Combination<'d>> {
        let root = &self.resolver.root;
        let mut all: Vec<Combination<'d>> = vec![Vec::new()];
        let parameters = matrix
            .get("parameters")
            .map(Node::entries)
            .unwrap_or_default();
        for entry in parameters {
            let Some(name) = entry.key.as_str() else {
                continue;
            };
            let (values, _) = self.resolver.follow(&Value::new(entry.value, root));
            let values = values.node.one_or_many();
            let mut next = Vec::new();
            if all.len().saturating_mul(values.len()) > MAX_COMBINATIONS {
                self.cx
                    .note_limit("a matrix with more combinations than CircleCI takes");
            }
            for combination in &all {
                for &value in &values {
                    if next.len() >= MAX_COMBINATIONS {
                        break;
                    }
                    let mut longer = combination.clone();
                    longer.push((name, Value::new(value, root)));
                    next.push(longer);
                }
            }
            all = next;
        }
        let text = |node: Node<'d>| self.resolver.text(&Value::new(node, root));
        if let Some(excluded) = matrix.get("exclude") {
            let excluded: Vec<_> = excluded.items().map(Node::entries).collect();
            all.retain(|combination| {
                !excluded.iter().any(|entries| {
                    !entries.is_empty()
                        && entries.iter().all(|e| {
                            combination.iter().any(|(name, value)| {
                                e.key.as_str() == Some(name)
                                    && self.resolver.text(value) == text(e.value)
                            })
                        })
                })
            });
        }
        all
    }

    /// The one job that runs when there are no workflows, or all of them when that is missing, as
    /// in a fragment that another file is continued with.
    pub(super) fn without_workflows(&self, jobs: Node<'d>, done: &mut Done) {
        let root = &self.resolver.root;
        let entries = jobs.entries();
        let build = entries.iter().any(|e| e.key.as_str() == Some("build"));
        for entry in entries {
            if build && entry.key.as_str() != Some("build") {
                continue;
            }
            let call = Call {
                named: Value::new(entry.key, root),
                given: None,
                note: String::new(),
                matrix: Vec::new(),
                contexts: Vec::new(),
            };
            self.run_job(call, done);
        }
    }

    fn run_job(&self, call: Call<'d>, done: &mut Done) {
        if !self.cx.spend() {
            return;
        }
        let mut name = self.resolver.text(&call.named);
        let other = call.given.as_ref().and_then(|g| g.get("override-with"));
        if let Some(other) = other.map(|other| self.resolver.text(&other))
            && self.is_overridden(&call, &other, done)
        {
            name = other;
        }
        let name = name.as_str().trim();
        let calls = done.contexts.entry(name.into()).or_default();
        if calls.len() < MAX_COMBINATIONS {
            calls.insert(call.contexts.clone());
        }
        let scope = &self.resolver.root.scope;
        let span = call.named.use_span();
        match scope.find(self.cx, self.shelf, "jobs", name) {
            Found::Here(node, scope) => {
                if node.get("type").is_none_or(|t| !waits(t)) {
                    self.known_job(&call, name, node, &scope, done);
                }
            }
            Found::Unlisted(row) => {
                let why = format!(
                    "the table of orbs knows `{}`, but not this job; give the orb's source with `--orb {}=FILE`",
                    row.name, row.name
                );
                let first = self.cx.first_time(&format!("orb job {} {name}", row.name));
                self.unknown_job(&call, name, done, |run| {
                    if first {
                        run.opaque(span, format!("job `{name}`"), why, crate::effect::By::Orb);
                    }
                });
            }
            Found::Unknown { import, span } => {
                self.unknown_job(&call, name, done, |run| {
                    self.unknown_orb(run, &import, span)
                });
            }
            Found::Undeclared => {
                self.undeclared(&call.named, "job", &self.cx.holes.show(name));
            }
        }
    }

    /// Whether an orb's job takes the place of the one that is called: the orb has it. Where that cannot be known, what
    /// is not known is said, and the job that is called may run after all.
    /// <https://circleci.com/docs/guides/orchestrate/how-to-override-config/>
    fn is_overridden(&self, call: &Call<'d>, other: &Text, done: &mut Done) -> bool {
        let name = other.as_str().trim();
        let scope = &self.resolver.root.scope;
        match scope.find(self.cx, self.shelf, "jobs", name) {
            Found::Here(..) => true,
            Found::Unknown { import, span } => {
                self.unknown_job(call, name, done, |run| self.unknown_orb(run, &import, span));
                false
            }
            Found::Unlisted(_) | Found::Undeclared => false,
        }
    }

    /// A job of an orb of which nothing is known, but for the steps that are given to it.
    fn unknown_job(
        &self,
        call: &Call<'d>,
        name: &str,
        done: &mut Done,
        say: impl FnOnce(&mut JobRun<'c>),
    ) {
        let mut run = self.run();
        let mut walk = Walk {
            shell: Default::default(),
            open: Vec::new(),
        };
        say(&mut run);
        let given = call.given.as_ref();
        let list = |key: &str| given.and_then(|g| g.get(key));
        if let Some(steps) = list("pre-steps") {
            self.steps(&mut run, &mut walk, &steps);
        }
        self.given_steps(&mut run, &mut walk, given);
        if let Some(steps) = list("post-steps") {
            self.steps(&mut run, &mut walk, &steps);
        }
        let effects = run.finish();
        if effects.is_empty() {
            return;
        }
        let span = call.named.use_span();
        done.jobs.push(Job {
            effects,
            ..self.job(name, span, crate::effect::Runner::Unknown, false)
        });
    }

    pub(super) fn job(
        &self,
        name: &str,
        span: Span,
        runner: crate::effect::Runner,
        platform: bool,
    ) -> Job {
        Job {
            provider: Provider::CircleCi,
            file: span.file,
            name: name.into(),
            span,
            runner,
            // A fork's build gets no variables either unless the project passes them, but CircleCI
            // builds no forks unless the project asks for it.
            forks: Forks::No,
            platform_credential: platform,
            os: None,
            guards: Rc::from([]),
            contexts: Rc::from([]),
            own_contexts: Rc::from([]),
            reached: true,
            effects: Vec::new(),
        }
    }

    fn known_job(
        &self,
        call: &Call<'d>,
        name: &str,
        node: Node<'d>,
        scope: &Rc<Scope<'d>>,
        done: &mut Done,
    ) {
        let called_at = call.named.use_span();
        let pin = scope.pin(called_at);
        let given = call.given.as_ref();
        let mut frame = self.resolver.bind(node, scope, given, &call.matrix, pin);
        if let Origin::Table(row) = scope.origin {
            frame.label = Some(row.label(name.rsplit('/').next().unwrap_or(name)));
            frame.misspelt = orb::misspelt(node, given, &row.name);
        }
        let identity = self.identity(node, name, &frame.parameters, given);
        let next = (done.jobs.len(), BTreeSet::new());
        let (number, contexts) = done.seen.entry(identity).or_insert(next);
        let is_known = *number < done.jobs.len();
        if contexts.len() < MAX_COMBINATIONS {
            contexts.insert(call.contexts.clone());
        }
        if is_known {
            return;
        }
        let body = Value::new(node, &Rc::new(frame));
        let span = pin.unwrap_or_else(|| self.declared_at(node, name, scope));

        let mut run = self.run();
        if !call.note.is_empty() {
            run.trace = run.trace.then(called_at, call.note.as_str());
        }
        let host = self.start(&mut run, &body);
        let text = |value: &Option<Value<'d>>| {
            value
                .as_ref()
                .map(|v| self.resolver.text(v))
                .unwrap_or_default()
        };
        let mut walk = Walk {
            shell: text(&host.shell),
            open: Vec::new(),
        };
        run.works_in(text(&host.working_directory).as_str());
        let list = |key: &str| given.and_then(|g| g.get(key));
        self.cx.share(name, || {
            if let Some(steps) = list("pre-steps") {
                run.traced(steps.use_span(), "`pre-steps` of the workflow", |run| {
                    self.steps(run, &mut walk, &steps);
                });
            }
            if let Some(steps) = body.get("steps") {
                self.steps(&mut run, &mut walk, &steps);
            }
            if let Some(steps) = list("post-steps") {
                run.traced(steps.use_span(), "`post-steps` of the workflow", |run| {
                    self.steps(run, &mut walk, &steps);
                });
            }
        });
        done.jobs.push(Job {
            effects: run.finish(),
            os: host.is_mac.then_some("macOS"),
            ..self.job(name, span, host.runner, host.platform_credential)
        });
    }

    /// Two calls with the same identity do the same.
    fn identity(
        &self,
        node: Node<'d>,
        name: &str,
        parameters: &[(&'d str, Value<'d>)],
        given: Option<&Value<'d>>,
    ) -> String {
        let mut identity = format!("{name}\n{:?}\n{}", node.span().file, node.identity());
        for (name, value) in parameters {
            let _ = write!(identity, "\n{name}=");
            self.identify(value, &mut identity);
        }
        for key in ["pre-steps", "post-steps"] {
            if let Some(value) = given.and_then(|g| g.get(key)) {
                let _ = write!(identity, "\n{key}:");
                self.identify(&value, &mut identity);
            }
        }
        identity
    }

    fn identify(&self, value: &Value<'d>, identity: &mut String) {
        match self.resolver.resolve(value) {
            Some(resolved) => {
                identity.push_str(resolved.text.as_str());
                identity.push_str(resolved.words.as_deref().unwrap_or(""));
            }
            // Steps and executors: the same place of a file means the same, but for the matrix.
            None => {
                let span = value.node.span();
                let _ = write!(identity, "{span:?}");
                for (name, value) in &value.frame.matrix {
                    let _ = write!(identity, " {name}={}", self.resolver.text(value).as_str());
                }
            }
        }
    }

    /// Where the job's name is written.
    fn declared_at(&self, node: Node<'d>, name: &str, scope: &Rc<Scope<'d>>) -> Span {
        let name = name.rsplit('/').next().unwrap_or(name);
        let index = self.job_keys.get_or_init(|| {
            let mut index = HashMap::new();
            for entry in self
                .resolver
                .root
                .scope
                .sections("jobs")
                .flat_map(Node::entries)
            {
                if let Some(name) = entry.key.as_str() {
                    // The first file that has it.
                    index.entry(name).or_insert(entry.key);
                }
            }
            index
        });
        if Rc::ptr_eq(scope, &self.resolver.root.scope) {
            return index
                .get(name)
                .map_or_else(|| node.span(), |key| key.span());
        }
        let entry = scope.root.get("jobs").and_then(|jobs| jobs.entry(name));
        entry.map_or_else(|| node.span(), |e| e.key.span())
    }
}

/// Kinds of job that wait or mark, and run nothing.
fn waits(kind: Node<'_>) -> bool {
    matches!(
        kind.as_str(),
        Some("approval" | "no-op" | "release" | "lock" | "unlock")
    )
}
