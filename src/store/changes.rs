//! The months in which each table changed, for copies of the data outside of the database.
//!
//! `changed_months` has a row for each table and month that has or had rows, with the version of
//! the last change. Versions grow with each change. A rebuild begins a new generation: every row may
//! differ, and months may be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::error::StoreError;
use super::inspector::Inspector;
use super::state::RunState;
use crate::sql::quote_identifier;
use crate::time::{Day, Instant, Month, Tz};

/// The name in `meta` of the generation of the derived tables.
const GENERATION: &str = "generation";

/// The name under which changed samples are recorded. Their months are those of their times in UTC.
pub const SAMPLES: &str = "samples";

/// The changes of a database since its last rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// A random text that each rebuild renews.
    pub generation: String,
    /// The version of the last change of each month, by table. `None` stands for documents without
    /// a day.
    pub months: BTreeMap<String, BTreeMap<Option<Month>, i64>>,
}

impl Inspector {
    /// Returns the changed months. `None` before the first rebuild by this version of the program.
    pub fn changes(&self) -> Result<Option<Changes>, StoreError> {
        let connection = self.lock();
        let generation: Option<String> = connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [GENERATION], |row| row.get(0))
            .optional()?;
        let Some(generation) = generation else { return Ok(None) };
        let mut months: BTreeMap<String, BTreeMap<Option<Month>, i64>> = BTreeMap::new();
        let mut rows = connection.prepare("SELECT name, month, version FROM changed_months")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let month: String = row.get(1)?;
            months.entry(row.get(0)?).or_default().insert(month.parse().ok(), row.get(2)?);
        }
        Ok(Some(Changes { generation, months }))
    }

    /// Returns whether a sync runs that began at `since` or later.
    pub fn is_syncing(&self, since: Instant) -> Result<bool, StoreError> {
        let connection = self.lock();
        let mut running = connection.prepare_cached(
            "SELECT 1 FROM sync_runs WHERE run = (SELECT max(run) FROM sync_runs)
                 AND state = ?1 AND started_at >= ?2",
        )?;
        Ok(running.exists((RunState::Running, since.0))?)
    }
}

/// A set of months, filled from days and times.
#[derive(Debug)]
pub(super) struct ChangedMonths {
    zone: Tz,
    months: BTreeSet<Option<Month>>,
    /// The last added month: most times are in the same one as the time before.
    last: Range<Instant>,
}

impl ChangedMonths {
    /// An empty set. Months begin in `zone`.
    pub fn new(zone: Tz) -> ChangedMonths {
        ChangedMonths { zone, months: BTreeSet::new(), last: Instant(0)..Instant(0) }
    }

    /// Adds the month of a document's day.
    pub fn add_day(&mut self, day: Option<Day>) {
        self.months.insert(day.map(Month::of));
    }

    /// Adds the month of a time.
    pub fn add_time(&mut self, at: Instant) {
        if !self.last.contains(&at) {
            let month = Month::of(at.day(self.zone));
            self.last = month.first().midnight(self.zone)..month.next().first().midnight(self.zone);
            self.months.insert(Some(month));
        }
    }

    /// Writes the months as changed in `table`, and empties the set. `now` is the time of the
    /// change.
    ///
    /// The version is at least the time, so that the versions of a database that was restored from
    /// an older copy continue above those that were lost.
    pub fn record(
        &mut self,
        transaction: &Transaction,
        table: &str,
        now: Instant,
    ) -> Result<(), StoreError> {
        if self.months.is_empty() {
            return Ok(());
        }
        let last: i64 = transaction
            .prepare_cached("SELECT coalesce(max(version), 0) FROM changed_months")?
            .query_row([], |row| row.get(0))?;
        let version = (last + 1).max(now.0);
        let mut insert = transaction.prepare_cached(
            "INSERT INTO changed_months (name, month, version) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET version = excluded.version",
        )?;
        for month in std::mem::take(&mut self.months) {
            let month = month.map_or_else(String::new, |month| month.to_string());
            insert.execute((table, month, version))?;
        }
        self.last = Instant(0)..Instant(0);
        Ok(())
    }
}

/// Creates the table of changed months unless it exists.
pub(super) fn create(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS changed_months (
             name    TEXT NOT NULL,
             month   TEXT NOT NULL,               -- empty for documents without a day
             version INTEGER NOT NULL,
             PRIMARY KEY (name, month)
         ) WITHOUT ROWID",
    )?)
}

/// Begins a generation without changes.
pub(super) fn begin_generation(transaction: &Transaction) -> Result<(), StoreError> {
    create(transaction)?;
    transaction.execute("DELETE FROM changed_months", [])?;
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET value = excluded.value",
        (GENERATION, format!("{:016x}", rand::random::<u64>())),
    )?;
    Ok(())
}

/// Records every month of a row table as changed.
pub(super) fn record_rows(
    transaction: &Transaction,
    table: &str,
    zone: Tz,
) -> Result<(), StoreError> {
    let mut months = ChangedMonths::new(zone);
    let mut next = transaction
        .prepare(&format!("SELECT min(time) FROM {} WHERE time >= ?1", quote_identifier(table)))?;
    let mut from = Instant(i64::MIN);
    while let Some(time) = next.query_row([from.0], |row| row.get::<_, Option<i64>>(0))? {
        months.add_time(Instant(time));
        from = months.last.end.max(Instant(time).plus(1));
    }
    months.record(transaction, table, Instant(0))
}
