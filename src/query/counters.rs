//! Counts of queries for the process's metrics: outcomes, limits that were hit, and latencies.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

use super::error::QueryError;
use super::result::QueryResult;
use crate::store::Limit;

/// Upper bounds of the latency buckets, in seconds.
pub const LATENCY_BUCKETS: [f64; 7] = [0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

/// Counters for the queries of one data source.
#[derive(Debug, Default)]
pub struct QueryCounters {
    counts: Mutex<QueryCounts>,
}

/// The values of [`QueryCounters`] at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryCounts {
    /// Queries by outcome: `ok`, or the error's code.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Queries that hit a limit, by limit: `rows`, `bytes`, `time` or `concurrency`.
    pub limits: BTreeMap<&'static str, u64>,
    /// Queries with a latency up to each bound of [`LATENCY_BUCKETS`].
    pub within: [u64; LATENCY_BUCKETS.len()],
    /// The sum of all durations in seconds.
    pub seconds: f64,
}

impl QueryCounters {
    /// Counts a query that ended after `elapsed`, which includes its time in the queue.
    pub fn record(&self, outcome: Result<&QueryResult, &QueryError>, elapsed: Duration) {
        let mut counts = self.counts.lock();
        *counts.outcomes.entry(outcome.map_or_else(QueryError::code, |_| "ok")).or_default() += 1;
        if let Some(limit) = limit_of(outcome) {
            *counts.limits.entry(limit).or_default() += 1;
        }
        let seconds = elapsed.as_secs_f64();
        counts.seconds += seconds;
        for (count, bound) in counts.within.iter_mut().zip(LATENCY_BUCKETS) {
            *count += u64::from(seconds <= bound);
        }
    }

    /// Returns the current values.
    pub fn read(&self) -> QueryCounts {
        self.counts.lock().clone()
    }
}

/// Returns the limit that the query hit.
fn limit_of(outcome: Result<&QueryResult, &QueryError>) -> Option<&'static str> {
    match outcome {
        Ok(result) => match result.batch.truncation?.limit {
            Limit::Rows(_) => Some("rows"),
            Limit::Bytes(_) => Some("bytes"),
        },
        Err(QueryError::Timeout(_)) => Some("time"),
        Err(QueryError::Busy) => Some("concurrency"),
        Err(_) => None,
    }
}

impl QueryCounts {
    /// Returns the number of all queries.
    pub fn total(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_counted_by_outcome_limit_and_duration() {
        let counters = QueryCounters::default();
        counters.record(Err(&QueryError::Empty), Duration::from_millis(1));
        counters
            .record(Err(&QueryError::Timeout(Duration::from_secs(30))), Duration::from_secs(30));
        counters.record(Err(&QueryError::Busy), Duration::from_secs(90));
        let counts = counters.read();
        assert_eq!(counts.total(), 3);
        assert_eq!(counts.outcomes[QueryError::Empty.code()], 1);
        assert_eq!(counts.limits, BTreeMap::from([("concurrency", 1), ("time", 1)]));
        assert_eq!(counts.within, [1, 1, 1, 1, 1, 1, 2], "each bucket counts all faster queries");
        assert!((counts.seconds - 120.001).abs() < 1e-9);
    }
}
