//! `pullpass schedule`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use pullpass_fleet::desired::Target;
use pullpass_fleet::file::{Delivery, Fleet, StoreKind};

use super::Format;
use crate::commands::fleet::load;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;

mod ci;
mod machine;

/// Print a schedule that renews what is due, and checks what was handed out.
///
/// Runs `pullpass apply --yes`, which also finishes what an earlier run began, and `pullpass verify`. Names the secrets that this fleet needs, and no others.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass schedule github > .github/workflows/pullpass.yml
  pullpass schedule circleci > .circleci/config.yml
  pullpass schedule systemd --every 6h
  pullpass schedule cron")]
pub(crate) struct Schedule {
    /// What runs it.
    #[arg(value_enum, value_name = "WHERE")]
    place: Place,

    /// How often: 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d or 1w.
    #[arg(long, value_name = "TIME", value_parser = every, default_value = "1d")]
    every: Every,

    /// The fleet file [default: pullpass.toml here, or the nearest above].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Place {
    /// A workflow of GitHub Actions.
    Github,
    /// A configuration of CircleCI.
    Circleci,
    /// A service and a timer of systemd, for your own account.
    Systemd,
    /// Lines of a crontab.
    Cron,
}

/// How often. What divides a day or a week evenly is the same on every clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Every {
    /// So many hours: a divisor of 24, below it.
    Hours(u64),
    Day,
    Week,
}

/// Away from the full hour, at which everybody else's schedules begin.
const MINUTE: u32 = 17;
const HOUR: u32 = 4;

fn every(text: &str) -> std::result::Result<Every, String> {
    const HOUR: u64 = 3600;
    let time = pullpass_fleet::file::parse_duration(text)
        .ok()
        .and_then(|time| Duration::try_from(time).ok())
        .map(|time| time.as_secs());
    match time {
        Some(604_800) => Ok(Every::Week),
        Some(86_400) => Ok(Every::Day),
        Some(seconds)
            if seconds % HOUR == 0
                && (1..=12).contains(&(seconds / HOUR))
                && 24 % (seconds / HOUR) == 0 =>
        {
            Ok(Every::Hours(seconds / HOUR))
        }
        _ => Err("it is one of 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d, 1w".to_owned()),
    }
}

impl Every {
    /// The five fields of a crontab, which both CI systems take too.
    fn cron(self) -> String {
        match self {
            Self::Hours(1) => format!("{MINUTE} * * * *"),
            Self::Hours(hours) => format!("{MINUTE} */{hours} * * *"),
            Self::Day => format!("{MINUTE} {HOUR} * * *"),
            Self::Week => format!("{MINUTE} {HOUR} * * 1"),
        }
    }

    /// `OnCalendar` of systemd.
    fn calendar(self) -> String {
        match self {
            Self::Hours(1) => format!("*-*-* *:{MINUTE}:00"),
            Self::Hours(hours) => format!("*-*-* 00/{hours}:{MINUTE}:00"),
            Self::Day => format!("*-*-* {HOUR:02}:{MINUTE}:00"),
            Self::Week => format!("Mon *-*-* {HOUR:02}:{MINUTE}:00"),
        }
    }
}

/// A variable that a run needs, and what it must be able to do.
struct Need {
    name: &'static str,
    /// What it is called among a CI system's own: GitHub keeps the prefix GITHUB_ for itself.
    kept_as: &'static str,
    what: String,
    /// Anybody may see it.
    plain: bool,
}

/// What a fleet needs.
struct Needs {
    variables: Vec<Need>,
    on_aws: bool,
}

impl Needs {
    fn of(fleet: &Fleet, file_key: Option<&str>) -> Self {
        let mut variables = Vec::new();
        let mut add = |name, kept_as, what: String, plain| {
            variables.push(Need {
                name,
                kept_as,
                what,
                plain,
            });
        };
        let organization = &fleet.hub.organization;
        let owner = format!("an owner of {organization} at Docker Hub");
        add("PULLPASS_HUB_USER", "PULLPASS_HUB_USER", owner, false);
        let secret = "its password".to_owned();
        add("PULLPASS_HUB_SECRET", "PULLPASS_HUB_SECRET", secret, false);
        let places = |is_there: fn(&Target) -> bool| -> Vec<&str> {
            fleet
                .projects
                .iter()
                .filter(|project| project.delivery == Delivery::Direct)
                .filter(|project| project.targets.iter().any(is_there))
                .map(|project| project.name.as_str())
                .collect()
        };
        let pipelines: Vec<&str> = fleet
            .projects
            .iter()
            .filter_map(|project| match &project.delivery {
                Delivery::Terraform { pipeline, .. } => Some(pipeline.as_str()),
                Delivery::Direct => None,
            })
            .collect();
        let circleci = places(|target| *target == Target::CircleCi);
        let runs_on_circleci = |slug: &&str| slug.split('/').count() == 3;
        if !circleci.is_empty() || pipelines.iter().any(runs_on_circleci) {
            let what = "a personal API token of CircleCI, of somebody who may change the projects' variables";
            add(
                "CIRCLECI_TOKEN",
                "PULLPASS_CIRCLECI_TOKEN",
                what.to_owned(),
                false,
            );
        }
        let github = places(|target| *target != Target::CircleCi);
        if !github.is_empty() || pipelines.iter().any(|slug| !runs_on_circleci(slug)) {
            let what = format!(
                "a fine-grained token of GitHub for {}: read and write \"Secrets\", no more",
                some(&github)
            );
            add("GH_TOKEN", "PULLPASS_GITHUB_TOKEN", what, false);
        }
        let uses = |kind| fleet.projects.iter().any(|project| project.store == kind);
        if uses(StoreKind::Vault) {
            add(
                "VAULT_ADDR",
                "VAULT_ADDR",
                "where Vault is".to_owned(),
                true,
            );
            let path = &fleet.store.vault;
            let what = format!(
                "a token of Vault that may read and write {}/{}",
                path.mount, path.path
            );
            add("VAULT_TOKEN", "PULLPASS_VAULT_TOKEN", what, false);
        }
        if let (true, Some(key)) = (uses(StoreKind::File), file_key) {
            add(
                "PULLPASS_STORE_IDENTITY",
                "PULLPASS_STORE_IDENTITY",
                key.to_owned(),
                false,
            );
        }
        Self {
            variables,
            on_aws: uses(StoreKind::Aws),
        }
    }
}

