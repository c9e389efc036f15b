//! The range that a request asks for: wider than its window.
//!
//! Oura includes the end of a range in some collections and excludes it in others. It compares some
//! collections in another time zone than the day under which it files their documents. So requests
//! are padded, and the store ignores or counts the documents of neighbouring days.

use std::collections::BTreeSet;

use crate::catalog::{Collection, Style};
use crate::oura::Range;
use crate::store::Window;
use crate::time::{Day, Tz};

/// How far a request for days reaches beyond its window, in days on each side.
pub(super) const PADDING_DAYS: i64 = 2;

/// How far a request for instants reaches beyond its window, in seconds on each side. With half a
/// day, the longest window stays within Oura's limit of 30 days.
const PADDING_SECONDS: i64 = 43_200;

/// The padded range of `window`.
pub(super) fn padded(collection: &Collection, window: &Window, zone: Tz) -> Range {
    if collection.style == Style::Dates {
        return days(window.from.plus(-PADDING_DAYS), window.to.plus(PADDING_DAYS));
    }
    instants(window, zone, PADDING_SECONDS)
}

/// The shortest range that reliably holds the days of `window`. It serves for a day next to one
/// that Oura cannot deliver.
pub(super) fn tight(collection: &Collection, window: &Window, zone: Tz) -> Range {
    if collection.style != Style::Dates {
        return instants(window, zone, 1);
    }
    // An excluded end needs one more day for documents that begin on the last day in UTC.
    let days_after = if is_filed_by_day(collection) { 1 } else { 2 };
    days(window.from.plus(-1), window.to.plus(days_after))
}

/// A single day, for collections with included and with excluded ends.
pub(super) fn single_day(day: Day) -> Range {
    Range { from: day.midnight(Tz::UTC), to: day.plus(1).midnight(Tz::UTC).plus(-1) }
}

/// Whether Oura compares a range with the day under which it files the documents. Then a range
/// holds all documents of a day or none. It holds for summaries of days and for nights. Oura may
/// compare others by their begin.
pub(super) fn is_filed_by_day(collection: &Collection) -> bool {
    collection.style == Style::Dates
        && (collection.time.start.is_empty() || collection.name == "sleep")
}

/// Whether the padded range of `day` holds one of `others`.
pub(super) fn reaches(day: Day, others: &BTreeSet<Day>) -> bool {
    others.range(day.plus(-PADDING_DAYS)..=day.plus(PADDING_DAYS)).next().is_some()
}

fn days(from: Day, to: Day) -> Range {
    Range { from: from.midnight(Tz::UTC), to: to.midnight(Tz::UTC) }
}

fn instants(window: &Window, zone: Tz, padding: i64) -> Range {
    Range {
        from: window.from.midnight(zone).plus(-padding),
        to: window.to.plus(1).midnight(zone).plus(padding - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::store::WindowReason;

    #[test]
    fn padded_windows_stay_within_ouras_limit() {
        let catalog = Catalog::bundled();
        let to = Day::new(2026, 11, 24).unwrap();
        for collection in catalog.collections.iter().filter(|c| c.style == Style::Datetimes) {
            let from = to.plus(1 - i64::from(collection.max_window_days));
            let name = collection.name.clone();
            let window = Window { collection: name, from, to, reason: WindowReason::History };
            let Range { from, to } = padded(collection, &window, Tz::named("Europe/Vienna"));
            assert!(to.0 - from.0 < 30 * 86_400, "{}", collection.name);
        }
    }

    #[test]
    fn padding_reaches_two_days() {
        let day = Day::new(2026, 11, 24).unwrap();
        let others = BTreeSet::from([day]);
        assert!(reaches(day.plus(-2), &others) && reaches(day.plus(2), &others));
        assert!(!reaches(day.plus(-3), &others) && !reaches(day.plus(3), &others));
    }
}
