//! Decisions about days and windows: when a day is settled, when a window is suspect, and which run
//! continues another.

use std::collections::BTreeMap;

use crate::catalog::Recorded;
use crate::store::{Arrivals, FullRun, QueuedWindow, RunState};
use crate::time::{Day, Instant};

/// The number of days before the newest one that can still change. They stay partial and are
/// fetched again.
const TRAILING_DAYS: i64 = 7;

/// The usual delay of the newest document in days: a day's summary arrives when the day is over.
const USUAL_DELAY: i64 = 2;

/// The number of days after which a phone without new data is no longer waited for.
const MAX_SILENCE: i64 = 90;

/// The number of failed runs after which a window counts as the cause itself.
const SUSPECT_ATTEMPTS: u32 = 2;

/// How long after a full run with changes the next runs are full as well, in seconds: Oura computes
/// scores and nights after an upload.
const SETTLING: i64 = 2_700;

/// How long after its begin an interrupted run is continued, in seconds.
const MAX_RESUME_AGE: i64 = 3600;

/// Returns the last day that can no longer change. `newest` is the last day that the phone has
/// synced, if known.
///
/// A phone can sync late. So the days after `newest` stay open, up to [`MAX_SILENCE`] days back.
pub(super) fn settled_through(today: Day, newest: Option<Day>) -> Day {
    let synced_through = newest.map_or(today, |newest| newest.plus(USUAL_DELAY).min(today));
    synced_through.plus(-TRAILING_DAYS).max(today.plus(-MAX_SILENCE))
}

/// Returns the last day that can no longer change, for a window that is being stored.
///
/// It depends on the documents from before the window. A phone can sync a late day in parts, so
/// such a day is fetched once more.
pub fn settled_after(arrivals: &Arrivals) -> Day {
    let newest = newest_day(arrivals.collection, arrivals.last_days).or(arrivals.newest_in_window);
    settled_through(arrivals.today, newest)
}

/// Returns the last day that the phone has synced for `collection`: its own last day if the ring
/// records it every day. For other collections, the last day of any daily one counts, because a
/// week without a workout proves nothing.
pub(super) fn newest_day(collection: &str, last_days: &BTreeMap<String, Day>) -> Option<Day> {
    if Recorded::of(collection).is_daily() {
        return last_days.get(collection).copied();
    }
    let daily = last_days.iter().filter(|(name, _)| Recorded::of(name).is_daily());
    daily.map(|(_, day)| *day).max()
}

/// Whether the window itself may be the cause of its failures.
pub(super) fn is_suspect(queued: &QueuedWindow) -> bool {
    queued.attempts >= SUSPECT_ATTEMPTS
}

/// Whether the window is a single day that Oura apparently cannot deliver.
pub(super) fn is_unfetchable(queued: &QueuedWindow) -> bool {
    queued.attempts > SUSPECT_ATTEMPTS && queued.window.days() == 1
}

/// Returns when the interrupted run began that a run at `now` continues. `interrupted_since` is the
/// begin of the oldest interrupted run.
pub(super) fn resumed_since(interrupted_since: Option<Instant>, now: Instant) -> Option<Instant> {
    interrupted_since.filter(|began| *began > now.plus(-MAX_RESUME_AGE))
}

/// Returns whether a scheduled run at `now` has to be full, although `last` was. `interval` is the
/// longest time between two full runs in seconds.
pub(super) fn is_full_run_due(last: Option<&FullRun>, interval: i64, now: Instant) -> bool {
    let Some(last) = last else { return true };
    // A run in the future began before the clock was set back.
    let age = now.seconds() - last.started_at.seconds();
    let is_recent = (0..interval).contains(&age);
    let settles = last.changed > 0 && age < SETTLING;
    !is_recent || settles || last.state != RunState::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn silent_phone_is_waited_for_at_most_90_days() {
        assert_eq!(settled_through(day("2027-11-24"), Some(day("2026-11-24"))), day("2027-08-26"));
    }

    #[test]
    fn days_a_week_before_the_newest_are_settled() {
        let today = day("2026-11-24");
        assert_eq!(settled_through(today, None), day("2026-11-17"));
        assert_eq!(settled_through(today, Some(today)), day("2026-11-17"));
        assert_eq!(settled_through(today, Some(day("2026-11-22"))), day("2026-11-17"));
        assert_eq!(settled_through(today, Some(day("2026-11-05"))), day("2026-10-31"));
    }

    #[test]
    fn occasional_collections_follow_the_daily_ones() {
        let last_days = BTreeMap::from([
            ("workout".to_owned(), day("2026-11-01")),
            ("sleep".to_owned(), day("2026-11-20")),
            ("ring_battery_level".to_owned(), day("2026-11-22")),
        ]);
        assert_eq!(newest_day("workout", &last_days), Some(day("2026-11-22")));
        assert_eq!(newest_day("sleep", &last_days), Some(day("2026-11-20")));
        assert_eq!(newest_day("heartrate", &last_days), None);
    }

    #[test]
    fn full_run_is_due_after_failures_changes_and_hours() {
        const INTERVAL: i64 = 4 * 3600;
        let run = |state, changed| FullRun { started_at: Instant(10_000), state, changed };
        let is_due =
            |run: FullRun, age| is_full_run_due(Some(&run), INTERVAL, Instant(10_000 + age));
        assert!(is_full_run_due(None, INTERVAL, Instant(10_000)), "the first run");
        assert!(!is_due(run(RunState::Done, 0), 60));
        assert!(!is_due(run(RunState::Done, 0), INTERVAL - 1));
        assert!(is_due(run(RunState::Done, 0), INTERVAL));
        assert!(is_due(run(RunState::Done, 0), -1), "the clock was set back");
        assert!(is_due(run(RunState::Done, 1), SETTLING - 1));
        assert!(!is_due(run(RunState::Done, 1), SETTLING));
        for state in [RunState::Failed, RunState::Interrupted, RunState::Running] {
            assert!(is_due(run(state, 0), 60), "{state:?}");
        }
    }

    #[test]
    fn run_resumes_for_an_hour() {
        let began = Some(Instant(10_000));
        assert_eq!(resumed_since(began, Instant(13_599)), began);
        assert_eq!(resumed_since(began, Instant(13_600)), None);
        assert_eq!(resumed_since(None, Instant(13_600)), None);
    }
}
