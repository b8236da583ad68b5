//! What receipts and deadlines need to know of a challenge, whatever it is about.

use super::{ChainKey, ObjectNumber, RoundKind, Subject};
use crate::challenge::Challenge;
use crate::possession::challenge::ObjectChallenge;
use crate::possession::token::TokenChallenge;

/// One round of one chain, by the challenge that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Whose round, and about what.
    pub key: ChainKey,
    /// What was asked for.
    pub kind: RoundKind,
    /// Height of the block with the beacon.
    pub height: u64,
    /// Seed of the challenge.
    pub challenge_seed: [u8; 32],
    /// Digest of the challenge, which responses name.
    pub challenge_digest: [u8; 32],
    /// Time to answer in milliseconds.
    pub deadline_ms: u32,
}

impl From<&Challenge> for Round {
    fn from(challenge: &Challenge) -> Round {
        Round {
            key: ChainKey {
                validator: challenge.validator,
                miner: challenge.miner,
                subject: Subject::Partition(challenge.partition_id),
            },
            kind: RoundKind::Partition(challenge.kind),
            height: challenge.height,
            challenge_seed: challenge.seed(),
            challenge_digest: challenge.digest(),
            deadline_ms: challenge.deadline_ms,
        }
    }
}

impl From<&ObjectChallenge> for Round {
    fn from(challenge: &ObjectChallenge) -> Round {
        Round {
            key: ChainKey {
                validator: challenge.validator,
                miner: challenge.miner,
                subject: Subject::Object(ObjectNumber::of(&challenge.record_digest)),
            },
            kind: RoundKind::Object(challenge.kind),
            height: challenge.height,
            challenge_seed: challenge.seed(),
            challenge_digest: challenge.digest(),
            deadline_ms: challenge.deadline_ms,
        }
    }
}

/// What is promised is the digest under the key that was shown, so the token is in what responses name (possession-v1 §8).
impl From<&TokenChallenge> for Round {
    fn from(token: &TokenChallenge) -> Round {
        Round { challenge_digest: token.digest(), ..Round::from(token.challenge()) }
    }
}
