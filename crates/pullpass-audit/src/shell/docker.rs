//! The commands of `docker`, and of the clients that copy its command line: podman and nerdctl.

use std::borrow::Cow;

use super::condition::emit_login;
use super::exec::Call;
use super::flags::{self, Order, Parsed};
use super::tools::spec;
use super::{Arg, Done, Input, Shell};
use crate::bake::{self, Bake};
use crate::dockerfile::{self, Build};
use crate::effect::{By, Declared, Freshness, Kind, Puller, Store};
use crate::reference::{DOCKER_HUB, canonical_registry};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, Mapped, Text, has_hole, is_hole};

/// The builder image of the driver `docker-container` (buildx's documentation of `create`).
const BUILDKIT: &str = "moby/buildkit:buildx-stable-1";

/// Files with ids of images that are remembered; only hostile input has more.
const MAX_IDS: usize = 64;

/// A program with docker's command line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Docker,
    Podman,
    Nerdctl,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
        }
    }

    /// The store that it writes logins to.
    fn store(self, run: &JobRun<'_>) -> Store {
        match self {
            Self::Docker | Self::Nerdctl => run.docker_store(),
            Self::Podman => Store::Containers,
        }
    }
}

/// The command names of [`client_of`].
pub(super) const CLIENTS: [&str; 11] = [
    "docker",
    "docker.io",
    "docker-compose",
    "docker-compose-v1",
    "podman-compose",
    "docker-buildx",
    "buildx",
    "podman",
    "podman-remote",
    "nerdctl",
    "finch",
];

/// The program that a command name means, and the sub-command that the name stands for.
fn client_of(name: &str) -> Option<(Program, &'static [&'static str])> {
    Some(match name {
        "docker" | "docker.io" => (Program::Docker, &[]),
        "docker-compose" | "docker-compose-v1" => (Program::Docker, &["compose"]),
        "podman-compose" => (Program::Podman, &["compose"]),
        "docker-buildx" | "buildx" => (Program::Docker, &["buildx"]),
        "podman" | "podman-remote" => (Program::Podman, &[]),
        "nerdctl" | "finch" => (Program::Nerdctl, &[]),
        _ => return None,
    })
}

/// Whether a command name is a container client's.
pub(super) fn is_client(name: &str) -> bool {
    client_of(name).is_some()
}

/// Whether it is a command of a client that prints nothing when it succeeds.
pub(super) fn prints_nothing(call: &Call<'_>) -> bool {
    let verb = match call.word(1) {
        "image" => call.word(2),
        verb => verb,
    };
    verb == "tag" && is_client(call.name())
}

impl Shell {
    /// Executes a container client; `None` when the program is none.
    pub(super) fn client(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        call: &Call<'_>,
    ) -> Option<Done> {
        let (program, words) = client_of(name)?;
        let mut args = Cow::Borrowed(call.rest());
        if !words.is_empty() {
            let words = words
                .iter()
                .map(|word| Arg::new(Text::from(*word), call.span));
            args = words.chain(call.rest().iter().cloned()).collect();
        }
        let stores = match program {
            Program::Podman => vec![Store::Containers],
            _ => Vec::new(),
        };
        let outer = std::mem::replace(&mut run.first_stores, stores);
        self.docker(run, program, &args, call.span);
        run.first_stores = outer;
        Some(Done::UNKNOWN)
    }

    fn docker(&mut self, run: &mut JobRun<'_>, program: Program, args: &[Arg], span: Span) {
        // Most command lines have no flags before the sub-command.
        if args
            .first()
            .is_some_and(|arg| !arg.as_str().starts_with('-') && !arg.may_be_flags(run))
        {
            self.auth_config(run, span);
            self.sub_command(run, program, args, span);
            return;
        }
        let global = flags::parse(run, args, spec("docker"), Order::FlagsFirst);
        let outer = run.env.get("DOCKER_CONFIG").cloned();
        if let Some(folder) = global.value(&["--config"]) {
            run.env
                .insert("DOCKER_CONFIG".to_owned(), folder.text.clone());
        }
        self.auth_config(run, span);
        self.sub_command(run, program, &global.rest, span);
        if global.value(&["--config"]).is_some() {
            match outer {
                Some(folder) => run.env.insert("DOCKER_CONFIG".to_owned(), folder),
                None => run.env.remove("DOCKER_CONFIG"),
            };
        }
    }

