//! The memory of a result while it becomes frames: each copy of it counts towards the process's
//! limit before it is made.

use super::{FrameError, MAX_OVERRUN};
use crate::memory::Charge;

/// The copies of one result. Dropping it releases them.
pub struct FrameBudget {
    /// Maximum size of the result, in bytes.
    limit: usize,
    charge: Charge,
}

impl FrameBudget {
    /// A budget for a result of at most `limit` bytes.
    pub fn new(limit: usize) -> FrameBudget {
        FrameBudget { limit, charge: Charge::new(usize::MAX) }
    }

    /// Charges one copy of `bytes`. Fails for one beyond the limit of the result, and if other
    /// queries use the memory of the process.
    pub fn take(&mut self, bytes: usize) -> Result<(), FrameError> {
        if bytes > self.limit.saturating_add(MAX_OVERRUN) {
            return Err(FrameError::TooLarge(self.limit));
        }
        self.charge.add(bytes).map_err(|_| FrameError::MemoryInUse)
    }
}
