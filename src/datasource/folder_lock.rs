//! The lock that gives a data folder to one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::DataSourceError;
use crate::os;
use crate::store::{StoreError, create_private_folder};

/// The time to wait for a process that Grafana has just stopped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause between two attempts.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// The lock of a data folder, held until this value is dropped or the process ends.
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Creates `folder` if it is missing, and locks it. Blocks for up to three seconds.
    pub(super) fn acquire(folder: &Path) -> Result<FolderLock, DataSourceError> {
        let unusable = |error: std::io::Error| {
            if os::is_out_of_files(&error) {
                return StoreError::TooManyFiles.into();
            }
            DataSourceError::Folder { folder: folder.to_owned(), detail: error.to_string() }
        };
        create_private_folder(folder).map_err(unusable)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))
            .map_err(unusable)?;
        let start = Instant::now();
        loop {
            match try_lock(&file) {
                Ok(()) => return Ok(FolderLock { _file: file }),
                Err(TryLockError::Error(error)) => {
                    let detail = error.to_string();
                    return Err(DataSourceError::NoLocks { folder: folder.to_owned(), detail });
                }
                Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_TIMEOUT => {
                    #[expect(clippy::disallowed_methods, reason = "opens on a blocking thread")]
                    std::thread::sleep(RETRY_DELAY);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(DataSourceError::Locked { folder: folder.to_owned() });
                }
            }
        }
    }
}

/// Locks the file. Some network file systems lack `flock`, but have record locks.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    match file.try_lock() {
        #[cfg(target_os = "linux")]
        Err(TryLockError::Error(_)) => os::try_lock_record(file),
        outcome => outcome,
    }
}
