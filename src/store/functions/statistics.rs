//! Statistics over the rows of a group or a window.
//!
//! Rows with a NULL or text argument are ignored. Too few rows result in NULL.

use std::f64::consts::TAU;

use rusqlite::functions::{Aggregate, Context, WindowAggregate};
use rusqlite::{Connection, Result};

use super::{FLAGS, failure, number, stopped};
use crate::store::meter::{self, must_stop};

/// Computes a statistic of rows with `N` numbers each. The order of the rows does not matter.
pub(super) type Statistic<const N: usize> = fn(&mut [[f64; N]]) -> Result<Option<f64>>;

/// Statistics of one column.
const ONE_COLUMN: [(&str, Statistic<1>); 5] = [
    ("median", |rows| Ok(quantile(rows, 0.5))),
    ("mad", |rows| Ok(median_deviation(rows))),
    ("variance", |rows| Ok(variance(rows))),
    ("stddev", |rows| Ok(variance(rows).map(f64::sqrt))),
    ("clock_mean", |rows| Ok(clock_mean(rows))),
];

/// Statistics of two columns. As in PostgreSQL, the dependent variable of a regression comes first.
const TWO_COLUMNS: [(&str, Statistic<2>); 5] = [
    ("percentile", percentile),
    ("corr", |rows| Ok(Moments::of(rows).and_then(|moments| moments.correlation()))),
    ("spearman", |rows| Ok(Moments::of(&ranks(rows)).and_then(|moments| moments.correlation()))),
    ("regr_slope", |rows| Ok(Moments::of(rows).and_then(|moments| moments.slope()))),
    ("regr_intercept", |rows| Ok(Moments::of(rows).and_then(|moments| moments.intercept()))),
];

/// Bytes to charge for each byte of a row: a list doubles when it grows, a deviation copies it, and
/// sorting copies half.
const GROWTH: usize = 4;

/// Groups with more rows check before each computation whether the statement must stop.
///
/// SQLite's own checks are too far apart for large groups.
const MAX_UNCHECKED_ROWS: usize = 1_000;

/// Seconds per day.
const DAY: f64 = 86_400.0;

pub(super) fn register(connection: &Connection) -> Result<()> {
    for (name, statistic) in ONE_COLUMN {
        connection.create_window_function(name, 1, FLAGS, Summary { statistic })?;
    }
    for (name, statistic) in TWO_COLUMNS {
        connection.create_window_function(name, 2, FLAGS, Summary { statistic })?;
    }
    connection.create_window_function("ewma", 2, FLAGS, WeightedMean)?;
    connection.create_aggregate_function("first", 2, FLAGS, Extreme(|time, known| time < known))?;
    connection.create_aggregate_function("last", 2, FLAGS, Extreme(|time, known| time >= known))
}

/// A statistic as an aggregate and a window function.
pub(super) struct Summary<const N: usize> {
    pub(super) statistic: Statistic<N>,
}

/// The rows of one group. The statement is charged for them until the group is dropped.
#[derive(Default)]
pub(super) struct Group<const N: usize> {
    pub(super) rows: Vec<[f64; N]>,
    /// The statistic of the rows, if it is up to date.
    value: Option<Option<f64>>,
}

impl<const N: usize> Group<N> {
    const ROW: usize = GROWTH * size_of::<[f64; N]>();

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.rows.len() > MAX_UNCHECKED_ROWS && must_stop() { Err(stopped()) } else { Ok(()) }
    }

    pub(super) fn push(&mut self, row: [f64; N]) -> Result<()> {
        if !meter::allocate(Self::ROW) {
            return Err(stopped());
        }
        self.rows.push(row);
        self.value = None;
        Ok(())
    }
}

impl<const N: usize> Drop for Group<N> {
    fn drop(&mut self) {
        meter::free(self.rows.len() * Self::ROW);
    }
}

