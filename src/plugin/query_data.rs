//! `QueryData`: the queries of a panel, an alert rule or a script, run concurrently.
//!
//! Each query gets a response under its refId, with frames or an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grafana_plugin_sdk::pluginv2::{DataQuery, QueryDataRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::context;
use super::messages::{DataResponse, QueryDataResponse};
use super::startup::Startup;
use crate::api::ApiError;
use crate::datasource::DataSource;
use crate::frames::{EncodedFrame, frames};
use crate::query::{QueryContext, QueryType, SqlQuery};

/// Grafana's default for a query without an interval, in milliseconds.
const DEFAULT_INTERVAL_MS: u64 = 1_000;
/// Grafana's default for a query without a number of points.
const DEFAULT_MAX_DATA_POINTS: u64 = 100;
/// Queries of one request that run at once, encoding included. Bounds their memory.
const MAX_CONCURRENT_QUERIES: usize = 8;

/// Runs all queries of a request.
pub async fn handle(startup: &Startup, request: QueryDataRequest) -> QueryDataResponse {
    let datasource = match context::datasource(startup, request.plugin_context.as_ref()).await {
        Ok(datasource) => datasource,
        Err(error) => {
            let error = ApiError::from(error);
            let queries = request.queries.into_iter();
            return QueryDataResponse {
                responses: queries
                    .map(|query| (query.ref_id, response(Err(error.clone()))))
                    .collect(),
            };
        }
    };
    // If Grafana hangs up, dropping the set stops every query.
    let mut running = JoinSet::new();
    let slots = Arc::new(Semaphore::new(MAX_CONCURRENT_QUERIES));
    let budget = Arc::new(ResponseBudget::new(2 * datasource.limits().max_bytes));
    let mut responses = HashMap::with_capacity(request.queries.len());
    for query in request.queries {
        // A task that panics returns no response. This one stays in place.
        responses.insert(query.ref_id.clone(), response(Err(internal_error())));
        let datasource = datasource.clone();
        let slots = Arc::clone(&slots);
        let budget = Arc::clone(&budget);
        running.spawn(async move {
            let _slot = slots.acquire().await;
            let outcome = match run(&datasource, &query).await {
                Ok(frames) => budget.charge(frames),
                Err(error) => Err(error),
            };
            (query.ref_id, response(outcome))
        });
    }
    while let Some(finished) = running.join_next().await {
        responses.extend(finished.ok());
    }
    QueryDataResponse { responses }
}

/// The size limit for all responses to one request, in bytes: Grafana and the plugin hold them at
/// once. Twice the limit of one query, so that the largest result fits in any encoding.
struct ResponseBudget {
    limit: usize,
    remaining: AtomicUsize,
}

impl ResponseBudget {
    fn new(limit: usize) -> ResponseBudget {
        ResponseBudget { limit, remaining: AtomicUsize::new(limit) }
    }

    /// Subtracts the size of `frames` from the budget. Rejects frames that exceed it.
    fn charge(&self, frames: Vec<EncodedFrame>) -> Result<Vec<EncodedFrame>, ApiError> {
        let size = frames.iter().map(Vec::len).sum();
        let charged =
            self.remaining.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |remaining| {
                remaining.checked_sub(size)
            });
        if charged.is_ok() {
            return Ok(frames);
        }
        Err(ApiError::new(
            422,
            "too_large",
            format!("the responses to this request exceed {} MiB", self.limit >> 20),
            "Narrow the time range, aggregate, or send fewer queries at once.",
        ))
    }
}

/// The field of a query's JSON that selects its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypedQuery {
    #[serde(default)]
    query_type: serde_json::Value,
}

/// Runs one query and encodes its result.
async fn run(datasource: &DataSource, query: &DataQuery) -> Result<Vec<EncodedFrame>, ApiError> {
    let context = query_context(query);
    let (result, format) = match query_type(query)? {
        QueryType::Sql => {
            let sql: SqlQuery = parse(query)?;
            (datasource.query(&sql, &context).await?, sql.format)
        }
        QueryType::Metrics => datasource.query_metrics(&parse(query)?, &context).await?,
        QueryType::Annotations => datasource.query_annotations(&parse(query)?, &context).await?,
    };
    let catalog = datasource.catalog();
    let ref_id = query.ref_id.clone();
    tokio::task::spawn_blocking(move || frames(&result, format, &ref_id, &catalog))
        .await
        .map_err(|_| internal_error())?
        .map_err(|error| {
            let hint = "Choose the format Table, or select other columns.";
            ApiError::new(422, "frame", error.to_string(), hint)
        })
}

fn query_type(query: &DataQuery) -> Result<QueryType, ApiError> {
    let TypedQuery { query_type } = parse(query)?;
    if query_type.is_null() {
        return Ok(QueryType::default());
    }
    let name = query_type.to_string();
    serde_json::from_value(query_type).map_err(|_| {
        let message = format!("unknown query type {name}");
        ApiError::new(400, "query_type", message, "Use sql, metrics or annotations.")
    })
}

fn parse<T: DeserializeOwned>(query: &DataQuery) -> Result<T, ApiError> {
    serde_json::from_slice(&query.json)
        .map_err(|error| ApiError::new(400, "bad_query", format!("invalid query: {error}"), ""))
}

/// The error for a query that panicked.
fn internal_error() -> ApiError {
    ApiError::new(500, "internal", "the query failed inside the plugin", "See the plugin's log.")
}

/// The time range and resolution of a query, with Grafana's defaults.
fn query_context(query: &DataQuery) -> QueryContext {
    let range = query.time_range.unwrap_or_default();
    QueryContext {
        from_ms: range.from_epoch_ms,
        to_ms: range.to_epoch_ms,
        interval: Duration::from_millis(positive_or(query.interval_ms, DEFAULT_INTERVAL_MS)),
        max_data_points: positive_or(query.max_data_points, DEFAULT_MAX_DATA_POINTS),
    }
}

fn positive_or(number: i64, default: u64) -> u64 {
    match u64::try_from(number) {
        Ok(number) if number > 0 => number,
        _ => default,
    }
}

fn response(outcome: Result<Vec<EncodedFrame>, ApiError>) -> DataResponse {
    match outcome {
        Ok(frames) => DataResponse { frames, status: 200, ..DataResponse::default() },
        Err(error) => DataResponse {
            error: error.full_text(),
            status: error.status.into(),
            error_source: error.error_source.name().to_owned(),
            ..DataResponse::default()
        },
    }
}
