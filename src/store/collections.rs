//! The table `collections`: state and extent of each collection.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::calendar::day_at;
use super::error::StoreError;
use super::inspector::Inspector;
use super::state::CollectionState;
use super::window::first_ring;
use super::writer::Writer;
use crate::catalog::{Collection, Storage};
use crate::sql::quote_identifier;
use crate::time::{Day, Instant};

/// A row of the table `collections`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRow {
    /// The collection's name in Oura's API.
    pub name: String,
    /// Its last known condition.
    pub state: CollectionState,
    /// The reason for a refusal or failure, and what to do about it.
    pub reason: Option<String>,
    /// When a window was last stored, or Oura last had no news.
    pub last_sync: Option<Instant>,
    /// The number of stored documents or rows, without deleted ones.
    pub documents: u64,
    /// The first day with a document.
    pub first_day: Option<Day>,
    /// The last day with a document.
    pub last_day: Option<Day>,
}

impl Inspector {
    /// Returns all known collections, sorted by name.
    pub fn collections(&self) -> Result<Vec<CollectionRow>, StoreError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(
            "SELECT name, state, reason, last_sync, documents, first_day, last_day
             FROM collections ORDER BY name",
        )?;
        let rows = rows.query_map([], |row| {
            Ok(CollectionRow {
                name: row.get(0)?,
                // Only another version writes other texts. The next sync replaces them.
                state: row.get(1).unwrap_or_default(),
                reason: row.get(2)?,
                last_sync: row.get::<_, Option<i64>>(3)?.map(Instant),
                documents: row.get(4)?,
                first_day: day_at(row, 5).ok(),
                last_day: day_at(row, 6).ok(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the last day with a main sleep.
    pub fn last_night(&self) -> Result<Option<Day>, StoreError> {
        let day = self
            .lock()
            .query_row("SELECT max(day) FROM nights", [], |row| row.get::<_, Option<String>>(0))?;
        Ok(day.and_then(|day| day.parse().ok()))
    }

    /// Returns the time of the newest row of a row table that is not after `now`.
    pub fn newest_row(&self, table: &str, now: Instant) -> Result<Option<Instant>, StoreError> {
        let table = quote_identifier(table);
        let sql = format!("SELECT max(time) FROM {table} WHERE time <= ?1");
        let time: Option<i64> = self.lock().query_row(&sql, [now.0], |row| row.get(0))?;
        Ok(time.map(Instant))
    }

    /// Returns the Oura user's id from `personal_info`, once that collection is stored.
    pub fn person(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT document_id FROM oura_raw_documents
                   WHERE resource = 'personal_info' AND deleted_at IS NULL";
        Ok(self.lock().query_row(sql, [], |row| row.get(0)).optional()?)
    }
}

impl Writer {
    /// Records that Oura had no news in `collection` at `now`.
    pub fn record_unchanged(&self, collection: &str, now: Instant) -> Result<(), StoreError> {
        let connection = self.lock();
        let sql = "UPDATE collections SET last_sync = ?2 WHERE name = ?1";
        connection.prepare_cached(sql)?.execute((collection, now.0))?;
        Ok(())
    }
}

/// Returns the last day with a document, by collection.
pub(super) fn last_days(connection: &Connection) -> Result<BTreeMap<String, Day>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT name, last_day FROM collections WHERE last_day IS NOT NULL")?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, day_at(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns whether `collection` is in another state than `state`.
pub(super) fn differs(
    connection: &Connection,
    collection: &str,
    state: CollectionState,
) -> Result<bool, StoreError> {
    let sql = "SELECT coalesce((SELECT state FROM collections WHERE name = ?1), '') <> ?2";
    Ok(connection.prepare_cached(sql)?.query_row((collection, state), |row| row.get(0))?)
}

/// Sets the state of `collection` and its reason.
pub(super) fn set_state(
    connection: &Connection,
    collection: &str,
    state: CollectionState,
    reason: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE collections SET state = ?2, reason = ?3 WHERE name = ?1")?
        .execute((collection, state, reason))?;
    Ok(())
}

/// Counts the documents or rows of `collection`, and updates its first and last day. A document far
/// from all covered days does not count as the first or last one. A collection that is fetched as a
/// whole covers no days: its documents count from the first ring to the day after the last fetch.
pub(super) fn recount(
    transaction: &Transaction,
    collection: &Collection,
) -> Result<(), StoreError> {
    let counted = match collection.storage {
        Storage::Documents => format!(
            "SELECT count(*), min(day) FILTER (WHERE is_near), max(day) FILTER (WHERE is_near)
             FROM (SELECT day, day BETWEEN from_day AND to_day AS is_near
                   FROM oura_raw_documents,
                        (SELECT coalesce(date(min(day), '-3 days'), '{}') AS from_day,
                                coalesce(date(max(day), '+3 days'),
                                         (SELECT date(max(last_seen_at), 'unixepoch', '+1 day')
                                          FROM oura_raw_documents WHERE resource = ?1)) AS to_day
                         FROM coverage_data WHERE resource = ?1)
                   WHERE resource = ?1 AND deleted_at IS NULL)",
            first_ring()
        ),
        Storage::Rows => "SELECT coalesce(sum(documents), 0), min(day), max(day) FROM coverage_data
                          WHERE resource = ?1 AND documents > 0"
            .to_owned(),
    };
    transaction
        .prepare_cached(&format!(
            "UPDATE collections SET (documents, first_day, last_day) = ({counted}),
                 faulty = (SELECT count(*) FROM oura_raw_documents
                           WHERE resource = ?1 AND fault IS NOT NULL AND deleted_at IS NULL)
             WHERE name = ?1"
        ))?
        .execute([&collection.name])?;
    Ok(())
}

/// Records that a window of `collection` was stored at `now`. `failure` describes its windows that
/// failed before and still wait; without one, the collection is well.
pub(super) fn record_sync(
    transaction: &Transaction,
    collection: &str,
    failure: Option<&str>,
    now: Instant,
) -> Result<(), StoreError> {
    let state = if failure.is_some() { CollectionState::Error } else { CollectionState::Ok };
    transaction
        .prepare_cached(
            "UPDATE collections SET last_sync = ?2, state = ?3, reason = ?4 WHERE name = ?1",
        )?
        .execute((collection, now.0, state, failure))?;
    Ok(())
}
