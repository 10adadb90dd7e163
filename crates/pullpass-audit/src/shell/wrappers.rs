//! Commands that run other commands: `sudo`, `env`, `timeout`, `xargs`, `find -exec`, and their kin.

use super::exec::Call;
use super::flags::{self, Order, tail};
use super::follow::unread_program;
use super::redirect::is_name;
use super::tools::{self, Wrapper};
use super::{Arg, Done, Input, Shell, commands};
use crate::effect::ROOTS_DOCKER;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, MAX_VALUE, Mapped, Text};

/// Commands that `xargs` and `find` are followed for.
pub(super) const MAX_CALLS: usize = 64;

/// What is said where it does more often.
const MORE: &str = "a command that runs others more often than is followed";

impl Shell {
    /// Executes a command that runs another; `None` when it is none.
    pub(super) fn wrapper(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        call: &Call<'_>,
    ) -> Option<Done> {
        match name {
            "bash" | "sh" | "dash" | "ash" | "zsh" | "ksh" => {
                return Some(self.shell_program(run, call));
            }
            "pwsh" | "powershell" => return Some(self.powershell(run, name, call)),
            "cmd" => return Some(self.cmd(run, call)),
            "bats" => return Some(self.bats(run, call)),
            "source" | "." => return Some(self.source(run, call)),
            "su" | "sg" | "script" | "ssh-agent-run" => {
                let parsed = flags::parse(
                    run,
                    call.rest(),
                    &flags::Spec::values("-c --command -s --shell"),
                    Order::Mixed,
                );
                let script = match parsed.value(&["-c", "--command"]) {
                    Some(script) => script,
                    // `sg docker 'docker pull alpine'`
                    None => parsed.rest.get(1).filter(|_| name == "sg")?,
                };
                let script = script.script().into();
                let mut users = parsed.rest.iter().filter(|arg| arg.as_str() != "-");
                let root = users.next().is_none_or(|user| user.as_str() == "root");
                let keeps_home = ["-m", "-p", "--preserve-environment"];
                return Some(match name == "su" && root && !parsed.has(&keeps_home) {
                    true => self.as_root(run, |shell, run| shell.process(run, script, |_| {})),
                    false => self.process(run, script, |_| {}),
                });
            }
            // https://circleci.com/docs/rerun-failed-tests/
            "circleci" | "circleci-agent" if call.word(1) == "tests" => {
                let flags = flags::Spec::values(
                    "--command --split-by --timings-type --timing-key --index --total --historical-timings",
                );
                let parsed = flags::parse(run, call.rest(), &flags, Order::Mixed);
                let script = parsed.value(&["--command"])?.script();
                return Some(self.process(run, script.into(), |_| {}));
            }
            "newgrp" => return Some(self.script_on_input(run, &[])),
            "nix" if call.word(1) == "run" => return Some(self.nix_run(run, call)),
            "start-server-and-test" | "server-test" | "start-test" => {
                return Some(self.server_and_test(run, call));
            }
            // https://github.com/goss-org/goss/tree/master/extras/dgoss
            "dgoss" if matches!(call.word(1), "run" | "edit") => {
                let words = ["docker", "run"].map(|word| Arg::new(Text::from(word), call.span));
                let rest = call.rest().get(1..).unwrap_or_default();
                let words: Vec<Arg> = words.into_iter().chain(rest.iter().cloned()).collect();
                return Some(self.recall(run, &words, call.span));
            }
            "concurrently" => return Some(self.concurrently(run, call)),
            "parallel" => return Some(self.parallel(run, call)),
            "command" if matches!(call.word(1), "-v" | "-V") => return Some(Done::UNKNOWN),
            _ => {}
        }
        let mut known = false;
        for wrapper in tools::wrappers(name).filter(|wrapper| wrapper.is_meant(call)) {
            known = true;
            let done = match &wrapper.machine {
                Some(machine) => {
                    let config = run.cx.holes.of(machine, HoleKind::Expression);
                    self.with_config(run, config, |shell, run| shell.wrapped(run, wrapper, call))
                }
                None => self.wrapped(run, wrapper, call),
            };
            if let Some(done) = done {
                return Some(done);
            }
        }
        known.then_some(Done::UNKNOWN)
    }

