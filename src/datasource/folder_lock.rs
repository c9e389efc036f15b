//! One process per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::DataSourceError;
use crate::store::create_private_folder;

/// A process that Grafana has just ended may take a moment to let go.
const PATIENCE: Duration = Duration::from_secs(3);

/// Held as long as this lives; the kernel lets go of it when the process ends, however it ends.
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(super) fn take(folder: &Path) -> Result<FolderLock, DataSourceError> {
        let unusable = |error: std::io::Error| DataSourceError::Folder {
            folder: folder.to_owned(),
            detail: error.to_string(),
        };
        create_private_folder(folder).map_err(unusable)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))
            .map_err(unusable)?;
        let start = std::time::Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(FolderLock { _file: file }),
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
                Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50))
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(DataSourceError::Locked { folder: folder.to_owned() });
                }
            }
        }
    }
}
