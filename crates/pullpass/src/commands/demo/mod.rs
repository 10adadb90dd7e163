//! `pullpass demo`
//!
//! ```text
//! projects   three small repositories, embedded
//! stage      the folder, the sandbox, and the clients that the commands would have made
//! person     what a person does: sign up, confirm, accept
//! acts       the story: each act does what its command does, with the same library calls
//! tell       headings, commands and lines; or one JSON object an act
//! ```

use std::time::Instant;

use clap::{Args, ValueEnum};

use super::fleet::block_on;
use super::sandbox::ended;
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

mod acts;
mod person;
mod projects;
mod stage;
mod tell;

use stage::Stage;
use tell::Teller;

/// See the whole story on this machine, in one command, with nothing to sign up for.
///
/// Starts the sandbox, writes three small repositories into a temporary folder, and takes them from anonymous pulls to passes of their own: audit, fix, onboard, apply, rotate under running builds, revoke, verify. Builds really run, on the sandbox's runners, and are counted. Nothing leaves this machine, and nothing is left on it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass demo
  pullpass demo --keep                  then try the commands yourself
  pullpass demo --format json | jq .act")]
pub(crate) struct Demo {
    /// At the end, leave sandbox and folder until interrupted, and say how to use them.
    #[arg(long)]
    keep: bool,

    /// How to tell the story.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Format {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object an act.
    Json,
}

impl Demo {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        block_on(async {
            let began = Instant::now();
            // Before there is anything to leave behind.
            let end = ended().map_err(|error| failed("wait for an interrupt", &error))?;
            tokio::pin!(end);
            let teller = Teller::new(self.format, terminal);
            let stage = tokio::select! {
                stage = Stage::set() => stage?,
                _ = &mut end => return Ok(ExitCode::Interrupted),
            };
            tokio::select! {
                played = acts::play(&stage, &teller) => played?,
                // The folder goes with the stage.
                _ = &mut end => return Ok(ExitCode::Interrupted),
            }
            teller.end(began.elapsed(), self.keep)?;
            if !self.keep {
                return Ok(ExitCode::Done);
            }
            stage.write_ready_file()?;
            teller.kept(&stage)?;
            Ok(end.await)
        })
    }
}

/// Something of this machine failed.
fn failed(doing: &str, error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Outside,
        doing,
        in_words(error),
        "mend that, then run the command again",
    )
}

/// The story went otherwise than it is told.
fn astray(doing: &str, happened: impl Into<String>) -> Error {
    Error::new(
        ErrorKind::Outside,
        format!("go on with the demo: {doing}"),
        happened,
        "run it again; if it happens again, please report it with what stands above",
    )
}
