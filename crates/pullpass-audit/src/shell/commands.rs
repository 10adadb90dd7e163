//! What a command name means: a function, a command of the shell, a command that runs another, a
//! client that pulls, a task runner, a script of the repository, or nothing that counts.

use std::sync::LazyLock;

use hashbrown::HashSet;

use super::exec::Call;
use super::{Arg, Done, Shell, builtins, engine, kamal, suites};
use crate::effect::{By, Kind};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, Text};

/// Programs that are read in code and run others.
const RUNNERS: [&str; 54] = [
    "bats",
    "bash",
    "sh",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "pwsh",
    "powershell",
    "cmd",
    "source",
    ".",
    "xargs",
    "find",
    "su",
    "sg",
    "newgrp",
    "start-server-and-test",
    "server-test",
    "start-test",
    "script",
    "ssh-agent-run",
    "concurrently",
    "dgoss",
    "parallel",
    "command",
    "make",
    "gmake",
    "just",
    "task",
    "go-task",
    "go",
    "npm",
    "yarn",
    "yarnpkg",
    "pnpm",
    "bun",
    "run-s",
    "run-p",
    "npm-run-all",
    "npm-run-all2",
    "turbo",
    "lerna",
    "nx",
    "ruby",
    "perl",
    "php",
    "deno",
    "ts-node",
    "zx",
    "composer",
    "poe",
    "makers",
    "cargo-make",
];

/// Sub-commands of a container client that ask a registry for images.
const SUB_COMMANDS: [&str; 9] = [
    "bake", "build", "buildx", "compose", "create", "image", "pull", "run", "up",
];

/// The commands that something here knows.
static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    builtins::NAMES
        .into_iter()
        .chain(RUNNERS)
        .chain(super::docker::CLIENTS)
        .chain(super::tools::all_names())
        .collect()
});

/// Whether a command of this name, that is no function, does nothing that counts and prints something
/// that cannot be known, whatever its arguments are. Most commands of most scripts are such.
pub(super) fn is_idle(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+');
    let program = !name.is_empty() && name.bytes().all(plain) && !name.ends_with(".exe");
    program && !KNOWN.contains(without_version(name)) && !builtins::is_silent(name)
}

/// The name of a tool whose file carries its version or its system, `kind` of `kind-v0.31.0`, `ko` of `ko-linux-amd64`, or
/// that is named with the version of its package.
pub(super) fn without_version(name: &str) -> &str {
    // `nox==2024.4.15`, `tox[uv]`, `jest@latest`
    let package = name.split(['=', '[', '@']).next().unwrap_or(name);
    if package.len() < name.len() && is_tool(package) {
        return package;
    }
    // Most names are one word.
    if memchr::memchr2(b'-', b'_', name.as_bytes()).is_none() {
        return name;
    }
    let mut joints = name.match_indices(['-', '_']);
    let joint = joints.find(|(at, _)| is_version(name.get(at + 1..).unwrap_or("")));
    let tool = joint.and_then(|(at, _)| name.get(..at));
    tool.filter(|tool| is_tool(tool)).unwrap_or(name)
}

fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').unwrap_or(text);
    let is_system = |system: &str| {
        let rest = text.strip_prefix(system);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    };
    number.starts_with(|c: char| c.is_ascii_digit())
        || ["linux", "darwin"].into_iter().any(is_system)
}

/// Whether something here knows a program of this name that is none of the shell's own.
pub(super) fn is_tool(name: &str) -> bool {
    pulls(name)
        || matches!(name, "task" | "go-task" | "just")
        || super::tools::suites(name).next().is_some()
}

/// Whether a program of this name runs tests, or tasks that the repository says.
pub(super) fn runs_tasks(name: &str) -> bool {
    let of_tasks = [
        "make", "gmake", "just", "task", "go-task", "npm", "yarn", "yarnpkg", "pnpm", "bun",
        "turbo", "lerna", "nx", "go",
    ];
    of_tasks.contains(&name)
        || name.starts_with("python")
        || super::tools::suites(name).next().is_some()
}

/// Whether a program of this name runs a file that is not read.
pub(super) fn interprets(name: &str) -> bool {
    matches!(
        name,
        "python"
            | "python3"
            | "node"
            | "ruby"
            | "perl"
            | "php"
            | "deno"
            | "bun"
            | "tsx"
            | "ts-node"
            | "zx"
    )
}

/// Whether a program of this name runs a task, a script or a command that its other words name.
pub(super) fn runs_other(name: &str) -> bool {
    let of_tasks = ["invoke", "inv", "rake", "docker"];
    runs_tasks(name) && !name.starts_with("python")
        || hands_through(name)
        || of_tasks.contains(&name)
}

/// Whether a program of this name prints what the command prints that it runs, and nothing else: a script is one, too.
pub(super) fn hands_through(name: &str) -> bool {
    name.contains('/')
        || matches!(
            name,
            "bash"
                | "sh"
                | "dash"
                | "ash"
                | "zsh"
                | "ksh"
                | "source"
                | "."
                | "command"
                | "builtin"
                | "env"
                | "sudo"
                | "doas"
                | "timeout"
                | "gtimeout"
                | "nice"
                | "ionice"
                | "nohup"
                | "stdbuf"
                | "time"
        )
}

/// Whether a program of this name pulls or signs in.
pub(super) fn pulls(name: &str) -> bool {
    super::docker::is_client(name) || super::tools::is_one(name)
}

/// What a secret is that comes from a command whose output is not known.
pub(crate) const UNKNOWN_INPUT: &str = "(standard input)";

