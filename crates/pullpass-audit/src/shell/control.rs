//! `if`, `case` and loops. What is known decides; what is not known becomes a condition on
//! everything inside, and both outcomes are followed.

use std::rc::Rc;

use super::condition::asked_for_emptiness;
use super::ifs::{self, Separators};
use super::pattern::{Match, matches};
use super::syntax::{
    AssignValue, Assignment, CaseArm, Command, CommandKind, IfBranch, List, Part, PartKind, Word,
};
use super::ways::Meeting;
use super::{Arg, Done, Flow, Input, Leave, Shell};
use crate::effect::Guard;
use crate::run::JobRun;
use crate::text::{Mapped, Text};
use crate::variables::Variables;

/// How often a loop over known words is unrolled.
const MAX_TURNS: usize = 64;

/// What is said of a loop that goes on.
const LONG_LOOP: &str = "loops with more turns than are followed";

impl Shell {
    pub(super) fn compound(&mut self, run: &mut JobRun<'_>, command: &Command) -> Done {
        match &command.kind {
            CommandKind::Subshell(list) => {
                let trap = self.at_exit.take();
                let mut done = self.apart(run, |shell, run| {
                    let done = shell.items(run, list);
                    if let Some(trap) = shell.at_exit.take() {
                        shell.nested_text(run, Rc::new(trap));
                    }
                    done
                });
                self.at_exit = trap;
                done.flow = match done.flow {
                    // `( cd x; exit 1 )` leaves the subshell only.
                    Flow::Leaves(Leave::Exit { .. } | Leave::Return { .. }) => Flow::Next,
                    Flow::MayLeave(..) => Flow::Next,
                    other => other,
                };
                done
            }
            CommandKind::Group(list) => self.items(run, list),
            CommandKind::If {
                branches,
                otherwise,
            } => self.branches(run, branches, otherwise.as_ref()),
            CommandKind::While { until, cond, body } => self.repeat(run, *until, cond, body),
            CommandKind::For { var, words, body } | CommandKind::Select { var, words, body } => {
                self.each(run, var, words.as_deref(), body)
            }
            CommandKind::ForArith { text, body } => {
                if let Some(done) = self.counting(run, text, body) {
                    return done;
                }
                if let Some(var) = text.split(['=', ' ']).find(|word| !word.is_empty()) {
                    let hole = run.cx.holes.variable(var);
                    self.set(run, var, hole);
                }
                let before = self.state(run);
                let done = self.items(run, body);
                self.merge(run, before, Meeting::default());
                after_loop(done)
            }
            CommandKind::Case { word, arms } => self.case(run, word, arms),
            CommandKind::Test(words) => self.double_bracket(run, words),
            CommandKind::Arith { text, parts } => {
                self.effects_of(run, parts);
                let value = self.calculate(run, text);
                Done {
                    flow: Flow::Next,
                    ok: value.map(|value| value != 0),
                }
            }
            CommandKind::Coproc { body, .. } => {
                self.apart(run, |shell, run| shell.command(run, body));
                Done::UNKNOWN
            }
            CommandKind::Opaque { text, .. } => {
                if text.contains("docker") {
                    let span = self.place(command.span);
                    run.opaque(
                        span,
                        "a shell command",
                        "this part of the script could not be parsed",
                        crate::effect::By::Run,
                    );
                }
                Done::UNKNOWN
            }
            CommandKind::Simple { .. } | CommandKind::Function { .. } => Done::UNKNOWN,
        }
    }

    /// Executes the command substitutions in parts whose value does not matter.
    pub(super) fn effects_of(&mut self, run: &mut JobRun<'_>, parts: &[Part]) {
        for part in parts {
            if matches!(
                part.kind,
                PartKind::Command { .. } | PartKind::DoubleQuoted(_) | PartKind::Param(_)
            ) {
                self.part_text(run, part);
            }
        }
    }

