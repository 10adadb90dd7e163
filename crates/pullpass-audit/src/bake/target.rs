//! Targets: inheritance, matrices, `--set`, and at the end the build that each one asks for.

use std::cell::RefCell;

use hashbrown::HashMap;

use super::Bake;
use super::definition::{Block, Definition};
use super::evaluate::{Evaluator, Scope, Value};
use crate::dockerfile::expand::glob;
use crate::dockerfile::{self, Build};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{Mapped, Text};

/// Combinations of one matrix that are followed.
const MAX_MATRIX: usize = 64;

/// How deep targets may inherit.
const MAX_INHERITANCE: usize = 32;

/// What a target says, after everything it inherits.
#[derive(Clone, Default)]
pub(super) struct Target {
    context: Option<Text>,
    dockerfile: Option<Text>,
    inline: Option<Mapped>,
    args: Vec<(String, Option<Text>)>,
    target: Option<Text>,
    tags: Vec<Text>,
    contexts: Vec<(String, Text)>,
    output: Option<Vec<Text>>,
    attests: Vec<Text>,
    caches: Vec<Text>,
    pull: Option<bool>,
    /// Parents that cannot be known.
    unknown: Option<String>,
}

/// One target to build: a block, or one combination of its matrix.
struct Instance {
    blocks: Vec<usize>,
    scope: Scope,
}

/// All targets and groups by name.
pub(super) struct Catalog<'a, 'c> {
    evaluator: Evaluator<'a, 'c>,
    instances: HashMap<String, Instance>,
    /// Groups, and blocks with a matrix: what a name stands for.
    groups: HashMap<String, Vec<Text>>,
    /// Targets with everything they inherit, worked out once each.
    resolved: RefCell<HashMap<String, Target>>,
    /// What was left out.
    pub(super) notes: Vec<(Span, String)>,
}

fn put<T>(list: &mut Vec<(String, T)>, key: String, value: T) {
    match list.iter_mut().find(|(known, _)| *known == key) {
        Some(slot) => slot.1 = value,
        None => list.push((key, value)),
    }
}

impl<'a, 'c> Catalog<'a, 'c> {
    pub(super) fn new(run: &'a JobRun<'c>, definition: &'a Definition) -> Self {
        let mut catalog = Self {
            evaluator: Evaluator::new(run, definition),
            instances: HashMap::new(),
            groups: HashMap::new(),
            resolved: RefCell::default(),
            notes: Vec::new(),
        };
        let mut blocks: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut order: Vec<&str> = Vec::new();
        for (index, block) in definition.targets.iter().enumerate() {
            let known = blocks.entry(&block.name).or_default();
            if known.is_empty() {
                order.push(&block.name);
            }
            known.push(index);
        }
        for name in order {
            let indices = blocks.remove(name).unwrap_or_default();
            catalog.add(name, indices);
        }
        for group in &definition.groups {
            let targets = group
                .get("targets")
                .map(|t| catalog.evaluator.value(&t.value, &Scope::new()).texts());
            catalog
                .groups
                .insert(group.name.clone(), targets.unwrap_or_default());
        }
        catalog
    }

    fn blocks(&self, indices: &[usize]) -> impl Iterator<Item = &'a Block> {
        let definition = self.evaluator.definition;
        indices
            .iter()
            .filter_map(|&index| definition.targets.get(index))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn add(&mut self, name: &str, blocks: Vec<usize>) {
        let of = |key: &str| {
            self.blocks(&blocks)
                .filter_map(|block| block.get(key))
                .last()
        };
        let (Some(matrix), naming) = (of("matrix"), of("name")) else {
            self.instances.insert(
                name.to_owned(),
                Instance {
                    blocks,
                    scope: Scope::new(),
                },
            );
            return;
        };
        let axes = match self.evaluator.value(&matrix.value, &Scope::new()) {
            Value::Map(axes) => axes,
            _ => Vec::new(),
        };
        let mut scopes: Vec<Scope> = vec![Scope::new()];
        for (axis, values) in axes {
            let Value::List(values) = values else {
                self.notes.push((
                    matrix.span,
                    format!("the values of `{axis}` in the matrix of `{name}` are not known"),
                ));
                return;
            };
            let mut next = Vec::new();
            for scope in &scopes {
                for value in &values {
                    let mut scope = scope.clone();
                    scope.push((axis.clone(), value.clone()));
                    next.push(scope);
                    if next.len() > MAX_MATRIX {
                        break;
                    }
                }
            }
            scopes = next;
            if scopes.len() > MAX_MATRIX {
                scopes.truncate(MAX_MATRIX);
                self.notes.push((
                    matrix.span,
                    format!("only {MAX_MATRIX} combinations of the matrix of `{name}` are listed"),
                ));
            }
        }
        let mut members = Vec::new();
        for scope in scopes {
            let full = naming.and_then(|naming| self.evaluator.value(&naming.value, &scope).text());
            let full = full.unwrap_or_else(|| Text::new(format!("{name}-{}", members.len())));
            members.push(full.clone());
            self.instances.insert(
                full.as_str().to_owned(),
                Instance {
                    blocks: blocks.clone(),
                    scope,
                },
            );
        }
        self.groups.insert(name.to_owned(), members);
    }

