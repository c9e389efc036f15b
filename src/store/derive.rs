//! What derives from raw documents: typed rows, samples, the calendar. Written beside each document, and anew when their shape changes.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};
use serde_json::Value;

use super::queue::day_at;
use super::schema::{self, DOCUMENT_COLUMNS};
use super::{Store, StoreError, rollups, rows};
use crate::catalog::{Catalog, Cell, Collection, Reading, SamplePoint, Storage};
use crate::sql::quote_identifier;
use crate::time::{Day, Instant, Tz};

/// Counts up when the code derives something else from the same documents.
const DERIVATION: u32 = 4;

/// The name in `meta` of the zone that covered days are days of, once it is another than the tables were first derived in.
const COVERED_IN: &str = "covered_in";

impl Store {
    /// Nothing was ever derived: a new file.
    pub(super) fn was_never_derived(&self) -> Result<bool, StoreError> {
        Ok(self.inspector().query_row(
            "SELECT NOT EXISTS (SELECT 1 FROM meta WHERE name = 'derived_by')",
            [],
            |row| row.get(0),
        )?)
    }

    /// What derives from raw documents was derived by another catalogue, zone or program.
    pub fn is_outdated(&self) -> Result<bool, StoreError> {
        let derived_by: String = self.inspector().query_row(
            "SELECT value FROM meta WHERE name = 'derived_by'",
            [],
            |row| row.get(0),
        )?;
        Ok(self::derived_by(&self.catalog(), self.shared.zone) != derived_by)
    }

    /// Derives everything anew in one transaction: readers see the old until it is done. [`Store::stop_rebuilds`] breaks it off, which leaves
    /// the old and is [`StoreError::RebuildsStopped`].
    pub fn rebuild(&self) -> Result<(), StoreError> {
        let writer = self.writer();
        self.derive_anew(writer, self.catalog())
    }

    /// The same by another catalogue, which is the store's from then on. A collection that `catalog` does not have keeps what it has.
    pub fn set_catalog(&self, catalog: Arc<Catalog>) -> Result<(), StoreError> {
        self.derive_anew(self.writer(), catalog)
    }

    fn unless_stopped(&self) -> Result<(), StoreError> {
        if self.shared.retired.load(Ordering::Relaxed) {
            Err(StoreError::RebuildsStopped)
        } else {
            Ok(())
        }
    }

    fn derive_anew(
        &self,
        mut writer: MutexGuard<'_, Connection>,
        catalog: Arc<Catalog>,
    ) -> Result<(), StoreError> {
        self.unless_stopped()?;
        let zone = self.shared.zone;
        let transaction = writer.transaction()?;
        schema::create_derived(&transaction, &catalog)?;
        let last_day = last_calendar_day(&transaction)?;
        transaction.execute_batch("DELETE FROM calendar")?;
        let mut forget = transaction.prepare(
            "DELETE FROM samples_data WHERE series = (SELECT series FROM series WHERE name = ?1)",
        )?;
        for series in catalog.collections.iter().flat_map(|collection| &collection.series) {
            forget.execute([&series.name])?;
        }
        drop(forget);
        for collection in
            catalog.collections.iter().filter(|collection| collection.storage == Storage::Documents)
        {
            let derived = Derived::new(&transaction, collection, zone)?;
            let mut raw = transaction.prepare("SELECT document FROM oura_raw_documents WHERE resource = ?1 AND deleted_at IS NULL")?;
            let mut update = transaction
                .prepare("UPDATE oura_raw_documents SET day = ?2, start_at = ?3, end_at = ?4, utc_offset = ?5 WHERE document = ?1")?;
            // Collected first: the table is updated while it is walked.
            let documents: Vec<i64> =
                raw.query_map([&collection.name], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut payload_of = transaction
                .prepare("SELECT payload FROM oura_raw_documents WHERE document = ?1")?;
            for document in documents {
                self.unless_stopped()?;
                let payload: String = payload_of.query_row([document], |row| row.get(0))?;
                let value: Value = serde_json::from_str(&payload).unwrap_or(Value::Null);
                let Ok(reading) = collection.read(&value, zone) else { continue };
                let seconds = |at: Option<Instant>| at.map(Instant::seconds);
                update.execute(params![
                    document,
                    reading.day.map(|day| day.to_string()),
                    seconds(reading.start_at),
                    seconds(reading.end_at),
                    reading.utc_offset
                ])?;
                derived.insert(document, &value, &reading)?;
            }
        }
        let rows =
            catalog.collections.iter().filter(|collection| collection.storage == Storage::Rows);
        for of in rows.map(|collection| collection.table.as_str()).chain([rollups::SAMPLES_TABLE]) {
            self.unless_stopped()?;
            rollups::rebuild(&transaction, of)?;
        }
        for collection in
            catalog.collections.iter().filter(|collection| collection.storage == Storage::Rows)
        {
            self.unless_stopped()?;
            rows::recount(&transaction, collection, zone)?;
        }
        rebuild_calendar(&transaction, last_day, zone)?;
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('derived_by', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
            [derived_by(&catalog, zone)],
        )?;
        transaction.commit()?;
        *self.shared.catalog.write() = catalog;
        Ok(())
    }
}

fn derived_by(catalog: &Catalog, zone: Tz) -> String {
    format!("{DERIVATION} {zone} {}", catalog.fingerprint())
}

/// The zone that what is stored was derived in.
pub(super) fn zone(connection: &Connection) -> Result<Tz, StoreError> {
    let derived_by: String =
        connection
            .query_row("SELECT value FROM meta WHERE name = 'derived_by'", [], |row| row.get(0))?;
    Ok(derived_by.split(' ').nth(1).and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC))
}

