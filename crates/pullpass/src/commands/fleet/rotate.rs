//! `pullpass rotate`

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use pullpass_engine::run::Manner;
use pullpass_fleet::file::Wish;

use super::{Doing, Selection, duration, summed_up, work};
use crate::error::{Error, ErrorKind, Result};
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Renew tokens: overlap, never a gap.
///
/// A new token is minted, kept as pending, proven with the registry, delivered to every target and made the current one; the old one is deactivated when no build can still use it, and later deleted. Without names or a time, those are renewed that are due by the fleet file.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass rotate                       what is due
  pullpass rotate shop                  this one, now
  pullpass rotate --older-than 30d
  pullpass rotate --all --allow-large --wait 8h
  pullpass rotate --dry-run")]
pub(crate) struct Rotate {
    #[command(flatten)]
    selection: Selection,

    /// Renew what is older than this: 30d.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "all")]
    older_than: Option<Duration>,

    /// Renew all.
    #[arg(long, conflicts_with = "projects")]
    all: bool,

    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    /// Change more than the usual share of the fleet.
    #[arg(long)]
    allow_large: bool,

    /// Stay until the old tokens are gone, at most this long: 8h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
}

impl Rotate {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let doing = match self.doing() {
            Ok(doing) => doing,
            Err(error) => return summed_up(&self.selection, terminal, Err(error)),
        };
        // A project that was never given a pass is `apply`'s.
        work(&self.selection, terminal, doing, |ahead| {
            ahead.has_credential()
        })
    }

    fn doing(&self) -> Result<Doing> {
        let now = Timestamp::now();
        let named = !self.selection.projects.is_empty();
        let renew_minted_before = match self.older_than {
            Some(age) => Some(before(now, age)?),
            None if self.all || named => Some(now),
            None => None,
        };
        Ok(Doing {
            manner: Manner {
                wish: Wish {
                    renew_minted_before,
                    // What an earlier run left is finished.
                    thorough: true,
                    goes_on: self.all,
                    leak: None,
                },
                wait: self.wait,
                ..Manner::default()
            },
            yes: self.yes,
            allow_large: self.allow_large,
            dry_run: self.dry_run,
        })
    }
}

fn before(now: Timestamp, age: Duration) -> Result<Timestamp> {
    SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.saturating_sub(age).ok())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                "understand `--older-than`",
                "it is too long",
                "write it as 30d",
            )
        })
}
