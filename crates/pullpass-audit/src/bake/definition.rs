//! Bake files of every format in one form: blocks of named expressions.
//!
//! HCL is read by `hcl-edit`: of the two kept crates it is the one that keeps places, and it refuses
//! deep nesting by itself. JSON is YAML to us, whose reader keeps places too; its strings hold HCL
//! templates. A Compose file is a bake file whose services are targets.

use hcl_edit::Span as _;
use hcl_edit::expr::{Array, Expression, Object, ObjectKey};
use hcl_edit::structure::{Block as HclBlock, Structure};
use hcl_edit::template::StringTemplate;

use crate::dockerfile::expand::{Dialect, Value, expand};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
use crate::text::Mapped;
use crate::yaml::Node;

/// Largest HCL or JSON file that is read, in bytes. Real ones have a few thousand; objects of the
/// HCL reader are searched from end to end, so time grows with the square of their size.
const MAX_BYTES: usize = 128 * 1024;

/// Entries of one mapping or list of a Compose or JSON file.
const MAX_ENTRIES: usize = 2_000;

/// What is said where there are more.
const MORE: &str = "more targets than are looked at";

/// How deep a JSON value may nest.
const MAX_NESTING: usize = 24;

/// `key = value`.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) key: String,
    pub(super) value: Expression,
    pub(super) span: Span,
    /// The value letter for letter, when it is one text with places of its own.
    pub(super) mapped: Option<Mapped>,
}

/// `target "name" { … }`, and the same for groups, variables and functions.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) attributes: Vec<Attribute>,
}

impl Block {
    pub(super) fn get(&self, key: &str) -> Option<&Attribute> {
        self.attributes.iter().rev().find(|a| a.key == key)
    }
}

/// What all files of one bake say, in the order of the files.
#[derive(Default)]
pub(super) struct Definition {
    pub(super) variables: Vec<Block>,
    pub(super) functions: Vec<Block>,
    pub(super) targets: Vec<Block>,
    pub(super) groups: Vec<Block>,
}

/// Reads one more file into `definition`.
///
/// # Errors
/// A sentence that says why the file could not be read; what is wrong in it is noted as unread.
pub(super) fn read(
    run: &JobRun<'_>,
    path: &RepoPath,
    definition: &mut Definition,
) -> Result<(), String> {
    let cx = run.cx;
    let source = match cx.sources.load(path) {
        Ok(source) => source,
        Err(error) if error.missing => {
            return Err(format!(
                "`{path}` is not in this repository; it may be made while the job runs"
            ));
        }
        Err(error) => {
            cx.note_unread_at(
                path.as_str(),
                error.line.unwrap_or(1),
                error.message.clone(),
            );
            return Err(format!("`{path}` could not be read: {}", error.message));
        }
    };
    let compose = path.name().ends_with(".yml") || path.name().ends_with(".yaml");
    if !compose && source.text.len() > MAX_BYTES {
        let message = "a bake file of more than 128 KiB is not read";
        cx.note_unread(&source, 0, message);
        return Err(format!("`{path}`: {message}"));
    }
    let json = path.name().ends_with(".json")
        || !path.name().ends_with(".hcl") && source.text.trim_start().starts_with('{');
    if !compose && !json {
        return hcl(run, &source, definition);
    }
    let document = cx
        .yaml(path)
        .ok_or_else(|| format!("`{path}` could not be read"))?;
    if let Some(root) = document.root() {
        if compose {
            services(run, root, definition)
        } else {
            tables(run, root, definition)
        }
    }
    Ok(())
}

