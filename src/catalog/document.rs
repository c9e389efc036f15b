//! Reading of one document by the rules of its collection: identity, time and typed values.
//!
//! Documents are external input, so [`DocumentError`] is the only error, and no content causes a
//! panic. Values that cannot be read become null; raw documents still contain them.

use serde_json::{Map, Number, Value};

use super::{Collection, Column, KeyRule, Kind, Storage, Style};
use crate::time::{Day, Instant, Stamp, Tz};

/// The identity and the time of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The ID, unique within the collection.
    pub id: String,
    /// The day in the document, otherwise the local day of `start_at`.
    pub day: Option<Day>,
    /// The start, otherwise the local midnight of `day`.
    pub start_at: Option<Instant>,
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
    pub fn read(&self, document: &Value, zone: Tz) -> Result<Reading, DocumentError> {
        let fields = document.as_object().ok_or(DocumentError::NotAnObject)?;
        let start = self.first_timestamp(fields, self.time.start, zone);
        let end = self.first_timestamp(fields, self.time.end, zone);
        let own_day = self.time.day.iter().find_map(|name| parse_day(fields.get(*name)?));
        let day = own_day.or_else(|| start.map(|start| start.at.day(zone)));
        let start_at = start.map(|start| start.at);
        let id = match &self.key {
            KeyRule::Document => self.document_key(fields, own_day, start_at),
            KeyRule::Fields(_) if start.is_none() => None,
            KeyRule::Fields(names) => self.row_key(fields, names, zone),
        };
        Ok(Reading {
            id: id.ok_or(DocumentError::NoKey)?,
            day,
            start_at: start_at.or_else(|| day.map(|day| day.midnight(zone))),
            end_at: end.map(|end| end.at),
            utc_offset: start.and_then(|start| start.offset),
        })
    }

    /// Returns one cell for each of [`Collection::columns`].
    ///
    /// A value of another type than declared is stored unchanged if SQLite supports it, for example
    /// a float in an integer column, and otherwise as JSON text. Missing values, sentinels and
    /// invalid days and instants are null.
    pub fn cells(&self, document: &Value, zone: Tz) -> Vec<Cell> {
        self.columns
            .iter()
            .map(|column| {
                find(document, &column.path).map_or(Cell::Null, |value| column.cell(value, zone))
            })
            .collect()
    }

    /// Returns the top-level fields without a column or series as one JSON object; null if none
    /// exist.
    pub fn extra(&self, document: &Value) -> Cell {
        let mut extra = Map::new();
        for (name, value) in document.as_object().into_iter().flatten() {
            if self.field_skip_reason(name).is_none() && !self.is_mapped(name) {
                extra.insert(name.clone(), value.clone());
            }
        }
        if extra.is_empty() { Cell::Null } else { Cell::Text(canonical_text(&extra.into())) }
    }

    /// Whether a column or a series contains the top-level field `name`.
    fn is_mapped(&self, name: &str) -> bool {
        let columns = self.columns.iter().map(|column| &column.path);
        let series = self.series.iter().map(|series| &series.path);
        columns.chain(series).any(|path| path.first().is_some_and(|first| first == name))
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

    fn document_key(
        &self,
        fields: &Map<String, Value>,
        day: Option<Day>,
        start: Option<Instant>,
    ) -> Option<String> {
        match fields.get("id") {
            Some(Value::String(id)) if !id.trim().is_empty() => return Some(id.clone()),
            Some(Value::Number(id)) => return Some(id.to_string()),
            _ => {}
        }
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
            return stamp.at.to_string();
        }
        match value {
            Value::String(text) => text.clone(),
            other => canonical_text(other),
        }
    }
}

/// Returns the value at `path`, if it exists.
pub(super) fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, name| value.get(name.as_str()))
}

impl Column {
    fn cell(&self, value: &Value, zone: Tz) -> Cell {
        let cell = self.cell_with_sentinel(value, zone);
        let is_sentinel = self.sentinel.is_some_and(|sentinel| {
            cell == Cell::Integer(sentinel) || cell == Cell::Real(sentinel as f64)
        });
        if is_sentinel { Cell::Null } else { cell }
    }

    fn cell_with_sentinel(&self, value: &Value, zone: Tz) -> Cell {
        match (self.kind, value) {
            (_, Value::Null) => Cell::Null,
            (Kind::Json, value) => Cell::Text(canonical_text(value)),
            (Kind::Day, value) => {
                parse_day(value).map_or(Cell::Null, |day| Cell::Text(day.to_string()))
            }
            (Kind::Instant, value) => parse_stamp(value, zone)
                .map_or(Cell::Null, |stamp| Cell::Integer(stamp.at.seconds())),
            (_, Value::String(text)) => Cell::Text(text.clone()),
            (Kind::Text, value) => Cell::Text(canonical_text(value)),
            (_, Value::Bool(value)) => Cell::Integer((*value).into()),
            (kind, Value::Number(number)) => number_cell(kind, number),
            (_, value @ (Value::Array(_) | Value::Object(_))) => Cell::Text(canonical_text(value)),
        }
    }
}

fn number_cell(kind: Kind, number: &Number) -> Cell {
    if matches!(kind, Kind::Integer | Kind::Boolean)
        && let Some(value) = number.as_i64()
    {
        return Cell::Integer(value);
    }
    number.as_f64().map_or(Cell::Null, Cell::Real)
}

/// Renders JSON with sorted keys: a document with reordered keys has the same cells.
fn canonical_text(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

/// Parses a timestamp: a text, or a number of Unix seconds or milliseconds.
pub(super) fn parse_stamp(value: &Value, zone: Tz) -> Option<Stamp> {
    match value {
        Value::String(text) => Stamp::parse(text, zone).ok(),
        Value::Number(number) => {
            Some(Stamp { at: Instant::of_count(truncate(number)?)?, offset: None })
        }
        _ => None,
    }
}

/// Parses a day: a text, or Unix seconds or milliseconds of an instant of that day in UTC.
fn parse_day(value: &Value) -> Option<Day> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => Some(Instant::of_count(truncate(number)?)?.day(Tz::UTC)),
        _ => None,
    }
}

/// Returns the number without its fraction.
fn truncate(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
}
