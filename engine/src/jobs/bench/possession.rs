//! How fast objects are committed to, checked and audited here, over batches of every size.
//!
//! The object is one block of noise, repeated: its commitments differ by their blinding only, so the right table of thousands
//! of blocks is there at once, and nothing that is measured can tell.

use std::time::Instant;

use ark_bls12_381::G1Projective;
use ark_ec::CurveGroup;
use rayon::prelude::*;
use serde::Serialize;

use crate::backend::Backend;
use crate::curve::TableError;
use crate::possession::Replica;
use crate::possession::batch::{Collector, Limits};
use crate::possession::blinding::BlindingKey;
use crate::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use crate::possession::check::{Accumulator, CheckFailure};
use crate::possession::chunks::{answer_chunks, verify_chunks};
use crate::possession::commit::Committer;
use crate::possession::commitment_table::CommitmentTable;
use crate::possession::encode::block_scalars;
use crate::possession::generators::Generators;
use crate::possession::group::over_generators;
use crate::possession::header::AnswerFailure;
use crate::possession::mask::DeviceSecret;
use crate::possession::prove::{ProveError, Prover};
use crate::possession::record::ObjectRecord;
use crate::possession::verify::{CheckedResponse, PossessionCase, verify_possession};
use crate::rejection::Rejection;
use crate::signature::Signer;
use crate::tree::{BLOCK_BYTES, Outboard, root};

/// Answers to an audit whose costs are measured.
const FEW: usize = 5;
/// Responses that are verified together to measure what each takes.
const TOGETHER: usize = 64;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Not enough memory.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A right answer was not given.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// A right answer was not accepted: this machine computes wrongly.
    #[error("what is right was refused: {0}")]
    Refused(Rejection),
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// An object to measure with.
pub struct BenchObject {
    bytes: Vec<u8>,
    record: ObjectRecord,
    key: BlindingKey,
    secret: DeviceSecret,
    table: CommitmentTable,
}

/// How long so many blocks take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CommitRow {
    /// Blocks of 16 KiB.
    pub blocks: usize,
    /// Bits of the windows of the table of multiples.
    pub width_bits: u32,
    /// Making that table.
    pub table_seconds: f64,
    /// Committing, without it.
    pub seconds: f64,
    /// Bytes of the object per second, the table's making included.
    pub bytes_per_second: f64,
}

/// How long the store-time check of so many blocks takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CheckRow {
    /// Blocks of 16 KiB.
    pub blocks: usize,
    /// The pass over the bytes.
    pub pass_seconds: f64,
    /// The equation over the points.
    pub equation_seconds: f64,
    /// Bytes of the object per second, both together.
    pub bytes_per_second: f64,
}

/// How long so many responses take together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VerifyRow {
    /// Responses.
    pub responses: usize,
    /// What is done as they arrive.
    pub arrival_seconds: f64,
    /// The equation for all.
    pub equation_seconds: f64,
    /// Both, for each.
    pub seconds_each: f64,
    /// How many times as fast as one by one.
    pub speedup: f64,
}

/// How long answers take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AnswerRate {
    /// Blocks of each.
    pub samples: u32,
    /// Whether the short form was asked for.
    pub compressed: bool,
    /// Bytes of an answer.
    pub bytes: usize,
    /// Answering, from memory.
    pub answer_seconds: f64,
    /// Verifying one alone.
    pub verify_seconds: f64,
}

