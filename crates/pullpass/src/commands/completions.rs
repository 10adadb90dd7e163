//! `pullpass completions`

use clap::Args;
use clap_complete::Shell;

use super::Format;
use crate::cli;
use crate::error::Result;
use crate::exit::ExitCode;

/// Print a shell's completion script.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  pullpass completions bash > ~/.local/share/bash-completion/completions/pullpass"
)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,

    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

impl Completions {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::command(), "pullpass", &mut script);
        let script = String::from_utf8_lossy(&script);
        self.format.print_text("completions", &script)
    }
}
