//! Events and summaries: lines for people, or JSON objects.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::rc::Rc;

use jiff::SignedDuration;
use pullpass_connect::http::Waits;
use pullpass_engine::event::{Calls, Event, Status, Summary};
use serde_json::json;

use super::Format;
use super::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::terminal::{Terminal, Volume};

/// Up to this many projects, a plan shows each by itself.
const FEW: usize = 12;

/// What a person says to a question.
pub(super) enum Answered {
    Yes,
    /// Anything else, and nothing at all.
    No,
    /// They want it to end.
    Interrupted,
}

fn write_asked(text: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes())?;
    err.flush()
}

/// Tells a person or a program what happens.
pub(super) struct Teller {
    format: Format,
    terminal: Terminal,
    /// Events of a plan, which are told in groups.
    held: RefCell<Option<Vec<Event>>>,
    progress: RefCell<Progress>,
    /// Whoever reads has gone, or nothing can be written: nothing is left to tell.
    gone: Cell<bool>,
    /// Why nothing can be written, where that is an error.
    unwritten: RefCell<Option<Error>>,
    /// What went wrong, and for which projects that was left out.
    alike: RefCell<BTreeMap<String, Alike>>,
}

/// The same failure of many projects: one fact about a system outside.
#[derive(Default)]
struct Alike {
    told: usize,
    left: Vec<String>,
}

/// For so many projects the same failure is told in full.
const TOLD: usize = 3;

impl Teller {
    pub(super) fn new(format: Format, terminal: Terminal) -> Self {
        Self {
            format,
            terminal,
            held: RefCell::new(None),
            progress: RefCell::new(Progress::hidden()),
            gone: Cell::new(false),
            unwritten: RefCell::default(),
            alike: RefCell::default(),
        }
    }

    /// What could not be written is an error of the command, once its work is done.
    fn written(&self) -> Result<()> {
        self.unwritten.take().map_or(Ok(()), Err)
    }

    /// Whether that was told of other projects, often enough.
    fn is_left(&self, event: &Event) -> bool {
        let (Status::Failed, Some(project)) = (event.status, &event.project) else {
            return false;
        };
        // "cannot …: what happened", and the first part names the project.
        let Some((_, what)) = event.detail.split_once(": ") else {
            return false;
        };
        if !event.detail.starts_with("cannot ") {
            return false;
        }
        let mut alike = self.alike.borrow_mut();
        let alike = alike.entry(what.to_owned()).or_default();
        alike.told += 1;
        if alike.told <= TOLD {
            return false;
        }
        alike.left.push(project.to_string());
        true
    }

    /// Of which other projects the same is true.
    fn tell_left(&self) {
        for (what, Alike { left, .. }) in self.alike.take() {
            if left.is_empty() {
                continue;
            }
            let names = named(&left, self.terminal.volume == Volume::Verbose);
            let what = what.lines().next().unwrap_or_default();
            self.print(&format!(
                "✗ the same for {} more: {names}: {what}\n",
                left.len()
            ));
        }
    }

