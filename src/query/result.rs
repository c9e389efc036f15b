//! The result of a query.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fill::Fill;
use super::request::Downsample;
use crate::format::grouped;
use crate::store::{ColumnBatch, Limit, Truncation};

/// The columns that a query returned, and everything that `frames` needs to present them.
#[derive(Debug)]
pub struct QueryResult {
    /// The rows, by column.
    pub batch: ColumnBatch,
    /// The statement that ran, with its macros expanded.
    pub executed_sql: String,
    /// The duration of the query, including its time in the queue.
    pub elapsed: Duration,
    /// Messages to show with the result, for example that rows are missing.
    pub notices: Vec<String>,
    /// Maximum size of the frames or the JSON made from the rows, in bytes.
    pub max_bytes: usize,
    /// The gaps to fill once the rows are a series.
    pub fill: Option<Fill>,
    /// The reduction of long series, and the number of points up to which a series stays whole.
    pub downsample: (Downsample, u64),
    /// Display overrides, one per column. Empty if no column has any.
    pub displays: Vec<FieldDisplay>,
    /// The reader of the frames.
    pub reader: Reader,
    /// JSON for the frame's `meta.custom`, unchanged.
    pub custom: Option<serde_json::Value>,
}

/// The part of Grafana that reads the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// A panel, Explore, an annotation or a variable.
    #[default]
    Panel,
    /// An expression of a panel. It identifies series by their labels only, and SQL expressions
    /// read tables by the names of their columns.
    Expression,
    /// An alert rule. It identifies numbers and series by their labels only.
    Rule,
}

/// Display overrides for a result column: title and labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldDisplay {
    /// The name in a legend. Without it, the column's own name.
    pub title: Option<String>,
    /// Labels that tell series of one frame apart.
    pub labels: BTreeMap<String, String>,
    /// How to draw the line, if it is not an ordinary one.
    pub line: Option<Line>,
}

/// The line of a baseline or of its band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The middle of a band.
    Dashed,
    /// The invisible lower edge of a band.
    LowerEdge,
    /// The invisible upper edge of a band, which is filled down to the lower edge.
    UpperEdge {
        /// The title of the lower edge.
        lower: String,
    },
}

impl QueryResult {
    /// Returns a result without notices, gap filling, downsampling or display overrides.
    pub fn of(batch: ColumnBatch, executed_sql: String) -> QueryResult {
        QueryResult {
            batch,
            executed_sql,
            elapsed: Duration::ZERO,
            notices: Vec::new(),
            max_bytes: usize::MAX,
            fill: None,
            downsample: (Downsample::Off, 0),
            displays: Vec::new(),
            reader: Reader::Panel,
            custom: None,
        }
    }
}

/// Returns for example "The first 1,000,000 of 4,485,206 rows are shown."
pub(super) fn truncation_notice(shown: usize, truncation: Truncation) -> String {
    let at_least = if truncation.is_exact { "" } else { "more than " };
    let size = match truncation.limit {
        Limit::Rows(_) => String::new(),
        Limit::Bytes(bytes) => format!(" ({} MB)", grouped(bytes as u64 >> 20)),
    };
    format!(
        "The first {} of {at_least}{} rows are shown{size}. Narrow the time range or aggregate.",
        grouped(shown as u64),
        grouped(truncation.total_rows as u64)
    )
}
