//! Guarded reads: one SELECT on a read-only connection, with a deadline and limits.
//!
//! [`guard`](super::guard) restricts tables and functions. `statement` runs the SELECT and appends
//! SQLite's values directly to Arrow builders. `columns` decides the type and the origin of each
//! result column. `watchdog` stops a statement at a limit. `explain` classifies SQLite's errors.

mod builder;
mod columns;
mod explain;
mod statement;
mod watchdog;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use arrow::array::ArrayRef;
use parking_lot::Mutex;

use super::guard::{GuardedConnection, Refusal};
use super::scalar::Scalar;
use crate::memory::Charge;
use crate::sql::TokenizedSql;
use crate::time::Tz;
use statement::Batching;

/// Limits of one read.
#[derive(Clone, Debug)]
pub struct ReadLimits {
    /// When the read stops with [`ReadError::Timeout`].
    pub deadline: Instant,
    /// Maximum number of rows. Further rows are counted, but not returned.
    pub max_rows: usize,
    /// Approximate maximum size of the result in bytes. The row that exceeds it is still returned.
    pub max_bytes: usize,
    /// Maximum memory of the statement while it runs, from its preparation to its end, in bytes.
    pub max_memory: usize,
    /// Lower-case names of the tables and views that the statement may read. `None` for all.
    pub tables: Option<Arc<BTreeSet<String>>>,
    /// Set to true by another thread to stop the read.
    pub cancelled: Arc<AtomicBool>,
}

/// The result of a read, by column.
#[derive(Debug, Default)]
pub struct ColumnBatch {
    /// The columns in the order of the SELECT. All have the same length.
    pub columns: Vec<ResultColumn>,
    /// Number of returned rows.
    pub rows: usize,
    /// Set if a limit cut the result off.
    pub truncation: Option<Truncation>,
    /// The memory of the columns.
    pub charge: Charge,
}

/// The limit that cut off a result, and the size of the whole result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// The limit that was reached.
    pub limit: Limit,
    /// Number of rows in the whole result, returned rows included.
    pub total_rows: usize,
    /// Whether `total_rows` is exact. Otherwise counting stopped early, and it is a minimum.
    pub is_exact: bool,
}

/// One column of a result.
///
/// The array is Int64, Float64, Utf8, Boolean or Timestamp(ns). Any value may be null.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    /// The column's name or alias. Names may repeat.
    pub name: String,
    /// The stored column that determines the unit of this one, if known.
    ///
    /// The store sets it for columns that are returned unchanged. `query::quantity` sets it for
    /// expressions that keep the unit, for example an average.
    pub origin: Option<Origin>,
    /// Whether other columns with the same unit are part of the values. Then the origin only has
    /// the unit, not the description.
    pub is_mixed: bool,
    /// One value per row.
    pub values: ArrayRef,
}

/// How a statement passes its rows on.
///
/// A batch has about 16,000 rows, and fewer if their texts are long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// In one batch, within the limits for rows and bytes.
    One,
    /// In batches without a limit for rows and bytes. The type of a column may change between two
    /// batches, for example from integers to text.
    Untyped,
    /// In batches of the same types, without a limit for rows and bytes. The values of a column
    /// without a declared type decide it, so a statement with one passes its rows as
    /// [`Batches::One`] does.
    Typed,
    /// As [`Batches::Typed`], within the limits. The last batch has the truncation.
    TypedWithinLimits,
}

/// Receives the rows of a statement in batches, the last one with `true`. Returns whether to
/// continue.
pub type BatchSink<'a> = dyn FnMut(ColumnBatch, bool) -> bool + 'a;

/// A column of a table or view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The table's or view's name.
    pub table: String,
    /// The column's name.
    pub column: String,
}

/// A limit on the size of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Number of rows.
    Rows(usize),
    /// Size in bytes.
    Bytes(usize),
}

