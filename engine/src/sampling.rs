//! How many samples and rounds find a loss, and what they cost: the plan behind `holdfast plan audit`.
//!
//! Units are drawn without replacement (possession-v1 §2), so with `m` of `n` units lost a round of `k` samples misses with
//! `Π_{i<k} (1 − m/(n − i))`, and rounds, each with its own beacon, miss independently.

use serde::Serialize;
use thiserror::Error;

use crate::tree::{BLOCK_BYTES, CHUNK_BYTES, PAGE_BYTES, block_count, chunk_count};

/// Points in a chunk of a commitment table (commitment-v1 §4).
const POINTS_PER_CHUNK: u64 = 10;
/// Bytes of a possession response before its openings, plain and compressed (possession-v1 §4).
const PLAIN_BYTES: u64 = 17_104;
const COMPRESSED_BYTES: u64 = 1_584;
/// Bytes of the header of every other response.
const HEADER_BYTES: u64 = 48;
/// Most samples of a challenge (possession-v1 §1).
pub const SAMPLES_MAX: u32 = 1 << 16;
/// Beyond this many rounds a loss counts as never found.
const ROUNDS_MAX: u32 = 1_000_000;

/// What a sample is and what its answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audit {
    /// Blocks of 16 KiB by a masked linear combination, 530 scalars.
    Possession,
    /// The same, folded.
    PossessionCompressed,
    /// Opened chunks of 1 KiB.
    Chunks,
}

/// What is audited, what loss must not go unnoticed, and how surely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The way of auditing.
    pub audit: Audit,
    /// Bytes of the object, or of all objects that are sampled as one.
    pub bytes: u64,
    /// Share of the units whose loss must be found, above 0, at most 1.
    pub lost_share: f64,
    /// Probability with which it must be found, above 0, below 1.
    pub detection: f64,
    /// Within this many rounds.
    pub rounds: u32,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SamplingError {
    /// A share or probability out of range.
    #[error("{name} is {found}, allowed: above 0 and {limit}")]
    OutOfRange {
        /// Which one.
        name: &'static str,
        /// The value.
        found: f64,
        /// The upper limit, in words.
        limit: &'static str,
    },
    /// No rounds.
    #[error("0 rounds find nothing, allowed: 1 and more")]
    NoRounds,
    /// More samples than a challenge can ask for.
    #[error(
        "finding a loss of {lost_share} with probability {detection} within {rounds} rounds takes more than {SAMPLES_MAX} \
         samples a round; allow more rounds, or less certainty"
    )]
    TooMany {
        /// The share.
        lost_share: f64,
        /// The probability.
        detection: f64,
        /// The rounds.
        rounds: u32,
    },
}

/// One number of samples: what a round of it finds and costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Samples a round.
    pub samples: u32,
    /// Probability that one round finds the loss.
    pub detection_per_round: f64,
    /// The same for the rounds that were asked for.
    pub detection: f64,
    /// Rounds until it is found with the probability asked for, if that is within a million.
    pub rounds_needed: Option<u32>,
    /// Random reads of the miner's disk in a round: blocks, table chunks and outboard pages.
    pub reads: u64,
    /// Bytes these reads take from the disk in a round.
    pub bytes_read: u64,
    /// Bytes of the response at most (openings that share nothing).
    pub bytes_sent: u64,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The way of auditing.
    pub audit: Audit,
    /// Units that can be sampled: blocks or chunks.
    pub units: u64,
    /// How many of them are lost.
    pub lost_units: u64,
    /// The least number of samples that answers the question.
    pub least: Row,
    /// Usual numbers of samples for comparison, the least one among them.
    pub rows: Vec<Row>,
}

impl Question {
    /// Refuses what is out of range, then looks for the least number of samples.
    pub fn plan(&self) -> Result<Plan, SamplingError> {
        self.check()?;
        let units = self.units();
        let most = u32::try_from(units).unwrap_or(SAMPLES_MAX).min(SAMPLES_MAX);
        let least = self.least_samples(most).ok_or(SamplingError::TooMany {
            lost_share: self.lost_share,
            detection: self.detection,
            rounds: self.rounds,
        })?;
        let usual = [1, 5, 10, 20, 44, 100, 200, 460, 1000].into_iter().filter(|&samples| samples <= most);
        let mut samples: Vec<u32> = usual.chain([least]).collect();
        samples.sort_unstable();
        samples.dedup();
        Ok(Plan {
            audit: self.audit,
            units,
            lost_units: self.lost_units(),
            least: self.row(least),
            rows: samples.into_iter().map(|samples| self.row(samples)).collect(),
        })
    }

