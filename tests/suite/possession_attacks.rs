//! Attacks on possession proofs that must be refused, by name, each with the class that refuses it, alone and in a batch.

#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

#[path = "possession_attacks/batch.rs"]
mod batch;
#[path = "possession_attacks/bytes.rs"]
mod bytes;
#[path = "possession_attacks/forger.rs"]
mod forger;
#[path = "possession_attacks/honest.rs"]
mod honest;
#[path = "possession_attacks/masks.rs"]
mod masks;
#[path = "possession_attacks/nothing_stored.rs"]
mod nothing_stored;
#[path = "possession_attacks/points.rs"]
mod points;
#[path = "possession_attacks/prover.rs"]
mod prover;
#[path = "possession_attacks/replay.rs"]
mod replay;

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

static OBJECT: LazyLock<TestObject> = LazyLock::new(|| {
    generators().prepare(8, None).expect("memory");
    TestObject::new(LENGTH, 1)
});

fn generators() -> &'static Generators {
    Generators::standard()
}

/// An honest answer, for company in batches.
static HONEST: LazyLock<(ObjectChallenge, Vec<u8>)> = LazyLock::new(|| {
    let challenge = OBJECT.challenge(99, SAMPLES, Form::Plain);
    let answer = OBJECT.answer(&challenge);
    (challenge, answer)
});

/// The class that refuses a case.
fn refusal_alone(case: &PossessionCase<'_>) -> Option<Class> {
    verify_possession(generators(), case).err().map(|refused| refused.class)
}

/// The same, which must be the same in a batch between two honest cases, which must be accepted.
fn refusal_of(case: &PossessionCase<'_>) -> Option<Class> {
    let alone = verify_possession(generators(), case);
    let honest = OBJECT.case(&HONEST.0, &HONEST.1);
    let batch = verify_possession_batch(generators(), &[honest, *case, honest]).expect("randomness");
    assert_eq!(batch, [Ok(()), alone.clone(), Ok(())]);
    alone.err().map(|refused| refused.class)
}

/// The same for a response to a challenge of the usual object.
fn refusal(challenge: &ObjectChallenge, response: &[u8]) -> Option<Class> {
    refusal_of(&OBJECT.case(challenge, response))
}
