//! What a command name means: a function, a command of the shell, a command that runs another, a
//! client that pulls, a task runner, a script of the repository, or nothing that counts.

use std::sync::LazyLock;

use ecow::EcoString;
use hashbrown::HashSet;

use super::exec::Call;
use super::{Arg, Done, Shell, builtins, suites};
use crate::effect::Kind;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, Text, is_hole};

/// Variables in which people keep the name of their container client.
const CLIENT_VARIABLES: [&str; 10] = [
    "docker",
    "podman",
    "container_engine",
    "container_runtime",
    "container_tool",
    "container_cli",
    "container_cmd",
    "oci_bin",
    "oci_runtime",
    "builder_engine",
];

/// Programs that are read in code and run others.
const RUNNERS: [&str; 28] = [
    "bash",
    "sh",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "source",
    ".",
    "xargs",
    "find",
    "su",
    "script",
    "ssh-agent-run",
    "concurrently",
    "parallel",
    "command",
    "make",
    "gmake",
    "just",
    "npm",
    "yarn",
    "yarnpkg",
    "pnpm",
    "bun",
    "run-s",
    "run-p",
    "npm-run-all",
    "npm-run-all2",
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
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let program = !name.is_empty() && name.bytes().all(plain) && !name.ends_with(".exe");
    program && !KNOWN.contains(name) && !builtins::is_silent(name)
}

/// Whether a program of this name pulls or signs in.
fn pulls(name: &str) -> bool {
    super::docker::is_client(name) || super::tools::names().any(|tool| tool == name)
}

impl Shell {
    /// Executes one command.
    pub(super) fn call(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        if let Some(done) = self.function(run, call) {
            return done;
        }
        if let Some(done) = self.builtin(run, call) {
            debug_assert!(!is_idle(call.name()), "{} is known", call.name());
            return done;
        }
        let done = self.program(run, call);
        self.print_unknown();
        done
    }

    fn program(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let written = call.name();
        if written.contains('/')
            && !suites::brings_a_build_tool(written)
            && let Some(done) = self.script_file(run, call.args, call.span)
        {
            return done;
        }
        let Some(name) = self.program_name(run, call) else {
            return self.behind_prefix(run, call);
        };
        let name = name.as_str();
        self.test_suite(run, name, call);
        let done = self
            .wrapper(run, name, call)
            .or_else(|| self.client(run, name, call))
            .or_else(|| self.task_runner(run, name, call))
            .or_else(|| self.tool(run, name, call));
        debug_assert!(done.is_none() || !is_idle(name), "{name} is known");
        done.unwrap_or(Done::UNKNOWN)
    }

    /// The name of the program without its folder; `None` when it cannot be guessed.
    fn program_name(&self, run: &mut JobRun<'_>, call: &Call<'_>) -> Option<EcoString> {
        let written = call.name();
        let base = written.rsplit('/').next().unwrap_or(written);
        if !base.contains(is_hole) {
            return Some(base.strip_suffix(".exe").unwrap_or(base).into());
        }
        let hole = run.cx.holes.get(base.chars().next()?)?;
        let words = hole.written.as_ref();
        if hole.kind == HoleKind::Output {
            let inner = words.trim_start_matches("$(").trim_matches(['`', ')', ' ']);
            if inner.starts_with("aws ecr get-login") {
                self.ecr_login(run, call.span);
                return None;
            }
            // `$(command -v docker) build .`
            let mut words = inner.split_whitespace();
            return match words.next() {
                Some("command" | "which" | "type") => words
                    .find(|word| !word.starts_with('-'))
                    .map(EcoString::from),
                _ => None,
            };
        }
        let name: String = words
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect::<String>()
            .to_ascii_lowercase();
        if name.contains("compose") {
            return Some("docker-compose".into());
        }
        let name = name
            .trim_end_matches("_cmd")
            .trim_end_matches("_bin")
            .trim_end_matches("_cli")
            .trim_end_matches("_exe")
            .trim_start_matches("sudo_");
        (CLIENT_VARIABLES.contains(&name)).then(|| "docker".into())
    }

    /// `$SUDO docker pull`, `$DRY docker build`: what stands before a program that pulls is there to
    /// run it, and most of the time it is nothing or `sudo`.
    fn behind_prefix(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let (Some(first), Some(next)) = (call.args.first(), call.args.get(1)) else {
            return Done::UNKNOWN;
        };
        let unknown = first.bare && first.text.is_one_hole();
        if unknown && pulls(next.as_str()) {
            return self.recall(run, call.rest(), call.span);
        }
        Done::UNKNOWN
    }

    /// `$(aws ecr get-login)` runs the `docker login` that it prints.
    fn ecr_login(&self, run: &mut JobRun<'_>, span: Span) {
        let account = run.cx.holes.of("the account's ", HoleKind::Expression);
        let store = run.docker_store();
        run.emit(
            span,
            Kind::Login {
                registry: Text::from(format!("{}.amazonaws.com", account.as_str())),
                username: Some(Text::from("AWS")),
                password: None,
                store,
                how: "aws ecr get-login".into(),
                broken: None,
            },
        );
    }

    /// Executes the command that other words of a command line are.
    pub(super) fn recall(&mut self, run: &mut JobRun<'_>, args: &[Arg], span: Span) -> Done {
        if args.is_empty() {
            return Done::UNKNOWN;
        }
        self.within(|shell| shell.call(run, &Call { args, span }))
            .unwrap_or(Done::UNKNOWN)
    }

    /// What a command that reads a secret finds on standard input; a hole when that is not known.
    pub(super) fn secret_on_input(&self, run: &JobRun<'_>, _at: Span) -> Option<Text> {
        Some(match self.input.known() {
            Some(text) => Text::from(text.text.trim()),
            None => run.cx.holes.of("(standard input)", HoleKind::Output),
        })
    }
}