impl<const N: usize> Summary<N> {
    pub(super) fn row(context: &Context<'_>) -> Option<[f64; N]> {
        let mut row = [0.0; N];
        for (argument, value) in row.iter_mut().enumerate() {
            *value = number(context, argument)?;
        }
        Some(row)
    }
}

impl<const N: usize> Aggregate<Group<N>, Option<f64>> for Summary<N> {
    fn init(&self, _: &mut Context<'_>) -> Result<Group<N>> {
        Ok(Group::default())
    }

    fn step(&self, context: &mut Context<'_>, group: &mut Group<N>) -> Result<()> {
        Self::row(context).map_or(Ok(()), |row| group.push(row))
    }

    /// SQLite also calls this for the groups of a statement that it stops.
    fn finalize(&self, _: &mut Context<'_>, group: Option<Group<N>>) -> Result<Option<f64>> {
        let Some(mut group) = group else { return Ok(None) };
        group.check_stop()?;
        (self.statistic)(&mut group.rows)
    }
}

impl<const N: usize> WindowAggregate<Group<N>, Option<f64>> for Summary<N> {
    /// Called for each row of the window. Consecutive rows often have the same group.
    fn value(&self, group: Option<&mut Group<N>>) -> Result<Option<f64>> {
        let Some(group) = group else { return Ok(None) };
        if let Some(known) = group.value {
            return Ok(known);
        }
        group.check_stop()?;
        let value = (self.statistic)(&mut group.rows)?;
        group.value = Some(value);
        Ok(value)
    }

    fn inverse(&self, context: &mut Context<'_>, group: &mut Group<N>) -> Result<()> {
        group.check_stop()?;
        if let Some(removed) = Self::row(context)
            && let Some(index) = group.rows.iter().position(|row| row == &removed)
        {
            group.rows.remove(index);
            group.value = None;
            meter::free(Group::<N>::ROW);
        }
        Ok(())
    }
}

/// `ewma(x, weight)`: each row has `weight`, and all rows before it have the rest.
struct WeightedMean;

impl Aggregate<Option<f64>, Option<f64>> for WeightedMean {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<f64>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, mean: &mut Option<f64>) -> Result<()> {
        let weight = number(context, 1).filter(|weight| *weight > 0.0 && *weight <= 1.0);
        let weight = weight.ok_or_else(|| {
            failure("the second argument of ewma() must be above 0 and at most 1")
        })?;
        if let Some(value) = number(context, 0) {
            *mean = Some(mean.map_or(value, |mean| mean + weight * (value - mean)));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, mean: Option<Option<f64>>) -> Result<Option<f64>> {
        Ok(mean.flatten())
    }
}

impl WindowAggregate<Option<f64>, Option<f64>> for WeightedMean {
    fn value(&self, mean: Option<&mut Option<f64>>) -> Result<Option<f64>> {
        Ok(mean.and_then(|mean| *mean))
    }

    fn inverse(&self, _: &mut Context<'_>, _: &mut Option<f64>) -> Result<()> {
        Err(failure("ewma() does not support window frames: use OVER (ORDER BY …) only"))
    }
}

/// `first(x, time)` and `last(x, time)`.
///
/// The function decides whether a row's time replaces the known one. For equal times, `last` uses
/// the later row.
struct Extreme(fn(f64, f64) -> bool);

impl Aggregate<Option<(f64, f64)>, Option<f64>> for Extreme {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<(f64, f64)>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, found: &mut Option<(f64, f64)>) -> Result<()> {
        if let Some((value, time)) = number(context, 0).zip(number(context, 1))
            && found.is_none_or(|(_, known)| (self.0)(time, known))
        {
            *found = Some((value, time));
        }
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        found: Option<Option<(f64, f64)>>,
    ) -> Result<Option<f64>> {
        Ok(found.flatten().map(|(value, _)| value))
    }
}

/// Interpolates linearly between the two nearest values. `share` is from 0 to 1.
fn quantile<const N: usize>(rows: &mut [[f64; N]], share: f64) -> Option<f64> {
    // In a window, all rows except the newest are sorted already.
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let position = share * rows.len().checked_sub(1)? as f64;
    let below = rows[position.floor() as usize][0];
    let above = rows[position.ceil() as usize][0];
    Some(below + (above - below) * position.fract())
}

