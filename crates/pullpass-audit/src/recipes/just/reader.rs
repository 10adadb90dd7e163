//! The syntax of justfiles: lines to recipes, variables, settings and modules.

use std::collections::BTreeMap;
use std::rc::Rc;

use hashbrown::HashMap;

use super::expression::{string, word};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
use crate::text::Mapped;

/// Files that imports and modules may bring in, in all.
const MAX_FILES: usize = 100;

/// How deep files may bring in each other.
const MAX_DEPTH: usize = 12;

/// Recipes and variables of one module; only hostile input has more.
const MAX_ITEMS: usize = 10_000;

/// `NAME := expression`.
pub(super) struct Assignment {
    source: Rc<Source>,
    start: usize,
    end: usize,
    pub(super) exported: bool,
    imported: bool,
}

impl Assignment {
    pub(super) fn value(&self) -> &str {
        self.source.text.get(self.start..self.end).unwrap_or("")
    }
}

/// A parameter of a recipe.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) exported: bool,
    /// `+` and `*`: all arguments that are left.
    pub(super) variadic: bool,
    /// An argument must be given.
    pub(super) required: bool,
    /// The expression behind `=`.
    pub(super) default: Option<String>,
}

/// `name` or `(name expression …)`.
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// One recipe.
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) before: Vec<Dependency>,
    pub(super) after: Vec<Dependency>,
    /// Lines without their indentation, not yet evaluated; a continuation is a line of its own.
    pub(super) body: Vec<Mapped>,
    pub(super) span: Span,
    /// Attributes with the text of their argument.
    attributes: Vec<(String, String)>,
    /// It came by an `import`, so one of the same name in the file itself is stronger.
    imported: bool,
    /// The folder of the file that it stands in.
    pub(super) folder: RepoPath,
}

impl Recipe {
    /// The argument of an attribute (empty when it has none).
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(n, _)| n == name);
        found.map(|(_, argument)| argument.as_str())
    }

    /// Whether it is there on Linux.
    fn on_linux(&self) -> bool {
        let systems = [
            "linux", "unix", "macos", "windows", "openbsd", "freebsd", "netbsd",
        ];
        let mut named = systems
            .iter()
            .filter(|s| self.attribute(s).is_some())
            .peekable();
        named.peek().is_none() || named.any(|s| matches!(*s, "linux" | "unix"))
    }
}

/// A justfile with all that it imports.
pub(super) struct Module {
    pub(super) path: RepoPath,
    pub(super) folder: RepoPath,
    pub(super) assignments: HashMap<String, Assignment>,
    pub(super) recipes: Vec<Recipe>,
    by_name: HashMap<String, usize>,
    aliases: HashMap<String, String>,
    settings: BTreeMap<String, String>,
    modules: BTreeMap<String, Module>,
    /// Something that it brings in is not in the repository, so a name may be there.
    pub(super) incomplete: bool,
}

impl Module {
    /// Reads a justfile and what it brings in.
    pub(super) fn read(run: &JobRun<'_>, source: &Rc<Source>) -> Self {
        let mut files = MAX_FILES;
        Self::load(run, source, 0, &mut files)
    }

    fn load(run: &JobRun<'_>, source: &Rc<Source>, depth: usize, files: &mut usize) -> Self {
        let mut module = Self {
            path: source.path.clone(),
            folder: source.path.parent(),
            assignments: HashMap::new(),
            recipes: Vec::new(),
            by_name: HashMap::new(),
            aliases: HashMap::new(),
            settings: BTreeMap::new(),
            modules: BTreeMap::new(),
            incomplete: false,
        };
        let mut reader = Reader {
            run,
            module: &mut module,
            files,
            opened: vec![source.path.clone()],
        };
        reader.file(source, depth, false);
        for (index, recipe) in module.recipes.iter().enumerate() {
            let old = module.by_name.get(&recipe.name);
            let old = old.and_then(|&i| module.recipes.get(i));
            let stronger = old.is_none_or(|old| {
                (recipe.on_linux(), !recipe.imported) >= (old.on_linux(), !old.imported)
            });
            if stronger {
                module.by_name.insert(recipe.name.clone(), index);
            }
        }
        module
    }

    /// A recipe by its name or alias.
    pub(super) fn recipe(&self, name: &str) -> Option<usize> {
        let direct = self.by_name.get(name).copied();
        direct.or_else(|| self.by_name.get(self.aliases.get(name)?).copied())
    }

    /// A path of names (`deploy::up`) that leads through modules, aliases looked through.
    pub(super) fn find(&self, path: &str) -> Option<(&Self, usize)> {
        if let Some(index) = self.recipe(path) {
            return Some((self, index));
        }
        let path = self.aliases.get(path).map_or(path, String::as_str);
        let (module, rest) = path.split_once("::")?;
        self.modules.get(module)?.find(rest)
    }

