//! One metric of a query: its SELECT and its columns.

use std::collections::BTreeMap;
use std::time::Duration;

use super::aggregate::Aggregate;
use super::metric::{Metric, MetricKind};
use super::plan::PlannedColumn;
use super::points::Points;
use super::query::{MetricChoice, MetricsQuery};
use super::source::Source;
use super::step::Step;
use crate::catalog::Catalog;
use crate::query::error::MetricsError;
use crate::query::result::FieldDisplay;
use crate::store::{Scalar, resolution};
use crate::time::Tz;

/// The shortest step under a moving average or a baseline. Each point looks at all points of the
/// days before it, so shorter steps take too long.
const MIN_WINDOW_STEP: Duration = Duration::from_secs(3_600);

/// The circumstances of a query.
pub(super) struct Environment<'a> {
    pub catalog: &'a Catalog,
    /// The panel's interval.
    pub interval: Duration,
    /// The zone of calendar days.
    pub zone: Tz,
}

/// One metric of a query.
pub(super) struct Part {
    /// A SELECT of the time and the columns, in any order of rows.
    pub sql: String,
    /// The metric itself, then the bands of its baseline.
    pub columns: Vec<PlannedColumn>,
    /// The table that is read.
    pub source: String,
    /// Whether there is one row per time.
    pub is_grouped: bool,
}

impl Part {
    /// Plans one metric. Values of filters go to `params`.
    pub fn new(
        metric: &Metric<'_>,
        choice: &MetricChoice,
        query: &MetricsQuery,
        environment: &Environment<'_>,
        params: &mut Vec<Scalar>,
    ) -> Result<Part, MetricsError> {
        let step = choose_step(metric, query, environment.interval)?;
        let aggregate = choice.aggregate.unwrap_or(query.aggregate);
        let shift = choice.shift.unwrap_or(query.shift);
        let source = Source::choose(metric, &step, aggregate, &query.filters, environment.zone);
        let table = source.table.clone();
        let mut conditions = source.conditions.clone();
        conditions.extend(filter_conditions(metric, query, environment.catalog, params));
        let is_grouped = step != Step::Raw;
        let columns = columns(metric, choice, query, is_grouped.then_some(aggregate));
        let points = Points {
            source,
            kind: metric.kind,
            step,
            conditions,
            shift: i64::from(shift),
            moving_average: i64::from(query.moving_average),
            baseline: i64::from(query.baseline),
            resolution: resolution(metric.name.rsplit('.').next().unwrap_or_default()),
        };
        Ok(Part { sql: points.select(&columns), columns, source: table, is_grouped })
    }
}

fn choose_step(
    metric: &Metric<'_>,
    query: &MetricsQuery,
    panel_interval: Duration,
) -> Result<Step, MetricsError> {
    if query.moving_average == 0 && query.baseline == 0 {
        return Ok(Step::new(&query.every, metric.kind, panel_interval));
    }
    let step = Step::new(&query.every, metric.kind, panel_interval.max(MIN_WINDOW_STEP));
    if step.is_shorter_than(MIN_WINDOW_STEP, metric.kind) {
        return Err(MetricsError::StepTooShort(metric.name.clone()));
    }
    Ok(step)
}

/// Returns the query's filters as conditions on the rows. For samples, they are conditions on the
/// documents that contain the samples.
fn filter_conditions(
    metric: &Metric<'_>,
    query: &MetricsQuery,
    catalog: &Catalog,
    params: &mut Vec<Scalar>,
) -> Vec<String> {
    let conditions: Vec<String> = query
        .filters
        .iter()
        .filter_map(|filter| filter.condition(metric, catalog, params))
        .collect();
    if conditions.is_empty() || !matches!(metric.kind, MetricKind::Samples(_)) {
        return conditions;
    }
    vec![format!(
        "document IN (SELECT document FROM \"{}\" WHERE {})",
        metric.table,
        conditions.join(" AND ")
    )]
}

/// Returns the metric's own column, then those of its baseline. `aggregate` is `None` for raw
/// values.
fn columns(
    metric: &Metric<'_>,
    choice: &MetricChoice,
    query: &MetricsQuery,
    aggregate: Option<Aggregate>,
) -> Vec<PlannedColumn> {
    let name = column_name(metric, choice);
    // A count has no unit.
    let origin = metric.origin.clone().filter(|_| aggregate != Some(Aggregate::Count));
    let mut title = metric.title();
    if let Some(aggregate) = aggregate.filter(|aggregate| *aggregate != Aggregate::Avg) {
        title += &format!(", {}", aggregate.name());
    }
    let shift = shift_title(choice.shift.unwrap_or(query.shift));
    let mean = if query.moving_average > 1 {
        format!(", mean of {} days", query.moving_average)
    } else {
        String::new()
    };
    let labels = BTreeMap::from([("metric".to_owned(), name.clone())]);
    let display = FieldDisplay { title: Some(format!("{title}{mean}{shift}")), labels };
    let mut columns = vec![PlannedColumn { name, origin, display }];
    if query.baseline > 0 {
        for band in ["baseline", "lower", "upper"] {
            // A baseline is that of the values, not of their moving average.
            let band_title = format!("{title}{shift}, {band}");
            columns.push(band_column(&columns[0], band, band_title));
        }
    }
    columns
}

fn band_column(metric: &PlannedColumn, band: &str, title: String) -> PlannedColumn {
    let mut labels = metric.display.labels.clone();
    labels.insert("band".to_owned(), band.to_owned());
    PlannedColumn {
        name: format!("{} {band}", metric.name),
        origin: metric.origin.clone(),
        display: FieldDisplay { title: Some(title), labels },
    }
}

/// Returns for example `days.steps sum +1d`: the metric, and the settings of its own.
fn column_name(metric: &Metric<'_>, choice: &MetricChoice) -> String {
    let mut name = metric.name.clone();
    if let Some(aggregate) = choice.aggregate {
        name += &format!(" {}", aggregate.name());
    }
    if let Some(days) = choice.shift.filter(|days| *days != 0) {
        name += &format!(" {days:+}d");
    }
    name
}

/// Returns for example `, 1 day before` for a shift by 1 day.
fn shift_title(days: i16) -> String {
    let unit = if days.abs() == 1 { "day" } else { "days" };
    match days {
        0 => String::new(),
        1.. => format!(", {days} {unit} before"),
        _ => format!(", {} {unit} after", days.unsigned_abs()),
    }
}
