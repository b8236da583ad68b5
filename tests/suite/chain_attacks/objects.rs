//! Receipts of rounds of objects: exchanged, moved, made before or without a record, or at a height of the parties' choice.

use std::num::NonZeroU64;

use holdfast_engine::beacon::{audit_limit, is_audit_height};
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::{
    AnchoredPairs, Body, ChainReport, ChainTip, ChainVerifier, Evidence, MissingRound, Outcome, Receipt,
    RoundKind, Subject, VoidReason, find_equivocation, verify_chain,
};
use holdfast_engine::recorder::{Recorder, Simulation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use holdfast_tests::object_rounds::checker;
use holdfast_tests::rounds::{Rounds, response_digest};

use crate::{asking, class, file, position, voided};

const THREE: NonZeroU64 = NonZeroU64::new(3).unwrap();
const FOUR: NonZeroU64 = NonZeroU64::new(4).unwrap();

/// A verifier that asks the recorder and knows these records.
fn knowing<'r>(rounds: &'r Rounds, objects: &[SignedRecord]) -> ChainVerifier<'r> {
    asking(rounds).with_objects(objects).expect("honest records")
}

fn report(rounds: &Rounds, verifier: ChainVerifier<'_>, receipts: &[Receipt]) -> ChainReport {
    verify_chain(&file(&rounds.network(), receipts)[..], verifier, |_, _| ()).expect("linked and signed")
}

/// Why the only receipt is void to who knows these records.
fn reason(rounds: &Rounds, objects: &[SignedRecord], body: Body) -> Option<VoidReason> {
    rounds.finalise(body.height);
    let report = report(rounds, knowing(rounds, objects), &[rounds.sign(body)]);
    report.void.first().map(|void| void.reason)
}

/// A round of every kind at every height from the first on.
fn all_rounds(rounds: &Rounds, object: &SignedRecord, heights: u64) -> Vec<(AuditKind, u64)> {
    let first = rounds.first_object_height(object);
    (first..first + heights).flat_map(|height| AuditKind::ALL.map(|kind| (kind, height))).collect()
}

#[test]
fn an_honest_chain_of_an_object_is_taken() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let first = rounds.first_object_height(&object);
    let mut receipts = rounds.object_receipts(&object, &all_rounds(&rounds, &object, 3));
    let last = receipts[11].body.digest(&rounds.network());
    let missed = rounds.object_challenge(&object, AuditKind::Chunks, first + 3);
    receipts.push(rounds.sign(Body::of(&missed, None, last)));
    rounds.finalise(first + 3);
    let report = report(&rounds, knowing(&rounds, &[object]), &receipts);
    let chain = &report.chains[0];
    assert_eq!((chain.accepted, chain.accepted_finalised, chain.missed, report.void.len()), (12, 12, 1, 0));
    let json = serde_json::to_value(chain).unwrap();
    assert_eq!(json["object_number"], chain.subject.number().to_string());
    assert!(json.get("partition_id").is_none());
}

#[test]
fn a_receipt_of_one_object_under_anothers_subject() {
    let rounds = Rounds::new();
    let objects = [rounds.object(1), rounds.object(2)];
    let height = rounds.first_object_height(&objects[1]);
    let [one, two] =
        objects.each_ref().map(|object| rounds.object_body(object, AuditKind::Chunks, height, [0; 32]));
    assert_ne!(one.key, two.key);
    assert_eq!(reason(&rounds, &objects, two), None, "the negative control");
    let under_two = Body { key: two.key, ..one };
    assert_eq!(reason(&rounds, &objects, under_two), Some(VoidReason::WrongSeed));
}

/// One answer, claimed for each of the other three kinds.
#[test]
fn a_receipt_of_another_kind_with_the_same_height() {
    let rounds = Rounds::new();
    let object = [rounds.object(1)];
    let height = rounds.first_object_height(&object[0]);
    for kind in AuditKind::ALL {
        let honest = rounds.object_body(&object[0], kind, height, [0; 32]);
        for claimed in AuditKind::ALL {
            let body = Body { kind: RoundKind::Object(claimed), ..honest };
            let expected = (claimed != kind).then_some(VoidReason::WrongSeed);
            assert_eq!(reason(&rounds, &object, body), expected, "{kind:?} as {claimed:?}");
        }
    }
}

