//! Reading under guard: a read-only connection, an allow-list of tables and functions, a deadline, limits; rows straight into Arrow builders.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Column, Rows, Statement, ffi};

use super::column::ColumnBuilder;
use super::guard::{Guarded, Refusal, open_functions};
use super::inspector::is_for_queries;
use crate::sql::TokenizedSql;
use crate::time::Tz;

/// Virtual machine instructions between two looks at the clock: well under a millisecond.
const STEPS_BETWEEN_CHECKS: i32 = 1_000;

/// How much more memory SQLite may use in this process than when a statement began, in bytes, for each statement that goes on. Readers
/// keep temporary tables and sorted rows in memory: health data never lies in a temporary file, and no statement can fill a disk.
const MAX_MEMORY: i64 = 256 << 20;

/// SQLite counts its memory for the whole process, not for a statement. Until it is used up twice over, only statements that have run for
/// this long are stopped for it: those that take much are among them, and a neighbour's quick panels are not.
const MEMORY_PATIENCE: Duration = Duration::from_millis(250);

/// How far beyond its limit one row may take an answer, in bytes.
const ROW_BYTES: usize = 32 << 20;

/// Statements that go on in this process.
static RUNNING: AtomicI64 = AtomicI64::new(0);

/// Counts a statement for as long as it goes on.
struct Running;

impl Running {
    fn begin() -> Running {
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long rows are counted that are not shown, to say how many there are.
const COUNTING: Duration = Duration::from_millis(500);

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
    pub columns: Vec<ResultColumn>,
    pub rows: usize,
    /// How the result was cut, if it was.
    pub cut: Option<Truncation>,
}

/// What cut a result, and how much there would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    pub limit: Limit,
    /// Rows that were counted.
    pub rows: usize,
    /// Whether these are all.
    pub counted: bool,
}

/// One column: Int64, Float64, Utf8, Boolean or Timestamp(ns), nullable.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    pub name: String,
    /// The table and column whose quantity it shows: it comes from there unchanged, or (as `query` finds out) aggregated.
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

/// Why a read gave nothing. Offsets are bytes into the statement.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no statement")]
    Empty,
    #[error("more than one statement")]
    SeveralStatements,
    #[error("this statement returns no rows")]
    NoRows,
    #[error("{message}")]
    Syntax { message: String, offset: Option<usize> },
    #[error("no such {kind}: {name}")]
    Unknown {
        kind: &'static str,
        name: String,
        offset: Option<usize>,
        /// The names it could have been: published tables, or columns of those that the statement names.
        known: Vec<String>,
    },
    #[error("the statement has {expected} parameters, {given} values were given")]
    ParameterCount { expected: usize, given: usize },
    #[error(
        "parameter {0} is a list or an object; only strings, numbers, booleans and null can be bound"
    )]
    Parameter(usize),
    #[error("the time limit was reached")]
    Timeout,
    #[error("cancelled")]
    Cancelled,
    #[error("{0}")]
    TooLarge(&'static str),
    /// The statement is right, its values are not: malformed JSON, an integer overflow.
    #[error("{0}")]
    Failed(String),
    #[error("the database cannot be read: {0}")]
    Unavailable(#[source] rusqlite::Error),
}

/// A pool of guarded connections to one file. Cheap to open, so it never blocks: `size` only bounds how many are kept.
pub(crate) struct Readers {
    path: PathBuf,
    size: usize,
    closed: &'static [&'static str],
    zone: Tz,
    idle: Mutex<Vec<Guarded>>,
}

impl Readers {
    /// Readers of the SQLite file at `path`, where nobody reads the tables named in `closed` (lower case). Text in time columns
    /// that names no offset is local time in `zone`.
    pub fn new(path: &Path, size: usize, closed: &'static [&'static str], zone: Tz) -> Readers {
        Readers { path: path.to_owned(), size, closed, zone, idle: Mutex::default() }
    }

    /// Runs one SELECT and blocks until it has ended, was cancelled or met a limit. `params` are bound to `?1`, `?2`, … in order.
    pub fn read(
        &self,
        sql: &TokenizedSql,
        params: &[serde_json::Value],
        limits: &ReadLimits,
    ) -> Result<ColumnBatch, ReadError> {
        let mut reader = self.take().map_err(ReadError::Unavailable)?;
        let mut result = attempt(&mut reader, sql, params, limits, self.zone);
        if matches!(result, Err(ReadError::Refused(Refusal::Table(_)))) {
            // The writer may have made the table after this connection last looked.
            reader.refresh().map_err(ReadError::Unavailable)?;
            result = attempt(&mut reader, sql, params, limits, self.zone);
        }
        if !reader.immutable && !matches!(result, Err(ReadError::Unavailable(_))) {
            self.put(reader);
        }
        result
    }

    fn take(&self) -> rusqlite::Result<Guarded> {
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| Guarded::open(&self.path, self.closed, self.zone), Ok)
    }

    fn put(&self, reader: Guarded) {
        let mut idle = self.idle.lock();
        if idle.len() < self.size {
            idle.push(reader);
        }
    }
}