    /// `pwsh -NoProfile -Command "docker pull x"`: all behind `-Command` is the script. One in a file is not read.
    /// <https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_pwsh>
    fn powershell(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) -> Done {
        let mut args = call.rest();
        while let Some((first, rest)) = args.split_first() {
            let Some(flag) = first.as_str().strip_prefix('-').filter(|f| !f.is_empty()) else {
                break;
            };
            let flag = flag.to_ascii_lowercase();
            let is = |name: &str| name.starts_with(&flag);
            if is("commandwithargs") || flag == "cwa" {
                return self.script_of_windows(run, rest, call.span);
            }
            if is("file") || is("encodedcommand") || flag == "ec" {
                unread_program(run, call.span);
                return Done::UNKNOWN;
            }
            let takes_value = POWERSHELL_VALUES
                .iter()
                .any(|(name, least)| flag.len() >= *least && name.starts_with(&flag));
            args = match takes_value || ["ep", "wd", "of"].contains(&flag.as_str()) {
                true => rest.get(1..).unwrap_or_default(),
                false => rest,
            };
        }
        match name {
            _ if args.is_empty() => self.script_on_input(run, &[]),
            "powershell" => self.script_of_windows(run, args, call.span),
            _ => {
                unread_program(run, call.span);
                Done::UNKNOWN
            }
        }
    }

    /// `cmd /s /c "docker pull x"`; in Git's shell the flags have two slashes.
    /// <https://learn.microsoft.com/windows-server/administration/windows-commands/cmd>
    fn cmd(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let mut args = call.rest();
        while let Some((first, rest)) = args.split_first() {
            let text = first.as_str();
            if !text.starts_with('/') {
                break;
            }
            let flag = text.trim_start_matches('/');
            if ["c", "k", "r"].iter().any(|f| flag.eq_ignore_ascii_case(f)) {
                return self.script_of_windows(run, rest, call.span);
            }
            args = rest;
        }
        Done::UNKNOWN
    }

    /// A script for a shell of Windows, in one word or several.
    fn script_of_windows(&mut self, run: &mut JobRun<'_>, words: &[Arg], span: Span) -> Done {
        let script = match words {
            [] => return Done::UNKNOWN,
            [only] if only.as_str() == "-" => return self.script_on_input(run, &[]),
            [only] => only.script(),
            words => {
                let words: Vec<&str> = words.iter().map(Arg::as_str).collect();
                Mapped::at(span, words.join(" "))
            }
        };
        self.process(run, super::of_windows(script).into(), |_| {})
    }

    /// Does something in the home folder of root.
    fn as_root(
        &mut self,
        run: &mut JobRun<'_>,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> Done,
    ) -> Done {
        self.with_config(run, Text::from(ROOTS_DOCKER), act)
    }

    /// Does something where a client's credentials stand in another folder.
    fn with_config<R>(
        &mut self,
        run: &mut JobRun<'_>,
        folder: Text,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> R,
    ) -> R {
        let name = "DOCKER_CONFIG";
        let outer = run.env.get(name).cloned();
        run.env.insert(name.to_owned(), folder);
        let done = act(self, run);
        match outer {
            Some(value) => run.env.insert(name.to_owned(), value),
            None => run.env.remove(name),
        };
        done
    }

    /// `nix run nixpkgs#skopeo -- copy a b`: the program that the package is named for.
    fn nix_run(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values(
            "-c --command -I --option --override-input --inputs-from -f --file --expr --builders -j --max-jobs",
        );
        let args = call.args.get(2..).unwrap_or_default();
        let mut words = flags::parse(run, args, &flags, Order::FlagsFirst).rest;
        let Some(first) = words.first_mut() else {
            return Done::UNKNOWN;
        };
        let Some((_, program)) = first.as_str().rsplit_once('#') else {
            return Done::UNKNOWN;
        };
        *first = Arg::new(Text::from(program), first.span);
        if words.get(1).is_some_and(|word| word.as_str() == "--") {
            words.remove(1);
        }
        self.recall(run, &words, call.span)
    }

