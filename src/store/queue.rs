//! The table `sync_windows`: the queue of windows. It survives the process, so that a sync
//! continues after a restart.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row, Transaction};

use super::calendar::day_at;
use super::collections::{differs, last_days, set_state};
use super::error::StoreError;
use super::inspector::Inspector;
use super::runs;
use super::state::{CollectionState, WindowReason};
use super::window::{Coverage, QueuedWindow, Refused, Window};
use super::writer::Writer;
use crate::catalog::{Collection, Style};
use crate::time::{Day, Instant};

/// How long stored windows stay in the table, in seconds. Later, only `coverage` shows when a day
/// was fetched.
const HISTORY: i64 = 7 * 86_400;

impl Writer {
    /// Returns the covered days at `now`. Days with a later fetch time do not count as complete:
    /// the clock has been set back since.
    ///
    /// `resumed_since`: when an interrupted run began that the current one continues. Days fetched
    /// since then count as complete, even if they can still change.
    pub fn coverage(
        &self,
        now: Instant,
        resumed_since: Option<Instant>,
    ) -> Result<Coverage, StoreError> {
        let since = resumed_since.map_or(i64::MAX, Instant::seconds);
        let connection = self.lock();
        // Consecutive days have the same difference between day and row number.
        let mut islands = connection.prepare_cached(
            "SELECT resource, min(day), max(day)
             FROM (SELECT resource, day,
                          CAST(julianday(day) AS INTEGER)
                              - row_number() OVER (PARTITION BY resource ORDER BY day) AS island
                   FROM coverage_data
                   WHERE (NOT partial OR fetched_at >= ?2) AND fetched_at <= ?1)
             GROUP BY resource, island ORDER BY resource, min(day)",
        )?;
        let mut complete: BTreeMap<String, Vec<(Day, Day)>> = BTreeMap::new();
        let mut rows = islands.query([now.0, since])?;
        while let Some(row) = rows.next()? {
            complete.entry(row.get(0)?).or_default().push((day_at(row, 1)?, day_at(row, 2)?));
        }
        let mut fresh =
            connection.prepare_cached("SELECT name FROM collections WHERE last_sync >= ?1")?;
        let fresh: BTreeSet<String> =
            fresh.query_map([since], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let first_day: Option<String> = connection.query_row(
            "SELECT min(day) FROM coverage_data WHERE documents > 0",
            [],
            |row| row.get(0),
        )?;
        Ok(Coverage {
            complete,
            fresh,
            first_day: first_day.and_then(|day| day.parse().ok()),
            last_days: last_days(&connection)?,
        })
    }

    /// Queues the windows that do not wait already. Returns the number of added ones.
    pub fn enqueue(&self, windows: &[Window], now: Instant) -> Result<u64, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let mut added = 0;
        for window in windows {
            added += insert(&transaction, window, 0, now)?;
        }
        runs::add_windows(&transaction, added)?;
        transaction
            .execute("DELETE FROM sync_windows WHERE done_at < ?1", [now.plus(-HISTORY).0])?;
        transaction.commit()?;
        Ok(added.unsigned_abs())
    }

    /// Removes waiting windows, so that they are planned again. Backfill windows stay, and so do
    /// failed windows of `collections`.
    pub fn clear_queue(&self, collections: &[String]) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let names = serde_json::to_string(collections).expect("names are text");
        let removed = transaction.execute(
            "DELETE FROM sync_windows WHERE done_at IS NULL AND reason <> ?2
             AND (attempts = 0 OR resource NOT IN (SELECT value FROM json_each(?1)))",
            (names, WindowReason::Backfill),
        )?;
        runs::add_windows(&transaction, -(removed as i64))?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns the waiting windows in the order of fetching: by reason, then the newest first.
    /// Skips rows without valid days.
    pub fn waiting(&self) -> Result<Vec<QueuedWindow>, StoreError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(
            "SELECT window, resource, from_day, to_day, reason, attempts FROM sync_windows
             WHERE done_at IS NULL",
        )?;
        let mut windows: Vec<QueuedWindow> = rows
            .query_map([], queued_window)?
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        windows.sort_by(|a, b| fetch_order(&a.window).cmp(&fetch_order(&b.window)));
        Ok(windows)
    }

    /// Records that Oura refuses `collection`. Its windows leave the run under way. They leave the
    /// queue as well, because the next run plans them again, except for backfill windows.
    pub fn refuse(
        &self,
        collection: &str,
        state: CollectionState,
        reason: &str,
    ) -> Result<Refused, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let is_news = differs(&transaction, collection, state)?;
        set_state(&transaction, collection, state, reason)?;
        let windows: i64 = transaction.query_row(
            "SELECT count(*) FROM sync_windows WHERE resource = ?1 AND done_at IS NULL",
            [collection],
            |row| row.get(0),
        )?;
        transaction.execute(
            "DELETE FROM sync_windows
             WHERE resource = ?1 AND done_at IS NULL AND reason <> ?2",
            (collection, WindowReason::Backfill),
        )?;
        runs::add_windows(&transaction, -windows)?;
        transaction.commit()?;
        Ok(Refused { windows: windows.unsigned_abs(), is_news })
    }

    /// Records a failed fetch: the window keeps waiting, and its collection is in error.
    /// `window_at_fault` counts it as an attempt of this window. Returns whether the collection was
    /// in another state before.
    pub fn fail_window(
        &self,
        queued: &QueuedWindow,
        window_at_fault: bool,
        message: &str,
    ) -> Result<bool, StoreError> {
        let mut connection = self.lock();
        let catalog = self.catalog();
        let transaction = connection.transaction()?;
        transaction.execute(
            "UPDATE sync_windows SET attempts = attempts + ?2, error = ?3 WHERE window = ?1",
            (queued.id, window_at_fault, message),
        )?;
        let name = &queued.window.collection;
        let failure = match catalog.get(name) {
            Some(collection) => describe_failure(&transaction, collection)?,
            None => None,
        };
        let is_news = differs(&transaction, name, CollectionState::Error)?;
        let reason = failure.as_deref().unwrap_or(message);
        set_state(&transaction, name, CollectionState::Error, reason)?;
        transaction.commit()?;
        Ok(is_news)
    }

    /// Splits windows into pieces of at most `max_days`, at least 1. The pieces inherit the
    /// attempts.
    pub fn cut_windows(
        &self,
        windows: &[QueuedWindow],
        max_days: i64,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let mut added = 0;
        for QueuedWindow { id, window, attempts } in windows {
            added -=
                transaction.execute("DELETE FROM sync_windows WHERE window = ?1", [id])? as i64;
            let mut from = window.from;
            while from <= window.to {
                let to = window.to.min(from.plus(max_days.max(1) - 1));
                added +=
                    insert(&transaction, &Window { from, to, ..window.clone() }, *attempts, now)?;
                from = to.plus(1);
            }
        }
        runs::add_windows(&transaction, added)?;
        transaction.commit()?;
        Ok(())
    }
}

