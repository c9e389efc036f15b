//! The calendar: one row for every local day that the views show, with its midnight.

use std::str::FromStr;

use rusqlite::{Connection, Row, Transaction};

use super::error::StoreError;
use crate::time::{Day, Tz};

/// Reads a `DATE` column.
pub(super) fn day_at(row: &Row, column: usize) -> rusqlite::Result<Day> {
    let text: String = row.get(column)?;
    Day::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// Adds `day`, unless the calendar has it.
pub(super) fn add_day(connection: &Connection, day: Day, zone: Tz) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO calendar (day, time) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((day.to_string(), day.midnight(zone).0))?;
    Ok(())
}

/// Extends the calendar through `today`, so that days without a successful fetch have a row. An
/// empty calendar stays empty.
///
/// Removes days after `today` and after the last covered day: a clock that was ahead added them.
pub(super) fn extend(connection: &Connection, today: Day, zone: Tz) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM calendar
         WHERE day > max(?1, coalesce((SELECT max(day) FROM coverage_data), day))",
        [today.to_string()],
    )?;
    if let Some(last) = last_day(connection)? {
        for day in last.plus(1).through(today) {
            add_day(connection, day, zone)?;
        }
    }
    Ok(())
}

/// Returns the last day in the calendar.
pub(super) fn last_day(connection: &Connection) -> Result<Option<Day>, StoreError> {
    let last: Option<String> =
        connection.query_row("SELECT max(day) FROM calendar", [], |row| row.get(0))?;
    Ok(last.and_then(|last| last.parse().ok()))
}

/// Fills an empty calendar with all days from the first covered day to the last one, or to
/// `last_before` if that is later.
pub(super) fn rebuild(
    transaction: &Transaction,
    last_before: Option<Day>,
    zone: Tz,
) -> Result<(), StoreError> {
    let ends: (Option<String>, Option<String>) =
        transaction.query_row("SELECT min(day), max(day) FROM coverage_data", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if let (Some(first), Some(last)) = ends
        && let (Ok(first), Ok(last)) = (first.parse::<Day>(), last.parse::<Day>())
    {
        for day in first.through(last_before.map_or(last, |before| before.max(last))) {
            add_day(transaction, day, zone)?;
        }
    }
    Ok(())
}
