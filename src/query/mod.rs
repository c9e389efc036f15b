//! Questions in SQL: macros expanded, one SELECT checked, read under limits. What comes back is columns; `frames` makes them Grafana's.

pub mod annotations;
mod counters;
mod engine;
mod error;
mod interval;
mod macros;
pub mod metrics;
pub(crate) mod nearest;
mod quantity;
mod statement;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

pub use counters::{LATENCIES, QueryCounters, QueryCounts};
pub use engine::Engine;
pub use error::{Position, QueryError};
pub use macros::{Fill, FillMode, MACROS, Macro, Problem};

use crate::store::ColumnBatch;
use crate::time::Tz;

/// A query as a panel, a script or an alert rule sends it. Unknown fields are Grafana's own and ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SqlQuery {
    #[serde(alias = "sql")]
    pub raw_sql: String,
    /// Bound to `?1`, `?2`, … in order; strings, numbers, booleans and null.
    #[cfg_attr(test, ts(type = "(string | number | boolean | null)[]"))]
    pub params: Vec<serde_json::Value>,
    pub format: Format,
    pub downsample: Downsample,
}

/// The kind of a query, in its JSON field `queryType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum QueryType {
    /// [`SqlQuery`]. Queries without a type are SQL.
    #[default]
    #[serde(alias = "")]
    Sql,
    /// [`metrics::MetricsQuery`].
    Metrics,
    /// [`annotations::AnnotationsQuery`].
    Annotations,
}

/// What becomes of a series with more points than a panel can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Downsample {
    /// The least and the greatest of each stretch, where there are far too many.
    #[default]
    Auto,
    Off,
    MinMax,
    /// Largest triangle three buckets: the points that keep the line's shape.
    Lttb,
}

/// What is shown of a column beside its name and what the catalogue says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldDisplay {
    pub title: Option<String>,
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Format {
    TimeSeries,
    #[default]
    Table,
}

/// What the macros stand for.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext {
    /// Milliseconds since 1970, both included.
    pub from_ms: i64,
    pub to_ms: i64,
    pub interval: Duration,
    pub max_data_points: u64,
}

/// `sql` with its macros expanded, as the engine runs it. Calendar days are those of `zone`.
pub fn expand(sql: &str, context: &QueryContext, zone: Tz) -> Result<String, QueryError> {
    let expanded =
        macros::expand(sql, context, zone).map_err(|error| QueryError::of_macro(sql, error))?;
    Ok(expanded.sql)
}

/// The most one query may take. From the operator's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub timeout: Duration,
    pub max_rows: usize,
    pub max_bytes: usize,
    /// Queries of one data source at a time; the others wait.
    pub concurrency: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            timeout: Duration::from_secs(30),
            max_rows: 1_000_000,
            max_bytes: 256 << 20,
            concurrency: 4,
        }
    }
}

/// The rows, and the SQL that gave them.
#[derive(Debug)]
pub struct QueryResult {
    pub batch: ColumnBatch,
    pub executed_sql: String,
    pub elapsed: Duration,
    /// To be shown with the answer: "1,000,000 of more rows shown".
    pub notices: Vec<String>,
    /// Gaps to be filled, once the rows are a series.
    pub fill: Option<Fill>,
    /// What to do with too many points, and how many are not too many.
    pub downsample: (Downsample, u64),
    /// One for each column, or none at all.
    pub displays: Vec<FieldDisplay>,
    /// Goes into the frame's metadata as it is.
    pub custom: Option<serde_json::Value>,
}

impl QueryResult {
    /// Rows as they are, with nothing to be said of them.
    pub fn of(batch: ColumnBatch, executed_sql: String) -> QueryResult {
        QueryResult {
            batch,
            executed_sql,
            elapsed: Duration::ZERO,
            notices: Vec::new(),
            fill: None,
            downsample: (Downsample::Off, 0),
            displays: Vec::new(),
            custom: None,
        }
    }
}
