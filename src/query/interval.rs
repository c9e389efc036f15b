//! Intervals in Grafana's notation: `30s`, `5m`, `1h30m`, `1d`, `1w`. A month (`1M`) has 30 days, a
//! year (`1y`) 365.

use std::time::Duration;

/// An interval and its notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    text: String,
    duration: Duration,
}

impl Interval {
    /// Parses one or more `<number><unit>`. Returns `None` for zero, negative or invalid text.
    pub fn parse(text: &str) -> Option<Interval> {
        Some(Interval { text: text.to_owned(), duration: parse(text)? })
    }

    /// Returns the length of the interval.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl From<Duration> for Interval {
    fn from(duration: Duration) -> Interval {
        Interval { text: format(duration), duration }
    }
}

/// Writes the interval as it was parsed.
impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// A day in nanoseconds.
const DAY: u64 = 86_400_000_000_000;

/// Each unit and its nanoseconds. A unit stands before the units that are a prefix of it.
const UNITS: [(&str, u64); 10] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", DAY),
    ("w", 604_800_000_000_000),
    ("M", 2_592_000_000_000_000),
    ("y", 31_536_000_000_000_000),
];

/// Parses one or more `<number><unit>`. Returns `None` for zero, negative or invalid text.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let (unit, nanoseconds) =
            UNITS.into_iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        total = total.checked_add(count.checked_mul(nanoseconds)?)?;
        rest = &rest[digits + unit.len()..];
    }
    (total > 0).then(|| Duration::from_nanos(total))
}

/// Formats `interval` in the largest unit, up to days, that gives a whole number: 90 seconds are
/// `90s`, 3,600 are `1h`.
pub fn format(interval: Duration) -> String {
    let nanoseconds = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let (unit, size) = UNITS
        .into_iter()
        .filter(|(_, size)| *size <= DAY && nanoseconds.is_multiple_of(*size))
        .max_by_key(|(_, size)| *size)
        .unwrap_or(("ns", 1));
    format!("{}{unit}", nanoseconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_parsed_and_formatted() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("1h30m", 5_400), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "-5m", "5", "m", "5x", "99999999999999999999s", "5m,"] {
            assert_eq!(parse(text), None, "{text}");
        }
        for (milliseconds, text) in
            [(500, "500ms"), (1_000, "1s"), (90_000, "90s"), (3_600_000, "1h"), (86_400_000, "1d")]
        {
            assert_eq!(format(Duration::from_millis(milliseconds)), text);
        }
    }
}
