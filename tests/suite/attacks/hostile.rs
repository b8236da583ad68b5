//! Hostile messages: every decoder is total, and refuses before it allocates.

use std::sync::LazyLock;

use holdfast_engine::challenge::{CHALLENGE_BYTES, Challenge};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::rejection::Class;
use holdfast_engine::space::record::{RECORD_BYTES, WindowRecord};
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::verify_space;
use holdfast_tests::partition::{TestPartition, registration, shape};
use proptest::prelude::*;

use crate::{backend, class};

static PARTITION: LazyLock<TestPartition> =
    LazyLock::new(|| TestPartition::honest(registration(shape(10, 2), 7), 4));

/// Valid bytes, overwritten, cut, or lengthened somewhere.
fn mutations(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..9));
    (prop::collection::vec(change, 1..4), any::<prop::sample::Index>(), 0..4).prop_map(
        move |(changes, cut, what)| {
            let mut bytes = valid.clone();
            for (at, new) in changes {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + new.len());
                bytes[at..end].copy_from_slice(&new[..end - at]);
            }
            match what {
                0 => bytes.truncate(cut.index(bytes.len())),
                1 => bytes.extend(vec![0; cut.index(2_000)]),
                _ => (),
            }
            bytes
        },
    )
}

fn arbitrary() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..3_000)
}

fn tagged(tag: &'static [u8; 4]) -> impl Strategy<Value = Vec<u8>> {
    arbitrary().prop_map(move |bytes| [&tag[..], &bytes].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn window_records(bytes in prop_oneof![
        arbitrary(),
        tagged(b"HFW1"),
        mutations(PARTITION.commitment.records[1].encode().to_vec()),
    ]) {
        if let Ok(record) = WindowRecord::decode(&bytes) {
            prop_assert_eq!(record.encode().to_vec(), bytes);
        }
    }

    /// What is accepted is canonical: it encodes to the same bytes.
    #[test]
    fn commitments(bytes in prop_oneof![arbitrary(), tagged(b"HFC1"), mutations(PARTITION.commitment.encode())]) {
        if let Ok(commitment) = Commitment::decode(&bytes) {
            prop_assert_eq!(commitment.encode(), bytes);
        }
    }

    #[test]
    fn challenges(bytes in prop_oneof![
        arbitrary(),
        tagged(b"HFQ1"),
        mutations(PARTITION.space_challenge(1, 2).encode().to_vec()),
        mutations(PARTITION.seal_challenge(1, 2).encode().to_vec()),
    ]) {
        if let Ok(challenge) = Challenge::decode(&bytes) {
            prop_assert_eq!(challenge.encode().to_vec(), bytes);
            if challenge.samples < 1_000 {
                prop_assert!(challenge.windows().iter().all(|w| w - challenge.first_window < challenge.window_count));
                prop_assert!(challenge.space_samples().iter().all(|s| s.chunk < challenge.shape.chunks()));
            }
        }
    }

    #[test]
    fn space_responses(bytes in prop_oneof![
        arbitrary(),
        tagged(b"HFA1"),
        mutations(PARTITION.answer_space(&PARTITION.space_challenge(1, 4))),
    ]) {
        let challenge = PARTITION.space_challenge(1, 4);
        let accepted = verify_space(backend(), &PARTITION.commitment, &challenge, &bytes).is_ok();
        prop_assert_eq!(accepted, bytes == PARTITION.answer_space(&challenge));
    }

    #[test]
    fn seal_responses(bytes in prop_oneof![
        arbitrary(),
        tagged(b"HFA1"),
        mutations(PARTITION.answer_seal(&PARTITION.seal_challenge(1, 1))),
    ]) {
        let challenge = PARTITION.seal_challenge(1, 1);
        let accepted = verify_seal(backend(), &PARTITION.commitment, &challenge, &bytes).is_ok();
        prop_assert_eq!(accepted, bytes == PARTITION.answer_seal(&challenge));
    }
}

/// Counts that would be terabytes, in messages of a few bytes: refused by length, before anything is allocated for them.
#[test]
fn huge_counts_are_refused_before_allocation() {
    let commitment = PARTITION.commitment.encode();
    let with = |offset: usize, value: &[u8]| {
        let mut bytes = commitment.clone();
        bytes[offset..offset + value.len()].copy_from_slice(value);
        class(Commitment::decode(&bytes))
    };
    assert_eq!(with(4, &u32::MAX.to_le_bytes()), Some(Class::Malformed), "batches");
    assert_eq!(with(4, &0u32.to_le_bytes()), Some(Class::Malformed), "no batches");
    assert_eq!(with(4, &4096u32.to_le_bytes()), Some(Class::WrongLength), "batches that are not there");
    assert_eq!(with(240, &u64::MAX.to_le_bytes()), Some(Class::WrongLength), "windows");
    assert_eq!(with(240, &(1u64 << 54).to_le_bytes()), Some(Class::WrongLength), "windows that overflow");
    assert_eq!(with(240, &5u64.to_le_bytes()), Some(Class::WrongLength), "a window too many");

    let mut challenge = PARTITION.space_challenge(1, 4).encode();
    challenge[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    challenge[232..236].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(class(Challenge::decode(&challenge)), Some(Class::Malformed), "samples");
    challenge[232..236].copy_from_slice(&(1u32 << 20).to_le_bytes());
    let most = Challenge::decode(&challenge).expect("a million samples of more windows than there are");
    let refused = verify_space(backend(), &PARTITION.commitment, &most, &[]);
    assert_eq!(class(refused), Some(Class::WrongChallenge), "before it is expanded");
}

/// Every prefix, and every zero field.
#[test]
fn truncated_messages_and_non_zero_padding() {
    let record = PARTITION.commitment.records[0].encode();
    for length in 0..RECORD_BYTES {
        assert_eq!(class(WindowRecord::decode(&record[..length])), Some(Class::WrongLength), "{length}");
    }
    for byte in [6, 7].into_iter().chain(112..RECORD_BYTES) {
        let mut bad = record;
        bad[byte] = 1;
        assert_eq!(class(WindowRecord::decode(&bad)), Some(Class::Malformed), "byte {byte}");
    }
    let challenge = PARTITION.space_challenge(1, 4).encode();
    for length in 0..CHALLENGE_BYTES {
        assert_eq!(class(Challenge::decode(&challenge[..length])), Some(Class::WrongLength), "{length}");
    }
    for (byte, value) in [(0, 0), (4, 0), (4, 3), (5, 9), (5, 31), (6, 1), (6, 65), (7, 1), (24, 1), (232, 0)]
    {
        let mut bad = challenge;
        bad[byte] = value;
        assert_eq!(class(Challenge::decode(&bad)), Some(Class::Malformed), "byte {byte} = {value}");
    }
    let commitment = PARTITION.commitment.encode();
    for length in 0..commitment.len() {
        assert_eq!(class(Commitment::decode(&commitment[..length])), Some(Class::WrongLength), "{length}");
    }
}
