//! Chance that is the same on every machine: a stream of BLAKE3's output for each seed, miner and round.

use blake3::{Hasher, OutputReader};

/// One stream of random numbers.
pub(super) struct Random(OutputReader);

impl Random {
    /// The stream of a miner in a round. Streams do not depend on who else takes part.
    pub(super) fn new(seed: u64, miner: &[u8; 32], height: u64) -> Random {
        let mut hasher = Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(miner).update(&height.to_le_bytes());
        Random(hasher.finalize_xof())
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        // The 53 bits that a number between 0 and 1 can hold.
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}
