//! How far a run is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Fewer projects than this are told of one by one, and that is progress enough.
const FEW: usize = 3;

/// A bar on standard error, if that is a terminal.
#[derive(Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// One that is not shown.
    pub(super) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Of a run of so many projects.
    pub(super) fn of(projects: usize) -> Self {
        if projects < FEW {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(
            Some(projects as u64),
            ProgressDrawTarget::stderr_with_hz(5),
        );
        // Without a style of its own it has its default one.
        if let Ok(style) =
            ProgressStyle::with_template("{wide_bar} {pos} of {len} projects, {elapsed}")
        {
            bar.set_style(style.progress_chars("━━ "));
        }
        Self(bar)
    }

    /// Prints something above it.
    pub(super) fn above(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Does the work, and shows how far it is until it is done.
    pub(super) async fn during<T>(
        &self,
        ended: impl Fn() -> usize,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                () = tokio::time::sleep(TICK) => self.0.set_position(ended() as u64),
            }
        };
        self.0.finish_and_clear();
        done
    }
}
