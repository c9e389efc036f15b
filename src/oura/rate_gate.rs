//! The pause that a rate limit imposes on all requests of one login.

use std::time::Duration;

use parking_lot::Mutex;

use crate::time::{Clock, Instant};

/// Holds requests back until an instant.
#[derive(Default)]
pub(super) struct RateGate {
    opens_at: Mutex<Option<Instant>>,
}

impl RateGate {
    /// Holds requests back until `instant`, or until a later instant that was set before.
    pub(super) fn close_until(&self, instant: Instant) {
        let mut opens_at = self.opens_at.lock();
        *opens_at = (*opens_at).max(Some(instant));
    }

    /// Waits until the gate is open, including pauses that are added during the wait.
    pub(super) async fn wait(&self, clock: &Clock) {
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
    fn pause_is_never_shortened() {
        let gate = RateGate::default();
        gate.close_until(Instant(100));
        gate.close_until(Instant(50));
        assert_eq!(*gate.opens_at.lock(), Some(Instant(100)));
    }
}