/// Covered days are days of `zone` from now on. Rows are fetched from midnight to midnight: a day of which the old midnights have left out
/// hours is not complete any more. Call it before anything is fetched in `zone`.
pub(super) fn move_coverage(
    writer: &mut Connection,
    catalog: &Catalog,
    zone: Tz,
) -> Result<(), StoreError> {
    let known =
        "SELECT value FROM meta WHERE name IN (?1, 'derived_by') ORDER BY name = ?1 DESC LIMIT 1";
    let known: Option<String> =
        writer.query_row(known, [COVERED_IN], |row| row.get(0)).optional()?;
    // Of what the tables were derived by the zone is the second word.
    let Some(before) =
        known.and_then(|known| known.split(' ').nth(1).unwrap_or(&known).parse::<Tz>().ok())
    else {
        return Ok(());
    };
    if before == zone {
        return Ok(());
    }
    let transaction = writer.transaction()?;
    for collection in
        catalog.collections.iter().filter(|collection| collection.storage == Storage::Rows)
    {
        let mut complete = transaction.prepare(
            "SELECT day FROM coverage_data WHERE resource = ?1 AND NOT partial ORDER BY day",
        )?;
        let complete: Vec<Day> = complete
            .query_map([&collection.name], |row| day_at(row, 0))?
            .collect::<Result<_, _>>()?;
        let mut reopen = transaction
            .prepare("UPDATE coverage_data SET partial = TRUE WHERE resource = ?1 AND day = ?2")?;
        for island in complete.chunk_by(|day, next| day.plus(1) == *next) {
            let held =
                island[0].midnight(before)..island[island.len() - 1].plus(1).midnight(before);
            for day in island.iter().filter(|day| {
                day.midnight(zone) < held.start || day.plus(1).midnight(zone) > held.end
            }) {
                reopen.execute((&collection.name, day.to_string()))?;
            }
        }
    }
    let moved = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    transaction.execute(moved, (COVERED_IN, zone.name()))?;
    transaction.commit()?;
    Ok(())
}

/// The typed row and the samples of the documents of one collection.
pub(super) struct Derived<'a> {
    transaction: &'a Transaction<'a>,
    collection: &'a Collection,
    zone: Tz,
    insert: String,
    /// Row ids in `series`, in the order of [`Collection::series`].
    series: Vec<i64>,
    /// The span of each series' samples that came or went.
    touched: RefCell<Vec<Option<Range<Instant>>>>,
}

