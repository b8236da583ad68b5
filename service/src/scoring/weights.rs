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

/// Shares in proportion to scores, none above the bound; they sum up to 1, or are all 0 if the scores are.
///
/// What is above the bound goes to the others in proportion, and so on until nobody is above it. Scores must be finite and not
/// negative.
pub(super) fn shares(scores: &[f64], config: &WeightsConfig) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|&place| scores[place] > 0.0).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut shares = vec![0.0; scores.len()];
    let bound = config.share_maximum.max(config.share_maximum_times_equal / order.len().max(1) as f64);
    // Summed from the smallest up, so that the order of miners does not show in the last digits.
    let mut rest: f64 = order.iter().rev().map(|&place| scores[place]).sum();
    let mut left = 1.0;
    for &place in &order {
        let share = left * (scores[place] / rest);
        if share < bound {
            break;
        }
        shares[place] = bound.min(left);
        left -= shares[place];
        rest -= scores[place];
    }
    let clipped = order.iter().take_while(|&&place| shares[place] > 0.0).count();
    let rest: f64 = order[clipped..].iter().rev().map(|&place| scores[place]).sum();
    for &place in &order[clipped..] {
        shares[place] = left.max(0.0) * (scores[place] / rest);
    }
    shares
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
