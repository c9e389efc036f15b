//! SQLite's mathematical functions, which its bundled build omits.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

use super::{FLAGS, number};

type Scalar = fn(f64) -> f64;
type Pair = fn(f64, f64) -> f64;

/// Functions of one number. An undefined result (`sqrt(-1)`) is NULL.
const SCALARS: [(&str, Scalar); 14] = [
    ("sqrt", f64::sqrt),
    ("exp", f64::exp),
    ("ln", f64::ln),
    ("log", f64::log10),
    ("log2", f64::log2),
    ("log10", f64::log10),
    ("sin", f64::sin),
    ("cos", f64::cos),
    ("tan", f64::tan),
    ("asin", f64::asin),
    ("acos", f64::acos),
    ("atan", f64::atan),
    ("radians", f64::to_radians),
    ("degrees", f64::to_degrees),
];

/// Functions of two numbers. An undefined result is NULL.
const PAIRS: [(&str, Pair); 4] =
    [("pow", f64::powf), ("power", f64::powf), ("atan2", f64::atan2), ("mod", |x, y| x % y)];

/// Functions of one number that return integers unchanged.
const ROUNDINGS: [(&str, Scalar); 4] =
    [("floor", f64::floor), ("ceil", f64::ceil), ("ceiling", f64::ceil), ("trunc", f64::trunc)];

pub(super) fn register(connection: &Connection) -> Result<()> {
    for (name, function) in SCALARS {
        connection.create_scalar_function(name, 1, FLAGS, move |context| {
            Ok(number(context, 0).map(function).filter(|value| !value.is_nan()))
        })?;
    }
    for (name, function) in PAIRS {
        connection.create_scalar_function(name, 2, FLAGS, move |context| {
            Ok(number(context, 0)
                .zip(number(context, 1))
                .map(|(a, b)| function(a, b))
                .filter(|value| !value.is_nan()))
        })?;
    }
    for (name, function) in ROUNDINGS {
        connection.create_scalar_function(name, 1, FLAGS, move |context| {
            Ok(match context.get_raw(0) {
                ValueRef::Integer(value) => Value::Integer(value),
                _ => number(context, 0).map_or(Value::Null, |value| Value::Real(function(value))),
            })
        })?;
    }
    connection.create_scalar_function("pi", 0, FLAGS, |_| Ok(std::f64::consts::PI))
}
