//! Choosing after the beacon what should have been fixed before it.

use std::collections::HashSet;
use std::num::NonZeroU64;

use holdfast_engine::account::Account;
use holdfast_engine::beacon::{audit_limit, is_audit_height};
use holdfast_engine::challenge::{Challenge, Kind, Terms};
use holdfast_engine::receipt::{Body, Receipt, VoidReason, verify_chain};
use holdfast_engine::recorder::{BatchClaim, Recorder, Refusal, Simulation};
use holdfast_engine::registration::Intent;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_tests::rounds::{PARTITION_ROOT, Rounds, WINDOWS, register, response_digest};

use crate::{asking, file, refusal, void, voided};

/// A miner that has seen a registration beacon tries other identities and ordinals under it. Each is another intent, which
/// gets another id and a beacon that did not exist when it was recorded.
#[test]
fn identity_ordinal_and_partition_id_chosen_after_the_beacon() {
    let rounds = Rounds::new();
    let seen = rounds.registration;
    let mut beacons = HashSet::from([seen.beacon]);
    for attempt in 1..20 {
        let miner = Signer::development(&format!("miner {attempt}"));
        let intent = Intent { miner: miner.account(), ordinal: attempt, ..seen.intent };
        let newest = rounds.recorder.height().unwrap();
        let registration = register(&rounds.recorder, &intent, &miner, 8);
        assert_eq!((registration.partition_id, registration.intent_height), (attempt, newest));
        assert!(beacons.insert(registration.beacon), "a beacon comes back");

        let wished = holdfast_engine::registration::Registration { beacon: seen.beacon, ..registration };
        let claim = BatchClaim {
            partition_id: attempt,
            registration_digest: wished.digest(),
            end: 1,
            partition_root: [1; 32],
            signature: miner.sign(&wished.commitment_signing_digest(1, &[1; 32])),
        };
        let refused = refusal(rounds.recorder.record_batch(&claim));
        assert_eq!(refused, Some(Refusal::WrongRegistration { partition_id: attempt }));
    }
}

#[test]
fn a_registration_reused_for_another_partition() {
    let rounds = Rounds::new();
    let other = Intent { ordinal: 1, ..rounds.registration.intent };
    let other = register(&rounds.recorder, &other, &rounds.miner, 8);
    let digest = rounds.registration.commitment_signing_digest(WINDOWS, &PARTITION_ROOT);
    let reused = BatchClaim {
        partition_id: other.partition_id,
        registration_digest: rounds.registration.digest(),
        end: WINDOWS,
        partition_root: PARTITION_ROOT,
        signature: rounds.miner.sign(&digest),
    };
    let refused = Refusal::WrongRegistration { partition_id: other.partition_id };
    assert_eq!(refusal(rounds.recorder.record_batch(&reused)), Some(refused));
}

#[test]
fn an_intent_repeated_for_a_better_beacon() {
    let rounds = Rounds::new();
    let intent = rounds.registration.intent;
    let repeat = || {
        let signature = rounds.miner.sign(&intent.signing_digest());
        refusal(rounds.recorder.record_intent(&intent, &signature))
    };
    assert_eq!(repeat(), Some(Refusal::RepeatedIntent { partition_id: 0 }));
    let entry = rounds.recorder.partition(0).unwrap().unwrap();
    rounds.recorder.withdraw(0, &rounds.miner.sign(&entry.withdrawal_signing_digest())).unwrap();
    assert_eq!(repeat(), Some(Refusal::RepeatedIntent { partition_id: 0 }), "withdrawn, and still recorded");
}