    pub(super) fn module(&self, name: &str) -> Option<&Self> {
        self.modules.get(name)
    }

    /// The recipe that runs when none is named.
    pub(super) fn default_recipe(&self) -> Option<usize> {
        let marked = self
            .recipes
            .iter()
            .position(|r| r.attribute("default").is_some());
        marked
            .or_else(|| self.recipes.iter().position(|r| !r.imported))
            .or((!self.recipes.is_empty()).then_some(0))
    }

    /// What a setting is set to; `true` for one that is only named.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Whether a setting is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.setting(name).is_some_and(|value| value != "false")
    }
}

struct Reader<'a, 'c> {
    run: &'a JobRun<'c>,
    module: &'a mut Module,
    files: &'a mut usize,
    /// Files that are read already: an import in a circle ends here.
    opened: Vec<RepoPath>,
}

impl Reader<'_, '_> {
    fn file(&mut self, source: &Rc<Source>, depth: usize, imported: bool) {
        let text: &str = &source.text;
        let mut at = 0;
        let mut attributes: Vec<(String, String)> = Vec::new();
        while at < text.len() && self.run.cx.spend() {
            let start = at;
            at = statement_end(text, start);
            let raw = text.get(start..at).unwrap_or("");
            let line = raw.trim();
            if line.is_empty() || line.starts_with('#') || raw.starts_with([' ', '\t']) {
                continue;
            }
            if let Some(inside) = line.strip_prefix('[') {
                attributes.extend(read_attributes(inside));
                continue;
            }
            let attributes = std::mem::take(&mut attributes);
            if self.statement(source, start, raw, depth) {
                continue;
            }
            let (body, after) = body(source, at);
            at = after;
            let span = Span::new(source.id, start, start + raw.trim_end().len());
            if self.module.recipes.len() >= MAX_ITEMS {
                return self.run.cx.note_limit_of(&source.path, super::super::MANY);
            }
            if let Some(mut recipe) = header(line, span) {
                recipe.body = body;
                recipe.attributes = attributes;
                recipe.imported = imported;
                recipe.folder = source.path.parent();
                self.module.recipes.push(recipe);
            }
        }
    }

    /// Whatever is no recipe. `false` when it is one.
    fn statement(&mut self, source: &Rc<Source>, start: usize, raw: &str, depth: usize) -> bool {
        let line = raw.trim_end();
        let first = word(line);
        let rest = line.get(first.len()..).unwrap_or("");
        let after = rest.trim_start();
        let second = word(after);
        let behind = after.get(second.len()..).unwrap_or("").trim_start();
        match first {
            "set" if !after.starts_with(':') || after.starts_with(":=") && second.is_empty() => {
                if !second.is_empty() && self.module.settings.len() < MAX_ITEMS {
                    let value = behind.strip_prefix(":=").map_or("true", str::trim);
                    let settings = &mut self.module.settings;
                    settings
                        .entry(second.to_owned())
                        .or_insert_with(|| value.to_owned());
                }
                !second.is_empty()
            }
            "alias" if behind.starts_with(":=") => {
                let target = behind.trim_start_matches([':', '=', ' ', '\t']);
                let end = target.find(char::is_whitespace).unwrap_or(target.len());
                let target = target.get(..end).unwrap_or("").to_owned();
                self.module.aliases.insert(second.to_owned(), target);
                true
            }
            "import" if after.starts_with(['\'', '"', '?', 'x']) => {
                self.import(source, after.trim_start_matches('?').trim(), depth);
                true
            }
            "mod" if !second.is_empty() || after.starts_with('?') => {
                if behind.starts_with(':') {
                    return false;
                }
                self.submodule(source, after.trim_start_matches('?').trim(), depth);
                true
            }
            "unexport" if !second.is_empty() && behind.is_empty() => true,
            "export" if behind.starts_with(":=") => {
                self.assign(source, start, raw, second, true);
                true
            }
            "" => false,
            _ if after.starts_with(":=") => {
                self.assign(source, start, raw, first, false);
                true
            }
            _ => false,
        }
    }

    fn assign(&mut self, source: &Rc<Source>, start: usize, raw: &str, name: &str, exported: bool) {
        let Some(at) = raw.find(":=") else { return };
        if self.module.assignments.len() >= MAX_ITEMS {
            return;
        }
        let assignment = Assignment {
            source: Rc::clone(source),
            start: start + at + 2,
            end: start + raw.len(),
            exported,
            imported: source.path != self.module.path,
        };
        let known = self.module.assignments.get(name);
        // The justfile itself is stronger than what it imports.
        if known.is_none_or(|known| known.imported && !assignment.imported) {
            self.module.assignments.insert(name.to_owned(), assignment);
        }
    }

