//! What goes on beside rounds: commitments are fetched, receipts are shown to miners, witnesses are asked, weights are set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use holdfast_engine::account::Account;
use tokio::task::JoinSet;

use super::{Node, lock};
use crate::chain::{Head, Metagraph};
use crate::proto;
use crate::scoring::Registration;
use crate::validator::ValidatorError;
use crate::validator::collect::Promise;
use crate::validator::commitments::Recorded;
use crate::validator::peers::Peer;
use crate::validator::plan::Question;
use crate::validator::receipts::Countersigned;
use crate::validator::store::{Part, WitnessRow};
use crate::validator::witness::check_statement;

/// Commitments that are fetched at the same time.
const FETCHED_AT_ONCE: usize = 8;

impl Node {
    /// Fetches and sets what is due; one at a time.
    pub(super) async fn tend(self: &Arc<Node>, head: Head) {
        let Ok(_tending) = self.tending.try_lock() else { return };
        if let Err(error) = self.fetch_commitments().await {
            tracing::error!(%error, "commitments were not fetched; it is tried again");
        }
        if let Err(error) = self.monitor(head).await {
            tracing::error!(%error, "miners were not asked for signs of life");
        }
        if let Err(error) = self.look_at_histories(head).await {
            tracing::error!(%error, "histories were not looked at");
        }
        if let Err(error) = self.set_weights(head).await {
            tracing::error!(%error, "weights were not set; they are with the next tempo");
        }
    }

    pub(super) async fn fetch_commitments(self: &Arc<Node>) -> Result<(), ValidatorError> {
        let lacking: Vec<Recorded> =
            self.recorded().await?.into_iter().filter(|recorded| self.commitments.lacks(recorded)).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let metagraph = self.chain.metagraph().await?;
        let mut fetching = JoinSet::new();
        for recorded in lacking {
            let Some(peer) = peer_of(&metagraph, &recorded.miner()) else { continue };
            if fetching.len() >= FETCHED_AT_ONCE {
                fetching.join_next().await;
            }
            let node = Arc::clone(self);
            fetching.spawn(async move {
                let partition_id = recorded.partition_id();
                if let Err(why) = node.fetch_commitment(peer, &recorded).await {
                    tracing::warn!(miner = %peer.account, partition_id, why, "no commitment");
                }
            });
        }
        while fetching.join_next().await.is_some() {}
        Ok(())
    }

    async fn fetch_commitment(&self, peer: Peer, recorded: &Recorded) -> Result<(), String> {
        let most = self.settings.commitment_bytes_max;
        let length = recorded.commitment_bytes().filter(|bytes| *bytes <= most);
        let length = length.ok_or_else(|| format!("it has more than {most} bytes, the limit here"))?;
        let fetched = self.peers.commitment(peer, recorded.partition_id(), length).await;
        let bytes = fetched.map_err(|error| error.to_string())?;
        let (recorded, policy) = (recorded.clone(), self.settings.policy.clone());
        let checked = self.blocking("checking a commitment", move || recorded.check(&bytes, &policy)).await;
        let commitment =
            checked.map_err(|error| error.to_string())?.map_err(|refused| refused.to_string())?;
        self.commitments.keep(commitment).await.map_err(|error| error.to_string())
    }

    /// Shows a miner all receipts that it has not seen, in a task.
    pub(super) fn show(self: &Arc<Node>, miner: Account, endpoint: SocketAddr) {
        if !lock(&self.showing).insert(miner) {
            return;
        }
        let node = Arc::clone(self);
        self.tasks.spawn(async move {
            let peer = Peer { account: miner, endpoint };
            if let Err(why) = node.show_all(peer).await
                && node.warned.is_due(&format!("{miner} {why}"), Instant::now())
            {
                tracing::warn!(%miner, why, "receipts were not countersigned; they are shown again with each round");
            }
            lock(&node.showing).remove(&miner);
        });
    }

    async fn show_all(&self, peer: Peer) -> Result<(), String> {
        loop {
            let lease = self.in_charge().map_err(|error| error.to_string())?;
            let shown = self.chains.to_show(&peer.account).await.map_err(|error| error.to_string())?;
            if shown.is_empty() {
                return Ok(());
            }
            let said = self.peers.countersign(peer, &shown).await.map_err(|error| error.to_string())?;
            let withheld = said.iter().filter(|(_, said)| matches!(said, Countersigned::Withheld(_)));
            self.metrics.receipts_withheld.inc_by(withheld.count() as u64);
            let kept = self.chains.shown(Some(&lease), &peer.account, &said).await;
            kept.map_err(|error| error.to_string())?;
        }
    }

