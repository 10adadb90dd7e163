//! `pullpass man`

use std::path::PathBuf;

use clap::Args;

use super::Format;
use crate::cli;
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;

/// Print the manual page, or write one per command.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  pullpass man | man -l -")]
pub(crate) struct Man {
    /// Write `pullpass.1` and one page per command into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

impl Man {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Some(folder) = self.out else {
            let mut page = Vec::new();
            clap_mangen::Man::new(cli::command())
                .render(&mut page)
                .map_err(|error| Error::output(&error))?;
            let page = String::from_utf8_lossy(&page);
            return self.format.print_text("man", &page);
        };
        std::fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(cli::command(), &folder))
            .map_err(|error| {
                Error::new(
                    ErrorKind::Outside,
                    format!("write the manual pages into `{}`", folder.display()),
                    in_words(&error),
                    "name a folder that can be written to",
                )
            })?;
        self.format.print_written("man", &folder)
    }
}
