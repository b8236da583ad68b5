//! Two signed bodies where there may be one.

use holdfast_engine::receipt::{Body, Evidence, Receipt, find_equivocation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_tests::rounds::Rounds;

use crate::class;

/// A chain, and a second receipt of its third round, by both.
fn scene() -> (Rounds, Vec<Receipt>, Body) {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(5);
    let second = Body {
        response_digest: [1; 32],
        outcome: holdfast_engine::receipt::Outcome::Accepted,
        ..receipts[2].body
    };
    assert_ne!(second, receipts[2].body);
    (rounds, receipts, second)
}

#[test]
fn two_bodies_for_one_round_are_found_and_shown() {
    let (rounds, receipts, second) = scene();
    let network = rounds.network();
    assert_eq!(find_equivocation(&network, &receipts), [], "an honest chain");
    let mut all = receipts.clone();
    all.push(rounds.sign(second));
    all.reverse();
    let found = find_equivocation(&network, &all);
    assert_eq!(found.len(), 1);
    let shown = Evidence::decode(&found[0].encode()).unwrap().verify().unwrap();
    assert_eq!(shown.validator, Some(rounds.validator.account()));
    assert_eq!(shown.miner, Some(rounds.miner.account()));
}

/// Another kind or height, another partition, or the same body signed twice: all of that is honest.
#[test]
fn what_an_honest_party_signs_is_no_evidence() {
    let (rounds, receipts, second) = scene();
    let network = rounds.network();
    let mut same_again = receipts.clone();
    same_again.extend_from_slice(&receipts);
    assert_eq!(find_equivocation(&network, &same_again), []);
    let mut other_partition = second;
    other_partition.key.partition_id = 1;
    let pair = [receipts[2], rounds.sign(other_partition)];
    assert_eq!(find_equivocation(&network, &pair), []);
    let claimed = Evidence { network, receipts: pair };
    assert_eq!(class(claimed.verify()), Some(Class::Malformed));
    assert_eq!(class(Evidence { network, receipts: [receipts[2]; 2] }.verify()), Some(Class::Malformed));
}

/// Nobody is framed: each party must have signed both bodies.
#[test]
fn evidence_with_forged_signatures() {
    let (rounds, receipts, second) = scene();
    let network = rounds.network();
    let stranger = Signer::development("stranger");
    let forged = Receipt::issue(second, &network, &stranger).countersign(&network, &stranger);
    assert_eq!(
        class(Evidence { network, receipts: [receipts[2], forged] }.verify()),
        Some(Class::BadSignature)
    );
    assert_eq!(find_equivocation(&network, &[receipts[2], forged]), []);

    let validator_alone = Receipt::issue(second, &network, &rounds.validator);
    let shown = Evidence { network, receipts: [receipts[2], validator_alone] }.verify().unwrap();
    assert_eq!((shown.validator.is_some(), shown.miner), (true, None));
}

/// Receipts of two networks, each honest in its own, relabelled as one network's.
#[test]
fn receipts_of_two_networks_frame_nobody() {
    let (rounds, receipts, second) = scene();
    let elsewhere = [9; 32];
    let honest_there = Receipt::issue(second, &elsewhere, &rounds.validator);
    for network in [rounds.network(), elsewhere] {
        let claimed = Evidence { network, receipts: [receipts[2], honest_there] };
        assert_eq!(class(claimed.verify()), Some(Class::BadSignature));
    }
}

/// Junk for the same round, put before the real receipts, hides nothing.
#[test]
fn forged_receipts_hide_no_equivocation() {
    let (rounds, receipts, second) = scene();
    let network = rounds.network();
    let stranger = Signer::development("stranger");
    let junk = Receipt::issue(Body { challenge_seed: [5; 32], ..second }, &network, &stranger);
    let unsigned = Receipt { validator_signature: Signature::NONE, ..junk };
    let all = [junk, unsigned, receipts[2], junk, rounds.sign(second)];
    let found = find_equivocation(&network, &all);
    assert_eq!(found.iter().map(|evidence| evidence.receipts).collect::<Vec<_>>(), [[receipts[2], all[4]]]);
}
