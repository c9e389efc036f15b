//! Queries: expands macros, validates that the statement is one SELECT, and reads it under limits.
//!
//! The result is columns. `frames` turns them into Grafana's frames.

pub mod annotations;
mod calendar;
mod cancel;
mod column_origin;
mod context;
mod counters;
mod engine;
mod error;
mod expansion;
mod export;
mod fill;
pub mod interval;
mod limits;
mod macros;
pub mod metrics;
mod parser;
mod request;
mod result;
mod row_stream;
mod statement;
pub(crate) mod suggest;

pub use context::QueryContext;
pub use counters::{LATENCY_BUCKETS, QueryCounters, QueryCounts};
pub use engine::Engine;
pub use error::{Position, QueryError};
pub use export::{columns_query, export_query};
pub use fill::{Fill, FillMode};
pub use limits::Limits;
pub use macros::{MACROS, Macro, MacroErrorKind};
pub use request::{Downsample, Format, QueryType, SqlQuery};
pub use result::{FieldDisplay, Line, QueryResult, Reader};
pub use row_stream::RowStream;

use crate::time::Tz;

/// Returns `sql` with its macros expanded, as the engine runs it if `sql` has no groups of whole
/// days. Calendar days are those of `zone`.
pub fn expand(sql: &str, context: &QueryContext, zone: Tz) -> Result<String, QueryError> {
    let expanded = macros::tokenize(sql)
        .and_then(|written| macros::expand(&written, context, zone))
        .map_err(|error| QueryError::from_macro_error(sql, error))?;
    Ok(expanded.sql.text().to_owned())
}

#[cfg(test)]
mod tests;
