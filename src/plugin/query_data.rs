//! `QueryData`: the queries of a panel, an alert rule or a script, side by side. Each is answered under its refId, with frames or an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grafana_plugin_sdk::pluginv2::{DataQuery, DataResponse, QueryDataRequest, QueryDataResponse};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::context;
use super::opening::Opening;
use crate::api::ApiError;
use crate::datasource::DataSource;
use crate::frames::{EncodedFrame, FrameError, frames};
use crate::query::annotations::AnnotationsQuery;
use crate::query::metrics::MetricsQuery;
use crate::query::{QueryContext, SqlQuery};

/// Grafana's own default where a query names no interval.
const DEFAULT_INTERVAL_MS: u64 = 1_000;
/// And where it names no number of points.
const DEFAULT_MAX_DATA_POINTS: u64 = 100;
/// How many queries of one request are under way at once, until their frames are made: what they hold meanwhile is bounded so.
const AT_ONCE: usize = 8;

pub async fn answer(opening: &Opening, request: QueryDataRequest) -> QueryDataResponse {
    let datasource = match context::datasource(opening, request.plugin_context.as_ref()).await {
        Ok(datasource) => datasource,
        Err(refusal) => {
            let error = ApiError::from(refusal);
            let refused = |query: DataQuery| (query.ref_id, response(Err(error.clone())));
            return QueryDataResponse {
                responses: request.queries.into_iter().map(refused).collect(),
            };
        }
    };
    // Should Grafana hang up, dropping the set stops every query.
    let mut running = JoinSet::new();
    let (turns, budget) = (
        Arc::new(Semaphore::new(AT_ONCE)),
        Arc::new(ResponseBudget::of(2 * datasource.limits().max_bytes)),
    );
    let mut responses = HashMap::with_capacity(request.queries.len());
    for query in request.queries {
        // A task that panics gives no answer: this one stays.
        responses.insert(query.ref_id.clone(), response(Err(lost())));
        let (datasource, turns, budget) = (datasource.clone(), turns.clone(), budget.clone());
        running.spawn(async move {
            let _turn = turns.acquire().await;
            let outcome = one(&datasource, &query).await.and_then(|frames| budget.take(frames));
            (query.ref_id, response(outcome))
        });
    }
    while let Some(finished) = running.join_next().await {
        responses.extend(finished.ok());
    }
    QueryDataResponse { responses }
}

/// What all answers to one request may have together, in bytes: Grafana and the plugin hold them at once. Twice what one may have, so that
/// the largest goes through whatever its frames look like.
struct ResponseBudget {
    limit: usize,
    left: AtomicUsize,
}

impl ResponseBudget {
    fn of(limit: usize) -> ResponseBudget {
        ResponseBudget { limit, left: AtomicUsize::new(limit) }
    }

    /// Hands `frames` through if there is budget for them.
    fn take(&self, frames: Vec<EncodedFrame>) -> Result<Vec<EncodedFrame>, ApiError> {
        let size = frames.iter().map(Vec::len).sum();
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size))
        {
            Ok(_) => Ok(frames),
            Err(_) => {
                let message = format!(
                    "the answers to this request have more than {} MiB together",
                    self.limit >> 20
                );
                Err(ApiError::new(
                    422,
                    "too_large",
                    message,
                    "Narrow the time range, aggregate, or ask fewer queries at once.",
                ))
            }
        }
    }
}

/// The part of a query's JSON that says which kind it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    query_type: String,
}

async fn one(datasource: &DataSource, query: &DataQuery) -> Result<Vec<EncodedFrame>, ApiError> {
    let unreadable = |error: serde_json::Error| {
        ApiError::new(400, "bad_query", format!("the query cannot be read: {error}"), "")
    };
    let kind: Kind = serde_json::from_slice(&query.json).map_err(unreadable)?;
    let context = range_of(query);
    let (answer, format) = match kind.query_type.as_str() {
        "" | "sql" => {
            let sql: SqlQuery = serde_json::from_slice(&query.json).map_err(unreadable)?;
            (datasource.query(&sql, &context).await?, sql.format)
        }
        "metrics" => {
            let metrics: MetricsQuery = serde_json::from_slice(&query.json).map_err(unreadable)?;
            datasource.query_metrics(&metrics, &context).await?
        }
        "annotations" => {
            let annotations: AnnotationsQuery =
                serde_json::from_slice(&query.json).map_err(unreadable)?;
            datasource.query_annotations(&annotations, &context).await?
        }
        other => {
            let message = format!("{other:?} is no query type");
            return Err(ApiError::new(
                400,
                "query_type",
                message,
                "Use sql, metrics or annotations.",
            ));
        }
    };
    let (catalog, ref_id) = (datasource.catalog(), query.ref_id.clone());
    let encoded =
        tokio::task::spawn_blocking(move || frames(&answer, format, &ref_id, &catalog)).await;
    let shape = |error: FrameError| {
        ApiError::new(
            422,
            "frame",
            error.to_string(),
            "Choose the format Table, or select other columns.",
        )
    };
    encoded.map_err(|_| lost())?.map_err(shape)
}

/// A panic is in the log already.
fn lost() -> ApiError {
    ApiError::new(500, "internal", "the query failed inside the plugin", "The log says more.")
}

fn range_of(query: &DataQuery) -> QueryContext {
    let range = query.time_range.unwrap_or_default();
    let or = |number: i64, default: u64| {
        u64::try_from(number).ok().filter(|number| *number > 0).unwrap_or(default)
    };
    QueryContext {
        from_ms: range.from_epoch_ms,
        to_ms: range.to_epoch_ms,
        interval: Duration::from_millis(or(query.interval_ms, DEFAULT_INTERVAL_MS)),
        max_data_points: or(query.max_data_points, DEFAULT_MAX_DATA_POINTS),
    }
}

fn response(outcome: Result<Vec<EncodedFrame>, ApiError>) -> DataResponse {
    match outcome {
        Ok(frames) => DataResponse { frames, status: 200, ..DataResponse::default() },
        Err(error) => DataResponse {
            error: error.full_text(),
            status: error.status.into(),
            ..DataResponse::default()
        },
    }
}
