//! Reading of one document by the rules of its collection: identity, time and typed values.
//!
//! Documents are external input, so [`DocumentError`] is the only error, and no content causes a
//! panic. Values that cannot be read become null; raw documents still contain them.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::lenient::MAX_DOCUMENT_BYTES;
use super::{Collection, Column, KeyRule, Kind, Storage, Style};
use crate::format::hex;
use crate::time::{Day, Instant, Stamp, Tz};

/// The longest text or JSON of a typed cell in bytes. A thousand of them fit into a query's memory.
const MAX_CELL_BYTES: usize = 16 << 10;
/// The longest id in bytes. A longer one is replaced by its hash.
const MAX_ID_BYTES: usize = 512;
/// The field with the day of a document that has no other readable day.
const LAST_RESORT_DAY: &str = "timestamp";

/// The identity and the time of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The ID, unique within the collection.
    pub id: String,
    /// Whether `id` comes from the day or the start, because the document has none. Other documents
    /// of the day may have the same one.
    pub is_id_derived: bool,
    /// The day in the document, otherwise the local day of `start_at`.
    pub day: Option<Day>,
    /// The start, otherwise the local midnight of `day`.
    pub start_at: Option<Instant>,
    /// The fraction of the start's second, in nanoseconds.
    pub subsecond: u32,
    /// The end.
    pub end_at: Option<Instant>,
    /// Seconds east of UTC, from the timestamp of `start_at`.
    pub utc_offset: Option<i32>,
}

/// A value of a typed column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Missing, a sentinel, or not readable.
    Null,
    /// An integer, a boolean as 0 or 1, or an instant in Unix seconds.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text, a day or JSON.
    Text(String),
}

/// The reason why a document cannot be stored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError {
    /// The document is another JSON value.
    #[error("the document is not a JSON object")]
    NotAnObject,
    /// The document has no identity.
    #[error("the document has neither an id nor a day nor a timestamp")]
    NoKey,
}

impl Collection {
    /// Reads the identity and the time of `document`. Timestamps without an offset are local to
    /// `zone`.
    ///
    /// The [`Reading::id`] of a row is its key fields joined with `|`, with timestamps in the form
    /// `2026-11-24T03:02:28Z`. A row without a valid timestamp has no key.
    ///
    /// A document without a readable day has the day of its `timestamp`.
    pub fn read(&self, document: &Value, zone: Tz) -> Result<Reading, DocumentError> {
        let fields = document.as_object().ok_or(DocumentError::NotAnObject)?;
        let start = self.first_timestamp(fields, self.time.start, zone);
        let end = self.first_timestamp(fields, self.time.end, zone);
        let own_day = self.time.day.iter().find_map(|name| parse_day(fields.get(*name)?));
        let day = own_day
            .or_else(|| start.map(|start| start.at.day(zone)))
            .or_else(|| parse_day(fields.get(LAST_RESORT_DAY)?));
        let start_at = start.map(|start| start.at);
        let own_id = read_id(fields);
        let id = match &self.key {
            KeyRule::Document => own_id.clone().or_else(|| self.derive_id(own_day, start_at)),
            KeyRule::Fields(_) if start.is_none() => None,
            KeyRule::Fields(names) => self.row_key(fields, names, zone),
        };
        Ok(Reading {
            id: id.ok_or(DocumentError::NoKey)?,
            is_id_derived: own_id.is_none(),
            day,
            start_at: start_at.or_else(|| day.map(|day| day.midnight(zone))),
            subsecond: start.map_or(0, |start| start.subsecond),
            end_at: end.map(|end| end.at),
            utc_offset: start.and_then(|start| start.offset),
        })
    }

    /// Returns one cell for each of [`Collection::columns`].
    ///
    /// A cell has the type of its column, or is null: missing values, sentinels, and values of
    /// another type. A number in quotes is a number, and an integer column may hold floats.
    ///
    /// A text of more than 16 KiB is shortened. JSON of that size is null.
    pub fn cells(&self, document: &Value, zone: Tz) -> Vec<Cell> {
        self.columns
            .iter()
            .map(|column| {
                find(document, &column.path).map_or(Cell::Null, |value| column.cell(value, zone))
            })
            .collect()
    }

