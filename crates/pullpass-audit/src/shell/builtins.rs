//! Commands of the shell itself: those that change its state, and those whose output is known.

use std::rc::Rc;

use super::exec::Call;
use super::redirect::is_name;
use super::{Arg, Done, Flow, Input, Leave, Shell, getopt, ifs};
use crate::run::{Cwd, JobRun};
use crate::text::{Mapped, Text, is_hole};

/// Commands of the shell that do or print something that counts.
pub(super) const NAMES: [&str; 62] = [
    ":",
    "true",
    "false",
    "[",
    "test",
    "cd",
    "chdir",
    "pushd",
    "popd",
    "export",
    "declare",
    "typeset",
    "local",
    "let",
    "readonly",
    "unset",
    "set",
    "shift",
    "eval",
    "getopt",
    "git",
    "exit",
    "return",
    "break",
    "continue",
    "exec",
    "trap",
    "read",
    "mapfile",
    "readarray",
    "echo",
    "printf",
    "printenv",
    "pwd",
    "cat",
    "tee",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "tr",
    "sort",
    "uniq",
    "head",
    "tail",
    "sed",
    "envsubst",
    "yq",
    "spruce",
    "grep",
    "egrep",
    "fgrep",
    "jq",
    "awk",
    "cut",
    "cp",
    "mv",
    "install",
    "ln",
    "ls",
    "find",
    "xargs",
];

/// Whether a command prints nothing and does nothing that counts.
pub(super) fn is_silent(name: &str) -> bool {
    matches!(
        name,
        "shopt"
            | "wait"
            | "sleep"
            | "umask"
            | "ulimit"
            | "mkdir"
            | "rm"
            | "touch"
            | "chmod"
            | "chown"
            | "alias"
            | "disown"
    )
}

