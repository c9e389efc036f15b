//! One result column while its rows arrive.
//!
//! Values are appended directly to an Arrow builder of the column's type. A value of another type
//! widens the column: integers become floats when a float arrives, and any type becomes text when
//! text arrives.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampNanosecondArray, TimestampNanosecondBuilder, new_null_array,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use rusqlite::types::ValueRef;

use super::columns::ColumnType;
use crate::format::hex;
use crate::time::{Day, Instant, Stamp, Tz};

const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;

/// The unit of the numbers in a time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Epoch {
    Seconds,
    /// Guessed from the magnitude of each number.
    Guessed,
}

impl Epoch {
    /// Nanoseconds per unit of a number with this `magnitude`.
    ///
    /// In seconds, 1e11 is the year 5138. Today's times in milliseconds, microseconds and
    /// nanoseconds are each a thousand times larger.
    fn nanoseconds(self, magnitude: f64) -> i64 {
        match self {
            Epoch::Guessed if magnitude > 1e17 => 1,
            Epoch::Guessed if magnitude > 1e14 => 1_000,
            Epoch::Guessed if magnitude > 1e11 => 1_000_000,
            _ => NANOSECONDS_PER_SECOND,
        }
    }

    /// Returns the nanoseconds since 1970 of a fractional number. Guesses Julian day numbers, as
    /// SQLite's `julianday()` returns them, from the year 2000 to 9999.
    fn instant(self, value: f64) -> Option<i64> {
        const JULIAN_DAYS: std::ops::Range<f64> = 2_451_544.5..5_373_484.5;
        const JULIAN_DAY_OF_1970: f64 = 2_440_587.5;
        let nanoseconds = if self == Epoch::Guessed && JULIAN_DAYS.contains(&value) {
            // In milliseconds, SQLite's own precision.
            ((value - JULIAN_DAY_OF_1970) * 86_400e3).round() * 1e6
        } else {
            value * self.nanoseconds(value.abs()) as f64
        };
        (nanoseconds.abs() < i64::MAX as f64).then_some(nanoseconds as i64)
    }
}

enum Values {
    /// Number of nulls so far. No other value has arrived.
    Undecided(usize),
    Integer(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Time(TimestampNanosecondBuilder, Epoch),
    Text(StringBuilder),
}

/// Builds the array of one column.
pub(super) struct ColumnBuilder {
    values: Values,
    zone: Tz,
    /// Whether the finished column becomes a column of times if all of its values are times.
    may_be_time: bool,
}

impl ColumnBuilder {
    /// A builder for a column of `column_type`.
    ///
    /// Text in time columns has one of SQLite's forms. Without an offset it is in UTC, as in
    /// SQLite. A day is its midnight in `zone`.
    pub fn new(column_type: ColumnType, zone: Tz) -> ColumnBuilder {
        let values = match column_type {
            ColumnType::Undeclared | ColumnType::Perhaps => Values::Undecided(0),
            ColumnType::Integer => Values::Integer(Int64Builder::new()),
            ColumnType::Float => Values::Float(Float64Builder::new()),
            ColumnType::Boolean => Values::Boolean(BooleanBuilder::new()),
            ColumnType::Text => Values::Text(StringBuilder::new()),
            ColumnType::Seconds => Values::Time(TimestampNanosecondBuilder::new(), Epoch::Seconds),
            ColumnType::AnyEpoch => Values::Time(TimestampNanosecondBuilder::new(), Epoch::Guessed),
        };
        ColumnBuilder { values, zone, may_be_time: column_type == ColumnType::Perhaps }
    }

    /// Appends `value`. Returns its approximate size in bytes.
    #[inline]
    pub fn push(&mut self, value: ValueRef<'_>) -> usize {
        match (&mut self.values, value) {
            (Values::Integer(builder), ValueRef::Integer(value)) => builder.append_value(value),
            (Values::Float(builder), ValueRef::Real(value)) => builder.append_value(value),
            (Values::Float(builder), ValueRef::Integer(value)) => {
                builder.append_value(value as f64)
            }
            (Values::Time(builder, epoch), ValueRef::Integer(value)) => {
                builder.append_option(
                    value.checked_mul(epoch.nanoseconds(value.unsigned_abs() as f64)),
                );
            }
            (Values::Text(builder), ValueRef::Text(text)) => {
                builder.append_value(String::from_utf8_lossy(text));
                return text.len() + 4;
            }
            (_, ValueRef::Null) => self.push_null(),
            (_, value) => return self.push_other_type(value),
        }
        8
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Undecided(nulls) => *nulls += 1,
            Values::Integer(builder) => builder.append_null(),
            Values::Float(builder) => builder.append_null(),
            Values::Boolean(builder) => builder.append_null(),
            Values::Time(builder, _) => builder.append_null(),
            Values::Text(builder) => builder.append_null(),
        }
    }

    /// Appends a value that is not of the column's type. This is rare.
    #[cold]
    fn push_other_type(&mut self, value: ValueRef<'_>) -> usize {
        match (&mut self.values, value) {
            (Values::Boolean(builder), ValueRef::Integer(value @ (0 | 1))) => {
                builder.append_value(value == 1);
                1
            }
            (Values::Time(builder, epoch), ValueRef::Real(value)) => {
                builder.append_option(epoch.instant(value));
                8
            }
            (Values::Text(builder), value) => {
                let text = format_text(value);
                builder.append_value(&text);
                text.len() + 4
            }
            (Values::Time(builder, _), ValueRef::Text(text)) => {
                match parse_instant(text, self.zone) {
                    Some(at) => {
                        builder.append_option(at.seconds().checked_mul(NANOSECONDS_PER_SECOND));
                        8
                    }
                    None => self.widen(ValueRef::Text(text)),
                }
            }
            (_, value) => self.widen(value),
        }
    }

