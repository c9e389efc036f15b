//! One column of a result as it grows: values go from SQLite straight into an Arrow builder.
//!
//! The kind comes from the declared type or the name, else from the first value; a value that does not fit widens the column once:
//! integers that meet a float become floats, anything that meets text becomes text.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampNanosecondBuilder, new_null_array,
};
use arrow::datatypes::DataType;
use rusqlite::types::ValueRef;

use crate::time::{Day, Instant, Stamp, Tz};

/// How the integers of a time column count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Epoch {
    /// Seconds: columns declared `TIMESTAMP`.
    Seconds,
    /// Told by magnitude: columns that only carry the name `time`.
    Guessed,
}

impl Epoch {
    /// Nanoseconds in one unit of `magnitude`. A second count of 1e11 lies in the year 5138; milliseconds, microseconds and
    /// nanoseconds of our age are each a thousand times larger.
    fn nanoseconds(self, magnitude: f64) -> i64 {
        match self {
            Epoch::Guessed if magnitude > 1e17 => 1,
            Epoch::Guessed if magnitude > 1e14 => 1_000,
            Epoch::Guessed if magnitude > 1e11 => 1_000_000,
            _ => 1_000_000_000,
        }
    }
}

enum Values {
    /// Nothing but nulls so far, this many.
    Undecided(usize),
    Integer(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Time(TimestampNanosecondBuilder, Epoch),
    Text(StringBuilder),
}

pub(super) struct ColumnBuilder {
    values: Values,
    zone: Tz,
}

impl ColumnBuilder {
    /// `declared` is the type in `CREATE TABLE` where the column comes from one unchanged; text in time columns that names no offset is
    /// local time in `zone`.
    pub fn new(name: &str, declared: Option<&str>, zone: Tz) -> ColumnBuilder {
        let is = |kind: &str| declared.is_some_and(|declared| declared.eq_ignore_ascii_case(kind));
        let values = if is("TIMESTAMP") {
            Values::Time(TimestampNanosecondBuilder::new(), Epoch::Seconds)
        } else if name.eq_ignore_ascii_case("time") || name.eq_ignore_ascii_case("timeend") {
            Values::Time(TimestampNanosecondBuilder::new(), Epoch::Guessed)
        } else if is("INTEGER") {
            Values::Integer(Int64Builder::new())
        } else if is("REAL") {
            Values::Float(Float64Builder::new())
        } else if is("BOOLEAN") {
            Values::Boolean(BooleanBuilder::new())
        } else if is("TEXT") || is("DATE") || is("JSON") {
            Values::Text(StringBuilder::new())
        } else {
            Values::Undecided(0)
        };
        ColumnBuilder { values, zone }
    }

    /// Appends `value` and returns about how many bytes that took.
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
            (_, value) => return self.push_rare(value),
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

    /// What happens seldom: a value of another kind than the column's.
    #[cold]
    fn push_rare(&mut self, value: ValueRef<'_>) -> usize {
        match (&mut self.values, value) {
            (Values::Boolean(builder), ValueRef::Integer(value @ (0 | 1))) => {
                builder.append_value(value == 1);
                1
            }
            (Values::Time(builder, epoch), ValueRef::Real(value)) => {
                let nanoseconds = value * epoch.nanoseconds(value.abs()) as f64;
                builder.append_option(
                    (nanoseconds.abs() < i64::MAX as f64).then_some(nanoseconds as i64),
                );
                8
            }
            (Values::Text(builder), value) => {
                let text = text_of(value);
                builder.append_value(&text);
                text.len() + 4
            }
            (Values::Time(builder, _), ValueRef::Text(text)) => match instant(text, self.zone) {
                Some(at) => {
                    builder.append_option(at.seconds().checked_mul(1_000_000_000));
                    8
                }
                None => self.widen(ValueRef::Text(text)),
            },
            (_, value) => self.widen(value),
        }
    }

    /// Turns the column into the narrowest kind that holds what it has and `value` too, and appends `value`.
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
            (values, _) => Values::Text(as_text(values)),
        };
        self.push(value)
    }

    /// A column without a single value becomes a column of floats: what a chart can draw nothing of without complaint.
    pub fn finish(self) -> ArrayRef {
        match self.values {
            Values::Undecided(nulls) => new_null_array(&DataType::Float64, nulls),
            Values::Integer(mut builder) => Arc::new(builder.finish()),
            Values::Float(mut builder) => Arc::new(builder.finish()),
            Values::Boolean(mut builder) => Arc::new(builder.finish()),
            Values::Time(mut builder, _) => Arc::new(builder.finish()),
            Values::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

fn as_text(values: Values) -> StringBuilder {
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
                value.map(|value| Instant(value.div_euclid(1_000_000_000)).to_string()),
            )
        }),
        Values::Text(values) => return values,
    }
    builder
}

/// Blobs are written as SQL writes them, `x'00ff'`.
fn text_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
            let mut text = String::with_capacity(2 * bytes.len() + 3);
            text.push_str("x'");
            text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
            text.push('\'');
            text
        }
    }
}

/// A timestamp, or a day, which stands for its midnight in `zone`.
fn instant(text: &[u8], zone: Tz) -> Option<Instant> {
    let text = std::str::from_utf8(text).ok()?;
    match text.parse::<Day>() {
        Ok(day) => Some(day.midnight(zone)),
        Err(_) => Stamp::parse(text, zone).ok().map(|stamp| stamp.at),
    }
}
