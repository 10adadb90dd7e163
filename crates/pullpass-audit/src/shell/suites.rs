//! Tests that start containers: a step that says `mvn verify` pulls what Testcontainers asks for, and
//! its own helper `testcontainers/ryuk` before anything else.
//!
//! Which programs run tests, and in which files of a project a dependency stands, is data
//! (`[[suite]]` in `data/tools.toml`). The code of the tests is not read, but for what Go's imports.

pub(crate) mod code;
mod dev_services;
mod dotnet;
pub(crate) mod go;
pub(crate) mod gradle;
pub(crate) mod maven;

use std::borrow::Cow;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::HashMap;
use serde::Deserialize;

use super::exec::Call;
use super::follow::unread_program;
use super::perhaps::folders_that_may_be;
use super::{Arg, Shell, sessions, tools};
use crate::context::Context;
use crate::effect::{By, Freshness, Kind};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Source, Span};
use crate::text::{HoleKind, Text, is_hole, may_be};

/// Folders that are looked into for one run of tests.
const MAX_FOLDERS: usize = 256;

/// Folders that hold what others wrote, or what a build makes.
pub(super) const NOT_OURS: [&str; 6] = [
    "node_modules/",
    "target/",
    "build/",
    "vendor/",
    "dist/",
    "out/",
];

/// Bytes of the description of one plugin that are looked at.
const MAX_PLUGIN: usize = 16 * 1024;

/// How many lines above a name the declaration may begin that it stands in.
const ABOVE: usize = 8;

/// What Gradle's configurations end in, in lower case.
const CONFIGURATIONS: [&str; 7] = [
    "implementation",
    "compileonlyapi",
    "api",
    "runtimeonly",
    "compileonly",
    "compile",
    "runtime",
];

/// What a project is said to use whose tests start containers, where a row names no other.
const TESTCONTAINERS: &str = "Testcontainers";

/// A program that runs tests.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    pub(super) names: Vec<String>,
    /// Where it was learnt; for the reader of the table.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by people and by the test of the table")
    )]
    pub(super) source: String,
    /// What a script that runs them has in it, where that is not the name: names as short as `go` are
    /// in nearly every script.
    #[serde(default)]
    leads: Vec<String>,
    /// Words that run them, one of which must be there; none where the program does nothing else.
    #[serde(default)]
    words: Vec<String>,
    /// Words that leave them out: one, alone or with `=…`.
    #[serde(default)]
    unless: Vec<String>,
    /// The words are what is run, and one that is not known may be any of them.
    #[serde(default)]
    may_be_any: bool,
    /// Each word is a command with words of its own, or several: `"testOnly a.B; it/test"`.
    #[serde(default)]
    commands: bool,
    /// Flags that have their value in the next word, with spaces between them.
    #[serde(default)]
    values: String,
    /// Those of them that say where the project is: its folder, or a file in it.
    #[serde(default)]
    folder_in: Vec<String>,
    /// The project is that of the nearest folder above with one of the files, where the working folder has none.
    #[serde(default)]
    above: bool,
    /// Files of which one is in the folder where they are run, if it is there at all.
    #[serde(default)]
    needs: Vec<String>,
    /// Files that name what a project depends on; `*` stands for anything.
    files: Vec<String>,
    /// How deep below the working folder they are looked for.
    #[serde(default)]
    folders: usize,
    /// What such a file says of a project whose tests start containers.
    mentions: String,
    /// A line with this in it does not count.
    #[serde(default)]
    not_with: String,
    /// An element of XML in which it does not count: a version is named there, and nothing used.
    #[serde(default)]
    outside: String,
    /// It stands in quotes.
    #[serde(default)]
    in_quotes: bool,
    /// A line begins with what the dependency is for, as Gradle's `testImplementation`.
    #[serde(default)]
    configurations: bool,
    /// The mention is of a plugin of Maven's, and counts where a goal of it is bound to a phase; in a profile, where the
    /// command line chooses some.
    #[serde(default)]
    bound: bool,
    /// How the goals of that plugin begin that count; none where all do that begin something.
    #[serde(default)]
    goals: Vec<String>,
    /// Variables that hold more words of the command line.
    #[serde(default)]
    words_in: Vec<String>,
    /// Whether the library starts its own helper, too.
    #[serde(default)]
    ryuk: bool,
    /// No library that tests use, but a plugin of the build.
    #[serde(default)]
    plugin: Option<Plugin>,
    /// What the description of that plugin has in it, where it counts by that alone.
    #[serde(default)]
    with: String,
    /// The library that is mentioned, where it is not Testcontainers.
    #[serde(default)]
    library: Option<String>,
    /// Other libraries by which the tests of such projects start containers.
    #[serde(default)]
    also: Vec<Library>,
    /// The language of the tests whose code is looked at for clients.
    #[serde(default)]
    code: Option<code::Language>,
}

