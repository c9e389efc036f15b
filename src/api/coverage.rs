//! `GET coverage`: which days of which collection are here. `?collection=sleep&from=2026-01-01&to=2026-01-31` narrows it.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ApiError;
use super::body::{Parameters, Written};
use super::caller::Caller;
use crate::catalog::Catalog;
use crate::datasource::DataSource;
use crate::frames::{Objects, objects_json};
use crate::query::SqlQuery;
use crate::query::suggest::similar_names;
use crate::time::Day;

const COVERAGE: &str = "SELECT collection, day, documents, state, reason, fetched_at FROM coverage
    WHERE (?1 IS NULL OR collection = ?1) AND (?2 IS NULL OR day >= ?2) AND (?3 IS NULL OR day <= ?3)
    ORDER BY collection, day";

/// Days are included at both ends.
#[derive(Deserialize)]
pub(super) struct Part {
    collection: Option<String>,
    from: Option<Day>,
    to: Option<Day>,
}

#[derive(Serialize)]
struct Coverage<'a> {
    coverage: Objects<'a>,
    truncated: bool,
}

pub(super) async fn coverage(
    _: Caller,
    State(datasource): State<DataSource>,
    Parameters(part): Parameters<Part>,
) -> Result<Written, ApiError> {
    let day = |day: Option<Day>| day.map_or(Value::Null, |day| Value::from(day.to_string()));
    let asked = part.collection.clone();
    let params =
        vec![part.collection.map_or(Value::Null, Value::from), day(part.from), day(part.to)];
    let query = SqlQuery { raw_sql: COVERAGE.to_owned(), params, ..SqlQuery::default() };
    let answer = datasource.query(&query, &super::schema::EVER).await?;
    if let Some(name) =
        asked.filter(|name| answer.batch.rows == 0 && datasource.catalog().get(name).is_none())
    {
        return Err(unknown(&name, &datasource.catalog()));
    }
    Written::of(&Coverage {
        coverage: objects_json(&answer),
        truncated: answer.batch.truncation.is_some(),
    })
}

fn unknown(name: &str, catalog: &Catalog) -> ApiError {
    let nearest =
        similar_names(name, catalog.collections.iter().map(|collection| &collection.name));
    let hint = match nearest.is_empty() {
        true => "GET status lists the names.".to_owned(),
        false => format!("Did you mean {}?", nearest.join(" or ")),
    };
    ApiError::new(
        404,
        "unknown_collection",
        format!("{name:?} is not a collection of Oura's API"),
        hint,
    )
}
