//! What the prover's own disk does to it must be an error that says what to do, and never a wrong response.

use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::challenge::{AuditKind, Form, ObjectChallenge, ObjectTerms};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::prove::ProveError;
use holdfast_engine::rejection::Class;
use holdfast_tests::possession::TestObject;

use crate::forger::commitment;
use crate::{FORMS, LENGTH, OBJECT, SAMPLES};

#[test]
fn a_wrong_block_is_named_and_nothing_leaves() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let blocks = challenge.possession_blocks();
        assert!(OBJECT.prover(&&*OBJECT.bytes).answer(&challenge, true).is_ok());
        for wrong in [&blocks[1..2], &blocks[..2]] {
            let mut bytes = OBJECT.bytes.clone();
            wrong.iter().for_each(|block| bytes[*block as usize * 16_384 + 77] ^= 1);
            let error = OBJECT.prover(&&*bytes).answer(&challenge, true).expect_err("a wrong block");
            let mut expected = wrong.to_vec();
            expected.sort_unstable();
            assert!(matches!(&error, ProveError::Damaged { blocks } if *blocks == expected), "{error}");
            assert!(error.to_string().contains("holdfast object verify"), "{error}");
        }
        // A block that is not asked for is not looked at.
        let other = (0..24).find(|block| !blocks.contains(block)).expect("four of 25 are asked for");
        let mut bytes = OBJECT.bytes.clone();
        bytes[other as usize * 16_384] ^= 1;
        assert!(OBJECT.prover(&&*bytes).answer(&challenge, true).is_ok());
    }
}

#[test]
fn another_blinding_key_is_found_before_anything_leaves() {
    let mut object = OBJECT.clone();
    object.key = BlindingKey::from_bytes([8; 32]);
    let challenge = object.challenge(0, SAMPLES, Form::Plain);
    let error = object.prover(&&*object.bytes).answer(&challenge, true).expect_err("another key");
    assert!(matches!(&error, ProveError::Damaged { blocks } if blocks.len() == SAMPLES as usize), "{error}");
    assert!(error.to_string().contains("blinding key"), "{error}");
}

/// A table that is not the record's, and one that was registered with a wrong point.
#[test]
fn a_damaged_table_is_an_error() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let mut points: Vec<_> = (0..25).map(|block| commitment(&OBJECT, block)).collect();
    points.swap(0, 1);
    let swapped = CommitmentTable::of_points(&points);
    let other = TestObject { table: swapped.clone(), ..OBJECT.clone() };
    let error = other.prover(&&*other.bytes).answer(&challenge, true).expect_err("another table");
    assert!(
        matches!(&error, ProveError::DamagedTable(refused) if refused.class == Class::WrongRoot),
        "{error}"
    );
    assert!(error.to_string().contains("holdfast commit --again"), "{error}");
    let registered = TestObject::new(LENGTH, 1).with_table(swapped);
    let challenge = registered.challenge(0, 25, Form::Plain);
    let error = registered.prover(&&*registered.bytes).answer(&challenge, true).expect_err("wrong points");
    assert!(matches!(&error, ProveError::Damaged { blocks } if *blocks == [0, 1]), "{error}");
}

/// A table of fewer blocks than the record has: an error, where the table itself would panic.
#[test]
fn a_table_that_was_cut_short_is_an_error() {
    let points: Vec<_> = (0..10).map(|block| commitment(&OBJECT, block)).collect();
    let short = TestObject { table: CommitmentTable::of_points(&points), ..OBJECT.clone() };
    let challenge = short.challenge(0, 25, Form::Plain);
    let error = short.prover(&&*short.bytes).answer(&challenge, true).expect_err("a table of ten");
    assert!(matches!(error, ProveError::Read(_)), "{error}");
}

#[test]
fn an_object_that_was_cut_short_is_an_error() {
    let challenge = OBJECT.challenge(0, 25, Form::Plain);
    let error = OBJECT.prover(&&OBJECT.bytes[..LENGTH - 1]).answer(&challenge, true).expect_err("cut short");
    assert!(matches!(error, ProveError::Read(_)), "{error}");
}

/// Nothing is answered that was not asked of this object.
#[test]
fn a_challenge_of_another_object_is_not_answered() {
    let other = TestObject::new(LENGTH, 2);
    let chunks =
        ObjectTerms { kind: AuditKind::Chunks, ..ObjectTerms::clone(&OBJECT.challenge(0, 4, Form::Plain)) };
    for challenge in
        [other.challenge(0, SAMPLES, Form::Plain), ObjectChallenge::new(chunks).expect("in range")]
    {
        let error = OBJECT.prover(&&*OBJECT.bytes).answer(&challenge, true).expect_err("not ours");
        assert!(matches!(error, ProveError::OtherObject(_)), "{error}");
    }
}
