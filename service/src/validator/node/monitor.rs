//! Signs of life, and blocks fetched as owners fetch them.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::Outcome;
use serde::Serialize;
use tokio::task::JoinSet;

use super::{Node, lock};
use crate::chain::{Head, Metagraph, Neuron};
use crate::export::EventKind;
use crate::operation::metrics::{PING, RETRIEVAL};
use crate::scoring::{MinerOutcome, OutcomeKind};
use crate::validator::ValidatorError;
use crate::validator::events::Event;
use crate::validator::evidence::keep_evidence;
use crate::validator::peers::Peer;
use crate::validator::retrieval::{Retrieval, audit, draw_blocks};
use crate::validator::store::EvidenceRow;

/// Receipts of another validator that are looked at: 312 bytes each, and as much again of the time before.
const HISTORY_RECEIPTS_MAX: usize = 65_536;
/// Miners that are asked at the same time.
const MINERS_AT_ONCE: usize = 32;

/// The last sign of life of a miner, or that there was none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sign {
    /// When it was asked, in milliseconds since 1970.
    pub asked_at_ms: u64,
    /// How long it took to answer, in milliseconds; `None` if it did not.
    pub latency_ms: Option<u32>,
    /// The version that it says it is.
    pub version: Option<String>,
    /// Why there was no answer.
    pub why: Option<String>,
}

/// Two bodies in one place, which were not known before.
fn equivocation(row: &EvidenceRow, height: u64) -> Event {
    let event = Event::new(EventKind::Equivocation, height, "two signed bodies for one round");
    let event = event.with("evidence", row.evidence.as_str());
    let event = row.validator.map_or(event.clone(), |validator| event.of_validator(validator));
    row.miner.map_or(event.clone(), |miner| event.of_miner(miner))
}

impl Node {
    /// Asks all miners that hold anything for a sign of life, and for blocks, when that is due.
    pub(super) async fn monitor(self: &Arc<Node>, head: Head) -> Result<(), ValidatorError> {
        let due = |every: u64| every != 0 && head.height.is_multiple_of(every);
        let (ping, retrieve) =
            (due(self.settings.ping_every_blocks), due(self.settings.retrieve_every_blocks));
        if !ping && !retrieve {
            return Ok(());
        }
        let metagraph = self.chain.metagraph().await?;
        let mut miners: BTreeSet<Account> = self.holdings.miners().await?.into_iter().collect();
        miners.extend(self.recorded().await?.iter().map(|recorded| recorded.miner()));
        let mut asking = JoinSet::new();
        for neuron in miners.iter().filter_map(|miner| metagraph.neuron_of(miner)) {
            let Some(endpoint) = neuron.endpoint else { continue };
            if asking.len() >= MINERS_AT_ONCE {
                asking.join_next().await;
            }
            let (node, neuron) = (Arc::clone(self), neuron.clone());
            let peer = Peer { account: neuron.hotkey, endpoint };
            asking.spawn(async move {
                if ping {
                    node.ping(peer, head.height).await;
                }
                if retrieve && let Err(error) = node.retrieve(peer, &neuron).await {
                    tracing::error!(miner = %peer.account, %error, "no retrieval audit");
                }
            });
        }
        while asking.join_next().await.is_some() {}
        self.forget_signs(&metagraph);
        Ok(())
    }

    async fn ping(&self, peer: Peer, height: u64) {
        let asked_at_ms = self.peers.correspondent().clock().now_ms();
        let sign = match self.peers.ping(peer).await {
            Ok((response, latency_ms)) => {
                self.metrics.note_round(PING, Outcome::Accepted);
                let version =
                    response.version.chars().filter(|letter| !letter.is_control()).take(64).collect();
                Sign { asked_at_ms, latency_ms: Some(latency_ms), version: Some(version), why: None }
            }
            Err(error) => {
                self.metrics.note_round(PING, Outcome::Missed);
                Sign { asked_at_ms, latency_ms: None, version: None, why: Some(error.to_string()) }
            }
        };
        let answers = sign.latency_ms.is_some();
        let before = lock(&self.signs).insert(peer.account, sign).map(|sign| sign.latency_ms.is_some());
        if before.is_some_and(|before| before != answers) {
            let message = if answers { "it answers again" } else { "it does not answer" };
            let event = Event::new(EventKind::MinerReachable, height, message).of_miner(peer.account);
            self.events.note([event.with("reachable", answers)]).await;
        }
    }

