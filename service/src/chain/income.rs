//! What a miner may expect of the network's income, by the weights that validators have set.

use std::collections::BTreeMap;

use holdfast_engine::account::Account;
use serde::Serialize;

use super::{Metagraph, WeightsSet};

/// What a miner may expect.
///
/// It is the mean of what validators give it, each by its stake: `Σ stake · weight / Σ weights ÷ Σ stake`, over the validators that have
/// set weights. A chain takes more into account, such as clipping what a minority gives (Yuma consensus), so this is no promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Income {
    /// The share, from 0 to 1.
    pub share: f64,
    /// The block as of which it was computed.
    pub height: u64,
    /// What each validator gives, by account; those that have set no weights are not among them.
    pub validators: Vec<GivenShare>,
}

/// What one validator gives a miner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GivenShare {
    /// Who.
    pub validator: Account,
    /// The share of its weights, from 0 to 1.
    pub share: f64,
    /// Its stake in rao.
    pub stake_rao: u64,
    /// The block in which it set them.
    pub set_at: u64,
}

impl Income {
    /// Of a miner, by the weights of validators that have a permit. `None` if the miner is not registered, or no such validator has
    /// set any.
    pub fn predict(
        metagraph: &Metagraph,
        weights: &BTreeMap<Account, WeightsSet>,
        miner: &Account,
    ) -> Option<Income> {
        let uid = metagraph.neuron_of(miner)?.uid;
        let mut validators = Vec::new();
        for neuron in metagraph.neurons.iter().filter(|neuron| neuron.validator_permit) {
            let Some(set) = weights.get(&neuron.hotkey) else { continue };
            let Some(share) = share_of(metagraph, set, uid) else { continue };
            let (validator, stake_rao, set_at) = (neuron.hotkey, neuron.stake_rao, set.set_at);
            validators.push(GivenShare { validator, share, stake_rao, set_at });
        }
        validators.sort_by_key(|given| given.validator);
        let stakes: f64 = validators.iter().map(|given| tokens(given.stake_rao)).sum();
        let given: f64 = validators.iter().map(|given| given.share * tokens(given.stake_rao)).sum();
        let share = if stakes > 0.0 { given / stakes } else { return None };
        Some(Income { share, height: metagraph.height, validators })
    }
}

/// The share of a uid in what a validator set. Weights for a neuron that was replaced since are nobody's.
fn share_of(metagraph: &Metagraph, set: &WeightsSet, uid: u16) -> Option<f64> {
    let stands = |uid| metagraph.neuron(uid).is_some_and(|neuron| neuron.registered_at <= set.set_at);
    let standing = || set.weights.iter().filter(|(uid, _)| stands(*uid));
    let all: u64 = standing().map(|(_, weight)| u64::from(*weight)).sum();
    let ours: u64 = standing().filter(|(of, _)| *of == uid).map(|(_, weight)| u64::from(*weight)).sum();
    (all > 0).then(|| exact(ours) / exact(all))
}

fn tokens(stake_rao: u64) -> f64 {
    const RAO: f64 = 1e9;
    exact(stake_rao) / RAO
}

#[expect(clippy::cast_precision_loss, reason = "sums of weights are below 2^32, stakes exact to a millionth")]
fn exact(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