    /// `DOCKER_AUTH_CONFIG` holds the text of a `config.json`, and counts in its place.
    fn auth_config(&mut self, run: &mut JobRun<'_>, span: Span) {
        let Some(text) = run.env.get("DOCKER_AUTH_CONFIG").cloned() else {
            return;
        };
        let already = run.effects().iter().any(|effect| {
            matches!(&effect.kind, Kind::Login { how, .. } if how.contains("configuration"))
        });
        if !already {
            let input = Input::Known(std::rc::Rc::new(Mapped::at(span, text.as_str())));
            let store = run.docker_store();
            self.credentials(run, &input, store, span);
        }
    }

    fn sub_command(&mut self, run: &mut JobRun<'_>, program: Program, words: &[Arg], span: Span) {
        let word = |at: usize| words.get(at).map_or("", Arg::as_str);
        let after = |count: usize| words.get(count..).unwrap_or_default();
        match (word(0), word(1)) {
            (
                "image" | "container" | "builder",
                "pull" | "run" | "create" | "build" | "tag" | "load" | "import" | "commit" | "push"
                | "save",
            ) => {
                self.verb(run, program, word(1), after(2), span);
            }
            ("image" | "container" | "builder", _) => {}
            ("buildx", _) => {
                // `docker buildx --builder NAME build .`
                let parsed = flags::parse(run, after(1), spec("buildx"), Order::FlagsFirst);
                let (Some(verb), rest) = (parsed.rest.first(), parsed.rest.get(1..)) else {
                    return;
                };
                let builder = parsed
                    .value(&["--builder"])
                    .map(|name| [Arg::new(Text::from("--builder"), name.span), name.clone()]);
                let mut args: Vec<Arg> = builder.into_iter().flatten().collect();
                args.extend_from_slice(rest.unwrap_or_default());
                self.buildx(run, program, verb.as_str(), &args, span);
            }
            ("compose", _) => self.compose(run, after(1), span),
            ("stack", "deploy" | "up") => self.stack(run, after(2), span),
            ("service", "create") => {
                let parsed = flags::parse(run, after(2), spec("other"), Order::FlagsFirst);
                self.asks(run, parsed.rest.iter().take(1), Freshness::Always);
            }
            ("plugin", "install") => {
                let parsed = flags::parse(run, after(2), spec("other"), Order::Mixed);
                self.asks(run, parsed.rest.iter().take(1), Freshness::Always);
            }
            ("manifest", "inspect") => {
                let parsed = flags::parse(run, after(2), spec("other"), Order::Mixed);
                // With two words the first one is a list that was made here.
                self.asks(run, parsed.rest.iter().take(1), Freshness::Read);
            }
            ("manifest", "create") => {
                let parsed = flags::parse(run, after(2), spec("other"), Order::Mixed);
                self.asks(run, parsed.rest.iter().skip(1), Freshness::Missing);
                self.provides(run, parsed.rest.first());
            }
            ("manifest", "push") => {
                let parsed = flags::parse(run, after(2), spec("other"), Order::Mixed);
                pushes(run, parsed.rest.iter().rev().take(1));
            }
            ("kube", "play") | ("play", "kube") => run.opaque(
                span,
                format!("{} kube play", program.name()),
                "the images stand in a Kubernetes file, which is not read",
                By::Run,
            ),
            // https://docs.docker.com/reference/cli/docker/model/
            ("model", "pull" | "run") => {
                let parsed = flags::parse(run, after(2), spec("model"), Order::FlagsFirst);
                let freshness = match word(1) {
                    "pull" => Freshness::Always,
                    _ => Freshness::Missing,
                };
                let elsewhere = |arg: &&Arg| !arg.as_str().starts_with("hf.co/");
                self.asks(run, parsed.rest.iter().take(1).filter(elsewhere), freshness);
            }
            // https://docs.docker.com/reference/cli/docker/scout/
            (
                "scout",
                verb @ ("cves" | "quickview" | "qv" | "recommendations" | "compare" | "diff"
                | "sbom"),
            ) => {
                let parsed = flags::parse(run, after(2), spec("scout"), Order::Mixed);
                // It takes a login to Docker Hub, whatever it looks at.
                let image = run.cx.holes.of("?", HoleKind::Expression);
                let image = Text::from(["docker.io/", image.as_str()].concat());
                run.emit(span, Kind::Push { image });
                let other = parsed
                    .value(&["--to"])
                    .filter(|_| matches!(verb, "compare" | "diff"));
                for image in parsed.rest.iter().take(1).chain(other) {
                    self.ask_for_scout(run, image);
                }
            }
            ("trust", "sign") | ("plugin" | "model", "push") => {
                let parsed = flags::parse(run, after(2), spec("push"), Order::Mixed);
                pushes(run, parsed.rest.iter().take(1));
            }
            ("scan" | "sbom", image) if !image.is_empty() => {
                let parsed = flags::parse(run, after(1), spec("other"), Order::Mixed);
                self.asks(run, parsed.rest.iter().take(1), Freshness::Missing);
            }
            (verb, _) => self.verb(run, program, verb, after(1), span),
        }
    }

