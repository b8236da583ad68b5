//! `holdfast status`: what stands on the disks; with `--chain`, what a validator has in care (owner/status.rs).

use std::path::PathBuf;

use clap::Args;
use holdfast_engine::recorder::Recorder;
use holdfast_partition::io::IoChoice;
use holdfast_partition::manifest::Partition;
use holdfast_partition::objects::AllocationMap;
use holdfast_partition::partition_file::{OpenMode, StateCounts};
use serde::Serialize;

use crate::allocation::FileSystem;
use crate::console::{Console, Exit, Report};
use crate::disks::{Disk, stray_files};
use crate::failure::Failure;
use crate::objects::{ObjectDirectory, OpenShelf, UNLIMITED_BYTES};
use crate::side_by_side::FailedDisk;
use crate::table::{self, Table};

/// Show what stands on your disks (--dir), or how your files in a network fare (--chain)
#[derive(Args, Debug)]
#[command(after_help = "\
With --dir: partitions, windows by state, commitments and disk space. Reads tables only, not the data; works while a fill is running. \
`scrub` reads the data. With --chain: whether the validator is there and follows the chain, your files in its care, and its miners by \
tier; leaves with 1 if it runs behind or a file cannot be read now. Examples:
  holdfast status --dir /mnt/disk1 --dir /mnt/disk2
  holdfast status --chain /srv/chain --validator validator-1")]
pub(crate) struct Arguments {
    /// Directory that holds the partitions of one disk; repeat for several disks
    #[arg(long = "dir", value_name = "DIR", required_unless_present = "chain")]
    dirs: Vec<PathBuf>,
    #[command(flatten)]
    network: super::owner::status::NetworkArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        if let Some(exit) = self.network.run(console) {
            return exit;
        }
        let mut report = Status::default();
        for directory in &ObjectDirectory::open_all(&self.dirs)? {
            report.add_directory(directory)?;
        }
        console.report(&report)
    }
}

#[derive(Default, Serialize)]
struct Status {
    windows: Windows,
    disks: Vec<DiskStatus>,
    /// Stores of objects.
    stores: Vec<StoreStatus>,
    failures: Vec<FailedDisk>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Windows {
    sealed: u64,
    empty: u64,
    bad: u64,
    data: u64,
}

#[derive(Serialize)]
struct DiskStatus {
    directory: PathBuf,
    miner: String,
    network: String,
    recorder: PathBuf,
    height: u64,
    free_bytes: u64,
    total_bytes: u64,
    window_bytes: u64,
    layers: u8,
    partitions: Vec<PartitionStatus>,
    /// Partition files that the manifest does not name; they are left alone.
    stray_files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct PartitionStatus {
    path: PathBuf,
    partition_id: u64,
    uid: u32,
    validator: String,
    bytes: u64,
    windows: Windows,
    registered_at: u64,
    registration_digest: String,
    /// Windows and height of the last recorded batch.
    committed_windows: u64,
    committed_at: Option<u64>,
    /// Where an unfinished scrub goes on; 0 when none is under way.
    scrub_position: u64,
}

#[derive(Serialize)]
struct StoreStatus {
    path: PathBuf,
    /// The validator whose partition it shares.
    validator: Option<String>,
    objects: usize,
    /// Bytes of all objects.
    bytes: u64,
    disk_bytes: u64,
    /// Absent if the disk is the only limit.
    budget_bytes: Option<u64>,
    free_bytes: Option<u64>,
    /// Objects that wait for `holdfast commit`.
    uncommitted: usize,
    damaged: usize,
    /// Which bytes are windows and which are objects.
    allocation: Option<AllocationMap>,
    /// Files in it that are not the store's; they are left alone.
    foreign_files: Vec<PathBuf>,
}

impl StoreStatus {
    fn of(directory: &ObjectDirectory, shelf: &OpenShelf) -> Result<StoreStatus, Failure> {
        let store = shelf.objects.store();
        let objects = store.list().map_err(|error| shelf.store_failed(error))?;
        let budget_bytes = Some(shelf.budget_bytes()?).filter(|bytes| *bytes != UNLIMITED_BYTES);
        let sharing = directory.sharing(shelf)?;
        let free_bytes = store.free_bytes().map_err(|error| shelf.store_failed(error))?;
        Ok(StoreStatus {
            path: shelf.shelf.path.clone(),
            validator: directory.partition(&shelf.shelf).map(|partition| partition.validator_hotkey.clone()),
            objects: objects.len(),
            bytes: objects.iter().map(|object| object.entry.data_bytes).sum(),
            disk_bytes: store.object_bytes().map_err(|error| shelf.store_failed(error))?,
            budget_bytes,
            free_bytes: budget_bytes.map(|_| free_bytes),
            uncommitted: objects
                .iter()
                .filter(|o| o.record_bytes.is_none() || o.table_bytes.is_none())
                .count(),
            damaged: store.damaged().map_err(|error| shelf.store_failed(error))?.len(),
            allocation: sharing.map(|(sharing, windows)| sharing.map(windows, &objects)),
            foreign_files: shelf.foreign.clone(),
        })
    }

