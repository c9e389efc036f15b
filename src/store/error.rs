//! Errors of the database file, for the user.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::journal;
use crate::os;

/// The remedy for a damaged file, as full sentences.
pub const REPAIR: &str = "Press Repair on the data source's configuration page, or end the plugin \
                          and run `gpx_oura repair`. The file is set aside, and everything is \
                          fetched again. The login is kept.";

/// The remedy for a file system without locks, as full sentences.
pub const NEEDS_LOCKS: &str = "Set data_dir to a folder on a local disk, or mount the file system \
                               with locks. NFS needs version 4 or a lock daemon.";

/// The name of the file in errors that do not know its folder.
const FILE: &str = "The database";

/// An error of the database file. `Display` names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the file cannot be created or opened.
    #[error(
        "The folder {folder} cannot be used: {detail}. Configure a data folder in which the user \
         of this process can write"
    )]
    Folder {
        /// The folder, or the file in it.
        folder: PathBuf,
        /// The operating system's message.
        detail: String,
    },
    /// The file has another format, or is damaged.
    #[error("{path} is not a database, or it is damaged")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// SQLite found a damaged page.
    #[error("The stored data is damaged ({detail})")]
    Damaged {
        /// SQLite's message.
        detail: String,
    },
    /// The file system has no file locks.
    #[error("The file system of {path} has no file locks, so two processes could damage the data")]
    NoLocks {
        /// The file.
        path: PathBuf,
    },
    /// The file has a write-ahead log, and the file system no shared memory.
    #[error(
        "{path} cannot be read: its file system has no shared memory for the write-ahead log. \
         Start the plugin or `gpx_oura serve` once to convert the file, or move the data folder to \
         a local disk"
    )]
    NoSharedMemory {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the file open.
    #[error(
        "{path} is in use by another process. End that process, and start only one on a data folder"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The process has no free file handle.
    #[error("Too many files are open in this process")]
    TooManyFiles,
    /// The file has a newer format.
    #[error(
        "{path} was written by a newer version of this plugin (format {found}, supported: \
         {known}). Update the plugin{}", restore_hint(backup.as_deref())
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The latest format that this version supports.
        known: u32,
        /// The copy that the newer version made before it changed the format.
        backup: Option<PathBuf>,
    },
    /// The file has an older format and is opened read-only.
    #[error(
        "{path} was written by an older version of this plugin. Start the plugin or \
         `gpx_oura serve` once to migrate it"
    )]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// No space is left for the copy that precedes a migration.
    #[error(
        "{path} has an older format. Before it is changed, it is copied next to itself, which \
         needs {needed} bytes, and {free} are free. Free some space on this disk"
    )]
    NoRoomForBackup {
        /// The file.
        path: PathBuf,
        /// The bytes that copy and migration need.
        needed: u64,
        /// The free bytes.
        free: u64,
    },
    /// No space is left.
    #[error("The disk is full. Stored data is intact; syncing resumes once there is free space")]
    DiskFull,
    /// Writing failed for a reason that SQLite does not report.
    #[error(
        "The disk rejected a write ({detail}): it may be full, or over a quota or file size limit. \
         Stored data is intact. Free some space; the next sync continues"
    )]
    Disk {
        /// SQLite's message.
        detail: String,
    },
    /// The file belongs to another application.
    #[error(
        "{path} is the database of another program. Move it away, or configure another data folder"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be changed.
    #[error("The data folder is read-only. You can still query stored data, but syncing is off")]
    ReadOnly,
    /// A copy of the database cannot be written.
    #[error("{path} cannot be written: {detail}. Choose a new file in a writable folder")]
    Copy {
        /// The target of the copy.
        path: PathBuf,
        /// The operating system's message.
        detail: String,
    },
    /// The data source is closing. The next opening of the file rebuilds its tables.
    #[error("Tables are not rebuilt because the data source is closing")]
    RebuildsStopped,
    /// Any other error of SQLite.
    #[error("Database error: {0}")]
    Database(rusqlite::Error),
}

/// The way back to an older version, if a copy of its format exists.
fn restore_hint(backup: Option<&Path>) -> String {
    backup.map_or_else(String::new, |backup| {
        format!(
            ", or go back to {}, which the newer version copied before it changed the format: \
             run `gpx_oura restore` of the newer version, or rename the copy while no process uses \
             the file",
            backup.display()
        )
    })
}

impl StoreError {
    pub(super) fn folder(folder: &Path, error: &std::io::Error) -> StoreError {
        if os::is_out_of_files(error) {
            return StoreError::TooManyFiles;
        }
        StoreError::Folder { folder: folder.to_owned(), detail: error.to_string() }
    }

    /// Whether the file is damaged. The remedy is [`REPAIR`].
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::NotADatabase { .. } | StoreError::Damaged { .. })
    }

    /// Adds `path` to an error of opening that the file itself may have caused.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            StoreError::Damaged { .. } => StoreError::NotADatabase { path: path.to_owned() },
            StoreError::NoLocks { .. } => StoreError::NoLocks { path: path.to_owned() },
            StoreError::NoSharedMemory { .. } => {
                StoreError::NoSharedMemory { path: path.to_owned() }
            }
            StoreError::Database(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy) => {
                    let folder = path.parent().unwrap_or(Path::new("."));
                    let path = path.to_owned();
                    match os::has_record_locks(folder) {
                        true => StoreError::InUse { path },
                        false => StoreError::NoLocks { path },
                    }
                }
                Some(ErrorCode::CannotOpen) => {
                    StoreError::Folder { folder: path.to_owned(), detail: error.to_string() }
                }
                _ => StoreError::Database(error),
            },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let path = PathBuf::from(FILE);
        if journal::lacks_locks(&error) {
            return StoreError::NoLocks { path };
        }
        if journal::lacks_shared_memory(&error) {
            return StoreError::NoSharedMemory { path };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::DiskFull,
            Some(ErrorCode::SystemIoFailure) => StoreError::Disk { detail: error.to_string() },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
            Some(ErrorCode::CannotOpen) if os::lacks_free_files() => StoreError::TooManyFiles,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                StoreError::Damaged { detail: error.to_string() }
            }
            _ => StoreError::Database(error),
        }
    }
}
