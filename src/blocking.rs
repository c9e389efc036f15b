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
