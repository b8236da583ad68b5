//! Kernels `commit` and `commit_fold`: together they are Σ m_i·G_i + r·H, whatever the block.

use crate::fixture::curve::{Commitments, pattern_blindings, pattern_blocks, point};
use ark_ff::Zero;
use holdfast_shaders::commitment::{CommitShape, WIDTHS};
use holdfast_shaders::layout::Point;
use holdfast_shaders::limits::LOOP_ITERATIONS_MAX;
use holdfast_shaders::registry::{COMMIT, COMMIT_FOLD};
use holdfast_shaders::twin::carried::Carried;
use holdfast_shaders::twin::columns::Columns;
use holdfast_shaders::twin::commit::{Inputs, commit};
use holdfast_shaders::twin::commit_fold::commit_fold;
use holdfast_shaders::twin::dispatch;
use holdfast_shaders::twin::field::ResidueForm;
use holdfast_shaders::twin::words::{Split, Wide};

/// Five limbs, so that segments and windows of all widths have ends inside.
const LIMBS: u32 = 5;
const BLOCK_BYTES: usize = 31 * LIMBS as usize;

fn sums<F: ResidueForm>(commitments: &Commitments) -> Vec<Point> {
    let count = commitments.shape.sums_per_block() * commitments.count();
    let (blocks, blindings) = (commitments.block_words(), commitments.blinding_words());
    let inputs = Inputs { table: &commitments.table, blocks: &blocks, blindings: &blindings };
    let mut sums = vec![Point::default(); count as usize];
    let variant = COMMIT.variants[0];
    // In two dispatches, the second of them off 0.
    for (first, count) in [(0, count / 3), (count / 3, count - count / 3)] {
        let parameters = commitments.shape.commit(first, count);
        dispatch(variant.workgroup, variant.grid(count))
            .for_each(|invocation| commit::<F>(invocation, &parameters, inputs, &mut sums));
    }
    sums
}

fn fold<F: ResidueForm>(commitments: &Commitments, sums: &[Point]) -> Vec<Point> {
    let variant = COMMIT_FOLD.variants[0];
    let mut points = vec![Point::default(); commitments.block_bytes.len()];
    for (first, count) in [(0, 1), (1, commitments.count() - 1)] {
        let parameters = commitments.shape.commit_fold(first, count, commitments.correction);
        dispatch(variant.workgroup, variant.grid(count))
            .for_each(|invocation| commit_fold::<F>(invocation, &parameters, sums, &mut points));
    }
    points
}

fn equals_arkworks<F: ResidueForm>(commitments: &Commitments) {
    let points = fold::<F>(commitments, &sums::<F>(commitments));
    for (block, (found, expected)) in points.iter().zip(commitments.expected()).enumerate() {
        assert_eq!(point(found), expected, "block {block} of {:?}", commitments.shape);
    }
}

/// Rows that end with the last bit of the last limb, within a word more, and a row that is longer; one, two and four segments
/// of six bases, the last of four empty.
#[test]
fn patterns_of_bytes_under_every_width() {
    for (place, width_bits) in [4, 5, 8, 10, 12, 13, 14].into_iter().enumerate() {
        let (segments, block_words) = [(1, 39), (2, 40), (4, 64)][place % 3];
        let shape = CommitShape { width_bits, bases: LIMBS + 1, segments, block_words };
        let blocks = pattern_blocks(BLOCK_BYTES);
        let blindings = pattern_blindings(blocks.len());
        let commitments = Commitments::new(shape, blocks, blindings);
        equals_arkworks::<Columns>(&commitments);
        if width_bits == 13 {
            equals_arkworks::<Carried<Split>>(&commitments);
            equals_arkworks::<Carried<Wide>>(&commitments);
        }
    }
}

/// A row without room for its last limb's last bytes: they are zero, not the next block's.
#[test]
fn words_beyond_a_block_are_zero() {
    let shape = CommitShape { width_bits: 5, bases: LIMBS + 1, segments: 1, block_words: 36 };
    let blocks = vec![vec![0xff; 144]; 3];
    equals_arkworks::<Columns>(&Commitments::new(shape, blocks, pattern_blindings(3)));
}

#[test]
fn segments_without_bases_and_blocks_without_limbs() {
    let shape = CommitShape { width_bits: 4, bases: 1, segments: 1, block_words: 1 };
    equals_arkworks::<Columns>(&Commitments::new(shape, vec![Vec::new(); 4], pattern_blindings(4)));
    let shape = CommitShape { width_bits: 12, bases: LIMBS + 1, segments: 4, block_words: 39 };
    let commitments = Commitments::new(shape, vec![vec![0x5a; BLOCK_BYTES]; 1], pattern_blindings(1));
    let sums = sums::<Columns>(&commitments);
    let windows = shape.windows() as usize;
    assert!(sums[3 * windows..].iter().all(|sum| point(sum).is_zero()), "bases 6 and 7 are not there");
    // The blinding is in segment 2, and in it alone are windows that no limb has.
    assert!(!point(&sums[3 * windows - 1]).is_zero() && point(&sums[2 * windows - 1]).is_zero());
}

/// The sizes of a real block of 16 KiB, in rows that are not even padded.
#[test]
fn a_whole_block_of_529_limbs() {
    let shape = CommitShape { width_bits: 8, bases: 530, segments: 2, block_words: 4096 };
    let blocks = vec![pattern_blocks(16_384)[6].clone(), vec![0xff; 16_384]];
    equals_arkworks::<Columns>(&Commitments::new(shape, blocks, pattern_blindings(2)));
}

#[test]
fn a_changed_bit_and_a_window_in_the_wrong_place_are_caught() {
    let shape = CommitShape { width_bits: 8, bases: LIMBS + 1, segments: 2, block_words: 39 };
    let mut commitments = Commitments::new(shape, pattern_blocks(BLOCK_BYTES), pattern_blindings(9));
    let expected = commitments.expected();
    let mut sums = sums::<Columns>(&commitments);
    assert_eq!(point(&fold::<Columns>(&commitments, &sums)[6]), expected[6]);
    let block_6 = 6 * shape.sums_per_block() as usize;
    sums.swap(block_6 + 3, block_6 + 4);
    assert_ne!(point(&fold::<Columns>(&commitments, &sums)[6]), expected[6], "windows 3 and 4 of block 6");
    commitments.block_bytes[6][BLOCK_BYTES - 1] ^= 0x80;
    let sums = self::sums::<Columns>(&commitments);
    assert_ne!(point(&fold::<Columns>(&commitments, &sums)[6]), expected[6], "the last bit of the last limb");
    assert_eq!(point(&fold::<Columns>(&commitments, &sums)[7]), expected[7]);
}

/// Sizes that software devices can run exist for every width, and are the wanted ones where those will do.
#[test]
fn segments_keep_the_loop_limit() {
    for width_bits in WIDTHS {
        let shape = CommitShape { width_bits, bases: 530, segments: 1, block_words: 4100 };
        for wanted in [1, 2, 4, 64] {
            let found = shape.with_segments_near(wanted).expect("a number of segments");
            assert!(found.commit_loop_iterations() <= LOOP_ITERATIONS_MAX, "{found:?}");
            assert!(found.fold_loop_iterations() <= LOOP_ITERATIONS_MAX, "{found:?}");
            assert!(wanted > 4 || found.segments == wanted, "{found:?}");
        }
    }
    let too_many = CommitShape { width_bits: 8, bases: 100_000, segments: 1, block_words: 1 };
    assert_eq!(too_many.with_segments_near(4), None, "a thousand segments are too many for the fold");
}
