//! Kamal (<https://kamal-deploy.org>): builds the application's image on the machine where it is called, and signs in to its
//! registry before. What it builds and where it signs in stands in `config/deploy.yml`, over which the file of a destination
//! (`-d staging`: `config/deploy.staging.yml`) is laid; both are YAML in which ERB may stand.

use std::rc::Rc;

use super::exec::Call;
use super::flags::{self, Order, Parsed, Spec};
use super::{Arg, Shell};
use crate::effect::{By, Freshness, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Text};
use crate::yaml::{Document, Node};

/// Flags that have their value in the next word (lib/kamal/cli/base.rb and build.rb).
const VALUES: &str = "--version -h --hosts -r --roles -c --config-file --config_file -d --destination --output \
     --lock-wait-timeout --lock-wait-interval";

const CONFIGURATION: &str = "config/deploy.yml";

/// Largest configuration that is read, in bytes; real ones have a hundred lines.
const MAX_CONFIGURATION: usize = 256 * 1024;

/// Build arguments that are looked at.
const MAX_ARGUMENTS: usize = 256;

/// The registry of a configuration that names `localhost:5555` is started in a container (lib/kamal/commands/registry.rb).
const LOCAL_REGISTRY: &str = "registry:3";

/// Whether a path is that of the program, which a project has in `bin/`.
pub(super) fn is_one(path: &str) -> bool {
    path.ends_with("bin/kamal")
}

/// What a call comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// `kamal registry login`
    Login,
    /// `kamal build create`
    Builder,
    /// `kamal build push`, and what does that before it deploys.
    Push,
    /// `kamal build dev`: into the engine, and without a login.
    Dev,
}

fn asked(parsed: &Parsed) -> Option<Asked> {
    // `kamal _2.3.0_ deploy`: RubyGems' way to name a version.
    let is_version = |word: &str| word.starts_with('_') && word.ends_with('_');
    let first = usize::from(is_version(parsed.word(0)));
    match (parsed.word(first), parsed.word(first + 1)) {
        ("deploy" | "redeploy" | "setup", _) if parsed.has(&["-P", "--skip-push"]) => None,
        ("deploy" | "redeploy" | "setup", _) | ("build", "push" | "deliver") => Some(Asked::Push),
        ("build", "dev") => Some(Asked::Dev),
        ("build", "create") => Some(Asked::Builder),
        ("registry", "login" | "setup") if !parsed.has(&["-L", "--skip-local"]) => {
            Some(Asked::Login)
        }
        _ => None,
    }
}

/// The files of a configuration; what a later one says, counts.
struct Configuration {
    documents: Vec<Document>,
}

impl Configuration {
    fn get(&self, keys: &[&str]) -> Option<Node<'_>> {
        let of = |document: &'_ Document| -> Option<()> {
            let node = document.root()?;
            keys.iter().try_fold(node, |node, key| node.get(key))?;
            Some(())
        };
        let document = self.documents.iter().rev().find(|d| of(d).is_some())?;
        let root = document.root()?;
        let node = keys.iter().try_fold(root, |node, key| node.get(key))?;
        Some(node).filter(|node| !node.is_null())
    }

    fn text(&self, keys: &[&str]) -> Option<&str> {
        let text = self.get(keys).and_then(Node::as_str);
        text.filter(|text| !text.is_empty())
    }

    /// A credential: as it stands there, or the name of a secret in a list.
    fn credential(&self, run: &JobRun<'_>, key: &str) -> Option<Text> {
        let node = self.get(&["registry", key])?;
        if let Some(text) = node.as_str() {
            return Some(Text::from(text));
        }
        let name = node.items().next().and_then(Node::as_str)?;
        Some(run.variable(name))
    }

    /// The build arguments of all files.
    fn arguments(&self) -> Vec<(String, Text)> {
        let mut out: Vec<(String, Text)> = Vec::new();
        let roots = self.documents.iter().filter_map(Document::root);
        let all = roots.filter_map(|root| root.get("builder")?.get("args"));
        for entry in all.flat_map(Node::entries) {
            let (Some(name), Some(value)) = (entry.key.as_str(), entry.value.as_str()) else {
                continue;
            };
            let value = Text::from(value);
            if let Some((_, known)) = out.iter_mut().find(|(known, _)| known == name) {
                *known = value;
            } else if out.len() < MAX_ARGUMENTS {
                out.push((name.to_owned(), value));
            }
        }
        out
    }

    /// Whether the machine that is called upon builds itself. One that builds on another's behalf is taken for an amd64.
    fn builds_here(&self) -> bool {
        let Some(remote) = self.get(&["builder", "remote"]) else {
            return true;
        };
        let local = self.get(&["builder", "local"]);
        // Kamal 1: `remote: {arch: amd64, host: ssh://…}`, beside which a `local` builds its own share.
        if remote.is_mapping() {
            return local.is_some();
        }
        let arches = self.get(&["builder", "arch"]).map(Node::one_or_many);
        local.and_then(Node::as_bool) != Some(false)
            && arches.is_none_or(|all| all.iter().any(|arch| arch.as_str() != Some("arm64")))
    }

    /// The name of the image in its registry.
    fn image(&self, run: &JobRun<'_>) -> Option<Text> {
        let mut out = Text::default();
        if let Some(server) = self.text(&["registry", "server"]) {
            out.push(server);
            out.push("/");
        }
        out.push(self.text(&["image"])?);
        out.push(":");
        out.push(run.cx.holes.of("?", HoleKind::Expression).as_str());
        Some(out)
    }
}

