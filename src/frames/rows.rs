//! Rows as JSON, written straight from the columns: what `POST sql` answers.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};
use chrono::{DateTime, SecondsFormat};
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::config::Configs;
use crate::catalog::Catalog;
use crate::query::Answer;
use crate::store::OutColumn;

/// `{"columns": [{"name", "type", "unit"}], "rows": [[…]], "truncated", "notices", "elapsedMs"}`. Types are `time` (RFC 3339 text in UTC),
/// `integer`, `number`, `string` and `boolean`.
pub struct Rows<'a> {
    answer: &'a Answer,
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
pub fn rows_json<'a>(answer: &'a Answer, catalog: &Catalog) -> Rows<'a> {
    let configs = Configs::of(catalog);
    let head = |column: &'a OutColumn| ColumnHead {
        name: &column.name,
        kind: kind(column.values.data_type()),
        unit: configs.of_column(column).and_then(|config| config.unit),
    };
    Rows { answer, columns: answer.batch.columns.iter().map(head).collect() }
}

fn kind(values: &DataType) -> &'static str {
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
        object.serialize_field("truncated", &self.answer.batch.cut.is_some())?;
        object.serialize_field("notices", &self.answer.notices)?;
        object.serialize_field("elapsedMs", &(self.answer.elapsed.as_secs_f64() * 1e3))?;
        object.end()
    }
}

struct AllRows<'a>(&'a Answer);

impl Serialize for AllRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let batch = &self.0.batch;
        serializer.collect_seq((0..batch.rows).map(|row| OneRow { columns: &batch.columns, row }))
    }
}

struct OneRow<'a> {
    columns: &'a [OutColumn],
    row: usize,
}

impl Serialize for OneRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.columns.len()))?;
        for column in self.columns {
            let values = column.values.as_ref();
            match values.data_type() {
                _ if values.is_null(self.row) => list.serialize_element(&())?,
                DataType::Int64 => list.serialize_element(&values.as_primitive::<Int64Type>().value(self.row))?,
                DataType::Float64 => list.serialize_element(&values.as_primitive::<Float64Type>().value(self.row))?,
                DataType::Boolean => list.serialize_element(&values.as_boolean().value(self.row))?,
                DataType::Timestamp(..) => {
                    let moment = DateTime::from_timestamp_nanos(values.as_primitive::<TimestampNanosecondType>().value(self.row));
                    list.serialize_element(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))?;
                }
                _ => list.serialize_element(values.as_string::<i32>().value(self.row))?,
            }
        }
        list.end()
    }
}
