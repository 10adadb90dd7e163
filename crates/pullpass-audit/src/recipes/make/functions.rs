//! The functions of make: `$(patsubst …)`, `$(foreach …)`, `$(call …)`.

use std::collections::BTreeSet;

use ecow::EcoString;

use super::expand::{MAX_VALUE, Scope, push};
use super::template::{Call, Function};
use crate::text::{HoleKind, has_hole, is_hole};

/// The names of a function's arguments.
const NUMBERS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Scope<'_, '_> {
    /// What a call comes to; `written` is the reference that it stands in.
    #[expect(clippy::too_many_lines, reason = "one arm per function of make")]
    pub(super) fn function(&self, call: &Call, written: &str, depth: usize) -> EcoString {
        let unfold = |part| self.unfold(part, depth);
        let get = |i: usize| call.part(i).map(unfold).unwrap_or_default();
        let last = || call.last().map(unfold).unwrap_or_default();
        let unknown = || self.output(written).into();
        // A function of words cannot be computed on what is not known.
        let of_known = |inputs: &[&str], act: &dyn Fn() -> EcoString| {
            if inputs.iter().any(|i| has_hole(i)) {
                unknown()
            } else {
                act()
            }
        };
        match call.function {
            Function::Shell => self.of_shell(last().trim(), written),
            Function::Eval => {
                let made = last();
                let mut evaluated = self.evaluated.borrow_mut();
                if evaluated.len() < 10_000 {
                    evaluated.push(made);
                }
                EcoString::new()
            }
            Function::Message => EcoString::new(),
            Function::If => {
                let outer = self.asks.replace(true);
                let condition = self.without_unset(get(0));
                self.asks.set(outer);
                let condition = condition.trim();
                if condition.is_empty() {
                    last()
                } else if !condition.chars().all(is_hole) {
                    get(1)
                } else {
                    // Which branch is taken is open; silence (`@`) or none makes no difference.
                    let (yes, no) = (get(1), last());
                    let flag = |v: &EcoString| v.trim().is_empty() || v.trim().starts_with('-');
                    if yes == no || [&yes, &no].iter().all(|v| matches!(v.trim(), "" | "@")) {
                        yes.trim().trim_start_matches('@').into()
                    } else if flag(&yes) && flag(&no) {
                        let apart = [&yes, &no].iter().any(|v| v.starts_with(' '));
                        self.flags(written, apart)
                    } else {
                        unknown()
                    }
                }
            }
            Function::Or => {
                let values = (0..call.parts.len()).map(get);
                let values = values.map(|v| EcoString::from(v.trim()));
                let values: Vec<EcoString> = values.filter(|v| !v.is_empty()).collect();
                let known = values.iter().find(|v| !v.chars().all(is_hole));
                // `$(or $(TAG),latest)`: as with a default in the shell, what nobody sets is not set.
                known.or(values.first()).cloned().unwrap_or_default()
            }
            Function::And => {
                let mut value = EcoString::new();
                for i in 0..call.parts.len() {
                    value = get(i).trim().into();
                    if value.is_empty() {
                        break;
                    }
                }
                value
            }
            Function::Strip => words(&last(), push),
            Function::FirstWord => last().split_whitespace().next().unwrap_or("").into(),
            Function::LastWord => last().split_whitespace().last().unwrap_or("").into(),
            Function::Word => {
                let (n, list) = (get(0), last());
                let index: usize = n.trim().parse().unwrap_or(0);
                of_known(&[&n, &list], &|| {
                    let word = list.split_whitespace().nth(index.saturating_sub(1));
                    word.unwrap_or("").into()
                })
            }
            Function::Path => last(),
            Function::Value => {
                let variable = self.variables().get(&*last());
                variable.map_or_else(EcoString::new, |v| v.value.clone())
            }
            Function::AddPrefix => {
                let prefix = get(0);
                words(&last(), |out, w| joined(out, &prefix, w))
            }
            Function::AddSuffix => {
                let suffix = get(0);
                words(&last(), |out, w| joined(out, w, &suffix))
            }
            Function::Subst => {
                let (from, to, text) = (get(0), get(1), last());
                of_known(&[&from, &to, &text], &|| {
                    let grows = text.len() * (to.len() + 1) > 16 * MAX_VALUE;
                    if from.is_empty() || grows || !text.contains(&*from) {
                        text.clone()
                    } else {
                        text.replace(&from, &to)
                    }
                })
            }
            Function::PatSubst => {
                let (from, to, text) = (get(0), get(1), last());
                // Of what nobody sets there is nothing to change.
                let unset = |c: char| {
                    let hole = self.run.cx.holes.get(c);
                    hole.is_some_and(|hole| hole.kind == HoleKind::Variable)
                };
                if !text.is_empty() && text.chars().all(unset) {
                    return self.run.cx.holes.of(written, HoleKind::Variable).into();
                }
                of_known(&[&from, &to, &text], &|| {
                    words(&text, |out, w| substituted(out, from.trim(), to.trim(), w))
                })
            }
            Function::Filter | Function::FilterOut => {
                let filters = call.function == Function::Filter;
                let (patterns, mut text) = (get(0), last());
                if filters && self.asks.get() {
                    text = self.without_unset(text);
                }
                of_known(&[&patterns, &text], &|| {
                    let patterns: Vec<&str> = patterns.split_whitespace().take(100).collect();
                    if !self.work(text.len() * patterns.len().max(1)) {
                        return unknown();
                    }
                    let keep = text
                        .split_whitespace()
                        .filter(|w| patterns.iter().any(|p| stem(p, w).is_some()) == filters);
                    listed(keep)
                })
            }
            Function::Sort => {
                let text = last();
                of_known(&[&text], &|| {
                    let sorted: BTreeSet<&str> = text.split_whitespace().collect();
                    listed(sorted)
                })
            }
            Function::NotDir => {
                let text = last();
                of_known(&[&text], &|| {
                    words(&text, |out, w| push(out, &self.name_of(w)))
                })
            }
            Function::Dir => words(&last(), |out, w| match w.rfind('/') {
                Some(at) => push(out, w.get(..=at).unwrap_or("")),
                None => push(out, "./"),
            }),
            Function::BaseName => {
                let text = last();
                of_known(&[&text], &|| {
                    words(&text, |out, w| {
                        let at = extension(w);
                        push(out, at.and_then(|at| w.get(..at)).unwrap_or(w));
                    })
                })
            }
            Function::Wildcard => {
                let text = last();
                let found = text.split_whitespace().take(100).map(|w| self.glob(w));
                let found: Option<Vec<Vec<String>>> = found.collect();
                found.map_or_else(unknown, |found| {
                    listed(found.iter().flatten().map(String::as_str))
                })
            }
            Function::ForEach => {
                let (variable, list) = (get(0), get(1));
                let mut out = EcoString::new();
                for word in list.split_whitespace() {
                    if !self.goes_on() || out.len() > MAX_VALUE {
                        break;
                    }
                    let value = self.with(&[(variable.trim(), word)], last);
                    if !out.is_empty() {
                        out.push(' ');
                    }
                    push(&mut out, &value);
                }
                out
            }
            Function::Call => {
                let called = get(0);
                let values: Vec<EcoString> = (1..call.parts.len().min(20)).map(get).collect();
                let numbered = NUMBERS.iter().enumerate();
                let bound: Vec<(&str, &str)> = numbered
                    .map(|(i, n)| (*n, values.get(i).map_or("", EcoString::as_str)))
                    .collect();
                self.with(&bound, || self.named(called.trim(), depth))
            }
            Function::Words => {
                let text = last();
                of_known(&[&text], &|| {
                    text.split_whitespace().count().to_string().into()
                })
            }
            Function::WordList => {
                let (from, to, list) = (get(0), get(1), last());
                of_known(&[&from, &to, &list], &|| {
                    let from: usize = from.trim().parse().unwrap_or(1);
                    let to: usize = to.trim().parse().unwrap_or(0);
                    let list = list.split_whitespace().take(to);
                    listed(list.skip(from.saturating_sub(1)))
                })
            }
            Function::FindString => {
                let (part, mut text) = (get(0), last());
                if self.asks.get() {
                    text = self.without_unset(text);
                }
                of_known(&[&part, &text], &|| {
                    let found = text.contains(&*part);
                    if found {
                        part.clone()
                    } else {
                        EcoString::new()
                    }
                })
            }
            Function::Suffix => {
                let text = last();
                of_known(&[&text], &|| {
                    let of = |w| extension(w).and_then(|at| w.get(at..));
                    listed(text.split_whitespace().filter_map(of))
                })
            }
            Function::Join => {
                let (left, right) = (get(0), last());
                of_known(&[&left, &right], &|| {
                    let mut right = right.split_whitespace();
                    let left = left.split_whitespace();
                    let mut words: Vec<String> = left
                        .map(|w| format!("{w}{}", right.next().unwrap_or("")))
                        .collect();
                    words.extend(right.map(str::to_owned));
                    words.join(" ").into()
                })
            }
            Function::Origin => {
                let name = last();
                let name = name.trim();
                if self.given(name).is_some() {
                    "command line".into()
                } else if self.variables().contains_key(name) {
                    "file".into()
                } else if self.is_in_environment(name) {
                    "environment".into()
                } else {
                    unknown()
                }
            }
            Function::Unknown => unknown(),
        }
    }

    fn of_shell(&self, command: &str, written: &str) -> EcoString {
        match command {
            "pwd" | "pwd -P" | "pwd -L" => ".".into(),
            // The shell knows it as the root of the repository.
            "git rev-parse --show-toplevel" => {
                self.run.cx.holes.of("$PWD", HoleKind::Variable).into()
            }
            "uname" | "uname -s" => {
                self.is_in_environment("RUNNER_OS");
                if super::super::on_other_system(self.run) {
                    self.output(written).into()
                } else {
                    "Linux".into()
                }
            }
            command => {
                let printed = self.printed(command).map(EcoString::from);
                printed.unwrap_or_else(|| self.output(written).into())
            }
        }
    }
}

