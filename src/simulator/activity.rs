//! Workouts, and `daily_activity` with metabolic equivalents per minute.

use serde_json::json;

use super::dozes::Doze;
use super::life::LifeDay;
use super::person::{Document, Person, WEIGHT, sample, stamp};
use super::sports::{Sport, Training, WALKING};
use crate::time::{Day, Instant};

/// A workout, or a walk that the ring detected.
pub(super) struct Workout {
    pub sport: &'static Sport,
    pub start: Instant,
    pub minutes: i64,
    /// Relative intensity, around 1.
    pub effort: f64,
    is_detected: bool,
}

impl Workout {
    pub fn end(&self) -> Instant {
        self.start.plus(self.minutes * 60)
    }

    fn calories(&self) -> f64 {
        (self.sport.met * self.effort - 1.0) * WEIGHT / 60.0 * self.minutes as f64
    }
}

/// Ranges of minutes after midnight in which walks may start.
const WALKS: [(i64, i64); 4] = [(475, 500), (745, 790), (905, 960), (1195, 1260)];

impl Person {
    /// Workouts and walks of a day, sorted by start. They do not overlap.
    pub fn workouts(&self, life: &LifeDay) -> Vec<Workout> {
        let mut noise = self.noise(life.day, "workouts");
        let bed = self.awake_until(life);
        let training = life.training.map(|Training { sport, minutes, start }| {
            let effort = noise.uniform(0.92, 1.08);
            Workout { sport, start: life.at(start), minutes, effort, is_detected: false }
        });
        let mut walks = Vec::new();
        for (earliest, latest) in WALKS {
            let start = life.at(noise.whole(earliest, latest));
            let minutes =
                if noise.chance(0.15) { noise.whole(26, 60) } else { noise.whole(10, 25) };
            let effort = noise.uniform(0.85, 1.2);
            if noise.chance(if life.fever > 0.3 { 0.08 } else { 0.5 + 0.14 * life.season }) {
                walks.push(Workout { sport: &WALKING, start, minutes, effort, is_detected: true });
            }
        }
        if let Some(training) = &training {
            walks.retain(|walk| {
                walk.end().plus(600) < training.start || walk.start > training.end().plus(600)
            });
        }
        let mut workouts: Vec<Workout> = training.into_iter().chain(walks).collect();
        workouts.retain(|workout| {
            workout.start > life.wake.plus(600) && workout.end().plus(1800) < bed
        });
        let dozes = self.dozes(life);
        let clear = |workout: &Workout| {
            dozes
                .iter()
                .all(|doze| workout.end() <= doze.span().start || doze.span().end <= workout.start)
        };
        workouts.retain(clear);
        workouts.sort_by_key(|workout| workout.start);
        workouts
    }

    /// When the person goes to bed at the end of the day.
    pub fn awake_until(&self, life: &LifeDay) -> Instant {
        self.life
            .day(life.day.plus(1))
            .map_or(life.wake.plus(16 * 3600), |next| next.bedtime)
            .max(life.wake)
    }

    /// When the ring is charged this evening.
    pub fn charging(&self, life: &LifeDay) -> Option<std::ops::Range<Instant>> {
        let start = life.at(1215 + self.noise(life.day, "charging").whole(0, 40));
        (life.charges
            && life.worn
            && start > life.wake
            && start.plus(4800) < self.awake_until(life))
        .then(|| start..start.plus(4800))
    }
}

