//! tree-v1 against the official BLAKE3 crate and against `bao`, over the lengths where trees change shape.

#![allow(clippy::cast_possible_truncation, reason = "lengths of tests are small")]

use std::io::Read;

use holdfast_engine::backend::{self, Backend, State};
use holdfast_engine::rejection::Class;
use holdfast_engine::tree::{
    BLOCK_BYTES, BLOCK_CHUNKS, CHUNK_BYTES, Claim, Climb, Opening, Outboard, Page, Shown, Source,
    chunk_count, chunk_value, leads_to_root, open_chunk, open_chunks, opening_bytes, page_count, page_over,
    parent_value, root, verify_opening, verify_openings,
};
use proptest::prelude::*;

fn string(length: usize) -> Vec<u8> {
    (0..length).map(|t| (t % 251) as u8).collect()
}

fn backends() -> Vec<&'static dyn Backend> {
    let present = |presence: backend::Presence| match presence.state {
        State::Present(backend) => Some(backend),
        State::Absent(_) => None,
    };
    backend::survey().into_iter().filter_map(present).collect()
}

/// Around every border of chunk, block and page, and odd counts in between. Catches a carried node that is lost, a last
/// chunk or page of the wrong size, and a second page that begins one block early or late.
fn lengths() -> Vec<usize> {
    let mut lengths = vec![0, 1, 300, 11 * CHUNK_BYTES + 300];
    let chunks = [1, 2, 3, 5, 15, 16, 17];
    let blocks = [1, 2, 3, 5, 7, 13, 63, 64, 65, 66, 97, 127, 128, 129, 200];
    let borders = chunks.map(|c| c * CHUNK_BYTES).into_iter().chain(blocks.map(|b| b * BLOCK_BYTES));
    lengths.extend(borders.flat_map(|border| [border - 1, border, border + 1]));
    lengths
}

/// All chunks of a short string; of a long one those beside block and page borders and the last ones.
fn indices(length: usize) -> Vec<u64> {
    let count = chunk_count(length as u64);
    (0..count).filter(|i| count <= 40 || [0, 1, 15].contains(&(i % 512)) || i + 20 > count).collect()
}

/// The bao slice of the same chunk: the length, every parent from the root down with both children, and the chunk.
fn bao_slice(index: u64, length: u64, opening: &[u8]) -> Vec<u8> {
    let siblings = 32 * Climb::new(index, chunk_count(length)).siblings().count();
    let (chunk, siblings) = opening.split_at(opening.len() - siblings);
    let mut parents = Vec::new();
    let mut value = if siblings.is_empty() { [0; 32] } else { chunk_value(index, chunk) };
    for (sibling, step) in
        siblings.as_chunks().0.iter().zip(Climb::new(index, chunk_count(length)).siblings())
    {
        let (left, right) = if step.on_right { (&value, sibling) } else { (sibling, &value) };
        parents.push([*left, *right].concat());
        value = parent_value(left, right);
    }
    parents.reverse();
    [&length.to_le_bytes()[..], &parents.concat(), chunk].concat()
}

#[test]
fn roots_are_plain_blake3() {
    for length in lengths() {
        assert_eq!(
            Outboard::of(&string(length)).root(),
            *blake3::hash(&string(length)).as_bytes(),
            "{length}"
        );
    }
}

#[test]
fn openings_verify_and_bao_accepts_them_as_slices() {
    for length in lengths() {
        let bytes = string(length);
        let outboard = Outboard::of(&bytes);
        for index in indices(length) {
            let opening = outboard.open(&bytes, index);
            let chunk = verify_opening(index, length as u64, &outboard.root(), &opening);
            let start = index as usize * CHUNK_BYTES;
            assert_eq!(
                chunk,
                Ok(&bytes[start..length.min(start + CHUNK_BYTES)]),
                "chunk {index} of {length}"
            );

            let slice = bao_slice(index, length as u64, &opening);
            let hash = blake3::Hash::from_bytes(outboard.root());
            let mut decoder = bao::decode::SliceDecoder::new(
                slice.as_slice(),
                &bao::Hash::from(*hash.as_bytes()),
                start as u64,
                CHUNK_BYTES as u64,
            );
            let mut decoded = Vec::new();
            decoder.read_to_end(&mut decoded).unwrap_or_else(|e| panic!("chunk {index} of {length}: {e}"));
            assert_eq!(Ok(decoded.as_slice()), chunk, "chunk {index} of {length}");
        }
    }
}

