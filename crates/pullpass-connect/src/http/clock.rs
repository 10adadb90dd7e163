//! Time and chance, which come from outside so that no test has to wait for either.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

/// Time, and the dice.
pub trait Clock {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>>;

    /// A number from 0 to 1, so that not everybody comes back at the same moment.
    fn dice(&self) -> f64;
}

/// Those of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(tokio::time::sleep(time))
    }

    fn dice(&self) -> f64 {
        // The standard library keys each of its hash tables with the system's randomness.
        let drawn = RandomState::new().build_hasher().finish() >> 32;
        drawn as f64 / f64::from(u32::MAX)
    }
}