/// Why a read failed. Offsets are byte offsets into the statement.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The guard denied access.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The text contains no statement.
    #[error("no statement found")]
    Empty,
    /// The text contains more than one statement.
    #[error("more than one statement")]
    SeveralStatements,
    /// The statement is not a SELECT.
    #[error("the statement returns no rows")]
    NoRows,
    /// SQLite cannot parse the statement.
    #[error("{message}")]
    Syntax {
        /// SQLite's message.
        message: String,
        /// The place of the error, if SQLite reports it.
        offset: Option<usize>,
    },
    /// The statement names an unknown table, column or function.
    #[error("no such {kind}: {name}")]
    Unknown {
        /// `table`, `column` or `function`.
        kind: &'static str,
        /// The unknown name.
        name: String,
        /// The place of the name, if SQLite reports it.
        offset: Option<usize>,
        /// Candidates: published tables, columns of the tables in the statement, or functions.
        known: Vec<String>,
    },
    /// The number of values differs from the number of parameters.
    #[error("The statement has {expected} parameters, but {given} values were given")]
    ParameterCount {
        /// Number of parameters in the statement.
        expected: usize,
        /// Number of given values.
        given: usize,
    },
    /// The deadline passed.
    #[error("the time limit was reached")]
    Timeout,
    /// Another thread cancelled the read.
    #[error("cancelled")]
    Cancelled,
    /// The statement, a value or the memory it needs is too large.
    #[error("{0}")]
    TooLarge(&'static str),
    /// Other queries use the memory that all queries of the process share.
    #[error("other queries use the memory for queries")]
    MemoryInUse,
    /// The statement reads the time zone of the machine.
    #[error("the time zone of the machine is unavailable")]
    MachineZone,
    /// A value caused an error, for example malformed JSON or an integer overflow.
    #[error("{0}")]
    Failed(String),
    /// SQLite found a damaged page.
    #[error("the database is damaged: {0}")]
    Damaged(#[source] rusqlite::Error),
    /// The process has no free file handle.
    #[error("too many files are open in this process")]
    TooManyFiles,
    /// SQLite cannot read the file.
    #[error("cannot read the database: {0}")]
    Unavailable(#[source] rusqlite::Error),
}

/// A pool of guarded connections to one file.
///
/// Connections are cheap to open, so a read never waits for one. `max_idle` only bounds the number
/// of idle connections.
pub(crate) struct ReaderPool {
    path: PathBuf,
    max_idle: usize,
    closed_tables: &'static [&'static str],
    zone: Tz,
    idle: Mutex<Vec<GuardedConnection>>,
    /// The columns in which values of another type than the declared one were found.
    several_types: Mutex<HashSet<Origin>>,
}

impl ReaderPool {
    /// A pool for the SQLite file at `path`.
    ///
    /// Queries cannot read `closed_tables` (lower-case names). Days are those of `zone`.
    pub fn new(
        path: &Path,
        max_idle: usize,
        closed_tables: &'static [&'static str],
        zone: Tz,
    ) -> ReaderPool {
        ReaderPool {
            path: path.to_owned(),
            max_idle,
            closed_tables,
            zone,
            idle: Mutex::default(),
            several_types: Mutex::default(),
        }
    }

    /// Runs one SELECT, and passes its rows to `sink` while it reads. Blocks until it ends, is
    /// cancelled or reaches a limit. The time that `sink` takes does not count.
    ///
    /// `params` are bound to `?1`, `?2`, … in order.
    pub fn read_batches(
        &self,
        sql: &TokenizedSql,
        params: &[Scalar],
        limits: &ReadLimits,
        batches: Batches,
        sink: &mut BatchSink<'_>,
    ) -> Result<(), ReadError> {
        let batching = Batching { batches, several_types: &self.several_types };
        self.with_reader(|reader| {
            statement::run(reader, sql, params, limits, self.zone, batching, sink)
        })
    }

    /// Runs one SELECT as [`ReaderPool::read_batches`] does, and returns all rows within `limits`.
    pub fn read(
        &self,
        sql: &TokenizedSql,
        params: &[Scalar],
        limits: &ReadLimits,
    ) -> Result<ColumnBatch, ReadError> {
        let mut rows = ColumnBatch::default();
        self.read_batches(sql, params, limits, Batches::One, &mut |batch, _| {
            rows = batch;
            true
        })?;
        Ok(rows)
    }

    /// Runs `read` on a connection of the pool.
    fn with_reader<T>(
        &self,
        mut read: impl FnMut(&GuardedConnection) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let reader = self.checkout().map_err(explain::file_error)?;
        let mut result = read(&reader);
        if matches!(result, Err(ReadError::Refused(Refusal::Table(_)))) {
            // The writer may have created the table after this connection loaded the list.
            reader.reload_tables().map_err(explain::file_error)?;
            result = read(&reader);
        }
        // A stopped statement may leave a large cache, or half of the schema.
        let is_reusable = !matches!(
            result,
            Err(ReadError::Unavailable(_)
                | ReadError::Damaged(_)
                | ReadError::TooManyFiles
                | ReadError::TooLarge(_)
                | ReadError::MemoryInUse
                | ReadError::Timeout
                | ReadError::Cancelled)
        );
        if !reader.is_immutable && is_reusable {
            self.check_in(reader);
        }
        result
    }

    /// Closes the idle connections. The next read opens one.
    pub(super) fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    fn checkout(&self) -> rusqlite::Result<GuardedConnection> {
        let idle = self.idle.lock().pop();
        match idle {
            Some(reader) => Ok(reader),
            None => GuardedConnection::open(&self.path, self.closed_tables, self.zone),
        }
    }

    fn check_in(&self, reader: GuardedConnection) {
        let mut idle = self.idle.lock();
        if idle.len() < self.max_idle {
            idle.push(reader);
        }
    }
}

#[cfg(test)]
mod tests;
