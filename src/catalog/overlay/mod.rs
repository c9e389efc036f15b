//! What the OpenAPI document cannot say: unit, description in our words, scope, key, place in time, sentinels, code tables.
//!
//! Tables only. A collection or field that is missing here is ingested all the same, without unit and description.

mod collections;
mod fields;

use super::{Kind, Recorded, Storage, Style, TimeRule, Unit};

/// The tables and views that every store has, whatever the catalogue says: no collection's table may take their place.
#[rustfmt::skip]
pub(crate) const STORE_TABLES: &[&str] = &[
    "baselines", "calendar", "charge", "collections", "coverage", "coverage_data", "days", "heartrate_1d", "heartrate_1h", "heartrate_5m",
    "hypnogram", "main_sleep", "meta", "nights", "samples", "samples_1d", "samples_1d_data", "samples_1h", "samples_1h_data",
    "samples_data", "series", "sync_runs", "sync_status", "sync_windows",
];

/// What is known of one collection.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    name: &'static str,
    pub scope: Option<&'static str>,
    pub recorded: Recorded,
    pub storage: Storage,
    /// Fields that identify a row together; none for documents.
    pub key: &'static [&'static str],
    pub time: TimeRule,
    pub description: &'static str,
    /// Field tables, and what their names begin with in this collection.
    fields: &'static [(&'static str, &'static [Field])],
    /// Top-level fields that live answers have and no document tells of.
    pub live_only: &'static [(&'static str, Kind)],
}

/// What is known of one field, by its flattened name.
#[derive(Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    pub unit: Option<Unit>,
    pub description: &'static str,
    pub sentinel: Option<i64>,
}

impl Field {
    const UNKNOWN: Field = Field { name: "", unit: None, description: "", sentinel: None };

    /// A field without a unit: a score, a count, a word.
    const fn plain(name: &'static str, description: &'static str) -> Field {
        Field { name, unit: None, description, sentinel: None }
    }

    const fn measured(name: &'static str, unit: Unit, description: &'static str) -> Field {
        Field { name, unit: Some(unit), description, sentinel: None }
    }

    /// The value that Oura writes where there is none.
    const fn absent_as(self, sentinel: i64) -> Field {
        Field { sentinel: Some(sentinel), ..self }
    }
}

impl Facts {
    /// The rules for a collection that nobody has described yet.
    pub fn guessed(name: &str, style: Style, has_id: bool, has_timestamp: bool) -> Facts {
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

    /// What is known of the field with this flattened name.
    pub fn field(&self, name: &str) -> Field {
        let found = self.fields.iter().find_map(|(prefix, table)| {
            let rest = name.strip_prefix(prefix)?;
            table.iter().find(|field| field.name == rest).copied()
        });
        found.unwrap_or(Field::UNKNOWN)
    }
}

/// The facts of the collection called `name` in the path.
pub(super) fn facts(name: &str) -> Option<Facts> {
    collections::COLLECTIONS.iter().find(|facts| facts.name == name).copied()
}

/// When the collection called `name` gets documents, also for one that the catalogue no longer has.
pub(super) fn recorded(name: &str) -> Recorded {
    match facts(name) {
        Some(facts) => facts.recorded,
        None if name.starts_with("daily_") => Recorded::WhileWorn,
        None => Recorded::Occasionally,
    }
}

/// What the digits of the string `field` stand for.
pub(super) fn codes(field: &str) -> &'static [(u8, &'static str)] {
    fields::CODES.iter().find(|(name, _)| *name == field).map_or(&[], |(_, codes)| codes)
}