    fn branches(
        &mut self,
        run: &mut JobRun<'_>,
        branches: &[IfBranch],
        otherwise: Option<&List>,
    ) -> Done {
        let Some((branch, rest)) = branches.split_first() else {
            return match otherwise {
                Some(list) => self.items(run, list),
                None => Done::known(true),
            };
        };
        let cond = self.items(run, &branch.cond);
        if matches!(cond.flow, Flow::Leaves(_)) {
            return cond;
        }
        match cond.ok {
            Some(true) => self.items(run, &branch.body),
            Some(false) => self
                .within(run, |shell, run| shell.branches(run, rest, otherwise))
                .unwrap_or(Done::UNKNOWN),
            None => {
                let guard = self.guard_of_list(run, &branch.cond);
                let before = self.state(run);
                let printed = self.printed();
                let yes = run.guarded(guard.clone(), |run| self.items(run, &branch.body));
                if yes.flow.fails() {
                    self.unprint(printed);
                }
                let after_yes = self.state(run);
                self.rewind(run, before);
                let no = run.guarded(guard.not(), |run| {
                    self.instead(run, printed, |shell, run| {
                        let printed = shell.printed();
                        let no = shell
                            .within(run, |shell, run| shell.branches(run, rest, otherwise))
                            .unwrap_or(Done::UNKNOWN);
                        if no.flow.fails() {
                            shell.unprint(printed);
                        }
                        no
                    })
                });
                match (yes.flow.ends_here(), no.flow.ends_here()) {
                    (true, _) => {}
                    (false, true) => self.rewind(run, after_yes),
                    (false, false) => {
                        let default = default_set(&guard, &run.env, &after_yes.env);
                        self.merge(run, after_yes, Meeting::when(&guard));
                        if let Some((name, value)) = default {
                            self.set(run, &name, value);
                        }
                    }
                }
                Done {
                    flow: joined(&guard, yes.flow, no.flow),
                    ok: if yes.ok == no.ok { yes.ok } else { None },
                }
            }
        }
    }

    fn case(&mut self, run: &mut JobRun<'_>, word: &Word, arms: &[CaseArm]) -> Done {
        let subject = self.value(run, word);
        let mut ends: Vec<(Guard, super::State)> = Vec::new();
        let written = self.words_of(run, word.span);
        let mut flow = Flow::Next;
        let (mut decided, mut covered) = (false, false);
        let printed = self.printed();
        for arm in arms {
            if !run.cx.spend() {
                break;
            }
            let found = if arm.patterns.is_empty() {
                Match::Maybe
            } else {
                let patterns: Vec<_> = arm
                    .patterns
                    .iter()
                    .map(|pattern| self.pattern(run, pattern))
                    .collect();
                patterns
                    .iter()
                    .map(|pattern| matches(pattern, subject.as_str()))
                    .max()
                    .unwrap_or(Match::No)
            };
            let certain = found == Match::Yes && ends.is_empty();
            match found {
                Match::No => continue,
                Match::Yes if certain => {
                    let done = self.items(run, &arm.body);
                    flow = done.flow;
                    decided = true;
                    break;
                }
                _ => {}
            }
            let patterns: Vec<String> = arm
                .patterns
                .iter()
                .map(|pattern| self.words_of(run, pattern.span))
                .collect();
            let guard = Guard::when(format!("case {written} in {})", patterns.join("|")));
            let before = self.state(run);
            let done = run.guarded(guard.clone(), |run| {
                self.instead(run, printed, |shell, run| {
                    let printed = shell.printed();
                    let done = shell.items(run, &arm.body);
                    if done.flow.fails() {
                        shell.unprint(printed);
                    }
                    done
                })
            });
            if !done.flow.ends_here() {
                ends.push((guard.clone(), self.state(run)));
            }
            if matches!(flow, Flow::Next) {
                flow = joined(&guard, done.flow, Flow::Next);
            }
            self.rewind(run, before);
            if found == Match::Yes {
                covered = true;
                break;
            }
        }
        let mut ends = ends.into_iter().filter(|_| !decided);
        // One of the arms is taken, `*)` at the latest: what was before is no path of its own.
        let mut first = None;
        if covered && let Some((guard, state)) = ends.next() {
            self.rewind(run, state);
            first = Some(guard);
        }
        for (guard, end) in ends {
            let meeting = Meeting {
                first: first.as_ref(),
                second: Some(&guard),
            };
            self.merge(run, end, meeting);
            first = None;
        }
        Done { flow, ok: None }
    }

