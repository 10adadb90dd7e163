//! `for d in $(ls images)`, `find . -name Dockerfile -exec docker build -f {} . \;`: of what a job lists, the
//! repository's files are known before it runs.

use std::rc::Rc;

use super::commands::is_idle;
use super::exec::Call;
use super::pattern::{Match, Pattern, matches};
use super::wrappers::{MAX_CALLS, put};
use super::{Arg, Done, Input, Shell, builtins};
use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, has_hole};

/// Folders that one search goes into; where there are more, what it finds is not known.
const MAX_FOLDERS: usize = 1_000;

/// What one search may find.
const MAX_FOUND: usize = 256;

/// Parts of an expression, each long pattern counted as several.
const MAX_ASKED: u32 = 128;

/// Bytes of a pattern.
const MAX_PATTERN: usize = 256;

/// How deep folders may stand in each other, and parts of an expression.
const MAX_DEPTH: usize = 24;

/// Bytes that `$(shell …)` of a makefile may print.
const MAX_PRINTED: usize = 16 * 1024;

/// Commands whose output hangs on nothing but the repository's files, where their words are known.
const OF_FILES: [&str; 15] = [
    "find", "ls", "cat", "echo", "basename", "dirname", "grep", "sed", "awk", "cut", "head",
    "tail", "jq", ".", "source",
];

/// Folders that no search of a job is after: Git's own, and what a package manager fills.
const PASSED_OVER: [&str; 2] = [".git", "node_modules"];

/// What a command prints that a makefile runs in a folder of the repository, where its files alone say it.
pub(crate) fn printed(run: &JobRun<'_>, cwd: &RepoPath, command: &str, at: Span) -> Option<String> {
    let first = command.split_whitespace().next()?;
    if !OF_FILES.contains(&first)
        || command.contains(['`', '~'])
        || has_hole(command)
        || asks_the_environment(command)
    {
        return None;
    }
    let key = (cwd.clone(), command.to_owned());
    if let Some(known) = run.cx.listed.borrow().get(&key) {
        return known.clone();
    }
    let printed = listed(run, cwd, command, at);
    // Where the work is used up, nothing was found out.
    if printed.is_some() || run.cx.spend() {
        run.cx.listed.borrow_mut().insert(key, printed.clone());
    }
    printed
}

/// Whether a command may print other things for another environment. Not in single quotes; and `. ./build.env; echo $X` prints
/// what the file says, or else nothing that is known.
fn asks_the_environment(command: &str) -> bool {
    let bare: String = match command.contains('"') {
        true => command.to_owned(),
        false => command.split('\'').step_by(2).collect(),
    };
    if !bare.contains('$') {
        return false;
    }
    let two = bare.split_once(';').or_else(|| bare.split_once("&&"));
    let Some((reads, says)) = two.map(|(a, b)| (a.trim(), b.trim())) else {
        return true;
    };
    let is_read = reads.starts_with(". ") || reads.starts_with("source ");
    let is_name = |rest: &str| {
        let name = match rest.strip_prefix('{') {
            Some(rest) => rest.split('}').next().unwrap_or(""),
            None => rest.get(..1).unwrap_or(""),
        };
        super::is_name(name)
    };
    !is_read
        || reads.contains('$')
        || !says.starts_with("echo ")
        || says.contains([';', '&', '|', '<', '>', '('])
        || !says.split('$').skip(1).all(is_name)
}

fn listed(run: &JobRun<'_>, cwd: &RepoPath, command: &str, at: Span) -> Option<String> {
    let script = run.cx.script(command)?;
    let mut trial = JobRun::new(run.cx);
    trial.is_tried = true;
    trial.cwd = Cwd::Inside(cwd.clone());
    trial.depth = run.depth;
    let mut shell = Shell::new(Rc::new(Mapped::at(at, command)));
    let (_, printed) = shell.capture_as(&mut trial, true, |shell, run| {
        shell.list(run, &script.items)
    });
    let Input::Known(text) = printed else {
        return None;
    };
    let known = text.text.len() <= MAX_PRINTED && !text.text.trim().is_empty();
    (known && !has_hole(&text.text)).then(|| text.text.trim_end_matches('\n').to_owned())
}

