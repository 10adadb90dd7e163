//! `pullpass credentials`

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _};

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Args, Subcommand};
use pullpass_connect::credentials;
use pullpass_fleet::reader::nearest;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::fleet::outside_failed;
use super::given::{Name, kept, no_place, warn_of_others};
use super::unlock::{Sealed, prompt, protection};
use super::{Format, print, print_json};
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Keep your own credentials in an encrypted file, so that the environment need not have them.
///
/// They are an operator's: for Docker Hub, CircleCI, GitHub and Vault. Every command of the fleet takes from the file what the environment lacks; the environment goes before it.
#[derive(Args, Debug)]
pub(crate) struct Credentials {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Set(Set),
    List(List),
    Remove(Remove),
}

/// Keep a credential, in place of the one that was kept.
///
/// Asks for it on a terminal, without showing it; else it is what standard input holds, without the newline at its end.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass credentials set CIRCLECI_TOKEN
  gh auth token | pullpass credentials set GITHUB_TOKEN")]
struct Set {
    /// Which, as it is called in the environment.
    #[arg(value_parser = NameParser)]
    name: Name,

    /// There for whoever gives the value: it is answered without being repeated.
    #[arg(hide = true, num_args = 0.., trailing_var_arg = true, allow_hyphen_values = false)]
    value: Vec<OsString>,

    /// How to tell what was done.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Show which credentials there are, and where each comes from. Opens nothing, and shows no value.
#[derive(Args, Debug)]
struct List {
    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Forget a kept credential.
#[derive(Args, Debug)]
struct Remove {
    /// Which, as it is called in the environment.
    #[arg(value_parser = NameParser)]
    name: Name,

    /// How to tell what was done.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// The longest value that is read, in bytes: far more than any token has.
const MOST: usize = 64 * 1024;

/// Reads a name. What is none is not repeated: it may be what was to be kept.
#[derive(Clone)]
struct NameParser;

impl NameParser {
    fn read(written: &str) -> std::result::Result<Name, String> {
        let same = |name: &Name| {
            let mut variables = name.variables().iter();
            variables.any(|variable| variable.eq_ignore_ascii_case(written))
        };
        if let Some(name) = Name::ALL.iter().find(|name| same(name)) {
            return Ok(*name);
        }
        if written.contains('=') {
            return Err(BY_ARGUMENT.join("\n  help: "));
        }
        let known: Vec<(String, Name)> = Name::ALL
            .iter()
            .flat_map(|&name| name.variables().iter().map(move |v| (v, name)))
            .map(|(variable, name)| (variable.to_lowercase(), name))
            .collect();
        let meant = nearest(written, known.iter().map(|(text, _)| text.as_str()));
        let all = Name::ALL.map(Name::text).join(", ");
        Err(match meant {
            Some(meant) => format!(
                "there is no credential of that name\n  help: did you mean `{}`? There are {all}",
                meant.to_uppercase()
            ),
            None => {
                format!("there is no credential of that name\n  help: it is one of {all}")
            }
        })
    }
}

/// What is said to whoever gives a value as an argument, and what to do.
const BY_ARGUMENT: [&str; 2] = [
    "a credential is given as an argument, which the shell's history and the list of processes show",
    "renew it, for it has been shown; then give the name alone: the value is asked for, or read from standard input",
];

impl TypedValueParser for NameParser {
    type Value = Name;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> std::result::Result<Name, clap::Error> {
        Self::read(&value.to_string_lossy()).map_err(|wrong| {
            clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{wrong}\n"))
                .with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = Name::ALL.map(|name| PossibleValue::new(name.text()).help(name.meaning()));
        Some(Box::new(values.into_iter()))
    }
}

/// What became of one, in JSON.
#[derive(Serialize)]
struct Changed {
    schema: &'static str,
    name: &'static str,
    status: &'static str,
    file: String,
}

impl Credentials {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        match self.command {
            Command::Set(command) => command.run(terminal),
            Command::List(command) => command.run(terminal),
            Command::Remove(command) => command.run(terminal),
        }
    }
}

impl Set {
    fn run(self, terminal: Terminal) -> Result<ExitCode> {
        if !self.value.is_empty() {
            let [happened, next] = BY_ARGUMENT;
            return Err(Error::new(
                ErrorKind::Usage,
                format!("keep `{}`", self.name.text()),
                happened,
                next,
            ));
        }
        let file = kept().ok_or_else(no_place)?;
        // What is wrong with the file is said before anybody types.
        file.names().map_err(outside_failed)?;
        let value = value_of(self.name)?;
        if !file.is_there().map_err(outside_failed)? {
            let protection = protection(Sealed::Credentials, terminal)?;
            credentials::Credentials::create(file.path(), &protection).map_err(outside_failed)?;
        }
        file.set(self.name.text(), &value).map_err(outside_failed)?;
        warn_of_others(&file, terminal);
        if let Some(variable) = self.name.set() {
            terminal.note(&format!(
                "`{variable}` is set in the environment, which goes before the file"
            ));
        }
        tell(self.format, terminal, self.name, "kept", &file)
    }
}

/// The value, from whoever is there.
fn value_of(name: Name) -> Result<SecretString> {
    let wrong = |happened: &str, next: &str| {
        let doing = format!("keep `{}`", name.text());
        Error::new(ErrorKind::Usage, doing, happened, next)
    };
    let value = match io::stdin().is_terminal() {
        true => prompt(&format!("{}: ", name.text())).map_err(outside_failed)?,
        false => {
            // Never moved to a larger place: no copy is left behind.
            let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
            let most = u64::try_from(MOST).unwrap_or(u64::MAX).saturating_add(1);
            io::stdin()
                .lock()
                .take(most)
                .read_to_end(&mut bytes)
                .map_err(|error| {
                    let happened = format!("standard input cannot be read: {}", in_words(&error));
                    wrong(&happened, "give the value there, or run it on a terminal")
                })?;
            if bytes.len() > MOST {
                return Err(wrong(
                    "standard input holds more than any credential does",
                    "give the value alone",
                ));
            }
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| wrong("standard input is not UTF-8 text", "give the value alone"))?;
            let text = text.strip_suffix('\n').unwrap_or(text);
            SecretString::from(text.strip_suffix('\r').unwrap_or(text))
        }
    };
    let text = value.expose_secret();
    if text.is_empty() {
        let next = "give it on standard input, or run the command on a terminal to be asked";
        return Err(wrong("the value is empty", next));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(
            "the value has several lines, or characters that no credential has",
            "give the value alone",
        ));
    }
    Ok(value)
}

impl Remove {
    fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let file = kept().ok_or_else(no_place)?;
        let removed = file.remove(self.name.text()).map_err(outside_failed)?;
        let status = if removed { "removed" } else { "absent" };
        tell(self.format, terminal, self.name, status, &file)
    }
}

fn tell(
    format: Format,
    terminal: Terminal,
    name: Name,
    status: &'static str,
    file: &credentials::Credentials,
) -> Result<ExitCode> {
    let (name, path) = (name.text(), file.path().display());
    match format {
        Format::Json => print_json(&Changed {
            schema: "pullpass.credential/1",
            name,
            status,
            file: path.to_string(),
        }),
        Format::Human => {
            terminal.note(&match status {
                "kept" => format!("`{name}` is kept in {path}"),
                "removed" => format!("`{name}` is removed from {path}"),
                _ => format!("`{name}` is not in {path}: nothing to remove"),
            });
            Ok(ExitCode::Done)
        }
    }
}

/// What there is, in JSON.
#[derive(Serialize)]
struct Listed {
    schema: &'static str,
    /// Where the file is, or would be.
    file: Option<String>,
    credentials: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    /// `environment` or `file`; null where there is none.
    from: Option<&'static str>,
    /// The variable of the environment, where that is where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'static str>,
    /// Whether it is in the file, used or not.
    kept: bool,
}

impl List {
    fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let file = kept();
        let (names, is_there) = match &file {
            Some(file) => (
                file.names().map_err(outside_failed)?,
                file.is_there().map_err(outside_failed)?,
            ),
            None => Default::default(),
        };
        let credentials = Name::ALL
            .into_iter()
            .map(|name| {
                let (variable, kept) = (name.set(), names.contains(name.text()));
                Entry {
                    name: name.text(),
                    from: match (variable, kept) {
                        (Some(_), _) => Some("environment"),
                        (None, true) => Some("file"),
                        (None, false) => None,
                    },
                    variable,
                    kept,
                }
            })
            .collect();
        let file = file.inspect(|file| warn_of_others(file, terminal));
        let listed = Listed {
            schema: "pullpass.credentials-list/1",
            file: file.map(|file| file.path().display().to_string()),
            credentials,
        };
        match self.format {
            Format::Json => print_json(&listed),
            Format::Human => print(text(&listed, is_there).as_bytes()),
        }
    }
}

