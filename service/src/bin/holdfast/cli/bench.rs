//! `holdfast bench`: how fast will this machine be?

mod objects;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use holdfast_engine::backend::{self, State};
use holdfast_engine::jobs::bench::{
    AcceleratorRate, DiskRate, KernelRate, VerifyRate, WindowRate, blake3_compressions_per_second,
    measure_accelerator, measure_disk, measure_kernel, measure_verifying, measure_windows,
};
use holdfast_engine::registration::{Profile, WindowShape};
use holdfast_partition::io::{IoChoice, Opened};
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use holdfast_service::local::size;

use super::options::{MachineArguments, profile, window};
use crate::allocation::FileSystem;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::gpus::{GpuArguments, Work};
use crate::machine::Machine;
use crate::medium;
use crate::table::{self, Table, rate};

/// Measure labels, disk and audits, and predict how long a fill takes; or the audits of objects
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Takes about a minute; --quick a few seconds. Writes one temporary file into --dir and deletes it. Random reads bypass the \
page cache; where the file system has no direct I/O, a warning says so. Example:
  holdfast bench --dir /mnt/disk1 --fill 4TiB
  holdfast bench verify")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Directory on the disk to measure; without it only computing is measured
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Predict the time to fill this many bytes
    #[arg(long, value_name = "SIZE", default_value = "1TiB", value_parser = size)]
    fill: u64,
    /// Bytes of one window
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = window)]
    window: u64,
    /// Work per window: swift, standard or hard
    #[arg(long, value_name = "NAME", default_value = "standard", value_parser = profile)]
    profile: Profile,
    /// Bytes of the temporary file
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    file_size: u64,
    /// Shorter measurements
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    gpus: GpuArguments,
}

#[derive(Debug, Subcommand)]
enum What {
    Commit(objects::Commit),
    Check(objects::Check),
    Verify(objects::Verify),
}

/// Openings in an answer under the default policy.
const SAMPLES: u32 = 64;

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            Some(What::Commit(bench)) => bench.run(console),
            Some(What::Check(bench)) => bench.run(console),
            Some(What::Verify(bench)) => bench.run(console),
            None => self.bench_windows(console),
        }
    }

    fn bench_windows(&self, console: &Console) -> Result<Exit, Failure> {
        let span = Duration::from_millis(if self.quick { 200 } else { 3000 });
        let machine = self.machine.resolve_with(self.gpus.resolve()?)?;
        let shape = WindowShape::of_bytes(self.window, self.profile)
            .map_err(|rejection| Failure::Usage(rejection.detail))?;
        console.note("measuring labels …");
        let blake3 = blake3_compressions_per_second(span);
        let kernels = self.kernels(shape, blake3, span)?;
        let windows = measure_windows(shape, machine.backend, &machine.pool, span).map_err(no_memory)?;
        let gpus = self.gpu_rates(&machine, shape, span, console)?;
        let verifying = measure_verifying(machine.backend, shape.log2_labels(), SAMPLES, span);
        let disk = match &self.dir {
            Some(dir) => Some(self.measure_disk(dir, machine.queue_depth, span, console)?),
            None => None,
        };
        let of_gpus: f64 = gpus.iter().filter_map(|rate| rate.window_bytes_per_second).sum();
        let forecast = Forecast::new(self.fill, windows.bytes_per_second + of_gpus, disk.as_ref());
        console.report(&Bench {
            blake3_compressions_per_second: blake3,
            kernels,
            windows,
            gpus,
            verifying,
            disk,
            forecast,
        })
    }

    /// Every graphics processor that a fill would use; one that fails is named.
    fn gpu_rates(
        &self,
        machine: &Machine,
        shape: WindowShape,
        span: Duration,
        console: &Console,
    ) -> Result<Vec<AcceleratorRate>, Failure> {
        let devices = machine.gpus.devices(Work::Windows, self.fill, |message| console.note(message))?;
        let mut rates = Vec::new();
        for accelerator in &devices.accelerators {
            console.note(format!("measuring graphics processor {} …", accelerator.id()));
            match measure_accelerator(accelerator.as_ref(), shape, span) {
                Ok(rate) => rates.push(rate),
                Err(fault) => {
                    console.warn(format!("graphics processor {} failed: {fault}", accelerator.id()))
                }
            }
        }
        Ok(rates)
    }

    /// Every back end that is present, on one core.
    fn kernels(&self, shape: WindowShape, blake3: f64, span: Duration) -> Result<Vec<Kernel>, Failure> {
        let mut kernels = Vec::new();
        for presence in backend::survey() {
            let State::Present(backend) = presence.state else { continue };
            let rate = measure_kernel(backend, shape.log2_labels(), span).map_err(no_memory)?;
            kernels.push(Kernel { blake3_ratio: rate.compressions_per_second / blake3, rate });
        }
        Ok(kernels)
    }

    fn measure_disk(
        &self,
        dir: &Path,
        queue_depth: usize,
        span: Duration,
        console: &Console,
    ) -> Result<DiskRate, Failure> {
        console.note(format!("measuring the disk of {} …", dir.display()));
        let free = FileSystem::of(dir)?.free_bytes;
        if free < self.file_size {
            return Err(Failure::State {
                message: format!(
                    "{} has {} free, the temporary file takes {}",
                    dir.display(),
                    table::bytes(free),
                    table::bytes(self.file_size)
                ),
                advice: "choose a smaller --file-size".to_owned(),
            });
        }
        let (_file, Opened { io, direct, notes }) = scratch_file(dir, self.machine.io)?;
        notes.iter().for_each(|note| console.note(note));
        if !direct {
            console
                .warn("reads go through the page cache: they may be answered from memory, not by the disk");
        }
        measure_disk(io.as_ref(), self.file_size, queue_depth, span).map_err(Failure::io)
    }
}

