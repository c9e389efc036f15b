//! Which windows are wanted, given what is held. Pure: no clock, no network, no file.

use crate::catalog::{Catalog, Collection, Style};
use crate::store::{Held, Reason, TRAILING_DAYS, Window};
use crate::time::Day;

/// How long before the first day with data the history is looked for: two empty years.
const EMPTY_DAYS: i64 = 730;

/// What the person wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub today: Day,
    /// The first day wanted; without one, until two empty years.
    pub history_start: Option<Day>,
    /// Names in any capitals; empty = all.
    pub collections: Vec<String>,
}

impl Wish {
    fn wants(&self, collection: &Collection) -> bool {
        self.collections.is_empty() || self.collections.iter().any(|name| name.eq_ignore_ascii_case(&collection.name))
    }
}

/// Every window that is wanted and not waiting: the trailing days, which may still change, and all days not yet complete, newest first.
pub fn plan(catalog: &Catalog, held: &Held, wish: &Wish) -> Vec<Window> {
    let floor = wish.history_start.unwrap_or_else(|| held.first_day.unwrap_or(wish.today).plus(-EMPTY_DAYS)).min(wish.today);
    let mut windows = Vec::new();
    for collection in catalog.collections.iter().filter(|collection| wish.wants(collection)) {
        let waiting = || held.waiting.iter().filter(|window| window.collection == collection.name);
        if has_no_days(collection) {
            if waiting().next().is_none() {
                windows.push(window(collection, wish.today, wish.today, Reason::Trailing));
            }
            continue;
        }
        let complete = held.complete.get(&collection.name).into_iter().flatten().copied();
        let mut spoken_for: Vec<(Day, Day)> = complete.chain(waiting().map(|window| (window.from, window.to))).collect();
        spoken_for.sort_unstable();
        let trailing_from = wish.today.plus(1 - TRAILING_DAYS);
        for (from, to) in gaps(&spoken_for, floor, wish.today).into_iter().rev() {
            if to >= trailing_from {
                windows.push(window(collection, from.max(trailing_from), to, Reason::Trailing));
            }
            if from < trailing_from {
                windows.extend(chunks(collection, from, to.min(trailing_from.plus(-1)), Reason::History));
            }
        }
    }
    windows
}

/// The windows of a piece of history that is to be fetched again, both days included.
pub fn backfill(catalog: &Catalog, from: Day, to: Day, collections: &[String]) -> Vec<Window> {
    let wish = Wish { today: to, history_start: None, collections: collections.to_vec() };
    let wanted = catalog.collections.iter().filter(|collection| wish.wants(collection));
    wanted
        .flat_map(|collection| match has_no_days(collection) {
            true => vec![window(collection, to, to, Reason::Backfill)],
            false => chunks(collection, from, to, Reason::Backfill),
        })
        .collect()
}

fn has_no_days(collection: &Collection) -> bool {
    matches!(collection.style, Style::TokenOnly | Style::Singleton)
}

fn window(collection: &Collection, from: Day, to: Day, reason: Reason) -> Window {
    Window { collection: collection.name.clone(), from, to, reason }
}

/// `from..=to` in pieces no longer than the collection allows, newest first.
fn chunks(collection: &Collection, from: Day, to: Day, reason: Reason) -> Vec<Window> {
    let length = i64::from(collection.max_window_days.max(1));
    let count = (from.until(to) + length) / length;
    (0..count)
        .map(|back| {
            let end = to.plus(-back * length);
            window(collection, from.max(end.plus(1 - length)), end, reason)
        })
        .collect()
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
