//! Rollups: minimum, maximum, sum and count of a table's values in buckets of time. A long range reads them instead of every row.
//!
//! They derive from what they summarize, each from the next finer one, and change in the same transaction.

use std::ops::Range;

use rusqlite::{Transaction, params_from_iter};

use super::StoreError;
use crate::sql::quote_identifier;
use crate::time::Instant;

/// A table of buckets with the columns `time`, the key, `minimum`, `maximum`, `sum` and `count`; the mean is `sum / count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// The name queries use.
    pub table: &'static str,
    /// The table whose rows it summarizes, by the name queries use.
    pub of: &'static str,
    /// The column of `of` that is summarized.
    pub value: &'static str,
    /// The column that keeps rows apart: those of different keys share no bucket.
    pub key: &'static str,
    /// A bucket's length; its `time` is a multiple of it since 1970, UTC.
    pub seconds: i64,
}

/// For each table the finest first, each length a multiple of the one before.
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

pub(super) const SAMPLES_TABLE: &str = "samples";

impl Rollup {
    /// The coarsest rollup of `of` whose buckets fill steps of `step` seconds without a remainder; `None` if only rows do.
    pub fn for_step(of: &str, step: i64) -> Option<&'static Rollup> {
        ROLLUPS.iter().rev().find(|rollup| rollup.of == of && step % rollup.seconds == 0)
    }
}

/// Brings the buckets that `span` touches up to date. `series` restricts it to one series of samples.
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
        let table = stored(rollup.table, rollup.of);
        transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE {within}"))?
            .execute(params_from_iter(&values))?;
        transaction
            .prepare_cached(&summary(rollup, finer, &within))?
            .execute(params_from_iter(&values))?;
        finer = Some(rollup);
    }
    Ok(())
}

/// Derives every rollup of `of` anew.
pub(super) fn rebuild(transaction: &Transaction, of: &str) -> Result<(), StoreError> {
    let mut finer = None;
    for rollup in ROLLUPS.iter().filter(|rollup| rollup.of == of) {
        transaction.execute(&format!("DELETE FROM {}", stored(rollup.table, rollup.of)), [])?;
        transaction.execute(&summary(rollup, finer, "TRUE"), [])?;
        finer = Some(rollup);
    }
    Ok(())
}

/// Fills `rollup` with the buckets of what lies `within`: from the `finer` rollup, else from the rows.
fn summary(rollup: &Rollup, finer: Option<&Rollup>, within: &str) -> String {
    let Rollup { key, seconds, of, .. } = *rollup;
    let value = quote_identifier(rollup.value);
    let (from, columns) = match finer {
        Some(finer) => (
            stored(finer.table, of),
            "min(minimum), max(maximum), total(sum), sum(count)".to_owned(),
        ),
        None => (stored(of, of), format!("min({value}), max({value}), total({value}), count(*)")),
    };
    let present = if finer.is_some() { String::new() } else { format!(" AND {value} IS NOT NULL") };
    format!(
        "INSERT INTO {table} ({key}, time, minimum, maximum, sum, count)
         SELECT {key}, time - ((time % {seconds}) + {seconds}) % {seconds}, {columns} FROM {from} WHERE {within}{present} GROUP BY 1, 2",
        table = stored(rollup.table, of),
    )
}

/// The table behind a published name: those of samples know a series by its number.
fn stored(table: &str, of: &str) -> String {
    if of == SAMPLES_TABLE { format!("{table}_data") } else { table.to_owned() }
}
