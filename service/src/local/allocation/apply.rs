//! Carrying out a proposal: intents, registrations, the manifest, then the files.
//!
//! The manifest is written before files are made or cut, so whatever is broken off, running the same allocation again finishes it.

use std::path::Path;

use holdfast_engine::recorder::{FileRecorder, Recorder};
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_partition::format::Geometry;
use holdfast_partition::io::IoChoice;
use holdfast_partition::manifest::{self, Manifest, Partition};
use holdfast_partition::partition_file::{OpenMode, PartitionFile};
use holdfast_partition::size::format_bytes;

use super::{Action, NamedAccount, Proposal, ProposedPartition, Site};
use crate::local::commit;
use crate::local::console::Console;
use crate::local::disks::{self, Beginning, Disk};
use crate::local::failure::Failure;
use crate::local::medium;
use crate::local::objects;
use crate::local::recording::{Recording, Registrar};

/// Makes a disk what the proposal says, on a simulated chain.
pub fn apply(
    proposal: Proposal,
    site: &Site<'_>,
    recorder: &FileRecorder,
    console: &Console,
) -> Result<Disk, Failure> {
    let _lock = disks::lock(&proposal.directory)?;
    let ids = register(&proposal, site, recorder, console)?;
    let lines = proposal.partitions.clone();
    let disk = apply_registered(proposal, site, &ids, recorder)?;
    for (place, partition) in disk.manifest.partitions.iter().enumerate() {
        let line = lines.iter().find(|line| line.validator == partition.validator_hotkey);
        objects::follow_windows(&disk, place, line.map_or(0, |line| line.bytes))?;
    }
    Ok(disk)
}

/// Makes a disk what the proposal says. `ids`: the partitions that [`register`] gave for it. The disk is locked, or nobody
/// else changes it. The budgets of stores of objects stay.
pub fn apply_registered(
    proposal: Proposal,
    site: &Site<'_>,
    ids: &[u64],
    recording: &dyn Recording,
) -> Result<Disk, Failure> {
    let recorder = recording.recorder();
    let mut disk =
        Disk { directory: proposal.directory.clone(), manifest: manifest_of(&proposal, site, recorder)? };
    let registered = registrations(ids, recording)?;
    let new = proposal.partitions.iter().filter(|line| line.action == Action::Create);
    for (line, registration) in new.zip(registered) {
        let partition = new_partition(&disk, line, &registration, &proposal)?;
        disk.manifest.partitions.push(partition);
    }
    for line in &proposal.partitions {
        let place = disk.manifest.partitions.iter_mut().find(|p| p.validator_hotkey == line.validator);
        if let Some(partition) =
            place.filter(|_| matches!(line.action, Action::Keep | Action::Grow | Action::Shrink))
        {
            partition.stake = line.stake;
            set_windows(partition, line.windows, &proposal.shape)?;
        }
    }
    disk.save()?;
    let registrar = Registrar { recording, miner: site.miner };
    // What becomes smaller makes room for what becomes larger.
    let (smaller, others): (Vec<&Partition>, Vec<&Partition>) =
        disk.manifest.partitions.iter().partition(|partition| {
            let line = proposal.partitions.iter().find(|line| line.validator == partition.validator_hotkey);
            line.is_some_and(|line| line.action == Action::Shrink)
        });
    smaller.into_iter().chain(others).try_for_each(|partition| make_file(&disk, partition, registrar))?;
    Ok(disk)
}

/// The manifest that is there, with the disk's new figures; or a new one without partitions.
fn manifest_of(proposal: &Proposal, site: &Site<'_>, recorder: &dyn Recorder) -> Result<Manifest, Failure> {
    let space = manifest::Space::new(&proposal.plan, proposal.threshold, proposal.file_system.total_bytes);
    let block = recorder.height()?;
    if let Some(disk) = &proposal.disk {
        return Ok(Manifest { space, block, ..disk.manifest.clone() });
    }
    let network = manifest::Network {
        name: "simulated".to_owned(),
        netuid: site.netuid,
        chain_source: disks::chain_source(&proposal.directory, &site.recorder),
    };
    let miner = manifest::Miner {
        wallet_name: site.wallet.clone(),
        hotkey_name: site.hotkey.clone(),
        hotkey: site.miner.name.clone(),
    };
    let window = manifest::Window {
        profile: proposal.shape.profile().name().to_owned(),
        k: proposal.shape.log2_labels(),
        layers: proposal.shape.layers(),
        window_bytes: proposal.shape.bytes(),
    };
    Ok(Manifest::new(block, network, miner, space, window))
}

/// Records an intent for each new partition, and gives the partitions' ids.
pub fn register(
    proposal: &Proposal,
    site: &Site<'_>,
    recorder: &dyn Recorder,
    console: &Console,
) -> Result<Vec<u64>, Failure> {
    let new = proposal.partitions.iter().filter(|line| line.action == Action::Create);
    let mut ids = Vec::new();
    for line in new {
        let validator = NamedAccount::parse(&line.validator, console)?;
        let mut intent = Intent {
            shape: proposal.shape,
            window_cap: proposal.plan.window_cap,
            network: recorder.network()?,
            miner: site.miner.account,
            validator: validator.account,
            ordinal: 0,
        };
        // Partitions of this pair that were recorded before, here or on other disks.
        intent.ordinal = recorder.partitions_of(Some(&intent.miner), Some(&intent.validator))?.len() as u64;
        let signature = site.miner.sign(&intent.signing_digest());
        ids.push(recorder.record_intent(&intent, &signature)?.partition_id);
    }
    Ok(ids)
}

