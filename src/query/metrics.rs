//! Metrics queries: which numbers, over which steps, with which bands. They become SQL, and the engine answers it like any other.
//!
//! The SQL is a pure function of the query, the catalogue, the panel's interval and the zone. It is written with macros and parameters, so that a
//! person can take it over.

mod filter;
mod metric;
mod source;
mod sql;
mod step;

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{
    Downsample, FieldDisplay, Format, QueryContext, QueryError, QueryResult, SqlQuery, interval,
};
use crate::catalog::Catalog;
use crate::store::Origin;
use crate::time::Tz;

pub use filter::{Filter, Operator};
pub(super) use metric::origin_of;
pub use metric::{Metric, metrics};
pub use step::{Calendar, Every};

/// A metrics query as the editor sends it. Unknown fields are Grafana's own and ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MetricsQuery {
    pub metrics: Vec<Choice>,
    pub aggregate: Aggregate,
    pub every: Every,
    pub filters: Vec<Filter>,
    /// Days, the day itself included; 0 is none.
    pub moving_average: u16,
    /// The median of this many days before, and the median absolute deviation around it, as fields of their own; 0 is none.
    pub baseline: u16,
    /// Days by which every metric is drawn later (negative: earlier).
    pub shift: i16,
    pub downsample: Downsample,
}

/// One metric of a query: a name, or a name with what is different about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Written")]
#[cfg_attr(test, derive(ts_rs::TS), ts(as = "Written", rename = "Metric"))]
pub struct Choice {
    /// `sleep.average_hrv`, `days.steps`, `heartrate.bpm`; of a series, the series' name.
    pub name: String,
    pub aggregate: Option<Aggregate>,
    pub shift: Option<i16>,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(ts_rs::TS))]
enum Written {
    Name(String),
    #[cfg_attr(test, ts(optional_fields))]
    With {
        name: String,
        aggregate: Option<Aggregate>,
        shift: Option<i16>,
    },
}

impl From<Written> for Choice {
    fn from(written: Written) -> Choice {
        match written {
            Written::Name(name) => Choice { name, aggregate: None, shift: None },
            Written::With { name, aggregate, shift } => Choice { name, aggregate, shift },
        }
    }
}

/// What becomes of the values of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Aggregate {
    #[default]
    Avg,
    Min,
    Max,
    Sum,
    Count,
    Median,
    P10,
    P90,
    /// The one with the latest time.
    Last,
}

impl Aggregate {
    /// As it stands in the query and in names.
    fn word(self) -> &'static str {
        match self {
            Aggregate::Avg => "avg",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Sum => "sum",
            Aggregate::Count => "count",
            Aggregate::Median => "median",
            Aggregate::P10 => "p10",
            Aggregate::P90 => "p90",
            Aggregate::Last => "last",
        }
    }
}

/// The most days a moving average, a baseline or a shift may reach.
pub(crate) const MAX_DAYS: u16 = 1_000;

/// The most metrics of one query: a statement has at most 128 KiB, of which a metric with its baseline and a filter takes two.
pub(crate) const MAX_METRICS: usize = 50;

/// A metrics query as SQL, and what is to be said of each column of the answer.
#[derive(Debug)]
pub struct Plan {
    pub query: SqlQuery,
    /// The tables that are read, one per metric.
    pub sources: Vec<String>,
    columns: Vec<Column>,
}

/// A column beside the time.
#[derive(Debug)]
struct Column {
    name: String,
    origin: Option<Origin>,
    display: FieldDisplay,
}

impl MetricsQuery {
    /// Names, filters and numbers are checked here: what comes out runs. Days are those of `zone`.
    pub fn plan(
        &self,
        catalog: &Catalog,
        context: &QueryContext,
        zone: Tz,
    ) -> Result<Plan, QueryError> {
        let shifts = self.metrics.iter().filter_map(|choice| choice.shift).chain([self.shift]);
        if [self.moving_average, self.baseline]
            .into_iter()
            .chain(shifts.map(i16::unsigned_abs))
            .any(|days| days > MAX_DAYS)
        {
            return Err(QueryError::Invalid(format!(
                "a moving average, a baseline or a shift reaches at most {MAX_DAYS} days"
            )));
        }
        if self.metrics.len() > MAX_METRICS {
            let count = self.metrics.len();
            return Err(QueryError::Invalid(format!(
                "{count} metrics are asked for: a query shows at most {MAX_METRICS}, ask for the others in another"
            )));
        }
        sql::plan(self, catalog, context, zone)
    }

    /// The same in steps of which the range has at most `rows`, for a query that would show no more than its beginning, and words that say
    /// so; `None` where its steps are no shorter.
    pub fn covering(&self, context: &QueryContext, rows: usize) -> Option<(MetricsQuery, String)> {
        let seconds = u64::try_from(context.to_ms.saturating_sub(context.from_ms) / 1_000).ok()?;
        let now = match &self.every {
            Every::Raw => Duration::ZERO,
            Every::Interval(text) => interval::parse(text)?,
            Every::Auto => context.interval,
            Every::Calendar(_) => return None,
        };
        // Where a range begins and ends within steps, it touches one more.
        let fits = |(_, step): &(&str, u64)| {
            Duration::from_secs(*step) > now && seconds / step + 2 <= rows as u64
        };
        let (step, _) = COVERING.into_iter().find(fits)?;
        let aggregate = self.aggregate.word();
        let notice = format!(
            "The range has more points than can be read: each one shown is the {aggregate} of {step}. Narrow the time range to see them as asked."
        );
        let every = Every::try_from(step.to_owned()).ok()?;
        Some((MetricsQuery { every, ..self.clone() }, notice))
    }
}

/// Steps that a range with too many points is read in, and their seconds: those that rollups fill.
const COVERING: [(&str, u64); 6] =
    [("5m", 300), ("15m", 900), ("1h", 3_600), ("6h", 21_600), ("day", 86_400), ("week", 604_800)];

impl Plan {
    /// Tells the answer to [`Plan::query`] what its columns are.
    pub fn describe(self, answer: &mut QueryResult) {
        answer.custom = Some(
            json!({ "sources": self.sources, "rawSql": self.query.raw_sql, "params": self.query.params }),
        );
        answer.displays = std::iter::once(FieldDisplay::default())
            .chain(self.columns.iter().map(|column| column.display.clone()))
            .collect();
        for (shown, planned) in answer.batch.columns.iter_mut().skip(1).zip(self.columns) {
            shown.origin = planned.origin;
        }
    }

    /// A query for rows of one time and its values.
    fn new(
        raw_sql: String,
        params: Vec<serde_json::Value>,
        downsample: Downsample,
        sources: Vec<String>,
        columns: Vec<Column>,
    ) -> Plan {
        Plan {
            query: SqlQuery { raw_sql, params, format: Format::TimeSeries, downsample },
            sources,
            columns,
        }
    }
}

#[cfg(test)]
mod tests;
