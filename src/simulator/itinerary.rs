//! The person's location: home, trips and a move.

use chrono::Datelike;

use super::noise::Noise;
use crate::time::{Day, Tz};

/// The zone of the person's home: Vienna until the summer of 2025, then New York.
pub(super) fn residence(seed: u64, day: Day) -> Tz {
    let moved = Day::new(2025, 8, 1).expect("the date exists");
    let moved = moved.plus(Noise::new(seed, moved, "residence").whole(0, 60));
    if day < moved { Tz::named("Europe/Vienna") } else { Tz::named("America/New_York") }
}

/// The zone of a trip, if the person is away.
///
/// Each spring has a trip of two weeks: to Tokyo in even years, to Lisbon in odd years.
pub(super) fn trip(seed: u64, day: Day) -> Option<Tz> {
    let year = day.date().year();
    let spring = Day::new(year, 4, 2)?;
    let start = spring.plus(Noise::new(seed, spring, "trip").whole(0, 40));
    let zone = if year % 2 == 0 { Tz::named("Asia/Tokyo") } else { Tz::named("Europe/Lisbon") };
    (0..14).contains(&start.until(day)).then_some(zone)
}

/// Whether `day` is a public holiday.
pub(super) fn holiday(day: Day) -> bool {
    matches!((day.date().month(), day.date().day()), (12, 24..=31) | (1, 1..=2) | (5, 1))
}
