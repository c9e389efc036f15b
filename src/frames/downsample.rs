//! Reduces time series to the number of points that a panel can show, and preserves the line's
//! shape.
//!
//! Rows are kept or dropped as a whole and never changed. Each series selects rows, and the frame
//! keeps every row that a series selected. A bucket without values keeps one row, so that gaps
//! remain gaps.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::{Array, AsArray, Float64Array, TimestampNanosecondArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Float64Type, TimestampNanosecondType};

use super::{Field, FrameError};
use crate::query::Downsample;

/// [`Downsample::Auto`] never reduces frames with fewer rows.
const MIN_ROWS: usize = 20_000;

/// [`Downsample::Auto`] never reduces series with fewer rows per point of the panel.
const MIN_ROWS_PER_POINT: usize = 10;

/// Reduces the fields of a wide frame to about `points` per series. Returns the fields and a
/// notice.
///
/// The notice is `None` if all rows were kept. The first field must contain the times.
pub fn reduce(
    fields: Vec<Field>,
    (mode, points): (Downsample, u64),
) -> Result<(Vec<Field>, Option<String>), FrameError> {
    let points = usize::try_from(points).unwrap_or(usize::MAX).max(2);
    let rows = fields.first().map_or(0, |time| time.values.len());
    let is_large = rows > MIN_ROWS && rows / MIN_ROWS_PER_POINT > points;
    let select: SelectRows = match mode {
        Downsample::Auto if is_large => min_max,
        Downsample::MinMax if rows > points => min_max,
        Downsample::Lttb if rows > points => lttb,
        Downsample::Auto | Downsample::Off | Downsample::MinMax | Downsample::Lttb => {
            return Ok((fields, None));
        }
    };
    let times = fields[0].values.as_primitive::<TimestampNanosecondType>().clone();
    let series = fields.iter().filter_map(|field| field.values.as_primitive_opt::<Float64Type>());
    let kept: BTreeSet<usize> = series.flat_map(|values| select(&times, values, points)).collect();
    if kept.len() == rows {
        return Ok((fields, None));
    }
    let notice = format!("{} of {rows} points shown", kept.len());
    let kept: UInt32Array = kept.into_iter().map(|row| row as u32).collect();
    let fields = fields
        .into_iter()
        .map(|field| Ok(Field { values: take(&field.values, &kept, None)?, ..field }));
    Ok((fields.collect::<Result<_, FrameError>>()?, Some(notice)))
}

/// Selects rows of one series. The result is unordered and may repeat rows.
type SelectRows = fn(&TimestampNanosecondArray, &Float64Array, usize) -> Vec<usize>;

/// Selects the first and the last row, and the minimum and maximum of each bucket.
fn min_max(times: &TimestampNanosecondArray, values: &Float64Array, points: usize) -> Vec<usize> {
    let mut kept = ends(times.len());
    for bucket in buckets(0..times.len(), (points / 2).max(1)) {
        let present = || bucket.clone().filter(|row| values.is_valid(*row));
        let by_value = |a: &usize, b: &usize| values.value(*a).total_cmp(&values.value(*b));
        match present().min_by(by_value).zip(present().max_by(by_value)) {
            Some((minimum, maximum)) => kept.extend([minimum, maximum]),
            None => kept.push(bucket.start),
        }
    }
    kept
}

/// Largest triangle three buckets (S. Steinarsson, 2013).
///
/// Selects the point of each bucket that forms the largest triangle with the previously selected
/// point and the mean of the next bucket.
fn lttb(times: &TimestampNanosecondArray, values: &Float64Array, points: usize) -> Vec<usize> {
    let rows = times.len();
    let mut kept = ends(rows);
    // Relative to the first time, so that the float is exact.
    let time = |row: usize| (times.value(row) - times.value(0)) as f64;
    let mean = |bucket: Range<usize>| {
        let present = || bucket.clone().filter(|row| values.is_valid(*row));
        let count = present().count() as f64;
        (count > 0.0).then(|| {
            (
                present().map(time).sum::<f64>() / count,
                present().map(|row| values.value(row)).sum::<f64>() / count,
            )
        })
    };
    let between = 1..rows.saturating_sub(1);
    let buckets: Vec<_> = buckets(between, points.saturating_sub(2).max(1)).collect();
    let mut before = values.is_valid(0).then(|| (time(0), values.value(0)));
    for (index, bucket) in buckets.iter().enumerate() {
        let after = mean(buckets.get(index + 1).cloned().unwrap_or(rows - 1..rows));
        let area = |row: usize| match (before, after) {
            (Some(a), Some(c)) => {
                ((a.0 - c.0) * (values.value(row) - a.1) - (a.0 - time(row)) * (c.1 - a.1)).abs()
            }
            // Next to a gap, the distance to the only neighbour replaces the triangle.
            (Some((_, neighbour)), None) | (None, Some((_, neighbour))) => {
                (values.value(row) - neighbour).abs()
            }
            (None, None) => 0.0,
        };
        let selected = bucket
            .clone()
            .filter(|row| values.is_valid(*row))
            .max_by(|a, b| area(*a).total_cmp(&area(*b)));
        match selected {
            Some(row) => {
                kept.push(row);
                before = Some((time(row), values.value(row)));
            }
            None => {
                kept.push(bucket.start);
                before = None;
            }
        }
    }
    kept
}