impl Shell {
    /// `ls`, where somebody reads what it prints.
    pub(super) fn list_names(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) {
        if self.output.is_none() {
            return;
        }
        match self.listed(run, call.rest()) {
            Some(names) => {
                let text: String = names.iter().map(|name| format!("{name}\n")).collect();
                self.print(Mapped::at(call.span, text), call.span);
            }
            None => self.print_unknown(),
        }
    }

    fn listed(&self, run: &JobRun<'_>, args: &[Arg]) -> Option<Vec<String>> {
        let (flags, operands): (Vec<&Arg>, Vec<&Arg>) =
            args.iter().partition(|arg| arg.as_str().starts_with('-'));
        let mut short = String::new();
        for flag in flags {
            match flag.as_str().strip_prefix('-')? {
                long if long.starts_with("-color") => {}
                letters if letters.chars().all(|c| "1dArtUS".contains(c)) => {
                    short.push_str(letters)
                }
                _ => return None,
            }
        }
        let here = Arg::new(Text::from("."), self.text.whole());
        let operands = if operands.is_empty() {
            vec![&here]
        } else {
            operands
        };
        let tree = run.cx.sources.tree();
        let mut names = Vec::new();
        for operand in &operands {
            let path = self.locate(run, &operand.text)?;
            let inside = tree.list(&path);
            if !run.cx.spend() || inside.is_empty() && !run.cx.sources.exists(&path) {
                return None;
            }
            if inside.is_empty() || short.contains('d') {
                names.push(operand.as_str().to_owned());
            } else if operands.len() == 1 {
                let shown = |name: &&str| short.contains('A') || !name.starts_with('.');
                let inside = inside.iter().map(|name| name.trim_end_matches('/'));
                names.extend(inside.filter(shown).map(str::to_owned));
            } else {
                return None;
            }
        }
        (names.len() <= MAX_FOUND).then_some(names)
    }

