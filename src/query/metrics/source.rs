//! Where the values of a metric are read: its rows, or the rollups of them.

use std::time::Duration;

use chrono::Offset;

use super::metric::{Metric, Place};
use super::step::Step;
use super::{Aggregate, Filter};
use crate::query::interval;
use crate::store::Rollup;
use crate::time::{Day, Tz};

/// One table or view that has a metric's values.
pub(super) struct Source<'a> {
    pub table: String,
    pub place: Place<'a>,
    /// What tells the metric's rows from others of the table, as SQL.
    pub conditions: Vec<String>,
    values: Values,
}

enum Values {
    /// One a row: this expression.
    Each(String),
    /// Summarized in buckets of time.
    Buckets,
}

impl<'a> Source<'a> {
    /// The one place where a metric's source is chosen: the coarsest rollup that gives the same answer, else the rows.
    ///
    /// A rollup knows no single values, and of columns only its key. A bucket counts as a whole, also the one in which the range ends.
    pub fn of(
        metric: &Metric<'a>,
        step: &Step,
        aggregate: Aggregate,
        filters: &[Filter],
        zone: Tz,
    ) -> Source<'a> {
        let (table, value, series) = match metric.place {
            Place::Daily(column) | Place::Timed(column) => (metric.table, column, None),
            Place::Samples(series) => {
                ("samples", "value", Some(format!("series = '{}'", series.replace('\'', "''"))))
            }
        };
        let summarized = matches!(
            aggregate,
            Aggregate::Avg | Aggregate::Min | Aggregate::Max | Aggregate::Sum | Aggregate::Count
        );
        let rollup = seconds(step, metric.place, zone)
            .filter(|_| summarized)
            .and_then(|seconds| Rollup::for_step(table, seconds))
            .filter(|rollup| {
                rollup.value == value
                    && filters.iter().all(|filter| filter.is_about(metric, rollup.key))
            });
        match rollup {
            Some(rollup) => Source {
                table: rollup.table.to_owned(),
                place: metric.place,
                conditions: series.into_iter().collect(),
                values: Values::Buckets,
            },
            None => Source {
                table: table.to_owned(),
                place: metric.place,
                conditions: series
                    .into_iter()
                    .chain([format!("\"{value}\" IS NOT NULL")])
                    .collect(),
                // A bare column of yes and no would be labels.
                values: Values::Each(if metric.is_boolean {
                    format!("CAST(\"{value}\" AS INTEGER)")
                } else {
                    format!("\"{value}\"")
                }),
            },
        }
    }

    /// The value of a group of rows; without an aggregate, of one row.
    pub fn value(&self, aggregate: Option<Aggregate>) -> String {
        let text = match (&self.values, aggregate) {
            (Values::Each(value), None) => value,
            (Values::Each(value), Some(aggregate)) => return of_rows(value, aggregate),
            (Values::Buckets, Some(Aggregate::Min)) => "min(minimum)",
            (Values::Buckets, Some(Aggregate::Max)) => "max(maximum)",
            (Values::Buckets, Some(Aggregate::Sum)) => "sum(sum)",
            (Values::Buckets, Some(Aggregate::Count)) => "sum(count)",
            (Values::Buckets, _) => "sum(sum) / sum(count)",
        };
        text.to_owned()
    }
}

fn of_rows(value: &str, aggregate: Aggregate) -> String {
    match aggregate {
        Aggregate::P10 => format!("percentile({value}, 10)"),
        Aggregate::P90 => format!("percentile({value}, 90)"),
        Aggregate::Last => format!("last({value}, time)"),
        Aggregate::Avg
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::Sum
        | Aggregate::Count
        | Aggregate::Median => {
            format!("{}({value})", aggregate.word())
        }
    }
}

/// The longest buckets that fill every step without a remainder, in seconds; `None` where buckets cannot stand for rows.
fn seconds(step: &Step, place: Place<'_>, zone: Tz) -> Option<i64> {
    let whole = |interval: Duration| {
        i64::try_from(interval.as_secs())
            .ok()
            .filter(|seconds| *seconds > 0 && interval.subsec_nanos() == 0)
    };
    match (step, place) {
        (Step::Raw, _) => None,
        (Step::Interval(text), _) => interval::parse(text.trim_matches('\'')).and_then(whole),
        (Step::Calendar(_), Place::Timed(_)) => Some(day_divisor(zone)),
        // Samples count for the day of their document, which buckets do not know.
        (Step::Calendar(_) | Step::Days(_), _) => None,
    }
}

/// The longest buckets since 1970 in UTC that no local day of `zone` cuts, in seconds: an hour where clocks differ from UTC by whole hours.
fn day_divisor(zone: Tz) -> i64 {
    // There are no data from before 2015, and no rules for clocks beyond 2037.
    let days =
        (0..23 * 12).filter_map(|month| Day::new(2015 + month / 12, 1 + month as u32 % 12, 1));
    let offsets = days.map(|day| {
        i64::from(day.midnight(zone).utc().with_timezone(&zone).offset().fix().local_minus_utc())
    });
    offsets.fold(86_400, common_divisor)
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bucket_lies_in_two_local_days() {
        for (zone, seconds) in [
            (Tz::UTC, 86_400),
            (Tz::Europe__Vienna, 3_600),
            (Tz::America__New_York, 3_600),
            (Tz::Asia__Kolkata, 1_800),
            (Tz::Asia__Kathmandu, 900),
        ] {
            assert_eq!(day_divisor(zone), seconds, "{zone}");
        }
    }
}