    /// `start-server-and-test 'docker compose up' http://localhost:80 test`: commands, or scripts of
    /// `package.json`.
    fn server_and_test(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values("--expect");
        for arg in flags::parse(run, call.rest(), &flags, Order::Mixed).rest {
            let text = arg.as_str();
            if text.contains(' ') {
                self.process(run, arg.script().into(), |_| {});
            } else if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains("//") {
                let words = ["npm", "run"].map(|word| Arg::new(Text::from(word), arg.span));
                let words: Vec<Arg> = words.into_iter().chain([arg]).collect();
                self.recall(run, &words, call.span);
            }
        }
        Done::UNKNOWN
    }

    fn wrapped(
        &mut self,
        run: &mut JobRun<'_>,
        wrapper: &Wrapper,
        call: &Call<'_>,
    ) -> Option<Done> {
        if let Some(flags) = &wrapper.script {
            let names: Vec<&str> = flags.split_whitespace().collect();
            let parsed = flags::parse(run, call.rest(), &wrapper.flags, Order::Mixed);
            if let Some(script) = parsed.value(&names) {
                let script = script.script();
                return Some(self.process(run, script.into(), |_| {}));
            }
        }
        let args = call.rest();
        if wrapper.module {
            return self.module(run, wrapper, call);
        }
        if let Some(flags) = &wrapper.behind {
            let is_one = |arg: &Arg| flags.split_whitespace().any(|flag| flag == arg.as_str());
            let at = args.iter().position(is_one)?;
            return Some(self.recall(run, args.get(at + 1..).unwrap_or_default(), call.span));
        }
        if let Some(words) = &wrapper.words {
            let at = args
                .iter()
                .position(|arg| words.split('|').any(|word| word == arg.as_str()))?;
            // `poetry run -- docker pull`, `conda run -n env docker pull`
            let parsed = flags::parse(
                run,
                args.get(at + 1..).unwrap_or_default(),
                &wrapper.flags,
                Order::FlagsFirst,
            );
            return Some(match parsed.rest.get(wrapper.skip..).unwrap_or_default() {
                // `sops exec-env file 'docker pull alpine'`
                [only] if only.mapped.is_some() && only.as_str().contains(' ') => {
                    self.process(run, only.script().into(), |_| {})
                }
                rest => self.recall(run, rest, call.span),
            });
        }
        if let Some(after) = &wrapper.after {
            let at = args.iter().position(|arg| arg.as_str() == after)?;
            return Some(self.recall(run, args.get(at + 1..).unwrap_or_default(), call.span));
        }
        let parsed = flags::parse(run, args, &wrapper.flags, Order::FlagsFirst);
        let mut rest = parsed.rest.as_slice();
        let mut kept: Vec<(String, Option<Text>)> = Vec::new();
        let keeps_home = ["-E", "--preserve-env", "-u", "--user"];
        if wrapper.new_home && !parsed.has(&keeps_home) {
            let name = "DOCKER_CONFIG";
            kept.push((name.to_owned(), run.env.get(name).cloned()));
            run.env.insert(name.to_owned(), Text::from(ROOTS_DOCKER));
        }
        if wrapper.assignments {
            while let Some((first, others)) = rest.split_first() {
                let Some((name, value)) = first.as_str().split_once('=') else {
                    break;
                };
                if !is_name(name) {
                    break;
                }
                kept.push((name.to_owned(), run.env.get(name).cloned()));
                run.env
                    .insert(name.to_owned(), tail(first, value).text.clone());
                rest = others;
            }
        }
        rest = rest.get(wrapper.skip..).unwrap_or_default();
        while wrapper.numbers
            && let Some((first, others)) = rest.split_first()
            && first
                .as_str()
                .trim_end_matches(['s', 'm'])
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.')
        {
            rest = others;
        }
        let done = match rest {
            // `retry "docker pull alpine"`
            [only] if only.mapped.is_some() && only.as_str().contains(' ') => {
                self.process(run, only.script().into(), |_| {})
            }
            _ => self.recall(run, rest, call.span),
        };
        for (name, value) in kept.into_iter().rev() {
            match value {
                Some(value) => run.env.insert(name, value),
                None => run.env.remove(&name),
            };
        }
        Some(done)
    }