impl BenchObject {
    /// An object of so many blocks, at least one.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn new(blocks: usize) -> Result<BenchObject, BenchError> {
        let blocks = blocks.max(1);
        let mut block = vec![0; BLOCK_BYTES];
        blake3::Hasher::new().finalize_xof().fill(&mut block);
        let bytes = block.repeat(blocks);
        let replica = Replica::new(root(&bytes), bytes.len() as u64, 0).map_err(BenchError::Refused)?;
        let key = BlindingKey::random()?;
        let common = over_generators(Generators::standard(), &block_scalars(&block));
        let blinding = Generators::standard().blinding();
        let point = |i: u64| common + *blinding * key.scalar(&replica, i);
        let points: Vec<G1Projective> = (0..blocks).into_par_iter().map(|i| point(i as u64)).collect();
        let table = CommitmentTable::of_points(&G1Projective::normalize_batch(&points));
        let record = ObjectRecord {
            replica,
            height: 0,
            network: [0; 32],
            miner: Signer::development("miner").account(),
            checker: Signer::development("owner").account(),
            table_root: Some(table.root()),
            tokens: None,
        };
        Ok(BenchObject { bytes, record, key, secret: DeviceSecret::random()?, table })
    }

    /// Commits to all blocks, on all threads of the pool that the caller is in.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn commit(&self, backend: &dyn Backend) -> Result<CommitRow, BenchError> {
        let started = Instant::now();
        let blocks = self.bytes.len() / BLOCK_BYTES;
        let committer = Committer::for_blocks(backend, blocks as u64)?;
        let table_seconds = started.elapsed().as_secs_f64();
        std::hint::black_box(committer.points(&self.key, &self.record.replica, 0, &self.bytes));
        let all_seconds = started.elapsed().as_secs_f64();
        Ok(CommitRow {
            blocks,
            width_bits: committer.width_bits(),
            table_seconds,
            seconds: all_seconds - table_seconds,
            bytes_per_second: per_second(self.bytes.len(), all_seconds),
        })
    }

    /// Checks the commitments of all blocks.
    ///
    /// # Errors
    /// [`BenchError::Refused`], [`BenchError::Randomness`].
    pub fn check(&self) -> Result<CheckRow, BenchError> {
        let started = Instant::now();
        let mut accumulator = Accumulator::new()?;
        accumulator.update(&self.bytes);
        let mut check = accumulator.finish();
        let pass_seconds = started.elapsed().as_secs_f64();
        let checked = check.check(&self.record.replica, &self.key, self.table.bytes());
        let all_seconds = started.elapsed().as_secs_f64();
        if let Err(CheckFailure::Refused(rejection)) = checked {
            return Err(BenchError::Refused(rejection));
        }
        Ok(CheckRow {
            blocks: self.bytes.len() / BLOCK_BYTES,
            pass_seconds,
            equation_seconds: all_seconds - pass_seconds,
            bytes_per_second: per_second(self.bytes.len(), all_seconds),
        })
    }

    /// `count` answers of this form, at least one, to challenges of so many blocks, and what one alone takes.
    ///
    /// # Errors
    /// [`BenchError`]; none of its kinds happens on a machine that is sound.
    pub fn audits(&self, samples: u32, form: Form, count: usize) -> Result<Audits<'_>, BenchError> {
        let ask = Ask { kind: AuditKind::Possession, samples, deadline_ms: 5000, form };
        let challenges = (20..)
            .take(count.max(1))
            .map(|height| self.challenge(ask, height))
            .collect::<Result<Vec<_>, _>>()?;
        let object = self.bytes.as_slice();
        let prover = Prover {
            generators: Generators::standard(),
            record: &self.record,
            key: &self.key,
            secret: &self.secret,
            object: &object,
            table: &self.table,
        };
        let mut seconds = Vec::new();
        let mut responses = Vec::new();
        for challenge in challenges {
            let started = Instant::now();
            let response = prover.answer(&challenge, true)?;
            seconds.push(started.elapsed().as_secs_f64());
            responses.push((challenge, response));
        }
        let rate = AnswerRate {
            samples,
            compressed: form == Form::Compressed,
            bytes: responses.first().map_or(0, |(_, response)| response.len()),
            answer_seconds: median(seconds),
            verify_seconds: 0.0,
        };
        let mut audits = Audits { object: self, responses, rate };
        audits.rate.verify_seconds = audits.verify_one_by_one()?;
        Ok(audits)
    }

    fn challenge(&self, ask: Ask, height: u64) -> Result<ObjectChallenge, BenchError> {
        let validator = Signer::development("validator").account();
        let beacon = *blake3::hash(&height.to_le_bytes()).as_bytes();
        ObjectChallenge::of(&self.record, validator, (beacon, height), ask).map_err(BenchError::Refused)
    }

    /// Processor time of answering and verifying an audit of so many samples, on the thread of the caller if its pool has
    /// one; responses are verified `TOGETHER`.
    ///
    /// # Errors
    /// As [`BenchObject::audits`].
    fn costs_of(&self, kind: CostKind, samples: u32) -> Result<[f64; 2], BenchError> {
        let form = match kind {
            CostKind::Chunks => return self.costs_of_chunks(samples),
            CostKind::Possession => Form::Plain,
            CostKind::Compressed => Form::Compressed,
        };
        let audits = self.audits(samples, form, FEW)?;
        Ok([audits.rate.answer_seconds, audits.verify(TOGETHER)?.seconds_each])
    }

    fn costs_of_chunks(&self, samples: u32) -> Result<[f64; 2], BenchError> {
        let outboard = Outboard::of(&self.bytes);
        let open = |chunks: &[u64]| {
            Ok::<_, std::convert::Infallible>(
                chunks.iter().map(|chunk| outboard.open(&self.bytes, *chunk)).collect(),
            )
        };
        let ask = Ask { kind: AuditKind::Chunks, samples, deadline_ms: 5000, form: Form::Plain };
        let (mut answering, mut verifying) = (Vec::new(), Vec::new());
        for height in 20..20 + FEW as u64 {
            let challenge = self.challenge(ask, height)?;
            let started = Instant::now();
            let response = answer_chunks(&self.record, &challenge, open);
            answering.push(started.elapsed().as_secs_f64());
            let response = response.map_err(|failure| match failure {
                AnswerFailure::Wrong(rejection) => BenchError::Refused(rejection),
                AnswerFailure::Source(never) => match never {},
            })?;
            let started = Instant::now();
            verify_chunks(&self.record, &challenge, &response).map_err(BenchError::Refused)?;
            verifying.push(started.elapsed().as_secs_f64());
        }
        Ok([median(answering), median(verifying)])
    }
}

/// Real answers about an object.
pub struct Audits<'o> {
    object: &'o BenchObject,
    responses: Vec<(ObjectChallenge, Vec<u8>)>,
    /// What one takes.
    pub rate: AnswerRate,
}

