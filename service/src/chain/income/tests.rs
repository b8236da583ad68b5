use holdfast_engine::signature::Signer;

use super::*;
use crate::chain::Neuron;

fn account(name: &str) -> Account {
    Signer::development(name).account()
}

fn neuron(uid: u16, name: &str, stake_tokens: u64) -> Neuron {
    Neuron {
        uid,
        hotkey: account(name),
        coldkey: account(name),
        stake_rao: stake_tokens * 1_000_000_000,
        endpoint: None,
        validator_permit: stake_tokens > 0,
        registered_at: 0,
    }
}

/// Two validators with stakes 3 and 1, and two miners.
fn metagraph() -> Metagraph {
    let neurons =
        vec![neuron(0, "large", 3), neuron(1, "small", 1), neuron(2, "one", 0), neuron(3, "two", 0)];
    Metagraph { height: 50, neurons }
}

fn set(weights: &[(u16, u16)]) -> WeightsSet {
    WeightsSet { set_at: 10, weights: weights.to_vec() }
}

fn share(metagraph: &Metagraph, weights: &[(&str, WeightsSet)], miner: &str) -> Option<f64> {
    let weights = weights.iter().map(|(name, set)| (account(name), set.clone())).collect();
    Income::predict(metagraph, &weights, &account(miner)).map(|income| income.share)
}

#[test]
fn it_is_the_mean_by_stake_of_what_validators_give() {
    let weights = [("large", set(&[(2, 65535), (3, 65535)])), ("small", set(&[(2, 30)]))];
    // (3 × 1/2 + 1 × 1) / 4 and (3 × 1/2 + 0) / 4.
    assert_eq!(share(&metagraph(), &weights, "one"), Some(0.625));
    assert_eq!(share(&metagraph(), &weights, "two"), Some(0.375));
    // Who has set nothing has no say.
    assert_eq!(share(&metagraph(), &weights[1..], "one"), Some(1.0));
    assert_eq!(share(&metagraph(), &weights[1..], "two"), Some(0.0));
    let of = Income::predict(
        &metagraph(),
        &weights.map(|(name, set)| (account(name), set)).into(),
        &account("one"),
    );
    let income = of.expect("weights are set");
    assert_eq!(income.height, 50);
    let mut given: Vec<_> = income.validators.iter().map(|given| (given.share, given.set_at)).collect();
    given.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(given, [(0.5, 10), (1.0, 10)]);
}

#[test]
fn weights_of_a_predecessor_and_of_those_without_a_permit_do_not_count() {
    let mut metagraph = metagraph();
    metagraph.neurons[2].registered_at = 11;
    let weights = [("large", set(&[(2, 100), (3, 100)]))];
    assert_eq!(share(&metagraph, &weights, "one"), Some(0.0), "they were set for another");
    assert_eq!(share(&metagraph, &weights, "two"), Some(1.0), "and what is left is all there is");
    metagraph.neurons[0].validator_permit = false;
    assert_eq!(share(&metagraph, &weights, "two"), None);
}

#[test]
fn without_weights_or_registration_nothing_is_predicted() {
    assert_eq!(share(&metagraph(), &[], "one"), None);
    assert_eq!(share(&metagraph(), &[("large", set(&[(2, 0)]))], "one"), None);
    assert_eq!(share(&metagraph(), &[("large", set(&[(2, 1)]))], "stranger"), None);
    let mut poor = metagraph();
    poor.neurons[0].stake_rao = 0;
    assert_eq!(share(&poor, &[("large", set(&[(2, 1)]))], "one"), None, "nobody has stake");
}