    /// `python -m pytest -q`, `coverage run -m pytest`: a module that is the program of that name, and none of the repository's.
    fn module(&mut self, run: &mut JobRun<'_>, wrapper: &Wrapper, call: &Call<'_>) -> Option<Done> {
        let mut args = match call.rest() {
            [verb, rest @ ..] if verb.as_str() == "run" => rest,
            args => args,
        };
        let words = loop {
            let (first, rest) = args.split_first()?;
            match first.as_str() {
                "-c" => return None,
                // A command of pytest-runner's.
                "setup.py" if rest.first().is_some_and(|verb| verb.as_str() == "pytest") => {
                    break rest.to_vec();
                }
                // `-m`, `-um`
                text if text.ends_with('m') && is_short(text) => break rest.to_vec(),
                text if text.starts_with("-m") => {
                    let module = tail(first, text.get(2..)?);
                    break [&[module], rest].concat();
                }
                text if wrapper.flags.takes_value(text) => {
                    args = rest.get(1..).unwrap_or_default();
                }
                text if text.starts_with('-') => args = rest,
                _ => return None,
            }
        };
        let module = words.first()?;
        let name = module.as_str();
        let is_program = commands::is_tool(name) || tools::wrappers(name).next().is_some();
        if !is_program || self.module_here(run, name).is_some() {
            return None;
        }
        let span = call.span;
        self.within(run, |shell, run| {
            shell.program(run, &Call { args: &words, span })
        })
    }

    /// `concurrently "npm run a" npm:b "pnpm:c:*"`
    /// (<https://github.com/open-cli-tools/concurrently#readme>).
    fn concurrently(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values(
            "-n --names --name-separator -s --success -m --max-processes --hide --teardown -p --prefix -c --prefix-colors \
             -l --prefix-length -t --timestamp-format --default-input-target --restart-tries --restart-after --restart-delay \
             --kill-signal --ks --kill-timeout --shell",
        );
        let parsed = flags::parse(run, call.rest(), &flags, Order::Mixed);
        let teardown = parsed.all(&["--teardown"]);
        let all = parsed.rest.iter().chain(teardown);
        for arg in run.cx.first(all, MAX_CALLS, MORE) {
            let written = arg.as_str().split_once(':');
            let short = written.and_then(|(manager, rest)| match manager {
                "npm" | "yarn" | "pnpm" | "bun" => Some((vec![manager, "run"], rest)),
                "node" => Some((vec!["node", "--run"], rest)),
                "deno" => Some((vec!["deno", "task"], rest)),
                _ => None,
            });
            match short.filter(|(_, rest)| !rest.starts_with(' ')) {
                Some((words, rest)) => {
                    let words = words.into_iter().chain(rest.split_ascii_whitespace());
                    let words = words.map(|word| Arg::new(Text::from(word), arg.span));
                    let words: Vec<Arg> = words.collect();
                    self.recall(run, &words, call.span);
                }
                None => {
                    self.process(run, arg.script().into(), |_| {});
                }
            }
        }
        Done::UNKNOWN
    }

    /// Each argument is a command line.
    fn each_as_script(&mut self, run: &mut JobRun<'_>, args: &[Arg]) -> Done {
        let flags = flags::Spec::values("-n --names -p --prefix -c -j --jobs -P --retries --delay");
        let parsed = flags::parse(run, args, &flags, Order::Mixed);
        for arg in run.cx.first(&parsed.rest, MAX_CALLS, MORE) {
            if arg.as_str().contains(' ') {
                self.process(run, arg.script().into(), |_| {});
            }
        }
        Done::UNKNOWN
    }

