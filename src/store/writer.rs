//! The write connection. Other files of this module add its operations: the queue, runs, windows,
//! rebuilds.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard, RwLock};
use rusqlite::Connection;

use super::error::StoreError;
use crate::catalog::Catalog;
use crate::time::Tz;

/// The only connection that changes the database. Each method runs one transaction, and waits while
/// another one runs, which can take minutes during a rebuild.
pub struct Writer {
    connection: Mutex<Connection>,
    /// Changes only while `connection` is locked, so that tables and catalogue agree.
    catalog: RwLock<Arc<Catalog>>,
    zone: Tz,
    rebuilds_stopped: AtomicBool,
    /// When the materialized views were last refreshed, or the file was opened.
    refreshed_at: Mutex<Instant>,
    /// The number of times that `connection` was unlocked.
    changes: AtomicU64,
}

/// The locked write connection. Its end counts as a change.
pub(super) struct Locked<'a> {
    connection: MutexGuard<'a, Connection>,
    changes: &'a AtomicU64,
}

impl Deref for Locked<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

impl Writer {
    pub(super) fn new(connection: Connection, catalog: Arc<Catalog>, zone: Tz) -> Writer {
        Writer {
            connection: Mutex::new(connection),
            catalog: RwLock::new(catalog),
            zone,
            rebuilds_stopped: AtomicBool::new(false),
            refreshed_at: Mutex::new(Instant::now()),
            changes: AtomicU64::new(0),
        }
    }

    /// Returns the time since [`Writer::mark_refreshed`].
    pub(super) fn since_refresh(&self) -> Duration {
        self.refreshed_at.lock().elapsed()
    }

    /// Call it after each refresh of the materialized views.
    pub(super) fn mark_refreshed(&self) {
        *self.refreshed_at.lock() = Instant::now();
    }

    /// Locks the connection. A panic under an earlier lock has rolled its transaction back.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { connection: self.connection.lock(), changes: &self.changes }
    }

    /// Returns a number that differs after each change.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.read())
    }

    /// Replaces the catalogue. Call it with the connection locked.
    pub(super) fn replace_catalog(&self, catalog: Arc<Catalog>) {
        *self.catalog.write() = catalog;
    }

    pub(super) fn zone(&self) -> Tz {
        self.zone
    }

    /// Stops a running rebuild and rejects later ones. The next opening of the file rebuilds.
    ///
    /// Call it before [`Writer::wait`] when closing a store.
    pub fn stop_rebuilds(&self) {
        self.rebuilds_stopped.store(true, Ordering::Relaxed);
    }

    /// Returns [`StoreError::RebuildsStopped`] after [`Writer::stop_rebuilds`].
    pub(super) fn ensure_rebuilds_run(&self) -> Result<(), StoreError> {
        if self.rebuilds_stopped.load(Ordering::Relaxed) {
            return Err(StoreError::RebuildsStopped);
        }
        Ok(())
    }

    /// Waits for the running transaction, so that another `Store` on the same file does not compete
    /// with it. Blocks.
    pub fn wait(&self) {
        drop(self.lock());
    }
}
