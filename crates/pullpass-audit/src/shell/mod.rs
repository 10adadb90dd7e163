//! Shell scripts: what their commands pull, and as whom they sign in.
//!
//! Most pulls of a CI are written in shell, and most of what decides them is too: variables,
//! functions, conditions, scripts that call scripts. So the shell is executed, only with values of
//! which a part may be unknown and with effects that are noted instead of made.
//!
//! ```text
//! Mapped ─► trigger? ─► syntax::parse ─► exec (lists, guards) ─► words (values) ─► commands
//!              no: nothing                control                 param, pattern     │ wrappers ─► again
//!                                                                                    │ follow: scripts ─► again
//!                                                                                    ▼ Pull, Login, Provide, Opaque
//! ```

pub mod syntax;
mod tables;

mod arith;
mod bats;
mod builders;
mod builtins;
mod commands;
mod compose;
mod condition;
mod control;
mod deploys;
mod devcontainer;
pub(crate) mod docker;
pub(crate) mod engine;
mod exec;
mod filters;
mod find;
mod flags;
mod follow;
mod functions;
mod getopt;
mod glob;
mod goreleaser;
mod handed;
mod helmfile;
mod ifs;
mod jq;
mod kamal;
mod ko;
mod lines;
mod litmus;
mod locals;
mod maps;
mod molecule;
mod nextflow;
mod open;
pub(crate) mod other_languages;
mod own_images;
mod param;
mod pattern;
mod perhaps;
mod projects;
mod rake;
mod redirect;
mod regex;
mod sessions;
pub(crate) mod suites;
mod tools;
mod tox;
mod trigger;
mod unread;
mod ways;
mod windows;
mod words;
mod wrappers;

#[cfg(test)]
mod tests;

pub(crate) use commands::UNKNOWN_INPUT;
pub(crate) use find::printed;
pub(crate) use follow::{client_here, is_of_another_language, program_here};
pub(crate) use glob::paths;
pub(crate) use handed::{Handed, Unfinished};
pub(crate) use other_languages::client_of_action;
pub(crate) use param::is_set_by_ci;
pub(crate) use redirect::is_name;
pub(crate) use windows::{is_of_windows, of_windows};

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::run::{Cwd, JobRun};
use crate::source::{RepoPath, Span};
use crate::text::{Hole, HoleKind, MAX_VALUE, Mapped, Text, is_hole};
use crate::variables::Variables;
use syntax::{Command, Span as Range};
use ways::Meeting;

/// How deep commands may stand in commands, over all scripts that call each other. The stack of a
/// worker thread is 2 MB; a level takes a few kilobytes.
const MAX_NESTING: usize = 110;

/// What is said of commands that stand deeper.
const TOO_DEEP: &str = "commands that stand deeper in each other than is followed";

/// Words that are kept where it is not known how many stand there.
const MAX_CHOICES: usize = 64;

thread_local! {
    /// What nearly every script begins with, so that none needs memory for it.
    static NO_ARGUMENTS: (Rc<Vec<Text>>, Rc<[Span]>) = (Rc::default(), Rc::from([]));
}

/// Follows a script in the job's state. Variables that it sets stay set in `run.env` for the caller
/// to keep or to drop; the working folder likewise.
pub fn run_script(run: &mut JobRun<'_>, script: Mapped) {
    let by_variable = || engine::is_in_variable(run, &script.text);
    let gives = || run.wants_outputs() && handed::may_give(&script.text);
    let calls = |(name, _): &(String, Function)| script.text.contains(name.as_str());
    // What it writes may be the configuration that the pipeline goes on with.
    let by_setup = || run.is_setup && script.text.contains(".y");
    let by_startup = || run.startup.iter().any(calls);
    // What follows a login may be what it is for.
    let unread = || follow::has_login(run) && follow::names_another_language(&script.text);
    if trigger::may_matter(&run.cx.holes, &script.text)
        || by_variable()
        || gives()
        || by_startup()
        || by_setup()
        || unread()
    {
        let mut shell = Shell::new(Rc::new(script));
        shell.functions.extend(run.startup.iter().cloned());
        shell.script(run);
    }
}