pub(super) fn workout(person: &Person, day: Day, _: Instant) -> Vec<Document> {
    let Some(life) = person.day(day).filter(|life| life.worn) else { return Vec::new() };
    let mut noise = person.noise(day, "workout");
    let describe = |(ordinal, workout): (usize, Workout)| {
        let metres = workout.sport.speed.map(|speed| {
            speed * workout.effort * workout.minutes as f64 * noise.uniform(0.95, 1.05)
        });
        let tracked = !workout.is_detected || noise.chance(0.5);
        let is_brisk_walk = workout.is_detected && workout.effort > 1.1;
        let intensity = if is_brisk_walk { "moderate" } else { workout.sport.intensity };
        let confirmed = if noise.chance(0.7) { "confirmed" } else { "autodetected" };
        let body = json!({
            "id": person.id("workout", day, ordinal),
            "activity": workout.sport.name,
            "calories": (workout.calories() * 1000.0).round() / 1000.0,
            "day": day.to_string(),
            "distance": metres.filter(|_| tracked),
            "start_datetime": stamp(workout.start, life.zone),
            "end_datetime": stamp(workout.end(), life.zone),
            "intensity": intensity,
            "label": (!workout.is_detected && noise.chance(0.1)).then_some("with friends"),
            "source": if workout.is_detected { confirmed } else { "workout_heart_rate" },
        });
        let mut document = Document::new(day, workout.start, workout.end().plus(20 * 60), &body);
        // Sometimes the person deletes a detected walk.
        document.until =
            (workout.is_detected && noise.chance(0.03)).then(|| workout.end().plus(30 * 3600));
        document
    };
    person.workouts(life).into_iter().enumerate().map(describe).collect()
}

/// Activity class of a minute, in the order of the codes in `class_5_min`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    NonWear,
    Rest,
    Inactive,
    Low,
    Medium,
    High,
}

const MINUTES: i64 = 1440;
/// Start of an activity day: 04:00 local time, in minutes.
const DAY_START: i64 = 240;

/// The activity of `day` up to `now`.
pub(super) fn daily_activity(person: &Person, day: Day, now: Instant) -> Vec<Document> {
    let Some(life) = person.day(day) else { return Vec::new() };
    // Oura has a document for the first day without the ring, but not for later ones.
    if !life.worn && !person.life.day(day.plus(-1)).is_some_and(|before| before.worn) {
        return Vec::new();
    }
    let start = life.at(DAY_START);
    let minutes = ((now.seconds() - start.seconds()).div_euclid(60)).clamp(0, MINUTES);
    let (met, classes, steps) = by_minute(person, life, minutes);
    let seconds = |class: Class| classes.iter().filter(|&&c| c == class).count() as i64 * 60;
    let met_minutes = |class: Class, above: f64| {
        let excess = met
            .iter()
            .zip(&classes)
            .filter(|(_, c)| **c == class)
            .map(|(met, _)| (met - above).max(0.0))
            .sum::<f64>();
        excess.round() as i64
    };
    let active = met
        .iter()
        .filter(|&&met| met >= 1.5)
        .map(|met| (met - 1.0) * WEIGHT / 60.0 * 0.62)
        .sum::<f64>()
        .round() as i64;
    let basal = (1740.0 * minutes as f64 / MINUTES as f64).round() as i64;
    let mean = met.iter().sum::<f64>() / met.len().max(1) as f64;
    let target = (person.readiness(life).score / 10.0).round() as i64 * 50;
    let walked = active * 16;
    let score = life
        .worn
        .then(|| person.score_at(activity_score(life, active, target), day, "activity", now));
    let class_5_min: String =
        classes.chunks(5).map(|five| char::from(b'0' + most_frequent(five) as u8)).collect();
    let met_items: Vec<_> = met.iter().map(|&met| Some(met)).collect();
    let body = json!({
        "id": person.id("daily_activity", day, 0),
        "day": day.to_string(),
        "timestamp": stamp(start, life.zone),
        "score": score,
        "contributors": contributors(person, life, active, target),
        "class_5_min": class_5_min,
        "met": sample(60.0, &met_items, start, life.zone),
        "average_met_minutes": (mean * 32.0).round() / 32.0,
        "steps": steps,
        "active_calories": active,
        "total_calories": basal + active,
        "target_calories": target,
        "equivalent_walking_distance": walked,
        "target_meters": target * 18,
        "meters_to_target": target * 18 - walked,
        "high_activity_time": seconds(Class::High),
        "medium_activity_time": seconds(Class::Medium),
        "low_activity_time": seconds(Class::Low),
        "sedentary_time": seconds(Class::Inactive),
        "resting_time": seconds(Class::Rest),
        "non_wear_time": seconds(Class::NonWear),
        "high_activity_met_minutes": met_minutes(Class::High, 0.0),
        "medium_activity_met_minutes": met_minutes(Class::Medium, 0.0),
        "low_activity_met_minutes": met_minutes(Class::Low, 1.0),
        "sedentary_met_minutes": met_minutes(Class::Inactive, 1.3),
        "inactivity_alerts": (6.0 * (life.stress - 0.3)).max(0.0).round() as i64,
    });
    vec![Document::new(day, start, start.plus(900), &body)]
}

