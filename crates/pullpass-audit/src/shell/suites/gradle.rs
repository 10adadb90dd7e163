//! Tasks that a project declares for Gradle, as far as their lines tell: tests beside `test`, and tasks that
//! run a container client. A build file is a program, and no more of it is read.

use std::rc::Rc;

use ecow::EcoString;
use hashbrown::HashMap;

use super::super::exec::Call;
use super::super::follow::unread_program;
use super::super::{Arg, docker};
use super::{Mention, Suite, is};
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
                tests: is_of_type(line, "Test"),
                runs_client: runs_client(body),
            });
        }
    }

    /// Whether a command line names a task of the project's own that runs the tests that a mention is about.
    pub(super) fn tests(&self, cx: &Context<'_>, args: &[Arg], mention: &Mention) -> bool {
        let file = cx.sources.get(mention.place.file);
        let folder = file.path.parent();
        self.tasks.iter().filter(|task| task.tests).any(|task| {
            let above = task.file.parent();
            let is_above = above.is_root()
                || folder == above
                || folder.as_str().starts_with(&format!("{above}/"));
            let set = mention.source_set.as_deref().unwrap_or("");
            is_above && task.name.starts_with(set) && args.iter().any(|arg| is(arg, &task.name))
        })
    }
}

/// What tasks of the project's own do with containers, which is not read: said once for each.
pub(super) fn tasks(run: &mut JobRun<'_>, folder: &RepoPath, suite: &Suite, call: &Call<'_>) {
    let build = run.cx.gradle(folder, suite);
    let called = |task: &&Task| call.rest().iter().any(|arg| is(arg, &task.name));
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

/// The task that a line declares: `task x(type: Exec)`, `tasks.register("x", Exec::class)`,
/// `val x by tasks.registering(Exec::class)`.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let word = |text: &str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    let quoted = |text: &'_ str| text.find(['"', '\'']).map(|at| at + 1);
    let start = if line.starts_with("task ") || line.starts_with("task(") {
        let rest = line.get("task".len()..)?;
        let skipped = rest.len() - rest.trim_start_matches([' ', '(', '"', '\'']).len();
        "task".len() + skipped
    } else if let Some(at) = line.find(".registering").or_else(|| line.find(".creating")) {
        let before = line.get(..at)?;
        before.find("val ")? + "val ".len()
    } else {
        let at = ["register", "create"].iter().find_map(|verb| {
            let at = line.find(verb)? + verb.len();
            line.get(..at)?.contains("task").then_some(at)
        })?;
        at + quoted(line.get(at..)?)?
    };
    let rest = line.get(start..)?;
    rest.get(..word(rest)).filter(|name| !name.is_empty())
}

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