/// One process that interprets shell commands, and what it knows beyond the job's state.
struct Shell {
    /// The text that is being executed; places in the tree are places in it.
    text: Rc<Mapped>,
    /// `$1`, `$2`, ...; `None` when they cannot be known.
    arguments: Option<Rc<Vec<Text>>>,
    /// Where these are written; not of the same length when that is not known.
    argument_places: Rc<[Span]>,
    /// `$0`, when it can be known.
    zero: Option<Text>,
    /// The file that is being executed, when it is one.
    file: Option<RepoPath>,
    arrays: BTreeMap<String, Vec<Text>>,
    /// The words that may stand where it is not known how many do, by what stands for them ([`any_number_of`]).
    choices: Rc<BTreeMap<Text, Vec<Text>>>,
    maps: Rc<maps::Maps>,
    functions: BTreeMap<String, Function>,
    /// Files that were perhaps read, and whose functions are not known.
    unread: Vec<unread::Unread>,
    /// `trap '...' EXIT`
    at_exit: Option<Mapped>,
    /// What the commands print, where someone reads it.
    output: Option<Output>,
    /// What the commands read.
    input: Input,
    /// The commands that print what is read, where that is not known.
    piped: Option<(Rc<Mapped>, Range)>,
    /// What the commands in `<(...)` print, by the hole that stands for the file.
    processes: BTreeMap<Text, Input>,
    /// Files that the script has written itself.
    written: Rc<RefCell<BTreeMap<RepoPath, Rc<Mapped>>>>,
    /// The file whose text the last filter printed, with the words that it replaced.
    filtered: Option<lines::Filtered>,
    /// Folders that `cd -` and `popd` go back to.
    folders: Vec<Cwd>,
    /// The innermost script that is being followed.
    open: Option<Rc<open::Open>>,
    nesting: usize,
    /// What the variables were that the function which is being executed has for itself.
    locals: Option<Vec<locals::Local>>,
    /// Variables of which what is executed takes one path after the other.
    ways_in_hand: usize,
    /// Variables that are declared to hold a number.
    integers: BTreeSet<String>,
    /// The words of a test are being expanded.
    asks: bool,
    /// What is written to a file is perhaps printed on one path only.
    unsure: bool,
    /// It is told what the last command printed, be it that this is not known.
    told: bool,
}

/// A function of a script, wherever it is called.
#[derive(Clone)]
pub(crate) struct Function {
    text: Rc<Mapped>,
    file: Option<RepoPath>,
    body: Rc<Command>,
    /// `export -f`: the shells that it starts know it, too.
    exported: bool,
}

/// What a command finds on standard input.
#[derive(Clone)]
enum Input {
    /// Nothing, or nothing that can be known.
    Unknown,
    /// This, to the last character but for its holes.
    Known(Rc<Mapped>),
}

impl Input {
    fn known(&self) -> Option<&Rc<Mapped>> {
        match self {
            Self::Known(text) => Some(text),
            Self::Unknown => None,
        }
    }
}

/// What commands have printed so far.
#[derive(Default)]
struct Output {
    text: Option<Mapped>,
    unknown: bool,
    /// It is read as one value: what one of two paths prints is not there with what the other prints.
    one: bool,
}

/// What was printed up to here: how much, and whether it is known.
#[derive(Clone, Copy)]
struct Printed(usize, bool);

impl Output {
    fn add(&mut self, piece: Mapped, at: Span) {
        match &mut self.text {
            _ if piece.text.len() > MAX_VALUE => self.unknown = true,
            None => self.text = Some(piece),
            Some(text) if text.text.len() + piece.text.len() > MAX_VALUE => self.unknown = true,
            Some(text) if text.file() == piece.file() => text.append(&piece),
            Some(text) => *text = Mapped::at(at, format!("{}{}", text.text, piece.text)),
        }
    }
}

