//! A makefile is half macro language: which image a recipe runs is often three variables and a
//! function away from the recipe.
//!
//! What only the build run knows (`$(shell …)`, variables that nobody sets) becomes a hole.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hashbrown::HashMap;

use crate::run::JobRun;
use crate::shell::{self, engine, is_name, is_set_by_ci};
use crate::source::{FileId, RepoPath, Span};
use crate::text::{HoleKind, Text, is_hole};

/// Bytes that one value may unfold to: `A=$(B)$(B)` doubles at each step.
const MAX_VALUE: usize = 64 * 1024;

/// References that one call of make may unfold; empty values cost work without growing.
const FUEL: u32 = 200_000;

/// Bytes that all values of one call may have together, those in between counted.
const MAX_WORK: usize = 32 * 1024 * 1024;

/// Bytes of values that are kept for the next reference to the same variable.
const MAX_KEPT: usize = 1024 * 1024;

/// Commands of `$(shell …)` whose output is kept.
const MAX_LISTED: usize = 256;

/// Names that one pattern may mean.
const MAX_NAMES: usize = 200;

/// How deep references may stand in each other.
const MAX_NESTING: usize = 64;

/// A variable as a makefile sets it.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) value: String,
    /// `=`: unfolded at each use, not where it is set.
    pub(super) recursive: bool,
}

/// Variables by name.
pub(super) type Variables = BTreeMap<String, Variable>;

/// What makefiles and their recipes asked of what differs from call to call. A call of which the same would
/// be asked and answered comes to the same.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Variables of the environment, with the values that they had.
    environment: BTreeMap<String, Option<Text>>,
    /// Variables of the command line.
    given: BTreeMap<String, Option<Text>>,
    /// All of these.
    all_given: Option<BTreeMap<String, Text>>,
    /// `$(MAKECMDGOALS)`.
    goals: Option<String>,
    /// Whether the job has signed in by podman alone.
    podman: Option<bool>,
}

/// Values of variables that are unfolded at each use.
#[derive(Default)]
struct Unfolded {
    values: HashMap<String, String>,
    /// Bytes of these.
    size: usize,
}

/// Where references may still lead; what is left of it after the makefiles is for the recipes.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    fuel: Cell<u32>,
    work: Cell<usize>,
}

impl Bounds {
    /// References that were unfolded.
    pub(super) fn unfolded(&self) -> u32 {
        FUEL - self.fuel.get()
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            fuel: Cell::new(FUEL),
            work: Cell::new(MAX_WORK),
        }
    }
}

/// What references are looked up in.
pub(super) struct Scope<'r, 'c> {
    pub(super) run: &'r JobRun<'c>,
    /// The folder make runs in.
    pub(super) cwd: RepoPath,
    /// The makefile that is read first.
    file: Option<FileId>,
    /// What `$(shell …)` prints that only the repository's files say.
    listed: RefCell<HashMap<String, Option<String>>>,
    /// `NAME=value` of the command line; stronger than the makefile.
    given: BTreeMap<String, Text>,
    variables: Rc<Variables>,
    /// What variables unfolded to since one was last set: rules name the same few.
    unfolded: RefCell<Unfolded>,
    /// Names set with `override`; stronger than the command line.
    overridden: Rc<BTreeSet<String>>,
    /// The targets of the command line, as it names them.
    goals: String,
    asked: RefCell<Asked>,
    /// Variables of targets, automatic variables, arguments of `call`; the last one is the strongest.
    pub(super) inner: RefCell<Vec<Variables>>,
    /// Names that are being unfolded.
    open: RefCell<Vec<String>>,
    bounds: Bounds,
    /// What `$(eval …)` made and nobody has read yet.
    pub(super) evaluated: RefCell<Vec<String>>,
    /// The condition of an `$(if …)` is being unfolded, in which what nobody sets is empty.
    asks: Cell<bool>,
}

