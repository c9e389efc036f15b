//! Units and descriptions of result columns, from the catalogue.

use serde::Serialize;

use crate::catalog::{Catalog, Unit};
use crate::store::ResultColumn;

/// The fields of Grafana's FieldConfig that frames use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The name in legends, unless the user overrides it.
    #[serde(rename = "displayNameFromDS", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'static str,
}

impl Config {
    /// Returns no configuration if unit and description are both missing.
    fn of(unit: Option<Unit>, description: &'static str) -> Option<Config> {
        let config = Config { title: None, unit: unit.map(|unit| unit.0), description };
        (config != Config::default()).then_some(config)
    }
}

/// Returns the catalogue's unit and description of a result column.
///
/// The column's origin is a column of a table, or a series.
pub fn of_column(column: &ResultColumn, catalog: &Catalog) -> Option<Config> {
    let origin = column.origin.as_ref()?;
    let collection =
        catalog.collections.iter().find(|collection| collection.table == origin.table)?;
    let from_column = collection
        .columns
        .iter()
        .find(|column| column.name == origin.column)
        .and_then(|column| Config::of(column.unit, column.description));
    if from_column.is_some() {
        return from_column;
    }
    let series_name = format!("{}.{}", origin.table, origin.column);
    let series = collection.series.iter().find(|series| series.name == series_name)?;
    Config::of(series.unit, series.description)
}
