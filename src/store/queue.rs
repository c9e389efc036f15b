//! The windows that are wanted, as rows: what is not done when the process ends is there when it starts again.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use rusqlite::{Connection, Transaction};

use super::{CollectionState, Store, StoreError, WindowReason};
use crate::catalog::{Collection, Style};
use crate::time::{Day, Instant};

/// The days of one collection that one fetch brings. Both ends included; collections without days have today in both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub collection: String,
    pub from: Day,
    pub to: Day,
    pub reason: WindowReason,
}

impl Window {
    /// How many days it has.
    pub fn days(&self) -> i64 {
        self.from.until(self.to) + 1
    }
}

/// A window as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedWindow {
    pub id: i64,
    pub window: Window,
    /// In how many runs it went wrong by itself.
    pub attempts: u32,
}

/// A window that went wrong in so many runs before is taken to be the trouble itself.
const PATIENCE: u32 = 2;

impl QueuedWindow {
    /// The window may be the trouble itself, and not what else went wrong in those runs.
    pub fn is_suspect(&self) -> bool {
        self.attempts >= PATIENCE
    }

    /// A day that cannot be had, as far as can be told.
    fn is_lost(&self) -> bool {
        self.attempts > PATIENCE && self.window.days() == 1
    }
}

/// What Oura's refusal of a collection changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How many windows left the run.
    pub windows: u64,
    /// Whether the collection was in another state before.
    pub is_news: bool,
}

/// What the store holds and awaits, as far as planning needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// For each collection the ranges of days that were fetched and can no longer change, in order, not touching each other.
    pub complete: BTreeMap<String, Vec<(Day, Day)>>,
    /// Windows that nobody needs to ask for again: they wait, or came in this run.
    pub claimed: Vec<Window>,
    /// For each collection the days that cannot be had: they wait by themselves, and whoever asks for one as well gets nothing.
    pub unfetchable: BTreeMap<String, BTreeSet<Day>>,
    /// Collections without days that the interrupted run has fetched already.
    pub fresh: BTreeSet<String>,
    /// The first day on which any collection has a document.
    pub first_day: Option<Day>,
    /// For each collection the last day on which it has a document.
    pub last_days: BTreeMap<String, Day>,
}

impl SyncState {
    /// The last day of which anything of `collection` has come from the phone: its own last day if wearing the ring makes it, else the
    /// last day of any that wearing makes, since a week without a workout is no sign.
    pub fn newest(&self, collection: &Collection) -> Option<Day> {
        newest(collection, &self.last_days)
    }
}

pub(super) fn newest(collection: &Collection, last_days: &BTreeMap<String, Day>) -> Option<Day> {
    match requires_wear(&collection.name) {
        true => last_days.get(&collection.name).copied(),
        false => {
            last_days.iter().filter(|(name, _)| requires_wear(name)).map(|(_, day)| *day).max()
        }
    }
}

/// Whether wearing the ring makes it, every day; the view `coverage` says the same.
pub fn requires_wear(collection: &str) -> bool {
    collection.starts_with("daily_")
        || ["sleep", "heartrate", "ring_battery_level"].contains(&collection)
}

/// Days before the newest one whose documents may still change: they are marked partial and asked for again.
const TRAILING_DAYS: i64 = 7;
/// So many days may lie between the newest documents and today without anything being late: a day's summary comes when it is over.
const USUAL_DELAY: i64 = 2;
/// How long a phone is waited for that brings nothing, in days.
const MAX_SILENCE: i64 = 90;

/// The last day that can no longer change, if `newest` is the last of which anything has come. What a phone was away from comes late, so
/// the days after the newest one count as open, however long ago they are, up to a limit.
pub fn settled_through(today: Day, newest: Option<Day>) -> Day {
    newest
        .map_or(today, |newest| newest.plus(USUAL_DELAY).min(today))
        .plus(-TRAILING_DAYS)
        .max(today.plus(-MAX_SILENCE))
}

impl QueuedWindow {
    pub(super) fn finish(&self, transaction: &Transaction, now: Instant) -> Result<(), StoreError> {
        transaction
            .prepare_cached("UPDATE sync_windows SET done_at = ?2, error = NULL WHERE window = ?1")?
            .execute((self.id, now.0))?;
        Ok(())
    }
}

