//! Which windows are wanted, given what is held. Pure: no clock, no network, no file.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Collection, Style};
use crate::store::{SyncState, Window, WindowReason, settled_through};
use crate::time::Day;

/// No ring is older: nothing is asked for before the year in which the first one came.
const FIRST_RING: (i32, u32, u32) = (2015, 1, 1);

/// How long before the first day with data the history is looked for: two empty years.
const EMPTY_DAYS: i64 = 730;

/// How far beyond a window is asked, in days: see the executor.
pub(super) const PADDING: i64 = 2;

/// What the person wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncScope {
    pub today: Day,
    /// The first day wanted; without one, until two empty years.
    pub history_start: Option<Day>,
    /// Names in any capitals; empty = all.
    pub collections: Vec<String>,
}

impl SyncScope {
    /// The names of the collections that are wanted.
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

/// Whether `collection` is among those that are `chosen`, by names in any capitals; empty = all.
pub fn wants(chosen: &[String], collection: &str) -> bool {
    chosen.is_empty() || chosen.iter().any(|name| name.eq_ignore_ascii_case(collection))
}

/// Every window that is wanted and not spoken for: the trailing days, which may still change, and all days not yet complete, newest first.
/// The neighbours of a day that cannot be had are windows of their own, so that nobody else asks for it as well.
pub fn plan(catalog: &Catalog, held: &SyncState, scope: &SyncScope) -> Vec<Window> {
    let floor = scope
        .history_start
        .unwrap_or_else(|| held.first_day.unwrap_or(scope.today).plus(-EMPTY_DAYS));
    let floor = floor.max(first_ring()).min(scope.today);
    let mut windows = Vec::new();
    for collection in catalog.collections.iter().filter(|collection| scope.wants(collection)) {
        let taken = || held.claimed.iter().filter(|window| window.collection == collection.name);
        if has_no_days(collection) {
            if taken().next().is_none() && !held.fresh.contains(&collection.name) {
                windows.push(window(collection, scope.today, scope.today, WindowReason::Trailing));
            }
            continue;
        }
        let complete = held.complete.get(&collection.name).into_iter().flatten().copied();
        let mut claimed: Vec<(Day, Day)> =
            complete.chain(taken().map(|window| (window.from, window.to))).collect();
        claimed.sort_unstable();
        let trailing_from = settled_through(scope.today, held.newest(collection)).plus(1);
        let pieces = gaps(&claimed, floor, scope.today)
            .into_iter()
            .flat_map(|gap| pieces(gap, held.unfetchable.get(&collection.name)));
        for (from, to) in pieces.collect::<Vec<_>>().into_iter().rev() {
            if to >= trailing_from {
                windows.extend(chunks(
                    collection,
                    from.max(trailing_from),
                    to,
                    WindowReason::Trailing,
                ));
            }
            if from < trailing_from {
                windows.extend(chunks(
                    collection,
                    from,
                    to.min(trailing_from.plus(-1)),
                    WindowReason::History,
                ));
            }
        }
    }
    windows
}

/// The windows of a piece of history that is to be fetched again, both days included. None where there were no rings yet.
pub fn backfill(catalog: &Catalog, from: Day, to: Day, collections: &[String]) -> Vec<Window> {
    let from = from.max(first_ring());
    if from > to {
        return Vec::new();
    }
    let scope = SyncScope { today: to, history_start: None, collections: collections.to_vec() };
    let wanted = catalog.collections.iter().filter(|collection| scope.wants(collection));
    wanted
        .flat_map(|collection| match has_no_days(collection) {
            true => vec![window(collection, to, to, WindowReason::Backfill)],
            false => chunks(collection, from, to, WindowReason::Backfill),
        })
        .collect()
}

fn first_ring() -> Day {
    let (year, month, day) = FIRST_RING;
    Day::new(year, month, day).expect("a date")
}

fn has_no_days(collection: &Collection) -> bool {
    matches!(collection.style, Style::TokenOnly | Style::Singleton)
}

fn window(collection: &Collection, from: Day, to: Day, reason: WindowReason) -> Window {
    Window { collection: collection.name.clone(), from, to, reason }
}

/// `from..=to` in pieces no longer than the collection allows, newest first.
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

/// `from..=to` in pieces: the days near one of `lost` by themselves, those between them together.
fn pieces((from, to): (Day, Day), unfetchable: Option<&BTreeSet<Day>>) -> Vec<(Day, Day)> {
    let near = unfetchable
        .into_iter()
        .flatten()
        .flat_map(|day| day.plus(-PADDING).through(day.plus(PADDING)));
    let near: BTreeSet<Day> = near.filter(|day| (from..=to).contains(day)).collect();
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

/// Whether asking for `day` with the usual padding asks for one of `lost` as well.
pub(super) fn is_near(day: Day, unfetchable: &BTreeSet<Day>) -> bool {
    unfetchable.range(day.plus(-PADDING)..=day.plus(PADDING)).next().is_some()
}

/// What of `floor..=today` none of `taken` (sorted by start, may overlap) covers.
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
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

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

    fn held(complete: &[(i64, i64)], waiting: &[(i64, i64)]) -> SyncState {
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
    fn an_empty_store_wants_the_last_week_first_and_then_the_history_newest_first() {
        let windows = plan(&Catalog::bundled(), &held(&[], &[]), &scope(0, -200));
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
    fn a_complete_store_wants_only_the_days_that_may_still_change() {
        let windows = plan(&Catalog::bundled(), &held(&[(-200, -7)], &[]), &scope(0, -200));
        assert_eq!(windows.len(), 1);
        assert_eq!(
            (windows[0].reason, windows[0].from, windows[0].to),
            (WindowReason::Trailing, day(-6), day(0))
        );
    }

    #[test]
    fn a_phone_that_was_silent_for_weeks_is_asked_for_all_of_them() {
        let mut held = held(&[(-200, -31)], &[]);
        held.last_days.insert("sleep".to_owned(), day(-26));
        let windows = plan(&Catalog::bundled(), &held, &scope(0, -200));
        let seen: Vec<_> = windows
            .iter()
            .map(|window| (window.reason, day(0).until(window.from), day(0).until(window.to)))
            .collect();
        assert_eq!(seen, [(WindowReason::Trailing, -30, 0)]);
    }

    #[test]
    fn the_neighbours_of_a_day_that_cannot_be_had_are_asked_for_by_themselves() {
        let mut held = held(&[(-200, -7)], &[(-3, -3)]);
        held.unfetchable.insert("sleep".to_owned(), BTreeSet::from([day(-3)]));
        let windows = plan(&Catalog::bundled(), &held, &scope(0, -200));
        let seen: Vec<_> = windows
            .iter()
            .map(|window| (day(0).until(window.from), day(0).until(window.to)))
            .collect();
        assert_eq!(seen, [(0, 0), (-1, -1), (-2, -2), (-4, -4), (-5, -5), (-6, -6)]);
        assert!(
            is_near(day(-1), &held.unfetchable["sleep"])
                && !is_near(day(0), &held.unfetchable["sleep"])
        );
    }

    #[test]
    fn nobody_is_asked_for_days_before_the_first_ring() {
        let long_ago = SyncScope { history_start: Day::new(1, 1, 1), ..scope(0, 0) };
        let earliest = plan(&Catalog::bundled(), &held(&[], &[]), &long_ago)
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
    fn days_missed_while_the_machine_was_off_are_wanted() {
        let windows = plan(&Catalog::bundled(), &held(&[(-200, -40)], &[]), &scope(0, -200));
        assert!(windows.contains(&Window {
            collection: "sleep".to_owned(),
            from: day(-39),
            to: day(-7),
            reason: WindowReason::History
        }));
    }

    #[test]
    fn without_a_history_start_two_empty_years_are_looked_at() {
        let mut held = held(&[], &[]);
        held.first_day = Some(day(-100));
        let scope = SyncScope { history_start: None, ..scope(0, 0) };
        let earliest =
            plan(&Catalog::bundled(), &held, &scope).into_iter().map(|window| window.from).min();
        assert_eq!(earliest, Some(day(-100 - EMPTY_DAYS)));
    }

    #[test]
    fn collections_without_days_are_wanted_once_each_time() {
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
        fn every_day_is_held_or_waits_or_is_planned_exactly_once(
            complete in proptest::collection::vec((-400i64..20, 0i64..60), 0..6),
            waiting in proptest::collection::vec((-400i64..5, 0i64..60), 0..4),
            lost in proptest::collection::btree_set(-400i64..5, 0..4),
            floor in -380i64..0,
        ) {
            let complete: Vec<_> = complete.iter().map(|(from, length)| (*from, from + length)).collect();
            let waiting: Vec<_> = waiting.iter().map(|(from, length)| (*from, from + length)).collect();
            let mut held = held(&complete, &waiting);
            held.unfetchable.insert("sleep".to_owned(), lost.iter().map(|number| day(*number)).collect());
            let windows = plan(&Catalog::bundled(), &held, &scope(0, floor));
            for number in floor..=0 {
                let claimed = complete.iter().chain(&waiting).any(|(from, to)| (*from..=*to).contains(&number));
                let planned = windows.iter().filter(|window| (window.from..=window.to).contains(&day(number))).count();
                prop_assert_eq!(planned, usize::from(!claimed), "day {}", number);
            }
            for window in &windows {
                prop_assert!(window.from <= window.to);
                prop_assert!(window.from.until(window.to) < 90);
                prop_assert!(window.from >= day(floor) && window.to <= day(0));
            }
        }
    }
}
