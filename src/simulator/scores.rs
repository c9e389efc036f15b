//! Readiness and sleep scores.
//!
//! The day's measurements determine contributors from 1 to 100. The score is their weighted mean.

use serde_json::{Map, Value, json};

use super::life::LifeDay;
use super::person::Person;

/// A score and its contributors by name.
pub(super) struct Score {
    pub score: f64,
    contributors: Vec<(&'static str, f64)>,
}

impl Score {
    /// The weighted mean of contributors. `parts` are (name, weight, value).
    fn of(parts: &[(&'static str, f64, f64)]) -> Score {
        let bounded = |value: f64| value.round().clamp(1.0, 100.0);
        let weights: f64 = parts.iter().map(|(_, weight, _)| weight).sum();
        let score =
            parts.iter().map(|(_, weight, value)| weight * bounded(*value)).sum::<f64>() / weights;
        Score {
            score,
            contributors: parts.iter().map(|&(name, _, value)| (name, bounded(value))).collect(),
        }
    }

    /// The contributors as a JSON object.
    pub fn contributors(&self) -> Value {
        self.contributors
            .iter()
            .map(|&(name, value)| (name.to_owned(), json!(value as i64)))
            .collect::<Map<_, _>>()
            .into()
    }

    /// Replaces the value of a contributor. The score does not change.
    pub fn set(&mut self, name: &str, value: f64) {
        for contributor in self.contributors.iter_mut().filter(|(n, _)| *n == name) {
            contributor.1 = value;
        }
    }
}

impl Person {
    /// The readiness on the morning of a day.
    pub fn readiness(&self, life: &LifeDay) -> Score {
        let mut noise = self.noise(life.day, "readiness");
        let before = self.life.day(life.day.plus(-1));
        let load = before.map_or(0.3, |before| before.load);
        let drinks = before.map_or(0, |before| before.drinks) as f64;
        let balance = (life.hrv_week / life.hrv_usual).ln();
        let tonight = (life.hrv / life.hrv_usual).ln();
        let mut near = |value: f64| value + noise.normal(5.0);
        Score::of(&[
            (
                "activity_balance",
                1.0,
                near(88.0 - 70.0 * (life.fatigue - life.fitness - 0.05).max(0.0)),
            ),
            ("body_temperature", 1.4, near(98.0 - 66.0 * (life.temperature.abs() - 0.08).max(0.0))),
            ("hrv_balance", 1.4, near(76.0 + 110.0 * balance + 45.0 * tonight)),
            ("previous_day_activity", 1.3, near(90.0 - 80.0 * (load - 0.45).max(0.0))),
            ("previous_night", 1.2, near(self.sleep_score(life).score + 2.0)),
            (
                "recovery_index",
                1.0,
                near(
                    84.0 - 13.0 * drinks.min(5.0)
                        - 28.0 * (load - 0.55).max(0.0)
                        - 30.0 * life.fever,
                ),
            ),
            ("resting_heart_rate", 1.4, near(84.0 - 5.5 * (life.pulse - life.pulse_usual))),
            ("sleep_balance", 1.0, near(90.0 - 8.0 * life.debt.max(0.0))),
            ("sleep_regularity", 0.6, near(if life.free { 76.0 } else { 88.0 })),
        ])
    }

    /// The score of the night that ended on a day.
    pub fn sleep_score(&self, life: &LifeDay) -> Score {
        let mut noise = self.noise(life.day, "daily_sleep");
        let hours =
            (life.wake.seconds() - life.bedtime.seconds()) as f64 / 3600.0 * life.efficiency;
        let middle = (life.bedtime.seconds() + life.wake.seconds()) / 2
            - life.day.midnight(life.zone).seconds();
        let mut near = |value: f64| value + noise.normal(4.0);
        Score::of(&[
            ("deep_sleep", 1.2, near(30.0 + 50.0 * (hours * life.deep / 1.1).min(1.35))),
            ("efficiency", 1.0, near(100.0 - 260.0 * (0.92 - life.efficiency).max(0.0))),
            ("latency", 0.6, near(96.0 - (life.latency - 900.0).abs() / 22.0)),
            ("rem_sleep", 1.2, near(22.0 + 60.0 * (hours * life.rem / 1.55).min(1.25))),
            ("restfulness", 0.9, near(80.0 - 260.0 * (0.9 - life.efficiency).max(0.0))),
            ("timing", 0.7, near(98.0 - ((middle - 3 * 3600) as f64).abs() / 150.0)),
            ("total_sleep", 2.6, near(94.0 - 18.0 * (7.5 - hours).max(0.0))),
        ])
    }
}

/// Rounds to hundredths.
pub(super) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
