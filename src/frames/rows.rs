//! Query results as JSON rows, serialized directly from the columns. `POST sql` responds with them.
//!
//! The writer counts the bytes, and the rows end at the limit of the result.

use std::cell::Cell as Flag;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};
use chrono::{DateTime, SecondsFormat};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::config;
use crate::catalog::Catalog;
use crate::query::QueryResult;
use crate::store::ResultColumn;

/// A query result as JSON, with each row as an array.
///
/// ```text
/// {"columns": [{"name", "type", "unit"}], "rows": [[…]], "truncated", "notices", "elapsedMs"}
/// ```
///
/// See [`json_type`] for the types.
pub struct Rows<'a> {
    result: &'a QueryResult,
    columns: Vec<ColumnHeader<'a>>,
    written: Written,
}

/// The number of bytes that a [`CountingWriter`] has written.
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<AtomicUsize>);

/// A writer that counts its bytes.
pub struct CountingWriter<W> {
    inner: W,
    written: Written,
}

impl<W: Write> CountingWriter<W> {
    /// Wraps `inner`. Its bytes count in `written`.
    pub fn new(inner: W, written: &Written) -> CountingWriter<W> {
        CountingWriter { inner, written: written.clone() }
    }
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.written.0.fetch_add(length, Ordering::Relaxed);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The rows of a result up to its limit for bytes.
struct LimitedRows<'a> {
    result: &'a QueryResult,
    written: &'a Written,
    is_cut: Flag<bool>,
}

impl<'a> LimitedRows<'a> {
    fn new(result: &'a QueryResult, written: &'a Written) -> LimitedRows<'a> {
        LimitedRows { result, written, is_cut: Flag::new(false) }
    }

    /// The numbers of the rows. They end at the limit.
    fn numbers(&self) -> impl Iterator<Item = usize> {
        (0..self.result.batch.rows).take_while(|_| {
            let fits = self.written.0.load(Ordering::Relaxed) < self.result.max_bytes;
            self.is_cut.set(!fits);
            fits
        })
    }
}

#[derive(Serialize)]
struct ColumnHeader<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    json_type: &'static str,
    unit: Option<&'static str>,
}

/// Returns `result` in a form that serializes as [`Rows`]. Copies no values. `written` counts the
/// bytes of the writer.
pub fn rows_json<'a>(result: &'a QueryResult, catalog: &Catalog, written: &Written) -> Rows<'a> {
    let columns = result
        .batch
        .columns
        .iter()
        .map(|column| ColumnHeader {
            name: &column.name,
            json_type: json_type(column.values.data_type()),
            unit: config::of_column(column, catalog).and_then(|config| config.unit),
        })
        .collect();
    Rows { result, columns, written: written.clone() }
}

/// Returns the JSON type of a column's values.
///
/// It is `time` (RFC 3339 text in UTC), `integer`, `number`, `string` or `boolean`.
pub fn json_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Timestamp(..) => "time",
        DataType::Int64 => "integer",
        DataType::Float64 => "number",
        DataType::Boolean => "boolean",
        _ => "string",
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Rows", 5)?;
        object.serialize_field("columns", &self.columns)?;
        let rows = LimitedRows::new(self.result, &self.written);
        object.serialize_field("rows", &AllRows(&rows))?;
        let is_cut = rows.is_cut.get();
        object.serialize_field("truncated", &(is_cut || self.result.batch.truncation.is_some()))?;
        let cut_notice = is_cut.then(|| {
            format!(
                "Only the first {} MB of the response are shown. Narrow the time range or \
                 aggregate.",
                self.result.max_bytes >> 20
            )
        });
        let notices: Vec<&String> = self.result.notices.iter().chain(&cut_notice).collect();
        object.serialize_field("notices", &notices)?;
        object.serialize_field("elapsedMs", &(self.result.elapsed.as_secs_f64() * 1e3))?;
        object.end()
    }
}

struct AllRows<'a>(&'a LimitedRows<'a>);

impl Serialize for AllRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = &self.0.result.batch.columns;
        serializer.collect_seq(self.0.numbers().map(|row| OneRow { columns, row }))
    }
}

struct OneRow<'a> {
    columns: &'a [ResultColumn],
    row: usize,
}

impl Serialize for OneRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.columns.iter().map(|column| Cell { values: &column.values, row: self.row }),
        )
    }
}

/// A query result as JSON objects, with one key per column:
/// `[{"collection": "sleep", "day": "2026-11-24"}, …]`.
pub struct Objects<'a> {
    result: &'a QueryResult,
    written: Written,
}

/// Returns `result` in a form that serializes as [`Objects`]. `written` counts the bytes of the
/// writer.
pub fn objects_json<'a>(result: &'a QueryResult, written: &Written) -> Objects<'a> {
    Objects { result, written: written.clone() }
}

impl Serialize for Objects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = &self.result.batch.columns;
        let rows = LimitedRows::new(self.result, &self.written);
        serializer.collect_seq(rows.numbers().map(|row| OneObject(OneRow { columns, row })))
    }
}

struct OneObject<'a>(OneRow<'a>);

impl Serialize for OneObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OneRow { columns, row } = self.0;
        serializer.collect_map(
            columns.iter().map(|column| (&column.name, Cell { values: &column.values, row })),
        )
    }
}

/// One value. Numbers that JSON lacks (infinity, NaN) become null.
struct Cell<'a> {
    values: &'a dyn Array,
    row: usize,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cell { values, row } = *self;
        match values.data_type() {
            _ if values.is_null(row) => serializer.serialize_unit(),
            DataType::Int64 => {
                serializer.serialize_i64(values.as_primitive::<Int64Type>().value(row))
            }
            DataType::Float64 => {
                serializer.serialize_f64(values.as_primitive::<Float64Type>().value(row))
            }
            DataType::Boolean => serializer.serialize_bool(values.as_boolean().value(row)),
            DataType::Timestamp(..) => {
                let timestamp = DateTime::from_timestamp_nanos(
                    values.as_primitive::<TimestampNanosecondType>().value(row),
                );
                serializer.serialize_str(&timestamp.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            _ => serializer.serialize_str(values.as_string::<i32>().value(row)),
        }
    }
}
