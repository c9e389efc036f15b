//! Reading one document by its collection's rules: what identifies it, where it lies in time, its values and its samples.

use serde_json::Value;

use super::Collection;
use crate::time::{Day, Instant, Tz};

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

/// One point of a series: `series` is an index into [`Collection::series`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplePoint {
    pub series: usize,
    pub at: Instant,
    pub value: f64,
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
    pub fn read(&self, document: &Value, zone: Tz) -> Result<Reading, DocumentError> {
        let _ = (document, zone);
        todo!()
    }

    /// One cell for each of [`Collection::columns`]; a value of another type than declared is kept if SQLite can (a float in an integer
    /// column, a number in a text column), else as JSON text; sentinels and what is missing are null.
    pub fn cells(&self, document: &Value, zone: Tz) -> Vec<Cell> {
        let _ = (document, zone);
        todo!()
    }

    /// The points of every series, in order; gaps are left out. `start_at` anchors digit strings.
    pub fn samples(&self, document: &Value, start_at: Option<Instant>, zone: Tz) -> Vec<SamplePoint> {
        let _ = (document, start_at, zone);
        todo!()
    }

    /// The top-level fields that no column and no series takes, as one JSON object; null when there are none.
    pub fn extra(&self, document: &Value) -> Cell {
        let _ = document;
        todo!()
    }
}
