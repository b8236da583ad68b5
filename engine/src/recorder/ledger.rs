//! The simulated chain's state and rules, kept in memory or in a file.

use serde::{Deserialize, Serialize};

use super::{
    Anchor, AnchorClaim, BATCHES_MAX, Batch, BatchClaim, PartitionEntry, PartitionId, RecordedObject, Refusal,
};
use crate::account::Account;
use crate::registration::{Intent, network_digest};
use crate::signature::{Signature, verify};
use crate::transcript::Context;

/// What a simulated chain is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulationSettings {
    /// The network that it plays.
    #[serde(with = "hex::serde")]
    pub network: [u8; 32],
    /// All beacons follow from it, so equal calls give equal chains.
    #[serde(with = "hex::serde")]
    pub seed: [u8; 32],
    /// F, at least 1: with 0 the registration beacon would be known when the intent is recorded.
    pub finality_blocks: std::num::NonZeroU64,
    /// Whether unsigned calls are refused.
    pub signatures_required: bool,
}

impl Default for SimulationSettings {
    /// Network number 0 of an all-zero genesis, an all-zero seed, F = 8, signatures optional.
    fn default() -> SimulationSettings {
        SimulationSettings {
            network: network_digest(&[0; 32], 0),
            seed: [0; 32],
            finality_blocks: const { std::num::NonZeroU64::new(8).unwrap() },
            signatures_required: false,
        }
    }
}

/// A simulated chain. Calls are recorded in the newest block; blocks come by [`Ledger::advance`] only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    settings: SimulationSettings,
    height: u64,
    /// First heights of the reorganisations so far: block h stands on as many of them as are not above it.
    reorganisations: Vec<u64>,
    /// Height of the newest block when finality stopped, while it stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finality_stalled_at: Option<u64>,
    /// Partition i at place i.
    partitions: Vec<PartitionEntry>,
    anchors: Vec<Anchor>,
    /// In the order in which they were recorded. Files of before there were any lack it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    objects: Vec<RecordedObject>,
}

impl Ledger {
    /// A chain of one block, at height 0.
    pub fn new(settings: SimulationSettings) -> Ledger {
        Ledger {
            settings,
            height: 0,
            reorganisations: vec![],
            finality_stalled_at: None,
            partitions: vec![],
            anchors: vec![],
            objects: vec![],
        }
    }

    /// What it is made of.
    pub fn settings(&self) -> &SimulationSettings {
        &self.settings
    }

    /// Height of the newest block.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Adds empty blocks; returns the newest height.
    pub fn advance(&mut self, blocks: u64) -> u64 {
        self.height = self.height.saturating_add(blocks);
        self.height
    }

    /// The newest block that can no longer change: F blocks stand on it, or stood on it when finality stopped.
    pub fn finalized_height(&self) -> Option<u64> {
        let newest = self.finality_stalled_at.unwrap_or(self.height);
        newest.checked_sub(self.settings.finality_blocks.get())
    }

    /// From now on no block becomes final, so that reorganisations reach as deep as blocks are added.
    pub fn stall_finality(&mut self) {
        self.finality_stalled_at.get_or_insert(self.height);
    }

    /// Blocks are final again when F blocks stand on them.
    pub fn resume_finality(&mut self) {
        self.finality_stalled_at = None;
    }

    /// `derive(simulated beacon, seed ‖ height u64 ‖ reorganisations below u64)`.
    pub fn beacon(&self, height: u64) -> Option<[u8; 32]> {
        let fork = self.reorganisations.iter().filter(|first| **first <= height).count() as u64;
        let parts = [&self.settings.seed[..], &height.to_le_bytes(), &fork.to_le_bytes()];
        (height <= self.height).then(|| Context::SIMULATED_BEACON.derive(&parts))
    }