fn hcl(run: &JobRun<'_>, source: &Source, definition: &mut Definition) -> Result<(), String> {
    let body = hcl_edit::parser::parse_body(&source.text).map_err(|error| {
        let offset = u32::try_from(error.location().offset()).unwrap_or(u32::MAX);
        run.cx
            .note_unread(source, offset, format!("not HCL: {}", error.message()));
        format!("`{}` could not be read as HCL", source.path)
    })?;
    for structure in body.iter() {
        match structure {
            // A value at the top is a variable with another syntax.
            Structure::Attribute(attribute) => {
                let span = place(source, attribute.span());
                definition.variables.push(Block {
                    name: attribute.key.as_str().to_owned(),
                    span,
                    attributes: vec![attribute_of(source, "default", &attribute.value)],
                });
            }
            Structure::Block(block) => {
                let into = match block.ident.as_str() {
                    "variable" => &mut definition.variables,
                    "function" => &mut definition.functions,
                    "target" => &mut definition.targets,
                    "group" => &mut definition.groups,
                    _ => continue,
                };
                into.push(block_of(source, block));
            }
        }
    }
    Ok(())
}

fn place(source: &Source, range: Option<std::ops::Range<usize>>) -> Span {
    let range = range.unwrap_or(0..0);
    Span::new(source.id, range.start, range.end)
}

fn block_of(source: &Source, block: &HclBlock) -> Block {
    let label = block.labels.first();
    let span = place(
        source,
        label
            .and_then(|l| match l {
                hcl_edit::structure::BlockLabel::Ident(ident) => ident.span(),
                hcl_edit::structure::BlockLabel::String(string) => string.span(),
            })
            .or_else(|| block.ident.span()),
    );
    Block {
        name: label.map_or("", |l| l.as_str()).to_owned(),
        span,
        attributes: block
            .body
            .attributes()
            .map(|attribute| attribute_of(source, attribute.key.as_str(), &attribute.value))
            .collect(),
    }
}

fn attribute_of(source: &Source, key: &str, value: &Expression) -> Attribute {
    let span = place(source, value.span());
    // Only a Dockerfile written in place needs the place of each of its bytes.
    let mapped = (key == "dockerfile-inline").then(|| {
        let text = literal(value)?;
        let at = source.slice(span.start, span.end).find(&text)?;
        let start = span.start as usize + at;
        Some(Mapped::verbatim(
            Span::new(source.id, start, start + text.len()),
            text,
        ))
    });
    Attribute {
        key: key.to_owned(),
        value: value.clone(),
        span,
        mapped: mapped.flatten(),
    }
}

fn literal(value: &Expression) -> Option<String> {
    match value {
        Expression::String(text) => Some(text.as_str().to_owned()),
        Expression::HeredocTemplate(heredoc) => heredoc
            .template
            .as_single_element()?
            .as_literal()
            .map(|text| text.to_string()),
        _ => None,
    }
}

/// JSON: a mapping for each kind of block.
fn tables(run: &JobRun<'_>, root: Node<'_>, definition: &mut Definition) {
    for (kind, into) in [
        ("variable", &mut definition.variables),
        ("function", &mut definition.functions),
        ("target", &mut definition.targets),
        ("group", &mut definition.groups),
    ] {
        let Some(table) = root.get(kind) else {
            continue;
        };
        for entry in run.cx.first(table.entries(), MAX_ENTRIES, MORE) {
            if !run.cx.spend() {
                return;
            }
            into.push(Block {
                name: entry.key.as_str().unwrap_or("").to_owned(),
                span: entry.key.span(),
                attributes: attributes(run, entry.value, &|run, text| template(run, text)),
            });
        }
    }
}