    /// Asks all witnesses to co-sign a round's promises, each in a task.
    pub(super) fn ask_witnesses(self: &Arc<Node>, height: u64, promised: Vec<(Question, Promise)>) {
        if promised.is_empty() {
            return;
        }
        let promise = |(question, promise): &(Question, Promise)| proto::Promise {
            miner: question.round().key.miner.0.to_vec().into(),
            challenge: question.encode().into(),
            response_digest: promise.response_digest.to_vec().into(),
            signature: promise.signature.0.to_vec().into(),
        };
        let promises: Arc<[proto::Promise]> = promised.iter().map(promise).collect();
        let pairs: Arc<[_]> = promised
            .iter()
            .map(|(question, promise)| (question.round().challenge_seed, promise.response_digest))
            .collect();
        for witness in self.settings.witnesses.iter().copied().filter(|witness| *witness != self.account()) {
            let (node, promises, pairs) = (Arc::clone(self), Arc::clone(&promises), Arc::clone(&pairs));
            self.tasks.spawn(async move {
                if let Err(why) = node.ask_witness(witness, height, &promises, &pairs).await {
                    tracing::warn!(%witness, height, why, "no witness");
                }
            });
        }
    }

    async fn ask_witness(
        &self,
        witness: Account,
        height: u64,
        promises: &[proto::Promise],
        pairs: &[([u8; 32], [u8; 32])],
    ) -> Result<(), String> {
        let metagraph = self.chain.metagraph().await.map_err(|error| error.to_string())?;
        let peer = peer_of(&metagraph, &witness).ok_or("it has announced no endpoint")?;
        let request = proto::WitnessRequest { height, promises: promises.to_vec(), seal: None };
        let response = self.peers.witness(peer, request).await.map_err(|error| error.to_string())?;
        let network = self.peers.correspondent().network();
        let signature =
            check_statement(&network, height, pairs.iter().copied(), &witness, &response.signature)
                .map_err(|rejection| rejection.to_string())?;
        let arrived_at_height = response.arrived_at_height;
        let row = WitnessRow { witness, signature, arrived_at_height };
        let kept = self.change_round(Part::Samples, height, |round| round.witnesses.push(row)).await;
        kept.map_err(|error| error.to_string())
    }

    /// Sets weights if a tempo has passed since they were set or tried.
    async fn set_weights(&self, head: Head) -> Result<(), ValidatorError> {
        let tempo = self.settings.tempo_blocks;
        let tried_at = self.weights_tried_at.load(Ordering::Relaxed);
        if head.height < tried_at.saturating_add(tempo) {
            return Ok(());
        }
        let set_at = self.chain.weights(&self.account()).await?.map(|set| set.set_at);
        if set_at.is_some_and(|set_at| head.height < set_at.saturating_add(tempo)) {
            return Ok(());
        }
        let metagraph = self.chain.metagraph().await?;
        let weights = self.weights(&metagraph, head.height).await;
        if weights.is_empty() {
            return Ok(());
        }
        self.weights_tried_at.store(head.height, Ordering::Relaxed);
        let signer = self.peers.correspondent().signer();
        let included = self.chain.set_weights(signer, &weights, metagraph.height).await?;
        self.metrics.weights_set.inc();
        tracing::info!(height = included.height, miners = weights.len(), "weights are set");
        Ok(())
    }

    /// What each uid of the metagraph has earned; nobody with nothing.
    async fn weights(&self, metagraph: &Metagraph, height: u64) -> Vec<(u16, u16)> {
        let registered: Vec<Registration> = metagraph
            .neurons
            .iter()
            .map(|neuron| Registration {
                miner: neuron.hotkey,
                uid: neuron.uid,
                registered_at: neuron.registered_at,
            })
            .collect();
        let mut scoring = self.scoring.lock().await;
        scoring.keep_registered(&registered);
        let weights = scoring.weights(height).into_iter().filter(|weight| weight.weight > 0);
        weights.map(|weight| (weight.uid, weight.weight)).collect()
    }
}

/// Where somebody can be reached.
fn peer_of(metagraph: &Metagraph, account: &Account) -> Option<Peer> {
    let endpoint = metagraph.neuron_of(account)?.endpoint?;
    Some(Peer { account: *account, endpoint })
}
