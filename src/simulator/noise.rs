//! Chance that repeats: every draw depends on the seed, the day and what it is for, never on what was drawn before elsewhere.

use chrono::Datelike;

use crate::time::Day;

/// A stream of draws (SplitMix64). Written out here so that the same seed gives the same person whatever a library does.
pub(super) struct Noise(u64);

impl Noise {
    pub fn new(seed: u64, day: Day, purpose: &str) -> Noise {
        // FNV-1a over the purpose; one step of the generator scatters neighbouring days.
        let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut mixer = Noise(seed ^ purpose ^ u64::from(number(day)).rotate_left(32));
        Noise(mixer.bits())
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In `[low, high]`.
    pub fn whole(&mut self, low: i64, high: i64) -> i64 {
        self.uniform(low as f64, (high + 1) as f64).floor() as i64
    }

    /// Bell-shaped around 0 with standard deviation `deviation`, never beyond 3.5 of them: the sum of four uniform draws.
    pub fn normal(&mut self, deviation: f64) -> f64 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|draw| (bits >> (16 * draw)) & 0xffff).sum();
        // Each draw has the variance 1/12, so the sum of four has the deviation 1/√3.
        (sum as f64 / 65_535.0 - 2.0) * 3.0_f64.sqrt() * deviation
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform(0.0, 1.0) < probability
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.whole(0, from.len() as i64 - 1) as usize]
    }
}

/// Days since the beginning of the calendar.
pub(super) fn number(day: Day) -> u32 {
    day.date().num_days_from_ce().unsigned_abs()
}
