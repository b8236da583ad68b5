//! `holdfast resize`: change the number of windows of one partition.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::options::{ConfirmArguments, DirArguments, PartitionArguments};
use crate::allocation::resize_partition;
use crate::commit;
use crate::console::{Console, Exit, Report};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::objects;
use crate::recording::LocalRegistrar;

/// Grow or shrink one partition; windows are appended or trimmed, nothing valid is filled again
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfast resize --dir /mnt/disk1 --validator alice --windows 120")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    which: PartitionArguments,
    /// The new number of windows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    windows: u64,
    #[command(flatten)]
    confirm: ConfirmArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut disks = Disk::open_all(&self.disks.dirs)?;
        let (disk, place) = self.which.find_one(&disks, console)?;
        let disk = &mut disks[disk];
        let changes = vec![Change::of(disk, place, self.windows)];
        carry_out(disk, &changes, &self.confirm, console)?;
        console.report(&Resized { dry_run: self.confirm.dry_run, changes })
    }
}

/// Another number of windows for one partition.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Change {
    #[serde(skip)]
    place: usize,
    path: PathBuf,
    validator: String,
    windows_before: u64,
    windows: u64,
    /// Disk space that becomes free, in bytes.
    pub(super) bytes_freed: u64,
    /// Disk space that is reserved, in bytes.
    bytes_reserved: u64,
}

impl Change {
    pub(super) fn of(disk: &Disk, place: usize, windows: u64) -> Change {
        let partition = &disk.manifest.partitions[place];
        let window_bytes = disk.slot_bytes();
        Change {
            place,
            path: disk.path(partition),
            validator: partition.validator_hotkey.clone(),
            windows_before: partition.windows,
            windows,
            bytes_freed: partition.windows.saturating_sub(windows) * window_bytes,
            bytes_reserved: windows.saturating_sub(partition.windows) * window_bytes,
        }
    }

    fn line(&self) -> String {
        let (bytes, what) = match self.bytes_freed {
            0 => (self.bytes_reserved, "reserved"),
            freed => (freed, "given back"),
        };
        format!(
            "{} ({}): {} windows become {}, {} {what}\n",
            self.path.display(),
            self.validator,
            self.windows_before,
            self.windows,
            crate::table::bytes(bytes)
        )
    }
}

/// Asks where windows are given up, resizes, and records what is complete.
pub(super) fn carry_out(
    disk: &mut Disk,
    changes: &[Change],
    confirm: &ConfirmArguments,
    console: &Console,
) -> Result<(), Failure> {
    if confirm.dry_run {
        return Ok(());
    }
    let _lock = disk.lock()?;
    let lost: u64 = changes.iter().map(|change| change.windows_before.saturating_sub(change.windows)).sum();
    if lost > 0 {
        if !confirm.yes {
            changes.iter().for_each(|change| console.note(change.line().trim_end()));
        }
        console.confirm(confirm.yes, &format!("Give up {lost} windows?"))?;
    }
    let local = LocalRegistrar::of(disk, console)?;
    for change in changes {
        resize_partition(disk, change.place, change.windows, local.registrar())?;
        objects::follow_windows(disk, change.place, 0)?;
    }
    commit::record_batches(disk, local.registrar())?;
    Ok(())
}

#[derive(Serialize)]
pub(super) struct Resized {
    pub(super) dry_run: bool,
    pub(super) changes: Vec<Change>,
}

impl Report for Resized {
    fn text(&self, out: &mut String) {
        self.changes.iter().for_each(|change| out.push_str(&change.line()));
        if self.dry_run {
            out.push_str("nothing was changed (--dry-run)\n");
        } else if self.changes.iter().any(|change| change.bytes_reserved > 0) {
            out.push_str("next: holdfast fill\n");
        }
    }
}
