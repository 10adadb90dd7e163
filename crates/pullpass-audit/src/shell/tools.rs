//! The table of command-line tools (`data/tools.toml`): flags, wrappers, and what well-known tools
//! pull on their own. It is data because it grows with the field and not with the program.

use std::borrow::Cow;
use std::sync::LazyLock;

use hashbrown::HashMap;
use serde::Deserialize;

use super::condition::emit_login;
use super::exec::Call;
use super::flags::{self, Order, Parsed, Spec};
use super::suites::{self, Suite};
use super::{Arg, Done, Shell, rake, sessions};
use crate::effect::{By, Declared, Freshness, Kind, Puller, Store};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text};
use crate::yaml::{Document, Node};

/// Where Helm keeps its logins.
pub(super) const HELMS: &str = "~/.config/helm/registry";

const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/tools.json"));

/// Everything that the table says.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    flags: std::collections::HashMap<String, Spec>,
    wrapper: Vec<Wrapper>,
    tool: Vec<Tool>,
    suite: Vec<Suite>,
}

/// A command that runs another command.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrapper {
    names: Vec<String>,
    pub(super) flags: Spec,
    /// `NAME=value` may stand before the command.
    #[serde(default)]
    pub(super) assignments: bool,
    /// The command has another home folder, and nothing of the environment.
    #[serde(default)]
    pub(super) new_home: bool,
    /// Words before the command.
    #[serde(default)]
    pub(super) skip: usize,
    /// Numbers may stand before the command.
    #[serde(default)]
    pub(super) numbers: bool,
    /// The command stands behind this word.
    #[serde(default)]
    pub(super) after: Option<String>,
    /// The command stands behind one of these flags.
    #[serde(default)]
    pub(super) behind: Option<String>,
    /// The command stands behind one of these sub-commands, divided by `|`.
    #[serde(default)]
    pub(super) words: Option<String>,
    /// These flags carry a script.
    #[serde(default)]
    pub(super) script: Option<String>,
    /// The command is a module of Python's, behind `-m`.
    #[serde(default)]
    pub(super) module: bool,
    /// It runs no others than these, divided by `|`; otherwise it is no wrapper.
    #[serde(default)]
    only: Option<String>,
    /// The command runs on a machine of its own, which has this name and credentials of its own.
    #[serde(default)]
    pub(super) machine: Option<String>,
}

impl Wrapper {
    /// Whether a command line is one that runs another command.
    pub(super) fn is_meant(&self, call: &Call<'_>) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| only.split('|').any(|word| word == call.word(1)))
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Where {
    #[default]
    Docker,
    Containers,
    /// A file of Helm's own, then Docker's.
    Helm,
    None,
}

/// A tool whose images a project chooses.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OwnImages {
    Cross,
    Cibuildwheel,
    Charts,
    Hooks,
    Minikube,
    Atlas,
    Assets,
    Qodana,
    Builds,
    Molecule,
    Ko,
    Helmfile,
    Litmus,
    Nextflow,
    Devcontainer,
}

/// A tool that pulls, pushes or signs in on its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    names: Vec<String>,
    /// Where it was learnt; for the reader of the table.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by people and by the test of the table")
    )]
    source: String,
    flags: Spec,
    #[serde(default)]
    store: Where,
    /// Only what begins with this, as `docker://`, is an image of a registry.
    #[serde(default)]
    transport: Option<String>,
    /// A first word that looks like no image is something else: a folder, an archive.
    #[serde(default)]
    image_like: bool,
    /// Each word is a command with words of its own, or several.
    #[serde(default)]
    commands: bool,
    does: Vec<Deed>,
}

/// Words that stand one behind the other, or flags of which one is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "String")]
struct Words(Vec<String>);

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(text.split_ascii_whitespace().map(str::to_owned).collect())
    }
}

/// The words that each of the sub-commands is called by: `a b|c`. Without any of them it is the tool itself.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
struct SubCommands(Vec<Words>);

impl From<String> for SubCommands {
    fn from(text: String) -> Self {
        let words = |one: &str| Words::from(one.to_owned());
        Self(text.split('|').map(words).collect())
    }
}

