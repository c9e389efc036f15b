//! Waiting without a guess at how long something takes.

use std::time::{Duration, Instant};

/// Longer than anything takes that does not hang, on however busy a machine.
const HANG_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause between two looks at a condition that nothing announces.
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// The output of `future`. Panics with the name of the `action` if it hangs.
pub async fn must_finish<T>(action: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(HANG_TIMEOUT, future).await {
        Ok(output) => output,
        Err(_) => panic!("hangs: {action}"),
    }
}

/// Polls until `condition` holds. Only for changes that cannot be awaited. Panics with the
/// name of the `event` if it does not happen.
pub async fn poll_until(event: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANG_TIMEOUT, "did not happen: {event}");
        tokio::time::sleep(POLL_PAUSE).await;
    }
}