/// Each word of a text, as `act` writes it.
pub(super) fn words(text: &str, act: impl Fn(&mut EcoString, &str)) -> EcoString {
    let mut out = EcoString::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            push(&mut out, " ");
        }
        act(&mut out, word);
    }
    out
}

/// Words with a blank between them.
fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> EcoString {
    let mut out = EcoString::new();
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Writes both as one word, or none of it where there is no room for it.
fn joined(out: &mut EcoString, before: &str, after: &str) {
    if out.len() <= MAX_VALUE {
        out.push_str(before);
        out.push_str(after);
    }
}

/// Where the extension of a name begins.
fn extension(word: &str) -> Option<usize> {
    word.rfind('.')
        .filter(|&at| !word.get(at..).unwrap_or("").contains('/'))
}

/// What `%` of `pattern` stands for in `word`.
pub(super) fn stem<'w>(pattern: &str, word: &'w str) -> Option<&'w str> {
    match pattern.split_once('%') {
        Some((before, after)) => word.strip_prefix(before)?.strip_suffix(after),
        None => (pattern == word).then_some(""),
    }
}

/// Writes a word as `to` where it fits `from`.
pub(super) fn substituted(out: &mut EcoString, from: &str, to: &str, word: &str) {
    match (stem(from, word), to.split_once('%')) {
        (Some(stem), Some((before, after))) => {
            if out.len() <= MAX_VALUE {
                for part in [before, stem, after] {
                    out.push_str(part);
                }
            }
        }
        (Some(_), None) => push(out, to),
        (None, _) => push(out, word),
    }
}
