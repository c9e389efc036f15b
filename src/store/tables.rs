//! The tables and views generated from the catalogue.

use std::collections::HashMap;

use rusqlite::Transaction;

use super::error::StoreError;
use super::state::CollectionState;
use super::{changes, collections, materialized};
use crate::catalog::{Catalog, Collection, Column, KeyRule, Recorded, Storage};
use crate::sql::quote_identifier;

/// The views in order of creation: (name, definition). A definition may use earlier views. A view
/// is skipped if the catalogue lacks one of its tables. Of two definitions of a name, the first
/// valid one counts.
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
    ("baselines", "CREATE VIEW baselines AS SELECT * FROM baselines_data"),
    ("sleep_times", include_str!("views/sleep_times.sql")),
    ("sleep_debt", include_str!("views/sleep_debt.sql")),
    ("sleep_timing", include_str!("views/sleep_timing.sql")),
    ("sleep_regularity", "CREATE VIEW sleep_regularity AS SELECT * FROM sleep_regularity_data"),
    ("training_load", include_str!("views/training_load.sql")),
    ("signs", include_str!("views/signs.sql")),
    ("tag_days", include_str!("views/tag_days.sql")),
    ("person", include_str!("views/person.sql")),
    ("workout_load", include_str!("views/workout_load.sql")),
    ("causes", include_str!("views/causes.sql")),
    ("outcomes", include_str!("views/outcomes.sql")),
];

/// Additional indexes: (table, statement). Every document table also has indexes by day and by
/// time.
const INDEXES: &[(&str, &str)] = &[(
    "sleep",
    "CREATE INDEX sleep_by_length
     ON sleep (day, type IS NOT 'long_sleep', total_sleep_duration DESC, time_in_bed DESC, id,
               document)
     WHERE coalesce(type, '') NOT IN ('deleted', 'rest')",
)];

/// Statistics of primary keys as `ANALYZE` writes them: (table, number of rows, then rows for each
/// value of the first column, the first two columns, …). They are declared, not gathered, so that a
/// query plan does not depend on the time of gathering. The figures match about ten years of data.
const STATISTICS: &[(&str, &str)] = &[
    ("samples_data", "13000000 1200000 1 1"),
    ("samples_1h_data", "400000 40000 1"),
    ("samples_1d_data", "20000 2000 1"),
];

/// The leading columns of every document table.
pub(super) const DOCUMENT_COLUMNS: &[(&str, &str)] = &[
    ("document", "INTEGER PRIMARY KEY"),
    ("time", "TIMESTAMP"),
    ("day", "DATE"),
    ("utc_offset", "INTEGER"),
];

/// Drops the derived tables and views, and creates them empty. Row tables keep their rows and get
/// the missing columns.
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
        add_collection(transaction, collection)?;
    }
    materialized::create_tables(transaction)?;
    mark_removed(transaction, catalog)?;
    declare_statistics(transaction)?;
    changes::begin_generation(transaction)?;
    create_views(transaction)
}

/// Adds the rows of `collection` in `collections` and `series`. A removed collection waits again.
fn add_collection(transaction: &Transaction, collection: &Collection) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO collections (name) VALUES (?1)
         ON CONFLICT DO UPDATE SET state = ?2, reason = NULL WHERE state = ?3",
        (&collection.name, CollectionState::Waiting, CollectionState::Removed),
    )?;
    for series in &collection.series {
        transaction.execute(
            "INSERT INTO series (name, unit, description) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET unit = excluded.unit,
                 description = excluded.description",
            (&series.name, series.unit.map(|unit| unit.0), series.description),
        )?;
    }
    Ok(())
}

/// Replaces SQLite's statistics by the declared ones.
fn declare_statistics(transaction: &Transaction) -> Result<(), StoreError> {
    transaction.execute_batch("ANALYZE sqlite_schema; DELETE FROM sqlite_stat1")?;
    for (table, statistics) in STATISTICS {
        transaction.execute(
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?1, ?1, ?2)",
            [table, statistics],
        )?;
    }
    Ok(())
}

/// Creates the views that the database lacks. A view that needs a missing column is left out.
pub(super) fn create_views(transaction: &Transaction) -> Result<(), StoreError> {
    for (name, definition) in VIEWS {
        let exists =
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1)";
        if transaction.query_row(exists, [name], |row| row.get(0))? {
            continue;
        }
        transaction.execute_batch(&fill_in(transaction, definition)?)?;
        // SQLite checks a view only when a statement uses it.
        let select = format!("SELECT * FROM {name}");
        let statements = [Some(select), materialized::definition(name)];
        let is_valid = |sql: String| transaction.prepare(&sql).map(drop);
        if let Err(error) = statements.into_iter().flatten().try_for_each(is_valid) {
            tracing::warn!(
                view = name, %error, "skipped a view: the catalogue lacks one of its tables"
            );
            transaction.execute_batch(&format!("DROP VIEW {name}"))?;
        }
    }
    Ok(())
}

