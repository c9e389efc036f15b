//! SQLite's own text functions that take quadratic time, with the same meaning in linear time: no statement is stopped in the middle of a
//! function, so none may take long.

use std::collections::HashSet;

use rusqlite::functions::Context;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result, ffi};

use super::FLAGS;

/// Which ends a function trims.
type Ends = fn(&str, &HashSet<char>) -> (usize, usize);

const TRIMS: [(&str, Ends); 3] = [
    ("trim", |text, set| (leading(text, set), trailing(text, set))),
    ("ltrim", |text, set| (leading(text, set), 0)),
    ("rtrim", |text, set| (0, trailing(text, set))),
];

/// `most`: the longest text that may come out, in bytes.
pub(super) fn register(connection: &Connection, most: usize) -> Result<()> {
    for (name, ends) in TRIMS {
        connection.create_scalar_function(name, 2, FLAGS, move |context| {
            let (Some(text), Some(set)) = (text(context, 0), text(context, 1)) else {
                return Ok(None);
            };
            let set: HashSet<char> = set.chars().collect();
            let (front, back) = ends(&text, &set);
            Ok(Some(text.get(front..text.len() - back).unwrap_or_default().to_owned()))
        })?;
    }
    connection.create_scalar_function("instr", 2, FLAGS, |context| {
        let (Some(whole), Some(part)) = (text(context, 0), text(context, 1)) else {
            return Ok(None);
        };
        Ok(Some(whole.find(&part).map_or(0, |at| whole[..at].chars().count() as i64 + 1)))
    })?;
    connection.create_scalar_function("replace", 3, FLAGS, move |context| {
        let (Some(whole), Some(part), Some(by)) =
            (text(context, 0), text(context, 1), text(context, 2))
        else {
            return Ok(Value::Null);
        };
        if part.is_empty() {
            return Ok(Value::Text(whole));
        }
        let found = whole.matches(&part).count();
        if whole.len() + found * by.len() - found * part.len() > most {
            return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
        }
        Ok(Value::Text(whole.replace(&part, &by)))
    })
}

/// As SQLite makes text of any value: a byte of a blob that is no character stands for itself. `None` for NULL.
fn text(context: &Context<'_>, argument: usize) -> Option<String> {
    match context.get_raw(argument) {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(format!("{value:?}")),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// How many bytes of `set` the text begins with.
fn leading(text: &str, set: &HashSet<char>) -> usize {
    text.len() - text.trim_start_matches(|character| set.contains(&character)).len()
}

/// How many bytes of `set` the text ends with.
fn trailing(text: &str, set: &HashSet<char>) -> usize {
    text.len() - text.trim_end_matches(|character| set.contains(&character)).len()
}
