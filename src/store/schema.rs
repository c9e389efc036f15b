//! Opening the database file, and its numbered migrations.

use std::path::Path;

use rusqlite::Connection;

use super::error::StoreError;
use super::sqlite::prepare_sqlite;
use super::{backup, checksums, functions, journal, read_only};

/// The migrations in order. A released migration never changes. `user_version` counts the applied
/// ones.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_store.sql"),
    include_str!("../../migrations/0002_rollups.sql"),
    include_str!("../../migrations/0003_connection.sql"),
    include_str!("../../migrations/0004_faults.sql"),
    include_str!("../../migrations/0005_checksums.sql"),
];

/// Opens the file at `path` for writing, or creates it. Rejects databases of other applications.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    connect(path).map_err(|error| error.at(path))
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    prepare_sqlite()?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(read_only::LOCK_TIMEOUT)?;
    match is_foreign(&connection) {
        Ok(true) => return Err(StoreError::Foreign { path: path.to_owned() }),
        Ok(false) => checksums::reserve_in_new(&connection)?,
        // Another journal makes the file readable.
        Err(StoreError::NoSharedMemory { .. }) => {}
        Err(error) => return Err(error),
    }
    let connection = journal::set_journal(connection, path)?;
    checksums::reserve_in_new(&connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    // The log can grow during a long transaction. It shrinks to this size afterwards.
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    functions::register(&connection)?;
    Ok(connection)
}

/// Opens a file of exactly this format read-only.
pub(super) fn open_existing(path: &Path) -> Result<Connection, StoreError> {
    connect_read_only(path).map_err(|error| error.at(path))
}

fn connect_read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection = read_only::open(path, read_only::LOCK_TIMEOUT)?.connection;
    let found = version(&connection)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(newer(path, found));
    }
    if found < known {
        return Err(StoreError::Older { path: path.to_owned() });
    }
    Ok(connection)
}

/// Rejects a file of another application, and one of a newer format.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as u32;
    match version(connection)? {
        0 => Err(StoreError::Foreign { path: path.to_owned() }),
        found if found > known => Err(newer(path, found)),
        _ => Ok(()),
    }
}

fn newer(path: &Path, found: u32) -> StoreError {
    let known = MIGRATIONS.len() as u32;
    let backup = backup::newest(path, known);
    StoreError::Newer { path: path.to_owned(), found, known, backup }
}

/// Applies the missing migrations, each in a transaction. A file with data is copied before.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let path = connection.path().map(std::path::PathBuf::from).unwrap_or_default();
    let found = version(connection)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(newer(&path, found));
    }
    if found > 0 && found < known {
        backup::write(connection, &path, found)?;
    }
    for (number, migration) in (1..=known).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    match checksums::add(connection) {
        // The file works without them, and the next opening tries again.
        Err(error @ (StoreError::DiskFull | StoreError::Disk { .. })) => {
            tracing::warn!(path = %path.display(), %error, "the database has no checksums yet");
            Ok(())
        }
        outcome => outcome.map(|_| ()),
    }
}

/// Returns whether the file has tables of another program.
fn is_foreign(connection: &Connection) -> Result<bool, StoreError> {
    Ok(version(connection)? == 0 && !is_blank(connection)?)
}

fn is_blank(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection
        .query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}
