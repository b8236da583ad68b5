//! Responses and openings: nothing but the honest bytes is accepted, alone or in a batch.

use holdfast_engine::backend::{Backend, Choice, select};
use holdfast_engine::challenge::Challenge;
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::{SpaceCase, verify_space, verify_space_batch};
use holdfast_engine::tree::{Outboard, verify_opening};
use holdfast_tests::partition::{TestPartition, registration, shape};
use std::sync::LazyLock;

struct Round {
    partition: TestPartition,
    space: Challenge,
    seal: Challenge,
    space_answer: Vec<u8>,
    seal_answer: Vec<u8>,
}

static ROUND: LazyLock<Round> = LazyLock::new(|| {
    let partition = TestPartition::honest(registration(shape(10, 2), 5), 3);
    let (space, seal) = (partition.space_challenge(0, 3), partition.seal_challenge(0, 2));
    let (space_answer, seal_answer) = (partition.answer_space(&space), partition.answer_seal(&seal));
    Round { partition, space, seal, space_answer, seal_answer }
});

fn backend() -> &'static dyn Backend {
    select(Choice::Auto).expect("the portable back end is always there")
}

/// The verdict in a batch between two honest responses is the verdict alone.
pub(crate) fn space(bytes: &[u8]) -> bool {
    let Round { partition, space: challenge, space_answer: honest, .. } = &*ROUND;
    let commitment = &partition.commitment;
    let verdict = verify_space(backend(), commitment, challenge, bytes);
    assert_eq!(verdict.is_ok(), bytes == honest);
    let case = |response| SpaceCase { commitment, challenge, response };
    let batch = verify_space_batch(backend(), &[case(honest), case(bytes), case(honest)]);
    assert_eq!(batch, [Ok(()), verdict, Ok(())]);
    bytes == honest
}

pub(crate) fn space_seeds() -> Vec<Vec<u8>> {
    vec![ROUND.space_answer.clone()]
}

pub(crate) fn seal(bytes: &[u8]) -> bool {
    let Round { partition, seal: challenge, seal_answer: honest, .. } = &*ROUND;
    let verdict = verify_seal(backend(), &partition.commitment, challenge, bytes);
    assert_eq!(verdict.is_ok(), bytes == honest);
    verdict.is_ok()
}

pub(crate) fn seal_seeds() -> Vec<Vec<u8>> {
    vec![ROUND.seal_answer.clone()]
}

/// The string of tree-v1 §5: 98 chunks, the last one short.
static STRING: LazyLock<Vec<u8>> = LazyLock::new(|| (0..251).cycle().take(100_000).collect());

/// A byte that says which chunk, then an opening of it.
pub(crate) fn opening(bytes: &[u8]) -> bool {
    let Some((&index, opening)) = bytes.split_first() else { return false };
    let root = blake3::hash(&STRING);
    let verdict = verify_opening(index.into(), STRING.len() as u64, root.as_bytes(), opening);
    verdict.is_ok_and(|chunk| {
        assert_eq!(Some(chunk), STRING.chunks(1024).nth(index.into()));
        true
    })
}

pub(crate) fn opening_seeds() -> Vec<Vec<u8>> {
    let outboard = Outboard::of(&STRING);
    let seed = |index: u8| [vec![index], outboard.open(&STRING, index.into())].concat();
    [0, 31, 96, 97].map(seed).into()
}
