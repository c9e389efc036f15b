//! The limits of one query.

use std::time::Duration;

/// The limits of one query, from the operator's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time until a query is stopped, including its time in the queue.
    pub timeout: Duration,
    /// Rows that a query may return. Further rows are counted and dropped.
    pub max_rows: usize,
    /// Memory that a query's columns may take, in bytes.
    pub max_bytes: usize,
    /// Queries of one data source that run at the same time. Further queries are queued.
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
