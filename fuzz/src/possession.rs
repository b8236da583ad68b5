//! Possession responses: nothing is accepted but the honest bytes, and the verdict is the same in a batch.

use std::sync::LazyLock;

use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::verify::{PossessionCase, verify_possession};
use holdfast_engine::tree::BLOCK_BYTES;
use holdfast_tests::possession::TestObject;

/// Twelve blocks in two table chunks.
static OBJECT: LazyLock<TestObject> = LazyLock::new(|| {
    Generators::standard().prepare(8, None).expect("memory");
    TestObject::new(11 * BLOCK_BYTES + 100, 1)
});

/// A challenge and its honest response.
type Answered = (ObjectChallenge, Vec<u8>);

static PLAIN: LazyLock<Answered> = LazyLock::new(|| answered(Form::Plain));
static COMPRESSED: LazyLock<Answered> = LazyLock::new(|| answered(Form::Compressed));
static KEPT: LazyLock<Vec<u8>> = LazyLock::new(|| answer(&COMPRESSED.0, false));

/// In place of fresh randomness: the process that writes the seeds and the one that fuzzes must have the same honest bytes.
const FRESH: [u8; 32] = [8; 32];

fn answered(form: Form) -> Answered {
    let challenge = OBJECT.challenge(0, 3, form);
    let answer = answer(&challenge, true);
    (challenge, answer)
}

fn answer(challenge: &ObjectChallenge, with_openings: bool) -> Vec<u8> {
    OBJECT.prover(&&*OBJECT.bytes).answer_with(challenge, with_openings, &FRESH).expect("honest")
}

fn accepted((challenge, honest): &Answered, table: Option<&CommitmentTable>, bytes: &[u8]) -> bool {
    let cases =
        [honest, bytes, honest].map(|response| PossessionCase { table, ..OBJECT.case(challenge, response) });
    let verdict = verify_possession(Generators::standard(), &cases[1]);
    let batch = verify_possession_batch(Generators::standard(), &cases).expect("randomness");
    assert_eq!(batch, [Ok(()), verdict.clone(), Ok(())]);
    verdict.is_ok()
}

pub(crate) fn plain(bytes: &[u8]) -> bool {
    let accepted = accepted(&PLAIN, None, bytes);
    assert_eq!(accepted, bytes == PLAIN.1);
    accepted
}

pub(crate) fn plain_seeds() -> Vec<Vec<u8>> {
    vec![PLAIN.1.clone()]
}

pub(crate) fn compressed(bytes: &[u8]) -> bool {
    let accepted = accepted(&COMPRESSED, None, bytes);
    assert_eq!(accepted, bytes == COMPRESSED.1);
    accepted
}

pub(crate) fn compressed_seeds() -> Vec<Vec<u8>> {
    vec![COMPRESSED.1.clone()]
}

/// For a verifier that keeps the table: with openings or without.
pub(crate) fn kept(bytes: &[u8]) -> bool {
    let accepted = accepted(&COMPRESSED, Some(&OBJECT.table), bytes);
    assert_eq!(accepted, bytes == *KEPT || bytes == COMPRESSED.1);
    accepted
}

pub(crate) fn kept_seeds() -> Vec<Vec<u8>> {
    vec![KEPT.clone(), COMPRESSED.1.clone()]
}
