//! What speed is worth: times relative to the bytes read, a sigmoid around the median of those who were right.

use super::config::{LatencyConfig, MILLION};

/// How much longer than the reference an answer took, in millionths and at least 1.
///
/// The reference is a fixed part and the time to read the bytes that were asked for. It is linear in the bytes, as disks
/// and lines are.
pub(super) fn relative_time(latency_ms: u32, bytes_read: u64, config: &LatencyConfig) -> u64 {
    let reading_us =
        u128::from(bytes_read) * u128::from(MILLION) / u128::from(config.reference_bytes_per_second.max(1));
    let expected_us = (u128::from(config.reference_latency_ms.max(1)) * 1000).saturating_add(reading_us);
    // A clock of milliseconds says 0 for anything below.
    let taken_us = u128::from(latency_ms.max(1)) * 1000;
    u64::try_from(taken_us * u128::from(MILLION) / expected_us).unwrap_or(u64::MAX).max(1)
}

/// The times of one kind of question in one round: one for each miner whose answers were right.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Sorted.
    times: Vec<u64>,
}

impl Field {
    pub(super) fn new(mut times: Vec<u64>) -> Field {
        times.sort_unstable();
        Field { times }
    }

    /// The middle one, or the mean of the two middle ones. `None` of nobody.
    fn median(&self) -> Option<u64> {
        let upper = *self.times.get(self.times.len() / 2)?;
        let lower = self.times[(self.times.len() - 1) / 2];
        Some(lower.midpoint(upper))
    }

    /// From 1 − spread to 1 + spread: `1 − spread + 2 spread / (1 + (t / median)^steepness)`, the logistic function of the
    /// logarithm of t. It takes no exponential function, so it is the same number on every machine.
    pub(super) fn speed(&self, time: u64, config: &LatencyConfig) -> f64 {
        let Some(median) = self.median() else { return 1.0 };
        let ratio = time as f64 / median.max(1) as f64;
        let power = (0..config.steepness).fold(1.0, |power, _| power * ratio);
        1.0 - config.spread + 2.0 * config.spread / (1.0 + power)
    }

    /// Whether it is among the fastest: faster than the fastest of those who are not. Of several that tie for the last place
    /// nobody has it, so no order has to be made up.
    pub(super) fn is_top(&self, time: u64, config: &LatencyConfig) -> bool {
        let (top, least) = (config.top_performers as usize, config.top_performers_least_field as usize);
        self.times.len() >= least && self.times.get(top).is_some_and(|&next| time < next)
    }
}

#[cfg(test)]
mod tests;