    fn verb(
        &mut self,
        run: &mut JobRun<'_>,
        program: Program,
        verb: &str,
        args: &[Arg],
        span: Span,
    ) {
        let other = |run: &JobRun<'_>| flags::parse(run, args, spec("other"), Order::Mixed);
        if asks_for_help(verb, args) {
            return;
        }
        match verb {
            "pull" => {
                let parsed = flags::parse(run, args, spec("pull"), Order::Mixed);
                let declared = declared(&parsed, "--creds");
                // Docker takes one image, podman many.
                for image in &parsed.rest {
                    self.ask(run, image, Freshness::Always, declared.clone());
                }
            }
            "run" | "create" => self.start(run, args),
            "build" | "b" => self.build(run, program, args, span, false),
            "bake" => self.bake(run, args, span),
            "tag" => {
                let parsed = other(run);
                // Whatever the first one is, it is there, or the command fails. One that may be flags is
                // not among the words.
                let named = usize::from(parsed.rest.len() > 1);
                for target in parsed.rest.iter().skip(named) {
                    self.provides(run, Some(target));
                }
            }
            "import" | "commit" => {
                let parsed = other(run);
                self.provides(run, parsed.rest.get(1));
            }
            "load" => run.emit(span, Kind::Load),
            "save" => {
                for image in other(run).rest {
                    let kind = Kind::Save { image: image.text };
                    run.emit(image.span, kind);
                }
            }
            "push" => {
                let parsed = flags::parse(run, args, spec("push"), Order::Mixed);
                // Podman takes where to, too.
                pushes(run, parsed.rest.iter().take(2).rev().take(1));
            }
            "login" => self.login(run, program, args, span),
            "logout" => {
                let parsed = flags::parse(run, args, spec("login"), Order::Mixed);
                let registry = parsed.rest.first().map(|arg| arg.text.clone());
                let store = program.store(run);
                run.emit(
                    span,
                    Kind::Logout {
                        registry: registry.unwrap_or_default(),
                        store,
                    },
                );
            }
            _ => {}
        }
    }

