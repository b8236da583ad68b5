//! Kernels of commitments, the field and the curve. Elements are any numbers below p: the additions are polynomials, which need no
//! point of the curve to be compared, and are as fast on any.

use bytemuck::{cast_slice, cast_slice_mut};
use holdfast_shaders::commitment::CommitShape;
use holdfast_shaders::layout::{AffinePoint, CurveTest, FieldTest};
use holdfast_shaders::twin::columns::Columns;
use holdfast_shaders::twin::commit::Inputs;
use holdfast_shaders::twin::{self, curve_test as curve_operations, field_test as field_operations};

use super::{Case, Range, bytes, invocation};
use crate::gpu::contents::{Contents, ELEMENT_WORDS, elements};

const POINT_WORDS: usize = 3 * ELEMENT_WORDS;
const BLINDING_WORDS: usize = 8;
const BLOCK_WORDS: u32 = 4096;
/// A base for each limb of a block, and one for the blinding.
const BASES: u32 = 530;
/// Segments that give a device enough invocations, as in jobs.
const SEGMENTS: u32 = 4;

/// Operations of `field_test`, numbered from 0.
pub(super) const FIELD_OPERATIONS: u32 = field_operations::TIMES_TWELVE + 1;
/// Operations of `curve_test`, numbered from 0.
pub(super) const CURVE_OPERATIONS: u32 = curve_operations::ADD_FULL + 1;

/// Five limbs in two segments: windows and segments of all widths end within.
pub(super) fn short(width_bits: u32) -> CommitShape {
    CommitShape { width_bits, bases: 6, segments: 2, block_words: 40 }
}

/// Blocks of 16 KiB; `None` if no number of segments keeps the loops short enough.
pub(super) fn production(width_bits: u32) -> Option<CommitShape> {
    let shape = CommitShape { width_bits, bases: BASES, segments: SEGMENTS, block_words: BLOCK_WORDS };
    shape.with_segments_near(SEGMENTS)
}

pub(super) fn commit(shape: CommitShape, blocks: u32, contents: &mut Contents) -> Case {
    let count = blocks as usize;
    let entries = (shape.bases as usize) << (shape.width_bits - 1);
    let parameters = move |range: Range| shape.commit(range.first, range.count);
    // The windows of the limbs; those of the one blinding hardly count.
    let sums = f64::from(shape.sums_per_block());
    let additions = f64::from(shape.bases * shape.limb_windows()) / sums;
    let block_bytes = f64::from(4 * shape.block_words);
    Case {
        size: format!("{} bits", shape.width_bits),
        inputs: vec![
            elements("table", 2 * entries),
            contents.words(count * shape.block_words as usize),
            contents.words(count * BLINDING_WORDS),
        ],
        items: blocks * shape.sums_per_block(),
        unit_words: POINT_WORDS,
        control: Some((1, (blocks / 2 * shape.block_words) as usize)),
        rates: vec![(additions * 1e-6, "M additions/s"), (block_bytes * 1e-6 / sums, "MB/s")],
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            let [table, blocks, blindings] = inputs else { return };
            let inputs = Inputs { table: cast_slice(table), blocks, blindings };
            twin::commit::commit::<Columns>(
                invocation(item),
                &parameters(range),
                inputs,
                cast_slice_mut(output),
            );
        }),
    }
}

pub(super) fn commit_fold(shape: CommitShape, blocks: u32) -> Case {
    let correction: AffinePoint = bytemuck::pod_read_unaligned(cast_slice(
        &elements("correction", 8)[4 * ELEMENT_WORDS..6 * ELEMENT_WORDS],
    ));
    let sums = (blocks * shape.sums_per_block()) as usize;
    let block_bytes = f64::from(4 * shape.block_words);
    let parameters = move |range: Range| shape.commit_fold(range.first, range.count, correction);
    Case {
        size: format!("{} bits", shape.width_bits),
        inputs: vec![elements("sums", 3 * sums)],
        items: blocks,
        unit_words: POINT_WORDS,
        control: Some((0, POINT_WORDS * (blocks / 2 * shape.sums_per_block()) as usize)),
        rates: vec![(1.0, "blocks/s"), (block_bytes * 1e-6, "MB/s")],
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            let sums = cast_slice(&inputs[0]);
            twin::commit_fold::commit_fold::<Columns>(
                invocation(item),
                &parameters(range),
                sums,
                cast_slice_mut(output),
            );
        }),
    }
}

pub(super) fn field_test(items: u32, rounds: u32, operation: u32) -> Case {
    let parameters =
        move |range: Range| FieldTest { first: range.first, count: range.count, rounds, operation };
    Case {
        size: format!("operation {operation}, {rounds} rounds"),
        inputs: vec![elements("left", items as usize), elements("right", items as usize)],
        items,
        unit_words: ELEMENT_WORDS,
        control: Some((0, ELEMENT_WORDS * (items / 2) as usize)),
        rates: vec![(f64::from(rounds) * 1e-6, "M products/s")],
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            let (left, right) = (cast_slice(&inputs[0]), cast_slice(&inputs[1]));
            let result = cast_slice_mut(output);
            field_operations::field_test::<Columns>(
                invocation(item),
                &parameters(range),
                left,
                right,
                result,
            );
        }),
    }
}

pub(super) fn curve_test(items: u32, rounds: u32, operation: u32) -> Case {
    let parameters =
        move |range: Range| CurveTest { first: range.first, count: range.count, rounds, operation };
    Case {
        size: format!("operation {operation}, {rounds} rounds"),
        inputs: vec![elements("left", 3 * items as usize), elements("right", 3 * items as usize)],
        items,
        unit_words: POINT_WORDS,
        control: Some((0, POINT_WORDS * (items / 2) as usize)),
        rates: vec![(f64::from(rounds) * 1e-6, "M additions/s")],
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            let (left, right) = (cast_slice(&inputs[0]), cast_slice(&inputs[1]));
            let result = cast_slice_mut(output);
            curve_operations::curve_test::<Columns>(
                invocation(item),
                &parameters(range),
                left,
                right,
                result,
            );
        }),
    }
}
