//! Kernels of the field, the curve and commitments, every variant, with and without run-time checks, against their twins; the
//! twins are compared with arkworks in `shaders/tests/`, and whole blocks with arkworks here. All variants leave the same bytes,
//! whatever they compute with, so one form of the twins does.
//!
//! Drivers compile these kernels for seconds, so a pipeline is made once and runs all cases.

use std::sync::LazyLock;

use ark_bls12_381::Fq;
use ark_ff::Field;
use bytemuck::{Pod, bytes_of, cast_slice};
use holdfast_engine::backend::gpu::runner::{Contents, Run};
use holdfast_engine::backend::gpu::{Device, Pipeline};
use holdfast_shaders::commitment::CommitShape;
use holdfast_shaders::layout::{Commit, CommitFold, CurveTest, FieldElement, FieldTest, Point};
use holdfast_shaders::limits::LOOP_ITERATIONS_MAX;
use holdfast_shaders::registry::{COMMIT, COMMIT_FOLD, CURVE_TEST, FIELD_TEST, Variant};
use holdfast_shaders::twin::columns::Columns;
use holdfast_shaders::twin::{self, Invocation, curve_test, dispatch, field_test};

use crate::curve_fixture::{
    Commitments, Stream, edges, element, pattern_blindings, pattern_blocks, point, scaled,
};
use crate::support::each_variant;

/// Items beyond the range for which there are workgroups too.
const SPARE: u32 = 150;

/// What one dispatch leaves in the buffer that the kernel writes.
fn written<T: Pod>(
    device: &Device,
    pipeline: &Pipeline,
    parameters: &impl Pod,
    inputs: &[&[u8]],
    untouched: &[T],
    items: u32,
) -> Vec<T> {
    let contents: Vec<_> =
        inputs.iter().copied().chain([cast_slice(untouched)]).map(Contents::Bytes).collect();
    let run = Run::new(device, pipeline.clone(), &contents).expect("memory");
    run.dispatch(&[bytes_of(parameters)], items).expect("runs");
    let buffers = run.written().expect("reads");
    let [buffer] = &buffers[..] else { panic!("{} buffers are written", buffers.len()) };
    bytemuck::pod_collect_to_vec(buffer)
}

/// What the twin leaves.
fn expected<T: Pod>(
    variant: &Variant,
    items: u32,
    untouched: &[T],
    twin: impl Fn(Invocation, &mut [T]),
) -> Vec<T> {
    let mut expected = untouched.to_vec();
    dispatch(variant.workgroup, variant.grid(items)).for_each(|i| twin(i, &mut expected));
    expected
}

/// Every edge with every edge under every operation, in turn. A chain of products shows what a single one may hide.
#[test]
fn field_test() {
    let mut stream = Stream::new("device field");
    let numbers: Vec<_> = edges().into_iter().chain((0..5).map(|_| stream.field())).collect();
    let pairs = numbers.iter().flat_map(|x| numbers.iter().map(move |y| (element(x), element(y))));
    let pairs: Vec<_> = pairs.flat_map(|pair| [pair; field_test::IN_TURN as usize]).collect();
    let (left, right): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let untouched = vec![FieldElement::from_words([0xdead_beef; 12]); left.len()];
    each_variant(&FIELD_TEST, |device, variant, what| {
        let pipeline = device.pipeline(&FIELD_TEST, variant).expect("compiles");
        for (operation, rounds) in [(field_test::IN_TURN, 3), (field_test::MULTIPLY, 40)] {
            let parameters = FieldTest { first: 1, count: 843, rounds, operation };
            let items = parameters.count + SPARE;
            let inputs: [&[u8]; 2] = [cast_slice(&left), cast_slice(&right)];
            let found = written(device, &pipeline, &parameters, &inputs, &untouched, items);
            let expected = expected(variant, items, &untouched, |i, result| {
                field_test::field_test::<Columns>(i, &parameters, &left, &right, result);
            });
            assert!(found == expected, "{what}: operation {operation}, {rounds} rounds");
        }
    });
}

