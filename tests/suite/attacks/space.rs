//! Attacks on the space audit.

use std::sync::LazyLock;

use holdfast_engine::account::Account;
use holdfast_engine::challenge::{Challenge, Terms};
use holdfast_engine::rejection::Class;
use holdfast_engine::space::response::{HEADER_BYTES, encode_response, opening_bytes, response_bytes};
use holdfast_engine::space::verify::{SpaceCase, verify_space, verify_space_batch};
use holdfast_engine::tree::{Outboard, chunk_value};
use holdfast_tests::partition::{TestPartition, TestWindow, beacon, registration, shape};

use crate::{backend, class};

static PARTITION: LazyLock<TestPartition> =
    LazyLock::new(|| TestPartition::honest(registration(shape(10, 3), 7), 12));

fn challenge() -> Challenge {
    PARTITION.space_challenge(1, 8)
}

fn refusal(challenge: &Challenge, response: &[u8]) -> Option<Class> {
    class(verify_space(backend(), &PARTITION.commitment, challenge, response))
}

/// The honest openings, for attacks to start from.
fn openings() -> Vec<Vec<u8>> {
    let samples = challenge().space_samples();
    samples.iter().map(|sample| PARTITION.open(sample.window, sample.chunk)).collect()
}

fn refusal_of_openings(openings: &[Vec<u8>]) -> Option<Class> {
    // Not `encode_response`, which asserts what attackers do not keep to.
    let header = &encode_response(&challenge(), &self::openings())[..HEADER_BYTES];
    refusal(&challenge(), &[header, &openings.concat()].concat())
}

/// The control: without it, every refusal below could be for another reason.
#[test]
fn honest_answer_is_accepted() {
    assert_eq!(refusal_of_openings(&openings()), None);
    for round in 0..20 {
        let challenge = PARTITION.space_challenge(round, 12);
        assert_eq!(refusal(&challenge, &PARTITION.answer_space(&challenge)), None, "round {round}");
    }
}

