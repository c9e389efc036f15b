//! Linear-time versions of SQLite's text functions that take quadratic time.
//!
//! SQLite cannot stop a statement within a function, nor in a row of calls without a jump. So these
//! functions count the texts that they read, and stop at the statement's limits.

use std::borrow::Cow;
use std::collections::HashSet;

use rusqlite::functions::Context;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result, ffi};

use super::{FLAGS, stopped};
use crate::store::meter::must_stop_after;

/// Returns the number of bytes to trim at the start and at the end.
type TrimLengths = fn(&str, &HashSet<char>) -> (usize, usize);

const TRIMS: [(&str, TrimLengths); 3] = [
    ("trim", |text, set| (leading_bytes(text, set), trailing_bytes(text, set))),
    ("ltrim", |text, set| (leading_bytes(text, set), 0)),
    ("rtrim", |text, set| (0, trailing_bytes(text, set))),
];

/// Registers the functions. A result with more than `max_bytes` bytes is an error.
pub(super) fn register(connection: &Connection, max_bytes: usize) -> Result<()> {
    for (name, trim_lengths) in TRIMS {
        connection.create_scalar_function(name, 1, FLAGS, move |context| {
            let Some(text) = text(context, 0)? else { return Ok(None) };
            let (start, end) = trim_lengths(&text, &HashSet::from([' ']));
            Ok(Some(text.get(start..text.len() - end).unwrap_or_default().to_owned()))
        })?;
        connection.create_scalar_function(name, 2, FLAGS, move |context| {
            let (Some(text), Some(set)) = (text(context, 0)?, text(context, 1)?) else {
                return Ok(None);
            };
            let set: HashSet<char> = set.chars().collect();
            let (start, end) = trim_lengths(&text, &set);
            Ok(Some(text.get(start..text.len() - end).unwrap_or_default().to_owned()))
        })?;
    }
    connection.create_scalar_function("instr", 2, FLAGS, |context| {
        let (Some(whole), Some(part)) = (text(context, 0)?, text(context, 1)?) else {
            return Ok(None);
        };
        Ok(Some(whole.find(&part).map_or(0, |at| whole[..at].chars().count() as i64 + 1)))
    })?;
    connection.create_scalar_function("replace", 3, FLAGS, move |context| {
        let (Some(whole), Some(part), Some(replacement)) =
            (text(context, 0)?, text(context, 1)?, text(context, 2)?)
        else {
            return Ok(Value::Null);
        };
        if part.is_empty() {
            return Ok(Value::Text(whole));
        }
        let count = whole.matches(&part).count();
        if whole.len() + count * replacement.len() - count * part.len() > max_bytes {
            return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
        }
        Ok(Value::Text(whole.replace(&part, &replacement)))
    })
}

/// Returns an argument as text, or `None` for NULL. Each byte of a blob becomes one character.
/// Fails if the statement must stop.
fn text(context: &Context<'_>, argument: usize) -> Result<Option<String>> {
    let value = context.get_raw(argument);
    if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value
        && must_stop_after(bytes.len())
    {
        return Err(stopped());
    }
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(format!("{value:?}")),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
    })
}

/// Returns an argument as the bytes of its text, or `None` for NULL.
pub(super) fn bytes<'a>(context: &'a Context<'_>, argument: usize) -> Option<Cow<'a, [u8]>> {
    match context.get_raw(argument) {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(Cow::Owned(value.to_string().into_bytes())),
        ValueRef::Real(value) => Some(Cow::Owned(format!("{value:?}").into_bytes())),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(Cow::Borrowed(bytes)),
    }
}

/// Byte length of the characters of `set` at the start of `text`.
fn leading_bytes(text: &str, set: &HashSet<char>) -> usize {
    text.len() - text.trim_start_matches(|character| set.contains(&character)).len()
}

/// Byte length of the characters of `set` at the end of `text`.
fn trailing_bytes(text: &str, set: &HashSet<char>) -> usize {
    text.len() - text.trim_end_matches(|character| set.contains(&character)).len()
}
