//! Scripts, and the task runners that hold them: a quarter of the jobs that use docker hide it in a
//! script or a make target. Nothing outside of the repository is ever followed.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::exec::Call;
use super::flags::{self, Order, Spec};
use super::perhaps::{is_script_of_images_elsewhere, makes_images_elsewhere, mentions_clients};
use super::redirect::is_name;
use super::suites::go;
use super::{Arg, Done, Input, Shell, commands, engine, other_languages, suites, trigger};
use crate::effect::{By, Effect, Kind};
use crate::recipes::{self, Failure, Runner};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, is_hole};

/// Endings of scripts in other languages, which are not read.
const OTHER_LANGUAGES: [&str; 14] = [
    ".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php", ".lua", ".go", ".groovy", ".ps1",
    ".bat", ".jar",
];

/// Sub-commands of `npm`, `yarn`, `pnpm` and `bun` that run no script of `package.json` which matters.
const PACKAGE_COMMANDS: [&str; 34] = [
    "install",
    "i",
    "ci",
    "add",
    "remove",
    "rm",
    "uninstall",
    "un",
    "update",
    "up",
    "upgrade",
    "init",
    "create",
    "config",
    "set",
    "get",
    "cache",
    "list",
    "ls",
    "link",
    "unlink",
    "audit",
    "outdated",
    "publish",
    "pack",
    "login",
    "logout",
    "whoami",
    "version",
    "info",
    "view",
    "why",
    "dedupe",
    "prune",
];

/// How the path of this script ends, wherever `github/gh-aw/actions/setup` lays it
/// (<https://github.com/github/gh-aw/blob/main/actions/setup/sh/download_docker_images.sh>).
const DOWNLOAD_OF_GH_AW: &str = "gh-aw/actions/download_docker_images.sh";
/// Flags of an installation that have their value in the next word.
const INSTALL_VALUES: &str = "--prefix -C --cwd --dir -w --workspace --filter -F --loglevel --script-shell --registry --cache --cache-folder \
     --network-timeout --network-concurrency --store-dir --omit --include --install-strategy --cpu --os --libc --before --userconfig --modules-dir \
     --virtual-store-dir --child-concurrency --reporter --modules-folder --mutex --mode --inline-builds-of --backend --cache-dir --linker";

/// Where the script is that installs k3s and starts it. <https://docs.k3s.io/installation/configuration>
const INSTALLER_OF_K3S: &str = "get.k3s.io";
const STARTS_K3S: &str = "it starts a cluster, whose own images (`rancher/...`) k3s pulls from Docker Hub, with a credential only where `registries.yaml` gives one";

const WHICH_SCRIPT: &str = "which one it is, is known only when the job runs";

impl Shell {
    /// `bash`, `sh`: a script in an argument, in a file or on standard input.
    pub(super) fn shell_program(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let mut args = call.rest();
        while let Some((first, rest)) = args.split_first() {
            let text = first.as_str();
            match text {
                "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file" => {
                    args = rest.get(1..).unwrap_or_default();
                }
                "-s" => {
                    self.unread_input(run, call.span);
                    return self.script_on_input(run, rest);
                }
                "-" | "--" => {
                    return self.file_of_shell(run, rest, call.span);
                }
                _ if text.starts_with('-') && !text.starts_with("--") && text.contains('c') => {
                    // `-c` may be followed by further flags.
                    let rest = skip_options(rest);
                    let Some((script, rest)) = rest.split_first() else {
                        return Done::UNKNOWN;
                    };
                    let (zero, arguments) = match rest.split_first() {
                        Some((zero, arguments)) => (Some(zero.text.clone()), arguments),
                        None => (None, rest),
                    };
                    let is_bash = is_bash(call.name());
                    return self.process(run, Rc::new(script.script()), |inner| {
                        if !is_bash {
                            inner.functions.clear();
                        }
                        inner.zero = zero;
                        inner.arguments = Some(Rc::new(texts(arguments)));
                        inner.argument_places = places(arguments);
                    });
                }
                // `-euo pipefail`
                _ if text.starts_with('-') && !text.starts_with("--") && text.ends_with('o') => {
                    args = rest.get(1..).unwrap_or_default();
                }
                _ if text.starts_with(['-', '+']) => args = rest,
                _ => return self.file_of_shell(run, args, call.span),
            }
        }
        self.unread_input(run, call.span);
        self.script_on_input(run, &[])
    }

    /// A script that comes out of a pipe and is not known may be what a login before it is for.
    fn unread_input(&self, run: &mut JobRun<'_>, span: Span) {
        if !matches!(self.input, Input::Unknown) {
            return;
        }
        let written = self.piped.as_ref();
        let written = written.map_or("", |(text, range)| range.of(&text.text));
        let is_started = ["INSTALL_K3S_SKIP_START", "INSTALL_K3S_SKIP_ENABLE"]
            .iter()
            .all(|name| run.variable(name).known() != Some("true"));
        if written.contains(INSTALLER_OF_K3S) && is_started {
            let what = format!("the script of `{INSTALLER_OF_K3S}`");
            run.opaque(span, what, STARTS_K3S, By::Run);
        } else {
            unread_program(run, span);
        }
    }

    fn file_of_shell(&mut self, run: &mut JobRun<'_>, args: &[Arg], span: Span) -> Done {
        match args.first() {
            None => {
                self.unread_input(run, span);
                self.script_on_input(run, &[])
            }
            Some(file) => {
                // `bash <(printf ...)`
                if let Some(Input::Known(text)) = self.processes.get(&file.text).cloned() {
                    return self.process(run, text, |_| {});
                }
                // `sh ./gradlew build`
                if suites::brings_a_build_tool(file.as_str()) {
                    return self.recall(run, args, span);
                }
                self.script_file(run, args, span).unwrap_or(Done::UNKNOWN)
            }
        }
    }