/// What a sub-command does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deed {
    words: SubCommands,
    /// The words may stand behind others.
    #[serde(default)]
    anywhere: bool,
    /// Not when one of these flags is given.
    #[serde(default)]
    unless: Words,
    /// Only when one of these flags is given.
    #[serde(default)]
    only: Words,
    /// Files, or flags that name one; one of them must contain `mentions`.
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    mentions: String,
    /// Of these files only the functions named like the command's words count.
    #[serde(default)]
    by_function: bool,
    /// The same of the tasks of a Rakefile.
    #[serde(default)]
    by_task: bool,
    #[serde(default)]
    pull: Vec<String>,
    /// Flags that name a YAML file whose `image:`s are pulled, in place of the default of the first one.
    #[serde(default)]
    config: String,
    /// The image that a text means which is only a channel of releases: `latest`, `stable`, `+v1.33`.
    #[serde(default)]
    channel: String,
    /// What is there is not asked for again.
    #[serde(default)]
    missing: bool,
    /// What is pulled stays with nobody: it is only looked at, or copied to another registry.
    #[serde(default)]
    reads: bool,
    /// Flags that carry `user:password`.
    #[serde(default)]
    credential: String,
    /// The flag with the password, where `credential` is the one with the name alone.
    #[serde(default)]
    password: String,
    /// The project chooses the images: read in code, in place of `pull`.
    #[serde(default)]
    own_images: Option<OwnImages>,
    #[serde(default)]
    push: Vec<String>,
    #[serde(default)]
    provide: Vec<String>,
    #[serde(default)]
    login: Option<LoginSpec>,
    #[serde(default)]
    logout: bool,
    #[serde(default)]
    opaque: Option<String>,
    /// Prints a command that signs in; `aws ecr get-login` is run by its output.
    #[serde(default)]
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "for the reader of the table: it is the output that counts"
        )
    )]
    prints: Option<String>,
    #[serde(default)]
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the reader of the table: nothing at all")
    )]
    nothing: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LoginSpec {
    registry: String,
    /// Stands behind a name of a registry that has no dot in it.
    suffix: String,
    username: String,
    password: String,
    stdin: String,
}

impl Default for LoginSpec {
    fn default() -> Self {
        Self {
            registry: "{1}".to_owned(),
            suffix: String::new(),
            username: "-u --username".to_owned(),
            password: "-p --password".to_owned(),
            stdin: "--password-stdin".to_owned(),
        }
    }
}

struct Index {
    table: Table,
    tools: HashMap<String, usize>,
    wrappers: HashMap<String, Vec<usize>>,
    suites: HashMap<String, Vec<usize>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    // A test reads the table; an error cannot come this far.
    let mut table: Table = serde_json::from_str(TEXT).unwrap_or_default();
    let rows = std::mem::take(&mut table.suite).into_iter();
    table.suite = rows.flat_map(Suite::with_others).collect();
    let mut tools = HashMap::new();
    let mut wrappers: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, tool) in table.tool.iter().enumerate() {
        for name in &tool.names {
            tools.insert(name.clone(), index);
        }
    }
    for (index, wrapper) in table.wrapper.iter().enumerate() {
        for name in &wrapper.names {
            wrappers.entry(name.clone()).or_default().push(index);
        }
    }
    let mut suites: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, suite) in table.suite.iter().enumerate() {
        for name in &suite.names {
            suites.entry(name.clone()).or_default().push(index);
        }
    }
    Index {
        table,
        tools,
        wrappers,
        suites,
    }
});

static NO_FLAGS: LazyLock<Spec> = LazyLock::new(Spec::default);

/// The names of all tools that pull or sign in.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let index: &'static Index = &INDEX;
    index.tools.keys().map(String::as_str)
}

/// Whether a program of this name is a tool of the table.
pub(super) fn is_one(name: &str) -> bool {
    INDEX.tools.contains_key(name)
}

/// The names of all programs of the table: tools, those that run others, and those that run tests.
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    let index: &'static Index = &INDEX;
    names()
        .chain(index.wrappers.keys().map(String::as_str))
        .chain(index.suites.keys().map(String::as_str))
}

/// The flags of a command that is read in code.
pub(super) fn spec(command: &str) -> &'static Spec {
    INDEX.table.flags.get(command).unwrap_or(&NO_FLAGS)
}

/// What scripts that run tests have in them.
pub(super) fn leads_to_suites() -> impl Iterator<Item = &'static str> {
    let index: &'static Index = &INDEX;
    let all = index.table.suite.iter().flat_map(Suite::leads);
    all.map(String::as_str)
}

