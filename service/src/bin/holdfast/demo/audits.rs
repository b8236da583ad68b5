//! Chapters 3 and 6: rounds at audit heights, and the receipts of all of them.

use std::path::PathBuf;
use std::time::Instant;

use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::jobs::control::Control;
use holdfast_engine::receipt::{
    ANCHOR_BLOCKS, AnchoredPairs, Body, ChainVerifier, PairProof, Receipt, Timeliness, encode_chain_header,
    verify_chain,
};
use holdfast_engine::recorder::{FileRecorder, Recorder, Simulation};
use holdfast_engine::rejection::Rejection;
use holdfast_engine::signature::Signer;
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use serde::Serialize;

use super::MINER;
use super::stage::Stage;
use crate::answering::answer_partition;
use crate::commit;
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files::write_whole;
use crate::judging::verify_response;
use crate::table;

/// One validator's side of the demo: what it keeps of its partition, and the last link of its chain.
pub(super) struct Pair {
    pub(super) place: usize,
    pub(super) commitment: Commitment,
    pub(super) validator: Signer,
    previous: [u8; 32],
}

/// The rounds so far.
pub(super) struct Rounds<'s> {
    stage: &'s Stage<'s>,
    pub(super) disk: &'s Disk,
    pub(super) recorder: FileRecorder,
    pub(super) pairs: Vec<Pair>,
    miner: Signer,
    network: [u8; 32],
    receipts: Vec<Receipt>,
    proofs: Vec<PairProof>,
}

/// What the rounds took.
#[derive(Debug, Default, Serialize)]
pub(super) struct Audits {
    rounds: u64,
    accepted: u64,
    samples: u64,
    response_bytes: u64,
    answer_seconds: f64,
    verify_seconds: f64,
    deadline_ms: u32,
}

