//! `pullpass plan`

use clap::Args;
use pullpass_engine::run::{Manner, Run};
use pullpass_fleet::file::Wish;

use super::{Fleetwide, Purpose, Selection, block_on, ended, outside_failed, share, summed_up};
use crate::error::Result;
use crate::exit::ExitCode;
use crate::terminal::Terminal;

/// Show what `apply` would do, and do nothing.
///
/// Reads the store's records, the CI systems and the organisation's members. No secret is read.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass plan
  pullpass plan shop --format json
  pullpass plan --detailed-exitcode || echo 'there is something to do'")]
pub(crate) struct Plan {
    #[command(flatten)]
    selection: Selection,

    /// Exit with 1 when there is something to do.
    #[arg(long)]
    detailed_exitcode: bool,
}

impl Plan {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let end = self.looked(terminal);
        summed_up(&self.selection, terminal, end)
    }

    fn looked(&self, terminal: Terminal) -> Result<ExitCode> {
        block_on(async {
            let whole = Fleetwide::open(&self.selection, terminal, Purpose::Look).await?;
            let watch = |event: &_| whole.teller.event(event);
            let manner = Manner {
                wish: Wish::default(),
                ..Manner::default()
            };
            let run = Run::new(&whole.fleet, &whole.outside, manner, &watch);
            let projects = whole.projects();
            let Some(ahead) = whole.unless_interrupted(run.look(&projects)).await? else {
                return Ok(ExitCode::Interrupted);
            };
            let ahead = ahead.map_err(outside_failed)?;
            let summary = whole.teller.plan(|| run.plan(&ahead));
            // Too many other changes are refused when somebody wants them done.
            if let Ok(held) = share::held(&whole.fleet, false, &ahead) {
                whole.tell_left(held.len());
            }
            whole.teller.summary(&summary)?;
            let to_do = summary.pending + summary.blocked;
            Ok(match ended(&summary) {
                ExitCode::ToActOn | ExitCode::Done => match self.detailed_exitcode && to_do > 0 {
                    true => ExitCode::ToActOn,
                    false => ExitCode::Done,
                },
                failed => failed,
            })
        })
    }
}
