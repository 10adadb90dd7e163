//! The commands, one file each: its arguments first, then what it does.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use clap::{Subcommand, ValueEnum};
use pullpass_audit::context::Options;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::neighbours::Neighbours;
use crate::terminal::Terminal;
use crate::walk::Target;

mod audit;
mod completions;
mod credentials;
mod demo;
mod explain;
mod fix;
pub(crate) mod fleet;
mod given;
mod init;
mod man;
mod rules;
mod sandbox;
mod schedule;
mod schema;
mod terraform;
mod unlock;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Audit(audit::Audit),
    Fix(fix::Fix),
    Init(init::Init),
    Onboard(fleet::onboard::Onboard),
    Plan(fleet::plan::Plan),
    Apply(fleet::apply::Apply),
    Rotate(fleet::rotate::Rotate),
    Verify(fleet::verify::Verify),
    Doctor(fleet::doctor::Doctor),
    Credentials(credentials::Credentials),
    Revoke(fleet::revoke::Revoke),
    Schedule(schedule::Schedule),
    Lambda(fleet::lambda::Lambda),
    Terraform(terraform::Terraform),
    Sandbox(sandbox::Sandbox),
    Demo(demo::Demo),
    Rules(rules::Rules),
    Explain(explain::Explain),
    Completions(completions::Completions),
    Man(man::Man),
    Schema(schema::Schema),
}

impl Command {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        match self {
            Self::Audit(command) => command.run(terminal),
            Self::Fix(command) => command.run(terminal),
            Self::Init(command) => command.run(terminal),
            Self::Onboard(command) => command.run(terminal),
            Self::Plan(command) => command.run(terminal),
            Self::Apply(command) => command.run(terminal),
            Self::Rotate(command) => command.run(terminal),
            Self::Verify(command) => command.run(terminal),
            Self::Doctor(command) => command.run(terminal),
            Self::Credentials(command) => command.run(terminal),
            Self::Revoke(command) => command.run(terminal),
            Self::Schedule(command) => command.run(),
            Self::Lambda(command) => command.run(terminal),
            Self::Terraform(command) => command.run(terminal),
            Self::Sandbox(command) => command.run(terminal),
            Self::Demo(command) => command.run(terminal),
            Self::Rules(command) => command.run(terminal),
            Self::Explain(command) => command.run(terminal),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
            Self::Schema(command) => command.run(),
        }
    }
}

/// Writes a text to standard output.
fn print(text: &[u8]) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(|error| Error::output(&error))?;
    Ok(ExitCode::Done)
}

/// How a command writes what it has to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// As people, or the program that it is for, read it.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// A text that a command makes for another program, as a JSON document.
#[derive(Serialize)]
struct Made<'t> {
    schema: &'static str,
    command: &'static str,
    /// The text, when it goes to standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'t str>,
    /// Where it was written, when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
}

impl Format {
    /// Writes a text that was made, or says it in JSON.
    fn print_text(self, command: &'static str, text: &str) -> Result<ExitCode> {
        match self {
            Self::Human => print(text.as_bytes()),
            Self::Json => print_json(&Made {
                schema: "pullpass.text/1",
                command,
                text: Some(text),
                written: None,
            }),
        }
    }

    /// Says in JSON where what was made has been written.
    fn print_written(self, command: &'static str, path: &Path) -> Result<ExitCode> {
        match self {
            Self::Human => Ok(ExitCode::Done),
            Self::Json => print_json(&Made {
                schema: "pullpass.text/1",
                command,
                text: None,
                written: Some(path.to_string_lossy().into_owned()),
            }),
        }
    }
}

/// Writes a JSON document to standard output.
fn print_json(document: &impl Serialize) -> Result<ExitCode> {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    print(text.as_bytes())
}

/// What is named in the CI files and stands elsewhere.
#[derive(clap::Args, Debug)]
struct Elsewhere {
    /// The source of a private orb, as `namespace/orb=FILE`. May be given several times.
    #[arg(long, value_name = "NAME=FILE")]
    orb: Vec<String>,

    /// The folder of another repository whose actions and workflows are used, as `OWNER/NAME=FOLDER`. May
    /// be given several times. What is audited in the same run is found without.
    #[arg(long, value_name = "NAME=FOLDER")]
    action: Vec<String>,
}

impl Elsewhere {
    fn options(&self) -> Result<Options> {
        Ok(Options {
            orbs: orb_sources(&self.orb)?,
        })
    }

    fn neighbours(&self, targets: &[Target]) -> Result<Neighbours> {
        Neighbours::new(&self.action, targets)
    }
}

/// Reads the sources of private orbs, given as `namespace/orb=FILE`: name to (path, text).
fn orb_sources(given: &[String]) -> Result<BTreeMap<String, (String, String)>> {
    let mut orbs = BTreeMap::new();
    for given in given {
        let Some((name, path)) = given
            .split_once('=')
            .filter(|(n, p)| !n.is_empty() && !p.is_empty())
        else {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("understand `--orb {given}`"),
                "it names no file",
                "write it as `--orb namespace/orb=FILE`",
            ));
        };
        let text =
            fs::read_to_string(path).map_err(|e| Error::unreadable("orb", path.as_ref(), &e))?;
        // A version, as one would copy it from a configuration, says nothing about the source.
        let name = name.split('@').next().unwrap_or(name);
        orbs.insert(name.to_owned(), (path.to_owned(), text));
    }
    Ok(orbs)
}
