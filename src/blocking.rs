//! Blocking work outside the async threads.

/// Runs `work` on a thread for blocking work and returns its result. A panic in `work` propagates.
///
/// Use it for disk access and for long computations, which would delay other tasks.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Size of an input that is parsed in microseconds, in bytes.
const SMALL: usize = 16 << 10;

/// Runs `work` on an input of `size` bytes: a small one at once, a large one as [`blocking`] does.
pub async fn blocking_if_large<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if size <= SMALL { work() } else { blocking(work).await }
}
