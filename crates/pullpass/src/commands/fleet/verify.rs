//! `pullpass verify`

use clap::Args;
use pullpass_engine::verify::verify;

use super::{Fleetwide, Purpose, Selection, block_on, ended, summed_up};
use crate::error::Result;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Check that what was handed out still holds. Changes nothing.
///
/// For each project: the stored credential pulls and may not push, its Docker ID is a plain Member of one team, its token is alive and young enough, every target holds it, and nobody else does. Exit code 1 when something does not hold, so that a monitor can run it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass verify
  pullpass verify shop --limits
  pullpass verify --format json | jq 'select(.status == \"failed\")'")]
pub(crate) struct Verify {
    #[command(flatten)]
    selection: Selection,

    /// Also show how many pulls each identity has left.
    #[arg(long)]
    limits: bool,
}

impl Verify {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let end = self.looked(terminal);
        summed_up(&self.selection, terminal, end)
    }

    fn looked(&self, terminal: Terminal) -> Result<ExitCode> {
        block_on(async {
            let whole = Fleetwide::open(&self.selection, terminal, Purpose::Work).await?;
            let watch = |event: &_| whole.teller.check(event);
            let projects = whole.projects();
            let checks = verify(&whole.fleet, &whole.outside, &projects, self.limits, &watch);
            let Some(summary) = whole.unless_interrupted(checks).await? else {
                return Ok(ExitCode::Interrupted);
            };
            whole.teller.summary(&summary)?;
            Ok(ended(&summary))
        })
    }
}
