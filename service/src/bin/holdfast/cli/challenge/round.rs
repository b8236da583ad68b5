//! `holdfast challenge round`: windows and objects together, in proportion to their bytes.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_engine::audit_round::{AuditRound, RoundTerms};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::recorder::{FileRecorder, Recorder};
use holdfast_engine::rejection::Class;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::object::VALIDATOR;
use crate::allocation::NamedAccount;
use crate::audits::{asked_for, read_record};
use crate::cli::options::{PartitionArguments, PolicyArguments, hex_digest};
use crate::cli::verify::files_with;
use crate::commit;
use crate::console::{Console, Exit, Report};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files;
use crate::judging::earliest_height;
use crate::objects::ObjectDirectory;
use crate::table::{self, Table};

/// Ask for windows and objects in one round, in proportion to their bytes
#[derive(Args, Debug)]
#[command(after_help = "\
The shares, and which objects are asked, follow from the beacon and from what was registered before it: the partition's \
commitment, and the records of objects. By default windows are asked as often as the policy wants, and objects as often for the \
same bytes. An object that is drawn is asked for blocks in zero knowledge, or for chunks if it has no commitments. With --dir \
commitment and records are those that the miner keeps, each held against the recorder; a validator gives those that it keeps \
itself. Examples:
  holdfast challenge round --commitment alice.commitment --records kept/ --beacon $(openssl rand -hex 32) --out asked
  holdfast challenge round --dir /mnt/disk1 --validator alice --beacon $(openssl rand -hex 32) --out asked
  mkdir got && for q in asked/*; do holdfast prove --dir /mnt/disk1 --challenge $q --out got/$(basename $q); done
  holdfast verify --commitment alice.commitment kept/ --challenge asked --response got --batch")]
pub(super) struct RoundAsked {
    /// The partition's commitment
    #[arg(long, value_name = "FILE", required_unless_present_any = ["records", "dir"])]
    commitment: Option<PathBuf>,
    /// Records of objects of the same miner, as files or directories of them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    records: Vec<PathBuf>,
    /// The recorder's file of a simulated network, to hold commitment and records against
    #[arg(long, value_name = "FILE")]
    recorder: Option<PathBuf>,
    /// Take commitment, records and recorder from a miner's directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["commitment", "records", "recorder"])]
    dir: Option<PathBuf>,
    /// With --dir: whose partition [default: the only one]. Without any partition: who asks [default: validator]
    #[arg(long, value_name = "KEY")]
    validator: Option<String>,
    /// The audited block's beacon, 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = hex_digest)]
    beacon: [u8; 32],
    /// Samples of windows and objects in all [default: as many as the policy asks of the windows, and as many a byte of objects]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    samples: Option<u32>,
    /// The audited block's height [default: the earliest at which commitment and records are final]
    #[arg(long, value_name = "N")]
    height: Option<u64>,
    /// Ask for the short form of possession answers, which takes more to compute
    #[arg(long)]
    compressed: bool,
    #[command(flatten)]
    policy: PolicyArguments,
    /// Where to write the challenges: a directory that is empty or not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What was registered of what a miner holds.
struct Registered {
    /// Where it was found, for messages.
    place: PathBuf,
    commitment: Option<Commitment>,
    records: Vec<SignedRecord>,
    /// Objects without a record: nobody has promised anything about them yet.
    unrecorded: usize,
}

impl RoundAsked {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let policy = self.policy.resolve()?;
        let registered = match &self.dir {
            Some(directory) => self.of_directory(directory, console)?,
            None => self.of_files()?,
        };
        let settled = |record: &SignedRecord| record.record.height.saturating_add(policy.finality_blocks);
        let of_partition =
            registered.commitment.as_ref().map(|commitment| earliest_height(commitment, &policy));
        let earliest = registered.records.iter().map(settled).chain(of_partition).max().unwrap_or_default();
        let validator = self.validator.as_deref().unwrap_or(VALIDATOR);
        let terms = RoundTerms {
            commitment: registered.commitment.as_ref(),
            validator: NamedAccount::parse(validator, console)?.account,
            records: &registered.records,
            beacon: self.beacon,
            height: self.height.unwrap_or(earliest),
            samples: self.samples,
            form: if self.compressed { Form::Compressed } else { Form::Plain },
        };
        let round = AuditRound::new(&terms, &policy)
            .map_err(|rejection| Failure::rejected(&registered.place, rejection))?;
        empty_directory(&self.out)?;
        let mut written = Written::new(&self.out, &terms, &round, registered.unrecorded);
        if let Some(space) = &round.space {
            let asked = space.windows().len();
            let (name, subject) = ("space.challenge".to_owned(), space.partition_id.to_string());
            let file = self.out.join(name);
            files::write_whole(&file, &space.encode())?;
            let (kind, digest) = (space.kind.name(), hex::encode(space.digest()));
            written.challenges.push(Asked { file, kind, digest, subject, share: round.split.windows, asked });
        }
        for (challenge, &(_, share)) in round.objects.iter().zip(&round.split.objects) {
            written.challenges.push(self.write_object(challenge, share)?);
        }
        console.report(&written)
    }

    fn write_object(&self, challenge: &ObjectChallenge, share: u32) -> Result<Asked, Failure> {
        let subject = hex::encode(challenge.replica.object_root());
        let file = self.out.join(format!("{subject}.challenge"));
        files::write_whole(&file, &challenge.encode())?;
        let (kind, digest) = (challenge.kind.name(), hex::encode(challenge.digest()));
        Ok(Asked { file, kind, digest, subject, share, asked: asked_for(challenge) })
    }

    /// What a validator keeps.
    fn of_files(&self) -> Result<Registered, Failure> {
        let commitment = self.commitment.as_deref().map(files::read_commitment).transpose()?;
        let recorder = self.recorder.as_ref().map(FileRecorder::open).transpose()?;
        if let (Some(path), Some(commitment), Some(recorder)) = (&self.commitment, &commitment, &recorder) {
            check_commitment(path, commitment, recorder)?;
        }
        let mut records = Vec::new();
        for path in files_with(&self.records, &[b"HFD1"])? {
            let record = read_record(&path)?;
            check_record(&path, &record, recorder.as_ref())?;
            records.push(record);
        }
        let place = self.commitment.iter().chain(&self.records).next().cloned().unwrap_or_default();
        Ok(Registered { place, commitment, records, unrecorded: 0 })
    }

    /// What a miner keeps of it.
    fn of_directory(&self, directory: &Path, console: &Console) -> Result<Registered, Failure> {
        let objects = ObjectDirectory::open(directory)?;
        let mut registered =
            Registered { place: directory.to_owned(), commitment: None, records: Vec::new(), unrecorded: 0 };
        let (shelf, recorder) = match &objects.disk {
            None => (objects.plain(), None),
            Some(disk) => {
                let place = self.partition_in(disk, console)?;
                let partition = &disk.manifest.partitions[place];
                registered.commitment = Some(commit::commitment(disk, partition, console)?);
                let shelf = objects.beside(place).ok_or(Failure::NotAllocated(directory.to_owned()))?;
                (shelf, Some(disk.recorder()?))
            }
        };
        if objects.shelves().iter().all(|found| found.path != shelf.path) {
            return Ok(registered);
        }
        let shelf = objects.open_shelf(shelf, OpenMode::ReadOnly)?;
        for object in shelf.objects.list().map_err(|error| shelf.failed(error))? {
            match shelf.find_record(object.root)? {
                Some(record) => {
                    check_record(&shelf.shelf.path, &record, recorder.as_ref())?;
                    registered.records.push(record);
                }
                None => registered.unrecorded += 1,
            }
        }
        Ok(registered)
    }

    /// The partition that is meant, by its place in the manifest.
    fn partition_in(&self, disk: &Disk, console: &Console) -> Result<usize, Failure> {
        if self.validator.is_none() && disk.manifest.partitions.len() == 1 {
            return Ok(0);
        }
        let Some(validator) = self.validator.clone() else {
            return Err(Failure::Usage(format!(
                "{} has {} partitions; name one with --validator",
                disk.directory.display(),
                disk.manifest.partitions.len()
            )));
        };
        let named = PartitionArguments { validator: Some(validator), partition: None };
        named.find_one(std::slice::from_ref(disk), console).map(|(_, place)| place)
    }
}

/// A record that nobody recorded could be made, or dropped, after the beacon.
fn check_record(path: &Path, signed: &SignedRecord, recorder: Option<&FileRecorder>) -> Result<(), Failure> {
    let Some(recorder) = recorder else { return Ok(()) };
    signed.record.check_recorded(recorder)?.map_err(|rejection| Failure::rejected(path, rejection))
}

/// The same of a partition: its batches are the recorder's.
fn check_commitment(path: &Path, commitment: &Commitment, recorder: &FileRecorder) -> Result<(), Failure> {
    let entry = recorder.partition(commitment.registration.partition_id)?;
    let recorded = entry.map(|entry| entry.batches).unwrap_or_default();
    if recorded.starts_with(&commitment.batches) {
        return Ok(());
    }
    let detail = "its batches are not those that were recorded of this partition";
    Err(Failure::rejected(path, Class::WrongRecord.because(detail)))
}

/// Challenges of another round among these would be verified with them.
fn empty_directory(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|error| Failure::file("create", path, error))?;
    let mut entries =
        std::fs::read_dir(path).map_err(|error| Failure::file("read directory", path, error))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(Failure::State {
        message: format!("{} is not empty", path.display()),
        advice: "give each round a directory of its own".to_owned(),
    })
}

#[derive(Serialize)]
struct Written {
    out: PathBuf,
    seed: String,
    height: u64,
    samples: u32,
    window_bytes: u64,
    object_bytes: u64,
    /// Samples of windows, of which none is asked twice.
    window_samples: u32,
    object_samples: u32,
    /// Records that the samples were shared over, and those that were too young.
    records: usize,
    young_records: usize,
    /// Objects of the directory that have no record.
    unrecorded: usize,
    challenges: Vec<Asked>,
}

#[derive(Serialize)]
struct Asked {
    file: PathBuf,
    kind: &'static str,
    digest: String,
    /// Id of the partition, or root of the object.
    subject: String,
    /// Samples that fell on it.
    share: u32,
    /// Windows, blocks or chunks that are asked for.
    asked: usize,
}

impl Written {
    fn new(out: &Path, terms: &RoundTerms<'_>, round: &AuditRound, unrecorded: usize) -> Written {
        Written {
            out: out.to_owned(),
            seed: hex::encode(round.seed),
            height: terms.height,
            samples: round.samples,
            window_bytes: round.holdings.window_bytes,
            object_bytes: round.holdings.object_bytes(),
            window_samples: round.split.windows,
            object_samples: round.samples - round.split.windows,
            records: round.holdings.objects.len(),
            young_records: round.young_records,
            unrecorded,
            challenges: Vec::new(),
        }
    }
}

impl Report for Written {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: {} samples at height {}: {} of {} in windows, {} of {} in {} objects\n",
            self.out.display(),
            self.samples,
            self.height,
            self.window_samples,
            table::bytes(self.window_bytes),
            self.object_samples,
            table::bytes(self.object_bytes),
            self.records
        ));
        let mut lines = Table::new(&["kind", ">share", ">asked for", "of"]);
        for challenge in &self.challenges {
            let (share, asked) = (challenge.share.to_string(), challenge.asked.to_string());
            lines.row([challenge.kind.to_owned(), share, asked, challenge.subject.clone()]);
        }
        lines.write("  ", out);
        if self.young_records > 0 {
            out.push_str(&format!(
                "  {} records are not final at this height: left out\n",
                self.young_records
            ));
        }
        if self.unrecorded > 0 {
            out.push_str(&format!("  {} objects have no record: left out\n", self.unrecorded));
        }
    }
}
