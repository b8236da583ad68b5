#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

mod reading;
mod rebuilding;
mod streams;

use std::io;

use proptest::prelude::*;

use super::*;

fn secret() -> PlacementSecret {
    PlacementSecret::of_bytes([7; 32])
}

fn policy(segment_bytes: u64, data_shards: u8, shards: u8) -> Policy {
    Policy::new(segment_bytes, data_shards, shards).unwrap()
}

/// Bytes without a period that the code could fall in step with.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(b"file").finalize_xof().fill(&mut bytes);
    bytes
}

fn encoded(policy: Policy, file: &[u8]) -> (Vec<EncodedSegment<Vec<u8>>>, Content) {
    let secret = secret();
    let mut encoder = Encoder::new(file, policy, &secret);
    let mut segments = Vec::new();
    while let Some(segment) = encoder.next_segment(|_| Ok(Vec::new())).unwrap() {
        segments.push(segment);
    }
    (segments, encoder.content())
}

fn sources<'a>(segment: &'a EncodedSegment<Vec<u8>>, shards: &[u8]) -> Vec<PieceSource<&'a [u8]>> {
    let shard = |&shard: &u8| &segment.shards[usize::from(shard)];
    shards
        .iter()
        .map(shard)
        .map(|shard| PieceSource { piece: shard.piece, reader: &shard.sink[..] })
        .collect()
}

/// All of a file, each segment read from the shards that `choose` gives.
fn decoded(
    policy: Policy,
    segments: &[EncodedSegment<Vec<u8>>],
    length: usize,
    choose: impl Fn(u32) -> Vec<u8>,
) -> Vec<u8> {
    let (secret, layout) = (secret(), FileLayout::new(length as u64, policy));
    let mut file = Vec::new();
    for segment in segments {
        let code = SegmentCode::new(&layout, policy, &secret, segment.segment).unwrap();
        assert_eq!(code.layout().length_bytes(), segment.length_bytes);
        let all = 0..segment.length_bytes;
        code.decode(all, sources(segment, &choose(segment.segment)), &mut file).unwrap();
    }
    file
}

/// Lengths at which something begins or ends: nothing, the code's unit, a block, a stripe, a segment, several of each.
fn lengths(policy: Policy) -> Vec<usize> {
    let (part, k) = (PART_BYTES as usize, usize::from(policy.data_shards()));
    let segment = policy.segment_bytes() as usize;
    let edges = [31, 64, 64 * k, part, part * k, 2 * part * k, segment, 2 * segment, 3 * segment + part];
    let mut lengths: Vec<usize> = edges.iter().flat_map(|&edge| [edge - 1, edge, edge + 1]).collect();
    lengths.extend([0, 1]);
    lengths
}

