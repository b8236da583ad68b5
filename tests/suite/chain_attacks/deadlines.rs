//! Digests and bodies that are late, replayed, exchanged or someone else's.

use holdfast_engine::challenge::Challenge;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{Body, Outcome, Timeliness};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_engine::space::response::{response_digest, response_signing_digest};
use holdfast_tests::rounds::Rounds;

use crate::class;

const BODY: &[u8] = b"the response";

fn promise(signer: &Signer, challenge: &Challenge, body: &[u8]) -> ([u8; 32], Signature) {
    let digest = response_digest(body);
    (digest, signer.sign(&response_signing_digest(&challenge.digest(), &digest)))
}

#[test]
fn a_digest_of_another_round_or_party_replayed() {
    let rounds = Rounds::new();
    let (now, before) = (rounds.challenge(rounds.first_height + 1), rounds.challenge(rounds.first_height));
    let mut round = Timeliness::start(&now, 0);
    let (digest, old) = promise(&rounds.miner, &before, BODY);
    assert_eq!(class(round.digest_came(&digest, &old, 1)), Some(Class::BadSignature), "an earlier round's");
    let (_, foreign) = promise(&rounds.validator, &now, BODY);
    assert_eq!(class(round.digest_came(&digest, &foreign, 1)), Some(Class::BadSignature), "someone else's");
    assert_eq!(class(round.digest_came(&digest, &Signature::NONE, 1)), Some(Class::BadSignature), "unsigned");
    assert_eq!(class(round.body_came(BODY, 2)), Some(Class::Late), "nothing was promised");
    assert_eq!(round.conclude(true, [0; 32]).outcome, Outcome::Missed);
}

/// A late digest with the right body at once is missed: the body proves only that it could be computed by then.
#[test]
fn a_late_digest_with_a_body_in_time() {
    let rounds = Rounds::new();
    let challenge = rounds.challenge(rounds.first_height);
    let mut round = Timeliness::start(&challenge, 0);
    let (digest, signature) = promise(&rounds.miner, &challenge, BODY);
    assert_eq!(class(round.digest_came(&digest, &signature, 5_001)), Some(Class::Late));
    assert_eq!(class(round.body_came(BODY, 5_002)), Some(Class::Late));
    assert_eq!(round.conclude(true, [0; 32]).outcome, Outcome::Missed);
}

/// The same deadlines for an object, whose promise is no answer for a partition's round nor for another kind's.
#[test]
fn a_digest_for_an_object_replayed_for_another_kind() {
    let rounds = Rounds::new();
    let object = rounds.object(1);
    let height = rounds.first_object_height(&object);
    let [chunks, link] =
        [AuditKind::Chunks, AuditKind::Link].map(|kind| rounds.object_challenge(&object, kind, height));
    let digest = response_digest(BODY);
    let signature = rounds.miner.sign(&response_signing_digest(&chunks.digest(), &digest));
    let class_of = |mut round: Timeliness, now_ms| class(round.digest_came(&digest, &signature, now_ms));
    assert_eq!(class_of(Timeliness::start(&chunks, 0), 5_000), None, "the negative control");
    assert_eq!(class_of(Timeliness::start(&chunks, 0), 5_001), Some(Class::Late));
    assert_eq!(class_of(Timeliness::start(&link, 0), 1), Some(Class::BadSignature));
    let space = Timeliness::start(&rounds.challenge(height), 0);
    assert_eq!(class_of(space, 1), Some(Class::BadSignature));
    let mut round = Timeliness::start(&chunks, 0);
    round.digest_came(&digest, &signature, 1).unwrap();
    round.body_came(BODY, 2).unwrap();
    let body = Body::of(&chunks, Some((digest, true)), [7; 32]);
    assert_eq!(round.conclude(true, [7; 32]), body);
}

/// Promise junk in time, then find the answer: only the promised body counts.
#[test]
fn a_body_other_than_the_promised() {
    let rounds = Rounds::new();
    let challenge = rounds.challenge(rounds.first_height);
    let mut round = Timeliness::start(&challenge, 0);
    let (junk, signature) = promise(&rounds.miner, &challenge, b"junk");
    round.digest_came(&junk, &signature, 10).unwrap();
    let (digest, second) = promise(&rounds.miner, &challenge, BODY);
    assert_eq!(class(round.digest_came(&digest, &second, 20)), Some(Class::Late), "a second promise");
    assert_eq!(class(round.body_came(BODY, 30)), Some(Class::Late));
    let body = round.conclude(true, [0; 32]);
    assert_eq!((body.outcome, body.response_digest), (Outcome::Rejected, junk), "what was promised stands");
}

/// A promise never kept is a rejected round with the anchored digest, so that no anchor can void a "missed".
#[test]
fn a_promise_without_a_body() {
    let rounds = Rounds::new();
    let challenge = rounds.challenge(rounds.first_height);
    let mut round = Timeliness::start(&challenge, 0);
    let (digest, signature) = promise(&rounds.miner, &challenge, BODY);
    round.digest_came(&digest, &signature, 10).unwrap();
    round.digest_came(&digest, &signature, 11).expect("the same promise again is the same promise");
    let body = round.conclude(true, [0; 32]);
    assert_eq!((body.outcome, body.response_digest), (Outcome::Rejected, digest));
}

/// What a third party sends in the miner's name neither shuts the miner out nor counts twice.
#[test]
fn bodies_sent_by_others_and_sent_again() {
    let rounds = Rounds::new();
    let challenge = rounds.challenge(rounds.first_height);
    let mut round = Timeliness::start(&challenge, 0);
    let (digest, signature) = promise(&rounds.miner, &challenge, BODY);
    round.digest_came(&digest, &signature, 10).unwrap();
    assert_eq!(class(round.body_came(b"by a stranger", 11)), Some(Class::Late));
    round.body_came(BODY, 12).unwrap();
    assert_eq!(class(round.body_came(BODY, 13)), Some(Class::Late), "again");
    assert_eq!(round.conclude(true, [0; 32]).outcome, Outcome::Accepted);
    assert_eq!(round.conclude(false, [0; 32]).outcome, Outcome::Rejected, "the verdict decides");
}
