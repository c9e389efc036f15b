//! Waiting times between retries.

use std::time::Duration;

/// Waiting times that double. Each is a random part of its maximum, between half and all of it, so
/// that many clients do not return in step.
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// After a network error, an incomplete response or a 5xx.
    pub(super) const FAILURE: Backoff =
        Backoff { first: Duration::from_secs(1), max: Duration::from_secs(30) };
    /// After a 429 without `Retry-After`. Oura counts requests over five minutes, and five waits
    /// are longer than that.
    pub(super) const RATE_LIMIT: Backoff =
        Backoff { first: Duration::from_secs(20), max: Duration::from_secs(300) };

    /// Returns the wait after failure number `count` in a row, counted from 1.
    pub(super) fn after(&self, count: u32) -> Duration {
        let full = self.first.saturating_mul(1 << (count - 1).min(16)).min(self.max);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum() {
        for (count, full) in [(1, 1.0), (2, 2.0), (3, 4.0), (6, 30.0), (u32::MAX, 30.0)] {
            let wait = Backoff::FAILURE.after(count).as_secs_f64();
            assert!((full / 2.0..=full).contains(&wait), "after {count}: {wait}");
        }
    }

    #[test]
    fn five_rate_limit_waits_exceed_five_minutes() {
        let total: f64 = (1..=5).map(|count| Backoff::RATE_LIMIT.after(count).as_secs_f64()).sum();
        assert!(total >= 300.0, "{total}");
    }
}
