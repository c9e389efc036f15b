//! One line for each collection: how current it is, and why days are missing.

use crate::store::Gap;

/// How far back the line looks, in days.
pub(super) const DAYS: i64 = 30;

/// What a reason of the view `coverage` means, for one day and for several. What needs no words of its own is left out: a collection that
/// Oura refuses says why by itself.
const REASONS: &[(&str, &str)] = &[
    ("not_fetched", "not fetched yet"),
    ("not_synced", "not synced from the phone yet"),
    ("battery_empty", "the ring's battery was empty"),
    ("ring_off", "no sign of the ring"),
    ("no_ring_yet", "before the ring came"),
    ("empty", "nothing recorded"),
];

/// `of the last 30 days, 2 days: not synced from the phone yet; 1 day: nothing recorded`.
pub(super) fn line(refusal: Option<&str>, ever_fetched: bool, gaps: &[&Gap]) -> String {
    match refusal {
        Some(refusal) => return refusal.to_owned(),
        None if !ever_fetched => return "not fetched yet".to_owned(),
        None => {}
    }
    let words = |gap: &&&Gap| {
        let (_, meaning) = REASONS.iter().find(|(reason, _)| *reason == gap.reason)?;
        let days = if gap.days == 1 { "day" } else { "days" };
        Some(format!("{} {days}: {meaning}", gap.days))
    };
    let parts: Vec<String> = gaps.iter().filter_map(|gap| words(&gap)).collect();
    match parts.is_empty() {
        true => format!("the last {DAYS} days are complete"),
        false => format!("of the last {DAYS} days, {}", parts.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Day;

    fn gap(reason: &str, days: u64) -> Gap {
        Gap {
            collection: "sleep".to_owned(),
            reason: reason.to_owned(),
            days,
            last: Day::new(2026, 11, 20).unwrap(),
        }
    }

    #[test]
    fn a_collection_says_in_one_line_why_days_are_missing() {
        let (phone, battery) = (gap("not_synced", 2), gap("battery_empty", 1));
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