    /// `find`: prints names, or runs commands with them.
    pub(super) fn find(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let commands = commands_of(call.rest());
        let counts = |command: &Command<'_>| {
            let name = command.words.first().map_or("", Arg::as_str);
            !is_idle(name) && !builtins::is_silent(name)
        };
        if self.output.is_none() && !commands.iter().any(counts) {
            return Done::UNKNOWN;
        }
        let found = self.found(run, call.rest(), commands.len());
        match found.filter(|found| !found.is_empty()) {
            Some(found) => self.with_found(run, call, &commands, &found),
            // Which files they are, is not known.
            None => {
                let hole = run.cx.holes.of("$(find)", HoleKind::Output);
                let item = Arg::new(hole, call.span);
                for command in &commands {
                    self.with_names(run, command, std::slice::from_ref(&item), call.span);
                }
                self.print_unknown();
            }
        }
        Done::UNKNOWN
    }

    fn with_found(
        &mut self,
        run: &mut JobRun<'_>,
        call: &Call<'_>,
        commands: &[Command<'_>],
        found: &[Found],
    ) {
        let mut text = String::new();
        for one in found {
            match &one.action {
                Action::Print(printed) => text.push_str(printed),
                Action::Exec(at) => {
                    let Some(command) = commands.get(*at).filter(|command| !command.at_once) else {
                        continue;
                    };
                    let cwd = run.cwd.clone();
                    let mut name = one.written.clone();
                    if command.in_folder {
                        run.cwd = Cwd::Inside(one.path.parent());
                        name = format!("./{}", one.path.name());
                    }
                    let item = Arg::new(Text::from(name), call.span);
                    self.with_names(run, command, std::slice::from_ref(&item), call.span);
                    run.cwd = cwd;
                }
            }
        }
        for (at, command) in commands.iter().enumerate().filter(|(_, c)| c.at_once) {
            let of_it = found.iter().filter(|one| one.action == Action::Exec(at));
            let items: Vec<Arg> = of_it
                .map(|one| Arg::new(Text::from(one.written.as_str()), call.span))
                .collect();
            if !items.is_empty() {
                self.with_names(run, command, &items, call.span);
            }
        }
        self.print(Mapped::at(call.span, text), call.span);
    }

    /// Runs a command of `-exec` with these names.
    fn with_names(
        &mut self,
        run: &mut JobRun<'_>,
        command: &Command<'_>,
        names: &[Arg],
        span: Span,
    ) {
        let mut args: Vec<Arg> = Vec::new();
        for word in command.words {
            match names {
                [name] => args.push(put(word, "{}", name)),
                _ if word.as_str() == "{}" => args.extend_from_slice(names),
                _ => args.push(word.clone()),
            }
        }
        self.recall(run, &args, span);
    }

    /// What a search finds, in order; `None` when it cannot be told.
    fn found(&self, run: &JobRun<'_>, args: &[Arg], commands: usize) -> Option<Vec<Found>> {
        let begins = |arg: &Arg| arg.as_str().starts_with(['-', '(', '!']);
        let of_links = args
            .iter()
            .take_while(|arg| matches!(arg.as_str(), "-H" | "-L" | "-P"));
        let args = args.get(of_links.count()..)?;
        let end = args.iter().position(begins).unwrap_or(args.len());
        let (starts, expression) = args.split_at(end);
        let mut reader = Reader::new(expression);
        let mut expression = reader.any(0)?;
        if reader.rest.next().is_some() {
            return None;
        }
        if !reader.acts {
            expression = Expression::All(vec![expression, Expression::Print("%p\n".to_owned())]);
        }
        let mut search = Search {
            run,
            expression,
            least: reader.least,
            most: reader.most,
            asked: reader.asked,
            folders: 0,
            found: Vec::new(),
        };
        let here = Arg::new(Text::from("."), self.text.whole());
        let starts = if starts.is_empty() {
            std::slice::from_ref(&here)
        } else {
            starts
        };
        for start in starts {
            let path = self.locate(run, &start.text)?;
            let is_folder = !run.cx.sources.tree().list(&path).is_empty();
            if !is_folder && (path.is_root() || !run.cx.sources.exists(&path)) {
                return None;
            }
            let written = start.as_str();
            let name = match written.trim_end_matches('/').rsplit('/').next() {
                Some(name) => name.to_owned(),
                None => return None,
            };
            let at = Place {
                written,
                start: written,
                name: &name,
                path: &path,
                is_folder,
            };
            search.visit(&at, 0)?;
        }
        let runs = search
            .found
            .iter()
            .filter(|one| matches!(one.action, Action::Exec(_)));
        (commands == 0 || runs.count() <= MAX_CALLS).then_some(search.found)
    }
}

/// A command of `-exec`.
struct Command<'a> {
    words: &'a [Arg],
    /// `+`: once, with all that is found.
    at_once: bool,
    /// `-execdir`
    in_folder: bool,
}

/// Whether an argument of `find` begins a command.
fn is_exec(arg: &str) -> bool {
    matches!(arg, "-exec" | "-execdir" | "-ok" | "-okdir")
}

/// Whether one ends it.
fn ends_exec(arg: &str) -> bool {
    matches!(arg, ";" | "+" | "\\;")
}

/// The commands that `find` runs.
fn commands_of(args: &[Arg]) -> Vec<Command<'_>> {
    let mut out = Vec::new();
    let mut rest = args;
    while let Some(at) = rest.iter().position(|arg| is_exec(arg.as_str())) {
        let in_folder = rest
            .get(at)
            .is_some_and(|arg| arg.as_str().ends_with("dir"));
        let behind = rest.get(at + 1..).unwrap_or_default();
        let end = behind.iter().position(|arg| ends_exec(arg.as_str()));
        let (words, after) = behind.split_at(end.unwrap_or(behind.len()));
        out.push(Command {
            words,
            at_once: after.first().is_some_and(|arg| arg.as_str() == "+"),
            in_folder,
        });
        rest = after;
    }
    out
}

/// What is done with one that is found.
#[derive(PartialEq, Eq)]
enum Action {
    /// This is printed.
    Print(String),
    /// The command of this number is run.
    Exec(usize),
}

struct Found {
    written: String,
    path: RepoPath,
    action: Action,
}

