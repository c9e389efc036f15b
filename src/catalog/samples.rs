//! The points of nested series: `{interval, items, timestamp}` objects, and strings with one digit per interval.

use serde_json::Value;

use super::document::{find, stamp};
use super::{Collection, Encoding};
use crate::time::{Instant, Tz};

/// A day of seconds is 86,400 points; a longer series is no series.
const MAX_POINTS: usize = 100_000;
/// Seconds between two points, at most: a day.
const MAX_INTERVAL: f64 = 86_400.0;

/// One point of a series: `series` is an index into [`Collection::series`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplePoint {
    pub series: usize,
    pub at: Instant,
    pub value: f64,
}

impl Collection {
    /// The points of every series, in order; gaps are left out, and of each series what follows the 100,000th item.
    ///
    /// A sample object starts at its own `timestamp`. A digit string has none: it starts at the document's `timestamp` (`class_5_min` at
    /// 4:00, while its document is filed under midnight), else at `start_at`.
    pub fn samples(
        &self,
        document: &Value,
        start_at: Option<Instant>,
        zone: Tz,
    ) -> Vec<SamplePoint> {
        let mut points = Vec::new();
        for (series, rule) in self.series.iter().enumerate() {
            let Some(value) = find(document, &rule.path) else { continue };
            match &rule.encoding {
                Encoding::Sample => {
                    let start = timestamp(value, zone).or(start_at);
                    let interval = value.get("interval").and_then(Value::as_f64);
                    let items = value
                        .get("items")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .map(Value::as_f64);
                    points.extend(placed(series, start, interval, items));
                }
                Encoding::Digits { interval, .. } => {
                    let start = timestamp(document, zone).or(start_at);
                    let items = value
                        .as_str()
                        .unwrap_or_default()
                        .chars()
                        .map(|digit| digit.to_digit(10).map(f64::from));
                    points.extend(placed(series, start, Some((*interval).into()), items));
                }
            }
        }
        points
    }
}

fn timestamp(value: &Value, zone: Tz) -> Option<Instant> {
    stamp(value.get("timestamp")?, zone).map(|stamp| stamp.at)
}

/// Item `i` lies at `start + i * interval`; without a start or a sensible interval there are no points.
fn placed(
    series: usize,
    start: Option<Instant>,
    interval: Option<f64>,
    items: impl Iterator<Item = Option<f64>>,
) -> impl Iterator<Item = SamplePoint> {
    let grid = start.zip(interval.filter(|interval| *interval > 0.0 && *interval <= MAX_INTERVAL));
    let place = move |(index, value): (usize, Option<f64>)| {
        let (start, interval) = grid?;
        Some(SamplePoint {
            series,
            at: start.plus((index as f64 * interval) as i64),
            value: value?,
        })
    };
    items.take(if grid.is_some() { MAX_POINTS } else { 0 }).enumerate().filter_map(place)
}
