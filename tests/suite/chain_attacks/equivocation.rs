//! Two signed bodies where there may be one.

use holdfast_engine::receipt::{Body, ChainTip, Evidence, Outcome, Receipt, Subject, find_equivocation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_tests::rounds::Rounds;

use crate::class;

/// A chain, and a second receipt of its third round, by both.
fn scene() -> (Rounds, Vec<Receipt>, Body) {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(5);
    let second = Body { response_digest: [1; 32], outcome: Outcome::Accepted, ..receipts[2].body };
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
    other_partition.key.subject = Subject::Partition(1);
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

/// A validator that wants evidence against a miner asks it to sign a second body for a round, or a second one after another.
/// A miner that signs whatever comes is framed; one that follows its chain is not.
#[test]
fn a_validator_that_asks_for_two_signatures() {
    let (rounds, receipts, second) = scene();
    let network = rounds.network();
    let issue = |body: Body| Receipt::issue(body, &network, &rounds.validator);
    let blindly = [receipts[2], issue(second).countersign(&network, &rounds.miner)];
    let framed = Evidence { network, receipts: blindly }.verify().unwrap();
    assert_eq!(framed.miner, Some(rounds.miner.account()), "the control");

    let mut tip = ChainTip::new(network, receipts[0].body.key);
    for receipt in &receipts[..3] {
        assert_eq!(tip.countersign(&issue(receipt.body), &rounds.miner), Ok(*receipt));
        let again = tip.countersign(&issue(receipt.body), &rounds.miner);
        assert_eq!(again, Ok(*receipt), "the last one may be asked for again: it is the same");
    }
    let third = receipts[3].body;
    let (at, first) = (third.height, receipts[0].body);
    let requests = [
        ("another body for the round before", second),
        ("a round of before", Body { previous: tip.digest(), ..receipts[1].body }),
        ("a second body after one", Body { previous: second.previous, ..third }),
        ("a second first body", Body { height: at, previous: [0; 32], ..first }),
    ];
    for (what, body) in requests {
        let refused = class(tip.countersign(&issue(body), &rounds.miner));
        assert_eq!(refused, Some(Class::BrokenChain), "{what}");
    }
    let mut elsewhere = third;
    elsewhere.key.subject = Subject::Partition(1);
    assert_eq!(class(tip.countersign(&issue(elsewhere), &rounds.miner)), Some(Class::WrongChallenge));
    let stranger = Receipt::issue(third, &network, &Signer::development("stranger"));
    assert_eq!(class(tip.countersign(&stranger, &rounds.miner)), Some(Class::BadSignature));
    assert_eq!(
        tip.countersign(&issue(third), &rounds.miner),
        Ok(receipts[3]),
        "and the next round is signed"
    );
}

/// "Missed" is shown to the miner and taken back later: what it signed after one of the two, it does not sign after the other.
#[test]
fn a_missed_round_taken_back() {
    let (rounds, receipts, _) = scene();
    let network = rounds.network();
    let issue = |body: Body| Receipt::issue(body, &network, &rounds.validator);
    let mut tip = ChainTip::new(network, receipts[0].body.key);
    let missed = receipts[0].body;
    assert_eq!(missed.outcome, Outcome::Missed);
    let accepted = Body { outcome: Outcome::Accepted, response_digest: [1; 32], ..missed };
    let followed = tip.countersign(&issue(missed), &rounds.miner).unwrap();
    assert!(followed.miner_signature.is_none(), "nobody signs that it missed");
    assert_eq!(class(tip.countersign(&issue(accepted), &rounds.miner)), Some(Class::BrokenChain));
}
