//! Steps of whole calendar days or months.

use chrono::Datelike;

use super::interval;
use crate::time::{Day, Instant, Tz};

/// The maximum number of days or months of one step. Longer ones exceed the calendar.
const MAX_COUNT: i64 = 100_000;

/// 1970-01-05, the first Monday after the day from which days count.
const FIRST_MONDAY: i64 = 4;

/// A step of whole calendar days or months. Weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalendarStep {
    Days(i64),
    Months(i64),
}

impl CalendarStep {
    /// Parses an interval: `1d`, `24h`, `2w`, `1M`, `1y`. Returns `None` if it is not a number of
    /// whole days or months.
    pub fn parse(text: &str) -> Option<CalendarStep> {
        let count = |unit: char| text.trim().strip_suffix(unit)?.parse::<i64>().ok();
        let step = if let Some(months) = count('M').or_else(|| count('y')?.checked_mul(12)) {
            CalendarStep::Months(months)
        } else {
            let duration = interval::parse(text)?;
            let seconds = i64::try_from(duration.as_secs()).ok()?;
            let is_whole = duration.subsec_nanos() == 0 && seconds % 86_400 == 0;
            CalendarStep::Days(is_whole.then_some(seconds / 86_400)?)
        };
        let (CalendarStep::Days(length) | CalendarStep::Months(length)) = step;
        (1..=MAX_COUNT).contains(&length).then_some(step)
    }

    /// Returns the SQL for the start of the step around `column`, which holds days or instants.
    pub fn group(self, column: &str) -> String {
        let day = format!("local_day(local_midnight({column}))");
        match self {
            CalendarStep::Days(1) => format!("local_midnight({column})"),
            CalendarStep::Days(length) => {
                let number = format!("unixepoch({day}) / 86400 - {}", first_day(length));
                format!(
                    "local_midnight(date({day}, \
                     '-' || ((({number}) % {length} + {length}) % {length}) || ' days'))"
                )
            }
            CalendarStep::Months(length) => {
                let number = format!("strftime('%Y', {day}) * 12 + strftime('%m', {day}) - 1");
                format!(
                    "local_midnight(date({day}, 'start of month', \
                     '-' || (({number}) % {length}) || ' months'))"
                )
            }
        }
    }

    /// Returns the first day of the step that contains `day`.
    pub fn start(self, day: Day) -> Option<Day> {
        match self {
            CalendarStep::Days(length) => {
                let number = Day::new(1970, 1, 1)?.until(day) - first_day(length);
                Some(day.plus(-number.rem_euclid(length)))
            }
            CalendarStep::Months(length) => {
                let number = month_number(day);
                first_of_month(number - number.rem_euclid(length))
            }
        }
    }

    /// Returns the start of the step that is `count` steps after the one that starts at `start`.
    pub fn after(self, start: Day, count: i64) -> Option<Day> {
        match self {
            CalendarStep::Days(length) => Some(start.plus(length * count)),
            CalendarStep::Months(length) => first_of_month(month_number(start) + length * count),
        }
    }

    /// Returns the midnights in `zone` at which a step begins: from the one before the step that
    /// contains `from`, up to `to`. At most `max`, or `None`.
    pub fn starts(self, from: Day, to: Instant, zone: Tz, max: usize) -> Option<Vec<i64>> {
        let mut start = self.after(self.start(from)?, -1)?;
        let mut starts = vec![start.midnight(zone).seconds()];
        loop {
            let next = self.after(start, 1)?;
            // The calendar ends.
            if next == start {
                return Some(starts);
            }
            start = next;
            let midnight = start.midnight(zone).seconds();
            if midnight > to.seconds() {
                return Some(starts);
            }
            if starts.len() > max {
                return None;
            }
            // A day that a zone skipped begins with the next one.
            if starts.last() != Some(&midnight) {
                starts.push(midnight);
            }
        }
    }
}

/// The number of the day, from 1970-01-01, at which steps of this many days begin.
fn first_day(length: i64) -> i64 {
    if length % 7 == 0 { FIRST_MONDAY } else { 0 }
}

/// Months from the start of year 0.
fn month_number(day: Day) -> i64 {
    let date = day.date();
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

fn first_of_month(number: i64) -> Option<Day> {
    let year = i32::try_from(number.div_euclid(12)).ok()?;
    Day::new(year, number.rem_euclid(12) as u32 + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str, day: &str) -> String {
        let step = CalendarStep::parse(text).unwrap();
        step.start(day.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn steps_of_whole_days_are_recognized() {
        for (text, step) in [
            ("1d", CalendarStep::Days(1)),
            ("24h", CalendarStep::Days(1)),
            ("1440m", CalendarStep::Days(1)),
            ("86400s", CalendarStep::Days(1)),
            ("12h720m", CalendarStep::Days(1)),
            ("1w", CalendarStep::Days(7)),
            ("1M", CalendarStep::Months(1)),
            ("1y", CalendarStep::Months(12)),
        ] {
            assert_eq!(CalendarStep::parse(text), Some(step), "{text}");
        }
        for text in ["5m", "23h", "25h", "1d1ms", "0d", "0M", "day", "9999999y"] {
            assert_eq!(CalendarStep::parse(text), None, "{text}");
        }
    }

    #[test]
    fn steps_begin_where_people_expect() {
        for (text, day, first) in [
            ("1d", "2026-11-25", "2026-11-25"),
            ("1w", "2026-11-29", "2026-11-23"),
            ("7d", "2026-11-30", "2026-11-30"),
            ("1w", "1969-12-31", "1969-12-29"),
            ("1M", "2026-11-25", "2026-11-01"),
            ("3M", "2026-11-25", "2026-10-01"),
            ("1y", "2026-11-25", "2026-01-01"),
        ] {
            assert_eq!(start(text, day), first, "{text} around {day}");
        }
    }
}