/// Pairs of every relation under both additions, in turn.
#[test]
fn curve_test() {
    let mut stream = Stream::new("device curve");
    let (p, q) = (stream.point(), stream.point());
    let o = p - p;
    // Doublings, inverses, infinity on the left; and points without a relation.
    let mixed = [[p, q], [p, p], [p, -p], [o, q], [-p, -p]];
    // And infinity on the right and on both sides, which no entry of a table is.
    let full = [[p, o], [o, o], [p, p], [p, -p], [o, q]];
    let mut sides: Vec<_> = mixed
        .into_iter()
        .zip(full)
        .flat_map(|(mixed, full)| [(mixed, Fq::ONE), (full, stream.field())])
        .collect();
    sides.extend((0..60).map(|_| ([stream.point(), stream.point()], Fq::ONE)));
    let left: Vec<_> = sides.iter().map(|([p, _], _)| scaled(p, &stream.field())).collect();
    let right: Vec<_> = sides.iter().map(|([_, q], scale)| scaled(q, scale)).collect();
    let untouched = vec![Point::default(); left.len()];
    each_variant(&CURVE_TEST, |device, variant, what| {
        let pipeline = device.pipeline(&CURVE_TEST, variant).expect("compiles");
        let parameters = CurveTest { first: 2, count: 66, rounds: 2, operation: curve_test::IN_TURN };
        let items = parameters.count + SPARE;
        let inputs: [&[u8]; 2] = [cast_slice(&left), cast_slice(&right)];
        let found = written(device, &pipeline, &parameters, &inputs, &untouched, items);
        let expected = expected(variant, items, &untouched, |i, result| {
            curve_test::curve_test::<Columns>(i, &parameters, &left, &right, result);
        });
        assert!(found == expected, "{what}");
        for (found, ([p, q], _)) in found.iter().zip(&sides).skip(2).take(66) {
            assert_eq!(point(found), *p + q + q, "{what}");
        }
    });
}

/// One shape with patterns of bytes, and what the twins make of them.
struct Case {
    commitments: Commitments,
    blocks: Vec<u32>,
    blindings: Vec<u32>,
    commit: Commit,
    sums: Vec<Point>,
    fold: CommitFold,
    points: Vec<Point>,
}

impl Case {
    /// The ranges leave out items at both ends.
    fn new(shape: CommitShape, block_bytes: Vec<Vec<u8>>) -> Case {
        let blindings = pattern_blindings(block_bytes.len());
        let commitments = Commitments::new(shape, block_bytes, blindings);
        let (blocks, blindings) = (commitments.block_words(), commitments.blinding_words());
        let inputs =
            twin::commit::Inputs { table: &commitments.table, blocks: &blocks, blindings: &blindings };
        let count = shape.sums_per_block() * commitments.count();
        let commit = shape.commit(17, count - 23);
        let sums =
            expected(&COMMIT.variants[0], count, &vec![Point::default(); count as usize], |i, sums| {
                twin::commit::commit::<Columns>(i, &commit, inputs, sums);
            });
        // Windows outside the range of `commit` are the points (0 : 0 : 0), which stay what they are.
        let fold = shape.commit_fold(1, commitments.count() - 2, commitments.correction);
        let untouched = vec![Point::default(); commitments.count() as usize];
        let points = expected(&COMMIT_FOLD.variants[0], commitments.count(), &untouched, |i, points| {
            twin::commit_fold::commit_fold::<Columns>(i, &fold, &sums, points);
        });
        Case { commitments, blocks, blindings, commit, sums, fold, points }
    }

    /// What kernel `commit` makes of it.
    fn committed(&self, device: &Device, pipeline: &Pipeline, parameters: &Commit) -> Vec<Point> {
        let table = cast_slice(&self.commitments.table);
        let inputs: [&[u8]; 3] = [table, cast_slice(&self.blocks), cast_slice(&self.blindings)];
        let untouched = vec![Point::default(); self.sums.len()];
        written(device, pipeline, parameters, &inputs, &untouched, parameters.count + SPARE)
    }

    /// What kernel `commit_fold` makes of these sums.
    fn folded(
        &self,
        device: &Device,
        pipeline: &Pipeline,
        parameters: &CommitFold,
        sums: &[Point],
    ) -> Vec<Point> {
        let untouched = vec![Point::default(); self.points.len()];
        written(device, pipeline, parameters, &[cast_slice(sums)], &untouched, parameters.count + SPARE)
    }
}

/// Five limbs and a blinding under every kind of width: digits within a word and across two, a top window of all, some or one
/// bit of a limb, windows of the blinding alone; one, two and four segments, the last of four empty; rows that end with
/// the last limb and longer ones. The first is the one for variants that are not tried on all.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let case = |(width_bits, segments, block_words)| {
        let shape = CommitShape { width_bits, bases: 6, segments, block_words };
        Case::new(shape, pattern_blocks(155))
    };
    let shapes = [(13, 2, 39), (4, 1, 40), (5, 4, 64), (8, 2, 39), (10, 4, 39), (12, 1, 41), (14, 2, 39)];
    shapes.into_iter().map(case).collect()
});