    /// GNU parallel: `parallel docker pull {} ::: a b`, `parallel docker pull < list`; without a command
    /// it runs lines. The other program of that name has `--` before the arguments.
    fn parallel(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values(PARALLEL_VALUES);
        let is_list = |arg: &Arg| matches!(arg.as_str(), ":::" | ":::+" | "::::" | "::::+");
        let args = call.rest();
        let end = args.iter().position(is_list).unwrap_or(args.len());
        let (own, mut lists) = args.split_at(end);
        let dashes = own.iter().position(|arg| arg.as_str() == "--");
        let (own, others) = own.split_at(dashes.unwrap_or(own.len()));
        let parsed = flags::parse(run, own, &flags, Order::FlagsFirst);
        let mut command = parsed.rest.clone();
        let others = others.get(1..).unwrap_or_default();
        let mut sources: Vec<Vec<Arg>> = Vec::new();
        if lists.is_empty() && !others.is_empty() && !command.is_empty() {
            sources.push(others.to_vec());
        } else if lists.is_empty() && !others.is_empty() {
            return self.each_as_script(run, others);
        } else {
            command.extend_from_slice(others);
        }
        while let Some((kind, rest)) = lists.split_first() {
            let end = rest.iter().position(is_list).unwrap_or(rest.len());
            let (items, more) = rest.split_at(end);
            lists = more;
            let items: Vec<Arg> = match kind.as_str().starts_with("::::") {
                true => items
                    .iter()
                    .flat_map(|file| self.read_items(run, &self.file_input(run, file), true, call))
                    .collect(),
                false => items.to_vec(),
            };
            match (kind.as_str().ends_with('+'), sources.last_mut()) {
                // Linked with the one before: which of it goes with which is not worth the while.
                (true, Some(_)) => {}
                _ => sources.push(items),
            }
        }
        if sources.is_empty() {
            let input = match parsed.value(&["-a", "--arg-file"]) {
                Some(file) => self.file_input(run, file),
                None => self.input.clone(),
            };
            sources.push(self.read_items(run, &input, true, call));
        }
        let before = run.effects().len();
        for chosen in combinations(&sources) {
            self.one_of_parallel(run, &command, &chosen, call);
        }
        let all = sources.iter().fold(1, |all: usize, source| {
            all.saturating_mul(source.len().max(1))
        });
        if all > MAX_CALLS && run.effects().len() > before {
            run.cx.note_limit(MORE);
        }
        Done::UNKNOWN
    }

    /// One command of GNU parallel: its words with these arguments, which a shell reads as one line.
    fn one_of_parallel(
        &mut self,
        run: &mut JobRun<'_>,
        command: &[Arg],
        chosen: &[&Arg],
        call: &Call<'_>,
    ) {
        let has_place = command.iter().any(|arg| arg.as_str().contains('{'));
        let mut words: Vec<Arg> = command.iter().map(|arg| filled(arg, chosen)).collect();
        if !has_place {
            words.extend(chosen.iter().copied().cloned());
        }
        let plain = |word: &Arg| !word.as_str().contains(SPECIAL) && !word.as_str().is_empty();
        match words.as_slice() {
            [only] => {
                self.process(run, only.script().into(), |_| {});
            }
            [first, rest @ ..] if !plain(first) && !has_place => {
                // `parallel 'docker pull' ::: a b`
                let rest: Vec<&str> = rest.iter().map(Arg::as_str).collect();
                let line = format!("{} {}", first.as_str(), rest.join(" "));
                self.process(run, Mapped::at(first.span, line).into(), |_| {});
            }
            _ if words.iter().all(plain) => {
                self.recall(run, &words, call.span);
            }
            _ => {
                let all: Vec<&str> = words.iter().map(Arg::as_str).collect();
                let line = Mapped::at(call.span, all.join(" "));
                self.process(run, line.into(), |_| {});
            }
        }
    }

