//! Rebuilding all derived tables from the raw documents, and the change of time zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::calendar::{self, day_at};
use super::derive::{Derived, read, stored_bytes};
use super::error::StoreError;
use super::inspector::Inspector;
use super::window_writer::{CONTENT_ID_PREFIX, Received};
use super::writer::{Locked, Writer};
use super::{changes, collections, materialized, rollups, rows, tables};
use crate::catalog::{Catalog, Collection, Fault, Storage};
use crate::format::hex;
use crate::sql::quote_identifier;
use crate::time::{Day, Instant, Tz};

/// The version of the code that derives tables. Increase it when the same documents give other
/// tables or views: the next opening then rebuilds.
const DERIVATION: u32 = 13;

/// The name in `meta` of the time zone of the covered days, if it changed since the first
/// derivation.
const COVERED_IN: &str = "covered_in";

impl Inspector {
    /// Returns whether no table was ever derived: the file is new.
    pub(super) fn is_underived(&self) -> Result<bool, StoreError> {
        Ok(self.lock().query_row(
            "SELECT NOT EXISTS (SELECT 1 FROM meta WHERE name = 'derived_by')",
            [],
            |row| row.get(0),
        )?)
    }

    /// Returns whether another catalogue, time zone, zone rules or program version derived the
    /// tables.
    pub(super) fn is_outdated(&self, catalog: &Catalog, zone: Tz) -> Result<bool, StoreError> {
        let stored: String = self.lock().query_row(
            "SELECT value FROM meta WHERE name = 'derived_by'",
            [],
            |row| row.get(0),
        )?;
        Ok(derived_by(catalog, zone) != stored)
    }
}

impl Writer {
    /// Derives all tables in one transaction. Readers see the old tables until it commits.
    ///
    /// After [`Writer::stop_rebuilds`] it returns [`StoreError::RebuildsStopped`] and leaves the
    /// old tables.
    pub fn rebuild(&self) -> Result<(), StoreError> {
        let connection = self.lock();
        self.rebuild_with(connection, self.catalog())
    }

    /// Creates the views that are new in this version of the program, over the present tables.
    /// Until a rebuild, the other views stay as they are.
    pub(super) fn add_views(&self) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        tables::create_views(&transaction)?;
        changes::create(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Rebuilds with `catalog`, which replaces the store's catalogue. Collections that `catalog`
    /// lacks keep their tables.
    pub fn set_catalog(&self, catalog: Arc<Catalog>) -> Result<(), StoreError> {
        self.rebuild_with(self.lock(), catalog)
    }

    /// Deletes all data of the user: overwrites the pages and shrinks the file. The store stays
    /// open and empty. Returns the number of deleted rows by table.
    pub(super) fn delete_all(&self) -> Result<BTreeMap<String, usize>, StoreError> {
        let mut connection = self.lock();
        connection.pragma_update(None, "secure_delete", true)?;
        let transaction = connection.transaction()?;
        let mut deleted = BTreeMap::new();
        for table in tables::user_tables(&transaction)? {
            let delete = format!("DELETE FROM {}", quote_identifier(&table));
            let rows = transaction.execute(&delete, [])?;
            if rows > 0 {
                deleted.insert(table, rows);
            }
        }
        tables::create_derived(&transaction, &self.catalog())?;
        transaction.commit()?;
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(deleted)
    }

    fn rebuild_with(
        &self,
        mut connection: Locked<'_>,
        catalog: Arc<Catalog>,
    ) -> Result<(), StoreError> {
        self.ensure_rebuilds_run()?;
        let transaction = connection.transaction()?;
        tables::create_derived(&transaction, &catalog)?;
        let last_day = calendar::last_day(&transaction)?;
        transaction.execute_batch("DELETE FROM calendar")?;
        delete_samples(&transaction, &catalog)?;
        for collection in stored_as(&catalog, Storage::Documents) {
            self.derive_documents(&transaction, collection)?;
            collections::recount(&transaction, collection)?;
        }
        for collection in stored_as(&catalog, Storage::Rows) {
            self.ensure_rebuilds_run()?;
            rows::move_texts(&transaction, collection)?;
            rollups::rebuild(&transaction, &collection.table)?;
            changes::record_rows(&transaction, &collection.table, self.zone())?;
        }
        self.ensure_rebuilds_run()?;
        rollups::rebuild(&transaction, rollups::SAMPLES_TABLE)?;
        for collection in stored_as(&catalog, Storage::Rows) {
            self.ensure_rebuilds_run()?;
            rows::recount(&transaction, collection, self.zone())?;
        }
        calendar::rebuild(&transaction, last_day, self.zone())?;
        self.ensure_rebuilds_run()?;
        materialized::refresh(&transaction)?;
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('derived_by', ?1)
             ON CONFLICT DO UPDATE SET value = excluded.value",
            [derived_by(&catalog, self.zone())],
        )?;
        transaction.commit()?;
        self.replace_catalog(catalog);
        Ok(())
    }