/// A library by which tests start containers, and how it is mentioned.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    library: String,
    mentions: String,
    /// It is one with Testcontainers below.
    #[serde(default)]
    ryuk: bool,
    /// Lines do not begin with what the dependency is for.
    #[serde(default)]
    anywhere: bool,
}

/// A plugin of a build that builds images or starts containers.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plugin {
    name: String,
    /// What of it is not read. None where the words do not tell that it is run: then it is only what a login may be
    /// for.
    #[serde(default)]
    opaque: String,
    /// It asks the registries itself.
    #[serde(default)]
    without_engine: bool,
}

/// Where a project is said to depend on what starts containers, and for which of its tests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mention {
    place: Span,
    /// A source set of Gradle's other than `test`, which its task is named for.
    source_set: Option<EcoString>,
    /// It is for the tests of the one project of Gradle's whose build file it stands in.
    own_tests: bool,
    /// It stands in a profile of Maven's.
    in_profile: bool,
    /// For a plugin of Maven's, the number of the first phase that a goal of it is bound to.
    phase: usize,
}

impl Mention {
    /// Whether nothing else needs to be looked for.
    fn is_enough(&self) -> bool {
        self.phase == 0 && !self.in_profile
    }
}

/// What was found in a folder, by what runs its tests.
pub(crate) type Mentions = HashMap<(RepoPath, usize), Rc<[Mention]>>;

impl Shell {
    /// What tests and plugins of a build pull, where this command runs some that start containers.
    pub(super) fn test_suite(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        for (number, suite) in tools::suites(name) {
            one_suite(run, name, call, number, suite);
            if suite.by_task() && suite.library.is_none() {
                self.composes_of_gradle(run, suite, call);
            }
        }
        // `python manage.py test`
        let is_script = |arg: &&Arg| arg.as_str().rsplit('/').next() == Some("manage.py");
        if name.starts_with("python") && call.rest().first().filter(is_script).is_some() {
            let args = call.rest();
            let call = Call {
                args,
                span: call.span,
            };
            for (number, suite) in tools::suites("manage.py") {
                one_suite(run, "manage.py", &call, number, suite);
            }
        }
    }
}

impl Shell {
    /// What tasks of Gradle's have brought up for them.
    fn composes_of_gradle(&mut self, run: &mut JobRun<'_>, suite: &Suite, call: &Call<'_>) {
        let folder = suite.folder(run, call.rest());
        let Some(folder) = folder.filter(|_| run.has_engine) else {
            return;
        };
        for up in gradle::brought_up(run.cx, &folder, suite, call.rest()) {
            let note = format!("brings up what `{}` needs", up.task);
            run.traced(up.place, note, |run| {
                let Some(files) = &up.files else {
                    let why =
                        "a plugin of the build pulls what the build file says, which is not read";
                    run.opaque(call.span, "composeUp", why, By::Run);
                    return;
                };
                let flags = files.iter().flat_map(|file| ["-f", file.as_str()]);
                let words = ["docker", "compose"].into_iter().chain(flags);
                let words = words.chain(["up", "-d"]);
                let args: Vec<Arg> = words
                    .map(|word| Arg::new(Text::from(word), call.span))
                    .collect();
                let outer = std::mem::replace(&mut run.cwd, Cwd::Inside(up.folder.clone()));
                self.recall(run, &args, call.span);
                run.cwd = outer;
            });
        }
    }
}