/// One argument of a command, after expansion.
#[derive(Clone, Debug)]
struct Arg {
    /// Its value.
    text: Text,
    /// Where it is written.
    span: Span,
    /// The same value with the place of each of its letters, where it is written in one piece:
    /// the script of `bash -c`.
    mapped: Option<Rc<Mapped>>,
    /// An unquoted expansion: it may be several words, or none.
    bare: bool,
    /// An unknown value that was put into the script before the shell reads it.
    put_in: bool,
    /// An array stands in it, with a blank after each of its words: `local x=(a b)`.
    array: bool,
}

impl Arg {
    fn new(text: Text, span: Span) -> Self {
        Self {
            text,
            span,
            mapped: None,
            bare: false,
            put_in: false,
            array: false,
        }
    }

    fn as_str(&self) -> &str {
        self.text.as_str()
    }

    fn script(&self) -> Mapped {
        match &self.mapped {
            Some(mapped) => mapped.as_ref().clone(),
            None => Mapped::at(self.span, self.text.as_str()),
        }
    }

    /// Whether it is an unknown value that probably holds flags, if anything.
    fn may_be_flags(&self, run: &JobRun<'_>) -> bool {
        if !self.as_str().chars().all(is_hole) || self.as_str().is_empty() {
            return false;
        }
        let shown = run.show(&self.text);
        // `$(jq 'map("-t " + .)')` prints flags.
        let by_ci = |hole: Hole| hole.kind == HoleKind::Expression;
        let quotes_flags = ["\"-", "'-"].iter().any(|quoted| shown.contains(quoted));
        let prints_flags =
            !self.text.holes(&run.cx.holes).any(by_ci) && (quotes_flags || echoes_flags(&shown));
        // The CI system puts its value into the script before the shell reads it.
        if is_choice_of_flags(&shown) {
            return true;
        }
        if is_list(&shown) {
            return !shown.to_ascii_lowercase().contains("image");
        }
        (self.bare || self.put_in)
            && (prints_flags || is_flag_or_nothing(&shown) || names_flags(&shown))
    }

    /// Whether it is an unknown value that may be any number of words.
    fn may_be_many(&self, run: &JobRun<'_>) -> bool {
        self.text.is_one_hole() && is_list(&run.show(&self.text))
    }

    /// Whether it stands without quotes for any number of words: what a command prints, a list, and
    /// a variable that is called after flags. `./deploy.sh up $PR` passes two.
    fn may_be_flags_or_many(&self, run: &JobRun<'_>) -> bool {
        if !self.bare || !self.text.is_one_hole() {
            return false;
        }
        let printed = |hole: Hole| hole.kind == HoleKind::Output;
        let shown = run.show(&self.text);
        let mut holes = self.text.holes(&run.cx.holes);
        holes.any(printed) || is_list(&shown) || names_flags(&shown)
    }
}

/// Whether an expansion gives several words even in quotes.
fn is_list(shown: &str) -> bool {
    ["[@]", "[*]", "$@", "$*"]
        .iter()
        .any(|sign| shown.contains(sign))
}

/// `${TTY:+-it}`: a flag or nothing.
fn is_flag_or_nothing(shown: &str) -> bool {
    let inner = shown.strip_prefix("${").and_then(|s| s.strip_suffix('}'));
    let parts = inner.and_then(|inner| inner.split_once('+'));
    parts.is_some_and(|(name, word)| {
        redirect::is_name(name.strip_suffix(':').unwrap_or(name)) && word.starts_with('-')
    })
}

/// `$(tty -s && echo -t)`
fn echoes_flags(shown: &str) -> bool {
    let mut words = shown.split_whitespace().skip_while(|word| *word != "echo");
    words.next();
    words.next().is_some_and(|word| {
        let of_echo = ["-n", "-e", "-E", "-en", "-ne"].contains(&word);
        word.starts_with('-') && !of_echo
    })
}

