//! Lists, pipelines and simple commands: the order in which things happen, and under which
//! conditions. A login that stands right of `&&` is only as sure as what stands left of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::builtins::is_silent;
use super::commands::{hands_through, is_idle};
use super::control::default_set;
use super::handed::SET_OUTPUT;
use super::syntax::{
    AndOr, AndOrOp, AssignValue, Assignment, Command, CommandKind, List, Pipeline, Redirect,
    Span as Range, Word,
};
use super::ways::Meeting;
use super::{Arg, Done, Flow, Function, Input, Leave, Shell};
use crate::effect::Guard;
use crate::run::{Cwd, JobRun};
use crate::source::Span;
use crate::text::{HoleKind, Mapped, Text};

/// One command with its arguments, ready to be looked at.
pub(super) struct Call<'a> {
    /// Name and arguments; never empty.
    pub(super) args: &'a [Arg],
    /// Where all of it is written.
    pub(super) span: Span,
}

impl<'a> Call<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.args.first().map_or("", Arg::as_str)
    }

    pub(super) fn rest(&self) -> &'a [Arg] {
        self.args.get(1..).unwrap_or_default()
    }

    pub(super) fn word(&self, index: usize) -> &'a str {
        self.args.get(index).map_or("", Arg::as_str)
    }
}

/// `cd FOLDER || true`, `cd FOLDER || cd OTHER`: what follows goes on from where it was when there is no
/// such folder.
fn may_stay(item: &AndOr) -> bool {
    let is = |pipeline: &Pipeline, names: &[&str]| match pipeline.commands.as_slice() {
        [command] => match &command.kind {
            CommandKind::Simple { words, .. } => {
                let name = words.first().and_then(Word::literal);
                name.is_some_and(|name| names.contains(&name.as_ref()))
            }
            _ => false,
        },
        _ => false,
    };
    match item.rest.first() {
        Some((AndOrOp::Or, other)) => is(other, &["true", ":", "cd"]) && is(&item.first, &["cd"]),
        _ => false,
    }
}

impl Shell {
    pub(super) fn list(&mut self, run: &mut JobRun<'_>, items: &[AndOr]) -> Done {
        let mut ok = Some(true);
        for (index, item) in items.iter().enumerate() {
            let printed = self.printed();
            let done = self
                .within(run, |shell, run| shell.and_or(run, item))
                .unwrap_or(Done::UNKNOWN);
            ok = done.ok;
            match done.flow {
                Flow::Next => {}
                // A job that fails has no later pulls, so what follows is not under a condition.
                Flow::MayLeave(Leave::Exit { ok: false } | Leave::Return { ok: false }, _) => {}
                Flow::MayLeave(leave, guard) => {
                    let rest = items.get(index + 1..).unwrap_or_default();
                    let goes_on = guard.not();
                    let rest = self
                        .within(run, |shell, run| {
                            run.guarded(goes_on, |run| {
                                shell.instead(run, printed, |shell, run| shell.list(run, rest))
                            })
                        })
                        .unwrap_or(Done::UNKNOWN);
                    return Done {
                        flow: match rest.flow {
                            Flow::Leaves(_) => Flow::Leaves(leave),
                            _ => Flow::MayLeave(leave, guard),
                        },
                        ok: rest.ok,
                    };
                }
                Flow::Leaves(_) => return done,
            }
        }
        Done {
            flow: Flow::Next,
            ok,
        }
    }

    pub(super) fn items(&mut self, run: &mut JobRun<'_>, list: &List) -> Done {
        self.list(run, &list.items)
    }

