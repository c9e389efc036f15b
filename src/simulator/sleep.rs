//! `sleep`: one document for each stretch in bed, the false ones included; `sleep_time`.
//!
//! Oura's sleep day runs from 18:00 to 18:00: what an evening holds before the night belongs to the next morning's day.

use serde_json::{Value, json};

use super::life::{LifeDay, offset};
use super::night::{Plan, Recording};
use super::noise::Noise;
use super::person::{Document, Person, sample, stamp};
use super::scores::cents;
use crate::time::{Day, Instant};

/// A stretch in bed on its way to a document.
struct Stretch {
    recording: Recording,
    kind: Kind,
    /// As `type` says it.
    label: &'static str,
    reason: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Main,
    Nap,
    /// Lying still, taken for sleep: no heart rate, sentinels instead of figures.
    False,
}

/// The documents of `day` as they stand at `now`, by bedtime.
pub(super) fn sleep(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let (Some(life), Some(evening)) = (person.day(day), person.life.day(day.plus(-1))) else {
        return Vec::new();
    };
    let dozes = [evening, life]
        .into_iter()
        .flat_map(|life| person.dozes(life))
        .filter(|doze| doze.of == day);
    let dozes = dozes.map(|doze| Stretch {
        recording: Recording::new(
            &doze.plan,
            &mut person.noise(doze.plan.start.day(evening.zone), doze.label),
        ),
        kind: Kind::Nap,
        label: doze.label,
        reason: "foreground_sleep_analysis",
    });
    let nights =
        [false_start(person, evening, life, now), main(person, day, now)].into_iter().flatten();
    let mut stretches: Vec<Stretch> = dozes.chain(nights).collect();
    stretches.sort_by_key(|stretch| stretch.recording.start);
    let documents = stretches.iter().enumerate();
    documents.map(|(period, stretch)| document(person, life, period, stretch, now)).collect()
}

