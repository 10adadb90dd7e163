//! Events and summaries: lines for people, or JSON objects.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};

use jiff::SignedDuration;
use pullpass_engine::event::{Calls, Event, Status, Summary};
use serde_json::json;

use super::Format;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::terminal::{Terminal, Volume};

/// Up to this many projects, a plan shows each by itself.
const FEW: usize = 12;

/// Tells a person or a program what happens.
pub(super) struct Teller {
    format: Format,
    terminal: Terminal,
    /// Events of a plan, which are told in groups.
    held: RefCell<Option<Vec<Event>>>,
    progress: RefCell<Progress>,
    /// Whoever reads has gone: nothing is left to tell.
    gone: Cell<bool>,
}

impl Teller {
    pub(super) fn new(format: Format, terminal: Terminal) -> Self {
        Self {
            format,
            terminal,
            held: RefCell::new(None),
            progress: RefCell::new(Progress::hidden()),
            gone: Cell::new(false),
        }
    }

    /// Whether there is somebody to ask.
    pub(super) fn asks(&self) -> bool {
        self.format == Format::Human && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks whether to go ahead.
    pub(super) fn ask(&self, changing: usize) -> Result<bool> {
        let many = if changing == 1 { "" } else { "s" };
        let mut err = io::stderr().lock();
        let mut answer = String::new();
        write!(err, "Change {changing} project{many}? [y/N] ")
            .and_then(|()| err.flush())
            .and_then(|()| io::stdin().lock().read_line(&mut answer))
            .map_err(|error| Error::output(&error))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    fn print(&self, text: &str) {
        // A broken pipe ends nobody's work: what was begun is finished.
        let print = || {
            if !self.gone.get() && super::super::print(text.as_bytes()).is_err() {
                self.gone.set(true);
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
        if is_told {
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
        self.print(&grouped(&events));
        summary
    }

    /// How it ended, where not projects were looked at but what is needed to begin: their numbers are 0.
    pub(super) fn checked(&self, in_order: usize, lacking: usize, calls_made: Calls) {
        if self.format == Format::Json {
            let line = json!({
                "schema": "pullpass.summary/1",
                "projects": 0,
                "converged": 0,
                "pending": 0,
                "failed": 0,
                "checks": {"in_order": in_order, "lacking": lacking},
                "calls": calls(calls_made),
            });
            self.print(&format!("{line}\n"));
            return;
        }
        if self.terminal.volume == Volume::Quiet {
            return;
        }
        let made = each(calls_made);
        let all = in_order + lacking;
        if all == 0 {
            return;
        }
        self.print(&match lacking {
            0 => format!("{all} checks: nothing is lacking. Calls: {made}.\n"),
            _ => format!("{all} checks: {lacking} to mend. Calls: {made}.\n"),
        });
    }

    /// How it ended.
    pub(super) fn summary(&self, summary: &Summary) -> Result<()> {
        if self.format == Format::Json {
            let mut line = json!({
                "schema": "pullpass.summary/1",
                "projects": summary.projects,
                "converged": summary.converged,
                "pending": summary.pending,
                "failed": summary.failed,
                "calls": calls(summary.calls),
            });
            if let Some(ahead) = &summary.ahead {
                line["ahead"] = json!({
                    "calls": calls(ahead.calls),
                    "seconds": ahead.at_least().as_secs(),
                });
            }
            self.print(&format!("{line}\n"));
            return Ok(());
        }
        if self.terminal.volume == Volume::Quiet {
            return Ok(());
        }
        let mut text = String::new();
        let many = if summary.projects == 1 { "" } else { "s" };
        let _ = write!(
            text,
            "{} project{many}: {} as they should be",
            summary.projects, summary.converged
        );
        let waiting = summary.pending - summary.for_a_person;
        for (number, what) in [
            (waiting, "with more to do"),
            (summary.for_a_person, "waiting for a person"),
            (summary.blocked, "up to a person"),
            (summary.failed - summary.blocked, "failed"),
        ] {
            if number > 0 {
                let _ = write!(text, ", {number} {what}");
            }
        }
        let _ = writeln!(text, ". Calls: {}.", each(summary.calls));
        if let Some(ahead) = summary.ahead.filter(|_| summary.pending > 0) {
            let limits = match ahead.at_least() {
                SignedDuration::ZERO => "which no limit of theirs makes wait".to_owned(),
                time => format!("which their limits make last {time:#} at least"),
            };
            let _ = writeln!(
                text,
                "To do it takes about as many more: {}; {limits}.",
                each(ahead.calls)
            );
        }
        self.print(&text);
        Ok(())
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

fn each(calls: Calls) -> String {
    format!(
        "Docker Hub {}, CircleCI {}, GitHub {}, store {}",
        calls.hub, calls.circleci, calls.github, calls.store
    )
}

/// A plan for people: what is the same for many projects is said once.
fn grouped(events: &[Event]) -> String {
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
    let mut groups: BTreeMap<Vec<(&str, &str)>, Vec<&str>> = BTreeMap::new();
    for (name, events) in by_project {
        let steps = events.iter().map(|e| (sign(e.status), e.step)).collect();
        groups.entry(steps).or_default().push(name);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (steps, names) in groups {
        let shown: Vec<&str> = names.iter().take(FEW).copied().collect();
        let more = match names.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let many = if names.len() == 1 { "" } else { "s" };
        let _ = writeln!(
            text,
            "{} project{many}: {}{more}",
            names.len(),
            shown.join(", ")
        );
        for (sign, step) in steps {
            let _ = writeln!(text, "  {sign} {}", step.replace('-', " "));
        }
    }
    text
}

fn sign(status: Status) -> &'static str {
    match status {
        Status::Planned => "+",
        Status::Done => "✓",
        Status::Skipped => "…",
        Status::Failed => "✗",
    }
}