#[test]
fn nothing_stored_self_made_root() {
    let self_made = TestWindow::of(vec![vec![0; 32 << 10]; 3]);
    let outboard = Outboard::of(self_made.bytes());
    let samples = challenge().space_samples();
    let openings: Vec<_> = samples.iter().map(|s| outboard.open(self_made.bytes(), s.chunk)).collect();
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

#[test]
fn nothing_stored_empty_path() {
    let chunks: Vec<_> = openings().iter().map(|opening| opening[..1024].to_vec()).collect();
    assert_eq!(refusal_of_openings(&chunks), Some(Class::WrongLength));
}

#[test]
fn nothing_stored_empty_chunk() {
    let paths: Vec<_> = openings().iter().map(|opening| opening[1024..].to_vec()).collect();
    assert_eq!(refusal_of_openings(&paths), Some(Class::WrongLength));
    let zeros: Vec<_> = openings().iter().map(|opening| [&[0; 1024], &opening[1024..]].concat()).collect();
    assert_eq!(refusal_of_openings(&zeros), Some(Class::WrongRoot));
}

#[test]
fn nothing_stored_no_openings() {
    assert_eq!(refusal(&challenge(), &[]), Some(Class::WrongLength));
    assert_eq!(refusal_of_openings(&[]), Some(Class::WrongLength));
}

/// The prototype's suffix-seed trick: a cached hash instead of the bytes.
#[test]
fn cached_chaining_values_instead_of_data() {
    let samples = challenge().space_samples();
    let cached: Vec<_> = openings()
        .iter()
        .zip(samples)
        .map(|(opening, sample)| {
            let mut bytes = [0; 1024];
            bytes[..32].copy_from_slice(&chunk_value(sample.chunk, &opening[..1024]));
            [&bytes, &opening[1024..]].concat()
        })
        .collect();
    assert_eq!(refusal_of_openings(&cached), Some(Class::WrongRoot));
}

#[test]
fn cached_answer_of_an_earlier_round() {
    let earlier = PARTITION.answer_space(&PARTITION.space_challenge(0, 8));
    assert_eq!(refusal(&challenge(), &earlier), Some(Class::WrongChallenge));
    let renamed = [&encode_response(&challenge(), &openings())[..HEADER_BYTES], &earlier[HEADER_BYTES..]];
    assert_eq!(refusal(&challenge(), &renamed.concat()), Some(Class::WrongRoot));
}

#[test]
fn other_index() {
    let mut openings = openings();
    let sample = challenge().space_samples()[3];
    openings[3] = PARTITION.open(sample.window, sample.chunk ^ 1);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

#[test]
fn duplicated_index() {
    let mut openings = openings();
    openings[3] = openings[2].clone();
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

#[test]
fn other_window() {
    let mut openings = openings();
    let sample = challenge().space_samples()[0];
    openings[0] = PARTITION.open((sample.window + 1) % 12, sample.chunk);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

#[test]
fn other_layer() {
    let mut openings = openings();
    let sample = challenge().space_samples()[0];
    let inner = &PARTITION.windows[sample.window as usize].layers[1];
    openings[0] = Outboard::of(inner).open(inner, sample.chunk);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

/// The answer of one partition for another of the same pair.
#[test]
fn other_partition() {
    let other = TestPartition::honest(registration(shape(10, 3), 8), 12);
    let theirs = other.space_challenge(1, 8);
    let answer = other.answer_space(&theirs);
    assert_eq!(class(verify_space(backend(), &other.commitment, &theirs, &answer)), None);
    assert_eq!(refusal(&theirs, &answer), Some(Class::WrongChallenge));
    assert_eq!(refusal(&challenge(), &answer), Some(Class::WrongChallenge));
}

/// Every field that names a place or a party: a challenge that differs is not one of this partition, and an answer to it
/// is no answer to ours.
#[test]
fn other_miner_validator_network_height_beacon_and_shape() {
    type Change = fn(&mut Terms);
    let changes: [(&str, Change); 9] = [
        ("miner", |t| t.miner = Account([9; 32])),
        ("validator", |t| t.validator = Account([9; 32])),
        ("network", |t| t.network = [9; 32]),
        ("partition id", |t| t.partition_id += 1),
        ("registration", |t| t.registration_digest = [9; 32]),
        ("partition root", |t| t.partition_root = [9; 32]),
        ("window count", |t| t.window_count -= 1),
        ("k", |t| t.shape = shape(11, 3)),
        ("layers", |t| t.shape = shape(10, 4)),
    ];
    let ours = challenge();
    for (name, change) in changes {
        let mut terms = Terms::clone(&ours);
        change(&mut terms);
        let other = Challenge::new(terms).expect("in range");
        assert_ne!(other.seed(), ours.seed(), "{name}");
        assert_eq!(refusal(&other, &PARTITION.answer_space(&ours)), Some(Class::WrongChallenge), "{name}");
    }
    let at_other_place: [(&str, Change); 2] =
        [("height", |t| t.height += 1), ("beacon", |t| t.beacon = beacon(99))];
    for (name, change) in at_other_place {
        let mut terms = Terms::clone(&ours);
        change(&mut terms);
        let other = Challenge::new(terms).expect("in range");
        assert_ne!(other.seed(), ours.seed(), "{name}");
        let answer = PARTITION.answer_space(&other);
        assert_eq!(refusal(&other, &answer), None, "{name}: the control");
        assert_eq!(refusal(&ours, &answer), Some(Class::WrongChallenge), "{name}");
    }
}

#[test]
fn other_kind() {
    let seal = PARTITION.seal_challenge(1, 8);
    let answer = PARTITION.answer_seal(&seal);
    assert_eq!(refusal(&seal, &answer), Some(Class::WrongChallenge));
    assert_eq!(refusal(&challenge(), &answer), Some(Class::WrongChallenge));
}

#[test]
fn truncated_path() {
    let mut openings = openings();
    let length = openings[7].len();
    openings[7].truncate(length - 32);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongLength));
}

#[test]
fn over_long_path() {
    let mut openings = openings();
    openings[7].extend([0; 32]);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongLength));
}

/// One path too short and one too long: the whole has the right length, but every opening must.
#[test]
fn truncated_and_over_long_paths_that_cancel() {
    let mut openings = openings();
    let moved = openings[2].split_off(opening_bytes(challenge().shape) - 32);
    openings[3].extend(moved);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

#[test]
fn trailing_bytes() {
    for extra in [1, 32, opening_bytes(challenge().shape)] {
        let response = [PARTITION.answer_space(&challenge()), vec![0; extra]].concat();
        assert_eq!(refusal(&challenge(), &response), Some(Class::WrongLength), "{extra}");
    }
}

#[test]
fn reordered_openings() {
    let mut openings = openings();
    openings.swap(0, 1);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

#[test]
fn reordered_siblings() {
    let mut openings = openings();
    let (left, right) = openings[0][1024..].split_at_mut(32);
    left.swap_with_slice(&mut right[..32]);
    assert_eq!(refusal_of_openings(&openings), Some(Class::WrongRoot));
}

/// Each zero byte of the header, and the counts.
#[test]
fn non_zero_padding_and_other_counts() {
    let response = PARTITION.answer_space(&challenge());
    for byte in [5, 6, 7, 12, 13, 14, 15] {
        let mut bad = response.clone();
        bad[byte] = 1;
        assert_eq!(refusal(&challenge(), &bad), Some(Class::Malformed), "byte {byte}");
    }
    for samples in [0u32, 7, 9, u32::MAX] {
        let mut bad = response.clone();
        bad[8..12].copy_from_slice(&samples.to_le_bytes());
        assert_eq!(refusal(&challenge(), &bad), Some(Class::Malformed), "{samples} samples");
    }
}

/// One flipped bit anywhere behind the header, in every opening.
#[test]
fn flipped_bits() {
    let response = PARTITION.answer_space(&challenge());
    assert_eq!(response.len(), response_bytes(&challenge()));
    for byte in (HEADER_BYTES..response.len()).step_by(97) {
        let mut bad = response.clone();
        bad[byte] ^= 1 << (byte % 8);
        assert_eq!(refusal(&challenge(), &bad), Some(Class::WrongRoot), "byte {byte}");
    }
}

/// Samples and deadline are policy: they lengthen or shorten the same sequence and steer nothing.
#[test]
fn samples_and_deadline_do_not_steer() {
    let few = PARTITION.space_challenge(1, 4);
    let more = PARTITION.space_challenge(1, 9);
    let hurried = Challenge::new(Terms { deadline_ms: 1, ..Terms::clone(&few) }).expect("in range");
    assert_eq!(few.seed(), more.seed());
    assert_eq!(few.space_samples(), more.space_samples()[..4]);
    assert_eq!(few.space_samples(), hurried.space_samples());
    assert_ne!(few.digest(), more.digest());
    assert_ne!(few.digest(), hurried.digest());
}

/// One bad response among a thousand, of two partitions with windows of different sizes, is named, and only that one.
#[test]
fn one_bad_response_among_a_thousand_is_named() {
    let larger = TestPartition::honest(registration(shape(12, 2), 9), 3);
    let partitions = [&*PARTITION, &larger];
    let rounds: Vec<_> = (0..1_000)
        .map(|round| {
            let partition = partitions[round as usize % 2];
            let challenge = partition.space_challenge(round, 3);
            let answer = partition.answer_space(&challenge);
            (partition, challenge, answer)
        })
        .collect();
    let mut answers: Vec<_> = rounds.iter().map(|(_, _, answer)| answer.clone()).collect();
    answers[617][HEADER_BYTES + 5] ^= 1;
    answers[618].pop();
    answers[619][17] ^= 1;
    let cases: Vec<_> = rounds
        .iter()
        .zip(&answers)
        .map(|((partition, challenge, _), response)| SpaceCase {
            commitment: &partition.commitment,
            challenge,
            response,
        })
        .collect();
    let verdicts = verify_space_batch(backend(), &cases);
    let refused: Vec<_> =
        verdicts.into_iter().enumerate().filter_map(|(i, verdict)| Some((i, class(verdict)?))).collect();
    assert_eq!(refused, [(617, Class::WrongRoot), (618, Class::WrongLength), (619, Class::WrongChallenge)]);
}
