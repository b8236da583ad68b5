//! Attacks through what is registered: window tables, batches, and the time of challenges.

use std::sync::LazyLock;

use holdfast_engine::challenge::{Challenge, Terms};
use holdfast_engine::commitment::{Batch, Commitment, CommitmentFields};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_engine::space::record::partition_root;
use holdfast_engine::space::verify::verify_space;
use holdfast_tests::partition::{
    BATCH_HEIGHT, CHALLENGE_HEIGHT, FINALITY_BLOCKS, TestPartition, registration, shape,
};

use crate::{backend, class};

static PARTITION: LazyLock<TestPartition> =
    LazyLock::new(|| TestPartition::honest(registration(shape(10, 2), 7), 6));

/// The refusal after a change of the fields; the last batch's root follows the records, so it is not what refuses.
fn refusal(change: impl FnOnce(&mut CommitmentFields)) -> Option<Class> {
    let mut fields = CommitmentFields::clone(&PARTITION.commitment);
    change(&mut fields);
    let root = partition_root(&fields.records);
    if let Some(last) = fields.batches.last_mut() {
        last.partition_root = root;
    }
    class(Commitment::new(fields))
}

#[test]
fn honest_table_is_accepted() {
    assert_eq!(refusal(|_| ()), None);
}

#[test]
fn one_window_registered_twice() {
    let same_window = refusal(|fields| fields.records[4] = fields.records[3].clone());
    assert_eq!(same_window, Some(Class::WrongRecord));
    let same_root = refusal(|fields| fields.records[4].root = fields.records[3].root);
    assert_eq!(same_root, Some(Class::WrongRecord));
    let same_layers = refusal(|fields| fields.records[4].layers_root = fields.records[3].layers_root);
    assert_eq!(same_layers, Some(Class::WrongRecord));
}

#[test]
fn records_of_another_place_or_shape() {
    assert_eq!(refusal(|fields| fields.records.swap(0, 1)), Some(Class::WrongRecord));
    assert_eq!(refusal(|fields| fields.records[2].window = 9), Some(Class::WrongRecord));
    assert_eq!(refusal(|fields| fields.records[2].window_key = [0; 32]), Some(Class::WrongRecord));
    assert_eq!(refusal(|fields| fields.records[2].shape = shape(10, 3)), Some(Class::WrongRecord));
}

/// The windows of one registration under another: every window key is wrong.
#[test]
fn a_registration_reused() {
    let change: [fn(&mut CommitmentFields); 6] = [
        |fields| fields.registration.partition_id += 1,
        |fields| fields.registration.intent.ordinal += 1,
        |fields| fields.registration.intent.validator.0[0] ^= 1,
        |fields| fields.registration.intent.miner.0[0] ^= 1,
        |fields| fields.registration.intent.network[0] ^= 1,
        |fields| fields.registration.beacon[0] ^= 1,
    ];
    for change in change {
        assert_eq!(refusal(change), Some(Class::WrongRecord));
    }
}

#[test]
fn batches_that_do_not_follow_one_another() {
    let later = |end, height| Batch { end, height, partition_root: [0; 32] };
    let second = |end, height| refusal(move |fields| fields.batches.insert(0, later(end, height)));
    assert_eq!(second(101, 110), Some(Class::WrongRecord), "above the cap");
    assert_eq!(second(0, 110), Some(Class::WrongRecord), "no windows");
    assert_eq!(second(6, 110), Some(Class::WrongRecord), "the same end");
    assert_eq!(second(7, BATCH_HEIGHT), Some(Class::WrongRecord), "the same height");
    assert_eq!(second(7, 100), Some(Class::WrongRecord), "the height of the intent");
    assert_eq!(second(7, 110), None, "trimmed from 7 to 6 windows");
    assert_eq!(refusal(|fields| fields.batches.clear()), Some(Class::Malformed));
    assert_eq!(refusal(|fields| fields.batches[0].end = 5), Some(Class::WrongRecord), "a record too many");
}