/// What is known of a program that runs tests or builds, and their numbers in the table.
pub(super) fn suites(name: &str) -> impl Iterator<Item = (usize, &'static Suite)> {
    let index: &'static Index = &INDEX;
    let found = index.suites.get(name).map_or(&[][..], Vec::as_slice);
    found
        .iter()
        .filter_map(|&number| Some((number, index.table.suite.get(number)?)))
}

/// What a name says of a command that runs another; a name may have several forms.
pub(super) fn wrappers(name: &str) -> impl Iterator<Item = &'static Wrapper> {
    let index: &'static Index = &INDEX;
    let found = index.wrappers.get(name).map_or(&[][..], Vec::as_slice);
    found.iter().filter_map(|&at| index.table.wrapper.get(at))
}

impl Shell {
    /// Executes a tool of the table; `None` when it is none of them.
    pub(super) fn tool(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        call: &Call<'_>,
    ) -> Option<Done> {
        let index: &'static Index = &INDEX;
        let tool = index.table.tool.get(*index.tools.get(name)?)?;
        let args = match tool.commands {
            true => call.rest().iter().flat_map(suites::commands_in).collect(),
            false => Cow::Borrowed(call.rest()),
        };
        let mut parsed = flags::parse(run, &args, &tool.flags, Order::Mixed);
        // Dagger loads a module, and starts its engine, to know what there is to say.
        if parsed.has(&["--help"]) && name != "dagger" {
            return Some(Done::UNKNOWN);
        }
        let Some((deed, words)) = tool.does.iter().find_map(|deed| {
            let words = deed.applies(run, &parsed)?;
            Some((deed, words))
        }) else {
            return Some(Done::UNKNOWN);
        };
        if let Some(whose) = deed.own_images {
            match whose {
                OwnImages::Cross => self.cross(run, &parsed, call.span),
                OwnImages::Cibuildwheel => self.cibuildwheel(run, &parsed, call.span),
                OwnImages::Charts => self.charts(run, &parsed, words, call),
                OwnImages::Helmfile => self.helmfile(run, &parsed, call.span),
                OwnImages::Hooks => self.hooks(run, &parsed, words),
                OwnImages::Minikube => self.minikube(run, &parsed, words, call.span),
                OwnImages::Atlas => self.dev_database(run, &parsed, call.span),
                OwnImages::Assets => self.assets(run, call.span, "cdk"),
                OwnImages::Qodana => self.qodana(run, &parsed, call.span),
                OwnImages::Builds => self.builds(run, name, call),
                OwnImages::Molecule => self.molecule(run, &parsed, call.span),
                OwnImages::Ko => self.ko(run, &parsed, call.span),
                OwnImages::Devcontainer => self.devcontainer(run, &parsed, call.span),
                OwnImages::Litmus => self.litmus(run, &parsed, call.span),
                OwnImages::Nextflow => self.nextflow(run, call),
            }
            // An installed chart may itself stand in a registry.
            if !matches!(whose, OwnImages::Charts) || words != 1 || name != "helm" {
                return Some(Done::UNKNOWN);
            }
            for arg in parsed.rest.iter().skip(words) {
                if let Some(image) = arg.as_str().strip_prefix("oci://") {
                    let stores = vec![Store::Docker(Text::from(HELMS)), run.docker_store()];
                    let kind = Kind::Pull {
                        image: Text::from(image),
                        by: By::Run,
                        puller: Puller::Client(stores),
                        declared: Declared::None,
                        freshness: Freshness::Always,
                    };
                    run.emit(arg.span, kind);
                }
            }
            return Some(Done::UNKNOWN);
        }
        parsed.rest.drain(..words.min(parsed.rest.len()));
        let line = Line {
            tool,
            deed,
            parsed: &parsed,
            span: call.span,
            name,
        };
        line.perform(self, run);
        Some(Done::UNKNOWN)
    }
}

