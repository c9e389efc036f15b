//! Paths and fields that are deliberately not ingested, each with its reason. A test fails for a
//! path or field that is neither listed here nor in the catalogue.

use super::{Collection, Storage};

/// Fragments of the paths that are not collections, each with the reason.
const PATHS: &[(&str, &str)] = &[
    ("/v2/sandbox/", "synthetic responses for API tests, not a person's data"),
    ("/v2/webhook/", "management of notifications, not data"),
    ("{document_id}", "a single document of a collection that is fetched as a whole"),
];

/// Top-level fields without a column: the field, its storage (`None` means both) and the reason.
const FIELDS: &[(&str, Option<Storage>, &str)] = &[
    ("day", None, "stored in the column `day` of every table"),
    ("timestamp", Some(Storage::Rows), "stored in the column `time` of every table"),
    ("timestamp_unix", None, "a copy of `timestamp`, missing in live responses"),
    ("meta", None, "metadata of version 1.29 only, still in the payload"),
];

/// Returns the reason why `path` is skipped, or `None` if it is a collection.
pub fn path_skip_reason(path: &str) -> Option<&'static str> {
    PATHS.iter().find(|(part, _)| path.contains(part)).map(|(_, reason)| *reason)
}

impl Collection {
    /// Returns the reason why the top-level field `name` is skipped, or `None` if it has a column
    /// or a series.
    pub fn field_skip_reason(&self, name: &str) -> Option<&'static str> {
        field_skip_reason(name, self.storage)
    }
}

/// Returns the reason why the top-level field `name` is skipped in this form of storage.
pub(super) fn field_skip_reason(name: &str, storage: Storage) -> Option<&'static str> {
    FIELDS
        .iter()
        .find(|(field, only, _)| *field == name && only.is_none_or(|only| only == storage))
        .map(|(_, _, reason)| *reason)
}