    /// Converts the column to the narrowest type that holds its values and `value`, then appends
    /// `value`.
    fn widen(&mut self, value: ValueRef<'_>) -> usize {
        let values = std::mem::replace(&mut self.values, Values::Undecided(0));
        self.values = match (values, value) {
            (Values::Undecided(nulls), ValueRef::Integer(_)) => {
                let mut builder = Int64Builder::new();
                builder.append_nulls(nulls);
                Values::Integer(builder)
            }
            (Values::Undecided(nulls), ValueRef::Real(_)) => {
                let mut builder = Float64Builder::new();
                builder.append_nulls(nulls);
                Values::Float(builder)
            }
            (Values::Integer(mut integers), ValueRef::Real(_)) => {
                let mut builder = Float64Builder::new();
                integers
                    .finish()
                    .iter()
                    .for_each(|value| builder.append_option(value.map(|value| value as f64)));
                Values::Float(builder)
            }
            (Values::Boolean(mut booleans), ValueRef::Integer(_)) => {
                let mut builder = Int64Builder::new();
                booleans
                    .finish()
                    .iter()
                    .for_each(|value| builder.append_option(value.map(i64::from)));
                Values::Integer(builder)
            }
            (Values::Boolean(mut booleans), ValueRef::Real(_)) => {
                let mut builder = Float64Builder::new();
                booleans.finish().iter().for_each(|value| {
                    builder.append_option(value.map(|value| f64::from(u8::from(value))))
                });
                Values::Float(builder)
            }
            (values, _) => Values::Text(into_text(values)),
        };
        self.push(value)
    }

    /// Returns the array.
    ///
    /// An undeclared column without values becomes a column of null floats, which Grafana's charts
    /// accept.
    pub fn finish(self) -> ArrayRef {
        let values = finish(self.values);
        let times = if self.may_be_time { plausible_times(&values, self.zone) } else { None };
        times.map_or(values, |times| Arc::new(times))
    }
}

/// Returns the array of all values.
fn finish(values: Values) -> ArrayRef {
    match values {
        Values::Undecided(nulls) => new_null_array(&DataType::Float64, nulls),
        Values::Integer(mut builder) => Arc::new(builder.finish()),
        Values::Float(mut builder) => Arc::new(builder.finish()),
        Values::Boolean(mut builder) => Arc::new(builder.finish()),
        Values::Time(mut builder, _) => Arc::new(builder.finish()),
        Values::Text(mut builder) => Arc::new(builder.finish()),
    }
}

/// Returns the values as times, if all of them are times of the year 2000 or later.
fn plausible_times(values: &ArrayRef, zone: Tz) -> Option<TimestampNanosecondArray> {
    const YEAR_2000: i64 = 946_684_800 * NANOSECONDS_PER_SECOND;
    let plausible = |nanoseconds: Option<i64>| nanoseconds.filter(|value| *value >= YEAR_2000);
    match values.data_type() {
        DataType::Int64 => {
            let times = values.as_primitive::<Int64Type>().iter().map(|value| match value {
                Some(value) => {
                    let unit = Epoch::Guessed.nanoseconds(value.unsigned_abs() as f64);
                    plausible(value.checked_mul(unit)).map(Some)
                }
                None => Some(None),
            });
            times.collect()
        }
        DataType::Float64 => {
            let times = values.as_primitive::<Float64Type>().iter().map(|value| match value {
                Some(value) => plausible(Epoch::Guessed.instant(value)).map(Some),
                None => Some(None),
            });
            times.collect()
        }
        DataType::Utf8 => {
            let times = values.as_string::<i32>().iter().map(|text| match text {
                Some(text) => {
                    let at = parse_instant(text.as_bytes(), zone)?;
                    at.seconds().checked_mul(NANOSECONDS_PER_SECOND).map(Some)
                }
                None => Some(None),
            });
            times.collect()
        }
        _ => None,
    }
}

/// Converts the values so far to text.
fn into_text(values: Values) -> StringBuilder {
    let mut builder = StringBuilder::new();
    match values {
        Values::Undecided(nulls) => builder.append_nulls(nulls),
        Values::Integer(mut values) => values
            .finish()
            .iter()
            .for_each(|value| builder.append_option(value.map(|value| value.to_string()))),
        Values::Float(mut values) => values
            .finish()
            .iter()
            .for_each(|value| builder.append_option(value.map(|value| value.to_string()))),
        Values::Boolean(mut values) => values
            .finish()
            .iter()
            .for_each(|value| builder.append_option(value.map(|value| value.to_string()))),
        Values::Time(mut values, _) => values.finish().iter().for_each(|value| {
            builder.append_option(
                value.map(|value| Instant(value.div_euclid(NANOSECONDS_PER_SECOND)).to_string()),
            )
        }),
        Values::Text(values) => return values,
    }
    builder
}

/// Formats a value as text. A blob becomes a SQL literal, `x'00ff'`.
fn format_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("x'{}'", hex(bytes)),
    }
}

/// Parses a day as its midnight in `zone`, or a timestamp in one of SQLite's forms, which is in UTC
/// if it has no offset.
fn parse_instant(text: &[u8], zone: Tz) -> Option<Instant> {
    let text = std::str::from_utf8(text).ok()?;
    match text.parse::<Day>() {
        Ok(day) => Some(day.midnight(zone)),
        Err(_) => Stamp::parse(text, Tz::UTC).ok().map(|stamp| stamp.at),
    }
}
