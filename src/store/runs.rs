//! The history of syncs and the state of each collection, as tables a panel can show.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::queue::day_at;
use super::{CollectionState, RunState, Store, StoreError, Trigger, WriteStats, derive};
use crate::time::{Day, Instant};

/// How a sync ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Everything that could be fetched was; a collection's refusal is its own state.
    Done,
    /// Nothing more could be done, in words for a person.
    Failed(String),
    /// The process was told to stop.
    Interrupted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    pub run: i64,
    pub started_at: Instant,
    pub ended_at: Option<Instant>,
    pub state: RunState,
    pub windows: u64,
    pub windows_done: u64,
    pub documents: u64,
    pub message: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRow {
    pub name: String,
    pub state: CollectionState,
    pub reason: Option<String>,
    pub last_sync: Option<Instant>,
    pub documents: u64,
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
}

impl Store {
    /// The number of the next run. Waits for no write.
    pub fn next_run(&self) -> Result<i64, StoreError> {
        Ok(self.last_run()?.map_or(1, |last| last.run + 1))
    }

    /// Opens `run`; windows that wait from before belong to it. Waits for the write under way, which can be a long one.
    pub fn begin_run(&self, run: i64, trigger: Trigger, now: Instant) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let transaction = writer.transaction()?;
        // One whose end could not be stored is still open.
        interrupt(&transaction)?;
        transaction.execute(
            "INSERT INTO sync_runs (run, started_at, trigger, state, windows)
             VALUES (?1, ?2, ?3, 'running', (SELECT count(*) FROM sync_windows WHERE done_at IS NULL))",
            (run, now.0, trigger),
        )?;
        derive::carry_calendar(&transaction, now.day(self.shared.zone), self.shared.zone)?;
        transaction.commit()?;
        Ok(())
    }

    /// Has the days up to `now` in the calendar, as a run that begins does. Where there is something to write, waits for the write under way.
    pub fn extend_calendar(&self, now: Instant) -> Result<(), StoreError> {
        let today = now.day(self.shared.zone);
        if derive::last_calendar_day(&self.inspector())?.is_none_or(|last| last >= today) {
            return Ok(());
        }
        derive::carry_calendar(&self.writer(), today, self.shared.zone)
    }

    /// `windows`: how many there were, without those of collections that Oura refuses.
    pub fn end_run(
        &self,
        run: i64,
        end: &RunEnd,
        windows: u64,
        requests: u64,
        now: Instant,
    ) -> Result<(), StoreError> {
        let (state, message) = match end {
            RunEnd::Done => (RunState::Done, None),
            RunEnd::Failed(message) => (RunState::Failed, Some(message.as_str())),
            RunEnd::Interrupted => (RunState::Interrupted, None),
        };
        self.writer().execute(
            "UPDATE sync_runs SET state = ?2, message = ?3, windows = ?4, requests = ?5, ended_at = ?6 WHERE run = ?1",
            (run, state, message, windows, requests, now.0),
        )?;
        Ok(())
    }

    pub fn last_run(&self) -> Result<Option<RunRow>, StoreError> {
        Ok(self
            .inspector()
            .query_row(
                "SELECT run, started_at, ended_at, state, windows, windows_done, documents, message FROM sync_runs
                 ORDER BY run DESC LIMIT 1",
                [],
                |row| {
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
                },
            )
            .optional()?)
    }

    /// When the run began that the one under way goes on with, if the last ones were interrupted and that is not an hour ago.
    pub(super) fn interrupted_since(&self, now: Instant) -> Result<Option<Instant>, StoreError> {
        let began: Option<i64> = self.inspector().query_row(
            "SELECT min(started_at) FROM sync_runs
             WHERE state = 'interrupted' AND run > coalesce((SELECT max(run) FROM sync_runs WHERE state IN ('done', 'failed')), 0)",
            [],
            |row| row.get(0),
        )?;
        Ok(began.map(Instant).filter(|began| *began > now.plus(-3600)))
    }

    /// Every known collection, by name.
    pub fn collections(&self) -> Result<Vec<CollectionRow>, StoreError> {
        let inspector = self.inspector();
        let mut rows = inspector
            .prepare_cached("SELECT name, state, reason, last_sync, documents, first_day, last_day FROM collections ORDER BY name")?;
        let rows = rows.query_map([], |row| {
            Ok(CollectionRow {
                name: row.get(0)?,
                // An unknown text comes from another version: the next sync replaces it.
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

    /// The last day with a main sleep.
    pub fn last_night(&self) -> Result<Option<Day>, StoreError> {
        let day = self
            .inspector()
            .query_row("SELECT max(day) FROM nights", [], |row| row.get::<_, Option<String>>(0))?;
        Ok(day.and_then(|day| day.parse().ok()))
    }

    /// Whose history this is: the id in `personal_info`, once it has come.
    pub fn person(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT document_id FROM oura_raw_documents WHERE resource = 'personal_info' AND deleted_at IS NULL";
        Ok(self.inspector().query_row(sql, [], |row| row.get(0)).optional()?)
    }
}

/// The run under way has done one window more.
pub(super) fn advance(transaction: &Transaction, stored: WriteStats) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "UPDATE sync_runs SET windows_done = windows_done + 1, documents = documents + ?1, changed = changed + ?2
             WHERE state = 'running'",
        )?
        .execute((stored.documents, stored.changed))?;
    Ok(())
}

/// Runs that the last process left open did not end by themselves.
pub(super) fn interrupt(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE sync_runs SET state = 'interrupted' WHERE state = 'running'", [])?;
    Ok(())
}
