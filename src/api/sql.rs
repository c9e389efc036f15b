//! `POST sql`: rows as JSON, for scripts and notebooks. The same engine, guard and limits as a panel's query.

use std::time::Duration;

use axum::extract::State;
use chrono::Utc;
use serde::Deserialize;

use super::ApiError;
use super::body::{Json, Written};
use super::caller::Caller;
use crate::blocking::blocking;
use crate::datasource::DataSource;
use crate::frames::rows_json;
use crate::query::{QueryContext, SqlQuery};

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

pub(super) async fn sql(
    _: Caller,
    State(datasource): State<DataSource>,
    Json(question): Json<Question>,
) -> Result<Written, ApiError> {
    let answer = datasource.query(&question.query, &question.context()).await?;
    let catalog = datasource.catalog();
    blocking(move || Written::of(&rows_json(&answer, &catalog))).await
}