    fn asks<'a>(
        &mut self,
        run: &mut JobRun<'_>,
        images: impl Iterator<Item = &'a Arg>,
        freshness: Freshness,
    ) {
        for image in images {
            self.ask(run, image, freshness, Declared::None);
        }
    }

    fn ask(&mut self, run: &mut JobRun<'_>, image: &Arg, freshness: Freshness, declared: Declared) {
        if is_local(run, &image.text) {
            return;
        }
        let mut stores = run.first_stores.clone();
        stores.push(run.docker_store());
        run.emit(
            image.span,
            Kind::Pull {
                image: image.text.clone(),
                by: By::Run,
                puller: Puller::Client(stores),
                declared,
                freshness,
            },
        );
    }

    /// What Docker Scout looks at: an image of the engine's or of its registry, unless the prefix says another thing.
    fn ask_for_scout(&mut self, run: &mut JobRun<'_>, image: &Arg) {
        let (kind, name) = image
            .as_str()
            .split_once("://")
            .unwrap_or(("image", image.as_str()));
        let freshness = match kind {
            "image" => Freshness::ReadIfMissing,
            "registry" => Freshness::Read,
            _ => return,
        };
        let mut named = image.clone();
        named.text = Text::from(name);
        self.ask(run, &named, freshness, Declared::None);
    }

    fn provides(&mut self, run: &mut JobRun<'_>, image: Option<&Arg>) {
        if let Some(image) = image {
            run.emit(
                image.span,
                Kind::Provide {
                    image: image.text.clone(),
                },
            );
        }
    }

    /// `docker run`, `docker create`.
    fn start(&mut self, run: &mut JobRun<'_>, args: &[Arg]) {
        let parsed = flags::parse(run, args, spec("run"), Order::FlagsFirst);
        let freshness = match parsed.value(&["--pull"]).map(Arg::as_str) {
            Some("never") => return,
            Some("always" | "newer" | "true") => Freshness::Always,
            _ => Freshness::Missing,
        };
        // `--mount type=image,source=acme/data,destination=/data`
        for mount in parsed.all(&["--mount"]) {
            let mut parts = mount.as_str().split(',');
            if parts.clone().any(|part| part == "type=image") {
                let source = parts.find_map(|part| {
                    part.strip_prefix("source=")
                        .or_else(|| part.strip_prefix("src="))
                });
                let mut image = mount.clone();
                image.text = Text::from(source.unwrap_or_default());
                self.ask(run, &image, Freshness::Missing, Declared::None);
            }
        }
        self.asks(run, parsed.rest.iter().take(1), freshness);
    }

    fn login(&mut self, run: &mut JobRun<'_>, program: Program, args: &[Arg], span: Span) {
        let parsed = flags::parse(run, args, spec("login"), Order::Mixed);
        let username = parsed
            .value(&["-u", "--username"])
            .map(|arg| arg.text.clone());
        let from_input = parsed.has(&["--password-stdin"]);
        let password = match parsed.value(&["-p", "--password"]) {
            Some(arg) => Some(arg.text.clone()),
            None if from_input => self.secret_on_input(run, span),
            None => None,
        };
        let written = parsed.rest.first().map(|arg| arg.text.clone());
        let written = written.unwrap_or_default();
        // What is handed over in one variable cannot be taken apart.
        let given = username.is_some() || password.is_some() || from_input;
        let unclear = args.iter().any(|arg| arg.may_be_flags(run))
            || !given
                && parsed
                    .rest
                    .iter()
                    .any(|arg| arg.bare && !arg.text.is_known());
        let empty = |text: &Option<Text>| text.as_ref().is_some_and(Text::is_empty);
        let broken = if password.is_none() && !given && !unclear {
            Some("it asks a terminal for a user name and a password, and a build has none")
        } else if password.is_none() && !unclear && !parsed.has(&["--secret", "--get-login"]) {
            Some("it asks a terminal for the password, and a build has none")
        } else if empty(&password) {
            Some("no password is given, or it is empty here")
        } else if empty(&username) {
            Some("no user name is given, or it is empty here")
        } else {
            None
        };
        let registry = match &username {
            Some(user) if written.is_one_hole() => registry_of_user(run, user, written),
            _ => written,
        };
        let store = program.store(run);
        emit_login(
            run,
            span,
            Kind::Login {
                registry,
                username,
                password,
                store,
                how: format!("{} login", program.name()).into(),
                broken: broken.map(Into::into),
            },
        );
    }

    /// `docker build`, `docker buildx build`.
    fn build(
        &mut self,
        run: &mut JobRun<'_>,
        program: Program,
        args: &[Arg],
        span: Span,
        buildx: bool,
    ) {
        let parsed = flags::parse(run, args, spec("build"), Order::Mixed);
        let Some(context) = parsed.rest.last() else {
            return;
        };
        let file = parsed.value(&["-f", "--file"]);
        let paths = std::iter::once(context).chain(file).map(|arg| &arg.text);
        let outer = self.go_to_root(run, paths);
        let mut build = Build::of(span, self.path(run, &context.text));
        build.dockerfile = file.map(|arg| self.path(run, &arg.text));
        let reads_input = context.as_str() == "-" && file.is_none()
            || file.is_some_and(|file| file.as_str() == "-");
        let substituted = file
            .and_then(|file| self.processes.get(&file.text))
            .cloned();
        let input = match (reads_input, substituted) {
            (_, Some(printed)) => Some(printed),
            (true, None) => Some(self.input.clone()),
            (false, None) => None,
        };
        if let Some(Input::Known(text)) = input {
            build.inline = Some(text.as_ref().clone());
        }
        build.args = arguments(&parsed);
        build.target = parsed.value(&["--target"]).map(|arg| arg.text.clone());
        // What may be any number of tags names no image.
        let tags = parsed.all(&["-t", "--tag"]).into_iter();
        let tags = tags.filter(|tag| !tag.may_be_many(run));
        build.tags = tags.map(|tag| tag.text.clone()).collect();
        build.contexts = parsed
            .all(&["--build-context"])
            .into_iter()
            .filter_map(|arg| {
                let (name, value) = arg.as_str().split_once('=')?;
                Some((name.to_owned(), Text::from(value)))
            })
            .collect();
        build.pull = parsed.has(&["--pull", "--pull-always"])
            && !parsed
                .value(&["--pull"])
                .is_some_and(|arg| matches!(arg.as_str(), "never" | "missing" | "newer"));
        let builder = parsed
            .value(&["--builder"])
            .map(|arg| arg.text.clone())
            .or_else(|| run.env.get("BUILDX_BUILDER").cloned());
        // `docker build` uses the engine's own builder, whatever `buildx use` says.
        build.container_builder = match &builder {
            Some(name) => name.as_str() != "default",
            None => buildx && run.container_builder,
        } && program == Program::Docker;
        let asked = run.env.get("DOCKER_BUILDKIT").and_then(Text::known);
        build.classic =
            program == Program::Docker && !buildx && matches!(asked, Some("0" | "false"));
        let output: Vec<Text> = parsed.texts(&["-o", "--output"]);
        let to_docker = output.iter().any(|o| {
            let text = o.as_str();
            text.contains("type=docker") && !text.contains("dest=")
        });
        // BuildKit leaves no image where something else is asked for: a folder, an archive, the cache.
        let elsewhere = |o: &Text| {
            let text = o.as_str();
            !has_hole(text) && !text.contains("type=image") && !text.contains("type=docker")
        };
        let leaves_none = program == Program::Docker
            && !build.classic
            && !output.is_empty()
            && output.iter().all(elsewhere);
        build.load =
            !build.container_builder && !leaves_none || parsed.has(&["--load"]) || to_docker;
        build.tags.extend(dockerfile::names_of_outputs(&output));
        build.archive = output.iter().any(|o| dockerfile::is_archive(o.as_str()));
        if program == Program::Docker {
            let sbom = parsed.value(&["--sbom"]).map(|arg| &arg.text);
            let attests = parsed.all(&["--attest"]);
            let caches = parsed.all(&["--cache-from"]);
            build.caches = dockerfile::caches(caches.iter().map(|arg| &arg.text));
            build.scanner = dockerfile::scanner(sbom, attests.iter().map(|arg| &arg.text));
        }
        let tags = parsed.texts(&["-t", "--tag"]);
        let mut pushed = dockerfile::pushed_by_outputs(&output, &tags);
        if parsed.has(&["--push"]) {
            pushed.extend(tags);
        }
        let caches = parsed.all(&["--cache-to"]);
        pushed.extend(dockerfile::caches(caches.iter().map(|arg| &arg.text)));
        for image in pushed {
            run.emit(span, Kind::Push { image });
        }
        dockerfile::build(run, &build);
        if let Some(outer) = outer {
            run.cwd = outer;
        }
        if let Some(file) = parsed.value(&["--iidfile"]) {
            let Span {
                file: id,
                start,
                end,
            } = file.span;
            let source = run.cx.sources.get(id);
            let written = source.text.get(start as usize..end as usize).unwrap_or("");
            let written = written
                .trim_start_matches("--iidfile=")
                .trim_matches(['"', '\'']);
            let shown = run.show(&file.text);
            if run.image_ids.len() < MAX_IDS {
                run.image_ids.extend([shown, written.to_owned()]);
            }
        }
    }

    fn bake(&mut self, run: &mut JobRun<'_>, args: &[Arg], span: Span) {
        let parsed = flags::parse(run, args, spec("bake"), Order::Mixed);
        // https://docs.docker.com/reference/cli/docker/buildx/bake/
        if parsed.has(&[
            "--print",
            "--list",
            "--list-targets",
            "--list-variables",
            "--help",
        ]) {
            return;
        }
        let files = parsed.texts(&["-f", "--file"]);
        let bake = Bake {
            span,
            files: files.iter().map(|file| self.path(run, file)).collect(),
            targets: parsed.rest.iter().map(|arg| arg.text.clone()).collect(),
            set: parsed.texts(&["--set"]),
            pull: parsed.has(&["--pull"]),
            load: parsed.has(&["--load"]) || !run.container_builder,
            container_builder: run.container_builder,
            push: parsed.has(&["--push"]),
            sbom: parsed.value(&["--sbom"]).map(|arg| arg.text.clone()),
        };
        bake::bake(run, &bake);
    }

    fn buildx(
        &mut self,
        run: &mut JobRun<'_>,
        program: Program,
        verb: &str,
        args: &[Arg],
        span: Span,
    ) {
        match verb {
            verb if asks_for_help(verb, args) => {}
            "build" | "b" => self.build(run, program, args, span, true),
            "bake" | "f" => self.bake(run, args, span),
            "create" => {
                let parsed = flags::parse(run, args, spec("create-builder"), Order::Mixed);
                let driver = parsed
                    .value(&["--driver"])
                    .map_or("docker-container", Arg::as_str);
                let own = driver != "docker";
                if parsed.has(&["--use"]) {
                    run.container_builder = own;
                }
                if driver != "docker-container" {
                    return;
                }
                let given = parsed.all(&["--driver-opt"]).into_iter().find_map(|arg| {
                    let options = arg.as_str().trim_matches('"');
                    options
                        .split(',')
                        .find_map(|option| option.strip_prefix("image=").map(Text::from))
                });
                // A builder's first start asks for the image even when it is there.
                let image = given.unwrap_or_else(|| Text::from(BUILDKIT));
                run.docker_pull(span, image, By::Run, Freshness::Always);
            }
            "use" => {
                let parsed = flags::parse(run, args, spec("create-builder"), Order::Mixed);
                run.container_builder = parsed.word(0) != "default";
            }
            "imagetools" => {
                let rest = args.get(1..).unwrap_or_default();
                let parsed = flags::parse(run, rest, spec("imagetools"), Order::Mixed);
                self.asks(run, parsed.rest.iter(), Freshness::Read);
                pushes(run, parsed.all(&["-t", "--tag"]).into_iter());
            }
            _ => {}
        }
    }
}

