//! What a step hands on to the later steps of a GitHub job: lines in `$GITHUB_ENV` and `$GITHUB_OUTPUT`.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use super::exec::Call;
use super::{Arg, Input, MAX_VALUE, Shell, redirect};
use crate::run::JobRun;
use crate::text::Text;

/// The file that lines are written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handed {
    /// `$GITHUB_ENV`: variables of all later steps.
    Variable,
    /// `$GITHUB_OUTPUT`: outputs of this one.
    Output,
}

/// A value of several lines of which the end is not written yet: `echo "NAME<<END" >> "$GITHUB_ENV"`.
#[derive(Debug)]
pub(crate) struct Unfinished {
    name: String,
    end: String,
    /// The lines so far; `None` where one is not known.
    value: Option<String>,
}

impl Unfinished {
    fn add(&mut self, line: &str) {
        let Some(value) = &mut self.value else { return };
        if value.len() + line.len() > MAX_VALUE {
            self.value = None;
            return;
        }
        if !value.is_empty() {
            value.push('\n');
        }
        value.push_str(line);
    }
}

/// What stands in a text that is written to one of the files.
#[derive(Default)]
struct Written {
    /// Names and values, in order; `None`: one that is not known.
    values: Vec<(String, Option<Text>)>,
    /// There is a line that gives none.
    strange: bool,
}

impl Written {
    /// Reads `NAME=value` lines, and GitHub's `NAME<<END` form, which may go on in what is written next.
    fn read(text: &str, unfinished: &mut Option<Unfinished>) -> Self {
        let mut out = Self::default();
        for line in text.lines() {
            if let Some(mut open) = unfinished.take() {
                if line.trim() == open.end {
                    out.values.push((open.name, open.value.map(Text::from)));
                } else {
                    open.add(line);
                    *unfinished = Some(open);
                }
                continue;
            }
            let named = |mark| {
                line.split_once(mark)
                    .filter(|(name, _)| is_given_name(name))
            };
            if let Some((name, end)) = named("<<") {
                *unfinished = Some(Unfinished {
                    name: name.to_owned(),
                    end: end.trim().to_owned(),
                    value: Some(String::new()),
                });
            } else if let Some((name, value)) = named("=") {
                out.values.push((name.to_owned(), Some(Text::from(value))));
            } else {
                out.strange |= !line.trim().is_empty();
            }
        }
        out
    }
}

impl Shell {
    /// A script writes to one of the files.
    pub(super) fn hand_on(&self, run: &mut JobRun<'_>, file: Handed, printed: &Input) {
        if file == Handed::Output && !run.wants_outputs() {
            return;
        }
        let unfinished = run.unfinished(file);
        let Some(text) = printed.known() else {
            if let Some(open) = unfinished {
                open.value = None;
            }
            return;
        };
        let written = Written::read(&text.text, unfinished);
        // GitHub refuses a line without a name: such a one is what another branch prints.
        let sure = !self.unsure && !written.strange;
        for (name, value) in written.values {
            match file {
                Handed::Output => match value {
                    Some(value) => run.output(&name, value, sure),
                    None => run.output(&name, Text::default(), false),
                },
                // GitHub takes names that the shell does not.
                Handed::Variable if redirect::is_name(&name.replace(['-', '.'], "_")) => {
                    let value = value.filter(|value| value.as_str().len() <= MAX_VALUE);
                    let value = value.unwrap_or_else(|| run.cx.holes.variable(&name));
                    run.exported.insert(name, value);
                }
                Handed::Variable => {}
            }
        }
    }

    /// `echo "::set-output name=NAME::VALUE"`, as outputs were given before there was a file for them.
    /// <https://github.blog/changelog/2022-10-11-github-actions-deprecating-save-state-and-set-output-commands/>
    pub(super) fn hand_on_by_echo(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        if !run.wants_outputs() {
            return;
        }
        let words: Vec<&str> = call.rest().iter().map(Arg::as_str).collect();
        let line = words.join(" ");
        let given = line.trim().strip_prefix(SET_OUTPUT);
        let given = given.and_then(|rest| rest.trim_start().strip_prefix("name="));
        if let Some((name, value)) = given.and_then(|rest| rest.split_once("::"))
            && is_given_name(name)
        {
            run.output(name, Text::from(value), !self.unsure);
        }
    }
}

/// Whether a script may give outputs away.
pub(super) fn may_give(script: &str) -> bool {
    script.contains("GITHUB_OUTPUT") || script.contains(SET_OUTPUT)
}

/// How a line begins that gives an output away on standard output.
pub(super) const SET_OUTPUT: &str = "::set-output";

/// Whether a text can be the name of an output, or of a variable.
fn is_given_name(text: &str) -> bool {
    let letter = |c: char| c == '_' || c == '-' || c.is_ascii_alphanumeric();
    !text.is_empty() && text.chars().all(letter)
}