    fn check(&self) -> Result<(), SamplingError> {
        let in_range = |value: f64| value > 0.0 && value <= 1.0;
        if !in_range(self.lost_share) {
            return Err(SamplingError::OutOfRange {
                name: "the lost share",
                found: self.lost_share,
                limit: "at most 1",
            });
        }
        if !in_range(self.detection) || self.detection == 1.0 {
            return Err(SamplingError::OutOfRange {
                name: "the probability",
                found: self.detection,
                limit: "below 1",
            });
        }
        if self.rounds == 0 { Err(SamplingError::NoRounds) } else { Ok(()) }
    }

    /// Units that are drawn from. The final chunk of a string comes along without being drawn.
    fn units(&self) -> u64 {
        match self.audit {
            // An object without bytes has a block (commitment-v1).
            Audit::Possession | Audit::PossessionCompressed => block_count(self.bytes).max(1),
            Audit::Chunks => chunk_count(self.bytes),
        }
    }

    /// At least one: a loss is a loss.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // shares of counts
    fn lost_units(&self) -> u64 {
        ((self.lost_share * self.units() as f64).ceil() as u64).clamp(1, self.units())
    }

    /// Probability that a round of so many samples sees no lost unit.
    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    fn missed(&self, samples: u32) -> f64 {
        let (units, lost) = (self.units(), self.lost_units());
        (0..u64::from(samples).min(units))
            .map(|i| 1.0 - (lost as f64 / (units - i) as f64).min(1.0))
            .product()
    }

    fn missed_in_all_rounds(&self, samples: u32) -> f64 {
        self.missed(samples).powf(f64::from(self.rounds))
    }

    /// Missing becomes less likely with every sample, so the least number is found by halving.
    fn least_samples(&self, most: u32) -> Option<u32> {
        let enough = |samples: u32| self.missed_in_all_rounds(samples) <= 1.0 - self.detection;
        if !enough(most) {
            return None;
        }
        let (mut too_few, mut enough_at) = (0, most);
        while enough_at - too_few > 1 {
            let middle = too_few + (enough_at - too_few) / 2;
            if enough(middle) { enough_at = middle } else { too_few = middle }
        }
        Some(enough_at)
    }

    fn row(&self, samples: u32) -> Row {
        let missed = self.missed(samples);
        let (reads, bytes_read, bytes_sent) = self.costs(u64::from(samples));
        Row {
            samples,
            detection_per_round: 1.0 - missed,
            detection: 1.0 - self.missed_in_all_rounds(samples),
            rounds_needed: rounds_until(missed, 1.0 - self.detection),
            reads,
            bytes_read,
            bytes_sent,
        }
    }

    /// Reads, bytes read and bytes sent of a round. An opening takes one block of data, or one chunk of the commitment
    /// table, and one outboard page (tree-v1 §4).
    fn costs(&self, samples: u64) -> (u64, u64, u64) {
        let opening = |bytes: u64| CHUNK_BYTES as u64 + 32 * path_length(chunk_count(bytes));
        match self.audit {
            Audit::Possession | Audit::PossessionCompressed => {
                let table_bytes = self.units().div_ceil(POINTS_PER_CHUNK) * CHUNK_BYTES as u64;
                let fixed = if self.audit == Audit::Possession { PLAIN_BYTES } else { COMPRESSED_BYTES };
                let opened = samples.min(chunk_count(table_bytes));
                // The table is opened like any string: a block of it and a page.
                let read = samples * BLOCK_BYTES as u64 + opened * (BLOCK_BYTES + PAGE_BYTES) as u64;
                (samples + 2 * opened, read, fixed + opened * opening(table_bytes))
            }
            Audit::Chunks => {
                // The final chunk comes along.
                let opened = (samples + 1).min(self.units());
                let read = opened * (BLOCK_BYTES + PAGE_BYTES) as u64;
                (2 * opened, read, HEADER_BYTES + opened * opening(self.bytes))
            }
        }
    }
}

