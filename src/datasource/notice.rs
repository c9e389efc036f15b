//! What a reader of the data must know about it: that it ends before now, and why.

use super::{ConnectionState, DataSource};
use crate::store::CollectionRow;
use crate::time::{Day, Instant};

/// A sync older than this is worth a word, in seconds.
const STALE: i64 = 2 * 86_400;
/// How many collections are named; the settings list all.
const NAMED: usize = 3;

impl DataSource {
    /// A line to be shown with every answer; `None` while all is well or nothing was ever fetched. Blocks for two small reads.
    pub(super) fn notice(&self) -> Option<String> {
        let collections = self.inner.store.inspector().collections().ok()?;
        let last_sync = collections.iter().filter_map(|row| row.last_sync).max()?;
        let ends = collections.iter().filter_map(|row| row.last_day).max();
        if let Some(why) = self.read_only_reason() {
            return Some(format!("{why}.{}", until(ends)));
        }
        let (state, _) = self.connection().ok()?;
        let now = self.inner.environment.clock.now();
        let left_behind = || match state {
            ConnectionState::Connected => {
                left_behind(collections.iter().filter(|row| self.is_fetched(&row.name)), now)
            }
            _ => None,
        };
        notice(state, last_sync, now, ends).or_else(left_behind)
    }
}

fn until(ends: Option<Day>) -> String {
    ends.map_or(String::new(), |day| format!(" The data shown end on {day}."))
}

fn notice(
    state: ConnectionState,
    last_sync: Instant,
    now: Instant,
    ends: Option<Day>,
) -> Option<String> {
    let ends = until(ends);
    let age = now.seconds() - last_sync.seconds();
    match state {
        ConnectionState::ReconnectNeeded => Some(format!(
            "The login at Oura has ended; connect again in the data source's settings.{ends}"
        )),
        // Who disconnects on purpose knows.
        ConnectionState::Connected if age > STALE => Some(format!(
            "The last sync was {} days ago; the data source's settings say why.{ends}",
            age / 86_400
        )),
        _ => None,
    }
}

/// Collections that have stood still for longer than the others: a table whose newest row is old looks like days on which nothing was.
fn left_behind<'a>(
    collections: impl Iterator<Item = &'a CollectionRow>,
    now: Instant,
) -> Option<String> {
    let open = collections.filter(|row| row.state.is_open());
    let days = |row: &'a CollectionRow| {
        Some((row.name.as_str(), now.seconds() - row.last_sync?.seconds()))
    };
    let mut behind: Vec<(&str, i64)> =
        open.filter_map(days).filter(|(_, age)| *age > STALE).collect();
    behind.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
    let named: Vec<String> = behind
        .iter()
        .take(NAMED)
        .map(|(name, age)| format!("{name} for {} days", age / 86_400))
        .collect();
    let others = match behind.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    (!named.is_empty()).then(|| {
        format!(
            "Nothing new has come of {}{others}; the data source's settings say why.",
            named.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CollectionState;

    fn collection(name: &str, state: CollectionState, days: Option<i64>) -> CollectionRow {
        let last_sync = days.map(|days| Instant(30 * 86_400).plus(-days * 86_400));
        CollectionRow {
            name: name.to_owned(),
            state,
            reason: None,
            last_sync,
            documents: 1,
            first_day: None,
            last_day: None,
        }
    }

    #[test]
    fn a_collection_that_stands_still_while_others_go_on_is_named() {
        let said = |rows: &[CollectionRow]| left_behind(rows.iter(), Instant(30 * 86_400));
        let well = collection("workout", CollectionState::Ok, Some(0));
        assert_eq!(
            said(&[
                collection("sleep", CollectionState::Error, Some(9)),
                well.clone(),
                collection("tag", CollectionState::Waiting, Some(3))
            ])
            .unwrap(),
            "Nothing new has come of sleep for 9 days, tag for 3 days; the data source's settings say why."
        );
        let many: Vec<CollectionRow> = ["a", "b", "c", "d", "e"]
            .map(|name| collection(name, CollectionState::Error, Some(4)))
            .into();
        assert!(said(&many).unwrap().contains("c for 4 days and 2 more;"));
        // What a person has not granted, what Oura does not give, and what never came, is said in the settings alone.
        for closed in CollectionState::ALL.iter().copied().filter(|state| !state.is_open()) {
            assert_eq!(
                said(&[well.clone(), collection("spo2", closed, Some(20))]),
                None,
                "{closed}"
            );
        }
        assert_eq!(said(&[well, collection("sleep", CollectionState::Waiting, None)]), None);
    }

    #[test]
    fn data_that_ends_early_says_so_and_current_data_says_nothing() {
        let (now, day) = (Instant(10 * 86_400), Day::new(2026, 11, 20));
        let said = |state, age: i64| notice(state, now.plus(-age), now, day);
        assert_eq!(said(ConnectionState::Connected, STALE), None);
        assert_eq!(said(ConnectionState::NotConnected, 9 * 86_400), None);
        let stale = said(ConnectionState::Connected, 3 * 86_400).unwrap();
        assert_eq!(
            stale,
            "The last sync was 3 days ago; the data source's settings say why. The data shown end on 2026-11-20."
        );
        assert!(said(ConnectionState::ReconnectNeeded, 0).unwrap().contains("connect again"));
    }
}
