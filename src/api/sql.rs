//! `POST sql`: rows as JSON, newline-delimited JSON, CSV or an Arrow stream, for scripts, notebooks
//! and other data sources. The header `Accept` selects one.
//!
//! Engine, guard and limits are the same as for a panel's query.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Json, Parameters, stream};
use super::caller::{Caller, ReadableTables, readable_tables};
use super::media_type::MediaType;
use super::{ALL_TIME, ApiError};
use crate::datasource::DataSource;
use crate::frames::{
    CountingWriter, RowForm, TimeForm, Written, rows_json, write_arrow, write_csv, write_lines,
};
use crate::query::{Downsample, Format, QueryContext, QueryResult, SqlQuery};
use crate::store::{Scalar, scalars};
use crate::time::Clock;

/// A query and its time range, which a panel sends beside the query. Default range: 1970 to now.
///
/// It repeats the fields of [`SqlQuery`], because serde keeps a flattened structure twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SqlRequest {
    #[serde(alias = "sql", default)]
    raw_sql: String,
    #[serde(default, deserialize_with = "scalars")]
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
    fn context(&self) -> QueryContext {
        QueryContext {
            from_ms: self.from.unwrap_or(ALL_TIME.from_ms),
            to_ms: self.to.unwrap_or_else(|| Clock::system().now().seconds() * 1_000),
            interval: self.interval_ms.map_or(ALL_TIME.interval, Duration::from_millis),
            max_data_points: self.max_data_points.unwrap_or(ALL_TIME.max_data_points),
        }
    }
}

/// The parameters of the URL. Fields of the body take precedence.
#[derive(Default, Deserialize)]
pub(super) struct SqlOptions {
    rows: Option<RowForm>,
    times: Option<TimeForm>,
}

pub(super) async fn sql(
    _: Caller,
    State(datasource): State<DataSource>,
    readable: Option<Extension<ReadableTables>>,
    Parameters(options): Parameters<SqlOptions>,
    headers: HeaderMap,
    Json(request): Json<SqlRequest>,
) -> Result<Response, ApiError> {
    let media_type = MediaType::negotiate(&headers)?;
    let context = request.context();
    let SqlRequest { raw_sql, params, format, downsample, rows, times, .. } = request;
    let form = rows.or(options.rows);
    let times = times.or(options.times).unwrap_or_default();
    let query =
        SqlQuery { raw_sql, params, format, downsample, tables: readable.map(readable_tables) };
    let result = datasource.query(&query, &context).await?;
    let has_keys = match media_type {
        MediaType::Json => form == Some(RowForm::Objects),
        MediaType::Lines => form != Some(RowForm::Arrays),
        MediaType::Csv | MediaType::Arrow => false,
    };
    if has_keys {
        require_distinct_names(&result)?;
    }
    let catalog = datasource.catalog();
    let truncated = result.batch.truncation.is_some();
    let elapsed = format!("{:.3}", result.elapsed.as_secs_f64() * 1e3);
    let body = stream(media_type.content_type(), move |out| {
        let written = Written::default();
        let max_bytes = result.max_bytes;
        let mut counted = CountingWriter::new(&mut *out, &written);
        match media_type {
            MediaType::Json => {
                let rows = rows_json(&result, &catalog, &written)
                    .with_forms(form.unwrap_or_default(), times);
                serde_json::to_writer(counted, &rows)?;
            }
            // These forms have no place for a notice. A response beyond the limit ends with an
            // error.
            MediaType::Lines => {
                let form = form.unwrap_or(RowForm::Objects);
                write_lines(&result.batch, form, times, counted.limited(max_bytes))?;
            }
            MediaType::Csv => write_csv(&result.batch, times, counted.limited(max_bytes))?,
            MediaType::Arrow => {
                write_arrow(&result, &catalog, &mut counted).map_err(io::Error::other)?;
            }
        }
        Ok(())
    });
    let facts =
        [("x-ringside-truncated", truncated.to_string()), ("x-ringside-elapsed-ms", elapsed)];
    Ok((facts, body).into_response())
}

/// Rejects a result in which two columns have one name: a JSON object would lose one of them.
fn require_distinct_names(result: &QueryResult) -> Result<(), ApiError> {
    let mut names = HashSet::new();
    match result.batch.columns.iter().find(|column| !names.insert(column.name.as_str())) {
        None => Ok(()),
        Some(column) => Err(ApiError::new(
            400,
            "duplicate_column",
            format!("two columns are named {:?}, so a row cannot be an object", column.name),
            "Rename one with AS, or ask for \"rows\": \"arrays\".",
        )),
    }
}
