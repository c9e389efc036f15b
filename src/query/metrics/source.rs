//! The table that a metric's values are read from: its rows, or a rollup of them.

use super::aggregate::Aggregate;
use super::filter::Filter;
use super::metric::{Metric, MetricKind};
use super::step::Step;
use crate::store::Rollup;
use crate::time::Tz;

/// The table or view that a metric's values are read from.
pub(super) struct Source {
    /// Its name.
    pub table: String,
    /// Conditions in SQL that select the metric's rows.
    pub conditions: Vec<String>,
    /// The value of one point in SQL: of a row if the step is [`Step::Raw`], else of a group.
    pub value: String,
}

impl Source {
    /// Chooses the coarsest rollup that gives the same result, or else the rows.
    ///
    /// A rollup lacks single values and all columns but its key. A bucket is read as a whole, even
    /// if the range ends in it.
    pub fn choose(
        metric: &Metric<'_>,
        step: &Step,
        aggregate: Aggregate,
        filters: &[Filter],
        zone: Tz,
    ) -> Source {
        let (table, value) = match metric.kind {
            MetricKind::Daily(column) | MetricKind::Timed(column) => (metric.table, column),
            MetricKind::Samples(_) => ("samples", "value"),
        };
        let mut conditions = Vec::new();
        if let MetricKind::Samples(series) = metric.kind {
            conditions.push(format!("series = '{}'", series.replace('\'', "''")));
        }
        let rollup = max_bucket(step, metric.kind, zone)
            .and_then(|seconds| Rollup::for_step(table, seconds))
            .filter(|rollup| {
                rollup.value == value
                    && filters.iter().all(|filter| filter.is_only_about(metric, rollup.key))
            });
        if let (Some(rollup), Some(value)) = (rollup, aggregate.of_buckets()) {
            let value = value.to_owned();
            return Source { table: rollup.table.to_owned(), conditions, value };
        }
        conditions.push(format!("\"{value}\" IS NOT NULL"));
        let row_value = if metric.is_boolean {
            // `frames` turns a bare boolean column into labels.
            format!("CAST(\"{value}\" AS INTEGER)")
        } else {
            format!("\"{value}\"")
        };
        let value = match step {
            Step::Raw => row_value,
            _ => aggregate.of_rows(&row_value),
        };
        Source { table: table.to_owned(), conditions, value }
    }
}

/// Returns the longest bucket that fills every step without a remainder, in seconds. `None` if the
/// step needs rows.
fn max_bucket(step: &Step, kind: MetricKind<'_>, zone: Tz) -> Option<i64> {
    match (step, kind) {
        (Step::Raw, _) => None,
        (Step::Interval(interval), _) => {
            let duration = interval.duration();
            let seconds = i64::try_from(duration.as_secs()).ok()?;
            (seconds > 0 && duration.subsec_nanos() == 0).then_some(seconds)
        }
        (Step::Calendar(_), MetricKind::Timed(_)) => Some(day_divisor(zone)),
        // A sample counts for the day of its document, which a bucket does not store.
        (Step::Calendar(_) | Step::Days(_), _) => None,
    }
}

/// Returns the longest bucket, counted from 1970 in UTC, that never overlaps two local days of
/// `zone`. In seconds: an hour where the offsets from UTC are whole hours.
fn day_divisor(zone: Tz) -> i64 {
    let offsets = zone.offsets().map(|(_, offset)| offset.local_minus_utc().into());
    offsets.fold(86_400, common_divisor)
}

fn common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bucket_overlaps_two_local_days() {
        for (zone, seconds) in [
            (Tz::UTC, 86_400),
            (Tz::named("Europe/Vienna"), 3_600),
            (Tz::named("America/New_York"), 3_600),
            (Tz::named("Asia/Kolkata"), 1_800),
            (Tz::named("Asia/Kathmandu"), 900),
        ] {
            assert_eq!(day_divisor(zone), seconds, "{zone}");
        }
    }
}