impl Shell {
    /// What `kamal` does on the machine where it is called.
    pub(super) fn kamal(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let parsed = flags::parse(run, call.rest(), &Spec::values(VALUES), Order::Mixed);
        let Some(asked) = asked(&parsed).filter(|_| !parsed.has(&["--help"])) else {
            return;
        };
        let span = call.span;
        let configuration = match self.configuration_of_kamal(run, &parsed) {
            Ok(configuration) => configuration,
            Err(why) => {
                let words: Vec<&str> = parsed.rest.iter().take(2).map(Arg::as_str).collect();
                let what = format!("kamal {}", words.join(" "));
                run.opaque(span, run.show(&Text::from(what)), why, By::Run);
                return;
            }
        };
        let deploys = matches!(parsed.word(0), "deploy" | "redeploy" | "setup");
        let hooks = !parsed.has(&["-H", "--skip-hooks"]);
        if asked == Asked::Push && hooks {
            self.hook_of_kamal(run, "pre-connect", span);
        }
        if matches!(asked, Asked::Push | Asked::Login) {
            sign_in(run, &configuration, span);
        }
        if asked == Asked::Push && hooks {
            self.hook_of_kamal(run, "pre-build", span);
        }
        if asked != Asked::Login && configuration.builds_here() {
            let note = format!("builds as `{CONFIGURATION}` says");
            run.traced(span, note, |run| {
                self.build_of_kamal(run, &configuration, asked, span);
            });
        }
        if deploys && hooks {
            self.hook_of_kamal(run, "pre-deploy", span);
            self.hook_of_kamal(run, "post-deploy", span);
        }
    }

    fn configuration_of_kamal(
        &self,
        run: &JobRun<'_>,
        parsed: &Parsed,
    ) -> Result<Configuration, String> {
        let given = parsed.value(&["-c", "--config-file", "--config_file"]);
        let written = given.map_or_else(|| Text::from(CONFIGURATION), |arg| arg.text.clone());
        let missing = || {
            let name = run.show(&written);
            format!(
                "its configuration `{name}` is not in this repository; it may be made while the job runs"
            )
        };
        let base = self.locate(run, &written).ok_or_else(missing)?;
        let mut files = vec![base.clone()];
        let stem = base.as_str().strip_suffix(".yml");
        if let Some(destination) = parsed.value(&["-d", "--destination"]) {
            let of = |name: &str| RepoPath::new(&format!("{}.{name}.yml", stem?));
            match destination.text.known() {
                Some(name) => files.extend(of(name)),
                None => {
                    let folder = base.parent();
                    let prefix = format!("{}.", base.name().trim_end_matches(".yml"));
                    let names = run.cx.sources.tree().list(&folder);
                    let others = names.iter().filter(|name| name.starts_with(&prefix));
                    let mut paths = others.filter_map(|name| folder.join(name));
                    let decides = |path: RepoPath| {
                        let source = path != base && run.cx.spend();
                        let source = source.then(|| run.cx.sources.load(&path).ok()).flatten();
                        source.is_some_and(|source| {
                            let mut lines = source.text.lines();
                            lines.any(|l| l.starts_with("builder:") || l.starts_with("registry:"))
                        })
                    };
                    if paths.any(decides) {
                        return Err("to which destination it deploys, and so what it builds, is known only when the job runs".to_owned());
                    }
                }
            }
        }
        let mut documents = Vec::new();
        for file in files {
            let source = run.cx.sources.load(&file).map_err(|_| missing())?;
            let long = source.text.len() > MAX_CONFIGURATION;
            if long || !run.cx.spend_shell(source.text.len()) {
                return Err(format!("its configuration `{file}` is too long"));
            }
            let source = match source.text.contains("<%") {
                true => run
                    .cx
                    .sources
                    .add(RepoPath::root(), self.without_erb(run, &source.text)),
                false => Rc::clone(&source),
            };
            let document = Document::parse(&source)
                .map_err(|_| format!("its configuration `{file}` could not be understood"))?;
            documents.push(document);
        }
        Ok(Configuration { documents })
    }

