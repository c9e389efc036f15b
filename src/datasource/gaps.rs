//! A summary of a collection's coverage: how many recent days have no data, and why.

use crate::store::Gap;

/// The number of days that the summary covers.
pub(super) const SUMMARY_DAYS: i64 = 30;

/// Summarises a collection in one line: `2 of the last 30 days not synced from the phone yet`.
///
/// `problem` is the collection's own message, which replaces the summary.
pub(super) fn summarize(problem: Option<&str>, was_fetched: bool, gaps: &[&Gap]) -> String {
    if let Some(problem) = problem {
        return problem.to_owned();
    }
    if !was_fetched {
        return "not fetched yet".to_owned();
    }
    // The collection's own message explains the other gaps.
    let mut parts = gaps.iter().filter(|gap| !gap.reason.follows_from_state());
    let Some(first) = parts.next() else {
        return format!("the last {SUMMARY_DAYS} days are complete");
    };
    let mut summary =
        format!("{} of the last {SUMMARY_DAYS} days {}", first.days, first.reason.label());
    for gap in parts {
        summary += &format!(", {} {}", gap.days, gap.reason.label());
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::GapReason;
    use crate::time::Day;

    fn gap(reason: GapReason, days: u64) -> Gap {
        Gap { collection: "sleep".to_owned(), reason, days, last: Day::new(2026, 11, 20).unwrap() }
    }

    #[test]
    fn summary_counts_days_by_reason() {
        let phone = gap(GapReason::NotSynced, 2);
        let battery = gap(GapReason::BatteryEmpty, 1);
        let refused = gap(GapReason::Refused, 7);
        let ring_off = gap(GapReason::RingOff, 3);
        assert_eq!(
            summarize(None, true, &[&phone]),
            "2 of the last 30 days not synced from the phone yet"
        );
        assert_eq!(
            summarize(None, true, &[&refused, &phone, &battery, &ring_off]),
            "2 of the last 30 days not synced from the phone yet, 1 with an empty ring battery, \
             3 with the ring off or out of reach"
        );
        assert_eq!(summarize(None, true, &[&refused]), "the last 30 days are complete");
        assert_eq!(summarize(None, true, &[]), "the last 30 days are complete");
    }

    #[test]
    fn collection_that_was_never_fetched_has_no_counts() {
        assert_eq!(summarize(None, false, &[]), "not fetched yet");
    }

    #[test]
    fn message_of_a_collection_replaces_the_summary() {
        let phone = gap(GapReason::NotSynced, 2);
        let message = "the scope spo2 is missing";
        assert_eq!(summarize(Some(message), true, &[&phone]), message);
    }
}
