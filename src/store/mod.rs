//! The health data of one data source in one SQLite file. Raw documents are the source: typed
//! tables, samples and coverage derive from them.
//!
//! A store has three kinds of connections: one [`Writer`], a pool of guarded readers for queries,
//! and an [`Inspector`] for the program's own small reads. The file uses write-ahead logging, so
//! readers never wait for the writer.
//!
//! No other module names SQLite, except the vault, which is another file. The files of this module
//! import each other without cycles.

mod allocator;
mod backup;
mod calendar;
mod changes;
mod checksums;
mod collections;
mod connection;
mod damage;
mod derive;
mod documents;
mod error;
mod files;
mod functions;
mod gaps;
mod guard;
mod import;
mod inspector;
mod journal;
mod materialized;
mod meter;
mod outside;
mod put;
mod queue;
mod read;
mod read_only;
mod rebuild;
mod rollups;
mod rows;
mod runs;
mod scalar;
mod schema;
mod sqlite;
mod state;
mod tables;
#[cfg(test)]
mod tests;
mod usual;
mod window;
mod window_writer;
mod writer;

pub use backup::{RestoreError, restore};
pub use changes::{Changes, SAMPLES};
pub use checksums::set_page_checksums;
pub use collections::CollectionRow;
pub use damage::{find_damage, set_aside};
pub use error::{NEEDS_LOCKS, REPAIR, StoreError};
pub(crate) use files::{EXPORT_PREFIX, create_private_file, create_private_folder};
pub use functions::{FUNCTIONS, Function};
pub use gaps::Gap;
pub use guard::{MAX_STATEMENT, Refusal, SQLITE_FUNCTIONS};
pub use import::{ImportError, Imported, import, import_with};
pub use inspector::Inspector;
pub(crate) use journal::set_journal;
pub use read::{
    BatchSink, Batches, ColumnBatch, Limit, Origin, ReadError, ReadLimits, ResultColumn, Truncation,
};
pub use rollups::{ROLLUPS, Rollup};
pub use runs::{FullRun, RunEnd, RunRow};
pub use scalar::{Scalar, scalars};
pub use sqlite::prepare_sqlite;
pub use state::{
    CollectionState, ConnectionState, DayState, GapReason, RunState, Trigger, UnknownState,
    WindowReason,
};
pub use usual::{MIN_USUAL_DAYS, resolution, spread_sql};
pub use window::{Arrivals, Coverage, QueuedWindow, Refused, Window, WriteStats, first_ring};
pub use writer::Writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use rusqlite::Connection;

use crate::catalog::Catalog;
use crate::sql::TokenizedSql;
use crate::time::{Instant, Tz};
use inspector::CLOSED_TABLES;
use read::ReaderPool;

/// The number of connections that answer queries at the same time.
const READERS: usize = 4;

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    zone: Tz,
    /// Whether SQLite reported a damaged page since the last check.
    is_suspect: AtomicBool,
    inspector: Inspector,
    readers: ReaderPool,
    /// Closed last: only a connection that can write merges the log into the file and removes it.
    writer: Writer,
}

