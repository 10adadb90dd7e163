//! From arguments to an exit code.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::panic;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::commands::Command;
use crate::commands::fleet::not_understood;
use crate::error::{Error, ErrorKind};
use crate::exit::ExitCode;
use crate::terminal::{Color, Terminal, Volume, is_forced_off};

/// Every container pull in your CI, authenticated, with one least-privilege pass per project.
#[derive(Parser, Debug)]
#[command(name = "pullpass", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// When to colour the output.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_possible_values = true)]
    color: Color,

    /// Say nothing but findings and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Say more: `audit` lists every pull, also those in order.
    #[arg(short, long, global = true)]
    verbose: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, nothing to act on
  1    done, and there is something to act on
  2    wrong usage or configuration
  3    something outside of pullpass failed; a later run can work
  130  interrupted";

/// The whole program, on the process's own arguments.
#[must_use]
pub fn main() -> std::process::ExitCode {
    panic::set_hook(Box::new(crate::terminal::report_bug));
    panic::catch_unwind(|| run(std::env::args_os()))
        .unwrap_or(ExitCode::Outside)
        .into()
}

/// The whole program, on these arguments. The first is the program's name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match parse(words.clone()) {
        Ok(arguments) => arguments,
        Err(error) => {
            let printed = error.print();
            if error.use_stderr() {
                tell_program(&words, &error);
            }
            return match (error.use_stderr(), printed) {
                // Nothing is left to say when even this cannot be written.
                (true, _) => ExitCode::Usage,
                (false, Ok(())) => ExitCode::Done,
                (false, Err(error)) => Error::output(&error).exit_code(),
            };
        }
    };
    let terminal = Terminal {
        color: arguments.color,
        volume: match (arguments.quiet, arguments.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        },
    };
    match arguments.command.run(terminal) {
        Ok(code) => code,
        Err(error) => {
            if error.kind != ErrorKind::ReaderGone {
                terminal.error(&error.to_string());
            }
            error.exit_code()
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    // Help and wrong usage end the parsing, so their colours are asked for before.
    let mut command = command().color(match color(&arguments) {
        Color::Auto if is_forced_off() && !std::io::stdout().is_terminal() => {
            clap::ColorChoice::Never
        }
        Color::Auto => clap::ColorChoice::Auto,
        Color::Always => clap::ColorChoice::Always,
        Color::Never => clap::ColorChoice::Never,
    });
    let mut matches = command
        .try_get_matches_from_mut(arguments)
        .map_err(without_value)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// What was given to an option that takes nothing may be a secret, as `--password=…` is: it is not repeated.
fn without_value(mut error: clap::Error) -> clap::Error {
    if error.kind() == clap::error::ErrorKind::TooManyValues {
        error.insert(
            ContextKind::InvalidValue,
            ContextValue::String("…".to_owned()),
        );
    }
    error
}

/// What `--color` says, wherever it stands.
fn color(arguments: &[OsString]) -> Color {
    option(arguments, "--color")
        .and_then(|value| Color::from_str(value, false).ok())
        .unwrap_or_default()
}

/// What an option says that is looked for before, or without, the others.
fn option<'a>(arguments: &'a [OsString], name: &str) -> Option<&'a str> {
    let mut words = texts(arguments);
    let mut asked = None;
    while let Some(word) = words.next() {
        if word == name {
            asked = words.next();
        } else if let Some(value) = word
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            asked = Some(value);
        }
    }
    asked
}

/// The arguments as far as the options go.
fn texts(arguments: &[OsString]) -> impl Iterator<Item = &str> {
    let words = arguments.iter().skip(1);
    let words = words.map(|word| word.to_str().unwrap_or(""));
    words.take_while(|&word| word != "--")
}

/// What a program reads has an end also where the arguments are wrong.
fn tell_program(arguments: &[OsString], error: &clap::Error) {
    let command = command();
    let is_command = |word: &&str| command.find_subcommand(word).is_some();
    let (Some(name), Some(format)) = (
        texts(arguments).find(is_command),
        option(arguments, "--format"),
    ) else {
        return;
    };
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default();
    let said = said.trim_start_matches("error: ");
    let terminal = Terminal {
        color: Color::Never,
        volume: Volume::Normal,
    };
    not_understood(name, format, said, terminal);
}

/// The command line as a value, for completions and manual pages.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_a_format() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let has = command
                    .get_arguments()
                    .any(|a| a.get_long() == Some("format"));
                assert!(has, "{}", command.get_name());
            }
        }
        command().get_subcommands().for_each(check);
    }

    #[test]
    fn help_tells_every_exit_code() {
        for code in ExitCode::ALL {
            let line = format!("  {:<4} {}", code.code(), code.meaning());
            assert!(EXIT_CODES.contains(&line), "{line}");
        }
    }
}
