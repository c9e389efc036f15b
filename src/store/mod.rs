//! One data source's health data in one SQLite file. Raw documents are the truth; typed tables, samples and coverage derive from them.
//!
//! Nothing outside this module names SQLite. One writer, a pool of read-only readers, WAL.

mod column;
mod guard;
mod read;

pub use guard::Refusal;
pub use read::{ColumnBatch, Limit, Origin, OutColumn, ReadError, ReadLimits};

use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::time::Tz;

/// Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Store {
    _inner: Arc<()>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("placeholder")]
    Placeholder,
}

impl Store {
    /// Opens or creates the file, migrates it, and rebuilds what derives from raw documents if the catalogue or the zone has changed.
    pub fn open(path: &Path, catalog: Arc<Catalog>, zone: Tz) -> Result<Store, StoreError> {
        let _ = (path, catalog, zone);
        todo!()
    }

    /// Runs one SELECT under guard, on a reader's connection. Blocks.
    pub fn read(&self, sql: &str, params: &[serde_json::Value], limits: &ReadLimits) -> Result<ColumnBatch, ReadError> {
        let _ = (sql, params, limits);
        todo!()
    }
}
