//! Filling the gaps of a series.

use std::sync::Arc;

/// A grid of times. A filled series has one value at each of them.
///
/// The third argument of a group macro requests it, and `frames` applies it to the finished series.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// The value of a time without a row.
    pub mode: FillMode,
    /// The times of the grid in Unix seconds, ascending. The first one is before the grid: it only
    /// ends the step of the second one.
    pub times: Arc<[i64]>,
}

impl Fill {
    /// A grid from `first` to `last` with the same distance `step` between its times, in seconds.
    pub fn regular(mode: FillMode, first: i64, last: i64, step: i64) -> Fill {
        let before = first.saturating_sub(step);
        let times = (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX).max(1));
        Fill { mode, times: std::iter::once(before).chain(times).collect() }
    }

    /// A grid of these times. The first one is before the grid.
    pub fn at(mode: FillMode, times: Vec<i64>) -> Fill {
        Fill { mode, times: times.into() }
    }
}

/// The value that fills a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FillMode {
    /// No value: a line has a gap.
    Null,
    /// The value before the gap.
    Previous,
    /// A fixed number.
    Value(f64),
}