impl Store {
    /// Opens or creates the file and migrates it. `zone` is the user's time zone.
    ///
    /// The tables may still come from another catalogue, time zone or program version: see
    /// [`Store::is_outdated`].
    pub fn open(path: &Path, catalog: Arc<Catalog>, zone: Tz) -> Result<Store, StoreError> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder).map_err(|error| StoreError::folder(folder, &error))?;
        }
        let mut connection = schema::open(path)?;
        files::make_private(path);
        files::delete_exports(path);
        backup::sweep(path);
        schema::migrate(&mut connection)?;
        runs::interrupt(&connection)?;
        rebuild::move_coverage(&mut connection, &catalog, zone)?;
        let store = Store::with_writer(path, catalog, zone, connection)?;
        if store.inspector().is_underived()? {
            store.writer().rebuild()?;
        } else if store.is_outdated()? {
            store.writer().add_views()?;
        } else if let Err(error) = store.writer().resume_views() {
            // Days that changed before the last process stopped. The next run tries again.
            tracing::warn!(path = %path.display(), %error, "the materialized views are old");
        }
        Ok(store)
    }

    /// Opens an existing file read-only; another process may write it. Skips migrations.
    /// Every change returns [`StoreError::ReadOnly`].
    pub fn open_existing(path: &Path, catalog: Arc<Catalog>) -> Result<Store, StoreError> {
        let connection = schema::open_existing(path)?;
        let zone = rebuild::derivation_zone(&connection)?;
        Store::with_writer(path, catalog, zone, connection)
    }

    fn with_writer(
        path: &Path,
        catalog: Arc<Catalog>,
        zone: Tz,
        connection: Connection,
    ) -> Result<Store, StoreError> {
        let shared = Shared {
            path: path.to_owned(),
            zone,
            is_suspect: AtomicBool::new(false),
            inspector: Inspector::new(schema::open_existing(path)?),
            readers: ReaderPool::new(path, READERS, CLOSED_TABLES, zone),
            writer: Writer::new(connection, catalog, zone),
        };
        Ok(Store { shared: Arc::new(shared) })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The catalogue of the tables.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.shared.writer.catalog()
    }

    /// The user's time zone: it defines the days.
    pub fn zone(&self) -> Tz {
        self.shared.zone
    }

    /// The connection that changes the database.
    pub fn writer(&self) -> &Writer {
        &self.shared.writer
    }

    /// Returns a number that differs after each change of the database by this process.
    pub fn changes(&self) -> u64 {
        self.shared.writer.changes()
    }

    /// The connection for the program's own small reads.
    pub fn inspector(&self) -> &Inspector {
        &self.shared.inspector
    }

    /// Runs one SELECT under guard on a connection of the pool. Blocks.
    pub fn read(
        &self,
        sql: &TokenizedSql,
        params: &[Scalar],
        limits: &ReadLimits,
    ) -> Result<ColumnBatch, ReadError> {
        self.watched(self.shared.readers.read(sql, params, limits))
    }

    /// Runs one SELECT as [`Store::read`] does, and passes its rows to `sink` while it reads. The
    /// time that `sink` takes does not count.
    pub fn read_batches(
        &self,
        sql: &TokenizedSql,
        params: &[Scalar],
        limits: &ReadLimits,
        batches: Batches,
        sink: &mut BatchSink<'_>,
    ) -> Result<(), ReadError> {
        self.watched(self.shared.readers.read_batches(sql, params, limits, batches, sink))
    }

    /// Remembers that the file may be damaged if a read reports it.
    fn watched<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        if matches!(result, Err(ReadError::Damaged(_))) {
            self.set_suspect(true);
        }
        result
    }

    /// Remembers that the file may be damaged if `error` reports it.
    pub fn note_error(&self, error: &StoreError) {
        if error.is_damage() {
            self.set_suspect(true);
        }
    }

    /// Sets whether the file may be damaged.
    pub fn set_suspect(&self, is_suspect: bool) {
        self.shared.is_suspect.store(is_suspect, Ordering::Relaxed);
    }

    /// Returns whether SQLite reported damage since the file was last found intact.
    pub fn is_suspect(&self) -> bool {
        self.shared.is_suspect.load(Ordering::Relaxed)
    }

    /// Deletes all data of the user, with the files that repairs, downloads and migrations left. The store
    /// stays open and empty. Returns the number of deleted rows by table.
    pub fn delete_all(&self) -> Result<BTreeMap<String, usize>, StoreError> {
        files::delete_exports(self.path());
        damage::delete_set_aside(self.path())
            .and_then(|()| backup::delete_all(self.path()))
            .map_err(|error| StoreError::folder(self.path(), &error))?;
        self.writer().delete_all()
    }

    /// Empties the caches of the idle connections.
    pub fn release_memory(&self) {
        // A cache that cannot be emptied stays.
        let _ = self.writer().lock().execute_batch("PRAGMA shrink_memory");
        let _ = self.inspector().lock().execute_batch("PRAGMA shrink_memory");
        self.shared.readers.close_idle();
    }

    /// Returns a handle that knows whether a clone of this store is still in use.
    pub fn usage(&self) -> StoreUsage {
        StoreUsage(Arc::downgrade(&self.shared))
    }

    /// Returns whether another catalogue, time zone or program version derived the tables. If so,
    /// call [`Writer::rebuild`].
    pub fn is_outdated(&self) -> Result<bool, StoreError> {
        self.inspector().is_outdated(&self.catalog(), self.zone())
    }

    /// Extends the calendar through the local day of `now`, so that days without a successful fetch
    /// have a row. Waits for the writer only if days are missing.
    pub fn extend_calendar(&self, now: Instant) -> Result<(), StoreError> {
        let today = now.day(self.zone());
        if calendar::last_day(&self.inspector().lock())?.is_none_or(|last| last >= today) {
            return Ok(());
        }
        calendar::extend(&self.writer().lock(), today, self.zone())
    }

    /// Writes a consistent copy of the database to the new file `to`, which only the current user
    /// can read. Syncs continue during the copy.
    pub fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let source = read_only::open(self.path(), read_only::LOCK_TIMEOUT)?.connection;
        // SQLite accepts an empty file as the target, and keeps its mode.
        create_private_file(to)
            .map_err(|error| StoreError::Copy { path: to.to_owned(), detail: error.to_string() })?;
        let copied = checksums::copy(&source, to);
        if copied.is_err() {
            // Report the failed copy, even if the incomplete file cannot be removed.
            let _ = std::fs::remove_file(to);
        }
        copied
    }

    /// The size of the file and its write-ahead log, in bytes.
    pub fn size(&self) -> u64 {
        let mut log = self.path().to_owned().into_os_string();
        log.push("-wal");
        file_size(self.path()) + file_size(Path::new(&log))
    }
}

/// A handle that does not keep its store open.
pub struct StoreUsage(Weak<Shared>);

impl StoreUsage {
    /// Returns whether a clone of the store exists, so that its files are open.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }
}

fn file_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
