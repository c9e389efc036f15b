//! `POST sql`: rows as JSON, newline-delimited JSON, CSV or an Arrow stream, for scripts, notebooks
//! and other data sources. The header `Accept` selects one.
//!
//! Engine and guard are the same as for a panel's query. The rows are sent while they are read. Only
//! JSON has the limits of a panel for rows and bytes. A result with types that its values decide is
//! read whole for JSON and Arrow, within these limits.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::http::HeaderMap;
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;

use super::body::{Json, Parameters, require_order, small, stream_while};
use super::caller::{Caller, ReadableTables, readable_tables};
use super::media_type::MediaType;
use super::{ALL_TIME, ApiError};
use crate::catalog::Catalog;
use crate::datasource::DataSource;
use crate::frames::{RowForm, TimeForm, write_arrow, write_csv, write_json, write_lines};
use crate::query::{Downsample, Format, QueryContext, RowStream, SqlQuery};
use crate::store::{Batches, ColumnBatch, Scalar, scalars};
use crate::time::Clock;

/// Memory of the columns of a small result, in bytes. A column has at least 8 KiB.
const MAX_SMALL: usize = 128 << 10;

/// A query and its time range, which a panel sends beside the query. Default range: 1970 to now.
// It repeats the fields of `SqlQuery`, because serde keeps a flattened structure twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct SqlRequest {
    /// One SELECT statement, with macros.
    #[serde(alias = "sql", default)]
    #[cfg_attr(test, schema(rename = "sql", required))]
    raw_sql: String,
    /// Values of the question marks: texts, numbers, booleans and null.
    #[serde(default, deserialize_with = "scalars")]
    #[cfg_attr(test, schema(value_type = Vec<serde_json::Value>))]
    params: Vec<Scalar>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    downsample: Downsample,
    /// Milliseconds since 1970.
    from: Option<i64>,
    to: Option<i64>,
    interval_ms: Option<u64>,
    max_data_points: Option<u64>,
    /// The form of rows in JSON. Default: arrays, and objects in newline-delimited JSON.
    rows: Option<RowForm>,
    /// The form of times in JSON and CSV. Default: RFC 3339.
    times: Option<TimeForm>,
}

impl SqlRequest {
    /// Returns the range. Fails if it ends before it begins.
    fn context(&self) -> Result<QueryContext, ApiError> {
        let from_ms = self.from.unwrap_or(ALL_TIME.from_ms);
        let to_ms = self.to.unwrap_or_else(|| Clock::system().now().seconds() * 1_000);
        require_order(from_ms, to_ms)?;
        Ok(QueryContext {
            from_ms,
            to_ms,
            interval: self.interval_ms.map_or(ALL_TIME.interval, Duration::from_millis),
            max_data_points: self.max_data_points.unwrap_or(ALL_TIME.max_data_points),
        })
    }
}

/// The parameters of the URL. Fields of the body take precedence.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlOptions {
    rows: Option<RowForm>,
    times: Option<TimeForm>,
}

pub(super) async fn sql(
    _: Caller,
    Extension(datasource): Extension<DataSource>,
    readable: Option<Extension<ReadableTables>>,
    Parameters(options): Parameters<SqlOptions>,
    headers: HeaderMap,
    Json(request): Json<SqlRequest>,
) -> Result<Response, ApiError> {
    let media_type = MediaType::negotiate(&headers)?;
    let context = request.context()?;
    let SqlRequest { raw_sql, params, format, downsample, rows, times, .. } = request;
    let form = rows.or(options.rows).unwrap_or(match media_type {
        MediaType::Lines => RowForm::Objects,
        _ => RowForm::Arrays,
    });
    let times = times.or(options.times).unwrap_or_default();
    let query =
        SqlQuery { raw_sql, params, format, downsample, tables: readable.map(readable_tables) };
    let rows = datasource.stream(&query, &context, batches(media_type)).await?;
    send(rows, Forms { media_type, rows: form, times }, datasource.catalog())
}

/// The batches that a form needs. The types of the columns come first in JSON and in Arrow. JSON can
/// say after its rows that a limit cut them off.
fn batches(media_type: MediaType) -> Batches {
    match media_type {
        MediaType::Json => Batches::TypedWithinLimits,
        MediaType::Arrow => Batches::Typed,
        MediaType::Lines | MediaType::Csv => Batches::Untyped,
    }
}

/// The forms of a response.
#[derive(Clone, Copy)]
struct Forms {
    media_type: MediaType,
    rows: RowForm,
    times: TimeForm,
}

/// Sends the rows while they are read.
fn send(rows: RowStream, forms: Forms, catalog: Arc<Catalog>) -> Result<Response, ApiError> {
    let Forms { media_type, rows: form, times } = forms;
    let has_objects = matches!(media_type, MediaType::Json | MediaType::Lines);
    if has_objects && form == RowForm::Objects {
        require_distinct_names(&rows.head.batch)?;
    }
    let is_small = rows.is_whole() && is_small(&rows.head.batch);
    let elapsed = format!("{:.3}", rows.head.elapsed.as_secs_f64() * 1e3);
    let is_truncated = rows.head.batch.truncation.is_some();
    // A limit may cut off the rest of long JSON.
    let is_known = is_truncated || is_small || media_type != MediaType::Json;
    let truncated = is_known.then(|| [("x-ringside-truncated", is_truncated.to_string())]);
    let guard = rows.stop_on_drop();
    let write = move |out: &mut dyn io::Write| match media_type {
        MediaType::Json => write_json(rows, &catalog, form, times, out).map(|_notices| ()),
        MediaType::Lines => write_lines(rows, form, times, out),
        MediaType::Csv => write_csv(rows, times, out).map(|_rows| ()),
        MediaType::Arrow => write_arrow(rows, &catalog, out),
    };
    let content_type = media_type.content_type();
    let body = if is_small {
        small(content_type, write)
    } else {
        stream_while(guard, content_type, write)
    };
    Ok(([("x-ringside-elapsed-ms", elapsed)], truncated.map(AppendHeaders), body).into_response())
}

/// Whether the rows are written in microseconds, so that a thread of their own costs more.
fn is_small(batch: &ColumnBatch) -> bool {
    batch.charge.bytes() <= MAX_SMALL
}

/// Rejects a result in which two columns have one name: a JSON object would lose one of them.
fn require_distinct_names(batch: &ColumnBatch) -> Result<(), ApiError> {
    let mut names = HashSet::new();
    match batch.columns.iter().find(|column| !names.insert(column.name.as_str())) {
        None => Ok(()),
        Some(column) => Err(ApiError::new(
            400,
            "duplicate_column",
            format!("two columns are named {:?}, so a row cannot be an object", column.name),
            "Rename one with AS, or ask for \"rows\": \"arrays\".",
        )),
    }
}
