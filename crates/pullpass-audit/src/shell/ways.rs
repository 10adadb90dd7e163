//! Variables that a script leaves different on different paths: `if …; then IMAGE=a; else IMAGE=b; fi`.
//!
//! Where the paths meet, such a variable is a hole that knows what it is on each of them. A command that is given
//! one is executed once for each, under the condition of its path; what all of them do is under no condition.

use std::rc::Rc;

use super::commands::is_idle;
use super::exec::{self, Call};
use super::{Arg, Done, Flow, Leave, Shell, State, builtins, engine, is_list, names_flags};
use crate::effect::Guard;
use crate::run::JobRun;
use crate::text::{Hole, HoleKind, Text, Way, is_hole};

/// Paths of one variable that are told from each other, at most.
const MAX_WAYS: usize = 6;

/// Variables of one command that are, at most.
const MAX_VARIABLES: usize = 3;

/// Flags of clients that say which files, and which parts of them, are read.
const FLAGS: [&str; 12] = [
    "-f",
    "--file",
    "--profile",
    "--env-file",
    "--project-directory",
    "--build-arg",
    "--build-context",
    "--target",
    "--set",
    "--registry-config",
    "--config",
    "--kustomize",
];

/// Flags of a login whose values are nobody's but its own.
const CREDENTIALS: [&str; 4] = ["-u", "--username", "-p", "--password"];

/// Two states that a script leaves behind, and the conditions under which it is the one or the other.
#[derive(Clone, Copy, Default)]
pub(super) struct Meeting<'g> {
    /// Where more is known of it than that it is not the second.
    pub(super) first: Option<&'g Guard>,
    /// `None` where it has no words: a loop that ran.
    pub(super) second: Option<&'g Guard>,
}

impl<'g> Meeting<'g> {
    /// One where the second is under a condition.
    pub(super) fn when(guard: &'g Guard) -> Self {
        Self {
            first: None,
            second: Some(guard),
        }
    }

    fn of(&self, is_second: bool) -> Vec<Guard> {
        match is_second {
            true => self.second.into_iter().cloned().collect(),
            false => {
                let other = self.second.map(Guard::not);
                self.first.cloned().into_iter().chain(other).collect()
            }
        }
    }

    /// What a variable is that both states have. `either` is what is known of it without the paths; `None` where that is
    /// all.
    pub(super) fn value(
        &self,
        run: &JobRun<'_>,
        name: &str,
        first: &Text,
        second: &Text,
        either: &Text,
    ) -> Option<Text> {
        let tag = format!("${{{name}##*:}}");
        let tag = run.cx.holes.of(&tag, HoleKind::Variable);
        let own = run.cx.holes.variable(name);
        let is_lost = |text: &Text| *text == own || text.as_str().ends_with(tag.as_str());
        let all = [(first, false), (second, true)].map(|(v, second)| self.ways_of(run, v, second));
        let [mut ways, more] = all;
        ways.extend(more);
        if !is_lost(first) && !is_lost(second) && ways.len() <= MAX_WAYS {
            if either.is_one_hole() {
                return hole(run, either, ways);
            }
            // A client with other files, or another command, on each path.
            let differ = choose_files(&ways) || engine::are_different_commands(run, first, second);
            let written = format!("${name}");
            return differ.then(|| run.cx.holes.one_of(&written, HoleKind::Client, ways));
        }
        // Of many images of which the tags alone differ the name is known.
        let mut words = ways.iter().filter_map(|way| way.words.first());
        let one = words.next().filter(|_| either.is_one_hole())?;
        let image = words.try_fold(image_of(one)?, |image, word| {
            (image_of(word)? == image).then_some(image)
        })?;
        Some(Text::from(format!("{image}:{}", tag.as_str())))
    }

    /// The same of the words in which two arrays differ.
    pub(super) fn lists(
        &self,
        run: &JobRun<'_>,
        first: &[Text],
        second: &[Text],
    ) -> Option<Vec<Way>> {
        let list = |words: &[Text], is_second| {
            if let [one] = words
                && let Some(ways) = one_hole(run, one).and_then(|hole| hole.ways)
            {
                return Some(self.under(ways.to_vec(), is_second));
            }
            let is_open = |text: &Text| text.is_one_hole() && is_list(&run.show(text));
            (!words.iter().any(is_open)).then(|| {
                let way = Way {
                    words: words.to_vec(),
                    is_list: true,
                    guards: Vec::new(),
                };
                self.under(vec![way], is_second)
            })
        };
        few(list(first, false)?, list(second, true)?)
    }

    fn ways_of(&self, run: &JobRun<'_>, value: &Text, is_second: bool) -> Vec<Way> {
        let known = one_hole(run, value).and_then(|hole| hole.ways);
        let ways = known.map_or_else(
            || {
                vec![Way {
                    words: vec![value.clone()],
                    is_list: false,
                    guards: Vec::new(),
                }]
            },
            |ways| ways.to_vec(),
        );
        self.under(ways, is_second)
    }

