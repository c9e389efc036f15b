//! Runs one statement and collects its rows by column.

use std::time::{Duration, Instant};

use arrow::array::Array;
use rusqlite::{Rows, Statement, StatementStatus};

use super::builder::ColumnBuilder;
use super::watchdog::Watchdog;
use super::{ColumnBatch, Limit, ReadError, ReadLimits, ResultColumn, Truncation};
use super::{columns, explain};
use crate::memory::Charge;
use crate::sql::TokenizedSql;
use crate::store::guard::GuardedConnection;
use crate::store::scalar::Scalar;
use crate::time::Tz;

/// How far one row may exceed the byte limit, in bytes.
const MAX_ROW_OVERRUN: usize = 32 << 20;

/// The step in which rows take memory from the process's budget, in bytes.
const CHUNK: usize = 1 << 20;

/// Maximum time for counting the rows beyond a limit.
const MAX_COUNTING_TIME: Duration = Duration::from_millis(500);

/// A failure that is not yet explained. The phase decides the explanation.
enum Failure {
    Prepare(rusqlite::Error),
    Run(rusqlite::Error),
    Read(ReadError),
}

/// Runs one SELECT on `reader` under its guard and within `limits`.
///
/// If the watchdog or the guard stopped the statement, their reason replaces SQLite's error.
pub(super) fn run(
    reader: &GuardedConnection,
    sql: &TokenizedSql,
    params: &[Scalar],
    limits: &ReadLimits,
    zone: Tz,
) -> Result<ColumnBatch, ReadError> {
    let watchdog = Watchdog::start(limits);
    reader.start_checks(sql, limits.tables.as_ref());
    let result = collect_rows(reader, sql, params, limits, zone);
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

fn collect_rows(
    reader: &GuardedConnection,
    sql: &TokenizedSql,
    params: &[Scalar],
    limits: &ReadLimits,
    zone: Tz,
) -> Result<ColumnBatch, Failure> {
    reader.bound_values(0).map_err(Failure::Run)?;
    let mut statement = reader.connection.prepare(sql.text()).map_err(Failure::Prepare)?;
    if statement.column_count() == 0 || !statement.readonly() {
        return Err(Failure::Read(ReadError::NoRows));
    }
    let size = statement.get_status(StatementStatus::MemUsed).unsigned_abs();
    reader.bound_values(size as usize).map_err(Failure::Run)?;
    bind(&mut statement, params)?;
    reader.set_wall_clock().map_err(Failure::Run)?;

    let columns = columns::describe(&statement, sql);
    let mut builders: Vec<_> =
        columns.iter().map(|column| ColumnBuilder::new(column.column_type, zone)).collect();

    let mut count = 0;
    let mut bytes = 0;
    let mut truncation = None;
    let mut charge = Charge::new(usize::MAX);
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(Failure::Run)? {
        if let Some(limit) = reached_limit(count, bytes, limits) {
            let (more_rows, is_exact) = count_rest(&mut rows, limits);
            truncation = Some(Truncation { limit, total_rows: count + 1 + more_rows, is_exact });
            break;
        }
        for (index, builder) in builders.iter_mut().enumerate() {
            bytes += builder.push(row.get_ref_unwrap(index));
            if bytes > limits.max_bytes + MAX_ROW_OVERRUN {
                return Err(Failure::Read(ReadError::TooLarge("one of its rows is too large")));
            }
        }
        count += 1;
        if bytes > charge.bytes() {
            charge.add(CHUNK).map_err(|_| Failure::Read(ReadError::MemoryInUse))?;
        }
    }
    let columns: Vec<_> = columns
        .into_iter()
        .zip(builders)
        .map(|(column, builder)| ResultColumn {
            name: column.name,
            origin: column.origin,
            values: builder.finish(),
        })
        .collect();
    let bytes = columns.iter().map(|column| column.values.get_buffer_memory_size()).sum();
    charge.set(bytes).map_err(|_| Failure::Read(ReadError::MemoryInUse))?;
    Ok(ColumnBatch { columns, rows: count, truncation, charge })
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

/// Counts the remaining rows. Returns the count, and whether it is exact.
///
/// An error only ends the counting, because the rows to return are already complete.
fn count_rest(rows: &mut Rows<'_>, limits: &ReadLimits) -> (usize, bool) {
    let stop_at = (Instant::now() + MAX_COUNTING_TIME).min(limits.deadline);
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
