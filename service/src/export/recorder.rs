//! The recorder that an export replaces: what was recorded, as the export has it.

use std::collections::{BTreeMap, HashMap};

use holdfast_engine::account::Account;
use holdfast_engine::commitment::BATCHES_MAX;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::recorder::{
    Anchor, AnchorClaim, Batch, BatchClaim, PartitionEntry, PartitionId, Recorder, RecorderError, Refusal,
};
use holdfast_engine::registration::{Intent, Registration};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::Signature;

use super::limits::KEPT_ROWS_MAX;
use super::timely::AnchorIndex;
use super::{
    BlockRow, ExportError, ExportReader, ExportSettings, PartitionChange, PartitionRow, RecordRow, Table,
};

/// What an export says is recorded. It agrees with itself; whether it is what a chain has, only the chain knows.
#[derive(Debug)]
pub struct ExportedRecorder {
    settings: ExportSettings,
    first_height: u64,
    hashes: Vec<[u8; 32]>,
    partitions: BTreeMap<u64, Partition>,
    records: Vec<SignedRecord>,
    record_heights: HashMap<[u8; 32], u64>,
    pub(super) anchors: AnchorIndex,
}

/// A partition with the beacon of its registration, whose block may be older than the export's first.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) entry: PartitionEntry,
    pub(super) beacon: [u8; 32],
}

impl ExportedRecorder {
    /// Reads what is recorded: all tables but receipts and events. It is kept in memory, but for the pairs of anchors.
    ///
    /// # Errors
    /// `Rejected`: see [`ExportReader::rows`]; as `wrong-record` where tables contradict each other or a block that is needed is
    /// missing; as `wrong-length` where a table has more rows than can be kept (2^24). `File`.
    pub fn read(reader: &ExportReader) -> Result<ExportedRecorder, ExportError> {
        for table in [Table::Blocks, Table::Partitions, Table::Records] {
            let (_, rows) = reader.counts(table);
            if rows > KEPT_ROWS_MAX {
                let detail = format!("{rows} rows; {KEPT_ROWS_MAX} is the most that is kept");
                let rejection = Class::WrongLength.because(detail);
                return Err(ExportError::rejected(reader.root().join(table.name()), rejection));
            }
        }
        let mut recorder = ExportedRecorder {
            settings: *reader.settings(),
            first_height: 0,
            hashes: Vec::new(),
            partitions: BTreeMap::new(),
            records: Vec::new(),
            record_heights: HashMap::new(),
            anchors: AnchorIndex::read(reader, KEPT_ROWS_MAX)?,
        };
        for rows in reader.rows::<BlockRow>() {
            let rows = rows?;
            if let Some(first) = rows.first().filter(|_| recorder.hashes.is_empty()) {
                recorder.first_height = first.height;
            }
            recorder.hashes.extend(rows.iter().map(|row| row.hash));
        }
        for rows in reader.rows::<PartitionRow>() {
            for row in rows? {
                let taken = recorder.take_change(&row);
                let place = |rejection| {
                    ExportError::rejected(reader.place_of(Table::Partitions, row.number), rejection)
                };
                taken
                    .map_err(|Rejection { class, detail }| {
                        class.because(format!("row {}: {detail}", row.number))
                    })
                    .map_err(place)?;
            }
        }
        for rows in reader.rows::<RecordRow>() {
            for RecordRow { recorded_at, record, .. } in rows? {
                recorder.record_heights.entry(record.record.digest()).or_insert(recorded_at);
                recorder.records.push(record);
            }
        }
        recorder.check_blocks().map_err(|rejection| {
            ExportError::rejected(reader.root().join(Table::Blocks.name()), rejection)
        })?;
        Ok(recorder)
    }

    /// Lowest and highest block; none without one.
    pub fn heights(&self) -> Option<(u64, u64)> {
        let above = (self.hashes.len() as u64).checked_sub(1)?;
        Some((self.first_height, self.first_height.saturating_add(above)))
    }

    /// The records of objects, in their order.
    pub fn records(&self) -> &[SignedRecord] {
        &self.records
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.values()
    }

    pub(super) fn settings(&self) -> &ExportSettings {
        &self.settings
    }

    fn take_change(&mut self, row: &PartitionRow) -> Result<(), Rejection> {
        let (partition_id, height) = (row.partition_id, row.height);
        let wrong =
            |detail: String| Err(Class::WrongRecord.because(format!("partition {partition_id}: {detail}")));
        if let PartitionChange::Intent { intent, signature, beacon } = row.change {
            let entry = PartitionEntry {
                partition_id,
                intent,
                signature,
                intent_height: height,
                batches: vec![],
                withdrawn_at: None,
            };
            return match self.partitions.insert(partition_id, Partition { entry, beacon }) {
                None => Ok(()),
                Some(_) => wrong("recorded twice".to_owned()),
            };
        }
        let Some(Partition { entry, .. }) = self.partitions.get_mut(&partition_id) else {
            return wrong("changed before it was recorded".to_owned());
        };
        let last = entry.batches.last();
        let (last_end, last_height) =
            last.map_or((0, entry.intent_height), |batch| (batch.end, batch.height));
        if entry.withdrawn_at.is_some() {
            return wrong(format!("changed at height {height}, after it was withdrawn"));
        }
        let PartitionChange::Batch { end, partition_root } = row.change else {
            if height < last_height {
                return wrong(format!(
                    "withdrawn at height {height}, before its last change at {last_height}"
                ));
            }
            entry.withdrawn_at = Some(height);
            return Ok(());
        };
        let cap = entry.intent.window_cap;
        if height <= last_height || end == last_end || !(1..=cap).contains(&end) {
            return wrong(format!(
                "a batch of {end} windows at height {height}, after {last_end} of {cap} at {last_height}"
            ));
        }
        if entry.batches.len() >= BATCHES_MAX {
            return wrong(format!("more than {BATCHES_MAX} batches"));
        }
        entry.batches.push(Batch { end, height, partition_root });
        Ok(())
    }