    /// Replaces the blocks from `first` on, none of which is final, by others with the same calls. Registrations that
    /// took a beacon from there change, so what was committed under them is dropped.
    pub fn reorganise(&mut self, first: u64) -> Result<(), Refusal> {
        let newest = self.height;
        let finality_blocks = self.settings.finality_blocks.get();
        if first > newest {
            return Err(Refusal::NoSuchBlock { height: first, newest });
        }
        if Some(first) <= self.finalized_height() {
            return Err(Refusal::Final { height: first, newest });
        }
        self.reorganisations.push(first);
        for entry in &mut self.partitions {
            if entry.intent_height.saturating_add(finality_blocks) >= first {
                entry.batches.clear();
            }
        }
        Ok(())
    }

    /// See [`super::Recorder::record_intent`].
    pub fn record_intent(&mut self, intent: &Intent, signature: &Signature) -> Result<PartitionId, Refusal> {
        if intent.network != self.settings.network {
            let (found, expected) = (hex::encode(intent.network), hex::encode(self.settings.network));
            return Err(Refusal::WrongNetwork { found, expected });
        }
        self.check(&intent.miner, || intent.signing_digest(), signature, "intent")?;
        if let Some(partition_id) = self.find_intent(intent) {
            return Err(Refusal::RepeatedIntent { partition_id });
        }
        // Below `PARTITION_IDS` however long the chain: memory holds fewer than 2^63 of anything.
        let (partition_id, intent_height) = (self.partitions.len() as u64, self.height);
        self.partitions.push(PartitionEntry {
            partition_id,
            intent: *intent,
            signature: *signature,
            intent_height,
            batches: vec![],
            withdrawn_at: None,
        });
        Ok(PartitionId { partition_id, intent_height })
    }

    /// See [`super::Recorder::record_batch`].
    pub fn record_batch(&mut self, claim: &BatchClaim) -> Result<u64, Refusal> {
        let entry = self.standing(claim.partition_id)?;
        self.check_batch(entry, claim)?;
        let (end, height, partition_root) = (claim.end, self.height, claim.partition_root);
        self.entry_mut(claim.partition_id)?.batches.push(Batch { end, height, partition_root });
        Ok(height)
    }

    fn check_batch(&self, entry: &PartitionEntry, claim: &BatchClaim) -> Result<(), Refusal> {
        let (height, end, partition_id) = (self.height, claim.end, claim.partition_id);
        let beacon_height = entry.intent_height.saturating_add(self.settings.finality_blocks.get());
        let Some(beacon) = self.beacon(beacon_height) else {
            return Err(Refusal::NotRegistered { partition_id, beacon_height, height });
        };
        let registration = entry.registration(beacon);
        if claim.registration_digest != registration.digest() {
            return Err(Refusal::WrongRegistration { partition_id });
        }
        let window_cap = entry.intent.window_cap;
        if !(1..=window_cap).contains(&end) {
            return Err(Refusal::OutsideCap { partition_id, end, window_cap });
        }
        if let Some(last) = entry.batches.last() {
            if last.end == end {
                return Err(Refusal::Replaced { partition_id, end });
            }
            if last.height >= height {
                return Err(Refusal::SameHeight { partition_id, height });
            }
        }
        let batches = entry.batches.len();
        if batches >= BATCHES_MAX {
            return Err(Refusal::TooManyBatches { partition_id, batches });
        }
        let digest = || registration.commitment_signing_digest(end, &claim.partition_root);
        self.check(&entry.intent.miner, digest, &claim.signature, "commitment")
    }

    /// See [`super::Recorder::withdraw`].
    pub fn withdraw(&mut self, partition_id: u64, signature: &Signature) -> Result<u64, Refusal> {
        let entry = self.standing(partition_id)?;
        let digest = || entry.withdrawal_signing_digest();
        self.check(&entry.intent.miner, digest, signature, "withdrawal")?;
        let height = self.height;
        self.entry_mut(partition_id)?.withdrawn_at = Some(height);
        Ok(height)
    }

