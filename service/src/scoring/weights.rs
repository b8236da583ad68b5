//! From scores to what is set on the chain: shares, clipped, in 16 bits.

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

use super::config::WeightsConfig;

/// What one miner gets of what a validator has to give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinerWeight {
    /// Who.
    pub miner: Account,
    /// Its place on the chain.
    pub uid: u16,
    /// Its share of all; the shares sum up to 1. This is the income that it may expect from this validator's say alone.
    pub share: f64,
    /// The share as it is set on the chain: the largest is 65535.
    pub weight: u16,
}

/// Shares in proportion to scores, which must be finite and not negative. They sum up to 1, or are all 0 if the scores are.
///
/// The largest are cut to one level, and all are scaled up to sum up to 1 again. The level is the highest at which nobody is
/// above the bound, unless that would scale up by more than the configuration allows: otherwise a network of one honest miner
/// and a crowd of others with next to nothing would pay most to the crowd.
pub(super) fn shares(scores: &[f64], config: &WeightsConfig) -> Vec<f64> {
    let mut falling: Vec<f64> = scores.iter().copied().filter(|score| *score > 0.0).collect();
    falling.sort_by(|a, b| b.total_cmp(a));
    // What those from a place on have together; from the smallest up, so that the small ones are not lost beside the large.
    let mut rest = vec![0.0; falling.len() + 1];
    for place in (0..falling.len()).rev() {
        rest[place] = rest[place + 1] + falling[place];
    }
    let all = rest[0];
    if all <= 0.0 {
        return vec![0.0; scores.len()];
    }
    let bound = config.share_maximum.max(config.share_maximum_times_equal / falling.len() as f64);
    // With the first k at level c everybody has kc + rest(k), of which c is to be the bound's share …
    let bounded = level(&falling, |k| match 1.0 - k as f64 * bound {
        others if others > 0.0 => bound * rest[k] / others,
        _ => f64::INFINITY,
    });
    // … or which is to be what scaling up leaves of all.
    let scaled = level(&falling, |k| (all / config.share_rise_maximum - rest[k]) / k as f64);
    let level = if falling[0] <= bound * all { falling[0] } else { bounded.max(scaled) };
    let kept: f64 = falling.iter().rev().map(|score| score.min(level)).sum();
    scores.iter().map(|score| score.min(level) / kept).collect()
}

/// The level to which the first of `falling` scores are cut, where `level_of` tells it for so many of them.
fn level(falling: &[f64], level_of: impl Fn(usize) -> f64) -> f64 {
    let next = |k: usize| falling.get(k).copied().unwrap_or(0.0);
    let fits = |k: &usize| level_of(*k) >= next(*k);
    let k = (1..falling.len()).find(fits).unwrap_or(falling.len());
    level_of(k).min(falling[k - 1])
}

/// The shares in 16 bits: the largest is 65535, and one below half of its 65535th part is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to 65535 by the division
pub(super) fn in_16_bits(shares: &[f64]) -> Vec<u16> {
    let largest = shares.iter().copied().fold(0.0, f64::max);
    let scaled = |share: &f64| if largest > 0.0 { (share / largest * 65535.0).round() as u16 } else { 0 };
    shares.iter().map(scaled).collect()
}

#[cfg(test)]
mod tests;
