//! Aggregates of the values of one step.

use serde::Deserialize;

/// The function that summarizes the values of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Aggregate {
    /// The mean.
    #[default]
    Avg,
    /// The minimum.
    Min,
    /// The maximum.
    Max,
    /// The sum.
    Sum,
    /// The number of values.
    Count,
    /// The median.
    Median,
    /// The 10th percentile.
    P10,
    /// The 90th percentile.
    P90,
    /// The value with the latest time.
    Last,
}

impl Aggregate {
    /// Returns the name in queries and in names of series.
    pub(super) fn name(self) -> &'static str {
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

    /// Returns the aggregate of `value`, an SQL expression, over a group of rows.
    pub(super) fn of_rows(self, value: &str) -> String {
        match self {
            Aggregate::P10 => format!("percentile({value}, 10)"),
            Aggregate::P90 => format!("percentile({value}, 90)"),
            Aggregate::Last => format!("last({value}, time)"),
            Aggregate::Avg
            | Aggregate::Min
            | Aggregate::Max
            | Aggregate::Sum
            | Aggregate::Count
            | Aggregate::Median => format!("{}({value})", self.name()),
        }
    }

    /// Returns the aggregate of a group of rollup buckets as SQL. `None` if buckets lack the
    /// single values that it needs.
    pub(super) fn of_buckets(self) -> Option<&'static str> {
        match self {
            Aggregate::Avg => Some("sum(sum) / sum(count)"),
            Aggregate::Min => Some("min(minimum)"),
            Aggregate::Max => Some("max(maximum)"),
            Aggregate::Sum => Some("sum(sum)"),
            Aggregate::Count => Some("sum(count)"),
            Aggregate::Median | Aggregate::P10 | Aggregate::P90 | Aggregate::Last => None,
        }
    }
}
