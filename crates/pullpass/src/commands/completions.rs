//! `pullpass completions`

use clap::Args;
use clap_complete::Shell;

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
}

impl Completions {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::command(), "pullpass", &mut script);
        super::print(&script)
    }
}
