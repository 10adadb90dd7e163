//! Conditions: which are known already, and what the others are called. Two steps that ask the
//! same question must give the same [`Guard`], however they spell it.

use super::exec::Call;
use super::pattern::{Match, matches};
use super::syntax::{CommandKind, List, Pipeline, Span as Range, Word};
use super::{Arg, Done, Shell};
use crate::effect::{Guard, Kind};
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::Text;

/// Commands that are asked for their status, not for what they do.
const TESTS: [&str; 17] = [
    "[", "[[", "test", "grep", "egrep", "fgrep", "command", "which", "type", "hash", "true",
    "false", ":", "cmp", "diff", "pgrep", "expr",
];

/// Programs that make the files that they are told of.
const MAKERS: [&str; 10] = [
    "cp", "mv", "ln", "tee", "curl", "wget", "envsubst", "git", "install", "unzip",
];

impl Shell {
    pub(super) fn guard_of_list(&self, run: &JobRun<'_>, list: &List) -> Guard {
        match list.items.as_slice() {
            [only] if only.rest.is_empty() => self.guard_of_pipeline(run, &only.first),
            [first, .., last] => guard_of_text(
                &self.words_of(
                    run,
                    Range {
                        start: first.span.start,
                        end: last.span.end,
                    },
                ),
                false,
            ),
            [only] => guard_of_text(&self.words_of(run, only.span), false),
            [] => guard_of_text(&self.words_of(run, list.span), false),
        }
    }

    pub(super) fn guard_of_pipeline(&self, run: &JobRun<'_>, pipeline: &Pipeline) -> Guard {
        let range = match (pipeline.commands.first(), pipeline.commands.last()) {
            (Some(first), Some(last)) => Range {
                start: first.span.start,
                end: last.span.end,
            },
            _ => pipeline.span,
        };
        guard_of_text(&self.words_of(run, range), pipeline.negated)
    }

    /// Whether a pipeline is there to ask something.
    pub(super) fn is_test_like(&self, pipeline: &Pipeline) -> bool {
        if pipeline.negated {
            return true;
        }
        let Some(command) = pipeline.commands.last() else {
            return false;
        };
        match &command.kind {
            CommandKind::Test(_) | CommandKind::Arith { .. } => true,
            CommandKind::Simple { words, .. } => {
                let words: Vec<_> = words.iter().take(4).map(|w| w.literal()).collect();
                let word = |at: usize| words.get(at).and_then(Option::as_deref).unwrap_or("");
                let name = word(0);
                TESTS.contains(&name)
                    || self.functions.contains_key(name) && asks(name)
                    // `$CI && docker login`: the variable holds `true` or `false`.
                    || matches!(words.as_slice(), [None])
                    || name == "docker"
                        && matches!(
                            (word(1), word(2)),
                            ("image" | "volume" | "network" | "container" | "manifest", "inspect" | "ls")
                                | ("inspect" | "images" | "ps" | "info", _)
                        )
                    || name == "git" && matches!(word(1), "diff" | "rev-parse" | "show-ref" | "ls-remote")
            }
            CommandKind::Group(list) | CommandKind::Subshell(list) => {
                list.items.last().is_some_and(|item| {
                    self.within_limit()
                        && self.is_test_like(item.rest.last().map_or(&item.first, |(_, p)| p))
                })
            }
            _ => false,
        }
    }

    fn within_limit(&self) -> bool {
        self.nesting < super::MAX_NESTING
    }

    /// `[ ... ]` and `test ...`.
    pub(super) fn single_bracket(&mut self, run: &mut JobRun<'_>, call: &Call<'_>) -> Done {
        let mut args = call.rest();
        if call.name() == "["
            && let Some((last, rest)) = args.split_last()
            && last.as_str() == "]"
        {
            args = rest;
        }
        Done {
            flow: super::Flow::Next,
            ok: self.evaluate(run, args, false),
        }
    }

