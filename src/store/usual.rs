//! The definition of a usual value, shared by the view `baselines` and by metrics queries.
//!
//! Usual is the median of the days before, and the spread around it is 1.4826 times the median
//! absolute deviation. The factor makes the spread of normally distributed values equal to their
//! standard deviation. Hampel 1974; Leys et al. 2013.

/// The median absolute deviation times this is the spread.
pub const SPREAD_FACTOR: f64 = 1.4826;

/// The number of days that a usual value needs.
pub const MIN_USUAL_DAYS: i64 = 14;

/// The number of days before a day that define its usual value.
pub(super) const USUAL_WINDOW: i64 = 60;

/// Metrics of the view `baselines`: the view, its column, and the resolution. A spread is never
/// smaller than the resolution, since Oura rounds to it: half of the lowest heart rates of two
/// months can be the same whole number.
const METRICS: [(&str, &str, f64); 9] = [
    ("nights", "average_hrv", 1.0),
    ("nights", "average_heart_rate", 0.5),
    ("nights", "lowest_heart_rate", 1.0),
    ("nights", "average_breath", 0.1),
    ("nights", "temperature_deviation", 0.05),
    ("nights", "total_sleep_duration", 600.0),
    ("nights", "efficiency", 1.0),
    ("nights", "latency", 60.0),
    ("days", "steps", 100.0),
];

/// Returns the smallest spread of the column with this name, or 0.
pub fn resolution(column: &str) -> f64 {
    METRICS.iter().find(|(_, name, _)| *name == column).map_or(0.0, |(_, _, step)| *step)
}

/// Returns an SQL expression for the spread of `value` over `window`.
pub fn spread_sql(value: &str, window: &str, resolution: &str) -> String {
    let spread = format!("{SPREAD_FACTOR} * mad({value}) OVER {window}");
    if resolution == "0" { spread } else { format!("max({spread}, {resolution})") }
}

/// Returns a SELECT of all metrics of `baselines`: `metric`, `day`, `time`, `value` and `step`, the
/// resolution.
pub(super) fn metrics_sql() -> String {
    let selects: Vec<String> = METRICS
        .iter()
        .map(|(view, column, step)| {
            format!(
                "SELECT '{column}' AS metric, day, time, {column} AS value, {step:?} AS step \
                 FROM {view}"
            )
        })
        .collect();
    selects.join("\n    UNION ALL ")
}
