//! The person's life day by day: location, sleep, training, alcohol and illness, with their effects
//! on the body.
//!
//! All documents are derived from these days, so they are consistent with each other. The life
//! always starts on the same calendar day, so a day does not depend on when the ring was set up.

use chrono::Datelike;

use super::itinerary::{holiday, residence, trip};
use super::noise::Noise;
use super::sports::Training;
use crate::time::{Day, Instant, Tz};

/// One day of the life. Body measurements are from the night that ended this morning.
#[derive(Clone, Debug)]
pub(super) struct LifeDay {
    pub day: Day,
    pub zone: Tz,
    /// From −1 in midwinter to 1 in midsummer.
    pub season: f64,
    /// Whether the person does not work: weekends, holidays and trips.
    pub free: bool,
    /// Whether the ring was worn during the day.
    pub worn: bool,
    /// Whether the ring was worn in the night before.
    pub night_worn: bool,

    pub bedtime: Instant,
    pub wake: Instant,
    /// Share of the time in bed spent asleep. `deep` and `rem` are shares of the sleep.
    pub efficiency: f64,
    pub deep: f64,
    pub rem: f64,
    /// Seconds until the person falls asleep.
    pub latency: f64,
    /// Hours of sleep missing from recent nights.
    pub debt: f64,

    /// RMSSD in ms: the night's mean, and its short and long moving averages.
    pub hrv: f64,
    pub hrv_week: f64,
    pub hrv_usual: f64,
    /// Lowest heart rate of the night, and its long moving average.
    pub pulse: f64,
    pub pulse_usual: f64,
    /// Deviation of the skin temperature in °C, and its moving average.
    pub temperature: f64,
    pub temperature_trend: f64,
    pub breath: f64,
    /// Fever in °C. 0 when healthy.
    pub fever: f64,

    pub training: Option<Training>,
    /// Training load: 0 for none, about 1.3 for a race. `fatigue` is its average over a week,
    /// `fitness` over six weeks.
    pub load: f64,
    pub fatigue: f64,
    pub fitness: f64,
    /// From 0 (calm) to 1.
    pub stress: f64,
    /// Number of alcoholic drinks in the evening.
    pub drinks: i64,
    /// Battery level of the ring in the morning in percent. `charges`: whether it is charged
    /// tonight.
    pub battery: f64,
    pub charges: bool,
}

/// All days of a person.
pub(super) struct Life {
    days: Vec<LifeDay>,
}

/// The first day of every life. Random draws without a day use it too.
pub(super) fn beginning() -> Day {
    Day::new(2010, 1, 1).expect("the date exists")
}

/// Number of days in a life: until the end of 2045.
const DAYS: i64 = 36 * 365 + 9;

impl Life {
    /// Generates the life of `seed`.
    pub fn new(seed: u64) -> Life {
        let first = beginning();
        let mut state = State::new(seed, first);
        Life { days: first.through(first.plus(DAYS - 1)).map(|day| state.next_day(day)).collect() }
    }

    /// The day, or `None` outside the life.
    pub fn day(&self, day: Day) -> Option<&LifeDay> {
        let index = usize::try_from(self.days[0].day.until(day)).ok()?;
        self.days.get(index)
    }

    /// The person's time zone on `day`.
    pub fn zone(&self, day: Day) -> Tz {
        self.day(day).map_or(Tz::UTC, |life| life.zone)
    }

    /// The person's local calendar day at `now`.
    pub fn today(&self, now: Instant) -> Day {
        now.day(self.zone(now.day(Tz::UTC)))
    }
}

impl LifeDay {
    /// The instant when local time is `minutes` after midnight.
    pub fn at(&self, minutes: i64) -> Instant {
        let midnight = self.day.midnight(self.zone);
        let at = midnight.plus(minutes * 60);
        // Corrects for a change of the clocks since midnight.
        let offset = |at| i64::from(self.zone.offset_at(at).local_minus_utc());
        at.plus(offset(midnight) - offset(at))
    }
}

/// State that one day passes to the next.
struct State {
    seed: u64,
    previous: LifeDay,
    /// Slow random walks of the body's baseline, the workload and the motivation for sport. Each is
    /// about −1 to 1.
    drift: f64,
    workload: f64,
    appetite: f64,
    /// Hours by which the body clock is behind local time.
    jetlag: f64,
    illness: Option<Illness>,
    /// Days since the last illness.
    well_for: i64,
    /// Number of days until the ring is worn again.
    unworn_days: i64,
}

struct Illness {
    day: i64,
    length: i64,
    peak: f64,
}

