//! The recorder: what fixes intents, commitments and anchors in an order that neither party chooses (space-v1 §2, §7).
//!
//! A chain, simulated unless one is configured. [`Recorder`] asks for nothing that a chain behind an RPC cannot give:
//! every call may fail, heights grow while one looks, and what is newer than the finality depth may still change.

mod error;
mod file;
mod ledger;
mod simulation;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::registration::{Intent, Registration};
use crate::signature::Signature;
use crate::transcript::Context;

pub use crate::commitment::Batch;
pub use error::{RecorderError, Refusal};
pub use file::{FileRecorder, LOCK_SUFFIX};
pub use ledger::{Ledger, SimulationSettings};
pub use simulation::{SimulatedRecorder, Simulation};

/// Most batches of one partition (space-v1 §7).
pub const BATCHES_MAX: usize = crate::commitment::BATCHES_MAX;

/// A chain that records, in order, who set space aside for whom.
///
/// Signatures: [`Signature::NONE`] where a network does not ask for one; one that is given is checked always.
pub trait Recorder: Send + Sync {
    /// The network that intents must name.
    fn network(&self) -> Result<[u8; 32], RecorderError>;

    /// F: a block is final when this many blocks stand on it.
    fn finality_blocks(&self) -> Result<u64, RecorderError>;

    /// Height of the newest block.
    fn height(&self) -> Result<u64, RecorderError>;

    /// The beacon of a block; `None` while there is no such block. Blocks that are not final may still change theirs.
    fn beacon(&self, height: u64) -> Result<Option<[u8; 32]>, RecorderError>;

    /// Records an intent and assigns the next partition id, from 0 on and below [`crate::registration::PARTITION_IDS`]. An equal intent is refused for ever after.
    fn record_intent(&self, intent: &Intent, signature: &Signature) -> Result<PartitionId, RecorderError>;

    /// Records that a partition now has windows 0 … end − 1. Returns the height.
    fn record_batch(&self, claim: &BatchClaim) -> Result<u64, RecorderError>;

    /// Ends a partition for good, and returns the height. Policy counts it as missed for some rounds from there.
    fn withdraw(&self, partition_id: u64, signature: &Signature) -> Result<u64, RecorderError>;

    /// Records a validator's anchor of one round, once. Returns the height.
    fn record_anchor(&self, claim: &AnchorClaim) -> Result<u64, RecorderError>;

    /// Records the digest of an object's record. Returns the height, which for a digest that is recorded already is that of
    /// the first time.
    fn record_object(&self, record_digest: &[u8; 32]) -> Result<u64, RecorderError>;

    /// At which height the digest of an object's record was recorded.
    fn object_height(&self, record_digest: &[u8; 32]) -> Result<Option<u64>, RecorderError>;

    /// What is recorded of a partition.
    fn partition(&self, partition_id: u64) -> Result<Option<PartitionEntry>, RecorderError>;

    /// The partition that an intent was recorded as.
    fn find_intent(&self, intent: &Intent) -> Result<Option<u64>, RecorderError>;

    /// The partitions of a miner, of a validator, of a pair, or all; in the order of their ids.
    fn partitions_of(
        &self,
        miner: Option<&Account>,
        validator: Option<&Account>,
    ) -> Result<Vec<u64>, RecorderError>;

    /// A validator's anchor of the round at a height.
    fn anchor(&self, height: u64, validator: &Account) -> Result<Option<Anchor>, RecorderError>;

    /// The registration of a partition; `None` while block (intent height + F), whose beacon it takes, does not exist.
    /// It is certain once that block is final.
    fn registration(&self, partition_id: u64) -> Result<Option<Registration>, RecorderError> {
        let Some(entry) = self.partition(partition_id)? else {
            return Err(Refusal::UnknownPartition { partition_id }.into());
        };
        let beacon_height = entry.intent_height.saturating_add(self.finality_blocks()?);
        Ok(self.beacon(beacon_height)?.map(|beacon| entry.registration(beacon)))
    }

