//! Rows of high rate: straight into their typed table, and out of it when Oura no longer has them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use rusqlite::Transaction;
use serde_json::Value;
use serde_json::value::RawValue;

use super::documents::{self, WindowWriter, WriteStats};
use super::queue::{Window, day_at};
use super::schema::{row_columns, row_key};
use super::{StoreError, derive, rollups};
use crate::catalog::{Cell, Collection};
use crate::sql::quote_identifier;
use crate::time::{Day, Instant, Tz};

impl WindowWriter<'_> {
    /// Upserts rows whose day lies in the window; the padding around it is another window's.
    pub(super) fn rows(&self, documents: &[Box<RawValue>]) -> Result<WriteStats, StoreError> {
        let collection = self.collection;
        let columns: Vec<usize> = row_columns(collection).map(|(place, _)| place).collect();
        let names: Vec<String> = std::iter::once("time".to_owned())
            .chain(row_columns(collection).map(|(_, column)| quote_identifier(&column.name)))
            .chain(std::iter::once("extra".to_owned()))
            .collect();
        let key = row_key(collection);
        let value_names: Vec<&String> = names.iter().filter(|name| !key.contains(name)).collect();
        let list = |names: &[&String], form: &dyn Fn(&str) -> String, between: &str| {
            names.iter().map(|name| form(name)).collect::<Vec<_>>().join(between)
        };
        // The condition keeps unchanged rows from being written again, and so from being counted as changed.
        let mut insert = self.transaction.prepare(&format!(
            "INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT ({key}) DO UPDATE SET {set} WHERE {differs}",
            table = quote_identifier(&collection.table),
            columns = names.join(", "),
            places = vec!["?"; names.len()].join(", "),
            key = key.join(", "),
            set = list(&value_names, &|name| format!("{name} = excluded.{name}"), ", "),
            differs = list(&value_names, &|name| format!("{}.{name} IS NOT excluded.{name}", quote_identifier(&collection.table)), " OR "),
        ))?;
        let Window { from, to, .. } = &self.window.window;
        let (from, end) = (from.midnight(self.zone), to.plus(1).midnight(self.zone));
        let key_places: Vec<usize> = columns
            .iter()
            .copied()
            .zip(&names[1..])
            .filter(|(_, name)| key.contains(name))
            .map(|(place, _)| place)
            .collect();
        let mut stored = WriteStats::default();
        let mut seen = HashSet::new();
        for payload in documents {
            let value: Value = serde_json::from_str(payload.get()).unwrap_or(Value::Null);
            let Some(at) =
                collection.read(&value, self.zone).ok().and_then(|reading| reading.start_at)
            else {
                self.keep_unreadable(payload.get())?;
                continue;
            };
            if at < from || at >= end {
                continue;
            }
            stored.documents += 1;
            let cells = collection.cells(&value, self.zone);
            insert.raw_bind_parameter(1, at.0)?;
            for (parameter, place) in (2..).zip(&columns) {
                let is_key = key.contains(&names[parameter - 1]);
                derive::bind(
                    &mut insert,
                    parameter,
                    if is_key && cells[*place] == Cell::Null { &EMPTY } else { &cells[*place] },
                )?;
            }
            derive::bind(&mut insert, names.len(), &collection.extra(&value))?;
            stored.changed += insert.raw_execute()? as u64;
            seen.insert(row_hash(at.0, key_places.iter().map(|place| &cells[*place])));
        }
        stored.deleted = self.take_out_unseen(&key, from..end, &seen)?;
        if stored.changed + stored.deleted > 0 {
            rollups::refresh(self.transaction, &collection.table, None, from..end)?;
        }
        Ok(stored)
    }

    /// Rows inside the window that did not come any more become raw documents that are marked deleted, so that no row is lost. An answer
    /// without any row is no reason to believe that all of them have gone.
    fn take_out_unseen(
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
        let fields: String = row_columns(self.collection)
            .map(|(_, column)| {
                format!(
                    ", '{}', {}",
                    column.name.replace('\'', "''"),
                    quote_identifier(&column.name)
                )
            })
            .collect();
        let timestamp = self.collection.time.start.first().copied().unwrap_or("timestamp");
        let mut rows = self.transaction.prepare(&format!(
            "SELECT {}, json_patch(json_object('{timestamp}', strftime('%Y-%m-%dT%H:%M:%SZ', time, 'unixepoch'){fields}), coalesce(extra, '{{}}'))
             FROM {table} WHERE time >= ?1 AND time < ?2",
            key.join(", "),
        ))?;
        let gone: Vec<(i64, Vec<Cell>, String)> = rows
            .query_map((span.start.0, span.end.0), |row| {
                let rest = (1..key.len())
                    .map(|place| Ok(Cell::Text(row.get(place)?)))
                    .collect::<rusqlite::Result<Vec<Cell>>>()?;
                Ok((row.get(0)?, rest, row.get(key.len())?))
            })?
            .filter(|row| {
                row.as_ref()
                    .map_or(true, |(time, rest, _)| !seen.contains(&row_hash(*time, rest.iter())))
            })
            .collect::<Result<_, _>>()?;
        let wheres: Vec<String> = key
            .iter()
            .enumerate()
            .map(|(place, name)| format!("{name} = ?{}", place + 1))
            .collect();
        let mut delete = self
            .transaction
            .prepare(&format!("DELETE FROM {table} WHERE {}", wheres.join(" AND ")))?;
        for (time, rest, payload) in &gone {
            let mut value: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            self.keep_deleted(&row_name(*time, rest.iter()), &value)?;
            delete.raw_bind_parameter(1, time)?;
            for (parameter, cell) in (2..).zip(rest) {
                derive::bind(&mut delete, parameter, cell)?;
            }
            delete.raw_execute()?;
        }
        Ok(gone.len() as u64)
    }
}