/// The record is another miner's, or the receipt names another miner than the record.
#[test]
fn a_round_of_an_object_of_another_miner() {
    let rounds = Rounds::new();
    let (object, other) = (rounds.object(1), Signer::development("another miner"));
    let height = rounds.first_object_height(&object);
    let mut body = rounds.object_body(&object, AuditKind::Whole, height, [0; 32]);
    assert_eq!(reason(&rounds, std::slice::from_ref(&object), body), None, "the negative control");
    body.key.miner = other.account();
    rounds.finalise(height);
    let receipt = Receipt::issue(body, &rounds.network(), &rounds.validator);
    let report = report(&rounds, knowing(&rounds, &[object]), &[receipt]);
    assert_eq!(report.void, [voided(0, VoidReason::WrongSeed)]);
}

/// By its record the object has neither table nor tokens: nobody can have answered.
#[test]
fn a_round_that_the_object_cannot_answer() {
    let rounds = Rounds::new();
    let (mut bare, full) = (rounds.object_record(1), rounds.object(2));
    (bare.table_root, bare.tokens) = (None, None);
    rounds.recorder.record_object(&bare.digest()).unwrap();
    let bare = bare.sign(&checker());
    let height = rounds.first_object_height(&full);
    for kind in AuditKind::ALL {
        // The challenge that there would be, had the record what it lacks: the seed does not cover that.
        let mut terms = (*rounds.object_challenge(&full, kind, height)).clone();
        (terms.replica, terms.record_digest) = (bare.record.replica, bare.record.digest());
        let challenge = holdfast_engine::possession::challenge::ObjectChallenge::new(terms).unwrap();
        let body = Body::of(&challenge, Some(([1; 32], true)), [0; 32]);
        let expected = (kind != AuditKind::Chunks).then_some(VoidReason::WrongSeed);
        assert_eq!(reason(&rounds, std::slice::from_ref(&bare), body), expected, "{kind:?}");
    }
}

#[test]
fn missed_against_an_anchored_digest_of_an_object() {
    let rounds = Rounds::new();
    let object = [rounds.object(1)];
    let height = rounds.first_object_height(&object[0]);
    let challenge = rounds.object_challenge(&object[0], AuditKind::Possession, height);
    let (seed, network) = (challenge.seed(), rounds.network());
    let space = (rounds.challenge(height).seed(), response_digest(1));
    let pairs = AnchoredPairs::new([space, (seed, response_digest(height))]).unwrap();
    rounds.recorder.record_anchor(&pairs.claim(height, &network, &rounds.validator)).unwrap();
    rounds.finalise(height);
    let proof = pairs.prove(height, rounds.validator.account(), &seed).unwrap();
    let judged = |answer: Option<([u8; 32], bool)>| {
        let mut verifier = knowing(&rounds, &object);
        assert!(verifier.add_anchored(&proof).unwrap());
        let report = report(&rounds, verifier, &[rounds.sign(Body::of(&challenge, answer, [0; 32]))]);
        (report.void, report.chains[0].accepted_timely_anchored)
    };
    assert_eq!(judged(Some((response_digest(height), true))), (vec![], 1), "the negative control");
    assert_eq!(judged(None), (vec![voided(0, VoidReason::AnsweredInTime)], 0));
    assert_eq!(judged(Some(([1; 32], true))), (vec![voided(0, VoidReason::AnotherDigest)], 0));
    let unanchored = rounds.object_challenge(&object[0], AuditKind::Chunks, height);
    assert_eq!(reason(&rounds, &object, Body::of(&unanchored, None, [0; 32])), None, "another kind's pair");
}

/// The lottery of possession-v1 §1, in plain BLAKE3.
fn is_drawn(kind: u8, beacon: &[u8; 32], record_digest: &[u8; 32], one_in: NonZeroU64) -> bool {
    let message = [&[kind][..], beacon, record_digest].concat();
    let derived = blake3::derive_key("holdfast v1 object audit", &message);
    let drawn = u64::from_le_bytes(derived[..8].try_into().unwrap());
    u128::from(drawn) * u128::from(one_in.get()) < 1 << 64
}

