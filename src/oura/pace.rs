//! How fast to ask: waiting longer after each failure, stopping altogether when Oura says so, and counting what was sent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::time::{Clock, Instant};

/// Waits that double, each between half and all of its length so that many clients do not return in step.
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// After no answer, a broken one, or a 5xx.
    pub(super) const FAILURE: Backoff =
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
    /// After a 429 that does not say how long: five of them outlast the five minutes that Oura counts over.
    pub(super) const RATE_LIMIT: Backoff =
        Backoff { first: Duration::from_secs(20), longest: Duration::from_secs(300) };

    /// The wait after the `count`th failure in a row, from 1.
    pub(super) fn after(&self, count: u32) -> Duration {
        let whole = self.first.saturating_mul(1 << (count - 1).min(16)).min(self.longest);
        whole.mul_f64(rand::random_range(0.5..=1.0))
    }
}

/// Closed until an instant, for every request of one login.
#[derive(Default)]
pub(super) struct Gate {
    opens_at: Mutex<Option<Instant>>,
}

impl Gate {
    /// No request before `instant`; never shortens a pause.
    pub(super) fn close_until(&self, instant: Instant) {
        let mut opens_at = self.opens_at.lock();
        *opens_at = (*opens_at).max(Some(instant));
    }

    /// Waits until the gate is open. Whoever waits also waits for a pause that is added meanwhile.
    pub(super) async fn passed(&self, clock: &Clock) {
        let mut waited_for = None;
        loop {
            let opens_at = *self.opens_at.lock();
            let now = clock.now();
            match opens_at {
                Some(instant) if instant > now && opens_at != waited_for => {
                    clock
                        .sleep(Duration::from_secs(
                            (instant.seconds() - now.seconds()).unsigned_abs(),
                        ))
                        .await;
                    waited_for = opens_at;
                }
                _ => return,
            }
        }
    }
}

/// What was sent to the API since the process began, and what came back; login not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    pub requests: u64,
    /// 2xx with a page in it.
    pub pages: u64,
    /// 4xx except 429: this request will never succeed.
    pub refused: u64,
    /// 429.
    pub rate_limited: u64,
    /// 5xx.
    pub failed: u64,
    /// No answer, or a broken one.
    pub broken: u64,
    /// Requests that repeated an earlier one; part of `requests`.
    pub retries: u64,
}

/// How often a collection was answered so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerCount {
    pub collection: String,
    /// HTTP's; `None` when no answer came.
    pub status: Option<u16>,
    pub count: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) pages: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) rate_limited: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) retries: AtomicU64,
    answers: Mutex<BTreeMap<(String, Option<u16>), u64>>,
}

impl Counters {
    pub(super) fn read(&self) -> RequestCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RequestCounts {
            requests: read(&self.requests),
            pages: read(&self.pages),
            refused: read(&self.refused),
            rate_limited: read(&self.rate_limited),
            failed: read(&self.failed),
            broken: read(&self.broken),
            retries: read(&self.retries),
        }
    }

    pub(super) fn answered(&self, collection: &str, status: Option<u16>) {
        let mut answers = self.answers.lock();
        *answers.entry((collection.to_owned(), status)).or_default() += 1;
    }

    /// By collection, then status.
    pub(super) fn answers(&self) -> Vec<AnswerCount> {
        let answers = self.answers.lock();
        let row = |((collection, status), count): (&(String, Option<u16>), &u64)| AnswerCount {
            collection: collection.clone(),
            status: *status,
            count: *count,
        };
        answers.iter().map(row).collect()
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        for (count, whole) in [(1, 1.0), (2, 2.0), (3, 4.0), (6, 30.0), (u32::MAX, 30.0)] {
            let wait = Backoff::FAILURE.after(count).as_secs_f64();
            assert!((whole / 2.0..=whole).contains(&wait), "after {count}: {wait}");
        }
    }

    #[test]
    fn five_waits_for_an_unexplained_limit_are_longer_than_five_minutes() {
        let shortest: f64 =
            (1..=5).map(|count| Backoff::RATE_LIMIT.after(count).as_secs_f64()).sum();
        assert!(shortest >= 300.0, "{shortest}");
    }

    #[test]
    fn a_pause_is_never_shortened() {
        let gate = Gate::default();
        gate.close_until(Instant(100));
        gate.close_until(Instant(50));
        assert_eq!(*gate.opens_at.lock(), Some(Instant(100)));
    }
}