/// Why the progress handler stopped a statement.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Deadline,
    Cancelled,
    Memory,
}

fn attempt(
    reader: &mut Guarded,
    sql: &TokenizedSql,
    params: &[serde_json::Value],
    limits: &ReadLimits,
    zone: Tz,
) -> Result<ColumnBatch, ReadError> {
    let stopped = Arc::new(OnceLock::new());
    let _running = Running::begin();
    watch_progress(reader, limits, stopped.clone()).map_err(ReadError::Unavailable)?;
    reader.watch();
    let result = run(reader, sql, params, limits, zone);
    let refusal = reader.unwatch();
    reader.connection.progress_handler(0, None::<fn() -> bool>).map_err(ReadError::Unavailable)?;

    result.map_err(|failure| match (failure, stopped.get(), refusal) {
        (_, Some(Stop::Deadline), _) => ReadError::Timeout,
        (_, Some(Stop::Cancelled), _) => ReadError::Cancelled,
        (_, Some(Stop::Memory), _) => {
            ReadError::TooLarge("sorting or collecting its rows needs too much memory")
        }
        (_, None, Some(refusal)) => refusal.into(),
        (Failure::Read(error), ..) => error,
        (Failure::Prepare(error), ..) => explain_statement(reader, sql.text(), error),
        (Failure::Run(error), ..) => explain_run(error),
    })
}

fn watch_progress(
    reader: &mut Guarded,
    limits: &ReadLimits,
    stopped: Arc<OnceLock<Stop>>,
) -> rusqlite::Result<()> {
    let ReadLimits { deadline, cancelled, .. } = limits.clone();
    let (began, before) = (Instant::now(), memory_used());
    let stop: Arc<super::functions::Stop> = Arc::new(move || {
        let taken = || memory_used() - before;
        let most = || MAX_MEMORY * RUNNING.load(Ordering::Relaxed).max(1);
        let stop = if cancelled.load(Ordering::Relaxed) {
            Stop::Cancelled
        } else if Instant::now() >= deadline {
            Stop::Deadline
        } else if taken() > most() && (began.elapsed() > MEMORY_PATIENCE || taken() > 2 * most()) {
            Stop::Memory
        } else {
            return false;
        };
        stopped.get_or_init(|| stop);
        true
    });
    super::functions::heed(&stop);
    reader.connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || stop()))
}

fn memory_used() -> i64 {
    // SAFETY: it takes nothing, and SQLite's memory counter may be read at any time from any thread.
    unsafe { ffi::sqlite3_memory_used() }
}

enum Failure {
    Prepare(rusqlite::Error),
    Run(rusqlite::Error),
    Read(ReadError),
}

fn run(
    reader: &Guarded,
    sql: &TokenizedSql,
    params: &[serde_json::Value],
    limits: &ReadLimits,
    zone: Tz,
) -> Result<ColumnBatch, Failure> {
    let mut statement = reader.connection.prepare(sql.text()).map_err(Failure::Prepare)?;
    if statement.column_count() == 0 || !statement.readonly() {
        return Err(Failure::Read(ReadError::NoRows));
    }
    bind(&mut statement, params)?;

    let trusted = !sql.is_compound();
    let origins: Vec<_> = statement
        .columns_with_metadata()
        .map(|column| origin(column.table_name(), column.origin_name()).filter(|_| trusted))
        .collect();
    let names: Vec<_> = statement.column_names().map(str::to_owned).collect();
    let builder = |column: Column<'_>| {
        ColumnBuilder::new(column.name(), column.decl_type().filter(|_| trusted), zone)
    };
    let mut builders: Vec<_> = statement.columns().map(builder).collect();

    let (mut count, mut bytes, mut cut) = (0, 0, None);
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(Failure::Run)? {
        let reached = if count == limits.max_rows {
            Some(Limit::Rows(limits.max_rows))
        } else {
            (bytes >= limits.max_bytes).then_some(Limit::Bytes(limits.max_bytes))
        };
        if let Some(limit) = reached {
            let (more, counted) = count_rest(&mut rows, limits);
            cut = Some(Truncation { limit, rows: count + 1 + more, counted });
            break;
        }
        for (index, builder) in builders.iter_mut().enumerate() {
            bytes += builder.push(row.get_ref_unwrap(index));
            if bytes > limits.max_bytes + ROW_BYTES {
                return Err(Failure::Read(ReadError::TooLarge("one of its rows is too large")));
            }
        }
        count += 1;
    }
    let columns = names
        .into_iter()
        .zip(origins)
        .zip(builders)
        .map(|((name, origin), builder)| ResultColumn { name, origin, values: builder.finish() })
        .collect();
    Ok(ColumnBatch { columns, rows: count, cut })
}

