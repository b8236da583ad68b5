//! What miners have committed to: their partitions for this validator as the chain has them, the commitments that they show, held
//! against the chain, and which batches have passed their seal audit.
//!
//! A commitment of an earlier batch is kept for a while, because a challenge is about the one in force at its height.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::commitment::{BATCH_BYTES, Batch, Commitment};
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::{PartitionEntry, Recorder};
use holdfast_engine::registration::{REGISTRATION_BYTES, Registration};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::SIGNATURE_BYTES;
use holdfast_engine::space::record::RECORD_BYTES;
use serde::{Deserialize, Serialize};

use super::ValidatorError;
use super::plan::PartitionFacts;
use super::store::Hex32;
use crate::index::{Changes, Index, Key, Table, TypedTable, transact};

/// Rows of partitions, by 0 and id.
const PARTITIONS: TypedTable<(u8, u64), PartitionRow> = TypedTable::new(Table::Miners);
/// Begins the keys of the bytes of commitments: 1, id, number of batches, number of the part.
const PART_TAG: u8 = 1;
/// Bytes of a commitment in one value of the index.
const PART_BYTES: usize = 1 << 20;
/// Commitments that are kept of one partition.
const VERSIONS_MAX: usize = 3;

/// What is kept of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionRow {
    /// The commitments that are kept, the newest first.
    versions: Vec<VersionRow>,
    /// Numbers of the batches whose seal audit was passed.
    sealed: BTreeSet<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionRow {
    registration_digest: Hex32,
    batches: u64,
    length_bytes: u64,
}

/// What is known of a partition.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The newest first.
    commitments: Vec<Arc<Commitment>>,
    sealed: BTreeSet<usize>,
    sealing: bool,
}

/// A partition as the chain has it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its registration.
    pub registration: Registration,
    /// Its batches.
    pub batches: Vec<Batch>,
}

/// A partition that was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its number.
    pub partition_id: u64,
    /// Whose it was.
    pub miner: Account,
    /// When.
    pub height: u64,
}

/// Partitions of one validator, and what is known of them.
#[derive(Debug)]
pub struct Commitments {
    index: Arc<dyn Index>,
    known: Mutex<BTreeMap<u64, Known>>,
}

impl Recorded {
    /// All partitions for a validator that are registered, have a batch, and are not withdrawn. Blocks, as calls to a recorder do.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn read(recorder: &dyn Recorder, validator: &Account) -> Result<Vec<Recorded>, ValidatorError> {
        let mut found = Vec::new();
        for partition_id in recorder.partitions_of(None, Some(validator))? {
            let entry = recorder.partition(partition_id)?;
            let standing = |entry: &PartitionEntry| entry.withdrawn_at.is_none() && !entry.batches.is_empty();
            let Some(entry) = entry.filter(standing) else { continue };
            let Some(registration) = recorder.registration(partition_id)? else { continue };
            found.push(Recorded { registration, batches: entry.batches });
        }
        Ok(found)
    }

    /// The partitions for a validator that had windows and were withdrawn from a height on. Blocks, as calls to a recorder do.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn withdrawn(
        recorder: &dyn Recorder,
        validator: &Account,
        since: u64,
    ) -> Result<Vec<Withdrawn>, ValidatorError> {
        let mut found = Vec::new();
        for partition_id in recorder.partitions_of(None, Some(validator))? {
            let entry = recorder.partition(partition_id)?.filter(|entry| !entry.batches.is_empty());
            let withdrawn = |entry: PartitionEntry| {
                let height = entry.withdrawn_at.filter(|height| *height >= since)?;
                Some(Withdrawn { partition_id, miner: entry.intent.miner, height })
            };
            found.extend(entry.and_then(withdrawn));
        }
        Ok(found)
    }

    /// Whose it is.
    pub fn miner(&self) -> Account {
        self.registration.intent.miner
    }

    /// The partition's number.
    pub fn partition_id(&self) -> u64 {
        self.registration.partition_id
    }

    /// Exact bytes of its commitment; `None` beyond what memory can address.
    pub fn commitment_bytes(&self) -> Option<usize> {
        let windows = usize::try_from(self.batches.last()?.end).ok()?;
        let table = windows.checked_mul(RECORD_BYTES)?;
        table.checked_add(8 + REGISTRATION_BYTES + SIGNATURE_BYTES + BATCH_BYTES * self.batches.len())
    }

    /// Reads a commitment that the miner shows, and holds it against the chain.
    ///
    /// Refused: as [`Commitment::decode`]; `wrong-record` if it is of another registration or other batches; `bad-signature`.
    pub fn check(&self, bytes: &[u8], policy: &Policy) -> Result<Commitment, Rejection> {
        let commitment = Commitment::decode(bytes)?;
        if commitment.registration != self.registration {
            return Err(Class::WrongRecord.because("the commitment is of another registration"));
        }
        if commitment.batches != self.batches {
            return Err(Class::WrongRecord.because("the commitment has other batches than the chain"));
        }
        if policy.signatures_required || !commitment.signature.is_none() {
            commitment.check_signature()?;
        }
        Ok(commitment)
    }
}