/// A pair that holds rounds when it likes: void for `possession` and `chunks`, where N is known. The other kinds are held when
/// somebody wants to know.
#[test]
fn an_object_round_at_a_height_not_drawn() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let receipts = rounds.object_receipts(&object, &all_rounds(&rounds, &object, 40));
    let unknown = report(&rounds, knowing(&rounds, std::slice::from_ref(&object)), &receipts);
    assert_eq!(unknown.void, [], "whoever does not know N takes them");
    let known = knowing(&rounds, std::slice::from_ref(&object)).with_object_lottery(THREE);
    let not_drawn = (0..).zip(&receipts).filter(|(_, receipt)| {
        let (kind, height) = (receipt.body.kind.number(), receipt.body.height);
        let beacon = rounds.recorder.beacon(height).unwrap().unwrap();
        kind <= 4 && !is_drawn(kind, &beacon, &object.record.digest(), THREE)
    });
    let expected: Vec<_> = not_drawn.map(|(i, _)| voided(i, VoidReason::NotDrawn)).collect();
    assert!((30..75).contains(&expected.len()), "{} of 80 are not drawn", expected.len());
    assert_eq!(report(&rounds, known, &receipts).void, expected);
}

/// Audit heights are those of the network: drawn or not, an object is asked at no other one.
#[test]
fn an_object_round_at_a_height_that_is_no_audit_height() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let receipts = rounds.object_receipts(&object, &all_rounds(&rounds, &object, 20));
    let verifier = knowing(&rounds, &[object]).with_audits(audit_limit(FOUR), 0);
    let chosen = (0..).zip(&receipts).filter(|(_, receipt)| {
        let beacon = rounds.recorder.beacon(receipt.body.height).unwrap().unwrap();
        receipt.body.kind.number() <= 4 && !is_audit_height(&beacon, audit_limit(FOUR))
    });
    let expected: Vec<_> = chosen.map(|(i, _)| voided(i, VoidReason::NoAudit)).collect();
    assert!((20..40).contains(&expected.len()), "{} of 40", expected.len());
    assert_eq!(report(&rounds, verifier, &receipts).void, expected);
}

/// Audits that were drawn and of which no receipt is shown, and one whose receipt counts for nothing.
#[test]
fn receipts_of_an_object_left_out() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let first = rounds.first_object_height(&object);
    let limit = audit_limit(NonZeroU64::new(2).unwrap());
    rounds.recorder.advance(100).unwrap();
    let beacon = |height| rounds.recorder.beacon(height).unwrap().unwrap();
    let drawn: Vec<(AuditKind, u64)> = (first..first + 60)
        .filter(|height| is_audit_height(&beacon(*height), limit))
        .flat_map(|height| [AuditKind::Possession, AuditKind::Chunks].map(|kind| (kind, height)))
        .filter(|(kind, height)| is_drawn(*kind as u8, &beacon(*height), &object.record.digest(), THREE))
        .collect();
    assert!((8..40).contains(&drawn.len()), "{} of 120 are drawn", drawn.len());
    let receipts = rounds.object_receipts(&object, &drawn);
    let missing = |receipts: &[Receipt], objects: &[SignedRecord]| {
        let verifier = knowing(&rounds, objects).with_audits(limit, first + 59).with_object_lottery(THREE);
        let verifier = verifier.expect_chain(rounds.object_body(&object, drawn[0].0, first, [0; 32]).key);
        report(&rounds, verifier, receipts).chains[0].missing_rounds.clone()
    };
    let named: Vec<MissingRound> =
        drawn.iter().map(|&(kind, height)| MissingRound { kind: RoundKind::Object(kind), height }).collect();
    let objects = std::slice::from_ref(&object);
    assert_eq!(missing(&receipts, objects), []);
    assert_eq!(missing(&receipts[..5], objects), named[5..]);
    assert_eq!(missing(&[], objects), named, "all of them");
    let made_up = rounds.sign(Body { challenge_seed: [5; 32], ..receipts[0].body });
    assert_eq!(missing(&[made_up], objects), named, "a void receipt is none");
    assert_eq!(missing(&[], &[]), [], "without the record nobody can tell");
}

