//! Mutexes whose holders leave nothing half done.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for `mutex`. That somebody panicked while holding it means nothing: each change made under one here is whole at once, or rolled
/// back.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
