//! Sleep outside the night: naps, late naps, and a second sleep in the morning.

use std::ops::Range;

use super::life::LifeDay;
use super::night::Plan;
use super::person::Person;
use crate::time::{Day, Instant};

/// A period of sleep outside the night.
pub(super) struct Doze {
    pub plan: Plan,
    /// The value of `type`.
    pub label: &'static str,
    /// The sleep day that it belongs to.
    pub sleep_day: Day,
}

impl Doze {
    pub fn span(&self) -> Range<Instant> {
        self.plan.start..self.plan.start.plus(self.plan.in_bed)
    }
}

impl Person {
    /// The dozes that start on a day, in order. At most one starts before the evening.
    pub fn dozes(&self, life: &LifeDay) -> Vec<Doze> {
        if !life.worn || life.day < self.first_day {
            return Vec::new();
        }
        let by_day = self.lie_in(life).or_else(|| self.nap(life));
        by_day.into_iter().chain(self.late_nap(life)).collect()
    }

    /// A second sleep of more than three hours in the morning.
    fn lie_in(&self, life: &LifeDay) -> Option<Doze> {
        let mut noise = self.noise(life.day, "lie-in");
        let plan = Plan {
            rem: 0.2,
            ..Plan::short(life, life.wake.plus(3000), noise.whole(11_000, 11_900))
        };
        let lazy = life.free && life.night_worn && life.training.is_none();
        (lazy && noise.chance(0.04)).then_some(Doze {
            plan,
            label: "long_sleep",
            sleep_day: life.day,
        })
    }

    fn nap(&self, life: &LifeDay) -> Option<Doze> {
        let mut noise = self.noise(life.day, "nap");
        let start = life.at(noise.whole(800, 900)).plus(noise.whole(0, 59));
        let plan = Plan::short(life, start, noise.whole(1500, 5600));
        let chance = if life.free { 0.2 } else { 0.05 } + if life.fever > 0.4 { 0.3 } else { 0.0 };
        let label = if noise.chance(0.15) { "rest" } else { "sleep" };
        let time = life.training.is_none_or(|training| training.start > 1000)
            && start > life.wake.plus(3 * 3600);
        let fits = plan.start.plus(plan.in_bed + 3600) < self.awake_until(life);
        (time && fits && noise.chance(chance)).then_some(Doze { plan, label, sleep_day: life.day })
    }

    /// A nap that ends after 18:00. It belongs to the next day.
    fn late_nap(&self, life: &LifeDay) -> Option<Doze> {
        let mut noise = self.noise(life.day, "late nap");
        let plan = Plan::short(life, life.at(noise.whole(1045, 1060)), noise.whole(2700, 4200));
        let time = life.free && life.training.is_none() && plan.start > life.wake.plus(6 * 3600);
        let fits = plan.start.plus(plan.in_bed + 3 * 3600) < self.awake_until(life);
        (time && fits && noise.chance(0.06)).then_some(Doze {
            plan,
            label: "late_nap",
            sleep_day: life.day.plus(1),
        })
    }
}
