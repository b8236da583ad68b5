//! Kernels of the field, the curve and commitments, every variant; and that no invocation takes more loop iterations than
//! the host is told.

use crate::evaluate::{Machine, Value};
use crate::fixture::curve::{Commitments, Stream, edges, element, pattern_blindings, pattern_blocks, scaled};
use crate::twins::curve::pairs;
use ark_bls12_381::Fq;
use ark_ff::Field;
use bytemuck::{bytes_of, cast_slice};
use holdfast_shaders::commitment::CommitShape;
use holdfast_shaders::layout::{AffinePoint, Commit, CommitFold, CurveTest, FieldElement, FieldTest, Point};
use holdfast_shaders::registry::{COMMIT, COMMIT_FOLD, CURVE_TEST, FIELD_TEST, Kernel, Variant};
use holdfast_shaders::twin::{self, Invocation, columns::Columns, curve_test, dispatch, field_test};

/// Runs the first invocations of a grid of one workgroup; the words of the last binding then, and the most iterations that an
/// invocation took.
fn evaluate(variant: &Variant, wgsl: &str, invocations: usize, buffers: &[&[u32]]) -> (Vec<u32>, u32) {
    let (module, _) = crate::module(wgsl, variant.needs_int64);
    let mut machine = Machine::new(&module, buffers);
    let mut most = 0;
    for Invocation { global, workgroups, .. } in dispatch(variant.workgroup, [1, 1, 1]).take(invocations) {
        machine.loop_iterations = 0;
        machine.invoke(vec![Value::words(&global), Value::words(&workgroups)]);
        most = most.max(machine.loop_iterations);
    }
    (machine.buffer(buffers.len() - 1), most)
}

/// What `run` of the twin makes of the same invocations.
fn expect<T: Clone + bytemuck::Pod>(
    variant: &Variant,
    invocations: usize,
    untouched: &[T],
    run: impl Fn(Invocation, &mut [T]),
) -> Vec<u32> {
    let mut result = untouched.to_vec();
    dispatch(variant.workgroup, [1, 1, 1]).take(invocations).for_each(|i| run(i, &mut result));
    cast_slice(&result).to_vec()
}

/// The limbs of the edges, and of one number without a pattern.
fn numbers() -> Vec<FieldElement> {
    edges().iter().chain([&Stream::new("meaning").field()]).map(element).collect()
}

/// One operation, twice, on pairs among which are those whose sum is p − 1 or p.
fn check_field(variant: &Variant, wgsl: &str, operation: u32) -> bool {
    let left = numbers();
    let mut right = left.clone();
    right.rotate_left(3);
    let untouched = vec![FieldElement::default(); left.len()];
    let parameters = FieldTest { first: 1, count: 6, rounds: 2, operation };
    let buffers: [&[u32]; 4] =
        [cast_slice(bytes_of(&parameters)), cast_slice(&left), cast_slice(&right), cast_slice(&untouched)];
    // One invocation more than there are elements in the range.
    let (found, _) = evaluate(variant, wgsl, 7, &buffers);
    let expected = expect(variant, 7, &untouched, |invocation, result| {
        field_test::field_test::<Columns>(invocation, &parameters, &left, &right, result);
    });
    found == expected
}

#[test]
fn field_test_means_its_twin() {
    use field_test::{ADD, IN_TURN, MULTIPLY, SUBTRACT, SUM_OF_PRODUCTS, TIMES_TWELVE};
    for variant in FIELD_TEST.variants {
        for operation in [MULTIPLY, ADD, SUBTRACT, SUM_OF_PRODUCTS, TIMES_TWELVE, IN_TURN] {
            assert!(check_field(variant, variant.wgsl, operation), "{}, operation {operation}", variant.name);
        }
    }
}

#[test]
fn curve_test_means_its_twin() {
    let mut stream = Stream::new("meaning");
    let (left, right): (Vec<Point>, Vec<Point>) =
        pairs().iter().map(|[p, q]| (scaled(p, &stream.field()), scaled(q, &Fq::ONE))).unzip();
    let untouched = vec![Point::default(); left.len()];
    for variant in CURVE_TEST.variants {
        for operation in [curve_test::ADD_MIXED, curve_test::ADD_FULL, curve_test::IN_TURN] {
            let parameters = CurveTest { first: 0, count: 4, rounds: 1, operation };
            let buffers: [&[u32]; 4] = [
                cast_slice(bytes_of(&parameters)),
                cast_slice(&left),
                cast_slice(&right),
                cast_slice(&untouched),
            ];
            let (found, _) = evaluate(variant, variant.wgsl, 5, &buffers);
            let expected = expect(variant, 5, &untouched, |invocation, result| {
                curve_test::curve_test::<Columns>(invocation, &parameters, &left, &right, result);
            });
            assert!(found == expected, "{}, operation {operation}", variant.name);
        }
    }
}

