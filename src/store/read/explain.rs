//! Classifies SQLite's errors as [`ReadError`]s.

use rusqlite::{Error, ErrorCode};

use super::ReadError;
use crate::os;
use crate::store::guard::{GuardedConnection, allowed_functions};
use crate::store::inspector::is_for_queries;

/// SQLite's message for the modifiers `localtime` and `utc`, which the allocator's set-up disables.
const MACHINE_ZONE: &str = "local time unavailable";

/// Classifies an error from preparing the statement `sql`.
pub(super) fn prepare_error(reader: &GuardedConnection, sql: &str, error: Error) -> ReadError {
    match error {
        Error::Empty => ReadError::Empty,
        Error::MultipleStatement => ReadError::SeveralStatements,
        Error::NulError(_) => ReadError::Syntax {
            message: "the statement contains a NUL character".to_owned(),
            offset: sql.find('\0'),
        },
        Error::SqlInputError { msg, offset, .. } => {
            classify_sql_error(reader, sql, msg, usize::try_from(offset).ok())
        }
        Error::SqliteFailure(code, Some(message)) if code.code == ErrorCode::Unknown => {
            classify_sql_error(reader, sql, message, None)
        }
        other => run_error(other),
    }
}

/// Classifies an error from running a statement.
pub(super) fn run_error(error: Error) -> ReadError {
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => {
            ReadError::TooLarge("the statement, or a text or blob in it, is too large")
        }
        Some(ErrorCode::OutOfMemory) => ReadError::TooLarge("it needs more memory than available"),
        Some(ErrorCode::Unknown) if error.to_string().contains(MACHINE_ZONE) => {
            ReadError::MachineZone
        }
        Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange) => {
            ReadError::Failed(error.to_string())
        }
        _ => file_error(error),
    }
}

/// Classifies an error of the file.
pub(super) fn file_error(error: Error) -> ReadError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ReadError::Damaged(error),
        Some(ErrorCode::CannotOpen) if os::lacks_free_files() => ReadError::TooManyFiles,
        _ => ReadError::Unavailable(error),
    }
}

/// Classifies SQLITE_ERROR by its message. SQLite uses this code for every mistake in a statement.
fn classify_sql_error(
    reader: &GuardedConnection,
    sql: &str,
    message: String,
    offset: Option<usize>,
) -> ReadError {
    for kind in ["table", "column", "function"] {
        if let Some(name) = message.strip_prefix(&format!("no such {kind}: ")) {
            let known = known_names(reader, sql, kind);
            return ReadError::Unknown { kind, name: name.to_owned(), offset, known };
        }
    }
    ReadError::Syntax { message, offset }
}

/// Names that the user may have meant. For columns, those of the tables that `sql` mentions.
fn known_names(reader: &GuardedConnection, sql: &str, kind: &str) -> Vec<String> {
    if kind == "function" {
        return allowed_functions().map(str::to_owned).collect();
    }
    let tables = reader.tables().into_iter().filter(|table| is_for_queries(table));
    if kind == "table" {
        return tables.collect();
    }
    let sql = sql.to_ascii_lowercase();
    let mut columns: Vec<_> = tables
        .filter(|table| sql.contains(table.as_str()))
        .filter_map(|table| reader.columns(&table).ok())
        .flatten()
        .collect();
    columns.sort();
    columns.dedup();
    columns
}
