//! Opening the file for reading alone, also where this process may write nothing: a read-only disk, a folder of another user.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use url::Url;

/// A connection that only reads.
pub(super) struct Reading {
    pub connection: Connection,
    /// SQLite was told that nobody writes the file meanwhile: true for a moment, not to be kept.
    pub immutable: bool,
}

/// Opens the SQLite file at `path`, which must exist, and waits for as long as `patience` for a lock.
///
/// SQLite reads a file with a write-ahead log only through the index beside it, which it must make where there is none. Where it may not,
/// nobody writes and the log is empty or gone: then the file alone is everything, and is read as it lies there.
pub(super) fn open(path: &Path, patience: Duration) -> rusqlite::Result<Reading> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = |connection: Connection| -> rusqlite::Result<Connection> {
        connection.busy_timeout(patience)?;
        // Only a read looks at the log and its index.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let refused = match Connection::open_with_flags(path, flags).and_then(connect) {
        Ok(connection) => return Ok(Reading { connection, immutable: false }),
        Err(error) => error,
    };
    match (refused.sqlite_error_code(), immutable(path)) {
        (Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly), Some(address)) if !has_log(path) => {
            let connection =
                Connection::open_with_flags(address.as_str(), flags | OpenFlags::SQLITE_OPEN_URI)
                    .and_then(connect)?;
            Ok(Reading { connection, immutable: true })
        }
        _ => Err(refused),
    }
}

/// The file's address, with SQLite's word for a file that nobody changes.
fn immutable(path: &Path) -> Option<Url> {
    let mut address = Url::from_file_path(std::path::absolute(path).ok()?).ok()?;
    address.set_query(Some("immutable=1"));
    Some(address)
}

/// Whether there are pages that are not in the file itself.
fn has_log(path: &Path) -> bool {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    std::fs::metadata(PathBuf::from(log)).is_ok_and(|log| log.len() > 0)
}
