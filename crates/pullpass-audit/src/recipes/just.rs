//! `just e2e` hides what it pulls behind a recipe; this module says which scripts it runs, in just's
//! order.

mod expression;
mod reader;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::HashSet;

use super::{Call, Failure, Recipe, quoted};
use crate::compose::env::variables_of;
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::{Mapped, Text, is_hole};

use expression::Scope;
use reader::{Module, literal};

/// The names that just looks for; it minds no case, files in the wild have these.
const NAMES: [&str; 4] = ["justfile", "Justfile", ".justfile", "JUSTFILE"];

/// How deep recipes may need each other.
const MAX_CHAIN: usize = 64;

/// Scripts that one call may run.
const MAX_RECIPES: usize = 2_000;

/// Bytes that all scripts of one call may have together.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Steps that the expressions and dependencies of one call may take.
const FUEL: u32 = 200_000;

pub(super) fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let mut words: Vec<Text> = call
        .targets
        .iter()
        .chain(&call.arguments)
        .cloned()
        .collect();
    let mut folder = match (&call.directory, &call.file, &run.cwd) {
        // From above the repository, the justfile's own folder is where its recipes run.
        (None, Some(_), crate::run::Cwd::Above(_)) => RepoPath::root(),
        _ => super::directory(run, call)?,
    };
    let mut path = match &call.file {
        // `--justfile` is looked for from where just is called, whatever `--working-directory` says.
        Some(given) => run
            .resolve(given)
            .filter(|path| run.cx.sources.exists(path))
            .ok_or_else(|| {
                let shown = run.show(given);
                format!("`{shown}` is not in this repository, or not known before the build runs")
            })?,
        None => {
            if let Some((inside, name)) = words.first().and_then(|w| split_path(w.known()?)) {
                let inside = folder
                    .join(&inside)
                    .ok_or_else(|| format!("the folder `{inside}` is not in this repository"))?;
                folder = inside;
                words.remove(0);
                if !name.is_empty() {
                    words.insert(0, Text::from(name));
                }
            }
            super::file(run, call, &folder, &NAMES, true)?
        }
    };
    loop {
        let source = run.cx.sources.load(&path).map_err(|e| e.message)?;
        let module = Module::read(run, &source);
        let root = match (&call.directory, &call.file) {
            (Some(_), Some(_)) => folder.clone(),
            _ => module.folder.clone(),
        };
        let result = Order::new(run, call, &module, &root).all(&words);
        // `set fallback`: a name that is not here may be in a justfile further up.
        let missing = matches!(result, Err(Failure::NoSuchName(_)));
        let above = module.folder.parent();
        if !missing || !module.is_on("fallback") || module.folder.is_root() || !run.cx.spend() {
            return result;
        }
        match super::file(
            run,
            &Call {
                file: None,
                ..call.clone()
            },
            &above,
            &NAMES,
            true,
        ) {
            Ok(next) => path = next,
            Err(_) => return result,
        }
    }
}

/// `folder/recipe`.
fn split_path(word: &str) -> Option<(String, String)> {
    let (folder, name) = word.rsplit_once('/')?;
    Some((format!("{folder}/"), name.to_owned()))
}

struct Order<'m, 'c> {
    run: &'m JobRun<'c>,
    root: &'m Module,
    /// The folder that recipes of the root run in.
    folder: &'m RepoPath,
    given: BTreeMap<String, Text>,
    dotenv: BTreeMap<String, Text>,
    fuel: Cell<u32>,
    /// Recipes with their arguments that have run.
    done: HashSet<(Span, Vec<String>)>,
    bytes: usize,
    out: Vec<Recipe>,
}

impl<'m, 'c> Order<'m, 'c> {
    fn new(run: &'m JobRun<'c>, call: &Call, root: &'m Module, folder: &'m RepoPath) -> Self {
        Self {
            run,
            root,
            folder,
            given: call.variables.iter().cloned().collect(),
            dotenv: dotenv(run, root, folder),
            fuel: Cell::new(FUEL),
            done: HashSet::new(),
            bytes: 0,
            out: Vec::new(),
        }
    }

