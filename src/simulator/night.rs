//! The ring's recording of a period in bed: sleep stages, movement, heart rate and HRV.

use super::life::LifeDay;
use super::noise::Noise;
use super::person::Person;
use crate::time::{Day, Instant};

/// Parameters of a period in bed.
pub(super) struct Plan {
    pub start: Instant,
    /// Seconds.
    pub in_bed: i64,
    pub efficiency: f64,
    pub deep: f64,
    pub rem: f64,
    /// Seconds.
    pub latency: f64,
    pub pulse: f64,
    pub hrv: f64,
    /// Heart rate above its minimum at the start.
    pub excitement: f64,
}

/// The recording of a period in bed.
///
/// Stage codes: `1` deep, `2` light, `3` REM, `4` awake. Movement codes: from `1` none to `4`
/// active.
pub(super) struct Recording {
    pub start: Instant,
    pub in_bed: i64,
    /// One code per 30 s. `movement` too.
    pub stages: Vec<u8>,
    pub movement: Vec<u8>,
    /// One value per 300 s. `hrv` too.
    pub pulse: Vec<Option<f64>>,
    pub hrv: Vec<Option<f64>>,
    pub latency: i64,
}

/// Seconds per stage and movement code.
pub(super) const EPOCH: i64 = 30;
/// Seconds per heart rate and HRV value.
pub(super) const SPAN: i64 = 300;
const DEEP: u8 = b'1';
const LIGHT: u8 = b'2';
const REM: u8 = b'3';
const AWAKE: u8 = b'4';

/// Distribution of deep sleep and REM over the cycles of a night.
const DEEP_BY_CYCLE: [f64; 6] = [0.40, 0.29, 0.17, 0.09, 0.04, 0.01];
const REM_BY_CYCLE: [f64; 6] = [0.06, 0.15, 0.21, 0.24, 0.20, 0.14];

impl Person {
    /// The main night that ended on `day`.
    pub fn main_night(&self, day: Day) -> Option<Recording> {
        let life = self.night(day)?;
        Some(Recording::new(
            &Plan::main(life, self.life.day(day.plus(-1))),
            &mut self.noise(day, "night"),
        ))
    }
}

impl Plan {
    /// A short period in bed outside the night.
    pub fn short(life: &LifeDay, start: Instant, in_bed: i64) -> Plan {
        Plan {
            start,
            in_bed,
            efficiency: 0.74,
            deep: 0.08,
            rem: 0.0,
            latency: 300.0,
            pulse: life.pulse + 9.0,
            hrv: life.hrv * 0.7,
            excitement: 2.0,
        }
    }

    fn main(life: &LifeDay, before: Option<&LifeDay>) -> Plan {
        let drinks = before.map_or(0, |before| before.drinks) as f64;
        let load = before.map_or(0.0, |before| before.load);
        Plan {
            start: life.bedtime,
            in_bed: life.wake.seconds() - life.bedtime.seconds(),
            efficiency: life.efficiency,
            deep: life.deep,
            rem: life.rem,
            latency: life.latency,
            pulse: life.pulse,
            hrv: life.hrv,
            excitement: 8.0 + 2.2 * drinks.min(6.0) + 5.0 * (load - 0.5).max(0.0),
        }
    }
}

impl Recording {
    pub fn new(plan: &Plan, noise: &mut Noise) -> Recording {
        let epochs = (plan.in_bed.max(1) as u64).div_ceil(EPOCH as u64) as usize;
        let latency = ((plan.latency / EPOCH as f64).round() as usize).min(epochs / 3);
        let stages = stages(epochs, latency, plan, noise);
        let movement = stages.iter().map(|&stage| movement(stage, noise)).collect();
        let (pulse, hrv) = heart_series(&stages, plan, noise);
        Recording {
            start: plan.start,
            in_bed: plan.in_bed,
            stages,
            movement,
            pulse,
            hrv,
            latency: latency as i64 * EPOCH,
        }
    }

    /// Seconds in one stage.
    fn seconds_in(&self, stage: u8) -> i64 {
        self.stages.iter().filter(|&&s| s == stage).count() as i64 * EPOCH
    }

    pub fn deep(&self) -> i64 {
        self.seconds_in(DEEP)
    }

    pub fn light(&self) -> i64 {
        self.seconds_in(LIGHT)
    }

    pub fn rem(&self) -> i64 {
        self.seconds_in(REM)
    }

    pub fn asleep(&self) -> i64 {
        self.deep() + self.light() + self.rem()
    }

    /// Sleep as a percentage of the time in bed, at least 1.
    pub fn efficiency(&self) -> i64 {
        (self.asleep() * 100 / self.in_bed).max(1)
    }

    /// The most frequent stage of each five minutes.
    pub fn stages_5_min(&self) -> String {
        let most = |epochs: &[u8]| {
            let count = |stage: u8| epochs.iter().filter(|&&s| s == stage).count();
            [LIGHT, DEEP, REM, AWAKE]
                .into_iter()
                .rev()
                .max_by_key(|&stage| count(stage))
                .unwrap_or(AWAKE) as char
        };
        self.stages.chunks((SPAN / EPOCH) as usize).map(most).collect()
    }

