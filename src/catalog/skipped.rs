//! What is deliberately not ingested, each with its reason. Whatever is neither here nor in the catalogue fails a test.

use super::{Collection, Storage};

/// Paths that are no collections: a part of the path, and why.
const PATHS: &[(&str, &str)] = &[
    ("/v2/sandbox/", "made-up answers for trying the API, not a person's data"),
    ("/v2/webhook/", "manages notifications; not data"),
    ("{document_id}", "one document of a collection that is read as a whole"),
];

/// Top-level fields that become no column: the field, in which storage (none = both), and why.
const FIELDS: &[(&str, Option<Storage>, &str)] = &[
    ("day", None, "is the `day` column that every table has"),
    ("timestamp", Some(Storage::Rows), "is the `time` column that every table has"),
    ("timestamp_unix", None, "repeats `timestamp`; live answers do not carry it"),
    ("meta", None, "bookkeeping that only version 1.29 had; the payload keeps it"),
];

/// Why `path` is no collection, if that is on purpose.
pub fn skipped_path(path: &str) -> Option<&'static str> {
    PATHS.iter().find(|(part, _)| path.contains(part)).map(|(_, reason)| *reason)
}

impl Collection {
    /// Why the top-level field `name` is neither a column nor a series, if that is on purpose.
    pub fn skipped_field(&self, name: &str) -> Option<&'static str> {
        skipped_field(name, self.storage)
    }
}

pub(super) fn skipped_field(name: &str, storage: Storage) -> Option<&'static str> {
    FIELDS
        .iter()
        .find(|(field, only, _)| *field == name && only.is_none_or(|only| only == storage))
        .map(|(_, _, reason)| *reason)
}
