//! `$name` and `${name...}`.

use super::pattern;
use super::syntax::{Anchor, ParamExpansion, ParamOp, Span as Range};
use super::words::Value;
use super::{Shell, arith, ifs};
use crate::run::{Cwd, JobRun};
use crate::text::{HoleKind, Text, is_hole};

/// Variables that every CI sets: absent here means only that their value is not written down.
const SET_BY_CI: [&str; 4] = ["CIRCLE_", "GITHUB_", "RUNNER_", "ACTIONS_"];

/// CircleCI sets it to the job's working directory, which a `checkout` makes the root of the repository.
const WORKING_DIRECTORY: &str = "CIRCLE_WORKING_DIRECTORY";

impl Shell {
    pub(super) fn parameter(
        &mut self,
        run: &mut JobRun<'_>,
        param: &ParamExpansion,
        range: Range,
    ) -> Value {
        let name = param.name.as_str();
        if param.indirect
            && let Some(keys) = self.keys_of(param)
        {
            return match keys {
                Some(keys) => Value::Many(keys),
                None => Value::One(self.hole(run, range)),
            };
        }
        if param.indirect {
            return Value::One(
                match self.lookup(run, name).as_ref().and_then(Text::known) {
                    Some(target) if param.op == ParamOp::None => {
                        let target = target.to_owned();
                        self.lookup(run, &target)
                            .unwrap_or_else(|| run.variable(&target))
                    }
                    _ => self.hole(run, range),
                },
            );
        }
        if let Some(all) = self.list_of(param) {
            return match (all, &param.op) {
                // `IFS=,; echo "${NAMES[*]}"`
                (Some(all), ParamOp::None)
                    if is_joined(param) && run.env.contains_key(ifs::NAME) =>
                {
                    let joint = self.separators(run).joint();
                    let all: Vec<&str> = all.iter().map(Text::as_str).collect();
                    Value::One(Text::from(all.join(&joint)))
                }
                (Some(all), ParamOp::None) => Value::Many(all),
                (Some(all), ParamOp::Length) if !self.is_open(run, &all) => {
                    Value::One(Text::from(all.len().to_string()))
                }
                (Some(all), ParamOp::Substring { offset, length }) => {
                    // `$@` counts from 1, as `$0` is the script.
                    let counts_from = i64::from(param.index.is_none());
                    match self.slice(run, &all, counts_from, offset, length.as_ref()) {
                        Some(part) => Value::Many(part),
                        None => Value::One(self.hole(run, range)),
                    }
                }
                (Some(all), ParamOp::Default { word, .. }) if all.is_empty() => {
                    Value::One(self.value(run, word))
                }
                (Some(all), ParamOp::Default { .. } | ParamOp::Error { .. }) => Value::Many(all),
                (Some(all), ParamOp::Alternative { word, .. }) => {
                    if all.is_empty() {
                        Value::Many(Vec::new())
                    } else {
                        let text = self.value(run, word);
                        // `${X+"${X[@]}"}`
                        if word.parts.is_empty() {
                            Value::One(text)
                        } else {
                            Value::Many(all)
                        }
                    }
                }
                _ => Value::One(self.hole(run, range)),
            };
        }
        let value = match &param.index {
            Some(index) => self.element(run, name, index),
            None => self.lookup(run, name),
        };
        if value.is_none() && param.op == ParamOp::None && self.is_map(name) {
            return Value::One(self.hole(run, range));
        }
        Value::One(self.operate(run, name, value, &param.op, range))
    }

