//! Units and descriptions of result columns, from the catalogue.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use serde::Serialize;

use crate::catalog::{Catalog, Unit};
use crate::query::Line;
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
    /// How time series panels draw the field, unless the user overrides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Drawing>,
}

/// The fields of Grafana's GraphFieldConfig that frames use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawing {
    /// The title of the series down to which the area below this one is filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    fill_below_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill_opacity: Option<u8>,
    line_width: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_style: Option<LineStyle>,
    show_points: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hide_from: Option<HideFrom>,
}

/// The properties that all lines of a band share. Explore would draw points on the invisible edges.
const BAND: Drawing = Drawing {
    fill_below_to: None,
    fill_opacity: None,
    line_width: 0,
    line_style: None,
    show_points: "never",
    hide_from: None,
};

/// An edge of a band. The legend has only the line in its middle.
const EDGE: Drawing =
    Drawing { hide_from: Some(HideFrom { legend: true, tooltip: false, viz: false }), ..BAND };

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct LineStyle {
    fill: &'static str,
    dash: [u8; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct HideFrom {
    legend: bool,
    tooltip: bool,
    viz: bool,
}

impl From<&Line> for Drawing {
    fn from(line: &Line) -> Drawing {
        match line {
            Line::Dashed => Drawing {
                line_width: 1,
                fill_opacity: Some(0),
                line_style: Some(LineStyle { fill: "dash", dash: [8, 6] }),
                ..BAND
            },
            Line::LowerEdge => Drawing { fill_opacity: Some(0), ..EDGE },
            Line::UpperEdge { lower } => {
                Drawing { fill_below_to: Some(lower.clone()), fill_opacity: Some(15), ..EDGE }
            }
        }
    }
}

impl Config {
    /// Returns no configuration if unit and description are both missing.
    fn of(unit: Option<Unit>, description: &'static str) -> Option<Config> {
        let config = Config { unit: unit.map(|unit| unit.0), description, ..Config::default() };
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
    if let Some(mut config) = from_column {
        if column.is_mixed {
            config.description = "";
        }
        return Some(config);
    }
    let series_name = format!("{}.{}", origin.table, origin.column);
    let series = collection.series.iter().find(|series| series.name == series_name)?;
    Config::of(series.unit, series.description)
}

/// Returns the Arrow field of a result column with values of `data_type`. Its metadata has the unit
/// and the description.
pub fn arrow_field(column: &ResultColumn, data_type: &DataType, catalog: &Catalog) -> Field {
    let config = of_column(column, catalog).unwrap_or_default();
    let facts = [("unit", config.unit.unwrap_or_default()), ("description", config.description)];
    let metadata: HashMap<String, String> = facts
        .into_iter()
        .filter(|(_, fact)| !fact.is_empty())
        .map(|(name, fact)| (name.to_owned(), fact.to_owned()))
        .collect();
    Field::new(&column.name, data_type.clone(), true).with_metadata(metadata)
}
