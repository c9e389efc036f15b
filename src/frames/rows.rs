//! Rows as JSON, written straight from the columns: what `POST sql` answers.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};
use chrono::{DateTime, SecondsFormat};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::config;
use crate::catalog::Catalog;
use crate::query::QueryResult;
use crate::store::ResultColumn;

/// `{"columns": [{"name", "type", "unit"}], "rows": [[…]], "truncated", "notices", "elapsedMs"}`. Types are `time` (RFC 3339 text in UTC),
/// `integer`, `number`, `string` and `boolean`.
pub struct Rows<'a> {
    answer: &'a QueryResult,
    columns: Vec<ColumnHead<'a>>,
}

#[derive(Serialize)]
struct ColumnHead<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    unit: Option<&'static str>,
}

/// The answer as JSON; nothing is copied before it is written.
pub fn rows_json<'a>(answer: &'a QueryResult, catalog: &Catalog) -> Rows<'a> {
    let head = |column: &'a ResultColumn| ColumnHead {
        name: &column.name,
        kind: json_type(column.values.data_type()),
        unit: config::of_column(column, catalog).and_then(|config| config.unit),
    };
    Rows { answer, columns: answer.batch.columns.iter().map(head).collect() }
}

/// What a column's values are in JSON.
pub fn json_type(values: &DataType) -> &'static str {
    match values {
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
        object.serialize_field("rows", &AllRows(self.answer))?;
        object.serialize_field("truncated", &self.answer.batch.truncation.is_some())?;
        object.serialize_field("notices", &self.answer.notices)?;
        object.serialize_field("elapsedMs", &(self.answer.elapsed.as_secs_f64() * 1e3))?;
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

/// The answer's rows as objects, one key a column: `[{"collection": "sleep", "day": "2026-11-24"}, …]`.
pub struct Objects<'a>(&'a QueryResult);

/// As [`rows_json`], for few rows that a person or a script reads by name.
pub fn objects_json(answer: &QueryResult) -> Objects<'_> {
    Objects(answer)
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

/// One value. What JSON has no number for (an infinity) is null.
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
                let moment = DateTime::from_timestamp_nanos(
                    values.as_primitive::<TimestampNanosecondType>().value(row),
                );
                serializer.serialize_str(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            _ => serializer.serialize_str(values.as_string::<i32>().value(row)),
        }
    }
}
