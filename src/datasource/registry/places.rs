//! The number of open data sources is limited. Idle ones are closed, least recently used first, and
//! open again with the next request or when their sync is due.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};

use super::{DataSources, OpenDataSource, Shared, Slot};
use crate::datasource::key::DataSourceKey;
use crate::os;

/// Files of one data source: six connections with a log each, and one index of the log.
const FILES_PER_DATASOURCE: usize = 14;
/// Files for everything else: the vault, connections to Grafana and Oura, downloads.
const OTHER_FILES: usize = 256;
/// The minimum number of places, even with a low limit for files.
const MIN_PLACES: usize = 8;
/// The time that a request waits for a place before it opens its data source without one.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between two searches for an idle data source.
const SEARCH_INTERVAL: Duration = Duration::from_millis(50);
/// The time between two looks at closed data sources with a due sync.
const DUE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Returns the number of data sources that may be open at once: at most `max`, and fewer if the
/// process may open few files.
pub(super) fn place_count(max: usize) -> usize {
    let for_files = os::max_open_files()
        .map_or(usize::MAX, |files| files.saturating_sub(OTHER_FILES) / FILES_PER_DATASOURCE);
    max.min(for_files.max(MIN_PLACES))
}

impl DataSources {
    /// Returns a place for a data source that opens. Closes an idle one if all places are taken.
    /// Waits while all are busy; `None` after `timeout`.
    pub(super) async fn place(&self, timeout: Duration) -> Option<OwnedSemaphorePermit> {
        let search = async {
            loop {
                if let Ok(place) = Arc::clone(&self.shared.places).try_acquire_owned() {
                    return place;
                }
                if !self.close_least_used().await {
                    tokio::time::sleep(SEARCH_INTERVAL).await;
                }
            }
        };
        tokio::time::timeout(timeout, search).await.ok()
    }

    /// As [`DataSources::place`], for a request.
    pub(super) async fn place_for_request(&self) -> Option<OwnedSemaphorePermit> {
        self.place(PLACE_TIMEOUT).await
    }

    /// Closes the idle data source that was used least recently. Returns whether there was one.
    async fn close_least_used(&self) -> bool {
        let mut slots: Vec<_> = {
            let slots = self.shared.slots.lock();
            let used = self.shared.used.lock();
            let last_use = |key| used.get(key).map_or(0, |used| used.order);
            slots.iter().map(|(key, slot)| (last_use(key), key.clone(), slot.clone())).collect()
        };
        slots.sort_by_key(|(last_use, ..)| *last_use);
        for (_, key, slot) in slots {
            let Ok(mut slot) = slot.try_lock_owned() else { continue };
            if slot.as_ref().is_some_and(|open| open.datasource.is_idle()) {
                self.close_slot(&key, &mut slot).await;
                return true;
            }
        }
        false
    }

    /// Closes the data source in `slot`, and remembers when its next sync is due.
    pub(super) async fn close_slot(&self, key: &DataSourceKey, slot: &mut OwnedMutexGuard<Slot>) {
        let Some(open) = slot.take() else { return };
        if open.datasource.is_connected() {
            let due = open.datasource.next_sync();
            let due = due.unwrap_or_else(|| self.shared.environment.clock.now());
            self.shared.dormant.lock().insert(key.clone(), due);
        }
        let OpenDataSource { datasource, place, .. } = open;
        datasource.close().await;
        drop(datasource);
        // The place is free when the files are closed.
        drop(place);
    }

    /// Opens the closed data sources with a due sync, as far as places are free.
    async fn open_due(&self) {
        let now = self.shared.environment.clock.now();
        let mut due: Vec<_> = {
            let dormant = self.shared.dormant.lock();
            dormant.iter().filter(|(_, at)| **at <= now).map(|(k, at)| (*at, k.clone())).collect()
        };
        due.sort();
        for (_, key) in due {
            let Some(place) = self.place(DUE_CHECK_INTERVAL).await else { return };
            if self.shared.dormant.lock().remove(&key).is_none() {
                continue;
            }
            self.touch(&key);
            if let Err(error) = self.resume_one(&key, Some(place)).await {
                tracing::error!(datasource = %key, %error, "could not open a data source");
            }
        }
    }
}

/// Opens closed data sources when their syncs are due, until the registry is dropped.
pub(super) async fn open_due_data_sources(shared: Weak<Shared>) {
    loop {
        let Some(clock) = shared.upgrade().map(|shared| shared.environment.clock.clone()) else {
            return;
        };
        clock.sleep(DUE_CHECK_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        DataSources { shared }.open_due().await;
    }
}