    fn text(&self, out: &mut String) {
        let place = match &self.validator {
            Some(validator) => format!("beside the windows of {validator}"),
            None => self.path.display().to_string(),
        };
        out.push_str(&format!("  objects {place}: {}, {}", self.objects, table::bytes(self.bytes)));
        if let (Some(budget), Some(free)) = (self.budget_bytes, self.free_bytes) {
            out.push_str(&format!(", {} free of {}", table::bytes(free), table::bytes(budget)));
        }
        if let Some(map) = &self.allocation {
            out.push_str(&format!(
                "; {} in {} windows, {} in objects",
                table::bytes(map.windows.disk_bytes),
                map.windows.count,
                table::bytes(map.object_disk_bytes)
            ));
        }
        if self.uncommitted > 0 {
            out.push_str(&format!("; {} wait for `holdfast commit`", self.uncommitted));
        }
        if self.damaged > 0 {
            out.push_str(&format!("; {} DAMAGED", self.damaged));
        }
        out.push('\n');
        for path in &self.foreign_files {
            out.push_str(&format!("  {} is not ours; left alone\n", path.display()));
        }
    }
}

impl Status {
    fn add_directory(&mut self, directory: &ObjectDirectory) -> Result<(), Failure> {
        let shelves = directory.shelves();
        if let Some(disk) = &directory.disk {
            self.add(disk)?;
        } else if shelves.is_empty() {
            return Err(Failure::NotAllocated(directory.directory.clone()));
        }
        for shelf in shelves {
            let shelf = directory.open_shelf(shelf, OpenMode::ReadOnly)?;
            self.stores.push(StoreStatus::of(directory, &shelf)?);
        }
        Ok(())
    }

    fn add(&mut self, disk: &Disk) -> Result<(), Failure> {
        let recorder = disk.recorder()?;
        let file_system = FileSystem::of(&disk.directory)?;
        let mut partitions = Vec::with_capacity(disk.manifest.partitions.len());
        for partition in &disk.manifest.partitions {
            match partition_status(disk, partition, &recorder) {
                Ok(status) => partitions.push(status),
                Err(failure) => self.failures.push(FailedDisk::new(disk, &failure)),
            }
        }
        for Windows { sealed, empty, bad, data } in partitions.iter().map(|partition| partition.windows) {
            self.windows.sealed += sealed;
            self.windows.empty += empty;
            self.windows.bad += bad;
            self.windows.data += data;
        }
        let manifest = &disk.manifest;
        self.disks.push(DiskStatus {
            directory: disk.directory.clone(),
            miner: manifest.miner.hotkey.clone(),
            network: format!("{} {}", manifest.network.name, manifest.network.netuid),
            recorder: disk.recorder_path()?,
            height: recorder.height()?,
            free_bytes: file_system.free_bytes,
            total_bytes: file_system.total_bytes,
            window_bytes: manifest.window.window_bytes,
            layers: manifest.window.layers,
            partitions,
            stray_files: stray_files(disk)?,
        });
        Ok(())
    }
}

fn partition_status(
    disk: &Disk,
    partition: &Partition,
    recorder: &dyn Recorder,
) -> Result<PartitionStatus, Failure> {
    let path = disk.path(partition);
    let failed = |error| Failure::partition(&path, error);
    let registration = disk.registration(partition)?;
    let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Auto)?;
    let StateCounts { empty, filling, sealed, bad, data } = file.counts().map_err(failed)?;
    let scrub_position = file.scrub_position().map_err(failed)?;
    let entry = recorder.partition(registration.partition_id)?;
    let last = entry.as_ref().and_then(|entry| entry.batches.last());
    Ok(PartitionStatus {
        partition_id: registration.partition_id,
        uid: partition.validator_uid,
        validator: partition.validator_hotkey.clone(),
        bytes: partition.size_bytes,
        windows: Windows { sealed, empty: empty + filling, bad, data },
        registered_at: registration.intent_height,
        registration_digest: hex::encode(registration.digest()),
        committed_windows: last.map_or(0, |batch| batch.end),
        committed_at: last.map(|batch| batch.height),
        scrub_position,
        path,
    })
}

impl Report for Status {
    fn text(&self, out: &mut String) {
        for disk in &self.disks {
            out.push_str(&format!(
                "{}: miner {}, {} free of {}, windows of {} with {} layers, {} network at height {}\n",
                disk.directory.display(),
                disk.miner,
                table::bytes(disk.free_bytes),
                table::bytes(disk.total_bytes),
                table::bytes(disk.window_bytes),
                disk.layers,
                disk.network,
                disk.height
            ));
            let heads = [">id", ">uid", "validator", ">size", ">sealed", ">empty", ">bad", ">committed", ""];
            let mut lines = Table::new(&heads);
            disk.partitions.iter().for_each(|partition| lines.row(partition.cells()));
            lines.write("  ", out);
            for stray in &disk.stray_files {
                out.push_str(&format!("  {} is not in partition.json; left alone\n", stray.display()));
            }
        }
        self.stores.iter().for_each(|store| store.text(out));
        FailedDisk::write_all(&self.failures, out);
    }

    fn exit(&self) -> Exit {
        if self.failures.is_empty() { Exit::Done } else { Exit::Failed }
    }
}

impl PartitionStatus {
    fn cells(&self) -> [String; 9] {
        let Windows { sealed, empty, bad, .. } = self.windows;
        let note = match (bad, empty, self.scrub_position) {
            (1.., _, _) => "run `holdfast scrub --repair`".to_owned(),
            (0, 1.., _) => "run `holdfast fill`".to_owned(),
            (0, 0, 1..) => format!("scrub stopped at window {}", self.scrub_position),
            (0, 0, 0) => String::new(),
        };
        [
            self.partition_id.to_string(),
            self.uid.to_string(),
            self.validator.clone(),
            table::bytes(self.bytes),
            sealed.to_string(),
            empty.to_string(),
            bad.to_string(),
            self.committed_at.map_or("-".to_owned(), |at| format!("{} at {at}", self.committed_windows)),
            note,
        ]
    }
}
