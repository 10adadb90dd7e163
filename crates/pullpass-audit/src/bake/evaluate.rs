//! Values of bake expressions, as far as they can be known.
//!
//! Whatever depends on something that only the build knows (a clock, a missing variable, a function
//! that is not modelled) becomes one unknown value in the words of the file, never a guess.

use std::cell::RefCell;

use hashbrown::HashMap;
use hcl_edit::expr::{
    BinaryOperator, Expression, ForExpr, FuncCall, ObjectKey, TraversalOperator, UnaryOperator,
};
use hcl_edit::template::{Directive, Element};

use super::definition::Definition;
use crate::run::JobRun;
use crate::text::{HoleKind, Text, is_hole};

/// How deep expressions, variables and functions may lead into each other.
const MAX_DEPTH: usize = 64;

/// Longest text, in bytes, and longest list: each step may double what it is given.
const MAX_LENGTH: usize = 16 * 1024;
const MAX_ITEMS: usize = 1_000;

/// What an expression comes to.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// A string or a number; may be partly or wholly unknown.
    Text(Text),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    /// As a text; `None` for null and for what is none.
    pub(super) fn text(&self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(value) => Some(value.to_string().into()),
            _ => None,
        }
    }

    /// As a list of texts: a single one counts as a list, null and empty texts are left out.
    pub(super) fn texts(&self) -> Vec<Text> {
        match self {
            Self::List(items) => items
                .iter()
                .filter_map(Self::text)
                .filter(|t| !t.is_empty())
                .collect(),
            other => other.text().into_iter().filter(|t| !t.is_empty()).collect(),
        }
    }

    /// Texts in it, the longer ones counted as several.
    fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 0,
            Self::Text(text) => text.as_str().len() / 256,
            Self::List(items) => items.iter().map(|item| 1 + item.size()).sum(),
            Self::Map(entries) => entries.iter().map(|(_, value)| 1 + value.size()).sum(),
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_known(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) => true,
            Self::Text(text) => text.is_known(),
            Self::List(items) => items.iter().all(Self::is_known),
            Self::Map(entries) => entries.iter().all(|(_, value)| value.is_known()),
        }
    }
}

/// Names that only a part of the file knows: of a matrix, a `for`, a function's parameters.
pub(super) type Scope = Vec<(String, Value)>;

pub(super) struct Evaluator<'e, 'c> {
    pub(super) run: &'e JobRun<'c>,
    pub(super) definition: &'e Definition,
    variables: RefCell<HashMap<String, Value>>,
    /// Variables whose value is being worked out, so that a circle ends.
    active: RefCell<Vec<String>>,
}

impl<'e, 'c> Evaluator<'e, 'c> {
    pub(super) fn new(run: &'e JobRun<'c>, definition: &'e Definition) -> Self {
        Self {
            run,
            definition,
            variables: RefCell::default(),
            active: RefCell::default(),
        }
    }

    /// Takes the work of copying `items`; `false` when the repository has had its share.
    pub(super) fn spend(&self, items: usize) -> bool {
        (0..=items / 8).all(|_| self.run.cx.spend())
    }

    pub(super) fn value(&self, expression: &Expression, scope: &Scope) -> Value {
        self.at(expression, scope, 0)
    }

    fn unknown(&self, expression: &Expression) -> Value {
        let words: String = expression.to_string().trim().chars().take(120).collect();
        self.named(&format!("${{{words}}}"))
    }

    fn named(&self, words: &str) -> Value {
        Value::Text(self.run.cx.holes.of(words, HoleKind::Expression))
    }

    fn at(&self, expression: &Expression, scope: &Scope, depth: usize) -> Value {
        if depth > MAX_DEPTH || !self.spend(0) {
            return self.named("…");
        }
        let value = self.step(expression, scope, depth + 1);
        // Values are copied from hand to hand, so large ones cost more.
        if !self.spend(value.size()) {
            return self.named("…");
        }
        value
    }

