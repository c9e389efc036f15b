//! SQL functions that SQLite's bundled build lacks: its own mathematics (same names, same NULLs), the statistics health data asks for, and
//! the person's local time.
//!
//! Every connection that prepares a view or a query has the first two; local time belongs to a zone and to queries alone. All are
//! deterministic and touch nothing.

mod local;
mod mathematics;
mod statistics;
mod text;

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};
use serde::Serialize;

use crate::time::Tz;

/// A function, as the editor shows it.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "SchemaFunction"))]
pub struct Function {
    pub name: &'static str,
    pub usage: &'static str,
    pub description: &'static str,
    /// An expression, or for aggregates a SELECT, that works on any store.
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

/// Every function defined here.
pub const FUNCTIONS: [Function; 41] = [
    of(
        "median",
        "median(x)",
        "the middle value; aggregate or window",
        "SELECT median(average_hrv) FROM nights",
    ),
    of(
        "percentile",
        "percentile(x, p)",
        "the value that p percent lie below, p from 0 to 100; aggregate or window",
        "SELECT percentile(bpm, 90) FROM heartrate WHERE $__timeFilter(time)",
    ),
    of(
        "mad",
        "mad(x)",
        "the median absolute deviation: how far values usually lie from their median; aggregate or window",
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
        "regr_slope",
        "regr_slope(y, x)",
        "the slope of the line nearest to all points; aggregate or window",
        "SELECT regr_slope(average_hrv, julianday(day)) AS ms_per_day FROM nights",
    ),
    of(
        "regr_intercept",
        "regr_intercept(y, x)",
        "where that line meets x = 0; aggregate or window",
        "SELECT regr_intercept(average_hrv, julianday(day)) FROM nights",
    ),
    of(
        "ewma",
        "ewma(x, weight)",
        "the exponentially weighted mean of rows in order, weight from 0 to 1 for the newest; window",
        "SELECT time, ewma(average_hrv, 0.2) OVER (ORDER BY day) FROM nights",
    ),
    of(
        "clock_mean",
        "clock_mean(seconds)",
        "the mean of times of day, in seconds from midnight: that of 23:30 and 0:30 is midnight; aggregate or window",
        "SELECT hms(clock_mean(local_clock(bedtime_start))) FROM nights",
    ),
    of(
        "first",
        "first(x, time)",
        "the value with the earliest time; aggregate",
        "SELECT day, first(bpm, time) FROM (SELECT local_day(time) AS day, * FROM heartrate WHERE $__timeFilter(time)) GROUP BY day",
    ),
    of(
        "last",
        "last(x, time)",
        "the value with the latest time; aggregate",
        "SELECT last(level, time) FROM ring_battery_level",
    ),
    of(
        "local_time",
        "local_time(time)",
        "what a calendar and a clock showed there: 2026-03-29T07:30:00",
        "local_time(1700000000)",
    ),
    of("local_day", "local_day(time)", "the calendar day: 2026-03-29", "local_day(1700000000)"),
    of("local_hour", "local_hour(time)", "the hour of the day, 0 to 23", "local_hour(1700000000)"),
    of(
        "local_clock",
        "local_clock(time)",
        "the time of day in seconds from midnight, as a clock shows it",
        "local_clock(1700000000)",
    ),
    of(
        "local_midnight",
        "local_midnight(day or time)",
        "the instant at which the day begins",
        "local_midnight('2026-03-29')",
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
    of("floor", "floor(x)", "the next integer below", "floor(-1.5)"),
    of("ceil", "ceil(x)", "the next integer above", "ceil(1.5)"),
    of("ceiling", "ceiling(x)", "the same as ceil", "ceiling(1.5)"),
    of("trunc", "trunc(x)", "without its fraction", "trunc(-1.5)"),
    of("sin", "sin(x)", "the sine, x in radians", "sin(0)"),
    of("cos", "cos(x)", "the cosine, x in radians", "cos(0)"),
    of("tan", "tan(x)", "the tangent, x in radians", "tan(0)"),
    of("asin", "asin(x)", "the angle of a sine, in radians", "asin(1)"),
    of("acos", "acos(x)", "the angle of a cosine, in radians", "acos(1)"),
    of("atan", "atan(x)", "the angle of a tangent, in radians", "atan(1)"),
    of("mod", "mod(x, y)", "the remainder of x divided by y, with the sign of x", "mod(7, 3)"),
    of("atan2", "atan2(y, x)", "the angle of a point in radians", "atan2(1, 1)"),
    of("pi", "pi()", "3.14159…", "pi()"),
    of("radians", "radians(x)", "degrees as radians", "radians(180)"),
    of("degrees", "degrees(x)", "radians as degrees", "degrees(pi())"),
];

/// What every function here is.
const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

/// Mathematics and statistics: what views may use.
pub(super) fn register(connection: &Connection) -> Result<()> {
    mathematics::register(connection)?;
    statistics::register(connection)
}

/// Bounded stand-ins for functions of SQLite's own, which make texts of at most `longest_text` bytes.
pub(super) fn register_bounded(connection: &Connection, longest_text: usize) -> Result<()> {
    text::register(connection, longest_text)
}

/// Local time in `zone`.
pub(super) fn register_local(connection: &Connection, zone: Tz) -> Result<()> {
    local::register(connection, zone)
}

/// Tells whether a statement has to end.
pub(super) type Stop = dyn Fn() -> bool + Send + Sync;

thread_local! {
    /// What tells it of the statement on this thread.
    static STOP: RefCell<Option<Weak<Stop>>> = const { RefCell::new(None) };
}

/// From now on, for as long as somebody holds `stop`, it tells functions on this thread that their statement has to end.
pub(super) fn heed(stop: &Arc<Stop>) {
    STOP.set(Some(Arc::downgrade(stop)));
}

/// Asked by functions that take long. A statement in which one fails then has ended because of what told it so.
fn has_to_end() -> bool {
    STOP.with_borrow(|stop| stop.as_ref().and_then(Weak::upgrade).is_some_and(|stop| stop()))
}

/// Text and blobs are no numbers.
fn number(context: &Context<'_>, argument: usize) -> Option<f64> {
    match context.get_raw(argument) {
        ValueRef::Integer(value) => Some(value as f64),
        ValueRef::Real(value) => Some(value),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

#[cfg(test)]
mod tests;
