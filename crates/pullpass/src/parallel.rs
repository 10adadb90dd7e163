//! Many things done side by side, and what comes of each handed on in order.
//!
//! ```text
//! items ─► next ─► thread ─┐
//!            └───► thread ─┴─► (number, result) ─► in order ─► take
//!                    ▲                                          │
//!                    └── waits when it is too far ahead ◄───────┘
//! ```
//!
//! Nobody waits for the slowest of a batch, and what was found is gone before its memory is cold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

/// How many results were taken; `usize::MAX` when no more are wanted.
#[derive(Default)]
struct Taken {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Taken {
    fn count(&self) -> MutexGuard<'_, usize> {
        // A number is never half changed.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, count: usize) {
        *self.count() = count;
        self.changed.notify_all();
    }

    /// Waits until `number` is less than `ahead` further. `false` when no more are wanted.
    fn reach(&self, number: usize, ahead: usize) -> bool {
        let mut count = self.count();
        while *count != usize::MAX && number - *count >= ahead {
            count = self
                .changed
                .wait(count)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *count != usize::MAX
    }
}

/// Lets nobody wait for a result that will not come.
struct Ends<'t>(&'t Taken);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set(usize::MAX);
        }
    }
}

/// Does `one` with every item on the threads of `pool`, and `take` with the results on this thread, in the
/// order of the items. `ahead` results per thread may be waiting.
///
/// # Errors
/// The first that `take` gives; what is not begun by then is not done.
pub(crate) fn in_order<I: Sync, T: Send, E>(
    pool: &ThreadPool,
    ahead: usize,
    items: &[I],
    one: impl Fn(&I) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = pool.current_num_threads();
    let next = AtomicUsize::new(0);
    let taken = Taken::default();
    let (send, receive) = mpsc::channel();
    let work = |send: mpsc::Sender<(usize, T)>| {
        let _ends = Ends(&taken);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else {
                break;
            };
            if !taken.reach(number, ahead * threads) || send.send((number, one(item))).is_err() {
                break;
            }
        }
    };
    pool.in_place_scope(|scope| {
        for _ in 0..threads {
            let send = send.clone();
            scope.spawn(|_| work(send));
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut count = 0;
        for (number, result) in receive {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&count) {
                count += 1;
                if let Err(error) = take(result) {
                    taken.set(usize::MAX);
                    return Err(error);
                }
            }
            taken.set(count);
        }
        Ok(())
    })
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