/// Counts the rows of each covered day anew: in another zone they lie in other days.
pub(super) fn recount(
    transaction: &Transaction,
    collection: &Collection,
    zone: Tz,
) -> Result<(), StoreError> {
    let mut days = transaction.prepare("SELECT day FROM coverage_data WHERE resource = ?1")?;
    let days: Vec<Day> =
        days.query_map([&collection.name], |row| day_at(row, 0))?.collect::<Result<_, _>>()?;
    let mut count = transaction.prepare(&format!(
        "UPDATE coverage_data SET documents = (SELECT count(*) FROM {} WHERE time >= ?3 AND time < ?4) WHERE resource = ?1 AND day = ?2",
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
    let (documents, first, last) = documents::held(transaction, collection)?;
    let held =
        "UPDATE collections SET documents = ?2, first_day = ?3, last_day = ?4 WHERE name = ?1";
    transaction.execute(held, (&collection.name, documents, first, last))?;
    Ok(())
}

/// What a row is known by while a window is stored; 64 bits, so that two of a window's rows are hardly ever taken for one.
fn row_hash<'a>(time: i64, rest: impl Iterator<Item = &'a Cell>) -> u64 {
    let mut hasher = DefaultHasher::new();
    time.hash(&mut hasher);
    for cell in rest {
        match cell {
            Cell::Text(text) => text.hash(&mut hasher),
            Cell::Integer(value) => value.hash(&mut hasher),
            Cell::Real(value) => value.to_bits().hash(&mut hasher),
            // As it is stored in a key.
            Cell::Null => "".hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// The name of a row that has gone: its time and the rest of its key.
fn row_name<'a>(time: i64, rest: impl Iterator<Item = &'a Cell>) -> String {
    rest.fold(time.to_string(), |name, cell| match cell {
        Cell::Text(text) => format!("{name} {text}"),
        Cell::Integer(value) => format!("{name} {value}"),
        Cell::Real(value) => format!("{name} {value}"),
        Cell::Null => format!("{name} "),
    })
}

static EMPTY: Cell = Cell::Text(String::new());