/// What `find` asks of each file, and does with it.
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Is(bool),
    /// Whether capital letters are as small ones.
    Name(Pattern, bool),
    Path(Pattern),
    Folder(bool),
    Prune,
    /// In the words of `-printf`.
    Print(String),
    Exec(usize),
}

/// Reads an expression; what is not understood ends the search.
struct Reader<'a> {
    rest: std::iter::Peekable<std::slice::Iter<'a, Arg>>,
    /// It says itself what is done with what is found.
    acts: bool,
    /// What is asked of each file.
    asked: u32,
    commands: usize,
    least: usize,
    most: usize,
}

impl<'a> Reader<'a> {
    fn new(args: &'a [Arg]) -> Self {
        Self {
            rest: args.iter().peekable(),
            acts: false,
            asked: 0,
            commands: 0,
            least: 0,
            most: MAX_DEPTH,
        }
    }

    fn next_is(&mut self, words: &[&str]) -> bool {
        self.rest
            .peek()
            .is_some_and(|arg| words.contains(&arg.as_str()))
    }

    fn any(&mut self, depth: usize) -> Option<Expression> {
        let mut all = vec![self.all(depth)?];
        while self.next_is(&["-o", "-or"]) {
            self.rest.next();
            all.push(self.all(depth)?);
        }
        Some(match all.len() {
            1 => all.pop()?,
            _ => Expression::Any(all),
        })
    }

    fn all(&mut self, depth: usize) -> Option<Expression> {
        let mut all = Vec::new();
        while self.rest.peek().is_some() && !self.next_is(&["-o", "-or", ")", ","]) {
            // How a command ends, what follows it would ask.
            if matches!(all.last(), Some(Expression::Exec(_))) {
                return None;
            }
            if self.next_is(&["-a", "-and"]) {
                self.rest.next();
            } else {
                all.push(self.one(depth)?);
            }
        }
        Some(Expression::All(all))
    }

    fn value(&mut self) -> Option<&'a str> {
        self.rest.next()?.text.known()
    }

    fn one(&mut self, depth: usize) -> Option<Expression> {
        self.asked += 1;
        if depth > MAX_DEPTH || self.asked > MAX_ASKED {
            return None;
        }
        let word = self.value()?;
        Some(match word {
            "!" | "-not" => match self.one(depth + 1)? {
                Expression::Exec(_) => return None,
                other => Expression::Not(Box::new(other)),
            },
            "(" | "\\(" => {
                let inner = self.any(depth + 1)?;
                self.rest
                    .next()
                    .filter(|arg| matches!(arg.as_str(), ")" | "\\)"))?;
                inner
            }
            "-name" => Expression::Name(self.pattern(false)?, false),
            "-iname" => Expression::Name(self.pattern(true)?, true),
            "-path" | "-wholename" => Expression::Path(self.pattern(false)?),
            "-type" => match self.value()? {
                "f" => Expression::Folder(false),
                "d" => Expression::Folder(true),
                _ => return None,
            },
            "-maxdepth" | "-mindepth" => {
                let depth: usize = self.value()?.parse().ok()?;
                match word {
                    "-maxdepth" => self.most = depth.min(MAX_DEPTH),
                    _ => self.least = depth,
                }
                Expression::Is(true)
            }
            "-prune" => Expression::Prune,
            "-print" | "-print0" => self.print("%p\n"),
            "-printf" => {
                let format = self.value()?.replace("\\n", "\n").replace("\\0", "\n");
                self.print(&format)
            }
            _ if is_exec(word) => {
                while !ends_exec(self.rest.next()?.as_str()) {}
                self.acts = true;
                self.commands += 1;
                Expression::Exec(self.commands - 1)
            }
            "-true" | "-xdev" | "-mount" | "-follow" | "-noleaf" => Expression::Is(true),
            "-false" => Expression::Is(false),
            _ => return None,
        })
    }

    /// A pattern; for names in `small` letters.
    fn pattern(&mut self, small: bool) -> Option<Pattern> {
        let pattern = self.value().filter(|text| text.len() <= MAX_PATTERN)?;
        // A long one takes longer to compare.
        self.asked += u32::try_from(pattern.len() / 32).ok()?;
        Some(match small {
            true => Pattern::parse(&pattern.to_lowercase()),
            false => Pattern::parse(pattern),
        })
    }

    fn print(&mut self, format: &str) -> Expression {
        self.acts = true;
        Expression::Print(format.to_owned())
    }
}