fn one_suite(run: &mut JobRun<'_>, name: &str, call: &Call<'_>, number: usize, suite: &Suite) {
    let mut args = match suite.commands {
        true => Cow::Owned(call.rest().iter().flat_map(commands_in).collect()),
        false => Cow::Borrowed(call.rest()),
    };
    for name in &suite.words_in {
        let value = run.env.get(name.as_str()).map_or("", Text::as_str);
        let mut words = value.split_whitespace().peekable();
        if words.peek().is_some() {
            let words = words.map(|word| Arg::new(Text::from(word), call.span));
            args.to_mut().extend(words);
        }
    }
    let args = joined(args);
    let args = &*args;
    if let Cwd::Partly(given) = &run.cwd {
        let given = given.clone();
        return in_one_of(run, name, call.span, args, number, suite, &given);
    }
    let Some(folder) = &suite.folder(run, args) else {
        return;
    };
    if suite.by_task() && suite.library.is_none() {
        gradle::tasks(run, folder, suite, call);
    }
    let alone = |plugin: &Plugin| plugin.without_engine || plugin.opaque.is_empty();
    if !run.has_engine && !suite.plugin.as_ref().is_some_and(alone) {
        return;
    }
    if !suite.may_be_run_by(args) || only_check(run, name, folder, args) {
        return;
    }
    if let Some(language) = suite.code {
        code::tests(run, name, folder, args, language, call.span);
    }
    let is_of_java = matches!(name, "mvn" | "mvnw" | "mvnd" | "gradle" | "gradlew");
    if is_of_java && suite.ryuk && suite.library.is_none() {
        dev_services::tests(run, folder, args, suite, call.span);
    }
    let found = suite.found_by(run, name, folder, args, number);
    let Some((place, unknown)) = found else {
        return;
    };
    if let Some(plugin) = &suite.plugin {
        plugin.emit(run, place, call.span);
        return;
    }
    suite.emit(run, place, unknown, call.span);
}

/// Whether environments of tox or sessions of nox are named, and none of them runs tests.
fn only_check(run: &JobRun<'_>, name: &str, folder: &RepoPath, args: &[Arg]) -> bool {
    const CHECKS: [&str; 12] = [
        "lint",
        "format",
        "fmt",
        "docs",
        "doc",
        "mypy",
        "typing",
        "types",
        "typecheck",
        "black",
        "ruff",
        "flake8",
    ];
    match name {
        "nox" => return sessions::only_check(run, folder, args, &CHECKS),
        "tox" => {}
        _ => return false,
    }
    let named = args.iter().filter(|arg| !arg.as_str().starts_with('-'));
    let mut named = named.flat_map(|arg| arg.as_str().split(',')).peekable();
    named.peek().is_some() && named.all(|name| CHECKS.contains(&name))
}

/// The tests of a project are run that start containers by what is said at a place.
fn start(
    run: &mut JobRun<'_>,
    place: Span,
    unknown: Option<Text>,
    span: Span,
    library: &str,
    ryuk: bool,
) {
    let is_of_testcontainers = ryuk || library == TESTCONTAINERS;
    // Testcontainers Cloud pulls elsewhere.
    if is_of_testcontainers && run.env.get("TC_CLOUD_TOKEN").is_some() {
        return;
    }
    let without = run.env.get("TESTCONTAINERS_RYUK_DISABLED");
    let has_ryuk = ryuk && without.is_none_or(|text| text.as_str() != "true");
    let mut image = match run.env.get("TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX") {
        Some(prefix) => prefix.clone(),
        None => Text::default(),
    };
    let runs = if unknown.is_some() { "may run" } else { "runs" };
    let note = format!("{runs} the tests of a project that uses {library}");
    run.traced(span, note, |run| {
        if let Some(words) = unknown {
            let shown = run.show(&words);
            let why = format!("what is run, `{shown}`, is known only when the job runs");
            run.opaque(place, library, why, By::Run);
        } else if has_ryuk {
            image.push("testcontainers/ryuk:");
            let version = run.cx.holes.of("?", HoleKind::Expression);
            image.push(version.as_str());
            run.docker_pull(place, image, By::Run, Freshness::Missing);
        } else {
            let why = "the images that the code of the tests names are not read";
            run.opaque(place, library, why, By::Run);
        }
    });
}

/// Tests that are run in a folder of which a part is not known: unknown, where those of one that it may be start containers.
fn in_one_of(
    run: &mut JobRun<'_>,
    name: &str,
    span: Span,
    args: &[Arg],
    number: usize,
    suite: &Suite,
    given: &Text,
) {
    if !run.has_engine || suite.plugin.is_some() || !suite.may_be_run_by(args) {
        return;
    }
    let folders = folders_that_may_be(run, given);
    let mut folders = folders.iter().take_while(|_| run.cx.spend());
    let found = folders.find_map(|folder| suite.found_by(run, name, folder, args, number));
    let Some((place, _)) = found.filter(|_| run.env.get("TC_CLOUD_TOKEN").is_none()) else {
        return;
    };
    let why = run.why_elsewhere();
    let library = suite.library();
    let note = format!("may run the tests of a project that uses {library}");
    run.traced(span, note, |run| {
        run.opaque(place, library, why, By::Run);
    });
}

