//! The query that exports a table, whole or since a day.

use super::request::SqlQuery;
use crate::sql::quote_identifier;
use crate::store::Scalar;
use crate::time::{Day, Tz};

/// Returns the query for the rows of `table`, which has `columns`.
///
/// With `since`, it selects the rows of this day or later. Rows of documents also count by the last
/// change of their document, so a corrected night of last year is among them. A deleted document
/// has no row in its table. It is in `oura_raw_documents`, with the time of its deletion.
pub fn export_query(table: &str, columns: &[String], since: Option<Day>, zone: Tz) -> SqlQuery {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let condition = match since {
        None => None,
        Some(_) if has("changed_at") => Some("changed_at >= ?1 OR deleted_at >= ?1"),
        Some(_) if has("document") && has("time") => Some(
            "time >= ?1 OR document IN
                (SELECT document FROM oura_raw_documents WHERE changed_at >= ?1)",
        ),
        Some(_) if has("time") => Some("time >= ?1"),
        Some(_) => None,
    };
    let table = quote_identifier(table);
    match (condition, since) {
        (Some(condition), Some(since)) => SqlQuery {
            raw_sql: format!("SELECT * FROM {table} WHERE {condition}"),
            params: vec![Scalar::Integer(since.midnight(zone).seconds())],
            ..SqlQuery::default()
        },
        _ => SqlQuery { raw_sql: format!("SELECT * FROM {table}"), ..SqlQuery::default() },
    }
}

/// Returns the query for the columns of `table`. It selects no rows.
pub fn columns_query(table: &str) -> SqlQuery {
    SqlQuery {
        raw_sql: format!("SELECT * FROM {} LIMIT 0", quote_identifier(table)),
        ..SqlQuery::default()
    }
}
