//! `pullpass apply`

use std::time::Duration;

use clap::Args;
use pullpass_engine::run::Manner;
use pullpass_fleet::file::Wish;

use super::{Doing, Selection, duration, work};
use crate::error::Result;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Give every project its pass, and keep it as the fleet file says.
///
/// Plans, asks on a terminal, does it, and sums up. A run that is interrupted or killed is continued by the next one, on any machine; two at once do each other no harm.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass apply
  pullpass apply shop website --yes
  pullpass apply --wait 8h              stay until old tokens are retired")]
pub(crate) struct Apply {
    #[command(flatten)]
    selection: Selection,

    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    /// Change more than the usual share of the fleet.
    #[arg(long)]
    allow_large: bool,

    /// Stay until nothing is waited for any more, at most this long: 15m, 8h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<Duration>,
}

impl Apply {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let doing = Doing {
            manner: Manner {
                wish: Wish {
                    thorough: true,
                    ..Wish::default()
                },
                wait: self.wait,
                ..Manner::default()
            },
            yes: self.yes,
            allow_large: self.allow_large,
            dry_run: false,
        };
        work(&self.selection, terminal, doing, |_| true)
    }
}