/// Whether an expression is a flag or nothing: `${{ x && '--push' || '' }}`.
fn is_choice_of_flags(shown: &str) -> bool {
    let inner = shown.strip_prefix("${{").and_then(|s| s.strip_suffix("}}"));
    inner.is_some_and(|inner| {
        let values = inner.split("||").map(|choice| {
            let value = choice.rsplit("&&").next().unwrap_or("");
            let value = value.trim_matches(['(', ')', ' ']);
            value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''))
        });
        let is_flag = |value: Option<&str>| value.is_some_and(|v| v.starts_with('-'));
        let none = |value: Option<&str>| value.is_some_and(|v| v.trim().is_empty());
        values.clone().any(is_flag) && values.into_iter().all(|v| is_flag(v) || none(v))
    })
}

/// Whether a variable's name says that it holds flags: `$BUILD_ARGS` does, `$TARGET_IMAGE` does not.
fn names_flags(shown: &str) -> bool {
    let shown = shown.to_ascii_lowercase();
    // Of `${{ env.ARGS }}` and `<< parameters.args >>` the last part is the name.
    let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    let inner = (shown.strip_prefix("${{").and_then(|s| s.strip_suffix("}}")))
        .or_else(|| shown.strip_prefix("<<").and_then(|s| s.strip_suffix(">>")));
    let shown = match inner {
        Some(inner) if inner.chars().all(path) => inner.rsplit('.').next().unwrap_or(inner),
        Some(_) => return false,
        // `$(. ./build.env; echo $X)`: the file is none.
        None if shown.starts_with("$(") => &shown.replace(".env", ""),
        None => shown.as_str(),
    };
    let mut words = shown.split(|c: char| !c.is_ascii_alphanumeric());
    let image = words.clone().any(|word| word.starts_with("image"));
    // `$(cat list | xargs)` prints what the list holds.
    let xargs = words.clone().any(|word| word == "xargs");
    !image
        && !xargs
        && words.any(|word| {
            let many = [
                "opts",
                "options",
                "args",
                "arguments",
                "flags",
                "params",
                "parameters",
            ];
            let one = [
                "opt", "option", "arg", "argument", "flag", "param", "extra", "env", "mounts",
                "volumes", "ports", "labels",
            ];
            one.contains(&word) || many.iter().any(|end| word.ends_with(end))
        })
}

/// How a command ended.
#[derive(Clone, Debug)]
struct Done {
    /// Where the script goes on.
    flow: Flow,
    /// Whether it succeeded, when that is known.
    ok: Option<bool>,
}

impl Done {
    const UNKNOWN: Self = Self {
        flow: Flow::Next,
        ok: None,
    };

    fn known(ok: bool) -> Self {
        Self {
            flow: Flow::Next,
            ok: Some(ok),
        }
    }
}

/// Where the script goes on after a command.
#[derive(Clone, Debug)]
enum Flow {
    /// With the next command.
    Next,
    /// It leaves what it is in.
    Leaves(Leave),
    /// It leaves when this condition holds, else it goes on.
    MayLeave(Leave, crate::effect::Guard),
}

impl Flow {
    /// Whether nothing that was set matters any more. After a `break` or a `return` it does: the
    /// script goes on behind the loop, as in `for i in 1 2; do if curl …; then UP=1; break; fi; done`.
    fn ends_here(&self) -> bool {
        matches!(self, Self::Leaves(leave) if leave.fails() || matches!(leave, Leave::Exit { .. }))
    }

    /// Whether the job ends with an error, or the function that this is in.
    fn fails(&self) -> bool {
        matches!(self, Self::Leaves(leave) if leave.fails())
    }
}

/// What is left, and whether the job goes on as if nothing were wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leave {
    Exit { ok: bool },
    Return { ok: bool },
    Loop,
}

impl Leave {
    fn fails(self) -> bool {
        matches!(self, Self::Exit { ok: false } | Self::Return { ok: false })
    }
}

