//! Decides the type and the origin of each result column from SQLite's metadata.

use arrow::array::Array;
use arrow::datatypes::DataType;
use rusqlite::Statement;

use super::Origin;
use crate::sql::TokenizedSql;

/// How a column's values are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// Decided by the first value that is not null.
    Undeclared,
    Integer,
    Float,
    Boolean,
    Text,
    /// Times. Numbers are Unix seconds.
    Seconds,
    /// Times. Numbers are Unix seconds, milliseconds, microseconds or nanoseconds, by magnitude.
    AnyEpoch,
    /// Times as in [`ColumnType::AnyEpoch`] if all values are times of this century or later, or
    /// else decided by the first value.
    Perhaps,
}

impl ColumnType {
    /// Whether the declaration alone decides the type. The values decide every other type: even a
    /// time is text if one of its texts is not a time.
    pub fn is_declared(self) -> bool {
        match self {
            ColumnType::Integer
            | ColumnType::Float
            | ColumnType::Boolean
            | ColumnType::Text
            | ColumnType::Seconds => true,
            ColumnType::Undeclared | ColumnType::AnyEpoch | ColumnType::Perhaps => false,
        }
    }

    /// Returns the type of the rows that follow `values`. It differs if the values decided it, or
    /// if a column of integers had a number with a fraction.
    pub fn decided_by(self, values: &dyn Array) -> ColumnType {
        match (self, values.data_type()) {
            (ColumnType::Integer, DataType::Float64) => ColumnType::Float,
            (ColumnType::Undeclared | ColumnType::Perhaps, data_type)
                if values.null_count() < values.len() =>
            {
                match data_type {
                    DataType::Int64 => ColumnType::Integer,
                    DataType::Float64 => ColumnType::Float,
                    DataType::Timestamp(..) => ColumnType::AnyEpoch,
                    _ => ColumnType::Text,
                }
            }
            _ => self,
        }
    }
}

/// The name, the origin and the type of a result column.
pub(super) struct ColumnInfo {
    pub name: String,
    pub origin: Option<Origin>,
    pub column_type: ColumnType,
}

/// Returns the columns of a prepared statement.
///
/// In a compound SELECT, SQLite reports the metadata of one of the SELECTs only. Then the origin
/// and the declared type are unknown.
pub(super) fn describe(statement: &Statement<'_>, sql: &TokenizedSql) -> Vec<ColumnInfo> {
    let is_compound = sql.is_compound();
    statement
        .columns()
        .zip(statement.columns_with_metadata())
        .map(|(column, metadata)| {
            let declared = column.decl_type().filter(|_| !is_compound);
            let origin =
                metadata.table_name().zip(metadata.origin_name()).filter(|_| !is_compound).map(
                    |(table, column)| Origin { table: table.to_owned(), column: column.to_owned() },
                );
            ColumnInfo {
                name: column.name().to_owned(),
                origin,
                column_type: column_type(column.name(), declared),
            }
        })
        .collect()
}

/// The type by declaration, for example `TIMESTAMP`, or by a name that Grafana reserves for times.
///
/// Grafana reserves the names in lower case. In other cases they are also titles of plain numbers.
fn column_type(name: &str, declared: Option<&str>) -> ColumnType {
    let declared = declared.map(str::to_ascii_uppercase);
    let is_named_time = name.eq_ignore_ascii_case("time") || name.eq_ignore_ascii_case("timeend");
    match declared.as_deref() {
        Some("TIMESTAMP") => ColumnType::Seconds,
        _ if ["time", "timeend", "timeEnd"].contains(&name) => ColumnType::AnyEpoch,
        _ if is_named_time => ColumnType::Perhaps,
        Some("INTEGER") => ColumnType::Integer,
        Some("REAL") => ColumnType::Float,
        Some("BOOLEAN") => ColumnType::Boolean,
        Some("TEXT" | "DATE" | "JSON") => ColumnType::Text,
        _ => ColumnType::Undeclared,
    }
}
