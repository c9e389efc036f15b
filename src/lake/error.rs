//! Why a lake cannot be used.

use std::path::PathBuf;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

use crate::frames::ParquetFailure;
use crate::store::{ReadError, StoreError};

/// Why a lake cannot be used. `Display` includes the remedy where there is one.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The name of the place is invalid.
    #[error("{place} cannot be a lake ({detail}). Use a folder or s3://bucket/prefix")]
    Place {
        /// The place.
        place: String,
        /// The reason.
        detail: String,
    },
    /// A file cannot be read or written.
    #[error(
        "{name} cannot be read or written ({detail}). Check the address, the bucket and the rights"
    )]
    Storage {
        /// The file or the place.
        name: String,
        /// The reason.
        detail: String,
    },
    /// The storage refuses requests, because this machine has another time.
    #[error(
        "{name} cannot be read or written ({detail}). Correct the clock of this machine: the \
         storage has another time"
    )]
    Clock {
        /// The file or the place.
        name: String,
        /// The reason.
        detail: String,
    },
    /// The place has no lake.
    #[error("{0} contains no lake. Run `gpx_oura lake init` first")]
    Missing(String),
    /// The place has files, but no lake.
    #[error("{place} contains other files, such as {example}. Choose an empty folder or prefix")]
    Occupied {
        /// The place.
        place: String,
        /// One of the files.
        example: String,
    },
    /// Another version of the program made the lake.
    #[error("{place} has format {found}, and this version of the program knows {known}. Update it")]
    Newer {
        /// The place.
        place: String,
        /// The format of the lake.
        found: u32,
        /// The known format.
        known: u32,
    },
    /// The pseudonyms of the lake come from another salt.
    #[error(
        "{place} belongs to another owner: its pseudonyms come from another salt than {file}. \
         Restore that file from a copy, or choose another place"
    )]
    OtherSalt {
        /// The place.
        place: String,
        /// The file with this owner's salt.
        file: PathBuf,
    },
    /// The file with the salt cannot be used.
    #[error("{file} cannot be used ({detail}). `gpx_oura lake init` creates it")]
    Salt {
        /// The file.
        file: PathBuf,
        /// The reason.
        detail: String,
    },
    /// A table's log contains something else than this program writes.
    #[error("the table {table} cannot be used ({detail}). Restore it, or choose another place")]
    Table {
        /// The table.
        table: String,
        /// The reason.
        detail: String,
    },
    /// Other processes committed each time.
    #[error("other processes publish to the table {0} all the time. Stop the second publisher")]
    Contended(String),
    /// The database of a data source cannot be read.
    #[error("the data source {datasource} cannot be read: {detail}")]
    DataSource {
        /// The data source.
        datasource: String,
        /// The reason.
        detail: String,
    },
    /// Parquet or Arrow reported an error.
    #[error("cannot read or write Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

impl From<ArrowError> for LakeError {
    fn from(error: ArrowError) -> LakeError {
        LakeError::Parquet(error.into())
    }
}

impl From<ParquetFailure> for LakeError {
    fn from(error: ParquetFailure) -> LakeError {
        LakeError::Parquet(ParquetError::External(Box::new(error)))
    }
}

impl LakeError {
    /// The database of the data source `key` cannot be read.
    pub(super) fn store(key: &str, error: &StoreError) -> LakeError {
        LakeError::DataSource { datasource: key.to_owned(), detail: error.to_string() }
    }

    /// A statement on the database of the data source `key` failed.
    pub(super) fn read(key: &str, error: &ReadError) -> LakeError {
        LakeError::DataSource { datasource: key.to_owned(), detail: error.to_string() }
    }
}
