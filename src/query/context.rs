//! The values behind the macros: the panel's time range and interval.

use std::time::Duration;

/// The time range and interval of a panel.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext {
    /// Start of the range in Unix milliseconds, inclusive.
    pub from_ms: i64,
    /// End of the range in Unix milliseconds, inclusive.
    pub to_ms: i64,
    /// The panel's interval: the time between two of its points.
    pub interval: Duration,
    /// The number of points that the panel can show per series.
    pub max_data_points: u64,
}
