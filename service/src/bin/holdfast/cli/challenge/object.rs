//! `holdfast challenge possession|chunks|link`: what a validator asks of objects.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::record::SignedRecord;
use serde::Serialize;

use crate::allocation::NamedAccount;
use crate::audits::{asked_for, read_record};
use crate::cli::options::{PolicyArguments, hex_digest};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;

/// Who asks when nothing else is said, a development name.
pub(super) const VALIDATOR: &str = "validator";

/// Ask for a zero-knowledge proof over whole blocks: are they still held?
#[derive(Args, Debug)]
#[command(after_help = "\
The answer has 17 KB, or 1.6 KB with --compressed, however many blocks are asked for; and 1.4 KB for each opened chunk of \
the table. Example:
  holdfast challenge possession --commitment a.commitment --beacon $(openssl rand -hex 32) --out a.challenge")]
pub(super) struct PossessionAsked {
    #[command(flatten)]
    asked: ObjectAsked,
    /// Ask for the short form of the answer, which takes more to compute
    #[arg(long)]
    compressed: bool,
}

/// Ask for random chunks of 1 KiB of the stored bytes, and the last one
#[derive(Args, Debug)]
pub(super) struct ChunksAsked {
    #[command(flatten)]
    asked: ObjectAsked,
}

/// Ask for blocks with their blindings: are the commitments those of the bytes, whoever checked them?
#[derive(Args, Debug)]
#[command(after_help = "Shows stored bytes and blindings of the blocks asked for.")]
pub(super) struct LinkAsked {
    #[command(flatten)]
    asked: ObjectAsked,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct ObjectAsked {
    /// The object's record
    #[arg(long, value_name = "FILE")]
    commitment: PathBuf,
    /// The audited block's beacon, 64 hex digits
    #[arg(long, value_name = "HEX", value_parser = hex_digest)]
    beacon: [u8; 32],
    /// Blocks or chunks to ask for [default: the policy's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    samples: Option<u32>,
    /// The audited block's height [default: the earliest at which the record is final]
    #[arg(long, value_name = "N")]
    height: Option<u64>,
    /// Who asks
    #[arg(long, value_name = "KEY", default_value = VALIDATOR)]
    validator: String,
    #[command(flatten)]
    policy: PolicyArguments,
    /// Where to write the challenge
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl PossessionAsked {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let form = if self.compressed { Form::Compressed } else { Form::Plain };
        self.asked.run(AuditKind::Possession, form, console)
    }
}

impl ChunksAsked {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        self.asked.run(AuditKind::Chunks, Form::Plain, console)
    }
}

impl LinkAsked {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        self.asked.run(AuditKind::Link, Form::Plain, console)
    }
}

impl ObjectAsked {
    fn run(&self, kind: AuditKind, form: Form, console: &Console) -> Result<Exit, Failure> {
        let policy = self.policy.resolve()?;
        let record = read_record(&self.commitment)?;
        let samples = self.samples.unwrap_or_else(|| policy.objects.samples(kind));
        let ask = Ask { kind, samples, deadline_ms: policy.objects.deadline_ms(kind), form };
        let question = Question {
            commitment: &self.commitment,
            record: &record,
            validator: NamedAccount::parse(&self.validator, console)?,
            beacon: self.beacon,
            height: self.height,
        };
        let challenge = question.challenge(ask, &policy)?;
        files::write_whole(&self.out, &challenge.encode())?;
        console.report(&ObjectWritten::new(&self.out, &challenge, challenge.digest()))
    }
}

/// What is asked of which object.
pub(in crate::cli) struct Question<'a> {
    pub(in crate::cli) commitment: &'a Path,
    pub(in crate::cli) record: &'a SignedRecord,
    pub(in crate::cli) validator: NamedAccount,
    pub(in crate::cli) beacon: [u8; 32],
    /// The earliest at which the record is final, if it is not given.
    pub(in crate::cli) height: Option<u64>,
}

impl Question<'_> {
    /// The challenge, held against the policy before anybody is asked.
    pub(in crate::cli) fn challenge(&self, ask: Ask, policy: &Policy) -> Result<ObjectChallenge, Failure> {
        let refused = |rejection| Failure::rejected(self.commitment, rejection);
        let record = &self.record.record;
        let earliest = record.height.saturating_add(policy.finality_blocks);
        let at = (self.beacon, self.height.unwrap_or(earliest));
        let challenge = ObjectChallenge::of(record, self.validator.account, at, ask).map_err(refused)?;
        crate::audits::check_question(self.record, &challenge, policy).map_err(refused)?;
        Ok(challenge)
    }
}

#[derive(Serialize)]
pub(in crate::cli) struct ObjectWritten {
    out: PathBuf,
    kind: &'static str,
    digest: String,
    seed: String,
    height: u64,
    object_root: String,
    record_digest: String,
    /// Blocks or chunks that are asked for.
    asked_for: usize,
    samples: u32,
    compressed: bool,
    deadline_ms: u32,
}

impl ObjectWritten {
    pub(in crate::cli) fn new(out: &Path, challenge: &ObjectChallenge, digest: [u8; 32]) -> ObjectWritten {
        ObjectWritten {
            out: out.to_owned(),
            kind: challenge.kind.name(),
            digest: hex::encode(digest),
            seed: hex::encode(challenge.seed()),
            height: challenge.height,
            object_root: hex::encode(challenge.replica.object_root()),
            record_digest: hex::encode(challenge.record_digest),
            asked_for: asked_for(challenge),
            samples: challenge.samples,
            compressed: challenge.form == Form::Compressed,
            deadline_ms: challenge.deadline_ms,
        }
    }
}

impl Report for ObjectWritten {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: {} challenge of object {} at height {}, {} samples within {} ms\ndigest {}\n",
            self.out.display(),
            self.kind,
            self.object_root,
            self.height,
            self.asked_for,
            self.deadline_ms,
            self.digest
        ));
    }
}
