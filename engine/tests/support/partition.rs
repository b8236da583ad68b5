//! Partitions of a few small windows, and the options of jobs over them; shared by several suites.
#![allow(dead_code)] // no suite needs all of it

use std::sync::Arc;

use holdfast_engine::accelerator::Devices;
use holdfast_engine::account::Account;
use holdfast_engine::backend::{self, Choice};
use holdfast_engine::jobs::fill::FillOptions;
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_partition::io::{Access, AlignedBuffer, BlockIo, IoChoice, MemoryIo, OpenOptions, open};
use holdfast_partition::partition_file::PartitionFile;

pub(crate) const WINDOWS: u64 = 6;

pub(crate) fn registration(k: u8, layers: u8) -> Registration {
    let intent = Intent {
        shape: WindowShape::new(k, layers).expect("in range"),
        window_cap: 64,
        network: [1; 32],
        miner: Account([2; 32]),
        validator: Account([3; 32]),
        ordinal: 0,
    };
    Registration { intent, partition_id: 7, intent_height: 100, beacon: [4; 32] }
}

/// By the processor alone.
pub(crate) fn options() -> FillOptions {
    options_with(Devices::default())
}

pub(crate) fn options_with(devices: Devices) -> FillOptions {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    FillOptions {
        place: "test".into(),
        backend: backend::select(Choice::Auto).expect("portable exists"),
        devices,
        pool: Arc::new(pool),
        queue_depth: 4,
        staging_bytes: 8 << 20,
    }
}

pub(crate) fn create(io: Arc<dyn BlockIo>, registration: &Registration) -> PartitionFile {
    let file = PartitionFile::create(io, registration.encode()).expect("creates");
    file.resize(WINDOWS, &mut |_| true).expect("resizes");
    file
}

/// A real file in a directory that lives as long as the test.
pub(crate) fn real_file(registration: &Registration, choice: IoChoice) -> (tempfile::TempDir, PartitionFile) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("partition.holdfast");
    let opened = open(&path, &OpenOptions::new(Access::CreateNew).with_choice(choice)).expect("opens");
    (directory, create(opened.io, registration))
}

/// A file of so many windows in memory.
pub(crate) fn memory_file(registration: &Registration, windows: u64) -> PartitionFile {
    let file = PartitionFile::create(Arc::new(MemoryIo::default()), registration.encode()).expect("creates");
    file.resize(windows, &mut |_| true).expect("resizes");
    file
}

pub(crate) fn read_window(file: &PartitionFile, window: u64) -> Vec<u8> {
    let bytes = usize::try_from(file.geometry().window_bytes()).expect("small");
    let mut bytes = AlignedBuffer::zeroed(bytes).expect("memory");
    file.io().read_at(file.window_offset(window).expect("exists"), &mut bytes).expect("reads");
    bytes.to_vec()
}

/// Bytes and record of every window, outboard pages included.
pub(crate) fn contents(file: &PartitionFile) -> Vec<(Vec<u8>, Vec<u8>)> {
    let slot = usize::try_from(file.geometry().slot_bytes()).expect("small");
    let window = |window| {
        let mut bytes = AlignedBuffer::zeroed(slot).expect("memory");
        file.io().read_at(file.window_offset(window).expect("exists"), &mut bytes).expect("reads");
        let record = file.entry(window).expect("exists").seal.expect("sealed").record.to_vec();
        (bytes.to_vec(), record)
    };
    (0..file.windows().expect("open")).map(window).collect()
}