type Scalar<'s> = &'s dyn Fn(&JobRun<'_>, &str) -> Expression;

fn attributes(run: &JobRun<'_>, node: Node<'_>, scalar: Scalar<'_>) -> Vec<Attribute> {
    node.entries()
        .into_iter()
        .take(MAX_ENTRIES)
        .map(|entry| Attribute {
            key: entry.key.as_str().unwrap_or("").to_owned(),
            value: value(run, entry.value, scalar, 0),
            span: entry.value.span(),
            mapped: entry.value.mapped(),
        })
        .collect()
}

fn value(run: &JobRun<'_>, node: Node<'_>, scalar: Scalar<'_>, depth: usize) -> Expression {
    if depth > MAX_NESTING || !run.cx.spend() {
        return Expression::null();
    }
    if node.is_sequence() {
        let mut out = Array::new();
        for item in node.items().take(MAX_ENTRIES) {
            out.push(value(run, item, scalar, depth + 1));
        }
        return Expression::Array(out);
    }
    if node.is_mapping() {
        let mut out = Object::new();
        for entry in node.entries().into_iter().take(MAX_ENTRIES) {
            let key = Expression::from(entry.key.as_str().unwrap_or(""));
            out.insert(
                ObjectKey::from(key),
                value(run, entry.value, scalar, depth + 1),
            );
        }
        return Expression::Object(out);
    }
    if node.is_null() {
        return Expression::null();
    }
    let text = node.as_str().unwrap_or("");
    match (node.style(), text) {
        (crate::yaml::Style::Plain, "true") => Expression::from(true),
        (crate::yaml::Style::Plain, "false") => Expression::from(false),
        _ => scalar(run, text),
    }
}

/// A JSON string, which may hold `${…}`.
fn template(_: &JobRun<'_>, text: &str) -> Expression {
    if !text.contains("${") && !text.contains("%{") {
        return Expression::from(text);
    }
    match hcl_edit::parser::parse_template(text) {
        Ok(template) => {
            let elements: Vec<_> = template.iter().cloned().collect();
            Expression::StringTemplate(StringTemplate::from(elements))
        }
        Err(_) => Expression::from(text),
    }
}

/// A Compose string, whose variables are of the environment.
fn interpolated(run: &JobRun<'_>, text: &str) -> Expression {
    let out = expand(text, Dialect::Compose, &run.cx.holes, true, &mut |name| {
        run.env
            .get(name)
            .map_or(Value::Unset, |value| Value::Set(value.clone()))
    });
    Expression::from(out.as_str())
}

/// Compose: each service with a `build` is a target, and all of them are the default.
fn services(run: &JobRun<'_>, root: Node<'_>, definition: &mut Definition) {
    let Some(services) = root.get("services") else {
        return;
    };
    let mut all = Array::new();
    let scalar: Scalar<'_> = &|run, text| interpolated(run, text);
    for entry in run.cx.first(services.entries(), MAX_ENTRIES, MORE) {
        let (Some(name), Some(build)) = (entry.key.as_str(), entry.value.get("build")) else {
            continue;
        };
        if !run.cx.spend() {
            return;
        }
        let one = |key: &str, node: Node<'_>| Attribute {
            key: key.to_owned(),
            value: value(run, node, scalar, 0),
            span: node.span(),
            mapped: node.mapped(),
        };
        let mut attributes = Vec::new();
        // The image's name is the tag of what is built, unless `tags` says otherwise.
        if let Some(image) = entry.value.get("image") {
            let mut tags = Array::new();
            tags.push(value(run, image, scalar, 0));
            attributes.push(Attribute {
                value: Expression::Array(tags),
                ..one("tags", image)
            });
        }
        if build.is_mapping() {
            for entry in build.entries().into_iter().take(MAX_ENTRIES) {
                let key = match entry.key.as_str() {
                    Some("dockerfile_inline") => "dockerfile-inline",
                    Some("additional_contexts") => "contexts",
                    Some("x-bake") => {
                        attributes.extend(self::attributes(run, entry.value, scalar));
                        continue;
                    }
                    Some(
                        key @ ("context" | "dockerfile" | "args" | "target" | "tags" | "pull"),
                    ) => key,
                    _ => continue,
                };
                attributes.push(one(key, entry.value));
            }
        } else {
            attributes.push(one("context", build));
        }
        all.push(name);
        definition.targets.push(Block {
            name: name.to_owned(),
            span: entry.key.span(),
            attributes,
        });
    }
    if !all.is_empty() {
        definition.groups.push(Block {
            name: "default".to_owned(),
            span: services.span(),
            attributes: vec![Attribute {
                key: "targets".to_owned(),
                value: Expression::Array(all),
                span: services.span(),
                mapped: None,
            }],
        });
    }
}
