//! Counters of requests to the data API.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Requests to the data API and their outcomes since the process started. Login requests are not
/// included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// All requests, including retries.
    pub requests: u64,
    /// 200 with a valid page.
    pub pages: u64,
    /// 4xx except 408 and 429: a retry cannot succeed.
    pub refused: u64,
    /// 429.
    pub rate_limited: u64,
    /// 408 and 5xx.
    pub failed: u64,
    /// No response, an incomplete one, or one of an unexpected form.
    pub broken: u64,
    /// Requests that repeated an earlier one; included in `requests`.
    pub retries: u64,
}

/// The number of responses with one status for one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseCount {
    /// The collection's name.
    pub collection: String,
    /// The HTTP status; `None` for requests without a response.
    pub status: Option<u16>,
    /// Responses since the process started.
    pub count: u64,
}

/// The counters behind [`RequestCounts`] and [`ResponseCount`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) pages: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) rate_limited: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) retries: AtomicU64,
    responses: Mutex<BTreeMap<(String, Option<u16>), u64>>,
}

impl Counters {
    pub(super) fn request_counts(&self) -> RequestCounts {
        RequestCounts {
            requests: self.requests.load(Ordering::Relaxed),
            pages: self.pages.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count_response(&self, collection: &str, status: Option<u16>) {
        let mut responses = self.responses.lock();
        *responses.entry((collection.to_owned(), status)).or_default() += 1;
    }

    /// Returns the responses by collection, then status.
    pub(super) fn response_counts(&self) -> Vec<ResponseCount> {
        self.responses
            .lock()
            .iter()
            .map(|((collection, status), count)| ResponseCount {
                collection: collection.clone(),
                status: *status,
                count: *count,
            })
            .collect()
    }
}

/// Adds one to `counter`.
pub(super) fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
