//! What can go wrong with the file, in words for a person.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the folder {folder} cannot be used: {detail}. Give the plugin a data folder that its user may write"
    )]
    Folder { folder: PathBuf, detail: String },
    #[error(
        "{path} is not a database, or is damaged. Move it away to start with a new one, or put a backup in its place"
    )]
    NotADatabase { path: PathBuf },
    #[error(
        "{path} was written by a newer version of this plugin (format {found}, this one knows {known}). Update the plugin"
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error(
        "{path} was written by an older version of this plugin. Start the plugin or `gpx_oura serve` once, which brings it up to date"
    )]
    Older { path: PathBuf },
    #[error(
        "the disk is full: nothing was lost, but nothing new can be stored until there is room"
    )]
    DiskFull,
    #[error(
        "the disk does not take what is to be stored ({detail}): it, a quota or the largest size of a file may be exhausted. Nothing was \
         lost; make room, and the next sync goes on"
    )]
    Disk { detail: String },
    #[error("{path} is the database of another program. Move it away, or name another data folder")]
    Foreign { path: PathBuf },
    #[error(
        "the data folder is read-only; stored data can be shown, but nothing new can be stored"
    )]
    ReadOnly,
    #[error(
        "{path} cannot be written: {detail}. Name a new file in a folder that exists and that you may write"
    )]
    Copy { path: PathBuf, detail: String },
    /// Whoever opens the file next derives its tables.
    #[error("tables are not derived anew: the data source is being closed")]
    RebuildsStopped,
    #[error("the database failed: {0}")]
    Database(rusqlite::Error),
}

impl StoreError {
    pub(super) fn folder(folder: &Path, error: &std::io::Error) -> StoreError {
        StoreError::Folder { folder: folder.to_owned(), detail: error.to_string() }
    }

    /// Gives `path` to an error of opening, where the file itself may be at fault.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            StoreError::Database(error) => match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                    StoreError::NotADatabase { path: path.to_owned() }
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
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::DiskFull,
            Some(ErrorCode::SystemIoFailure) => StoreError::Disk { detail: error.to_string() },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
            _ => StoreError::Database(error),
        }
    }
}
