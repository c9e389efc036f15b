//! The queue and the pause for all requests of one application: Oura limits applications, not
//! persons.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::Origins;
use crate::time::{Clock, Instant};

/// Requests of one application at the same time. Twice as many as one sync sends, and at a fifth of
/// a second each more than Oura's limit of 5,000 requests in five minutes.
const MAX_CONCURRENT: usize = 8;

/// The gates by the address of the API and the client ID.
type GatesByApplication = HashMap<(Url, String), Weak<RateGate>>;

/// The gates of all applications of a process. Cheap to clone.
#[derive(Clone, Default)]
pub struct RateGates {
    gates: Arc<Mutex<GatesByApplication>>,
}

impl RateGates {
    /// Returns the gate of an application at Oura, or at a simulator.
    pub fn of(&self, origins: &Origins, client_id: &str) -> Arc<RateGate> {
        let mut gates = self.gates.lock();
        gates.retain(|_, gate| gate.strong_count() > 0);
        let entry = gates.entry((origins.api.clone(), client_id.to_owned())).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let gate = Arc::new(RateGate::default());
            *entry = Arc::downgrade(&gate);
            gate
        })
    }
}

/// Holds requests back until an instant, and lets a few pass at a time, in the order of their
/// arrival. A sync waits with at most four requests, so data sources take turns.
pub struct RateGate {
    opens_at: Mutex<Option<Instant>>,
    places: Semaphore,
}

impl Default for RateGate {
    fn default() -> RateGate {
        RateGate { opens_at: Mutex::default(), places: Semaphore::new(MAX_CONCURRENT) }
    }
}

impl RateGate {
    /// Waits for a place in the order of arrival, and until the gate is open. The place is free
    /// when the returned value is dropped.
    pub(super) async fn pass(&self, clock: &Clock) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        let place = self.places.acquire().await.ok();
        self.wait(clock).await;
        place
    }

    /// Holds requests back until `instant`, or until a later instant that was set before.
    pub(super) fn close_until(&self, instant: Instant) {
        let mut opens_at = self.opens_at.lock();
        *opens_at = (*opens_at).max(Some(instant));
    }

    /// Waits until the gate is open, including pauses that are added during the wait.
    async fn wait(&self, clock: &Clock) {
        let mut waited_for = None;
        loop {
            let opens_at = *self.opens_at.lock();
            let now = clock.now();
            match opens_at {
                Some(instant) if instant > now && opens_at != waited_for => {
                    let seconds = (instant.seconds() - now.seconds()).unsigned_abs();
                    clock.sleep(Duration::from_secs(seconds)).await;
                    waited_for = opens_at;
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sources_of_one_application_share_a_gate() {
        let (gates, oura) = (RateGates::default(), Origins::oura());
        let simulator = Origins::at(&"http://127.0.0.1:1".parse().unwrap());
        let first = gates.of(&oura, "a");
        assert!(Arc::ptr_eq(&first, &gates.clone().of(&oura, "a")));
        for (origins, client_id) in [(&oura, "b"), (&simulator, "a")] {
            assert!(!Arc::ptr_eq(&first, &gates.of(origins, client_id)), "{client_id}");
        }
        drop(first);
        assert_eq!(gates.of(&oura, "b").places.available_permits(), MAX_CONCURRENT);
        assert_eq!(gates.gates.lock().len(), 1);
    }

    #[tokio::test]
    async fn requests_pass_in_the_order_of_their_arrival() {
        let (gate, clock) = (Arc::new(RateGate::default()), Clock::system());
        let mut busy = Vec::new();
        for _ in 0..MAX_CONCURRENT {
            busy.push(gate.pass(&clock).await);
        }
        let passed = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for (position, source) in ["a", "a", "a", "a", "b", "c"].into_iter().enumerate() {
            let (waiter, passed, clock) = (Arc::clone(&gate), Arc::clone(&passed), clock.clone());
            waiting.spawn(async move {
                let _place = waiter.pass(&clock).await;
                passed.lock().push((position, source));
            });
            // The task has reached the queue: this test has one thread.
            tokio::task::yield_now().await;
        }
        assert!(passed.lock().is_empty());
        drop(busy.pop());
        waiting.join_all().await;
        let order: Vec<usize> = passed.lock().iter().map(|(position, _)| *position).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn pause_is_never_shortened() {
        let gate = RateGate::default();
        gate.close_until(Instant(100));
        gate.close_until(Instant(50));
        assert_eq!(*gate.opens_at.lock(), Some(Instant(100)));
    }
}
