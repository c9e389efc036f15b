//! Storing the rows of a window, such as heart rate: upserts into the typed table, and removal of
//! rows that Oura no longer returns.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use rusqlite::Transaction;
use rusqlite::types::ValueRef;
use serde_json::Value;

use super::calendar::day_at;
use super::changes::ChangedMonths;
use super::derive::bind;
use super::error::StoreError;
use super::tables::{row_columns, row_key};
use super::window::WriteStats;
use super::window_writer::{Received, RowFault, WindowWriter};
use super::{collections, rollups};
use crate::catalog::{Cell, Collection, Kind};
use crate::sql::quote_identifier;
use crate::time::{Day, Instant, Tz};

/// The length in bytes up to which the columns of a row, and its `extra`, hold all of it.
const MAX_ROW_BYTES: usize = 2 << 10;

/// The stored form of a missing key column.
static EMPTY: Cell = Cell::Text(String::new());

/// A row of the response.
struct ReceivedRow {
    time: i64,
    subsecond: u32,
    cells: Vec<Cell>,
    extra: Cell,
    /// The hash of the key.
    key: u64,
}

impl WindowWriter<'_> {
    /// Upserts the rows of the window's days. The range of a request is wider than its window: the
    /// others belong to another window, or are stored as raw documents.
    ///
    /// Of several rows with the same key, the last one counts.
    pub(super) fn store_rows(&self, documents: &[Box<[u8]>]) -> Result<WriteStats, StoreError> {
        let key = row_key(self.collection);
        let window = &self.queued.window;
        let span = window.from.midnight(self.zone)..window.to.plus(1).midnight(self.zone);
        let (mut stats, _, seen) = self.upsert_rows(documents, &key, &span)?;
        stats.deleted = self.remove_unseen(&key, span.clone(), &seen)?;
        if stats.changed + stats.deleted > 0 {
            rollups::refresh(self.transaction, &self.collection.table, None, span)?;
        }
        Ok(stats)
    }

    /// Stores rows without a window, and without rollups. Returns the changes, and the days of the
    /// rows.
    pub(super) fn add_rows(
        &self,
        documents: &[Box<[u8]>],
    ) -> Result<(WriteStats, BTreeSet<String>), StoreError> {
        let span = Instant(i64::MIN)..Instant(i64::MAX);
        let (stats, days, _) = self.upsert_rows(documents, &row_key(self.collection), &span)?;
        Ok((stats, days.iter().map(Day::to_string).collect()))
    }

    /// Stores the rows in `span`. Returns the changes, the days of the rows, and the hashes of
    /// their keys.
    fn upsert_rows(
        &self,
        documents: &[Box<[u8]>],
        key: &[String],
        span: &Range<Instant>,
    ) -> Result<(WriteStats, BTreeSet<Day>, HashSet<u64>), StoreError> {
        let collection = self.collection;
        let columns: Vec<(usize, String)> = row_columns(collection)
            .map(|(place, column)| (place, quote_identifier(&column.name)))
            .collect();
        let key_places: Vec<usize> = columns
            .iter()
            .filter(|(_, name)| key.contains(name))
            .map(|(place, _)| *place)
            .collect();
        let mut stats = WriteStats::default();
        let mut rows = Vec::new();
        let mut last_places = HashMap::new();
        for document in documents {
            let (row, is_news) = self.receive_row(document, span, &key_places)?;
            stats.faulty += u64::from(is_news);
            if let Some(row) = row {
                last_places.insert(row.key, rows.len());
                rows.push(row);
            }
        }
        stats.documents = rows.len() as u64;
        let mut changed_months = ChangedMonths::new(self.zone);
        let mut insert = self.transaction.prepare(&upsert_statement(collection, &columns, key))?;
        for (place, row) in rows.iter().enumerate() {
            if last_places.get(&row.key) != Some(&place) {
                continue;
            }
            insert.raw_bind_parameter(1, row.time)?;
            insert.raw_bind_parameter(2, row.subsecond)?;
            bind(&mut insert, 3, &row.extra)?;
            for (parameter, (place, name)) in (4..).zip(&columns) {
                let cell = &row.cells[*place];
                let is_missing_key = *cell == Cell::Null && key.contains(name);
                bind(&mut insert, parameter, if is_missing_key { &EMPTY } else { cell })?;
            }
            let changed = insert.raw_execute()? as u64;
            if changed > 0 {
                changed_months.add_time(Instant(row.time));
            }
            stats.changed += changed;
        }
        changed_months.record(self.transaction, &collection.table, self.now)?;
        let days = rows.iter().map(|row| Instant(row.time).day(self.zone)).collect();
        Ok((stats, days, last_places.into_keys().collect()))
    }

    /// Reads one row. Returns `None` outside of `span`, and whether the row was stored as a new raw
    /// document: the table cannot hold a row without a time that a window contains, the bytes of a
    /// faulty row, or a long row.
    fn receive_row(
        &self,
        document: &[u8],
        span: &Range<Instant>,
        key_places: &[usize],
    ) -> Result<(Option<ReceivedRow>, bool), StoreError> {
        let received = Received::new(document);
        let value = &received.parsed.value;
        let reading = self.collection.read(value, self.zone).ok();
        let start = reading.and_then(|reading| Some((reading.start_at?, reading.subsecond)));
        let Some((at, subsecond)) = start else {
            return Ok((None, self.store_raw_row(&received, None, RowFault::NoTime)?));
        };
        let day = at.day(self.zone);
        if !self.is_in_reach(day) {
            return Ok((None, self.store_raw_row(&received, Some(day), RowFault::OutOfRange)?));
        }
        if !span.contains(&at) {
            return Ok((None, false));
        }
        let is_partial = received.parsed.fault.is_some() || document.len() > MAX_ROW_BYTES;
        let is_news = is_partial && self.store_raw_row(&received, Some(day), RowFault::LongRow)?;
        let cells = self.collection.cells(value, self.zone);
        let rest_of_key = key_places.iter().map(|place| &cells[*place]);
        let key = row_hash(at.0, subsecond, rest_of_key);
        let extra = self.collection.extra(value, &cells);
        Ok((Some(ReceivedRow { time: at.0, subsecond, cells, extra, key }), is_news))
    }

    /// Moves the rows in `span` that are missing from the response to the deleted raw documents. A
    /// response without rows does not prove that all of them have gone.
    fn remove_unseen(
        &self,
        key: &[String],
        span: Range<Instant>,
        seen: &HashSet<u64>,
    ) -> Result<u64, StoreError> {
        let table = quote_identifier(&self.collection.table);
        let known: usize = self
            .transaction
            .prepare_cached(&format!(
                "SELECT count(*) FROM {table} WHERE time >= ?1 AND time < ?2"
            ))?
            .query_row((span.start.0, span.end.0), |row| row.get(0))?;
        if seen.is_empty() || known <= seen.len() {
            return Ok(0);
        }
        let unseen = self.unseen_rows(key, span, seen)?;
        let conditions: Vec<String> =
            key.iter().zip(1..).map(|(name, number)| format!("{name} = ?{number}")).collect();
        let mut delete = self
            .transaction
            .prepare(&format!("DELETE FROM {table} WHERE {}", conditions.join(" AND ")))?;
        let mut changed_months = ChangedMonths::new(self.zone);
        for StoredRow { time, subsecond, rest_of_key, payload } in &unseen {
            changed_months.add_time(Instant(*time));
            let mut value: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            self.store_deleted(&row_id(*time, *subsecond, rest_of_key), &value)?;
            delete.raw_bind_parameter(1, time)?;
            delete.raw_bind_parameter(2, subsecond)?;
            for (parameter, cell) in (3..).zip(rest_of_key) {
                bind(&mut delete, parameter, cell)?;
            }
            delete.raw_execute()?;
        }
        changed_months.record(self.transaction, &self.collection.table, self.now)?;
        Ok(unseen.len() as u64)
    }

    /// Reads the rows in `span` that are missing from the response.
    fn unseen_rows(
        &self,
        key: &[String],
        span: Range<Instant>,
        seen: &HashSet<u64>,
    ) -> Result<Vec<StoredRow>, StoreError> {
        let fields: String = row_columns(self.collection)
            .map(|(_, column)| {
                let label = column.name.replace('\'', "''");
                format!(", '{label}', {}", quote_identifier(&column.name))
            })
            .collect();
        let timestamp = self.collection.time.start.first().copied().unwrap_or("timestamp");
        let mut rows = self.transaction.prepare(&format!(
            "SELECT {key}, json_patch(
                 json_object('{timestamp}',
                             strftime('%Y-%m-%dT%H:%M:%S', time, 'unixepoch')
                                 || iif(subsecond, printf('.%09d', subsecond), '') || 'Z'{fields}),
                 coalesce(extra, '{{}}'))
             FROM {table} WHERE time >= ?1 AND time < ?2",
            key = key.join(", "),
            table = quote_identifier(&self.collection.table),
        ))?;
        let mut rows = rows.query((span.start.0, span.end.0))?;
        let mut unseen = Vec::new();
        while let Some(row) = rows.next()? {
            let time = row.get(0)?;
            let subsecond = row.get(1)?;
            let rest_of_key = (2..key.len())
                .map(|place| Ok(stored_cell(row.get_ref(place)?)))
                .collect::<rusqlite::Result<Vec<Cell>>>()?;
            if !seen.contains(&row_hash(time, subsecond, rest_of_key.iter())) {
                let payload = row.get(key.len())?;
                unseen.push(StoredRow { time, subsecond, rest_of_key, payload });
            }
        }
        Ok(unseen)
    }
}

