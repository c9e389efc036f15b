//! Metrics: numbers of a typed table, a view or a series of samples.

use super::views::{VIEWS, View, ViewColumn};
use crate::catalog::{Catalog, Collection, Column, Kind, Series, Storage};
use crate::query::error::QueryError;
use crate::query::suggest::similar_names;
use crate::store::Origin;

/// A number that can be drawn over time.
#[derive(Clone, Debug)]
pub struct Metric<'a> {
    /// The name in a query: `sleep.average_hrv`.
    pub name: String,
    /// The table or view that holds it. Filters can name its columns.
    pub table: &'a str,
    pub(super) kind: MetricKind<'a>,
    /// Whether the values are yes or no, drawn as 1 or 0.
    pub(super) is_boolean: bool,
    /// The catalogue's column or series, which has the unit and the description.
    pub origin: Option<Origin>,
    /// The unit, by Grafana's name.
    pub unit: Option<&'static str>,
    /// The catalogue's description.
    pub description: &'static str,
}

/// The way in which a metric's values are stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum MetricKind<'a> {
    /// In this column of a table or view that has a `day` per row.
    Daily(&'a str),
    /// In this column of a table that only has a `time` per row.
    Timed(&'a str),
    /// As samples of this series.
    Samples(&'a str),
}

/// Returns all metrics: first those of the views, then those of each collection.
pub fn metrics(catalog: &Catalog) -> Vec<Metric<'_>> {
    let mut metrics = Vec::new();
    for view in &VIEWS {
        metrics.extend(view.columns().map(|column| Metric::of_view(view, &column, catalog)));
    }
    for collection in &catalog.collections {
        let columns = collection.columns.iter().filter(|column| is_numeric(column));
        metrics.extend(columns.map(|column| Metric::of_column(collection, column)));
        metrics
            .extend(collection.series.iter().map(|series| Metric::of_series(collection, series)));
    }
    metrics
}

/// Returns the metric with this name.
pub(super) fn find_metric<'a>(
    known: &'a [Metric<'a>],
    name: &str,
) -> Result<&'a Metric<'a>, QueryError> {
    if let Some(metric) = known.iter().find(|metric| metric.name == name) {
        return Ok(metric);
    }
    // Perhaps only the table is missing.
    let mut similar: Vec<String> = known
        .iter()
        .map(|metric| &metric.name)
        .filter(|known| known.rsplit('.').next() == Some(name))
        .take(3)
        .cloned()
        .collect();
    if similar.is_empty() {
        similar = similar_names(name, known.iter().map(|metric| &metric.name));
    }
    Err(QueryError::Unknown { kind: "metric", name: name.to_owned(), position: None, similar })
}

impl<'a> Metric<'a> {
    fn of_view(view: &'static View, column: &ViewColumn, catalog: &'a Catalog) -> Metric<'a> {
        let (table, origin) = column.origin;
        let known = catalog
            .get(table)
            .and_then(|collection| collection.columns.iter().find(|known| known.name == origin));
        let description = match (column.name, known) {
            ("naps", _) => "Naps of the day",
            ("tags", _) => "Tags of the day",
            // Its origin is the duration of any sleep.
            ("nap_duration", _) => "Time asleep in naps",
            (_, Some(known)) => known.description,
            (_, None) => "",
        };
        Metric {
            name: format!("{}.{}", view.name, column.name),
            table: view.name,
            kind: MetricKind::Daily(column.name),
            is_boolean: known.is_some_and(|known| known.kind == Kind::Boolean),
            origin: known
                .map(|known| Origin { table: table.to_owned(), column: known.name.clone() }),
            unit: known.and_then(|known| known.unit).map(|unit| unit.0),
            description,
        }
    }

    fn of_column(collection: &'a Collection, column: &'a Column) -> Metric<'a> {
        let kind = match collection.storage {
            Storage::Documents => MetricKind::Daily(&column.name),
            Storage::Rows => MetricKind::Timed(&column.name),
        };
        Metric {
            name: format!("{}.{}", collection.table, column.name),
            table: &collection.table,
            kind,
            is_boolean: column.kind == Kind::Boolean,
            origin: Some(Origin { table: collection.table.clone(), column: column.name.clone() }),
            unit: column.unit.map(|unit| unit.0),
            description: column.description,
        }
    }

    fn of_series(collection: &'a Collection, series: &'a Series) -> Metric<'a> {
        let field = series.name.split_once('.').map_or(series.name.as_str(), |(_, field)| field);
        Metric {
            name: series.name.clone(),
            table: &collection.table,
            kind: MetricKind::Samples(&series.name),
            is_boolean: false,
            origin: Some(Origin { table: collection.table.clone(), column: field.to_owned() }),
            unit: series.unit.map(|unit| unit.0),
            description: series.description,
        }
    }

    /// Returns a short title for a legend: the description up to its first punctuation mark.
    pub fn title(&self) -> String {
        let title = self.description.split([',', ';', ':', '(']).next().unwrap_or_default().trim();
        if title.is_empty() { self.name.clone() } else { title.to_owned() }
    }

    /// Returns the columns that filters can name.
    pub(super) fn filter_columns<'c>(&self, catalog: &'c Catalog) -> Vec<&'c str> {
        if let Some(view) = View::find(self.table) {
            return view.filter_columns().collect();
        }
        let Some(collection) = catalog.get(self.table) else { return Vec::new() };
        let columns = collection.columns.iter().map(|column| column.name.as_str());
        match collection.storage {
            Storage::Documents => {
                ["time", "day", "utc_offset"].into_iter().chain(columns).collect()
            }
            Storage::Rows => {
                // The column of the start is stored as `time`.
                let start = collection.time.start.first().copied();
                let columns = columns.filter(|name| Some(*name) != start);
                std::iter::once("time").chain(columns).collect()
            }
        }
    }
}

/// Returns whether values can be averaged and counted: numbers, and yes or no as 1 or 0.
fn is_numeric(column: &Column) -> bool {
    matches!(column.kind, Kind::Integer | Kind::Real | Kind::Boolean)
}
