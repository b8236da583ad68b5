//! Who is asked in a challenge, and answers for partitions, from their files.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::jobs::answer::{AnswerError, Answerer};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::possession::challenge::ObjectChallenge;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::space::window::WindowMaker;
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::OpenMode;

use crate::local::audits::HeldObject;
use crate::local::disks::Disk;
use crate::local::failure::{DAMAGED, Failure};
use crate::local::machine::Machine;
use crate::local::objects::ObjectDirectory;

/// The partition that a challenge is about, by the digest of its registration.
pub fn find_partition<'d>(
    disks: &'d [Disk],
    challenge: &Challenge,
) -> Result<(&'d Disk, &'d Partition), Failure> {
    for disk in disks {
        for partition in &disk.manifest.partitions {
            if disk.registration(partition)?.digest() == challenge.registration_digest {
                return Ok((disk, partition));
            }
        }
    }
    Err(Failure::NotFound(format!(
        "no partition here is the challenged one (id {}, validator {})",
        challenge.partition_id, challenge.validator
    )))
}

/// The object that a challenge is about, under `record` or else the record that is kept with it.
pub fn find_object(
    directories: &[ObjectDirectory],
    challenge: &ObjectChallenge,
    record: Option<&SignedRecord>,
) -> Result<HeldObject, Failure> {
    for directory in directories {
        if let Some(held) = HeldObject::find(directory, challenge, record)? {
            return Ok(held);
        }
    }
    let root = hex::encode(challenge.replica.object_root());
    Err(Failure::NotFound(format!("no object here is the challenged one ({root})")))
}

/// Reads or remakes what the challenge asks for.
pub fn answer_partition(
    disk: &Disk,
    partition: &Partition,
    challenge: &Challenge,
    machine: &Machine,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let path = disk.path(partition);
    let failed = |error| answer_failure(&path, error);
    let file = disk.open_file(partition, OpenMode::ReadOnly, machine.io)?;
    let answerer = Answerer::new(&file, machine.backend, machine.answer_depth).map_err(failed)?;
    match challenge.kind {
        Kind::Space => answerer.space(challenge).map_err(failed),
        Kind::Seal => {
            let maker = WindowMaker::new(challenge.shape, machine.backend, Arc::clone(&machine.pool));
            let mut maker =
                maker.map_err(|error| Failure::file("get memory for the windows of", &path, error))?;
            answerer.seal(challenge, &mut maker, control).map_err(failed)
        }
    }
}

fn answer_failure(path: &Path, error: AnswerError) -> Failure {
    match error {
        AnswerError::Damaged { .. } => Failure::work(DAMAGED, path, error),
        AnswerError::NotSealed { .. } | AnswerError::OtherPartition(_) => Failure::work("state", path, error),
        AnswerError::Cancelled(cancelled) => Failure::Cancelled(cancelled),
        other => Failure::work("io", path, other),
    }
}