impl<'r, 'c> Scope<'r, 'c> {
    pub(super) fn new(
        run: &'r JobRun<'c>,
        cwd: RepoPath,
        given: &[(String, Text)],
        goals: String,
    ) -> Self {
        Self {
            run,
            cwd,
            file: None,
            listed: RefCell::default(),
            given: given.iter().cloned().collect(),
            variables: Rc::default(),
            unfolded: RefCell::default(),
            overridden: Rc::default(),
            goals,
            asked: RefCell::default(),
            inner: RefCell::default(),
            open: RefCell::default(),
            bounds: Bounds::default(),
            evaluated: RefCell::default(),
            asks: Cell::new(false),
        }
    }

    /// Begins with this makefile.
    pub(super) fn begin_with(&mut self, file: FileId) {
        self.file = Some(file);
    }

    /// Ends the reading of the makefiles: what they asked, and what they left to be done. What is asked
    /// from here on, the recipes ask.
    pub(super) fn end_reading(&mut self) -> (Asked, Bounds) {
        (self.end_asking(), self.bounds.clone())
    }

    /// What was asked since the last time.
    pub(super) fn end_asking(&self) -> Asked {
        // Who asks next has to ask for itself.
        self.unfolded.take();
        self.asked.take()
    }

    /// Whether this call would be answered what another one was.
    pub(super) fn answers(&self, asked: &Asked) -> bool {
        let mut environment = asked.environment.iter();
        let mut given = asked.given.iter();
        environment.all(|(name, value)| self.run.env.get(name) == value.as_ref())
            && given.all(|(name, value)| self.given.get(name) == value.as_ref())
            && asked
                .all_given
                .as_ref()
                .is_none_or(|given| *given == self.given)
            && asked
                .goals
                .as_ref()
                .is_none_or(|goals| *goals == self.goals)
            && asked
                .podman
                .is_none_or(|podman| podman == engine::signed_in_by_podman(self.run))
    }

    /// A variable of the command line.
    pub(super) fn given(&self, name: &str) -> Option<&Text> {
        let value = self.given.get(name);
        let mut asked = self.asked.borrow_mut();
        if !asked.given.contains_key(name) {
            asked.given.insert(name.to_owned(), value.cloned());
        }
        value
    }

    /// All variables of the command line.
    pub(super) fn all_given(&self) -> &BTreeMap<String, Text> {
        let mut asked = self.asked.borrow_mut();
        asked.all_given.get_or_insert_with(|| self.given.clone());
        &self.given
    }

    /// Whether a variable is set in the environment that make runs in.
    pub(super) fn is_in_environment(&self, name: &str) -> bool {
        self.environment(name).is_some()
    }

    /// Goes on where another call had read the same makefiles, if they would read the same for this one.
    pub(super) fn take_over(
        &mut self,
        asked: &Asked,
        bounds: &Bounds,
        variables: &Rc<Variables>,
        overridden: &Rc<BTreeSet<String>>,
    ) -> bool {
        let same = self.answers(asked);
        if same {
            self.bounds = bounds.clone();
            self.unfolded.take();
            self.variables = Rc::clone(variables);
            self.overridden = Rc::clone(overridden);
        }
        same
    }

    /// The variables that makefiles set so far.
    pub(super) fn variables(&self) -> &Rc<Variables> {
        &self.variables
    }

    /// The same, to set one.
    pub(super) fn variables_mut(&mut self) -> &mut Variables {
        self.unfolded.take();
        Rc::make_mut(&mut self.variables)
    }

    /// The names that are set with `override`.
    pub(super) fn overridden(&self) -> &Rc<BTreeSet<String>> {
        &self.overridden
    }

    /// Notes a name that is set with `override`.
    pub(super) fn override_with(&mut self, name: &str) {
        self.unfolded.take();
        Rc::make_mut(&mut self.overridden).insert(name.to_owned());
    }

