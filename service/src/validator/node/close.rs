//! Closing: anchors, then, once a round's block is final, links, signatures and scores (node/anchor.rs, node/score.rs).

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{Outcome, RoundKind};
use tokio::task::JoinSet;

use super::counting::note_proven;
use super::{Node, lock};
use crate::chain::{Head, Metagraph};
use crate::export::EventKind;
use crate::index::Changes;
use crate::validator::ValidatorError;
use crate::validator::events::Event;
use crate::validator::store::{ANSWERS, AnswersRow, NUMBERS, OPEN_FROM, Part, ROUNDS, Stage, round_key};

/// Miners whose receipts are linked at the same time: their commits share syncs.
const MINERS_AT_ONCE: usize = 32;

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
                    self.holdings.linked((miner, &digest.0), height, outcome == Outcome::Accepted).await?;
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

fn flatten(linked: Result<Result<(), ValidatorError>, tokio::task::JoinError>) -> Result<(), ValidatorError> {
    let ended = |error: tokio::task::JoinError| ValidatorError::Ended {
        doing: "linking receipts",
        detail: error.to_string(),
    };
    linked.map_err(ended)?
}