/// One file or folder that a search comes to.
struct Place<'a> {
    /// As `find` writes it.
    written: &'a str,
    /// What it was told to begin with.
    start: &'a str,
    name: &'a str,
    path: &'a RepoPath,
    is_folder: bool,
}

struct Search<'r, 'c> {
    run: &'r JobRun<'c>,
    expression: Expression,
    least: usize,
    most: usize,
    /// What is asked of each.
    asked: u32,
    folders: usize,
    found: Vec<Found>,
}

impl Search<'_, '_> {
    fn visit(&mut self, at: &Place<'_>, depth: usize) -> Option<()> {
        let mut pruned = false;
        if depth >= self.least {
            let mut found = Vec::new();
            holds(&self.expression, at, &mut pruned, &mut found)?;
            self.found.append(&mut found);
        }
        if !at.is_folder || pruned || depth >= self.most {
            return Some(());
        }
        self.folders += 1;
        if depth >= MAX_DEPTH || self.folders > MAX_FOLDERS || self.found.len() > MAX_FOUND {
            return None;
        }
        for listed in self.run.cx.sources.tree().list(at.path).iter() {
            if !(0..=self.asked).all(|_| self.run.cx.spend()) {
                return None;
            }
            let name = listed.trim_end_matches('/');
            let Some(path) = at.path.join(name) else {
                continue;
            };
            let is_folder = name.len() < listed.len();
            if is_folder && PASSED_OVER.contains(&name) {
                continue;
            }
            let slash = if at.written.ends_with('/') { "" } else { "/" };
            let written = [at.written, slash, name].concat();
            let inside = Place {
                written: &written,
                start: at.start,
                name,
                path: &path,
                is_folder,
            };
            self.visit(&inside, depth + 1)?;
        }
        Some(())
    }
}

/// Whether an expression holds for a file; `None` when that cannot be told.
fn holds(
    expression: &Expression,
    at: &Place<'_>,
    pruned: &mut bool,
    found: &mut Vec<Found>,
) -> Option<bool> {
    let fits = |pattern: &Pattern, text: &str| match matches(pattern, text) {
        Match::Yes => Some(true),
        Match::No => Some(false),
        Match::Maybe => None,
    };
    let mut act = |action: Action| {
        found.push(Found {
            written: at.written.to_owned(),
            path: at.path.clone(),
            action,
        });
        Some(true)
    };
    match expression {
        Expression::All(all) => {
            for one in all {
                if !holds(one, at, pruned, found)? {
                    return Some(false);
                }
            }
            Some(true)
        }
        Expression::Any(all) => {
            for one in all {
                if holds(one, at, pruned, found)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        Expression::Not(inner) => holds(inner, at, pruned, found).map(|holds| !holds),
        Expression::Is(holds) => Some(*holds),
        Expression::Name(pattern, false) => fits(pattern, at.name),
        Expression::Name(pattern, true) => fits(pattern, &at.name.to_lowercase()),
        Expression::Path(pattern) => fits(pattern, at.written),
        Expression::Folder(folder) => Some(at.is_folder == *folder),
        Expression::Prune => {
            *pruned = true;
            Some(true)
        }
        Expression::Print(format) => act(Action::Print(formatted(format, at)?)),
        Expression::Exec(command) => act(Action::Exec(*command)),
    }
}

/// What `-printf` prints; `None` where it asks for more than names.
fn formatted(format: &str, at: &Place<'_>) -> Option<String> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'p' => out.push_str(at.written),
            'f' => out.push_str(at.name),
            'h' => out.push_str(
                at.written
                    .rsplit_once('/')
                    .map_or(".", |(folder, _)| folder),
            ),
            'P' => {
                let rest = at.written.strip_prefix(at.start)?;
                out.push_str(rest.trim_start_matches('/'));
            }
            '%' => out.push('%'),
            _ => return None,
        }
    }
    Some(out)
}
