//! The configuration of SQLite in this process.

use super::{allocator, checksums};

/// Gives SQLite its allocator and its files checksums. Call it before any other use of SQLite in
/// the process.
///
/// Fails with SQLITE_MISUSE if SQLite was used before. Then statements would run without limits.
pub fn prepare_sqlite() -> rusqlite::Result<()> {
    allocator::install_allocator()?;
    checksums::install()
}