    pub fn restless(&self) -> usize {
        self.movement.iter().filter(|&&m| m > b'1').count()
    }
}

/// Generates the stages.
///
/// The person falls asleep, repeats cycles of light, deep, light and REM sleep, and wakes up in
/// between. The efficiency decides how often.
fn stages(epochs: usize, latency: usize, plan: &Plan, noise: &mut Noise) -> Vec<u8> {
    let asleep = ((plan.in_bed as f64 * plan.efficiency / EPOCH as f64) as usize)
        .min(epochs - latency.min(epochs - 1) - 1);
    let cycles = (asleep / 185).clamp(1, 6);
    let share =
        |weights: &[f64; 6], cycle: usize| weights[cycle] / weights[..cycles].iter().sum::<f64>();
    let mut sleep = Vec::with_capacity(asleep);
    for cycle in 0..cycles {
        let length = asleep * (cycle + 1) / cycles - asleep * cycle / cycles;
        let deep =
            ((asleep as f64 * plan.deep * share(&DEEP_BY_CYCLE, cycle) * noise.uniform(0.85, 1.15))
                as usize)
                .min(length * 6 / 10);
        let rem =
            ((asleep as f64 * plan.rem * share(&REM_BY_CYCLE, cycle) * noise.uniform(0.85, 1.15))
                as usize)
                .min(length - deep);
        let light = length - deep - rem;
        let before = (light as f64 * noise.uniform(0.35, 0.6)) as usize;
        for (stage, count) in [(LIGHT, before), (DEEP, deep), (LIGHT, light - before), (REM, rem)] {
            sleep.extend(std::iter::repeat_n(stage, count));
        }
    }

    let mut awake = epochs - latency - sleep.len();
    let mut stages = vec![AWAKE; latency];
    // Awake periods are inserted at random places. The rest of the awake time is in the morning.
    let mut awake_periods = Vec::new();
    while awake > 4 && !sleep.is_empty() {
        let length = (noise.whole(1, 16) as usize).min(awake - 1);
        awake_periods.push((noise.whole(1, sleep.len() as i64) as usize, length));
        awake -= length;
    }
    awake_periods.sort_unstable();
    let mut done = 0;
    for (at, length) in awake_periods {
        stages.extend_from_slice(&sleep[done..at]);
        stages.extend(std::iter::repeat_n(AWAKE, length));
        done = at;
    }
    stages.extend_from_slice(&sleep[done..]);
    stages.extend(std::iter::repeat_n(AWAKE, awake));
    stages
}

fn movement(stage: u8, noise: &mut Noise) -> u8 {
    // Probabilities of no movement, restlessness and tossing. The rest is activity.
    let [still, restless, tossing] = match stage {
        DEEP => [0.97, 0.03, 0.0],
        REM => [0.86, 0.12, 0.02],
        LIGHT => [0.74, 0.22, 0.035],
        _ => [0.3, 0.42, 0.2],
    };
    let draw = noise.uniform(0.0, 1.0);
    b'1' + [still, still + restless, still + restless + tossing]
        .iter()
        .filter(|&&limit| draw >= limit)
        .count() as u8
}

/// Generates heart rate and HRV.
///
/// The heart rate falls to its minimum in the second half of the night, and rises before waking.
/// HRV does the opposite.
fn heart_series(
    stages: &[u8],
    plan: &Plan,
    noise: &mut Noise,
) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
    let spans = (plan.in_bed / SPAN) as usize;
    let gaps = [noise.whole(0, 2) as usize, spans.saturating_sub(noise.whole(1, 2) as usize)];
    let mut wander = 0.0;
    let mut pulse = Vec::with_capacity(spans);
    let mut hrv = Vec::with_capacity(spans);
    for span in 0..spans {
        let at = span as f64 / spans as f64;
        let stage = stages[(span * 10 + 5).min(stages.len() - 1)];
        let (faster, steadier) = match stage {
            DEEP => (0.5, 1.12),
            LIGHT => (1.2, 1.0),
            REM => (3.2, 0.86),
            _ => (6.0, 0.78),
        };
        wander = 0.7 * wander + noise.normal(0.9);
        let settled = (1.0 - at / 0.62).max(0.0).powf(1.3);
        let waking = ((at - 0.85) / 0.15).max(0.0) * 3.0;
        let beats = plan.pulse + plan.excitement * settled + waking + faster + wander.max(-1.5);
        let variability = plan.hrv
            * steadier
            * (1.0 - 0.03 * plan.excitement * settled - 0.05 * wander + noise.normal(0.16))
                .max(0.25);
        let missing = span < gaps[0] || span >= gaps[1] || noise.chance(0.02);
        pulse.push((!missing).then(|| beats.round().clamp(38.0, 120.0)));
        hrv.push((!missing).then(|| variability.round().clamp(5.0, 147.0)));
    }
    (pulse, hrv)
}