impl Deed {
    /// How many words the sub-command takes, when it is this one.
    fn applies(&self, run: &JobRun<'_>, parsed: &Parsed) -> Option<usize> {
        let has = |flag: &str| match flag.split_once('=') {
            Some((name, value)) => parsed.value(&[name]).is_some_and(|v| v.as_str() == value),
            None => parsed.has(&[flag]),
        };
        let any = |flags: &Words| parsed.has_flags() && flags.0.iter().any(|flag| has(flag));
        if any(&self.unless) || !self.only.0.is_empty() && !any(&self.only) {
            return None;
        }
        if !self.mentions.is_empty() && !self.any_mentions(run, parsed) {
            return None;
        }
        self.words.0.iter().find_map(|Words(words)| {
            if self.anywhere {
                let first = words.first()?.as_str();
                let is = |arg: &Arg| {
                    // `task[argument]` of Rake.
                    let task = arg.as_str().split('[').next();
                    let before = task.and_then(|task| task.strip_suffix(first));
                    before.is_some_and(|before| before.is_empty() || before.ends_with([':', '/']))
                        || goal_in_full(arg.as_str()).as_deref() == Some(first)
                };
                return parsed.rest.iter().any(is).then_some(0);
            }
            let mut all = words.iter().enumerate();
            all.all(|(at, word)| parsed.word(at) == word)
                .then_some(words.len())
        })
    }
}

impl Deed {
    /// Whether a file, the one that a flag names if one does, has the word in it.
    fn any_mentions(&self, run: &JobRun<'_>, parsed: &Parsed) -> bool {
        let mut files = self.paths(run, parsed).into_iter();
        if self.by_task {
            let sources = files.filter_map(|path| run.cx.sources.load(&path).ok());
            let words = parsed.rest.iter().map(Arg::as_str);
            return rake::tasks_mention(sources, words, &self.mentions);
        }
        files.any(|path| {
            let source = run.cx.sources.load(&path);
            source.is_ok_and(|source| self.mentioned(&source.text, parsed))
        })
    }

    /// The files that are meant: the one that a flag names, or those in the working folder and at the root.
    fn paths(&self, run: &JobRun<'_>, parsed: &Parsed) -> Vec<RepoPath> {
        let given = self.files.iter().find_map(|flag| parsed.value(&[flag]));
        if let Some(given) = given {
            return run.resolve(&given.text).into_iter().collect();
        }
        let mut folders = vec![RepoPath::root()];
        if let Cwd::Inside(folder) = &run.cwd
            && !folder.is_root()
        {
            folders.insert(0, folder.clone());
        }
        let mut out = Vec::new();
        for folder in folders {
            for file in &self.files {
                match file.split_once("/*") {
                    Some((below, ending)) => {
                        let Some(folder) = folder.join(below) else {
                            continue;
                        };
                        let names = run.cx.sources.tree().list(&folder);
                        let names = names.iter().filter(|name| name.ends_with(ending));
                        out.extend(names.filter_map(|name| folder.join(name)));
                    }
                    None => out.extend(folder.join(file)),
                }
            }
        }
        out
    }

    fn mentioned(&self, text: &str, parsed: &Parsed) -> bool {
        let mut words = parsed.texts(&["-s", "--session", "--sessions"]);
        words.extend(parsed.rest.iter().map(|word| word.text.clone()));
        if !self.by_function || words.is_empty() {
            // Who explains what is not done does not do it.
            let mut code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'));
            return code.any(|line| line.contains(&self.mentions));
        }
        let of_word = |word: &Text| {
            let body = sessions::function(text, word.as_str())?;
            Some(body.contains(&self.mentions))
        };
        words.iter().any(|word| of_word(word) == Some(true))
    }
}

/// How the artifacts of Maven's plugins end.
const PLUGIN: &str = "-maven-plugin";

/// A goal of Maven's that is named in full, by the prefix of its plugin: `io.fabric8:docker-maven-plugin:0.45.0:build` is
/// `docker:build`. <https://maven.apache.org/guides/introduction/introduction-to-plugin-prefix-mapping.html>
fn goal_in_full(text: &str) -> Option<String> {
    if !text.bytes().any(|b| b == b':') {
        return None;
    }
    let mut parts = text.split(':');
    let (artifact, goal) = (parts.nth(1)?, parts.next_back()?);
    let prefix = artifact.strip_suffix(PLUGIN)?;
    let goal = goal.split('@').next().unwrap_or(goal);
    Some(format!("{prefix}:{goal}"))
}

/// A tool's command line, with the row that describes it.
struct Line<'l> {
    tool: &'static Tool,
    deed: &'static Deed,
    parsed: &'l Parsed,
    span: Span,
    name: &'l str,
}

