//! A makefile is half macro language: which image a recipe runs is often three variables and a
//! function away from the recipe.
//!
//! What only the build run knows (`$(shell …)`, variables that nobody sets) becomes a hole.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ecow::EcoString;
use hashbrown::{HashMap, HashSet};

use super::functions::{stem, substituted, words};
use super::template::{Means, Parsed, Piece, Reference, Template, arguments};
use crate::run::JobRun;
use crate::shell::{self, engine, is_name, is_set_by_ci};
use crate::source::{FileId, RepoPath, Span};
use crate::text::{HoleKind, Text, has_hole, is_hole};

/// Bytes that one value may unfold to: `A=$(B)$(B)` doubles at each step.
pub(super) const MAX_VALUE: usize = 64 * 1024;

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
    pub(super) value: EcoString,
    /// `=`: unfolded at each use, not where it is set.
    pub(super) recursive: bool,
}

/// Variables by name.
pub(super) type Variables = HashMap<EcoString, Variable>;

/// Variables that are set for a while only.
pub(super) enum Layer {
    /// Automatic variables of a recipe.
    Automatic(Vec<(EcoString, EcoString)>),
    /// Arguments of `call`, the variable of `foreach`.
    Few(Vec<(EcoString, EcoString)>),
    /// Variables of a target.
    Own(Variables),
    /// What `$(eval …)` in recipes has set by now.
    Made(Variables),
}

impl Layer {
    fn get(&self, name: &str) -> Option<Variable> {
        match self {
            Self::Automatic(values) | Self::Few(values) => {
                let (_, value) = values.iter().find(|(own, _)| own == name)?;
                Some(Variable {
                    value: value.clone(),
                    recursive: false,
                })
            }
            Self::Own(variables) | Self::Made(variables) => variables.get(name).cloned(),
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Automatic(values) | Self::Few(values) => {
                values.iter().any(|(own, _)| own == name)
            }
            Self::Own(variables) | Self::Made(variables) => variables.contains_key(name),
        }
    }
}