impl Store {
    /// What is held at `now`. Days fetched after `now`, by a clock that has been set back since, count as not complete.
    ///
    /// A run that was interrupted is gone on with: days that may still change but came since it began count as complete.
    pub fn held(&self, now: Instant) -> Result<SyncState, StoreError> {
        let since = self.interrupted_since(now)?.map_or(i64::MAX, Instant::seconds);
        let writer = self.writer();
        let mut islands = writer.prepare_cached(
            "SELECT resource, min(day), max(day)
             FROM (SELECT resource, day, CAST(julianday(day) AS INTEGER) - row_number() OVER (PARTITION BY resource ORDER BY day) AS island
                   FROM coverage_data WHERE (NOT partial OR fetched_at >= ?2) AND fetched_at <= ?1)
             GROUP BY resource, island ORDER BY resource, min(day)",
        )?;
        let mut held = SyncState::default();
        let mut rows = islands.query([now.0, since])?;
        while let Some(row) = rows.next()? {
            held.complete.entry(row.get(0)?).or_default().push((day_at(row, 1)?, day_at(row, 2)?));
        }
        let mut fresh =
            writer.prepare_cached("SELECT name FROM collections WHERE last_sync >= ?1")?;
        held.fresh = fresh.query_map([since], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(fresh);
        held.first_day = writer
            .query_row("SELECT min(day) FROM coverage_data WHERE documents > 0", [], |row| {
                row.get::<_, Option<String>>(0)
            })?
            .and_then(|day| day.parse().ok());
        held.last_days = last_days(&writer)?;
        drop(rows);
        drop(islands);
        drop(writer);
        let waiting = self.waiting()?;
        for queued in waiting.iter().filter(|queued| queued.is_lost()) {
            held.unfetchable
                .entry(queued.window.collection.clone())
                .or_default()
                .insert(queued.window.from);
        }
        held.claimed = waiting.into_iter().map(|queued| queued.window).collect();
        Ok(held)
    }

    /// Adds windows that are not waiting already. Returns how many were new.
    pub fn enqueue(&self, windows: &[Window], now: Instant) -> Result<u64, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let mut added = 0;
        for window in windows {
            added += transaction
                .prepare_cached(
                    "INSERT INTO sync_windows (resource, from_day, to_day, reason, queued_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO NOTHING",
                )?
                .execute((&window.collection, window.from.to_string(), window.to.to_string(), window.reason, now.0))?
                as u64;
        }
        transaction.execute(
            "UPDATE sync_runs SET windows = windows + ?1 WHERE state = 'running'",
            [added],
        )?;
        // Windows done long ago tell nobody anything; days say in coverage when they were fetched.
        transaction
            .execute("DELETE FROM sync_windows WHERE done_at < ?1", [now.plus(-7 * 86_400).0])?;
        transaction.commit()?;
        Ok(added)
    }

    /// Drops what waits, to be planned anew: all but what a person asked for, and what failed by itself in `collections`.
    pub fn clear_queue(&self, collections: &[String]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let wanted = serde_json::to_string(collections).expect("names are text");
        let dropped = transaction.execute(
            "DELETE FROM sync_windows WHERE done_at IS NULL AND reason <> 'backfill'
             AND (attempts = 0 OR resource NOT IN (SELECT value FROM json_each(?1)))",
            [wanted],
        )?;
        transaction.execute(
            "UPDATE sync_runs SET windows = max(windows - ?1, 0) WHERE state = 'running'",
            [dropped],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Every window not yet done: by reason, then newest first. One that cannot be read is left out.
    pub fn waiting(&self) -> Result<Vec<QueuedWindow>, StoreError> {
        let writer = self.writer();
        let mut waiting =
            writer.prepare_cached("SELECT window, resource, from_day, to_day, reason, attempts FROM sync_windows WHERE done_at IS NULL")?;
        let mut windows: Vec<QueuedWindow> = waiting
            .query_map([], |row| {
                let (Ok(from), Ok(to)) = (day_at(row, 2), day_at(row, 3)) else { return Ok(None) };
                Ok(Some(QueuedWindow {
                    id: row.get(0)?,
                    window: Window {
                        collection: row.get(1)?,
                        from,
                        to,
                        // An unknown text comes from another version: the oldest kind of window serves.
                        reason: row.get(4).unwrap_or(WindowReason::History),
                    },
                    attempts: row.get(5)?,
                }))
            })?
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        windows.sort_by(|a, b| {
            let order =
                |queued: &QueuedWindow| (queued.window.reason, std::cmp::Reverse(queued.window.to));
            order(a).cmp(&order(b)).then_with(|| a.window.collection.cmp(&b.window.collection))
        });
        Ok(windows)
    }

    /// How many windows wait to be fetched, for each reason: without what a person asked for of a collection that Oura refuses.
    pub fn queue_lengths(&self) -> Result<BTreeMap<WindowReason, u64>, StoreError> {
        let inspector = self.inspector();
        let mut lengths = inspector.prepare_cached(
            "SELECT reason, count(*) FROM sync_windows
             WHERE done_at IS NULL AND resource NOT IN (SELECT name FROM collections WHERE state NOT IN ('ok', 'waiting', 'error'))
             GROUP BY reason",
        )?;
        let lengths = lengths
            .query_map([], |row| Ok((row.get(0).unwrap_or(WindowReason::History), row.get(1)?)))?;
        let none = WindowReason::ALL.iter().map(|reason| Ok((*reason, 0)));
        Ok(none.chain(lengths).collect::<Result<_, _>>()?)
    }

    /// Oura refuses `collection`: its windows leave the run under way, and the queue as well unless a person asked for them, since the next
    /// run plans the others anew.
    pub fn refuse(
        &self,
        collection: &str,
        state: CollectionState,
        reason: &str,
    ) -> Result<Refused, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let is_news = is_news(&transaction, collection, state)?;
        transaction.execute(
            "UPDATE collections SET state = ?2, reason = ?3 WHERE name = ?1",
            (collection, state, reason),
        )?;
        let waiting = "SELECT count(*) FROM sync_windows WHERE resource = ?1 AND done_at IS NULL";
        let left: u64 = transaction.query_row(waiting, [collection], |row| row.get(0))?;
        transaction.execute("DELETE FROM sync_windows WHERE resource = ?1 AND done_at IS NULL AND reason <> 'backfill'", [collection])?;
        transaction.execute(
            "UPDATE sync_runs SET windows = max(windows - ?1, 0) WHERE state = 'running'",
            [left],
        )?;
        transaction.commit()?;
        Ok(Refused { windows: left, is_news })
    }

    /// Records that something went wrong: the window keeps waiting, its collection is in error. `window_at_fault`: the window may be to blame.
    /// Whether the collection was not in error before.
    pub fn fail_window(
        &self,
        window: &QueuedWindow,
        window_at_fault: bool,
        message: &str,
    ) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let catalog = self.catalog();
        let transaction = writer.transaction()?;
        transaction.execute(
            "UPDATE sync_windows SET attempts = attempts + ?2, error = ?3 WHERE window = ?1",
            (window.id, window_at_fault, message),
        )?;
        let name = &window.window.collection;
        let reason = match catalog.get(name) {
            Some(collection) => trouble(&transaction, collection)?,
            None => None,
        };
        let reason = reason.as_deref().unwrap_or(message);
        let is_news = is_news(&transaction, name, CollectionState::Error)?;
        transaction.execute(
            "UPDATE collections SET state = ?2, reason = ?3 WHERE name = ?1",
            (name, CollectionState::Error, reason),
        )?;
        transaction.commit()?;
        Ok(is_news)
    }

