//! Tasks that a project declares for Gradle, as far as their lines tell: tests beside `test`, and tasks that
//! run a container client. A build file is a program, and no more of it is read.

use std::rc::Rc;

use ecow::EcoString;
use hashbrown::HashMap;

use super::super::exec::Call;
use super::super::follow::unread_program;
use super::super::{Arg, docker};
use super::{Mention, Suite, is, nearest};
use crate::context::Context;
use crate::effect::{By, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Source};
use crate::text::HoleKind;

/// Lines that one task is taken to have at most.
const MAX_LINES: usize = 100;

/// Tasks of one project that are kept.
const MAX_TASKS: usize = 256;

/// A task that a build file declares.
struct Task {
    name: EcoString,
    file: RepoPath,
    /// It runs tests.
    tests: bool,
    /// It runs a container client.
    runs_client: bool,
}

/// What the build files of one folder declare.
#[derive(Default)]
pub(crate) struct Build {
    tasks: Vec<Task>,
    /// One of them names a container client.
    names_client: bool,
}

/// What was read, by folder.
pub(crate) type Builds = HashMap<RepoPath, Rc<Build>>;

impl Context<'_> {
    /// What the build files of a folder declare. Read once.
    pub(super) fn gradle(&self, folder: &RepoPath, suite: &Suite) -> Rc<Build> {
        if let Some(known) = self.gradle_builds.borrow().get(folder) {
            return Rc::clone(known);
        }
        let mut build = Build::default();
        suite.each_file(self, folder, |source| {
            build.read(source);
            self.spend()
        });
        let build = Rc::new(build);
        let mut all = self.gradle_builds.borrow_mut();
        all.insert(folder.clone(), Rc::clone(&build));
        build
    }
}

impl Build {
    fn read(&mut self, source: &Source) {
        let text: &str = &source.text;
        self.names_client |= text.contains("docker");
        if !text.contains("Test") && !text.contains("docker") {
            return;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = declared(line) else {
                continue;
            };
            if self.tasks.len() >= MAX_TASKS {
                return;
            }
            let body = body(lines.get(at..).unwrap_or_default());
            self.tasks.push(Task {
                name: name.into(),
                file: source.path.clone(),
                tests: is_of_type(line, "Test") || is_of_type(line, SUITE),
                runs_client: runs_client(body),
            });
        }
    }

    /// Tasks of the project's own that run the tests that a mention in this folder is about.
    fn tests<'b>(
        &'b self,
        folder: &RepoPath,
        mention: &'b Mention,
    ) -> impl Iterator<Item = &'b str> {
        let folder = folder.clone();
        let fits = move |task: &&Task| {
            let above = task.file.parent();
            let is_above = above.is_root()
                || folder == above
                || folder.as_str().starts_with(&format!("{above}/"));
            let set = mention.source_set.as_deref().unwrap_or("");
            task.tests && is_above && task.name.starts_with(set)
        };
        let all = self.tasks.iter().filter(fits);
        all.map(|task| task.name.as_str())
    }
}

/// Flags that leave a task out (<https://docs.gradle.org/current/userguide/command_line_interface.html>).
const LEAVE_OUT: [&str; 2] = ["-x", "--exclude-task"];

