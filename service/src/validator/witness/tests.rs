use holdfast_engine::space::response::response_digest;
use proptest::prelude::*;

use super::super::fixture::{Miner, World, bytes};
use super::super::plan::plan;
use super::*;

/// A validator's request to witness the honest promises of a round at the newest block.
fn request(world: &World, miner: &Miner) -> WitnessRequest {
    let questions = plan(&world.terms(), &miner.facts()).questions;
    let promise = |question: &super::super::plan::Question| {
        let digest = response_digest(&miner.answer(&question.challenge).unwrap());
        let signed = response_signing_digest(&question.challenge.digest(), &digest);
        Promise {
            miner: miner.account().0.to_vec().into(),
            challenge: question.encode().into(),
            response_digest: digest.to_vec().into(),
            signature: miner.signer.sign(&signed).0.to_vec().into(),
        }
    };
    let promises = questions.iter().map(promise).collect();
    WitnessRequest { height: world.height(), promises, seal: None }
}

fn world() -> (World, Miner) {
    let world = World::new();
    let mut miner = world.miner("miner", 4);
    world.store(&mut miner, bytes(1, 5_000));
    world.settle();
    (world, miner)
}

fn pairs(request: &WitnessRequest) -> Vec<([u8; 32], [u8; 32])> {
    let pair = |promise: &Promise| {
        let challenge = AnyChallenge::decode(&promise.challenge).unwrap();
        let seed = match challenge {
            AnyChallenge::Partition(challenge) => challenge.seed(),
            AnyChallenge::Object(challenge) => challenge.seed(),
            AnyChallenge::Token(_) => panic!("none was sent"),
        };
        (seed, promise.response_digest[..].try_into().unwrap())
    };
    request.promises.iter().map(pair).collect()
}

#[test]
fn a_witness_signs_what_arrived_and_anybody_checks_it() {
    let (world, miner) = world();
    let request = request(&world, &miner);
    let (asker, signer) = (world.validator.account(), Signer::development("witness"));
    let signature = witness(&request, &world.network, &asker, world.height() + 10, &signer).unwrap();
    let check = |height, pairs: Vec<_>, account: &Account| {
        check_statement(&world.network, height, pairs, account, &signature.0).map_err(|refused| refused.class)
    };
    let all = pairs(&request);
    assert!(all.len() >= 2);
    assert_eq!(check(request.height, all.iter().rev().copied().collect(), &signer.account()), Ok(signature));
    assert_eq!(check(request.height, all[1..].to_vec(), &signer.account()), Err(Class::BadSignature));
    assert_eq!(check(request.height + 1, all.clone(), &signer.account()), Err(Class::BadSignature));
    assert_eq!(check(request.height, all, &asker), Err(Class::BadSignature));
}

#[test]
fn a_witness_signs_nothing_else() {
    let (world, miner) = world();
    let honest = request(&world, &miner);
    let (asker, signer, height) = (world.validator.account(), Signer::development("witness"), world.height());
    let class = |request: &WitnessRequest, asker: &Account, newest: u64| {
        witness(request, &world.network, asker, newest, &signer).map_err(|refused| refused.class).err()
    };
    assert_eq!(class(&honest, &asker, height), None);
    assert_eq!(class(&honest, &asker, height + 11), Some(Class::Late));
    assert_eq!(class(&honest, &asker, height - 1), Some(Class::NotFinal));
    assert_eq!(class(&honest, &miner.account(), height), Some(Class::WrongChallenge), "another's rounds");
    let later = WitnessRequest { height: height + 1, ..honest.clone() };
    assert_eq!(class(&later, &asker, height + 1), Some(Class::WrongChallenge));
    let changed = |change: fn(&mut Promise)| {
        let mut request = honest.clone();
        change(&mut request.promises[1]);
        class(&request, &asker, height)
    };
    assert_eq!(changed(|promise| promise.response_digest = vec![1; 32].into()), Some(Class::BadSignature));
    assert_eq!(changed(|promise| promise.miner = vec![1; 32].into()), Some(Class::WrongChallenge));
    assert_eq!(changed(|promise| promise.miner = vec![1; 31].into()), Some(Class::WrongLength));
    assert_eq!(changed(|promise| promise.signature = vec![1; 63].into()), Some(Class::WrongLength));
    assert_eq!(changed(|promise| promise.challenge = vec![].into()), Some(Class::WrongLength));
    let many =
        WitnessRequest { promises: vec![honest.promises[0].clone(); PROMISES_MAX + 1], ..honest.clone() };
    assert_eq!(class(&many, &asker, height), Some(Class::Policy));
}

proptest! {
    #[test]
    fn hostile_requests_are_refused(
        fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 4),
        height in any::<u64>(),
    ) {
        let [miner, challenge, response_digest, signature] = &fields[..] else { panic!("four") };
        let promise = Promise {
            miner: miner.clone().into(),
            challenge: challenge.clone().into(),
            response_digest: response_digest.clone().into(),
            signature: signature.clone().into(),
        };
        let request = WitnessRequest { height, promises: vec![promise], seal: None };
        let signer = Signer::development("witness");
        prop_assert!(witness(&request, &[1; 32], &signer.account(), height, &signer).is_err());
    }
}