impl Line<'_> {
    /// The tool with the sub-command, as people know it.
    fn called(&self) -> String {
        let words = self.deed.words.0.first().map(|words| words.0.as_slice());
        let words = words.unwrap_or_default().iter().map(String::as_str);
        let all: Vec<&str> = std::iter::once(self.name).chain(words).collect();
        all.join(" ")
    }

    fn perform(&self, shell: &Shell, run: &mut JobRun<'_>) {
        let store = match self.tool.store {
            Where::Docker => run.docker_store(),
            Where::Helm => Store::Docker(Text::from(HELMS)),
            Where::Containers | Where::None => Store::Containers,
        };
        if let Some(login) = &self.deed.login {
            let mut registry = self
                .values(run, &login.registry)
                .into_iter()
                .next()
                .map(|(text, _)| text)
                .unwrap_or_default();
            if !registry.as_str().contains('.') {
                registry.push(&login.suffix);
            }
            let flag = |names: &str| {
                let names: Vec<&str> = names.split_whitespace().collect();
                self.parsed.value(&names).map(|arg| arg.text.clone())
            };
            let from_input = login
                .stdin
                .split_whitespace()
                .any(|name| self.parsed.has(&[name]));
            let password = flag(&login.password).or_else(|| {
                from_input
                    .then(|| shell.secret_on_input(run, self.span))
                    .flatten()
            });
            let username = flag(&login.username);
            emit_login(
                run,
                self.span,
                Kind::Login {
                    registry,
                    username,
                    password,
                    store,
                    how: self.called().into(),
                    broken: None,
                },
            );
            return;
        }
        if self.deed.logout {
            let registry = self.parsed.rest.first().map(|arg| arg.text.clone());
            let registry = registry.unwrap_or_default();
            run.emit(self.span, Kind::Logout { registry, store });
            return;
        }
        let stores = match self.tool.store {
            Where::Docker => vec![run.docker_store()],
            Where::Helm => vec![Store::Docker(Text::from(HELMS)), run.docker_store()],
            Where::Containers => vec![Store::Containers, run.docker_store()],
            Where::None => Vec::new(),
        };
        let freshness = match (self.deed.missing, self.deed.reads) {
            (true, true) => Freshness::ReadIfMissing,
            (true, false) => Freshness::Missing,
            (false, true) => Freshness::Read,
            (false, false) => Freshness::Always,
        };
        let configured = self.configured(shell, run);
        let replaced = configured.iter().any(|(image, _)| !is_of_a_registry(image));
        let patterns = self.deed.pull.iter().skip(usize::from(replaced));
        let written = patterns.flat_map(|pattern| self.images(run, pattern));
        let all: Vec<(Text, Span)> = configured.into_iter().chain(written).collect();
        for (image, span) in all {
            let image = self.of_channel(run, image);
            let declared = self.declared();
            let puller = Puller::Client(stores.clone());
            run.emit(
                span,
                Kind::Pull {
                    image,
                    by: By::Run,
                    puller,
                    declared,
                    freshness,
                },
            );
        }
        for pattern in &self.deed.provide {
            for (image, span) in self.images(run, pattern) {
                run.emit(span, Kind::Provide { image });
            }
        }
        for pattern in &self.deed.push {
            for (image, span) in self.images(run, pattern) {
                run.emit(span, Kind::Push { image });
            }
        }
        if let Some(why) = &self.deed.opaque {
            run.opaque(self.span, self.name, why.as_str(), By::Run);
        }
    }

    /// The images that a configuration file names: `kind create cluster --config f`. None where a flag
    /// names the image.
    fn configured(&self, shell: &Shell, run: &JobRun<'_>) -> Vec<(Text, Span)> {
        if self.deed.config.is_empty() || self.parsed.value(&["--image", "-i"]).is_some() {
            return Vec::new();
        }
        let names: Vec<&str> = self.deed.config.split_whitespace().collect();
        let Some(file) = self.parsed.value(&names) else {
            return Vec::new();
        };
        let input = shell.file_input(run, file);
        let Some(text) = input.known() else {
            return Vec::new();
        };
        if let Some(images) = images_in_yaml(run, text) {
            return images;
        }
        // A template, for one.
        let mut out = Vec::new();
        let mut end = 0;
        for line in text.text.split_inclusive('\n') {
            let begin = end;
            end += line.len();
            for (at, value) in images_in(line) {
                let span = text.span(begin + at, begin + at + value.len());
                let image = (Text::from(value), span);
                if !out.contains(&image) && out.len() < 64 {
                    out.push(image);
                }
            }
        }
        out
    }

    /// An image, or the one of the channel that the text names.
    fn of_channel(&self, run: &JobRun<'_>, image: Text) -> Text {
        let text = image.as_str();
        if self.deed.channel.is_empty()
            || !(text.starts_with('+') || matches!(text, "latest" | "stable"))
        {
            return image;
        }
        let mut span = self.span;
        self.render(run, &self.deed.channel, &mut span, 0)
    }

    fn declared(&self) -> Declared {
        let flag = |names: &str| {
            let names: Vec<&str> = names.split_whitespace().collect();
            self.parsed.value(&names)
        };
        let apart = flag(&self.deed.password);
        let Some(given) = flag(&self.deed.credential) else {
            return Declared::None;
        };
        let (username, password) = match (apart, given.as_str().split_once(':')) {
            (Some(password), _) => (given.text.clone(), password.text.clone()),
            (None, _) if !self.deed.password.is_empty() => return Declared::None,
            (None, Some((user, password))) => (Text::from(user), Text::from(password)),
            (None, None) => (given.text.clone(), given.text.clone()),
        };
        Declared::Credential {
            username,
            password,
            span: given.span,
            sometimes_empty: false,
        }
    }

    /// The images that a pattern means, without what is no image of a registry.
    fn images(&self, run: &JobRun<'_>, pattern: &str) -> Vec<(Text, Span)> {
        let all = self.values(run, pattern).into_iter();
        all.filter_map(|(text, span)| {
            let written = text.as_str();
            if let Some(transport) = &self.tool.transport {
                let image = written.strip_prefix(transport.as_str())?;
                return Some((Text::from(image), span));
            }
            // grype's and syft's, for where the image comes from.
            let scheme = ["docker:", "registry:", "podman:"]
                .iter()
                .filter(|_| matches!(self.name, "grype" | "syft"))
                .find_map(|scheme| written.strip_prefix(scheme));
            if let Some(image) = scheme {
                return Some((Text::from(image), span));
            }
            let other = written.contains("://")
                || [
                    "dir:",
                    "file:",
                    "sbom:",
                    "oci:",
                    "oci-dir:",
                    "oci-archive:",
                    "singularity:",
                    "docker-archive:",
                    "docker-daemon:",
                    "containers-storage:",
                ]
                .iter()
                .any(|scheme| written.starts_with(scheme));
            let path = self.tool.image_like
                && (written.starts_with(['.', '/', '~'])
                    || run.resolve(&text).is_some_and(|path| {
                        run.cx.sources.exists(&path)
                            || !run.cx.sources.tree().list(&path).is_empty()
                    }));
            (!other && !path && !written.is_empty()).then_some((text, span))
        })
        .collect()
    }

    fn values(&self, run: &JobRun<'_>, pattern: &str) -> Vec<(Text, Span)> {
        if pattern == "{*}" {
            let all = self.parsed.rest.iter();
            return all.map(|arg| (arg.text.clone(), arg.span)).collect();
        }
        let mut span = self.span;
        let text = self.render(run, pattern, &mut span, 0);
        if text.is_empty() {
            return Vec::new();
        }
        vec![(text, span)]
    }

    /// A pattern with its slots filled; `span` becomes the place of an argument that is all of it.
    fn render(&self, run: &JobRun<'_>, pattern: &str, span: &mut Span, depth: usize) -> Text {
        let mut out = Text::default();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            out.push(before);
            let end = closing(after);
            let (slot, tail) = (
                after.get(..end).unwrap_or(""),
                after.get(end + 1..).unwrap_or(""),
            );
            rest = tail;
            let (name, default) = slot.split_once('|').unwrap_or((slot, ""));
            if name == "?" {
                let unknown = run.cx.holes.of("?", HoleKind::Expression);
                out.push(unknown.as_str());
                continue;
            }
            let found = match name.parse::<usize>() {
                Ok(index) => self.parsed.rest.get(index.wrapping_sub(1)),
                Err(_) => self.parsed.value(&[name]),
            };
            match found {
                Some(arg) => {
                    out.push(arg.as_str());
                    if before.is_empty() && tail.is_empty() {
                        *span = arg.span;
                    }
                }
                None if depth < 4 => {
                    let default = self.render(run, default, span, depth + 1);
                    out.push(default.as_str());
                }
                None => {}
            }
        }
        out.push(rest);
        out
    }
}

