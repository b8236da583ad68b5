//! The control: what is right is accepted, and is what the reference makes. Without it, every refusal of the other files
//! could be for another reason.

use ark_bls12_381::G1Affine;
use holdfast_engine::possession::points::decode_point;
use holdfast_engine::possession::response::{HEADER_BYTES, response_bytes};
use holdfast_engine::possession::scalars::wide_scalar;
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_engine::reference::possession as reference;
use holdfast_engine::transcript::Context;
use holdfast_tests::possession::TestObject;

use crate::{FORMS, OBJECT, refusal, refusal_of};

/// Lengths around a block and around a table chunk, objects with fewer blocks than are asked for, and none.
#[test]
fn honest_answers_are_accepted_in_both_forms() {
    for (seed, length) in [(2, 0), (3, 1), (4, 16_384), (5, 16_385), (6, 10 * 16_384), (7, 10 * 16_384 + 1)] {
        let object = TestObject::new(length, seed);
        for (form, round) in FORMS.into_iter().zip(0..) {
            let challenge = object.challenge(round, 4, form);
            let response = object.answer(&challenge);
            assert_eq!(response.len(), response_bytes(&challenge, true));
            assert_eq!(refusal_of(&object.case(&challenge, &response)), None, "{length} bytes, {form:?}");
        }
    }
}

#[test]
fn a_kept_table_stands_for_openings() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, 20, form);
        let (short, long) = (OBJECT.answer_without_openings(&challenge), OBJECT.answer(&challenge));
        assert_eq!(short.len(), response_bytes(&challenge, false));
        let case = |table, response| PossessionCase {
            record: &OBJECT.record,
            challenge: &challenge,
            table,
            response,
        };
        assert_eq!(refusal_of(&case(Some(&OBJECT.table), &short)), None);
        assert_eq!(refusal_of(&case(Some(&OBJECT.table), &long)), None);
        assert_eq!(refusal(&challenge, &long), None);
    }
}

/// Byte for byte what the specification's plain code makes with the same masks.
#[test]
fn answers_are_the_references() {
    let points: Vec<G1Affine> = (0..25)
        .map(|block| decode_point(OBJECT.table.point(block).expect("there")).expect("a point"))
        .collect();
    for form in FORMS {
        let challenge = OBJECT.challenge(3, 20, form);
        let fresh = [5; 32];
        let response = OBJECT.answer_with_fresh(&challenge, &fresh);
        let parts = [&OBJECT.secret.as_bytes()[..], &challenge.digest(), &challenge.record_digest, &fresh];
        let mut stream = Context::POSSESSION_MASK.stream(&parts);
        let masks: Vec<_> = (0..530).map(|_| wide_scalar(&mut stream)).collect();
        let statement = reference::Statement::new(&challenge, &points);
        let block = |i: &u64| OBJECT.bytes.chunks(16_384).nth(*i as usize).expect("there");
        let blocks: Vec<&[u8]> = statement.blocks.iter().map(block).collect();
        let blindings: Vec<_> =
            statement.blocks.iter().map(|i| OBJECT.key.scalar(&OBJECT.record.replica, *i)).collect();
        let proof = reference::prove(&statement, &blocks, &blindings, &masks);
        assert!(reference::verify(&statement, &proof));
        let expected = match form {
            holdfast_engine::possession::challenge::Form::Plain => reference::encode_proof(&proof),
            holdfast_engine::possession::challenge::Form::Compressed => {
                reference::encode_compressed_proof(&reference::compress(&statement, &proof))
            }
        };
        assert_eq!(&response[..HEADER_BYTES], reference::response_header(&challenge, 20, true));
        assert!(response[HEADER_BYTES..].starts_with(&expected), "{form:?}");
    }
}