impl Inspector {
    /// Returns the number of waiting windows by reason, without windows of refused and removed
    /// collections.
    pub fn queue_lengths(&self) -> Result<BTreeMap<WindowReason, u64>, StoreError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(
            "SELECT sync_windows.reason, collections.state FROM sync_windows
             LEFT JOIN collections ON collections.name = sync_windows.resource
             WHERE done_at IS NULL",
        )?;
        let mut rows = rows.query([])?;
        let mut lengths: BTreeMap<WindowReason, u64> =
            WindowReason::ALL.iter().map(|reason| (*reason, 0)).collect();
        while let Some(row) = rows.next()? {
            let state = row.get::<_, Option<CollectionState>>(1).ok().flatten();
            if state.is_none_or(CollectionState::is_open) {
                *lengths.entry(reason_at(row, 0)).or_default() += 1;
            }
        }
        Ok(lengths)
    }
}

/// Marks a window as stored.
pub(super) fn finish(
    transaction: &Transaction,
    queued: &QueuedWindow,
    now: Instant,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE sync_windows SET done_at = ?2, error = NULL WHERE window = ?1")?
        .execute((queued.id, now.0))?;
    Ok(())
}

/// Describes the failed windows of `collection` that wait, with their days:
/// `2026-10-20: Oura answers 500`. Returns `None` if all of its windows are well.
pub(super) fn describe_failure(
    connection: &Connection,
    collection: &Collection,
) -> Result<Option<String>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT from_day, to_day, error FROM sync_windows
         WHERE resource = ?1 AND done_at IS NULL AND error IS NOT NULL ORDER BY to_day",
    )?;
    let mut rows = rows.query([&collection.name])?;
    let mut days = BTreeSet::new();
    let mut last_message = None;
    while let Some(row) = rows.next()? {
        if let (Ok(from), Ok(to)) = (day_at(row, 0), day_at(row, 1)) {
            days.extend(from.through(to));
            last_message = Some(row.get::<_, String>(2)?);
        }
    }
    let (Some(first), Some(last), Some(message)) = (days.first(), days.last(), last_message) else {
        return Ok(None);
    };
    let span = first.until(*last) + 1;
    Ok(Some(match days.len() as i64 {
        _ if matches!(collection.style, Style::TokenOnly | Style::Singleton) => message,
        1 => format!("{first}: {message}"),
        count if count == span => format!("{first} to {last}: {message}"),
        count => format!("{count} days from {first} to {last}: {message}"),
    }))
}

/// Inserts a window unless it waits already. Returns the number of added rows.
fn insert(
    transaction: &Transaction,
    window: &Window,
    attempts: u32,
    now: Instant,
) -> Result<i64, StoreError> {
    let Window { collection, from, to, reason } = window;
    let added = transaction
        .prepare_cached(
            "INSERT INTO sync_windows (resource, from_day, to_day, reason, attempts, queued_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute((collection, from.to_string(), to.to_string(), reason, attempts, now.0))?;
    Ok(added as i64)
}

/// Reads a row of the queue. Returns `None` if its days are invalid.
fn queued_window(row: &Row) -> rusqlite::Result<Option<QueuedWindow>> {
    let (Ok(from), Ok(to)) = (day_at(row, 2), day_at(row, 3)) else { return Ok(None) };
    let window = Window { collection: row.get(1)?, from, to, reason: reason_at(row, 4) };
    Ok(Some(QueuedWindow { id: row.get(0)?, window, attempts: row.get(5)? }))
}

/// Reads a window's reason. Only another version writes other texts: such a window counts as
/// history.
fn reason_at(row: &Row, column: usize) -> WindowReason {
    row.get(column).unwrap_or(WindowReason::History)
}

fn fetch_order(window: &Window) -> (WindowReason, Reverse<Day>, &str) {
    (window.reason, Reverse(window.to), &window.collection)
}
