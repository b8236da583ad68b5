//! From filled partitions to what validators keep: batches with the recorder, and commitments.

use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::recorder::{BatchClaim, Recorder};
use holdfast_engine::registration::Registration;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_partition::io::IoChoice;
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::{OpenMode, PartitionFile};

use crate::local::allocation::NamedAccount;
use crate::local::console::Console;
use crate::local::disks::Disk;
use crate::local::failure::{DAMAGED, Failure};
use crate::local::recording::Registrar;

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
        records
            .push(record.map_err(|rejection| Failure::work(DAMAGED, format!("window {window}"), rejection))?);
    }
    Ok(Some(records))
}

/// Records every partition of the disk that is filled and whose last batch says something else. Returns how many.
pub fn record_batches(disk: &Disk, registrar: Registrar<'_>) -> Result<u64, Failure> {
    let mut recorded = 0;
    for partition in &disk.manifest.partitions {
        let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Auto)?;
        let Some(records) = records(&file)?.filter(|records| !records.is_empty()) else { continue };
        recorded += u64::from(record_windows(disk, partition, &records, registrar)?);
    }
    Ok(recorded)
}

/// Records the windows that a partition has filled from its beginning on, if they are all of them or at least twice as many
/// as were recorded before: who fills for days is audited, and paid, for what is there already. Returns whether it did.
pub fn record_progress(
    disk: &Disk,
    partition: &Partition,
    registrar: Registrar<'_>,
) -> Result<bool, Failure> {
    let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Auto)?;
    let failed = |error| Failure::partition("partition", error);
    let windows = file.windows().map_err(failed)?;
    let mut filled = 0;
    while filled < windows && file.entry(filled).map_err(failed)?.seal.is_some() {
        filled += 1;
    }
    let registration = disk.registration(partition)?;
    let batches = recorded(registrar.recording.recorder(), &registration)?;
    let before = batches.last().map_or(0, |batch| batch.end);
    if filled == 0 || (filled < windows && filled < before.saturating_mul(2).max(1)) {
        return Ok(false);
    }
    match records_of_first(filled, &file)? {
        Some(records) => record_windows(disk, partition, &records, registrar),
        None => Ok(false),
    }
}

/// Records that a partition has these windows, unless that is recorded.
fn record_windows(
    disk: &Disk,
    partition: &Partition,
    records: &[WindowRecord],
    registrar: Registrar<'_>,
) -> Result<bool, Failure> {
    let registration = disk.registration(partition)?;
    let (end, root) = (records.len() as u64, partition_root(records));
    let batches = recorded(registrar.recording.recorder(), &registration)?;
    if batches.last().is_some_and(|batch| batch.end == end && batch.partition_root == root) {
        return Ok(false);
    }
    registrar.recording.record_batch(&batch_claim(&registration, end, root, registrar.miner))?;
    Ok(true)
}

/// Records that a partition keeps only its first windows, and waits until that is in force. Until then a challenge may ask
/// for the others (space-v1 §7), so their space must not be given back before.
pub fn record_trim(
    disk: &Disk,
    partition: &Partition,
    file: &PartitionFile,
    registrar: Registrar<'_>,
) -> Result<(), Failure> {
    let registration = disk.registration(partition)?;
    let end = partition.windows;
    let recording = registrar.recording;
    let Some(last) = recorded(recording.recorder(), &registration)?.pop() else { return Ok(()) };
    if last.end < end {
        return Ok(());
    }
    if last.end == end {
        // Recorded by a run that was broken off, perhaps, and not in force yet.
        let shrinks = file.windows().map_err(|error| Failure::partition(disk.path(partition), error))? > end;
        return if shrinks { recording.wait_until_final(last.height) } else { Ok(()) };
    }
    let Some(records) = records_of_first(end, file)?.filter(|records| !records.is_empty()) else {
        return Ok(());
    };
    let height = recording.record_batch(&batch_claim(
        &registration,
        end,
        partition_root(&records),
        registrar.miner,
    ))?;
    recording.wait_until_final(height)
}

fn batch_claim(
    registration: &Registration,
    end: u64,
    partition_root: [u8; 32],
    miner: &NamedAccount,
) -> BatchClaim {
    let signature = miner.sign(&registration.commitment_signing_digest(end, &partition_root));
    let (partition_id, registration_digest) = (registration.partition_id, registration.digest());
    BatchClaim { partition_id, registration_digest, end, partition_root, signature }
}

/// The commitment of a partition as it is recorded, signed if the miner's key is at hand.
pub fn commitment(disk: &Disk, partition: &Partition, console: &Console) -> Result<Commitment, Failure> {
    let miner = NamedAccount::parse(&disk.manifest.miner.hotkey, console)?;
    commitment_at(disk, partition, &disk.recorder()?, miner.signer())
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
    let batches = recorded(recorder, &registration)?;
    let last = batches.last().ok_or_else(not_filled)?;
    if last.end > file.windows().map_err(|error| Failure::partition(&path, error))? {
        return Err(Failure::State {
            message: format!("{} was trimmed, and that is not recorded yet", path.display()),
            advice: "run `holdfast fill` to record it".to_owned(),
        });
    }
    // Windows that were appended since belong to the next batch.
    let records = records_of_first(last.end, &file)?.ok_or_else(not_filled)?;
    let digest = registration.commitment_signing_digest(last.end, &last.partition_root);
    let signature = miner.map_or(Signature::NONE, |miner| miner.sign(&digest));
    Commitment::new(CommitmentFields { registration, signature, batches, records })
        .map_err(|rejection| Failure::work(DAMAGED, path, rejection))
}

fn recorded(recorder: &dyn Recorder, registration: &Registration) -> Result<Vec<Batch>, Failure> {
    let entry = recorder.partition(registration.partition_id)?;
    Ok(entry.map(|entry| entry.batches).unwrap_or_default())
}
