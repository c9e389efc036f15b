//! The state of one run: its stored windows, and the collections and windows that wait for the next
//! run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{policy, ranges};
use crate::store::{CollectionState, QueuedWindow, Window};
use crate::time::Day;

/// The results of one run so far.
#[derive(Default)]
pub(super) struct RunTracker {
    /// The number of wanted collections.
    pub collections: usize,
    /// The stored windows.
    pub stored: Vec<Window>,
    /// The days that Oura cannot deliver, by collection.
    pub unfetchable: BTreeMap<String, BTreeSet<Day>>,
    /// Collections with queued windows that were split in the store after the queue was read.
    pub replan: HashSet<String>,
    /// Collections that are not fetched again until the next run, with their state.
    pub resting: BTreeMap<String, CollectionState>,
    /// Windows that are not fetched again until the next run. Their collection continues.
    pub set_aside: HashSet<i64>,
    /// The message of the last failure.
    pub last_failure: Option<String>,
    /// Collections with a stored window. Several of their windows may be fetched at the same time.
    answered: HashSet<String>,
    /// Collections that failed since the last stored window.
    failed_in_a_row: HashSet<String>,
}

impl RunTracker {
    /// Removes the last window of `queue` that can start now. `busy` lists the collections with a
    /// fetch in progress.
    pub(super) fn next_window(
        &self,
        queue: &mut Vec<QueuedWindow>,
        busy: &[String],
    ) -> Option<QueuedWindow> {
        queue.retain(|queued| {
            self.may_start(queued) && !self.replan.contains(&queued.window.collection)
        });
        let place = queue.iter().rposition(|queued| {
            let collection = &queued.window.collection;
            self.answered.contains(collection) || !busy.contains(collection)
        })?;
        Some(queue.remove(place))
    }

    /// Whether the window can be fetched in this run.
    pub(super) fn may_start(&self, queued: &QueuedWindow) -> bool {
        !self.resting.contains_key(&queued.window.collection)
            && !self.set_aside.contains(&queued.id)
    }

    /// Whether a failure of the window may come from the window itself, or from an unfetchable day
    /// next to it.
    pub(super) fn is_suspect(&self, queued: &QueuedWindow) -> bool {
        let Window { collection, from, .. } = &queued.window;
        let unfetchable = self.unfetchable.get(collection);
        policy::is_suspect(queued)
            || queued.window.days() == 1
                && unfetchable.is_some_and(|days| ranges::reaches(*from, days))
    }

    /// Whether Oura refuses the collection.
    pub(super) fn is_refused(&self, collection: &str) -> bool {
        self.resting.get(collection).is_some_and(|state| state.is_refusal())
    }

    /// Whether the window waits because of a failure. Windows of refused collections do not count.
    pub(super) fn is_missing(&self, queued: &QueuedWindow) -> bool {
        self.set_aside.contains(&queued.id)
            || self.resting.get(&queued.window.collection) == Some(&CollectionState::Error)
    }

    /// Records a stored window.
    pub(super) fn record_success(&mut self, window: Window) {
        self.failed_in_a_row.clear();
        self.answered.insert(window.collection.clone());
        self.stored.push(window);
    }

    /// Records a failed window. Returns the number of collections that failed in a row.
    pub(super) fn record_failure(&mut self, collection: &str, message: &str) -> usize {
        self.failed_in_a_row.insert(collection.to_owned());
        self.last_failure = Some(message.to_owned());
        self.failed_in_a_row.len()
    }
}