impl Shell {
    /// Executes one command.
    pub(super) fn call(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let done = self.called(run, call);
        self.told = true;
        done
    }

    fn called(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        if let Some((hole, ways)) = self.way_of(run, call)
            && let Some(done) = self.each_way(run, call, hole, &ways, Self::called)
        {
            return done;
        }
        if let Some(done) = self.function(run, call) {
            return done;
        }
        if let Some(done) = self.builtin(run, call) {
            debug_assert!(!is_idle(call.name()), "{} is known", call.name());
            return done;
        }
        if !self.unread.is_empty() {
            self.unread_function(run, call);
        }
        self.told = false;
        let done = self.program(run, call);
        let told = self.told && hands_through(call.name());
        if !told && !super::docker::prints_nothing(call) {
            self.print_unknown();
        }
        done
    }

    pub(super) fn program(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let written = match call.name() {
            // `npx @wordpress/env start`
            name if name.starts_with("@wordpress/env") => "wp-env",
            name => name,
        };
        if written.contains('/')
            && !suites::brings_a_build_tool(written)
            && !kamal::is_one(written)
            && let Some(done) = self.script_file(run, call.args, call.span)
        {
            return done;
        }
        if self.ecr_login(run, call) || self.packs(run, call) {
            return Done::UNKNOWN;
        }
        let Some(name) = engine::named(run, written) else {
            return self.behind_prefix(run, call);
        };
        let name = name.as_str();
        self.test_suite(run, name, call);
        if interprets(name) {
            self.interpreted(run, call);
        } else if name.ends_with(".py") {
            self.python_file(run, name, call);
        }
        self.functions_of_aws(run, name, call);
        self.deploys(run, name, call);
        let done = self
            .task_of_table(run, name, call)
            .or_else(|| self.wrapper(run, name, call))
            .or_else(|| self.client(run, name, call))
            .or_else(|| self.task_runner(run, name, call))
            .or_else(|| self.tool(run, name, call));
        debug_assert!(done.is_none() || !is_idle(name), "{name} is known");
        done.unwrap_or(Done::UNKNOWN)
    }

    /// `$SUDO docker pull`, `$DRY docker build`: what stands before a program that pulls is there to
    /// run it, and most of the time it is nothing or `sudo`.
    fn behind_prefix(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let (Some(first), Some(next)) = (call.args.first(), call.args.get(1)) else {
            return Done::UNKNOWN;
        };
        let unknown = (first.bare || first.put_in) && first.text.is_one_hole();
        if unknown && (pulls(next.as_str()) || engine::may_be_client(run, &next.text)) {
            return self.recall(run, call.rest(), call.span);
        }
        // `${{ inputs.x && 'A=1 ' || '' }}docker pull`: put in before the shell reads it.
        let by_ci = |c: char| {
            let hole = run.cx.holes.get(c);
            hole.is_some_and(|hole| hole.kind == HoleKind::Expression)
        };
        let program = first.as_str().trim_start_matches(by_ci);
        if program.len() < first.as_str().len() && (pulls(program) || RUNNERS.contains(&program)) {
            let mut args = vec![Arg::new(Text::from(program), first.span)];
            args.extend_from_slice(call.rest());
            return self.recall(run, &args, call.span);
        }
        let asks_for_images = |arg: &Arg| SUB_COMMANDS.contains(&arg.as_str());
        if engine::may_be_client(run, &first.text)
            && let Some(verb) = call.rest().iter().take(16).find(|arg| asks_for_images(arg))
        {
            let command = run.show(&first.text);
            run.opaque(
                call.span,
                format!("{command} {}", verb.as_str()),
                format!(
                    "`{command}` is a container client on some paths and something else on others"
                ),
                By::Run,
            );
        }
        Done::UNKNOWN
    }

    /// `$(aws ecr get-login)` runs the `docker login` that it prints. Whether the command is that.
    fn ecr_login(&self, run: &mut JobRun<'_>, call: &Call<'_>) -> bool {
        let first = call.name().chars().next();
        let Some(hole) = first.and_then(|first| run.cx.holes.get(first)) else {
            return false;
        };
        let inner = hole
            .written
            .trim_start_matches("$(")
            .trim_matches(['`', ' ']);
        if hole.kind != HoleKind::Output || !inner.starts_with("aws ecr get-login") {
            return false;
        }
        let account = run.cx.holes.of("the account's ", HoleKind::Expression);
        let store = run.docker_store();
        run.emit(
            call.span,
            Kind::Login {
                registry: Text::from(format!("{}.amazonaws.com", account.as_str())),
                username: Some(Text::from("AWS")),
                password: None,
                store,
                how: "aws ecr get-login".into(),
                broken: None,
            },
        );
        true
    }

    /// Executes the command that other words of a command line are.
    pub(super) fn recall(&mut self, run: &mut JobRun<'_>, args: &[Arg], span: Span) -> Done {
        if args.is_empty() {
            return Done::UNKNOWN;
        }
        self.within(run, |shell, run| shell.call(run, &Call { args, span }))
            .unwrap_or(Done::UNKNOWN)
    }

    /// What a command that reads a secret finds on standard input; a hole when that is not known.
    pub(super) fn secret_on_input(&self, run: &JobRun<'_>, _at: Span) -> Option<Text> {
        Some(match self.input.known() {
            Some(text) => Text::from(text.text.trim()),
            None => run.cx.holes.of(UNKNOWN_INPUT, HoleKind::Output),
        })
    }
}
