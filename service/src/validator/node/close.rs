//! Closing: anchors, then, once a round's block is final, links, signatures and scores.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::challenge::Kind;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{ANCHOR_BLOCKS, AnchoredPairs, Outcome, RoundKind};
use holdfast_engine::recorder::{Recorder, RecorderError, Refusal};
use tokio::task::JoinSet;

use super::counting::note_proven;
use super::{Node, lock};
use crate::chain::{Head, Metagraph};
use crate::export::EventKind;
use crate::index::{Changes, KeyRange};
use crate::scoring::{
    MinerOutcome, OutcomeKind, RoundResults, RoundSummary, Scoring, ScoringError, ScoringState, TierChange,
};
use crate::validator::ValidatorError;
use crate::validator::anchored::{self, Kept};
use crate::validator::commitments::Withdrawn;
use crate::validator::events::Event;
use crate::validator::receipts::Chains;
use crate::validator::store::{
    ANSWERS, AnchorRow, AnswersRow, Finding, NUMBERS, OPEN_FROM, Part, ROUNDS, SCORES, Stage, round_key,
};

/// Miners whose receipts are linked at the same time: their commits share syncs.
const MINERS_AT_ONCE: usize = 32;
/// Miners in one row of the scores.
const SCORES_IN_ROW: usize = 16;

impl Node {
    /// Anchors and closes what is due. One at a time; whoever comes meanwhile leaves it to the next head.
    pub(super) async fn close_final(self: &Arc<Node>, head: Head) {
        let Ok(_closing) = self.closing.try_lock() else { return };
        if let Err(error) = self.close_due(head).await {
            tracing::error!(height = head.height, %error, "rounds were not closed; it is tried again");
        }
    }

    async fn close_due(self: &Arc<Node>, head: Head) -> Result<(), ValidatorError> {
        let rounds: Vec<_> = lock(&self.open)
            .iter()
            .map(|((part, height), open)| (*part, *height, open.asking.is_some()))
            .collect();
        for (part, height, _) in &rounds {
            if *part == Part::Samples && head.height >= height + self.settings.anchor_after_blocks {
                self.anchor(*height, head).await?;
            }
        }
        // Of the samples none is passed over, because links follow heights. A seal audit waits for no other miner's.
        let mut samples_wait = false;
        for (part, height, asking) in rounds {
            if part == Part::Seals && asking && head.is_final(height) {
                self.close_ended_seals(height).await?;
            }
            let waits = !head.is_final(height) || asking || (part == Part::Samples && samples_wait);
            if waits {
                samples_wait |= part == Part::Samples;
                continue;
            }
            self.close(part, height).await?;
        }
        self.note_open().await
    }

    /// Remembers from where on rounds are open, so that a process that starts anew looks no further back.
    async fn note_open(&self) -> Result<(), ValidatorError> {
        let Some(lowest) = lock(&self.open).keys().map(|(_, height)| *height).min() else { return Ok(()) };
        let key = OPEN_FROM.to_owned();
        if NUMBERS.get(&*self.index, &key).await? == Some(lowest) {
            return Ok(());
        }
        let mut changes = Changes::new();
        NUMBERS.put(&mut changes, &key, &lowest)?;
        self.chains.commit(Some(&self.in_charge()?), changes).await
    }

