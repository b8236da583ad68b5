//! From filled partitions to what validators keep: batches with the recorder, and commitments.

use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::recorder::{BatchClaim, Recorder, Simulation};
use holdfast_engine::registration::Registration;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_partition::io::IoChoice;
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::{OpenMode, PartitionFile};

use crate::local::allocation::NamedAccount;
use crate::local::console::Console;
use crate::local::disks::Disk;
use crate::local::failure::Failure;

/// The records of a partition, if every window has one.
fn records(file: &PartitionFile) -> Result<Option<Vec<WindowRecord>>, Failure> {
    records_of_first(file.windows().map_err(|error| Failure::partition("partition", error))?, file)
}

/// The records of the first windows of a partition, if each has one.
fn records_of_first(windows: u64, file: &PartitionFile) -> Result<Option<Vec<WindowRecord>>, Failure> {
    let failed = |error| Failure::partition("partition", error);
    let mut records = Vec::new();
    for window in 0..windows {
        // A damaged window keeps its record: it is made again exactly so.
        let Some(seal) = file.entry(window).map_err(failed)?.seal else { return Ok(None) };
        let record = WindowRecord::decode(&seal.record);
        records.push(
            record.map_err(|rejection| Failure::work("damaged", format!("window {window}"), rejection))?,
        );
    }
    Ok(Some(records))
}

/// Records every partition of the disk that is filled and whose last batch says something else. Returns how many.
pub fn record_batches(disk: &Disk, console: &Console) -> Result<u64, Failure> {
    let recorder = disk.recorder()?;
    let mut recorded = 0;
    for partition in &disk.manifest.partitions {
        let registration = disk.registration(partition)?;
        let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Auto)?;
        let Some(records) = records(&file)?.filter(|records| !records.is_empty()) else { continue };
        let root = partition_root(&records);
        let entry = recorder.partition(registration.partition_id)?;
        let last = entry.as_ref().and_then(|entry| entry.batches.last());
        let end = records.len() as u64;
        if last.is_some_and(|batch| batch.end == end && batch.partition_root == root) {
            continue;
        }
        let claim = batch_claim(disk, &registration, end, root, console)?;
        // A block and what it records are one change: a kill between the two would shift the heights of all later ones.
        recorder.change(|ledger| {
            ledger.advance(1);
            ledger.record_batch(&claim)
        })?;
        recorded += 1;
    }
    Ok(recorded)
}

/// Records that a partition keeps only its first windows, and lets the simulated chain go on until that is in force.
/// Until then a challenge may ask for the others (space-v1 §7), so their space must not be given back before.
pub fn record_trim(
    disk: &Disk,
    partition: &Partition,
    file: &PartitionFile,
    console: &Console,
) -> Result<(), Failure> {
    let recorder = disk.recorder()?;
    let registration = disk.registration(partition)?;
    let end = partition.windows;
    if recorded(&recorder, &registration)?.last().is_none_or(|batch| batch.end <= end) {
        return Ok(());
    }
    let Some(records) = records_of_first(end, file)?.filter(|records| !records.is_empty()) else {
        return Ok(());
    };
    let claim = batch_claim(disk, &registration, end, partition_root(&records), console)?;
    let finality_blocks = recorder.finality_blocks()?;
    recorder.change(|ledger| {
        ledger.advance(1);
        ledger.record_batch(&claim)?;
        Ok(ledger.advance(finality_blocks))
    })?;
    Ok(())
}

fn batch_claim(
    disk: &Disk,
    registration: &Registration,
    end: u64,
    partition_root: [u8; 32],
    console: &Console,
) -> Result<BatchClaim, Failure> {
    let miner = NamedAccount::parse(&disk.manifest.miner.hotkey, console)?;
    let signature = miner.sign(&registration.commitment_signing_digest(end, &partition_root));
    let (partition_id, registration_digest) = (registration.partition_id, registration.digest());
    Ok(BatchClaim { partition_id, registration_digest, end, partition_root, signature })
}

/// The commitment of a partition as it is recorded, signed if the miner's key is at hand.
pub fn commitment(disk: &Disk, partition: &Partition, console: &Console) -> Result<Commitment, Failure> {
    let miner = NamedAccount::parse(&disk.manifest.miner.hotkey, console)?;
    commitment_at(disk, partition, &disk.recorder()?, miner.signer().as_ref())
}

/// The commitment of a partition as this recorder has it, signed with this key.
pub fn commitment_at(
    disk: &Disk,
    partition: &Partition,
    recorder: &dyn Recorder,
    miner: Option<&Signer>,
) -> Result<Commitment, Failure> {
    let path = disk.path(partition);
    let registration = disk.registration(partition)?;
    let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Auto)?;
    let not_filled = || Failure::State {
        message: format!("{} is not filled: there is nothing to commit to yet", path.display()),
        advice: "run `holdfast fill` first".to_owned(),
    };
    let mut records = records(&file)?.ok_or_else(not_filled)?;
    let batches = recorded(recorder, &registration)?;
    let last = batches.last().ok_or_else(not_filled)?;
    if last.end > records.len() as u64 {
        return Err(Failure::State {
            message: format!("{} was trimmed, and that is not recorded yet", path.display()),
            advice: "run `holdfast fill` to record it".to_owned(),
        });
    }
    // Windows that were appended since belong to the next batch.
    records.truncate(usize::try_from(last.end).unwrap_or(usize::MAX));
    let digest = registration.commitment_signing_digest(last.end, &last.partition_root);
    let signature = miner.map_or(Signature::NONE, |miner| miner.sign(&digest));
    Commitment::new(CommitmentFields { registration, signature, batches, records })
        .map_err(|rejection| Failure::work("damaged", path, rejection))
}

fn recorded(recorder: &dyn Recorder, registration: &Registration) -> Result<Vec<Batch>, Failure> {
    let entry = recorder.partition(registration.partition_id)?;
    Ok(entry.map(|entry| entry.batches).unwrap_or_default())
}