/// What makefiles and their recipes asked of what differs from call to call. A call of which the same would
/// be asked and answered comes to the same.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Variables of the environment, with the values that they had.
    environment: HashMap<EcoString, Option<Text>>,
    /// Variables of the command line.
    given: HashMap<EcoString, Option<Text>>,
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
    /// With nothing around them.
    values: HashMap<EcoString, EcoString>,
    /// In recipes, of those that make no use of automatic variables.
    in_recipes: HashMap<EcoString, EcoString>,
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
    overridden: Rc<HashSet<EcoString>>,
    /// The targets of the command line, as it names them.
    goals: String,
    asked: RefCell<Asked>,
    /// Variables of targets, automatic variables, arguments of `call`; the last one is the strongest.
    pub(super) inner: RefCell<Vec<Layer>>,
    /// Names that are being unfolded.
    open: RefCell<Vec<EcoString>>,
    bounds: Bounds,
    /// What `$(eval …)` made and nobody has read yet.
    pub(super) evaluated: RefCell<Vec<EcoString>>,
    /// The condition of an `$(if …)` is being unfolded, in which what nobody sets is empty.
    pub(super) asks: Cell<bool>,
    /// How often a variable of `inner` was asked for.
    answered: Cell<usize>,
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
            answered: Cell::new(0),
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
        // What differs most often first: the environment is long, and mostly the same.
        asked
            .goals
            .as_ref()
            .is_none_or(|goals| *goals == self.goals)
            && asked
                .all_given
                .as_ref()
                .is_none_or(|given| *given == self.given)
            && given.all(|(name, value)| self.given.get(name.as_str()) == value.as_ref())
            && environment.all(|(name, value)| self.run.env.get(name.as_str()) == value.as_ref())
            && asked
                .podman
                .is_none_or(|podman| podman == engine::signed_in_by_podman(self.run))
    }

    /// A variable of the command line.
    pub(super) fn given(&self, name: &str) -> Option<&Text> {
        let value = self.given.get(name);
        let mut asked = self.asked.borrow_mut();
        if !asked.given.contains_key(name) {
            asked.given.insert(name.into(), value.cloned());
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
        overridden: &Rc<HashSet<EcoString>>,
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
    pub(super) fn overridden(&self) -> &Rc<HashSet<EcoString>> {
        &self.overridden
    }

    /// Notes a name that is set with `override`.
    pub(super) fn override_with(&mut self, name: &str) {
        self.unfolded.take();
        Rc::make_mut(&mut self.overridden).insert(name.into());
    }

    /// A variable of the environment that make runs in.
    fn environment(&self, name: &str) -> Option<&'r Text> {
        let value = self.run.env.get(name);
        let mut asked = self.asked.borrow_mut();
        if !asked.environment.contains_key(name) {
            asked.environment.insert(name.into(), value.cloned());
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
    pub(super) fn printed(&self, command: &str) -> Option<String> {
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
    pub(super) fn shape(&self, name: &str) -> Option<EcoString> {
        let written = self.printed_by(name)?;
        let to = match written.split_once("patsubst ") {
            Some((_, rest)) => rest.get(arguments(rest).get(1)?.clone())?.to_owned(),
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
    pub(super) fn flags(&self, written: &str, apart: bool) -> EcoString {
        // The name of an image is none of a flag.
        let names_image = written.to_ascii_lowercase().contains("image");
        let written = match names_image || written.len() > 400 {
            true => "$(if …)",
            false => written,
        };
        let hole = self.output(&format!("{written} (flags)"));
        let mut out = EcoString::from(if apart { " " } else { "" });
        out.push_str(hole.as_str());
        out
    }

    pub(super) fn output(&self, written: &str) -> Text {
        let end = written.char_indices().nth(500);
        let written = end
            .and_then(|(end, _)| written.get(..end))
            .unwrap_or(written);
        self.run.cx.holes.of(written, HoleKind::Output)
    }

    /// Takes the work of making `bytes` of text.
    pub(super) fn work(&self, bytes: usize) -> bool {
        let left = self.bounds.work.get().checked_sub(bytes);
        self.bounds.work.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Adds a file to `MAKEFILE_LIST`, by the name that it is included by.
    pub(super) fn note_file(&mut self, name: &str) {
        let variables = self.variables_mut();
        let list = variables.entry("MAKEFILE_LIST".into());
        let list = list.or_insert_with(|| Variable {
            value: EcoString::new(),
            recursive: false,
        });
        if list.value.len() < MAX_VALUE {
            if !list.value.is_empty() {
                list.value.push(' ');
            }
            list.value.push_str(name);
        }
    }

    /// Whether a name has a value, be it an unknown one.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.given(name).is_some()
            || self.inner.borrow().iter().any(|v| v.has(name))
            || self.variables.contains_key(name)
            || matches!(name, "CI" | "MAKECMDGOALS")
            || self.environment(name).is_some()
    }

    /// A value without the variables in it that nothing in the repository sets, and no CI by itself: for
    /// make these are empty.
    pub(super) fn without_unset(&self, value: EcoString) -> EcoString {
        if !has_hole(&value) {
            return value;
        }
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
    pub(super) fn expand(&self, text: &str) -> EcoString {
        if !text.contains('$') {
            return text.into();
        }
        self.unfold(&self.template(text), 0)
    }

    /// What one reference (`$(NAME)`, `$@`, `$$`) stands for.
    pub(super) fn value(&self, written: &str) -> EcoString {
        let template = self.template(written);
        match template.parsed() {
            Parsed::Pieces(pieces) => match &**pieces {
                [Piece::Reference(reference)] => self.stands_for(&template, reference, 0),
                _ => self.unfold(&template, 0),
            },
            Parsed::Plain(plain) => plain.clone(),
        }
    }

    fn template(&self, text: &str) -> Rc<Template> {
        self.run.cx.make_texts.borrow_mut().get(text)
    }

    /// Whether references still lead anywhere.
    pub(super) fn goes_on(&self) -> bool {
        self.bounds.fuel.get() > 0
    }

    pub(super) fn unfold(&self, template: &Template, depth: usize) -> EcoString {
        let pieces = match template.parsed() {
            Parsed::Plain(plain) => return plain.clone(),
            Parsed::Pieces(pieces) => pieces,
        };
        let out = if let [Piece::Reference(reference)] = &**pieces {
            self.stands_for(template, reference, depth)
        } else {
            let mut out = EcoString::new();
            for piece in pieces {
                match piece {
                    Piece::Text(range) => push(&mut out, template.of_whole(range)),
                    Piece::Reference(reference) => {
                        push(&mut out, &self.stands_for(template, reference, depth));
                    }
                }
            }
            out
        };
        if !self.work(out.len()) {
            return self.output(template.text()).into();
        }
        self.cut(out)
    }

    /// As much of a value as is looked at.
    fn cut(&self, value: EcoString) -> EcoString {
        if value.len() <= MAX_VALUE {
            return value;
        }
        if let Some(file) = self.file {
            let path = &self.run.cx.sources.get(file).path;
            self.run.cx.note_limit_of(path, super::super::LONG);
        }
        let kept = (0..=MAX_VALUE).rev().find_map(|end| value.get(..end));
        let kept = kept.unwrap_or("");
        // The last word may have lost its end.
        let end = kept.rfind(char::is_whitespace).unwrap_or(0);
        kept.get(..end).unwrap_or("").into()
    }

    fn stands_for(&self, template: &Template, reference: &Reference, depth: usize) -> EcoString {
        let written = || template.of_whole(&reference.written);
        let fuel = self.bounds.fuel.get();
        if fuel == 0 || depth > MAX_NESTING || self.bounds.work.get() == 0 {
            return self.output(written()).into();
        }
        self.bounds.fuel.set(fuel - 1);
        let name = match &reference.means {
            Means::Dollar | Means::Itself => return "$".into(),
            Means::Call(call) => return self.function(call, written(), depth + 1),
            Means::Named(name) => self.unfold(name, depth + 1),
        };
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
            return words(&value, |out, w| match stem(&from, w) {
                Some(_) => substituted(out, &from, &to, w),
                // What it is changed to, its words say.
                None if w.chars().all(is_output) => push(out, self.output(written()).as_str()),
                None => push(out, w),
            });
        }
        self.named(&name, depth)
    }

    /// The value of a variable that is set for a while only.
    pub(super) fn inner(&self, name: &str) -> Option<Variable> {
        let inner = self.inner.borrow();
        let found = inner.iter().rev().find_map(|v| v.get(name))?;
        self.answered.set(self.answered.get() + 1);
        Some(found)
    }

    /// Where what a variable unfolds to now may be kept, if anywhere: where nothing is around it, it is the same
    /// until a variable is set. The names of automatic variables are the same in each recipe.
    fn kept<'u>(
        &self,
        unfolded: &'u mut Unfolded,
    ) -> Option<&'u mut HashMap<EcoString, EcoString>> {
        if self.asks.get() || !self.open.borrow().is_empty() {
            return None;
        }
        match &**self.inner.borrow() {
            [] => Some(&mut unfolded.values),
            [Layer::Automatic(_)] => Some(&mut unfolded.in_recipes),
            _ => None,
        }
    }

    pub(super) fn named(&self, name: &str, depth: usize) -> EcoString {
        let variable = match self.inner(name) {
            Some(variable) => Some(variable),
            None => match self.given(name) {
                Some(value) if !self.overridden.contains(name) => return value.clone().into(),
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
            return self.output(&format!("$({name})")).into();
        }
        if let Some(kept) = self.kept(&mut self.unfolded.borrow_mut())
            && let Some(known) = kept.get(name)
        {
            return known.clone();
        }
        if !variable.value.contains('$') {
            return variable.value;
        }
        let before = (self.evaluated.borrow().len(), self.answered.get());
        self.open.borrow_mut().push(name.into());
        let value = self.unfold(&self.template(&variable.value), depth + 1);
        self.open.borrow_mut().pop();
        // What `$(eval …)` does, it does each time.
        if before == (self.evaluated.borrow().len(), self.answered.get()) {
            let mut unfolded = self.unfolded.borrow_mut();
            if unfolded.size + value.len() > MAX_KEPT {
                *unfolded = Unfolded::default();
            }
            if let Some(kept) = self.kept(&mut unfolded) {
                kept.insert(name.into(), value.clone());
                unfolded.size += value.len();
            }
        }
        value
    }

    /// A variable that no makefile sets.
    fn outside(&self, name: &str) -> EcoString {
        match name {
            // The shell follows `make …` in a recipe, with the folder and the variables it has then.
            "MAKE" => self.make().into(),
            // GitHub and CircleCI both set it so.
            "CI" if self.environment(name).is_none() => "true".into(),
            // Set on Windows alone.
            "OS" if self.environment(name).is_none() => EcoString::new(),
            "MAKEFLAGS" | "MFLAGS" | "MAKEOVERRIDES" | "" => EcoString::new(),
            // Recipes run in this folder, so for every path it is as good as its absolute name.
            "CURDIR" => ".".into(),
            "PWD" if self.environment(name).is_none() => ".".into(),
            "SHELL" => "/bin/sh".into(),
            "RM" => "rm -f".into(),
            "MAKECMDGOALS" => self.goals().into(),
            _ => {
                self.environment(name);
                self.run.variable(name).into()
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
    pub(super) fn name_of(&self, path: &str) -> String {
        match path.rsplit('/').next().unwrap_or("") {
            "." if self.cwd.is_root() => {
                // Under which name the repository is checked out, its files do not say.
                self.output("$(notdir $(CURDIR))").as_str().to_owned()
            }
            "." => self.cwd.name().to_owned(),
            name => name.to_owned(),
        }
    }

    /// Sets a variable from here on. Those of targets are stronger.
    pub(super) fn set_in_recipe(&self, name: EcoString, value: Variable) {
        let mut inner = self.inner.borrow_mut();
        if !matches!(inner.first(), Some(Layer::Made(_))) {
            inner.insert(0, Layer::Made(Variables::new()));
        }
        if let Some(Layer::Made(variables)) = inner.first_mut() {
            variables.insert(name, value);
        }
    }

    /// Does something while these names have these values.
    pub(super) fn with<R>(&self, bound: &[(&str, &str)], act: impl FnOnce() -> R) -> R {
        self.within(Layer::Few(layer(bound)), act)
    }

    /// Does something while automatic variables have these values.
    pub(super) fn in_recipe<R>(&self, automatic: &[(&str, &str)], act: impl FnOnce() -> R) -> R {
        self.within(Layer::Automatic(layer(automatic)), act)
    }

    fn within<R>(&self, layer: Layer, act: impl FnOnce() -> R) -> R {
        self.inner.borrow_mut().push(layer);
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

fn layer(bound: &[(&str, &str)]) -> Vec<(EcoString, EcoString)> {
    let bound = bound.iter();
    bound
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// Adds to a value, until it is longer than is looked at: `Scope::cut` then says so.
pub(super) fn push(out: &mut EcoString, piece: &str) {
    if out.len() <= MAX_VALUE {
        out.push_str(piece);
    }
}