    /// Anchors all promises of a height, once.
    async fn anchor(&self, height: u64, head: Head) -> Result<(), ValidatorError> {
        let Some(row) = ROUNDS.get(&*self.index, &round_key(height, Part::Samples)).await? else {
            return Ok(());
        };
        let kept = matches!(row.stage, Stage::Promised | Stage::Judged);
        if !kept || row.anchor.is_some() || head.height > height + ANCHOR_BLOCKS {
            return Ok(());
        }
        let pairs = self.pairs_to_anchor(height, row.beacon).await?;
        let signer = self.peers.correspondent().signer();
        let claim = pairs.claim(height, &self.peers.correspondent().network(), signer);
        let recorded_at = self.recorder("anchoring a round", move |recorder| {
            match recorder.record_anchor(&claim) {
                Ok(recorded_at) => Ok(Some(recorded_at)),
                // Ours, if we were cut off between recording and noting it; else it was of a block that was replaced.
                Err(RecorderError::Refused(Refusal::RepeatedAnchor { .. })) => {
                    let anchor = recorder.anchor(height, &claim.validator)?;
                    Ok(anchor.filter(|anchor| anchor.root == claim.root).map(|anchor| anchor.recorded_at))
                }
                Err(error) => Err(error.into()),
            }
        });
        let recorded_at = recorded_at.await?;
        if recorded_at.is_none() {
            tracing::warn!(
                height,
                "another anchor stands for this round: its digests cannot be shown in time"
            );
        }
        if recorded_at.is_some() {
            self.metrics.anchors_recorded.inc();
        }
        let anchor = AnchorRow { root: pairs.root(), count: pairs.count(), recorded_at };
        self.change_round(Part::Samples, height, |row| row.anchor = Some(anchor)).await?;
        if let Some(recorded_at) = recorded_at {
            let message = format!("the {} answers of the round at height {height}", anchor.count);
            let event = Event::new(EventKind::AnchorRecorded, head.height, message);
            let event = event.with("round", height).with("count", anchor.count);
            self.events.note([event.with("recorded_at", recorded_at)]).await;
        }
        Ok(())
    }

    /// What is anchored of a round: what was kept for it, if it was tried before, or else all promises of now, kept.
    async fn pairs_to_anchor(&self, height: u64, beacon: [u8; 32]) -> Result<AnchoredPairs, ValidatorError> {
        let before = anchored::kept(&*self.index, height).await?;
        if let Some(kept) = before.as_ref().filter(|kept| kept.beacon == beacon) {
            return Ok(kept.pairs.clone());
        }
        let mut answers = self.answers(Part::Samples, height).await?;
        answers.extend(self.answers(Part::Seals, height).await?);
        let pairs = Chains::pairs(answers.iter().map(|(_, row)| row));
        let pairs = pairs.map_err(|rejection| ValidatorError::Damaged {
            what: "promises of a round",
            detail: rejection.to_string(),
        })?;
        // What stands on the chain for a block that was replaced can still be shown.
        let validator = self.account();
        let look = move |recorder: &dyn Recorder| Ok(recorder.anchor(height, &validator)?);
        let standing = self.recorder("looking for an anchor", look).await?;
        let stands =
            before.is_some_and(|kept| standing.is_some_and(|anchor| anchor.root == kept.pairs.root()));
        if !stands {
            let kept = Kept { beacon, pairs: pairs.clone() };
            anchored::keep(&self.chains, &self.in_charge()?, height, &kept).await?;
        }
        Ok(pairs)
    }

    pub(super) async fn answers(
        &self,
        part: Part,
        height: u64,
    ) -> Result<Vec<(Account, AnswersRow)>, ValidatorError> {
        let range = ANSWERS.prefix(&((1_u8, height), part as u8));
        let rows = ANSWERS.scan(&*self.index, &range, usize::MAX).await?;
        Ok(rows.into_iter().map(|row| (row.key.2, row.value)).collect())
    }

    /// Closes a round whose block is final and that is not being asked. All of it may be done again.
    async fn close(self: &Arc<Node>, part: Part, height: u64) -> Result<(), ValidatorError> {
        let row = ROUNDS.get(&*self.index, &round_key(height, part)).await?;
        let beacon = self.chain.block_hash(height).await?;
        let row = match row {
            Some(row) if Some(row.beacon) == beacon => row,
            _ => return self.void(part, height, "its block was replaced").await,
        };
        match row.stage {
            Stage::Asking => return self.void(part, height, "it was cut off while it was asked").await,
            Stage::Promised | Stage::Judged => {}
            Stage::Linked | Stage::Void(_) => {
                self.forget(part, height);
                return Ok(());
            }
        }
        let mut answers = self.answers(part, height).await?;
        answers.retain(|(_, row)| row.judged && !(part == Part::Seals && row.linked.is_some()));
        let metagraph = self.conclude(part, height, &answers).await?;
        if part == Part::Samples {
            note_proven(&self.metrics, answers.iter().map(|(_, row)| row));
        }
        let closed_at_ms = self.peers.correspondent().clock().now_ms();
        self.change_round(part, height, |row| {
            (row.stage, row.closed_at_ms) = (Stage::Linked, Some(closed_at_ms));
        })
        .await?;
        self.forget(part, height);
        self.events.note([closed(part, height, metagraph.height, &answers)]).await;
        tracing::info!(height, ?part, miners = answers.len(), "a round is closed");
        self.show_to(&answers, &metagraph);
        Ok(())
    }

