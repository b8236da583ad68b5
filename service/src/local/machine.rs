//! What of this machine a job may use.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::accelerator::Devices;
use holdfast_engine::backend::{self, Backend};
use holdfast_engine::jobs::answer;
use holdfast_engine::jobs::fill::FillOptions;
use holdfast_partition::io::IoChoice;

use crate::local::failure::Failure;
use crate::local::gpus::Gpus;
use crate::local::settings;

/// Requests in flight on each disk while much is moved, where nobody says otherwise.
pub const QUEUE_DEPTH: usize = 8;
/// Memory for data that waits for a disk, in bytes, where nobody says otherwise.
pub const STAGING_BYTES: u64 = 64 << 20;

/// Resolved machine flags.
#[derive(Debug)]
pub struct Machine {
    /// Who computes on the processor.
    pub backend: &'static dyn Backend,
    /// Who computes beside it, in jobs that take long.
    pub gpus: Gpus,
    /// How disks are read and written.
    pub io: IoChoice,
    /// The compute threads.
    pub pool: Arc<rayon::ThreadPool>,
    /// Requests in flight on each disk while much is moved.
    pub queue_depth: usize,
    /// Reads in flight for an answer.
    pub answer_depth: usize,
    /// Memory for data that waits for a disk, in bytes.
    pub staging_bytes: u64,
}

impl Machine {
    /// As `holdfast tune` found this host, with the fastest back end there is and no graphics processors. `threads`: compute
    /// threads, if not as many as tuned or as there are cores.
    pub fn of_this_host(threads: Option<usize>) -> Result<Machine, Failure> {
        let tuned = settings::load()?;
        let tuned = tuned.as_ref();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.or(tuned.map(|tuned| tuned.threads.into())).unwrap_or(cores);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool =
            pool.map_err(|error| Failure::Absent(format!("cannot start {threads} threads: {error}")))?;
        let absent = |error: backend::BackendError| Failure::Absent(error.to_string());
        Ok(Machine {
            backend: backend::select(backend::Choice::Auto).map_err(absent)?,
            gpus: Gpus::off(),
            io: IoChoice::Auto,
            pool: Arc::new(pool),
            answer_depth: answer::QUEUE_DEPTH,
            queue_depth: tuned.map_or(QUEUE_DEPTH, |tuned| tuned.queue_depth.into()),
            staging_bytes: tuned.map_or(STAGING_BYTES, |tuned| tuned.staging_bytes),
        })
    }

    /// The options of a fill or a repair of the file at `path`.
    pub fn fill_options(&self, path: &Path, devices: &Devices) -> FillOptions {
        FillOptions {
            place: path.display().to_string(),
            backend: self.backend,
            devices: devices.clone(),
            pool: Arc::clone(&self.pool),
            queue_depth: self.queue_depth,
            staging_bytes: usize::try_from(self.staging_bytes).unwrap_or(usize::MAX),
        }
    }
}

/// Puts this process behind every other one, for the processor and for disks.
pub fn lower_priority() -> Result<(), Failure> {
    const LOWEST: i32 = 19; // the kernel's scheduler of disks follows it
    rustix::process::setpriority_process(None, LOWEST)
        .map_err(|error| Failure::file("lower the priority of", "this process", error.into()))
}
