//! The compression function, `subtree` and `tree_fold`.

use crate::fixture::{KEY, Range, UNTOUCHED, bytes, distinct, patterns, rows};
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use holdfast_shaders::layout::{Digest, Subtree, TreeFold};
use holdfast_shaders::registry::{SUBTREE, TREE_FOLD, Variant};
use holdfast_shaders::twin::subtree::subtree;
use holdfast_shaders::twin::tree_fold::tree_fold;
use holdfast_shaders::twin::{blake3 as twin, dispatch, dispatch_workgroups};

#[test]
fn compress_equals_the_official_crate_on_a_full_block() {
    // All sixteen words differ, so a slip in the message permutation shows; layer 1 alone hashes zeros.
    let bytes: [u8; 64] = std::array::from_fn(|i| u8::try_from(i).unwrap() ^ 0xa5);
    let words: Vec<u32> = bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    let message = std::array::from_fn(|row| std::array::from_fn(|i| words[4 * row + i]));
    let flags = twin::KEYED_HASH | twin::CHUNK_START | twin::CHUNK_END;
    let key = Digest::from_bytes(&KEY);
    let hasher = || blake3::Hasher::new_keyed(&KEY).update(&bytes).clone();
    let found = |flags| twin::compress(key, message, [0, 0], 64, flags).to_bytes();
    assert_eq!(found(flags), hasher().finalize_non_root());
    assert_eq!(found(flags | twin::ROOT), *hasher().finalize().as_bytes());
}

/// A block's chaining value by the official crate, chunk by chunk, so that the first counter need not be aligned.
fn block_value(block: &[u8], counter: u64) -> [u8; 32] {
    let mut values: Vec<[u8; 32]> = (counter..)
        .zip(block.chunks(1024))
        .map(|(counter, chunk)| {
            let mut hasher = blake3::Hasher::new();
            // Beyond 2^54 the offset in bytes does not fit 64 bits, so those counters are not tried.
            hasher.set_input_offset(counter * 1024).update(chunk).finalize_non_root()
        })
        .collect();
    while values.len() > 1 {
        values =
            values.chunks(2).map(|pair| merge_subtrees_non_root(&pair[0], &pair[1], Mode::Hash)).collect();
    }
    values[0]
}

fn run_subtree(variant: &Variant, parameters: Subtree, grid: [u32; 3], blocks: &[[u32; 4]]) -> Vec<Digest> {
    let mut values = vec![UNTOUCHED; BLOCKS + 1];
    let levels = variant.lanes.ilog2();
    dispatch_workgroups(variant.workgroup, grid)
        .for_each(|workgroup| subtree(workgroup, levels, &parameters, blocks, &mut values));
    values
}

const BLOCKS: usize = 21;

/// Whole and ragged workgroups, off 0, one alone, two rows. Counters: from 0; the last chunk below 2^32, so that the carry
/// falls between two blocks; within a block; high words that are not 0.
const RANGES: [(u32, u32, u64, u32); 5] = [
    (0, 16, 0, 1),
    (0, 21, (1 << 32) - 64, 1),
    (3, 1, (1 << 32) - 5 - 3 * 16, 1),
    (2, 19, (5 << 32) + 7, 2),
    (20, 1, (1 << 54) - (1 << 12), 1),
];

fn words(counter: u64) -> [u32; 2] {
    [counter, counter >> 32].map(|word| (word & 0xffff_ffff) as u32)
}