    /// The blocks go back far enough for every audit there could have been, and beacons are those of blocks.
    fn check_blocks(&self) -> Result<(), Rejection> {
        let Some((first, _)) = self.heights() else { return Ok(()) };
        let finality_blocks = self.settings.finality_blocks.get();
        for Partition { entry, beacon } in self.partitions.values() {
            let (id, beacon_height) =
                (entry.partition_id, entry.intent_height.saturating_add(finality_blocks));
            if self.hash(beacon_height).is_some_and(|hash| hash != *beacon) {
                return Err(Class::WrongRecord
                    .because(format!("partition {id} has another beacon than block {beacon_height} has")));
            }
            let audited = entry.batches.first().map(|batch| batch.height.saturating_add(finality_blocks));
            if audited.is_some_and(|height| height < first) {
                return Err(Class::WrongRecord.because(format!(
                    "they begin at height {first}, after the first audits of partition {id}"
                )));
            }
        }
        let heights = self.records.iter().map(|record| record.record.height.saturating_add(finality_blocks));
        match heights.min().filter(|height| *height < first) {
            Some(height) => Err(Class::WrongRecord
                .because(format!("they begin at height {first}; an object can be audited from {height} on"))),
            None => Ok(()),
        }
    }

    fn hash(&self, height: u64) -> Option<[u8; 32]> {
        let place = usize::try_from(height.checked_sub(self.first_height)?).ok()?;
        self.hashes.get(place).copied()
    }
}

impl Recorder for ExportedRecorder {
    fn network(&self) -> Result<[u8; 32], RecorderError> {
        Ok(self.settings.network)
    }

    fn finality_blocks(&self) -> Result<u64, RecorderError> {
        Ok(self.settings.finality_blocks.get())
    }

    fn height(&self) -> Result<u64, RecorderError> {
        Ok(self.heights().map_or(0, |(_, last)| last))
    }

    fn beacon(&self, height: u64) -> Result<Option<[u8; 32]>, RecorderError> {
        Ok(self.hash(height))
    }

    fn record_intent(&self, _: &Intent, _: &Signature) -> Result<PartitionId, RecorderError> {
        Err(Refusal::ReadOnly.into())
    }

    fn record_batch(&self, _: &BatchClaim) -> Result<u64, RecorderError> {
        Err(Refusal::ReadOnly.into())
    }

    fn withdraw(&self, _: u64, _: &Signature) -> Result<u64, RecorderError> {
        Err(Refusal::ReadOnly.into())
    }

    fn record_anchor(&self, _: &AnchorClaim) -> Result<u64, RecorderError> {
        Err(Refusal::ReadOnly.into())
    }

    fn record_object(&self, _: &[u8; 32]) -> Result<u64, RecorderError> {
        Err(Refusal::ReadOnly.into())
    }

    fn object_height(&self, record_digest: &[u8; 32]) -> Result<Option<u64>, RecorderError> {
        Ok(self.record_heights.get(record_digest).copied())
    }

    fn partition(&self, partition_id: u64) -> Result<Option<PartitionEntry>, RecorderError> {
        Ok(self.partitions.get(&partition_id).map(|partition| partition.entry.clone()))
    }

    fn find_intent(&self, intent: &Intent) -> Result<Option<u64>, RecorderError> {
        let mut entries = self.partitions.values().map(|partition| &partition.entry);
        Ok(entries.find(|entry| entry.intent == *intent).map(|entry| entry.partition_id))
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
        let entries = self.partitions.values().map(|partition| &partition.entry).filter(wanted);
        Ok(entries.map(|entry| entry.partition_id).collect())
    }

    fn anchor(&self, height: u64, validator: &Account) -> Result<Option<Anchor>, RecorderError> {
        Ok(self.anchors.get(height).filter(|anchor| anchor.validator == *validator).copied())
    }

    /// With the beacon of the partition's row: its block may be older than the export's first.
    fn registration(&self, partition_id: u64) -> Result<Option<Registration>, RecorderError> {
        match self.partitions.get(&partition_id) {
            Some(Partition { entry, beacon }) => Ok(Some(entry.registration(*beacon))),
            None => Err(Refusal::UnknownPartition { partition_id }.into()),
        }
    }
}