    pub(super) fn script_on_input(&mut self, run: &mut JobRun<'_>, arguments: &[Arg]) -> Done {
        let Input::Known(text) = self.input.clone() else {
            return Done::UNKNOWN;
        };
        let arguments = texts(arguments);
        self.process(run, text, |inner| {
            inner.input = Input::Unknown;
            inner.arguments = Some(Rc::new(arguments));
        })
    }

    /// Runs a file of the repository; `None` when it is not there, or no shell script.
    pub(super) fn script_file(
        &mut self,
        run: &mut JobRun<'_>,
        args: &[Arg],
        span: Span,
    ) -> Option<Done> {
        let (file, rest) = args.split_first()?;
        if file.as_str().ends_with(DOWNLOAD_OF_GH_AW) {
            return Some(self.download_of_gh_aw(run, rest));
        }
        let Some(path) = self.locate(run, &file.text) else {
            let mut holes = file.text.holes(&run.cx.holes);
            let by_ci = holes.any(|hole| hole.kind == HoleKind::Expression);
            let is_script = file.as_str().ends_with(".sh") || file.text.is_one_hole();
            if by_ci && is_script {
                let what = format!("the script `{}`", run.show(&file.text));
                run.opaque(span, what, WHICH_SCRIPT, By::Run);
            } else if let Some(which) = self.one_of_scripts(run, args, span) {
                let what = format!("the script `{}`", run.show(&which));
                run.opaque(span, what, WHICH_SCRIPT, By::Run);
            } else {
                unread_path(run, file, span);
            }
            return None;
        };
        let Some(text) = self.read_at(run, &path) else {
            // What installs Docker pulls nothing yet.
            let installer = path.name().starts_with("get-") || path.name().starts_with("install");
            let elsewhere = is_script_of_images_elsewhere(run, &path);
            let named = path.name().ends_with(".sh") && path.name().contains("docker");
            if (named || elsewhere) && !installer {
                run.opaque(
                    span,
                    format!("the script `{path}`"),
                    "it is not in this repository; it may be made while the job runs",
                    By::Run,
                );
                if !named {
                    let image = run.cx.holes.of("?", HoleKind::Folder);
                    run.emit(span, Kind::Provide { image });
                }
            } else {
                unread_path(run, file, span);
            }
            return None;
        };
        if !is_shell(&path, &text.text) {
            // It is run, and it is none of the tools: nothing of it can be followed.
            program_in_another_language(run, &path, span);
            return Some(Done::UNKNOWN);
        }
        let by_variable = || engine::is_in_variable(run, &text.text);
        let handed_on = match text.text.strip_prefix("#!") {
            Some(rest)
                if !rest
                    .lines()
                    .next()
                    .is_some_and(|line| line.contains("bash")) =>
            {
                BTreeMap::new()
            }
            _ => self.handed_on(run),
        };
        let calls = || {
            handed_on
                .keys()
                .any(|name| text.text.contains(name.as_str()))
        };
        let is_read = self.output.is_some();
        if !is_read && !trigger::may_matter(&run.cx.holes, &text.text) && !by_variable() && !calls()
        {
            return Some(Done::UNKNOWN);
        }
        let arguments = arguments_of_script(run, rest);
        let zero = Text::from(format!("{}/{path}", self.root(run).as_str()));
        let note = format!("runs `{path}`");
        run.traced(span, note, |run| {
            self.process(run, text, |inner| {
                inner.functions = handed_on;
                inner.file = Some(path);
                inner.zero = Some(zero);
                inner.arguments = arguments;
                inner.argument_places = places(rest);
            });
        });
        Some(Done::UNKNOWN)
    }

    /// GitHub's agentic workflows lay a script beside the repository that pulls what it is given.
    fn download_of_gh_aw(&mut self, run: &mut JobRun<'_>, images: &[Arg]) -> Done {
        let policy = run.env.get("GH_AW_DOCKER_IMAGE_PULL_POLICY");
        if policy.and_then(Text::known) == Some("never") {
            return Done::UNKNOWN;
        }
        for image in images {
            let words = ["docker", "pull"].map(|word| Arg::new(Text::from(word), image.span));
            let words: Vec<Arg> = words.into_iter().chain([image.clone()]).collect();
            self.recall(run, &words, image.span);
        }
        Done::UNKNOWN
    }

    /// `python scripts/sign.py`, `node release.js`: a program of the repository that is not followed.
    pub(super) fn interpreted(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let mut args = call.rest().iter();
        // What is read from a pipe or a here-document.
        if call.rest().first().is_none_or(|arg| arg.as_str() == "-")
            && let Input::Known(text) = &self.input
        {
            client_here(run, text, call.span);
            return;
        }
        while let Some(arg) = args.next() {
            let text = arg.as_str();
            let path = match text {
                "-m" => args.next().map(|module| module.as_str().to_owned()),
                "-c" | "-e" | "--eval" => {
                    if let Some(program) = args.next() {
                        client_here(run, &program.script(), call.span);
                    }
                    return;
                }
                "-" | "--version" | "--run" => return,
                "-W" | "-X" | "-r" | "--require" | "--import" | "--loader" | "-I" => {
                    args.next();
                    continue;
                }
                "run" => continue,
                _ if text.starts_with('-') => continue,
                _ => Some(text.to_owned()),
            };
            let Some(path) = path else {
                return;
            };
            let found = match text {
                "-m" => self.module_here(run, &path),
                _ => self.file_here(run, &path, &["", ".js", ".ts"]),
            };
            if let Some(path) = found {
                program_in_another_language(run, &path, call.span);
            }
            return;
        }
    }

    /// `uv run tools/e2e.py`: a file of the repository.
    pub(super) fn python_file(&self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        if let Some(path) = self.file_here(run, name, &[""]) {
            program_in_another_language(run, &path, call.span);
        }
    }

