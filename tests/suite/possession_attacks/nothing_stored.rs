//! Answers without the data.

use ark_bls12_381::Fr;
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field};
use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::commitment_table::{CommitmentTable, chunks_of};
use holdfast_engine::possession::response::{HEADER_BYTES, response_bytes};
use holdfast_engine::rejection::Class;
use holdfast_tests::possession::TestObject;

use crate::forger::{Forger, object_vector, sum};
use crate::{FORMS, LENGTH, OBJECT, SAMPLES, generators, refusal};

/// The control of everything that a forger does.
#[test]
fn the_forger_is_accepted_while_it_is_honest() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        assert_eq!(refusal(&challenge, &Forger::new(&OBJECT, &challenge).response()), None, "{form:?}");
    }
}

#[test]
fn nothing_stored_zeros_or_anything_for_blocks() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let honest = Forger::new(&OBJECT, &challenge);
        for filling in [Fr::ZERO, Fr::ONE, Fr::from(7u8)] {
            let mut forger = honest.clone();
            // The blinding scalars stay: they follow from the key, without any data.
            forger.vectors.iter_mut().for_each(|vector| vector[..529].fill(filling));
            assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof));
        }
    }
}

/// One limb of one block of those that are asked for.
#[test]
fn one_bit_of_a_block_lost() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        for limb in [0, 528, 529] {
            let mut forger = Forger::new(&OBJECT, &challenge);
            forger.vectors[2][limb] += Fr::ONE;
            assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof), "limb {limb}");
        }
    }
}

/// Only T and z made up, so that the equation holds for a guess of c.
#[test]
fn nothing_stored_simulated_for_a_guessed_coefficient() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let mut forger = Forger::new(&OBJECT, &challenge);
    let combined: Vec<Fr> = forger.combined();
    // T = ⟨z, G⟩ − guess · C, which anybody can compute, here by way of the masks that it has.
    let guess = Fr::from(12_345u32);
    let z = forger.masks.clone();
    forger.masks = z.iter().zip(&combined).map(|(z, combined)| *z - guess * combined).collect();
    let mask_point = sum(&forger.masks).into_affine();
    let (_, c) = forger.transcript(&mask_point);
    let honest = forger.response();
    assert_eq!(refusal(&challenge, &honest), None);
    // Without the data z cannot be moved from the guess to c.
    forger.added_to_z = combined.iter().map(|combined| (guess - c) * combined).collect();
    assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof));
}

#[test]
fn nothing_stored_zeros_for_a_response() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let header = &OBJECT.answer(&challenge)[..HEADER_BYTES];
        let body = vec![0; response_bytes(&challenge, true) - HEADER_BYTES];
        assert!(refusal(&challenge, &[header, &body].concat()).is_some());
        assert_eq!(refusal(&challenge, &[]), Some(Class::WrongLength));
    }
}

/// A table that the miner made up, for zeros, in the place of the registered one.
#[test]
fn commitment_to_zeros_in_place_of_the_registered_one() {
    let zeros = zeros_committed();
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let mut forger = Forger::new(&zeros, &challenge);
        forger.vectors.iter_mut().for_each(|vector| vector[..529].fill(Fr::ZERO));
        assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongRoot));
    }
}

/// A table of zeros that a colluding checker signed: zeros answer for it, and the data do not. What finds it is the link audit.
#[test]
fn commitment_to_zeros_registered_is_not_answered_by_the_data() {
    let zeros = zeros_committed();
    let challenge = zeros.challenge(0, SAMPLES, Form::Plain);
    let mut forger = Forger::new(&zeros, &challenge);
    let verdict = |response: &[u8]| {
        let verdicts = verify_possession_batch(generators(), &[zeros.case(&challenge, response)]);
        verdicts.expect("randomness").remove(0).err().map(|refused| refused.class)
    };
    assert_eq!(verdict(&forger.response()), Some(Class::WrongProof));
    forger.vectors.iter_mut().for_each(|vector| vector[..529].fill(Fr::ZERO));
    assert_eq!(verdict(&forger.response()), None);
}

/// Other blocks' data, whole and honest, in the place of those that are asked for.
#[test]
fn other_index_right_data() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let blocks = challenge.possession_blocks();
        let other = (0..24).find(|block| !blocks.contains(block)).expect("four of 25 are asked for");
        let mut forger = Forger::new(&OBJECT, &challenge);
        forger.vectors[1] = object_vector(&OBJECT, other);
        assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof));
        let mut forger = Forger::new(&OBJECT, &challenge);
        forger.vectors.swap(0, 3);
        assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof), "{form:?}: exchanged");
        let mut forger = Forger::new(&OBJECT, &challenge);
        forger.vectors[0] = forger.vectors[1].clone();
        assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof), "{form:?}: doubled");
    }
}

/// The openings of other chunks of the right table.
#[test]
fn other_index_right_table() {
    let mut challenges = (0..).map(|round| OBJECT.challenge(round, 1, Form::Plain));
    let in_chunk_0 = |challenge: &ObjectChallenge| chunks_of(&challenge.possession_blocks()) == [0];
    let challenge = challenges.find(in_chunk_0).expect("one in three");
    let honest = OBJECT.answer(&challenge);
    assert_eq!(refusal(&challenge, &honest), None);
    let opening = OBJECT.table.open(1);
    let moved = [&honest[..honest.len() - opening.len()], &opening].concat();
    assert_eq!(refusal(&challenge, &moved), Some(Class::WrongRoot));
}

/// The object with a registered table of commitments to zeros.
fn zeros_committed() -> TestObject {
    let object = TestObject::new(LENGTH, 1);
    let commit = |block| {
        let mut vector = object_vector(&object, block);
        vector[..529].fill(Fr::ZERO);
        sum(&vector).into_affine()
    };
    let points: Vec<_> = (0..object.table.blocks()).map(commit).collect();
    object.with_table(CommitmentTable::of_points(&points))
}
