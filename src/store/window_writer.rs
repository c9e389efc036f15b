//! One window on its way into the database, and the raw documents that all kinds of windows write.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::window::{QueuedWindow, first_ring};
use crate::catalog::{Collection, Fault, ParsedDocument, parse_document};
use crate::format::hex;
use crate::time::{Day, Instant, Tz};

/// The beginning of an id that comes from the content.
pub(super) const CONTENT_ID_PREFIX: &str = "sha256:";

/// Why a row that is valid JSON is a raw document as well.
#[derive(Clone, Copy)]
pub(super) enum RowFault {
    /// It has no readable time.
    NoTime,
    /// Its time is before the first ring or after tomorrow, so that no window contains it.
    OutOfRange,
    /// It is too long for its table.
    LongRow,
}

impl RowFault {
    fn name(self) -> &'static str {
        match self {
            RowFault::NoTime => "no_time",
            RowFault::OutOfRange => "out_of_range",
            RowFault::LongRow => "long_row",
        }
    }
}

/// A window and the transaction that stores it.
pub(super) struct WindowWriter<'a> {
    pub transaction: &'a Transaction<'a>,
    pub collection: &'a Collection,
    pub zone: Tz,
    /// The time of the fetch.
    pub now: Instant,
    pub queued: &'a QueuedWindow,
}

/// A document of the response, parsed.
pub(super) struct Received<'a> {
    pub parsed: ParsedDocument<'a>,
    bytes: &'a [u8],
}

impl<'a> Received<'a> {
    pub fn new(document: &'a [u8]) -> Received<'a> {
        Received { parsed: parse_document(document), bytes: document }
    }

    /// Identifies the content. Equal for documents that differ only in the order of their keys.
    /// Computed here, because most rows need none.
    pub fn hash(&self) -> [u8; 32] {
        match self.parsed.fault {
            None | Some(Fault::NotAnObject) => canonical_hash(&self.parsed.value),
            // Different documents can have the same readable part.
            Some(_) => Sha256::digest(self.bytes).into(),
        }
    }

    /// The name of the document's fault.
    pub fn fault(&self) -> Option<&'static str> {
        self.parsed.fault.map(Fault::name)
    }
}

impl WindowWriter<'_> {
    /// Whether a window can contain `day`: from the first ring to tomorrow.
    pub(super) fn is_in_reach(&self, day: Day) -> bool {
        first_ring() <= day && day <= self.now.day(self.zone).plus(1)
    }

    /// Stores a row as a raw document on `day`, because its table does not hold all of it. `fault`
    /// is the reason for valid JSON. Returns whether the document is new.
    pub(super) fn store_raw_row(
        &self,
        received: &Received,
        day: Option<Day>,
        fault: RowFault,
    ) -> Result<bool, StoreError> {
        let hash = received.hash();
        let id = content_id(&hash);
        let stored: Option<i64> = self
            .transaction
            .prepare_cached(
                "UPDATE oura_raw_documents SET last_seen_at = ?3, deleted_at = NULL
                 WHERE resource = ?1 AND document_id = ?2 RETURNING document",
            )?
            .query_row(params![self.collection.name, id, self.now.0], |row| row.get(0))
            .optional()?;
        if stored.is_some() {
            return Ok(false);
        }
        let ParsedDocument { payload, original, .. } = &received.parsed;
        self.transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, day, payload, original,
                     fault, hash, revision, first_seen_at, changed_at, last_seen_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8, ?8)",
            )?
            .execute(params![
                self.collection.name,
                id,
                day.map(|day| day.to_string()),
                payload,
                original,
                received.fault().unwrap_or(fault.name()),
                hash,
                self.now.0
            ])?;
        Ok(true)
    }

    /// Stores a row that Oura no longer returns as a deleted raw document.
    pub(super) fn store_deleted(&self, id: &str, row: &Value) -> Result<(), StoreError> {
        let (payload, hash) = (row.to_string(), canonical_hash(row));
        self.transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, payload, hash, revision,
                     first_seen_at, changed_at, last_seen_at, deleted_at)
                 VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?5, ?5)
                 ON CONFLICT DO UPDATE SET payload = excluded.payload, hash = excluded.hash,
                     changed_at = excluded.changed_at, deleted_at = excluded.deleted_at",
            )?
            .execute(params![self.collection.name, id, payload, hash, self.now.0])?;
        Ok(())
    }
}

/// The id of a document that has none, from its content.
pub(super) fn content_id(hash: &[u8; 32]) -> String {
    format!("{CONTENT_ID_PREFIX}{}", hex(&hash[..16]))
}

/// The SHA-256 of a document with sorted keys and without white space.
pub(super) fn canonical_hash(value: &Value) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hash_canonically(value, &mut hasher);
    hasher.finalize().into()
}

fn hash_canonically(value: &Value, hasher: &mut Sha256) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            hasher.update(b"{");
            for (name, value) in fields {
                hasher.update(serde_json::to_vec(name).unwrap_or_default());
                hasher.update(b":");
                hash_canonically(value, hasher);
                hasher.update(b",");
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            for item in items {
                hash_canonically(item, hasher);
                hasher.update(b",");
            }
            hasher.update(b"]");
        }
        scalar => hasher.update(serde_json::to_vec(scalar).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Existing databases contain such hashes, so they must not change.
    #[test]
    fn stored_hashes_do_not_depend_on_key_order() {
        for text in [
            r#"{"a": [1, {"b": 2.5, "c": "x"}], "d": null}"#,
            r#"{"d":null,"a":[1,{"c":"x","b":2.5}]}"#,
        ] {
            assert_eq!(
                crate::format::hex(&canonical_hash(&serde_json::from_str(text).unwrap())),
                "6e66acef2b51b227e8dcc6c97234a5be8ce7e56e33f096e1a6803c75429ee082"
            );
        }
    }
}
