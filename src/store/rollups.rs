//! Rollups: minimum, maximum, sum and count of a table's values in buckets of time. Queries over a
//! long range read them instead of every row.
//!
//! Each rollup derives from the next finer one, and changes in the transaction that changes the
//! rows.

use std::ops::Range;

use rusqlite::{Transaction, params_from_iter};

use super::error::StoreError;
use crate::sql::quote_identifier;
use crate::time::Instant;

/// A table of buckets with the columns `time`, the key, `minimum`, `maximum`, `sum` and `count`.
/// The mean is `sum / count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// The published name of the table.
    pub table: &'static str,
    /// The published name of the table with the rows.
    pub of: &'static str,
    /// The summarized column of `of`.
    pub value: &'static str,
    /// The column that separates buckets: rows with different keys share none.
    pub key: &'static str,
    /// A bucket's length in seconds. Its `time` is a multiple of it since 1970 in UTC.
    pub seconds: i64,
}

/// All rollups: for each table the finest first. Each length is a multiple of the previous one.
pub const ROLLUPS: &[Rollup] = &[
    of_heart_rate("heartrate_5m", 300),
    of_heart_rate("heartrate_1h", 3_600),
    of_heart_rate("heartrate_1d", 86_400),
    of_samples("samples_1h", 3_600),
    of_samples("samples_1d", 86_400),
];

const fn of_heart_rate(table: &'static str, seconds: i64) -> Rollup {
    Rollup { table, of: "heartrate", value: "bpm", key: "source", seconds }
}

const fn of_samples(table: &'static str, seconds: i64) -> Rollup {
    Rollup { table, of: SAMPLES_TABLE, value: "value", key: "series", seconds }
}

/// The published name of the table of samples.
pub(super) const SAMPLES_TABLE: &str = "samples";

impl Rollup {
    /// Returns the coarsest rollup of `of` with buckets that divide `step` seconds, or `None` if
    /// only the rows serve.
    pub fn for_step(of: &str, step: i64) -> Option<&'static Rollup> {
        ROLLUPS.iter().rev().find(|rollup| rollup.of == of && step % rollup.seconds == 0)
    }
}

/// Updates the buckets that overlap `span`. `series` restricts it to one series of samples.
pub(super) fn refresh(
    transaction: &Transaction,
    of: &str,
    series: Option<i64>,
    span: Range<Instant>,
) -> Result<(), StoreError> {
    let mut finer = None;
    for rollup in ROLLUPS.iter().filter(|rollup| rollup.of == of) {
        let begin = span.start.0.div_euclid(rollup.seconds) * rollup.seconds;
        let end = (span.end.0.saturating_sub(1).div_euclid(rollup.seconds) + 1)
            .saturating_mul(rollup.seconds);
        let values: Vec<i64> = [begin, end].into_iter().chain(series).collect();
        let within = format!(
            "time >= ?1 AND time < ?2{}",
            if series.is_some() { " AND series = ?3" } else { "" }
        );
        let table = stored_table(rollup.table, rollup.of);
        transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE {within}"))?
            .execute(params_from_iter(&values))?;
        transaction
            .prepare_cached(&fill_statement(rollup, finer, &within))?
            .execute(params_from_iter(&values))?;
        finer = Some(rollup);
    }
    Ok(())
}

/// Fills all rollups of `of` again.
pub(super) fn rebuild(transaction: &Transaction, of: &str) -> Result<(), StoreError> {
    let mut finer = None;
    for rollup in ROLLUPS.iter().filter(|rollup| rollup.of == of) {
        transaction
            .execute(&format!("DELETE FROM {}", stored_table(rollup.table, rollup.of)), [])?;
        transaction.execute(&fill_statement(rollup, finer, "TRUE"), [])?;
        finer = Some(rollup);
    }
    Ok(())
}

/// The statement that fills `rollup` from the rows, or from the `finer` rollup if there is one.
/// `within` is the condition on their time.
fn fill_statement(rollup: &Rollup, finer: Option<&Rollup>, within: &str) -> String {
    let Rollup { key, seconds, of, .. } = *rollup;
    let value = quote_identifier(rollup.value);
    let table = stored_table(rollup.table, of);
    let bucket = format!("time - ((time % {seconds}) + {seconds}) % {seconds}");
    let source = match finer {
        Some(finer) => format!(
            "min(minimum), max(maximum), total(sum), sum(count) FROM {} WHERE {within}",
            stored_table(finer.table, of)
        ),
        None => format!(
            "min({value}), max({value}), total({value}), count(*) FROM {}
             WHERE {within} AND {value} IS NOT NULL",
            stored_table(of, of)
        ),
    };
    format!(
        "INSERT INTO {table} ({key}, time, minimum, maximum, sum, count)
         SELECT {key}, {bucket}, {source} GROUP BY 1, 2"
    )
}

/// The table behind a published name. Tables of samples store a series by its number.
fn stored_table(table: &str, of: &str) -> String {
    if of == SAMPLES_TABLE { format!("{table}_data") } else { table.to_owned() }
}