    /// `[[ ... ]]`: words are not split, and the right side of `==` is a pattern.
    pub(super) fn double_bracket(&mut self, run: &mut JobRun<'_>, words: &[Word]) -> Done {
        let outer = std::mem::replace(&mut self.asks, true);
        let args: Vec<Arg> = words
            .iter()
            .map(|word| {
                let text = self.value(run, word);
                let mut arg = Arg::new(text, self.place(word.span));
                arg.bare = !word.is_quoted();
                arg
            })
            .collect();
        self.asks = outer;
        Done {
            flow: super::Flow::Next,
            ok: self.evaluate(run, &args, true),
        }
    }
}

/// A function whose name asks a question.
fn asks(name: &str) -> bool {
    [
        "is_", "is-", "has_", "has-", "should", "need", "check", "can_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

/// The guard that a condition's text means: negations are taken off, so that `[ -z "$X" ]` and
/// `! [ -n "$X" ]` are one condition.
pub(super) fn guard_of_text(text: &str, negated: bool) -> Guard {
    let mut text = text.trim();
    let mut holds = !negated;
    while let Some(rest) = text.strip_prefix("! ") {
        // `! a && b` negates `a` only.
        if rest.contains("&&") || rest.contains("||") {
            break;
        }
        text = rest.trim_start();
        holds = !holds;
    }
    let mut text = text.trim_end_matches(';').trim_end().to_owned();
    let simple = |text: &str| !["&&", "||", " -a "].iter().any(|sign| text.contains(sign));
    for (open, close) in [("[ ", " ]"), ("[[ ", " ]]"), ("test ", "")] {
        let Some(inner) = text
            .strip_prefix(open)
            .and_then(|inner| inner.strip_suffix(close))
            .filter(|inner| simple(&text) && !inner.contains(" -o "))
        else {
            continue;
        };
        let mut inner = inner.trim().to_owned();
        while let Some(rest) = inner.strip_prefix("! ") {
            inner = rest.trim_start().to_owned();
            holds = !holds;
        }
        if let Some(rest) = inner.strip_prefix("-z ") {
            inner = format!("-n {rest}");
            holds = !holds;
        } else if inner.contains(" != ") {
            inner = inner.replacen(" != ", " = ", 1);
            holds = !holds;
        } else {
            inner = inner.replacen(" == ", " = ", 1);
        }
        text = if open == "test " {
            format!("[ {inner} ]")
        } else {
            format!("{open}{inner}{close}")
        };
        break;
    }
    let guard = Guard::when(text);
    if holds { guard } else { guard.not() }
}

/// Adds a login. A condition that only asks whether what it signs in with is there leaves out nothing.
pub(super) fn emit_login(run: &mut JobRun<'_>, span: Span, mut login: Kind) {
    let secrets: Vec<Text> = match &login {
        Kind::Login {
            username, password, ..
        } => [username, password]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        _ => Vec::new(),
    };
    if let Kind::Login {
        username, password, ..
    } = &mut login
    {
        for part in [username, password] {
            *part = part.take().map(|text| run.of_credential(text));
        }
    }
    run.emit_with_secrets(span, login, |run, guard| {
        asks_for_secrets(run, guard, &secrets)
    });
}

/// Whether a condition asks only whether `secrets` are there: `[ -n "$USER" ] && [ -n "$TOKEN" ]`, or the
/// `else` of `[ -z "$USER" ] || [ -z "$TOKEN" ]`. What it leaves out could not have signed in anyway.
fn asks_for_secrets(run: &JobRun<'_>, guard: &Guard, secrets: &[Text]) -> bool {
    let (joins, other) = if guard.holds {
        (["&&", "-a"], ["||", "-o"])
    } else {
        (["||", "-o"], ["&&", "-a"])
    };
    let brackets = ["[", "]", "[[", "]]", "test", "(", ")"];
    // What is not so of several questions at once is not looked into.
    if guard.text.contains("! (") || guard.text.contains("!(") {
        return false;
    }
    let words: Vec<&str> = guard
        .text
        .split_whitespace()
        .map(|word| match word.contains("$(") {
            true => word,
            false => word.trim_start_matches('(').trim_end_matches(')'),
        })
        .filter(|word| !word.is_empty() && !brackets.contains(word))
        .collect();
    !words.iter().any(|word| other.contains(word))
        && words.split(|word| joins.contains(word)).all(|question| {
            asked_to_be_there(question).is_some_and(|(name, there)| {
                there == guard.holds && secrets.contains(&run.variable(name))
            })
        })
}

/// The variable of `-n "$X"` or `"$X" == ""`, and whether the question is if it is there or if it is not.
fn asked_to_be_there<'t>(question: &[&'t str]) -> Option<(&'t str, bool)> {
    let (word, there) = match *question {
        ["!", ref rest @ ..] if rest.first() != Some(&"!") => {
            return asked_to_be_there(rest).map(|(name, there)| (name, !there));
        }
        ["-v", name] => return super::redirect::is_name(name).then_some((name, true)),
        ["-n", word] | [word] | [word, "!=", "\"\"" | "''"] => (word, true),
        // `[ x"$X" != x ]`, for shells of old
        [word, op @ ("!=" | "=" | "=="), "x"] => {
            (word.trim_matches('"').strip_prefix('x')?, op == "!=")
        }
        ["-z", word] | [word, "=" | "==", "\"\"" | "''"] => (word, false),
        _ => return None,
    };
    let name = word.trim_matches('"').strip_prefix('$')?;
    let name = match name.strip_prefix('{') {
        // `${X:-}` and `${X+x}` are empty when `X` is.
        Some(inner) => {
            let inner = inner.strip_suffix('}')?;
            let end = inner.find([':', '-', '+']).unwrap_or(inner.len());
            let (name, rest) = inner.split_at(end);
            (rest.contains('+') || matches!(rest, "" | "-" | ":-")).then_some(name)?
        }
        None => name,
    };
    super::redirect::is_name(name).then_some((name, there))
}

