//! Headings, commands and lines; or one JSON object an act.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Format;
use super::stage::Stage;
use crate::commands::print;
use crate::error::Result;
use crate::terminal::{Terminal, Volume};

/// Tells the story as it goes.
pub(super) struct Teller {
    format: Format,
    terminal: Terminal,
    act: RefCell<Act>,
}

#[derive(Default)]
struct Act {
    number: u32,
    name: &'static str,
    command: &'static str,
    figures: Map<String, Value>,
}

impl Teller {
    pub(super) fn new(format: Format, terminal: Terminal) -> Self {
        Self {
            format,
            terminal,
            act: RefCell::default(),
        }
    }

    fn is_human(&self) -> bool {
        self.format == Format::Human && self.terminal.volume > Volume::Quiet
    }

    fn styled(&self, style: anstyle::Style, text: &str) -> String {
        match self.terminal.colors_stdout() {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }

    /// Before the first act.
    pub(super) fn prologue(&self, text: &str) -> Result<()> {
        if self.is_human() {
            print(text.as_bytes())?;
        }
        Ok(())
    }

    /// An act begins: what it is about, and what a person would type.
    pub(super) fn act(&self, name: &'static str, title: &str, command: &'static str) -> Result<()> {
        let mut act = self.act.borrow_mut();
        *act = Act {
            number: act.number + 1,
            name,
            command,
            figures: Map::new(),
        };
        if self.is_human() {
            let heading = self.styled(
                anstyle::Style::new().bold(),
                &format!("{}. {title}", act.number),
            );
            let command = self.styled(
                anstyle::AnsiColor::Cyan.on_default(),
                &format!("$ {command}"),
            );
            print(format!("\n{heading}\n   {command}\n").as_bytes())?;
        }
        Ok(())
    }

    /// One line of an act; a longer text is indented as a whole.
    pub(super) fn line(&self, text: &str) -> Result<()> {
        if self.is_human() {
            let lines: String = text.lines().map(|line| format!("   {line}\n")).collect();
            print(lines.as_bytes())?;
        }
        Ok(())
    }

    /// A diff.
    pub(super) fn diff(&self, diff: &str) -> Result<()> {
        let shown = crate::render::fix::for_terminal(diff, self.terminal.colors_stdout());
        self.line(&String::from_utf8_lossy(&shown))
    }

    /// A number for programs.
    pub(super) fn figure(&self, name: &str, value: impl Into<Value>) {
        let mut act = self.act.borrow_mut();
        act.figures.insert(name.to_owned(), value.into());
    }

    /// An act ends.
    pub(super) fn close(&self) -> Result<()> {
        if self.format == Format::Json {
            let act = self.act.borrow();
            let line = json!({
                "schema": "pullpass.demo/1",
                "act": act.name,
                "command": act.command,
                "figures": act.figures,
            });
            print(format!("{line}\n").as_bytes())?;
        }
        Ok(())
    }

    /// All went as told.
    pub(super) fn end(&self, took: Duration, keep: bool) -> Result<()> {
        if !self.is_human() {
            return Ok(());
        }
        let left = if keep {
            ""
        } else {
            ", and nothing of it is left"
        };
        let text = format!(
            "\nAll of this happened on this machine, in {:.0} s{left}.\n",
            took.as_secs_f64()
        );
        print(text.as_bytes())?;
        if !keep {
            let next = "Next: pullpass audit in a repository of yours; pullpass demo --keep to try the commands here.\n";
            print(next.as_bytes())?;
        }
        Ok(())
    }

    /// How to use what is kept.
    pub(super) fn kept(&self, stage: &Stage) -> Result<()> {
        if self.format == Format::Json {
            let line = json!({
                "schema": "pullpass.demo/1",
                "act": "kept",
                "folder": stage.folder(),
                "ready_file": stage.ready_file(),
            });
            return print(format!("{line}\n").as_bytes()).map(drop);
        }
        let text = format!(
            "\nSandbox and folder stay until you interrupt this (Ctrl-C). In another terminal:\n  \
             cd {}\n  set -a; . ./sandbox.env; set +a\n  pullpass plan\n  pullpass rotate shop\n\
             The inbox: {}\n",
            stage.folder().display(),
            stage.page("/inbox")
        );
        print(text.as_bytes())?;
        Ok(())
    }
}
