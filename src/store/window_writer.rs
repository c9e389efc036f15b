//! One window on its way into the database, and the raw documents that all kinds of windows write.

use rusqlite::{Transaction, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::window::QueuedWindow;
use crate::catalog::Collection;
use crate::format::hex;
use crate::time::{Instant, Tz};

/// A window and the transaction that stores it.
pub(super) struct WindowWriter<'a> {
    pub transaction: &'a Transaction<'a>,
    pub collection: &'a Collection,
    pub zone: Tz,
    /// The time of the fetch.
    pub now: Instant,
    pub queued: &'a QueuedWindow,
}

impl WindowWriter<'_> {
    /// Stores a row without a valid time as a raw document, so that it is not lost.
    pub(super) fn store_unreadable(&self, payload: &str) -> Result<(), StoreError> {
        let hash = canonical_hash(&serde_json::from_str(payload).unwrap_or(Value::Null));
        self.transaction
            .prepare_cached(
                "INSERT INTO oura_raw_documents (resource, document_id, payload, hash, revision,
                     first_seen_at, changed_at, last_seen_at)
                 VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?5)
                 ON CONFLICT DO UPDATE SET last_seen_at = excluded.last_seen_at",
            )?
            .execute(params![self.collection.name, content_id(&hash), payload, hash, self.now.0])?;
        Ok(())
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
    format!("sha256:{}", hex(&hash[..16]))
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
