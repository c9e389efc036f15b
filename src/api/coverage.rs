//! `GET coverage`: the fetch state of each collection and day.
//!
//! `?collection=sleep&from=2026-01-01&to=2026-01-31` narrows it.

use axum::Extension;
use axum::response::Response;
use serde::Deserialize;

use super::body::{Parameters, require_order, stream_json};
use super::caller::{Caller, ReadableTables, readable_tables};
use super::{ALL_TIME, ApiError};
use crate::catalog::Catalog;
use crate::datasource::DataSource;
use crate::frames::write_objects;
use crate::query::SqlQuery;
use crate::query::suggest::similar_names;
use crate::store::{Batches, Scalar};
#[cfg(test)]
use crate::store::{DayState, GapReason};
use crate::time::Day;

/// The rows of the response; [`CoverageDay`] describes their columns.
pub(super) const COVERAGE: &str =
    "SELECT collection, day, documents, state, reason, fetched_at FROM coverage
    WHERE (?1 IS NULL OR collection = ?1)
        AND (?2 IS NULL OR day >= ?2)
        AND (?3 IS NULL OR day <= ?3)
    ORDER BY collection, day";

/// The parameters of the route. Both ends of the range are included.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoverageFilter {
    collection: Option<String>,
    from: Option<Day>,
    to: Option<Day>,
}

/// The response of `GET coverage`.
#[cfg(test)]
#[derive(ts_rs::TS, utoipa::ToSchema)]
#[expect(dead_code, reason = "the fields exist for the contract")]
pub(super) struct Coverage {
    coverage: Vec<CoverageDay>,
    /// Whether a limit cut the list.
    truncated: bool,
}

/// The coverage of one collection on one day.
#[cfg(test)]
#[derive(Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the fields exist for the contract and its test")]
pub(super) struct CoverageDay {
    collection: String,
    /// `YYYY-MM-DD`.
    day: String,
    documents: u64,
    state: DayState,
    /// The reason for a day without data.
    reason: Option<GapReason>,
    /// RFC 3339.
    fetched_at: Option<String>,
}

pub(super) async fn coverage(
    _: Caller,
    readable: Option<Extension<ReadableTables>>,
    Extension(datasource): Extension<DataSource>,
    Parameters(filter): Parameters<CoverageFilter>,
) -> Result<Response, ApiError> {
    if let (Some(from), Some(to)) = (filter.from, filter.to) {
        require_order(from, to)?;
    }
    let query = SqlQuery {
        raw_sql: COVERAGE.to_owned(),
        params: vec![
            filter.collection.as_deref().into(),
            day_parameter(filter.from),
            day_parameter(filter.to),
        ],
        tables: readable.map(readable_tables),
        ..SqlQuery::default()
    };
    let rows = datasource.stream(&query, &ALL_TIME, Batches::TypedWithinLimits).await?;
    let catalog = datasource.catalog();
    if let Some(name) = filter.collection
        && rows.head.batch.rows == 0
        && catalog.get(&name).is_none()
    {
        return Err(unknown_collection(&name, &catalog));
    }
    Ok(stream_json(move |out| write_objects("coverage", rows, out)))
}

fn day_parameter(day: Option<Day>) -> Scalar {
    day.map(|day| day.to_string()).as_deref().into()
}

fn unknown_collection(name: &str, catalog: &Catalog) -> ApiError {
    let names = catalog.collections.iter().map(|collection| &collection.name);
    let nearest = similar_names(name, names);
    let hint = if nearest.is_empty() {
        "GET status lists the names.".to_owned()
    } else {
        format!("Did you mean {}?", nearest.join(" or "))
    };
    ApiError::new(404, "unknown_collection", format!("unknown collection {name:?}"), hint)
}