fn text(listed: &Listed, is_there: bool) -> String {
    let entries = &listed.credentials;
    let width = entries.iter().map(|e| e.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for Entry {
        name,
        variable,
        kept,
        ..
    } in entries
    {
        let from = match (variable, kept) {
            (Some(variable), true) => format!(
                "environment{}, which goes before the kept one",
                alias(variable, name)
            ),
            (Some(variable), false) => format!("environment{}", alias(variable, name)),
            (None, true) => "file".to_owned(),
            (None, false) => "not given".to_owned(),
        };
        let _ = writeln!(out, "{name:width$}  {from}");
    }
    let _ = match (&listed.file, is_there) {
        (Some(path), true) => writeln!(out, "\nThe file is {path}"),
        (Some(path), false) => writeln!(
            out,
            "\nThere is no file yet: `pullpass credentials set NAME` makes {path}"
        ),
        (None, _) => writeln!(
            out,
            "\nNothing can be kept: none of PULLPASS_CREDENTIALS, XDG_CONFIG_HOME and HOME is set"
        ),
    };
    out
}

/// Says so where it has another name there.
fn alias(variable: &str, name: &str) -> String {
    match variable == name {
        true => String::new(),
        false => format!(" (`{variable}`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_and_another_is_answered_with_the_nearest() {
        for (written, name) in [
            ("CIRCLECI_TOKEN", Name::CircleCi),
            ("gh_token", Name::GitHub),
        ] {
            assert_eq!(NameParser::read(written), Ok(name));
        }
        for (written, meant) in [
            ("CIRCLE_TOKEN", "CIRCLECI_TOKEN"),
            ("GITHUB_TOKN", "GITHUB_TOKEN"),
            ("PULLPAS_HUB_SECRET", "PULLPASS_HUB_SECRET"),
            ("VAULT", "VAULT_TOKEN"),
        ] {
            let wrong = NameParser::read(written).unwrap_err();
            let words = format!("did you mean `{meant}`?");
            assert!(wrong.contains(&words), "{written}: {wrong}");
        }
    }

    #[test]
    fn what_may_be_a_value_is_not_repeated() {
        for written in ["ghp_notARealToken", "GITHUB_TOKEN=ghp_notARealToken"] {
            let wrong = NameParser::read(written).unwrap_err();
            assert!(!wrong.contains("notARealToken"), "{wrong}");
        }
    }
}