/// A record made when the beacon was known, by any of the ways to pretend that it is older.
#[test]
fn a_record_after_the_beacon() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let (recorded, first) = (object.record.height, rounds.first_object_height(&object));
    let judged = |object: &SignedRecord, height: u64| {
        let body = rounds.object_body(object, AuditKind::Chunks, height, [0; 32]);
        reason(&rounds, std::slice::from_ref(object), body)
    };
    assert_eq!(judged(&object, first), None, "the negative control: old enough");
    assert_eq!(judged(&object, first - 1), Some(VoidReason::TooEarly), "one block too early");
    assert_eq!(judged(&object, recorded), Some(VoidReason::TooEarly), "the beacon was known");

    let backdated =
        holdfast_engine::possession::record::ObjectRecord { height: recorded, ..rounds.object_record(2) };
    let backdated = backdated.sign(&checker());
    assert_eq!(judged(&backdated, first), Some(VoidReason::NotRecorded), "nobody recorded it");
    assert!(rounds.recorder.record_object(&backdated.record.digest()).unwrap() > recorded);
    assert_eq!(judged(&backdated, first + 100), Some(VoidReason::NotRecorded), "too late, for ever");

    let body = rounds.object_body(&object, AuditKind::Chunks, first, [0; 32]);
    assert_eq!(reason(&rounds, &[], body), Some(VoidReason::UnknownRecord));
    assert_eq!(
        reason(&rounds, &[rounds.object(3)], body),
        Some(VoidReason::UnknownRecord),
        "another object's"
    );
}

/// Both parties sign bytes that no decoder takes, or make a partition's receipt of an object's.
#[test]
fn an_object_number_without_the_top_bit() {
    let rounds = Rounds::new();
    let object = [rounds.object(1)];
    let height = rounds.first_object_height(&object[0]);
    let honest = rounds.object_body(&object[0], AuditKind::Chunks, height, [0; 32]);
    let forged = Subject::of_number(honest.key.subject.number() & !(1 << 63));
    assert!(matches!(forged, Subject::Partition(_)));
    let mut body = honest;
    body.key.subject = forged;
    let receipt = rounds.sign(body);
    let refused = verify_chain(
        &file(&rounds.network(), &[receipt])[..],
        ChainVerifier::new(rounds.network()),
        |_, _| (),
    );
    assert_eq!(refused.map_err(position).unwrap_err(), (0, Class::Malformed));

    let space = rounds.sign(Body::of(&rounds.challenge(height), Some(([1; 32], true)), [0; 32])).body;
    let as_space = Body { kind: space.kind, ..body };
    assert_eq!(reason(&rounds, &object, as_space), Some(VoidReason::WrongSeed), "no such partition");
    let mut space_as_object = space;
    space_as_object.key.subject = honest.key.subject;
    assert_eq!(class(Body::decode(&space_as_object.encode())), Some(Class::Malformed));
}

/// Rounds of two kinds at one height are honest, two bodies after one are not, whatever their kinds.
#[test]
fn equivocation_across_kinds() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let (height, network) = (rounds.first_object_height(&object), rounds.network());
    let honest: Vec<(AuditKind, u64)> = AuditKind::ALL.map(|kind| (kind, height)).to_vec();
    let mut all = rounds.object_receipts(&object, &honest);
    all.push(rounds.sign(Body::of(&rounds.challenge(height), Some(([1; 32], true)), [0; 32])));
    assert_eq!(
        find_equivocation(&network, &all),
        [],
        "four kinds of an object, and a partition's first link"
    );
    let other = rounds.object(2);
    all.push(rounds.sign(rounds.object_body(&other, AuditKind::Possession, height + 8, [0; 32])));
    assert_eq!(find_equivocation(&network, &all), [], "another object's first link");

    let second_first = rounds.sign(rounds.object_body(&object, AuditKind::Whole, height + 1, [0; 32]));
    let found = find_equivocation(&network, &[&all[..], &[second_first]].concat());
    let evidence = Evidence { network, receipts: [all[0], second_first] };
    assert_eq!(found, std::slice::from_ref(&evidence));
    let shown = Evidence::decode(&evidence.encode()).unwrap().verify().unwrap();
    assert_eq!(
        (shown.validator, shown.miner),
        (Some(rounds.validator.account()), Some(rounds.miner.account()))
    );

    let mut tip = ChainTip::new(network, all[0].body.key);
    for receipt in &all[..4] {
        tip.follow(&receipt.body).unwrap();
    }
    assert_eq!(class(tip.countersign(&second_first, &rounds.miner)), Some(Class::BrokenChain));
    let again = Body { previous: tip.digest(), outcome: Outcome::Rejected, ..all[1].body };
    assert_eq!(class(tip.follow(&again)), Some(Class::BrokenChain), "a kind once a height");
}