/// Bugs this would catch: a tail that is cut off or padded, parts in another order, a short last stripe that is split otherwise
/// than it is joined, parity under another shard's number.
#[test]
fn files_of_every_length_come_back_from_any_k_pieces() {
    let policies =
        [policy(200_000, 1, 3), policy(131_072, 2, 3), policy(100_001, 3, 5), policy(400_000, 5, 16)];
    for policy in policies {
        for length in lengths(policy) {
            let file = bytes(length);
            let (segments, content) = encoded(policy, &file);
            let total: u64 = segments.iter().map(|segment| segment.length_bytes).sum();
            assert_eq!(total, length as u64);
            assert_eq!(content, Content { root: *blake3::hash(&file).as_bytes(), length_bytes: total });
            let (k, n) = (policy.data_shards(), policy.shards());
            let choices: [Vec<u8>; 3] =
                [(0..k).collect(), (n - k..n).collect(), (0..n).step_by(2).chain(1..n).collect()];
            for choice in choices {
                let found = decoded(policy, &segments, length, |_| choice.clone());
                assert!(found == file, "{policy}, {length} bytes, shards {choice:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_policy_any_range_any_k_pieces(
        (k, n) in prop_oneof![Just(1u8), 1u8..=12].prop_flat_map(|k| (Just(k), k..=24)),
        segment_bytes in 1u64..300_000,
        length in 1usize..400_000,
        (from, to) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        seed in any::<u64>(),
    ) {
        // Short segments make many, and all are coded.
        let policy = policy(segment_bytes.max(length as u64 / 20), k, n);
        let file = bytes(length);
        let (segments, _) = encoded(policy, &file);
        let (secret, layout) = (secret(), FileLayout::new(length as u64, policy));
        let (a, b) = (from.index(length + 1), to.index(length + 1));
        let range = a.min(b) as u64..a.max(b) as u64;
        let mut found = Vec::new();
        for (number, range) in layout.segments_over(&range) {
            let segment = &segments[number as usize];
            let code = SegmentCode::new(&layout, policy, &secret, segment.segment).unwrap();
            // Any k of the n, by sorting on a hash.
            let mut shards: Vec<u8> = (0..n).collect();
            shards.sort_by_key(|shard| *blake3::hash(&[&seed.to_le_bytes()[..], &[*shard]].concat()).as_bytes());
            let needed = code.layout().piece_range(&range);
            let readers: Vec<_> = sources(segment, &shards[..k.into()]).into_iter().map(|source| PieceSource {
                reader: &source.reader[needed.start as usize..needed.end as usize],
                ..source
            }).collect();
            let at_hand = readers.iter().map(|source| PieceSource { piece: source.piece, reader: source.reader.to_vec() });
            let parts = code.decode_parts(range.clone(), at_hand.collect()).unwrap();
            let before = found.len();
            code.decode(range, readers, &mut found).unwrap();
            prop_assert!(found[before..] == parts);
        }
        prop_assert!(found == file[range.start as usize..range.end as usize]);
    }

    /// Every byte of every file lies in exactly one segment, whatever the numbers: FileTAO counted groups by rounding down and
    /// chunks by rounding up, and lost what was between (800 MiB lost 32).
    #[test]
    fn segments_cover_every_byte_once(length in any::<u64>(), segment_bytes in 1u64..=Policy::SEGMENT_BYTES_MAX) {
        let layout = FileLayout::new(length, policy(segment_bytes, 3, 5));
        let count = layout.segment_count();
        prop_assert!(layout.segment(count).is_none());
        if count > 0 {
            let last = layout.segment(count - 1).unwrap().length_bytes();
            prop_assert!((1..=segment_bytes).contains(&last));
            let before = u128::from(count - 1) * u128::from(segment_bytes);
            prop_assert_eq!(before + u128::from(last), u128::from(length));
        }
    }

    /// Pieces have the length that the layout says, so that manifests need not say it.
    #[test]
    fn pieces_are_as_long_as_the_layout_says(length in 1u64..2_000_000, k in 1u8..=255, n in 1u8..=255) {
        prop_assume!(k <= n);
        let layout = FileLayout::new(length, policy(Policy::SEGMENT_BYTES_MAX, k, n)).segment(0).unwrap();
        let shard = layout.shard_bytes();
        prop_assert!(shard * u64::from(k) >= length);
        // What is over is less than a unit of the code for each data shard.
        prop_assert!(shard * u64::from(k) < length + 64 * u64::from(k));
        prop_assert_eq!(layout.piece_range(&(0..length)), 0..shard);
    }
}

#[test]
fn policies_are_read_as_they_are_written() {
    for policy in Policy::NAMED {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    assert_eq!("1-of-3".parse(), Ok(Policy::REPLICATE_3));
    assert_eq!("255-of-255".parse::<Policy>().unwrap().tolerance(), 0);
    for text in
        ["", "3", "replicate-", "replicate-256", "-1-of-3", "3 of 5", "3-of-5-of-7", "replicate-3-of-5"]
    {
        assert!(matches!(text.parse::<Policy>(), Err(PolicyError::NotAPolicy { .. })), "{text}");
    }
    for (data_shards, shards) in [(0, 3), (4, 3), (0, 0)] {
        let error = PolicyError::ShardCounts { data_shards, shards };
        assert_eq!(Policy::new(1, data_shards, shards), Err(error));
    }
    for found in [0, Policy::SEGMENT_BYTES_MAX + 1, u64::MAX] {
        assert_eq!(Policy::new(found, 1, 1), Err(PolicyError::SegmentBytes { found }));
    }
}

#[test]
fn secrets_are_not_shown() {
    let secret = PlacementSecret::of_bytes([0xab; 32]);
    let encoder = Encoder::new(io::empty(), Policy::REPLICATE_3, &secret);
    let code = SegmentCode::new(&FileLayout::new(1, Policy::REPLICATE_3), Policy::REPLICATE_3, &secret, 0);
    for shown in [format!("{secret:?}"), format!("{encoder:?}"), format!("{code:?}")] {
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
    }
}