/// The images in a line of YAML, and where they begin: `- image: x # own`, `{role: worker, image: "x"}`.
fn images_in(line: &str) -> Vec<(usize, &str)> {
    let comment = line
        .find(" #")
        .filter(|_| !line.trim_start().starts_with('#'));
    let end = match line.trim_start().starts_with('#') {
        true => 0,
        false => comment.unwrap_or(line.len()),
    };
    let line = line.get(..end).unwrap_or_default();
    let mut out = Vec::new();
    for (at, key) in line.match_indices("image") {
        let before = line.get(..at).unwrap_or_default();
        let behind = line.get(at + key.len()..).unwrap_or_default();
        let begins = before.trim_end_matches(['"', '\'']);
        let Some(value) = behind.trim_start_matches(['"', '\'']).strip_prefix(':') else {
            continue;
        };
        if !begins.is_empty() && !begins.ends_with([' ', '\t', '{', ',']) {
            continue;
        }
        let value = value.trim_start();
        let start = line.len() - value.len();
        let (start, value) = match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => (
                start + 1,
                value.get(1..).and_then(|v| v.split(quote).next()),
            ),
            None => (start, value.split([',', '}']).next().map(str::trim_end)),
        };
        out.extend(
            value
                .filter(|value| !value.is_empty())
                .map(|value| (start, value)),
        );
    }
    out
}

