//! The journal of a database file: a write-ahead log, or a rollback journal on file systems without
//! shared memory.
//!
//! A write-ahead log needs memory that all connections share. Some network and shared folders (9p,
//! vboxsf, some FUSE and SMB mounts) cannot map it. A rollback journal is as safe there, but
//! readers and the writer wait for each other.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Error, ffi};

/// How long a connection with a rollback journal waits: readers and the writer exclude each other.
const ROLLBACK_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the change of the journal waits for connections of other processes.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Turns on write-ahead logging, or falls back to a rollback journal on a new connection. Logs the
/// fallback. `path` is the file of the connection.
///
/// The fallback fails as busy while another process has the file open.
pub(crate) fn set_journal(connection: Connection, path: &Path) -> rusqlite::Result<Connection> {
    match enable_write_ahead_log(&connection) {
        Err(error) if lacks_shared_memory(&error) => {}
        Err(error) => return Err(error),
        Ok(()) => return Ok(connection),
    }
    drop(connection);
    // A connection that is exclusive from its first access needs no shared memory to end the log.
    let connection = Connection::open(path)?;
    connection.busy_timeout(CHANGE_TIMEOUT)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection.pragma_update(None, "journal_mode", "truncate")?;
    connection.pragma_update(None, "locking_mode", "normal")?;
    // The exclusive lock ends with the next read.
    read_schema(&connection)?;
    connection.busy_timeout(ROLLBACK_LOCK_TIMEOUT)?;
    tracing::warn!(
        path = %path.display(),
        "this file system has no shared memory, as is usual for network and shared folders: \
         queries and syncs wait for each other. Move the data folder to a local disk to avoid that"
    );
    Ok(connection)
}

/// Returns whether a connection uses a write-ahead log.
pub(super) fn has_write_ahead_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(mode == "wal")
}

fn enable_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // The shared memory is mapped at the first read.
    read_schema(connection)
}

fn read_schema(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// Returns whether SQLite could not map the index of a write-ahead log.
pub(super) fn lacks_shared_memory(error: &Error) -> bool {
    matches!(
        extended_code(error),
        Some(ffi::SQLITE_IOERR_SHMMAP | ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMSIZE)
    )
}

/// Returns whether the file system rejected a lock.
pub(super) fn lacks_locks(error: &Error) -> bool {
    matches!(
        extended_code(error),
        Some(
            ffi::SQLITE_IOERR_LOCK
                | ffi::SQLITE_IOERR_RDLOCK
                | ffi::SQLITE_IOERR_UNLOCK
                | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
                | ffi::SQLITE_IOERR_SHMLOCK
                | ffi::SQLITE_NOLFS
        )
    )
}

fn extended_code(error: &Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}
