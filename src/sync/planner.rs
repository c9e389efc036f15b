//! Which windows to fetch, given the stored days. Pure: no clock, no network, no file.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{newest_day, settled_through};
use super::ranges::PADDING_DAYS;
use crate::catalog::{Catalog, Collection, Style};
use crate::store::{Window, WindowReason, first_ring};
use crate::time::Day;

/// How far before the first day with data to look for more, in days: two years.
const EMPTY_DAYS: i64 = 730;

/// The days and collections that a sync should fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncScope {
    /// The local day of the sync.
    pub today: Day,
    /// The first day to import. `None` imports backwards until two consecutive years have no data.
    pub history_start: Option<Day>,
    /// The names of the collections, in any capitalisation. Empty means all.
    pub collections: Vec<String>,
}

/// The stored days and the queued windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// Ranges of settled days by collection, sorted and not adjacent. Both ends are included.
    pub complete: BTreeMap<String, Vec<(Day, Day)>>,
    /// Windows that must not be planned again: they wait, or this run has stored them.
    pub claimed: Vec<Window>,
    /// The days that Oura cannot deliver, by collection. A request that includes one fails.
    pub unfetchable: BTreeMap<String, BTreeSet<Day>>,
    /// Collections without days that the interrupted run has stored already.
    pub fresh: BTreeSet<String>,
    /// The first day with a document of any collection.
    pub first_day: Option<Day>,
    /// The last day with a document, by collection.
    pub last_days: BTreeMap<String, Day>,
}

impl SyncScope {
    /// Returns the names of the wanted collections.
    pub fn wanted(&self, catalog: &Catalog) -> Vec<String> {
        catalog
            .collections
            .iter()
            .filter(|collection| self.wants(collection))
            .map(|collection| collection.name.clone())
            .collect()
    }

    fn wants(&self, collection: &Collection) -> bool {
        wants(&self.collections, &collection.name)
    }
}

/// Whether `chosen` includes `collection`, in any capitalisation. An empty list includes all.
pub fn wants(chosen: &[String], collection: &str) -> bool {
    chosen.is_empty() || chosen.iter().any(|name| name.eq_ignore_ascii_case(collection))
}

/// Returns the windows to fetch, without the claimed ones: the trailing days, which can still
/// change, and all days that are not complete. The newest days of a collection come first.
///
/// Days near an unfetchable one are windows of their own, so that it fails as few others as
/// possible.
pub fn plan(catalog: &Catalog, state: &SyncState, scope: &SyncScope) -> Vec<Window> {
    let floor = scope
        .history_start
        .unwrap_or_else(|| state.first_day.unwrap_or(scope.today).plus(-EMPTY_DAYS));
    let floor = floor.max(first_ring()).min(scope.today);
    let wanted = catalog.collections.iter().filter(|collection| scope.wants(collection));
    wanted.flat_map(|collection| plan_collection(collection, state, floor, scope.today)).collect()
}

/// The windows of one collection from `floor` to `today`.
fn plan_collection(
    collection: &Collection,
    state: &SyncState,
    floor: Day,
    today: Day,
) -> Vec<Window> {
    let claimed: Vec<(Day, Day)> = state
        .claimed
        .iter()
        .filter(|window| window.collection == collection.name)
        .map(|window| (window.from, window.to))
        .collect();
    if has_no_days(collection) {
        if claimed.is_empty() && !state.fresh.contains(&collection.name) {
            return vec![window(collection, today, today, WindowReason::Trailing)];
        }
        return Vec::new();
    }
    let complete = state.complete.get(&collection.name).into_iter().flatten().copied();
    let mut taken: Vec<(Day, Day)> = complete.chain(claimed).collect();
    taken.sort_unstable();
    let newest = newest_day(&collection.name, &state.last_days);
    let trailing_from = settled_through(today, newest).plus(1);
    let pieces: Vec<(Day, Day)> = gaps(&taken, floor, today)
        .into_iter()
        .flat_map(|gap| pieces(gap, state.unfetchable.get(&collection.name)))
        .collect();
    let mut windows = Vec::new();
    for (from, to) in pieces.into_iter().rev() {
        if to >= trailing_from {
            let from = from.max(trailing_from);
            windows.extend(chunks(collection, from, to, WindowReason::Trailing));
        }
        if from < trailing_from {
            let to = to.min(trailing_from.plus(-1));
            windows.extend(chunks(collection, from, to, WindowReason::History));
        }
    }
    windows
}