    /// The hole that stands for this expansion, in the words of the file.
    fn hole(&self, run: &JobRun<'_>, range: Range) -> Text {
        let written = self.words_of(run, range);
        // `${X}` and `$X` are the same unknown.
        let plain = written
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|name| {
                !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
            });
        let written = plain.map_or(written.clone(), |name| format!("${name}"));
        run.cx.holes.of(&written, HoleKind::Variable)
    }

    /// `$@`, `$*`, `${array[@]}`: all of a list. The inner `None`: it cannot be known.
    #[expect(clippy::option_option, reason = "no list, an unknown list, a list")]
    fn list_of(&self, param: &ParamExpansion) -> Option<Option<Vec<Text>>> {
        if matches!(param.name.as_str(), "@" | "*") {
            return Some(self.arguments.as_ref().map(|all| all.to_vec()));
        }
        let index = param.index.as_ref()?.literal_or_glob()?;
        matches!(index.as_ref(), "@" | "*").then(|| {
            let values = || self.all_of_map(&param.name, false).flatten();
            self.arrays.get(&param.name).cloned().or_else(values)
        })
    }

    /// `${!array[@]}`: what its elements are found by. The inner `None`: it cannot be known.
    #[expect(clippy::option_option, reason = "no list, an unknown list, a list")]
    fn keys_of(&self, param: &ParamExpansion) -> Option<Option<Vec<Text>>> {
        let index = param.index.as_ref()?.literal_or_glob()?;
        if !matches!(index.as_ref(), "@" | "*") || param.op != ParamOp::None {
            return None;
        }
        if let Some(keys) = self.all_of_map(&param.name, true) {
            return Some(keys);
        }
        let all = self.arrays.get(&param.name)?;
        let number = |at: usize| Text::from(at.to_string());
        Some(Some((0..all.len()).map(number).collect()))
    }

    fn slice(
        &mut self,
        run: &mut JobRun<'_>,
        all: &[Text],
        counts_from: i64,
        offset: &super::syntax::Word,
        length: Option<&super::syntax::Word>,
    ) -> Option<Vec<Text>> {
        let number = |shell: &mut Self, run: &mut JobRun<'_>, word| {
            let text = shell.value(run, word);
            shell.arithmetic(run, text.known()?)
        };
        let from = number(self, run, offset)?;
        let from = match from {
            0.. => usize::try_from((from - counts_from).max(0)).ok()?,
            // Counted from the end of a list whose end is not known.
            _ if self.is_open(run, all) => return None,
            _ => arith::place(all.len(), from)?,
        };
        let rest = all.get(from..).unwrap_or_default();
        let count = match length {
            Some(word) => usize::try_from(number(self, run, word)?).ok()?,
            None => rest.len(),
        };
        Some(rest.iter().take(count).cloned().collect())
    }

    fn element(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        index: &super::syntax::Word,
    ) -> Option<Text> {
        let index = self.value(run, index);
        if self.is_map(name) {
            return self.in_map(name, &index);
        }
        let index = self.calculate(run, index.known()?)?;
        if name == "BASH_SOURCE" && index == 0 {
            return self.lookup(run, "BASH_SOURCE");
        }
        let all = self.arrays.get(name)?;
        let is_open = self.is_open(run, all);
        let place = arith::place(all.len(), index).filter(|_| index >= 0 || !is_open);
        match place.and_then(|at| all.get(..=at)) {
            Some(up_to) => up_to.last().filter(|_| !self.is_open(run, up_to)).cloned(),
            None if is_open => None,
            None => Some(Text::default()),
        }
    }

    /// The place in an array that an index means: a number, a variable that holds one, or a sum of such.
    pub(super) fn number(&self, run: &JobRun<'_>, index: &Text) -> Option<usize> {
        let number = self.arithmetic(run, index.known()?)?;
        usize::try_from(number).ok()
    }

    /// Whether a list holds a part of which not even the number of words is known.
    pub(super) fn is_open(&self, run: &JobRun<'_>, all: &[Text]) -> bool {
        all.iter()
            .any(|text| text.is_one_hole() && super::is_list(&run.show(text)))
    }

    /// The value of a variable, when something is known of it.
    pub(super) fn lookup(&self, run: &JobRun<'_>, name: &str) -> Option<Text> {
        match name {
            "#" => Some(Text::from(self.arguments.as_ref()?.len().to_string())),
            "0" => self.zero.clone(),
            "BASH_SOURCE" => {
                let file = self.file.as_ref()?;
                Some(Text::from(format!("{}/{file}", self.root(run).as_str())))
            }
            "PWD" => self.folder(run),
            "GITHUB_WORKSPACE" | "CI_PROJECT_DIR"
                if run.checkout.is_empty() && !run.env.contains_key(name) =>
            {
                Some(self.root(run))
            }
            _ if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => {
                let index: usize = name.parse().ok()?;
                // An argument that cannot be known is not one that is missing: `${1:-all}`.
                let Some(all) = &self.arguments else {
                    return Some(run.variable(name));
                };
                Some(all.get(index.checked_sub(1)?).cloned().unwrap_or_default())
            }
            _ => run.env.get(name).cloned(),
        }
    }

    /// What stands for the root of the repository in an absolute path.
    pub(super) fn root(&self, run: &JobRun<'_>) -> Text {
        run.cx.holes.of("$PWD", HoleKind::Variable)
    }

    /// The working folder as an absolute path.
    pub(super) fn folder(&self, run: &JobRun<'_>) -> Option<Text> {
        match &run.cwd {
            Cwd::Inside(path) if path.is_root() => Some(self.root(run)),
            Cwd::Inside(path) => Some(Text::from(format!("{}/{path}", self.root(run).as_str()))),
            Cwd::Partly(path) => {
                let root = self.root(run);
                Some(Text::from([root.as_str(), "/", path.as_str()].concat()))
            }
            Cwd::Above(at) if *at == run.checkout => {
                Some(run.cx.holes.of("$GITHUB_WORKSPACE", HoleKind::Variable))
            }
            Cwd::Above(_) | Cwd::Elsewhere => None,
        }
    }

    fn operate(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        value: Option<Text>,
        op: &ParamOp,
        range: Range,
    ) -> Text {
        match op {
            ParamOp::None | ParamOp::Error { .. } => match value {
                Some(value) => value,
                // `$PWD` stands for the root of the repository (see `root`), so not for this.
                None if name == "PWD" => run.cx.holes.of("${PWD}", HoleKind::Variable),
                None if name.is_empty() => self.hole(run, range),
                None if name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) => {
                    run.variable(name)
                }
                None => self.hole(run, range),
            },
            ParamOp::Default { colon, word } | ParamOp::AssignDefault { colon, word } => {
                let assigns = matches!(op, ParamOp::AssignDefault { .. });
                match value {
                    Some(value) if !(value.is_empty() && *colon) => value,
                    // `[ -n "${TOKEN:-}" ]` asks whether the machine has it, as `[ -n "$TOKEN" ]` does.
                    None if self.asks && word.parts.is_empty() => run.variable(name),
                    None if name == WORKING_DIRECTORY => run.variable(name),
                    // `export DOCKER_PASSWORD=${DOCKER_PASSWORD:-}` keeps what the machine has.
                    None if word.parts.is_empty() && names_a_credential(name) => run.variable(name),
                    // Nothing in the repository sets it, so the default is what a reader expects.
                    _ if !is_set_by_ci(name) => {
                        let value = self.value(run, word);
                        if assigns {
                            self.set(run, name, value.clone());
                        }
                        value
                    }
                    _ => self.hole(run, range),
                }
            }
            ParamOp::Alternative { colon, word } => match value {
                Some(value) if value.is_empty() && *colon => Text::default(),
                Some(value) if value.is_known() => self.value(run, word),
                None if name.bytes().all(|b| b.is_ascii_digit()) => Text::default(),
                _ => self.hole(run, range),
            },
            ParamOp::Length => match value.as_ref().and_then(Text::known) {
                Some(value) => Text::from(value.chars().count().to_string()),
                None => self.hole(run, range),
            },
            ParamOp::RemovePrefix { longest, pattern } => {
                self.trimmed(run, value, pattern, false, *longest, range)
            }
            ParamOp::RemoveSuffix { longest, pattern } => {
                self.trimmed(run, value, pattern, true, *longest, range)
            }
            ParamOp::Replace {
                all,
                anchor,
                pattern,
                with,
            } => {
                let pattern = self.pattern(run, pattern);
                let with = self.value(run, with);
                // `${CIRCLE_WORKING_DIRECTORY/#\~/$HOME}`: it is set to `~/project`, whose `~` no shell unfolds.
                if value.is_none() && name == WORKING_DIRECTORY && pattern.is("~") {
                    return run.variable(name);
                }
                value
                    .filter(|_| *anchor == Anchor::None)
                    .and_then(|value| {
                        pattern::replaced(&pattern, value.as_str(), with.as_str(), *all)
                    })
                    .map_or_else(|| self.hole(run, range), Text::from)
            }
            ParamOp::Substring { offset, length } => {
                let from = self.value(run, offset);
                let count = length.as_ref().map(|word| self.value(run, word));
                substring(value.as_ref(), &from, count.as_ref())
                    .unwrap_or_else(|| self.hole(run, range))
            }
            ParamOp::Case {
                op,
                all,
                pattern: only,
            } => match value {
                Some(value) if only.parts.is_empty() && !value.is_one_hole() => {
                    changed_case(value.as_str(), *op, *all)
                }
                _ => self.hole(run, range),
            },
            ParamOp::Other(_) => self.hole(run, range),
        }
    }

    fn trimmed(
        &mut self,
        run: &mut JobRun<'_>,
        value: Option<Text>,
        pattern: &super::syntax::Word,
        from_end: bool,
        longest: bool,
        range: Range,
    ) -> Text {
        let pattern = self.pattern(run, pattern);
        value
            .and_then(|value| pattern::without(&pattern, value.as_str(), from_end, longest))
            .map_or_else(|| self.hole(run, range), Text::from)
    }
}

