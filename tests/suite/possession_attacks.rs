//! Attacks on possession proofs that must be refused, by name, each with the class that refuses it, alone and in a batch.

#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

#[path = "possession_attacks/honest.rs"]
mod honest;

use std::sync::LazyLock;

use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::verify::{PossessionCase, verify_possession};
use holdfast_engine::rejection::Class;
use holdfast_tests::possession::TestObject;

/// 25 blocks, the last one short, in three table chunks.
const LENGTH: usize = 24 * 16_384 + 4_711;
const SAMPLES: u32 = 4;
const FORMS: [Form; 2] = [Form::Plain, Form::Compressed];

static OBJECT: LazyLock<TestObject> = LazyLock::new(|| TestObject::new(LENGTH, 1));

fn generators() -> &'static Generators {
    Generators::standard()
}

/// The class that refuses a case. It is the same alone and in a batch between two honest cases, which are accepted.
fn refusal_of(case: &PossessionCase<'_>) -> Option<Class> {
    let alone = verify_possession(generators(), case);
    let challenge = OBJECT.challenge(99, SAMPLES, Form::Plain);
    let honest = OBJECT.answer(&challenge);
    let honest = OBJECT.case(&challenge, &honest);
    let batch = verify_possession_batch(generators(), &[honest, *case, honest]).expect("randomness");
    assert_eq!(batch, [Ok(()), alone.clone(), Ok(())]);
    alone.err().map(|refused| refused.class)
}

fn refusal(challenge: &ObjectChallenge, response: &[u8]) -> Option<Class> {
    refusal_of(&OBJECT.case(challenge, response))
}