/// Returns the windows that fetch the days from `from` to `to` again, both included. Skips days
/// before the first ring.
pub fn backfill(catalog: &Catalog, from: Day, to: Day, collections: &[String]) -> Vec<Window> {
    let from = from.max(first_ring());
    if from > to {
        return Vec::new();
    }
    let scope = SyncScope { today: to, history_start: None, collections: collections.to_vec() };
    let wanted = catalog.collections.iter().filter(|collection| scope.wants(collection));
    wanted
        .flat_map(|collection| {
            if has_no_days(collection) {
                vec![window(collection, to, to, WindowReason::Backfill)]
            } else {
                chunks(collection, from, to, WindowReason::Backfill)
            }
        })
        .collect()
}

fn has_no_days(collection: &Collection) -> bool {
    matches!(collection.style, Style::TokenOnly | Style::Singleton)
}

fn window(collection: &Collection, from: Day, to: Day, reason: WindowReason) -> Window {
    Window { collection: collection.name.clone(), from, to, reason }
}

/// Splits `from..=to` into windows of the collection's maximum length, newest first.
fn chunks(collection: &Collection, from: Day, to: Day, reason: WindowReason) -> Vec<Window> {
    let length = i64::from(collection.max_window_days.max(1));
    let count = (from.until(to) + length) / length;
    (0..count)
        .map(|back| {
            let end = to.plus(-back * length);
            window(collection, from.max(end.plus(1 - length)), end, reason)
        })
        .collect()
}

/// Splits `from..=to`: single days near an unfetchable day, and the ranges between them.
fn pieces((from, to): (Day, Day), unfetchable: Option<&BTreeSet<Day>>) -> Vec<(Day, Day)> {
    let near: BTreeSet<Day> = unfetchable
        .into_iter()
        .flatten()
        .flat_map(|day| day.plus(-PADDING_DAYS).through(day.plus(PADDING_DAYS)))
        .filter(|day| (from..=to).contains(day))
        .collect();
    let mut pieces = Vec::new();
    let mut next = from;
    for day in near {
        if next < day {
            pieces.push((next, day.plus(-1)));
        }
        pieces.push((day, day));
        next = day.plus(1);
    }
    if next <= to {
        pieces.push((next, to));
    }
    pieces
}

