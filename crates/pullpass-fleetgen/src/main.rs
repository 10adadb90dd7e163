//! Writes a fleet into a folder. Everything it does is in the library beside it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Write a fleet of realistic repositories; the same seed writes the same bytes, on every machine.
#[derive(Parser, Debug)]
#[command(name = "pullpass-fleetgen", version)]
struct Arguments {
    /// Which fleet. Repository number N of a seed is the same in a fleet of any size.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many repositories.
    #[arg(long, default_value_t = 100)]
    repositories: u32,
    /// The folder to write into; made if it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = arguments.out.display();
    match pullpass_fleetgen::write(arguments.seed, arguments.repositories, &arguments.out) {
        Ok(size) => {
            println!(
                "{folder}: {} repositories, {} CI files of {} bytes, {} other files",
                size.repositories, size.ci_files, size.ci_bytes, size.other_files
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "could not write the fleet to `{folder}`: {error}; check that the folder can be written and has space"
            );
            ExitCode::from(2)
        }
    }
}