    /// Whether files that a file brings in are still read; that they are not is said.
    fn goes_on(&mut self, from: &Source, depth: usize) -> bool {
        let goes_on = depth < MAX_DEPTH && *self.files > 0;
        if !goes_on {
            self.module.incomplete = true;
            self.run.cx.note_limit_of(&from.path, super::super::FILES);
        }
        goes_on
    }

    fn import(&mut self, from: &Source, written: &str, depth: usize) {
        let path = literal(written).and_then(|name| from.path.parent().join(&name));
        let Some(path) = path else {
            self.module.incomplete = true;
            return;
        };
        if self.opened.contains(&path) || !self.goes_on(from, depth) {
            return;
        }
        match self.run.cx.sources.load(&path) {
            Ok(source) => {
                *self.files -= 1;
                self.opened.push(path);
                self.file(&source, depth + 1, true);
            }
            Err(_) => self.module.incomplete = true,
        }
    }

    fn submodule(&mut self, source: &Rc<Source>, written: &str, depth: usize) {
        let name = word(written).to_owned();
        let given = written.get(name.len()..).unwrap_or("").trim();
        let folder = source.path.parent();
        let names: Vec<String> = match literal(given) {
            Some(path) => ["", "/mod.just", "/justfile", "/Justfile", "/.justfile"]
                .iter()
                .map(|end| format!("{path}{end}"))
                .collect(),
            None => [".just", "/mod.just", "/justfile", "/Justfile", "/.justfile"]
                .iter()
                .map(|end| format!("{name}{end}"))
                .collect(),
        };
        let sources = &self.run.cx.sources;
        let paths = names.iter().filter_map(|name| folder.join(name));
        let found = paths.into_iter().find_map(|path| sources.load(&path).ok());
        let found = found.filter(|found| self.opened.first() != Some(&found.path));
        match found.filter(|_| self.goes_on(source, depth)) {
            Some(source) => {
                *self.files -= 1;
                let module = Module::load(self.run, &source, depth + 1, self.files);
                self.module.modules.insert(name, module);
            }
            None => self.module.incomplete = true,
        }
    }
}

/// One past the statement that begins at `start`: strings and parentheses may go over lines.
fn statement_end(text: &str, start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) {
        let Some(c) = rest.chars().next() else { break };
        match c {
            '\n' if depth == 0 => return at + 1,
            '#' => at += rest.find('\n').unwrap_or(rest.len()),
            '\\' => {
                let line_break = rest.strip_prefix("\\\r\n").or(rest.strip_prefix("\\\n"));
                at += line_break.map_or(1, |after| rest.len() - after.len());
            }
            '\'' | '"' | '`' => at += string(rest).unwrap_or(1),
            '(' | '[' | '{' => {
                depth += 1;
                at += 1;
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += c.len_utf8(),
        }
    }
    text.len()
}

/// The indented lines from `at` on, and where they end.
fn body(source: &Source, at: usize) -> (Vec<Mapped>, usize) {
    let text: &str = &source.text;
    let mut lines = Vec::new();
    let mut indent: Option<&str> = None;
    let mut end = at;
    let mut from = at;
    for raw in text.get(at..).unwrap_or("").split_inclusive('\n') {
        let line = raw.trim_end_matches(['\n', '\r']);
        let own = line.len() - line.trim_start_matches([' ', '\t']).len();
        if !line.trim().is_empty() {
            if own == 0 {
                break;
            }
            indent.get_or_insert(line.get(..own).unwrap_or(""));
        }
        let margin = indent.unwrap_or("");
        let skipped = if line.starts_with(margin) {
            margin.len()
        } else {
            own.min(margin.len())
        };
        let start = from + skipped.min(line.len());
        let span = Span::new(source.id, start, from + line.len());
        lines.push(Mapped::verbatim(span, line.get(skipped..).unwrap_or("")));
        from += raw.len();
        if !line.trim().is_empty() {
            end = from;
        }
    }
    let blank_end = lines
        .iter()
        .rev()
        .take_while(|l| l.text.trim().is_empty())
        .count();
    lines.truncate(lines.len() - blank_end);
    (lines, end)
}

