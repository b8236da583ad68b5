//! Intents, registrations and everything fixed-size that is made of them: what is accepted is canonical.

use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::registration::{Intent, Registration};
use holdfast_engine::space::record::WindowRecord;
use holdfast_tests::partition::{TestPartition, registration, shape};

/// Expansion is tried up to so many samples; more are only slower.
const EXPANDED_SAMPLES: u32 = 4096;

pub(crate) fn intent(bytes: &[u8]) -> bool {
    let decoded = Intent::decode(bytes);
    decoded.is_ok_and(|intent| same(&intent.encode(), bytes))
}

pub(crate) fn intent_seeds() -> Vec<Vec<u8>> {
    vec![registration(shape(10, 2), 5).intent.encode().into()]
}

pub(crate) fn registration_bytes(bytes: &[u8]) -> bool {
    let decoded = Registration::decode(bytes);
    decoded.is_ok_and(|registration| same(&registration.encode(), bytes))
}

pub(crate) fn registration_seeds() -> Vec<Vec<u8>> {
    vec![registration(shape(25, 16), 5).encode().into()]
}

pub(crate) fn window_record(bytes: &[u8]) -> bool {
    let decoded = WindowRecord::decode(bytes);
    decoded.is_ok_and(|record| same(&record.encode(), bytes))
}

pub(crate) fn window_record_seeds() -> Vec<Vec<u8>> {
    partition().commitment.records.iter().map(|record| record.encode().into()).collect()
}

pub(crate) fn commitment(bytes: &[u8]) -> bool {
    let decoded = Commitment::decode(bytes);
    decoded.is_ok_and(|commitment| same(&commitment.encode(), bytes))
}

pub(crate) fn commitment_seeds() -> Vec<Vec<u8>> {
    vec![partition().commitment.encode()]
}

/// Accepted challenges also expand to distinct places that exist.
pub(crate) fn challenge(bytes: &[u8]) -> bool {
    let Ok(challenge) = Challenge::decode(bytes) else { return false };
    same(&challenge.encode(), bytes);
    if challenge.samples <= EXPANDED_SAMPLES {
        let mut windows = challenge.windows();
        let last = challenge.first_window + (challenge.window_count - 1);
        assert!(windows.iter().all(|window| (challenge.first_window..=last).contains(window)));
        windows.sort_unstable();
        windows.dedup();
        assert_eq!(windows.len(), challenge.samples as usize);
    }
    true
}

pub(crate) fn challenge_seeds() -> Vec<Vec<u8>> {
    let partition = partition();
    let challenges = [partition.space_challenge(0, 3), partition.seal_challenge(0, 2)];
    challenges.iter().map(|challenge| challenge.encode().into()).collect()
}

/// What was accepted is what would have been written.
fn same(encoded: &[u8], bytes: &[u8]) -> bool {
    assert_eq!(encoded, bytes);
    true
}

fn partition() -> TestPartition {
    TestPartition::honest(registration(shape(10, 2), 5), 3)
}
