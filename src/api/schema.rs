//! `GET schema`: everything an editor or a script needs to know to write a query. Columns are asked of the query engine itself, so that
//! what is listed is what can be read.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;

use super::ApiError;
use super::body::Json;
use super::caller::Caller;
use crate::catalog::{Catalog, Column, Series};
use crate::datasource::DataSource;
use crate::frames::json_type;
use crate::query::annotations::{AnnotationKind, KINDS};
use crate::query::metrics::{Metric, metrics};
use crate::query::{MACROS, Macro, QueryContext, SqlQuery};
use crate::store::{FUNCTIONS, Function, ResultColumn, SQLITE_FUNCTIONS};

/// No panel asks: the range is all of time, to the end of the year 9999.
pub(super) const EVER: QueryContext = QueryContext {
    from_ms: 0,
    to_ms: 253_402_300_799_999,
    interval: Duration::from_secs(60),
    max_data_points: 1_000,
};

/// The views and tables that stand beside the collections, most useful first.
const OTHERS: [(&str, &str); 17] = [
    ("nights", "one row per night: the main sleep, naps summed beside it"),
    ("days", "one row per calendar day: everything daily side by side"),
    ("hypnogram", "the stages of main sleeps, every five minutes"),
    ("samples", "every point of every series, told apart by its series"),
    ("heartrate_5m", "heart rate by 5 minutes and source: minimum, maximum, sum and count"),
    ("heartrate_1h", "heart rate by hour and source: minimum, maximum, sum and count"),
    ("heartrate_1d", "heart rate by UTC day and source: minimum, maximum, sum and count"),
    ("samples_1h", "every series by hour: minimum, maximum, sum and count"),
    ("samples_1d", "every series by UTC day: minimum, maximum, sum and count"),
    ("baselines", "a value a day and its mean and deviation over the 60 days before"),
    ("coverage", "one row per collection and day: whether it was fetched"),
    ("series", "the names and units of series"),
    ("collections", "one row per collection: what is here, and how its last sync went"),
    ("sync_status", "one row: how old the data are"),
    ("sync_runs", "one row per sync"),
    ("sync_windows", "one row per stretch of days that was fetched or waits"),
    ("oura_raw_documents", "every document as Oura sent it"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schema {
    /// Of Oura's API: `1.43`.
    specification: String,
    timezone: &'static str,
    tables: Vec<Table>,
    series: Vec<SeriesFace>,
    /// What a metrics query may name.
    metrics: Vec<MetricFace>,
    /// What an annotations query may name.
    annotations: &'static [AnnotationKind],
    macros: &'static [Macro],
    /// Those that this program adds to SQLite.
    functions: &'static [Function],
    /// The names of SQLite's own that queries may call.
    sqlite_functions: &'static [&'static str],
}

#[derive(Serialize)]
struct Table {
    name: String,
    description: &'static str,
    columns: Vec<ColumnFace>,
}

#[derive(Serialize)]
struct ColumnFace {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    unit: Option<&'static str>,
    description: Option<&'static str>,
}

#[derive(Serialize)]
struct MetricFace {
    name: String,
    /// A few words for a person.
    title: String,
    /// The table whose columns filters may name.
    table: String,
    unit: Option<&'static str>,
    description: &'static str,
}

#[derive(Serialize)]
struct SeriesFace {
    name: String,
    unit: Option<&'static str>,
    description: &'static str,
}

pub(super) async fn schema(
    _: Caller,
    State(datasource): State<DataSource>,
) -> Result<Json<Schema>, ApiError> {
    let catalog = datasource.catalog();
    let of_collections = catalog
        .collections
        .iter()
        .map(|collection| (collection.table.as_str(), collection.description));
    let mut tables = Vec::with_capacity(OTHERS.len() + catalog.collections.len());
    for (name, description) in OTHERS.into_iter().chain(of_collections) {
        let columns = columns(&datasource, &catalog, name).await?;
        tables.push(Table { name: name.to_owned(), description, columns });
    }
    let series = catalog
        .collections
        .iter()
        .flat_map(|collection| &collection.series)
        .map(series_face)
        .collect();
    Ok(Json(Schema {
        specification: catalog.version.clone(),
        timezone: datasource.zone().name(),
        tables,
        series,
        metrics: metrics(&catalog).iter().map(metric_face).collect(),
        annotations: &KINDS,
        macros: &MACROS,
        functions: &FUNCTIONS,
        sqlite_functions: &SQLITE_FUNCTIONS,
    }))
}

async fn columns(
    datasource: &DataSource,
    catalog: &Catalog,
    table: &str,
) -> Result<Vec<ColumnFace>, ApiError> {
    let query =
        SqlQuery { raw_sql: format!("SELECT * FROM \"{table}\" LIMIT 0"), ..SqlQuery::default() };
    let answer = datasource.query(&query, &EVER).await?;
    let face = |column: &ResultColumn| {
        let known = known(catalog, column);
        ColumnFace {
            name: column.name.clone(),
            kind: json_type(column.values.data_type()),
            unit: known.and_then(|known| known.unit).map(|unit| unit.0),
            description: known.map(|known| known.description).filter(|text| !text.is_empty()),
        }
    };
    Ok(answer.batch.columns.iter().map(face).collect())
}

fn metric_face(metric: &Metric<'_>) -> MetricFace {
    MetricFace {
        name: metric.name.clone(),
        title: metric.title(),
        table: metric.table.to_owned(),
        unit: metric.unit,
        description: metric.description,
    }
}

fn series_face(series: &Series) -> SeriesFace {
    SeriesFace {
        name: series.name.clone(),
        unit: series.unit.map(|unit| unit.0),
        description: series.description,
    }
}

/// The catalogue's column that `column` comes from unchanged.
pub(super) fn known<'a>(catalog: &'a Catalog, column: &ResultColumn) -> Option<&'a Column> {
    let origin = column.origin.as_ref()?;
    catalog.get(&origin.table)?.columns.iter().find(|known| known.name == origin.column)
}