    /// Those of them that one of the states may have, with its conditions.
    fn under(&self, mut ways: Vec<Way>, is_second: bool) -> Vec<Way> {
        for guard in self.of(is_second) {
            ways.retain(|way| !way.guards.contains(&guard.not()));
            for way in ways.iter_mut().filter(|way| !way.guards.contains(&guard)) {
                way.guards.push(guard.clone());
            }
        }
        ways
    }
}

fn few(mut first: Vec<Way>, mut second: Vec<Way>) -> Option<Vec<Way>> {
    first.append(&mut second);
    (2..=MAX_WAYS).contains(&first.len()).then_some(first)
}

fn one_hole(run: &JobRun<'_>, text: &Text) -> Option<Hole> {
    let first = text.as_str().chars().next().filter(|_| text.is_one_hole());
    run.cx.holes.get(first?)
}

/// Whether words, on one of the paths, say which files a client reads.
pub(super) fn choose_files(ways: &[Way]) -> bool {
    let words = ways.iter().flat_map(|way| &way.words);
    let mut words = words.flat_map(|text| text.as_str().split_whitespace());
    words.any(|word| {
        FLAGS.iter().any(|flag| {
            let rest = word.strip_prefix(flag);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || flag.len() == 2)
        })
    })
}

/// Whether what a variable is on the paths are flags, or nothing.
fn are_flags(ways: &[Way]) -> bool {
    let mut firsts = ways.iter().filter_map(|way| way.words.first());
    firsts.all(|first| first.is_empty() || first.as_str().starts_with('-'))
}

/// On which of its paths a command leaves the script.
#[derive(Default)]
struct Ends {
    /// What the first of them leaves, and the condition of all of them; `None` where it has no words.
    leaves: Option<(Leave, Option<Guard>)>,
    /// Whether it goes on, on some path.
    goes_on: bool,
}

impl Ends {
    fn note(&mut self, flow: &Flow, guards: &[Guard]) {
        let (leave, inner) = match flow {
            Flow::Next => (None, None),
            Flow::Leaves(leave) => (Some(leave), None),
            Flow::MayLeave(leave, guard) => (Some(leave), Some(guard)),
        };
        self.goes_on |= !matches!(flow, Flow::Leaves(_));
        let Some(leave) = leave else { return };
        let all = guards.iter().chain(inner).cloned();
        let guard = all.reduce(|a, b| exec::both(&a, &b));
        self.leaves = Some(match self.leaves.take() {
            None => (*leave, guard),
            // A job that fails has no later pulls, so what follows is not under a condition.
            Some((first, before)) if first.fails() != leave.fails() => match first.fails() {
                true => (*leave, guard),
                false => (first, before),
            },
            Some((first, before)) => {
                let either = before.zip(guard).map(|(a, b)| exec::either(&a, &b));
                (first, either)
            }
        });
    }

    fn flow(self) -> Flow {
        match self.leaves {
            Some((leave, _)) if !self.goes_on => Flow::Leaves(leave),
            Some((leave, Some(guard))) => Flow::MayLeave(leave, guard),
            _ => Flow::Next,
        }
    }
}

