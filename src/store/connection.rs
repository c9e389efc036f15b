//! The table `connection_data`: the state of the login, and the size of the database.

use rusqlite::Connection;

use super::error::StoreError;
use super::state::ConnectionState;
use super::writer::Writer;

impl Writer {
    /// Records the state of the login, for the view `sync_status`.
    pub fn set_connection(&self, state: ConnectionState) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT INTO connection_data (only_row, state, database_bytes)
             SELECT 1, ?1, page_count * page_size FROM pragma_page_count, pragma_page_size
             WHERE TRUE
             ON CONFLICT DO UPDATE
             SET state = excluded.state, database_bytes = excluded.database_bytes",
            [state],
        )?;
        Ok(())
    }
}

/// Records the size of the database in bytes, without its write-ahead log.
pub(super) fn record_size(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE connection_data
         SET database_bytes =
             (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)",
        [],
    )?;
    Ok(())
}
