//! Calendar days, instants, time zones and the clock.
//!
//! Oura's documents contain calendar days (`2026-03-29`) and instants (RFC 3339, with or without an
//! offset and fractions). They have separate types here. This is the only module that parses
//! timestamps.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{
    DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use zone::{Tz, UnknownZone};

mod zone;

/// A calendar day without a time zone, written `YYYY-MM-DD`, as in Oura's field `day`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema), ts(type = "string"), schema(value_type = String))]
pub struct Day(NaiveDate);

impl Day {
    /// Returns the day, if the date exists.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Day> {
        NaiveDate::from_ymd_opt(year, month, day).map(Day)
    }

    /// The day as chrono's date.
    pub fn date(self) -> NaiveDate {
        self.0
    }

    /// Returns the day `count` days later, or earlier if negative. Saturates at the calendar's
    /// ends.
    pub fn plus(self, count: i64) -> Day {
        let moved = match u64::try_from(count) {
            Ok(forward) => self.0.checked_add_days(Days::new(forward)),
            Err(_) => self.0.checked_sub_days(Days::new(count.unsigned_abs())),
        };
        Day(moved.unwrap_or(if count < 0 { NaiveDate::MIN } else { NaiveDate::MAX }))
    }

    /// Number of days from `self` to `later`. Negative if `later` is earlier.
    pub fn until(self, later: Day) -> i64 {
        (later.0 - self.0).num_days()
    }

    /// Iterates over the days from `self` to `last`, both included.
    pub fn through(self, last: Day) -> impl DoubleEndedIterator<Item = Day> {
        (0..=self.until(last)).map(move |offset| self.plus(offset))
    }

    /// Returns the start of this day in `zone`.
    ///
    /// If clocks skip midnight, this is the first existing instant. If midnight occurs twice, it is
    /// the earlier one.
    pub fn midnight(self, zone: Tz) -> Instant {
        zone.first_instant(self.0.and_time(NaiveTime::MIN))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Day, ParseError> {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(has_four_digit_year);
        date.map(Day).ok_or_else(|| ParseError::Day(text.to_owned()))
    }
}

/// A calendar month, written `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Day);

impl Month {
    /// Returns the month of `day`.
    pub fn of(day: Day) -> Month {
        Month(Day(day.0.with_day(1).unwrap_or(day.0)))
    }

    /// The first day.
    pub fn first(self) -> Day {
        self.0
    }

    /// Returns the month after this one.
    pub fn next(self) -> Month {
        Month::of(self.0.plus(31))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.0.format("%Y-%m"))
    }
}

impl FromStr for Month {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Month, ParseError> {
        format!("{text}-01").parse().map(Month)
    }
}

/// A point in time: whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub i64);

impl Instant {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// Returns the instant `seconds` later, or earlier if negative. Saturates.
    pub fn plus(self, seconds: i64) -> Instant {
        Instant(self.0.saturating_add(seconds))
    }

    /// Returns the calendar day in `zone` at this instant. Days outside of the years 0 to 9999 become
    /// the first or the last of these, because others cannot be written as `YYYY-MM-DD`.
    pub fn day(self, zone: Tz) -> Day {
        Day(self.local(zone).date_naive().clamp(FIRST_DATE, LAST_DATE))
    }

    /// Returns the instant of a number of seconds or milliseconds since 1970.
    ///
    /// Returns `None` before the year 2000 (no rings existed) and after 9999, because such a number
    /// is not a time.
    pub fn of_count(count: i64) -> Option<Instant> {
        /// Read as seconds, this is the year 5138. Read as milliseconds, it is 1973.
        const MIN_MILLISECONDS: i64 = 100_000_000_000;
        const YEARS_2000_TO_9999: std::ops::RangeInclusive<i64> = 946_684_800..=253_402_300_799;
        let seconds = if count >= MIN_MILLISECONDS { count.div_euclid(1000) } else { count };
        YEARS_2000_TO_9999.contains(&seconds).then_some(Instant(seconds))
    }

    /// Parses an HTTP date: `Tue, 24 Nov 2026 03:02:28 GMT`.
    pub fn of_http_date(text: &str) -> Option<Instant> {
        DateTime::parse_from_rfc2822(text.trim()).ok().map(|at| Instant(at.timestamp()))
    }

    /// Returns the instant as an HTTP date.
    pub fn http_date(self) -> String {
        self.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Returns the instant with the local time in `zone` that this one has in UTC.
    pub fn read_as_local(self, zone: Tz) -> Instant {
        zone.first_instant(self.utc().naive_utc())
    }

    /// Returns the local time in `zone` at this instant.
    pub fn local(self, zone: Tz) -> DateTime<FixedOffset> {
        self.utc().with_timezone(&zone.offset_at(self))
    }

    /// The instant as chrono's UTC time. The epoch, if chrono cannot represent it.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or_default()
    }
}

