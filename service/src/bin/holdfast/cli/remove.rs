//! `holdfast remove`: delete partitions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_engine::recorder::{LOCK_SUFFIX, Recorder, RecorderError, Refusal};
use holdfast_partition::manifest::Manifest;
use serde::Serialize;

use super::options::{ConfirmArguments, DirArguments, find_partitions};
use crate::allocation::NamedAccount;
use crate::console::{Console, Exit, Report};
use crate::disks::{self, Beginning, Disk, RECORDER_NAME};
use crate::failure::Failure;
use crate::objects::{self, store_path};
use crate::table;

/// Delete partitions and their files, nothing else
#[derive(Args, Debug)]
#[command(after_help = "\
Shows paths, bytes and windows before anything goes. Files that are not in partition.json, or are not partition files, \
are left alone. Examples:
  holdfast remove --dir /mnt/disk1 --validator alice
  holdfast remove --dir /mnt/disk1 --all --dry-run")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    /// The partition of this validator; may be repeated
    #[arg(long, value_name = "KEY", required_unless_present_any = ["partition", "all"], conflicts_with = "all")]
    validator: Vec<String>,
    /// The partition with this id; may be repeated
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    partition: Vec<u64>,
    /// Every partition, and then the manifest and the recorder's file
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    confirm: ConfirmArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut disks = Disk::open_all(&self.disks.dirs)?;
        let chosen = self.choose(&disks, console)?;
        chosen.iter().try_for_each(|&(disk, place)| objects::refuse_objects(&disks[disk], place))?;
        let removals: Vec<Removal> =
            chosen.iter().map(|&(disk, place)| Removal::of(&disks[disk], place)).collect::<Result<_, _>>()?;
        let report = Removed {
            dry_run: self.confirm.dry_run,
            bytes: removals.iter().map(|r| r.bytes).sum(),
            removals,
        };
        if self.confirm.dry_run {
            return console.report(&report);
        }
        if !self.confirm.yes {
            report.removals.iter().for_each(|removal| console.note(removal.line().trim_end()));
        }
        let (count, bytes) = (report.removals.len(), table::bytes(report.bytes));
        console.confirm(self.confirm.yes, &format!("Delete {count} partitions, {bytes}, for good?"))?;
        for (index, disk) in disks.iter_mut().enumerate() {
            let places: BTreeSet<usize> =
                chosen.iter().filter(|(disk, _)| *disk == index).map(|&(_, place)| place).collect();
            remove(disk, &places, console)?;
        }
        console.report(&report)
    }

    fn choose(&self, disks: &[Disk], console: &Console) -> Result<Vec<(usize, usize)>, Failure> {
        if !self.all {
            return find_partitions(disks, &self.validator, &self.partition, console);
        }
        let places = |(index, disk): (usize, &Disk)| {
            (0..disk.manifest.partitions.len()).map(move |place| (index, place)).collect::<Vec<_>>()
        };
        Ok(disks.iter().enumerate().flat_map(places).collect())
    }
}

/// Withdraws and deletes partitions of one disk; the manifest forgets them first, so that a stop in between leaves
/// files that are merely not ours any more.
fn remove(disk: &mut Disk, places: &BTreeSet<usize>, console: &Console) -> Result<(), Failure> {
    let _lock = disk.lock()?;
    let recorder = disk.recorder()?;
    let miner = NamedAccount::parse(&disk.manifest.miner.hotkey, console)?;
    let mut paths = Vec::new();
    for &place in places {
        let partition = &disk.manifest.partitions[place];
        let id = disk.registration(partition)?.partition_id;
        let digest = recorder.partition(id)?.map(|entry| entry.withdrawal_signing_digest());
        match digest.map(|digest| recorder.withdraw(id, &miner.sign(&digest))) {
            None | Some(Ok(_) | Err(RecorderError::Refused(Refusal::Withdrawn { .. }))) => {}
            Some(Err(error)) => return Err(error.into()),
        }
        paths.push((disk.path(partition), store_path(disk, partition)));
    }
    let mut place = 0;
    disk.manifest.partitions.retain(|_| {
        place += 1;
        !places.contains(&(place - 1))
    });
    (0..).zip(&mut disk.manifest.partitions).for_each(|(index, partition)| partition.index = index);
    disk.save()?;
    for (path, store) in paths {
        delete(&path)?;
        objects::remove_empty_store(&store)?;
    }
    if disk.manifest.partitions.is_empty() { remove_rest(disk) } else { Ok(()) }
}

/// With the last partition go the manifest, the lock, and the recorder's file if it lies here and serves nobody else.
fn remove_rest(disk: &Disk) -> Result<(), Failure> {
    let recorder = disk.recorder_path()?;
    if recorder == disk.directory.join(RECORDER_NAME) && nobody_is_left(disk)? {
        let mut lock = recorder.clone().into_os_string();
        lock.push(LOCK_SUFFIX);
        delete(&recorder)?;
        delete(Path::new(&lock))?;
    }
    delete(&Manifest::path(&disk.directory))?;
    disks::remove_lock_file(&disk.directory)
}

/// Whether every partition that the recorder knows is withdrawn; other directories may share it.
fn nobody_is_left(disk: &Disk) -> Result<bool, Failure> {
    let recorder = disk.recorder()?;
    for id in recorder.partitions_of(None, None)? {
        if recorder.partition(id)?.is_some_and(|entry| entry.withdrawn_at.is_none()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn delete(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("delete", path, error))
        }
        _ => Ok(()),
    }
}

#[derive(Serialize)]
struct Removed {
    dry_run: bool,
    bytes: u64,
    removals: Vec<Removal>,
}

#[derive(Serialize)]
struct Removal {
    path: PathBuf,
    validator: String,
    windows: u64,
    bytes: u64,
}

impl Removal {
    /// Refuses a file that is not a partition file, whatever its name.
    fn of(disk: &Disk, place: usize) -> Result<Removal, Failure> {
        let partition = &disk.manifest.partitions[place];
        let path = disk.path(partition);
        if disks::beginning(&path)? == Beginning::Foreign {
            return Err(disks::foreign_file(&path));
        }
        let (validator, windows) = (partition.validator_hotkey.clone(), partition.windows);
        Ok(Removal { path, validator, windows, bytes: partition.size_bytes })
    }

    fn line(&self) -> String {
        let (path, bytes) = (self.path.display(), table::bytes(self.bytes));
        format!("{path} ({}): {} windows, {bytes}\n", self.validator, self.windows)
    }
}

impl Report for Removed {
    fn text(&self, out: &mut String) {
        self.removals.iter().for_each(|removal| out.push_str(&removal.line()));
        out.push_str(match self.dry_run {
            true => "nothing was deleted (--dry-run)\n",
            false => "deleted\n",
        });
    }
}