    /// A variable of the environment that make runs in.
    fn environment(&self, name: &str) -> Option<&'r Text> {
        let value = self.run.env.get(name);
        let mut asked = self.asked.borrow_mut();
        if !asked.environment.contains_key(name) {
            asked.environment.insert(name.to_owned(), value.cloned());
        }
        value
    }

    /// The likelier of two values, when both are command lines of a container client.
    pub(super) fn likelier<'t>(&self, a: &'t str, b: &'t str) -> Option<&'t str> {
        let mut asked = self.asked.borrow_mut();
        asked
            .podman
            .get_or_insert_with(|| engine::signed_in_by_podman(self.run));
        drop(asked);
        engine::likelier(self.run, a, b)
    }

    fn goals(&self) -> String {
        let mut asked = self.asked.borrow_mut();
        asked.goals.get_or_insert_with(|| self.goals.clone());
        self.goals.clone()
    }

    /// What a command prints on one line, where the repository's files alone say it.
    fn printed(&self, command: &str) -> Option<String> {
        if let Some(known) = self.listed.borrow().get(command) {
            return known.clone();
        }
        let file = self.file?;
        let printed = shell::printed(self.run, &self.cwd, command, Span::new(file, 0, 0));
        let printed = printed.map(|text| text.replace('\n', " "));
        let mut listed = self.listed.borrow_mut();
        if listed.len() < MAX_LISTED {
            listed.insert(command.to_owned(), printed.clone());
        }
        printed
    }

    /// What stands for the part of a name that `%` means, where that is not known.
    pub(super) fn unknown_stem(&self) -> Text {
        self.output("$*")
    }

    /// The words of a name of which nothing is known before the build runs but what prints it.
    pub(super) fn printed_by(&self, name: &str) -> Option<Rc<str>> {
        let mut chars = name.chars();
        let hole = self.run.cx.holes.get(chars.next()?)?;
        (chars.next().is_none() && hole.kind == HoleKind::Output).then_some(hole.written)
    }

    /// How names look that are changed from ones that are not known: `%/.done` of
    /// `$(patsubst %/Dockerfile,%/.done,$(shell …))`.
    pub(super) fn shape(&self, name: &str) -> Option<String> {
        let written = self.printed_by(name)?;
        let to = match written.split_once("patsubst ") {
            Some((_, rest)) => (*arguments(rest).get(1)?).to_owned(),
            None => {
                let inside = |text: &'_ str| {
                    Some(
                        text.strip_prefix("$(")?
                            .strip_suffix(')')?
                            .trim()
                            .to_owned(),
                    )
                };
                let mut name = inside(&written)?;
                while let Some(sorted) = ["sort ", "strip "]
                    .iter()
                    .find_map(|f| name.strip_prefix(f))
                {
                    name = inside(sorted.trim())?;
                }
                let (from, to) = name.split_once(':')?.1.split_once('=')?;
                let whole = from.contains('%');
                if whole {
                    to.to_owned()
                } else {
                    format!("%{to}")
                }
            }
        };
        let shape = self.expand(to.trim());
        let says = shape.contains('%') && shape != "%" && !shape.contains(char::is_whitespace);
        says.then_some(shape)
    }

    /// What is a flag or nothing: the shell reads it by its name as such. It may begin with the blank that
    /// parts it from the word before.
    fn flags(&self, written: &str, apart: bool) -> String {
        // The name of an image is none of a flag.
        let names_image = written.to_ascii_lowercase().contains("image");
        let written = match names_image || written.len() > 400 {
            true => "$(if …)",
            false => written,
        };
        let hole = self.output(&format!("{written} (flags)"));
        format!("{}{}", if apart { " " } else { "" }, hole.as_str())
    }

    fn output(&self, written: &str) -> Text {
        let written: String = written.chars().take(500).collect();
        self.run.cx.holes.of(&written, HoleKind::Output)
    }

    /// Takes the work of making `bytes` of text.
    fn work(&self, bytes: usize) -> bool {
        let left = self.bounds.work.get().checked_sub(bytes);
        self.bounds.work.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Adds a file to `MAKEFILE_LIST`, by the name that it is included by.
    pub(super) fn note_file(&mut self, name: &str) {
        let variables = self.variables_mut();
        let list = variables.entry("MAKEFILE_LIST".to_owned());
        let list = list.or_insert_with(|| Variable {
            value: String::new(),
            recursive: false,
        });
        if list.value.len() < MAX_VALUE {
            list.value = format!("{} {name}", list.value).trim_start().to_owned();
        }
    }

    /// Whether a name has a value, be it an unknown one.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.given(name).is_some()
            || self.inner.borrow().iter().any(|v| v.contains_key(name))
            || self.variables.contains_key(name)
            || matches!(name, "CI" | "MAKECMDGOALS")
            || self.environment(name).is_some()
    }

    /// A value without the variables in it that nothing in the repository sets, and no CI by itself: for
    /// make these are empty.
    pub(super) fn without_unset(&self, value: &str) -> String {
        let unset = |c: char| {
            let hole = self.run.cx.holes.get(c);
            hole.filter(|hole| hole.kind == HoleKind::Variable)
                .is_some_and(|hole| {
                    let name = hole.written.strip_prefix('$').unwrap_or("");
                    is_name(name) && !self.is_set(name) && !is_set_by_ci(name)
                })
        };
        value.chars().filter(|c| !unset(*c)).collect()
    }

    /// A text with every reference in it unfolded.
    pub(super) fn expand(&self, text: &str) -> String {
        self.unfold(text, 0)
    }

    fn unfold(&self, text: &str, depth: usize) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            push(&mut out, before);
            let end = reference(from);
            let (written, after) = from.split_at(end.min(from.len()));
            push(&mut out, &self.value(written, depth));
            rest = after;
        }
        push(&mut out, rest);
        if !self.work(out.len()) {
            return self.output(text).as_str().to_owned();
        }
        out
    }

    /// What one reference (`$(NAME)`, `$@`, `$$`) stands for.
    pub(super) fn value(&self, written: &str, depth: usize) -> String {
        let fuel = self.bounds.fuel.get();
        if fuel == 0 || depth > MAX_NESTING || self.bounds.work.get() == 0 {
            return self.output(written).as_str().to_owned();
        }
        self.bounds.fuel.set(fuel - 1);
        let inside = match written.as_bytes() {
            [b'$', b'$'] => return "$".to_owned(),
            [b'$', b'(' | b'{', .., b')' | b'}'] => written.get(2..written.len() - 1).unwrap_or(""),
            [b'$', _, ..] => written.get(1..).unwrap_or(""),
            _ => return written.to_owned(),
        };
        let name_end = inside.find([' ', '\t', '\n']).unwrap_or(inside.len());
        let (name, arguments) = inside.split_at(name_end);
        if !arguments.is_empty()
            && let Some(value) = self.function(name, arguments.trim_start(), written, depth + 1)
        {
            return value;
        }
        let name = self.unfold(inside, depth + 1);
        if let Some((name, change)) = name.split_once(':')
            && let Some((from, to)) = change.split_once('=')
        {
            let value = self.named(name, depth);
            let is_output = |c: char| {
                let hole = self.run.cx.holes.get(c);
                hole.is_some_and(|hole| hole.kind == HoleKind::Output)
            };
            let (from, to) = match from.contains('%') {
                true => (from.to_owned(), to.to_owned()),
                false => (format!("%{from}"), format!("%{to}")),
            };
            return words(&value, |w| match stem(&from, w) {
                Some(_) => substituted(&from, &to, w),
                // What it is changed to, its words say.
                None if w.chars().all(is_output) => self.output(written).as_str().to_owned(),
                None => w.to_owned(),
            });
        }
        self.named(&name, depth)
    }

    fn named(&self, name: &str, depth: usize) -> String {
        let inner = self
            .inner
            .borrow()
            .iter()
            .rev()
            .find_map(|v| v.get(name).cloned());
        let variable = match inner {
            Some(variable) => Some(variable),
            None => match self.given(name) {
                Some(value) if !self.overridden.contains(name) => return value.as_str().to_owned(),
                _ => self.variables.get(name).cloned(),
            },
        };
        let Some(variable) = variable else {
            return self.outside(name);
        };
        if !variable.recursive {
            return variable.value;
        }
        if self.open.borrow().iter().any(|n| n == name) {
            return self.output(&format!("$({name})")).as_str().to_owned();
        }
        // Where nothing is around it, it unfolds to the same until a variable is set.
        let alone =
            self.open.borrow().is_empty() && self.inner.borrow().is_empty() && !self.asks.get();
        if alone && let Some(known) = self.unfolded.borrow().values.get(name) {
            return known.clone();
        }
        let evaluated = self.evaluated.borrow().len();
        self.open.borrow_mut().push(name.to_owned());
        let value = self.unfold(&variable.value, depth + 1);
        self.open.borrow_mut().pop();
        // What `$(eval …)` does, it does each time.
        if alone && self.evaluated.borrow().len() == evaluated {
            let mut unfolded = self.unfolded.borrow_mut();
            unfolded.size += value.len();
            if unfolded.size > MAX_KEPT {
                *unfolded = Unfolded::default();
            }
            unfolded.values.insert(name.to_owned(), value.clone());
        }
        value
    }

    /// A variable that no makefile sets.
    fn outside(&self, name: &str) -> String {
        match name {
            // The shell follows `make …` in a recipe, with the folder and the variables it has then.
            "MAKE" => self.make(),
            // GitHub and CircleCI both set it so.
            "CI" if self.environment(name).is_none() => "true".to_owned(),
            // Set on Windows alone.
            "OS" if self.environment(name).is_none() => String::new(),
            "MAKEFLAGS" | "MFLAGS" | "MAKEOVERRIDES" | "" => String::new(),
            // Recipes run in this folder, so for every path it is as good as its absolute name.
            "CURDIR" => ".".to_owned(),
            "PWD" if self.environment(name).is_none() => ".".to_owned(),
            "SHELL" => "/bin/sh".to_owned(),
            "RM" => "rm -f".to_owned(),
            "MAKECMDGOALS" => self.goals(),
            _ => {
                self.environment(name);
                self.run.variable(name).as_str().to_owned()
            }
        }
    }

    /// `$(MAKE)`: another make, that takes over the variables of the command line.
    fn make(&self) -> String {
        let given = self.all_given().iter().take(100);
        let given = given.map(|(name, value)| format!(" {name}={}", super::super::quoted(value)));
        format!("make{}", given.collect::<String>())
    }

    /// The name of a file or folder without what leads to it.
    fn name_of(&self, path: &str) -> String {
        match path.rsplit('/').next().unwrap_or("") {
            "." if self.cwd.is_root() => {
                // Under which name the repository is checked out, its files do not say.
                self.output("$(notdir $(CURDIR))").as_str().to_owned()
            }
            "." => self.cwd.name().to_owned(),
            name => name.to_owned(),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm per function of make")]
    fn function(&self, name: &str, raw: &str, written: &str, depth: usize) -> Option<String> {
        let parts = arguments(raw);
        let part = |i: usize| parts.get(i).copied().unwrap_or("");
        let get = |i: usize| self.unfold(part(i), depth);
        // The last argument takes all that is left, commas included.
        let tail = |i: usize| {
            let skipped: usize = parts.iter().take(i).map(|p| p.len() + 1).sum();
            self.unfold(raw.get(skipped..).unwrap_or(""), depth)
        };
        let unknown = || self.output(written).as_str().to_owned();
        // A function of words cannot be computed on what is not known.
        let of_known = |inputs: &[&str], act: &dyn Fn() -> String| {
            if inputs.iter().any(|i| i.contains(is_hole)) {
                unknown()
            } else {
                act()
            }
        };
        Some(match name {
            "shell" => {
                let command = tail(0);
                match command.trim() {
                    "pwd" => ".".to_owned(),
                    // The shell knows it as the root of the repository.
                    "git rev-parse --show-toplevel" => {
                        let root = self.run.cx.holes.of("$PWD", HoleKind::Variable);
                        root.as_str().to_owned()
                    }
                    "uname" | "uname -s" => {
                        self.environment("RUNNER_OS");
                        if super::super::on_other_system(self.run) {
                            unknown()
                        } else {
                            "Linux".to_owned()
                        }
                    }
                    command => self.printed(command).unwrap_or_else(unknown),
                }
            }
            "eval" => {
                let made = tail(0);
                let mut evaluated = self.evaluated.borrow_mut();
                if evaluated.len() < 10_000 {
                    evaluated.push(made);
                }
                String::new()
            }
            "info" | "warning" | "error" => String::new(),
            "if" => {
                let outer = self.asks.replace(true);
                let condition = self.without_unset(&get(0));
                self.asks.set(outer);
                let condition = condition.trim();
                if condition.is_empty() {
                    tail(2)
                } else if !condition.chars().all(is_hole) {
                    get(1)
                } else {
                    // Which branch is taken is open; silence (`@`) or none makes no difference.
                    let (yes, no) = (get(1), tail(2));
                    let flag = |v: &String| v.trim().is_empty() || v.trim().starts_with('-');
                    if yes == no || [&yes, &no].iter().all(|v| matches!(v.trim(), "" | "@")) {
                        yes.trim().trim_start_matches('@').to_owned()
                    } else if flag(&yes) && flag(&no) {
                        self.flags(written, [&yes, &no].iter().any(|v| v.starts_with(' ')))
                    } else {
                        unknown()
                    }
                }
            }
            "or" => {
                let values = (0..parts.len()).map(get).map(|v| v.trim().to_owned());
                let values: Vec<String> = values.filter(|v| !v.is_empty()).collect();
                let known = values.iter().find(|v| !v.chars().all(is_hole));
                // `$(or $(TAG),latest)`: as with a default in the shell, what nobody sets is not set.
                known.or(values.first()).cloned().unwrap_or_default()
            }
            "and" => {
                let mut last = String::new();
                for i in 0..parts.len() {
                    last = get(i).trim().to_owned();
                    if last.is_empty() {
                        break;
                    }
                }
                last
            }
            "strip" => words(&tail(0), str::to_owned),
            "firstword" => tail(0).split_whitespace().next().unwrap_or("").to_owned(),
            "lastword" => tail(0).split_whitespace().last().unwrap_or("").to_owned(),
            "word" => {
                let (n, list) = (get(0), tail(1));
                let index: usize = n.trim().parse().unwrap_or(0);
                of_known(&[&n, &list], &|| {
                    let word = list.split_whitespace().nth(index.saturating_sub(1));
                    word.unwrap_or("").to_owned()
                })
            }
            "abspath" | "realpath" => tail(0),
            "value" => {
                let name = tail(0);
                self.variables
                    .get(&name)
                    .map_or_else(String::new, |v| v.value.clone())
            }
            "addprefix" => {
                let prefix = get(0);
                words(&tail(1), |w| format!("{prefix}{w}"))
            }
            "addsuffix" => {
                let suffix = get(0);
                words(&tail(1), |w| format!("{w}{suffix}"))
            }
            "subst" => {
                let (from, to, text) = (get(0), get(1), tail(2));
                of_known(&[&from, &to, &text], &|| {
                    if from.is_empty() || text.len() * (to.len() + 1) > 16 * MAX_VALUE {
                        text.clone()
                    } else {
                        text.replace(&from, &to)
                    }
                })
            }
            "patsubst" => {
                let (from, to, text) = (get(0), get(1), tail(2));
                // Of what nobody sets there is nothing to change.
                let unset = |c: char| {
                    let hole = self.run.cx.holes.get(c);
                    hole.is_some_and(|hole| hole.kind == HoleKind::Variable)
                };
                if !text.is_empty() && text.chars().all(unset) {
                    let hole = self.run.cx.holes.of(written, HoleKind::Variable);
                    return Some(hole.as_str().to_owned());
                }
                of_known(&[&from, &to, &text], &|| {
                    words(&text, |w| substituted(from.trim(), to.trim(), w))
                })
            }
            "filter" | "filter-out" => {
                let (patterns, mut text) = (get(0), tail(1));
                if name == "filter" && self.asks.get() {
                    text = self.without_unset(&text);
                }
                of_known(&[&patterns, &text], &|| {
                    let patterns: Vec<&str> = patterns.split_whitespace().take(100).collect();
                    if !self.work(text.len() * patterns.len().max(1)) {
                        return unknown();
                    }
                    let keep = text.split_whitespace().filter(|w| {
                        patterns.iter().any(|p| stem(p, w).is_some()) == (name == "filter")
                    });
                    keep.collect::<Vec<_>>().join(" ")
                })
            }
            "sort" => {
                let text = tail(0);
                of_known(&[&text], &|| {
                    let sorted: BTreeSet<&str> = text.split_whitespace().collect();
                    sorted.into_iter().collect::<Vec<_>>().join(" ")
                })
            }
            "notdir" => {
                let text = tail(0);
                of_known(&[&text], &|| words(&text, |w| self.name_of(w)))
            }
            "dir" => words(&tail(0), |w| match w.rfind('/') {
                Some(at) => w.get(..=at).unwrap_or("").to_owned(),
                None => "./".to_owned(),
            }),
            "basename" => {
                let text = tail(0);
                of_known(&[&text], &|| {
                    words(&text, |w| {
                        let at = w
                            .rfind('.')
                            .filter(|&at| !w.get(at..).unwrap_or("").contains('/'));
                        at.and_then(|at| w.get(..at)).unwrap_or(w).to_owned()
                    })
                })
            }
            "wildcard" => {
                let text = tail(0);
                let found = text.split_whitespace().take(100).map(|w| self.glob(w));
                let found: Option<Vec<Vec<String>>> = found.collect();
                found.map_or_else(unknown, |found| found.concat().join(" "))
            }
            "foreach" => {
                let (variable, list) = (get(0), get(1));
                let mut out = String::new();
                for word in list.split_whitespace() {
                    if self.bounds.fuel.get() == 0 || out.len() > MAX_VALUE {
                        break;
                    }
                    let skipped: usize = parts.iter().take(2).map(|p| p.len() + 1).sum();
                    let body = raw.get(skipped..).unwrap_or("");
                    let value = self.with(&[(variable.trim(), word)], || self.unfold(body, depth));
                    if !out.is_empty() {
                        out.push(' ');
                    }
                    push(&mut out, &value);
                }
                out
            }
            "call" => {
                let called = get(0).trim().to_owned();
                let values: Vec<String> = (1..parts.len().min(20)).map(get).collect();
                let numbers: Vec<String> = (1..=9).map(|n| n.to_string()).collect();
                let numbered = numbers.iter().enumerate();
                let bound: Vec<(&str, &str)> = numbered
                    .map(|(i, n)| (n.as_str(), values.get(i).map_or("", String::as_str)))
                    .collect();
                self.with(&bound, || self.named(&called, depth))
            }
            "words" => {
                let text = tail(0);
                of_known(&[&text], &|| text.split_whitespace().count().to_string())
            }
            "wordlist" => {
                let (from, to, list) = (get(0), get(1), tail(2));
                of_known(&[&from, &to, &list], &|| {
                    let from: usize = from.trim().parse().unwrap_or(1);
                    let to: usize = to.trim().parse().unwrap_or(0);
                    let list = list
                        .split_whitespace()
                        .take(to)
                        .skip(from.saturating_sub(1));
                    list.collect::<Vec<_>>().join(" ")
                })
            }
            "findstring" => {
                let (part, mut text) = (get(0), tail(1));
                if self.asks.get() {
                    text = self.without_unset(&text);
                }
                of_known(&[&part, &text], &|| {
                    let found = text.contains(&part);
                    if found { part.clone() } else { String::new() }
                })
            }
            "suffix" => {
                let text = tail(0);
                of_known(&[&text], &|| {
                    let of = |w: &str| {
                        let at = w
                            .rfind('.')
                            .filter(|&at| !w.get(at..).unwrap_or("").contains('/'));
                        at.and_then(|at| w.get(at..)).unwrap_or("").to_owned()
                    };
                    let found: Vec<String> = text
                        .split_whitespace()
                        .map(of)
                        .filter(|s| !s.is_empty())
                        .collect();
                    found.join(" ")
                })
            }
            "join" => {
                let (left, right) = (get(0), tail(1));
                of_known(&[&left, &right], &|| {
                    let mut right = right.split_whitespace();
                    let joined: Vec<String> = left
                        .split_whitespace()
                        .map(|w| format!("{w}{}", right.next().unwrap_or("")))
                        .collect();
                    let rest = right.map(str::to_owned);
                    joined.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
                })
            }
            "origin" => {
                let name = tail(0);
                let name = name.trim();
                let from = if self.given(name).is_some() {
                    "command line"
                } else if self.variables.contains_key(name) {
                    "file"
                } else if self.environment(name).is_some() {
                    "environment"
                } else {
                    return Some(unknown());
                };
                from.to_owned()
            }
            "flavor" | "file" | "guile" | "let" | "intcmp" => unknown(),
            _ => return None,
        })
    }

    /// Does something while these names have these values.
    pub(super) fn with<R>(&self, bound: &[(&str, &str)], act: impl FnOnce() -> R) -> R {
        let layer = bound.iter().map(|(name, value)| {
            let variable = Variable {
                value: (*value).to_owned(),
                recursive: false,
            };
            ((*name).to_owned(), variable)
        });
        self.inner.borrow_mut().push(layer.collect());
        let result = act();
        self.inner.borrow_mut().pop();
        result
    }

    /// Files and folders of the repository that a name with patterns means; `None` when it cannot be told.
    pub(super) fn glob(&self, pattern: &str) -> Option<Vec<String>> {
        let of_system = pattern.starts_with(['/', '~']);
        if of_system || pattern.chars().all(is_hole) {
            return of_system.then(Vec::new);
        }
        let pattern = Text::from(pattern);
        shell::paths(self.run, &self.cwd, &pattern, MAX_NAMES)
    }
}

/// Bytes of the reference that `text` begins with (its first byte is `$`).
pub(super) fn reference(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let Some((at, first)) = chars.next() else {
        return text.len();
    };
    let close = match first {
        '(' => ')',
        '{' => '}',
        _ => return at + first.len_utf8(),
    };
    let mut depth = 0_usize;
    for (at, c) in chars {
        if c == first {
            depth += 1;
        } else if c == close {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return at + 1,
            }
        }
    }
    text.len()
}

/// A function's arguments, split at commas that stand in no reference.
pub(super) fn arguments(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                out.push(text.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(text.get(start..).unwrap_or(""));
    out
}

fn words(text: &str, act: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            push(&mut out, " ");
        }
        push(&mut out, &act(word));
    }
    out
}

/// What `%` of `pattern` stands for in `word`.
pub(super) fn stem<'w>(pattern: &str, word: &'w str) -> Option<&'w str> {
    match pattern.split_once('%') {
        Some((before, after)) => word.strip_prefix(before)?.strip_suffix(after),
        None => (pattern == word).then_some(""),
    }
}

fn substituted(from: &str, to: &str, word: &str) -> String {
    match stem(from, word) {
        Some(stem) => to.replacen('%', stem, 1),
        None => word.to_owned(),
    }
}

fn push(out: &mut String, piece: &str) {
    if out.len() + piece.len() <= MAX_VALUE {
        out.push_str(piece);
    }
}