    /// Whether there is somebody to ask.
    pub(super) fn asks(&self) -> bool {
        self.format == Format::Human && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks whether to go ahead.
    pub(super) async fn ask(&self, changing: usize) -> Result<Answered> {
        let many = if changing == 1 { "" } else { "s" };
        let question = format!("Change {changing} project{many}? [y/N] ");
        write_asked(&question).map_err(|error| Error::output(&error))?;
        // In a thread that nobody waits for: a line is read to its end whatever signal comes, and an
        // interrupt is to end the command at once.
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = io::stdin().lock().read_line(&mut line);
            let _ = tell.send(read.map(|_| line));
        });
        let line = tokio::select! {
            line = told => line,
            _ = tokio::signal::ctrl_c() => {
                let _ = write_asked("\n");
                return Ok(Answered::Interrupted);
            }
        };
        let line = line.unwrap_or_else(|_| Ok(String::new()));
        let line = line.map_err(|error| Error::output(&error))?;
        if !line.ends_with('\n') {
            let _ = write_asked("\n");
        }
        Ok(match line.trim() {
            "y" | "Y" | "yes" => Answered::Yes,
            _ => Answered::No,
        })
    }

    fn print(&self, text: &str) {
        // A broken pipe ends nobody's work: what was begun is finished.
        let print = || {
            if self.gone.get() {
                return;
            }
            if let Err(error) = super::super::print(text.as_bytes()) {
                self.gone.set(true);
                if error.kind != ErrorKind::ReaderGone {
                    self.unwritten.replace(Some(error));
                }
            }
        };
        self.progress.borrow().above(print);
    }

    /// Prints what was asked for.
    pub(super) fn data(&self, text: &str) {
        self.print(text);
    }

    /// Says something beside the data, which a person has to know now.
    pub(super) fn aside(&self, text: &str) {
        let say = || self.terminal.note(text);
        self.progress.borrow().above(say);
    }

    /// What is told whom a run waits for: it stands still meanwhile.
    pub(super) fn told_of_waits(self: Rc<Self>) -> Waits {
        Rc::new(move |system, time| {
            let time = time.as_secs().max(1);
            self.aside(&format!(
                "waiting {time} s for {system}, which takes no more requests for so long"
            ));
        })
    }

    /// Shows how far a run of so many projects is, to a person who watches.
    pub(super) fn progress(&self, projects: usize) -> Progress {
        let shown = self.format == Format::Human && self.terminal.volume != Volume::Quiet;
        if shown {
            self.progress.replace(Progress::of(projects));
        }
        self.progress.borrow().clone()
    }

    /// One thing that happened.
    pub(super) fn event(&self, event: &Event) {
        if self.format == Format::Json {
            let line = json!({
                "schema": "pullpass.event/1",
                "project": event.project.as_ref().map(ToString::to_string),
                "step": event.step,
                "status": event.status.word(),
                "detail": event.detail,
            });
            self.print(&format!("{line}\n"));
            return;
        }
        if let Some(held) = &mut *self.held.borrow_mut() {
            held.push(event.clone());
            return;
        }
        let is_told = match self.terminal.volume {
            Volume::Verbose => true,
            Volume::Normal => event.status != Status::Done || event.step != "converged",
            Volume::Quiet => is_finding(event),
        };
        if is_told && !self.is_left(event) {
            self.print(&self.line(event));
        }
    }

    /// One of many things that a person is told together.
    pub(super) fn for_programs(&self, event: &Event) {
        if self.format == Format::Json {
            self.event(event);
        }
    }

    /// One thing that was checked: a person is told which, as its page names it.
    pub(super) fn check(&self, event: &Event) {
        match self.format {
            Format::Json => self.event(event),
            Format::Human => self.event(&Event {
                detail: format!("{}: {}", event.step, event.detail),
                ..event.clone()
            }),
        }
    }

    fn line(&self, event: &Event) -> String {
        let mark = match event.status {
            Status::Planned => "+",
            Status::Done => "✓",
            Status::Skipped => "…",
            Status::Failed => "✗",
        };
        let name = event.project.as_ref().map_or("", |name| name.as_str());
        let style = match event.status {
            Status::Done => anstyle::AnsiColor::Green.on_default(),
            Status::Planned => anstyle::AnsiColor::Cyan.on_default(),
            Status::Skipped => anstyle::AnsiColor::Yellow.on_default(),
            Status::Failed => anstyle::AnsiColor::Red.on_default().bold(),
        };
        let detail = event.detail.replace('\n', "\n  ");
        match self.terminal.colors_stdout() {
            true => format!("{style}{mark}{style:#} {name:<16} {detail}\n"),
            false => format!("{mark} {name:<16} {detail}\n"),
        }
    }

    /// Holds the events of a plan back and tells them together.
    pub(super) fn plan(&self, plan: impl FnOnce() -> Summary) -> Summary {
        if self.format == Format::Json {
            return plan();
        }
        *self.held.borrow_mut() = Some(Vec::new());
        let summary = plan();
        let mut events = self.held.take().unwrap_or_default();
        if self.terminal.volume == Volume::Quiet {
            events.retain(is_finding);
        }
        events.retain(|event| !self.is_left(event));
        self.print(&grouped(&events, self.terminal.volume == Volume::Verbose));
        self.tell_left();
        summary
    }

    /// How it ended, where not projects were looked at but what is needed to begin: their numbers are 0.
    pub(super) fn checked(&self, in_order: usize, lacking: usize, calls_made: Calls) -> Result<()> {
        if self.format == Format::Json {
            let mut line = summary_line(&Summary {
                calls: calls_made,
                ..Summary::default()
            });
            line["checks"] = json!({"in_order": in_order, "lacking": lacking});
            self.print(&format!("{line}\n"));
            return self.written();
        }
        if self.terminal.volume == Volume::Quiet {
            return self.written();
        }
        let made = each(calls_made);
        let all = in_order + lacking;
        if all == 0 {
            return self.written();
        }
        self.print(&match lacking {
            0 => format!("{all} checks: nothing is lacking. Calls: {made}.\n"),
            _ => format!("{all} checks: {lacking} to mend. Calls: {made}.\n"),
        });
        self.written()
    }

    /// For programs: that it ended before there was anything to sum up, and why.
    pub(super) fn ended_early(&self, error: &Error) {
        let mut line = summary_line(&Summary::default());
        line["error"] = json!(error.to_string());
        self.print(&format!("{line}\n"));
    }

    /// How it ended.
    pub(super) fn summary(&self, summary: &Summary) -> Result<()> {
        self.tell_left();
        if self.format == Format::Json {
            let mut line = summary_line(summary);
            for (name, number) in [
                ("waiting", summary.waiting),
                ("blocked", summary.blocked),
                ("not_begun", summary.not_begun),
            ] {
                line[name] = json!(number);
            }
            if let Some(ahead) = &summary.ahead {
                line["ahead"] = json!({
                    "calls": calls(ahead.calls),
                    "seconds": ahead.at_least().as_secs(),
                });
            }
            self.print(&format!("{line}\n"));
            return self.written();
        }
        if self.terminal.volume == Volume::Quiet {
            return self.written();
        }
        let mut text = String::new();
        let many = if summary.projects == 1 { "" } else { "s" };
        let _ = write!(
            text,
            "{} project{many}: {} as they should be",
            summary.projects, summary.converged
        );
        let known = summary.for_a_person + summary.not_begun;
        for (number, what) in [
            (summary.pending.saturating_sub(known), "with more to do"),
            (summary.not_begun, "not begun"),
            (summary.for_a_person, "waiting for a person"),
            (summary.blocked, "up to a person"),
            (summary.misconfigured, "wrongly set up"),
            (summary.failed_outside(), "failed"),
        ] {
            if number > 0 {
                let _ = write!(text, ", {number} {what}");
            }
        }
        let _ = writeln!(text, ". Calls: {}.", each(summary.calls));
        if let Some(ahead) = summary.ahead.filter(|_| summary.pending > 0) {
            let limits = match ahead.at_least() {
                SignedDuration::ZERO => "and their rate limits make none of it wait".to_owned(),
                time => format!("and their rate limits make it last {time:#} at least"),
            };
            let _ = writeln!(
                text,
                "To do it takes about as many more: {}; {limits}.",
                each(ahead.calls)
            );
        }
        self.print(&text);
        self.written()
    }
}

