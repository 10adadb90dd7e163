//! `pullpass sandbox`

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use pullpass_sandbox::{Fault, Limits, Options, Population, Sandbox as Running};
use secrecy::ExposeSecret;

use crate::atomic;
use pullpass_fleet::reader::did_you_mean;

use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Serve a whole organisation on loopback, to rehearse with.
///
/// Docker Hub's API, a registry, CircleCI and GitHub, a sign-up page and an inbox, and CI runners that really pull. Nothing in it is real, and nothing leaves this machine. It runs until it is interrupted.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass sandbox --ready-file sandbox.env &
  until [ -f sandbox.env ]; do sleep 0.1; done; set -a; . ./sandbox.env
  pullpass sandbox --latency 80ms --fault-rate 0.05
  pullpass sandbox --fault-rate 0.2 --faults lost-response,429
  pullpass sandbox --org org.toml --limits none")]
pub(crate) struct Sandbox {
    /// Once everything listens, write addresses and the operator's credentials there, as lines that a shell can source. It is removed at the end.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,

    /// Who and what exists [default: the organisation acme, with three projects].
    #[arg(long, value_name = "FILE")]
    org: Option<PathBuf>,

    /// Everything random comes from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// What every request waits: 80ms, 1.5s.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = duration)]
    latency: Duration,

    /// The share of requests that go wrong, from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    fault_rate: f64,

    /// How they go wrong: latency, 429, 500, 503, lost-response, lost-request, stale-read, crash, hang [default: all but the last two].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = fault)]
    faults: Vec<Fault>,

    /// Whether the systems' limits refuse anybody.
    #[arg(long, value_name = "LIMITS", value_enum, default_value_t)]
    limits: LimitsOption,

    /// How to write where everything is.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LimitsOption {
    /// As the real systems do.
    #[default]
    Real,
    /// Never.
    None,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Lines for people.
    #[default]
    Human,
    /// One object.
    Json,
}

/// `80ms`, `1.5s`.
fn duration(text: &str) -> std::result::Result<Duration, String> {
    let wrong = || "write it as 80ms or 1.5s".to_owned();
    let (number, seconds) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1.0),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|time| *time <= Duration::from_secs(600))
        .ok_or_else(|| "it is between 0s and 600s".to_owned())
}

fn share(text: &str) -> std::result::Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "it is a number from 0 to 1".to_owned())
}

fn fault(text: &str) -> std::result::Result<Fault, String> {
    let names = || Fault::ALL.iter().map(|(name, _)| *name);
    Fault::named(text).ok_or_else(|| {
        let known: Vec<&str> = names().collect();
        did_you_mean(text, names(), &format!("it is one of {}", known.join(", ")))
    })
}

