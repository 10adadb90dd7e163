//! Commands that run other commands: `sudo`, `env`, `timeout`, `xargs`, `find -exec`, and their kin.

use super::exec::Call;
use super::flags::{self, Order, tail};
use super::redirect::is_name;
use super::tools::{self, Wrapper};
use super::{Arg, Done, Input, Shell};
use crate::effect::ROOTS_DOCKER;
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{HoleKind, Text};

/// Commands that `xargs` is followed for.
const MAX_CALLS: usize = 64;

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
            "source" | "." => return Some(self.source(run, call)),
            "xargs" => return Some(self.xargs(run, call)),
            "find" => return Some(self.find(run, call)),
            "su" | "script" | "ssh-agent-run" => {
                let script = flags::parse(
                    run,
                    call.rest(),
                    &flags::Spec::values("-c --command -s --shell"),
                    Order::Mixed,
                );
                let script = script.value(&["-c", "--command"])?.clone();
                return Some(self.process(run, script.script().into(), |_| {}));
            }
            "concurrently" | "parallel" => return Some(self.each_as_script(run, call)),
            "command" if matches!(call.word(1), "-v" | "-V") => return Some(Done::UNKNOWN),
            _ => {}
        }
        let mut known = false;
        for wrapper in tools::wrappers(name) {
            known = true;
            if let Some(done) = self.wrapped(run, wrapper, call) {
                return Some(done);
            }
        }
        known.then_some(Done::UNKNOWN)
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
            return Some(self.recall(run, &parsed.rest, call.span));
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

    /// `concurrently "npm run a" "npm run b"`.
    fn each_as_script(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values("-n --names -p --prefix -c -j --jobs -P --retries --delay");
        let parsed = flags::parse(run, call.rest(), &flags, Order::Mixed);
        for arg in parsed.rest.iter().take(MAX_CALLS) {
            if arg.as_str().contains(' ') {
                self.process(run, arg.script().into(), |_| {});
            }
        }
        Done::UNKNOWN
    }

    fn xargs(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let flags = flags::Spec::values(
            "-I -n --max-args -P --max-procs -L -d --delimiter -a --arg-file -s --max-chars -E --replace",
        );
        let parsed = flags::parse(run, call.rest(), &flags, Order::FlagsFirst);
        if parsed.rest.is_empty() {
            return Done::UNKNOWN;
        }
        let input = match parsed.value(&["-a", "--arg-file"]) {
            Some(file) => match self.read(run, &file.text) {
                Some(text) => Input::Known(text),
                None => Input::Unknown,
            },
            None => self.input.clone(),
        };
        let placeholder = parsed
            .value(&["-I", "--replace"])
            .map(|arg| arg.as_str().to_owned())
            .or_else(|| parsed.has(&["-i"]).then(|| "{}".to_owned()));
        let lines = placeholder.is_some()
            || parsed.value(&["-d", "--delimiter"]).is_some()
            || parsed.value(&["-L"]).is_some();
        let items: Vec<Arg> = match input.known() {
            Some(text) => {
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
                        Arg::new(
                            Text::from(piece.trim_matches(['"', '\''])),
                            text.span(start, from),
                        )
                    })
                    .collect()
            }
            None => {
                let hole = run.cx.holes.of("$(xargs)", HoleKind::Output);
                vec![Arg::new(hole, call.span)]
            }
        };
        let count: usize = parsed
            .value(&["-n", "--max-args", "-L"])
            .and_then(|arg| arg.as_str().parse().ok())
            .unwrap_or(if placeholder.is_some() { 1 } else { 1024 });
        for chunk in items.chunks(count.max(1)).take(MAX_CALLS) {
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
        Done::UNKNOWN
    }

    fn find(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let mut args = call.rest().iter();
        while let Some(arg) = args.next() {
            if !matches!(arg.as_str(), "-exec" | "-execdir" | "-ok") {
                continue;
            }
            let found = Arg::new(run.cx.holes.of("$(find)", HoleKind::Output), call.span);
            let command: Vec<Arg> = args
                .by_ref()
                .take_while(|arg| !matches!(arg.as_str(), ";" | "+" | "\\;"))
                .map(|arg| put(arg, "{}", &found))
                .collect();
            self.recall(run, &command, call.span);
        }
        Done::UNKNOWN
    }
}

/// An argument with a placeholder replaced.
fn put(arg: &Arg, placeholder: &str, item: &Arg) -> Arg {
    if arg.as_str() == placeholder {
        return item.clone();
    }
    if placeholder.is_empty() || !arg.as_str().contains(placeholder) {
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