    fn step(&self, expression: &Expression, scope: &Scope, deeper: usize) -> Value {
        match expression {
            Expression::Null(_) => Value::Null,
            Expression::Bool(value) => Value::Bool(*value.value()),
            Expression::Number(number) => Value::Text(number.value().to_string().into()),
            Expression::String(text) => Value::Text(text.as_str().into()),
            Expression::Parenthesis(inner) => self.at(inner.inner(), scope, deeper),
            Expression::Array(items) => Value::List(
                items
                    .iter()
                    .take(MAX_ITEMS)
                    .map(|item| self.at(item, scope, deeper))
                    .collect(),
            ),
            Expression::Object(object) => Value::Map(
                object
                    .iter()
                    .take(MAX_ITEMS)
                    .map(|(key, value)| {
                        let key = match key {
                            ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                            // A bare name in the place of a key is the key itself.
                            ObjectKey::Expression(Expression::Variable(name)) => {
                                name.as_str().to_owned()
                            }
                            ObjectKey::Expression(key) => self
                                .at(key, scope, deeper)
                                .text()
                                .unwrap_or_default()
                                .as_str()
                                .to_owned(),
                        };
                        (key, self.at(value.expr(), scope, deeper))
                    })
                    .collect(),
            ),
            Expression::StringTemplate(template) => self.template(template.iter(), scope, deeper),
            Expression::HeredocTemplate(heredoc) => {
                self.template(heredoc.template.iter(), scope, deeper)
            }
            Expression::Variable(name) => self.variable(name.as_str(), scope, deeper),
            Expression::Conditional(choice) => {
                match self.at(&choice.cond_expr, scope, deeper).truth() {
                    Some(true) => self.at(&choice.true_expr, scope, deeper),
                    Some(false) => self.at(&choice.false_expr, scope, deeper),
                    None => self.unknown(expression),
                }
            }
            Expression::UnaryOp(operation) => {
                match (
                    *operation.operator.value(),
                    self.at(&operation.expr, scope, deeper).truth(),
                ) {
                    (UnaryOperator::Not, Some(value)) => Value::Bool(!value),
                    _ => self.unknown(expression),
                }
            }
            Expression::BinaryOp(operation) => {
                let left = self.at(&operation.lhs_expr, scope, deeper);
                let right = self.at(&operation.rhs_expr, scope, deeper);
                let value = match operation.operator.value() {
                    BinaryOperator::Eq => equal(&left, &right),
                    BinaryOperator::NotEq => equal(&left, &right).map(|e| !e),
                    BinaryOperator::And => match (left.truth(), right.truth()) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), Some(true)) => Some(true),
                        _ => None,
                    },
                    BinaryOperator::Or => match (left.truth(), right.truth()) {
                        (Some(true), _) | (_, Some(true)) => Some(true),
                        (Some(false), Some(false)) => Some(false),
                        _ => None,
                    },
                    _ => None,
                };
                value.map_or_else(|| self.unknown(expression), Value::Bool)
            }
            Expression::Traversal(traversal) => {
                let mut value = self.at(&traversal.expr, scope, deeper);
                for operator in &traversal.operators {
                    let key = match operator.value() {
                        TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
                        TraversalOperator::Index(index) => self
                            .at(index, scope, deeper)
                            .text()
                            .map(|t| t.as_str().to_owned()),
                        TraversalOperator::LegacyIndex(index) => Some(index.value().to_string()),
                        _ => None,
                    };
                    let inner = key.and_then(|key| match value {
                        Value::Map(entries) => {
                            entries.into_iter().find(|(k, _)| *k == key).map(|(_, v)| v)
                        }
                        Value::List(items) => key
                            .parse()
                            .ok()
                            .and_then(|at: usize| items.into_iter().nth(at)),
                        _ => None,
                    });
                    match inner {
                        Some(inner) => value = inner,
                        None => return self.unknown(expression),
                    }
                }
                value
            }
            Expression::FuncCall(call) => self
                .call(call, scope, deeper)
                .unwrap_or_else(|| self.unknown(expression)),
            Expression::ForExpr(each) => self
                .each(each, scope, deeper)
                .unwrap_or_else(|| self.unknown(expression)),
        }
    }

    fn template<'t>(
        &self,
        elements: impl Iterator<Item = &'t Element>,
        scope: &Scope,
        depth: usize,
    ) -> Value {
        let mut out = Text::default();
        let mut elements = elements.peekable();
        let mut first = true;
        while let Some(element) = elements.next() {
            match element {
                Element::Literal(text) => out.push(text.as_str()),
                Element::Interpolation(inner) => {
                    let value = self.at(&inner.expr, scope, depth);
                    // `"${x}"` is x itself, of whatever type.
                    if first && elements.peek().is_none() {
                        return value;
                    }
                    match value {
                        Value::Null => {}
                        value => out.push(
                            value
                                .text()
                                .or_else(|| self.unknown(&inner.expr).text())
                                .unwrap_or_default()
                                .as_str(),
                        ),
                    }
                }
                Element::Directive(directive) => match directive.as_ref() {
                    Directive::If(choice) => {
                        let part = match self.at(&choice.if_expr.cond_expr, scope, depth).truth() {
                            Some(true) => {
                                self.template(choice.if_expr.template.iter(), scope, depth + 1)
                            }
                            Some(false) => match &choice.else_expr {
                                Some(other) => {
                                    self.template(other.template.iter(), scope, depth + 1)
                                }
                                None => Value::Null,
                            },
                            None => self.named("%{ if … }"),
                        };
                        out.push(part.text().unwrap_or_default().as_str());
                    }
                    Directive::For(_) => {
                        out.push(self.named("%{ for … }").text().unwrap_or_default().as_str())
                    }
                },
            }
            first = false;
            if out.as_str().len() > MAX_LENGTH || depth > MAX_DEPTH {
                return self.named("…");
            }
        }
        Value::Text(out)
    }

    fn variable(&self, name: &str, scope: &Scope, depth: usize) -> Value {
        if let Some((_, value)) = scope.iter().rev().find(|(known, _)| known == name) {
            return value.clone();
        }
        // The environment wins over the default.
        if let Some(value) = self
            .run
            .env
            .get(name)
            .filter(|_| self.definition.variables.iter().any(|v| v.name == name))
        {
            return Value::Text(value.clone());
        }
        if let Some(value) = self.variables.borrow().get(name) {
            return value.clone();
        }
        let hole = || {
            Value::Text(
                self.run
                    .cx
                    .holes
                    .of(&format!("${name}"), HoleKind::Variable),
            )
        };
        if self.active.borrow().iter().any(|active| active == name) {
            return hole();
        }
        self.active.borrow_mut().push(name.to_owned());
        let default = self
            .definition
            .variables
            .iter()
            .rev()
            .filter(|variable| variable.name == name)
            .find_map(|variable| variable.get("default"));
        let value = match default {
            Some(default) => self.at(&default.value, &Scope::new(), depth),
            None => hole(),
        };
        self.active.borrow_mut().pop();
        self.variables
            .borrow_mut()
            .insert(name.to_owned(), value.clone());
        value
    }

    fn each(&self, each: &ForExpr, scope: &Scope, depth: usize) -> Option<Value> {
        let collection = match self.at(&each.intro.collection_expr, scope, depth) {
            Value::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(at, value)| (Value::Text(at.to_string().into()), value))
                .collect(),
            Value::Map(entries) => entries
                .into_iter()
                .map(|(k, v)| (Value::Text(k.into()), v))
                .collect(),
            // How many there are is not known; of each that much is, what is done to it.
            Value::Text(text) if !text.is_known() => {
                vec![(Value::Text(text.clone()), Value::Text(text))]
            }
            _ => Vec::new(),
        };
        if each.key_expr.is_some() || collection.is_empty() {
            return None;
        }
        let mut out = Vec::new();
        let mut inner = scope.clone();
        for (key, value) in collection {
            inner.truncate(scope.len());
            if let Some(name) = &each.intro.key_var {
                inner.push((name.as_str().to_owned(), key));
            }
            inner.push((each.intro.value_var.as_str().to_owned(), value));
            if let Some(condition) = &each.cond
                && !self.at(&condition.expr, &inner, depth).truth()?
            {
                continue;
            }
            out.push(self.at(&each.value_expr, &inner, depth));
        }
        Some(Value::List(out))
    }

    fn call(&self, call: &FuncCall, scope: &Scope, depth: usize) -> Option<Value> {
        let name = call.name.name.as_str();
        let arguments: Vec<Value> = call
            .args
            .iter()
            .take(64)
            .map(|a| self.at(a, scope, depth))
            .collect();
        if let Some(own) = self
            .definition
            .functions
            .iter()
            .rev()
            .find(|f| f.name == name)
        {
            let mut inner = Scope::new();
            let parameters = own
                .get("params")
                .map(|p| p.value.as_array())
                .unwrap_or_default();
            let mut given = arguments.iter();
            for parameter in parameters.into_iter().flat_map(|p| p.iter()) {
                let parameter = match parameter {
                    Expression::Variable(name) => name.as_str(),
                    other => other.as_str()?,
                };
                inner.push((parameter.to_owned(), given.next()?.clone()));
            }
            if let Some(Expression::Variable(rest)) = own.get("variadic_params").map(|v| &v.value) {
                inner.push((
                    rest.as_str().to_owned(),
                    Value::List(given.cloned().collect()),
                ));
            }
            return Some(self.at(&own.get("result")?.value, &inner, depth));
        }
        builtin(name, &arguments).filter(|value| match value {
            Value::Text(text) => text.as_str().len() <= MAX_LENGTH,
            Value::List(items) => items.len() <= MAX_ITEMS,
            _ => true,
        })
    }
}

