//! One data source's health data in one SQLite file. Raw documents are the truth; typed tables, samples and coverage derive from them.
//!
//! Nothing outside this module names SQLite. One writer, a pool of read-only readers, WAL.

mod derive;
mod documents;
mod error;
mod functions;
mod gaps;
mod guard;
mod queue;
mod read;
mod read_only;
mod rollups;
mod rows;
mod runs;
mod schema;
mod state;
#[cfg(test)]
mod tests;

pub use documents::WriteStats;
pub use error::StoreError;
pub use functions::{FUNCTIONS, Function};
pub use gaps::Gap;
pub use guard::{MAX_STATEMENT, Refusal, SQLITE_FUNCTIONS};
pub use queue::{QueuedWindow, Refused, SyncState, Window, requires_wear, settled_through};
pub use read::{ColumnBatch, Limit, Origin, ReadError, ReadLimits, ResultColumn, Truncation};
pub use rollups::{ROLLUPS, Rollup};
pub use runs::{CollectionRow, RunEnd, RunRow};
pub use state::{
    CollectionState, DayState, GapReason, RunState, Trigger, UnknownState, WindowReason,
};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard, RwLock};
use rusqlite::Connection;

use crate::catalog::Catalog;
use crate::sql::{TokenizedSql, quote_identifier};
use crate::time::Tz;
use read::ReaderPool;

/// Tables that no query reads: what the program notes for itself.
const CLOSED_TABLES: &[&str] = &["meta"];

/// Tables and views that others are made of. They hold nothing that those do not show, so queries may read them, but nobody is pointed to
/// them: another version may have other ones.
const INNER_TABLES: &[&str] = &[
    "samples_data",
    "samples_1h_data",
    "samples_1d_data",
    "coverage_data",
    "calendar",
    "charge",
    "main_sleep",
];

fn is_for_queries(table: &str) -> bool {
    !CLOSED_TABLES.iter().chain(INNER_TABLES).any(|inner| *inner == table)
}

/// How many connections answer queries at once.
const READERS: usize = 4;

/// Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// Changes only while the writer is held.
    catalog: RwLock<Arc<Catalog>>,
    zone: Tz,
    /// Whether tables are derived anew no more: see [`Store::stop_rebuilds`].
    retired: AtomicBool,
    /// For the store's own questions, which must not wait for a long write.
    inspector: Mutex<Connection>,
    readers: ReaderPool,
    /// Closed last: only a connection that may write folds the log into the file and takes it away.
    writer: Mutex<Connection>,
}

