//! Facts that the OpenAPI document lacks: units, descriptions, scopes, keys, times, sentinels and
//! digit codes.
//!
//! Contains tables only. A collection or field without an entry is still ingested, but has no unit
//! and no description.

mod collections;
mod fields;

use super::{Kind, Recorded, Storage, Style, TimeRule, Unit};

/// The tables and views that every store has. They are reserved: a collection with such a name gets
/// another table name.
#[rustfmt::skip]
pub(crate) const STORE_TABLES: &[&str] = &[
    "baselines", "baselines_data", "calendar", "causes", "changed_months", "charge", "collections",
    "connection_data", "coverage", "coverage_data", "days", "heartrate_1d", "heartrate_1h",
    "heartrate_5m", "hypnogram", "main_sleep", "meta", "nights", "outcomes", "person", "samples",
    "samples_1d", "samples_1d_data", "samples_1h", "samples_1h_data", "samples_data", "series",
    "signs", "sleep_debt", "sleep_regularity", "sleep_regularity_data", "sleep_times",
    "sleep_timing", "stale_days", "sync_runs", "sync_status", "sync_windows", "tag_days",
    "training_load", "workout_load",
];

/// Whether the identity or the time of a document can come from the top-level field `name`.
pub(super) fn is_key_field(name: &str) -> bool {
    let TimeRule { day, start, end } = collections::ANY;
    name == "id" || [day, start, end].iter().any(|names| names.contains(&name))
}

/// The facts of one collection.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    name: &'static str,
    pub scope: Option<&'static str>,
    pub recorded: Recorded,
    pub storage: Storage,
    /// Fields that together identify a row; empty for documents.
    pub key: &'static [&'static str],
    pub time: TimeRule,
    pub description: &'static str,
    /// Field tables, each with the prefix of its field names in this collection.
    fields: &'static [(&'static str, &'static [Field])],
    /// Top-level fields in live responses that no specification mentions.
    pub live_only: &'static [(&'static str, Kind)],
}

/// The facts of one field, by its flattened name.
#[derive(Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    pub unit: Option<Unit>,
    pub description: &'static str,
    pub sentinel: Option<i64>,
}

impl Field {
    const UNKNOWN: Field = Field { name: "", unit: None, description: "", sentinel: None };

    /// A field without a unit: a score, a count or a text.
    const fn plain(name: &'static str, description: &'static str) -> Field {
        Field { name, unit: None, description, sentinel: None }
    }

    /// A field with a unit.
    const fn measured(name: &'static str, unit: Unit, description: &'static str) -> Field {
        Field { name, unit: Some(unit), description, sentinel: None }
    }

    /// Adds the value that Oura writes for a missing one.
    const fn with_sentinel(self, sentinel: i64) -> Field {
        Field { sentinel: Some(sentinel), ..self }
    }
}

impl Facts {
    /// Guesses the facts of a collection without an entry.
    pub fn guess(name: &str, style: Style, has_id: bool, has_timestamp: bool) -> Facts {
        let rows = style == Style::Datetimes && has_timestamp && !has_id;
        Facts {
            name: "",
            scope: None,
            recorded: recorded(name),
            storage: if rows { Storage::Rows } else { Storage::Documents },
            key: if rows { &["timestamp"] } else { &[] },
            time: if name.starts_with("daily_") { collections::DAILY } else { collections::ANY },
            description: "",
            fields: &[("", fields::COMMON)],
            live_only: &[],
        }
    }

    /// Returns the facts of the field with this flattened name.
    pub fn field(&self, name: &str) -> Field {
        let found = self.fields.iter().find_map(|(prefix, table)| {
            let rest = name.strip_prefix(prefix)?;
            table.iter().find(|field| field.name == rest).copied()
        });
        found.unwrap_or(Field::UNKNOWN)
    }
}

/// Returns the facts of the collection with this name in its path.
pub(super) fn facts(name: &str) -> Option<Facts> {
    collections::COLLECTIONS.iter().find(|facts| facts.name == name).copied()
}

/// Returns the days on which the collection `name` gets documents. Removed collections keep their
/// rule.
pub(super) fn recorded(name: &str) -> Recorded {
    match facts(name) {
        Some(facts) => facts.recorded,
        None if name.starts_with("daily_") => Recorded::WhileWorn,
        None => Recorded::Occasionally,
    }
}

/// Returns the meanings of the digits in the text field `field`.
pub(super) fn codes(field: &str) -> &'static [(u8, &'static str)] {
    fields::CODES.iter().find(|(name, _)| *name == field).map_or(&[], |(_, codes)| codes)
}