/// Two objects of one number would share a chain, which takes no link of the second beside the first's.
#[test]
fn two_objects_under_one_number() {
    let rounds = Rounds::new();
    let objects = [rounds.object(1), rounds.object(2)];
    let height = rounds.first_object_height(&objects[1]);
    let [one, mut two] =
        objects.each_ref().map(|object| rounds.object_body(object, AuditKind::Chunks, height, [0; 32]));
    two.key = one.key; // as if the numbers had met
    let mut tip = ChainTip::new(rounds.network(), one.key);
    tip.follow(&one).unwrap();
    assert_eq!(class(tip.follow(&two)), Some(Class::BrokenChain), "a second first link");
    two.previous = tip.digest();
    assert_eq!(class(tip.follow(&two)), Some(Class::BrokenChain), "a second round of the kind at the height");
}

#[test]
fn space_and_object_rounds_of_one_pair_in_one_file() {
    let rounds = Rounds::new();
    let objects = [rounds.object(1), rounds.object(2)];
    let space = rounds.receipts(8);
    let [one, two] =
        objects.each_ref().map(|object| rounds.object_receipts(object, &all_rounds(&rounds, object, 2)));
    let interleaved: Vec<Receipt> = (0..8).flat_map(|i| [space[i], one[i], two[i]]).collect();
    let report = report(&rounds, knowing(&rounds, &objects), &interleaved);
    assert_eq!(report.void, []);
    let chains: Vec<(Subject, u64)> =
        report.chains.iter().map(|chain| (chain.subject, chain.receipts)).collect();
    let mut numbers = [one[0].body.key.subject, two[0].body.key.subject];
    numbers.sort_unstable();
    assert_eq!(chains, [(Subject::Partition(0), 8), (numbers[0], 8), (numbers[1], 8)]);
    let mut swapped = interleaved;
    swapped.swap(1, 4);
    let refused = verify_chain(&file(&rounds.network(), &swapped)[..], knowing(&rounds, &objects), |_, _| ());
    assert_eq!(refused.map_err(position).unwrap_err(), (1, Class::BrokenChain));
}

/// Records that a verifier is handed to mislead it.
#[test]
fn records_that_prove_nothing() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let refused = |records: &[SignedRecord]| class(asking(&rounds).with_objects(records));
    assert_eq!(refused(std::slice::from_ref(&object)), None, "the negative control");
    let stranger = Signer::development("stranger");
    let forged =
        SignedRecord { signature: object.record.clone().sign(&stranger).signature, ..object.clone() };
    assert_eq!(refused(&[forged]), Some(Class::BadSignature));
    let mut elsewhere = rounds.object_record(2);
    elsewhere.network = [9; 32];
    assert_eq!(refused(&[elsewhere.sign(&checker())]), Some(Class::WrongRecord), "of another network");
    let mut twin = object.record.clone();
    twin.height += 1;
    let twin = twin.sign(&checker());
    assert_eq!(refused(&[object.clone(), twin.clone()]), Some(Class::WrongRecord), "the same bytes twice");
    let twice = asking(&rounds).with_objects(&[object]).unwrap().with_objects(&[twin]);
    assert_eq!(class(twice), Some(Class::WrongRecord), "also one after the other");
}
