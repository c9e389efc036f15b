//! Storing what a window brought, in one transaction: documents and rows, what derives from them, what has gone, the coverage of its
//! days, and the window's own end. Either all of it is in the file or none.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::derive::{self, Derived};
use super::queue::{self, QueuedWindow, Window, last_days, newest, settled_through};
use super::{Store, StoreError};
use crate::catalog::{Collection, Reading, Storage, Style};
use crate::format::hex;
use crate::sql::quote_identifier;
use crate::time::{Day, Instant, Tz};

/// How far beyond a window its documents can lie: it was asked for with two days more on each side.
const NEIGHBOURS: i64 = 3;

/// What a window changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Documents or rows that came.
    pub documents: u64,
    /// Of these, new or other than before.
    pub changed: u64,
    /// Known ones that did not come any more.
    pub deleted: u64,
}

impl Store {
    /// Stores the complete answer to `window`. `now` dates it; its local day decides which days may still change.
    pub fn put_window(
        &self,
        window: &QueuedWindow,
        documents: &[Box<RawValue>],
        now: Instant,
    ) -> Result<WriteStats, StoreError> {
        let mut writer = self.writer();
        // Read under the writer's lock: the tables are those of this catalogue.
        let catalog = self.catalog();
        let Some(collection) = catalog.get(&window.window.collection) else {
            drop(writer);
            return self.drop_window(window, now);
        };
        let transaction = writer.transaction()?;
        let put = WindowWriter {
            transaction: &transaction,
            collection,
            zone: self.shared.zone,
            now,
            window,
        };
        let stored = match collection.storage {
            Storage::Documents => put.documents(documents)?,
            Storage::Rows => put.rows(documents)?,
        };
        put.coverage()?;
        put.finish(stored)?;
        transaction.commit()?;
        Ok(stored)
    }
}

/// One window on its way into the file.
pub(super) struct WindowWriter<'a> {
    pub transaction: &'a Transaction<'a>,
    pub collection: &'a Collection,
    pub zone: Tz,
    pub now: Instant,
    pub window: &'a QueuedWindow,
}

