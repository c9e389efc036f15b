//! Units and descriptions of result columns, from the catalogue.

use serde::Serialize;

use crate::catalog::{Catalog, Column, Unit};
use crate::store::ResultColumn;

/// Grafana's FieldConfig, as far as it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The name in legends, unless the person gives another.
    #[serde(rename = "displayNameFromDS", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'static str,
}

impl Config {
    fn of(unit: Option<Unit>, description: &'static str) -> Option<Config> {
        let config = Config { title: None, unit: unit.map(|unit| unit.0), description };
        (config != Config::default()).then_some(config)
    }

    fn of_known(column: &Column) -> Option<Config> {
        Config::of(column.unit, column.description)
    }
}

/// What the catalogue says of a column of a result, by the table and column, or series, that it shows.
pub fn of_column(column: &ResultColumn, catalog: &Catalog) -> Option<Config> {
    let origin = column.origin.as_ref()?;
    let collection =
        catalog.collections.iter().find(|collection| collection.table == origin.table)?;
    let of_column = || {
        collection
            .columns
            .iter()
            .find(|known| known.name == origin.column)
            .and_then(Config::of_known)
    };
    let of_series = || {
        let is_field = |name: &str| {
            name.strip_prefix(&origin.table).and_then(|rest| rest.strip_prefix('.'))
                == Some(&origin.column)
        };
        collection
            .series
            .iter()
            .find(|series| is_field(&series.name))
            .and_then(|series| Config::of(series.unit, series.description))
    };
    of_column().or_else(of_series)
}
