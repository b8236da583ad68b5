//! What goes on beside rounds: commitments are fetched, receipts are shown to miners, witnesses are asked, weights are set.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use holdfast_engine::account::Account;
use tokio::task::JoinSet;

use super::{Node, lock};
use crate::chain::{Head, Metagraph};
use crate::export::EventKind;
use crate::proto;
use crate::scoring::Registration;
use crate::validator::ValidatorError;
use crate::validator::collect::Promise;
use crate::validator::commitments::Recorded;
use crate::validator::events::Event;
use crate::validator::peers::Peer;
use crate::validator::plan::Question;
use crate::validator::receipts::Countersigned;
use crate::validator::store::{Part, WitnessRow};
use crate::validator::witness::check_statement;

/// Miners whose commitments are fetched at the same time.
const FETCHED_AT_ONCE: usize = 16;
/// How long a process that begins waits for commitments before it asks anybody.
const FIRST_FETCH_TIMEOUT: Duration = Duration::from_secs(60);

impl Node {
    /// Fetches and sets what is due; one at a time.
    pub(super) async fn tend(self: &Arc<Node>, head: Head) {
        let Ok(_tending) = self.tending.try_lock() else { return };
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

    /// Fetches the commitments that are lacking, in a task of its own: miners that stall keep nothing else waiting.
    pub(super) async fn fetch(self: &Arc<Node>) {
        let Ok(_fetching) = self.fetching.try_lock() else { return };
        if let Err(error) = self.fetch_commitments().await {
            tracing::error!(%error, "commitments were not fetched; it is tried again");
        }
    }

    /// Asks for everything that was registered when this process began, for a minute at most; the rest is fetched later.
    pub(super) async fn fetch_first(self: &Arc<Node>) -> Result<(), ValidatorError> {
        let _fetching = self.fetching.lock().await;
        match tokio::time::timeout(FIRST_FETCH_TIMEOUT, self.fetch_commitments()).await {
            Ok(fetched) => fetched,
            Err(_) => {
                tracing::warn!("some miners take long to show their commitments; rounds begin without them");
                Ok(())
            }
        }
    }

    /// Each miner is asked for one after another, those with the fewest bytes first. One that fails is left for the next time, so
    /// whoever stalls or refuses takes one place for one request, however many partitions it has.
    async fn fetch_commitments(self: &Arc<Node>) -> Result<(), ValidatorError> {
        let recorded = self.recorded().await?;
        // What was withdrawn may come back with a reorganisation.
        let since = self.chain.head().await?.height.saturating_sub(self.settings.policy.finality_blocks);
        let withdrawn = self.withdrawn(since).await?.into_iter().map(|withdrawn| withdrawn.partition_id);
        let standing = recorded.iter().map(Recorded::partition_id).chain(withdrawn).collect();
        self.commitments.forget_others(&standing).await?;
        let mut lacking = within_bytes(recorded, self.settings.commitment_bytes_max);
        lacking.values_mut().for_each(|of| of.retain(|recorded| self.commitments.lacks(recorded)));
        lacking.retain(|_, of| !of.is_empty());
        if lacking.is_empty() {
            return Ok(());
        }
        let metagraph = self.chain.metagraph().await?;
        let mut lacking: Vec<_> = lacking.into_iter().collect();
        lacking.sort_by_cached_key(|(_, of)| of.iter().filter_map(Recorded::commitment_bytes).sum::<usize>());
        let mut fetching = JoinSet::new();
        for (miner, of_miner) in lacking {
            let Some(peer) = peer_of(&metagraph, &miner) else { continue };
            if fetching.len() >= FETCHED_AT_ONCE {
                fetching.join_next().await;
            }
            let node = Arc::clone(self);
            fetching.spawn(async move {
                for recorded in of_miner {
                    let partition_id = recorded.partition_id();
                    if let Err(why) = node.fetch_commitment(peer, &recorded).await {
                        tracing::warn!(miner = %peer.account, partition_id, why, "no commitment");
                        break;
                    }
                }
            });
        }
        while fetching.join_next().await.is_some() {}
        Ok(())
    }

    async fn fetch_commitment(&self, peer: Peer, recorded: &Recorded) -> Result<(), String> {
        let length = recorded.commitment_bytes().ok_or("more bytes than memory has")?;
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
        let message = format!("for {} miners", weights.len());
        let event = Event::new(EventKind::WeightsSet, head.height, message).with("miners", weights.len());
        self.events.note([event.with("set_at", included.height)]).await;
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

/// The partitions of each miner whose commitments have so many bytes together at most, the oldest first. A miner that registers
/// more is asked for none of the rest: what it shows is kept in memory.
pub(super) fn within_bytes(mut recorded: Vec<Recorded>, most: usize) -> BTreeMap<Account, Vec<Recorded>> {
    let mut of_miners: BTreeMap<Account, (usize, Vec<Recorded>)> = BTreeMap::new();
    recorded.sort_by_key(Recorded::partition_id);
    for recorded in recorded {
        let (bytes, of_miner) = of_miners.entry(recorded.miner()).or_default();
        let sum = recorded.commitment_bytes().map_or(usize::MAX, |length| bytes.saturating_add(length));
        if sum > most {
            let (miner, partition_id) = (recorded.miner(), recorded.partition_id());
            tracing::warn!(%miner, partition_id, "its commitments have more than {most} bytes, the limit here");
            continue;
        }
        *bytes = sum;
        of_miner.push(recorded);
    }
    of_miners.into_iter().map(|(miner, (_, of_miner))| (miner, of_miner)).collect()
}

/// Where somebody can be reached.
fn peer_of(metagraph: &Metagraph, account: &Account) -> Option<Peer> {
    let endpoint = metagraph.neuron_of(account)?.endpoint?;
    Some(Peer { account: *account, endpoint })
}