fn string_of_blocks(blocks: usize) -> Outboard {
    let values = (0..blocks as u64).map(|block| *blake3::hash(&block.to_le_bytes()).as_bytes()).collect();
    Outboard::from_block_values((blocks * BLOCK_BYTES) as u64, values)
}

/// On every back end, for every shape of tree: a carried block, group or short last chunk, a lone block without a page.
#[test]
fn a_block_and_its_page_open_as_the_whole_string_does() {
    for length in lengths() {
        let bytes = string(length);
        let outboard = Outboard::of(&bytes);
        let pages: Vec<Page> = outboard.pages().collect();
        assert_eq!(pages.len() as u64, page_count(length as u64), "{length}");
        let source = |&index: &u64| {
            let block = index as usize / BLOCK_CHUNKS;
            let start = block * BLOCK_BYTES;
            let block_bytes = &bytes[start..length.min(start + BLOCK_BYTES)];
            Source { index, block: block_bytes, page: pages.get(page_over(block as u64) as usize) }
        };
        let indices = indices(length);
        let sources: Vec<_> = indices.iter().map(source).collect();
        let wanted: Vec<_> = indices.iter().map(|&index| outboard.open(&bytes, index)).collect();
        for backend in backends() {
            let openings = open_chunks(backend, length as u64, &sources);
            assert_eq!(openings.len(), wanted.len());
            for ((opening, wanted), index) in openings.iter().zip(&wanted).zip(&indices) {
                assert!(opening == wanted, "chunk {index} of {length}, {}", backend.name());
            }
        }
    }
}

/// The negative control of the test above: each part of a block and a page that an opening needs is looked at.
#[test]
fn changed_blocks_and_pages_give_other_openings() {
    let bytes = string(130 * BLOCK_BYTES);
    let outboard = Outboard::of(&bytes);
    let pages: Vec<Page> = outboard.pages().collect();
    let (index, block) = (5 * 16 + 3, bytes[5 * BLOCK_BYTES..6 * BLOCK_BYTES].to_vec());
    let open = |block: &[u8], page: &Page| {
        let source = Source { index, block, page: Some(page) };
        open_chunks(backends()[0], bytes.len() as u64, &[source]).swap_remove(0)
    };
    let wanted = outboard.open(&bytes, index);
    assert_eq!(open(&block, &pages[0]), wanted);
    for chunk in 0..BLOCK_CHUNKS {
        let mut block = block.clone();
        block[chunk * CHUNK_BYTES] ^= 1;
        assert_ne!(open(&block, &pages[0]), wanted, "chunk {chunk}");
    }
    // Of three pages the first has two siblings above it. The block's own value is no part of its opening.
    let used = (0..64).filter(|&value| value != 5).chain([64, 65]);
    for value in used {
        let mut page = pages[0];
        page[if value < 64 { value * 32 } else { 2048 + (value - 64) * 32 }] ^= 1;
        assert_ne!(open(&block, &page), wanted, "value {value}");
    }
    assert_ne!(open(&block, &pages[1]), wanted);
}

/// The figures of tree-v1 §4.
#[test]
fn page_counts_are_those_of_the_spec() {
    let block = BLOCK_BYTES as u64;
    let counts = [0, 1, block, block + 1, 64 * block, 64 * block + 1, 1 << 30].map(page_count);
    assert_eq!(counts, [0, 0, 0, 1, 1, 2, 1024]);
    assert_eq!(page_count(u64::MAX), 1 << 44, "no overflow at the longest string that can be said");
}

