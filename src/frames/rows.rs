//! Query results as JSON rows, written directly from the columns. `POST sql` responds with them, as
//! arrays or as objects.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize, Serializer};

use super::config;
use crate::catalog::Catalog;
use crate::query::RowStream;
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

/// A writer that counts its bytes.
struct CountingWriter<W> {
    inner: W,
    bytes: usize,
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.bytes += length;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[derive(Serialize)]
struct ColumnHeader<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    json_type: &'static str,
    unit: Option<&'static str>,
}

impl<'a> ColumnHeader<'a> {
    fn of(column: &'a ResultColumn, catalog: &Catalog) -> ColumnHeader<'a> {
        ColumnHeader {
            name: &column.name,
            json_type: json_type(column.values.data_type()),
            unit: config::of_column(column, catalog).and_then(|config| config.unit),
        }
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

/// Writes a query result as JSON, while its rows are read. They end at the limit for bytes. Returns
/// the notices.
///
/// ```text
/// {"columns": [{"name", "type", "unit"}], "rows": [[…]], "truncated", "notices", "elapsedMs"}
/// ```
///
/// With [`RowForm::Objects`], `"results": [{…}]` replaces `rows`. See [`json_type`] for the types.
/// All batches must have the types of the first one.
pub fn write_json(
    mut rows: RowStream,
    catalog: &Catalog,
    form: RowForm,
    times: TimeForm,
    out: impl Write,
) -> io::Result<Vec<String>> {
    let reading_since = Instant::now();
    let columns = &rows.head.batch.columns;
    let columns: Vec<_> = columns.iter().map(|column| ColumnHeader::of(column, catalog)).collect();
    let mut out = CountingWriter { inner: out, bytes: 0 };
    out.write_all(b"{\"columns\":")?;
    serde_json::to_writer(&mut out, &columns)?;
    out.write_all(match form {
        RowForm::Arrays => b",\"rows\":[",
        RowForm::Objects => b",\"results\":[",
    })?;
    let is_cut = write_rows(&mut rows, form, times, &mut out)?;
    let mut notices = std::mem::take(&mut rows.head.notices);
    if is_cut {
        notices.push(format!(
            "Only the first {} MB of the response are shown. Narrow the time range or aggregate.",
            rows.head.max_bytes >> 20
        ));
    }
    let later = if rows.is_whole() { Duration::ZERO } else { reading_since.elapsed() };
    out.write_all(b"],\"truncated\":")?;
    serde_json::to_writer(&mut out, &(is_cut || rows.is_truncated()))?;
    out.write_all(b",\"notices\":")?;
    serde_json::to_writer(&mut out, &notices)?;
    out.write_all(b",\"elapsedMs\":")?;
    serde_json::to_writer(&mut out, &((rows.head.elapsed + later).as_secs_f64() * 1e3))?;
    out.write_all(b"}")?;
    Ok(notices)
}

/// Writes `{"name": [{…}], "truncated"}` with one object for each row, while the rows are read.
pub fn write_objects(name: &str, mut rows: RowStream, out: impl Write) -> io::Result<()> {
    let mut out = CountingWriter { inner: out, bytes: 0 };
    out.write_all(b"{")?;
    serde_json::to_writer(&mut out, name)?;
    out.write_all(b":[")?;
    let is_cut = write_rows(&mut rows, RowForm::Objects, TimeForm::Iso, &mut out)?;
    out.write_all(b"],\"truncated\":")?;
    serde_json::to_writer(&mut out, &(is_cut || rows.is_truncated()))?;
    out.write_all(b"}")
}

/// Writes the rows with commas between them. Returns whether the limit for bytes cut them off.
fn write_rows<W: Write>(
    rows: &mut RowStream,
    form: RowForm,
    times: TimeForm,
    out: &mut CountingWriter<W>,
) -> io::Result<bool> {
    let max_bytes = rows.head.max_bytes;
    let mut separator: &[u8] = b"";
    for batch in &mut *rows {
        let batch = batch?;
        for row in 0..batch.rows {
            if out.bytes >= max_bytes {
                return Ok(true);
            }
            out.write_all(separator)?;
            separator = b",";
            OneRow { columns: &batch.columns, row, times }.write(form, &mut *out)?;
        }
    }
    Ok(false)
}

/// One row. It serializes as an array.
pub(super) struct OneRow<'a> {
    pub(super) columns: &'a [ResultColumn],
    pub(super) row: usize,
    pub(super) times: TimeForm,
}

impl OneRow<'_> {
    /// Writes the row in `form`.
    pub(super) fn write(&self, form: RowForm, out: impl Write) -> io::Result<()> {
        match form {
            RowForm::Arrays => serde_json::to_writer(out, self)?,
            RowForm::Objects => serde_json::to_writer(out, &OneObject(self))?,
        }
        Ok(())
    }
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

struct OneObject<'a>(&'a OneRow<'a>);

impl Serialize for OneObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OneRow { columns, row, times } = *self.0;
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
