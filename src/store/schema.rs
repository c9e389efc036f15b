//! The shape of the file: numbered migrations for what is fixed, tables and views generated from the catalogue for the rest.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Transaction};

use super::{StoreError, functions, read_only};
use crate::catalog::{Catalog, Collection, Column, KeyRule, Storage};
use crate::sql::quote_identifier;

/// In order; a migration is never changed once released. `user_version` counts those applied.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_store.sql"),
    include_str!("../../migrations/0002_rollups.sql"),
];

/// (name, definition), later ones may use earlier ones. A view whose tables the catalogue does not have is left out; of two with one name,
/// the first that can be read counts.
const VIEWS: &[(&str, &str)] = &[
    ("charge", "CREATE VIEW charge AS SELECT time, level FROM ring_battery_level"),
    ("charge", "CREATE VIEW charge AS SELECT NULL AS time, NULL AS level WHERE FALSE"),
    ("samples", include_str!("views/samples.sql")),
    ("coverage", include_str!("views/coverage.sql")),
    ("sync_status", include_str!("views/sync_status.sql")),
    ("samples_1h", include_str!("views/samples_1h.sql")),
    ("samples_1d", include_str!("views/samples_1d.sql")),
    ("main_sleep", include_str!("views/main_sleep.sql")),
    ("nights", include_str!("views/nights.sql")),
    ("hypnogram", include_str!("views/hypnogram.sql")),
    ("days", include_str!("views/days.sql")),
    ("baselines", include_str!("views/baselines.sql")),
];

/// (table, its index), beside those by day and by time that every document table has.
const INDEXES: &[(&str, &str)] = &[(
    "sleep",
    "CREATE INDEX sleep_by_length ON sleep (day, total_sleep_duration DESC, time_in_bed DESC, document) WHERE type = 'long_sleep'",
)];

/// (table, its primary key's statistics as ANALYZE would write them: rows, and rows for each value of one column, two columns, …). They
/// are declared, not gathered: a plan must not depend on how much was there when. Ten years hold about as many.
const STATISTICS: &[(&str, &str)] = &[
    ("samples_data", "13000000 1200000 1 1"),
    ("samples_1h_data", "400000 40000 1"),
    ("samples_1d_data", "20000 2000 1"),
];

/// Leading columns of every document table.
pub(super) const DOCUMENT_COLUMNS: &[(&str, &str)] = &[
    ("document", "INTEGER PRIMARY KEY"),
    ("time", "TIMESTAMP"),
    ("day", "DATE"),
    ("utc_offset", "INTEGER"),
];

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let connect = || -> Result<Connection, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        if version(&connection)? == 0 && !is_blank(&connection)? {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -16_000)?;
        // A long transaction may leave a long log; it shrinks again.
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
        connection.set_prepared_statement_cache_capacity(64);
        functions::register(&connection)?;
        Ok(connection)
    };
    connect().map_err(|error| error.at(path))
}

/// Opens a file of exactly this version for reading alone.
pub(super) fn open_existing(path: &Path) -> Result<Connection, StoreError> {
    let connect = || -> Result<Connection, StoreError> {
        let connection = read_only::open(path, Duration::from_secs(10))?.connection;
        let (found, known) = (version(&connection)?, MIGRATIONS.len() as u32);
        if found > known {
            return Err(StoreError::Newer { path: path.to_owned(), found, known });
        }
        if found < known {
            return Err(StoreError::Older { path: path.to_owned() });
        }
        Ok(connection)
    };
    connect().map_err(|error| error.at(path))
}

pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let path = connection.path().map(std::path::PathBuf::from).unwrap_or_default();
    let found = version(connection)?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(StoreError::Newer { path, found, known });
    }
    for (number, migration) in (1..=known).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

fn is_blank(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection
        .query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Drops what derives from raw documents and creates it anew, empty. Row tables keep their rows and get the columns they lack.
pub(super) fn create_derived(
    transaction: &Transaction,
    catalog: &Catalog,
) -> Result<(), StoreError> {
    for (name, _) in VIEWS.iter().rev() {
        transaction.execute_batch(&format!("DROP VIEW IF EXISTS {name}"))?;
    }
    for collection in &catalog.collections {
        match collection.storage {
            Storage::Documents => create_document_table(transaction, collection)?,
            Storage::Rows => create_row_table(transaction, collection)?,
        }
        transaction.execute(
            "INSERT INTO collections (name) VALUES (?1) ON CONFLICT DO UPDATE SET state = 'waiting', reason = NULL WHERE state = 'removed'",
            [&collection.name],
        )?;
        for series in &collection.series {
            transaction.execute(
                "INSERT INTO series (name, unit, description) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET unit = excluded.unit, description = excluded.description",
                (&series.name, series.unit.map(|unit| unit.0), series.description),
            )?;
        }
    }
    mark_removed(transaction, catalog)?;
    transaction.execute_batch("ANALYZE sqlite_schema; DELETE FROM sqlite_stat1")?;
    for (table, statistics) in STATISTICS {
        transaction.execute(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?1, ?1, ?2)",
            [table, statistics],
        )?;
    }
    for (name, definition) in VIEWS {
        let exists =
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1)";
        if transaction.query_row(exists, [name], |row| row.get(0))? {
            continue;
        }
        // A view is checked when it is used, not when it is created.
        transaction.execute_batch(definition)?;
        if let Err(error) = transaction.prepare(&format!("SELECT * FROM {name}")) {
            tracing::warn!(view = name, %error, "the catalogue lacks what this view shows; it is left out");
            transaction.execute_batch(&format!("DROP VIEW {name}"))?;
        }
    }
    Ok(())
}

