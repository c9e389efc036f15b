//! `sleep`, with one document per period in bed, and `sleep_time`.
//!
//! Oura's sleep day lasts from 18:00 to 18:00, so a period in the evening belongs to the next day.

use serde_json::{Value, json};

use super::life::LifeDay;
use super::night::{Plan, Recording};
use super::noise::Noise;
use super::person::{Document, Person, sample, stamp};
use super::scores::hundredths;
use crate::time::{Day, Instant};

/// A period in bed.
struct Period {
    recording: Recording,
    kind: Kind,
    /// The value of `type`.
    label: &'static str,
    /// The value of `sleep_analysis_reason`.
    reason: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Main,
    Nap,
    /// Wakefulness that Oura detected as sleep: no heart rate, and sentinels instead of values.
    False,
}

/// The documents of `day` at `now`, sorted by bedtime.
pub(super) fn sleep(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let (Some(life), Some(evening)) = (person.day(day), person.life.day(day.plus(-1))) else {
        return Vec::new();
    };
    let dozes = [evening, life]
        .into_iter()
        .flat_map(|life| person.dozes(life))
        .filter(|doze| doze.sleep_day == day);
    let dozes = dozes.map(|doze| Period {
        recording: Recording::new(
            &doze.plan,
            &mut person.noise(doze.plan.start.day(evening.zone), doze.label),
        ),
        kind: Kind::Nap,
        label: doze.label,
        reason: "foreground_sleep_analysis",
    });
    let nights =
        [false_sleep(person, evening, life, now), main(person, day, now)].into_iter().flatten();
    let mut periods: Vec<Period> = dozes.chain(nights).collect();
    periods.sort_by_key(|period| period.recording.start);
    let documents = periods.iter().enumerate();
    documents.map(|(index, period)| document(person, life, index, period, now)).collect()
}

fn main(person: &Person, day: Day, now: Instant) -> Option<Period> {
    let mut recording = person.main_night(day)?;
    let mut noise = person.noise(day, "bedtime edit");
    let edited = noise.chance(0.07);
    if edited && person.age(day, now) < 1 {
        // The ring's recording includes reading in bed. The person corrects this on the next day.
        let epochs = noise.whole(40, 90);
        recording.in_bed += epochs * super::night::EPOCH;
        recording.stages.extend((0..epochs).map(|_| b'4'));
        recording.movement.extend((0..epochs).map(|_| b'2'));
        let spans = (recording.in_bed / super::night::SPAN) as usize;
        recording.pulse.resize(spans, None);
        recording.hrv.resize(spans, None);
    }
    let reason = match (edited && person.age(day, now) >= 1, noise.chance(0.3)) {
        (true, _) => "bedtime_edit",
        (false, true) => "background_sleep_analysis",
        (false, false) => "foreground_sleep_analysis",
    };
    Some(Period { recording, kind: Kind::Main, label: "long_sleep", reason })
}

/// A period on the sofa that Oura detects as sleep, on the evening before a day.
fn false_sleep(person: &Person, evening: &LifeDay, life: &LifeDay, now: Instant) -> Option<Period> {
    let mut noise = person.noise(evening.day, "false start");
    let start = evening.at(noise.whole(1170, 1330)).plus(noise.whole(0, 59));
    let in_bed = noise.whole(930, 2400);
    if !noise.chance(0.5)
        || !evening.worn
        || evening.day < person.first_day
        || start.plus(in_bed + 900) > life.bedtime
    {
        return None;
    }
    let is_confirmed = person.age(life.day, now) >= 1;
    let label = match noise.whole(0, 19) {
        0 if is_confirmed => "deleted",
        1 if is_confirmed => "rest",
        _ => "sleep",
    };
    let plan = Plan { efficiency: noise.uniform(0.03, 0.3), ..Plan::short(life, start, in_bed) };
    Some(Period {
        recording: Recording::new(&plan, &mut noise),
        kind: Kind::False,
        label,
        reason: "foreground_sleep_analysis",
    })
}

