//! What a validator keeps of one partition (space-v1 §7): registration, batches, window table.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::codec::Reader;
use crate::registration::{REGISTRATION_BYTES, Registration};
use crate::rejection::{Class, Rejection};
use crate::signature::{SIGNATURE_BYTES, Signature, verify};
use crate::space::record::{RECORD_BYTES, WindowRecord};

const TAG: &[u8; 4] = b"HFC1";
/// Bytes of a batch.
pub const BATCH_BYTES: usize = 48;
/// Most batches of a partition.
pub const BATCHES_MAX: usize = 4096;
const HEADER_BYTES: usize = 8 + REGISTRATION_BYTES + SIGNATURE_BYTES;
/// Records encoded and hashed at a time: enough for the hash's widest lanes.
const HASHED_RECORDS: usize = 64;

/// At `height` the recorder recorded that the partition has windows 0 … `end` − 1, with this root of their table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Windows the partition has from then on.
    pub end: u64,
    /// Height of the block that recorded it.
    pub height: u64,
    /// Root of the window table.
    #[serde(with = "hex::serde")]
    pub partition_root: [u8; 32],
}

/// Bytes of a commitment with so many batches and windows.
pub fn encoded_bytes(batches: u64, windows: u64) -> u64 {
    let [header, batch, record] = [HEADER_BYTES, BATCH_BYTES, RECORD_BYTES].map(|bytes| bytes as u64);
    header.saturating_add(batch.saturating_mul(batches)).saturating_add(record.saturating_mul(windows))
}

/// The fields of a commitment, not checked against one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentFields {
    /// The registration.
    pub registration: Registration,
    /// The miner's signature over [`Commitment::signing_digest`], or none.
    pub signature: Signature,
    /// The batches, in the order of their heights.
    pub batches: Vec<Batch>,
    /// The window table.
    pub records: Vec<WindowRecord>,
}

/// A commitment that agrees with itself and its registration. Its fields are read through [`CommitmentFields`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    fields: CommitmentFields,
    registration_digest: [u8; 32],
    last_batch: Batch,
}

impl std::ops::Deref for Commitment {
    type Target = CommitmentFields;

    fn deref(&self) -> &CommitmentFields {
        &self.fields
    }
}

impl Commitment {
    /// Checks everything that space-v1 §7 asks for except what needs the network's finality depth
    /// ([`crate::challenge::Challenge::check_against`]) and the signature.
    ///
    /// Refused: `wrong-record`, `malformed` (no batch, or too many).
    pub fn new(fields: CommitmentFields) -> Result<Commitment, Rejection> {
        let last_batch = check_batches(&fields)?;
        check_records(&fields)?;
        check_roots(&fields)?;
        let registration_digest = fields.registration.digest();
        Ok(Commitment { fields, registration_digest, last_batch })
    }

    /// Reads and checks a commitment.
    ///
    /// Refused: `malformed`, `wrong-length`, and as [`Commitment::new`].
    pub fn decode(bytes: &[u8]) -> Result<Commitment, Rejection> {
        let mut reader = Reader::new("commitment", bytes);
        reader.tag(TAG)?;
        let batch_count = reader.u32()?;
        let registration = Registration::read(&mut reader)?;
        let signature = Signature(reader.array()?);
        let (batches, table) = split_table(batch_count, reader.rest())?;
        let (batches, _) = batches.as_chunks::<BATCH_BYTES>();
        let batches: Vec<Batch> = batches.iter().map(Batch::decode).collect::<Result<_, _>>()?;
        let (records, _) = table.as_chunks::<RECORD_BYTES>();
        let records = records.iter().map(|record| WindowRecord::decode(record)).collect::<Result<_, _>>()?;
        Commitment::new(CommitmentFields { registration, signature, batches, records })
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let length = encoded_bytes(self.batches.len() as u64, self.records.len() as u64);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        bytes.extend_from_slice(TAG);
        let batch_count = u32::try_from(self.batches.len()).expect("checked to be at most 4,096");
        bytes.extend_from_slice(&batch_count.to_le_bytes());
        bytes.extend_from_slice(&self.registration.encode());
        bytes.extend_from_slice(&self.signature.0);
        for batch in &self.batches {
            bytes.extend_from_slice(&batch.end.to_le_bytes());
            bytes.extend_from_slice(&batch.height.to_le_bytes());
            bytes.extend_from_slice(&batch.partition_root);
        }
        for record in &self.records {
            bytes.extend_from_slice(&record.encode());
        }
        bytes
    }