/// `percentile(x, p)`. Assumes the same `p` in every row.
fn percentile(rows: &mut [[f64; 2]]) -> Result<Option<f64>> {
    let Some([_, rank]) = rows.first().copied() else { return Ok(None) };
    if !(0.0..=100.0).contains(&rank) {
        return Err(failure("the second argument of percentile() must be from 0 to 100"));
    }
    Ok(quantile(rows, rank / 100.0))
}

fn median_deviation(rows: &mut [[f64; 1]]) -> Option<f64> {
    let median = quantile(rows, 0.5)?;
    let mut deviations: Vec<_> = rows.iter().map(|[value]| [(value - median).abs()]).collect();
    quantile(&mut deviations, 0.5)
}

/// Sample variance: the divisor is the count minus one.
fn variance(rows: &[[f64; 1]]) -> Option<f64> {
    let count = rows.len() as f64;
    let mean = rows.iter().map(|[value]| value).sum::<f64>() / count;
    (count > 1.0)
        .then(|| rows.iter().map(|[value]| (value - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

/// Circular mean of times of day. `None` if the times cancel each other out.
fn clock_mean(rows: &[[f64; 1]]) -> Option<f64> {
    let hands = rows.iter().map(|[seconds]| (seconds / DAY * TAU).sin_cos());
    let (sine, cosine) = hands.fold((0.0, 0.0), |sum, hand| (sum.0 + hand.0, sum.1 + hand.1));
    let length = f64::hypot(sine, cosine) / rows.len() as f64;
    // Rounded to milliseconds. Otherwise midnight may become a value just below 86,400.
    (length > 1e-9)
        .then(|| ((f64::atan2(sine, cosine) / TAU * DAY * 1e3).round() / 1e3).rem_euclid(DAY))
}

/// The rank of each number within its column, from 1. Equal numbers share the mean of their ranks.
pub(super) fn ranks(rows: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut ranks = vec![[0.0; 2]; rows.len()];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for column in 0..2 {
        order.sort_by(|a, b| rows[*a][column].total_cmp(&rows[*b][column]));
        let mut ranked = 0;
        for equal in order.chunk_by(|a, b| rows[*a][column] == rows[*b][column]) {
            let shared = ranked as f64 + f64::midpoint(1.0, equal.len() as f64);
            equal.iter().for_each(|row| ranks[*row][column] = shared);
            ranked += equal.len();
        }
    }
    ranks
}

/// Sums of squares around the means of pairs.
struct Moments {
    means: (f64, f64),
    /// Sum of squares of the first number.
    first: f64,
    /// Sum of squares of the second number.
    second: f64,
    /// Sum of products of both numbers.
    both: f64,
}

impl Moments {
    /// Returns `None` if there are no rows.
    fn of(rows: &[[f64; 2]]) -> Option<Moments> {
        let count = rows.len() as f64;
        let mean = |place: usize| rows.iter().map(|row| row[place]).sum::<f64>() / count;
        let means = (mean(0), mean(1));
        let sum = |product: fn(f64, f64) -> f64| {
            rows.iter().map(|[a, b]| product(a - means.0, b - means.1)).sum::<f64>()
        };
        (!rows.is_empty()).then(|| Moments {
            means,
            first: sum(|a, _| a * a),
            second: sum(|_, b| b * b),
            both: sum(|a, b| a * b),
        })
    }

    fn correlation(&self) -> Option<f64> {
        let spread = (self.first * self.second).sqrt();
        (spread > 0.0).then(|| (self.both / spread).clamp(-1.0, 1.0))
    }

    fn slope(&self) -> Option<f64> {
        (self.second > 0.0).then(|| self.both / self.second)
    }

    fn intercept(&self) -> Option<f64> {
        Some(self.means.0 - self.slope()? * self.means.1)
    }
}
