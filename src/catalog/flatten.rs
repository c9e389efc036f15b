//! Conversion of a document's shape into columns and series.

use std::collections::HashSet;

use super::overlay::{self, Facts};
use super::schema::Shape;
use super::skipped::field_skip_reason;
use super::{Column, Encoding, Kind, Series, Storage};

/// The most columns, and the most series, of a table. Queries can read 500 columns; Oura's widest
/// table has about fifty.
const MAX_COLUMNS: usize = 500;

/// The longest path of a field in bytes. Oura's longest has about fifty.
const MAX_PATH: usize = 200;

/// The fields of an object that is a series.
const SAMPLE_FIELDS: [&str; 3] = ["interval", "items", "timestamp"];

/// Collects the columns and series of one collection.
pub(super) struct Flattener<'a> {
    table: &'a str,
    facts: Facts,
    /// The column names in use, in lower case.
    names: HashSet<String>,
    columns: Vec<Column>,
    series: Vec<Series>,
}

impl<'a> Flattener<'a> {
    /// Creates a flattener for the table of one collection.
    pub(super) fn new(table: &'a str, facts: Facts) -> Flattener<'a> {
        let reserved: &[&str] = match facts.storage {
            Storage::Documents => &["document", "time", "day", "utc_offset"],
            Storage::Rows => &["time", "extra", "subsecond"],
        };
        Flattener {
            table,
            facts,
            names: reserved.iter().map(|name| (*name).to_owned()).collect(),
            columns: Vec::new(),
            series: Vec::new(),
        }
    }

    /// Returns the columns and series of documents with the shape `item`.
    pub(super) fn flatten(mut self, item: &Shape) -> (Vec<Column>, Vec<Series>) {
        if let Shape::Object(fields) = item {
            for (name, shape) in fields {
                if field_skip_reason(name, self.facts.storage).is_none() {
                    self.add_field(vec![name.clone()], shape);
                }
            }
        }
        for (name, kind) in self.facts.live_only {
            if item.field(name).is_none() {
                self.add_column(vec![(*name).to_owned()], *kind);
            }
        }
        (self.columns, self.series)
    }

    fn add_field(&mut self, path: Vec<String>, shape: &Shape) {
        if path.iter().map(String::len).sum::<usize>() > MAX_PATH {
            return;
        }
        if let Shape::Object(fields) = shape {
            let is_series = SAMPLE_FIELDS.iter().all(|name| shape.field(name).is_some());
            for (name, shape) in fields {
                // Other fields of a series are columns.
                if !is_series || !SAMPLE_FIELDS.contains(&name.as_str()) {
                    self.add_field(path.iter().chain([name]).cloned().collect(), shape);
                }
            }
            if is_series {
                self.add_series(path, Encoding::Sample);
            }
            return;
        }
        match (shape.kind(), digit_interval(&path)) {
            (Kind::Text, Some(interval)) => {
                let codes = overlay::codes(&path[path.len() - 1]);
                self.add_series(path, Encoding::Digits { interval, codes });
            }
            (kind, _) => self.add_column(path, kind),
        }
    }

    fn add_column(&mut self, path: Vec<String>, kind: Kind) {
        if self.columns.len() == MAX_COLUMNS {
            return;
        }
        let facts = self.facts.field(&path.join("_"));
        let name = self.unique_name(&path);
        self.columns.push(Column {
            name,
            path,
            kind,
            unit: facts.unit,
            description: facts.description,
            sentinel: facts.sentinel,
        });
    }

    fn add_series(&mut self, path: Vec<String>, encoding: Encoding) {
        let facts = self.facts.field(&path.join("_"));
        let name = format!("{}.{}", self.table, identifier(&path));
        let is_new = self.series.iter().all(|series| series.name != name);
        if is_new && self.series.len() < MAX_COLUMNS {
            self.series.push(Series {
                name,
                path,
                encoding,
                unit: facts.unit,
                description: facts.description,
            });
        }
    }

    /// Returns a column name that is unique in the table. SQLite ignores the case of names.
    fn unique_name(&mut self, path: &[String]) -> String {
        let mut name = identifier(path);
        while !self.names.insert(name.to_ascii_lowercase()) {
            name.push('_');
        }
        name
    }
}

fn identifier(path: &[String]) -> String {
    let name = path.join("_");
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect()
}

/// Returns the seconds per digit of a field named like `sleep_phase_5_min` or `movement_30_sec`.
fn digit_interval(path: &[String]) -> Option<u32> {
    let mut words = path.last()?.rsplit('_');
    let unit_seconds = match words.next()? {
        "sec" => 1,
        "min" => 60,
        _ => return None,
    };
    let count: u32 = words.next()?.parse().ok()?;
    let interval = count.checked_mul(unit_seconds)?;
    (1..=86_400).contains(&interval).then_some(interval)
}