/// `--build-arg NAME=value`, or `NAME` for the value of the environment.
pub(super) fn arguments(parsed: &Parsed) -> Vec<(String, Option<Text>)> {
    parsed
        .all(&["--build-arg"])
        .into_iter()
        .filter_map(|arg| match arg.as_str().split_once('=') {
            Some((name, value)) => Some((name.to_owned(), Some(Text::from(value)))),
            None if arg.as_str().contains(is_hole) => None,
            None => Some((arg.as_str().to_owned(), None)),
        })
        .collect()
}

fn pushes<'a>(run: &mut JobRun<'_>, images: impl Iterator<Item = &'a Arg>) {
    for arg in images {
        let image = match arg.as_str().strip_prefix("docker://") {
            Some(image) => Text::from(image),
            None => arg.text.clone(),
        };
        run.emit(arg.span, Kind::Push { image });
    }
}

fn declared(parsed: &Parsed, flag: &str) -> Declared {
    let Some(given) = parsed.value(&[flag]) else {
        return Declared::None;
    };
    let (username, password) = match given.as_str().split_once(':') {
        Some((user, password)) => (Text::from(user), Text::from(password)),
        None => (given.text.clone(), given.text.clone()),
    };
    Declared::Credential {
        username,
        password,
        span: given.span,
        sometimes_empty: false,
    }
}

