//! Where the person is: at home, on a trip, or moved.

use chrono::Datelike;

use super::noise::Noise;
use crate::time::{Day, Tz};

/// Vienna until the summer of 2025, New York since.
pub(super) fn residence(seed: u64, day: Day) -> Tz {
    let moved = Day::new(2025, 8, 1).expect("a day of the calendar");
    let moved = moved.plus(Noise::new(seed, moved, "residence").whole(0, 60));
    if day < moved { Tz::Europe__Vienna } else { Tz::America__New_York }
}

/// Where the person is when not at home: two weeks away every spring, in Tokyo in even years.
pub(super) fn trip(seed: u64, day: Day) -> Option<Tz> {
    let year = day.date().year();
    let spring = Day::new(year, 4, 2)?;
    let start = spring.plus(Noise::new(seed, spring, "trip").whole(0, 40));
    let zone = if year % 2 == 0 { Tz::Asia__Tokyo } else { Tz::Europe__Lisbon };
    (0..14).contains(&start.until(day)).then_some(zone)
}

pub(super) fn holiday(day: Day) -> bool {
    matches!((day.date().month(), day.date().day()), (12, 24..=31) | (1, 1..=2) | (5, 1))
}