/// Two limbs of one block under windows of 13 bits, as the kernel is given them.
struct Small {
    commitments: Commitments,
    blocks: Vec<u32>,
    blindings: Vec<u32>,
}

impl Small {
    fn new() -> Small {
        let shape = CommitShape { width_bits: 13, bases: 3, segments: 2, block_words: 16 };
        let blocks = vec![pattern_blocks(62)[1].clone(), pattern_blocks(62)[6].clone()];
        let commitments = Commitments::new(shape, blocks, pattern_blindings(3)[1..].to_vec());
        let (blocks, blindings) = (commitments.block_words(), commitments.blinding_words());
        Small { commitments, blocks, blindings }
    }

    /// The last windows of segment 0 and the first of segment 1 of block 1; the windows are 20, one of them the blinding's own.
    fn parameters(&self) -> Commit {
        self.commitments.shape.commit(40 + 17, 6)
    }

    fn inputs(&self) -> twin::commit::Inputs<'_> {
        let table = &self.commitments.table;
        twin::commit::Inputs { table, blocks: &self.blocks, blindings: &self.blindings }
    }

    fn evaluate(&self, variant: &Variant, wgsl: &str) -> (Vec<u32>, u32) {
        let table: &[AffinePoint] = &self.commitments.table;
        let parameters = self.parameters();
        let sums = vec![Point::default(); 80];
        let buffers: [&[u32]; 5] = [
            cast_slice(bytes_of(&parameters)),
            cast_slice(table),
            &self.blocks,
            &self.blindings,
            cast_slice(&sums),
        ];
        evaluate(variant, wgsl, 7, &buffers)
    }

    fn expected(&self, variant: &Variant) -> Vec<u32> {
        expect(variant, 7, &[Point::default(); 80], |invocation, sums| {
            twin::commit::commit::<Columns>(invocation, &self.parameters(), self.inputs(), sums);
        })
    }
}

/// The formula of the loop total is that of the variant that loops over single limbs, and none takes more.
fn check_iterations(kernel: &Kernel, variant: &Variant, found: u32, stated: u32) {
    assert!(found <= stated, "{}.{}: {found} iterations, not {stated}", kernel.name, variant.name);
    assert!(!variant.name.contains("limbwise") || found == stated, "{}: {found}", variant.name);
}

#[test]
fn commit_means_its_twin_within_its_loop_total() {
    let small = Small::new();
    for variant in COMMIT.variants {
        let (found, iterations) = small.evaluate(variant, variant.wgsl);
        assert!(found == small.expected(variant), "{}", variant.name);
        check_iterations(&COMMIT, variant, iterations, small.commitments.shape.commit_loop_iterations());
    }
}

#[test]
fn commit_fold_means_its_twin_within_its_loop_total() {
    let mut stream = Stream::new("meaning");
    // Windows of so few bits have no scalar, but the rule is the same: 7 windows of 2 bits, 2 segments; two blocks.
    let correction = AffinePoint { x: element(&stream.field()), y: element(&stream.field()) };
    let sums: Vec<_> = (0..28).map(|i| scaled(&pairs()[i % 5][i % 2], &stream.field())).collect();
    let parameters = CommitFold {
        first: 1,
        count: 1,
        windows: 7,
        segments: 2,
        width_bits: 2,
        steps: 6 * 2 + 7 * 2 + 1,
        correction,
        ..CommitFold::default()
    };
    let untouched = [Point::default(); 2];
    for variant in COMMIT_FOLD.variants {
        let buffers: [&[u32]; 3] =
            [cast_slice(bytes_of(&parameters)), cast_slice(&sums), cast_slice(&untouched)];
        let (found, iterations) = evaluate(variant, variant.wgsl, 2, &buffers);
        let expected = expect(variant, 2, &untouched, |invocation, points| {
            twin::commit_fold::commit_fold::<Columns>(invocation, &parameters, &sums, points);
        });
        assert!(found == expected, "{}", variant.name);
        check_iterations(&COMMIT_FOLD, variant, iterations, parameters.steps * 109);
    }
    let shape = CommitShape { width_bits: 8, bases: 530, segments: 4, block_words: 4100 };
    assert_eq!(shape.fold_loop_iterations(), shape.commit_fold(0, 1, correction).steps * 109);
}