#[test]
fn an_id_is_never_reused_after_withdrawal() {
    let rounds = Rounds::new();
    let entry = rounds.recorder.partition(0).unwrap().unwrap();
    let signature = rounds.miner.sign(&entry.withdrawal_signing_digest());
    let height = rounds.recorder.withdraw(0, &signature).unwrap();
    let again = Refusal::Withdrawn { partition_id: 0, height };
    assert_eq!(refusal(rounds.recorder.withdraw(0, &signature)), Some(again.clone()));
    rounds.recorder.advance(1).unwrap();
    let claim = BatchClaim {
        partition_id: 0,
        registration_digest: rounds.registration.digest(),
        end: 3,
        partition_root: [1; 32],
        signature: Signature::NONE,
    };
    assert_eq!(refusal(rounds.recorder.record_batch(&claim)), Some(again));
    let next = Intent { ordinal: 1, ..rounds.registration.intent };
    assert_eq!(register(&rounds.recorder, &next, &rounds.miner, 8).partition_id, 1);
}

/// A partition withdrawn before an audit answers nothing from then on: rounds after it are void.
#[test]
fn a_receipt_after_withdrawal() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(3);
    let entry = rounds.recorder.partition(0).unwrap().unwrap();
    let height = rounds.recorder.withdraw(0, &rounds.miner.sign(&entry.withdrawal_signing_digest())).unwrap();
    assert_eq!(void(&rounds, &receipts), [], "what was before stands");
    let last = receipts[2].body.digest(&rounds.network());
    let after = Body::of(&rounds.challenge(height + 1), Some(([1; 32], true)), last);
    rounds.finalise(height + 1);
    let receipts = [&receipts[..], &[rounds.sign(after)]].concat();
    assert_eq!(void(&rounds, &receipts), [voided(3, VoidReason::WrongSeed)]);
}

/// A batch made when the beacon was known, challenged at once: until F blocks stand on it, the batch before counts.
#[test]
fn a_record_chosen_after_the_beacon() {
    let rounds = Rounds::new();
    let height = rounds.first_height + 3;
    let beacon = rounds.terms(height).beacon;
    let committed = rounds.commit(4, [9; 32]);
    assert_eq!(committed, height);
    let seeded = |height: u64, window_count: u64, partition_root: [u8; 32]| {
        let terms = Terms { window_count, partition_root, ..rounds.terms(height) };
        let body = Body::of(&Challenge::new(terms).unwrap(), Some(([1; 32], true)), [0; 32]);
        rounds.finalise(height);
        void(&rounds, &[rounds.sign(body)])
    };
    let wrong = [voided(0, VoidReason::WrongSeed)];
    assert_eq!(rounds.terms(height).beacon, beacon);
    assert_eq!(seeded(height, 4, [9; 32]), wrong, "the beacon was known");
    assert_eq!(seeded(height + 7, 4, [9; 32]), wrong, "one block too early");
    assert_eq!(seeded(height + 7, WINDOWS, PARTITION_ROOT), [], "the batch before still counts");
    assert_eq!(seeded(height + 8, 4, [9; 32]), [], "the negative control: old enough");
    assert_eq!(seeded(height + 8, WINDOWS, PARTITION_ROOT), wrong, "and no longer the old one");
}

/// Two parties that collude vary everything that they can; the seed of the next round does not move.
#[test]
fn nothing_that_a_party_varies_enters_the_seed() {
    let rounds = Rounds::new();
    let height = rounds.first_height + 10;
    let terms = rounds.terms(height);
    let seed = rounds.challenge(height).seed();
    for (samples, deadline_ms) in [(1, 5_000), (6, 1), (3, u32::MAX)] {
        let challenge = Challenge::new(Terms { samples, deadline_ms, ..terms.clone() }).unwrap();
        assert_eq!(challenge.seed(), seed, "q and deadline");
        assert_ne!(challenge.digest(), rounds.challenge(height).digest(), "but the response names them");
    }
    // Other receipts, outcomes and signatures of earlier rounds; other intents and anchors in earlier blocks.
    let (one, two) = (Rounds::new(), Rounds::new());
    let ours = one.receipts(10);
    let theirs = Body::of(&two.challenge(two.first_height), Some(([1; 32], true)), [0; 32]);
    assert_ne!(ours[0].body.digest(&one.network()), theirs.digest(&two.network()));
    let extra = Intent { ordinal: 77, ..two.registration.intent };
    register(&two.recorder, &extra, &two.miner, 8);
    assert_eq!(one.challenge(height + 30).seed(), two.challenge(height + 30).seed());
}