/// The registrations of partitions, once they are certain: the beacon is that of F blocks on, and certain F blocks later.
fn registrations(ids: &[u64], recording: &dyn Recording) -> Result<Vec<Registration>, Failure> {
    let recorder = recording.recorder();
    let finality_blocks = recorder.finality_blocks()?;
    let mut registrations = Vec::with_capacity(ids.len());
    for id in ids {
        let gone = || Failure::State {
            message: format!("partition {id} is not recorded any more: the chain was reorganised"),
            advice: "run the same command again".to_owned(),
        };
        let entry = recorder.partition(*id)?.ok_or_else(gone)?;
        recording.wait_until_final(entry.intent_height.saturating_add(finality_blocks))?;
        registrations.push(recorder.registration(*id)?.ok_or_else(gone)?);
    }
    Ok(registrations)
}

fn new_partition(
    disk: &Disk,
    line: &ProposedPartition,
    registration: &Registration,
    proposal: &Proposal,
) -> Result<Partition, Failure> {
    let mut partition = Partition {
        index: disk.manifest.partitions.len() as u64,
        path: disks::file_name(registration.partition_id),
        owner: disk.manifest.miner.hotkey.clone(),
        validator_uid: line.uid,
        validator_hotkey: line.validator.clone(),
        stake: line.stake,
        size_bytes: 0,
        size: String::new(),
        windows: 0,
        window_cap: registration.intent.window_cap,
        ordinal: registration.intent.ordinal,
        registration: Some(manifest::Registration {
            partition_id: registration.partition_id,
            intent_height: registration.intent_height,
            beacon: hex::encode(registration.beacon),
            bytes: hex::encode(registration.encode()),
            digest: hex::encode(registration.digest()),
        }),
    };
    set_windows(&mut partition, line.windows, &proposal.shape)?;
    Ok(partition)
}

fn set_windows(partition: &mut Partition, windows: u64, shape: &WindowShape) -> Result<(), Failure> {
    let geometry = Geometry::new(shape.log2_labels(), shape.layers(), partition.window_cap)
        .map_err(|error| Failure::work("state", &partition.path, error))?;
    let cap = partition.window_cap;
    let size_bytes = geometry.allocated_bytes(windows).ok_or_else(|| Failure::State {
        message: format!(
            "{} is registered for at most {cap} windows; {windows} were asked for",
            partition.path
        ),
        advice: "more space takes another partition, in another directory".to_owned(),
    })?;
    (partition.windows, partition.size_bytes, partition.size) =
        (windows, size_bytes, format_bytes(size_bytes));
    Ok(())
}

/// Makes the partition's file what the manifest says: it may be missing, half made, or of another size.
fn make_file(disk: &Disk, partition: &Partition, registrar: Registrar<'_>) -> Result<(), Failure> {
    let path = disk.path(partition);
    let file = match disks::beginning(&path)? {
        Beginning::Ours => disk.open_file(partition, OpenMode::ReadWrite, IoChoice::Auto)?,
        Beginning::Nothing => create_file(disk, partition, &path)?,
        Beginning::Foreign => return Err(disks::foreign_file(&path)),
    };
    commit::record_trim(disk, partition, &file, registrar)?;
    let resized = file.resize(partition.windows, &mut |_| true);
    resized.and_then(|()| file.close()).map_err(|error| Failure::partition(&path, error))
}

fn create_file(disk: &Disk, partition: &Partition, path: &Path) -> Result<PartitionFile, Failure> {
    let registration = disk.registration(partition)?.encode();
    // Nothing of ours is in it: it is missing, or its making was broken off before the header was written.
    std::fs::File::create(path).map_err(|error| Failure::file("create", path, error))?;
    let io = medium::open(path, IoChoice::Auto, OpenMode::ReadWrite)?.io;
    let file = PartitionFile::create(io, registration).map_err(|error| Failure::partition(path, error))?;
    let directory = std::fs::File::open(&disk.directory).and_then(|directory| directory.sync_all());
    directory.map_err(|error| Failure::file("sync directory", &disk.directory, error))?;
    Ok(file)
}

/// Changes the number of windows of one partition: the manifest first, then the file. If the file cannot follow, say
/// because the disk is full, it is as before, and so is the manifest.
pub fn resize_partition(
    disk: &mut Disk,
    index: usize,
    windows: u64,
    registrar: Registrar<'_>,
) -> Result<(), Failure> {
    let shape = disk.registration(&disk.manifest.partitions[index])?.intent.shape;
    let before = disk.manifest.partitions[index].windows;
    set_windows(&mut disk.manifest.partitions[index], windows, &shape)?;
    disk.save()?;
    let resized = make_file(disk, &disk.manifest.partitions[index], registrar);
    if resized.is_err() {
        set_windows(&mut disk.manifest.partitions[index], before, &shape)?;
        disk.save()?;
    }
    resized
}
