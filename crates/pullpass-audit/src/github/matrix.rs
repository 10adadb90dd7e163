//! Matrix expansion: one combination is one job, and each may pull other images.
//!
//! The order of work is GitHub's: the product of the lists, less `exclude`, then each `include`
//! extends the combinations that it does not contradict, or stands as one of its own.

use std::rc::Rc;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::text::HoleKind;
use crate::yaml::Node;

use super::evaluate::{Scope, Value};

/// Combinations of one job; GitHub refuses a matrix with more.
const MAX_COMBINATIONS: usize = 256;

/// What a text has in it that makes use of the combination.
static MATRIX: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("matrix"));

type Entries = Vec<(String, Value)>;

/// The `matrix` contexts of a job's combinations. A job without a matrix has one, with nothing in it;
/// a matrix that cannot be expanded gives one in which everything is unknown.
pub(super) fn expand(scope: &Scope<'_>, matrix: Option<Node<'_>>) -> Vec<Value> {
    let Some(node) = matrix.filter(|node| !node.is_null()) else {
        return vec![Value::Null];
    };
    let Value::Map(axes) = scope.value(node) else {
        return vec![unknown(scope)];
    };
    let mut combinations: Vec<Entries> = vec![Vec::new()];
    let mut own_keys: Vec<&str> = Vec::new();
    let mut include = None;
    let mut exclude = None;
    for (key, value) in axes.iter() {
        match key.as_str() {
            "include" => include = Some(value),
            "exclude" => exclude = Some(value),
            _ => {
                own_keys.push(key);
                combinations = product(scope, &combinations, key, value);
            }
        }
    }
    if let Some(Value::List(items)) = exclude {
        combinations.retain(|combination| {
            !items.iter().any(|item| match item {
                Value::Map(wanted) => wanted
                    .iter()
                    .all(|(key, value)| find(combination, key).is_some_and(|v| covers(v, value))),
                _ => false,
            })
        });
    }
    let mut out: Vec<Entries> = if own_keys.is_empty() {
        Vec::new()
    } else {
        combinations
    };
    match include {
        Some(Value::List(items)) => {
            for item in items.iter() {
                match item {
                    Value::Map(extra) => extend(&mut out, &own_keys, extra),
                    _ => out.push(Vec::new()),
                }
            }
        }
        Some(Value::Text(_)) => {
            let mut values = finish(scope, out);
            values.push(unknown(scope));
            return values;
        }
        _ => {}
    }
    finish(scope, out)
}

fn finish(scope: &Scope<'_>, combinations: Vec<Entries>) -> Vec<Value> {
    let more = "a matrix with more combinations than GitHub takes";
    let first = scope.cx.first(combinations, MAX_COMBINATIONS, more);
    first
        .into_iter()
        .map(|entries| Value::Map(Rc::new(entries)))
        .collect()
}

fn unknown(scope: &Scope<'_>) -> Value {
    scope.unknown("matrix", HoleKind::Expression)
}

fn product(scope: &Scope<'_>, before: &[Entries], key: &str, value: &Value) -> Vec<Entries> {
    let unresolved;
    let items: &[Value] = match value {
        Value::List(items) => items,
        _ => {
            unresolved = [scope.unknown(&format!("matrix.{key}"), HoleKind::Expression)];
            &unresolved
        }
    };
    before
        .iter()
        .flat_map(|combination| {
            items.iter().map(|item| {
                let mut with = combination.clone();
                with.push((key.to_owned(), item.clone()));
                with
            })
        })
        .take(MAX_COMBINATIONS + 1)
        .collect()
}

fn find<'v>(entries: &'v [(String, Value)], key: &str) -> Option<&'v Value> {
    entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
}

/// Whether `value` has everything that `wanted` says; of a mapping a part is enough.
fn covers(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Map(_), Value::Map(wanted)) => wanted
            .iter()
            .all(|(key, w)| value.get(key).is_some_and(|v| v == w)),
        _ => value == wanted || value.as_text() == wanted.as_text(),
    }
}

fn extend(out: &mut Vec<Entries>, own_keys: &[&str], extra: &[(String, Value)]) {
    let mut used = false;
    for combination in out.iter_mut() {
        // Combinations that an earlier `include` made have none of the matrix's own keys.
        let original = own_keys
            .first()
            .is_some_and(|key| find(combination, key).is_some());
        let fits = original
            && extra.iter().all(|(key, value)| {
                !own_keys.contains(&key.as_str())
                    || find(combination, key).is_some_and(|v| v == value)
            });
        if fits {
            used = true;
            for (key, value) in extra {
                if own_keys.contains(&key.as_str()) {
                    continue;
                }
                combination.retain(|(k, _)| k != key);
                combination.push((key.clone(), value.clone()));
            }
        }
    }
    if !used {
        out.push(extra.to_vec());
    }
}

/// What a job makes use of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Used {
    /// The matrix as a whole, or nobody knows.
    Everything,
    /// These properties.
    Keys(Vec<String>),
}

impl Used {
    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Self::Keys(Vec::new())
    }

    /// Whether two combinations agree in it: 1,000 repositories test against hundreds of versions that
    /// no pull depends on.
    pub(super) fn agree(&self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Everything => false,
            Self::Keys(keys) => {
                a.is_known() == b.is_known() && keys.iter().all(|key| a.get(key) == b.get(key))
            }
        }
    }

    /// Adds what the text of a part of the job makes use of.
    pub(super) fn note(&mut self, text: &str) {
        let Self::Keys(keys) = self else { return };
        let mut rest = text;
        while let Some(at) = MATRIX.find(rest.as_bytes()) {
            let tail = rest.get(at + "matrix".len()..).unwrap_or("");
            let key: String = tail
                .strip_prefix('.')
                .unwrap_or("")
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
                .collect();
            let word = tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            if !key.is_empty() {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            } else if !word && tail.trim_start().starts_with(['[', ')', '}', '.', ',']) {
                *self = Self::Everything;
                return;
            }
            rest = tail;
        }
    }
}
