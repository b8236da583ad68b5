//! What of this machine a job may use.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::accelerator::Devices;
use holdfast_engine::backend::Backend;
use holdfast_engine::jobs::fill::FillOptions;
use holdfast_partition::io::IoChoice;

use crate::local::failure::Failure;
use crate::local::gpus::Gpus;

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
