//! Reading one document by its collection's rules: what identifies it, where it lies in time, its values.
//!
//! Documents come from outside: nothing here may fail on odd ones, let alone panic. What cannot be read is null; raw documents keep it.

use serde_json::{Map, Number, Value};

use super::{Collection, Column, KeyRule, Kind, Storage, Style};
use crate::time::{Day, Instant, Stamp, Tz};

/// What a document says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Unique within the collection.
    pub id: String,
    /// The day Oura files it under; without one, the local day of `start_at`.
    pub day: Option<Day>,
    /// The start, else local midnight of `day`.
    pub start_at: Option<Instant>,
    pub end_at: Option<Instant>,
    /// Seconds east of UTC, from the timestamp that gave `start_at`.
    pub utc_offset: Option<i32>,
}

/// A value of a typed column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// Why a document cannot be kept under its collection.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DocumentError {
    #[error("the document is not a JSON object")]
    NotAnObject,
    #[error("the document has neither an id nor a day nor a timestamp")]
    NoKey,
}

impl Collection {
    /// The identity and the place in time of `document`; timestamps without an offset are local to `zone`.
    ///
    /// A row's [`Reading::id`] is its key fields joined with `|`, timestamps as `2026-11-24T03:02:28Z` however they were written; a row
    /// without a readable timestamp has no key.
    pub fn read(&self, document: &Value, zone: Tz) -> Result<Reading, DocumentError> {
        let fields = document.as_object().ok_or(DocumentError::NotAnObject)?;
        let start = self.time.start.iter().find_map(|name| self.moment(fields, name, zone));
        let filed = self.time.day.iter().find_map(|name| day(fields.get(*name)?));
        let day = filed.or_else(|| start.map(|start| start.at.day(zone)));
        let start_at = start.map(|start| start.at).or_else(|| day.map(|day| day.midnight(zone)));
        let id = match &self.key {
            KeyRule::Document => self.document_key(fields, filed, start.map(|start| start.at)),
            KeyRule::Fields(names) => start.and_then(|_| self.row_key(fields, names, zone)),
        };
        Ok(Reading {
            id: id.ok_or(DocumentError::NoKey)?,
            day,
            start_at,
            end_at: self
                .time
                .end
                .iter()
                .find_map(|name| self.moment(fields, name, zone))
                .map(|end| end.at),
            utc_offset: start.and_then(|start| start.offset),
        })
    }

    /// One cell for each of [`Collection::columns`]; a value of another type than declared is kept if SQLite can (a float in an integer
    /// column, a number in a text column), else as JSON text; sentinels, what is missing, and days and instants that cannot be read are
    /// null.
    pub fn cells(&self, document: &Value, zone: Tz) -> Vec<Cell> {
        self.columns
            .iter()
            .map(|column| {
                find(document, &column.path).map_or(Cell::Null, |value| column.cell(value, zone))
            })
            .collect()
    }

    /// The top-level fields that no column and no series takes, as one JSON object; null when there are none.
    pub fn extra(&self, document: &Value) -> Cell {
        let taken = |name: &str| {
            let mut paths = self
                .columns
                .iter()
                .map(|column| &column.path)
                .chain(self.series.iter().map(|series| &series.path));
            self.skipped_field(name).is_some()
                || paths.any(|path| path.first().is_some_and(|first| first == name))
        };
        let Some(fields) = document.as_object() else { return Cell::Null };
        let left: Map<String, Value> = fields
            .iter()
            .filter(|(name, _)| !taken(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if left.is_empty() { Cell::Null } else { Cell::Text(Value::Object(left).to_string()) }
    }

    /// The timestamp in the top-level field `name`, unless it is that column's way of saying "none".
    fn moment(&self, fields: &Map<String, Value>, name: &str, zone: Tz) -> Option<Stamp> {
        let stamp = stamp(fields.get(name)?, zone)?;
        let sentinel = self
            .columns
            .iter()
            .find(|column| column.path == [name])
            .and_then(|column| column.sentinel);
        (sentinel != Some(stamp.at.seconds())).then_some(stamp)
    }

    fn document_key(
        &self,
        fields: &Map<String, Value>,
        day: Option<Day>,
        start: Option<Instant>,
    ) -> Option<String> {
        let id = match fields.get("id") {
            Some(Value::String(id)) if !id.trim().is_empty() => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        id.or_else(|| day.map(|day| day.to_string()))
            .or_else(|| start.map(|start| start.to_string()))
            // There is only one of it.
            .or_else(|| {
                (self.style == Style::Singleton && self.storage == Storage::Documents)
                    .then(|| self.name.clone())
            })
    }

    fn row_key(&self, fields: &Map<String, Value>, names: &[&str], zone: Tz) -> Option<String> {
        let part = |name: &&str| match fields.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(value) => {
                // A number may be a time only where a time belongs.
                let stamp = if value.is_string() || self.time.start.contains(name) {
                    stamp(value, zone)
                } else {
                    None
                };
                let plain = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                stamp.map_or_else(plain, |stamp| stamp.at.to_string())
            }
        };
        let key = names.iter().map(part).collect::<Vec<_>>().join("|");
        (!key.is_empty()).then_some(key)
    }
}

/// The value at the end of `path`.
pub(super) fn find<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, name| value.get(name.as_str()))
}

impl Column {
    fn cell(&self, value: &Value, zone: Tz) -> Cell {
        let cell = match (self.kind, value) {
            (_, Value::Null) => Cell::Null,
            (Kind::Json, value) => Cell::Text(value.to_string()),
            (Kind::Day, value) => day(value).map_or(Cell::Null, |day| Cell::Text(day.to_string())),
            (Kind::Instant, value) => {
                stamp(value, zone).map_or(Cell::Null, |stamp| Cell::Integer(stamp.at.seconds()))
            }
            (_, Value::String(text)) => Cell::Text(text.clone()),
            (Kind::Text, value) => Cell::Text(value.to_string()),
            (_, Value::Bool(value)) => Cell::Integer((*value).into()),
            (kind, Value::Number(number)) => match (kind, number.as_i64(), number.as_f64()) {
                (Kind::Integer | Kind::Boolean, Some(value), _) => Cell::Integer(value),
                (_, _, Some(value)) => Cell::Real(value),
                (_, _, None) => Cell::Null,
            },
            (_, value @ (Value::Array(_) | Value::Object(_))) => Cell::Text(value.to_string()),
        };
        if self.sentinel.is_some_and(|sentinel| {
            cell == Cell::Integer(sentinel) || cell == Cell::Real(sentinel as f64)
        }) {
            Cell::Null
        } else {
            cell
        }
    }
}

/// A timestamp as text, or as Unix seconds or milliseconds.
pub(super) fn stamp(value: &Value, zone: Tz) -> Option<Stamp> {
    match value {
        Value::String(text) => Stamp::parse(text, zone).ok(),
        Value::Number(number) => {
            Some(Stamp { at: Instant::of_count(count(number)?)?, offset: None })
        }
        _ => None,
    }
}

/// A day as text, or as Unix seconds or milliseconds of a moment of it in UTC.
fn day(value: &Value) -> Option<Day> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => Some(Instant::of_count(count(number)?)?.day(Tz::UTC)),
        _ => None,
    }
}

/// Without its fraction.
fn count(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
}
