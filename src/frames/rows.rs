//! Query results as JSON rows, serialized directly from the columns. `POST sql` responds with them.

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
}

#[derive(Serialize)]
struct ColumnHeader<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    json_type: &'static str,
    unit: Option<&'static str>,
}

/// Returns `result` in a form that serializes as [`Rows`]. Copies no values.
pub fn rows_json<'a>(result: &'a QueryResult, catalog: &Catalog) -> Rows<'a> {
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
    Rows { result, columns }
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
        object.serialize_field("rows", &AllRows(self.result))?;
        object.serialize_field("truncated", &self.result.batch.truncation.is_some())?;
        object.serialize_field("notices", &self.result.notices)?;
        object.serialize_field("elapsedMs", &(self.result.elapsed.as_secs_f64() * 1e3))?;
        object.end()
    }
}

struct AllRows<'a>(&'a QueryResult);

impl Serialize for AllRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let batch = &self.0.batch;
        serializer.collect_seq((0..batch.rows).map(|row| OneRow { columns: &batch.columns, row }))
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
pub struct Objects<'a>(&'a QueryResult);

/// Returns `result` in a form that serializes as [`Objects`]. Use it for few rows.
pub fn objects_json(result: &QueryResult) -> Objects<'_> {
    Objects(result)
}

impl Serialize for Objects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let batch = &self.0.batch;
        serializer.collect_seq(
            (0..batch.rows).map(|row| OneObject(OneRow { columns: &batch.columns, row })),
        )
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
