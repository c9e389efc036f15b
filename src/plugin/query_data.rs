//! `QueryData`: the queries of a panel, an alert rule or a script, run concurrently.
//!
//! Each query gets a response under its refId, with frames or an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use grafana_plugin_sdk::pluginv2::{DataQuery, QueryDataRequest};
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::context::{self, Call};
use super::messages::{DataResponse, QueryDataResponse};
use super::startup::Startup;
use crate::api::ApiError;
use crate::blocking::blocking_if_large;
use crate::datasource::DataSource;
use crate::doors::Door;
use crate::frames::{EncodedFrame, FrameError, frames};
use crate::memory::{Charge, OverBudget};
use crate::query::annotations::AnnotationsQuery;
use crate::query::metrics::MetricsQuery;
use crate::query::{QueryContext, QueryError, QueryType, Reader, SqlQuery};
use crate::store::Scalar;

/// Grafana's default for a query without an interval, in milliseconds.
const DEFAULT_INTERVAL_MS: u64 = 1_000;
/// Grafana's default for a query without a number of points.
const DEFAULT_MAX_DATA_POINTS: u64 = 100;
/// Maximum size of the JSON of one query, in bytes.
const MAX_QUERY: usize = 1 << 20;
/// Queries of one request that run at once, encoding included. Bounds their memory.
const MAX_CONCURRENT_QUERIES: usize = 8;

/// Runs all queries of a request.
///
/// The charge is the memory of the frames until they are sent.
pub async fn handle(
    startup: &Startup,
    door: Option<&Door>,
    request: QueryDataRequest,
) -> (QueryDataResponse, Option<Charge>) {
    let call = Call { context: request.plugin_context.as_ref(), door };
    let datasource = match context::datasource(startup, call).await {
        Ok(datasource) => datasource,
        Err(error) => {
            return (fail_all(request, &error.into()), None);
        }
    };
    let reader = reader(&request.headers);
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
            let ref_id = query.ref_id.clone();
            let outcome = match run(&datasource, query, reader).await {
                Ok(frames) => budget.charge(frames),
                Err(error) => Err(error),
            };
            (ref_id, response(outcome))
        });
    }
    while let Some(finished) = running.join_next().await {
        responses.extend(finished.ok());
    }
    let charge = Arc::into_inner(budget).map(|budget| budget.charge.into_inner());
    (QueryDataResponse { responses }, charge)
}

/// Returns `error` as the response to every query of a request.
pub fn fail_all(request: QueryDataRequest, error: &ApiError) -> QueryDataResponse {
    let queries = request.queries.into_iter();
    let responses = queries.map(|query| (query.ref_id, response(Err(error.clone())))).collect();
    QueryDataResponse { responses }
}

/// The size limit for all responses to one request, in bytes: Grafana and the plugin hold them at
/// once. Twice the limit of one query, so that the largest result fits in any encoding.
struct ResponseBudget {
    limit: usize,
    charge: Mutex<Charge>,
}

impl ResponseBudget {
    fn new(limit: usize) -> ResponseBudget {
        ResponseBudget { limit, charge: Mutex::new(Charge::new(limit)) }
    }

    /// Subtracts the size of `frames` from the budget. Rejects frames that exceed it.
    fn charge(&self, frames: Vec<EncodedFrame>) -> Result<Vec<EncodedFrame>, ApiError> {
        let size = frames.iter().map(Vec::len).sum();
        match self.charge.lock().add(size) {
            Ok(()) => Ok(frames),
            Err(OverBudget::Own) => Err(ApiError::new(
                422,
                "too_large",
                format!("the responses to this request exceed {} MiB", self.limit >> 20),
                "Narrow the time range, aggregate, or send fewer queries at once.",
            )),
            Err(OverBudget::Process) => Err(QueryError::MemoryInUse.into()),
        }
    }
}

/// The field of a query's JSON that selects its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypedQuery {
    #[serde(default)]
    query_type: Option<Scalar>,
}

/// A query by its type.
enum Query {
    Sql(SqlQuery),
    Metrics(MetricsQuery),
    Annotations(AnnotationsQuery),
}

impl Query {
    fn parse(query: &DataQuery) -> Result<Query, ApiError> {
        if query.json.len() > MAX_QUERY {
            let message = format!("the query is larger than {} KiB", MAX_QUERY >> 10);
            return Err(ApiError::new(413, "too_large", message, "Send a shorter query."));
        }
        Ok(match query_type(query)? {
            QueryType::Sql => Query::Sql(parse(query)?),
            QueryType::Metrics => Query::Metrics(parse(query)?),
            QueryType::Annotations => Query::Annotations(parse(query)?),
        })
    }
}

/// Returns the sender of a request by the headers that Grafana adds. The queries of a rule with
/// expressions have both headers.
fn reader(headers: &HashMap<String, String>) -> Reader {
    let is_set = |header: &str| {
        headers.iter().any(|(name, value)| {
            name.to_ascii_lowercase().trim_start_matches("http_") == header
                && value.eq_ignore_ascii_case("true")
        })
    };
    if is_set("fromalert") {
        Reader::Rule
    } else if is_set("x-grafana-from-expr") {
        Reader::Expression
    } else {
        Reader::Panel
    }
}

/// Runs one query and encodes its result for its reader.
async fn run(
    datasource: &DataSource,
    query: DataQuery,
    reader: Reader,
) -> Result<Vec<EncodedFrame>, ApiError> {
    let context = query_context(&query);
    let ref_id = query.ref_id.clone();
    let size = query.json.len();
    let (mut result, format) = match blocking_if_large(size, move || Query::parse(&query)).await? {
        Query::Sql(sql) => (datasource.query(&sql, &context).await?, sql.format),
        Query::Metrics(metrics) => datasource.query_metrics(&metrics, &context).await?,
        Query::Annotations(kinds) => datasource.query_annotations(&kinds, &context).await?,
    };
    result.reader = reader;
    let catalog = datasource.catalog();
    tokio::task::spawn_blocking(move || frames(&result, format, &ref_id, &catalog))
        .await
        .map_err(|_| internal_error())?
        .map_err(|error| match error {
            FrameError::MemoryInUse => QueryError::MemoryInUse.into(),
            error => {
                let hint = "Choose the format Table, or select other columns.";
                ApiError::new(422, "frame", error.to_string(), hint)
            }
        })
}

fn query_type(query: &DataQuery) -> Result<QueryType, ApiError> {
    let TypedQuery { query_type } = parse(query)?;
    let name = match query_type {
        None | Some(Scalar::Null) => return Ok(QueryType::default()),
        Some(Scalar::Text(name)) => name,
        Some(_) => "(not a text)".to_owned(),
    };
    QueryType::deserialize(name.as_str().into_deserializer()).map_err(|_: ValueError| {
        let message = format!("unknown query type {name:?}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_expressions_are_recognized_by_their_headers() {
        for (name, value, expected) in [
            ("FromAlert", "true", Reader::Rule),
            ("fromalert", "True", Reader::Rule),
            ("http_X-Grafana-From-Expr", "true", Reader::Expression),
            ("X-Grafana-From-Expr", "true", Reader::Expression),
            ("FromAlert", "false", Reader::Panel),
            ("http_X-Dashboard-Uid", "true", Reader::Panel),
        ] {
            let headers = HashMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(reader(&headers), expected, "{name}: {value}");
        }
        let both = ["FromAlert", "X-Grafana-From-Expr"];
        let headers = both.map(|name| (name.to_owned(), "true".to_owned())).into();
        assert_eq!(reader(&headers), Reader::Rule);
    }
}
