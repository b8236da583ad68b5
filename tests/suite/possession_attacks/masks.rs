//! A mask used twice tells everything; so it is not used twice, whatever the randomness is worth.

use ark_bls12_381::Fr;
use ark_ff::{Field, PrimeField};
use holdfast_engine::possession::challenge::{Form, ObjectChallenge, ObjectTerms};
use holdfast_engine::possession::mask::DeviceSecret;
use holdfast_engine::possession::response::HEADER_BYTES;
use holdfast_engine::possession::scalars::decode_scalar;
use holdfast_tests::possession::TestObject;

use crate::forger::{Forger, object_vector};
use crate::{LENGTH, OBJECT, refusal};

/// Two challenges of one seed, so of the same block and coefficient, with other digests, so with another c.
fn twins() -> [ObjectChallenge; 2] {
    let first = OBJECT.challenge(0, 1, Form::Plain);
    let mut terms = ObjectTerms::clone(&first);
    terms.deadline_ms += 1;
    [first, ObjectChallenge::new(terms).expect("in range")]
}

fn mask_point(response: &[u8]) -> &[u8] {
    &response[HEADER_BYTES..HEADER_BYTES + 96]
}

fn scalars(response: &[u8]) -> Vec<Fr> {
    let z = &response[HEADER_BYTES + 96..][..530 * 32];
    z.as_chunks().0.iter().map(|bytes| decode_scalar(bytes).expect("below r")).collect()
}

/// c from what everybody sees.
fn coefficient(challenge: &ObjectChallenge, response: &[u8]) -> Fr {
    let bytes = mask_point(response).try_into().expect("96 bytes");
    let mask_point = holdfast_engine::possession::points::decode_point(bytes).expect("a point");
    Forger::new(&OBJECT, challenge).transcript(&mask_point).1
}

/// What an eavesdropper makes of two responses to twins: (z − z′) / (c − c′) / ρ.
fn extract(challenges: &[ObjectChallenge; 2], responses: &[Vec<u8>; 2]) -> Vec<Fr> {
    let [c, other_c] = [0, 1].map(|i| coefficient(&challenges[i], &responses[i]));
    let rho = Fr::from(challenges[0].possession_coefficients()[0]);
    let factor = ((c - other_c) * rho).inverse().expect("two challenges have two c");
    let [z, other_z] = responses.each_ref().map(|response| scalars(response));
    z.iter().zip(&other_z).map(|(z, other)| (*z - other) * factor).collect()
}

/// Two responses with one T give the block away, byte for byte, and its blinding.
#[test]
fn a_mask_used_twice_reveals_the_block() {
    let challenges = twins();
    assert_eq!(challenges[0].seed(), challenges[1].seed());
    let responses = challenges.each_ref().map(|challenge| Forger::new(&OBJECT, challenge).response());
    for (challenge, response) in challenges.iter().zip(&responses) {
        assert_eq!(refusal(challenge, response), None);
    }
    assert_eq!(mask_point(&responses[0]), mask_point(&responses[1]));
    let extracted = extract(&challenges, &responses);
    let block = challenges[0].possession_blocks()[0];
    assert_eq!(extracted, object_vector(&OBJECT, block));
    let first_limb = &OBJECT.bytes[block as usize * 16_384..][..31];
    assert_eq!(extracted[0], Fr::from_le_bytes_mod_order(first_limb));
}

#[test]
fn two_answers_to_one_challenge_have_different_masks() {
    let challenge = OBJECT.challenge(0, 1, Form::Plain);
    let [first, second] = [0; 2].map(|_| OBJECT.answer(&challenge));
    assert_ne!(mask_point(&first), mask_point(&second));
    assert!(scalars(&first).iter().zip(scalars(&second)).all(|(z, other)| *z != other));
}

/// A source of randomness that gives the same always: other challenges have other masks all the same, so the extraction
/// gives nothing; and without the secret nobody can compute them.
#[test]
fn broken_randomness_reveals_nothing() {
    let challenges = twins();
    let responses = challenges.each_ref().map(|challenge| OBJECT.answer_with_fresh(challenge, &[0; 32]));
    for (challenge, response) in challenges.iter().zip(&responses) {
        assert_eq!(refusal(challenge, response), None);
    }
    assert_ne!(mask_point(&responses[0]), mask_point(&responses[1]));
    let block = object_vector(&OBJECT, challenges[0].possession_blocks()[0]);
    let extracted = extract(&challenges, &responses);
    assert!(extracted.iter().zip(&block).all(|(extracted, scalar)| extracted != scalar));
    let mut other_secret = TestObject::new(LENGTH, 1);
    other_secret.secret = DeviceSecret::from_bytes([10; 32]);
    let with_other_secret = other_secret.answer_with_fresh(&challenges[0], &[0; 32]);
    assert_ne!(mask_point(&responses[0]), mask_point(&with_other_secret));
    // One challenge, nothing fresh: the same answer again, from which nobody learns anything new.
    assert_eq!(OBJECT.answer_with_fresh(&challenges[0], &[0; 32]), responses[0]);
}

#[test]
fn secrets_are_not_shown() {
    let secret = DeviceSecret::from_bytes([0xab; 32]);
    assert_eq!(format!("{secret:?}"), "DeviceSecret(redacted)");
    let (one, other) =
        (DeviceSecret::random().expect("randomness"), DeviceSecret::random().expect("randomness"));
    assert_ne!(one.as_bytes(), other.as_bytes());
}