/// Serializes an instant as RFC 3339 in UTC, for `#[serde(serialize_with)]`.
pub fn as_rfc3339<S: serde::Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// Serializes an optional instant as RFC 3339 in UTC, or null.
pub fn as_rfc3339_or_null<S: serde::Serializer>(
    at: &Option<Instant>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// Formats as RFC 3339 in UTC: `2026-11-24T03:02:28Z`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A timestamp from a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The instant.
    pub at: Instant,
    /// The offset from UTC in seconds, if the text had one.
    pub offset: Option<i32>,
    /// The fraction of the second, in nanoseconds. It separates rows within one second.
    pub subsecond: u32,
}

impl Stamp {
    /// Parses RFC 3339, with or without seconds, fractions and offset.
    ///
    /// A timestamp without an offset is local time in `zone`.
    pub fn parse(text: &str, zone: Tz) -> Result<Stamp, ParseError> {
        let text = text.trim();
        for form in [
            "%Y-%m-%dT%H:%M:%S%.f%#z",
            "%Y-%m-%d %H:%M:%S%.f%#z",
            "%Y-%m-%dT%H:%M%#z",
            "%Y-%m-%d %H:%M%#z",
        ] {
            if let Ok(stamp) = DateTime::parse_from_str(text, form)
                && has_four_digit_year(&stamp.naive_local().date())
            {
                return Ok(Stamp {
                    at: Instant(stamp.timestamp()),
                    offset: Some(stamp.offset().local_minus_utc()),
                    subsecond: subsecond(&stamp),
                });
            }
        }
        for form in
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        {
            if let Ok(naive) = NaiveDateTime::parse_from_str(text, form)
                && has_four_digit_year(&naive.date())
            {
                let subsecond = subsecond(&naive);
                return Ok(Stamp { at: zone.first_instant(naive), offset: None, subsecond });
            }
        }
        Err(ParseError::Instant(text.to_owned()))
    }

    /// Returns the timestamp of a number of seconds or milliseconds since 1970, as
    /// [`Instant::of_count`] does.
    pub fn of_count(count: f64) -> Option<Stamp> {
        let at = Instant::of_count(count as i64)?;
        let fraction =
            if at.0 == count as i64 { count.fract() } else { count.rem_euclid(1000.0) / 1000.0 };
        let subsecond = (fraction * 1e9).clamp(0.0, f64::from(MAX_SUBSECOND)) as u32;
        Some(Stamp { at, offset: None, subsecond })
    }
}

/// Formats as RFC 3339 in UTC, with a fraction only if there is one: `2026-11-24T03:02:28.25Z`.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subsecond == 0 {
            return fmt::Display::fmt(&self.at, f);
        }
        let fraction = format!("{:09}", self.subsecond);
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{}.{fraction}Z", self.at.utc().format("%Y-%m-%dT%H:%M:%S"))
    }
}

/// The last nanosecond of a second.
const MAX_SUBSECOND: u32 = 999_999_999;

/// The fraction of a time's second in nanoseconds. A leap second counts as the end of its minute.
fn subsecond(time: &impl Timelike) -> u32 {
    time.nanosecond().min(MAX_SUBSECOND)
}

/// The first and the last date with a year of four digits. Other years are not valid in RFC 3339,
/// break the sort order of text, and may overflow arithmetic.
const FIRST_DATE: NaiveDate = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
const LAST_DATE: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();

fn has_four_digit_year(date: &NaiveDate) -> bool {
    (FIRST_DATE..=LAST_DATE).contains(date)
}

/// Why a text is not a day or a timestamp.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// The text is not a day.
    #[error("invalid day {0:?}: use YYYY-MM-DD")]
    Day(String),
    /// The text is not a timestamp.
    #[error("invalid timestamp {0:?}: use the form 2026-03-29T07:30:00+02:00")]
    Instant(String),
}

/// The current time, and waiting.
///
/// Either the system's clock, or a clock for tests. A test clock starts at another time, runs at
/// another rate, and can be advanced. Clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    /// `None` for the system's clock.
    warp: Option<Warp>,
}

