//! Columns that hold times.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};

use crate::catalog::{Catalog, Kind, Storage};
use crate::time::{Instant, Tz};

const NANOSECONDS: i64 = 1_000_000_000;

/// The maximum number of Unix seconds. The nanoseconds of larger numbers exceed 64 bits.
const MAX_SECONDS: f64 = 9.2e9;

/// Time columns of tables and views that the catalogue lacks, besides every column named `time`.
const TIME_COLUMNS: [(&str, &str); 15] = [
    ("collections", "last_sync"),
    ("coverage", "fetched_at"),
    ("nights", "bedtime_start"),
    ("nights", "bedtime_end"),
    ("oura_raw_documents", "changed_at"),
    ("oura_raw_documents", "deleted_at"),
    ("oura_raw_documents", "end_at"),
    ("oura_raw_documents", "first_seen_at"),
    ("oura_raw_documents", "last_seen_at"),
    ("oura_raw_documents", "start_at"),
    ("sync_runs", "started_at"),
    ("sync_runs", "ended_at"),
    ("sync_status", "last_sync"),
    ("sync_windows", "queued_at"),
    ("sync_windows", "done_at"),
];

/// Returns whether `column` of `table`, which may be a view, holds instants.
pub(super) fn is_time_column(table: &str, column: &str, catalog: &Catalog) -> bool {
    if column.eq_ignore_ascii_case("time") {
        return true;
    }
    let is_listed = TIME_COLUMNS.iter().any(|(known_table, known_column)| {
        known_table.eq_ignore_ascii_case(table) && known_column.eq_ignore_ascii_case(column)
    });
    is_listed
        || catalog
            .collections
            .iter()
            .filter(|collection| collection.table.eq_ignore_ascii_case(table))
            .flat_map(|collection| &collection.columns)
            .any(|known| known.kind == Kind::Instant && known.name.eq_ignore_ascii_case(column))
}

/// Views and tables with a row per day. Their `time` is the local midnight of the day.
const DAY_TABLES: [&str; 11] = [
    "baselines",
    "calendar",
    "coverage",
    "days",
    "nights",
    "signs",
    "sleep_debt",
    "sleep_regularity",
    "sleep_times",
    "sleep_timing",
    "training_load",
];

/// Returns whether `column` of `table`, which may be a view, holds local midnights.
///
/// In tables of documents, `time` is the start of the document, or the midnight of its day if it
/// has no start.
pub(super) fn is_midnight_column(table: &str, column: &str, catalog: &Catalog) -> bool {
    let is_day_table = || {
        DAY_TABLES.iter().any(|known| known.eq_ignore_ascii_case(table))
            || catalog
                .collections
                .iter()
                .filter(|collection| collection.table.eq_ignore_ascii_case(table))
                .any(|collection| {
                    collection.storage == Storage::Documents && collection.time.start.is_empty()
                })
    };
    column.eq_ignore_ascii_case("time") && is_day_table()
}

/// Returns whether a column holds calendar days, judged by its name: `day`, `start_day`. In our
/// tables, every column with such a name is text.
pub(in crate::query) fn is_day_name(column: &str) -> bool {
    ["day", "start_day", "end_day", "first_day", "last_day"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(column))
}

/// Converts Unix seconds to timestamps. Other types stay unchanged.
pub(super) fn to_timestamps(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Int64 => {
            let seconds = values.as_primitive::<Int64Type>().iter();
            let timestamps: TimestampNanosecondArray =
                seconds.map(|second| second?.checked_mul(NANOSECONDS)).collect();
            Arc::new(timestamps)
        }
        DataType::Float64 => {
            let seconds = values.as_primitive::<Float64Type>().iter();
            let timestamps: TimestampNanosecondArray = seconds
                .map(|second| second.filter(|second| second.abs() < MAX_SECONDS))
                .map(|second| second.map(|second| (second * NANOSECONDS as f64) as i64))
                .collect();
            Arc::new(timestamps)
        }
        _ => Arc::clone(values),
    }
}

/// Reads timestamps again that came as text without an offset: as local time in `zone`, not UTC.
pub(super) fn from_local(values: &ArrayRef, zone: Tz) -> ArrayRef {
    let Some(utc) = values.as_primitive_opt::<TimestampNanosecondType>() else {
        return Arc::clone(values);
    };
    let local: TimestampNanosecondArray = utc
        .iter()
        .map(|nanoseconds| {
            let written = Instant(nanoseconds?.div_euclid(NANOSECONDS));
            written.read_as_local(zone).seconds().checked_mul(NANOSECONDS)
        })
        .collect();
    Arc::new(local)
}