    /// The text that ERB makes, with a hole where Ruby would have to be run.
    fn without_erb(&self, run: &JobRun<'_>, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("<%") {
            let (code, tail) = after.split_once("%>").unwrap_or((after, ""));
            out.push_str(before);
            rest = tail;
            if let Some(code) = code.strip_prefix('=') {
                out.push_str(
                    self.value_of_ruby(run, code.trim_matches([' ', '-']))
                        .as_str(),
                );
            }
        }
        out.push_str(rest);
        out
    }

    /// `ENV["TAG"]`, `ENV.fetch("TAG")`, `File.read(".ruby-version").strip`
    fn value_of_ruby(&self, run: &JobRun<'_>, code: &str) -> Text {
        let quoted = |text: &str| {
            let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (inner, after) = text.get(1..)?.split_once(quote)?;
            Some((inner.to_owned(), after.trim().to_owned()))
        };
        let variable = code
            .strip_prefix("ENV[")
            .or_else(|| code.strip_prefix("ENV.fetch("))
            .and_then(quoted);
        if let Some((name, after)) = variable
            && matches!(after.as_str(), "]" | ")")
        {
            return run.variable(&name);
        }
        let file = code
            .strip_prefix("File.read(")
            .or_else(|| code.strip_prefix("IO.read("));
        if let Some((name, after)) = file.and_then(quoted)
            && matches!(after.as_str(), ").strip" | ").chomp")
            && let Some(path) = self.locate(run, &Text::from(name))
            && let Ok(source) = run.cx.sources.load(&path)
            && source.text.trim().lines().count() == 1
        {
            return Text::from(source.text.trim());
        }
        run.cx
            .holes
            .of(&format!("<%= {code} %>"), HoleKind::Expression)
    }

    fn build_of_kamal(
        &mut self,
        run: &mut JobRun<'_>,
        configuration: &Configuration,
        asked: Asked,
        span: Span,
    ) {
        let word = |text: &str| Arg::new(Text::from(text), span);
        let words = |all: &[&str]| -> Vec<Arg> { all.iter().map(|text| word(text)).collect() };
        let context = configuration.text(&["builder", "context"]).unwrap_or(".");
        if let Some(builder) = configuration.text(&["builder", "pack", "builder"]) {
            if asked != Asked::Builder {
                let mut args = words(&["pack", "build"]);
                let image = configuration.image(run).unwrap_or_default();
                args.push(Arg::new(image, span));
                args.extend(words(&["--builder", builder, "--path", context]));
                self.recall(run, &args, span);
            }
            return;
        }
        let driver = configuration.text(&["builder", "driver"]);
        // Kamal 1 named the driver so.
        let native = configuration
            .get(&["builder", "multiarch"])
            .and_then(Node::as_bool)
            == Some(false);
        let driver = driver.unwrap_or(if native { "docker" } else { "docker-container" });
        let builder = match driver {
            "docker" => "default",
            _ => "kamal-local-docker-container",
        };
        if driver != "docker" && asked != Asked::Dev {
            let args = [
                "docker", "buildx", "create", "--name", builder, "--driver", driver,
            ];
            self.recall(run, &words(&args), span);
        }
        if asked == Asked::Builder {
            return;
        }
        let mut args = words(&["docker", "buildx", "build", "--builder", builder]);
        match asked {
            Asked::Dev => args.push(word("--load")),
            _ => args.push(word("--push")),
        }
        if let Some(image) = configuration.image(run) {
            args.extend([word("-t"), Arg::new(image, span)]);
        }
        if let Some(file) = configuration.text(&["builder", "dockerfile"]) {
            args.extend(words(&["--file", file]));
        } else if context != "." {
            args.extend(words(&["--file", "Dockerfile"]));
        }
        if let Some(target) = configuration.text(&["builder", "target"]) {
            args.extend(words(&["--target", target]));
        }
        for (name, value) in configuration.arguments() {
            let mut argument = Text::from(name);
            argument.push("=");
            argument.push(value.as_str());
            args.extend([word("--build-arg"), Arg::new(argument, span)]);
        }
        args.push(word(context));
        self.recall(run, &args, span);
    }

    /// A program that Kamal runs on the way, where the repository has one.
    fn hook_of_kamal(&mut self, run: &mut JobRun<'_>, name: &str, span: Span) {
        let path = Text::from(format!(".kamal/hooks/{name}"));
        let found = self.locate(run, &path);
        if found.is_some_and(|path| run.cx.sources.exists(&path)) {
            self.recall(run, &[Arg::new(path, span)], span);
        }
    }
}

/// `docker login SERVER -u … -p …`, or the registry of this machine.
fn sign_in(run: &mut JobRun<'_>, configuration: &Configuration, span: Span) {
    let server = configuration.text(&["registry", "server"]);
    if server.is_some_and(|server| server.starts_with("localhost:")) {
        let image = Text::from(LOCAL_REGISTRY);
        return run.docker_pull(span, image, By::Run, Freshness::Missing);
    }
    let username = configuration.credential(run, "username");
    let password = configuration.credential(run, "password");
    // Nothing of it happens where another machine builds.
    if !configuration.builds_here() || username.is_none() || password.is_none() {
        return;
    }
    let registry = server.map(Text::from).unwrap_or_default();
    let store = run.docker_store();
    let login = Kind::Login {
        registry,
        username: username.map(|text| run.of_credential(text)),
        password: password.map(|text| run.of_credential(text)),
        store,
        how: "kamal".into(),
        broken: None,
    };
    run.emit(span, login);
}
