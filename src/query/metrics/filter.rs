//! Conditions on columns. Values become parameters; only names that are known reach the SQL.

use serde::Deserialize;
use serde_json::Value;

use super::metric::Metric;
use crate::catalog::{Catalog, Kind};
use crate::query::QueryError;
use crate::query::nearest::nearest_whole;

/// `{"column": "source", "operator": "=", "value": "awake"}`; Grafana's ad-hoc filters say `key`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Filter {
    /// A column of every metric that has it, or `table.column`.
    #[serde(alias = "key")]
    pub column: String,
    #[serde(default)]
    pub operator: Operator,
    #[serde(default)]
    #[cfg_attr(test, ts(type = "string | number | boolean", optional))]
    pub value: Value,
    #[serde(default)]
    #[cfg_attr(test, ts(type = "(string | number | boolean)[]", optional))]
    pub values: Vec<Value>,
}

/// The second names are those of Grafana's ad-hoc filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "FilterOperator"))]
pub enum Operator {
    #[default]
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "in", alias = "=|")]
    In,
    #[serde(rename = "not in", alias = "!=|")]
    NotIn,
    #[serde(rename = "like")]
    Like,
    #[serde(rename = "is null")]
    IsNull,
    #[serde(rename = "is not null")]
    IsNotNull,
}

impl Operator {
    /// In SQL. `IS NOT` rather than `<>`: what is absent is different, too.
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
    /// Every filter must concern at least one of the metrics.
    pub(super) fn check(
        &self,
        metrics: &[&Metric<'_>],
        catalog: &Catalog,
    ) -> Result<(), QueryError> {
        if metrics.iter().any(|metric| self.column_of(metric, catalog).is_some()) {
            return Ok(());
        }
        let mut known: Vec<&str> =
            metrics.iter().flat_map(|metric| metric.filterable(catalog)).collect();
        known.sort_unstable();
        known.dedup();
        let name = self.column.rsplit('.').next().unwrap_or_default();
        Err(QueryError::Unknown {
            kind: "column",
            name: self.column.clone(),
            position: None,
            nearest: nearest_whole(name, known),
        })
    }

    /// Whether it is about `column` of `metric`'s table, or not about that table at all.
    pub(super) fn is_about(&self, metric: &Metric<'_>, column: &str) -> bool {
        let (table, name) = self.column.split_once('.').unwrap_or((metric.table, &self.column));
        table != metric.table || name == column
    }

    /// The column of `metric`'s table that this is about, if it is about it.
    fn column_of<'c>(&self, metric: &Metric<'_>, catalog: &'c Catalog) -> Option<&'c str> {
        let (table, column) = self.column.split_once('.').unwrap_or((metric.table, &self.column));
        let known = || metric.filterable(catalog).into_iter().find(|known| *known == column);
        (table == metric.table).then(known).flatten()
    }

    /// The condition on the rows of `metric`; its values go to `params`.
    pub(super) fn condition(
        &self,
        metric: &Metric<'_>,
        catalog: &Catalog,
        params: &mut Vec<Value>,
    ) -> Option<String> {
        let column = self.column_of(metric, catalog)?;
        let operator = self.operator.sql();
        let kind = catalog.collections.iter().find(|collection| collection.table == metric.table);
        let kind = kind
            .and_then(|collection| collection.columns.iter().find(|known| known.name == column))
            .map(|column| column.kind);
        let mut bind = |value: &Value| {
            params.push(match (kind, value.as_str()) {
                // Where values are offered to choose from, yes and no are words. Numbers as text SQLite takes for numbers.
                (Some(Kind::Boolean), Some("true")) => Value::Bool(true),
                (Some(Kind::Boolean), Some("false")) => Value::Bool(false),
                _ => value.clone(),
            });
            format!("?{}", params.len())
        };
        Some(match self.operator {
            Operator::IsNull | Operator::IsNotNull => format!("\"{column}\" {operator}"),
            Operator::In | Operator::NotIn => {
                let one =
                    self.values.is_empty().then_some(&self.value).filter(|value| !value.is_null());
                let places: Vec<_> = self
                    .values
                    .iter()
                    .filter(|value| !value.is_null())
                    .chain(one)
                    .map(&mut bind)
                    .collect();
                let list = format!("\"{column}\" {operator} ({})", places.join(", "));
                // Of what is absent SQL's lists say neither yes nor no.
                match (self.operator, self.values.iter().any(Value::is_null)) {
                    (Operator::In, false) => list,
                    (Operator::In, true) | (_, false) => {
                        format!("({list} OR \"{column}\" IS NULL)")
                    }
                    (_, true) => format!("({list} AND \"{column}\" IS NOT NULL)"),
                }
            }
            _ => format!(
                "\"{column}\" {operator} {}",
                bind(self.values.first().unwrap_or(&self.value))
            ),
        })
    }
}