/// The most frequent class.
fn most_frequent(five: &[Class]) -> Class {
    let count = |class: &Class| five.iter().filter(|c| *c == class).count();
    five.iter().copied().max_by_key(|class| (count(class), *class)).unwrap_or(Class::NonWear)
}

/// Metabolic equivalents (one decimal) and class of each minute since 04:00, and the number of
/// steps.
fn by_minute(person: &Person, life: &LifeDay, minutes: i64) -> (Vec<f64>, Vec<Class>, i64) {
    let mut noise = person.noise(life.day, "minutes");
    let workouts = person.workouts(life);
    let dozes: Vec<_> = person.dozes(life).iter().map(Doze::span).collect();
    let bed = person.awake_until(life);
    let charging = person.charging(life);
    let start = life.at(DAY_START);
    let mut met = Vec::new();
    let mut classes = Vec::new();
    let mut steps = 0.0;
    // Movement clusters in time. Free days and summer have more of it, fever has less.
    let lazy = 0.45 - if life.free { 0.2 } else { 0.0 } - 0.08 * life.season + 1.2 * life.fever;
    let mut bustle = 0.0_f64;
    for minute in 0..minutes {
        let at = start.plus(minute * 60);
        let workout = workouts.iter().find(|workout| workout.start <= at && at < workout.end());
        bustle = 0.9 * bustle + noise.normal(0.42);
        let still = 1.22 + 0.08 * bustle.abs();
        let (value, class) =
            if !life.worn || charging.as_ref().is_some_and(|charging| charging.contains(&at)) {
                (0.1, Class::NonWear)
            } else if at < life.wake || at >= bed || dozes.iter().any(|doze| doze.contains(&at)) {
                (0.9, Class::Rest)
            } else if let Some(workout) = workout {
                steps += workout.sport.cadence * noise.uniform(0.93, 1.04);
                let value = workout.sport.met * workout.effort * noise.uniform(0.88, 1.1);
                (value, if value >= 6.0 { Class::High } else { Class::Medium })
            } else if bustle > lazy {
                let value = 1.6 + 0.85 * (bustle - 0.2).max(0.0) * noise.uniform(0.7, 1.5);
                steps += 16.0 * (value - 1.3);
                (value, if value >= 3.2 { Class::Medium } else { Class::Low })
            } else {
                (still, Class::Inactive)
            };
        met.push((value * 10.0).round() / 10.0);
        classes.push(class);
    }
    (met, classes, steps as i64)
}

fn activity_score(life: &LifeDay, active: i64, target: i64) -> f64 {
    let done = active as f64 / target.max(1) as f64;
    51.0 + 30.0 * done.min(1.15) + 22.0 * (life.fitness - 0.15).clamp(0.0, 0.4)
        - 8.0 * life.stress
        - 10.0 * life.fever
}

fn contributors(person: &Person, life: &LifeDay, active: i64, target: i64) -> serde_json::Value {
    if !life.worn {
        return json!({
            "meet_daily_targets": null, "move_every_hour": null, "recovery_time": null,
            "stay_active": null, "training_frequency": null, "training_volume": null,
        });
    }
    let mut noise = person.noise(life.day, "activity contributors");
    let mut score = |value: f64| (value + noise.normal(2.0)).round().clamp(1.0, 100.0) as i64;
    json!({
        "meet_daily_targets": score(40.0 + 60.0 * (active as f64 / target.max(1) as f64).min(1.1)),
        "move_every_hour": score(104.0 - 40.0 * life.stress),
        "recovery_time": score(100.0 - 120.0 * (life.fatigue - life.fitness - 0.08).max(0.0)),
        "stay_active": score(88.0 - 38.0 * life.stress),
        "training_frequency": score(60.0 + 110.0 * life.fatigue),
        "training_volume": score(55.0 + 130.0 * life.fitness),
    })
}