    fn and_or(&mut self, run: &mut JobRun<'_>, item: &AndOr) -> Done {
        if item.rest.is_empty() {
            return self.pipeline(run, &item.first);
        }
        let stays = may_stay(item).then(|| run.cwd.clone());
        let printed = self.printed();
        let mut done = self.pipeline(run, &item.first);
        if let Some(before) = stays
            && let Cwd::Inside(folder) = &run.cwd
            && !folder.is_root()
            && run.cx.sources.tree().list(folder).is_empty()
        {
            run.cwd = before;
            done = Done::known(false);
        }
        let mut left = Left::Of(&item.first);
        let mut left_matters = done.ok.is_none() && self.is_test_like(&item.first);
        let mut flow = std::mem::replace(&mut done.flow, Flow::Next);
        let mut ok = done.ok;
        for (op, pipeline) in &item.rest {
            if matches!(flow, Flow::Leaves(_)) {
                break;
            }
            let runs_if = match op {
                AndOrOp::And => true,
                AndOrOp::Or => false,
            };
            match ok {
                Some(known) if known != runs_if => continue,
                Some(_) => {
                    let next = self.pipeline(run, pipeline);
                    flow = next.flow;
                    ok = next.ok;
                    left = Left::Of(pipeline);
                    left_matters = ok.is_none() && self.is_test_like(pipeline);
                }
                None => {
                    let guard = (left_matters || !runs_if).then(|| {
                        let left = left.guard(self, run);
                        if runs_if { left } else { left.not() }
                    });
                    let next = match &guard {
                        Some(guard) => self.branch(run, guard, |shell, run| {
                            let since = printed.filter(|_| !runs_if);
                            shell.instead(run, since, |shell, run| shell.pipeline(run, pipeline))
                        }),
                        None => self.pipeline(run, pipeline),
                    };
                    match (next.flow, guard) {
                        (Flow::Leaves(leave) | Flow::MayLeave(leave, _), Some(guard)) => {
                            flow = Flow::MayLeave(leave, guard);
                        }
                        (Flow::Next, _) => {}
                        (other, _) => flow = other,
                    }
                    let also = self.is_test_like(pipeline) && next.ok.is_none();
                    if runs_if {
                        // `[ a ] && x || y` is an `if`: the test alone decides over `y`.
                        if also && left_matters {
                            let right = self.guard_of_pipeline(run, pipeline);
                            left = Left::Is(both(&left.guard(self, run), &right));
                        } else if also || !left_matters {
                            left = Left::Of(pipeline);
                            left_matters = also;
                        }
                        ok = None;
                    } else {
                        ok = (next.ok == Some(true)).then_some(true);
                        let right = self.guard_of_pipeline(run, pipeline);
                        left = Left::Is(either(&left.guard(self, run), &right));
                        left_matters = left_matters && also;
                    }
                }
            }
        }
        Done { flow, ok }
    }

    /// Does something that happens only under `guard`, and merges what it leaves behind.
    pub(super) fn branch(
        &mut self,
        run: &mut JobRun<'_>,
        guard: &Guard,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> Done,
    ) -> Done {
        let before = self.state(run);
        let done = run.guarded(guard.clone(), |run| act(self, run));
        if done.flow.ends_here() {
            self.rewind(run, before);
        } else {
            // `[ "$X" ] || X=value`
            let default = default_set(guard, &before.env, &run.env);
            self.merge(run, before, Meeting::when(&guard.not()));
            if let Some((name, value)) = default {
                self.set(run, &name, value);
            }
        }
        done
    }

    pub(super) fn pipeline(&mut self, run: &mut JobRun<'_>, pipeline: &Pipeline) -> Done {
        let done = match pipeline.commands.as_slice() {
            [] => Done::UNKNOWN,
            [only] => self.command(run, only),
            many => {
                let outer = (self.input.clone(), self.unsure);
                let outer_piped = self.piped.take();
                let last = many.len() - 1;
                let mut done = Done::UNKNOWN;
                for (index, command) in many.iter().enumerate() {
                    if index < last {
                        let (_, printed) = self.capture(run, |shell, run| {
                            shell.apart(run, |shell, run| shell.command(run, command))
                        });
                        self.input = printed;
                        let written = Range {
                            start: many.first().map_or(command.span.start, |c| c.span.start),
                            end: command.span.end,
                        };
                        let unknown = self.input.known().is_none();
                        self.piped = unknown.then(|| (Rc::clone(&self.text), written));
                        self.unsure |= run.wants_outputs() && !self.is_straight(command, 0);
                    } else {
                        done = self.apart(run, |shell, run| shell.command(run, command));
                        // A part of a pipeline is a process of its own: it cannot leave the script.
                        done.flow = Flow::Next;
                    }
                }
                (self.input, self.unsure) = outer;
                self.piped = outer_piped;
                done
            }
        };
        if pipeline.negated {
            return Done {
                flow: done.flow,
                ok: done.ok.map(|ok| !ok),
            };
        }
        done
    }