fn create_document_table(
    transaction: &Transaction,
    collection: &Collection,
) -> Result<(), StoreError> {
    let table = &collection.table;
    let fixed = DOCUMENT_COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}"));
    let own = collection
        .columns
        .iter()
        .map(|column| format!("{} {}", quote_identifier(&column.name), column.kind.sqlite_type()));
    let columns: Vec<String> = fixed.chain(own).collect();
    transaction.execute_batch(&format!(
        "DROP TABLE IF EXISTS {table};
         CREATE TABLE {table} ({});
         CREATE INDEX {index_day} ON {table} (day);
         CREATE INDEX {index_time} ON {table} (time);",
        columns.join(", "),
        table = quote_identifier(table),
        index_day = quote_identifier(&format!("{table}_by_day")),
        index_time = quote_identifier(&format!("{table}_by_time")),
    ))?;
    for (_, index) in INDEXES.iter().filter(|(indexed, _)| indexed == table) {
        transaction.execute_batch(index)?;
    }
    Ok(())
}

fn create_row_table(transaction: &Transaction, collection: &Collection) -> Result<(), StoreError> {
    let table = quote_identifier(&collection.table);
    let mut columns = vec!["time TIMESTAMP NOT NULL".to_owned()];
    columns.extend(row_columns(collection).map(|(_, column)| {
        format!("{} {}", quote_identifier(&column.name), column.kind.sqlite_type())
    }));
    columns.push("extra JSON".to_owned());
    let key = row_key(collection).join(", ");
    let create =
        format!("CREATE TABLE {table} ({}, PRIMARY KEY ({key})) WITHOUT ROWID", columns.join(", "));

    let mut present = transaction.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
    let present: HashMap<String, String> = present
        .query_map([&collection.table], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if present.is_empty() {
        return Ok(transaction.execute_batch(&create)?);
    }
    let widened = |column: &Column| {
        present.get(&column.name).is_some_and(|declared| declared != column.kind.sqlite_type())
    };
    if row_columns(collection).any(|(_, column)| widened(column)) {
        // SQLite cannot change a column's type in place.
        let before = quote_identifier(&format!("{}_before", collection.table));
        let names = row_columns(collection)
            .map(|(_, column)| column.name.as_str())
            .chain(["time", "extra"]);
        let kept: Vec<String> =
            names.filter(|name| present.contains_key(*name)).map(quote_identifier).collect();
        let kept = kept.join(", ");
        return Ok(transaction.execute_batch(&format!(
            "ALTER TABLE {table} RENAME TO {before}; {create}; INSERT INTO {table} ({kept}) SELECT {kept} FROM {before}; DROP TABLE {before}"
        ))?);
    }
    for (_, column) in
        row_columns(collection).filter(|(_, column)| !present.contains_key(&column.name))
    {
        transaction.execute_batch(&format!(
            "ALTER TABLE {table} ADD COLUMN {} {}",
            quote_identifier(&column.name),
            column.kind.sqlite_type()
        ))?;
    }
    Ok(())
}

/// Collections that the catalogue no longer has keep their tables, and say so.
fn mark_removed(transaction: &Transaction, catalog: &Catalog) -> Result<(), StoreError> {
    let mut known = transaction.prepare("SELECT name FROM collections")?;
    let known: Vec<String> = known.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in known.iter().filter(|name| catalog.get(name).is_none()) {
        let reason = format!(
            "Oura's API {} no longer has this collection; what was fetched stays",
            catalog.version
        );
        transaction.execute(
            "UPDATE collections SET state = 'removed', reason = ?2 WHERE name = ?1",
            (name, reason),
        )?;
    }
    Ok(())
}

/// Every table that holds something of the person.
pub(super) fn tables(transaction: &Transaction) -> Result<Vec<String>, StoreError> {
    let mut names = transaction.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('meta', 'series')",
    )?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The columns of a row table that come from the catalogue, each with its place there: all but the timestamp, which is `time`.
pub(super) fn row_columns(collection: &Collection) -> impl Iterator<Item = (usize, &Column)> {
    let time = collection.time.start.first().copied();
    let rest = move |(_, column): &(usize, &Column)| Some(column.name.as_str()) != time;
    collection.columns.iter().enumerate().filter(rest)
}

/// The key of a row table: the catalogue's, with the timestamp called `time`.
pub(super) fn row_key(collection: &Collection) -> Vec<String> {
    let KeyRule::Fields(fields) = &collection.key else { return vec!["time".to_owned()] };
    fields
        .iter()
        .map(|field| {
            if collection.time.start.contains(field) {
                "time".to_owned()
            } else {
                quote_identifier(field)
            }
        })
        .collect()
}