/// A row of a typed table, as Oura sent it.
struct StoredRow {
    time: i64,
    subsecond: u32,
    rest_of_key: Vec<Cell>,
    payload: String,
}

/// The statement that inserts a row: `time`, `subsecond` and `extra`, then `columns`. It skips
/// unchanged rows, so that they do not count as changed.
fn upsert_statement(
    collection: &Collection,
    columns: &[(usize, String)],
    key: &[String],
) -> String {
    let table = quote_identifier(&collection.table);
    let names: Vec<&str> = ["time", "subsecond", "extra"]
        .into_iter()
        .chain(columns.iter().map(|(_, name)| name.as_str()))
        .collect();
    let values: Vec<&str> =
        names.iter().copied().filter(|name| !key.iter().any(|part| part == name)).collect();
    let assignments: Vec<String> =
        values.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let differences: Vec<String> =
        values.iter().map(|name| format!("{table}.{name} IS NOT excluded.{name}")).collect();
    format!(
        "INSERT INTO {table} ({names}) VALUES ({places})
         ON CONFLICT ({key}) DO UPDATE SET {assignments} WHERE {differences}",
        names = names.join(", "),
        places = vec!["?"; names.len()].join(", "),
        key = key.join(", "),
        assignments = assignments.join(", "),
        differences = differences.join(" OR "),
    )
}

