//! The table `sync_runs`: the history of syncs.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::error::StoreError;
use super::inspector::Inspector;
use super::state::{RunState, Trigger};
use super::window::WriteStats;
use super::writer::Writer;
use super::{calendar, connection, materialized};
use crate::time::Instant;

/// How a sync run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Every wanted window was stored, or its collection gave up.
    Done,
    /// One request showed that Oura has no news.
    NothingNew,
    /// The run ended early. The message is for the user.
    Failed(String),
    /// The process stopped.
    Interrupted,
}

/// A row of the table `sync_runs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The run's number, from 1.
    pub run: i64,
    /// When it began.
    pub started_at: Instant,
    /// When it ended. Missing while it runs and after a crash.
    pub ended_at: Option<Instant>,
    /// Its condition.
    pub state: RunState,
    /// The number of planned windows, without those of refused collections.
    pub windows: u64,
    /// The number of stored windows.
    pub windows_done: u64,
    /// The number of received documents and rows.
    pub documents: u64,
    /// Why the run failed.
    pub message: Option<String>,
}

/// The last ended run that fetched windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullRun {
    /// When it began.
    pub started_at: Instant,
    /// Its condition.
    pub state: RunState,
    /// The number of documents and rows that were new or different.
    pub changed: u64,
}

impl Inspector {
    /// Returns the number of the next run.
    pub fn next_run(&self) -> Result<i64, StoreError> {
        Ok(self.last_run()?.map_or(1, |last| last.run + 1))
    }

    /// Returns the run with the highest number.
    pub fn last_run(&self) -> Result<Option<RunRow>, StoreError> {
        let sql = "SELECT run, started_at, ended_at, state, windows, windows_done, documents,
                          message
                   FROM sync_runs ORDER BY run DESC LIMIT 1";
        let read = |row: &rusqlite::Row| {
            Ok(RunRow {
                run: row.get(0)?,
                started_at: Instant(row.get(1)?),
                ended_at: row.get::<_, Option<i64>>(2)?.map(Instant),
                state: row.get(3)?,
                windows: row.get(4)?,
                windows_done: row.get(5)?,
                documents: row.get(6)?,
                message: row.get(7)?,
            })
        };
        Ok(self.lock().query_row(sql, [], read).optional()?)
    }

    /// Returns the last ended run that fetched windows. A run without news has none.
    pub fn last_full_run(&self) -> Result<Option<FullRun>, StoreError> {
        let sql = "SELECT started_at, state, changed FROM sync_runs
                   WHERE windows > 0 AND state <> ?1 ORDER BY run DESC LIMIT 1";
        let read = |row: &rusqlite::Row| {
            Ok(FullRun {
                started_at: Instant(row.get(0)?),
                state: row.get(1)?,
                changed: row.get(2)?,
            })
        };
        Ok(self.lock().query_row(sql, [RunState::Running], read).optional()?)
    }

    /// Returns when the oldest run began that was interrupted since a run last ended by itself.
    pub fn interrupted_since(&self) -> Result<Option<Instant>, StoreError> {
        let began: Option<i64> = self.lock().query_row(
            "SELECT min(started_at) FROM sync_runs
             WHERE state = ?1
               AND run > coalesce((SELECT max(run) FROM sync_runs WHERE state IN (?2, ?3)), 0)",
            [RunState::Interrupted, RunState::Done, RunState::Failed],
            |row| row.get(0),
        )?;
        Ok(began.map(Instant))
    }
}

impl Writer {
    /// Inserts `run` and assigns the waiting windows to it.
    pub fn begin_run(&self, run: i64, trigger: Trigger, now: Instant) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        // A run is still open if storing its end failed.
        interrupt(&transaction)?;
        transaction.execute(
            "INSERT INTO sync_runs (run, started_at, trigger, state, windows)
             VALUES (?1, ?2, ?3, ?4, (SELECT count(*) FROM sync_windows WHERE done_at IS NULL))",
            (run, now.0, trigger, RunState::Running),
        )?;
        calendar::extend(&transaction, now.day(self.zone()), self.zone())?;
        transaction.commit()?;
        Ok(())
    }

    /// Records the end of `run`. `windows` is the number of planned windows, without those of
    /// refused collections.
    pub fn end_run(
        &self,
        run: i64,
        end: &RunEnd,
        windows: u64,
        requests: u64,
        now: Instant,
    ) -> Result<(), StoreError> {
        let (state, message) = match end {
            RunEnd::Done | RunEnd::NothingNew => (RunState::Done, None),
            RunEnd::Failed(message) => (RunState::Failed, Some(message.as_str())),
            RunEnd::Interrupted => (RunState::Interrupted, None),
        };
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute(
            "UPDATE sync_runs
             SET state = ?2, message = ?3, windows = ?4, requests = ?5, ended_at = ?6
             WHERE run = ?1",
            (run, state, message, windows, requests, now.0),
        )?;
        materialized::refresh(&transaction)?;
        connection::record_size(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}

/// Adds a stored window to the counts of the run under way.
pub(super) fn count_window(transaction: &Transaction, stats: WriteStats) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "UPDATE sync_runs
             SET windows_done = windows_done + 1, documents = documents + ?1,
                 changed = changed + ?2
             WHERE state = ?3",
        )?
        .execute((stats.documents, stats.changed, RunState::Running))?;
    Ok(())
}

/// Changes the number of planned windows of the run under way, down to 0.
pub(super) fn add_windows(transaction: &Transaction, change: i64) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE sync_runs SET windows = max(windows + ?1, 0) WHERE state = ?2")?
        .execute((change, RunState::Running))?;
    Ok(())
}

/// Marks the runs as interrupted that a stopped process left open.
pub(super) fn interrupt(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE sync_runs SET state = ?1 WHERE state = ?2",
        [RunState::Interrupted, RunState::Running],
    )?;
    Ok(())
}
