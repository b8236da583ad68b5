//! `holdfast prove`: answer a challenge from the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::jobs::answer::{AnswerError, Answerer};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::space::response::response_digest;
use holdfast_engine::space::window::WindowMaker;
use holdfast_partition::manifest::Partition;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::options::{DirArguments, MachineArguments};
use super::verify::verify_response;
use crate::commit;
use crate::console::{Console, Exit, Report};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files;
use crate::interrupt;
use crate::machine::Machine;
use crate::table;

/// Answer a challenge; the answer is verified before it is written
#[derive(Args, Debug)]
#[command(after_help = "\
A space challenge reads the chunks asked for; a seal challenge makes the windows asked for again and opens their layers. \
Works while a fill is running. Example:
  holdfast prove --dir /mnt/disk1 --challenge a.challenge --out a.response")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    machine: MachineArguments,
    /// The challenge
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// Where to write the response
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let challenge = files::read_challenge(&self.challenge)?;
        let disks = Disk::open_all(&self.disks.dirs)?;
        let (disk, partition) = find(&disks, &challenge)?;
        let machine = self.machine.resolve()?;
        let started = Instant::now();
        let response = answer(disk, partition, &challenge, &machine, &interrupt::control(None))?;
        let seconds = started.elapsed().as_secs_f64();
        let commitment = commit::commitment(disk, partition, console)?;
        verify_response(machine.backend, &commitment, &challenge, &response)
            .map_err(|rejection| Failure::rejected(&self.challenge, rejection))?;
        files::write_whole(&self.out, &response)?;
        console.report(&Proven {
            out: self.out.clone(),
            bytes: response.len() as u64,
            response_digest: hex::encode(response_digest(&response)),
            seconds,
            partition_id: challenge.partition_id,
            samples: challenge.samples,
        })
    }
}

/// The partition that a challenge is about, by the digest of its registration.
fn find<'d>(disks: &'d [Disk], challenge: &Challenge) -> Result<(&'d Disk, &'d Partition), Failure> {
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

/// Reads or remakes what the challenge asks for.
pub(crate) fn answer(
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

fn answer_failure(path: &std::path::Path, error: AnswerError) -> Failure {
    match error {
        AnswerError::Damaged { .. } => Failure::work("damaged", path, error),
        AnswerError::NotSealed { .. } | AnswerError::OtherPartition(_) => Failure::work("state", path, error),
        AnswerError::Cancelled(cancelled) => Failure::Cancelled(cancelled),
        other => Failure::work("io", path, other),
    }
}

#[derive(Serialize)]
struct Proven {
    out: PathBuf,
    bytes: u64,
    response_digest: String,
    seconds: f64,
    partition_id: u64,
    samples: u32,
}

impl Report for Proven {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: {} for {} samples of partition {} in {}, verified\ndigest {}\n",
            self.out.display(),
            table::bytes(self.bytes),
            self.samples,
            self.partition_id,
            table::duration(self.seconds),
            self.response_digest
        ));
    }
}
