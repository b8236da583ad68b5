//! `holdfast prove`: answer a challenge from the disk.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use holdfast_engine::challenge::Challenge;
use holdfast_engine::jobs::progress::Meter;
use holdfast_engine::possession::challenge::ObjectChallenge;
use holdfast_engine::space::response::response_digest;
use serde::Serialize;

use super::options::{DirArguments, MachineArguments};
use crate::answering::{answer_partition, find_object, find_partition};
use crate::audits::{AnyChallenge, asked_for, read_challenge, read_record};
use crate::commit;
use crate::console::{Console, Exit, Report};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files;
use crate::interrupt;
use crate::judging::verify_response;
use crate::objects::ObjectDirectory;
use crate::progress::Board;
use crate::table;

/// Answer a challenge; the answer is verified before it is written
#[derive(Args, Debug)]
#[command(after_help = "\
The challenge says what it is: of a partition (space, seal) or of an object (possession, chunks, link, a token). A seal \
challenge makes the windows asked for again and opens their layers; a token reads the whole object. Works while a fill is \
running. Example:
  holdfast prove --dir /mnt/disk1 --challenge a.challenge --out a.response")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    machine: MachineArguments,
    /// The challenge
    #[arg(long, value_name = "FILE")]
    challenge: PathBuf,
    /// Of an object: the record that the challenge refers to [default: the one that is kept with the object]
    #[arg(long, value_name = "FILE")]
    commitment: Option<PathBuf>,
    /// Of kind possession: leave the openings out, for a validator that keeps the table
    #[arg(long)]
    no_openings: bool,
    /// Where to write the response
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let challenge = read_challenge(&self.challenge)?;
        match (&challenge, challenge.of_object()) {
            (_, Some(of_object)) => self.prove_object(&challenge, of_object, console),
            (AnyChallenge::Partition(challenge), None) => self.prove_partition(challenge, console),
            (_, None) => Err(Failure::Usage("not a challenge that can be answered".to_owned())),
        }
    }

    fn prove_partition(&self, challenge: &Challenge, console: &Console) -> Result<Exit, Failure> {
        let disks = Disk::open_all(&self.disks.dirs)?;
        let (disk, partition) = find_partition(&disks, challenge)?;
        let machine = self.machine.resolve()?;
        let started = Instant::now();
        let response = answer_partition(disk, partition, challenge, &machine, &interrupt::control(None))?;
        let seconds = started.elapsed().as_secs_f64();
        let commitment = commit::commitment(disk, partition, console)?;
        verify_response(machine.backend, &commitment, challenge, &response)
            .map_err(|rejection| Failure::rejected(&self.challenge, rejection))?;
        files::write_whole(&self.out, &response)?;
        let subject = Subject::Partition { partition_id: challenge.partition_id };
        let samples = challenge.samples as usize;
        console.report(&Proven::new(&self.out, challenge.kind.name(), &response, (seconds, samples), subject))
    }

    fn prove_object(
        &self,
        challenge: &AnyChallenge,
        of_object: &ObjectChallenge,
        console: &Console,
    ) -> Result<Exit, Failure> {
        let record = self.commitment.as_deref().map(read_record).transpose()?;
        let directories = ObjectDirectory::open_all(&self.disks.dirs)?;
        let held = find_object(&directories, of_object, record.as_ref())?;
        let root = hex::encode(of_object.replica.object_root());
        let machine = self.machine.resolve()?;
        let progress = Board::new(console).disk(root.clone(), of_object.replica.length());
        let meter = Meter::new(&progress, "prove", root.clone(), 0, of_object.replica.length());
        let started = Instant::now();
        let response = machine.pool.install(|| {
            held.answer(challenge, machine.backend, !self.no_openings, |bytes| {
                meter.add(bytes);
                true
            })
        })?;
        let seconds = started.elapsed().as_secs_f64();
        files::write_whole(&self.out, &response)?;
        let subject = Subject::Object { object_root: root };
        let samples = asked_for(of_object);
        console.report(&Proven::new(&self.out, challenge.kind(), &response, (seconds, samples), subject))
    }
}

#[derive(Serialize)]
struct Proven {
    out: PathBuf,
    kind: &'static str,
    bytes: u64,
    response_digest: String,
    seconds: f64,
    /// Blocks or chunks that were asked for.
    samples: usize,
    #[serde(flatten)]
    subject: Subject,
}

/// What answered.
#[derive(Serialize)]
#[serde(untagged)]
enum Subject {
    Partition { partition_id: u64 },
    Object { object_root: String },
}

impl Proven {
    fn new(
        out: &Path,
        kind: &'static str,
        response: &[u8],
        (seconds, samples): (f64, usize),
        subject: Subject,
    ) -> Proven {
        Proven {
            out: out.to_owned(),
            kind,
            bytes: response.len() as u64,
            response_digest: hex::encode(response_digest(response)),
            seconds,
            samples,
            subject,
        }
    }
}

impl Report for Proven {
    fn text(&self, out: &mut String) {
        let of = match &self.subject {
            Subject::Partition { partition_id } => format!("partition {partition_id}"),
            Subject::Object { object_root } => format!("object {object_root}"),
        };
        out.push_str(&format!(
            "{}: {}, {} with {} samples of {of} in {}, verified\ndigest {}\n",
            self.out.display(),
            table::bytes(self.bytes),
            self.kind,
            self.samples,
            table::duration(self.seconds),
            self.response_digest
        ));
    }
}