    /// Runs what the words of a command line mean: a recipe, its arguments, the next recipe, …
    fn all(mut self, words: &[Text]) -> Result<Vec<Recipe>, Failure> {
        if words.is_empty() {
            let Some(index) = self.root.default_recipe() else {
                let why = format!("`{}` has no recipe", self.root.path);
                return Err(Failure::Unresolved(why));
            };
            self.start(self.root, index, &[], "")?;
            return Ok(self.out);
        }
        let mut rest = words;
        while let Some((first, mut after)) = rest.split_first() {
            let Some(name) = first.known() else {
                return Err(Failure::Unresolved(format!(
                    "which recipe `just {}` means is known only when the build runs",
                    self.run.show(first)
                )));
            };
            let mut found = self.root.find(name);
            let mut module = self.root.module(name);
            let mut shown = name.to_owned();
            // `just deploy up`: a recipe of a module as two words.
            while let (None, Some(inner)) = (found, module) {
                match after
                    .split_first()
                    .and_then(|(w, more)| Some((w.known()?, more)))
                {
                    Some((word, more)) => {
                        shown = format!("{shown} {word}");
                        found = inner.find(word);
                        module = inner.module(word);
                        after = more;
                    }
                    None => {
                        found = inner.default_recipe().map(|index| (inner, index));
                        break;
                    }
                }
            }
            let Some((module, index)) = found else {
                let maybe = if self.root.incomplete {
                    " (it brings in files that are not in this repository)"
                } else {
                    ""
                };
                let why = format!("no recipe `{shown}` in `{}`{maybe}", self.root.path);
                return Err(Failure::NoSuchName(why));
            };
            let taken = self.start(module, index, after, &shown)?;
            rest = after.get(taken..).unwrap_or_default();
        }
        Ok(self.out)
    }

    /// Runs one recipe of the command line; says how many words it took as arguments.
    fn start(
        &mut self,
        module: &'m Module,
        index: usize,
        words: &[Text],
        shown: &str,
    ) -> Result<usize, Failure> {
        let Some(recipe) = module.recipes.get(index) else {
            return Ok(0);
        };
        let most = if recipe.parameters.iter().any(|p| p.variadic) {
            words.len()
        } else {
            recipe.parameters.len().min(words.len())
        };
        let arguments = words.iter().take(most).map(|w| w.as_str().to_owned());
        let arguments: Vec<String> = arguments.collect();
        let needed = recipe.parameters.iter().filter(|p| p.required).count();
        if arguments.len() < needed && !words.iter().any(|w| !w.is_known()) {
            return Err(Failure::Unresolved(format!(
                "the recipe `{}` of `{}` takes {needed} arguments, and {} are given",
                recipe.name,
                module.path,
                arguments.len()
            )));
        }
        let shown = if shown.is_empty() {
            "just".to_owned()
        } else {
            format!("just {shown}")
        };
        self.recipe(module, index, arguments, &shown, true, 0);
        Ok(most)
    }

    /// Runs a recipe with what it needs, once for each set of arguments.
    fn recipe(
        &mut self,
        module: &'m Module,
        index: usize,
        arguments: Vec<String>,
        goal: &str,
        asked: bool,
        depth: usize,
    ) {
        let Some(recipe) = module.recipes.get(index) else {
            return;
        };
        let left = self.fuel.get();
        self.fuel.set(left.saturating_sub(10));
        if depth > MAX_CHAIN {
            return self.limit(super::DEEP);
        }
        if left < 10 || self.out.len() >= MAX_RECIPES {
            return self.limit(super::MANY);
        }
        let key = (recipe.span, arguments);
        if self.done.contains(&key) || !self.run.cx.spend() {
            return;
        }
        let arguments = key.1.clone();
        self.done.insert(key);
        let cwd = self.cwd_of(module, recipe);
        let mut scope = Scope {
            run: self.run,
            module,
            root: self.folder,
            cwd,
            given: &self.given,
            dotenv: &self.dotenv,
            parameters: Vec::new(),
            known: RefCell::default(),
            open: RefCell::default(),
            fuel: &self.fuel,
        };
        bind(&mut scope, recipe, &arguments);
        let resolve = |list: &[reader::Dependency]| -> Vec<(&'m Module, usize, Vec<String>)> {
            let known = list.iter().filter_map(|d| {
                let (module, index) = module.find(&d.name)?;
                Some((module, index, scope.values(&d.arguments)))
            });
            known.collect()
        };
        let (before, after) = (resolve(&recipe.before), resolve(&recipe.after));
        let note = if asked {
            format!("`{goal}` runs this recipe of `{}`", module.path)
        } else {
            format!("`{goal}` runs `{}`, too", recipe.name)
        };
        let made = self.scripts(&scope, recipe, &arguments, &note);
        for (module, index, arguments) in before {
            self.recipe(module, index, arguments, goal, false, depth + 1);
        }
        for recipe in made {
            self.bytes += recipe.script.text.len();
            if self.out.len() < MAX_RECIPES && self.bytes < MAX_BYTES {
                self.out.push(recipe);
            } else {
                self.limit(super::MANY);
            }
        }
        if after.is_empty() {
            return;
        }
        // What comes after a recipe runs even when it has run before.
        let done = std::mem::take(&mut self.done);
        for (module, index, arguments) in after {
            self.recipe(module, index, arguments, goal, false, depth + 1);
        }
        self.done = done;
    }

