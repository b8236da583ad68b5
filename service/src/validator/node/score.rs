//! What a closed round is worth to those who answered it.

use holdfast_engine::account::Account;
use holdfast_engine::challenge::Kind;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{Outcome, RoundKind};

use super::{Node, lock};
use crate::chain::Metagraph;
use crate::export::EventKind;
use crate::index::{Changes, KeyRange};
use crate::scoring::{
    MinerOutcome, OutcomeKind, RoundResults, RoundSummary, Scoring, ScoringError, ScoringState, TierChange,
};
use crate::validator::ValidatorError;
use crate::validator::commitments::Withdrawn;
use crate::validator::events::Event;
use crate::validator::store::{AnswersRow, Finding, Part, SCORES};

/// Miners in one row of the scores.
const SCORES_IN_ROW: usize = 16;

impl Node {
    /// Scores a round of samples, with what else came since the last one.
    pub(super) async fn score(
        &self,
        part: Part,
        height: u64,
        answers: &[(Account, AnswersRow)],
        metagraph: &Metagraph,
    ) -> Result<(), ValidatorError> {
        let outcome = |(miner, row): &(Account, AnswersRow)| {
            // What a hotkey did before it was registered anew is not its successor's.
            let neuron = metagraph.neuron_of(miner).filter(|neuron| neuron.registered_at <= height)?;
            let of = |(finding, proven_object_bytes): (&Finding, u64)| {
                Some(MinerOutcome {
                    miner: *miner,
                    uid: neuron.uid,
                    registered_at: neuron.registered_at,
                    kind: outcome_kind(finding.round_kind().ok()?),
                    outcome: finding.outcome()?,
                    latency_ms: finding.latency_ms,
                    bytes_read: finding.bytes_read,
                    proven_space_bytes: finding.proven_space_bytes,
                    proven_object_bytes,
                })
            };
            Some(row.worth().filter_map(of).collect::<Vec<_>>())
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