    /// See [`super::Recorder::record_anchor`].
    pub fn record_anchor(&mut self, claim: &AnchorClaim) -> Result<u64, Refusal> {
        let AnchorClaim { height, validator, root, count, ref signature } = *claim;
        let newest = self.height;
        if height > newest {
            return Err(Refusal::NoSuchBlock { height, newest });
        }
        self.check(&validator, || claim.signing_digest(&self.settings.network), signature, "anchor")?;
        if self.anchor(height, &validator).is_some() {
            return Err(Refusal::RepeatedAnchor { height });
        }
        self.anchors.push(Anchor { height, validator, root, count, recorded_at: newest });
        Ok(newest)
    }

    /// See [`super::Recorder::record_object`].
    pub fn record_object(&mut self, record_digest: &[u8; 32]) -> u64 {
        let height = self.height;
        self.object_height(record_digest).unwrap_or_else(|| {
            self.objects.push(RecordedObject { record_digest: *record_digest, height });
            height
        })
    }

    /// At which height the digest of an object's record was recorded.
    pub fn object_height(&self, record_digest: &[u8; 32]) -> Option<u64> {
        self.objects.iter().find(|object| object.record_digest == *record_digest).map(|object| object.height)
    }

    /// What is recorded of a partition.
    pub fn partition(&self, partition_id: u64) -> Option<&PartitionEntry> {
        self.partitions.get(usize::try_from(partition_id).ok()?)
    }

    /// The partition that an intent was recorded as.
    pub fn find_intent(&self, intent: &Intent) -> Option<u64> {
        self.partitions.iter().find(|entry| entry.intent == *intent).map(|entry| entry.partition_id)
    }

    /// All partitions, in the order of their ids.
    pub fn partitions(&self) -> &[PartitionEntry] {
        &self.partitions
    }

    /// A validator's anchor of the round at a height.
    pub fn anchor(&self, height: u64, validator: &Account) -> Option<&Anchor> {
        self.anchors.iter().find(|anchor| anchor.height == height && anchor.validator == *validator)
    }

    /// What a chain that was read from a file must satisfy; says what it does not.
    pub(super) fn check_consistency(&self) -> Result<(), String> {
        if self.finality_stalled_at > Some(self.height) {
            return Err("finality stopped in the future".to_owned());
        }
        for (place, entry) in self.partitions.iter().enumerate() {
            let id = entry.partition_id;
            if id != place as u64 {
                return Err(format!("partition {id} stands at place {place}"));
            }
            let heights = entry.batches.iter().map(|batch| batch.height);
            if !heights.clone().is_sorted_by(|a, b| a < b)
                || heights.chain([entry.intent_height]).max() > Some(self.height)
            {
                return Err(format!("the heights of partition {id} are out of order"));
            }
        }
        if !self.objects.is_sorted_by_key(|object| object.height)
            || self.objects.last().is_some_and(|object| object.height > self.height)
        {
            return Err("the heights of object records are out of order".to_owned());
        }
        match self
            .anchors
            .iter()
            .find(|anchor| anchor.height > anchor.recorded_at || anchor.recorded_at > self.height)
        {
            Some(anchor) => Err(format!("the anchor of height {} is from the future", anchor.height)),
            None => Ok(()),
        }
    }

    /// A partition that was not withdrawn.
    fn standing(&self, partition_id: u64) -> Result<&PartitionEntry, Refusal> {
        let entry = self.partition(partition_id).ok_or(Refusal::UnknownPartition { partition_id })?;
        match entry.withdrawn_at {
            Some(height) => Err(Refusal::Withdrawn { partition_id, height }),
            None => Ok(entry),
        }
    }

    fn entry_mut(&mut self, partition_id: u64) -> Result<&mut PartitionEntry, Refusal> {
        let place = usize::try_from(partition_id).ok();
        let entry = place.and_then(|place| self.partitions.get_mut(place));
        entry.ok_or(Refusal::UnknownPartition { partition_id })
    }

    fn check(
        &self,
        account: &Account,
        digest: impl FnOnce() -> [u8; 32],
        signature: &Signature,
        what: &'static str,
    ) -> Result<(), Refusal> {
        if !signature.is_none() {
            return verify(account, &digest(), signature).map_err(Refusal::Signature);
        }
        if self.settings.signatures_required { Err(Refusal::Unsigned { what }) } else { Ok(()) }
    }
}
