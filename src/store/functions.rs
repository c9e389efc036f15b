//! SQL functions that SQLite lacks and health data asks for: statistics over the rows of a group. Every reading connection has them.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

/// Over the numbers of a group, NULLs left out; NULL if there are too few.
const STATISTICS: [(&str, fn(&mut [f64]) -> Option<f64>); 3] = [
    ("median", |values| quantile(values, 0.5)),
    ("variance", |values| variance(values)),
    ("stddev", |values| variance(values).map(f64::sqrt)),
];

/// Every name defined here.
pub(super) const NAMES: [&str; 4] = ["median", "variance", "stddev", "percentile"];

/// The most values one aggregate keeps: 80 MB.
const MAX_VALUES: usize = 10_000_000;

pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
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

struct Summary(fn(&mut [f64]) -> Option<f64>);

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
    fn a_group_has_its_statistics_and_null_where_there_are_too_few_values() {
        let database = Connection::open_in_memory().unwrap();
        register(&database).unwrap();
        let value =
            |sql: &str| database.query_row(format!("SELECT {sql}"), [], |row| row.get::<_, Value>(0)).map_err(|error| error.to_string());
        let group = "FROM (VALUES (4), (1), (NULL), (3.0), (2))";
        for (sql, expected) in [
            (format!("median(column1) {group}"), Value::Real(2.5)),
            (format!("percentile(column1, 75) {group}"), Value::Real(3.25)),
            (format!("variance(column1) {group}"), Value::Real(5.0 / 3.0)),
            ("stddev(1)".to_owned(), Value::Null),
            ("median(1) WHERE 0".to_owned(), Value::Null),
        ] {
            assert_eq!(value(&sql), Ok(expected), "{sql}");
        }
        assert_eq!(value("percentile(1, 101)"), Err("the second argument of percentile() is a number from 0 to 100".to_owned()));
    }
}