fn no_memory(error: std::io::Error) -> Failure {
    Failure::file("get memory for", "the layers of a window", error)
}

/// A file to measure on, deleted when the guard is dropped.
pub(super) fn scratch_file(dir: &Path, io: IoChoice) -> Result<(tempfile::NamedTempFile, Opened), Failure> {
    let file = tempfile::Builder::new().prefix(".holdfast-bench-").tempfile_in(dir);
    let file = file.map_err(|error| Failure::file("create a temporary file in", dir, error))?;
    let opened = medium::open(file.path(), io, OpenMode::ReadWrite)?;
    Ok((file, opened))
}

#[derive(Serialize)]
struct Bench {
    /// One core, large buffer, the official crate.
    blake3_compressions_per_second: f64,
    /// One core each.
    kernels: Vec<Kernel>,
    /// All threads.
    windows: WindowRate,
    /// Each alone.
    gpus: Vec<AcceleratorRate>,
    /// One core.
    verifying: VerifyRate,
    disk: Option<DiskRate>,
    forecast: Forecast,
}

#[derive(Serialize)]
struct Kernel {
    #[serde(flatten)]
    rate: KernelRate,
    /// Compressions per second, as a multiple of the official crate's.
    blake3_ratio: f64,
}

/// How long a fill will take.
#[derive(Serialize)]
struct Forecast {
    bytes: u64,
    compute_seconds: f64,
    /// Absent without --dir.
    disk_seconds: Option<f64>,
    /// The slower of the two: they run side by side.
    fill_seconds: f64,
}

impl Forecast {
    #[allow(clippy::cast_precision_loss)] // bytes of a disk are far below 2^52
    fn new(bytes: u64, window_bytes_per_second: f64, disk: Option<&DiskRate>) -> Forecast {
        let compute_seconds = bytes as f64 / window_bytes_per_second;
        let disk_seconds = disk.map(|disk| bytes as f64 / disk.write_bytes_per_second);
        let fill_seconds = compute_seconds.max(disk_seconds.unwrap_or(0.0));
        Forecast { bytes, compute_seconds, disk_seconds, fill_seconds }
    }
}

impl Report for Bench {
    fn text(&self, out: &mut String) {
        let millions = |value: f64| format!("{:.1}", value / 1e6);
        out.push_str(&format!(
            "labels on one core, layers of {} (official BLAKE3 crate: {} million compressions/s)",
            table::bytes(self.windows.window_bytes),
            millions(self.blake3_compressions_per_second)
        ));
        out.push('\n');
        let mut lines = Table::new(&["", ">million labels/s", ">million compressions/s", ">x BLAKE3 crate"]);
        for Kernel { rate, blake3_ratio } in &self.kernels {
            lines.row([
                rate.backend.to_owned(),
                millions(rate.labels_per_second),
                millions(rate.compressions_per_second),
                format!("{blake3_ratio:.2}"),
            ]);
        }
        lines.write("  ", out);
        let WindowRate { backend, threads, layers, window_seconds, bytes_per_second, .. } = &self.windows;
        out.push_str(&format!(
            "windows with {layers} layers, hashing included ({backend}, {threads} threads): {} each, {}\n",
            table::duration(*window_seconds),
            rate(*bytes_per_second)
        ));
        for AcceleratorRate { id, window_bytes_per_second, commit_bytes_per_second } in &self.gpus {
            let of = |value: &Option<f64>| value.map_or("none".to_owned(), rate);
            out.push_str(&format!(
                "  graphics processor {id}: windows {}, commitments {}\n",
                of(window_bytes_per_second),
                of(commit_bytes_per_second)
            ));
        }
        out.push_str(&format!(
            "verifying answers of {} samples on one core: {:.0}/s one by one, {:.0}/s in batches\n",
            self.verifying.samples, self.verifying.single_per_second, self.verifying.batched_per_second
        ));
        if let Some(disk) = &self.disk {
            out.push_str(&format!(
                "disk ({}, {} in flight): {} written and synced, {:.0} random reads of 16 KiB/s\n",
                disk.io,
                disk.queue_depth,
                rate(disk.write_bytes_per_second),
                disk.reads_per_second
            ));
            out.push_str(&format!(
                "  one read alone {} (99 % within {}); the reads of one answer {}, so {:.1} answers/s\n",
                table::duration(disk.read_seconds_median),
                table::duration(disk.read_seconds_p99),
                table::duration(disk.audit_seconds_median),
                1.0 / disk.audit_seconds_median
            ));
        }
        self.forecast.text(out);
    }
}

impl Forecast {
    fn text(&self, out: &mut String) {
        let time = table::duration;
        out.push_str(&format!("filling {}: {}", table::bytes(self.bytes), time(self.fill_seconds)));
        out.push_str(&match self.disk_seconds {
            Some(disk) => format!(" (computing {}, disk {})\n", time(self.compute_seconds), time(disk)),
            None => " of computing (give --dir to measure a disk as well)\n".to_owned(),
        });
    }
}
