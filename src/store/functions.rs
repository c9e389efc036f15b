//! SQL functions that SQLite's bundled build lacks: its own mathematics (same names, same NULLs) and the statistics health data asks for.
//!
//! Every connection that prepares a view or a query has them. All are deterministic, touch nothing, and may be used in views.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

type Scalar = fn(f64) -> f64;

/// Of values in any order.
type Statistic = fn(&mut [f64]) -> Option<f64>;

/// From a number to a number; where there is none (`sqrt(-1)`) the result is NULL.
const SCALARS: [(&str, Scalar); 8] = [
    ("sqrt", f64::sqrt),
    ("exp", f64::exp),
    ("ln", f64::ln),
    ("log10", f64::log10),
    ("sin", f64::sin),
    ("cos", f64::cos),
    ("radians", f64::to_radians),
    ("degrees", f64::to_degrees),
];

/// The same, but integers stay as they are.
const ROUNDINGS: [(&str, Scalar); 4] = [("floor", f64::floor), ("ceil", f64::ceil), ("ceiling", f64::ceil), ("trunc", f64::trunc)];

/// Over the numbers of a group, NULLs left out; NULL if there are too few.
const STATISTICS: [(&str, Statistic); 3] = [
    ("median", |values| quantile(values, 0.5)),
    ("variance", |values| variance(values)),
    ("stddev", |values| variance(values).map(f64::sqrt)),
];

/// Every name defined here.
pub(super) const NAMES: [&str; 18] = [
    "sqrt",
    "exp",
    "ln",
    "log10",
    "sin",
    "cos",
    "radians",
    "degrees",
    "floor",
    "ceil",
    "ceiling",
    "trunc",
    "pow",
    "power",
    "median",
    "variance",
    "stddev",
    "percentile",
];

/// The most values one aggregate keeps: 80 MB.
const MAX_VALUES: usize = 10_000_000;

pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, function) in SCALARS {
        connection
            .create_scalar_function(name, 1, flags, move |context| Ok(number(context, 0).map(function).filter(|value| !value.is_nan())))?;
    }
    for (name, function) in ROUNDINGS {
        connection.create_scalar_function(name, 1, flags, move |context| {
            Ok(match context.get_raw(0) {
                ValueRef::Integer(value) => Value::Integer(value),
                _ => number(context, 0).map_or(Value::Null, |value| Value::Real(function(value))),
            })
        })?;
    }
    for name in ["pow", "power"] {
        connection.create_scalar_function(name, 2, flags, |context| {
            Ok(number(context, 0).zip(number(context, 1)).map(|(base, exponent)| base.powf(exponent)).filter(|value| !value.is_nan()))
        })?;
    }
    for (name, summary) in STATISTICS {
        connection.create_aggregate_function(name, 1, flags, Summary(summary))?;
    }
    connection.create_aggregate_function("percentile", 2, flags, Percentile)
}

/// Text and blobs are no numbers.
fn number(context: &Context<'_>, argument: usize) -> Option<f64> {
    match context.get_raw(argument) {
        ValueRef::Integer(value) => Some(value as f64),
        ValueRef::Real(value) => Some(value),
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

fn keep(values: &mut Vec<f64>, value: Option<f64>) -> Result<()> {
    if values.len() == MAX_VALUES {
        return Err(Error::UserFunctionError(format!("more than {MAX_VALUES} values in one group").into()));
    }
    values.extend(value);
    Ok(())
}

struct Summary(Statistic);

impl Aggregate<Vec<f64>, Option<f64>> for Summary {
    fn init(&self, _: &mut Context<'_>) -> Result<Vec<f64>> {
        Ok(Vec::new())
    }

    fn step(&self, context: &mut Context<'_>, values: &mut Vec<f64>) -> Result<()> {
        keep(values, number(context, 0))
    }

    fn finalize(&self, _: &mut Context<'_>, values: Option<Vec<f64>>) -> Result<Option<f64>> {
        Ok(values.and_then(|mut values| (self.0)(&mut values)))
    }
}

/// `percentile(x, p)`: `p` from 0 to 100, that of the last row counts; between two values by their distance.
struct Percentile;

impl Aggregate<(Vec<f64>, Option<f64>), Option<f64>> for Percentile {
    fn init(&self, _: &mut Context<'_>) -> Result<(Vec<f64>, Option<f64>)> {
        Ok((Vec::new(), None))
    }

    fn step(&self, context: &mut Context<'_>, (values, rank): &mut (Vec<f64>, Option<f64>)) -> Result<()> {
        *rank = number(context, 1).filter(|rank| (0.0..=100.0).contains(rank));
        if rank.is_none() {
            return Err(Error::UserFunctionError("the second argument of percentile() is a number from 0 to 100".into()));
        }
        keep(values, number(context, 0))
    }

    fn finalize(&self, _: &mut Context<'_>, group: Option<(Vec<f64>, Option<f64>)>) -> Result<Option<f64>> {
        Ok(group.and_then(|(mut values, rank)| quantile(&mut values, rank? / 100.0)))
    }
}

fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = share * values.len().checked_sub(1)? as f64;
    let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// Of a sample: divided by one less than the count.
fn variance(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (count > 1.0).then(|| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_answer_as_mathematics_does_and_null_where_it_does_not() {
        let database = Connection::open_in_memory().unwrap();
        register(&database).unwrap();
        let value =
            |sql: &str| database.query_row(&format!("SELECT {sql}"), [], |row| row.get::<_, Value>(0)).map_err(|error| error.to_string());
        let group = "FROM (VALUES (4), (1), (NULL), (3.0), (2))";
        for (sql, expected) in [
            ("sqrt(9)", Value::Real(3.0)),
            ("sqrt(-1)", Value::Null),
            ("sqrt('nine')", Value::Null),
            ("floor(-1.5)", Value::Real(-2.0)),
            ("ceil(7)", Value::Integer(7)),
            ("pow(2, 10)", Value::Real(1024.0)),
            (&format!("median(column1) {group}"), Value::Real(2.5)),
            (&format!("percentile(column1, 75) {group}"), Value::Real(3.25)),
            (&format!("variance(column1) {group}"), Value::Real(5.0 / 3.0)),
            ("stddev(1)", Value::Null),
            ("median(1) WHERE 0", Value::Null),
        ] {
            assert_eq!(value(sql), Ok(expected), "{sql}");
        }
        assert_eq!(value("percentile(1, 101)"), Err("the second argument of percentile() is a number from 0 to 100".to_owned()));
    }

    #[test]
    fn every_name_is_there() {
        let database = Connection::open_in_memory().unwrap();
        register(&database).unwrap();
        for name in NAMES {
            let known = database.query_row("SELECT count(*) FROM pragma_function_list WHERE name = ?1", [name], |row| row.get::<_, i64>(0));
            assert!(known.unwrap() > 0, "{name}");
        }
    }
}
