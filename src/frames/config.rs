//! Units and descriptions of result columns, from the catalogue.

use std::collections::HashMap;

use serde::Serialize;

use crate::catalog::{Catalog, Column, Unit};
use crate::store::OutColumn;

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

/// What the catalogue says of columns, by name.
pub struct Configs<'a> {
    catalog: &'a Catalog,
    /// Columns of all tables by their name; `None` where tables disagree.
    by_name: HashMap<&'a str, Option<Config>>,
}

impl<'a> Configs<'a> {
    pub fn of(catalog: &'a Catalog) -> Configs<'a> {
        let mut by_name: HashMap<&str, Option<Config>> = HashMap::new();
        for column in catalog.collections.iter().flat_map(|collection| &collection.columns) {
            let config = Config::of_known(column);
            by_name.entry(column.name.as_str()).and_modify(|known| *known = common(known.take(), config.clone())).or_insert(config);
        }
        Configs { catalog, by_name }
    }

    /// By the table and column, or series, it comes from; else, for an expression that keeps a column's name (`avg(average_hrv) AS average_hrv`), by
    /// that name, if it means the same in every table that has it.
    pub fn of_column(&self, column: &OutColumn) -> Option<Config> {
        match &column.origin {
            Some(origin) => {
                let collection = self.catalog.collections.iter().find(|collection| collection.table == origin.table)?;
                let of_column = || collection.columns.iter().find(|known| known.name == origin.column).and_then(Config::of_known);
                let of_series = || {
                    let field =
                        |name: &str| name.strip_prefix(&origin.table).and_then(|rest| rest.strip_prefix('.')) == Some(&origin.column);
                    collection
                        .series
                        .iter()
                        .find(|series| field(&series.name))
                        .and_then(|series| Config::of(series.unit, series.description))
                };
                of_column().or_else(of_series)
            }
            None => self.by_name.get(column.name.as_str()).cloned().flatten(),
        }
    }
}

/// What two columns of one name have in common: nothing if their units differ.
fn common(a: Option<Config>, b: Option<Config>) -> Option<Config> {
    let (a, b) = (a?, b?);
    (a.unit == b.unit).then(|| Config {
        title: None,
        unit: a.unit,
        description: if a.description == b.description { a.description } else { "" },
    })
}