/// Returns the parts of `floor..=today` outside of all `taken` ranges. These are sorted by their
/// begin and may overlap.
fn gaps(taken: &[(Day, Day)], floor: Day, today: Day) -> Vec<(Day, Day)> {
    let mut gaps = Vec::new();
    let mut next = floor;
    for &(from, to) in taken {
        if from > today {
            break;
        }
        if from > next {
            gaps.push((next, from.plus(-1)));
        }
        next = next.max(to.plus(1));
    }
    if next <= today {
        gaps.push((next, today));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sync::ranges::reaches;

    fn day(number: i64) -> Day {
        Day::new(2026, 1, 1).unwrap().plus(number)
    }

    fn scope(today: i64, history_start: i64) -> SyncScope {
        SyncScope {
            today: day(today),
            history_start: Some(day(history_start)),
            collections: vec!["sleep".to_owned()],
        }
    }

    fn state(complete: &[(i64, i64)], waiting: &[(i64, i64)]) -> SyncState {
        let window = |&(from, to): &(i64, i64)| Window {
            collection: "sleep".to_owned(),
            from: day(from),
            to: day(to),
            reason: WindowReason::History,
        };
        SyncState {
            complete: BTreeMap::from([(
                "sleep".to_owned(),
                complete.iter().map(|&(from, to)| (day(from), day(to))).collect(),
            )]),
            claimed: waiting.iter().map(window).collect(),
            ..SyncState::default()
        }
    }

    #[test]
    fn empty_store_plans_last_week_then_history_newest_first() {
        let windows = plan(&Catalog::bundled(), &state(&[], &[]), &scope(0, -200));
        let seen: Vec<_> = windows
            .iter()
            .map(|window| (window.reason, day(0).until(window.from), day(0).until(window.to)))
            .collect();
        let expected = [
            (WindowReason::Trailing, -6, 0),
            (WindowReason::History, -96, -7),
            (WindowReason::History, -186, -97),
            (WindowReason::History, -200, -187),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn complete_store_plans_only_trailing_days() {
        let windows = plan(&Catalog::bundled(), &state(&[(-200, -7)], &[]), &scope(0, -200));
        assert_eq!(windows.len(), 1);
        assert_eq!(
            (windows[0].reason, windows[0].from, windows[0].to),
            (WindowReason::Trailing, day(-6), day(0))
        );
    }

    #[test]
    fn weeks_without_a_phone_sync_are_trailing_days() {
        let mut state = state(&[(-200, -31)], &[]);
        state.last_days.insert("sleep".to_owned(), day(-26));
        let windows = plan(&Catalog::bundled(), &state, &scope(0, -200));
        let seen: Vec<_> = windows
            .iter()
            .map(|window| (window.reason, day(0).until(window.from), day(0).until(window.to)))
            .collect();
        assert_eq!(seen, [(WindowReason::Trailing, -30, 0)]);
    }

    #[test]
    fn neighbours_of_an_unfetchable_day_are_single_windows() {
        let mut state = state(&[(-200, -7)], &[(-3, -3)]);
        state.unfetchable.insert("sleep".to_owned(), BTreeSet::from([day(-3)]));
        let windows = plan(&Catalog::bundled(), &state, &scope(0, -200));
        let seen: Vec<_> = windows
            .iter()
            .map(|window| (day(0).until(window.from), day(0).until(window.to)))
            .collect();
        assert_eq!(seen, [(0, 0), (-1, -1), (-2, -2), (-4, -4), (-5, -5), (-6, -6)]);
        assert!(reaches(day(-1), &state.unfetchable["sleep"]));
        assert!(!reaches(day(0), &state.unfetchable["sleep"]));
    }

    #[test]
    fn days_before_the_first_ring_are_not_planned() {
        let long_ago = SyncScope { history_start: Day::new(1, 1, 1), ..scope(0, 0) };
        let earliest = plan(&Catalog::bundled(), &state(&[], &[]), &long_ago)
            .into_iter()
            .map(|window| window.from)
            .min();
        assert_eq!(earliest, Some(first_ring()));
        let from = day(0).plus(-800_000_000);
        assert_eq!(
            backfill(&Catalog::bundled(), from, day(0), &[]).iter().map(|window| window.from).min(),
            Some(first_ring())
        );
        assert_eq!(backfill(&Catalog::bundled(), from, from, &[]), []);
    }

    #[test]
    fn days_missed_while_the_machine_was_off_are_planned() {
        let windows = plan(&Catalog::bundled(), &state(&[(-200, -40)], &[]), &scope(0, -200));
        assert!(windows.contains(&Window {
            collection: "sleep".to_owned(),
            from: day(-39),
            to: day(-7),
            reason: WindowReason::History
        }));
    }

    #[test]
    fn default_history_ends_after_two_empty_years() {
        let mut state = state(&[], &[]);
        state.first_day = Some(day(-100));
        let scope = SyncScope { history_start: None, ..scope(0, 0) };
        let earliest =
            plan(&Catalog::bundled(), &state, &scope).into_iter().map(|window| window.from).min();
        assert_eq!(earliest, Some(day(-100 - EMPTY_DAYS)));
    }

    #[test]
    fn collections_without_days_are_planned_once_per_run() {
        let mut scope = scope(0, -10);
        scope.collections = vec!["personal_info".to_owned(), "ring_configuration".to_owned()];
        let windows = plan(&Catalog::bundled(), &SyncState::default(), &scope);
        assert_eq!(windows.len(), 2);
        let again = plan(
            &Catalog::bundled(),
            &SyncState { claimed: windows, ..SyncState::default() },
            &scope,
        );
        assert_eq!(again, []);
    }

    proptest! {
        #[test]
        fn every_day_is_complete_claimed_or_planned_once(
            complete in proptest::collection::vec((-400i64..20, 0i64..60), 0..6),
            waiting in proptest::collection::vec((-400i64..5, 0i64..60), 0..4),
            unfetchable in proptest::collection::btree_set(-400i64..5, 0..4),
            floor in -380i64..0,
        ) {
            let range = |(from, days): &(i64, i64)| (*from, from + days);
            let complete: Vec<_> = complete.iter().map(range).collect();
            let waiting: Vec<_> = waiting.iter().map(range).collect();
            let mut state = state(&complete, &waiting);
            let unfetchable = unfetchable.iter().map(|number| day(*number)).collect();
            state.unfetchable.insert("sleep".to_owned(), unfetchable);
            let windows = plan(&Catalog::bundled(), &state, &scope(0, floor));
            for number in floor..=0 {
                let is_claimed = complete
                    .iter()
                    .chain(&waiting)
                    .any(|(from, to)| (*from..=*to).contains(&number));
                let planned = windows
                    .iter()
                    .filter(|window| (window.from..=window.to).contains(&day(number)))
                    .count();
                prop_assert_eq!(planned, usize::from(!is_claimed), "day {}", number);
            }
            for window in &windows {
                prop_assert!(window.from <= window.to);
                prop_assert!(window.from.until(window.to) < 90);
                prop_assert!(window.from >= day(floor) && window.to <= day(0));
            }
        }
    }
}
