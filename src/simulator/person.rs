//! The synthetic person: their life, their ring, and the ids and revisions of documents.

use super::life::{Life, LifeDay, beginning};
use super::noise::{Noise, number};
use crate::time::{Day, Instant, Tz};

/// The synthetic person.
pub(super) struct Person {
    pub seed: u64,
    /// The day the ring was set up.
    pub first_day: Day,
    pub life: Life,
    /// Ranges of days, both ends included, on which the phone was offline.
    pub phone_offline: Vec<(Day, Day)>,
    /// The seconds between two uploads of the phone. `None`: it uploads all the time.
    pub upload_interval: Option<i64>,
}

/// Body mass in kg, for the profile and for energy.
pub(super) const WEIGHT: f64 = 74.5;

/// Whether rows of `day` have `producer_timestamp`. Older rows of real accounts lack it.
pub(super) fn has_producer_timestamp(day: Day) -> bool {
    Day::new(2025, 6, 1).is_some_and(|first| day >= first)
}

/// One document of a collection, or one row.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub day: Day,
    /// The document's time. The collection is sorted by it.
    pub at: Instant,
    /// When the document appears at Oura.
    pub since: Instant,
    /// When the document disappears.
    pub until: Option<Instant>,
    /// The document as JSON.
    pub text: String,
}

impl Document {
    /// A document that appears at Oura at `since`.
    pub fn new(day: Day, at: Instant, since: Instant, body: &serde_json::Value) -> Document {
        Document { day, at, since, until: None, text: body.to_string() }
    }
}

impl Person {
    pub fn new(seed: u64, first_day: Day) -> Person {
        Person {
            seed,
            first_day,
            life: Life::new(seed),
            phone_offline: Vec::new(),
            upload_interval: None,
        }
    }

    /// The last upload of the phone before `now`. Uploads are at multiples of their interval since
    /// 1970.
    pub fn last_upload(&self, now: Instant) -> Instant {
        self.upload_interval
            .map_or(now, |interval| now.plus(-now.seconds().rem_euclid(interval.max(1))))
    }

    /// When an offline phone connects again: the midnight after the range that contains `day`.
    ///
    /// `None` if the phone is online on `day`.
    pub fn offline_until(&self, day: Day) -> Option<Instant> {
        let ranges = self.phone_offline.iter().filter(|(from, to)| (*from..=*to).contains(&day));
        let next = ranges.map(|(_, to)| to.plus(1)).max()?;
        Some(next.midnight(self.life.zone(next)))
    }

    /// Random numbers for one purpose on one day.
    pub fn noise(&self, day: Day, purpose: &str) -> Noise {
        Noise::new(self.seed, day, purpose)
    }

    /// The day, if the ring was set up by then.
    pub fn day(&self, day: Day) -> Option<&LifeDay> {
        (day >= self.first_day).then(|| self.life.day(day)).flatten()
    }

    /// The day, if the ring recorded the night that ended on it.
    pub fn night(&self, day: Day) -> Option<&LifeDay> {
        self.day(day).filter(|life| life.night_worn && day > self.first_day)
    }

    /// Number of days from `day` to `now`. Documents change until they are two days old.
    pub fn age(&self, day: Day, now: Instant) -> i64 {
        day.until(self.life.today(now))
    }

    /// Returns a score at `now`. Oura recomputes it on its day and on the next, then it is final.
    pub fn score_at(&self, score: f64, day: Day, purpose: &str, now: Instant) -> i64 {
        let age = self.age(day, now);
        let wobble = if age >= 2 { 0 } else { self.noise(day.plus(age), purpose).whole(-3, 3) };
        (score.round() as i64 + wobble).clamp(1, 100)
    }

    /// Returns the id of the `ordinal`th document of `collection` on `day`.
    ///
    /// The id has the form of a version 4 UUID. [`Person::day_of_id`] recovers the day.
    pub fn id(&self, collection: &str, day: Day, ordinal: usize) -> String {
        let mut noise = self.noise(day, collection);
        let tail = (0..=ordinal).map(|_| noise.bits()).last().unwrap_or_default();
        let head = (number(day) ^ self.id_mask(collection)).wrapping_mul(ID_FACTOR);
        let [a, b, c] =
            [(tail >> 48) & 0xffff, (tail >> 36) & 0xfff, (tail >> 22) & 0x3fff | 0x8000];
        format!("{head:08x}-{a:04x}-4{b:03x}-{c:04x}-{:012x}", noise.bits() >> 16)
    }

    /// Returns the day of an id of `collection`. For any other id, the day is arbitrary.
    pub fn day_of_id(&self, collection: &str, id: &str) -> Option<Day> {
        let head = u32::from_str_radix(id.get(..8)?, 16).ok()?;
        let days = head.wrapping_mul(ID_FACTOR_INVERSE) ^ self.id_mask(collection);
        chrono::NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()?)?
            .to_string()
            .parse()
            .ok()
    }

    fn id_mask(&self, collection: &str) -> u32 {
        self.noise(beginning(), collection).bits() as u32
    }
}

/// An odd factor that scatters a day number over 32 bits. Its inverse modulo 2³² recovers the
/// number.
const ID_FACTOR: u32 = 0x9e37_79b1;
const ID_FACTOR_INVERSE: u32 = inverse(ID_FACTOR);

/// The inverse of an odd number modulo 2³². Each step of Newton's method doubles the correct bits.
const fn inverse(odd: u32) -> u32 {
    let mut guess = odd;
    let mut round = 0;
    while round < 5 {
        guess = guess.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(guess)));
        round += 1;
    }
    guess
}

/// Formats local time with its offset: `2026-03-29T07:30:00+02:00`.
pub(super) fn stamp(at: Instant, zone: Tz) -> String {
    at.local(zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Formats local time with milliseconds and offset, as in samples.
pub(super) fn stamp_millis(at: Instant, zone: Tz) -> String {
    at.local(zone).format("%Y-%m-%dT%H:%M:%S.000%:z").to_string()
}

/// Returns a sample series: `{interval, items, timestamp}`. `interval` is in seconds.
pub(super) fn sample(
    interval: f64,
    items: &[Option<f64>],
    start: Instant,
    zone: Tz,
) -> serde_json::Value {
    serde_json::json!({
        "interval": interval, "items": items, "timestamp": stamp_millis(start, zone),
    })
}