/// Siblings of the longest path over so many chunks: ⌈log₂⌉.
fn path_length(chunks: u64) -> u64 {
    u64::from(chunks.next_power_of_two().trailing_zeros())
}

/// The least number of rounds n with `missed^n ≤ limit`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 1 … a million
fn rounds_until(missed: f64, limit: f64) -> Option<u32> {
    if missed <= limit {
        return Some(1);
    }
    let rounds = (limit.ln() / missed.ln()).ceil();
    (missed < 1.0 && rounds <= f64::from(ROUNDS_MAX)).then_some(rounds as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(bytes: u64, lost_share: f64, detection: f64, rounds: u32) -> Question {
        Question { audit: Audit::Possession, bytes, lost_share, detection, rounds }
    }

    /// Known answers of the design: 20 blocks an hour find 1 % within a day with 99 %, 460 at once.
    #[test]
    fn the_designs_numbers() {
        let tib = 1 << 40;
        let day = question(tib, 0.01, 0.99, 24).plan().expect("possible");
        assert_eq!(day.least.samples, 20);
        let once = question(tib, 0.01, 0.99, 1).plan().expect("possible");
        assert!((455..=460).contains(&once.least.samples), "{}", once.least.samples);
    }

    /// By counting subsets: 2 of 5 blocks lost, 2 drawn: C(3,2)/C(5,2) = 3/10 miss. With replacement it would be 9/25.
    #[test]
    fn samples_are_drawn_without_replacement() {
        let question = question(5 * 16_384, 0.4, 0.9, 1);
        assert!((question.missed(2) - 0.3).abs() < 1e-12);
        assert_eq!(question.missed(4), 0.0, "four of five cannot miss two");
    }

    /// The number found is enough and one less is not.
    #[test]
    fn the_least_number_is_the_least() {
        for (bytes, share, detection, rounds) in
            [(1u64 << 30, 0.01, 0.99, 1), (1 << 30, 0.5, 0.999, 2), (40 * 16_384, 0.03, 0.95, 3)]
        {
            let question = question(bytes, share, detection, rounds);
            let least = question.plan().expect("possible").least.samples;
            assert!(question.missed_in_all_rounds(least) <= 1.0 - detection);
            assert!(question.missed_in_all_rounds(least - 1) > 1.0 - detection);
        }
    }

    /// A single block, no bytes, and everything lost are questions too.
    #[test]
    fn edges() {
        for bytes in [0, 1, 16_384] {
            let plan = question(bytes, 0.001, 0.99, 1).plan().expect("possible");
            assert_eq!((plan.units, plan.lost_units, plan.least.samples), (1, 1, 1));
            assert_eq!(plan.least.detection_per_round, 1.0);
        }
        assert_eq!(question(1 << 40, 1.0, 0.99, 1).plan().expect("possible").least.samples, 1);
    }

    #[test]
    fn questions_without_an_answer_say_why() {
        assert!(matches!(question(1, 0.0, 0.5, 1).plan(), Err(SamplingError::OutOfRange { .. })));
        assert!(matches!(question(1, 1.5, 0.5, 1).plan(), Err(SamplingError::OutOfRange { .. })));
        assert!(matches!(question(1, 0.5, 1.0, 1).plan(), Err(SamplingError::OutOfRange { .. })));
        assert!(matches!(question(1, f64::NAN, 0.5, 1).plan(), Err(SamplingError::OutOfRange { .. })));
        assert_eq!(question(1, 0.5, 0.5, 0).plan(), Err(SamplingError::NoRounds));
        assert!(matches!(question(1 << 50, 1e-9, 0.99, 1).plan(), Err(SamplingError::TooMany { .. })));
    }

    /// Rounds that are said to be needed are enough, and one less is not.
    #[test]
    fn rounds_needed_are_needed() {
        let row = question(1 << 40, 0.01, 0.99, 1).row(20);
        let rounds = i32::try_from(row.rounds_needed.expect("found")).expect("small");
        let missed = 1.0 - row.detection_per_round;
        assert!(missed.powi(rounds) <= 0.01 && missed.powi(rounds - 1) > 0.01);
    }
}