/// Catches a path that begins in the wrong place, misses the carried group or runs over its half of the page.
#[test]
fn a_page_has_its_blocks_values_a_path_and_zeros() {
    // 3 groups, the last of 7 blocks; 1,024 groups; 64 blocks without anything above.
    for (blocks, paths) in [(135, [2, 2, 1].as_slice()), (65_536, &[10; 1024]), (64, &[0]), (3, &[0])] {
        let outboard = string_of_blocks(blocks);
        let pages: Vec<Page> = outboard.pages().collect();
        assert_eq!(pages.len(), paths.len());
        for ((number, page), &path) in pages.iter().enumerate().zip(paths) {
            let values = page.as_chunks::<32>().0;
            let here = (blocks - 64 * number).min(64);
            let first = 64 * number as u64;
            let whole_path = outboard.path(first);
            assert_eq!(
                values[64..64 + path],
                whole_path[whole_path.len() - path..],
                "page {number} of {blocks}"
            );
            let is_zero = |value: &[u8; 32]| *value == [0; 32];
            assert!(!values[..here].iter().any(is_zero) && values[here..64].iter().all(is_zero));
            assert!(values[64 + path..].iter().all(is_zero), "page {number} of {blocks}");
            for (inside, value) in values[..here].iter().enumerate() {
                let block = first + inside as u64;
                assert_eq!(value, blake3::hash(&block.to_le_bytes()).as_bytes());
            }
        }
    }
}

/// A root fixes the length only through its final chunk: chunk 0 of 11 KiB + 300 B verifies for every length of that
/// tree shape. That is why lengths come from registered records, never from a response.
#[test]
fn slice_of_an_earlier_chunk_verifies_for_many_lengths_of_the_same_tree_shape() {
    let bytes = string(11 * 1024 + 300);
    let outboard = Outboard::of(&bytes);
    let opening = outboard.open(&bytes, 0);
    let accepted =
        (0..40_000).filter(|&length| verify_opening(0, length, &outboard.root(), &opening).is_ok());
    assert_eq!(accepted.collect::<Vec<_>>(), (8_193..=16_384).collect::<Vec<_>>());

    let last = outboard.open(&bytes, 11);
    let accepted = (0..40_000).filter(|&length| verify_opening(11, length, &outboard.root(), &last).is_ok());
    assert_eq!(accepted.collect::<Vec<_>>(), [11 * 1024 + 300], "the final chunk fixes the length");
}

#[test]
fn other_lengths_indices_roots_and_bytes_are_refused() {
    let bytes = string(100_000);
    let outboard = Outboard::of(&bytes);
    let opening = outboard.open(&bytes, 70);
    let class = |index, root: &[u8; 32], opening: &[u8]| {
        verify_opening(index, 100_000, root, opening).err().map(|rejection| rejection.class)
    };
    let root = outboard.root();
    assert_eq!(class(70, &root, &opening), None);
    assert_eq!(class(71, &root, &opening), Some(Class::WrongRoot));
    assert_eq!(class(98, &root, &opening), Some(Class::Malformed));
    assert_eq!(class(70, &[0; 32], &opening), Some(Class::WrongRoot));
    assert_eq!(class(70, &root, &opening[1..]), Some(Class::WrongLength));
    assert_eq!(class(70, &root, &[&opening[..], &[0]].concat()), Some(Class::WrongLength));
    assert_eq!(class(70, &root, &[]), Some(Class::WrongLength));
    for byte in 0..opening.len() {
        let mut bad = opening.clone();
        bad[byte] ^= 0x40;
        assert_eq!(class(70, &root, &bad), Some(Class::WrongRoot), "byte {byte}");
    }
}

/// 131 claims: full tiles and a rest of 3, in two sizes; one bad claim in each part must be named, and only those.
#[test]
fn claims_in_lanes_have_the_verdicts_of_single_ones() {
    let strings = [string(64 * CHUNK_BYTES), string(128 * CHUNK_BYTES)];
    let outboards = strings.each_ref().map(|bytes| Outboard::of(bytes));
    let roots = outboards.each_ref().map(Outboard::root);
    let places: Vec<(usize, u64)> =
        (0..131).map(|i| if i < 70 { (0, i * 7 % 64) } else { (1, i * 5 % 128) }).collect();
    let openings: Vec<_> =
        places.iter().map(|&(which, index)| outboards[which].open(&strings[which], index)).collect();
    let bad = [0, 63, 64, 69, 130];
    let claims: Vec<_> = openings
        .iter()
        .zip(&places)
        .enumerate()
        .map(|(i, (opening, &(which, index)))| Claim {
            index: if bad.contains(&i) { index ^ 1 } else { index },
            root: &roots[which],
            opening: Opening::take(&mut opening.as_slice(), 6 + which as u32).expect("whole"),
        })
        .collect();
    for backend in backends() {
        let verdicts = leads_to_root(backend, &claims);
        let refused: Vec<_> = (0..verdicts.len()).filter(|&i| !verdicts[i]).collect();
        assert_eq!((verdicts.len(), refused), (131, bad.to_vec()), "{}", backend.name());
    }
}

