//! Windows: the unit in which a sync fetches and stores, and the facts that planning one needs.

use std::collections::{BTreeMap, BTreeSet};

use super::state::WindowReason;
use crate::time::Day;

/// Returns the first day that a window can have. Oura's first ring is of 2015.
pub fn first_ring() -> Day {
    Day::new(2015, 1, 1).expect("a date")
}

/// A range of days of one collection that one fetch covers, both ends included. A collection
/// without days has the day of the sync at both ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The collection's name.
    pub collection: String,
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Day,
    /// Why it is fetched.
    pub reason: WindowReason,
}

impl Window {
    /// The number of days, at least 1.
    pub fn days(&self) -> i64 {
        self.from.until(self.to) + 1
    }
}

/// A window in the queue: a row of `sync_windows`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedWindow {
    /// The row's key.
    pub id: i64,
    /// The window itself.
    pub window: Window,
    /// The number of runs in which it failed and may itself have been the cause.
    pub attempts: u32,
}

/// The effect of recording that Oura refuses a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The number of windows that left the run.
    pub windows: u64,
    /// Whether the collection was in another state before.
    pub is_news: bool,
}

/// The changes that storing a window made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Received documents or rows.
    pub documents: u64,
    /// Those that are new or differ from the stored ones.
    pub changed: u64,
    /// Stored ones that were missing from the response.
    pub deleted: u64,
    /// Changed ones that could not be read completely.
    pub faulty: u64,
}

/// The stored days of all collections, as far as planning needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Complete ranges of days by collection, sorted and not adjacent. Both ends are included.
    pub complete: BTreeMap<String, Vec<(Day, Day)>>,
    /// Collections that were stored since the interrupted run began.
    pub fresh: BTreeSet<String>,
    /// The first day with a document of any collection.
    pub first_day: Option<Day>,
    /// The last day with a document, by collection.
    pub last_days: BTreeMap<String, Day>,
}

/// The facts that decide which days of a stored window can still change.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals<'a> {
    /// The window's collection.
    pub collection: &'a str,
    /// The local day of the sync.
    pub today: Day,
    /// The last day with a document, by collection, before the window was stored.
    pub last_days: &'a BTreeMap<String, Day>,
    /// The last day of the window that has a document now.
    pub newest_in_window: Option<Day>,
}