impl WindowWriter<'_> {
    fn documents(&self, documents: &[Box<RawValue>]) -> Result<WriteStats, StoreError> {
        let mut stored = WriteStats { documents: documents.len() as u64, ..WriteStats::default() };
        let mut seen = HashSet::new();
        let derived = Derived::new(self.transaction, self.collection, self.zone)?;
        for payload in documents {
            // Checked JSON already: a number beyond f64 is the only thing that can fail here.
            let value: Value = serde_json::from_str(payload.get()).unwrap_or(Value::Null);
            let hash = canonical_hash(&value);
            let reading = identify(self.collection, &value, &hash, self.zone);
            if self.document(&derived, payload.get(), &value, &hash, &reading)? {
                stored.changed += 1;
            }
            seen.insert(reading.id);
        }
        stored.deleted = self.forget_unseen(&derived, &seen)?;
        derived.refresh_rollups()?;
        Ok(stored)
    }

    /// Stores one document; true if it is new or other than before.
    fn document(
        &self,
        derived: &Derived,
        payload: &str,
        value: &Value,
        hash: &[u8; 32],
        reading: &Reading,
    ) -> Result<bool, StoreError> {
        let known = self
            .transaction
            .prepare_cached("SELECT document, hash, deleted_at FROM oura_raw_documents WHERE resource = ?1 AND document_id = ?2")?
            .query_row((&self.collection.name, &reading.id), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<i64>>(2)?))
            })
            .optional()?;
        if let Some((document, known_hash, deleted_at)) = &known
            && known_hash == hash
        {
            self.transaction
                .prepare_cached("UPDATE oura_raw_documents SET last_seen_at = ?2, deleted_at = NULL WHERE document = ?1")?
                .execute((document, self.now.0))?;
            if deleted_at.is_some() {
                derived.insert(*document, value, reading)?;
            }
            return Ok(deleted_at.is_some());
        }
        if let Some((document, ..)) = known {
            derived.remove(document)?;
        }
        let document: i64 = self
            .transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, day, start_at, end_at, utc_offset, payload, hash, revision,
                     first_seen_at, changed_at, last_seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?9, ?9)
                 ON CONFLICT (resource, document_id) DO UPDATE SET
                     day = excluded.day, start_at = excluded.start_at, end_at = excluded.end_at, utc_offset = excluded.utc_offset,
                     payload = excluded.payload, hash = excluded.hash, revision = revision + 1, changed_at = excluded.changed_at,
                     last_seen_at = excluded.last_seen_at, deleted_at = NULL
                 RETURNING document",
            )?
            .query_row(
                params![
                    self.collection.name,
                    reading.id,
                    reading.day.map(|day| day.to_string()),
                    reading.start_at.map(Instant::seconds),
                    reading.end_at.map(Instant::seconds),
                    reading.utc_offset,
                    payload,
                    hash,
                    self.now.0,
                ],
                |row| row.get(0),
            )?;
        derived.insert(document, value, reading)?;
        Ok(true)
    }

    /// Marks documents deleted that lie inside the window but did not come.
    fn forget_unseen(&self, derived: &Derived, seen: &HashSet<String>) -> Result<u64, StoreError> {
        let everything = matches!(self.collection.style, Style::TokenOnly | Style::Singleton);
        let mut inside = self.transaction.prepare_cached(
            "SELECT document, document_id FROM oura_raw_documents
             WHERE resource = ?1 AND deleted_at IS NULL AND (?2 OR day BETWEEN ?3 AND ?4)",
        )?;
        let Window { from, to, .. } = &self.window.window;
        let inside: Vec<(i64, String)> = inside
            .query_map(
                (&self.collection.name, everything, from.to_string(), to.to_string()),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect::<Result<_, _>>()?;
        let mut deleted = 0;
        for (document, _) in inside.iter().filter(|(_, id)| !seen.contains(id)) {
            derived.remove(*document)?;
            self.transaction
                .prepare_cached(
                    "UPDATE oura_raw_documents SET deleted_at = ?2 WHERE document = ?1",
                )?
                .execute((document, self.now.0))?;
            deleted += 1;
        }
        Ok(deleted)
    }

    /// Counts the documents of each day of the window. The last days, and those of which the phone has brought nothing yet, may still
    /// change: see [`settled_through`].
    fn coverage(&self) -> Result<(), StoreError> {
        if matches!(self.collection.style, Style::TokenOnly | Style::Singleton) {
            return Ok(());
        }
        let count = match self.collection.storage {
            Storage::Documents => {
                "SELECT count(*) FROM oura_raw_documents WHERE resource = ?1 AND day = ?2 AND deleted_at IS NULL AND ?3 < ?4".to_owned()
            }
            Storage::Rows => {
                format!("SELECT count(*) FROM {} WHERE time >= ?3 AND time < ?4 AND ?1 IS NOT ?2", quote_identifier(&self.collection.table))
            }
        };
        let mut count = self.transaction.prepare_cached(&count)?;
        let mut put = self.transaction.prepare_cached(
            "INSERT INTO coverage_data (resource, day, documents, partial, fetched_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET documents = excluded.documents, partial = excluded.partial, fetched_at = excluded.fetched_at",
        )?;
        let days: Vec<(Day, i64)> = self
            .window
            .window
            .from
            .through(self.window.window.to)
            .map(|day| {
                let (midnight, next) = (day.midnight(self.zone), day.plus(1).midnight(self.zone));
                let documents = count.query_row(
                    (&self.collection.name, day.to_string(), midnight.0, next.0),
                    |row| row.get(0),
                )?;
                Ok((day, documents))
            })
            .collect::<rusqlite::Result<_>>()?;
        // What was known before: the days that a phone brings late are asked for once more after they came, since it may bring them in parts.
        let newest = newest(self.collection, &last_days(self.transaction)?);
        let newest = newest.or_else(|| {
            days.iter().filter(|(_, documents)| *documents > 0).map(|(day, _)| *day).max()
        });
        let settled = settled_through(self.now.day(self.zone), newest);
        for (day, documents) in days {
            put.execute((
                &self.collection.name,
                day.to_string(),
                documents,
                day > settled,
                self.now.0,
            ))?;
            derive::add_to_calendar(self.transaction, day, self.zone)?;
        }
        self.recount_neighbours()
    }

    /// Documents of the days around the window have come with it, or have moved out of it.
    fn recount_neighbours(&self) -> Result<(), StoreError> {
        if self.collection.storage != Storage::Documents {
            return Ok(());
        }
        let Window { from, to, .. } = &self.window.window;
        self.transaction
            .prepare_cached(
                "UPDATE coverage_data SET documents = (SELECT count(*) FROM oura_raw_documents AS raw
                                                       WHERE raw.resource = ?1 AND raw.day = coverage_data.day AND raw.deleted_at IS NULL)
                 WHERE resource = ?1 AND (day >= ?2 AND day < ?3 OR day > ?4 AND day <= ?5)",
            )?
            .execute((
                &self.collection.name,
                from.plus(-NEIGHBOURS).to_string(),
                from.to_string(),
                to.to_string(),
                to.plus(NEIGHBOURS).to_string(),
            ))?;
        Ok(())
    }

    /// The window is done; the collection is well; the run has come further.
    fn finish(&self, stored: WriteStats) -> Result<(), StoreError> {
        let (documents, first, last) = held(self.transaction, self.collection)?;
        self.window.finish(self.transaction, self.now)?;
        // One window is well again; the collection is when none waits that went wrong.
        let trouble = queue::trouble(self.transaction, self.collection)?;
        self.transaction
            .prepare_cached(
                "UPDATE collections SET last_sync = ?2, documents = ?3, first_day = ?4, last_day = ?5, state = iif(?6 IS NULL, 'ok', 'error'),
                     reason = ?6
                 WHERE name = ?1",
            )?
            .execute((&self.collection.name, self.now.0, documents, first, last, trouble))?;
        super::runs::advance(self.transaction, stored)
    }
}