    /// Returns the top-level fields that `cells` do not hold completely as one JSON object: fields
    /// without a column, values of another type than their column, and instants with a fraction of
    /// a second. Null if none exist.
    pub fn extra(&self, document: &Value, cells: &[Cell]) -> Cell {
        let Some(fields) = document.as_object() else { return Cell::Null };
        let mut extra = Map::new();
        for (name, value) in fields {
            let is_held = || self.is_held(&[name], value, cells, fields);
            if self.field_skip_reason(name).is_none() && !is_held() {
                extra.insert(name.clone(), value.clone());
            }
        }
        if extra.is_empty() { Cell::Null } else { canonical_cell(&extra.into()) }
    }

    /// Whether the columns, or for documents the series, hold all of the value at `path`.
    fn is_held(
        &self,
        path: &[&str],
        value: &Value,
        cells: &[Cell],
        document: &Map<String, Value>,
    ) -> bool {
        let mut has_columns_below = false;
        for (column, cell) in self.columns.iter().zip(cells) {
            if column.path.iter().zip(path).any(|(one, other)| one != other) {
                continue;
            }
            if column.path.len() == path.len() {
                return self.is_held_by(column, cell, value, document);
            }
            has_columns_below = true;
        }
        match value {
            Value::Null if has_columns_below => true,
            Value::Object(fields) if has_columns_below => fields.iter().all(|(name, value)| {
                self.is_held(&[path, &[name.as_str()]].concat(), value, cells, document)
            }),
            _ => {
                self.storage == Storage::Documents
                    && self.series.iter().any(|series| series.path[0] == path[0])
            }
        }
    }

    fn is_held_by(
        &self,
        column: &Column,
        cell: &Cell,
        value: &Value,
        document: &Map<String, Value>,
    ) -> bool {
        match cell {
            Cell::Null => value.is_null() || column.is_missing(value),
            _ if column.kind == Kind::Instant => {
                let stamp = parse_stamp(value, Tz::UTC).filter(|stamp| stamp.subsecond > 0);
                // The fraction of the start is in `subsecond`.
                stamp.is_none_or(|stamp| {
                    let start = self.first_timestamp(document, self.time.start, Tz::UTC);
                    start.is_some_and(|start| {
                        (start.at, start.subsecond) == (stamp.at, stamp.subsecond)
                    })
                })
            }
            _ => true,
        }
    }

    /// Returns the first valid timestamp in the top-level fields `names`. Sentinels are not valid.
    fn first_timestamp(
        &self,
        fields: &Map<String, Value>,
        names: &[&str],
        zone: Tz,
    ) -> Option<Stamp> {
        names.iter().find_map(|name| {
            let stamp = parse_stamp(fields.get(*name)?, zone)?;
            let column = self.columns.iter().find(|column| column.path == [*name]);
            let sentinel = column.and_then(|column| column.sentinel);
            (sentinel != Some(stamp.at.seconds())).then_some(stamp)
        })
    }

    /// The identity of a document without an id.
    fn derive_id(&self, day: Option<Day>, start: Option<Instant>) -> Option<String> {
        if let Some(day) = day {
            return Some(day.to_string());
        }
        if let Some(start) = start {
            return Some(start.to_string());
        }
        let has_one_document = self.style == Style::Singleton && self.storage == Storage::Documents;
        has_one_document.then(|| self.name.clone())
    }

    fn row_key(&self, fields: &Map<String, Value>, names: &[&str], zone: Tz) -> Option<String> {
        let parts: Vec<String> =
            names.iter().map(|name| self.row_key_part(fields, name, zone)).collect();
        let key = parts.join("|");
        (!key.is_empty()).then_some(key)
    }

    fn row_key_part(&self, fields: &Map<String, Value>, name: &str, zone: Tz) -> String {
        let value = match fields.get(name) {
            None | Some(Value::Null) => return String::new(),
            Some(value) => value,
        };
        // Numbers are timestamps only in time fields.
        if (value.is_string() || self.time.start.contains(&name))
            && let Some(stamp) = parse_stamp(value, zone)
        {
            return stamp.to_string();
        }
        match value {
            Value::String(text) => text.clone(),
            other => canonical_text(other),
        }
    }
}

/// Returns the id in the bytes of a document without parsing the rest. `None` if that takes a
/// closer look.
pub fn peek_id(document: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Identified {
        id: String,
    }
    if document.len() > MAX_DOCUMENT_BYTES {
        return None;
    }
    let Identified { id } = serde_json::from_slice(document).ok()?;
    is_plain_id(&id).then_some(id)
}

