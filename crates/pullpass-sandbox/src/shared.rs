//! What all connections share: the world behind one lock that is never held while waiting, and what
//! surrounds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::faults::Faults;
use crate::http::{Place, Urls};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::runner;
use crate::vendor::Vendor;
use crate::world::World;

/// The time of the world: the machine's, moved or stopped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(crate) moved: SignedDuration,
    pub(crate) stopped: Option<Timestamp>,
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        let base = self.stopped.unwrap_or_else(Timestamp::now);
        base.saturating_add(self.moved).unwrap_or(base)
    }
}

/// The world, and how it was before the last change when that is wanted.
struct Worlds {
    now: World,
    before: Option<World>,
}

pub(crate) struct Shared {
    worlds: Mutex<Worlds>,
    clock: Mutex<Clock>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) limits: Mutex<Limits>,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) urls: Urls,
    /// What every request waits before it is answered.
    pub(crate) latency: Duration,
    /// Limits are enforced.
    pub(crate) limited: bool,
    /// How many connections a vendor that crashed still turns away.
    down: Mutex<HashMap<Vendor, u32>>,
    /// Connections end when this changes: the vendor that crashed, and how often one has.
    pub(crate) crashes: watch::Sender<(Option<Vendor>, u64)>,
}

/// A lock whose holder panicked is taken all the same: the world is changed by whole requests, and
/// the sandbox is to go on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        world: World,
        faults: Faults,
        urls: Urls,
        latency: Duration,
        limited: bool,
    ) -> Self {
        Self {
            worlds: Mutex::new(Worlds {
                now: world,
                before: None,
            }),
            clock: Mutex::default(),
            faults: Mutex::new(faults),
            limits: Mutex::default(),
            journal: Mutex::default(),
            urls,
            latency,
            limited,
            down: Mutex::default(),
            crashes: watch::Sender::new((None, 0)),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        lock(&self.clock).now()
    }

    pub(crate) fn set_clock(&self, change: impl FnOnce(&mut Clock)) -> Timestamp {
        let mut clock = lock(&self.clock);
        change(&mut clock);
        clock.now()
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            now: self.now(),
            urls: self.urls.clone(),
            limited: self.limited,
        }
    }

    /// Looks at the world.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&World, Timestamp) -> T) -> T {
        let now = self.now();
        look(&lock(&self.worlds).now, now)
    }

    /// Changes the world.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let now = self.now();
        change(&mut lock(&self.worlds).now, now)
    }

    /// The same, with the world before it kept for stale reads.
    pub(crate) fn change_and_keep<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut worlds = lock(&self.worlds);
        worlds.before = Some(worlds.now.clone());
        change(&mut worlds.now)
    }

    /// Reads from the world before the last change. What such a read changes is lost.
    pub(crate) fn read_the_past<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut worlds = lock(&self.worlds);
        match &mut worlds.before {
            Some(before) => look(before),
            None => look(&mut worlds.now),
        }
    }

    /// Sends runners to the builds that wait.
    pub(crate) fn run_builds(self: &Arc<Self>) {
        let waiting = self.change(|world, _| std::mem::take(&mut world.builds.waiting));
        for build in waiting {
            tokio::spawn(runner::run(Arc::clone(self), build));
        }
    }

    /// Takes a vendor down, with all its connections, until so many more were turned away.
    pub(crate) fn crash(&self, vendor: Vendor, turned_away: u32) {
        lock(&self.down).insert(vendor, turned_away);
        self.crashes.send_modify(|crash| {
            *crash = (Some(vendor), crash.1 + 1);
        });
    }

    /// Whether a new connection to the vendor is turned away.
    pub(crate) fn turns_away(&self, vendor: Vendor) -> bool {
        let mut down = lock(&self.down);
        let left = down.get(&vendor).copied().unwrap_or(0);
        down.insert(vendor, left.saturating_sub(1));
        left > 0
    }
}