    /// The targets that a name stands for, groups opened; `None` when there is no such name.
    pub(super) fn members(&self, name: &str) -> Option<Vec<String>> {
        let mut out: Vec<String> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        let mut open: Vec<&str> = vec![name];
        while let Some(name) = open.pop() {
            if !self.evaluator.run.cx.spend() {
                break;
            }
            match self.groups.get(name) {
                // A group may have the name of one of its targets.
                Some(members) if !seen.contains(&name) => {
                    seen.push(name);
                    open.extend(members.iter().rev().map(Text::as_str));
                }
                // Asked for twice, built once.
                _ if out.iter().any(|known| known == name) => {}
                _ if self.instances.contains_key(name) => out.push(name.to_owned()),
                Some(_) => {}
                None if out.is_empty() && seen.is_empty() => return None,
                None => {}
            }
        }
        Some(out)
    }

    /// Where a target is written.
    pub(super) fn span(&self, name: &str) -> Option<Span> {
        let instance = self.instances.get(name)?;
        self.blocks(&instance.blocks).last().map(|block| block.span)
    }

    /// A target with everything it inherits.
    fn resolve(&self, name: &str, depth: usize, seen: &mut Vec<String>) -> Target {
        let mut out = Target::default();
        let Some(instance) = self.instances.get(name) else {
            out.unknown = Some(format!("target `{name}` is not defined"));
            return out;
        };
        if seen.iter().any(|s| s == name) || !self.evaluator.run.cx.spend() {
            return out;
        }
        if depth > MAX_INHERITANCE {
            out.unknown = Some("targets inherit deeper here than is followed".to_owned());
            return out;
        }
        if let Some(known) = self.resolved.borrow().get(name) {
            return known.clone();
        }
        seen.push(name.to_owned());
        let blocks: Vec<&Block> = self.blocks(&instance.blocks).collect();
        if let Some(parents) = blocks
            .iter()
            .filter_map(|block| block.get("inherits"))
            .next_back()
        {
            for parent in self
                .evaluator
                .value(&parents.value, &instance.scope)
                .texts()
            {
                match parent.known() {
                    Some(parent) => {
                        let parent = self.resolve(parent, depth + 1, seen);
                        let searched = parent.args.len() * (out.args.len() / 64 + 1);
                        if self.evaluator.spend(searched + parent.tags.len()) {
                            out.merge(parent);
                        }
                    }
                    None => {
                        out.unknown = Some(format!(
                            "it inherits from `{}`",
                            self.evaluator.run.show(&parent)
                        ))
                    }
                }
            }
        }
        seen.pop();
        for block in blocks {
            self.apply(&mut out, block, &instance.scope);
        }
        self.resolved
            .borrow_mut()
            .insert(name.to_owned(), out.clone());
        out
    }

    fn apply(&self, out: &mut Target, block: &Block, scope: &Scope) {
        let mut own = Target::default();
        for attribute in &block.attributes {
            let value = || self.evaluator.value(&attribute.value, scope);
            match attribute.key.as_str() {
                "context" => own.context = value().text(),
                "dockerfile" => own.dockerfile = value().text(),
                "dockerfile-inline" => {
                    own.inline = value().text().map(|text| match &attribute.mapped {
                        Some(mapped) if mapped.text == text.as_str() => mapped.clone(),
                        _ => Mapped::at(attribute.span, text.as_str()),
                    });
                }
                "target" => own.target = value().text(),
                "tags" => own.tags = value().texts(),
                "output" | "outputs" => own.output = Some(outputs(&value())),
                "cache-from" => own.caches = outputs(&value()),
                "attest" => own.attests = outputs(&value()),
                "pull" => own.pull = Some(value() == Value::Bool(true)),
                "args" => own.args = pairs(&value()),
                "contexts" => {
                    own.contexts = pairs(&value())
                        .into_iter()
                        .map(|(key, value)| (key, value.unwrap_or_default()))
                        .collect();
                }
                _ => {}
            }
        }
        out.merge(own);
    }