impl<'a> Derived<'a> {
    pub(super) fn new(
        transaction: &'a Transaction<'a>,
        collection: &'a Collection,
        zone: Tz,
    ) -> Result<Derived<'a>, StoreError> {
        let fixed = DOCUMENT_COLUMNS.iter().map(|(name, _)| (*name).to_owned());
        let names: Vec<String> = fixed
            .chain(collection.columns.iter().map(|column| quote_identifier(&column.name)))
            .collect();
        let places = vec!["?"; names.len()].join(", ");
        let insert = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({places})",
            quote_identifier(&collection.table),
            names.join(", ")
        );
        let mut id = transaction.prepare_cached("SELECT series FROM series WHERE name = ?1")?;
        let series = collection
            .series
            .iter()
            .map(|series| id.query_row([&series.name], |row| row.get(0)))
            .collect::<Result<Vec<i64>, _>>()?;
        drop(id);
        let touched = RefCell::new(vec![None; series.len()]);
        Ok(Derived { transaction, collection, zone, insert, series, touched })
    }

    pub(super) fn insert(
        &self,
        document: i64,
        value: &Value,
        reading: &Reading,
    ) -> Result<(), StoreError> {
        if !value.is_object() {
            return Ok(());
        }
        let mut insert = self.transaction.prepare_cached(&self.insert)?;
        insert.raw_bind_parameter(1, document)?;
        insert.raw_bind_parameter(2, reading.start_at.map(Instant::seconds))?;
        insert.raw_bind_parameter(3, reading.day.map(|day| day.to_string()))?;
        insert.raw_bind_parameter(4, reading.utc_offset)?;
        for (parameter, cell) in
            (DOCUMENT_COLUMNS.len() + 1..).zip(self.collection.cells(value, self.zone))
        {
            bind(&mut insert, parameter, &cell)?;
        }
        insert.raw_execute()?;

        let mut sample = self
            .transaction
            .prepare_cached("INSERT OR REPLACE INTO samples_data (series, time, document, value) VALUES (?1, ?2, ?3, ?4)")?;
        for point in self.collection.samples(value, reading.start_at, self.zone) {
            sample.execute((self.series[point.series], point.at.0, document, point.value))?;
            self.touch(&point);
        }
        Ok(())
    }

    /// Takes away what the stored payload of `document` gave: call it before the payload changes.
    pub(super) fn remove(&self, document: i64) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(&format!(
                "DELETE FROM {} WHERE document = ?1",
                quote_identifier(&self.collection.table)
            ))?
            .execute([document])?;
        let payload: String = self
            .transaction
            .prepare_cached("SELECT payload FROM oura_raw_documents WHERE document = ?1")?
            .query_row([document], |row| row.get(0))?;
        let value: Value = serde_json::from_str(&payload).unwrap_or(Value::Null);
        let Ok(reading) = self.collection.read(&value, self.zone) else { return Ok(()) };
        let mut delete = self.transaction.prepare_cached(
            "DELETE FROM samples_data WHERE series = ?1 AND time = ?2 AND document = ?3",
        )?;
        for point in self.collection.samples(&value, reading.start_at, self.zone) {
            delete.execute((self.series[point.series], point.at.0, document))?;
            self.touch(&point);
        }
        Ok(())
    }

    fn touch(&self, point: &SamplePoint) {
        let span = &mut self.touched.borrow_mut()[point.series];
        let known = span.take().unwrap_or(point.at..point.at);
        *span = Some(known.start.min(point.at)..known.end.max(point.at.plus(1)));
    }

    /// Brings the rollups of the samples that came or went up to date.
    pub(super) fn refresh_rollups(&self) -> Result<(), StoreError> {
        for (series, span) in self.series.iter().zip(self.touched.take()) {
            if let Some(span) = span {
                rollups::refresh(self.transaction, rollups::SAMPLES_TABLE, Some(*series), span)?;
            }
        }
        Ok(())
    }
}

pub(super) fn bind(
    statement: &mut Statement,
    parameter: usize,
    cell: &Cell,
) -> Result<(), StoreError> {
    match cell {
        Cell::Null => statement.raw_bind_parameter(parameter, rusqlite::types::Null)?,
        Cell::Integer(value) => statement.raw_bind_parameter(parameter, value)?,
        Cell::Real(value) => statement.raw_bind_parameter(parameter, value)?,
        Cell::Text(value) => statement.raw_bind_parameter(parameter, value)?,
    }
    Ok(())
}

pub(super) fn add_to_calendar(
    connection: &Connection,
    day: Day,
    zone: Tz,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO calendar (day, time) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((day.to_string(), day.midnight(zone).0))?;
    Ok(())
}

/// Carries the calendar on to `today`, so that days on which nothing could be fetched are there as well, and back to it from where a clock
/// that was ahead has carried it, as far as nothing was fetched there. One without a day stays so.
pub(super) fn carry_calendar(
    connection: &Connection,
    today: Day,
    zone: Tz,
) -> Result<(), StoreError> {
    connection
        .execute("DELETE FROM calendar WHERE day > max(?1, coalesce((SELECT max(day) FROM coverage_data), day))", [today.to_string()])?;
    if let Some(last) = last_calendar_day(connection)? {
        for day in last.plus(1).through(today) {
            add_to_calendar(connection, day, zone)?;
        }
    }
    Ok(())
}

pub(super) fn last_calendar_day(connection: &Connection) -> Result<Option<Day>, StoreError> {
    let last: Option<String> =
        connection.query_row("SELECT max(day) FROM calendar", [], |row| row.get(0))?;
    Ok(last.and_then(|last| last.parse().ok()))
}

/// Every covered day, and every day between the first and the last of them or `known`, the last one that was there before.
fn rebuild_calendar(
    transaction: &Transaction,
    known: Option<Day>,
    zone: Tz,
) -> Result<(), StoreError> {
    let ends: (Option<String>, Option<String>) =
        transaction.query_row("SELECT min(day), max(day) FROM coverage_data", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if let (Some(first), Some(last)) = ends
        && let (Ok(first), Ok(last)) = (first.parse::<Day>(), last.parse::<Day>())
    {
        for day in first.through(known.map_or(last, |known| known.max(last))) {
            add_to_calendar(transaction, day, zone)?;
        }
    }
    Ok(())
}