    /// The commitment that a challenge of this height is about (space-v1 §7): as it was after the last batch that was
    /// F = `finality_blocks` blocks old then, however many batches came since. The signature, which is over the last batch
    /// of all, goes with the last batch only.
    ///
    /// Refused: `not-final` (no batch was old enough), `wrong-record` (some of the windows of then were trimmed since, so
    /// that their records are only in the commitment of then, which a validator keeps as long as it is in force).
    pub fn in_force(&self, height: u64, finality_blocks: u64) -> Result<Cow<'_, Commitment>, Rejection> {
        let settled = settled_batches(&self.batches, height, finality_blocks);
        let Some(&last_batch) = settled.last() else {
            return Err(Class::NotFinal
                .because(format!("at height {height} no batch was {finality_blocks} blocks old")));
        };
        if settled.len() == self.batches.len() {
            return Ok(Cow::Borrowed(self));
        }
        let records = usize::try_from(last_batch.end).ok().and_then(|end| self.records.get(..end));
        let Some(records) = records else {
            let (end, at, now) = (last_batch.end, last_batch.height, self.records.len());
            return Err(Class::WrongRecord.because(format!(
                "at height {height} the batch of height {at} with {end} windows was in force, and only {now} are left; \
                 take the commitment of then"
            )));
        };
        let fields = CommitmentFields {
            registration: self.registration,
            signature: Signature::NONE,
            batches: settled.to_vec(),
            records: records.to_vec(),
        };
        // What holds of all batches and records holds of the first of each, and the last batch's root was checked.
        Ok(Cow::Owned(Commitment { fields, registration_digest: self.registration_digest, last_batch }))
    }

    /// Digest of the registration.
    pub fn registration_digest(&self) -> [u8; 32] {
        self.registration_digest
    }

    /// The batch that describes the partition as it is now.
    pub fn last_batch(&self) -> Batch {
        self.last_batch
    }

    /// Windows of the partition: at least one.
    pub fn window_count(&self) -> u64 {
        self.last_batch.end
    }

    /// Root of the window table.
    pub fn partition_root(&self) -> [u8; 32] {
        self.last_batch.partition_root
    }

    /// Record of a window, if the partition has it.
    pub fn record(&self, window: u64) -> Option<&WindowRecord> {
        self.records.get(usize::try_from(window).ok()?)
    }

    /// What the miner signs.
    pub fn signing_digest(&self) -> [u8; 32] {
        self.registration.commitment_signing_digest(self.window_count(), &self.partition_root())
    }

    /// Checks the miner's signature, for networks that ask for one.
    ///
    /// Refused: `bad-signature` (also when there is none).
    pub fn check_signature(&self) -> Result<(), Rejection> {
        verify(&self.registration.intent.miner, &self.signing_digest(), &self.signature)
    }

    /// The windows that batch number `batch` added and that still exist: what a seal audit is about. `None` if there are
    /// none.
    pub fn added_windows(&self, batch: usize) -> Option<Range<u64>> {
        added_windows(&self.batches, batch)
    }
}

/// The batches that are F blocks old at this height: the last of them is in force, and challenges are about it.
pub fn settled_batches(batches: &[Batch], height: u64, finality_blocks: u64) -> &[Batch] {
    let young = |batch: &Batch| batch.height.saturating_add(finality_blocks) > height;
    batches.split_at(batches.iter().position(young).unwrap_or(batches.len())).0
}

/// The windows that batch number `batch` added and that were never trimmed since. What was trimmed and added again is the later
/// batch's: its records may be others, and no seal audit of the earlier batch was about them.
pub fn added_windows(batches: &[Batch], batch: usize) -> Option<Range<u64>> {
    let start = batch.checked_sub(1).map_or(Some(0), |before| Some(batches.get(before)?.end))?;
    let end = batches.get(batch..)?.iter().map(|batch| batch.end).min()?;
    (start < end).then_some(start..end)
}

impl Batch {
    fn decode(bytes: &[u8; BATCH_BYTES]) -> Result<Batch, Rejection> {
        let mut reader = Reader::new("batch", bytes);
        Ok(Batch { end: reader.u64()?, height: reader.u64()?, partition_root: reader.array()? })
    }
}