/// Some names, and how many more there are.
fn some(names: &[&str]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<&str> = names.iter().take(SHOWN).copied().collect();
    match names.len() {
        0 => "the repository of the pipeline".to_owned(),
        count if count > SHOWN => format!("{} and {} more", shown.join(", "), count - SHOWN),
        _ => shown.join(", "),
    }
}

impl Schedule {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (fleet, folder) = load::fleet(self.config.as_deref())?;
        let text = match self.place {
            Place::Github => {
                refuse_file_store(&fleet)?;
                ci::github(&Needs::of(&fleet, None), &fleet, self.every)
            }
            Place::Circleci => {
                refuse_file_store(&fleet)?;
                ci::circleci(&Needs::of(&fleet, None), self.every)
            }
            Place::Systemd | Place::Cron => {
                let key =
                    "the file with the key that opens the store, where it is not the usual one";
                let needs = Needs::of(&fleet, Some(key));
                let folder = folder
                    .canonicalize()
                    .map_err(|error| Error::unreadable("folder", &folder, &error))?;
                let program = program()?;
                let (folder, program) = (shown(&folder)?, shown(&program)?);
                match self.place {
                    Place::Systemd => machine::systemd(&needs, folder, program, self.every),
                    _ => machine::cron(&needs, folder, program, self.every),
                }
            }
        };
        self.format.print_text("schedule", &text)
    }
}

/// A runner's disk is gone with the run, and with it a token that was kept there alone.
fn refuse_file_store(fleet: &Fleet) -> Result<()> {
    let in_file = fleet
        .projects
        .iter()
        .find(|project| project.store == StoreKind::File);
    match in_file {
        None => Ok(()),
        Some(project) => Err(Error::new(
            ErrorKind::Configuration,
            "print a schedule for a CI system",
            format!(
                "project `{}` keeps its secrets in a file, which is gone with the runner",
                project.name
            ),
            "set `store = \"aws\"` or `\"vault\"`, or let a machine of yours do it: pullpass schedule systemd",
        )),
    }
}

/// This program by the path that it was called by: a link to it outlives what it leads to now.
fn program() -> Result<PathBuf> {
    let real = std::env::current_exe()
        .map_err(|error| Error::unreadable("program", Path::new("pullpass"), &error))?;
    let called = std::env::args_os().next().map(PathBuf::from);
    let found = called.and_then(|called| match called.components().count() {
        1 => std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join(&called))
            .find(|path| path.is_file()),
        _ => Some(called),
    });
    let absolute = found.and_then(|path| std::path::absolute(path).ok());
    let is_it = |path: &PathBuf| match (path.canonicalize(), real.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    Ok(absolute.filter(is_it).unwrap_or(real))
}

fn shown(path: &Path) -> Result<&str> {
    path.to_str()
        .filter(|text| !text.contains('\n'))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("write `{}` into a schedule", path.display()),
                "its name is not plain text",
                "rename it",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_divides_a_day_or_a_week_can_be_scheduled() {
        for (text, cron, calendar) in [
            ("1h", "17 * * * *", "*-*-* *:17:00"),
            ("6h", "17 */6 * * *", "*-*-* 00/6:17:00"),
            ("12h", "17 */12 * * *", "*-*-* 00/12:17:00"),
            ("1d", "17 4 * * *", "*-*-* 04:17:00"),
            ("24h", "17 4 * * *", "*-*-* 04:17:00"),
            ("1w", "17 4 * * 1", "Mon *-*-* 04:17:00"),
        ] {
            let every = every(text).unwrap();
            assert_eq!(
                (every.cron().as_str(), every.calendar().as_str()),
                (cron, calendar)
            );
        }
        for wrong in ["", "1", "5h", "90m", "0h", "2d", "30s"] {
            assert!(every(wrong).is_err(), "{wrong}");
        }
    }
}
