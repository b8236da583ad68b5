//! Filling: every window of these disks that is not there yet is made and written.

use std::path::PathBuf;
use std::sync::Arc;

use holdfast_engine::accelerator::{Accelerator, AcceleratorReport, Devices};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillReport, fill};
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use crate::local::commit;
use crate::local::console::{Console, Exit, Report};
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::gpus::{self, Work};
use crate::local::machine::Machine;
use crate::local::objects;
use crate::local::progress::{Board, DiskProgress};
use crate::local::recording::LocalRegistrar;
use crate::local::side_by_side::{FailedDisk, each_disk};
use crate::local::table;

/// Fills the disks side by side, and records what is complete. A disk that fails does not stop the others; running it again
/// goes on where it was broken off. Other machines' accelerators help this one's.
pub fn fill_disks(
    disks: &mut [Disk],
    (machine, others): (&Machine, &[Arc<dyn Accelerator>]),
    control: &Control,
    console: &Console,
) -> Result<Filled, Failure> {
    let bytes = disks.iter().map(Disk::window_bytes_allocated).sum();
    let mut devices = machine.gpus.devices(Work::Windows, bytes, |message| console.note(message))?;
    devices.accelerators.extend_from_slice(others);
    let board = Board::new(console);
    let _locks = disks.iter().map(Disk::lock).collect::<Result<Vec<_>, _>>()?;
    let mut windows_again = 0;
    for disk in disks.iter_mut() {
        windows_again += objects::fill_again(disk, console)?;
    }
    let outcomes = each_disk(disks, |disk| {
        let total = disk.window_bytes_allocated();
        let progress = board.disk(disk.directory.display().to_string(), total);
        fill_disk(disk, (machine, &devices), control, &progress)
    });
    let mut accelerators = machine.gpus.reports();
    let of_others = others.iter().map(|other| other.report());
    accelerators.extend(of_others.filter(|report| report.windows > 0 || !report.faults.is_empty()));
    let mut report = Filled { windows_again, accelerators, ..Filled::default() };
    for (disk, outcome) in disks.iter().zip(outcomes) {
        // What is complete is recorded, whatever became of the rest.
        let recorded = LocalRegistrar::of(disk, console)
            .and_then(|local| commit::record_batches(disk, local.registrar()));
        report.add(disk, outcome, recorded);
    }
    control.checkpoint().inspect_err(|_| {
        // A cancelled fill has no report; what went wrong on devices is to be seen all the same.
        let mut text = String::new();
        gpus::write_reports(&report.accelerators, &mut text);
        console.note(text.trim_end());
    })?;
    Ok(report)
}

/// Fills the partitions of one disk one after another; one that fails does not stop the next.
fn fill_disk(
    disk: &Disk,
    machine: (&Machine, &Devices),
    control: &Control,
    progress: &DiskProgress,
) -> (Vec<FilledPartition>, Vec<Failure>) {
    let (mut filled, mut failures) = (Vec::new(), Vec::new());
    for partition in &disk.manifest.partitions {
        match fill_partition(disk, partition, machine, control, progress) {
            Ok(report) => {
                let (path, validator) = (disk.path(partition), partition.validator_hotkey.clone());
                filled.push(FilledPartition { path, validator, report });
            }
            Err(Failure::Cancelled(_)) => break,
            Err(failure) => failures.push(failure),
        }
        progress.finish_partition(partition.windows * disk.manifest.window.window_bytes);
    }
    (filled, failures)
}

fn fill_partition(
    disk: &Disk,
    partition: &Partition,
    (machine, devices): (&Machine, &Devices),
    control: &Control,
    progress: &DiskProgress,
) -> Result<FillReport, Failure> {
    control.checkpoint()?;
    let path = disk.path(partition);
    let file = disk.open_file(partition, OpenMode::ReadWrite, machine.io)?;
    let report = fill(&file, &machine.fill_options(&path, devices), control, progress);
    let report = report.map_err(|error| Failure::fill(&path, error))?;
    file.close().map_err(|error| Failure::partition(&path, error))?;
    Ok(report)
}

/// What a fill did.
#[derive(Debug, Default, Serialize)]
pub struct Filled {
    /// Windows made, written and recorded by this run.
    pub windows_filled: u64,
    /// Windows that were there before.
    pub windows_kept: u64,
    /// Windows that have a place again because objects went.
    windows_again: u64,
    bytes_written: u64,
    partitions_recorded: u64,
    /// Graphics processors that were opened, and others that did something.
    accelerators: Vec<AcceleratorReport>,
    partitions: Vec<FilledPartition>,
    failures: Vec<FailedDisk>,
}

#[derive(Debug, Serialize)]
struct FilledPartition {
    path: PathBuf,
    validator: String,
    #[serde(flatten)]
    report: FillReport,
}

impl Filled {
    fn add(
        &mut self,
        disk: &Disk,
        (partitions, failures): (Vec<FilledPartition>, Vec<Failure>),
        recorded: Result<u64, Failure>,
    ) {
        for partition in &partitions {
            self.windows_filled += partition.report.windows_filled;
            self.windows_kept += partition.report.windows_kept;
            self.bytes_written += partition.report.bytes_written;
        }
        self.partitions.extend(partitions);
        self.failures.extend(failures.iter().map(|failure| FailedDisk::new(disk, failure)));
        match recorded {
            Ok(count) => self.partitions_recorded += count,
            // A disk that failed before will hardly give its records; its own failure says more.
            Err(failure) if failures.is_empty() => self.failures.push(FailedDisk::new(disk, &failure)),
            Err(_) => {}
        }
    }
}

impl Report for Filled {
    fn text(&self, out: &mut String) {
        for partition in &self.partitions {
            let FillReport { windows_filled, windows_kept, bytes_written, seconds, .. } = partition.report;
            #[allow(clippy::cast_precision_loss)] // a rate for people
            let rate = table::rate(bytes_written as f64 / seconds.max(1e-9));
            out.push_str(&format!(
                "{} ({}): {windows_filled} windows filled, {windows_kept} kept, {} in {}",
                partition.path.display(),
                partition.validator,
                table::bytes(bytes_written),
                table::duration(seconds)
            ));
            out.push_str(&if windows_filled > 0 { format!(", {rate}\n") } else { "\n".to_owned() });
        }
        if self.windows_again > 0 {
            out.push_str(&format!("{} windows took the place of objects that went\n", self.windows_again));
        }
        gpus::write_reports(&self.accelerators, out);
        out.push_str(&format!("{} commitments recorded\n", self.partitions_recorded));
        FailedDisk::write_all(&self.failures, out);
    }

    fn exit(&self) -> Exit {
        if self.failures.is_empty() { Exit::Done } else { Exit::Failed }
    }
}