    fn each(
        &mut self,
        run: &mut JobRun<'_>,
        var: &str,
        words: Option<&[Word]>,
        body: &List,
    ) -> Done {
        let args: Option<Vec<Arg>> = match words {
            Some(words) => Some(self.arguments_of(run, words)),
            None => self.arguments.as_ref().map(|all| {
                let span = self.place(body.span);
                all.iter()
                    .map(|text| Arg::new(text.clone(), span))
                    .collect()
            }),
        };
        let known = args.as_ref().is_some_and(|args| {
            let is_one = |arg: &Arg| !splits(arg) || self.choices.contains_key(&arg.text);
            args.len() <= MAX_TURNS && args.iter().all(is_one)
        });
        if let (true, Some(args)) = (known, args) {
            let mut done = Done::known(true);
            for arg in args {
                // Words that an array has on some paths.
                if let Some(all) = self.choices.get(&arg.text).cloned() {
                    let guard = self.in_loop(run, var, words);
                    for word in all {
                        self.branch(run, &guard, |shell, run| {
                            shell.set(run, var, word);
                            after_loop(shell.items(run, body))
                        });
                    }
                    continue;
                }
                self.set(run, var, arg.text);
                done = self.items(run, body);
                match done.flow {
                    Flow::Next => {}
                    Flow::Leaves(Leave::Loop) => {
                        // `continue` and `break` are one here: after either, what is left of
                        // this turn does not happen.
                        done.flow = Flow::Next;
                    }
                    Flow::MayLeave(Leave::Loop, _) => done.flow = Flow::Next,
                    _ => return done,
                }
            }
            return done;
        }
        let guard = self.in_loop(run, var, words);
        let hole = run.cx.holes.variable(var);
        let before = self.state(run);
        self.set(run, var, hole);
        let done = run.guarded(guard, |run| self.items(run, body));
        self.merge(run, before, Meeting::default());
        after_loop(done)
    }

    /// The condition on what a loop does whose words are not known.
    fn in_loop(&self, run: &JobRun<'_>, var: &str, words: Option<&[Word]>) -> Guard {
        let written = match words {
            Some([first, .., last]) => self.words_of(
                run,
                super::syntax::Span {
                    start: first.span.start,
                    end: last.span.end,
                },
            ),
            Some([only]) => self.words_of(run, only.span),
            _ => "\"$@\"".to_owned(),
        };
        Guard::when(format!("for {var} in {written}"))
    }

    fn repeat(&mut self, run: &mut JobRun<'_>, until: bool, cond: &List, body: &List) -> Done {
        if !until && let Some((names, own)) = read_names(cond) {
            let separators = match own {
                Some(word) => Separators::new(Some(&self.value(run, word))),
                None => self.separators(run),
            };
            return self.read_lines(run, &names, &separators, cond, body);
        }
        if !until
            && let Some((letters, name)) = getopts_of(cond)
            && let Some(arguments) = self.arguments.clone()
        {
            return self.options(run, &letters, &name, &arguments, body);
        }
        let condition = self.items(run, cond);
        match condition.ok {
            Some(holds) if holds == until => Done::known(true),
            Some(_) => self.shifting(run, until, cond, body),
            None => {
                let guard = self.guard_of_list(run, cond);
                let guard = if until { guard.not() } else { guard };
                let done = self.branch(run, &guard, |shell, run| shell.items(run, body));
                after_loop(match done.flow {
                    Flow::Leaves(Leave::Loop) => Done::UNKNOWN,
                    Flow::Leaves(leave) => Done {
                        flow: Flow::MayLeave(leave, guard),
                        ok: None,
                    },
                    _ => done,
                })
            }
        }
    }

    /// `for ((i = 0; i < 3; i++))`, where it is known how often; `None` where it is not.
    fn counting(&mut self, run: &mut JobRun<'_>, text: &str, body: &List) -> Option<Done> {
        let mut parts = text.split(';');
        let [first, condition, step] = [parts.next()?, parts.next()?, parts.next()?];
        let goes_on = self.arithmetic_after(run, first, condition)?;
        self.calculate(run, first);
        let mut done = Done::known(true);
        let mut last_turn = run.effects().len();
        let mut turns = 0;
        let mut goes_on = Some(goes_on);
        while goes_on == Some(true) && turns < MAX_TURNS && run.cx.spend() {
            turns += 1;
            let this_turn = run.effects().len();
            done = self.items(run, body);
            match done.flow {
                Flow::Next => {}
                // As in a loop over words: what is left of this turn does not happen.
                Flow::Leaves(Leave::Loop) | Flow::MayLeave(Leave::Loop, _) => {
                    done.flow = Flow::Next;
                }
                _ => return Some(done),
            }
            self.calculate(run, step);
            goes_on = self.arithmetic(run, condition).map(|value| value != 0);
            let is_new = || turns_differ(run, last_turn, this_turn);
            if turns == MAX_TURNS && goes_on == Some(true) && is_new() {
                run.cx.note_limit(LONG_LOOP);
            }
            last_turn = this_turn;
        }
        Some(done)
    }

