//! `holdfast check`: the store-time check, by a holder of the bytes.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use holdfast_engine::jobs::progress::Meter;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::check::{Accumulator, CheckFailure, StoreCheck};
use holdfast_engine::possession::points_file::{PointsFileError, PointsHeader};
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::tree::RootHasher;
use serde::Serialize;

use crate::allocation::NamedAccount;
use crate::audits::read_record;
use crate::committing::sign;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::judging::Verdict;
use crate::progress::Board;
use crate::table;

/// Check the commitments of an object against its bytes; exit code 2 and a class if they are wrong
#[derive(Args, Debug)]
#[command(after_help = "\
For who holds the bytes as they are stored (the ciphertext): the owner, or a gateway. Reads them once and computes no \
commitment. Only a checker's signature makes a record worth something to those who trust it. Examples:
  holdfast check --commitment film.commitment --points film.points film.age
  holdfast check --commitment film.commitment --points film.points film.age --sign alice --out signed.commitment")]
pub(crate) struct Arguments {
    /// The object's record
    #[arg(long, value_name = "FILE")]
    commitment: PathBuf,
    /// The points file, from the miner
    #[arg(long, value_name = "FILE")]
    points: PathBuf,
    /// The bytes as they are stored
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// Sign the record as this checker, if the check passes
    #[arg(long, value_name = "KEY", requires = "out")]
    sign: Option<String>,
    /// Where to write the signed record
    #[arg(long, value_name = "FILE", requires = "sign")]
    out: Option<PathBuf>,
}

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let checker = self.sign.as_deref().map(|name| NamedAccount::parse(name, console)).transpose()?;
        if let Some(checker) = checker.as_ref().filter(|checker| checker.signer().is_none()) {
            return Err(Failure::Usage(format!("the key of {} is not here: it cannot sign", checker.name)));
        }
        let record = read_record(&self.commitment)?.record;
        let started = Instant::now();
        let (check, root) = self.read_input(console)?;
        let read_seconds = started.elapsed().as_secs_f64();
        let verdict = self.verdict(&record, check, root)?;
        let mut signed_digest = None;
        if let (Ok(()), Some(checker), Some(out)) = (&verdict, &checker, &self.out) {
            let signed = sign(ObjectRecord { checker: checker.account, ..record.clone() }, checker);
            files::write_whole(out, &signed.encode())?;
            signed_digest = Some(hex::encode(signed.record.digest()));
        }
        console.report(&Checked {
            file: self.input.clone(),
            verdict: Verdict::new(verdict),
            bytes: record.replica.length(),
            blocks: record.replica.blocks(),
            commitment_root: record.table_root.map(hex::encode),
            record_digest: hex::encode(record.digest()),
            out: signed_digest.as_ref().and(self.out.clone()),
            signed_digest,
            read_seconds,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// One pass over the bytes.
    fn read_input(&self, console: &Console) -> Result<(StoreCheck, [u8; 32]), Failure> {
        let failed = |error| Failure::file("read", &self.input, error);
        let mut input = File::open(&self.input).map_err(failed)?;
        let total_bytes = input.metadata().map_err(failed)?.len();
        let place = self.input.display().to_string();
        let progress = Board::new(console).disk(place.clone(), total_bytes);
        let meter = Meter::new(&progress, "check", place, 0, total_bytes);
        let accumulator = Accumulator::new();
        let mut accumulator = accumulator
            .map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
        let mut hasher = RootHasher::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match input.read(&mut buffer) {
                Ok(0) => return Ok((accumulator.finish(), hasher.root())),
                Ok(read) => {
                    let bytes = &buffer[..read];
                    rayon::join(|| accumulator.update(bytes), || hasher.update(bytes));
                    meter.add(read as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn verdict(
        &self,
        record: &ObjectRecord,
        mut check: StoreCheck,
        root: [u8; 32],
    ) -> Result<Result<(), Rejection>, Failure> {
        let file = File::open(&self.points).map_err(|error| Failure::file("read", &self.points, error))?;
        let mut points = BufReader::new(file);
        let header = match PointsHeader::take(&mut points) {
            Ok(header) => header,
            Err(PointsFileError::Refused(rejection)) => return Ok(Err(rejection)),
            Err(PointsFileError::Read(error)) => return Err(Failure::file("read", &self.points, error)),
        };
        if let Err(rejection) = same_object(record, &header.replica, &root, check.length()) {
            return Ok(Err(rejection));
        }
        match check.check(&record.replica, &header.key, points) {
            Ok(table_root) if Some(table_root) == record.table_root => Ok(Ok(())),
            Ok(_) => Ok(Err(
                Class::WrongRecord.because("these are right points, but not those that the record names")
            )),
            Err(CheckFailure::Refused(rejection)) => Ok(Err(rejection)),
            Err(CheckFailure::Read(error)) => Err(Failure::file("read", &self.points, error)),
            Err(CheckFailure::Used) => Err(Failure::work("state", &self.points, CheckFailure::Used)),
        }
    }
}

/// Record, points and bytes must be of one object.
fn same_object(
    record: &ObjectRecord,
    points: &Replica,
    root: &[u8; 32],
    length: u64,
) -> Result<(), Rejection> {
    if record.replica != *points {
        return Err(Class::WrongRecord.because("the points are those of another object than the record"));
    }
    let expected = record.replica.length();
    if expected != length {
        return Err(Class::WrongLength.because(format!("{length} bytes; the record is of {expected}")));
    }
    if record.replica.object_root() != root {
        return Err(Class::WrongRoot.because("the record is of other bytes than these"));
    }
    Ok(())
}

#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    #[serde(flatten)]
    verdict: Verdict,
    bytes: u64,
    blocks: u64,
    commitment_root: Option<String>,
    record_digest: String,
    /// The record signed by this checker.
    out: Option<PathBuf>,
    signed_digest: Option<String>,
    /// Of which: reading the bytes once.
    read_seconds: f64,
    seconds: f64,
}

impl Report for Checked {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}: {}\n", self.file.display(), self.verdict.line()));
        #[allow(clippy::cast_precision_loss)] // a rate for people
        let rate = table::rate(self.bytes as f64 / self.seconds.max(1e-9));
        out.push_str(&format!("  {} blocks in {}, {rate}\n", self.blocks, table::duration(self.seconds)));
        if let Some(path) = &self.out {
            out.push_str(&format!("  signed: {}\n", path.display()));
        }
    }

    fn exit(&self) -> Exit {
        if self.verdict.class.is_none() { Exit::Done } else { Exit::Rejected }
    }
}
