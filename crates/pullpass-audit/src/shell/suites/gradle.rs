//! Tasks that a project declares for Gradle, as far as their lines tell: tests beside `test`, and tasks that
//! run a container client. A build file is a program, and no more of it is read.

use std::rc::Rc;

use ecow::EcoString;
use hashbrown::HashMap;

use super::super::exec::Call;
use super::super::follow::unread_program;
use super::super::{Arg, docker};
use super::{Managed, Mention, Suite, is, nearest};
use crate::context::Context;
use crate::effect::{By, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
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

/// A task that another one leads to: `a.dependsOn b`.
struct Need {
    task: EcoString,
    needed: EcoString,
    /// Of another project, where the name is a path.
    elsewhere: bool,
    folder: RepoPath,
}

/// `isRequiredBy(test)` of `com.avast.gradle.docker-compose` (<https://github.com/avast/gradle-docker-compose-plugin#readme>).
struct Required {
    task: EcoString,
    /// The Compose files; `None` where a build file does not say them in so many words.
    files: Option<Vec<String>>,
    folder: RepoPath,
    place: Span,
}

/// A task that is run, and the folder of the only project that it is of.
type Reached = (EcoString, Option<RepoPath>);

/// What Gradle's own tasks lead to (<https://docs.gradle.org/current/userguide/base_plugin.html>, java_plugin.html).
const LIFECYCLE: [(&str, &str); 5] = [
    ("build", "check"),
    ("build", "assemble"),
    ("buildNeeded", "build"),
    ("assemble", "jar"),
    ("check", "test"),
];

/// Whether what a build file in `folder` says may be about a project: it is its own, or one above.
fn is_of(project: Option<&RepoPath>, folder: &RepoPath) -> bool {
    project.is_none_or(|project| {
        folder.is_root() || project == folder || project.as_str().starts_with(&format!("{folder}/"))
    })
}

/// The task that a block is about, or what stands before a dot: `tasks.named("a")`, `tasks.a`, `a`.
fn of_block(text: &str) -> Option<&str> {
    if let Some(name) = declared(text) {
        return Some(name);
    }
    let text = text.trim();
    if text.contains("withType") && text.contains("Test") {
        return Some("test");
    }
    if text.ends_with([')', ']', '>']) {
        return text.split(['"', '\'']).nth(1).filter(|n| !n.is_empty());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let start = text.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
    text.get(start..).filter(|name| !name.is_empty())
}

/// The tasks that are named in what stands behind `dependsOn`: `(up)`, ` 'a', ":b:c"`, `(tasks.named("a"))`.
fn names_of_tasks(text: &str) -> Vec<&str> {
    const OTHERS: [&str; 14] = [
        "tasks",
        "named",
        "getByName",
        "project",
        "projects",
        "rootProject",
        "get",
        "it",
        "provider",
        "withType",
        "Test",
        "listOf",
        "parent",
        "path",
    ];
    let text = text.split(['{', '}', ';']).next().unwrap_or_default();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':')));
    words
        .filter(|word| !word.is_empty() && !OTHERS.contains(word))
        .take(64)
        .collect()
}

/// What is brought up by Compose for a task.
pub(super) struct Up {
    pub(super) task: EcoString,
    /// The Compose files, where the build file says them.
    pub(super) files: Option<Vec<String>>,
    pub(super) folder: RepoPath,
    pub(super) place: Span,
}

/// What a command line has brought up for tasks that are said to need it.
pub(super) fn brought_up(
    cx: &Context<'_>,
    folder: &RepoPath,
    suite: &Suite,
    args: &[Arg],
) -> Vec<Up> {
    let build = cx.gradle(folder, suite);
    if build.required.is_empty() || !suite.may_be_run_by(args) {
        return Vec::new();
    }
    let asked = Asked::of(cx, suite, folder, args);
    let reached = build.reached(&asked);
    let mut out: Vec<Up> = Vec::new();
    for required in &build.required {
        let is_reached =
            |(name, own): &Reached| *name == required.task && is_of(own.as_ref(), &required.folder);
        let is_known = |up: &Up| up.folder == required.folder && up.files == required.files;
        if !reached.iter().any(is_reached) || out.iter().any(is_known) || out.len() >= 16 {
            continue;
        }
        let mut files = required.files.clone();
        // What it takes where it is not told.
        if files.as_ref().is_some_and(Vec::is_empty) {
            let is_there = |name: &&&str| {
                let path = required.folder.join(name);
                path.is_some_and(|path| cx.sources.exists(&path))
            };
            let default = DEFAULTS.iter().find(is_there);
            files = default.map(|name| vec![(*name).to_owned()]);
        }
        out.push(Up {
            task: required.task.clone(),
            files,
            folder: required.folder.clone(),
            place: required.place,
        });
    }
    out
}

const DEFAULTS: [&str; 4] = [
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yaml",
    "compose.yml",
];

/// What tasks lead to, lines of one build that are kept, and how deep its blocks may nest.
const MAX_NEEDS: usize = 2048;
const MAX_NESTING: usize = 64;

/// What the build files of one folder declare.
#[derive(Default)]
pub(crate) struct Build {
    tasks: Vec<Task>,
    needs: Vec<Need>,
    required: Vec<Required>,
    /// One of them names a plugin for Compose.
    has_compose: bool,
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
        self.has_compose |= text.contains("docker-compose");
        if text.contains("dependsOn") || text.contains("finalizedBy") {
            self.read_needs(source);
        }
        if text.contains("isRequiredBy") {
            self.read_required(source);
        }
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