    /// Closes the seal audits of the miners that have ended, of a round that others draw out: those of one may take days, and what
    /// another has sealed does not count before it is closed.
    async fn close_ended_seals(self: &Arc<Node>, height: u64) -> Result<(), ValidatorError> {
        let part = Part::Seals;
        let row = ROUNDS.get(&*self.index, &round_key(height, part)).await?;
        if row.map(|row| row.beacon) != self.chain.block_hash(height).await? {
            return Ok(());
        }
        let mut answers = self.answers(part, height).await?;
        answers.retain(|(_, row)| row.judged && row.linked.is_none());
        if answers.is_empty() {
            return Ok(());
        }
        let metagraph = self.conclude(part, height, &answers).await?;
        let ended: Vec<u64> =
            answers.iter().flat_map(|(_, row)| &row.findings).map(|finding| finding.subject).collect();
        if let Some(open) = lock(&self.open).get_mut(&(part, height)) {
            open.sealing.retain(|partition_id| !ended.contains(partition_id));
        }
        ended.iter().for_each(|partition_id| self.commitments.set_sealing(*partition_id, false));
        self.show_to(&answers, &metagraph);
        Ok(())
    }

    /// What follows from answers that were judged, of a round whose block is final. Seal audits are noted before receipts are linked:
    /// what is linked is not concluded again, or it could overrule a later audit of the same batch.
    async fn conclude(
        self: &Arc<Node>,
        part: Part,
        height: u64,
        answers: &[(Account, AnswersRow)],
    ) -> Result<Metagraph, ValidatorError> {
        for finding in answers.iter().flat_map(|(_, row)| &row.findings) {
            if let (Some(batch), Some(accepted)) = (finding.batch, finding.accepted) {
                self.commitments.seal_audited(finding.subject, batch, accepted).await?;
            }
        }
        self.link(part, height, answers).await?;
        self.tell_holdings(height, answers).await?;
        let metagraph = self.chain.metagraph().await?;
        self.score(part, height, answers, &metagraph).await?;
        Ok(metagraph)
    }

    fn show_to(self: &Arc<Node>, answers: &[(Account, AnswersRow)], metagraph: &Metagraph) {
        for (miner, _) in answers {
            let neuron = metagraph.neuron_of(miner);
            if let Some(endpoint) = neuron.and_then(|neuron| neuron.endpoint) {
                self.show(*miner, endpoint);
            }
        }
    }

    /// Links and signs the receipts of all miners, several at a time.
    async fn link(
        self: &Arc<Node>,
        part: Part,
        height: u64,
        answers: &[(Account, AnswersRow)],
    ) -> Result<(), ValidatorError> {
        let lease = self.in_charge()?;
        let mut linking = JoinSet::new();
        for (miner, _) in answers {
            if linking.len() >= MINERS_AT_ONCE
                && let Some(linked) = linking.join_next().await
            {
                flatten(linked)?;
            }
            let (node, lease, miner) = (Arc::clone(self), lease.clone(), *miner);
            linking.spawn(async move {
                let (first, end) = node.chains.link(Some(&lease), (height, part), &miner).await?;
                node.chains.sign(Some(&lease), &miner).await?;
                node.metrics.receipts_signed.inc_by(end - first);
                Ok(())
            });
        }
        while let Some(linked) = linking.join_next().await {
            flatten(linked)?;
        }
        Ok(())
    }

