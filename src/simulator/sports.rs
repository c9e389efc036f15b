//! The person's training plan, and the properties of each sport.

use chrono::Datelike;

use super::noise::{Noise, number};
use crate::time::Day;

/// A planned training session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Training {
    pub sport: &'static Sport,
    pub minutes: i64,
    /// Minutes after local midnight.
    pub start: i64,
}

/// A sport, and how it changes the measurements.
#[derive(Debug, PartialEq)]
pub(super) struct Sport {
    pub name: &'static str,
    /// Metabolic equivalents.
    pub met: f64,
    /// Metres per minute. `None` for sports without a distance.
    pub speed: Option<f64>,
    /// Steps per minute.
    pub cadence: f64,
    /// Training load per hour.
    pub strain: f64,
    pub intensity: &'static str,
}

const fn sport(
    name: &'static str,
    met: f64,
    speed: Option<f64>,
    cadence: f64,
    strain: f64,
    intensity: &'static str,
) -> Sport {
    Sport { name, met, speed, cadence, strain, intensity }
}

pub(super) static WALKING: Sport = sport("walking", 3.4, Some(78.0), 104.0, 0.12, "easy");
static RUNNING: Sport = sport("running", 10.2, Some(168.0), 166.0, 0.95, "moderate");
static INTERVALS: Sport = sport("running", 12.4, Some(198.0), 174.0, 1.35, "hard");
static STRENGTH: Sport = sport("strengthTraining", 5.2, None, 14.0, 0.6, "moderate");
static CYCLING: Sport = sport("cycling", 7.8, Some(395.0), 0.0, 0.55, "moderate");
static SKIING: Sport = sport("crossCountrySkiing", 9.4, Some(180.0), 70.0, 0.7, "hard");
static SWIMMING: Sport = sport("swimming", 7.2, Some(38.0), 0.0, 0.7, "moderate");
static YOGA: Sport = sport("yoga", 2.6, None, 2.0, 0.1, "easy");
static HIKING: Sport = sport("hiking", 5.6, Some(66.0), 92.0, 0.32, "moderate");

impl Training {
    /// Returns the training of a day, if any.
    ///
    /// Each weekday has a planned sport. The season and `mood` (around 1) decide the probability.
    /// Every fourth week is easy.
    pub fn planned(day: Day, season: f64, mood: f64, noise: &mut Noise) -> Option<Training> {
        let weekday = day.date().weekday().num_days_from_monday();
        let (sport, chance, minutes) = match weekday {
            0 => (&SWIMMING, 0.3, (35, 55)),
            1 => (&RUNNING, 0.7, (35, 65)),
            2 => (&YOGA, 0.35, (30, 60)),
            3 => (&STRENGTH, 0.65, (40, 70)),
            4 => (&INTERVALS, 0.35, (30, 45)),
            5 if season > 0.1 => (&CYCLING, 0.7, (80, 190)),
            5 if season < -0.75 => (&SKIING, 0.55, (60, 120)),
            5 => (&RUNNING, 0.7, (60, 110)),
            _ => (&HIKING, 0.4, (80, 220)),
        };
        let easy = (number(day) / 7) % 4 == 3;
        if !noise.chance(chance * (mood + 0.2 * season) * if easy { 0.5 } else { 1.0 }) {
            return None;
        }
        let start = match weekday {
            5 | 6 => noise.whole(600, 700),
            _ if noise.chance(0.2) => noise.whole(430, 450),
            _ => noise.whole(1040, 1110),
        };
        Some(Training { sport, minutes: noise.whole(minutes.0, minutes.1), start })
    }
}