#[test]
fn subtree_equals_the_official_crate() {
    for variant in SUBTREE.variants {
        let block_bytes = 1024 * variant.lanes as usize;
        for (pattern, content) in patterns(BLOCKS * block_bytes / 32) {
            let (rows, bytes) = (rows(&content), bytes(&content));
            for (first, count, counter, grid_rows) in RANGES {
                let parameters = Subtree { first, count, counter: words(counter) };
                let [columns, _, _] = variant.grid(count * variant.lanes);
                let grid = [columns.div_ceil(grid_rows), grid_rows, 1];
                let found = run_subtree(variant, parameters, grid, &rows);
                for (block, found) in found.into_iter().enumerate() {
                    let expected = if (first as usize..(first + count) as usize).contains(&block) {
                        let at = counter + block as u64 * u64::from(variant.lanes);
                        block_value(&bytes[block * block_bytes..][..block_bytes], at)
                    } else {
                        UNTOUCHED.to_bytes()
                    };
                    assert_eq!(found.to_bytes(), expected, "{} {pattern} {first} {block}", variant.name);
                }
            }
        }
    }
}

#[test]
fn tree_fold_equals_the_official_crate() {
    for (pattern, values) in patterns(2 * Range::END) {
        for (range, flags) in Range::ALL.into_iter().flat_map(|range| [(range, 0), (range, twin::ROOT)]) {
            for variant in TREE_FOLD.variants {
                let parameters = TreeFold { first: range.first, count: range.count, flags, reserved: 0 };
                let mut parents = vec![UNTOUCHED; Range::END];
                dispatch(variant.workgroup, range.grid(variant.workgroup))
                    .for_each(|i| tree_fold(i, &parameters, &values, &mut parents));
                for (n, found) in parents.into_iter().enumerate() {
                    let [left, right] = [values[2 * n], values[2 * n + 1]].map(Digest::to_bytes);
                    let expected = match (range.contains(n), flags) {
                        (false, _) => UNTOUCHED.to_bytes(),
                        (true, 0) => merge_subtrees_non_root(&left, &right, Mode::Hash),
                        (true, _) => *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes(),
                    };
                    assert_eq!(found.to_bytes(), expected, "{pattern} {range:?} {n}");
                }
            }
        }
    }
}

/// Blocks, then levels up to ROOT: the plain hash of 128 KiB. So flags and counters are those of BLAKE3 as a whole.
#[test]
fn blocks_and_folds_make_the_plain_hash() {
    let content = distinct(4096);
    for variant in SUBTREE.variants {
        let count = 128 / variant.lanes;
        let parameters = Subtree { first: 0, count, counter: [0, 0] };
        let mut values =
            run_subtree(variant, parameters, variant.grid(count * variant.lanes), &rows(&content));
        values.truncate(count as usize);
        while values.len() > 1 {
            let count = u32::try_from(values.len() / 2).unwrap();
            let flags = if count == 1 { twin::ROOT } else { 0 };
            let parameters = TreeFold { first: 0, count, flags, reserved: 0 };
            let mut parents = vec![UNTOUCHED; values.len() / 2];
            dispatch([64, 1, 1], [1, 1, 1]).for_each(|i| tree_fold(i, &parameters, &values, &mut parents));
            values = parents;
        }
        assert_eq!(values[0].to_bytes(), *blake3::hash(&bytes(&content)).as_bytes(), "{}", variant.name);
    }
}

/// The comparisons above see a counter without its carry and one changed bit in the last row of a block.
#[test]
fn slips_are_caught() {
    let variant = &SUBTREE.variants[0];
    let content = distinct(BLOCKS * 512);
    let grid = variant.grid(16);
    let run = |counter, rows: &[[u32; 4]]| {
        run_subtree(variant, Subtree { first: 0, count: 1, counter }, grid, rows)[0]
    };
    let across = u64::from(u32::MAX) - 7;
    let expected = block_value(&bytes(&content[..512]), across);
    let rows_of_block = rows(&content);
    assert_eq!(run(words(across), &rows_of_block).to_bytes(), expected);
    assert_ne!(run([words(across)[0], 1], &rows_of_block).to_bytes(), expected);
    let mut changed = rows_of_block;
    changed[1023][3] ^= 1 << 31;
    assert_ne!(run(words(across), &changed).to_bytes(), expected);
}
