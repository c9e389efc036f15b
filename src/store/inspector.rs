//! The connection for the program's own small reads. Other files add its operations.

use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;

use super::error::StoreError;
use super::journal;

/// Tables that queries cannot read: the program's own notes.
pub(super) const CLOSED_TABLES: &[&str] = &["meta", "changed_months"];

/// Tables and views from which the published ones are made. Queries may read them, but they are not
/// listed, because another version may have different ones.
const INNER_TABLES: &[&str] = &[
    "samples_data",
    "samples_1h_data",
    "samples_1d_data",
    "coverage_data",
    "connection_data",
    "baselines_data",
    "sleep_regularity_data",
    "stale_days",
    "calendar",
    "charge",
    "main_sleep",
];

/// Whether `table` is listed for queries.
pub(super) fn is_for_queries(table: &str) -> bool {
    !CLOSED_TABLES.iter().chain(INNER_TABLES).any(|inner| *inner == table)
}

/// A read-only connection for short reads of the program itself: status, history, checks. It never
/// waits for the write connection.
pub struct Inspector {
    connection: Mutex<Connection>,
}

impl Inspector {
    pub(super) fn new(connection: Connection) -> Inspector {
        Inspector { connection: Mutex::new(connection) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock()
    }

    /// Returns whether queries and syncs do not wait for each other. A file system without shared
    /// memory requires a rollback journal, with which they do.
    pub fn has_write_ahead_log(&self) -> Result<bool, StoreError> {
        Ok(journal::has_write_ahead_log(&self.lock())?)
    }

    /// Returns the names of all tables and views that are listed for queries, sorted.
    pub fn published(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.lock();
        let mut names = connection.prepare(
            "SELECT name FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
             ORDER BY name",
        )?;
        let names =
            names.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().filter(|name| is_for_queries(name)).collect())
    }

    /// Returns the columns of a table or view with their declared types. Empty if it does not exist.
    pub fn columns(&self, table: &str) -> Result<Vec<(String, String)>, StoreError> {
        let connection = self.lock();
        let mut columns = connection.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
        let columns = columns.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(columns.collect::<Result<_, _>>()?)
    }

    /// Returns whether `collection` has or had a document with this id.
    pub fn has_document(&self, collection: &str, id: &str) -> Result<bool, StoreError> {
        let connection = self.lock();
        let mut found = connection.prepare_cached(
            "SELECT 1 FROM oura_raw_documents WHERE resource = ?1 AND document_id = ?2",
        )?;
        Ok(found.exists((collection, id))?)
    }
}
