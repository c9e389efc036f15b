//! `POST sql`: rows as JSON, newline-delimited JSON, CSV or an Arrow stream, for scripts, notebooks
//! and other data sources. The header `Accept` selects one.
//!
//! Engine and guard are the same as for a panel's query, and so are the limits of JSON and Arrow.
//! Lines and CSV have no limit for rows and bytes: they are sent while they are read.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Json, Parameters, require_order, small, stream};
use super::caller::{Caller, ReadableTables, readable_tables};
use super::media_type::MediaType;
use super::{ALL_TIME, ApiError};
use crate::catalog::Catalog;
use crate::datasource::DataSource;
use crate::frames::{
    CountingWriter, RowForm, TimeForm, Written, rows_json, write_arrow, write_csv, write_lines,
};
use crate::query::{Downsample, Format, QueryContext, QueryResult, RowStream, SqlQuery};
use crate::store::{ColumnBatch, Scalar, scalars};
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
    let form = rows.or(options.rows);
    let times = times.or(options.times).unwrap_or_default();
    let query =
        SqlQuery { raw_sql, params, format, downsample, tables: readable.map(readable_tables) };
    let response = Forms { media_type, form, times };
    match media_type {
        MediaType::Json | MediaType::Arrow => {
            response.whole(datasource.query(&query, &context).await?, datasource.catalog())
        }
        MediaType::Lines | MediaType::Csv => {
            response.streamed(datasource.stream(&query, &context).await?)
        }
    }
}

/// The forms of a response.
#[derive(Clone, Copy)]
struct Forms {
    media_type: MediaType,
    form: Option<RowForm>,
    times: TimeForm,
}

impl Forms {
    /// Sends all rows of `result`.
    fn whole(self, result: QueryResult, catalog: Arc<Catalog>) -> Result<Response, ApiError> {
        let form = self.form.unwrap_or_default();
        if self.media_type == MediaType::Json && form == RowForm::Objects {
            require_distinct_names(&result.batch)?;
        }
        let facts = facts(&result);
        let is_small = is_small(&result.batch);
        let body = self.body(is_small, move |out| {
            let written = Written::default();
            let mut counted = CountingWriter::new(out, &written);
            if self.media_type == MediaType::Arrow {
                return write_arrow(&result, &catalog, &mut counted).map_err(io::Error::other);
            }
            let rows = rows_json(&result, &catalog, &written).with_forms(form, self.times);
            Ok(serde_json::to_writer(counted, &rows)?)
        });
        Ok((facts, body).into_response())
    }

    /// Sends rows while they are read.
    fn streamed(self, rows: RowStream) -> Result<Response, ApiError> {
        let form = self.form.unwrap_or(RowForm::Objects);
        if self.media_type == MediaType::Lines && form == RowForm::Objects {
            require_distinct_names(&rows.head.batch)?;
        }
        let facts = facts(&rows.head);
        let is_small = rows.is_whole() && is_small(&rows.head.batch);
        let body = self.body(is_small, move |out| {
            let sent = match self.media_type {
                MediaType::Csv => write_csv(rows, self.times, out),
                _ => rows.for_each(|batch| write_lines(batch, form, self.times, &mut *out)),
            };
            sent.map(|_rows| ())
        });
        Ok((facts, body).into_response())
    }

    fn body(
        self,
        is_small: bool,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + 'static,
    ) -> Response {
        let content_type = self.media_type.content_type();
        if is_small { small(content_type, write) } else { stream(content_type, write) }
    }
}

/// Whether the rows are written in microseconds, so that a thread of their own costs more.
fn is_small(batch: &ColumnBatch) -> bool {
    batch.charge.bytes() <= MAX_SMALL
}

/// The facts of a result in headers, for forms without a place for them.
fn facts(result: &QueryResult) -> [(&'static str, String); 2] {
    let truncated = result.batch.truncation.is_some();
    let elapsed = format!("{:.3}", result.elapsed.as_secs_f64() * 1e3);
    [("x-ringside-truncated", truncated.to_string()), ("x-ringside-elapsed-ms", elapsed)]
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
