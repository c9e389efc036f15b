//! Runs one statement and collects its rows by column, all at once or in batches.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use arrow::array::Array;
use arrow::datatypes::DataType;
use parking_lot::Mutex;
use rusqlite::{Row, Rows, Statement, StatementStatus};

use super::builder::ColumnBuilder;
use super::columns::ColumnInfo;
use super::watchdog::Watchdog;
use super::{
    BatchSink, Batches, ColumnBatch, Limit, Origin, ReadError, ReadLimits, ResultColumn, Truncation,
};
use super::{columns, explain};
use crate::memory::Charge;
use crate::sql::TokenizedSql;
use crate::store::guard::GuardedConnection;
use crate::store::meter;
use crate::store::scalar::Scalar;
use crate::time::Tz;

/// How far one row may exceed the byte limit, in bytes.
const MAX_ROW_OVERRUN: usize = 32 << 20;

/// The step in which rows take memory from the process's budget, in bytes.
const CHUNK: usize = 1 << 20;

/// The rows of one batch. A batch of long texts ends earlier, at [`BATCH_BYTES`].
const BATCH_ROWS: usize = 16 << 10;

/// Approximate maximum size of one batch, in bytes.
const BATCH_BYTES: usize = 4 << 20;

/// Maximum time for counting the rows beyond a limit.
const MAX_COUNTING_TIME: Duration = Duration::from_millis(500);

/// A failure that is not yet explained. The phase decides the explanation.
enum Failure {
    Prepare(rusqlite::Error),
    Run(rusqlite::Error),
    Read(ReadError),
}

/// Runs one SELECT on `reader` under its guard and within `limits`, and passes its rows to `sink`.
/// The time that `sink` takes does not count.
pub(super) fn run(
    reader: &GuardedConnection,
    sql: &TokenizedSql,
    params: &[Scalar],
    limits: &ReadLimits,
    zone: Tz,
    batching: Batching<'_>,
    sink: &mut BatchSink<'_>,
) -> Result<(), ReadError> {
    guarded(reader, sql, limits, || {
        let mut statement = prepare(reader, sql, params)?;
        send_rows(&mut statement, sql, limits, zone, batching, sink)
    })
}

/// How to form batches.
#[derive(Clone, Copy)]
pub(super) struct Batching<'a> {
    pub batches: Batches,
    /// The columns in which values of another type than the declared one were found.
    pub several_types: &'a Mutex<HashSet<Origin>>,
}

/// Runs `read` under the guard and the watchdog. If one of them stopped the statement, its reason
/// replaces SQLite's error.
fn guarded<T>(
    reader: &GuardedConnection,
    sql: &TokenizedSql,
    limits: &ReadLimits,
    read: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, ReadError> {
    let watchdog = Watchdog::start(limits);
    reader.start_checks(sql, limits.tables.as_ref());
    let result = read();
    let refusal = reader.finish_checks();
    let stopped = watchdog.finish();
    result.map_err(|failure| match (stopped, refusal, failure) {
        (Some(error), _, _) => error,
        (None, Some(refusal), _) => refusal.into(),
        (None, None, Failure::Read(error)) => error,
        (None, None, Failure::Prepare(error)) => explain::prepare_error(reader, sql.text(), error),
        (None, None, Failure::Run(error)) => explain::run_error(error),
    })
}

/// Prepares the statement and binds its parameters.
fn prepare<'a>(
    reader: &'a GuardedConnection,
    sql: &TokenizedSql,
    params: &[Scalar],
) -> Result<Statement<'a>, Failure> {
    reader.bound_values(0).map_err(Failure::Run)?;
    let mut statement = reader.connection.prepare(sql.text()).map_err(Failure::Prepare)?;
    if statement.column_count() == 0 || !statement.readonly() {
        return Err(Failure::Read(ReadError::NoRows));
    }
    let size = statement.get_status(StatementStatus::MemUsed).unsigned_abs();
    reader.bound_values(size as usize).map_err(Failure::Run)?;
    bind(&mut statement, params)?;
    reader.set_wall_clock().map_err(Failure::Run)?;
    Ok(statement)
}

fn send_rows(
    statement: &mut Statement<'_>,
    sql: &TokenizedSql,
    limits: &ReadLimits,
    zone: Tz,
    Batching { batches, several_types }: Batching<'_>,
    sink: &mut BatchSink<'_>,
) -> Result<(), Failure> {
    let infos = columns::describe(statement, sql);
    let has_several_types = |origin: &Option<Origin>| {
        origin.as_ref().is_some_and(|origin| several_types.lock().contains(origin))
    };
    let are_declared =
        infos.iter().all(|info| info.column_type.is_declared() && !has_several_types(&info.origin));
    let is_typed = batches != Batches::Untyped;
    let is_whole = batches == Batches::One || (is_typed && !are_declared);
    let is_limited = is_whole || batches == Batches::TypedWithinLimits;
    let mut sender =
        Sender { sink, several_types: is_typed.then_some(several_types), types: None, rows: 0 };
    let mut collector = Collector::new(infos, zone);
    let mut truncation = None;
    let mut sent_bytes = 0;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(Failure::Run)? {
        if is_limited {
            let read = sender.rows + collector.rows;
            if let Some(limit) = reached_limit(read, sent_bytes + collector.bytes, limits) {
                let (more_rows, is_exact) = count_rest(&mut rows);
                truncation = Some(Truncation { limit, total_rows: read + 1 + more_rows, is_exact });
                break;
            }
        }
        if !is_whole && (collector.rows >= BATCH_ROWS || collector.bytes >= BATCH_BYTES) {
            sent_bytes += collector.bytes;
            sender.send(collector.finish()?, false)?;
        }
        collector.push(row, limits)?;
    }
    sender.send(ColumnBatch { truncation, ..collector.finish()? }, true)
}

