//! `POST sql`: rows as JSON, for scripts and notebooks. The same engine, guard and limits as a panel's query.

use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType};
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ApiError;
use super::body::Json;
use super::caller::Caller;
use crate::account::Account;
use crate::catalog::Catalog;
use crate::query::{Answer, QueryContext, SqlQuery};
use crate::store::OutColumn;

/// What a panel would say besides its query; without it the range is everything up to now.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Question {
    #[serde(flatten)]
    query: SqlQuery,
    /// Milliseconds since 1970.
    from: Option<i64>,
    to: Option<i64>,
    interval_ms: Option<u64>,
    max_data_points: Option<u64>,
}

impl Question {
    fn context(&self) -> QueryContext {
        QueryContext {
            from_ms: self.from.unwrap_or(0),
            to_ms: self.to.unwrap_or_else(|| Utc::now().timestamp_millis()),
            interval: Duration::from_millis(self.interval_ms.unwrap_or(60_000)),
            max_data_points: self.max_data_points.unwrap_or(1_000),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rows {
    columns: Vec<ColumnFace>,
    rows: Vec<Vec<Value>>,
    /// Whether a limit cut the rows; `notices` say which.
    truncated: bool,
    notices: Vec<String>,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct ColumnFace {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    unit: Option<&'static str>,
}

pub(super) async fn sql(_: Caller, State(account): State<Account>, Json(question): Json<Question>) -> Result<Json<Rows>, ApiError> {
    let answer = account.query(&question.query, &question.context()).await?;
    let catalog = account.catalog();
    Ok(Json(super::blocking(move || rows(&answer, &catalog)).await))
}

fn rows(answer: &Answer, catalog: &Catalog) -> Rows {
    let columns = &answer.batch.columns;
    Rows {
        columns: columns.iter().map(|column| face(column, catalog)).collect(),
        rows: (0..answer.batch.rows).map(|row| columns.iter().map(|column| value(&column.values, row)).collect()).collect(),
        truncated: answer.batch.cut.is_some(),
        notices: answer.notices.clone(),
        elapsed_ms: answer.elapsed.as_millis().try_into().unwrap_or(u64::MAX),
    }
}

fn face(column: &OutColumn, catalog: &Catalog) -> ColumnFace {
    let unit = super::schema::known(catalog, column).and_then(|known| known.unit).map(|unit| unit.0);
    ColumnFace { name: column.name.clone(), kind: kind(column.values.data_type()), unit }
}

/// The rows of an answer as objects, one key a column.
pub(super) fn objects(answer: &Answer) -> Vec<Map<String, Value>> {
    let object = |row| answer.batch.columns.iter().map(|column| (column.name.clone(), value(&column.values, row))).collect();
    (0..answer.batch.rows).map(object).collect()
}

/// A column's type as JSON carries it.
pub(super) fn kind(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int64 => "integer",
        DataType::Float64 => "number",
        DataType::Boolean => "boolean",
        DataType::Timestamp(..) => "time",
        _ => "string",
    }
}

/// One cell. Instants are RFC 3339 in UTC; what JSON has no number for (an infinity) is null.
fn value(values: &dyn Array, row: usize) -> Value {
    if values.is_null(row) {
        return Value::Null;
    }
    match values.data_type() {
        DataType::Int64 => Value::from(values.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(values.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::from(values.as_boolean().value(row)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let at = DateTime::from_timestamp_nanos(values.as_primitive::<TimestampNanosecondType>().value(row));
            Value::from(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        DataType::Utf8 => Value::from(values.as_string::<i32>().value(row)),
        _ => Value::Null,
    }
}
