//! What a reader of the data must know about it: that it ends before now, and why.

use super::{Account, ConnectionState};
use crate::store::CollectionRow;
use crate::time::{Day, Instant};

/// A sync older than this is worth a word, in seconds.
const STALE: i64 = 2 * 86_400;

impl Account {
    /// A line to be shown with every answer; `None` while all is well or nothing was ever fetched. Blocks for two small reads.
    pub(super) fn notice(&self) -> Option<String> {
        let collections = self.inner.store.collections().ok()?;
        let last_sync = collections.iter().filter_map(|row| row.last_sync).max()?;
        let ends = collections.iter().filter_map(|row| row.last_day).max();
        if let Some(why) = self.unwritable() {
            return Some(format!("{why}.{}", until(ends)));
        }
        let (state, _) = self.connection().ok()?;
        let now = self.inner.environment.clock.now();
        notice(state, last_sync, now, ends).or_else(|| failing(&collections, now))
    }
}

/// That some collections have not come for days while the others did. What Oura refuses is known from the settings, and not repeated.
fn failing(collections: &[CollectionRow], now: Instant) -> Option<String> {
    let stale = |row: &&CollectionRow| row.state == "error" && row.last_sync.is_some_and(|last| now.seconds() - last.seconds() > STALE);
    let names: Vec<&str> = collections.iter().filter(stale).map(|row| row.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("Not fetched for days: {}; the data source's settings say why.", names.join(", ")))
}

fn until(ends: Option<Day>) -> String {
    ends.map_or(String::new(), |day| format!(" The data shown end on {day}."))
}

fn notice(state: ConnectionState, last_sync: Instant, now: Instant, ends: Option<Day>) -> Option<String> {
    let ends = until(ends);
    let age = now.seconds() - last_sync.seconds();
    match state {
        ConnectionState::ReconnectNeeded => {
            Some(format!("The login at Oura has ended; connect again in the data source's settings.{ends}"))
        }
        // Who disconnects on purpose knows.
        ConnectionState::Connected if age > STALE => {
            Some(format!("The last sync was {} days ago; the data source's settings say why.{ends}", age / 86_400))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_that_fails_for_days_is_named_and_one_that_is_refused_is_not() {
        let now = Instant(10 * 86_400);
        let row = |name: &str, state: &str, age: i64| CollectionRow {
            name: name.to_owned(),
            state: state.to_owned(),
            reason: None,
            last_sync: Some(now.plus(-age)),
            documents: 1,
            first_day: None,
            last_day: None,
        };
        let rows = [row("sleep", "error", STALE + 1), row("tag", "scope_missing", 9 * STALE), row("workout", "error", 60)];
        assert_eq!(failing(&rows, now).unwrap(), "Not fetched for days: sleep; the data source's settings say why.");
        assert_eq!(failing(&rows[1..], now), None);
    }

    #[test]
    fn data_that_ends_early_says_so_and_current_data_says_nothing() {
        let (now, day) = (Instant(10 * 86_400), Day::new(2026, 11, 20));
        let said = |state, age: i64| notice(state, now.plus(-age), now, day);
        assert_eq!(said(ConnectionState::Connected, STALE), None);
        assert_eq!(said(ConnectionState::NotConnected, 9 * 86_400), None);
        let stale = said(ConnectionState::Connected, 3 * 86_400).unwrap();
        assert_eq!(stale, "The last sync was 3 days ago; the data source's settings say why. The data shown end on 2026-11-20.");
        assert!(said(ConnectionState::ReconnectNeeded, 0).unwrap().contains("connect again"));
    }
}
