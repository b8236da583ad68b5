//! The right answer to another question.

use holdfast_engine::account::Account;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{AuditKind, Form, ObjectChallenge, ObjectTerms};
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::possession::response::HEADER_BYTES;
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_engine::rejection::Class;
use holdfast_tests::possession::TestObject;

use crate::{FORMS, OBJECT, SAMPLES, refusal, refusal_of};

/// A response under the header of the one that is asked for.
fn renamed(challenge: &ObjectChallenge, response: &[u8]) -> Vec<u8> {
    [&OBJECT.answer(challenge)[..HEADER_BYTES], &response[HEADER_BYTES..]].concat()
}

/// The answer to an earlier round: by its name, and passed off as this round's. With all blocks asked for the openings are
/// the same, so that only the proof is left to refuse it.
#[test]
fn cached_answer_of_an_earlier_round() {
    for form in FORMS {
        for samples in [SAMPLES, 25] {
            let (earlier, now) = (OBJECT.challenge(1, samples, form), OBJECT.challenge(2, samples, form));
            let cached = OBJECT.answer(&earlier);
            assert_eq!(refusal(&earlier, &cached), None);
            assert_eq!(refusal(&now, &cached), Some(Class::WrongChallenge));
            assert!(refusal(&now, &renamed(&now, &cached)).is_some());
            if samples == 25 {
                assert_eq!(refusal(&now, &renamed(&now, &cached)), Some(Class::WrongProof));
            }
        }
    }
}

/// Every field that names a place, a time or a party: the answer is accepted where it belongs, and nowhere else.
#[test]
fn other_height_beacon_validator_and_terms() {
    type Change = fn(&mut ObjectTerms);
    let changes: [(&str, Change); 5] = [
        ("height", |t| t.height += 1),
        ("beacon", |t| t.beacon[0] ^= 1),
        ("validator", |t| t.validator = Account([8; 32])),
        ("deadline", |t| t.deadline_ms += 1),
        ("samples", |t| t.samples += 1),
    ];
    for form in FORMS {
        let ours = OBJECT.challenge(0, 30, form);
        for (what, change) in changes {
            let mut terms = ObjectTerms::clone(&ours);
            change(&mut terms);
            let theirs = ObjectChallenge::new(terms).expect("in range");
            let answer = OBJECT.answer(&theirs);
            assert_eq!(refusal(&theirs, &answer), None, "{what}");
            assert_eq!(refusal(&ours, &answer), Some(Class::WrongChallenge), "{what}");
            // All 25 blocks are asked for either way, so nothing but the proof can tell.
            assert_eq!(refusal(&ours, &renamed(&ours, &answer)), Some(Class::WrongProof), "{what}");
        }
    }
}

/// A registered object that differs in one field has another record, and its answers are no answers of ours.
#[test]
fn other_miner_network_checker_and_record() {
    type Change = fn(&mut ObjectRecord);
    let changes: [(&str, Change); 4] = [
        ("miner", |r| r.miner = Account([8; 32])),
        ("network", |r| r.network = [8; 32]),
        ("checker", |r| r.checker = Account([8; 32])),
        ("height of the record", |r| r.height += 1),
    ];
    let ours = OBJECT.challenge(0, 25, Form::Plain);
    for (what, change) in changes {
        let mut other = OBJECT.clone();
        change(&mut other.record);
        let theirs = other.challenge(0, 25, Form::Plain);
        let answer = other.answer(&theirs);
        assert_eq!(refusal_of(&other.case(&theirs, &answer)), None, "{what}");
        assert_eq!(refusal(&theirs, &answer), Some(Class::WrongChallenge), "{what}: another's challenge");
        assert_eq!(refusal(&ours, &answer), Some(Class::WrongChallenge), "{what}");
        assert_eq!(refusal(&ours, &renamed(&ours, &answer)), Some(Class::WrongProof), "{what}: renamed");
    }
}

/// Two replicas of the same bytes: what answers for one does not for the other, though its data are the same.
#[test]
fn proof_of_one_replica_for_another() {
    let other = TestObject::of(OBJECT.bytes.clone(), 77);
    let (ours, theirs) = (OBJECT.challenge(0, 25, Form::Plain), other.challenge(0, 25, Form::Plain));
    let answer = other.answer(&theirs);
    assert_eq!(refusal_of(&other.case(&theirs, &answer)), None);
    assert_eq!(refusal(&ours, &answer), Some(Class::WrongChallenge));
    assert_eq!(refusal(&ours, &renamed(&ours, &answer)), Some(Class::WrongRoot));
    // With the openings of the right table, the blinding is still the other's.
    let openings_at = HEADER_BYTES + 96 + 530 * 32;
    let honest = OBJECT.answer(&ours);
    let mixed = [&renamed(&ours, &answer)[..openings_at], &honest[openings_at..]].concat();
    assert_eq!(refusal(&ours, &mixed), Some(Class::WrongProof));
}

/// A challenge that is not of the record, in each field that both have.
#[test]
fn challenge_of_another_object() {
    type Change = fn(&mut ObjectTerms);
    let changes: [(&str, Change); 4] = [
        ("replica", |t| t.replica = Replica::new([1; 32], 24 * 16_384 + 4_711, 1).expect("short")),
        ("network", |t| t.network[0] ^= 1),
        ("miner", |t| t.miner = Account([8; 32])),
        ("record digest", |t| t.record_digest[0] ^= 1),
    ];
    let ours = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let answer = OBJECT.answer(&ours);
    assert_eq!(refusal(&ours, &answer), None);
    for (what, change) in changes {
        let mut terms = ObjectTerms::clone(&ours);
        change(&mut terms);
        let theirs = ObjectChallenge::new(terms).expect("in range");
        assert_eq!(refusal(&theirs, &answer), Some(Class::WrongChallenge), "{what}");
    }
    let chunks = ObjectTerms { kind: AuditKind::Chunks, ..ObjectTerms::clone(&ours) };
    let chunks = ObjectChallenge::new(chunks).expect("in range");
    assert_eq!(refusal(&chunks, &answer), Some(Class::WrongChallenge), "kind");
}

/// The verifier's own table must be the one that was registered.
#[test]
fn table_of_another_object() {
    let other = TestObject::of(OBJECT.bytes.clone(), 77);
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let response = OBJECT.answer_without_openings(&challenge);
    let case = |table| PossessionCase { table: Some(table), ..OBJECT.case(&challenge, &response) };
    assert_eq!(refusal_of(&case(&OBJECT.table)), None);
    assert_eq!(refusal_of(&case(&other.table)), Some(Class::WrongRecord));
}