/// Largest configuration of a cluster that is read as YAML, in bytes; real ones have a hundred lines.
const MAX_CONFIGURATION: usize = 64 * 1024;

/// The values of every key `image` in a text, one for each place; `None` where it is not YAML.
fn images_in_yaml(run: &JobRun<'_>, text: &Mapped) -> Option<Vec<(Text, Span)>> {
    if text.text.len() > MAX_CONFIGURATION || !run.cx.spend_shell(text.text.len()) {
        return None;
    }
    let source = run.cx.sources.add(RepoPath::root(), text.text.clone());
    let document = Document::parse(&source).ok()?;
    let mut out: Vec<(Text, Span)> = Vec::new();
    let mut open: Vec<Node<'_>> = document.roots().collect();
    open.reverse();
    while let Some(node) = open.pop() {
        if out.len() >= 64 || open.len() > 10_000 || !run.cx.spend() {
            break;
        }
        let mut inner: Vec<Node<'_>> = node.items().collect();
        for entry in node.entries() {
            let image = entry.value.as_str().filter(|image| !image.is_empty());
            match image.filter(|_| entry.key.as_str() == Some("image")) {
                Some(image) => {
                    let Span { start, end, .. } = entry.value.value_span();
                    let image = (Text::from(image), text.span(start as usize, end as usize));
                    if !out.contains(&image) {
                        out.push(image);
                    }
                }
                None => inner.push(entry.value),
            }
        }
        open.extend(inner.into_iter().rev());
    }
    Some(out)
}

/// Whether an image is a registry for a cluster, and not the cluster.
fn is_of_a_registry(image: &Text) -> bool {
    let name = image.as_str().rsplit('/').next().unwrap_or_default();
    name.starts_with("registry")
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read() {
        let table: Table = serde_json::from_str(TEXT).unwrap();
        assert!(table.tool.len() > 20 && table.wrapper.len() > 10);
        for tool in &table.tool {
            assert!(tool.source.starts_with("https://"), "{:?}", tool.names);
            for deed in &tool.does {
                let acts = !deed.pull.is_empty()
                    || !deed.push.is_empty()
                    || !deed.provide.is_empty()
                    || deed.own_images.is_some()
                    || deed.login.is_some()
                    || deed.logout
                    || deed.opaque.is_some()
                    || deed.prints.is_some();
                assert!(acts != deed.nothing, "{:?} {:?}", tool.names, deed.words);
            }
        }
        for suite in &table.suite {
            assert!(suite.source.starts_with("https://"), "{:?}", suite.names);
        }
        for command in [
            "docker",
            "run",
            "build",
            "pull",
            "push",
            "login",
            "bake",
            "buildx",
            "create-builder",
            "imagetools",
            "other",
            "compose",
            "compose-up",
            "compose-run",
        ] {
            assert!(table.flags.contains_key(command), "{command}");
        }
    }
}
