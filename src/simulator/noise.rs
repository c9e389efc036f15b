//! Reproducible random numbers.
//!
//! A draw depends only on the seed, the day, the purpose and earlier draws of the same stream.

use chrono::Datelike;

use crate::time::Day;

/// A stream of random numbers (SplitMix64).
///
/// Implemented here, so that a seed results in the same person with any version of a library.
pub(super) struct Noise(u64);

impl Noise {
    /// The stream for one purpose on one day.
    pub fn new(seed: u64, day: Day, purpose: &str) -> Noise {
        // FNV-1a hashes the purpose. One step of the generator separates neighbouring days.
        let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut mixer = Noise(seed ^ purpose ^ u64::from(number(day)).rotate_left(32));
        Noise(mixer.bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uniform number in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A uniform integer in `[low, high]`.
    pub fn whole(&mut self, low: i64, high: i64) -> i64 {
        self.uniform(low as f64, (high + 1) as f64).floor() as i64
    }

    /// An approximately normal number with mean 0 and standard deviation `deviation`.
    ///
    /// It is a sum of four uniform draws, so it never exceeds 3.5 standard deviations.
    pub fn normal(&mut self, deviation: f64) -> f64 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|draw| (bits >> (16 * draw)) & 0xffff).sum();
        // A uniform draw has variance 1/12, so the sum of four has standard deviation 1/√3.
        (sum as f64 / 65_535.0 - 2.0) * 3.0_f64.sqrt() * deviation
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform(0.0, 1.0) < probability
    }

    /// A random element. `from` must not be empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.whole(0, from.len() as i64 - 1) as usize]
    }
}

/// The number of `day` since the start of the calendar.
pub(super) fn number(day: Day) -> u32 {
    day.date().num_days_from_ce().unsigned_abs()
}
