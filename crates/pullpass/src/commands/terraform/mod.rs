//! `pullpass terraform`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Format;
use crate::error::Result;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

mod export;
mod hcl;

/// Work with Terraform, where it hands credentials to the CI systems.
#[derive(Args, Debug)]
pub(crate) struct Terraform {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Export(Export),
}

/// Print the module that carries credentials from AWS Secrets Manager to the CI systems.
///
/// For each project two secrets, seeded with the word `default` and from then on left alone, and what reads them and writes the project's variables or secrets. pullpass puts the values in; Terraform's next run delivers them. What is printed is as `terraform fmt` leaves it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass terraform export > dockerhub.tf
  pullpass terraform export --ci circleci shop
  pullpass terraform export --import       for what exists already")]
struct Export {
    /// The projects [default: all].
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,

    /// Only what goes to this CI system [default: every target of the project].
    #[arg(long, value_enum, value_name = "CI")]
    ci: Option<export::Ci>,

    /// Also print `import` blocks, for secrets and variables that exist already.
    #[arg(long)]
    import: bool,

    /// The fleet file [default: pullpass.toml here, or the nearest above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

impl Terraform {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        match self.command {
            Command::Export(export) => export.run(terminal),
        }
    }
}