/// And everything else does enter it, so that no two rounds, places or parties share their samples.
#[test]
fn everything_that_is_fixed_enters_the_seed() {
    let rounds = Rounds::new();
    let terms = rounds.terms(rounds.first_height);
    let shape = holdfast_engine::registration::WindowShape::new(11, 4).unwrap();
    let changes: [fn(&mut Terms); 10] = [
        |terms| terms.kind = Kind::Seal,
        |terms| terms.height += 1,
        |terms| terms.partition_id += 1,
        |terms| terms.window_count += 1,
        |terms| terms.beacon[31] ^= 1,
        |terms| terms.network[31] ^= 1,
        |terms| terms.validator = Account([1; 32]),
        |terms| terms.miner = Account([1; 32]),
        |terms| terms.registration_digest[31] ^= 1,
        |terms| terms.partition_root[31] ^= 1,
    ];
    let mut seeds = HashSet::from([rounds.challenge(rounds.first_height).seed()]);
    for (number, change) in changes.iter().enumerate() {
        let mut changed = terms.clone();
        change(&mut changed);
        assert!(seeds.insert(Challenge::new(changed).unwrap().seed()), "change {number}");
    }
    assert!(seeds.insert(Challenge::new(Terms { shape, ..terms }).unwrap().seed()), "k");
}

/// A pair that makes up seeds (and so its samples) until one suits it: third parties rebuild the seed.
#[test]
fn a_seed_made_up_by_both_parties() {
    let rounds = Rounds::new();
    let height = rounds.first_height;
    let honest = Body::of(&rounds.challenge(height), Some((response_digest(height), true)), [0; 32]);
    rounds.finalise(height);
    assert_eq!(void(&rounds, &[rounds.sign(honest)]), []);
    let made_up = Body { challenge_seed: [5; 32], ..honest };
    assert_eq!(void(&rounds, &[rounds.sign(made_up)]), [voided(0, VoidReason::WrongSeed)]);
    let other_range = Terms { kind: Kind::Seal, first_window: 1, window_count: 3, ..rounds.terms(height) };
    let other_range = Body::of(&Challenge::new(other_range).unwrap(), Some(([1; 32], true)), [0; 32]);
    assert_eq!(void(&rounds, &[rounds.sign(other_range)]), [voided(0, VoidReason::WrongSeed)]);
    let seal = Terms { kind: Kind::Seal, ..rounds.terms(height) };
    let seal = Body::of(&Challenge::new(seal).unwrap(), Some(([1; 32], true)), [0; 32]);
    assert_eq!(void(&rounds, &[rounds.sign(seal)]), [], "the range of the batch is the right one");
}

/// A pair that holds rounds at heights of its own choice, until one suits it: where audit heights are known, these are void.
#[test]
fn rounds_at_heights_of_the_parties_choice() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(40);
    let network = rounds.network();
    let one_in_four = audit_limit(NonZeroU64::new(4).unwrap());
    let through = receipts[39].body.height;
    let verifier = asking(&rounds).with_audits(one_in_four, through);
    let report = verify_chain(&file(&network, &receipts)[..], verifier, |_, _| ()).unwrap();
    let chosen = |receipt: &Receipt| {
        let beacon = rounds.recorder.beacon(receipt.body.height).unwrap().unwrap();
        !is_audit_height(&beacon, one_in_four)
    };
    let expected: Vec<_> = (0..)
        .zip(&receipts)
        .filter(|(_, r)| chosen(r))
        .map(|(i, _)| voided(i, VoidReason::NoAudit))
        .collect();
    assert!((20..40).contains(&expected.len()), "{} of 40 are no audit heights", expected.len());
    assert_eq!(report.void, expected);
    assert_eq!(report.chains[0].missing_rounds, []);
}
