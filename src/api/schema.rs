//! `GET schema`: everything an editor or a script needs to write a query.
//!
//! The query engine itself reports the columns, so the response lists exactly the columns that
//! queries can read.

use axum::Extension;
use serde::Serialize;

use super::body::Json;
use super::caller::Caller;
use super::{ALL_TIME, ApiError};
use crate::catalog::{Catalog, Column, Series};
use crate::datasource::DataSource;
use crate::frames::json_type;
use crate::query::annotations::{AnnotationKind, KINDS};
use crate::query::metrics::{Metric, metrics};
use crate::query::{MACROS, Macro, QueryError, SqlQuery};
use crate::store::{FUNCTIONS, Function, ResultColumn, SQLITE_FUNCTIONS};

/// The published views and tables besides those of the collections, the most useful first.
const SHARED_TABLES: [(&str, &str); 28] = [
    ("nights", "one row per night: the main sleep, and the sums of naps"),
    ("days", "one row per calendar day: all daily values side by side"),
    ("hypnogram", "the stages of main sleeps, every five minutes"),
    ("samples", "every point of every series; the column series holds the name"),
    ("heartrate_5m", "heart rate by 5 minutes and source: minimum, maximum, sum and count"),
    ("heartrate_1h", "heart rate by hour and source: minimum, maximum, sum and count"),
    ("heartrate_1d", "heart rate by UTC day and source: minimum, maximum, sum and count"),
    ("samples_1h", "every series by hour: minimum, maximum, sum and count"),
    ("samples_1d", "every series by UTC day: minimum, maximum, sum and count"),
    (
        "baselines",
        "daily values against the previous 60 days: mean and deviation, and from 14 days on the \
         usual value (middle), its spread, and the distance from it (z)",
    ),
    (
        "signs",
        "one row per night: temperature, lowest heart rate, HRV and breathing in spreads from \
         usual, and their joint level",
    ),
    ("tag_days", "one row per tag and day, with the day of the night that follows"),
    ("workout_load", "one row per workout: heart rate, share of its reserve, training impulse"),
    ("causes", "one row per day and name: values that can affect the night that follows"),
    ("outcomes", "one row per night and name: values that a day can affect"),
    ("person", "one row: age, sex and maximum heart rate"),
    (
        "sleep_times",
        "one row per night: bedtime and waking by the wearer's clock, in seconds from midnight",
    ),
    (
        "sleep_debt",
        "one row per night: time asleep with naps, own need, and missing sleep in seconds",
    ),
    (
        "sleep_timing",
        "one row per night: deviation of the middle of sleep, and social jet lag, in seconds",
    ),
    (
        "sleep_regularity",
        "one row per day: sleep regularity index over 7 and 28 nights, at most 100",
    ),
    (
        "training_load",
        "one row per day before the newest: MET minutes as load, fatigue and fitness",
    ),
    ("coverage", "one row per collection and day: state of the data, and why they are missing"),
    ("series", "the names and units of series"),
    ("collections", "one row per collection: stored data, and the result of the last sync"),
    ("sync_status", "one row: age of the data, progress of the current sync, state of the login"),
    ("sync_runs", "one row per sync"),
    ("sync_windows", "one row per range of days that was fetched or is queued"),
    ("oura_raw_documents", "every document as Oura sent it"),
];

/// The response of `GET schema`: the names that a query may use.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(super) struct Schema {
    /// The version of Oura's API: `1.43`.
    specification: String,
    /// The IANA name of the data source's time zone.
    timezone: &'static str,
    tables: Vec<SchemaTable>,
    series: Vec<SchemaSeries>,
    /// The metrics of metrics queries.
    metrics: Vec<SchemaMetric>,
    /// The kinds of annotations queries.
    annotations: &'static [AnnotationKind],
    macros: &'static [Macro],
    /// The functions that this program adds to SQLite.
    functions: &'static [Function],
    /// The names of SQLite's own functions and operators that queries may use.
    sqlite_functions: &'static [&'static str],
}

/// A table or view.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
struct SchemaTable {
    name: String,
    description: &'static str,
    columns: Vec<SchemaColumn>,
}

