//! Storing the documents of a window: revisions, deletions and the derived data.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{OptionalExtension, params};

use super::derive::{Derived, read};
use super::error::StoreError;
use super::window::{Window, WriteStats};
use super::window_writer::{Received, WindowWriter};
use crate::catalog::{Reading, Style, peek_id};
use crate::time::Instant;

/// The stored version of a document.
struct Known {
    document: i64,
    day: Option<String>,
    hash: Vec<u8>,
    is_deleted: bool,
}

impl WindowWriter<'_> {
    /// Stores the response to a window of documents. Returns the changes, and the days with a
    /// possibly different number of documents.
    ///
    /// Of several documents with the same id, the last one counts.
    pub(super) fn store_documents(
        &self,
        documents: &[Box<[u8]>],
    ) -> Result<(WriteStats, BTreeSet<String>), StoreError> {
        let derived = Derived::new(self.transaction, self.collection, self.zone)?;
        let (mut stats, touched_days, seen) = self.upsert_documents(&derived, documents)?;
        stats.deleted = self.delete_unseen(&derived, &seen)?;
        derived.refresh_rollups()?;
        derived.record_changes(self.now)?;
        Ok((stats, touched_days))
    }

    /// Stores documents without a window. Returns the changes, and the days with a possibly
    /// different number of documents.
    pub(super) fn add_documents(
        &self,
        documents: &[Box<[u8]>],
    ) -> Result<(WriteStats, BTreeSet<String>), StoreError> {
        let derived = Derived::new(self.transaction, self.collection, self.zone)?;
        let (stats, touched_days, _) = self.upsert_documents(&derived, documents)?;
        derived.refresh_rollups()?;
        derived.record_changes(self.now)?;
        Ok((stats, touched_days))
    }

    /// Stores documents. Also returns their ids.
    fn upsert_documents(
        &self,
        derived: &Derived,
        documents: &[Box<[u8]>],
    ) -> Result<(WriteStats, BTreeSet<String>, HashSet<String>), StoreError> {
        let mut stats = WriteStats { documents: documents.len() as u64, ..WriteStats::default() };
        let mut touched_days = BTreeSet::new();
        let ids = self.identities(documents)?;
        let last_places: HashMap<&str, usize> =
            ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        for (place, (document, id)) in documents.iter().zip(&ids).enumerate() {
            if last_places.get(id.as_str()) != Some(&place) {
                continue;
            }
            let received = Received::new(document);
            let reading = Reading { id: id.clone(), ..read(self.collection, &received, self.zone) };
            if self.store_document(derived, &received, &reading, &mut touched_days)? {
                stats.changed += 1;
                stats.faulty += u64::from(received.parsed.fault.is_some());
            }
        }
        Ok((stats, touched_days, ids.into_iter().collect()))
    }

    /// Returns the id of each document.
    ///
    /// Of several different documents without an id on the same day, the stored ones keep their
    /// numbers in any order of arrival. Of the others, the last one gets the first number.
    fn identities(&self, documents: &[Box<[u8]>]) -> Result<Vec<String>, StoreError> {
        let mut ids = vec![String::new(); documents.len()];
        let mut without_id = Vec::new();
        for (place, document) in documents.iter().enumerate() {
            ids[place] = match peek_id(document) {
                Some(id) => id,
                None => {
                    let received = Received::new(document);
                    let reading = read(self.collection, &received, self.zone);
                    if reading.is_id_derived {
                        without_id.push((place, received.hash()));
                    }
                    reading.id
                }
            };
        }
        let mut derived = DerivedIdentities::default();
        let mut others = Vec::new();
        for (place, hash) in without_id {
            match self.stored_number(&ids[place], &hash)? {
                Some(id) => {
                    derived.0.insert(id.clone(), hash);
                    ids[place] = id;
                }
                None => others.push((place, hash)),
            }
        }
        for (place, hash) in others.into_iter().rev() {
            ids[place] = derived.separate(&ids[place], hash);
        }
        Ok(ids)
    }

    /// Returns the id of the stored document with this content among those that share `base`.
    fn stored_number(&self, base: &str, hash: &[u8; 32]) -> Result<Option<String>, StoreError> {
        // The range of ids uses the index. `$` follows `#`.
        let mut stored = self.transaction.prepare_cached(
            "SELECT document_id FROM oura_raw_documents
             WHERE resource = ?1 AND document_id >= ?2 AND document_id < ?2 || '$' AND hash = ?3
                 AND (document_id = ?2 OR substr(document_id, length(?2) + 1, 1) = '#')
             ORDER BY length(document_id), document_id LIMIT 1",
        )?;
        let stored = stored.query_row((&self.collection.name, base, hash), |row| row.get(0));
        Ok(stored.optional()?)
    }

    /// Stores one document. Returns whether it is new or differs from the stored one.
    fn store_document(
        &self,
        derived: &Derived,
        received: &Received,
        reading: &Reading,
        touched_days: &mut BTreeSet<String>,
    ) -> Result<bool, StoreError> {
        let (parsed, hash) = (&received.parsed, received.hash());
        let known = self.known(&reading.id)?;
        if let Some(known) = &known
            && known.hash == hash
        {
            self.transaction
                .prepare_cached(
                    "UPDATE oura_raw_documents SET last_seen_at = ?2, deleted_at = NULL
                     WHERE document = ?1",
                )?
                .execute((known.document, self.now.0))?;
            if known.is_deleted {
                derived.insert(known.document, &parsed.value, reading)?;
                touched_days.extend(known.day.clone());
            }
            return Ok(known.is_deleted);
        }
        if let Some(known) = known {
            derived.remove(known.document)?;
            touched_days.extend(known.day);
        }
        touched_days.extend(reading.day.map(|day| day.to_string()));
        let document: i64 = self
            .transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, day, start_at, end_at,
                     utc_offset, payload, original, fault, hash, revision, first_seen_at,
                     changed_at, last_seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?11, ?11)
                 ON CONFLICT (resource, document_id) DO UPDATE SET
                     day = excluded.day, start_at = excluded.start_at, end_at = excluded.end_at,
                     utc_offset = excluded.utc_offset, payload = excluded.payload,
                     original = excluded.original, fault = excluded.fault,
                     hash = excluded.hash, revision = revision + 1,
                     changed_at = excluded.changed_at, last_seen_at = excluded.last_seen_at,
                     deleted_at = NULL
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
                    parsed.payload,
                    parsed.original,
                    received.fault(),
                    hash,
                    self.now.0,
                ],
                |row| row.get(0),
            )?;
        derived.insert(document, &parsed.value, reading)?;
        Ok(true)
    }

    /// Returns the stored version of a document.
    fn known(&self, id: &str) -> Result<Option<Known>, StoreError> {
        let mut known = self.transaction.prepare_cached(
            "SELECT document, day, hash, deleted_at IS NOT NULL FROM oura_raw_documents
             WHERE resource = ?1 AND document_id = ?2",
        )?;
        let known = known.query_row((&self.collection.name, id), |row| {
            Ok(Known {
                document: row.get(0)?,
                day: row.get(1)?,
                hash: row.get(2)?,
                is_deleted: row.get(3)?,
            })
        });
        Ok(known.optional()?)
    }

    /// Marks the documents as deleted that lie in the window but are missing from the response.
    fn delete_unseen(&self, derived: &Derived, seen: &HashSet<String>) -> Result<u64, StoreError> {
        let has_no_days = matches!(self.collection.style, Style::TokenOnly | Style::Singleton);
        let mut stored = self.transaction.prepare_cached(
            "SELECT document, document_id FROM oura_raw_documents
             WHERE resource = ?1 AND deleted_at IS NULL AND (?2 OR day BETWEEN ?3 AND ?4)",
        )?;
        let Window { from, to, .. } = &self.queued.window;
        let stored: Vec<(i64, String)> = stored
            .query_map(
                (&self.collection.name, has_no_days, from.to_string(), to.to_string()),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect::<Result<_, _>>()?;
        let mut deleted = 0;
        for (document, _) in stored.iter().filter(|(_, id)| !seen.contains(id)) {
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
}

/// The identities in one response that come from days and starts.
#[derive(Default)]
struct DerivedIdentities(HashMap<String, [u8; 32]>);

impl DerivedIdentities {
    /// Returns the identity of a document without an id. Numbers it if another document has it, as
    /// in `2026-11-24#2`.
    fn separate(&mut self, base: &str, hash: [u8; 32]) -> String {
        let mut id = base.to_owned();
        let mut number = 1;
        while self.0.get(&id).is_some_and(|known| *known != hash) {
            number += 1;
            id = format!("{base}#{number}");
        }
        self.0.insert(id.clone(), hash);
        id
    }
}