/// Replaces the parameters in a view's definition: `{worn}` and `{daily}` by lists of collections,
/// those recorded while the ring is worn, and those recorded every day. Both include removed
/// collections.
fn fill_in(transaction: &Transaction, definition: &str) -> Result<String, StoreError> {
    let mut names = transaction.prepare_cached("SELECT name FROM collections ORDER BY name")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let list = |is_listed: fn(Recorded) -> bool| {
        let listed = names.iter().filter(|name| is_listed(Recorded::of(name)));
        let literals: Vec<String> =
            listed.map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
        literals.join(", ")
    };
    Ok(definition
        .replace("{worn}", &list(|recorded| recorded == Recorded::WhileWorn))
        .replace("{daily}", &list(Recorded::is_daily)))
}

fn create_document_table(
    transaction: &Transaction,
    collection: &Collection,
) -> Result<(), StoreError> {
    let table = &collection.table;
    let fixed = DOCUMENT_COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}"));
    let own_columns = collection
        .columns
        .iter()
        .map(|column| format!("{} {}", quote_identifier(&column.name), column.kind.sqlite_type()));
    let columns: Vec<String> = fixed.chain(own_columns).collect();
    transaction.execute_batch(&format!(
        "DROP TABLE IF EXISTS {table};
         CREATE TABLE {table} ({});
         CREATE INDEX {index_day} ON {table} (day);
         CREATE INDEX {index_time} ON {table} (time, utc_offset);",
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
    // The fraction of the second in nanoseconds: it separates the rows of one second.
    columns.push("subsecond INTEGER NOT NULL DEFAULT 0".to_owned());
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
    let has_old_key = !present.contains_key("subsecond");
    if has_old_key || row_columns(collection).any(|(_, column)| widened(column)) {
        // SQLite cannot change a column's type or a primary key in place.
        let before = quote_identifier(&format!("{}_before", collection.table));
        let names = row_columns(collection).map(|(_, column)| column.name.as_str()).chain([
            "time",
            "extra",
            "subsecond",
        ]);
        let kept: Vec<String> =
            names.filter(|name| present.contains_key(*name)).map(quote_identifier).collect();
        let kept = kept.join(", ");
        return Ok(transaction.execute_batch(&format!(
            "ALTER TABLE {table} RENAME TO {before};
             {create};
             INSERT INTO {table} ({kept}) SELECT {kept} FROM {before};
             DROP TABLE {before}"
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

/// Marks the collections as removed that the catalogue no longer has. They keep their tables.
fn mark_removed(transaction: &Transaction, catalog: &Catalog) -> Result<(), StoreError> {
    let mut names = transaction.prepare("SELECT name FROM collections")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let reason = format!(
        "Oura's API {} no longer offers this collection. Stored documents stay",
        catalog.version
    );
    for name in names.iter().filter(|name| catalog.get(name).is_none()) {
        collections::set_state(transaction, name, CollectionState::Removed, &reason)?;
    }
    Ok(())
}

/// Returns the names of all tables with data of the user.
pub(super) fn user_tables(transaction: &Transaction) -> Result<Vec<String>, StoreError> {
    let mut names = transaction.prepare(
        "SELECT name FROM sqlite_schema
         WHERE type = 'table' AND name NOT IN ('meta', 'series', 'changed_months')",
    )?;
    Ok(names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The catalogue's columns of a row table, with their positions in the catalogue. The timestamp is
/// not among them, because it is the column `time`.
pub(super) fn row_columns(collection: &Collection) -> impl Iterator<Item = (usize, &Column)> {
    let time = collection.time.start.first().copied();
    let rest = move |(_, column): &(usize, &Column)| Some(column.name.as_str()) != time;
    collection.columns.iter().enumerate().filter(rest)
}

/// The quoted key columns of a row table: `time` and `subsecond` for the timestamp, then the
/// others.
pub(super) fn row_key(collection: &Collection) -> Vec<String> {
    let fields = match &collection.key {
        KeyRule::Fields(fields) => fields.as_slice(),
        KeyRule::Document => &[],
    };
    let rest = fields.iter().filter(|field| !collection.time.start.contains(field));
    let time = ["time", "subsecond"].map(str::to_owned);
    time.into_iter().chain(rest.map(|field| quote_identifier(field))).collect()
}