    /// What a file of arguments holds.
    pub(super) fn file_input(&self, run: &JobRun<'_>, file: &Arg) -> Input {
        match self.processes.get(&file.text) {
            Some(printed) => printed.clone(),
            None if file.as_str() == "-" => self.input.clone(),
            None => match self.read(run, &file.text) {
                Some(text) => Input::Known(text),
                None => Input::Unknown,
            },
        }
    }

    /// What is read as arguments: lines or words; one that is not known where the input is not.
    fn read_items(
        &self,
        run: &JobRun<'_>,
        input: &Input,
        lines: bool,
        call: &Call<'_>,
    ) -> Vec<Arg> {
        let Some(text) = input.known() else {
            let written = match &self.piped {
                Some((text, range)) => {
                    let words: Vec<&str> = range.of(&text.text).split_whitespace().collect();
                    format!("$({})", words.join(" "))
                }
                None => format!("$({})", call.name()),
            };
            let hole = run.cx.holes.of(&written, HoleKind::Output);
            return vec![Arg::new(hole, call.span)];
        };
        let whole = text.text.as_str();
        let pieces: Vec<&str> = if lines {
            whole.lines().map(str::trim).collect()
        } else {
            whole.split_whitespace().collect()
        };
        let mut from = 0;
        pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .take(1024)
            .map(|piece| {
                let at = whole.get(from..).and_then(|rest| rest.find(piece));
                let start = from + at.unwrap_or(0);
                from = start + piece.len();
                let span = text.span(start, from);
                Arg::new(Text::from(piece.trim_matches(['"', '\''])), span)
            })
            .collect()
    }

    /// `xargs`: what the commands print that it runs, it prints.
    pub(super) fn xargs(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values(
            "-I -n --max-args -P --max-procs -L -d --delimiter -a --arg-file -s --max-chars -E --replace",
        );
        let mut parsed = flags::parse(run, call.rest(), &flags, Order::FlagsFirst);
        if parsed.rest.is_empty() {
            parsed.rest.push(Arg::new(Text::from("echo"), call.span));
        }
        let input = match parsed.value(&["-a", "--arg-file"]) {
            Some(file) => self.file_input(run, file),
            None => self.input.clone(),
        };
        let placeholder = parsed
            .value(&["-I", "--replace"])
            .map(|arg| arg.as_str().to_owned())
            .or_else(|| parsed.has(&["-i"]).then(|| "{}".to_owned()));
        let lines = placeholder.is_some()
            || parsed.value(&["-d", "--delimiter"]).is_some()
            || parsed.value(&["-L"]).is_some();
        let items = self.read_items(run, &input, lines, call);
        let count: usize = parsed
            .value(&["-n", "--max-args", "-L"])
            .and_then(|arg| arg.as_str().parse().ok())
            .unwrap_or(if placeholder.is_some() { 1 } else { 1024 });
        let before = run.effects().len();
        let mut chunks = items.chunks(count.max(1));
        for chunk in chunks.by_ref().take(MAX_CALLS) {
            let args: Vec<Arg> = match (&placeholder, chunk) {
                (Some(placeholder), [item]) => parsed
                    .rest
                    .iter()
                    .map(|arg| put(arg, placeholder, item))
                    .collect(),
                _ => parsed.rest.iter().chain(chunk).cloned().collect(),
            };
            self.recall(run, &args, call.span);
        }
        // Of most commands nothing is to be said, however often they run.
        if chunks.next().is_some() && run.effects().len() > before {
            run.cx.note_limit(MORE);
        }
        if input.known().is_none() {
            self.print_unknown();
        }
        Done::UNKNOWN
    }
}

