//! Scrubbing: everything is read back and compared with its roots; what the disk lost is made again.

use std::path::PathBuf;

use holdfast_engine::accelerator::Devices;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::scrub::{ScrubError, ScrubReport, scrub};
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::{OpenMode, PartitionFile};
use serde::Serialize;

use crate::local::console::{Console, Exit, Report};
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::machine::Machine;
use crate::local::progress::{Board, DiskProgress};
use crate::local::side_by_side::{FailedDisk, each_disk};
use crate::local::table;

/// Scrubs the disks side by side, and makes damaged windows again if that is wanted. Running it again goes on where it was
/// broken off.
pub fn scrub_disks(
    disks: &[Disk],
    repair: bool,
    machine: &Machine,
    control: &Control,
    console: &Console,
) -> Result<Scrubbed, Failure> {
    let board = Board::new(console);
    let _locks = disks.iter().map(Disk::lock).collect::<Result<Vec<_>, _>>()?;
    let outcomes = each_disk(disks, |disk| {
        let progress = board.disk(disk.directory.display().to_string(), disk.window_bytes_allocated());
        let mut scrubbed: Vec<Result<ScrubbedPartition, Failure>> = Vec::new();
        for partition in &disk.manifest.partitions {
            scrubbed.push(scrub_partition(disk, partition, (machine, repair), control, &progress));
            progress.finish_partition(partition.windows * disk.manifest.window.window_bytes);
        }
        scrubbed
    });
    control.checkpoint()?;
    let mut report = Scrubbed { repair, ..Scrubbed::default() };
    for (disk, outcomes) in disks.iter().zip(outcomes) {
        outcomes.into_iter().for_each(|outcome| report.add(disk, outcome));
    }
    Ok(report)
}

fn scrub_partition(
    disk: &Disk,
    partition: &Partition,
    (machine, repair): (&Machine, bool),
    control: &Control,
    progress: &DiskProgress,
) -> Result<ScrubbedPartition, Failure> {
    control.checkpoint()?;
    let path = disk.path(partition);
    let file = disk.open_file(partition, OpenMode::ReadWrite, machine.io)?;
    let scrubbed = scrub(&file, &machine.fill_options(&path, &Devices::default()), repair, control, progress);
    let report = scrubbed.map_err(|error| match error {
        ScrubError::Fill(error) => Failure::fill(&path, error),
        ScrubError::Partition(error) => Failure::partition(&path, error),
    })?;
    let windows_bad = bad_windows(&file).map_err(|error| Failure::partition(&path, error))?;
    file.close().map_err(|error| Failure::partition(&path, error))?;
    let validator = partition.validator_hotkey.clone();
    Ok(ScrubbedPartition { path, validator, windows_bad, report })
}

fn bad_windows(file: &PartitionFile) -> Result<u64, holdfast_partition::partition_file::PartitionFileError> {
    Ok(file.counts()?.bad)
}

/// What a scrub found and did.
#[derive(Debug, Default, Serialize)]
pub struct Scrubbed {
    repair: bool,
    windows_checked: u64,
    bytes_read: u64,
    /// Found damaged by this run.
    damaged_windows: u64,
    /// Made again by this run.
    repaired_windows: u64,
    /// Still damaged.
    bad_windows: u64,
    partitions: Vec<ScrubbedPartition>,
    failures: Vec<FailedDisk>,
}

#[derive(Debug, Serialize)]
struct ScrubbedPartition {
    path: PathBuf,
    validator: String,
    windows_bad: u64,
    #[serde(flatten)]
    report: ScrubReport,
}

impl Scrubbed {
    fn add(&mut self, disk: &Disk, outcome: Result<ScrubbedPartition, Failure>) {
        match outcome {
            Ok(partition) => {
                let report = &partition.report;
                self.windows_checked += report.windows_checked;
                self.bytes_read += report.bytes_read;
                self.damaged_windows += report.damaged.len() as u64;
                self.repaired_windows += report.repair.as_ref().map_or(0, |repair| repair.windows_filled);
                self.bad_windows += partition.windows_bad;
                self.partitions.push(partition);
            }
            Err(failure) => self.failures.push(FailedDisk::new(disk, &failure)),
        }
    }
}

impl Report for Scrubbed {
    fn text(&self, out: &mut String) {
        for partition in &self.partitions {
            out.push_str(&format!(
                "{} ({}): {} windows read in {}\n",
                partition.path.display(),
                partition.validator,
                partition.report.windows_checked,
                table::duration(partition.report.seconds)
            ));
            for damage in &partition.report.damaged {
                let what = match (&damage.read_error, damage.blocks.len()) {
                    (Some(error), _) => format!("cannot be read: {error}"),
                    (None, 0) => "its outboard is damaged".to_owned(),
                    (None, blocks) => format!("{blocks} blocks of 16 KiB are not what was written"),
                };
                out.push_str(&format!("  window {}: {what}\n", damage.window));
            }
        }
        out.push_str(&format!(
            "{} windows damaged, {} made again\n",
            self.damaged_windows, self.repaired_windows
        ));
        if self.bad_windows > 0 {
            out.push_str(&format!("{} are bad: run `holdfast scrub --repair`\n", self.bad_windows));
        }
        FailedDisk::write_all(&self.failures, out);
    }

    fn exit(&self) -> Exit {
        if self.failures.is_empty() && self.bad_windows == 0 { Exit::Done } else { Exit::Failed }
    }
}