/// The part of a shell's state that a branch, a subshell or a loop may change.
struct State {
    env: Variables,
    exported: Variables,
    arrays: BTreeMap<String, Vec<Text>>,
    choices: Rc<BTreeMap<Text, Vec<Text>>>,
    maps: Rc<maps::Maps>,
    cwd: Cwd,
}

impl Shell {
    fn new(text: Rc<Mapped>) -> Self {
        let (arguments, argument_places) = NO_ARGUMENTS.with(Clone::clone);
        Self {
            text,
            arguments: Some(arguments),
            argument_places,
            zero: None,
            file: None,
            arrays: BTreeMap::new(),
            choices: Rc::default(),
            maps: Rc::default(),
            functions: BTreeMap::new(),
            unread: Vec::new(),
            at_exit: None,
            output: None,
            input: Input::Unknown,
            piped: None,
            processes: BTreeMap::new(),
            written: Rc::default(),
            filtered: None,
            folders: Vec::new(),
            open: None,
            nesting: 0,
            locals: None,
            ways_in_hand: 0,
            integers: BTreeSet::new(),
            asks: false,
            unsure: false,
            told: false,
        }
    }

    /// Executes the whole text.
    fn script(&mut self, run: &mut JobRun<'_>) -> Done {
        let text = Rc::clone(&self.text);
        let Some(script) = run.cx.script(&text.text) else {
            return Done::UNKNOWN;
        };
        if script.too_deep {
            run.cx.note_limit(TOO_DEEP);
        }
        let done = self.list(run, &script.items);
        if let Some(trap) = self.at_exit.take() {
            self.nested_text(run, Rc::new(trap));
        }
        done
    }

    /// Executes another text in this same process: `eval`, a trap.
    fn nested_text(&mut self, run: &mut JobRun<'_>, text: Rc<Mapped>) -> Done {
        let Some(open) = self.open(run, &text, None, self.arguments.as_ref(), None) else {
            return Done::UNKNOWN;
        };
        let around = self.open.replace(open);
        let before = std::mem::replace(&mut self.text, text);
        let trap = self.at_exit.take();
        let done = run.deeper(|run| self.script(run)).unwrap_or(Done::UNKNOWN);
        self.at_exit = self.at_exit.take().or(trap);
        self.text = before;
        self.open = around;
        self.told = true;
        done
    }

    /// Where a part of the tree is written.
    fn place(&self, range: Range) -> Span {
        self.text.span(range.start as usize, range.end as usize)
    }

    /// A part of the tree in the words of the file, blanks collapsed.
    fn words_of(&self, run: &JobRun<'_>, range: Range) -> String {
        let text = range.of(&self.text.text);
        let mut out = String::with_capacity(text.len().min(300));
        // Word by word: of a long text only the beginning is shown.
        for written in text.split_whitespace() {
            let shown = run.cx.holes.shown(written);
            for word in shown.split_whitespace().filter(|word| *word != "\\") {
                if !out.is_empty() {
                    out.push(' ');
                }
                out.push_str(word);
                if out.len() > 300 {
                    return out;
                }
            }
        }
        out
    }

    fn state(&self, run: &JobRun<'_>) -> State {
        State {
            env: run.variables(),
            exported: run.handed_on(),
            arrays: self.arrays.clone(),
            choices: Rc::clone(&self.choices),
            maps: Rc::clone(&self.maps),
            cwd: run.cwd.clone(),
        }
    }

    fn restore(&mut self, run: &mut JobRun<'_>, state: State) {
        run.env = state.env;
        run.cwd = state.cwd;
        self.arrays = state.arrays;
        self.choices = state.choices;
        self.maps = state.maps;
    }

    /// Goes back to where a branch began. What a subshell hands on to later steps stays handed on;
    /// what another branch does has not happened in this one.
    fn rewind(&mut self, run: &mut JobRun<'_>, state: State) {
        run.exported.clone_from(&state.exported);
        self.restore(run, state);
    }

