//! What both benchmarks print.

use std::fmt::Write as _;
use std::time::Duration;

/// How often something was run, and how long each run took.
#[derive(Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// From at least one run.
    pub(crate) fn new(mut runs: Vec<Duration>) -> Self {
        runs.sort_unstable();
        Self(runs)
    }

    /// The run that half of the others are faster than.
    pub(crate) fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// Number of runs, minimum, median and maximum in milliseconds, in columns of a table.
    pub(crate) fn columns(&self) -> String {
        let mut out = format!("{:>5}", self.0.len());
        let ends =
            [self.0.first(), Some(&self.median()), self.0.last()].map(Option::<&Duration>::copied);
        for time in ends.into_iter().flatten() {
            let _ = write!(out, " {:>10.1}", time.as_secs_f64() * 1000.0);
        }
        out
    }

    /// The headings of [`Times::columns`].
    pub(crate) const HEADINGS: &str = " runs     min ms  median ms     max ms";
}

/// `cargo bench` says `--bench`. Anything else that runs a benchmark (`cargo test --all-targets`, a test
/// runner that asks it for its tests) does not want to wait for it.
pub(crate) fn is_wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