    /// Cuts windows to pieces of at most `most_days`, which are as much to blame as they were.
    pub fn cut_windows(
        &self,
        windows: &[QueuedWindow],
        most_days: i64,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        let mut added = 0;
        for QueuedWindow { id, window, attempts } in windows {
            added -=
                transaction.execute("DELETE FROM sync_windows WHERE window = ?1", [id])? as i64;
            let mut from = window.from;
            while from <= window.to {
                let to = window.to.min(from.plus(most_days.max(1) - 1));
                added += transaction.execute(
                    "INSERT INTO sync_windows (resource, from_day, to_day, reason, attempts, queued_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO NOTHING",
                    (&window.collection, from.to_string(), to.to_string(), window.reason, attempts, now.0),
                )? as i64;
                from = to.plus(1);
            }
        }
        transaction.execute(
            "UPDATE sync_runs SET windows = windows + ?1 WHERE state = 'running'",
            [added],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Ends a window whose collection no longer exists.
    pub(super) fn drop_window(
        &self,
        window: &QueuedWindow,
        now: Instant,
    ) -> Result<super::WriteStats, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        window.finish(&transaction, now)?;
        transaction.commit()?;
        Ok(super::WriteStats::default())
    }
}

/// Whether `state` is another one than `collection` is in.
fn is_news(
    connection: &Connection,
    collection: &str,
    state: CollectionState,
) -> Result<bool, StoreError> {
    let sql = "SELECT coalesce((SELECT state FROM collections WHERE name = ?1), '') <> ?2";
    Ok(connection.prepare_cached(sql)?.query_row((collection, state), |row| row.get(0))?)
}

/// What goes wrong with windows of `collection` that wait, and with which days: `2026-10-20: Oura answers 500`.
pub(super) fn trouble(
    connection: &Connection,
    collection: &Collection,
) -> Result<Option<String>, StoreError> {
    let mut wrong = connection.prepare_cached(
        "SELECT from_day, to_day, error FROM sync_windows WHERE resource = ?1 AND done_at IS NULL AND error IS NOT NULL ORDER BY to_day",
    )?;
    let wrong: Vec<(Day, Day, String)> = wrong
        .query_map([&collection.name], |row| {
            let (Ok(from), Ok(to)) = (day_at(row, 0), day_at(row, 1)) else { return Ok(None) };
            Ok(Some((from, to, row.get(2)?)))
        })?
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let days: BTreeSet<Day> = wrong.iter().flat_map(|(from, to, _)| from.through(*to)).collect();
    let (Some(first), Some(last), Some((.., message))) = (days.first(), days.last(), wrong.last())
    else {
        return Ok(None);
    };
    let between = first.until(*last) + 1;
    Ok(Some(match days.len() as i64 {
        _ if matches!(collection.style, Style::TokenOnly | Style::Singleton) => message.clone(),
        1 => format!("{first}: {message}"),
        days if days == between => format!("{first} to {last}: {message}"),
        days => format!("{days} days from {first} to {last}: {message}"),
    }))
}

/// For each collection the last day on which it has a document.
pub(super) fn last_days(connection: &Connection) -> Result<BTreeMap<String, Day>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT name, last_day FROM collections WHERE last_day IS NOT NULL")?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, day_at(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn day_at(row: &rusqlite::Row, column: usize) -> rusqlite::Result<Day> {
    let text: String = row.get(column)?;
    Day::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
