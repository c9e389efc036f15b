//! Statistics that judge whether an effect is more than chance.

use std::f64::consts::SQRT_2;

use rusqlite::functions::{Aggregate, Context};
use rusqlite::{Connection, Result};

use super::statistics::{Group, Summary, ranks};
use super::{FLAGS, number, stopped};
use crate::store::meter::must_stop;

/// Up to this number of values, the distribution of signed ranks is computed exactly.
const MAX_EXACT: usize = 25;

/// Share of the distribution outside of each end of an interval: an interval covers 95 percent.
const TAIL: f64 = 0.025;

/// The quantile of the normal distribution above which [`TAIL`] lies.
const TAIL_QUANTILE: f64 = 1.959_964;

/// Autocorrelations are summed up to a lag of this share of the rows.
const MAX_LAG_SHARE: usize = 5;

pub(super) fn register(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("normal_p", 1, FLAGS, |context| {
        Ok(number(context, 0).map(normal_p).filter(|value| !value.is_nan()))
    })?;
    connection.create_aggregate_function("effective_n", 2, FLAGS, EffectiveCount)?;
    for (name, statistic) in [
        ("hodges_lehmann", hodges_lehmann as super::statistics::Statistic<1>),
        ("hodges_lehmann_low", |rows| Ok(interval(rows)?.map(|(low, _)| low))),
        ("hodges_lehmann_high", |rows| Ok(interval(rows)?.map(|(_, high)| high))),
        ("signed_rank_p", |rows| Ok(signed_rank_p(rows))),
    ] {
        connection.create_window_function(name, 1, FLAGS, Summary { statistic })?;
    }
    Ok(())
}

/// Two-sided tail probability of the standard normal distribution.
fn normal_p(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2)
}

/// `effective_n(x, y ORDER BY time)`: the number of independent pairs with the same information
/// about a correlation, by the autocorrelations of their ranks. Bartlett 1946; Pyper and Peterman
/// 1998.
struct EffectiveCount;

impl Aggregate<Group<2>, Option<f64>> for EffectiveCount {
    fn init(&self, _: &mut Context<'_>) -> Result<Group<2>> {
        Ok(Group::default())
    }

    fn step(&self, context: &mut Context<'_>, group: &mut Group<2>) -> Result<()> {
        Summary::row(context).map_or(Ok(()), |row| group.push(row))
    }

    fn finalize(&self, _: &mut Context<'_>, group: Option<Group<2>>) -> Result<Option<f64>> {
        let Some(group) = group else { return Ok(None) };
        group.check_stop()?;
        let rows = ranks(&group.rows);
        let columns = [0, 1].map(|column| normalized(&rows, column));
        let mut products = Vec::new();
        for lag in 1..=rows.len() / MAX_LAG_SHARE {
            if must_stop() {
                return Err(stopped());
            }
            let [x, y] = columns.each_ref().map(|column| autocorrelation(column, lag));
            products.push(x * y);
        }
        Ok((!rows.is_empty()).then(|| effective_count(rows.len(), &products)))
    }
}

/// A column with a mean of 0 and a sum of squares of 1. Constant values become zeros.
fn normalized(rows: &[[f64; 2]], column: usize) -> Vec<f64> {
    let mean = rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64;
    let mut values: Vec<f64> = rows.iter().map(|row| row[column] - mean).collect();
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        values.iter_mut().for_each(|value| *value /= length);
    }
    values
}

/// Autocorrelation of [`normalized`] values. 0 for constant values.
fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    values.iter().zip(&values[lag..]).map(|(a, b)| a * b).sum()
}

/// The effective number of `count` pairs: `products` has the product of both autocorrelations for
/// each lag from 1. Never more than `count`.
fn effective_count(count: usize, products: &[f64]) -> f64 {
    let n = count as f64;
    let sum: f64 =
        (1..).zip(products).map(|(lag, product)| (1.0 - f64::from(lag) / n) * product).sum();
    (n / (1.0 + 2.0 * sum.max(0.0))).min(n)
}

/// The median of all pairwise means (Walsh averages), each value paired with itself as well.
/// Hodges and Lehmann 1963.
fn hodges_lehmann(rows: &mut [[f64; 1]]) -> Result<Option<f64>> {
    sort(rows);
    let pairs = rows.len() * (rows.len() + 1) / 2;
    let Some(middle) = pairs.checked_sub(1) else { return Ok(None) };
    let (below, above) = (walsh(rows, middle / 2 + 1)?, walsh(rows, pairs / 2 + 1)?);
    Ok(Some(f64::midpoint(below, above)))
}