    /// The file of the repository that is a module of Python's.
    pub(super) fn module_here(&self, run: &JobRun<'_>, name: &str) -> Option<RepoPath> {
        self.file_here(run, &name.replace('.', "/"), &[".py", "/__main__.py"])
    }

    fn file_here(&self, run: &JobRun<'_>, path: &str, endings: &[&str]) -> Option<RepoPath> {
        endings.iter().find_map(|ending| {
            let path = self.locate(run, &Text::from(format!("{path}{ending}")))?;
            let is_here = !path.is_root() && run.cx.sources.load(&path).is_ok();
            is_here.then_some(path)
        })
    }

    /// `source file`: in this same process.
    pub(super) fn source(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let Some((file, rest)) = call.rest().split_first() else {
            return Done::UNKNOWN;
        };
        if let Some(Input::Known(text)) = self.processes.get(&file.text).cloned() {
            return self.nested_text(run, text);
        }
        // What the job has written to it so far.
        if matches!(
            &*run.show(&file.text),
            "$BASH_ENV" | "${BASH_ENV}" | "$GITHUB_ENV" | "${GITHUB_ENV}"
        ) {
            run.env.extend(run.exported.clone());
            self.functions.extend(run.startup.iter().cloned());
            return Done::UNKNOWN;
        }
        let Some(path) = self.locate(run, &file.text) else {
            self.source_unread(run, file);
            return Done::UNKNOWN;
        };
        let Some(text) = self.read_at(run, &path) else {
            return Done::UNKNOWN;
        };
        if run.cwd == Cwd::Elsewhere && self.file.is_none() && !file.text.is_known() {
            return Done::UNKNOWN;
        }
        let note = format!("sources `{path}`");
        let outer = self.file.replace(path);
        let arguments = (!rest.is_empty()).then(|| arguments_of_script(run, rest));
        let outer_arguments = arguments.map(|new| std::mem::replace(&mut self.arguments, new));
        let mut done = Done::UNKNOWN;
        run.traced(call.span, note, |run| {
            done = self.nested_text(run, text);
        });
        if let Some(arguments) = outer_arguments {
            self.arguments = arguments;
        }
        self.file = outer;
        match done.flow {
            super::Flow::Leaves(super::Leave::Return { .. })
            | super::Flow::MayLeave(super::Leave::Return { .. }, _) => Done::UNKNOWN,
            _ => done,
        }
    }

    /// `make`, `just`, `task`, `npm run`; `None` when it is no task runner.
    pub(super) fn task_runner(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        call: &Call<'_>,
    ) -> Option<Done> {
        match name {
            "make" | "gmake" => {
                if let Some(request) = self.make(run, call) {
                    self.recipes(run, &request, "make");
                }
            }
            "just" => {
                if let Some(request) = self.just(run, call) {
                    self.recipes(run, &request, "just");
                }
            }
            "task" | "go-task" => {
                if let Some(request) = self.task(run, call) {
                    self.recipes(run, &request, name);
                }
            }
            "tox" => self.tox(run, call),
            "go" => return self.go_tool(run, call),
            "npm" | "yarn" | "yarnpkg" | "pnpm" | "bun" => self.package_script(run, name, call),
            "node"
                if call
                    .args
                    .iter()
                    .any(|arg| arg.as_str().starts_with("--run")) =>
            {
                self.node_run(run, call);
            }
            "turbo" | "lerna" | "nx" => self.workspace_runner(run, name, call),
            "run-s" | "run-p" | "npm-run-all" | "npm-run-all2" => {
                let parsed = flags::parse(run, call.rest(), &Spec::default(), Order::Mixed);
                for target in &parsed.rest {
                    let request = request(Runner::Npm, call.span, vec![target.text.clone()]);
                    self.recipes(run, &request, "npm run");
                }
            }
            _ => return None,
        }
        Some(Done::UNKNOWN)
    }

