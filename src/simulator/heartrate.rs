//! `heartrate`: every five minutes at night, in bursts by day, every five seconds in workouts and
//! sessions.
//!
//! A day has more than a thousand rows, so the rows are formatted directly as text.

use super::dozes::Doze;
use super::night::SPAN;
use super::person::{Document, Person, has_producer_timestamp};
use crate::time::{Day, Instant, Tz};

/// The rows from the bedtime before `day` to the bedtime after it, in time order.
pub(super) fn heartrate(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day) else { return Vec::new() };
    let mut noise = person.noise(day, "heartrate");
    let mut writer = RowWriter::new(person, day, noise.chance(0.3));

    if let Some(night) = person.main_night(day) {
        let source = if day.date() < chrono::NaiveDate::from_ymd_opt(2025, 3, 1).unwrap_or_default()
        {
            "rest"
        } else {
            "sleep"
        };
        for (span, pulse) in night.pulse.iter().enumerate() {
            if let Some(pulse) = pulse {
                writer.row(night.start.plus(span as i64 * SPAN + 60), *pulse, source);
            }
        }
    }
    if !life.worn {
        return writer.rows;
    }

    let end = person.awake_until(life);
    let charging = person.charging(life);
    let workouts = person.workouts(life);
    let dozes: Vec<_> = person.dozes(life).iter().map(Doze::span).collect();
    let mut at = life.wake.plus(noise.whole(60, 900));
    let mut next = workouts.iter().peekable();
    let session =
        person.session(life, &mut person.noise(day, "session")).filter(|session| session.heart);
    let mut session = session.map(|session| session.span());
    let in_charger = |at: Instant| charging.as_ref().is_some_and(|charging| charging.contains(&at));
    let mut calm = 0.0;
    while at < end {
        if let Some(workout) = next.next_if(|workout| workout.start <= at.plus(600)) {
            let goal =
                62.0 + 9.6 * workout.sport.met * workout.effort - 3.0 * (life.fitness - 0.3) / 0.15;
            let mut pulse = 84.0;
            let rows = workout.minutes * 12;
            for row in 0..rows {
                // The heart rate follows the effort with a lag of about a minute, and drifts up.
                let drift = 6.0 * row as f64 / rows as f64;
                pulse += (goal + drift - pulse) * 0.06 + noise.normal(1.1);
                at = workout.start.plus(row * 5);
                // A burst may overlap with the rows of a workout.
                if noise.chance(0.004) {
                    writer.row(at, (pulse - 9.0).max(60.0), "awake");
                }
                writer.row(at, pulse.clamp(57.0, 198.0), "workout");
            }
            at = at.plus(noise.whole(30, 200));
            continue;
        }
        if let Some(session) = session.take_if(|session| session.start <= at.plus(600)) {
            // A workout may end after the start of the session.
            at = at.max(session.start);
            while at < session.end && next.peek().is_none_or(|workout| at < workout.start) {
                if !in_charger(at) {
                    writer.row(at, life.pulse + 9.0 + noise.normal(2.0), "session");
                }
                at = at.plus(5);
            }
            at = at.plus(noise.whole(30, 200));
            continue;
        }
        calm = 0.8 * calm + noise.normal(3.0);
        let resting = noise.chance(0.12) || dozes.iter().any(|doze| doze.contains(&at));
        let level = life.pulse + if resting { 8.0 } else { 17.0 + 9.0 * life.stress } + calm;
        // Sometimes the person opens the app, which shows the live heart rate.
        let source = match (resting, noise.chance(0.006)) {
            (true, _) => "rest",
            (false, true) => "live",
            (false, false) => "awake",
        };
        for _ in 0..noise.whole(6, 18) {
            let has_started = next.peek().is_some_and(|workout| at >= workout.start)
                || session.as_ref().is_some_and(|session| at >= session.start);
            if at >= end || has_started {
                break;
            }
            if !in_charger(at) {
                writer.row(at, (level + noise.normal(4.0)).max(45.0), source);
            }
            at = at.plus(if resting { 300 } else { noise.whole(5, 33) });
        }
        at = at.plus(noise.whole(500, 1500));
    }
    writer.rows
}

/// Seconds of rows that share one delay.
const DELAY_BLOCK: i64 = 6 * 3600;

/// Formats rows as JSON.
struct RowWriter<'a> {
    person: &'a Person,
    day: Day,
    rows: Vec<Document>,
    /// Whether timestamps have milliseconds and `Z`, as on some days at Oura.
    millis: bool,
    has_producer: bool,
    /// The UTC midnight of the last row, and its date as text.
    date: (Instant, String),
    /// The last delay block, and the extra delay of its rows in seconds.
    delay: (i64, i64),
}

impl<'a> RowWriter<'a> {
    fn new(person: &'a Person, day: Day, millis: bool) -> RowWriter<'a> {
        RowWriter {
            person,
            day,
            rows: Vec::with_capacity(1500),
            millis,
            has_producer: has_producer_timestamp(day),
            date: (Instant(i64::MIN), String::new()),
            delay: (i64::MIN, 0),
        }
    }

    /// When a row appears at Oura: after ten minutes, and sometimes hours later, after newer rows.
    fn arrival(&mut self, at: Instant) -> Instant {
        let block = at.seconds().div_euclid(DELAY_BLOCK);
        if self.delay.0 != block {
            let begin = Instant(block * DELAY_BLOCK);
            let mut noise = self
                .person
                .noise(begin.day(Tz::UTC), &format!("late rows {}", block.rem_euclid(4)));
            let delay = if noise.chance(0.08) { noise.whole(3600, 5 * 3600) } else { 0 };
            self.delay = (block, delay);
        }
        at.plus(600 + self.delay.1)
    }

    fn row(&mut self, at: Instant, bpm: f64, source: &str) {
        let second = at.seconds().rem_euclid(86_400);
        let midnight = at.plus(-second);
        if self.date.0 != midnight {
            self.date = (midnight, midnight.day(Tz::UTC).to_string());
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let zone = if self.millis { ".000Z" } else { "+00:00" };
        let stamp = format!("{}T{hour:02}:{minute:02}:{second:02}{zone}", self.date.1);
        let bpm = bpm.round() as i64;
        let producer = if self.has_producer {
            format!(r#","producer_timestamp":"{stamp}""#)
        } else {
            String::new()
        };
        let text =
            format!(r#"{{"bpm":{bpm},"source":"{source}","timestamp":"{stamp}"{producer}}}"#);
        let since = self.arrival(at);
        self.rows.push(Document { day: self.day, at, since, until: None, text });
    }
}