fn equal(left: &Value, right: &Value) -> Option<bool> {
    if left == right {
        return Some(true);
    }
    (left.is_known() && right.is_known()).then(|| match (left.text(), right.text()) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    })
}

/// The functions that decide names of images and targets; `None`: not modelled, or not known.
fn builtin(name: &str, arguments: &[Value]) -> Option<Value> {
    let text = |at: usize| arguments.get(at).and_then(Value::text);
    // What is done to letters can be done to known letters only.
    let known = |at: usize| {
        text(at)
            .filter(Text::is_known)
            .map(|t| t.as_str().to_owned())
    };
    let truth = |at: usize| arguments.get(at).and_then(Value::truth);
    Some(match name {
        "equal" => Value::Bool(equal(arguments.first()?, arguments.get(1)?)?),
        "notequal" => Value::Bool(!equal(arguments.first()?, arguments.get(1)?)?),
        "not" => Value::Bool(!truth(0)?),
        "and" => Value::Bool(truth(0)? && truth(1)?),
        "or" => Value::Bool(truth(0)? || truth(1)?),
        "lower" => Value::Text(text(0)?.as_str().to_ascii_lowercase().into()),
        "upper" => Value::Text(text(0)?.as_str().to_ascii_uppercase().into()),
        "trimspace" | "chomp" => Value::Text(text(0)?.as_str().trim().into()),
        "trimprefix" => {
            let (value, prefix) = (known(0)?, known(1)?);
            Value::Text(value.strip_prefix(&prefix).unwrap_or(&value).into())
        }
        "trimsuffix" => {
            let (value, suffix) = (known(0)?, known(1)?);
            Value::Text(value.strip_suffix(&suffix).unwrap_or(&value).into())
        }
        "replace" => {
            let (value, from, to) = (known(0)?, known(1)?, text(2)?);
            if from.is_empty() || value.len().saturating_mul(to.as_str().len().max(1)) > MAX_LENGTH
            {
                return None;
            }
            Value::Text(value.replace(&from, to.as_str()).into())
        }
        "join" => {
            let separator = text(0)?;
            let items = arguments
                .get(1..)?
                .iter()
                .flat_map(Value::texts)
                .collect::<Vec<_>>();
            if separator.as_str().len().saturating_mul(items.len()) > MAX_LENGTH {
                return None;
            }
            let items: Vec<&str> = items.iter().map(Text::as_str).collect();
            Value::Text(items.join(separator.as_str()).into())
        }
        "split" => {
            let (separator, value) = (known(0)?, text(1)?);
            // An unknown text may hold separators of its own.
            if separator.is_empty() || value.as_str().contains(is_hole) {
                return None;
            }
            Value::List(
                value
                    .as_str()
                    .split(&separator)
                    .map(|part| Value::Text(part.into()))
                    .collect(),
            )
        }
        "concat" | "setunion" | "flatten" | "tolist" | "toset" => {
            let mut out = Vec::new();
            let lists = arguments.iter().flat_map(|argument| match argument {
                Value::List(items) => items.clone(),
                other => vec![other.clone()],
            });
            for item in lists {
                match item {
                    Value::List(inner) if name == "flatten" => out.extend(inner),
                    Value::Null => {}
                    other => out.push(other),
                }
            }
            Value::List(out)
        }
        "compact" => Value::List(
            arguments
                .first()?
                .texts()
                .into_iter()
                .map(Value::Text)
                .collect(),
        ),
        "coalesce" => arguments
            .iter()
            .find(|a| **a != Value::Null && a.text().is_none_or(|t| !t.is_empty()))?
            .clone(),
        "format" => {
            let pattern = known(0)?;
            let mut parts = pattern.split("%s");
            let mut out = Text::from(parts.next()?);
            for (at, part) in parts.enumerate() {
                out.push(text(at + 1)?.as_str());
                out.push(part);
            }
            if out.as_str().contains('%') {
                return None;
            }
            Value::Text(out)
        }
        "merge" => {
            let mut out: Vec<(String, Value)> = Vec::new();
            for argument in arguments {
                let Value::Map(entries) = argument else {
                    return None;
                };
                out.retain(|(key, _)| !entries.iter().any(|(k, _)| k == key));
                out.extend(entries.iter().cloned());
            }
            Value::Map(out)
        }
        "keys" => match arguments.first()? {
            Value::Map(entries) => Value::List(
                entries
                    .iter()
                    .map(|(k, _)| Value::Text(k.as_str().into()))
                    .collect(),
            ),
            _ => return None,
        },
        "values" => match arguments.first()? {
            Value::Map(entries) => Value::List(entries.iter().map(|(_, v)| v.clone()).collect()),
            _ => return None,
        },
        "length" => match arguments.first()? {
            Value::List(items) => Value::Text(items.len().to_string().into()),
            _ => return None,
        },
        // Docker's own: what a target may not have in its name becomes `_`.
        "sanitize" => Value::Text(
            text(0)?
                .as_str()
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || "_-".contains(c) || is_hole(c) {
                        c
                    } else {
                        '_'
                    }
                })
                .collect::<String>()
                .into(),
        ),
        _ => return None,
    })
}
