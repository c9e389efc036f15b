//! `POST sql`: rows as JSON, for scripts and notebooks.
//!
//! Engine, guard and limits are the same as for a panel's query.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::body::{Json, stream_json};
use super::caller::Caller;
use super::{ALL_TIME, ApiError};
use crate::datasource::DataSource;
use crate::frames::{CountingWriter, Written, rows_json};
use crate::query::{Downsample, Format, QueryContext, SqlQuery};
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

pub(super) async fn sql(
    _: Caller,
    State(datasource): State<DataSource>,
    Json(request): Json<SqlRequest>,
) -> Result<Response, ApiError> {
    let context = request.context();
    let SqlRequest { raw_sql, params, format, downsample, .. } = request;
    let query = SqlQuery { raw_sql, params, format, downsample };
    let result = datasource.query(&query, &context).await?;
    let catalog = datasource.catalog();
    Ok(stream_json(move |out| {
        let written = Written::default();
        let out = CountingWriter::new(out, &written);
        Ok(serde_json::to_writer(out, &rows_json(&result, &catalog, &written))?)
    }))
}
