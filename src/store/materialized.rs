//! Materialized views: their rows are stored, because windows over the whole history are slow to
//! compute.
//!
//! Triggers record which days changed. A refresh computes the rows of these days again, and those
//! of later days that depend on them. Between two refreshes, rows of changed days are old.

use std::str::FromStr;
use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction};

use super::error::StoreError;
use super::usual::{MIN_USUAL_DAYS, USUAL_WINDOW, metrics_sql, spread_sql};
use super::writer::Writer;
use crate::time::Day;

/// The interval of refreshes while windows are stored. The end of a run refreshes as well.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// A view over a table of its name with the suffix `_data`.
struct MaterializedView {
    name: &'static str,
    /// The definitions of the table's columns, and its primary key.
    columns: &'static str,
    /// A SELECT of the rows of the days from `?2` to `?3`. It reads the days from `?1`.
    definition: &'static str,
    /// The number of days that a row depends on, before its own day.
    window: i64,
}

const MATERIALIZED_VIEWS: [MaterializedView; 2] = [
    MaterializedView {
        name: "baselines",
        columns: "metric TEXT NOT NULL, day DATE NOT NULL, time TIMESTAMP NOT NULL,
                  value NOT NULL, mean REAL, deviation REAL, nights INTEGER, middle REAL,
                  spread REAL, z REAL, PRIMARY KEY (day, metric)",
        definition: include_str!("materialized/baselines.sql"),
        window: USUAL_WINDOW,
    },
    MaterializedView {
        name: "sleep_regularity",
        columns: "day DATE PRIMARY KEY, time TIMESTAMP NOT NULL, seven REAL, month REAL",
        definition: include_str!("materialized/sleep_regularity.sql"),
        window: 28,
    },
];

/// The tables that the definitions read, directly or through views.
const SOURCES: [&str; 3] = ["calendar", "daily_activity", "sleep"];

/// The changes of [`SOURCES`] that a trigger records. No row of them is updated in place.
const EVENTS: [&str; 2] = ["INSERT", "DELETE"];

/// The last day that a `DATE` column can compare with others.
const LAST_DAY: &str = "9999-12-31";

/// Creates the tables empty, and the triggers. Call it when the document tables exist, and before
/// the views.
pub(super) fn create_tables(transaction: &Transaction) -> Result<(), StoreError> {
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS stale_days (
             only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
             first    DATE,
             last     DATE
         );
         INSERT INTO stale_days (only_row) VALUES (1) ON CONFLICT DO NOTHING",
    )?;
    for MaterializedView { name, columns, .. } in &MATERIALIZED_VIEWS {
        transaction.execute_batch(&format!(
            "DROP TABLE IF EXISTS {name}_data;
             CREATE TABLE {name}_data ({columns}) WITHOUT ROWID;
             CREATE INDEX {name}_by_time ON {name}_data (time)"
        ))?;
    }
    for source in SOURCES {
        for event in EVENTS {
            transaction
                .execute_batch(&format!("DROP TRIGGER IF EXISTS {}", trigger(event, source)))?;
        }
    }
    create_triggers(transaction)
}

/// Creates the missing triggers. An imported file has none.
fn create_triggers(transaction: &Transaction) -> Result<(), StoreError> {
    for source in SOURCES {
        if !exists(transaction, "table", source)? {
            continue;
        }
        for event in EVENTS {
            let row = if event == "INSERT" { "new" } else { "old" };
            transaction.execute_batch(&format!(
                "CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {source}
                 WHEN {row}.day IS NOT NULL
                 BEGIN
                     UPDATE stale_days SET first = min(coalesce(first, {row}.day), {row}.day),
                                           last = max(coalesce(last, {row}.day), {row}.day);
                 END",
                name = trigger(event, source)
            ))?;
        }
    }
    Ok(())
}

fn trigger(event: &str, source: &str) -> String {
    format!("stale_after_{}_{source}", event.to_ascii_lowercase())
}

/// Whether a trigger has a name of this module.
pub(super) fn is_own_trigger(name: &str) -> bool {
    SOURCES.iter().any(|source| EVENTS.iter().any(|event| trigger(event, source) == name))
}

/// Returns a statement that is valid if the view `name` can be computed. `None` if it is another
/// kind of view.
pub(super) fn definition(name: &str) -> Option<String> {
    MATERIALIZED_VIEWS.iter().find(|view| view.name == name).map(MaterializedView::statement)
}

/// Computes the rows of the changed days, and of the days after them that depend on these.
pub(super) fn refresh(transaction: &Transaction) -> Result<(), StoreError> {
    let Some((first, last)) = stale_days(transaction)? else { return Ok(()) };
    let end = Day::from_str(LAST_DAY).unwrap_or(last);
    for view in &MATERIALIZED_VIEWS {
        // Of an older version of the program, the view has no table until the next rebuild.
        if !exists(transaction, "table", &format!("{}_data", view.name))?
            || !exists(transaction, "view", view.name)?
        {
            continue;
        }
        let read_from = first.plus(-view.window).to_string();
        let (from, to) = (first.to_string(), last.plus(view.window).min(end).to_string());
        transaction.execute(
            &format!("DELETE FROM {}_data WHERE day BETWEEN ?1 AND ?2", view.name),
            [&from, &to],
        )?;
        transaction
            .prepare_cached(&format!("INSERT INTO {}_data {}", view.name, view.statement()))?
            .execute([&read_from, &from, &to])?;
    }
    transaction.execute("UPDATE stale_days SET first = NULL, last = NULL", [])?;
    Ok(())
}

/// The first and the last day that changed since the last refresh.
fn stale_days(transaction: &Transaction) -> Result<Option<(Day, Day)>, StoreError> {
    if !exists(transaction, "table", "stale_days")? {
        return Ok(None);
    }
    let days: Option<(Option<String>, Option<String>)> = transaction
        .query_row("SELECT first, last FROM stale_days", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((Some(first), Some(last))) = days else { return Ok(None) };
    Ok(first.parse().ok().zip(last.parse().ok()))
}

fn exists(transaction: &Transaction, kind: &str, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2)";
    Ok(transaction.prepare_cached(sql)?.query_row([kind, name], |row| row.get(0))?)
}

impl MaterializedView {
    fn statement(&self) -> String {
        self.definition
            .replace("{usual_metrics}", &metrics_sql())
            .replace("{usual_spread}", &spread_sql("value", "past", "step"))
            .replace("{usual_window}", &USUAL_WINDOW.to_string())
            .replace("{usual_days}", &MIN_USUAL_DAYS.to_string())
    }
}

impl Writer {
    /// Refreshes the materialized views.
    pub fn refresh_views(&self) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        refresh(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Refreshes the materialized views of a file that was just opened.
    pub(super) fn resume_views(&self) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        if exists(&transaction, "table", "stale_days")? {
            create_triggers(&transaction)?;
        }
        refresh(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Refreshes the materialized views if the last refresh was [`REFRESH_INTERVAL`] ago.
    pub(super) fn refresh_if_due(&self, transaction: &Transaction) -> Result<(), StoreError> {
        if self.since_refresh() >= REFRESH_INTERVAL {
            refresh(transaction)?;
            self.mark_refreshed();
        }
        Ok(())
    }
}