/// Openings of strings of every shape, in one call, more than a tile: lone chunks, short last ones, carried nodes, and beside
/// them one that is bad in each way. Catches a claim that is given another's value, or the root's flag on another's level.
#[test]
fn openings_of_any_strings_together_have_the_verdicts_of_single_ones() {
    let strings: Vec<Vec<u8>> =
        lengths().into_iter().filter(|length| *length < 1 << 18).map(string).collect();
    let outboards: Vec<Outboard> = strings.iter().map(|bytes| Outboard::of(bytes)).collect();
    let roots: Vec<[u8; 32]> = outboards.iter().map(Outboard::root).collect();
    let mut given = Vec::new();
    for (which, bytes) in strings.iter().enumerate() {
        let last = chunk_count(bytes.len() as u64) - 1;
        for index in [0, last / 2, last] {
            let opening = outboards[which].open(bytes, index);
            let mut wrong = opening.clone();
            if let Some(byte) = wrong.last_mut() {
                *byte ^= 1;
            }
            given.push((which, index, [&opening[..], &[0]].concat()));
            given.extend([
                (which, index, opening.clone()),
                (which, index, wrong),
                (which, last + 1, opening),
            ]);
        }
    }
    let shown: Vec<Shown<'_>> = given
        .iter()
        .map(|(which, index, opening)| Shown {
            index: *index,
            length: strings[*which].len() as u64,
            root: &roots[*which],
            opening,
        })
        .collect();
    let alone: Vec<_> =
        shown.iter().map(|of| verify_opening(of.index, of.length, of.root, of.opening)).collect();
    let refused = alone.iter().filter(|verdict| verdict.is_err()).count();
    assert!(refused > 100 && refused < alone.len(), "{refused} of {}", alone.len());
    for backend in backends() {
        for (i, (together, alone)) in verify_openings(backend, &shown).iter().zip(&alone).enumerate() {
            assert_eq!(together, alone, "{}: {i}", backend.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_length_opens_and_verifies(length in 0usize..3 << 20, seed: u64) {
        let bytes = string(length);
        let outboard = Outboard::of(&bytes);
        prop_assert_eq!(outboard.root(), root(&bytes));
        let index = seed % chunk_count(length as u64);
        let opening = outboard.open(&bytes, index);
        prop_assert_eq!(opening_bytes(index, length as u64), Ok(opening.len()));
        prop_assert!(verify_opening(index, length as u64, &outboard.root(), &opening).is_ok());
        let last = chunk_count(length as u64) - 1;
        let opening = outboard.open(&bytes, last);
        prop_assert!(verify_opening(last, length as u64 + 1, &outboard.root(), &opening).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(index: u64, length: u64, bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(verify_opening(index, length, &[7; 32], &bytes).is_err());
    }

    /// Values of blocks made elsewhere (the window pipeline) give the tree of the bytes.
    #[test]
    fn block_values_give_the_tree(blocks in 2usize..300, cut in 0usize..BLOCK_BYTES) {
        let bytes = string(blocks * BLOCK_BYTES - cut);
        let values = bytes.chunks(BLOCK_BYTES).zip(0..)
            .map(|(bytes, block)| holdfast_engine::tree::block_value(block, bytes)).collect();
        prop_assert_eq!(Outboard::from_block_values(bytes.len() as u64, values), Outboard::of(&bytes));
    }
}

/// An opening from one block of data and a path is that of the whole string.
#[test]
fn a_block_and_a_path_are_enough_to_open() {
    let bytes = string(67 * BLOCK_BYTES + 5000);
    let outboard = Outboard::of(&bytes);
    let block = 66 * BLOCK_BYTES..67 * BLOCK_BYTES;
    let index = 66 * 16 + 9;
    let opening = open_chunk(index, bytes.len() as u64, &bytes[block], &outboard.path(66));
    assert_eq!(opening, outboard.open(&bytes, index));
}
