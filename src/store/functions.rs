//! SQL functions that SQLite's bundled build lacks.
//!
//! There are four groups: SQLite's mathematical functions (same names, same NULLs), statistics for
//! health data, local time, and the wearer's clock. Every connection that prepares a view or a
//! query has the first two. The others need a zone or the wearer's documents, so only query
//! connections have them. All functions are deterministic within a statement and have no side
//! effects.

mod inference;
mod local;
mod mathematics;
mod pattern;
mod statistics;
mod text;
mod wall;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};
use serde::Serialize;

use crate::time::Tz;
pub(super) use wall::WallClock;

/// A function's documentation, for the query editor and the schema.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema), ts(rename = "SchemaFunction"))]
pub struct Function {
    /// The name in lower case.
    pub name: &'static str,
    /// The name with its arguments.
    pub usage: &'static str,
    /// A short description without a capital letter or a full stop.
    pub description: &'static str,
    /// An example that works on any store: an expression, or a SELECT for an aggregate.
    pub example: &'static str,
}

const fn of(
    name: &'static str,
    usage: &'static str,
    description: &'static str,
    example: &'static str,
) -> Function {
    Function { name, usage, description, example }
}

/// Documentation of all functions defined here.
pub const FUNCTIONS: [Function; 51] = [
    of(
        "median",
        "median(x)",
        "the middle value; aggregate or window",
        "SELECT median(average_hrv) FROM nights",
    ),
    of(
        "percentile",
        "percentile(x, p)",
        "the value that p percent of the values are below, p from 0 to 100; aggregate or window",
        "SELECT percentile(bpm, 90) FROM heartrate WHERE $__timeFilter(time)",
    ),
    of(
        "mad",
        "mad(x)",
        "the median absolute deviation: the typical distance from the median; aggregate or window",
        "SELECT median(average_hrv), mad(average_hrv) FROM nights",
    ),
    of(
        "stddev",
        "stddev(x)",
        "the standard deviation of a sample; aggregate or window",
        "SELECT stddev(steps) FROM days",
    ),
    of(
        "variance",
        "variance(x)",
        "the variance of a sample; aggregate or window",
        "SELECT variance(steps) FROM days",
    ),
    of(
        "corr",
        "corr(x, y)",
        "the correlation, from -1 to 1; aggregate or window",
        "SELECT corr(average_hrv, readiness_score) FROM nights",
    ),
    of(
        "spearman",
        "spearman(x, y)",
        "the correlation of ranks, from -1 to 1, which outliers hardly change; aggregate or window",
        "SELECT spearman(average_hrv, readiness_score) FROM nights",
    ),
    of(
        "regr_slope",
        "regr_slope(y, x)",
        "the slope of the least-squares line; aggregate or window",
        "SELECT regr_slope(average_hrv, julianday(day)) AS ms_per_day FROM nights",
    ),
    of(
        "regr_intercept",
        "regr_intercept(y, x)",
        "the value of the least-squares line at x = 0; aggregate or window",
        "SELECT regr_intercept(average_hrv, julianday(day)) FROM nights",
    ),
    of(
        "ewma",
        "ewma(x, weight)",
        "the exponentially weighted mean in row order, weight above 0, up to 1; window",
        "SELECT time, ewma(average_hrv, 0.2) OVER (ORDER BY day) FROM nights",
    ),
    of(
        "clock_mean",
        "clock_mean(seconds)",
        "the mean time of day in seconds from midnight; 23:30 and 0:30 give 0; aggregate or window",
        "SELECT hms(clock_mean(wall_clock(bedtime_start))) FROM nights",
    ),
    of(
        "first",
        "first(x, time)",
        "the value with the earliest time; aggregate",
        "SELECT local_day(time) AS day, first(bpm, time) FROM heartrate \
         WHERE $__timeFilter(time) GROUP BY 1",
    ),
    of(
        "last",
        "last(x, time)",
        "the value with the latest time; aggregate",
        "SELECT last(level, time) FROM ring_battery_level",
    ),
    of(
        "effective_n",
        "effective_n(x, y ORDER BY time)",
        "how many independent pairs have the same information about a correlation, given the \
         autocorrelation of the ranks of both; aggregate",
        "SELECT effective_n(average_hrv, total_sleep_duration ORDER BY day) FROM nights",
    ),
    of(
        "normal_p",
        "normal_p(z)",
        "the two-sided tail probability of the standard normal distribution",
        "normal_p(1.96)",
    ),
    of(
        "hodges_lehmann",
        "hodges_lehmann(x)",
        "the median of all pairwise means, a robust estimate of the middle; aggregate or window",
        "SELECT hodges_lehmann(z) FROM baselines WHERE metric = 'average_hrv'",
    ),
    of(
        "hodges_lehmann_low",
        "hodges_lehmann_low(x)",
        "the lower end of the interval of 95 percent around hodges_lehmann, from six values; \
         aggregate or window",
        "SELECT hodges_lehmann_low(z) FROM baselines WHERE metric = 'average_hrv'",
    ),
    of(
        "hodges_lehmann_high",
        "hodges_lehmann_high(x)",
        "the upper end of the same interval; aggregate or window",
        "SELECT hodges_lehmann_high(z) FROM baselines WHERE metric = 'average_hrv'",
    ),
    of(
        "signed_rank_p",
        "signed_rank_p(x)",
        "the two-sided p of Wilcoxon's signed-rank test that the values scatter around 0; \
         aggregate or window",
        "SELECT signed_rank_p(z) FROM baselines WHERE metric = 'average_hrv'",
    ),
    of(
        "local_time",
        "local_time(time)",
        "the local date and time: 2026-03-29T07:30:00",
        "local_time(1700000000)",
    ),
    of(
        "local_day",
        "local_day(time)",
        "the local calendar day: 2026-03-29",
        "local_day(1700000000)",
    ),
    of("local_hour", "local_hour(time)", "the local hour, 0 to 23", "local_hour(1700000000)"),
    of(
        "local_clock",
        "local_clock(time)",
        "the local time of day in seconds from midnight",
        "local_clock(1700000000)",
    ),
    of(
        "local_midnight",
        "local_midnight(day or time)",
        "the Unix time of the start of the day",
        "local_midnight('2026-03-29')",
    ),
    of(
        "wall_day",
        "wall_day(time)",
        "the calendar day at the place of the wearer, by the offset of the newest document before",
        "SELECT wall_day(bedtime_start) FROM nights",
    ),
    of(
        "wall_hour",
        "wall_hour(time)",
        "the hour at the place of the wearer, 0 to 23",
        "SELECT wall_hour(time) AS hour, avg(bpm) FROM heartrate \
         WHERE $__timeFilter(time) GROUP BY 1",
    ),
    of(
        "wall_clock",
        "wall_clock(time)",
        "the time of day at the place of the wearer in seconds from midnight",
        "SELECT hms(wall_clock(bedtime_start)) FROM nights",
    ),
    of("hms", "hms(seconds)", "a duration or time of day as text: 7:30:00", "hms(27000)"),
    of("sqrt", "sqrt(x)", "the square root", "sqrt(9)"),
    of("pow", "pow(x, y)", "x to the power of y", "pow(2, 10)"),
    of("power", "power(x, y)", "the same as pow", "power(2, 10)"),
    of("exp", "exp(x)", "e to the power of x", "exp(1)"),
    of("ln", "ln(x)", "the natural logarithm", "ln(2)"),
    of("log", "log(x)", "the logarithm to base 10, as in SQLite", "log(1000)"),
    of("log2", "log2(x)", "the logarithm to base 2", "log2(8)"),
    of("log10", "log10(x)", "the logarithm to base 10", "log10(1000)"),
    of("floor", "floor(x)", "rounded down to an integer", "floor(-1.5)"),
    of("ceil", "ceil(x)", "rounded up to an integer", "ceil(1.5)"),
    of("ceiling", "ceiling(x)", "the same as ceil", "ceiling(1.5)"),
    of("trunc", "trunc(x)", "rounded towards zero to an integer", "trunc(-1.5)"),
    of("sin", "sin(x)", "the sine, x in radians", "sin(0)"),
    of("cos", "cos(x)", "the cosine, x in radians", "cos(0)"),
    of("tan", "tan(x)", "the tangent, x in radians", "tan(0)"),
    of("asin", "asin(x)", "the arc sine in radians", "asin(1)"),
    of("acos", "acos(x)", "the arc cosine in radians", "acos(1)"),
    of("atan", "atan(x)", "the arc tangent in radians", "atan(1)"),
    of("mod", "mod(x, y)", "the remainder of x divided by y, with the sign of x", "mod(7, 3)"),
    of("atan2", "atan2(y, x)", "the angle of the point (x, y) in radians", "atan2(1, 1)"),
    of("pi", "pi()", "3.14159…", "pi()"),
    of("radians", "radians(x)", "degrees as radians", "radians(180)"),
    of("degrees", "degrees(x)", "radians as degrees", "degrees(pi())"),
];

/// Flags of every function here.
const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

/// Registers the functions that views may use: mathematics and statistics.
pub(super) fn register(connection: &Connection) -> Result<()> {
    mathematics::register(connection)?;
    statistics::register(connection)?;
    inference::register(connection)
}

/// Replaces SQLite's text functions that take quadratic time. Results have at most `max_bytes`
/// bytes.
pub(super) fn register_bounded(connection: &Connection, max_bytes: usize) -> Result<()> {
    text::register(connection, max_bytes)?;
    pattern::register(connection)
}

/// Registers the functions for local time in `zone`.
pub(super) fn register_local(connection: &Connection, zone: Tz) -> Result<()> {
    local::register(connection, zone)
}

fn failure(message: impl Into<String>) -> Error {
    Error::UserFunctionError(message.into().into())
}

/// The error of a function that ends at a limit of its statement. The reader reports the limit.
fn stopped() -> Error {
    failure("the statement was stopped")
}

/// Returns an argument if it is a number. Text and blobs are never converted.
fn number(context: &Context<'_>, argument: usize) -> Option<f64> {
    match context.get_raw(argument) {
        ValueRef::Integer(value) => Some(value as f64),
        ValueRef::Real(value) => Some(value),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

#[cfg(test)]
mod tests;
