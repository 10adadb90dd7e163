//! What a job runs on: its own `docker:` list, or that of an executor, which may be chosen by a
//! parameter, carry parameters of its own and come from an orb. These images are pulled by
//! CircleCI before any step, so that only what is written beside them can authenticate them.

use std::rc::Rc;

use crate::effect::{By, Declared, Freshness, Kind, Puller, Runner};
use crate::run::JobRun;
use crate::text::Text;
use crate::yaml::Node;

use super::Lowering;
use super::parameters::{Value, variables};
use super::scope::{Found, Origin};

/// What a job runs on, after its images have been listed.
pub(super) struct Host<'d> {
    /// Whose machine.
    pub(super) runner: Runner,
    /// Whether CircleCI's own credential is used for images without one.
    pub(super) platform_credential: bool,
    /// Whether it is a Mac.
    pub(super) is_mac: bool,
    /// `working_directory`.
    pub(super) working_directory: Option<Value<'d>>,
    /// `shell`.
    pub(super) shell: Option<Value<'d>>,
}

impl<'c, 'd> Lowering<'c, 'd> {
    /// Lists the images of a job's executor, and takes over its environment.
    pub(super) fn start(&self, run: &mut JobRun<'c>, job: &Value<'d>) -> Host<'d> {
        let own = ["docker", "machine", "macos"]
            .iter()
            .any(|k| job.node.get(k).is_some());
        let executor = if own {
            None
        } else {
            job.get("executor").and_then(|named| {
                let executor = self.executor(run, &named)?;
                Some((named, executor))
            })
        };
        let field = |key: &str| {
            job.get(key)
                .or_else(|| executor.as_ref().and_then(|(_, (_, e))| e.get(key)))
        };
        let docker = field("docker").filter(|d| !d.node.is_null());
        let class = field("resource_class")
            .or_else(|| field("machine").and_then(|m| m.get("resource_class")))
            .map(|class| self.resolver.text(&class));
        let runner = match class {
            // A hosted class is one word; that of a self-hosted runner has its namespace.
            Some(class) if class.as_str().contains('/') => Runner::SelfHosted,
            _ => Runner::Hosted,
        };
        if let Some(docker) = &docker {
            if docker.node.is_sequence() || docker.node.is_mapping() {
                match &executor {
                    Some((named, (name, _))) => {
                        let span = named.use_span();
                        run.traced(span, format!("on executor `{name}`"), |run| {
                            self.images(run, docker);
                        });
                    }
                    None => self.images(run, docker),
                }
            } else {
                let (at, _) = self.resolver.follow(docker);
                if at.node.is_sequence() {
                    self.images(run, &at);
                }
            }
        }
        // With `setup_remote_docker` it is on another machine, which is of no use to them
        // (https://java.testcontainers.org/supported_docker_environment/continuous_integration/circle_ci/).
        // macOS has no Docker (https://circleci.com/docs/guides/execution-managed/using-macos/), and Windows one
        // whose containers are Windows', which Testcontainers knows nothing of
        // (https://java.testcontainers.org/supported_docker_environment/windows/).
        let is_mac = docker.is_none() && field("macos").is_some();
        let machine_image = field("machine").and_then(|m| m.get("image"));
        let says_windows = |value: Option<Value<'d>>| {
            value.is_some_and(|v| self.resolver.text(&v).as_str().starts_with("windows"))
        };
        let of_windows_orb = executor.as_ref().is_some_and(|(_, (_, e))| {
            matches!(e.frame.scope.origin, Origin::Table(row) if row.name == "circleci/windows")
        });
        let is_windows =
            of_windows_orb || says_windows(machine_image) || says_windows(field("resource_class"));
        run.has_engine = docker.is_none() && !is_mac && !is_windows;
        // https://circleci.com/docs/variables/#built-in-environment-variables
        let of_circleci = ["CI", "CIRCLECI"].map(|name| (name.to_owned(), "true".into()));
        run.env.extend(of_circleci);
        // The image's own, then the executor's, then the job's: the nearer one wins.
        if let Some(first) = docker
            .as_ref()
            .and_then(|d| Some(d.at(d.node.items().next()?)))
        {
            self.environment(run, first.get("environment").as_ref());
        }
        if let Some((_, (_, executor))) = &executor {
            self.environment(run, executor.get("environment").as_ref());
        }
        self.environment(run, job.get("environment").as_ref());
        Host {
            runner,
            platform_credential: runner == Runner::Hosted && docker.is_some(),
            is_mac,
            working_directory: field("working_directory"),
            shell: field("shell"),
        }
    }

    /// The executor that a name, or a mapping with `name` and parameters, means; with that name.
    fn executor(&self, run: &mut JobRun<'c>, named: &Value<'d>) -> Option<(Rc<str>, Value<'d>)> {
        let (at, _) = self.resolver.follow(named);
        let (name_value, arguments) = if at.node.is_mapping() {
            (at.get("name")?, Some(at.clone()))
        } else {
            (at.clone(), None)
        };
        let text = self.resolver.text(&name_value);
        let name = text.as_str().trim();
        let shown: Rc<str> = self.cx.holes.show(name).into();
        if name.is_empty() {
            return None;
        }
        // A name that came in by a parameter means what it meant where it was written; one put
        // together from a text may also mean an executor of the place that uses it.
        let mut found = at.frame.scope.find(self.cx, self.shelf, "executors", name);
        if matches!(found, Found::Undeclared) {
            found = named
                .frame
                .scope
                .find(self.cx, self.shelf, "executors", name);
        }
        let span = name_value.span();
        match found {
            Found::Here(node, scope) => {
                let pin = scope.pin(name_value.use_span());
                let frame = self
                    .resolver
                    .bind(node, &scope, arguments.as_ref(), &[], pin);
                Some((shown, Value::new(node, &Rc::new(frame))))
            }
            Found::Unlisted(row) => {
                let what = format!("executor `{shown}`");
                let why = format!(
                    "the table of orbs knows `{}`, but not this executor; give the orb's source with `--orb {}=FILE`",
                    row.name, row.name
                );
                run.opaque(span, what, why, By::Executor);
                None
            }
            Found::Unknown { import, span } => {
                self.unknown_orb(run, &import, span);
                None
            }
            Found::Undeclared if !text.is_known() => {
                let what = format!("executor `{shown}`");
                run.opaque(
                    span,
                    what,
                    "which executor it is cannot be known",
                    By::Executor,
                );
                None
            }
            Found::Undeclared => {
                self.undeclared(&name_value, "executor", &shown);
                None
            }
        }
    }

    /// Lists a `docker:` list.
    fn images(&self, run: &mut JobRun<'c>, docker: &Value<'d>) {
        let mut by = By::Executor;
        let act = |run: &mut JobRun<'c>| {
            if docker.node.is_mapping() {
                self.image(run, docker, By::Executor);
            }
            for item in docker.node.items() {
                if !self.cx.spend() {
                    return;
                }
                // A list behind an alias in place of an entry is flattened.
                let entries: Vec<Node<'d>> = if item.is_sequence() {
                    item.items().collect()
                } else {
                    vec![item]
                };
                for entry in entries {
                    self.image(run, &docker.at(entry), by);
                    by = By::Service;
                }
            }
        };
        self.through_alias(run, docker, act);
    }

    fn image(&self, run: &mut JobRun<'c>, entry: &Value<'d>, by: By) {
        self.through_alias(run, entry, |run| {
            let Some(image) = entry.get("image") else {
                return;
            };
            let declared = self.declared(entry);
            let (from, _) = self.resolver.follow(&image);
            let slot = entry.frame.pin.is_none().then(|| entry.node.span());
            let same = from.node.identity() == image.node.identity();
            self.through_alias(run, &image, |run| {
                let kind = Kind::Pull {
                    image: self.resolver.with_variables(&image),
                    by,
                    puller: Puller::Host,
                    declared,
                    freshness: Freshness::Always,
                };
                if same || from.frame.pin.is_some() {
                    run.emit_at(image.span(), kind, slot);
                } else {
                    let note = "the image is given here";
                    run.traced(from.use_span(), note, |run| {
                        run.emit_at(image.span(), kind, slot)
                    });
                }
            });
        });
    }

    /// The credential beside an image.
    fn declared(&self, entry: &Value<'d>) -> Declared {
        if let Some(aws) = entry.get("aws_auth").filter(|a| !a.node.is_null()) {
            return Declared::Aws(aws.span());
        }
        let Some(auth) = entry.get("auth").filter(|a| !a.node.is_null()) else {
            return Declared::None;
        };
        let (auth, _) = self.resolver.follow(&auth);
        if !auth.node.is_mapping() {
            let written = auth.node.as_str().unwrap_or("a list");
            return Declared::Unknown(format!(
                "`auth` is `{written}`, not a user name and a password"
            ));
        }
        let part = |key: &str| {
            auth.get(key)
                .map(|v| self.resolver.with_variables(&v))
                .unwrap_or_default()
        };
        let password = part("password");
        // One that is written out is written there, whatever merges it.
        let is_written = !password.is_empty() && !password.is_one_hole();
        let span = match auth.get("password").filter(|_| is_written) {
            Some(written) => written.span(),
            None => auth.span(),
        };
        Declared::Credential {
            username: part("username"),
            password,
            span,
            sometimes_empty: false,
        }
    }

    /// Does something with a value; when it stands behind an alias, the story says so.
    fn through_alias(
        &self,
        run: &mut JobRun<'c>,
        value: &Value<'d>,
        act: impl FnOnce(&mut JobRun<'c>),
    ) {
        if value.node.is_alias() && value.frame.pin.is_none() {
            let span = value.node.use_span();
            let alias = value.node.document().source().slice(span.start, span.end);
            run.traced(span, format!("by the alias `{alias}`"), act);
        } else {
            act(run);
        }
    }

    /// Sets the variables of an `environment:`, a mapping or (as older files have it) a list.
    pub(super) fn environment(&self, run: &mut JobRun<'c>, environment: Option<&Value<'d>>) {
        let Some(environment) = environment else {
            return;
        };
        if environment.node.is_sequence() {
            for item in environment.node.items() {
                let item = environment.at(item);
                if let Some((name, value)) = item.node.as_str().and_then(|i| i.split_once('=')) {
                    let value = variables(self.cx, Text::new(value));
                    run.env.insert(name.to_owned(), value);
                } else if item.node.is_mapping() {
                    self.variables_of(run, &item);
                }
            }
        } else {
            self.variables_of(run, environment);
        }
    }

    fn variables_of(&self, run: &mut JobRun<'c>, mapping: &Value<'d>) {
        for entry in mapping.node.entries() {
            let value = mapping.at(entry.value);
            if let Some(name) = entry.key.as_str() {
                let written = value.node.as_str().unwrap_or("");
                let text = match value.frame.scope.included(self.cx, written) {
                    Some(file) => Text::new(&*file.text),
                    None => self.resolver.with_variables(&value),
                };
                let name = self
                    .resolver
                    .text(&mapping.at(entry.key))
                    .known()
                    .unwrap_or(name)
                    .to_owned();
                run.env.insert(name, text);
            }
        }
    }
}