/// Another party's signature, one for fewer windows, and none.
#[test]
fn commitment_signed_by_another_or_for_another_table() {
    let miner = Signer::development("miner");
    let mut registration = registration(shape(10, 2), 7);
    registration.intent.miner = miner.account();
    let unsigned = TestPartition::honest(registration, 3).commitment;
    let signed = |signature| {
        let fields = CommitmentFields { signature, ..CommitmentFields::clone(&unsigned) };
        class(Commitment::new(fields).expect("agrees with itself").check_signature())
    };
    let digest = unsigned.signing_digest();
    assert_eq!(signed(miner.sign(&digest)), None);
    assert_eq!(signed(Signer::development("other").sign(&digest)), Some(Class::BadSignature));
    let fewer = registration.commitment_signing_digest(2, &unsigned.partition_root());
    assert_eq!(signed(miner.sign(&fewer)), Some(Class::BadSignature));
    assert_eq!(signed(Signature::NONE), Some(Class::BadSignature));
}

/// A second batch that exchanges windows which the first batch's seal audit was about. Its own audit would only look at
/// what it added.
#[test]
fn audited_windows_exchanged_by_a_later_batch() {
    let first = PARTITION.commitment.last_batch();
    let mut fields = CommitmentFields::clone(&PARTITION.commitment);
    let grown = TestPartition::honest(fields.registration, 8);
    fields.records = grown.commitment.records.clone();
    fields.batches.push(Batch {
        end: 8,
        height: first.height + 5,
        partition_root: partition_root(&fields.records),
    });
    let honest = Commitment::new(fields.clone()).expect("the first six records are those of the first batch");
    assert_eq!(honest.added_windows(0), Some(0..6));
    assert_eq!(honest.added_windows(1), Some(6..8));

    fields.records[0].root = [9; 32];
    fields.batches[1].partition_root = partition_root(&fields.records);
    assert_eq!(class(Commitment::new(fields)), Some(Class::WrongRecord));
}

/// Windows are trimmed after their seal audit, and others come in their place, one fewer so that the first batch's root is
/// that of no table any more. They are the later batch's, whose seal audit they have yet to pass.
#[test]
fn audited_windows_trimmed_and_replaced() {
    let mut fields = CommitmentFields::clone(&PARTITION.commitment);
    let first = fields.batches[0];
    assert_eq!(first.end, 6);
    fields.records.pop();
    fields.records[4].root = [9; 32];
    for (end, later) in [(2, 5), (5, 10)] {
        let partition_root = partition_root(&fields.records[..end]);
        fields.batches.push(Batch { end: end as u64, height: first.height + later, partition_root });
    }
    let replaced = Commitment::new(fields).expect("who has not seen the first commitment cannot tell");
    assert_eq!(replaced.added_windows(0), Some(0..2), "what the first seal audit was about and is left");
    assert_eq!(replaced.added_windows(1), None);
    assert_eq!(replaced.added_windows(2), Some(2..5));
}

#[test]
fn table_that_is_not_the_registered_one() {
    let mut fields = CommitmentFields::clone(&PARTITION.commitment);
    fields.records[5].root = [9; 32];
    assert_eq!(class(Commitment::new(fields)), Some(Class::WrongRecord));
}

/// The record must have been final when the beacon came, or the miner could choose what it registers by the beacon.
#[test]
fn record_chosen_after_the_beacon() {
    let commitment = &PARTITION.commitment;
    let at = |height| {
        let terms = Terms { height, ..Terms::clone(&PARTITION.space_challenge(0, 4)) };
        class(Challenge::new(terms).expect("in range").check_against(commitment, FINALITY_BLOCKS))
    };
    assert_eq!(at(CHALLENGE_HEIGHT), None);
    assert_eq!(at(CHALLENGE_HEIGHT - 1), Some(Class::NotFinal));
    assert_eq!(at(0), Some(Class::NotFinal));
    // With a depth of 30 the first batch (120) would be older than its registration beacon (block 130).
    let challenge = PARTITION.space_challenge(1_000, 4);
    assert_eq!(class(challenge.check_against(commitment, 20)), None);
    assert_eq!(class(challenge.check_against(commitment, 21)), Some(Class::NotFinal));
}