impl Commitments {
    /// What the index holds. A commitment that it does not hold whole is fetched again.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn open(index: Arc<dyn Index>) -> Result<Commitments, ValidatorError> {
        let mut known = BTreeMap::new();
        let mut pages = PARTITIONS.pages(&*index, PARTITIONS.prefix(&0_u8), 256);
        while let Some(page) = pages.next().await? {
            for row in PARTITIONS.rows(&page)? {
                let mut commitments = Vec::new();
                for version in &row.value.versions {
                    commitments.extend(load(&*index, row.key.1, version).await?.map(Arc::new));
                }
                let sealed = row.value.sealed;
                known.insert(row.key.1, Known { commitments, sealed, sealing: false });
            }
        }
        Ok(Commitments { index, known: Mutex::new(known) })
    }

    /// Whether the commitment of these batches is still to be fetched.
    pub fn lacks(&self, recorded: &Recorded) -> bool {
        let digest = recorded.registration.digest();
        self.with(recorded.partition_id(), |known| {
            let newest = known.commitments.first();
            newest.is_none_or(|newest| {
                newest.registration_digest() != digest || newest.batches != recorded.batches
            })
        })
    }

    /// Keeps a commitment that was checked.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn keep(&self, commitment: Commitment) -> Result<(), ValidatorError> {
        let partition_id = commitment.registration.partition_id;
        let bytes = commitment.encode();
        let version = VersionRow {
            registration_digest: Hex32(commitment.registration_digest()),
            batches: commitment.batches.len() as u64,
            length_bytes: bytes.len() as u64,
        };
        for (part, bytes) in (0_u32..).zip(bytes.chunks(PART_BYTES)) {
            let mut changes = Changes::new();
            changes.put(Table::Miners, part_key(partition_id, &version, part), bytes.to_vec());
            self.index.commit(changes).await?;
        }
        let version = &version;
        transact(&*self.index, |work| async move {
            let mut row = PARTITIONS.read(&work, &(0, partition_id)).await?.unwrap_or_default();
            let before = row.versions.clone();
            if row.versions.iter().any(|kept| kept.registration_digest != version.registration_digest) {
                row = PartitionRow::default();
            }
            row.versions.retain(|kept| kept.batches != version.batches);
            row.versions.insert(0, version.clone());
            row.versions.truncate(VERSIONS_MAX);
            PARTITIONS.write(&work, &(0, partition_id), &row)?;
            // A miner that adds batch after batch must not fill our disk.
            let stays = |batches| row.versions.iter().any(|kept| kept.batches == batches);
            for gone in before.iter().filter(|gone| !stays(gone.batches)) {
                part_keys(partition_id, gone).for_each(|key| work.delete(Table::Miners, key));
            }
            Ok::<_, ValidatorError>(())
        })
        .await?;
        self.with(partition_id, |known| {
            let digest = commitment.registration_digest();
            if known.commitments.iter().any(|kept| kept.registration_digest() != digest) {
                *known = Known::default();
            }
            known.commitments.retain(|kept| kept.batches.len() != commitment.batches.len());
            known.commitments.insert(0, Arc::new(commitment));
            known.commitments.truncate(VERSIONS_MAX);
        });
        Ok(())
    }

    /// Forgets all partitions but these, which are those that stand on the chain: a miner that registers, shows and withdraws one
    /// after the other must fill neither our memory nor our disk. Rounds under way keep what they need.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn forget_others(&self, standing: &BTreeSet<u64>) -> Result<(), ValidatorError> {
        let others: Vec<u64> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let other =
                |(id, known): (&u64, &Known)| (!standing.contains(id) && !known.sealing).then_some(*id);
            known.iter().filter_map(other).collect()
        };
        for partition_id in others {
            transact(&*self.index, |work| async move {
                let key = (0, partition_id);
                let row = PARTITIONS.read(&work, &key).await?.unwrap_or_default();
                for version in &row.versions {
                    part_keys(partition_id, version).for_each(|key| work.delete(Table::Miners, key));
                }
                PARTITIONS.remove(&work, &key);
                Ok::<_, ValidatorError>(())
            })
            .await?;
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition_id);
        }
        Ok(())
    }

    /// Notes how the seal audit of a batch ended: one that was not passed has to be passed anew.
    ///
    /// # Errors
    /// Those of the index.
    pub async fn seal_audited(
        &self,
        partition_id: u64,
        batch: usize,
        passed: bool,
    ) -> Result<(), ValidatorError> {
        let note = |sealed: &mut BTreeSet<usize>| match passed {
            true => sealed.insert(batch),
            false => sealed.remove(&batch),
        };
        transact(&*self.index, |work| async move {
            let Some(mut row) = PARTITIONS.read(&work, &(0, partition_id)).await? else { return Ok(()) };
            note(&mut row.sealed);
            PARTITIONS.write(&work, &(0, partition_id), &row)?;
            Ok::<_, ValidatorError>(())
        })
        .await?;
        self.with(partition_id, |known| note(&mut known.sealed));
        Ok(())
    }

    /// Notes whether a seal audit of a partition is under way.
    pub fn set_sealing(&self, partition_id: u64, sealing: bool) {
        self.with(partition_id, |known| known.sealing = sealing);
    }

    /// What a plan needs to know of a partition at a height.
    pub fn facts(&self, recorded: &Recorded, height: u64, finality_blocks: u64) -> PartitionFacts {
        let digest = recorded.registration.digest();
        let known = self.with(recorded.partition_id(), |known| known.clone());
        let mut of_registration =
            known.commitments.into_iter().filter(|kept| kept.registration_digest() == digest);
        PartitionFacts {
            registration: recorded.registration,
            batches: recorded.batches.clone(),
            commitment: of_registration.find(|kept| kept.in_force(height, finality_blocks).is_ok()),
            sealed: known.sealed,
            sealing: known.sealing,
        }
    }

    fn with<T>(&self, partition_id: u64, look: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        look(known.entry(partition_id).or_default())
    }
}

fn part_key(partition_id: u64, version: &VersionRow, part: u32) -> Bytes {
    ((PART_TAG, partition_id, version.batches), part).to_bytes().into()
}

/// The keys of all parts of a version.
fn part_keys(partition_id: u64, version: &VersionRow) -> impl Iterator<Item = Bytes> + use<'_> {
    let parts = version.length_bytes.div_ceil(PART_BYTES as u64);
    (0..u32::try_from(parts).unwrap_or(u32::MAX)).map(move |part| part_key(partition_id, version, part))
}

/// The commitment of a version, if all of its bytes are there and right.
async fn load(
    index: &dyn Index,
    partition_id: u64,
    version: &VersionRow,
) -> Result<Option<Commitment>, ValidatorError> {
    let mut bytes = Vec::new();
    for key in part_keys(partition_id, version) {
        let Some(found) = index.get(Table::Miners, &key).await? else {
            return Ok(None);
        };
        bytes.extend_from_slice(&found);
    }
    let of_version = |commitment: &Commitment| {
        commitment.registration_digest() == version.registration_digest.0
            && commitment.batches.len() as u64 == version.batches
    };
    Ok(Commitment::decode(&bytes).ok().filter(of_version))
}

#[cfg(test)]
mod tests;
