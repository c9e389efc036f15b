//! Query results as JSON rows, serialized directly from the columns. `POST sql` responds with them,
//! as arrays or as objects.
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
use serde::{Deserialize, Serialize, Serializer};

use super::config;
use crate::catalog::Catalog;
use crate::query::QueryResult;
use crate::store::ResultColumn;

/// The form of a row in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum RowForm {
    /// An array of values. The rows are in the field `rows`.
    #[default]
    Arrays,
    /// An object with one key per column. The rows are in the field `results`.
    Objects,
}

/// The form of a time in JSON and CSV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub enum TimeForm {
    /// RFC 3339 text in UTC.
    #[default]
    Iso,
    /// Seconds since 1970, with a fraction only where the time has one.
    Seconds,
    /// Whole milliseconds since 1970.
    Milliseconds,
}

/// A query result as JSON.
///
/// ```text
/// {"columns": [{"name", "type", "unit"}], "rows": [[…]], "truncated", "notices", "elapsedMs"}
/// ```
///
/// With [`RowForm::Objects`], `"results": [{…}]` replaces `rows`. See [`json_type`] for the types.
pub struct Rows<'a> {
    result: &'a QueryResult,
    columns: Vec<ColumnHeader<'a>>,
    written: Written,
    form: RowForm,
    times: TimeForm,
}

impl Rows<'_> {
    /// Sets the form of rows and times.
    pub fn with_forms(self, form: RowForm, times: TimeForm) -> Self {
        Rows { form, times, ..self }
    }
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
    Rows {
        result,
        columns,
        written: written.clone(),
        form: RowForm::default(),
        times: TimeForm::default(),
    }
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
        match self.form {
            RowForm::Arrays => object.serialize_field("rows", &AllRows(&rows, self.times))?,
            RowForm::Objects => {
                object.serialize_field("results", &AllObjects(&rows, self.times))?
            }
        }
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

struct AllRows<'a>(&'a LimitedRows<'a>, TimeForm);

impl Serialize for AllRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = &self.0.result.batch.columns;
        serializer.collect_seq(self.0.numbers().map(|row| OneRow { columns, row, times: self.1 }))
    }
}

struct AllObjects<'a>(&'a LimitedRows<'a>, TimeForm);

impl Serialize for AllObjects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = &self.0.result.batch.columns;
        let objects = self.0.numbers().map(|row| OneObject(OneRow { columns, row, times: self.1 }));
        serializer.collect_seq(objects)
    }
}

pub(super) struct OneRow<'a> {
    pub(super) columns: &'a [ResultColumn],
    pub(super) row: usize,
    pub(super) times: TimeForm,
}

impl Serialize for OneRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.columns.iter().map(|column| Cell {
            values: &column.values,
            row: self.row,
            times: self.times,
        }))
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
        let rows = LimitedRows::new(self.result, &self.written);
        AllObjects(&rows, TimeForm::Iso).serialize(serializer)
    }
}

pub(super) struct OneObject<'a>(pub(super) OneRow<'a>);

impl Serialize for OneObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OneRow { columns, row, times } = self.0;
        serializer.collect_map(
            columns
                .iter()
                .map(|column| (&column.name, Cell { values: &column.values, row, times })),
        )
    }
}

/// One value. Numbers that JSON lacks (infinity, NaN) become null.
struct Cell<'a> {
    values: &'a dyn Array,
    row: usize,
    times: TimeForm,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cell { values, row, times } = *self;
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
                match time(values.as_primitive::<TimestampNanosecondType>().value(row), times) {
                    Time::Text(text) => serializer.serialize_str(&text),
                    Time::Whole(number) => serializer.serialize_i64(number),
                    Time::Fraction(number) => serializer.serialize_f64(number),
                }
            }
            _ => serializer.serialize_str(values.as_string::<i32>().value(row)),
        }
    }
}

/// A time in one of its forms.
pub(super) enum Time {
    Text(String),
    Whole(i64),
    Fraction(f64),
}

const NANOSECONDS: i64 = 1_000_000_000;

/// Converts nanoseconds since 1970.
pub(super) fn time(nanoseconds: i64, form: TimeForm) -> Time {
    match form {
        TimeForm::Iso => {
            let timestamp = DateTime::from_timestamp_nanos(nanoseconds);
            Time::Text(timestamp.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        TimeForm::Seconds if nanoseconds % NANOSECONDS == 0 => {
            Time::Whole(nanoseconds / NANOSECONDS)
        }
        TimeForm::Seconds => {
            // The whole seconds apart: a double cannot hold all nanoseconds since 1970.
            let seconds = nanoseconds.div_euclid(NANOSECONDS) as f64;
            Time::Fraction(seconds + nanoseconds.rem_euclid(NANOSECONDS) as f64 / 1e9)
        }
        TimeForm::Milliseconds => Time::Whole(nanoseconds.div_euclid(1_000_000)),
    }
}
