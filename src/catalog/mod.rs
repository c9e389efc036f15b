//! What exists: Oura's OpenAPI document read as collections, columns, units and series.
//!
//! The document decides which collections and fields there are; the hand-written overlay adds what it cannot say (unit, scope, key,
//! sentinel, code tables). Knows nothing of HTTP, SQLite or Grafana.

mod contract;
mod diff;
mod document;
mod json;
mod openapi;
mod overlay;
#[cfg(test)]
pub(crate) use overlay::STORE_TABLES;
mod reduce;
mod samples;
mod schema;
mod show;
mod skipped;
mod succession;

pub use contract::{Contract, Presence};
pub use diff::Change;
pub use document::{Cell, DocumentError, Reading};
pub use openapi::CatalogError;
pub use reduce::reduce;
pub use samples::SamplePoint;
pub use skipped::skipped_path;
pub use succession::Loss;

use serde::Serialize;

use crate::format::hex;

/// Every collection of one version of Oura's API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Catalog {
    /// The document's `info.version`. Published documents say `2.0` in every version: whoever knows better (the file name does) sets
    /// it; reduced documents carry the real one, such as `1.43`.
    pub version: String,
    /// In the order of their names.
    pub collections: Vec<Collection>,
}

/// One `GET /v2/usercollection/<name>`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collection {
    /// As in the path, with its capitals: `vO2_max`.
    pub name: String,
    /// The typed table's name: the name in lower case.
    pub table: String,
    /// `/v2/usercollection/vO2_max`.
    pub path: String,
    pub style: Style,
    pub storage: Storage,
    pub key: KeyRule,
    pub time: TimeRule,
    /// The OAuth scope that opens it, as live accounts have shown; the document does not say.
    pub scope: Option<&'static str>,
    /// The longest range one request may ask for; no limit where requests take no range.
    pub max_window_days: u32,
    pub description: &'static str,
    /// Scalars in document order, nested objects joined with `_`; without what [`Collection::skipped_field`] names.
    pub columns: Vec<Column>,
    pub series: Vec<Series>,
}

/// Which parameters a collection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `start_date` and `end_date`, pages.
    Dates,
    /// `start_datetime` and `end_datetime`, pages.
    Datetimes,
    /// Pages only: everything there is.
    TokenOnly,
    /// One bare object without an envelope.
    Singleton,
}

impl Style {
    /// Oura refuses more than 30 days of heart rate at a time, and takes years of daily documents; both stay well below that.
    fn max_window_days(self) -> u32 {
        match self {
            Style::Dates => 90,
            Style::Datetimes => 28,
            Style::TokenOnly | Style::Singleton => u32::MAX,
        }
    }
}

/// How a collection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// One raw document each, from which typed rows and samples are derived.
    Documents,
    /// High-rate rows, straight to the typed table, leftovers in its `extra` column.
    Rows,
}

/// When a collection gets documents, and so whether a day without any is a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Every day on which the ring is worn.
    WhileWorn,
    /// Every day, also while the ring is on its charger.
    Always,
    /// On some days only, such as days with a workout or a tag.
    Occasionally,
}

impl Recorded {
    /// The rule for the collection called `name`, from the overlay. Unknown collections with a name
    /// in `daily_` count as recorded while worn.
    pub fn of(name: &str) -> Recorded {
        overlay::recorded(name)
    }

    /// Whether the ring records it by itself every day, so that a day without documents is a gap.
    pub fn is_daily(self) -> bool {
        self != Recorded::Occasionally
    }
}

/// What identifies a document within its collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRule {
    /// `id`, else `day`, else the start of the document.
    Document,
    /// The values of these fields together.
    Fields(Vec<&'static str>),
}

/// Where a document lies in time. Fields are top-level names; the first that is there and not null counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TimeRule {
    pub day: &'static [&'static str],
    pub start: &'static [&'static str],
    pub end: &'static [&'static str],
}

/// One typed column of a collection's table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// `contributors_deep_sleep`; unique within the table.
    pub name: String,
    /// The way through the document: `["contributors", "deep_sleep"]`.
    pub path: Vec<String>,
    pub kind: Kind,
    pub unit: Option<Unit>,
    pub description: &'static str,
    /// A value that Oura writes for "none" (`lowest_heart_rate` 255, contributor 0): NULL in the table, untouched in the raw document.
    pub sentinel: Option<i64>,
}

/// What a column holds, and how its SQLite column is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Integer,
    Real,
    Text,
    Boolean,
    /// `YYYY-MM-DD`.
    Day,
    /// Unix seconds.
    Instant,
    /// What has no other shape: arrays, free objects.
    Json,
}

impl Kind {
    /// The type in `CREATE TABLE`; `query` reads it back as a declared type.
    pub fn declared(self) -> &'static str {
        match self {
            Kind::Integer => "INTEGER",
            Kind::Real => "REAL",
            Kind::Text => "TEXT",
            Kind::Boolean => "BOOLEAN",
            Kind::Day => "DATE",
            Kind::Instant => "TIMESTAMP",
            Kind::Json => "JSON",
        }
    }
}

/// The unit of a value, as a Grafana unit id (`s`, `lengthm`, `celsius`, `percent`, …) or a suffix (`suffix:bpm`; Grafana adds the space).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Unit(pub &'static str);

/// A nested series of values with a fixed interval: its points are rows of `samples`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// `sleep.heart_rate`: table and field.
    pub name: String,
    /// The way through the document.
    pub path: Vec<String>,
    pub encoding: Encoding,
    pub unit: Option<Unit>,
    pub description: &'static str,
}

/// How a series lies in its document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// `{"interval": seconds, "items": [number|null], "timestamp": start}`; null items are gaps.
    Sample,
    /// One digit per interval, from the document's start.
    Digits { interval: u32, codes: &'static [(u8, &'static str)] },
}

impl Catalog {
    /// The newest document known at build time, reduced to facts: what the program uses when Oura cannot be asked.
    pub fn bundled() -> Catalog {
        Catalog::from_openapi(include_bytes!("openapi.json"))
            .expect("the bundled document is read by a test")
    }

    /// The collection with this name, in any capitals (`vo2_max` finds `vO2_max`).
    pub fn get(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name.eq_ignore_ascii_case(name))
    }

    /// Changes whenever anything that shapes stored tables changes.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = serde_json::to_vec(&self.collections).expect("a catalogue is plain data");
        hex(&Sha256::digest(text)[..16])
    }
}
