//! Several disks at once: one thread each, and a failure of one is no failure of the others.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::local::disks::Disk;
use crate::local::failure::Failure;

/// Does the work for every disk on a thread of its own; the results are in the order of the disks.
pub fn each_disk<T: Send>(disks: &[Disk], work: impl Fn(&Disk) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|threads| {
        let running: Vec<_> = disks.iter().map(|disk| threads.spawn(move || work(disk))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// What went wrong on one disk, in a report.
#[derive(Debug, Serialize)]
pub struct FailedDisk {
    directory: PathBuf,
    error: Value,
    #[serde(skip)]
    message: String,
}

impl FailedDisk {
    /// The failure and where it was.
    pub fn new(disk: &Disk, failure: &Failure) -> FailedDisk {
        let (error, message) = (failure.json_value(), failure.full_message());
        FailedDisk { directory: disk.directory.clone(), error, message }
    }

    /// A line for each.
    pub fn write_all(failures: &[FailedDisk], out: &mut String) {
        for failure in failures {
            out.push_str(&format!("FAILED  {}\n", failure.message));
        }
    }
}