/// How a test clock differs from the system's.
#[derive(Clone, Debug)]
struct Warp {
    start: Instant,
    /// When the clock showed `start`.
    anchor: std::time::Instant,
    /// Seconds of this clock per real second.
    rate: f64,
    /// Seconds by which [`Clock::advance`] has moved the clock.
    advanced: Arc<watch::Sender<i64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        Clock { warp: None }
    }

    /// A clock that shows `start` now and runs `rate` times as fast as real time. At 0 it stands
    /// still.
    pub fn starting_at(start: Instant, rate: f64) -> Clock {
        let anchor = std::time::Instant::now();
        Clock { warp: Some(Warp { start, anchor, rate, advanced: Arc::default() }) }
    }

    /// The current time of this clock.
    pub fn now(&self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "the only place that reads the real clock")]
        let Some(warp) = &self.warp else { return Instant(Utc::now().timestamp()) };
        let passed = (warp.anchor.elapsed().as_secs_f64() * warp.rate) as i64;
        warp.start.plus(passed).plus(*warp.advanced.borrow())
    }

    /// Moves a test clock forward, and ends the sleeps that this completes. Does nothing to the
    /// system's clock.
    pub fn advance(&self, seconds: i64) {
        if let Some(warp) = &self.warp {
            warp.advanced.send_modify(|advanced| *advanced += seconds);
        }
    }

    /// Waits until this clock has advanced by `duration`.
    ///
    /// A clock that stands still waits in real time, or until it is advanced.
    pub async fn sleep(&self, duration: Duration) {
        let Some(warp) = &self.warp else { return tokio::time::sleep(duration).await };
        let rate = if warp.rate > 0.0 { warp.rate } else { 1.0 };
        let started = std::time::Instant::now();
        let mut advanced = warp.advanced.subscribe();
        let advanced_before = *advanced.borrow_and_update();
        loop {
            let skipped = *advanced.borrow_and_update() - advanced_before;
            let slept = started.elapsed().as_secs_f64() * rate + skipped as f64;
            let left = duration.as_secs_f64() - slept;
            if left <= 0.0 {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs_f64(left / rate)) => return,
                // The clock holds the sender, so this never fails.
                _ = advanced.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Stamp {
        Stamp::parse(text, Tz::named("Europe/Vienna")).unwrap()
    }

    #[test]
    fn known_timestamp_formats_parse_with_their_offset() {
        assert_eq!(
            at("2024-11-11T00:00:00+00:00"),
            Stamp { at: Instant(1_731_283_200), offset: Some(0), subsecond: 0 }
        );
        assert_eq!(
            at("2024-11-11T04:00:00.000+01:00"),
            Stamp { at: Instant(1_731_294_000), offset: Some(3600), subsecond: 0 }
        );
        assert_eq!(at("2024-11-11T04:00:00Z").offset, Some(0));
        assert_eq!(
            at("2024-11-11T04:00:00.25"),
            Stamp { at: Instant(1_731_294_000), offset: None, subsecond: 250_000_000 }
        );
        for invalid in ["yesterday", "+262142-12-31T23:59:59", "-262143-01-01T00:00:00Z"] {
            assert!(Stamp::parse(invalid, Tz::named("America/New_York")).is_err(), "{invalid}");
        }
        assert!("+262142-12-31".parse::<Day>().is_err());
    }

    #[test]
    fn day_of_every_instant_can_be_written_and_read() {
        for (text, zone, expected) in [
            ("9999-12-31T23:59:59Z", Tz::named("Europe/Vienna"), "9999-12-31"),
            ("0000-01-01T00:00:00Z", Tz::named("America/New_York"), "0000-01-01"),
            ("9999-12-31T23:59:59-14:00", Tz::UTC, "9999-12-31"),
        ] {
            let day = Stamp::parse(text, zone).unwrap().at.day(zone);
            assert_eq!(day.to_string(), expected, "{text}");
            assert_eq!(day.to_string().parse::<Day>().unwrap(), day, "{text}");
        }
        for at in [i64::MIN, i64::MAX] {
            assert!(Instant(at).day(Tz::UTC).to_string().parse::<Day>().is_ok(), "{at}");
        }
    }

    #[test]
    fn day_starts_at_its_first_existing_instant() {
        let spring = Day::new(2026, 3, 29).unwrap();
        assert_eq!(
            spring.plus(1).midnight(Tz::named("Europe/Vienna")).0
                - spring.midnight(Tz::named("Europe/Vienna")).0,
            23 * 3600
        );
        // Havana's clocks jump from midnight to one o'clock.
        let havana = Day::new(2026, 3, 8).unwrap();
        assert_eq!(
            havana.midnight(Tz::named("America/Havana")).to_string(),
            "2026-03-08T05:00:00Z"
        );
    }

    #[tokio::test]
    async fn advancing_a_clock_ends_its_sleeps() {
        let clock = Clock::starting_at(Instant(1_000), 0.0);
        let sleeping = clock.sleep(Duration::from_secs(86_400));
        tokio::join!(sleeping, async { clock.clone().advance(86_400) });
        assert_eq!(clock.now(), Instant(87_400));
    }

    proptest::proptest! {
        #[test]
        fn midnight_is_on_its_own_day(
            days in 0i64..40_000,
            zone in proptest::sample::select(Tz::names()),
        ) {
            let zone: Tz = zone.parse().unwrap();
            let day = Day::new(1960, 1, 1).unwrap().plus(days);
            // A zone may have skipped a whole day (Samoa, 2011-12-30). Then midnight is on the next
            // day.
            let shown = day.midnight(zone).day(zone);
            proptest::prop_assert!(shown == day || shown == day.plus(1));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = Stamp::parse(&text, Tz::UTC);
        }
    }
}