    /// `a.dependsOn b`, `task a { dependsOn b }`, `tasks.named('a') { dependsOn(b) }`
    fn read_needs(&mut self, source: &Source) {
        let folder = source.path.parent();
        let mut open: Vec<Option<&str>> = Vec::new();
        for line in source.text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let header = line.split('{').next().and_then(of_block);
            for verb in ["dependsOn", "finalizedBy"] {
                let Some((before, after)) = line.split_once(verb) else {
                    continue;
                };
                let own = match before.trim_end().strip_suffix('.') {
                    Some(named) => of_block(named),
                    None if before.contains('{') => header,
                    None => open.iter().rev().find_map(|name| *name),
                };
                let Some(task) = own else {
                    continue;
                };
                for needed in names_of_tasks(after) {
                    if self.needs.len() >= MAX_NEEDS {
                        return;
                    }
                    let name = needed.rsplit(':').next().unwrap_or(needed);
                    self.needs.push(Need {
                        task: task.into(),
                        needed: name.into(),
                        elsewhere: needed.contains(':'),
                        folder: folder.clone(),
                    });
                }
            }
            for (at, brace) in line.match_indices(['{', '}']) {
                if brace == "}" {
                    open.pop();
                } else if open.len() < MAX_NESTING {
                    let is_first = !line.get(..at).unwrap_or_default().contains('{');
                    open.push(header.filter(|_| is_first));
                }
            }
        }
    }

    fn read_required(&mut self, source: &Source) {
        let folder = source.path.parent();
        let text: &str = &source.text;
        let uses = text.lines().filter(|line| line.contains("useComposeFiles"));
        let mut files: Option<Vec<String>> = Some(Vec::new());
        for line in uses.take(16) {
            let quoted: Vec<&str> = line.split(['"', '\'']).skip(1).step_by(2).collect();
            let is_plain = |file: &&str| !file.contains(['$', '{']);
            match &mut files {
                Some(files) if !quoted.is_empty() && quoted.iter().all(is_plain) => {
                    files.extend(quoted.into_iter().map(str::to_owned));
                }
                _ => files = None,
            }
        }
        let mut end = 0;
        for line in text.split_inclusive('\n') {
            let begin = end;
            end += line.len();
            let Some(at) = line.find("isRequiredBy") else {
                continue;
            };
            if line.trim_start().starts_with("//") || self.required.len() >= MAX_TASKS {
                continue;
            }
            let after = line.get(at + "isRequiredBy".len()..).unwrap_or_default();
            let number = |at: usize| u32::try_from(at).unwrap_or_default();
            if let Some(task) = names_of_tasks(after).last() {
                let task = task.rsplit(':').next().unwrap_or(task);
                self.required.push(Required {
                    task: task.into(),
                    files: files.clone(),
                    folder: folder.clone(),
                    place: Span {
                        file: source.id,
                        start: number(begin + at),
                        end: number(begin + at + "isRequiredBy".len()),
                    },
                });
            }
        }
    }

    /// The tasks that a command line comes to, each with the only project that it is of, where one is named.
    fn reached(&self, asked: &Asked<'_>) -> Vec<Reached> {
        let mut out: Vec<Reached> = Vec::new();
        let add = |out: &mut Vec<Reached>, name: &str, own: Option<RepoPath>| {
            let task = (EcoString::from(name), own);
            if out.len() < MAX_TASKS
                && !out.contains(&task)
                && !asked.leaves_out_task(name, task.1.as_ref())
            {
                out.push(task);
            }
        };
        for task in &asked.tasks {
            let name = task.rsplit(':').next().unwrap_or(task);
            add(&mut out, name, asked.project(task));
        }
        let mut at = 0;
        while let Some((name, own)) = out.get(at).cloned()
            && asked.cx.spend()
        {
            at += 1;
            for (_, needed) in LIFECYCLE.iter().filter(|(task, _)| *task == name) {
                add(&mut out, needed, own.clone());
            }
            let fits = |need: &&Need| need.task == name && is_of(own.as_ref(), &need.folder);
            for need in self.needs.iter().filter(fits) {
                let own = own.clone().filter(|_| !need.elsewhere);
                add(&mut out, &need.needed, own);
            }
        }
        out
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
                let listed = tree.list(&path);
                let names = listed.iter().filter(|name| suite.is_file(name));
                scripts.extend(names.filter_map(|name| path.join(name)).take(MAX_TASKS));
            }
        }
    }
    for path in scripts {
        let mut said = Vec::new();
        if let Ok(source) = cx.sources.load(&path) {
            suite.mentions_in(&source, &mut said, &mut Managed::default());
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
    let cx = run.cx;
    let build = cx.gradle(folder, suite);
    let asked = Asked::of(cx, suite, folder, call.rest());
    let reached = match build.tasks.iter().any(|task| task.runs_client) {
        true => build.reached(&asked),
        false => Vec::new(),
    };
    let called = |task: &&Task| {
        let folder = task.file.parent();
        let is_it = |(name, own): &Reached| *name == task.name && is_of(own.as_ref(), &folder);
        reached.iter().any(is_it)
    };
    // Each configuration of the plugin for Compose has tasks of its own.
    let own = |task: &&&str| {
        let task = task.rsplit(':').next().unwrap_or(task);
        task != "dockerComposeUp" && task.ends_with("ComposeUp") || task.ends_with("ComposePull")
    };
    if build.has_compose
        && run.has_engine
        && let Some(task) = asked.tasks.iter().find(own)
    {
        let why = "a plugin of the build pulls what the build file says, which is not read";
        run.opaque(call.span, format!("Gradle's task `{task}`"), why, By::Run);
        let image = run.cx.holes.of("?", HoleKind::Expression);
        run.emit(call.span, Kind::Provide { image });
    }
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