impl Plugin {
    fn emit(&self, run: &mut JobRun<'_>, place: Span, span: Span) {
        if self.opaque.is_empty() {
            unread_program(run, span);
            return;
        }
        let note = format!("runs a build that uses {}", self.name);
        run.traced(span, note, |run| {
            let image = run.cx.holes.of("?", HoleKind::Expression);
            run.emit(span, Kind::Provide { image });
            run.opaque(place, self.name.as_str(), self.opaque.as_str(), By::Run);
        });
    }
}

impl Suite {
    /// A row of its own for each of the other libraries.
    pub(super) fn with_others(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.also);
        let mut out = vec![self];
        for other in others {
            let Some(first) = out.first() else {
                break;
            };
            out.push(Self {
                library: Some(other.library),
                mentions: other.mentions,
                ryuk: other.ryuk,
                configurations: first.configurations && !other.anywhere,
                code: None,
                ..first.clone()
            });
        }
        out
    }

    fn library(&self) -> &str {
        self.library.as_deref().unwrap_or(TESTCONTAINERS)
    }

    fn emit(&self, run: &mut JobRun<'_>, place: Span, unknown: Option<Text>, span: Span) {
        start(run, place, unknown, span, self.library(), self.ryuk);
    }

    /// What a script that runs them has in it.
    pub(super) fn leads(&self) -> &[String] {
        match self.leads.is_empty() {
            true => &self.names,
            false => &self.leads,
        }
    }

    /// Whether the words are tasks of Gradle's.
    fn by_task(&self) -> bool {
        self.configurations && self.plugin.is_none()
    }

    /// Where the project is that a command line is about; `None` where that is not of the repository.
    fn folder(&self, run: &JobRun<'_>, args: &[Arg]) -> Option<RepoPath> {
        let mut flags = self.folder_in.iter();
        let given = flags.find_map(|flag| {
            let mut all = args.iter().enumerate();
            all.find_map(|(at, arg)| {
                let rest = arg.as_str().strip_prefix(flag.as_str())?;
                match rest.strip_prefix('=') {
                    Some(value) => Some(Text::from(value)),
                    None if rest.is_empty() => Some(args.get(at + 1)?.text.clone()),
                    None => None,
                }
            })
        });
        let Some(given) = given.filter(Text::is_known) else {
            return run.cwd.inside().cloned();
        };
        let path = run.resolve(&given)?;
        let is_folder = !run.cx.sources.tree().list(&path).is_empty();
        Some(if is_folder { path } else { path.parent() })
    }

    /// The folder whose files say what is tested in this one.
    fn project(&self, cx: &Context<'_>, folder: &RepoPath) -> RepoPath {
        let found = self
            .above
            .then(|| nearest(cx, folder, |name| self.is_file(name)));
        found.flatten().unwrap_or_else(|| folder.clone())
    }

    /// What in a command line says what is run: neither a flag nor the value of one.
    fn words_of<'a>(&self, args: &'a [Arg]) -> Vec<&'a Arg> {
        let mut words = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let text = arg.as_str();
            if self.values.split(' ').any(|flag| flag == text) {
                args.next();
            } else if !text.starts_with(['-', '+']) && !text.is_empty() {
                words.push(arg);
            }
        }
        words
    }

    /// The words that may be any, where no other says what is run.
    fn unknown_words<'a>(&self, args: &'a [Arg]) -> Vec<&'a Arg> {
        // Most command lines say what is run.
        if !self.may_be_any || args.iter().all(|arg| arg.text.is_known()) {
            return Vec::new();
        }
        let words = self.words_of(args).into_iter();
        let mut words: Vec<&Arg> = words.filter(|word| word.as_str() != "clean").collect();
        if !words.iter().all(|word| word.as_str().contains(is_hole)) {
            words.clear();
        }
        words
    }

    /// Where it is said that the tests which a command line runs start containers; with the words that
    /// may be what runs them, where nothing else does.
    fn found(
        &self,
        run: &JobRun<'_>,
        folder: &RepoPath,
        args: &[Arg],
        mentions: &[Mention],
    ) -> Option<(Span, Option<Text>)> {
        if mentions.is_empty() {
            return None;
        }
        let gradle = (self.by_task()).then(|| gradle::Asked::of(run.cx, self, folder, args));
        let runs = |mention: &&Mention| match &gradle {
            Some(asked) => asked.runs(mention),
            None => self.runs(args, mention),
        };
        if let Some(mention) = mentions.iter().find(runs) {
            return Some((mention.place, None));
        }
        let may_run = |word: &str, mention: &Mention| {
            let task = word.rsplit(':').next().unwrap_or(word);
            let is = |name: &str| task.chars().all(is_hole) || may_be(task, name);
            match &mention.source_set {
                Some(set) => is(set),
                None => self.words.iter().any(|name| is(name)),
            }
        };
        self.unknown_words(args).into_iter().find_map(|word| {
            let mention = mentions.iter().find(|mention| {
                let left_out = gradle
                    .as_ref()
                    .is_some_and(|asked| asked.leaves_out(mention));
                !mention.in_profile && !left_out && may_run(word.as_str(), mention)
            })?;
            Some((mention.place, Some(word.text.clone())))
        })
    }

    /// The same, of a program of this name in a folder.
    fn found_by(
        &self,
        run: &JobRun<'_>,
        name: &str,
        folder: &RepoPath,
        args: &[Arg],
        number: usize,
    ) -> Option<(Span, Option<Text>)> {
        match name {
            "go" | "gotestsum" | "ginkgo" => {
                let asked = go::Asked::of(name, args);
                let modules = go::modules(run.cx, folder, asked.as_ref());
                modules.into_iter().find_map(|module| {
                    let found = run.cx.mentions_of(&module, number, self);
                    let mention = found.iter().find(|m| self.runs(args, m))?;
                    let starts = go::may_start_containers(
                        run,
                        &module,
                        folder,
                        asked.as_ref(),
                        &self.mentions,
                    );
                    starts.then_some((mention.place, None))
                })
            }
            "dotnet" => {
                let found = dotnet::mentions(run.cx, folder, args, number, self);
                self.found(run, folder, args, &found)
            }
            _ => {
                let is_maven = matches!(name, "mvn" | "mvnw" | "mvnd");
                let tested = is_maven.then(|| maven::tested(run.cx, folder, args));
                if let Some(tested) = tested.flatten() {
                    return self.found(run, folder, args, &tested.mentions(run.cx, number, self));
                }
                let project = self.project(run.cx, folder);
                let found = run.cx.mentions_of(&project, number, self);
                self.found(run, folder, args, &found)
            }
        }
    }

    /// Whether nothing in the command line says that no tests are run.
    fn may_be_run_by(&self, args: &[Arg]) -> bool {
        let leaves_out = |arg: &Arg| {
            let text = arg.as_str();
            let word = text.split_once('=').map_or(text, |(word, _)| word);
            let is_said = self.unless.iter().any(|unless| unless == word);
            is_said && !text.ends_with("=false")
        };
        let says_which = self.words.is_empty()
            || self.configurations
            || args.iter().any(|arg| self.is_word(arg))
            || !self.unknown_words(args).is_empty();
        says_which && !args.iter().any(leaves_out)
    }

    /// Whether the tests that a mention is about are run.
    fn runs(&self, args: &[Arg], mention: &Mention) -> bool {
        let chooses = |arg: &Arg| {
            let text = arg.as_str();
            text.starts_with("-P") || text.starts_with("-D") || text == "--activate-profiles"
        };
        if mention.in_profile && !args.iter().any(chooses) {
            return false;
        }
        if self.bound && !reaches(args, mention.phase) {
            return false;
        }
        self.words.is_empty() || args.iter().any(|arg| self.is_word(arg))
    }

    /// The number of the first phase that a goal is bound to of the plugin whose name a text begins with; `None` where none
    /// is. A goal may have a phase of its own.
    fn first_phase(&self, text: &str) -> Option<usize> {
        let mut end = text.len().min(MAX_PLUGIN);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let own = text.get(..end).unwrap_or_default();
        let own = own.split("</plugin>").next().unwrap_or_default();
        if !own.contains(&self.with) {
            return None;
        }
        let values = |text: &'_ str, opens: &str| -> Vec<String> {
            let all = text.split(opens).skip(1);
            all.filter_map(|rest| Some(rest.split('<').next()?.trim().to_owned()))
                .collect()
        };
        let executions = own.split("<execution>").skip(1);
        let phases = executions.filter_map(|execution| {
            let goals = values(execution, "<goal>");
            let counts = |goal: &String| match self.goals.is_empty() {
                true => !ENDS.contains(&goal.as_str()),
                false => self.goals.iter().any(|begins| goal.starts_with(begins)),
            };
            if !goals.iter().any(counts) {
                return None;
            }
            let phase = values(execution, "<phase>").into_iter().next();
            let phase = phase.unwrap_or_default();
            // What turns an execution off.
            let number = PHASES.iter().position(|known| *known == phase);
            (phase != "none").then_some(number.unwrap_or_default())
        });
        phases.min()
    }

    fn is_word(&self, arg: &Arg) -> bool {
        self.words.iter().any(|word| is(arg.as_str(), word))
    }

    /// What the files in `folder`, and not far below it, say.
    fn mentions(&self, cx: &Context<'_>, folder: &RepoPath) -> Vec<Mention> {
        let mut found = Vec::new();
        let mut managed = Managed::default();
        self.each_file(cx, folder, |source| {
            self.mentions_in(source, &mut found, &mut managed);
            // Of Gradle's there may be some for other tests.
            self.configurations || !found.iter().any(Mention::is_enough)
        });
        if managed.is_used {
            found.append(&mut managed.mentions);
        }
        if self.by_task() {
            gradle::mentions_of_conventions(cx, self, folder, &mut found);
        }
        found
    }

    /// Looks at the files in `folder`, and not far below it, as long as the answer is to go on.
    fn each_file(
        &self,
        cx: &Context<'_>,
        folder: &RepoPath,
        mut look: impl FnMut(&Source) -> bool,
    ) {
        if !self.needs.is_empty() {
            let names = cx.sources.tree().list(folder);
            if !self.needs.iter().any(|needed| names.contains(needed)) {
                return;
            }
        }
        let mut level = vec![folder.clone()];
        let mut left = MAX_FOLDERS;
        for depth in 0..=self.folders {
            let mut below = Vec::new();
            for folder in level {
                let Some(less) = left.checked_sub(1) else {
                    return;
                };
                left = less;
                let lists = depth < self.folders || self.files.iter().any(|f| f.contains('*'));
                let listed = lists.then(|| cx.sources.tree().list(&folder));
                for name in listed.as_deref().unwrap_or(&self.files) {
                    let Some(path) = folder.join(name) else {
                        continue;
                    };
                    if name.ends_with('/') {
                        if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                            below.push(path);
                        }
                    } else if self.is_file(name)
                        && let Ok(source) = cx.sources.load(&path)
                        && !look(&source)
                    {
                        return;
                    }
                }
            }
            level = below;
        }
    }

    fn is_file(&self, name: &str) -> bool {
        self.files
            .iter()
            .any(|pattern| match pattern.split_once('*') {
                Some((start, end)) => {
                    let rest = name.strip_prefix(start);
                    rest.is_some_and(|rest| rest.ends_with(end))
                }
                None => name == pattern,
            })
    }

    /// The first mention of each line counts, so that the work is as long as the text.
    fn mentions_in(&self, source: &Source, found: &mut Vec<Mention>, managed: &mut Managed) {
        let text: &str = &source.text;
        let name = memchr::memmem::Finder::new(&self.mentions);
        if name.find(text.as_bytes()).is_none() {
            return;
        }
        let (opens, closes) = (
            format!("<{}>", self.outside),
            format!("</{}>", self.outside),
        );
        let (mut end, mut inside, mut in_comment) = (0, false, false);
        let mut in_profile = false;
        // What the block begins with that a line of a build file of Gradle's is in.
        let mut block = "";
        let comment: Option<(&str, &str)> = match self.outside.is_empty() {
            false => Some(("<!--", "-->")),
            true => self.configurations.then_some(("/*", "*/")),
        };
        for line in text.split_inclusive('\n') {
            let begin = end;
            end += line.len();
            if self.configurations && line.starts_with(char::is_alphabetic) {
                block = line;
            }
            let mention = name.find(line.as_bytes());
            let before = line.get(..mention.unwrap_or(line.len())).unwrap_or(line);
            let now_inside = is_inside(before, &opens, &closes, inside);
            inside = is_inside(line, &opens, &closes, inside);
            let now_in_profile =
                self.bound && is_inside(before, "<profile>", "</profile>", in_profile);
            in_profile = is_inside(line, "<profile>", "</profile>", in_profile);
            let mut now_in_comment = self.configurations && before.trim_start().starts_with("//");
            if let Some((opens, closes)) = comment {
                now_in_comment |= is_inside(before, opens, closes, in_comment);
                in_comment = is_inside(line, opens, closes, in_comment);
            }
            let Some(at) = mention else {
                continue;
            };
            let own = self.bound.then(|| text.get(begin..).unwrap_or_default());
            let phase = own.and_then(|own| self.first_phase(own));
            // `<awssdk.testcontainers.version>` is a version, `<module>testcontainers</module>` a folder, and nothing is used by it.
            let is_version = !self.outside.is_empty()
                && (is_name_of_a_version(line, at) || is_of_a_module(before));
            let is_managed = now_inside && self.bound && phase.is_some();
            managed.is_used |= self.bound && !now_inside && !now_in_comment && !is_version;
            if now_inside && !is_managed
                || now_in_comment
                || is_version
                || self.bound && phase.is_none()
                || !self.not_with.is_empty() && line.contains(&self.not_with)
                || self.in_quotes && before.matches('"').count() % 2 == 0
            {
                continue;
            }
            let (mut source_set, mut own_tests) = (None, false);
            if self.configurations {
                let above = text.get(..begin).unwrap_or_default();
                let Some(set) = source_set_of(above, before) else {
                    continue;
                };
                let is_shared = matches!(set, "" | "testFixtures");
                source_set = (!is_shared && set != "test").then(|| EcoString::from(set));
                own_tests = !is_shared
                    && block.starts_with("dependencies")
                    && gradle::is_of_a_project(&source.path);
            }
            let offset = |within: usize| u32::try_from(begin + within).ok();
            let (Some(start), Some(stop)) = (offset(at), offset(at + self.mentions.len())) else {
                continue;
            };
            let is_this = |mention: &Mention| {
                (!self.configurations || mention.place.file == source.id)
                    && mention.source_set == source_set
                    && mention.own_tests == own_tests
                    && mention.in_profile == now_in_profile
                    && mention.phase <= phase.unwrap_or_default()
            };
            let found = match is_managed {
                true => &mut managed.mentions,
                false => &mut *found,
            };
            if !found.iter().any(is_this) {
                let place = Span {
                    file: source.id,
                    start,
                    end: stop,
                };
                found.push(Mention {
                    place,
                    source_set,
                    own_tests,
                    in_profile: now_in_profile,
                    phase: phase.unwrap_or_default(),
                });
            }
        }
    }
}

