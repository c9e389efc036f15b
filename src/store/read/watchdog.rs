//! Stops a running statement when it is cancelled, passes its deadline or uses too much memory.

use std::sync::Arc;

use super::{ReadError, ReadLimits};
use crate::memory::OverBudget;
use crate::store::meter::{Meter, StopReason};

/// Watches the statement that this thread prepares and runs, until it is dropped.
pub(super) struct Watchdog {
    meter: Meter,
}

impl Watchdog {
    /// Starts watching the guarded connections of this thread.
    pub fn start(limits: &ReadLimits) -> Watchdog {
        let cancelled = Arc::clone(&limits.cancelled);
        Watchdog { meter: Meter::start(limits.deadline, cancelled, limits.max_memory) }
    }

    /// Stops watching. Returns the error if the watchdog stopped the statement.
    pub fn finish(self) -> Option<ReadError> {
        self.meter.stopped().map(|reason| match reason {
            StopReason::Deadline => ReadError::Timeout,
            StopReason::Cancelled => ReadError::Cancelled,
            StopReason::Memory(OverBudget::Own) => {
                ReadError::TooLarge("it needs more memory than the limit query_max_memory")
            }
            StopReason::Memory(OverBudget::Process) => ReadError::MemoryInUse,
        })
    }
}
