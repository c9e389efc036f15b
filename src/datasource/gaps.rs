//! One line for each collection: how current it is, and why days are missing.

use crate::store::Gap;

/// How far back the line looks, in days.
pub(super) const DAYS: i64 = 30;

/// `of the last 30 days, 2 days: not synced from the phone yet; 1 day: nothing recorded`.
pub(super) fn line(refusal: Option<&str>, ever_fetched: bool, gaps: &[&Gap]) -> String {
    match refusal {
        Some(refusal) => return refusal.to_owned(),
        None if !ever_fetched => return "not fetched yet".to_owned(),
        None => {}
    }
    let words = |gap: &&Gap| {
        let days = if gap.days == 1 { "day" } else { "days" };
        format!("{} {days}: {}", gap.days, gap.reason.label())
    };
    // The collection's own message explains the others.
    let parts: Vec<String> =
        gaps.iter().filter(|gap| !gap.reason.follows_from_state()).map(words).collect();
    match parts.is_empty() {
        true => format!("the last {DAYS} days are complete"),
        false => format!("of the last {DAYS} days, {}", parts.join("; ")),
    }
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
    fn a_collection_says_in_one_line_why_days_are_missing() {
        let (phone, battery) = (gap(GapReason::NotSynced, 2), gap(GapReason::BatteryEmpty, 1));
        assert_eq!(
            line(None, true, &[&phone, &battery]),
            "of the last 30 days, 2 days: not synced from the phone yet; 1 day: the ring's battery was empty"
        );
        assert_eq!(line(None, true, &[]), "the last 30 days are complete");
        assert_eq!(line(None, false, &[]), "not fetched yet");
        assert_eq!(
            line(Some("the scope spo2 is missing"), true, &[&phone]),
            "the scope spo2 is missing"
        );
    }
}