    async fn retrieve(&self, peer: Peer, neuron: &Neuron) -> Result<(), ValidatorError> {
        let records = self.holdings.records_of(&peer.account).await?;
        let random = |_| ValidatorError::Ended {
            doing: "drawing blocks",
            detail: "no randomness from the system".to_owned(),
        };
        let (which, where_) = (getrandom::u64().map_err(random)?, getrandom::u64().map_err(random)?);
        let Some(record) = records.get(usize::try_from(which % records.len().max(1) as u64).unwrap_or(0))
        else {
            return Ok(());
        };
        let blocks = draw_blocks(record.record.replica.length(), where_);
        if blocks.is_empty() {
            return Ok(());
        }
        let Retrieval { outcome, latency_ms, bytes, fault } =
            audit(&self.peers, peer, &record.record, blocks).await;
        self.metrics.note_round(RETRIEVAL, outcome);
        if outcome != Outcome::Accepted {
            tracing::warn!(miner = %peer.account, why = ?fault, "a retrieval audit was not passed");
        }
        lock(&self.outcomes).push(MinerOutcome {
            miner: peer.account,
            uid: neuron.uid,
            registered_at: neuron.registered_at,
            kind: OutcomeKind::Retrieval,
            outcome,
            latency_ms,
            bytes_read: bytes,
            proven_space_bytes: 0,
            proven_object_bytes: 0,
        });
        Ok(())
    }

    /// Looks once a tempo at what the validators that witness our rounds show of theirs, now and the time before, for two bodies in one
    /// place.
    pub(super) async fn look_at_histories(&self, head: Head) -> Result<(), ValidatorError> {
        let tempo = self.settings.tempo_blocks.max(1);
        let Some(finalized) = head.finalized_height.filter(|_| head.height.is_multiple_of(tempo)) else {
            return Ok(());
        };
        let metagraph = self.chain.metagraph().await?;
        for witness in &self.settings.witnesses {
            let endpoint = metagraph.neuron_of(witness).and_then(|neuron| neuron.endpoint);
            let Some(endpoint) = endpoint.filter(|_| *witness != self.account()) else { continue };
            let peer = Peer { account: *witness, endpoint };
            // Twice the tempo, so that each receipt is seen twice.
            let heights = finalized.saturating_sub(2 * tempo)..finalized + 1;
            let mut now = Vec::new();
            let keep = |receipt| {
                now.push(receipt);
                now.len() < HISTORY_RECEIPTS_MAX
            };
            if let Err(error) = self.peers.history(peer, heights, keep).await {
                tracing::warn!(%error, "no history");
                continue;
            }
            let earlier = lock(&self.histories).insert(*witness, now.clone()).unwrap_or_default();
            let all = [earlier, now].concat();
            let network = self.peers.correspondent().network();
            let fresh = keep_evidence(&*self.index, &network, &all).await?.fresh;
            self.events.note(fresh.iter().map(|row| equivocation(row, head.height))).await;
        }
        Ok(())
    }

    fn forget_signs(&self, metagraph: &Metagraph) {
        lock(&self.signs).retain(|miner, _| metagraph.neuron_of(miner).is_some());
    }

    /// The last sign of life of a miner.
    pub(in crate::validator) fn sign_of(&self, miner: &Account) -> Option<Sign> {
        lock(&self.signs).get(miner).cloned()
    }
}