fn document(
    person: &Person,
    life: &LifeDay,
    index: usize,
    period: &Period,
    now: Instant,
) -> Document {
    let Period { recording, kind, label, reason } = period;
    let zone = life.zone;
    let start = recording.start;
    let end = start.plus(recording.in_bed);
    // The person may delete periods, so the id depends on the bedtime and not on the index.
    let ordinal = (start.seconds() / 60).rem_euclid(977) as usize;
    let mut noise = person.noise(life.day, label);
    let is_real = *kind != Kind::False;
    let mean = |items: &[Option<f64>]| {
        let known: Vec<f64> = items.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let eighths = |value: f64| (value * 8.0).round() / 8.0;
    let pulse = mean(&recording.pulse).map(|mean| eighths(mean - 0.2));
    let lowest = recording.pulse.iter().flatten().fold(255.0_f64, |low, &bpm| low.min(bpm));
    let text = |codes: &[u8]| codes.iter().map(|&code| code as char).collect::<String>();
    let series =
        PublishedSeries::new(recording, &mut person.noise(life.day, &format!("lengths {ordinal}")));
    // The period's contribution to the day's scores.
    let delta = |noise: &mut Noise| match kind {
        Kind::Main => Some(0),
        Kind::Nap => Some(noise.whole(0, 6)),
        Kind::False => None,
    };
    let breath_error = if is_real { 0.0 } else { noise.uniform(0.5, 5.0) };
    let body = json!({
        "id": person.id("sleep", life.day, ordinal),
        "day": life.day.to_string(),
        "bedtime_start": stamp(start, zone),
        "bedtime_end": stamp(end, zone),
        "type": label,
        "period": index,
        "average_breath": eighths(life.breath + breath_error),
        "average_heart_rate": if is_real {
            pulse
        } else {
            Some(eighths(life.pulse + noise.uniform(12.0, 24.0)))
        },
        "average_hrv": mean(&recording.hrv).filter(|_| is_real).map(|mean| mean.round() as i64),
        "lowest_heart_rate": if is_real { lowest as i64 - i64::from(lowest < 255.0) } else { 255 },
        "heart_rate": is_real.then(|| sample(300.0, &series.pulse, start, zone)),
        "hrv": is_real.then(|| sample(300.0, &series.hrv, start, zone)),
        "deep_sleep_duration": recording.deep(),
        "light_sleep_duration": recording.light(),
        "rem_sleep_duration": recording.rem(),
        "total_sleep_duration": recording.asleep(),
        "awake_time": recording.in_bed - recording.asleep(),
        "time_in_bed": recording.in_bed,
        "efficiency": recording.efficiency(),
        "latency": if is_real { recording.latency } else { 0 },
        "restless_periods": recording.restless() / if is_real { 1 } else { 8 },
        "low_battery_alert": life.battery < 15.0,
        "movement_30_sec": text(&series.movement),
        "sleep_phase_30_sec": text(&recording.stages),
        "sleep_phase_5_min": series.stages,
        "app_sleep_phase_5_min": series.stages,
        "sleep_algorithm_version": "v2",
        "sleep_analysis_reason": reason,
        "readiness": readiness(person, life, *kind, now),
        "readiness_score_delta": delta(&mut noise),
        "sleep_score_delta": delta(&mut noise),
        "ring_id": null,
    });
    Document::new(life.day, start, end.plus(25 * 60), &body)
}

/// The series of a recording as Oura publishes them.
///
/// Their lengths often differ from the time in bed. The reason is unknown.
struct PublishedSeries {
    movement: Vec<u8>,
    stages: String,
    pulse: Vec<Option<f64>>,
    hrv: Vec<Option<f64>>,
}

impl PublishedSeries {
    /// The frequencies are those of a real account. In half of the nights, `movement` has one item
    /// less, rarely one more. Sometimes the stages have one item less. In a third of the nights,
    /// heart rate and HRV both have an item for an incomplete last span.
    fn new(recording: &Recording, noise: &mut Noise) -> PublishedSeries {
        let mut movement = recording.movement.clone();
        match noise.uniform(0.0, 1.0) {
            short if short < 0.48 => drop(movement.pop()),
            long if long > 0.96 => movement.push(b'1'),
            _ => {}
        }
        let mut stages = recording.stages_5_min();
        if noise.chance(0.06) {
            stages.pop();
        }
        let mut pulse = recording.pulse.clone();
        let mut hrv = recording.hrv.clone();
        if pulse.len() < stages.len() && noise.chance(0.33) {
            pulse.push(None);
            hrv.push(None);
        }
        PublishedSeries { movement, stages, pulse, hrv }
    }
}

/// The readiness in a sleep document. In short periods, unknown contributors are 0.
fn readiness(person: &Person, life: &LifeDay, kind: Kind, now: Instant) -> Value {
    let mut score = person.readiness(life);
    if kind == Kind::Main {
        return json!({
            "contributors": score.contributors(),
            "score": person.score_at(score.score, life.day, "readiness", now),
            "temperature_deviation": hundredths(life.temperature),
            "temperature_trend_deviation": hundredths(life.temperature_trend),
        });
    }
    let unknown: &[&str] = match kind {
        Kind::False => &["body_temperature", "recovery_index", "resting_heart_rate"],
        _ => &["body_temperature"],
    };
    unknown.iter().for_each(|name| score.set(name, 0.0));
    score.set("previous_night", 1.0);
    json!({
        "contributors": score.contributors(),
        "score": (score.score.round() as i64 - 18).max(30),
        "temperature_deviation": null,
        "temperature_trend_deviation": hundredths(life.temperature_trend),
    })
}

/// The recommended bedtime. Some days have none.
pub(super) fn sleep_time(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.night(day) else { return Vec::new() };
    let mut noise = person.noise(day, "sleep_time");
    if noise.chance(0.16) {
        return Vec::new();
    }
    let optimal = life.debt < 1.2 && noise.chance(0.7);
    let quarter = |seconds: f64| (seconds / 900.0).round() as i64 * 900;
    let window = optimal.then(|| {
        let start = quarter(-4500.0 + 900.0 * life.season);
        json!({
            "day_tz": life.zone.offset_at(life.bedtime).local_minus_utc(),
            "start_offset": start,
            "end_offset": start + 2700,
        })
    });
    let recommendation = if optimal {
        "follow_optimal_bedtime"
    } else if life.efficiency < 0.82 {
        "improve_efficiency"
    } else {
        "earlier_bedtime"
    };
    let body = json!({
        "id": person.id("sleep_time", day, 0),
        "day": day.to_string(),
        "optimal_bedtime": window,
        "recommendation": recommendation,
        "status": if optimal { "optimal_found" } else { "only_recommended_found" },
    });
    vec![Document::new(day, life.wake, life.wake.plus(30 * 60), &body)]
}
