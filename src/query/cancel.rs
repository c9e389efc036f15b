//! Stopping a statement when its caller is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stops a statement when its query, or the reader of its rows, is dropped.
#[derive(Default)]
pub struct CancelOnDrop(Arc<AtomicBool>);

impl CancelOnDrop {
    /// A second one for the same statement.
    pub(super) fn another(&self) -> CancelOnDrop {
        CancelOnDrop(self.flag())
    }

    /// The flag that the statement checks.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Stops the statement.
    pub(super) fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.cancel();
    }
}
