//! How many queries were asked, how they ended and how long they took: for whoever watches the process.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::{QueryError, QueryResult};
use crate::store::Limit;

/// Upper ends of the buckets in which latencies are counted, in seconds.
pub const LATENCIES: [f64; 7] = [0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

/// Counts since it was made.
#[derive(Debug, Default)]
pub struct QueryCounters {
    counts: Mutex<QueryCounts>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryCounts {
    /// By outcome: `ok`, or the code of the error.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// By limit: `rows`, `bytes`, `time`, `concurrency`.
    pub limits: BTreeMap<&'static str, u64>,
    /// How many took at most as long as each of [`LATENCIES`].
    pub within: [u64; LATENCIES.len()],
    /// Of all together.
    pub seconds: f64,
}

impl QueryCounters {
    /// Counts a query that ended after `elapsed`, its waiting included.
    pub fn record(&self, outcome: &Result<QueryResult, QueryError>, elapsed: Duration) {
        let (word, limit) = match outcome {
            Ok(answer) => (
                "ok",
                answer
                    .batch
                    .truncation
                    .map(|cut| if matches!(cut.limit, Limit::Rows(_)) { "rows" } else { "bytes" }),
            ),
            Err(error) => (
                error.code(),
                match error {
                    QueryError::Timeout(_) => Some("time"),
                    QueryError::Busy => Some("concurrency"),
                    _ => None,
                },
            ),
        };
        let mut counts = self.lock();
        *counts.outcomes.entry(word).or_default() += 1;
        if let Some(limit) = limit {
            *counts.limits.entry(limit).or_default() += 1;
        }
        let seconds = elapsed.as_secs_f64();
        counts.seconds += seconds;
        for (count, _) in counts.within.iter_mut().zip(LATENCIES).filter(|(_, end)| seconds <= *end)
        {
            *count += 1;
        }
    }

    pub fn read(&self) -> QueryCounts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, QueryCounts> {
        self.counts.lock()
    }
}

impl QueryCounts {
    pub fn total(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_counted_by_outcome_limit_and_duration() {
        let tally = QueryCounters::default();
        tally.record(&Err(QueryError::Empty), Duration::from_millis(1));
        tally.record(&Err(QueryError::Timeout(Duration::from_secs(30))), Duration::from_secs(30));
        tally.record(&Err(QueryError::Busy), Duration::from_secs(90));
        let counts = tally.read();
        assert_eq!(counts.total(), 3);
        assert_eq!(counts.outcomes[QueryError::Empty.code()], 1);
        assert_eq!(counts.limits, BTreeMap::from([("concurrency", 1), ("time", 1)]));
        assert_eq!(counts.within, [1, 1, 1, 1, 1, 1, 2], "each bucket holds all that were faster");
        assert!((counts.seconds - 120.001).abs() < 1e-9);
    }
}
