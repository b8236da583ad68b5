//! A partition filled by the device onto a disk, by the job that miners run; then read back and compared.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::accelerator::{Devices, ProcessorRole};
use holdfast_engine::account::Account;
use holdfast_engine::backend::gpu::Gpu;
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::jobs::bench::measure_writes;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillOptions, FillReport, fill};
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_engine::jobs::scrub::scrub;
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_partition::disk::disk_of;
use holdfast_partition::io::{Access, BlockIo, MemoryIo, OpenOptions, open};
use holdfast_partition::partition_file::PartitionFile;

use super::Subject;
use crate::process::Clocks;
use crate::report::{Figure, Row, Section, real};
use crate::scratch::Scratch;

/// Of the free space, at most one part in so many is filled.
const FREE_SHARE: u64 = 3;
const QUEUE_DEPTH: usize = 16;
const STAGING_BYTES: usize = 256 << 20;
/// Bytes of the file by which the disk alone is measured, at least.
const DISK_FILE_BYTES: u64 = 64 << 20;

type Failure = Box<dyn std::error::Error>;

/// Rows of the disk alone, the fill, and what lies on the disk afterwards.
pub(crate) fn section(subject: &Subject, directory: &Path) -> Section {
    let shape = subject.scale.shape();
    let mut rows = Vec::new();
    if let Err(error) = run(subject, directory, &mut rows) {
        rows.push(Row::of("fill", Err(error)));
    }
    let what = format!(
        "a fill of windows of {}, {} layers, to disk",
        super::byte_size(shape.bytes()),
        shape.layers()
    );
    subject.section(&what, rows)
}

fn run(subject: &Subject, directory: &Path, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let shape = subject.scale.shape();
    let room = disk_of(directory)?.free_bytes / FREE_SHARE / (shape.bytes() + shape.bytes() / 64);
    let windows = subject.scale.windows.min(room);
    if windows == 0 {
        rows.push(Row::absent("fill", "a third of the disk's free space is less than a window"));
        return Ok(());
    }
    let scratch = Scratch::new(directory, "fill")?;
    let disk_rate = disk_alone(&scratch, windows * shape.bytes(), subject.scale.span)?;
    rows.push(Row::of("disk alone", Ok::<_, Failure>(vec![Figure::new("writes", disk_rate * 1e-9, "GB/s")])));

    let registration = registration(shape);
    let opened = open(&scratch.path().join("partition.holdfast"), &OpenOptions::new(Access::CreateNew))?;
    let file = new_file(opened.io, &registration, windows)?;
    let gpu = Arc::new(Gpu::open(subject.adapter.clone(), subject.options(None))?);
    let devices = Devices { accelerators: vec![gpu], processor: ProcessorRole::TakesOver };
    let options = options(devices)?;
    let (notices, clocks) = (Notices::default(), Clocks::start());
    let report = fill(&file, &options, &Control::default(), &notices)?;
    let cores = clocks.cores_used();
    rows.push(Row::of("fill", judge(&report, &notices).map(|()| figures(&report, disk_rate, cores))));
    let scrubbed = scrub(&file, &options, false, &Control::default(), &())?;
    rows.push(Row::of(
        "read back",
        match scrubbed.damaged.len() {
            0 => Ok(vec![
                Figure::count("windows as recorded", scrubbed.windows_checked, ""),
                Figure::new("rate", real(scrubbed.bytes_read) * 1e-9 / scrubbed.seconds, "GB/s"),
            ]),
            damaged => Err(format!("{damaged} windows are not as recorded")),
        },
    ));
    rows.push(Row::of("window 0 by the processor", like_the_processor(&file, &registration)?));
    Ok(())
}

/// Bytes a second that the disk takes, through the same block I/O.
fn disk_alone(scratch: &Scratch, fill_bytes: u64, span: Duration) -> Result<f64, Failure> {
    let path = scratch.path().join("disk-alone");
    let opened = open(&path, &OpenOptions::new(Access::CreateNew))?;
    let bytes = fill_bytes.clamp(DISK_FILE_BYTES, 4 << 30);
    let rate = measure_writes(&*opened.io, bytes, QUEUE_DEPTH, span)?;
    drop(opened);
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn judge(report: &FillReport, notices: &Notices) -> Result<(), String> {
    match report.windows_redone {
        0 => Ok(()),
        redone => Err(format!(
            "the device failed at {redone} windows, which the processor made: {}",
            notices.text()
        )),
    }
}

fn figures(report: &FillReport, disk_rate: f64, cores: f64) -> Vec<Figure> {
    let rate = real(report.bytes_written) / report.seconds;
    vec![
        Figure::new("rate", rate * 1e-9, "GB/s"),
        Figure::new("of the disk alone", 100.0 * rate / disk_rate, "%"),
        Figure::count("windows", report.windows_filled, ""),
        Figure::count("by the device", report.windows_accelerated, ""),
        Figure::new("waited for the disk", report.disk_wait_seconds, "s"),
        Figure::new("in all", report.seconds, "s"),
        Figure::new("processor", cores, "cores"),
    ]
}

/// The processor makes the first window alone, in memory; equal records are equal bytes.
fn like_the_processor(
    file: &PartitionFile,
    registration: &Registration,
) -> Result<Result<Vec<Figure>, String>, Failure> {
    let memory = new_file(Arc::new(MemoryIo::default()), registration, 1)?;
    fill(&memory, &options(Devices::default())?, &Control::default(), &())?;
    let record = |file: &PartitionFile| Ok::<_, Failure>(file.entry(0)?.seal.map(|seal| seal.record));
    let (given, expected) = (record(file)?, record(&memory)?);
    Ok(if given.is_some() && given == expected {
        Ok(vec![Figure::count("equal", 1, "window")])
    } else {
        Err("it differs".into())
    })
}

fn new_file(
    io: Arc<dyn BlockIo>,
    registration: &Registration,
    windows: u64,
) -> Result<PartitionFile, Failure> {
    let file = PartitionFile::create(io, registration.encode())?;
    file.resize(windows, &mut |_| true)?;
    Ok(file)
}

fn options(devices: Devices) -> Result<FillOptions, Failure> {
    Ok(FillOptions {
        place: "hwtest".into(),
        backend: select(Choice::Auto)?,
        devices,
        pool: Arc::new(rayon::ThreadPoolBuilder::new().build()?),
        queue_depth: QUEUE_DEPTH,
        staging_bytes: STAGING_BYTES,
    })
}

/// Of nobody, for nobody.
fn registration(shape: WindowShape) -> Registration {
    let intent = Intent {
        shape,
        window_cap: 4096,
        network: [0x48; 32],
        miner: Account([1; 32]),
        validator: Account([2; 32]),
        ordinal: 0,
    };
    Registration { intent, partition_id: 1, intent_height: 1, beacon: [3; 32] }
}

/// Keeps what the job says.
#[derive(Debug, Default)]
struct Notices(Mutex<Vec<String>>);

impl Notices {
    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("; ")
    }
}

impl Watcher for Notices {
    fn report(&self, _: &Snapshot) {}

    fn notice(&self, message: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.to_owned());
    }
}