/// All cases for the default, one for the others.
fn cases(variant: &Variant, default: &Variant) -> &'static [Case] {
    if variant.name == default.name { &CASES } else { &CASES[..1] }
}

#[test]
fn commit() {
    each_variant(&COMMIT, |device, variant, what| {
        let pipeline = device.pipeline(&COMMIT, variant).expect("compiles");
        for case in cases(variant, &COMMIT.variants[0]) {
            let found = case.committed(device, &pipeline, &case.commit);
            assert!(found == case.sums, "{what}: {:?}", case.commitments.shape);
        }
    });
}

#[test]
fn commit_fold() {
    each_variant(&COMMIT_FOLD, |device, variant, what| {
        let pipeline = device.pipeline(&COMMIT_FOLD, variant).expect("compiles");
        for case in cases(variant, &COMMIT_FOLD.variants[0]) {
            let found = case.folded(device, &pipeline, &case.fold, &case.sums);
            assert!(found == case.points, "{what}: {:?}", case.commitments.shape);
        }
    });
}

/// Sizes of production on whole blocks of 16 KiB, with and without 64-bit integers: one block, five in rows that are not
/// padded, and so many segments as a software device can fold.
#[test]
fn whole_blocks_are_the_commitments_of_arkworks() {
    let shape = CommitShape { width_bits: 8, bases: 530, segments: 1, block_words: 4100 };
    let mut blocks = pattern_blocks(16_384);
    blocks.truncate(7);
    blocks.drain(2..4);
    let one = Case::new(shape, vec![blocks[4].clone(), blocks[1].clone(), blocks[0].clone()]);
    let five = Case::new(CommitShape { segments: 9, block_words: 4096, ..shape }, blocks);
    for case in [&one, &five] {
        let shape = case.commitments.shape;
        assert!(shape.commit_loop_iterations().max(shape.fold_loop_iterations()) <= LOOP_ITERATIONS_MAX);
    }
    let names = [COMMIT.variants[0].name, "split_limbwise_64"];
    each_variant(&COMMIT, |device, variant, what| {
        if !names.contains(&variant.name) {
            return;
        }
        let fold = COMMIT_FOLD.variant(variant.name).expect("both have it");
        let pipeline = device.pipeline(&COMMIT, variant).expect("compiles");
        let fold_pipeline = device.pipeline(&COMMIT_FOLD, fold).expect("compiles");
        for (case, count) in [(&one, 1), (&five, 5)] {
            let shape = case.commitments.shape;
            let commit = shape.commit(0, count * shape.sums_per_block());
            let sums = case.committed(device, &pipeline, &commit);
            let fold = shape.commit_fold(0, count, case.commitments.correction);
            let points = case.folded(device, &fold_pipeline, &fold, &sums);
            for (n, expected) in case.commitments.expected().into_iter().take(count as usize).enumerate() {
                assert_eq!(point(&points[n]), expected, "{what}: block {n} of {count}");
            }
        }
    });
}

#[test]
fn a_changed_bit_a_changed_parameter_and_a_wrong_window_are_caught() {
    each_variant(&COMMIT, |device, variant, what| {
        if variant.name != COMMIT.variants[0].name {
            return;
        }
        let pipeline = device.pipeline(&COMMIT, variant).expect("compiles");
        let fold = device.pipeline(&COMMIT_FOLD, &COMMIT_FOLD.variants[0]).expect("compiles");
        let shape = CommitShape { width_bits: 8, bases: 6, segments: 2, block_words: 39 };
        let mut case = Case::new(shape, pattern_blocks(155));
        assert!(case.committed(device, &pipeline, &case.commit) == case.sums, "{what}");
        let parameters = Commit { segment_bases: 2, ..case.commit };
        assert!(
            case.committed(device, &pipeline, &parameters) != case.sums,
            "{what}: the last base is left out"
        );
        let mut swapped = case.sums.clone();
        swapped.swap(64 * 6 + 3, 64 * 6 + 4);
        assert!(
            case.folded(device, &fold, &case.fold, &swapped) != case.points,
            "{what}: windows 3 and 4 of block 6"
        );
        case.blocks[39 * 7 - 1] ^= 1 << 23;
        assert!(
            case.committed(device, &pipeline, &case.commit) != case.sums,
            "{what}: the last bit of block 6"
        );
    });
}
