//! The command line of `docker compose`, and of `docker-compose` before it.

use super::docker::arguments;
use super::flags::{self, Order, Parsed};
use super::tools::spec;
use super::{Arg, Shell};
use crate::compose::{self, Compose, Verb};
use crate::effect::Kind;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, Text};

impl Shell {
    pub(super) fn compose(&mut self, run: &mut JobRun<'_>, args: &[Arg], span: Span) {
        let global = flags::parse(run, args, spec("compose"), Order::FlagsFirst);
        let rest = global.rest.get(1..).unwrap_or_default();
        let verb = match global.word(0) {
            "up" | "create" | "watch" => Verb::Up,
            "run" => Verb::Run,
            "pull" => Verb::Pull,
            "build" => Verb::Build,
            "push" => {
                // Which images are pushed stands in the files; what counts is that the login is used.
                let image = run
                    .cx
                    .holes
                    .of("$(docker compose images)", HoleKind::Output);
                return run.emit(span, Kind::Push { image });
            }
            _ => return,
        };
        let own = match verb {
            Verb::Run => flags::parse(run, rest, spec("compose-run"), Order::FlagsFirst),
            Verb::Build => flags::parse(run, rest, spec("compose-build"), Order::Mixed),
            _ => flags::parse(run, rest, spec("compose-up"), Order::Mixed),
        };
        let only_says = own.has(&["--help", "--print"]) || verb != Verb::Run && own.has(&["-h"]);
        if only_says || global.has(&["--help", "--dry-run"]) || own.has(&["--dry-run"]) {
            return;
        }
        let named = match verb {
            Verb::Run => 1,
            _ => own.rest.len(),
        };
        let services = own.rest.iter().take(named).map(|arg| arg.text.clone());
        let files = global.texts(&["-f", "--file"]);
        let outer = match files.is_empty() {
            true => None,
            false => self.go_to_root(run, files.iter()),
        };
        let mut command = self.command_on(run, &global, span, verb);
        command.services = services.collect();
        command.no_deps = own.has(&["--no-deps"]);
        command.build = own.has(&["--build"]);
        command.no_build = own.has(&["--no-build"]);
        let pull = own.value(&["--pull"]).map(Arg::as_str);
        command.pull = match verb {
            Verb::Build => own.has(&["--pull"]),
            _ => pull == Some("always"),
        };
        command.never_pull = pull == Some("never");
        command.args = arguments(&own);
        compose::compose(run, &command);
        if let Some(outer) = outer {
            run.cwd = outer;
        }
    }

    /// `docker stack deploy -c file`: a swarm pulls what the file names.
    pub(super) fn stack(&mut self, run: &mut JobRun<'_>, args: &[Arg], span: Span) {
        let parsed = flags::parse(run, args, spec("other"), Order::Mixed);
        let mut command = self.command_on(run, &Parsed::default(), span, Verb::Up);
        let files = parsed.texts(&["-c", "--compose-file"]);
        command.files = files.iter().map(|file| self.path(run, file)).collect();
        command.no_build = true;
        if !command.files.is_empty() {
            compose::compose(run, &command);
        }
    }

    fn command_on(&self, run: &JobRun<'_>, global: &Parsed, span: Span, verb: Verb) -> Compose {
        let paths = |names: &[&str]| -> Vec<Text> {
            let all = global.texts(names);
            all.iter().map(|file| self.path(run, file)).collect()
        };
        let profiles = global.texts(&["--profile"]);
        let profiles = profiles.iter().flat_map(|p| p.as_str().split(','));
        Compose {
            span,
            files: paths(&["-f", "--file"]),
            project_directory: paths(&["--project-directory"]).pop(),
            project_name: global.texts(&["-p", "--project-name"]).pop(),
            env_files: paths(&["--env-file"]),
            profiles: profiles.map(Text::from).collect(),
            verb,
            services: Vec::new(),
            no_deps: false,
            build: false,
            no_build: false,
            pull: false,
            never_pull: false,
            args: Vec::new(),
        }
    }
}
