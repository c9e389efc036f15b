//! The windows that are wanted, as rows: what is not done when the process ends is there when it starts again.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use rusqlite::Transaction;

use super::{Store, StoreError};
use crate::time::{Day, Instant};

/// The days of one collection that one fetch brings. Both ends included; collections without days have today in both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub collection: String,
    pub from: Day,
    pub to: Day,
    pub reason: Reason,
}

/// Why a window is wanted; the order is the order of fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Days that may have changed since they were fetched.
    Trailing,
    /// A person asked for these days again.
    Backfill,
    /// Days never fetched.
    History,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Trailing => "trailing",
            Reason::Backfill => "backfill",
            Reason::History => "history",
        }
    }

    fn from_stored(text: &str) -> Reason {
        [Reason::Trailing, Reason::Backfill].into_iter().find(|reason| reason.as_str() == text).unwrap_or(Reason::History)
    }
}

/// A window as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedWindow {
    pub id: i64,
    pub window: Window,
    pub attempts: u32,
}

/// What the store holds and awaits, as far as planning needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// For each collection the ranges of days that were fetched and can no longer change, in order, not touching each other.
    pub complete: BTreeMap<String, Vec<(Day, Day)>>,
    pub waiting: Vec<Window>,
    /// Collections without days that the interrupted run has fetched already.
    pub fresh: BTreeSet<String>,
    /// The first day on which any collection has a document.
    pub first_day: Option<Day>,
}

impl QueuedWindow {
    pub(super) fn finish(&self, transaction: &Transaction, now: Instant) -> Result<(), StoreError> {
        transaction.prepare_cached("UPDATE sync_windows SET done_at = ?2, error = NULL WHERE window = ?1")?.execute((self.id, now.0))?;
        Ok(())
    }
}

impl Store {
    /// What is held at `now`. Days fetched after `now`, by a clock that has been set back since, count as not complete.
    ///
    /// A run that was interrupted is gone on with: days that may still change but came since it began count as complete.
    pub fn held(&self, now: Instant) -> Result<Held, StoreError> {
        let since = self.interrupted_since(now)?.map_or(i64::MAX, Instant::seconds);
        let writer = self.writer();
        let mut islands = writer.prepare_cached(
            "SELECT resource, min(day), max(day)
             FROM (SELECT resource, day, CAST(julianday(day) AS INTEGER) - row_number() OVER (PARTITION BY resource ORDER BY day) AS island
                   FROM coverage_data WHERE (NOT partial OR fetched_at >= ?2) AND fetched_at <= ?1)
             GROUP BY resource, island ORDER BY resource, min(day)",
        )?;
        let mut held = Held::default();
        let mut rows = islands.query([now.0, since])?;
        while let Some(row) = rows.next()? {
            held.complete.entry(row.get(0)?).or_default().push((day_at(row, 1)?, day_at(row, 2)?));
        }
        let mut fresh = writer.prepare_cached("SELECT name FROM collections WHERE last_sync >= ?1")?;
        held.fresh = fresh.query_map([since], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(fresh);
        held.first_day = writer
            .query_row("SELECT min(day) FROM coverage_data WHERE documents > 0", [], |row| row.get::<_, Option<String>>(0))?
            .and_then(|day| day.parse().ok());
        drop(rows);
        drop(islands);
        drop(writer);
        held.waiting = self.waiting()?.into_iter().map(|queued| queued.window).collect();
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
                .execute((&window.collection, window.from.to_string(), window.to.to_string(), window.reason.as_str(), now.0))?
                as u64;
        }
        transaction.execute("UPDATE sync_runs SET windows = windows + ?1 WHERE state = 'running'", [added])?;
        // Windows done long ago tell nobody anything; days say in coverage when they were fetched.
        transaction.execute("DELETE FROM sync_windows WHERE done_at < ?1", [now.plus(-7 * 86_400).0])?;
        transaction.commit()?;
        Ok(added)
    }

    /// Every window not yet done: by reason, then newest first.
    pub fn waiting(&self) -> Result<Vec<QueuedWindow>, StoreError> {
        let writer = self.writer();
        let mut waiting =
            writer.prepare_cached("SELECT window, resource, from_day, to_day, reason, attempts FROM sync_windows WHERE done_at IS NULL")?;
        let mut windows = waiting
            .query_map([], |row| {
                let reason: String = row.get(4)?;
                Ok(QueuedWindow {
                    id: row.get(0)?,
                    window: Window {
                        collection: row.get(1)?,
                        from: day_at(row, 2)?,
                        to: day_at(row, 3)?,
                        reason: Reason::from_stored(&reason),
                    },
                    attempts: row.get(5)?,
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        windows.sort_by(|a, b| {
            let order = |queued: &QueuedWindow| (queued.window.reason, std::cmp::Reverse(queued.window.to));
            order(a).cmp(&order(b)).then_with(|| a.window.collection.cmp(&b.window.collection))
        });
        Ok(windows)
    }

    /// How many windows wait, for each reason.
    pub fn queue_lengths(&self) -> Result<BTreeMap<Reason, u64>, StoreError> {
        let inspector = self.inspector();
        let mut lengths = inspector.prepare_cached("SELECT reason, count(*) FROM sync_windows WHERE done_at IS NULL GROUP BY reason")?;
        let lengths = lengths.query_map([], |row| Ok((Reason::from_stored(&row.get::<_, String>(0)?), row.get(1)?)))?;
        Ok(lengths.collect::<Result<_, _>>()?)
    }

    /// Records a failed try; the window keeps waiting.
    pub fn fail_window(&self, window: &QueuedWindow, error: &str) -> Result<(), StoreError> {
        self.writer()
            .prepare_cached("UPDATE sync_windows SET attempts = attempts + 1, error = ?2 WHERE window = ?1")?
            .execute((window.id, error))?;
        Ok(())
    }

    /// Replaces a window that the server finds too long by its halves, newer first. False if it is one day already.
    pub fn split_window(&self, window: &QueuedWindow, now: Instant) -> Result<bool, StoreError> {
        let Window { from, to, .. } = window.window;
        if from >= to {
            return Ok(false);
        }
        let middle = from.plus(from.until(to) / 2);
        let half = |from, to| Window { from, to, ..window.window.clone() };
        self.writer().execute("DELETE FROM sync_windows WHERE window = ?1", [window.id])?;
        self.enqueue(&[half(middle.plus(1), to), half(from, middle)], now)?;
        Ok(true)
    }

    /// Ends a window whose collection no longer exists.
    pub(super) fn drop_window(&self, window: &QueuedWindow, now: Instant) -> Result<super::Stored, StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        window.finish(&transaction, now)?;
        transaction.commit()?;
        Ok(super::Stored::default())
    }
}

pub(super) fn day_at(row: &rusqlite::Row, column: usize) -> rusqlite::Result<Day> {
    let text: String = row.get(column)?;
    Day::from_str(&text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error)))
}