/// The interval of 95 percent around [`hodges_lehmann`], from the distribution of signed ranks.
/// `None` for fewer than six values, which no interval of 95 percent fits.
fn interval(rows: &mut [[f64; 1]]) -> Result<Option<(f64, f64)>> {
    sort(rows);
    let count = rows.len();
    let pairs = count * (count + 1) / 2;
    let outside = if count <= MAX_EXACT {
        let ranks: Vec<usize> = (1..=count).map(|rank| 2 * rank).collect();
        let counts = rank_sums(&ranks);
        let total = 2f64.powi(count as i32);
        // A sum of doubled ranks is even.
        let mut share = 0.0;
        counts
            .iter()
            .step_by(2)
            .take_while(|count| {
                share += **count / total;
                share <= TAIL
            })
            .count()
    } else {
        let n = count as f64;
        let deviation = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
        (n * (n + 1.0) / 4.0 - TAIL_QUANTILE * deviation).floor() as usize
    };
    if outside == 0 {
        return Ok(None);
    }
    Ok(Some((walsh(rows, outside)?, walsh(rows, pairs + 1 - outside)?)))
}

fn sort(rows: &mut [[f64; 1]]) {
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
}

/// The Walsh average at `rank`, from 1, of sorted values.
///
/// Bisects over the order of all floating-point numbers, because a list of the averages of a few
/// thousand values takes a hundred megabytes.
fn walsh(sorted: &[[f64; 1]], rank: usize) -> Result<f64> {
    let (mut low, mut high) = (ordinal(sorted[0][0]), ordinal(sorted[sorted.len() - 1][0]));
    while low < high {
        if must_stop() {
            return Err(stopped());
        }
        let middle = low + (high.wrapping_sub(low) as u64 / 2) as i64;
        if averages_up_to(sorted, from_ordinal(middle)) >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(from_ordinal(low))
}

/// The number of Walsh averages of sorted values that are at most `limit`.
fn averages_up_to(sorted: &[[f64; 1]], limit: f64) -> usize {
    let mut last = sorted.len();
    let mut count = 0;
    for (first, [value]) in sorted.iter().enumerate() {
        while last > first && f64::midpoint(*value, sorted[last - 1][0]) > limit {
            last -= 1;
        }
        if last <= first {
            break;
        }
        count += last - first;
    }
    count
}

/// The place of a number in the order of `total_cmp`.
fn ordinal(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn from_ordinal(ordinal: i64) -> f64 {
    f64::from_bits((ordinal ^ (((ordinal >> 63) as u64) >> 1) as i64) as u64)
}

/// Two-sided p of Wilcoxon's signed-rank test (1945). Zeros are left out, ties share their rank.
/// Exact up to [`MAX_EXACT`] values, then the normal approximation with continuity correction.
fn signed_rank_p(rows: &mut [[f64; 1]]) -> Option<f64> {
    rows.sort_by(|a, b| a[0].abs().total_cmp(&b[0].abs()));
    let values = &rows[rows.partition_point(|[value]| *value == 0.0)..];
    if values.is_empty() {
        return (!rows.is_empty()).then_some(1.0);
    }
    // Ranks are doubled, so that shared ranks are integers.
    let mut ranks = Vec::new();
    let (mut ranked, mut ties) = (0, 0.0);
    // The sums of the ranks of positive and negative values.
    let mut sums = [0, 0];
    for group in values.chunk_by(|a, b| a[0].abs() == b[0].abs()) {
        let shared = 2 * ranked + group.len() + 1;
        if values.len() <= MAX_EXACT {
            ranks.extend(group.iter().map(|_| shared));
        }
        for [value] in group {
            sums[usize::from(*value < 0.0)] += shared;
        }
        ranked += group.len();
        ties += (group.len() as f64).powi(3) - group.len() as f64;
    }
    let smaller = sums[0].min(sums[1]);
    if values.len() <= MAX_EXACT {
        let ways: f64 = rank_sums(&ranks).iter().take(smaller + 1).sum();
        return Some((2.0 * ways / 2f64.powi(values.len() as i32)).min(1.0));
    }
    let n = values.len() as f64;
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    let distance = n * (n + 1.0) / 4.0 - smaller as f64 / 2.0;
    Some(normal_p((distance - 0.5).max(0.0) / variance.sqrt()))
}

/// For each sum, the number of subsets of `ranks` with that sum.
fn rank_sums(ranks: &[usize]) -> Vec<f64> {
    let total: usize = ranks.iter().sum();
    let mut ways = vec![0.0; total + 1];
    ways[0] = 1.0;
    for rank in ranks {
        for sum in (*rank..=total).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f64]) -> Vec<[f64; 1]> {
        values.iter().map(|value| [*value]).collect()
    }

    #[test]
    fn autocorrelated_pairs_count_for_less() {
        let products: Vec<f64> = (1..=40).map(|lag| 0.5f64.powi(lag) * 0.6f64.powi(lag)).collect();
        assert_eq!(effective_count(200, &products).round(), 108.0);
        assert_eq!(effective_count(200, &[]), 200.0);
        assert_eq!(effective_count(200, &[-0.5]), 200.0, "never worth more than they are");
    }

    #[test]
    fn correlation_of_the_example_has_a_wider_interval_and_a_larger_p() {
        let z = |r: f64, n: f64| r.atanh() * (n - 3.0).sqrt();
        let low = |n: f64| (0.3f64.atanh() - TAIL_QUANTILE / (n - 3.0).sqrt()).tanh();
        assert!((low(108.0) - 0.12).abs() < 0.005 && (low(200.0) - 0.17).abs() < 0.005);
        assert!((normal_p(z(0.15, 200.0)) - 0.03).abs() < 0.005);
        assert!((normal_p(z(0.15, 108.0)) - 0.12).abs() < 0.005);
    }

    #[test]
    fn effect_of_the_example_has_its_estimate_and_p() {
        let mut example = rows(&[-9.0, -4.0, -12.0, -7.0, 1.0, -6.0]);
        assert_eq!(hodges_lehmann(&mut example).unwrap(), Some(-6.5));
        assert_eq!(interval(&mut example).unwrap(), Some((-12.0, 1.0)));
        assert_eq!(signed_rank_p(&mut example), Some(0.0625));
    }

    #[test]
    fn walsh_averages_match_a_list_of_all() {
        for values in [
            vec![3.0],
            vec![1.5, -2.0, 0.0, -0.0, 7.25],
            (0..40).map(|i| f64::from(i * i % 17) - 8.3).collect(),
        ] {
            let mut all: Vec<f64> = Vec::new();
            for (index, a) in values.iter().enumerate() {
                all.extend(values[index..].iter().map(|b| f64::midpoint(*a, *b)));
            }
            all.sort_by(f64::total_cmp);
            let mut sorted = rows(&values);
            sort(&mut sorted);
            for (index, average) in all.iter().enumerate() {
                assert_eq!(walsh(&sorted, index + 1).unwrap(), *average, "{values:?} {index}");
            }
        }
    }

    #[test]
    fn signed_ranks_share_ties_and_leave_out_zeros() {
        // Figures of R's wilcox.test without ties, and of the definition with them.
        for (values, expected) in [
            (vec![1.0, 2.0, 3.0, 4.0, 5.0], 0.0625),
            (vec![0.0, 0.0], 1.0),
            (vec![1.0, -1.0], 1.0),
            (vec![0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.031_25),
        ] {
            assert_eq!(signed_rank_p(&mut rows(&values)), Some(expected), "{values:?}");
        }
        assert_eq!(signed_rank_p(&mut []), None);
        assert_eq!(interval(&mut rows(&[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap(), None);
    }

    #[test]
    fn approximation_meets_the_exact_distribution() {
        let values: Vec<f64> =
            (1..=26).map(|i| f64::from(i) * if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
        let approximate = signed_rank_p(&mut rows(&values)).unwrap();
        let ranks: Vec<usize> = (1..=26).collect();
        let negative = (1..=8).map(|i| 3 * i).sum::<usize>();
        let ways: f64 = rank_sums(&ranks).iter().take(negative + 1).sum();
        let exact = 2.0 * ways / 2f64.powi(26);
        assert!((approximate - exact).abs() < 0.003, "{approximate} {exact}");
        let interval_at = |count: usize| interval(&mut rows(&values[..count])).unwrap().unwrap();
        let ((a, b), (c, d)) = (interval_at(25), interval_at(26));
        assert!((a - c).abs() < 2.0 && (b - d).abs() < 2.0);
    }
}
