//! `holdfast challenge`: what a validator asks of partitions and objects, and of both in one round.

mod object;
mod round;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::policy::Policy;
use serde::Serialize;

use super::options::{PolicyArguments, hex_digest};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::judging::earliest_height;

pub(super) use object::{ObjectWritten, Question};

/// Write a challenge against a commitment
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Ask for random chunks of stored windows: is the space still held?
    Space(Asked),
    /// Ask for labels of all layers of some windows of a batch: were they made by the rule?
    Seal(SealAsked),
    Possession(object::PossessionAsked),
    Chunks(object::ChunksAsked),
    Link(object::LinkAsked),
    Round(Box<round::RoundAsked>),
}

#[derive(Args, Debug)]
#[command(after_help = "\
The places asked for follow from the beacon and the registration alone, so nobody can choose them. Example:
  holdfast challenge space --commitment a.commitment --beacon $(openssl rand -hex 32) --out a.challenge")]
struct Asked {
    /// The partition's commitment
    #[arg(long, value_name = "FILE")]
    commitment: PathBuf,
    /// The audited block's beacon, 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = hex_digest)]
    beacon: [u8; 32],
    /// The audited block's height [default: the earliest at which the commitment is final]
    #[arg(long, value_name = "N")]
    height: Option<u64>,
    #[command(flatten)]
    policy: PolicyArguments,
    /// Where to write the challenge
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct SealAsked {
    #[command(flatten)]
    asked: Asked,
    /// Which batch of the commitment, from 0 [default: the last that added windows]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let asked = match &self.kind {
            Kind::Space(asked) => asked,
            Kind::Seal(seal) => &seal.asked,
            Kind::Possession(asked) => return asked.run(console),
            Kind::Chunks(asked) => return asked.run(console),
            Kind::Link(asked) => return asked.run(console),
            Kind::Round(asked) => return asked.run(console),
        };
        let policy = asked.policy.resolve()?;
        let commitment = files::read_commitment(&asked.commitment)?;
        let refused = |rejection| Failure::rejected(&asked.commitment, rejection);
        let height = asked.height(&commitment, &policy);
        let commitment = commitment.in_force(height, policy.finality_blocks).map_err(refused)?;
        let challenge = match &self.kind {
            Kind::Seal(seal) => seal.seal(&commitment, height, &policy)?,
            _ => asked.space(&commitment, height, &policy)?,
        };
        challenge.check_against(&commitment, policy.finality_blocks).map_err(refused)?;
        files::write_whole(&asked.out, &challenge.encode())?;
        console.report(&Written::new(asked.out.clone(), &challenge))
    }
}

impl Asked {
    fn space(&self, commitment: &Commitment, height: u64, policy: &Policy) -> Result<Challenge, Failure> {
        let samples = self.check(commitment, policy)?;
        Ok(Challenge::space(commitment, self.beacon, height, samples, policy.deadline_ms))
    }

    /// Refuses what the policy refuses; gives the samples of a space challenge.
    fn check(&self, commitment: &Commitment, policy: &Policy) -> Result<u32, Failure> {
        let shape = commitment.registration.intent.shape;
        let samples = policy.samples(shape.log2_labels(), shape.layers(), commitment.window_count());
        samples.map_err(|error| Failure::rejected(&self.commitment, error.rejection()))
    }

    fn height(&self, commitment: &Commitment, policy: &Policy) -> u64 {
        self.height.unwrap_or_else(|| earliest_height(commitment, policy))
    }
}

impl SealAsked {
    fn seal(&self, commitment: &Commitment, height: u64, policy: &Policy) -> Result<Challenge, Failure> {
        self.asked.check(commitment, policy)?;
        let batches = 0..commitment.batches.len();
        let adding = |batch: &usize| commitment.added_windows(*batch).is_some();
        let batch = match self.batch {
            Some(batch) => batch,
            None => batches.clone().rev().find(adding).unwrap_or_default(),
        };
        let windows = commitment.added_windows(batch).ok_or_else(|| {
            let (count, path) = (batches.len(), self.asked.commitment.display());
            Failure::NotFound(format!(
                "batch {batch} of the {count} in {path} added no windows that still exist"
            ))
        })?;
        let samples = policy.seal_samples(windows.end - windows.start);
        Challenge::seal(commitment, batch, self.asked.beacon, height, samples, policy.seal_deadline_ms)
            .ok_or_else(|| Failure::NotFound(format!("batch {batch} added no windows")))
    }
}

#[derive(Serialize)]
struct Written {
    out: PathBuf,
    kind: &'static str,
    digest: String,
    seed: String,
    height: u64,
    partition_id: u64,
    samples: u32,
    deadline_ms: u32,
}

impl Written {
    fn new(out: PathBuf, challenge: &Challenge) -> Written {
        Written {
            out,
            kind: challenge.kind.name(),
            digest: hex::encode(challenge.digest()),
            seed: hex::encode(challenge.seed()),
            height: challenge.height,
            partition_id: challenge.partition_id,
            samples: challenge.samples,
            deadline_ms: challenge.deadline_ms,
        }
    }
}

impl Report for Written {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: {} challenge of partition {} at height {}, {} samples within {} ms\ndigest {}\n",
            self.out.display(),
            self.kind,
            self.partition_id,
            self.height,
            self.samples,
            self.deadline_ms,
            self.digest
        ));
    }
}