/// How many rows follow, and whether that is all. Whatever ends the counting, what is to be shown is there already.
fn count_rest(rows: &mut Rows<'_>, limits: &ReadLimits) -> (usize, bool) {
    let until = (Instant::now() + COUNTING).min(limits.deadline);
    let mut count = 0_usize;
    while let Ok(next) = rows.next() {
        if next.is_none() {
            return (count, true);
        }
        count += 1;
        if Instant::now() >= until {
            break;
        }
    }
    (count, false)
}

fn bind(statement: &mut Statement<'_>, params: &[serde_json::Value]) -> Result<(), Failure> {
    let expected = statement.parameter_count();
    if expected != params.len() {
        return Err(Failure::Read(ReadError::ParameterCount { expected, given: params.len() }));
    }
    for (index, param) in (1..).zip(params) {
        let value = sql_value(param).ok_or(Failure::Read(ReadError::Parameter(index)))?;
        statement.raw_bind_parameter(index, value).map_err(Failure::Run)?;
    }
    Ok(())
}

fn sql_value(param: &serde_json::Value) -> Option<Value> {
    Some(match param {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Integer(i64::from(*value)),
        serde_json::Value::Number(number) => number.as_i64().map_or_else(
            || number.as_f64().map(Value::Real),
            |value| Some(Value::Integer(value)),
        )?,
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
    })
}

fn origin(table: Option<&str>, column: Option<&str>) -> Option<Origin> {
    Some(Origin { table: table?.to_owned(), column: column?.to_owned() })
}

/// SQLite's refusal to prepare a statement as the situation it is.
fn explain_statement(reader: &Guarded, sql: &str, error: rusqlite::Error) -> ReadError {
    use rusqlite::{Error, ErrorCode};
    match error {
        Error::Empty => ReadError::Empty,
        Error::MultipleStatement => ReadError::SeveralStatements,
        Error::NulError(_) => ReadError::Syntax {
            message: "the statement contains a NUL character".to_owned(),
            offset: sql.find('\0'),
        },
        Error::SqlInputError { msg, offset, .. } => {
            mistake(reader, sql, msg, usize::try_from(offset).ok())
        }
        Error::SqliteFailure(code, Some(message)) if code.code == ErrorCode::Unknown => {
            mistake(reader, sql, message, None)
        }
        other => explain_run(other),
    }
}

/// What ended a statement that was running.
fn explain_run(error: rusqlite::Error) -> ReadError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => {
            ReadError::TooLarge("the statement, or a text or blob in it, is too large")
        }
        Some(ErrorCode::OutOfMemory) => ReadError::TooLarge("it needs more memory than there is"),
        Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange) => {
            ReadError::Failed(error.to_string())
        }
        _ => ReadError::Unavailable(error),
    }
}

/// SQLITE_ERROR stands for every mistake in a statement; the message tells which.
fn mistake(reader: &Guarded, sql: &str, message: String, offset: Option<usize>) -> ReadError {
    let unknown = |kind: &'static str| {
        Some((kind, message.strip_prefix(&format!("no such {kind}: "))?.to_owned()))
    };
    match ["table", "column", "function"].into_iter().find_map(unknown) {
        Some((kind, name)) => {
            ReadError::Unknown { kind, name, offset, known: known(reader, sql, kind) }
        }
        None => ReadError::Syntax { message, offset },
    }
}

fn known(reader: &Guarded, sql: &str, kind: &str) -> Vec<String> {
    let tables: Vec<String> =
        reader.tables().into_iter().filter(|table| is_for_queries(table)).collect();
    if kind == "table" {
        return tables;
    }
    if kind == "function" {
        return open_functions().map(str::to_owned).collect();
    }
    let text = sql.to_ascii_lowercase();
    let mut columns: Vec<_> = tables
        .iter()
        .filter(|table| text.contains(table.as_str()))
        .filter_map(|table| reader.columns(table).ok())
        .flatten()
        .collect();
    columns.sort();
    columns.dedup();
    columns
}

#[cfg(test)]
mod tests;