    /// Derives the typed rows and samples of every document of `collection`.
    fn derive_documents(
        &self,
        transaction: &Transaction,
        collection: &Collection,
    ) -> Result<(), StoreError> {
        let derived = Derived::new(transaction, collection, self.zone())?;
        // Collect the keys first, because the loop updates the table. The stored part of a document
        // that is too long does not identify it.
        let documents: Vec<(i64, String, bool)> = transaction
            .prepare(
                "SELECT document, document_id, fault IS NOT ?2 FROM oura_raw_documents
                 WHERE resource = ?1 AND deleted_at IS NULL",
            )?
            .query_map([collection.name.as_str(), Fault::TooLong.name()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut update = transaction.prepare(
            "UPDATE oura_raw_documents SET day = ?2, start_at = ?3, end_at = ?4, utc_offset = ?5
             WHERE document = ?1",
        )?;
        for (document, id, is_whole) in documents {
            self.ensure_rebuilds_run()?;
            let bytes = stored_bytes(transaction, document)?;
            let received = Received::new(&bytes);
            let reading = read(collection, &received, self.zone());
            if is_whole
                && id.starts_with(CONTENT_ID_PREFIX)
                && reading.id != id
                && !identify(transaction, document, &received, &reading.id)?
            {
                continue;
            }
            update.execute(params![
                document,
                reading.day.map(|day| day.to_string()),
                reading.start_at.map(Instant::seconds),
                reading.end_at.map(Instant::seconds),
                reading.utc_offset
            ])?;
            derived.insert(document, &received.parsed.value, &reading)?;
        }
        derived.record_changes(Instant(0))
    }
}

/// Gives a document the identity `id` that former versions could not read. If another document has
/// it, marks this one as deleted and returns false.
fn identify(
    transaction: &Transaction,
    document: i64,
    received: &Received,
    id: &str,
) -> Result<bool, StoreError> {
    let renamed = transaction
        .prepare_cached(
            "UPDATE OR IGNORE oura_raw_documents SET document_id = ?2, hash = ?3, fault = ?4
             WHERE document = ?1",
        )?
        .execute((document, id, received.hash(), received.fault()))?;
    if renamed == 0 {
        transaction
            .prepare_cached(
                "UPDATE oura_raw_documents SET deleted_at = last_seen_at WHERE document = ?1",
            )?
            .execute([document])?;
    }
    Ok(renamed > 0)
}

fn stored_as(catalog: &Catalog, storage: Storage) -> impl Iterator<Item = &Collection> {
    catalog.collections.iter().filter(move |collection| collection.storage == storage)
}

/// Deletes the samples of all series that `catalog` has.
fn delete_samples(transaction: &Transaction, catalog: &Catalog) -> Result<(), StoreError> {
    let mut delete = transaction.prepare(
        "DELETE FROM samples_data WHERE series = (SELECT series FROM series WHERE name = ?1)",
    )?;
    for series in catalog.collections.iter().flat_map(|collection| &collection.series) {
        delete.execute([&series.name])?;
    }
    Ok(())
}

/// The value of `derived_by` in `meta`: program version, time zone, catalogue and the zone's rules,
/// which governments change.
fn derived_by(catalog: &Catalog, zone: Tz) -> String {
    let mut rules = Sha256::new();
    for (since, offset) in zone.offsets() {
        rules.update(format!("{since} {offset}\n"));
    }
    let rules = hex(&rules.finalize()[..8]);
    format!("{DERIVATION} {zone} {} {rules}", catalog.fingerprint())
}

/// Returns the time zone in which the tables were derived.
pub(super) fn derivation_zone(connection: &Connection) -> Result<Tz, StoreError> {
    let derived_by: String =
        connection
            .query_row("SELECT value FROM meta WHERE name = 'derived_by'", [], |row| row.get(0))?;
    Ok(derived_by.split(' ').nth(1).and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC))
}

/// Makes the covered days days of `zone`. Call it before fetching in `zone`.
///
/// Rows are fetched from midnight to midnight. A day is no longer complete if hours of it lie
/// outside the old days.
pub(super) fn move_coverage(
    connection: &mut Connection,
    catalog: &Catalog,
    zone: Tz,
) -> Result<(), StoreError> {
    let Some(old_zone) = covered_zone(connection)? else { return Ok(()) };
    if old_zone == zone {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for collection in stored_as(catalog, Storage::Rows) {
        let complete: Vec<Day> = transaction
            .prepare(
                "SELECT day FROM coverage_data WHERE resource = ?1 AND NOT partial ORDER BY day",
            )?
            .query_map([&collection.name], |row| day_at(row, 0))?
            .collect::<Result<_, _>>()?;
        let mut reopen = transaction
            .prepare("UPDATE coverage_data SET partial = TRUE WHERE resource = ?1 AND day = ?2")?;
        for island in complete.chunk_by(|day, next| day.plus(1) == *next) {
            let covered_from = island[0].midnight(old_zone);
            let covered_to = island[island.len() - 1].plus(1).midnight(old_zone);
            for day in island {
                if day.midnight(zone) < covered_from || day.plus(1).midnight(zone) > covered_to {
                    reopen.execute((&collection.name, day.to_string()))?;
                }
            }
        }
    }
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET value = excluded.value",
        (COVERED_IN, zone.name()),
    )?;
    transaction.commit()?;
    Ok(())
}

/// Returns the time zone of the covered days, except in a new file.
fn covered_zone(connection: &Connection) -> Result<Option<Tz>, StoreError> {
    let stored: Option<String> = connection
        .query_row(
            "SELECT value FROM meta WHERE name IN (?1, 'derived_by')
             ORDER BY name = ?1 DESC LIMIT 1",
            [COVERED_IN],
            |row| row.get(0),
        )
        .optional()?;
    // The zone is the second word of `derived_by`.
    Ok(stored.and_then(|stored| stored.split(' ').nth(1).unwrap_or(&stored).parse().ok()))
}