/// One slip in each piece of text, and the comparison sees it.
#[test]
fn slips_in_the_wgsl_are_caught() {
    let small = Small::new();
    let slips = [
        ("wide_looped_64", "let is_limb = base < last_base", "let is_limb = base <= last_base"),
        ("wide_looped_64", "LIMB_BITS - within)", "LIMB_BITS)"),
        ("wide_looped_64", "(high << 1u) << (31u - shift)", "high << (31u - shift)"),
        ("wide_looped_64", "select(digit, ~digit, negative)", "digit"),
        ("columns_looped_64", "if negative {", "if !negative {"),
        ("columns_looped_64", "negate_entry(addend.y)", "subtract_unreduced(load(field_zero()), addend.y)"),
        ("wide_looped_64", "let minus = subtract_unreduced(b, c)", "let minus = subtract_unreduced(c, b)"),
        ("wide_looped_64", "x_turning.b.x, x_turning.b.y", "x_turning.b.y, x_turning.b.x"),
        ("wide_looped_64", "t11 = p0_11.y + p1_11.y + q11.y;", "t11 = p0_11.y + q11.y;"),
        ("wide_looped_64", "const PRIME_7: u32 = 0x64774b84u", "const PRIME_7: u32 = 0x64774b85u"),
        ("columns_looped_64", "vec4<u32>(a.w, b.xyz)", "vec4<u32>(b.w, b.xyz)"),
        ("columns_looped_64", "x_turning.d.y, x_turning.a.x", "x_turning.a.x, x_turning.d.y"),
        ("columns_unrolled_64", "let f1 = u64(z.d.y);", "let f1 = u64(z.d.x);"),
        ("columns_unrolled_64", "t13 = t13 + (t12 >> LIMB_BITS_28);", ""),
        ("split_limbwise_64", "(carry >> 16u)", "(carry >> 15u)"),
        ("split_limbwise_64", "i < 12u", "i < 11u"),
    ];
    for (name, right, wrong) in slips {
        let variant = COMMIT.variant(name).unwrap();
        let broken = variant.wgsl.replace(right, wrong);
        assert!(broken != variant.wgsl, "no {right}");
        assert!(small.evaluate(variant, &broken).0 != small.expected(variant), "{wrong} is not noticed");
    }
}

/// Slips that only certain numbers show, on the numbers chosen for them.
#[test]
fn slips_in_the_field_are_caught() {
    let slips = [
        ("split_limbwise_64", field_test::ADD, "u32(difference < borrow)", "0u"),
        ("split_limbwise_64", field_test::ADD, "let keep = d11.y != 0u;", "let keep = true;"),
        ("wide_looped_64", field_test::ADD, "u32(difference >> 63u)", "0u"),
        (
            "wide_looped_64",
            field_test::SUBTRACT,
            "subtract_borrow(TWICE_PRIME_11",
            "subtract_borrow(PRIME_11",
        ),
        ("wide_unrolled_64", field_test::MULTIPLY, "let f0 = x.c.w;", "let f0 = x.c.z;"),
        ("columns_looped_64", field_test::ADD, "5040u) >> 22u", "5040u) >> 23u"),
        ("columns_looped_64", field_test::ADD, "& 0xffu", "& 0x7fu"),
        ("wide_looped_64", field_test::TIMES_TWELVE, "* 78u) >> 16u", "* 78u) >> 17u"),
        ("wide_looped_64", field_test::SUM_OF_PRODUCTS, "sum_of_products(x, y, start, x)", "multiply(x, y)"),
    ];
    for (name, operation, right, wrong) in slips {
        let variant = FIELD_TEST.variant(name).unwrap();
        let broken = variant.wgsl.replace(right, wrong);
        assert!(broken != variant.wgsl, "no {right}");
        assert!(!check_field(variant, &broken, operation), "{wrong} is not noticed");
    }
}