/// `$*`, `${array[*]}`: all of a list in one.
fn is_joined(param: &ParamExpansion) -> bool {
    let index = param.index.as_ref().and_then(|i| i.literal_or_glob());
    match index {
        Some(index) => index == "*",
        None => param.name == "*",
    }
}

/// Whether a variable of this name holds a credential, which nobody writes down.
fn names_a_credential(name: &str) -> bool {
    let named = ["PASS", "TOKEN", "SECRET", "USER"];
    named.iter().any(|word| name.contains(word))
}

/// Whether every CI, or one of the two, sets a variable of this name by itself.
pub(crate) fn is_set_by_ci(name: &str) -> bool {
    name == "CI" || SET_BY_CI.iter().any(|prefix| name.starts_with(prefix))
}

fn substring(value: Option<&Text>, from: &Text, count: Option<&Text>) -> Option<Text> {
    let value: Vec<char> = value?.known()?.chars().collect();
    let from: i64 = from.known()?.trim().parse().ok()?;
    let start = if from < 0 {
        value
            .len()
            .checked_sub(usize::try_from(from.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(from).ok()?
    };
    let rest = value.get(start..).unwrap_or_default();
    let count = match count {
        Some(count) => count.known()?.trim().parse().ok()?,
        None => rest.len(),
    };
    Some(Text::from(rest.iter().take(count).collect::<String>()))
}

fn changed_case(value: &str, op: char, all: bool) -> Text {
    let change = |c: char| -> String {
        if is_hole(c) {
            return c.to_string();
        }
        match op {
            '^' => c.to_uppercase().to_string(),
            ',' => c.to_lowercase().to_string(),
            _ if c.is_lowercase() => c.to_uppercase().to_string(),
            _ => c.to_lowercase().to_string(),
        }
    };
    let mut chars = value.chars();
    if all {
        return Text::from(chars.map(change).collect::<String>());
    }
    let first = chars.next().map(change).unwrap_or_default();
    Text::from(first + chars.as_str())
}