fn main(person: &Person, day: Day, now: Instant) -> Option<Stretch> {
    let mut recording = person.main_night(day)?;
    let mut noise = person.noise(day, "bedtime edit");
    let edited = noise.chance(0.07);
    if edited && person.age(day, now) < 1 {
        // As the ring took it: the person read on in bed, and says so tomorrow.
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
    Some(Stretch { recording, kind: Kind::Main, label: "long_sleep", reason })
}

/// An hour on the sofa before bed, on the evening before `life`'s day.
fn false_start(
    person: &Person,
    evening: &LifeDay,
    life: &LifeDay,
    now: Instant,
) -> Option<Stretch> {
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
    let asked = person.age(life.day, now) >= 1;
    let label = match noise.whole(0, 19) {
        0 if asked => "deleted",
        1 if asked => "rest",
        _ => "sleep",
    };
    let plan = Plan { efficiency: noise.uniform(0.03, 0.3), ..Plan::short(life, start, in_bed) };
    Some(Stretch {
        recording: Recording::new(&plan, &mut noise),
        kind: Kind::False,
        label,
        reason: "foreground_sleep_analysis",
    })
}

fn document(
    person: &Person,
    life: &LifeDay,
    period: usize,
    stretch: &Stretch,
    now: Instant,
) -> Document {
    let Stretch { recording, kind, label, reason } = stretch;
    let (zone, start, end) = (life.zone, recording.start, recording.start.plus(recording.in_bed));
    // Stretches come and go with what the person says of them: the identifier hangs on the bedtime, not on the period.
    let ordinal = (start.seconds() / 60).rem_euclid(977) as usize;
    let mut noise = person.noise(life.day, label);
    let felt = *kind != Kind::False;
    let mean = |items: &[Option<f64>]| {
        let known: Vec<f64> = items.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let eighths = |value: f64| (value * 8.0).round() / 8.0;
    let pulse = mean(&recording.pulse).map(|mean| eighths(mean - 0.2));
    let lowest = recording.pulse.iter().flatten().fold(255.0_f64, |low, &bpm| low.min(bpm));
    let text = |codes: &[u8]| codes.iter().map(|&code| code as char).collect::<String>();
    let written =
        Written::new(recording, &mut person.noise(life.day, &format!("lengths {ordinal}")));
    // How much a stretch added to the day's scores.
    let delta = |noise: &mut Noise| match kind {
        Kind::Main => Some(0),
        Kind::Nap => Some(noise.whole(0, 6)),
        Kind::False => None,
    };
    let body = json!({
        "id": person.id("sleep", life.day, ordinal),
        "day": life.day.to_string(),
        "bedtime_start": stamp(start, zone),
        "bedtime_end": stamp(end, zone),
        "type": label,
        "period": period,
        "average_breath": eighths(life.breath + if felt { 0.0 } else { noise.uniform(0.5, 5.0) }),
        "average_heart_rate": if felt { pulse } else { Some(eighths(life.pulse + noise.uniform(12.0, 24.0))) },
        "average_hrv": if felt { mean(&recording.hrv).map(|mean| mean.round() as i64) } else { None },
        "lowest_heart_rate": if felt { lowest as i64 - i64::from(lowest < 255.0) } else { 255 },
        "heart_rate": felt.then(|| sample(300.0, &written.pulse, start, zone)),
        "hrv": felt.then(|| sample(300.0, &written.hrv, start, zone)),
        "deep_sleep_duration": recording.deep(),
        "light_sleep_duration": recording.light(),
        "rem_sleep_duration": recording.rem(),
        "total_sleep_duration": recording.asleep(),
        "awake_time": recording.in_bed - recording.asleep(),
        "time_in_bed": recording.in_bed,
        "efficiency": recording.efficiency(),
        "latency": if felt { recording.latency } else { 0 },
        "restless_periods": if felt { recording.restless() } else { recording.restless() / 8 },
        "low_battery_alert": life.battery < 15.0,
        "movement_30_sec": text(&written.movement),
        "sleep_phase_30_sec": text(&recording.stages),
        "sleep_phase_5_min": written.stages,
        "app_sleep_phase_5_min": written.stages,
        "sleep_algorithm_version": "v2",
        "sleep_analysis_reason": reason,
        "readiness": readiness(person, life, *kind, now),
        "readiness_score_delta": delta(&mut noise),
        "sleep_score_delta": delta(&mut noise),
        "ring_id": null,
    });
    Document::new(life.day, start, end.plus(25 * 60), &body)
}

/// The series of a recording as Oura writes them: not all as long as the time in bed says, for which nobody knows a reason.
struct Written {
    movement: Vec<u8>,
    stages: String,
    pulse: Vec<Option<f64>>,
    hrv: Vec<Option<f64>>,
}

impl Written {
    /// How often lengths differ is what a real account showed: movement has one too few in half of the nights, or one too many; the
    /// stages have one too few now and then; heart rate and HRV have an item for a last, incomplete span in a third, both or neither.
    fn new(recording: &Recording, noise: &mut Noise) -> Written {
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
        let (mut pulse, mut hrv) = (recording.pulse.clone(), recording.hrv.clone());
        if pulse.len() < stages.len() && noise.chance(0.33) {
            pulse.push(None);
            hrv.push(None);
        }
        Written { movement, stages, pulse, hrv }
    }
}

/// The readiness inside a sleep document: complete in the main sleep, with zeros for what a short one cannot know.
fn readiness(person: &Person, life: &LifeDay, kind: Kind, now: Instant) -> Value {
    let mut score = person.readiness(life);
    if kind == Kind::Main {
        return json!({
            "contributors": score.contributors(),
            "score": person.settling(score.score, life.day, "readiness", now),
            "temperature_deviation": cents(life.temperature),
            "temperature_trend_deviation": cents(life.temperature_trend),
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
        "temperature_trend_deviation": cents(life.temperature_trend),
    })
}

/// When to go to bed; on some days Oura says nothing.
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
        json!({ "day_tz": offset(life.bedtime, life.zone), "start_offset": start, "end_offset": start + 2700 })
    });
    let body = json!({
        "id": person.id("sleep_time", day, 0),
        "day": day.to_string(),
        "optimal_bedtime": window,
        "recommendation": match optimal {
            true => "follow_optimal_bedtime",
            false if life.efficiency < 0.82 => "improve_efficiency",
            false => "earlier_bedtime",
        },
        "status": if optimal { "optimal_found" } else { "only_recommended_found" },
    });
    vec![Document::new(day, life.wake, life.wake.plus(30 * 60), &body)]
}
