//! Resizing: other numbers of windows for partitions.

use std::path::PathBuf;

use serde::Serialize;

use crate::local::allocation::resize_partition;
use crate::local::commit;
use crate::local::console::{Console, Report};
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::objects;
use crate::local::recording::LocalRegistrar;
use crate::local::table;

/// Another number of windows for one partition.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    #[serde(skip)]
    place: usize,
    path: PathBuf,
    validator: String,
    windows_before: u64,
    windows: u64,
    /// Disk space that becomes free, in bytes.
    pub bytes_freed: u64,
    /// Disk space that is reserved, in bytes.
    bytes_reserved: u64,
}

impl Change {
    /// What it takes to give the partition at this place of the manifest so many windows.
    pub fn of(disk: &Disk, place: usize, windows: u64) -> Change {
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

    /// In one line, for people.
    pub fn line(&self) -> String {
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
            table::bytes(bytes)
        )
    }
}

/// Windows that the changes give up.
pub fn windows_lost(changes: &[Change]) -> u64 {
    changes.iter().map(|change| change.windows_before.saturating_sub(change.windows)).sum()
}

/// Resizes, and records what is complete. `agree` is asked once nobody else can change the disk. Running it again finishes what
/// was broken off.
pub fn resize(
    disk: &mut Disk,
    changes: &[Change],
    agree: impl FnOnce() -> Result<(), Failure>,
    console: &Console,
) -> Result<(), Failure> {
    let _lock = disk.lock()?;
    agree()?;
    let local = LocalRegistrar::of(disk, console)?;
    for change in changes {
        resize_partition(disk, change.place, change.windows, local.registrar())?;
        objects::follow_windows(disk, change.place, 0)?;
    }
    commit::record_batches(disk, local.registrar())?;
    Ok(())
}

/// What was or would be changed.
#[derive(Debug, Serialize)]
pub struct Resized {
    /// Nothing was changed.
    pub dry_run: bool,
    /// For each partition.
    pub changes: Vec<Change>,
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
