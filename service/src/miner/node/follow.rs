//! Following the chain: who validates, and where we say that we are. Expired objects go as time does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use tokio_util::sync::CancellationToken;

use crate::chain::{Chain, ChainError, Income, Metagraph};
use crate::local::failure::Failure;
use crate::miner::{Miner, MinerError, blocking, inventory};

/// How long to wait after the chain failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How often expired objects are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Weights change seldom, and reading them is a call for each validator.
const INCOME_BLOCKS: u64 = 10;
/// Receipts of older rounds are not signed any more.
const PROMISES_KEPT_BLOCKS: u64 = 10_000;

/// Follows until `stop` is cancelled.
pub(super) async fn follow(
    miner: Arc<Miner>,
    chain: Arc<dyn Chain>,
    announce: Option<SocketAddr>,
    stop: CancellationToken,
) {
    let mut heads = chain.heads();
    let mut income_due_at = 0;
    let mut sweeps = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        if let Err(error) = look(&miner, &*chain, announce).await {
            tracing::warn!(%error, "the chain does not say who validates");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => continue,
            }
        }
        let height = heads.borrow().height;
        if height >= income_due_at {
            income_due_at = height.saturating_add(INCOME_BLOCKS);
            if let Err(error) = predict(&miner, &*chain).await {
                tracing::warn!(%error, "the chain does not say which weights are set");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = heads.changed() => if changed.is_err() { return },
            _ = sweeps.tick() => if let Err(error) = miner.sweep().await {
                tracing::error!(%error, "expired objects were not deleted");
            },
        }
    }
}

async fn look(miner: &Miner, chain: &dyn Chain, announce: Option<SocketAddr>) -> Result<(), ChainError> {
    let metagraph = chain.metagraph().await?;
    miner.validators().replace(stakes(&metagraph, &miner.account()));
    let Some(endpoint) = announce else { return Ok(()) };
    // One that is not registered yet has nowhere to say it.
    if metagraph.neuron_of(&miner.account()).is_some_and(|neuron| neuron.endpoint != Some(endpoint)) {
        chain.announce(miner.correspondent.signer(), endpoint).await?;
    }
    Ok(())
}

/// Predicts the miner's income by what all validators have set.
async fn predict(miner: &Miner, chain: &dyn Chain) -> Result<(), ChainError> {
    let metagraph = chain.metagraph().await?;
    let mut weights = BTreeMap::new();
    for neuron in metagraph.neurons.iter().filter(|neuron| neuron.validator_permit) {
        if let Some(set) = chain.weights(&neuron.hotkey).await? {
            weights.insert(neuron.hotkey, set);
        }
    }
    miner.set_income(Income::predict(&metagraph, &weights, &miner.account()));
    Ok(())
}

/// Those who validate beside ourselves.
pub(super) fn stakes(metagraph: &Metagraph, miner: &Account) -> BTreeMap<Account, u64> {
    let others = metagraph.neurons.iter().filter(|neuron| neuron.validator_permit && neuron.hotkey != *miner);
    others.map(|neuron| (neuron.hotkey, neuron.stake_rao)).collect()
}

impl Miner {
    /// What this miner may expect; nothing is known before the chain was asked, or if no validator has set weights.
    pub(in crate::miner) fn income(&self) -> Option<Income> {
        self.income.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_income(&self, income: Option<Income>) {
        *self.income.lock().unwrap_or_else(PoisonError::into_inner) = income;
    }

    /// Deletes objects whose time is over.
    pub(super) async fn sweep(self: &Arc<Miner>) -> Result<(), MinerError> {
        let now = self.now_seconds();
        for share in self.shares.all() {
            let store = Arc::clone(&share.store);
            let expired = blocking(move || store.shelf.objects.store().expired(now));
            let expired = expired.await?.map_err(|error| share.store.shelf.store_failed(error))?;
            // First, or a crash would leave objects that are missed without reason.
            for name in expired {
                inventory::forget(&*self.index, share.validator(), name).await?;
            }
            let (miner, store) = (Arc::clone(self), Arc::clone(&share.store));
            blocking(move || {
                let shelf = &store.shelf;
                let collected = shelf.objects.collect_garbage(now).map_err(|error| shelf.failed(error))?;
                for name in collected.removed {
                    miner.catalogue.remove(&store.validator, name);
                    miner.forget_secrets(&store, name)?;
                }
                Ok::<_, Failure>(())
            })
            .await??;
        }
        let newest = self.ask_recorder(|recorder| recorder.height()).await?;
        self.chains.forget_before(newest.saturating_sub(PROMISES_KEPT_BLOCKS)).await
    }
}