/// Splits what follows the header into batches and table, of exactly the lengths that the last batch demands.
fn split_table(batch_count: u32, rest: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let count = usize::try_from(batch_count).unwrap_or(usize::MAX);
    if !(1..=BATCHES_MAX).contains(&count) {
        return Err(Class::Malformed.because(format!("{count} batches; there are 1 to {BATCHES_MAX}")));
    }
    let split = rest.split_at_checked(BATCH_BYTES * count);
    let (batches, table) = split.ok_or_else(|| {
        Class::WrongLength.because(format!("{} bytes end within {count} batches", rest.len()))
    })?;
    let last = batches.as_chunks::<BATCH_BYTES>().0.last().map(Batch::decode).transpose()?;
    let windows = last.map_or(0, |batch| batch.end);
    if windows.checked_mul(RECORD_BYTES as u64) != Some(table.len() as u64) {
        let found = table.len();
        return Err(
            Class::WrongLength.because(format!("a window table of {found} bytes for {windows} windows"))
        );
    }
    Ok((batches, table))
}

/// Batches follow one another and stay within the cap; returns the last.
fn check_batches(fields: &CommitmentFields) -> Result<Batch, Rejection> {
    let batches = &fields.batches;
    let last = batches.last().filter(|_| batches.len() <= BATCHES_MAX).copied();
    let last = last.ok_or_else(|| Class::Malformed.because(format!("{} batches", batches.len())))?;
    let (mut end, mut height) = (0, fields.registration.intent_height);
    for (i, batch) in batches.iter().enumerate() {
        let cap = fields.registration.intent.window_cap;
        if batch.end == end || !(1..=cap).contains(&batch.end) {
            let found = batch.end;
            return Err(Class::WrongRecord
                .because(format!("batch {i} ends at {found}, after {end}, with a cap of {cap} windows")));
        }
        if batch.height <= height {
            let found = batch.height;
            return Err(
                Class::WrongRecord.because(format!("batch {i} at height {found}, not above {height}"))
            );
        }
        (end, height) = (batch.end, batch.height);
    }
    if last.end != fields.records.len() as u64 {
        let records = fields.records.len();
        return Err(Class::WrongRecord.because(format!("{records} records, but {} windows", last.end)));
    }
    Ok(last)
}

/// Every record is that of its window in this partition, and none says the same as another.
fn check_records(fields: &CommitmentFields) -> Result<(), Rejection> {
    let registration = &fields.registration;
    let mut roots = HashSet::with_capacity(2 * fields.records.len());
    for (window, record) in (0..).zip(&fields.records) {
        let wrong = |what: &str| Err(Class::WrongRecord.because(format!("record {window}: {what}")));
        if record.shape != registration.intent.shape {
            return wrong("k or ℓ is not the registration's");
        }
        if record.window != window {
            return wrong(&format!("it says it is window {}", record.window));
        }
        if record.window_key != registration.window_key(window) {
            return wrong("the window key is not derived from the registration");
        }
        if !roots.insert(record.root) || !roots.insert(record.layers_root) {
            return wrong("its root or layers root occurs twice");
        }
    }
    Ok(())
}

/// Every batch whose windows still exist has the root of that many records of the table, so windows that an earlier seal
/// audit was about cannot be exchanged by a later batch. The table is hashed once.
fn check_roots(fields: &CommitmentFields) -> Result<(), Rejection> {
    let mut batches: Vec<&Batch> = fields.batches.iter().collect();
    batches.sort_by_key(|batch| batch.end);
    let mut hasher = blake3::Hasher::new();
    let mut hashed = 0;
    for batch in batches {
        let Some(records) = usize::try_from(batch.end).ok().and_then(|end| fields.records.get(hashed..end))
        else {
            return Ok(()); // this batch and all that follow were trimmed since
        };
        for part in records.chunks(HASHED_RECORDS) {
            let bytes: Vec<[u8; RECORD_BYTES]> = part.iter().map(WindowRecord::encode).collect();
            hasher.update(bytes.as_flattened());
        }
        hashed += records.len();
        if *hasher.finalize().as_bytes() != batch.partition_root {
            let (end, height) = (batch.end, batch.height);
            return Err(Class::WrongRecord.because(format!(
                "the first {end} records do not have the partition root recorded at height {height}"
            )));
        }
    }
    Ok(())
}
