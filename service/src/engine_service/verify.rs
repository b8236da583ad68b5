//! Verification: cases come in a stream and are judged while others come; verdicts at the end, or at the deadline for what came
//! till then. What was judged is let go, so a call holds a batch or two, and what the shared equation needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_engine::rejection::Rejection;
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};

use super::turns::Turn;
use super::{Engine, EngineError, policy_of};
use crate::local::failure::Failure;
use crate::local::judging::{Case, Judge, Subject};
use crate::proto::{Verdict, VerifyCase, VerifyCommitment, VerifyRequest, VerifyResponse, VerifyTerms};

/// Cases that are judged together: enough to fill lanes and threads.
const BATCH_CASES: usize = 256;
/// Bytes of cases that are judged together.
const BATCH_BYTES: usize = 8 << 20;
/// Longest message of a verdict, in bytes: all verdicts of a call must fit into one message.
const MESSAGE_BYTES_MAX: usize = 160;

/// Why no more cases are taken.
enum End {
    Stream,
    Deadline,
}

/// Judges a stream of cases.
pub(super) async fn verify(
    engine: &Arc<Engine>,
    mut stream: Streaming<VerifyRequest>,
) -> Result<VerifyResponse, Status> {
    let turn = engine.verifications.turn().await?;
    let first = tokio::time::timeout(engine.limits.idle(), stream.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no terms came"))??;
    let terms = first.and_then(|message| message.terms);
    let terms = terms.ok_or_else(|| EngineError::usage("the first message has no terms"))?;
    let mut intake = Intake::new(engine, &terms, turn)?;
    let longest_ms = engine.limits.verify_ms;
    let deadline_ms = if terms.deadline_ms == 0 { longest_ms } else { terms.deadline_ms.min(longest_ms) };
    let deadline = tokio::time::Instant::now() + Duration::from_millis(deadline_ms.into());
    let end = loop {
        let message = tokio::select! {
            // The deadline first, however much comes.
            biased;
            () = tokio::time::sleep_until(deadline) => break End::Deadline,
            () = engine.stop.cancelled() => return Err(EngineError::stopping().into()),
            message = stream.message() => message?,
        };
        match message {
            Some(message) => intake.take(message).await?,
            None => break End::Stream,
        }
    };
    let (verdicts, judging) = intake.conclude().await?;
    Ok(VerifyResponse {
        verdicts: verdicts.into_iter().map(verdict).collect(),
        seconds: judging.as_secs_f64(),
        deadline_reached: matches!(end, End::Deadline),
    })
}

/// A judge who is at work on another thread, or about to be.
type Judging = JoinHandle<Result<(Judge, Duration), Failure>>;

/// Cases that came, what they refer to, and the judge.
struct Intake {
    limits: (usize, usize),
    cases: usize,
    bytes: usize,
    subjects: HashMap<[u8; 32], Arc<Subject>>,
    /// Parts of a commitment that has not come whole.
    partial: Vec<u8>,
    batch: Vec<Case>,
    batch_bytes: usize,
    judging: Option<Judging>,
    /// Time spent judging.
    spent: Duration,
    policy: holdfast_engine::policy::Policy,
    machine: Arc<crate::local::machine::Machine>,
    turn: Turn,
}

impl Intake {
    fn new(engine: &Engine, terms: &VerifyTerms, turn: Turn) -> Result<Intake, EngineError> {
        let (policy, machine) = (policy_of(&terms.policy)?, Arc::clone(&engine.machine));
        let judge = Judge::new(machine.backend, policy.clone());
        Ok(Intake {
            limits: (engine.limits.verify_cases, engine.limits.verify_bytes),
            cases: 0,
            bytes: 0,
            subjects: HashMap::new(),
            partial: Vec::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            judging: Some(tokio::spawn(async { Ok((judge, Duration::ZERO)) })),
            spent: Duration::ZERO,
            policy,
            machine,
            turn,
        })
    }

    async fn take(&mut self, message: VerifyRequest) -> Result<(), EngineError> {
        match message {
            VerifyRequest { terms: None, commitment: Some(part), case: None } => self.take_commitment(part),
            VerifyRequest { terms: None, commitment: None, case: Some(case) } => self.take_case(case).await,
            _ => Err(EngineError::usage("a message after the first has a commitment or a case, one of them")),
        }
    }

    fn take_commitment(&mut self, part: VerifyCommitment) -> Result<(), EngineError> {
        self.count(part.bytes.len())?;
        self.partial.extend_from_slice(&part.bytes);
        if part.last {
            let bytes = std::mem::take(&mut self.partial);
            let digest = *blake3::hash(&bytes).as_bytes();
            self.subjects.entry(digest).or_insert_with(|| Arc::new(Subject::read(&bytes, &self.policy)));
        }
        Ok(())
    }

    async fn take_case(&mut self, case: VerifyCase) -> Result<(), EngineError> {
        let VerifyCase { challenge, commitment_digest, response } = case;
        let bytes = challenge.len() + response.len();
        self.count(bytes)?;
        let (cases_max, _) = self.limits;
        if self.cases == cases_max {
            return Err(EngineError::busy(format!("more than {cases_max} cases in one verification")));
        }
        self.cases += 1;
        let digest: Option<[u8; 32]> = commitment_digest[..].try_into().ok();
        let subject = digest.and_then(|digest| self.subjects.get(&digest)).cloned();
        self.batch.push(Case { challenge, subject, response });
        self.batch_bytes += bytes;
        if self.batch.len() >= BATCH_CASES || self.batch_bytes >= BATCH_BYTES {
            self.judge_batch().await?;
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), EngineError> {
        let (_, bytes_max) = self.limits;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > bytes_max {
            return Err(EngineError::busy(format!("more than {bytes_max} bytes in one verification")));
        }
        Ok(())
    }

    /// Hands the batch to the judge. While there is one at work already, nothing more is taken from the caller.
    async fn judge_batch(&mut self) -> Result<(), EngineError> {
        let (batch, mut judge) = (std::mem::take(&mut self.batch), self.judge().await?);
        self.batch_bytes = 0;
        let (machine, turn) = (Arc::clone(&self.machine), Arc::clone(&self.turn));
        self.judging = Some(tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            machine.pool.install(|| judge.take(&batch))?;
            drop(turn);
            Ok((judge, started.elapsed()))
        }));
        Ok(())
    }

    /// The judge, once it has judged what it has.
    async fn judge(&mut self) -> Result<Judge, EngineError> {
        let lost = || EngineError::Lost("a judge".to_owned());
        let judged = self.judging.take().ok_or_else(lost)?.await;
        let (judge, spent) = judged.map_err(|error| EngineError::Lost(error.to_string()))??;
        self.spent += spent;
        Ok(judge)
    }

    async fn conclude(mut self) -> Result<(Vec<Result<(), Rejection>>, Duration), EngineError> {
        if !self.batch.is_empty() {
            self.judge_batch().await?;
        }
        let (judge, machine, turn) = (self.judge().await?, Arc::clone(&self.machine), self.turn);
        let started = Instant::now();
        let concluding = super::blocking(move || {
            let verdicts = machine.pool.install(|| judge.conclude());
            drop(turn);
            Ok(verdicts?)
        });
        let verdicts = concluding.await?;
        Ok((verdicts, self.spent + started.elapsed()))
    }
}

fn verdict(verdict: Result<(), Rejection>) -> Verdict {
    match verdict {
        Ok(()) => Verdict { accepted: true, ..Verdict::default() },
        Err(Rejection { class, detail }) => {
            let message = detail[..detail.floor_char_boundary(MESSAGE_BYTES_MAX)].to_owned();
            Verdict { accepted: false, class: class.name().to_owned(), message }
        }
    }
}