impl Shell {
    /// Executes a command of the shell; `None` when it is none.
    pub(super) fn builtin(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Option<Done> {
        let leave = |leave| Done {
            flow: Flow::Leaves(leave),
            ok: None,
        };
        let ok = call.word(1).is_empty() || call.word(1) == "0";
        Some(match call.name() {
            ":" | "true" => Done::known(true),
            "false" => Done::known(false),
            "[" | "test" => self.single_bracket(run, call),
            "cd" | "chdir" => self.change_folder(run, call),
            "pushd" => {
                self.folders.push(run.cwd.clone());
                self.change_folder(run, call)
            }
            "popd" => {
                run.cwd = self.folders.pop().unwrap_or(Cwd::Elsewhere);
                Done::known(true)
            }
            "export" | "declare" | "typeset" | "local" | "readonly" => {
                self.declare(run, call);
                Done::known(true)
            }
            "unset" => {
                for arg in call.rest() {
                    run.env.remove(arg.as_str());
                    self.arrays.remove(arg.as_str());
                    self.forget_map(arg.as_str());
                    self.functions.remove(arg.as_str());
                }
                Done::known(true)
            }
            "set" => {
                self.set_options(run, call);
                Done::known(true)
            }
            "shift" => {
                let count = call.word(1).parse().unwrap_or(1);
                if let Some(all) = &self.arguments {
                    let rest = all.iter().skip(count).cloned().collect();
                    self.arguments = Some(Rc::new(rest));
                    self.argument_places =
                        self.argument_places.iter().copied().skip(count).collect();
                }
                Done::known(true)
            }
            "eval" => {
                let script = Self::arg_scripts(call.rest())?;
                if sets_what_is_unknown(&script.text) {
                    self.arguments = None;
                    self.argument_places = Rc::from([]);
                    return Some(Done::known(true));
                }
                self.nested_text(run, Rc::new(script))
            }
            "getopt" if getopt::is_question(call.rest()) => Done::known(false),
            "getopt" => match getopt::arranged(call.rest()) {
                Some(printed) => {
                    self.print(Mapped::at(call.span, printed), call.span);
                    Done::known(true)
                }
                None => {
                    self.print_unknown();
                    Done::UNKNOWN
                }
            },
            "git" => return self.git(run, call),
            "exit" => leave(Leave::Exit { ok }),
            "return" => leave(Leave::Return { ok }),
            "break" | "continue" => leave(Leave::Loop),
            "exec" => {
                let rest = crate::shell::flags::skip(call.rest(), &["-a"]);
                if rest.is_empty() {
                    return Some(Done::UNKNOWN);
                }
                self.call(
                    run,
                    &Call {
                        args: rest,
                        span: call.span,
                    },
                );
                leave(Leave::Exit { ok: true })
            }
            "trap" => {
                let exits = call
                    .rest()
                    .iter()
                    .skip(1)
                    .any(|arg| matches!(arg.as_str(), "EXIT" | "0"));
                if let Some(script) = call.rest().first().filter(|_| exits) {
                    self.at_exit = match script.as_str() {
                        "-" | "" => None,
                        _ => Some(script.script()),
                    };
                }
                Done::known(true)
            }
            "read" => {
                self.read_line(run, call);
                Done::UNKNOWN
            }
            "mapfile" | "readarray" => {
                if let Some(name) = call.rest().last() {
                    match self.input.lines() {
                        Some(lines) => self.set_array(run, name.as_str(), lines, false),
                        None => {
                            self.arrays.remove(name.as_str());
                        }
                    }
                }
                Done::UNKNOWN
            }
            name if is_silent(name) => Done::UNKNOWN,
            "echo" => {
                match self.output {
                    Some(_) => self.echo(call),
                    None => self.hand_on_by_echo(run, call),
                }
                Done::known(true)
            }
            "let" => {
                let values = call.rest().iter();
                let last = values.map(|arg| self.calculate(run, arg.as_str())).last();
                return Some(Done {
                    flow: Flow::Next,
                    ok: last.flatten().map(|value| value != 0),
                });
            }
            "printf" if call.word(1) == "-v" => {
                self.print_into(run, call);
                Done::known(true)
            }
            "printf" => {
                self.printf(call, call.rest());
                Done::known(true)
            }
            "printenv" => {
                self.printenv(run, call);
                Done::UNKNOWN
            }
            "pwd" => {
                match self.folder(run) {
                    Some(folder) => {
                        let line = format!("{}\n", folder.as_str());
                        self.print(Mapped::at(call.span, line), call.span);
                    }
                    None => self.print_unknown(),
                }
                Done::known(true)
            }
            "cat" => {
                self.cat(run, call);
                Done::UNKNOWN
            }
            "tee" => {
                self.tee(run, call);
                Done::UNKNOWN
            }
            "basename" | "dirname" | "realpath" | "readlink" => {
                self.path_tool(run, call);
                Done::UNKNOWN
            }
            "sed" => {
                self.edit_in_place(run, call);
                self.edited(run, call);
                Done::UNKNOWN
            }
            "head" | "tail" => {
                self.first_or_last_lines(run, call);
                Done::UNKNOWN
            }
            "yq" | "spruce" => {
                let merges = |arg: &Arg| {
                    let word = arg.as_str();
                    word.contains("reduce") || matches!(word, "merge" | "m" | "eval-all" | "ea")
                };
                if self.output.is_some() && call.rest().iter().take(8).any(merges) {
                    self.joins(run, call);
                    self.print_unknown();
                } else {
                    self.query(run, call);
                }
                Done::UNKNOWN
            }
            "envsubst" => {
                self.with_variables(run);
                Done::UNKNOWN
            }
            "tr" | "sort" | "uniq" => {
                self.filter(call);
                Done::UNKNOWN
            }
            "grep" | "egrep" | "fgrep" => {
                self.grep(run, call);
                Done::UNKNOWN
            }
            "awk" => {
                self.awk(run, call);
                Done::UNKNOWN
            }
            "cut" => {
                self.cut(run, call);
                Done::UNKNOWN
            }
            "jq" => {
                self.query(run, call);
                Done::UNKNOWN
            }
            "cp" | "mv" | "install" | "ln" => {
                self.copy(run, call);
                Done::UNKNOWN
            }
            "ls" => {
                self.list_names(run, call);
                Done::UNKNOWN
            }
            "find" => self.find(run, call),
            "xargs" => self.xargs(run, call),
            _ => return None,
        })
    }

    fn change_folder(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let target = call
            .rest()
            .iter()
            .find(|arg| !arg.as_str().starts_with('-') || arg.as_str() == "-");
        let to = match target {
            None => Cwd::Elsewhere,
            Some(arg) if arg.as_str() == "-" => {
                self.folders.last().cloned().unwrap_or(Cwd::Elsewhere)
            }
            Some(arg) => match self.locate(run, &arg.text) {
                Some(path) => Cwd::Inside(path),
                None => match self.partly(run, &arg.text) {
                    Some(path) => Cwd::Partly(path),
                    None => run.folder(&arg.text),
                },
            },
        };
        if self.folders.len() < 256 && call.name() != "pushd" {
            if let Some(last) = self.folders.last_mut() {
                last.clone_from(&run.cwd);
            } else {
                self.folders.push(run.cwd.clone());
            }
        }
        run.cwd = to;
        Done::known(true)
    }

    /// `git rev-parse --show-toplevel`; `None` for what else git does.
    fn git(&mut self, run: &JobRun<'_>, call: &Call<'_>) -> Option<Done> {
        let mut args = call.rest();
        let mut folder = run.cwd.clone();
        while let [flag, path, rest @ ..] = args
            && flag.as_str() == "-C"
        {
            folder = match self.locate(run, &path.text) {
                Some(path) => Cwd::Inside(path),
                None => Cwd::Elsewhere,
            };
            args = rest;
        }
        let [verb, asked] = args else { return None };
        let Cwd::Inside(folder) = folder else {
            return None;
        };
        let printed = match (verb.as_str(), asked.as_str()) {
            ("rev-parse", "--show-toplevel") => self.root(run).as_str().to_owned(),
            ("rev-parse", "--show-cdup") => {
                let depth = folder.as_str().split('/').filter(|p| !p.is_empty()).count();
                "../".repeat(depth)
            }
            _ => return None,
        };
        self.print(Mapped::at(call.span, printed), call.span);
        Some(Done::known(true))
    }

    fn declare(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let mut deletes = false;
        let mut map = false;
        let mut functions = false;
        let mut exports = call.name() == "export";
        let mut own = matches!(call.name(), "local" | "declare" | "typeset");
        let mut integer = false;
        for arg in call.rest() {
            let text = arg.as_str();
            if text.starts_with('-') || text.starts_with('+') {
                let sets = |letter| text.starts_with('-') && text.contains(letter);
                map |= sets('A');
                functions |= sets('f');
                integer |= sets('i');
                exports |= sets('x');
                own &= !sets('g');
                deletes |= call.name() == "export" && text.contains('n');
                continue;
            }
            if functions {
                if exports && let Some(function) = self.functions.get_mut(text) {
                    function.exported = !deletes;
                } else if !exports {
                    self.print_function(text, call);
                }
                continue;
            }
            let Some((name, value)) = text.split_once('=') else {
                if !is_name(text) {
                    continue;
                }
                if integer {
                    self.integers.insert(text.to_owned());
                }
                if own {
                    self.keep_local(run, text);
                }
                if map {
                    self.declare_map(text);
                } else if call.name() == "local" && text == ifs::NAME {
                    run.env.remove(text);
                } else if call.name() == "local" {
                    self.set(run, text, Text::default());
                }
                continue;
            };
            let (name, append) = match name.strip_suffix('+') {
                Some(name) => (name, true),
                None => (name, false),
            };
            if !is_name(name) || deletes {
                continue;
            }
            if own {
                self.keep_local(run, name);
            }
            if arg.array && (map || self.is_map(name)) {
                self.arrays.remove(name);
                self.fill_map(name, value.split_whitespace(), append);
                continue;
            }
            if arg.array {
                let words = value.split_whitespace().map(Text::from).collect();
                self.set_array(run, name, words, append);
                continue;
            }
            if integer {
                self.integers.insert(name.to_owned());
            }
            self.set_scalar(run, name, Text::from(value), append);
        }
    }

    /// `declare -f name` prints the function, for another shell to read.
    fn print_function(&mut self, name: &str, call: &Call<'_>) {
        if self.output.is_none() {
            return;
        }
        let Some(function) = self.functions.get(name) else {
            return;
        };
        let (start, end) = (function.body.span.start, function.body.span.end);
        let body = function.text.part(start as usize, end as usize);
        let place = body.whole();
        let mut text = Mapped::empty(body.file());
        text.push(&format!("{name} () "), place.start, false);
        text.append(&body);
        text.push("\n", place.end, false);
        self.print(text, call.span);
    }

    fn set_options(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        let rest = call.rest();
        let from = match rest.iter().position(|arg| arg.as_str() == "--") {
            Some(at) => at + 1,
            None if rest
                .first()
                .is_some_and(|arg| !arg.as_str().starts_with(['-', '+'])) =>
            {
                0
            }
            None => return,
        };
        let all = rest.get(from..).unwrap_or_default();
        self.argument_places = super::follow::places(all);
        self.arguments = super::follow::arguments_of_script(run, all);
    }

    fn read_line(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let names: Vec<String> = call
            .rest()
            .iter()
            .filter(|arg| is_name(arg.as_str()))
            .map(|arg| arg.as_str().to_owned())
            .collect();
        // `read -rd '' NAME <<END`
        let ends_nowhere = call.rest().windows(2).any(|pair| match pair {
            [flag, end] => {
                let flag = flag.as_str();
                flag.starts_with('-') && flag.ends_with('d') && end.as_str().is_empty()
            }
            _ => false,
        });
        let line = match ends_nowhere {
            true => self
                .input
                .known()
                .map(|text| Text::from(text.text.as_str())),
            false => (self.input.lines()).map(|l| l.into_iter().next().unwrap_or_default()),
        };
        // `read -ra NAMES <<< "$LIST"`
        let flag = |arg: &Arg| arg.as_str().starts_with('-') && arg.as_str().ends_with('a');
        if call.rest().iter().any(flag) {
            return self.read_array(run, &names, line);
        }
        match line {
            Some(line) => {
                let separators = self.separators(run);
                self.set_fields(run, &names, &line, &separators);
            }
            None => {
                for name in names {
                    let hole = run.cx.holes.variable(&name);
                    self.set(run, &name, hole);
                }
            }
        }
    }

    fn read_array(&mut self, run: &mut JobRun<'_>, names: &[String], line: Option<Text>) {
        let Some(name) = names.first() else {
            return;
        };
        let separators = self.separators(run);
        match line {
            // What is not known may be several words, or none.
            Some(line) if !line.is_one_hole() => {
                let words = super::words::split_at(line.as_str(), &separators);
                self.set_array(run, name, words, false);
            }
            _ => {
                let hole = run.cx.holes.variable(name);
                self.set(run, name, hole);
            }
        }
    }

    fn echo(&mut self, call: &Call<'_>) {
        let mut args = call.rest();
        let mut newline = true;
        let mut escapes = false;
        while let Some((first, rest)) = args.split_first() {
            match first.as_str() {
                "-n" => newline = false,
                "-e" => escapes = true,
                "-ne" | "-en" => (newline, escapes) = (false, true),
                "-E" => {}
                _ => break,
            }
            args = rest;
        }
        let mut out = match args {
            [only] => only.script(),
            _ => {
                let all: Vec<&str> = args.iter().map(Arg::as_str).collect();
                let at = args.first().map_or(call.span, |arg| arg.span);
                Mapped::at(at, all.join(" "))
            }
        };
        if escapes && out.text.contains('\\') {
            out = Mapped::at(call.span, unescaped(&out.text));
        }
        if newline {
            out.push("\n", call.span.end, false);
        }
        self.print(out, call.span);
    }

    /// `printenv PASSWORD | docker login …`: the variable's value. Of all variables nothing is known.
    fn printenv(&mut self, run: &JobRun<'_>, call: &Call<'_>) {
        if self.output.is_none() {
            return;
        }
        let mut names = call.rest();
        while let [first, rest @ ..] = names
            && first.as_str() == "--"
        {
            names = rest;
        }
        match names {
            [name] if is_name(name.as_str()) => {
                let value = self.lookup(run, name.as_str());
                let value = value.unwrap_or_else(|| run.variable(name.as_str()));
                let line = format!("{}\n", value.as_str());
                self.print(Mapped::at(name.span, line), call.span);
            }
            _ => self.print_unknown(),
        }
    }

    /// `printf -v NAME FORMAT …`
    fn print_into(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let name = call.word(2);
        let words = call.args.get(3..).unwrap_or_default();
        let (_, printed) = self.capture(run, |shell, _| {
            shell.printf(call, words);
            Done::known(true)
        });
        let value = match printed.known() {
            Some(text) => Text::from(&*text.text),
            None => run.cx.holes.variable(name),
        };
        if is_name(name) {
            self.set(run, name, value);
        }
    }

    fn printf(&mut self, call: &Call<'_>, words: &[Arg]) {
        let Some((format, args)) = words.split_first() else {
            return;
        };
        let format = unescaped(format.as_str());
        let mut out = String::new();
        let mut args = args.iter();
        let mut first = true;
        // The format is used again as long as there are arguments.
        while first || args.len() > 0 {
            let before = args.len();
            let mut chars = format.chars().peekable();
            while let Some(c) = chars.next() {
                if c != '%' {
                    out.push(c);
                    continue;
                }
                match chars.next() {
                    Some('%') => out.push('%'),
                    Some('s' | 'b' | 'd' | 'q') => {
                        out.push_str(args.next().map_or("", Arg::as_str))
                    }
                    _ => return self.print_unknown(),
                }
            }
            first = false;
            if args.len() == before || out.len() > super::MAX_VALUE {
                break;
            }
        }
        let at = words.get(1).map_or(call.span, |arg| arg.span);
        self.print(Mapped::at(at, out), call.span);
    }

    fn cat(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let files: Vec<&Arg> = call
            .rest()
            .iter()
            .filter(|arg| !arg.as_str().starts_with('-') || arg.as_str() == "-")
            .collect();
        if files.is_empty() || files.iter().all(|file| file.as_str() == "-") {
            match self.input.clone() {
                Input::Known(text) => self.print(text.as_ref().clone(), call.span),
                Input::Unknown => self.print_unknown(),
            }
            return;
        }
        if self.output.is_none() {
            return;
        }
        self.joins(run, call);
        for file in files {
            match self.read(run, &file.text) {
                Some(text) => self.print(text.as_ref().clone(), call.span),
                None => self.print_unknown(),
            }
        }
    }

    /// `... | tee file`: the file is written, and what goes in comes out.
    fn tee(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let append = call.rest().iter().any(|arg| arg.as_str() == "-a");
        let input = self.input.clone();
        for file in call.rest() {
            if !file.as_str().starts_with('-') {
                let target = super::redirect::Target::new(file.text.clone(), append);
                self.write(run, &target, &input, call.span);
            }
        }
        match input {
            Input::Known(text) => self.print(text.as_ref().clone(), call.span),
            Input::Unknown => self.print_unknown(),
        }
    }

    fn path_tool(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let args: Vec<&Arg> = call
            .rest()
            .iter()
            .filter(|arg| !arg.as_str().starts_with('-'))
            .collect();
        // `dirname` takes several; what is behind the name is a suffix for `basename`.
        let (paths, suffix) = match (call.name(), args.as_slice()) {
            (_, []) => return self.print_unknown(),
            ("basename", [first, rest @ ..]) => (
                std::slice::from_ref(first),
                rest.first().map_or("", |arg| arg.as_str()),
            ),
            (_, all) => (all, ""),
        };
        let lines: Option<Vec<String>> = paths
            .iter()
            .map(|path| self.path_of(run, call.name(), path.as_str(), suffix))
            .collect();
        match lines {
            Some(lines) => self.print(Mapped::at(call.span, lines.concat()), call.span),
            None => self.print_unknown(),
        }
    }

    /// The line that `basename` and its like print of one path.
    fn path_of(&self, run: &JobRun<'_>, name: &str, path: &str, suffix: &str) -> Option<String> {
        let trimmed = path.trim_end_matches('/');
        let of_path = match name {
            "basename" => {
                let name = trimmed.rsplit('/').next().unwrap_or("");
                name.strip_suffix(suffix).unwrap_or(name).to_owned()
            }
            "dirname" => match trimmed.rsplit_once('/') {
                Some(("", _)) => "/".to_owned(),
                Some((folder, _)) => folder.to_owned(),
                None if trimmed.chars().all(crate::text::is_hole) => return None,
                None => ".".to_owned(),
            },
            _ => match self.locate(run, &Text::from(path))? {
                path if path.is_root() => self.root(run).as_str().to_owned(),
                path => format!("{}/{path}", self.root(run).as_str()),
            },
        };
        Some(of_path + "\n")
    }

    /// Text that is filtered is not known any more, but for the simplest filters.
    /// `sed -i s/TAG/$TAG/ compose.yml`.
    fn edit_in_place(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let in_place = |arg: &Arg| {
            let arg = arg.as_str();
            arg.starts_with("--in-place") || arg.starts_with("-i") || arg.starts_with("-Ei")
        };
        if !call.rest().iter().any(in_place) {
            return;
        }
        let mut words: Vec<&Arg> = Vec::new();
        let mut scripts: Vec<&Arg> = Vec::new();
        let mut args = call.rest().iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "-e" | "--expression" => scripts.extend(args.next()),
                // `-i ''` is how it is done on macOS.
                "" => {}
                text if text.starts_with('-') => {}
                _ => words.push(arg),
            }
        }
        if scripts.is_empty() && !words.is_empty() {
            scripts.push(words.remove(0));
        }
        for file in words {
            let Some(path) = self.locate(run, &file.text) else {
                continue;
            };
            for script in &scripts {
                if let Some((word, by)) = plain_substitution(script.as_str()) {
                    run.replace(path.clone(), word, Text::from(by));
                }
            }
        }
    }

    fn filter(&mut self, call: &Call<'_>) {
        let Some(text) = self.input.known().cloned() else {
            return self.print_unknown();
        };
        let args: Vec<&str> = call.rest().iter().map(Arg::as_str).collect();
        let out = match (call.name(), args.as_slice()) {
            ("tr", ["-d", what]) => {
                let what = unescaped(what);
                let class = match what.as_str() {
                    "[:space:]" => " \t\n\r".to_owned(),
                    _ if what.contains(['[', '-']) && what.len() > 1 => {
                        return self.print_unknown();
                    }
                    _ => what,
                };
                text.text.replace(|c| class.contains(c), "")
            }
            ("tr", [from, to]) => {
                let (from, to) = (unescaped(from), unescaped(to));
                let (mut from, mut to) = (from.chars(), to.chars());
                match (from.next(), to.next(), from.next(), to.next()) {
                    (Some(a), Some(b), None, None) => text.text.replace(a, &b.to_string()),
                    _ => match args.as_slice() {
                        ["[:upper:]" | "A-Z", "[:lower:]" | "a-z"] => {
                            text.text.to_ascii_lowercase()
                        }
                        _ => return self.print_unknown(),
                    },
                }
            }
            ("sort" | "uniq", _) => text.text.clone(),
            _ => return self.print_unknown(),
        };
        self.print(Mapped::at(text.whole(), out), call.span);
    }

    /// A configuration with credentials may be copied into place.
    fn copy(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let files: Vec<&Arg> = call
            .rest()
            .iter()
            .filter(|arg| !arg.as_str().starts_with('-'))
            .collect();
        let [from, .., to] = files.as_slice() else {
            return;
        };
        let shown = run.show(&to.text);
        if shown.contains(".docker")
            && !shown.contains("cli-plugins")
            && run.show(&from.text).contains("config")
        {
            let input = match self.read(run, &from.text) {
                Some(text) => Input::Known(text),
                None => Input::Unknown,
            };
            self.credentials(run, &input, crate::effect::Store::docker(), call.span);
        }
        // What a link points to is relative to where the link is.
        if call.name() == "ln" && shown.trim_start_matches("./").contains('/') {
            return;
        }
        let Some(to_path) = self.locate(run, &to.text) else {
            return;
        };
        let into_folder = shown.ends_with('/')
            || files.len() > 2
            || to_path.is_root()
            || !run.cx.sources.tree().list(&to_path).is_empty();
        for from in files.iter().take(files.len() - 1) {
            let from = self.locate(run, &from.text).filter(|path| {
                let original = run.original(path);
                !original.is_root() && run.cx.sources.exists(&original)
            });
            let Some(from) = from else { continue };
            let target = if into_folder {
                to_path.join(from.name())
            } else {
                Some(to_path.clone())
            };
            if let Some(target) = target {
                run.copy(&from, target);
            }
        }
    }
}

/// `set -- $opts`, as `eval` reads it, where the words are not known: one that stands in quotes is at
/// least one word.
fn sets_what_is_unknown(script: &str) -> bool {
    let Some(words) = script.trim_start().strip_prefix("set -- ") else {
        return false;
    };
    let mut quoted = false;
    words.chars().any(|c| {
        quoted ^= c == '\'';
        !quoted && is_hole(c)
    })
}

/// `s/word/by/g`, when neither side is more than plain text.
pub(super) fn plain_substitution(script: &str) -> Option<(&str, &str)> {
    let rest = script.trim().strip_prefix('s')?;
    let mark = rest.chars().next().filter(|c| !c.is_alphanumeric())?;
    let mut parts = rest.get(mark.len_utf8()..)?.split(mark);
    let (word, by, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = !word.contains(['\\', '[', ']', '*', '^', '|']) && !by.contains(['\\', '&']);
    let flagged = flags.chars().all(|c| matches!(c, 'g' | 'I' | 'i' | '1'));
    (plain && flagged && parts.next().is_none()).then_some((word, by))
}

/// `\n`, `\t` and `\\` as `echo -e` and `printf` read them.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') | None => out.push('\\'),
            Some('"') => out.push('"'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    out
}
