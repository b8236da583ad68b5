//! Answers for partitions, from their files.

use std::path::Path;
use std::sync::Arc;

use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::jobs::answer::{AnswerError, Answerer};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::space::window::WindowMaker;
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::OpenMode;

use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::machine::Machine;

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
        AnswerError::Damaged { .. } => Failure::work("damaged", path, error),
        AnswerError::NotSealed { .. } | AnswerError::OtherPartition(_) => Failure::work("state", path, error),
        AnswerError::Cancelled(cancelled) => Failure::Cancelled(cancelled),
        other => Failure::work("io", path, other),
    }
}