    /// The build of a target, and the targets that it needs as named contexts.
    pub(super) fn build(
        &self,
        name: &str,
        bake: &Bake,
        at: Span,
    ) -> Result<(Build, Vec<String>), String> {
        let mut target = self.resolve(name, 0, &mut Vec::new());
        for set in &bake.set {
            target.set(name, set.as_str());
        }
        if let Some(why) = target.unknown {
            return Err(why);
        }
        let context = target.context.unwrap_or_else(|| ".".into());
        let needs = target
            .contexts
            .iter()
            .map(|(_, value)| value)
            .chain([&context]);
        let needs = needs
            .filter_map(|value| {
                value
                    .as_str()
                    .strip_prefix("target:")
                    .or_else(|| value.as_str().strip_prefix("service:"))
            })
            .map(str::to_owned)
            .collect();
        let to_store = |output: &Text| {
            let output = output.as_str();
            output.contains("type=docker")
                || !bake.container_builder && output.contains("type=image")
        };
        let load = bake.load
            || match &target.output {
                Some(outputs) if !outputs.is_empty() => outputs.iter().any(to_store),
                _ => !bake.container_builder,
            };
        let mut build = Build::of(at, context.clone());
        build.dockerfile = target.dockerfile.map(|file| inside(&context, &file));
        build.inline = target.inline;
        build.args = target.args;
        build.target = target.target;
        build.tags = target.tags;
        let output = target.output.as_deref().unwrap_or_default();
        build.tags.extend(dockerfile::names_of_outputs(output));
        build.contexts = target.contexts;
        build.pull = bake.pull || target.pull == Some(true);
        build.load = load;
        build.container_builder = bake.container_builder;
        build.caches = dockerfile::caches(&target.caches);
        build.scanner = dockerfile::scanner(bake.sbom.as_ref(), target.attests.iter());
        Ok((build, needs))
    }
}

/// Bake's Dockerfile is relative to the context, `docker build`'s is not.
fn inside(context: &Text, file: &Text) -> Text {
    if let Some(own) = file.as_str().strip_prefix("cwd://") {
        return Text::new(own);
    }
    let folder = context.as_str().trim_end_matches('/');
    if file.as_str().starts_with('/') || matches!(folder, "" | ".") {
        return file.clone();
    }
    Text::new(format!("{folder}/{}", file.as_str()))
}

/// `NAME=value` pairs of a mapping or a list. A null is a value that is not given.
fn pairs(value: &Value) -> Vec<(String, Option<Text>)> {
    match value {
        Value::Map(entries) => entries
            .iter()
            .filter(|(_, value)| *value != Value::Null)
            .map(|(key, value)| (key.clone(), value.text()))
            .collect(),
        other => other
            .texts()
            .into_iter()
            .map(|entry| match entry.as_str().split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(Text::new(value))),
                None => (entry.as_str().to_owned(), None),
            })
            .collect(),
    }
}

/// Outputs, caches or attestations as `key=value,…`, however they are written.
fn outputs(value: &Value) -> Vec<Text> {
    let one = |value: &Value| match value {
        Value::Map(entries) => {
            let parts: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}={}", value.text().unwrap_or_default().as_str()))
                .collect();
            Some(Text::new(parts.join(",")))
        }
        other => other.text(),
    };
    match value {
        Value::List(items) => items.iter().filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    }
}

impl Target {
    /// What `other` says goes over what this one says.
    fn merge(&mut self, other: Self) {
        macro_rules! take {
            ($($field:ident),*) => { $( if other.$field.is_some() { self.$field = other.$field; } )* };
        }
        take!(context, dockerfile, inline, target, output, pull, unknown);
        if !other.tags.is_empty() {
            self.tags = other.tags;
        }
        if !other.attests.is_empty() {
            self.attests = other.attests;
        }
        if !other.caches.is_empty() {
            self.caches = other.caches;
        }
        for (key, value) in other.args {
            put(&mut self.args, key, value);
        }
        for (key, value) in other.contexts {
            put(&mut self.contexts, key, value);
        }
    }

    /// `--set pattern.key=value`, when the pattern means this target.
    fn set(&mut self, name: &str, set: &str) {
        let Some((key, value)) = set.split_once('=') else {
            return;
        };
        let (key, more) = key
            .strip_suffix('+')
            .map_or((key, false), |key| (key, true));
        let Some((pattern, key)) = key.split_once('.') else {
            return;
        };
        let chars = |text: &str| text.chars().take(512).collect::<Vec<char>>();
        if !glob(&chars(pattern), &chars(name)) {
            return;
        }
        let value = Text::new(value);
        match key.split_once('.').unwrap_or((key, "")) {
            ("args", arg) if !arg.is_empty() => put(&mut self.args, arg.to_owned(), Some(value)),
            ("contexts", context) if !context.is_empty() => {
                put(&mut self.contexts, context.to_owned(), value)
            }
            ("context", _) => self.context = Some(value),
            ("dockerfile", _) => (self.dockerfile, self.inline) = (Some(value), None),
            ("target", _) => self.target = Some(value),
            ("pull", _) => self.pull = Some(value.as_str() == "true"),
            ("tags", _) if more => self.tags.push(value),
            ("tags", _) => self.tags = vec![value],
            ("attest", _) => self.attests.push(value),
            ("cache-from", _) if more => self.caches.push(value),
            ("cache-from", _) => self.caches = vec![value],
            ("output", _) if more => self.output.get_or_insert_default().push(value),
            ("output", _) => self.output = Some(vec![value]),
            _ => {}
        }
    }
}
