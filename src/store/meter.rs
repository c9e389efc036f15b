//! Charges time and memory to the statement that runs on a thread.
//!
//! SQLite runs a statement on one thread, from its preparation to its end. While it runs, three
//! places check its limits: the [`allocator`](super::allocator), the progress handler, and SQL
//! functions over long texts. The first limit that is reached stays the reason for the stop: from
//! then on, every allocation and every check fails, and SQLite unwinds.
//!
//! Memory that SQLite frees on the thread is subtracted, so the meter counts the statement's net
//! use. Pages that an earlier statement left in the connection's cache may be freed as well. They
//! are bounded by the size of the cache.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::memory::{Charge, OverBudget, trim_after};

/// Allocations between two looks at the clock. In the meantime, SQLite runs well under a
/// millisecond unless it works on long texts, which count extra.
const ALLOCATIONS_BETWEEN_CHECKS: u32 = 256;

/// Bytes of text between two looks at the clock.
const BYTES_BETWEEN_CHECKS: usize = 1 << 20;

/// The step in which a statement takes memory from the process's budget, in bytes.
const CHUNK: usize = 1 << 20;

/// The reason why a statement stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    /// The deadline passed.
    Deadline,
    /// Another thread cancelled the statement.
    Cancelled,
    /// A memory limit.
    Memory(OverBudget),
}

/// The limits of a running statement.
struct Limits {
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
    charge: Charge,
}

/// The part of the meter that every allocation reads.
struct Counters {
    is_running: Cell<bool>,
    /// Net bytes since the start.
    used: Cell<i64>,
    /// Bytes that are charged already, a multiple of [`CHUNK`].
    charged: Cell<i64>,
    /// Allocations until the next look at the clock.
    allocations_left: Cell<u32>,
    /// Bytes of text since the last look at the clock.
    text: Cell<usize>,
    stopped: Cell<Option<StopReason>>,
}

thread_local! {
    static COUNTERS: Counters = const {
        Counters {
            is_running: Cell::new(false),
            used: Cell::new(0),
            charged: Cell::new(0),
            allocations_left: Cell::new(0),
            text: Cell::new(0),
            stopped: Cell::new(None),
        }
    };
    static LIMITS: RefCell<Option<Limits>> = const { RefCell::new(None) };
}

/// The meter of this thread, running until it is dropped.
pub(super) struct Meter {
    /// The limits belong to this thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Meter {
    /// Starts the meter of this thread. It may use `max_memory` bytes.
    pub fn start(deadline: Instant, cancelled: Arc<AtomicBool>, max_memory: usize) -> Meter {
        LIMITS.set(Some(Limits { deadline, cancelled, charge: Charge::new(max_memory) }));
        COUNTERS.with(|counters| {
            counters.used.set(0);
            counters.charged.set(0);
            counters.allocations_left.set(ALLOCATIONS_BETWEEN_CHECKS);
            counters.text.set(0);
            counters.stopped.set(None);
            counters.is_running.set(true);
        });
        Meter { _not_send: std::marker::PhantomData }
    }

    /// The reason why the statement was stopped, if it was.
    pub fn stopped(&self) -> Option<StopReason> {
        COUNTERS.with(|counters| counters.stopped.get())
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        COUNTERS.with(|counters| counters.is_running.set(false));
        if let Some(limits) = LIMITS.take() {
            let peak = limits.charge.bytes();
            drop(limits);
            trim_after(peak);
        }
    }
}

/// Whether a statement runs on this thread.
pub(super) fn is_running() -> bool {
    COUNTERS.with(|counters| counters.is_running.get())
}

/// Charges an allocation of `bytes`. Returns false if it must fail.
#[inline]
pub(super) fn allocate(bytes: usize) -> bool {
    COUNTERS.with(|counters| {
        if !counters.is_running.get() {
            return true;
        }
        let used = counters.used.get() + bytes as i64;
        let left = counters.allocations_left.get();
        if used > counters.charged.get() || left == 0 || counters.stopped.get().is_some() {
            return counters.allocate_slowly(bytes);
        }
        counters.allocations_left.set(left - 1);
        counters.used.set(used);
        true
    })
}

/// Subtracts an allocation of `bytes`.
#[inline]
pub(super) fn free(bytes: usize) {
    COUNTERS.with(|counters| {
        if counters.is_running.get() {
            counters.used.set(counters.used.get() - bytes as i64);
        }
    });
}

/// Gives the statement on this thread `more` time, for example the time in which it waited for the
/// receiver of its rows.
pub(super) fn extend_deadline(more: Duration) {
    LIMITS.with_borrow_mut(|limits| {
        if let Some(limits) = limits {
            limits.deadline += more;
        }
    });
}

/// Whether the statement on this thread must stop. Looks at the clock.
pub(super) fn must_stop() -> bool {
    COUNTERS.with(|counters| counters.is_running.get() && counters.check().is_some())
}

/// Counts work on `bytes` of text, and returns whether the statement on this thread must stop.
/// Looks at the clock once per megabyte.
pub(super) fn must_stop_after(bytes: usize) -> bool {
    COUNTERS.with(|counters| {
        let text = counters.text.get().saturating_add(bytes);
        counters.text.set(text);
        text >= BYTES_BETWEEN_CHECKS && must_stop()
    })
}

impl Counters {
    #[cold]
    fn allocate_slowly(&self, bytes: usize) -> bool {
        if self.check().is_some() {
            return false;
        }
        let used = self.used.get() + bytes as i64;
        let missing = used - self.charged.get();
        if missing > 0 {
            let more = (missing as usize).next_multiple_of(CHUNK);
            let added = LIMITS.with_borrow_mut(|limits| match limits {
                Some(limits) => limits.charge.add(more),
                None => Ok(()),
            });
            if let Err(over) = added {
                self.stopped.set(Some(StopReason::Memory(over)));
                return false;
            }
            self.charged.set(self.charged.get() + more as i64);
        }
        self.used.set(used);
        true
    }

    /// Looks at the clock and at the cancellation. The first reason stays.
    fn check(&self) -> Option<StopReason> {
        self.allocations_left.set(ALLOCATIONS_BETWEEN_CHECKS);
        self.text.set(0);
        if self.stopped.get().is_none() {
            let reason = LIMITS.with_borrow(|limits| {
                let limits = limits.as_ref()?;
                if limits.cancelled.load(Ordering::Relaxed) {
                    Some(StopReason::Cancelled)
                } else if Instant::now() >= limits.deadline {
                    Some(StopReason::Deadline)
                } else {
                    None
                }
            });
            self.stopped.set(reason);
        }
        self.stopped.get()
    }
}