impl Audits<'_> {
    fn case(&self, number: usize) -> PossessionCase<'_> {
        let (challenge, response) = &self.responses[number % self.responses.len()];
        PossessionCase { record: &self.object.record, challenge, table: None, response }
    }

    fn verify_one_by_one(&self) -> Result<f64, BenchError> {
        let mut seconds = Vec::new();
        for number in 0..9 {
            let started = Instant::now();
            verify_possession(Generators::standard(), &self.case(number)).map_err(BenchError::Refused)?;
            seconds.push(started.elapsed().as_secs_f64());
        }
        Ok(median(seconds))
    }

    /// Verifies so many responses together, on all threads of the pool that the caller is in.
    ///
    /// # Errors
    /// [`BenchError::Refused`], [`BenchError::Randomness`].
    pub fn verify(&self, responses: usize) -> Result<VerifyRow, BenchError> {
        let started = Instant::now();
        let checked: Result<Vec<CheckedResponse>, Rejection> =
            (0..responses).into_par_iter().map(|number| CheckedResponse::check(&self.case(number))).collect();
        let mut collector = Collector::new(Limits { responses: usize::MAX, held_bytes: usize::MAX });
        for checked in checked.map_err(BenchError::Refused)? {
            // Without limits it takes all.
            let _ = collector.add(checked);
        }
        let arrival_seconds = started.elapsed().as_secs_f64();
        let verdicts = collector.conclude(Generators::standard())?;
        let all_seconds = started.elapsed().as_secs_f64();
        verdicts.into_iter().collect::<Result<(), Rejection>>().map_err(BenchError::Refused)?;
        #[allow(clippy::cast_precision_loss)] // a count of responses
        let seconds_each = all_seconds / responses.max(1) as f64;
        Ok(VerifyRow {
            responses,
            arrival_seconds,
            equation_seconds: all_seconds - arrival_seconds,
            seconds_each,
            speedup: self.rate.verify_seconds / seconds_each,
        })
    }
}

/// The ways of auditing whose costs are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostKind {
    /// Possession, plain.
    Possession,
    /// Possession, compressed.
    Compressed,
    /// Chunks.
    Chunks,
}

/// Processor time of an audit, on one core: a part for each and a part for each sample of it. What disks take comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AuditCosts {
    /// Answering: for each audit.
    pub answer_seconds: f64,
    /// And for each sample.
    pub answer_seconds_per_sample: f64,
    /// Verifying, 64 together: for each audit.
    pub verify_seconds: f64,
    /// And for each sample.
    pub verify_seconds_per_sample: f64,
}

impl AuditCosts {
    /// Measures in about a second, from memory, on the threads of the pool that the caller is in: to be one.
    ///
    /// # Errors
    /// As [`BenchObject::audits`].
    pub fn measure(kind: CostKind) -> Result<AuditCosts, BenchError> {
        const BLOCKS: usize = 256;
        const SAMPLES: [u32; 2] = [4, 64];
        let object = BenchObject::new(BLOCKS)?;
        let [few, many] = [object.costs_of(kind, SAMPLES[0])?, object.costs_of(kind, SAMPLES[1])?];
        // A line through both; noise makes no part negative.
        let line = |side: usize| {
            let per_sample = (many[side] - few[side]).max(0.0) / f64::from(SAMPLES[1] - SAMPLES[0]);
            ((few[side] - per_sample * f64::from(SAMPLES[0])).max(0.0), per_sample)
        };
        let ((answer_seconds, answer_seconds_per_sample), (verify_seconds, verify_seconds_per_sample)) =
            (line(0), line(1));
        Ok(AuditCosts {
            answer_seconds,
            answer_seconds_per_sample,
            verify_seconds,
            verify_seconds_per_sample,
        })
    }

    /// Answering and verifying an audit of so many samples.
    pub fn of(&self, samples: u32) -> (f64, f64) {
        let samples = f64::from(samples);
        (
            self.answer_seconds + samples * self.answer_seconds_per_sample,
            self.verify_seconds + samples * self.verify_seconds_per_sample,
        )
    }
}

/// The middle one of an odd number of measurements.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(0.0)
}

#[allow(clippy::cast_precision_loss)] // bytes in memory are far below 2^52
fn per_second(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / seconds.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Choice, select};

    /// What is measured is right: the table that is made quickly is the one that committing gives, and answers are accepted.
    #[test]
    fn what_is_measured_is_right() {
        let object = BenchObject::new(12).unwrap();
        let committer = Committer::for_blocks(select(Choice::Auto).unwrap(), 12).unwrap();
        let points = committer.points(&object.key, &object.record.replica, 0, &object.bytes);
        for (block, point) in (0..).zip(&points) {
            assert_eq!(object.table.point(block), Some(point));
        }
        assert_eq!(object.check().unwrap().blocks, 12);
        for form in [Form::Plain, Form::Compressed] {
            let audits = object.audits(4, form, 3).unwrap();
            assert_eq!(audits.verify(70).unwrap().responses, 70, "more than there are distinct ones");
        }
    }
}