/// Whether a word is one flag, or several in one: `-um`.
fn is_short(text: &str) -> bool {
    let letters = text.strip_prefix('-');
    letters.is_some_and(|letters| letters.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// Flags of PowerShell that take a value, and how many of their letters tell them from others.
const POWERSHELL_VALUES: [(&str, usize); 10] = [
    ("executionpolicy", 2),
    ("workingdirectory", 2),
    ("windowstyle", 1),
    ("inputformat", 3),
    ("outputformat", 1),
    ("configurationname", 4),
    ("configurationfile", 4),
    ("custompipename", 2),
    ("settingsfile", 3),
    ("psconsolefile", 1),
];

/// Flags of GNU parallel that take a value (its manual, <https://www.gnu.org/software/parallel/man.html>).
const PARALLEL_VALUES: &str = "-j --jobs -P --max-procs -a --arg-file -n --max-args -N --max-replace-args -L -l --max-lines \
     -C --colsep -I -d --delimiter -E -s --max-chars --delay --retries --timeout --joblog --results --res --halt \
     --halt-on-error --env --tagstring --load --nice --memfree --limit -S --sshlogin --slf --sshloginfile \
     --wd --workdir --tmpdir --basefile --bf --block --recstart --recend --shellquote --profile -J --tempdir \
     --compress-program --memsuspend --termseq --trim --rpl --ctag --ctagstring";

/// What a shell does not take as it stands.
const SPECIAL: [char; 16] = [
    ' ', '\t', '\n', ';', '|', '&', '$', '`', '"', '\'', '<', '>', '(', ')', '*', '\\',
];

/// One argument of each list, in every way that there is, as far as anybody has them.
fn combinations(sources: &[Vec<Arg>]) -> Vec<Vec<&Arg>> {
    let mut all: Vec<Vec<&Arg>> = vec![Vec::new()];
    for source in sources {
        all = all
            .into_iter()
            .flat_map(|chosen| {
                source.iter().map(move |item| {
                    let mut chosen = chosen.clone();
                    chosen.push(item);
                    chosen
                })
            })
            .take(MAX_CALLS)
            .collect();
    }
    all
}

/// An argument of GNU parallel with the places filled in it: `{}`, `{1}`, and parts of paths.
fn filled(arg: &Arg, chosen: &[&Arg]) -> Arg {
    if !arg.as_str().contains('{') {
        return arg.clone();
    }
    let mut out = arg.clone();
    for (at, item) in chosen.iter().enumerate() {
        out = put(&out, &format!("{{{}}}", at + 1), item);
    }
    let whole: Vec<&str> = chosen.iter().map(|item| item.as_str()).collect();
    let whole = whole.join(" ");
    let span = chosen.first().map_or(arg.span, |item| item.span);
    let name = whole.rsplit('/').next().unwrap_or("");
    let folder = whole.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let bare = |text: &str| match text.rsplit_once('.') {
        Some((before, ending)) if !ending.contains('/') => before.to_owned(),
        _ => text.to_owned(),
    };
    for (place, value) in [
        ("{}", whole.clone()),
        ("{.}", bare(&whole)),
        ("{/}", name.to_owned()),
        ("{//}", folder.to_owned()),
        ("{/.}", bare(name)),
    ] {
        out = put(&out, place, &Arg::new(Text::from(value), span));
    }
    out
}

/// An argument with a placeholder replaced.
pub(super) fn put(arg: &Arg, placeholder: &str, item: &Arg) -> Arg {
    if arg.as_str() == placeholder {
        return item.clone();
    }
    if placeholder.is_empty() || !arg.as_str().contains(placeholder) {
        return arg.clone();
    }
    let times = arg.as_str().matches(placeholder).count();
    if item.as_str().len().saturating_mul(times) > MAX_VALUE {
        // Only hostile words grow so.
        return arg.clone();
    }
    let text = arg.as_str().replace(placeholder, item.as_str());
    let span: Span = arg.span;
    let mut out = Arg::new(Text::from(text), span);
    out.mapped = arg
        .mapped
        .as_ref()
        .map(|_| std::rc::Rc::new(crate::text::Mapped::at(span, out.text.as_str())));
    out
}