/// `name`, `name('x')`, `name: 'x'`, with commas between; the text after `[`.
fn read_attributes(inside: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = inside.trim();
    while out.len() < 100 {
        let name = word(rest);
        if name.is_empty() {
            break;
        }
        rest = rest.get(name.len()..).unwrap_or("").trim_start();
        let mut argument = String::new();
        if let Some(after) = rest.strip_prefix(['(', ':']) {
            let after = after.trim_start();
            let end = string(after).unwrap_or(0);
            argument = after.get(..end).and_then(literal).unwrap_or_default();
            rest = after.get(end..).unwrap_or("");
            if let Some(close) = rest.find([')', ']']) {
                rest = rest.get(close..).unwrap_or("");
            }
            rest = rest.trim_start_matches(')').trim_start();
        }
        out.push((name.to_owned(), argument));
        rest = rest.trim_start_matches([',', ' ', '\t']);
    }
    out
}

/// The text of a plain string.
pub(super) fn literal(written: &str) -> Option<String> {
    let end = string(written)?;
    let body = written.get(..end)?.trim_start_matches('x');
    let inner = body
        .trim_start_matches(['\'', '"'])
        .trim_end_matches(['\'', '"']);
    (!body.starts_with('`') && !inner.contains('$')).then(|| inner.to_owned())
}

/// `@name a b='c' +d: e (f g) && h`
fn header(line: &str, span: Span) -> Option<Recipe> {
    let line = line.trim_start_matches('@');
    let name = word(line);
    if name.is_empty() {
        return None;
    }
    let mut rest = line.get(name.len()..)?.trim_start();
    let mut parameters = Vec::new();
    while !rest.starts_with(':') {
        let (parameter, after) = parameter(rest)?;
        parameters.push(parameter);
        rest = after.trim_start();
        if parameters.len() > 200 {
            return None;
        }
    }
    let rest = rest.strip_prefix(':')?;
    let (before, after) = dependencies(rest);
    Some(Recipe {
        name: name.to_owned(),
        parameters,
        before,
        after,
        body: Vec::new(),
        span,
        attributes: Vec::new(),
        imported: false,
        folder: RepoPath::root(),
    })
}

fn parameter(text: &str) -> Option<(Parameter, &str)> {
    let (kind, rest) = match text.chars().next()? {
        c @ ('+' | '*') => (Some(c), text.get(1..)?),
        _ => (None, text),
    };
    let (exported, rest) = match rest.strip_prefix('$') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let name = word(rest);
    if name.is_empty() {
        return None;
    }
    let mut rest = rest.get(name.len()..)?.trim_start();
    let mut default = None;
    if let Some(after) = rest.strip_prefix('=') {
        let after = after.trim_start();
        let end = operand(after)?;
        default = Some(after.get(..end)?.to_owned());
        rest = after.get(end..)?;
    }
    let parameter = Parameter {
        name: name.to_owned(),
        exported,
        variadic: kind.is_some(),
        required: default.is_none() && kind != Some('*'),
        default,
    };
    Some((parameter, rest))
}

/// Bytes of the value that a text begins with: a string, a name, a call or a parenthesis.
fn operand(text: &str) -> Option<usize> {
    if let Some(end) = string(text) {
        return Some(end);
    }
    let name = word(text).len();
    if text.get(name..)?.starts_with('(') {
        return Some(name + parenthesis(text.get(name..)?)?);
    }
    (name > 0).then_some(name)
}

/// Bytes of the parenthesis that a text begins with.
fn parenthesis(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        match c {
            '(' => depth += 1,
            ')' if depth <= 1 => return Some(at + 1),
            ')' => depth -= 1,
            '\'' | '"' | '`' => {
                at += string(rest).unwrap_or(1);
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
}

fn dependencies(text: &str) -> (Vec<Dependency>, Vec<Dependency>) {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut is_after = false;
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\\', '\n', '\r']);
        if let Some(more) = rest.strip_prefix("&&") {
            is_after = true;
            rest = more;
            continue;
        }
        let (inside, end) = if rest.starts_with('(') {
            let Some(end) = parenthesis(rest) else { break };
            (rest.get(1..end - 1).unwrap_or("").trim(), end)
        } else {
            let end = path(rest);
            (rest.get(..end).unwrap_or(""), end)
        };
        let name = inside.get(..path(inside)).unwrap_or("");
        if name.is_empty() || before.len() + after.len() > 10_000 {
            break;
        }
        let dependency = Dependency {
            name: name.to_owned(),
            arguments: inside.get(name.len()..).unwrap_or("").to_owned(),
        };
        if is_after {
            after.push(dependency);
        } else {
            before.push(dependency);
        }
        rest = rest.get(end..).unwrap_or("");
    }
    (before, after)
}

/// Bytes of `a::b::c`.
fn path(text: &str) -> usize {
    let mut at = 0;
    loop {
        let part = word(text.get(at..).unwrap_or("")).len();
        at += part;
        if part == 0 || !text.get(at..).unwrap_or("").starts_with("::") {
            return at;
        }
        at += 2;
    }
}