/// What a command line asks for.
pub(super) struct Asked<'a> {
    cx: &'a Context<'a>,
    suite: &'a Suite,
    build: Rc<Build>,
    /// Where it is run, and the root of that build.
    folder: &'a RepoPath,
    root: RepoPath,
    tasks: Vec<&'a str>,
    left_out: Vec<&'a str>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(
        cx: &'a Context<'a>,
        suite: &'a Suite,
        folder: &'a RepoPath,
        args: &'a [Arg],
    ) -> Self {
        let is_settings = |name: &str| name.starts_with("settings.gradle");
        let root = nearest(cx, folder, is_settings).unwrap_or_else(|| folder.clone());
        let left_out = args.iter().enumerate().filter_map(|(at, arg)| {
            let text = arg.as_str();
            match text.strip_prefix("--exclude-task=") {
                None if LEAVE_OUT.contains(&text) => Some(args.get(at + 1)?.as_str()),
                task => task,
            }
        });
        Self {
            cx,
            suite,
            build: cx.gradle(folder, suite),
            folder,
            root,
            tasks: suite.words_of(args).into_iter().map(Arg::as_str).collect(),
            left_out: left_out.collect(),
        }
    }

    /// The folder of the project whose task is named, where that is seen: `:a:b:test` is in `a/b` of the build's root, and
    /// `a:test` in `a`.
    fn project(&self, task: &str) -> Option<RepoPath> {
        let (path, _) = task.rsplit_once(':')?;
        let base = match path.is_empty() || path.starts_with(':') {
            true => &self.root,
            false => self.folder,
        };
        let folder = base.join(&path.trim_start_matches(':').replace(':', "/"))?;
        let names = self.cx.sources.tree().list(&folder);
        let is_project = names.iter().any(|name| self.suite.is_file(name));
        is_project.then_some(folder)
    }

    /// The folder of the only project whose tests a mention is about.
    fn own_folder(&self, mention: &Mention) -> Option<RepoPath> {
        let file = self.cx.sources.get(mention.place.file);
        mention.own_tests.then(|| file.path.parent())
    }

    /// Whether the tests that a mention is about are run.
    pub(super) fn runs(&self, mention: &Mention) -> bool {
        let own = self.own_folder(mention);
        let is_for = |task: &&&str| match (&own, self.project(task)) {
            (Some(own), Some(project)) => *own == project,
            _ => true,
        };
        let mut tasks = self.tasks.iter().filter(is_for);
        let by_name = match &mention.source_set {
            Some(set) => tasks.any(|task| is(task, set)),
            None => tasks.any(|task| self.suite.words.iter().any(|word| is(task, word))),
        };
        if by_name && !self.leaves_out(mention) {
            return true;
        }
        let folder = self.cx.sources.get(mention.place.file).path.parent();
        let mut others = self.build.tests(&folder, mention);
        others.any(|name| {
            let mut tasks = self.tasks.iter().filter(is_for);
            tasks.any(|task| is(task, name)) && !self.leaves_out_task(name, own.as_ref())
        })
    }

    /// Whether the task is left out that runs the tests a mention is about.
    pub(super) fn leaves_out(&self, mention: &Mention) -> bool {
        let task = mention.source_set.as_deref().unwrap_or("test");
        self.leaves_out_task(task, self.own_folder(mention).as_ref())
    }

    /// Whether a task is left out: of all projects, or of the one in a folder.
    fn leaves_out_task(&self, task: &str, own: Option<&RepoPath>) -> bool {
        let mut left_out = self.left_out.iter().filter(|left_out| is(left_out, task));
        left_out.any(|left_out| match own {
            _ if !left_out.contains(':') => true,
            Some(own) => self.project(left_out).as_ref() == Some(own),
            None => false,
        })
    }
}

/// What plugins that the project writes for its own builds say, where a build file names them: scripts of `buildSrc`, or of a
/// build that is included (<https://docs.gradle.org/current/userguide/implementing_gradle_plugins_precompiled.html>).
pub(super) fn mentions_of_conventions(
    cx: &Context<'_>,
    suite: &Suite,
    folder: &RepoPath,
    found: &mut Vec<Mention>,
) {
    let tree = cx.sources.tree();
    let is_settings = |name: &str| matches!(name, "settings.gradle" | "settings.gradle.kts");
    let root = nearest(cx, folder, is_settings).unwrap_or_else(|| folder.clone());
    let mut builds: Vec<RepoPath> = root.join("buildSrc").into_iter().collect();
    for name in ["settings.gradle", "settings.gradle.kts"] {
        if let Some(source) = root.join(name).and_then(|path| cx.sources.load(&path).ok()) {
            let lines = source
                .text
                .lines()
                .filter(|line| line.contains("includeBuild"));
            let named = lines.filter_map(|line| line.split(['"', '\'']).nth(1));
            builds.extend(named.filter_map(|name| root.join(name)).take(MAX_BUILDS));
        }
    }
    let mut scripts = Vec::new();
    for build in builds {
        let names = tree.list(&build);
        let inner = names.iter().filter(|name| name.ends_with('/'));
        let inner = inner.filter_map(|name| build.join(name)).take(MAX_BUILDS);
        for project in std::iter::once(build.clone()).chain(inner) {
            for language in ["src/main/kotlin", "src/main/groovy"] {
                let Some(path) = project.join(language) else {
                    continue;
                };
                let names = tree.list(&path).into_iter();
                let names = names.filter(|name| suite.is_file(name));
                scripts.extend(names.filter_map(|name| path.join(&name)).take(MAX_TASKS));
            }
        }
    }
    for path in scripts {
        let mut said = Vec::new();
        if let Ok(source) = cx.sources.load(&path) {
            suite.mentions_in(&source, &mut said);
        }
        if said.is_empty() || !cx.spend() {
            continue;
        }
        let id = path.name().split(".gradle").next().unwrap_or_default();
        let mut is_named = false;
        suite.each_file(cx, folder, |source| {
            is_named |= source.text.contains(id);
            !is_named
        });
        if is_named {
            found.extend(said);
        }
    }
}

/// Builds that are included in one, and projects of one of these, that are looked into.
const MAX_BUILDS: usize = 16;

