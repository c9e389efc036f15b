//! Reading under guard: a read-only connection, an allow-list of tables and functions, a deadline, limits; rows straight into Arrow builders.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use arrow::array::ArrayRef;

/// What one read may take.
#[derive(Clone, Debug)]
pub struct ReadLimits {
    pub deadline: Instant,
    pub max_rows: usize,
    pub max_bytes: usize,
    /// Set to stop the read from another thread.
    pub cancelled: Arc<AtomicBool>,
}

/// The result of a read, by column.
#[derive(Debug)]
pub struct ColumnBatch {
    pub columns: Vec<OutColumn>,
    pub rows: usize,
    /// The limit that cut the result, if one did.
    pub cut: Option<Limit>,
}

/// One column: Int64, Float64, Utf8, Boolean or Timestamp(ns), nullable.
#[derive(Debug)]
pub struct OutColumn {
    pub name: String,
    /// The table and column it comes from unchanged, if it does.
    pub origin: Option<Origin>,
    pub values: ArrayRef,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub table: String,
    pub column: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Rows(usize),
    Bytes(usize),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("placeholder")]
    Placeholder,
}

/// A pool of guarded read-only connections.
pub(crate) struct Readers {}

impl Readers {
    pub(crate) fn new(path: &std::path::Path, size: usize, hidden: &'static [&'static str]) -> Result<Readers, super::StoreError> {
        let _ = (path, size, hidden);
        Ok(Readers {})
    }

    pub(crate) fn read(&self, sql: &str, params: &[serde_json::Value], limits: &ReadLimits) -> Result<ColumnBatch, ReadError> {
        let _ = (sql, params, limits);
        todo!()
    }
}
