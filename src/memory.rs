//! Memory of requests: every holder of many bytes has a limit of its own, and all holders together
//! share the process's.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The part of each charge that does not count towards the process's limit, in bytes. It is enough
/// for an ordinary query, so a neighbour's large query never makes one fail.
const UNSHARED: usize = 16 << 20;

/// Charges of at least this size make the allocator return memory to the system when they end.
const LARGE: usize = 32 << 20;

/// The default of [`set_process_limit`], in bytes.
const DEFAULT_PROCESS_LIMIT: usize = 1 << 30;

/// The maximum for all charges of the process beyond their unshared parts, in bytes.
static PROCESS_LIMIT: AtomicUsize = AtomicUsize::new(DEFAULT_PROCESS_LIMIT);

/// The sum of all charges beyond their unshared parts, in bytes.
static SHARED: AtomicUsize = AtomicUsize::new(0);

/// Sets the maximum for all charges of the process, in bytes.
pub fn set_process_limit(bytes: usize) {
    PROCESS_LIMIT.store(bytes, Ordering::Relaxed);
}

/// The limit that a charge would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// The limit of the charge itself.
    #[error("the memory limit of one query")]
    Own,
    /// The limit of the whole process.
    #[error("the memory limit of all queries")]
    Process,
}

/// Bytes that one holder uses: a running statement, its rows, or a response that is not sent yet.
/// Dropping it releases them.
#[derive(Debug, Default)]
pub struct Charge {
    limit: usize,
    bytes: usize,
}

impl Charge {
    /// A charge of zero bytes, which may grow to `limit` bytes.
    pub fn new(limit: usize) -> Charge {
        Charge { limit, bytes: 0 }
    }

    /// The current size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `bytes`. On failure, nothing changes.
    pub fn add(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let total = self.bytes.saturating_add(bytes);
        if total > self.limit {
            return Err(OverBudget::Own);
        }
        let more = shared_part(total) - shared_part(self.bytes);
        if more > 0 {
            let limit = PROCESS_LIMIT.load(Ordering::Relaxed);
            SHARED
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |shared| {
                    shared.checked_add(more).filter(|shared| *shared <= limit)
                })
                .map_err(|_| OverBudget::Process)?;
        }
        self.bytes = total;
        Ok(())
    }

    /// Sets the size to `bytes`, for example once it is known exactly.
    pub fn set(&mut self, bytes: usize) -> Result<(), OverBudget> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.add(more),
            None => {
                SHARED.fetch_sub(shared_part(self.bytes) - shared_part(bytes), Ordering::Relaxed);
                self.bytes = bytes;
                Ok(())
            }
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        SHARED.fetch_sub(shared_part(self.bytes), Ordering::Relaxed);
    }
}

fn shared_part(bytes: usize) -> usize {
    bytes.saturating_sub(UNSHARED)
}

/// Returns freed memory to the system after a holder of `bytes`, if that is much. Call it on a
/// blocking thread: it takes some milliseconds.
pub fn trim_after(bytes: usize) {
    if bytes >= LARGE {
        trim();
    }
}

/// Returns freed memory to the system, which glibc keeps in an arena per thread. Call it on a
/// blocking thread: it takes some milliseconds.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim may be called from any thread at any time.
    unsafe {
        libc::malloc_trim(0)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charge_is_bounded_and_given_back() {
        let mut charge = Charge::new(100);
        assert_eq!(charge.add(60), Ok(()));
        assert_eq!(charge.add(41), Err(OverBudget::Own));
        assert_eq!((charge.set(10), charge.bytes()), (Ok(()), 10));
        assert_eq!(charge.add(90), Ok(()));
        assert_eq!(charge.add(usize::MAX), Err(OverBudget::Own));
    }

    #[test]
    fn process_limit_spares_ordinary_charges() {
        // More than any process limit, so that other tests do not notice.
        let mut greedy = Charge::new(usize::MAX);
        assert_eq!(greedy.add(usize::MAX / 2), Err(OverBudget::Process));
        assert_eq!(greedy.bytes(), 0);
        let mut ordinary = Charge::new(usize::MAX);
        assert_eq!(ordinary.add(UNSHARED), Ok(()));
    }
}