fn is_plain_id(id: &str) -> bool {
    !id.trim().is_empty() && id.len() <= MAX_ID_BYTES
}

/// Returns the id in a document, if it has one.
fn read_id(fields: &Map<String, Value>) -> Option<String> {
    match fields.get("id")? {
        Value::String(id) if is_plain_id(id) => Some(id.clone()),
        Value::String(id) if !id.trim().is_empty() => {
            Some(format!("sha256:{}", hex(&Sha256::digest(id)[..16])))
        }
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Returns the value at `path`, if it exists.
pub(super) fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, name| value.get(name.as_str()))
}

impl Column {
    fn cell(&self, value: &Value, zone: Tz) -> Cell {
        let cell = self.cell_with_sentinel(value, zone);
        if self.is_sentinel(&cell) { Cell::Null } else { cell }
    }

    fn is_sentinel(&self, cell: &Cell) -> bool {
        self.sentinel.is_some_and(|sentinel| {
            *cell == Cell::Integer(sentinel) || *cell == Cell::Real(sentinel as f64)
        })
    }

    /// Whether `value` is the placeholder for a missing value.
    fn is_missing(&self, value: &Value) -> bool {
        self.is_sentinel(&self.cell_with_sentinel(value, Tz::UTC))
    }

    fn cell_with_sentinel(&self, value: &Value, zone: Tz) -> Cell {
        match (self.kind, value) {
            (_, Value::Null) => Cell::Null,
            (Kind::Json, value) => canonical_cell(value),
            (Kind::Day, value) => {
                parse_day(value).map_or(Cell::Null, |day| Cell::Text(day.to_string()))
            }
            (Kind::Instant, value) => parse_stamp(value, zone)
                .map_or(Cell::Null, |stamp| Cell::Integer(stamp.at.seconds())),
            (Kind::Text, Value::String(text)) => Cell::Text(shorten(text)),
            (Kind::Text, value) => canonical_cell(value),
            (Kind::Boolean, value) => {
                parse_boolean(value).map_or(Cell::Null, |value| Cell::Integer(value.into()))
            }
            (Kind::Integer, Value::Number(number)) if number.is_i64() => {
                number.as_i64().map_or(Cell::Null, Cell::Integer)
            }
            (Kind::Integer, Value::String(text)) if let Ok(number) = text.trim().parse() => {
                Cell::Integer(number)
            }
            (Kind::Integer | Kind::Real, value) => {
                parse_number(value).map_or(Cell::Null, Cell::Real)
            }
        }
    }
}

/// Reads a finite number, which may be in quotes.
pub(super) fn parse_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// Reads a boolean, 0 or 1, which may be in quotes.
fn parse_boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        value => match parse_number(value)? {
            0.0 => Some(false),
            1.0 => Some(true),
            _ => None,
        },
    }
}

/// Cuts a text after 16 KiB. An ellipsis replaces the rest.
fn shorten(text: &str) -> String {
    if text.len() <= MAX_CELL_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_CELL_BYTES - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// JSON text with sorted keys. Null if it is too long, because a part of it is not JSON.
fn canonical_cell(value: &Value) -> Cell {
    let text = canonical_text(value);
    if text.len() > MAX_CELL_BYTES { Cell::Null } else { Cell::Text(text) }
}

/// Renders JSON with sorted keys: a document with reordered keys has the same cells.
fn canonical_text(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

/// Parses a timestamp: a text, or a number of Unix seconds or milliseconds, which may be in quotes.
pub(super) fn parse_stamp(value: &Value, zone: Tz) -> Option<Stamp> {
    let stamp = value.as_str().and_then(|text| Stamp::parse(text, zone).ok());
    stamp.or_else(|| Stamp::of_count(parse_number(value)?))
}

/// Parses a day: a text, the local date of a timestamp with its time, or Unix seconds or
/// milliseconds of an instant of that day in UTC.
fn parse_day(value: &Value) -> Option<Day> {
    let Some(text) = value.as_str() else {
        return Some(Stamp::of_count(parse_number(value)?)?.at.day(Tz::UTC));
    };
    let text = text.trim();
    text.parse().ok().or_else(|| {
        Stamp::parse(text, Tz::UTC).ok()?;
        text.get(..10)?.parse().ok()
    })
}