    pub(super) fn command(&mut self, run: &mut JobRun<'_>, command: &Command) -> Done {
        if !run.cx.spend() {
            return Done::UNKNOWN;
        }
        if let CommandKind::Simple { assignments, words } = &command.kind {
            return self.simple(run, command, assignments, words);
        }
        if let CommandKind::Function { name, body } = &command.kind {
            // What is defined may be called: a loop around a definition must pay for each.
            if run
                .cx
                .spend_shell(body.span.end.saturating_sub(body.span.start) as usize)
            {
                let function = Function {
                    text: Rc::clone(&self.text),
                    file: self.file.clone(),
                    body: Rc::clone(body),
                    exported: self.functions.get(name).is_some_and(|old| old.exported),
                };
                self.functions.insert(name.clone(), function);
            }
            return Done::known(true);
        }
        self.redirected(run, &command.redirects, command, |shell, run| {
            shell
                .within(run, |shell, run| shell.compound(run, command))
                .unwrap_or(Done::UNKNOWN)
        })
    }

    /// Does something with its redirections in place.
    fn redirected(
        &mut self,
        run: &mut JobRun<'_>,
        redirects: &[Redirect],
        command: &Command,
        act: impl FnOnce(&mut Self, &mut JobRun<'_>) -> Done,
    ) -> Done {
        let redirection = self.redirection(run, redirects);
        let piped = redirection.input.is_some().then(|| self.piped.take());
        let input = match redirection.input {
            Some(input) => std::mem::replace(&mut self.input, input),
            None => self.input.clone(),
        };
        let done = match redirection.output {
            Some(target) => {
                self.filtered = None;
                let (done, printed) = self.capture(run, act);
                let span = self.place(command.span);
                let of_one_file = matches!(command.kind, CommandKind::Simple { .. });
                if let Some(filtered) = self.filtered.take().filter(|_| of_one_file) {
                    self.keep_filtered(run, &target, filtered);
                }
                let outer = self.unsure;
                self.unsure |= run.wants_outputs() && !self.is_straight(command, 0);
                self.write(run, &target, &printed, span);
                self.unsure = outer;
                done
            }
            None if redirection.silent => self.capture(run, act).0,
            None => act(self, run),
        };
        if let Some(piped) = piped {
            self.piped = piped;
        }
        self.input = input;
        done
    }

    /// Whether a command prints on all paths what it prints on one.
    fn is_straight(&self, command: &Command, depth: usize) -> bool {
        let all = |list: &List| {
            list.items.iter().all(|item| {
                let commands = &item.first.commands;
                item.rest.is_empty() && commands.iter().all(|c| self.is_straight(c, depth + 1))
            })
        };
        match &command.kind {
            _ if depth > 8 => false,
            CommandKind::Simple { words, .. } => {
                let name = words.first().and_then(Word::literal);
                let function = name
                    .as_ref()
                    .and_then(|name| self.functions.get(name.as_ref()));
                match function {
                    Some(function) => self.is_straight(&function.body, depth + 1),
                    // What a script prints on which path is not looked into.
                    None => !name.is_some_and(|name| hands_through(&name)),
                }
            }
            CommandKind::Group(list) | CommandKind::Subshell(list) => all(list),
            _ => false,
        }
    }

    fn simple(
        &mut self,
        run: &mut JobRun<'_>,
        command: &Command,
        assignments: &[Assignment],
        words: &[Word],
    ) -> Done {
        let first = words.first().and_then(Word::literal);
        if assignments.is_empty()
            && command.redirects.is_empty()
            && let Some(done) = first.as_deref().and_then(|name| self.idle(name, words))
        {
            return done;
        }
        let asks = matches!(first.as_deref(), Some("[" | "test"));
        let outer = std::mem::replace(&mut self.asks, asks);
        let args = self.arguments_of(run, words);
        self.asks = outer;
        if args.is_empty() {
            for assignment in assignments {
                self.assign(run, assignment);
            }
            if !command.redirects.is_empty() {
                return self.redirected(run, &command.redirects, command, |_, _| Done::UNKNOWN);
            }
            // A bare `X=$(command)` has the status of the command.
            return if assignments.is_empty() {
                Done::UNKNOWN
            } else {
                Done::known(true)
            };
        }
        let mut kept: Vec<(&str, Option<Text>)> = Vec::new();
        for assignment in assignments {
            kept.push((&assignment.name, run.env.get(&assignment.name).cloned()));
            self.assign(run, assignment);
        }
        let span = self.place(command.span);
        let done = self.redirected(run, &command.redirects, command, |shell, run| {
            shell
                .within(run, |shell, run| {
                    shell.call(run, &Call { args: &args, span })
                })
                .unwrap_or(Done::UNKNOWN)
        });
        for (name, value) in kept.into_iter().rev() {
            match value {
                Some(value) => run.env.insert(name.to_owned(), value),
                None => run.env.remove(name),
            };
        }
        done
    }

    /// Whether words are those of an `echo` that gives an output away, or of `printf -v`.
    fn sets_output(&self, words: &[Word]) -> bool {
        let first = words.get(1).and_then(|word| {
            let (start, end) = (word.span.start as usize, word.span.end as usize);
            self.text.text.get(start..end)
        });
        first.is_some_and(|word| {
            word == "-v" || word.trim_start_matches(['"', '\'']).starts_with(SET_OUTPUT)
        })
    }

    /// What a command comes to that does nothing that counts, so that nobody needs its arguments.
    fn idle(&mut self, name: &str, words: &[Word]) -> Option<Done> {
        let done = match name {
            "echo" | "printf" if self.output.is_none() && !self.sets_output(words) => {
                Done::known(true)
            }
            _ if is_silent(name) || is_idle(name) => Done::UNKNOWN,
            // Where it stands in the repository is all that counts of what git says.
            "git"
                if !words
                    .iter()
                    .any(|w| w.literal().as_deref() == Some("rev-parse")) =>
            {
                Done::UNKNOWN
            }
            _ => return None,
        };
        if self.functions.contains_key(name)
            || !self.unread.is_empty()
            || !words.iter().all(Word::is_inert)
        {
            return None;
        }
        if !is_silent(name) {
            self.print_unknown();
        }
        Some(done)
    }

    pub(super) fn assign(&mut self, run: &mut JobRun<'_>, assignment: &Assignment) {
        let name = assignment.name.as_str();
        match &assignment.value {
            AssignValue::Array(words) if self.is_map(name) => {
                let words = self.arguments_of(run, words);
                let words = words.iter().map(Arg::as_str);
                self.fill_map(name, words, assignment.append);
            }
            AssignValue::Array(words) => {
                let values: Vec<Text> = self
                    .arguments_of(run, words)
                    .into_iter()
                    .map(|arg| arg.text)
                    .collect();
                self.set_array(run, name, values, assignment.append);
            }
            AssignValue::Scalar(word) => {
                let value = self.value(run, word);
                if let Some(index) = &assignment.index
                    && self.is_map(name)
                {
                    let key = self.value(run, index);
                    self.put_in_map(name, key, value, assignment.append);
                    return;
                }
                if let Some(index) = &assignment.index {
                    let index = self.value(run, index);
                    self.set_element(run, name, &index, &value, assignment.append);
                    return;
                }
                self.set_scalar(run, name, value, assignment.append);
            }
        }
    }

    /// `NAME=value`, `NAME+=value`: a sum where the name was declared an integer.
    pub(super) fn set_scalar(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        value: Text,
        append: bool,
    ) {
        if !self.integers.is_empty() && self.integers.contains(name) {
            let operator = if append { "+=" } else { "=" };
            self.calculate(run, &format!("{name}{operator}{}", value.as_str()));
            return;
        }
        let value = match append {
            true => {
                let mut whole = run.env.get(name).cloned().unwrap_or_default();
                whole.push(value.as_str());
                whole
            }
            false => value,
        };
        self.set(run, name, value);
    }

    /// `NAMES[0]=a`, `NAMES[${#NAMES[@]}]=b`
    fn set_element(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        index: &Text,
        value: &Text,
        append: bool,
    ) {
        let mut all = match (self.arrays.remove(name), run.env.get(name)) {
            (Some(known), _) => known,
            (None, Some(value)) if !value.is_empty() => vec![value.clone()],
            (None, _) => Vec::new(),
        };
        let index = self.number(run, index).filter(|_| !self.is_open(run, &all));
        match index {
            Some(at) if at < all.len() => {
                if let Some(element) = all.get_mut(at) {
                    if !append {
                        *element = Text::default();
                    }
                    element.push(value.as_str());
                }
            }
            Some(at) if at == all.len() => all.push(value.clone()),
            // Which of them it is, or how many there are before it, is not known.
            _ => {
                let words = format!("${{{name}[*]}}");
                all = vec![run.cx.holes.of(&words, HoleKind::Variable)];
            }
        }
        self.set_array(run, name, all, false);
    }

    pub(super) fn set_array(
        &mut self,
        run: &mut JobRun<'_>,
        name: &str,
        values: Vec<Text>,
        append: bool,
    ) {
        let mut all = if append {
            match (self.arrays.get(name), run.env.get(name)) {
                (Some(known), _) => known.clone(),
                // `local -a names`
                (None, Some(value)) if value.is_empty() => Vec::new(),
                (None, Some(value)) => vec![value.clone()],
                // Appending to what is not known leaves it unknown.
                (None, None) => return,
            }
        } else {
            let hole = super::any_number_of(run, name);
            if self.choices.contains_key(&hole) && !values.contains(&hole) {
                Rc::make_mut(&mut self.choices).remove(&hole);
            }
            Vec::new()
        };
        all.extend(values);
        if all.len() > 1024 {
            self.arrays.remove(name);
            return;
        }
        // `$array` is its first element.
        match all.first() {
            Some(first) => run.env.insert(name.to_owned(), first.clone()),
            None => run.env.remove(name),
        };
        self.arrays.insert(name.to_owned(), all);
    }

    /// The functions that a Bash finds when it begins: those that are exported, and those of `$BASH_ENV`.
    pub(super) fn handed_on(&self, run: &JobRun<'_>) -> BTreeMap<String, Function> {
        let exported = self.functions.iter().filter(|(_, f)| f.exported);
        let exported = exported.map(|(name, function)| (name.clone(), function.clone()));
        run.startup.iter().cloned().chain(exported).collect()
    }

    /// Executes a text as a process of its own: `bash -c`, `sh script`, a here-document.
    pub(super) fn process(
        &mut self,
        run: &mut JobRun<'_>,
        text: Rc<Mapped>,
        setup: impl FnOnce(&mut Self),
    ) -> Done {
        let mut inner = Self::new(text);
        inner.nesting = self.nesting + 1;
        inner.output = self.output.take();
        inner.input = self.input.clone();
        inner.written = Rc::clone(&self.written);
        inner.functions = self.handed_on(run);
        setup(&mut inner);
        let env = run.variables();
        let cwd = run.cwd.clone();
        // A shell takes none out of the environment.
        run.env.remove(super::ifs::NAME);
        inner.open = self.open(run, &inner.text, None, inner.arguments.as_ref(), Some(&env));
        let ran = inner.open.is_some() && run.deeper(|run| inner.script(run)).is_some();
        self.output = inner.output.take();
        self.told = ran;
        drop(inner);
        run.env = env;
        run.cwd = cwd;
        Done::UNKNOWN
    }
}

/// The condition on which what stands left succeeded: put into words when it is asked for, which is before
/// anything else runs.
enum Left<'t> {
    Of(&'t Pipeline),
    Is(Guard),
}

impl Left<'_> {
    fn guard(&mut self, shell: &Shell, run: &JobRun<'_>) -> Guard {
        let guard = match self {
            Self::Is(guard) => return guard.clone(),
            Self::Of(pipeline) => shell.guard_of_pipeline(run, pipeline),
        };
        *self = Self::Is(guard.clone());
        guard
    }
}

pub(super) fn both(a: &Guard, b: &Guard) -> Guard {
    if a == b {
        return a.clone();
    }
    Guard::when(format!("{} && {}", spoken(a), spoken(b)))
}

pub(super) fn either(a: &Guard, b: &Guard) -> Guard {
    if a == b {
        return a.clone();
    }
    Guard::when(format!("{} || {}", spoken(a), spoken(b)))
}

pub(super) fn spoken(guard: &Guard) -> String {
    if guard.holds {
        guard.text.to_string()
    } else {
        format!("! {}", guard.text)
    }
}

impl Input {
    /// The lines, without their ends.
    pub(super) fn lines(&self) -> Option<Vec<Text>> {
        let text = self.known()?;
        Some(
            text.text
                .split('\n')
                .map(|line| Text::from(line.trim_end_matches('\r')))
                .filter(|line| !line.is_empty())
                .collect(),
        )
    }
}
