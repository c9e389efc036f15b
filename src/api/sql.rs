//! `POST sql`: rows as JSON, for scripts and notebooks.
//!
//! Engine, guard and limits are the same as for a panel's query.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;

use super::body::{Json, JsonBytes};
use super::caller::Caller;
use super::{ALL_TIME, ApiError};
use crate::blocking::blocking;
use crate::datasource::DataSource;
use crate::frames::rows_json;
use crate::query::{QueryContext, SqlQuery};
use crate::time::Clock;

/// A query and its time range, which a panel sends beside the query. Default range: 1970 to now.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SqlRequest {
    #[serde(flatten)]
    query: SqlQuery,
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
) -> Result<JsonBytes, ApiError> {
    let result = datasource.query(&request.query, &request.context()).await?;
    let catalog = datasource.catalog();
    blocking(move || JsonBytes::serialize(&rows_json(&result, &catalog))).await
}