    fn limit(&self, more: &str) {
        self.run.cx.note_limit_of(&self.root.path, more);
    }

    fn cwd_of(&self, module: &Module, recipe: &reader::Recipe) -> RepoPath {
        let called = self.run.cwd.inside().unwrap_or(self.folder);
        if recipe.attribute("no-cd").is_some() {
            return called.clone();
        }
        let base = if std::ptr::eq(module, self.root) {
            self.folder
        } else {
            &module.folder
        };
        let set = module.setting("working-directory").and_then(literal);
        let base = set
            .and_then(|set| base.join(&set))
            .unwrap_or_else(|| base.clone());
        match recipe.attribute("working-directory") {
            Some(folder) if !folder.is_empty() => base.join(folder).unwrap_or(base),
            _ => base,
        }
    }

    fn scripts(
        &self,
        scope: &Scope<'_, '_>,
        recipe: &reader::Recipe,
        arguments: &[String],
        note: &str,
    ) -> Vec<Recipe> {
        let module = scope.module;
        let is_script = recipe.attribute("script");
        let shebang = recipe.body.first().and_then(|l| l.text.strip_prefix("#!"));
        let whole = shebang.is_some() || is_script.is_some();
        let interpreter = match (shebang, is_script) {
            (Some(line), _) => line.to_owned(),
            (None, Some(named)) if !named.is_empty() => named.to_owned(),
            (None, Some(_)) => module
                .setting("script-interpreter")
                .unwrap_or("sh")
                .to_owned(),
            (None, None) => module.setting("shell").unwrap_or("sh").to_owned(),
        };
        if is_other_language(&interpreter) {
            return Vec::new();
        }
        let lines: Vec<Mapped> = recipe.body.iter().map(|l| evaluated(scope, l)).collect();
        let positional = module.is_on("positional-arguments")
            || recipe.attribute("positional-arguments").is_some();
        let env: Rc<[(String, Text)]> = environment(scope, recipe).into();
        let note: Rc<str> = note.into();
        let mut scripts = Vec::new();
        if whole {
            scripts.extend(lines.into_iter().reduce(|mut all, line| {
                super::join(&mut all, &line);
                all
            }));
        } else {
            let mut open: Option<Mapped> = None;
            for mut line in lines {
                if open.is_none() {
                    let skipped = line.text.find(|c| !matches!(c, '@' | '-' | ' ' | '\t'));
                    let skipped = skipped.unwrap_or(line.text.len());
                    line = line.part(skipped, line.text.len());
                }
                let goes_on = line.text.ends_with('\\');
                let all = match open.take() {
                    Some(mut before) => {
                        super::join(&mut before, &line);
                        before
                    }
                    None => line,
                };
                if goes_on {
                    open = Some(all);
                } else {
                    scripts.push(all);
                }
            }
            scripts.extend(open);
        }
        scripts
            .into_iter()
            .filter(|script| {
                let text = script.text.trim();
                !text.is_empty() && (whole || !text.starts_with('#'))
            })
            .map(|script| Recipe {
                script: if positional {
                    with_arguments(script, arguments)
                } else {
                    script
                },
                cwd: scope.cwd.clone(),
                env: Rc::clone(&env),
                guards: Rc::from([]),
                span: recipe.span,
                note: Rc::clone(&note),
            })
            .collect()
    }
}

/// `set -- …` in front of a script that looks at its positional parameters.
fn with_arguments(script: Mapped, arguments: &[String]) -> Mapped {
    let looks = script.text.split('$').skip(1).any(|rest| {
        rest.trim_start_matches(['{', '#'])
            .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '@' | '*'))
            || rest.starts_with('#')
    });
    if !looks {
        return script;
    }
    let words: Vec<String> = arguments
        .iter()
        .map(|a| quoted(&Text::from(a.as_str())))
        .collect();
    let mut out = Mapped::empty(script.file());
    out.push(
        &format!("set -- {}\n", words.join(" ")),
        script.whole().start,
        false,
    );
    out.append(&script);
    out
}

