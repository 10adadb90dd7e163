//! `pullpass revoke`

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use pullpass_engine::run::Manner;
use pullpass_fleet::desired::Leak;
use pullpass_fleet::file::Wish;

use super::{Doing, Selection, duration, summed_up, work};
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Answer a leak, in order of harm.
///
/// Every token of the project is deactivated first, then a new one is minted, proven and delivered. Builds fail in between, a matter of seconds; with --keep-builds-running the new one is delivered first, and the old one ends right after.
#[derive(Args, Debug)]
#[command(mut_arg("projects", |projects| projects.help("The projects whose credential leaked: name them, or say --everything")), after_help = "\
Examples:
  pullpass revoke shop
  pullpass revoke shop --keep-builds-running
  pullpass revoke --everything          the day on which a CI vendor tells everybody to rotate")]
pub(crate) struct Revoke {
    #[command(flatten)]
    selection: Selection,

    /// Every project of the fleet.
    #[arg(long)]
    everything: bool,

    /// Deliver the new token before the old one ends.
    #[arg(long)]
    keep_builds_running: bool,

    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    /// Stay until the old tokens are gone, at most this long: 8h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
}

impl Revoke {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let selection = &self.selection;
        let doing = match self.doing() {
            Ok(doing) => doing,
            Err(error) => return summed_up(selection, terminal, Err(error)),
        };
        work(selection, terminal, doing, |_| true)
    }

    fn doing(&self) -> Result<Doing> {
        if self.selection.projects.is_empty() != self.everything {
            let (happened, next) = match self.everything {
                true => (
                    "projects are named, and --everything too",
                    "leave one of them out",
                ),
                false => (
                    "no project is named",
                    "name it, or say --everything for the whole fleet",
                ),
            };
            return Err(Error::new(ErrorKind::Usage, "revoke", happened, next));
        }
        Ok(Doing {
            manner: Manner {
                wish: Wish {
                    leak: Some(Leak {
                        minted_before: Timestamp::now(),
                        keep_builds_running: self.keep_builds_running,
                    }),
                    thorough: true,
                    ..Wish::default()
                },
                wait: self.wait,
                ..Manner::default()
            },
            yes: self.yes,
            // Named, or said to be everything: it is what the person wants.
            allow_large: true,
            dry_run: self.dry_run,
        })
    }
}
