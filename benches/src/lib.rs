//! What the benches share: a small partition in a real file, and rounds of space and possession audits.

pub mod possession;
pub mod space;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::accelerator::Devices;
use holdfast_engine::account::Account;
use holdfast_engine::backend::{self, Backend, State};
use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::jobs::fill::FillOptions;
use holdfast_engine::registration::{Intent, Registration, WindowShape};
use holdfast_engine::signature::Signature;
use holdfast_engine::space::record::{WindowRecord, partition_root};
use holdfast_partition::io::{Access, IoChoice, OpenOptions, open};
use holdfast_partition::partition_file::PartitionFile;

/// The ways of doing I/O that are measured.
pub const IO_CHOICES: [IoChoice; 2] = [IoChoice::Uring, IoChoice::Pread];

/// Back ends present here.
pub fn backends() -> Vec<&'static dyn Backend> {
    backend::survey()
        .into_iter()
        .filter_map(|presence| match presence.state {
            State::Present(backend) => Some(backend),
            State::Absent(_) => None,
        })
        .collect()
}

/// The time this thread spends on that many calls, for criterion's `iter_custom`. Unlike the wall clock it leaves out what
/// other work on the same core takes, so that ratios between kernels hold on a busy machine too.
pub fn thread_time<T>(iterations: u64, mut routine: impl FnMut() -> T) -> Duration {
    let start = thread_clock();
    for _ in 0..iterations {
        std::hint::black_box(routine());
    }
    thread_clock() - start
}

/// Keeps this process on one core, the one it runs on, so that libraries with threads of their own start none; then runs `work` in a
/// pool of this thread alone.
pub fn on_one_core<T>(work: impl FnOnce() -> T) -> T {
    use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
    let mut cores = CpuSet::new();
    cores.set(sched_getcpu());
    sched_setaffinity(None, &cores).expect("a core of this process");
    // This thread belongs to the pool for as long as it exists.
    let builder = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    let _pool = builder.build().expect("this thread is in no pool");
    work()
}

fn thread_clock() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.try_into().expect("a thread's time is positive")
}

/// A registration of windows of 2^`k` labels and `layers` layers.
pub fn registration(k: u8, layers: u8) -> Registration {
    let intent = Intent {
        shape: WindowShape::new(k, layers).expect("in range"),
        window_cap: 4096,
        network: [1; 32],
        miner: Account([2; 32]),
        validator: Account([3; 32]),
        ordinal: 0,
    };
    Registration { intent, partition_id: 7, intent_height: 100, beacon: [4; 32] }
}

/// A new partition file of empty windows, or why this way of doing I/O is absent.
pub fn create(
    directory: &Path,
    choice: IoChoice,
    registration: &Registration,
    windows: u64,
) -> Result<PartitionFile, String> {
    let path = directory.join("partition.holdfast");
    let options = OpenOptions::new(Access::CreateNew).with_choice(choice);
    let opened = open(&path, &options).map_err(|error| error.to_string())?;
    let file = PartitionFile::create(opened.io, registration.encode()).expect("creates");
    file.resize(windows, &mut |_| true).expect("reserves");
    Ok(file)
}

/// How to fill with this back end, all cores and 64 MiB of staging.
pub fn fill_options(backend: &'static dyn Backend) -> FillOptions {
    let pool = rayon::ThreadPoolBuilder::new().build().expect("threads");
    let (place, queue_depth, staging_bytes) = ("bench".into(), 4, 64 << 20);
    FillOptions {
        place,
        backend,
        devices: Devices::default(),
        pool: Arc::new(pool),
        queue_depth,
        staging_bytes,
    }
}

/// The commitment to a filled partition.
pub fn commitment(file: &PartitionFile, registration: &Registration) -> Commitment {
    let windows = file.windows().expect("open");
    let record = |window| {
        let seal = file.entry(window).expect("exists").seal.expect("sealed");
        WindowRecord::decode(&seal.record).expect("ours")
    };
    let records: Vec<_> = (0..windows).map(record).collect();
    let batch = Batch { end: windows, height: 110, partition_root: partition_root(&records) };
    let fields = CommitmentFields {
        registration: *registration,
        signature: Signature::NONE,
        batches: vec![batch],
        records,
    };
    Commitment::new(fields).expect("consistent")
}