/// A key column of a stored row.
fn stored_cell(value: ValueRef) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Cell::Text(String::from_utf8_lossy(text).into_owned())
        }
    }
}

/// Moves texts out of numeric columns into `extra`. Former versions stored them.
pub(super) fn move_texts(
    transaction: &Transaction,
    collection: &Collection,
) -> Result<(), StoreError> {
    let key = row_key(collection);
    let table = quote_identifier(&collection.table);
    for (_, column) in row_columns(collection) {
        let name = quote_identifier(&column.name);
        if matches!(column.kind, Kind::Text | Kind::Day | Kind::Json) || key.contains(&name) {
            continue;
        }
        transaction.execute(
            &format!(
                "UPDATE {table}
                 SET extra = json_patch(coalesce(extra, '{{}}'), json_object(?1, {name})),
                     {name} = NULL
                 WHERE typeof({name}) = 'text'"
            ),
            [&column.path[0]],
        )?;
    }
    Ok(())
}

/// Counts the rows of each covered day again, because another time zone has other days.
pub(super) fn recount(
    transaction: &Transaction,
    collection: &Collection,
    zone: Tz,
) -> Result<(), StoreError> {
    let days: Vec<Day> = transaction
        .prepare("SELECT day FROM coverage_data WHERE resource = ?1")?
        .query_map([&collection.name], |row| day_at(row, 0))?
        .collect::<Result<_, _>>()?;
    let mut count = transaction.prepare(&format!(
        "UPDATE coverage_data
         SET documents = (SELECT count(*) FROM {} WHERE time >= ?3 AND time < ?4)
         WHERE resource = ?1 AND day = ?2",
        quote_identifier(&collection.table)
    ))?;
    for day in days {
        count.execute((
            &collection.name,
            day.to_string(),
            day.midnight(zone).0,
            day.plus(1).midnight(zone).0,
        ))?;
    }
    collections::recount(transaction, collection)
}

/// A hash of a row's key, to find it among the rows of one window. With 64 bits, a collision within
/// a window is negligible.
fn row_hash<'a>(time: i64, subsecond: u32, rest_of_key: impl Iterator<Item = &'a Cell>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (time, subsecond).hash(&mut hasher);
    for cell in rest_of_key {
        match cell {
            Cell::Text(text) => text.hash(&mut hasher),
            Cell::Integer(value) => value.hash(&mut hasher),
            Cell::Real(value) => value.to_bits().hash(&mut hasher),
            // A key stores it as an empty text.
            Cell::Null => "".hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// The document id of a deleted row: its time and the rest of its key.
fn row_id(time: i64, subsecond: u32, rest_of_key: &[Cell]) -> String {
    let fraction = if subsecond > 0 { format!(".{subsecond:09}") } else { String::new() };
    rest_of_key.iter().fold(format!("{time}{fraction}"), |id, cell| match cell {
        Cell::Text(text) => format!("{id} {text}"),
        Cell::Integer(value) => format!("{id} {value}"),
        Cell::Real(value) => format!("{id} {value}"),
        Cell::Null => format!("{id} "),
    })
}
