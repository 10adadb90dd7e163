//! Whether the steps under a `when:` run decides whether a login covers a pull. A condition over
//! values that are fixed in the repository is simply computed; one over values that come from
//! outside (a branch, a pipeline's parameter) stays, in words, as a guard.

use std::rc::Rc;

use crate::effect::Guard;
use crate::yaml::Style;

use super::parameters::{Resolver, Value};

/// How deep conditions may be nested.
const MAX_DEPTH: usize = 32;

/// What can be said of a condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// It holds, or it does not.
    Known(bool),
    /// It depends on something outside.
    Depends {
        /// In words.
        text: String,
        /// Whether the words must hold, or must not.
        holds: bool,
    },
}

impl Condition {
    fn depends(text: impl Into<String>) -> Self {
        Self::Depends {
            text: text.into(),
            holds: true,
        }
    }

    /// The opposite.
    pub(super) fn not(self) -> Self {
        match self {
            Self::Known(known) => Self::Known(!known),
            Self::Depends { text, holds } => Self::Depends {
                text,
                holds: !holds,
            },
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Known(known) => known.to_string(),
            Self::Depends { text, holds: true } => text.clone(),
            Self::Depends { text, holds: false } => format!("not ({text})"),
        }
    }

    /// The guard that it is; `Err` with the answer when it is known.
    pub(super) fn guard(self) -> Result<Guard, bool> {
        match self {
            Self::Known(known) => Err(known),
            Self::Depends { text, holds } => {
                let guard = Guard::when(Rc::from(text));
                Ok(if holds { guard } else { guard.not() })
            }
        }
    }
}

impl<'d> Resolver<'_, 'd> {
    /// Computes a condition as far as it can be.
    pub(super) fn condition(&self, value: &Value<'d>) -> Condition {
        self.condition_at(value, 0)
    }

    fn condition_at(&self, value: &Value<'d>, depth: usize) -> Condition {
        if depth > MAX_DEPTH || !self.cx.spend() {
            return Condition::depends("a condition nested too deep");
        }
        if !value.node.is_mapping() {
            return self.scalar(value);
        }
        let mut all = Vec::new();
        for entry in value.node.entries() {
            let operand = value.at(entry.value);
            let each = |part: &Value<'d>| {
                let parts = part.node.items().map(|item| part.at(item));
                parts
                    .map(|p| self.condition_at(&p, depth + 1))
                    .collect::<Vec<_>>()
            };
            all.push(match entry.key.as_str() {
                Some("and") => join(each(&operand), true),
                Some("or") => join(each(&operand), false),
                Some("not") => self.condition_at(&operand, depth + 1).not(),
                Some("equal") => self.equal(&operand),
                Some("matches") => self.matches(&operand),
                Some(other) => Condition::depends(format!("`{other}`")),
                None => continue,
            });
        }
        join(all, true)
    }

    fn scalar(&self, value: &Value<'d>) -> Condition {
        let (at, outside) = self.follow(value);
        let Some(resolved) = self.resolve(&at) else {
            return Condition::Known(true); // a list: any value that is not empty holds
        };
        if outside || resolved.words.is_some() || !resolved.text.is_known() {
            let words = self.resolve(value).and_then(|r| r.words);
            let text = words.unwrap_or_else(|| resolved.text.as_str().to_owned());
            return Condition::depends(self.cx.holes.show(&text));
        }
        let text = resolved.text.as_str();
        let plain = at.node.style() == Style::Plain;
        if plain && (text.contains("pipeline.") || text.contains("parameters.")) {
            // CircleCI's newer expressions: `pipeline.git.branch == "main"`.
            return Condition::depends(text);
        }
        let nothing = text.is_empty()
            || at.as_boolean() == Some("false")
            || plain && (text == "0" || at.node.is_null() || at.node.as_bool() == Some(false));
        Condition::Known(!nothing)
    }

    fn equal(&self, list: &Value<'d>) -> Condition {
        let mut known: Option<String> = None;
        let mut words = Vec::new();
        let mut open = false;
        for item in list.node.items() {
            let item = list.at(item);
            let Some(resolved) = self.resolve(&item) else {
                return Condition::depends("`equal` of a list");
            };
            if resolved.words.is_some() || !resolved.text.is_known() {
                open = true;
                let text = resolved
                    .words
                    .unwrap_or_else(|| resolved.text.as_str().to_owned());
                words.push(self.cx.holes.show(&text));
                continue;
            }
            let text = resolved.text.as_str();
            if known.as_deref().is_some_and(|k| k != text) {
                return Condition::Known(false);
            }
            known = Some(text.to_owned());
        }
        if !open {
            return Condition::Known(true);
        }
        if let Some(known) = known {
            words.push(format!("`{known}`"));
        }
        words.dedup();
        Condition::depends(words.join(" is "))
    }

    fn matches(&self, operand: &Value<'d>) -> Condition {
        let part = |key: &str| operand.get(key).and_then(|v| self.resolve(&v));
        let (Some(pattern), Some(value)) = (part("pattern"), part("value")) else {
            return Condition::depends("`matches` without a pattern or a value");
        };
        let shown = |r: &super::parameters::Resolved| {
            let text = r
                .words
                .clone()
                .unwrap_or_else(|| r.text.as_str().to_owned());
            self.cx.holes.show(&text)
        };
        let open = |r: &super::parameters::Resolved| r.words.is_some() || !r.text.is_known();
        // A pattern in which every character means itself needs no engine; others are rare over fixed values.
        let bare = pattern.text.as_str();
        let bare = bare.strip_prefix('^').unwrap_or(bare);
        let bare = bare.strip_suffix('$').unwrap_or(bare);
        let literal = bare.chars().all(|c| !r"\.+*?()|[]{}^$".contains(c));
        if literal && !open(&pattern) && !open(&value) {
            let text = value.text.as_str();
            let start = pattern.text.as_str().starts_with('^');
            let end = pattern.text.as_str().ends_with('$');
            return Condition::Known(match (start, end) {
                (true, true) => text == bare,
                (true, false) => text.starts_with(bare),
                (false, true) => text.ends_with(bare),
                (false, false) => text.contains(bare),
            });
        }
        Condition::depends(format!("{} matches `{}`", shown(&value), shown(&pattern)))
    }
}

/// Several conditions as one: all of them (`and`), or any of them.
fn join(parts: Vec<Condition>, and: bool) -> Condition {
    if parts.contains(&Condition::Known(!and)) {
        return Condition::Known(!and);
    }
    let mut open: Vec<Condition> = Vec::new();
    for part in parts {
        if part != Condition::Known(and) && !open.contains(&part) {
            open.push(part);
        }
    }
    match open.as_slice() {
        [] => Condition::Known(and),
        [one] => one.clone(),
        many => {
            let words: Vec<String> = many.iter().map(Condition::words).collect();
            Condition::depends(words.join(if and { " and " } else { " or " }))
        }
    }
}
