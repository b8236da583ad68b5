//! What a possession proof is about, and the transcript that draws `c` from it (possession-v1 §3).

use super::challenge::ObjectChallenge;
use super::fold::State;
use super::points::POINT_BYTES;
use super::scalars::coefficient;
use crate::transcript::Context;

/// A possession challenge, expanded.
pub(super) struct Statement {
    pub(super) challenge_digest: [u8; 32],
    pub(super) record_digest: [u8; 32],
    seed: [u8; 32],
    /// The blocks, in drawn order.
    pub(super) blocks: Vec<u64>,
    /// ρ: a coefficient for each of them.
    pub(super) coefficients: Vec<u128>,
}

impl Statement {
    /// What this challenge, which is one of kind `possession`, asks for.
    pub(super) fn of(challenge: &ObjectChallenge) -> Statement {
        Statement {
            challenge_digest: challenge.digest(),
            record_digest: challenge.record_digest,
            seed: challenge.seed(),
            blocks: challenge.possession_blocks(),
            coefficients: challenge.possession_coefficients(),
        }
    }

    /// The state that rounds of folding start from, and `c`. `commitments` are those of the blocks, in their order.
    pub(super) fn transcript<'p>(
        &self,
        commitments: impl IntoIterator<Item = &'p [u8; POINT_BYTES]>,
        mask_point: &[u8; POINT_BYTES],
    ) -> (State, u128) {
        let mut bytes = Vec::with_capacity(104 + (8 + 16 + POINT_BYTES) * self.blocks.len() + POINT_BYTES);
        bytes.extend_from_slice(&self.challenge_digest);
        bytes.extend_from_slice(&self.seed);
        bytes.extend_from_slice(&self.record_digest);
        bytes.extend_from_slice(&(self.blocks.len() as u64).to_le_bytes());
        bytes.extend(self.blocks.iter().flat_map(|block| block.to_le_bytes()));
        bytes.extend(self.coefficients.iter().flat_map(|rho| rho.to_le_bytes()));
        bytes.extend(commitments.into_iter().flatten());
        bytes.extend_from_slice(mask_point);
        let mut stream = Context::POSSESSION_PROOF.stream(&[&bytes]);
        let mut state = [0; 32];
        stream.fill(&mut state);
        (state, coefficient(&mut stream))
    }
}