/// The first and the last row.
fn ends(rows: usize) -> Vec<usize> {
    rows.checked_sub(1).map_or_else(Vec::new, |last| vec![0, last])
}

/// Splits `rows` into at most `count` non-empty buckets of nearly equal length.
fn buckets(rows: Range<usize>, count: usize) -> impl Iterator<Item = Range<usize>> {
    let length = rows.len();
    let count = count.min(length);
    (0..count)
        .map(move |at| rows.start + at * length / count..rows.start + (at + 1) * length / count)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn field(name: &str, values: impl Array + 'static) -> Field {
        Field { name: name.to_owned(), labels: None, config: None, values: Arc::new(values) }
    }

    /// A sine wave of `rows` values, one per minute.
    fn wave(rows: usize) -> Vec<Field> {
        let times: TimestampNanosecondArray =
            (0..rows).map(|row| Some(row as i64 * 60_000_000_000)).collect();
        let values: Float64Array = (0..rows).map(|row| Some((row as f64 / 500.0).sin())).collect();
        vec![field("time", times), field("value", values)]
    }

    fn with(fields: &mut [Field], change: impl Fn(usize, Option<f64>) -> Option<f64>) {
        let values: Float64Array = fields[1]
            .values
            .as_primitive::<Float64Type>()
            .iter()
            .enumerate()
            .map(|(row, value)| change(row, value))
            .collect();
        fields[1].values = Arc::new(values);
    }

    fn shown(fields: &[Field]) -> Vec<Option<f64>> {
        fields[1].values.as_primitive::<Float64Type>().iter().collect()
    }

    #[test]
    fn auto_reduces_only_very_large_series() {
        assert_eq!(reduce(wave(20_000), (Downsample::Auto, 100)).unwrap().1, None);
        assert_eq!(reduce(wave(30_000), (Downsample::Auto, 3_000)).unwrap().1, None);
        assert_eq!(reduce(wave(90_000), (Downsample::Off, 100)).unwrap().1, None);
        assert_eq!(reduce(wave(100), (Downsample::Lttb, 100)).unwrap().1, None);
        let (fields, notice) = reduce(wave(30_000), (Downsample::Auto, 1_000)).unwrap();
        assert_eq!(notice, Some(format!("{} of 30000 points shown", fields[0].values.len())));
        assert!((500..=1_002).contains(&fields[0].values.len()));
    }

    #[test]
    fn minimum_and_maximum_of_each_bucket_remain() {
        let mut fields = wave(10_000);
        with(&mut fields, |row, value| match row {
            4_321 => Some(99.0),
            8_765 => Some(-99.0),
            _ => value,
        });
        let (fields, _) = reduce(fields, (Downsample::MinMax, 100)).unwrap();
        let values = shown(&fields);
        assert!(values.contains(&Some(99.0)) && values.contains(&Some(-99.0)));
        assert!(values.len() <= 102);
    }

    #[test]
    fn each_series_keeps_its_own_extremes() {
        let mut fields = wave(10_000);
        let spike: Float64Array =
            (0..10_000).map(|row| Some(if row == 777 { 5.0 } else { 0.0 })).collect();
        fields.push(field("other", spike));
        let (fields, _) = reduce(fields, (Downsample::MinMax, 100)).unwrap();
        assert!(
            fields[2].values.as_primitive::<Float64Type>().iter().any(|value| value == Some(5.0))
        );
        assert!(fields.iter().all(|field| field.values.len() == fields[0].values.len()));
    }

    #[test]
    fn lttb_keeps_both_ends_and_a_spike() {
        let mut fields = wave(10_000);
        with(&mut fields, |row, value| if row == 5_000 { Some(50.0) } else { value });
        let (fields, notice) = reduce(fields, (Downsample::Lttb, 200)).unwrap();
        let values = shown(&fields);
        let times: Vec<i64> =
            fields[0].values.as_primitive::<TimestampNanosecondType>().values().to_vec();
        assert_eq!((values.len(), notice.as_deref()), (200, Some("200 of 10000 points shown")));
        assert_eq!((times[0], times[199]), (0, 9_999 * 60_000_000_000));
        assert!(values.contains(&Some(50.0)) && times.is_sorted());
    }

    #[test]
    fn gaps_remain_gaps() {
        for mode in [Downsample::MinMax, Downsample::Lttb] {
            let mut fields = wave(10_000);
            with(&mut fields, |row, value| value.filter(|_| !(3_000..6_000).contains(&row)));
            let (fields, _) = reduce(fields, (mode, 100)).unwrap();
            let values = shown(&fields);
            assert!(values.iter().filter(|value| value.is_none()).count() >= 10, "{mode:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn order_and_ends_are_always_kept(
            values in proptest::collection::vec(
                proptest::option::of(proptest::num::f64::ANY), 1..300,
            ),
            points in 0u64..80,
            lttb in proptest::bool::ANY,
        ) {
            let times: TimestampNanosecondArray = (0..values.len() as i64).map(Some).collect();
            let last = values.len() as i64 - 1;
            let fields = vec![field("time", times), field("value", Float64Array::from(values))];
            let mode = if lttb { Downsample::Lttb } else { Downsample::MinMax };
            let (fields, _) = reduce(fields, (mode, points)).unwrap();
            let times = fields[0].values.as_primitive::<TimestampNanosecondType>().values();
            proptest::prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
            proptest::prop_assert_eq!((times[0], times[times.len() - 1]), (0, last));
        }
    }
}