impl Shell {
    /// The variable in a command line that decides what the command does, and what it is on each path.
    pub(super) fn way_of(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<(char, Rc<[Way]>)> {
        let is_login = call.rest().iter().any(|arg| arg.as_str() == "login");
        let is_credential = |at: usize| {
            let before = at.checked_sub(1).map_or("", |at| call.word(at));
            is_login && CREDENTIALS.contains(&before)
        };
        let unknown = call.args.iter().enumerate();
        let unknown = unknown.filter(|(at, arg)| !arg.text.is_known() && !is_credential(*at));
        let mut holes = unknown.flat_map(|(_, arg)| arg.as_str().chars().filter(|c| is_hole(*c)));
        let (hole, Hole { written, ways, .. }) = holes
            .find_map(|c| Some((c, run.cx.holes.get(c).filter(|hole| hole.ways.is_some())?)))?;
        let ways = ways?;
        let name = call.name();
        let is_ours = self.functions.contains_key(name);
        if self.ways_in_hand >= MAX_VARIABLES
            || !is_ours
                && (builtins::NAMES.contains(&name) || builtins::is_silent(name) || is_idle(name))
        {
            return None;
        }
        // `$RUN_ARGS` holds flags also where another variable gives them to it.
        let hold_flags = || {
            are_flags(&ways)
                || names_flags(&written)
                    && ways
                        .iter()
                        .any(|way| way.words.iter().any(Text::is_one_hole))
        };
        let counts = choose_files(&ways) || !hold_flags();
        counts.then_some((hole, ways))
    }

    /// Executes a command once for each path that leads to it.
    pub(super) fn each_way(
        &mut self,
        run: &mut JobRun<'_>,
        call: &Call<'_>,
        hole: char,
        ways: &[Way],
        act: impl Fn(&mut Self, &mut JobRun<'_>, &Call<'_>) -> Done,
    ) -> Option<Done> {
        let excluded = |way: &&Way| {
            way.guards
                .iter()
                .any(|guard| run.guards().contains(&guard.not()))
        };
        let ways: Vec<&Way> = ways.iter().filter(|way| !excluded(way)).collect();
        let from = run.effects().len();
        let mut done: Option<Done> = None;
        let mut before: Option<State> = None;
        // What is left behind by the paths on which the script goes on; where there is none, by the last of them.
        let mut after: Option<(State, bool)> = None;
        let mut ends = Ends::default();
        let mut parts = Vec::with_capacity(ways.len());
        let printed = self.printed();
        self.ways_in_hand += 1;
        for way in ways {
            if !run.cx.spend() {
                break;
            }
            if let Some(before) = before.take() {
                self.rewind(run, before);
            }
            before = Some(self.state(run));
            let args: Vec<Arg> = call
                .args
                .iter()
                .flat_map(|arg| put(arg, hole, way))
                .collect();
            if args.is_empty() {
                continue;
            }
            let changed = self.decide(run, hole, way);
            let guards: Vec<Guard> = {
                let own = way.guards.iter();
                own.filter(|guard| !run.guards().contains(guard))
                    .cloned()
                    .collect()
            };
            let call = Call {
                args: &args,
                span: call.span,
            };
            let one = run.guarded_by(&guards, |run| match done {
                None => act(self, run, &call),
                Some(_) => self.instead(run, printed, |shell, run| act(shell, run, &call)),
            });
            self.undecide(run, changed);
            ends.note(&one.flow, &guards);
            parts.push((run.take_effects(from), guards));
            let goes_on = !one.flow.ends_here();
            after = match after {
                Some((other, true)) if goes_on => {
                    self.merge(run, other, Meeting::default());
                    Some((self.state(run), true))
                }
                Some((other, true)) => Some((other, true)),
                _ => Some((self.state(run), goes_on)),
            };
            done = Some(match done {
                None => one,
                Some(done) => Done {
                    flow: Flow::Next,
                    ok: done.ok.filter(|ok| one.ok == Some(*ok)),
                },
            });
        }
        self.ways_in_hand -= 1;
        run.put_ways(parts);
        if let Some((after, _)) = after {
            self.rewind(run, after);
        }
        done.map(|done| Done {
            flow: ends.flow(),
            ..done
        })
    }

    /// Puts what the hole is on one path into all variables; those that it was in, as they were and are.
    fn decide(&mut self, run: &mut JobRun<'_>, hole: char, way: &Way) -> Vec<(String, Text, Text)> {
        let value = joined(way);
        let mut changed = Vec::new();
        for (name, text) in run.env.iter().filter(|(_, text)| !text.is_known()) {
            if text.as_str().contains(hole) {
                changed.push((name.clone(), text.clone(), replaced(text, hole, &value)));
            }
        }
        for (name, _, new) in &changed {
            run.env.insert(name.clone(), new.clone());
        }
        changed
    }

    /// Gives variables that nothing has changed since their hole back.
    fn undecide(&mut self, run: &mut JobRun<'_>, changed: Vec<(String, Text, Text)>) {
        for (name, old, new) in changed {
            if run.env.get(&name) == Some(&new) {
                run.env.insert(name, old);
            }
        }
    }
}

fn joined(way: &Way) -> String {
    let words: Vec<&str> = way.words.iter().map(Text::as_str).collect();
    words.join(" ")
}

fn replaced(text: &Text, hole: char, value: &str) -> Text {
    Text::from(text.as_str().replace(hole, value))
}

/// An argument with what the hole is on one path.
fn put(arg: &Arg, hole: char, way: &Way) -> Vec<Arg> {
    if !arg.as_str().contains(hole) {
        return vec![arg.clone()];
    }
    let with = |text: Text| Arg {
        text,
        mapped: None,
        bare: false,
        ..arg.clone()
    };
    if way.is_list && arg.text.is_one_hole() {
        return way.words.iter().cloned().map(with).collect();
    }
    let text = replaced(&arg.text, hole, &joined(way));
    if !arg.bare {
        return vec![with(text)];
    }
    let words = text.as_str().split_whitespace().map(Text::from);
    words
        .map(|word| Arg {
            bare: !word.is_known(),
            ..with(word)
        })
        .collect()
}

/// The hole of a variable with what it is on each path.
pub(super) fn hole(run: &JobRun<'_>, value: &Text, ways: Vec<Way>) -> Option<Text> {
    let Hole { written, kind, .. } = one_hole(run, value)?;
    Some(run.cx.holes.one_of(&written, kind, ways))
}

/// The name of an image that has a namespace, a tag and perhaps a digest.
fn image_of(text: &Text) -> Option<&str> {
    let (name, tag) = text.as_str().split('@').next()?.rsplit_once(':')?;
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let is_name =
        name.contains('/') && !name.starts_with(['/', '.']) && name.chars().all(is_of_name);
    (is_name && !tag.contains('/')).then_some(name)
}