/// Whether an image is given by what a command prints about images that are already there.
fn is_local(run: &JobRun<'_>, image: &Text) -> bool {
    if !image.is_one_hole() {
        return false;
    }
    let written = run.show(image);
    let inner = written.trim_start_matches(['$', '(', '`', '"', ' ']);
    let mut words = inner.split_whitespace();
    let program = words.next().unwrap_or("");
    // `$(cat id)`, `$(< id)`: the file is one that a build wrote the image's id to.
    if !run.image_ids.is_empty() {
        let file = inner
            .strip_prefix("cat ")
            .or_else(|| inner.strip_prefix('<'));
        let file = file.map(|file| file.trim_matches([' ', '"', '\'', ')', '`']));
        if file.is_some_and(|file| run.image_ids.iter().any(|id| id == file)) {
            return true;
        }
    }
    matches!(program, "docker" | "podman" | "nerdctl" | "buildah")
        && matches!(
            words.next(),
            Some(
                "build"
                    | "images"
                    | "image"
                    | "inspect"
                    | "load"
                    | "import"
                    | "commit"
                    | "buildx"
                    | "ps"
            )
        )
}

/// The registry that a user name is known to belong to, when the registry itself is in a variable.
pub(crate) fn registry_of_user(run: &JobRun<'_>, user: &Text, written: Text) -> Text {
    let end = match user.as_str() {
        "AWS" => ".amazonaws.com",
        "_json_key" | "_json_key_base64" | "oauth2accesstoken" | "_dcgcloud_token" => ".gcr.io",
        "00000000-0000-0000-0000-000000000000" => ".azurecr.io",
        _ => {
            // `docker login $REGISTRY` where the variable is known to be empty is Docker Hub.
            let shown = run.show(&written);
            return if canonical_registry(&shown) == DOCKER_HUB {
                Text::default()
            } else {
                written
            };
        }
    };
    let mut registry = written;
    registry.push(end);
    registry
}

/// Whether a command only says what its flags are. Behind an image `--help` is the container's.
fn asks_for_help(verb: &str, args: &[Arg]) -> bool {
    let mut flags = args.iter();
    match verb {
        "run" | "create" | "exec" => flags
            .take_while(|arg| arg.as_str().starts_with('-'))
            .any(|arg| arg.as_str() == "--help"),
        _ => flags.any(|arg| arg.as_str() == "--help"),
    }
}