impl Store {
    /// Opens or creates the file and migrates it. What derives from raw documents may be older than the catalogue or the zone: ask
    /// [`Store::is_outdated`], call [`Store::rebuild`].
    pub fn open(path: &Path, catalog: Arc<Catalog>, zone: Tz) -> Result<Store, StoreError> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder).map_err(|error| StoreError::folder(folder, &error))?;
        }
        let mut writer = schema::open(path)?;
        schema::migrate(&mut writer)?;
        runs::interrupt(&writer)?;
        derive::move_coverage(&mut writer, &catalog, zone)?;
        let readers = ReaderPool::new(path, READERS, CLOSED_TABLES, zone);
        let inspector = schema::open_existing(path)?;
        let store = Store::over(path, catalog, zone, writer, inspector, readers);
        if store.was_never_derived()? {
            store.rebuild()?;
        }
        Ok(store)
    }

    /// Opens a file that another process may be writing, for reading alone: nothing is migrated, every change is refused.
    pub fn open_existing(path: &Path, catalog: Arc<Catalog>) -> Result<Store, StoreError> {
        let writer = schema::open_existing(path)?;
        let zone = derive::zone(&writer)?;
        let readers = ReaderPool::new(path, READERS, CLOSED_TABLES, zone);
        let inspector = schema::open_existing(path)?;
        Ok(Store::over(path, catalog, zone, writer, inspector, readers))
    }

    fn over(
        path: &Path,
        catalog: Arc<Catalog>,
        zone: Tz,
        writer: Connection,
        inspector: Connection,
        readers: ReaderPool,
    ) -> Store {
        let (catalog, writer, inspector) =
            (RwLock::new(catalog), Mutex::new(writer), Mutex::new(inspector));
        let retired = AtomicBool::new(false);
        Store {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                catalog,
                zone,
                retired,
                writer,
                inspector,
                readers,
            }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.shared.catalog.read())
    }

    pub fn zone(&self) -> Tz {
        self.shared.zone
    }

    /// Runs one SELECT under guard, on a reader's connection. Blocks.
    pub fn read(
        &self,
        sql: &TokenizedSql,
        params: &[serde_json::Value],
        limits: &ReadLimits,
    ) -> Result<ColumnBatch, ReadError> {
        self.shared.readers.read(sql, params, limits)
    }

    /// The names of every table and view that is there for queries.
    pub fn published(&self) -> Result<Vec<String>, StoreError> {
        let inspector = self.inspector();
        let mut names = inspector.prepare(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name",
        )?;
        let names =
            names.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok(names.into_iter().filter(|name| is_for_queries(name)).collect())
    }

    /// Whether `collection` has a document with this id, or had it.
    pub fn has_document(&self, collection: &str, id: &str) -> Result<bool, StoreError> {
        let inspector = self.inspector();
        let mut found = inspector.prepare_cached(
            "SELECT 1 FROM oura_raw_documents WHERE resource = ?1 AND document_id = ?2",
        )?;
        Ok(found.exists((collection, id))?)
    }

    /// Writes a consistent copy of the whole database to `to`, which must not exist; nobody but this user may read it. Syncs may go on
    /// meanwhile.
    pub fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let source = read_only::open(&self.shared.path, Duration::from_secs(10))?.connection;
        // SQLite writes into a file that is empty, and leaves it its mode.
        create_private_file(to)
            .map_err(|error| StoreError::Copy { path: to.to_owned(), detail: error.to_string() })?;
        let copied = source.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        if copied.is_err() {
            // What is there is no copy; that it cannot be removed either is not what went wrong.
            let _ = std::fs::remove_file(to);
        }
        copied?;
        Ok(())
    }

    /// Deletes everything, for good: pages are overwritten, the file shrinks. The store stays open and empty.
    pub fn delete_all(&self) -> Result<(), StoreError> {
        let mut writer = self.writer();
        writer.pragma_update(None, "secure_delete", true)?;
        let transaction = writer.transaction()?;
        for table in schema::tables(&transaction)? {
            transaction.execute_batch(&format!("DELETE FROM {}", quote_identifier(&table)))?;
        }
        schema::create_derived(&transaction, &self.catalog())?;
        transaction.commit()?;
        writer.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(())
    }

    /// Derives no tables anew from now on; a rebuild under way is broken off and begins again with the next opening. The first half of
    /// closing, told before [`Store::wait_for_writer`] waits.
    pub fn stop_rebuilds(&self) {
        self.shared.retired.store(true, Ordering::Relaxed);
    }

    /// Waits for the write under way: another `Store` over the same file does not meet it. Blocks.
    pub fn wait_for_writer(&self) {
        drop(self.writer());
    }

    /// Reads every page; what is wrong with the file, nothing if it is whole. Takes seconds for gigabytes.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let inspector = self.inspector();
        let mut check = inspector.prepare("PRAGMA quick_check")?;
        let said: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// Size of the database, its write-ahead log included, in bytes.
    pub fn size(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut log = self.shared.path.clone().into_os_string();
        log.push("-wal");
        size(&self.shared.path) + size(Path::new(&log))
    }

    fn inspector(&self) -> MutexGuard<'_, Connection> {
        self.shared.inspector.lock()
    }

    /// The write connection. A panic while it was held has rolled its transaction back, so the lock's poison means nothing.
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.shared.writer.lock()
    }
}

/// Creates `folder` and its parents, readable by this user alone.
pub(crate) fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Creates a file where none is, readable by this user alone.
pub(crate) fn create_private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