/// Gives the parameters their values; one that is not given and has no default is not known.
fn bind(scope: &mut Scope<'_, '_>, recipe: &reader::Recipe, arguments: &[String]) {
    let mut rest = arguments.iter();
    for parameter in &recipe.parameters {
        let value = if parameter.variadic && !rest.as_slice().is_empty() {
            let all: Vec<String> = rest.by_ref().cloned().collect();
            all.join(" ")
        } else if let Some(given) = rest.next() {
            given.clone()
        } else if let Some(default) = &parameter.default {
            scope.value(default)
        } else if parameter.required {
            let hole = scope.run.variable(&parameter.name);
            hole.as_str().to_owned()
        } else {
            String::new()
        };
        scope.parameters.push((parameter.name.clone(), value));
    }
}

/// A line with each `{{ … }}` evaluated.
fn evaluated(scope: &Scope<'_, '_>, line: &Mapped) -> Mapped {
    let mut edits: Vec<(usize, usize, Text)> = Vec::new();
    let mut at = 0;
    while let Some(found) = line.text.get(at..).and_then(|t| t.find("{{")) {
        let start = at + found;
        let rest = line.text.get(start..).unwrap_or("");
        if rest.starts_with("{{{{") {
            edits.push((start, start + 4, Text::from("{{")));
            at = start + 4;
            continue;
        }
        let inside = rest.get(2..).unwrap_or("");
        let Some(length) = interpolation(inside) else {
            break;
        };
        let value = scope.value(inside.get(..length).unwrap_or(""));
        at = start + length + 4;
        edits.push((start, at, Text::new(value)));
    }
    if edits.is_empty() {
        line.clone()
    } else {
        line.replace(&edits)
    }
}

/// Bytes until the `}}` that is in no string.
fn interpolation(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with("}}") && !rest.starts_with("}}}") {
            return Some(at);
        }
        let c = rest.chars().next()?;
        at += match c {
            '\'' | '"' | '`' => expression::string(rest).unwrap_or(1),
            _ => c.len_utf8(),
        };
    }
}

/// What a recipe finds in its environment.
fn environment(scope: &Scope<'_, '_>, recipe: &reader::Recipe) -> Vec<(String, Text)> {
    let mut env: BTreeMap<String, Text> = scope
        .dotenv
        .iter()
        .filter(|(name, _)| !scope.run.env.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let all = scope.module.is_on("export");
    let mut names: Vec<&String> = scope
        .module
        .assignments
        .iter()
        .filter(|(_, a)| a.exported || all)
        .map(|(name, _)| name)
        .take(1_000)
        .collect();
    names.sort();
    for name in names {
        env.insert(name.clone(), Text::new(scope.named(name, 0)));
    }
    for (parameter, (name, value)) in recipe.parameters.iter().zip(&scope.parameters) {
        if parameter.exported || all {
            env.insert(name.clone(), Text::from(value.as_str()));
        }
    }
    env.into_iter().collect()
}

/// The variables of the `.env` file, when the justfile asks for one.
fn dotenv(run: &JobRun<'_>, module: &Module, folder: &RepoPath) -> BTreeMap<String, Text> {
    let given = |name| module.setting(name).and_then(literal);
    let path = given("dotenv-path");
    let file = given("dotenv-filename");
    if path.is_none() && file.is_none() && !module.is_on("dotenv-load") {
        return BTreeMap::new();
    }
    let name = path.clone().or(file).unwrap_or_else(|| ".env".to_owned());
    let mut at = folder.clone();
    loop {
        let found = at.join(&name).filter(|p| run.cx.sources.exists(p));
        if let Some(found) = found {
            return variables_of(run, &found);
        }
        if at.is_root() || path.is_some() || !run.cx.spend() {
            return BTreeMap::new();
        }
        at = at.parent();
    }
}

/// Whether a recipe is a program in a language that is no shell's.
fn is_other_language(interpreter: &str) -> bool {
    const OTHERS: [&str; 13] = [
        "python", "node", "deno", "bun", "ruby", "perl", "php", "lua", "uv", "julia", "Rscript",
        "ts-node", "tsx",
    ];
    interpreter
        .split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)))
        .any(|word| {
            OTHERS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
        })
        && !interpreter.contains(is_hole)
}

#[cfg(test)]
mod tests;