impl<'s> Rounds<'s> {
    /// What validators keep: the commitments.
    pub(super) fn new(stage: &'s Stage<'s>, disk: &'s Disk) -> Result<Rounds<'s>, Failure> {
        let recorder = disk.recorder()?;
        let mut pairs = Vec::new();
        let mut bytes = 0;
        for (place, partition) in disk.manifest.partitions.iter().enumerate() {
            let commitment = commit::commitment(disk, partition, stage.console)?;
            bytes += commitment.encode().len() as u64;
            pairs.push(Pair {
                place,
                commitment,
                validator: Signer::development(&partition.validator_hotkey),
                previous: [0; 32],
            });
        }
        stage.say(&format!(
            "  each validator keeps its commitment, {} for all; it never sees the data",
            table::bytes(bytes)
        ));
        let (miner, network) = (Signer::development(MINER), recorder.network()?);
        let (receipts, proofs) = (Vec::new(), Vec::new());
        Ok(Rounds { stage, disk, recorder, pairs, miner, network, receipts, proofs })
    }

    /// Honest rounds.
    pub(super) fn play(&mut self, rounds: u64) -> Result<Audits, Failure> {
        let mut audits = Audits { rounds, deadline_ms: self.stage.policy.deadline_ms, ..Audits::default() };
        for _ in 0..rounds {
            let (height, beacon) = self.next_audit_height()?;
            let before = (audits.answer_seconds, audits.verify_seconds);
            let mut timely = Vec::new();
            for pair in 0..self.pairs.len() {
                timely.push(self.honest_answer(pair, height, beacon, &mut audits)?);
            }
            self.anchor(height, &timely)?;
            self.stage.say(&format!(
                "  height {height} is an audit height: {} partitions answer in {}, verified in {}: all accepted",
                self.pairs.len(),
                table::duration(audits.answer_seconds - before.0),
                table::duration(audits.verify_seconds - before.1)
            ));
        }
        #[allow(clippy::cast_precision_loss)] // small counts
        let (answers, samples) = (audits.accepted as f64, audits.samples as f64);
        self.stage.say(&format!(
            "  {} samples of 1 KiB in {} of answers: {} a sample to read, {} an answer to verify; the deadline is {} ms",
            audits.samples,
            table::bytes(audits.response_bytes),
            table::duration(audits.answer_seconds / samples),
            table::duration(audits.verify_seconds / answers),
            audits.deadline_ms
        ));
        Ok(audits)
    }

    /// Lets blocks come until the beacon says that all are audited.
    pub(super) fn next_audit_height(&self) -> Result<(u64, [u8; 32]), Failure> {
        let final_at = self.pairs.iter().map(|pair| pair.commitment.last_batch().height).max().unwrap_or(0)
            + self.stage.policy.finality_blocks;
        loop {
            let height = self.recorder.advance(1)?;
            let beacon = self.recorder.beacon(height)?.unwrap_or_default();
            if height >= final_at && self.stage.policy.is_audit_height(&beacon) {
                return Ok((height, beacon));
            }
        }
    }

    /// The space challenge of a round.
    pub(super) fn challenge(&self, pair: &Pair, height: u64, beacon: [u8; 32]) -> Result<Challenge, Failure> {
        let (commitment, policy) = (&pair.commitment, &self.stage.policy);
        let shape = commitment.registration.intent.shape;
        let samples = policy.samples(shape.log2_labels(), shape.layers(), commitment.window_count());
        let samples = samples.map_err(|error| Failure::work("state", "demo", error))?;
        Ok(Challenge::space(commitment, beacon, height, samples, policy.deadline_ms))
    }

    /// Challenge, answer, digest, body, verdict, receipt. Gives what is to be anchored.
    fn honest_answer(
        &mut self,
        pair: usize,
        height: u64,
        beacon: [u8; 32],
        audits: &mut Audits,
    ) -> Result<([u8; 32], [u8; 32]), Failure> {
        let challenge = self.challenge(&self.pairs[pair], height, beacon)?;
        let clock = Instant::now();
        let response = self.read_answer(pair, &challenge)?;
        audits.answer_seconds += clock.elapsed().as_secs_f64();
        let taken_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let verifying = Instant::now();
        let verdict = self.judge(pair, &challenge, &response, taken_ms)?;
        audits.verify_seconds += verifying.elapsed().as_secs_f64();
        verdict.map_err(|rejection| Failure::rejected("an honest answer", rejection))?;
        audits.accepted += 1;
        audits.samples += u64::from(challenge.samples);
        audits.response_bytes += response.len() as u64;
        Ok((challenge.seed(), response_digest(&response)))
    }

    /// An answer from the disk.
    pub(super) fn read_answer(&self, pair: usize, challenge: &Challenge) -> Result<Vec<u8>, Failure> {
        let partition = &self.disk.manifest.partitions[self.pairs[pair].place];
        answer_partition(self.disk, partition, challenge, &self.stage.machine, &Control::default())
    }

    /// The validator's whole judgement of an answer that took so long: deadlines, verification, the receipt.
    pub(super) fn judge(
        &mut self,
        pair: usize,
        challenge: &Challenge,
        response: &[u8],
        taken_ms: u64,
    ) -> Result<Result<(), Rejection>, Failure> {
        let mut timeliness = Timeliness::start(challenge, 0);
        let digest = response_digest(response);
        let signature = self.miner.sign(&response_signing_digest(&challenge.digest(), &digest));
        let commitment = &self.pairs[pair].commitment;
        let verdict = challenge
            .check_against(commitment, self.stage.policy.finality_blocks)
            .and_then(|()| timeliness.digest_came(&digest, &signature, taken_ms))
            .and_then(|()| timeliness.body_came(response, taken_ms))
            .and_then(|()| verify_response(self.stage.machine.backend, commitment, challenge, response));
        let body: Body = timeliness.conclude(verdict.is_ok(), self.pairs[pair].previous);
        let receipt = Receipt::issue(body, &self.network, &self.pairs[pair].validator);
        self.pairs[pair].previous = receipt.body.digest(&self.network);
        self.receipts.push(receipt.countersign(&self.network, &self.miner));
        Ok(verdict)
    }

    /// Every validator anchors what came in time.
    pub(super) fn anchor(&mut self, height: u64, timely: &[([u8; 32], [u8; 32])]) -> Result<(), Failure> {
        for (pair, &(seed, digest)) in self.pairs.iter().zip(timely) {
            let anchored = AnchoredPairs::new([(seed, digest)]);
            let anchored = anchored.map_err(|rejection| Failure::rejected("an anchor", rejection))?;
            self.recorder.record_anchor(&anchored.claim(height, &self.network, &pair.validator))?;
            self.proofs.extend(anchored.prove(height, pair.validator.account(), &seed));
        }
        Ok(())
    }

    /// Writes the chain file and verifies it as a third party would.
    pub(super) fn verify_receipts(&self) -> Result<ReceiptsVerified, Failure> {
        self.recorder.advance(self.recorder.finality_blocks()?)?;
        let path = self.disk.directory.join("receipts.chain");
        let mut bytes = encode_chain_header(&self.network).to_vec();
        self.receipts.iter().for_each(|receipt| bytes.extend_from_slice(&receipt.encode()));
        write_whole(&path, &bytes)?;
        let started = Instant::now();
        let failed = |error| Failure::work("state", &path, error);
        let mut verifier = ChainVerifier::new(self.network).with_recorder(&self.recorder, ANCHOR_BLOCKS);
        for proof in &self.proofs {
            verifier.add_anchored(proof).map_err(failed)?;
        }
        let report = verify_chain(&bytes[..], verifier, |_, _| {}).map_err(failed)?;
        let sum =
            |count: fn(&holdfast_engine::receipt::ChainSummary) -> u64| report.chains.iter().map(count).sum();
        let verified = ReceiptsVerified {
            file: path,
            receipts: report.receipts,
            chains: report.chains.len(),
            accepted: sum(|chain| chain.accepted),
            accepted_in_time: sum(|chain| chain.accepted_timely_anchored),
            rejected: sum(|chain| chain.rejected),
            missed: sum(|chain| chain.missed),
            void: sum(|chain| chain.void),
            seconds: started.elapsed().as_secs_f64(),
        };
        self.stage.say(&format!(
            "  {} receipts in {} chains, both signatures each, links and anchors: verified in {}",
            verified.receipts,
            verified.chains,
            table::duration(verified.seconds)
        ));
        self.stage.say(&format!(
            "  {} accepted ({} anchored in time), {} rejected, {} missed",
            verified.accepted, verified.accepted_in_time, verified.rejected, verified.missed
        ));
        Ok(verified)
    }
}

/// What the receipts show.
#[derive(Debug, Serialize)]
pub(super) struct ReceiptsVerified {
    file: PathBuf,
    receipts: u64,
    chains: usize,
    accepted: u64,
    accepted_in_time: u64,
    rejected: u64,
    missed: u64,
    void: u64,
    seconds: f64,
}
