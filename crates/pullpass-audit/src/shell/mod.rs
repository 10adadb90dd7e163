//! stub
pub mod syntax;
use crate::run::JobRun;
use crate::text::Mapped;
/// x
pub fn run_script(run: &mut JobRun<'_>, script: &Mapped) { let _ = (run, script); }