    /// Whether a condition holds after something was set; `None` where that is not known.
    fn arithmetic_after(&self, run: &JobRun<'_>, first: &str, condition: &str) -> Option<bool> {
        let whole = match first.trim() {
            "" => condition.to_owned(),
            first => format!("{first}, {condition}"),
        };
        self.arithmetic(run, &whole).map(|value| value != 0)
    }

    /// A loop that is known to go on: once is enough, but for one that shifts its arguments, or that counts.
    fn shifting(&mut self, run: &mut JobRun<'_>, until: bool, cond: &List, body: &List) -> Done {
        let mut done = Done::UNKNOWN;
        let condition = self.words_of(run, cond.span);
        let counts = condition.contains('$') || condition.contains("((");
        let mut last_turn = run.effects().len();
        for turn in 1..=MAX_TURNS {
            let count = self.arguments.as_ref().map(|all| all.len());
            let before = counts.then(|| run.env.clone());
            let this_turn = run.effects().len();
            done = self.items(run, body);
            let left = self.arguments.as_ref().map(|all| all.len());
            let shifted = matches!((count, left), (Some(count), Some(left)) if left < count);
            let counted = before.is_some_and(|before| before != run.env);
            if !shifted && !counted
                || !matches!(done.flow, Flow::Next)
                || self.items(run, cond).ok != Some(!until)
            {
                break;
            }
            if turn == MAX_TURNS && turns_differ(run, last_turn, this_turn) {
                run.cx.note_limit(LONG_LOOP);
            }
            last_turn = this_turn;
        }
        after_loop(done)
    }

    /// `while read -r image; do ...; done`: known lines are gone through one by one.
    fn read_lines(
        &mut self,
        run: &mut JobRun<'_>,
        names: &[String],
        separators: &Separators,
        cond: &List,
        body: &List,
    ) -> Done {
        let lines = self.input.lines().filter(|lines| lines.len() <= MAX_TURNS);
        let outer = std::mem::replace(&mut self.input, Input::Unknown);
        let done = if let Some(lines) = lines {
            let mut done = Done::known(true);
            for line in lines {
                self.set_fields(run, names, &line, separators);
                done = after_loop(self.items(run, body));
                if !matches!(done.flow, Flow::Next) {
                    break;
                }
            }
            done
        } else {
            let written = self.words_of(run, cond.span);
            let before = self.state(run);
            for name in names {
                let hole = run.cx.holes.variable(name);
                self.set(run, name, hole);
            }
            let guard = Guard::when(format!("while {written}"));
            let done = run.guarded(guard, |run| self.items(run, body));
            self.merge(run, before, Meeting::default());
            after_loop(done)
        };
        self.input = outer;
        done
    }