    async fn tell_holdings(
        &self,
        height: u64,
        answers: &[(Account, AnswersRow)],
    ) -> Result<(), ValidatorError> {
        // A record can have two audits in a round, and who fails one of them has failed.
        let mut worst: BTreeMap<[u8; 32], Outcome> = BTreeMap::new();
        for (miner, row) in answers {
            for finding in &row.findings {
                let (Some(digest), Some(outcome)) = (finding.record_digest, finding.outcome()) else {
                    continue;
                };
                if finding.round_kind()? == RoundKind::Object(AuditKind::Link) {
                    let passed = outcome == Outcome::Accepted;
                    self.holdings.linked((miner, &digest.0), height, passed).await?;
                }
                let of_record = worst.entry(digest.0).or_insert(outcome);
                *of_record = worse(*of_record, outcome);
            }
        }
        for (digest, outcome) in worst {
            self.holdings.audited(&digest, height, outcome).await?;
        }
        Ok(())
    }

    /// Scores a round of samples, with what else came since the last one.
    async fn score(
        &self,
        part: Part,
        height: u64,
        answers: &[(Account, AnswersRow)],
        metagraph: &Metagraph,
    ) -> Result<(), ValidatorError> {
        let outcome = |(miner, row): &(Account, AnswersRow)| {
            // What a hotkey did before it was registered anew is not its successor's.
            let neuron = metagraph.neuron_of(miner).filter(|neuron| neuron.registered_at <= height)?;
            let of = |finding: &Finding| {
                Some(MinerOutcome {
                    miner: *miner,
                    uid: neuron.uid,
                    registered_at: neuron.registered_at,
                    kind: outcome_kind(finding.round_kind().ok()?),
                    outcome: finding.outcome()?,
                    latency_ms: finding.latency_ms,
                    bytes_read: finding.bytes_read,
                    proven_space_bytes: finding.proven_space_bytes,
                    proven_object_bytes: finding.proven_object_bytes,
                })
            };
            Some(row.findings.iter().filter_map(of).collect::<Vec<_>>())
        };
        let mut outcomes: Vec<MinerOutcome> = answers.iter().filter_map(outcome).flatten().collect();
        if part == Part::Seals {
            lock(&self.outcomes).append(&mut outcomes);
            return Ok(());
        }
        outcomes.append(&mut lock(&self.outcomes));
        outcomes.extend(self.missed_by_withdrawal(height, metagraph).await?);
        let mut scoring = self.scoring.lock().await;
        match scoring.record(&RoundResults { height, outcomes }) {
            Ok(summary) => {
                for change in &summary.changes {
                    tracing::info!(miner = %change.miner, from = change.from, to = change.to, "another tier");
                }
                self.events.note(scored(&summary, metagraph.height)).await;
            }
            // It was scored before we were cut off.
            Err(ScoringError::NotLater { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.keep_scores(&scoring).await
    }

    /// A withdrawn partition is missed in the rounds of the next E · N blocks (space-v1 §2), or who has proven it once would go on
    /// being paid for it. There is nobody to ask, and no challenge that a receipt could be of.
    async fn missed_by_withdrawal(
        &self,
        height: u64,
        metagraph: &Metagraph,
    ) -> Result<Vec<MinerOutcome>, ValidatorError> {
        let policy = &self.settings.policy;
        let blocks = u64::from(policy.missed_rounds_on_withdrawal) * u64::from(policy.audit_one_in_blocks);
        let withdrawn = self.withdrawn((height + 1).saturating_sub(blocks)).await?;
        let outcome = |Withdrawn { miner, height: withdrawn_at, .. }: Withdrawn| {
            let neuron = metagraph.neuron_of(&miner).filter(|neuron| neuron.registered_at <= withdrawn_at)?;
            (withdrawn_at <= height).then_some(MinerOutcome {
                miner,
                uid: neuron.uid,
                registered_at: neuron.registered_at,
                kind: OutcomeKind::Space,
                outcome: Outcome::Missed,
                latency_ms: None,
                bytes_read: 0,
                proven_space_bytes: 0,
                proven_object_bytes: 0,
            })
        };
        Ok(withdrawn.into_iter().filter_map(outcome).collect())
    }

    async fn keep_scores(&self, scoring: &Scoring) -> Result<(), ValidatorError> {
        let ScoringState { version, height, miners } = scoring.state();
        let mut changes = Changes::new();
        let row = |miners: &[_]| ScoringState { version, height, miners: miners.to_vec() };
        // One row at least, which has the height.
        let rows = miners.len().div_ceil(SCORES_IN_ROW).max(1);
        for number in 0..rows {
            let start = number * SCORES_IN_ROW;
            let end = (start + SCORES_IN_ROW).min(miners.len());
            SCORES.put(&mut changes, &(number as u64), &row(&miners[start..end]))?;
        }
        for stale in SCORES.scan(&*self.index, &KeyRange::all(), usize::MAX).await? {
            if stale.key >= rows as u64 {
                SCORES.delete(&mut changes, &stale.key);
            }
        }
        self.chains.commit(Some(&self.in_charge()?), changes).await
    }
}

/// The worse of two outcomes.
fn worse(one: Outcome, other: Outcome) -> Outcome {
    let order = [Outcome::Rejected, Outcome::Missed];
    order.into_iter().find(|outcome| [one, other].contains(outcome)).unwrap_or(Outcome::Accepted)
}

/// A round that is closed, with how its questions came out.
fn closed(part: Part, height: u64, newest: u64, answers: &[(Account, AnswersRow)]) -> Event {
    let findings = || answers.iter().flat_map(|(_, row)| &row.findings);
    let count = |outcome| findings().filter(|finding| finding.outcome() == Some(outcome)).count();
    let what = match part {
        Part::Samples => "round",
        Part::Seals => "seal audits",
    };
    let event = Event::new(EventKind::RoundClosed, newest, format!("the {what} of height {height}"));
    let event = event.with("round", height).with("miners", answers.len());
    let outcomes = [Outcome::Accepted, Outcome::Rejected, Outcome::Missed];
    outcomes.into_iter().fold(event, |event, outcome| event.with(outcome.name(), count(outcome)))
}

/// Who came, went, rose and fell with a round.
fn scored(summary: &RoundSummary, newest: u64) -> Vec<Event> {
    let tier = |change: &TierChange| {
        let message = format!("from {} to {}", change.from, change.to);
        let event = Event::new(EventKind::TierChanged, newest, message).of_miner(change.miner);
        event.with("from", change.from.as_str()).with("to", change.to.as_str())
    };
    let joined =
        |miner: &Account| Event::new(EventKind::MinerJoined, newest, "its first round here").of_miner(*miner);
    let left = |miner: &Account| {
        Event::new(EventKind::MinerLeft, newest, "another hotkey has its uid").of_miner(*miner)
    };
    let (joined, left) = (summary.fresh.iter().map(joined), summary.replaced.iter().map(left));
    left.chain(joined).chain(summary.changes.iter().map(tier)).collect()
}

fn flatten(linked: Result<Result<(), ValidatorError>, tokio::task::JoinError>) -> Result<(), ValidatorError> {
    let ended = |error: tokio::task::JoinError| ValidatorError::Ended {
        doing: "linking receipts",
        detail: error.to_string(),
    };
    linked.map_err(ended)?
}

fn outcome_kind(kind: RoundKind) -> OutcomeKind {
    match kind {
        RoundKind::Partition(Kind::Space) => OutcomeKind::Space,
        RoundKind::Partition(Kind::Seal) => OutcomeKind::Seal,
        RoundKind::Object(AuditKind::Possession) => OutcomeKind::Possession,
        RoundKind::Object(AuditKind::Chunks) => OutcomeKind::Chunks,
        RoundKind::Object(AuditKind::Link) => OutcomeKind::Link,
        RoundKind::Object(AuditKind::Whole) => OutcomeKind::Whole,
    }
}
