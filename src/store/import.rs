//! Importing into a data source without data: a database that
//! [`Store::copy_to`](super::Store::copy_to) exported, with its history, revisions and coverage, or
//! documents from elsewhere.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::StoreError;
use super::files::{create_private_file, create_private_folder};
use super::materialized::is_own_trigger;
use super::{checksums, read_only, schema};
use crate::sql::quote_identifier;

/// The first bytes of a SQLite file.
const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";

/// The number of rows and documents that an import brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Documents, deleted ones included.
    pub documents: u64,
    /// Days with coverage, over all collections.
    pub days: u64,
}

/// Why a file cannot be imported. The store stays unchanged. `Display` includes the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read, or the data folder not written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Not an export of this program.
    #[error("{path} is not an export of `gpx_oura export` ({reason})")]
    NotAnExport {
        /// The file.
        path: PathBuf,
        /// The missing or surplus part.
        reason: &'static str,
    },
    /// Pages of the file are missing or damaged.
    #[error("{path} is damaged or cut off ({detail}). Export it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's finding.
        detail: String,
    },
    /// The data source has data, which the import would replace.
    #[error(
        "{0} contains data. Import into a new data source (--datasource), or erase this one with \
         `gpx_oura forget` first"
    )]
    NotEmpty(PathBuf),
    /// An error of the database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies the database at `from` to `to`, where no database with data may be. The caller opens it
/// afterwards, which migrates an older format.
pub fn import(from: &Path, to: &Path) -> Result<Imported, ImportError> {
    check_header(from)?;
    let imported = check_content(from)?;
    import_with(to, |copy| copy_database(from, copy))?;
    Ok(imported)
}

/// Creates the database at `to`, where no database with data may be. `write` creates it under
/// another name, so that an interrupted import leaves no half database. On failure, its files are
/// removed.
pub fn import_with<T, E: From<ImportError>>(
    to: &Path,
    write: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    remove_empty(to)?;
    let folder = to.parent().unwrap_or(Path::new("."));
    let unusable = |source| ImportError::File { path: folder.to_owned(), source };
    create_private_folder(folder).map_err(unusable)?;
    let copy = to.with_extension(format!("import-{:016x}", rand::random::<u64>()));
    let copied = write(&copy)
        .and_then(|written| Ok(std::fs::rename(&copy, to).map(|()| written).map_err(unusable)?));
    if copied.is_err() {
        // The first error is the one to report.
        let _ = remove_database(&copy);
    }
    copied
}

fn copy_database(from: &Path, to: &Path) -> Result<(), ImportError> {
    create_private_file(to).map_err(|source| ImportError::File { path: to.to_owned(), source })?;
    let source = open(from)?;
    checksums::copy(&source, to).map_err(|error| error.at(to))?;
    drop_triggers(to).map_err(|error| StoreError::from(error).at(to))?;
    Ok(())
}

/// Removes all triggers of a copy. They would run with the rights of this program. Opening the file
/// creates the store's own ones.
fn drop_triggers(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    for name in triggers(&connection)? {
        connection.execute_batch(&format!("DROP TRIGGER {}", quote_identifier(&name)))?;
    }
    Ok(())
}

fn triggers(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?;
    names.query_map([], |row| row.get(0))?.collect()
}

fn check_header(path: &Path) -> Result<(), ImportError> {
    let unusable = |source| ImportError::File { path: path.to_owned(), source };
    let mut header = Vec::new();
    let file = File::open(path).map_err(unusable)?;
    file.take(SQLITE_HEADER.len() as u64).read_to_end(&mut header).map_err(unusable)?;
    if header == SQLITE_HEADER {
        Ok(())
    } else {
        Err(ImportError::NotAnExport { path: path.to_owned(), reason: "not a SQLite file" })
    }
}

fn open(path: &Path) -> Result<Connection, ImportError> {
    let opened = read_only::open(path, read_only::LOCK_TIMEOUT)
        .map_err(|error| StoreError::from(error).at(path))?;
    Ok(opened.connection)
}

/// Checks format, tables and every page. Counts the content.
fn check_content(path: &Path) -> Result<Imported, ImportError> {
    let damaged = |error: rusqlite::Error| ImportError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let not_an_export = |reason| ImportError::NotAnExport { path: path.to_owned(), reason };
    let connection = match open(path) {
        Ok(connection) => connection,
        Err(ImportError::Store(error)) if error.is_damage() => {
            return Err(ImportError::Damaged { path: path.to_owned(), detail: error.to_string() });
        }
        Err(error) => return Err(error),
    };
    schema::check_version(&connection, path)?;
    let count = |sql: &str| -> Result<u64, ImportError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(damaged)
    };
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'
                  AND name IN ('meta', 'oura_raw_documents', 'coverage_data', 'sync_runs')";
    if count(tables)? != 4 {
        return Err(not_an_export("its tables are missing"));
    }
    let virtual_tables = "SELECT count(*) FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'";
    let triggers = triggers(&connection).map_err(damaged)?;
    if count(virtual_tables)? != 0 || !triggers.iter().all(|name| is_own_trigger(name)) {
        return Err(not_an_export("it contains triggers or virtual tables"));
    }
    let finding: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(damaged)?;
    if finding != "ok" {
        return Err(ImportError::Damaged { path: path.to_owned(), detail: finding });
    }
    Ok(Imported {
        documents: count("SELECT count(*) FROM oura_raw_documents")?,
        days: count("SELECT count(*) FROM coverage_data")?,
    })
}

/// Removes the database at `path` if it has no data.
fn remove_empty(path: &Path) -> Result<(), ImportError> {
    if !path.exists() {
        return Ok(());
    }
    let has_data: bool = open(path)?
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM oura_raw_documents)
                 OR EXISTS (SELECT 1 FROM coverage_data)",
            [],
            |row| row.get(0),
        )
        .map_err(|error| StoreError::from(error).at(path))?;
    if has_data {
        return Err(ImportError::NotEmpty(path.to_owned()));
    }
    remove_database(path)
}

fn remove_database(path: &Path) -> Result<(), ImportError> {
    for suffix in ["-wal", "-shm", ""] {
        let mut name = path.to_owned().into_os_string();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(ImportError::File { path: name.into(), source });
            }
            _ => {}
        }
    }
    Ok(())
}