/// Passes batches on.
struct Sender<'a, 'b> {
    sink: &'a mut BatchSink<'b>,
    /// Set if all batches must have the types of the first one.
    several_types: Option<&'a Mutex<HashSet<Origin>>>,
    types: Option<Vec<DataType>>,
    /// The rows of the batches so far.
    rows: usize,
}

impl Sender<'_, '_> {
    fn send(&mut self, batch: ColumnBatch, is_last: bool) -> Result<(), Failure> {
        if let Some(several_types) = self.several_types {
            self.require_same_types(&batch, several_types)?;
        }
        self.rows += batch.rows;
        let waiting_since = Instant::now();
        let is_wanted = (self.sink)(batch, is_last);
        meter::extend_deadline(waiting_since.elapsed());
        if is_wanted { Ok(()) } else { Err(Failure::Read(ReadError::Cancelled)) }
    }

    /// Fails if `batch` has other types than the first one, and adds its column to `several_types`.
    ///
    /// A column of integers may have a number with a fraction, which Oura sent against its
    /// specification. The next read of the column returns its rows in one batch.
    fn require_same_types(
        &mut self,
        batch: &ColumnBatch,
        several_types: &Mutex<HashSet<Origin>>,
    ) -> Result<(), Failure> {
        let types = batch.columns.iter().map(|column| column.values.data_type());
        let Some(first) = &self.types else {
            self.types = Some(types.cloned().collect());
            return Ok(());
        };
        let Some(index) = first.iter().zip(types).position(|(first, other)| first != other) else {
            return Ok(());
        };
        let column = &batch.columns[index];
        several_types.lock().extend(column.origin.clone());
        tracing::warn!(column = column.name, "a column has values of several types");
        Err(Failure::Read(ReadError::Failed(format!(
            "column {:?} has values of several types: repeat the query, which then reads all rows \
             before it returns the first",
            column.name
        ))))
    }
}

/// The rows of one batch while they arrive.
struct Collector {
    columns: Vec<ColumnInfo>,
    builders: Vec<ColumnBuilder>,
    zone: Tz,
    rows: usize,
    /// Approximate size of the rows.
    bytes: usize,
    charge: Charge,
}

impl Collector {
    fn new(columns: Vec<ColumnInfo>, zone: Tz) -> Collector {
        let builders = columns.iter().map(|column| ColumnBuilder::new(column.column_type, zone));
        Collector {
            builders: builders.collect(),
            columns,
            zone,
            rows: 0,
            bytes: 0,
            charge: Charge::new(usize::MAX),
        }
    }

    fn push(&mut self, row: &Row<'_>, limits: &ReadLimits) -> Result<(), Failure> {
        for (index, builder) in self.builders.iter_mut().enumerate() {
            self.bytes += builder.push(row.get_ref_unwrap(index));
            if self.bytes > limits.max_bytes.saturating_add(MAX_ROW_OVERRUN) {
                return Err(Failure::Read(ReadError::TooLarge("one of its rows is too large")));
            }
        }
        self.rows += 1;
        if self.bytes > self.charge.bytes() {
            self.charge.add(CHUNK).map_err(|_| Failure::Read(ReadError::MemoryInUse))?;
        }
        Ok(())
    }

    /// Returns the rows so far, and continues with an empty batch. A type that the rows decided
    /// stays.
    fn finish(&mut self) -> Result<ColumnBatch, Failure> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (info, builder) in self.columns.iter_mut().zip(self.builders.drain(..)) {
            let values = builder.finish();
            info.column_type = info.column_type.decided_by(values.as_ref());
            columns.push(ResultColumn {
                name: info.name.clone(),
                origin: info.origin.clone(),
                is_mixed: false,
                values,
            });
        }
        let next = self.columns.iter().map(|info| ColumnBuilder::new(info.column_type, self.zone));
        self.builders.extend(next);
        let mut charge = std::mem::replace(&mut self.charge, Charge::new(usize::MAX));
        let bytes = columns.iter().map(|column| column.values.get_buffer_memory_size()).sum();
        charge.set(bytes).map_err(|_| Failure::Read(ReadError::MemoryInUse))?;
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        Ok(ColumnBatch { columns, rows, truncation: None, charge })
    }
}

fn reached_limit(rows: usize, bytes: usize, limits: &ReadLimits) -> Option<Limit> {
    if rows == limits.max_rows {
        Some(Limit::Rows(limits.max_rows))
    } else if bytes >= limits.max_bytes {
        Some(Limit::Bytes(limits.max_bytes))
    } else {
        None
    }
}

/// Counts the remaining rows. Returns the count, and whether it is exact. The deadline of the
/// statement holds here, too.
///
/// An error only ends the counting, because the rows to return are already complete.
fn count_rest(rows: &mut Rows<'_>) -> (usize, bool) {
    let stop_at = Instant::now() + MAX_COUNTING_TIME;
    let mut count = 0_usize;
    while let Ok(next) = rows.next() {
        if next.is_none() {
            return (count, true);
        }
        count += 1;
        if Instant::now() >= stop_at {
            break;
        }
    }
    (count, false)
}

fn bind(statement: &mut Statement<'_>, params: &[Scalar]) -> Result<(), Failure> {
    let expected = statement.parameter_count();
    if expected != params.len() {
        return Err(Failure::Read(ReadError::ParameterCount { expected, given: params.len() }));
    }
    for (index, param) in (1..).zip(params) {
        statement.raw_bind_parameter(index, param).map_err(Failure::Run)?;
    }
    Ok(())
}