impl Sandbox {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let options = self.options()?;
        // An old one would tell a waiting script that this sandbox is ready.
        if let Some(path) = &self.ready_file {
            remove(path)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed("start the sandbox", &error))?;
        runtime.block_on(self.serve(options, terminal))
    }

    fn options(&self) -> Result<Options> {
        let population = match &self.org {
            None => Population::default(),
            Some(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|e| Error::unreadable("organisation", path, &e))?;
                Population::parse(&text, &path.to_string_lossy()).map_err(|error| {
                    Error::new(
                        ErrorKind::Configuration,
                        "read the organisation",
                        error.happened,
                        error.next,
                    )
                })?
            }
        };
        Ok(Options {
            population,
            seed: self.seed,
            latency: self.latency,
            fault_rate: self.fault_rate,
            faults: match self.faults.as_slice() {
                [] => Fault::USUAL.to_vec(),
                named => named.to_vec(),
            },
            limits: match self.limits {
                LimitsOption::Real => Limits::Real,
                LimitsOption::None => Limits::None,
            },
        })
    }

    async fn serve(&self, options: Options, terminal: Terminal) -> Result<ExitCode> {
        // Before anything listens, so that no signal after that is missed.
        let ended = ended().map_err(|error| failed("wait for the end", &error))?;
        let running = Running::start(options)
            .await
            .map_err(|error| failed("listen on 127.0.0.1", &error))?;
        match &self.ready_file {
            Some(path) => {
                atomic::write_private(path, running.environment().expose_secret().as_bytes())
                    .map_err(|error| {
                        let doing = format!("write the ready file `{}`", path.display());
                        match error.kind() {
                            io::ErrorKind::NotFound => Error::new(
                                ErrorKind::Usage,
                                doing,
                                "its folder is not there",
                                "make the folder, or name another file with --ready-file",
                            ),
                            _ => failed(&doing, &error),
                        }
                    })?;
            }
            None => terminal.note("the operator's credentials are written with --ready-file"),
        }
        // Last, so that a program that reads it finds the ready file.
        super::print(self.told(&running).as_bytes())?;
        let code = ended.await;
        if let Some(path) = &self.ready_file {
            remove(path)?;
        }
        Ok(code)
    }

    fn told(&self, running: &Running) -> String {
        let urls = running.urls();
        match self.format {
            Format::Json => {
                let document = serde_json::json!({
                    "schema": "pullpass.sandbox/1",
                    "urls": {
                        "hub": urls.hub,
                        "registry": urls.registry,
                        "circleci": urls.circleci,
                        "github": urls.github,
                        "sandbox": urls.sandbox,
                    },
                    "registry_host": urls.registry_host(),
                    "ready_file": self.ready_file,
                });
                format!("{document}\n")
            }
            Format::Human => {
                let mut text = String::from("The sandbox serves, until it is interrupted:\n");
                for (name, url) in [
                    ("Docker Hub", &urls.hub),
                    ("registry", &urls.registry),
                    ("CircleCI", &urls.circleci),
                    ("GitHub", &urls.github),
                ] {
                    let _ = writeln!(text, "  {name:<12} {url}");
                }
                for (name, path) in [
                    ("sign-up page", "signup"),
                    ("inbox", "inbox"),
                    ("state", "_sandbox/state"),
                    ("journal", "_sandbox/journal"),
                ] {
                    let _ = writeln!(text, "  {name:<12} {}/{path}", urls.sandbox);
                }
                text
            }
        }
    }
}

fn failed(doing: &str, error: &io::Error) -> Error {
    Error::new(
        ErrorKind::Outside,
        doing,
        in_words(error),
        "mend that, then run the command again",
    )
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(
            &format!("remove the ready file `{}`", path.display()),
            &error,
        )),
        _ => Ok(()),
    }
}

/// Ends when the sandbox is to end: interrupted by a person, or told to by a program.
#[cfg(unix)]
pub(super) fn ended() -> io::Result<impl Future<Output = ExitCode>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => ExitCode::Interrupted,
            _ = terminate.recv() => ExitCode::Done,
        }
    })
}

#[cfg(not(unix))]
pub(super) fn ended() -> io::Result<impl Future<Output = ExitCode>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        ExitCode::Interrupted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_has_a_unit() {
        assert_eq!(duration("80ms"), Ok(Duration::from_millis(80)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        for wrong in ["80", "-1s", "1h", "ms", "1e9s", "NaNs"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mistyped_fault_is_answered_with_the_nearest() {
        assert!(
            fault("lost-responce")
                .unwrap_err()
                .contains("did you mean `lost-response`?")
        );
        assert_eq!(fault("429"), Ok(Fault::TooManyRequests));
    }

    #[test]
    fn help_names_every_fault() {
        let mut command = crate::cli::command();
        let help = command
            .find_subcommand_mut("sandbox")
            .unwrap()
            .render_long_help()
            .to_string();
        let names: Vec<&str> = Fault::ALL.iter().map(|(name, _)| *name).collect();
        assert!(help.contains(&names.join(", ")), "{help}");
    }
}