    /// The state after either of two branches: what they agree on stays, the rest is not known. `meeting` says under which
    /// conditions.
    fn merge(&mut self, run: &mut JobRun<'_>, other: State, meeting: Meeting<'_>) {
        let mut env = std::mem::take(&mut run.env);
        agree(run, &mut env, &other.env, &meeting);
        run.env = env;
        let mut exported = std::mem::take(&mut run.exported);
        agree(run, &mut exported, &other.exported, &meeting);
        run.exported = exported;
        let choices = &mut self.choices;
        if !Rc::ptr_eq(choices, &other.choices) {
            for (hole, words) in other.choices.iter() {
                add_choices(choices, hole, words);
            }
        }
        self.arrays.retain(|name, value| {
            let Some(theirs) = other.arrays.get(name) else {
                return false;
            };
            if value == theirs {
                return true;
            }
            if let Some(kept) = engine::likelier_array(run, value, theirs) {
                *value = kept;
                return true;
            }
            // What both begin and end with stays; what is between may be any number of words.
            let begins = value.iter().zip(theirs).take_while(|(a, b)| a == b).count();
            let least = value.len().min(theirs.len()) - begins;
            let (mine, their) = (value.iter().rev(), theirs.iter().rev());
            let ends = mine.zip(their).take(least).take_while(|(a, b)| a == b);
            let ends = ends.count();
            let theirs = theirs.get(begins..theirs.len() - ends).unwrap_or_default();
            let mine: Vec<Text> = value.drain(begins..value.len() - ends).collect();
            let any = any_number_of(run, name);
            let ways = meeting.lists(run, &mine, theirs);
            let ways = ways.filter(|ways| ways::choose_files(ways));
            let hole = ways
                .and_then(|ways| ways::hole(run, &any, ways))
                .unwrap_or(any);
            add_choices(choices, &hole, theirs);
            add_choices(choices, &hole, &mine);
            let beside = [begins.checked_sub(1), Some(begins)];
            let mut beside = beside.into_iter().flatten().filter_map(|at| value.get(at));
            if !beside.any(|word| *word == hole) {
                value.insert(begins, hole);
            }
            true
        });
        self.maps = maps::agreed(&self.maps, &other.maps);
        if run.cwd != other.cwd {
            run.cwd = Cwd::Elsewhere;
        }
    }

    /// Does something that leaves variables and folder as they were.
    fn apart<R>(
        &mut self,
        run: &mut JobRun<'_>,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> R,
    ) -> R {
        let before = self.state(run);
        let result = act(self, run);
        self.restore(run, before);
        result
    }

    /// Goes one level deeper into the tree; `None` when that is too deep.
    fn within<'c, R>(
        &mut self,
        run: &mut JobRun<'c>,
        act: impl FnOnce(&mut Self, &mut JobRun<'c>) -> R,
    ) -> Option<R> {
        if self.nesting >= MAX_NESTING {
            run.cx.note_limit(TOO_DEEP);
            return None;
        }
        self.nesting += 1;
        let result = act(self, run);
        self.nesting -= 1;
        Some(result)
    }

    /// Does something and gives what it printed.
    fn capture(
        &mut self,
        run: &mut JobRun<'_>,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> Done,
    ) -> (Done, Input) {
        let one = self.output.as_ref().is_some_and(|output| output.one);
        self.capture_as(run, one, act)
    }

    /// The same for what is read as one value, if it is.
    fn capture_as(
        &mut self,
        run: &mut JobRun<'_>,
        one: bool,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> Done,
    ) -> (Done, Input) {
        let fresh = Output {
            one,
            ..Output::default()
        };
        let before = self.output.replace(fresh);
        let done = act(self, run);
        let output = std::mem::replace(&mut self.output, before).unwrap_or_default();
        let input = match output {
            Output { unknown: true, .. } => Input::Unknown,
            Output {
                text: Some(text), ..
            } => Input::Known(Rc::new(text)),
            Output { text: None, .. } => Input::Known(Rc::new(Mapped::empty(self.text.file()))),
        };
        (done, input)
    }

