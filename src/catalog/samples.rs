//! Points of nested series: `{interval, items, timestamp}` objects, and texts with one digit per
//! interval.

use serde_json::Value;

use super::document::{find, parse_number, parse_stamp};
use super::{Collection, Encoding};
use crate::time::{Instant, Tz};

/// The most points of a series. A day has 86,400 seconds.
const MAX_POINTS: usize = 100_000;
/// The longest interval between two points in seconds: a day.
const MAX_INTERVAL: f64 = 86_400.0;

/// One point of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplePoint {
    /// The index of the series in [`Collection::series`].
    pub series: usize,
    /// The time of the point.
    pub at: Instant,
    /// The value, in the unit of the series.
    pub value: f64,
}

impl Collection {
    /// Returns the points of all series of `document`, in order and without gaps. A series is cut
    /// after 100,000 items.
    ///
    /// A sample object starts at its own `timestamp`. A digit text starts at the document's
    /// `timestamp`: `class_5_min` at 4:00, while its document is at midnight. Both fall back to
    /// `start_at`.
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
                    let interval = value.get("interval").and_then(parse_number);
                    let items = value
                        .get("items")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .map(parse_number);
                    points.extend(place_items(series, start, interval, items));
                }
                Encoding::Digits { interval, .. } => {
                    let start = timestamp(document, zone).or(start_at);
                    let items = value
                        .as_str()
                        .unwrap_or_default()
                        .chars()
                        .map(|digit| digit.to_digit(10).map(f64::from));
                    points.extend(place_items(series, start, Some((*interval).into()), items));
                }
            }
        }
        points
    }
}

fn timestamp(value: &Value, zone: Tz) -> Option<Instant> {
    parse_stamp(value.get("timestamp")?, zone).map(|stamp| stamp.at)
}

/// Returns item `i` as a point at `start + i * interval`. Returns no points without a start or a
/// valid interval.
fn place_items(
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