    /// `while getopts "ab:" opt; do case $opt in ...`, over arguments that are known.
    fn options(
        &mut self,
        run: &mut JobRun<'_>,
        letters: &str,
        name: &str,
        arguments: &[Text],
        body: &List,
    ) -> Done {
        let mut done = Done::known(true);
        let mut index = 0;
        let mut turns = 0;
        while let Some(argument) = arguments.get(index) {
            // An array that is empty or holds options: `deploy.sh "${verbose[@]}" -t latest`.
            if argument.is_one_hole() && super::is_list(&run.show(argument)) {
                index += 1;
                continue;
            }
            let Some(cluster) = argument.as_str().strip_prefix('-') else {
                break;
            };
            if cluster.is_empty() {
                break;
            }
            index += 1;
            if cluster == "-" {
                break;
            }
            let mut rest = cluster.chars();
            while let Some(letter) = rest.next() {
                turns += 1;
                if turns > MAX_TURNS {
                    run.cx.note_limit(LONG_LOOP);
                    return Done::UNKNOWN;
                }
                let known = letters.find(letter).filter(|_| letter != ':');
                let takes_value = known
                    .is_some_and(|at| letters.get(at + 1..).is_some_and(|l| l.starts_with(':')));
                let mut value = Text::default();
                if takes_value {
                    value = Text::from(rest.as_str());
                    rest = "".chars();
                    if value.is_empty() {
                        value = arguments.get(index).cloned().unwrap_or_default();
                        index += 1;
                    }
                }
                let shown = if known.is_some() { letter } else { '?' };
                self.set(run, name, Text::from(shown.to_string()));
                self.set(run, "OPTARG", value);
                done = after_loop(self.items(run, body));
                if !matches!(done.flow, Flow::Next) {
                    return done;
                }
            }
        }
        self.set(run, name, Text::from("?"));
        self.set(run, "OPTIND", Text::from((index + 1).to_string()));
        done
    }

    /// What `read` does with one line.
    pub(super) fn set_fields(
        &mut self,
        run: &mut JobRun<'_>,
        names: &[String],
        line: &Text,
        separators: &Separators,
    ) {
        // What is not known may have any number of words in it.
        let may_have_more = line.is_one_hole() || separators.is_own() && !line.is_known();
        let fields = separators.fields(line.as_str(), names.len());
        let last = fields.iter().rposition(|field| !field.is_empty());
        for (index, (name, field)) in names.iter().zip(fields).enumerate() {
            let value = match last {
                Some(last) if index > last && may_have_more => run.cx.holes.variable(name),
                _ => Text::from(field),
            };
            self.set(run, name, value);
        }
    }

    /// Calls a function, or gives `None` when there is none of that name.
    pub(super) fn function(
        &mut self,
        run: &mut JobRun<'_>,
        call: &super::exec::Call<'_>,
    ) -> Option<Done> {
        let function = self.functions.get(call.name())?.clone();
        let arguments: Vec<Text> = call.rest().iter().map(|arg| arg.text.clone()).collect();
        let arguments = Rc::new(arguments);
        let part = Some(function.body.span);
        let Some(open) = self.open(run, &function.text, part, Some(&arguments), None) else {
            return Some(Done::UNKNOWN);
        };
        let around = self.open.replace(open);
        let outer_text = std::mem::replace(&mut self.text, function.text);
        let outer_file = std::mem::replace(&mut self.file, function.file);
        let outer_arguments = self.arguments.replace(arguments);
        let places = super::follow::places(call.rest());
        let outer_places = std::mem::replace(&mut self.argument_places, places);
        let outer_locals = self.locals.replace(Vec::new());
        let note = format!("calls the function `{}`", call.name());
        let done = run.deeper(|run| {
            run.traced(call.span, note, |run| {
                self.within(run, |shell, run| shell.command(run, &function.body))
            })
        });
        self.text = outer_text;
        self.file = outer_file;
        self.arguments = outer_arguments;
        self.open = around;
        self.argument_places = outer_places;
        let locals = std::mem::replace(&mut self.locals, outer_locals);
        self.restore_locals(run, locals.unwrap_or_default());
        let done = done.flatten().unwrap_or(Done::UNKNOWN);
        Some(match done.flow {
            Flow::Leaves(Leave::Return { ok }) => Done {
                flow: Flow::Next,
                ok: if ok { done.ok } else { Some(false) },
            },
            Flow::MayLeave(Leave::Return { .. }, _) => Done::UNKNOWN,
            _ => done,
        })
    }

    pub(super) fn arg_scripts(args: &[Arg]) -> Option<Mapped> {
        let first = args.first()?;
        if args.len() == 1 {
            return Some(first.script());
        }
        let all: Vec<&str> = args.iter().map(Arg::as_str).collect();
        Some(Mapped::at(first.span, all.join(" ")))
    }
}

/// `if [ -z "$X" ]; then X=value; fi` is `${X:=value}`: where nothing in the repository sets `X`, the
/// value is what a reader expects.
pub(super) fn default_set(
    guard: &Guard,
    before: &Variables,
    after: &Variables,
) -> Option<(String, Text)> {
    let name = asked_for_emptiness(guard)?;
    let unset = !before.contains_key(&name) && !super::param::is_set_by_ci(&name);
    let value = after.get(&name).filter(|_| unset)?;
    Some((name, value.clone()))
}

