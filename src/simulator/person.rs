//! The synthetic person as the documents see them: a life, when the ring came, and how documents are identified and revised.

use super::life::{Life, LifeDay, beginning};
use super::noise::{Noise, number};
use crate::time::{Day, Instant, Tz};

pub(super) struct Person {
    pub seed: u64,
    /// The day the ring was set up.
    pub first_day: Day,
    pub life: Life,
    /// Stretches of days, both ends included, on which the phone sent nothing to Oura.
    pub phone_offline: Vec<(Day, Day)>,
}

/// Body mass in kg: energy and the profile agree on it.
pub(super) const WEIGHT: f64 = 74.5;

/// Rows older than this have no `producer_timestamp`, as those of real accounts.
pub(super) fn names_its_producer(day: Day) -> bool {
    Day::new(2025, 6, 1).is_some_and(|first| day >= first)
}

/// One document of a collection, or one row.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub day: Day,
    /// Where it lies in time: what the collection is ordered by.
    pub at: Instant,
    /// When Oura has it, and when it is gone again.
    pub since: Instant,
    pub until: Option<Instant>,
    /// JSON.
    pub text: String,
}

impl Document {
    /// A document that Oura has from `since` on.
    pub fn new(day: Day, at: Instant, since: Instant, body: &serde_json::Value) -> Document {
        Document { day, at, since, until: None, text: body.to_string() }
    }
}

impl Person {
    pub fn new(seed: u64, first_day: Day) -> Person {
        Person { seed, first_day, life: Life::new(seed), phone_offline: Vec::new() }
    }

    /// When the phone next speaks to Oura after a silent `day`: the morning after the stretch. `None` on other days.
    pub fn silent_until(&self, day: Day) -> Option<Instant> {
        let stretches = self.phone_offline.iter().filter(|(from, to)| (*from..=*to).contains(&day));
        let next = stretches.map(|(_, to)| to.plus(1)).max()?;
        Some(next.midnight(self.life.zone(next)))
    }

    pub fn noise(&self, day: Day, purpose: &str) -> Noise {
        Noise::new(self.seed, day, purpose)
    }

    /// The day, if the ring was there already.
    pub fn day(&self, day: Day) -> Option<&LifeDay> {
        (day >= self.first_day).then(|| self.life.day(day)).flatten()
    }

    /// The day, if the night that ended on it was recorded.
    pub fn night(&self, day: Day) -> Option<&LifeDay> {
        self.day(day).filter(|life| life.night_worn && day > self.first_day)
    }

    /// How many days `day` lies back at `now`: documents change until it is two.
    pub fn age(&self, day: Day, now: Instant) -> i64 {
        day.until(self.life.today(now))
    }

    /// A score as Oura says it at `now`: recomputed on the day itself and the next, settled after.
    pub fn settling(&self, score: f64, day: Day, purpose: &str, now: Instant) -> i64 {
        let age = self.age(day, now);
        let wobble = if age >= 2 { 0 } else { self.noise(day.plus(age), purpose).whole(-3, 3) };
        (score.round() as i64 + wobble).clamp(1, 100)
    }

    /// The identifier of the `ordinal`th document of `collection` on `day`: a version 4 UUID in form, from which the day can be read back.
    pub fn id(&self, collection: &str, day: Day, ordinal: usize) -> String {
        let mut noise = self.noise(day, collection);
        let tail = (0..=ordinal).map(|_| noise.bits()).last().unwrap_or_default();
        let head = (number(day) ^ self.id_mask(collection)).wrapping_mul(ID_FACTOR);
        let [a, b, c] =
            [(tail >> 48) & 0xffff, (tail >> 36) & 0xfff, (tail >> 22) & 0x3fff | 0x8000];
        format!("{head:08x}-{a:04x}-4{b:03x}-{c:04x}-{:012x}", noise.bits() >> 16)
    }

    /// The day that an identifier of `collection` was made for; nonsense for one that was not.
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

/// An odd factor scatters the day's number over 32 bits; the other undoes it (their product is 1 modulo 2³²).
const ID_FACTOR: u32 = 0x9e37_79b1;
const ID_FACTOR_INVERSE: u32 = inverse(ID_FACTOR);

/// Newton's iteration doubles the correct bits each time.
const fn inverse(odd: u32) -> u32 {
    let mut guess = odd;
    let mut round = 0;
    while round < 5 {
        guess = guess.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(guess)));
        round += 1;
    }
    guess
}

/// Local time with its offset, `2026-03-29T07:30:00+02:00`.
pub(super) fn stamp(at: Instant, zone: Tz) -> String {
    at.utc().with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The same with milliseconds, as samples begin.
pub(super) fn stamp_millis(at: Instant, zone: Tz) -> String {
    at.utc().with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S.000%:z").to_string()
}

/// `{interval, items, timestamp}`.
pub(super) fn sample(
    interval: f64,
    items: &[Option<f64>],
    start: Instant,
    zone: Tz,
) -> serde_json::Value {
    serde_json::json!({ "interval": interval, "items": items, "timestamp": stamp_millis(start, zone) })
}
