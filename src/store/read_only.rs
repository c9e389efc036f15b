//! Opens a database file for reading only.
//!
//! This also works where the process may not write: on a read-only disk or in another user's
//! folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use url::Url;

use super::sqlite::prepare_sqlite;

/// How long a connection waits for a lock of another process.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that only reads.
pub(super) struct ReadOnlyConnection {
    pub connection: Connection,
    /// Whether SQLite assumes that no process changes the file.
    ///
    /// The assumption holds only briefly, so the caller must not keep such a connection.
    pub is_immutable: bool,
}

/// Opens the SQLite file at `path`, which must exist. `lock_timeout` bounds the wait for a lock.
///
/// SQLite reads a file with a write-ahead log through an index file, and creates the index if it is
/// missing. If the process may not create it, no writer is active and the log is empty or missing.
/// Then the file alone is complete, so this function opens it as immutable.
pub(super) fn open(path: &Path, lock_timeout: Duration) -> rusqlite::Result<ReadOnlyConnection> {
    prepare_sqlite()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let error = match Connection::open_with_flags(path, flags)
        .and_then(|connection| prepare(connection, lock_timeout))
    {
        Ok(connection) => return Ok(ReadOnlyConnection { connection, is_immutable: false }),
        Err(error) => error,
    };
    match (error.sqlite_error_code(), immutable_url(path)) {
        (Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly), Some(url)) if !has_log(path) => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let connection = Connection::open_with_flags(url.as_str(), flags)
                .and_then(|connection| prepare(connection, lock_timeout))?;
            Ok(ReadOnlyConnection { connection, is_immutable: true })
        }
        _ => Err(error),
    }
}

fn prepare(connection: Connection, lock_timeout: Duration) -> rusqlite::Result<Connection> {
    connection.busy_timeout(lock_timeout)?;
    // SQLite opens the log and its index at the first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// The file's URL with SQLite's parameter for a file that no process changes.
fn immutable_url(path: &Path) -> Option<Url> {
    let mut url = Url::from_file_path(std::path::absolute(path).ok()?).ok()?;
    url.set_query(Some("immutable=1"));
    Some(url)
}

/// Whether the write-ahead log holds pages that the file lacks.
fn has_log(path: &Path) -> bool {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    std::fs::metadata(PathBuf::from(log)).is_ok_and(|log| log.len() > 0)
}