/// Whether an argument of a loop may be several words, which cannot be known.
fn splits(arg: &Arg) -> bool {
    arg.bare && !arg.text.is_known()
}

/// Whether the turn of a loop that begins with this effect does something that the one before it did not. One that only
/// waits, or tries again, does nothing new in the turns that are left.
fn turns_differ(run: &JobRun<'_>, last_turn: usize, this_turn: usize) -> bool {
    let kinds = |from: usize, to: usize| {
        let turn = run.effects().get(from..to).unwrap_or_default();
        turn.iter().map(|effect| &effect.kind)
    };
    let end = run.effects().len();
    !kinds(last_turn, this_turn).eq(kinds(this_turn, end))
}

fn after_loop(done: Done) -> Done {
    match done.flow {
        Flow::Leaves(Leave::Loop) | Flow::MayLeave(Leave::Loop, _) => Done::UNKNOWN,
        _ => done,
    }
}

/// Where a script goes on after one of two branches.
fn joined(guard: &Guard, yes: Flow, no: Flow) -> Flow {
    match (yes, no) {
        (Flow::Next, Flow::Next) => Flow::Next,
        (Flow::Leaves(a), Flow::Leaves(b)) => Flow::Leaves(if a.fails() { b } else { a }),
        // A failure on one side ends the job: what follows belongs to the other.
        (Flow::Leaves(a), other) if a.fails() => other,
        (other, Flow::Leaves(b)) if b.fails() => other,
        (Flow::Leaves(a), _) => Flow::MayLeave(a, guard.clone()),
        (_, Flow::Leaves(b)) => Flow::MayLeave(b, guard.not()),
        (Flow::MayLeave(a, inner), _) => Flow::MayLeave(a, joined_guard(guard, &inner)),
        (_, Flow::MayLeave(b, inner)) => Flow::MayLeave(b, joined_guard(&guard.not(), &inner)),
    }
}

fn joined_guard(outer: &Guard, inner: &Guard) -> Guard {
    if outer == inner {
        return outer.clone();
    }
    Guard::when(format!(
        "{} && {}",
        super::exec::spoken(outer),
        super::exec::spoken(inner)
    ))
}

/// The letters and the variable of `getopts`, when that is all the condition does.
fn getopts_of(cond: &List) -> Option<(String, String)> {
    let (_, words) = only_command(cond)?;
    let [command, letters, name] = words else {
        return None;
    };
    (command.literal()? == "getopts").then_some(())?;
    Some((
        letters.literal()?.into_owned(),
        name.literal()?.into_owned(),
    ))
}

/// The words of the one simple command that a condition begins with; `while read x || [ -n "$x" ]`
/// asks for the last line too. Before them what it is given in its environment.
fn only_command(cond: &List) -> Option<(&[Assignment], &[Word])> {
    let [item] = cond.items.as_slice() else {
        return None;
    };
    let [command] = item.first.commands.as_slice() else {
        return None;
    };
    match &command.kind {
        CommandKind::Simple { assignments, words } if !item.first.negated => {
            Some((assignments, words))
        }
        _ => None,
    }
}

/// The variables of `read`, when that is all the condition does, and the `IFS` that it is given.
fn read_names(cond: &List) -> Option<(Vec<String>, Option<&Word>)> {
    let (assignments, words) = only_command(cond)?;
    let (first, rest) = words.split_first()?;
    let own = assignments.iter().find_map(|given| match &given.value {
        AssignValue::Scalar(word) if given.name == ifs::NAME => Some(word),
        _ => None,
    });
    if first.literal()? != "read" {
        return None;
    }
    let mut names = Vec::new();
    let mut skip = false;
    for word in rest {
        let word = word.literal_or_glob()?;
        if std::mem::take(&mut skip) {
            continue;
        }
        if let Some(flag) = word.strip_prefix('-') {
            skip = matches!(flag.chars().last(), Some('d' | 'n' | 'p' | 't' | 'u'));
        } else {
            names.push(word.into_owned());
        }
    }
    if names.is_empty() {
        names.push("REPLY".to_owned());
    }
    Some((names, own))
}