impl State {
    fn new(seed: u64, first: Day) -> State {
        let zone = residence(seed, first);
        let midnight = first.midnight(zone);
        let previous = LifeDay {
            day: first.plus(-1),
            zone,
            season: -1.0,
            free: false,
            worn: true,
            night_worn: true,
            bedtime: midnight.plus(-25 * 3600),
            wake: midnight.plus(-17 * 3600),
            efficiency: 0.88,
            deep: 0.17,
            rem: 0.21,
            latency: 600.0,
            debt: 0.0,
            hrv: 42.0,
            hrv_week: 42.0,
            hrv_usual: 42.0,
            pulse: 56.0,
            pulse_usual: 56.0,
            temperature: 0.0,
            temperature_trend: 0.0,
            breath: 14.9,
            fever: 0.0,
            training: None,
            load: 0.3,
            fatigue: 0.3,
            fitness: 0.3,
            stress: 0.4,
            drinks: 0,
            battery: 90.0,
            charges: false,
        };
        State {
            seed,
            previous,
            drift: 0.0,
            workload: 0.0,
            appetite: 0.0,
            jetlag: 0.0,
            illness: None,
            well_for: 100,
            unworn_days: 0,
        }
    }

    /// Generates the next day.
    fn next_day(&mut self, day: Day) -> LifeDay {
        let mut noise = Noise::new(self.seed, day, "life");
        let before = self.previous.clone();
        let abroad = trip(self.seed, day);
        let zone = abroad.unwrap_or_else(|| residence(self.seed, day));
        let season =
            -((f64::from(day.date().ordinal()) + 10.0) / 365.25 * std::f64::consts::TAU).cos();
        let weekday = day.date().weekday().num_days_from_monday();
        let free = weekday >= 5 || abroad.is_some() || holiday(day);

        // Travel: the time zone changes at once, the body clock adapts by 1.5 hours a day.
        let shift =
            (day.midnight(before.zone).seconds() - day.midnight(zone).seconds()) as f64 / 3600.0;
        self.jetlag = if shift == 0.0 {
            self.jetlag - self.jetlag.signum() * self.jetlag.abs().min(1.5)
        } else {
            (shift + 12.0).rem_euclid(24.0) - 12.0
        };

        self.drift = 0.985 * self.drift + noise.normal(0.07);
        self.workload = 0.96 * self.workload + noise.normal(0.14);
        self.appetite = 0.97 * self.appetite + noise.normal(0.12);
        let fever = self.update_illness(season, &mut noise);
        let (worn, night_worn) = self.update_wear(shift, &mut noise);

        // The night that ended this morning.
        let evening = before.drinks as f64;
        let late = if free { 50.0 } else { 0.0 }
            + 18.0 * evening.min(4.0)
            + 12.0 * season
            + 10.0 * self.workload
            + noise.normal(22.0);
        let bed = (-52.0 + late - 14.0 * self.jetlag.clamp(-8.0, 5.0)).clamp(-170.0, 210.0);
        let alarm = 408.0 + noise.normal(14.0) - 10.0 * season;
        let natural = bed + 468.0 + 16.0 * before.debt + 40.0 * fever + noise.normal(28.0);
        let rise = if free || fever > 0.4 { natural.max(alarm) } else { alarm.min(natural + 60.0) }
            - 8.0 * self.jetlag.clamp(-5.0, 6.0);
        let in_bed = (rise - bed).clamp(285.0, 625.0);
        let midnight = day.midnight(zone);
        let bedtime = midnight.plus((bed * 60.0) as i64 + noise.whole(0, 59));
        let wake = bedtime.plus((in_bed * 60.0) as i64 + noise.whole(0, 59));

        let excess = (before.load - 0.55).max(0.0);
        let efficiency = 0.89
            - 0.018 * evening.min(5.0)
            - 0.06 * fever
            - 0.006 * self.jetlag.abs()
            - 0.03 * self.workload.max(0.0);
        let efficiency = (efficiency + noise.normal(0.022)).clamp(0.72, 0.95);
        let deep = (0.165 + 0.02 * (before.load - 0.3) - 0.012 * evening.min(4.0)
            + noise.normal(0.016))
        .clamp(0.09, 0.235);
        let rem = (0.225 - 0.016 * evening.min(5.0) - 0.02 * fever + noise.normal(0.016))
            .clamp(0.11, 0.27);
        let slept = in_bed / 60.0 * efficiency;
        let debt = (0.82 * before.debt + 7.3 - slept).clamp(-1.5, 6.0);

        // The body: fitness raises HRV and lowers the pulse. Strain, alcohol and illness do the
        // opposite.
        let form = (before.fitness - 0.3) / 0.15;
        let burden = 0.085 * evening.min(6.0)
            + 0.26 * excess
            + 0.3 * fever
            + 0.03 * before.debt.max(0.0)
            + 0.07 * (before.stress - 0.4);
        let hrv = 46.0
            * (0.08 * form - burden + 0.13 * self.drift + 0.03 * season + noise.normal(0.1)).exp();
        let raised =
            1.7 * evening.min(6.0) + 5.0 * excess + 6.5 * fever + 0.5 * before.debt.max(0.0);
        let pulse =
            54.0 - 2.0 * form + raised - 1.6 * self.drift + 0.8 * season + noise.normal(0.9);
        let temperature = fever + 0.05 * evening.min(5.0) + 0.05 * excess - 0.06 * self.drift
            + noise.normal(0.12);
        let temperature_trend = 0.72 * before.temperature_trend + 0.28 * temperature;

        // The day.
        let weekday_stress = if free { 0.22 } else { 0.45 };
        let stress = weekday_stress
            + 0.16 * self.workload
            + 0.25 * fever
            + 0.03 * before.debt
            + noise.normal(0.08);
        let stress = stress.clamp(0.02, 1.0);
        let rested = self.well_for >= 4;
        let mood = 1.0 + 0.35 * self.appetite
            - 0.9 * (before.fatigue - 0.55).max(0.0)
            - if abroad.is_some() { 0.6 } else { 0.0 };
        let training = if rested { Training::planned(day, season, mood, &mut noise) } else { None };
        let load = 0.12 + training.map_or(0.0, |t| t.sport.strain * t.minutes as f64 / 60.0);
        let drinks = match (fever > 0.0 || self.well_for < 5, weekday) {
            (true, _) => 0,
            (false, 4 | 5) => {
                if noise.chance(0.42) {
                    noise.whole(2, 6)
                } else {
                    0
                }
            }
            (false, _) => {
                if noise.chance(if day.date().month() == 12 { 0.2 } else { 0.09 }) {
                    noise.whole(1, 3)
                } else {
                    0
                }
            }
        };
        let battery = if before.charges {
            noise.uniform(91.0, 99.0)
        } else {
            (before.battery - noise.uniform(13.0, 19.0)).max(2.0)
        };

        let life = LifeDay {
            day,
            zone,
            season,
            free,
            worn,
            night_worn,
            bedtime,
            wake,
            efficiency,
            deep,
            rem,
            latency: (660.0 - 60.0 * evening + 260.0 * noise.normal(1.0) + 120.0 * before.stress)
                .clamp(90.0, 1800.0),
            debt,
            hrv,
            hrv_week: before.hrv_week + (hrv - before.hrv_week) / 7.0,
            hrv_usual: before.hrv_usual + (hrv - before.hrv_usual) / 60.0,
            pulse,
            pulse_usual: before.pulse_usual + (pulse - before.pulse_usual) / 60.0,
            temperature,
            temperature_trend,
            breath: 14.7 + 0.7 * fever + 0.12 * evening.min(4.0) - 0.15 * self.drift
                + noise.normal(0.25),
            fever,
            training,
            load,
            fatigue: before.fatigue + (load - before.fatigue) / 7.0,
            fitness: before.fitness + (load - before.fitness) / 42.0,
            stress,
            drinks,
            battery,
            charges: battery < 42.0,
        };
        self.previous = life.clone();
        life
    }

