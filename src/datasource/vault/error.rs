//! Failures of the vault.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::os::{self, RAISE_FILE_LIMIT};
use crate::store::NEEDS_LOCKS;

/// The file name of the database. Errors of SQLite do not contain the folder.
pub(super) const DATABASE: &str = "vault.db";

/// A failure of the vault. The message contains the remedy.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The process lacks permission to read or write the data folder or a file in it.
    #[error(
        "{path} cannot be read or written ({detail}). Make the user that runs this program its \
         owner, or choose another data folder"
    )]
    NotWritable {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        detail: String,
    },
    /// A file of the vault is a symbolic link.
    #[error("{path} is a symbolic link. Replace it by the file itself")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// The operator's key is too short.
    #[error(
        "The encryption key has fewer than {minimum} characters. Choose a longer one, for example \
         from `openssl rand -hex 32`. `gpx_oura vault rotate` carries existing logins over"
    )]
    ShortKey {
        /// The minimum number of characters.
        minimum: usize,
    },
    /// The process has no free file handle.
    #[error("{path} cannot be opened, because too many files are open. {RAISE_FILE_LIMIT}")]
    TooManyFiles {
        /// The folder or file.
        path: PathBuf,
    },
    /// The disk is full. Existing entries are intact.
    #[error("No disk space left for {path}. Free some space; existing entries are intact")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file is another program's, or damaged.
    #[error(
        "{path} is not a vault, or it is damaged. Move it away, and connect each data source again"
    )]
    NotAVault {
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
    /// The file system has no file locks.
    #[error("The file system of {path} has no file locks. {NEEDS_LOCKS}")]
    NoLocks {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this program changed the file's layout.
    #[error(
        "{path} has layout {found} of a newer version of this program, which supports up to \
         {known}. Install the newer version again"
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// The file's layout version.
        found: i32,
        /// The newest supported layout version.
        known: i32,
    },
    /// `vault.key` has the wrong length for a key.
    #[error(
        "{path} is not a valid key. Restore it from a backup, or move it away and connect each \
         data source again"
    )]
    NotAKey {
        /// The key file.
        path: PathBuf,
    },
    /// The entry is sealed with another key. Callers treat it as missing and may replace it.
    #[error(
        "This entry is sealed with another key. Restore the previous encryption key, or connect \
         again"
    )]
    WrongKey,
    /// The key is right, but the entry was modified or moved from another place.
    #[error("A vault entry was modified outside this program. Connect again")]
    Tampered,
    /// Any other failure of the storage.
    #[error("The vault cannot be used: {detail}")]
    Storage {
        /// The cause.
        detail: String,
    },
}

impl VaultError {
    pub(super) fn from_io(path: &Path, error: &io::Error) -> VaultError {
        if os::is_out_of_files(error) {
            return VaultError::TooManyFiles { path: path.to_owned() };
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                VaultError::DiskFull { path: path.to_owned() }
            }
            _ => VaultError::NotWritable { path: path.to_owned(), detail: error.to_string() },
        }
    }

    /// Replaces the file's name with its complete path, which also distinguishes a file in use from a
    /// file system without locks.
    pub(super) fn with_path(mut self, full_path: &Path) -> VaultError {
        if let VaultError::NotWritable { path, .. }
        | VaultError::TooManyFiles { path }
        | VaultError::DiskFull { path }
        | VaultError::InUse { path }
        | VaultError::NotAVault { path } = &mut self
        {
            *path = full_path.to_owned();
        }
        match self {
            VaultError::InUse { path } if !path.parent().is_none_or(os::has_record_locks) => {
                VaultError::NoLocks { path }
            }
            other => other,
        }
    }
}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> VaultError {
        let path = PathBuf::from(DATABASE);
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => VaultError::DiskFull { path },
            Some(ErrorCode::DatabaseBusy) => VaultError::InUse { path },
            Some(ErrorCode::CannotOpen) if os::lacks_free_files() => {
                VaultError::TooManyFiles { path }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                VaultError::NotWritable { path, detail }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                VaultError::NotAVault { path }
            }
            _ => VaultError::Storage { detail },
        }
    }
}
