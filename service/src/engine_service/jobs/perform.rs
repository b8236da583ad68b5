//! Doing jobs: the same functions that commands call.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::jobs::control::Control;
use holdfast_engine::object::Address;

use super::{Terms, Work};
use crate::engine_service::policy_of;
use crate::local::committing::{OWNER, Parties};
use crate::local::console::{Console, Exit, Listener, Report, json_text};
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::jobs::commit::{Wanted, commit_objects};
use crate::local::jobs::fill::fill_disks;
use crate::local::jobs::resize::{Change, Resized, resize};
use crate::local::jobs::scrub::scrub_disks;
use crate::local::jobs::seal_audit::SealAudit;
use crate::local::machine::Machine;
use crate::local::objects::ObjectDirectory;
use crate::workers::Exchange;

/// What a job came to that was not broken off.
#[derive(Clone, Debug)]
pub struct Finished {
    /// As JSON.
    pub report: String,
    /// How the command of the same name would end.
    pub exit: Exit,
    /// The class of a rejection that it found.
    pub class: Option<&'static str>,
}

/// Who does jobs.
pub trait Perform: Send + Sync {
    /// Does a job, and blocks until it is done or was cancelled. Everything that was acknowledged is durable at any moment, and
    /// a job that was broken off can be done again with the same terms.
    ///
    /// # Errors
    /// It could not be done.
    fn perform(&self, terms: &Terms, control: &Control, listener: Listener) -> Result<Finished, Failure>;
}

/// This machine, with all that its jobs share.
#[derive(Clone, Debug)]
pub struct ThisMachine {
    /// Its processor and its graphics processors.
    pub machine: Arc<Machine>,
    /// Other machines that make windows for its fills.
    pub workers: Option<Arc<Exchange>>,
}

impl Perform for ThisMachine {
    fn perform(&self, terms: &Terms, control: &Control, listener: Listener) -> Result<Finished, Failure> {
        let (machine, console) = (&*self.machine, Console::heard_by(listener));
        let directory = &terms.directory;
        let disks = || Disk::open_all(std::slice::from_ref(directory));
        match &terms.work {
            Work::Fill => {
                let workers = self.workers.as_ref().map(Exchange::accelerators).unwrap_or_default();
                finished(&fill_disks(&mut disks()?, (machine, &workers), control, &console)?, None)
            }
            Work::Scrub { repair } => {
                finished(&scrub_disks(&disks()?, *repair, machine, control, &console)?, None)
            }
            Work::Resize { partition_id, windows } => {
                resize_one(directory, *partition_id, *windows, &console)
            }
            Work::Commit { object_root } => {
                let directory = ObjectDirectory::open(directory)?;
                let parties = Parties::resolve(OWNER, None, &directory, &console)?;
                let wanted = Wanted { object: object_root.map(Address::Blake3), ..Wanted::default() };
                finished(&commit_objects(&directory, &wanted, &parties, (machine, control), &console)?, None)
            }
            Work::SealAudit { policy, beacon, replay, windows } => {
                let policy = policy_of(policy).map_err(|error| Failure::Usage(error.to_string()))?;
                let audit = SealAudit { policy, beacon: *beacon, replay: *replay, windows: *windows };
                let report = audit.of_disks(&disks()?, (machine, control), &console)?;
                finished(&report, report.class)
            }
        }
    }
}

fn finished(report: &impl Report, class: Option<&'static str>) -> Result<Finished, Failure> {
    Ok(Finished { report: json_text(report)?, exit: report.exit(), class })
}

fn resize_one(
    directory: &Path,
    partition_id: u64,
    windows: u64,
    console: &Console,
) -> Result<Finished, Failure> {
    let mut disk = Disk::open(directory)?;
    let mut place = None;
    for (at, partition) in disk.manifest.partitions.iter().enumerate() {
        if disk.registration(partition)?.partition_id == partition_id {
            place = Some(at);
        }
    }
    let missing = || Failure::NotFound(format!("{} has no partition {partition_id}", directory.display()));
    let changes = vec![Change::of(&disk, place.ok_or_else(missing)?, windows)];
    // Whoever submits a job has decided.
    resize(&mut disk, &changes, || Ok(()), console)?;
    finished(&Resized { dry_run: false, changes }, None)
}
