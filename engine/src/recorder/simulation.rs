//! Simulated chains: one set of rules ([`Ledger`]), kept in memory or in a file.

use std::sync::{PoisonError, RwLock};

use super::{
    Anchor, AnchorClaim, BatchClaim, Ledger, PartitionEntry, PartitionId, Recorder, RecorderError, Refusal,
    SimulationSettings,
};
use crate::account::Account;
use crate::registration::Intent;
use crate::signature::Signature;

/// A place where a [`Ledger`] is kept. What implements this is a [`Recorder`]. Equal calls leave equal ledgers.
pub trait Simulation: Send + Sync {
    /// Looks at the ledger as it is now.
    fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, RecorderError>
    where
        Self: Sized;

    /// Changes the ledger, wholly or, if `change` refuses, not at all. Several calls in one change cost a file one write.
    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> Result<T, Refusal>) -> Result<T, RecorderError>
    where
        Self: Sized;

    /// Adds empty blocks; returns the newest height.
    fn advance(&self, blocks: u64) -> Result<u64, RecorderError>
    where
        Self: Sized,
    {
        self.change(|ledger| Ok(ledger.advance(blocks)))
    }

    /// Replaces the blocks from `first` on ([`Ledger::reorganise`]).
    fn reorganise(&self, first: u64) -> Result<(), RecorderError>
    where
        Self: Sized,
    {
        self.change(|ledger| ledger.reorganise(first))
    }
}

impl<S: Simulation> Recorder for S {
    fn network(&self) -> Result<[u8; 32], RecorderError> {
        self.read(|ledger| ledger.settings().network)
    }

    fn finality_blocks(&self) -> Result<u64, RecorderError> {
        self.read(|ledger| ledger.settings().finality_blocks.get())
    }

    fn height(&self) -> Result<u64, RecorderError> {
        self.read(Ledger::height)
    }

    fn finalized_height(&self) -> Result<Option<u64>, RecorderError> {
        self.read(Ledger::finalized_height)
    }

    fn beacon(&self, height: u64) -> Result<Option<[u8; 32]>, RecorderError> {
        self.read(|ledger| ledger.beacon(height))
    }

    fn record_intent(&self, intent: &Intent, signature: &Signature) -> Result<PartitionId, RecorderError> {
        self.change(|ledger| ledger.record_intent(intent, signature))
    }

    fn record_batch(&self, claim: &BatchClaim) -> Result<u64, RecorderError> {
        self.change(|ledger| ledger.record_batch(claim))
    }

    fn withdraw(&self, partition_id: u64, signature: &Signature) -> Result<u64, RecorderError> {
        self.change(|ledger| ledger.withdraw(partition_id, signature))
    }

    fn record_anchor(&self, claim: &AnchorClaim) -> Result<u64, RecorderError> {
        self.change(|ledger| ledger.record_anchor(claim))
    }

    fn record_object(&self, record_digest: &[u8; 32]) -> Result<u64, RecorderError> {
        self.change(|ledger| Ok(ledger.record_object(record_digest)))
    }

    fn object_height(&self, record_digest: &[u8; 32]) -> Result<Option<u64>, RecorderError> {
        self.read(|ledger| ledger.object_height(record_digest))
    }

    fn partition(&self, partition_id: u64) -> Result<Option<PartitionEntry>, RecorderError> {
        self.read(|ledger| ledger.partition(partition_id).cloned())
    }

    fn find_intent(&self, intent: &Intent) -> Result<Option<u64>, RecorderError> {
        self.read(|ledger| ledger.find_intent(intent))
    }

    fn partitions_of(
        &self,
        miner: Option<&Account>,
        validator: Option<&Account>,
    ) -> Result<Vec<u64>, RecorderError> {
        let wanted = |entry: &&PartitionEntry| {
            miner.is_none_or(|miner| entry.intent.miner == *miner)
                && validator.is_none_or(|validator| entry.intent.validator == *validator)
        };
        self.read(|ledger| {
            ledger.partitions().iter().filter(wanted).map(|entry| entry.partition_id).collect()
        })
    }

    fn anchor(&self, height: u64, validator: &Account) -> Result<Option<Anchor>, RecorderError> {
        self.read(|ledger| ledger.anchor(height, validator).copied())
    }
}

/// A simulated chain in memory.
#[derive(Debug)]
pub struct SimulatedRecorder(RwLock<Ledger>);

impl SimulatedRecorder {
    /// A chain of one block.
    pub fn new(settings: SimulationSettings) -> SimulatedRecorder {
        SimulatedRecorder(RwLock::new(Ledger::new(settings)))
    }
}

/// A copy that no longer follows where it was read from; for many questions about one state of a file.
impl From<Ledger> for SimulatedRecorder {
    fn from(ledger: Ledger) -> SimulatedRecorder {
        SimulatedRecorder(RwLock::new(ledger))
    }
}

impl Simulation for SimulatedRecorder {
    fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, RecorderError> {
        Ok(look(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> Result<T, Refusal>) -> Result<T, RecorderError> {
        let mut ledger = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = ledger.clone();
        let result = change(&mut changed)?;
        *ledger = changed;
        Ok(result)
    }
}