/// What is told also to whoever wants to hear of nothing else: what is wrong, what would be done, and what
/// a person has to do. That time has to pass is none.
fn is_finding(event: &Event) -> bool {
    match event.status {
        Status::Failed | Status::Planned => true,
        Status::Skipped => event.step.starts_with("await-") || event.step == "no-credential",
        Status::Done => false,
    }
}

fn calls(calls: Calls) -> serde_json::Value {
    json!({
        "hub": calls.hub,
        "circleci": calls.circleci,
        "github": calls.github,
        "store": calls.store,
    })
}

/// The numbers that every report for programs ends with.
fn summary_line(summary: &Summary) -> serde_json::Value {
    json!({
        "schema": "pullpass.summary/1",
        "projects": summary.projects,
        "converged": summary.converged,
        "pending": summary.pending,
        "failed": summary.failed,
        "calls": calls(summary.calls),
    })
}

fn each(calls: Calls) -> String {
    format!(
        "Docker Hub {}, CircleCI {}, GitHub {}, store {}",
        calls.hub, calls.circleci, calls.github, calls.store
    )
}

/// A plan for people: what is the same for many projects is said once.
fn grouped(events: &[Event], all_names: bool) -> String {
    let mut by_project: Vec<(&str, Vec<&Event>)> = Vec::new();
    for event in events {
        let name = event.project.as_ref().map_or("", |name| name.as_str());
        match by_project.last_mut() {
            Some((last, list)) if *last == name => list.push(event),
            _ => by_project.push((name, vec![event])),
        }
    }
    let mut text = String::new();
    if by_project.len() <= FEW {
        for (name, events) in by_project {
            let _ = writeln!(text, "{name}");
            for event in events {
                let _ = writeln!(
                    text,
                    "  {} {}",
                    sign(event.status),
                    event.detail.replace('\n', "\n    ")
                );
            }
        }
        return text;
    }
    // Their names, and the steps of the first.
    type Group<'e> = (Vec<String>, Vec<&'e Event>);
    let mut groups: BTreeMap<Vec<(&str, &str)>, Group<'_>> = BTreeMap::new();
    for (name, events) in by_project {
        let steps = events.iter().map(|e| (sign(e.status), e.step)).collect();
        let group = groups.entry(steps).or_insert_with(|| (Vec::new(), events));
        group.0.push(name.to_owned());
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|(names, _)| std::cmp::Reverse(names.len()));
    for (names, events) in groups {
        let first = match names.as_slice() {
            [first, _, ..] => format!(". Of {first}, and of the others likewise:"),
            _ => String::new(),
        };
        let many = if names.len() == 1 { "" } else { "s" };
        let _ = writeln!(
            text,
            "{} project{many}: {}{first}",
            names.len(),
            named(&names, all_names)
        );
        for event in events {
            let detail = event.detail.replace('\n', "\n    ");
            let _ = writeln!(text, "  {} {detail}", sign(event.status));
        }
    }
    text
}

/// A few names and how many more, or all.
fn named(names: &[String], all: bool) -> String {
    let most = if all { names.len() } else { FEW };
    let (shown, more) = names.split_at(names.len().min(most));
    match more.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn sign(status: Status) -> &'static str {
    match status {
        Status::Planned => "+",
        Status::Done => "✓",
        Status::Skipped => "…",
        Status::Failed => "✗",
    }
}
