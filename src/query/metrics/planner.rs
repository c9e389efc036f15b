//! Turns a metrics query into one SELECT.

use super::metric::{Metric, find_metric, metrics};
use super::part::{Environment, Part};
use super::plan::{Plan, PlannedColumn};
use super::query::MetricsQuery;
use crate::catalog::Catalog;
use crate::query::context::QueryContext;
use crate::query::error::{MetricsError, QueryError};
use crate::query::request::{Format, SqlQuery};
use crate::sql::quote_identifier;
use crate::store::Scalar;
use crate::time::Tz;

/// The maximum days of a moving average, a baseline or a shift.
pub(crate) const MAX_DAYS: u16 = 1_000;

/// The maximum number of metrics of one query. A statement has at most 128 KiB, and a metric with a
/// baseline and a filter takes 2 KiB.
pub(crate) const MAX_METRICS: usize = 50;

/// The maximum number of filters of one query.
const MAX_FILTERS: usize = 50;

impl MetricsQuery {
    /// Validates names, filters and numbers, and returns the SQL with a description of its columns.
    /// Days are those of `zone`.
    pub fn plan(
        &self,
        catalog: &Catalog,
        context: &QueryContext,
        zone: Tz,
    ) -> Result<Plan, QueryError> {
        self.validate_limits()?;
        let known = metrics(catalog);
        let chosen: Vec<&Metric<'_>> = self
            .metrics
            .iter()
            .map(|choice| find_metric(&known, &choice.name))
            .collect::<Result<_, _>>()?;
        for filter in &self.filters {
            filter.validate(&chosen, catalog)?;
        }

        let environment = Environment { catalog, interval: context.interval, zone };
        let mut params = Vec::new();
        let mut parts: Vec<Part> = Vec::with_capacity(chosen.len());
        for (metric, choice) in chosen.into_iter().zip(&self.metrics) {
            parts.push(Part::new(metric, choice, self, &environment, &mut params)?);
        }
        for (index, part) in parts.iter().enumerate() {
            let name = &part.columns[0].name;
            if parts[..index].iter().any(|other| other.columns[0].name == *name) {
                return Err(MetricsError::Duplicate(name.clone()).into());
            }
        }
        self.assemble(parts, params)
    }

    fn validate_limits(&self) -> Result<(), MetricsError> {
        let shifts = self.metrics.iter().filter_map(|choice| choice.shift).chain([self.shift]);
        let max_shift = shifts.map(i16::unsigned_abs).max().unwrap_or_default();
        if self.moving_average.max(self.baseline).max(max_shift) > MAX_DAYS {
            return Err(MetricsError::TooManyDays { max: MAX_DAYS });
        }
        if self.metrics.len() > MAX_METRICS {
            return Err(MetricsError::TooMany { count: self.metrics.len(), max: MAX_METRICS });
        }
        if self.filters.len() > MAX_FILTERS {
            return Err(MetricsError::TooManyFilters {
                count: self.filters.len(),
                max: MAX_FILTERS,
            });
        }
        Ok(())
    }

    fn assemble(&self, parts: Vec<Part>, params: Vec<Scalar>) -> Result<Plan, QueryError> {
        let raw_sql = match parts.as_slice() {
            [] => return Err(MetricsError::NoMetrics.into()),
            [one] => format!("{}\nORDER BY 1", one.sql),
            several => join_columns(several),
        };
        let sources = parts.iter().map(|part| part.source.clone()).collect();
        let mut columns: Vec<PlannedColumn> =
            parts.into_iter().flat_map(|part| part.columns).collect();
        if let [only] = columns.as_mut_slice() {
            // A single series needs no labels.
            only.display.labels.clear();
        }
        let query = SqlQuery {
            raw_sql,
            params,
            format: Format::TimeSeries,
            downsample: self.downsample,
            ..SqlQuery::default()
        };
        Ok(Plan { query, sources, columns })
    }
}

/// The names of a part's columns in the rows of all parts.
const COMMON_NAMES: [&str; 4] = ["value", "middle", "lower", "upper"];

/// Returns one row per time with the columns of all parts. Raw values keep a row each.
///
/// Each part occurs once, so the statement grows linearly with their number. Parts are subqueries,
/// since SQLite runs out of cursors for as many common table expressions.
fn join_columns(parts: &[Part]) -> String {
    let mut selects = Vec::with_capacity(parts.len());
    let mut columns = Vec::new();
    let is_grouped = parts.iter().all(|part| part.is_grouped);
    let aggregate = if is_grouped { "max" } else { "" };
    for (number, part) in (1..).zip(parts) {
        let mut renamed = Vec::with_capacity(part.columns.len());
        for (column, common_name) in part.columns.iter().zip(COMMON_NAMES) {
            let name = quote_identifier(&column.name);
            renamed.push(format!("{name} AS {common_name}"));
            columns.push(format!(
                "{aggregate}(CASE metric WHEN {number} THEN {common_name} END) AS {name}"
            ));
        }
        selects.push(format!(
            "SELECT {number} AS metric, \"time\", {} FROM (\n{}\n)",
            renamed.join(", "),
            part.sql
        ));
    }
    format!(
        "SELECT \"time\",\n  {}\nFROM (\n{}\n){}\nORDER BY 1",
        columns.join(",\n  "),
        selects.join("\nUNION ALL "),
        if is_grouped { "\nGROUP BY 1" } else { "" }
    )
}
