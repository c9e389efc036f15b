//! Filling the gaps of a series.

/// A regular grid of times. A filled series has one value at each of them.
///
/// The third argument of a group macro requests it, and `frames` applies it to the finished series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// The value of a time without a row.
    pub mode: FillMode,
    /// The first time in Unix seconds, a multiple of `step`.
    pub first: i64,
    /// The end of the range in Unix seconds. No time of the grid is later.
    pub last: i64,
    /// The distance between two times in seconds.
    pub step: i64,
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