/// A column of a table or view.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
struct SchemaColumn {
    name: String,
    /// `time`, `integer`, `number`, `string` or `boolean`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Grafana's id of the unit: `s`, `celsius`, `suffix: ms`, …
    unit: Option<&'static str>,
    description: Option<&'static str>,
}

/// A metric that a query may use.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
struct SchemaMetric {
    /// The full name, for example `nights.average_hrv`.
    name: String,
    /// A short display name.
    title: String,
    /// The table or view with the columns that filters can use.
    table: String,
    unit: Option<&'static str>,
    description: &'static str,
}

/// A series of samples.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
struct SchemaSeries {
    /// Table and field, for example `sleep.heart_rate`.
    name: String,
    unit: Option<&'static str>,
    description: &'static str,
}

pub(super) async fn schema(
    _: Caller,
    Extension(datasource): Extension<DataSource>,
) -> Result<Json<Schema>, ApiError> {
    let catalog = datasource.catalog();
    let collection_tables = catalog
        .collections
        .iter()
        .map(|collection| (collection.table.as_str(), collection.description));
    let mut tables = Vec::with_capacity(SHARED_TABLES.len() + catalog.collections.len());
    for (name, description) in SHARED_TABLES.into_iter().chain(collection_tables) {
        if let Some(columns) = columns_of(&datasource, &catalog, name).await? {
            tables.push(SchemaTable { name: name.to_owned(), description, columns });
        }
    }
    Ok(Json(Schema {
        specification: catalog.version.clone(),
        timezone: datasource.zone().name(),
        tables,
        series: catalog
            .collections
            .iter()
            .flat_map(|collection| &collection.series)
            .map(SchemaSeries::from)
            .collect(),
        metrics: metrics(&catalog).iter().map(SchemaMetric::from).collect(),
        annotations: &KINDS,
        macros: &MACROS,
        functions: &FUNCTIONS,
        sqlite_functions: &SQLITE_FUNCTIONS,
    }))
}

/// Returns the columns of `table`, or `None` if the database lacks it until its tables are rebuilt
/// after an upgrade.
async fn columns_of(
    datasource: &DataSource,
    catalog: &Catalog,
    table: &str,
) -> Result<Option<Vec<SchemaColumn>>, ApiError> {
    let query =
        SqlQuery { raw_sql: format!("SELECT * FROM \"{table}\" LIMIT 0"), ..SqlQuery::default() };
    let result = match datasource.query(&query, &ALL_TIME).await {
        Ok(result) => result,
        Err(QueryError::Unknown { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let columns = result.batch.columns.iter();
    Ok(Some(columns.map(|column| SchemaColumn::new(column, catalog)).collect()))
}

impl SchemaColumn {
    fn new(column: &ResultColumn, catalog: &Catalog) -> SchemaColumn {
        let documented = catalog_column(column, catalog);
        SchemaColumn {
            name: column.name.clone(),
            kind: json_type(column.values.data_type()),
            unit: documented.and_then(|column| column.unit).map(|unit| unit.0),
            description: documented
                .map(|column| column.description)
                .filter(|text| !text.is_empty()),
        }
    }
}

impl From<&Metric<'_>> for SchemaMetric {
    fn from(metric: &Metric<'_>) -> SchemaMetric {
        SchemaMetric {
            name: metric.name.clone(),
            title: metric.title(),
            table: metric.table.to_owned(),
            unit: metric.unit,
            description: metric.description,
        }
    }
}

impl From<&Series> for SchemaSeries {
    fn from(series: &Series) -> SchemaSeries {
        SchemaSeries {
            name: series.name.clone(),
            unit: series.unit.map(|unit| unit.0),
            description: series.description,
        }
    }
}

/// The catalogue's entry for a result column that comes unchanged from a collection.
fn catalog_column<'a>(column: &ResultColumn, catalog: &'a Catalog) -> Option<&'a Column> {
    let origin = column.origin.as_ref()?;
    catalog.get(&origin.table)?.columns.iter().find(|known| known.name == origin.column)
}
