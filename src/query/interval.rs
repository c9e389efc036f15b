//! Intervals as Grafana writes them: `30s`, `5m`, `1h30m`, `1d`, `1w`; a month (`1M`) is 30 days and a year (`1y`) 365.

use std::time::Duration;

/// Nanoseconds.
const DAY: u64 = 86_400_000_000_000;

/// Unit and nanoseconds; the longer of two that begin alike first.
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

/// One or more `<number><unit>`; nothing for zero, negative or unreadable text.
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

/// In the largest unit up to days that gives a whole number: `90s` stays, `3600s` is `1h`.
pub fn format(interval: Duration) -> String {
    let nanoseconds = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let whole = |(_, size): &(&str, u64)| *size <= DAY && nanoseconds.is_multiple_of(*size);
    let (unit, size) =
        UNITS.into_iter().filter(whole).max_by_key(|(_, size)| *size).unwrap_or(("ns", 1));
    format!("{}{unit}", nanoseconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grafanas_intervals_are_read_and_written() {
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
