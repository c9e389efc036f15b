//! Stops a running statement when it is cancelled, passes its deadline or uses too much memory.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};

use super::{ReadError, ReadLimits};
use crate::store::functions::{self, StopCheck};

/// SQLite instructions between two checks. They take well under a millisecond.
const INSTRUCTIONS_BETWEEN_CHECKS: i32 = 1_000;

/// Maximum growth of SQLite's memory in this process since the statement started, in bytes. Each
/// running statement raises the maximum by this amount.
///
/// Readers keep temporary tables and sorted rows in memory, so health data never reaches a
/// temporary file, and no statement can fill a disk.
const MAX_MEMORY: i64 = 256 << 20;

/// Minimum age of a statement that is stopped for memory. Above twice the limit, age does not
/// matter.
///
/// SQLite counts memory for the whole process, not per statement. Statements that use a lot of
/// memory run long, so this protects the quick statements of other panels.
const MEMORY_GRACE_PERIOD: Duration = Duration::from_millis(250);

/// Number of running statements in this process.
static RUNNING: AtomicI64 = AtomicI64::new(0);

/// The reason why the watchdog stopped a statement.
#[derive(Clone, Copy, Debug)]
enum StopReason {
    Deadline,
    Cancelled,
    Memory,
}

/// Watches the running statement of one connection. Counts in [`RUNNING`] until it is dropped.
pub(super) struct Watchdog {
    stopped: Arc<OnceLock<StopReason>>,
}

impl Watchdog {
    /// Starts watching `connection`. SQL functions on this thread check the same limits.
    pub fn start(connection: &mut Connection, limits: &ReadLimits) -> rusqlite::Result<Watchdog> {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        let watchdog = Watchdog { stopped: Arc::default() };
        let usage = Usage {
            deadline: limits.deadline,
            cancelled: Arc::clone(&limits.cancelled),
            started: Instant::now(),
            memory_at_start: memory_used(),
        };
        let stopped = Arc::clone(&watchdog.stopped);
        let check: Arc<StopCheck> = Arc::new(move || match usage.stop_reason() {
            Some(reason) => {
                stopped.get_or_init(|| reason);
                true
            }
            None => false,
        });
        functions::set_stop_check(&check);
        connection.progress_handler(INSTRUCTIONS_BETWEEN_CHECKS, Some(move || check()))?;
        Ok(watchdog)
    }

    /// Stops watching. Returns the error if the watchdog stopped the statement.
    pub fn finish(self, connection: &mut Connection) -> rusqlite::Result<Option<ReadError>> {
        connection.progress_handler(0, None::<fn() -> bool>)?;
        Ok(self.stopped.get().map(|reason| match reason {
            StopReason::Deadline => ReadError::Timeout,
            StopReason::Cancelled => ReadError::Cancelled,
            StopReason::Memory => {
                ReadError::TooLarge("sorting or grouping its rows needs too much memory")
            }
        }))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The limits of a statement, and the state of the process when it started.
struct Usage {
    deadline: Instant,
    cancelled: Arc<AtomicBool>,
    started: Instant,
    memory_at_start: i64,
}

impl Usage {
    fn stop_reason(&self) -> Option<StopReason> {
        if self.cancelled.load(Ordering::Relaxed) {
            Some(StopReason::Cancelled)
        } else if Instant::now() >= self.deadline {
            Some(StopReason::Deadline)
        } else if self.exceeds_memory() {
            Some(StopReason::Memory)
        } else {
            None
        }
    }

    fn exceeds_memory(&self) -> bool {
        let used = memory_used() - self.memory_at_start;
        let limit = MAX_MEMORY * RUNNING.load(Ordering::Relaxed).max(1);
        used > 2 * limit || (used > limit && self.started.elapsed() > MEMORY_GRACE_PERIOD)
    }
}

/// SQLite's memory in this process, in bytes.
fn memory_used() -> i64 {
    // SAFETY: the function takes no arguments and is safe to call from any thread at any time.
    unsafe { ffi::sqlite3_memory_used() }
}
