//! The data derived from one raw document: its typed row, its samples and their rollups.

use std::cell::RefCell;
use std::ops::Range;

use rusqlite::{Statement, Transaction};
use serde_json::Value;

use super::changes::{ChangedMonths, SAMPLES};
use super::error::StoreError;
use super::rollups;
use super::tables::DOCUMENT_COLUMNS;
use super::window_writer::{Received, content_id};
use crate::catalog::{Cell, Collection, Reading, SamplePoint};
use crate::sql::quote_identifier;
use crate::time::{Instant, Tz};

/// Writes and removes the data derived from the documents of one collection.
pub(super) struct Derived<'a> {
    transaction: &'a Transaction<'a>,
    collection: &'a Collection,
    zone: Tz,
    /// The statement that inserts a typed row.
    insert: String,
    /// Row ids in `series`, in the order of [`Collection::series`].
    series: Vec<i64>,
    /// The time range of changed samples, by series.
    touched: RefCell<Vec<Option<Range<Instant>>>>,
    /// The months of the changed documents, and of their samples in UTC.
    changed: RefCell<ChangedMonths>,
    changed_samples: RefCell<ChangedMonths>,
}

impl<'a> Derived<'a> {
    pub(super) fn new(
        transaction: &'a Transaction<'a>,
        collection: &'a Collection,
        zone: Tz,
    ) -> Result<Derived<'a>, StoreError> {
        let names: Vec<String> = DOCUMENT_COLUMNS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .chain(collection.columns.iter().map(|column| quote_identifier(&column.name)))
            .collect();
        let insert = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({})",
            quote_identifier(&collection.table),
            names.join(", "),
            vec!["?"; names.len()].join(", ")
        );
        let mut id = transaction.prepare_cached("SELECT series FROM series WHERE name = ?1")?;
        let series = collection
            .series
            .iter()
            .map(|series| id.query_row([&series.name], |row| row.get(0)))
            .collect::<Result<Vec<i64>, _>>()?;
        drop(id);
        let touched = RefCell::new(vec![None; series.len()]);
        let changed = RefCell::new(ChangedMonths::new(zone));
        let changed_samples = RefCell::new(ChangedMonths::new(Tz::UTC));
        Ok(Derived {
            transaction,
            collection,
            zone,
            insert,
            series,
            touched,
            changed,
            changed_samples,
        })
    }

    /// Inserts the typed row and the samples of `document`. Ignores JSON that is not an object.
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
        let cells = self.collection.cells(value, self.zone);
        for (parameter, cell) in (DOCUMENT_COLUMNS.len() + 1..).zip(cells) {
            bind(&mut insert, parameter, &cell)?;
        }
        insert.raw_execute()?;
        self.changed.borrow_mut().add_day(reading.day);

        let mut sample = self.transaction.prepare_cached(
            "INSERT OR REPLACE INTO samples_data (series, time, document, value)
             VALUES (?1, ?2, ?3, ?4)",
        )?;
        for point in self.collection.samples(value, reading.start_at, self.zone) {
            sample.execute((self.series[point.series], point.at.0, document, point.value))?;
            self.touch(&point);
        }
        Ok(())
    }

    /// Removes the typed row and the samples of `document`. Call it before its stored payload
    /// changes.
    pub(super) fn remove(&self, document: i64) -> Result<(), StoreError> {
        let table = quote_identifier(&self.collection.table);
        self.transaction
            .prepare_cached(&format!("DELETE FROM {table} WHERE document = ?1"))?
            .execute([document])?;
        let received = stored_bytes(self.transaction, document)?;
        let received = Received::new(&received);
        let value = &received.parsed.value;
        let reading = read(self.collection, &received, self.zone);
        self.changed.borrow_mut().add_day(reading.day);
        let mut delete = self.transaction.prepare_cached(
            "DELETE FROM samples_data WHERE series = ?1 AND time = ?2 AND document = ?3",
        )?;
        for point in self.collection.samples(value, reading.start_at, self.zone) {
            delete.execute((self.series[point.series], point.at.0, document))?;
            self.touch(&point);
        }
        Ok(())
    }

    /// Extends the changed range of a series to `point`.
    fn touch(&self, point: &SamplePoint) {
        let span = &mut self.touched.borrow_mut()[point.series];
        let known = span.take().unwrap_or(point.at..point.at);
        *span = Some(known.start.min(point.at)..known.end.max(point.at.plus(1)));
        self.changed_samples.borrow_mut().add_time(point.at);
    }

    /// Records the months of all documents and samples that were inserted or removed. `now` is the
    /// time of the change.
    pub(super) fn record_changes(&self, now: Instant) -> Result<(), StoreError> {
        let table = &self.collection.table;
        self.changed.borrow_mut().record(self.transaction, table, now)?;
        self.changed_samples.borrow_mut().record(self.transaction, SAMPLES, now)
    }

    /// Updates the rollups of all samples that were inserted or removed.
    pub(super) fn refresh_rollups(&self) -> Result<(), StoreError> {
        for (series, span) in self.series.iter().zip(self.touched.take()) {
            if let Some(span) = span {
                rollups::refresh(self.transaction, rollups::SAMPLES_TABLE, Some(*series), span)?;
            }
        }
        Ok(())
    }
}

/// Reads a document. A document without a valid identity gets one from its content.
pub(super) fn read(collection: &Collection, received: &Received, zone: Tz) -> Reading {
    collection.read(&received.parsed.value, zone).unwrap_or_else(|_| Reading {
        id: content_id(&received.hash()),
        is_id_derived: false,
        day: None,
        start_at: None,
        subsecond: 0,
        end_at: None,
        utc_offset: None,
    })
}

/// Returns a stored document as it was received.
pub(super) fn stored_bytes(
    transaction: &Transaction,
    document: i64,
) -> Result<Vec<u8>, StoreError> {
    let sql = "SELECT CAST(coalesce(original, payload) AS BLOB) FROM oura_raw_documents
               WHERE document = ?1";
    let mut stored = transaction.prepare_cached(sql)?;
    Ok(stored.query_row([document], |row| row.get(0))?)
}

/// Binds `cell` to a parameter, counted from 1.
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