/// Rows among the raw documents, so that no row is lost.
impl WindowWriter<'_> {
    /// Keeps a row that cannot be placed in time.
    pub(super) fn keep_unreadable(&self, payload: &str) -> Result<(), StoreError> {
        let hash = canonical_hash(&serde_json::from_str(payload).unwrap_or(Value::Null));
        self.transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, payload, hash, revision, first_seen_at, changed_at, last_seen_at)
                 VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?5)
                 ON CONFLICT DO UPDATE SET last_seen_at = excluded.last_seen_at",
            )?
            .execute(params![self.collection.name, content_id(&hash), payload, hash, self.now.0])?;
        Ok(())
    }

    /// Keeps a row that Oura no longer has, marked deleted.
    pub(super) fn keep_deleted(&self, id: &str, row: &Value) -> Result<(), StoreError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, payload, hash, revision, first_seen_at, changed_at, last_seen_at, deleted_at)
                 VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?5, ?5)
                 ON CONFLICT DO UPDATE SET payload = excluded.payload, hash = excluded.hash, changed_at = excluded.changed_at,
                     deleted_at = excluded.deleted_at",
            )?
            .execute(params![self.collection.name, id, row.to_string(), canonical_hash(row), self.now.0])?;
        Ok(())
    }
}

/// How many documents or rows of `collection` are held, and the first and the last day that has any.
pub(super) fn held(
    transaction: &Transaction,
    collection: &Collection,
) -> Result<(i64, Option<String>, Option<String>), StoreError> {
    let held = match collection.storage {
        Storage::Documents => {
            "SELECT count(*), min(day), max(day) FROM oura_raw_documents WHERE resource = ?1 AND deleted_at IS NULL"
        }
        Storage::Rows => {
            "SELECT coalesce(sum(documents), 0), min(day), max(day) FROM coverage_data WHERE resource = ?1 AND documents > 0"
        }
    };
    Ok(transaction
        .prepare_cached(held)?
        .query_row([&collection.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}

/// What the document says it is; one that says nothing is known by its content.
fn identify(collection: &Collection, value: &Value, hash: &[u8; 32], zone: Tz) -> Reading {
    collection.read(value, zone).unwrap_or_else(|_| Reading {
        id: content_id(hash),
        day: None,
        start_at: None,
        end_at: None,
        utc_offset: None,
    })
}

/// The id of what has none.
fn content_id(hash: &[u8; 32]) -> String {
    format!("sha256:{}", hex(&hash[..16]))
}

/// SHA-256 of the document with its keys in order and no white space.
fn canonical_hash(value: &Value) -> [u8; 32] {
    fn write(value: &Value, into: &mut Sha256) {
        match value {
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| *name);
                into.update(b"{");
                for (name, value) in fields {
                    into.update(serde_json::to_vec(name).unwrap_or_default());
                    into.update(b":");
                    write(value, into);
                    into.update(b",");
                }
                into.update(b"}");
            }
            Value::Array(items) => {
                into.update(b"[");
                for item in items {
                    write(item, into);
                    into.update(b",");
                }
                into.update(b"]");
            }
            scalar => into.update(serde_json::to_vec(scalar).unwrap_or_default()),
        }
    }
    let mut hasher = Sha256::new();
    write(value, &mut hasher);
    hasher.finalize().into()
}