    /// Starts or continues an occasional illness, mostly in winter. Returns today's fever in °C.
    fn update_illness(&mut self, season: f64, noise: &mut Noise) -> f64 {
        let start = noise.chance(0.0042 - 0.0032 * season) && self.well_for > 45;
        if self.illness.is_none() && start {
            self.illness =
                Some(Illness { day: 0, length: noise.whole(5, 8), peak: noise.uniform(0.9, 1.5) });
        }
        let Some(illness) = &mut self.illness else {
            self.well_for += 1;
            return 0.0;
        };
        self.well_for = 0;
        illness.day += 1;
        let at = illness.day as f64 / (illness.length + 1) as f64;
        let fever = illness.peak * (at * std::f64::consts::PI).sin().powf(0.8);
        if illness.day >= illness.length {
            self.illness = None;
        }
        fever
    }

    /// Returns whether the ring is worn today, and whether it was worn last night.
    ///
    /// The person sometimes forgets it for a night, or for days after the battery is empty.
    fn update_wear(&mut self, shift: f64, noise: &mut Noise) -> (bool, bool) {
        let forgotten = noise.chance(0.012);
        // A flight far to the east leaves too little night to record.
        let flight = shift > 6.0;
        if self.unworn_days > 0 {
            self.unworn_days -= 1;
            return (self.unworn_days == 0, false);
        }
        if noise.chance(0.0035) {
            self.unworn_days = noise.whole(3, 12);
            return (false, true);
        }
        (true, !forgotten && !flight)
    }
}