/// Plugins of Maven's that `pluginManagement` describes, goals and all: they count for the projects that name them
/// (<https://maven.apache.org/pom.html#plugin-management>).
#[derive(Default)]
struct Managed {
    mentions: Vec<Mention>,
    /// A project names one.
    is_used: bool,
}

/// The words of a command line with a property of Java's in one of them: `-D skipTests` is `-DskipTests`.
fn joined(args: Cow<'_, [Arg]>) -> Cow<'_, [Arg]> {
    let is_flag = |arg: &Arg| matches!(arg.as_str(), "-D" | "--define");
    if !args.iter().any(is_flag) {
        return args;
    }
    let mut out = Vec::with_capacity(args.len());
    let mut args = args.into_owned().into_iter();
    while let Some(arg) = args.next() {
        match args.as_slice().first() {
            Some(next) if is_flag(&arg) => {
                let text = Text::from(format!("-D{}", next.as_str()));
                out.push(Arg::new(text, arg.span));
                args.next();
            }
            _ => out.push(arg),
        }
    }
    Cow::Owned(out)
}

/// The names of sbt's commands in one word. Behind a version, `++2.13`, stands another command
/// (<https://www.scala-sbt.org/1.x/docs/Command-Line-Reference.html>).
pub(super) fn commands_in(arg: &Arg) -> Vec<Arg> {
    let mut found = Vec::new();
    // `Docker / publish` is one name.
    let text = arg.as_str().replace(" / ", "/");
    for command in text.split(';') {
        let mut words = command
            .split_whitespace()
            .skip_while(|word| word.starts_with("++"));
        // Of all versions.
        let word = words
            .next()
            .map(|word| word.strip_prefix('+').unwrap_or(word));
        found.extend(word.map(|word| Arg::new(Text::from(word), arg.span)));
    }
    found
}

/// Whether a word of a command line is this one, or the task of that name of some project.
fn is(arg: &str, word: &str) -> bool {
    let before = arg.strip_suffix(word);
    before.is_some_and(|before| before.is_empty() || before.ends_with([':', '/']))
}

/// Whether what stands at a place of a line is in the name of a property of Maven's that is a version.
fn is_name_of_a_version(line: &str, at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    let inside = before
        .rsplit_once(['<', '{'])
        .is_some_and(|(_, name)| !name.contains(['>', '}']));
    let rest = line.get(at..).unwrap_or_default();
    let name = rest.split(['>', '}']).next().unwrap_or_default();
    inside && (name.ends_with("version") || before.contains("version."))
}

/// Whether what stands behind a text is in the name of a module of Maven's.
fn is_of_a_module(before: &str) -> bool {
    let (_, inside) = before.rsplit_once("<module>").unwrap_or(("", "<"));
    !inside.contains('<')
}

/// Phases of Maven's in order, as far as plugins are bound to them; first what stands for one that is not named.
/// <https://maven.apache.org/guides/introduction/introduction-to-the-lifecycle.html#lifecycle-reference>
const PHASES: [&str; 15] = [
    "",
    "validate",
    "initialize",
    "generate-resources",
    "process-resources",
    "compile",
    "test",
    "prepare-package",
    "package",
    "pre-integration-test",
    "integration-test",
    "post-integration-test",
    "verify",
    "install",
    "deploy",
];

/// Goals that end what others have begun.
const ENDS: [&str; 4] = ["stop", "remove", "volume-remove", "logs"];

/// Whether a command line leads to a phase. Those around the integration tests are for these.
fn reaches(args: &[Arg], phase: usize) -> bool {
    let number = |arg: &Arg| PHASES.iter().position(|known| *known == arg.as_str());
    let last = args.iter().filter_map(number).max();
    let of_tests = PHASES
        .get(phase)
        .is_some_and(|name| name.ends_with("integration-test"));
    let leaves_out = |arg: &Arg| {
        let (name, value) = arg.as_str().split_once('=').unwrap_or((arg.as_str(), ""));
        matches!(name, "-DskipITs" | "-DskipTests" | "-Dmaven.test.skip") && value != "false"
    };
    last.is_some_and(|last| last >= phase) && !(of_tests && args.iter().any(leaves_out))
}

/// Whether an element is open at the end of a text that begins inside of one, or not.
fn is_inside(text: &str, opens: &str, closes: &str, inside: bool) -> bool {
    match (text.rfind(opens), text.rfind(closes)) {
        (None, None) => inside,
        (opened, closed) => opened > closed,
    }
}

/// What stands in a line behind what opens a block, or ends a statement: `dependencies { api(`.
fn behind_brace(line: &str) -> &str {
    let mut all = line.rmatch_indices(['{', ';']);
    let found = all.find(|(at, _)| !line.get(..*at).unwrap_or_default().ends_with('$'));
    found.map_or(line, |(at, _)| line.get(at + 1..).unwrap_or_default())
}

/// For which source set of Gradle's a line declares a dependency, `""` for the main one; `None` where it does not, as in a
/// list of versions. The line ends where the dependency is named. What it begins with may stand some lines before, in the text `before`.
/// <https://docs.gradle.org/current/userguide/java_plugin.html#tab:configurations>
fn source_set_of<'t>(before: &'t str, line: &'t str) -> Option<&'t str> {
    let above = before.lines().rev().take(ABOVE);
    for line in std::iter::once(behind_brace(line)).chain(above) {
        let line = line.trim_start();
        // `"itImplementation"(libs.x)`
        let quoted = line.strip_prefix('"').filter(|rest| rest.contains("\"("));
        let line = quoted.unwrap_or(line);
        let end = line.find(|c: char| !c.is_ascii_alphanumeric());
        let word = line.get(..end.unwrap_or(line.len()))?;
        // `platform("…")`, `libs.…`, `"…"`
        if matches!(word, "" | "platform" | "libs" | "enforcedPlatform") {
            continue;
        }
        let lower = word.to_ascii_lowercase();
        let suffix = CONFIGURATIONS.iter().find(|c| lower.ends_with(*c))?;
        return word.get(..word.len() - suffix.len());
    }
    None
}

/// The nearest folder, from this one upwards, in which there is something of such a name. Nothing is known of what is
/// around a folder that the repository does not have.
pub(super) fn nearest(
    cx: &Context<'_>,
    folder: &RepoPath,
    is_it: impl Fn(&str) -> bool,
) -> Option<RepoPath> {
    let mut at = folder.clone();
    loop {
        let names = cx.sources.tree().list(&at);
        if names.iter().any(|name| is_it(name)) {
            return Some(at);
        }
        let is_last = at.is_root() || at.parent().elsewhere() != folder.elsewhere();
        if names.is_empty() || is_last || !cx.spend() {
            return None;
        }
        at = at.parent();
    }
}

impl Context<'_> {
    /// What a folder says of its tests. Looked for once.
    fn mentions_of(&self, folder: &RepoPath, number: usize, suite: &Suite) -> Rc<[Mention]> {
        let key = (folder.clone(), number);
        if let Some(known) = self.mentions.borrow().get(&key) {
            return Rc::clone(known);
        }
        let found: Rc<[Mention]> = suite.mentions(self, folder).into();
        self.mentions.borrow_mut().insert(key, Rc::clone(&found));
        found
    }
}

/// Whether a script of this name only brings the program it is named for.
pub(super) fn brings_a_build_tool(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "gradlew" | "mvnw")
}
