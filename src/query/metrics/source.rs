//! Where the values of a metric are read.

use super::Aggregate;
use super::metric::{Metric, Place};

/// One table or view that has a metric's values.
pub(super) struct Source<'a> {
    pub table: String,
    /// The value of a row, as SQL.
    value: String,
    /// What tells the metric's rows from others of the table.
    pub condition: Option<String>,
    pub place: Place<'a>,
}

impl<'a> Source<'a> {
    /// The one place where a metric's source is chosen.
    pub fn of(metric: &Metric<'a>) -> Source<'a> {
        match metric.place {
            Place::Daily(column) | Place::Timed(column) => {
                Source { table: metric.table.to_owned(), value: format!("\"{column}\""), condition: None, place: metric.place }
            }
            Place::Samples(series) => Source {
                table: "samples".to_owned(),
                value: "value".to_owned(),
                condition: Some(format!("series = '{}'", series.replace('\'', "''"))),
                place: metric.place,
            },
        }
    }

    /// One row's value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The value of a group of rows.
    pub fn aggregate(&self, aggregate: Aggregate) -> String {
        let value = &self.value;
        match aggregate {
            Aggregate::Avg => format!("avg({value})"),
            Aggregate::Min => format!("min({value})"),
            Aggregate::Max => format!("max({value})"),
            Aggregate::Sum => format!("sum({value})"),
            Aggregate::Count => format!("count({value})"),
            Aggregate::Median => format!("median({value})"),
            Aggregate::P10 => format!("percentile({value}, 10)"),
            Aggregate::P90 => format!("percentile({value}, 90)"),
            Aggregate::Last => format!("last({value}, time)"),
        }
    }
}
