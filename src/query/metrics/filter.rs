//! Conditions on columns. Values become parameters, and only known names reach the SQL.

use serde::Deserialize;

use super::metric::Metric;
use crate::catalog::{Catalog, Kind};
use crate::query::error::QueryError;
use crate::query::suggest::similar_names;
use crate::store::{Scalar, scalars};

/// A condition: `{"column": "source", "operator": "=", "value": "awake"}`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Filter {
    /// `column`, for every metric that has it, or `table.column`. Grafana's ad-hoc filters call it
    /// `key`.
    #[serde(alias = "key")]
    pub column: String,
    /// The comparison.
    #[serde(default)]
    pub operator: Operator,
    /// The value to compare with.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "string | number | boolean", optional))]
    pub value: Scalar,
    /// The values of a list. If there are any, `value` is ignored.
    #[serde(default, deserialize_with = "scalars")]
    #[cfg_attr(test, ts(type = "(string | number | boolean)[]", optional))]
    pub values: Vec<Scalar>,
}

/// The comparison of a filter. The aliases are those of Grafana's ad-hoc filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "FilterOperator"))]
pub enum Operator {
    /// Equal.
    #[default]
    #[serde(rename = "=")]
    Equal,
    /// Different, or NULL.
    #[serde(rename = "!=")]
    NotEqual,
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    AtMost,
    /// Greater.
    #[serde(rename = ">")]
    Greater,
    /// Greater or equal.
    #[serde(rename = ">=")]
    AtLeast,
    /// Equal to a value of the list, which may contain NULL.
    #[serde(rename = "in", alias = "=|")]
    In,
    /// Different from all values of the list. NULL is different, unless the list contains it.
    #[serde(rename = "not in", alias = "!=|")]
    NotIn,
    /// SQL's LIKE.
    #[serde(rename = "like")]
    Like,
    /// NULL.
    #[serde(rename = "is null")]
    IsNull,
    /// Not NULL.
    #[serde(rename = "is not null")]
    IsNotNull,
}

impl Operator {
    /// Returns the operator in SQL. `IS NOT` rather than `<>`, since NULL counts as different.
    fn sql(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "IS NOT",
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::Greater => ">",
            Operator::AtLeast => ">=",
            Operator::In => "IN",
            Operator::NotIn => "NOT IN",
            Operator::Like => "LIKE",
            Operator::IsNull => "IS NULL",
            Operator::IsNotNull => "IS NOT NULL",
        }
    }
}

impl Filter {
    /// Validates that at least one of the metrics has the column.
    pub(super) fn validate(
        &self,
        metrics: &[&Metric<'_>],
        catalog: &Catalog,
    ) -> Result<(), QueryError> {
        if metrics.iter().any(|metric| self.find_column(metric, catalog).is_some()) {
            return Ok(());
        }
        let mut known: Vec<&str> =
            metrics.iter().flat_map(|metric| metric.filter_columns(catalog)).collect();
        known.sort_unstable();
        known.dedup();
        let name = self.column.rsplit('.').next().unwrap_or_default();
        Err(QueryError::Unknown {
            kind: "column",
            name: self.column.clone(),
            position: None,
            similar: similar_names(name, known),
        })
    }

    /// Returns whether the filter concerns no other column of the metric's table than `column`.
    pub(super) fn is_only_about(&self, metric: &Metric<'_>, column: &str) -> bool {
        let (table, name) = self.qualified_column(metric);
        table != metric.table || name == column
    }

    /// Returns the condition on the rows of `metric`, and adds its values to `params`. `None` if
    /// the filter does not concern the metric's table.
    pub(super) fn condition(
        &self,
        metric: &Metric<'_>,
        catalog: &Catalog,
        params: &mut Vec<Scalar>,
    ) -> Option<String> {
        let column = self.find_column(metric, catalog)?;
        let kind = catalog
            .collections
            .iter()
            .find(|collection| collection.table == metric.table)
            .and_then(|collection| collection.columns.iter().find(|known| known.name == column))
            .map(|column| column.kind);
        let operator = self.operator.sql();
        Some(match self.operator {
            Operator::IsNull | Operator::IsNotNull => format!("\"{column}\" {operator}"),
            Operator::In | Operator::NotIn => self.list(column, kind, params),
            _ => {
                let value = self.values.first().unwrap_or(&self.value);
                format!("\"{column}\" {operator} {}", bind(value, kind, params))
            }
        })
    }

    /// Returns a condition with IN or NOT IN. SQL's lists never match NULL, so NULL needs a
    /// condition of its own.
    fn list(&self, column: &str, kind: Option<Kind>, params: &mut Vec<Scalar>) -> String {
        let values = if self.values.is_empty() {
            std::slice::from_ref(&self.value)
        } else {
            self.values.as_slice()
        };
        let placeholders: Vec<String> = values
            .iter()
            .filter(|value| **value != Scalar::Null)
            .map(|value| bind(value, kind, params))
            .collect();
        let list = format!("\"{column}\" {} ({})", self.operator.sql(), placeholders.join(", "));
        let lists_null = self.values.contains(&Scalar::Null);
        match (self.operator, lists_null) {
            (Operator::NotIn, true) => format!("({list} AND \"{column}\" IS NOT NULL)"),
            (Operator::NotIn, false) | (_, true) => format!("({list} OR \"{column}\" IS NULL)"),
            (_, false) => list,
        }
    }

    /// Returns the column of the metric's table that the filter concerns.
    fn find_column<'c>(&self, metric: &Metric<'_>, catalog: &'c Catalog) -> Option<&'c str> {
        let (table, column) = self.qualified_column(metric);
        if table != metric.table {
            return None;
        }
        metric.filter_columns(catalog).into_iter().find(|known| *known == column)
    }

    /// Returns table and column. A column without a table is one of the metric's table.
    fn qualified_column<'f>(&'f self, metric: &Metric<'f>) -> (&'f str, &'f str) {
        self.column.split_once('.').unwrap_or((metric.table, &self.column))
    }
}

/// Adds a value to `params` and returns its placeholder.
fn bind(value: &Scalar, kind: Option<Kind>, params: &mut Vec<Scalar>) -> String {
    params.push(match (kind, value.as_text()) {
        // Ad-hoc filters send all values as text. SQLite converts numbers, but not booleans.
        (Some(Kind::Boolean), Some("true")) => Scalar::Bool(true),
        (Some(Kind::Boolean), Some("false")) => Scalar::Bool(false),
        _ => value.clone(),
    });
    format!("?{}", params.len())
}
