//! Daily summaries except activity: readiness, sleep, stress, resilience, SpO₂, cardiovascular age
//! and VO₂ max.

use serde_json::json;

use super::noise::number;
use super::person::{Document, Person};
use super::scores::hundredths;
use crate::time::{Day, Instant};

/// Seconds from waking until the app has the night's results.
const AFTER_WAKING: i64 = 30 * 60;

pub(super) fn daily_readiness(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let Some(life) = person.night(day) else { return Vec::new() };
    let readiness = person.readiness(life);
    let body = json!({
        "id": person.id("daily_readiness", day, 0),
        "day": day.to_string(),
        "timestamp": format!("{day}T00:00:00+00:00"),
        "score": person.score_at(readiness.score, day, "readiness", now),
        "contributors": readiness.contributors(),
        "temperature_deviation": hundredths(life.temperature),
        "temperature_trend_deviation": hundredths(life.temperature_trend),
    });
    vec![Document::new(day, life.wake, life.wake.plus(AFTER_WAKING), &body)]
}

pub(super) fn daily_sleep(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let Some(life) = person.night(day) else { return Vec::new() };
    let sleep = person.sleep_score(life);
    let body = json!({
        "id": person.id("daily_sleep", day, 0),
        "day": day.to_string(),
        "timestamp": format!("{day}T00:00:00+00:00"),
        "score": person.score_at(sleep.score, day, "sleep", now),
        "contributors": sleep.contributors(),
    });
    vec![Document::new(day, life.wake, life.wake.plus(AFTER_WAKING), &body)]
}

/// Seconds of high stress and recovery in steps of 15 minutes. Today's values grow during the day.
pub(super) fn daily_stress(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let Some(life) = person.day(day).filter(|life| life.worn) else { return Vec::new() };
    let mut noise = person.noise(day, "daily_stress");
    let passed = ((now.seconds() - life.wake.seconds()) as f64 / (15.0 * 3600.0)).clamp(0.0, 1.0);
    let quarters = |seconds: f64| ((seconds * passed / 900.0).max(0.0) as i64) * 900;
    let high = quarters(1800.0 + 15_000.0 * (life.stress - 0.28) + noise.normal(1300.0));
    let recovery = quarters(9500.0 - 9000.0 * (life.stress - 0.25) + noise.normal(1500.0));
    let summary = match life.stress {
        _ if passed < 0.6 || noise.chance(0.03) => None,
        calm if calm < 0.24 => Some("restored"),
        high if high > 0.62 => Some("stressful"),
        _ => Some("normal"),
    };
    let body = json!({
        "id": person.id("daily_stress", day, 0),
        "day": day.to_string(),
        "stress_high": high,
        "recovery_high": recovery,
        "day_summary": summary,
    });
    vec![Document::new(day, life.wake, life.wake.plus(3600), &body)]
}

pub(super) fn daily_resilience(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.night(day).filter(|_| person.first_day.until(day) >= 14) else {
        return Vec::new();
    };
    let mut noise = person.noise(day, "daily_resilience");
    // An average over two weeks keeps the level stable.
    let fortnight: Vec<_> = (0..14).filter_map(|back| person.life.day(day.plus(-back))).collect();
    let mean = |figure: fn(&super::life::LifeDay) -> f64| {
        fortnight.iter().map(|life| figure(life)).sum::<f64>() / fortnight.len() as f64
    };
    let tenths = |value: f64| (value.clamp(0.0, 100.0) * 10.0).round() / 10.0;
    let sleep = 68.0 - 9.0 * mean(|life| life.debt.max(0.0)) - 22.0 * mean(|life| life.fever)
        + noise.normal(0.5);
    let daytime = 74.0 - 62.0 * mean(|life| life.stress) + noise.normal(0.5);
    let stress =
        70.0 - 55.0 * mean(|life| life.stress) - 12.0 * mean(|life| (life.load - 0.5).max(0.0))
            + noise.normal(0.5);
    let level = match (sleep + daytime + stress) / 3.0 {
        low if low < 32.0 => "limited",
        low if low < 44.0 => "adequate",
        middle if middle < 54.0 => "solid",
        high if high < 66.0 => "strong",
        _ => "exceptional",
    };
    let body = json!({
        "id": person.id("daily_resilience", day, 0),
        "day": day.to_string(),
        "level": level,
        "contributors": {
            "sleep_recovery": tenths(sleep),
            "daytime_recovery": tenths(daytime),
            "stress": tenths(stress),
        },
    });
    vec![Document::new(day, life.wake, life.wake.plus(AFTER_WAKING), &body)]
}

/// In some documents the average is null, or the whole object is null.
pub(super) fn daily_spo2(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.night(day) else { return Vec::new() };
    let mut noise = person.noise(day, "daily_spo2");
    let average = 97.3 - 0.9 * life.fever - 0.12 * life.drinks as f64 + noise.normal(0.45);
    let average = (average.min(99.6) * 1000.0).round() / 1000.0;
    let disturbance = (7.0 + 1.5 * life.drinks as f64 + 5.0 * life.fever + noise.normal(2.5))
        .round()
        .clamp(0.0, 60.0) as i64;
    let (percentage, disturbance) = match noise.whole(0, 24) {
        0 => (json!(null), None),
        1 => (json!({ "average": null }), None),
        _ => (json!({ "average": average }), Some(disturbance)),
    };
    let body = json!({
        "id": person.id("daily_spo2", day, 0),
        "day": day.to_string(),
        "spo2_percentage": percentage,
        "breathing_disturbance_index": disturbance,
    });
    vec![Document::new(day, life.wake, life.wake.plus(AFTER_WAKING), &body)]
}

/// The only collection with documents without `id`.
pub(super) fn daily_cardiovascular_age(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.night(day).filter(|_| person.first_day.until(day) >= 14) else {
        return Vec::new();
    };
    let mut noise = person.noise(day, "daily_cardiovascular_age");
    let age =
        37.5 - 9.0 * (life.fitness - 0.3) + 0.25 * (life.pulse_usual - 55.0) + noise.normal(0.6);
    let body = json!({
        "day": day.to_string(),
        "vascular_age": age.round() as i64,
        "pulse_wave_velocity": hundredths(4.1 + 0.085 * age + noise.normal(0.05)),
    });
    vec![Document::new(day, life.wake, life.wake.plus(AFTER_WAKING), &body)]
}

/// Estimated after some runs.
pub(super) fn vo2_max(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day).filter(|life| life.worn) else { return Vec::new() };
    let Some(training) = life
        .training
        .filter(|training| training.sport.name == "running" && number(day).is_multiple_of(3))
    else {
        return Vec::new();
    };
    let at = life.at(training.start + training.minutes + 10);
    let value = 46.0 + 22.0 * (life.fitness - 0.3) + person.noise(day, "vo2_max").normal(0.5);
    let body = json!({
        "id": person.id("vO2_max", day, 0),
        "day": day.to_string(),
        "timestamp": at.to_string(),
        "vo2_max": value.round() as i64,
    });
    vec![Document::new(day, at, at.plus(1200), &body)]
}