impl Shell {
    /// The value of a test, when it can be known.
    fn evaluate(&self, run: &JobRun<'_>, args: &[Arg], patterns: bool) -> Option<bool> {
        if let Some(at) = position(args, &["||", "-o"]) {
            let (left, right) = (args.get(..at)?, args.get(at + 1..)?);
            return match (
                self.evaluate(run, left, patterns),
                self.evaluate_deeper(run, right, patterns),
            ) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        if let Some(at) = position(args, &["&&", "-a"]) {
            let (left, right) = (args.get(..at)?, args.get(at + 1..)?);
            return match (
                self.evaluate(run, left, patterns),
                self.evaluate_deeper(run, right, patterns),
            ) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        match args {
            [] => Some(false),
            [not, rest @ ..] if not.as_str() == "!" && !rest.is_empty() => self
                .evaluate_deeper(run, rest, patterns)
                .map(|value| !value),
            [open, rest @ .., close] if open.as_str() == "(" && close.as_str() == ")" => {
                self.evaluate_deeper(run, rest, patterns)
            }
            [word] => emptiness(&word.text).map(|empty| !empty),
            [op, word] => match op.as_str() {
                "-n" => emptiness(&word.text).map(|empty| !empty),
                "-z" => emptiness(&word.text),
                // What is set in one branch only may be unset, and its own hole stands for that.
                "-v" => {
                    let shown = run.show(run.env.get(word.as_str())?);
                    let name = shown.strip_prefix('$').unwrap_or("");
                    let name = name.split(" (").next().unwrap_or(name);
                    (name != word.as_str()).then_some(true)
                }
                // What is in the repository is there; what is not may be made by the build.
                "-f" | "-e" | "-r" | "-s" | "-d" => {
                    let path = self.locate(run, &word.text)?;
                    let (is_file, is_folder) = found(run, &path);
                    match op.as_str() {
                        _ if !is_file && !is_folder => self
                            .is_surely_absent(run, &word.text, &path)
                            .then_some(false),
                        "-d" => Some(is_folder),
                        "-f" => Some(is_file),
                        "-e" => Some(true),
                        _ => is_file.then_some(true),
                    }
                }
                _ => None,
            },
            [left, op, right] => compare(&left.text, op.as_str(), right, patterns),
            _ => None,
        }
    }

    /// Arguments are finite and every step takes one away, but a hostile line has a million of them.
    fn evaluate_deeper(&self, run: &JobRun<'_>, args: &[Arg], patterns: bool) -> Option<bool> {
        if args.len() > 64 {
            return None;
        }
        self.evaluate(run, args, patterns)
    }

    /// Whether a file that the repository does not have is not made by the job either: nobody makes a Compose file or a
    /// Dockerfile but the one who writes it, and neither this script nor the CI file has a word of that.
    fn is_surely_absent(&self, run: &JobRun<'_>, written: &Text, path: &RepoPath) -> bool {
        let name = path.name();
        let is_compose = name.starts_with("docker-compose") || name.starts_with("compose.");
        let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
        let is_one = name == "Dockerfile" || is_compose && is_yaml;
        if !is_one || !run.made(written).0.is_empty() {
            return false;
        }
        let makes = |line: &str| {
            line.contains(name)
                && ([">", "-o", "-O"].iter().any(|sign| line.contains(sign))
                    || line.split_whitespace().any(|word| MAKERS.contains(&word)))
        };
        let file = run.cx.current();
        let ci = run.cx.sources.load(&file).ok();
        let texts = [
            Some(&*self.text.text),
            ci.as_ref().map(|source| &*source.text),
        ];
        !texts
            .into_iter()
            .flatten()
            .any(|text| text.lines().any(makes))
    }
}

/// Whether a file of the repository is here, and whether a folder.
fn found(run: &JobRun<'_>, path: &RepoPath) -> (bool, bool) {
    if path.is_root() {
        return (false, true);
    }
    let names = run.cx.sources.tree().list(&path.parent());
    let is = |kind: &str| {
        let mut names = names.iter().filter_map(|name| name.strip_suffix(kind));
        names.any(|name| name == path.name())
    };
    (is(""), is("/"))
}

fn position(args: &[Arg], words: &[&str]) -> Option<usize> {
    if args.len() < 3 {
        return None;
    }
    (1..args.len() - 1).find(|&at| {
        args.get(at)
            .is_some_and(|arg| words.contains(&arg.as_str()))
    })
}

/// Whether a text is empty, when that can be known: an unknown value may be.
fn emptiness(text: &Text) -> Option<bool> {
    if text.is_empty() {
        return Some(true);
    }
    let has_known = text.as_str().chars().any(|c| !crate::text::is_hole(c));
    has_known.then_some(false)
}

fn compare(left: &Text, op: &str, right: &Arg, patterns: bool) -> Option<bool> {
    let equal = || {
        if left == &right.text {
            return Some(true);
        }
        if patterns && right.bare {
            let pattern = super::pattern::Pattern::parse(right.as_str());
            return match matches(&pattern, left.as_str()) {
                Match::Yes => Some(true),
                Match::No => Some(false),
                Match::Maybe => None,
            };
        }
        (left.is_known() && right.text.is_known()).then_some(false)
    };
    let numbers = || {
        let left: i64 = left.known()?.trim().parse().ok()?;
        let right: i64 = right.text.known()?.trim().parse().ok()?;
        Some((left, right))
    };
    match op {
        "=" | "==" => equal(),
        "!=" => equal().map(|value| !value),
        "-eq" => numbers().map(|(a, b)| a == b),
        "-ne" => numbers().map(|(a, b)| a != b),
        "-gt" => numbers().map(|(a, b)| a > b),
        "-ge" => numbers().map(|(a, b)| a >= b),
        "-lt" => numbers().map(|(a, b)| a < b),
        "-le" => numbers().map(|(a, b)| a <= b),
        _ => None,
    }
}

/// The variable of `[ -z "$X" ]`, `[ -z "${X+x}" ]` or `[ ! -v X ]`, when that is all the condition asks.
pub(super) fn asked_for_emptiness(guard: &Guard) -> Option<String> {
    let text = guard.text.trim_matches(['[', ']', ' ']);
    if guard.holds {
        return None;
    }
    if let Some(name) = text.strip_prefix("-v ") {
        return super::redirect::is_name(name).then(|| name.to_owned());
    }
    let variable = text.strip_prefix("-n ")?;
    let name = variable.trim_matches('"').strip_prefix('$')?;
    let name = name
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'))
        .unwrap_or(name);
    let name = name.split('+').next().unwrap_or(name);
    let name = name.trim_end_matches(['-', ':']);
    super::redirect::is_name(name).then(|| name.to_owned())
}
