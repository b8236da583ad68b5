//! Who is found, and how soon: sampling without a word about recomputing.

use serde::{Deserialize, Serialize};

/// Lacking fractions that tables show.
pub const LACKING_FRACTIONS: [f64; 8] = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5];

/// How a prover that lacks a fraction of what it claims, and cannot recompute it in time, is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// The fraction that is lacking, 0 … 1.
    pub lacking_fraction: f64,
    /// Probability to fail one round: `1 − (1 − f)^q`.
    pub per_round: f64,
    /// Rounds until the failure has at least 99 %, if that is within a million.
    pub rounds_to_99_percent: Option<u32>,
}

impl Detection {
    /// For q samples a round.
    pub fn of(lacking_fraction: f64, samples: u32) -> Detection {
        let missed = power(1.0 - lacking_fraction, samples);
        Detection {
            lacking_fraction,
            per_round: 1.0 - missed,
            rounds_to_99_percent: rounds_until(missed, 0.01),
        }
    }
}

/// The least number of rounds n with `missed^n ≤ limit`.
fn rounds_until(missed: f64, limit: f64) -> Option<u32> {
    (1..=1_000_000)
        .scan(1.0, |left, round| {
            *left *= missed;
            Some((round, *left))
        })
        .find(|&(_, left)| left <= limit)
        .map(|(round, _)| round)
}

/// `base^exponent` by squaring: multiplications only, so every machine gives the same bits (`powf` does not promise that).
fn power(base: f64, exponent: u32) -> f64 {
    let (mut result, mut square, mut rest) = (1.0, base, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result *= square;
        }
        square *= square;
        rest >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers: 44 windows find 10 % with 99.0 %, 88 labels find 5 % with 98.9 % (space-v1 §8).
    #[test]
    fn detection_is_that_of_the_specification() {
        assert_eq!(format!("{:.3}", Detection::of(0.1, 44).per_round), "0.990");
        assert_eq!(format!("{:.3}", Detection::of(0.05, 88).per_round), "0.989");
        assert_eq!(Detection::of(0.5, 1).rounds_to_99_percent, Some(7));
        assert_eq!(Detection::of(1.0, 1).rounds_to_99_percent, Some(1));
        assert_eq!(Detection::of(0.0, 64).rounds_to_99_percent, None);
    }
}
