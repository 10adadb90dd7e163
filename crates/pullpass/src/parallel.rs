//! Many things done side by side, and what comes of each handed on in order.
//!
//! ```text
//! items ─► next ─► thread ─┐
//!            └───► thread ─┴─► waiting, by number ─► in order ─► take
//!                    ▲                                            │
//!                    └── waits when it is too far ahead ◄─────────┘
//! ```
//!
//! Nobody waits for the slowest of a batch. There is no thread of its own that takes: whoever is done with
//! the result that is next in order takes it, and those that wait behind it, so that what was found is
//! handed on by the core that found it, and gone before its memory is cold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use rayon::ThreadPool;

/// Results that are not taken yet.
struct Waiting<T> {
    results: BTreeMap<usize, T>,
    /// How many were taken; `None` when no more are wanted.
    taken: Option<usize>,
}

/// Where results stand in line.
struct Line<T, F, E> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
    /// What takes them, and why it stopped.
    take: Mutex<(F, Option<E>)>,
}

impl<T, E, F: FnMut(T) -> Result<(), E>> Line<T, F, E> {
    fn new(take: F) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                results: BTreeMap::new(),
                taken: Some(0),
            }),
            changed: Condvar::new(),
            take: Mutex::new((take, None)),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nothing that can panic happens while it is locked.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `number` is less than `ahead` further than what was taken. `false` when no more are
    /// wanted.
    fn reach(&self, number: usize, ahead: usize) -> bool {
        let mut waiting = self.waiting();
        while waiting
            .taken
            .is_some_and(|taken| number.saturating_sub(taken) >= ahead)
        {
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.taken.is_some()
    }

    /// No more results are wanted.
    fn stop(&self) {
        self.waiting().taken = None;
        self.changed.notify_all();
    }

    /// The result that is next in order, once it is there.
    fn first(&self) -> Option<T> {
        let mut waiting = self.waiting();
        let next = waiting.taken?;
        waiting.results.remove(&next)
    }

    fn has_first(&self) -> bool {
        let waiting = self.waiting();
        let next = waiting.taken;
        next.is_some_and(|next| waiting.results.contains_key(&next))
    }

    /// Puts a result in line, and takes what is next in order unless another thread is at it.
    fn put(&self, number: usize, result: T) {
        self.waiting().results.insert(number, result);
        // Whoever takes looks again after it has let go, so no result is left to nobody.
        while self.has_first() {
            let mut take = match self.take.try_lock() {
                Ok(take) => take,
                Err(TryLockError::WouldBlock) => return,
                // It panicked, which whoever waits for the threads will hear of.
                Err(TryLockError::Poisoned(_)) => return self.stop(),
            };
            while let Some(result) = self.first() {
                if let Err(error) = (take.0)(result) {
                    take.1 = Some(error);
                    return self.stop();
                }
                if let Some(taken) = &mut self.waiting().taken {
                    *taken += 1;
                }
                self.changed.notify_all();
            }
        }
    }
}

/// Lets nobody wait for a result that will not come.
struct Ends<'l, T, E, F: FnMut(T) -> Result<(), E>>(&'l Line<T, F, E>);

impl<T, E, F: FnMut(T) -> Result<(), E>> Drop for Ends<'_, T, E, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Does `one` with every item on the threads of `pool`, and `take` with the results, one at a time and in
/// the order of the items. `ahead` results per thread may be waiting.
///
/// # Errors
/// The first that `take` gives; what is not begun by then is not done.
pub(crate) fn in_order<I: Sync, T: Send, E: Send>(
    pool: &ThreadPool,
    ahead: usize,
    items: &[I],
    one: impl Fn(&I) -> T + Sync,
    take: impl FnMut(T) -> Result<(), E> + Send,
) -> Result<(), E> {
    let threads = pool.current_num_threads();
    let next = AtomicUsize::new(0);
    let line = Line::new(take);
    let work = || {
        let _ends = Ends(&line);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                break;
            };
            if !line.reach(number, ahead * threads) {
                break;
            }
            line.put(number, one(item));
        }
    };
    pool.in_place_scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| work());
        }
    });
    // The scope has passed on what panicked.
    let (_, error) = line
        .take
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    error.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn pool() -> ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap()
    }

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        let items: Vec<u64> = (0..200).collect();
        let slow = |item: &u64| {
            // What comes first takes longest.
            let rounds = if item.is_multiple_of(7) { 200_000 } else { 10 };
            let sum = (0..rounds).fold(*item, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
            (*item, std::hint::black_box(sum))
        };
        let mut taken = Vec::new();
        let done: Result<(), ()> = in_order(&pool(), 2, &items, slow, |(item, _)| {
            taken.push(item);
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(taken, items);
    }

    #[test]
    fn nothing_is_begun_long_before_it_is_taken() {
        let items: Vec<usize> = (0..100).collect();
        let (begun, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let one = |_: &usize| {
            let begun = begun.fetch_add(1, Ordering::SeqCst) + 1;
            begun - taken.load(Ordering::SeqCst)
        };
        let done: Result<(), usize> = in_order(&pool(), 2, &items, one, |ahead| {
            taken.fetch_add(1, Ordering::SeqCst);
            // Three threads, two results each, and the one that is being taken.
            if ahead <= 7 { Ok(()) } else { Err(ahead) }
        });
        assert_eq!(done, Ok(()));
    }

    #[test]
    fn an_error_ends_it_and_a_panic_is_passed_on() {
        let items: Vec<usize> = (0..10_000).collect();
        let begun = AtomicUsize::new(0);
        let count = |item: &usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            *item
        };
        let fail = |item| if item == 5 { Err(item) } else { Ok(()) };
        assert_eq!(in_order(&pool(), 2, &items, count, fail), Err(5));
        assert!(begun.load(Ordering::SeqCst) < 100);
        let panics = |item: &usize| assert_ne!(*item, 5);
        let result = catch_unwind(AssertUnwindSafe(|| {
            in_order(&pool(), 2, &items, panics, |()| Ok::<(), ()>(()))
        }));
        assert!(result.is_err());
    }
}
