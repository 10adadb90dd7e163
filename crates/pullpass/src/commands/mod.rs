//! The commands, one file each: its arguments first, then what it does.

use std::io::Write;

use clap::Subcommand;

use crate::error::{Error, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

mod audit;
mod completions;
mod explain;
mod man;
mod rules;
mod schema;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Audit(audit::Audit),
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
