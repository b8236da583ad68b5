//! `holdfast chain`: chains of receipts, and a simulated chain for the nodes of one machine.

mod show;
mod simulate;

mod export;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use holdfast_engine::receipt::{
    ANCHOR_BLOCKS, CHAIN_HEADER_BYTES, ChainFailure, ChainReport, ChainVerifier, verify_chain,
};
use holdfast_engine::recorder::{FileRecorder, Recorder};
use holdfast_engine::rejection::{Class, Rejection};
use serde::Serialize;

use super::options::PolicyArguments;
use crate::audits::read_record;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// Verify chains of signed receipts; simulate the chain that nodes follow
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Verify a chain of receipts offline: signatures, order, links; count rounds by outcome
    Verify(VerifyArguments),
    Simulate(simulate::Arguments),
    Show(show::Arguments),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Without a recorder only links and signatures can be checked. With one also that every challenge was the one of its round, \
that blocks are final, and which answers were anchored in time; rounds of objects need the objects' records for that.
An export has all of that in it, and says which rounds have no receipt. That its blocks are the chain's only a recorder shows. Examples:
  holdfast chain verify receipts.chain
  holdfast chain verify export/ --recorder /mnt/disk1/recorder.json
  holdfast chain verify receipts.chain --recorder /mnt/disk1/recorder.json --object photos.record")]
struct VerifyArguments {
    /// The chain file, or the directory of a validator's export
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The recorder's file of a simulated network, to check rounds against
    #[arg(long, value_name = "FILE")]
    recorder: Option<PathBuf>,
    /// Records of objects whose rounds are in the file
    #[arg(long, value_name = "RECORD", num_args = 1.., requires = "recorder")]
    object: Vec<PathBuf>,
    /// Look for missing rounds of an export by this policy and not by the export's word: default, test, or a JSON file
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Verify(arguments) => arguments.run(console),
            What::Simulate(arguments) => arguments.run(console),
            What::Show(arguments) => arguments.run(console),
        }
    }
}

impl VerifyArguments {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        if self.file.is_dir() {
            return self.verify_export(console);
        }
        if self.policy.is_some() {
            return Err(Failure::Usage("--policy is for exports; a chain file names no audits".to_owned()));
        }
        let network = network_of(&self.file)?;
        let recorder = self.recorder.as_ref().map(FileRecorder::open).transpose()?;
        let mut verifier = ChainVerifier::new(network);
        if let Some(recorder) = &recorder {
            if recorder.network()? != network {
                let detail = "the recorder is of another network than the chain file";
                return Err(Failure::rejected(&self.file, Class::WrongChallenge.because(detail)));
            }
            verifier = verifier.with_recorder(recorder, ANCHOR_BLOCKS);
        }
        let records = self.object.iter().map(|path| read_record(path));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let verifier = verifier.with_objects(&records);
        let verifier = verifier.map_err(|rejection| Failure::rejected("the records", rejection))?;
        let file = File::open(&self.file).map_err(|error| Failure::file("read", &self.file, error))?;
        let started = Instant::now();
        let report = verify_chain(BufReader::new(file), verifier, |_, _| {});
        let report = report.map_err(|error| chain_failure(&self.file, error))?;
        let seconds = started.elapsed().as_secs_f64();
        console.report(&Verified { verdict: "accepted", seconds, report })
    }
}

impl VerifyArguments {
    fn verify_export(&self, console: &Console) -> Result<Exit, Failure> {
        if !self.object.is_empty() {
            return Err(Failure::Usage("an export has its own records; leave --object out".to_owned()));
        }
        let policy = self.policy.clone().map(|policy| PolicyArguments { policy }.resolve()).transpose()?;
        export::verify(&self.file, self.recorder.as_deref(), policy.as_ref(), console)
    }
}

/// The network that a chain file says it is of.
fn network_of(path: &Path) -> Result<[u8; 32], Failure> {
    let failed = |error| Failure::file("read", path, error);
    let mut header = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(CHAIN_HEADER_BYTES as u64).read_to_end(&mut header).map_err(failed)?;
    let network = header.get(8..).and_then(|network| network.try_into().ok());
    network.ok_or_else(|| {
        let found = header.len();
        Failure::rejected(
            path,
            Class::WrongLength.because(format!("{found} bytes are no chain file's header")),
        )
    })
}

fn chain_failure(path: &Path, error: ChainFailure) -> Failure {
    match error {
        ChainFailure::Receipt { number, rejection: Rejection { class, detail } } => {
            Failure::rejected(path, class.because(format!("receipt {number}: {detail}")))
        }
        ChainFailure::Header { rejection } | ChainFailure::Proof { rejection } => {
            Failure::rejected(path, rejection)
        }
        ChainFailure::Recorder(error) => error.into(),
        ChainFailure::Read(error) => Failure::file("read", path, error),
    }
}

#[derive(Serialize)]
struct Verified {
    verdict: &'static str,
    seconds: f64,
    #[serde(flatten)]
    report: ChainReport,
}

impl Report for Verified {
    fn text(&self, out: &mut String) {
        let (receipts, time) = (self.report.receipts, table::duration(self.seconds));
        out.push_str(&format!("{receipts} receipts are whole and rightly signed ({time})\n"));
        write_chains(&self.report, false, out);
    }
}

/// One line for each chain; with the rounds that have no receipt, if they were looked for.
fn write_chains(report: &ChainReport, with_missing: bool, out: &mut String) {
    let mut heads =
        vec!["validator", "miner", "subject", ">accepted", ">rejected", ">missed", ">void", ">in time"];
    heads.extend(with_missing.then_some(">missing"));
    let mut lines = Table::new(&heads);
    for chain in &report.chains {
        let in_time = match report.recorder_asked {
            true => chain.accepted_timely_anchored.to_string(),
            false => "unknown".to_owned(),
        };
        let mut line = vec![
            chain.validator.to_string(),
            chain.miner.to_string(),
            chain.subject.to_string(),
            chain.accepted.to_string(),
            chain.rejected.to_string(),
            chain.missed.to_string(),
            chain.void.to_string(),
            in_time,
        ];
        line.extend(with_missing.then(|| chain.missing_rounds.len().to_string()));
        lines.row(line);
    }
    lines.write("  ", out);
}