/// Whether a file is the build file of the project in its folder.
pub(super) fn is_of_a_project(path: &RepoPath) -> bool {
    let name = path.name();
    let stem = name.strip_suffix(".kts").unwrap_or(name);
    let stem = stem.strip_suffix(".gradle");
    stem.is_some_and(|stem| stem == "build" || stem == path.parent().name())
}

/// What tasks of the project's own do with containers, which is not read: said once for each.
pub(super) fn tasks(run: &mut JobRun<'_>, folder: &RepoPath, suite: &Suite, call: &Call<'_>) {
    let build = run.cx.gradle(folder, suite);
    let words = suite.words_of(call.rest());
    let called = |task: &&Task| words.iter().any(|word| is(word.as_str(), &task.name));
    let all = build.tasks.iter().filter(|task| task.runs_client);
    let mut found = false;
    for task in all.filter(called).take(16) {
        found = true;
        run.opaque(
            call.span,
            format!("Gradle's task `{}`", task.name),
            format!(
                "it runs a container client in `{}`, which is no shell script",
                task.file
            ),
            By::Run,
        );
        let image = run.cx.holes.of("?", HoleKind::Expression);
        run.emit(call.span, Kind::Provide { image });
    }
    let tells = |arg: &Arg| arg.as_str().starts_with('-') || TELL.contains(&arg.as_str());
    if !found && build.names_client && !call.rest().iter().all(tells) {
        // Another task may lead to it.
        unread_program(run, call.span);
    }
}

/// Tasks that tell something of a build and do nothing
/// (<https://docs.gradle.org/current/userguide/command_line_interface.html>).
const TELL: [&str; 8] = [
    "tasks",
    "help",
    "projects",
    "properties",
    "dependencies",
    "dependencyInsight",
    "buildEnvironment",
    "wrapper",
];

/// What makes a task of its name (<https://docs.gradle.org/current/userguide/jvm_test_suite_plugin.html>).
const SUITE: &str = "JvmTestSuite";

/// The task that a line declares: `task x(type: Exec)`, `tasks.register("x", Exec::class)`,
/// `val x by tasks.registering(Exec::class)`, the same without `tasks` in a block of that name, and suites of tests:
/// `x(JvmTestSuite) {`.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let word = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    let quoted = |text: &'_ str| text.find(['"', '\'']).map(|at| at + 1);
    let start = if line.starts_with("task ") || line.starts_with("task(") {
        let rest = line.get("task".len()..)?;
        let skipped = rest.len() - rest.trim_start_matches([' ', '(', '"', '\'']).len();
        "task".len() + skipped
    } else if let Some(at) = BY.iter().find_map(|by| line.find(by)) {
        let before = line.get(..at)?;
        before.find("val ")? + "val ".len()
    } else if line
        .split_once('(')
        .is_some_and(|(_, type_of)| type_of.starts_with(SUITE))
    {
        // Groovy's form.
        0
    } else {
        let at = ["register", "create"].iter().find_map(|verb| {
            let at = line.find(verb)?;
            let end = at + verb.len();
            let in_block = at == 0 || line.get(..at)?.trim_end().ends_with('{');
            (in_block || line.get(..end)?.contains("task")).then_some(end)
        })?;
        at + quoted(line.get(at..)?)?
    };
    let rest = line.get(start..)?;
    rest.get(..word(rest)).filter(|name| !name.is_empty())
}

/// How Kotlin declares what a `val` holds.
const BY: [&str; 4] = [".registering", ".creating", "by registering", "by creating"];

/// Whether a declaration is of a task of this type.
fn is_of_type(line: &str, kind: &str) -> bool {
    line.match_indices(kind).any(|(at, _)| {
        let before = line.get(..at).unwrap_or("").trim_end();
        let after = line.get(at + kind.len()..).unwrap_or("");
        before.ends_with(['<', ',', ':', '(']) && !after.starts_with(char::is_alphanumeric)
    })
}

/// The lines of a declaration, up to where its braces close.
fn body<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    let mut depth = 0_usize;
    for (at, line) in lines.iter().enumerate().take(MAX_LINES) {
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
        if depth == 0 {
            return lines.get(..=at).unwrap_or_default();
        }
    }
    lines.get(..MAX_LINES.min(lines.len())).unwrap_or_default()
}

/// Whether lines run a container client.
fn runs_client(lines: &[&str]) -> bool {
    let code = || {
        lines
            .iter()
            .filter(|line| !line.trim_start().starts_with("//"))
    };
    let runs = |line: &&&str| {
        let words = ["Exec", "exec", "commandLine", "executable"];
        words.iter().any(|word| line.contains(word))
    };
    let names = |line: &&&str| {
        let mut words =
            line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '(' | '['));
        words.any(|word| docker::is_client(word.trim_end_matches([')', ']'])))
    };
    code().any(|line| runs(&line)) && code().any(|line| names(&line))
}