/// A seal challenge is about the windows of a batch, no others.
#[test]
fn seal_challenge_of_a_range_of_the_challengers_choice() {
    let challenge = PARTITION.seal_challenge(1, 1);
    assert_eq!(class(challenge.check_place(&PARTITION.commitment)), None);
    for (first_window, window_count) in [(0, 5), (1, 5), (1, 6), (0, 7)] {
        let terms = Terms { first_window, window_count, ..Terms::clone(&challenge) };
        let other = Challenge::new(terms).expect("in range");
        assert_eq!(class(other.check_place(&PARTITION.commitment)), Some(Class::WrongChallenge));
    }
}

/// A partition of this many windows, with batches of these ends and heights.
fn with_batches(partition: &TestPartition, batches: &[(u64, u64)]) -> Commitment {
    let mut fields = CommitmentFields::clone(&partition.commitment);
    let records = |end: u64| &partition.commitment.records[..end as usize];
    let batch =
        |&(end, height): &(u64, u64)| Batch { end, height, partition_root: partition_root(records(end)) };
    fields.batches = batches.iter().map(batch).collect();
    fields.records = records(fields.batches.last().map_or(0, |batch| batch.end)).to_vec();
    Commitment::new(fields).expect("batches that follow one another")
}

/// A miner that records a batch every few blocks, so that the last one is never F blocks old. The one that is old enough is
/// in force, and challenges are about it.
#[test]
fn audits_evaded_by_ever_new_batches() {
    let partition = TestPartition::honest(registration(shape(10, 2), 7), 8);
    let evading =
        with_batches(&partition, &[(6, BATCH_HEIGHT), (7, BATCH_HEIGHT + 5), (8, BATCH_HEIGHT + 11)]);
    for (height, windows) in [(CHALLENGE_HEIGHT, 6), (CHALLENGE_HEIGHT + 5, 7), (CHALLENGE_HEIGHT + 11, 8)] {
        let newest = Challenge::space(&evading, [9; 32], height, 4, 5_000);
        let evaded = class(newest.check_against(&evading, FINALITY_BLOCKS)) == Some(Class::NotFinal);
        assert_eq!(evaded, windows < 8, "the evasion, at height {height}");

        let in_force = evading.in_force(height, FINALITY_BLOCKS).expect("a batch is old enough");
        assert_eq!(in_force.window_count(), windows);
        assert_eq!(
            *in_force,
            Commitment::new(CommitmentFields::clone(&in_force)).expect("agrees with itself")
        );
        let challenge = Challenge::space(&in_force, [9; 32], height, 4, 5_000);
        assert_eq!(class(challenge.check_against(&in_force, FINALITY_BLOCKS)), None);
        let answer = partition.answer_space(&challenge);
        assert_eq!(class(verify_space(backend(), &in_force, &challenge, &answer)), None);
        if windows < 8 {
            assert_eq!(
                class(verify_space(backend(), &evading, &challenge, &answer)),
                Some(Class::WrongChallenge)
            );
        }
    }
    assert_eq!(class(evading.in_force(CHALLENGE_HEIGHT - 1, FINALITY_BLOCKS)), Some(Class::NotFinal));
    assert_eq!(class(evading.in_force(u64::MAX, u64::MAX)), None, "every height is as old as time");
}

/// Windows trimmed between the audit height and F blocks before it are still asked for, by the commitment of then.
#[test]
fn challenged_windows_trimmed_away() {
    let before = with_batches(&PARTITION, &[(6, BATCH_HEIGHT)]);
    let trimmed = with_batches(&PARTITION, &[(6, BATCH_HEIGHT), (4, BATCH_HEIGHT + 5)]);
    assert_eq!(class(trimmed.in_force(CHALLENGE_HEIGHT, FINALITY_BLOCKS)), Some(Class::WrongRecord));
    let challenge = Challenge::space(&before, [9; 32], CHALLENGE_HEIGHT, 6, 5_000);
    assert_eq!(
        class(challenge.check_against(&before, FINALITY_BLOCKS)),
        None,
        "the commitment of then is kept"
    );
    let after = trimmed.in_force(CHALLENGE_HEIGHT + 5, FINALITY_BLOCKS).expect("the trim is in force");
    assert_eq!(after.window_count(), 4);
}
