//! The limits of one query.

use std::time::Duration;

/// The limits of one query, from the operator's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time until a query is stopped, including its time in the queue.
    pub timeout: Duration,
    /// Rows that a query may return. Further rows are counted and dropped.
    pub max_rows: usize,
    /// Size of a query's result, in bytes: its columns, and the frames or the JSON made from them.
    pub max_bytes: usize,
    /// Memory that a statement may use while it is prepared and runs, in bytes. All queries of the
    /// process share four times this amount, and an ordinary query needs none of it.
    pub max_memory: usize,
    /// Queries of one data source that run at the same time. Further queries are queued.
    pub concurrency: usize,
}

/// The memory for all queries of the process, in queries that use their whole limit.
const MAX_GREEDY_QUERIES: usize = 4;

impl Limits {
    /// Memory that all queries of the process may use beyond an ordinary query's, in bytes.
    pub fn process_memory(&self) -> usize {
        self.max_memory.saturating_mul(MAX_GREEDY_QUERIES)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            timeout: Duration::from_secs(30),
            max_rows: 1_000_000,
            max_bytes: 256 << 20,
            max_memory: 256 << 20,
            concurrency: 4,
        }
    }
}