    /// The newest block that can no longer change: F blocks stand on it. `None` while there is none. A chain whose finality
    /// can stand still says so here.
    fn finalized_height(&self) -> Result<Option<u64>, RecorderError> {
        Ok(self.height()?.checked_sub(self.finality_blocks()?))
    }

    /// Whether a block can no longer change.
    fn is_final(&self, height: u64) -> Result<bool, RecorderError> {
        Ok(Some(height) <= self.finalized_height()?)
    }
}

/// Where an intent was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionId {
    /// The next unused number.
    pub partition_id: u64,
    /// Height of the intent.
    pub intent_height: u64,
}

/// "The partition now has windows 0 … end − 1, and this is the root of their table."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchClaim {
    /// The partition.
    pub partition_id: u64,
    /// Digest of its registration, so that nothing is recorded for a registration that a reorganisation changed.
    pub registration_digest: [u8; 32],
    /// Windows that it has now; more than before adds, fewer trims.
    pub end: u64,
    /// Root of the window table.
    pub partition_root: [u8; 32],
    /// The miner's, over [`Registration::commitment_signing_digest`].
    pub signature: Signature,
}

/// "These were all responses that came in time": what a validator anchors of a round (receipt-v1 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnchorClaim {
    /// The round's height.
    pub height: u64,
    /// Who asked.
    pub validator: Account,
    /// Hash of the sorted pairs ([`crate::receipt::AnchoredPairs`]).
    pub root: [u8; 32],
    /// Number of pairs.
    pub count: u64,
    /// The validator's, over [`AnchorClaim::signing_digest`].
    pub signature: Signature,
}

impl AnchorClaim {
    /// `derive(anchor signing, network ‖ height u64 ‖ root ‖ count u64)`.
    pub fn signing_digest(&self, network: &[u8; 32]) -> [u8; 32] {
        let (height, count) = (self.height.to_le_bytes(), self.count.to_le_bytes());
        Context::ANCHOR_SIGNING.derive(&[network, &height, &self.root, &count])
    }
}

/// A recorded anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The round's height.
    pub height: u64,
    /// Who asked.
    pub validator: Account,
    /// Hash of the sorted pairs.
    #[serde(with = "hex::serde")]
    pub root: [u8; 32],
    /// Number of pairs.
    pub count: u64,
    /// Height of the block that recorded it. Long after the round it says nothing about timeliness.
    pub recorded_at: u64,
}

/// The digest of an object's record, and when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedObject {
    /// Digest of the record ([`crate::possession::record::ObjectRecord::digest`]).
    #[serde(with = "hex::serde")]
    pub record_digest: [u8; 32],
    /// Height of the block that recorded it first.
    pub height: u64,
}

/// What is recorded of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionEntry {
    /// The number.
    pub partition_id: u64,
    /// The intent; hex of its 120 bytes in files.
    pub intent: Intent,
    /// The miner's signature over it, or none.
    pub signature: Signature,
    /// Height of the intent.
    pub intent_height: u64,
    /// The batches, heights strictly increasing.
    pub batches: Vec<Batch>,
    /// Height of the withdrawal.
    pub withdrawn_at: Option<u64>,
}

impl PartitionEntry {
    /// The registration with the beacon of block (intent height + F).
    pub fn registration(&self, beacon: [u8; 32]) -> Registration {
        Registration {
            intent: self.intent,
            partition_id: self.partition_id,
            intent_height: self.intent_height,
            beacon,
        }
    }

    /// What the miner signs to withdraw: `derive(withdrawal signing, intent ‖ partition id u64)`.
    pub fn withdrawal_signing_digest(&self) -> [u8; 32] {
        let id = self.partition_id.to_le_bytes();
        Context::WITHDRAWAL_SIGNING.derive(&[&self.intent.encode(), &id])
    }
}

#[cfg(test)]
mod tests;
