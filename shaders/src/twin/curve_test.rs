//! Twin of `wgsl/curve_test.wgsl`: the complete additions alone.

use super::Invocation;
use super::curve::{add_full, add_mixed, load_addend, load_point, store_point};
use super::field::ResidueForm;
use crate::layout::{AffinePoint, CurveTest, Point};

/// The right point's Z is taken as one.
pub const ADD_MIXED: u32 = 0;
/// Any two points.
pub const ADD_FULL: u32 = 1;
/// Even points take `ADD_MIXED`, odd ones `ADD_FULL`.
pub const IN_TURN: u32 = 2;

/// One invocation: left + rounds · right.
pub fn curve_test<F: ResidueForm>(
    invocation: Invocation,
    parameters: &CurveTest,
    left: &[Point],
    right: &[Point],
    result: &mut [Point],
) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        let Point { x, y, .. } = right[n];
        let affine = load_addend::<F>(AffinePoint { x, y }, false);
        let addend = load_point::<F>(right[n]);
        let operation = match parameters.operation {
            IN_TURN => (parameters.first + i) % IN_TURN,
            operation => operation,
        };
        let mut sum = load_point::<F>(left[n]);
        for _ in 0..parameters.rounds {
            sum =
                if operation == ADD_MIXED { add_mixed::<F>(sum, affine) } else { add_full::<F>(sum, addend) };
        }
        result[n] = store_point::<F>(sum);
    }
}