    /// `go tool task`, `go run github.com/goreleaser/goreleaser/v2@latest`, `go run mage.go`: the ways to a
    /// program that is not installed. `None` for any other `go`.
    fn go_tool(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Option<Done> {
        let (verb, rest) = call.rest().split_first()?;
        let mut words = match verb.as_str() {
            "tool" | "run" => {
                let flags = Spec::values("-modfile -C -mod -tags -ldflags -gcflags -exec");
                flags::parse(run, rest, &flags, Order::FlagsFirst).rest
            }
            _ => return None,
        };
        let first = words.first_mut()?;
        let module = first.as_str().split('@').next().unwrap_or("");
        let program = match (verb.as_str(), module) {
            ("run", "mage.go") => "mage",
            _ => program_of_go(module),
        };
        let is_path = module.contains('/');
        let named = match verb.as_str() {
            "tool" => true,
            _ => {
                is_path
                    && module
                        .split('/')
                        .next()
                        .is_some_and(|host| host.contains('.'))
            }
        };
        let found = program == "mage" || named && !module.starts_with('.');
        let is_own = is_path && is_of_this_module(run, module);
        if !found || !super::commands::is_tool(program) || is_own {
            if verb.as_str() == "run" {
                self.own_program(run, rest, &words, call.span);
            }
            return None;
        }
        *first = Arg::new(Text::from(program), first.span);
        Some(self.recall(run, &words, call.span))
    }

    /// `go run ./cmd/x`, `go run main.go`: a program of the repository, which is not read but for what it uses.
    fn own_program(&self, run: &mut JobRun<'_>, args: &[Arg], words: &[Arg], span: Span) {
        // In another folder.
        if args.iter().any(|arg| arg.as_str().starts_with("-C")) {
            return;
        }
        let is_file = |arg: &&Arg| arg.as_str().ends_with(".go");
        let files: Vec<&Arg> = words.iter().take_while(is_file).collect();
        let Some(first) = words.first().filter(|first| first.text.is_known()) else {
            return;
        };
        let (folder, only) = match files.as_slice() {
            [] if first.as_str().starts_with('.') => (self.locate(run, &first.text), Vec::new()),
            [] => {
                let Some(cwd) = run.cwd.inside() else {
                    return;
                };
                (go::folder_of(run.cx, cwd, first.as_str()), Vec::new())
            }
            files => {
                let names = files.iter().map(|file| {
                    let path = file.as_str();
                    path.rsplit('/').next().unwrap_or(path).to_owned()
                });
                let path = self.locate(run, &first.text);
                (path.map(|path| path.parent()), names.collect())
            }
        };
        let Some(folder) = folder else {
            return;
        };
        if let Some(how) = go::client_of_program(run.cx, &folder, &only) {
            let what = format!("go run {}", run.show(&first.text));
            let why = format!("the program's code {how}, and is not read further");
            run.opaque(span, what, why, By::Run);
        }
    }

    fn package_script(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        let args = call.rest();
        let end = args.iter().position(|arg| arg.as_str() == "--");
        let (own, behind) = args.split_at(end.unwrap_or(args.len()));
        let mut place = Place::default();
        // npm's word for `--workspaces`, which is no `-w s`.
        let short = |arg: &Arg| name == "npm" && arg.as_str() == "-ws";
        let without: Vec<Arg>;
        let own = if own.iter().any(short) {
            place.everywhere = true;
            without = own.iter().filter(|arg| !short(arg)).cloned().collect();
            &without
        } else {
            own
        };
        let flags = Spec::values(if name == "pnpm" {
            // `-w` is `--workspace-root` there.
            "-C --dir --filter -F --loglevel --script-shell"
        } else {
            "--prefix -C --cwd --dir -w --workspace --filter -F --loglevel --script-shell"
        });
        let mut words = place.take(name, flags::parse(run, own, &flags, Order::FlagsFirst));
        // The root is one of the packages, too.
        let mut with_root = false;
        match (name, words.first().map_or("", Arg::as_str)) {
            ("yarn" | "yarnpkg", "workspace") => {
                let chosen = words.drain(..words.len().min(2)).nth(1);
                place.workspaces.extend(chosen.map(|arg| arg.text));
            }
            ("yarn" | "yarnpkg", "workspaces") => {
                place.everywhere = true;
                words.remove(0);
                if words.first().is_some_and(|word| word.as_str() == "foreach") {
                    let flags = Spec::values("--from --include --exclude -j --jobs");
                    let of_each = words.get(1..).unwrap_or_default();
                    let parsed = flags::parse(run, of_each, &flags, Order::FlagsFirst);
                    let some = ["--from", "--include", "--exclude", "--no-private", "-R"];
                    with_root =
                        parsed.has(&["-A", "--all", "-W", "--worktree"]) && !parsed.has(&some);
                    words = parsed.rest;
                } else if words.first().is_none_or(|word| word.as_str() != "run") {
                    return;
                }
            }
            ("pnpm", "recursive" | "multi" | "m") => {
                place.everywhere = true;
                let of_each = words.get(1..).unwrap_or_default();
                let parsed = flags::parse(run, of_each, &flags, Order::FlagsFirst);
                words = place.take(name, parsed);
            }
            _ => {}
        }
        let Some(first) = words.first().cloned() else {
            if matches!(name, "yarn" | "yarnpkg") {
                self.installs(run, name, &place, call);
            }
            return;
        };
        let explicit = matches!(first.as_str(), "run" | "run-script" | "rum" | "urn");
        let mut rest: Vec<Arg> = words.split_off(1);
        if matches!(first.as_str(), "exec" | "x" | "dlx") {
            rest.extend_from_slice(behind);
            let inner = flags::parse(run, &rest, &flags, Order::FlagsFirst);
            self.recall(run, &inner.rest, call.span);
            return;
        }
        // npm takes its own flags wherever they stand; the others hand on what is behind the name.
        let order = match name {
            "npm" => Order::Mixed,
            _ => Order::FlagsFirst,
        };
        if explicit || name == "npm" {
            rest = place.take(name, flags::parse(run, &rest, &flags, order));
        }
        let target = if explicit {
            if rest.is_empty() {
                return;
            }
            rest.remove(0)
        } else {
            match (name, first.as_str()) {
                // Its own runner of tests and its own bundler; a script of that name runs by `bun run`
                // (<https://bun.sh/docs/cli/run>).
                ("bun", "test" | "build") => return,
                ("npm", "t" | "tst") => Arg::new(Text::from("test"), first.span),
                (_, "test" | "start" | "stop" | "restart") => first.clone(),
                ("npm", "ci" | "clean-install" | "install" | "i" | "add")
                | (_, "install" | "i") => {
                    self.installs(run, name, &place, call);
                    return;
                }
                ("npm", _) => return,
                (_, other) if PACKAGE_COMMANDS.contains(&other) => return,
                _ => first.clone(),
            }
        };
        rest.extend_from_slice(behind.get(1..).unwrap_or_default());
        let mut request = request(Runner::Npm, call.span, vec![target.text.clone()]);
        request.directory = place.directory.map(|arg| self.path(run, &arg.text));
        request.arguments = texts(&rest);
        let label = if explicit || name == "npm" {
            format!("{name} run")
        } else {
            name.to_owned()
        };
        let mut workspaces = place.workspaces;
        if workspaces.is_empty() && place.everywhere {
            workspaces.push(Text::from("*"));
        }
        let mut workspaces = workspaces.into_iter();
        request.workspace = workspaces.next();
        if !self.recipes(run, &request, &label) && !explicit && name != "npm" {
            // No script of that name: a program of a dependency.
            let mut args = vec![target];
            args.extend(rest);
            self.recall(run, &args, call.span);
        }
        for workspace in workspaces {
            request.workspace = Some(workspace);
            self.recipes(run, &request, &label);
        }
        request.workspace = None;
        if with_root && recipes::recipes(run, &request, trigger::may_matter).is_ok() {
            self.recipes(run, &request, &label);
        }
    }

    /// `npm ci`, `yarn`, `pnpm install`: scripts of the package itself run with it.
    fn installs(&mut self, run: &mut JobRun<'_>, name: &str, place: &Place, call: &Call<'_>) {
        let flags = Spec::values(INSTALL_VALUES);
        let all = flags::parse(run, call.rest(), &flags, Order::Mixed);
        let only_says = [
            "--ignore-scripts",
            "-g",
            "--global",
            "--dry-run",
            "--package-lock-only",
            "--lockfile-only",
            "-v",
            "--version",
            "-h",
            "--help",
        ];
        let skips = all.value(&["--mode"]).is_some()
            || ["npm_config_ignore_scripts", "NPM_CONFIG_IGNORE_SCRIPTS"]
                .iter()
                .any(|name| run.env.get(*name).is_some_and(|v| v.as_str() == "true"));
        // What is named is added, and nothing of the package itself runs.
        let adds = all.rest.len() > 1 && !matches!(all.word(0), "ci" | "clean-install");
        if all.has(&only_says) || skips || adds {
            return;
        }
        let mut request = request(Runner::Install, call.span, Vec::new());
        let directory = place.directory.as_ref();
        request.directory = directory.map(|arg| self.path(run, &arg.text));
        let shown = [name, all.word(0)].join(" ");
        self.recipes(run, &request, shown.trim_end());
    }

    /// `node --run x -- …` (<https://nodejs.org/api/cli.html#--run>).
    fn node_run(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let args = call.rest();
        let end = args.iter().position(|arg| arg.as_str() == "--");
        let (own, behind) = args.split_at(end.unwrap_or(args.len()));
        let parsed = flags::parse(run, own, &Spec::values("--run --env-file -r"), Order::Mixed);
        let Some(target) = parsed.value(&["--run"]) else {
            return;
        };
        let mut request = request(Runner::Node, call.span, vec![target.text.clone()]);
        request.arguments = texts(behind.get(1..).unwrap_or_default());
        self.recipes(run, &request, "node --run");
    }

    /// `turbo run x`, `lerna run x`, `nx run-many -t x`: what the packages of the workspace have under that
    /// name.
    fn workspace_runner(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        let args = call.rest();
        let end = args.iter().position(|arg| arg.as_str() == "--");
        let (own, behind) = args.split_at(end.unwrap_or(args.len()));
        let behind = behind.get(1..).unwrap_or_default();
        let flags = Spec::values(match name {
            "turbo" => TURBO_VALUES,
            "lerna" => LERNA_VALUES,
            _ => NX_VALUES,
        });
        let mut parsed = flags::parse(run, own, &flags, Order::Mixed);
        let words = std::mem::take(&mut parsed.rest);
        let Some((verb, rest)) = words.split_first() else {
            return;
        };
        if verb.as_str() == "exec" {
            self.recall(
                run,
                if behind.is_empty() { rest } else { behind },
                call.span,
            );
            return;
        }
        // `-t a,b`, `--filter=./apps/*`
        let listed = |names: &[&str]| -> Vec<Text> {
            let all = parsed.texts(names);
            let parts = all.iter().flat_map(|all| all.as_str().split(','));
            parts
                .filter(|part| !part.is_empty())
                .map(Text::from)
                .collect()
        };
        let mut packages = listed(&["--filter", "-F", "--scope", "-p", "--projects"]);
        // What changed, and what is left out, is not for us to say.
        packages.retain(|name| !name.as_str().contains(['!', '[']));
        let mut targets: Vec<Text> = Vec::new();
        match (name, verb.as_str()) {
            ("turbo" | "lerna", "run") => targets = texts(rest),
            ("turbo", other) if !TURBO_OWN.contains(&other) => targets = texts(&words),
            ("nx", "run-many" | "affected") => {
                targets = listed(&["-t", "--target", "--targets"]);
                targets.extend(texts(rest));
            }
            ("nx", "run") => {
                let Some((project, target)) = rest.first().and_then(|w| w.as_str().split_once(':'))
                else {
                    return;
                };
                packages = vec![Text::from(project)];
                targets.push(Text::from(target));
            }
            ("nx", other) if !NX_OWN.contains(&other) => {
                packages = rest
                    .first()
                    .map(|arg| arg.text.clone())
                    .into_iter()
                    .collect();
                targets.push(verb.text.clone());
            }
            _ => return,
        }
        let nearest = name == "nx" && !matches!(verb.as_str(), "run-many" | "affected");
        if packages.is_empty() && !nearest {
            packages.push(Text::from("*"));
        }
        let runner = if name == "nx" {
            Runner::Nx
        } else {
            Runner::Npm
        };
        let shown = format!("{name} run");
        for target in targets {
            let mut request = request(runner, call.span, vec![target]);
            request.arguments = texts(behind);
            if packages.is_empty() {
                self.recipes(run, &request, &shown);
            }
            for package in &packages {
                request.workspace = Some(package.clone());
                self.recipes(run, &request, &shown);
            }
        }
    }

    /// The recipes that a `make` asks for; `None` when it runs none.
    fn make(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<recipes::Call> {
        let flags = Spec::values(
            "-C --directory -f --file --makefile -I --include-dir -o --old-file -W --what-if --eval",
        );
        let parsed = flags::parse(run, &without_counts(run, call.rest()), &flags, Order::Mixed);
        if parsed.has(&MAKE_ONLY_SAYS) {
            return None;
        }
        let mut out = request(Runner::Make, call.span, Vec::new());
        for arg in &parsed.rest {
            match variable(arg) {
                Some(assignment) => out.variables.push(assignment),
                None => out.targets.push(arg.text.clone()),
            }
        }
        out.directory = parsed
            .value(&["-C", "--directory"])
            .map(|arg| self.path(run, &arg.text));
        // Make goes to its folder first, and looks for its file from there.
        out.file = parsed.value(&["-f", "--file", "--makefile"]).map(|arg| {
            match (&out.directory, &run.cwd) {
                (None, _) => self.path(run, &arg.text),
                (Some(folder), Cwd::Inside(cwd)) => {
                    let folder = folder.known().and_then(|folder| cwd.join(folder));
                    folder.map_or_else(
                        || arg.text.clone(),
                        |folder| self.path_from(run, &arg.text, &folder),
                    )
                }
                (Some(_), Cwd::Partly(_) | Cwd::Above(_) | Cwd::Elsewhere) => arg.text.clone(),
            }
        });
        Some(out)
    }

    fn just(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<recipes::Call> {
        let flags = Spec::values(
            "-f --justfile -d --working-directory --shell --shell-arg --dotenv-filename --dotenv-path --color --chooser",
        );
        let mut args = call.rest().to_vec();
        let mut variables = Vec::new();
        while let Some(at) = args.iter().position(|arg| arg.as_str() == "--set") {
            let mut taken = args.drain(at..(at + 3).min(args.len())).skip(1);
            if let (Some(name), Some(value)) = (taken.next(), taken.next()) {
                variables.push((name.as_str().to_owned(), value.text));
            }
        }
        let parsed = flags::parse(run, &args, &flags, Order::FlagsFirst);
        if parsed.has(&JUST_ONLY_SAYS) {
            return None;
        }
        let mut words = parsed.rest.as_slice();
        while let Some((first, rest)) = words.split_first()
            && let Some(assignment) = just_variable(first)
        {
            variables.push(assignment);
            words = rest;
        }
        let mut out = request(Runner::Just, call.span, Vec::new());
        out.variables = variables;
        out.directory = parsed
            .value(&["-d", "--working-directory"])
            .map(|arg| self.path(run, &arg.text));
        out.file = parsed
            .value(&["-f", "--justfile"])
            .map(|arg| self.path(run, &arg.text));
        // Which of the words are recipes and which are arguments of a recipe, the justfile says.
        out.targets = texts(words);
        Some(out)
    }

    /// The tasks that a `task` asks for; `None` when it runs none.
    fn task(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<recipes::Call> {
        let flags = Spec::values(
            "-t --taskfile -d --dir -C --concurrency -o --output -I --interval --sort --completion \
             --output-group-begin --output-group-end --temp-dir --timeout --expiry --trusted-hosts \
             --remote-cache-dir --cacert --cert --cert-key",
        );
        let args = call.rest();
        let end = args.iter().position(|arg| arg.as_str() == "--");
        let (own, behind) = args.split_at(end.unwrap_or(args.len()));
        let parsed = flags::parse(run, own, &flags, Order::Mixed);
        if parsed.has(&TASK_ONLY_SAYS) {
            return None;
        }
        let mut out = request(Runner::Task, call.span, Vec::new());
        for arg in &parsed.rest {
            match arg.as_str().split_once('=') {
                Some((name, value)) => out.variables.push((name.to_owned(), Text::from(value))),
                None => out.targets.push(arg.text.clone()),
            }
        }
        out.directory = parsed
            .value(&["-d", "--dir"])
            .map(|arg| self.path(run, &arg.text));
        out.file = parsed
            .value(&["-t", "--taskfile"])
            .map(|arg| self.path(run, &arg.text));
        out.arguments = texts(behind.get(1..).unwrap_or_default());
        Some(out)
    }

    /// Runs what a task runner would run. `false` when it knows no such task.
    pub(super) fn recipes(
        &mut self,
        run: &mut JobRun<'_>,
        request: &recipes::Call,
        shown: &str,
    ) -> bool {
        let shown = match request.targets.as_slice() {
            [] => shown.to_owned(),
            targets => {
                let targets: Vec<String> = targets.iter().map(|t| run.show(t)).collect();
                [shown, " ", &targets.join(" ")].concat()
            }
        };
        let found = match recipes::recipes(run, request, trigger::may_matter) {
            Ok(found) => found,
            Err(why) => {
                // Most packages have none of these scripts.
                if request.runner == Runner::Install {
                    return true;
                }
                if makes_images_elsewhere(run, request) {
                    run.opaque(request.span, shown, why.to_string(), By::Run);
                    let image = run.cx.holes.of("?", HoleKind::Folder);
                    run.emit(request.span, Kind::Provide { image });
                } else if matches!(why, Failure::Elsewhere(_))
                    || mentions_clients(run, request)
                    || self.may_pull_in_a_folder(run, request)
                {
                    run.opaque(request.span, shown, why.to_string(), By::Run);
                }
                return !matches!(why, Failure::NoSuchName(_));
            }
        };
        run.traced(request.span, ["runs `", &*shown, "`"].concat(), |run| {
            for recipe in &*found {
                let script = Rc::new(recipe.script.clone());
                recipe.enter(run, |run| {
                    // Their shell is `sh`, to most of them.
                    self.process(run, script, |inner| inner.functions.clear())
                });
            }
        });
        true
    }
}

/// The packages whose scripts are asked for.
#[derive(Default)]
struct Place {
    directory: Option<Arg>,
    workspaces: Vec<Text>,
    /// All packages of the workspace, where none is named.
    everywhere: bool,
}

impl Place {
    /// Takes what flags say, and gives the words beside them.
    fn take(&mut self, name: &str, parsed: flags::Parsed) -> Vec<Arg> {
        let directory = parsed.value(&["--prefix", "-C", "--cwd", "--dir"]);
        if let Some(directory) = directory {
            self.directory = Some(directory.clone());
        }
        let named = parsed.texts(&["-w", "--workspace", "--filter", "-F"]);
        self.workspaces.extend(named);
        self.everywhere |=
            parsed.has(&["--workspaces"]) || name == "pnpm" && parsed.has(&["-r", "--recursive"]);
        parsed.rest
    }
}

/// Whether the job has signed in somewhere.
pub(super) fn has_login(run: &JobRun<'_>) -> bool {
    let is_login = |effect: &Effect| matches!(effect.kind, Kind::Login { .. });
    run.effects().iter().any(is_login)
}

/// A program that is not read may be what a login before it is for.
pub(super) fn unread_program(run: &mut JobRun<'_>, span: Span) {
    let said = |effect: &Effect| matches!(effect.kind, Kind::Unlisted) && effect.span == span;
    if has_login(run) && !run.effects().last().is_some_and(said) {
        run.emit(span, Kind::Unlisted);
    }
}

/// A program of the repository that is not followed: it may run a client itself.
fn program_in_another_language(run: &mut JobRun<'_>, path: &RepoPath, span: Span) {
    match other_languages::client_of(run.cx, path) {
        Some(how) => {
            let why = format!("the program's code {how}, and is not read further");
            run.opaque(span, format!("the program `{path}`"), why, By::Run);
        }
        None => unread_program(run, span),
    }
}

/// The same of a program that is named by its path, and is no part of the system. In a job that has asked for an engine
/// it is what most likely uses that: out of another repository, or made by another job.
fn unread_path(run: &mut JobRun<'_>, file: &Arg, span: Span) {
    let path = file.as_str();
    let of_system = ["/bin/", "/sbin/", "/usr/", "/opt/"];
    let is_known = suites::brings_a_build_tool(path)
        || of_system.iter().any(|folder| path.starts_with(folder));
    if !path.contains('/') || is_known {
        return;
    }
    if !run.has_asked_for_engine || is_installed(path) || file.text.is_one_hole() {
        return unread_program(run, span);
    }
    let what = format!("the program `{}`", run.show(&file.text));
    let why = "it is not in this repository, and this job asks for an engine that it may use";
    run.opaque(span, what, why, By::Run);
    let image = run.cx.holes.of("?", HoleKind::Folder);
    run.emit(span, Kind::Provide { image });
}

/// Whether a path is of a tool that was installed, and that is known where it matters.
fn is_installed(path: &str) -> bool {
    const OTHERS: [&str; 4] = [
        "codecov",
        "cc-test-reporter",
        "test-reporter",
        "manifest-tool",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    let folders = ["venv/", "node_modules/", "vendor/", ".local/", ".cargo/"];
    let is_home = path.starts_with('~') || path.starts_with(is_hole);
    let is_installer = ["get-", "get_", "install"]
        .iter()
        .any(|word| name.starts_with(word));
    let name = commands::without_version(name);
    is_installer
        || is_home
        || folders.iter().any(|folder| path.contains(folder))
        || OTHERS.iter().any(|other| name.starts_with(other))
        || commands::interprets(name)
        || commands::is_tool(name)
}

/// Whether a script names a program of another language.
pub(super) fn names_another_language(script: &str) -> bool {
    let endings = [".py", ".js", ".mjs", ".cjs", ".ts", ".rb", " -m "];
    endings.iter().any(|ending| script.contains(ending))
}

/// The name of the program that a package path of Go's makes: its last element that is no major version.
fn program_of_go(path: &str) -> &str {
    let mut elements = path.rsplit('/');
    let last = elements.next().unwrap_or("");
    let number = last.strip_prefix('v');
    let is_version = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    match elements.next() {
        Some(before) if is_version => before,
        _ => last,
    }
}

/// Whether a package is one of the module of this repository.
fn is_of_this_module(run: &JobRun<'_>, package: &str) -> bool {
    let file = RepoPath::new("go.mod").and_then(|path| run.cx.sources.load(&path).ok());
    file.is_some_and(|file| {
        let own = file
            .text
            .lines()
            .find_map(|line| line.strip_prefix("module "));
        own.is_some_and(|own| {
            let rest = package.strip_prefix(own.trim().trim_matches('"'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    })
}

/// Where the arguments of a script or a function are written.
pub(super) fn places(arguments: &[Arg]) -> Rc<[Span]> {
    arguments.iter().map(|arg| arg.span).collect()
}

pub(super) fn request(runner: Runner, span: Span, targets: Vec<Text>) -> recipes::Call {
    recipes::Call {
        runner,
        span,
        directory: None,
        workspace: None,
        file: None,
        targets,
        variables: Vec::new(),
        arguments: Vec::new(),
    }
}

/// `NAME=value` among the words of a task runner.
fn variable(arg: &Arg) -> Option<(String, Text)> {
    let (name, value) = arg.as_str().split_once('=')?;
    let name = name.trim_end_matches([':', '?', '+']);
    is_name(name).then(|| (name.to_owned(), Text::from(value)))
}

/// The same of just, whose names may have hyphens.
fn just_variable(arg: &Arg) -> Option<(String, Text)> {
    let (name, value) = arg.as_str().split_once('=')?;
    let begins = |name: &str| !name.starts_with('-') && is_name(&name.replace('-', "_"));
    begins(name).then(|| (name.to_owned(), Text::from(value)))
}

/// Flags of Turborepo that take a value.
const TURBO_VALUES: &str = "--filter -F --cwd --concurrency --cache-dir --cache --log-order --log-prefix \
     --output-logs --env-mode --token --team --api --remote-cache-timeout --ui";

/// The same of Lerna.
const LERNA_VALUES: &str = "--scope --ignore --concurrency --since --loglevel --npm-client";

/// The same of Nx.
const NX_VALUES: &str = "-t --target --targets -p --projects --exclude --base --head --files --runner -c \
     --configuration --output-style --outputStyle --parallel --maxParallel";

/// Commands of Turborepo that run no task.
const TURBO_OWN: [&str; 18] = [
    "prune",
    "login",
    "logout",
    "link",
    "unlink",
    "daemon",
    "gen",
    "generate",
    "telemetry",
    "scan",
    "ls",
    "query",
    "bin",
    "completion",
    "info",
    "boundaries",
    "config",
    "watch",
];

/// The same of Nx.
const NX_OWN: [&str; 22] = [
    "graph",
    "reset",
    "init",
    "migrate",
    "format",
    "format:check",
    "format:write",
    "generate",
    "g",
    "show",
    "list",
    "report",
    "release",
    "daemon",
    "connect",
    "repair",
    "sync",
    "sync:check",
    "watch",
    "import",
    "add",
    "print-affected",
];

/// Options with which make runs no recipe: it says something of itself, or what it would run.
const MAKE_ONLY_SAYS: [&str; 10] = [
    "-v",
    "--version",
    "-h",
    "--help",
    "-n",
    "--just-print",
    "--dry-run",
    "--recon",
    "-q",
    "--question",
];

/// The same of just.
const JUST_ONLY_SAYS: [&str; 17] = [
    "-V",
    "--version",
    "-h",
    "--help",
    "-n",
    "--dry-run",
    "-l",
    "--list",
    "--summary",
    "-s",
    "--show",
    "--usage",
    "--groups",
    "--variables",
    "--evaluate",
    "--dump",
    "--fmt",
];

/// The same of Task.
const TASK_ONLY_SAYS: [&str; 20] = [
    "-l",
    "--list",
    "-a",
    "--list-all",
    "-j",
    "--json",
    "--version",
    "-h",
    "--help",
    "-i",
    "--init",
    "--completion",
    "-n",
    "--dry",
    "--status",
    "--summary",
    "--experiments",
    "--clear-cache",
    // The Taskfile of the home folder, which is not of this repository.
    "-g",
    "--global",
];

/// The words of a `make` without the numbers of jobs: one may stand behind `-j`, or none.
fn without_counts(run: &JobRun<'_>, args: &[Arg]) -> Vec<Arg> {
    let takes_count = |arg: &Arg| {
        let text = arg.as_str();
        matches!(text, "--jobs" | "-l" | "--load-average")
            || text.ends_with('j') && text.starts_with('-') && !text.starts_with("--")
    };
    let is_count = |arg: &Arg| {
        let shown = run.show(&arg.text).to_ascii_lowercase();
        let named = ["proc", "cpu", "core", "jobs", "thread", "parallel"];
        arg.as_str().bytes().all(|b| b.is_ascii_digit())
            || arg.text.is_one_hole() && named.iter().any(|name| shown.contains(name))
    };
    let counted = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| args.get(at));
        before.is_some_and(takes_count) && args.get(at).is_some_and(is_count)
    };
    (0..args.len())
        .filter(|&at| !counted(at))
        .filter_map(|at| args.get(at).cloned())
        .collect()
}

pub(super) fn texts(args: &[Arg]) -> Vec<Text> {
    args.iter().map(|arg| arg.text.clone()).collect()
}

/// `$1`, `$2`, …: not known when an unquoted value may be several of them.
pub(super) fn arguments_of_script(run: &JobRun<'_>, args: &[Arg]) -> Option<Rc<Vec<Text>>> {
    let unclear = args.iter().any(|arg| arg.may_be_flags_or_many(run));
    (!unclear).then(|| Rc::new(texts(args)))
}

/// Whether a shell is the one that takes functions out of the environment.
fn is_bash(name: &str) -> bool {
    name.rsplit('/').next() == Some("bash")
}

fn skip_options(mut args: &[Arg]) -> &[Arg] {
    while let Some((first, rest)) = args.split_first() {
        match first.as_str() {
            "-o" | "+o" => args = rest.get(1..).unwrap_or_default(),
            "--" => return rest,
            text if text.len() > 1 && text.starts_with('-') && !text.contains(' ') => args = rest,
            _ => break,
        }
    }
    args
}

/// Whether a file is a shell script: its first line says so, or says nothing.
pub(super) fn is_shell(path: &RepoPath, text: &str) -> bool {
    match text.strip_prefix("#!") {
        Some(rest) => {
            let program = interpreter(rest);
            program.ends_with("sh") || program == "busybox"
        }
        None => !OTHER_LANGUAGES
            .iter()
            .any(|ending| path.name().ends_with(ending)),
    }
}

/// The program that the rest of a line behind `#!` names.
fn interpreter(line: &str) -> &str {
    let line = line.lines().next().unwrap_or("");
    line.split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .find(|word| *word != "env" && !word.starts_with('-') && !word.contains('='))
        .unwrap_or("")
}

/// Whether a script says in its first line that it is one of another language: `#!/usr/bin/env python3`.
pub(crate) fn is_of_another_language(script: &str) -> bool {
    let others = ["python", "node", "ruby", "perl", "php", "deno", "bun"];
    script.strip_prefix("#!").is_some_and(|rest| {
        others
            .iter()
            .any(|other| interpreter(rest).starts_with(other))
    })
}

/// A program in another language that stands in a CI file itself.
pub(crate) fn program_here(run: &mut JobRun<'_>, program: &Mapped) {
    let span = program.whole();
    if !client_here(run, program, span) {
        unread_program(run, span);
    }
}

/// Whether such a program runs a container client, which is said.
pub(crate) fn client_here(run: &mut JobRun<'_>, program: &Mapped, span: Span) -> bool {
    let found = other_languages::client_in(&program.text);
    if let Some(how) = &found {
        let why = format!("its code {how}, and is not read further");
        run.opaque(span, "the program that stands here", why, By::Run);
    }
    found.is_some()
}
