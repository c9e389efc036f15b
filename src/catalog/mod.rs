//! The catalogue of Oura's API: collections, columns, units and series.
//!
//! Collections and fields come from Oura's OpenAPI document. The hand-written overlay adds the
//! facts that the document lacks: units, scopes, keys, sentinels and digit codes. The catalogue
//! also defines the names and column types of the tables that the store creates.

mod contract;
mod diff;
mod document;
mod flatten;
mod json;
mod lenient;
mod openapi;
mod overlay;
#[cfg(test)]
pub(crate) use overlay::STORE_TABLES;
mod reduce;
mod samples;
mod schema;
mod show;
mod skipped;
mod upgrade;

pub use contract::{Contract, Presence};
pub use diff::Change;
pub use document::{Cell, DocumentError, Reading, peek_id};
pub use lenient::{Fault, JsonScanner, MAX_DOCUMENT_BYTES, ParsedDocument, parse_document};
pub use openapi::CatalogError;
pub use reduce::reduce;
pub use samples::SamplePoint;
pub use skipped::path_skip_reason;
pub use upgrade::UpgradeError;

use serde::Serialize;

use crate::format::hex;

/// Every collection of one version of Oura's API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Catalog {
    /// The API version, for example `1.43`. Reduced documents contain it. Published documents
    /// contain `2.0` in every version, so the caller sets it from the file name.
    pub version: String,
    /// The collections, sorted by name.
    pub collections: Vec<Collection>,
}

/// One collection: the path `GET /v2/usercollection/<name>`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collection {
    /// The name in the path, for example `vO2_max`.
    pub name: String,
    /// The name of the typed table: the collection's name in lower case.
    pub table: String,
    /// The path, for example `/v2/usercollection/vO2_max`.
    pub path: String,
    /// The parameters of a request.
    pub style: Style,
    /// The form of storage.
    pub storage: Storage,
    /// The identity of a document.
    pub key: KeyRule,
    /// The time of a document.
    pub time: TimeRule,
    /// The required OAuth scope. Taken from live accounts, because the document lacks it.
    pub scope: Option<&'static str>,
    /// The longest range of one request in days; `u32::MAX` if requests have no range.
    pub max_window_days: u32,
    /// A noun phrase for the query editor; empty for unknown collections.
    pub description: &'static str,
    /// One column for each scalar field, in document order, without skipped fields. The names of
    /// nested fields are joined with `_`.
    pub columns: Vec<Column>,
    /// The nested series.
    pub series: Vec<Series>,
}

/// The parameters of a collection's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `start_date` and `end_date`, with pages.
    Dates,
    /// `start_datetime` and `end_datetime`, with pages.
    Datetimes,
    /// No range: the pages contain all documents.
    TokenOnly,
    /// No parameters: the response is one object without an envelope.
    Singleton,
}

impl Style {
    /// The longest range in days. Oura rejects more than 30 days of heart rate and accepts years of
    /// daily documents. These limits are well below.
    fn max_window_days(self) -> u32 {
        match self {
            Style::Dates => 90,
            Style::Datetimes => 28,
            Style::TokenOnly | Style::Singleton => u32::MAX,
        }
    }
}

/// The form in which a collection is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// Raw documents, and typed rows and samples derived from them.
    Documents,
    /// Typed rows only, for high-rate data. Unknown fields go into the column `extra`.
    Rows,
}

/// The days on which a collection gets documents. They decide whether a day without any is a gap.
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
    /// Returns the rule for the collection `name` from the overlay. Unknown collections with the
    /// prefix `daily_` count as recorded while worn.
    pub fn of(name: &str) -> Recorded {
        overlay::recorded(name)
    }

    /// Whether the ring records documents every day, so that a day without documents is a gap.
    pub fn is_daily(self) -> bool {
        self != Recorded::Occasionally
    }
}

/// The identity of a document within its collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRule {
    /// `id`, otherwise `day`, otherwise the start of the document.
    Document,
    /// The values of these fields together.
    Fields(Vec<&'static str>),
}

/// The top-level fields with a document's time. The first valid field of each list is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TimeRule {
    /// Fields with the day.
    pub day: &'static [&'static str],
    /// Fields with the start.
    pub start: &'static [&'static str],
    /// Fields with the end.
    pub end: &'static [&'static str],
}

/// One typed column of a collection's table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// The name, unique within the table, for example `contributors_deep_sleep`.
    pub name: String,
    /// The path in the document, for example `["contributors", "deep_sleep"]`.
    pub path: Vec<String>,
    /// The type of the values.
    pub kind: Kind,
    /// The unit; `None` for scores, counts and texts.
    pub unit: Option<Unit>,
    /// A noun phrase for the query editor; empty for unknown fields.
    pub description: &'static str,
    /// The placeholder that Oura sends for a missing value, such as 255 for `lowest_heart_rate`. It
    /// is NULL in the table and unchanged in the raw document.
    pub sentinel: Option<i64>,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Integers.
    Integer,
    /// Floating-point numbers.
    Real,
    /// Texts.
    Text,
    /// 0 or 1.
    Boolean,
    /// Days as `YYYY-MM-DD`.
    Day,
    /// Instants as Unix seconds.
    Instant,
    /// JSON text: arrays and objects without known fields.
    Json,
}

impl Kind {
    /// Returns the declared type of the SQLite column. Query results are typed by it.
    pub fn sqlite_type(self) -> &'static str {
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

/// The unit of a value: a Grafana unit ID (`s`, `lengthm`, `celsius`, `percent`, …), or a suffix
/// such as `suffix:bpm`. Grafana adds the space before a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Unit(pub &'static str);

/// A nested series of values with a fixed interval. Its points are rows of `samples`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Table and field, for example `sleep.heart_rate`.
    pub name: String,
    /// The path in the document.
    pub path: Vec<String>,
    /// The form of the points in the document.
    pub encoding: Encoding,
    /// The unit; `None` for counts and codes.
    pub unit: Option<Unit>,
    /// A noun phrase for the query editor; empty for unknown fields.
    pub description: &'static str,
}

/// The form of a series in its document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// `{"interval": seconds, "items": [number|null], "timestamp": start}`. Null items are gaps.
    Sample,
    /// A text with one digit per interval, from the document's start.
    Digits {
        /// Seconds per digit.
        interval: u32,
        /// The meaning of each digit; empty for unknown fields.
        codes: &'static [(u8, &'static str)],
    },
}

impl Catalog {
    /// Returns the catalogue of the newest API version at build time. It is used until a newer
    /// specification is fetched.
    pub fn bundled() -> Catalog {
        Catalog::from_openapi(include_bytes!("openapi.json")).expect("a test parses this document")
    }

    /// Returns the collection with this name. Ignores case: `vo2_max` finds `vO2_max`.
    pub fn get(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name.eq_ignore_ascii_case(name))
    }

    /// Returns a hash of everything that defines the stored tables, as 32 hex digits.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = serde_json::to_vec(&self.collections).expect("a catalogue is serializable");
        hex(&Sha256::digest(text)[..16])
    }
}
