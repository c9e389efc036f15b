//! The progress of a sync, as the API shows it.

use std::time::Duration;

use serde::Serialize;

/// The progress of a sync run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The run's number.
    pub run: i64,
    /// The number of planned windows. It grows until the beginning of the history is known.
    pub windows: u64,
    /// The number of stored windows.
    pub windows_done: u64,
    /// The number of received documents and rows.
    pub documents: u64,
    /// The number of HTTP requests, known at the end.
    pub requests: u64,
    /// Whether the run has ended.
    pub finished: bool,
    /// Why the run failed.
    pub failure: Option<String>,
}

impl Progress {
    /// The stored share of the planned windows, from 0 to 100.
    pub fn percent(&self) -> f64 {
        match self.windows {
            0 if self.finished && self.failure.is_none() => 100.0,
            0 => 0.0,
            windows => (100.0 * self.windows_done as f64 / windows as f64).min(100.0),
        }
    }

    /// Estimates the remaining time from the `elapsed` time. Returns `None` before the first window
    /// and after the end.
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        if self.finished || self.windows_done == 0 {
            return None;
        }
        let left = self.windows.saturating_sub(self.windows_done);
        Some(elapsed.mul_f64(left as f64 / self.windows_done as f64))
    }
}