    /// How much was printed so far, where it is read as one value.
    fn printed(&self) -> Option<Printed> {
        let output = self.output.as_ref().filter(|output| output.one)?;
        let length = output.text.as_ref().map_or(0, |text| text.text.len());
        Some(Printed(length, output.unknown))
    }

    /// Takes back what was printed since, on a path that nothing is read from.
    fn unprint(&mut self, since: Option<Printed>) {
        if let (Some(Printed(length, unknown)), Some(output)) = (since, &mut self.output) {
            output.unknown = unknown;
            output.text = output.text.take().map(|text| text.part(0, length));
        }
    }

    /// Does what is done instead of what was done since: of two values that are printed, it is one or the
    /// other.
    fn instead<R>(
        &mut self,
        run: &mut JobRun<'_>,
        since: Option<Printed>,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> R,
    ) -> R {
        let (Some(Printed(since, _)), Some(Printed(until, _))) = (since, self.printed()) else {
            return act(self, run);
        };
        let result = act(self, run);
        let Some(output) = &mut self.output else {
            return result;
        };
        let Some(text) = output.text.as_ref().filter(|_| since < until) else {
            return result;
        };
        let one = text.text.get(since..until).unwrap_or("").trim();
        let other = text.text.get(until..).unwrap_or("").trim();
        // `command -v x && echo x || echo ''`
        let both = !one.is_empty() && !other.is_empty();
        if one == other {
            output.text = Some(text.part(0, until));
        } else if both && engine::likelier(run, one, other).is_none() {
            output.unknown = true;
        }
        result
    }

    /// A command prints something known.
    fn print(&mut self, piece: Mapped, at: Span) {
        if let Some(output) = &mut self.output {
            output.add(piece, at);
        }
    }

    /// A command prints something that is not known.
    fn print_unknown(&mut self) {
        if let Some(output) = &mut self.output {
            output.unknown = true;
        }
    }

    fn set(&mut self, run: &mut JobRun<'_>, name: &str, value: Text) {
        let value = if value.as_str().len() > MAX_VALUE {
            run.cx.holes.variable(name)
        } else {
            value
        };
        self.arrays.remove(name);
        self.forget_map(name);
        run.env.insert(name.to_owned(), value);
    }
}

/// Adds words that may stand where a hole does.
fn add_choices(choices: &mut Rc<BTreeMap<Text, Vec<Text>>>, hole: &Text, words: &[Text]) {
    let known = choices.get(hole).map_or(&[][..], Vec::as_slice);
    let is_new = |word: &&Text| *word != hole && !known.contains(word);
    let new: Vec<Text> = words
        .iter()
        .filter(is_new)
        .take(MAX_CHOICES)
        .cloned()
        .collect();
    if !new.is_empty() && known.len() < MAX_CHOICES {
        let all = Rc::make_mut(choices).entry(hole.clone()).or_default();
        all.extend(new);
    }
}

/// The hole that stands for words of an array of which not even the number is known.
fn any_number_of(run: &JobRun<'_>, name: &str) -> Text {
    let words = format!("${{{name}[@]}}");
    run.cx.holes.of(&words, HoleKind::Variable)
}

/// Keeps what two branches agree on, the name of an image whose tag alone differs, and one of two container clients; the
/// rest becomes the hole `$NAME`.
fn agree(run: &JobRun<'_>, mine: &mut Variables, other: &Variables, meeting: &Meeting<'_>) {
    if mine.is_copy_of(other) {
        return;
    }
    for name in mine.differing(other) {
        run.paths_meet(&name, mine.get(&name), other.get(&name));
        let either = engine::either(run, &name, mine.get(&name), other.get(&name));
        let value = match (mine.get(&name), other.get(&name)) {
            (Some(a), Some(b)) => meeting.value(run, &name, a, b, &either),
            _ => None,
        };
        mine.insert(name, value.unwrap_or(either));
    }
}
