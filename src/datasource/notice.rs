//! Notices on outdated data: why the data ends before now.

use std::cmp::Reverse;
use std::sync::Arc;

use parking_lot::Mutex;

use super::login::Login;
use super::settings::Settings;
use crate::store::{CollectionRow, ConnectionState, REPAIR, Store};
use crate::time::{Clock, Day, Instant};

/// The age of a sync, in seconds, above which data counts as outdated.
const MAX_SYNC_AGE: i64 = 2 * 86_400;
/// The number of collections that a notice names. The settings list all.
const MAX_NAMED_COLLECTIONS: usize = 3;

/// The notices of one data source.
pub(super) struct Notices {
    login: Arc<Login>,
    settings: Arc<Settings>,
    store: Store,
    clock: Clock,
    last: Mutex<Option<(Moment, Option<String>)>>,
}

/// The facts behind a notice. They hold for a second at most, because the login is not one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moment {
    now: Instant,
    changes: u64,
    is_suspect: bool,
}

impl Notices {
    pub(super) fn new(
        login: Arc<Login>,
        settings: Arc<Settings>,
        store: Store,
        clock: Clock,
    ) -> Notices {
        Notices { login, settings, store, clock, last: Mutex::default() }
    }

    /// Returns the notice for a query result, if it is known without a read.
    pub(super) fn known(&self) -> Option<Option<String>> {
        let moment = self.moment();
        let last = self.last.lock();
        last.as_ref().filter(|(of, _)| *of == moment).map(|(_, notice)| notice.clone())
    }

    /// Returns the notice for a query result. `None` if the data is current or was never fetched.
    /// Blocks for two small reads.
    pub(super) fn current(&self) -> Option<String> {
        let moment = self.moment();
        let notice = self.read();
        *self.last.lock() = Some((moment, notice.clone()));
        notice
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now(),
            changes: self.store.changes(),
            is_suspect: self.store.is_suspect(),
        }
    }

    fn read(&self) -> Option<String> {
        if self.store.is_suspect() {
            return Some(format!("The stored data is damaged. {REPAIR}"));
        }
        let collections = self.store.inspector().collections().ok()?;
        let last_sync = collections.iter().filter_map(|row| row.last_sync).max()?;
        let last_day = collections.iter().filter_map(|row| row.last_day).max();
        if let Some(reason) = self.login.read_only_reason() {
            return Some(format!("{reason}.{}", describe_end(last_day)));
        }
        let (state, _) = self.login.connection().ok()?;
        let now = self.clock.now();
        let notice = connection_notice(state, last_sync, now, last_day);
        if notice.is_some() || state != ConnectionState::Connected {
            return notice;
        }
        let catalog = self.store.catalog();
        let fetched = collections.iter().filter(|row| self.settings.fetches(&catalog, &row.name));
        collections_notice(fetched, now)
    }
}

/// Returns a sentence on the end of the data, with a space before it.
fn describe_end(last_day: Option<Day>) -> String {
    match last_day {
        Some(day) => format!(" The data ends on {day}."),
        None => String::new(),
    }
}

/// Returns the notice on a login that has ended, or on syncs that have stopped.
fn connection_notice(
    state: ConnectionState,
    last_sync: Instant,
    now: Instant,
    last_day: Option<Day>,
) -> Option<String> {
    let end = describe_end(last_day);
    let age = now.seconds() - last_sync.seconds();
    match state {
        ConnectionState::ReconnectNeeded => Some(format!(
            "The login at Oura has ended. Connect again in the data source's settings.{end}"
        )),
        ConnectionState::Connected if age > MAX_SYNC_AGE => Some(format!(
            "The last sync was {} days ago. The data source's settings show the reason.{end}",
            age / 86_400
        )),
        // A user who disconnects knows that the data is outdated.
        ConnectionState::Connected
        | ConnectionState::NotConnected
        | ConnectionState::NotConfigured => None,
    }
}

/// Returns the notice on collections without recent fetches, although others are current. Without
/// it, missing new rows would look like days without data.
fn collections_notice<'a>(
    collections: impl Iterator<Item = &'a CollectionRow>,
    now: Instant,
) -> Option<String> {
    let mut outdated: Vec<(&str, i64)> = collections
        .filter(|row| row.state.is_open())
        .filter_map(|row| Some((row.name.as_str(), now.seconds() - row.last_sync?.seconds())))
        .filter(|(_, age)| *age > MAX_SYNC_AGE)
        .collect();
    if outdated.is_empty() {
        return None;
    }
    outdated.sort_by_key(|(_, age)| Reverse(*age));
    let mut names: Vec<String> = outdated
        .iter()
        .take(MAX_NAMED_COLLECTIONS)
        .map(|(name, age)| format!("{name} ({} days)", age / 86_400))
        .collect();
    let others = outdated.len().saturating_sub(MAX_NAMED_COLLECTIONS);
    if others > 0 {
        names.push(format!("{others} more"));
    }
    Some(format!("No new data: {}. The data source's settings show the reason.", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CollectionState;

    const NOW: Instant = Instant(30 * 86_400);

    fn collection(name: &str, state: CollectionState, days: Option<i64>) -> CollectionRow {
        CollectionRow {
            name: name.to_owned(),
            state,
            reason: None,
            last_sync: days.map(|days| NOW.plus(-days * 86_400)),
            documents: 1,
            first_day: None,
            last_day: None,
        }
    }

    fn notice_on(collections: &[CollectionRow]) -> Option<String> {
        collections_notice(collections.iter(), NOW)
    }

    #[test]
    fn outdated_collections_are_named_oldest_first() {
        let current = collection("workout", CollectionState::Ok, Some(0));
        let tag = collection("tag", CollectionState::Waiting, Some(3));
        let sleep = collection("sleep", CollectionState::Error, Some(9));
        assert_eq!(
            notice_on(&[tag, current, sleep]).unwrap(),
            "No new data: sleep (9 days), tag (3 days). \
             The data source's settings show the reason."
        );
    }

    #[test]
    fn at_most_three_collections_are_named() {
        let collections =
            ["a", "b", "c", "d", "e"].map(|name| collection(name, CollectionState::Error, Some(4)));
        let notice = notice_on(&collections).unwrap();
        assert!(notice.contains("c (4 days), 2 more."), "{notice}");
    }

    /// Only the settings show refused collections, and those that were never fetched.
    #[test]
    fn refused_and_unfetched_collections_cause_no_notice() {
        let current = collection("workout", CollectionState::Ok, Some(0));
        for state in CollectionState::ALL.iter().filter(|state| !state.is_open()) {
            let refused = collection("spo2", *state, Some(20));
            assert_eq!(notice_on(&[current.clone(), refused]), None, "{state}");
        }
        let unfetched = collection("sleep", CollectionState::Waiting, None);
        assert_eq!(notice_on(&[current, unfetched]), None);
    }

    #[test]
    fn only_outdated_connections_cause_a_notice() {
        let day = Day::new(2026, 11, 20);
        let notice = |state, age: i64| connection_notice(state, NOW.plus(-age), NOW, day);
        assert_eq!(notice(ConnectionState::Connected, MAX_SYNC_AGE), None);
        assert_eq!(notice(ConnectionState::NotConnected, 9 * 86_400), None);
        assert_eq!(
            notice(ConnectionState::Connected, 3 * 86_400).unwrap(),
            "The last sync was 3 days ago. The data source's settings show the reason. \
             The data ends on 2026-11-20."
        );
        let ended = notice(ConnectionState::ReconnectNeeded, 0).unwrap();
        assert!(ended.contains("Connect again"), "{ended}");
    }
}
